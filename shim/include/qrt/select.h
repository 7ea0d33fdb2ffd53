/*
 * Waiting for the first of several things. Cases are made by the functions of
 * the thing's own header (qrt_case_recv in qrt/chan.h, qrt_case_lock in
 * qrt/sync.h ...) and live in the caller's array:
 *
 *	struct qrt_case cases[] = {qrt_case_recv(jobs, &job), qrt_case_wait(quit)};
 *	size_t which;
 *	enum qrt_err err = qrt_select(cx, QRT_SELECT_FAIR, cases, 2, &which);
 *
 * Exactly one case commits; the others have done nothing.
 */
#ifndef QRT_SELECT_H
#define QRT_SELECT_H

#include <qrt/cx.h>

#ifdef __cplusplus
extern "C" {
#endif

struct qrt__arm_ops;
struct qrt__await_set;

/* Opaque; public only so that the caller can have the memory. */
struct qrt_case {
	const struct qrt__arm_ops *ops_;
	void *object_; /* what is waited for */
	void *value_;  /* where what comes of it goes */
	uint64_t word_;
	const char *site_;
	int64_t since_ns_;
	struct qrt_cx *cx_; /* whose wait it is */
	struct qrt__await_set *set_;
	struct qrt__list node_;
};

enum qrt_select_order {
	QRT_SELECT_ORDERED, /* of several that are ready the first listed */
	QRT_SELECT_FAIR,    /* of several that are ready any; in the lab by the seed */
};
#define QRT_SELECT_MAX 64

/*
 * Waits until one case can commit and commits it; *ret_index says which, also
 * when what it commits is an error (say ECLOSED of a channel), and is untouched
 * when none did. The cases are the caller's, for this one call; what they point
 * to must live as long. Suspends. Needs no capability. Errors: the case's,
 * EINVAL (none, more than QRT_SELECT_MAX, an empty one), ENOMEM, ELIMIT.
 */
QRT_API enum qrt_err qrt_select(struct qrt_cx *cx, enum qrt_select_order order,
				struct qrt_case *cases, size_t n_cases,
				size_t *ret_index) QRT_MUST_USE;
/* The same, but ETIMEDOUT at @deadline_ns too. */
QRT_API enum qrt_err qrt_select_until(struct qrt_cx *cx, enum qrt_select_order order,
				      struct qrt_case *cases, size_t n_cases, int64_t deadline_ns,
				      size_t *ret_index) QRT_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
