/*
 * Layers: streams over a stream. A layer takes over the stream below it and
 * is used by the same calls (qrt/stream.h). It never waits: like a driver's
 * net, each of its operations tries once and says EAGAIN, and the wait is for
 * the socket at the bottom. So a layer runs on every driver, and over another.
 *
 * Operations run on the loop's own stack (they may go deep), one at a time,
 * with other tasks in between only where one waits.
 */
#ifndef QRT_LAYER_H
#define QRT_LAYER_H

#include "shim/src/internal.h"

#define QRT__LAYER_MAGIC 0x71724e40u

struct qrt__layer;

struct qrt__layer_ops {
	const char *name; /* "TLS stream": static */
	/* At least one byte. EAGAIN: the stream below must be readable first. */
	enum qrt_err (*read)(struct qrt__layer *layer, void *buf, size_t n, size_t *ret_n);
	/*
	 * Takes some of it, which counts as sent. EAGAIN: nothing, for what was taken earlier has
	 * to go down first, and the stream below must be writable for that.
	 */
	enum qrt_err (*write)(struct qrt__layer *layer, const struct iovec *iov, size_t n_iov,
			      size_t *ret_n);
	/* Sends down what was taken. EAGAIN: the stream below must be writable first. */
	enum qrt_err (*flush)(struct qrt__layer *layer);
	/* Nothing more will be written; flush sends what says so. Any number of times. */
	enum qrt_err (*end)(struct qrt__layer *layer);
	/* A write was given up half-way: nothing that follows may look as if it belonged to it. */
	void (*spoil)(struct qrt__layer *layer);
	/* What went wrong, in words; "" when the error says it all. */
	const char *(*why)(const struct qrt__layer *layer);
	/* Frees what it has but its slot. What can still be said at once may be; below is open. */
	void (*close)(struct qrt__layer *layer);
};

/* First member of a layer's own struct, which lives in rt->objects. */
struct qrt__layer {
	struct qrt__slot slot;
	struct qrt_duty duty; /* that of the stream it took over */
	struct qrt_runtime *rt;
	const struct qrt__layer_ops *ops;
	struct qrt_stream *below; /* nobody else has this handle */
	bool closed;		  /* freed when its last user is gone */
	bool writing;		  /* a task is in a write */
	unsigned users;		  /* tasks inside a wait for it, resumed or not */
};
#define QRT__LAYER_FITS(type)                                                                      \
	_Static_assert(sizeof(type) <= QRT__SLOT_ALIGN, "a layer fits a slot of rt->objects")

/* --- for layers: layer.c --------------------------------------------------------------------- */

/*
 * Puts a layer over @stream: all handles of that are stale from here on, and its region answers for
 * the layer instead. Errors: ENOMEM, ESTALE, EINVAL, EBUSY (a task waits on it); nothing changed.
 */
enum qrt_err qrt__layer_open(struct qrt_cx *cx, struct qrt_stream *stream,
			     const struct qrt__layer_ops *ops, struct qrt__layer **ret_layer);
/* What @handle stands for; NULL: no layer, or a stale one. */
static inline struct qrt__layer *qrt__layer_of(const void *handle)
{
	return qrt__handle_object(handle, QRT__LAYER_MAGIC);
}
/* Who waits gets ECLOSED. Closes what is below, too. */
void qrt__layer_close(struct qrt__layer *layer);
/* Parks until the socket at the bottom is ready. After ECLOSED the layer may be gone. */
enum qrt_err qrt__layer_wait(struct qrt_cx *cx, struct qrt__layer *layer, enum qrt__io io,
			     enum qrt__wait_kind kind, int64_t deadline_ns);

/* The stream below, whatever it is; none of these waits, all may be called on the loop's stack. */
enum qrt_err qrt__stream_try_read(struct qrt_stream *stream, void *buf, size_t n, size_t *ret_n);
enum qrt_err qrt__stream_try_write(struct qrt_stream *stream, const struct iovec *iov, size_t n_iov,
				   size_t *ret_n);
enum qrt_err qrt__stream_try_flush(struct qrt_stream *stream);

/* --- for stream.c: the calls of qrt/stream.h on a layer, which cx's task may use ----------------
 */

enum qrt_err qrt__layer_read(struct qrt_cx *cx, struct qrt__layer *layer, void *buf, size_t n,
			     size_t *ret_n);
/* @iov is used up. */
enum qrt_err qrt__layer_writev(struct qrt_cx *cx, struct qrt__layer *layer, struct iovec *iov,
			       size_t n_iov);
enum qrt_err qrt__layer_shutdown(struct qrt_cx *cx, struct qrt__layer *layer);

/* --- of stream.c ------------------------------------------------------------------------------ */

/* Drops @done bytes from the front of @iov; returns how many entries are used up. */
size_t qrt__iov_skip(struct iovec *iov, size_t n_iov, size_t done);
/*
 * Nobody but the caller knows @stream from here on: its handles are stale, it has no duty, and the
 * new handle is the caller's. Errors: ESTALE, EINVAL, EBUSY.
 */
enum qrt_err qrt__stream_take(struct qrt_cx *cx, struct qrt_stream *stream,
			      struct qrt_duty *ret_duty, struct qrt_stream **ret_stream);
/* Parks until @io can be tried again on the socket at the bottom, or until @deadline_ns. */
enum qrt_err qrt__stream_wait(struct qrt_cx *cx, struct qrt_stream *stream, enum qrt__io io,
			      enum qrt__wait_kind kind, int64_t deadline_ns);
/* As qrt_stream_close, for whoever has no cx. */
void qrt__stream_drop(struct qrt_stream **stream);

#endif
