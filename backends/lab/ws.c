/*
 * WebSockets in the lab: messages over a simulated connection, with faults
 * per message. Both ends are wires of this kind, so what they write is a
 * framing of their own; what goes wrong with connections (latency, partition,
 * reset, slow reader) is conn.c's affair and happens here as well.
 *
 *	client: connecting ── connected, hello written ──> asked ── welcome ──> open
 *	server:                                            asked ── hello ────> open
 *
 * Never reads or writes but from poll, as a library would; but for the close
 * of somebody who lets go.
 */
#include "backends/lab/ws_wire.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HELD_MIN_NS QRT_MS
#define HELD_MAX_NS (100 * QRT_MS)

static void arm(struct qrt__wire *wire)
{
	bool writes = wire->out_n > wire->out_at || (wire->awake && !wire->held);
	bool reads = wire->wanted && wire->state != QRT__WIRE_CONNECTING;
	qrt__lab_fd_arm(wire->descriptor,
			(reads ? QRT__IO_READ : 0u) |
			    (writes || wire->state == QRT__WIRE_CONNECTING ? QRT__IO_WRITE : 0u));
}

/* Closes the connection; with @reset the peer is not to mistake it for a proper end. */
static void wire_free(struct qrt__wire *wire, bool reset)
{
	struct qrt__lab_end *end = wire->end;
	qrt__timer_stop(&wire->lab->events, &wire->release);
	if (reset && end->conn->state == QRT__LAB_CONNECTED && end->peer->open) {
		end->peer->in.reset = true;
	}
	qrt__lab_fd_close(wire->descriptor);
	free(wire->hello);
	free(wire->control);
	free(wire->out);
	free(wire);
}

void qrt__wire_over(struct qrt__wire *wire, enum qrt_err err, unsigned code, const char *reason,
		    const char *detail)
{
	struct qrt__ws *ws = wire->ws;
	char text[QRT_WS_REASON_MAX + 1]; /* reason may be the wire's own */
	snprintf(text, sizeof(text), "%s", reason ? reason : "");
	wire_free(wire, err != QRT_EEOF && err != QRT_ECONNREFUSED);
	qrt__ws_ended(ws, err, code, text, detail);
}

/* --- writing -------------------------------------------------------------------------------- */

bool qrt__wire_put(struct qrt__wire *wire, enum qrt__wire_kind kind, const void *data, size_t n)
{
	size_t size = QRT__WIRE_HEAD + n;
	if (wire->out_at == wire->out_n) {
		wire->out_at = wire->out_n = 0;
	}
	if (wire->out_room < wire->out_n + size) {
		char *bigger = realloc(wire->out, wire->out_n + size);
		if (!bigger) {
			return false;
		}
		wire->out = bigger;
		wire->out_room = wire->out_n + size;
	}
	char *at = wire->out + wire->out_n;
	at[0] = (char)kind;
	for (unsigned i = 0; i < 4; i++) {
		at[1 + i] = (char)(n >> (8 * i));
	}
	if (n > 0) {
		memcpy(at + QRT__WIRE_HEAD, data, n);
	}
	wire->out_n += size;
	return true;
}

static bool put_close(struct qrt__wire *wire, const struct qrt__ws_frame *frame)
{
	char payload[2 + QRT_WS_REASON_MAX] = {(char)(frame->code >> 8), (char)frame->code};
	QRT_PRE(frame->n <= QRT_WS_REASON_MAX);
	memcpy(payload + 2, frame->data, frame->n);
	wire->closing = true;
	return qrt__wire_put(wire, QRT__WIRE_CLOSE, payload, 2 + frame->n);
}

/* Writes what it can. Errors: EAGAIN (there is more), ECONNRESET, ENOMEM. */
static enum qrt_err flush(struct qrt__wire *wire)
{
	enum qrt_err err = QRT_OK;
	while (!err && wire->out_at < wire->out_n) {
		const struct iovec iov = {.iov_base = wire->out + wire->out_at,
					  .iov_len = wire->out_n - wire->out_at};
		size_t n = 0;
		err = qrt__lab_end_write(wire->end, &iov, 1, &n);
		wire->out_at += n;
		wire->progress |= n > 0;
	}
	return err;
}

bool qrt__wire_say_last(struct qrt__wire *wire, enum qrt__wire_kind kind, const void *data,
			size_t n)
{
	bool half = wire->out_at < wire->out_n;
	return !half && qrt__wire_put(wire, kind, data, n) && !flush(wire);
}

bool qrt__wire_say_close(struct qrt__wire *wire, unsigned code)
{
	const char payload[2] = {(char)(code >> 8), (char)code};
	if (wire->closing) {
		return wire->out_at == wire->out_n; /* it has been said, all of it */
	}
	/* A close without a code has no payload. */
	return qrt__wire_say_last(wire, QRT__WIRE_CLOSE, payload, code == QRT_WS_NO_CODE ? 0 : 2);
}

static void end_wire(struct qrt__ws *ws, unsigned code)
{
	struct qrt__wire *wire = *qrt__ws_link(ws);
	if (code == 0 || wire->state != QRT__WIRE_OPEN) {
		wire_free(wire, true);
	} else {
		wire_free(wire, !qrt__wire_say_close(wire, code));
	}
}

void qrt__wire_refuse(struct qrt__wire *wire, unsigned code)
{
	wire_free(wire, !qrt__wire_say_close(wire, code));
}

/* A middle man, or a peer that restarts: both sides hear that it is over. */
static void break_off(struct qrt__wire *wire)
{
	static const unsigned codes[] = {QRT_WS_GOING_AWAY, QRT_WS_RESTART};
	unsigned code = codes[qrt__choose(wire->lab, QRT__CHOOSE_FAULT, 2)];
	QRT_IGNORE(qrt__wire_say_close(wire, code), "the peer learns of it one way or another");
	qrt__wire_over(wire, QRT_EEOF, code, NULL, NULL);
}

/* What becomes of a message that is to be sent. False: the wire is gone. */
static bool put_message(struct qrt__wire *wire, const struct qrt__ws_frame *frame)
{
	struct qrt_lab *lab = wire->lab;
	enum qrt__wire_kind kind = frame->type == QRT_WS_TEXT ? QRT__WIRE_TEXT : QRT__WIRE_BINARY;
	if (qrt__fault(lab, lab->faults.ws_close)) {
		break_off(wire);
		return false;
	}
	if (qrt__fault(lab, lab->faults.ws_drop)) {
		if (qrt__choose(lab, QRT__CHOOSE_FAULT, 2) == 0) {
			qrt__lab_conn_reset(wire->end->conn);
		} else {
			wire->end->conn->vanished = true;
		}
		qrt__ws_sent(wire->ws);
		return true;
	}
	bool twice = wire->server && qrt__fault(lab, lab->faults.ws_duplicate);
	for (int i = 0; i < 1 + twice; i++) {
		if (!qrt__wire_put(wire, kind, frame->data, frame->n)) {
			qrt__wire_over(wire, QRT_ECONNRESET, QRT_WS_DROPPED, NULL,
				       "no memory for a message");
			return false;
		}
	}
	wire->carries_message = true;
	return true;
}

/* Takes what is to be sent next; false: nothing is, or the wire is gone. */
static bool take_next(struct qrt__wire *wire, bool *ret_alive)
{
	struct qrt__ws_frame frame;
	*ret_alive = true;
	qrt__ws_next(wire->ws, &frame);
	switch (frame.kind) {
	case QRT__WS_NOTHING:
		wire->awake = false;
		return false;
	case QRT__WS_MESSAGE:
		return *ret_alive = put_message(wire, &frame);
	case QRT__WS_PING:
		*ret_alive = qrt__wire_put(wire, QRT__WIRE_PING, NULL, 0);
		break;
	case QRT__WS_CLOSE:
		*ret_alive = put_close(wire, &frame);
		break;
	}
	if (!*ret_alive) {
		qrt__wire_over(wire, QRT_ECONNRESET, QRT_WS_DROPPED, NULL, "no memory");
	}
	return *ret_alive;
}

/* False: the wire is gone. */
static bool write_all(struct qrt__wire *wire)
{
	bool alive = true, more = true;
	while (more) {
		enum qrt_err err = flush(wire);
		if (err == QRT_EAGAIN) {
			return true;
		}
		if (err) {
			qrt__wire_over(wire, QRT_ECONNRESET, QRT_WS_DROPPED, NULL, NULL);
			return false;
		}
		if (wire->carries_message) {
			wire->carries_message = false;
			qrt__ws_sent(wire->ws);
		}
		more = wire->state == QRT__WIRE_OPEN && wire->awake && !wire->held &&
		       !wire->closing && take_next(wire, &alive);
	}
	return alive;
}

/* --- reading -------------------------------------------------------------------------------- */

/* False: the wire is gone. */
static bool read_all(struct qrt__wire *wire)
{
	char buf[4096];
	while (wire->wanted) {
		size_t n;
		enum qrt_err err = qrt__lab_end_read(wire->end, buf, sizeof(buf), &n);
		if (err == QRT_EAGAIN) {
			return true;
		}
		wire->progress = true;
		if (err) {
			/* After our close the peer need not answer. */
			bool expected = wire->closing && err == QRT_EEOF;
			qrt__wire_over(wire, expected ? QRT_EEOF : QRT_ECONNRESET,
				       expected ? QRT_WS_NO_CODE : QRT_WS_DROPPED, NULL, NULL);
			return false;
		}
		if (!qrt__wire_consume(wire, buf, n)) {
			return false;
		}
	}
	return true;
}

static bool connected(struct qrt__wire *wire)
{
	enum qrt__lab_conn_state state = wire->end->conn->state;
	if (state == QRT__LAB_FAILED) {
		qrt__wire_over(wire, wire->end->conn->err, QRT_WS_DROPPED, NULL, NULL);
		return false;
	}
	wire->state = QRT__WIRE_ASKED;
	if (!qrt__wire_put(wire, QRT__WIRE_HELLO, wire->hello, wire->hello_n)) {
		qrt__wire_over(wire, QRT_ECONNRESET, QRT_WS_DROPPED, NULL, "no memory");
		return false;
	}
	return true;
}

/* From the table's poll: whether it has done anything. */
static bool on_ready(void *arg, unsigned io)
{
	struct qrt__wire *wire = arg;
	qrt__trace(wire->rt, QRT__TRACE_IO, (uint64_t)wire->descriptor->fd, io);
	wire->progress = false;
	if (wire->state == QRT__WIRE_CONNECTING && !connected(wire)) {
		return true;
	}
	if ((io & QRT__IO_READ) && !read_all(wire)) {
		return true;
	}
	if (!write_all(wire)) {
		return true;
	}
	arm(wire);
	return wire->progress;
}

/* --- what the shim calls -------------------------------------------------------------------- */

static void released(struct qrt__timer *timer)
{
	struct qrt__wire *wire = QRT__CONTAINER(timer, struct qrt__wire, release);
	wire->held = false;
	arm(wire);
}

static void wake(struct qrt__ws *ws)
{
	struct qrt__wire *wire = *qrt__ws_link(ws);
	struct qrt_lab *lab = wire->lab;
	if (!wire->awake && qrt__fault(lab, lab->faults.ws_delay)) {
		int64_t ns = qrt__choose_ns(lab, QRT__CHOOSE_NETWORK, HELD_MIN_NS, HELD_MAX_NS);
		wire->held = true;
		qrt__timer_start(&lab->events, &wire->release, lab->now_ns + ns);
	}
	wire->awake = true;
	arm(wire);
}

static void flow(struct qrt__ws *ws, bool wanted)
{
	struct qrt__wire *wire = *qrt__ws_link(ws);
	wire->wanted = wanted;
	arm(wire);
}

/* A wire over @fd, which stays the caller's when there is no memory. */
static struct qrt__wire *wire_new(struct qrt__ws *ws, int fd)
{
	struct qrt_runtime *rt = qrt__ws_runtime(ws);
	struct qrt_lab *lab = qrt__lab_of(rt);
	struct qrt__lab_file *file = qrt__lab_fd_file(lab, fd, &qrt__lab_end_kind);
	struct qrt__wire *wire = file ? calloc(1, sizeof(*wire)) : NULL;
	if (!wire) {
		return NULL;
	}
	wire->ws = ws;
	wire->rt = rt;
	wire->lab = lab;
	wire->end = QRT__CONTAINER(file, struct qrt__lab_end, file);
	wire->wanted = true;
	qrt__timer_init(&wire->release, released);
	wire->descriptor = qrt__lab_fd_find(lab, fd);
	wire->descriptor->ready = on_ready;
	wire->descriptor->ready_arg = wire;
	return wire;
}

static enum qrt_err connect_wire(struct qrt__ws *ws, const struct qrt__ws_target *target)
{
	struct qrt_runtime *rt = qrt__ws_runtime(ws);
	char *hello;
	size_t n;
	int fd;
	enum qrt_err err = qrt__wire_hello(target, &hello, &n);
	if (err) {
		return err;
	}
	err = qrt__net_lab.connect(rt, target->address, target->port, &fd);
	if (err != QRT_EAGAIN) {
		free(hello);
		return err;
	}
	struct qrt__wire *wire = wire_new(ws, fd);
	if (!wire) {
		qrt__net_lab.close_fd(rt, fd);
		free(hello);
		return QRT_ENOMEM;
	}
	wire->state = QRT__WIRE_CONNECTING;
	wire->hello = hello;
	wire->hello_n = n;
	*qrt__ws_link(ws) = wire;
	arm(wire);
	return QRT_OK;
}

static enum qrt_err accept_wire(struct qrt__ws *ws, int fd,
				const struct qrt_ws_accept_options *opts)
{
	struct qrt__wire *wire = wire_new(ws, fd);
	if (!wire) {
		qrt__net_lab.close_fd(qrt__ws_runtime(ws), fd);
		return QRT_ENOMEM;
	}
	wire->state = QRT__WIRE_ASKED;
	wire->server = true;
	wire->accept = opts;
	*qrt__ws_link(ws) = wire;
	arm(wire);
	return QRT_OK;
}

const struct qrt__ws_impl qrt__ws_lab = {
    .name = "lab",
    .connect = connect_wire,
    .accept = accept_wire,
    .flow = flow,
    .wake = wake,
    .end = end_wire,
};
