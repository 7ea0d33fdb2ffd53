/*
 * Byte streams and listeners. A file descriptor here is whatever number the
 * runtime's driver gives a meaning to: an OS descriptor on legacy and region,
 * a handle of the simulated network in the lab. One reader and one writer may
 * wait on a stream at a time (EBUSY for a second). All need NET but the closes.
 *
 * A stream or a listener is a duty (qrt/ledger.h) of the region in which it was
 * opened: that region closes it if nobody else does, and names the site. Handles
 * are checked: one that was closed is ESTALE, one of another runtime EINVAL. In a
 * finalizer what can be done at once is done; what would have to wait says ENOSUSPEND.
 *
 * A stream is a socket, or a layer over another stream (qrt/tls.h): the same calls work on both.
 */
#ifndef QRT_STREAM_H
#define QRT_STREAM_H

#include <qrt/region.h>

#ifdef __cplusplus
extern "C" {
#endif

struct qrt_stream;
struct qrt_listener;

struct qrt_slice {
	const void *data;
	size_t len;
};

/*
 * Opens a listening socket on a numeric IPv4 or IPv6 address; port 0 picks one. Or on a Unix
 * socket: "unix:/path", or "unix:@name" without a file; the port is ignored, and comes out as 0.
 * Its file is made here, with the mode that the umask leaves, and removed when @ret_fd, or the
 * listener that adopts it, is closed; not with a duplicate. A file that is there already is left
 * alone: EADDRINUSE, also when nobody serves it any more. Does not suspend. The fd belongs to the
 * caller until a listener adopts it. Errors: EADDRINUSE, EACCES, EINVAL (no numeric address; no
 * name, one of more than 107 bytes), ENOENT (no such folder), EMFILE, ENOMEM.
 */
QRT_API enum qrt_err qrt_socket_listen(struct qrt_cx *cx, const char *address, uint16_t port,
				       int *ret_fd, uint16_t *ret_port) QRT_MUST_USE;
/*
 * A second descriptor for the same socket, so that two runtimes can each adopt one; the caller's
 * until then. Does not suspend. Errors: EMFILE, EINVAL.
 */
QRT_API enum qrt_err qrt_socket_dup(struct qrt_cx *cx, int fd, int *ret_fd) QRT_MUST_USE;
/* Closes a descriptor that nobody adopted. */
QRT_API void qrt_socket_close(struct qrt_cx *cx, int fd);

/* Takes over @fd (also closes it on failure). Does not suspend. Errors: ENOMEM, EINVAL, ELIMIT. */
#define qrt_listener_adopt(cx, fd, ret_listener)                                                   \
	qrt_listener_adopt_at((cx), (fd), QRT_SITE, (ret_listener))
QRT_API enum qrt_err qrt_listener_adopt_at(struct qrt_cx *cx, int fd, const char *site,
					   struct qrt_listener **ret_listener) QRT_MUST_USE;
/*
 * The next connection, a duty of cx's region, and the caller's. Suspends. Errors: ECLOSED (the
 * listener, while it waited), ESTALE, EBUSY, EMFILE (nothing was taken; try later), ENOMEM and
 * ELIMIT (one was taken, and closed).
 */
#define qrt_accept(cx, listener, ret_stream) qrt_accept_at((cx), (listener), QRT_SITE, (ret_stream))
QRT_API enum qrt_err qrt_accept_at(struct qrt_cx *cx, struct qrt_listener *listener,
				   const char *site, struct qrt_stream **ret_stream) QRT_MUST_USE;
/* Who waits in accept gets ECLOSED. The same otherwise as qrt_stream_close. */
QRT_API void qrt_listener_close(struct qrt_cx *cx, struct qrt_listener **listener);

/* The same for a connected @fd. */
#define qrt_stream_adopt(cx, fd, ret_stream) qrt_stream_adopt_at((cx), (fd), QRT_SITE, (ret_stream))
QRT_API enum qrt_err qrt_stream_adopt_at(struct qrt_cx *cx, int fd, const char *site,
					 struct qrt_stream **ret_stream) QRT_MUST_USE;
/*
 * From now on @to answers for the stream, and closes it if nobody else does. Does not suspend.
 * Errors: ESTALE (the stream or @to), EINVAL, ELIMIT; then nothing has changed.
 */
QRT_API enum qrt_err qrt_stream_give(struct qrt_cx *cx, struct qrt_stream *stream,
				     struct qrt_region *to) QRT_MUST_USE;
/*
 * Connects to a numeric address, or to a Unix socket as above; the stream is a duty of cx's region,
 * and the caller's. Suspends. Errors: ECONNREFUSED, ECONNRESET, EINVAL (no such address), EMFILE,
 * ENOMEM, ELIMIT, EIO; of Unix sockets also ENOENT (no such file), EACCES, EBUSY (its queue is
 * full: try later).
 */
#define qrt_connect(cx, address, port, ret_stream)                                                 \
	qrt_connect_at((cx), (address), (port), QRT_SITE, (ret_stream))
QRT_API enum qrt_err qrt_connect_at(struct qrt_cx *cx, const char *address, uint16_t port,
				    const char *site, struct qrt_stream **ret_stream) QRT_MUST_USE;

/*
 * At least one byte into @buf, at most @n. Suspends. A cancelled read has taken nothing. Errors:
 * EEOF, ECONNRESET, ECLOSED (the stream, while it waited), ESTALE, EBUSY, EIO.
 */
QRT_API enum qrt_err qrt_read(struct qrt_cx *cx, struct qrt_stream *stream, void *buf, size_t n,
			      size_t *ret_n) QRT_MUST_USE;
/*
 * All @n_slices (at most 8), or an error: then an unknown part was sent. Suspends. Errors: EINVAL
 * (more slices; nothing was sent), ECONNRESET, ECLOSED, ESTALE, EBUSY, EIO.
 */
QRT_API enum qrt_err qrt_writev(struct qrt_cx *cx, struct qrt_stream *stream,
				const struct qrt_slice *slices, size_t n_slices) QRT_MUST_USE;
QRT_API enum qrt_err qrt_write(struct qrt_cx *cx, struct qrt_stream *stream, const void *data,
			       size_t n) QRT_MUST_USE;
/*
 * Ends our direction; the peer reads end of stream. Does not suspend, but on a stream over another
 * one, which may have to wait for its last word (qrt/tls.h). Errors: ESTALE, ECONNRESET.
 */
QRT_API enum qrt_err qrt_stream_shutdown(struct qrt_cx *cx, struct qrt_stream *stream) QRT_MUST_USE;
/*
 * Who waits on it gets ECLOSED. Sets *@stream to NULL; NULL-safe, also for a stale one. Does not
 * suspend.
 */
QRT_API void qrt_stream_close(struct qrt_cx *cx, struct qrt_stream **stream);
/*
 * The peer as "127.0.0.1:4711"; "unix:/path" when we have connected to that, "unix:" when it has
 * to us; "" when unknown or stale. Valid as long as the stream.
 */
QRT_API const char *qrt_stream_peer(const struct qrt_stream *stream);

#ifdef __cplusplus
}
#endif
#endif
