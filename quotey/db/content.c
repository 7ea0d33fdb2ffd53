/* Writes the canonical content of a quote and hashes it. Keys are in byte order. */
#include "quotey/db/content.h"

#include <stdlib.h>
#include <string.h>

#include "quotey/core/json_write.h"

static void text_member(struct qy_json *json, const char *key, const char *text)
{
	qy_json_key(json, key);
	qy_json_string(json, text);
}

static void number_member(struct qy_json *json, const char *key, int64_t value)
{
	qy_json_key(json, key);
	qy_json_integer(json, value);
}

static void write_line(struct qy_json *json, const struct qy_line *line)
{
	qy_json_object_begin(json);
	qy_json_key(json, "attributes");
	qy_json_object_begin(json);
	for (size_t i = 0; i < line->attribute_count; i++) {
		text_member(json, line->attributes[i].key, line->attributes[i].value);
	}
	qy_json_object_end(json);
	number_member(json, "discount_bps", line->discount_bps);
	text_member(json, "id", line->id);
	text_member(json, "product_id", line->product_id);
	number_member(json, "quantity", line->quantity);
	number_member(json, "unit_price_minor", line->unit_price_minor);
	qy_json_object_end(json);
}

static void write_quote(struct qy_json *json, const struct qy_quote *quote)
{
	qy_json_object_begin(json);
	text_member(json, "account_id", quote->account_id);
	text_member(json, "account_name", quote->account_name);
	text_member(json, "billing_country", quote->billing_country);
	text_member(json, "currency", quote->currency);
	text_member(json, "customer_decision", qy_decision_name(quote->customer_decision));
	text_member(json, "end_date", quote->end_date);
	text_member(json, "id", quote->id);
	qy_json_key(json, "lines");
	qy_json_array_begin(json);
	for (size_t i = 0; i < quote->line_count; i++) {
		write_line(json, &quote->lines[i]);
	}
	qy_json_array_end(json);
	text_member(json, "payment_terms", quote->payment_terms);
	text_member(json, "prior_quote_id", quote->prior_quote_id);
	text_member(json, "start_date", quote->start_date);
	text_member(json, "status", qy_status_name(quote->status));
	number_member(json, "tax_rate_bps", quote->tax_rate_bps);
	number_member(json, "term_months", quote->term_months);
	text_member(json, "valid_until", quote->valid_until);
	number_member(json, "version", quote->version);
	qy_json_object_end(json);
}

enum qy_code qy_content_hash(const struct qy_quote *quote, char ret_hex[QRT_SHA256_HEX_SIZE])
{
	struct qy_json json;
	char *text = NULL;
	enum qy_code code;

	qy_json_init(&json);
	write_quote(&json, quote);
	code = qy_json_take(&json, &text);
	if (code == QY_OK) {
		qrt_sha256_hex(text, strlen(text), ret_hex);
		free(text);
	}
	return code;
}
