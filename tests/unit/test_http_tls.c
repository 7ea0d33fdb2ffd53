/*
 * The HTTP server over TLS, on every backend; legacy's is then our own. What is said of plain
 * connections holds: streams, hang-ups, answers that break off, drains.
 */
#include "tests/lib/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <qrt/tls.h>

#include "tests/lib/http_site.h"
#include "tests/lib/tls_pair.h"

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define BODY (300u * 1000)

static enum qrt_err count(struct qrt_cx *cx, struct qrt_http_request *req,
			  struct qrt_http_response *resp)
{
	char buf[999], text[32];
	size_t all = 0, n = 0;
	enum qrt_err err;

	while (!(err = qrt_http_read(cx, req, buf, sizeof(buf), &n))) {
		all += n;
	}
	snprintf(text, sizeof(text), "%zu", all);
	return err == QRT_EEOF ? say(resp, text) : err;
}

/* Half an answer; over HTTP/1.0 only the connection's end tells. */
static enum qrt_err half(struct qrt_cx *cx, struct qrt_http_request *req,
			 struct qrt_http_response *resp)
{
	enum qrt_err err = qrt_http_stream_begin(cx, resp, QRT_HTTP_UNKNOWN_LENGTH);

	err = err ? err : qrt_http_write(cx, resp, "half", 4);
	err = err ? err : wait_released(cx, req, resp);
	return err ? err : qrt_fail(cx, QRT_EIO, "told to");
}

static enum qrt_err hello(struct qrt_cx *cx, struct qrt_http_request *req,
			  struct qrt_http_response *resp)
{
	(void)cx;
	return say(resp, strncmp(qrt_http_peer(req), "127.0.0.1:", 10) == 0 ? "hello" : "who?");
}

static enum qrt_err wait_counted(struct qrt_cx *cx, struct qrt_http_request *req,
				 struct qrt_http_response *resp)
{
	enum qrt_err err = wait_released(cx, req, resp);

	site_of(req)->count++;
	return err;
}

static void run_on_each(site_fn *fn, const struct qrt_http_server_options *opts)
{
	static const struct site_route routes[] = {
	    {"GET", "/", hello, {0}},
	    {"POST", "/count", count, {.stream_body = true}},
	    {"GET", "/half", half, {0}},
	    {"GET", "/wait", wait_counted, {0}},
	};
	struct qrt_tls *server = tls_server();
	struct qrt_tls *client = tls_client();
	struct site_play play = {.fn = fn,
				 .opts = *opts,
				 .routes = routes,
				 .n_routes = ARRAY_LEN(routes),
				 .client_tls = client};

	play.opts.tls = server;
	site_on_each(&play);
	qrt_tls_unref(&server);
	qrt_tls_unref(&client);
}

static enum qrt_err talks(struct qrt_cx *cx, struct site *site)
{
	char *text = malloc(BODY + 100);
	struct client *client;
	struct reply reply;
	int n;

	EXPECT(text);
	n = sprintf(text, "POST /count HTTP/1.1\r\n" HOST "Content-Length: %u\r\n\r\n", BODY);
	memset(text + n, 'x', BODY);
	EXPECT(!client_open(cx, site, &client));
	for (int i = 0; i < 3; i++) {
		EXPECT(!ask(cx, client, GET("/"), &reply));
		EXPECT(reply.status == 200 && !reply.close);
		EXPECT(body_is(&reply, "hello"));
		client_take(client, &reply);
	}
	EXPECT(!qrt_write(cx, client->stream, text, (size_t)n + BODY));
	EXPECT(!client_reply(cx, client, false, &reply));
	EXPECT(body_is(&reply, "300000"));
	client_take(client, &reply);
	EXPECT(!ask(cx, client, "GET / HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n", &reply));
	client_take(client, &reply);
	/* A clean end, as TLS says it. */
	EXPECT(client_fill(cx, client) == QRT_EEOF);
	client_close(cx, &client);
	free(text);
	return QRT_OK;
}

static void a_client_over_tls_is_served_as_a_plain_one(void **state)
{
	(void)state;
	run_on_each(talks, &(struct qrt_http_server_options){0});
}

static enum qrt_err breaks_off(struct qrt_cx *cx, struct site *site)
{
	struct client *client;
	struct reply reply;

	EXPECT(!client_open(cx, site, &client));
	EXPECT(!client_send(cx, client, "GET /half HTTP/1.0\r\n\r\n"));
	EXPECT(!client_head(cx, client, &reply));
	while (client->n < 4) {
		EXPECT(!client_fill(cx, client));
	}
	qrt__event_set(&site->release);
	EXPECT(client_fill(cx, client) == QRT_ECONNRESET);
	client_close(cx, &client);
	return QRT_OK;
}

static void an_answer_that_breaks_off_has_no_clean_end(void **state)
{
	(void)state;
	run_on_each(breaks_off, &(struct qrt_http_server_options){0});
}

static enum qrt_err hangs_up(struct qrt_cx *cx, struct site *site)
{
	struct qrt_http_stats stats;
	struct client *client;

	EXPECT(!client_open(cx, site, &client));
	EXPECT(!client_send(cx, client, GET("/wait")));
	EXPECT(!qrt__event_wait(cx, &site->entered, QRT_NO_DEADLINE));
	client_close(cx, &client);
	EXPECT(!qrt_http_server_drain(cx, site->server));
	EXPECT(site->wait_result == QRT_ECANCELED);
	qrt_http_server_stats(site->server, &stats);
	EXPECT(site->count == 1 && stats.peers_gone == 1);
	return QRT_OK;
}

static void who_hangs_up_cancels_its_request(void **state)
{
	(void)state;
	run_on_each(hangs_up, &(struct qrt_http_server_options){.linger_ns = QRT_MS});
}

/* Plain bytes are no handshake; one that does not come is not waited for. */
static enum qrt_err rude(struct qrt_cx *cx, struct site *site)
{
	struct qrt_tls *tls = site->client_tls;
	struct qrt_http_stats stats;
	struct client *client;
	struct reply reply;

	site->client_tls = NULL;
	EXPECT(!client_open(cx, site, &client));
	EXPECT(!client_send(cx, client, GET("/")));
	while (client_fill(cx, client) == QRT_OK) {
		EXPECT(!strstr(client->buf, "HTTP/1.1"));
	}
	client_close(cx, &client);
	EXPECT(!client_open(cx, site, &client));
	EXPECT(client_fill(cx, client) != QRT_OK);
	EXPECT(client->n == 0);
	client_close(cx, &client);
	site->client_tls = tls;
	EXPECT(!ask_once(cx, site, GET("/"), &reply));
	EXPECT(reply.status == 200);
	EXPECT(!qrt_http_server_drain(cx, site->server));
	qrt_http_server_stats(site->server, &stats);
	EXPECT(stats.connections == 3 && stats.requests == 1 && stats.connections_live == 0);
	return QRT_OK;
}

static void who_does_not_shake_hands_is_let_go(void **state)
{
	const struct qrt_http_server_options opts = {.header_timeout_ns = 100 * QRT_MS,
						     .linger_ns = QRT_MS};

	(void)state;
	run_on_each(rude, &opts);
}

/* In the middle of a handshake. */
static enum qrt_err drains(struct qrt_cx *cx, struct site *site)
{
	struct client *client;

	site->client_tls = NULL;
	EXPECT(!client_open(cx, site, &client));
	EXPECT(!qrt_sleep(cx, 5 * QRT_MS));
	EXPECT(!qrt_http_server_drain(cx, site->server));
	EXPECT(client_fill(cx, client) != QRT_OK);
	client_close(cx, &client);
	return QRT_OK;
}

static void a_drain_does_not_wait_for_handshakes(void **state)
{
	(void)state;
	run_on_each(drains, &(struct qrt_http_server_options){.linger_ns = 20 * QRT_MS});
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_client_over_tls_is_served_as_a_plain_one),
	    cmocka_unit_test(an_answer_that_breaks_off_has_no_clean_end),
	    cmocka_unit_test(who_hangs_up_cancels_its_request),
	    cmocka_unit_test(who_does_not_shake_hands_is_let_go),
	    cmocka_unit_test(a_drain_does_not_wait_for_handshakes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
