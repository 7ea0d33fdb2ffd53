/*
 * Redirects of the HTTP client, off unless asked for: what is sent where, and where it stops; on
 * each backend. Then the client against our own server, whoever serves there.
 */
#include <qrt/http.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/backends.h"
#include "tests/lib/stage.h"
#include "tests/lib/test.h"

#define HEAD_END "\r\n\r\n"
#define YES "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nyes"
#define TO(status, where)                                                                          \
	"HTTP/1.1 " status "\r\nLocation: " where "\r\nContent-Length: 4\r\n\r\nmove"

static const struct qrt_http_header headers[] = {{"Authorization", "Bearer x"},
						 {"Content-Type", "text/plain"},
						 {"Cookie", "a=b"},
						 {"X-Other", "c"}};

struct row {
	const char *name, *method, *body, *first; /* what the first answer is */
	unsigned max;
	/* What comes of it: an error with a detail, or what the second request begins with. */
	enum qrt_err err;
	const char *detail, *second, *second_end;
	int status;
};

#define FOLLOWED .status = 200
#define NOT_FOLLOWED(n) .status = (n)
#define REFUSED(e, d) .err = (e), .detail = (d)
static const struct row rows[] = {
    {"off", "GET", NULL, TO("302 Found", "/b"), 0, NOT_FOLLOWED(302)},
    {"302", "GET", NULL, TO("302 Found", "/b?c"), 3, .second = "GET /b?c HTTP/1.1\r\n", FOLLOWED},
    {"relative", "GET", NULL, TO("301 Moved", "../x"), 3, .second = "GET /x HTTP/1.1\r\n",
     FOLLOWED},
    {"HEAD stays", "HEAD", NULL, "HTTP/1.1 303 See\r\nLocation: /b\r\n\r\n", 3,
     .second = "HEAD /b HTTP/1.1\r\n", FOLLOWED},
    {"303 after POST", "POST", "body", TO("303 See Other", "/b"), 3,
     .second = "GET /b HTTP/1.1\r\n", FOLLOWED},
    {"303 after DELETE", "DELETE", NULL, TO("303 See Other", "/b"), 3,
     .second = "GET /b HTTP/1.1\r\n", FOLLOWED},
    {"302 after POST", "POST", "body", TO("302 Found", "/b"), 3, .second = "GET /b HTTP/1.1\r\n",
     FOLLOWED},
    {"302 after PUT", "PUT", "body", TO("302 Found", "/b"), 3, .second = "PUT /b HTTP/1.1\r\n",
     .second_end = "body", FOLLOWED},
    {"307 after POST", "POST", "body", TO("307 Temporary", "/b"), 3,
     .second = "POST /b HTTP/1.1\r\n", .second_end = "body", FOLLOWED},
    {"308 after POST", "POST", "body", TO("308 Permanent", "/b"), 3,
     .second = "POST /b HTTP/1.1\r\n", .second_end = "body", FOLLOWED},
    {"300", "GET", NULL, TO("300 Choices", "/b"), 3, NOT_FOLLOWED(300)},
    {"304", "GET", NULL, "HTTP/1.1 304 Not Modified\r\nLocation: /b\r\n\r\n", 3, NOT_FOLLOWED(304)},
    {"no Location", "GET", NULL, "HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n", 3,
     NOT_FOLLOWED(302)},
    {"another scheme", "GET", NULL, TO("302 Found", "ftp://x/"), 3,
     REFUSED(QRT_EPROTO,
	     "a redirect: http url, byte 1: it does not begin with http:// or https://")},
    {"a split", "GET", NULL, TO("302 Found", "/a b"), 3,
     REFUSED(QRT_EPROTO, "a byte that must be percent-encoded")},
    {"a user", "GET", NULL, TO("302 Found", "http://127.0.0.1@evil.test/"), 3,
     REFUSED(QRT_EPROTO, "a user has no place here")},
    {"https without TLS", "GET", NULL, TO("302 Found", "https://127.0.0.1/"), 3,
     REFUSED(QRT_ENOTSUP, "https: the client has no TLS")},
};

static bool begins_with(const char *text, const char *start)
{
	return strncmp(text, start, strlen(start)) == 0;
}

static enum qrt_err check(const struct row *row, struct stage *stage, enum qrt_err err, int status)
{
	const char *heard = stage->peer.heard[0];
	const char *end = row->body ? "body" : HEAD_END;
	const char *second = strstr(heard, end) + strlen(end);
	bool moved = row->second || row->err == QRT_ENOTSUP; /* which shows only there */
	bool fits = err == row->err && status == row->status &&
		    (!row->detail || ends_with(qrt_detail(stage->cx), row->detail)) &&
		    begins_with(second, row->second ? row->second : "") &&
		    stage->report.redirects == moved;
	if (!fits) {
		fprintf(stderr, "%s: %s \"%s\" status %d, heard %s\n", row->name, qrt_err_name(err),
			qrt_detail(stage->cx), status, heard);
		return QRT_EFAILED;
	}
	if (row->second) {
		/* The same origin: all it was given, but not what belongs to a body that is gone.
		 */
		EXPECT(strstr(second, "\r\nAuthorization: Bearer x\r\n"));
		EXPECT(strstr(second, "\r\nCookie: a=b\r\n") &&
		       strstr(second, "\r\nX-Other: c\r\n"));
		bool kept = !row->body || row->second_end;
		EXPECT(!strstr(second, "\r\nContent-Type: ") == !kept);
		EXPECT(ends_with(second, row->second_end ? row->second_end : HEAD_END));
		EXPECT(stage->peer.accepted == 1 && stage->report.reused);
	}
	return QRT_OK;
}

static enum qrt_err play_row(struct qrt_cx *cx, const struct row *row)
{
	const struct peer_script script = {
	    {{row->body ? "body" : HEAD_END, row->first, PEER_GO_ON},
	     {row->second_end ? row->second_end : HEAD_END,
	      strcmp(row->method, "HEAD") == 0 ? "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n"
					       : YES,
	      PEER_GO_ON}}};
	static struct stage stage;
	struct qrt_http_call *call = NULL;
	struct qrt_http_answer answer = {.status = 0};
	EXPECT(!stage_open(cx, &script, 1, NULL, &stage));
	const struct qrt_http_ask ask = {.method = row->method,
					 .url = stage.url,
					 .headers = headers,
					 .n_headers = 4,
					 .body = row->body,
					 .body_len = row->body ? 4 : 0,
					 .redirects_max = row->max,
					 .report = &stage.report};
	enum qrt_err err = qrt_http_fetch(stage.cx, stage.client, &ask, &call, &answer);
	EXPECT(!check(row, &stage, err, answer.status));
	qrt_http_call_end(stage.cx, &call);
	EXPECT(stage_stats(&stage).calls == 0 && stage_stats(&stage).opened == 1);
	return stage_close(cx, &stage);
}

static enum qrt_err play_rows(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	enum qrt_err err = QRT_OK;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]) && !err; i++) {
		err = play_row(cx, &rows[i]);
	}
	return err;
}

static void redirects_lead_where_they_should(void **state)
{
	(void)state;
	on_each_backend(play_rows, NULL);
}

/* --- another origin -------------------------------------------------------------------------- */

static enum qrt_err play_strange(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	static struct stage stage;
	static struct peer other;
	char there[160], back[160];
	struct peer_script scripts[1] = {
	    {{{HEAD_END, there, PEER_GO_ON}, {HEAD_END, YES, PEER_GO_ON}}}};
	struct peer_script others[1] = {
	    {{{HEAD_END, TO("307 More", "/more"), PEER_GO_ON}, {HEAD_END, back, PEER_GO_ON}}}};
	struct qrt_http_call *call;
	struct qrt_http_answer answer;
	EXPECT(!stage_open(cx, scripts, 1, NULL, &stage));
	EXPECT(!peer_open(cx, stage.region, others, 1, &other));
	snprintf(there, sizeof(there), TO("307 There", "http://127.0.0.1:%u/there"), other.port);
	snprintf(back, sizeof(back), TO("307 Back", "http://127.0.0.1:%u/back"), stage.peer.port);
	const struct qrt_http_ask ask = {.url = stage.url,
					 .headers = headers,
					 .n_headers = 4,
					 .redirects_max = 3,
					 .report = &stage.report};
	EXPECT(!qrt_http_fetch(stage.cx, stage.client, &ask, &call, &answer));
	EXPECT(answer.status == 200 && stage.report.redirects == 3);
	qrt_http_call_end(stage.cx, &call);
	EXPECT(begins_with(other.heard[0], "GET /there HTTP/1.1\r\n"));
	EXPECT(strstr(other.heard[0], "\r\nX-Other: c\r\n"));
	EXPECT(strstr(other.heard[0], "GET /more HTTP/1.1\r\n"));
	EXPECT(!strstr(other.heard[0], "Authorization") && !strstr(other.heard[0], "Cookie"));
	/* Once they have been dropped they do not come back: who sent us may have chosen where. */
	const char *second = strstr(stage.peer.heard[0], "GET /back");
	EXPECT(second && !strstr(second, "Authorization") && !strstr(second, "Cookie"));
	EXPECT(strstr(stage.peer.heard[0], "\r\nAuthorization: Bearer x\r\n") < second);
	peer_close(cx, &other);
	return stage_close(cx, &stage);
}

static void another_origin_gets_no_credentials(void **state)
{
	(void)state;
	on_each_backend(play_strange, NULL);
}

static enum qrt_err play_circle(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	static struct stage stage;
	struct peer_script script = {{{HEAD_END, TO("302 Found", "/a"), PEER_GO_ON},
				      {HEAD_END, TO("302 Found", "/a"), PEER_GO_ON},
				      {HEAD_END, TO("302 Found", "/a"), PEER_GO_ON},
				      {HEAD_END, TO("302 Found", "/a"), PEER_GO_ON}}};
	struct qrt_http_call *call;
	struct qrt_http_answer answer;
	EXPECT(!stage_open(cx, &script, 1, NULL, &stage));
	const struct qrt_http_ask ask = {
	    .url = stage.url, .redirects_max = 3, .report = &stage.report};
	EXPECT(qrt_http_fetch(stage.cx, stage.client, &ask, &call, &answer) == QRT_ELIMIT);
	EXPECT(ends_with(qrt_detail(stage.cx), "more than 3 redirects"));
	EXPECT(stage.report.redirects == 3 && stage.peer.accepted == 1);
	return stage_close(cx, &stage);
}

static void a_circle_comes_to_an_end(void **state)
{
	(void)state;
	on_each_backend(play_circle, NULL);
}

/* --- our own server --------------------------------------------------------------------------- */

static enum qrt_err handle(struct qrt_cx *cx, struct qrt_http_request *req,
			   struct qrt_http_response *resp)
{
	size_t n;
	const char *body = qrt_http_body(req, &n);
	const char *token = qrt_http_header(req, "Authorization");
	(void)cx;
	enum qrt_err err = qrt_http_set_header(resp, "X-Method", qrt_http_method(req));
	if (!err && strcmp(qrt_http_path(req), "/busy") == 0) {
		qrt_http_set_status(resp, 429);
		err = qrt_http_set_header(resp, "Retry-After", "7");
	}
	if (!err && token) {
		err = qrt_http_set_header(resp, "X-Token", token);
	}
	return err ? err : qrt_http_set_body(resp, body, n);
}

struct served {
	struct qrt_http_client *client;
	uint16_t port;
};

static enum qrt_err ask_served(struct qrt_cx *cx, const struct served *served, const char *method,
			       const char *path, size_t n)
{
	char url[64];
	char *body = malloc(n + 1);
	struct qrt_http_call *call;
	struct qrt_http_answer answer;
	const struct qrt_http_header bearer = {"Authorization", "Bearer xoxb"};
	snprintf(url, sizeof(url), "http://127.0.0.1:%u%s", served->port, path);
	EXPECT(body);
	for (size_t i = 0; i < n; i++) {
		body[i] = (char)('a' + i % 26);
	}
	const struct qrt_http_ask ask = {.method = method,
					 .url = url,
					 .headers = &bearer,
					 .n_headers = 1,
					 .body = n ? body : NULL,
					 .body_len = n};
	enum qrt_err err = qrt_http_fetch(cx, served->client, &ask, &call, &answer);
	bool head = strcmp(method, "HEAD") == 0;
	bool busy = strcmp(path, "/busy") == 0;
	bool fits = !err && answer.status == (busy ? 429 : 200) &&
		    answer.body_len == (head ? 0 : n) &&
		    memcmp(answer.body, body, answer.body_len) == 0 &&
		    strcmp(qrt_http_answer_header(&answer, "x-method"), method) == 0 &&
		    strcmp(qrt_http_answer_header(&answer, "x-token"), "Bearer xoxb") == 0;
	free(body);
	if (!fits) {
		fprintf(stderr, "%s %s: %s %s\n", method, url, qrt_err_name(err), qrt_detail(cx));
		return QRT_EFAILED;
	}
	int64_t secs = 0;
	EXPECT(qrt_http_retry_after(&answer, 0, &secs) == (busy ? QRT_OK : QRT_ENOENT));
	EXPECT(secs == (busy ? 7 : 0));
	qrt_http_call_end(cx, &call);
	return QRT_OK;
}

static enum qrt_err many(struct qrt_cx *cx, void *arg)
{
	enum qrt_err err = QRT_OK;
	for (int i = 0; i < 10 && !err; i++) {
		err = ask_served(cx, arg, "POST", "/echo", (size_t)i * 1000);
	}
	return err;
}

static enum qrt_err play_served(struct qrt_cx *cx, void *arg)
{
	enum { TASKS = 20, LIMIT = 4 };
	static const struct qrt_http_server_options opts = {.handler = handle};
	static const struct qrt_http_client_options limits = {.connections_per_origin = LIMIT};
	struct qrt_http_server *server;
	struct qrt_http_client_stats stats;
	struct qrt_http_stats seen;
	struct qrt_region *home, *region;
	struct served served;
	int fd;
	(void)arg;
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &home));
	struct qrt_cx *at = qrt_region_cx(home);
	EXPECT(!qrt_socket_listen(cx, "127.0.0.1", 0, &fd, &served.port));
	EXPECT(!qrt_http_server_open(at, home, fd, &opts, &server));
	EXPECT(!qrt_http_server_resume(at, server));
	EXPECT(!qrt_http_client_open(at, &limits, &served.client));
	static const char *const methods[] = {"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"};
	for (size_t i = 0; i < 6; i++) {
		EXPECT(!ask_served(at, &served, methods[i], "/echo?x=y", i >= 1 && i <= 3 ? 3 : 0));
	}
	EXPECT(!ask_served(at, &served, "POST", "/busy", 100));
	EXPECT(!ask_served(at, &served, "POST", "/echo", 1 << 20));
	EXPECT(!qrt_region_open(at, QRT_FAIL_FAST, &region));
	for (int i = 0; i < TASKS; i++) {
		EXPECT(!qrt_spawn(region, many, &served));
	}
	EXPECT(!qrt_region_close(at, &region, QRT_OK));
	EXPECT(!qrt_http_client_stats(at, served.client, &stats));
	qrt_http_server_stats(server, &seen);
	EXPECT(stats.opened <= LIMIT && stats.opened >= 1 && stats.connections <= LIMIT);
	EXPECT(stats.opened + stats.reused == 8 + TASKS * 10 && stats.resent == 0);
	EXPECT(seen.connections == stats.opened && seen.requests == 8 + TASKS * 10);
	EXPECT(!qrt_http_client_drain(at, served.client));
	qrt_http_client_close(at, &served.client);
	qrt_http_server_close(at, &server);
	return qrt_region_close(cx, &home, QRT_OK);
}

static void it_speaks_with_our_own_server(void **state)
{
	(void)state;
	on_each_backend(play_served, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(redirects_lead_where_they_should),
	    cmocka_unit_test(another_origin_gets_no_credentials),
	    cmocka_unit_test(a_circle_comes_to_an_end),
	    cmocka_unit_test(it_speaks_with_our_own_server),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
