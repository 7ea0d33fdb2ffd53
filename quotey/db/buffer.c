/* A growing byte buffer. */
#include "quotey/db/buffer.h"

#include <stdlib.h>
#include <string.h>

void qy_buffer_init(struct qy_buffer *buffer, size_t max)
{
	memset(buffer, 0, sizeof(*buffer));
	buffer->max = max;
}

void qy_buffer_fini(struct qy_buffer *buffer)
{
	if (buffer) {
		free(buffer->data);
		qy_buffer_init(buffer, buffer->max);
	}
}

void qy_buffer_clear(struct qy_buffer *buffer)
{
	buffer->len = 0;
	buffer->err = QRT_OK;
	if (buffer->data) {
		buffer->data[0] = '\0';
	}
}

static void reserve(struct qy_buffer *buffer, size_t n)
{
	size_t capacity = buffer->capacity ? buffer->capacity : 256;
	char *data;

	if (n > buffer->max || buffer->len > buffer->max - n) {
		buffer->err = QRT_ELIMIT;
		return;
	}
	while (capacity - 1 < buffer->len + n) {
		capacity *= 2;
	}
	if (capacity == buffer->capacity) {
		return;
	}
	data = realloc(buffer->data, capacity);
	if (!data) {
		buffer->err = QRT_ENOMEM;
		return;
	}
	buffer->data = data;
	buffer->capacity = capacity;
}

void qy_buffer_bytes(struct qy_buffer *buffer, const void *bytes, size_t n)
{
	if (!buffer->err) {
		reserve(buffer, n);
	}
	if (!buffer->err) {
		memcpy(buffer->data + buffer->len, bytes, n);
		buffer->len += n;
		buffer->data[buffer->len] = '\0';
	}
}

void qy_buffer_text(struct qy_buffer *buffer, const char *text)
{
	qy_buffer_bytes(buffer, text, strlen(text));
}
