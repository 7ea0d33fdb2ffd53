/* Asking Slack for a connection: `apps.connections.open`, and what its answers mean. */
#include <stdio.h>
#include <string.h>

#include "quotey/json/json.h"
#include "quotey/slack/internal.h"

#define OPEN_MAX (10 * QRT_SEC)
#define ANSWER_MAX ((size_t)64 << 10)
#define RETRY_AFTER_MAX_SECS 86400

#define METHOD "/apps.connections.open"
#define BEARER "Bearer "

enum {
	URL_SIZE = QY_SLACK_BASE_URL_MAX + sizeof(METHOD),
	HEADER_SIZE = QY_SLACK_TOKEN_MAX + sizeof(BEARER),
	STATUS_LIMITED = 429,
};

/* Errors that waiting alone will not cure. */
static bool is_refusal(const char *error)
{
	return strcmp(error, "invalid_auth") == 0 || strcmp(error, "not_authed") == 0 ||
	       strcmp(error, "account_inactive") == 0;
}

static const char *text_of(const struct qy_doc *doc, const char *name)
{
	const struct qy_doc *value = qy_doc_member(doc, name);

	return value != NULL && qy_doc_kind(value) == QY_DOC_STRING ? qy_doc_string(value) : "";
}

static enum qrt_err take_url(struct qrt_cx *cx, const char *url, char ret_url[QY_SLACK_URL_SIZE])
{
	const char *why;

	if (!qy_slack_url_allowed(url, &why)) {
		return qrt_fail(cx, QRT_EPROTO, "the URL that Slack gives is not used: %s", why);
	}
	snprintf(ret_url, QY_SLACK_URL_SIZE, "%s", url);
	return QRT_OK;
}

static enum qrt_err judge(struct qrt_cx *cx, struct qy_slack_line *line, const struct qy_doc *doc,
			  char ret_url[QY_SLACK_URL_SIZE])
{
	const struct qy_doc *ok;
	const char *error;

	if (qy_doc_kind(doc) != QY_DOC_OBJECT) {
		return qrt_fail(cx, QRT_EPROTO, "Slack answered with no object");
	}
	ok = qy_doc_member(doc, "ok");
	if (ok != NULL && qy_doc_kind(ok) == QY_DOC_BOOLEAN && qy_doc_boolean(ok)) {
		return take_url(cx, text_of(doc, "url"), ret_url);
	}
	error = text_of(doc, "error");
	if (is_refusal(error)) {
		line->end = QY_SLACK_REFUSED;
	}
	return qrt_fail(cx, QRT_EFAILED, "Slack refused a connection: %.64s",
			error[0] != '\0' ? error : "no reason given");
}

static void take_retry_after(struct qrt_cx *cx, struct qy_slack_line *line,
			     const struct qrt_http_answer *answer)
{
	int64_t wall_ms = 0, secs = 0;

	if (!qrt_wall_ms(cx, &wall_ms) && !qrt_http_retry_after(answer, wall_ms, &secs)) {
		secs = secs < RETRY_AFTER_MAX_SECS ? secs : RETRY_AFTER_MAX_SECS;
		line->retry_after_ns = secs * QRT_SEC;
	}
}

static enum qrt_err read_answer(struct qrt_cx *cx, struct qy_slack_line *line,
				const struct qrt_http_answer *answer,
				char ret_url[QY_SLACK_URL_SIZE])
{
	struct qy_doc_error error;
	struct qy_doc *doc = NULL;
	enum qrt_err err;

	take_retry_after(cx, line, answer);
	if (answer->status != 200) {
		return qrt_fail(cx, QRT_EFAILED, "Slack answered with status %d%s", answer->status,
				answer->status == STATUS_LIMITED ? ": too many requests" : "");
	}
	if (!qy_doc_parse_foreign(answer->body, answer->body_len, &doc, &error)) {
		return qrt_fail(cx, error.fault == QY_DOC_NO_MEMORY ? QRT_ENOMEM : QRT_EPROTO,
				"Slack answered with no JSON: %s", error.text);
	}
	err = judge(cx, line, doc, ret_url);
	qy_doc_destroy(&doc);
	return err;
}

static enum qrt_err ask(struct qrt_cx *cx, struct qy_slack_line *line,
			char ret_url[QY_SLACK_URL_SIZE])
{
	const struct qy_slack_env *env = line->slack->env;
	char url[URL_SIZE], authorization[HEADER_SIZE];
	const struct qrt_http_header headers[] = {
	    {"Authorization", authorization},
	    {"Content-Type", "application/x-www-form-urlencoded"}};
	const struct qrt_http_ask request = {.method = "POST",
					     .url = url,
					     .headers = headers,
					     .n_headers = sizeof(headers) / sizeof(headers[0]),
					     .body = "",
					     .body_max = ANSWER_MAX};
	struct qrt_http_call *call = NULL;
	struct qrt_http_answer answer;
	enum qrt_err err;

	snprintf(url, sizeof(url), "%s" METHOD, env->api_base_url);
	snprintf(authorization, sizeof(authorization), BEARER "%s", env->app_token);
	err = qrt_http_fetch(cx, line->slack->http, &request, &call, &answer);
	explicit_bzero(authorization, sizeof(authorization));
	if (!err) {
		err = read_answer(cx, line, &answer, ret_url);
		qrt_http_call_end(cx, &call);
	}
	return err;
}

enum qrt_err qy_slack_open(struct qrt_cx *cx, struct qy_slack_line *line,
			   char ret_url[QY_SLACK_URL_SIZE])
{
	const struct qrt_region_options opts = {
	    .name = "slack open", .budget.deadline_ns = qrt_deadline_in(cx, OPEN_MAX)};
	struct qrt_region *region;
	enum qrt_err err = qrt_region_open_with(cx, &opts, &region);

	if (err) {
		return err;
	}
	atomic_fetch_add(&line->slack->env->status->opens, 1);
	err = ask(qrt_region_cx(region), line, ret_url);
	return qrt_region_close(cx, &region, err);
}
