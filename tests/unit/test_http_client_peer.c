/*
 * The HTTP client against a peer that says what it is told: what is sent, byte by byte, and every
 * way an answer can end; on each backend.
 */
#include <qrt/http_client.h>
#include <qrt/lab.h>
#include <stdio.h>
#include <string.h>

#include "tests/lib/backends.h"
#include "tests/lib/peer.h"
#include "tests/lib/stage.h"
#include "tests/lib/test.h"

#define HEAD_END "\r\n\r\n"

/* --- what is sent --------------------------------------------------------------------------- */

struct sent_row {
	const char *name;
	struct qrt_http_ask ask;
	const char *until; /* how the request ends */
	const char *sent;  /* with PORT for the port */
};

static const struct qrt_http_header two_headers[] = {{"Authorization", "Bearer xoxb-1"},
						     {"X-Empty", ""}};
static const struct qrt_http_header own_encoding[] = {{"accept-encoding", "br"}};

#define TAIL "Accept-Encoding: identity\r\n"
#define HOST "Host: 127.0.0.1:PORT\r\n"
static const struct sent_row sent_rows[] = {
    {"GET", {0}, HEAD_END, "GET /a?b=c HTTP/1.1\r\n" HOST TAIL "\r\n"},
    {"HEAD", {.method = "HEAD"}, HEAD_END, "HEAD /a?b=c HTTP/1.1\r\n" HOST TAIL "\r\n"},
    {"headers",
     {.headers = two_headers, .n_headers = 2},
     HEAD_END,
     "GET /a?b=c HTTP/1.1\r\n" HOST "Authorization: Bearer xoxb-1\r\nX-Empty: \r\n" TAIL "\r\n"},
    {"an encoding of its own",
     {.headers = own_encoding, .n_headers = 1},
     HEAD_END,
     "GET /a?b=c HTTP/1.1\r\n" HOST "accept-encoding: br\r\n\r\n"},
    {"POST with a body",
     {.method = "POST", .body = "{\"a\":1}", .body_len = 7},
     "{\"a\":1}",
     "POST /a?b=c HTTP/1.1\r\n" HOST TAIL "Content-Length: 7\r\n\r\n{\"a\":1}"},
    {"POST with an empty body",
     {.method = "POST", .body = ""},
     HEAD_END,
     "POST /a?b=c HTTP/1.1\r\n" HOST TAIL "Content-Length: 0\r\n\r\n"},
    {"POST without a body",
     {.method = "POST"},
     HEAD_END,
     "POST /a?b=c HTTP/1.1\r\n" HOST TAIL "Content-Length: 0\r\n\r\n"},
    {"DELETE", {.method = "DELETE"}, HEAD_END, "DELETE /a?b=c HTTP/1.1\r\n" HOST TAIL "\r\n"},
};

static enum qrt_err play_sent(struct qrt_cx *cx, const struct sent_row *row)
{
	const struct peer_script script = {
	    {{row->until, "HTTP/1.1 204 No Content" HEAD_END, PEER_GO_ON}}};
	struct stage stage;
	struct qrt_http_call *call;
	struct qrt_http_answer answer;
	char expected[512], port[8];
	EXPECT(!stage_open(cx, &script, 1, NULL, &stage));
	struct qrt_http_ask ask = row->ask;
	ask.url = stage.url;
	ask.report = &stage.report;
	EXPECT(!qrt_http_fetch(stage.cx, stage.client, &ask, &call, &answer));
	EXPECT(answer.status == 204 && answer.body_len == 0 && answer.body[0] == '\0');
	EXPECT(stage.report.phase == QRT_HTTP_DONE && stage.report.sent && stage.report.answered);
	const char *at = strstr(row->sent, "PORT");
	snprintf(port, sizeof(port), "%u", stage.peer.port);
	snprintf(expected, sizeof(expected), "%.*s%s%s", (int)(at - row->sent), row->sent, port,
		 at + 4);
	if (strcmp(stage.peer.heard[0], expected) != 0) {
		fprintf(stderr, "%s: heard %s\n", row->name, stage.peer.heard[0]);
		return QRT_EFAILED;
	}
	qrt_http_call_end(cx, &call);
	return stage_close(cx, &stage);
}

static enum qrt_err play_all_sent(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	enum qrt_err err = QRT_OK;
	for (size_t i = 0; i < sizeof(sent_rows) / sizeof(sent_rows[0]) && !err; i++) {
		err = play_sent(cx, &sent_rows[i]);
	}
	return err;
}

static void what_is_sent_is_known_to_the_byte(void **state)
{
	(void)state;
	on_each_backend(play_all_sent, NULL);
}

/* --- how an answer ends ---------------------------------------------------------------------- */

#define OK "HTTP/1.1 200 OK\r\n"

struct end_row {
	const char *name, *say;
	enum peer_act act;
	enum qrt_err err;
	const char *detail; /* its end */
	const char *body;
	bool kept; /* the connection serves a second call */
	bool head; /* it answers HEAD */
};

static const struct end_row end_rows[] = {
    {"by length", OK "Content-Length: 2\r\n\r\nok", PEER_GO_ON, .body = "ok", .kept = true},
    {"by chunks", OK "Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", PEER_GO_ON,
     .body = "ok", .kept = true},
    {"by its end", OK "\r\nok", PEER_CLOSE, .body = "ok"},
    {"by length, asked to close", OK "Connection: close\r\nContent-Length: 2\r\n\r\nok", PEER_HOLD,
     .body = "ok"},
    {"with more behind", OK "Content-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\n", PEER_HOLD,
     .body = "ok"},
    {"100 and 103 first",
     "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\n" OK
     "Content-Length: 2\r\n\r\nok",
     PEER_GO_ON, .body = "ok", .kept = true},
    {"HEAD", OK "Content-Length: 200\r\n\r\n", PEER_GO_ON, .body = "", .kept = true, .head = true},
    {"304", "HTTP/1.1 304 Not Modified\r\nContent-Length: 200\r\n\r\n", PEER_GO_ON, .body = "",
     .kept = true},
    {"no answer", NULL, PEER_CLOSE, .err = QRT_ECONNRESET,
     .detail = "the answer: it ended without an answer"},
    {"half a head", OK, PEER_CLOSE, .err = QRT_ECONNRESET,
     .detail = "the answer: it ended within the head of its answer"},
    {"half a length", OK "Content-Length: 9\r\n\r\nok", PEER_CLOSE, .err = QRT_ECONNRESET,
     .detail = "the answer: it ended before its answer was complete"},
    {"half a chunk", OK "Transfer-Encoding: chunked\r\n\r\n9\r\nok", PEER_CLOSE,
     .err = QRT_ECONNRESET, .detail = "the answer: it ended before its answer was complete"},
    {"no HTTP", "SSH-2.0-x\r\n\r\n", PEER_HOLD, .err = QRT_EPROTO,
     .detail = "the answer: a malformed status line"},
    {"two lengths", OK "Content-Length: 2\r\nContent-Length: 3\r\n\r\n", PEER_HOLD,
     .err = QRT_EPROTO, .detail = "the answer: two lengths"},
    {"a bad chunk", OK "Transfer-Encoding: chunked\r\n\r\nzz\r\n", PEER_HOLD, .err = QRT_EPROTO,
     .detail = "the answer: a malformed chunk size"},
    {"too long, and says so", OK "Content-Length: 65\r\n\r\n", PEER_HOLD, .err = QRT_ELIMIT,
     .detail = "the answer: a body of more than 64 bytes"},
    {"too long, in chunks",
     OK "Transfer-Encoding: chunked\r\n\r\n"
	"41\r\n01234567890123456789012345678901234567890123456789012345678901234",
     PEER_HOLD, .err = QRT_ELIMIT, .detail = "the answer: a body of more than 64 bytes"},
    {"as long as it may be",
     OK
     "Content-Length: 64\r\n\r\n0123456789012345678901234567890123456789012345678901234567890123",
     PEER_GO_ON, .body = "0123456789012345678901234567890123456789012345678901234567890123",
     .kept = true},
};

static enum qrt_err check_end(struct stage *stage, const struct end_row *row)
{
	struct qrt_http_call *call = NULL;
	struct qrt_http_answer answer;
	struct qrt_http_client_stats stats;
	char start[64];
	const struct qrt_http_ask ask = {
	    .method = row->head ? "HEAD" : "GET", .url = stage->url, .report = &stage->report};
	enum qrt_err err = qrt_http_fetch(stage->cx, stage->client, &ask, &call, &answer);
	if (err != row->err) {
		fprintf(stderr, "%s: %s %s\n", row->name, qrt_err_name(err), qrt_detail(stage->cx));
		return QRT_EFAILED;
	}
	EXPECT(!qrt_http_client_stats(stage->cx, stage->client, &stats));
	EXPECT(stats.calls == 0 && stats.waiting == 0 && stats.opened == 1);
	EXPECT(stats.connections == (row->kept ? 1 : 0) && stats.idle == stats.connections);
	EXPECT(stage->report.sent);
	if (err) {
		snprintf(start, sizeof(start), "GET http://127.0.0.1:%u: ", stage->peer.port);
		EXPECT(!call && strncmp(qrt_detail(stage->cx), start, strlen(start)) == 0);
		EXPECT(ends_with(qrt_detail(stage->cx), row->detail));
		EXPECT(stage->report.answered == (row->say != NULL));
		return QRT_OK;
	}
	EXPECT(answer.body_len == strlen(row->body) && strcmp(answer.body, row->body) == 0);
	qrt_http_call_end(stage->cx, &call);
	return QRT_OK;
}

/* A second call shows whether the connection was kept. */
static enum qrt_err check_next(struct stage *stage, const struct end_row *row)
{
	struct qrt_http_call *call;
	struct qrt_http_answer answer;
	EXPECT(!stage_get(stage, &call, &answer));
	EXPECT(stage->report.reused == row->kept && !stage->report.resent);
	EXPECT(answer.status == 200 && strcmp(answer.body, "again") == 0);
	EXPECT(stage->peer.accepted == (row->kept ? 1 : 2));
	qrt_http_call_end(stage->cx, &call);
	return QRT_OK;
}

static enum qrt_err play_ends(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	static const struct qrt_http_client_options opts = {.body_max = 64};
	static const char again[] = OK "Content-Length: 5\r\n\r\nagain";
	for (size_t i = 0; i < sizeof(end_rows) / sizeof(end_rows[0]); i++) {
		const struct end_row *row = &end_rows[i];
		const struct peer_script scripts[2] = {
		    {{{HEAD_END, row->say, row->act}, {HEAD_END, again, PEER_GO_ON}}},
		    {{{HEAD_END, again, PEER_GO_ON}}},
		};
		struct stage stage;
		EXPECT(!stage_open(cx, scripts, 2, &opts, &stage));
		EXPECT(!check_end(&stage, row));
		EXPECT(!check_next(&stage, row));
		EXPECT(!stage_close(cx, &stage));
	}
	return QRT_OK;
}

static void every_end_of_an_answer_is_told_apart(void **state)
{
	(void)state;
	on_each_backend(play_ends, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_is_sent_is_known_to_the_byte),
	    cmocka_unit_test(every_end_of_an_answer_is_told_apart),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
