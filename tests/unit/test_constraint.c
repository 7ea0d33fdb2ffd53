/*
 * Constraint checks: quotey/core/constraint.h and catalog.h. Behaviours B024 to B034.
 */
#include "tests/lib/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "quotey/core/constraint.h"
#include "quotey/core/seed.h"

struct fixture {
	struct qy_quote quote;
	struct qy_catalog catalog;
	struct qy_violations found;
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
	return qy_quote_set(&fixture->quote, QY_FIELD_ID, "Q-2026-0001") == QY_OK ? 0 : -1;
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;

	qy_violations_fini(&fixture->found);
	qy_quote_fini(&fixture->quote);
	qy_catalog_fini(&fixture->catalog);
	free(fixture);
	return 0;
}

static void add(struct fixture *fixture, const char *product_id, int64_t quantity, int64_t minor)
{
	const struct qy_line_spec spec = {.product_id = product_id,
					  .quantity = quantity,
					  .unit_price_minor = minor,
					  .price_source = QY_PRICE_MANUAL};

	assert_int_equal(qy_quote_add_line(&fixture->quote, &spec, NULL), QY_OK);
}

/* An enterprise line; either attribute may be NULL for an absent one. */
static void add_enterprise(struct fixture *fixture, int64_t quantity, const char *region,
			   const char *retention)
{
	struct qy_attribute_spec attributes[2];
	struct qy_line_spec spec = {.product_id = "prd-enterprise",
				    .quantity = quantity,
				    .unit_price_minor = 4200,
				    .attributes = attributes};

	if (region != NULL) {
		attributes[spec.attribute_count++] = (struct qy_attribute_spec){"region", region};
	}
	if (retention != NULL) {
		attributes[spec.attribute_count++] =
		    (struct qy_attribute_spec){"retention_days", retention};
	}
	assert_int_equal(qy_quote_add_line(&fixture->quote, &spec, NULL), QY_OK);
}

static void clear_lines(struct fixture *fixture)
{
	qy_quote_fini(&fixture->quote);
	assert_int_equal(qy_quote_set(&fixture->quote, QY_FIELD_ID, "Q-2026-0001"), QY_OK);
}

/* Checks the quote and compares "CODE@position" words, in order. */
static void assert_found(struct fixture *fixture, const char *expected)
{
	char actual[1024] = "";
	size_t used = 0, i;

	qy_violations_fini(&fixture->found);
	assert_int_equal(qy_check(&fixture->quote, &fixture->catalog, &fixture->found), QY_OK);
	for (i = 0; i < fixture->found.count && used < sizeof(actual); i++) {
		const struct qy_violation *item = &fixture->found.items[i];

		used += (size_t)snprintf(actual + used, sizeof(actual) - used, "%s%s@%u",
					 i > 0 ? " " : "", qy_violation_name(item->code),
					 item->position);
		assert_true(strlen(item->message) > 0);
		assert_true(strlen(item->suggestion) > 0);
	}
	assert_string_equal(actual, expected);
}

/* B024 */
static void an_empty_quote_has_exactly_one_violation(void **state)
{
	struct fixture *fixture = *state;

	assert_found(fixture, "EMPTY_QUOTE@0");
	assert_string_equal(fixture->found.items[0].message, "the quote has no lines");
	assert_string_equal(fixture->found.items[0].product_id, "");
}

/* B025 */
static void each_further_use_of_a_product_is_a_duplicate(void **state)
{
	struct fixture *fixture = *state;

	add(fixture, "A", 1, 1000);
	add(fixture, "B", 1, 1000);
	add(fixture, "A", 1, 1000);
	add(fixture, " A ", 1, 1000);
	assert_found(fixture, "DUPLICATE_PRODUCT_ID@3 DUPLICATE_PRODUCT_ID@4");
	assert_string_equal(fixture->found.items[0].product_id, "A");
	assert_string_equal(fixture->found.items[1].message, "A is already on line 1");
}

/* B026 */
static void basic_violations_come_line_by_line_in_their_order(void **state)
{
	struct fixture *fixture = *state;

	add(fixture, "A", 1, 1000);
	add(fixture, "A", 0, 0);
	add(fixture, "", 1, 500);
	assert_found(fixture, "DUPLICATE_PRODUCT_ID@2 ZERO_QUANTITY@2 NON_POSITIVE_UNIT_PRICE@2 "
			      "MISSING_PRODUCT_ID@3");
}

/* B027 */
static void prices_must_be_above_zero(void **state)
{
	struct fixture *fixture = *state;

	add(fixture, "A", 1, -100);
	add(fixture, "B", 1, 0);
	add(fixture, "C", 1, 1);
	assert_found(fixture, "NON_POSITIVE_UNIT_PRICE@1 NON_POSITIVE_UNIT_PRICE@2");
}

/* B027 */
static void blank_product_ids_are_missing_and_no_duplicates(void **state)
{
	struct fixture *fixture = *state;

	add(fixture, "", 1, 500);
	add(fixture, " \t ", 1, 500);
	assert_found(fixture, "MISSING_PRODUCT_ID@1 MISSING_PRODUCT_ID@2");
	clear_lines(fixture);
	add(fixture, NULL, 0, 500);
	assert_found(fixture, "MISSING_PRODUCT_ID@1 ZERO_QUANTITY@1");
}

/* B028 */
static void a_required_product_is_suggested_until_it_is_there(void **state)
{
	struct fixture *fixture = *state;

	add_enterprise(fixture, 10, "eu", NULL);
	assert_found(fixture, "REQUIRES@1");
	assert_string_equal(fixture->found.items[0].product_id, "prd-enterprise");
	assert_string_equal(fixture->found.items[0].suggestion, "prd-support");
	assert_string_equal(fixture->found.items[0].message,
			    "Enterprise seats need premium support");
	add(fixture, "prd-support", 1, 120000);
	assert_found(fixture, "");
	assert_int_equal(fixture->found.count, 0);
}

/* B029 */
static void exclusion_is_reported_once_in_either_order(void **state)
{
	struct fixture *fixture = *state;

	add(fixture, "prd-support", 1, 120000);
	add(fixture, "prd-starter", 10, 1000);
	add_enterprise(fixture, 10, "eu", NULL);
	assert_found(fixture, "EXCLUDES@2");
	assert_string_equal(fixture->found.items[0].product_id, "prd-starter");
	assert_string_equal(fixture->found.items[0].suggestion, "prd-enterprise");
	clear_lines(fixture);
	add(fixture, "prd-support", 1, 120000);
	add_enterprise(fixture, 10, "eu", NULL);
	add(fixture, "prd-starter", 10, 1000);
	assert_found(fixture, "EXCLUDES@3");
	assert_string_equal(fixture->found.items[0].product_id, "prd-starter");
	assert_string_equal(fixture->found.items[0].suggestion, "prd-enterprise");
}

/* B029 */
static void exclusion_is_reported_once_for_repeated_lines(void **state)
{
	struct fixture *fixture = *state;

	add(fixture, "prd-support", 1, 120000);
	add(fixture, "prd-starter", 10, 1000);
	add_enterprise(fixture, 10, "eu", NULL);
	add(fixture, "prd-starter", 10, 1000);
	assert_found(fixture, "DUPLICATE_PRODUCT_ID@4 EXCLUDES@2");
}

/* B030 */
static void quantity_bounds_are_inclusive(void **state)
{
	static const struct {
		int64_t quantity;
		const char *expected;
	} rows[] = {{4, "QUANTITY_RANGE@2"}, {5, ""}, {5000, ""}, {5001, "QUANTITY_RANGE@2"}};
	struct fixture *fixture = *state;
	size_t i;

	for (i = 0; i < 4; i++) {
		clear_lines(fixture);
		add(fixture, "prd-support", 1, 120000);
		add_enterprise(fixture, rows[i].quantity, "eu", NULL);
		assert_found(fixture, rows[i].expected);
	}
	assert_string_equal(fixture->found.items[0].suggestion, "from 5 to 5000");
}

/* B031 */
static void attribute_ranges_are_exact_and_inclusive(void **state)
{
	static const struct {
		const char *value;
		bool passes;
	} rows[] = {
	    {"29", false},
	    {"366", false},
	    {"abc", false},
	    {"30", true},
	    {"365", true},
	    {NULL, true},
	    {"29.999999", false},
	    {"365.000001", false},
	    {"30.000000", true},
	    {"30.0000000", false},
	    {"", false},
	    {"1e2", false},
	    {"99999999999999999999", false},
	};
	struct fixture *fixture = *state;
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		clear_lines(fixture);
		add(fixture, "prd-support", 1, 120000);
		add_enterprise(fixture, 10, "us", rows[i].value);
		assert_found(fixture, rows[i].passes ? "" : "ATTRIBUTE_RANGE@2");
	}
}

/* B032 */
static void attribute_values_are_compared_by_case(void **state)
{
	static const struct {
		const char *value;
		bool passes;
	} rows[] = {{"eu", true}, {"us", true}, {"EU", false}, {"apac", false}, {NULL, false}};
	struct fixture *fixture = *state;
	size_t i;

	for (i = 0; i < 5; i++) {
		clear_lines(fixture);
		add(fixture, "prd-support", 1, 120000);
		add_enterprise(fixture, 10, rows[i].value, NULL);
		assert_found(fixture, rows[i].passes ? "" : "ATTRIBUTE_ENUM@2");
	}
	assert_string_equal(fixture->found.items[0].suggestion, "eu, us");
}

/* B033 */
static void bundles_name_each_member_that_falls_short(void **state)
{
	struct fixture *fixture = *state;

	add(fixture, "prd-growth", 2, 9900);
	add(fixture, "prd-team", 20, 1800);
	add(fixture, "prd-sso", 19, 200);
	assert_found(fixture, "BUNDLE_MEMBER_MISSING@1");
	assert_string_equal(fixture->found.items[0].product_id, "prd-growth");
	assert_string_equal(fixture->found.items[0].suggestion, "prd-sso");
	assert_string_equal(fixture->found.items[0].message,
			    "2 x prd-growth need 20 x prd-sso, the quote has 19");
	clear_lines(fixture);
	add(fixture, "prd-growth", 2, 9900);
	assert_found(fixture, "BUNDLE_MEMBER_MISSING@1 BUNDLE_MEMBER_MISSING@1");
	assert_string_equal(fixture->found.items[0].suggestion, "prd-team");
	assert_string_equal(fixture->found.items[1].suggestion, "prd-sso");
	add(fixture, "prd-team", 20, 1800);
	add(fixture, "prd-sso", 20, 200);
	assert_found(fixture, "");
}

/* B033: an absent member is missing even where zero of it would be needed. */
static void an_empty_bundle_still_needs_its_members(void **state)
{
	struct fixture *fixture = *state;

	add(fixture, "prd-growth", 0, 9900);
	add(fixture, "prd-team", 1, 1800);
	assert_found(fixture, "ZERO_QUANTITY@1 BUNDLE_MEMBER_MISSING@1");
	assert_string_equal(fixture->found.items[0].product_id, "prd-growth");
	assert_string_equal(fixture->found.items[1].suggestion, "prd-sso");
}

/* Section 2.5: basic checks first, then by line, kind and rule id, whatever the order of adding. */
static void catalogue_rules_come_by_line_kind_and_id(void **state)
{
	static const struct qy_rule more[] = {
	    {.id = "b",
	     .kind = QY_RULE_REQUIRES,
	     .product_id = "prd-api",
	     .other_product_id = "prd-sso",
	     .active = true},
	    {.id = "c",
	     .kind = QY_RULE_QUANTITY_RANGE,
	     .product_id = "prd-api",
	     .max_value = "1",
	     .active = true},
	    {.id = "a",
	     .kind = QY_RULE_REQUIRES,
	     .product_id = "prd-api",
	     .other_product_id = "prd-analytics",
	     .active = true},
	};
	struct fixture *fixture = *state;
	size_t i;

	for (i = 0; i < 3; i++) {
		assert_int_equal(qy_catalog_add_rule(&fixture->catalog, &more[i]), QY_OK);
	}
	add_enterprise(fixture, 4, NULL, "1");
	add(fixture, "prd-api", 2, 325);
	add(fixture, "prd-starter", 1, 0);
	assert_found(fixture,
		     "NON_POSITIVE_UNIT_PRICE@3 REQUIRES@1 QUANTITY_RANGE@1 ATTRIBUTE_RANGE@1 "
		     "ATTRIBUTE_ENUM@1 REQUIRES@2 REQUIRES@2 QUANTITY_RANGE@2 EXCLUDES@3");
	assert_string_equal(fixture->found.items[5].suggestion, "prd-analytics");
	assert_string_equal(fixture->found.items[6].suggestion, "prd-sso");
	assert_string_equal(fixture->found.items[5].message, "prd-api requires prd-analytics");
	assert_string_equal(fixture->found.items[7].message,
			    "the quantity of prd-api is 2, allowed is at most 1");
}

/* B034 */
static void unknown_products_and_inactive_rules_raise_nothing(void **state)
{
	static const struct qy_rule inactive = {.id = "off",
						.kind = QY_RULE_REQUIRES,
						.product_id = "prd-api",
						.other_product_id = "prd-sso"};
	struct fixture *fixture = *state;

	assert_int_equal(qy_catalog_add_rule(&fixture->catalog, &inactive), QY_OK);
	add(fixture, "prd-api", 1, 325);
	add(fixture, "prd-nowhere", 1, 100);
	assert_found(fixture, "");
}

/* B034 */
static void an_inactive_product_raises_nothing(void **state)
{
	static const struct qy_product product = {
	    .id = "prd-old", .sku = "OLD", .name = "Old", .currency = "USD", .list_price_minor = 1};
	static const struct qy_rule rule = {.id = "old",
					    .kind = QY_RULE_REQUIRES,
					    .product_id = "prd-old",
					    .other_product_id = "prd-sso",
					    .active = true};
	struct fixture *fixture = *state;

	assert_int_equal(qy_catalog_add_product(&fixture->catalog, &product), QY_OK);
	assert_int_equal(qy_catalog_add_rule(&fixture->catalog, &rule), QY_OK);
	add(fixture, "prd-old", 1, 100);
	assert_found(fixture, "");
}

/* Section 2.5, "the attribute, or its default": a default is judged like a value. */
static void a_default_stands_in_for_an_absent_attribute(void **state)
{
	static const struct qy_product_attribute attributes[] = {
	    {"prd-api", "good", "Good", QY_VALUE_INTEGER, true, "5", 1},
	    {"prd-api", "bad", "Bad", QY_VALUE_INTEGER, false, "11", 2},
	    {"prd-api", "word", "Word", QY_VALUE_ENUM, false, "none", 3},
	};
	static const struct qy_rule rules[] = {
	    {.id = "good",
	     .kind = QY_RULE_ATTRIBUTE_RANGE,
	     .product_id = "prd-api",
	     .attribute_key = "good",
	     .max_value = "10",
	     .active = true},
	    {.id = "bad",
	     .kind = QY_RULE_ATTRIBUTE_RANGE,
	     .product_id = "prd-api",
	     .attribute_key = "bad",
	     .max_value = "10",
	     .active = true},
	    {.id = "word",
	     .kind = QY_RULE_ATTRIBUTE_ENUM,
	     .product_id = "prd-api",
	     .attribute_key = "word",
	     .active = true},
	};
	static const struct qy_rule_value some = {"word", "some"};
	struct fixture *fixture = *state;
	size_t i;

	for (i = 0; i < 3; i++) {
		assert_int_equal(qy_catalog_add_attribute(&fixture->catalog, &attributes[i]),
				 QY_OK);
		assert_int_equal(qy_catalog_add_rule(&fixture->catalog, &rules[i]), QY_OK);
	}
	assert_int_equal(qy_catalog_add_rule_value(&fixture->catalog, &some), QY_OK);
	add(fixture, "prd-api", 1, 325);
	assert_found(fixture, "ATTRIBUTE_RANGE@1 ATTRIBUTE_ENUM@1");
	assert_string_equal(fixture->found.items[0].message,
			    "bad is \"11\", allowed is at most 10");
	assert_string_equal(fixture->found.items[1].message, "word is \"none\", allowed is some");
}

static void an_absent_optional_attribute_raises_nothing(void **state)
{
	static const struct qy_rule rules[] = {
	    {.id = "color",
	     .kind = QY_RULE_ATTRIBUTE_ENUM,
	     .product_id = "prd-api",
	     .attribute_key = "color",
	     .active = true},
	    {.id = "size",
	     .kind = QY_RULE_ATTRIBUTE_RANGE,
	     .product_id = "prd-api",
	     .attribute_key = "size",
	     .min_value = "-0.5",
	     .active = true},
	};
	struct qy_attribute_spec low = {"size", "-0.500001"};
	struct qy_line_spec spec = {.product_id = "prd-api",
				    .quantity = 1,
				    .unit_price_minor = 1,
				    .attributes = &low,
				    .attribute_count = 1};
	struct fixture *fixture = *state;

	assert_int_equal(qy_catalog_add_rule(&fixture->catalog, &rules[0]), QY_OK);
	assert_int_equal(qy_catalog_add_rule(&fixture->catalog, &rules[1]), QY_OK);
	add(fixture, "prd-api", 1, 325);
	assert_found(fixture, "");
	clear_lines(fixture);
	assert_int_equal(qy_quote_add_line(&fixture->quote, &spec, NULL), QY_OK);
	assert_found(fixture, "ATTRIBUTE_RANGE@1");
	assert_string_equal(fixture->found.items[0].message,
			    "size is \"-0.500001\", allowed is at least -0.5");
	low.value = "-0.5";
	clear_lines(fixture);
	assert_int_equal(qy_quote_add_line(&fixture->quote, &spec, NULL), QY_OK);
	assert_found(fixture, "");
}

static void without_a_catalogue_only_the_basics_are_checked(void **state)
{
	struct fixture *fixture = *state;

	add_enterprise(fixture, 0, NULL, "1");
	assert_int_equal(qy_check(&fixture->quote, NULL, &fixture->found), QY_OK);
	assert_int_equal(fixture->found.count, 1);
	assert_int_equal(fixture->found.items[0].code, QY_VIOLATION_ZERO_QUANTITY);
	assert_null(qy_violation_name(QY_VIOLATION_COUNT));
}

static void long_rule_messages_are_cut_between_code_points(void **state)
{
	char message[601];
	struct qy_rule rule = {.id = "long",
			       .kind = QY_RULE_REQUIRES,
			       .product_id = "prd-api",
			       .other_product_id = "prd-sso",
			       .message = message,
			       .active = true};
	struct fixture *fixture = *state;
	size_t i;

	for (i = 0; i < 600; i += 2) {
		memcpy(message + i, "\xc3\xa9", 2);
	}
	message[600] = '\0';
	assert_int_equal(qy_catalog_add_rule(&fixture->catalog, &rule), QY_OK);
	add(fixture, "prd-api", 1, 325);
	assert_found(fixture, "REQUIRES@1");
	assert_int_equal(strlen(fixture->found.items[0].message), 254);
}

static void the_catalogue_finds_by_id_and_by_sku(void **state)
{
	struct fixture *fixture = *state;
	const struct qy_catalog_entry *entry;
	size_t i;

	for (i = 0; i < qy_seed_product_count; i++) {
		entry = qy_catalog_find(&fixture->catalog, qy_seed_products[i].sku);
		assert_non_null(entry);
		assert_string_equal(entry->product.id, qy_seed_products[i].id);
		assert_ptr_equal(qy_catalog_find(&fixture->catalog, qy_seed_products[i].id), entry);
		assert_ptr_not_equal(entry->product.id, qy_seed_products[i].id);
		assert_null(qy_catalog_find_id(&fixture->catalog, qy_seed_products[i].sku));
	}
	assert_null(qy_catalog_find(&fixture->catalog, "prd-nowhere"));
	assert_null(qy_catalog_find(&fixture->catalog, NULL));
	assert_null(qy_catalog_find(NULL, "prd-team"));
}

static void bad_catalogue_rows_are_refused(void **state)
{
	struct fixture *fixture = *state;
	struct qy_catalog *catalog = &fixture->catalog;
	struct qy_product product = qy_seed_products[0];
	struct qy_rule rule = qy_seed_rules[0];
	const struct qy_price_tier twice = {"prd-team", 200, 1}, zero = {"prd-team", 0, 1};
	const struct qy_price_tier lost = {"prd-nowhere", 1, 1};
	const struct qy_bundle_member member = {"prd-growth", "prd-sso", 1, 3};
	const struct qy_rule_value no_enum = {"rule-enterprise-support", "x"}, no_rule = {"x", "y"};

	assert_int_equal(qy_catalog_add_product(catalog, &product), QY_DUPLICATE_ID);
	product.id = "prd-new";
	assert_int_equal(qy_catalog_add_product(catalog, &product), QY_DUPLICATE_ID);
	product.sku = "NEW";
	product.currency = "ZZZ";
	assert_int_equal(qy_catalog_add_product(catalog, &product), QY_UNKNOWN_CURRENCY);
	product.name = " ";
	assert_int_equal(qy_catalog_add_product(catalog, &product), QY_INVALID_FIELD);
	assert_null(qy_catalog_find(catalog, "prd-new"));
	assert_int_equal(qy_catalog_add_tier(catalog, &twice), QY_DUPLICATE_ID);
	assert_int_equal(qy_catalog_add_tier(catalog, &zero), QY_INVALID_FIELD);
	assert_int_equal(qy_catalog_add_tier(catalog, &lost), QY_UNKNOWN_PRODUCT);
	assert_int_equal(qy_catalog_add_attribute(catalog, &qy_seed_attributes[0]),
			 QY_DUPLICATE_ID);
	assert_int_equal(qy_catalog_add_member(catalog, &member), QY_DUPLICATE_ID);
	assert_int_equal(qy_catalog_add_rule(catalog, &rule), QY_DUPLICATE_ID);
	rule.other_product_id = NULL;
	assert_int_equal(qy_catalog_add_rule(catalog, &rule), QY_INVALID_FIELD);
	rule.kind = QY_RULE_QUANTITY_RANGE;
	assert_int_equal(qy_catalog_add_rule(catalog, &rule), QY_INVALID_FIELD);
	rule.min_value = "five";
	assert_int_equal(qy_catalog_add_rule(catalog, &rule), QY_INVALID_FIELD);
	assert_int_equal(qy_catalog_add_rule_value(catalog, &no_enum), QY_INVALID_FIELD);
	assert_int_equal(qy_catalog_add_rule_value(catalog, &no_rule), QY_INVALID_ID);
}

static void the_parts_of_a_product_are_limited(void **state)
{
	struct qy_price_tier tier = {"prd-api", 0, 1};
	struct fixture *fixture = *state;
	int i;

	for (i = QY_PRODUCT_PARTS_MAX; i > 0; i--) {
		tier.min_quantity = i * 10;
		assert_int_equal(qy_catalog_add_tier(&fixture->catalog, &tier), QY_OK);
	}
	tier.min_quantity = 5;
	assert_int_equal(qy_catalog_add_tier(&fixture->catalog, &tier), QY_CATALOG_LIMIT);
	assert_int_equal(
	    qy_catalog_tier(qy_catalog_find(&fixture->catalog, "prd-api"), 29)->min_quantity, 20);
	assert_null(qy_catalog_tier(qy_catalog_find(&fixture->catalog, "prd-api"), 9));
}

static void catalogue_names_go_both_ways(void **state)
{
	enum qy_product_type type;
	enum qy_value_type value_type;
	enum qy_rule_kind kind;
	int i;

	(void)state;
	for (i = 0; i < QY_PRODUCT_TYPE_COUNT; i++) {
		assert_int_equal(
		    qy_product_type_parse(qy_product_type_name((enum qy_product_type)i), &type),
		    QY_OK);
		assert_int_equal(type, i);
	}
	for (i = 0; i < QY_VALUE_TYPE_COUNT; i++) {
		assert_int_equal(
		    qy_value_type_parse(qy_value_type_name((enum qy_value_type)i), &value_type),
		    QY_OK);
		assert_int_equal(value_type, i);
	}
	for (i = 0; i < QY_RULE_KIND_COUNT; i++) {
		assert_int_equal(qy_rule_kind_parse(qy_rule_kind_name((enum qy_rule_kind)i), &kind),
				 QY_OK);
		assert_int_equal(kind, i);
	}
	assert_int_equal(qy_product_type_parse("Bundle", &type), QY_INVALID_FIELD);
	assert_int_equal(qy_value_type_parse("", &value_type), QY_INVALID_FIELD);
	assert_int_equal(qy_rule_kind_parse("BUNDLE_MEMBER_MISSING", &kind), QY_INVALID_FIELD);
	assert_null(qy_rule_kind_name(QY_RULE_KIND_COUNT));
}

#define WITH_FIXTURE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    WITH_FIXTURE(an_empty_quote_has_exactly_one_violation),
	    WITH_FIXTURE(each_further_use_of_a_product_is_a_duplicate),
	    WITH_FIXTURE(basic_violations_come_line_by_line_in_their_order),
	    WITH_FIXTURE(prices_must_be_above_zero),
	    WITH_FIXTURE(blank_product_ids_are_missing_and_no_duplicates),
	    WITH_FIXTURE(a_required_product_is_suggested_until_it_is_there),
	    WITH_FIXTURE(exclusion_is_reported_once_in_either_order),
	    WITH_FIXTURE(exclusion_is_reported_once_for_repeated_lines),
	    WITH_FIXTURE(quantity_bounds_are_inclusive),
	    WITH_FIXTURE(attribute_ranges_are_exact_and_inclusive),
	    WITH_FIXTURE(attribute_values_are_compared_by_case),
	    WITH_FIXTURE(bundles_name_each_member_that_falls_short),
	    WITH_FIXTURE(an_empty_bundle_still_needs_its_members),
	    WITH_FIXTURE(catalogue_rules_come_by_line_kind_and_id),
	    WITH_FIXTURE(unknown_products_and_inactive_rules_raise_nothing),
	    WITH_FIXTURE(an_inactive_product_raises_nothing),
	    WITH_FIXTURE(a_default_stands_in_for_an_absent_attribute),
	    WITH_FIXTURE(an_absent_optional_attribute_raises_nothing),
	    WITH_FIXTURE(without_a_catalogue_only_the_basics_are_checked),
	    WITH_FIXTURE(long_rule_messages_are_cut_between_code_points),
	    WITH_FIXTURE(the_catalogue_finds_by_id_and_by_sku),
	    WITH_FIXTURE(bad_catalogue_rows_are_refused),
	    WITH_FIXTURE(the_parts_of_a_product_are_limited),
	    cmocka_unit_test(catalogue_names_go_both_ways),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
