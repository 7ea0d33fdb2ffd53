/* Escapes, UTF-8, the calendar. */
#include "shim/src/base/text.h"

#include <stdio.h>

#include "shim/src/internal.h"

size_t qrt__json_escape(char c, char ret_text[QRT__JSON_ESCAPE_MAX])
{
	unsigned char byte = (unsigned char)c;
	if (byte < 0x20 || byte > 0x7e) {
		return (size_t)snprintf(ret_text, QRT__JSON_ESCAPE_MAX, "\\u%04x", byte);
	}
	size_t n = 0;
	if (c == '"' || c == '\\') {
		ret_text[n++] = '\\';
	}
	ret_text[n++] = c;
	ret_text[n] = '\0';
	return n;
}

/* --- UTF-8 ---------------------------------------------------------------------------------- */

/* How many bytes follow a first byte of UTF-8, and the range of the first of them; n: -1 bad. */
struct utf8_rule {
	int n;
	unsigned char low, high;
};

static struct utf8_rule rule_of(unsigned char c)
{
	if (c < 0x80) {
		return (struct utf8_rule){0, 0, 0};
	}
	if (c >= 0xc2 && c <= 0xdf) {
		return (struct utf8_rule){1, 0x80, 0xbf};
	}
	if (c >= 0xe0 && c <= 0xef) {
		/* No overlong form, no half of a surrogate pair. */
		return (struct utf8_rule){2, c == 0xe0 ? 0xa0 : 0x80, c == 0xed ? 0x9f : 0xbf};
	}
	if (c >= 0xf0 && c <= 0xf4) {
		return (struct utf8_rule){3, c == 0xf0 ? 0x90 : 0x80, c == 0xf4 ? 0x8f : 0xbf};
	}
	return (struct utf8_rule){-1, 0, 0};
}

size_t qrt__utf8_length(const char *text, size_t n)
{
	const unsigned char *at = (const unsigned char *)text;
	if (n == 0) {
		return 0;
	}
	struct utf8_rule rule = rule_of(*at);
	size_t length = (size_t)rule.n + 1;
	if (rule.n < 0 || n < length) {
		return 0;
	}
	for (size_t i = 1; i < length; i++) {
		if (at[i] < rule.low || at[i] > rule.high) {
			return 0;
		}
		rule.low = 0x80;
		rule.high = 0xbf;
	}
	return length;
}

bool qrt__utf8_valid(const char *text, size_t n)
{
	while (n > 0) {
		size_t length = qrt__utf8_length(text, n);
		if (length == 0) {
			return false;
		}
		text += length;
		n -= length;
	}
	return true;
}

/* --- the calendar ---------------------------------------------------------------------------- */

/* From a count of days, with years that begin in March. */
struct qrt__utc qrt__utc_of(int64_t wall_ms)
{
	QRT_PRE(wall_ms >= 0);
	int64_t days = wall_ms / 86400000;
	int64_t in_day = wall_ms % 86400000;
	int64_t shifted = days + 719468; /* from 0000-03-01 */
	int64_t era = shifted / 146097, in_era = shifted % 146097;
	int64_t year = (in_era - in_era / 1460 + in_era / 36524 - in_era / 146096) / 365;
	int64_t in_year = in_era - (365 * year + year / 4 - year / 100);
	int64_t month = (5 * in_year + 2) / 153; /* from March */
	year += era * 400 + (month >= 10);
	return (struct qrt__utc){
	    .year = (unsigned)(year % 10000),
	    .month = (unsigned)(month < 10 ? month + 3 : month - 9),
	    .day = (unsigned)(in_year - (153 * month + 2) / 5 + 1),
	    .weekday = (unsigned)((days + 4) % 7), /* the first was a Thursday */
	    .hour = (unsigned)(in_day / 3600000),
	    .minute = (unsigned)(in_day / 60000 % 60),
	    .second = (unsigned)(in_day / 1000 % 60),
	    .ms = (unsigned)(in_day % 1000),
	};
}
