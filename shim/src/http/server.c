/*
 * Our HTTP server, over streams. One resident task in the caller's region opens the region of
 * the connections; an acceptor and one task per connection (http/conn.c) live there.
 *
 * Who must stop another task's wait cuts that wait (nudge) and sets a flag that the task checks
 * before its next one: engines differ in how far a cancel reaches, this does not. A stream is
 * closed by its own task only, because another one may be about to use it.
 */
#include <stdlib.h>

#include <qrt/tls.h>

#include "shim/src/http/conn.h"

#define REFUSED_MAX 64u		      /* 503s under way; beyond, a connection is just closed */
#define ACCEPT_PAUSE_NS (50 * QRT_MS) /* after EMFILE and the like */

/* Ends what @task waits for right now; it looks at the flags before it waits again. */
static void nudge(struct qrt_task *task)
{
	if (task && task->wait) {
		qrt__wait_abort(task->wait, QRT_ECLOSED);
	}
}

static struct qrt__own_server *own(struct qrt_http_server *server)
{
	return QRT__CONTAINER(server, struct qrt__own_server, base);
}

/* Gives the accepted @stream its task; without memory for that it is closed. */
static void conn_start(struct qrt_cx *cx, struct qrt__own_server *server, struct qrt_stream *stream)
{
	struct qrt__http_counters *counters = &server->base.counters;
	uint64_t live = atomic_load_explicit(&counters->connections_live, memory_order_relaxed);
	bool refused = live >= server->base.opts.connections_max;
	struct qrt__http_conn *conn = NULL;

	QRT__COUNT(counters->connections, 1);
	QRT__COUNT(counters->refused, refused);
	/* The acceptor took it; from here on the server's region answers for it. */
	if ((refused && server->refused >= REFUSED_MAX) ||
	    qrt_stream_give(cx, stream, server->region) || qrt__http_conn_create(server, &conn)) {
		qrt_stream_close(cx, &stream);
		return;
	}
	conn->stream = stream;
	conn->refused = refused;
	if (qrt_spawn_at(server->region, qrt__http_conn_main, conn, "http connection", QRT_SITE)) {
		qrt__http_conn_free(cx, conn);
		return;
	}
	qrt__list_append(&server->base.conns, &conn->in_server);
	if (refused) {
		server->refused++;
	} else {
		QRT__COUNT(counters->connections_live, 1);
	}
}

/* --- the acceptor -------------------------------------------------------------------------- */

static enum qrt_err acceptor_main(struct qrt_cx *cx, void *arg)
{
	QRT__ANCHORED(cx);
	struct qrt__own_server *server = arg;
	enum qrt_err err = QRT_OK;

	server->acceptor = cx->task;
	while (server->accepting && !server->base.closing) {
		struct qrt_stream *stream = NULL;

		err = qrt_accept(cx, server->listener, &stream);
		if (!err) {
			conn_start(cx, server, stream);
			continue;
		}
		if (err == QRT_ECANCELED || err == QRT_ECLOSED || qrt_checkpoint(cx)) {
			break;
		}
		/* No descriptors or no memory: others must end first. */
		QRT__COUNT(server->base.counters.accept_pauses, 1);
		err = qrt__event_wait(cx, &server->pause, qrt_deadline_in(cx, ACCEPT_PAUSE_NS));
		if (err == QRT_ECANCELED) {
			break;
		}
	}
	server->acceptor = NULL;
	server->acceptor_live = false;
	qrt__event_set(&server->base.changed);
	/* A resume may have come while this one was being stopped. */
	if (err != QRT_ECANCELED) {
		qrt__event_set(&server->base.wake);
	}
	return QRT_OK;
}

static void acceptor_stop(struct qrt__own_server *server)
{
	server->accepting = false;
	qrt__event_set(&server->pause);
	nudge(server->acceptor);
}

/* --- the resident task --------------------------------------------------------------------- */

/* Starts the acceptor when it is wanted. Returns until when to wait before trying again. */
static int64_t acceptor_start(struct qrt_cx *cx, struct qrt__own_server *server)
{
	if (!server->accepting || server->acceptor_live) {
		return QRT_NO_DEADLINE;
	}
	qrt__event_clear(&server->pause);
	if (qrt_spawn_at(server->region, acceptor_main, server, "http accept", QRT_SITE)) {
		return qrt_deadline_in(cx, ACCEPT_PAUSE_NS);
	}
	server->acceptor_live = true;
	return QRT_NO_DEADLINE;
}

static void serve_until_closing(struct qrt_cx *cx, struct qrt__own_server *server)
{
	while (!server->base.closing) {
		int64_t deadline_ns = acceptor_start(cx, server);
		enum qrt_err err;

		qrt__event_clear(&server->base.wake);
		err = qrt__event_wait(cx, &server->base.wake, deadline_ns);
		if (err && (err != QRT_ETIMEDOUT || qrt_checkpoint(cx))) {
			server->base.closing = true;
		}
	}
}

static enum qrt_err serve(struct qrt_cx *cx, void *arg)
{
	QRT__ANCHORED(cx);
	struct qrt__own_server *server = arg;
	const struct qrt_region_options opts = {.name = "http server", .policy = QRT_COLLECT};
	enum qrt_err err = qrt_region_open_with(cx, &opts, &server->region);

	if (!err) {
		serve_until_closing(cx, server);
		acceptor_stop(server);
		qrt_region_cancel(server->region, QRT_CANCEL_SHUTDOWN, "http server closed");
		QRT_IGNORE(qrt_region_close(cx, &server->region, QRT_OK),
			   "how its connections ended is theirs");
	}
	QRT_ASSERT(qrt__list_empty(&server->base.conns));
	server->base.closing = true;
	qrt_listener_close(cx, &server->listener);
	server->base.ended = true;
	qrt__event_set(&server->base.changed);
	return err;
}

/* --- the interface ------------------------------------------------------------------------- */

static enum qrt_err own_open(struct qrt_cx *cx, struct qrt_region *home, int fd,
			     const struct qrt_http_server_options *opts,
			     struct qrt_http_server **ret_server)
{
	const struct qrt__http_limits limits = {
	    .request_line_max = opts->request_line_max,
	    .header_max = opts->header_max,
	};
	struct qrt__own_server *server = calloc(1, sizeof(*server));
	enum qrt_err err;

	if (!server) {
		qrt_socket_close(cx, fd);
		return QRT_ENOMEM;
	}
	qrt__http_server_init(&server->base, &qrt__http_own, opts);
	server->base.opts.tls = opts->tls ? qrt_tls_ref(opts->tls) : NULL;
	qrt__http_desks_init(&server->desks, &limits);
	qrt__event_init(&server->pause);
	err = qrt_listener_adopt(cx, fd, &server->listener);
	if (!err) {
		err = qrt_spawn_at(home, serve, server, "http server", QRT_SITE);
	}
	if (err) {
		qrt_listener_close(cx, &server->listener);
		qrt_tls_unref(&server->base.opts.tls);
		free(server);
		return err;
	}
	*ret_server = &server->base;
	return QRT_OK;
}

static void own_accept(struct qrt_cx *cx, struct qrt_http_server *base, bool on)
{
	struct qrt__own_server *server = own(base);

	(void)cx;
	if (on) {
		server->accepting = true;
		qrt__event_set(&base->wake);
	} else {
		acceptor_stop(server);
	}
}

static bool own_rests(const struct qrt_http_server *base)
{
	const struct qrt__own_server *server = QRT__CONTAINER(base, struct qrt__own_server, base);

	return !server->acceptor_live && qrt__list_empty(&base->conns);
}

static void own_stop_idle(struct qrt_cx *cx, struct qrt_http_server *base)
{
	(void)cx;
	QRT__LIST_EACH(node, &base->conns) {
		struct qrt__http_conn *conn =
		    QRT__CONTAINER(node, struct qrt__http_conn, in_server);

		if (conn->phase <= QRT__HTTP_QUIET) {
			nudge(conn->task);
		}
	}
}

static void own_free(struct qrt_http_server *base)
{
	struct qrt__own_server *server = own(base);

	qrt_tls_unref(&base->opts.tls);
	qrt__http_desks_fini(&server->desks);
	free(server);
}

const struct qrt__http_impl qrt__http_own = {
    .name = "streams",
    .open = own_open,
    .accept = own_accept,
    .rests = own_rests,
    .stop_idle = own_stop_idle,
    .free = own_free,
};
