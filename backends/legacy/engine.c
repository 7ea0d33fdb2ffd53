/*
 * The detached engine: what callback runtimes give. Tasks belong to the loop;
 * a region only counts its own, so that close can wait. A cancel makes the
 * current wait of a counted task fail once; a task that happens not to wait,
 * or waits for a region of its own, never hears of it.
 */
#include "backends/backend.h"
#include "shim/src/internal.h"

static bool admits(const struct qrt__region *region)
{
	return region->state <= QRT__REGION_CLOSING;
}

static void fail_wait_once(struct qrt_task *task)
{
	if (task->wait && !task->masks) {
		qrt__wait_abort(task->wait, QRT_ECANCELED);
	}
}

static void cancel_region(struct qrt__region *region, const struct qrt_cancel_info *request)
{
	struct qrt_runtime *rt = region->rt;
	QRT_IGNORE(qrt__cancel_request(&region->cancel, request), "it is told again each time");
	QRT__COUNT(rt->cancels, 1);
	QRT__COUNT(rt->cancels_by[request->kind], 1);
	qrt__trace_named(rt, QRT__TRACE_CANCEL, request->kind, region->next_index, region->name,
			 request->reason);
	qrt__tell(rt, QRT__TRACE_ASKED, region, 0);
	QRT__LIST_EACH(node, &region->tasks) {
		fail_wait_once(QRT__CONTAINER(node, struct qrt_task, in_home));
	}
}

static void cancel_scope(struct qrt__region *region, const struct qrt_cancel_info *request)
{
	cancel_region(region, request);
	fail_wait_once(region->opener);
}

static void cancel_task(struct qrt_task *task, const struct qrt_cancel_info *request)
{
	QRT_IGNORE(qrt__cancel_request(&task->cancel, request), "it is told again each time");
	QRT__COUNT(task->rt->cancels, 1);
	QRT__COUNT(task->rt->cancels_by[request->kind], 1);
	qrt__trace_named(task->rt, QRT__TRACE_CANCEL_TASK, request->kind, task->id, task->name,
			 request->reason);
	qrt__tell(task->rt, QRT__TRACE_ASKED_TASK, task, 0);
	fail_wait_once(task);
}

static struct qrt__region *detach_to(struct qrt__region *home)
{
	return home->rt->root;
}

const struct qrt__engine qrt__engine_detached = {
    .name = "detached",
    .structured = false,
    .admits = admits,
    .cancel_region = cancel_region,
    .cancel_scope = cancel_scope,
    .cancel_task = cancel_task,
    .detach_to = detach_to,
};
