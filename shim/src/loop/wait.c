/* Park and unpark: the one way a task waits, and the checkpoint in it. */
#include "shim/src/internal.h"

struct wait_text {
	const char *text;
	bool op;
};

static const struct wait_text wait_texts[] = {
#define WAIT_TEXT(name, text, op) [name] = {text, op},
    QRT__WAIT_KINDS(WAIT_TEXT)
#undef WAIT_TEXT
};

const char *qrt__wait_name(enum qrt__wait_kind kind)
{
	return wait_texts[kind].text;
}

static void wait_expired(struct qrt__timer *timer)
{
	qrt__wait_abort(QRT__CONTAINER(timer, struct qrt__wait, timer), QRT_ETIMEDOUT);
}

void qrt__wait_init(struct qrt__wait *wait, struct qrt_cx *cx, enum qrt__wait_kind kind,
		    const void *object, qrt__abort_fn *abort)
{
	/* Field by field: it is large, most of it is the timer's and the queue's own affair. */
	wait->task = cx->task;
	wait->kind = kind;
	wait->object = object;
	wait->abort = abort;
	wait->aborted = false;
	wait->done = false;
	wait->site = NULL;
	wait->holder = NULL;
	qrt__timer_init(&wait->timer, wait_expired);
	qrt__list_init(&wait->node);
}

void qrt__wait_abort(struct qrt__wait *wait, enum qrt_err why)
{
	if (wait->done || wait->aborted || !wait->abort) {
		return;
	}
	wait->aborted = true;
	wait->abort(wait, why);
}

/* A mask covers the cx's deadline as it covers a cancel; not one of the wait's own. */
static int64_t earliest(const struct qrt_cx *cx, int64_t deadline_ns)
{
	const struct qrt_task *task = cx->task;
	bool masked = task->commits || (task->masks && !task->mask_spent);
	return masked || deadline_ns < cx->deadline_ns ? deadline_ns : cx->deadline_ns;
}

static void check_before(struct qrt_task *task, struct qrt__wait *wait, int64_t deadline_ns)
{
	if (qrt__cancel_reaches(task)) {
		qrt__wait_abort(wait, qrt__cancel_err(task));
	} else if (deadline_ns <= task->rt->turn_ns) {
		/* One that has passed since the turn began fires at the next one. */
		qrt__wait_abort(wait, QRT_ETIMEDOUT);
	}
}

/* Whoever is told of a cancel or was waiting for a time goes before the merely ready. */
static unsigned lane_of(const struct qrt_task *task, const struct qrt__wait *wait)
{
	if (wait->aborted) {
		return wait->result == QRT_ETIMEDOUT ? QRT__LANE_TIMED : QRT__LANE_CANCEL;
	}
	return QRT__LANE_READY + QRT_PRIORITY_MAX - task->priority;
}

static void trace_park(const struct qrt_task *task, const struct qrt__wait *wait,
		       int64_t deadline_ns)
{
	qrt__tell(task->rt, QRT__TRACE_WAIT, task, (uint64_t)deadline_ns);
	qrt__trace_named(task->rt, QRT__TRACE_PARK, task->id, wait->kind, NULL, wait->site);
}

enum qrt_err qrt__park(struct qrt_cx *cx, struct qrt__wait *wait, int64_t deadline_ns)
{
	struct qrt_task *task = cx->task;
	struct qrt_runtime *rt = task->rt;
	QRT_PRE(rt->current == task);
	QRT_PRE(!task->wait);

	int64_t deadline = earliest(cx, deadline_ns);
	if (!wait->done && wait->abort) {
		check_before(task, wait, deadline);
	}
	if (wait->done && !QRT__MUTANT(UNPARK_LOST)) {
		return wait->result;
	}
	bool op = wait_texts[wait->kind].op;
	if (wait->abort && !wait->aborted && deadline != QRT_NO_DEADLINE) {
		int64_t late = QRT__MUTANT(DEADLINE_LATE) ? QRT_MS : 0;
		qrt__timer_start(&rt->timers, &wait->timer, deadline + late);
	}
	wait->since_ns = rt->turn_ns;
	task->wait = wait;
	task->state = QRT__TASK_PARKED;
	QRT__COUNT(rt->ops_started, op);
	QRT__COUNT(rt->ops_live, op);
	if (__builtin_expect(rt->tracing, 0)) {
		trace_park(task, wait, deadline);
	}
	qrt__switch_away(rt, task, false);
	if (QRT__MUTANT(TIMER_STALE) && (wait->aborted || !task->asked)) {
		qrt__timer_stop(&rt->timers, &wait->timer);
	}
	QRT__COUNT(rt->ops_live, -(int)op);
	QRT_POST(wait->done);
	return wait->result;
}

void qrt__unpark(struct qrt__wait *wait, enum qrt_err result)
{
	struct qrt_task *task = wait->task;
	struct qrt_runtime *rt = task->rt;
	QRT_PRE(!wait->done);
	wait->done = true;
	wait->result = result;
	if (!QRT__MUTANT(TIMER_STALE)) {
		qrt__timer_stop(&rt->timers, &wait->timer);
	}
	if (task->wait == wait) {
		task->wait = NULL;
		qrt__trace(rt, QRT__TRACE_UNPARK, task->id, result);
		qrt__make_ready(task, lane_of(task, wait));
	}
}
