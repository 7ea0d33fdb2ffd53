/*
 * wss: certificates that are good, of somebody else, of nobody known, or too old; names; how a TLS
 * connection ends. The server's side is a thread that takes the TLS off and passes the bytes on to
 * a WebSocket of ours, so the server under it is plain.
 */
#include <netinet/in.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/lib/test.h"
#include "tests/lib/ws_ends.h"

/* --- certificates ---------------------------------------------------------------------------- */

struct identity {
	EVP_PKEY *key;
	X509 *cert;
};

static void add_extension(X509 *cert, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509V3_set_ctx(&ctx, cert, cert, NULL, NULL, 0);
	X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	assert_non_null(extension);
	assert_int_equal(X509_add_ext(cert, extension, -1), 1);
	X509_EXTENSION_free(extension);
}

/* @issuer NULL: a root. Valid from a day ago until @days from now. */
static struct identity issue(const char *name, const char *alt, const struct identity *issuer,
			     int days)
{
	static long serial = 1;
	struct identity made = {.key = EVP_EC_gen("P-256"), .cert = X509_new()};
	assert_non_null(made.key);
	assert_non_null(made.cert);
	X509_set_version(made.cert, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(made.cert), serial++);
	X509_gmtime_adj(X509_getm_notBefore(made.cert), -2 * 86400L);
	X509_gmtime_adj(X509_getm_notAfter(made.cert), days * 86400L);
	X509_set_pubkey(made.cert, made.key);
	X509_NAME *subject = X509_get_subject_name(made.cert);
	X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1,
				   0);
	X509_set_issuer_name(made.cert, issuer ? X509_get_subject_name(issuer->cert) : subject);
	add_extension(made.cert, NID_basic_constraints, issuer ? "CA:FALSE" : "critical,CA:TRUE");
	if (alt) {
		add_extension(made.cert, NID_subject_alt_name, alt);
	}
	assert_true(X509_sign(made.cert, issuer ? issuer->key : made.key, EVP_sha256()) > 0);
	return made;
}

static void identity_free(struct identity *it)
{
	X509_free(it->cert);
	EVP_PKEY_free(it->key);
}

static struct identity root, other_root;
static char ca_file[] = "/tmp/qrt-ws-ca-XXXXXX";

/* A new file in the place of the old one, which nobody sees half written. */
static void trust(const struct identity *whom)
{
	char fresh[sizeof(ca_file) + 4];
	snprintf(fresh, sizeof(fresh), "%s.new", ca_file);
	FILE *file = fopen(fresh, "w");
	assert_non_null(file);
	assert_int_equal(PEM_write_X509(file, whom->cert), 1);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(rename(fresh, ca_file), 0);
}

static int make_roots(void **state)
{
	(void)state;
	root = issue("qrt test root", NULL, NULL, 10);
	other_root = issue("another root", NULL, NULL, 10);
	int fd = mkstemp(ca_file);
	assert_true(fd >= 0);
	close(fd);
	trust(&root);
	return 0;
}

static int forget_roots(void **state)
{
	(void)state;
	identity_free(&root);
	identity_free(&other_root);
	return unlink(ca_file);
}

/* --- the thread that takes the TLS off ------------------------------------------------------- */

struct terminal {
	pthread_t thread;
	int listener, backend_port;
	uint16_t port;
	SSL_CTX *ctx;
	struct identity identity;
	_Atomic bool stop;
	bool plain;    /* speaks no TLS at all */
	bool hang_up;  /* sends close_notify after the first bytes of the backend */
	char name[64]; /* that the last client asked for */
};

static int backend_connect(int port)
{
	struct sockaddr_in to = {.sin_family = AF_INET,
				 .sin_port = htons((uint16_t)port),
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) != 0) {
		close(fd);
		return -1;
	}
	return fd;
}

/* From TLS to the backend; false: the end. */
static bool pass_in(SSL *ssl, int backend)
{
	char buf[16384];
	do {
		int n = SSL_read(ssl, buf, sizeof(buf));
		if (n <= 0 || write(backend, buf, (size_t)n) != n) {
			return false;
		}
	} while (SSL_pending(ssl) > 0);
	return true;
}

static bool pass_out(SSL *ssl, int backend)
{
	char buf[16384];
	ssize_t n = read(backend, buf, sizeof(buf));
	return n > 0 && SSL_write(ssl, buf, (int)n) == n;
}

static void pass(struct terminal *terminal, SSL *ssl, int client, int backend)
{
	bool goes_on = true;
	while (goes_on && !terminal->stop) {
		struct pollfd fds[2] = {{.fd = client, .events = POLLIN},
					{.fd = backend, .events = POLLIN}};
		poll(fds, 2, 20);
		if (fds[1].revents) {
			goes_on = pass_out(ssl, backend);
			if (terminal->hang_up) {
				/* The connection below stays: only TLS has ended. */
				SSL_shutdown(ssl);
				while (!terminal->stop) {
					poll(NULL, 0, 5);
				}
				return;
			}
		}
		if (goes_on && fds[0].revents) {
			goes_on = pass_in(ssl, backend);
		}
	}
}

static void serve_one(struct terminal *terminal, int client)
{
	SSL *ssl = SSL_new(terminal->ctx);
	SSL_set_fd(ssl, client);
	if (terminal->plain) {
		static const char text[] = "HTTP/1.1 400 Speak plainly\r\n\r\n";
		QRT_IGNORE(write(client, text, sizeof(text) - 1), "it may have gone");
	} else if (SSL_accept(ssl) == 1) {
		const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
		snprintf(terminal->name, sizeof(terminal->name), "%s", name ? name : "");
		int backend = backend_connect(terminal->backend_port);
		if (backend >= 0) {
			pass(terminal, ssl, client, backend);
			close(backend);
		}
	}
	SSL_free(ssl);
	close(client);
}

static void *terminal_run(void *arg)
{
	struct terminal *terminal = arg;
	while (!terminal->stop) {
		struct pollfd fd = {.fd = terminal->listener, .events = POLLIN};
		if (poll(&fd, 1, 20) > 0) {
			int client = accept(terminal->listener, NULL, NULL);
			if (client >= 0) {
				serve_one(terminal, client);
			}
		}
	}
	return NULL;
}

/* Serves with @identity, which it takes over; its threads know nothing of the runtime. */
static void terminal_start(struct terminal *terminal, struct identity identity, int backend_port)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t n = sizeof(at);
	terminal->identity = identity;
	terminal->backend_port = backend_port;
	terminal->ctx = SSL_CTX_new(TLS_server_method());
	SSL_CTX_use_certificate(terminal->ctx, identity.cert);
	SSL_CTX_use_PrivateKey(terminal->ctx, identity.key);
	terminal->listener = socket(AF_INET, SOCK_STREAM, 0);
	bind(terminal->listener, (struct sockaddr *)&at, sizeof(at));
	listen(terminal->listener, 8);
	getsockname(terminal->listener, (struct sockaddr *)&at, &n);
	terminal->port = ntohs(at.sin_port);
	if (pthread_create(&terminal->thread, NULL, terminal_run, terminal) != 0) {
		abort();
	}
}

static void terminal_stop(struct terminal *terminal)
{
	terminal->stop = true;
	pthread_join(terminal->thread, NULL);
	close(terminal->listener);
	SSL_CTX_free(terminal->ctx);
	identity_free(&terminal->identity);
}

/* --- what comes of it ------------------------------------------------------------------------ */

struct secure {
	const char *host;
	struct qrt_ws_connect_options opts;
	struct identity identity;
	struct terminal terminal;
	struct ends ends;
	enum qrt_err err;
};

static enum qrt_err open_secure(struct qrt_cx *cx, struct secure *secure)
{
	char url[64];
	EXPECT(!await_one(cx, &secure->ends));
	terminal_start(&secure->terminal, secure->identity, secure->ends.port);
	snprintf(url, sizeof(url), "wss://%s:%u/x", secure->host, secure->terminal.port);
	secure->err = qrt_ws_connect(cx, url, &secure->opts, &secure->ends.client);
	return QRT_OK;
}

static enum qrt_err close_secure(struct qrt_cx *cx, struct secure *secure)
{
	terminal_stop(&secure->terminal);
	if (secure->err) {
		qrt_region_cancel(secure->ends.region, QRT_CANCEL_USER, "nobody came");
	}
	return close_ends(cx, &secure->ends);
}

enum { PIECES = 40, PIECE = 100000 };

/* Sends PIECES messages, each one byte longer than the one before. */
static enum qrt_err sends_pieces(struct qrt_cx *cx, void *arg)
{
	struct waiter *waiter = arg;
	for (size_t i = 0; i < PIECES && !waiter->err; i++) {
		waiter->err = qrt_ws_send(cx, waiter->ws, QRT_WS_BINARY, bulk(), PIECE + i);
	}
	waiter->ended = true;
	return QRT_OK;
}

static enum qrt_err receive_pieces(struct qrt_cx *cx, void *arg)
{
	struct waiter *waiter = arg;
	struct qrt_ws_message message;
	for (size_t i = 0; i < PIECES; i++) {
		EXPECT(!qrt_ws_recv(cx, waiter->ws, &message) && message.n == PIECE + i);
	}
	waiter->ended = true;
	return QRT_OK;
}

/* The client's queue is full, and TLS has more of what was read: nobody turns in vain. */
static enum qrt_err expect_rest(struct qrt_cx *cx, struct qrt_ws *client)
{
	struct qrt_audit before, after;
	EXPECT(!rest(cx) && !rest(cx) && !rest(cx));
	qrt_runtime_audit(qrt_cx_runtime(cx), &before);
	EXPECT(!qrt_sleep(cx, 50 * QRT_MS));
	qrt_runtime_audit(qrt_cx_runtime(cx), &after);
	/* The server's side still writes; a loop that spins turns thousands of times. */
	EXPECT(after.turns - before.turns < 500);
	EXPECT(info_of(cx, client).queued >= 1 && info_of(cx, client).queued <= 3);
	return QRT_OK;
}

static enum qrt_err play_good(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct secure secure = {.host = "localhost",
				.opts = {.ca_file = ca_file, .limits.queue_bytes = 1},
				.identity = issue("whoever", "DNS:localhost", &root, 10)};
	struct qrt_ws_message message;
	EXPECT(!open_secure(cx, &secure));
	EXPECT(!secure.err && !until_accepted(cx, &secure.ends));
	EXPECT(strcmp(secure.terminal.name, "localhost") == 0);
	struct waiter there = {.ws = secure.ends.client}, back = {.ws = secure.ends.server};
	EXPECT(!qrt_spawn(secure.ends.region, sends_pieces, &there));
	EXPECT(!qrt_spawn(secure.ends.region, sends_pieces, &back));
	EXPECT(!expect_rest(cx, secure.ends.client));
	struct waiter heard_there = {.ws = secure.ends.server},
		      heard_back = {.ws = secure.ends.client};
	EXPECT(!qrt_spawn(secure.ends.region, receive_pieces, &heard_there));
	EXPECT(!receive_pieces(cx, &heard_back));
	while (!heard_there.ended || !there.ended || !back.ended) {
		EXPECT(!qrt_sleep(cx, QRT_MS));
	}
	EXPECT(!there.err && !back.err);
	EXPECT(!qrt_ws_send_text(cx, secure.ends.client, "and a word"));
	EXPECT(!qrt_ws_recv(cx, secure.ends.server, &message));
	EXPECT(is_message(&message, QRT_WS_TEXT, "and a word"));
	EXPECT(!qrt_ws_shutdown(cx, secure.ends.client, 1000, "done"));
	EXPECT(qrt_ws_recv(cx, secure.ends.server, &message) == QRT_EEOF);
	return close_secure(cx, &secure);
}

static void a_good_certificate_is_enough(void **state)
{
	(void)state;
	on_each_real_backend(play_good, NULL);
}

struct refusal {
	const char *host, *alt;
	bool other, trusted, no_verify;
	int days;
	enum qrt_err err;
	const char *why;
};

static const struct refusal refusals[] = {
    {"localhost", "DNS:example.org", false, true, false, 10, QRT_EACCES, "ostname mismatch"},
    {"127.0.0.1", "DNS:localhost", false, true, false, 10, QRT_EACCES, "IP address mismatch"},
    {"127.0.0.1", "IP:127.0.0.1", false, true, false, 10, QRT_OK, ""},
    {"localhost", "DNS:localhost", true, true, false, 10, QRT_EACCES, "unable to get local issuer"},
    {"localhost", "DNS:localhost", false, false, false, 10, QRT_EACCES,
     "unable to get local issuer"},
    {"localhost", "DNS:localhost", false, true, false, -1, QRT_EACCES, "expired"},
    /* Whoever it is. */
    {"localhost", "DNS:example.org", true, false, true, -1, QRT_OK, ""},
};

static enum qrt_err play_refusals(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		const struct refusal *it = &refusals[i];
		const struct identity *issuer = it->other ? &other_root : &root;
		struct secure secure = {
		    .host = it->host,
		    .opts = {.ca_file = it->trusted ? ca_file : NULL, .no_verify = it->no_verify},
		    .identity = issue("whoever", it->alt, issuer, it->days)};
		EXPECT(!open_secure(cx, &secure));
		if (secure.err != it->err || (it->err && !strstr(qrt_detail(cx), it->why))) {
			fprintf(stderr, "%d: %s %s\n", (int)i, qrt_err_name(secure.err),
				secure.err ? qrt_detail(cx) : "");
			return QRT_EFAILED;
		}
		EXPECT(!close_secure(cx, &secure));
	}
	return QRT_OK;
}

static void any_other_certificate_is_refused_and_why_is_said(void **state)
{
	(void)state;
	on_each_real_backend(play_refusals, NULL);
}

static enum qrt_err connect_as(struct qrt_cx *cx, enum qrt_err want)
{
	struct secure secure = {.host = "localhost",
				.opts = {.ca_file = ca_file},
				.identity = issue("whoever", "DNS:localhost", &root, 10)};
	EXPECT(!open_secure(cx, &secure));
	EXPECT(secure.err == want);
	return close_secure(cx, &secure);
}

static enum qrt_err play_changed_file(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct secure user = {.host = "localhost",
			      .opts = {.ca_file = ca_file},
			      .identity = issue("whoever", "DNS:localhost", &root, 10)};
	EXPECT(!open_secure(cx, &user));
	EXPECT(!user.err && !until_accepted(cx, &user.ends));
	trust(&other_root);
	enum qrt_err err = connect_as(cx, QRT_EACCES);
	trust(&root);
	EXPECT(!err && !connect_as(cx, QRT_OK));
	return close_secure(cx, &user);
}

static void a_file_of_roots_that_has_changed_is_read_anew(void **state)
{
	(void)state;
	on_each_real_backend(play_changed_file, NULL);
}

static enum qrt_err play_no_file(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct qrt_ws *ws = NULL;
	const struct qrt_ws_connect_options opts = {.ca_file = "/nowhere/ca.pem"};
	EXPECT(qrt_ws_connect(cx, "wss://127.0.0.1:1/", &opts, &ws) == QRT_EINVAL && !ws);
	EXPECT(strstr(qrt_detail(cx), "ca_file /nowhere/ca.pem: No such file"));
	EXPECT(qrt_ws_connect(cx, "wss://[::1]:1/", NULL, &ws) == QRT_ENOTSUP && !ws);
	return QRT_OK;
}

static void a_file_that_is_missing_is_named(void **state)
{
	(void)state;
	on_each_real_backend(play_no_file, NULL);
}

static enum qrt_err play_plain(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct secure secure = {.host = "localhost",
				.opts = {.ca_file = ca_file},
				.identity = issue("whoever", "DNS:localhost", &root, 10),
				.terminal.plain = true};
	EXPECT(!open_secure(cx, &secure));
	EXPECT(secure.err == QRT_EPROTO || secure.err == QRT_ECONNRESET);
	return close_secure(cx, &secure);
}

static void who_speaks_no_tls_is_no_server(void **state)
{
	(void)state;
	on_each_real_backend(play_plain, NULL);
}

static enum qrt_err play_hang_up(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct secure secure = {.host = "localhost",
				.opts = {.ca_file = ca_file},
				.identity = issue("whoever", "DNS:localhost", &root, 10),
				.terminal.hang_up = true};
	struct qrt_ws_message message;
	EXPECT(!open_secure(cx, &secure) && !secure.err);
	EXPECT(qrt_ws_recv(cx, secure.ends.client, &message) == QRT_ECONNRESET);
	EXPECT(info_of(cx, secure.ends.client).code == QRT_WS_DROPPED);
	return close_secure(cx, &secure);
}

static void an_end_of_tls_is_no_close_of_the_websocket(void **state)
{
	(void)state;
	on_each_real_backend(play_hang_up, NULL);
}

static enum qrt_err play_server_tls(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	const struct qrt_ws_accept_options accept = {.cert_file = ca_file, .key_file = ca_file};
	struct ends ends = {.accept = &accept};
	EXPECT(!await_one(cx, &ends));
	EXPECT(dial(cx, &ends, "ws", &ends.client) == QRT_ECONNRESET);
	EXPECT(until_accepted(cx, &ends) == QRT_ENOTSUP);
	return close_ends(cx, &ends);
}

static void as_a_server_tls_is_not_there_and_that_is_said(void **state)
{
	(void)state;
	on_each_real_backend(play_server_tls, NULL);
}

#define TEST(name) cmocka_unit_test(name)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(a_good_certificate_is_enough),
	    TEST(any_other_certificate_is_refused_and_why_is_said),
	    TEST(a_file_of_roots_that_has_changed_is_read_anew),
	    TEST(a_file_that_is_missing_is_named),
	    TEST(who_speaks_no_tls_is_no_server),
	    TEST(an_end_of_tls_is_no_close_of_the_websocket),
	    TEST(as_a_server_tls_is_not_there_and_that_is_said),
	};
	return cmocka_run_group_tests(tests, make_roots, forget_roots);
}
