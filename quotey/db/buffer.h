/*
 * A growing byte buffer with a limit and a sticky error, checked once at the end.
 */
#ifndef QY_DB_BUFFER_H
#define QY_DB_BUFFER_H

#include <stddef.h>

#include <qrt/err.h>

struct qy_buffer {
	char *data; /* NUL-terminated once anything was added; NULL before */
	size_t len;
	size_t capacity;
	size_t max;
	enum qrt_err err; /* ENOMEM, ELIMIT */
};

void qy_buffer_init(struct qy_buffer *buffer, size_t max);
/* Frees it and leaves an empty one; NULL is fine. */
void qy_buffer_fini(struct qy_buffer *buffer);
/* Forgets content and error, keeps the memory. */
void qy_buffer_clear(struct qy_buffer *buffer);
void qy_buffer_bytes(struct qy_buffer *buffer, const void *bytes, size_t n);
void qy_buffer_text(struct qy_buffer *buffer, const char *text);

#endif
