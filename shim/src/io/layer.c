/* Streams over a stream: what every layer has in common. Waiting is done here and only here. */
#include "shim/src/io/layer.h"

/* --- the loop's own stack -------------------------------------------------------------------- */

/* Runs fn(arg) on the loop's own stack; whoever calls, also a loop. */
static void deeply(struct qrt_runtime *rt, void (*fn)(void *arg), void *arg)
{
	if (rt->current) {
		qrt__on_loop(&rt->current->cx, fn, arg);
	} else {
		fn(arg);
	}
}

/* What runs there. */
struct errand {
	struct qrt__layer *layer;
	void *buf;
	size_t n, done;
	struct iovec *iov;
	enum qrt_err err;
};

static void errand_read(void *arg)
{
	struct errand *errand = arg;
	errand->err =
	    errand->layer->ops->read(errand->layer, errand->buf, errand->n, &errand->done);
}

/* As much as goes without waiting. @n is the number of slices that are left. */
static void errand_write(void *arg)
{
	struct errand *errand = arg;
	struct qrt__layer *layer = errand->layer;
	enum qrt_err err = QRT_OK;
	while (!err && errand->n > 0) {
		size_t done;
		err = layer->ops->write(layer, errand->iov, errand->n, &done);
		if (!err) {
			size_t used = qrt__iov_skip(errand->iov, errand->n, done);
			errand->iov += used;
			errand->n -= used;
			errand->done += done;
		}
	}
	errand->err = err ? err : layer->ops->flush(layer);
}

static void errand_end(void *arg)
{
	struct errand *errand = arg;
	struct qrt__layer *layer = errand->layer;
	enum qrt_err err = layer->ops->end(layer);
	errand->err = err ? err : layer->ops->flush(layer);
}

static void errand_close(void *arg)
{
	struct qrt__layer *layer = arg;
	layer->ops->close(layer);
}

/* --- life ------------------------------------------------------------------------------------ */

static void layer_free(struct qrt__layer *layer)
{
	qrt__pool_give(&layer->rt->objects, layer);
}

static void layer_release(void *arg)
{
	qrt__layer_close(arg);
}

enum qrt_err qrt__layer_open(struct qrt_cx *cx, struct qrt_stream *stream,
			     const struct qrt__layer_ops *ops, struct qrt__layer **ret_layer)
{
	struct qrt_runtime *rt = cx->task->rt;
	struct qrt__layer *layer = qrt__pool_take(&rt->objects, QRT__LAYER_MAGIC);
	if (!layer) {
		return QRT_ENOMEM;
	}
	layer->rt = rt;
	layer->ops = ops;
	enum qrt_err err = qrt__stream_take(cx, stream, &layer->duty, &layer->below);
	if (err) {
		layer_free(layer);
		return err;
	}
	struct qrt__obligation *entry = qrt__duty_find(&layer->duty);
	QRT_ASSERT(entry);
	entry->what = ops->name;
	entry->release = layer_release;
	entry->arg = layer;
	*ret_layer = layer;
	return QRT_OK;
}

void qrt__layer_close(struct qrt__layer *layer)
{
	layer->closed = true;
	layer->slot.magic = 0; /* its handles are stale from here on */
	QRT_IGNORE(qrt_settle(&layer->duty), "the ledger itself may be closing it");
	deeply(layer->rt, errand_close, layer);
	qrt__stream_drop(&layer->below); /* wakes who waits */
	if (layer->users == 0) {
		layer_free(layer);
	}
}

enum qrt_err qrt__layer_wait(struct qrt_cx *cx, struct qrt__layer *layer, enum qrt__io io,
			     enum qrt__wait_kind kind, int64_t deadline_ns)
{
	layer->users++;
	enum qrt_err err = qrt__stream_wait(cx, layer->below, io, kind, deadline_ns);
	layer->users--;
	if (!layer->closed) {
		return err;
	}
	if (layer->users == 0) {
		layer_free(layer);
	}
	return QRT_ECLOSED;
}

/* --- operations ------------------------------------------------------------------------------ */

/* @err is of the layer's own operation. */
static enum qrt_err explain(struct qrt_cx *cx, const struct qrt__layer *layer, enum qrt_err err)
{
	const char *why = err && err != QRT_EEOF ? layer->ops->why(layer) : "";
	return *why ? qrt_fail(cx, err, "%s", why) : err;
}

enum qrt_err qrt__layer_read(struct qrt_cx *cx, struct qrt__layer *layer, void *buf, size_t n,
			     size_t *ret_n)
{
	struct errand errand = {.layer = layer, .buf = buf, .n = n};
	for (;;) {
		qrt__on_loop(cx, errand_read, &errand);
		if (errand.err != QRT_EAGAIN) {
			break;
		}
		enum qrt_err err =
		    qrt__layer_wait(cx, layer, QRT__IO_READ, QRT__WAIT_READ, QRT_NO_DEADLINE);
		if (err) {
			return err;
		}
	}
	if (!errand.err) {
		*ret_n = errand.done;
	}
	return explain(cx, layer, errand.err);
}

/* Until it is done; EAGAIN never comes out. After ECLOSED the layer may be gone. */
static enum qrt_err persist(struct qrt_cx *cx, struct errand *errand, void (*fn)(void *arg))
{
	struct qrt__layer *layer = errand->layer;
	for (;;) {
		qrt__on_loop(cx, fn, errand);
		if (errand->err != QRT_EAGAIN) {
			return explain(cx, layer, errand->err);
		}
		enum qrt_err err =
		    qrt__layer_wait(cx, layer, QRT__IO_WRITE, QRT__WAIT_WRITE, QRT_NO_DEADLINE);
		if (err) {
			return err;
		}
	}
}

/* The writer's place, which one task has at a time. */
static enum qrt_err begin_writing(struct qrt_cx *cx, struct qrt__layer *layer)
{
	if (layer->writing) {
		return qrt_fail(cx, QRT_EBUSY, "another task writes to this stream");
	}
	layer->writing = true;
	return QRT_OK;
}

enum qrt_err qrt__layer_writev(struct qrt_cx *cx, struct qrt__layer *layer, struct iovec *iov,
			       size_t n_iov)
{
	enum qrt_err err = begin_writing(cx, layer);
	if (err) {
		return err;
	}
	struct errand errand = {.layer = layer, .iov = iov, .n = n_iov};
	err = persist(cx, &errand, errand_write);
	if (err == QRT_ECLOSED) {
		return err;
	}
	layer->writing = false;
	if (err && errand.done > 0) {
		layer->ops->spoil(layer);
	}
	return err;
}

enum qrt_err qrt__layer_shutdown(struct qrt_cx *cx, struct qrt__layer *layer)
{
	enum qrt_err err = begin_writing(cx, layer);
	if (err) {
		return err;
	}
	struct errand errand = {.layer = layer};
	err = persist(cx, &errand, errand_end);
	if (err == QRT_ECLOSED) {
		return err;
	}
	if (!err) {
		layer->users++; /* a layer below may wait in turn */
		err = qrt_stream_shutdown(cx, layer->below);
		layer->users--;
	}
	layer->writing = false;
	if (layer->closed && layer->users == 0) {
		layer_free(layer);
	}
	return err;
}
