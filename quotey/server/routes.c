/* The route table of the JSON API, and the links before its handlers. */
#include "quotey/server/routes.h"

#include "quotey/server/auth.h"
#include "quotey/server/quote_routes.h"

/* Calls to db, and what waiting for one takes. No handler reaches a socket or a file. */
#define ASKS_DB (QRT_CAP_CALL | QRT_CAP_SPAWN | QRT_CAP_TIME | QRT_CAP_RANDOM)

#define RULE(name, scope, touch, run)                                                              \
	static const struct qy_route_rule name = {scope, touch, {ASKS_DB, 0}, run}

RULE(create, QY_SCOPE_QUOTES_WRITE, true, qy_route_quote_create);
RULE(list, QY_SCOPE_QUOTES_READ, true, qy_route_quote_list);
RULE(get, QY_SCOPE_QUOTES_READ, true, qy_route_quote_get);
RULE(price, QY_SCOPE_QUOTES_WRITE, true, qy_route_quote_price);
RULE(preview, QY_SCOPE_QUOTES_READ, false, qy_route_quote_preview);

static enum qrt_err link_exchange(struct qrt_cx *cx, struct qrt_http_request *req,
				  struct qrt_http_response *resp, struct qrt_http_walk *walk)
{
	struct qy_visit *visit = qy_visit_of(req);
	enum qrt_err err = qy_exchange_open(cx, req, resp, walk->route->about, &visit->exchange);

	return err ? err : qrt_http_next(cx, req, resp, walk);
}

static enum qrt_err run_route(struct qrt_cx *cx, struct qrt_http_request *req,
			      struct qrt_http_response *resp)
{
	struct qy_exchange *exchange = qy_visit_of(req)->exchange;

	(void)cx;
	(void)resp;
	return exchange->rule->run(exchange);
}

/* In this order: a key that is not known has neither a rate nor scopes. */
static const struct qrt_http_link links[] = {
    {qy_link_narrow, NULL}, {link_exchange, NULL}, {qy_link_key, NULL},
    {qy_link_rate, NULL},   {qy_link_scope, NULL}, {NULL, NULL},
};

static const struct qrt_http_route routes[] = {
    {"POST", "/api/v1/quotes", run_route, &create, {0}},
    {"GET", "/api/v1/quotes", run_route, &list, {0}},
    {"GET", "/api/v1/quotes/{id}", run_route, &get, {0}},
    {"POST", "/api/v1/quotes/{id}/price", run_route, &price, {0}},
    {"POST", "/api/v1/quotes/{id}/preview", run_route, &preview, {0}},
};

static const struct qrt_http_group api = {links, routes, sizeof(routes) / sizeof(routes[0])};

enum qrt_err qy_routes_add(struct qrt_http_router *router)
{
	return qrt_http_group_add(router, &api);
}
