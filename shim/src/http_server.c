/*
 * Our HTTP server, over streams. One resident task in the caller's region opens the region of
 * the connections; an acceptor and one task per connection live there. A request runs on its
 * connection's own fiber, in a region of its own, which is closed before the reply is written.
 *
 * Who must stop another task's wait cuts that wait (nudge) and sets a flag that the task checks
 * before its next one: engines differ in how far a cancel reaches, this does not. A stream is
 * closed by its own task only, because another one may be about to use it.
 */
#include <stdlib.h>
#include <string.h>

#include "shim/src/http_exchange.h"
#include "shim/src/http_parse.h"
#include "shim/src/internal.h"

#define BUF_BYTES 8192u
#define REFUSED_MAX 64u		      /* 503s under way; beyond, a connection is just closed */
#define ACCEPT_PAUSE_NS (50 * QRT_MS) /* after EMFILE and the like */
#define CLOSE_LINGER_NS QRT_SEC	      /* how long what a refused peer still sends is read */

struct own_server {
	struct qrt_http_server base;
	struct qrt_listener *listener;
	struct qrt_region *region; /* of the acceptor and the connections; NULL before and after */
	struct qrt__list conns;
	size_t refused;
	struct qrt_task *acceptor; /* NULL until it runs */
	bool acceptor_live;
	bool accepting;
	bool draining;
	bool linger_over; /* of the drain: idle connections are no longer waited for */
	bool closing;
	bool ended;
	struct qrt__event wake;	   /* the resident task has something to do */
	struct qrt__event changed; /* a connection, the acceptor or the resident task ended */
	struct qrt__event pause;   /* ends the acceptor's pause */
};

/*
 *	quiet ──> head ──> body ──> exchange ──> reply ──> quiet, or the end
 *
 * quiet     no byte of a request has come; idle from the second request on
 * exchange  the handler runs
 */
enum conn_phase { CONN_QUIET, CONN_HEAD, CONN_BODY, CONN_EXCHANGE, CONN_REPLY };

struct conn {
	struct qrt__list in_server;
	struct own_server *server;
	struct qrt_task *task; /* NULL until it runs */
	struct qrt_stream *stream;
	struct qrt__http_parser *parser;
	struct qrt_http_response resp;
	enum conn_phase phase;
	int64_t deadline_ns; /* of the phase */
	unsigned requests;
	bool refused;
	size_t from, to; /* what of buf has not been parsed */
	char buf[BUF_BYTES];
};

/* cx with an earlier deadline, for one wait: a region for each read would cost as much as it. */
static struct qrt_cx until(const struct qrt_cx *cx, int64_t deadline_ns)
{
	struct qrt_cx timed = *cx;

	if (deadline_ns < timed.deadline_ns) {
		timed.deadline_ns = deadline_ns;
	}
	return timed;
}

/* Ends what @task waits for right now; it looks at the flags before it waits again. */
static void nudge(struct qrt_task *task)
{
	if (task && task->wait) {
		qrt__wait_abort(task->wait, QRT_ECLOSED);
	}
}

/* --- receiving ----------------------------------------------------------------------------- */

static struct own_server *own(struct qrt_http_server *server)
{
	return QRT__CONTAINER(server, struct own_server, base);
}

static void phase_enter(struct qrt_cx *cx, struct conn *conn, enum conn_phase phase)
{
	const struct qrt_http_server_options *opts = &conn->server->base.opts;
	bool first = conn->requests == 0;
	int64_t ns = opts->request_deadline_ns;

	if (phase == CONN_HEAD || (phase == CONN_QUIET && first)) {
		ns = opts->header_timeout_ns;
	} else if (phase == CONN_QUIET) {
		ns = opts->idle_timeout_ns;
	}
	/* The head of a first request has been awaited since the connection came. */
	if (!(phase == CONN_HEAD && first)) {
		conn->deadline_ns = qrt_deadline_in(cx, ns);
	}
	conn->phase = phase;
}

static enum conn_phase phase_of(const struct conn *conn)
{
	if (qrt__http_parser_has_head(conn->parser)) {
		return CONN_BODY;
	}
	return qrt__http_parser_started(conn->parser) ? CONN_HEAD : CONN_QUIET;
}

/* Whether a connection that has not begun a request should not wait for one. */
static bool must_leave(const struct conn *conn)
{
	const struct own_server *server = conn->server;

	return server->closing || (server->linger_over && conn->phase == CONN_QUIET);
}

static enum qrt_err conn_read(struct qrt_cx *cx, struct conn *conn)
{
	enum conn_phase phase = phase_of(conn);
	struct qrt_cx timed;
	size_t n = 0;
	enum qrt_err err;

	if (phase != conn->phase) {
		phase_enter(cx, conn, phase);
	}
	if (must_leave(conn)) {
		return QRT_ECLOSED;
	}
	timed = until(cx, conn->deadline_ns);
	err = qrt_read(&timed, conn->stream, conn->buf, sizeof(conn->buf), &n);
	if (!err) {
		conn->from = 0;
		conn->to = n;
	}
	return err;
}

static enum qrt_err tell_continue(struct qrt_cx *cx, struct conn *conn)
{
	static const char text[] = "HTTP/1.1 100 Continue\r\n\r\n";
	struct qrt_cx timed;

	/* Who has sent its body already does not wait for the word. */
	if (conn->from < conn->to) {
		return QRT_OK;
	}
	timed = until(cx, conn->deadline_ns);
	return qrt_write(&timed, conn->stream, text, sizeof(text) - 1);
}

/* Reads one message. OK: *ret_state is DONE or FAULT. Else there is nothing to answer. */
static enum qrt_err conn_receive(struct qrt_cx *cx, struct conn *conn,
				 enum qrt__http_state *ret_state)
{
	enum qrt__http_state state = QRT__HTTP_MORE;
	enum qrt_err err = QRT_OK;

	while (!err && (state == QRT__HTTP_MORE || state == QRT__HTTP_CONTINUE)) {
		size_t used = 0;

		if (conn->from == conn->to) {
			err = conn_read(cx, conn);
		}
		if (err) {
			break;
		}
		state = qrt__http_parser_feed(conn->parser, conn->buf + conn->from,
					      conn->to - conn->from, &used);
		conn->from += used;
		if (state == QRT__HTTP_CONTINUE) {
			err = tell_continue(cx, conn);
		}
	}
	if (!err) {
		*ret_state = state;
	}
	return err;
}

/* --- replying ------------------------------------------------------------------------------ */

static enum qrt_err send_response(struct qrt_cx *cx, struct conn *conn, bool close)
{
	const struct qrt_http_request *req = qrt__http_parser_request(conn->parser);
	const struct qrt_http_server_options *opts = &conn->server->base.opts;
	const struct qrt__http_head how = {
	    .close = close,
	    .http10 = req->minor == 0,
	    .date = qrt__http_server_date(cx, &conn->server->base),
	};
	struct qrt_slice slices[2] = {{NULL, 0}, {NULL, 0}};
	struct qrt_cx timed;
	const char *head;
	enum qrt_err err;

	err = qrt__http_response_head(&conn->resp, &how, &head, &slices[0].len);
	if (err) {
		return err;
	}
	slices[0].data = head;
	if (qrt__http_status_has_body(conn->resp.status) && strcmp(req->method, "HEAD") != 0) {
		slices[1].data = conn->resp.body;
		slices[1].len = conn->resp.body_len;
	}
	/* The handler has had its time; a slow reader gets its own. */
	timed = until(cx, qrt_deadline_in(cx, opts->idle_timeout_ns));
	return qrt_writev(&timed, conn->stream, slices, slices[1].len > 0 ? 2 : 1);
}

/*
 * Ends a connection whose peer may still be sending: closing with unread bytes would make the
 * system throw our answer away on its way.
 */
static void linger(struct qrt_cx *cx, struct conn *conn)
{
	struct qrt_cx timed = until(cx, qrt_deadline_in(cx, CLOSE_LINGER_NS));
	enum qrt_err err = qrt_stream_shutdown(cx, conn->stream);
	size_t n;

	while (!err && !conn->server->closing) {
		err = qrt_read(&timed, conn->stream, conn->buf, sizeof(conn->buf), &n);
	}
}

/* Answers what never became an exchange; the connection ends. */
static void refuse(struct qrt_cx *cx, struct conn *conn, int status, const char *why)
{
	struct qrt_http_request *req = qrt__http_parser_request(conn->parser);

	conn->phase = CONN_REPLY;
	qrt__http_response_init(&conn->resp, req->arena);
	qrt__http_answer(&conn->server->base, req, &conn->resp, status, why);
	if (send_response(cx, conn, true) == QRT_OK) {
		qrt__http_count_status(&conn->server->base, conn->resp.status);
		linger(cx, conn);
	}
}

/* Answers one request. Returns whether the connection goes on. */
static bool exchange(struct qrt_cx *cx, struct conn *conn)
{
	struct own_server *server = conn->server;
	struct qrt_http_request *req = qrt__http_parser_request(conn->parser);
	bool peer_stays = req->keep_alive;
	bool close;
	enum qrt_err err;

	conn->requests++;
	conn->phase = CONN_EXCHANGE;
	qrt__http_response_init(&conn->resp, req->arena);
	qrt__http_count_begin(&server->base);
	qrt__http_exchange(cx, &server->base, req, &conn->resp);
	conn->phase = CONN_REPLY;
	close = !req->keep_alive || server->draining || server->closing ||
		conn->requests >= server->base.opts.requests_per_connection ||
		qrt__http_response_closes(&conn->resp);
	err = send_response(cx, conn, close);
	qrt__http_count_end(&server->base, err ? 0 : conn->resp.status);
	if (!err && close && peer_stays) {
		linger(cx, conn);
	}
	return !err && !close;
}

static void message_begin(struct conn *conn)
{
	struct qrt_http_request *req;

	qrt__http_parser_reset(conn->parser);
	req = qrt__http_parser_request(conn->parser);
	req->app = conn->server->base.opts.app;
	req->peer = qrt_stream_peer(conn->stream);
}

/* One request, from its first byte to its reply. Returns whether the connection goes on. */
static bool conn_turn(struct qrt_cx *cx, struct conn *conn)
{
	enum qrt__http_state state = QRT__HTTP_FAULT;
	const char *why = "";
	enum qrt_err err;
	int status;

	message_begin(conn);
	phase_enter(cx, conn, CONN_QUIET);
	err = conn_receive(cx, conn, &state);
	if (err == QRT_ETIMEDOUT && phase_of(conn) != CONN_QUIET) {
		refuse(cx, conn, 408, "the request did not come in time");
		return false;
	}
	if (err) {
		return false;
	}
	if (state == QRT__HTTP_DONE) {
		return exchange(cx, conn);
	}
	status = qrt__http_parser_fault(conn->parser, &why);
	refuse(cx, conn, status, why);
	return false;
}

/* --- connections --------------------------------------------------------------------------- */

static void conn_free(struct qrt_cx *cx, struct conn *conn)
{
	qrt_stream_close(cx, &conn->stream);
	qrt__http_parser_destroy(&conn->parser);
	free(conn);
}

/* Runs however the task ends; after a panic of the handler it gives the answer. */
static void conn_end(struct qrt_cx *cx, void *arg)
{
	struct conn *conn = arg;
	struct own_server *server = conn->server;
	struct qrt_http_request *req = qrt__http_parser_request(conn->parser);

	if (conn->phase == CONN_EXCHANGE) {
		enum qrt_err err;

		qrt__http_answer(&server->base, req, &conn->resp, 500, "internal error");
		err = send_response(cx, conn, true);
		qrt__http_count_end(&server->base, err ? 0 : conn->resp.status);
	}
	qrt__list_remove(&conn->in_server);
	if (conn->refused) {
		server->refused--;
	} else {
		QRT__COUNT(server->base.counters.connections_live, -1);
	}
	conn_free(cx, conn);
	qrt__event_set(&server->changed);
}

/* What goes wrong with a connection is the peer's or the handler's affair: answered, not told. */
static enum qrt_err conn_main(struct qrt_cx *cx, void *arg)
{
	struct conn *conn = arg;

	conn->task = cx->task;
	if (qrt_defer(cx, conn_end, conn)) {
		conn_end(cx, conn);
		return QRT_OK;
	}
	if (conn->refused) {
		message_begin(conn);
		refuse(cx, conn, 503, "too many connections");
		return QRT_OK;
	}
	while (conn_turn(cx, conn)) {
		continue;
	}
	return QRT_OK;
}

static enum qrt_err conn_create(struct own_server *server, struct conn **ret_conn)
{
	const struct qrt__http_limits limits = {
	    .request_line_max = server->base.opts.request_line_max,
	    .header_max = server->base.opts.header_max,
	    .body_max = server->base.opts.body_max,
	};
	struct conn *conn = malloc(sizeof(*conn));
	enum qrt_err err;

	if (!conn) {
		return QRT_ENOMEM;
	}
	/* Not the buffer: it is written before it is read. */
	memset(conn, 0, offsetof(struct conn, buf));
	err = qrt__http_parser_create(&limits, &conn->parser);
	if (err) {
		free(conn);
		return err;
	}
	conn->server = server;
	qrt__list_init(&conn->in_server);
	*ret_conn = conn;
	return QRT_OK;
}

/* Gives the accepted @stream its task; without memory for that it is closed. */
static void conn_start(struct qrt_cx *cx, struct own_server *server, struct qrt_stream *stream)
{
	struct qrt__http_counters *counters = &server->base.counters;
	uint64_t live = atomic_load_explicit(&counters->connections_live, memory_order_relaxed);
	bool refused = live >= server->base.opts.connections_max;
	struct conn *conn = NULL;

	QRT__COUNT(counters->connections, 1);
	/* The acceptor took it; from here on the server's region answers for it. */
	if ((refused && server->refused >= REFUSED_MAX) ||
	    qrt_stream_give(cx, stream, server->region) || conn_create(server, &conn)) {
		qrt_stream_close(cx, &stream);
		return;
	}
	conn->stream = stream;
	conn->refused = refused;
	if (qrt_spawn_at(server->region, conn_main, conn, "http connection", QRT_SITE)) {
		conn_free(cx, conn);
		return;
	}
	qrt__list_append(&server->conns, &conn->in_server);
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
	struct own_server *server = arg;
	enum qrt_err err = QRT_OK;

	server->acceptor = cx->task;
	while (server->accepting && !server->closing) {
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
		err = qrt__event_wait(cx, &server->pause, qrt_deadline_in(cx, ACCEPT_PAUSE_NS));
		if (err == QRT_ECANCELED) {
			break;
		}
	}
	server->acceptor = NULL;
	server->acceptor_live = false;
	qrt__event_set(&server->changed);
	/* A resume may have come while this one was being stopped. */
	if (err != QRT_ECANCELED) {
		qrt__event_set(&server->wake);
	}
	return QRT_OK;
}

static void acceptor_stop(struct own_server *server)
{
	server->accepting = false;
	qrt__event_set(&server->pause);
	nudge(server->acceptor);
}

/* --- the resident task --------------------------------------------------------------------- */

/* Starts the acceptor when it is wanted. Returns until when to wait before trying again. */
static int64_t acceptor_start(struct qrt_cx *cx, struct own_server *server)
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

static void serve_until_closing(struct qrt_cx *cx, struct own_server *server)
{
	while (!server->closing) {
		int64_t deadline_ns = acceptor_start(cx, server);
		enum qrt_err err;

		qrt__event_clear(&server->wake);
		err = qrt__event_wait(cx, &server->wake, deadline_ns);
		if (err && (err != QRT_ETIMEDOUT || qrt_checkpoint(cx))) {
			server->closing = true;
		}
	}
}

static enum qrt_err serve(struct qrt_cx *cx, void *arg)
{
	QRT__ANCHORED(cx);
	struct own_server *server = arg;
	const struct qrt_region_options opts = {.name = "http server", .policy = QRT_COLLECT};
	enum qrt_err err = qrt_region_open_with(cx, &opts, &server->region);

	if (!err) {
		serve_until_closing(cx, server);
		acceptor_stop(server);
		qrt_region_cancel(server->region, QRT_CANCEL_SHUTDOWN, "http server closed");
		QRT_IGNORE(qrt_region_close(cx, &server->region, QRT_OK),
			   "how its connections ended is theirs");
	}
	QRT_ASSERT(qrt__list_empty(&server->conns));
	server->closing = true;
	qrt_listener_close(cx, &server->listener);
	server->ended = true;
	qrt__event_set(&server->changed);
	return err;
}

/* --- the interface ------------------------------------------------------------------------- */

static enum qrt_err own_open(struct qrt_cx *cx, struct qrt_region *home, int fd,
			     const struct qrt_http_server_options *opts,
			     struct qrt_http_server **ret_server)
{
	struct own_server *server = calloc(1, sizeof(*server));
	enum qrt_err err;

	if (!server) {
		qrt_socket_close(cx, fd);
		return QRT_ENOMEM;
	}
	qrt__http_server_init(&server->base, &qrt__http_own, opts);
	qrt__list_init(&server->conns);
	qrt__event_init(&server->wake);
	qrt__event_init(&server->changed);
	qrt__event_init(&server->pause);
	err = qrt_listener_adopt(cx, fd, &server->listener);
	if (!err) {
		err = qrt_spawn_at(home, serve, server, "http server", QRT_SITE);
	}
	if (err) {
		qrt_listener_close(cx, &server->listener);
		free(server);
		return err;
	}
	*ret_server = &server->base;
	return QRT_OK;
}

static enum qrt_err own_resume(struct qrt_cx *cx, struct qrt_http_server *base)
{
	struct own_server *server = own(base);

	if (server->closing) {
		return qrt_fail(cx, QRT_ECLOSED, "http server: closed");
	}
	server->draining = false;
	server->linger_over = false;
	server->accepting = true;
	qrt__event_set(&server->wake);
	qrt__event_set(&server->changed);
	return QRT_OK;
}

/* Until nothing is left to answer. ETIMEDOUT: @deadline_ns, or cx's. */
static enum qrt_err wait_empty(struct qrt_cx *cx, struct own_server *server, int64_t deadline_ns)
{
	while (server->acceptor_live || !qrt__list_empty(&server->conns)) {
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

static void idle_stop(struct own_server *server)
{
	server->linger_over = true;
	QRT__LIST_EACH(node, &server->conns) {
		struct conn *conn = QRT__CONTAINER(node, struct conn, in_server);

		if (conn->phase == CONN_QUIET) {
			nudge(conn->task);
		}
	}
}

static enum qrt_err own_drain(struct qrt_cx *cx, struct qrt_http_server *base)
{
	struct own_server *server = own(base);
	int64_t linger_end_ns = qrt_deadline_in(cx, base->opts.linger_ns);
	enum qrt_err err;

	server->draining = true;
	acceptor_stop(server);
	err = wait_empty(cx, server, linger_end_ns);
	if (err == QRT_ETIMEDOUT && !qrt_checkpoint(cx)) {
		idle_stop(server);
		err = wait_empty(cx, server, QRT_NO_DEADLINE);
	}
	if (err == QRT_ETIMEDOUT) {
		return qrt_fail(cx, err, "http server: connections are left");
	}
	return err;
}

static void own_close(struct qrt_cx *cx, struct qrt_http_server *base)
{
	struct own_server *server = own(base);

	server->closing = true;
	qrt__event_set(&server->wake);
	while (!server->ended) {
		qrt__event_clear(&server->changed);
		qrt__event_wait_masked(cx, &server->changed);
	}
	free(server);
}

const struct qrt__http_impl qrt__http_own = {
    .name = "streams",
    .open = own_open,
    .resume = own_resume,
    .drain = own_drain,
    .close = own_close,
};
