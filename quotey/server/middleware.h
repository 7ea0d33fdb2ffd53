/*
 * What happens around every handler: headers before, routing, an answer for what has no route,
 * counters and the access log after.
 */
#ifndef QY_SERVER_MIDDLEWARE_H
#define QY_SERVER_MIDDLEWARE_H

#include "quotey/server/exchange.h"

/* The HTTP server's handler; its app is the struct qy_server. */
enum qrt_err qy_middleware_handle(struct qrt_cx *cx, struct qrt_http_request *req,
				  struct qrt_http_response *resp) QRT_MUST_USE;

/* The HTTP server's answer to what no handler answered; @app is the struct qy_server. */
void qy_middleware_error(void *app, struct qrt_http_request *req, struct qrt_http_response *resp,
			 int status, const char *detail);

#endif
