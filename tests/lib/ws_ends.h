/*
 * Two ends of a WebSocket in one runtime, for tests: in the lab over its simulated wire, on the
 * real drivers over a loopback connection.
 */
#ifndef QRT_TESTS_LIB_WS_ENDS_H
#define QRT_TESTS_LIB_WS_ENDS_H

#include <qrt/lab.h>
#include <qrt/ws.h>

#include "tests/lib/backends.h"

enum { WS_SEEDS = 12 };

struct outcome {
	enum qrt_err err;
	struct qrt_lab_stats stats;
	struct qrt_audit audit;
};

/* @fn in a lab of its own. */
struct outcome in_lab(const char *backend, uint64_t seed, const struct qrt_lab_faults *faults,
		      qrt_task_fn *fn, void *arg);
/* In labs of both engines, in order and with some seeds. */
void in_labs(const struct qrt_lab_faults *faults, qrt_task_fn *fn);
/* There, and on each real backend of the build. */
void everywhere(qrt_task_fn *fn);
/* Whether time is real, and buffers are the system's. */
bool is_real(struct qrt_cx *cx);
/* Long enough for what is under way to come to rest. */
enum qrt_err rest(struct qrt_cx *cx);

struct ends {
	struct qrt_region *region; /* who plays lives in it */
	struct qrt_listener *listener;
	uint16_t port;
	const struct qrt_ws_connect_options *connect;
	const struct qrt_ws_accept_options *accept;
	struct qrt_ws *client, *server;
	enum qrt_err accepted;
	char detail[128]; /* of accepted */
};

enum qrt_err listen_here(struct qrt_cx *cx, struct ends *ends);
/* A task that accepts one; it ends at once: the WebSocket is the region's, which outlives it. */
enum qrt_err accept_one(struct qrt_cx *cx, void *ends);
enum qrt_err dial(struct qrt_cx *cx, const struct ends *ends, const char *scheme,
		  struct qrt_ws **ret_ws);
/* Listens, opens the region and has one accepted; until a client comes. */
enum qrt_err await_one(struct qrt_cx *cx, struct ends *ends);
/* Until it is accepted or refused. */
enum qrt_err until_accepted(struct qrt_cx *cx, struct ends *ends);
enum qrt_err open_ends(struct qrt_cx *cx, struct ends *ends);
enum qrt_err close_ends(struct qrt_cx *cx, struct ends *ends);

bool is_message(const struct qrt_ws_message *message, enum qrt_ws_type type, const char *text);
struct qrt_ws_info info_of(struct qrt_cx *cx, struct qrt_ws *ws);

/* More than all buffers between two ends hold. */
const char *bulk(void);
size_t bulk_size(struct qrt_cx *cx);

/* Tasks that wait for it, and what came of it. */
struct waiter {
	struct qrt_ws *ws;
	enum qrt_err err;
	struct qrt_ws_message message; /* that was received */
	bool ended;
};
enum qrt_err waits_to_receive(struct qrt_cx *cx, void *waiter);
enum qrt_err waits_to_send(struct qrt_cx *cx, void *waiter); /* all of bulk */
enum qrt_err waits_for_goodbye(struct qrt_cx *cx, void *waiter);

#endif
