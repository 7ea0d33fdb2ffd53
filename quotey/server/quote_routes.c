/*
 * Handlers of /api/v1/quotes: read the request, ask the store, write the answer. What a quote may
 * and may not do is decided there, never here.
 */
#include "quotey/server/quote_routes.h"

#include <stdio.h>

#include "quotey/server/answer.h"
#include "quotey/server/quote_input.h"
#include "quotey/server/quote_json.h"
#include "quotey/server/request.h"

/* The state version is the entity tag. */
static enum qrt_err set_etag(struct qy_exchange *exchange, const struct qy_quote *quote)
{
	char tag[16];

	snprintf(tag, sizeof(tag), "\"%u\"", quote->state_version);
	return qrt_http_set_header(exchange->resp, "ETag", tag);
}

static enum qrt_err set_location(struct qy_exchange *exchange, const struct qy_quote *quote)
{
	char location[32 + QY_QUOTE_ID_SIZE];

	snprintf(location, sizeof(location), "/api/v1/quotes/%s", quote->id);
	return qrt_http_set_header(exchange->resp, "Location", location);
}

static enum qrt_err answer_quote(struct qy_exchange *exchange, int status)
{
	enum qrt_err err = set_etag(exchange, &exchange->quote);
	enum qy_code code;

	if (err) {
		return err;
	}
	code = qy_quote_json(&exchange->quote, &exchange->text);
	return qy_answer_json(exchange, status, code);
}

/* A price of one's own needs a scope of its own. */
static bool check_manual(struct qy_exchange *exchange, bool manual)
{
	if (manual && !qy_apikey_allows(&exchange->key, QY_SCOPE_QUOTES_OVERRIDE)) {
		qy_error_set(&exchange->error, 403, "INSUFFICIENT_SCOPE",
			     "A unit_price needs the scope %s.",
			     qy_scope_name(QY_SCOPE_QUOTES_OVERRIDE));
		return false;
	}
	return true;
}

enum qrt_err qy_route_quote_create(struct qy_exchange *exchange)
{
	struct qy_fault fault;
	bool manual = false;
	enum qrt_err err;

	if (!qy_request_body(exchange) ||
	    !qy_quote_input(exchange->body, &exchange->quote, &manual, &exchange->error) ||
	    !check_manual(exchange, manual)) {
		return qy_answer_error(exchange);
	}
	err = qy_db_quote_create(exchange->cx, exchange->server->env->db, &exchange->origin,
				 &exchange->quote, &fault);
	if (err || fault.kind != QY_FAULT_NONE) {
		return qy_answer_failure(exchange, err, &fault, NULL);
	}
	err = set_location(exchange, &exchange->quote);
	return err ? err : answer_quote(exchange, 201);
}

enum qrt_err qy_route_quote_get(struct qy_exchange *exchange)
{
	char id[QY_QUOTE_ID_SIZE];
	struct qy_fault fault;
	enum qrt_err err;

	if (!qy_request_quote_id(exchange, id)) {
		return qy_answer_error(exchange);
	}
	err =
	    qy_db_quote_get(exchange->cx, exchange->server->env->db, id, &exchange->quote, &fault);
	if (err || fault.kind != QY_FAULT_NONE) {
		return qy_answer_failure(exchange, err, &fault, NULL);
	}
	return answer_quote(exchange, 200);
}

enum qrt_err qy_route_quote_list(struct qy_exchange *exchange)
{
	struct qy_quote_filter filter;
	enum qrt_err err;

	if (!qy_request_filter(exchange, &filter)) {
		return qy_answer_error(exchange);
	}
	err = qy_db_quote_list(exchange->cx, exchange->server->env->db, &filter, &exchange->list);
	if (err) {
		return qy_answer_failure(exchange, err, NULL, NULL);
	}
	return qy_answer_json(exchange, 200,
			      qy_quote_list_json(&exchange->list, &filter, &exchange->text));
}

enum qrt_err qy_route_quote_price(struct qy_exchange *exchange)
{
	struct qy_price_request request = {.origin = exchange->origin};
	struct qy_price_result *result = &exchange->result;
	enum qrt_err err;

	if (!qy_request_quote_id(exchange, request.quote_id) ||
	    !qy_request_if_match(exchange, &request.if_state_version) ||
	    !qy_request_no_body(exchange)) {
		return qy_answer_error(exchange);
	}
	err = qy_db_quote_price(exchange->cx, exchange->server->env->db, &request, result);
	if (err || result->fault.kind != QY_FAULT_NONE) {
		return qy_answer_failure(exchange, err, &result->fault, &result->violations);
	}
	err = set_etag(exchange, &result->quote);
	return err ? err : qy_answer_json(exchange, 200, qy_priced_json(result, &exchange->text));
}

enum qrt_err qy_route_quote_preview(struct qy_exchange *exchange)
{
	struct qy_price_result *result = &exchange->result;
	char id[QY_QUOTE_ID_SIZE];
	enum qrt_err err;

	if (!qy_request_quote_id(exchange, id) || !qy_request_no_body(exchange)) {
		return qy_answer_error(exchange);
	}
	err = qy_db_quote_preview(exchange->cx, exchange->server->env->db, id, result);
	if (err || result->fault.kind != QY_FAULT_NONE) {
		return qy_answer_failure(exchange, err, &result->fault, NULL);
	}
	err = set_etag(exchange, &result->quote);
	return err ? err : qy_answer_json(exchange, 200, qy_preview_json(result, &exchange->text));
}
