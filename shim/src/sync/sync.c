/* What the objects of qrt/sync.h do alike: they are opened, stood in line for, and end. */
#include "shim/src/sync/sync.h"

/* The slot first, so that no arm that leaves the line meets it half closed. */
void qrt__sync_end(void *arg)
{
	struct qrt__sync *sync = arg;
	struct qrt__list line;
	qrt__list_init(&line);
	while (!qrt__list_empty(&sync->waiters)) {
		qrt__list_append(&line, qrt__list_pop(&sync->waiters));
	}
	qrt__object_free(&sync->object);
	while (!qrt__list_empty(&line)) {
		qrt__grant(qrt__arm_of(qrt__list_pop(&line)), QRT_ECLOSED);
	}
}

enum qrt_err qrt__sync_open(struct qrt_cx *cx, const struct qrt__object_kind *kind,
			    const char *site, void *ret_handle)
{
	struct qrt__sync *sync;
	enum qrt_err err = qrt__object_open(cx, kind, site, &sync);
	if (!err) {
		qrt__list_init(&sync->waiters);
		const void *handle = qrt__handle(sync);
		memcpy(ret_handle, &handle, sizeof(handle));
	}
	return err;
}

/* It was tried just now, so it is open. */
void qrt__sync_enqueue(struct qrt_case *arm)
{
	struct qrt__sync *sync = qrt__arm_object(arm);
	qrt__list_append(&sync->waiters, &arm->node_);
}
