/* Waiting with arms: the one loop behind every channel, lock and select. */
#include "shim/src/sync/arm.h"

struct qrt__await_set {
	struct qrt__wait wait;
	struct qrt_case *arms;
	size_t n;
	struct qrt_case *granted;
};

static void leave_line(struct qrt_case *arm)
{
	if (arm->ops_->withdraw) {
		arm->ops_->withdraw(arm);
	} else {
		qrt__list_remove(&arm->node_);
	}
}

/* First all of them, then whoever stood behind them may go on. */
static void leave_lines(struct qrt__await_set *set, const struct qrt_case *but)
{
	for (size_t i = 0; i < set->n; i++) {
		if (&set->arms[i] != but) {
			leave_line(&set->arms[i]);
		}
	}
	for (size_t i = 0; i < set->n; i++) {
		if (&set->arms[i] != but && set->arms[i].ops_->left) {
			set->arms[i].ops_->left(&set->arms[i]);
		}
	}
}

static void await_abort(struct qrt__wait *wait, enum qrt_err why)
{
	struct qrt__await_set *set = QRT__CONTAINER(wait, struct qrt__await_set, wait);
	leave_lines(set, NULL);
	qrt__unpark(wait, why);
}

static struct qrt_task *await_holder(const struct qrt__wait *wait)
{
	const struct qrt__await_set *set = QRT__CONTAINER(wait, struct qrt__await_set, wait);
	const struct qrt_case *arm = &set->arms[0];
	/* Of several any could end it: then nobody in particular is to blame. */
	return set->n == 1 && arm->ops_->holder ? arm->ops_->holder(arm) : NULL;
}

void qrt__grant(struct qrt_case *arm, enum qrt_err result)
{
	struct qrt__await_set *set = arm->set_;
	QRT_PRE(!set->granted);
	qrt__list_remove(&arm->node_);
	set->granted = arm;
	leave_lines(set, arm);
	qrt__trace(set->wait.task->rt, QRT__TRACE_GRANT, set->wait.task->id,
		   (uint64_t)(arm - set->arms));
	qrt__unpark(&set->wait, result);
}

static enum qrt_err try_all(struct qrt_case *arms, size_t n, size_t first, size_t *ret_index)
{
	for (size_t i = 0; i < n; i++) {
		size_t at = first + i < n ? first + i : first + i - n;
		enum qrt_err err = arms[at].ops_->try_now(&arms[at]);
		if (err != QRT_EAGAIN) {
			*ret_index = at;
			return err;
		}
	}
	return QRT_EAGAIN;
}

/* It was granted, and now it runs: unless a cancel came in between, the grant is taken. */
static enum qrt_err settle(struct qrt_task *task, struct qrt_case *arm, enum qrt_err granted)
{
	if (!granted && arm->ops_->undo && qrt__cancel_reaches(task)) {
		arm->ops_->undo(arm);
		return qrt__cancel_err(task);
	}
	return arm->ops_->finish ? arm->ops_->finish(arm, granted) : granted;
}

enum qrt_err qrt__await_turn(struct qrt_cx *cx, struct qrt_case *arms, size_t n,
			     int64_t deadline_ns, size_t *ret_index)
{
	struct qrt__await_set set;
	set.arms = arms;
	set.n = n;
	set.granted = NULL;
	qrt__wait_init(&set.wait, cx, n == 1 ? arms[0].ops_->kind : QRT__WAIT_SELECT,
		       n == 1 ? arms[0].object_ : NULL, await_abort);
	set.wait.holder = await_holder;
	set.wait.site = arms[0].site_;
	for (size_t i = 0; i < n; i++) {
		arms[i].cx_ = cx;
		arms[i].set_ = &set;
		qrt__list_init(&arms[i].node_);
		arms[i].ops_->enqueue(&arms[i]);
	}
	enum qrt_err err = qrt__park(cx, &set.wait, deadline_ns);
	if (!set.granted) {
		return err;
	}
	if (ret_index) {
		*ret_index = (size_t)(set.granted - arms);
	}
	return settle(cx->task, set.granted, err);
}

enum qrt_err qrt__await(struct qrt_cx *cx, struct qrt_case *arms, size_t n, size_t first,
			int64_t deadline_ns, size_t *ret_index)
{
	size_t index = 0;
	enum qrt_err err = qrt__suspending(cx);
	if (err) {
		return err;
	}
	for (size_t i = 0; i < n; i++) {
		arms[i].cx_ = cx;
	}
	err = try_all(arms, n, first, &index);
	if (err == QRT_EAGAIN) {
		return qrt__await_turn(cx, arms, n, deadline_ns, ret_index);
	}
	if (ret_index) {
		*ret_index = index;
	}
	return err;
}
