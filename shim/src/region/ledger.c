/*
 * The ledger: duties as entries of a region. An entry lives in a pool, not in
 * the memory of who holds it: a holder that forgets one leaves an entry to
 * find, not a list that runs through a dead stack.
 *
 *	made ──> open ──> settled             by its holder
 *	          └─────> released, counted   by the end of its holder or region
 */
#include <qrt/ledger.h>
#include <stdio.h>

#include "shim/src/internal.h"

struct kind {
	const char *name;
	bool with_holder;
};

static const struct kind kinds[] = {
#define KIND(name, text, with_holder) [name] = {text, with_holder},
    QRT_DUTIES(KIND)
#undef KIND
};

const char *qrt__duty_name(enum qrt_duty_kind kind)
{
	return kinds[kind].name;
}

struct qrt__obligation *qrt__duty_find(const struct qrt_duty *duty)
{
	struct qrt__obligation *entry = duty->entry;
	return entry && entry->slot.generation == duty->generation ? entry : NULL;
}

static bool may_take(const struct qrt__region *region)
{
	return !region->limits.duties_max || region->n_duties < region->limits.duties_max;
}

static void link_to(struct qrt__obligation *entry, struct qrt__region *region,
		    struct qrt_task *holder)
{
	entry->region = region;
	entry->holder = holder;
	region->n_duties++;
	qrt__list_append(&region->duties, &entry->in_region);
	if (holder) {
		entry->holder_name = holder->name;
		qrt__list_append(&holder->duties, &entry->in_holder);
	}
	qrt__tell(entry->rt, QRT__TRACE_DUTY, entry, 0);
}

static void unlink_from(struct qrt__obligation *entry)
{
	entry->region->n_duties--;
	qrt__list_remove(&entry->in_region);
	qrt__list_remove(&entry->in_holder);
}

/* An entry of no region yet. NULL: no memory. */
static struct qrt__obligation *entry_new(struct qrt_runtime *rt, enum qrt_duty_kind kind,
					 const char *what, const char *site)
{
	struct qrt__obligation *entry = qrt__pool_take(&rt->obligations, QRT__DUTY_MAGIC);
	if (entry) {
		entry->kind = kind;
		entry->rt = rt;
		entry->what = what;
		entry->site = site;
		entry->since_ns = rt->turn_ns;
		entry->release = NULL;
		entry->arg = NULL;
		qrt__list_init(&entry->in_holder);
		QRT__COUNT(rt->duties_made, 1);
		QRT__COUNT(rt->duties_live, 1);
	}
	return entry;
}

static struct qrt_duty handle_of(struct qrt__obligation *entry)
{
	return (struct qrt_duty){.entry = entry, .generation = entry->slot.generation};
}

enum qrt_err qrt_oblige_at(struct qrt_cx *cx, enum qrt_duty_kind kind, const char *what,
			   qrt_release_fn *release, void *arg, const char *site,
			   struct qrt_duty *ret_duty)
{
	if (!may_take(cx->region)) {
		return qrt_fail(cx, QRT_ELIMIT, "region %s may have %zu duties", cx->region->name,
				cx->region->limits.duties_max);
	}
	struct qrt__obligation *entry = entry_new(cx->task->rt, kind, what, site);
	if (!entry) {
		return QRT_ENOMEM;
	}
	entry->release = release;
	entry->arg = arg;
	entry->holder_name = cx->task->name;
	link_to(entry, cx->region, kinds[kind].with_holder ? cx->task : NULL);
	*ret_duty = handle_of(entry);
	return QRT_OK;
}

enum qrt_err qrt__oblige_root(struct qrt_runtime *rt, const char *what, const char *site,
			      struct qrt_duty *ret_duty)
{
	struct qrt__obligation *entry = entry_new(rt, QRT_DUTY_OTHER, what, site);
	if (!entry) {
		return QRT_ENOMEM;
	}
	entry->holder_name = rt->name;
	link_to(entry, rt->root, NULL);
	*ret_duty = handle_of(entry);
	return QRT_OK;
}

static void entry_free(struct qrt__obligation *entry)
{
	qrt__tell(entry->rt, QRT__TRACE_SETTLED, entry, 0);
	unlink_from(entry);
	QRT__COUNT(entry->rt->duties_live, -1);
	qrt__pool_give(&entry->rt->obligations, entry);
}

enum qrt_err qrt_settle(struct qrt_duty *duty)
{
	struct qrt__obligation *entry = qrt__duty_find(duty);
	if (!entry) {
		return QRT_ESTALE;
	}
	entry_free(entry);
	*duty = (struct qrt_duty){0};
	return QRT_OK;
}

enum qrt_err qrt_duty_give(struct qrt_duty *duty, struct qrt_cx *cx)
{
	struct qrt__obligation *entry = qrt__duty_find(duty);
	if (!entry) {
		return qrt_fail(cx, QRT_ESTALE, "the duty has been settled");
	}
	if (entry->rt != cx->task->rt) {
		return qrt_fail(cx, QRT_EINVAL, "a duty stays in its runtime");
	}
	if (entry->region != cx->region && !may_take(cx->region)) {
		return qrt_fail(cx, QRT_ELIMIT, "region %s may have %zu duties", cx->region->name,
				cx->region->limits.duties_max);
	}
	unlink_from(entry);
	link_to(entry, cx->region, kinds[entry->kind].with_holder ? cx->task : NULL);
	return QRT_OK;
}

static void release(struct qrt__obligation *entry)
{
	qrt_release_fn *fn = entry->release;
	void *arg = entry->arg;
	entry_free(entry);
	if (fn) {
		fn(arg);
	}
}

static void count_leak(struct qrt__obligation *entry, struct qrt_task *task, bool tell)
{
	struct qrt_runtime *rt = entry->rt;
	QRT__COUNT(rt->leaks, 1);
	qrt__trace_named(rt, QRT__TRACE_LEAK, entry->kind, task->id, entry->what, entry->site);
	if (!tell) {
		return; /* the detail is that of the failure */
	}
	snprintf(task->detail, sizeof(task->detail), "%s %s, made at %s by %s, was never settled",
		 kinds[entry->kind].name, entry->what, entry->site, entry->holder_name);
}

/* Where nothing is released the root answers for it, so that the count stays true. */
static void leave_to_root(struct qrt__obligation *entry)
{
	unlink_from(entry);
	link_to(entry, entry->rt->root, NULL);
}

void qrt__duty_leave(const struct qrt_duty *duty)
{
	struct qrt__obligation *entry = qrt__duty_find(duty);
	QRT_PRE(entry);
	leave_to_root(entry);
}

bool qrt__duty_is_left(const struct qrt__obligation *entry)
{
	return !entry->holder && kinds[entry->kind].with_holder;
}

static void end_one(struct qrt__obligation *entry, struct qrt_task *task, enum qrt__end how)
{
	if (how != QRT__END_ABANDONED) {
		count_leak(entry, task, how == QRT__END_WELL);
	}
	if (task->rt->engine->structured) {
		release(entry);
	} else {
		leave_to_root(entry);
	}
}

size_t qrt__ledger_task_ended(struct qrt_task *task, enum qrt__end how)
{
	size_t n = 0;
	/* The last one made goes first, as in any unwinding. */
	while (!qrt__list_empty(&task->duties) && !QRT__MUTANT(DUTY_KEPT)) {
		struct qrt__list *node = task->duties.prev;
		end_one(QRT__CONTAINER(node, struct qrt__obligation, in_holder), task, how);
		n++;
	}
	return how == QRT__END_ABANDONED ? 0 : n;
}

size_t qrt__ledger_region_ended(struct qrt__region *region, enum qrt__end how)
{
	size_t n = 0;
	while (!qrt__list_empty(&region->duties) && !QRT__MUTANT(LEAK_DUTY)) {
		struct qrt__list *node = region->duties.prev;
		end_one(QRT__CONTAINER(node, struct qrt__obligation, in_region), region->opener,
			how);
		n++;
	}
	return how == QRT__END_ABANDONED ? 0 : n;
}

void qrt__ledger_runtime_ended(struct qrt_runtime *rt)
{
	while (rt->root && !qrt__list_empty(&rt->root->duties)) {
		struct qrt__list *node = rt->root->duties.prev;
		release(QRT__CONTAINER(node, struct qrt__obligation, in_region));
	}
}
