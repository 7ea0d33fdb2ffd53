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

/* Whose allocations are counted, on every thread. */
static struct qrt_lab *_Atomic allocating;

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
	region->exposed = (unsigned char)to;
	if (to & QRT_EXPOSE_FAILURES) {
		atomic_store(&lab->sweep.failing, region);
		lab->sweep.rt = region->rt;
		atomic_store(&allocating, lab->opts.sweep.kind == QRT_SWEEP_ALLOC ? lab : NULL);
	}
	return QRT_OK;
}

void qrt__lab_unexpose(struct qrt__region *region)
{
	struct qrt_lab *lab = region->rt->lab;
	struct qrt__region *closed = region;
	if (lab && atomic_compare_exchange_strong(&lab->sweep.failing, &closed, NULL)) {
		atomic_store(&allocating, NULL);
	}
}

/* Counts one: whether it is the chosen one. */
static bool is_chosen(struct qrt_lab *lab)
{
	struct qrt__sweep *sweep = &lab->sweep;
	uint64_t n = atomic_fetch_add_explicit(&sweep->points, 1, memory_order_relaxed) + 1;
	if (n != lab->opts.sweep.at) {
		return false;
	}
	sweep->fired = true;
	return true;
}

/* Where the chosen one is: in @task, or NULL. */
static void note(struct qrt_lab *lab, const struct qrt_task *task)
{
	struct qrt__sweep *sweep = &lab->sweep;
	if (task) {
		snprintf(sweep->point, sizeof(sweep->point), "task %s, spawned at %s", task->name,
			 task->site);
		sweep->looking_at = lab->opts.sweep.look ? task->id : 0;
	} else {
		bool here = qrt__on_thread_of(sweep->rt);
		snprintf(sweep->point, sizeof(sweep->point), "%s",
			 here ? "the loop itself" : "another thread");
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
	while (at && !(at->exposed & QRT_EXPOSE_CANCEL)) {
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
	if (!is_chosen(lab)) {
		return;
	}
	note(lab, task);
	if (lab->opts.sweep.look) {
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
	if (lab->opts.sweep.kind != kind || sweep->fired || !atomic_load(&sweep->failing)) {
		return false;
	}
	if (!is_chosen(lab)) {
		return false;
	}
	note(lab, qrt__on_thread_of(sweep->rt) ? sweep->rt->current : NULL);
	return !lab->opts.sweep.look;
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
	struct qrt_lab *lab = atomic_load_explicit(&allocating, memory_order_relaxed);
	return __builtin_expect(lab != NULL, 0) && failure_point(lab, QRT_SWEEP_ALLOC);
}

bool qrt_lab_crashed(const struct qrt_lab *lab)
{
	return lab->crashed || (lab->opts.sweep.kind == QRT_SWEEP_CRASH && lab->sweep.fired);
}

void qrt__sweep_fini(struct qrt_lab *lab)
{
	if (atomic_load(&allocating) == lab) {
		atomic_store(&allocating, NULL);
	}
}
