/*
 * Pricing and its trace: quotey/core/pricing.h, seed.h and json_write.h. Behaviours B009 to B018
 * and B020, as far as they are pure; what they say about storage is tested with the database.
 */
#include "tests/lib/test.h"

#include <stdlib.h>
#include <string.h>

#include "quotey/core/json_write.h"
#include "quotey/core/pricing.h"
#include "quotey/core/seed.h"

struct fixture {
	struct qy_quote quote;
	struct qy_catalog catalog;
	struct qy_pricing pricing;
};

static int setup(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	if (fixture == NULL || qy_seed_catalog(&fixture->catalog) != QY_OK) {
		free(fixture);
		return -1;
	}
	qy_quote_init(&fixture->quote);
	*state = fixture;
	return qy_quote_set(&fixture->quote, QY_FIELD_ID, "Q-2026-0001") == QY_OK &&
		       qy_quote_set(&fixture->quote, QY_FIELD_CURRENCY, "USD") == QY_OK
		   ? 0
		   : -1;
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;

	qy_pricing_fini(&fixture->pricing);
	qy_quote_fini(&fixture->quote);
	qy_catalog_fini(&fixture->catalog);
	free(fixture);
	return 0;
}

/* Adds a line with a manual price of a product outside the catalogue. */
static void add_manual(struct fixture *fixture, int64_t quantity, int64_t minor, int discount_bps)
{
	const struct qy_line_spec spec = {.product_id = "custom",
					  .quantity = quantity,
					  .unit_price_minor = minor,
					  .price_source = QY_PRICE_MANUAL,
					  .discount_bps = discount_bps};

	assert_int_equal(qy_quote_add_line(&fixture->quote, &spec, NULL), QY_OK);
}

/* Adds a catalogue line with a stale price, which pricing has to replace. */
static void add_product(struct fixture *fixture, const char *product_id, int64_t quantity)
{
	const struct qy_line_spec spec = {.product_id = product_id,
					  .quantity = quantity,
					  .unit_price_minor = 1,
					  .price_source = QY_PRICE_LIST};

	assert_int_equal(qy_quote_add_line(&fixture->quote, &spec, NULL), QY_OK);
}

static void price(struct fixture *fixture)
{
	qy_pricing_fini(&fixture->pricing);
	assert_int_equal(qy_price(&fixture->quote, &fixture->catalog, &fixture->pricing, NULL),
			 QY_OK);
}

static void assert_figures(const struct fixture *fixture, int64_t subtotal, int64_t discount,
			   int64_t tax, int64_t total)
{
	assert_int_equal(fixture->pricing.subtotal_minor, subtotal);
	assert_int_equal(fixture->pricing.discount_minor, discount);
	assert_int_equal(fixture->pricing.tax_minor, tax);
	assert_int_equal(fixture->pricing.total_minor, total);
}

static void assert_fails(struct fixture *fixture, enum qy_code expected, unsigned position)
{
	struct qy_pricing untouched;
	unsigned bad_position = 4711;

	memset(&untouched, 0x5a, sizeof(untouched));
	assert_int_equal(qy_price(&fixture->quote, &fixture->catalog, &untouched, &bad_position),
			 expected);
	assert_int_equal(bad_position, position);
	assert_int_equal(untouched.subtotal_minor, INT64_C(0x5a5a5a5a5a5a5a5a));
}

/* B009 */
static void two_lines_add_up_and_trace_six_steps(void **state)
{
	struct fixture *fixture = *state;

	add_manual(fixture, 5, 4999, 0);
	add_manual(fixture, 10, 1999, 0);
	price(fixture);
	assert_figures(fixture, 44985, 0, 0, 44985);
	assert_int_equal(fixture->pricing.step_count, 6);
	assert_string_equal(fixture->pricing.currency, "USD");
}

/* B010 */
static void one_line_of_ten_is_ten_times_its_price(void **state)
{
	struct fixture *fixture = *state;

	add_manual(fixture, 10, 9999, 0);
	price(fixture);
	assert_figures(fixture, 99990, 0, 0, 99990);
}

/* B010 */
static void three_lines_add_up(void **state)
{
	struct fixture *fixture = *state;

	add_manual(fixture, 3, 1999, 0);
	add_manual(fixture, 1, 5000, 0);
	add_manual(fixture, 5, 10000, 0);
	price(fixture);
	assert_figures(fixture, 60997, 0, 0, 60997);
}

/* B011 */
static void the_trace_ends_in_subtotal_discounts_tax_and_total(void **state)
{
	static const enum qy_step_kind kinds[] = {QY_STEP_LINE_ITEM, QY_STEP_LINE_ITEM,
						  QY_STEP_SUBTOTAL,  QY_STEP_DISCOUNTS,
						  QY_STEP_TAX,	     QY_STEP_TOTAL};
	static const int64_t amounts[] = {2000, 2500, 4500, 0, 0, 4500};
	struct fixture *fixture = *state;
	size_t i;

	add_manual(fixture, 2, 1000, 0);
	add_manual(fixture, 1, 2500, 0);
	price(fixture);
	assert_figures(fixture, 4500, 0, 0, 4500);
	assert_int_equal(fixture->pricing.step_count, 6);
	for (i = 0; i < 6; i++) {
		assert_int_equal(fixture->pricing.steps[i].kind, kinds[i]);
		assert_int_equal(fixture->pricing.steps[i].amount_minor, amounts[i]);
	}
	assert_int_equal(fixture->pricing.steps[1].line_index, 1);
	assert_string_equal(qy_step_name(QY_STEP_DISCOUNTS), "discounts");
	assert_null(qy_step_name(QY_STEP_COUNT));
}

/* B012 */
static void a_line_discount_rounds_half_up(void **state)
{
	struct fixture *fixture = *state;

	add_manual(fixture, 10, 9999, 2500);
	price(fixture);
	assert_figures(fixture, 99990, 24998, 0, 74992);
	assert_int_equal(fixture->pricing.lines[0].subtotal_minor, 99990);
	assert_int_equal(fixture->pricing.lines[0].discount_minor, 24998);
	assert_int_equal(fixture->pricing.lines[0].total_minor, 74992);
}

/* B013 */
static void discounts_are_rounded_per_line(void **state)
{
	struct fixture *fixture = *state;

	add_manual(fixture, 1, 5, 1000);
	add_manual(fixture, 1, 5, 1000);
	add_manual(fixture, 1, 5, 1000);
	price(fixture);
	assert_figures(fixture, 15, 3, 0, 12);
}

/* B013 */
static void tax_is_rounded_once(void **state)
{
	struct fixture *fixture = *state;

	add_manual(fixture, 1, 5, 0);
	add_manual(fixture, 1, 5, 0);
	add_manual(fixture, 1, 5, 0);
	assert_int_equal(qy_quote_set_tax_rate(&fixture->quote, 1000), QY_OK);
	price(fixture);
	assert_figures(fixture, 15, 0, 2, 17);
	assert_int_equal(fixture->pricing.tax_rate_bps, 1000);
}

/* B014 */
static void tax_is_taken_from_the_discounted_sum(void **state)
{
	struct fixture *fixture = *state;

	add_manual(fixture, 4, 12500, 500);
	assert_int_equal(qy_quote_set_tax_rate(&fixture->quote, 1900), QY_OK);
	price(fixture);
	assert_figures(fixture, 50000, 2500, 9025, 56525);
}

/* B015 */
static void each_line_has_its_own_discount(void **state)
{
	struct fixture *fixture = *state;

	add_manual(fixture, 3, 4000, 500);
	add_manual(fixture, 2, 7000, 0);
	price(fixture);
	assert_figures(fixture, 26000, 600, 0, 25400);
}

/* B016 */
static void yen_have_no_fraction(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(qy_quote_set(&fixture->quote, QY_FIELD_CURRENCY, "JPY"), QY_OK);
	add_manual(fixture, 3, 1001, 333);
	price(fixture);
	assert_figures(fixture, 3003, 100, 0, 2903);
	assert_string_equal(fixture->pricing.currency, "JPY");
}

static void assert_tier(int64_t quantity, int64_t minimum, int64_t unit, int64_t total)
{
	struct fixture *fixture;
	void *state = NULL;
	char *json;

	assert_int_equal(setup(&state), 0);
	fixture = state;
	add_product(fixture, "prd-team", quantity);
	price(fixture);
	assert_int_equal(fixture->pricing.lines[0].price_source,
			 minimum == 0 ? QY_PRICE_LIST : QY_PRICE_TIER);
	assert_int_equal(fixture->pricing.lines[0].tier_min_quantity, minimum);
	assert_int_equal(fixture->pricing.lines[0].unit_price_minor, unit);
	assert_int_equal(fixture->pricing.total_minor, total);
	assert_int_equal(qy_pricing_trace_json(&fixture->pricing, &json), QY_OK);
	assert_non_null(strstr(json, minimum == 0     ? "\"source\":\"list\""
				     : minimum == 200 ? "\"tier_min_quantity\":200,"
						      : "\"tier_min_quantity\":500,"));
	free(json);
	teardown(&state);
}

/* B017 */
static void the_largest_tier_reached_prices_the_whole_quantity(void **state)
{
	(void)state;
	assert_tier(0, 0, 1800, 0);
	assert_tier(199, 0, 1800, 358200);
	assert_tier(200, 200, 1650, 330000);
	assert_tier(499, 200, 1650, 499 * 1650);
	assert_tier(500, 500, 1500, 750000);
	assert_tier(1000000, 500, 1500, 1500000000);
}

static void a_manual_price_of_a_catalogue_product_stays(void **state)
{
	const struct qy_line_spec spec = {.product_id = "prd-team",
					  .quantity = 500,
					  .unit_price_minor = 1350,
					  .price_source = QY_PRICE_MANUAL};
	struct fixture *fixture = *state;

	assert_int_equal(qy_quote_add_line(&fixture->quote, &spec, NULL), QY_OK);
	price(fixture);
	assert_int_equal(fixture->pricing.total_minor, 675000);
	assert_int_equal(fixture->pricing.lines[0].price_source, QY_PRICE_MANUAL);
	assert_int_equal(fixture->pricing.lines[0].tier_min_quantity, 0);
}

/* B018 */
static void an_overflow_names_the_line_and_gives_no_figure(void **state)
{
	struct fixture *fixture = *state;

	add_manual(fixture, 1, 100, 0);
	add_manual(fixture, 2, INT64_MAX / 2 + 1, 0);
	assert_fails(fixture, QY_MONEY_OVERFLOW, 2);
}

/* B018: the sum may overflow although each line fits. */
static void an_overflow_of_the_sum_is_found_too(void **state)
{
	struct fixture *fixture = *state;

	add_manual(fixture, 1, INT64_MAX, 0);
	add_manual(fixture, 1, 1, 0);
	assert_fails(fixture, QY_MONEY_OVERFLOW, 2);
}

static void an_overflow_by_tax_belongs_to_the_whole_quote(void **state)
{
	struct fixture *fixture = *state;

	add_manual(fixture, 1, INT64_MAX, 0);
	assert_int_equal(qy_quote_set_tax_rate(&fixture->quote, 1), QY_OK);
	assert_fails(fixture, QY_MONEY_OVERFLOW, 0);
}

static void a_catalogue_line_needs_its_product_in_its_currency(void **state)
{
	struct fixture *fixture = *state;

	add_product(fixture, "prd-team", 1);
	assert_int_equal(qy_quote_set(&fixture->quote, QY_FIELD_CURRENCY, "EUR"), QY_OK);
	assert_fails(fixture, QY_CURRENCY_MISMATCH, 1);
	assert_int_equal(qy_quote_set(&fixture->quote, QY_FIELD_CURRENCY, "USD"), QY_OK);
	add_product(fixture, "prd-nowhere", 1);
	assert_fails(fixture, QY_UNKNOWN_PRODUCT, 2);
	assert_int_equal(qy_quote_set(&fixture->quote, QY_FIELD_CURRENCY, NULL), QY_OK);
	assert_fails(fixture, QY_UNKNOWN_CURRENCY, 0);
}

static void without_a_catalogue_only_manual_lines_have_prices(void **state)
{
	struct fixture *fixture = *state;
	unsigned bad_position = 0;

	add_manual(fixture, 1, 100, 0);
	assert_int_equal(qy_price(&fixture->quote, NULL, &fixture->pricing, NULL), QY_OK);
	assert_int_equal(fixture->pricing.total_minor, 100);
	qy_pricing_fini(&fixture->pricing);
	add_product(fixture, "prd-team", 1);
	assert_int_equal(qy_price(&fixture->quote, NULL, &fixture->pricing, &bad_position),
			 QY_UNKNOWN_PRODUCT);
	assert_int_equal(bad_position, 2);
}

static void an_empty_quote_costs_nothing_in_four_steps(void **state)
{
	struct fixture *fixture = *state;

	price(fixture);
	assert_figures(fixture, 0, 0, 0, 0);
	assert_int_equal(fixture->pricing.step_count, 4);
	assert_int_equal(fixture->pricing.line_count, 0);
}

static void assert_same_quote(const struct qy_quote *a, const struct qy_quote *b)
{
	size_t i;

	assert_int_equal(a->line_count, b->line_count);
	assert_int_equal(a->version, b->version);
	assert_int_equal(a->state_version, b->state_version);
	assert_int_equal(a->status, b->status);
	for (i = 0; i < a->line_count; i++) {
		assert_string_equal(a->lines[i].id, b->lines[i].id);
		assert_string_equal(a->lines[i].product_id, b->lines[i].product_id);
		assert_int_equal(a->lines[i].quantity, b->lines[i].quantity);
		assert_int_equal(a->lines[i].unit_price_minor, b->lines[i].unit_price_minor);
		assert_int_equal(a->lines[i].price_source, b->lines[i].price_source);
		assert_int_equal(a->lines[i].discount_bps, b->lines[i].discount_bps);
	}
}

/* B020 */
static void pricing_twice_is_byte_equal_and_leaves_the_input_alone(void **state)
{
	struct fixture *fixture = *state;
	struct qy_pricing again;
	struct qy_quote before;
	char *first, *second;

	add_product(fixture, "prd-team", 250);
	add_manual(fixture, 3, 333, 777);
	assert_int_equal(qy_quote_set_tax_rate(&fixture->quote, 1900), QY_OK);
	assert_int_equal(qy_quote_copy(&fixture->quote, &before), QY_OK);
	price(fixture);
	assert_int_equal(qy_price(&fixture->quote, &fixture->catalog, &again, NULL), QY_OK);
	assert_int_equal(fixture->pricing.lines[0].unit_price_minor, 1650);
	assert_same_quote(&fixture->quote, &before);
	assert_memory_equal(fixture->pricing.lines, again.lines, 2 * sizeof(*again.lines));
	assert_int_equal(qy_pricing_trace_json(&fixture->pricing, &first), QY_OK);
	assert_int_equal(qy_pricing_trace_json(&again, &second), QY_OK);
	assert_string_equal(first, second);
	free(first);
	free(second);
	qy_pricing_fini(&again);
	qy_quote_fini(&before);
}

/* B017, B020: the whole text, because others store and compare it. */
static void the_trace_is_canonical_json(void **state)
{
	struct fixture *fixture = *state;
	char *json;

	add_product(fixture, "prd-team", 200);
	add_manual(fixture, 1, 5, 1000);
	assert_int_equal(qy_quote_set_tax_rate(&fixture->quote, 1000), QY_OK);
	price(fixture);
	assert_int_equal(qy_pricing_trace_json(&fixture->pricing, &json), QY_OK);
	assert_string_equal(
	    json,
	    "[{\"discount_bps\":0,\"discount_minor\":0,\"position\":1,"
	    "\"product_id\":\"prd-team\",\"quantity\":200,\"source\":\"tier\","
	    "\"step\":\"line_item\",\"subtotal_minor\":330000,\"tier_min_quantity\":200,"
	    "\"total_minor\":330000,\"unit_price_minor\":1650},"
	    "{\"discount_bps\":1000,\"discount_minor\":1,\"position\":2,"
	    "\"product_id\":\"custom\",\"quantity\":1,\"source\":\"manual\","
	    "\"step\":\"line_item\",\"subtotal_minor\":5,\"tier_min_quantity\":null,"
	    "\"total_minor\":4,\"unit_price_minor\":5},"
	    "{\"amount_minor\":330005,\"currency\":\"USD\",\"step\":\"subtotal\"},"
	    "{\"amount_minor\":1,\"currency\":\"USD\",\"step\":\"discounts\"},"
	    "{\"amount_minor\":33000,\"currency\":\"USD\",\"rate_bps\":1000,\"step\":\"tax\"},"
	    "{\"amount_minor\":363004,\"currency\":\"USD\",\"step\":\"total\"}]");
	free(json);
}

/* The pure half of B109: the figures of the seed table come out of the seed lines. */
static void seed_quotes_price_to_the_figures_of_their_table(void **state)
{
	struct fixture *fixture = *state;
	size_t i;

	assert_int_equal(qy_seed_quote_count, 4);
	assert_int_equal(qy_seed_line_count, 10);
	assert_int_equal(qy_seed_flow_state_count, 3);
	assert_int_equal(qy_seed_product_count, 10);
	assert_int_equal(qy_seed_rep_count, 7);
	assert_int_equal(qy_seed_approval_count, 1);
	for (i = 0; i < qy_seed_quote_count; i++) {
		const struct qy_seed_quote *seed = &qy_seed_quotes[i];

		qy_quote_fini(&fixture->quote);
		assert_int_equal(qy_seed_quote_make(seed, &fixture->quote), QY_OK);
		assert_int_equal(fixture->quote.line_count, seed->line_count);
		price(fixture);
		assert_figures(fixture, seed->subtotal_minor, seed->discount_minor, 0,
			       seed->total_minor);
		assert_int_equal(fixture->pricing.lines[0].price_source, QY_PRICE_LIST);
	}
	assert_int_equal(qy_seed_quotes[0].subtotal_minor, 250000);
	assert_int_equal(qy_seed_quotes[1].subtotal_minor, 185000);
	assert_int_equal(qy_seed_quotes[2].subtotal_minor, 730000);
	assert_int_equal(qy_seed_quotes[3].total_minor, 45000);
}

static void the_json_writer_escapes_only_what_it_must(void **state)
{
	struct qy_json json;
	char *text;

	(void)state;
	qy_json_init(&json);
	qy_json_object_begin(&json);
	qy_json_key(&json, "a");
	qy_json_string(&json, "\"\\/\n\t\x01\x7f\xc3\xa9");
	qy_json_key(&json, "b");
	qy_json_array_begin(&json);
	qy_json_boolean(&json, true);
	qy_json_boolean(&json, false);
	qy_json_string(&json, NULL);
	qy_json_integer(&json, INT64_MIN);
	qy_json_array_end(&json);
	qy_json_object_end(&json);
	assert_int_equal(qy_json_take(&json, &text), QY_OK);
	assert_string_equal(text, "{\"a\":\"\\\"\\\\/\\n\\t\\u0001\x7f\xc3\xa9\","
				  "\"b\":[true,false,null,-9223372036854775808]}");
	free(text);
}

static void assert_misuse(struct qy_json *json, enum qy_code expected)
{
	char untouched[] = "untouched", *text = untouched;

	assert_int_equal(qy_json_take(json, &text), expected);
	assert_ptr_equal(text, untouched);
	assert_null(json->text);
}

static void the_json_writer_refuses_what_is_not_canonical(void **state)
{
	struct qy_json json;
	unsigned i;

	(void)state;
	qy_json_init(&json);
	assert_misuse(&json, QY_JSON_MISUSE);
	qy_json_object_begin(&json);
	qy_json_key(&json, "b");
	qy_json_null(&json);
	qy_json_key(&json, "a");
	qy_json_null(&json);
	qy_json_object_end(&json);
	assert_misuse(&json, QY_JSON_MISUSE);
	qy_json_object_begin(&json);
	qy_json_null(&json);
	qy_json_object_end(&json);
	assert_misuse(&json, QY_JSON_MISUSE);
	qy_json_array_begin(&json);
	qy_json_object_end(&json);
	assert_misuse(&json, QY_JSON_MISUSE);
	qy_json_array_begin(&json);
	assert_misuse(&json, QY_JSON_MISUSE);
	qy_json_null(&json);
	qy_json_null(&json);
	assert_misuse(&json, QY_JSON_MISUSE);
	qy_json_string(&json, "\xff");
	assert_misuse(&json, QY_INVALID_FIELD);
	for (i = 0; i <= QY_JSON_DEPTH_MAX; i++) {
		qy_json_array_begin(&json);
	}
	assert_misuse(&json, QY_JSON_MISUSE);
}

#define WITH_FIXTURE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    WITH_FIXTURE(two_lines_add_up_and_trace_six_steps),
	    WITH_FIXTURE(one_line_of_ten_is_ten_times_its_price),
	    WITH_FIXTURE(three_lines_add_up),
	    WITH_FIXTURE(the_trace_ends_in_subtotal_discounts_tax_and_total),
	    WITH_FIXTURE(a_line_discount_rounds_half_up),
	    WITH_FIXTURE(discounts_are_rounded_per_line),
	    WITH_FIXTURE(tax_is_rounded_once),
	    WITH_FIXTURE(tax_is_taken_from_the_discounted_sum),
	    WITH_FIXTURE(each_line_has_its_own_discount),
	    WITH_FIXTURE(yen_have_no_fraction),
	    cmocka_unit_test(the_largest_tier_reached_prices_the_whole_quantity),
	    WITH_FIXTURE(a_manual_price_of_a_catalogue_product_stays),
	    WITH_FIXTURE(an_overflow_names_the_line_and_gives_no_figure),
	    WITH_FIXTURE(an_overflow_of_the_sum_is_found_too),
	    WITH_FIXTURE(an_overflow_by_tax_belongs_to_the_whole_quote),
	    WITH_FIXTURE(a_catalogue_line_needs_its_product_in_its_currency),
	    WITH_FIXTURE(without_a_catalogue_only_manual_lines_have_prices),
	    WITH_FIXTURE(an_empty_quote_costs_nothing_in_four_steps),
	    WITH_FIXTURE(pricing_twice_is_byte_equal_and_leaves_the_input_alone),
	    WITH_FIXTURE(the_trace_is_canonical_json),
	    WITH_FIXTURE(seed_quotes_price_to_the_figures_of_their_table),
	    cmocka_unit_test(the_json_writer_escapes_only_what_it_must),
	    cmocka_unit_test(the_json_writer_refuses_what_is_not_canonical),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
