/* Notifications: something may have changed, look. One that met nobody is kept, once. */
#include "shim/src/sync/sync.h"

struct notify {
	struct qrt__sync sync;
	bool kept;
};
QRT__OBJECT_FITS(struct notify);

/* What an arm was granted by, in its word_. */
enum { BY_ALL, BY_ONE };

static const struct qrt__object_kind kind = QRT__SYNC_KIND(0x71724e25u, "notify");

static void notify_next(struct notify *notify)
{
	struct qrt_case *arm = qrt__sync_first(&notify->sync);
	if (arm) {
		arm->word_ = BY_ONE;
		qrt__grant(arm, QRT_OK);
	} else {
		notify->kept = true;
	}
}

enum qrt_err qrt_notify_one(struct qrt_notify *handle)
{
	struct notify *notify;
	enum qrt_err err = qrt__object_find(handle, &kind, &notify);
	if (!err) {
		notify_next(notify);
	}
	return err;
}

enum qrt_err qrt_notify_all(struct qrt_notify *handle)
{
	struct notify *notify;
	enum qrt_err err = qrt__object_find(handle, &kind, &notify);
	if (err) {
		return err;
	}
	struct qrt_case *arm = qrt__sync_first(&notify->sync);
	if (!arm) {
		notify->kept = true;
	}
	for (; arm; arm = qrt__sync_first(&notify->sync)) {
		arm->word_ = BY_ALL;
		qrt__grant(arm, QRT_OK);
	}
	return QRT_OK;
}

static enum qrt_err arm_try(struct qrt_case *arm)
{
	struct notify *notify;
	enum qrt_err err = qrt__object_use(arm->cx_, arm->object_, &kind, &notify);
	if (err) {
		return err;
	}
	if (!notify->kept) {
		return QRT_EAGAIN;
	}
	notify->kept = false;
	return QRT_OK;
}

static struct notify *live(const void *handle)
{
	return qrt__handle_object(handle, kind.magic);
}

/* What went to all the others have had too; what went to one must not get lost. */
static void arm_undo(struct qrt_case *arm)
{
	struct notify *notify = live(arm->object_);
	if (notify && arm->word_ == BY_ONE) {
		notify_next(notify);
	}
}

static const struct qrt__arm_ops wait_ops = {
    .kind = QRT__WAIT_NOTIFY,
    .try_now = arm_try,
    .enqueue = qrt__sync_enqueue,
    .undo = arm_undo,
};

struct qrt_case qrt_case_notified(struct qrt_notify *notify)
{
	return (struct qrt_case){.ops_ = &wait_ops, .object_ = notify};
}

enum qrt_err qrt_notify_wait(struct qrt_cx *cx, struct qrt_notify *notify)
{
	struct qrt_case arm = qrt_case_notified(notify);
	return qrt__await_one(cx, &arm);
}

enum qrt_err qrt_notify_try_wait(struct qrt_cx *cx, struct qrt_notify *notify)
{
	struct qrt_case arm = qrt_case_notified(notify);
	arm.cx_ = cx;
	return arm_try(&arm);
}

enum qrt_err qrt_notify_open_at(struct qrt_cx *cx, const char *site, struct qrt_notify **ret_notify)
{
	return qrt__sync_open(cx, &kind, site, ret_notify);
}

enum qrt_err qrt_notify_close(struct qrt_notify **notify)
{
	return qrt__object_close(notify, &kind);
}
