/*
 * The headers that every answer has, whoever makes it: security, no-store and the correlation id.
 */
#ifndef QY_SERVER_HEADERS_H
#define QY_SERVER_HEADERS_H

#include <qrt/http.h>

#include "quotey/server/exchange.h"

#define QY_HEADER_CORRELATION "X-Correlation-Id"

/*
 * Sets them, unless they are set already. The correlation id is the request's own when it is a
 * valid one, else a new one. @req may be NULL. Errors: ENOMEM.
 */
enum qrt_err qy_headers_set(struct qy_server *server, const struct qrt_http_request *req,
			    struct qrt_http_response *resp) QRT_MUST_USE;

#endif
