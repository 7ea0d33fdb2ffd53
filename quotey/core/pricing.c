/*
 * Pricing and its trace.
 *
 * Must never write to the quote or the catalogue, and never hand out a wrapped or partial figure.
 */
#include "quotey/core/pricing.h"

#include <stdlib.h>
#include <string.h>

#include "quotey/core/json_write.h"
#include "quotey/core/money.h"
#include "quotey/core/text.h"

#define STEPS_AFTER_LINES 4

static const char *const step_names[] = {
#define NAME_OF(name, text) text,
    QY_STEP_MAP(NAME_OF)
#undef NAME_OF
};

const char *qy_step_name(enum qy_step_kind kind)
{
	return (unsigned)kind < QY_STEP_COUNT ? step_names[kind] : NULL;
}

/* Where the unit price comes from; everything else of the line is copied as it is. */
static enum qy_code choose_price(const struct qy_line *line, const struct qy_catalog *catalog,
				 const char *currency, struct qy_priced_line *priced)
{
	const struct qy_catalog_entry *entry;
	const struct qy_price_tier *tier;

	if (line->price_source == QY_PRICE_MANUAL) {
		return QY_OK;
	}
	entry = qy_catalog_find_id(catalog, line->product_id);
	if (entry == NULL) {
		return QY_UNKNOWN_PRODUCT;
	}
	if (!qy_text_equal(entry->product.currency, currency)) {
		return QY_CURRENCY_MISMATCH;
	}
	tier = qy_catalog_tier(entry, line->quantity);
	priced->price_source = tier != NULL ? QY_PRICE_TIER : QY_PRICE_LIST;
	priced->tier_min_quantity = tier != NULL ? tier->min_quantity : 0;
	priced->unit_price_minor =
	    tier != NULL ? tier->unit_price_minor : entry->product.list_price_minor;
	return QY_OK;
}

static enum qy_code price_line(const struct qy_line *line, const struct qy_catalog *catalog,
			       const char *currency, struct qy_priced_line *priced)
{
	struct qy_money unit, subtotal, discount, total;
	enum qy_code code;

	qy_text_cut(priced->product_id, sizeof(priced->product_id), line->product_id);
	priced->position = line->position;
	priced->price_source = line->price_source;
	priced->quantity = line->quantity;
	priced->unit_price_minor = line->unit_price_minor;
	priced->discount_bps = line->discount_bps;
	if ((code = choose_price(line, catalog, currency, priced)) != QY_OK ||
	    (code = qy_money_make(priced->unit_price_minor, currency, &unit)) != QY_OK ||
	    (code = qy_money_mul(&unit, line->quantity, &subtotal)) != QY_OK ||
	    (code = qy_money_rate(&subtotal, line->discount_bps, &discount)) != QY_OK ||
	    (code = qy_money_sub(&subtotal, &discount, &total)) != QY_OK) {
		return code;
	}
	priced->subtotal_minor = subtotal.minor;
	priced->discount_minor = discount.minor;
	priced->total_minor = total.minor;
	return QY_OK;
}

static enum qy_code add_minor(struct qy_money *sum, int64_t minor)
{
	struct qy_money part = *sum;

	part.minor = minor;
	return qy_money_add(sum, &part, sum);
}

static enum qy_code price_lines(const struct qy_quote *quote, const struct qy_catalog *catalog,
				struct qy_pricing *pricing, unsigned *bad_position)
{
	struct qy_money subtotal, discount;
	enum qy_code code;
	size_t i;

	if ((code = qy_money_make(0, quote->currency, &subtotal)) != QY_OK ||
	    (code = qy_money_make(0, quote->currency, &discount)) != QY_OK) {
		return code;
	}
	memcpy(pricing->currency, subtotal.currency, sizeof(pricing->currency));
	for (i = 0; i < quote->line_count; i++) {
		struct qy_priced_line *priced = &pricing->lines[i];

		if ((code = price_line(&quote->lines[i], catalog, quote->currency, priced)) !=
			QY_OK ||
		    (code = add_minor(&subtotal, priced->subtotal_minor)) != QY_OK ||
		    (code = add_minor(&discount, priced->discount_minor)) != QY_OK) {
			*bad_position = quote->lines[i].position;
			return code;
		}
	}
	pricing->subtotal_minor = subtotal.minor;
	pricing->discount_minor = discount.minor;
	return QY_OK;
}

/* Tax is taken once, on the discounted sum, so that it is rounded once. */
static enum qy_code price_totals(const struct qy_quote *quote, struct qy_pricing *pricing)
{
	struct qy_money subtotal, discount, net, tax, total;
	enum qy_code code;

	if ((code = qy_money_make(pricing->subtotal_minor, quote->currency, &subtotal)) != QY_OK ||
	    (code = qy_money_make(pricing->discount_minor, quote->currency, &discount)) != QY_OK ||
	    (code = qy_money_sub(&subtotal, &discount, &net)) != QY_OK ||
	    (code = qy_money_rate(&net, quote->tax_rate_bps, &tax)) != QY_OK ||
	    (code = qy_money_add(&net, &tax, &total)) != QY_OK) {
		return code;
	}
	pricing->tax_rate_bps = quote->tax_rate_bps;
	pricing->tax_minor = tax.minor;
	pricing->total_minor = total.minor;
	return QY_OK;
}

static void fill_trace(struct qy_pricing *pricing)
{
	const struct qy_trace_step last[STEPS_AFTER_LINES] = {
	    {QY_STEP_SUBTOTAL, 0, pricing->subtotal_minor},
	    {QY_STEP_DISCOUNTS, 0, pricing->discount_minor},
	    {QY_STEP_TAX, 0, pricing->tax_minor},
	    {QY_STEP_TOTAL, 0, pricing->total_minor},
	};
	size_t i;

	for (i = 0; i < pricing->line_count; i++) {
		pricing->steps[i] =
		    (struct qy_trace_step){QY_STEP_LINE_ITEM, i, pricing->lines[i].total_minor};
	}
	memcpy(pricing->steps + pricing->line_count, last, sizeof(last));
}

enum qy_code qy_price(const struct qy_quote *quote, const struct qy_catalog *catalog,
		      struct qy_pricing *ret_pricing, unsigned *ret_bad_position)
{
	struct qy_pricing pricing = {.line_count = quote->line_count,
				     .step_count = quote->line_count + STEPS_AFTER_LINES};
	unsigned bad_position = 0;
	enum qy_code code = QY_NO_MEMORY;

	/* One line at least, because an allocation of nothing may be NULL and yet no failure. */
	pricing.lines = calloc(quote->line_count + 1, sizeof(*pricing.lines));
	pricing.steps = calloc(pricing.step_count, sizeof(*pricing.steps));
	if (pricing.lines != NULL && pricing.steps != NULL) {
		code = price_lines(quote, catalog, &pricing, &bad_position);
	}
	if (code == QY_OK) {
		code = price_totals(quote, &pricing);
	}
	if (code != QY_OK) {
		qy_pricing_fini(&pricing);
		if (ret_bad_position != NULL) {
			*ret_bad_position = bad_position;
		}
		return code;
	}
	fill_trace(&pricing);
	*ret_pricing = pricing;
	return QY_OK;
}

void qy_pricing_fini(struct qy_pricing *pricing)
{
	if (pricing == NULL) {
		return;
	}
	free(pricing->lines);
	free(pricing->steps);
	memset(pricing, 0, sizeof(*pricing));
}

static void write_integer(struct qy_json *json, const char *key, int64_t value)
{
	qy_json_key(json, key);
	qy_json_integer(json, value);
}

static void write_string(struct qy_json *json, const char *key, const char *value)
{
	qy_json_key(json, key);
	qy_json_string(json, value);
}

static void write_line_step(struct qy_json *json, const struct qy_priced_line *line)
{
	qy_json_object_begin(json);
	write_integer(json, "discount_bps", line->discount_bps);
	write_integer(json, "discount_minor", line->discount_minor);
	write_integer(json, "position", line->position);
	write_string(json, "product_id", line->product_id);
	write_integer(json, "quantity", line->quantity);
	write_string(json, "source", qy_price_source_name(line->price_source));
	write_string(json, "step", qy_step_name(QY_STEP_LINE_ITEM));
	write_integer(json, "subtotal_minor", line->subtotal_minor);
	qy_json_key(json, "tier_min_quantity");
	if (line->price_source == QY_PRICE_TIER && line->tier_min_quantity > 0) {
		qy_json_integer(json, line->tier_min_quantity);
	} else {
		qy_json_null(json);
	}
	write_integer(json, "total_minor", line->total_minor);
	write_integer(json, "unit_price_minor", line->unit_price_minor);
	qy_json_object_end(json);
}

enum qy_code qy_pricing_trace_json(const struct qy_pricing *pricing, char **ret_json)
{
	struct qy_json json;
	size_t i;

	qy_json_init(&json);
	qy_json_array_begin(&json);
	for (i = 0; i < pricing->step_count; i++) {
		const struct qy_trace_step *step = &pricing->steps[i];

		if (step->kind == QY_STEP_LINE_ITEM) {
			write_line_step(&json, &pricing->lines[step->line_index]);
			continue;
		}
		qy_json_object_begin(&json);
		write_integer(&json, "amount_minor", step->amount_minor);
		write_string(&json, "currency", pricing->currency);
		if (step->kind == QY_STEP_TAX) {
			write_integer(&json, "rate_bps", pricing->tax_rate_bps);
		}
		write_string(&json, "step", qy_step_name(step->kind));
		qy_json_object_end(&json);
	}
	qy_json_array_end(&json);
	return qy_json_take(&json, ret_json);
}
