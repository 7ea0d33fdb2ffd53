/*
 * The points of a sweep: counted while a region is exposed, and at the chosen
 * one something is done: a cancel, a failure, a crash. On backends with more
 * than one thread only the exposed region's loop is looked at.
 */
#include <stdio.h>

#include <qrt/trial.h>

#include "backends/lab/lab.h"

const char *qrt_sweep_name(enum qrt_sweep_kind kind)
{
	static const char *const names[] = {"none",  "cancel", "cancel-task", "deadline",
					    "alloc", "io",     "crash"};
	_Static_assert(sizeof(names) / sizeof(names[0]) == QRT_SWEEPS, "a name each");
	return (unsigned)kind < QRT_SWEEPS ? names[kind] : "?";
}

/* Whose allocations on this thread are counted. */
static _Thread_local struct qrt_lab *allocating;

enum qrt_err qrt_lab_expose(struct qrt_region *handle, unsigned to)
{
	struct qrt__region *region = qrt__region_of(handle);
	if (!region) {
		return QRT_ESTALE;
	}
	struct qrt_lab *lab = region->rt->lab;
	if (!lab || lab->opts.sweep.kind == QRT_SWEEP_NONE) {
		return QRT_OK;
	}
	region->exposed = to & QRT_EXPOSE_CANCEL;
	if (to & QRT_EXPOSE_FAILURES) {
		lab->sweep.failing = handle;
		lab->sweep.rt = region->rt;
		allocating = lab->opts.sweep.kind == QRT_SWEEP_ALLOC ? lab : NULL;
	}
	return QRT_OK;
}

/* Counts one: whether it is the chosen one, and something is to be done. */
static bool count(struct qrt_lab *lab)
{
	struct qrt__sweep *sweep = &lab->sweep;
	uint64_t n = atomic_fetch_add_explicit(&sweep->points, 1, memory_order_relaxed) + 1;
	if (n != lab->opts.sweep.at) {
		return false;
	}
	sweep->fired = true;
	return !lab->opts.sweep.look;
}

static void note_task(struct qrt_lab *lab, const struct qrt_task *task)
{
	struct qrt__sweep *sweep = &lab->sweep;
	if (task) {
		snprintf(sweep->point, sizeof(sweep->point), "task %s, spawned at %s", task->name,
			 task->site);
		sweep->looking_at = lab->opts.sweep.look ? task->id : 0;
	} else {
		snprintf(sweep->point, sizeof(sweep->point), "the loop itself");
	}
}

void qrt__sweep_step(struct qrt_lab *lab, const struct qrt__step *step)
{
	struct qrt__sweep *sweep = &lab->sweep;
	bool parks = step->what == QRT__TRACE_PARK, ends = step->what == QRT__TRACE_END;
	if (step->a != sweep->looking_at || (!parks && !ends && step->what != QRT__TRACE_YIELD)) {
		return;
	}
	size_t used = strlen(sweep->point);
	const char *does = parks  ? qrt__wait_name((enum qrt__wait_kind)step->b)
			   : ends ? "its end"
				  : "yield";
	snprintf(sweep->point + used, sizeof(sweep->point) - used, ", before %s%s%s", does,
		 step->site ? " at " : "", step->site ? step->site : "");
	sweep->looking_at = 0;
}

/* The innermost exposed region that @task works in; NULL: none. */
static struct qrt__region *exposed_to_cancel(const struct qrt_task *task)
{
	struct qrt__region *at = qrt__task_scope(task);
	while (at && !at->exposed) {
		at = at->parent;
	}
	return at;
}

bool qrt__sweep_wants_checkpoints(const struct qrt_lab *lab)
{
	enum qrt_sweep_kind kind = lab->opts.sweep.kind;
	return kind == QRT_SWEEP_CANCEL || kind == QRT_SWEEP_CANCEL_TASK ||
	       kind == QRT_SWEEP_DEADLINE;
}

void qrt__sweep_checkpoint(struct qrt_lab *lab, struct qrt_cx *cx)
{
	struct qrt__sweep *sweep = &lab->sweep;
	struct qrt_task *task = cx->task;
	struct qrt__region *region = exposed_to_cancel(task);
	if (!region || sweep->fired) {
		return;
	}
	bool act = count(lab);
	if (sweep->fired) {
		note_task(lab, task);
	}
	if (!act) {
		return;
	}
	switch (lab->opts.sweep.kind) {
	case QRT_SWEEP_CANCEL:
		qrt__cancel_region(region, QRT_CANCEL_USER, "the sweep's point");
		return;
	case QRT_SWEEP_CANCEL_TASK:
		qrt__cancel_task(task, QRT_CANCEL_USER, "the sweep's point");
		return;
	case QRT_SWEEP_DEADLINE:
		qrt__cancel_region(region, QRT_CANCEL_DEADLINE, "the sweep's point");
		return;
	default:
		QRT_IMPOSSIBLE("no sweep of checkpoints");
	}
}

static bool failure_point(struct qrt_lab *lab, enum qrt_sweep_kind kind)
{
	struct qrt__sweep *sweep = &lab->sweep;
	bool open = sweep->failing && qrt__region_of(sweep->failing);
	if (lab->opts.sweep.kind != kind || sweep->fired || !open) {
		return false;
	}
	bool act = count(lab);
	if (sweep->fired) {
		note_task(lab, sweep->rt->current);
	}
	return act;
}

bool qrt__io_point(struct qrt_lab *lab)
{
	return failure_point(lab, QRT_SWEEP_IO);
}

bool qrt__crash_point(struct qrt_lab *lab)
{
	return failure_point(lab, QRT_SWEEP_CRASH);
}

bool qrt_lab_alloc_fails(void)
{
	return allocating && failure_point(allocating, QRT_SWEEP_ALLOC);
}

bool qrt_lab_crashed(const struct qrt_lab *lab)
{
	return lab->crashed || (lab->opts.sweep.kind == QRT_SWEEP_CRASH && lab->sweep.fired);
}

void qrt__sweep_fini(struct qrt_lab *lab)
{
	if (allocating == lab) {
		allocating = NULL;
	}
}
