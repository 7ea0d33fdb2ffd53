/*
 * The component: opens an instance on a duplicate of the host's socket, lets the HTTP server serve
 * it, and ends it. Nothing here or below knows on which backend it runs.
 */
#include "quotey/server/server.h"

#include <qrt/sometimes.h>
#include <qrt/http.h>
#include <qrt/stream.h>

#include "quotey/server/exchange.h"
#include "quotey/server/middleware.h"
#include "quotey/server/routes.h"

/* Frees what has no part in the network. The struct is the region's. */
static void release(struct qy_server *server)
{
	qrt_http_router_destroy(&server->router);
	qrt_rate_destroy(&server->own_rate);
}

static enum qrt_err prepare(struct qrt_cx *cx, struct qy_server *server)
{
	enum qrt_err err = qrt_random(cx, server->seed, sizeof(server->seed));

	if (err) {
		return qrt_prefix(cx, err, "server: draw a seed");
	}
	server->rate = server->env->rate;
	if (server->rate == NULL) {
		err = qrt_rate_create(&server->own_rate);
		server->rate = server->own_rate;
	}
	if (!err) {
		err = qrt_http_router_create(&server->router);
	}
	if (!err) {
		err = qy_routes_add(server->router);
	}
	if (!err && server->env->more_routes != NULL) {
		err = qrt_http_group_add(server->router, server->env->more_routes);
	}
	return err ? qrt_fail(cx, err, "server: routes: %s", qrt_err_text(err)) : QRT_OK;
}

static enum qrt_err open_http(struct qrt_cx *cx, struct qrt_region *home, struct qy_server *server)
{
	const struct qy_server_env *env = server->env;
	const struct qrt_http_server_options opts = {
	    .handler = qy_middleware_handle,
	    .on_error = qy_middleware_error,
	    .app = server,
	    .tls = env->tls,
	    .body_max = env->body_max,
	    .header_max = env->header_max,
	    .connections_max = env->connections_max,
	    .header_timeout_ns = env->header_timeout_ns,
	    .idle_timeout_ns = env->idle_timeout_ns,
	    .request_deadline_ns = env->request_deadline_ns,
	    .cancel_grace_ns = env->cancel_grace_ns,
	    .linger_ns = env->linger_ns,
	};
	enum qrt_err err;
	int fd = -1;

	err = qrt_socket_dup(cx, env->listen_fd, &fd);
	if (err) {
		return qrt_prefix(cx, err, "server: duplicate the listening socket");
	}
	err = qrt_http_server_open(cx, home, fd, &opts, &server->http);
	return err ? qrt_prefix(cx, err, "server: open") : QRT_OK;
}

static enum qrt_err server_start(struct qrt_cx *cx, struct qrt_region *home, void *env,
				 void **ret_state)
{
	struct qy_server *server = qrt_alloc(cx, sizeof(*server));
	enum qrt_err err;

	if (server == NULL) {
		return qrt_fail(cx, QRT_ENOMEM, "server: out of memory");
	}
	server->env = env;
	err = prepare(cx, server);
	if (!err) {
		err = open_http(cx, home, server);
	}
	if (err) {
		release(server);
		return err;
	}
	*ret_state = server;
	return QRT_OK;
}

static enum qrt_err server_resume(struct qrt_cx *cx, void *state)
{
	struct qy_server *server = state;

	return qrt_http_server_resume(cx, server->http);
}

static size_t server_in_flight(void *state)
{
	const struct qy_server *server = state;
	struct qrt_http_stats stats;

	qrt_http_server_stats(server->http, &stats);
	return (size_t)stats.in_flight;
}

static size_t server_figures(void *state, struct qrt_figure *figures, size_t n_max)
{
	const struct qy_server *server = state;
	struct qrt_http_stats stats;
	size_t n = 0;

	qrt_http_server_stats(server->http, &stats);
	const struct qrt_figure all[] = {
	    {"http_connections_total", "Connections accepted.", false, stats.connections},
	    {"http_connections_live", "Connections that are open.", true, stats.connections_live},
	    {"http_connections_refused_total", "Connections above the limit, told 503.", false,
	     stats.refused},
	    {"http_requests_in_flight", "Requests that are being answered.", true, stats.in_flight},
	    {"http_peers_gone_total", "Requests cancelled because the peer hung up.", false,
	     stats.peers_gone},
	    {"http_overdue_total", "Requests cancelled at their deadline.", false, stats.overdue},
	    {"http_accept_pauses_total",
	     "Times that there was no descriptor or memory for another connection.", false,
	     stats.accept_pauses},
	};
	for (; n < n_max && n < sizeof(all) / sizeof(all[0]); n++) {
		figures[n] = all[n];
	}
	return n;
}

static void add(_Atomic uint64_t *counter, uint64_t n)
{
	atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}

static enum qrt_err server_drain(struct qrt_cx *cx, void *state)
{
	struct qy_server *server = state;
	struct qy_server_counters *counters = server->env->counters;
	struct qrt_http_drain report = {0};
	enum qrt_err err;

	if (server_in_flight(server) > 0) {
		QRT_SOMETIMES("the server was drained while it answered");
	}
	err = qrt_http_server_drain_report(cx, server->http, &report);
	if (counters != NULL) {
		add(&counters->drain_answered, report.answered);
		add(&counters->drain_refused, report.refused);
		add(&counters->drain_idle_closed, report.idle_closed);
		add(&counters->drain_left, report.left);
	}
	qrt_log(server->env->log, cx, err ? QRT_LOG_WARN : QRT_LOG_INFO, "server", "drained",
		QRT_LOG_INT("answered", report.answered), QRT_LOG_INT("refused", report.refused),
		QRT_LOG_INT("idle_closed", report.idle_closed), QRT_LOG_INT("left", report.left));
	return err;
}

static void server_stop(struct qrt_cx *cx, void *state)
{
	struct qy_server *server = state;

	qrt_http_server_close(cx, &server->http);
	release(server);
}

const struct qrt_component qy_server_component = {
    .name = "server",
    .caps = QRT_CAP_NET | QRT_CAP_SPAWN | QRT_CAP_TIME | QRT_CAP_RANDOM | QRT_CAP_CALL,
    .start = server_start,
    .resume = server_resume,
    .drain = server_drain,
    .stop = server_stop,
    .in_flight = server_in_flight,
    .figures = server_figures,
};
