/*
 * Memory of one HTTP exchange: handed out from chunks, taken back all at once. A connection
 * keeps one arena for all its exchanges, so that a small request needs no malloc. It must never
 * be used for what outlives the exchange.
 */
#ifndef QRT_HTTP_ARENA_H
#define QRT_HTTP_ARENA_H

#include <stddef.h>

struct qrt__http_chunk;

struct qrt__http_arena {
	struct qrt__http_chunk *chunks; /* the newest first */
	char *at, *end;			/* what is left of the newest */
};

void qrt__http_arena_init(struct qrt__http_arena *arena);
void qrt__http_arena_fini(struct qrt__http_arena *arena);
/* Takes everything back; one chunk of ordinary size stays for the next exchange. */
void qrt__http_arena_reset(struct qrt__http_arena *arena);

/* Uninitialised memory, aligned for any type. NULL: out of memory. */
void *qrt__http_arena_alloc(struct qrt__http_arena *arena, size_t n);
/*
 * Room for @n > 0 bytes of text that begins with the @old_n bytes at @text (NULL and 0: a new one).
 * Grows in place when @text is what was handed out last. NULL: out of memory, @text stands.
 */
char *qrt__http_arena_grow(struct qrt__http_arena *arena, char *text, size_t old_n, size_t n);
/* A NUL-terminated copy of @n bytes. NULL: out of memory. */
char *qrt__http_arena_text(struct qrt__http_arena *arena, const void *data, size_t n);

#endif
