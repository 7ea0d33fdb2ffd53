/*
 * Text helpers that every other part of core shares: UTF-8 checks and bounded copies.
 *
 * Nothing here depends on a locale.
 */
#ifndef QY_CORE_TEXT_H
#define QY_CORE_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "quotey/core/code.h"

#ifdef __cplusplus
extern "C" {
#endif

/* True when the bytes are well-formed UTF-8 (no surrogates, no overlong forms, <= U+10FFFF). */
bool qy_utf8_valid(const char *text, size_t length);

/*
 * Copies text into a buffer of size bytes, cut between code points if it does not fit, always
 * NUL-terminated. A NULL text counts as empty. size must be at least 1.
 */
void qy_text_cut(char *buffer, size_t size, const char *text);

/* True for NULL, empty, or nothing but blanks, tabs and line ends. */
bool qy_text_blank(const char *text);

/* True for equal texts; NULL equals only NULL. */
bool qy_text_equal(const char *a, const char *b);

/* The index of a text in a list of names, or count when it is not there (or NULL). */
size_t qy_text_index(const char *const names[], size_t count, const char *text);

/* How many letters one must add, drop or change to make @a of @b; of both the first 64 bytes. */
size_t qy_text_distance(const char *a, const char *b);

/* A malloc'd copy, owned by the caller; a NULL text gives a NULL copy. Error: NO_MEMORY. */
enum qy_code qy_text_copy(const char *text, char **ret_copy) QY_MUST_USE;

#ifdef __cplusplus
}
#endif

#endif
