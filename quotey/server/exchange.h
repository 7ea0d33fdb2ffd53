/*
 * An exchange: one request with everything its handler holds, so that it is freed however the
 * handler's task ends. And the instance that all exchanges of one listener share.
 */
#ifndef QY_SERVER_EXCHANGE_H
#define QY_SERVER_EXCHANGE_H

#include <qrt/http.h>
#include <qrt/rate.h>

#include "quotey/db/store.h"
#include "quotey/server/error_body.h"
#include "quotey/json/json.h"
#include "quotey/server/server.h"

/* An instance of the component; touched by its runtime's thread only, except as noted. */
struct qy_server {
	const struct qy_server_env *env;
	struct qrt_http_server *http;
	struct qrt_http_router *router;
	struct qrt_rate *rate; /* the host's, or own_rate */
	struct qrt_rate *own_rate;
	uint8_t seed[QRT_SHA256_SIZE]; /* of new correlation ids */
	uint64_t next_correlation;
};

struct qy_route_rule; /* routes.h */

struct qy_exchange {
	struct qy_server *server;
	const struct qy_route_rule *rule;
	struct qrt_cx *cx;
	struct qrt_http_request *req;
	struct qrt_http_response *resp;
	const char *correlation; /* the response's header */
	struct qy_apikey key;	 /* who asks; filled in by qy_link_key */
	bool touch_due;		 /* the use of the key is to be noted */
	struct qy_origin origin;
	struct qy_error error;
	struct qy_exchange **at; /* who refers to it */
	/* Owned; each may be empty. */
	struct qy_doc *body;
	struct qy_quote quote;
	struct qy_quote_list list;
	struct qy_price_result result;
	char *text;
};

/*
 * In the memory of cx's region, and gone with it: *at is NULL again then, so it must live longer.
 * Errors: ENOMEM.
 */
enum qrt_err qy_exchange_open(struct qrt_cx *cx, struct qrt_http_request *req,
			      struct qrt_http_response *resp, const struct qy_route_rule *rule,
			      struct qy_exchange **at) QRT_MUST_USE;

#endif
