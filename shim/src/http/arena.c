/* The arena of an HTTP exchange: a chain of malloc'd chunks and a fill mark in the newest. */
#include "shim/src/http/arena.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <qrt/base.h>

#define CHUNK_BYTES 4096u
#define ALIGN 16u

struct qrt__http_chunk {
	struct qrt__http_chunk *older;
	size_t size; /* of the bytes */
	_Alignas(ALIGN) char bytes[];
};

void qrt__http_arena_init(struct qrt__http_arena *arena)
{
	*arena = (struct qrt__http_arena){NULL, NULL, NULL};
}

/* Hands out from @chunk, the newest, or from none. */
static void begin(struct qrt__http_arena *arena, struct qrt__http_chunk *chunk)
{
	arena->chunks = chunk;
	arena->at = chunk ? chunk->bytes : NULL;
	arena->end = chunk ? chunk->bytes + chunk->size : NULL;
}

static void chunks_free(struct qrt__http_chunk *chunk)
{
	while (chunk) {
		struct qrt__http_chunk *older = chunk->older;

		free(chunk);
		chunk = older;
	}
}

void qrt__http_arena_fini(struct qrt__http_arena *arena)
{
	if (!arena) {
		return;
	}
	chunks_free(arena->chunks);
	qrt__http_arena_init(arena);
}

void qrt__http_arena_reset(struct qrt__http_arena *arena)
{
	struct qrt__http_chunk *kept = NULL;

	/* The oldest is of ordinary size unless the very first wish was a large one. */
	while (arena->chunks) {
		struct qrt__http_chunk *chunk = arena->chunks;

		arena->chunks = chunk->older;
		if (!chunk->older && chunk->size == CHUNK_BYTES) {
			kept = chunk;
		} else {
			free(chunk);
		}
	}
	begin(arena, kept);
}

/* A new newest chunk with at least @n bytes. */
static bool chunk_add(struct qrt__http_arena *arena, size_t n)
{
	size_t size = n > CHUNK_BYTES ? n : CHUNK_BYTES;
	struct qrt__http_chunk *chunk;

	if (size > SIZE_MAX - sizeof(*chunk)) {
		return false;
	}
	chunk = malloc(sizeof(*chunk) + size);
	if (!chunk) {
		return false;
	}
	chunk->older = arena->chunks;
	chunk->size = size;
	begin(arena, chunk);
	return true;
}

/* The next @n > 0 bytes. NULL: out of memory. */
static inline char *take(struct qrt__http_arena *arena, size_t n)
{
	char *bytes;

	if (n > (size_t)(arena->end - arena->at) && !chunk_add(arena, n)) {
		return NULL;
	}
	bytes = arena->at;
	arena->at += n;
	return bytes;
}

void *qrt__http_arena_alloc(struct qrt__http_arena *arena, size_t n)
{
	size_t left = (size_t)(arena->end - arena->at);
	size_t gap = -(uintptr_t)arena->at % ALIGN;

	arena->at = gap < left ? arena->at + gap : arena->end;
	return take(arena, n > 0 ? n : 1);
}

char *qrt__http_arena_grow(struct qrt__http_arena *arena, char *text, size_t old_n, size_t n)
{
	bool last = text && text + old_n == arena->at;
	char *wider;
	size_t wish;

	QRT_PRE(n > 0);
	QRT_PRE(n >= old_n);
	if (last && n - old_n <= (size_t)(arena->end - arena->at)) {
		arena->at = text + n;
		return text;
	}
	/* Twice the size, so that a text that grows byte by byte moves rarely. */
	wish = old_n > 0 && n <= SIZE_MAX / 2 ? n * 2 : n;
	if (n > (size_t)(arena->end - arena->at) && !chunk_add(arena, wish)) {
		return NULL;
	}
	wider = take(arena, n);
	if (old_n > 0) {
		memcpy(wider, text, old_n);
	}
	return wider;
}

char *qrt__http_arena_text(struct qrt__http_arena *arena, const void *data, size_t n)
{
	char *text = n < SIZE_MAX ? take(arena, n + 1) : NULL;

	if (!text) {
		return NULL;
	}
	if (n > 0) {
		memcpy(text, data, n);
	}
	text[n] = '\0';
	return text;
}
