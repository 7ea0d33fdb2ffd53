/*
 * Ports: how components talk. A call moves a message to the component's
 * active instance, on whichever runtime it lives, and waits for the answer.
 * Messages are owned and moved; nothing else crosses.
 */
#ifndef QRT_PORT_H
#define QRT_PORT_H

#include <qrt/cx.h>

#ifdef __cplusplus
extern "C" {
#endif

struct qrt_port;

/* First member of every message; the rest is the two components' contract. */
struct qrt_msg {
	uint32_t op;
	void (*destroy)(struct qrt_msg *msg); /* frees the whole message; never NULL */
};

/* NULL-safe: destroys *@msg and sets it to NULL. Also a cleanup handler. */
QRT_API void qrt_msg_destroy(struct qrt_msg **msg);

/*
 * Moves *@msg (NULL afterwards, whatever the result) to the component behind
 * @port and suspends until it answered. *@ret_reply belongs to the caller;
 * it may be the very message. The caller's deadline and cancel reach the
 * handler; the call returns when the handler has ended, so the result is the
 * truth. The handler's detail text comes with the error. What it logs has the
 * caller's correlation id (qrt/log.h). Needs CALL.
 * Errors: the handler's; ECLOSED (no active instance, or its loop has ended); ENOMEM, ELIMIT.
 */
QRT_API enum qrt_err qrt_call(struct qrt_cx *cx, struct qrt_port *port, struct qrt_msg **msg,
			      struct qrt_msg **ret_reply) QRT_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
