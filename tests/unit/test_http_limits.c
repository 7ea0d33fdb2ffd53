/*
 * What the HTTP server allows a connection, on every backend of the build: how many there may be,
 * how often one may ask, and how long each part of a request and its answer may take. How long a
 * request may be is in test_http_strict.
 */
#include "tests/lib/test.h"

#include <string.h>

#include "tests/lib/http_site.h"

/* --- how many ------------------------------------------------------------------------------ */

static enum qrt_err third_is_last(struct qrt_cx *cx, struct site *site)
{
	struct client *client;
	struct reply reply;

	EXPECT(!client_open(cx, site, &client));
	for (int i = 1; i <= 3; i++) {
		EXPECT(!ask(cx, client, GET("/"), &reply));
		EXPECT(reply.status == 200);
		EXPECT(reply.close == (i == 3));
		client_take(client, &reply);
	}
	EXPECT(client_fill(cx, client) == QRT_EEOF);
	client_close(cx, &client);
	return QRT_OK;
}

static void a_connection_may_ask_so_many_times(void **state)
{
	const struct qrt_http_server_options opts = {.requests_per_connection = 3};

	(void)state;
	site_plain_on_each(third_is_last, &opts);
}

static enum qrt_err one_too_many(struct qrt_cx *cx, struct site *site)
{
	struct qrt_http_stats stats;
	struct client *clients[2];
	struct reply reply;

	for (size_t i = 0; i < 2; i++) {
		EXPECT(!client_open(cx, site, &clients[i]));
		EXPECT(!ask(cx, clients[i], GET("/"), &reply));
		EXPECT(reply.status == 200);
		client_take(clients[i], &reply);
	}
	EXPECT(!ask_once(cx, site, GET("/"), &reply));
	EXPECT(reply.status == 503);
	EXPECT(reply.close);
	qrt_http_server_stats(site->server, &stats);
	EXPECT(stats.connections_live == 2);
	EXPECT(!ask(cx, clients[0], GET("/"), &reply));
	EXPECT(reply.status == 200);
	client_close(cx, &clients[0]);
	client_close(cx, &clients[1]);
	return QRT_OK;
}

static void a_connection_too_many_is_503(void **state)
{
	const struct qrt_http_server_options opts = {.connections_max = 2};

	(void)state;
	site_plain_on_each(one_too_many, &opts);
}

/* --- how long ------------------------------------------------------------------------------ */

static enum qrt_err late_handler(struct qrt_cx *cx, struct site *site)
{
	struct qrt_http_stats stats;
	struct reply reply;

	EXPECT(!ask_once(cx, site, GET("/wait"), &reply));
	EXPECT(reply.status == 503);
	EXPECT(reply.close);
	EXPECT(site->wait_result == QRT_ETIMEDOUT);
	EXPECT(strcmp(site->last_detail, "the request took too long") == 0);
	qrt_http_server_stats(site->server, &stats);
	EXPECT(stats.status[5] == 1);
	EXPECT(stats.in_flight == 0);
	return QRT_OK;
}

static void a_handler_past_its_deadline_is_503(void **state)
{
	const struct qrt_http_server_options opts = {.request_deadline_ns = 20 * QRT_MS};

	(void)state;
	site_plain_on_each(late_handler, &opts);
}

static enum qrt_err slow_head(struct qrt_cx *cx, struct site *site)
{
	struct client *client;
	struct reply reply;

	/* Who says nothing at all is closed without a word. */
	EXPECT(!client_open(cx, site, &client));
	EXPECT(client_fill(cx, client) == QRT_EEOF);
	EXPECT(client->n == 0);
	client_close(cx, &client);
	EXPECT(!client_open(cx, site, &client));
	EXPECT(!client_send(cx, client, "GET / HTTP/1.1\r\nHo"));
	EXPECT(!client_reply(cx, client, false, &reply));
	EXPECT(reply.status == 408);
	EXPECT(reply.close);
	client_close(cx, &client);
	return QRT_OK;
}

static void a_head_that_does_not_come_is_408(void **state)
{
	const struct qrt_http_server_options opts = {.header_timeout_ns = 100 * QRT_MS};

	(void)state;
	site_plain_on_each(slow_head, &opts);
}

static enum qrt_err slow_body(struct qrt_cx *cx, struct site *site)
{
	struct client *client;
	struct reply reply;

	EXPECT(!client_open(cx, site, &client));
	EXPECT(!client_send(cx, client, "POST / HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nab"));
	EXPECT(!client_reply(cx, client, false, &reply));
	EXPECT(reply.status == 408);
	client_close(cx, &client);
	return QRT_OK;
}

static void a_body_that_does_not_come_is_408(void **state)
{
	const struct qrt_http_server_options opts = {.request_deadline_ns = 30 * QRT_MS};

	(void)state;
	site_plain_on_each(slow_body, &opts);
}

static enum qrt_err goes_idle(struct qrt_cx *cx, struct site *site)
{
	struct qrt_http_stats stats;
	struct client *client;
	struct reply reply;

	EXPECT(!client_open(cx, site, &client));
	EXPECT(!ask(cx, client, GET("/"), &reply));
	client_take(client, &reply);
	EXPECT(client_fill(cx, client) == QRT_EEOF);
	EXPECT(client->n == 0);
	qrt_http_server_stats(site->server, &stats);
	EXPECT(stats.connections_live == 0);
	client_close(cx, &client);
	return QRT_OK;
}

static void an_idle_connection_is_closed(void **state)
{
	const struct qrt_http_server_options opts = {.idle_timeout_ns = 30 * QRT_MS};

	(void)state;
	site_plain_on_each(goes_idle, &opts);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_connection_may_ask_so_many_times),
	    cmocka_unit_test(a_connection_too_many_is_503),
	    cmocka_unit_test(a_handler_past_its_deadline_is_503),
	    cmocka_unit_test(a_head_that_does_not_come_is_408),
	    cmocka_unit_test(a_body_that_does_not_come_is_408),
	    cmocka_unit_test(an_idle_connection_is_closed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
