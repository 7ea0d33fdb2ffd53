/*
 * The HTTP server of the legacy backend: libevent's evhttp reads and writes, each request becomes
 * a task that runs the common exchange. evhttp is touched on the loop's own stack only.
 *
 * evhttp tells nobody when a connection comes or rests. A bufferevent of our making (bevcb)
 * carries a record per connection: it sees the bytes come in, holds the deadlines evhttp does not
 * have, and learns of the end through the connection's close callback.
 *
 * evhttp is lax: it takes bare line feeds, folded headers, lengths that contradict each other. So a
 * guard, our own strict parser, reads every byte before evhttp does and keeps none of the body.
 * What it refuses evhttp never sees. Where the two disagree on the end of a message the connection
 * ends.
 *
 * What evhttp cannot do: it reads a request's body whole before it tells of it, takes none with GET
 * and the like, and no chunk extensions (it says 413).
 */
#include "backends/legacy/http_evhttp.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
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
#include "shim/src/http/exchange.h"
#include "shim/src/http/parse.h"
#include "shim/src/internal.h"

#define HEAD_SLACK (64u * 1024) /* evhttp's own limit lies so far above ours */
#define AHEAD_MAX (64u * 1024)	/* requests that wait for their turn are held up to here */
#define REFUSED_MAX 64u		/* 503s under way; beyond, a connection is just closed */
#define ACCEPT_PAUSE_NS (50 * QRT_MS)
#define CLOSE_LINGER_NS QRT_SEC /* how long what a refused peer still sends is read */
#define WRITE_PIECE (64u * 1024)
#define PEER_MAX 80

struct ev_server {
	struct qrt_http_server base;
	struct ev_server *next; /* under servers_lock */
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
 *	                   └───────┴──> refused ──> lingers ──> the end
 *
 * new      evhttp has not finished accepting it
 * busy     from the complete request to the last byte of its reply
 * refused  the guard has: evhttp is told nothing more
 * lingers  the answer is out; what the peer still sends is read and dropped
 */
enum conn_phase {
	CONN_NEW,
	CONN_QUIET,
	CONN_HEAD,
	CONN_BODY,
	CONN_BUSY,
	CONN_REFUSED,
	CONN_LINGERS,
};

struct ev_conn {
	struct qrt__list in_server;
	struct ev_server *server;
	struct bufferevent *bev; /* a reference of our own */
	struct evhttp_connection *evcon;
	struct event *timer;   /* of the phase; attaches in CONN_NEW */
	struct event *dropper; /* reads in CONN_LINGERS, else NULL */
	struct qrt__http_parser *guard;
	struct qrt__http_exchange coming; /* for its plan, while the guard reads the request */
	struct exchange *exchange;	  /* while its task runs */
	enum conn_phase phase;
	bool refused;
	unsigned requests;
	int fd;
};

/* One request; lives from evhttp's callback to the reply. */
struct exchange {
	struct ev_server *server;
	struct ev_conn *conn;	   /* NULL: the connection is gone */
	struct evhttp_request *ev; /* NULL: and the request with it */
	struct qrt__http_arena arena;
	struct qrt_http_request req;
	struct qrt_http_response resp;
	struct qrt__http_exchange x;
	enum qrt__http_ending ending;
	const char *date;
	bool done;		   /* the handler has returned */
	struct qrt__event drained; /* what a stream has written is with the system, or never will */
};

/*
 * Of all threads. A listener's error tells its argument, which evhttp has taken for itself: this is
 * how its server is found.
 */
static pthread_mutex_t servers_lock = PTHREAD_MUTEX_INITIALIZER;
static struct ev_server *servers;

static void servers_add(struct ev_server *server)
{
	pthread_mutex_lock(&servers_lock);
	server->next = servers;
	servers = server;
	pthread_mutex_unlock(&servers_lock);
}

static void servers_remove(struct ev_server *server)
{
	struct ev_server **at = &servers;

	pthread_mutex_lock(&servers_lock);
	while (*at && *at != server) {
		at = &(*at)->next;
	}
	if (*at) {
		*at = server->next;
	}
	pthread_mutex_unlock(&servers_lock);
}

static struct ev_server *servers_find(const struct evconnlistener *listener)
{
	struct ev_server *server;

	pthread_mutex_lock(&servers_lock);
	server = servers;
	while (server && server->listener != listener) {
		server = server->next;
	}
	pthread_mutex_unlock(&servers_lock);
	return server;
}

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
	case CONN_REFUSED:
		event_active(conn->timer, EV_TIMEOUT, 0);
		break;
	case CONN_LINGERS:
		timer_set(conn->timer, CLOSE_LINGER_NS);
		break;
	}
}

static void guard_begin(struct ev_conn *conn)
{
	struct ev_server *server = conn->server;
	struct qrt_http_request *req;

	qrt__http_parser_reset(conn->guard);
	req = qrt__http_parser_request(conn->guard);
	req->app = server->base.opts.app;
	conn->coming = (struct qrt__http_exchange){.server = &server->base, .req = req};
}

/* The head is there and a body follows. evhttp keeps it whole, so a stream is bounded, too. */
static enum qrt__http_state guard_body(struct ev_conn *conn)
{
	const struct qrt_http_plan *plan = &conn->coming.plan;
	size_t max;

	qrt__http_exchange_plan(&conn->coming);
	max = plan->body_max <= QRT__HTTP_WHOLE_MAX ? plan->body_max
						    : conn->server->base.opts.body_max;
	return qrt__http_parser_body(conn->guard, false, max);
}

/* The guard reads @n bytes, as far as they belong to the message. */
static void guard_feed(struct ev_conn *conn, const char *data, size_t n)
{
	enum qrt__http_state state = QRT__HTTP_MORE;

	while (n > 0 && state == QRT__HTTP_MORE) {
		size_t used = 0;

		state = qrt__http_parser_feed(conn->guard, data, n, &used);
		if (state == QRT__HTTP_HEAD) {
			state = guard_body(conn);
		}
		data += used;
		n -= used;
	}
	if (state == QRT__HTTP_FAULT) {
		phase_enter(conn, CONN_REFUSED);
	} else if (conn->phase == CONN_QUIET && qrt__http_parser_started(conn->guard)) {
		phase_enter(conn, CONN_HEAD);
	}
	if (conn->phase == CONN_HEAD && qrt__http_parser_has_head(conn->guard)) {
		phase_enter(conn, CONN_BODY);
	}
}

/* The guard reads @n bytes of @input, from @from on. */
static void guard_read(struct ev_conn *conn, struct evbuffer *input, size_t from, size_t n)
{
	while (n > 0 && conn->phase != CONN_REFUSED && !qrt__http_parser_is_done(conn->guard)) {
		char part[2048];
		size_t len = n < sizeof(part) ? n : sizeof(part);
		struct evbuffer_ptr at;

		if (evbuffer_ptr_set(input, &at, from, EVBUFFER_PTR_SET) ||
		    evbuffer_copyout_from(input, &at, part, len) != (ev_ssize_t)len) {
			return;
		}
		guard_feed(conn, part, len);
		from += len;
		n -= len;
	}
}

static bool is_receiving(const struct ev_conn *conn)
{
	return conn->phase == CONN_QUIET || conn->phase == CONN_HEAD || conn->phase == CONN_BODY;
}

/* Bytes have come in; evhttp sees them afterwards, unless they are refused. */
static void on_input(struct evbuffer *input, const struct evbuffer_cb_info *info, void *arg)
{
	struct ev_conn *conn = arg;

	if (info->n_added > 0 && is_receiving(conn)) {
		guard_read(conn, input, info->orig_size - info->n_deleted, info->n_added);
	}
	if (conn->phase == CONN_REFUSED) {
		/* So many never come: its read callback is not called any more. */
		bufferevent_setwatermark(conn->bev, EV_READ, EV_SSIZE_MAX, 0);
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
		struct exchange *x = conn->exchange;

		x->conn = NULL;
		qrt__event_set(&x->drained);
		qrt__http_exchange_peer_gone(&x->x);
	}
	if (conn->dropper) {
		event_free(conn->dropper);
	}
	qrt__list_remove(&conn->in_server);
	qrt__http_parser_destroy(&conn->guard);
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
	struct exchange *x = conn->exchange;

	if (x) {
		/* Its request goes with it. */
		x->ev = NULL;
		x->conn = NULL;
		qrt__event_set(&x->drained);
		conn->exchange = NULL;
	}
	evhttp_connection_free(conn->evcon);
}

/*
 * The peer must not take what it has for all there is. evhttp shuts connections down in good order;
 * one that is dissolved before is reset.
 */
static void conn_break(struct ev_conn *conn)
{
	const struct sockaddr nobody = {.sa_family = AF_UNSPEC};

	QRT_IGNORE(connect(conn->fd, &nobody, sizeof(nobody)), "it is closed in any case");
	conn_kill(conn);
}

static void on_dropped(evutil_socket_t fd, short what, void *arg)
{
	struct ev_conn *conn = arg;
	char part[8192];
	ssize_t n = recv(fd, part, sizeof(part), MSG_DONTWAIT);

	(void)what;
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
		conn_kill(conn);
	}
}

/*
 * Ends a connection whose peer may still be sending: closing with unread bytes would make the
 * system throw our answer away on its way.
 */
static void conn_linger(struct ev_conn *conn)
{
	bufferevent_disable(conn->bev, EV_READ | EV_WRITE);
	conn->dropper =
	    event_new(conn->server->events, conn->fd, EV_READ | EV_PERSIST, on_dropped, conn);
	if (!conn->dropper || event_add(conn->dropper, NULL) || shutdown(conn->fd, SHUT_WR)) {
		conn_kill(conn);
		return;
	}
	phase_enter(conn, CONN_LINGERS);
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
	qrt__http_count_refusal(&conn->server->base, resp->status);
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

/* Answers past evhttp, which would close without a word, and ends the connection. */
static void answer_and_end(struct ev_conn *conn, int status, const char *why)
{
	struct ev_server *server = conn->server;
	struct qrt__http_arena arena;
	struct qrt_http_request req;
	struct qrt_http_response resp;

	qrt__http_arena_init(&arena);
	qrt__http_request_init(&req, &arena);
	qrt__http_response_init(&resp, &arena, &req);
	req.app = server->base.opts.app;
	peer_set(&req, conn->evcon);
	qrt__http_answer(&server->base, &req, &resp, status, why);
	send_last_words(conn, &resp);
	qrt__http_arena_fini(&arena);
	conn_linger(conn);
}

static void answer_fault(struct ev_conn *conn)
{
	const char *why = "";
	int status = qrt__http_parser_fault(conn->guard, &why);

	/* Two readers that disagree on where a message ends are one too many. */
	answer_and_end(conn, status ? status : 400, status ? why : "malformed request");
}

/* The handler has had its deadline and the grace: nobody here can make it end. */
static void answer_overdue(struct ev_conn *conn)
{
	if (qrt__http_response_begun(&conn->exchange->resp)) {
		conn_break(conn);
		return;
	}
	/* Its answer, if one comes, is nobody's. */
	conn->exchange->conn = NULL;
	conn->exchange->ev = NULL;
	conn->exchange = NULL;
	answer_and_end(conn, 503, "the request took too long");
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
	QRT__COUNT(counters->refused, conn->refused);
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
	guard_begin(conn);
	phase_enter(conn, CONN_QUIET);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct ev_conn *conn = arg;

	(void)fd;
	(void)what;
	switch (conn->phase) {
	case CONN_NEW:
		attach(conn);
		break;
	case CONN_QUIET:
	case CONN_LINGERS:
		conn_kill(conn);
		break;
	case CONN_HEAD:
	case CONN_BODY:
		answer_and_end(conn, 408, "the request did not come in time");
		break;
	case CONN_BUSY:
		answer_overdue(conn);
		break;
	case CONN_REFUSED:
		answer_fault(conn);
		break;
	}
}

static bool conn_make(struct event_base *events, const struct ev_server *server,
		      struct ev_conn *conn)
{
	const struct qrt__http_limits limits = {
	    .request_line_max = server->base.opts.request_line_max,
	    .header_max = server->base.opts.header_max,
	};

	conn->bev = bufferevent_socket_new(events, -1, 0);
	conn->timer = conn->bev ? evtimer_new(events, on_timer, conn) : NULL;
	return conn->timer && !qrt__http_parser_create(&limits, &conn->guard) &&
	       evbuffer_add_cb(bufferevent_get_input(conn->bev), on_input, conn);
}

/* evhttp asks for a bufferevent: a connection has come. NULL: it makes one, unknown to us. */
static struct bufferevent *on_accept(struct event_base *events, void *arg)
{
	struct ev_server *server = arg;
	struct ev_conn *conn = calloc(1, sizeof(*conn));

	if (!conn) {
		return NULL;
	}
	if (!conn_make(events, server, conn)) {
		qrt__http_parser_destroy(&conn->guard);
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
	/* evhttp has put trailers behind the headers; they are dropped. */
	size_t left = qrt__http_parser_request(x->conn->guard)->headers.n;
	struct evkeyval *header;
	enum qrt_err err = QRT_OK;

	for (header = evhttp_request_get_input_headers(x->ev)->tqh_first;
	     header && left > 0 && !err; header = header->next.tqe_next, left--) {
		const char *name =
		    qrt__http_arena_text(&x->arena, header->key, strlen(header->key));
		const char *value = value_take(x, header->value);

		err =
		    name && value ? qrt__http_request_add_header(&x->req, name, value) : QRT_ENOMEM;
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
	int status;

	if (!method_text(evhttp_request_get_command(x->ev))) {
		*ret_why = "unknown method";
		return 501;
	}
	req->method = method_text(evhttp_request_get_command(x->ev));
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
	if (!status && !qrt__http_parser_is_done(x->conn->guard)) {
		*ret_why = "malformed request"; /* the guard waits for more of it */
		status = 400;
	}
	req->declared = qrt__http_parser_request(x->conn->guard)->declared;
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
	size_t ahead = evbuffer_get_length(input);

	bufferevent_setwatermark(conn->bev, EV_READ, 0, 0);
	phase_enter(conn, CONN_QUIET);
	guard_begin(conn);
	guard_read(conn, input, 0, ahead);
	if (conn->phase == CONN_REFUSED) {
		/* evhttp reads what is there without being asked. */
		evbuffer_drain(input, ahead);
	} else if (conn->phase != CONN_QUIET) {
		return;
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

static int64_t length_of(const struct qrt_http_response *resp)
{
	return qrt__http_response_begun(resp) ? resp->stream.length : (int64_t)resp->body_len;
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
	if (qrt__http_status_has_body(x->resp.status) && length_of(&x->resp) >= 0) {
		snprintf(length, sizeof(length), "%lld", (long long)length_of(&x->resp));
		put = put && evhttp_add_header(out, "Content-Length", length) == 0;
	} else if (x->resp.stream.framing == QRT__HTTP_BY_NOTHING && x->req.minor > 0) {
		/* To HEAD; with a body evhttp adds it. */
		put = put && evhttp_add_header(out, "Transfer-Encoding", "chunked") == 0;
	}
	if (wants_close(x) || x->resp.stream.framing == QRT__HTTP_BY_CLOSE) {
		put = put && evhttp_add_header(out, "Connection", "close") == 0;
	}
	return put;
}

static void reply_whole(struct exchange *x)
{
	struct evbuffer *buf = evbuffer_new();
	bool body = qrt__http_response_has_body(&x->resp) && x->resp.body_len > 0;

	if (!buf || (body && evbuffer_add(buf, x->resp.body, x->resp.body_len)) ||
	    !headers_put(x, evhttp_request_get_output_headers(x->ev))) {
		conn_kill(x->conn);
	} else {
		evhttp_request_set_on_complete_cb(x->ev, on_sent, x->server);
		evhttp_send_reply(x->ev, x->resp.status, qrt_http_reason(x->resp.status), buf);
	}
	if (buf) {
		evbuffer_free(buf);
	}
}

/* On the loop's stack. Gives the answer to evhttp, and the request with it. */
static void exchange_reply(void *arg)
{
	struct exchange *x = arg;

	if (!x->conn) {
		/* evhttp has let go of the request when it lost the connection. */
		if (x->ev) {
			evhttp_request_free(x->ev);
		}
		return;
	}
	event_del(x->conn->timer);
	switch (x->ending) {
	case QRT__HTTP_SEND:
		reply_whole(x);
		break;
	case QRT__HTTP_FINISH:
		evhttp_request_set_on_complete_cb(x->ev, on_sent, x->server);
		evhttp_send_reply_end(x->ev);
		break;
	case QRT__HTTP_BREAK:
		conn_break(x->conn);
		break;
	}
}

/* Runs however the task ends; after a panic of the handler it gives the answer. */
static void exchange_end(struct qrt_cx *cx, void *arg)
{
	struct exchange *x = arg;
	bool broken;

	if (!x->done) {
		x->ending = qrt__http_exchange_cut(cx, &x->x);
	}
	x->date = qrt__http_server_date(cx, &x->server->base);
	broken = !x->conn || x->ending == QRT__HTTP_BREAK;
	qrt__http_count_end(&x->server->base, broken ? 0 : x->resp.status);
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
	x->ending = qrt__http_exchange(cx, &x->x);
	x->done = true;
	return QRT_OK;
}

/* --- streams ------------------------------------------------------------------------------- */

/* What a stream does on the loop's stack. */
struct sending {
	struct exchange *x;
	const void *data;
	size_t n;
	enum qrt_err err;
};

static void begin_on_loop(void *arg)
{
	struct sending *sending = arg;
	struct exchange *x = sending->x;

	if (!x->conn) {
		sending->err = QRT_ECONNRESET;
		return;
	}
	if (!headers_put(x, evhttp_request_get_output_headers(x->ev))) {
		sending->err = QRT_ENOMEM;
		return;
	}
	if (x->resp.stream.framing == QRT__HTTP_BY_CLOSE) {
		/* To who asks to stay evhttp would promise a length, which it takes for 0. */
		evhttp_remove_header(evhttp_request_get_input_headers(x->ev), "Connection");
	}
	evhttp_send_reply_start(x->ev, x->resp.status, qrt_http_reason(x->resp.status));
}

static enum qrt_err wire_begin(struct qrt_cx *cx, struct qrt_http_response *resp)
{
	struct exchange *x = resp->conn;
	struct sending sending = {.x = x};

	x->date = qrt__http_server_date(cx, &x->server->base);
	qrt__on_loop(cx, begin_on_loop, &sending);
	return sending.err;
}

static void on_drained(struct evhttp_connection *evcon, void *arg)
{
	struct ev_server *server = arg;
	int fd = bufferevent_getfd(evhttp_connection_get_bufferevent(evcon));
	struct ev_conn *conn = server->by_fd[fd];

	if (conn->exchange) {
		qrt__event_set(&conn->exchange->drained);
	}
}

static void write_on_loop(void *arg)
{
	struct sending *sending = arg;
	struct exchange *x = sending->x;
	struct evbuffer *buf = x->conn ? evbuffer_new() : NULL;

	if (!buf || evbuffer_add(buf, sending->data, sending->n)) {
		sending->err = x->conn ? QRT_ENOMEM : QRT_ECONNRESET;
	} else {
		qrt__event_clear(&x->drained);
		evhttp_send_reply_chunk_with_cb(x->ev, buf, on_drained, x->server);
	}
	if (buf) {
		evbuffer_free(buf);
	}
}

/* Piece by piece, each when the one before is with the system: more is never held. */
static enum qrt_err wire_write(struct qrt_cx *cx, struct qrt_http_response *resp, const void *data,
			       size_t n)
{
	struct exchange *x = resp->conn;
	struct sending sending = {.x = x, .data = data};
	int64_t idle_ns = x->server->base.opts.idle_timeout_ns;

	while (n > 0 && !sending.err) {
		sending.n = n < WRITE_PIECE ? n : WRITE_PIECE;
		qrt__on_loop(cx, write_on_loop, &sending);
		if (!sending.err) {
			sending.err =
			    qrt__event_wait(cx, &x->drained, qrt_deadline_in(cx, idle_ns));
		}
		if (!sending.err && !x->conn) {
			sending.err = QRT_ECONNRESET;
		}
		sending.data = (const char *)sending.data + sending.n;
		n -= sending.n;
	}
	return sending.err;
}

static const struct qrt__http_wire wire = {.begin = wire_begin, .write = wire_write};

/* --- from evhttp's callback ---------------------------------------------------------------- */

/* An answer without a task, from evhttp's callback. */
static void refuse(struct exchange *x, int status, const char *why)
{
	x->req.keep_alive = false;
	qrt__http_answer(&x->server->base, &x->req, &x->resp, status, why);
	qrt__http_count_refusal(&x->server->base, x->resp.status);
	x->ending = QRT__HTTP_SEND;
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
	x->x = x->conn->coming;
	x->x.req = &x->req;
	x->x.resp = &x->resp;
	qrt__http_exchange_plan(&x->x);
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
	timer_set(x->conn->timer, x->x.plan.deadline_ns + server->base.opts.cancel_grace_ns);
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
	/*
	 * evhttp has stopped reading: it would not hear of the peer's end. So we go on, up to a
	 * limit, but evhttp must not be told of bytes now.
	 */
	bufferevent_setwatermark(conn->bev, EV_READ, EV_SSIZE_MAX, AHEAD_MAX);
	bufferevent_enable(conn->bev, EV_READ);
	qrt__http_arena_init(&x->arena);
	qrt__http_request_init(&x->req, &x->arena);
	qrt__http_response_init(&x->resp, &x->arena, &x->req);
	x->resp.wire = &wire;
	x->resp.conn = x;
	qrt__event_init(&x->drained);
	x->req.app = server->base.opts.app;
	peer_set(&x->req, evcon);
	exchange_start(x);
}

/* --- the listener -------------------------------------------------------------------------- */

static void on_accept_error(struct evconnlistener *listener, void *arg)
{
	struct ev_server *server = servers_find(listener);

	(void)arg;
	QRT_ASSERT(server);
	/* No descriptors or no memory: others must end first. */
	QRT__COUNT(server->base.counters.accept_pauses, 1);
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

	servers_remove(server);
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
	evhttp_set_max_body_size(server->http,
				 QRT__HTTP_WHOLE_MAX); /* the guard holds the limits */
	/* Ours are shorter, except for writing. */
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
	struct ev_server *server = NULL;
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
			QRT__COUNT(server->base.counters.idle_closed, 1);
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
