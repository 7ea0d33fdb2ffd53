/*
 * The interface of those who make WebSocket frames: libwebsockets on the real drivers, the lab's
 * simulated wire. The shim (shim/src/ws/ws.c) has the handles, the waits, the queue, the limits and
 * the liveness; here a link carries messages one at a time, in both directions.
 *
 *	connect, accept ──> opened ──> fragment, heard, next, sent ... ──> ended
 *	                       └── end: by the shim, at any moment; then nothing is told any more
 *
 * All on the loop's thread. The shim's functions below may be called from the driver's poll only,
 * never from inside of a member: what a library says there is kept until the next poll. From
 * inside of them flow and wake may be called.
 */
#ifndef QRT_BACKENDS_WS_IMPL_H
#define QRT_BACKENDS_WS_IMPL_H

#include <qrt/ws.h>

struct qrt__ws;

/* Where to connect to. Valid during the call only. */
struct qrt__ws_target {
	const char *address; /* numeric; names have been resolved */
	uint16_t port;
	bool secure;
	const char *host;      /* of the URL: for SNI and the check of the certificate */
	const char *authority; /* host and maybe port, as in the URL: for Host */
	const char *path;      /* with its query; begins with a slash */
	const struct qrt_ws_connect_options *opts;
	char *detail; /* QRT__DETAIL_MAX bytes, "": what connect has to say of its error */
};

/* A message of which the next piece is to be sent, or something shorter. */
enum qrt__ws_frame_kind {
	QRT__WS_NOTHING,
	QRT__WS_MESSAGE,
	QRT__WS_PING,  /* counts as sent once it was handed out */
	QRT__WS_CLOSE, /* the same; nothing comes after it */
};
struct qrt__ws_frame {
	enum qrt__ws_frame_kind kind;
	enum qrt_ws_type type; /* of a message */
	unsigned code;	       /* of a close; data is its reason */
	const char *data;      /* of a message: valid until sent or end; else until the next call */
	size_t n;
};

struct qrt__ws_impl {
	const char *name;

	/*
	 * Begins to connect; ws->link becomes its own. Then exactly one of qrt__ws_opened and
	 * qrt__ws_ended. Runs on the loop's own stack. Errors: EINVAL, ENOTSUP, EMFILE, ENOMEM, and
	 * those that qrt__ws_ended tells of an attempt; then nothing has begun.
	 */
	enum qrt_err (*connect)(struct qrt__ws *ws, const struct qrt__ws_target *target);
	/*
	 * The same as a server on the connected @fd, which it takes over, also when it fails.
	 * @opts stays valid until one of the two.
	 */
	enum qrt_err (*accept)(struct qrt__ws *ws, int fd,
			       const struct qrt_ws_accept_options *opts);
	/* Whether messages are wanted now. What has been read already may still come. */
	void (*flow)(struct qrt__ws *ws, bool wanted);
	/* There is something to send: calls qrt__ws_next in a later poll, when it can write. */
	void (*wake)(struct qrt__ws *ws);
	/*
	 * The shim lets go: nothing is told of ws any more, the link is the driver's to end. With
	 * @code 0, or half a message on its way: drops it at once. Else says so with @code, if
	 * that can be written now, and ends it within a time of its own, at the latest when the
	 * runtime is closed. From anywhere on the loop's thread but the functions below.
	 */
	void (*end)(struct qrt__ws *ws, unsigned code);
};

/* The handshake is over. @subprotocol: NULL: none. */
void qrt__ws_opened(struct qrt__ws *ws, const char *subprotocol);
/*
 * A piece of a message, in order; @final: its last one. Returns 0, or the code of a close: then
 * the driver says so to the peer, ends the link as in end, and tells nothing of ws any more.
 */
unsigned qrt__ws_fragment(struct qrt__ws *ws, enum qrt_ws_type type, const char *data, size_t n,
			  bool final);
/* Something else has arrived that shows that the peer lives, as a ping of its own. */
void qrt__ws_heard(struct qrt__ws *ws);
/* A pong has arrived. */
void qrt__ws_pong(struct qrt__ws *ws);
/*
 * What to send next; not while a message that was handed out is not sent yet. After a close the
 * driver waits for the end of the connection and tells of it.
 */
void qrt__ws_next(struct qrt__ws *ws, struct qrt__ws_frame *ret_frame);
/* All of the message has been handed to the system, or to a buffer of bounded size. */
void qrt__ws_sent(struct qrt__ws *ws);
/*
 * The connection, or the attempt, has ended by itself; the driver has freed the link. @err: EEOF
 * (a close was heard: @code or QRT_WS_NO_CODE, @reason), ECONNRESET, EPROTO, and of an attempt
 * also ECONNREFUSED, EACCES, ETIMEDOUT (the system's; it becomes EPEER). @detail: NULL: none.
 */
void qrt__ws_ended(struct qrt__ws *ws, enum qrt_err err, unsigned code, const char *reason,
		   const char *detail);

/* What the driver may use of it. */
struct qrt_runtime *qrt__ws_runtime(const struct qrt__ws *ws);
void **qrt__ws_link(struct qrt__ws *ws);

/* A client's request for a WebSocket, taken apart where it stands. */
struct qrt__ws_request {
	struct qrt_ws_request request; /* what admit sees: it points to what follows */
	const char *key;	       /* of the handshake */
	const char *subprotocols[QRT_WS_SUBPROTOCOLS_MAX + 1];
	struct qrt_ws_header headers[QRT_WS_HEADERS_MAX];
	const char *why; /* it is refused; static */
};
enum { QRT__WS_HEAD_MAX = QRT_WS_URL_MAX + QRT_WS_HEADERS_MAX * (QRT_WS_HEADER_MAX + 4) + 4096 };
/* Bytes of the head that @data begins with; 0: it is not whole. */
size_t qrt__ws_head_length(const char *data, size_t n);
/*
 * Parses a whole head of @n bytes, which it changes: texts are ended by a NUL. Returns 0, or the
 * HTTP status (400 to 599) that refuses it, then with ret->why.
 */
int qrt__ws_request_parse(char *head, size_t n, struct qrt__ws_request *ret);

#endif
