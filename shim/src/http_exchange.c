/* The exchange: handler, region, deadline, and the mapping of errors to answers. */
#include "shim/src/http_exchange.h"

#include <qrt/trial.h>

#include "shim/src/internal.h"

#define PANIC_DETAIL "internal error"

void qrt__http_server_init(struct qrt_http_server *server, const struct qrt__http_impl *impl,
			   const struct qrt_http_server_options *opts)
{
	server->impl = impl;
	server->opts = *opts;
	server->date_s = -1;
}

void qrt__http_answer(const struct qrt_http_server *server, struct qrt_http_request *req,
		      struct qrt_http_response *resp, int status, const char *detail)
{
	const char *allow = status == 405 ? qrt_http_response_header(resp, "Allow") : NULL;

	qrt__http_response_init(resp, resp->arena);
	qrt_http_set_status(resp, status);
	if (allow) {
		QRT_IGNORE(qrt_http_set_header(resp, "Allow", allow),
			   "without memory the status alone must do");
	}
	if (server->opts.on_error) {
		server->opts.on_error(server->opts.app, req, resp, status, detail);
	}
}

/* The detail is for the client: it must not tell what went wrong inside. */
static void answer_error(const struct qrt_http_server *server, struct qrt_http_request *req,
			 struct qrt_http_response *resp, enum qrt_err err)
{
	bool routed = req->route[0] != '\0';

	switch (err) {
	case QRT_ETIMEDOUT:
		req->keep_alive = false;
		qrt__http_answer(server, req, resp, 503, "the request took too long");
		return;
	case QRT_ECANCELED:
	case QRT_ECLOSED:
		req->keep_alive = false;
		qrt__http_answer(server, req, resp, 503, "the service is going away");
		return;
	case QRT_EBUSY:
		qrt__http_answer(server, req, resp, 503, "the service is busy");
		return;
	case QRT_ENOENT:
		/* The router's word, unless a handler has been reached. */
		if (!routed) {
			qrt__http_answer(server, req, resp, 404, "no such path");
			return;
		}
		break;
	case QRT_ENOTSUP:
		if (!routed && qrt_http_response_header(resp, "Allow")) {
			qrt__http_answer(server, req, resp, 405, "the path has no such method");
			return;
		}
		break;
	default:
		break;
	}
	qrt__http_answer(server, req, resp, 500, PANIC_DETAIL);
}

void qrt__http_exchange(struct qrt_cx *cx, struct qrt_http_server *server,
			struct qrt_http_request *req, struct qrt_http_response *resp)
{
	const struct qrt_region_options opts = {
	    .name = "http request",
	    .policy = QRT_FAIL_FAST,
	    .budget.deadline_ns = qrt_deadline_in(cx, server->opts.request_deadline_ns),
	};
	struct qrt_region *region = NULL;
	enum qrt_err err = qrt_region_open_with(cx, &opts, &region);

	if (!err) {
		QRT_IGNORE(qrt_lab_expose(region, QRT_EXPOSE_CANCEL), "it is open");
		err = server->opts.handler(qrt_region_cx(region), req, resp);
		err = qrt_region_close(cx, &region, err);
	}
	if (err) {
		answer_error(server, req, resp, err);
	}
}

void qrt__http_count_begin(struct qrt_http_server *server)
{
	QRT__COUNT(server->counters.requests, 1);
	QRT__COUNT(server->counters.in_flight, 1);
}

void qrt__http_count_status(struct qrt_http_server *server, int status)
{
	if (status >= 100 && status < 600) {
		QRT__COUNT(server->counters.status[status / 100], 1);
	}
}

void qrt__http_count_end(struct qrt_http_server *server, int status)
{
	QRT__COUNT(server->counters.in_flight, -1);
	qrt__http_count_status(server, status);
}

const char *qrt__http_server_date(struct qrt_cx *cx, struct qrt_http_server *server)
{
	int64_t wall_ms = 0;

	if (!(qrt_cx_caps(cx) & QRT_CAP_TIME) || qrt_wall_ms(cx, &wall_ms) || wall_ms < 0) {
		return NULL;
	}
	if (wall_ms / 1000 != server->date_s) {
		server->date_s = wall_ms / 1000;
		qrt__http_date(wall_ms, server->date);
	}
	return server->date;
}
