/*
 * The life of a connection: from evhttp's accept to its close, phase by phase, each with its
 * deadline. It must never be freed while a task works for it.
 */
#include "backends/legacy/http_evhttp.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>

#define REFUSED_MAX 64u		/* 503s under way; beyond, a connection is just closed */
#define CLOSE_LINGER_NS QRT_SEC /* how long what a refused peer still sends is read */

/* --- phases -------------------------------------------------------------------------------- */

void qrt__ev_timer_set(struct event *timer, int64_t ns)
{
	struct timeval tv = {.tv_sec = ns / QRT_SEC, .tv_usec = ns % QRT_SEC / 1000};

	/* The event exists already: only an invalid time could fail. */
	QRT_IGNORE(event_add(timer, &tv), "see above");
}

void qrt__ev_phase_enter(struct qrt__ev_conn *conn, enum qrt__ev_phase phase)
{
	const struct qrt_http_server_options *opts = &conn->server->base.opts;
	bool first = conn->requests == 0;

	conn->phase = phase;
	switch (phase) {
	case QRT__EV_NEW:
	case QRT__EV_FAULTY:
		/* Not here: evhttp, or the bufferevent, is still at work with it. */
		event_active(conn->timer, EV_TIMEOUT, 0);
		break;
	case QRT__EV_QUIET:
		qrt__ev_timer_set(conn->timer,
				  first ? opts->header_timeout_ns : opts->idle_timeout_ns);
		break;
	case QRT__EV_HEAD:
		/* The head of a first request has been awaited since the connection came. */
		if (!first) {
			qrt__ev_timer_set(conn->timer, opts->header_timeout_ns);
		}
		break;
	case QRT__EV_BODY:
		qrt__ev_timer_set(conn->timer, opts->request_deadline_ns);
		break;
	case QRT__EV_LINGERS:
		qrt__ev_timer_set(conn->timer, CLOSE_LINGER_NS);
		break;
	case QRT__EV_BUSY: /* until its handler runs */
	case QRT__EV_CLOSED:
		event_del(conn->timer);
		break;
	}
}

/* --- the end ------------------------------------------------------------------------------- */

static void conn_free(struct qrt__ev_conn *conn)
{
	qrt__http_parser_destroy(&conn->guard);
	if (conn->timer) {
		event_free(conn->timer);
	}
	free(conn);
}

static void attached_count(struct qrt__ev_conn *conn, int by)
{
	if (conn->refused) {
		conn->server->refused += (size_t)by;
	} else {
		QRT__COUNT(conn->server->base.counters.connections_live, by);
	}
}

void qrt__ev_conn_close(struct qrt__ev_conn *conn)
{
	struct qrt__ev_server *server = conn->server;

	if (conn->phase != QRT__EV_NEW) {
		attached_count(conn, -1);
		server->by_fd[conn->fd] = NULL;
	}
	qrt__ev_phase_enter(conn, QRT__EV_CLOSED);
	if (conn->dropper) {
		event_free(conn->dropper);
		conn->dropper = NULL;
	}
	qrt__list_remove(&conn->in_server);
	qrt__ev_guard_unwatch(conn);
	bufferevent_decref(conn->bev);
	qrt__event_set(&conn->drained);
	qrt__event_set(&server->base.changed);
	if (!conn->running) {
		conn_free(conn);
	}
}

void qrt__ev_conn_release(struct qrt__ev_conn *conn)
{
	conn->running = false;
	if (conn->phase == QRT__EV_CLOSED) {
		conn_free(conn);
	}
}

static void on_close(struct evhttp_connection *evcon, void *arg)
{
	struct qrt__ev_conn *conn = arg;

	(void)evcon;
	if (conn->ev) {
		/* The peer has hung up: evhttp has let go of a request that we hold. */
		evhttp_request_free(conn->ev);
		conn->ev = NULL;
		qrt__http_exchange_peer_gone(&conn->x);
	}
	qrt__ev_conn_close(conn);
}

/* --- the beginning ------------------------------------------------------------------------- */

static bool fd_table_reserve(struct qrt__ev_server *server, int fd)
{
	size_t n = server->n_by_fd > 0 ? server->n_by_fd : 64;
	struct qrt__ev_conn **table;

	if (fd < 0) {
		return false;
	}
	while (n <= (size_t)fd) {
		n *= 2;
	}
	if (n == server->n_by_fd) {
		return true;
	}
	table = realloc(server->by_fd, n * sizeof(*table));
	if (!table) {
		return false;
	}
	memset(table + server->n_by_fd, 0, (n - server->n_by_fd) * sizeof(*table));
	server->by_fd = table;
	server->n_by_fd = n;
	return true;
}

struct qrt__ev_conn *qrt__ev_conn_of(const struct qrt__ev_server *server,
				     struct evhttp_connection *evcon)
{
	int fd = bufferevent_getfd(evhttp_connection_get_bufferevent(evcon));

	return fd >= 0 && (size_t)fd < server->n_by_fd ? server->by_fd[fd] : NULL;
}

/* Runs right after evhttp has accepted: only now there is a connection to attach to. */
static void attach(struct qrt__ev_conn *conn)
{
	struct qrt__ev_server *server = conn->server;
	struct qrt__http_counters *counters = &server->base.counters;
	uint64_t live = atomic_load_explicit(&counters->connections_live, memory_order_relaxed);
	int fd = bufferevent_getfd(conn->bev);
	void *evcon = NULL;
	int on = 1;

	/* The argument of evhttp's callbacks is its connection; a freed one has none. */
	bufferevent_getcb(conn->bev, NULL, NULL, NULL, &evcon);
	if (!evcon) {
		qrt__ev_conn_close(conn);
		return;
	}
	conn->evcon = evcon;
	conn->refused = live >= server->base.opts.connections_max;
	QRT__COUNT(counters->connections, 1);
	QRT__COUNT(counters->refused, conn->refused);
	if (!fd_table_reserve(server, fd) || (conn->refused && server->refused >= REFUSED_MAX)) {
		qrt__ev_conn_kill(conn);
		qrt__ev_conn_close(conn);
		return;
	}
	conn->fd = fd;
	server->by_fd[fd] = conn;
	attached_count(conn, 1);
	evhttp_connection_set_closecb(conn->evcon, on_close, conn);
	QRT_IGNORE(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)),
		   "a socket without it only answers later");
	qrt__ev_guard_begin(conn);
	qrt__ev_phase_enter(conn, QRT__EV_QUIET);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct qrt__ev_conn *conn = arg;

	(void)fd;
	(void)what;
	switch (conn->phase) {
	case QRT__EV_NEW:
		attach(conn);
		break;
	case QRT__EV_QUIET:
	case QRT__EV_LINGERS:
		qrt__ev_conn_kill(conn);
		break;
	case QRT__EV_HEAD:
	case QRT__EV_BODY:
		qrt__ev_answer_timeout(conn);
		break;
	case QRT__EV_BUSY:
		qrt__ev_answer_overdue(conn);
		break;
	case QRT__EV_FAULTY:
		qrt__ev_answer_fault(conn);
		break;
	case QRT__EV_CLOSED:
		QRT_IMPOSSIBLE("its timer has been taken off");
	}
}

static bool conn_init(struct qrt__ev_conn *conn, struct qrt__ev_server *server)
{
	const struct qrt__http_limits limits = {
	    .request_line_max = server->base.opts.request_line_max,
	    .header_max = server->base.opts.header_max,
	};

	conn->server = server;
	conn->fd = -1;
	qrt__event_init(&conn->drained);
	conn->bev = bufferevent_socket_new(server->events, -1, 0);
	conn->timer = evtimer_new(server->events, on_timer, conn);
	return conn->bev && conn->timer && !qrt__http_parser_create(&limits, &conn->guard) &&
	       qrt__ev_guard_watch(conn);
}

struct bufferevent *qrt__ev_on_accept(struct event_base *events, void *arg)
{
	struct qrt__ev_server *server = arg;
	struct qrt__ev_conn *conn = calloc(1, sizeof(*conn));

	(void)events;
	if (!conn) {
		return NULL;
	}
	if (!conn_init(conn, server)) {
		if (conn->bev) {
			bufferevent_free(conn->bev);
		}
		conn_free(conn);
		return NULL;
	}
	bufferevent_incref(conn->bev);
	qrt__list_append(&server->base.conns, &conn->in_server);
	qrt__ev_phase_enter(conn, QRT__EV_NEW);
	return conn->bev;
}
