/* Opening, finding and closing the objects of qrt/sync.h. */
#include "shim/src/sync.h"

/* The end of an object, by its close or by its region's: the slot first, so that no arm that leaves
 * the line meets it half closed. */
static void sync_end(void *arg)
{
	struct qrt__sync *sync = arg;
	struct qrt__list line;
	qrt__list_init(&line);
	while (!qrt__list_empty(&sync->waiters)) {
		qrt__list_append(&line, qrt__list_pop(&sync->waiters));
	}
	qrt__pool_give(&sync->rt->objects, sync);
	while (!qrt__list_empty(&line)) {
		qrt__grant(qrt__arm_of(qrt__list_pop(&line)), QRT_ECLOSED);
	}
}

enum qrt_err qrt__sync_open(struct qrt_cx *cx, const struct qrt__sync_kind *kind, const char *site,
			    struct qrt__sync **ret_sync)
{
	struct qrt_runtime *rt = cx->task->rt;
	if (!qrt__on_thread_of(rt)) {
		return QRT_ETHREAD;
	}
	struct qrt__sync *sync = qrt__pool_take(&rt->objects, kind->magic);
	if (!sync) {
		return QRT_ENOMEM;
	}
	sync->rt = rt;
	qrt__list_init(&sync->waiters);
	enum qrt_err err =
	    qrt_oblige_at(cx, QRT_DUTY_OTHER, kind->name, sync_end, sync, site, &sync->duty);
	if (err) {
		qrt__pool_give(&rt->objects, sync);
		return err;
	}
	*ret_sync = sync;
	return QRT_OK;
}

enum qrt_err qrt__sync_poke(const void *handle, const struct qrt__sync_kind *kind,
			    struct qrt__sync **ret_sync)
{
	struct qrt__sync *sync = qrt__handle_object(handle, kind->magic);
	if (!sync) {
		return QRT_ESTALE;
	}
	if (!qrt__on_thread_of(sync->rt)) {
		return QRT_ETHREAD;
	}
	*ret_sync = sync;
	return QRT_OK;
}

enum qrt_err qrt__sync_use(struct qrt_cx *cx, const void *handle, const struct qrt__sync_kind *kind,
			   struct qrt__sync **ret_sync)
{
	struct qrt_runtime *rt = cx->task->rt;
	if (!qrt__on_thread_of(rt)) {
		return QRT_ETHREAD; /* without detail: the task's memory is not ours here */
	}
	struct qrt__sync *sync = qrt__handle_object(handle, kind->magic);
	if (!sync) {
		return qrt_fail(cx, QRT_ESTALE, "the %s is closed", kind->name);
	}
	if (sync->rt != rt) {
		return qrt_fail(cx, QRT_EINVAL, "the %s is of another runtime", kind->name);
	}
	*ret_sync = sync;
	return QRT_OK;
}

enum qrt_err qrt__sync_close(const void *handle, const struct qrt__sync_kind *kind)
{
	struct qrt__sync *sync;
	if (!handle) {
		return QRT_OK;
	}
	enum qrt_err err = qrt__sync_poke(handle, kind, &sync);
	if (err) {
		return err;
	}
	err = qrt_settle(&sync->duty);
	QRT_ASSERT(!err);
	sync_end(sync);
	return QRT_OK;
}
