/*
 * Amounts in minor units and rates in basis points.
 *
 * Must never round what somebody typed, never wrap, and never touch floating point.
 */
#include "quotey/core/money.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

struct currency_row {
	const char *codes; /* three letters each, without separator */
	int exponent;
};

static const struct currency_row currencies[] = {
    {"JPYKRWCLPVND", 0},
    {"USDEURGBPCHFCADAUDNZDSEKNOKDKKPLNCZKINRBRLMXNZARSGDHKDCNY", 2},
    {"BHDKWDOMRTND", 3},
};

/* A number as it was typed: where its digits are, and how many. */
struct digits {
	bool negative;
	const char *whole;
	size_t whole_count;
	const char *fraction;
	size_t fraction_count;
};

static const uint64_t powers_of_ten[] = {1, 10, 100, 1000};

enum qy_code qy_currency_exponent(const char *currency, int *ret_exponent)
{
	const char *codes;
	size_t i;

	if (currency == NULL || strlen(currency) != 3) {
		return QY_UNKNOWN_CURRENCY;
	}
	for (i = 0; i < sizeof(currencies) / sizeof(currencies[0]); i++) {
		for (codes = currencies[i].codes; *codes != '\0'; codes += 3) {
			if (memcmp(codes, currency, 3) == 0) {
				*ret_exponent = currencies[i].exponent;
				return QY_OK;
			}
		}
	}
	return QY_UNKNOWN_CURRENCY;
}

enum qy_code qy_money_make(int64_t minor, const char *currency, struct qy_money *ret_money)
{
	enum qy_code code;
	int exponent;

	code = qy_currency_exponent(currency, &exponent);
	if (code != QY_OK) {
		return code;
	}
	ret_money->minor = minor;
	memmove(ret_money->currency, currency, sizeof(ret_money->currency));
	return QY_OK;
}

static bool split_digits(const char *text, struct digits *ret_digits)
{
	static const char digit_set[] = "0123456789";
	struct digits found = {false, NULL, 0, NULL, 0};

	if (text == NULL) {
		return false;
	}
	found.negative = *text == '-';
	text += found.negative;
	found.whole = text;
	found.whole_count = strspn(text, digit_set);
	text += found.whole_count;
	if (found.whole_count == 0) {
		return false;
	}
	if (*text == '.') {
		text++;
		found.fraction = text;
		found.fraction_count = strspn(text, digit_set);
		text += found.fraction_count;
		if (found.fraction_count == 0) {
			return false;
		}
	}
	if (*text != '\0') {
		return false;
	}
	*ret_digits = found;
	return true;
}

static bool append_digits(const char *digits, size_t count, uint64_t *total)
{
	size_t i;

	for (i = 0; i < count; i++) {
		if (__builtin_mul_overflow(*total, (uint64_t)10, total) ||
		    __builtin_add_overflow(*total, (uint64_t)(digits[i] - '0'), total)) {
			return false;
		}
	}
	return true;
}

/* The number times ten to the exponent; the fraction must not be longer than the exponent. */
static bool scale_digits(const struct digits *digits, int exponent, uint64_t *ret_scaled)
{
	uint64_t total = 0;
	size_t missing = (size_t)exponent - digits->fraction_count;

	if (!append_digits(digits->whole, digits->whole_count, &total) ||
	    !append_digits(digits->fraction, digits->fraction_count, &total) ||
	    __builtin_mul_overflow(total, powers_of_ten[missing], &total)) {
		return false;
	}
	*ret_scaled = total;
	return true;
}

/* Joins sign and size; the only place where a size of 2^63 is a valid amount. */
static enum qy_code signed_amount(bool negative, uint64_t size, int64_t *ret_minor)
{
	if (size > (uint64_t)INT64_MAX + (negative ? 1 : 0)) {
		return QY_MONEY_OVERFLOW;
	}
	*ret_minor = negative ? (int64_t)(0 - size) : (int64_t)size;
	return QY_OK;
}

static uint64_t amount_size(int64_t minor)
{
	return minor < 0 ? 0 - (uint64_t)minor : (uint64_t)minor;
}

enum qy_code qy_money_parse(const char *text, const char *currency, struct qy_money *ret_money)
{
	struct digits digits;
	enum qy_code code;
	uint64_t size;
	int64_t minor;
	int exponent;

	code = qy_currency_exponent(currency, &exponent);
	if (code != QY_OK) {
		return code;
	}
	if (!split_digits(text, &digits)) {
		return QY_MONEY_SYNTAX;
	}
	if (digits.fraction_count > (size_t)exponent) {
		return QY_MONEY_SCALE;
	}
	if (!scale_digits(&digits, exponent, &size)) {
		return QY_MONEY_OVERFLOW;
	}
	code = signed_amount(digits.negative, size, &minor);
	if (code != QY_OK) {
		return code;
	}
	return qy_money_make(minor, currency, ret_money);
}

enum qy_code qy_money_format(const struct qy_money *money, char ret_text[QY_MONEY_TEXT_SIZE])
{
	const char *sign = money->minor < 0 ? "-" : "";
	uint64_t size = amount_size(money->minor);
	enum qy_code code;
	int exponent;

	code = qy_currency_exponent(money->currency, &exponent);
	if (code != QY_OK) {
		return code;
	}
	if (exponent == 0) {
		snprintf(ret_text, QY_MONEY_TEXT_SIZE, "%s%" PRIu64, sign, size);
	} else {
		snprintf(ret_text, QY_MONEY_TEXT_SIZE, "%s%" PRIu64 ".%0*" PRIu64, sign,
			 size / powers_of_ten[exponent], exponent, size % powers_of_ten[exponent]);
	}
	return QY_OK;
}

enum qy_code qy_money_add(const struct qy_money *a, const struct qy_money *b,
			  struct qy_money *ret_sum)
{
	int64_t minor;

	if (strcmp(a->currency, b->currency) != 0) {
		return QY_CURRENCY_MISMATCH;
	}
	if (__builtin_add_overflow(a->minor, b->minor, &minor)) {
		return QY_MONEY_OVERFLOW;
	}
	return qy_money_make(minor, a->currency, ret_sum);
}

enum qy_code qy_money_sub(const struct qy_money *a, const struct qy_money *b,
			  struct qy_money *ret_difference)
{
	int64_t minor;

	if (strcmp(a->currency, b->currency) != 0) {
		return QY_CURRENCY_MISMATCH;
	}
	if (__builtin_sub_overflow(a->minor, b->minor, &minor)) {
		return QY_MONEY_OVERFLOW;
	}
	return qy_money_make(minor, a->currency, ret_difference);
}

enum qy_code qy_money_mul(const struct qy_money *a, int64_t count, struct qy_money *ret_product)
{
	int64_t minor;

	if (__builtin_mul_overflow(a->minor, count, &minor)) {
		return QY_MONEY_OVERFLOW;
	}
	return qy_money_make(minor, a->currency, ret_product);
}

enum qy_code qy_money_rate(const struct qy_money *a, int bps, struct qy_money *ret_part)
{
	uint64_t size = amount_size(a->minor), part;
	enum qy_code code;
	int64_t minor;

	if (bps < 0 || bps > QY_BPS_MAX) {
		return QY_BPS_RANGE;
	}
	/*
	 * The amount is split at 10000: the upper part times a rate of at most 10000 is never
	 * larger than the amount, and the lower part is small, so neither product can overflow.
	 */
	part = size / QY_BPS_MAX * (uint64_t)bps;
	part += (size % QY_BPS_MAX * (uint64_t)bps + QY_BPS_MAX / 2) / QY_BPS_MAX;
	code = signed_amount(a->minor < 0, part, &minor);
	if (code != QY_OK) {
		return code;
	}
	return qy_money_make(minor, a->currency, ret_part);
}

enum qy_code qy_bps_parse(const char *text, int *ret_bps)
{
	struct digits digits;
	uint64_t scaled;

	if (!split_digits(text, &digits) || digits.fraction_count > 2) {
		return QY_BPS_SYNTAX;
	}
	if (!scale_digits(&digits, /* exponent= */ 2, &scaled) || scaled > QY_BPS_MAX ||
	    (digits.negative && scaled != 0)) {
		return QY_BPS_RANGE;
	}
	*ret_bps = (int)scaled;
	return QY_OK;
}

enum qy_code qy_bps_format(int bps, char ret_text[QY_BPS_TEXT_SIZE])
{
	if (bps < 0 || bps > QY_BPS_MAX) {
		return QY_BPS_RANGE;
	}
	snprintf(ret_text, QY_BPS_TEXT_SIZE, "%d.%02d", bps / 100, bps % 100);
	return QY_OK;
}
