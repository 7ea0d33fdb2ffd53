/*
 * Budgets: how long and how much a region and its tasks may. A child's budget
 * is the meet of its own and what is left of its parent's, so it can only be
 * tighter; what a child has used is gone from its parent's when it ends.
 *
 * Tasks and child regions pay when they end: what siblings use meanwhile they do
 * not know of each other.
 *
 * Backends without budgets (see qrt_backend_promises) keep to the deadline
 * and ignore the rest.
 */
#ifndef QRT_BUDGET_H
#define QRT_BUDGET_H

#include <qrt/cx.h>

#ifdef __cplusplus
extern "C" {
#endif

/* All zero is the identity of the meet: no bound, lowest priority. */
struct qrt_budget {
	int64_t deadline_ns; /* absolute; 0: none */
	int64_t polls;	     /* checkpoints that may be passed; 0: any number */
	int64_t cost;	     /* units that may be charged; 0: any number */
	unsigned priority;   /* 0 to QRT_PRIORITY_MAX; the higher runs first, within fairness */
};
#define QRT_PRIORITY_MAX 3u

/* The earlier deadline, the fewer polls, the lower cost, the higher priority. */
QRT_API struct qrt_budget qrt_budget_meet(struct qrt_budget a, struct qrt_budget b);

/* What is left to @cx; a bound that is spent reads as 1 in the past, never as none. */
QRT_API struct qrt_budget qrt_cx_budget(const struct qrt_cx *cx);

/*
 * Charges @units of cost; what a unit is, is the application's affair. A checkpoint, does not
 * suspend: when they are more than is left the task is cancelled (QRT_CANCEL_BUDGET; through a
 * region's own cx: the region) and ECANCELED comes back. Errors also: ETIMEDOUT, EINVAL (less
 * than 0; nothing is charged).
 */
QRT_API enum qrt_err qrt_charge(struct qrt_cx *cx, int64_t units) QRT_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
