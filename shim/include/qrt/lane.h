/*
 * Blocking work runs on a lane: a named, bounded set of threads with a
 * bounded queue. A queued job can be taken back; a running one is told
 * through its interrupt hook and then waited for: after the call returned,
 * nothing of the job runs. In the lab a job runs at a seeded later moment, on
 * the loop's own stack: there it must not wait for what the loop would do.
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

/* Runs on a thread of the lane; must not suspend, has no cx. @job is valid until it returns. */
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
 * Refuses new jobs, waits for the ones inside, cancelled or not, joins the threads, and sets *@lane
 * to NULL. Suspends; NULL-safe. In a finalizer only once no job is inside.
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
