/*
 * Pricing: what a quote costs, and a trace that explains it.
 *
 * A pure function of quote and catalogue: the input is never altered, equal input gives byte-equal
 * output. Prices taken from the catalogue are refreshed in the result only; storing them is the
 * caller's business.
 */
#ifndef QY_CORE_PRICING_H
#define QY_CORE_PRICING_H

#include <stddef.h>
#include <stdint.h>

#include "quotey/core/catalog.h"
#include "quotey/core/code.h"
#include "quotey/core/quote.h"

#ifdef __cplusplus
extern "C" {
#endif

/* X(NAME, literal text) */
#define QY_STEP_MAP(X)                                                                             \
	X(LINE_ITEM, "line_item")                                                                  \
	X(SUBTOTAL, "subtotal")                                                                    \
	X(DISCOUNTS, "discounts")                                                                  \
	X(TAX, "tax")                                                                              \
	X(TOTAL, "total")

#define QY_PRICING_ENUM(name, text) QY_STEP_##name,
enum qy_step_kind { QY_STEP_MAP(QY_PRICING_ENUM) QY_STEP_COUNT };
#undef QY_PRICING_ENUM

const char *qy_step_name(enum qy_step_kind kind);

struct qy_priced_line {
	char product_id[QY_ID_TEXT_MAX + 1];
	unsigned position;
	enum qy_price_source price_source;
	int64_t quantity;
	int64_t unit_price_minor;
	int64_t tier_min_quantity; /* 0 unless the source is a tier */
	int discount_bps;
	int64_t subtotal_minor;
	int64_t discount_minor;
	int64_t total_minor;
};

struct qy_trace_step {
	enum qy_step_kind kind;
	size_t line_index;    /* into lines, for LINE_ITEM; else 0 */
	int64_t amount_minor; /* the line's total, or the figure the step is named after */
};

struct qy_pricing {
	char currency[4];
	int tax_rate_bps;
	struct qy_priced_line *lines; /* one per line of the quote, same order */
	size_t line_count;
	struct qy_trace_step *steps; /* line_count + 4 */
	size_t step_count;
	int64_t subtotal_minor;
	int64_t discount_minor;
	int64_t tax_minor;
	int64_t total_minor;
};

/*
 * Prices the quote. A NULL catalogue is an empty one. A line that is not manual needs its product
 * in the catalogue (active or not), in the quote's currency. An empty quote costs nothing.
 *
 * On failure ret_pricing is untouched, and ret_bad_position (may be NULL) is the position of the
 * line at fault, or 0 when it is the quote as a whole; it is not written on success.
 * Errors: UNKNOWN_CURRENCY, UNKNOWN_PRODUCT, CURRENCY_MISMATCH, MONEY_OVERFLOW, BPS_RANGE,
 * NO_MEMORY.
 */
enum qy_code qy_price(const struct qy_quote *quote, const struct qy_catalog *catalog,
		      struct qy_pricing *ret_pricing, unsigned *ret_bad_position) QY_MUST_USE;

/* Frees what qy_price made. NULL and zeroed structs are fine. */
void qy_pricing_fini(struct qy_pricing *pricing);

/* The trace as canonical JSON (an array of steps), malloc'd, owned by the caller. NO_MEMORY. */
enum qy_code qy_pricing_trace_json(const struct qy_pricing *pricing, char **ret_json) QY_MUST_USE;

#ifdef __cplusplus
}
#endif

#endif
