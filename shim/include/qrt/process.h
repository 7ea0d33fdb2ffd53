/*
 * Child processes with pipes. A child is a duty (qrt/ledger.h) of the region in which it was
 * started: that region kills and reaps it if nobody else does, and names the site. Each is a
 * process group of its own, and signals go to all of it; no descriptor, blocked signal or handler
 * of the parent's goes to it.
 *
 * All but the close and what only looks need PROCESS, and of streams NET.
 */
#ifndef QRT_PROCESS_H
#define QRT_PROCESS_H

#include <qrt/stream.h>

#ifdef __cplusplus
extern "C" {
#endif

struct qrt_child;

enum qrt_child_end { QRT_CHILD_IN, QRT_CHILD_OUT, QRT_CHILD_ERR, QRT_CHILD_ENDS };
enum qrt_child_mode {
	QRT_CHILD_NULL,	   /* /dev/null */
	QRT_CHILD_PIPE,	   /* a stream of the parent's: qrt_child_stream */
	QRT_CHILD_INHERIT, /* what the parent has */
};

enum { QRT_CHILD_STRINGS_MAX = 4096 };	      /* of argv and of env */
#define QRT_CHILD_BYTES_MAX ((size_t)1 << 20) /* of both together */

struct qrt_child_options {
	const char *path;	 /* of the program; nothing is searched */
	const char *const *argv; /* up to NULL; NULL: the path alone */
	const char *const *env;	 /* "NAME=value", up to NULL; NULL: none */
	const char *cwd;	 /* NULL: the parent's */
	enum qrt_child_mode mode[QRT_CHILD_ENDS];
	/* Absolute; then it is sent SIGTERM, and grace_ns later SIGKILL. 0: none. */
	int64_t deadline_ns;
	int64_t grace_ns; /* between the two, of qrt_child_stop as well; 0: 5 s */
};

struct qrt_child_status {
	bool signalled;
	int code; /* the exit status, or the signal it died of */
};

/*
 * Starts a program. Does not suspend, though it may take about a millisecond. Errors: ENOENT,
 * EACCES (the program, or cwd), EINVAL (no path, too many or too long strings; no program),
 * ENOTSUP (the system cannot watch processes: no pidfd), EAGAIN (no process may be started right
 * now), EMFILE, ENOMEM, ELIMIT.
 */
#define qrt_child_open(cx, opts, ret_child) qrt_child_open_at((cx), (opts), QRT_SITE, (ret_child))
QRT_API enum qrt_err qrt_child_open_at(struct qrt_cx *cx, const struct qrt_child_options *opts,
				       const char *site, struct qrt_child **ret_child) QRT_MUST_USE;

/*
 * The parent's end of a pipe; NULL for another mode, or a stale handle. It is the child's, which
 * closes it at its own close; close it before (qrt_stream_close on a copy) to say end of input.
 */
QRT_API struct qrt_stream *qrt_child_stream(const struct qrt_child *child, enum qrt_child_end end);
/* Its process id, for those who report; 0 for a stale handle. */
QRT_API int qrt_child_pid(const struct qrt_child *child);

/*
 * Until it has ended, and been reaped. Cancelled or late it goes on. Its pipes may still have
 * something to read then. One task at a time. Suspends. Errors: ESTALE, EINVAL (of another
 * runtime), EBUSY, ECLOSED (while it waited).
 */
QRT_API enum qrt_err qrt_child_wait(struct qrt_cx *cx, struct qrt_child *child,
				    struct qrt_child_status *ret_status) QRT_MUST_USE;

/*
 * Sends @signo; nothing to one that has ended. Does not suspend. Errors: EINVAL (no signal),
 * EACCES (it runs as somebody else), ESTALE.
 */
QRT_API enum qrt_err qrt_child_signal(struct qrt_cx *cx, struct qrt_child *child,
				      int signo) QRT_MUST_USE;

/*
 * SIGTERM, after the grace SIGKILL, and waits until it has been reaped, whatever cx says: neither a
 * cancel nor a deadline cuts that short, but the grace bounds it. A second one only waits.
 * Suspends. Errors: as qrt_child_wait, but ECANCELED and ETIMEDOUT.
 */
QRT_API enum qrt_err qrt_child_stop(struct qrt_cx *cx, struct qrt_child *child,
				    struct qrt_child_status *ret_status) QRT_MUST_USE;

/*
 * Kills it when it still runs; it is reaped as soon as it is gone, at the latest when the runtime
 * is closed. Who waits gets ECLOSED. Its streams are closed. Sets *@child to NULL; NULL-safe, also
 * for a stale one. Does not suspend.
 */
QRT_API void qrt_child_close(struct qrt_cx *cx, struct qrt_child **child);

#ifdef __cplusplus
}
#endif
#endif
