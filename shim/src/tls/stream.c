/*
 * A TLS connection as a layer over a stream: the engine takes what it needs
 * from below and gives what it has; what cannot go down at once waits here.
 * New plain text is taken only when nothing waits, so that is one record, and
 * answers to what the peer makes us answer.
 */
#include <qrt/resolve.h>

#include <stdio.h>
#include <stdlib.h>

#include "shim/src/io/layer.h"
#include "shim/src/tls/tls.h"

enum {
	/* A peer that makes us answer and does not read the answers is given up. */
	WAITING_MAX = 128 * 1024,
	SESSION_KEY_MAX = QRT_HOST_MAX + 16, /* host and port */
};

struct qrt__tls_stream {
	struct qrt__layer layer;
	struct qrt__tls_conn *conn;
	char *waiting; /* has to go down: from @waiting_at, @waiting_n bytes */
	size_t waiting_n, waiting_at, waiting_room;
	enum qrt_err broken; /* nothing more goes down, because of this */
	bool spoiled;	     /* a write was given up half-way */
	bool ready;	     /* the handshake is done */
};
QRT__LAYER_FITS(struct qrt__tls_stream);

static struct qrt__tls_stream *stream_of(struct qrt__layer *layer)
{
	return QRT__CONTAINER(layer, struct qrt__tls_stream, layer);
}

/* --- what goes down, and comes up ------------------------------------------------------------ */

enum qrt_err qrt__tls_pull(struct qrt__tls_stream *stream, void *buf, size_t n, size_t *ret_n)
{
	return qrt__stream_try_read(stream->layer.below, buf, n, ret_n);
}

/* As much of @data as goes down now. */
static enum qrt_err send_down(struct qrt__tls_stream *stream, const char *data, size_t n,
			      size_t *ret_n)
{
	size_t sent = 0;
	enum qrt_err err = QRT_OK;
	while (!err && sent < n) {
		const struct iovec iov = {.iov_base = (void *)(uintptr_t)(data + sent),
					  .iov_len = n - sent};
		size_t done;
		err = qrt__stream_try_write(stream->layer.below, &iov, 1, &done);
		sent += err ? 0 : done;
	}
	*ret_n = sent;
	if (err && err != QRT_EAGAIN) {
		stream->broken = err;
		return err;
	}
	return QRT_OK;
}

static enum qrt_err keep(struct qrt__tls_stream *stream, const char *data, size_t n)
{
	size_t used = stream->waiting_at + stream->waiting_n;
	if (stream->waiting_n + n > WAITING_MAX) {
		return QRT_ELIMIT;
	}
	if (used + n > stream->waiting_room) {
		char *more = realloc(stream->waiting, used + n);
		if (!more) {
			return QRT_ENOMEM;
		}
		stream->waiting = more;
		stream->waiting_room = used + n;
	}
	memcpy(stream->waiting + used, data, n);
	stream->waiting_n += n;
	return QRT_OK;
}

enum qrt_err qrt__tls_push(struct qrt__tls_stream *stream, const void *data, size_t n)
{
	size_t sent = 0;
	enum qrt_err err = stream->broken;
	if (!err && stream->waiting_n == 0) {
		err = send_down(stream, data, n, &sent);
	}
	return err || sent == n ? err : keep(stream, (const char *)data + sent, n - sent);
}

static void nothing_waits(struct qrt__tls_stream *stream)
{
	free(stream->waiting);
	stream->waiting = NULL;
	stream->waiting_n = stream->waiting_at = stream->waiting_room = 0;
}

static enum qrt_err tls_flush(struct qrt__layer *layer)
{
	struct qrt__tls_stream *stream = stream_of(layer);
	if (stream->broken) {
		return stream->broken;
	}
	if (stream->waiting_n > 0) {
		size_t sent;
		enum qrt_err err = send_down(stream, stream->waiting + stream->waiting_at,
					     stream->waiting_n, &sent);
		stream->waiting_at += sent;
		stream->waiting_n -= sent;
		if (err || stream->waiting_n > 0) {
			return err ? err : QRT_EAGAIN;
		}
		nothing_waits(stream);
	}
	return qrt__stream_try_flush(layer->below);
}

/* --- the layer ------------------------------------------------------------------------------- */

static enum qrt_err tls_read(struct qrt__layer *layer, void *buf, size_t n, size_t *ret_n)
{
	struct qrt__tls_stream *stream = stream_of(layer);
	if (stream->waiting_n > 0) {
		/* An answer to what was read before; or a writer's, who then hears of it. */
		QRT_IGNORE(tls_flush(layer), "a failure is kept for who writes");
	}
	return qrt__tls_conn_read(stream->conn, buf, n, ret_n);
}

/* A record of small slices is better than a record for each. Returns how much is in @to. */
static size_t gather(const struct iovec *iov, size_t n_iov, char *to, size_t room)
{
	size_t n = 0;
	for (size_t i = 0; i < n_iov && n < room; i++) {
		size_t take = iov[i].iov_len < room - n ? iov[i].iov_len : room - n;
		memcpy(to + n, iov[i].iov_base, take);
		n += take;
	}
	return n;
}

static enum qrt_err write_record(struct qrt__tls_stream *stream, const struct iovec *iov,
				 size_t n_iov, size_t *ret_n)
{
	char record[QRT__TLS_RECORD_MAX]; /* this is the loop's stack */
	if (n_iov == 1 || iov->iov_len >= sizeof(record)) {
		return qrt__tls_conn_write(stream->conn, iov->iov_base, iov->iov_len, ret_n);
	}
	size_t n = gather(iov, n_iov, record, sizeof(record));
	enum qrt_err err = qrt__tls_conn_write(stream->conn, record, n, ret_n);
	explicit_bzero(record, n);
	return err;
}

static enum qrt_err tls_write(struct qrt__layer *layer, const struct iovec *iov, size_t n_iov,
			      size_t *ret_n)
{
	struct qrt__tls_stream *stream = stream_of(layer);
	if (stream->spoiled) {
		return QRT_ESTATE;
	}
	enum qrt_err err = stream->waiting_n > 0 ? tls_flush(layer) : QRT_OK;
	return err ? err : write_record(stream, iov, n_iov, ret_n);
}

static enum qrt_err tls_end(struct qrt__layer *layer)
{
	struct qrt__tls_stream *stream = stream_of(layer);
	if (stream->spoiled) {
		return QRT_ESTATE;
	}
	qrt__tls_conn_end(stream->conn);
	return stream->broken;
}

static void tls_spoil(struct qrt__layer *layer)
{
	stream_of(layer)->spoiled = true;
}

static void tls_close(struct qrt__layer *layer)
{
	struct qrt__tls_stream *stream = stream_of(layer);
	bool whole = stream->ready && !stream->spoiled && !layer->writing;
	if (whole && stream->conn) {
		qrt__tls_conn_end(stream->conn);
		QRT_IGNORE(tls_flush(layer), "it was to be tried");
	}
	nothing_waits(stream);
	qrt__tls_conn_destroy(&stream->conn);
}

static const char *tls_why(const struct qrt__layer *layer)
{
	const struct qrt__tls_stream *stream =
	    QRT__CONTAINER(layer, const struct qrt__tls_stream, layer);
	if (stream->spoiled) {
		return "a write was given up half-way";
	}
	return stream->conn ? qrt__tls_conn_why(stream->conn) : "";
}

static const struct qrt__layer_ops tls_ops = {
    .name = "TLS stream",
    .read = tls_read,
    .write = tls_write,
    .flush = tls_flush,
    .end = tls_end,
    .spoil = tls_spoil,
    .close = tls_close,
    .why = tls_why,
};

/* --- the handshake --------------------------------------------------------------------------- */

/* What is done of it on the loop's stack. */
struct handshake {
	struct qrt__tls_stream *stream;
	struct qrt_tls *tls;
	const char *host;
	enum qrt_err err;
	enum qrt__io io; /* with EAGAIN: what to wait for */
	char detail[QRT_DETAIL];
};

/* "example.com:443", from the host as it was given and the port that was connected to. */
static const char *session_key(const char *host, const char *peer, char key[SESSION_KEY_MAX])
{
	const char *port = strrchr(peer, ':');
	if (!host) {
		return NULL;
	}
	snprintf(key, SESSION_KEY_MAX, "%s%s", host, port ? port : "");
	return key;
}

static void begin(void *arg)
{
	struct handshake *handshake = arg;
	struct qrt__tls_stream *stream = handshake->stream;
	struct qrt_runtime *rt = stream->layer.rt;
	char key[SESSION_KEY_MAX];
	struct qrt__tls_ctx *ctx;
	const struct qrt__tls_conn_options opts = {
	    .stream = stream,
	    .host = handshake->host,
	    .session = session_key(handshake->host, qrt_stream_peer(stream->layer.below), key),
	    .wall_s = rt->driver->wall_ms(rt) / 1000,
	};
	handshake->err = qrt__tls_ctx_for(rt, handshake->tls, handshake->detail, &ctx);
	if (!handshake->err) {
		handshake->err = qrt__tls_conn_create(ctx, &opts, &stream->conn);
		qrt__tls_ctx_unref(&ctx);
	}
}

/* As far as it goes. What is said is sent before anything is waited for, also a last word. */
static void advance(void *arg)
{
	struct handshake *handshake = arg;
	struct qrt__tls_stream *stream = handshake->stream;
	enum qrt_err err = stream->ready ? QRT_OK : qrt__tls_conn_handshake(stream->conn);
	stream->ready = !err;
	handshake->io = QRT__IO_READ;
	enum qrt_err flushed = tls_flush(&stream->layer);
	if (flushed && (!err || err == QRT_EAGAIN)) {
		handshake->io = QRT__IO_WRITE;
		err = flushed;
	}
	handshake->err = err;
}

/* Frees nothing: after ECLOSED there may be nothing left. */
static enum qrt_err shake_hands(struct qrt_cx *cx, struct handshake *handshake)
{
	struct qrt__layer *layer = &handshake->stream->layer;
	int64_t deadline_ns = qrt_deadline_in(cx, qrt__tls_handshake_ns(handshake->tls));
	qrt__on_loop(cx, begin, handshake);
	while (!handshake->err) {
		qrt__on_loop(cx, advance, handshake);
		if (handshake->err != QRT_EAGAIN) {
			break;
		}
		handshake->err =
		    qrt__layer_wait(cx, layer, handshake->io, QRT__WAIT_TLS, deadline_ns);
	}
	if (handshake->err && handshake->err != QRT_ECLOSED && !handshake->detail[0]) {
		snprintf(handshake->detail, sizeof(handshake->detail), "%s", tls_why(layer));
	}
	return handshake->err;
}

static enum qrt_err check(struct qrt_cx *cx, const struct qrt_tls *tls, bool server,
			  const char *host)
{
	size_t n = host ? strnlen(host, QRT_HOST_MAX + 1) : 0;
	if (qrt__tls_is_server(tls) != server) {
		return qrt_fail(cx, QRT_EINVAL, "TLS: these are the options of a %s",
				server ? "client" : "server");
	}
	if (n > QRT_HOST_MAX || (n < 1 && qrt__tls_verifies(tls))) {
		return qrt_fail(cx, QRT_EINVAL, "TLS: a host name of %s bytes",
				n ? "more than 253" : "0");
	}
	return QRT_OK;
}

static enum qrt_err wrap(struct qrt_cx *cx, struct qrt_tls *tls, bool server, const char *host,
			 struct qrt_stream **stream)
{
	QRT__ANCHORED(cx); /* whatever becomes of the task: what was begun is closed */
	enum qrt_err err = qrt_cx_require(cx, QRT_CAP_NET);
	err = err ? err : check(cx, tls, server, host);
	err = err ? err : qrt__suspending(cx);
	if (err == QRT_ETHREAD) {
		return err;
	}
	struct qrt__layer *layer;
	err = err ? err : qrt__layer_open(cx, *stream, &tls_ops, &layer);
	if (err) {
		qrt_stream_close(cx, stream);
		return err;
	}
	*stream = qrt__handle(layer);
	struct handshake handshake = {.stream = stream_of(layer), .tls = tls, .host = host};
	err = shake_hands(cx, &handshake);
	if (!err) {
		return QRT_OK;
	}
	char with[QRT_HOST_MAX + 1];
	snprintf(with, sizeof(with), "%s", host ? host : qrt_stream_peer(*stream));
	qrt_stream_close(cx, stream);
	return qrt_fail(cx, err, "TLS with %s: %s", with,
			handshake.detail[0] ? handshake.detail : qrt_err_text(err));
}

enum qrt_err qrt_tls_accept(struct qrt_cx *cx, struct qrt_tls *tls, struct qrt_stream **stream)
{
	return wrap(cx, tls, true, NULL, stream);
}

enum qrt_err qrt_tls_connect(struct qrt_cx *cx, struct qrt_tls *tls, const char *host,
			     struct qrt_stream **stream)
{
	return wrap(cx, tls, false, host, stream);
}

enum qrt_err qrt_tls_info(const struct qrt_stream *handle, struct qrt_tls_info *ret_info)
{
	struct qrt__layer *layer = qrt__layer_of(handle);
	if (!layer || layer->ops != &tls_ops) {
		return qrt__handle_object(handle, QRT__STREAM_MAGIC) || layer ? QRT_EINVAL
									      : QRT_ESTALE;
	}
	qrt__tls_conn_info(stream_of(layer)->conn, ret_info);
	return QRT_OK;
}
