/*
 * The region engine: structured. A cancel reaches the whole subtree and is
 * level-triggered: from the request on, every checkpoint in the region says
 * QRT_ECANCELED until the region is closed.
 *
 *	request ──> every task's wait is cut short ──> checkpoints refuse
 *	        ──> tasks end, finalizers run ──> the region closes
 */
#include "backends/backend.h"
#include "shim/src/internal.h"

static bool admits(const struct qrt_region *region)
{
	return region->state <= QRT__REGION_CLOSING && !region->cancel.requested;
}

static enum qrt_err checkpoint(const struct qrt_task *task)
{
	bool asked = task->cancel.requested || qrt__task_scope(task)->cancel.requested;
	return asked ? QRT_ECANCELED : QRT_OK;
}

static void cut_wait(struct qrt_task *task)
{
	if (task->wait && !task->masks) {
		qrt__wait_abort(task->wait, QRT_ECANCELED);
	}
}

static void cancel_region(struct qrt_region *region, enum qrt_cancel_kind kind, const char *reason)
{
	struct qrt_runtime *rt = region->rt;
	if (!qrt__cancel_strengthen(&region->cancel, kind, reason, qrt__now(rt))) {
		return;
	}
	QRT__COUNT(rt->cancels, 1);
	qrt__trace(rt, QRT__TRACE_CANCEL, kind, region->next_index);
	/* The opener works in the region too, as long as it is its innermost one. */
	if (region->opener && region->opener->top == region) {
		cut_wait(region->opener);
	}
	QRT__LIST_EACH(node, &region->tasks) {
		cut_wait(QRT__CONTAINER(node, struct qrt_task, in_home));
	}
	QRT__LIST_EACH(node, &region->children) {
		cancel_region(QRT__CONTAINER(node, struct qrt_region, in_parent), QRT_CANCEL_PARENT,
			      reason);
	}
}

static void cancel_task(struct qrt_task *task, enum qrt_cancel_kind kind, const char *reason)
{
	qrt__cancel_strengthen(&task->cancel, kind, reason, qrt__now(task->rt));
	for (struct qrt_region *region = task->top; region; region = region->outer) {
		cancel_region(region, kind, reason);
	}
	cut_wait(task);
}

static void child_ended(struct qrt_region *region, enum qrt_outcome outcome)
{
	if (region->policy == QRT_FAIL_FAST && outcome != QRT_OUTCOME_CANCELLED) {
		cancel_region(region, QRT_CANCEL_FAIL_FAST, "a sibling failed");
	}
}

/* Nothing is detached here: it becomes a child of its component. */
static struct qrt_region *detach_to(struct qrt_region *home)
{
	return home;
}

const struct qrt__engine qrt__engine_region = {
    .name = "region",
    .admits = admits,
    .checkpoint = checkpoint,
    .cancel_region = cancel_region,
    .cancel_task = cancel_task,
    .child_ended = child_ended,
    .detach_to = detach_to,
};
