/*
 * The links before routing, and the answer to what went wrong. A log line holds the route's
 * pattern, never the path: paths can carry tokens, and whatever a client puts into them.
 */
#include "quotey/server/middleware.h"

#include <stdio.h>
#include <string.h>

#include <qrt/http_chain.h>
#include <qrt/log.h>

#include "quotey/core/text.h"
#include "quotey/server/answer.h"
#include "quotey/server/headers.h"
#include "quotey/server/routes.h"

#define PATH_SIZE 128

struct qy_visit *qy_visit_of(const struct qrt_http_request *req)
{
	return qrt_http_local(req);
}

/* --- account ------------------------------------------------------------------------------- */

static void add(_Atomic uint64_t *counter, uint64_t n)
{
	atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}

const int64_t qy_took_bounds_us[QY_TOOK_BOUNDS] = {1000,   5000,   10000,   50000,
						   100000, 500000, 1000000, 5000000};

static void count(struct qy_server_counters *counters, int status, int64_t took_us, size_t bytes)
{
	size_t i = 0;

	if (status / 100 < 6) {
		add(&counters->by_class[status / 100], 1);
	}
	add(&counters->bytes, bytes);
	if (took_us >= 0) {
		while (i < QY_TOOK_BOUNDS && took_us > qy_took_bounds_us[i]) {
			i++;
		}
		add(&counters->took[i], 1);
		add(&counters->took_us, (uint64_t)took_us);
	}
}

/*
 * The access line. What failed in here is worth a warning; the others are for who asks for them,
 * because a line for each request costs about as much as the request's parsing.
 */
static void log_access(const struct qy_server *server, const struct qrt_cx *cx,
		       const struct qrt_http_request *req, const struct qrt_http_response *resp,
		       int64_t took_us, size_t bytes)
{
	enum qrt_log_level level = qrt_http_status(resp) >= 500 ? QRT_LOG_WARN : QRT_LOG_DEBUG;
	const struct qy_visit *visit = req != NULL ? qy_visit_of(req) : NULL;
	const struct qrt_log_field fields[] = {
	    QRT_LOG_TEXT("method", req != NULL && qrt_http_method(req)[0] != '\0'
				       ? qrt_http_method(req)
				       : "-"),
	    QRT_LOG_TEXT("route",
			 req != NULL && qrt_http_route(req)[0] != '\0' ? qrt_http_route(req) : "-"),
	    QRT_LOG_INT("status", qrt_http_status(resp)),
	    QRT_LOG_INT("us", took_us),
	    QRT_LOG_INT("bytes", bytes),
	    QRT_LOG_TEXT("key", visit != NULL && visit->key_id[0] != '\0' ? visit->key_id : "-"),
	    QRT_LOG_TEXT("client", visit != NULL ? visit->client : "-"),
	    {0},
	};
	struct qrt_log_line line = {.level = level,
				    .component = "access",
				    .message = "answered",
				    .fields = fields,
				    .each = true};
	char path[PATH_SIZE];

	if (qrt_log_wants(server->env->log, level, line.component)) {
		qrt_log_line_of(&line, cx, path, sizeof(path));
		line.correlation = qrt_http_response_header(resp, QY_HEADER_CORRELATION);
		qrt_log_write(server->env->log, &line);
	}
}

/* Counts and logs one answer; @cx NULL: it was made without one, and its time is not known. */
static void account(struct qy_server *server, struct qrt_cx *cx, const struct qrt_http_request *req,
		    const struct qrt_http_response *resp)
{
	const struct qy_visit *visit = req != NULL ? qy_visit_of(req) : NULL;
	int64_t took_us = -1, now_ns = 0;
	size_t bytes = 0;

	(void)qrt_http_response_body(resp, &bytes);
	if (cx != NULL && visit->began_ns >= 0 && qrt_now(cx, &now_ns) == QRT_OK) {
		took_us = (now_ns - visit->began_ns) / 1000;
	}
	if (server->env->counters != NULL) {
		count(server->env->counters, qrt_http_status(resp), took_us, bytes);
	}
	log_access(server, cx, req, resp, took_us, bytes);
}

/* An error is answered, counted and logged by qy_middleware_error. */
static enum qrt_err link_account(struct qrt_cx *cx, struct qrt_http_request *req,
				 struct qrt_http_response *resp, struct qrt_http_walk *walk)
{
	enum qrt_err err = qrt_http_next(cx, req, resp, walk);

	if (!err) {
		account(qrt_http_app(req), cx, req, resp);
	}
	return err;
}

/* --- begin --------------------------------------------------------------------------------- */

static enum qrt_err link_begin(struct qrt_cx *cx, struct qrt_http_request *req,
			       struct qrt_http_response *resp, struct qrt_http_walk *walk)
{
	struct qy_server *server = qrt_http_app(req);
	struct qy_visit *visit = qrt_http_alloc(req, sizeof(*visit));
	enum qrt_err err;

	if (visit == NULL) {
		return QRT_ENOMEM;
	}
	if (qrt_now(cx, &visit->began_ns) != QRT_OK) {
		visit->began_ns = -1;
	}
	qy_client_address(server->env->trusted_proxies, qrt_http_peer(req),
			  qrt_http_header(req, "X-Forwarded-For"),
			  qrt_http_header(req, "X-Real-IP"), visit->client);
	qrt_http_set_local(req, visit);
	err = qy_headers_set(server, req, resp);
	if (!err) {
		err = qrt_log_correlate(cx, qrt_http_response_header(resp, QY_HEADER_CORRELATION));
	}
	return err ? err : qrt_http_next(cx, req, resp, walk);
}

/* --- narrow -------------------------------------------------------------------------------- */

static enum qrt_err in_less_time(struct qrt_cx *cx, struct qrt_http_request *req,
				 struct qrt_http_response *resp, struct qrt_http_walk *walk,
				 const struct qy_limits *limits)
{
	const struct qrt_region_options opts = {
	    .name = "route",
	    .policy = QRT_FAIL_FAST,
	    .caps = limits->caps,
	    .budget.deadline_ns = qrt_deadline_in(cx, limits->deadline_ns),
	};
	struct qrt_region *region = NULL;
	enum qrt_err err = qrt_region_open_with(cx, &opts, &region);

	if (err) {
		return err;
	}
	err = qrt_http_next(qrt_region_cx(region), req, resp, walk);
	return qrt_region_close(cx, &region, err);
}

enum qrt_err qy_link_narrow(struct qrt_cx *cx, struct qrt_http_request *req,
			    struct qrt_http_response *resp, struct qrt_http_walk *walk)
{
	const struct qy_route_rule *rule = walk->route->about;
	const struct qy_limits *limits = walk->arg != NULL ? walk->arg : &rule->limits;

	if (limits->deadline_ns != 0) {
		return in_less_time(cx, req, resp, walk, limits);
	}
	cx = qrt_cx_narrow(cx, limits->caps);
	return cx != NULL ? qrt_http_next(cx, req, resp, walk) : QRT_ENOMEM;
}

/* --- routing ------------------------------------------------------------------------------- */

/* Nothing but the router has an answer yet. */
static enum qrt_err no_route(struct qrt_http_response *resp, int status, const char *text)
{
	struct qy_error error;

	qy_error_set(&error, status, qy_error_status_code(status), "%s", text);
	return qy_answer_write_error(resp, &error);
}

static enum qrt_err route(struct qrt_cx *cx, struct qrt_http_request *req,
			  struct qrt_http_response *resp)
{
	struct qy_server *server = qrt_http_app(req);
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
	static const struct qrt_http_link links[] = {
	    {link_begin, NULL}, {link_account, NULL}, {NULL, NULL}};

	return qrt_http_chain(links, route, cx, req, resp);
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
	account(server, NULL, req, resp);
}
