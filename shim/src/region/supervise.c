/*
 * QRT_SUPERVISE: a child that fails is started again, after a pause that
 * doubles, until it fails too often; then the region is cancelled with that
 * failure. Erlang's supervisors, one for one.
 */
#include "shim/src/internal.h"

enum { RESTARTS_LIMIT = 1000 };

/* Region heap. When the last restarts were: a ring of restarts_max moments. */
struct qrt__supervisor {
	struct qrt_supervision how;
	unsigned next;
	int64_t at_ns[];
};

#define NEVER INT64_MIN

enum qrt_err qrt__supervise_open(struct qrt__region *region, const struct qrt_supervision *how)
{
	struct qrt_supervision with = {
	    .backoff_min_ns = how->backoff_min_ns ? how->backoff_min_ns : 10 * QRT_MS,
	    .backoff_max_ns = how->backoff_max_ns ? how->backoff_max_ns : QRT_SEC,
	    .restarts_max = how->restarts_max ? how->restarts_max : 5,
	    .period_ns = how->period_ns ? how->period_ns : 10 * QRT_SEC,
	};
	if (with.backoff_min_ns < 0 || with.backoff_max_ns < with.backoff_min_ns ||
	    with.period_ns < 0 || with.restarts_max > RESTARTS_LIMIT) {
		return QRT_EINVAL;
	}
	struct qrt__supervisor *supervisor = qrt__region_alloc(
	    region, sizeof(*supervisor) + with.restarts_max * sizeof(supervisor->at_ns[0]));
	if (!supervisor) {
		return QRT_ENOMEM;
	}
	supervisor->how = with;
	for (unsigned i = 0; i < with.restarts_max; i++) {
		supervisor->at_ns[i] = NEVER;
	}
	region->supervisor = supervisor;
	return QRT_OK;
}

enum qrt_err qrt__supervise_adopt(struct qrt__region *region, struct qrt__spawn *spawn)
{
	struct qrt__lineage *lineage = qrt__region_alloc(region, sizeof(*lineage));
	if (!lineage) {
		return QRT_ENOMEM;
	}
	lineage->index = region->next_index++;
	lineage->backoff_ns = region->supervisor->how.backoff_min_ns;
	spawn->lineage = lineage;
	lineage->spawn = *spawn;
	return QRT_OK;
}

static void delay_abort(struct qrt__wait *wait, enum qrt_err why)
{
	qrt__unpark(wait, why);
}

enum qrt_err qrt__supervise_delay(struct qrt_task *task)
{
	struct qrt__lineage *lineage = task->lineage;
	enum qrt_err err = QRT_OK;
	if (lineage->starts++ > 0) {
		int64_t until = qrt_deadline_in(&task->cx, lineage->backoff_ns);
		int64_t longest = task->home->supervisor->how.backoff_max_ns;
		lineage->backoff_ns =
		    lineage->backoff_ns < longest / 2 ? lineage->backoff_ns * 2 : longest;
		struct qrt__wait wait;
		qrt__wait_init(&wait, &task->cx, QRT__WAIT_SLEEP, lineage, delay_abort);
		err = qrt__park(&task->cx, &wait, until);
		if (err == QRT_ETIMEDOUT && qrt__now(task->rt) >= until) {
			err = QRT_OK;
		}
	}
	lineage->started_ns = qrt__now(task->rt);
	return err;
}

/* Whether one more restart stays within the intensity; takes note of it. */
static bool within_intensity(struct qrt__supervisor *supervisor, int64_t now)
{
	int64_t *oldest = &supervisor->at_ns[supervisor->next];
	if (*oldest != NEVER && now - *oldest < supervisor->how.period_ns) {
		return false;
	}
	*oldest = now;
	supervisor->next = (supervisor->next + 1) % supervisor->how.restarts_max;
	return true;
}

bool qrt__supervise_restart(struct qrt__region *region, struct qrt_task *task, enum qrt_err *err)
{
	struct qrt__lineage *lineage = task->lineage;
	struct qrt__supervisor *supervisor = region->supervisor;
	int64_t now = qrt__now(region->rt);
	if (!lineage || region->cancel.requested || !within_intensity(supervisor, now)) {
		return false;
	}
	/* One that ran well for a while starts over with a short pause. */
	if (now - lineage->started_ns > supervisor->how.period_ns) {
		lineage->backoff_ns = supervisor->how.backoff_min_ns;
	}
	enum qrt_err start = qrt__task_start(region, &lineage->spawn, NULL);
	if (start) {
		/* Not what it failed with ends the region, but that it cannot have another try. */
		*err = start;
		QRT_IGNORE(qrt_prefix(&task->cx, start, "it could not be started again"),
			   "it only sets the detail");
		return false;
	}
	region->failures.n_restarts++;
	QRT__COUNT(region->rt->restarts, 1);
	return true;
}
