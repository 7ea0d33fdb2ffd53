/* The arena of an HTTP exchange: a chain of malloc'd chunks and a fill mark in the newest. */
#include "shim/src/http/arena.h"

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
	arena->chunks = NULL;
	arena->used = 0;
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

	arena->used = 0;
	if (!arena->chunks || (!arena->chunks->older && arena->chunks->size == CHUNK_BYTES)) {
		return;
	}
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
	arena->chunks = kept;
}

/* A new newest chunk with at least @n bytes. */
static struct qrt__http_chunk *chunk_add(struct qrt__http_arena *arena, size_t n)
{
	size_t size = n > CHUNK_BYTES ? n : CHUNK_BYTES;
	struct qrt__http_chunk *chunk;

	if (size > SIZE_MAX - sizeof(*chunk)) {
		return NULL;
	}
	chunk = malloc(sizeof(*chunk) + size);
	if (!chunk) {
		return NULL;
	}
	chunk->older = arena->chunks;
	chunk->size = size;
	arena->chunks = chunk;
	arena->used = 0;
	return chunk;
}

static size_t room(const struct qrt__http_arena *arena, size_t from)
{
	if (!arena->chunks || from > arena->chunks->size) {
		return 0;
	}
	return arena->chunks->size - from;
}

void *qrt__http_arena_alloc(struct qrt__http_arena *arena, size_t n)
{
	size_t from = (arena->used + ALIGN - 1) & ~(size_t)(ALIGN - 1);

	if (room(arena, from) < n || !arena->chunks) {
		if (!chunk_add(arena, n)) {
			return NULL;
		}
		from = 0;
	}
	arena->used = from + n;
	QRT_POST(arena->used <= arena->chunks->size);
	return arena->chunks->bytes + from;
}

char *qrt__http_arena_grow(struct qrt__http_arena *arena, char *text, size_t old_n, size_t n)
{
	size_t from = arena->used;
	size_t wish;

	QRT_PRE(n >= old_n);
	if (text && arena->chunks && text + old_n == arena->chunks->bytes + arena->used) {
		from = (size_t)(text - arena->chunks->bytes);
	}
	if (!arena->chunks || room(arena, from) < n) {
		/* Twice the size, so that a text that grows byte by byte moves rarely. */
		wish = old_n > 0 && n <= SIZE_MAX / 2 ? n * 2 : n;
		if (!chunk_add(arena, wish)) {
			return NULL;
		}
		from = 0;
	}
	if (old_n > 0 && text != arena->chunks->bytes + from) {
		memcpy(arena->chunks->bytes + from, text, old_n);
	}
	arena->used = from + n;
	return arena->chunks->bytes + from;
}

char *qrt__http_arena_text(struct qrt__http_arena *arena, const void *data, size_t n)
{
	char *text = n < SIZE_MAX ? qrt__http_arena_grow(arena, NULL, 0, n + 1) : NULL;

	if (!text) {
		return NULL;
	}
	if (n > 0) {
		memcpy(text, data, n);
	}
	text[n] = '\0';
	return text;
}
