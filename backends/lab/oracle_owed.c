/* What is owed: duties, which somebody must settle, and finalizers, which must run, once. */
#include "backends/lab/oracle.h"

/* --- duties ---------------------------------------------------------------------------------- */

void qrt__owed_duty(struct qrt__oracle *oracle, const struct qrt__obligation *entry)
{
	struct qrt__model *model = oracle->model;
	uint64_t key = (uintptr_t)entry;
	struct qrt__known_duty *duty = qrt__model_find(model, QRT__NODE_DUTY, key);
	if (!duty) {
		duty = qrt__model_add(model, QRT__NODE_DUTY, key);
		if (!duty) {
			return;
		}
		qrt__saw(oracle, QRT__LEAKED);
		qrt__list_init(&duty->in_region);
		qrt__list_init(&duty->in_holder);
		duty->what = entry->what;
		duty->site = entry->site;
	}
	qrt__list_remove(&duty->in_region);
	qrt__list_remove(&duty->in_holder);
	struct qrt__known_region *region = qrt__known_region(oracle, entry->region->id);
	struct qrt__known_task *holder =
	    entry->holder ? qrt__known_task(oracle, entry->holder->id) : NULL;
	if (region) {
		qrt__list_append(&region->duties, &duty->in_region);
	}
	if (holder) {
		qrt__list_append(&holder->duties, &duty->in_holder);
	}
}

static void duty_drop(struct qrt__oracle *oracle, struct qrt__known_duty *duty)
{
	qrt__list_remove(&duty->in_region);
	qrt__list_remove(&duty->in_holder);
	qrt__model_drop(oracle->model, duty);
}

void qrt__owed_settled(struct qrt__oracle *oracle, uint64_t key)
{
	struct qrt__known_duty *duty = qrt__model_find(oracle->model, QRT__NODE_DUTY, key);
	if (duty) {
		duty_drop(oracle, duty);
	} else {
		qrt__violated(oracle, QRT__LEAKED, "a duty was settled once more");
	}
}

void qrt__owed_leak(struct qrt__oracle *oracle, const struct qrt__step *step)
{
	qrt__violated(oracle, QRT__LEAKED, "%s, made at %s, was never settled by its holder",
		      step->name, step->site ? step->site : "?");
}

/* --- finalizers ------------------------------------------------------------------------------ */

void qrt__owed_defer(struct qrt__oracle *oracle, uint64_t key, uint64_t owner)
{
	struct qrt__known_defer **stack = NULL;
	if (owner & 1) {
		const struct qrt__region *of = (const void *)(uintptr_t)(owner & ~UINT64_C(1));
		struct qrt__known_region *region = qrt__known_region(oracle, of->id);
		stack = region ? &region->defers : NULL;
	} else {
		const struct qrt_task *of = (const void *)(uintptr_t)owner;
		struct qrt__known_task *task = qrt__known_task(oracle, of->id);
		stack = task ? &task->defers : NULL;
	}
	struct qrt__known_defer *defer =
	    stack ? qrt__model_add(oracle->model, QRT__NODE_DEFER, key) : NULL;
	if (defer) {
		qrt__saw(oracle, QRT__FINALIZER);
		defer->stack = stack;
		defer->below = *stack;
		*stack = defer;
	}
}

void qrt__owed_finalize(struct qrt__oracle *oracle, uint64_t key)
{
	struct qrt__known_defer *defer = qrt__model_find(oracle->model, QRT__NODE_DEFER, key);
	const struct qrt_task *task = oracle->rt->current;
	const char *name = task ? task->name : "?";
	if (!defer) {
		qrt__violated(oracle, QRT__FINALIZER, "a finalizer runs once more, in task %s",
			      name);
		return;
	}
	if (*defer->stack != defer) {
		qrt__violated(oracle, QRT__FINALIZER,
			      "a finalizer runs before one that was set later, in task %s", name);
	}
	struct qrt__known_defer **at = defer->stack;
	while (*at != defer) {
		at = &(*at)->below;
	}
	*at = defer->below;
	qrt__model_drop(oracle->model, defer);
}

/* --- the end --------------------------------------------------------------------------------- */

static void duty_left(struct qrt__oracle *oracle, struct qrt__known_duty *duty, const char *whose)
{
	qrt__violated(oracle, QRT__LEAKED, "%s, made at %s, is left behind by %s", duty->what,
		      duty->site ? duty->site : "?", whose);
	duty_drop(oracle, duty);
}

static void none_deferred(struct qrt__oracle *oracle, struct qrt__known_defer **stack,
			  const char *whose)
{
	while (*stack) {
		struct qrt__known_defer *defer = *stack;
		*stack = defer->below;
		qrt__violated(oracle, QRT__FINALIZER, "a finalizer never ran, of %s", whose);
		qrt__model_drop(oracle->model, defer);
	}
}

void qrt__owed_by_task(struct qrt__oracle *oracle, struct qrt__known_task *task, const char *whose)
{
	QRT__LIST_EACH(node, &task->duties) {
		duty_left(oracle, QRT__CONTAINER(node, struct qrt__known_duty, in_holder), whose);
	}
	none_deferred(oracle, &task->defers, whose);
}

void qrt__owed_by_region(struct qrt__oracle *oracle, struct qrt__known_region *region,
			 const char *whose)
{
	QRT__LIST_EACH(node, &region->duties) {
		duty_left(oracle, QRT__CONTAINER(node, struct qrt__known_duty, in_region), whose);
	}
	none_deferred(oracle, &region->defers, whose);
}
