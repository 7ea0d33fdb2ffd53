/*
 * Regions and tasks. A region owns the tasks spawned in it: closing it waits
 * for every one of them, and nothing of it runs afterwards.
 *
 *	struct qrt_region *r;
 *	enum qrt_err err = qrt_region_open(cx, QRT_FAIL_FAST, &r);
 *	if (err) {
 *		return err;
 *	}
 *	for (size_t i = 0; i < n && !err; i++) {
 *		err = qrt_spawn(r, price_one, &line[i]);
 *	}
 *	return qrt_region_close(cx, &r, err);
 *
 * What the backends promise differs: see qrt_backend_promises (qrt/runtime.h).
 */
#ifndef QRT_REGION_H
#define QRT_REGION_H

#include <qrt/cx.h>

#ifdef __cplusplus
extern "C" {
#endif

struct qrt_region;

/* An async function. It may suspend; its result is the task's outcome. */
typedef enum qrt_err qrt_task_fn(struct qrt_cx *cx, void *arg);
typedef void qrt_finalizer_fn(struct qrt_cx *cx, void *arg);

enum qrt_policy {
	QRT_FAIL_FAST, /* the first failure cancels the siblings */
	QRT_COLLECT,   /* failures are gathered, siblings go on */
};

/* What ended a task or a region, worst last. */
enum qrt_outcome { QRT_OUTCOME_OK, QRT_OUTCOME_ERR, QRT_OUTCOME_CANCELLED, QRT_OUTCOME_PANICKED };

/* Who asks for a cancel; a later request only strengthens (QRT_CANCEL_SEVERITY). */
#define QRT_CANCEL_KINDS(X)                                                                        \
	X(QRT_CANCEL_USER, "user", 0)                                                              \
	X(QRT_CANCEL_DEADLINE, "deadline", 1)                                                      \
	X(QRT_CANCEL_BUDGET, "budget", 2)                                                          \
	X(QRT_CANCEL_FAIL_FAST, "fail-fast", 3)                                                    \
	X(QRT_CANCEL_RACE_LOST, "race-lost", 3)                                                    \
	X(QRT_CANCEL_PARENT, "parent", 4)                                                          \
	X(QRT_CANCEL_RESOURCE, "resource", 4)                                                      \
	X(QRT_CANCEL_SHUTDOWN, "shutdown", 5)

enum qrt_cancel_kind {
#define QRT__CANCEL_ENUM(name, text, severity) name,
	QRT_CANCEL_KINDS(QRT__CANCEL_ENUM)
#undef QRT__CANCEL_ENUM
};

struct qrt_region_options {
	const char *name; /* static text for dumps; NULL: the opener's name */
	enum qrt_policy policy;
	uint32_t caps;	     /* kept capabilities; 0: all the opener has. Only removes. */
	int64_t deadline_ns; /* absolute; 0: the opener's. The earlier of both holds. */
};

/*
 * Opens a region as a child of cx's. The opener must close it before it ends.
 * Needs SPAWN. Errors: ENOMEM, ECANCELED, ENOTCAPABLE, ECLOSED (parent closes).
 */
QRT_API enum qrt_err qrt_region_open(struct qrt_cx *cx, enum qrt_policy policy,
				     struct qrt_region **ret_region) QRT_MUST_USE;
QRT_API enum qrt_err qrt_region_open_with(struct qrt_cx *cx, const struct qrt_region_options *opts,
					  struct qrt_region **ret_region) QRT_MUST_USE;

/*
 * The region's own cx, with its capabilities and deadline, for use by the
 * task that opened it. Valid until the close.
 */
QRT_API struct qrt_cx *qrt_region_cx(struct qrt_region *region);

/*
 * Starts a task in @region. It does not run before the caller suspends. @arg
 * stays the caller's: it must live until the region is closed, which makes
 * the opener's own variables good arguments. O(1). On the thread of the region only.
 * Errors: ENOMEM (no stack), ECLOSED (region closes or is cancelled).
 */
#define qrt_spawn(region, fn, arg) qrt_spawn_at((region), (fn), (arg), #fn, QRT_SITE)
QRT_API enum qrt_err qrt_spawn_at(struct qrt_region *region, qrt_task_fn *fn, void *arg,
				  const char *name, const char *site) QRT_MUST_USE;

/*
 * Asks everything in @region to end. Idempotent; runs no code of theirs on
 * this stack. @reason is static text. Reaches what the backend promises.
 */
QRT_API void qrt_region_cancel(struct qrt_region *region, enum qrt_cancel_kind kind,
			       const char *reason);

/* Tasks of @region and below it that have not ended. */
QRT_API size_t qrt_region_live(const struct qrt_region *region);

/* One failed task. */
struct qrt_failure {
	uint64_t index; /* in order of spawning, from 0 */
	enum qrt_outcome outcome;
	enum qrt_err err;
	const char *name; /* static */
	const char *site; /* static: where it was spawned */
	char detail[128];
};

struct qrt_aggregate {
	enum qrt_outcome worst;
	size_t n_failures; /* all of them; at most QRT_AGGREGATE_MAX are kept */
	size_t n_kept;
	struct qrt_failure *kept; /* ordered by index */
};
#define QRT_AGGREGATE_MAX 64

/*
 * Closes *@region and sets it to NULL: no new tasks, then waits for every
 * child. Suspends, also when cancelled: the wait itself cannot be cut short.
 * Only the opener may call it; regions close in the reverse order of opening.
 * With @err not OK the body has failed: under QRT_FAIL_FAST the children are
 * cancelled first. Returns @err, else the first failure that caused the end
 * (its detail in cx), else QRT_OK.
 */
QRT_API enum qrt_err qrt_region_close(struct qrt_cx *cx, struct qrt_region **region,
				      enum qrt_err err) QRT_MUST_USE;
/* The same, and hands out every failure; end with qrt_aggregate_fini. */
QRT_API enum qrt_err qrt_region_close_report(struct qrt_cx *cx, struct qrt_region **region,
					     enum qrt_err err,
					     struct qrt_aggregate *ret_aggregate) QRT_MUST_USE;
QRT_API void qrt_aggregate_fini(struct qrt_aggregate *aggregate);

/*
 * Runs fn(cx, arg) at the end of what @cx belongs to, last one first, however
 * that end comes: with a region's own cx when the region closes, after its
 * children; otherwise when the task ends. The finalizer is not cancelled and
 * must not open regions. Errors: ENOMEM (then nothing is registered).
 */
QRT_API enum qrt_err qrt_defer(struct qrt_cx *cx, qrt_finalizer_fn *fn, void *arg) QRT_MUST_USE;

/* Zeroed memory that lives as long as cx's region; NULL when there is none. */
QRT_API void *qrt_alloc(struct qrt_cx *cx, size_t n);

#ifdef __cplusplus
}
#endif
#endif
