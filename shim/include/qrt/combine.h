/*
 * Combinators: several tasks as one call. One rule: whoever is no longer
 * needed is cancelled (QRT_CANCEL_RACE_LOST) and has ended when the call
 * returns; what went wrong there comes out in an aggregate.
 *
 *	struct qrt_branch mirrors[] = {{fetch, &near, "near"}, {fetch, &far, "far"}};
 *	size_t which;
 *	enum qrt_err err = qrt_first_ok(cx, mirrors, 2, &which, NULL);
 *
 * They stand on the public region calls alone, and need SPAWN. What a cancel
 * reaches is the backend's promise: where it only cuts the current wait short,
 * a loser that does not wait runs to its end first. One that has not begun
 * when the rest is decided does not begin, anywhere.
 */
#ifndef QRT_COMBINE_H
#define QRT_COMBINE_H

#include <qrt/region.h>

#ifdef __cplusplus
extern "C" {
#endif

#define QRT_BRANCHES_MAX 65536u

/* One of several. Each runs as a task of its own, with cx's capabilities and deadline. */
struct qrt_branch {
	qrt_task_fn *fn;
	void *arg;	  /* the caller's; in use until the call returns */
	const char *name; /* static text for dumps; NULL: "branch" */
};

/*
 * All of these suspend and return the detail of their error in cx. An aggregate that is asked for
 * (NULL: not) is filled whenever anything was started, else all zero; end with qrt_aggregate_fini.
 * Its indices are those of the branches. Errors of their own: EINVAL (no branch where one is
 * needed, more than QRT_BRANCHES_MAX), ENOMEM, ELIMIT, ENOTCAPABLE, ECANCELED, ETIMEDOUT,
 * ENOSUSPEND, ETHREAD; ELEAK as of qrt_region_close.
 */

/* All: OK when every branch is. The first failure cancels the rest and is the result. */
#define qrt_join(cx, branches, n, ret_aggregate)                                                   \
	qrt_join_at((cx), (branches), (n), QRT_SITE, (ret_aggregate))
QRT_API enum qrt_err qrt_join_at(struct qrt_cx *cx, const struct qrt_branch *branches, size_t n,
				 const char *site,
				 struct qrt_aggregate *ret_aggregate) QRT_MUST_USE;

/*
 * The first to finish, whatever its result, which becomes the call's. *ret_winner (may be NULL)
 * is set whenever a branch has finished, also with an error.
 */
#define qrt_race(cx, branches, n, ret_winner, ret_aggregate)                                       \
	qrt_race_at((cx), (branches), (n), QRT_SITE, (ret_winner), (ret_aggregate))
QRT_API enum qrt_err qrt_race_at(struct qrt_cx *cx, const struct qrt_branch *branches, size_t n,
				 const char *site, size_t *ret_winner,
				 struct qrt_aggregate *ret_aggregate) QRT_MUST_USE;

/* The first to succeed; when all fail, the first failure. *ret_winner (may be NULL) only with OK.
 */
#define qrt_first_ok(cx, branches, n, ret_winner, ret_aggregate)                                   \
	qrt_first_ok_at((cx), (branches), (n), QRT_SITE, (ret_winner), (ret_aggregate))
QRT_API enum qrt_err qrt_first_ok_at(struct qrt_cx *cx, const struct qrt_branch *branches, size_t n,
				     const char *site, size_t *ret_winner,
				     struct qrt_aggregate *ret_aggregate) QRT_MUST_USE;

/*
 * Like qrt_first_ok, but one after the other: the next is started when the last one started has
 * had @delay_ns and given no answer, or at once when it failed.
 */
struct qrt_hedge {
	int64_t delay_ns;
	const struct qrt_branch *branches;
	size_t n;
};
#define qrt_hedge(cx, delay_ns, branches, n, ret_winner)                                           \
	qrt_hedge_at((cx), &(struct qrt_hedge){(delay_ns), (branches), (n)}, QRT_SITE,             \
		     (ret_winner), NULL)
QRT_API enum qrt_err qrt_hedge_at(struct qrt_cx *cx, const struct qrt_hedge *hedge,
				  const char *site, size_t *ret_winner,
				  struct qrt_aggregate *ret_aggregate) QRT_MUST_USE;

/*
 * fn(cx, arg) as a task that is asked to end after @ns, or at cx's deadline if that is earlier:
 * ETIMEDOUT, unless it succeeded all the same. With @ns of 0 or less it does not begin. When it
 * returns the task has ended, however long after @ns. Suspends. Errors also: fn's, those of
 * qrt_region_open and qrt_spawn.
 */
#define qrt_timeout(cx, ns, fn, arg) qrt_timeout_at((cx), (ns), (fn), (arg), #fn, QRT_SITE)
QRT_API enum qrt_err qrt_timeout_at(struct qrt_cx *cx, int64_t ns, qrt_task_fn *fn, void *arg,
				    const char *name, const char *site) QRT_MUST_USE;

/* --- retry ---------------------------------------------------------------------------------- */

/* Whether to try again after failure number @attempt (from 1). Never asked about ECANCELED. */
typedef bool qrt_retry_fn(enum qrt_err err, unsigned attempt, void *arg);
/* What time may cure: EAGAIN, EBUSY, ETIMEDOUT, EMFILE, ECONNREFUSED, ECONNRESET. */
QRT_API bool qrt_retry_transient(enum qrt_err err, unsigned attempt, void *arg);

/* The pause after failure k is delay_ns * factor^(k-1), at most delay_max_ns. */
struct qrt_retry {
	unsigned attempts;	 /* at all; 0: 3 */
	int64_t delay_ns;	 /* 0: none */
	int64_t delay_max_ns;	 /* 0: no cap */
	unsigned factor;	 /* 0: 2 */
	unsigned jitter_percent; /* up to so much is taken off each pause; at most 100 */
	qrt_retry_fn *again;	 /* NULL: qrt_retry_transient */
	void *again_arg;
};

/*
 * Runs @fn until it succeeds, each time with the cx of a region of its own, in the caller's task:
 * what an attempt left open has ended before the next one. A cancel is never retried. Gives up
 * with the last failure, also as soon as the pause would outlast cx's deadline. Pauses need TIME;
 * jitter is left out without RANDOM. Suspends. Errors: fn's, EINVAL (jitter, negative times), those
 * of qrt_region_open and qrt_sleep.
 */
QRT_API enum qrt_err qrt_retry(struct qrt_cx *cx, const struct qrt_retry *policy, qrt_task_fn *fn,
			       void *arg) QRT_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
