/* Opens exchanges, and frees what their handlers left in them. */
#include "quotey/server/exchange.h"

#include <stdlib.h>

#include "quotey/server/headers.h"

static void clean(struct qrt_cx *cx, void *arg)
{
	struct qy_exchange *exchange = arg;

	(void)cx;
	*exchange->at = NULL;
	qy_doc_destroy(&exchange->body);
	qy_quote_fini(&exchange->quote);
	qy_quote_list_fini(&exchange->list);
	qy_price_result_fini(&exchange->result);
	free(exchange->text);
	exchange->text = NULL;
}

enum qrt_err qy_exchange_open(struct qrt_cx *cx, struct qrt_http_request *req,
			      struct qrt_http_response *resp, const struct qy_route_rule *rule,
			      struct qy_exchange **at)
{
	struct qy_exchange *exchange = qrt_alloc(cx, sizeof(*exchange));
	enum qrt_err err;

	if (exchange == NULL) {
		return QRT_ENOMEM;
	}
	exchange->server = qrt_http_app(req);
	exchange->rule = rule;
	exchange->cx = cx;
	exchange->at = at;
	exchange->req = req;
	exchange->resp = resp;
	exchange->correlation = qrt_http_response_header(resp, QY_HEADER_CORRELATION);
	qy_quote_init(&exchange->quote);
	qy_quote_init(&exchange->result.quote);
	err = qrt_defer(cx, clean, exchange);
	if (err) {
		return err;
	}
	*at = exchange;
	return QRT_OK;
}
