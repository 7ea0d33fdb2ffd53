/* Authentication and authorisation of API calls. */
#include "quotey/server/auth.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "quotey/core/civil.h"
#include "quotey/server/answer.h"
#include "quotey/server/denied.h"
#include "quotey/server/middleware.h"
#include "quotey/server/routes.h"

/* A stamp of use is worth no longer wait than this. */
#define TOUCH_MAX_NS (250 * QRT_MS)

enum qy_code qy_auth_bearer(const char *header, char ret_id[QY_APIKEY_ID_SIZE],
			    char ret_secret[QY_APIKEY_SECRET_SIZE])
{
	static const char scheme[] = "Bearer ";

	if (header == NULL || strncasecmp(header, scheme, strlen(scheme)) != 0) {
		return QY_INVALID_FIELD;
	}
	header += strlen(scheme);
	return qy_apikey_parse(header + strspn(header, " "), ret_id, ret_secret);
}

bool qy_auth_judge(const struct qy_apikey *key, const char secret[QY_APIKEY_SECRET_SIZE],
		   const char *now, struct qy_error *error)
{
	static const struct qy_apikey nobody = {
	    .secret_hash = "0000000000000000000000000000000000000000000000000000000000000000"};
	bool matches = qy_apikey_matches(key != NULL ? key : &nobody, secret);

	if (key == NULL || !matches) {
		qy_error_set(error, 401, "INVALID_API_KEY", "The API key is not valid.");
		return false;
	}
	if (key->revoked_at[0] != '\0') {
		qy_error_set(error, 401, "REVOKED_API_KEY", "The API key has been revoked.");
		return false;
	}
	if (!qy_apikey_live(key, now)) {
		qy_error_set(error, 401, "EXPIRED_API_KEY", "The API key has expired.");
		return false;
	}
	return true;
}

/* Answers exchange->error, a 401 or 403, and lets others know. */
static enum qrt_err deny(struct qy_exchange *exchange, const char *key_id)
{
	qy_denied(exchange->cx, exchange->req, exchange->error.code, key_id);
	return qy_answer_error(exchange);
}

/* Keys of a person act for him, others for themselves. */
static void set_origin(struct qy_exchange *exchange)
{
	char actor[QY_ACTOR_SIZE];

	if (exchange->key.rep_id[0] != '\0') {
		snprintf(actor, sizeof(actor), "user:%s", exchange->key.rep_id);
	} else {
		snprintf(actor, sizeof(actor), "service:qk_%s", exchange->key.id);
	}
	qy_origin_set(&exchange->origin, actor, exchange->correlation);
}

/* Looks @id up. *ret_open: exchange->key is a live one that @secret opens. */
static enum qrt_err look_up(struct qy_exchange *exchange, const char *id,
			    const char secret[QY_APIKEY_SECRET_SIZE], bool *ret_open)
{
	char now[QY_TIMESTAMP_SIZE];
	struct qy_fault fault;
	int64_t wall_ms = 0;
	enum qrt_err err = qrt_wall_ms(exchange->cx, &wall_ms);

	if (!err && qy_timestamp_format(wall_ms, now) != QY_OK) {
		err = QRT_EFAILED;
	}
	if (!err) {
		err = qy_db_apikey_find(exchange->cx, exchange->server->env->db, id, &exchange->key,
					&fault);
	}
	if (!err) {
		bool known = fault.kind == QY_FAULT_NONE;

		*ret_open =
		    qy_auth_judge(known ? &exchange->key : NULL, secret, now, &exchange->error);
	}
	return err;
}

enum qrt_err qy_link_key(struct qrt_cx *cx, struct qrt_http_request *req,
			 struct qrt_http_response *resp, struct qrt_http_walk *walk)
{
	struct qy_exchange *exchange = qy_visit_of(req)->exchange;
	const char *header = qrt_http_header(req, "Authorization");
	char id[QY_APIKEY_ID_SIZE], secret[QY_APIKEY_SECRET_SIZE];
	bool open = false;
	enum qrt_err err;

	if (qy_auth_bearer(header, id, secret) != QY_OK) {
		qy_error_set(&exchange->error, 401,
			     header == NULL ? "MISSING_API_KEY" : "INVALID_API_KEY", "%s",
			     header == NULL ? "There is no API key." : "The API key is not valid.");
		return deny(exchange, "");
	}
	err = look_up(exchange, id, secret, &open);
	explicit_bzero(secret, sizeof(secret));
	if (err) {
		return qy_answer_failure(exchange, err, NULL, NULL);
	}
	if (!open) {
		return deny(exchange, id);
	}
	memcpy(qy_visit_of(req)->key_id, exchange->key.id, sizeof(exchange->key.id));
	set_origin(exchange);
	return qrt_http_next(cx, req, resp, walk);
}

/* The window is full, or there is no room for another one. */
static enum qrt_err limit(struct qy_exchange *exchange, enum qrt_err err, unsigned per_minute,
			  const struct qrt_rate_verdict *verdict)
{
	struct qy_server_counters *counters = exchange->server->env->counters;

	if (err == QRT_ENOMEM || err == QRT_ELIMIT) {
		qy_error_set(&exchange->error, 503, "SERVICE_UNAVAILABLE",
			     "There are too many callers now.");
		return qy_answer_error(exchange);
	}
	if (err) {
		return err;
	}
	if (counters != NULL) {
		atomic_fetch_add_explicit(&counters->limited, 1, memory_order_relaxed);
	}
	qy_error_set(&exchange->error, 429, "RATE_LIMITED",
		     "The key has made its %u calls of this minute.", per_minute);
	exchange->error.retry_after_seconds = verdict->retry_after_seconds;
	return qy_answer_error(exchange);
}

enum qrt_err qy_link_rate(struct qrt_cx *cx, struct qrt_http_request *req,
			  struct qrt_http_response *resp, struct qrt_http_walk *walk)
{
	struct qy_exchange *exchange = qy_visit_of(req)->exchange;
	const struct qy_apikey *key = &exchange->key;
	unsigned per_minute = key->rate_per_minute ? key->rate_per_minute : QY_APIKEY_RATE_DEFAULT;
	struct qrt_rate_verdict verdict = {.allowed = false};
	int64_t now_ns = 0;
	enum qrt_err err = qrt_now(cx, &now_ns);

	if (!err) {
		err = qrt_rate_take(exchange->server->rate, key->id, per_minute, now_ns, &verdict);
	}
	if (err || !verdict.allowed) {
		return limit(exchange, err, per_minute, &verdict);
	}
	exchange->touch_due = verdict.first_this_minute;
	return qrt_http_next(cx, req, resp, walk);
}

/* Notes the use. Nothing depends on it, so it may fail, and it may not take long. */
static void touch_key(struct qy_exchange *exchange)
{
	struct qrt_region_options opts = {
	    .name = "touch api key",
	    .policy = QRT_COLLECT,
	    .budget.deadline_ns = qrt_deadline_in(exchange->cx, TOUCH_MAX_NS),
	};
	struct qrt_region *region = NULL;
	enum qrt_err err;

	if (qrt_region_open_with(exchange->cx, &opts, &region) != QRT_OK) {
		return;
	}
	err =
	    qy_db_apikey_touch(qrt_region_cx(region), exchange->server->env->db, exchange->key.id);
	QRT_IGNORE(qrt_region_close(exchange->cx, &region, err), "the next minute tries again");
}

enum qrt_err qy_link_scope(struct qrt_cx *cx, struct qrt_http_request *req,
			   struct qrt_http_response *resp, struct qrt_http_walk *walk)
{
	struct qy_exchange *exchange = qy_visit_of(req)->exchange;
	const struct qy_route_rule *rule = exchange->rule;

	if (!qy_apikey_allows(&exchange->key, rule->scope)) {
		qy_error_set(&exchange->error, 403, "INSUFFICIENT_SCOPE",
			     "The API key lacks the scope %s.", qy_scope_name(rule->scope));
		return deny(exchange, exchange->key.id);
	}
	if (exchange->touch_due && rule->touch) {
		touch_key(exchange);
	}
	return qrt_http_next(cx, req, resp, walk);
}
