/*
 * Tasks: spawn, the way a task begins and ends, finalizers, panics. The task
 * lives at the top of its own stack, so a spawn allocates nothing but that.
 */
#include "shim/src/internal.h"

#include <stdlib.h>
#include <string.h>

struct qrt__defer {
	struct qrt__defer *next;
	qrt_finalizer_fn *fn;
	void *arg;
};

struct kind_text {
	const char *name;
	int severity;
};

static const struct kind_text kind_texts[] = {
#define KIND_TEXT(name, text, severity) [name] = {text, severity},
    QRT_CANCEL_KINDS(KIND_TEXT)
#undef KIND_TEXT
};

int qrt__cancel_severity(enum qrt_cancel_kind kind)
{
	return kind_texts[kind].severity;
}

const char *qrt__cancel_name(enum qrt_cancel_kind kind)
{
	return kind_texts[kind].name;
}

bool qrt__cancel_strengthen(struct qrt__cancel *cancel, enum qrt_cancel_kind kind,
			    const char *reason, int64_t now_ns)
{
	if (cancel->requested && qrt__cancel_severity(kind) <= qrt__cancel_severity(cancel->kind)) {
		return false;
	}
	*cancel = (struct qrt__cancel){
	    .requested = true, .kind = kind, .reason = reason, .at_ns = now_ns};
	return true;
}

void qrt__run_finalizers(const struct qrt_cx *of, struct qrt__defer **defers)
{
	/* Neither cancel nor a deadline must keep a finalizer from its work. */
	struct qrt_cx cx = *of;
	cx.deadline_ns = QRT_NO_DEADLINE;
	cx.task->masks++;
	while (*defers) {
		struct qrt__defer *defer = *defers;
		*defers = defer->next;
		defer->fn(&cx, defer->arg);
		free(defer);
	}
	cx.task->masks--;
}

/* A task may not leave regions behind: what it forgot, or panicked out of, ends here. */
static void close_left_open(struct qrt_task *task)
{
	while (task->top) {
		struct qrt_region *region = task->top;
		task->rt->engine->cancel_region(region, QRT_CANCEL_PARENT, "its opener ended");
		QRT_IGNORE(qrt_region_close(&task->cx, &region, QRT_OK),
			   "the opener's outcome counts");
	}
}

static void task_finish(struct qrt_task *task, enum qrt_err err, enum qrt_outcome outcome)
{
	struct qrt_runtime *rt = task->rt;
	close_left_open(task);
	qrt__run_finalizers(&task->cx, &task->defers);
	task->outcome = outcome;
	task->state = QRT__TASK_ENDED;
	qrt__trace(rt, QRT__TRACE_END, task->id, err);
	QRT__COUNT(rt->tasks_live, -1);
	qrt__region_task_ended(task->home, task, err);
	rt->ended = task;
	qrt__switch_away(rt, task, true);
	QRT_IMPOSSIBLE("an ended task was resumed");
}

static void task_main(void *arg)
{
	struct qrt_task *task = arg;
	qrt__task_begin(task);
	enum qrt_err err = task->fn(&task->cx, task->arg);
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
	task_finish(cx->task, QRT_EPANIC, QRT_OUTCOME_PANICKED);
	__builtin_unreachable();
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
	*defer = (struct qrt__defer){.next = *defers, .fn = fn, .arg = arg};
	*defers = defer;
	return QRT_OK;
}

static enum qrt_err admit(struct qrt_region *region)
{
	struct qrt_runtime *rt = region->rt;
	if (!rt->engine->admits(region)) {
		return QRT_ECLOSED;
	}
	uint64_t live = atomic_load_explicit(&rt->tasks_live, memory_order_relaxed);
	if (live >= rt->tasks_max) {
		return QRT_ELIMIT;
	}
	/* A timer per task and one per simulated job: later parks cannot fail for memory. */
	uint64_t jobs = atomic_load_explicit(&rt->jobs_live, memory_order_relaxed);
	return qrt__timers_reserve(&rt->timers, (uint32_t)(live + jobs) + 1);
}

enum qrt_err qrt__task_spawn(struct qrt_region *region, qrt_task_fn *fn, void *arg,
			     const char *name, const char *site, struct qrt_task **ret_task)
{
	QRT_PRE(region->magic == QRT__REGION_MAGIC);
	struct qrt_runtime *rt = region->rt;
	struct qrt__stack *stack;
	enum qrt_err err = admit(region);
	if (!err) {
		err = qrt__stack_get(rt->stacks, &stack);
	}
	if (err) {
		return err;
	}
	size_t reserved = (sizeof(struct qrt_task) + 63) / 64 * 64;
	struct qrt_task *task = (void *)(stack->base + stack->size - reserved);
	memset(task, 0, offsetof(struct qrt_task, detail));
	task->detail[0] = '\0';
	err = qrt__fiber_init(&task->fiber, stack, reserved, task_main, task);
	if (err) {
		qrt__stack_put(rt->stacks, stack);
		return err;
	}
	task->magic = QRT__TASK_MAGIC;
	task->stack = stack;
	task->rt = rt;
	task->home = region;
	task->cx = (struct qrt_cx){.task = task,
				   .region = region,
				   .caps = region->cx.caps,
				   .deadline_ns = region->cx.deadline_ns};
	task->fn = fn;
	task->arg = arg;
	task->name = name;
	task->site = site;
	task->id = ++rt->next_task_id;
	task->index = region->next_index++;
	qrt__list_append(&region->tasks, &task->in_home);
	QRT__COUNT(rt->tasks_spawned, 1);
	QRT__COUNT(rt->tasks_live, 1);
	qrt__trace(rt, QRT__TRACE_SPAWN, task->id, task->index);
	qrt__make_ready(task);
	if (ret_task) {
		*ret_task = task;
	}
	return QRT_OK;
}

enum qrt_err qrt_spawn_at(struct qrt_region *region, qrt_task_fn *fn, void *arg, const char *name,
			  const char *site)
{
	if (!(region->cx.caps & QRT_CAP_SPAWN)) {
		QRT__COUNT(region->rt->not_capable, 1);
		return QRT_ENOTCAPABLE;
	}
	return qrt__task_spawn(region, fn, arg, name, site, NULL);
}
