/*
 * Exact decimals as millionths.
 *
 * Must never round: a seventh place makes the text no decimal at all.
 */
#include "quotey/core/decimal.h"

#include <stddef.h>

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Appends digits to a negative total: the negative side has room for every 64-bit value. */
static const char *take_digits(const char *text, unsigned max, int64_t *total)
{
	unsigned taken = 0;

	while (is_digit(*text) && taken < max) {
		if (__builtin_mul_overflow(*total, (int64_t)10, total) ||
		    __builtin_sub_overflow(*total, (int64_t)(*text - '0'), total)) {
			return NULL;
		}
		text++;
		taken++;
	}
	return text;
}

bool qy_decimal_parse(const char *text, int64_t *ret_millionths)
{
	bool negative;
	int64_t total = 0;
	const char *dot = NULL, *end;
	unsigned places;

	if (text == NULL) {
		return false;
	}
	negative = *text == '-';
	text += negative;
	if (!is_digit(*text)) {
		return false;
	}
	end = take_digits(text, UINT32_MAX, &total);
	if (end != NULL && *end == '.') {
		dot = end;
		end = take_digits(dot + 1, QY_DECIMAL_PLACES, &total);
	}
	if (end == NULL || *end != '\0' || end - 1 == dot) {
		return false;
	}
	for (places = dot == NULL ? 0 : (unsigned)(end - dot - 1); places < QY_DECIMAL_PLACES;
	     places++) {
		if (__builtin_mul_overflow(total, (int64_t)10, &total)) {
			return false;
		}
	}
	if (!negative && total == INT64_MIN) {
		return false;
	}
	*ret_millionths = negative ? total : -total;
	return true;
}
