/*
 * Objects: what a task opens, closes and hands to others of its runtime by a
 * handle. Each has a slot of rt->objects, so that a handle that outlived it is
 * told, and a duty of the region it was opened in, which ends it if nobody
 * closes it. Never for what other threads may touch.
 *
 * A kind's struct begins with the object. Whoever finds one gives the address
 * of a pointer to that struct: all pointers to structs look the same, so only
 * here is the type not checked.
 */
#ifndef QRT_OBJECT_H
#define QRT_OBJECT_H

#include "shim/src/internal.h"

struct qrt__object {
	struct qrt__slot slot;
	struct qrt_runtime *rt;
	struct qrt_duty duty; /* of its region, to close it */
};

struct qrt__object_kind {
	uint32_t magic;
	const char *name; /* static text for reports */
	/*
	 * Its end, by its close or its region's: frees the object, or retires it until nobody
	 * points to it any more. The duty has been settled.
	 */
	qrt_release_fn *end;
	/* What qrt__object_use says of one that is closed, and the error for one of another
	 * runtime; not needed where that is not called. */
	const char *closed;
	enum qrt_err foreign;
};

/* The object is zeroed but for its head. */
#define QRT__OBJECT_FITS(type)                                                                     \
	_Static_assert(sizeof(type) <= QRT__SLOT_ALIGN, "it lives in a slot of the pool")

/* Errors: ENOMEM, ELIMIT, ETHREAD. */
enum qrt_err qrt__object_open(struct qrt_cx *cx, const struct qrt__object_kind *kind,
			      const char *site, void *ret_object);
/* The rest of its open has failed: as if it had never been. */
void qrt__object_undo(struct qrt__object *object);
/*
 * Settles the duty and ends it. @handle: the address of a handle, which becomes NULL unless this
 * is the wrong thread; of NULL: nothing. Errors: ESTALE, ETHREAD.
 */
enum qrt_err qrt__object_close(void *handle, const struct qrt__object_kind *kind);
/* What qrt__object_use says, with detail, of @object that @cx may not use; NULL: it is closed. */
enum qrt_err qrt__object_refuse(struct qrt_cx *cx, const struct qrt__object *object,
				const struct qrt__object_kind *kind);

/* What @handle stands for, for whoever comes without a cx. Errors: ESTALE, ETHREAD. */
static inline enum qrt_err qrt__object_find(const void *handle, const struct qrt__object_kind *kind,
					    void *ret_object)
{
	const struct qrt__object *object = qrt__handle_object(handle, kind->magic);
	if (__builtin_expect(!object, 0)) {
		return QRT_ESTALE;
	}
	if (__builtin_expect(!qrt__on_thread_of(object->rt), 0)) {
		return QRT_ETHREAD;
	}
	memcpy(ret_object, &object, sizeof(object));
	return QRT_OK;
}

/* The same for a call of cx's task. Errors, with detail: ESTALE, the kind's; ETHREAD. */
static inline enum qrt_err qrt__object_use(struct qrt_cx *cx, const void *handle,
					   const struct qrt__object_kind *kind, void *ret_object)
{
	const struct qrt_runtime *rt = cx->task->rt;
	if (__builtin_expect(!qrt__on_thread_of(rt), 0)) {
		return QRT_ETHREAD; /* without detail: the task's memory is not ours here */
	}
	const struct qrt__object *object = qrt__handle_object(handle, kind->magic);
	if (__builtin_expect(!object || object->rt != rt, 0)) {
		enum qrt_err err = qrt__object_refuse(cx, object, kind);
		QRT_ASSERT(err);
		return err;
	}
	memcpy(ret_object, &object, sizeof(object));
	return QRT_OK;
}

/* Its handles are stale from here on; its slot is kept until it is freed. */
static inline void qrt__object_retire(struct qrt__object *object)
{
	object->slot.magic = 0;
}

static inline bool qrt__object_retired(const struct qrt__object *object)
{
	return object->slot.magic == 0;
}

static inline void qrt__object_free(struct qrt__object *object)
{
	qrt__pool_give(&object->rt->objects, object);
}

#endif
