/* The exchange: handler, region, deadline, and the mapping of errors to answers. */
#include "shim/src/http/exchange.h"

#include <qrt/trial.h>

#include "shim/src/internal.h"

#define PANIC_DETAIL "internal error"

void qrt__http_server_init(struct qrt_http_server *server, const struct qrt__http_impl *impl,
			   const struct qrt_http_server_options *opts)
{
	server->impl = impl;
	server->opts = *opts;
	qrt__list_init(&server->conns);
	qrt__event_init(&server->wake);
	qrt__event_init(&server->changed);
	server->date_until_ns = INT64_MIN;
}

void qrt__http_answer(const struct qrt_http_server *server, struct qrt_http_request *req,
		      struct qrt_http_response *resp, int status, const char *detail)
{
	const char *allow = status == 405 ? qrt_http_response_header(resp, "Allow") : NULL;

	qrt__http_response_init(resp, resp->arena, req);
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

void qrt__http_exchange_plan(struct qrt__http_exchange *x)
{
	const struct qrt_http_server_options *opts = &x->server->opts;
	struct qrt_http_plan *plan = &x->plan;

	if (x->planned) {
		return;
	}
	x->planned = true;
	*plan = (struct qrt_http_plan){0};
	if (opts->plan) {
		opts->plan(opts->app, x->req, plan);
	}
	if (plan->stream_body) {
		plan->body_max = plan->body_max > 0 ? plan->body_max : SIZE_MAX;
	} else if (plan->body_max == 0 || plan->body_max > QRT__HTTP_WHOLE_MAX) {
		plan->body_max = opts->body_max;
	}
	if (plan->deadline_ns <= 0) {
		plan->deadline_ns = opts->request_deadline_ns;
	}
}

static void cancel_gone(const struct qrt__http_exchange *x)
{
	struct qrt__region *region = qrt__region_of(x->region);

	if (region) { /* else not yet, or no more */
		qrt__cancel_scope(region, QRT_CANCEL_USER, "the peer is gone");
	}
}

void qrt__http_exchange_peer_gone(struct qrt__http_exchange *x)
{
	if (!x->peer_gone) {
		x->peer_gone = true;
		cancel_gone(x);
	}
}

/* The handler, in a region of its own that is closed when this returns. */
static enum qrt_err run(struct qrt_cx *cx, struct qrt__http_exchange *x)
{
	const struct qrt_http_server_options *opts = &x->server->opts;
	const struct qrt_region_options options = {
	    .name = "http request",
	    .policy = QRT_FAIL_FAST,
	    .budget.deadline_ns = x->deadline_ns,
	    .cleanup_ns = opts->cancel_grace_ns,
	};
	struct qrt_region *region = NULL;
	enum qrt_err err = qrt_region_open_with(cx, &options, &region);

	if (err) {
		return err;
	}
	QRT_IGNORE(qrt_lab_expose(region, QRT_EXPOSE_CANCEL), "it is open");
	x->region = region;
	if (x->peer_gone) {
		cancel_gone(x);
	}
	err = opts->handler(qrt_region_cx(region), x->req, x->resp);
	return qrt_region_close(cx, &region, err);
}

int64_t qrt__http_soon(const struct qrt_cx *cx, int64_t ns)
{
	int64_t now_ns = cx->task->rt->turn_ns;

	return ns < QRT_NO_DEADLINE - now_ns ? now_ns + ns : QRT_NO_DEADLINE;
}

/* Its turn will do for the time: what takes longer than a turn has been waiting. */
static bool is_past(const struct qrt_cx *cx, int64_t ns)
{
	return cx->task->rt->turn_ns >= ns;
}

/* How an exchange with this result ends. */
static enum qrt__http_ending ending(struct qrt_cx *cx, struct qrt__http_exchange *x,
				    enum qrt_err err)
{
	struct qrt_http_server *server = x->server;
	struct qrt_http_request *req = x->req;

	QRT__COUNT(server->counters.peers_gone, x->peer_gone);
	QRT__COUNT(server->counters.overdue, is_past(cx, x->deadline_ns));
	if (qrt__http_response_begun(x->resp)) {
		bool complete = !err && qrt__http_stream_complete(&x->resp->stream);

		return complete ? QRT__HTTP_FINISH : QRT__HTTP_BREAK;
	}
	if (x->peer_gone && err) {
		return QRT__HTTP_BREAK;
	}
	if (!err && is_past(cx, x->grace_end_ns)) {
		err = QRT_ETIMEDOUT;
	}
	if (req->fault) {
		req->keep_alive = false;
	}
	if (err && req->fault) {
		qrt__http_answer(server, req, x->resp, req->fault, req->fault_why);
	} else if (err) {
		answer_error(server, req, x->resp, err);
	}
	return QRT__HTTP_SEND;
}

enum qrt__http_ending qrt__http_exchange(struct qrt_cx *cx, struct qrt__http_exchange *x)
{
	int64_t grace_ns = x->server->opts.cancel_grace_ns;

	qrt__http_exchange_plan(x);
	x->deadline_ns = qrt__http_soon(cx, x->plan.deadline_ns);
	x->grace_end_ns = x->deadline_ns < QRT_NO_DEADLINE - grace_ns ? x->deadline_ns + grace_ns
								      : QRT_NO_DEADLINE;
	return ending(cx, x, run(cx, x));
}

enum qrt__http_ending qrt__http_exchange_cut(struct qrt_cx *cx, struct qrt__http_exchange *x)
{
	bool forced = cx->task->abandoned;
	bool late = forced && is_past(cx, x->deadline_ns);

	x->req->keep_alive = false;
	return ending(cx, x, late ? QRT_ETIMEDOUT : forced ? QRT_ECANCELED : QRT_EPANIC);
}

bool qrt__http_must_close(const struct qrt_http_server *server, const struct qrt_http_request *req,
			  const struct qrt_http_response *resp, unsigned requests)
{
	return !req->keep_alive || server->draining || server->closing ||
	       requests >= server->opts.requests_per_connection || qrt__http_response_closes(resp);
}

void qrt__http_count_begin(struct qrt_http_server *server)
{
	QRT__COUNT(server->counters.requests, 1);
	QRT__COUNT(server->counters.in_flight, 1);
}

static void count_status(struct qrt_http_server *server, int status)
{
	if (status >= 100 && status < 600) {
		QRT__COUNT(server->counters.status[status / 100], 1);
	}
}

void qrt__http_count_end(struct qrt_http_server *server, int status)
{
	QRT__COUNT(server->counters.in_flight, -1);
	QRT__COUNT(server->counters.answered, status != 0);
	count_status(server, status);
}

void qrt__http_count_refusal(struct qrt_http_server *server, int status)
{
	QRT__COUNT(server->counters.refusals, 1);
	count_status(server, status);
}

static uint64_t load(const _Atomic uint64_t *counter)
{
	return atomic_load_explicit(counter, memory_order_relaxed);
}

void qrt__http_drain_begin(const struct qrt_http_server *server, struct qrt_http_drain *ret_report)
{
	*ret_report = (struct qrt_http_drain){
	    .answered = load(&server->counters.answered),
	    .refused = load(&server->counters.refusals),
	    .idle_closed = load(&server->counters.idle_closed),
	};
}

void qrt__http_drain_end(const struct qrt_http_server *server, uint64_t left,
			 struct qrt_http_drain *report)
{
	report->answered = load(&server->counters.answered) - report->answered;
	report->refused = load(&server->counters.refusals) - report->refused;
	report->idle_closed = load(&server->counters.idle_closed) - report->idle_closed;
	report->left = left;
}

const char *qrt__http_server_date(struct qrt_cx *cx, struct qrt_http_server *server)
{
	int64_t wall_ms = 0;

	if (!(qrt_cx_caps(cx) & QRT_CAP_TIME)) {
		return NULL;
	}
	if (!is_past(cx, server->date_until_ns)) {
		return server->date;
	}
	if (qrt_wall_ms(cx, &wall_ms) || wall_ms < 0) {
		return NULL;
	}
	server->date_until_ns = qrt__http_soon(cx, (1000 - wall_ms % 1000) * QRT_MS);
	qrt__http_date(wall_ms, server->date);
	return server->date;
}
