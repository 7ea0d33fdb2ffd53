/*
 * The protocol, by OpenSSL 3: the only file that names openssl/ssl.h. A
 * connection reads and writes through its stream's qrt__tls_pull and _push;
 * nothing here waits, and no error of OpenSSL's queue outlives a call.
 */
#include <stdio.h>
#include <stdlib.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "shim/src/tls/tls.h"

struct qrt__tls_ctx {
	_Atomic unsigned refs;
	SSL_CTX *ssl;
	BIO_METHOD *bio;
	struct qrt__tls_sessions *sessions; /* a client's */
	bool verify;
	unsigned char *alpn; /* a server's, as on the wire */
	size_t alpn_n;
};

struct qrt__tls_conn {
	SSL *ssl;
	struct qrt__tls_ctx *ctx;
	struct qrt__tls_stream *stream;
	char *session;	    /* the key of its sessions, or NULL */
	enum qrt_err below; /* what the stream below has said that is no EAGAIN */
	enum qrt_err dead;  /* nothing more can be done, because of this */
	bool ended;	    /* we have said that we end */
	char why[120];
	char alpn[256];
};

/* --- errors ---------------------------------------------------------------------------------- */

/* OpenSSL's word for its last error, and an empty queue. */
static const char *last_word(void)
{
	unsigned long code = ERR_peek_last_error();
	const char *text = ERR_reason_error_string(code);
	ERR_clear_error();
	return text ? text : "unknown error";
}

static enum qrt_err refuse(char *ret_detail, enum qrt_err err, const char *what)
{
	snprintf(ret_detail, QRT_DETAIL, "%s: %s", what, last_word());
	return err;
}

/* --- the stream below, as OpenSSL wants it -----------------------------------------------------
 */

static int below_read(BIO *bio, char *buf, size_t n, size_t *ret_n)
{
	struct qrt__tls_conn *conn = BIO_get_data(bio);
	BIO_clear_retry_flags(bio);
	enum qrt_err err = qrt__tls_pull(conn->stream, buf, n, ret_n);
	if (err == QRT_EAGAIN) {
		BIO_set_retry_read(bio);
	} else if (err) {
		conn->below = err;
	}
	return !err;
}

static int below_write(BIO *bio, const char *data, size_t n, size_t *ret_n)
{
	struct qrt__tls_conn *conn = BIO_get_data(bio);
	BIO_clear_retry_flags(bio);
	enum qrt_err err = qrt__tls_push(conn->stream, data, n);
	if (err) {
		conn->below = err;
		return 0;
	}
	*ret_n = n;
	return 1;
}

static long below_ctrl(BIO *bio, int cmd, long num, void *ptr)
{
	const struct qrt__tls_conn *conn = BIO_get_data(bio);
	(void)num;
	(void)ptr;
	if (cmd == BIO_CTRL_EOF) {
		return conn->below == QRT_EEOF;
	}
	return cmd == BIO_CTRL_FLUSH; /* what cannot be sent yet is the stream's affair */
}

static BIO_METHOD *below_method(void)
{
	BIO_METHOD *method = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "stream below");
	if (method && !(BIO_meth_set_read_ex(method, below_read) &&
			BIO_meth_set_write_ex(method, below_write) &&
			BIO_meth_set_ctrl(method, below_ctrl))) {
		BIO_meth_free(method);
		method = NULL;
	}
	return method;
}

/* --- contexts: certificates, keys, roots -------------------------------------------------------
 */

/* A key that is encrypted cannot be had: nobody is there to be asked. */
static int no_password(char *buf, int size, int rwflag, void *arg)
{
	(void)buf;
	(void)size;
	(void)rwflag;
	(void)arg;
	return -1;
}

/* The next certificate in @bio; NULL: none, or none that can be read. */
static X509 *next_certificate(BIO *bio, OSSL_LIB_CTX *library)
{
	X509 *x509 = X509_new_ex(library, NULL);
	if (x509 && !PEM_read_bio_X509(bio, &x509, no_password, NULL)) {
		X509_free(x509);
		x509 = NULL;
	}
	return x509;
}

/* Whether reading has stopped because there is nothing more. */
static bool at_end(void)
{
	unsigned long code = ERR_peek_last_error();
	bool end = !code || (ERR_GET_LIB(code) == ERR_LIB_PEM &&
			     ERR_GET_REASON(code) == PEM_R_NO_START_LINE);
	if (end) {
		ERR_clear_error();
	}
	return end;
}

static enum qrt_err use_chain(SSL_CTX *ssl, BIO *bio, OSSL_LIB_CTX *library, char *ret_detail)
{
	X509 *x509 = next_certificate(bio, library);
	int ok = x509 && SSL_CTX_use_certificate(ssl, x509);
	X509_free(x509);
	if (!ok) {
		return refuse(ret_detail, QRT_EINVAL, "cert_file, its certificate");
	}
	while ((x509 = next_certificate(bio, library))) {
		if (!SSL_CTX_add0_chain_cert(ssl, x509)) {
			X509_free(x509);
			return refuse(ret_detail, QRT_EINVAL, "cert_file, its chain");
		}
	}
	return at_end() ? QRT_OK : refuse(ret_detail, QRT_EINVAL, "cert_file, its chain");
}

static enum qrt_err use_key(SSL_CTX *ssl, BIO *bio, OSSL_LIB_CTX *library, char *ret_detail)
{
	EVP_PKEY *key = PEM_read_bio_PrivateKey_ex(bio, NULL, no_password, NULL, library, NULL);
	int ok = key && SSL_CTX_use_PrivateKey(ssl, key);
	EVP_PKEY_free(key);
	return ok ? QRT_OK : refuse(ret_detail, QRT_EINVAL, "key_file");
}

static enum qrt_err use_roots(SSL_CTX *ssl, BIO *bio, OSSL_LIB_CTX *library, char *ret_detail)
{
	X509_STORE *store = SSL_CTX_get_cert_store(ssl);
	X509 *x509;
	size_t n = 0;
	while ((x509 = next_certificate(bio, library))) {
		int ok = X509_STORE_add_cert(store, x509);
		X509_free(x509);
		if (!ok) {
			return refuse(ret_detail, QRT_EINVAL, "ca_file");
		}
		n++;
	}
	if (!at_end()) {
		return refuse(ret_detail, QRT_EINVAL, "ca_file");
	}
	if (n == 0) {
		snprintf(ret_detail, QRT_DETAIL, "ca_file: no certificate is in it");
		return QRT_EINVAL;
	}
	return QRT_OK;
}

typedef enum qrt_err use_fn(SSL_CTX *ssl, BIO *bio, OSSL_LIB_CTX *library, char *ret_detail);

static enum qrt_err use(SSL_CTX *ssl, use_fn *fn, const char *text, size_t n, OSSL_LIB_CTX *library,
			char *ret_detail)
{
	ERR_clear_error();
	BIO *bio = BIO_new_mem_buf(text, (int)n);
	enum qrt_err err = bio ? fn(ssl, bio, library, ret_detail) : QRT_ENOMEM;
	BIO_free(bio);
	return err;
}

/* --- contexts: what is agreed on ---------------------------------------------------------------
 */

/* A server's choice among what the client speaks; who has nothing in common is told so. */
static int choose_alpn(SSL *ssl, const unsigned char **ret_name, unsigned char *ret_n,
		       const unsigned char *theirs, unsigned int theirs_n, void *arg)
{
	const struct qrt__tls_ctx *ctx = arg;
	unsigned char *name;
	(void)ssl;
	int found = SSL_select_next_proto(&name, ret_n, ctx->alpn, (unsigned int)ctx->alpn_n,
					  theirs, theirs_n);
	*ret_name = name;
	return found == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

static void drop_session(void *session)
{
	SSL_SESSION_free(session);
}

/* A client has been given a session. 1: it is ours to free. */
static int keep_session(SSL *ssl, SSL_SESSION *session)
{
	const struct qrt__tls_conn *conn = SSL_get_app_data(ssl);
	if (!conn->session || !SSL_SESSION_is_resumable(session)) {
		return 0;
	}
	qrt__tls_sessions_put(conn->ctx->sessions, conn->session, session);
	return 1;
}

static bool set_server(struct qrt__tls_ctx *ctx, const struct qrt__tls_config *config)
{
	static const unsigned char id[] = "qrt";
	/* Clients keep what they need in tickets; here nothing grows with their number. */
	SSL_CTX_set_session_cache_mode(ctx->ssl, SSL_SESS_CACHE_OFF);
	if (config->alpn) {
		ctx->alpn = malloc(config->alpn_n);
		if (!ctx->alpn) {
			return false;
		}
		memcpy(ctx->alpn, config->alpn, config->alpn_n);
		ctx->alpn_n = config->alpn_n;
		SSL_CTX_set_alpn_select_cb(ctx->ssl, choose_alpn, ctx);
	}
	return SSL_CTX_set_session_id_context(ctx->ssl, id, sizeof(id) - 1);
}

static bool set_client(struct qrt__tls_ctx *ctx, const struct qrt__tls_config *config)
{
	SSL_CTX_set_verify(ctx->ssl, config->verify ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, NULL);
	SSL_CTX_set_session_cache_mode(ctx->ssl,
				       SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(ctx->ssl, keep_session);
	ctx->sessions = qrt__tls_sessions_create(drop_session);
	/* The one call of OpenSSL that says 0 when it went well. */
	return ctx->sessions &&
	       (!config->alpn ||
		!SSL_CTX_set_alpn_protos(ctx->ssl, config->alpn, (unsigned int)config->alpn_n));
}

/* What holds for both sides. */
static bool set_common(SSL_CTX *ssl)
{
	SSL_CTX_set_options(ssl, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
				     SSL_OP_CIPHER_SERVER_PREFERENCE);
	/* An idle connection has no buffers of OpenSSL; a busy one reads what there is at once. */
	SSL_CTX_set_mode(ssl, SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_read_ahead(ssl, 1);
	return SSL_CTX_set_min_proto_version(ssl, TLS1_2_VERSION) &&
	       SSL_CTX_set_cipher_list(ssl, "ECDHE+AESGCM:ECDHE+CHACHA20");
}

static enum qrt_err ctx_fill(struct qrt__tls_ctx *ctx, const struct qrt__tls_config *config,
			     OSSL_LIB_CTX *library, char *ret_detail)
{
	bool set = set_common(ctx->ssl);
	set = set && (config->server ? set_server(ctx, config) : set_client(ctx, config));
	if (!set) {
		return refuse(ret_detail, QRT_ENOMEM, "TLS");
	}
	enum qrt_err err = QRT_OK;
	if (config->cert) {
		err = use(ctx->ssl, use_chain, config->cert, config->cert_n, library, ret_detail);
	}
	if (!err && config->key) {
		err = use(ctx->ssl, use_key, config->key, config->key_n, library, ret_detail);
	}
	if (!err && config->ca) {
		err = use(ctx->ssl, use_roots, config->ca, config->ca_n, library, ret_detail);
	} else if (!err && config->verify && !SSL_CTX_set_default_verify_paths(ctx->ssl)) {
		err = refuse(ret_detail, QRT_EINVAL, "the system's roots");
	}
	return err;
}

enum qrt_err qrt__tls_ctx_create(const struct qrt__tls_config *config,
				 struct ossl_lib_ctx_st *library, char *ret_detail,
				 struct qrt__tls_ctx **ret_ctx)
{
	struct qrt__tls_ctx *ctx = calloc(1, sizeof(*ctx));
	if (!ctx) {
		return QRT_ENOMEM;
	}
	ctx->refs = 1;
	ctx->verify = config->verify;
	ctx->bio = below_method();
	ctx->ssl = SSL_CTX_new_ex(library, NULL,
				  config->server ? TLS_server_method() : TLS_client_method());
	enum qrt_err err = ctx->bio && ctx->ssl ? ctx_fill(ctx, config, library, ret_detail)
						: refuse(ret_detail, QRT_ENOMEM, "TLS");
	if (err) {
		qrt__tls_ctx_unref(&ctx);
		return err;
	}
	*ret_ctx = ctx;
	return QRT_OK;
}

struct qrt__tls_ctx *qrt__tls_ctx_ref(struct qrt__tls_ctx *ctx)
{
	ctx->refs++;
	return ctx;
}

void qrt__tls_ctx_unref(struct qrt__tls_ctx **ctx_ptr)
{
	struct qrt__tls_ctx *ctx = *ctx_ptr;
	*ctx_ptr = NULL;
	if (ctx && --ctx->refs == 0) {
		SSL_CTX_free(ctx->ssl);
		BIO_meth_free(ctx->bio);
		qrt__tls_sessions_destroy(&ctx->sessions);
		free(ctx->alpn);
		free(ctx);
	}
}

/* --- connections ----------------------------------------------------------------------------- */

/* The peer must be @host: an address by its own check, which the name's would not pass. */
static bool expect_host(struct qrt__tls_conn *conn, const char *host)
{
	SSL_set_hostflags(conn->ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	if (qrt__is_address(host)) {
		return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(conn->ssl), host);
	}
	return SSL_set1_host(conn->ssl, host) && SSL_set_tlsext_host_name(conn->ssl, host);
}

static bool resume(struct qrt__tls_conn *conn)
{
	SSL_SESSION *session = qrt__tls_sessions_take(conn->ctx->sessions, conn->session);
	bool ok = true;
	if (session && SSL_SESSION_is_resumable(session)) {
		ok = SSL_set_session(conn->ssl, session);
		/* One of TLS 1.3 is for once; an older one may serve again. */
		if (SSL_SESSION_get_protocol_version(session) < TLS1_3_VERSION) {
			qrt__tls_sessions_put(conn->ctx->sessions, conn->session, session);
			session = NULL;
		}
	}
	SSL_SESSION_free(session);
	return ok;
}

static bool conn_fill(struct qrt__tls_conn *conn, const struct qrt__tls_conn_options *opts)
{
	BIO *bio = BIO_new(conn->ctx->bio);
	if (!bio) {
		return false;
	}
	BIO_set_data(bio, conn);
	BIO_set_init(bio, 1);
	SSL_set_bio(conn->ssl, bio, bio);
	SSL_set_app_data(conn->ssl, conn);
	X509_VERIFY_PARAM_set_time(SSL_get0_param(conn->ssl), (time_t)opts->wall_s);
	if (SSL_is_server(conn->ssl)) {
		SSL_set_accept_state(conn->ssl);
		return true;
	}
	SSL_set_connect_state(conn->ssl);
	if (opts->session) {
		conn->session = strdup(opts->session);
		if (!conn->session || !resume(conn)) {
			return false;
		}
	}
	return !opts->host || expect_host(conn, opts->host);
}

enum qrt_err qrt__tls_conn_create(struct qrt__tls_ctx *ctx,
				  const struct qrt__tls_conn_options *opts,
				  struct qrt__tls_conn **ret_conn)
{
	struct qrt__tls_conn *conn = calloc(1, sizeof(*conn));
	if (!conn) {
		return QRT_ENOMEM;
	}
	ERR_clear_error();
	conn->ctx = qrt__tls_ctx_ref(ctx);
	conn->stream = opts->stream;
	conn->ssl = SSL_new(ctx->ssl);
	if (!conn->ssl || !conn_fill(conn, opts)) {
		ERR_clear_error();
		qrt__tls_conn_destroy(&conn);
		return QRT_ENOMEM;
	}
	*ret_conn = conn;
	return QRT_OK;
}

void qrt__tls_conn_destroy(struct qrt__tls_conn **conn_ptr)
{
	struct qrt__tls_conn *conn = *conn_ptr;
	*conn_ptr = NULL;
	if (conn) {
		SSL_free(conn->ssl);
		qrt__tls_ctx_unref(&conn->ctx);
		free(conn->session);
		free(conn);
	}
}

/* The words for a protocol error. */
static void explain(struct qrt__tls_conn *conn)
{
	unsigned long code = ERR_peek_last_error();
	long verdict = SSL_get_verify_result(conn->ssl);
	const char *whose = "";
	if (ERR_GET_LIB(code) == ERR_LIB_SSL && ERR_GET_REASON(code) > SSL_AD_REASON_OFFSET) {
		whose = "the peer says: ";
	}
	if (conn->ctx->verify && !SSL_is_init_finished(conn->ssl) && verdict != X509_V_OK) {
		snprintf(conn->why, sizeof(conn->why), "the peer's certificate: %s",
			 X509_verify_cert_error_string(verdict));
		ERR_clear_error();
	} else {
		snprintf(conn->why, sizeof(conn->why), "%s%s", whose, last_word());
	}
}

/* What became of a call that returned @result. */
static enum qrt_err outcome(struct qrt__tls_conn *conn, int result)
{
	int kind = SSL_get_error(conn->ssl, result);
	if (kind == SSL_ERROR_NONE) {
		return QRT_OK;
	}
	if (kind == SSL_ERROR_WANT_READ) {
		return QRT_EAGAIN;
	}
	if (kind == SSL_ERROR_ZERO_RETURN) {
		return QRT_EEOF;
	}
	if (conn->below == QRT_EEOF) {
		conn->dead = QRT_ECONNRESET; /* it ended without saying so */
		snprintf(conn->why, sizeof(conn->why), "the connection ended without a close");
	} else if (conn->below) {
		conn->dead = conn->below;
	} else {
		conn->dead = QRT_EPROTO;
		explain(conn);
	}
	ERR_clear_error();
	return conn->dead;
}

enum qrt_err qrt__tls_conn_handshake(struct qrt__tls_conn *conn)
{
	if (conn->dead) {
		return conn->dead;
	}
	ERR_clear_error();
	enum qrt_err err = outcome(conn, SSL_do_handshake(conn->ssl));
	if (!err) {
		const unsigned char *name;
		unsigned int n;
		SSL_get0_alpn_selected(conn->ssl, &name, &n);
		memcpy(conn->alpn, name ? name : (const unsigned char *)"", n);
	}
	return err == QRT_EEOF ? QRT_ECONNRESET : err;
}

enum qrt_err qrt__tls_conn_read(struct qrt__tls_conn *conn, void *buf, size_t n, size_t *ret_n)
{
	if (conn->dead) {
		return conn->dead;
	}
	ERR_clear_error();
	return outcome(conn, SSL_read_ex(conn->ssl, buf, n, ret_n));
}

enum qrt_err qrt__tls_conn_write(struct qrt__tls_conn *conn, const void *data, size_t n,
				 size_t *ret_n)
{
	if (conn->dead || conn->ended) {
		return conn->dead ? conn->dead : QRT_ECONNRESET;
	}
	ERR_clear_error();
	n = n < QRT__TLS_RECORD_MAX ? n : QRT__TLS_RECORD_MAX;
	enum qrt_err err = outcome(conn, SSL_write_ex(conn->ssl, data, n, ret_n));
	/* What is pushed is always taken: only a renegotiation, which is refused, could wait. */
	QRT_ASSERT(err != QRT_EAGAIN);
	return err;
}

void qrt__tls_conn_end(struct qrt__tls_conn *conn)
{
	if (!conn->dead && !conn->ended && SSL_is_init_finished(conn->ssl)) {
		conn->ended = true;
		ERR_clear_error();
		if (SSL_shutdown(conn->ssl) < 0) {
			QRT_IGNORE(outcome(conn, -1), "it is kept for the next call");
		}
	}
}

const char *qrt__tls_conn_why(const struct qrt__tls_conn *conn)
{
	return conn->why;
}

void qrt__tls_conn_info(const struct qrt__tls_conn *conn, struct qrt_tls_info *ret_info)
{
	const SSL *ssl = conn->ssl;
	*ret_info = (struct qrt_tls_info){.version = SSL_get_version(ssl),
					  .cipher = SSL_get_cipher_name(ssl),
					  .alpn = conn->alpn,
					  .resumed = SSL_session_reused(ssl)};
}
