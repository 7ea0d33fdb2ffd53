/* Opening and closing objects: a slot and a duty, both or neither. */
#include "shim/src/sync/object.h"

enum qrt_err qrt__object_open(struct qrt_cx *cx, const struct qrt__object_kind *kind,
			      const char *site, void *ret_object)
{
	struct qrt_runtime *rt = cx->task->rt;
	if (!qrt__on_thread_of(rt)) {
		return QRT_ETHREAD;
	}
	struct qrt__object *object = qrt__pool_take(&rt->objects, kind->magic);
	if (!object) {
		return QRT_ENOMEM;
	}
	object->rt = rt;
	enum qrt_err err =
	    qrt_oblige_at(cx, QRT_DUTY_OTHER, kind->name, kind->end, object, site, &object->duty);
	if (err) {
		qrt__object_free(object);
		return err;
	}
	memcpy(ret_object, &object, sizeof(object));
	return QRT_OK;
}

static void settle(struct qrt__object *object)
{
	enum qrt_err err = qrt_settle(&object->duty);
	QRT_ASSERT(!err);
}

void qrt__object_undo(struct qrt__object *object)
{
	settle(object);
	qrt__object_free(object);
}

enum qrt_err qrt__object_close(void *handle, const struct qrt__object_kind *kind)
{
	void *its;
	struct qrt__object *object;
	memcpy(&its, handle, sizeof(its));
	if (!its) {
		return QRT_OK;
	}
	enum qrt_err err = qrt__object_find(its, kind, &object);
	if (err != QRT_ETHREAD) {
		its = NULL;
		memcpy(handle, &its, sizeof(its));
	}
	if (!err) {
		settle(object);
		kind->end(object);
	}
	return err;
}

enum qrt_err qrt__object_refuse(struct qrt_cx *cx, const struct qrt__object *object,
				const struct qrt__object_kind *kind)
{
	if (!object) {
		return qrt_fail(cx, QRT_ESTALE, "%s", kind->closed);
	}
	return qrt_fail(cx, kind->foreign, "the %s belongs to runtime %s", kind->name,
			object->rt->name);
}
