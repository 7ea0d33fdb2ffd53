/*
 * Money: a signed 64-bit count of minor units and an ISO 4217 code, and rates in basis points.
 *
 * Never rounds input, never wraps, never uses floating point. Every function leaves its
 * out-parameter untouched on failure; out-parameters may be the same object as an input.
 */
#ifndef QY_CORE_MONEY_H
#define QY_CORE_MONEY_H

#include <stdint.h>

#include "quotey/core/code.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Room for the longest amount ("-92233720368547758.08"), with its NUL, and some to spare. */
#define QY_MONEY_TEXT_SIZE 32
#define QY_BPS_TEXT_SIZE 16
#define QY_BPS_MAX 10000

struct qy_money {
	int64_t minor;
	char currency[4];
};

/* Digits after the dot, 0, 2 or 3. Error: UNKNOWN_CURRENCY (also for NULL and lower case). */
enum qy_code qy_currency_exponent(const char *currency, int *ret_exponent) QY_MUST_USE;

/* Pairs an amount with a currency. Error: UNKNOWN_CURRENCY. */
enum qy_code qy_money_make(int64_t minor, const char *currency,
			   struct qy_money *ret_money) QY_MUST_USE;

/*
 * Reads "-", digits, and at most exponent fraction digits after a dot; nothing else is taken.
 * Errors, in the order they are looked for: UNKNOWN_CURRENCY, MONEY_SYNTAX, MONEY_SCALE,
 * MONEY_OVERFLOW.
 */
enum qy_code qy_money_parse(const char *text, const char *currency,
			    struct qy_money *ret_money) QY_MUST_USE;

/* Writes the amount with exactly exponent fraction digits. Error: UNKNOWN_CURRENCY. */
enum qy_code qy_money_format(const struct qy_money *money,
			     char ret_text[QY_MONEY_TEXT_SIZE]) QY_MUST_USE;

/* a + b and a - b. Errors: CURRENCY_MISMATCH, MONEY_OVERFLOW. */
enum qy_code qy_money_add(const struct qy_money *a, const struct qy_money *b,
			  struct qy_money *ret_sum) QY_MUST_USE;
enum qy_code qy_money_sub(const struct qy_money *a, const struct qy_money *b,
			  struct qy_money *ret_difference) QY_MUST_USE;

/* a times a count. Error: MONEY_OVERFLOW. */
enum qy_code qy_money_mul(const struct qy_money *a, int64_t count,
			  struct qy_money *ret_product) QY_MUST_USE;

/*
 * |a| x bps / 10000, rounded half away from zero, with the sign of a. It cannot overflow.
 * Error: BPS_RANGE.
 */
enum qy_code qy_money_rate(const struct qy_money *a, int bps,
			   struct qy_money *ret_part) QY_MUST_USE;

/*
 * Reads a percentage with at most two decimals: "12.75" is 1275. Errors: BPS_SYNTAX for what is
 * no such number, BPS_RANGE for a number outside 0..100.
 */
enum qy_code qy_bps_parse(const char *text, int *ret_bps) QY_MUST_USE;

/* Writes 1275 as "12.75", always with two decimals. Error: BPS_RANGE. */
enum qy_code qy_bps_format(int bps, char ret_text[QY_BPS_TEXT_SIZE]) QY_MUST_USE;

#ifdef __cplusplus
}
#endif

#endif
