/*
 * One WebSocket as the shim's own files see it: ws.c (its life), ws/io.c (messages), ws/check.c
 * (texts from outside).
 */
#ifndef QRT_SHIM_WS_H
#define QRT_SHIM_WS_H

#include "backends/ws_impl.h"
#include "shim/src/internal.h"
#include "shim/src/base/text.h"

#define QRT__WS_MAGIC 0x71724e30u

/*
 *	opening ──> open ──> closing ──> ended
 *	   └──────────┴────────────────────^
 */
enum qrt__ws_state { QRT__WS_OPENING, QRT__WS_OPEN, QRT__WS_CLOSING, QRT__WS_ENDED };

/* A message that has arrived, or is arriving. */
struct qrt__ws_arrival {
	struct qrt__list node;
	enum qrt_ws_type type;
	size_t n, room;
	char data[]; /* and a NUL */
};

/* What is too much for a slot. */
struct qrt__ws_account {
	struct qrt_ws_info info;
	char close_reason[QRT_WS_REASON_MAX + 1];
	char detail[QRT__DETAIL_MAX];
};

struct qrt__ws {
	struct qrt__slot slot;
	struct qrt_duty duty;
	struct qrt_runtime *rt;
	const struct qrt__ws_impl *impl;
	void *link; /* the driver's */
	enum qrt__ws_state state;
	bool linked;	/* the driver has not let go yet */
	bool closed;	/* freed when its last user is gone */
	unsigned users; /* tasks inside a wait for it, resumed or not */
	struct qrt__wait *opener, *receiver, *closer;

	struct qrt__list senders; /* struct sender, on the stacks of those who wait */
	bool sending;		  /* the first of them has been handed out */
	bool ping_due, close_due;
	unsigned close_code;

	struct qrt__list queue; /* arrivals that are whole */
	size_t queued, queued_bytes;
	struct qrt__ws_arrival *arriving, *taken;
	bool flowing;

	struct qrt_ws_limits limits;
	struct qrt__timer liveness;
	int64_t heard_ns; /* when something was last heard */
	int64_t ping_at;  /* when the ping was asked for that nothing has answered; 0: none */
	struct qrt__ws_account *account;
};

/* --- ws.c ------------------------------------------------------------------------------------ */

enum qrt_err qrt__ws_find(struct qrt_cx *cx, const struct qrt_ws *handle, struct qrt__ws **ret_ws);
/* Parks in @slot of @ws; @what for dumps, static. ECLOSED: it may be gone. */
enum qrt_err qrt__ws_wait(struct qrt_cx *cx, struct qrt__ws *ws, struct qrt__wait *wait,
			  int64_t deadline_ns);
/* It has ended with @err. Tells everybody who waits. */
void qrt__ws_over(struct qrt__ws *ws, enum qrt_err err, unsigned code);
/* Takes the driver's link away, as impl->end with @code. */
void qrt__ws_let_go(struct qrt__ws *ws, unsigned code);
/* Whether more is wanted may have changed. */
void qrt__ws_look_at_flow(struct qrt__ws *ws);
/* Why nothing can be sent or received any more, with its detail. */
enum qrt_err qrt__ws_why(struct qrt_cx *cx, const struct qrt__ws *ws);

/* --- ws/io.c --------------------------------------------------------------------------------- */

void qrt__ws_fail_senders(struct qrt__ws *ws, enum qrt_err err);
void qrt__ws_free_messages(struct qrt__ws *ws);

/* --- ws/check.c ------------------------------------------------------------------------------ */

struct qrt__ws_url {
	bool secure;
	uint16_t port;
	char host[254 + 2];	  /* without brackets */
	char authority[254 + 10]; /* as it stands in the URL: for Host */
	char path[QRT_WS_URL_MAX + 2];
};

/* Errors: EINVAL, with detail. */
enum qrt_err qrt__ws_url_parse(struct qrt_cx *cx, const char *url, struct qrt__ws_url *ret_url);
enum qrt_err qrt__ws_connect_check(struct qrt_cx *cx, const struct qrt_ws_connect_options *opts);
enum qrt_err qrt__ws_limits_fill(struct qrt_cx *cx, const struct qrt_ws_limits *limits,
				 struct qrt_ws_limits *ret_limits);
enum qrt_err qrt__ws_close_check(struct qrt_cx *cx, unsigned code, const char *reason);
bool qrt__ws_is_token(const char *text, size_t max);

#endif
