/* Unit test of error bodies: every member, every category, and that texts are cut cleanly. */
#include "tests/lib/test.h"

#include <stdlib.h>
#include <string.h>

#include "quotey/core/text.h"
#include "quotey/server/error_body.h"

static void assert_body(const struct qy_error *error, const char *correlation, const char *expected)
{
	char *text = NULL;

	assert_int_equal(qy_error_json(error, correlation, &text), QY_OK);
	assert_string_equal(text, expected);
	free(text);
}

static void a_plain_error_has_all_seven_members(void **state)
{
	struct qy_error error;

	(void)state;
	qy_error_set(&error, 404, "NOT_FOUND", "quote %s does not exist", "Q-1");
	assert_body(&error, "cor-0123456789ab",
		    "{\"category\":\"not_found\",\"code\":\"NOT_FOUND\","
		    "\"correlation_id\":\"cor-0123456789ab\",\"details\":{},"
		    "\"error\":\"quote Q-1 does not exist\","
		    "\"recovery_hint\":\"Check the path and the identifiers in it.\","
		    "\"retry_after_seconds\":null}");
}

static void details_tell_what_is_at_fault(void **state)
{
	struct qy_violation violation = {.code = QY_VIOLATION_ZERO_QUANTITY,
					 .position = 2,
					 .product_id = "p",
					 .message = "m",
					 .suggestion = ""};
	struct qy_violations violations = {.items = &violation, .count = 1};
	struct qy_error error;

	(void)state;
	qy_error_set(&error, 422, "X", "t");
	strcpy(error.member, "lines[1].quantity");
	error.position = 2;
	error.event = "PricingCalculated";
	error.quote_status = "sent";
	error.violations = &violations;
	assert_body(
	    &error, NULL,
	    "{\"category\":\"validation_error\",\"code\":\"X\",\"correlation_id\":null,"
	    "\"details\":{\"event\":\"PricingCalculated\",\"member\":\"lines[1].quantity\","
	    "\"position\":2,\"status\":\"sent\",\"violations\":[{\"code\":\"ZERO_QUANTITY\","
	    "\"message\":\"m\",\"position\":2,\"product_id\":\"p\",\"suggestion\":null}]},"
	    "\"error\":\"t\",\"recovery_hint\":\"Correct the body and send it again.\","
	    "\"retry_after_seconds\":null}");
}

static void an_unavailable_service_says_when_to_come_back(void **state)
{
	struct qy_error error;

	(void)state;
	qy_error_set(&error, 503, "DB_BUSY", "t");
	assert_int_equal(qy_error_retry_after(&error), 5);
	assert_body(&error, "c",
		    "{\"category\":\"service_unavailable\",\"code\":\"DB_BUSY\","
		    "\"correlation_id\":\"c\",\"details\":{},\"error\":\"t\","
		    "\"recovery_hint\":\"Try again after the time in Retry-After.\","
		    "\"retry_after_seconds\":5}");
	qy_error_set(&error, 429, "RATE_LIMITED", "t");
	error.retry_after_seconds = 17;
	assert_int_equal(qy_error_retry_after(&error), 17);
	qy_error_set(&error, 400, "X", "t");
	assert_int_equal(qy_error_retry_after(&error), 0);
}

static void every_status_has_its_category(void **state)
{
	static const struct {
		const char *category;
		int statuses[10];
	} rows[] = {
	    {"not_found", {404, 410}},
	    {"validation_error", {400, 405, 408, 413, 414, 415, 422, 431, 418}},
	    {"permission_denied", {401, 403}},
	    {"conflict", {409, 412}},
	    {"rate_limited", {429}},
	    {"service_unavailable", {503}},
	    {"internal_error", {500, 501, 599}},
	};
	size_t i, j;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (j = 0; rows[i].statuses[j] != 0; j++) {
			assert_string_equal(qy_error_category(rows[i].statuses[j]),
					    rows[i].category);
		}
	}
	assert_string_equal(qy_error_status_code(413), "BODY_TOO_LARGE");
	assert_string_equal(qy_error_status_code(418), "BAD_REQUEST");
	assert_string_equal(qy_error_status_code(599), "INTERNAL_ERROR");
}

static void a_long_text_is_cut_between_characters(void **state)
{
	char text[600] = "x";
	struct qy_error error;
	size_t i;

	(void)state;
	for (i = 0; i < 299; i++) {
		memcpy(text + 1 + 2 * i, "\xc3\xa9", 2);
	}
	text[1 + 2 * i] = '\0';
	qy_error_set(&error, 400, "X", "%s", text);
	assert_int_equal(strlen(error.text), QY_ERROR_TEXT_SIZE - 1);
	assert_true(qy_utf8_valid(error.text, strlen(error.text)));
	text[2] = '\0';
	qy_error_set(&error, 400, "X", "%s", text);
	assert_int_equal(qy_error_json(&error, NULL, &(char *){NULL}), QY_INVALID_FIELD);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_plain_error_has_all_seven_members),
	    cmocka_unit_test(details_tell_what_is_at_fault),
	    cmocka_unit_test(an_unavailable_service_says_when_to_come_back),
	    cmocka_unit_test(every_status_has_its_category),
	    cmocka_unit_test(a_long_text_is_cut_between_characters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
