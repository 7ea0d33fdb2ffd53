/*
 * TLS over any stream, by OpenSSL: versions 1.2 and 1.3, client and server. A
 * connection that is wrapped is a stream like others (qrt/stream.h): on every
 * backend, in the lab too, and over another layer.
 *
 * What the calls of qrt/stream.h say of an encrypted stream:
 *
 * qrt_read: EEOF only after the peer has said that it ends (close_notify);
 *	ECONNRESET when the connection ended without it: what was read may be
 *	cut short. EPROTO, with OpenSSL's word in the detail: nothing more can
 *	be read or written. A cancelled read has taken nothing.
 * qrt_writev: as much of a record as there is in the slices, up to 16 KiB. One
 *	that was given up (cancelled, late) after a part was taken spoils the
 *	stream: each later write and shutdown is ESTATE, and the peer will see
 *	its end as ECONNRESET, for it must not take half a message for a whole.
 * qrt_stream_shutdown: says close_notify; waits if it cannot be sent at once
 *	(then it has the errors of what suspends; EBUSY: a task is in a write).
 * qrt_stream_close: says close_notify if nobody has and it can be sent at once.
 *	Who must be sure that the peer reads a clean end calls shutdown first.
 *
 * One task may read while another writes. Renegotiation is refused, as is what
 * TLS 1.2 has of ciphers without forward secrecy. Per connection at most one
 * record in each direction is kept, besides what the handshake needs.
 *
 * In the lab randomness comes from the seed, and certificates are judged by the
 * lab's clock; their sessions and tickets are that runtime's own.
 */
#ifndef QRT_TLS_H
#define QRT_TLS_H

#include <qrt/stream.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Certificate and key, or roots; what was agreed on with whom, to resume it. Counted. Any thread;
 * shared by any number of runtimes and connections.
 */
struct qrt_tls;

struct qrt_tls_server_options {
	const char *cert_file; /* PEM: the certificate, then its chain */
	const char *key_file;  /* PEM, not encrypted */
	const char *alpn;      /* names, "h2,http/1.1", the preferred first; NULL: not spoken of */
	int64_t handshake_ns;  /* at most for a handshake; 0: 10 s */
};

struct qrt_tls_client_options {
	const char *ca_file; /* PEM: the only roots; NULL: the system's */
	bool no_verify;	     /* takes any certificate of any host: for tests by hand */
	const char *alpn;
	int64_t handshake_ns;
};

/*
 * Read the files, and block: call them before loops run, or in a lane's job. The detail goes to
 * @ret_detail (QRT_DETAIL bytes) if that is not NULL. Errors: ENOENT, EACCES, EIO (a file), EINVAL
 * (what is in it, a key that does not fit, an option), ELIMIT (a file of more than 4 MiB), ENOMEM.
 */
QRT_API enum qrt_err qrt_tls_server_create(const struct qrt_tls_server_options *opts,
					   char *ret_detail, struct qrt_tls **ret_tls) QRT_MUST_USE;
QRT_API enum qrt_err qrt_tls_client_create(const struct qrt_tls_client_options *opts,
					   char *ret_detail, struct qrt_tls **ret_tls) QRT_MUST_USE;
QRT_API struct qrt_tls *qrt_tls_ref(struct qrt_tls *tls);
/* Sets *@tls to NULL; NULL-safe. With the last one it goes, when its last connection has gone. */
QRT_API void qrt_tls_unref(struct qrt_tls **tls);
/*
 * Reads the files again; blocks as above. Handshakes that begin from now on use what is in them;
 * connections that stand, and handshakes under way, keep what they have. Sessions from before are
 * not resumed: the peer sees the new certificate. Errors as above; then all is as it was.
 */
QRT_API enum qrt_err qrt_tls_reload(struct qrt_tls *tls, char *ret_detail) QRT_MUST_USE;

/*
 * Wrap *@stream, which no other task uses. On success *@stream is another handle for the same
 * connection, encrypted, of the same region; older handles are stale. On failure the connection is
 * closed and *@stream NULL. Suspend. Need NET. Errors: ETIMEDOUT (handshake_ns), ECONNRESET (it
 * ended in the handshake), EPROTO (the peer's certificate or protocol is refused, or it refuses
 * ours; the detail says why), EBUSY, ESTALE, EINVAL (@tls is for the other side, no name of a
 * host), ENOMEM.
 */
QRT_API enum qrt_err qrt_tls_accept(struct qrt_cx *cx, struct qrt_tls *tls,
				    struct qrt_stream **stream) QRT_MUST_USE;
/*
 * @host: the name, or numeric address, that the peer's certificate must be for; a name is sent to
 * the peer (SNI). May be NULL with no_verify. A session that was agreed on with this host and port
 * before is resumed if the peer still wants to.
 */
QRT_API enum qrt_err qrt_tls_connect(struct qrt_cx *cx, struct qrt_tls *tls, const char *host,
				     struct qrt_stream **stream) QRT_MUST_USE;

/* Valid as long as the stream; none is NULL. */
struct qrt_tls_info {
	const char *version; /* "TLSv1.3" */
	const char *cipher;  /* "TLS_AES_256_GCM_SHA384" */
	const char *alpn;    /* "" when none was agreed on */
	bool resumed;
};
/* Does not suspend. Errors: ESTALE, EINVAL (not encrypted). */
QRT_API enum qrt_err qrt_tls_info(const struct qrt_stream *stream,
				  struct qrt_tls_info *ret_info) QRT_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
