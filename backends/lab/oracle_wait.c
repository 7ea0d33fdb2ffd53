/*
 * Waits and operations: each that began ends, and ends once. In the lab, where
 * the clock is exact, a wait that can be cut also ends by its deadline.
 */
#include "backends/lab/oracle.h"

/* Whether being cut is the end of such a wait, not only the wish for one. */
static bool ends_when_cut(enum qrt__wait_kind kind)
{
	return kind != QRT__WAIT_LANE && kind != QRT__WAIT_CALL;
}

void qrt__wait_until(struct qrt__oracle *oracle, const struct qrt_task *task, int64_t until_ns)
{
	struct qrt__known_task *known = qrt__known_task(oracle, task->id);
	const struct qrt__wait *wait = task->wait;
	if (!known) {
		return;
	}
	bool judged = oracle->exact && wait->abort && ends_when_cut(wait->kind);
	known->until_ns = judged ? until_ns : QRT_NO_DEADLINE;
	if (wait->abort && !wait->aborted) {
		qrt__cancel_check(oracle, known, "begins to wait");
	}
}

void qrt__wait_park(struct qrt__oracle *oracle, const struct qrt__step *step)
{
	struct qrt__known_task *task = qrt__known_task(oracle, step->a);
	if (task) {
		qrt__saw(oracle, QRT__TERMINAL);
		task->parked = true;
	}
}

void qrt__wait_unpark(struct qrt__oracle *oracle, const struct qrt__step *step)
{
	struct qrt__known_task *task = qrt__known_task(oracle, step->a);
	char who[QRT__WHO_SIZE];
	if (!task) {
		qrt__violated(oracle, QRT__TERMINAL, "a wait ends of a task that has ended");
		return;
	}
	if (!task->parked) {
		qrt__violated(oracle, QRT__TERMINAL, "%s: its wait ends once more",
			      qrt__who(task, who));
	}
	if (step->at_ns > task->until_ns) {
		qrt__violated(oracle, QRT__DEADLINE, "%s: waited until %lld ns, beyond %lld ns",
			      qrt__who(task, who), (long long)step->at_ns,
			      (long long)task->until_ns);
	}
	task->parked = false;
	task->until_ns = QRT_NO_DEADLINE;
	qrt__list_remove(&task->in_told);
}

void qrt__wait_run(struct qrt__oracle *oracle, const struct qrt__step *step)
{
	const struct qrt__known_task *task = qrt__known_task(oracle, step->a);
	char who[QRT__WHO_SIZE];
	if (task && task->parked) {
		qrt__violated(oracle, QRT__TERMINAL, "%s: runs, but nothing has ended its wait",
			      qrt__who(task, who));
	}
}

struct known_op {
	struct qrt__node node; /* key: its address */
	const char *name, *site;
};

void qrt__wait_op(struct qrt__oracle *oracle, const struct qrt__step *step)
{
	if (qrt__model_find(oracle->model, QRT__NODE_OP, step->a)) {
		qrt__violated(oracle, QRT__TERMINAL, "%s: submitted once more before it ended",
			      step->name);
		return;
	}
	struct known_op *op = qrt__model_add(oracle->model, QRT__NODE_OP, step->a);
	if (op) {
		qrt__saw(oracle, QRT__TERMINAL);
		op->name = step->name;
		op->site = step->site;
	}
}

void qrt__wait_op_end(struct qrt__oracle *oracle, const struct qrt__step *step)
{
	struct known_op *op = qrt__model_find(oracle->model, QRT__NODE_OP, step->a);
	if (op) {
		qrt__model_drop(oracle->model, op);
	} else {
		qrt__violated(oracle, QRT__TERMINAL, "%s: ends once more", step->name);
	}
}

void qrt__wait_idle(struct qrt__oracle *oracle)
{
	for (size_t i = 0; i < oracle->model->n_used; i++) {
		const struct known_op *op = (const void *)oracle->model->node[i];
		if (op->node.kind == QRT__NODE_OP) {
			qrt__violated(oracle, QRT__TERMINAL, "%s: has not ended, and the loop has",
				      op->name);
		}
	}
}
