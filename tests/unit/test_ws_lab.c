/*
 * WebSockets in the lab: peers that speak rubbish on its simulated wire, names, what takes hours,
 * two runtimes.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shim/src/internal.h"
#include "tests/lib/test.h"
#include "tests/lib/ws_ends.h"

static const char *const backends[] = {"lab", "lab-legacy"};

/* --- what is no connection ------------------------------------------------------------------- */

/* A server that says nothing, or rubbish. */
struct odd {
	struct ends ends;
	const char *says;
	size_t n;
	struct qrt_stream *stream;
};

static enum qrt_err odd_server(struct qrt_cx *cx, void *arg)
{
	struct odd *odd = arg;
	EXPECT(!qrt_accept(cx, odd->ends.listener, &odd->stream));
	return odd->n ? qrt_write(cx, odd->stream, odd->says, odd->n) : QRT_OK;
}

static enum qrt_err dial_odd(struct qrt_cx *cx, const char *says, size_t n, enum qrt_err want)
{
	struct odd odd = {.says = says, .n = n};
	int64_t before = 0, after = 0;
	EXPECT(!listen_here(cx, &odd.ends));
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &odd.ends.region));
	EXPECT(!qrt_spawn(odd.ends.region, odd_server, &odd));
	EXPECT(!qrt_now(cx, &before));
	EXPECT(dial(cx, &odd.ends, "ws", &odd.ends.client) == want);
	EXPECT(!qrt_now(cx, &after));
	EXPECT(want != QRT_EPEER || after - before == 10 * QRT_SEC);
	qrt_stream_close(cx, &odd.stream);
	return close_ends(cx, &odd.ends);
}

static enum qrt_err play_no_connection(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct qrt_ws *ws = NULL;
	EXPECT(qrt_ws_connect(cx, "ws://127.0.0.1:9/", NULL, &ws) == QRT_ECONNREFUSED && !ws);
	EXPECT(!dial_odd(cx, "", 0, QRT_EPEER));
	EXPECT(!dial_odd(cx, "HTTP/1.1 200 OK\r\n\r\n", 19, QRT_EPROTO));
	EXPECT(!dial_odd(cx, "\x04\x01\0\0\0x", 6, QRT_EPROTO)); /* a text before the welcome */
	EXPECT(!dial_odd(cx, "\x02\xff\xff\xff\x7f", 5, QRT_EPROTO));
	/* TLS is spoken, or it is not. */
	struct ends ends = {.port = 0};
	EXPECT(!await_one(cx, &ends));
	EXPECT(dial(cx, &ends, "wss", &ends.client) == QRT_ECONNRESET);
	EXPECT(!close_ends(cx, &ends));
	EXPECT(ends.accepted == QRT_EPROTO);
	return QRT_OK;
}

static void what_does_not_answer_properly_is_no_websocket(void **state)
{
	(void)state;
	const struct qrt_lab_faults whole = {.cut = 1};
	in_labs(&whole, play_no_connection);
}

/* A client of ours by hand, to say what no client would. */
static enum qrt_err odd_client(struct qrt_cx *cx, const char *says, size_t n, enum qrt_err accepted,
			       enum qrt_err received, const char *detail)
{
	static const char hello[] = "\x01\x09\0\0\0ws\0/\0h\0"
				    "0\0";
	struct ends ends = {.port = 0};
	struct qrt_stream *stream;
	struct qrt_ws_message message;
	EXPECT(!await_one(cx, &ends));
	EXPECT(!qrt_connect(cx, "127.0.0.1", ends.port, &stream));
	if (!accepted) {
		EXPECT(!qrt_write(cx, stream, hello, 5 + 9));
	}
	EXPECT(!qrt_write(cx, stream, says, n));
	while (!ends.server && !ends.accepted) {
		EXPECT(!qrt_sleep(cx, QRT_MS));
	}
	EXPECT(ends.accepted == accepted);
	if (!accepted) {
		EXPECT(qrt_ws_recv(cx, ends.server, &message) == received);
		EXPECT(strstr(qrt_detail(cx), detail));
		EXPECT(qrt_ws_recv(cx, ends.server, &message) == received); /* from then on */
		EXPECT(qrt_ws_send_text(cx, ends.server, "x") == received);
	}
	qrt_stream_close(cx, &stream);
	return close_ends(cx, &ends);
}

static enum qrt_err play_odd_clients(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	EXPECT(!odd_client(cx, "\x04\x02\0\0\0\xc3(", 7, QRT_OK, QRT_EPROTO, "not in UTF-8"));
	EXPECT(!odd_client(cx, "\x04\x01\0\0\0\xc3", 6, QRT_OK, QRT_EPROTO, "not in UTF-8"));
	EXPECT(!odd_client(cx, "\x63\x02\0\0\0ab", 7, QRT_OK, QRT_EPROTO, "broke the protocol"));
	EXPECT(!odd_client(cx, "\x08\x01\0\0\0a", 6, QRT_OK, QRT_EPROTO, "broke the protocol"));
	EXPECT(!odd_client(cx, "\x08\x02\0\0\0\x03\xe8", 7, QRT_OK, QRT_EEOF,
			   "closed the websocket: 1000"));
	EXPECT(!odd_client(cx, "\x08\0\0\0\0", 5, QRT_OK, QRT_EEOF, "closed the websocket: 1005"));
	EXPECT(!odd_client(cx, "\x01\x02\0\0\0ab", 7, QRT_EPROTO, QRT_OK, ""));
	EXPECT(!odd_client(cx, "\x06\0\0\0\0", 5, QRT_EPROTO, QRT_OK, ""));
	return QRT_OK;
}

static void a_peer_that_breaks_the_protocol_is_told_apart(void **state)
{
	(void)state;
	in_labs(NULL, play_odd_clients);
}

static enum qrt_err dial_name(struct qrt_cx *cx, struct ends *ends)
{
	char url[64];
	snprintf(url, sizeof(url), "ws://chat.test:%u", ends->port);
	return qrt_ws_connect(cx, url, NULL, &ends->client);
}

static int admit_name(void *arg, const struct qrt_ws_request *request, const char **ret_subprotocol)
{
	char host[32];
	(void)ret_subprotocol;
	snprintf(host, sizeof(host), "chat.test:%u", *(const uint16_t *)arg);
	return strcmp(request->host, host) == 0 && strcmp(request->path, "/") == 0 ? 0 : 404;
}

static enum qrt_err play_name(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	static const char *const addresses[] = {"10.1.1.1", "::1", NULL};
	struct ends ends = {.port = 0};
	const struct qrt_ws_accept_options accept = {.admit = admit_name, .arg = &ends.port};
	ends.accept = &accept;
	EXPECT(!await_one(cx, &ends));
	EXPECT(dial_name(cx, &ends) == QRT_ENOENT && !ends.client);
	EXPECT(strstr(qrt_detail(cx), "chat.test"));
	EXPECT(!qrt_lab_name(qrt_cx_lab(cx), "chat.test", addresses));
	EXPECT(!dial_name(cx, &ends));
	return close_ends(cx, &ends);
}

static void a_host_by_name_is_looked_up_first(void **state)
{
	(void)state;
	in_labs(NULL, play_name);
}

/* A stream that ends without a close is a connection that was dropped. */
static enum qrt_err play_no_goodbye(struct qrt_cx *cx, void *arg)
{
	static const char hello[] = "\x01\x09\0\0\0ws\0/\0h\0"
				    "0\0";
	struct ends ends = {.port = 0};
	struct qrt_stream *stream;
	struct qrt_ws_message message;
	(void)arg;
	EXPECT(!await_one(cx, &ends));
	EXPECT(!qrt_connect(cx, "127.0.0.1", ends.port, &stream));
	EXPECT(!qrt_write(cx, stream, hello, 5 + 9));
	while (!ends.server) {
		EXPECT(!qrt_sleep(cx, QRT_MS));
	}
	EXPECT(!qrt_stream_shutdown(cx, stream));
	EXPECT(qrt_ws_recv(cx, ends.server, &message) == QRT_ECONNRESET);
	EXPECT(info_of(cx, ends.server).code == QRT_WS_DROPPED);
	qrt_stream_close(cx, &stream);
	return close_ends(cx, &ends);
}

static void an_end_without_a_close_is_no_close(void **state)
{
	(void)state;
	in_labs(NULL, play_no_goodbye);
}

static enum qrt_err play_far_away(struct qrt_cx *cx, void *arg)
{
	const struct qrt_ws_connect_options connect = {.limits.handshake_ns = 1000 * QRT_SEC};
	const struct qrt_lab_faults faults = {.partition = true};
	struct qrt_ws *ws = NULL;
	(void)arg;
	EXPECT(!qrt_lab_set_faults(qrt_cx_lab(cx), &faults));
	EXPECT(qrt_ws_connect(cx, "ws://127.0.0.1:1/", &connect, &ws) == QRT_EPEER && !ws);
	return QRT_OK;
}

/* ETIMEDOUT is the caller's own deadline, and nothing else. */
static void a_network_that_gives_up_is_a_silent_peer(void **state)
{
	(void)state;
	in_labs(NULL, play_far_away);
}

/* --- liveness -------------------------------------------------------------------------------- */

static enum qrt_err play_idle(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct ends ends = {.port = 0};
	struct qrt_ws_message message;
	int64_t before, after;
	struct qrt_lab_faults faults = {.partition = true};
	EXPECT(!open_ends(cx, &ends));
	EXPECT(!qrt_sleep(cx, 3600 * QRT_SEC)); /* an hour of nothing */
	struct qrt_ws_info info = info_of(cx, ends.client), other = info_of(cx, ends.server);
	EXPECT(!info.ended && !other.ended);
	/* Who hears the other's ping need not ask. */
	EXPECT(info.pings + other.pings >= 100 && info.pings + other.pings <= 260);
	EXPECT(info.pings == info.pongs && other.pings == other.pongs);
	int64_t rtt_ns = info.pings > 0 ? info.rtt_ns : other.rtt_ns;
	EXPECT(rtt_ns > 0 && rtt_ns < QRT_SEC);
	EXPECT(!qrt_ws_send_text(cx, ends.client, "still here"));
	EXPECT(!qrt_ws_recv(cx, ends.server, &message));
	EXPECT(!qrt_lab_set_faults(qrt_cx_lab(cx), &faults));
	EXPECT(!qrt_now(cx, &before));
	EXPECT(qrt_ws_recv(cx, ends.client, &message) == QRT_EPEER);
	EXPECT(strcmp(qrt_detail(cx), "nothing was heard of the websocket's peer") == 0);
	EXPECT(!qrt_now(cx, &after));
	EXPECT(after - before >= 10 * QRT_SEC && after - before <= 41 * QRT_SEC);
	EXPECT(info_of(cx, ends.client).code == QRT_WS_DROPPED);
	enum qrt_err err = qrt_ws_recv(cx, ends.server, &message);
	EXPECT(err == QRT_EPEER || err == QRT_ECONNRESET); /* who notices first drops it */
	qrt_lab_heal(qrt_cx_lab(cx));
	return close_ends(cx, &ends);
}

static void an_idle_one_lives_and_a_silent_peer_is_noticed(void **state)
{
	(void)state;
	in_labs(NULL, play_idle);
}

static enum qrt_err play_never_pinged(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	const struct qrt_ws_connect_options connect = {.limits.ping_ns = QRT_WS_NEVER};
	const struct qrt_ws_accept_options accept = {.limits.ping_ns = QRT_WS_NEVER};
	struct ends ends = {.connect = &connect, .accept = &accept};
	struct qrt_lab_faults faults = {.partition = true};
	EXPECT(!open_ends(cx, &ends));
	EXPECT(!qrt_lab_set_faults(qrt_cx_lab(cx), &faults));
	EXPECT(!qrt_sleep(cx, 3600 * QRT_SEC));
	EXPECT(!info_of(cx, ends.client).ended && info_of(cx, ends.client).pings == 0);
	qrt_lab_heal(qrt_cx_lab(cx));
	return close_ends(cx, &ends);
}

static void without_pings_nobody_notices(void **state)
{
	(void)state;
	in_labs(NULL, play_never_pinged);
}

/* --- two runtimes ---------------------------------------------------------------------------- */

struct pair {
	struct ends ends;
	struct qrt_runtime *other;
	uint64_t answered;
};

static enum qrt_err serve_echo(struct qrt_cx *cx, void *arg)
{
	struct pair *pair = arg;
	struct ends *ends = &pair->ends;
	struct qrt_stream *stream;
	struct qrt_ws *ws;
	struct qrt_ws_message message;
	EXPECT(!listen_here(cx, ends));
	EXPECT(!qrt_accept(cx, ends->listener, &stream));
	EXPECT(!qrt_ws_accept(cx, &stream, NULL, &ws));
	ends->server = ws;
	enum qrt_err err;
	while (!(err = qrt_ws_recv(cx, ws, &message))) {
		EXPECT(!qrt_ws_send(cx, ws, message.type, message.data, message.n));
	}
	EXPECT(err == QRT_EEOF);
	qrt_ws_close(cx, &ws);
	qrt_listener_close(cx, &ends->listener);
	return QRT_OK;
}

static void nothing_to_drop(void *arg)
{
	(void)arg;
}

static enum qrt_err runs_server(struct qrt_cx *cx, void *arg)
{
	struct pair *pair = arg;
	const struct qrt__call_options opts = {.rt = pair->other,
					       .caps = QRT_CAP_ALL,
					       .deadline_ns = QRT_NO_DEADLINE,
					       .name = "server",
					       .site = QRT_SITE};
	return qrt__call(cx, &opts, serve_echo, pair, nothing_to_drop);
}

static enum qrt_err ask_echo(struct qrt_cx *cx, void *arg)
{
	struct pair *pair = arg;
	struct qrt_region *region;
	struct qrt_ws *ws;
	struct qrt_ws_message message;
	EXPECT(!qrt_region_open(cx, QRT_FAIL_FAST, &region));
	EXPECT(!qrt_spawn(region, runs_server, pair));
	while (pair->ends.port == 0) {
		EXPECT(!qrt_sleep(cx, QRT_MS));
	}
	EXPECT(!dial(cx, &pair->ends, "ws", &ws));
	for (int i = 0; i < 20; i++) {
		char text[16];
		snprintf(text, sizeof(text), "%d", i);
		EXPECT(!qrt_ws_send_text(cx, ws, text));
		EXPECT(!qrt_ws_recv(cx, ws, &message) && is_message(&message, QRT_WS_TEXT, text));
		pair->answered++;
	}
	/* Of another runtime it is nothing. */
	EXPECT(qrt_ws_send_text(cx, pair->ends.server, "x") == QRT_EINVAL);
	EXPECT(!qrt_ws_shutdown(cx, ws, 1000, NULL));
	qrt_ws_close(cx, &ws);
	return qrt_region_close(cx, &region, QRT_OK);
}

static void two_runtimes_of_a_lab_talk(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < 2 * WS_SEEDS; seed++) {
		const struct qrt_lab_options opts = {.seed = seed};
		struct qrt_lab *lab;
		struct qrt_runtime *a, *b;
		struct pair pair = {.answered = 0};
		assert_int_equal(qrt_lab_open(&opts, NULL, &lab), QRT_OK);
		const struct qrt_runtime_options server = {.backend = backends[seed % 2],
							   .lab = lab};
		const struct qrt_runtime_options client = {.backend = backends[!(seed % 2)],
							   .lab = lab};
		assert_int_equal(qrt_runtime_open(&server, NULL, &a), QRT_OK);
		assert_int_equal(qrt_runtime_open(&client, NULL, &b), QRT_OK);
		assert_int_equal(qrt_runtime_start(a), QRT_OK);
		pair.other = a;
		assert_int_equal(qrt_run_main(b, ask_echo, &pair), QRT_OK);
		assert_int_equal(pair.answered, 20);
		assert_int_equal(qrt_shutdown(a, QRT_SEC), QRT_OK);
		qrt_runtime_close(&b);
		qrt_runtime_close(&a);
		qrt_lab_close(&lab);
	}
}

/* Who makes the frames is said, not hidden. */
static void each_backend_says_who_makes_the_frames(void **state)
{
	(void)state;
	size_t n;
	const char *const *names = qrt_backend_names(&n);
	for (size_t i = 0; i < n; i++) {
		size_t rows, found = 0;
		const struct qrt_promise *promise = qrt_backend_promises(names[i], &rows);
		bool there = qrt__backend_find(names[i])->driver->ws;
		for (size_t k = 0; k < rows; k++) {
			if (strcmp(promise[k].key, "websocket") == 0) {
				found++;
				assert_true((strcmp(promise[k].answer, "no") != 0) == there);
			}
		}
		assert_int_equal(found, 1);
	}
}

#define TEST(name) cmocka_unit_test(name)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(what_does_not_answer_properly_is_no_websocket),
	    TEST(a_peer_that_breaks_the_protocol_is_told_apart),
	    TEST(a_host_by_name_is_looked_up_first),
	    TEST(an_end_without_a_close_is_no_close),
	    TEST(a_network_that_gives_up_is_a_silent_peer),
	    TEST(an_idle_one_lives_and_a_silent_peer_is_noticed),
	    TEST(without_pings_nobody_notices),
	    TEST(two_runtimes_of_a_lab_talk),
	    TEST(each_backend_says_who_makes_the_frames),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
