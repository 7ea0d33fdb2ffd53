/*
 * Refusals of those who are not known or may not: counted, logged, and audited. Somebody who tries
 * keys must not fill the disk by it, so there is a limit to the rows a minute; the next row says
 * how many had none.
 */
#ifndef QY_SERVER_DENIED_H
#define QY_SERVER_DENIED_H

#include "quotey/server/exchange.h"

#define QY_DENIED_ROWS_PER_MINUTE 30

/*
 * To be called before the answer; @code is of the error ("INVALID_API_KEY"), @key_id of the key
 * that was offered, or "". Suspends for the row, not long, and never fails.
 */
void qy_denied(struct qrt_cx *cx, const struct qrt_http_request *req, const char *code,
	       const char *key_id);

#endif
