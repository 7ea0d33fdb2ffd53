/*
 * The public HTTP server calls: they fill in the defaults and hand over to whoever serves on this
 * runtime. It must never know which one that is.
 */
#include "shim/src/http/exchange.h"
#include "shim/src/internal.h"

#define BODY_MAX (2u * 1024 * 1024)
#define HEADER_MAX (64u * 1024)
#define REQUEST_LINE_MAX (8u * 1024)
#define CONNECTIONS_MAX 1024u
#define REQUESTS_MAX 1000u

static uint64_t load(const _Atomic uint64_t *counter)
{
	return atomic_load_explicit(counter, memory_order_relaxed);
}

static size_t size_or(size_t value, size_t fallback)
{
	return value > 0 ? value : fallback;
}

static int64_t ns_or(int64_t value, int64_t fallback)
{
	return value > 0 ? value : fallback;
}

static struct qrt_http_server_options filled(const struct qrt_http_server_options *opts)
{
	struct qrt_http_server_options full = *opts;

	full.body_max = size_or(opts->body_max, BODY_MAX);
	full.header_max = size_or(opts->header_max, HEADER_MAX);
	full.request_line_max = size_or(opts->request_line_max, REQUEST_LINE_MAX);
	full.connections_max = size_or(opts->connections_max, CONNECTIONS_MAX);
	full.requests_per_connection =
	    opts->requests_per_connection > 0 ? opts->requests_per_connection : REQUESTS_MAX;
	full.header_timeout_ns = ns_or(opts->header_timeout_ns, 10 * QRT_SEC);
	full.idle_timeout_ns = ns_or(opts->idle_timeout_ns, 60 * QRT_SEC);
	full.request_deadline_ns = ns_or(opts->request_deadline_ns, 30 * QRT_SEC);
	full.cancel_grace_ns = opts->cancel_grace_ns < 0
				   ? 1 /* the least there is: 0 would be the kind's own */
				   : ns_or(opts->cancel_grace_ns, 500 * QRT_MS);
	full.linger_ns = ns_or(opts->linger_ns, QRT_SEC);
	return full;
}

static enum qrt_err options_check(struct qrt_cx *cx, const struct qrt_http_server_options *opts)
{
	if (!opts->handler) {
		return qrt_fail(cx, QRT_EINVAL, "http server: no handler");
	}
	if (opts->body_max > QRT__HTTP_WHOLE_MAX || opts->header_max > QRT__HTTP_WHOLE_MAX ||
	    opts->request_line_max > QRT__HTTP_WHOLE_MAX) {
		return qrt_fail(cx, QRT_EINVAL, "http server: a limit above 1 GiB");
	}
	return QRT_OK;
}

enum qrt_err qrt_http_server_open(struct qrt_cx *cx, struct qrt_region *home, int fd,
				  const struct qrt_http_server_options *opts,
				  struct qrt_http_server **ret_server)
{
	QRT__ANCHORED(cx);
	const struct qrt__http_impl *impl = cx->task->rt->driver->http;
	enum qrt_err err = qrt_cx_require(cx, QRT_CAP_NET | QRT_CAP_SPAWN);
	struct qrt_http_server_options full;

	err = err ? err : options_check(cx, opts);
	if (err) {
		qrt_socket_close(cx, fd);
		return err;
	}
	full = filled(opts);
	impl = impl ? impl : &qrt__http_own;
	return impl->open(cx, home, fd, &full, ret_server);
}

enum qrt_err qrt_http_server_resume(struct qrt_cx *cx, struct qrt_http_server *server)
{
	QRT__ANCHORED(cx);
	enum qrt_err err = qrt_cx_require(cx, QRT_CAP_NET);

	if (!err && server->closing) {
		err = qrt_fail(cx, QRT_ECLOSED, "http server: closed");
	}
	if (err) {
		return err;
	}
	server->draining = false;
	server->linger_over = false;
	server->impl->accept(cx, server, true);
	qrt__event_set(&server->changed);
	return QRT_OK;
}

/* Until nothing is left to answer. ETIMEDOUT: @deadline_ns, or cx's. */
static enum qrt_err wait_rest(struct qrt_cx *cx, struct qrt_http_server *server,
			      int64_t deadline_ns)
{
	while (!server->impl->rests(server)) {
		enum qrt_err err;

		qrt__event_clear(&server->changed);
		err = qrt__event_wait(cx, &server->changed, deadline_ns);
		if (err) {
			return err;
		}
		if (!server->draining) {
			return qrt_fail(cx, QRT_ESTATE, "http server: resumed while it drained");
		}
	}
	return QRT_OK;
}

static enum qrt_err drain(struct qrt_cx *cx, struct qrt_http_server *server)
{
	int64_t linger_end_ns = qrt_deadline_in(cx, server->opts.linger_ns);
	enum qrt_err err;

	server->draining = true;
	if (!server->closing) {
		server->impl->accept(cx, server, false);
	}
	err = wait_rest(cx, server, linger_end_ns);
	if (err == QRT_ETIMEDOUT && !qrt_checkpoint(cx)) {
		server->linger_over = true;
		server->impl->stop_idle(cx, server);
		err = wait_rest(cx, server, QRT_NO_DEADLINE);
	}
	if (err == QRT_ETIMEDOUT) {
		return qrt_fail(cx, err, "http server: connections are left");
	}
	return err;
}

enum qrt_err qrt_http_server_drain_report(struct qrt_cx *cx, struct qrt_http_server *server,
					  struct qrt_http_drain *ret_report)
{
	QRT__ANCHORED(cx);
	enum qrt_err err = qrt_cx_require(cx, QRT_CAP_NET);
	struct qrt_http_drain report;
	uint64_t left;

	if (err) {
		return err;
	}
	qrt__http_drain_begin(server, &report);
	err = drain(cx, server);
	left = load(&server->counters.connections_live);
	qrt__http_drain_end(server, err ? left : 0, &report);
	*ret_report = report;
	return err;
}

enum qrt_err qrt_http_server_drain(struct qrt_cx *cx, struct qrt_http_server *server)
{
	struct qrt_http_drain report;

	return qrt_http_server_drain_report(cx, server, &report);
}

void qrt_http_server_close(struct qrt_cx *cx, struct qrt_http_server **server_ptr)
{
	struct qrt_http_server *server = server_ptr ? *server_ptr : NULL;

	if (!server) {
		return;
	}
	server->closing = true;
	qrt__event_set(&server->wake);
	while (!server->ended) {
		qrt__event_clear(&server->changed);
		qrt__event_wait_masked(cx, &server->changed);
	}
	server->impl->free(server);
	*server_ptr = NULL;
}

void qrt_http_server_stats(const struct qrt_http_server *server, struct qrt_http_stats *ret_stats)
{
	const struct qrt__http_counters *counters = &server->counters;
	struct qrt_http_stats stats = {
	    .connections = load(&counters->connections),
	    .connections_live = load(&counters->connections_live),
	    .refused = load(&counters->refused),
	    .requests = load(&counters->requests),
	    .in_flight = load(&counters->in_flight),
	    .peers_gone = load(&counters->peers_gone),
	    .overdue = load(&counters->overdue),
	    .accept_pauses = load(&counters->accept_pauses),
	};

	for (size_t i = 0; i < 6; i++) {
		stats.status[i] = load(&counters->status[i]);
	}
	*ret_stats = stats;
}
