/* One end of a simulated WebSocket, as ws.c and ws_read.c share it. */
#ifndef QRT_BACKENDS_LAB_WS_WIRE_H
#define QRT_BACKENDS_LAB_WS_WIRE_H

#include "backends/lab/lab.h"
#include "backends/ws_impl.h"

/* A frame on the wire: its kind, the length in four bytes, lowest first, then so many bytes. */
enum { QRT__WIRE_HEAD = 5 };
enum qrt__wire_kind {
	QRT__WIRE_HELLO = 1, /* the client's request, see qrt__wire_hello */
	QRT__WIRE_WELCOME,   /* the server's answer: a subprotocol or nothing */
	QRT__WIRE_REFUSED,   /* or this: the HTTP status in two bytes */
	QRT__WIRE_TEXT,
	QRT__WIRE_BINARY,
	QRT__WIRE_PING,
	QRT__WIRE_PONG,
	QRT__WIRE_CLOSE, /* its code in two bytes and the reason, or nothing */
};

enum qrt__wire_state { QRT__WIRE_CONNECTING, QRT__WIRE_ASKED, QRT__WIRE_OPEN };

struct qrt__wire {
	struct qrt__ws *ws;
	struct qrt_runtime *rt;
	struct qrt_lab *lab;
	struct qrt__lab_end *end;
	struct qrt__lab_descriptor *descriptor;
	enum qrt__wire_state state;
	const struct qrt_ws_accept_options *accept; /* until it is open */
	bool server;
	bool wanted;	      /* messages are */
	bool awake;	      /* the shim has, or may have, something to send */
	bool held;	      /* but not before release */
	bool closing;	      /* we have said close */
	bool carries_message; /* what is in out is or has a message of the shim's */
	bool progress;	      /* something was read or written in this poll */
	struct qrt__timer release;
	char *hello; /* the client's */
	size_t hello_n;

	char *out;
	size_t out_n, out_at, out_room;

	/* The frame that is arriving. */
	unsigned char head[QRT__WIRE_HEAD];
	size_t head_n;
	size_t left;   /* of its payload */
	char *control; /* the payload, but of a message */
	size_t control_n;
};

/* --- ws.c ------------------------------------------------------------------------------------ */

/* Puts a frame into out; false: no memory. */
bool qrt__wire_put(struct qrt__wire *wire, enum qrt__wire_kind kind, const void *data, size_t n);
/* The same, at once and whole, when nothing else is under way; false: it could not be. */
bool qrt__wire_say_last(struct qrt__wire *wire, enum qrt__wire_kind kind, const void *data,
			size_t n);
/* So a close with @code; true also when one had been said before. */
bool qrt__wire_say_close(struct qrt__wire *wire, unsigned code);
/* It has ended by itself: frees it and tells the shim. */
void qrt__wire_over(struct qrt__wire *wire, enum qrt_err err, unsigned code, const char *reason,
		    const char *detail);
/* The shim has refused what came: says @code and frees it. */
void qrt__wire_refuse(struct qrt__wire *wire, unsigned code);

/* --- ws_read.c ------------------------------------------------------------------------------- */

/* The request as bytes, the caller's to free. Errors: ENOMEM. */
enum qrt_err qrt__wire_hello(const struct qrt__ws_target *target, char **ret_hello, size_t *ret_n);
/* @n bytes have arrived; false: the wire is gone. */
bool qrt__wire_consume(struct qrt__wire *wire, const char *data, size_t n);

#endif
