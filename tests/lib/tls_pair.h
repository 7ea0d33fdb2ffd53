/*
 * Two ends of a TLS connection that talk to each other through a socket of the
 * backend's: a server in a task of its own, the client in the caller's.
 */
#ifndef QRT_TESTS_LIB_TLS_PAIR_H
#define QRT_TESTS_LIB_TLS_PAIR_H

#include <qrt/tls.h>

#include "tests/lib/certs.h"

struct tls_pair;
typedef enum qrt_err tls_side_fn(struct qrt_cx *cx, struct tls_pair *pair,
				 struct qrt_stream *stream);

struct tls_pair {
	/* The caller's; a side that is NULL does nothing but shut down and read to the end. */
	struct qrt_tls *server, *client;
	const char *host;    /* NULL: "server.test" */
	const char *address; /* NULL: "127.0.0.1" */
	uint16_t port;	     /* 0: any; it is the same for the next connection */
	tls_side_fn *at_server, *at_client;
	void *arg;
	/* What came of it: of the handshake, else of the side. */
	enum qrt_err server_err, client_err;
	char server_detail[QRT_DETAIL], client_detail[QRT_DETAIL];
	struct qrt_tls_info server_info, client_info; /* versions, ciphers; not alpn */
	char server_alpn[32], client_alpn[32];
};

/* One connection. Only what prevents it (no listener, no region) is an error. */
enum qrt_err tls_pair_play(struct qrt_cx *cx, struct tls_pair *pair);
/* The same, and both sides must have ended well. */
enum qrt_err tls_pair_well(struct qrt_cx *cx, struct tls_pair *pair);

/* Usual options over certs(); abort when they cannot. */
struct qrt_tls *tls_server(void);
struct qrt_tls *tls_client(void);
struct qrt_tls *tls_server_with(const struct qrt_tls_server_options *opts);
struct qrt_tls *tls_client_with(const struct qrt_tls_client_options *opts);

/* Reads to the end, which must be a clean one. */
enum qrt_err tls_to_the_end(struct qrt_cx *cx, struct tls_pair *pair, struct qrt_stream *stream);
/* Sends back what arrives, to the end, and ends itself. */
enum qrt_err tls_echo(struct qrt_cx *cx, struct tls_pair *pair, struct qrt_stream *stream);
/* Says something, hears it back, ends, and hears that end. */
enum qrt_err tls_talk(struct qrt_cx *cx, struct tls_pair *pair, struct qrt_stream *stream);
/* Exactly @n bytes. */
enum qrt_err tls_read_all(struct qrt_cx *cx, struct qrt_stream *stream, void *buf, size_t n);

#endif
