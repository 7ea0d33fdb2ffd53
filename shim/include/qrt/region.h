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

#include <qrt/budget.h>
#include <qrt/cancel.h>

#ifdef __cplusplus
extern "C" {
#endif

struct qrt_region;

/* An async function. It may suspend; its result is the task's outcome. */
typedef enum qrt_err qrt_task_fn(struct qrt_cx *cx, void *arg);
typedef void qrt_finalizer_fn(struct qrt_cx *cx, void *arg);

enum qrt_policy {
	QRT_FAIL_FAST,	   /* the first failure cancels the siblings */
	QRT_COLLECT,	   /* failures are gathered, siblings go on */
	QRT_FIRST_SUCCESS, /* the first success cancels the siblings; all failed: the first failure
			    */
	QRT_SUPERVISE,	   /* a child that fails is started again: struct qrt_supervision */
};

/* What ended a task or a region, worst last. */
enum qrt_outcome { QRT_OUTCOME_OK, QRT_OUTCOME_ERR, QRT_OUTCOME_CANCELLED, QRT_OUTCOME_PANICKED };
QRT_API const char *qrt_outcome_name(enum qrt_outcome outcome);

/* How QRT_SUPERVISE restarts. Zeros: 10 ms doubling to 1 s, 5 restarts in 10 s. */
struct qrt_supervision {
	int64_t backoff_min_ns, backoff_max_ns;
	unsigned restarts_max; /* more than these ... */
	int64_t period_ns;     /* ... within this: the region is cancelled, with that failure */
};

/* flags of a region */
enum {
	QRT_CANCEL_REST = 1u << 0, /* close cancels the children first instead of waiting */
};

/* Admission limits of a region itself, not of those below it. 0: none. */
struct qrt_region_limits {
	size_t tasks_max, bytes_max, duties_max;
};

struct qrt_region_options {
	const char *name; /* static text for dumps; NULL: the opener's name */
	enum qrt_policy policy;
	unsigned flags;
	uint32_t caps;		  /* kept capabilities; 0: all the opener has. Only removes. */
	struct qrt_budget budget; /* met with the opener's */
	struct qrt_region_limits limits;
	struct qrt_supervision supervision;
	int64_t cleanup_ns; /* for a cancel of this region, instead of its kind's; 0: that */
};

/*
 * Opens a region as a child of the innermost one that the task has open, else of its own. The
 * opener must close it before it ends: one that returns without is PANICKED, and the region is
 * cancelled and closed for it. @opts is copied. Refused like a checkpoint, but does not suspend.
 * Needs SPAWN. Errors: ENOMEM, ECANCELED, ETIMEDOUT (a deadline has asked), ENOTCAPABLE, EINVAL
 * (bad options), ENOSUSPEND (in a finalizer), ETHREAD, ESTATE.
 */
QRT_API enum qrt_err qrt_region_open(struct qrt_cx *cx, enum qrt_policy policy,
				     struct qrt_region **ret_region) QRT_MUST_USE;
QRT_API enum qrt_err qrt_region_open_with(struct qrt_cx *cx, const struct qrt_region_options *opts,
					  struct qrt_region **ret_region) QRT_MUST_USE;

/*
 * The region's own cx, with its capabilities, deadline and budget, for use by the
 * task that opened it. Valid until the close; NULL for a stale handle.
 */
QRT_API struct qrt_cx *qrt_region_cx(struct qrt_region *region);

/*
 * Starts a task in @region. It does not run before the caller suspends. @arg
 * stays the caller's: it must live until the region is closed, which makes
 * the opener's own variables good arguments. O(1). On the thread of the region only,
 * also by others than its opener. The region's capabilities decide, not the caller's.
 * Errors: ENOMEM (no stack), ECLOSED (region waits for its last tasks, or is cancelled where that
 * is remembered), ELIMIT (its tasks or the runtime's), ESTALE, ETHREAD, ENOTCAPABLE (the region
 * lacks SPAWN). Sets no detail.
 */
#define qrt_spawn(region, fn, arg) qrt_spawn_at((region), (fn), (arg), #fn, QRT_SITE)
QRT_API enum qrt_err qrt_spawn_at(struct qrt_region *region, qrt_task_fn *fn, void *arg,
				  const char *name, const char *site) QRT_MUST_USE;

struct qrt_spawn_options {
	const char *name, *site;  /* static; NULL: "task", "?" */
	uint32_t caps;		  /* kept capabilities; 0: all the region has */
	struct qrt_budget budget; /* met with the region's */
	size_t stack_bytes;	  /* 0: the runtime's; at most QRT_STACK_BYTES_MAX */
};
#define QRT_STACK_BYTES_MAX (64u * 1024 * 1024)
/* The same with a budget, capabilities or a stack of its own. Errors also: EINVAL. */
QRT_API enum qrt_err qrt_spawn_with(struct qrt_region *region, const struct qrt_spawn_options *opts,
				    qrt_task_fn *fn, void *arg) QRT_MUST_USE;

/*
 * Asks everything in @region to end. Idempotent; a later request only strengthens; runs no code of
 * theirs on this stack. @reason is static text. Reaches what the backend promises. A stale handle:
 * nothing. By any task of the runtime.
 */
QRT_API void qrt_region_cancel(struct qrt_region *region, enum qrt_cancel_kind kind,
			       const char *reason);

/*
 * A request on @cancel, on whatever thread, from now on cancels @region, until it is closed; one
 * that has been made before does so at once. The region refers to the token, the caller need not
 * any more. On the region's thread only; does not suspend. Errors: ESTALE, ETHREAD, ECLOSED (no
 * longer open), EBUSY (bound already: bind one opened within), EINVAL (not one that was opened),
 * ENOMEM. Sets no detail.
 */
QRT_API enum qrt_err qrt_region_bind(struct qrt_region *region,
				     struct qrt_cancel *cancel) QRT_MUST_USE;

/* Tasks of @region and below it that have not ended; 0 for a stale handle. */
QRT_API size_t qrt_region_live(const struct qrt_region *region);

/* One failed task. */
struct qrt_failure {
	uint64_t index; /* in order of spawning, from 0 */
	enum qrt_outcome outcome;
	bool forced; /* its cleanup budget was spent */
	enum qrt_err err;
	const char *name; /* static */
	const char *site; /* static: where it was spawned */
	char detail[128];
};

struct qrt_aggregate {
	enum qrt_outcome worst;
	size_t n_ok;	   /* children that succeeded */
	uint64_t first_ok; /* index of the first of them */
	size_t n_restarts; /* under QRT_SUPERVISE */
	size_t n_forced;
	size_t n_failures; /* failed, panicked, forced; at most QRT_AGGREGATE_MAX are kept */
	size_t n_kept;
	struct qrt_failure *kept; /* ordered by index */
};
#define QRT_AGGREGATE_MAX 64

/*
 * Closes *@region: no new tasks, then waits for every child; then sets it to
 * NULL, so that until then others may cancel through it. Suspends, also when cancelled: the wait
 * itself cannot be cut short. Only the opener may call it; regions close in the reverse order of
 * opening. With @err not OK the body has failed: under QRT_FAIL_FAST and QRT_FIRST_SUCCESS the
 * children are cancelled first. Returns @err, unless that is OK or ECANCELED and a child failed:
 * then the failure that decided (its detail in cx; EPANIC for one that panicked). ECANCELED when a
 * child ended so and nobody here wanted that; QRT_ELEAK when all was well but for a duty that
 * nobody settled; else QRT_OK.
 * Misuse changes nothing: ESTALE (closed before), ENOTOWNER (not the opener),
 * EDEADLOCK (the region this very task lives in), ESTATE (one opened later is
 * still open), ENOSUSPEND, ETHREAD.
 */
QRT_API enum qrt_err qrt_region_close(struct qrt_cx *cx, struct qrt_region **region,
				      enum qrt_err err) QRT_MUST_USE;
/*
 * The same, and hands out every failure; end with qrt_aggregate_fini. Untouched by misuse. Kept are
 * at most QRT_AGGREGATE_MAX, and none when there is no memory for them; n_failures counts all.
 */
QRT_API enum qrt_err qrt_region_close_report(struct qrt_cx *cx, struct qrt_region **region,
					     enum qrt_err err,
					     struct qrt_aggregate *ret_aggregate) QRT_MUST_USE;
/* Frees what was kept and clears it; one that is all zero too. Any thread. */
QRT_API void qrt_aggregate_fini(struct qrt_aggregate *aggregate);

/*
 * Runs fn(cx, arg) at the end of what @cx belongs to, last one first, however
 * that end comes: with a region's own cx when the region closes, after its
 * children; otherwise when the task ends, after the regions it left open, and
 * with what it holds still unsettled. A finalizer is not cancelled and may not
 * wait: what would have to says ENOSUSPEND there. One that panics does not keep
 * the others from running. @arg must live until then. Does not suspend. Errors:
 * ENOMEM (then nothing is registered).
 */
QRT_API enum qrt_err qrt_defer(struct qrt_cx *cx, qrt_finalizer_fn *fn, void *arg) QRT_MUST_USE;

/*
 * A cx with the capabilities of @cx that are also in @caps, for the same task; memory of cx's
 * region, but valid as long as @cx only. NULL when there is no memory.
 */
QRT_API struct qrt_cx *qrt_cx_narrow(struct qrt_cx *cx, uint32_t caps) QRT_MUST_USE;

/*
 * Zeroed memory that lives as long as cx's region; NULL when there is none or the region's
 * bytes_max is reached.
 */
QRT_API void *qrt_alloc(struct qrt_cx *cx, size_t n);

#ifdef __cplusplus
}
#endif
#endif
