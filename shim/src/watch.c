/*
 * Watches within one runtime. The slot of a closed one is kept while tasks
 * were woken for it and have not run.
 */
#include <qrt/watch.h>

#include "shim/src/queue.h"
#include "shim/src/sink.h"

#define WATCH_MAGIC 0x71724e17u
#define CLOSED_MAGIC 0x71724e18u

struct watch {
	struct qrt__slot slot;
	struct qrt_runtime *rt;
	struct qrt_duty duty;
	void *value;
	size_t size;
	uint64_t version; /* from 1 */
	size_t promised;  /* tasks that were woken and have not run yet */
	bool finished, closed;
	struct qrt__line watchers;
};

_Static_assert(sizeof(struct watch) <= QRT__SLOT_ALIGN, "a watch fits into a slot");

static enum qrt_err find_here(const struct qrt_watch *handle, struct watch **ret_watch)
{
	struct watch *watch = qrt__handle_object(handle, WATCH_MAGIC);
	if (!watch) {
		return QRT_ESTALE;
	}
	if (!qrt__on_thread_of(watch->rt)) {
		return QRT_ETHREAD;
	}
	*ret_watch = watch;
	return QRT_OK;
}

enum qrt_err qrt_watch_set_sized(struct qrt_watch *watch, const void *value, size_t size)
{
	struct watch *found;
	enum qrt_err err = find_here(watch, &found);
	if (err) {
		return err;
	}
	if (found->finished) {
		return QRT_ECLOSED;
	}
	if (size != found->size) {
		return QRT_EINVAL;
	}
	qrt__element_copy(found->value, value, size);
	found->version++;
	while (!qrt__line_empty(&found->watchers)) {
		found->promised++;
		qrt__grant(qrt__line_pop(&found->watchers, found->rt->turn_ns), QRT_OK);
	}
	return QRT_OK;
}

enum qrt_err qrt_watch_get_sized(struct qrt_watch *watch, size_t size, void *ret_value,
				 uint64_t *ret_version)
{
	struct watch *found;
	enum qrt_err err = find_here(watch, &found);
	if (err) {
		return err;
	}
	if (ret_value && size != found->size) {
		return QRT_EINVAL;
	}
	if (ret_value) {
		qrt__element_copy(ret_value, found->value, size);
	}
	if (ret_version) {
		*ret_version = found->version;
	}
	return QRT_OK;
}

enum qrt_err qrt_watch_finish(struct qrt_watch *watch)
{
	struct watch *found;
	enum qrt_err err = find_here(watch, &found);
	if (!err) {
		found->finished = true;
		qrt__line_grant_all(&found->watchers, QRT_ECLOSED, found->rt->turn_ns);
	}
	return err;
}

/* --- waiting --------------------------------------------------------------------------------- */

static enum qrt_err look(const struct watch *watch, uint64_t *seen)
{
	if (*seen != watch->version) {
		*seen = watch->version;
		return QRT_OK;
	}
	return watch->finished ? QRT_ECLOSED : QRT_EAGAIN;
}

static enum qrt_err changed_try(struct qrt_case *arm)
{
	struct watch *watch;
	enum qrt_err err = find_here(arm->object_, &watch);
	return err ? err : look(watch, arm->value_);
}

static void changed_enqueue(struct qrt_case *arm)
{
	struct watch *watch = qrt__arm_object(arm);
	qrt__line_join(&watch->watchers, arm, watch->rt->turn_ns);
}

static void changed_withdraw(struct qrt_case *arm)
{
	struct watch *watch = qrt__arm_object(arm);
	qrt__line_leave(&watch->watchers, arm, watch->rt->turn_ns);
}

/* Whether the watch is still open; frees it when this was the last that kept it. */
static bool let_go(struct watch *watch)
{
	QRT_ASSERT(watch->promised > 0);
	watch->promised--;
	if (!watch->closed) {
		return true;
	}
	if (watch->promised == 0) {
		qrt__pool_give(&watch->rt->objects, watch);
	}
	return false;
}

static enum qrt_err changed_finish(struct qrt_case *arm, enum qrt_err granted)
{
	struct watch *watch = qrt__arm_object(arm);
	if (granted) {
		return granted; /* it may be gone */
	}
	if (!let_go(watch)) {
		return QRT_ECLOSED;
	}
	*(uint64_t *)arm->value_ = watch->version;
	return QRT_OK;
}

/* Everybody is told of a change: there is no turn to pass on. */
static void changed_undo(struct qrt_case *arm)
{
	let_go(qrt__arm_object(arm));
}

static const struct qrt__arm_ops changed_ops = {
    .kind = QRT__WAIT_WATCH,
    .try_now = changed_try,
    .enqueue = changed_enqueue,
    .withdraw = changed_withdraw,
    .finish = changed_finish,
    .undo = changed_undo,
};

struct qrt_case qrt_case_watch(struct qrt_watch *watch, uint64_t *seen)
{
	return (struct qrt_case){.ops_ = &changed_ops, .object_ = watch, .value_ = seen};
}

enum qrt_err qrt_watch_changed(struct qrt_cx *cx, struct qrt_watch *watch, uint64_t *seen)
{
	struct qrt_case arm = qrt_case_watch(watch, seen);
	return qrt__await_one(cx, &arm);
}

/* --- its life -------------------------------------------------------------------------------- */

static void shut(void *arg)
{
	struct watch *watch = arg;
	watch->closed = true;
	watch->slot.magic = CLOSED_MAGIC;
	qrt__line_grant_all(&watch->watchers, QRT_ECLOSED, watch->rt->turn_ns);
	free(watch->value);
	watch->value = NULL;
	if (watch->promised == 0) {
		qrt__pool_give(&watch->rt->objects, watch);
	}
}

enum qrt_err qrt_watch_open_at(struct qrt_cx *cx, const void *initial, size_t size,
			       const char *site, struct qrt_watch **ret_watch)
{
	struct qrt_runtime *rt = cx->task->rt;
	if (!qrt__on_thread_of(rt)) {
		return QRT_ETHREAD;
	}
	enum qrt_err err = qrt__element_check(cx, size, 1);
	if (err) {
		return err;
	}
	struct watch *watch = qrt__pool_take(&rt->objects, WATCH_MAGIC);
	if (!watch) {
		return QRT_ENOMEM;
	}
	watch->rt = rt;
	watch->size = size;
	watch->version = 1;
	qrt__line_init(&watch->watchers);
	watch->value = malloc(size);
	err = watch->value
		  ? qrt_oblige_at(cx, QRT_DUTY_OTHER, "watch", shut, watch, site, &watch->duty)
		  : QRT_ENOMEM;
	if (err) {
		free(watch->value);
		qrt__pool_give(&rt->objects, watch);
		return err;
	}
	memcpy(watch->value, initial, size);
	*ret_watch = qrt__handle(watch);
	return QRT_OK;
}

enum qrt_err qrt_watch_close(struct qrt_watch **watch)
{
	struct watch *found;
	if (!*watch) {
		return QRT_OK;
	}
	enum qrt_err err = find_here(*watch, &found);
	if (err != QRT_ETHREAD) {
		*watch = NULL;
	}
	if (!err) {
		QRT_IGNORE(qrt_settle(&found->duty), "it is being done");
		shut(found);
	}
	return err;
}

enum qrt_err qrt_watch_stats(const struct qrt_watch *watch, struct qrt_watch_stats *ret_stats)
{
	struct watch *found;
	enum qrt_err err = find_here(watch, &found);
	if (!err) {
		*ret_stats = (struct qrt_watch_stats){.version = found->version,
						      .watchers = found->watchers.n,
						      .changed = found->watchers.stats};
	}
	return err;
}
