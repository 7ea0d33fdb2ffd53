/*
 * The quote's fields, lines and limits.
 *
 * Must never compute an amount or move a status, and never leave a quote half changed.
 */
#include "quotey/core/quote.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "quotey/core/civil.h"
#include "quotey/core/ident.h"
#include "quotey/core/json_write.h"
#include "quotey/core/money.h"
#include "quotey/core/text.h"

#define NAME_OF(name, text) text,
static const char *const status_names[] = {QY_STATUS_MAP(NAME_OF)};
static const char *const flow_type_names[] = {QY_FLOW_TYPE_MAP(NAME_OF)};
static const char *const price_source_names[] = {QY_PRICE_SOURCE_MAP(NAME_OF)};
static const char *const decision_names[] = {QY_DECISION_MAP(NAME_OF)};
#undef NAME_OF

static const char *const payment_terms[] = {"net_30", "net_60", "net_90", "upfront"};

enum field_kind {
	KIND_QUOTE_ID,
	KIND_LABEL,
	KIND_PROSE,
	KIND_CURRENCY,
	KIND_TERMS,
	KIND_COUNTRY,
	KIND_DATE,
	KIND_TIME
};

struct field_row {
	const char *name;
	size_t offset;
	size_t max;
	enum field_kind kind;
};

static const struct field_row fields[] = {
#define FIELD_ROW(upper, member, max, kind)                                                        \
	{#member, offsetof(struct qy_quote, member), max, KIND_##kind},
    QY_QUOTE_FIELD_MAP(FIELD_ROW)
#undef FIELD_ROW
};

const char *qy_status_name(enum qy_status status)
{
	return (unsigned)status < QY_STATUS_COUNT ? status_names[status] : NULL;
}

enum qy_code qy_status_parse(const char *text, enum qy_status *ret_status)
{
	size_t index = qy_text_index(status_names, QY_STATUS_COUNT, text);

	if (index == QY_STATUS_COUNT) {
		return QY_INVALID_FIELD;
	}
	*ret_status = (enum qy_status)index;
	return QY_OK;
}

const char *qy_flow_type_name(enum qy_flow_type flow_type)
{
	return (unsigned)flow_type < QY_FLOW_TYPE_COUNT ? flow_type_names[flow_type] : NULL;
}

enum qy_code qy_flow_type_parse(const char *text, enum qy_flow_type *ret_type)
{
	size_t index = qy_text_index(flow_type_names, QY_FLOW_TYPE_COUNT, text);

	if (index == QY_FLOW_TYPE_COUNT) {
		return QY_INVALID_FIELD;
	}
	*ret_type = (enum qy_flow_type)index;
	return QY_OK;
}

const char *qy_price_source_name(enum qy_price_source source)
{
	return (unsigned)source < QY_PRICE_SOURCE_COUNT ? price_source_names[source] : NULL;
}

enum qy_code qy_price_source_parse(const char *text, enum qy_price_source *ret_source)
{
	size_t index = qy_text_index(price_source_names, QY_PRICE_SOURCE_COUNT, text);

	if (index == QY_PRICE_SOURCE_COUNT) {
		return QY_INVALID_FIELD;
	}
	*ret_source = (enum qy_price_source)index;
	return QY_OK;
}

const char *qy_decision_name(enum qy_decision decision)
{
	return (unsigned)decision < QY_DECISION_COUNT ? decision_names[decision] : NULL;
}

enum qy_code qy_decision_parse(const char *text, enum qy_decision *ret_decision)
{
	size_t index = qy_text_index(decision_names, QY_DECISION_COUNT, text);

	if (index == QY_DECISION_COUNT) {
		return QY_INVALID_FIELD;
	}
	*ret_decision = (enum qy_decision)index;
	return QY_OK;
}

static char **member_of(struct qy_quote *quote, enum qy_quote_field field)
{
	return (char **)(void *)((char *)quote + fields[field].offset);
}

static char *const *const_member_of(const struct qy_quote *quote, enum qy_quote_field field)
{
	return (char *const *)(const void *)((const char *)quote + fields[field].offset);
}

static void line_fini(struct qy_line *line)
{
	size_t i;

	for (i = 0; i < line->attribute_count; i++) {
		free(line->attributes[i].key);
		free(line->attributes[i].value);
	}
	free(line->attributes);
	free(line->id);
	free(line->product_id);
	free(line->notes);
	memset(line, 0, sizeof(*line));
}

void qy_quote_init(struct qy_quote *quote)
{
	memset(quote, 0, sizeof(*quote));
	quote->flow_type = QY_FLOW_NET_NEW;
	quote->status = QY_STATUS_DRAFT;
	quote->customer_decision = QY_DECISION_NONE;
	quote->version = 1;
	quote->state_version = 1;
}

void qy_quote_fini(struct qy_quote *quote)
{
	size_t i;

	if (quote == NULL) {
		return;
	}
	for (i = 0; i < QY_FIELD_COUNT; i++) {
		free(*member_of(quote, (enum qy_quote_field)i));
	}
	for (i = 0; i < quote->line_count; i++) {
		line_fini(&quote->lines[i]);
	}
	free(quote->lines);
	qy_quote_init(quote);
}

/* On failure the copy may be half made, but can be given to line_fini. */
static enum qy_code line_copy(const struct qy_line *line, struct qy_line *copy)
{
	enum qy_code code;
	size_t i;

	*copy = *line;
	copy->id = NULL;
	copy->product_id = NULL;
	copy->notes = NULL;
	copy->attributes = NULL;
	copy->attribute_count = 0;
	if ((code = qy_text_copy(line->id, &copy->id)) != QY_OK ||
	    (code = qy_text_copy(line->product_id, &copy->product_id)) != QY_OK ||
	    (code = qy_text_copy(line->notes, &copy->notes)) != QY_OK) {
		return code;
	}
	if (line->attribute_count == 0) {
		return QY_OK;
	}
	copy->attributes = calloc(line->attribute_count, sizeof(*copy->attributes));
	if (copy->attributes == NULL) {
		return QY_NO_MEMORY;
	}
	copy->attribute_count = line->attribute_count;
	for (i = 0; i < line->attribute_count; i++) {
		const struct qy_attribute_value *from = &line->attributes[i];

		if ((code = qy_text_copy(from->key, &copy->attributes[i].key)) != QY_OK ||
		    (code = qy_text_copy(from->value, &copy->attributes[i].value)) != QY_OK) {
			return code;
		}
	}
	return QY_OK;
}

/* On failure the copy may be half made, but can be given to qy_quote_fini. */
static enum qy_code quote_fill(const struct qy_quote *quote, struct qy_quote *copy)
{
	enum qy_code code;
	size_t i;

	for (i = 0; i < QY_FIELD_COUNT; i++) {
		code = qy_text_copy(*const_member_of(quote, (enum qy_quote_field)i),
				    member_of(copy, (enum qy_quote_field)i));
		if (code != QY_OK) {
			return code;
		}
	}
	if (quote->line_count == 0) {
		return QY_OK;
	}
	copy->lines = calloc(quote->line_count, sizeof(*copy->lines));
	if (copy->lines == NULL) {
		return QY_NO_MEMORY;
	}
	copy->line_capacity = quote->line_count;
	for (i = 0; i < quote->line_count; i++) {
		copy->line_count++;
		code = line_copy(&quote->lines[i], &copy->lines[i]);
		if (code != QY_OK) {
			return code;
		}
	}
	return QY_OK;
}

enum qy_code qy_quote_copy(const struct qy_quote *quote, struct qy_quote *ret_copy)
{
	struct qy_quote copy;
	enum qy_code code;

	qy_quote_init(&copy);
	copy.flow_type = quote->flow_type;
	copy.status = quote->status;
	copy.customer_decision = quote->customer_decision;
	copy.version = quote->version;
	copy.state_version = quote->state_version;
	copy.term_months = quote->term_months;
	copy.tax_rate_bps = quote->tax_rate_bps;
	copy.line_seq = quote->line_seq;
	code = quote_fill(quote, &copy);
	if (code != QY_OK) {
		qy_quote_fini(&copy);
		return code;
	}
	*ret_copy = copy;
	return QY_OK;
}

/* Length, encoding and control characters: what every stored text has to pass. */
static enum qy_code check_text(const char *text, size_t max, bool is_prose)
{
	size_t length = strlen(text), i;

	if (length > max) {
		return QY_TEXT_TOO_LONG;
	}
	if (!qy_utf8_valid(text, length)) {
		return QY_INVALID_FIELD;
	}
	for (i = 0; i < length; i++) {
		if ((unsigned char)text[i] >= 0x20 && text[i] != 0x7f) {
			continue;
		}
		if (!is_prose || strchr("\t\r\n", text[i]) == NULL) {
			return QY_INVALID_FIELD;
		}
	}
	return QY_OK;
}

static bool is_country(const char *text)
{
	return text[0] >= 'A' && text[0] <= 'Z' && text[1] >= 'A' && text[1] <= 'Z' &&
	       text[2] == '\0';
}

static enum qy_code check_kind(const char *text, enum field_kind kind)
{
	int64_t number;
	int exponent;

	switch (kind) {
	case KIND_CURRENCY:
		return qy_currency_exponent(text, &exponent);
	case KIND_TERMS:
		return qy_text_index(payment_terms, 4, text) < 4 ? QY_OK : QY_INVALID_FIELD;
	case KIND_COUNTRY:
		return is_country(text) ? QY_OK : QY_INVALID_FIELD;
	case KIND_DATE:
		return qy_date_parse(text, &number);
	case KIND_TIME:
		return qy_timestamp_parse(text, &number);
	case KIND_QUOTE_ID:
	case KIND_LABEL:
	case KIND_PROSE:
		break;
	}
	return QY_OK;
}

enum qy_code qy_quote_set(struct qy_quote *quote, enum qy_quote_field field, const char *text)
{
	char id[QY_QUOTE_ID_SIZE], *copy = NULL, **member;
	enum qy_code code;

	if ((unsigned)field >= QY_FIELD_COUNT) {
		return QY_INVALID_FIELD;
	}
	if (text != NULL && *text != '\0') {
		const struct field_row *row = &fields[field];

		if (row->kind == KIND_QUOTE_ID) {
			code = qy_quote_id_normalize(text, id);
			text = id;
		} else {
			code = check_text(text, row->max, row->kind == KIND_PROSE);
		}
		if (code != QY_OK || (code = check_kind(text, row->kind)) != QY_OK ||
		    (code = qy_text_copy(text, &copy)) != QY_OK) {
			return code;
		}
	}
	member = member_of(quote, field);
	free(*member);
	*member = copy;
	return QY_OK;
}

const char *qy_quote_get(const struct qy_quote *quote, enum qy_quote_field field)
{
	return (unsigned)field < QY_FIELD_COUNT ? *const_member_of(quote, field) : NULL;
}

const char *qy_quote_field_name(enum qy_quote_field field)
{
	return (unsigned)field < QY_FIELD_COUNT ? fields[field].name : NULL;
}

enum qy_code qy_quote_field_parse(const char *name, enum qy_quote_field *ret_field)
{
	size_t i;

	for (i = 0; i < QY_FIELD_COUNT; i++) {
		if (qy_text_equal(fields[i].name, name)) {
			*ret_field = (enum qy_quote_field)i;
			return QY_OK;
		}
	}
	return QY_INVALID_FIELD;
}

enum qy_code qy_quote_set_term(struct qy_quote *quote, int64_t months)
{
	if (months < 0 || months > QY_TERM_MONTHS_MAX) {
		return QY_INVALID_FIELD;
	}
	quote->term_months = (int)months;
	return QY_OK;
}

enum qy_code qy_quote_set_tax_rate(struct qy_quote *quote, int64_t bps)
{
	if (bps < 0 || bps > QY_BPS_MAX) {
		return QY_BPS_RANGE;
	}
	quote->tax_rate_bps = (int)bps;
	return QY_OK;
}

/* The line's id: the one given, which must be new, or the next number of the quote. */
static enum qy_code line_set_id(const struct qy_quote *quote, const char *id, struct qy_line *line)
{
	char next[QY_LINE_ID_SIZE];
	enum qy_code code;
	size_t i;

	if (id == NULL) {
		code = qy_line_id_format(quote->id, quote->line_seq + 1, next);
		id = next;
	} else {
		code = *id == '\0' ? QY_INVALID_ID : check_text(id, QY_LINE_ID_MAX, false);
	}
	if (code != QY_OK) {
		return code;
	}
	for (i = 0; i < quote->line_count; i++) {
		if (strcmp(quote->lines[i].id, id) == 0) {
			return QY_DUPLICATE_ID;
		}
	}
	return qy_text_copy(id, &line->id);
}

/* Ids are compared byte by byte everywhere, so blanks around one must not make it another. */
static enum qy_code line_set_product(const char *product_id, struct qy_line *line)
{
	static const char blanks[] = " \t\r\n";
	enum qy_code code;
	size_t length;
	char *copy;

	product_id = product_id == NULL ? "" : product_id + strspn(product_id, blanks);
	length = strlen(product_id);
	while (length > 0 && strchr(blanks, product_id[length - 1]) != NULL) {
		length--;
	}
	if (length > QY_ID_TEXT_MAX) {
		return QY_TEXT_TOO_LONG;
	}
	copy = malloc(length + 1);
	if (copy == NULL) {
		return QY_NO_MEMORY;
	}
	memcpy(copy, product_id, length);
	copy[length] = '\0';
	code = check_text(copy, QY_ID_TEXT_MAX, false);
	if (code != QY_OK) {
		free(copy);
		return code;
	}
	line->product_id = copy;
	return QY_OK;
}

/* Inserts one attribute at its place in the order of keys. */
static enum qy_code line_add_attribute(const struct qy_attribute_spec *spec, struct qy_line *line)
{
	struct qy_attribute_value made = {NULL, NULL}, *place;
	enum qy_code code;
	size_t at = 0;

	if (spec->key == NULL || *spec->key == '\0' || spec->value == NULL) {
		return QY_INVALID_FIELD;
	}
	if ((code = check_text(spec->key, QY_ATTRIBUTE_KEY_MAX, false)) != QY_OK ||
	    (code = check_text(spec->value, QY_ATTRIBUTE_VALUE_MAX, false)) != QY_OK) {
		return code;
	}
	while (at < line->attribute_count && strcmp(line->attributes[at].key, spec->key) < 0) {
		at++;
	}
	place = &line->attributes[at];
	if (at < line->attribute_count && strcmp(place->key, spec->key) == 0) {
		return QY_INVALID_FIELD;
	}
	if ((code = qy_text_copy(spec->key, &made.key)) != QY_OK ||
	    (code = qy_text_copy(spec->value, &made.value)) != QY_OK) {
		free(made.key);
		return code;
	}
	memmove(place + 1, place, (line->attribute_count - at) * sizeof(*place));
	*place = made;
	line->attribute_count++;
	return QY_OK;
}

static enum qy_code line_set_attributes(const struct qy_line_spec *spec, struct qy_line *line)
{
	enum qy_code code;
	size_t i;

	if (spec->attribute_count == 0) {
		return QY_OK;
	}
	if (spec->attribute_count > QY_ATTRIBUTES_MAX) {
		return QY_INVALID_FIELD;
	}
	line->attributes = calloc(spec->attribute_count, sizeof(*line->attributes));
	if (line->attributes == NULL) {
		return QY_NO_MEMORY;
	}
	for (i = 0; i < spec->attribute_count; i++) {
		code = line_add_attribute(&spec->attributes[i], line);
		if (code != QY_OK) {
			return code;
		}
	}
	return QY_OK;
}

static enum qy_code line_set_numbers(const struct qy_quote *quote, const struct qy_line_spec *spec,
				     struct qy_line *line)
{
	unsigned last = quote->line_count == 0 ? 0 : quote->lines[quote->line_count - 1].position;

	if (spec->quantity < 0 || spec->quantity > QY_QUANTITY_MAX) {
		return QY_QUANTITY_LIMIT;
	}
	if (spec->discount_bps < 0 || spec->discount_bps > QY_BPS_MAX) {
		return QY_BPS_RANGE;
	}
	line->position = spec->position == 0 ? last + 1 : spec->position;
	if ((unsigned)spec->price_source >= QY_PRICE_SOURCE_COUNT || line->position <= last) {
		return QY_INVALID_FIELD;
	}
	line->quantity = spec->quantity;
	line->unit_price_minor = spec->unit_price_minor;
	line->price_source = spec->price_source;
	line->discount_bps = spec->discount_bps;
	return QY_OK;
}

/* On failure the line may be half made, but can be given to line_fini. */
static enum qy_code line_make(const struct qy_quote *quote, const struct qy_line_spec *spec,
			      struct qy_line *line)
{
	const char *notes = spec->notes != NULL && *spec->notes == '\0' ? NULL : spec->notes;
	enum qy_code code;

	if ((code = line_set_numbers(quote, spec, line)) != QY_OK ||
	    (code = line_set_id(quote, spec->id, line)) != QY_OK ||
	    (code = line_set_product(spec->product_id, line)) != QY_OK ||
	    (code = line_set_attributes(spec, line)) != QY_OK) {
		return code;
	}
	if (notes != NULL && (code = check_text(notes, QY_NOTES_MAX, true)) != QY_OK) {
		return code;
	}
	return qy_text_copy(notes, &line->notes);
}

static enum qy_code reserve_line(struct qy_quote *quote)
{
	size_t capacity;
	struct qy_line *grown;

	if (quote->line_count < quote->line_capacity) {
		return QY_OK;
	}
	capacity = quote->line_capacity == 0 ? 8 : quote->line_capacity * 2;
	grown = realloc(quote->lines, capacity * sizeof(*grown));
	if (grown == NULL) {
		return QY_NO_MEMORY;
	}
	quote->lines = grown;
	quote->line_capacity = capacity;
	return QY_OK;
}

enum qy_code qy_quote_add_line(struct qy_quote *quote, const struct qy_line_spec *spec,
			       struct qy_line **ret_line)
{
	struct qy_line line;
	enum qy_code code;
	uint64_t number;

	if (quote->line_count >= QY_LINES_MAX) {
		return QY_LINE_LIMIT;
	}
	memset(&line, 0, sizeof(line));
	code = line_make(quote, spec, &line);
	if (code == QY_OK) {
		code = reserve_line(quote);
	}
	if (code != QY_OK) {
		line_fini(&line);
		return code;
	}
	/* A line that was read back keeps its number from being given out again. */
	if (qy_line_id_number(quote->id, line.id, &number) == QY_OK && number > quote->line_seq) {
		quote->line_seq = number;
	}
	quote->lines[quote->line_count] = line;
	if (ret_line != NULL) {
		*ret_line = &quote->lines[quote->line_count];
	}
	quote->line_count++;
	return QY_OK;
}

const char *qy_line_attribute(const struct qy_line *line, const char *key)
{
	size_t i;

	for (i = 0; i < line->attribute_count; i++) {
		if (qy_text_equal(line->attributes[i].key, key)) {
			return line->attributes[i].value;
		}
	}
	return NULL;
}

enum qy_code qy_line_attributes_json(const struct qy_line *line, char **ret_json)
{
	struct qy_json json;
	size_t i;

	qy_json_init(&json);
	qy_json_object_begin(&json);
	for (i = 0; i < line->attribute_count; i++) {
		qy_json_key(&json, line->attributes[i].key);
		qy_json_string(&json, line->attributes[i].value);
	}
	qy_json_object_end(&json);
	return qy_json_take(&json, ret_json);
}

static void note_missing(bool is_missing, const char *name, struct qy_missing *missing)
{
	if (is_missing) {
		missing->names[missing->count++] = name;
	}
}

void qy_quote_missing_fields(const struct qy_quote *quote, struct qy_missing *ret_missing)
{
	memset(ret_missing, 0, sizeof(*ret_missing));
	note_missing(qy_text_blank(quote->account_name), "account_name", ret_missing);
	note_missing(quote->line_count == 0, "lines", ret_missing);
	note_missing(qy_text_blank(quote->currency), "currency", ret_missing);
	note_missing(quote->term_months == 0, "term_months", ret_missing);
	note_missing(qy_text_blank(quote->billing_country), "billing_country", ret_missing);
	note_missing(qy_text_blank(quote->payment_terms), "payment_terms", ret_missing);
	if (quote->flow_type == QY_FLOW_RENEWAL_EXPANSION) {
		note_missing(qy_text_blank(quote->prior_quote_id), "prior_quote_id", ret_missing);
	}
	if (quote->flow_type == QY_FLOW_DISCOUNT_EXCEPTION) {
		note_missing(qy_text_blank(quote->discount_reason), "discount_reason", ret_missing);
	}
}
