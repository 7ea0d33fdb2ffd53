/*
 * The routes of the JSON API: path, method, the scope a key needs, and the handler.
 */
#ifndef QY_SERVER_ROUTES_H
#define QY_SERVER_ROUTES_H

#include "quotey/server/exchange.h"

/* A handler behind authentication: the result is that of qy_answer_*. */
typedef enum qrt_err qy_route_fn(struct qy_exchange *exchange);

/* Adds all routes. Errors: those of qrt_http_route_add. */
enum qrt_err qy_routes_add(struct qrt_http_router *router) QRT_MUST_USE;

#endif
