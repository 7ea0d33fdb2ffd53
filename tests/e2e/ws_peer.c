/*
 * A WebSocket client and server on one backend, for tests/e2e/ws.sh, whose other side is somebody
 * else's.
 *
 *	ws_peer serve BACKEND		prints its port; echoes; ends after "quit"
 *	ws_peer talk BACKEND URL [CA]	plays the scenarios below with such a peer; TAP lines
 *
 * What the peer of `talk` is asked to do beside echoing stands in the scenarios as texts.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <qrt/runtime.h>
#include <qrt/ws.h>

#include "tests/lib/backends.h"

enum { BIG = 2 << 20, MANY = 300 };

static const struct qrt_ws_limits limits = {.message_max = 8 << 20};

/* --- serve ----------------------------------------------------------------------------------- */

struct server {
	struct qrt_listener *listener;
	struct qrt_region *region;
	bool quit;
};

static int admit(void *arg, const struct qrt_ws_request *request, const char **ret_subprotocol)
{
	(void)arg;
	if (strcmp(request->path, "/refuse") == 0) {
		return 401;
	}
	for (const char *const *name = request->subprotocols; *name; name++) {
		if (strcmp(*name, "chat.v2") == 0) {
			*ret_subprotocol = *name;
		}
	}
	return 0;
}

struct connection {
	struct server *server;
	struct qrt_stream *stream;
};

/* "close CODE REASON" closes, "wait" is answered after a while, the rest comes back. */
static enum qrt_err answer(struct qrt_cx *cx, struct server *server, struct qrt_ws *ws,
			   const struct qrt_ws_message *message)
{
	if (message->type == QRT_WS_TEXT && strncmp(message->data, "close ", 6) == 0) {
		char *reason;
		unsigned code = (unsigned)strtoul(message->data + 6, &reason, 10);
		return qrt_ws_shutdown(cx, ws, code, *reason ? reason + 1 : NULL);
	}
	if (message->type == QRT_WS_TEXT && strcmp(message->data, "quit") == 0) {
		server->quit = true;
		qrt_listener_close(cx, &server->listener);
		return qrt_ws_shutdown(cx, ws, QRT_WS_NORMAL, "as you wish");
	}
	return qrt_ws_send(cx, ws, message->type, message->data, message->n);
}

static enum qrt_err serve_one(struct qrt_cx *cx, void *arg)
{
	struct connection connection = *(struct connection *)arg;
	const struct qrt_ws_accept_options opts = {.limits = limits, .admit = admit};
	struct qrt_ws *ws = NULL;
	struct qrt_ws_message message;
	free(arg);
	enum qrt_err err = qrt_ws_accept(cx, &connection.stream, &opts, &ws);
	while (!err) {
		err = qrt_ws_recv(cx, ws, &message);
		err = err ? err : answer(cx, connection.server, ws, &message);
	}
	struct qrt_ws_info info;
	if (ws && !qrt_ws_info(cx, ws, &info)) {
		printf("end %s %u %s\n", qrt_err_name(info.ended), info.code, info.reason);
		fflush(stdout);
	}
	qrt_ws_close(cx, &ws);
	return QRT_OK;
}

static enum qrt_err serve(struct qrt_cx *cx, void *arg)
{
	struct server server = {.quit = false};
	uint16_t port;
	int fd;
	(void)arg;
	EXPECT(!qrt_socket_listen(cx, "127.0.0.1", 0, &fd, &port));
	EXPECT(!qrt_listener_adopt(cx, fd, &server.listener));
	printf("port %u\n", port);
	fflush(stdout);
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &server.region));
	while (!server.quit) {
		struct connection *connection = calloc(1, sizeof(*connection));
		EXPECT(connection);
		connection->server = &server;
		enum qrt_err err = qrt_accept(cx, server.listener, &connection->stream);
		err = err ? err : qrt_spawn(server.region, serve_one, connection);
		if (err) {
			free(connection);
			break;
		}
	}
	qrt_listener_close(cx, &server.listener);
	return qrt_region_close(cx, &server.region, QRT_OK);
}

/* --- talk ------------------------------------------------------------------------------------ */

static int told;
static const char *ca_file;

static void tell(bool fine, struct qrt_cx *cx, const char *what)
{
	printf("%s %d - %s: %s\n", fine ? "ok" : "not ok", ++told,
	       qrt_runtime_backend(qrt_cx_runtime(cx)), what);
	if (!fine) {
		printf("# %s\n", qrt_detail(cx));
	}
	fflush(stdout);
}

static bool same(const struct qrt_ws_message *message, enum qrt_ws_type type, const void *data,
		 size_t n)
{
	return message->type == type && message->n == n && memcmp(message->data, data, n) == 0;
}

static bool echoes(struct qrt_cx *cx, struct qrt_ws *ws, enum qrt_ws_type type, const void *data,
		   size_t n)
{
	struct qrt_ws_message message;
	return !qrt_ws_send(cx, ws, type, data, n) && !qrt_ws_recv(cx, ws, &message) &&
	       same(&message, type, data, n);
}

static void talk_messages(struct qrt_cx *cx, struct qrt_ws *ws)
{
	struct qrt_ws_message message;
	char *big = malloc(BIG);
	for (size_t i = 0; big && i < BIG; i++) {
		big[i] = (char)(i * 31 >> 3);
	}
	tell(echoes(cx, ws, QRT_WS_TEXT, "gr\xc3\xbc\xc3\x9f dich", 11), cx, "a text comes back");
	tell(echoes(cx, ws, QRT_WS_BINARY, "a\0b\xff", 4), cx, "bytes come back");
	tell(echoes(cx, ws, QRT_WS_TEXT, "", 0), cx, "nothing comes back");
	tell(big && echoes(cx, ws, QRT_WS_BINARY, big, 65535), cx, "65,535 bytes come back");
	tell(big && echoes(cx, ws, QRT_WS_BINARY, big, 65536), cx, "65,536 bytes come back");
	tell(big && echoes(cx, ws, QRT_WS_BINARY, big, BIG), cx, "two megabytes come back");
	free(big);
	bool fine = true;
	for (int i = 0; i < MANY && fine; i++) {
		char text[16];
		int n = snprintf(text, sizeof(text), "%d", i);
		fine = echoes(cx, ws, QRT_WS_TEXT, text, (size_t)n);
	}
	tell(fine, cx, "and so do three hundred, one after the other");
	tell(!qrt_ws_send_text(cx, ws, "fragment") && !qrt_ws_recv(cx, ws, &message) &&
		 same(&message, QRT_WS_TEXT, "gr\xc3\xbc\xc3\x9f dich", 11),
	     cx, "a message in fragments, split in a character, is whole");
	tell(!qrt_ws_send_text(cx, ws, "ping") && !qrt_ws_recv(cx, ws, &message) &&
		 same(&message, QRT_WS_TEXT, "pong hello", 10),
	     cx, "a ping is answered with what it brought");
	tell(!qrt_ws_send_text(cx, ws, "flood") && !qrt_sleep(cx, 100 * QRT_MS), cx,
	     "a flood is asked for, and not taken for a while");
	fine = true;
	for (int i = 0; i < MANY && fine; i++) {
		fine = !qrt_ws_recv(cx, ws, &message) && message.n == 20000u + (unsigned)i;
	}
	tell(fine, cx, "then it is all there");
}

static void talk_ends(struct qrt_cx *cx, const char *url)
{
	const struct qrt_ws_connect_options plain = {.ca_file = ca_file};
	static const struct {
		const char *ask;
		enum qrt_err err;
		unsigned code;
		const char *reason;
	} ends[] = {
	    {"close 1000 done", QRT_EEOF, 1000, "done"},
	    {"close 1001", QRT_EEOF, 1001, ""},
	    {"close 3999 mine", QRT_EEOF, 3999, "mine"},
	    {"close none", QRT_EEOF, QRT_WS_NO_CODE, ""},
	    {"drop", QRT_ECONNRESET, QRT_WS_DROPPED, ""},
	    /* The library knows no 1012 to 1014, and takes them for a broken protocol. */
	    {"close 1012 restart", QRT_EEOF, 1002, "restart"},
	};
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		struct qrt_ws *ws = NULL;
		struct qrt_ws_message message;
		struct qrt_ws_info info = {.code = 0};
		bool fine = !qrt_ws_connect(cx, url, &plain, &ws) &&
			    !qrt_ws_send_text(cx, ws, ends[i].ask) &&
			    qrt_ws_recv(cx, ws, &message) == ends[i].err &&
			    !qrt_ws_info(cx, ws, &info) && info.code == ends[i].code &&
			    strcmp(info.reason, ends[i].reason) == 0;
		tell(fine, cx, ends[i].ask);
		qrt_ws_close(cx, &ws);
	}
}

/* What the peer has heard of our last end it tells the next connection; it may hear it late. */
static bool was_heard(struct qrt_cx *cx, const char *url, const char *end)
{
	const struct qrt_ws_connect_options plain = {.ca_file = ca_file};
	bool heard = false;
	for (int i = 0; i < 100 && !heard; i++) {
		struct qrt_ws *ws = NULL;
		struct qrt_ws_message message;
		if (qrt_ws_connect(cx, url, &plain, &ws) || qrt_ws_send_text(cx, ws, "last end") ||
		    qrt_ws_recv(cx, ws, &message)) {
			return false;
		}
		heard = same(&message, QRT_WS_TEXT, end, strlen(end));
		/* Dropped: so what is said of this one is not what is asked for. */
		bool dropped = !qrt_ws_send_text(cx, ws, "drop") &&
			       qrt_ws_recv(cx, ws, &message) == QRT_ECONNRESET;
		qrt_ws_close(cx, &ws);
		if (!dropped || qrt_sleep(cx, 5 * QRT_MS)) {
			return false;
		}
	}
	return heard;
}

static void talk_goodbyes(struct qrt_cx *cx, const char *url)
{
	const struct qrt_ws_connect_options plain = {.ca_file = ca_file};
	struct qrt_ws *ws = NULL;
	tell(!qrt_ws_connect(cx, url, &plain, &ws) && !qrt_ws_shutdown(cx, ws, 4321, "my reason"),
	     cx, "a goodbye is answered");
	qrt_ws_close(cx, &ws);
	tell(was_heard(cx, url, "4321 my reason"), cx, "and was heard");
	bool open = !qrt_ws_connect(cx, url, &plain, &ws);
	qrt_ws_close(cx, &ws);
	tell(open && was_heard(cx, url, "1001 "), cx, "a plain close says 1001");
}

static void talk_handshake(struct qrt_cx *cx, const char *url)
{
	static const char *const names[] = {"chat.v1", "chat.v2", NULL};
	static const struct qrt_ws_header header = {"Authorization", "Bearer x"};
	const struct qrt_ws_connect_options opts = {
	    .subprotocols = names, .headers = &header, .n_headers = 1, .ca_file = ca_file};
	struct qrt_ws *ws = NULL;
	struct qrt_ws_info info;
	char refused[256];
	tell(!qrt_ws_connect(cx, url, &opts, &ws) && !qrt_ws_info(cx, ws, &info) &&
		 strcmp(info.subprotocol, "chat.v2") == 0,
	     cx, "a subprotocol is agreed on");
	qrt_ws_close(cx, &ws);
	snprintf(refused, sizeof(refused), "%s/refuse", url);
	tell(qrt_ws_connect(cx, refused, &opts, &ws) == QRT_ECONNREFUSED &&
		 strstr(qrt_detail(cx), "HTTP status 401"),
	     cx, "a refusal has its status");
}

static enum qrt_err talk(struct qrt_cx *cx, void *arg)
{
	const char *url = arg;
	const struct qrt_ws_connect_options opts = {.limits = limits, .ca_file = ca_file};
	struct qrt_ws *ws = NULL;
	talk_handshake(cx, url);
	if (qrt_ws_connect(cx, url, &opts, &ws)) {
		tell(false, cx, "connect");
		return QRT_EFAILED;
	}
	talk_messages(cx, ws);
	qrt_ws_close(cx, &ws);
	talk_ends(cx, url);
	talk_goodbyes(cx, url);
	return QRT_OK;
}

int main(int argc, char **argv)
{
	bool serves = argc == 3 && strcmp(argv[1], "serve") == 0;
	if (!serves && (argc < 4 || argc > 5 || strcmp(argv[1], "talk") != 0)) {
		fprintf(stderr, "usage: ws_peer serve BACKEND | ws_peer talk BACKEND URL [CA]\n");
		return 2;
	}
	ca_file = argc == 5 ? argv[4] : NULL;
	const struct qrt_runtime_options opts = {.backend = argv[2]};
	struct qrt_runtime *rt;
	char detail[256];
	if (qrt_runtime_open(&opts, detail, &rt)) {
		fprintf(stderr, "ws_peer: %s\n", detail);
		return 2;
	}
	enum qrt_err err = qrt_run_main(rt, serves ? serve : talk, serves ? NULL : argv[3]);
	qrt_runtime_close(&rt);
	return err ? 1 : 0;
}
