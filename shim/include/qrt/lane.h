/*
 * Blocking work runs on a lane: a named, bounded set of threads with a
 * bounded queue. A queued job can be taken back; a running one is told
 * through its interrupt hook and then waited for: after the call returned,
 * nothing of the job runs. Only a detachable job, whose argument outlives its
 * caller, is waited for in bounds. In the lab a job runs at a seeded later
 * moment, on the loop's own stack: there it must not wait for what the loop
 * would do.
 *
 * A lane belongs to its runtime, and is closed by whoever opened it; a running
 * job is a duty of the task that waits for it.
 */
#ifndef QRT_LANE_H
#define QRT_LANE_H

#include <qrt/cx.h>

#ifdef __cplusplus
extern "C" {
#endif

struct qrt_lane;
struct qrt_job;

/*
 * Runs on a thread of the lane; must not suspend, has no cx (lines by qrt_log_job). @job is valid
 * until it returns.
 */
typedef enum qrt_err qrt_job_fn(struct qrt_job *job, void *arg);
/* Runs on the loop's thread: must not block, nor call anything of the job or of its lane. */
typedef void qrt_interrupt_fn(void *arg);

/*
 * Starts @threads (1..64) threads; at most @queue_max (at least 1) jobs wait for them. @name is
 * static. Does not suspend. Needs BLOCKING. Errors: EAGAIN (no thread), ENOMEM, EINVAL.
 */
QRT_API enum qrt_err qrt_lane_open(struct qrt_cx *cx, const char *name, unsigned threads,
				   size_t queue_max, struct qrt_lane **ret_lane) QRT_MUST_USE;
/*
 * Refuses new jobs, waits without bound for the ones inside, cancelled, left or not, joins the
 * threads, and sets *@lane to NULL. Afterwards no drop is to come. Suspends; NULL-safe. In a
 * finalizer only once no job is inside. Before the runtime ends: a job that would outlive its loop
 * aborts the process.
 */
QRT_API void qrt_lane_close(struct qrt_cx *cx, struct qrt_lane **lane);

/*
 * Runs fn(job, arg) on the lane and returns its result. Suspends. Needs
 * BLOCKING. @arg is the caller's, in use until the call returns. A job that
 * never ran returns ECANCELED, ETIMEDOUT, ELIMIT (queue full, or the region's
 * duties_max), ECLOSED, EINVAL (a lane of another runtime) or ENOMEM; one that
 * ran returns what it returned, so that the caller knows the truth even when a
 * cancel came meanwhile.
 */
QRT_API enum qrt_err qrt_blocking(struct qrt_cx *cx, struct qrt_lane *lane, qrt_job_fn *fn,
				  void *arg) QRT_MUST_USE;

/*
 * The same, but waits in the queue only until @queue_deadline_ns: EBUSY beyond
 * it. Once the job has its thread, only cx's own deadline counts.
 */
QRT_API enum qrt_err qrt_blocking_within(struct qrt_cx *cx, struct qrt_lane *lane,
					 int64_t queue_deadline_ns, qrt_job_fn *fn,
					 void *arg) QRT_MUST_USE;

struct qrt_job_options {
	/*
	 * Lets go of the job's share of @arg: exactly once, on the loop's thread, when the job has
	 * ended or will not run; before the call returns, but for a job that was left. Must not
	 * suspend. Not NULL.
	 */
	void (*drop)(void *arg);
	/* How long a running job is waited for once it is told; 0: until the task is forced. */
	int64_t grace_ns;
	int64_t queue_deadline_ns; /* as in qrt_blocking_within; 0: none */
};

/*
 * The same for a job that may be left. @arg is memory that @fn may use after the caller has gone:
 * never the caller's own variables, and what the caller wants to read afterwards it shares by a
 * count of its own. A running job that is no longer wanted is told, and waited for until grace_ns
 * have passed or the cleanup budget of a cancel is spent (where cleanup is bounded); then the call
 * returns ECANCELED or ETIMEDOUT, and only the job knows what it has done. It keeps its thread and
 * stands in the audit (jobs_live, jobs_left) and in the dump, as a duty of the root that was left,
 * until it has really ended. Without this call the wait has no bound. Errors also: EINVAL (no
 * drop; grace_ns below 0).
 */
QRT_API enum qrt_err qrt_blocking_detachable(struct qrt_cx *cx, struct qrt_lane *lane,
					     const struct qrt_job_options *opts, qrt_job_fn *fn,
					     void *arg) QRT_MUST_USE;

/*
 * For the job itself: ECANCELED or ETIMEDOUT once its caller no longer wants it. Sticky. That may
 * be before the hook is set: ask once more after setting it.
 */
QRT_API enum qrt_err qrt_job_checkpoint(struct qrt_job *job) QRT_MUST_USE;
/*
 * For the job itself: sets the hook that breaks what the job is blocked in;
 * called on another thread, at most once, never after the job has cleared it
 * with NULL (the clearing waits for a call under way).
 */
QRT_API void qrt_job_on_interrupt(struct qrt_job *job, qrt_interrupt_fn *fn, void *arg);
/* The detail text that goes with the job's error; cut at 255 bytes. Returns @err. */
QRT_API enum qrt_err qrt_job_fail(struct qrt_job *job, enum qrt_err err, const char *fmt, ...)
    QRT_PRINTF(3, 4);

/* Jobs queued and running now, from any thread. */
QRT_API size_t qrt_lane_depth(const struct qrt_lane *lane);

#ifdef __cplusplus
}
#endif
#endif
