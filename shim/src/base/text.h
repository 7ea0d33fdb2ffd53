/* Texts: escapes, UTF-8, and times as they are written. Nothing here keeps any. */
#ifndef QRT_TEXT_H
#define QRT_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * What stands for the byte @c inside a JSON string: @c itself, or an escape in @ret_text. Bytes
 * beyond ASCII too, as U+0000 to U+00FF: a cut or broken name must not make the document invalid.
 */
enum { QRT__JSON_ESCAPE_MAX = 7 };
size_t qrt__json_escape(char c, char ret_text[QRT__JSON_ESCAPE_MAX]);

/* How many of the @n bytes are the first code point, in its shortest form; 0: they begin with none.
 */
size_t qrt__utf8_length(const char *text, size_t n);
/* Whether all are UTF-8. @text may be NULL when @n is 0. */
bool qrt__utf8_valid(const char *text, size_t n);

/* A moment in UTC, by the Gregorian calendar. */
struct qrt__utc {
	unsigned year;	  /* its last four digits */
	unsigned month;	  /* 1 to 12 */
	unsigned day;	  /* 1 to 31 */
	unsigned weekday; /* 0: Sunday */
	unsigned hour, minute, second, ms;
};
/* @wall_ms: since 1970, not negative. */
struct qrt__utc qrt__utc_of(int64_t wall_ms);

#endif
