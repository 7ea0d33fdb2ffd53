/*
 * The cancel protocol: request -> drain -> finalize -> complete. A request
 * runs no code of what it cancels; from then on every checkpoint there
 * refuses until the task has ended, except inside a mask. A later request
 * only strengthens: the higher severity wins, then the earlier.
 *
 *	request   the region or task is marked, what it waits for is cut short
 *	drain     tasks clean up and end, within the cleanup budget of the kind
 *	finalize  finalizers run, obligations are settled
 *	complete  close returns
 *
 * Whoever is not done within the cleanup budget is forced: masks no longer
 * hold, and the next checkpoint abandons the task; its finalizers run, its C
 * frames do not. How much of this a backend promises is in its table.
 */
#ifndef QRT_CANCEL_H
#define QRT_CANCEL_H

#include <qrt/cx.h>

#ifdef __cplusplus
extern "C" {
#endif

/* name, text, severity, cleanup budget in ms */
#define QRT_CANCEL_KINDS(X)                                                                        \
	X(QRT_CANCEL_USER, "user", 0, 10000)                                                       \
	X(QRT_CANCEL_DEADLINE, "deadline", 1, 10000)                                               \
	X(QRT_CANCEL_BUDGET, "budget", 2, 5000)                                                    \
	X(QRT_CANCEL_FAIL_FAST, "fail-fast", 3, 5000)                                              \
	X(QRT_CANCEL_RACE_LOST, "race-lost", 3, 5000)                                              \
	X(QRT_CANCEL_PARENT, "parent", 4, 5000)                                                    \
	X(QRT_CANCEL_RESOURCE, "resource", 4, 5000)                                                \
	X(QRT_CANCEL_SHUTDOWN, "shutdown", 5, 5000)

enum qrt_cancel_kind {
#define QRT__CANCEL_ENUM(name, text, severity, cleanup_ms) name,
	QRT_CANCEL_KINDS(QRT__CANCEL_ENUM)
#undef QRT__CANCEL_ENUM
	    QRT__CANCEL_KINDS
};

/* Checkpoints a cancelled task may be refused before it is forced: one that ignores us cannot spin.
 */
#define QRT_CLEANUP_POLLS 1000

QRT_API const char *qrt_cancel_name(enum qrt_cancel_kind kind);
/* 0 is the weakest. */
QRT_API int qrt_cancel_severity(enum qrt_cancel_kind kind);

struct qrt_cancel_info {
	enum qrt_cancel_kind kind;
	enum qrt_cancel_kind cause; /* the kind at the top, where kind is "parent" */
	unsigned levels;	    /* how many regions above it was asked; 0: of this very one */
	const char *reason;	    /* static */
	const char *origin;	    /* who asked: a task's name, a token's, "outside"; static */
	int64_t at_ns;
	int64_t cleanup_until_ns; /* then the task is forced */
};

/*
 * Whether what cx's task does now has been asked to end, and by whom (@ret_info may be NULL, and
 * is untouched without a request). Masks do not hide it. False where a cancel is not remembered.
 */
QRT_API bool qrt_cancel_requested(const struct qrt_cx *cx, struct qrt_cancel_info *ret_info);

/*
 * What two requests are together: the severer, of equal ones the earlier, of those of one moment
 * the one from further above; and the earlier end of the cleanup. Idempotent, commutative,
 * associative, and never weaker than either.
 */
QRT_API struct qrt_cancel_info qrt_cancel_merge(struct qrt_cancel_info a, struct qrt_cancel_info b);

/* --- masks ---------------------------------------------------------------------------------- */

#define QRT_MASK_DEPTH_MAX 16

/* What a mask covers again when it ends. The caller's memory; opaque. */
struct qrt_mask {
	int64_t outer_ns_, outer_begun_ns_;
	bool outer_spent_;
};

/*
 * From here to the end cancel and the cx's deadline do not reach the task: what it waits for is
 * waited for. They are delayed, never lost. A mask delays a cancel by at most @budget_ns (0: the
 * cleanup budget), counted from the request or from here, whichever is later. Masks nest; the
 * tighter holds. What regions opened in it do is covered too. *ret_mask is the caller's, until the
 * end. No checkpoint, does not suspend, needs no capability. Errors: ELIMIT (deeper than
 * QRT_MASK_DEPTH_MAX), EINVAL (@budget_ns below 0). Where a cancel is not remembered one that
 * comes meanwhile is lost.
 */
QRT_API enum qrt_err qrt_mask_begin(struct qrt_cx *cx, int64_t budget_ns,
				    struct qrt_mask *ret_mask) QRT_MUST_USE;
/* In the task that began it, innermost first. No checkpoint: the next one tells of the cancel. */
QRT_API void qrt_mask_end(struct qrt_cx *cx, struct qrt_mask *mask);

/*
 * The verdict before something that must not be half done. ECANCELED or ETIMEDOUT: the cancel
 * came first and nothing may be begun. OK: the section is the caller's, and a cancel waits until
 * qrt_commit_end, even one whose cleanup budget is spent, and so does cx's deadline: put
 * qrt_timeout around a wait in it that may not end. A checkpoint, does not suspend; one of the
 * QRT_MASK_DEPTH_MAX masks. Errors also: ELIMIT.
 */
QRT_API enum qrt_err qrt_commit_begin(struct qrt_cx *cx, struct qrt_mask *ret_mask) QRT_MUST_USE;
QRT_API void qrt_commit_end(struct qrt_cx *cx, struct qrt_mask *mask);

/* --- tokens --------------------------------------------------------------------------------- */

/*
 * A cancel for whoever has no region at hand: another thread, another runtime, a library's own
 * callback. Regions are bound to a token by qrt_region_bind (qrt/region.h), any number of them, of
 * any runtimes; a request cancels each of them on its own loop. A request is remembered: a region
 * that is bound later is cancelled at once. What a cancel reaches is the backend's promise.
 *
 * A token below another is asked when that one is, as a region is by the one above it; never the
 * other way round. All of this is for any thread, also one that is no runtime's; nothing suspends.
 */
struct qrt_cancel;

#define QRT_CANCEL_DEPTH_MAX 32

struct qrt_cancel_options {
	const char *name; /* static, the origin of its requests; NULL: "token" */
	/*
	 * Then a region that is bound to it, or below it, asks it with QRT_CANCEL_DEADLINE, as soon
	 * as that region's loop comes to it; without any nobody does. On the clock of these
	 * runtimes (qrt_deadline_in). 0: none. Met with the parent's.
	 */
	int64_t deadline_ns;
	/*
	 * The cleanup of what is bound, counted on its loop from the request's arrival; the
	 * region's own holds too when that is tighter. 0: the region's own, else that of the
	 * request's kind. Met with the parent's.
	 */
	int64_t cleanup_ns;
};

/*
 * A token below @parent (NULL: of its own), with one reference, the caller's. One whose parent has
 * been asked is asked from the start. @opts (NULL: all zero) is copied; the caller refers to
 * @parent meanwhile. Errors: ENOMEM, ELIMIT (QRT_CANCEL_DEPTH_MAX tokens below each other), EINVAL
 * (a time below 0).
 */
QRT_API enum qrt_err qrt_cancel_create(struct qrt_cancel *parent,
				       const struct qrt_cancel_options *opts,
				       struct qrt_cancel **ret_cancel) QRT_MUST_USE;
/* One more reference, for another thread or owner; only by who has one. Returns @cancel. */
QRT_API struct qrt_cancel *qrt_cancel_ref(struct qrt_cancel *cancel);
/*
 * Lets go of a reference and sets *@cancel to NULL; NULL-safe. Asks nobody to end. The token stays
 * as long as another reference, a token below it, or a region bound to it does.
 */
QRT_API void qrt_cancel_unref(struct qrt_cancel **cancel);

/*
 * Asks everything that is bound to @cancel or to a token below it to end. @reason is static text.
 * A later request only strengthens, as everywhere. What is bound on the calling loop's own thread
 * has been asked when this returns; elsewhere soon, in the order of that loop's work. Runs none of
 * their code here, but for the interrupt hooks of lane jobs on this very loop.
 */
QRT_API void qrt_cancel_request(struct qrt_cancel *cancel, enum qrt_cancel_kind kind,
				const char *reason);
/*
 * Whether @cancel has been asked, and how (@ret_info may be NULL, and is untouched without a
 * request). Its times are CLOCK_MONOTONIC's, also for a lab's; a bound region's own info has the
 * times of its loop. A deadline that has passed counts once a bound region has noticed it.
 */
QRT_API bool qrt_cancel_info_of(struct qrt_cancel *cancel, struct qrt_cancel_info *ret_info);

#ifdef __cplusplus
}
#endif
#endif
