/*
 * What a peer sees of us, and what it cannot make us do. It is OpenSSL itself, on a thread, over a
 * socket pair. TLS 1.3 lets it ask for new keys, which is answered with new ones: what it does not
 * read of them waits with us, up to a bound, and goes out also while we only read.
 */
#include "tests/lib/test.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include <qrt/stream.h>

#include "tests/lib/backends.h"
#include "tests/lib/tls_pair.h"

/* An answer is 27 bytes and takes about a kilobyte of a socket's buffer, which has 200 of them. */
#define SOME 800
#define NEARLY_ALL (SOME - 50) /* two at once may be answered by one */
#define TOO_MANY 20000
#define NUDGES_MAX 10000

struct peer {
	int fd;
	unsigned asks;	  /* how often it wants new keys before it reads anything */
	bool reads;	  /* then nearly all answers, while it goes on to write */
	unsigned answers; /* that have come */
	bool connected;
	pthread_t thread;
	/* As a server: */
	char name[64];	 /* whom the client wants to talk to; "": it does not say */
	bool negotiates; /* once more, when it is connected; by TLS 1.2 */
	bool refused;	 /* that */
};

static void hear(int written, int version, int type, const void *data, size_t n, SSL *ssl,
		 void *arg)
{
	const unsigned char *message = data;
	struct peer *peer = arg;

	(void)version;
	(void)ssl;
	if (!written && type == SSL3_RT_HANDSHAKE && n > 0 && message[0] == SSL3_MT_KEY_UPDATE) {
		peer->answers++;
	}
}

/* Whether something has come, for a moment. */
static bool comes(int fd)
{
	struct pollfd ready = {.fd = fd, .events = POLLIN};

	return poll(&ready, 1, 1) == 1;
}

/* A byte makes the reader at the other end look again; what comes is read. */
static void read_answers(struct peer *peer, SSL *ssl)
{
	char buf[64];

	for (int i = 0; i < NUDGES_MAX && peer->answers < NEARLY_ALL; i++) {
		if (SSL_write(ssl, "y", 1) != 1) {
			return;
		}
		while (comes(peer->fd)) {
			(void)SSL_read(ssl, buf, sizeof(buf)); /* there is no text, only answers */
		}
	}
}

static void *peer_main(void *arg)
{
	struct peer *peer = arg;
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	SSL *ssl = SSL_new(ctx);
	unsigned asked = 0;

	SSL_set_fd(ssl, peer->fd);
	SSL_set_msg_callback(ssl, hear);
	SSL_set_msg_callback_arg(ssl, peer);
	/* A read gives back control where there was no text. */
	SSL_clear_mode(ssl, SSL_MODE_AUTO_RETRY);
	peer->connected = SSL_connect(ssl) == 1 && SSL_version(ssl) == TLS1_3_VERSION;
	while (peer->connected && asked < peer->asks &&
	       SSL_key_update(ssl, SSL_KEY_UPDATE_REQUESTED) == 1 && SSL_do_handshake(ssl) == 1) {
		asked++;
	}
	if (peer->connected && peer->reads) {
		read_answers(peer, ssl);
		SSL_shutdown(ssl);
	}
	SSL_free(ssl);
	SSL_CTX_free(ctx);
	close(peer->fd);
	return NULL;
}

/* --- as a client ----------------------------------------------------------------------------- */

/* Takes @peer's connection; the caller joins its thread. */
static enum qrt_err accept_peer(struct qrt_cx *cx, struct peer *peer, struct qrt_stream **stream)
{
	struct qrt_tls *tls = tls_server();
	int fds[2];
	enum qrt_err err;

	EXPECT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
	peer->fd = fds[1];
	EXPECT(!qrt_stream_adopt(cx, fds[0], stream));
	EXPECT(pthread_create(&peer->thread, NULL, peer_main, peer) == 0);
	err = qrt_tls_accept(cx, tls, stream);
	qrt_tls_unref(&tls);
	return err;
}

static enum qrt_err read_until_it_ends(struct qrt_cx *cx, struct qrt_stream *stream)
{
	char buf[256];
	size_t n;
	enum qrt_err err = QRT_OK;

	while (!err) {
		err = qrt_read(cx, stream, buf, sizeof(buf), &n);
	}
	return err;
}

static enum qrt_err play(struct qrt_cx *cx, struct peer *peer, enum qrt_err *ret_end)
{
	struct qrt_stream *stream = NULL;
	enum qrt_err err = accept_peer(cx, peer, &stream);

	if (!err) {
		*ret_end = read_until_it_ends(cx, stream);
	}
	qrt_stream_close(cx, &stream);
	pthread_join(peer->thread, NULL);
	return err;
}

static enum qrt_err ask_for_too_much(struct qrt_cx *cx, void *arg)
{
	struct peer peer = {.asks = TOO_MANY};
	enum qrt_err end = QRT_OK;

	(void)arg;
	EXPECT(!play(cx, &peer, &end));
	EXPECT(peer.connected);
	EXPECT(end == QRT_ELIMIT);
	return QRT_OK;
}

static void who_makes_us_answer_without_end_is_given_up(void **state)
{
	size_t n;

	(void)state;
	/* It is the same code above each, and a lot of arithmetic. */
	assert_int_equal(on_backend(real_backends(&n)[0], ask_for_too_much, NULL), QRT_OK);
}

static enum qrt_err ask_and_listen(struct qrt_cx *cx, void *arg)
{
	struct peer peer = {.asks = SOME, .reads = true};
	enum qrt_err end = QRT_OK;

	(void)arg;
	EXPECT(!play(cx, &peer, &end));
	EXPECT(peer.connected);
	EXPECT(end == QRT_EEOF);
	EXPECT(peer.answers >= NEARLY_ALL);
	return QRT_OK;
}

static void what_waits_goes_out_while_we_only_read(void **state)
{
	(void)state;
	on_each_real_backend(ask_and_listen, NULL);
}

/* --- as a server ----------------------------------------------------------------------------- */

static void *server_main(void *arg)
{
	struct peer *peer = arg;
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
	SSL *ssl;
	const char *name;
	char c;

	SSL_CTX_use_certificate_file(ctx, certs()->cert, SSL_FILETYPE_PEM);
	SSL_CTX_use_PrivateKey_file(ctx, certs()->key, SSL_FILETYPE_PEM);
	SSL_CTX_set_max_proto_version(ctx, peer->negotiates ? TLS1_2_VERSION : 0);
	ssl = SSL_new(ctx);
	SSL_set_fd(ssl, peer->fd);
	peer->connected = SSL_accept(ssl) == 1;
	name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
	snprintf(peer->name, sizeof(peer->name), "%s", name != NULL ? name : "");
	if (peer->negotiates) {
		ERR_clear_error();
		SSL_renegotiate(ssl);
		SSL_do_handshake(ssl);
		peer->refused = SSL_read(ssl, &c, 1) != 1 &&
				ERR_GET_REASON(ERR_peek_error()) == SSL_R_NO_RENEGOTIATION;
	}
	SSL_shutdown(ssl);
	SSL_free(ssl);
	SSL_CTX_free(ctx);
	close(peer->fd);
	return NULL;
}

/* Connects to @peer as to @host, and reads to the end, whatever that is. */
static enum qrt_err connect_as(struct qrt_cx *cx, struct peer *peer, const char *host)
{
	struct qrt_tls *tls = tls_client();
	struct qrt_stream *stream = NULL;
	int fds[2];
	enum qrt_err err;

	EXPECT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
	peer->fd = fds[1];
	EXPECT(!qrt_stream_adopt(cx, fds[0], &stream));
	EXPECT(pthread_create(&peer->thread, NULL, server_main, peer) == 0);
	err = qrt_tls_connect(cx, tls, host, &stream);
	if (!err) {
		QRT_IGNORE(read_until_it_ends(cx, stream), "the peer tells");
	}
	qrt_stream_close(cx, &stream);
	pthread_join(peer->thread, NULL);
	qrt_tls_unref(&tls);
	return err;
}

/* An address is no name, and must not be sent as one. */
static enum qrt_err say_names(struct qrt_cx *cx, void *arg)
{
	struct peer named = {.name = "?"}, addressed = {.name = "?"};

	(void)arg;
	EXPECT(!connect_as(cx, &named, "server.test"));
	EXPECT(named.connected && strcmp(named.name, "server.test") == 0);
	EXPECT(!connect_as(cx, &addressed, "127.0.0.1"));
	EXPECT(addressed.connected && strcmp(addressed.name, "") == 0);
	return QRT_OK;
}

static void a_client_says_whom_it_wants_by_name(void **state)
{
	(void)state;
	on_each_real_backend(say_names, NULL);
}

/* A clean end is none before there was a connection. */
static enum qrt_err be_left_at_once(struct qrt_cx *cx, void *arg)
{
	static const unsigned char close_notify[] = {21, 3, 3, 0, 2, 1, 0};
	struct qrt_tls *tls = tls_client();
	struct qrt_stream *stream = NULL;
	int fds[2];
	enum qrt_err err;

	(void)arg;
	EXPECT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
	EXPECT(!qrt_stream_adopt(cx, fds[0], &stream));
	EXPECT(write(fds[1], close_notify, sizeof(close_notify)) == sizeof(close_notify));
	err = qrt_tls_connect(cx, tls, "server.test", &stream);
	qrt_tls_unref(&tls);
	close(fds[1]);
	EXPECT(err == QRT_ECONNRESET);
	return QRT_OK;
}

static void who_ends_before_it_has_begun_has_reset_it(void **state)
{
	(void)state;
	on_each_real_backend(be_left_at_once, NULL);
}

static enum qrt_err be_asked_again(struct qrt_cx *cx, void *arg)
{
	struct peer peer = {.negotiates = true};

	(void)arg;
	EXPECT(!connect_as(cx, &peer, "server.test"));
	EXPECT(peer.connected && peer.refused);
	return QRT_OK;
}

static void what_was_agreed_on_is_not_negotiated_again(void **state)
{
	(void)state;
	on_each_real_backend(be_asked_again, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(who_makes_us_answer_without_end_is_given_up),
	    cmocka_unit_test(what_waits_goes_out_while_we_only_read),
	    cmocka_unit_test(a_client_says_whom_it_wants_by_name),
	    cmocka_unit_test(who_ends_before_it_has_begun_has_reset_it),
	    cmocka_unit_test(what_was_agreed_on_is_not_negotiated_again),
	};

	/* The peer writes to a socket that may have been closed. */
	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
