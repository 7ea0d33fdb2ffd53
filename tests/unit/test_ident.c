/*
 * Identifiers and civil time: quotey/core/ident.h and civil.h (section 1.4 of the catalogue).
 */
#include "tests/lib/test.h"

#include <stdio.h>
#include <string.h>

#include "quotey/core/civil.h"
#include "quotey/core/ident.h"

#define SIXTY_FOUR "a234567890123456789012345678901234567890123456789012345678901234"

static void assert_id(const char *text, const char *expected)
{
	char id[QY_QUOTE_ID_SIZE] = "untouched";

	assert_int_equal(qy_quote_id_normalize(text, id), expected == NULL ? QY_INVALID_ID : QY_OK);
	assert_string_equal(id, expected == NULL ? "untouched" : expected);
}

static void quote_ids_have_three_to_sixty_four_plain_characters(void **state)
{
	(void)state;
	assert_id("Q-2026-0001", "Q-2026-0001");
	assert_id("quote-netnew-001", "quote-netnew-001");
	assert_id("9_a", "9_a");
	assert_id(SIXTY_FOUR, SIXTY_FOUR);
	assert_id(SIXTY_FOUR "5", NULL);
	assert_id("ab", NULL);
	assert_id("", NULL);
	assert_id(NULL, NULL);
	assert_id("-ab", NULL);
	assert_id("_ab", NULL);
	assert_id("a b", NULL);
	assert_id("ab/../c", NULL);
	assert_id("ab\n", NULL);
	assert_id("Q-2026-\xc3\xa9", NULL);
}

/* The pure half of B134. */
static void quote_ids_that_start_with_q_dash_are_upper_cased(void **state)
{
	(void)state;
	assert_id("q-2026-0001", "Q-2026-0001");
	assert_id("q-abc", "Q-ABC");
	assert_id("Q-abc", "Q-ABC");
	assert_id("qu-abc", "qu-abc");
}

static void new_quote_ids_have_four_digits_or_more(void **state)
{
	char id[QY_QUOTE_ID_SIZE];

	(void)state;
	assert_int_equal(qy_quote_id_format(2026, 1, id), QY_OK);
	assert_string_equal(id, "Q-2026-0001");
	assert_int_equal(qy_quote_id_format(2026, 12345, id), QY_OK);
	assert_string_equal(id, "Q-2026-12345");
	assert_int_equal(qy_quote_id_format(2026, UINT64_MAX, id), QY_OK);
	assert_string_equal(id, "Q-2026-18446744073709551615");
	assert_int_equal(qy_quote_id_format(2026, 0, id), QY_INVALID_ID);
	assert_int_equal(qy_quote_id_format(0, 1, id), QY_INVALID_ID);
	assert_int_equal(qy_quote_id_format(10000, 1, id), QY_INVALID_ID);
}

static void line_ids_carry_the_quote_and_a_number(void **state)
{
	char id[QY_LINE_ID_SIZE];
	uint64_t number = 7;

	(void)state;
	assert_int_equal(qy_line_id_format("Q-2026-0001", 12, id), QY_OK);
	assert_string_equal(id, "Q-2026-0001-ql-12");
	assert_int_equal(qy_line_id_format(SIXTY_FOUR, UINT64_MAX, id), QY_OK);
	assert_string_equal(id, SIXTY_FOUR "-ql-18446744073709551615");
	assert_int_equal(qy_line_id_format("Q-2026-0001", 0, id), QY_INVALID_ID);
	assert_int_equal(qy_line_id_format("", 1, id), QY_INVALID_ID);
	assert_int_equal(qy_line_id_format(NULL, 1, id), QY_INVALID_ID);
	assert_int_equal(qy_line_id_number("Q-1", "Q-1-ql-", &number), QY_INVALID_ID);
	assert_int_equal(qy_line_id_number("Q-1", "Q-1-ql-01", &number), QY_INVALID_ID);
	assert_int_equal(qy_line_id_number("Q-1", "Q-1-ql-1x", &number), QY_INVALID_ID);
	assert_int_equal(qy_line_id_number("Q-1", "Q-2-ql-1", &number), QY_INVALID_ID);
	assert_int_equal(qy_line_id_number("Q-1", "Q-1-ql-18446744073709551616", &number),
			 QY_INVALID_ID);
	assert_int_equal(qy_line_id_number(NULL, "Q-1-ql-1", &number), QY_INVALID_ID);
	assert_true(number == 7);
	assert_int_equal(qy_line_id_number("Q-1", "Q-1-ql-40", &number), QY_OK);
	assert_true(number == 40);
}

static void other_ids_are_a_prefix_and_twelve_hex_digits(void **state)
{
	static const uint8_t random[QY_IDENT_RANDOM] = {0x00, 0x0f, 0xa5, 0xff, 0x10, 0x9c};
	char id[QY_IDENT_SIZE];

	(void)state;
	assert_int_equal(qy_ident_format(QY_ID_AUDIT, random, id), QY_OK);
	assert_string_equal(id, "AUD-000fa5ff109c");
	assert_int_equal(qy_ident_format("12345678", random, id), QY_OK);
	assert_string_equal(id, "12345678000fa5ff109c");
	assert_int_equal(qy_ident_format("123456789", random, id), QY_INVALID_ID);
	assert_int_equal(qy_ident_format("", random, id), QY_INVALID_ID);
	assert_int_equal(qy_ident_format(NULL, random, id), QY_INVALID_ID);
}

static void correlation_ids_have_one_to_sixty_four_characters(void **state)
{
	(void)state;
	assert_true(qy_correlation_valid("-"));
	assert_true(qy_correlation_valid(SIXTY_FOUR));
	assert_false(qy_correlation_valid(SIXTY_FOUR "5"));
	assert_false(qy_correlation_valid(""));
	assert_false(qy_correlation_valid(NULL));
	assert_false(qy_correlation_valid("a b"));
	assert_false(qy_correlation_valid("a\r\nSet-Cookie"));
}

static void assert_time(int64_t unix_ms, const char *expected)
{
	char text[QY_TIMESTAMP_SIZE];
	int64_t back = 0;

	assert_int_equal(qy_timestamp_format(unix_ms, text), QY_OK);
	assert_string_equal(text, expected);
	assert_int_equal(qy_timestamp_parse(text, &back), QY_OK);
	assert_true(back == unix_ms);
}

static void time_stamps_are_utc_with_milliseconds(void **state)
{
	(void)state;
	assert_time(0, "1970-01-01T00:00:00.000Z");
	assert_time(-1, "1969-12-31T23:59:59.999Z");
	assert_time(INT64_C(1767323045000), "2026-01-02T03:04:05.000Z");
	assert_time(INT64_C(951782399999), "2000-02-28T23:59:59.999Z");
	assert_time(INT64_C(951782400000), "2000-02-29T00:00:00.000Z");
	assert_time(INT64_C(951868800000), "2000-03-01T00:00:00.000Z");
	assert_time(INT64_C(4107542400000), "2100-03-01T00:00:00.000Z");
	assert_time(INT64_C(-62135596800000), "0001-01-01T00:00:00.000Z");
	assert_time(INT64_C(253402300799999), "9999-12-31T23:59:59.999Z");
}

static void times_beyond_four_digit_years_are_refused(void **state)
{
	char text[QY_TIMESTAMP_SIZE] = "untouched";

	(void)state;
	assert_int_equal(qy_timestamp_format(INT64_C(-62135596800001), text), QY_INVALID_FIELD);
	assert_int_equal(qy_timestamp_format(INT64_C(253402300800000), text), QY_INVALID_FIELD);
	assert_int_equal(qy_timestamp_format(INT64_MAX, text), QY_INVALID_FIELD);
	assert_int_equal(qy_timestamp_format(INT64_MIN, text), QY_INVALID_FIELD);
	assert_string_equal(text, "untouched");
}

static void only_the_one_time_form_is_read(void **state)
{
	static const char *const refused[] = {
	    "",
	    "2026-01-02T03:04:05Z",
	    "2026-01-02 03:04:05.000Z",
	    "2026-01-02T03:04:05.000z",
	    "2026-01-02T24:00:00.000Z",
	    "2026-01-02T23:60:00.000Z",
	    "2026-01-02T23:59:60.000Z",
	    "2026-02-29T00:00:00.000Z",
	    "2026-13-01T00:00:00.000Z",
	    "2026-01-02T03:04:05.000Z ",
	    "+026-01-02T03:04:05.000Z",
	    NULL,
	};
	int64_t unix_ms = 7;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		assert_int_equal(qy_timestamp_parse(refused[i], &unix_ms), QY_INVALID_FIELD);
	}
	assert_true(unix_ms == 7);
}

/* Every day of the range, by counting: month lengths are written down independently here. */
static void every_date_follows_the_one_before(void **state)
{
	static const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	char text[QY_DATE_SIZE], expected[40];
	int year, month, day, length;
	int64_t days = -719162, back;

	(void)state;
	for (year = 1; year <= 9999; year++) {
		for (month = 1; month <= 12; month++) {
			length = lengths[month - 1];
			if (month == 2 && year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)) {
				length = 29;
			}
			/* The first and the last day of each month pin everything between. */
			for (day = 1; day <= length; day += length - 1) {
				snprintf(expected, sizeof(expected), "%04d-%02d-%02d", year, month,
					 day);
				assert_int_equal(qy_date_format(days + day - 1, text), QY_OK);
				assert_string_equal(text, expected);
				assert_int_equal(qy_date_parse(text, &back), QY_OK);
				assert_true(back == days + day - 1);
			}
			days += length;
		}
	}
	assert_int_equal(qy_date_format(days, text), QY_INVALID_FIELD);
}

static void impossible_dates_are_refused(void **state)
{
	static const char *const refused[] = {
	    "2026-02-29", "2100-02-29", "2026-04-31", "2026-00-01",  "2026-01-00", "2026-01-32",
	    "0000-01-01", "2026-1-1",	"20260101",   "2026-01-01T", "",	   NULL};
	int64_t days = 7;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		assert_int_equal(qy_date_parse(refused[i], &days), QY_INVALID_FIELD);
	}
	assert_true(days == 7);
	assert_int_equal(qy_date_parse("2000-02-29", &days), QY_OK);
	assert_true(days == 11016);
}

static void a_quote_is_valid_for_thirty_days(void **state)
{
	char date[QY_DATE_SIZE];
	int year = 0;

	(void)state;
	assert_int_equal(qy_valid_until(INT64_C(1767323045000), date), QY_OK);
	assert_string_equal(date, "2026-02-01");
	assert_int_equal(qy_valid_until(-1, date), QY_OK);
	assert_string_equal(date, "1970-01-30");
	assert_int_equal(qy_date_after(0, -1, date), QY_OK);
	assert_string_equal(date, "1969-12-31");
	assert_int_equal(qy_date_add("2024-02-28", 1, date), QY_OK);
	assert_string_equal(date, "2024-02-29");
	assert_int_equal(qy_date_add("2024-03-01", -1, date), QY_OK);
	assert_string_equal(date, "2024-02-29");
	assert_int_equal(qy_date_add("9999-12-31", 1, date), QY_INVALID_FIELD);
	assert_int_equal(qy_date_add("nonsense", 1, date), QY_INVALID_FIELD);
	assert_int_equal(qy_year_of(INT64_C(1767225599999), &year), QY_OK);
	assert_int_equal(year, 2025);
	assert_int_equal(qy_year_of(INT64_C(1767225600000), &year), QY_OK);
	assert_int_equal(year, 2026);
	assert_int_equal(qy_year_of(INT64_MAX, &year), QY_INVALID_FIELD);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(quote_ids_have_three_to_sixty_four_plain_characters),
	    cmocka_unit_test(quote_ids_that_start_with_q_dash_are_upper_cased),
	    cmocka_unit_test(new_quote_ids_have_four_digits_or_more),
	    cmocka_unit_test(line_ids_carry_the_quote_and_a_number),
	    cmocka_unit_test(other_ids_are_a_prefix_and_twelve_hex_digits),
	    cmocka_unit_test(correlation_ids_have_one_to_sixty_four_characters),
	    cmocka_unit_test(time_stamps_are_utc_with_milliseconds),
	    cmocka_unit_test(times_beyond_four_digit_years_are_refused),
	    cmocka_unit_test(only_the_one_time_form_is_read),
	    cmocka_unit_test(every_date_follows_the_one_before),
	    cmocka_unit_test(impossible_dates_are_refused),
	    cmocka_unit_test(a_quote_is_valid_for_thirty_days),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
