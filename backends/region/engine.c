/*
 * The region engine: structured. A cancel reaches the whole subtree and is
 * remembered: from the request on, every checkpoint in the region refuses
 * until the region is closed.
 *
 *	request ──> every task's wait is cut short ──> checkpoints refuse
 *	        ──> tasks end, finalizers run ──> the region closes
 *
 * What a mask covers is left out and caught up on when the mask ends:
 * shim/src/cancel.c.
 */
#include "backends/backend.h"
#include "shim/src/internal.h"

static bool admits(const struct qrt__region *region)
{
	return region->state <= QRT__REGION_CLOSING && !region->cancel.requested;
}

static void count(struct qrt_runtime *rt, enum qrt_cancel_kind kind)
{
	QRT__COUNT(rt->cancels, 1);
	QRT__COUNT(rt->cancels_by[kind], 1);
}

static void cancel_region(struct qrt__region *region, const struct qrt_cancel_info *request)
{
	struct qrt_runtime *rt = region->rt;
	if (!qrt__cancel_request(&region->cancel, request)) {
		return;
	}
	count(rt, request->kind);
	qrt__trace_named(rt, QRT__TRACE_CANCEL, request->kind, region->next_index, region->name,
			 request->reason);
	qrt__tell(rt, QRT__TRACE_ASKED, region, 0);
	qrt__cancel_watch_region(region);
	/* The opener works in the region too; in an inner one only a mask may have to be timed. */
	if (region->opener) {
		qrt__cancel_deliver(region->opener);
	}
	QRT__LIST_EACH(node, &region->tasks) {
		qrt__cancel_deliver(QRT__CONTAINER(node, struct qrt_task, in_home));
	}
	const struct qrt_cancel_info below = qrt__cancel_below(request);
	QRT__LIST_EACH(node, &region->children) {
		struct qrt__region *child = QRT__CONTAINER(node, struct qrt__region, in_parent);
		if (qrt__cancel_enters(child) && !QRT__MUTANT(CANCEL_SHALLOW)) {
			cancel_region(child, &below);
		}
	}
}

static void cancel_task(struct qrt_task *task, const struct qrt_cancel_info *request)
{
	if (!qrt__cancel_request(&task->cancel, request)) {
		return;
	}
	count(task->rt, request->kind);
	qrt__trace_named(task->rt, QRT__TRACE_CANCEL_TASK, request->kind, task->id, task->name,
			 request->reason);
	qrt__tell(task->rt, QRT__TRACE_ASKED_TASK, task, 0);
	qrt__cancel_watch_task(task);
	for (struct qrt__region *region = task->top; region; region = region->outer) {
		if (qrt__cancel_enters(region)) {
			cancel_region(region, request);
		}
	}
	qrt__cancel_deliver(task);
}

/* Nothing is detached here: it becomes a child of its component. */
static struct qrt__region *detach_to(struct qrt__region *home)
{
	return home;
}

const struct qrt__engine qrt__engine_region = {
    .name = "region",
    .structured = true,
    .admits = admits,
    .cancel_region = cancel_region,
    .cancel_scope = cancel_region, /* its opener hears of it at its next checkpoint in any case */
    .cancel_task = cancel_task,
    .detach_to = detach_to,
};
