/* Reads a new quote, table by table: header members, then lines. */
#include "quotey/server/quote_input.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "quotey/core/money.h"
#include "quotey/core/text.h"
#include "quotey/server/shape.h"

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define TEXT_OR_NULL (QY_DOC_STRING | QY_DOC_NULL)
#define ATTRIBUTE_KINDS (QY_DOC_STRING | QY_DOC_INTEGER | QY_DOC_BOOLEAN)

static const struct qy_member_rule header_rules[] = {
    {"flow_type", QY_DOC_STRING, false},
    {"account_id", TEXT_OR_NULL, false},
    {"account_name", TEXT_OR_NULL, false},
    {"deal_id", TEXT_OR_NULL, false},
    {"currency", TEXT_OR_NULL, false},
    {"term_months", QY_DOC_INTEGER | QY_DOC_NULL, false},
    {"start_date", TEXT_OR_NULL, false},
    {"end_date", TEXT_OR_NULL, false},
    {"valid_until", TEXT_OR_NULL, false},
    {"tax_rate_bps", QY_DOC_INTEGER, false},
    {"payment_terms", TEXT_OR_NULL, false},
    {"billing_country", TEXT_OR_NULL, false},
    {"notes", TEXT_OR_NULL, false},
    {"prior_quote_id", TEXT_OR_NULL, false},
    {"discount_reason", TEXT_OR_NULL, false},
    {"sales_rep_id", TEXT_OR_NULL, false},
    {"lines", QY_DOC_ARRAY, true},
};

static const struct qy_member_rule line_rules[] = {
    {"product_id", QY_DOC_STRING, true},     {"quantity", QY_DOC_INTEGER, true},
    {"discount_bps", QY_DOC_INTEGER, false}, {"unit_price", QY_DOC_STRING, false},
    {"attributes", QY_DOC_OBJECT, false},    {"notes", TEXT_OR_NULL, false},
};

struct input {
	struct qy_quote quote;
	bool manual;
	struct qy_error *error;
};

/* --- shape --------------------------------------------------------------------------------- */

static bool check_line_shape(const struct qy_doc *line, size_t index, struct qy_error *error)
{
	char path[32], name[32];
	const struct qy_doc *attributes, *value;

	snprintf(name, sizeof(name), "lines[%zu]", index);
	if (!qy_shape_kind(line, QY_DOC_OBJECT, "", name, error)) {
		return false;
	}
	snprintf(path, sizeof(path), "lines[%zu].", index);
	if (!qy_shape_check(line, line_rules, ARRAY_LEN(line_rules), path, error)) {
		return false;
	}
	attributes = qy_doc_member(line, "attributes");
	if (attributes == NULL) {
		return true;
	}
	snprintf(path, sizeof(path), "lines[%zu].attributes.", index);
	for (value = qy_doc_first(attributes); value != NULL; value = qy_doc_next(value)) {
		if (!qy_shape_kind(value, ATTRIBUTE_KINDS, path, qy_doc_name(value), error)) {
			return false;
		}
	}
	return true;
}

static bool check_shape(const struct qy_doc *body, struct qy_error *error)
{
	const struct qy_doc *line;
	size_t index = 0;

	if (!qy_shape_check(body, header_rules, ARRAY_LEN(header_rules), "", error)) {
		return false;
	}
	for (line = qy_doc_first(qy_doc_member(body, "lines")); line != NULL;
	     line = qy_doc_next(line)) {
		if (!check_line_shape(line, index++, error)) {
			return false;
		}
	}
	return true;
}

/* --- values -------------------------------------------------------------------------------- */

/* A value core refused; @position 0 is the header. */
static bool refuse(struct input *input, enum qy_code code, const char *name, size_t position)
{
	struct qy_error *error = input->error;

	if (code == QY_NO_MEMORY) {
		qy_error_set(error, 503, qy_code_name(code), "There is no memory for the quote.");
		return false;
	}
	if (position == 0) {
		qy_error_set(error, 400, qy_code_name(code), "%s: %s", name, qy_code_text(code));
		qy_text_cut(error->member, sizeof(error->member), name);
		return false;
	}
	qy_error_set(error, 400, qy_code_name(code), "line %zu: %s: %s", position, name,
		     qy_code_text(code));
	snprintf(error->member, sizeof(error->member), "lines[%zu]%s%s", position - 1,
		 name[0] != '\0' ? "." : "", name);
	error->position = (unsigned)position;
	return false;
}

/* What is not a text of the quote by that name. */
static enum qy_code take_other(struct qy_quote *quote, const char *name, const struct qy_doc *value)
{
	if (strcmp(name, "flow_type") == 0) {
		return qy_flow_type_parse(qy_doc_string(value), &quote->flow_type);
	}
	if (strcmp(name, "term_months") == 0) {
		return qy_quote_set_term(quote, qy_doc_integer(value));
	}
	if (strcmp(name, "tax_rate_bps") == 0) {
		return qy_quote_set_tax_rate(quote, qy_doc_integer(value));
	}
	QRT_ASSERT(strcmp(name, "lines") == 0);
	return QY_OK;
}

static bool take_header(struct input *input, const struct qy_doc *body)
{
	const struct qy_doc *member;

	for (member = qy_doc_first(body); member != NULL; member = qy_doc_next(member)) {
		const char *name = qy_doc_name(member);
		enum qy_quote_field field;
		enum qy_code code;

		if (qy_doc_kind(member) == QY_DOC_NULL) {
			continue;
		}
		if (qy_quote_field_parse(name, &field) == QY_OK) {
			code = qy_quote_set(&input->quote, field, qy_doc_string(member));
		} else {
			code = take_other(&input->quote, name, member);
		}
		if (code != QY_OK) {
			return refuse(input, code, name, 0);
		}
	}
	return true;
}

/* The attributes of one line, while it is being read. */
struct attributes {
	struct qy_attribute_spec specs[QY_ATTRIBUTES_MAX];
	char numbers[QY_ATTRIBUTES_MAX][24];
	size_t count;
};

/* Numbers and truth values become texts, as they are stored and compared. */
static bool take_attributes(const struct qy_doc *object, struct attributes *attributes)
{
	const struct qy_doc *value;

	for (value = qy_doc_first(object); value != NULL; value = qy_doc_next(value)) {
		struct qy_attribute_spec *spec = &attributes->specs[attributes->count];
		char *number = attributes->numbers[attributes->count];

		if (attributes->count == QY_ATTRIBUTES_MAX) {
			return false;
		}
		spec->key = qy_doc_name(value);
		switch (qy_doc_kind(value)) {
		case QY_DOC_STRING:
			spec->value = qy_doc_string(value);
			break;
		case QY_DOC_BOOLEAN:
			spec->value = qy_doc_boolean(value) ? "true" : "false";
			break;
		default:
			snprintf(number, sizeof(attributes->numbers[0]), "%" PRId64,
				 qy_doc_integer(value));
			spec->value = number;
			break;
		}
		attributes->count++;
	}
	return true;
}

static bool take_unit_price(struct input *input, const struct qy_doc *price,
			    struct qy_line_spec *spec, size_t position)
{
	struct qy_money money;
	enum qy_code code;

	/* The default currency is the store's to know, and an amount means nothing without one. */
	if (input->quote.currency == NULL) {
		qy_error_set(input->error, 422, "MISSING_MEMBER",
			     "currency: is missing, and line %zu has a unit_price", position);
		qy_text_cut(input->error->member, sizeof(input->error->member), "currency");
		input->error->position = (unsigned)position;
		return false;
	}
	code = qy_money_parse(qy_doc_string(price), input->quote.currency, &money);
	if (code != QY_OK) {
		return refuse(input, code, "unit_price", position);
	}
	spec->unit_price_minor = money.minor;
	spec->price_source = QY_PRICE_MANUAL;
	input->manual = true;
	return true;
}

/* The member that a code of qy_quote_add_line is about; "" when it cannot be told. */
static const char *member_for(enum qy_code code)
{
	switch (code) {
	case QY_QUANTITY_LIMIT:
		return "quantity";
	case QY_BPS_RANGE:
		return "discount_bps";
	default:
		return "";
	}
}

static bool take_line(struct input *input, const struct qy_doc *line, size_t position)
{
	const struct qy_doc *discount = qy_doc_member(line, "discount_bps");
	const struct qy_doc *price = qy_doc_member(line, "unit_price");
	const struct qy_doc *notes = qy_doc_member(line, "notes");
	const struct qy_doc *object = qy_doc_member(line, "attributes");
	struct attributes attributes = {.count = 0};
	char id[32];
	struct qy_line_spec spec = {
	    .id = id,
	    .product_id = qy_doc_string(qy_doc_member(line, "product_id")),
	    .quantity = qy_doc_integer(qy_doc_member(line, "quantity")),
	    .price_source = QY_PRICE_LIST,
	    .attributes = attributes.specs,
	};
	enum qy_code code;

	snprintf(id, sizeof(id), "new-%zu", position);
	if (discount != NULL) {
		int64_t bps = qy_doc_integer(discount);

		if (bps < 0 || bps > QY_BPS_MAX) {
			return refuse(input, QY_BPS_RANGE, "discount_bps", position);
		}
		spec.discount_bps = (int)bps;
	}
	if (notes != NULL && qy_doc_kind(notes) == QY_DOC_STRING) {
		spec.notes = qy_doc_string(notes);
	}
	if (object != NULL && !take_attributes(object, &attributes)) {
		return refuse(input, QY_INVALID_FIELD, "attributes", position);
	}
	spec.attribute_count = attributes.count;
	if (price != NULL && !take_unit_price(input, price, &spec, position)) {
		return false;
	}
	code = qy_quote_add_line(&input->quote, &spec, NULL);
	return code == QY_OK || refuse(input, code, member_for(code), position);
}

bool qy_quote_input(const struct qy_doc *body, struct qy_quote *ret_quote, bool *ret_manual,
		    struct qy_error *error)
{
	struct input input = {.error = error};
	const struct qy_doc *line;
	size_t position = 0;
	bool taken;

	if (!check_shape(body, error)) {
		return false;
	}
	qy_quote_init(&input.quote);
	/* The header first, wherever it stands: the lines need the currency. */
	taken = take_header(&input, body);
	for (line = qy_doc_first(qy_doc_member(body, "lines")); taken && line != NULL;
	     line = qy_doc_next(line)) {
		taken = take_line(&input, line, ++position);
	}
	if (!taken) {
		qy_quote_fini(&input.quote);
		return false;
	}
	*ret_quote = input.quote;
	*ret_manual = input.manual;
	return true;
}
