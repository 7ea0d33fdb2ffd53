/*
 * Who waits for whom. A task that waits has at most one other that could end
 * its wait (a lock's holder, a callee, the holder of a oneshot's permit); one
 * that closes a region waits for every task of it. Waits that anybody might
 * end, like a read or a channel, wait for nobody here.
 *
 * Allocates nothing, and does not call itself: it is asked for when things
 * have gone wrong, and a chain of waits may be as long as there are tasks.
 */
#include "shim/src/internal.h"

/* task->look during a search for cycles. */
enum { UNSEEN, ON_PATH, DONE };

/* --- all regions, all tasks ------------------------------------------------------------------ */

struct qrt__region *qrt__next_region(const struct qrt__region *region)
{
	if (!qrt__list_empty(&region->children)) {
		return QRT__CONTAINER(region->children.next, struct qrt__region, in_parent);
	}
	for (; region->parent; region = region->parent) {
		struct qrt__list *next = region->in_parent.next;
		if (next != &region->parent->children) {
			return QRT__CONTAINER(next, struct qrt__region, in_parent);
		}
	}
	return NULL;
}

static struct qrt_task *task_after(const struct qrt__region *region, const struct qrt__list *node)
{
	return node->next == &region->tasks ? NULL
					    : QRT__CONTAINER(node->next, struct qrt_task, in_home);
}

struct qrt_task *qrt__next_task(const struct qrt_runtime *rt, const struct qrt_task *task)
{
	const struct qrt__region *region = task ? task->home : rt->root;
	struct qrt_task *next = task_after(region, task ? &task->in_home : &region->tasks);
	while (!next && (region = qrt__next_region(region))) {
		next = task_after(region, &region->tasks);
	}
	return next;
}

/* --- edges ----------------------------------------------------------------------------------- */

struct qrt_task *qrt__task_holder(const struct qrt_task *task)
{
	const struct qrt__wait *wait = task->wait;
	return wait && wait->holder ? wait->holder(wait) : NULL;
}

/* The region that @task waits for the end of, or NULL. */
static const struct qrt__region *region_awaited(const struct qrt_task *task)
{
	const struct qrt__wait *wait = task->wait;
	return wait && wait->kind == QRT__WAIT_JOIN ? wait->object : NULL;
}

/* Whom @task waits for: the first of them, and the one after @last. */
static struct qrt_task *next_awaited(const struct qrt_task *task, const struct qrt_task *last)
{
	const struct qrt__region *region = region_awaited(task);
	if (region) {
		return task_after(region, last ? &last->in_home : &region->tasks);
	}
	return last ? NULL : qrt__task_holder(task);
}

/* --- cycles ---------------------------------------------------------------------------------- */

/* The way back from @last leads to @first, which it waits for. */
static void tell(struct qrt_task *first, struct qrt_task *last, qrt__cycle_fn *found, void *arg)
{
	struct qrt_task *cycle[QRT__CYCLE_SHOWN];
	size_t n = 1;
	for (struct qrt_task *at = last; at != first; at = at->look_from) {
		n++;
	}
	size_t shown = n < QRT__CYCLE_SHOWN ? n : QRT__CYCLE_SHOWN;
	size_t i = n;
	for (struct qrt_task *at = last; i > 0; at = at->look_from) {
		if (--i < shown) {
			cycle[i] = at;
		}
	}
	found(cycle, shown, n, arg);
}

/* Depth first; the path is in look_from. */
static size_t search(struct qrt_task *from, qrt__cycle_fn *found, void *arg)
{
	size_t n = 0;
	struct qrt_task *at = from, *last = NULL;
	at->look = ON_PATH;
	at->look_from = NULL;
	while (at) {
		struct qrt_task *next = next_awaited(at, last);
		last = NULL;
		if (!next) {
			at->look = DONE;
			last = at;
			at = at->look_from;
		} else if (next->look == UNSEEN) {
			next->look = ON_PATH;
			next->look_from = at;
			at = next;
		} else {
			if (next->look == ON_PATH) {
				tell(next, at, found, arg);
				n++;
			}
			last = next;
		}
	}
	return n;
}

static void forget(struct qrt_runtime *rt)
{
	for (struct qrt_task *task = NULL; (task = qrt__next_task(rt, task));) {
		task->look = 0;
	}
}

size_t qrt__find_cycles(struct qrt_runtime *rt, qrt__cycle_fn *found, void *arg)
{
	size_t n = 0;
	forget(rt);
	for (struct qrt_task *task = NULL; (task = qrt__next_task(rt, task));) {
		if (task->look == UNSEEN && task->wait) {
			n += search(task, found, arg);
		}
	}
	return n;
}

/* --- hogs ------------------------------------------------------------------------------------ */

/* Longer chains of waits are looked at only so far. */
enum { CHAIN_MAX = 64 };

/* Who is at the end of the chain that begins with the wait of @task; NULL: nobody. */
static struct qrt_task *end_of_chain(struct qrt_task *task)
{
	struct qrt_task *holder = qrt__task_holder(task);
	for (int i = 0; i < CHAIN_MAX && holder; i++) {
		task = holder;
		holder = qrt__task_holder(task);
		if (!holder) {
			return task;
		}
	}
	return NULL; /* nobody is waited for, or it goes in a circle */
}

static size_t insert(struct qrt__hog *hogs, size_t used, size_t n, struct qrt_task *task)
{
	size_t at = used;
	while (at > 0 && hogs[at - 1].waiters < task->look) {
		at--;
	}
	if (at == n) {
		return used;
	}
	used += used < n;
	for (size_t i = used - 1; i > at; i--) {
		hogs[i] = hogs[i - 1];
	}
	hogs[at] = (struct qrt__hog){.task = task, .waiters = (size_t)task->look};
	return used;
}

size_t qrt__find_hogs(struct qrt_runtime *rt, struct qrt__hog *ret_hogs, size_t n)
{
	size_t used = 0;
	forget(rt);
	for (struct qrt_task *task = NULL; (task = qrt__next_task(rt, task));) {
		struct qrt_task *end = end_of_chain(task);
		if (end) {
			end->look++;
		}
	}
	for (struct qrt_task *task = NULL; (task = qrt__next_task(rt, task));) {
		if (task->look > 0) {
			used = insert(ret_hogs, used, n, task);
		}
	}
	return used;
}
