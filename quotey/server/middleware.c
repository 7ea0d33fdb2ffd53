/*
 * Around every handler. A log line holds the route's pattern, never the path: paths can carry
 * tokens, and whatever a client puts into them.
 */
#include "quotey/server/middleware.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "quotey/core/text.h"
#include "quotey/server/answer.h"
#include "quotey/server/headers.h"

#define LOG_LINE_SIZE 256

static bool is_method(const char *text)
{
	size_t length = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ");

	return length > 0 && length <= 16 && text[length] == '\0';
}

/* Counts and logs one answer; @took_ns below 0: not known. */
static void account(struct qy_server *server, const struct qrt_http_request *req,
		    const struct qrt_http_response *resp, int64_t took_ns)
{
	const struct qy_server_env *env = server->env;
	const char *correlation = qrt_http_response_header(resp, QY_HEADER_CORRELATION);
	const char *method =
	    req != NULL && is_method(qrt_http_method(req)) ? qrt_http_method(req) : "-";
	const char *route =
	    req != NULL && qrt_http_route(req)[0] != '\0' ? qrt_http_route(req) : "-";
	int status = qrt_http_status(resp);
	char line[LOG_LINE_SIZE], took[32] = "-";

	if (env->counters != NULL && status / 100 < 6) {
		atomic_fetch_add_explicit(&env->counters->by_class[status / 100], 1,
					  memory_order_relaxed);
	}
	if (env->log == NULL) {
		return;
	}
	if (took_ns >= 0) {
		snprintf(took, sizeof(took), "%" PRId64 "us", took_ns / 1000);
	}
	snprintf(line, sizeof(line), "%s %s %d %s %s", method, route, status, took,
		 correlation != NULL ? correlation : "-");
	env->log(env->log_arg, line);
}

/* Nothing but the router has an answer yet. */
static enum qrt_err no_route(struct qrt_http_response *resp, int status, const char *text)
{
	struct qy_error error;

	qy_error_set(&error, status, qy_error_status_code(status), "%s", text);
	return qy_answer_write_error(resp, &error);
}

static enum qrt_err route(struct qy_server *server, struct qrt_cx *cx, struct qrt_http_request *req,
			  struct qrt_http_response *resp)
{
	enum qrt_err err = qrt_http_dispatch(server->router, cx, req, resp);

	/* A matched handler never ends like this: it answers. */
	if (err && qrt_http_route(req)[0] == '\0') {
		if (err == QRT_ENOENT) {
			return no_route(resp, 404, "There is no such path.");
		}
		if (err == QRT_ENOTSUP) {
			return no_route(resp, 405, "This path does not take this method.");
		}
	}
	return err;
}

enum qrt_err qy_middleware_handle(struct qrt_cx *cx, struct qrt_http_request *req,
				  struct qrt_http_response *resp)
{
	struct qy_server *server = qrt_http_app(req);
	int64_t began_ns = 0, ended_ns = 0;
	bool timed = qrt_now(cx, &began_ns) == QRT_OK;
	enum qrt_err err = qy_headers_set(server, req, resp);

	if (!err) {
		err = route(server, cx, req, resp);
	}
	/* An error is answered, counted and logged by qy_middleware_error. */
	if (!err) {
		timed = timed && qrt_now(cx, &ended_ns) == QRT_OK;
		account(server, req, resp, timed ? ended_ns - began_ns : -1);
	}
	return err;
}

void qy_middleware_error(void *app, struct qrt_http_request *req, struct qrt_http_response *resp,
			 int status, const char *detail)
{
	struct qy_server *server = app;
	struct qy_error error;

	if (detail == NULL || detail[0] == '\0' || !qy_utf8_valid(detail, strlen(detail))) {
		detail = qrt_http_reason(status);
	}
	qrt_http_set_status(resp, status);
	QRT_IGNORE(qy_headers_set(server, req, resp), "without memory the status must do");
	qy_error_set(&error, status, qy_error_status_code(status), "%s", detail);
	QRT_IGNORE(qy_answer_write_error(resp, &error), "without memory the status must do");
	account(server, req, resp, -1);
}
