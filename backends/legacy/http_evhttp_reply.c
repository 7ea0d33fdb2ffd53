/*
 * What is given to evhttp to send: the head with what evhttp would not put there, whole bodies, and
 * streams, piece by piece. evhttp frames the body; it must not be told twice how.
 */
#include "backends/legacy/http_evhttp.h"

#include <stdio.h>
#include <strings.h>
#include <sys/socket.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>

#define WRITE_PIECE (64u * 1024)

/* --- heads --------------------------------------------------------------------------------- */

static bool wants_close(const struct qrt__ev_conn *conn)
{
	return conn->refused || conn->resp.stream.framing == QRT__HTTP_BY_CLOSE ||
	       qrt__http_must_close(&conn->server->base, conn->x.req, &conn->resp, conn->requests);
}

static int64_t length_of(const struct qrt_http_response *resp)
{
	return qrt__http_response_begun(resp) ? resp->stream.length : (int64_t)resp->body_len;
}

static bool headers_put(const struct qrt__ev_conn *conn, struct evhttp_request *ev)
{
	struct evkeyvalq *out = evhttp_request_get_output_headers(ev);
	const struct qrt_http_response *resp = &conn->resp;
	const struct qrt__http_field *field = resp->headers.first;
	char length[24];
	bool put = true;

	for (; field && put; field = field->next) {
		if (strcasecmp(field->name, "Connection") != 0) {
			put = evhttp_add_header(out, field->name, field->value) == 0;
		}
	}
	if (conn->date && !qrt_http_response_header(resp, "Date")) {
		put = put && evhttp_add_header(out, "Date", conn->date) == 0;
	}
	if (qrt__http_status_has_body(resp->status) && length_of(resp) >= 0) {
		snprintf(length, sizeof(length), "%lld", (long long)length_of(resp));
		put = put && evhttp_add_header(out, "Content-Length", length) == 0;
	} else if (resp->stream.framing == QRT__HTTP_BY_NOTHING && conn->x.req->minor > 0) {
		/* To HEAD; with a body evhttp adds it. */
		put = put && evhttp_add_header(out, "Transfer-Encoding", "chunked") == 0;
	}
	if (wants_close(conn)) {
		put = put && evhttp_add_header(out, "Connection", "close") == 0;
	}
	return put;
}

/* --- whole answers ------------------------------------------------------------------------- */

/* The last byte of a reply is with the system; evhttp now closes or waits for the next request. */
static void on_sent(struct evhttp_request *ev, void *arg)
{
	struct qrt__ev_conn *conn = arg;

	(void)ev;
	bufferevent_setwatermark(conn->bev, EV_READ, 0, 0);
	qrt__ev_phase_enter(conn, QRT__EV_QUIET);
	qrt__ev_guard_begin(conn);
	qrt__ev_guard_catch_up(conn);
	if (conn->phase == QRT__EV_QUIET && conn->server->base.linger_over) {
		/* Not freed in here, where evhttp goes on with it: the end of stream does it. */
		shutdown(conn->fd, SHUT_RDWR);
	}
}

static void reply_whole(struct qrt__ev_conn *conn, struct evhttp_request *ev)
{
	const struct qrt_http_response *resp = &conn->resp;
	struct evbuffer *buf = evbuffer_new();
	bool body = qrt__http_response_has_body(resp) && resp->body_len > 0;

	if (!buf || (body && evbuffer_add(buf, resp->body, resp->body_len)) ||
	    !headers_put(conn, ev)) {
		qrt__ev_conn_kill(conn);
	} else {
		evhttp_request_set_on_complete_cb(ev, on_sent, conn);
		evhttp_send_reply(ev, resp->status, qrt_http_reason(resp->status), buf);
	}
	if (buf) {
		evbuffer_free(buf);
	}
}

void qrt__ev_reply(struct qrt__ev_conn *conn)
{
	struct evhttp_request *ev = conn->ev;

	if (!ev) {
		return;
	}
	conn->ev = NULL;
	event_del(conn->timer);
	switch (conn->ending) {
	case QRT__HTTP_SEND:
		reply_whole(conn, ev);
		break;
	case QRT__HTTP_FINISH:
		evhttp_request_set_on_complete_cb(ev, on_sent, conn);
		evhttp_send_reply_end(ev);
		break;
	case QRT__HTTP_BREAK:
		qrt__ev_conn_break(conn);
		break;
	}
}

/* --- streams ------------------------------------------------------------------------------- */

/* What a stream does on the loop's stack. */
struct sending {
	struct qrt__ev_conn *conn;
	const void *data;
	size_t n;
	enum qrt_err err;
};

static void begin_on_loop(void *arg)
{
	struct sending *sending = arg;
	struct qrt__ev_conn *conn = sending->conn;

	if (!conn->ev) {
		sending->err = QRT_ECONNRESET;
		return;
	}
	if (!headers_put(conn, conn->ev)) {
		sending->err = QRT_ENOMEM;
		return;
	}
	if (conn->resp.stream.framing == QRT__HTTP_BY_CLOSE) {
		/* To who asks to stay evhttp would promise a length, which it takes for 0. */
		evhttp_remove_header(evhttp_request_get_input_headers(conn->ev), "Connection");
	}
	evhttp_send_reply_start(conn->ev, conn->resp.status, qrt_http_reason(conn->resp.status));
}

static enum qrt_err wire_begin(struct qrt_cx *cx, struct qrt_http_response *resp)
{
	struct sending sending = {.conn = resp->conn};

	sending.conn->date = qrt__http_server_date(cx, &sending.conn->server->base);
	qrt__on_loop(cx, begin_on_loop, &sending);
	return sending.err;
}

static void on_drained(struct evhttp_connection *evcon, void *arg)
{
	struct qrt__ev_conn *conn = arg;

	(void)evcon;
	qrt__event_set(&conn->drained);
}

static void write_on_loop(void *arg)
{
	struct sending *sending = arg;
	struct qrt__ev_conn *conn = sending->conn;
	struct evbuffer *buf = conn->ev ? evbuffer_new() : NULL;

	if (!buf || evbuffer_add(buf, sending->data, sending->n)) {
		sending->err = conn->ev ? QRT_ENOMEM : QRT_ECONNRESET;
	} else {
		qrt__event_clear(&conn->drained);
		evhttp_send_reply_chunk_with_cb(conn->ev, buf, on_drained, conn);
	}
	if (buf) {
		evbuffer_free(buf);
	}
}

/* Piece by piece, each when the one before is with the system: more is never held. */
static enum qrt_err wire_write(struct qrt_cx *cx, struct qrt_http_response *resp, const void *data,
			       size_t n)
{
	struct qrt__ev_conn *conn = resp->conn;
	struct sending sending = {.conn = conn, .data = data};
	int64_t idle_ns = conn->server->base.opts.idle_timeout_ns;

	while (n > 0 && !sending.err) {
		sending.n = n < WRITE_PIECE ? n : WRITE_PIECE;
		qrt__on_loop(cx, write_on_loop, &sending);
		if (!sending.err) {
			sending.err =
			    qrt__event_wait(cx, &conn->drained, qrt_deadline_in(cx, idle_ns));
		}
		if (!sending.err && !conn->ev) {
			sending.err = QRT_ECONNRESET;
		}
		sending.data = (const char *)sending.data + sending.n;
		n -= sending.n;
	}
	return sending.err;
}

const struct qrt__http_wire qrt__ev_wire = {.begin = wire_begin, .write = wire_write};
