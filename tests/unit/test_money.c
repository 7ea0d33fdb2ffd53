/*
 * Money and rates: quotey/core/money.h, decimal.h and code.h. Behaviours B001 to B008.
 *
 * Must never compare amounts through floating point.
 */
#include "tests/lib/test.h"

#include <string.h>

#include "quotey/core/code.h"
#include "quotey/core/decimal.h"
#include "quotey/core/money.h"

#define LARGEST "92233720368547758.07"
#define SMALLEST "-92233720368547758.08"

static struct qy_money money(const char *text, const char *currency)
{
	struct qy_money parsed;

	assert_int_equal(qy_money_parse(text, currency, &parsed), QY_OK);
	return parsed;
}

static void assert_money(const struct qy_money *actual, const char *expected)
{
	char text[QY_MONEY_TEXT_SIZE];

	assert_int_equal(qy_money_format(actual, text), QY_OK);
	assert_string_equal(text, expected);
}

/* Checks the code, and that a failure leaves the out-parameter alone. */
static void assert_refused(const char *text, const char *currency, enum qy_code expected)
{
	struct qy_money untouched = {4711, "XXX"};

	assert_int_equal(qy_money_parse(text, currency, &untouched), expected);
	assert_true(untouched.minor == 4711);
	assert_string_equal(untouched.currency, "XXX");
}

/* B001 */
static void dollars_parse_and_print_with_two_places(void **state)
{
	struct qy_money amount;

	(void)state;
	amount = money("449.85", "USD");
	assert_true(amount.minor == 44985);
	assert_string_equal(amount.currency, "USD");
	assert_money(&amount, "449.85");
	amount = money("100", "USD");
	assert_true(amount.minor == 10000);
	assert_money(&amount, "100.00");
	amount = money("7.5", "USD");
	assert_true(amount.minor == 750);
}

/* B002 */
static void the_currency_decides_the_places(void **state)
{
	struct qy_money amount;

	(void)state;
	amount = money("1200", "JPY");
	assert_true(amount.minor == 1200);
	assert_money(&amount, "1200");
	assert_refused("1200.5", "JPY", QY_MONEY_SCALE);
	assert_refused("1200.0", "JPY", QY_MONEY_SCALE);
	amount = money("1.375", "KWD");
	assert_true(amount.minor == 1375);
	assert_money(&amount, "1.375");
	amount = money("0.005", "KWD");
	assert_money(&amount, "0.005");
}

/* B003 */
static void input_is_never_rounded(void **state)
{
	(void)state;
	assert_refused("10.999", "USD", QY_MONEY_SCALE);
	assert_refused("10.990", "USD", QY_MONEY_SCALE);
}

/* B003 */
static void anything_but_a_plain_decimal_is_a_syntax_error(void **state)
{
	static const char *const texts[] = {"",		" 5",	"5.",  ".5",	  "+1",	   "1e3",
					    "1,000.00", "5 ",	"-",   "--1",	  "1.2.3", "-.5",
					    "abc",	"0x10", "1.x", "\xd9\xa1"};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		assert_refused(texts[i], "USD", QY_MONEY_SYNTAX);
	}
	assert_refused(NULL, "USD", QY_MONEY_SYNTAX);
}

static void negative_amounts_and_leading_zeros_are_fine(void **state)
{
	struct qy_money amount;

	(void)state;
	amount = money("-0.05", "USD");
	assert_true(amount.minor == -5);
	assert_money(&amount, "-0.05");
	amount = money("-0", "USD");
	assert_money(&amount, "0.00");
	amount = money("000000000000000000000000000001.10", "USD");
	assert_money(&amount, "1.10");
}

/* B004 */
static void unknown_currencies_are_refused(void **state)
{
	static const char *const names[] = {"ZZZ", "usd", "US", "USDX", "", "SDE", "PYK", NULL};
	struct qy_money untouched = {4711, "XXX"};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		assert_refused("1", names[i], QY_UNKNOWN_CURRENCY);
		assert_int_equal(qy_money_make(1, names[i], &untouched), QY_UNKNOWN_CURRENCY);
	}
	assert_true(untouched.minor == 4711);
}

/* B004 */
static void currencies_do_not_mix(void **state)
{
	struct qy_money dollars = money("1", "USD"), euros = money("1", "EUR"), sum = {7, "XXX"};

	(void)state;
	assert_int_equal(qy_money_add(&dollars, &euros, &sum), QY_CURRENCY_MISMATCH);
	assert_int_equal(qy_money_sub(&dollars, &euros, &sum), QY_CURRENCY_MISMATCH);
	assert_true(sum.minor == 7);
}

static void every_listed_currency_has_its_exponent(void **state)
{
	static const struct {
		const char *names;
		int exponent;
	} rows[] = {
	    {"JPY KRW CLP VND", 0},
	    {"BHD KWD OMR TND", 3},
	    {"USD EUR GBP CHF CAD AUD NZD SEK NOK DKK PLN CZK INR BRL MXN ZAR SGD HKD CNY", 2},
	};
	size_t i, seen = 0;
	const char *name;
	char code[4] = "";
	int exponent;

	(void)state;
	for (i = 0; i < 3; i++) {
		for (name = rows[i].names; name != NULL && *name != '\0'; seen++) {
			memcpy(code, name, 3);
			assert_int_equal(qy_currency_exponent(code, &exponent), QY_OK);
			assert_int_equal(exponent, rows[i].exponent);
			name += name[3] == ' ' ? 4 : 3;
		}
	}
	assert_int_equal(seen, 27);
}

/* B005 */
static void overflow_is_an_error_and_never_wraps(void **state)
{
	struct qy_money largest = money(LARGEST, "USD"), smallest = money(SMALLEST, "USD");
	struct qy_money cent = money("0.01", "USD"), result = {7, "XXX"};

	(void)state;
	assert_int_equal(qy_money_mul(&largest, 2, &result), QY_MONEY_OVERFLOW);
	assert_int_equal(qy_money_add(&largest, &cent, &result), QY_MONEY_OVERFLOW);
	assert_int_equal(qy_money_sub(&smallest, &cent, &result), QY_MONEY_OVERFLOW);
	assert_int_equal(qy_money_mul(&smallest, -1, &result), QY_MONEY_OVERFLOW);
	assert_true(result.minor == 7);
	assert_int_equal(qy_money_mul(&largest, 1, &result), QY_OK);
	assert_money(&result, LARGEST);
	assert_money(&smallest, SMALLEST);
	assert_refused("92233720368547758.08", "USD", QY_MONEY_OVERFLOW);
	assert_refused("-92233720368547758.09", "USD", QY_MONEY_OVERFLOW);
	assert_refused("922337203685477580700", "USD", QY_MONEY_OVERFLOW);
	assert_refused("184467440737095517", "USD", QY_MONEY_OVERFLOW);
	assert_refused("9223372036854775808", "JPY", QY_MONEY_OVERFLOW);
}

static void sums_and_differences_are_exact(void **state)
{
	struct qy_money a = money("0.10", "USD"), b = money("0.20", "USD"), result;

	(void)state;
	assert_int_equal(qy_money_add(&a, &b, &result), QY_OK);
	assert_money(&result, "0.30");
	assert_int_equal(qy_money_sub(&a, &b, &result), QY_OK);
	assert_money(&result, "-0.10");
	assert_int_equal(qy_money_mul(&b, -3, &b), QY_OK);
	assert_money(&b, "-0.60");
}

/* B006, B007 */
static void rates_round_half_away_from_zero(void **state)
{
	static const struct {
		const char *amount;
		int bps;
		const char *part;
	} rows[] = {
	    {"0.05", 1000, "0.01"},
	    {"0.04", 1000, "0.00"},
	    {"0.15", 1000, "0.02"},
	    {"-0.05", 1000, "-0.01"},
	    {"-0.04", 1000, "0.00"},
	    {LARGEST, 5000, "46116860184273879.04"},
	    {LARGEST, 10000, LARGEST},
	    {SMALLEST, 10000, SMALLEST},
	    {SMALLEST, 5000, "-46116860184273879.04"},
	    {LARGEST, 0, "0.00"},
	    {"999.90", 2500, "249.98"},
	    {"100.00", 1, "0.01"},
	    {"0.49", 9999, "0.49"},
	    {"150.00", 3333, "50.00"},
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct qy_money amount = money(rows[i].amount, "USD");

		assert_int_equal(qy_money_rate(&amount, rows[i].bps, &amount), QY_OK);
		assert_money(&amount, rows[i].part);
	}
}

/* The split computation against the schoolbook one, wherever the latter cannot overflow. */
static void rates_agree_with_plain_arithmetic(void **state)
{
	int64_t minor;
	int bps;

	(void)state;
	for (minor = 0; minor < 25000; minor += 37) {
		for (bps = 0; bps <= QY_BPS_MAX; bps += 113) {
			struct qy_money amount = {minor, "USD"}, part;

			assert_int_equal(qy_money_rate(&amount, bps, &part), QY_OK);
			assert_true(part.minor == (minor * bps + 5000) / 10000);
		}
	}
}

static void rates_outside_the_range_are_refused(void **state)
{
	struct qy_money amount = money("1", "USD"), part = {7, "XXX"};

	(void)state;
	assert_int_equal(qy_money_rate(&amount, -1, &part), QY_BPS_RANGE);
	assert_int_equal(qy_money_rate(&amount, 10001, &part), QY_BPS_RANGE);
	assert_true(part.minor == 7);
}

/* B008 */
static void rate_texts_are_percentages_with_two_decimals(void **state)
{
	static const struct {
		const char *text;
		enum qy_code code;
		int bps;
	} rows[] = {
	    {"12.75", QY_OK, 1275},
	    {"0", QY_OK, 0},
	    {"100", QY_OK, 10000},
	    {"100.00", QY_OK, 10000},
	    {"7.5", QY_OK, 750},
	    {"0.01", QY_OK, 1},
	    {"-0", QY_OK, 0},
	    {"33.333", QY_BPS_SYNTAX, 0},
	    {"", QY_BPS_SYNTAX, 0},
	    {"5%", QY_BPS_SYNTAX, 0},
	    {".5", QY_BPS_SYNTAX, 0},
	    {"5.", QY_BPS_SYNTAX, 0},
	    {NULL, QY_BPS_SYNTAX, 0},
	    {"100.01", QY_BPS_RANGE, 0},
	    {"-1", QY_BPS_RANGE, 0},
	    {"-0.01", QY_BPS_RANGE, 0},
	    {"99999999999999999999", QY_BPS_RANGE, 0},
	};
	size_t i;
	int bps;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		bps = -7;
		assert_int_equal(qy_bps_parse(rows[i].text, &bps), rows[i].code);
		assert_int_equal(bps, rows[i].code == QY_OK ? rows[i].bps : -7);
	}
}

static void rates_print_with_two_decimals(void **state)
{
	char text[QY_BPS_TEXT_SIZE];

	(void)state;
	assert_int_equal(qy_bps_format(1275, text), QY_OK);
	assert_string_equal(text, "12.75");
	assert_int_equal(qy_bps_format(5, text), QY_OK);
	assert_string_equal(text, "0.05");
	assert_int_equal(qy_bps_format(10000, text), QY_OK);
	assert_string_equal(text, "100.00");
	assert_int_equal(qy_bps_format(-1, text), QY_BPS_RANGE);
	assert_int_equal(qy_bps_format(10001, text), QY_BPS_RANGE);
}

static void decimals_are_exact_to_six_places(void **state)
{
	static const char *const refused[] = {"",
					      "-",
					      ".5",
					      "5.",
					      "1.0000001",
					      "1e3",
					      " 1",
					      "1.2.3",
					      "abc",
					      "+1",
					      "9223372036854.775808",
					      "99999999999999999999"};
	int64_t value;
	size_t i;

	(void)state;
	assert_true(qy_decimal_parse("0.000001", &value) && value == 1);
	assert_true(qy_decimal_parse("-12.5", &value) && value == -12500000);
	assert_true(qy_decimal_parse("365", &value) && value == 365000000);
	assert_true(qy_decimal_parse("9223372036854.775807", &value) && value == INT64_MAX);
	assert_true(qy_decimal_parse("-9223372036854.775808", &value) && value == INT64_MIN);
	value = 7;
	for (i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		assert_false(qy_decimal_parse(refused[i], &value));
	}
	assert_false(qy_decimal_parse(NULL, &value));
	assert_true(value == 7);
}

static void every_code_has_its_name_and_text(void **state)
{
	int code;

	(void)state;
	for (code = 0; code < QY_CODE_COUNT; code++) {
		assert_true(strlen(qy_code_name((enum qy_code)code)) > 0);
		assert_true(strlen(qy_code_text((enum qy_code)code)) > 0);
	}
	assert_string_equal(qy_code_name(QY_OK), "OK");
	assert_string_equal(qy_code_name(QY_MONEY_SCALE), "MONEY_SCALE");
	assert_string_equal(qy_code_name(QY_NO_MEMORY), "NO_MEMORY");
	assert_string_equal(qy_code_text(QY_NO_MEMORY), "out of memory");
	assert_string_equal(qy_code_name(QY_CODE_COUNT), "UNKNOWN_CODE");
	assert_string_equal(qy_code_text((enum qy_code) - 1), "unknown code");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(dollars_parse_and_print_with_two_places),
	    cmocka_unit_test(the_currency_decides_the_places),
	    cmocka_unit_test(input_is_never_rounded),
	    cmocka_unit_test(anything_but_a_plain_decimal_is_a_syntax_error),
	    cmocka_unit_test(negative_amounts_and_leading_zeros_are_fine),
	    cmocka_unit_test(unknown_currencies_are_refused),
	    cmocka_unit_test(currencies_do_not_mix),
	    cmocka_unit_test(every_listed_currency_has_its_exponent),
	    cmocka_unit_test(overflow_is_an_error_and_never_wraps),
	    cmocka_unit_test(sums_and_differences_are_exact),
	    cmocka_unit_test(rates_round_half_away_from_zero),
	    cmocka_unit_test(rates_agree_with_plain_arithmetic),
	    cmocka_unit_test(rates_outside_the_range_are_refused),
	    cmocka_unit_test(rate_texts_are_percentages_with_two_decimals),
	    cmocka_unit_test(rates_print_with_two_decimals),
	    cmocka_unit_test(decimals_are_exact_to_six_places),
	    cmocka_unit_test(every_code_has_its_name_and_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
