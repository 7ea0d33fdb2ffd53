/*
 * One connection of our HTTP server: a task that reads a request, runs its exchange and writes the
 * answer, one after the other, so that what a peer sends ahead waits in the system's buffers. A
 * request runs on this very fiber, in a region of its own, which is closed before the answer is
 * complete. While it runs nobody reads, but the stream tells when the peer hangs up.
 */
#include "shim/src/http/conn.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <qrt/tls.h>

#include "shim/src/io/layer.h"

#define CLOSE_LINGER_NS QRT_SEC	 /* how long what a refused peer still sends is read */
#define DROP_MAX (64u * 1024)	 /* of a body that nobody has read */
#define WRITE_PIECE (64u * 1024) /* a slow peer has the idle timeout for so much */
#define CHUNK_LINE_MAX 20	 /* a size in hex, CR LF */

/* A slow peer is waited for as long as an idle one. */
static struct qrt_cx until_idle(const struct qrt_cx *cx, const struct qrt__http_conn *conn)
{
	return qrt__cx_until(cx, qrt__http_soon(cx, conn->server->base.opts.idle_timeout_ns));
}

static struct qrt_http_request *request_of(const struct qrt__http_conn *conn)
{
	return qrt__http_parser_request(conn->desk->parser);
}

/* --- receiving ----------------------------------------------------------------------------- */

static void phase_enter(struct qrt_cx *cx, struct qrt__http_conn *conn, enum qrt__http_phase phase)
{
	const struct qrt_http_server_options *opts = &conn->server->base.opts;
	bool first = conn->requests == 0;
	int64_t ns = opts->request_deadline_ns;

	if (phase == QRT__HTTP_IN_HEAD || (phase == QRT__HTTP_QUIET && first)) {
		ns = opts->header_timeout_ns;
	} else if (phase == QRT__HTTP_QUIET) {
		ns = opts->idle_timeout_ns;
	}
	/* The head of a first request has been awaited since the connection came. */
	if (!(phase == QRT__HTTP_IN_HEAD && first)) {
		conn->deadline_ns = qrt__http_soon(cx, ns);
	}
	conn->phase = phase;
}

static enum qrt__http_phase phase_of(const struct qrt__http_conn *conn)
{
	if (!conn->desk) {
		return QRT__HTTP_QUIET;
	}
	if (qrt__http_parser_has_head(conn->desk->parser)) {
		return QRT__HTTP_IN_BODY;
	}
	return qrt__http_parser_started(conn->desk->parser) ? QRT__HTTP_IN_HEAD : QRT__HTTP_QUIET;
}

/* Whether a connection that has not begun a request should not wait for one. */
static bool must_leave(const struct qrt__http_conn *conn)
{
	const struct qrt_http_server *server = &conn->server->base;

	return server->closing || (server->linger_over && conn->phase <= QRT__HTTP_QUIET);
}

typedef enum qrt_err read_fn(struct qrt_cx *cx, struct qrt_stream *stream, void *buf, size_t n,
			     size_t *ret_n);

static enum qrt_err fill_by(read_fn *read, struct qrt_cx *cx, struct qrt__http_conn *conn)
{
	struct qrt__http_desk *desk = conn->desk;
	size_t n = 0;
	enum qrt_err err = read(cx, conn->stream, desk->buf, sizeof(desk->buf), &n);

	if (!err) {
		desk->from = 0;
		desk->to = n;
	}
	return err;
}

/* Reads into the empty buffer. */
static enum qrt_err fill(struct qrt_cx *cx, struct qrt__http_conn *conn)
{
	return fill_by(qrt_read, cx, conn);
}

/* What is known of a message before its first byte. */
static void desk_lay(struct qrt__http_conn *conn)
{
	struct qrt__http_desk *desk = conn->desk;
	struct qrt_http_request *req = request_of(conn);

	req->app = conn->server->base.opts.app;
	req->peer = qrt_stream_peer(conn->stream);
	desk->x = (struct qrt__http_exchange){.server = &conn->server->base, .req = req};
	desk->owes_continue = false;
	desk->reading = false;
}

static enum qrt_err desk_open(struct qrt__http_conn *conn)
{
	enum qrt_err err = qrt__http_desk_take(&conn->server->desks, &conn->desk);

	if (!err) {
		desk_lay(conn);
	}
	return err;
}

static void desk_leave(struct qrt__http_conn *conn)
{
	qrt__http_desk_give(&conn->server->desks, &conn->desk);
}

/* Reads the first bytes of a message. A quiet connection has no desk: it waits without. */
static enum qrt_err receive_first(struct qrt_cx *cx, struct qrt__http_conn *conn)
{
	struct qrt_cx timed = qrt__cx_until(cx, conn->deadline_ns);
	enum qrt_err err = QRT_OK;

	while (!err && !must_leave(conn)) {
		if (!qrt__stream_is_dry(conn->stream)) {
			err = desk_open(conn);
			err = err ? err : fill_by(qrt__read_try, &timed, conn);
			if (err != QRT_EAGAIN) {
				return err;
			}
			desk_leave(conn);
		}
		err = qrt__stream_wait(&timed, conn->stream, QRT__IO_READ, QRT__WAIT_READ,
				       QRT_NO_DEADLINE);
	}
	return err ? err : QRT_ECLOSED;
}

static enum qrt_err receive_more(struct qrt_cx *cx, struct qrt__http_conn *conn)
{
	enum qrt__http_phase phase = phase_of(conn);
	struct qrt_cx timed;

	if (phase != conn->phase) {
		phase_enter(cx, conn, phase);
	}
	if (must_leave(conn)) {
		return QRT_ECLOSED;
	}
	timed = qrt__cx_until(cx, conn->deadline_ns);
	return fill(&timed, conn);
}

static enum qrt_err tell_continue(struct qrt_cx *cx, struct qrt__http_conn *conn)
{
	static const char text[] = "HTTP/1.1 100 Continue\r\n\r\n";
	struct qrt_cx timed;

	conn->desk->owes_continue = false;
	/* Who has sent its body already does not wait for the word. */
	if (conn->desk->from < conn->desk->to) {
		return QRT_OK;
	}
	timed = until_idle(cx, conn);
	return qrt_write(&timed, conn->stream, text, sizeof(text) - 1);
}

/* A body follows. *ret_state: HEAD when the handler is to read it, else how to go on. */
static enum qrt_err body_begin(struct qrt_cx *cx, struct qrt__http_conn *conn,
			       enum qrt__http_state *ret_state)
{
	const struct qrt_http_plan *plan = &conn->desk->x.plan;

	qrt__http_exchange_plan(&conn->desk->x);
	*ret_state = qrt__http_parser_body(conn->desk->parser, !plan->stream_body, plan->body_max);
	if (*ret_state == QRT__HTTP_FAULT) {
		return QRT_OK;
	}
	conn->desk->owes_continue = request_of(conn)->expect_continue;
	if (plan->stream_body) {
		*ret_state = QRT__HTTP_HEAD;
		return QRT_OK;
	}
	return conn->desk->owes_continue ? tell_continue(cx, conn) : QRT_OK;
}

/* Reads one message, or its head. OK: *ret_state is DONE, HEAD or FAULT. Else: no answer. */
static enum qrt_err receive(struct qrt_cx *cx, struct qrt__http_conn *conn,
			    enum qrt__http_state *ret_state)
{
	enum qrt__http_state state = QRT__HTTP_MORE;
	enum qrt_err err = conn->desk ? QRT_OK : receive_first(cx, conn);

	while (!err && state == QRT__HTTP_MORE) {
		size_t used = 0;

		if (conn->desk->from == conn->desk->to) {
			err = receive_more(cx, conn);
		}
		if (err) {
			break;
		}
		state =
		    qrt__http_parser_feed(conn->desk->parser, conn->desk->buf + conn->desk->from,
					  conn->desk->to - conn->desk->from, &used);
		conn->desk->from += used;
		if (state == QRT__HTTP_HEAD) {
			err = body_begin(cx, conn, &state);
		}
	}
	if (!err) {
		*ret_state = state;
	}
	return err;
}

/* --- a body that is a stream --------------------------------------------------------------- */

/* The request's fault, for whoever answers it; the connection must not go on. */
static enum qrt_err body_fault(struct qrt_cx *cx, struct qrt__http_conn *conn, int status,
			       const char *why)
{
	struct qrt_http_request *req = request_of(conn);

	req->fault = status;
	req->fault_why = why;
	req->keep_alive = false;
	return qrt_fail(cx, qrt__http_fault_err(status), "http read: %s", why);
}

static enum qrt_err body_fill(struct qrt_cx *cx, struct qrt__http_conn *conn)
{
	struct qrt_cx timed = until_idle(cx, conn);
	enum qrt_err err = conn->desk->owes_continue ? tell_continue(cx, conn) : QRT_OK;

	err = err ? err : fill(&timed, conn);
	if (err == QRT_EEOF) {
		return qrt_fail(cx, QRT_ECONNRESET, "http read: the peer is gone");
	}
	if (err == QRT_ETIMEDOUT && !qrt_checkpoint(cx)) {
		return body_fault(cx, conn, 408, "the request did not come in time");
	}
	return err;
}

/* What is in the buffer, at most @n bytes of it, which cannot hold more of the body. */
static enum qrt_err body_feed(struct qrt_cx *cx, struct qrt__http_conn *conn, char *buf, size_t n,
			      size_t *ret_got)
{
	size_t held = conn->desk->to - conn->desk->from;
	size_t used = 0;
	enum qrt__http_state state =
	    qrt__http_parser_feed_into(conn->desk->parser, conn->desk->buf + conn->desk->from,
				       n < held ? n : held, buf, &used, ret_got);
	const char *why = "";
	int status;

	conn->desk->from += used;
	if (state != QRT__HTTP_FAULT) {
		return QRT_OK;
	}
	status = qrt__http_parser_fault(conn->desk->parser, &why);
	return body_fault(cx, conn, status, why);
}

static enum qrt_err wire_read(struct qrt_cx *cx, struct qrt_http_request *req, void *buf, size_t n,
			      size_t *ret_n)
{
	struct qrt__http_conn *conn = req->conn;
	enum qrt_err err = QRT_OK;
	size_t got = 0;

	if (conn->desk->reading) {
		return qrt_fail(cx, QRT_EBUSY, "http read: another task reads");
	}
	conn->desk->reading = true;
	while (!err && got == 0) {
		if (qrt__http_parser_is_done(conn->desk->parser)) {
			err = QRT_EEOF;
		} else if (conn->desk->from == conn->desk->to) {
			err = body_fill(cx, conn);
		} else {
			err = body_feed(cx, conn, buf, n, &got);
		}
	}
	conn->desk->reading = false;
	if (got > 0) {
		*ret_n = got; /* a fault behind it is the next read's */
		return QRT_OK;
	}
	return err;
}

/* Whether what is left of a body may be read away after the answer. */
static bool may_drop(const struct qrt__http_conn *conn)
{
	const struct qrt_http_request *req = request_of(conn);

	return qrt__http_parser_is_done(conn->desk->parser) ||
	       (!conn->desk->owes_continue && !req->fault && req->declared <= (int64_t)DROP_MAX);
}

/* Reads away what nobody wanted. Returns whether the next request can be found behind it. */
static bool drop_rest(struct qrt_cx *cx, struct qrt__http_conn *conn)
{
	struct qrt_cx timed = until_idle(cx, conn);
	size_t dropped = 0;

	while (!qrt__http_parser_is_done(conn->desk->parser)) {
		size_t held = conn->desk->to - conn->desk->from;
		size_t used = 0;

		if (dropped > DROP_MAX || conn->server->base.closing) {
			return false;
		}
		if (held == 0 && fill(&timed, conn)) {
			return false;
		}
		if (qrt__http_parser_feed(conn->desk->parser, conn->desk->buf + conn->desk->from,
					  conn->desk->to - conn->desk->from,
					  &used) == QRT__HTTP_FAULT) {
			return false;
		}
		conn->desk->from += used;
		dropped += used;
	}
	return true;
}

/* --- sending ------------------------------------------------------------------------------- */

/* The head, and a first piece of the body with it. */
static enum qrt_err send_head(struct qrt_cx *cx, struct qrt__http_conn *conn, bool close,
			      struct qrt_slice body)
{
	const struct qrt__http_head how = {
	    .close = close,
	    .http10 = request_of(conn)->minor == 0,
	    .date = qrt__http_server_date(cx, &conn->server->base),
	};
	struct qrt_slice slices[2] = {{NULL, 0}, body};
	struct qrt_cx timed;
	const char *head;
	enum qrt_err err = qrt__http_response_head(&conn->desk->resp, &how, &head, &slices[0].len);

	if (err) {
		return err;
	}
	slices[0].data = head;
	timed = until_idle(cx, conn);
	return qrt_writev(&timed, conn->stream, slices, body.len > 0 ? 2 : 1);
}

/* @n bytes, each piece in its own time and, for @chunks, as a chunk. */
static enum qrt_err send_body(struct qrt_cx *cx, struct qrt__http_conn *conn, const char *data,
			      size_t n, bool chunks)
{
	enum qrt_err err = QRT_OK;

	while (n > 0 && !err) {
		size_t piece = n < WRITE_PIECE ? n : WRITE_PIECE;
		struct qrt_cx timed = until_idle(cx, conn);
		char line[CHUNK_LINE_MAX];

		if (chunks) {
			const struct qrt_slice slices[] = {
			    {line, (size_t)snprintf(line, sizeof(line), "%zx\r\n", piece)},
			    {data, piece},
			    {"\r\n", 2},
			};
			err = qrt_writev(&timed, conn->stream, slices, 3);
		} else {
			err = qrt_write(&timed, conn->stream, data, piece);
		}
		data += piece;
		n -= piece;
	}
	return err;
}

static bool must_close(const struct qrt__http_conn *conn)
{
	return qrt__http_must_close(&conn->server->base, request_of(conn), &conn->desk->resp,
				    conn->requests);
}

static enum qrt_err wire_begin(struct qrt_cx *cx, struct qrt_http_response *resp)
{
	struct qrt__http_conn *conn = resp->conn;

	conn->desk->close_told = must_close(conn) || resp->stream.framing == QRT__HTTP_BY_CLOSE;
	return send_head(cx, conn, conn->desk->close_told, (struct qrt_slice){NULL, 0});
}

static enum qrt_err wire_write(struct qrt_cx *cx, struct qrt_http_response *resp, const void *data,
			       size_t n)
{
	return send_body(cx, resp->conn, data, n, resp->stream.framing == QRT__HTTP_BY_CHUNKS);
}

static const struct qrt__http_wire wire = {wire_read, wire_begin, wire_write};

static enum qrt_err send_response(struct qrt_cx *cx, struct qrt__http_conn *conn, bool close)
{
	const struct qrt_http_response *resp = &conn->desk->resp;
	size_t n = qrt__http_response_has_body(resp) ? resp->body_len : 0;
	size_t first = n < WRITE_PIECE ? n : WRITE_PIECE;
	enum qrt_err err = send_head(cx, conn, close, (struct qrt_slice){resp->body, first});

	return err ? err : send_body(cx, conn, resp->body + first, n - first, false);
}

/* The end of a stream. */
static enum qrt_err send_end(struct qrt_cx *cx, struct qrt__http_conn *conn)
{
	static const char last_chunk[] = "0\r\n\r\n";
	struct qrt_cx timed = until_idle(cx, conn);

	if (conn->desk->resp.stream.framing != QRT__HTTP_BY_CHUNKS) {
		return QRT_OK;
	}
	return qrt_write(&timed, conn->stream, last_chunk, sizeof(last_chunk) - 1);
}

/*
 * Ends a connection whose peer may still be sending: closing with unread bytes would make the
 * system throw our answer away on its way.
 */
static void linger(struct qrt_cx *cx, struct qrt__http_conn *conn)
{
	struct qrt_cx timed = qrt__cx_until(cx, qrt_deadline_in(cx, CLOSE_LINGER_NS));
	enum qrt_err err = qrt_stream_shutdown(cx, conn->stream);

	while (!err && !conn->server->base.closing) {
		err = fill(&timed, conn);
	}
}

/* Answers what never became an exchange; the connection ends. */
static void refuse(struct qrt_cx *cx, struct qrt__http_conn *conn, int status, const char *why)
{
	struct qrt_http_request *req = request_of(conn);

	conn->phase = QRT__HTTP_REPLY;
	qrt__http_response_init(&conn->desk->resp, req->arena, req);
	qrt__http_answer(&conn->server->base, req, &conn->desk->resp, status, why);
	if (send_response(cx, conn, true) == QRT_OK) {
		qrt__http_count_refusal(&conn->server->base, conn->desk->resp.status);
		linger(cx, conn);
	}
}

/* --- exchanges ----------------------------------------------------------------------------- */

/* Tells the peer how its request has ended. Returns whether the connection goes on. */
static bool finish(struct qrt_cx *cx, struct qrt__http_conn *conn, enum qrt__http_ending ending)
{
	struct qrt_http_request *req = request_of(conn);
	bool peer_stays = req->keep_alive;
	bool close = true;
	enum qrt_err err = QRT_OK;

	conn->phase = QRT__HTTP_REPLY;
	switch (ending) {
	case QRT__HTTP_SEND:
		close = must_close(conn) || !may_drop(conn);
		err = send_response(cx, conn, close);
		break;
	case QRT__HTTP_FINISH:
		close = conn->desk->close_told || !may_drop(conn);
		err = send_end(cx, conn);
		break;
	case QRT__HTTP_BREAK:
		err = QRT_ECONNRESET;
		qrt__stream_break(conn->stream);
		break;
	}
	qrt__http_count_end(&conn->server->base, err ? 0 : conn->desk->resp.status);
	if (!err && !close && !qrt__http_parser_is_done(conn->desk->parser)) {
		close = !drop_rest(cx, conn);
	}
	if (!err && close && (peer_stays || !qrt__http_parser_is_done(conn->desk->parser))) {
		linger(cx, conn);
	}
	return !err && !close;
}

static bool exchange(struct qrt_cx *cx, struct qrt__http_conn *conn)
{
	struct qrt_http_request *req = request_of(conn);

	conn->requests++;
	conn->phase = QRT__HTTP_EXCHANGE;
	if (!qrt__http_parser_is_done(conn->desk->parser)) {
		req->wire = &wire;
		req->conn = conn;
	}
	qrt__http_response_init(&conn->desk->resp, req->arena, req);
	conn->desk->resp.wire = &wire;
	conn->desk->resp.conn = conn;
	conn->desk->x.resp = &conn->desk->resp;
	conn->desk->x.peer_gone = conn->hung_up;
	qrt__http_count_begin(&conn->server->base);
	return finish(cx, conn, qrt__http_exchange(cx, &conn->desk->x));
}

static void message_begin(struct qrt_cx *cx, struct qrt__http_conn *conn)
{
	struct qrt__http_desk *desk = conn->desk;

	if (desk && desk->from < desk->to) { /* it was sent ahead */
		qrt__http_parser_reset(desk->parser);
		desk_lay(conn);
	} else {
		desk_leave(conn);
	}
	phase_enter(cx, conn, QRT__HTTP_QUIET);
}

/* One request, from its first byte to its reply. Returns whether the connection goes on. */
static bool turn(struct qrt_cx *cx, struct qrt__http_conn *conn)
{
	enum qrt__http_state state = QRT__HTTP_FAULT;
	const char *why = "";
	enum qrt_err err;
	int status;

	message_begin(cx, conn);
	err = receive(cx, conn, &state);
	if (err == QRT_ETIMEDOUT && phase_of(conn) != QRT__HTTP_QUIET) {
		refuse(cx, conn, 408, "the request did not come in time");
		return false;
	}
	if (err) {
		QRT__COUNT(conn->server->base.counters.idle_closed,
			   conn->server->base.linger_over && conn->phase == QRT__HTTP_QUIET);
		return false;
	}
	if (state != QRT__HTTP_FAULT) {
		return exchange(cx, conn);
	}
	status = qrt__http_parser_fault(conn->desk->parser, &why);
	refuse(cx, conn, status, why);
	return false;
}

/* --- life ---------------------------------------------------------------------------------- */

/* The peer has ended its side. On the loop's stack. */
static void on_hangup(void *arg)
{
	struct qrt__http_conn *conn = arg;

	conn->hung_up = true;
	if (conn->phase == QRT__HTTP_EXCHANGE) {
		qrt__http_exchange_peer_gone(&conn->desk->x);
	}
}

enum qrt_err qrt__http_conn_create(struct qrt__own_server *server, struct qrt__http_conn **ret_conn)
{
	struct qrt__http_conn *conn = calloc(1, sizeof(*conn));

	if (!conn) {
		return QRT_ENOMEM;
	}
	conn->server = server;
	qrt__list_init(&conn->in_server);
	*ret_conn = conn;
	return QRT_OK;
}

void qrt__http_conn_free(struct qrt_cx *cx, struct qrt__http_conn *conn)
{
	qrt_stream_close(cx, &conn->stream);
	desk_leave(conn);
	free(conn);
}

/* Runs however the task ends; after a panic or a forced end of the handler it gives the answer. */
static void conn_end(struct qrt_cx *cx, void *arg)
{
	struct qrt__http_conn *conn = arg;
	struct qrt__own_server *server = conn->server;

	if (conn->phase == QRT__HTTP_EXCHANGE) {
		QRT_IGNORE(finish(cx, conn, qrt__http_exchange_cut(cx, &conn->desk->x)),
			   "it ends in any case");
	}
	qrt__list_remove(&conn->in_server);
	if (conn->refused) {
		server->refused--;
	} else {
		QRT__COUNT(server->base.counters.connections_live, -1);
	}
	qrt__http_conn_free(cx, conn);
	qrt__event_set(&server->base.changed);
}

/* The handshake; it has the time of a head. */
static bool greet(struct qrt_cx *cx, struct qrt__http_conn *conn)
{
	const struct qrt_http_server_options *opts = &conn->server->base.opts;
	struct qrt_cx timed = qrt__cx_until(cx, qrt_deadline_in(cx, opts->header_timeout_ns));

	conn->phase = QRT__HTTP_GREET;
	return !must_leave(conn) && !qrt_tls_accept(&timed, opts->tls, &conn->stream);
}

/* In a region of its own, which is what dumps and kills know it by. */
static void serve(struct qrt_cx *cx, struct qrt__http_conn *conn)
{
	if (conn->server->base.opts.tls && !greet(cx, conn)) {
		return;
	}
	if (!conn->refused) {
		while (turn(cx, conn)) {
			continue;
		}
	} else if (!desk_open(conn)) {
		refuse(cx, conn, 503, "too many connections");
	}
}

/* What goes wrong with a connection is the peer's or the handler's affair: answered, not told. */
enum qrt_err qrt__http_conn_main(struct qrt_cx *cx, void *arg)
{
	const struct qrt_region_options opts = {.name = "http connection"};
	struct qrt__http_conn *conn = arg;
	struct qrt_region *region = NULL;

	conn->task = cx->task;
	qrt__stream_on_hangup(conn->stream, on_hangup, conn);
	if (qrt_defer(cx, conn_end, conn)) {
		conn_end(cx, conn);
		return QRT_OK;
	}
	if (!qrt_region_open_with(cx, &opts, &region)) {
		serve(qrt_region_cx(region), conn);
		QRT_IGNORE(qrt_region_close(cx, &region, QRT_OK), "nothing is left in it to fail");
	}
	return QRT_OK;
}
