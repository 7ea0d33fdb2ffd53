/*
 * Permits: the second half of every two-phase send. Who has one has a place
 * for one element; sending it cannot suspend and cannot be cancelled.
 *
 *	struct qrt_permit permit;
 *	enum qrt_err err = qrt_reserve(cx, jobs, &permit);	suspends
 *	if (!err) {
 *		struct job job = make_job();			what must not be lost
 *		err = qrt_send(&permit, &job);			or qrt_abort(&permit)
 *	}
 *
 * A permit is a duty (qrt/ledger.h) of the task that got it: one that is
 * neither sent nor aborted is aborted for it when it ends, and counted as a
 * leak. Permits are made by channels, oneshots and mailboxes.
 */
#ifndef QRT_PERMIT_H
#define QRT_PERMIT_H

#include <qrt/ledger.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Elements are copied bytewise, at most so many. */
#define QRT_ELEMENT_BYTES_MAX 65536u
#define QRT_CAPACITY_MAX 1048576u

/*
 * Destroys what an element owns, when nobody takes it any more. @element is not the runtime's to
 * keep. Must not suspend. On the loop's thread; of a mailbox: on the thread of who met the end.
 */
typedef void qrt_drop_fn(void *element);

/* How often tasks waited and for how long, in turns of the loop: a wait within one counts 0. */
struct qrt_wait_stats {
	uint64_t n;
	int64_t total_ns, max_ns;
};

/* All zero: none. Not to be copied: the copy is stale once the first is used. */
struct qrt_permit {
	struct qrt_duty duty;
};

/*
 * Sends *@element and settles the permit. Its size is checked. Errors: ESTALE (used or aborted
 * before, element untouched), ECLOSED (nobody will receive: the element has been dropped, the
 * permit is settled), EINVAL (an element of another size; nothing has happened), ETHREAD.
 */
#define qrt_send(permit, element) qrt_send_sized((permit), (element), sizeof(*(element)))
QRT_API enum qrt_err qrt_send_sized(struct qrt_permit *permit, const void *element,
				    size_t size) QRT_MUST_USE;
/*
 * Gives the place back. Errors: ESTALE (used or aborted before, or none: nothing has happened),
 * ETHREAD. The result may be dropped.
 */
QRT_API enum qrt_err qrt_abort(struct qrt_permit *permit);
/*
 * From now on @cx's task holds the permit, say a child that shall send, and its region answers for
 * it. Errors: ESTALE, ELIMIT, EINVAL (of another runtime).
 */
QRT_API enum qrt_err qrt_permit_give(struct qrt_permit *permit, struct qrt_cx *cx) QRT_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
