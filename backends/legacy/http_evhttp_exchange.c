/*
 * One request and its answer: from evhttp's callback, by a task in the server's region that runs
 * the common exchange, to the reply. The task may outlive the connection, never its record.
 */
#include "backends/legacy/http_evhttp.h"

#include <stdio.h>
#include <string.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>

#define AHEAD_MAX (64u * 1024) /* requests that wait for their turn are held up to here */
#define PEER_MAX 80

/* --- the request --------------------------------------------------------------------------- */

void qrt__ev_peer_set(struct qrt_http_request *req, struct evhttp_connection *evcon)
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

/* evhttp reads a body for these only; with others it would take it for the next request. */
static bool takes_body(const struct evhttp_request *ev)
{
	enum evhttp_cmd_type type = evhttp_request_get_command(ev);

	return type == EVHTTP_REQ_POST || type == EVHTTP_REQ_PUT || type == EVHTTP_REQ_PATCH;
}

static bool body_take(struct qrt_http_request *req, struct evhttp_request *ev)
{
	struct evbuffer *input = evhttp_request_get_input_buffer(ev);
	size_t n = evbuffer_get_length(input);
	char *body;

	if (n == 0) {
		return true;
	}
	body = qrt__http_arena_grow(req->arena, NULL, 0, n + 1);
	if (!body || evbuffer_remove(input, body, n) != (int)n) {
		return false;
	}
	body[n] = '\0';
	req->body = body;
	req->body_len = n;
	return true;
}

/* Completes the guard's request with evhttp's body. Returns 0, or the status to answer. */
static int request_take(struct qrt__ev_conn *conn, const char **ret_why)
{
	struct qrt_http_request *req = conn->x.req;

	if (conn->refused) {
		*ret_why = "too many connections";
		return 503;
	}
	if (qrt__http_parser_has_head(conn->guard) && req->declared != 0 && !takes_body(conn->ev)) {
		*ret_why = "a body is not read with this method";
		return 400;
	}
	if (!qrt__http_parser_is_done(conn->guard)) {
		*ret_why = "malformed request"; /* the guard waits for more of it */
		return 400;
	}
	if (conn->server->base.closing) {
		*ret_why = "the service is going away";
		return 503;
	}
	if (!body_take(req, conn->ev)) {
		*ret_why = "out of memory";
		return 503;
	}
	return 0;
}

/* --- the task ------------------------------------------------------------------------------ */

static void end_on_loop(void *arg)
{
	struct qrt__ev_conn *conn = arg;

	qrt__ev_reply(conn);
	qrt__ev_conn_release(conn);
}

/* Runs however the task ends; after a panic of the handler it gives the answer. */
static void exchange_end(struct qrt_cx *cx, void *arg)
{
	struct qrt__ev_conn *conn = arg;
	struct qrt_http_server *server = &conn->server->base;
	bool answered;

	if (!conn->done) {
		conn->ending = qrt__http_exchange_cut(cx, &conn->x);
	}
	conn->date = qrt__http_server_date(cx, server);
	answered = conn->ev && conn->ending != QRT__HTTP_BREAK;
	qrt__http_count_end(server, answered ? conn->resp.status : 0);
	qrt__on_loop(cx, end_on_loop, conn);
}

static enum qrt_err exchange_main(struct qrt_cx *cx, void *arg)
{
	struct qrt__ev_conn *conn = arg;
	struct qrt__http_exchange *x = &conn->x;

	if (qrt_defer(cx, exchange_end, conn)) {
		x->req->keep_alive = false;
		qrt__http_answer(x->server, x->req, x->resp, 503, "out of memory");
		conn->ending = QRT__HTTP_SEND;
		conn->done = true;
		exchange_end(cx, conn);
		return QRT_OK;
	}
	conn->ending = qrt__http_exchange(cx, x);
	conn->done = true;
	return QRT_OK;
}

/* An answer without a task. */
static void refuse(struct qrt__ev_conn *conn, int status, const char *why)
{
	struct qrt__http_exchange *x = &conn->x;

	x->req->keep_alive = false;
	qrt__http_answer(x->server, x->req, x->resp, status, why);
	qrt__http_count_refusal(x->server, x->resp->status);
	conn->ending = QRT__HTTP_SEND;
	qrt__ev_reply(conn);
}

static void exchange_start(struct qrt__ev_conn *conn)
{
	struct qrt__ev_server *server = conn->server;

	qrt__http_exchange_plan(&conn->x);
	if (qrt_spawn_at(server->region, exchange_main, conn, "http exchange", QRT_SITE)) {
		refuse(conn, 503, "out of memory");
		return;
	}
	conn->running = true;
	qrt__http_count_begin(&server->base);
	qrt__ev_timer_set(conn->timer,
			  conn->x.plan.deadline_ns + server->base.opts.cancel_grace_ns);
}

void qrt__ev_on_request(struct evhttp_request *ev, void *arg)
{
	struct evhttp_connection *evcon = evhttp_request_get_connection(ev);
	struct qrt__ev_conn *conn = qrt__ev_conn_of(arg, evcon);
	const char *why = "";
	int status;

	if (!conn) {
		evhttp_send_error(ev, 503, "Service Unavailable");
		return;
	}
	conn->ev = ev;
	conn->done = false;
	conn->date = NULL;
	conn->requests++;
	qrt__ev_phase_enter(conn, QRT__EV_BUSY);
	/*
	 * evhttp has stopped reading: it would not hear of the peer's end. So we go on, up to a
	 * limit, but evhttp must not be told of bytes now.
	 */
	bufferevent_setwatermark(conn->bev, EV_READ, EV_SSIZE_MAX, AHEAD_MAX);
	bufferevent_enable(conn->bev, EV_READ);
	qrt__ev_peer_set(conn->x.req, evcon);
	qrt__http_response_init(&conn->resp, conn->x.req->arena, conn->x.req);
	conn->resp.wire = &qrt__ev_wire;
	conn->resp.conn = conn;
	status = request_take(conn, &why);
	if (status) {
		refuse(conn, status, why);
		return;
	}
	exchange_start(conn);
}
