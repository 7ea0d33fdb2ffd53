/*
 * The mutex. It is handed over, not let go: from the unlock on it belongs to
 * the first in line, who runs later.
 *
 *	free ──> held ──(somebody waits)──> promised ──> held
 *	  ^        └──(nobody waits)──> free    └──(cancelled before it ran)──> the next in line
 */
#include "shim/src/sync/sync.h"

struct mutex {
	struct qrt__sync sync;
	bool locked;  /* held or promised */
	bool damaged; /* a holder died, and nobody has said that it was repaired */
	struct qrt__owner owner;
};
QRT__OBJECT_FITS(struct mutex);

static const struct qrt__object_kind kind = QRT__SYNC_KIND(0x71724e21u, "mutex");

static struct mutex *live(const void *handle)
{
	return qrt__handle_object(handle, kind.magic);
}

static void pass_on(struct mutex *mutex)
{
	struct qrt_case *arm = qrt__sync_first(&mutex->sync);
	mutex->locked = arm;
	mutex->owner.promised = arm;
	if (arm) {
		qrt__grant(arm, QRT_OK);
	}
}

static void given_back(void *handle)
{
	struct mutex *mutex = live(handle);
	if (mutex) {
		pass_on(mutex);
	}
}

static void holder_died(void *handle)
{
	struct mutex *mutex = live(handle);
	if (mutex) {
		mutex->damaged = true;
		pass_on(mutex);
	}
}

const struct qrt__lease_kind qrt__lease_mutex = {"mutex", given_back, holder_died};

/* @mutex is @arm's now. */
static enum qrt_err take(struct qrt_case *arm, struct mutex *mutex)
{
	struct qrt_duty duty;
	mutex->locked = true;
	mutex->owner.promised = NULL;
	enum qrt_err err = qrt__lease_take(arm, &qrt__lease_mutex, arm->object_, &duty);
	if (err) {
		pass_on(mutex);
		return err;
	}
	mutex->owner.lease = duty;
	struct qrt_lease *ret_lease = arm->value_;
	ret_lease->duty = duty;
	return mutex->damaged ? QRT_EOWNERDEAD : QRT_OK;
}

static enum qrt_err arm_try(struct qrt_case *arm)
{
	struct mutex *mutex;
	enum qrt_err err = qrt__object_use(arm->cx_, arm->object_, &kind, &mutex);
	if (err) {
		return err;
	}
	if (!mutex->locked) {
		return take(arm, mutex);
	}
	if (qrt__lease_holder(&mutex->owner.lease) == arm->cx_->task) {
		return qrt_fail(arm->cx_, QRT_EDEADLOCK, "task %s holds the mutex",
				arm->cx_->task->name);
	}
	return QRT_EAGAIN;
}

static enum qrt_err arm_finish(struct qrt_case *arm, enum qrt_err granted)
{
	struct mutex *mutex = live(arm->object_);
	if (granted || !mutex) {
		return QRT_ECLOSED;
	}
	return take(arm, mutex);
}

static void arm_undo(struct qrt_case *arm)
{
	struct mutex *mutex = live(arm->object_);
	if (mutex) {
		pass_on(mutex);
	}
}

static struct qrt_task *arm_holder(const struct qrt_case *arm)
{
	const struct mutex *mutex = live(arm->object_);
	return mutex ? qrt__owner_task(&mutex->owner) : NULL;
}

static const struct qrt__arm_ops lock_ops = {
    .kind = QRT__WAIT_MUTEX,
    .try_now = arm_try,
    .enqueue = qrt__sync_enqueue,
    .finish = arm_finish,
    .undo = arm_undo,
    .holder = arm_holder,
};

struct qrt_case qrt_case_lock_at(struct qrt_mutex *mutex, const char *site,
				 struct qrt_lease *ret_lease)
{
	return (struct qrt_case){
	    .ops_ = &lock_ops, .object_ = mutex, .value_ = ret_lease, .site_ = site};
}

enum qrt_err qrt_mutex_lock_at(struct qrt_cx *cx, struct qrt_mutex *mutex, const char *site,
			       struct qrt_lease *ret_lease)
{
	struct qrt_case arm = qrt_case_lock_at(mutex, site, ret_lease);
	return qrt__await_one(cx, &arm);
}

enum qrt_err qrt_mutex_try_lock_at(struct qrt_cx *cx, struct qrt_mutex *mutex, const char *site,
				   struct qrt_lease *ret_lease)
{
	struct qrt_case arm = qrt_case_lock_at(mutex, site, ret_lease);
	arm.cx_ = cx;
	return arm_try(&arm);
}

enum qrt_err qrt_mutex_consistent(struct qrt_mutex *handle)
{
	struct mutex *mutex;
	enum qrt_err err = qrt__object_find(handle, &kind, &mutex);
	return err ? err
		   : qrt__owner_consistent(&mutex->owner, mutex->sync.object.rt, &mutex->damaged);
}

enum qrt_err qrt_mutex_open_at(struct qrt_cx *cx, const char *site, struct qrt_mutex **ret_mutex)
{
	return qrt__sync_open(cx, &kind, site, ret_mutex);
}

enum qrt_err qrt_mutex_close(struct qrt_mutex **mutex)
{
	return qrt__object_close(mutex, &kind);
}
