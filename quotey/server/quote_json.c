/*
 * One table says which members a quote has and in which order; the other forms are built on it.
 *
 * Amounts that do not fit (a line whose price times quantity overflows can be stored, and only
 * pricing refuses it) are null, never a wrapped number.
 */
#include "quotey/server/quote_json.h"

#include "quotey/core/json_write.h"
#include "quotey/core/money.h"
#include "quotey/db/figures.h"
#include "quotey/server/violations_json.h"

/* A quote on its way out. */
struct view {
	const struct qy_quote *quote;
	const struct qy_pricing *figures;     /* of the stored prices; NULL: they overflow */
	const struct qy_price_result *result; /* of pricing; NULL: none was made */
};

/* --- small values -------------------------------------------------------------------------- */

static void put_text(struct qy_json *json, const char *key, const char *text)
{
	qy_json_key(json, key);
	qy_json_string(json, text);
}

static void put_integer(struct qy_json *json, const char *key, int64_t value)
{
	qy_json_key(json, key);
	qy_json_integer(json, value);
}

static void put_amount(struct qy_json *json, const char *key, int64_t minor, const char *currency)
{
	char text[QY_MONEY_TEXT_SIZE];
	struct qy_money money;

	qy_json_key(json, key);
	if (qy_money_make(minor, currency, &money) == QY_OK &&
	    qy_money_format(&money, text) == QY_OK) {
		qy_json_string(json, text);
	} else {
		qy_json_null(json);
	}
}

static void put_null(struct qy_json *json, const char *key)
{
	qy_json_key(json, key);
	qy_json_null(json);
}

/* --- lines and totals ---------------------------------------------------------------------- */

static void write_attributes(struct qy_json *json, const struct qy_line *line)
{
	size_t i;

	qy_json_object_begin(json);
	for (i = 0; i < line->attribute_count; i++) {
		put_text(json, line->attributes[i].key, line->attributes[i].value);
	}
	qy_json_object_end(json);
}

/* @figures NULL: they overflow. */
static void write_line(struct qy_json *json, const struct qy_line *line,
		       const struct qy_priced_line *figures, const char *currency)
{
	qy_json_object_begin(json);
	qy_json_key(json, "attributes");
	write_attributes(json, line);
	if (figures != NULL) {
		put_amount(json, "discount", figures->discount_minor, currency);
	} else {
		put_null(json, "discount");
	}
	put_integer(json, "discount_bps", line->discount_bps);
	put_text(json, "id", line->id);
	put_text(json, "notes", line->notes);
	put_integer(json, "position", line->position);
	put_text(json, "price_source", qy_price_source_name(line->price_source));
	put_text(json, "product_id", line->product_id);
	put_integer(json, "quantity", line->quantity);
	if (figures != NULL) {
		put_amount(json, "subtotal", figures->subtotal_minor, currency);
		put_amount(json, "total", figures->total_minor, currency);
	} else {
		put_null(json, "subtotal");
		put_null(json, "total");
	}
	put_amount(json, "unit_price", line->unit_price_minor, currency);
	qy_json_object_end(json);
}

static void write_lines(struct qy_json *json, const struct view *view)
{
	const struct qy_quote *quote = view->quote;
	size_t i;

	qy_json_array_begin(json);
	for (i = 0; i < quote->line_count; i++) {
		write_line(json, &quote->lines[i],
			   view->figures != NULL ? &view->figures->lines[i] : NULL,
			   quote->currency);
	}
	qy_json_array_end(json);
}

static void write_line_count(struct qy_json *json, const struct view *view)
{
	qy_json_integer(json, (int64_t)view->quote->line_count);
}

static void write_totals(struct qy_json *json, const struct view *view)
{
	const struct qy_pricing *figures = view->figures;

	if (figures == NULL) {
		qy_json_null(json);
		return;
	}
	qy_json_object_begin(json);
	put_amount(json, "discount", figures->discount_minor, figures->currency);
	put_amount(json, "subtotal", figures->subtotal_minor, figures->currency);
	put_amount(json, "tax", figures->tax_minor, figures->currency);
	put_amount(json, "total", figures->total_minor, figures->currency);
	qy_json_object_end(json);
}

/* --- pricing ------------------------------------------------------------------------------- */

static void write_line_step(struct qy_json *json, const struct qy_priced_line *line,
			    const char *currency)
{
	qy_json_object_begin(json);
	put_amount(json, "discount", line->discount_minor, currency);
	put_integer(json, "discount_bps", line->discount_bps);
	put_integer(json, "position", line->position);
	put_text(json, "product_id", line->product_id);
	put_integer(json, "quantity", line->quantity);
	put_text(json, "source", qy_price_source_name(line->price_source));
	put_text(json, "step", qy_step_name(QY_STEP_LINE_ITEM));
	put_amount(json, "subtotal", line->subtotal_minor, currency);
	if (line->price_source == QY_PRICE_TIER && line->tier_min_quantity > 0) {
		put_integer(json, "tier_min_quantity", line->tier_min_quantity);
	} else {
		put_null(json, "tier_min_quantity");
	}
	put_amount(json, "total", line->total_minor, currency);
	put_amount(json, "unit_price", line->unit_price_minor, currency);
	qy_json_object_end(json);
}

static void write_trace(struct qy_json *json, const struct qy_pricing *pricing)
{
	size_t i;

	qy_json_array_begin(json);
	for (i = 0; i < pricing->step_count; i++) {
		const struct qy_trace_step *step = &pricing->steps[i];

		if (step->kind == QY_STEP_LINE_ITEM) {
			write_line_step(json, &pricing->lines[step->line_index], pricing->currency);
			continue;
		}
		qy_json_object_begin(json);
		put_amount(json, "amount", step->amount_minor, pricing->currency);
		if (step->kind == QY_STEP_TAX) {
			put_integer(json, "rate_bps", pricing->tax_rate_bps);
		}
		put_text(json, "step", qy_step_name(step->kind));
		qy_json_object_end(json);
	}
	qy_json_array_end(json);
}

static void write_pricing(struct qy_json *json, const struct view *view)
{
	const struct qy_price_result *result = view->result;
	const struct qy_pricing *pricing = &result->pricing;

	if (!result->has_pricing) {
		qy_json_null(json);
		return;
	}
	qy_json_object_begin(json);
	put_text(json, "currency", pricing->currency);
	put_amount(json, "discount", pricing->discount_minor, pricing->currency);
	put_text(json, "snapshot_id", result->snapshot_id[0] != '\0' ? result->snapshot_id : NULL);
	put_amount(json, "subtotal", pricing->subtotal_minor, pricing->currency);
	put_amount(json, "tax", pricing->tax_minor, pricing->currency);
	put_integer(json, "tax_rate_bps", pricing->tax_rate_bps);
	put_amount(json, "total", pricing->total_minor, pricing->currency);
	qy_json_key(json, "trace");
	write_trace(json, pricing);
	qy_json_object_end(json);
}

static void write_missing(struct qy_json *json, const struct view *view)
{
	const struct qy_missing *missing = &view->result->missing;
	unsigned i;

	qy_json_array_begin(json);
	for (i = 0; i < missing->count; i++) {
		qy_json_string(json, missing->names[i]);
	}
	qy_json_array_end(json);
}

/* --- the quote ----------------------------------------------------------------------------- */

static void write_decision(struct qy_json *json, const struct view *view)
{
	qy_json_string(json, qy_decision_name(view->quote->customer_decision));
}

static void write_flow_type(struct qy_json *json, const struct view *view)
{
	qy_json_string(json, qy_flow_type_name(view->quote->flow_type));
}

static void write_state_version(struct qy_json *json, const struct view *view)
{
	qy_json_integer(json, view->quote->state_version);
}

static void write_status(struct qy_json *json, const struct view *view)
{
	qy_json_string(json, qy_status_name(view->quote->status));
}

static void write_tax_rate(struct qy_json *json, const struct view *view)
{
	qy_json_integer(json, view->quote->tax_rate_bps);
}

static void write_term(struct qy_json *json, const struct view *view)
{
	if (view->quote->term_months > 0) {
		qy_json_integer(json, view->quote->term_months);
	} else {
		qy_json_null(json);
	}
}

static void write_version(struct qy_json *json, const struct view *view)
{
	qy_json_integer(json, view->quote->version);
}

enum form { IN_ONE = 1, IN_LIST = 2, IN_PRICED = 4, IN_ALL = 7 };

struct member {
	const char *key; /* of a text too: the field's name */
	enum qy_quote_field field;
	void (*write)(struct qy_json *json, const struct view *view); /* NULL: the text */
	unsigned forms;
};

#define TEXT(name, upper)                                                                          \
	{                                                                                          \
		name, QY_FIELD_##upper, NULL, IN_ALL                                               \
	}
#define OTHER(name, function, forms)                                                               \
	{                                                                                          \
		name, QY_FIELD_COUNT, function, forms                                              \
	}

/* In byte order: the writer refuses any other. */
static const struct member members[] = {
    TEXT("account_id", ACCOUNT_ID),
    TEXT("account_name", ACCOUNT_NAME),
    TEXT("billing_country", BILLING_COUNTRY),
    TEXT("created_at", CREATED_AT),
    TEXT("created_by", CREATED_BY),
    TEXT("currency", CURRENCY),
    TEXT("customer_decided_at", CUSTOMER_DECIDED_AT),
    OTHER("customer_decision", write_decision, IN_ALL),
    TEXT("deal_id", DEAL_ID),
    TEXT("discount_reason", DISCOUNT_REASON),
    TEXT("end_date", END_DATE),
    TEXT("finalized_at", FINALIZED_AT),
    TEXT("fingerprint", FINGERPRINT),
    OTHER("flow_type", write_flow_type, IN_ALL),
    TEXT("id", ID),
    OTHER("line_count", write_line_count, IN_LIST),
    OTHER("lines", write_lines, IN_ONE | IN_PRICED),
    TEXT("lock_expires_at", LOCK_EXPIRES_AT),
    TEXT("locked_at", LOCKED_AT),
    TEXT("locked_by", LOCKED_BY),
    OTHER("missing_fields", write_missing, IN_PRICED),
    TEXT("notes", NOTES),
    TEXT("payment_terms", PAYMENT_TERMS),
    OTHER("pricing", write_pricing, IN_PRICED),
    TEXT("prior_quote_id", PRIOR_QUOTE_ID),
    TEXT("sales_rep_id", SALES_REP_ID),
    TEXT("sent_at", SENT_AT),
    TEXT("slack_channel", SLACK_CHANNEL),
    TEXT("slack_thread_ts", SLACK_THREAD_TS),
    TEXT("start_date", START_DATE),
    OTHER("state_version", write_state_version, IN_ALL),
    OTHER("status", write_status, IN_ALL),
    OTHER("tax_rate_bps", write_tax_rate, IN_ALL),
    OTHER("term_months", write_term, IN_ALL),
    OTHER("totals", write_totals, IN_ALL),
    TEXT("updated_at", UPDATED_AT),
    TEXT("valid_until", VALID_UNTIL),
    OTHER("version", write_version, IN_ALL),
};

static void write_members(struct qy_json *json, const struct view *view, enum form form)
{
	size_t i;

	qy_json_object_begin(json);
	for (i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
		const struct member *member = &members[i];

		if ((member->forms & (unsigned)form) == 0) {
			continue;
		}
		qy_json_key(json, member->key);
		if (member->write != NULL) {
			member->write(json, view);
		} else {
			qy_json_string(json, qy_quote_get(view->quote, member->field));
		}
	}
	qy_json_object_end(json);
}

/* Error: NO_MEMORY. Figures that cannot be had for another reason are an answer, too. */
static enum qy_code write_quote(struct qy_json *json, const struct qy_quote *quote,
				const struct qy_price_result *result, enum form form)
{
	struct view view = {.quote = quote, .result = result};
	struct qy_pricing figures;
	enum qy_code code;

	/* Pricing has just written its prices into the quote: they are the stored ones. */
	if (result != NULL && result->has_pricing) {
		view.figures = &result->pricing;
		write_members(json, &view, form);
		return QY_OK;
	}
	code = qy_figures(quote, &figures);
	if (code == QY_NO_MEMORY) {
		return code;
	}
	if (code == QY_OK) {
		view.figures = &figures;
	}
	write_members(json, &view, form);
	if (code == QY_OK) {
		qy_pricing_fini(&figures);
	}
	return QY_OK;
}

static enum qy_code take(struct qy_json *json, enum qy_code code, char **ret_json)
{
	if (code != QY_OK) {
		qy_json_fini(json);
		return code;
	}
	return qy_json_take(json, ret_json);
}

enum qy_code qy_quote_json(const struct qy_quote *quote, char **ret_json)
{
	struct qy_json json;

	qy_json_init(&json);
	return take(&json, write_quote(&json, quote, NULL, IN_ONE), ret_json);
}

enum qy_code qy_priced_json(const struct qy_price_result *result, char **ret_json)
{
	struct qy_json json;

	qy_json_init(&json);
	return take(&json, write_quote(&json, &result->quote, result, IN_PRICED), ret_json);
}

enum qy_code qy_preview_json(const struct qy_price_result *result, char **ret_json)
{
	const struct view view = {.quote = &result->quote, .result = result};
	struct qy_json json;

	qy_json_init(&json);
	qy_json_object_begin(&json);
	qy_json_key(&json, "missing_fields");
	write_missing(&json, &view);
	qy_json_key(&json, "pricing");
	write_pricing(&json, &view);
	put_text(&json, "quote_id", result->quote.id);
	put_integer(&json, "state_version", result->quote.state_version);
	put_text(&json, "status", qy_status_name(result->quote.status));
	qy_json_key(&json, "valid");
	qy_json_boolean(&json, result->violations.count == 0);
	put_integer(&json, "version", result->quote.version);
	qy_json_key(&json, "violations");
	qy_violations_write(&json, &result->violations);
	qy_json_object_end(&json);
	return qy_json_take(&json, ret_json);
}

enum qy_code qy_quote_list_json(const struct qy_quote_list *list,
				const struct qy_quote_filter *filter, char **ret_json)
{
	enum qy_code code = QY_OK;
	struct qy_json json;
	size_t i;

	qy_json_init(&json);
	qy_json_object_begin(&json);
	qy_json_key(&json, "items");
	qy_json_array_begin(&json);
	for (i = 0; i < list->count && code == QY_OK; i++) {
		code = write_quote(&json, &list->items[i], NULL, IN_LIST);
	}
	qy_json_array_end(&json);
	put_integer(&json, "limit", filter->limit);
	put_integer(&json, "offset", filter->offset);
	put_integer(&json, "total", (int64_t)list->total);
	qy_json_object_end(&json);
	return take(&json, code, ret_json);
}
