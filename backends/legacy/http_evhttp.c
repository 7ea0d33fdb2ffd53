/*
 * The server: one resident task in the caller's region opens the region of the exchanges, and takes
 * evhttp down when all of them have ended. The listener is evhttp's, the pause after an error ours.
 */
#include "backends/legacy/http_evhttp.h"

#include <stdlib.h>

#include <event2/event.h>
#include <event2/http.h>
#include <event2/listener.h>

#include "backends/legacy/libevent.h"

#define HEAD_SLACK (64u * 1024) /* evhttp's own limit lies so far above ours */
#define ACCEPT_PAUSE_NS (50 * QRT_MS)

/*
 * Of this thread, which is the loop's. A listener's error tells its argument, which evhttp has
 * taken for itself: this is how its server is found.
 */
static _Thread_local struct qrt__ev_server *servers;

static void servers_add(struct qrt__ev_server *server)
{
	server->next = servers;
	servers = server;
}

static void servers_remove(struct qrt__ev_server *server)
{
	struct qrt__ev_server **at = &servers;

	while (*at && *at != server) {
		at = &(*at)->next;
	}
	if (*at) {
		*at = server->next;
	}
}

static struct qrt__ev_server *servers_find(const struct evconnlistener *listener)
{
	struct qrt__ev_server *server = servers;

	while (server && server->listener != listener) {
		server = server->next;
	}
	return server;
}

static struct qrt__ev_server *own(struct qrt_http_server *base)
{
	return QRT__CONTAINER(base, struct qrt__ev_server, base);
}

/* --- the listener -------------------------------------------------------------------------- */

static void on_accept_error(struct evconnlistener *listener, void *arg)
{
	struct qrt__ev_server *server = servers_find(listener);

	(void)arg;
	QRT_ASSERT(server);
	/* No descriptors or no memory: others must end first. */
	QRT__COUNT(server->base.counters.accept_pauses, 1);
	evconnlistener_disable(listener);
	qrt__ev_timer_set(server->accept_again, ACCEPT_PAUSE_NS);
}

static void on_accept_again(evutil_socket_t fd, short what, void *arg)
{
	struct qrt__ev_server *server = arg;

	(void)fd;
	(void)what;
	evconnlistener_enable(server->listener);
}

/* --- the resident task --------------------------------------------------------------------- */

static void teardown(void *arg)
{
	struct qrt__ev_server *server = arg;

	servers_remove(server);
	/* Also closes the listener and every connection, which calls on_close. */
	if (server->http) {
		evhttp_free(server->http);
	}
	/* What evhttp had only just accepted was not attached. */
	QRT__LIST_EACH(node, &server->base.conns) {
		qrt__ev_conn_close(QRT__CONTAINER(node, struct qrt__ev_conn, in_server));
	}
	if (server->accept_again) {
		event_free(server->accept_again);
	}
	free(server->by_fd);
}

static void stop_accepting(void *arg)
{
	struct qrt__ev_server *server = arg;

	event_del(server->accept_again);
	evconnlistener_disable(server->listener);
}

static enum qrt_err serve(struct qrt_cx *cx, void *arg)
{
	QRT__ANCHORED(cx);
	struct qrt__ev_server *server = arg;
	const struct qrt_region_options opts = {.name = "http server", .policy = QRT_COLLECT};
	enum qrt_err err = qrt_region_open_with(cx, &opts, &server->region);

	if (!err) {
		QRT_IGNORE(qrt__event_wait(cx, &server->base.wake, QRT_NO_DEADLINE),
			   "a cancel, or home's deadline, is the end as well");
	}
	server->base.closing = true;
	qrt__on_loop(cx, stop_accepting, server);
	if (!err) {
		qrt_region_cancel(server->region, QRT_CANCEL_SHUTDOWN, "http server closed");
		QRT_IGNORE(qrt_region_close(cx, &server->region, QRT_OK),
			   "how its exchanges ended is theirs");
	}
	qrt__on_loop(cx, teardown, server);
	QRT_ASSERT(qrt__list_empty(&server->base.conns));
	server->base.ended = true;
	qrt__event_set(&server->base.changed);
	return err;
}

/* --- the interface ------------------------------------------------------------------------- */

static bool http_make(struct qrt__ev_server *server, int fd)
{
	const struct qrt_http_server_options *opts = &server->base.opts;
	int64_t ns = opts->idle_timeout_ns + opts->header_timeout_ns + opts->request_deadline_ns;
	struct timeval longest = {.tv_sec = ns / QRT_SEC + 1};
	size_t head_max = opts->request_line_max + opts->header_max + HEAD_SLACK;
	struct evhttp_bound_socket *bound;

	server->http = evhttp_new(server->events);
	server->accept_again = evtimer_new(server->events, on_accept_again, server);
	if (!server->http || !server->accept_again || evutil_make_socket_nonblocking(fd)) {
		return false;
	}
	evhttp_set_gencb(server->http, qrt__ev_on_request, server);
	evhttp_set_bevcb(server->http, qrt__ev_on_accept, server);
	evhttp_set_allowed_methods(server->http, UINT16_MAX);
	evhttp_set_default_content_type(server->http, NULL);
	evhttp_set_max_headers_size(server->http, (ev_ssize_t)head_max);
	/* The guard holds the limits, and our deadlines are shorter, except for writing. */
	evhttp_set_max_body_size(server->http, QRT__HTTP_WHOLE_MAX);
	evhttp_set_timeout_tv(server->http, &longest);
	bound = evhttp_accept_socket_with_handle(server->http, fd);
	if (!bound) {
		return false;
	}
	server->listener = evhttp_bound_socket_get_listener(bound);
	evconnlistener_disable(server->listener);
	evconnlistener_set_error_cb(server->listener, on_accept_error);
	servers_add(server);
	return true;
}

struct opening {
	struct qrt__ev_server *server;
	int fd;
	bool made;
};

static void open_on_loop(void *arg)
{
	struct opening *opening = arg;

	opening->made = http_make(opening->server, opening->fd);
	if (!opening->made) {
		teardown(opening->server);
	}
}

static enum qrt_err ev_open(struct qrt_cx *cx, struct qrt_region *home, int fd,
			    const struct qrt_http_server_options *opts,
			    struct qrt_http_server **ret_server)
{
	struct qrt__ev_server *server = NULL;
	struct opening opening = {.fd = fd};
	enum qrt_err err;

	if (opts->tls) {
		/* evhttp reads sockets only. */
		return qrt__http_own.open(cx, home, fd, opts, ret_server);
	}
	server = calloc(1, sizeof(*server));
	opening.server = server;
	if (!server) {
		qrt_socket_close(cx, fd);
		return QRT_ENOMEM;
	}
	qrt__http_server_init(&server->base, &qrt__http_evhttp, opts);
	server->events = qrt__libevent_base(cx->task->rt);
	qrt__on_loop(cx, open_on_loop, &opening);
	if (!opening.made) {
		qrt_socket_close(cx, fd);
		free(server);
		return qrt_fail(cx, QRT_ENOMEM, "http server: evhttp cannot take the socket");
	}
	err = qrt_spawn_at(home, serve, server, "http server", QRT_SITE);
	if (err) {
		qrt__on_loop(cx, teardown, server);
		free(server);
		return err;
	}
	*ret_server = &server->base;
	return QRT_OK;
}

static void start_accepting(void *arg)
{
	struct qrt__ev_server *server = arg;

	evconnlistener_enable(server->listener);
}

static void ev_accept(struct qrt_cx *cx, struct qrt_http_server *base, bool on)
{
	qrt__on_loop(cx, on ? start_accepting : stop_accepting, own(base));
}

static bool ev_rests(const struct qrt_http_server *base)
{
	return qrt__list_empty(&base->conns);
}

static void idle_stop(void *arg)
{
	struct qrt__ev_server *server = arg;

	QRT__LIST_EACH(node, &server->base.conns) {
		struct qrt__ev_conn *conn = QRT__CONTAINER(node, struct qrt__ev_conn, in_server);

		if (conn->phase == QRT__EV_QUIET) {
			QRT__COUNT(server->base.counters.idle_closed, 1);
			qrt__ev_conn_kill(conn);
		}
	}
}

static void ev_stop_idle(struct qrt_cx *cx, struct qrt_http_server *base)
{
	qrt__on_loop(cx, idle_stop, own(base));
}

static void ev_free(struct qrt_http_server *base)
{
	free(own(base));
}

const struct qrt__http_impl qrt__http_evhttp = {
    .name = "evhttp",
    .open = ev_open,
    .accept = ev_accept,
    .rests = ev_rests,
    .stop_idle = ev_stop_idle,
    .free = ev_free,
};
