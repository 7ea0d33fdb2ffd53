/* The route table, and the one handler that stands before all of its rows. */
#include "quotey/server/routes.h"

#include <string.h>

#include "quotey/server/auth.h"
#include "quotey/server/quote_routes.h"

struct route {
	const char *method, *pattern;
	enum qy_scope scope;
	bool touch; /* the call may note that the key was used; a preview must not write at all */
	qy_route_fn *run;
};

static const struct route routes[] = {
    {"POST", "/api/v1/quotes", QY_SCOPE_QUOTES_WRITE, true, qy_route_quote_create},
    {"GET", "/api/v1/quotes", QY_SCOPE_QUOTES_READ, true, qy_route_quote_list},
    {"GET", "/api/v1/quotes/{id}", QY_SCOPE_QUOTES_READ, true, qy_route_quote_get},
    {"POST", "/api/v1/quotes/{id}/price", QY_SCOPE_QUOTES_WRITE, true, qy_route_quote_price},
    {"POST", "/api/v1/quotes/{id}/preview", QY_SCOPE_QUOTES_READ, false, qy_route_quote_preview},
};

#define ROUTE_COUNT (sizeof(routes) / sizeof(routes[0]))

static const struct route *matched(const struct qrt_http_request *req)
{
	const char *method = qrt_http_method(req);
	size_t i;

	/* The router sends HEAD where GET goes. */
	if (strcmp(method, "HEAD") == 0) {
		method = "GET";
	}
	for (i = 0; i < ROUTE_COUNT; i++) {
		if (strcmp(routes[i].method, method) == 0 &&
		    strcmp(routes[i].pattern, qrt_http_route(req)) == 0) {
			return &routes[i];
		}
	}
	QRT_IMPOSSIBLE("the router knows a route that the table does not");
}

static enum qrt_err run_route(struct qrt_cx *cx, struct qrt_http_request *req,
			      struct qrt_http_response *resp)
{
	const struct route *route = matched(req);
	struct qy_exchange *exchange = NULL;
	bool allowed = false;
	enum qrt_err err;

	err = qy_exchange_open(cx, req, resp, &exchange);
	if (!err) {
		err = qy_auth(exchange, route->scope, route->touch, &allowed);
	}
	return err || !allowed ? err : route->run(exchange);
}

enum qrt_err qy_routes_add(struct qrt_http_router *router)
{
	size_t i;

	for (i = 0; i < ROUTE_COUNT; i++) {
		enum qrt_err err =
		    qrt_http_route_add(router, routes[i].method, routes[i].pattern, run_route);

		if (err) {
			return err;
		}
	}
	return QRT_OK;
}
