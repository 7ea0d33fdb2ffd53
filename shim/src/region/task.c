/*
 * Tasks: spawn, the way a task begins and ends, finalizers, panics. The task
 * lives at the top of its own stack, so a spawn allocates nothing but that.
 */
#include "shim/src/fiber/census.h"
#include "shim/src/internal.h"

#include <stdlib.h>
#include <string.h>

struct qrt__defer {
	struct qrt__defer *next;
	qrt_finalizer_fn *fn;
	void *arg;
};

void qrt__run_finalizers(const struct qrt_cx *of, struct qrt__defer **defers)
{
	/* Neither cancel nor a deadline must keep a finalizer from its work. */
	struct qrt_cx cx = *of;
	cx.deadline_ns = QRT_NO_DEADLINE;
	qrt__shield(&cx);
	cx.task->finalizing = true;
	while (*defers && !(QRT__MUTANT(FINALIZER_FORGOTTEN) && cx.task->abandoned)) {
		struct qrt__defer *defer = *defers;
		*defers = defer->next;
		qrt_finalizer_fn *fn = defer->fn;
		void *arg = defer->arg;
		qrt__tell(cx.task->rt, QRT__TRACE_FINALIZE, defer, 0);
		if (QRT__MUTANT(FINALIZER_TWICE)) {
			qrt__tell(cx.task->rt, QRT__TRACE_FINALIZE, defer, 0);
			fn(&cx, arg);
		}
		free(defer); /* before: one that panics does not come back */
		fn(&cx, arg);
	}
	cx.task->finalizing = false;
	qrt__unshield(&cx);
}

/* A task may not leave regions behind: what it forgot, or panicked out of, ends here. */
static void close_left_open(struct qrt_task *task)
{
	while (task->top) {
		struct qrt__region *region = task->top;
		qrt__cancel_region(region, QRT_CANCEL_PARENT, "its opener ended");
		qrt__region_finish(region);
	}
}

static void task_finish(struct qrt_task *task, enum qrt_err err, enum qrt_outcome outcome)
{
	struct qrt_runtime *rt = task->rt;
	/* Nothing may cut or abandon the end itself; a panic in it comes here once more. */
	task->masks = 1;
	task->commits = 1;
	task->anchors = 0;
	task->finalizing = false;
	close_left_open(task);
	qrt__run_finalizers(&task->cx, &task->defers);
	bool helpless = task->abandoned || outcome == QRT_OUTCOME_PANICKED;
	if (qrt__ledger_task_ended(task, helpless ? QRT__END_ABANDONED : qrt__end_of(err)) > 0 &&
	    !err) {
		err = QRT_ELEAK;
		outcome = QRT_OUTCOME_ERR;
	}
	task->outcome = outcome;
	task->state = QRT__TASK_ENDED;
	qrt__cancel_fini_task(task);
	qrt__meter_fini(&task->meter);
	qrt__trace_named(rt, QRT__TRACE_END, task->id, err, task->name, NULL);
	QRT__COUNT(rt->tasks_live, -1);
	qrt__region_task_ended(task->home, task, err);
	rt->ended = task;
	qrt__switch_away(rt, task, true);
	QRT_IMPOSSIBLE("an ended task was resumed");
}

void qrt__task_abandon(struct qrt_task *task, enum qrt_err err, enum qrt_outcome outcome)
{
	task_finish(task, err, outcome);
	__builtin_unreachable();
}

static void task_main(void *arg)
{
	struct qrt_task *task = arg;
	qrt__task_begin(task);
	enum qrt_err err = task->lineage ? qrt__supervise_delay(task) : QRT_OK;
	if (!err) {
		err = task->fn(&task->cx, task->arg);
	}
	if (task->top) {
		qrt_panic(&task->cx, "returned with a region open");
	}
	enum qrt_outcome outcome = !err			  ? QRT_OUTCOME_OK
				   : err == QRT_ECANCELED ? QRT_OUTCOME_CANCELLED
							  : QRT_OUTCOME_ERR;
	task_finish(task, err, outcome);
}

void qrt_panic(struct qrt_cx *cx, const char *why)
{
	QRT_PRE(cx->task->rt->current == cx->task);
	QRT__COUNT(cx->task->rt->panics, 1);
	QRT_IGNORE(qrt_fail(cx, QRT_EPANIC, "panic: %s", why), "it only sets the detail");
	qrt__task_abandon(cx->task, QRT_EPANIC, QRT_OUTCOME_PANICKED);
}

enum qrt_err qrt_defer(struct qrt_cx *cx, qrt_finalizer_fn *fn, void *arg)
{
	struct qrt__defer *defer = malloc(sizeof(*defer));
	if (!defer) {
		return QRT_ENOMEM;
	}
	/* A region's own cx is one whose region this very task has opened. */
	bool of_region = cx->region->opener == cx->task;
	struct qrt__defer **defers = of_region ? &cx->region->defers : &cx->task->defers;
	while (QRT__MUTANT(FINALIZER_ORDER) && *defers) {
		defers = &(*defers)->next;
	}
	*defer = (struct qrt__defer){.next = *defers, .fn = fn, .arg = arg};
	*defers = defer;
	uint64_t owner = of_region ? (uintptr_t)cx->region | 1 : (uintptr_t)cx->task;
	qrt__tell(cx->task->rt, QRT__TRACE_DEFER, defer, owner);
	return QRT_OK;
}

static enum qrt_err admit(const struct qrt__region *region, bool again)
{
	struct qrt_runtime *rt = region->rt;
	/* A supervised task that starts again takes the place it had. */
	if (!again && !rt->engine->admits(region)) {
		return QRT_ECLOSED;
	}
	if (region->limits.tasks_max && region->n_tasks >= region->limits.tasks_max) {
		return QRT_ELIMIT;
	}
	return atomic_load_explicit(&rt->tasks_live, memory_order_relaxed) < rt->tasks_max
		   ? QRT_OK
		   : QRT_ELIMIT;
}

static void enter_region(struct qrt_task *task, struct qrt__region *region,
			 const struct qrt__spawn *spawn)
{
	int64_t deadline = spawn->budget.deadline_ns ? spawn->budget.deadline_ns : QRT_NO_DEADLINE;
	int64_t regions = region->cx.deadline_ns;
	task->home = region;
	task->cx.task = task;
	task->cx.region = region;
	task->cx.meter = &task->meter;
	task->cx.caps = spawn->caps ? region->cx.caps & spawn->caps : region->cx.caps;
	bool own = deadline < regions || (QRT__MUTANT(DEADLINE_OWN) && spawn->budget.deadline_ns);
	task->cx.deadline_ns = own ? deadline : regions;
	qrt__meter_init(&task->meter, &region->meter, &spawn->budget);
	task->priority =
	    spawn->budget.priority > region->priority ? spawn->budget.priority : region->priority;
	task->fn = spawn->fn;
	task->arg = spawn->arg;
	task->name = spawn->name;
	task->site = spawn->site;
	task->lineage = spawn->lineage;
	task->index = spawn->lineage ? spawn->lineage->index : region->next_index++;
	region->n_tasks++;
	qrt__list_append(&region->tasks, &task->in_home);
	qrt__cancel_init_task(task);
}

enum qrt_err qrt__task_start(struct qrt__region *region, const struct qrt__spawn *spawn,
			     struct qrt_task **ret_task)
{
	struct qrt_runtime *rt = region->rt;
	struct qrt__stack *stack;
	enum qrt_err err = admit(region, spawn->lineage && spawn->lineage->starts > 0);
	if (!err) {
		err = qrt__stack_get(rt->stacks, spawn->stack_bytes, &stack);
	}
	if (err) {
		return err;
	}
	if (rt->census) {
		qrt__census_prepare(stack);
	}
	size_t reserved = (sizeof(struct qrt_task) + 63) / 64 * 64;
	struct qrt_task *task = (void *)(stack->base + stack->size - reserved);
	err = qrt__fiber_init(&task->fiber, stack, reserved, task_main, task);
	if (err) {
		qrt__stack_put(rt->stacks, stack);
		return err;
	}
	struct qrt__fiber fiber = task->fiber;
	qrt__clear(task, offsetof(struct qrt_task, detail));
	task->detail[0] = '\0';
	task->fiber = fiber;
	task->magic = QRT__TASK_MAGIC;
	task->stack = stack;
	task->rt = rt;
	task->id = ++rt->next_task_id;
	task->spawned_ns = rt->turn_ns;
	task->watched = rt->observer.checkpoint != NULL;
	qrt__list_init(&task->duties);
	enter_region(task, region, spawn);
	QRT__COUNT(rt->tasks_spawned, 1);
	QRT__COUNT(rt->tasks_live, 1);
	qrt__trace_named(rt, QRT__TRACE_SPAWN, task->id, task->index, task->name, task->site);
	qrt__tell(rt, QRT__TRACE_ADMIT, task, 0);
	qrt__make_ready(task, QRT__LANE_READY + QRT_PRIORITY_MAX - task->priority);
	if (ret_task) {
		*ret_task = task;
	}
	return QRT_OK;
}

enum qrt_err qrt__task_spawn(struct qrt__region *region, qrt_task_fn *fn, void *arg,
			     const char *name, const char *site, struct qrt_task **ret_task)
{
	const struct qrt__spawn spawn = {.fn = fn, .arg = arg, .name = name, .site = site};
	return qrt__task_start(region, &spawn, ret_task);
}

static bool valid(const struct qrt__spawn *spawn)
{
	const struct qrt_budget *budget = &spawn->budget;
	return spawn->stack_bytes <= QRT_STACK_BYTES_MAX && qrt__budget_valid(budget);
}

static enum qrt_err spawn_public(struct qrt_region *handle, struct qrt__spawn *spawn)
{
	struct qrt__region *region = qrt__region_of(handle);
	if (!region) {
		return QRT_ESTALE;
	}
	struct qrt_runtime *rt = region->rt;
	if (!qrt__on_thread_of(rt)) {
		return QRT_ETHREAD;
	}
	if (!(region->cx.caps & QRT_CAP_SPAWN)) {
		QRT__COUNT(rt->not_capable, 1);
		qrt__trace_named(rt, QRT__TRACE_DENIED, rt->current ? rt->current->id : 0,
				 QRT_CAP_SPAWN, "spawn", spawn->site);
		return QRT_ENOTCAPABLE;
	}
	if (!valid(spawn)) {
		return QRT_EINVAL;
	}
	if (region->policy == QRT_SUPERVISE) {
		enum qrt_err err = qrt__supervise_adopt(region, spawn);
		if (err) {
			return err;
		}
	}
	return qrt__task_start(region, spawn, NULL);
}

enum qrt_err qrt_spawn_at(struct qrt_region *region, qrt_task_fn *fn, void *arg, const char *name,
			  const char *site)
{
	struct qrt__spawn spawn = {.fn = fn, .arg = arg, .name = name, .site = site};
	return spawn_public(region, &spawn);
}

enum qrt_err qrt_spawn_with(struct qrt_region *region, const struct qrt_spawn_options *opts,
			    qrt_task_fn *fn, void *arg)
{
	struct qrt__spawn spawn = {.fn = fn,
				   .arg = arg,
				   .name = opts->name ? opts->name : "task",
				   .site = opts->site ? opts->site : "?",
				   .caps = opts->caps,
				   .budget = opts->budget,
				   .stack_bytes = opts->stack_bytes};
	return spawn_public(region, &spawn);
}
