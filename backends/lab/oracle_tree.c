/*
 * Tasks and regions as they come and go: that nobody outlives its region, that
 * losers are cancelled and awaited, that nobody gets more time than its scope
 * has, and that nothing is left when a loop ends.
 */
#include <stdio.h>

#include "backends/lab/oracle.h"

const char *qrt__who(const struct qrt__known_task *task, char *ret_text)
{
	snprintf(ret_text, QRT__WHO_SIZE, "task %.40s, spawned at %.60s, in region %.30s",
		 task->task->name, task->task->site, task->home->name);
	return ret_text;
}

static struct qrt__known_region *region_add(struct qrt__oracle *oracle, uint64_t id,
					    const char *name)
{
	struct qrt__known_region *region = qrt__model_add(oracle->model, QRT__NODE_REGION, id);
	if (region) {
		qrt__list_init(&region->in_parent);
		qrt__list_init(&region->children);
		qrt__list_init(&region->tasks);
		qrt__list_init(&region->duties);
		region->name = name;
		region->deadline_ns = QRT_NO_DEADLINE;
	}
	return region;
}

void qrt__tree_root(struct qrt__oracle *oracle)
{
	region_add(oracle, 1, "root");
}

void qrt__tree_admit(struct qrt__oracle *oracle, const struct qrt_task *task)
{
	struct qrt__known_region *home = qrt__known_region(oracle, task->home->id);
	if (!home) {
		qrt__violated(oracle, QRT__ORPHAN,
			      "task %s, spawned at %s, into region %s, which has closed",
			      task->name, task->site, task->home->name);
		return;
	}
	struct qrt__known_task *known = qrt__model_add(oracle->model, QRT__NODE_TASK, task->id);
	if (!known) {
		return;
	}
	known->task = task;
	known->home = home;
	known->until_ns = QRT_NO_DEADLINE;
	qrt__list_init(&known->in_told);
	qrt__list_init(&known->duties);
	qrt__list_append(&home->tasks, &known->in_home);
	home->n_tasks++;
	if (task->cx.deadline_ns != QRT_NO_DEADLINE || home->deadline_ns != QRT_NO_DEADLINE) {
		qrt__saw(oracle, QRT__DEADLINE);
	}
	if (task->cx.deadline_ns > home->deadline_ns) {
		char who[QRT__WHO_SIZE];
		qrt__violated(oracle, QRT__DEADLINE,
			      "%s: has until %lld ns, its region until %lld ns",
			      qrt__who(known, who), (long long)task->cx.deadline_ns,
			      (long long)home->deadline_ns);
	}
}

void qrt__tree_enter(struct qrt__oracle *oracle, const struct qrt__region *region,
		     int64_t deadline_ns)
{
	struct qrt__known_task *opener = qrt__known_task(oracle, region->opener->id);
	if (!opener) {
		return; /* said when it was admitted */
	}
	struct qrt__known_region *known = region_add(oracle, region->id, region->name);
	if (!known) {
		return;
	}
	known->parent = qrt__known_scope(opener);
	known->outer = opener->top;
	known->opener = opener;
	known->shielded = region->opener->masks > 0;
	known->deadline_ns = region->cx.deadline_ns;
	qrt__list_append(&known->parent->children, &known->in_parent);
	opener->top = known;
	if (known->deadline_ns != QRT_NO_DEADLINE || deadline_ns != QRT_NO_DEADLINE) {
		qrt__saw(oracle, QRT__DEADLINE);
	}
	if (known->deadline_ns > deadline_ns) {
		char who[QRT__WHO_SIZE];
		qrt__violated(oracle, QRT__DEADLINE,
			      "region %.30s has until %lld ns, what opened it until %lld ns; %s",
			      region->name, (long long)known->deadline_ns, (long long)deadline_ns,
			      qrt__who(opener, who));
	}
}

/* Somebody is in @region or below it: names one. */
static void check_empty(struct qrt__oracle *oracle, const struct qrt__known_region *region,
			enum qrt__oracle_kind kind, const char *while_what)
{
	char who[QRT__WHO_SIZE];
	if (!qrt__list_empty(&region->tasks)) {
		const struct qrt__known_task *task =
		    QRT__CONTAINER(region->tasks.next, struct qrt__known_task, in_home);
		qrt__violated(oracle, kind, "%s: still lives, %s", qrt__who(task, who), while_what);
	} else if (!qrt__list_empty(&region->children)) {
		const struct qrt__known_region *child =
		    QRT__CONTAINER(region->children.next, struct qrt__known_region, in_parent);
		qrt__violated(oracle, kind, "region %s, in region %s: is still open, %s",
			      child->name, region->name, while_what);
	}
}

void qrt__tree_drained(struct qrt__oracle *oracle, uint64_t id)
{
	struct qrt__known_region *region = qrt__known_region(oracle, id);
	if (!region) {
		return;
	}
	qrt__saw(oracle, QRT__ORPHAN);
	if (region->decided && region->losers > 0) {
		check_empty(oracle, region, QRT__LOSER, "has lost, and is not waited for");
		if (!region->asked) {
			qrt__violated(oracle, QRT__LOSER,
				      "region %s: %u tasks had lost and were never cancelled",
				      region->name, region->losers);
		}
	}
	check_empty(oracle, region, QRT__ORPHAN, "and its region closes");
}

void qrt__tree_decided(struct qrt__oracle *oracle, uint64_t id)
{
	struct qrt__known_region *region = qrt__known_region(oracle, id);
	const struct qrt_task *current = oracle->rt->current;
	if (!region || region->decided) {
		return;
	}
	/* Who has won may be about to end, or has. */
	const struct qrt__known_task *winner =
	    current ? qrt__known_task(oracle, current->id) : NULL;
	region->decided = true;
	region->losers = region->n_tasks - (winner && winner->home == region);
	if (region->losers > 0) {
		qrt__saw(oracle, QRT__LOSER);
	}
}

void qrt__tree_end(struct qrt__oracle *oracle, uint64_t id)
{
	struct qrt__known_task *task = qrt__known_task(oracle, id);
	char who[QRT__WHO_SIZE];
	if (!task) {
		return;
	}
	qrt__owed_by_task(oracle, task, qrt__who(task, who));
	if (task->top) {
		qrt__violated(oracle, QRT__ORPHAN, "region %s: its opener has ended, %s",
			      task->top->name, qrt__who(task, who));
		for (struct qrt__known_region *region = task->top; region; region = region->outer) {
			region->opener = NULL;
		}
	}
	task->home->n_tasks--;
	qrt__list_remove(&task->in_home);
	qrt__list_remove(&task->in_told);
	qrt__model_drop(oracle->model, task);
}

void qrt__tree_close(struct qrt__oracle *oracle, uint64_t id)
{
	struct qrt__known_region *region = qrt__known_region(oracle, id);
	char whose[64];
	if (!region) {
		return;
	}
	check_empty(oracle, region, QRT__ORPHAN, "and its region has closed");
	snprintf(whose, sizeof(whose), "region %.40s", region->name);
	qrt__owed_by_region(oracle, region, whose);
	if (!qrt__list_empty(&region->tasks) || !qrt__list_empty(&region->children)) {
		oracle->model->blind = true; /* of whom nobody is in charge nothing can be said */
	}
	if (region->opener) {
		region->opener->top = region->outer;
	}
	qrt__list_remove(&region->in_parent);
	qrt__model_drop(oracle->model, region);
}

void qrt__tree_idle(struct qrt__oracle *oracle)
{
	const struct qrt__known_region *root = qrt__known_region(oracle, 1);
	qrt__saw(oracle, QRT__QUIESCENCE);
	check_empty(oracle, root, QRT__QUIESCENCE, "and the loop ends");
}
