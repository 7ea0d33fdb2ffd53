/*
 * Handshakes that must not succeed, on each backend: whose certificate is not
 * to be believed, who speaks something else, who is silent.
 */
#include <qrt/combine.h>
#include <qrt/tls.h>
#include <stdio.h>
#include <string.h>

#include "tests/lib/backends.h"
#include "tests/lib/test.h"
#include "tests/lib/tls_pair.h"

/* --- whom a client believes ------------------------------------------------------------------ */

struct belief {
	const char *cert, *key; /* the server's */
	const char *ca;		/* the client's; NULL: no_verify */
	const char *host;
	enum qrt_err err;	 /* the client's */
	const char *client_says; /* in its detail */
	const char *server_says;
};

static enum qrt_err play_belief(struct qrt_cx *cx, void *arg)
{
	const struct belief *belief = arg;
	const struct qrt_tls_server_options server = {.cert_file = belief->cert,
						      .key_file = belief->key};
	const struct qrt_tls_client_options client = {.ca_file = belief->ca,
						      .no_verify = !belief->ca};
	struct tls_pair pair = {.server = tls_server_with(&server),
				.client = tls_client_with(&client),
				.host = belief->host,
				.at_server = tls_echo,
				.at_client = tls_talk};
	enum qrt_err err = tls_pair_play(cx, &pair);
	qrt_tls_unref(&pair.server);
	qrt_tls_unref(&pair.client);
	EXPECT(!err);
	bool as_wished = pair.client_err == belief->err &&
			 pair.server_err == (belief->err ? QRT_EPROTO : QRT_OK) &&
			 strstr(pair.client_detail, belief->client_says) &&
			 strstr(pair.server_detail, belief->server_says);
	if (!as_wished) {
		fprintf(stderr, "client: %s: %s; server: %s: %s\n", qrt_err_name(pair.client_err),
			pair.client_detail, qrt_err_name(pair.server_err), pair.server_detail);
	}
	EXPECT(as_wished);
	return QRT_OK;
}

static void a_client_believes_only_the_host_it_asked_for(void **state)
{
	const struct certs *c = certs();
	(void)state;
	const struct belief beliefs[] = {
	    {c->cert, c->key, c->ca, "127.0.0.1", QRT_OK, "", ""},
	    {c->chain_cert, c->chain_key, c->ca, "server.test", QRT_OK, "", ""},
	    {c->wildcard_cert, c->key, c->ca, "any.server.test", QRT_OK, "", ""},
	    {c->cert, c->key, c->ca, "SERVER.test", QRT_OK, "", ""},
	    {c->expired_cert, c->key, NULL, "elsewhere.test", QRT_OK, "", ""}, /* no_verify */
	    {c->cert, c->key, c->ca, "elsewhere.test", QRT_EPROTO,
	     "TLS with elsewhere.test: the peer's certificate: hostname mismatch",
	     "the peer says: "},
	    {c->cert, c->key, c->ca, "127.0.0.2", QRT_EPROTO,
	     "TLS with 127.0.0.2: the peer's certificate: IP address mismatch", "the peer says: "},
	    {c->cert, c->key, c->ca, "::1", QRT_EPROTO, "IP address mismatch", "the peer says: "},
	    /* An address is never checked as if it were a name, nor the other way round. */
	    {c->wildcard_cert, c->key, c->ca, "127.0.0.1", QRT_EPROTO, "IP address mismatch", ""},
	    {c->wildcard_cert, c->key, c->ca, "server.test", QRT_EPROTO, "hostname mismatch", ""},
	    {c->wildcard_cert, c->key, c->ca, "a.b.server.test", QRT_EPROTO, "hostname mismatch",
	     ""},
	    {c->expired_cert, c->key, c->ca, "server.test", QRT_EPROTO,
	     "the peer's certificate: certificate has expired",
	     "the peer says: sslv3 alert certificate expired"},
	    {c->other_cert, c->other_key, c->ca, "server.test", QRT_EPROTO,
	     "the peer's certificate: unable to get local issuer certificate",
	     "the peer says: tlsv1 alert unknown ca"},
	    {c->cert, c->key, c->other_ca, "server.test", QRT_EPROTO,
	     "unable to get local issuer certificate", ""},
	};
	for (size_t i = 0; i < sizeof(beliefs) / sizeof(beliefs[0]); i++) {
		on_each_backend(play_belief, (void *)(uintptr_t)&beliefs[i]);
	}
}

/* --- who speaks something else -----------------------------------------------------------------
 */

struct stranger {
	struct qrt_tls *server, *client;
	struct qrt_listener *listener;
	struct qrt_stream *stream;
	enum qrt_err err;
	char detail[QRT_DETAIL];
	int64_t took_ns;
};

static enum qrt_err serve(struct qrt_cx *cx, void *arg)
{
	struct stranger *stranger = arg;
	int64_t begun, ended;
	EXPECT(!qrt_accept(cx, stranger->listener, &stranger->stream));
	EXPECT(!qrt_now(cx, &begun));
	stranger->err = qrt_tls_accept(cx, stranger->server, &stranger->stream);
	EXPECT(!qrt_now(cx, &ended));
	stranger->took_ns = ended - begun;
	snprintf(stranger->detail, QRT_DETAIL, "%s", stranger->err ? qrt_detail(cx) : "");
	EXPECT(stranger->err && !stranger->stream);
	return QRT_OK;
}

/* Says @n bytes to a server of ours and hears at most @room of its answer. */
static enum qrt_err say(struct qrt_cx *cx, struct stranger *stranger, const void *data, size_t n,
			char *answer, size_t room, size_t *ret_n)
{
	struct qrt_region *region;
	struct qrt_stream *plain;
	uint16_t port;
	int fd;
	size_t got = 0;
	enum qrt_err err = QRT_OK;
	*ret_n = 0;
	EXPECT(!qrt_socket_listen(cx, "127.0.0.1", 0, &fd, &port));
	EXPECT(!qrt_listener_adopt(cx, fd, &stranger->listener));
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &region));
	EXPECT(!qrt_spawn(region, serve, stranger));
	EXPECT(!qrt_connect(cx, "127.0.0.1", port, &plain));
	EXPECT(n == 0 || !qrt_write(cx, plain, data, n));
	while (!err && *ret_n < room) {
		err = qrt_read(cx, plain, answer + *ret_n, room - *ret_n, &got);
		*ret_n += err ? 0 : got;
	}
	qrt_stream_close(cx, &plain);
	EXPECT(!qrt_region_close(cx, &region, QRT_OK));
	qrt_listener_close(cx, &stranger->listener);
	return QRT_OK;
}

/* A ClientHello of TLS 1.1, by hand. */
static size_t old_hello(unsigned char *hello)
{
	static const unsigned char head[] = {22, 3, 1, 0, 53, 1, 0, 0, 49, 3, 2};
	static const unsigned char tail[] = {0,	   0,	 10,   0xc0, 0x09, 0xc0, 0x13, 0x00,
					     0x2f, 0x00, 0x35, 0x00, 0x0a, 1,	 0};
	memcpy(hello, head, sizeof(head));
	memset(hello + sizeof(head), 7, 32); /* its random bytes */
	memcpy(hello + sizeof(head) + 32, tail, sizeof(tail));
	return sizeof(head) + 32 + sizeof(tail);
}

static enum qrt_err play_old(struct qrt_cx *cx, void *arg)
{
	struct stranger stranger = {.server = arg};
	unsigned char hello[64];
	char answer[7];
	size_t n;
	EXPECT(!say(cx, &stranger, hello, old_hello(hello), answer, sizeof(answer), &n));
	EXPECT(stranger.err == QRT_EPROTO);
	EXPECT(strstr(stranger.detail, "unsupported protocol"));
	/* A fatal alert: protocol_version. */
	EXPECT(n == 7 && answer[0] == 21 && answer[5] == 2 && answer[6] == 70);
	return QRT_OK;
}

static void tls_1_1_is_refused(void **state)
{
	(void)state;
	struct qrt_tls *server = tls_server();
	on_each_backend(play_old, server);
	qrt_tls_unref(&server);
}

static enum qrt_err play_http(struct qrt_cx *cx, void *arg)
{
	static const char request[] = "GET / HTTP/1.1\r\nHost: server.test\r\n\r\n";
	struct stranger stranger = {.server = arg};
	char answer[64];
	size_t n;
	EXPECT(!say(cx, &stranger, request, sizeof(request) - 1, answer, sizeof(answer), &n));
	EXPECT(stranger.err == QRT_EPROTO);
	EXPECT(strstr(stranger.detail, "http request"));
	/* A record longer than any: said by its head alone. */
	EXPECT(!say(cx, &stranger, "\x16\x03\x01\xff\xff\x01\x00\x00\x00\x00\x00\x00\x00\x00", 14,
		    answer, sizeof(answer), &n));
	EXPECT(stranger.err == QRT_EPROTO);
	EXPECT(strstr(stranger.detail, "packet length too long"));
	return QRT_OK;
}

static void what_is_no_tls_is_refused(void **state)
{
	(void)state;
	struct qrt_tls *server = tls_server();
	on_each_backend(play_http, server);
	qrt_tls_unref(&server);
}

/* --- who is silent -----------------------------------------------------------------------------
 */

enum { PATIENCE_MS = 40 };

static enum qrt_err play_silent_client(struct qrt_cx *cx, void *arg)
{
	struct stranger stranger = {.server = arg};
	char answer[64];
	size_t n;
	/* Nothing at all, and half of a greeting. */
	EXPECT(!say(cx, &stranger, "", 0, answer, sizeof(answer), &n));
	EXPECT(n == 0 && stranger.err == QRT_ETIMEDOUT);
	EXPECT(strstr(stranger.detail, ": deadline passed"));
	EXPECT(stranger.took_ns >= PATIENCE_MS * QRT_MS);
	EXPECT(!say(cx, &stranger, "\x16\x03\x01", 3, answer, sizeof(answer), &n));
	EXPECT(n == 0 && stranger.err == QRT_ETIMEDOUT);
	return QRT_OK;
}

static void a_silent_client_is_given_up_in_time(void **state)
{
	(void)state;
	const struct qrt_tls_server_options opts = {.cert_file = certs()->cert,
						    .key_file = certs()->key,
						    .handshake_ns = PATIENCE_MS * QRT_MS};
	struct qrt_tls *server = tls_server_with(&opts);
	on_each_backend(play_silent_client, server);
	qrt_tls_unref(&server);
}

/* Connected to somebody who has not even accepted. */
static enum qrt_err connect_to_nobody(struct qrt_cx *cx, void *arg)
{
	struct stranger *stranger = arg;
	stranger->err = qrt_tls_connect(cx, stranger->client, "server.test", &stranger->stream);
	return stranger->err;
}

static enum qrt_err play_silent_server(struct qrt_cx *cx, void *arg)
{
	struct stranger stranger = {.client = arg};
	uint16_t port;
	int fd;
	EXPECT(!qrt_socket_listen(cx, "127.0.0.1", 0, &fd, &port));
	EXPECT(!qrt_connect(cx, "127.0.0.1", port, &stranger.stream));
	EXPECT(connect_to_nobody(cx, &stranger) == QRT_ETIMEDOUT);
	EXPECT(strcmp(qrt_detail(cx), "TLS with server.test: deadline passed") == 0);
	EXPECT(!stranger.stream);
	/* Under a mask it holds, too: no one else would end it. */
	struct qrt_mask mask;
	EXPECT(!qrt_connect(cx, "127.0.0.1", port, &stranger.stream));
	EXPECT(!qrt_mask_begin(cx, 0, &mask));
	EXPECT(connect_to_nobody(cx, &stranger) == QRT_ETIMEDOUT);
	qrt_mask_end(cx, &mask);
	qrt_socket_close(cx, fd);
	return QRT_OK;
}

static void a_silent_server_is_given_up_in_time(void **state)
{
	(void)state;
	const struct qrt_tls_client_options opts = {.ca_file = certs()->ca,
						    .handshake_ns = PATIENCE_MS * QRT_MS};
	struct qrt_tls *client = tls_client_with(&opts);
	on_each_backend(play_silent_server, client);
	qrt_tls_unref(&client);
}

static enum qrt_err play_impatient(struct qrt_cx *cx, void *arg)
{
	struct stranger stranger = {.client = arg};
	uint16_t port;
	int fd;
	EXPECT(!qrt_socket_listen(cx, "127.0.0.1", 0, &fd, &port));
	/* The caller's deadline is earlier than that of the handshake. */
	EXPECT(!qrt_connect(cx, "127.0.0.1", port, &stranger.stream));
	EXPECT(qrt_timeout(cx, 10 * QRT_MS, connect_to_nobody, &stranger) == QRT_ETIMEDOUT);
	EXPECT(!stranger.stream);
	/* A cancel, too, ends it at once. */
	struct qrt_region *region;
	EXPECT(!qrt_connect(cx, "127.0.0.1", port, &stranger.stream));
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &region));
	EXPECT(!qrt_spawn(region, connect_to_nobody, &stranger));
	EXPECT(!qrt_sleep(cx, 5 * QRT_MS));
	qrt_region_cancel(region, QRT_CANCEL_USER, "enough");
	QRT_IGNORE(qrt_region_close(cx, &region, QRT_OK), "it was cancelled");
	EXPECT(stranger.err == QRT_ECANCELED && !stranger.stream);
	qrt_socket_close(cx, fd);
	return QRT_OK;
}

static void deadline_and_cancel_of_the_caller_come_first(void **state)
{
	(void)state;
	struct qrt_tls *client = tls_client();
	on_each_backend(play_impatient, client);
	qrt_tls_unref(&client);
}

/* --- who goes ----------------------------------------------------------------------------------
 */

static enum qrt_err hang_up(struct qrt_cx *cx, void *arg)
{
	struct stranger *stranger = arg;
	struct qrt_stream *plain;
	char some[100];
	size_t n;
	EXPECT(!qrt_accept(cx, stranger->listener, &plain));
	EXPECT(!qrt_read(cx, plain, some, sizeof(some), &n));
	qrt_stream_close(cx, &plain);
	return QRT_OK;
}

static enum qrt_err play_gone(struct qrt_cx *cx, void *arg)
{
	struct stranger stranger = {.client = arg};
	struct qrt_region *region;
	uint16_t port;
	int fd;
	EXPECT(!qrt_socket_listen(cx, "127.0.0.1", 0, &fd, &port));
	EXPECT(!qrt_listener_adopt(cx, fd, &stranger.listener));
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &region));
	EXPECT(!qrt_spawn(region, hang_up, &stranger));
	EXPECT(!qrt_connect(cx, "127.0.0.1", port, &stranger.stream));
	EXPECT(connect_to_nobody(cx, &stranger) == QRT_ECONNRESET);
	EXPECT(strstr(qrt_detail(cx), "TLS with server.test: ") == qrt_detail(cx));
	EXPECT(!qrt_region_close(cx, &region, QRT_OK));
	qrt_listener_close(cx, &stranger.listener);
	return QRT_OK;
}

static void who_goes_in_the_handshake_has_reset_it(void **state)
{
	(void)state;
	struct qrt_tls *client = tls_client();
	on_each_backend(play_gone, client);
	qrt_tls_unref(&client);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_client_believes_only_the_host_it_asked_for),
	    cmocka_unit_test(tls_1_1_is_refused),
	    cmocka_unit_test(what_is_no_tls_is_refused),
	    cmocka_unit_test(a_silent_client_is_given_up_in_time),
	    cmocka_unit_test(a_silent_server_is_given_up_in_time),
	    cmocka_unit_test(deadline_and_cancel_of_the_caller_come_first),
	    cmocka_unit_test(who_goes_in_the_handshake_has_reset_it),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
