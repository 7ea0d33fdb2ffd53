/*
 * Simulated connections. Bytes travel in chunks, one per write, each with its
 * own latency, none overtaking another; a pipe holds 64 KiB, so a slow reader
 * stops its writer. Reads and writes are cut short at the seed's whim: a
 * program must not count on getting all at once.
 *
 * A side that closes says two things after its last byte: that it writes no
 * more (the peer reads end of stream), and that it does not read either (the
 * peer's writes then fail). Until that has arrived, the peer's writes succeed
 * and are lost, as in the world.
 */
#include "backends/lab/lab.h"

#include <stdlib.h>
#include <string.h>

/* Unless the faults say otherwise. */
enum { LATENCY_MIN_NS = 10 * 1000, LATENCY_MAX_NS = 500 * 1000, CUT_RATE = 250 };
enum { PIPE_BYTES = 64 * 1024 };

struct qrt__lab_chunk {
	struct qrt__lab_chunk *next;
	int64_t at_ns;
	size_t len, taken;
	char data[];
};

int64_t qrt__lab_latency(struct qrt_lab *lab)
{
	int64_t low = lab->faults.latency_min_ns, high = lab->faults.latency_max_ns;
	if (high == 0) {
		low = LATENCY_MIN_NS;
		high = LATENCY_MAX_NS;
	}
	return qrt__choose_ns(lab, QRT__CHOOSE_NETWORK, low, high);
}

/* From 1 to @n. */
static size_t maybe_short(struct qrt_lab *lab, size_t n)
{
	unsigned rate = lab->faults.cut ? lab->faults.cut : CUT_RATE;
	if (qrt__choose(lab, QRT__CHOOSE_NETWORK, 1000) < 1000 - rate) {
		return n;
	}
	return n - qrt__choose(lab, QRT__CHOOSE_NETWORK, (uint32_t)n);
}

/* --- pipes --------------------------------------------------------------------------------- */

static size_t pipe_room(const struct qrt_lab *lab, const struct qrt__lab_pipe *pipe)
{
	size_t all = lab->faults.pipe_bytes ? lab->faults.pipe_bytes : PIPE_BYTES;
	return pipe->inside < all ? all - pipe->inside : 0;
}

/* When @n bytes that are sent now arrive: not before what was sent earlier, at the line's speed. */
static int64_t arrival(struct qrt_lab *lab, struct qrt__lab_pipe *pipe, size_t n)
{
	int64_t at = lab->now_ns + qrt__lab_latency(lab);
	if (at < pipe->last_at_ns) {
		at = pipe->last_at_ns;
	}
	if (lab->faults.bytes_per_s > 0) {
		at += (int64_t)(n * (uint64_t)QRT_SEC / lab->faults.bytes_per_s);
	}
	pipe->last_at_ns = at;
	return at;
}

/* Starts the timer for what arrives next, if anything is under way. */
static void schedule(struct qrt_lab *lab, struct qrt__lab_pipe *pipe)
{
	int64_t at = 0;
	if (qrt__timer_running(&pipe->timer) || !qrt__list_empty(&pipe->in_held)) {
		return;
	}
	if (pipe->under_way) {
		at = pipe->under_way->at_ns;
	} else if (pipe->fin.sent && !pipe->fin.arrived) {
		at = pipe->fin.at_ns;
	} else if (pipe->gone.sent && !pipe->gone.arrived) {
		at = pipe->gone.at_ns;
	} else {
		return;
	}
	/* What was held back, or vanished, should have arrived long ago. */
	qrt__timer_start(&lab->events, &pipe->timer, at > lab->now_ns ? at : lab->now_ns);
}

static void arrived(struct qrt__timer *timer)
{
	struct qrt__lab_pipe *pipe = QRT__CONTAINER(timer, struct qrt__lab_pipe, timer);
	struct qrt__lab_end *reader = QRT__CONTAINER(pipe, struct qrt__lab_end, in);
	struct qrt_lab *lab = reader->file.lab;
	if (reader->conn->vanished) {
		return; /* nothing will */
	}
	if (lab->faults.partition) {
		qrt__list_append(&lab->held, &pipe->in_held);
		return;
	}
	if (pipe->under_way) {
		pipe->readable += pipe->under_way->len;
		pipe->under_way = pipe->under_way->next;
	} else if (!pipe->fin.arrived) {
		pipe->fin.arrived = true;
	} else {
		pipe->gone.arrived = true;
	}
	schedule(lab, pipe);
	qrt__lab_touch(&reader->file);
}

void qrt__lab_release_held(struct qrt_lab *lab)
{
	while (!qrt__list_empty(&lab->held)) {
		struct qrt__lab_pipe *pipe =
		    QRT__CONTAINER(qrt__list_pop(&lab->held), struct qrt__lab_pipe, in_held);
		qrt__timer_start(&lab->events, &pipe->timer, lab->now_ns);
	}
}

static void pipe_init(struct qrt__lab_pipe *pipe)
{
	pipe->tail = &pipe->first;
	qrt__timer_init(&pipe->timer, arrived);
	qrt__list_init(&pipe->in_held);
}

static void pop(struct qrt__lab_pipe *pipe)
{
	struct qrt__lab_chunk *chunk = pipe->first;
	pipe->first = chunk->next;
	if (!pipe->first) {
		pipe->tail = &pipe->first;
	}
	free(chunk);
}

/*
 * Nobody will read it: neither what is inside nor what is on its way. It goes
 * on taking room, for its writer does not know yet.
 */
static void pipe_stop(struct qrt_lab *lab, struct qrt__lab_pipe *pipe)
{
	qrt__timer_stop(&lab->events, &pipe->timer);
	qrt__list_remove(&pipe->in_held);
	pipe->under_way = NULL;
	while (pipe->first) {
		pop(pipe);
	}
	pipe->readable = 0;
}

static void pipe_take(struct qrt__lab_pipe *pipe, char *to, size_t n)
{
	pipe->inside -= n;
	pipe->readable -= n;
	while (n > 0) {
		struct qrt__lab_chunk *chunk = pipe->first;
		size_t left = chunk->len - chunk->taken;
		size_t take = n < left ? n : left;
		memcpy(to, chunk->data + chunk->taken, take);
		to += take;
		n -= take;
		chunk->taken += take;
		if (chunk->taken == chunk->len) {
			pop(pipe);
		}
	}
}

static void gather(char *to, size_t n, const struct iovec *iov)
{
	for (; n > 0; iov++) {
		size_t take = n < iov->iov_len ? n : iov->iov_len;
		memcpy(to, iov->iov_base, take);
		to += take;
		n -= take;
	}
}

static enum qrt_err pipe_put(struct qrt_lab *lab, struct qrt__lab_pipe *pipe,
			     const struct iovec *iov, size_t n)
{
	struct qrt__lab_chunk *chunk = malloc(sizeof(*chunk) + n);
	if (!chunk) {
		return QRT_ENOMEM;
	}
	chunk->next = NULL;
	chunk->at_ns = arrival(lab, pipe, n);
	chunk->len = n;
	chunk->taken = 0;
	gather(chunk->data, n, iov);
	*pipe->tail = chunk;
	pipe->tail = &chunk->next;
	if (!pipe->under_way) {
		pipe->under_way = chunk;
	}
	schedule(lab, pipe);
	return QRT_OK;
}

static void send_notice(struct qrt_lab *lab, struct qrt__lab_pipe *pipe,
			struct qrt__lab_notice *notice)
{
	if (!notice->sent) {
		notice->sent = true;
		notice->at_ns = arrival(lab, pipe, 0);
		schedule(lab, pipe);
	}
}

/* --- connections --------------------------------------------------------------------------- */

static void end_init(struct qrt__lab_conn *conn, unsigned which)
{
	struct qrt__lab_end *end = &conn->end[which];
	qrt__lab_file_init(&end->file, conn->lab, &qrt__lab_end_kind);
	end->conn = conn;
	end->peer = &conn->end[!which];
	pipe_init(&end->in);
}

struct qrt__lab_conn *qrt__lab_conn_new(struct qrt_lab *lab, qrt__timer_fn *decide)
{
	struct qrt__lab_conn *conn = calloc(1, sizeof(*conn));
	if (!conn) {
		return NULL;
	}
	conn->lab = lab;
	conn->number = ++lab->conns;
	lab->conns_live++;
	qrt__timer_init(&conn->decide, decide);
	qrt__list_init(&conn->in_queue);
	end_init(conn, 0);
	end_init(conn, 1);
	conn->end[0].open = true;
	return conn;
}

void qrt__lab_conn_established(struct qrt__lab_conn *conn)
{
	QRT_PRE(conn->state == QRT__LAB_CONNECTING);
	conn->state = QRT__LAB_CONNECTED;
	conn->end[1].open = true;
}

void qrt__lab_end_close(struct qrt__lab_end *end, bool reset)
{
	struct qrt__lab_conn *conn = end->conn;
	struct qrt_lab *lab = conn->lab;
	QRT_PRE(end->open);
	end->open = false;
	pipe_stop(lab, &end->in);
	if (end->peer->open) {
		struct qrt__lab_pipe *out = &end->peer->in;
		out->reset |= reset;
		send_notice(lab, out, &out->fin);
		send_notice(lab, out, &out->gone);
		return;
	}
	qrt__timer_stop(&lab->events, &conn->decide);
	lab->conns_live--;
	free(conn);
}

static void last_close(struct qrt__lab_file *file)
{
	qrt__lab_end_close(QRT__CONTAINER(file, struct qrt__lab_end, file), false);
}

static unsigned readiness(const struct qrt__lab_file *file)
{
	const struct qrt__lab_end *end = QRT__CONTAINER(file, struct qrt__lab_end, file);
	const struct qrt__lab_pipe *in = &end->in, *out = &end->peer->in;
	if (end->conn->state != QRT__LAB_CONNECTED) {
		bool failed = end->conn->state == QRT__LAB_FAILED;
		return failed ? QRT__IO_READ | QRT__IO_WRITE | QRT__IO_HANGUP : 0;
	}
	bool can_read = in->readable > 0 || in->fin.arrived;
	/* What must fail need not wait. */
	bool can_write =
	    pipe_room(file->lab, out) > 0 || out->fin.sent || in->gone.arrived || in->reset;
	bool hung_up = in->fin.arrived || in->reset;
	return (can_read ? QRT__IO_READ : 0u) | (can_write ? QRT__IO_WRITE : 0u) |
	       (hung_up ? QRT__IO_HANGUP : 0u);
}

const struct qrt__lab_file_kind qrt__lab_end_kind = {
    .name = "stream",
    .readiness = readiness,
    .last_close = last_close,
};

static enum qrt_err usable(const struct qrt__lab_end *end)
{
	switch (end->conn->state) {
	case QRT__LAB_CONNECTED:
		return QRT_OK;
	case QRT__LAB_CONNECTING:
		return QRT_EAGAIN;
	case QRT__LAB_FAILED:
		return QRT_ECONNRESET;
	}
	QRT_IMPOSSIBLE("no such state of a connection");
}

void qrt__lab_conn_reset(struct qrt__lab_conn *conn)
{
	for (unsigned i = 0; i < 2; i++) {
		struct qrt__lab_end *end = &conn->end[i];
		pipe_stop(conn->lab, &end->in);
		end->in.reset = true;
		end->in.fin = (struct qrt__lab_notice){.sent = true, .arrived = true};
		qrt__lab_touch(&end->file);
	}
}

/* The moment at which a connection may break, or its peer fall silent. */
static void maybe_broken(struct qrt__lab_end *end)
{
	struct qrt_lab *lab = end->file.lab;
	struct qrt__lab_conn *conn = end->conn;
	if (conn->vanished || end->in.reset) {
		return;
	}
	if (qrt__fault(lab, lab->faults.reset) || qrt__io_point(lab)) {
		qrt__lab_conn_reset(conn);
	} else if (qrt__fault(lab, lab->faults.vanish)) {
		conn->vanished = true;
	}
}

enum qrt_err qrt__lab_end_read(struct qrt__lab_end *end, void *buf, size_t n, size_t *ret_n)
{
	struct qrt__lab_pipe *in = &end->in;
	QRT_PRE(n > 0);
	enum qrt_err err = usable(end);
	if (err) {
		return err;
	}
	maybe_broken(end);
	if (in->readable == 0) {
		enum qrt_err at_end = in->reset ? QRT_ECONNRESET : QRT_EEOF;
		return in->fin.arrived ? at_end : QRT_EAGAIN;
	}
	size_t take = maybe_short(end->file.lab, n < in->readable ? n : in->readable);
	pipe_take(in, buf, take);
	qrt__lab_touch(&end->peer->file);
	*ret_n = take;
	return QRT_OK;
}

enum qrt_err qrt__lab_end_write(struct qrt__lab_end *end, const struct iovec *iov, size_t n_iov,
				size_t *ret_n)
{
	struct qrt__lab_pipe *out = &end->peer->in;
	enum qrt_err err = usable(end);
	if (err) {
		return err;
	}
	maybe_broken(end);
	if (out->fin.sent || end->in.gone.arrived || end->in.reset) {
		return QRT_ECONNRESET;
	}
	size_t total = 0;
	for (size_t i = 0; i < n_iov; i++) {
		total += iov[i].iov_len;
	}
	size_t room = pipe_room(end->file.lab, out);
	if (room == 0 && total > 0) {
		return QRT_EAGAIN;
	}
	size_t n = total < room ? total : room;
	if (n > 0) {
		n = maybe_short(end->file.lab, n);
	}
	if (n > 0 && end->peer->open) {
		err = pipe_put(end->file.lab, out, iov, n);
	}
	if (!err) {
		out->inside += n;
		*ret_n = n;
	}
	return err;
}

enum qrt_err qrt__lab_end_shutdown(struct qrt__lab_end *end)
{
	if (usable(end)) {
		return QRT_ECONNRESET;
	}
	if (end->peer->open) {
		send_notice(end->file.lab, &end->peer->in, &end->peer->in.fin);
	} else {
		end->peer->in.fin.sent = true;
	}
	return QRT_OK;
}
