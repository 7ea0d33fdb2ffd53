/*
 * Quotes, prices and lists as JSON. Amounts are decimal strings in the quote's currency, rates
 * are basis points, what is absent is null, and members stand in byte order.
 *
 * Pure: equal input gives byte-equal output. Each text is malloc'd, the caller's. Errors:
 * NO_MEMORY, INVALID_FIELD (a stored text is not UTF-8), TEXT_TOO_LONG (above 4 MiB).
 */
#ifndef QY_SERVER_QUOTE_JSON_H
#define QY_SERVER_QUOTE_JSON_H

#include "quotey/db/store.h"

/* The header, `lines` with their amounts, and `totals`; from the stored prices. */
enum qy_code qy_quote_json(const struct qy_quote *quote, char **ret_json) QY_MUST_USE;

/* The same after pricing, with `missing_fields` and `pricing` (null when nothing was priced). */
enum qy_code qy_priced_json(const struct qy_price_result *result, char **ret_json) QY_MUST_USE;

/* What a price would be: `missing_fields`, `pricing`, `valid`, `violations`, and which quote. */
enum qy_code qy_preview_json(const struct qy_price_result *result, char **ret_json) QY_MUST_USE;

/* `items` (header, `line_count`, `totals`), `limit`, `offset` and `total`. */
enum qy_code qy_quote_list_json(const struct qy_quote_list *list,
				const struct qy_quote_filter *filter, char **ret_json) QY_MUST_USE;

#endif
