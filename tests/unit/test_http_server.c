/*
 * The HTTP server, on every backend of the build: what is asked and what is answered. The client is
 * a task of the same runtime and speaks through a stream. What a server of a loop's own answers
 * otherwise is said where it is.
 */
#include "tests/lib/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/http_site.h"

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define BIG_BODY (200u * 1024)

/* --- handlers ------------------------------------------------------------------------------ */

/* Says back what it was asked. */
static enum qrt_err echo(struct qrt_cx *cx, struct qrt_http_request *req,
			 struct qrt_http_response *resp)
{
	const char *x = qrt_http_query(req, "x");
	const char *header = qrt_http_header(req, "x-test");
	enum qrt_err err;
	size_t n;
	const char *body = qrt_http_body(req, &n);

	(void)cx;
	qrt_http_set_status(resp, 201);
	err = qrt_http_set_header(resp, "X-Path", qrt_http_path(req));
	err = err ? err : qrt_http_set_header(resp, "X-Id", qrt_http_param(req, "id"));
	err = err ? err : qrt_http_set_header(resp, "X-Query", x ? x : "none");
	err = err ? err : qrt_http_set_header(resp, "X-Header", header ? header : "none");
	err = err ? err : qrt_http_set_header(resp, "X-Peer", qrt_http_peer(req));
	return err ? err : qrt_http_set_body(resp, body, n);
}

static enum qrt_err no_content(struct qrt_cx *cx, struct qrt_http_request *req,
			       struct qrt_http_response *resp)
{
	(void)cx;
	(void)req;
	qrt_http_set_status(resp, 204);
	return say(resp, "must not be sent");
}

static enum qrt_err fail_inside(struct qrt_cx *cx, struct qrt_http_request *req,
				struct qrt_http_response *resp)
{
	enum qrt_err err = say(resp, "half an answer");

	(void)req;
	return err ? err : qrt_fail(cx, QRT_EIO, "secret path /etc/x");
}

static enum qrt_err not_here(struct qrt_cx *cx, struct qrt_http_request *req,
			     struct qrt_http_response *resp)
{
	(void)cx;
	(void)req;
	(void)resp;
	return QRT_ENOENT;
}

static enum qrt_err busy(struct qrt_cx *cx, struct qrt_http_request *req,
			 struct qrt_http_response *resp)
{
	(void)cx;
	(void)req;
	(void)resp;
	return QRT_EBUSY;
}

static enum qrt_err panic(struct qrt_cx *cx, struct qrt_http_request *req,
			  struct qrt_http_response *resp)
{
	(void)req;
	(void)resp;
	qrt_panic(cx, "told to");
}

static enum qrt_err child_fails(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	return qrt_fail(cx, QRT_EIO, "child");
}

/* Its own part is well; what it left behind in the request's region is not. */
static enum qrt_err with_child(struct qrt_cx *cx, struct qrt_http_request *req,
			       struct qrt_http_response *resp)
{
	struct qrt_region *region;
	enum qrt_err err = qrt_region_open(cx, QRT_FAIL_FAST, &region);

	(void)req;
	err = err ? err : say(resp, "well");
	err = err ? err : qrt_spawn(region, child_fails, NULL);
	return qrt_region_close(cx, &region, err);
}

static enum qrt_err big(struct qrt_cx *cx, struct qrt_http_request *req,
			struct qrt_http_response *resp)
{
	char *data = malloc(BIG_BODY);
	enum qrt_err err;

	(void)cx;
	(void)req;
	if (!data) {
		return QRT_ENOMEM;
	}
	memset(data, 'b', BIG_BODY);
	err = qrt_http_set_body(resp, data, BIG_BODY);
	free(data);
	return err;
}

static const struct site_route routes[] = {
    {"GET", "/", say_hello, {0}},	{"POST", "/echo/{id}", echo, {0}},
    {"PUT", "/echo/{id}", echo, {0}},	{"GET", "/empty", no_content, {0}},
    {"GET", "/fail", fail_inside, {0}}, {"GET", "/not-here", not_here, {0}},
    {"GET", "/busy", busy, {0}},	{"GET", "/panic", panic, {0}},
    {"GET", "/child", with_child, {0}}, {"GET", "/wait", wait_released, {0}},
    {"GET", "/big", big, {0}},
};

static void run_on_each(site_fn *fn, const struct qrt_http_server_options *opts)
{
	struct site_play play = {.fn = fn, .routes = routes, .n_routes = ARRAY_LEN(routes)};

	if (opts) {
		play.opts = *opts;
	}
	site_on_each(&play);
}

/* --- answers ------------------------------------------------------------------------------- */

static enum qrt_err keep_alive(struct qrt_cx *cx, struct site *site)
{
	struct qrt_http_stats stats;
	struct client *client;
	struct reply reply;

	EXPECT(!client_open(cx, site, &client));
	for (int i = 0; i < 5; i++) {
		EXPECT(!ask(cx, client, GET("/"), &reply));
		EXPECT(reply.status == 200);
		EXPECT(body_is(&reply, "hello"));
		EXPECT(!reply.close);
		EXPECT(head_value(reply.head, "Date"));
		EXPECT(strstr(head_value(reply.head, "Date"), " GMT\r\n"));
		client_take(client, &reply);
	}
	qrt_http_server_stats(site->server, &stats);
	EXPECT(stats.connections == 1);
	EXPECT(stats.connections_live == 1);
	EXPECT(stats.requests == 5);
	EXPECT(stats.status[2] == 5 || stats.in_flight == 1);
	client_close(cx, &client);
	return QRT_OK;
}

static void one_connection_asks_many_times(void **state)
{
	(void)state;
	run_on_each(keep_alive, NULL);
}

static enum qrt_err everything_arrives(struct qrt_cx *cx, struct site *site)
{
	struct client *client;
	struct reply reply;

	EXPECT(!client_open(cx, site, &client));
	EXPECT(!ask(cx, client,
		    "POST /echo/a%20b?x=1%2B1 HTTP/1.1\r\n" HOST
		    "X-Test: \t v w \r\nContent-Length: 5\r\n\r\nhello",
		    &reply));
	EXPECT(reply.status == 201);
	EXPECT(strncmp(reply.head, "HTTP/1.1 201 Created\r\n", 22) == 0);
	EXPECT(head_has(&reply, "X-Path", "/echo/a b"));
	EXPECT(head_has(&reply, "X-Id", "a b"));
	EXPECT(head_has(&reply, "X-Query", "1+1"));
	EXPECT(head_has(&reply, "X-Header", "v w"));
	EXPECT(head_value(reply.head, "X-Peer"));
	EXPECT(strncmp(head_value(reply.head, "X-Peer"), "127.0.0.1:", 10) == 0 ||
	       qrt_runtime_backend(qrt_cx_runtime(cx))[0] == 'l');
	EXPECT(body_is(&reply, "hello"));
	client_take(client, &reply);
	EXPECT(!ask(cx, client,
		    "PUT /echo/1 HTTP/1.1\r\n" HOST
		    "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
		    &reply));
	EXPECT(reply.status == 201);
	EXPECT(body_is(&reply, "abcde"));
	client_close(cx, &client);
	return QRT_OK;
}

static void the_handler_sees_the_request_as_it_was_sent(void **state)
{
	(void)state;
	run_on_each(everything_arrives, NULL);
}

static enum qrt_err pipelined(struct qrt_cx *cx, struct site *site)
{
	static const char *const bodies[] = {"hello", "one", "two", "hello"};
	struct client *client;
	struct reply reply;
	struct qrt_http_stats stats;

	EXPECT(!client_open(cx, site, &client));
	EXPECT(!client_send(cx, client,
			    GET("/") "POST /echo/1 HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\none"
				     "POST /echo/2 HTTP/1.1\r\n" HOST
				     "Transfer-Encoding: chunked\r\n\r\n3\r\ntwo\r\n0\r\n\r\n"
				     "GET / HTTP/1.1\r\n" HOST "\r\n"
				     "GET / HTTP/1.1\r\n" HOST "A: b\r\n folded\r\n\r\n"));
	for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
		EXPECT(!client_reply(cx, client, false, &reply));
		EXPECT(body_is(&reply, bodies[i]));
		client_take(client, &reply);
	}
	/* One that is refused is refused as if it had come alone, and once. */
	EXPECT(!client_reply(cx, client, false, &reply));
	EXPECT(reply.status == 400);
	EXPECT(reply.close);
	client_take(client, &reply);
	EXPECT(client_fill(cx, client) == QRT_EEOF);
	qrt_http_server_stats(site->server, &stats);
	EXPECT(stats.status[4] == 1);
	client_close(cx, &client);
	return QRT_OK;
}

static void pipelined_requests_are_answered_in_order(void **state)
{
	(void)state;
	run_on_each(pipelined, NULL);
}

static enum qrt_err byte_by_byte(struct qrt_cx *cx, struct site *site)
{
	static const char text[] = "POST /echo/7 HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\nabc";
	struct client *client;
	struct reply reply;

	EXPECT(!client_open(cx, site, &client));
	for (size_t i = 0; i < sizeof(text) - 1; i++) {
		EXPECT(!qrt_write(cx, client->stream, text + i, 1));
		EXPECT(!qrt_yield(cx));
	}
	EXPECT(!client_reply(cx, client, false, &reply));
	EXPECT(reply.status == 201);
	EXPECT(body_is(&reply, "abc"));
	client_close(cx, &client);
	return QRT_OK;
}

static void a_request_may_come_byte_by_byte(void **state)
{
	(void)state;
	run_on_each(byte_by_byte, NULL);
}

static enum qrt_err unrouted(struct qrt_cx *cx, struct site *site)
{
	struct client *client;
	struct reply reply;

	EXPECT(!client_open(cx, site, &client));
	EXPECT(!ask(cx, client, GET("/nowhere"), &reply));
	EXPECT(reply.status == 404);
	EXPECT(body_is(&reply, "no such path"));
	EXPECT(head_has(&reply, "X-Error", "yes"));
	client_take(client, &reply);
	EXPECT(!ask(cx, client, "DELETE /echo/1 HTTP/1.1\r\n" HOST "\r\n", &reply));
	EXPECT(reply.status == 405);
	EXPECT(head_has(&reply, "Allow", "POST, PUT"));
	EXPECT(!reply.close);
	client_take(client, &reply);
	EXPECT(!ask(cx, client, "PATCH / HTTP/1.1\r\n" HOST "\r\n", &reply));
	EXPECT(reply.status == 405);
	EXPECT(head_has(&reply, "Allow", "GET, HEAD"));
	EXPECT(!ask_once(cx, site, "PROPFIND / HTTP/1.1\r\n" HOST "\r\n", &reply));
	EXPECT(reply.status == 405);
	client_close(cx, &client);
	return QRT_OK;
}

static void what_no_route_has_is_404_or_405(void **state)
{
	(void)state;
	run_on_each(unrouted, NULL);
}

static enum qrt_err head_and_empty(struct qrt_cx *cx, struct site *site)
{
	struct client *client;
	struct reply reply;

	EXPECT(!client_open(cx, site, &client));
	EXPECT(!client_send(cx, client, "HEAD / HTTP/1.1\r\n" HOST "\r\n" GET("/empty") GET("/")));
	EXPECT(!client_reply(cx, client, true, &reply));
	EXPECT(reply.status == 200);
	EXPECT(head_has(&reply, "Content-Length", "5"));
	EXPECT(!client_reply(cx, client, true, &reply));
	EXPECT(reply.status == 204);
	EXPECT(!head_value(reply.head, "Content-Length"));
	EXPECT(!client_reply(cx, client, false, &reply));
	EXPECT(reply.status == 200);
	EXPECT(body_is(&reply, "hello"));
	client_close(cx, &client);
	return QRT_OK;
}

static void head_and_204_have_no_body(void **state)
{
	(void)state;
	run_on_each(head_and_empty, NULL);
}

static enum qrt_err handler_errors(struct qrt_cx *cx, struct site *site)
{
	static const struct {
		const char *text, *body;
		int status;
	} cases[] = {
	    {GET("/fail"), "internal error", 500},  {GET("/not-here"), "internal error", 500},
	    {GET("/child"), "internal error", 500}, {GET("/busy"), "the service is busy", 503},
	    {GET("/panic"), "internal error", 500},
	};
	struct reply reply;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct client *client;

		EXPECT(!client_open(cx, site, &client));
		EXPECT(!ask(cx, client, GET("/"), &reply)); /* nothing of it is left */
		client_take(client, &reply);
		EXPECT(!ask(cx, client, cases[i].text, &reply));
		EXPECT(reply.status == cases[i].status);
		EXPECT(site->last_status == cases[i].status);
		EXPECT(body_is(&reply, cases[i].body));
		client_close(cx, &client);
	}
	EXPECT(!ask_once(cx, site, GET("/"), &reply));
	EXPECT(reply.status == 200);
	return QRT_OK;
}

static void a_failed_or_panicked_handler_is_500_and_tells_nothing(void **state)
{
	(void)state;
	run_on_each(handler_errors, NULL);
}

/* --- bodies -------------------------------------------------------------------------------- */

static enum qrt_err big_bodies(struct qrt_cx *cx, struct site *site)
{
	char *text = malloc(BIG_BODY + 128);
	struct client *client;
	struct reply reply;
	int n;

	EXPECT(text);
	n = sprintf(text, "POST /echo/1 HTTP/1.1\r\n" HOST "Content-Length: %u\r\n\r\n", BIG_BODY);
	memset(text + n, 'a', BIG_BODY);
	EXPECT(!client_open(cx, site, &client));
	EXPECT(!qrt_write(cx, client->stream, text, (size_t)n + BIG_BODY));
	EXPECT(!client_reply(cx, client, false, &reply));
	EXPECT(reply.status == 201);
	EXPECT(reply.body_len == BIG_BODY);
	EXPECT(memcmp(reply.body, text + n, BIG_BODY) == 0);
	client_take(client, &reply);
	EXPECT(!ask(cx, client, GET("/big"), &reply));
	EXPECT(reply.body_len == BIG_BODY);
	EXPECT(reply.body[0] == 'b' && reply.body[BIG_BODY - 1] == 'b');
	client_close(cx, &client);
	free(text);
	return QRT_OK;
}

static void large_bodies_go_both_ways(void **state)
{
	(void)state;
	run_on_each(big_bodies, NULL);
}

static enum qrt_err awaits_continue(struct qrt_cx *cx, struct site *site)
{
	struct client *client;
	struct reply reply;

	EXPECT(!client_open(cx, site, &client));
	EXPECT(!client_send(cx, client,
			    "POST /echo/1 HTTP/1.1\r\n" HOST
			    "Expect: 100-continue\r\nContent-Length: 2\r\n\r\n"));
	EXPECT(!client_reply(cx, client, true, &reply));
	EXPECT(reply.status == 100);
	EXPECT(!client_send(cx, client, "ab"));
	EXPECT(!client_reply(cx, client, false, &reply));
	EXPECT(reply.status == 201);
	EXPECT(body_is(&reply, "ab"));
	client_close(cx, &client);
	return QRT_OK;
}

static void who_expects_100_is_told_to_go_on(void **state)
{
	(void)state;
	run_on_each(awaits_continue, NULL);
}

static enum qrt_err unusual_body(struct qrt_cx *cx, struct site *site)
{
	struct qrt_http_stats stats;
	struct client *client;
	struct reply reply;

	EXPECT(!client_open(cx, site, &client));
	EXPECT(!ask(cx, client,
		    "GET / HTTP/1.1\r\n" HOST "Content-Length: 31\r\n\r\n"
		    "GET /wait HTTP/1.1\r\n" HOST "\r\n",
		    &reply));
	EXPECT(reply.status == (site->evhttp ? 400 : 200));
	EXPECT(reply.close == site->evhttp);
	client_close(cx, &client);
	EXPECT(!qrt_http_server_drain(cx, site->server));
	EXPECT(site->waits == 0);
	qrt_http_server_stats(site->server, &stats);
	EXPECT(stats.requests == (site->evhttp ? 0 : 1));
	return QRT_OK;
}

/* evhttp reads no body with GET; it must not take the bytes for a request either. */
static void a_body_never_becomes_a_request(void **state)
{
	const struct qrt_http_server_options opts = {.linger_ns = QRT_MS};

	(void)state;
	run_on_each(unusual_body, &opts);
}

/* --- going on or closing ------------------------------------------------------------------- */

static enum qrt_err old_protocol(struct qrt_cx *cx, struct site *site)
{
	struct client *client;
	struct reply reply;

	EXPECT(!client_open(cx, site, &client));
	EXPECT(!ask(cx, client, "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", &reply));
	EXPECT(reply.status == 200);
	EXPECT(head_has(&reply, "Connection", "keep-alive"));
	client_take(client, &reply);
	EXPECT(!ask(cx, client, "GET / HTTP/1.0\r\n\r\n", &reply));
	EXPECT(body_is(&reply, "hello"));
	client_take(client, &reply);
	EXPECT(client_fill(cx, client) == QRT_EEOF);
	client_close(cx, &client);
	return QRT_OK;
}

static void http_1_0_closes_unless_it_asks_to_stay(void **state)
{
	(void)state;
	run_on_each(old_protocol, NULL);
}

static enum qrt_err asks_to_close(struct qrt_cx *cx, struct site *site)
{
	struct reply reply;

	EXPECT(!ask_once(cx, site, "GET / HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n", &reply));
	EXPECT(reply.status == 200);
	EXPECT(reply.close);
	return QRT_OK;
}

static void who_asks_to_close_is_closed(void **state)
{
	(void)state;
	run_on_each(asks_to_close, NULL);
}

/* --- many at once -------------------------------------------------------------------------- */

static enum qrt_err visitor(struct qrt_cx *cx, void *arg)
{
	struct site *site = arg;
	struct client *client;
	struct reply reply;

	EXPECT(!client_open(cx, site, &client));
	for (int i = 0; i < 10; i++) {
		EXPECT(!ask(cx, client, i % 2 ? GET("/") : GET("/nowhere"), &reply));
		EXPECT(reply.status == (i % 2 ? 200 : 404));
		client_take(client, &reply);
	}
	client_close(cx, &client);
	return QRT_OK;
}

static enum qrt_err crowd(struct qrt_cx *cx, struct site *site)
{
	struct qrt_http_stats stats;
	struct qrt_region *region;
	enum qrt_err err = qrt_region_open(cx, QRT_FAIL_FAST, &region);

	for (int i = 0; i < 40 && !err; i++) {
		err = qrt_spawn(region, visitor, site);
	}
	EXPECT(!qrt_region_close(cx, &region, err));
	EXPECT(!qrt_http_server_drain(cx, site->server));
	qrt_http_server_stats(site->server, &stats);
	EXPECT(stats.connections == 40);
	EXPECT(stats.requests == 400);
	EXPECT(stats.status[2] == 200);
	EXPECT(stats.status[4] == 200);
	EXPECT(stats.connections_live == 0);
	return QRT_OK;
}

static void many_connections_are_served_at_once(void **state)
{
	(void)state;
	run_on_each(crowd, NULL);
}

/* --- opening ------------------------------------------------------------------------------- */

static enum qrt_err bad_options(struct qrt_cx *cx, struct site *site)
{
	struct qrt_http_server_options opts = {0};
	struct qrt_http_server *none = NULL;
	struct qrt_region *home;
	uint16_t port;
	int fd;

	(void)site;
	EXPECT(!qrt_region_open(cx, QRT_FAIL_FAST, &home));
	EXPECT(!qrt_socket_listen(cx, "127.0.0.1", 0, &fd, &port));
	EXPECT(qrt_http_server_open(cx, home, fd, &opts, &none) == QRT_EINVAL);
	EXPECT(strcmp(qrt_detail(cx), "http server: no handler") == 0);
	EXPECT(!none);
	qrt_http_server_close(cx, &none);
	return qrt_region_close(cx, &home, QRT_OK);
}

static void a_server_without_a_handler_is_refused(void **state)
{
	(void)state;
	run_on_each(bad_options, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(one_connection_asks_many_times),
	    cmocka_unit_test(the_handler_sees_the_request_as_it_was_sent),
	    cmocka_unit_test(pipelined_requests_are_answered_in_order),
	    cmocka_unit_test(a_request_may_come_byte_by_byte),
	    cmocka_unit_test(what_no_route_has_is_404_or_405),
	    cmocka_unit_test(head_and_204_have_no_body),
	    cmocka_unit_test(a_failed_or_panicked_handler_is_500_and_tells_nothing),
	    cmocka_unit_test(large_bodies_go_both_ways),
	    cmocka_unit_test(who_expects_100_is_told_to_go_on),
	    cmocka_unit_test(a_body_never_becomes_a_request),
	    cmocka_unit_test(http_1_0_closes_unless_it_asks_to_stay),
	    cmocka_unit_test(who_asks_to_close_is_closed),
	    cmocka_unit_test(many_connections_are_served_at_once),
	    cmocka_unit_test(a_server_without_a_handler_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
