/* Slots in chunks; the last one given back is taken first, as it is warm. */
#include "shim/src/base/pool.h"

#include <stdlib.h>
#include <string.h>

#if defined(__SANITIZE_ADDRESS__)
#define WITH_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WITH_ASAN 1
#endif
#endif
#ifdef WITH_ASAN
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(at, n) ((void)(at), (void)(n))
#define ASAN_UNPOISON_MEMORY_REGION(at, n) ((void)(at), (void)(n))
#endif

enum { CHUNK_SLOTS = 32 };

struct qrt__pool_chunk {
	struct qrt__pool_chunk *next;
	char *slots;
};

void qrt__pool_init(struct qrt__pool *pool, size_t size, size_t clear, size_t align)
{
	QRT_PRE(size >= sizeof(struct qrt__slot));
	*pool = (struct qrt__pool){.size = (size + align - 1) / align * align, .clear = clear};
}

void qrt__pool_fini(struct qrt__pool *pool)
{
	QRT_PRE(pool->taken == 0);
	while (pool->chunks) {
		struct qrt__pool_chunk *chunk = pool->chunks;
		pool->chunks = chunk->next;
		ASAN_UNPOISON_MEMORY_REGION(chunk->slots, pool->size * CHUNK_SLOTS);
		free(chunk->slots);
		free(chunk);
	}
	pool->free = NULL;
}

/* The slot's own words stay readable: they are what a stale handle is checked against. */
static void hide(const struct qrt__pool *pool, struct qrt__slot *slot)
{
	ASAN_POISON_MEMORY_REGION(slot + 1, pool->size - sizeof(*slot));
	(void)pool;
}

static bool chunk_add(struct qrt__pool *pool)
{
	struct qrt__pool_chunk *chunk = malloc(sizeof(*chunk));
	if (!chunk) {
		return false;
	}
	chunk->slots = aligned_alloc(QRT__SLOT_ALIGN, pool->size * CHUNK_SLOTS);
	if (!chunk->slots) {
		free(chunk);
		return false;
	}
	memset(chunk->slots, 0, pool->size * CHUNK_SLOTS);
	for (size_t i = CHUNK_SLOTS; i-- > 0;) {
		struct qrt__slot *slot = (void *)(chunk->slots + i * pool->size);
		slot->next_free = pool->free;
		pool->free = slot;
		hide(pool, slot);
	}
	chunk->next = pool->chunks;
	pool->chunks = chunk;
	return true;
}

void *qrt__pool_take(struct qrt__pool *pool, uint32_t magic)
{
	if (!pool->free && !chunk_add(pool)) {
		return NULL;
	}
	struct qrt__slot *slot = pool->free;
	pool->free = slot->next_free;
	pool->taken++;
	ASAN_UNPOISON_MEMORY_REGION(slot, pool->size);
	memset(slot + 1, 0, pool->clear - sizeof(*slot));
	slot->generation++;
	slot->magic = magic;
	return slot;
}

void qrt__pool_give(struct qrt__pool *pool, void *object)
{
	struct qrt__slot *slot = object;
	QRT_PRE(slot->generation % 2 == 1);
	QRT_PRE(pool->taken > 0);
	pool->taken--;
	slot->generation++;
	slot->magic = 0;
	slot->next_free = pool->free;
	pool->free = slot;
	hide(pool, slot);
}
