/*
 * Which lines are the same again, and until when: the memory of the log, asked directly.
 */
#include "tests/lib/test.h"

#include <stdio.h>
#include <string.h>

#include "shim/src/internal.h"

#include "shim/src/log/internal.h"

#define WINDOW_MS 1000

/* --- what is the same ------------------------------------------------------------------------ */

static uint64_t hash_of(enum qrt_log_level level, const char *component, const char *message,
			const struct qrt_log_field *fields)
{
	const struct qrt_log_line line = {
	    .level = level, .component = component, .message = message, .fields = fields};

	return qrt__log_hash(&line);
}

static void lines_are_equal_in_all_that_they_say(void **state)
{
	const struct qrt_log_field ab[] = {QRT_LOG_TEXT("ab", "c"), {0}};
	const struct qrt_log_field a[] = {QRT_LOG_TEXT("a", "bc"), {0}};
	const struct qrt_log_field one[] = {QRT_LOG_INT("ab", 1), {0}};
	const struct qrt_log_field two[] = {QRT_LOG_INT("ab", 2), {0}};
	const uint64_t hashes[] = {
	    hash_of(QRT_LOG_INFO, "db", "busy", NULL), hash_of(QRT_LOG_WARN, "db", "busy", NULL),
	    hash_of(QRT_LOG_INFO, "dbb", "usy", NULL), hash_of(QRT_LOG_INFO, "web", "busy", NULL),
	    hash_of(QRT_LOG_INFO, "db", "idle", NULL), hash_of(QRT_LOG_INFO, "db", "busy", ab),
	    hash_of(QRT_LOG_INFO, "db", "busy", a),    hash_of(QRT_LOG_INFO, "db", "busy", one),
	    hash_of(QRT_LOG_INFO, "db", "busy", two),
	};

	(void)state;
	assert_int_equal(hashes[0], hash_of(QRT_LOG_INFO, "db", "busy", NULL));
	assert_int_equal(hashes[5], hash_of(QRT_LOG_INFO, "db", "busy", ab));
	for (size_t i = 0; i < sizeof(hashes) / sizeof(hashes[0]); i++) {
		for (size_t j = 0; j < i; j++) {
			assert_int_not_equal(hashes[i], hashes[j]);
		}
	}
}

/* --- until when ------------------------------------------------------------------------------ */

/* Whether it is a repeat; *told gets the count of an earlier one that must be told first. */
static bool note(struct qrt__log_repeats *repeats, const char *message, int64_t wall_ms,
		 uint64_t *told)
{
	const struct qrt_log_line line = {
	    .level = QRT_LOG_INFO, .component = "a", .message = message, .wall_ms = wall_ms};
	struct qrt__log_repeat earlier = {0};
	bool repeat =
	    qrt__log_repeats_note(repeats, &line, qrt__log_hash(&line), WINDOW_MS, &earlier);

	*told = earlier.count;
	return repeat;
}

static void a_window_ends_to_the_millisecond(void **state)
{
	struct qrt__log_repeats repeats = {0};
	struct qrt__log_repeat earlier;
	uint64_t told;

	(void)state;
	assert_false(note(&repeats, "x", 5000, &told));
	assert_int_equal(repeats.waiting, 0);
	assert_true(note(&repeats, "x", 5000, &told));
	assert_true(note(&repeats, "x", 5999, &told));
	assert_int_equal(repeats.waiting, 1);
	assert_false(note(&repeats, "x", 6000, &told));
	assert_int_equal(told, 2);
	assert_int_equal(repeats.waiting, 0);
	assert_true(note(&repeats, "x", 6500, &told));
	assert_false(qrt__log_repeats_take(&repeats, 6999, &earlier));
	assert_true(qrt__log_repeats_take(&repeats, 7000, &earlier));
	assert_int_equal(earlier.count, 1);
	assert_int_equal(repeats.waiting, 0);
	assert_false(qrt__log_repeats_take(&repeats, 7000, &earlier));
}

/* The wall clock may be set: a window that lies in the future says nothing. */
static void a_clock_that_was_set_back_begins_anew(void **state)
{
	struct qrt__log_repeats repeats = {0};
	uint64_t told;

	(void)state;
	assert_false(note(&repeats, "x", 5000, &told));
	assert_true(note(&repeats, "x", 5100, &told));
	assert_false(note(&repeats, "x", 4999, &told));
	assert_int_equal(told, 1);
	assert_true(note(&repeats, "x", 5100, &told));
}

static void who_is_oldest_is_given_up(void **state)
{
	struct qrt__log_repeats repeats = {0};
	char message[16];
	uint64_t told;

	(void)state;
	for (int i = 0; i < QRT__LOG_REPEATS; i++) {
		snprintf(message, sizeof(message), "%d", i);
		assert_false(note(&repeats, message, 5000 + i, &told));
		assert_true(note(&repeats, message, 5000 + i, &told));
	}
	assert_int_equal(repeats.waiting, QRT__LOG_REPEATS);
	for (int i = 0; i < QRT__LOG_REPEATS; i++) {
		snprintf(message, sizeof(message), "new %d", i);
		assert_false(note(&repeats, message, 5100 + i, &told));
		assert_int_equal(told, 1);
		assert_int_equal(repeats.waiting, QRT__LOG_REPEATS - 1 - i);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(lines_are_equal_in_all_that_they_say),
	    cmocka_unit_test(a_window_ends_to_the_millisecond),
	    cmocka_unit_test(a_clock_that_was_set_back_begins_anew),
	    cmocka_unit_test(who_is_oldest_is_given_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
