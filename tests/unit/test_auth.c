/* Unit test of API keys and their rate: who is let in, when, and when again. Time is given. */
#include "tests/lib/test.h"

#include <stdio.h>
#include <string.h>

#include "quotey/server/auth.h"

#define SECRET "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define NOW "2026-01-02T03:04:05.000Z"
#define MS INT64_C(1000000)

/* --- keys ---------------------------------------------------------------------------------- */

static void a_bearer_header_holds_a_key(void **state)
{
	static const char *const bad[] = {
	    "",
	    "Bearer",
	    "Bearer ",
	    "Basic qk_01234567_" SECRET,
	    "qk_01234567_" SECRET,
	    "Bearer qk_01234567_" SECRET "0",
	    "Bearer qk_01234567_" SECRET " ",
	    "Bearer qk_0123456_" SECRET,
	    "Bearer qk_0123456G_" SECRET,
	    "Bearer xx_01234567_" SECRET,
	};
	char id[QY_APIKEY_ID_SIZE], secret[QY_APIKEY_SECRET_SIZE];
	size_t i;

	(void)state;
	assert_int_equal(qy_auth_bearer("bearer  qk_01234567_" SECRET, id, secret), QY_OK);
	assert_string_equal(id, "01234567");
	assert_string_equal(secret, SECRET);
	assert_int_equal(qy_auth_bearer(NULL, id, secret), QY_INVALID_FIELD);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(qy_auth_bearer(bad[i], id, secret), QY_INVALID_FIELD);
	}
}

static struct qy_apikey stored_key(void)
{
	struct qy_apikey key = {.id = "01234567", .scopes = QY_SCOPE_QUOTES_READ};

	qrt_sha256_hex(SECRET, strlen(SECRET), key.secret_hash);
	return key;
}

static void assert_denied(const struct qy_apikey *key, const char *secret, const char *code)
{
	struct qy_error error;

	assert_false(qy_auth_judge(key, secret, NOW, &error));
	assert_int_equal(error.status, 401);
	assert_string_equal(error.code, code);
}

static void only_the_right_secret_of_a_live_key_opens(void **state)
{
	static const char wrong[] =
	    "10112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
	struct qy_apikey key = stored_key();
	struct qy_error error;

	(void)state;
	assert_true(qy_auth_judge(&key, SECRET, NOW, &error));
	assert_denied(&key, wrong, "INVALID_API_KEY");
	assert_denied(NULL, SECRET, "INVALID_API_KEY");
	strcpy(key.expires_at, "2026-01-02T03:04:05.001Z");
	assert_true(qy_auth_judge(&key, SECRET, NOW, &error));
	strcpy(key.expires_at, NOW);
	assert_denied(&key, SECRET, "EXPIRED_API_KEY");
	strcpy(key.revoked_at, "2026-01-01T00:00:00.000Z");
	assert_denied(&key, SECRET, "REVOKED_API_KEY");
	/* Who does not know the secret does not learn what became of the key. */
	assert_denied(&key, wrong, "INVALID_API_KEY");
}

/* --- rate ---------------------------------------------------------------------------------- */

static struct qrt_rate_verdict take(struct qrt_rate *rate, const char *key, unsigned per_minute,
				    int64_t now_ms)
{
	struct qrt_rate_verdict verdict;

	assert_int_equal(qrt_rate_take(rate, key, per_minute, now_ms * MS, &verdict), QRT_OK);
	return verdict;
}

static int setup(void **state)
{
	struct qrt_rate *rate = NULL;

	assert_int_equal(qrt_rate_create(&rate), QRT_OK);
	*state = rate;
	return 0;
}

static int teardown(void **state)
{
	struct qrt_rate *rate = *state;

	qrt_rate_destroy(&rate);
	assert_null(rate);
	qrt_rate_destroy(&rate);
	return 0;
}

static void the_61st_call_of_a_minute_has_to_wait(void **state)
{
	struct qrt_rate_verdict verdict;
	int i;

	for (i = 0; i < 60; i++) {
		assert_true(take(*state, "k", 60, 1000 + 500 * i).allowed);
	}
	verdict = take(*state, "k", 60, 30501);
	assert_false(verdict.allowed);
	assert_int_equal(verdict.retry_after_seconds, 31);
	assert_int_equal(take(*state, "k", 60, 60999).retry_after_seconds, 1);
	assert_int_equal(take(*state, "other", 60, 60999).retry_after_seconds, 0);
	/* The first call was at 1000: a minute later there is room for one, and only one. */
	assert_true(take(*state, "k", 60, 61000).allowed);
	assert_false(take(*state, "k", 60, 61499).allowed);
	assert_true(take(*state, "k", 60, 61500).allowed);
}

static void every_minute_has_as_many(void **state)
{
	static const unsigned rates[] = {1, 60, 1801};

	for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
		for (int minute = 0; minute < 4; minute++) {
			unsigned allowed = 0;

			for (unsigned call = 0; call < 2 * rates[i]; call++) {
				allowed += take(*state, "k", rates[i], 60000 * minute).allowed;
			}
			assert_int_equal(allowed, rates[i]);
		}
	}
}

static void a_refused_call_does_not_count(void **state)
{
	int i;

	assert_true(take(*state, "k", 2, 0).allowed);
	assert_true(take(*state, "k", 2, 0).allowed);
	for (i = 0; i < 100; i++) {
		assert_false(take(*state, "k", 2, 59999).allowed);
	}
	assert_true(take(*state, "k", 2, 60000).allowed);
	assert_true(take(*state, "k", 2, 60000).allowed);
	assert_false(take(*state, "k", 2, 60000).allowed);
}

static void a_high_rate_is_never_exceeded(void **state)
{
	unsigned allowed = 0;
	int i;

	for (i = 0; i < 5000; i++) {
		allowed += take(*state, "k", 1801, i).allowed;
	}
	assert_int_equal(allowed, 1801);
	/* A group leaves with its last call: all are gone a minute after the last. */
	assert_false(take(*state, "k", 1801, 60000).allowed);
	for (i = 0; i < 1801; i++) {
		assert_true(take(*state, "k", 1801, 61801).allowed);
	}
	assert_false(take(*state, "k", 1801, 61801).allowed);
}

static void the_first_call_of_a_minute_is_reported(void **state)
{
	assert_true(take(*state, "k", 60, 0).first_this_minute);
	assert_false(take(*state, "k", 60, 59999).first_this_minute);
	assert_true(take(*state, "k", 60, 60000).first_this_minute);
	assert_false(take(*state, "k", 60, 119999).first_this_minute);
}

static void a_new_rate_starts_with_an_empty_window(void **state)
{
	assert_true(take(*state, "k", 1, 0).allowed);
	assert_false(take(*state, "k", 1, 1).allowed);
	assert_true(take(*state, "k", 2, 2).allowed);
	assert_true(take(*state, "k", 2, 3).allowed);
	assert_false(take(*state, "k", 2, 4).allowed);
	assert_true(take(*state, "k", 1, 5).allowed);
	assert_false(take(*state, "k", 1, 6).allowed);
}

static void the_number_of_keys_is_bounded_and_idle_ones_make_room(void **state)
{
	struct qrt_rate_verdict verdict;
	char key[16];
	int i;

	for (i = 0; i < QRT_RATE_KEYS_MAX; i++) {
		snprintf(key, sizeof(key), "%08x", i);
		assert_true(take(*state, key, 60, i).allowed);
	}
	assert_int_equal(qrt_rate_take(*state, "new", 60, 59999 * MS, &verdict), QRT_ELIMIT);
	assert_true(take(*state, "new", 60, 60000).allowed);
	assert_int_equal(qrt_rate_take(*state, "newer", 60, 60000 * MS, &verdict), QRT_ELIMIT);
	assert_int_equal(qrt_rate_take(*state, "", 60, 0, &verdict), QRT_EINVAL);
	assert_int_equal(qrt_rate_take(*state, SECRET, 60, 0, &verdict), QRT_EINVAL);
	assert_int_equal(qrt_rate_take(*state, "k", 0, 0, &verdict), QRT_EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_bearer_header_holds_a_key),
	    cmocka_unit_test(only_the_right_secret_of_a_live_key_opens),
	    cmocka_unit_test_setup_teardown(the_61st_call_of_a_minute_has_to_wait, setup, teardown),
	    cmocka_unit_test_setup_teardown(every_minute_has_as_many, setup, teardown),
	    cmocka_unit_test_setup_teardown(a_refused_call_does_not_count, setup, teardown),
	    cmocka_unit_test_setup_teardown(a_high_rate_is_never_exceeded, setup, teardown),
	    cmocka_unit_test_setup_teardown(the_first_call_of_a_minute_is_reported, setup,
					    teardown),
	    cmocka_unit_test_setup_teardown(a_new_rate_starts_with_an_empty_window, setup,
					    teardown),
	    cmocka_unit_test_setup_teardown(the_number_of_keys_is_bounded_and_idle_ones_make_room,
					    setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
