/*
 * TLS as the shim's own files see it:
 *
 *	tls.c		what is shared: files, options, editions of them, labs
 *	tls/stream.c	a connection as a layer over a stream
 *	tls/openssl.c	the protocol; the only file that names openssl/ssl.h
 *	tls/sessions.c	what clients have agreed on, to resume it
 *	tls/random.c	OpenSSL's randomness from a lab's seed
 *
 * What the engine does may go deep: it is called on the loop's own stack, and never waits.
 */
#ifndef QRT_SHIM_TLS_H
#define QRT_SHIM_TLS_H

#include <qrt/tls.h>

#include "shim/src/internal.h"

/* --- tls/random.c ---------------------------------------------------------------------------- */

/* A library context of OpenSSL whose randomness is the runtime's. One thread. */
struct qrt__tls_random;
struct ossl_lib_ctx_st;

/* NULL when there is no memory. */
struct qrt__tls_random *qrt__tls_random_create(struct qrt_runtime *rt);
void qrt__tls_random_destroy(struct qrt__tls_random **random);
struct ossl_lib_ctx_st *qrt__tls_random_library(const struct qrt__tls_random *random);

/* --- tls/sessions.c -------------------------------------------------------------------------- */

/* Sessions by key (a host and port), the newest first; bounded. Any thread. */
struct qrt__tls_sessions;

enum { QRT__TLS_SESSIONS_MAX = 256, QRT__TLS_SESSIONS_PER_KEY = 4 };

/* NULL when there is no memory. @drop frees a session. */
struct qrt__tls_sessions *qrt__tls_sessions_create(void (*drop)(void *session));
void qrt__tls_sessions_destroy(struct qrt__tls_sessions **sessions);
/* Takes @session over; one that finds no room, or no memory, is dropped at once. */
void qrt__tls_sessions_put(struct qrt__tls_sessions *sessions, const char *key, void *session);
/* The newest of @key, the caller's from now on; NULL: there is none. */
void *qrt__tls_sessions_take(struct qrt__tls_sessions *sessions, const char *key);

/* --- tls/openssl.c: contexts ----------------------------------------------------------------- */

/* What a context is made of. Texts are PEM. */
struct qrt__tls_config {
	bool server, verify;
	char *cert, *key, *ca; /* NULL: none; of the last: the system's */
	size_t cert_n, key_n, ca_n;
	unsigned char *alpn; /* as on the wire: each name after its length */
	size_t alpn_n;
};

/* What connections are made from; counted, any thread. */
struct qrt__tls_ctx;

/* @library: NULL, or a lab's. Errors: EINVAL, ENOMEM; the detail goes to @ret_detail. */
enum qrt_err qrt__tls_ctx_create(const struct qrt__tls_config *config,
				 struct ossl_lib_ctx_st *library, char *ret_detail,
				 struct qrt__tls_ctx **ret_ctx);
struct qrt__tls_ctx *qrt__tls_ctx_ref(struct qrt__tls_ctx *ctx);
void qrt__tls_ctx_unref(struct qrt__tls_ctx **ctx);

/* --- tls/openssl.c: connections -------------------------------------------------------------- */

struct qrt__tls_stream;
struct qrt__tls_conn;

struct qrt__tls_conn_options {
	struct qrt__tls_stream *stream;
	const char *host;    /* a client's: to verify and to name; NULL: neither */
	const char *session; /* the key of its sessions; NULL: they are not kept */
	int64_t wall_s;	     /* certificates are judged as of this time */
};

enum qrt_err qrt__tls_conn_create(struct qrt__tls_ctx *ctx,
				  const struct qrt__tls_conn_options *opts,
				  struct qrt__tls_conn **ret_conn);
void qrt__tls_conn_destroy(struct qrt__tls_conn **conn);
/*
 * EAGAIN: something must arrive first. Other errors are final: ECONNRESET (it ended without a
 * word), EPROTO and what the stream says.
 */
enum qrt_err qrt__tls_conn_handshake(struct qrt__tls_conn *conn);
/* Also EEOF: the peer has said that it ends. */
enum qrt_err qrt__tls_conn_read(struct qrt__tls_conn *conn, void *buf, size_t n, size_t *ret_n);
/* At most a record of it, which the stream has taken then. */
enum qrt_err qrt__tls_conn_write(struct qrt__tls_conn *conn, const void *data, size_t n,
				 size_t *ret_n);
/* Says that we end. Nothing when that cannot be said: before the handshake, after an error. */
void qrt__tls_conn_end(struct qrt__tls_conn *conn);
/* What went wrong, in words; "" when the error says it all. */
const char *qrt__tls_conn_why(const struct qrt__tls_conn *conn);
void qrt__tls_conn_info(const struct qrt__tls_conn *conn, struct qrt_tls_info *ret_info);

enum { QRT__TLS_RECORD_MAX = 16384 };

/* --- tls/stream.c, for the engine ------------------------------------------------------------ */

/* Bytes from below. EAGAIN, EEOF. */
enum qrt_err qrt__tls_pull(struct qrt__tls_stream *stream, void *buf, size_t n, size_t *ret_n);
/* All of it: what cannot be sent at once is kept. Errors: ELIMIT, ENOMEM, those of writing. */
enum qrt_err qrt__tls_push(struct qrt__tls_stream *stream, const void *data, size_t n);

/* --- tls.c ----------------------------------------------------------------------------------- */

/* The context for a connection of @rt now, counted. Errors: ENOMEM, EINVAL. On a loop's stack. */
enum qrt_err qrt__tls_ctx_for(struct qrt_runtime *rt, struct qrt_tls *tls, char *ret_detail,
			      struct qrt__tls_ctx **ret_ctx);
bool qrt__tls_is_server(const struct qrt_tls *tls);
bool qrt__tls_verifies(const struct qrt_tls *tls);
int64_t qrt__tls_handshake_ns(const struct qrt_tls *tls);

#endif
