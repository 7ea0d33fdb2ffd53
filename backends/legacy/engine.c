/*
 * The detached engine: what callback runtimes give. Tasks belong to the loop;
 * a region only counts its own, so that close can wait. A cancel makes the
 * current wait of a counted task fail once; a task that happens not to wait,
 * or waits for a region of its own, never hears of it.
 */
#include "backends/backend.h"
#include "shim/src/internal.h"

static bool admits(const struct qrt_region *region)
{
	return region->state <= QRT__REGION_CLOSING;
}

static enum qrt_err checkpoint(const struct qrt_task *task)
{
	(void)task;
	return QRT_OK; /* nothing is remembered between waits */
}

static void fail_wait_once(struct qrt_task *task)
{
	if (task->wait && !task->masks) {
		qrt__wait_abort(task->wait, QRT_ECANCELED);
	}
}

static void cancel_region(struct qrt_region *region, enum qrt_cancel_kind kind, const char *reason)
{
	qrt__cancel_strengthen(&region->cancel, kind, reason, qrt__now(region->rt));
	QRT__COUNT(region->rt->cancels, 1);
	qrt__trace(region->rt, QRT__TRACE_CANCEL, kind, region->next_index);
	QRT__LIST_EACH(node, &region->tasks) {
		fail_wait_once(QRT__CONTAINER(node, struct qrt_task, in_home));
	}
}

static void cancel_task(struct qrt_task *task, enum qrt_cancel_kind kind, const char *reason)
{
	qrt__cancel_strengthen(&task->cancel, kind, reason, qrt__now(task->rt));
	fail_wait_once(task);
}

static void child_ended(struct qrt_region *region, enum qrt_outcome outcome)
{
	if (region->policy == QRT_FAIL_FAST && outcome != QRT_OUTCOME_CANCELLED &&
	    !region->cancel.requested) {
		cancel_region(region, QRT_CANCEL_FAIL_FAST, "a sibling failed");
	}
}

static struct qrt_region *detach_to(struct qrt_region *home)
{
	return home->rt->root;
}

const struct qrt__engine qrt__engine_detached = {
    .name = "detached",
    .admits = admits,
    .checkpoint = checkpoint,
    .cancel_region = cancel_region,
    .cancel_task = cancel_task,
    .child_ended = child_ended,
    .detach_to = detach_to,
};
