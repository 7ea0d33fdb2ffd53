/*
 * Whom a cancel must reach. On a structured engine: everybody in the region
 * and below it, whoever has opened one of those included, and from then on
 * each of their checkpoints; but not what a mask covers. On the detached one:
 * those of the region's own tasks that wait right then.
 *
 * A wait that can be cut must have been by the next step of any task.
 */
#include "backends/lab/oracle.h"

/* A job that is told to end goes on hearing of cancels until it has: lane.c. */
static bool can_be_cut(const struct qrt__known_task *task)
{
	const struct qrt__wait *wait = task->task->wait;
	return task->parked && task->task->masks == 0 && wait && wait->abort && !wait->aborted &&
	       wait->kind != QRT__WAIT_LANE;
}

static void must_hear(struct qrt__oracle *oracle, struct qrt__known_task *task)
{
	if (can_be_cut(task) && qrt__list_empty(&task->in_told)) {
		qrt__list_append(&oracle->told, &task->in_told);
	}
}

/* A cancel from above waits until its opener's mask ends. */
static bool is_covered(const struct qrt__known_region *region)
{
	return region->shielded && region->opener && region->opener->task->masks > 0;
}

/* Regions lie as deep in each other as the program has opened them, like the engine's own walk. */
static void reach(struct qrt__oracle *oracle, struct qrt__known_region *region)
{
	if (region->asked) {
		return;
	}
	region->asked = true;
	if (region->opener && qrt__known_scope(region->opener) == region) {
		must_hear(oracle, region->opener);
	}
	QRT__LIST_EACH(node, &region->tasks) {
		struct qrt__known_task *task =
		    QRT__CONTAINER(node, struct qrt__known_task, in_home);
		if (!task->top) {
			must_hear(oracle, task);
		}
	}
	QRT__LIST_EACH(node, &region->children) {
		struct qrt__known_region *child =
		    QRT__CONTAINER(node, struct qrt__known_region, in_parent);
		if (!is_covered(child)) {
			reach(oracle, child);
		}
	}
}

void qrt__cancel_asked(struct qrt__oracle *oracle, uint64_t id)
{
	struct qrt__known_region *region = qrt__known_region(oracle, id);
	if (!region) {
		return;
	}
	qrt__saw(oracle, QRT__REACHED);
	if (oracle->structured) {
		reach(oracle, region);
		return;
	}
	region->asked = true;
	QRT__LIST_EACH(node, &region->tasks) {
		must_hear(oracle, QRT__CONTAINER(node, struct qrt__known_task, in_home));
	}
}

void qrt__cancel_asked_task(struct qrt__oracle *oracle, uint64_t id)
{
	struct qrt__known_task *task = qrt__known_task(oracle, id);
	if (!task) {
		return;
	}
	qrt__saw(oracle, QRT__REACHED);
	must_hear(oracle, task);
	if (!oracle->structured) {
		return;
	}
	task->asked = true;
	for (struct qrt__known_region *region = task->top; region; region = region->outer) {
		if (!is_covered(region)) {
			reach(oracle, region);
		}
	}
}

/* Whether what @task does now lies in something that was cancelled, and no mask covers it. */
static bool is_asked(const struct qrt__known_task *task)
{
	const struct qrt__known_region *region = qrt__known_scope(task);
	if (task->asked) {
		return true;
	}
	while (region && !region->asked && !is_covered(region)) {
		region = region->parent;
	}
	return region && region->asked;
}

void qrt__cancel_check(struct qrt__oracle *oracle, const struct qrt__known_task *task,
		       const char *does)
{
	char who[QRT__WHO_SIZE];
	if (oracle->structured && task->task->masks == 0 && is_asked(task)) {
		qrt__violated(oracle, QRT__REACHED, "%s: %s, though it has been cancelled",
			      qrt__who(task, who), does);
	}
}

void qrt__cancel_arrived(struct qrt__oracle *oracle)
{
	while (!qrt__list_empty(&oracle->told)) {
		const struct qrt__known_task *task =
		    QRT__CONTAINER(qrt__list_pop(&oracle->told), struct qrt__known_task, in_told);
		char who[QRT__WHO_SIZE];
		if (can_be_cut(task)) {
			qrt__violated(oracle, QRT__REACHED,
				      "%s: goes on waiting (%s), though it has been cancelled",
				      qrt__who(task, who), qrt__wait_name(task->task->wait->kind));
		}
	}
}
