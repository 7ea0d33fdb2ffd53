/*
 * The HTTP server of the legacy backend: libevent's evhttp reads and writes, each request becomes
 * a task that runs the common exchange. evhttp is touched on the loop's own stack only.
 *
 * evhttp tells nobody when a connection comes or rests. A bufferevent of our making (bevcb)
 * carries a record per connection: it sees the bytes come in, holds the deadlines evhttp does not
 * have, and learns of the end through the connection's close callback.
 *
 * What evhttp answers by itself, with a page of its own: 400 for a malformed head and for one
 * beyond the hard limit, 413 for a body over the limit and for malformed chunks (also for chunk
 * extensions, which it does not know). It takes folded headers and bare line feeds.
 */
#include "backends/legacy/http_evhttp.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/http_struct.h>
#include <event2/keyvalq_struct.h>
#include <event2/listener.h>

#include "backends/legacy/libevent.h"
#include "shim/src/http_exchange.h"
#include "shim/src/internal.h"

#define HEAD_SLACK (64u * 1024) /* evhttp's own limit lies so far above ours */
#define REFUSED_MAX 64u		/* 503s under way; beyond, a connection is just closed */
#define ACCEPT_PAUSE_NS (50 * QRT_MS)
#define PEER_MAX 80

struct ev_server {
	struct qrt_http_server base;
	struct event_base *events;
	struct evhttp *http;
	struct evconnlistener *listener;
	struct event *accept_again; /* ends the pause after EMFILE */
	struct qrt_region *region;  /* of the exchanges; NULL before and after */
	struct qrt__list conns;
	struct ev_conn **by_fd;
	size_t n_by_fd;
	size_t refused;
	bool accepting, draining, linger_over, closing, ended;
	struct qrt__event wake;	   /* the resident task has something to do */
	struct qrt__event changed; /* a connection or the resident task ended */
};

/*
 *	new ──> quiet ──> head ──> body ──> busy ──> quiet, or the end
 *
 * new    evhttp has not finished accepting it
 * busy   from the complete request to the last byte of its reply
 */
enum conn_phase { CONN_NEW, CONN_QUIET, CONN_HEAD, CONN_BODY, CONN_BUSY };

struct ev_conn {
	struct qrt__list in_server;
	struct ev_server *server;
	struct bufferevent *bev; /* a reference of our own */
	struct evhttp_connection *evcon;
	struct event *timer;	   /* of the phase; attaches in CONN_NEW */
	struct exchange *exchange; /* while its task runs */
	enum conn_phase phase;
	bool refused;
	bool line_empty; /* the line of the head that comes in has no byte yet */
	unsigned requests;
	int fd;
};

/* One request; lives from evhttp's callback to the reply. */
struct exchange {
	struct ev_server *server;
	struct ev_conn *conn; /* NULL: the connection is gone */
	struct evhttp_request *ev;
	struct qrt__http_arena arena;
	struct qrt_http_request req;
	struct qrt_http_response resp;
	const char *date;
	bool done; /* the handler has returned */
};

static struct ev_server *own(struct qrt_http_server *base)
{
	return QRT__CONTAINER(base, struct ev_server, base);
}

static void timer_set(struct event *timer, int64_t ns)
{
	struct timeval tv = {.tv_sec = ns / QRT_SEC, .tv_usec = ns % QRT_SEC / 1000};

	/* The event exists already: only an invalid time could fail. */
	QRT_IGNORE(event_add(timer, &tv), "see above");
}

/* --- connections --------------------------------------------------------------------------- */

static void phase_enter(struct ev_conn *conn, enum conn_phase phase)
{
	const struct qrt_http_server_options *opts = &conn->server->base.opts;
	bool first = conn->requests == 0;

	conn->phase = phase;
	conn->line_empty = false;
	switch (phase) {
	case CONN_NEW:
		event_active(conn->timer, EV_TIMEOUT, 0);
		break;
	case CONN_QUIET:
		timer_set(conn->timer, first ? opts->header_timeout_ns : opts->idle_timeout_ns);
		break;
	case CONN_HEAD:
		/* The head of a first request has been awaited since the connection came. */
		if (!first) {
			timer_set(conn->timer, opts->header_timeout_ns);
		}
		break;
	case CONN_BODY:
		timer_set(conn->timer, opts->request_deadline_ns);
		break;
	case CONN_BUSY:
		event_del(conn->timer);
		break;
	}
}

/* Looks for the empty line that ends a head. */
static void head_watch(struct ev_conn *conn, const char *data, size_t n)
{
	for (size_t i = 0; i < n && conn->phase == CONN_HEAD; i++) {
		if (data[i] == '\n' && conn->line_empty) {
			phase_enter(conn, CONN_BODY);
		} else if (data[i] == '\n') {
			conn->line_empty = true;
		} else if (data[i] != '\r') {
			conn->line_empty = false;
		}
	}
}

/* Bytes have come in; evhttp sees them afterwards. */
static void on_input(struct evbuffer *input, const struct evbuffer_cb_info *info, void *arg)
{
	struct ev_conn *conn = arg;
	size_t from = info->orig_size - info->n_deleted;
	size_t left = info->n_added;

	if (info->n_added > 0 && conn->phase == CONN_QUIET) {
		phase_enter(conn, CONN_HEAD);
	}
	while (left > 0 && conn->phase == CONN_HEAD) {
		char part[512];
		size_t n = left < sizeof(part) ? left : sizeof(part);
		struct evbuffer_ptr at;

		if (evbuffer_ptr_set(input, &at, from, EVBUFFER_PTR_SET) ||
		    evbuffer_copyout_from(input, &at, part, n) != (ev_ssize_t)n) {
			return;
		}
		head_watch(conn, part, n);
		from += n;
		left -= n;
	}
}

static void conn_free(struct ev_conn *conn)
{
	struct ev_server *server = conn->server;

	if (conn->fd >= 0 && server->by_fd[conn->fd] == conn) {
		server->by_fd[conn->fd] = NULL;
	}
	if (conn->phase != CONN_NEW) {
		if (conn->refused) {
			server->refused--;
		} else {
			QRT__COUNT(server->base.counters.connections_live, -1);
		}
	}
	if (conn->exchange) {
		conn->exchange->conn = NULL;
	}
	qrt__list_remove(&conn->in_server);
	evbuffer_remove_cb(bufferevent_get_input(conn->bev), on_input, conn);
	bufferevent_decref(conn->bev);
	event_free(conn->timer);
	free(conn);
	qrt__event_set(&server->changed);
}

static void on_close(struct evhttp_connection *evcon, void *arg)
{
	(void)evcon;
	conn_free(arg);
}

/* Ends the connection; evhttp calls on_close. Not from within evhttp's own callbacks. */
static void conn_kill(struct ev_conn *conn)
{
	evhttp_connection_free(conn->evcon);
}

/* Writes @resp past evhttp, which has nothing to say now: best effort, before the end. */
static void send_last_words(struct ev_conn *conn, const struct qrt_http_response *resp)
{
	const struct qrt__http_head how = {.close = true};
	struct iovec iov[2];
	struct msghdr message = {.msg_iov = iov, .msg_iovlen = 2};
	const char *head;

	if (qrt__http_response_head(resp, &how, &head, &iov[0].iov_len)) {
		return;
	}
	iov[0].iov_base = (void *)(uintptr_t)head;
	iov[1].iov_base = (void *)(uintptr_t)resp->body;
	iov[1].iov_len = resp->body_len;
	QRT_IGNORE(sendmsg(conn->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT),
		   "the peer did not listen");
	qrt__http_count_status(&conn->server->base, resp->status);
}

static void peer_set(struct qrt_http_request *req, struct evhttp_connection *evcon)
{
	char text[PEER_MAX];
	char *address = NULL;
	ev_uint16_t port = 0;
	const char *copy;

	evhttp_connection_get_peer(evcon, &address, &port);
	snprintf(text, sizeof(text), strchr(address, ':') ? "[%s]:%u" : "%s:%u", address, port);
	copy = qrt__http_arena_text(req->arena, text, strlen(text));
	req->peer = copy ? copy : "";
}

/* A request did not come in time: evhttp would close without a word. */
static void time_out(struct ev_conn *conn)
{
	struct ev_server *server = conn->server;
	struct qrt__http_arena arena;
	struct qrt_http_request req;
	struct qrt_http_response resp;

	qrt__http_arena_init(&arena);
	qrt__http_request_init(&req, &arena);
	qrt__http_response_init(&resp, &arena);
	req.app = server->base.opts.app;
	peer_set(&req, conn->evcon);
	qrt__http_answer(&server->base, &req, &resp, 408, "the request did not come in time");
	send_last_words(conn, &resp);
	qrt__http_arena_fini(&arena);
	conn_kill(conn);
}

static bool fd_table_reserve(struct ev_server *server, int fd)
{
	size_t n = server->n_by_fd > 0 ? server->n_by_fd : 64;
	struct ev_conn **table;

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

/* Runs right after evhttp has accepted: only now there is a connection to attach to. */
static void attach(struct ev_conn *conn)
{
	struct ev_server *server = conn->server;
	struct qrt__http_counters *counters = &server->base.counters;
	uint64_t live = atomic_load_explicit(&counters->connections_live, memory_order_relaxed);
	void *evcon = NULL;
	int on = 1;

	/* The argument of evhttp's callbacks is its connection; a freed one has none. */
	bufferevent_getcb(conn->bev, NULL, NULL, NULL, &evcon);
	if (!evcon) {
		conn_free(conn);
		return;
	}
	conn->evcon = evcon;
	conn->refused = live >= server->base.opts.connections_max;
	conn->fd = bufferevent_getfd(conn->bev);
	QRT__COUNT(counters->connections, 1);
	if (!fd_table_reserve(server, conn->fd) ||
	    (conn->refused && server->refused >= REFUSED_MAX)) {
		conn->fd = -1;
		conn_kill(conn);
		conn_free(conn);
		return;
	}
	server->by_fd[conn->fd] = conn;
	if (conn->refused) {
		server->refused++;
	} else {
		QRT__COUNT(counters->connections_live, 1);
	}
	evhttp_connection_set_closecb(conn->evcon, on_close, conn);
	QRT_IGNORE(setsockopt(conn->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)),
		   "a socket without it only answers later");
	phase_enter(conn, CONN_QUIET);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct ev_conn *conn = arg;

	(void)fd;
	(void)what;
	if (conn->phase == CONN_NEW) {
		attach(conn);
	} else if (conn->phase == CONN_QUIET) {
		conn_kill(conn);
	} else if (conn->phase != CONN_BUSY) {
		time_out(conn);
	}
}

/* evhttp asks for a bufferevent: a connection has come. NULL: it makes one, unknown to us. */
static struct bufferevent *on_accept(struct event_base *events, void *arg)
{
	struct ev_server *server = arg;
	struct ev_conn *conn = calloc(1, sizeof(*conn));

	if (!conn) {
		return NULL;
	}
	conn->bev = bufferevent_socket_new(events, -1, 0);
	conn->timer = conn->bev ? evtimer_new(events, on_timer, conn) : NULL;
	if (!conn->timer || !evbuffer_add_cb(bufferevent_get_input(conn->bev), on_input, conn)) {
		if (conn->timer) {
			event_free(conn->timer);
		}
		if (conn->bev) {
			bufferevent_free(conn->bev);
		}
		free(conn);
		return NULL;
	}
	bufferevent_incref(conn->bev);
	conn->server = server;
	conn->fd = -1;
	qrt__list_append(&server->conns, &conn->in_server);
	phase_enter(conn, CONN_NEW);
	return conn->bev;
}

/* --- requests ------------------------------------------------------------------------------ */

static const char *method_text(enum evhttp_cmd_type type)
{
	switch (type) {
	case EVHTTP_REQ_GET:
		return "GET";
	case EVHTTP_REQ_POST:
		return "POST";
	case EVHTTP_REQ_HEAD:
		return "HEAD";
	case EVHTTP_REQ_PUT:
		return "PUT";
	case EVHTTP_REQ_DELETE:
		return "DELETE";
	case EVHTTP_REQ_OPTIONS:
		return "OPTIONS";
	case EVHTTP_REQ_TRACE:
		return "TRACE";
	case EVHTTP_REQ_CONNECT:
		return "CONNECT";
	case EVHTTP_REQ_PATCH:
		return "PATCH";
	default:
		return NULL; /* evhttp keeps no name of others */
	}
}

static int status_of(enum qrt_err err, const char *what, const char **ret_why)
{
	switch (err) {
	case QRT_OK:
		return 0;
	case QRT_ENOMEM:
		*ret_why = "out of memory";
		return 503;
	case QRT_ELIMIT:
		*ret_why = "too many fields";
		return 431;
	default:
		*ret_why = what;
		return 400;
	}
}

/* Without the white space around it, of which evhttp takes off some. */
static const char *value_take(struct exchange *x, const char *value)
{
	size_t n;

	value += strspn(value, " \t");
	n = strlen(value);
	while (n > 0 && (value[n - 1] == ' ' || value[n - 1] == '\t')) {
		n--;
	}
	return qrt__http_arena_text(&x->arena, value, n);
}

static int headers_take(struct exchange *x, const char **ret_why)
{
	size_t total = 2; /* the empty line */
	struct evkeyval *header;
	enum qrt_err err = QRT_OK;

	for (header = evhttp_request_get_input_headers(x->ev)->tqh_first; header && !err;
	     header = header->next.tqe_next) {
		const char *name =
		    qrt__http_arena_text(&x->arena, header->key, strlen(header->key));
		const char *value = value_take(x, header->value);

		total += strlen(header->key) + strlen(header->value) + 4;
		err =
		    name && value ? qrt__http_request_add_header(&x->req, name, value) : QRT_ENOMEM;
	}
	if (!err && total > x->server->base.opts.header_max) {
		*ret_why = "the headers are too long";
		return 431;
	}
	return status_of(err, "malformed header", ret_why);
}

static int body_take(struct exchange *x, const char **ret_why)
{
	struct evbuffer *input = evhttp_request_get_input_buffer(x->ev);
	size_t n = evbuffer_get_length(input);
	char *body;

	if (n == 0) {
		return 0;
	}
	body = qrt__http_arena_grow(&x->arena, NULL, 0, n + 1);
	if (!body || evbuffer_remove(input, body, n) != (int)n) {
		return status_of(QRT_ENOMEM, "", ret_why);
	}
	body[n] = '\0';
	x->req.body = body;
	x->req.body_len = n;
	return 0;
}

/* evhttp reads a body for these only; with others it would take it for the next request. */
static int body_check(const struct exchange *x, const char **ret_why)
{
	enum evhttp_cmd_type type = evhttp_request_get_command(x->ev);
	const char *length = qrt_http_header(&x->req, "Content-Length");

	if (type == EVHTTP_REQ_POST || type == EVHTTP_REQ_PUT || type == EVHTTP_REQ_PATCH) {
		return 0;
	}
	if (qrt_http_header(&x->req, "Transfer-Encoding") ||
	    (length && length[strspn(length, "0")] != '\0')) {
		*ret_why = "a body is not read with this method";
		return 400;
	}
	return 0;
}

/* Makes our request of evhttp's. Returns 0, or the status to answer. */
static int request_take(struct exchange *x, const char **ret_why)
{
	const char *uri = evhttp_request_get_uri(x->ev);
	struct qrt_http_request *req = &x->req;
	size_t line;
	int status;

	if (!method_text(evhttp_request_get_command(x->ev))) {
		*ret_why = "unknown method";
		return 501;
	}
	req->method = method_text(evhttp_request_get_command(x->ev));
	line = strlen(req->method) + strlen(uri) + strlen("  HTTP/1.1");
	if (line > x->server->base.opts.request_line_max) {
		*ret_why = "the request line is too long";
		return 414;
	}
	if (x->ev->major != 1 || x->ev->minor > 1) {
		*ret_why = "only HTTP/1.0 and HTTP/1.1 are served";
		return 505;
	}
	req->minor = x->ev->minor;
	status =
	    status_of(qrt__http_request_set_target(req, uri), "malformed request target", ret_why);
	status = status ? status : headers_take(x, ret_why);
	status = status ? status : qrt__http_request_check(req, ret_why);
	status = status ? status : body_check(x, ret_why);
	return status ? status : body_take(x, ret_why);
}

/* --- replies ------------------------------------------------------------------------------- */

static void exchange_free(struct exchange *x)
{
	if (x->conn) {
		x->conn->exchange = NULL;
	}
	qrt__http_arena_fini(&x->arena);
	free(x);
}

/* The last byte of a reply is with the system; evhttp now closes or waits for the next request. */
static void on_sent(struct evhttp_request *ev, void *arg)
{
	struct evhttp_connection *evcon = evhttp_request_get_connection(ev);
	struct ev_server *server = arg;
	int fd = bufferevent_getfd(evhttp_connection_get_bufferevent(evcon));
	struct ev_conn *conn = server->by_fd[fd];
	struct evbuffer *input = bufferevent_get_input(conn->bev);

	phase_enter(conn, CONN_QUIET);
	if (evbuffer_get_length(input) > 0) {
		phase_enter(conn, CONN_HEAD);
	} else if (server->linger_over) {
		/* Not freed in here, where evhttp goes on with it: the end of stream does it. */
		shutdown(fd, SHUT_RDWR);
	}
}

static bool wants_close(const struct exchange *x)
{
	const struct ev_server *server = x->server;

	return !x->req.keep_alive || server->draining || server->closing || x->conn->refused ||
	       x->conn->requests >= server->base.opts.requests_per_connection ||
	       qrt__http_response_closes(&x->resp);
}

static bool headers_put(const struct exchange *x, struct evkeyvalq *out)
{
	const struct qrt__http_field *field = x->resp.headers.first;
	char length[24];
	bool put = true;

	for (; field && put; field = field->next) {
		if (strcasecmp(field->name, "Connection") != 0) {
			put = evhttp_add_header(out, field->name, field->value) == 0;
		}
	}
	if (x->date && !qrt_http_response_header(&x->resp, "Date")) {
		put = put && evhttp_add_header(out, "Date", x->date) == 0;
	}
	if (qrt__http_status_has_body(x->resp.status)) {
		snprintf(length, sizeof(length), "%zu", x->resp.body_len);
		put = put && evhttp_add_header(out, "Content-Length", length) == 0;
	}
	if (wants_close(x)) {
		put = put && evhttp_add_header(out, "Connection", "close") == 0;
	}
	return put;
}

/* On the loop's stack. Gives the answer to evhttp, and the request with it. */
static void exchange_reply(void *arg)
{
	struct exchange *x = arg;
	bool body = qrt__http_status_has_body(x->resp.status) &&
		    strcmp(x->req.method, "HEAD") != 0 && x->resp.body_len > 0;
	struct evbuffer *buf = NULL;

	if (!x->conn) {
		/* evhttp has let go of the request when it lost the connection. */
		evhttp_request_free(x->ev);
		return;
	}
	buf = evbuffer_new();
	if (!buf || (body && evbuffer_add(buf, x->resp.body, x->resp.body_len)) ||
	    !headers_put(x, evhttp_request_get_output_headers(x->ev))) {
		conn_kill(x->conn); /* and the request */
	} else {
		evhttp_request_set_on_complete_cb(x->ev, on_sent, x->server);
		evhttp_send_reply(x->ev, x->resp.status, qrt_http_reason(x->resp.status), buf);
	}
	if (buf) {
		evbuffer_free(buf);
	}
}

/* Runs however the task ends; after a panic of the handler it gives the answer. */
static void exchange_end(struct qrt_cx *cx, void *arg)
{
	struct exchange *x = arg;
	int status;

	if (!x->done) {
		qrt__http_answer(&x->server->base, &x->req, &x->resp, 500, "internal error");
		x->req.keep_alive = false;
	}
	x->date = qrt__http_server_date(cx, &x->server->base);
	status = x->conn ? x->resp.status : 0;
	qrt__http_count_end(&x->server->base, status);
	qrt__on_loop(cx, exchange_reply, x);
	exchange_free(x);
}

static enum qrt_err exchange_main(struct qrt_cx *cx, void *arg)
{
	struct exchange *x = arg;

	if (qrt_defer(cx, exchange_end, x)) {
		x->done = true;
		x->req.keep_alive = false;
		qrt__http_answer(&x->server->base, &x->req, &x->resp, 503, "out of memory");
		exchange_end(cx, x);
		return QRT_OK;
	}
	qrt__http_exchange(cx, &x->server->base, &x->req, &x->resp);
	x->done = true;
	return QRT_OK;
}

/* An answer without a task, from evhttp's callback. */
static void refuse(struct exchange *x, int status, const char *why)
{
	x->req.keep_alive = false;
	qrt__http_answer(&x->server->base, &x->req, &x->resp, status, why);
	qrt__http_count_status(&x->server->base, x->resp.status);
	exchange_reply(x);
	exchange_free(x);
}

static void exchange_start(struct exchange *x)
{
	struct ev_server *server = x->server;
	const char *why = "";
	int status = 0;

	if (x->conn->refused) {
		refuse(x, 503, "too many connections");
		return;
	}
	status = request_take(x, &why);
	if (status) {
		refuse(x, status, why);
		return;
	}
	if (!server->region || server->closing) {
		refuse(x, 503, "the service is going away");
		return;
	}
	if (qrt_spawn_at(server->region, exchange_main, x, "http exchange", QRT_SITE)) {
		refuse(x, 503, "out of memory");
		return;
	}
	qrt__http_count_begin(&server->base);
}

/* evhttp has read a whole request. */
static void on_request(struct evhttp_request *ev, void *arg)
{
	struct ev_server *server = arg;
	struct evhttp_connection *evcon = evhttp_request_get_connection(ev);
	int fd = bufferevent_getfd(evhttp_connection_get_bufferevent(evcon));
	struct ev_conn *conn = fd >= 0 && (size_t)fd < server->n_by_fd ? server->by_fd[fd] : NULL;
	struct exchange *x = conn ? calloc(1, sizeof(*x)) : NULL;

	if (!x) {
		evhttp_send_error(ev, 503, "Service Unavailable");
		return;
	}
	x->server = server;
	x->conn = conn;
	x->ev = ev;
	conn->exchange = x;
	conn->requests++;
	phase_enter(conn, CONN_BUSY);
	qrt__http_arena_init(&x->arena);
	qrt__http_request_init(&x->req, &x->arena);
	qrt__http_response_init(&x->resp, &x->arena);
	x->req.app = server->base.opts.app;
	peer_set(&x->req, evcon);
	exchange_start(x);
}

/* --- the listener -------------------------------------------------------------------------- */

static void on_accept_error(struct evconnlistener *listener, void *arg)
{
	struct ev_server *server = arg;

	/* No descriptors or no memory: others must end first. */
	evconnlistener_disable(listener);
	timer_set(server->accept_again, ACCEPT_PAUSE_NS);
}

static void on_accept_again(evutil_socket_t fd, short what, void *arg)
{
	struct ev_server *server = arg;

	(void)fd;
	(void)what;
	if (server->accepting) {
		evconnlistener_enable(server->listener);
	}
}

/* --- the resident task --------------------------------------------------------------------- */

static void teardown(void *arg)
{
	struct ev_server *server = arg;

	/* Also closes the listener and every connection, which calls on_close. */
	if (server->http) {
		evhttp_free(server->http);
		server->http = NULL;
	}
	/* What evhttp had only just accepted was not attached. */
	QRT__LIST_EACH(node, &server->conns) {
		conn_free(QRT__CONTAINER(node, struct ev_conn, in_server));
	}
	if (server->accept_again) {
		event_free(server->accept_again);
		server->accept_again = NULL;
	}
	free(server->by_fd);
	server->by_fd = NULL;
	server->n_by_fd = 0;
}

static void stop_accepting(void *arg)
{
	struct ev_server *server = arg;

	server->accepting = false;
	event_del(server->accept_again);
	evconnlistener_disable(server->listener);
}

static enum qrt_err serve(struct qrt_cx *cx, void *arg)
{
	QRT__ANCHORED(cx);
	struct ev_server *server = arg;
	const struct qrt_region_options opts = {.name = "http server", .policy = QRT_COLLECT};
	enum qrt_err err = qrt_region_open_with(cx, &opts, &server->region);

	while (!err && !server->closing) {
		/* An error is a cancel or home's deadline: the end as well. */
		if (qrt__event_wait(cx, &server->wake, QRT_NO_DEADLINE)) {
			server->closing = true;
		}
	}
	server->closing = true;
	qrt__on_loop(cx, stop_accepting, server);
	if (!err) {
		qrt_region_cancel(server->region, QRT_CANCEL_SHUTDOWN, "http server closed");
		QRT_IGNORE(qrt_region_close(cx, &server->region, QRT_OK),
			   "how its exchanges ended is theirs");
	}
	qrt__on_loop(cx, teardown, server);
	QRT_ASSERT(qrt__list_empty(&server->conns));
	server->ended = true;
	qrt__event_set(&server->changed);
	return err;
}

/* --- the interface ------------------------------------------------------------------------- */

static bool http_make(struct ev_server *server, int fd)
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
	evhttp_set_gencb(server->http, on_request, server);
	evhttp_set_bevcb(server->http, on_accept, server);
	evhttp_set_allowed_methods(server->http, UINT16_MAX);
	evhttp_set_default_content_type(server->http, NULL);
	evhttp_set_max_headers_size(server->http, (ev_ssize_t)head_max);
	evhttp_set_max_body_size(server->http, (ev_ssize_t)opts->body_max);
	/* Ours are shorter, except for writing. */
	evhttp_set_timeout_tv(server->http, &longest);
	bound = evhttp_accept_socket_with_handle(server->http, fd);
	if (!bound) {
		return false;
	}
	server->listener = evhttp_bound_socket_get_listener(bound);
	evconnlistener_disable(server->listener);
	evconnlistener_set_error_cb(server->listener, on_accept_error);
	return true;
}

struct opening {
	struct ev_server *server;
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
	struct ev_server *server = calloc(1, sizeof(*server));
	struct opening opening = {.server = server, .fd = fd};
	enum qrt_err err;

	if (!server) {
		qrt_socket_close(cx, fd);
		return QRT_ENOMEM;
	}
	qrt__http_server_init(&server->base, &qrt__http_evhttp, opts);
	qrt__list_init(&server->conns);
	qrt__event_init(&server->wake);
	qrt__event_init(&server->changed);
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
	struct ev_server *server = arg;

	evconnlistener_enable(server->listener);
}

static enum qrt_err ev_resume(struct qrt_cx *cx, struct qrt_http_server *base)
{
	struct ev_server *server = own(base);

	if (server->closing) {
		return qrt_fail(cx, QRT_ECLOSED, "http server: closed");
	}
	server->draining = false;
	server->linger_over = false;
	server->accepting = true;
	qrt__on_loop(cx, start_accepting, server);
	qrt__event_set(&server->changed);
	return QRT_OK;
}

/* Until nothing is left to answer. ETIMEDOUT: @deadline_ns, or cx's. */
static enum qrt_err wait_empty(struct qrt_cx *cx, struct ev_server *server, int64_t deadline_ns)
{
	while (!qrt__list_empty(&server->conns)) {
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

static void idle_stop(void *arg)
{
	struct ev_server *server = arg;

	server->linger_over = true;
	QRT__LIST_EACH(node, &server->conns) {
		struct ev_conn *conn = QRT__CONTAINER(node, struct ev_conn, in_server);

		if (conn->phase == CONN_QUIET) {
			conn_kill(conn);
		}
	}
}

static enum qrt_err ev_drain(struct qrt_cx *cx, struct qrt_http_server *base)
{
	struct ev_server *server = own(base);
	int64_t linger_end_ns = qrt_deadline_in(cx, base->opts.linger_ns);
	enum qrt_err err;

	server->draining = true;
	if (!server->closing) {
		qrt__on_loop(cx, stop_accepting, server);
	}
	err = wait_empty(cx, server, linger_end_ns);
	if (err == QRT_ETIMEDOUT && !qrt_checkpoint(cx)) {
		qrt__on_loop(cx, idle_stop, server);
		err = wait_empty(cx, server, QRT_NO_DEADLINE);
	}
	if (err == QRT_ETIMEDOUT) {
		return qrt_fail(cx, err, "http server: connections are left");
	}
	return err;
}

static void ev_close(struct qrt_cx *cx, struct qrt_http_server *base)
{
	struct ev_server *server = own(base);

	server->closing = true;
	qrt__event_set(&server->wake);
	while (!server->ended) {
		qrt__event_clear(&server->changed);
		qrt__event_wait_masked(cx, &server->changed);
	}
	free(server);
}

const struct qrt__http_impl qrt__http_evhttp = {
    .name = "evhttp",
    .open = ev_open,
    .resume = ev_resume,
    .drain = ev_drain,
    .close = ev_close,
};
