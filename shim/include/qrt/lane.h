/*
 * Blocking work runs on a lane: a named, bounded set of threads with a
 * bounded queue. A queued job can be taken back; a running one is told
 * through its interrupt hook and then waited for: after the call returned,
 * nothing of the job runs. In the lab a job runs at a seeded later moment.
 */
#ifndef QRT_LANE_H
#define QRT_LANE_H

#include <qrt/cx.h>

#ifdef __cplusplus
extern "C" {
#endif

struct qrt_lane;
struct qrt_job;

/* Runs on a thread of the lane; must not suspend, has no cx. */
typedef enum qrt_err qrt_job_fn(struct qrt_job *job, void *arg);
typedef void qrt_interrupt_fn(void *arg);

/*
 * Starts @threads (1..64) threads. @name is static. Needs BLOCKING.
 * Errors: EAGAIN (no thread), ENOMEM, EINVAL.
 */
QRT_API enum qrt_err qrt_lane_open(struct qrt_cx *cx, const char *name, unsigned threads,
				   size_t queue_max, struct qrt_lane **ret_lane) QRT_MUST_USE;
/* Refuses new jobs, waits for the ones inside, joins the threads. Suspends; NULL-safe. */
QRT_API void qrt_lane_close(struct qrt_cx *cx, struct qrt_lane **lane);

/*
 * Runs fn(job, arg) on the lane and returns its result. Suspends. Needs
 * BLOCKING. A job that never ran returns ECANCELED, ETIMEDOUT, ELIMIT (queue
 * full) or ECLOSED; one that ran returns what it returned, so that the caller
 * knows the truth even when a cancel came meanwhile.
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

/* For the job itself: ECANCELED or ETIMEDOUT once its caller no longer wants it. Sticky. */
QRT_API enum qrt_err qrt_job_checkpoint(struct qrt_job *job) QRT_MUST_USE;
/*
 * Sets the hook that breaks what the job is blocked in; called on another
 * thread, at most once, never after the job has cleared it with NULL (the
 * clearing waits for a call under way).
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
