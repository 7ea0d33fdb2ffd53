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
#include "shim/src/region/token.h"

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

static bool is_empty(const struct qrt__region *region)
{
	return qrt__list_empty(&region->tasks) && qrt__list_empty(&region->children);
}

static void move_to(struct qrt__region *region, enum qrt__region_state state)
{
	QRT_ASSERT(state_moves[region->state] & (1u << state));
	if (state >= QRT__REGION_FINALIZING) {
		QRT_ASSERT(is_empty(region));
	}
	region->state = state;
}

static const char *const outcome_names[] = {"ok", "error", "cancelled", "panicked"};

const char *qrt_outcome_name(enum qrt_outcome outcome)
{
	return outcome_names[outcome];
}

static struct qrt__region *region_new(struct qrt_runtime *rt, const char *name)
{
	struct qrt__region *region = qrt__pool_take(&rt->regions, QRT__REGION_MAGIC);
	if (!region) {
		return NULL;
	}
	region->rt = rt;
	region->name = name;
	region->opened_ns = rt->turn_ns;
	qrt__list_init(&region->tasks);
	qrt__list_init(&region->children);
	qrt__list_init(&region->in_parent);
	qrt__list_init(&region->duties);
	qrt__cancel_init_region(region);
	QRT__COUNT(rt->regions_opened, 1);
	region->id = atomic_load_explicit(&rt->regions_opened, memory_order_relaxed);
	QRT__COUNT(rt->regions_live, 1);
	return region;
}

static void region_free(struct qrt__region *region)
{
	if (region->binding) {
		qrt__token_unbind(region);
	}
	if (region->exposed) {
		qrt__lab_unexpose(region);
	}
	while (region->heap) {
		struct qrt__chunk *chunk = region->heap;
		region->heap = chunk->next;
		free(chunk);
	}
	qrt__cancel_fini_region(region);
	qrt__meter_fini(&region->meter);
	qrt_aggregate_fini(&region->failures);
	QRT__COUNT(region->rt->regions_live, -1);
	qrt__pool_give(&region->rt->regions, region);
}

enum qrt_err qrt__region_open_root(struct qrt_runtime *rt)
{
	struct qrt__region *root = region_new(rt, "root");
	if (!root) {
		return QRT_ENOMEM;
	}
	const struct qrt_budget unbounded = {0};
	root->policy = QRT_COLLECT;
	qrt__meter_init(&root->meter, NULL, &unbounded);
	root->cx = (struct qrt_cx){.region = root,
				   .meter = &root->meter,
				   .caps = QRT_CAP_ALL,
				   .deadline_ns = QRT_NO_DEADLINE};
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

static enum qrt_err may_open(struct qrt_cx *cx, const struct qrt_region_options *opts)
{
	enum qrt_err err = qrt_cx_require(cx, QRT_CAP_SPAWN);
	if (!err) {
		err = qrt__may_suspend(cx);
	}
	if (!err && cx->task->asked) {
		err = qrt__cancel_refuse(cx->task);
	}
	if (err) {
		return err;
	}
	if (!qrt__budget_valid(&opts->budget) || opts->cleanup_ns < 0 ||
	    opts->policy > QRT_SUPERVISE || (opts->flags & ~QRT_CANCEL_REST)) {
		return qrt_fail(cx, QRT_EINVAL, "region %s: bad budget, cleanup, policy or flags",
				opts->name ? opts->name : cx->task->name);
	}
	return QRT_OK;
}

/* Below its opener's other regions, with what is left to the opener. */
static void enter_parent(struct qrt__region *region, struct qrt_cx *cx,
			 const struct qrt_region_options *opts)
{
	struct qrt_task *task = cx->task;
	int64_t own = opts->budget.deadline_ns ? opts->budget.deadline_ns : QRT_NO_DEADLINE;
	bool earlier =
	    own < cx->deadline_ns || (QRT__MUTANT(DEADLINE_UNMET) && opts->budget.deadline_ns);
	region->parent = qrt__task_scope(task);
	region->opener = task;
	region->outer = task->top;
	region->shielded = task->masks > 0;
	region->cx = (struct qrt_cx){.task = task,
				     .region = region,
				     .meter = &region->meter,
				     .caps = opts->caps ? cx->caps & opts->caps : cx->caps,
				     .deadline_ns = earlier ? own : cx->deadline_ns};
	qrt__meter_init(&region->meter, cx->meter, &opts->budget);
	region->priority =
	    opts->budget.priority > task->priority ? opts->budget.priority : task->priority;
	qrt__list_append(&region->parent->children, &region->in_parent);
	task->top = region;
	qrt__cancel_look(task);
	if (earlier && region->rt->engine->structured) {
		qrt__cancel_at_deadline(region);
	}
}

enum qrt_err qrt_region_open_with(struct qrt_cx *cx, const struct qrt_region_options *opts,
				  struct qrt_region **ret_region)
{
	struct qrt_task *task = cx->task;
	enum qrt_err err = may_open(cx, opts);
	if (err) {
		return err;
	}
	struct qrt__region *region = region_new(task->rt, opts->name ? opts->name : task->name);
	if (!region) {
		return QRT_ENOMEM;
	}
	region->policy = opts->policy;
	region->flags = opts->flags;
	region->limits = opts->limits;
	region->cleanup_ns = opts->cleanup_ns;
	if (opts->policy == QRT_SUPERVISE) {
		err = qrt__supervise_open(region, &opts->supervision);
		if (err) {
			region_free(region);
			return err;
		}
	}
	enter_parent(region, cx, opts);
	qrt__trace_named(task->rt, QRT__TRACE_OPEN, task->id, region->id, region->name, task->name);
	qrt__tell(task->rt, QRT__TRACE_ENTER, region, (uint64_t)cx->deadline_ns);
	*ret_region = qrt__region_handle(region);
	return QRT_OK;
}

enum qrt_err qrt_region_open(struct qrt_cx *cx, enum qrt_policy policy,
			     struct qrt_region **ret_region)
{
	const struct qrt_region_options opts = {.policy = policy};
	return qrt_region_open_with(cx, &opts, ret_region);
}

struct qrt_cx *qrt_region_cx(struct qrt_region *handle)
{
	struct qrt__region *region = qrt__region_of(handle);
	return region ? &region->cx : NULL;
}

static size_t live(const struct qrt__region *region)
{
	size_t n = region->n_tasks;
	QRT__LIST_EACH(node, &region->children) {
		n += live(QRT__CONTAINER(node, struct qrt__region, in_parent));
	}
	return n;
}

size_t qrt_region_live(const struct qrt_region *handle)
{
	const struct qrt__region *region = qrt__region_of(handle);
	return region ? live(region) : 0;
}

void qrt_region_cancel(struct qrt_region *handle, enum qrt_cancel_kind kind, const char *reason)
{
	struct qrt__region *region = qrt__region_of(handle);
	if (region) {
		qrt__cancel_region(region, kind, reason);
	}
}

/* --- outcomes ------------------------------------------------------------------------------ */

static void keep_failure(struct qrt__region *region, const struct qrt_failure *failure)
{
	struct qrt_aggregate *all = &region->failures;
	all->n_failures++;
	all->n_forced += failure->forced;
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

static void record_failure(struct qrt__region *region, const struct qrt_task *task,
			   enum qrt_err err)
{
	struct qrt_failure failure = {.index = task->index,
				      .outcome = task->outcome,
				      .forced = task->abandoned,
				      .err = err,
				      .name = task->name,
				      .site = task->site};
	memccpy(failure.detail, task->detail, '\0', sizeof(failure.detail) - 1);
	bool decides = task->outcome != QRT_OUTCOME_CANCELLED;
	if (decides && !region->first_err) {
		region->first_err = err;
		memcpy(region->first_detail, failure.detail, sizeof(failure.detail));
	}
	keep_failure(region, &failure);
}

static void record_success(struct qrt__region *region, const struct qrt_task *task)
{
	struct qrt_aggregate *all = &region->failures;
	if (all->n_ok++ == 0) {
		all->first_ok = task->index;
	}
}

/* Cancels who is left, if nobody has yet. */
static void cancel_rest(struct qrt__region *region, enum qrt_cancel_kind kind, const char *reason)
{
	if (!region->cancel.requested) {
		qrt__cancel_region(region, kind, reason);
	}
}

void qrt__region_decided(const struct qrt_region *handle)
{
	struct qrt__region *region = qrt__region_of(handle);
	if (region) {
		qrt__tell(region->rt, QRT__TRACE_DECIDED, region, 0);
	}
}

static void apply_policy(struct qrt__region *region, enum qrt_outcome outcome)
{
	bool failed = outcome == QRT_OUTCOME_ERR || outcome == QRT_OUTCOME_PANICKED;
	switch (region->policy) {
	case QRT_FAIL_FAST:
		if (failed) {
			cancel_rest(region, QRT_CANCEL_FAIL_FAST, "a sibling failed");
		}
		break;
	case QRT_SUPERVISE:
		if (failed) {
			cancel_rest(region, QRT_CANCEL_FAIL_FAST, "a sibling failed too often");
		}
		break;
	case QRT_FIRST_SUCCESS:
		if (outcome == QRT_OUTCOME_OK) {
			region->decided = true;
			qrt__tell(region->rt, QRT__TRACE_DECIDED, region, 0);
			cancel_rest(region, QRT_CANCEL_RACE_LOST, "a sibling succeeded");
		}
		break;
	case QRT_COLLECT:
		break;
	}
}

static void wake_closer(struct qrt__region *region)
{
	if (region->closer && is_empty(region)) {
		struct qrt__wait *closer = region->closer;
		region->closer = NULL;
		qrt__unpark(closer, QRT_OK);
	}
}

void qrt__region_task_ended(struct qrt__region *region, struct qrt_task *task, enum qrt_err err)
{
	enum qrt_outcome outcome = task->outcome;
	bool failed = outcome == QRT_OUTCOME_ERR || outcome == QRT_OUTCOME_PANICKED;
	qrt__list_remove(&task->in_home);
	region->n_tasks--;
	bool again =
	    failed && region->policy == QRT_SUPERVISE && qrt__supervise_restart(region, task, &err);
	if (!again) {
		if (outcome > region->failures.worst) {
			region->failures.worst = outcome;
		}
		if (failed || task->abandoned) {
			record_failure(region, task, err);
		} else if (outcome == QRT_OUTCOME_OK) {
			record_success(region, task);
		}
		apply_policy(region, outcome);
	}
	wake_closer(region);
}

/* --- close --------------------------------------------------------------------------------- */

/* The wait for the children cannot be cut short: that is what closing means. */
static void drain(struct qrt__region *region)
{
	while (!is_empty(region) && !QRT__MUTANT(SKIP_DRAIN) &&
	       !(QRT__MUTANT(LOSER_LEFT) && region->decided)) {
		struct qrt__wait wait;
		qrt__wait_init(&wait, &region->cx, QRT__WAIT_JOIN, region, NULL);
		region->closer = &wait;
		enum qrt_err err = qrt__park(&region->cx, &wait, QRT_NO_DEADLINE);
		QRT_ASSERT(err == QRT_OK);
	}
}

/* Everything of @region ends; goes on where an abandoned close was. */
static void wind_down(struct qrt__region *region, enum qrt__end how)
{
	if (region->state == QRT__REGION_OPEN) {
		move_to(region, QRT__REGION_CLOSING);
	}
	if (region->state == QRT__REGION_CLOSING) {
		move_to(region, QRT__REGION_DRAINING);
		qrt__cancel_look(region->opener);
	}
	if (region->state == QRT__REGION_DRAINING) {
		drain(region);
		qrt__tell(region->rt, QRT__TRACE_DRAINED, region, 0);
		move_to(region, QRT__REGION_FINALIZING);
	}
	qrt__run_finalizers(&region->cx, &region->defers);
	region->leaks = qrt__ledger_region_ended(region, how);
	move_to(region, QRT__REGION_CLOSED);
}

static void let_go(struct qrt__region *region)
{
	struct qrt_task *task = region->opener;
	task->top = region->outer;
	qrt__list_remove(&region->in_parent);
	wake_closer(region->parent);
	qrt__trace_named(region->rt, QRT__TRACE_CLOSE, task->id, region->id, region->name, NULL);
	region_free(region);
	qrt__cancel_look(task);
}

void qrt__region_finish(struct qrt__region *region)
{
	wind_down(region, QRT__END_ABANDONED);
	let_go(region);
}

static enum qrt_err closing_result(struct qrt_cx *cx, const struct qrt__region *region,
				   enum qrt_err err)
{
	/* A body that was cancelled because of a child reports the child. */
	bool bodys_own = err && err != QRT_ECANCELED;
	if (bodys_own) {
		return err;
	}
	if (region->policy == QRT_FIRST_SUCCESS && region->decided) {
		return QRT_OK;
	}
	if (region->first_err) {
		return qrt_fail(cx, region->first_err, "%s", region->first_detail);
	}
	if (!err && region->failures.worst == QRT_OUTCOME_CANCELLED && !region->decided) {
		return QRT_ECANCELED;
	}
	return err;
}

/* Whether @task lives in @region or below it. */
static bool lives_in(const struct qrt_task *task, const struct qrt__region *region)
{
	for (const struct qrt__region *at = task->home; at; at = at->parent) {
		if (at == region) {
			return true;
		}
	}
	return false;
}

static enum qrt_err may_close(struct qrt_cx *cx, const struct qrt__region *region)
{
	struct qrt_task *task = cx->task;
	enum qrt_err err = qrt__may_suspend(cx);
	if (err) {
		return err;
	}
	if (!region) {
		return qrt_fail(cx, QRT_ESTALE, "the region has been closed");
	}
	if (lives_in(task, region)) {
		return qrt_fail(cx, QRT_EDEADLOCK, "task %s lives in region %s", task->name,
				region->name);
	}
	if (region->opener != task) {
		return qrt_fail(cx, QRT_ENOTOWNER, "region %s was opened by %s, not by %s",
				region->name, region->opener ? region->opener->name : "nobody",
				task->name);
	}
	if (task->top != region) {
		return qrt_fail(cx, QRT_ESTATE, "region %s, opened later, is still open",
				task->top->name);
	}
	return QRT_OK;
}

enum qrt_err qrt_region_close_report(struct qrt_cx *cx, struct qrt_region **handle,
				     enum qrt_err err, struct qrt_aggregate *ret_aggregate)
{
	struct qrt__region *region = qrt__region_of(*handle);
	enum qrt_err misuse = may_close(cx, region);
	if (misuse) {
		return misuse;
	}
	move_to(region, QRT__REGION_CLOSING);
	bool eager = region->policy == QRT_FAIL_FAST || region->policy == QRT_FIRST_SUCCESS;
	if (is_empty(region)) {
		; /* nobody to ask */
	} else if (err && eager) {
		cancel_rest(region, QRT_CANCEL_FAIL_FAST, "the body failed");
	} else if (region->flags & QRT_CANCEL_REST) {
		region->decided = true;
		cancel_rest(region, QRT_CANCEL_USER, "the body is done");
	}
	wind_down(region, qrt__end_of(err));
	enum qrt_err result = closing_result(cx, region, err);
	if (!result && region->leaks > 0) {
		result = QRT_ELEAK; /* the detail names the last one */
	}
	if (ret_aggregate) {
		*ret_aggregate = region->failures;
		region->failures = (struct qrt_aggregate){0};
	}
	*handle = NULL; /* not before: who shares it may cancel what is being waited for */
	let_go(region);
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

/* --- heap ---------------------------------------------------------------------------------- */

void *qrt__region_alloc(struct qrt__region *region, size_t n)
{
	if (n > SIZE_MAX - sizeof(struct qrt__chunk)) {
		return NULL;
	}
	struct qrt__chunk *chunk = calloc(1, sizeof(*chunk) + n);
	if (!chunk) {
		return NULL;
	}
	chunk->next = region->heap;
	region->heap = chunk;
	return chunk->data;
}

void *qrt_alloc(struct qrt_cx *cx, size_t n)
{
	struct qrt__region *region = cx->region;
	size_t most = region->limits.bytes_max;
	if (most && n > most - region->n_bytes) {
		return NULL;
	}
	void *memory = qrt__region_alloc(region, n);
	if (memory) {
		region->n_bytes += n;
	}
	return memory;
}
