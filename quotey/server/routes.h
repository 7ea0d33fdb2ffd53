/*
 * The routes of the JSON API: path, method, what a handler may do, the scope a key needs, and the
 * handler.
 */
#ifndef QY_SERVER_ROUTES_H
#define QY_SERVER_ROUTES_H

#include "quotey/server/exchange.h"
#include "quotey/server/middleware.h"

/* A handler behind authentication: the result is that of qy_answer_*. */
typedef enum qrt_err qy_route_fn(struct qy_exchange *exchange);

/* What the links of the API know of a route: its about. */
struct qy_route_rule {
	enum qy_scope scope;
	bool touch; /* the call may note that the key was used; a preview must not write at all */
	struct qy_limits limits;
	qy_route_fn *run;
};

/* Adds all routes. Errors: those of qrt_http_route_add. */
enum qrt_err qy_routes_add(struct qrt_http_router *router) QRT_MUST_USE;

#endif
