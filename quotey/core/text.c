/*
 * UTF-8 checks, bounded copies and name lists.
 *
 * Must never depend on a locale: characters are compared as bytes.
 */
#include "quotey/core/text.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { DISTANCE_MAX = 64 };

/* The length of the code point at text, or 0 when there is no well-formed one. */
static size_t code_point_length(const unsigned char *text, size_t length)
{
	static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
	uint32_t point;
	size_t need, i;

	if (text[0] < 0x80) {
		return 1;
	}
	if ((text[0] & 0xe0) == 0xc0) {
		need = 2;
		point = text[0] & 0x1f;
	} else if ((text[0] & 0xf0) == 0xe0) {
		need = 3;
		point = text[0] & 0x0f;
	} else if ((text[0] & 0xf8) == 0xf0) {
		need = 4;
		point = text[0] & 0x07;
	} else {
		return 0;
	}
	if (need > length) {
		return 0;
	}
	for (i = 1; i < need; i++) {
		if ((text[i] & 0xc0) != 0x80) {
			return 0;
		}
		point = point << 6 | (text[i] & 0x3f);
	}
	if (point < smallest[need] || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff)) {
		return 0;
	}
	return need;
}

bool qy_utf8_valid(const char *text, size_t length)
{
	const unsigned char *bytes = (const unsigned char *)text;
	size_t done = 0, step;

	while (done < length) {
		step = code_point_length(bytes + done, length - done);
		if (step == 0) {
			return false;
		}
		done += step;
	}
	return true;
}

void qy_text_cut(char *buffer, size_t size, const char *text)
{
	size_t length = text == NULL ? 0 : strlen(text);

	if (length >= size) {
		length = size - 1;
		/* Step back while the first byte left out continues a code point. */
		while (length > 0 && ((unsigned char)text[length] & 0xc0) == 0x80) {
			length--;
		}
	}
	if (length > 0) {
		memmove(buffer, text, length);
	}
	buffer[length] = '\0';
}

bool qy_text_blank(const char *text)
{
	return text == NULL || text[strspn(text, " \t\r\n")] == '\0';
}

bool qy_text_equal(const char *a, const char *b)
{
	if (a == NULL || b == NULL) {
		return a == b;
	}
	return strcmp(a, b) == 0;
}

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

static size_t length_up_to(const char *text, size_t max)
{
	const char *end = memchr(text, '\0', max);

	return end ? (size_t)(end - text) : max;
}

size_t qy_text_index(const char *const names[], size_t count, const char *text)
{
	size_t i;

	for (i = 0; i < count; i++) {
		if (text != NULL && strcmp(names[i], text) == 0) {
			return i;
		}
	}
	return count;
}

/* Levenshtein's, with one row of the matrix. */
size_t qy_text_distance(const char *a, const char *b)
{
	size_t row[DISTANCE_MAX + 1];
	size_t n_a = length_up_to(a, DISTANCE_MAX);
	size_t n_b = length_up_to(b, DISTANCE_MAX);

	for (size_t j = 0; j <= n_b; j++) {
		row[j] = j;
	}
	for (size_t i = 1; i <= n_a; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= n_b; j++) {
			size_t above = row[j];
			size_t swap = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);

			row[j] = least(above + 1, least(row[j - 1] + 1, swap));
			diagonal = above;
		}
	}
	return row[n_b];
}

enum qy_code qy_text_copy(const char *text, char **ret_copy)
{
	size_t size;
	char *copy;

	if (text == NULL) {
		*ret_copy = NULL;
		return QY_OK;
	}
	size = strlen(text) + 1;
	copy = malloc(size);
	if (copy == NULL) {
		return QY_NO_MEMORY;
	}
	memcpy(copy, text, size);
	*ret_copy = copy;
	return QY_OK;
}
