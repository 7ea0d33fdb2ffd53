/*
 * The body of POST /api/v1/quotes: from JSON to a quote that has not been stored yet.
 *
 * Pure. The whole shape is checked before any value: 422 for a wrong shape, 400 for a value that
 * is not acceptable. Never gives the quote an id, an author or a derived amount.
 */
#ifndef QY_SERVER_QUOTE_INPUT_H
#define QY_SERVER_QUOTE_INPUT_H

#include "quotey/core/quote.h"
#include "quotey/server/error_body.h"
#include "quotey/json/json.h"

/*
 * @body is an object. True: *ret_quote is written as a whole and the caller's to fini, and
 * *ret_manual tells whether a line brings a price of its own. False: *error says why.
 */
bool qy_quote_input(const struct qy_doc *body, struct qy_quote *ret_quote, bool *ret_manual,
		    struct qy_error *error) QY_MUST_USE;

#endif
