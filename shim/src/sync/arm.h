/*
 * Arms: what a task can wait for on its own loop. An arm knows how to try,
 * how to stand in line and how to leave the line; whoever owns the object
 * grants the first in line. A plain wait has one arm and a select has several,
 * so each primitive is written once and works in both, and exactly one arm of
 * a set is ever granted.
 *
 *	try ── EAGAIN ──> enqueue ──> granted ──> the task runs ──> finish
 *	 │                   └──> withdraw (cancelled, late, a sibling won)
 *	 └── done                  granted, but cancelled before it ran ──> undo
 */
#ifndef QRT_ARM_H
#define QRT_ARM_H

#include <qrt/select.h>

#include "shim/src/internal.h"

/*
 * struct qrt_case is an arm: the caller's memory, so that a select needs none of its own. From the
 * first try_now on arm->cx_ is whose wait it is.
 */
struct qrt__arm_ops {
	enum qrt__wait_kind kind;
	/* Commits now, or QRT_EAGAIN, or fails. Must not suspend. */
	enum qrt_err (*try_now)(struct qrt_case *arm);
	/* Appends arm->node_ to a queue of the object, whose owner will qrt__grant it. */
	void (*enqueue)(struct qrt_case *arm);
	/* Leaves the queue ungranted. NULL: removing arm->node_ is all. */
	void (*withdraw)(struct qrt_case *arm);
	/* After that, when its siblings have left theirs too: lets go on whom it stopped. What is
	 * granted here must not be granted in withdraw: it could be one of the siblings. NULL:
	 * it stops nobody. */
	void (*left)(struct qrt_case *arm);
	/* In the task, when it runs again after a grant: takes what was granted. NULL: the grant's
	 * result stands. */
	enum qrt_err (*finish)(struct qrt_case *arm, enum qrt_err granted);
	/* Instead of finish, when it has been cancelled since it was granted OK: passes the turn
	 * on. NULL: the grant beats the cancel. */
	void (*undo)(struct qrt_case *arm);
	/*
	 * Before the first try: gets what a grant must not fail for the lack of; NULL: nothing.
	 * unprepare after the wait, unless this arm has committed OK. Called by qrt_select; who
	 * awaits one arm does the same by hand. Errors: the arm's, say ENOMEM.
	 */
	enum qrt_err (*prepare)(struct qrt_cx *cx, struct qrt_case *arm);
	void (*unprepare)(struct qrt_case *arm);
	/* Who would have to act for this to end, for the wait-for graph; NULL: not known. */
	struct qrt_task *(*holder)(const struct qrt_case *arm);
};

/*
 * Waits until one of @n arms commits; sets *ret_index (may be NULL). A checkpoint: cancel comes
 * first. Starts trying at arm @first. Suspends. Errors: the arm's, ECANCELED, ETIMEDOUT,
 * ENOSUSPEND, ETHREAD.
 */
enum qrt_err qrt__await(struct qrt_cx *cx, struct qrt_case *arms, size_t n, size_t first,
			int64_t deadline_ns, size_t *ret_index);
/* The same for a caller that has passed the checkpoint and tried in vain: only waits. */
enum qrt_err qrt__await_turn(struct qrt_cx *cx, struct qrt_case *arms, size_t n,
			     int64_t deadline_ns, size_t *ret_index);
/* The first for one arm, until cx's deadline. */
static inline enum qrt_err qrt__await_one(struct qrt_cx *cx, struct qrt_case *arm)
{
	return qrt__await(cx, arm, 1, 0, QRT_NO_DEADLINE, NULL);
}

/* Ends the wait of @arm's set with it; its siblings leave their lines. Once per enqueue. */
void qrt__grant(struct qrt_case *arm, enum qrt_err result);

/* The object of an arm in a line, or granted by one that is kept for those it counts. */
static inline void *qrt__arm_object(const struct qrt_case *arm)
{
	return (void *)((uintptr_t)arm->object_ & ~(uintptr_t)(QRT__SLOT_ALIGN - 1));
}

static inline struct qrt_case *qrt__arm_of(struct qrt__list *node)
{
	return QRT__CONTAINER(node, struct qrt_case, node_);
}

#endif
