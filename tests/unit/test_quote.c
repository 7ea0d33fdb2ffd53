/*
 * The quote, its limits and its missing fields: quotey/core/quote.h, seed.h and text.h. Behaviour
 * B019 and section 2.2 of the catalogue.
 */
#include "tests/lib/test.h"

#include <stdlib.h>
#include <string.h>

#include "quotey/core/quote.h"
#include "quotey/core/seed.h"
#include "quotey/core/text.h"

static int setup(void **state)
{
	struct qy_quote *quote = malloc(sizeof(*quote));

	if (quote == NULL) {
		return -1;
	}
	qy_quote_init(quote);
	*state = quote;
	return qy_quote_set(quote, QY_FIELD_ID, "Q-2026-0001") == QY_OK ? 0 : -1;
}

static int teardown(void **state)
{
	qy_quote_fini(*state);
	free(*state);
	return 0;
}

static const struct qy_line_spec plain = {.product_id = "prd-team",
					  .quantity = 1,
					  .unit_price_minor = 1800,
					  .price_source = QY_PRICE_LIST};

static void assert_set(struct qy_quote *quote, enum qy_quote_field field, const char *text,
		       enum qy_code expected)
{
	char before[QY_NOTES_MAX + 1] = "";
	const char *old = qy_quote_get(quote, field);

	qy_text_cut(before, sizeof(before), old);
	assert_int_equal(qy_quote_set(quote, field, text), expected);
	if (expected == QY_OK) {
		assert_string_equal(qy_quote_get(quote, field), text);
	} else if (old != NULL) {
		assert_string_equal(qy_quote_get(quote, field), before);
	} else {
		assert_null(qy_quote_get(quote, field));
	}
}

/* Adds a line that must be refused and leave the quote as it was. */
static void assert_refused(struct qy_quote *quote, const struct qy_line_spec *spec,
			   enum qy_code expected)
{
	struct qy_line *untouched = NULL;
	size_t count = quote->line_count;
	uint64_t seq = quote->line_seq;

	assert_int_equal(qy_quote_add_line(quote, spec, &untouched), expected);
	assert_null(untouched);
	assert_int_equal(quote->line_count, count);
	assert_true(quote->line_seq == seq);
}

static void a_new_quote_is_a_net_new_draft(void **state)
{
	struct qy_quote quote;

	(void)state;
	qy_quote_init(&quote);
	assert_int_equal(quote.flow_type, QY_FLOW_NET_NEW);
	assert_int_equal(quote.status, QY_STATUS_DRAFT);
	assert_int_equal(quote.customer_decision, QY_DECISION_NONE);
	assert_int_equal(quote.version, 1);
	assert_int_equal(quote.state_version, 1);
	assert_null(quote.currency);
	qy_quote_fini(&quote);
	qy_quote_fini(&quote);
	qy_quote_fini(NULL);
}

static void stored_names_go_both_ways(void **state)
{
	static const char *const statuses[] = {"draft",	   "validated", "priced",    "approval",
					       "approved", "rejected",	"finalized", "sent",
					       "expired",  "cancelled", "revised"};
	enum qy_status status = QY_STATUS_DRAFT;
	enum qy_flow_type flow_type;
	enum qy_price_source source;
	enum qy_decision decision;
	int i;

	(void)state;
	assert_int_equal(QY_STATUS_COUNT, 11);
	for (i = 0; i < QY_STATUS_COUNT; i++) {
		assert_string_equal(qy_status_name((enum qy_status)i), statuses[i]);
		assert_int_equal(qy_status_parse(statuses[i], &status), QY_OK);
		assert_int_equal(status, i);
	}
	assert_int_equal(qy_status_parse("Draft", &status), QY_INVALID_FIELD);
	assert_int_equal(qy_status_parse(NULL, &status), QY_INVALID_FIELD);
	assert_int_equal(status, QY_STATUS_REVISED);
	assert_null(qy_status_name(QY_STATUS_COUNT));
	assert_null(qy_status_name((enum qy_status) - 1));
	assert_int_equal(qy_flow_type_parse("renewal_expansion", &flow_type), QY_OK);
	assert_string_equal(qy_flow_type_name(flow_type), "renewal_expansion");
	assert_int_equal(qy_flow_type_parse("renewal", &flow_type), QY_INVALID_FIELD);
	assert_int_equal(qy_price_source_parse("tier", &source), QY_OK);
	assert_string_equal(qy_price_source_name(source), "tier");
	assert_int_equal(qy_price_source_parse("", &source), QY_INVALID_FIELD);
	assert_int_equal(qy_decision_parse("rejected", &decision), QY_OK);
	assert_string_equal(qy_decision_name(decision), "rejected");
	assert_int_equal(qy_decision_parse("maybe", &decision), QY_INVALID_FIELD);
}

static void header_fields_check_what_they_are_given(void **state)
{
	struct qy_quote *quote = *state;

	assert_set(quote, QY_FIELD_CURRENCY, "EUR", QY_OK);
	assert_set(quote, QY_FIELD_CURRENCY, "eur", QY_UNKNOWN_CURRENCY);
	assert_set(quote, QY_FIELD_CURRENCY, "EURO", QY_TEXT_TOO_LONG);
	assert_set(quote, QY_FIELD_BILLING_COUNTRY, "DE", QY_OK);
	assert_set(quote, QY_FIELD_BILLING_COUNTRY, "de", QY_INVALID_FIELD);
	assert_set(quote, QY_FIELD_BILLING_COUNTRY, "D", QY_INVALID_FIELD);
	assert_set(quote, QY_FIELD_BILLING_COUNTRY, "DEU", QY_TEXT_TOO_LONG);
	assert_set(quote, QY_FIELD_PAYMENT_TERMS, "net_30", QY_OK);
	assert_set(quote, QY_FIELD_PAYMENT_TERMS, "net_60", QY_OK);
	assert_set(quote, QY_FIELD_PAYMENT_TERMS, "net_90", QY_OK);
	assert_set(quote, QY_FIELD_PAYMENT_TERMS, "upfront", QY_OK);
	assert_set(quote, QY_FIELD_PAYMENT_TERMS, "net_45", QY_INVALID_FIELD);
	assert_set(quote, QY_FIELD_VALID_UNTIL, "2026-02-01", QY_OK);
	assert_set(quote, QY_FIELD_VALID_UNTIL, "2026-02-30", QY_INVALID_FIELD);
	assert_set(quote, QY_FIELD_CREATED_AT, "2026-01-02T03:04:05.000Z", QY_OK);
	assert_set(quote, QY_FIELD_CREATED_AT, "2026-01-02", QY_INVALID_FIELD);
	assert_set(quote, QY_FIELD_PRIOR_QUOTE_ID, "-bad", QY_INVALID_ID);
	assert_int_equal(qy_quote_set(quote, QY_FIELD_PRIOR_QUOTE_ID, "q-2025-0009"), QY_OK);
	assert_string_equal(quote->prior_quote_id, "Q-2025-0009");
	assert_int_equal(qy_quote_set(quote, QY_FIELD_COUNT, "x"), QY_INVALID_FIELD);
	assert_null(qy_quote_get(quote, QY_FIELD_COUNT));
}

static void texts_are_bounded_utf8_without_control_characters(void **state)
{
	struct qy_quote *quote = *state;
	char text[QY_NOTES_MAX + 2];

	memset(text, 'a', sizeof(text));
	text[200] = '\0';
	assert_set(quote, QY_FIELD_ACCOUNT_NAME, text, QY_OK);
	text[200] = 'a';
	text[201] = '\0';
	assert_set(quote, QY_FIELD_ACCOUNT_NAME, text, QY_TEXT_TOO_LONG);
	text[201] = 'a';
	text[QY_NOTES_MAX] = '\0';
	assert_set(quote, QY_FIELD_NOTES, text, QY_OK);
	text[QY_NOTES_MAX] = 'a';
	text[QY_NOTES_MAX + 1] = '\0';
	assert_set(quote, QY_FIELD_NOTES, text, QY_TEXT_TOO_LONG);
	assert_set(quote, QY_FIELD_NOTES, "first\n\tsecond\r\n", QY_OK);
	assert_set(quote, QY_FIELD_NOTES, "bell\a", QY_INVALID_FIELD);
	assert_set(quote, QY_FIELD_ACCOUNT_NAME, "two\nlines", QY_INVALID_FIELD);
	assert_set(quote, QY_FIELD_ACCOUNT_NAME, "del\x7f", QY_INVALID_FIELD);
	assert_set(quote, QY_FIELD_ACCOUNT_NAME, "M\xc3\xbcller & S\xc3\xb6hne", QY_OK);
	assert_set(quote, QY_FIELD_ACCOUNT_NAME, "M\xfcller", QY_INVALID_FIELD);
	assert_int_equal(qy_quote_set(quote, QY_FIELD_ACCOUNT_NAME, ""), QY_OK);
	assert_null(quote->account_name);
	assert_int_equal(qy_quote_set(quote, QY_FIELD_NOTES, NULL), QY_OK);
	assert_null(quote->notes);
}

static void a_field_may_be_set_from_its_own_text(void **state)
{
	struct qy_quote *quote = *state;

	assert_set(quote, QY_FIELD_ACCOUNT_NAME, "Acme Corp", QY_OK);
	assert_int_equal(qy_quote_set(quote, QY_FIELD_ACCOUNT_NAME, quote->account_name), QY_OK);
	assert_string_equal(quote->account_name, "Acme Corp");
}

static void field_names_go_both_ways(void **state)
{
	enum qy_quote_field field;
	int i;

	(void)state;
	for (i = 0; i < QY_FIELD_COUNT; i++) {
		assert_int_equal(
		    qy_quote_field_parse(qy_quote_field_name((enum qy_quote_field)i), &field),
		    QY_OK);
		assert_int_equal(field, i);
	}
	assert_string_equal(qy_quote_field_name(QY_FIELD_BILLING_COUNTRY), "billing_country");
	assert_null(qy_quote_field_name(QY_FIELD_COUNT));
	assert_int_equal(qy_quote_field_parse("lines", &field), QY_INVALID_FIELD);
	assert_int_equal(qy_quote_field_parse(NULL, &field), QY_INVALID_FIELD);
}

static void term_and_tax_have_ranges(void **state)
{
	struct qy_quote *quote = *state;

	assert_int_equal(qy_quote_set_term(quote, 120), QY_OK);
	assert_int_equal(qy_quote_set_term(quote, 121), QY_INVALID_FIELD);
	assert_int_equal(qy_quote_set_term(quote, -1), QY_INVALID_FIELD);
	assert_int_equal(qy_quote_set_term(quote, INT64_C(0x10000000c)), QY_INVALID_FIELD);
	assert_int_equal(quote->term_months, 120);
	assert_int_equal(qy_quote_set_tax_rate(quote, 10000), QY_OK);
	assert_int_equal(qy_quote_set_tax_rate(quote, 10001), QY_BPS_RANGE);
	assert_int_equal(qy_quote_set_tax_rate(quote, -1), QY_BPS_RANGE);
	assert_int_equal(quote->tax_rate_bps, 10000);
}

/* B019 */
static void a_quantity_is_at_most_one_million(void **state)
{
	struct qy_quote *quote = *state;
	struct qy_line_spec spec = plain;

	spec.quantity = 1000001;
	assert_refused(quote, &spec, QY_QUANTITY_LIMIT);
	spec.quantity = -1;
	assert_refused(quote, &spec, QY_QUANTITY_LIMIT);
	spec.quantity = INT64_MIN;
	assert_refused(quote, &spec, QY_QUANTITY_LIMIT);
	spec.quantity = 1000000;
	assert_int_equal(qy_quote_add_line(quote, &spec, NULL), QY_OK);
	spec.quantity = 0;
	assert_int_equal(qy_quote_add_line(quote, &spec, NULL), QY_OK);
}

/* B019 */
static void a_quote_has_at_most_five_hundred_lines(void **state)
{
	struct qy_quote *quote = *state;
	int i;

	for (i = 0; i < 500; i++) {
		assert_int_equal(qy_quote_add_line(quote, &plain, NULL), QY_OK);
	}
	assert_refused(quote, &plain, QY_LINE_LIMIT);
	assert_string_equal(quote->lines[499].id, "Q-2026-0001-ql-500");
	assert_int_equal(quote->lines[499].position, 500);
}

static void line_numbers_go_on_from_the_largest_ever_used(void **state)
{
	struct qy_quote *quote = *state;
	struct qy_line_spec spec = plain;
	struct qy_line *line;

	spec.id = "Q-2026-0001-ql-7";
	spec.position = 3;
	assert_int_equal(qy_quote_add_line(quote, &spec, &line), QY_OK);
	assert_string_equal(line->id, "Q-2026-0001-ql-7");
	assert_int_equal(line->position, 3);
	assert_int_equal(qy_quote_add_line(quote, &plain, &line), QY_OK);
	assert_string_equal(line->id, "Q-2026-0001-ql-8");
	assert_int_equal(line->position, 4);
	spec.position = 0;
	assert_refused(quote, &spec, QY_DUPLICATE_ID);
	spec.id = "elsewhere-3";
	spec.position = 4;
	assert_refused(quote, &spec, QY_INVALID_FIELD);
	spec.position = UINT32_MAX;
	assert_int_equal(qy_quote_add_line(quote, &spec, &line), QY_OK);
	assert_refused(quote, &plain, QY_INVALID_FIELD);
	spec.id = "";
	assert_refused(quote, &spec, QY_INVALID_FIELD);
}

static void a_quote_without_id_makes_no_line_ids(void **state)
{
	struct qy_line_spec spec = plain;
	struct qy_quote quote;

	(void)state;
	qy_quote_init(&quote);
	assert_refused(&quote, &plain, QY_INVALID_ID);
	spec.id = "";
	assert_refused(&quote, &spec, QY_INVALID_ID);
	spec.id = "somewhere-1";
	assert_int_equal(qy_quote_add_line(&quote, &spec, NULL), QY_OK);
	qy_quote_fini(&quote);
}

static void bad_line_values_are_refused(void **state)
{
	char text[QY_NOTES_MAX + 2];
	struct qy_quote *quote = *state;
	struct qy_line_spec spec = plain;

	spec.discount_bps = 10001;
	assert_refused(quote, &spec, QY_BPS_RANGE);
	spec.discount_bps = -1;
	assert_refused(quote, &spec, QY_BPS_RANGE);
	spec = plain;
	spec.price_source = QY_PRICE_SOURCE_COUNT;
	assert_refused(quote, &spec, QY_INVALID_FIELD);
	spec = plain;
	memset(text, 'a', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	spec.notes = text;
	assert_refused(quote, &spec, QY_TEXT_TOO_LONG);
	spec = plain;
	text[65] = '\0';
	spec.product_id = text;
	assert_refused(quote, &spec, QY_TEXT_TOO_LONG);
	spec.product_id = "a\nb";
	assert_refused(quote, &spec, QY_INVALID_FIELD);
}

static void product_ids_are_stored_trimmed(void **state)
{
	struct qy_quote *quote = *state;
	struct qy_line_spec spec = plain;

	spec.product_id = " \tprd-team \n";
	assert_int_equal(qy_quote_add_line(quote, &spec, NULL), QY_OK);
	assert_string_equal(quote->lines[0].product_id, "prd-team");
	spec.product_id = "  ";
	assert_int_equal(qy_quote_add_line(quote, &spec, NULL), QY_OK);
	assert_string_equal(quote->lines[1].product_id, "");
}

static void attributes_are_kept_sorted_and_unique(void **state)
{
	struct qy_attribute_spec attributes[QY_ATTRIBUTES_MAX + 1] = {
	    {"zone", "b"}, {"region", "e\"u"}, {"Alpha", ""}};
	struct qy_line_spec spec = plain;
	struct qy_quote *quote = *state;
	struct qy_line *line;
	char *json;

	spec.attributes = attributes;
	spec.attribute_count = 3;
	assert_int_equal(qy_quote_add_line(quote, &spec, &line), QY_OK);
	assert_string_equal(qy_line_attribute(line, "region"), "e\"u");
	assert_string_equal(qy_line_attribute(line, "Alpha"), "");
	assert_null(qy_line_attribute(line, "alpha"));
	assert_int_equal(qy_line_attributes_json(line, &json), QY_OK);
	assert_string_equal(json, "{\"Alpha\":\"\",\"region\":\"e\\\"u\",\"zone\":\"b\"}");
	free(json);
	attributes[2].key = "zone";
	assert_refused(quote, &spec, QY_INVALID_FIELD);
	attributes[2].key = "";
	assert_refused(quote, &spec, QY_INVALID_FIELD);
	attributes[2] = (struct qy_attribute_spec){"zone2", NULL};
	assert_refused(quote, &spec, QY_INVALID_FIELD);
	spec.attribute_count = QY_ATTRIBUTES_MAX + 1;
	assert_refused(quote, &spec, QY_INVALID_FIELD);
	assert_int_equal(qy_quote_add_line(quote, &plain, &line), QY_OK);
	assert_int_equal(qy_line_attributes_json(line, &json), QY_OK);
	assert_string_equal(json, "{}");
	free(json);
}

static void a_copy_shares_nothing_with_its_original(void **state)
{
	static const struct qy_attribute_spec attribute = {"region", "eu"};
	struct qy_quote *quote = *state, copy;
	struct qy_line_spec spec = plain;

	spec.attributes = &attribute;
	spec.attribute_count = 1;
	spec.notes = "first";
	spec.discount_bps = 250;
	assert_int_equal(qy_quote_add_line(quote, &spec, NULL), QY_OK);
	assert_int_equal(qy_quote_add_line(quote, &plain, NULL), QY_OK);
	assert_int_equal(qy_quote_set(quote, QY_FIELD_ACCOUNT_NAME, "Acme Corp"), QY_OK);
	assert_int_equal(qy_quote_set_term(quote, 12), QY_OK);
	assert_int_equal(qy_quote_set_tax_rate(quote, 1900), QY_OK);
	quote->status = QY_STATUS_REVISED;
	quote->flow_type = QY_FLOW_DISCOUNT_EXCEPTION;
	quote->customer_decision = QY_DECISION_REJECTED;
	quote->version = 3;
	quote->state_version = 9;
	assert_int_equal(qy_quote_copy(quote, &copy), QY_OK);
	qy_quote_fini(quote);
	assert_string_equal(copy.id, "Q-2026-0001");
	assert_string_equal(copy.account_name, "Acme Corp");
	assert_null(copy.notes);
	assert_int_equal(copy.term_months, 12);
	assert_int_equal(copy.tax_rate_bps, 1900);
	assert_int_equal(copy.status, QY_STATUS_REVISED);
	assert_int_equal(copy.flow_type, QY_FLOW_DISCOUNT_EXCEPTION);
	assert_int_equal(copy.customer_decision, QY_DECISION_REJECTED);
	assert_int_equal(copy.version, 3);
	assert_int_equal(copy.state_version, 9);
	assert_int_equal(copy.line_count, 2);
	assert_string_equal(copy.lines[0].notes, "first");
	assert_string_equal(qy_line_attribute(&copy.lines[0], "region"), "eu");
	assert_int_equal(copy.lines[0].discount_bps, 250);
	assert_int_equal(copy.lines[0].unit_price_minor, 1800);
	assert_int_equal(qy_quote_add_line(&copy, &plain, NULL), QY_OK);
	assert_string_equal(copy.lines[2].id, "Q-2026-0001-ql-3");
	qy_quote_fini(&copy);
}

static void assert_missing(const struct qy_quote *quote, const char *expected)
{
	struct qy_missing missing;
	char actual[256] = "";
	unsigned i;

	qy_quote_missing_fields(quote, &missing);
	for (i = 0; i < missing.count; i++) {
		strcat(actual, i > 0 ? " " : "");
		strcat(actual, missing.names[i]);
	}
	assert_string_equal(actual, expected);
}

static void missing_fields_come_in_their_order(void **state)
{
	struct qy_quote *quote = *state;

	assert_missing(quote, "account_name lines currency term_months billing_country "
			      "payment_terms");
	quote->flow_type = QY_FLOW_RENEWAL_EXPANSION;
	assert_missing(quote, "account_name lines currency term_months billing_country "
			      "payment_terms prior_quote_id");
	quote->flow_type = QY_FLOW_DISCOUNT_EXCEPTION;
	assert_missing(quote, "account_name lines currency term_months billing_country "
			      "payment_terms discount_reason");
	assert_int_equal(qy_quote_set(quote, QY_FIELD_ACCOUNT_NAME, "Acme"), QY_OK);
	assert_int_equal(qy_quote_add_line(quote, &plain, NULL), QY_OK);
	assert_int_equal(qy_quote_set(quote, QY_FIELD_CURRENCY, "USD"), QY_OK);
	assert_int_equal(qy_quote_set_term(quote, 12), QY_OK);
	assert_missing(quote, "billing_country payment_terms discount_reason");
	assert_int_equal(qy_quote_set(quote, QY_FIELD_BILLING_COUNTRY, "DE"), QY_OK);
	assert_int_equal(qy_quote_set(quote, QY_FIELD_PAYMENT_TERMS, "net_30"), QY_OK);
	assert_int_equal(qy_quote_set(quote, QY_FIELD_DISCOUNT_REASON, " "), QY_OK);
	assert_missing(quote, "discount_reason");
	assert_int_equal(qy_quote_set(quote, QY_FIELD_DISCOUNT_REASON, "big"), QY_OK);
	assert_missing(quote, "");
	assert_int_equal(qy_quote_set(quote, QY_FIELD_ACCOUNT_NAME, "  "), QY_OK);
	assert_missing(quote, "account_name");
}

/* Section 10: what the seed says is missing is what the rules say is missing. */
static void seed_quotes_lack_what_their_flow_state_says(void **state)
{
	struct qy_quote quote;

	(void)state;
	assert_int_equal(qy_seed_quote_make(&qy_seed_quotes[0], &quote), QY_OK);
	assert_missing(&quote, "billing_country payment_terms");
	assert_string_equal(qy_seed_flow_states[0].missing_fields_json,
			    "[\"billing_country\",\"payment_terms\"]");
	qy_quote_fini(&quote);
	assert_int_equal(qy_seed_quote_make(&qy_seed_quotes[2], &quote), QY_OK);
	assert_int_equal(quote.status, QY_STATUS_PRICED);
	assert_string_equal(quote.prior_quote_id, "quote-renewal-000");
	assert_missing(&quote, "");
	qy_quote_fini(&quote);
	assert_int_equal(qy_seed_quote_make(&qy_seed_quotes[3], &quote), QY_OK);
	assert_missing(&quote, "");
	assert_string_equal(quote.lines[1].id, "quote-discount-001-ql-2");
	qy_quote_fini(&quote);
}

static void utf8_is_checked_and_cut_by_code_point(void **state)
{
	static const char *const bad[] = {"\x80",     "\xc3",	      "\xc0\xaf",
					  "\xe2\x82", "\xed\xa0\x80", "\xf4\x90\x80\x80",
					  "\xff",     "a\xc3z",	      "\xe0\x80\xaf"};
	char text[5];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_false(qy_utf8_valid(bad[i], strlen(bad[i])));
	}
	assert_true(qy_utf8_valid("a\xc3\xa9\xe2\x82\xac\xf0\x9f\x9a\x80", 10));
	assert_true(qy_utf8_valid("", 0));
	qy_text_cut(text, sizeof(text), "ab\xe2\x82\xac");
	assert_string_equal(text, "ab");
	qy_text_cut(text, sizeof(text),
		    "a\xe2\x82\xac"
		    "b");
	assert_string_equal(text, "a\xe2\x82\xac");
	qy_text_cut(text, sizeof(text), NULL);
	assert_string_equal(text, "");
	qy_text_cut(text, 1, "abc");
	assert_string_equal(text, "");
	assert_true(qy_text_equal(NULL, NULL));
	assert_false(qy_text_equal(NULL, ""));
	assert_true(qy_text_blank(" \t\r\n"));
	assert_false(qy_text_blank(" x"));
}

#define WITH_QUOTE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_new_quote_is_a_net_new_draft),
	    cmocka_unit_test(stored_names_go_both_ways),
	    WITH_QUOTE(header_fields_check_what_they_are_given),
	    WITH_QUOTE(texts_are_bounded_utf8_without_control_characters),
	    WITH_QUOTE(a_field_may_be_set_from_its_own_text),
	    cmocka_unit_test(field_names_go_both_ways),
	    WITH_QUOTE(term_and_tax_have_ranges),
	    WITH_QUOTE(a_quantity_is_at_most_one_million),
	    WITH_QUOTE(a_quote_has_at_most_five_hundred_lines),
	    WITH_QUOTE(line_numbers_go_on_from_the_largest_ever_used),
	    cmocka_unit_test(a_quote_without_id_makes_no_line_ids),
	    WITH_QUOTE(bad_line_values_are_refused),
	    WITH_QUOTE(product_ids_are_stored_trimmed),
	    WITH_QUOTE(attributes_are_kept_sorted_and_unique),
	    WITH_QUOTE(a_copy_shares_nothing_with_its_original),
	    WITH_QUOTE(missing_fields_come_in_their_order),
	    cmocka_unit_test(seed_quotes_lack_what_their_flow_state_says),
	    cmocka_unit_test(utf8_is_checked_and_cut_by_code_point),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
