/*
 * The HTTP client over TLS, on each backend: kept connections, certificates, ends that are cut, and
 * every point of time at which it can be cancelled in the lab.
 */
#include <qrt/lab.h>
#include <qrt/tls.h>
#include <stdio.h>
#include <string.h>

#include "tests/lib/backends.h"
#include "tests/lib/stage.h"
#include "tests/lib/test.h"
#include "tests/lib/tls_pair.h"

#define HEAD_END "\r\n\r\n"
#define YES "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nyes"

/* A stage whose peer speaks TLS as @server, and whose client trusts as @client does. */
static enum qrt_err tls_stage(struct qrt_cx *cx, const struct peer_script *scripts, size_t n,
			      struct qrt_tls *server, struct qrt_tls *client, struct stage *stage)
{
	const struct qrt_http_client_options opts = {.tls = client};
	EXPECT(!stage_open(cx, scripts, n, &opts, stage));
	stage->peer.tls = server;
	snprintf(stage->url, sizeof(stage->url), "https://127.0.0.1:%u/a?b=c", stage->peer.port);
	return QRT_OK;
}

struct sides {
	struct qrt_tls *server, *client;
};

static enum qrt_err play_kept(struct qrt_cx *cx, void *arg)
{
	struct sides *sides = arg;
	const struct peer_script scripts[2] = {
	    {{{HEAD_END, YES, PEER_GO_ON}, {HEAD_END, YES, PEER_LATER}, {NULL, "", PEER_CLOSE}}},
	    {{{HEAD_END, YES, PEER_GO_ON}}},
	};
	struct stage stage;
	EXPECT(!tls_stage(cx, scripts, 2, sides->server, sides->client, &stage));
	/* The tickets that come behind a handshake are no words of the server's. */
	EXPECT(!stage_expect(&stage, "yes") && !stage_expect(&stage, "yes"));
	EXPECT(stage.report.reused && stage_stats(&stage).opened == 1);
	EXPECT(!stage_until(cx, &stage.peer.said, 3) && !qrt_sleep(cx, 5 * QRT_MS));
	EXPECT(!stage_expect(&stage, "yes"));
	struct qrt_http_client_stats stats = stage_stats(&stage);
	EXPECT(stats.opened == 2 && stats.spoiled == 1 && !stage.report.resent);
	return stage_close(cx, &stage);
}

static void encrypted_connections_are_kept_too(void **state)
{
	(void)state;
	struct sides sides = {tls_server(), tls_client()};
	on_each_backend(play_kept, &sides);
	qrt_tls_unref(&sides.server);
	qrt_tls_unref(&sides.client);
}

/* --- who it is ------------------------------------------------------------------------------- */

static enum qrt_err play_refused(struct qrt_cx *cx, void *arg)
{
	struct sides *sides = arg;
	const struct peer_script script = {{{HEAD_END, YES, PEER_GO_ON}}};
	struct stage stage;
	struct qrt_http_call *call;
	struct qrt_http_answer answer;
	EXPECT(!tls_stage(cx, &script, 1, sides->server, sides->client, &stage));
	EXPECT(stage_get(&stage, &call, &answer) == QRT_EPROTO);
	EXPECT(strstr(qrt_detail(stage.cx), "TLS with 127.0.0.1: "));
	EXPECT(stage.report.phase == QRT_HTTP_HANDSHAKE && !stage.report.sent);
	EXPECT(stage_stats(&stage).connections == 0 && stage.peer.n_heard[0] == 0);
	return stage_close(cx, &stage);
}

static void a_server_that_is_not_trusted_gets_nothing(void **state)
{
	(void)state;
	const struct qrt_tls_client_options other = {.ca_file = certs()->other_ca};
	struct sides sides = {tls_server(), tls_client_with(&other)};
	on_each_backend(play_refused, &sides);
	qrt_tls_unref(&sides.server);
	qrt_tls_unref(&sides.client);
	/* Trusted, but for another name than the URL's. */
	const struct qrt_tls_server_options names = {.cert_file = certs()->wildcard_cert,
						     .key_file = certs()->key};
	sides = (struct sides){tls_server_with(&names), tls_client()};
	on_each_backend(play_refused, &sides);
	qrt_tls_unref(&sides.server);
	qrt_tls_unref(&sides.client);
}

/* A server that takes the connection and never shakes hands. */
static enum qrt_err play_silent(struct qrt_cx *cx, void *arg)
{
	struct sides *sides = arg;
	static const struct peer_script script = {{{NULL, "", PEER_DEAF}}};
	const struct qrt_http_client_options opts = {.tls = sides->client,
						     .connect_ns = 40 * QRT_MS};
	struct stage stage;
	struct qrt_http_call *call;
	struct qrt_http_answer answer;
	EXPECT(!stage_open(cx, &script, 1, &opts, &stage));
	snprintf(stage.url, sizeof(stage.url), "https://127.0.0.1:%u/", stage.peer.port);
	EXPECT(stage_get(&stage, &call, &answer) == QRT_EPEER);
	EXPECT(ends_with(qrt_detail(stage.cx), ": shaking hands took too long"));
	EXPECT(stage.report.phase == QRT_HTTP_HANDSHAKE && !stage.report.sent);
	return stage_close(cx, &stage);
}

static void a_server_that_does_not_shake_hands_is_given_up(void **state)
{
	(void)state;
	struct sides sides = {NULL, tls_client()};
	on_each_backend(play_silent, &sides);
	qrt_tls_unref(&sides.client);
}

static enum qrt_err play_downgrade(struct qrt_cx *cx, void *arg)
{
	struct sides *sides = arg;
	static const struct peer_script script = {
	    {{HEAD_END,
	      "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
	      PEER_GO_ON}}};
	struct stage stage;
	struct qrt_http_call *call;
	struct qrt_http_answer answer;
	EXPECT(!tls_stage(cx, &script, 1, sides->server, sides->client, &stage));
	const struct qrt_http_ask ask = {
	    .url = stage.url, .redirects_max = 3, .report = &stage.report};
	EXPECT(qrt_http_fetch(stage.cx, stage.client, &ask, &call, &answer) == QRT_EPROTO);
	EXPECT(ends_with(qrt_detail(stage.cx), ": a redirect from https to http"));
	EXPECT(stage.report.redirects == 0 && stage_stats(&stage).connections == 0);
	return stage_close(cx, &stage);
}

static void a_redirect_does_not_lead_out_of_tls(void **state)
{
	(void)state;
	struct sides sides = {tls_server(), tls_client()};
	on_each_backend(play_downgrade, &sides);
	qrt_tls_unref(&sides.server);
	qrt_tls_unref(&sides.client);
}

/* --- how it ends ------------------------------------------------------------------------------ */

struct cut_row {
	const char *say;
	enum peer_act act;
	enum qrt_err err;
};

static const struct cut_row cut_rows[] = {
    {"HTTP/1.1 200 OK\r\n\r\nyes", PEER_CLOSE, QRT_OK},
    /* Whoever cuts the wire must not make half an answer a whole one. */
    {"HTTP/1.1 200 OK\r\n\r\nyes", PEER_CUT, QRT_ECONNRESET},
    {"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nyes", PEER_CLOSE, QRT_ECONNRESET},
    {YES, PEER_CUT, QRT_OK},
};

static enum qrt_err play_cut(struct qrt_cx *cx, void *arg)
{
	struct sides *sides = arg;
	for (size_t i = 0; i < sizeof(cut_rows) / sizeof(cut_rows[0]); i++) {
		const struct peer_script script = {{{HEAD_END, cut_rows[i].say, cut_rows[i].act}}};
		struct stage stage;
		struct qrt_http_call *call = NULL;
		struct qrt_http_answer answer;
		EXPECT(!tls_stage(cx, &script, 1, sides->server, sides->client, &stage));
		enum qrt_err err = stage_get(&stage, &call, &answer);
		if (err != cut_rows[i].err) {
			fprintf(stderr, "row %zu: %s %s\n", i, qrt_err_name(err),
				qrt_detail(stage.cx));
			return QRT_EFAILED;
		}
		qrt_http_call_end(stage.cx, &call);
		EXPECT(!stage_close(cx, &stage));
	}
	return QRT_OK;
}

static void a_cut_is_told_from_an_end(void **state)
{
	(void)state;
	struct sides sides = {tls_server(), tls_client()};
	on_each_backend(play_cut, &sides);
	qrt_tls_unref(&sides.server);
	qrt_tls_unref(&sides.client);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(encrypted_connections_are_kept_too),
	    cmocka_unit_test(a_server_that_is_not_trusted_gets_nothing),
	    cmocka_unit_test(a_server_that_does_not_shake_hands_is_given_up),
	    cmocka_unit_test(a_redirect_does_not_lead_out_of_tls),
	    cmocka_unit_test(a_cut_is_told_from_an_end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
