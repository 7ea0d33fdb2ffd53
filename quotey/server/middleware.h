/*
 * What happens around every handler, as chains of links (qrt/http_chain.h).
 *
 * Before routing: begin (who asks, correlation id, headers), account (counters, access log). Behind
 * the router, for the JSON API: narrow (capabilities, deadline), key, rate, scope. Each is one
 * link; the tables are in middleware.c and routes.c. What panics or fails below is answered by
 * qy_middleware_error.
 */
#ifndef QY_SERVER_MIDDLEWARE_H
#define QY_SERVER_MIDDLEWARE_H

#include "quotey/server/client_address.h"
#include "quotey/server/exchange.h"

/* What is known of a request from its first link to its last byte: qrt_http_local of it. */
struct qy_visit {
	int64_t began_ns; /* -1: not known */
	char client[QY_CLIENT_SIZE];
	char key_id[QY_APIKEY_ID_SIZE]; /* of a key that was let in; "" */
	struct qy_exchange *exchange;	/* while there is one */
};

/* Not NULL behind the link begin. */
struct qy_visit *qy_visit_of(const struct qrt_http_request *req);

/* The HTTP server's handler; its app is the struct qy_server. */
enum qrt_err qy_middleware_handle(struct qrt_cx *cx, struct qrt_http_request *req,
				  struct qrt_http_response *resp) QRT_MUST_USE;

/* The HTTP server's answer to what no handler answered; @app is the struct qy_server. */
void qy_middleware_error(void *app, struct qrt_http_request *req, struct qrt_http_response *resp,
			 int status, const char *detail);

/*
 * For any group: the rest has only some capabilities, and less time. The arg is a struct
 * qy_limits, or NULL: then the route's about is a struct qy_route_rule, whose limits are taken.
 */
struct qy_limits {
	uint32_t caps;	     /* enum qrt_cap; never adds one */
	int64_t deadline_ns; /* from here on; 0: the server's */
};
qrt_http_link_fn qy_link_narrow;

#endif
