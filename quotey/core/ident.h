/*
 * Identifiers: the one validator of quote ids, and the text of new ids.
 *
 * Counters and random bytes are arguments; nothing is drawn here. Time texts live in civil.h.
 */
#ifndef QY_CORE_IDENT_H
#define QY_CORE_IDENT_H

#include <stdbool.h>
#include <stdint.h>

#include "quotey/core/code.h"

#ifdef __cplusplus
extern "C" {
#endif

#define QY_QUOTE_ID_MIN 3
#define QY_QUOTE_ID_MAX 64
#define QY_QUOTE_ID_SIZE (QY_QUOTE_ID_MAX + 1)
#define QY_LINE_ID_MAX 88
#define QY_LINE_ID_SIZE (QY_LINE_ID_MAX + 1)
#define QY_IDENT_RANDOM 6
#define QY_IDENT_PREFIX_MAX 8
#define QY_IDENT_SIZE (QY_IDENT_PREFIX_MAX + 2 * QY_IDENT_RANDOM + 1)
#define QY_CORRELATION_MAX 64

#define QY_ID_APPROVAL "APR-"
#define QY_ID_CUSTOMER_APPROVAL "PAPR-"
#define QY_ID_CUSTOMER_REJECTION "PREJ-"
#define QY_ID_LINK "PL-"
#define QY_ID_TASK "TSK-"
#define QY_ID_AUDIT "AUD-"
#define QY_ID_LEDGER "LED-"
#define QY_ID_COMMENT "CMT-"
#define QY_ID_SESSION "SES-"
#define QY_ID_SNAPSHOT "PS-"
#define QY_ID_CORRELATION "cor-"

/*
 * Checks a quote id from outside and gives its stored form: 3 to 64 of [A-Za-z0-9_-], first a
 * letter or digit; ids starting with "q-" in either case are upper-cased as a whole.
 * Error: INVALID_ID.
 */
enum qy_code qy_quote_id_normalize(const char *text, char ret_id[QY_QUOTE_ID_SIZE]) QY_MUST_USE;

/* "Q-YYYY-NNNN", four digits or more. Error: INVALID_ID for a year outside 1..9999 or number 0. */
enum qy_code qy_quote_id_format(int year, uint64_t number,
				char ret_id[QY_QUOTE_ID_SIZE]) QY_MUST_USE;

/* "<quote id>-ql-<n>". Error: INVALID_ID for a malformed quote id or number 0. */
enum qy_code qy_line_id_format(const char *quote_id, uint64_t number,
			       char ret_id[QY_LINE_ID_SIZE]) QY_MUST_USE;

/* The n of a line id of that quote. Error: INVALID_ID for any other text. */
enum qy_code qy_line_id_number(const char *quote_id, const char *line_id,
			       uint64_t *ret_number) QY_MUST_USE;

/* A prefix (QY_ID_*) and 12 lower-case hex digits. Error: INVALID_ID for a prefix too long. */
enum qy_code qy_ident_format(const char *prefix, const uint8_t random[QY_IDENT_RANDOM],
			     char ret_id[QY_IDENT_SIZE]) QY_MUST_USE;

/* True for 1 to 64 of [A-Za-z0-9_-]: what an X-Correlation-Id header may say. */
bool qy_correlation_valid(const char *text);

#ifdef __cplusplus
}
#endif

#endif
