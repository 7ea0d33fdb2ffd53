/*
 * Once: the first to come runs it, the others wait for that. The turn is a
 * lease: whoever dies with it passes it on like one that failed.
 *
 *	idle ──> running ──> done
 *	  ^         └──(failed, nobody waits)──> idle
 *	            └──(failed)──> promised to the next in line ──> running
 */
#include "shim/src/sync/sync.h"

struct once {
	struct qrt__sync sync;
	bool done;
	bool taken; /* somebody runs it, or is about to */
	struct qrt__owner owner;
};
QRT__OBJECT_FITS(struct once);

static const struct qrt__object_kind kind = QRT__SYNC_KIND(0x71724e26u, "once");

static struct once *live(const void *handle)
{
	return qrt__handle_object(handle, kind.magic);
}

static void pass_on(struct once *once)
{
	struct qrt_case *arm = qrt__sync_first(&once->sync);
	once->taken = arm;
	once->owner.promised = arm;
	if (arm) {
		qrt__grant(arm, QRT_OK);
	}
}

static void all_done(struct once *once)
{
	once->done = true;
	struct qrt_case *arm;
	while ((arm = qrt__sync_first(&once->sync))) {
		qrt__grant(arm, QRT_OK);
	}
}

static void runner_died(void *handle)
{
	struct once *once = live(handle);
	if (once) {
		pass_on(once);
	}
}

/* The turn is @arm's; its value_ says so, and is left alone when there is nothing to run. */
static enum qrt_err take(struct qrt_case *arm, struct once *once)
{
	struct qrt_duty turn;
	enum qrt_err err = qrt_oblige_at(arm->cx_, QRT_DUTY_LEASE, "turn of a once", runner_died,
					 arm->object_, arm->site_, &turn);
	once->taken = true;
	once->owner.promised = NULL;
	if (err) {
		pass_on(once);
		return err;
	}
	once->owner.lease = turn;
	*(struct qrt_duty *)arm->value_ = turn;
	return QRT_OK;
}

static enum qrt_err arm_try(struct qrt_case *arm)
{
	struct once *once;
	struct qrt_cx *cx = arm->cx_;
	enum qrt_err err = qrt__object_use(cx, arm->object_, &kind, &once);
	if (err) {
		return err;
	}
	if (once->done) {
		return QRT_OK;
	}
	if (!once->taken) {
		return take(arm, once);
	}
	if (qrt__lease_holder(&once->owner.lease) == cx->task) {
		return qrt_fail(cx, QRT_EDEADLOCK, "task %s runs it already", cx->task->name);
	}
	return QRT_EAGAIN;
}

static enum qrt_err arm_finish(struct qrt_case *arm, enum qrt_err granted)
{
	struct once *once = live(arm->object_);
	if (granted || !once) {
		return QRT_ECLOSED;
	}
	return once->done ? QRT_OK : take(arm, once);
}

static void arm_undo(struct qrt_case *arm)
{
	struct once *once = live(arm->object_);
	if (once && !once->done) {
		pass_on(once);
	}
}

static struct qrt_task *arm_holder(const struct qrt_case *arm)
{
	const struct once *once = live(arm->object_);
	return once ? qrt__owner_task(&once->owner) : NULL;
}

static const struct qrt__arm_ops run_ops = {
    .kind = QRT__WAIT_ONCE,
    .try_now = arm_try,
    .enqueue = qrt__sync_enqueue,
    .finish = arm_finish,
    .undo = arm_undo,
    .holder = arm_holder,
};

enum qrt_err qrt_once_run_at(struct qrt_cx *cx, struct qrt_once *handle, qrt_task_fn *fn, void *arg,
			     const char *site)
{
	struct qrt_duty turn = {0};
	struct qrt_case arm = {.ops_ = &run_ops, .object_ = handle, .value_ = &turn, .site_ = site};
	enum qrt_err err = qrt__await_one(cx, &arm);
	if (err || !turn.entry) {
		return err;
	}
	err = fn(cx, arg);
	enum qrt_err settled = qrt_settle(&turn);
	QRT_ASSERT(!settled);
	struct once *once = live(handle);
	if (!once) {
		return err; /* closed meanwhile: nobody waits any more */
	}
	if (err) {
		pass_on(once);
	} else {
		all_done(once);
	}
	return err;
}

enum qrt_err qrt_once_open_at(struct qrt_cx *cx, const char *site, struct qrt_once **ret_once)
{
	return qrt__sync_open(cx, &kind, site, ret_once);
}

enum qrt_err qrt_once_close(struct qrt_once **once)
{
	return qrt__object_close(once, &kind);
}
