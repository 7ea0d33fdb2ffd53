/*
 * The capability context: first parameter of everything that may suspend.
 * It says who runs (task), in what (region), until when (deadline) and with
 * which authority (capabilities). A cx belongs to its task and its runtime's
 * thread; it is never kept beyond the call it was given to, never shared.
 *
 * A cx is narrowed by opening a region with fewer capabilities or an earlier
 * deadline (qrt/region.h): the region's own cx carries the result. Capabilities
 * alone: qrt_cx_narrow.
 *
 * In all of qrt, unless it says otherwise: a call belongs to the thread of its
 * runtime, and one that takes a cx to the running task of that cx. What suspends
 * is a checkpoint, begins nothing when that refuses, and has these errors beside
 * those it names: ECANCELED, ETIMEDOUT, ENOSUSPEND (in a finalizer), ETHREAD,
 * ESTATE (the cx of a task that does not run). What needs a capability has ENOTCAPABLE.
 */
#ifndef QRT_CX_H
#define QRT_CX_H

#include <qrt/err.h>

#ifdef __cplusplus
extern "C" {
#endif

struct qrt_cx;

enum qrt_cap {
	QRT_CAP_SPAWN = 1u << 0,    /* regions and tasks */
	QRT_CAP_TIME = 1u << 1,	    /* read the clocks, sleep */
	QRT_CAP_NET = 1u << 2,	    /* streams, listeners, HTTP */
	QRT_CAP_DB = 1u << 3,	    /* databases */
	QRT_CAP_BLOCKING = 1u << 4, /* lanes */
	QRT_CAP_RANDOM = 1u << 5,   /* random bytes */
	QRT_CAP_TRACE = 1u << 6,    /* dump, trace */
	QRT_CAP_SIGNAL = 1u << 7,   /* process signals */
	QRT_CAP_PROCESS = 1u << 8,  /* child processes */
	QRT_CAP_ADMIN = 1u << 9,    /* runtimes, components, moves */
	QRT_CAP_CALL = 1u << 10,    /* ports of other components */
	QRT_CAP_ALL = (1u << 11) - 1,
};

/* Absolute times are nanoseconds of the runtime's monotonic clock. */
#define QRT_NO_DEADLINE INT64_MAX
#define QRT_MS INT64_C(1000000)
#define QRT_SEC INT64_C(1000000000)

QRT_API uint32_t qrt_cx_caps(const struct qrt_cx *cx);

/* The deadline in force; QRT_NO_DEADLINE when there is none. */
QRT_API int64_t qrt_cx_deadline(const struct qrt_cx *cx);

/* @ns from now as an absolute deadline, saturating. Needs no capability. */
QRT_API int64_t qrt_deadline_in(const struct qrt_cx *cx, int64_t ns);

/*
 * QRT_ENOTCAPABLE, counted and with detail, unless cx has every capability
 * of @caps. What @caps guards calls this itself; a component may ask early.
 */
QRT_API enum qrt_err qrt_cx_require(struct qrt_cx *cx, uint32_t caps) QRT_MUST_USE;

/*
 * A checkpoint: QRT_ECANCELED when the task has been asked to end,
 * QRT_ETIMEDOUT when the deadline has passed or was what asked, else QRT_OK; and
 * QRT_OK under a mask (qrt/cancel.h). Does not suspend. Takes one of the budget's
 * polls. Every call that says "suspends" is a checkpoint too. Where cleanup is
 * bounded it does not return once the cleanup budget is spent.
 */
QRT_API enum qrt_err qrt_checkpoint(struct qrt_cx *cx) QRT_MUST_USE;

/* Lets the other ready tasks run first, as far as priorities go. Suspends. */
QRT_API enum qrt_err qrt_yield(struct qrt_cx *cx) QRT_MUST_USE;

/*
 * Suspends until the absolute time @until_ns. Needs TIME. ETIMEDOUT: cx's deadline came first.
 */
QRT_API enum qrt_err qrt_sleep_until(struct qrt_cx *cx, int64_t until_ns) QRT_MUST_USE;
/* Suspends for @ns. Needs TIME. */
QRT_API enum qrt_err qrt_sleep(struct qrt_cx *cx, int64_t ns) QRT_MUST_USE;

/* Monotonic nanoseconds. Needs TIME. */
QRT_API enum qrt_err qrt_now(struct qrt_cx *cx, int64_t *ret_ns) QRT_MUST_USE;
/* Milliseconds since 1970-01-01 UTC. Needs TIME. */
QRT_API enum qrt_err qrt_wall_ms(struct qrt_cx *cx, int64_t *ret_ms) QRT_MUST_USE;
/* Fills @buf with @n unpredictable bytes (in the lab: from the seed). Needs RANDOM. */
QRT_API enum qrt_err qrt_random(struct qrt_cx *cx, void *buf, size_t n) QRT_MUST_USE;

/*
 * Sets the detail of an error and returns @err, so that one can write
 * `return qrt_fail(cx, QRT_EINVAL, "port %d", port);`. Cut at 255 bytes.
 */
QRT_API enum qrt_err qrt_fail(struct qrt_cx *cx, enum qrt_err err, const char *fmt, ...)
    QRT_PRINTF(3, 4);
/* Puts "@what: " before the detail and returns @err: "open db: disk full". */
QRT_API enum qrt_err qrt_prefix(struct qrt_cx *cx, enum qrt_err err, const char *what);
/*
 * The detail of the last error that this cx's task met, of those that set one; "" when none has.
 * Valid until the next. Success does not clear it: read it right after the error.
 */
QRT_API const char *qrt_detail(const struct qrt_cx *cx);

/*
 * Ends the task here, as PANICKED with @why: what it opened is cancelled and
 * closed, its finalizers run, its duties are released, its region's policy
 * decides the rest. Its C frames are not unwound.
 */
QRT_API void qrt_panic(struct qrt_cx *cx, const char *why) QRT_NORETURN;

#ifdef __cplusplus
}
#endif
#endif
