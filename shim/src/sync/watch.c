/*
 * Watches within one runtime. The slot of a closed one is kept while tasks
 * were woken for it and have not run.
 */
#include <qrt/watch.h>

#include "shim/src/sync/queue.h"

struct watch {
	struct qrt__audience audience;
	void *value;
	size_t size;
	uint64_t version; /* from 1 */
	bool finished;
};
QRT__OBJECT_FITS(struct watch);

static qrt_release_fn shut;

static const struct qrt__object_kind kind = {
    .magic = 0x71724e17u,
    .name = "watch",
    .end = shut,
};

enum qrt_err qrt_watch_set_sized(struct qrt_watch *watch, const void *value, size_t size)
{
	struct watch *found;
	enum qrt_err err = qrt__object_find(watch, &kind, &found);
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
	while (!qrt__line_empty(&found->audience.line)) {
		qrt__audience_wake(&found->audience);
	}
	return QRT_OK;
}

enum qrt_err qrt_watch_get_sized(struct qrt_watch *watch, size_t size, void *ret_value,
				 uint64_t *ret_version)
{
	struct watch *found;
	enum qrt_err err = qrt__object_find(watch, &kind, &found);
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
	enum qrt_err err = qrt__object_find(watch, &kind, &found);
	if (!err) {
		found->finished = true;
		qrt__line_grant_all(&found->audience.line, QRT_ECLOSED,
				    found->audience.object.rt->turn_ns);
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
	enum qrt_err err = qrt__object_find(arm->object_, &kind, &watch);
	return err ? err : look(watch, arm->value_);
}

static enum qrt_err changed_finish(struct qrt_case *arm, enum qrt_err granted)
{
	struct watch *watch = qrt__arm_object(arm);
	if (granted) {
		return granted; /* it may be gone */
	}
	if (!qrt__audience_let_go(&watch->audience)) {
		return QRT_ECLOSED;
	}
	*(uint64_t *)arm->value_ = watch->version;
	return QRT_OK;
}

/* Everybody is told of a change: there is no turn to pass on. */
static void changed_undo(struct qrt_case *arm)
{
	qrt__audience_let_go(qrt__arm_object(arm));
}

static const struct qrt__arm_ops changed_ops = {
    .kind = QRT__WAIT_WATCH,
    .try_now = changed_try,
    .enqueue = qrt__audience_enqueue,
    .withdraw = qrt__audience_withdraw,
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
	free(watch->value);
	watch->value = NULL;
	qrt__audience_retire(&watch->audience);
	qrt__audience_free_unpromised(&watch->audience);
}

enum qrt_err qrt_watch_open_at(struct qrt_cx *cx, const void *initial, size_t size,
			       const char *site, struct qrt_watch **ret_watch)
{
	struct watch *watch;
	enum qrt_err err = qrt__element_check(cx, size, 1);
	if (!err) {
		err = qrt__object_open(cx, &kind, site, &watch);
	}
	if (err) {
		return err;
	}
	watch->value = malloc(size);
	if (!watch->value) {
		qrt__object_undo(&watch->audience.object);
		return QRT_ENOMEM;
	}
	memcpy(watch->value, initial, size);
	watch->size = size;
	watch->version = 1;
	qrt__line_init(&watch->audience.line);
	*ret_watch = qrt__handle(watch);
	return QRT_OK;
}

enum qrt_err qrt_watch_close(struct qrt_watch **watch)
{
	return qrt__object_close(watch, &kind);
}

enum qrt_err qrt_watch_stats(const struct qrt_watch *watch, struct qrt_watch_stats *ret_stats)
{
	struct watch *found;
	enum qrt_err err = qrt__object_find(watch, &kind, &found);
	if (!err) {
		*ret_stats = (struct qrt_watch_stats){.version = found->version,
						      .watchers = found->audience.line.n,
						      .changed = found->audience.line.stats};
	}
	return err;
}
