/*
 * The content hash of a quote: equal for equal content, whatever the time stamps say.
 */
#ifndef QY_DB_CONTENT_H
#define QY_DB_CONTENT_H

#include <qrt/digest.h>

#include "quotey/core/quote.h"

/* SHA-256, in hex, of the canonical JSON of what a customer agrees to. Errors: NO_MEMORY. */
enum qy_code qy_content_hash(const struct qy_quote *quote,
			     char ret_hex[QRT_SHA256_HEX_SIZE]) QY_MUST_USE;

#endif
