/*
 * WebSocket at the level of messages: whole texts and binaries, not frames. Who makes the frames
 * is the driver's affair: libwebsockets, or in the lab a simulated peer.
 *
 * A WebSocket is a duty (qrt/ledger.h) of the region in which it was opened: that region closes it
 * if nobody else does, and names the site. Handles are checked: one that was closed is ESTALE, one
 * of another runtime EINVAL. All need NET, but what only looks or closes.
 *
 * How one ends is told apart, by the errors below and by qrt_ws_info:
 *
 *	EEOF		the peer has closed it, with a code and a reason
 *	ECONNRESET	it was dropped: no close was heard
 *	EPEER		it was dropped by us, as nothing was heard of the peer for too long
 *	EPROTO		the peer broke the protocol; it was told so (1002, 1007)
 *	ELIMIT		the peer sent a message over message_max; it was told so (1009)
 *	ECLOSED		we have: qrt_ws_shutdown, or qrt_ws_close while somebody waited
 *
 * With libwebsockets (promise "websocket") a peer's codes 1012 to 1014, and those that must not be
 * sent, are told as 1002, and as a server there is no TLS.
 */
#ifndef QRT_WS_H
#define QRT_WS_H

#include <qrt/stream.h>

#ifdef __cplusplus
extern "C" {
#endif

struct qrt_ws;

/* Close codes (RFC 6455, 7.4.1) that are of interest here; 3000 to 4999 are the application's. */
enum {
	QRT_WS_NORMAL = 1000,
	QRT_WS_GOING_AWAY = 1001,
	QRT_WS_PROTOCOL = 1002,
	QRT_WS_NO_CODE = 1005, /* the close had none; never sent */
	QRT_WS_DROPPED = 1006, /* there was no close; never sent */
	QRT_WS_BAD_TEXT = 1007,
	QRT_WS_TOO_BIG = 1009,
	QRT_WS_RESTART = 1012,
	QRT_WS_TRY_LATER = 1013,
};

enum {
	QRT_WS_REASON_MAX = 123,     /* bytes of a close's reason */
	QRT_WS_URL_MAX = 4096,	     /* bytes of a URL */
	QRT_WS_HEADERS_MAX = 16,     /* headers of the application's own */
	QRT_WS_HEADER_MAX = 2048,    /* bytes of one: name and value */
	QRT_WS_SUBPROTOCOL_MAX = 63, /* bytes of a name */
	QRT_WS_SUBPROTOCOLS_MAX = 8, /* names */
	QRT_WS_QUEUE_MAX = 64,	     /* messages received and not taken before the peer must wait */
};
/* No limit may be higher: everything is held in memory. */
#define QRT_WS_BYTES_MAX ((size_t)1 << 30)
#define QRT_WS_NEVER INT64_C(-1)

struct qrt_ws_header {
	const char *name, *value;
};

/* What both sides can set. Zeros are defaults. */
struct qrt_ws_limits {
	size_t message_max; /* bytes of a message received; 0: 1 MiB */
	/* Received and not taken: beyond these bytes the peer must wait. 0: 256 KiB */
	size_t queue_bytes;
	int64_t handshake_ns; /* for the opening, beside cx's deadline; 0: 10 s */
	/*
	 * Liveness: when nothing was heard for ping_ns (0: 30 s) a ping is sent; when nothing
	 * was then heard for pong_ns (0: 10 s) the connection is dropped with EPEER. While the
	 * queue is full nobody listens, so that time does not count, here; a peer may still find
	 * that too long. QRT_WS_NEVER as ping_ns: no pings.
	 */
	int64_t ping_ns, pong_ns;
	int64_t close_ns; /* how long qrt_ws_shutdown waits for the peer; 0: 5 s */
};

struct qrt_ws_connect_options {
	struct qrt_ws_limits limits;
	const struct qrt_ws_header *headers; /* beside those of the handshake itself */
	size_t n_headers;
	const char *const *subprotocols; /* that we would like, best first, up to NULL; or NULL */
	const char
	    *ca_file;	/* wss: trusted roots, PEM, read anew when changed; NULL: the system's */
	bool no_verify; /* wss: whoever the peer is. For tests on one machine only */
};

/* What a client asks for. Valid during the call that hands it out. */
struct qrt_ws_request {
	const char *path; /* with its query */
	const char *host;
	const struct qrt_ws_header *headers; /* the application's own */
	size_t n_headers;
	const char *const *subprotocols; /* up to NULL */
};

struct qrt_ws_accept_options {
	struct qrt_ws_limits limits;
	/*
	 * Whether @request is welcome: 0, or the HTTP status (400 to 599) that refuses it. Sets
	 * *ret_subprotocol to one of the request's, or leaves it NULL for none. Runs on the
	 * loop's stack: must not suspend. NULL: everybody is welcome.
	 */
	int (*admit)(void *arg, const struct qrt_ws_request *request, const char **ret_subprotocol);
	void *arg;
	const char *cert_file, *key_file; /* both: wss, PEM (in the lab only); NULL: ws */
};

/*
 * Connects to @url: ws or wss, a host, maybe a port, a path and a query; no user, no fragment. A
 * host that is a name is looked up (qrt/resolve.h) and its addresses tried in order. @opts may be
 * NULL. The WebSocket is a duty of cx's region, and the caller's. Suspends. Errors: EINVAL (of
 * what it was given; the detail says what and where), ENOTSUP (not on this backend: promise
 * "websocket"), ENOENT (no such name), ECONNREFUSED (nobody listens, or the server answered with
 * an HTTP status: the detail has it), EPEER (no answer within handshake_ns), ECONNRESET, EPROTO
 * (it speaks something else), EACCES (its certificate), EMFILE, ENOMEM, ELIMIT.
 */
#define qrt_ws_connect(cx, url, opts, ret_ws)                                                      \
	qrt_ws_connect_at((cx), (url), (opts), QRT_SITE, (ret_ws))
QRT_API enum qrt_err qrt_ws_connect_at(struct qrt_cx *cx, const char *url,
				       const struct qrt_ws_connect_options *opts, const char *site,
				       struct qrt_ws **ret_ws) QRT_MUST_USE;

/*
 * Answers the handshake of a client on *@stream, freshly accepted (qrt_accept), nothing of which
 * was read. Takes the stream over and sets it to NULL, also when it fails. A slow client holds up
 * nobody else when each has a task of its own. @opts may be NULL. Suspends. Errors: ECONNREFUSED
 * (admit has refused it), EPEER, EPROTO, ECONNRESET, ENOTSUP, ESTALE, EMFILE, ENOMEM, ELIMIT.
 */
#define qrt_ws_accept(cx, stream, opts, ret_ws)                                                    \
	qrt_ws_accept_at((cx), (stream), (opts), QRT_SITE, (ret_ws))
QRT_API enum qrt_err qrt_ws_accept_at(struct qrt_cx *cx, struct qrt_stream **stream,
				      const struct qrt_ws_accept_options *opts, const char *site,
				      struct qrt_ws **ret_ws) QRT_MUST_USE;

enum qrt_ws_type { QRT_WS_TEXT, QRT_WS_BINARY };

struct qrt_ws_message {
	enum qrt_ws_type type;
	const char *data; /* @n bytes and a NUL; a text is valid UTF-8 */
	size_t n;
};

/*
 * The next message, which stays the WebSocket's and is valid until the next call of this or the
 * close. What arrived before an end is handed out before the end is told. Cancelled or late, it
 * has taken nothing: what arrives is there for the next call. One task at a time. Suspends.
 * Errors: those of the head of this file, ESTALE, EBUSY.
 */
QRT_API enum qrt_err qrt_ws_recv(struct qrt_cx *cx, struct qrt_ws *ws,
				 struct qrt_ws_message *ret_message) QRT_MUST_USE;

/*
 * Sends @n bytes of @data, which are in use until it returns: QRT_OK when the last of them has been
 * handed to the transport, whose own buffer is bounded; so a slow peer stops its senders, and
 * nothing is queued here. Whether the peer has got it, only the peer can say. Several tasks may
 * send: in the order in which they came. Cancelled or late before its first byte was handed over,
 * nothing of it is sent and the connection goes on. After that a message cannot be taken back: the
 * connection is dropped, and this says ECANCELED or ETIMEDOUT, all others ECONNRESET. Suspends.
 * Errors: EINVAL (a text that is not UTF-8, over QRT_WS_BYTES_MAX), those of the head of this
 * file, ESTALE.
 */
QRT_API enum qrt_err qrt_ws_send(struct qrt_cx *cx, struct qrt_ws *ws, enum qrt_ws_type type,
				 const void *data, size_t n) QRT_MUST_USE;
/* A NUL-terminated text. */
QRT_API enum qrt_err qrt_ws_send_text(struct qrt_cx *cx, struct qrt_ws *ws,
				      const char *text) QRT_MUST_USE;

/*
 * Says goodbye after the messages that are being sent: a close with @code and @reason (NULL: none),
 * then waits until the connection has ended. From the call on what arrives is thrown away; who
 * waits to receive gets ECLOSED; what had arrived before can still be received. QRT_OK: it has
 * ended, in whatever way. The handle is still to be closed. Cancelled or late, the close may have
 * been sent or not; call qrt_ws_close. Suspends. Errors: EINVAL (@code is none that may be sent, a
 * reason that is too long or no UTF-8: nothing has happened), EPEER (no answer within close_ns: it
 * was dropped), EBUSY (another task does it), ESTALE, ECLOSED (qrt_ws_close, while it waited).
 */
QRT_API enum qrt_err qrt_ws_shutdown(struct qrt_cx *cx, struct qrt_ws *ws, unsigned code,
				     const char *reason) QRT_MUST_USE;

/*
 * Ends it now. If none was sent, a close with 1001 is handed to the transport when that can take it
 * at once; with half a message under way the connection is dropped. Who waits for it gets ECLOSED.
 * Sets *@ws to NULL; NULL-safe, also for a stale one. Does not suspend.
 */
QRT_API void qrt_ws_close(struct qrt_cx *cx, struct qrt_ws **ws);

/* How one is, or was until it was closed. */
struct qrt_ws_info {
	enum qrt_err ended; /* QRT_OK: it has not; else as in the head of this file */
	bool by_peer;	    /* code and reason are the peer's */
	unsigned code;	    /* of the end; QRT_WS_NO_CODE, QRT_WS_DROPPED */
	char reason[QRT_WS_REASON_MAX + 1];
	char subprotocol[QRT_WS_SUBPROTOCOL_MAX + 1]; /* "": none */
	uint64_t sent, received;		      /* messages */
	uint64_t bytes_sent, bytes_received;	      /* of them */
	uint64_t pings, pongs;			      /* sent, heard */
	int64_t rtt_ns;				      /* of the last ping; 0: no pong yet */
	size_t queued;				      /* messages that have arrived */
};
/* Does not suspend. Errors: ESTALE, EINVAL (another runtime's). Untouched on failure. */
QRT_API enum qrt_err qrt_ws_info(struct qrt_cx *cx, struct qrt_ws *ws,
				 struct qrt_ws_info *ret_info) QRT_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
