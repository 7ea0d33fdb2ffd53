/*
 * Pools: memory that keeps its shape until the pool goes. What has been given
 * back can still be looked at, so a handle that outlived its object is told
 * from a live one instead of reading freed memory. One thread.
 *
 * A handle is the slot's address plus the low bits of its generation: slots
 * are aligned to QRT__SLOT_ALIGN, so both come apart again. A stale handle
 * goes unnoticed only when its slot has been taken a multiple of
 * QRT__SLOT_ALIGN times since.
 */
#ifndef QRT_POOL_H
#define QRT_POOL_H

#include <qrt/base.h>

#define QRT__SLOT_ALIGN 512u

/* First member of everything that lives in a pool. */
struct qrt__slot {
	uint32_t generation; /* odd while taken */
	uint32_t magic;	     /* the owner's, 0 while free */
	struct qrt__slot *next_free;
};

struct qrt__pool_chunk;

struct qrt__pool {
	size_t size;  /* of a slot, rounded up */
	size_t clear; /* bytes of it that are zeroed when it is taken */
	struct qrt__slot *free;
	struct qrt__pool_chunk *chunks;
	size_t taken;
};

/*
 * @size at least a slot, of which @clear bytes are zeroed each time. @align: QRT__SLOT_ALIGN when
 * handles are made, else less.
 */
void qrt__pool_init(struct qrt__pool *pool, size_t size, size_t clear, size_t align);
/* Everything must be back. */
void qrt__pool_fini(struct qrt__pool *pool);
/* Zeroed as said above, but for the slot; NULL when there is no memory. */
void *qrt__pool_take(struct qrt__pool *pool, uint32_t magic);
void qrt__pool_give(struct qrt__pool *pool, void *object);

static inline void *qrt__handle(const void *object)
{
	const struct qrt__slot *slot = object;
	/* Generations of taken slots are odd: the lowest bit says nothing. */
	return (void *)((uintptr_t)slot + (slot->generation / 2) % QRT__SLOT_ALIGN);
}

/* The object of @handle; NULL when the handle is NULL, stale, or of another kind. */
static inline void *qrt__handle_object(const void *handle, uint32_t magic)
{
	uintptr_t bits = (uintptr_t)handle;
	struct qrt__slot *slot = (struct qrt__slot *)(bits & ~(uintptr_t)(QRT__SLOT_ALIGN - 1));
	if (!slot || slot->magic != magic || qrt__handle(slot) != handle) {
		return NULL;
	}
	return slot;
}

#endif
