/*
 * Unit test of the server's JSON: the strict reader, the shape of a new quote, and quotes, prices
 * and requests for moves as text. Pure code only.
 */
#include "tests/lib/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "quotey/json/json.h"
#include "quotey/server/move_request.h"
#include "quotey/server/quote_input.h"
#include "quotey/server/quote_json.h"
#include "quotey/server/request.h"
#include "quotey/server/shape.h"

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

/* --- reading ------------------------------------------------------------------------------- */

static void assert_refused_n(const char *text, size_t length, enum qy_doc_fault fault,
			     const char *message)
{
	struct qy_doc_error error = {.fault = QY_DOC_FINE};
	struct qy_doc *doc = NULL;

	assert_false(qy_doc_parse(text, length, &doc, &error));
	assert_null(doc);
	assert_string_equal(error.text, message);
	assert_int_equal(error.fault, fault);
}

static void assert_refused(const char *text, enum qy_doc_fault fault, const char *message)
{
	assert_refused_n(text, strlen(text), fault, message);
}

static struct qy_doc *parse(const char *text)
{
	struct qy_doc_error error = {.fault = QY_DOC_FINE};
	struct qy_doc *doc = NULL;

	if (!qy_doc_parse(text, strlen(text), &doc, &error)) {
		fail_msg("%s: %s", text, error.text);
	}
	return doc;
}

static void what_others_write_may_have_any_number(void **state)
{
	static const char text[] = "{\"a\": [1.5, 1e3, 12345678901234567890, -7]}";
	struct qy_doc_error error = {.fault = QY_DOC_FINE};
	struct qy_doc *doc = NULL;
	const struct qy_doc *value;

	(void)state;
	assert_refused(text, QY_DOC_NUMBER, "the number at byte 8 is not whole or too large");
	assert_true(qy_doc_parse_foreign(text, strlen(text), &doc, &error));
	value = qy_doc_first(qy_doc_member(doc, "a"));
	assert_int_equal(qy_doc_kind(value), QY_DOC_FRACTION);
	value = qy_doc_next(value);
	assert_int_equal(qy_doc_integer(value), 1000);
	value = qy_doc_next(value);
	assert_int_equal(qy_doc_kind(value), QY_DOC_FRACTION);
	value = qy_doc_next(value);
	assert_int_equal(qy_doc_integer(value), -7);
	qy_doc_destroy(&doc);
	/* Everything else is as strict. */
	assert_false(qy_doc_parse_foreign("{\"a\":1,\"a\":1.5}", 15, &doc, &error));
	assert_int_equal(error.fault, QY_DOC_DUPLICATE);
	assert_false(qy_doc_parse_foreign("[01.5]", 6, &doc, &error));
	assert_int_equal(error.fault, QY_DOC_SYNTAX);
}

static void a_member_is_found_in_the_text_as_it_was_written(void **state)
{
	static const struct {
		const char *text, *name, *span; /* NULL: none */
	} spans[] = {
	    {"{\"a\":1}", "a", "1"},
	    {" { \"a\" : \"x\\\"}\" , \"b\" : [1, {\"b\": 2}] } ", "b", "[1, {\"b\": 2}]"},
	    {" { \"a\" : \"x\\\"}\" , \"b\" : 0 } ", "a", "\"x\\\"}\""},
	    {"{\"c\":{\"a\":1},\"a\":null\n}", "a", "null"},
	    {"{\"c\":{\"a\":[]},\"b\":{ \"]\" : \"}\" }}", "b", "{ \"]\" : \"}\" }"},
	    {"{\"c\":{\"a\":1}}", "a", NULL},
	    {"{\"\\u0061\":1}", "a", NULL},
	    {"{}", "a", NULL},
	    {"{\"aa\":1,\"\":2}", "a", NULL},
	    {"{\"aa\":1,\"\":2}", "", "2"},
	    {"[\"a\",1]", "a", NULL},
	    {"\"a\"", "a", NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(spans); i++) {
		struct qy_doc *doc = parse(spans[i].text);
		const char *from = NULL;
		size_t n = 0;
		bool found = qy_doc_span(spans[i].text, spans[i].name, &from, &n);

		qy_doc_destroy(&doc);
		assert_int_equal(found, spans[i].span != NULL);
		if (found) {
			assert_int_equal(n, strlen(spans[i].span));
			assert_memory_equal(from, spans[i].span, n);
		}
	}
}

static void values_are_read_by_kind_and_name(void **state)
{
	struct qy_doc *doc =
	    parse(" {\"a\": [1, \"\\u00e9\\n\", null, true],\"b\":{} , \"c\":-0}\n");
	const struct qy_doc *value = qy_doc_first(qy_doc_member(doc, "a"));

	(void)state;
	assert_int_equal(qy_doc_kind(doc), QY_DOC_OBJECT);
	assert_int_equal(qy_doc_integer(value), 1);
	value = qy_doc_next(value);
	assert_string_equal(qy_doc_string(value), "\xc3\xa9\n");
	value = qy_doc_next(value);
	assert_int_equal(qy_doc_kind(value), QY_DOC_NULL);
	value = qy_doc_next(value);
	assert_true(qy_doc_boolean(value));
	assert_null(qy_doc_next(value));
	assert_string_equal(qy_doc_name(qy_doc_member(doc, "b")), "b");
	assert_int_equal(qy_doc_integer(qy_doc_member(doc, "c")), 0);
	assert_null(qy_doc_member(doc, "A"));
	qy_doc_destroy(&doc);
	assert_null(doc);
	qy_doc_destroy(&doc);
	qy_doc_destroy(NULL);
}

static void what_is_not_json_is_refused_with_its_place(void **state)
{
	(void)state;
	assert_refused("", QY_DOC_SYNTAX, "it is empty");
	assert_refused(" \n", QY_DOC_SYNTAX, "it is empty");
	assert_refused("{", QY_DOC_SYNTAX, "malformed near byte 2");
	assert_refused("[1,]", QY_DOC_SYNTAX, "malformed near byte 4");
	assert_refused("{\"a\":1,}", QY_DOC_SYNTAX, "malformed near byte 9");
	assert_refused("{a:1}", QY_DOC_SYNTAX, "an unexpected character at byte 2");
	assert_refused("{'a':1}", QY_DOC_SYNTAX, "an unexpected character at byte 2");
	assert_refused("]", QY_DOC_SYNTAX, "a closing bracket too many at byte 1");
	assert_refused("[1] 2", QY_DOC_SYNTAX, "malformed near byte 5");
	assert_refused("{} x", QY_DOC_SYNTAX, "an unexpected character at byte 4");
	assert_refused("nul", QY_DOC_SYNTAX, "an unexpected character at byte 1");
	assert_refused("NaN", QY_DOC_SYNTAX, "an unexpected character at byte 1");
	assert_refused("\xef\xbb\xbf{}", QY_DOC_SYNTAX, "an unexpected character at byte 1");
	assert_refused("[1 2]", QY_DOC_SYNTAX, "malformed near byte 4");
	assert_refused("[1\f]", QY_DOC_SYNTAX, "an unexpected character at byte 3");
}

static void strings_are_strict(void **state)
{
	(void)state;
	assert_refused("\"a", QY_DOC_SYNTAX, "a string without end at byte 3");
	assert_refused("\"a\tb\"", QY_DOC_SYNTAX, "a control character in a string at byte 3");
	assert_refused("\"\\x\"", QY_DOC_SYNTAX, "a bad escape at byte 2");
	assert_refused("\"\\u12g4\"", QY_DOC_SYNTAX, "a bad escape at byte 2");
	assert_refused("\"a\\u0000b\"", QY_DOC_SYNTAX, "a NUL in a string at byte 3");
	assert_refused("\"\\", QY_DOC_SYNTAX, "a bad escape at byte 2");
	assert_refused("\"\\ud800\"", QY_DOC_SYNTAX, "malformed near byte 2");
	assert_refused("\"\xff\"", QY_DOC_SYNTAX, "it is not UTF-8");
	assert_refused_n("\"a\0b\"", 5, QY_DOC_SYNTAX, "it holds a NUL byte");
}

static void numbers_are_whole_and_exact(void **state)
{
	static const char *const malformed[] = {"01", "-", "-a", "1.", "1e", "1e+", "-01"};
	static const char *const inexact[] = {"1.5",
					      "1e2",
					      "1.0",
					      "9007199254740992",
					      "-9007199254740992",
					      "9007199254740993",
					      "123456789012345678901234567890"};
	struct qy_doc *doc = parse("[9007199254740991,-9007199254740991]");
	size_t i;

	(void)state;
	assert_true(qy_doc_integer(qy_doc_first(doc)) == QY_DOC_INTEGER_MAX);
	assert_true(qy_doc_integer(qy_doc_next(qy_doc_first(doc))) == -QY_DOC_INTEGER_MAX);
	qy_doc_destroy(&doc);
	for (i = 0; i < ARRAY_LEN(malformed); i++) {
		assert_refused(malformed[i], QY_DOC_SYNTAX, "a malformed number at byte 1");
	}
	for (i = 0; i < ARRAY_LEN(inexact); i++) {
		assert_refused(inexact[i], QY_DOC_NUMBER,
			       "the number at byte 1 is not whole or too large");
	}
	/* A bad number does not hide that the rest is not JSON. */
	assert_refused("[1.5,", QY_DOC_SYNTAX, "malformed near byte 6");
}

static void a_member_given_twice_is_refused_at_any_depth(void **state)
{
	(void)state;
	assert_refused("{\"a\":1,\"a\":1}", QY_DOC_DUPLICATE, "a member is given twice");
	assert_refused("[{\"x\":{\"a\":1,\"b\":2,\"\\u0061\":3}}]", QY_DOC_DUPLICATE,
		       "a member is given twice");
	struct qy_doc *doc = parse("{\"a\":1,\"A\":1}");
	qy_doc_destroy(&doc);
}

static void size_and_depth_are_limited(void **state)
{
	char deep[80];
	char *wide = malloc(2 * (QY_DOC_VALUES_MAX + 8));
	char *members = malloc(16 * (QY_DOC_MEMBERS_MAX + 8)), *at = members;
	struct qy_doc *doc;
	size_t i;

	(void)state;
	memset(deep, '[', 33);
	memset(deep + 33, ']', 33);
	deep[66] = '\0';
	assert_refused(deep, QY_DOC_LIMIT, "nested deeper than 32");
	memmove(deep, deep + 1, 64);
	deep[64] = '\0';
	doc = parse(deep);
	qy_doc_destroy(&doc);

	wide[0] = '[';
	for (i = 0; i < QY_DOC_VALUES_MAX; i++) {
		memcpy(wide + 1 + 2 * i, "1,", 2);
	}
	strcpy(wide + 2 * i, "]");
	assert_refused(wide, QY_DOC_LIMIT, "more than 50000 values");
	free(wide);

	at += sprintf(at, "{\"m\":0");
	for (i = 0; i < QY_DOC_MEMBERS_MAX; i++) {
		at += sprintf(at, ",\"m%zu\":0", i);
	}
	strcpy(at, "}");
	assert_refused(members, QY_DOC_LIMIT, "an object with more than 256 members");
	free(members);
}

/* --- a new quote --------------------------------------------------------------------------- */

#define LINE "{\"product_id\":\"prd-team\",\"quantity\":3}"

static void assert_input_fails(const char *text, int status, const char *code, const char *member,
			       const char *message)
{
	struct qy_doc *doc = NULL;
	struct qy_quote quote;
	struct qy_error error;
	bool manual = false;

	if (qy_body_parse(text, strlen(text), &doc, &error)) {
		assert_false(qy_quote_input(doc, &quote, &manual, &error));
	}
	assert_string_equal(error.text, message);
	assert_int_equal(error.status, status);
	assert_string_equal(error.code, code);
	assert_string_equal(error.member, member);
	qy_doc_destroy(&doc);
}

static void a_wrong_shape_is_422_and_names_the_member(void **state)
{
	(void)state;
	assert_input_fails("[]", 422, "WRONG_TYPE", "",
			   "The body must be an object, not an array.");
	assert_input_fails("{}", 422, "MISSING_MEMBER", "lines", "lines: is missing");
	assert_input_fails("{\"lines\":[],\"id\":\"x\"}", 422, "UNKNOWN_MEMBER", "id",
			   "id: is not known here");
	assert_input_fails("{\"lines\":{}}", 422, "WRONG_TYPE", "lines", "lines: must be an array");
	assert_input_fails("{\"lines\":[" LINE ",5]}", 422, "WRONG_TYPE", "lines[1]",
			   "lines[1]: must be an object");
	assert_input_fails("{\"lines\":[{\"product_id\":\"p\"}]}", 422, "MISSING_MEMBER",
			   "lines[0].quantity", "lines[0].quantity: is missing");
	assert_input_fails("{\"lines\":[{\"product_id\":\"p\",\"quantity\":\"3\"}]}", 422,
			   "WRONG_TYPE", "lines[0].quantity",
			   "lines[0].quantity: must be a number");
	assert_input_fails("{\"currency\":\"USD\",\"lines\":[{\"product_id\":\"p\",\"quantity\":1,"
			   "\"unit_price\":10}]}",
			   422, "WRONG_TYPE", "lines[0].unit_price",
			   "lines[0].unit_price: must be a string");
	assert_input_fails("{\"lines\":[{\"product_id\":\"p\",\"quantity\":1.5}]}", 422,
			   "INVALID_NUMBER", "",
			   "the number at byte 40 is not whole or too large: numbers are whole "
			   "here, and amounts are strings");
	assert_input_fails("{\"lines\":[{\"product_id\":\"p\",\"quantity\":1,"
			   "\"unit_price\":\"1.00\"}]}",
			   422, "MISSING_MEMBER", "currency",
			   "currency: is missing, and line 1 has a unit_price");
	assert_input_fails("{\"lines\":[{\"product_id\":\"p\",\"quantity\":1,"
			   "\"attributes\":{\"k\":[]}}]}",
			   422, "WRONG_TYPE", "lines[0].attributes.k",
			   "lines[0].attributes.k: must be true or false or a number or a string");
}

static void an_unacceptable_value_is_400_with_the_code_of_the_domain(void **state)
{
	(void)state;
	assert_input_fails("{", 400, "INVALID_JSON", "",
			   "The body is not JSON: malformed near byte 2.");
	assert_input_fails("{\"lines\":[],\"currency\":\"ZZZ\"}", 400, "UNKNOWN_CURRENCY",
			   "currency",
			   "currency: the currency is not one of the supported ISO 4217 codes");
	assert_input_fails("{\"lines\":[],\"billing_country\":\"Germany\"}", 400, "TEXT_TOO_LONG",
			   "billing_country",
			   "billing_country: the text is longer than its field allows");
	assert_input_fails("{\"lines\":[],\"term_months\":121}", 400, "INVALID_FIELD",
			   "term_months", "term_months: the field's value is not acceptable");
	assert_input_fails("{\"lines\":[],\"tax_rate_bps\":10001}", 400, "BPS_RANGE",
			   "tax_rate_bps", "tax_rate_bps: the rate is outside 0 to 100 percent");
	assert_input_fails("{\"lines\":[" LINE ",{\"product_id\":\"p\",\"quantity\":1000001}]}",
			   400, "QUANTITY_LIMIT", "lines[1].quantity",
			   "line 2: quantity: the quantity is outside 0 to 1000000");
	assert_input_fails("{\"currency\":\"USD\",\"lines\":[{\"product_id\":\"p\",\"quantity\":1,"
			   "\"unit_price\":\"10.999\"}]}",
			   400, "MONEY_SCALE", "lines[0].unit_price",
			   "line 1: unit_price: the amount has more fraction digits than its "
			   "currency");
	/* The whole shape goes before any value. */
	assert_input_fails("{\"currency\":\"ZZZ\",\"lines\":[7]}", 422, "WRONG_TYPE", "lines[0]",
			   "lines[0]: must be an object");
}

static void line_501_is_refused(void **state)
{
	char *text = malloc(32 + 501 * sizeof(LINE ",")), *at = text;
	struct qy_doc *doc = NULL;
	struct qy_quote quote;
	struct qy_error error;
	bool manual;
	int i;

	(void)state;
	at += sprintf(at, "{\"lines\":[" LINE);
	for (i = 1; i < 501; i++) {
		at += sprintf(at, "," LINE);
	}
	strcpy(at, "]}");
	assert_true(qy_body_parse(text, strlen(text), &doc, &error));
	assert_false(qy_quote_input(doc, &quote, &manual, &error));
	assert_string_equal(error.code, "LINE_LIMIT");
	assert_int_equal(error.position, 501);
	qy_doc_destroy(&doc);
	free(text);
}

static struct qy_quote input(const char *text, bool *ret_manual)
{
	struct qy_doc *doc = NULL;
	struct qy_error error = {.status = 0};
	struct qy_quote quote;

	qy_quote_init(&quote);
	if (!qy_body_parse(text, strlen(text), &doc, &error) ||
	    !qy_quote_input(doc, &quote, ret_manual, &error)) {
		fail_msg("%s", error.text);
	}
	qy_doc_destroy(&doc);
	return quote;
}

static void a_quote_is_read_with_all_its_members(void **state)
{
	bool manual = false;
	struct qy_quote quote =
	    input("{\"lines\":[" LINE ",{\"product_id\":\" prd-x \",\"quantity\":2,"
		  "\"discount_bps\":500,\"unit_price\":\"125.5\",\"notes\":\"n\","
		  "\"attributes\":{\"b\":90,\"a\":\"eu\",\"c\":true}}],"
		  "\"currency\":\"USD\",\"account_name\":\"Acme\",\"term_months\":12,"
		  "\"tax_rate_bps\":1900,\"flow_type\":\"discount_exception\",\"notes\":null}",
		  &manual);
	const struct qy_line *line = &quote.lines[1];

	(void)state;
	assert_true(manual);
	assert_string_equal(quote.account_name, "Acme");
	assert_null(quote.notes);
	assert_null(quote.id);
	assert_int_equal(quote.term_months, 12);
	assert_int_equal(quote.tax_rate_bps, 1900);
	assert_int_equal(quote.flow_type, QY_FLOW_DISCOUNT_EXCEPTION);
	assert_int_equal(quote.line_count, 2);
	assert_int_equal(quote.lines[0].price_source, QY_PRICE_LIST);
	assert_string_equal(line->product_id, "prd-x");
	assert_int_equal(line->price_source, QY_PRICE_MANUAL);
	assert_int_equal(line->unit_price_minor, 12550);
	assert_int_equal(line->discount_bps, 500);
	assert_string_equal(qy_line_attribute(line, "a"), "eu");
	assert_string_equal(qy_line_attribute(line, "b"), "90");
	assert_string_equal(qy_line_attribute(line, "c"), "true");
	qy_quote_fini(&quote);
}

/* --- quotes as text ------------------------------------------------------------------------ */

#define MANUAL_QUOTE                                                                               \
	"{\"currency\":\"USD\",\"tax_rate_bps\":1900,\"account_name\":\"A \\\"B\\\"\","            \
	"\"lines\":[{\"product_id\":\"p\",\"quantity\":4,\"unit_price\":\"125.00\","               \
	"\"discount_bps\":500}]}"

static void a_quote_is_written_with_amounts_as_text_and_members_in_order(void **state)
{
	bool manual;
	struct qy_quote quote = input(MANUAL_QUOTE, &manual);
	char *text = NULL, *again = NULL;

	(void)state;
	assert_int_equal(qy_quote_set(&quote, QY_FIELD_ID, "Q-2026-0001"), QY_OK);
	assert_int_equal(qy_quote_json(&quote, &text), QY_OK);
	assert_string_equal(
	    text, "{\"account_id\":null,\"account_name\":\"A \\\"B\\\"\",\"billing_country\":null,"
		  "\"created_at\":null,\"created_by\":null,\"currency\":\"USD\","
		  "\"customer_decided_at\":null,\"customer_decision\":\"none\",\"deal_id\":null,"
		  "\"discount_reason\":null,\"end_date\":null,\"finalized_at\":null,"
		  "\"fingerprint\":null,\"flow_type\":\"net_new\",\"id\":\"Q-2026-0001\","
		  "\"lines\":[{\"attributes\":{},\"discount\":\"25.00\",\"discount_bps\":500,"
		  "\"id\":\"new-1\",\"notes\":null,\"position\":1,\"price_source\":\"manual\","
		  "\"product_id\":\"p\",\"quantity\":4,\"subtotal\":\"500.00\","
		  "\"total\":\"475.00\",\"unit_price\":\"125.00\"}],"
		  "\"lock_expires_at\":null,\"locked_at\":null,\"locked_by\":null,\"notes\":null,"
		  "\"payment_terms\":null,\"prior_quote_id\":null,\"sales_rep_id\":null,"
		  "\"sent_at\":null,\"slack_channel\":null,\"slack_thread_ts\":null,"
		  "\"start_date\":null,\"state_version\":1,\"status\":\"draft\","
		  "\"tax_rate_bps\":1900,\"term_months\":null,"
		  "\"totals\":{\"discount\":\"25.00\",\"subtotal\":\"500.00\",\"tax\":\"90.25\","
		  "\"total\":\"565.25\"},\"updated_at\":null,\"valid_until\":null,\"version\":1}");
	assert_int_equal(qy_quote_json(&quote, &again), QY_OK);
	assert_string_equal(text, again);
	free(text);
	free(again);
	qy_quote_fini(&quote);
}

static void an_amount_that_overflows_is_null_and_never_wrapped(void **state)
{
	bool manual;
	struct qy_quote quote = input("{\"currency\":\"USD\",\"lines\":[{\"product_id\":\"p\","
				      "\"quantity\":2,\"unit_price\":\"92233720368547758.07\"}]}",
				      &manual);
	char *text = NULL;

	(void)state;
	assert_int_equal(qy_quote_json(&quote, &text), QY_OK);
	assert_non_null(strstr(text, "\"subtotal\":null,\"total\":null,"
				     "\"unit_price\":\"92233720368547758.07\""));
	assert_non_null(strstr(text, "\"totals\":null"));
	free(text);
	qy_quote_fini(&quote);
}

static struct qy_price_result priced(const char *text)
{
	struct qy_price_result result;
	bool manual;

	memset(&result, 0, sizeof(result));
	result.quote = input(text, &manual);
	qy_quote_missing_fields(&result.quote, &result.missing);
	assert_int_equal(qy_check(&result.quote, NULL, &result.violations), QY_OK);
	if (result.violations.count == 0) {
		assert_int_equal(qy_price(&result.quote, NULL, &result.pricing, NULL), QY_OK);
		result.has_pricing = true;
	}
	return result;
}

static void priced_fini(struct qy_price_result *result)
{
	qy_quote_fini(&result->quote);
	qy_pricing_fini(&result->pricing);
	qy_violations_fini(&result->violations);
}

static void a_priced_quote_has_its_trace(void **state)
{
	struct qy_price_result result = priced(MANUAL_QUOTE);
	char *text = NULL;

	(void)state;
	strcpy(result.snapshot_id, "PS-000000000001");
	assert_int_equal(qy_priced_json(&result, &text), QY_OK);
	assert_non_null(strstr(text, "\"missing_fields\":[\"term_months\",\"billing_country\","
				     "\"payment_terms\"],\"notes\":null"));
	assert_non_null(strstr(
	    text, "\"pricing\":{\"currency\":\"USD\",\"discount\":\"25.00\","
		  "\"snapshot_id\":\"PS-000000000001\",\"subtotal\":\"500.00\",\"tax\":\"90.25\","
		  "\"tax_rate_bps\":1900,\"total\":\"565.25\",\"trace\":[{\"discount\":\"25.00\","
		  "\"discount_bps\":500,\"position\":1,\"product_id\":\"p\",\"quantity\":4,"
		  "\"source\":\"manual\",\"step\":\"line_item\",\"subtotal\":\"500.00\","
		  "\"tier_min_quantity\":null,\"total\":\"475.00\",\"unit_price\":\"125.00\"},"
		  "{\"amount\":\"500.00\",\"step\":\"subtotal\"},"
		  "{\"amount\":\"25.00\",\"step\":\"discounts\"},"
		  "{\"amount\":\"90.25\",\"rate_bps\":1900,\"step\":\"tax\"},"
		  "{\"amount\":\"565.25\",\"step\":\"total\"}]},\"prior_quote_id\""));
	free(text);
	priced_fini(&result);
}

static void a_preview_lists_violations_and_has_no_price_then(void **state)
{
	struct qy_price_result result = priced("{\"currency\":\"USD\",\"lines\":[]}");
	char *text = NULL;

	(void)state;
	assert_int_equal(qy_preview_json(&result, &text), QY_OK);
	assert_non_null(strstr(text, "\"pricing\":null,\"quote_id\":null,\"state_version\":1,"
				     "\"status\":\"draft\",\"valid\":false,\"version\":1,"
				     "\"violations\":[{\"code\":\"EMPTY_QUOTE\",\"message\":"));
	assert_non_null(strstr(text, "\"position\":null,\"product_id\":null,"));
	free(text);
	priced_fini(&result);
}

static void a_list_has_items_without_lines(void **state)
{
	const struct qy_quote_filter filter = {.limit = 20, .offset = 40};
	struct qy_quote_list list = {.count = 1, .total = 41};
	struct qy_quote quote;
	char *text = NULL;
	bool manual;

	(void)state;
	quote = input(MANUAL_QUOTE, &manual);
	list.items = &quote;
	assert_int_equal(qy_quote_list_json(&list, &filter, &text), QY_OK);
	assert_memory_equal(text, "{\"items\":[{\"account_id\":null,", 29);
	assert_non_null(strstr(text, "\"line_count\":1,\"lock_expires_at\""));
	assert_null(strstr(text, "\"lines\""));
	assert_non_null(strstr(text, "}],\"limit\":20,\"offset\":40,\"total\":41}"));
	free(text);
	qy_quote_fini(&quote);
}

/* --- the rest of a request ----------------------------------------------------------------- */

static void only_json_in_utf8_is_a_json_media_type(void **state)
{
	(void)state;
	assert_true(qy_media_type_is_json("application/json"));
	assert_true(qy_media_type_is_json("Application/JSON; Charset=UTF-8"));
	assert_true(qy_media_type_is_json("application/json;charset=\"utf-8\""));
	assert_false(qy_media_type_is_json(NULL));
	assert_false(qy_media_type_is_json(""));
	assert_false(qy_media_type_is_json("text/plain"));
	assert_false(qy_media_type_is_json("application/jsonp"));
	assert_false(qy_media_type_is_json("application/json; charset=latin1"));
}

static void an_entity_tag_is_a_state_version(void **state)
{
	(void)state;
	assert_int_equal(qy_entity_tag_version("\"3\""), 3);
	assert_int_equal(qy_entity_tag_version("W/\"12\""), 12);
	assert_int_equal(qy_entity_tag_version("7"), 7);
	assert_int_equal(qy_entity_tag_version("\"0\""), 0);
	assert_int_equal(qy_entity_tag_version("\"\""), 0);
	assert_int_equal(qy_entity_tag_version("\"1\", \"2\""), 0);
	assert_int_equal(qy_entity_tag_version("\"99999999999\""), 0);
	assert_int_equal(qy_entity_tag_version("-1"), 0);
}

static void assert_move_fails(const char *text, bool is_set, int status, const char *message)
{
	struct qy_move_request request;
	struct qy_error error = {.status = 0};

	assert_false(qy_move_request_read(text, strlen(text), is_set, &request, &error));
	assert_string_equal(error.text, message);
	assert_int_equal(error.status, status);
}

static void a_request_for_a_move_is_read_and_checked(void **state)
{
	static const char text[] = "{\"component\":\"server\",\"backend\":\"region\"}";
	struct qy_move_request request;
	struct qy_error error;

	(void)state;
	assert_true(qy_move_request_read(text, strlen(text), true, &request, &error));
	assert_string_equal(request.component, "server");
	assert_string_equal(request.backend, "region");
	assert_string_equal(request.actor, "user:operator");
	assert_string_equal(request.reason, "");
	assert_true(qy_move_request_read("", 0, false, &request, &error));
	assert_string_equal(request.component, "");
	assert_move_fails("", true, 400, "The body is not JSON: it is empty.");
	assert_move_fails(text, false, 422, "backend: is not known here");
	assert_move_fails("{\"component\":\"server\"}", true, 422, "backend: is missing");
	assert_move_fails("{\"component\":1,\"backend\":\"x\"}", true, 422,
			  "component: must be a string");
	assert_move_fails("{\"component\":\"server\",\"backend\":\"0123456789abcdef\"}", true, 400,
			  "backend: must be one line of at most 15 bytes");
	assert_move_fails("{\"reason\":\"a\\nb\"}", false, 400,
			  "reason: must be one line of at most 127 bytes");
	assert_move_fails("{\"actor\":\"user:\"}", false, 400,
			  "actor: must be <type>:<id>, for example user:operator");
	assert_move_fails("{\"actor\":\"me\"}", false, 400,
			  "actor: must be <type>:<id>, for example user:operator");
}

static void the_status_of_a_move_says_whose_fault_it_was(void **state)
{
	static const struct {
		enum qrt_err err;
		int before, begun;
	} cases[] = {
	    {QRT_OK, 200, 200},	    {QRT_ENOENT, 404, 503},    {QRT_ENOTSUP, 400, 503},
	    {QRT_EINVAL, 400, 503}, {QRT_ESTATE, 409, 409},    {QRT_EBUSY, 409, 409},
	    {QRT_EIO, 503, 503},    {QRT_ETIMEDOUT, 503, 503},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct qrt_move move = {.err = cases[i].err};

		assert_int_equal(qy_move_status(&move), cases[i].before);
		strcpy(move.from, "region");
		assert_int_equal(qy_move_status(&move), cases[i].begun);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_others_write_may_have_any_number),
	    cmocka_unit_test(a_member_is_found_in_the_text_as_it_was_written),
	    cmocka_unit_test(values_are_read_by_kind_and_name),
	    cmocka_unit_test(what_is_not_json_is_refused_with_its_place),
	    cmocka_unit_test(strings_are_strict),
	    cmocka_unit_test(numbers_are_whole_and_exact),
	    cmocka_unit_test(a_member_given_twice_is_refused_at_any_depth),
	    cmocka_unit_test(size_and_depth_are_limited),
	    cmocka_unit_test(a_wrong_shape_is_422_and_names_the_member),
	    cmocka_unit_test(an_unacceptable_value_is_400_with_the_code_of_the_domain),
	    cmocka_unit_test(line_501_is_refused),
	    cmocka_unit_test(a_quote_is_read_with_all_its_members),
	    cmocka_unit_test(a_quote_is_written_with_amounts_as_text_and_members_in_order),
	    cmocka_unit_test(an_amount_that_overflows_is_null_and_never_wrapped),
	    cmocka_unit_test(a_priced_quote_has_its_trace),
	    cmocka_unit_test(a_preview_lists_violations_and_has_no_price_then),
	    cmocka_unit_test(a_list_has_items_without_lines),
	    cmocka_unit_test(only_json_in_utf8_is_a_json_media_type),
	    cmocka_unit_test(an_entity_tag_is_a_state_version),
	    cmocka_unit_test(a_request_for_a_move_is_read_and_checked),
	    cmocka_unit_test(the_status_of_a_move_says_whose_fault_it_was),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
