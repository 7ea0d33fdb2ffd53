/*
 * WebSockets of the real drivers against peers made by hand, byte by byte: what is broken, what is
 * split, what is refused, who says nothing. In the order of RFC 6455.
 */
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/test.h"
#include "tests/lib/ws_ends.h"

/* --- bytes ----------------------------------------------------------------------------------- */

/* A peer's side: its stream, and what has been read of it and not been looked at. */
struct raw {
	struct qrt_stream *stream;
	unsigned char data[4096];
	size_t n;
};

/* Reads more; false: it has ended, in whatever way. */
static bool read_more(struct qrt_cx *cx, struct raw *raw)
{
	size_t got = 0;
	enum qrt_err err =
	    qrt_read(cx, raw->stream, raw->data + raw->n, sizeof(raw->data) - raw->n, &got);
	raw->n += err ? 0 : got;
	return !err && got > 0;
}

static void look_past(struct raw *raw, size_t n)
{
	memmove(raw->data, raw->data + n, raw->n - n);
	raw->n -= n;
}

/* Until the end of an HTTP head, which is copied to @head as a text. */
static enum qrt_err read_head(struct qrt_cx *cx, struct raw *raw, char *head, size_t room)
{
	const unsigned char *end;
	while (!(end = memmem(raw->data, raw->n, "\r\n\r\n", 4))) {
		EXPECT(read_more(cx, raw));
	}
	size_t n = (size_t)(end - raw->data) + 4;
	EXPECT(n < room);
	memcpy(head, raw->data, n);
	head[n] = '\0';
	look_past(raw, n);
	return QRT_OK;
}

/* Zeros as a mask leave the bytes as they are: so frames of a client can stand in a table. */
static enum qrt_err write_frame(struct qrt_cx *cx, struct raw *raw, bool masked, int first,
				const char *payload, size_t n)
{
	unsigned char frame[2 + 4 + 125] = {(unsigned char)first,
					    (unsigned char)(n | (masked ? 0x80 : 0))};
	size_t at = masked ? 6 : 2;
	EXPECT(n <= 125);
	memcpy(frame + at, payload, n);
	return qrt_write(cx, raw->stream, frame, at + n);
}

/*
 * The next frame, of less than 126 bytes, a client's or a server's; @payload has 126 bytes. Sets
 * *ret_first to 0 at the end of the connection.
 */
static enum qrt_err read_frame(struct qrt_cx *cx, struct raw *raw, int *ret_first, char *payload)
{
	*ret_first = 0;
	size_t need = 2;
	while (raw->n < need) {
		if (!read_more(cx, raw)) {
			return QRT_OK;
		}
		if (raw->n >= 2) {
			EXPECT((raw->data[1] & 0x7f) < 126);
			need = 2 + (raw->data[1] & 0x80 ? 4u : 0u) + (raw->data[1] & 0x7f);
		}
	}
	bool masked = raw->data[1] & 0x80;
	size_t n = raw->data[1] & 0x7f, at = masked ? 6 : 2;
	for (size_t i = 0; i < n; i++) {
		payload[i] = (char)(raw->data[at + i] ^ (masked ? raw->data[2 + i % 4] : 0));
	}
	payload[n] = '\0';
	*ret_first = raw->data[0];
	look_past(raw, at + n);
	return QRT_OK;
}

enum { NO_CLOSE = 1006 };

/* Reads up to a close, whose code it returns; 1005: it had none; NO_CLOSE: none came. */
static unsigned read_close(struct qrt_cx *cx, struct raw *raw)
{
	char payload[126] = "";
	int first;
	do {
		if (read_frame(cx, raw, &first, payload) || first == 0) {
			return NO_CLOSE;
		}
	} while (first != 0x88);
	/* No code begins with a zero byte. */
	return payload[0] ? (unsigned)(unsigned char)payload[0] << 8 | (unsigned char)payload[1]
			  : 1005;
}

/* --- a client by hand ------------------------------------------------------------------------ */

#define REQUEST(lines)                                                                             \
	"GET /a?b HTTP/1.1\r\nHost: here\r\nUpgrade: websocket\r\nConnection: keep-alive, "        \
	"Upgrade\r\n"                                                                              \
	"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n" lines       \
	"\r\n"

static enum qrt_err hello(struct qrt_cx *cx, struct ends *ends, struct raw *raw,
			  const char *request)
{
	EXPECT(!await_one(cx, ends));
	EXPECT(!qrt_connect(cx, "127.0.0.1", ends->port, &raw->stream));
	return qrt_write(cx, raw->stream, request, strlen(request));
}

static enum qrt_err open_raw_client(struct qrt_cx *cx, struct ends *ends, struct raw *raw)
{
	char head[1024];
	EXPECT(!hello(cx, ends, raw, REQUEST("")));
	EXPECT(!read_head(cx, raw, head, sizeof(head)));
	EXPECT(strncmp(head, "HTTP/1.1 101 ", 13) == 0);
	/* The example of RFC 6455, 1.3. */
	EXPECT(strstr(head, "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"));
	return until_accepted(cx, ends);
}

/* --- a server by hand ------------------------------------------------------------------------ */

static enum qrt_err answer(struct qrt_cx *cx, struct raw *raw, const char *text)
{
	return qrt_write(cx, raw->stream, text, strlen(text));
}

/* The proper answer to the request in @head; @lines: headers more. */
static enum qrt_err welcome(struct qrt_cx *cx, struct raw *raw, const char *head, const char *lines)
{
	char text[512], *key = strstr(head, "Sec-WebSocket-Key: ");
	unsigned char hash[SHA_DIGEST_LENGTH], base64[32];
	EXPECT(key);
	snprintf(text, sizeof(text), "%.24s258EAFA5-E914-47DA-95CA-C5AB0DC85B11", key + 19);
	SHA1((const unsigned char *)text, strlen(text), hash);
	EVP_EncodeBlock(base64, hash, sizeof(hash));
	snprintf(text, sizeof(text),
		 "HTTP/1.1 101 Fine\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
		 "Sec-WebSocket-Accept: %s\r\n%s\r\n",
		 base64, lines);
	return answer(cx, raw, text);
}

struct dialling {
	struct ends ends;
	enum qrt_err err;
	char detail[128];
	bool done;
};

static enum qrt_err dials(struct qrt_cx *cx, void *arg)
{
	struct dialling *dialling = arg;
	struct ends *ends = &dialling->ends;
	dialling->err = dial(cx, ends, "ws", &ends->client);
	snprintf(dialling->detail, sizeof(dialling->detail), "%s",
		 dialling->err ? qrt_detail(cx) : "");
	dialling->done = true;
	return QRT_OK;
}

/* A client of ours comes; its request is in @head. */
static enum qrt_err await_request(struct qrt_cx *cx, struct dialling *dialling, struct raw *raw,
				  char *head, size_t room)
{
	struct ends *ends = &dialling->ends;
	EXPECT(!listen_here(cx, ends));
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &ends->region));
	EXPECT(!qrt_spawn(ends->region, dials, dialling));
	EXPECT(!qrt_accept(cx, ends->listener, &raw->stream));
	return read_head(cx, raw, head, room);
}

static enum qrt_err until_dialled(struct qrt_cx *cx, struct dialling *dialling)
{
	while (!dialling->done) {
		EXPECT(!qrt_sleep(cx, QRT_MS));
	}
	return dialling->err;
}

static enum qrt_err open_raw_server(struct qrt_cx *cx, struct dialling *dialling, struct raw *raw)
{
	char head[4096];
	EXPECT(!await_request(cx, dialling, raw, head, sizeof(head)));
	EXPECT(!welcome(cx, raw, head, ""));
	return until_dialled(cx, dialling);
}

static enum qrt_err close_all(struct qrt_cx *cx, struct ends *ends, struct raw *raw)
{
	qrt_stream_close(cx, &raw->stream);
	return close_ends(cx, ends);
}

/* --- frames that break the protocol ---------------------------------------------------------- */

struct broken {
	const char *what;
	const char *bytes; /* of a server; a client's have a mask of zeros */
	size_t n;
	unsigned code;	   /* that the peer is told */
	enum qrt_err err;  /* that we are */
	unsigned our_code; /* in info */
};

#define FRAME(what, bytes, code, err)                                                              \
	{                                                                                          \
		what, bytes, sizeof(bytes) - 1, code, err, code                                    \
	}

static const struct broken broken[] = {
    FRAME("an opcode of no data", "\x83\x01x", 1002, QRT_EPROTO),
    FRAME("an opcode of no control", "\x8b\x01x", 1002, QRT_EPROTO),
    FRAME("a reserved bit", "\xc1\x01x", 1002, QRT_EPROTO),
    FRAME("another reserved bit", "\x91\x01x", 1002, QRT_EPROTO),
    FRAME("a ping in fragments", "\x09\x01x", 1002, QRT_EPROTO),
    FRAME("a close in fragments", "\x08\x02\x03\xe8", 1002, QRT_EPROTO),
    FRAME("a ping of 126 bytes", "\x89\x7e\0\x7ex", 1002, QRT_EPROTO),
    FRAME("a continuation of nothing", "\x80\x01x", 1002, QRT_EPROTO),
    FRAME("a message inside of a message", "\x01\x01x\x81\x01y", 1002, QRT_EPROTO),
    FRAME("a length beyond all bounds", "\x82\x7f\xff\0\0\0\0\0\0\0", 1002, QRT_EPROTO),
    FRAME("a close of one byte", "\x88\x01\x03", 1002, QRT_EPROTO),
    FRAME("a close with half a character", "\x88\x03\x03\xe8\xc3", 1007, QRT_EPROTO),
    FRAME("a text not in UTF-8", "\x81\x02\xc3(", 1007, QRT_EPROTO),
    FRAME("half a character", "\x81\x01\xc3", 1007, QRT_EPROTO),
    FRAME("a surrogate, split", "\x01\x01\xed\x80\x02\xa0\x80", 1007, QRT_EPROTO),
    FRAME("a close", "\x88\x02\x03\xe8", 1000, QRT_EEOF),
    FRAME("a close of the application", "\x88\x04\x13\x87go", 4999, QRT_EEOF),
    FRAME("a close without a code", "\x88\0", 1005, QRT_EEOF),
    /* The library tells no code that must not be sent from one it does not know. */
    FRAME("a close with a code that is never sent", "\x88\x02\x03\xed", 1002, QRT_EEOF),
    FRAME("a close with no code at all", "\x88\x02\0\x01", 1002, QRT_EEOF),
    FRAME("a close with a code it does not know", "\x88\x02\x03\xf4", 1002, QRT_EEOF),
};

/* Puts a mask of zeros into each frame of a server's: a client's with the same payload. */
static size_t mask(const char *bytes, size_t n, char *to)
{
	size_t out = 0;
	for (size_t at = 0; at < n;) {
		size_t length = bytes[at + 1] & 0x7f, head = 2;
		head += length == 126 ? 2 : length == 127 ? 8 : 0;
		memcpy(to + out, bytes + at, head);
		to[out + 1] |= (char)0x80;
		memset(to + out + head, 0, 4);
		out += head + 4;
		at += head;
		size_t payload = length < 126 ? length : n - at;
		memcpy(to + out, bytes + at, payload);
		out += payload;
		at += payload;
	}
	return out;
}

static enum qrt_err expect_broken(struct qrt_cx *cx, const struct broken *it, struct qrt_ws *ws,
				  struct raw *raw)
{
	struct qrt_ws_message message;
	enum qrt_err err = qrt_ws_recv(cx, ws, &message);
	unsigned code = read_close(cx, raw);
	struct qrt_ws_info info = info_of(cx, ws);
	if (err != it->err || code != it->code || info.code != it->our_code) {
		fprintf(stderr, "%s: %s, told %u, known %u: %s\n", it->what, qrt_err_name(err),
			code, info.code, qrt_detail(cx));
		return QRT_EFAILED;
	}
	EXPECT(qrt_ws_send_text(cx, ws, "x") == err); /* from then on */
	return QRT_OK;
}

static enum qrt_err play_broken_clients(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
		struct ends ends = {.port = 0};
		struct raw raw = {.n = 0};
		char bytes[64];
		size_t n = mask(broken[i].bytes, broken[i].n, bytes);
		EXPECT(!open_raw_client(cx, &ends, &raw));
		EXPECT(!qrt_write(cx, raw.stream, bytes, n));
		EXPECT(!expect_broken(cx, &broken[i], ends.server, &raw));
		EXPECT(!close_all(cx, &ends, &raw));
	}
	return QRT_OK;
}

static void a_client_that_breaks_the_protocol_is_told_how(void **state)
{
	(void)state;
	on_each_real_backend(play_broken_clients, NULL);
}

static enum qrt_err play_broken_servers(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
		struct dialling dialling = {.done = false};
		struct raw raw = {.n = 0};
		EXPECT(!open_raw_server(cx, &dialling, &raw));
		EXPECT(!qrt_write(cx, raw.stream, broken[i].bytes, broken[i].n));
		EXPECT(!expect_broken(cx, &broken[i], dialling.ends.client, &raw));
		EXPECT(!close_all(cx, &dialling.ends, &raw));
	}
	return QRT_OK;
}

static void a_server_that_breaks_the_protocol_is_told_how(void **state)
{
	(void)state;
	on_each_real_backend(play_broken_servers, NULL);
}

/* --- frames that do not ---------------------------------------------------------------------- */

static enum qrt_err play_fragments(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct ends ends = {.port = 0};
	struct raw raw = {.n = 0};
	struct qrt_ws_message message;
	char payload[126];
	int first;
	EXPECT(!open_raw_client(cx, &ends, &raw));
	/* A character in three pieces, pings in between, also an empty piece. */
	EXPECT(!write_frame(cx, &raw, true, 0x01, "gr\xc3", 3));
	EXPECT(!write_frame(cx, &raw, true, 0x89, "are you there?", 14));
	EXPECT(!write_frame(cx, &raw, true, 0x00, "", 0));
	EXPECT(!write_frame(cx, &raw, true, 0x80, "\xbcn", 2));
	EXPECT(!qrt_ws_recv(cx, ends.server, &message));
	EXPECT(is_message(&message, QRT_WS_TEXT, "gr\xc3\xbcn"));
	EXPECT(!read_frame(cx, &raw, &first, payload));
	EXPECT(first == 0x8a && strcmp(payload, "are you there?") == 0);
	/* Empty ones, of both kinds. */
	EXPECT(!write_frame(cx, &raw, true, 0x82, "", 0));
	EXPECT(!qrt_ws_recv(cx, ends.server, &message));
	EXPECT(is_message(&message, QRT_WS_BINARY, ""));
	EXPECT(!qrt_ws_send_text(cx, ends.server, ""));
	EXPECT(!read_frame(cx, &raw, &first, payload) && first == 0x81 && payload[0] == '\0');
	/* A pong that nobody asked for is heard, and no more. */
	EXPECT(!write_frame(cx, &raw, true, 0x8a, "x", 1));
	EXPECT(!write_frame(cx, &raw, true, 0x81, "last", 4));
	EXPECT(!qrt_ws_recv(cx, ends.server, &message) &&
	       is_message(&message, QRT_WS_TEXT, "last"));
	EXPECT(info_of(cx, ends.server).received == 3);
	return close_all(cx, &ends, &raw);
}

static void fragments_become_messages_and_pings_are_answered_at_once(void **state)
{
	(void)state;
	on_each_real_backend(play_fragments, NULL);
}

static enum qrt_err play_dropped(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct ends ends = {.port = 0};
	struct raw raw = {.n = 0};
	struct qrt_ws_message message;
	EXPECT(!open_raw_client(cx, &ends, &raw));
	EXPECT(!write_frame(cx, &raw, true, 0x81, "before", 6));
	qrt_stream_close(cx, &raw.stream);
	EXPECT(!qrt_ws_recv(cx, ends.server, &message) &&
	       is_message(&message, QRT_WS_TEXT, "before"));
	EXPECT(qrt_ws_recv(cx, ends.server, &message) == QRT_ECONNRESET);
	EXPECT(info_of(cx, ends.server).code == QRT_WS_DROPPED);
	return close_all(cx, &ends, &raw);
}

static void an_end_without_a_close_is_a_drop(void **state)
{
	(void)state;
	on_each_real_backend(play_dropped, NULL);
}

/* --- handshakes ------------------------------------------------------------------------------ */

struct request_case {
	const char *request;
	int status;
	const char *why;
};

#define UPGRADE "Upgrade: websocket\r\nConnection: Upgrade\r\n"
#define KEY "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
#define THIRTEEN "Sec-WebSocket-Version: 13\r\n"

static const struct request_case requests[] = {
    {"GET / HTTP/1.1\r\nHost: h\r\n\r\n", 426, "no upgrade"},
    {"POST / HTTP/1.1\r\nHost: h\r\n" UPGRADE KEY THIRTEEN "\r\n", 405, "the method"},
    {"GET / HTTP/1.0\r\nHost: h\r\n" UPGRADE KEY THIRTEEN "\r\n", 505, "the version of HTTP"},
    {"GET http://h/ HTTP/1.1\r\nHost: h\r\n" UPGRADE KEY THIRTEEN "\r\n", 400, "the path"},
    {"GET / HTTP/1.1\r\n" UPGRADE KEY THIRTEEN "\r\n", 400, "no Host"},
    {"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n" UPGRADE KEY THIRTEEN "\r\n", 400, "twice"},
    {"GET / HTTP/1.1\r\nHost: h\r\n" UPGRADE THIRTEEN "\r\n", 400, "the key"},
    {"GET / HTTP/1.1\r\nHost: h\r\n" UPGRADE THIRTEEN "Sec-WebSocket-Key: short\r\n\r\n", 400,
     "key"},
    {"GET / HTTP/1.1\r\nHost: h\r\n" UPGRADE KEY "Sec-WebSocket-Version: 8\r\n\r\n", 426,
     "version"},
    {REQUEST("Content-Length: 3\r\n"), 400, "a body"},
    {REQUEST("Transfer-Encoding: chunked\r\n"), 400, "a body"},
    {REQUEST("X : y\r\n"), 400, "the name of a header"},
    {REQUEST(" folded\r\n"), 400, "no header"},
    {REQUEST("X\r\n"), 400, "no header"},
    {REQUEST("X: a\nY: b\r\n"), 400, "no header"},
    {REQUEST("Sec-WebSocket-Protocol: a, ,b\r\n"), 400, "the subprotocols"},
    {REQUEST("") "\x81\x80zzzz", 400, "more than the request"},
    {"\x16\x03\x01\r\n\r\n", 400, "the request line"},
};

static enum qrt_err play_refused_requests(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
		const struct request_case *it = &requests[i];
		struct ends ends = {.port = 0};
		struct raw raw = {.n = 0};
		char head[1024], want[32];
		EXPECT(!hello(cx, &ends, &raw, it->request));
		EXPECT(!read_head(cx, &raw, head, sizeof(head)));
		snprintf(want, sizeof(want), "HTTP/1.1 %d ", it->status);
		EXPECT(until_accepted(cx, &ends) == QRT_EPROTO);
		if (strncmp(head, want, 13) != 0 || !strstr(ends.detail, it->why)) {
			fprintf(stderr, "%s: %s: %s\n", it->request, head, ends.detail);
			return QRT_EFAILED;
		}
		EXPECT(!strstr(head, "426") || strstr(head, "Sec-WebSocket-Version: 13\r\n"));
		EXPECT(read_close(cx, &raw) == NO_CLOSE); /* and that was all */
		EXPECT(!close_all(cx, &ends, &raw));
	}
	return QRT_OK;
}

static void what_is_no_request_for_a_websocket_gets_a_status(void **state)
{
	(void)state;
	on_each_real_backend(play_refused_requests, NULL);
}

static enum qrt_err play_endless_request(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct ends ends = {.port = 0};
	struct raw raw = {.n = 0};
	char line[1024];
	memset(line, 'x', sizeof(line));
	EXPECT(!hello(cx, &ends, &raw, "GET / HTTP/1.1\r\nX: "));
	enum qrt_err err = QRT_OK;
	for (int i = 0; i < 1024 && !err && !ends.accepted; i++) {
		err = qrt_write(cx, raw.stream, line, sizeof(line));
	}
	EXPECT(until_accepted(cx, &ends) == QRT_EPROTO && strstr(ends.detail, "too long"));
	return close_all(cx, &ends, &raw);
}

static void a_request_without_an_end_is_cut(void **state)
{
	(void)state;
	on_each_real_backend(play_endless_request, NULL);
}

static enum qrt_err play_split_request(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	static const char request[] = REQUEST("X-Own: y\r\n");
	struct ends ends = {.port = 0};
	struct raw raw = {.n = 0};
	char head[1024];
	EXPECT(!hello(cx, &ends, &raw, ""));
	for (size_t i = 0; i + 1 < sizeof(request); i++) {
		EXPECT(!qrt_write(cx, raw.stream, request + i, 1));
		EXPECT(i % 8 || !qrt_sleep(cx, QRT_MS / 10));
	}
	EXPECT(!read_head(cx, &raw, head, sizeof(head)));
	EXPECT(strncmp(head, "HTTP/1.1 101 ", 13) == 0);
	EXPECT(!until_accepted(cx, &ends));
	return close_all(cx, &ends, &raw);
}

static void a_request_may_come_byte_by_byte(void **state)
{
	(void)state;
	on_each_real_backend(play_split_request, NULL);
}

struct answer_case {
	const char *answer; /* NULL: the right key, and lines more */
	const char *lines;
	enum qrt_err err;
	const char *why;
};

static const struct answer_case answers[] = {
    {"HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n", NULL, QRT_ECONNREFUSED, "HTTP status 401"},
    {"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n", NULL, QRT_ECONNREFUSED, "HTTP status 503"},
    {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", NULL, QRT_ECONNREFUSED, "HTTP status 200"},
    {"HTTP/1.1 302 Go\r\nLocation: ws://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n", NULL,
     QRT_ECONNREFUSED, "HTTP status 302"},
    {"HTTP/1.1 101 Fine\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
     "Sec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\n\r\n",
     NULL, QRT_EPROTO, "Accept"},
    {"HTTP/1.1 101 Fine\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n", NULL, QRT_EPROTO,
     "ACCEPT"},
    {NULL, "Sec-WebSocket-Protocol: unasked\r\n", QRT_EPROTO, "PROTOCOL"},
    {NULL, "Sec-WebSocket-Extensions: permessage-deflate\r\n", QRT_EPROTO, "EXT"},
    {"", NULL, QRT_ECONNRESET, ""}, /* and closes */
};

static enum qrt_err play_answers(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
		const struct answer_case *it = &answers[i];
		struct dialling dialling = {.done = false};
		struct raw raw = {.n = 0};
		char head[4096];
		EXPECT(!await_request(cx, &dialling, &raw, head, sizeof(head)));
		EXPECT(strncmp(head, "GET /chat?x=1 HTTP/1.1\r\n", 24) == 0);
		EXPECT(!(it->answer ? answer(cx, &raw, it->answer)
				    : welcome(cx, &raw, head, it->lines)));
		if (it->answer && !*it->answer) {
			qrt_stream_close(cx, &raw.stream);
		}
		enum qrt_err err = until_dialled(cx, &dialling);
		if (err != it->err || !strstr(dialling.detail, it->why)) {
			fprintf(stderr, "%s%s: %s %s\n", it->answer ? it->answer : "",
				it->lines ? it->lines : "", qrt_err_name(err), dialling.detail);
			return QRT_EFAILED;
		}
		EXPECT(!close_all(cx, &dialling.ends, &raw));
	}
	return QRT_OK;
}

static void what_is_no_answer_to_a_request_is_an_error_that_says_so(void **state)
{
	(void)state;
	on_each_real_backend(play_answers, NULL);
}

/* --- who says nothing ------------------------------------------------------------------------ */

static enum qrt_err play_silence(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	const struct qrt_ws_connect_options connect = {.limits = {.handshake_ns = 20 * QRT_MS,
								  .ping_ns = 20 * QRT_MS,
								  .pong_ns = 20 * QRT_MS,
								  .close_ns = 20 * QRT_MS}};
	struct dialling dialling = {.ends.connect = &connect};
	struct raw raw = {.n = 0};
	struct qrt_ws_message message;
	char head[4096], payload[126];
	int first;
	EXPECT(!await_request(cx, &dialling, &raw, head, sizeof(head)));
	EXPECT(until_dialled(cx, &dialling) == QRT_EPEER); /* no answer */
	EXPECT(strstr(dialling.detail, "no answer to the handshake"));
	EXPECT(!close_all(cx, &dialling.ends, &raw));

	dialling = (struct dialling){.ends.connect = &connect};
	EXPECT(!open_raw_server(cx, &dialling, &raw));
	EXPECT(!read_frame(cx, &raw, &first, payload) && first == 0x89); /* a ping */
	EXPECT(!write_frame(cx, &raw, false, 0x8a, payload, strlen(payload)));
	EXPECT(!read_frame(cx, &raw, &first, payload) && first == 0x89); /* and another */
	EXPECT(qrt_ws_recv(cx, dialling.ends.client, &message) == QRT_EPEER);
	EXPECT(info_of(cx, dialling.ends.client).pongs == 1);
	EXPECT(info_of(cx, dialling.ends.client).rtt_ns > 0);
	EXPECT(read_close(cx, &raw) == NO_CLOSE);
	EXPECT(!close_all(cx, &dialling.ends, &raw));

	dialling = (struct dialling){.ends.connect = &connect};
	EXPECT(!open_raw_server(cx, &dialling, &raw));
	EXPECT(qrt_ws_shutdown(cx, dialling.ends.client, 3000, "bye") == QRT_EPEER);
	EXPECT(read_close(cx, &raw) == 3000);
	return close_all(cx, &dialling.ends, &raw);
}

static void a_silent_peer_is_given_up(void **state)
{
	(void)state;
	on_each_real_backend(play_silence, NULL);
}

#define TEST(name) cmocka_unit_test(name)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(a_client_that_breaks_the_protocol_is_told_how),
	    TEST(a_server_that_breaks_the_protocol_is_told_how),
	    TEST(fragments_become_messages_and_pings_are_answered_at_once),
	    TEST(an_end_without_a_close_is_a_drop),
	    TEST(what_is_no_request_for_a_websocket_gets_a_status),
	    TEST(a_request_without_an_end_is_cut),
	    TEST(a_request_may_come_byte_by_byte),
	    TEST(what_is_no_answer_to_a_request_is_an_error_that_says_so),
	    TEST(a_silent_peer_is_given_up),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
