/* Authentication and authorisation of API calls. */
#include "quotey/server/auth.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "quotey/core/civil.h"
#include "quotey/server/answer.h"

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

/* True: exchange->key is who asks. Otherwise *ret_err is what the handler returns. */
static bool authenticate(struct qy_exchange *exchange, enum qrt_err *ret_err)
{
	const char *header = qrt_http_header(exchange->req, "Authorization");
	char id[QY_APIKEY_ID_SIZE], secret[QY_APIKEY_SECRET_SIZE], now[QY_TIMESTAMP_SIZE];
	struct qy_fault fault;
	int64_t wall_ms = 0;
	enum qrt_err err;
	bool known, open;

	if (qy_auth_bearer(header, id, secret) != QY_OK) {
		qy_error_set(&exchange->error, 401,
			     header == NULL ? "MISSING_API_KEY" : "INVALID_API_KEY", "%s",
			     header == NULL ? "There is no API key." : "The API key is not valid.");
		*ret_err = qy_answer_error(exchange);
		return false;
	}
	err = qrt_wall_ms(exchange->cx, &wall_ms);
	if (!err && qy_timestamp_format(wall_ms, now) != QY_OK) {
		err = QRT_EFAILED;
	}
	if (!err) {
		err = qy_db_apikey_find(exchange->cx, exchange->server->env->db, id, &exchange->key,
					&fault);
	}
	if (err) {
		explicit_bzero(secret, sizeof(secret));
		*ret_err = qy_answer_failure(exchange, err, NULL, NULL);
		return false;
	}
	known = fault.kind == QY_FAULT_NONE;
	open = qy_auth_judge(known ? &exchange->key : NULL, secret, now, &exchange->error);
	explicit_bzero(secret, sizeof(secret));
	if (!open) {
		*ret_err = qy_answer_error(exchange);
	}
	return open;
}

/* True: within the rate, and *ret_due tells whether its use should be noted. */
static bool check_rate(struct qy_exchange *exchange, bool *ret_due, enum qrt_err *ret_err)
{
	const struct qy_apikey *key = &exchange->key;
	unsigned per_minute = key->rate_per_minute ? key->rate_per_minute : QY_APIKEY_RATE_DEFAULT;
	struct qrt_rate_verdict verdict = {.allowed = false};
	int64_t now_ns = 0;
	enum qrt_err err = qrt_now(exchange->cx, &now_ns);

	if (!err) {
		err = qrt_rate_take(exchange->server->rate, key->id, per_minute, now_ns, &verdict);
	}
	if (err == QRT_ENOMEM || err == QRT_ELIMIT) {
		qy_error_set(&exchange->error, 503, "SERVICE_UNAVAILABLE",
			     "There are too many callers now.");
		*ret_err = qy_answer_error(exchange);
		return false;
	}
	if (err) {
		*ret_err = err;
		return false;
	}
	if (!verdict.allowed) {
		qy_error_set(&exchange->error, 429, "RATE_LIMITED",
			     "The key has made its %u calls of this minute.", per_minute);
		exchange->error.retry_after_seconds = verdict.retry_after_seconds;
		*ret_err = qy_answer_error(exchange);
		return false;
	}
	*ret_due = verdict.first_this_minute;
	return true;
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

enum qrt_err qy_auth(struct qy_exchange *exchange, enum qy_scope scope, bool touch,
		     bool *ret_allowed)
{
	enum qrt_err err = QRT_OK;
	bool due = false;

	*ret_allowed = false;
	if (!authenticate(exchange, &err) || !check_rate(exchange, &due, &err)) {
		return err;
	}
	if (!qy_apikey_allows(&exchange->key, scope)) {
		qy_error_set(&exchange->error, 403, "INSUFFICIENT_SCOPE",
			     "The API key lacks the scope %s.", qy_scope_name(scope));
		return qy_answer_error(exchange);
	}
	if (due && touch) {
		touch_key(exchange);
	}
	set_origin(exchange);
	*ret_allowed = true;
	return QRT_OK;
}
