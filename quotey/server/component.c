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
	    .body_max = env->body_max,
	    .header_max = env->header_max,
	    .connections_max = env->connections_max,
	    .header_timeout_ns = env->header_timeout_ns,
	    .idle_timeout_ns = env->idle_timeout_ns,
	    .request_deadline_ns = env->request_deadline_ns,
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

static enum qrt_err server_drain(struct qrt_cx *cx, void *state)
{
	struct qy_server *server = state;

	if (server_in_flight(server) > 0) {
		QRT_SOMETIMES("the server was drained while it answered");
	}
	return qrt_http_server_drain(cx, server->http);
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
};
