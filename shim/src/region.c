/*
 * Regions, as both engines have them: open, the book of children, close.
 *
 *	open ──> closing ──> draining ──> finalizing ──> closed
 *
 * open       takes tasks and child regions
 * closing    the opener has asked: no more admission, the policy is applied
 * draining   waits for every child
 * finalizing no child is left: finalizers run, then the region's memory goes
 *
 * What a cancel reaches is the engine's promise, not this file's.
 */
#include "shim/src/internal.h"

#include <stdlib.h>
#include <string.h>

struct qrt__chunk {
	struct qrt__chunk *next;
	_Alignas(max_align_t) char data[];
};

static const char *const state_names[] = {"open", "closing", "draining", "finalizing", "closed"};

/* Allowed moves: a bit set of next states per state. */
static const unsigned state_moves[] = {
    [QRT__REGION_OPEN] = 1u << QRT__REGION_CLOSING,
    [QRT__REGION_CLOSING] = 1u << QRT__REGION_DRAINING,
    [QRT__REGION_DRAINING] = 1u << QRT__REGION_FINALIZING,
    [QRT__REGION_FINALIZING] = 1u << QRT__REGION_CLOSED,
    [QRT__REGION_CLOSED] = 0,
};

const char *qrt__region_state_name(enum qrt__region_state state)
{
	return state_names[state];
}

static bool is_empty(const struct qrt_region *region)
{
	return qrt__list_empty(&region->tasks) && qrt__list_empty(&region->children);
}

static void move_to(struct qrt_region *region, enum qrt__region_state state)
{
	QRT_ASSERT(state_moves[region->state] & (1u << state));
	if (state >= QRT__REGION_FINALIZING) {
		QRT_ASSERT(is_empty(region));
	}
	region->state = state;
}

static struct qrt_region *region_new(struct qrt_runtime *rt, const char *name)
{
	struct qrt_region *region = calloc(1, sizeof(*region));
	if (!region) {
		return NULL;
	}
	region->magic = QRT__REGION_MAGIC;
	region->rt = rt;
	region->name = name;
	region->opened_ns = rt->turn_ns;
	qrt__list_init(&region->tasks);
	qrt__list_init(&region->children);
	qrt__list_init(&region->in_parent);
	QRT__COUNT(rt->regions_opened, 1);
	QRT__COUNT(rt->regions_live, 1);
	return region;
}

static void region_free(struct qrt_region *region)
{
	while (region->heap) {
		struct qrt__chunk *chunk = region->heap;
		region->heap = chunk->next;
		free(chunk);
	}
	qrt_aggregate_fini(&region->failures);
	QRT__COUNT(region->rt->regions_live, -1);
	region->magic = 0;
	free(region);
}

enum qrt_err qrt__region_open_root(struct qrt_runtime *rt)
{
	struct qrt_region *root = region_new(rt, "root");
	if (!root) {
		return QRT_ENOMEM;
	}
	root->policy = QRT_COLLECT;
	root->cx =
	    (struct qrt_cx){.region = root, .caps = QRT_CAP_ALL, .deadline_ns = QRT_NO_DEADLINE};
	rt->root = root;
	return QRT_OK;
}

void qrt__region_close_root(struct qrt_runtime *rt)
{
	if (!rt->root) {
		return;
	}
	move_to(rt->root, QRT__REGION_CLOSING);
	move_to(rt->root, QRT__REGION_DRAINING);
	move_to(rt->root, QRT__REGION_FINALIZING);
	move_to(rt->root, QRT__REGION_CLOSED);
	region_free(rt->root);
	rt->root = NULL;
}

static int64_t earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

enum qrt_err qrt_region_open_with(struct qrt_cx *cx, const struct qrt_region_options *opts,
				  struct qrt_region **ret_region)
{
	struct qrt_task *task = cx->task;
	struct qrt_runtime *rt = task->rt;
	enum qrt_err err = qrt_cx_require(cx, QRT_CAP_SPAWN);
	if (!err && !task->masks) {
		err = rt->engine->checkpoint(task);
	}
	if (err) {
		return err;
	}
	struct qrt_region *parent = qrt__task_scope(task);
	struct qrt_region *region = region_new(rt, opts->name ? opts->name : task->name);
	if (!region) {
		return QRT_ENOMEM;
	}
	int64_t deadline = opts->deadline_ns ? opts->deadline_ns : QRT_NO_DEADLINE;
	region->policy = opts->policy;
	region->parent = parent;
	region->opener = task;
	region->outer = task->top;
	region->cx = (struct qrt_cx){.task = task,
				     .region = region,
				     .caps = opts->caps ? cx->caps & opts->caps : cx->caps,
				     .deadline_ns = earlier(cx->deadline_ns, deadline)};
	qrt__list_append(&parent->children, &region->in_parent);
	task->top = region;
	qrt__trace(rt, QRT__TRACE_OPEN, task->id, 0);
	*ret_region = region;
	return QRT_OK;
}

enum qrt_err qrt_region_open(struct qrt_cx *cx, enum qrt_policy policy,
			     struct qrt_region **ret_region)
{
	const struct qrt_region_options opts = {.policy = policy};
	return qrt_region_open_with(cx, &opts, ret_region);
}

struct qrt_cx *qrt_region_cx(struct qrt_region *region)
{
	return &region->cx;
}

size_t qrt_region_live(const struct qrt_region *region)
{
	size_t n = 0;
	QRT__LIST_EACH(node, &region->tasks) {
		n++;
	}
	QRT__LIST_EACH(node, &region->children) {
		n += qrt_region_live(QRT__CONTAINER(node, struct qrt_region, in_parent));
	}
	return n;
}

void qrt_region_cancel(struct qrt_region *region, enum qrt_cancel_kind kind, const char *reason)
{
	QRT_PRE(region->magic == QRT__REGION_MAGIC);
	region->rt->engine->cancel_region(region, kind, reason);
}

static void keep_failure(struct qrt_region *region, const struct qrt_failure *failure)
{
	struct qrt_aggregate *all = &region->failures;
	all->n_failures++;
	if (all->n_kept == QRT_AGGREGATE_MAX) {
		return;
	}
	if (!all->kept) {
		all->kept = calloc(QRT_AGGREGATE_MAX, sizeof(*all->kept));
		if (!all->kept) {
			return; /* counted, not described */
		}
	}
	size_t at = all->n_kept++;
	for (; at > 0 && all->kept[at - 1].index > failure->index; at--) {
		all->kept[at] = all->kept[at - 1];
	}
	all->kept[at] = *failure;
}

static void record_failure(struct qrt_region *region, const struct qrt_task *task, enum qrt_err err)
{
	struct qrt_failure failure = {.index = task->index,
				      .outcome = task->outcome,
				      .err = err,
				      .name = task->name,
				      .site = task->site};
	memccpy(failure.detail, task->detail, '\0', sizeof(failure.detail) - 1);
	if (!region->first_err) {
		region->first_err = err;
		region->first = failure;
	}
	keep_failure(region, &failure);
}

static void wake_closer(struct qrt_region *region)
{
	if (region->closer && is_empty(region)) {
		struct qrt__wait *closer = region->closer;
		region->closer = NULL;
		qrt__unpark(closer, QRT_OK);
	}
}

void qrt__region_task_ended(struct qrt_region *region, struct qrt_task *task, enum qrt_err err)
{
	qrt__list_remove(&task->in_home);
	if (task->outcome > region->failures.worst) {
		region->failures.worst = task->outcome;
	}
	if (task->outcome == QRT_OUTCOME_ERR || task->outcome == QRT_OUTCOME_PANICKED) {
		record_failure(region, task, err);
	}
	if (task->outcome != QRT_OUTCOME_OK) {
		region->rt->engine->child_ended(region, task->outcome);
	}
	wake_closer(region);
}

/* The wait for the children cannot be cut short: that is what closing means. */
static void drain(struct qrt_cx *cx, struct qrt_region *region)
{
	while (!is_empty(region)) {
		struct qrt__wait wait;
		qrt__wait_init(&wait, cx, QRT__WAIT_JOIN, region, NULL);
		region->closer = &wait;
		enum qrt_err err = qrt__park(cx, &wait, QRT_NO_DEADLINE);
		QRT_ASSERT(err == QRT_OK);
	}
}

static enum qrt_err closing_result(struct qrt_cx *cx, const struct qrt_region *region,
				   enum qrt_err err)
{
	/* A body that was cancelled because a child failed reports the child. */
	bool childs_fault = region->first_err && (!err || err == QRT_ECANCELED);
	if (childs_fault) {
		return qrt_fail(cx, region->first_err, "%s", region->first.detail);
	}
	if (!err && region->failures.worst == QRT_OUTCOME_CANCELLED) {
		return QRT_ECANCELED;
	}
	return err;
}

enum qrt_err qrt_region_close_report(struct qrt_cx *cx, struct qrt_region **region_ptr,
				     enum qrt_err err, struct qrt_aggregate *ret_aggregate)
{
	struct qrt_region *region = *region_ptr;
	struct qrt_task *task = cx->task;
	QRT_PRE(region->magic == QRT__REGION_MAGIC);
	QRT_PRE(region->opener == task);
	QRT_PRE(task->top == region);

	move_to(region, QRT__REGION_CLOSING);
	if (err && region->policy == QRT_FAIL_FAST && !is_empty(region)) {
		region->rt->engine->cancel_region(region, QRT_CANCEL_FAIL_FAST, "the body failed");
	}
	move_to(region, QRT__REGION_DRAINING);
	drain(cx, region);
	move_to(region, QRT__REGION_FINALIZING);
	qrt__run_finalizers(&region->cx, &region->defers);
	enum qrt_err result = closing_result(cx, region, err);
	task->top = region->outer;
	qrt__list_remove(&region->in_parent);
	move_to(region, QRT__REGION_CLOSED);
	wake_closer(region->parent);
	qrt__trace(region->rt, QRT__TRACE_CLOSE, task->id, result);
	if (ret_aggregate) {
		*ret_aggregate = region->failures;
		region->failures = (struct qrt_aggregate){0};
	}
	region_free(region);
	*region_ptr = NULL;
	return result;
}

enum qrt_err qrt_region_close(struct qrt_cx *cx, struct qrt_region **region, enum qrt_err err)
{
	return qrt_region_close_report(cx, region, err, NULL);
}

void qrt_aggregate_fini(struct qrt_aggregate *aggregate)
{
	free(aggregate->kept);
	*aggregate = (struct qrt_aggregate){0};
}

void *qrt_alloc(struct qrt_cx *cx, size_t n)
{
	if (n > SIZE_MAX - sizeof(struct qrt__chunk)) {
		return NULL;
	}
	struct qrt__chunk *chunk = calloc(1, sizeof(*chunk) + n);
	if (!chunk) {
		return NULL;
	}
	chunk->next = cx->region->heap;
	cx->region->heap = chunk;
	return chunk->data;
}
