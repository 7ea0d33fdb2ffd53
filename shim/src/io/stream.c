/*
 * Sockets: streams and listeners over a driver's net. Every operation tries
 * first and parks only when the driver says it would have to wait; interest
 * stays armed between reads, so that a busy connection costs no system call
 * for it.
 */
#include <qrt/stream.h>

#include <stdio.h>
#include <string.h>

#include "shim/src/io/layer.h"
#include "shim/src/io/unix_name.h"

enum { PEER_MAX = 128, SLICES_MAX = 8 };

/* A listener is a socket and nothing more. */
struct stream {
	struct qrt__socket socket;
	char peer[PEER_MAX];
};
_Static_assert(sizeof(struct stream) <= QRT__SLOT_ALIGN, "a stream fits a slot of rt->objects");

static const struct qrt__net *net_of(const struct qrt_runtime *rt)
{
	return rt->driver->net;
}

/* --- sockets ------------------------------------------------------------------------------- */

static const char *socket_name(uint32_t magic)
{
	return magic == QRT__STREAM_MAGIC     ? "stream"
	       : magic == QRT__LISTENER_MAGIC ? "listener"
					      : "set of signals";
}

static void socket_free(struct qrt__socket *socket)
{
	qrt__pool_give(&socket->rt->objects, socket);
}

static void socket_release(void *arg)
{
	qrt__socket_close(arg);
}

enum qrt_err qrt__socket_open(struct qrt_cx *cx, int fd, uint32_t magic, const char *site,
			      struct qrt__socket **ret_socket)
{
	struct qrt_runtime *rt = cx->task->rt;
	enum qrt_err err = QRT_ENOMEM;
	struct qrt__socket *socket = qrt__pool_take(&rt->objects, magic);
	if (socket) {
		socket->rt = rt;
		socket->fd = fd;
		err = qrt_oblige_at(cx, QRT_DUTY_STREAM, socket_name(magic), socket_release, socket,
				    site, &socket->duty);
	}
	if (!err) {
		err = net_of(rt)->open(socket);
		if (err) {
			QRT_IGNORE(qrt_settle(&socket->duty), "nothing was opened");
		}
	}
	if (err) {
		if (socket) {
			socket_free(socket);
		}
		net_of(rt)->close_fd(rt, fd);
		return err;
	}
	QRT__COUNT(rt->streams_live, 1);
	*ret_socket = socket;
	return QRT_OK;
}

static enum qrt_err foreign(struct qrt_cx *cx, const struct qrt__socket *socket, uint32_t magic)
{
	return qrt_fail(cx, QRT_EINVAL, "the %s is one of runtime %s", socket_name(magic),
			socket->rt->name);
}

enum qrt_err qrt__socket_find(struct qrt_cx *cx, const void *handle, uint32_t magic,
			      struct qrt__socket **ret_socket)
{
	enum qrt_err err = qrt__is_running(cx);
	if (err) {
		return err;
	}
	struct qrt__socket *socket = qrt__handle_object(handle, magic);
	if (!socket) {
		return qrt_fail(cx, QRT_ESTALE, "the %s has been closed", socket_name(magic));
	}
	*ret_socket = socket;
	return socket->rt == cx->task->rt ? QRT_OK : foreign(cx, socket, magic);
}

/* Of a handle that is no socket's: as qrt__socket_find. */
static enum qrt_err layer_find(struct qrt_cx *cx, const struct qrt_stream *handle,
			       struct qrt__layer **ret_layer)
{
	struct qrt__layer *layer = qrt__layer_of(handle);
	if (!layer) {
		return qrt_fail(cx, QRT_ESTALE, "the stream has been closed");
	}
	if (layer->rt != cx->task->rt) {
		return qrt_fail(cx, QRT_EINVAL, "the stream is one of runtime %s", layer->rt->name);
	}
	*ret_layer = layer;
	return QRT_OK;
}

/* What a stream is: the one or the other comes out, the other is NULL. */
static inline enum qrt_err find_stream(struct qrt_cx *cx, const struct qrt_stream *handle,
				       struct qrt__socket **ret_socket,
				       struct qrt__layer **ret_layer)
{
	enum qrt_err err = qrt__is_running(cx);
	*ret_socket = NULL;
	*ret_layer = NULL;
	if (err) {
		return err;
	}
	struct qrt__socket *socket = qrt__handle_object(handle, QRT__STREAM_MAGIC);
	*ret_socket = socket;
	if (__builtin_expect(!socket, 0)) {
		return layer_find(cx, handle, ret_layer);
	}
	return socket->rt == cx->task->rt ? QRT_OK : foreign(cx, socket, QRT__STREAM_MAGIC);
}

static void arm(struct qrt__socket *socket, unsigned io)
{
	if (socket->armed != io) {
		socket->armed = io;
		net_of(socket->rt)->arm(socket, io);
	}
}

static void wake(struct qrt__wait **waiter, enum qrt_err result)
{
	struct qrt__wait *wait = *waiter;
	if (wait) {
		*waiter = NULL;
		qrt__unpark(wait, result);
	}
}

void qrt__socket_ready(struct qrt__socket *socket, unsigned io)
{
	qrt__trace(socket->rt, QRT__TRACE_IO, (uint64_t)socket->fd, io);
	if (io & QRT__IO_READ) {
		socket->dry = false;
		if (!socket->reader) {
			/* Nobody asks: do not be told again and again. */
			arm(socket, socket->armed & ~(unsigned)QRT__IO_READ);
		}
		wake(&socket->reader, QRT_OK);
	}
	if (io & QRT__IO_HANGUP) {
		socket->hung_up = true;
		arm(socket, socket->armed & ~(unsigned)QRT__IO_HANGUP);
		if (socket->on_hangup) {
			socket->on_hangup(socket->hangup_arg);
		}
	}
	if (io & QRT__IO_WRITE) {
		arm(socket, socket->armed & ~(unsigned)QRT__IO_WRITE);
		wake(&socket->writer, QRT_OK);
	}
}

static void abort_reader(struct qrt__wait *wait, enum qrt_err why)
{
	/* The object of the wait is the socket; const only for dumps. */
	struct qrt__socket *socket = (struct qrt__socket *)(uintptr_t)wait->object;
	socket->reader = NULL;
	qrt__unpark(wait, why);
}

static void abort_writer(struct qrt__wait *wait, enum qrt_err why)
{
	struct qrt__socket *socket = (struct qrt__socket *)(uintptr_t)wait->object;
	socket->writer = NULL;
	qrt__unpark(wait, why);
}

enum qrt_err qrt__socket_wait_until(struct qrt_cx *cx, struct qrt__socket *socket, enum qrt__io io,
				    enum qrt__wait_kind kind, int64_t deadline_ns)
{
	struct qrt__wait **slot = io == QRT__IO_READ ? &socket->reader : &socket->writer;
	if (*slot) {
		return qrt_fail(cx, QRT_EBUSY, "another task waits for this stream's %s",
				qrt__wait_name(kind));
	}
	/* In a finalizer what can be done at once is done; nothing is waited for. */
	enum qrt_err err = qrt__may_suspend(cx);
	if (err) {
		return err;
	}
	struct qrt__wait wait;
	qrt__wait_init(&wait, cx, kind, socket, io == QRT__IO_READ ? abort_reader : abort_writer);
	*slot = &wait;
	/* Together with another interest the hang-up costs nothing. */
	bool listens = socket->on_hangup && !socket->hung_up;
	arm(socket, socket->armed | io | (listens ? QRT__IO_HANGUP : 0u));
	socket->users++;
	err = qrt__park(cx, &wait, deadline_ns);
	socket->users--;
	if (!socket->closed) {
		return err;
	}
	if (socket->users == 0) {
		socket_free(socket);
	}
	return QRT_ECLOSED;
}

void qrt__socket_close(struct qrt__socket *socket)
{
	struct qrt_runtime *rt = socket->rt;
	socket->closed = true;
	socket->slot.magic = 0; /* its handles are stale from here on */
	QRT_IGNORE(qrt_settle(&socket->duty), "the ledger itself may be closing it");
	wake(&socket->reader, QRT_ECLOSED);
	wake(&socket->writer, QRT_ECLOSED);
	net_of(rt)->close(socket);
	QRT__COUNT(rt->streams_live, -1);
	if (socket->users == 0) {
		socket_free(socket);
	}
}

/* How every operation on a socket begins. */
static enum qrt_err enter(struct qrt_cx *cx, const void *handle, uint32_t magic,
			  struct qrt__socket **ret_socket)
{
	enum qrt_err err = qrt_cx_require(cx, QRT_CAP_NET);
	if (!err) {
		err = qrt__socket_find(cx, handle, magic, ret_socket);
	}
	return err ? err : qrt_checkpoint(cx);
}

/*
 * The same for a stream. No socket comes out when it is a layer: then that does.
 */
static enum qrt_err enter_stream(struct qrt_cx *cx, const struct qrt_stream *handle,
				 struct qrt__socket **ret_socket, struct qrt__layer **ret_layer)
{
	enum qrt_err err = qrt_cx_require(cx, QRT_CAP_NET);
	if (!err) {
		err = find_stream(cx, handle, ret_socket, ret_layer);
	}
	return err ? err : qrt_checkpoint(cx);
}

/* --- descriptors --------------------------------------------------------------------------- */

/*
 * Where an address and a port are, as text. Of a Unix socket's name the driver need not say what
 * is wrong with it. Errors: EINVAL.
 */
static enum qrt_err place_of(struct qrt_cx *cx, const char *address, uint16_t port,
			     char ret_text[PEER_MAX])
{
	char detail[QRT__DETAIL_MAX];
	struct qrt__unix_name name;
	if (!qrt__is_unix(address)) {
		snprintf(ret_text, PEER_MAX, "%s:%u", address, port);
		return QRT_OK;
	}
	enum qrt_err err = qrt__unix_name_parse(address, &name, detail);
	snprintf(ret_text, PEER_MAX, "%s", address);
	return err ? qrt_fail(cx, err, "%s: %s", ret_text, detail) : QRT_OK;
}

enum qrt_err qrt_socket_listen(struct qrt_cx *cx, const char *address, uint16_t port, int *ret_fd,
			       uint16_t *ret_port)
{
	struct qrt_runtime *rt = cx->task->rt;
	char detail[QRT__DETAIL_MAX] = "", place[PEER_MAX];
	enum qrt_err err = qrt_cx_require(cx, QRT_CAP_NET);
	err = err ? err : place_of(cx, address, port, place);
	if (err) {
		return err;
	}
	err = net_of(rt)->listen(rt, address, port, ret_fd, ret_port, detail);
	return err ? qrt_fail(cx, err, "listen on %s: %s", place, detail) : QRT_OK;
}

enum qrt_err qrt_socket_dup(struct qrt_cx *cx, int fd, int *ret_fd)
{
	enum qrt_err err = qrt_cx_require(cx, QRT_CAP_NET);
	return err ? err : net_of(cx->task->rt)->dup(cx->task->rt, fd, ret_fd);
}

void qrt_socket_close(struct qrt_cx *cx, int fd)
{
	net_of(cx->task->rt)->close_fd(cx->task->rt, fd);
}

/* --- listeners ------------------------------------------------------------------------------ */

/* A socket over @fd, or the fd is closed. */
static enum qrt_err adopt(struct qrt_cx *cx, int fd, uint32_t magic, const char *site,
			  struct qrt__socket **ret_socket)
{
	struct qrt_runtime *rt = cx->task->rt;
	enum qrt_err err = qrt_cx_require(cx, QRT_CAP_NET);
	if (err) {
		net_of(rt)->close_fd(rt, fd);
		return err;
	}
	return qrt__socket_open(cx, fd, magic, site, ret_socket);
}

enum qrt_err qrt_listener_adopt_at(struct qrt_cx *cx, int fd, const char *site,
				   struct qrt_listener **ret_listener)
{
	struct qrt__socket *socket;
	enum qrt_err err = adopt(cx, fd, QRT__LISTENER_MAGIC, site, &socket);
	if (!err) {
		*ret_listener = qrt__handle(socket);
	}
	return err;
}

static enum qrt_err adopt_stream(struct qrt_cx *cx, int fd, const char *peer, const char *site,
				 struct stream **ret_stream)
{
	struct qrt__socket *socket;
	enum qrt_err err = qrt__socket_open(cx, fd, QRT__STREAM_MAGIC, site, &socket);
	if (!err) {
		struct stream *stream = QRT__CONTAINER(socket, struct stream, socket);
		snprintf(stream->peer, sizeof(stream->peer), "%s", peer);
		*ret_stream = stream;
	}
	return err;
}

enum qrt_err qrt_accept_at(struct qrt_cx *cx, struct qrt_listener *listener, const char *site,
			   struct qrt_stream **ret_stream)
{
	struct qrt__socket *socket;
	enum qrt_err err = enter(cx, listener, QRT__LISTENER_MAGIC, &socket);
	while (!err) {
		int fd;
		char peer[PEER_MAX] = "";
		err = net_of(socket->rt)->accept(socket, &fd, peer);
		if (!err) {
			struct stream *stream;
			err = adopt_stream(cx, fd, peer, site, &stream);
			if (!err) {
				*ret_stream = qrt__handle(stream);
			}
			return err;
		}
		if (err == QRT_EAGAIN) {
			err = qrt__socket_wait(cx, socket, QRT__IO_READ, QRT__WAIT_ACCEPT);
		}
	}
	return err;
}

static void close_handle(const void *handle, uint32_t magic)
{
	struct qrt__socket *socket = qrt__handle_object(handle, magic);
	if (socket) {
		qrt__socket_close(socket);
	}
}

void qrt_listener_close(struct qrt_cx *cx, struct qrt_listener **listener)
{
	(void)cx;
	close_handle(*listener, QRT__LISTENER_MAGIC);
	*listener = NULL;
}

/* --- streams -------------------------------------------------------------------------------- */

enum qrt_err qrt_stream_adopt_at(struct qrt_cx *cx, int fd, const char *site,
				 struct qrt_stream **ret_stream)
{
	struct qrt__socket *socket;
	enum qrt_err err = adopt(cx, fd, QRT__STREAM_MAGIC, site, &socket);
	if (!err) {
		*ret_stream = qrt__handle(socket);
	}
	return err;
}

enum qrt_err qrt_stream_give(struct qrt_cx *cx, struct qrt_stream *handle, struct qrt_region *to)
{
	struct qrt__socket *socket;
	struct qrt__layer *layer;
	enum qrt_err err = find_stream(cx, handle, &socket, &layer);
	struct qrt__region *region = qrt__region_of(to);
	if (!err && !region) {
		err = qrt_fail(cx, QRT_ESTALE, "the region has been closed");
	}
	if (!err) {
		struct qrt_cx there = *cx;
		there.region = region;
		err = qrt_duty_give(socket ? &socket->duty : &layer->duty, &there);
	}
	return err;
}

enum qrt_err qrt__stream_release(struct qrt_cx *cx, struct qrt_stream *stream, int *ret_fd)
{
	struct qrt__socket *socket;
	struct qrt__layer *layer;
	enum qrt_err err = find_stream(cx, stream, &socket, &layer);
	if (!err && layer) {
		err = qrt_fail(cx, QRT_ENOTSUP, "a %s has no descriptor of its own",
			       layer->ops->name);
	}
	return err ? err : net_of(socket->rt)->dup(socket->rt, socket->fd, ret_fd);
}

/* Until the connection is made or refused. */
static enum qrt_err connected(struct qrt_cx *cx, struct qrt__socket *socket)
{
	enum qrt_err err = qrt__socket_wait(cx, socket, QRT__IO_WRITE, QRT__WAIT_CONNECT);
	return err ? err : net_of(socket->rt)->connect_result(socket);
}

enum qrt_err qrt_connect_at(struct qrt_cx *cx, const char *address, uint16_t port, const char *site,
			    struct qrt_stream **ret_stream)
{
	struct qrt_runtime *rt = cx->task->rt;
	enum qrt_err err = qrt_cx_require(cx, QRT_CAP_NET);
	char peer[PEER_MAX];
	err = err ? err : place_of(cx, address, port, peer);
	if (!err) {
		err = qrt__suspending(cx);
	}
	if (err) {
		return err;
	}
	int fd;
	enum qrt_err begun = net_of(rt)->connect(rt, address, port, &fd);
	if (begun && begun != QRT_EAGAIN) {
		return qrt_fail(cx, begun, "connect to %s: %s", peer, qrt_err_text(begun));
	}
	struct stream *stream;
	err = adopt_stream(cx, fd, peer, site, &stream);
	if (err) {
		return err;
	}
	struct qrt_stream *handle = qrt__handle(stream);
	if (begun == QRT_EAGAIN) {
		err = connected(cx, &stream->socket);
	}
	if (err) {
		qrt_stream_close(cx, &handle);
		return qrt_fail(cx, err, "connect to %s: %s", peer, qrt_err_text(err));
	}
	*ret_stream = handle;
	return QRT_OK;
}

/* Tries once. */
static inline enum qrt_err socket_read(struct qrt__socket *socket, void *buf, size_t n,
				       size_t *ret_n)
{
	size_t got;
	enum qrt_err err =
	    socket->dry ? QRT_EAGAIN : net_of(socket->rt)->read(socket, buf, n, &got);
	if (!err) {
		/* A short read has emptied it: the next one waits before it tries. */
		socket->dry = got < n;
		*ret_n = got;
	} else if (err == QRT_EAGAIN) {
		socket->dry = true;
	}
	return err;
}

enum qrt_err qrt_read(struct qrt_cx *cx, struct qrt_stream *stream, void *buf, size_t n,
		      size_t *ret_n)
{
	struct qrt__socket *socket;
	struct qrt__layer *layer;
	enum qrt_err err = enter_stream(cx, stream, &socket, &layer);
	if (!err && __builtin_expect(!socket, 0)) {
		return qrt__layer_read(cx, layer, buf, n, ret_n);
	}
	while (!err) {
		err = socket_read(socket, buf, n, ret_n);
		if (err != QRT_EAGAIN) {
			return err;
		}
		err = qrt__socket_wait(cx, socket, QRT__IO_READ, QRT__WAIT_READ);
	}
	return err;
}

size_t qrt__iov_skip(struct iovec *iov, size_t n_iov, size_t done)
{
	size_t first = 0;
	while (first < n_iov && done >= iov[first].iov_len) {
		done -= iov[first].iov_len;
		first++;
	}
	if (first < n_iov) {
		iov[first].iov_base = (char *)iov[first].iov_base + done;
		iov[first].iov_len -= done;
	}
	return first;
}

enum qrt_err qrt_writev(struct qrt_cx *cx, struct qrt_stream *stream,
			const struct qrt_slice *slices, size_t n_slices)
{
	if (n_slices > SLICES_MAX) {
		return qrt_fail(cx, QRT_EINVAL, "%zu slices in one write", n_slices);
	}
	struct iovec iov[SLICES_MAX];
	for (size_t i = 0; i < n_slices; i++) {
		iov[i].iov_base = (void *)(uintptr_t)slices[i].data;
		iov[i].iov_len = slices[i].len;
	}
	size_t at = qrt__iov_skip(iov, n_slices, 0);
	struct qrt__socket *socket;
	struct qrt__layer *layer;
	enum qrt_err err = enter_stream(cx, stream, &socket, &layer);
	if (!err && __builtin_expect(!socket, 0)) {
		return qrt__layer_writev(cx, layer, iov + at, n_slices - at);
	}
	if (!err && socket->writer) {
		err = qrt_fail(cx, QRT_EBUSY, "another task writes to this stream");
	}
	while (!err && at < n_slices) {
		size_t done;
		err = net_of(socket->rt)->write(socket, iov + at, n_slices - at, &done);
		if (!err) {
			at += qrt__iov_skip(iov + at, n_slices - at, done);
		} else if (err == QRT_EAGAIN) {
			err = qrt__socket_wait(cx, socket, QRT__IO_WRITE, QRT__WAIT_WRITE);
		}
	}
	return err;
}

enum qrt_err qrt_write(struct qrt_cx *cx, struct qrt_stream *stream, const void *data, size_t n)
{
	const struct qrt_slice slice = {.data = data, .len = n};
	return qrt_writev(cx, stream, &slice, 1);
}

enum qrt_err qrt_stream_shutdown(struct qrt_cx *cx, struct qrt_stream *stream)
{
	struct qrt__socket *socket;
	struct qrt__layer *layer;
	enum qrt_err err = qrt_cx_require(cx, QRT_CAP_NET);
	if (!err) {
		err = find_stream(cx, stream, &socket, &layer);
	}
	if (err) {
		return err;
	}
	return socket ? net_of(socket->rt)->shutdown(socket) : qrt__layer_shutdown(cx, layer);
}

void qrt__stream_drop(struct qrt_stream **stream)
{
	struct qrt__layer *layer = qrt__layer_of(*stream);
	if (layer) {
		qrt__layer_close(layer);
	} else {
		close_handle(*stream, QRT__STREAM_MAGIC);
	}
	*stream = NULL;
}

/* Below all layers. */
static struct qrt__socket *bottom_of(struct qrt_stream *stream)
{
	struct qrt__layer *layer;
	while ((layer = qrt__layer_of(stream))) {
		stream = layer->below;
	}
	return qrt__handle_object(stream, QRT__STREAM_MAGIC);
}

void qrt__stream_on_hangup(struct qrt_stream *stream, void (*fn)(void *arg), void *arg)
{
	struct qrt__socket *socket = bottom_of(stream);
	QRT_PRE(socket);
	socket->on_hangup = fn;
	socket->hangup_arg = arg;
}

void qrt__stream_break(struct qrt_stream *stream)
{
	struct qrt__socket *socket = bottom_of(stream);
	struct qrt__layer *layer;
	QRT_PRE(socket);
	/* No layer may say that this is the end. */
	for (; (layer = qrt__layer_of(stream)); stream = layer->below) {
		layer->ops->spoil(layer);
	}
	net_of(socket->rt)->reset(socket);
}

void qrt_stream_close(struct qrt_cx *cx, struct qrt_stream **stream)
{
	(void)cx;
	qrt__stream_drop(stream);
}

const char *qrt_stream_peer(const struct qrt_stream *handle)
{
	const struct qrt__layer *layer = qrt__layer_of(handle);
	if (layer) {
		return qrt_stream_peer(layer->below);
	}
	const struct stream *stream = qrt__handle_object(handle, QRT__STREAM_MAGIC);
	return stream ? stream->peer : "";
}

/* --- below a layer --------------------------------------------------------------------------- */

/* The same handle would stand for whoever had it before. */
static struct qrt_stream *renew(struct qrt__slot *slot)
{
	slot->generation += 2;
	return qrt__handle(slot);
}

enum qrt_err qrt__stream_take(struct qrt_cx *cx, struct qrt_stream *stream,
			      struct qrt_duty *ret_duty, struct qrt_stream **ret_stream)
{
	struct qrt__socket *socket;
	struct qrt__layer *layer;
	enum qrt_err err = find_stream(cx, stream, &socket, &layer);
	if (err) {
		return err;
	}
	if (socket ? socket->users > 0 : layer->users > 0 || layer->writing) {
		return qrt_fail(cx, QRT_EBUSY, "another task uses this stream");
	}
	struct qrt_duty *duty = socket ? &socket->duty : &layer->duty;
	*ret_duty = *duty;
	*duty = (struct qrt_duty){0};
	*ret_stream = renew(socket ? &socket->slot : &layer->slot);
	return QRT_OK;
}

enum qrt_err qrt__stream_wait(struct qrt_cx *cx, struct qrt_stream *stream, enum qrt__io io,
			      enum qrt__wait_kind kind, int64_t deadline_ns)
{
	struct qrt__layer *layer = qrt__layer_of(stream);
	if (layer) {
		return qrt__layer_wait(cx, layer, io, kind, deadline_ns);
	}
	struct qrt__socket *socket = qrt__handle_object(stream, QRT__STREAM_MAGIC);
	QRT_ASSERT(socket);
	return qrt__socket_wait_until(cx, socket, io, kind, deadline_ns);
}

enum qrt_err qrt__stream_try_read(struct qrt_stream *stream, void *buf, size_t n, size_t *ret_n)
{
	struct qrt__layer *layer = qrt__layer_of(stream);
	if (layer) {
		return layer->ops->read(layer, buf, n, ret_n);
	}
	struct qrt__socket *socket = qrt__handle_object(stream, QRT__STREAM_MAGIC);
	QRT_ASSERT(socket);
	return socket_read(socket, buf, n, ret_n);
}

enum qrt_err qrt__stream_try_write(struct qrt_stream *stream, const struct iovec *iov, size_t n_iov,
				   size_t *ret_n)
{
	struct qrt__layer *layer = qrt__layer_of(stream);
	if (layer) {
		return layer->ops->write(layer, iov, n_iov, ret_n);
	}
	struct qrt__socket *socket = qrt__handle_object(stream, QRT__STREAM_MAGIC);
	QRT_ASSERT(socket);
	return net_of(socket->rt)->write(socket, iov, n_iov, ret_n);
}

enum qrt_err qrt__stream_try_flush(struct qrt_stream *stream)
{
	struct qrt__layer *layer = qrt__layer_of(stream);
	return layer ? layer->ops->flush(layer) : QRT_OK;
}

/* What is read on the loop's own stack. */
struct look {
	struct qrt_stream *stream;
	void *buf;
	size_t n, got;
	enum qrt_err err;
};

static void look(void *arg)
{
	struct look *now = arg;
	now->err = qrt__stream_try_read(now->stream, now->buf, now->n, &now->got);
}

static enum qrt_err layer_look(struct qrt_cx *cx, struct qrt_stream *stream, void *buf, size_t n,
			       size_t *ret_n)
{
	struct look now = {.stream = stream, .buf = buf, .n = n};
	qrt__on_loop(cx, look, &now);
	if (!now.err) {
		*ret_n = now.got;
	}
	return now.err;
}

bool qrt__stream_is_dry(const struct qrt_stream *stream)
{
	const struct qrt__socket *socket = qrt__handle_object(stream, QRT__STREAM_MAGIC);
	return socket && socket->dry;
}

enum qrt_err qrt__read_try(struct qrt_cx *cx, struct qrt_stream *stream, void *buf, size_t n,
			   size_t *ret_n)
{
	struct qrt__socket *socket;
	struct qrt__layer *layer;
	enum qrt_err err = enter_stream(cx, stream, &socket, &layer);
	if (err) {
		return err;
	}
	return socket ? socket_read(socket, buf, n, ret_n) : layer_look(cx, stream, buf, n, ret_n);
}

enum qrt_err qrt__read_now(struct qrt_cx *cx, struct qrt_stream *stream, void *buf, size_t n,
			   size_t *ret_n)
{
	struct qrt__socket *socket;
	struct qrt__layer *layer;
	enum qrt_err err = find_stream(cx, stream, &socket, &layer);
	if (err) {
		return err;
	}
	/* Whether the last read has emptied it does not tell what has come since. */
	bottom_of(stream)->dry = false;
	return socket ? socket_read(socket, buf, n, ret_n) : layer_look(cx, stream, buf, n, ret_n);
}
