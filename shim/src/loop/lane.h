/*
 * What others of the runtime's own ask of a lane, beyond qrt/lane.h: a job
 * that does the work of those behind it along with its own, and errands.
 */
#ifndef QRT_SHIM_LANE_H
#define QRT_SHIM_LANE_H

#include <qrt/lane.h>
#include <qrt/log.h>

/*
 * For a job that runs: the next in line, if it is for the same function, now counts as running,
 * too, and is @leader's to do and to end. NULL: nobody is next, or somebody else.
 */
struct qrt_job *qrt__job_join(struct qrt_job *leader);
/* What its caller has given for the function. */
void *qrt__job_arg(const struct qrt_job *job);
/* Ends a job that was joined, while the leader still runs. It and its argument are gone then. */
void qrt__job_end(struct qrt_job *job, enum qrt_err result);

/* For a line that @job writes: on whose behalf it runs, also when they have left it. */
enum { QRT__JOB_LANE_MAX = 64 };
struct qrt__job_origin {
	char correlation[QRT_LOG_CORRELATION_MAX + 1]; /* "": none */
	char path[QRT_LOG_PATH_SIZE];		       /* "server/... > db/db > the lane" */
	int64_t wall_ms;
};
void qrt__job_origin(struct qrt_job *job, struct qrt__job_origin *ret_origin);

/*
 * A job that nobody waits for: @lane's own, which has one at a time, and its closing ends it: taken
 * back, or told and waited for. Until it has ended the root answers for it, as a duty of the lane's
 * name. over(arg) as the drop of a detachable job; it may give the lane its next. On the loop's
 * thread. Errors: ENOMEM, ECLOSED, ELIMIT; then neither is called.
 */
enum qrt_err qrt__lane_errand(struct qrt_lane *lane, qrt_job_fn *fn, void (*over)(void *arg),
			      void *arg) QRT_MUST_USE;

#endif
