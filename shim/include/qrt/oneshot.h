/*
 * Oneshots: one element, once, from whoever holds the permit to whoever
 * waits. The place is reserved from the start, so the permit comes with the
 * oneshot; qrt_send and qrt_abort (qrt/permit.h) use it. A sender that ends
 * without either has aborted, and the receiver is told.
 *
 *	opened ──> sent ──> taken
 *	      └──> aborted
 */
#ifndef QRT_ONESHOT_H
#define QRT_ONESHOT_H

#include <qrt/permit.h>
#include <qrt/select.h>

#ifdef __cplusplus
extern "C" {
#endif

struct qrt_oneshot;

/*
 * Opens a oneshot of an element of @size bytes; @drop (may be NULL) destroys one that nobody
 * takes. The oneshot is a duty of cx's region, the permit one of cx's task: a child that shall
 * send takes it over with qrt_permit_give. Errors: EINVAL (size), ENOMEM, ELIMIT, ETHREAD.
 */
#define qrt_oneshot_open(cx, size, drop, ret_oneshot, ret_permit)                                  \
	qrt_oneshot_open_at((cx), (size), (drop), QRT_SITE, (ret_oneshot), (ret_permit))
QRT_API enum qrt_err qrt_oneshot_open_at(struct qrt_cx *cx, size_t size, qrt_drop_fn *drop,
					 const char *site, struct qrt_oneshot **ret_oneshot,
					 struct qrt_permit *ret_permit) QRT_MUST_USE;
/*
 * Closes *@oneshot and sets it to NULL; NULL-safe. An element nobody took is dropped; who waits
 * gets ECLOSED, and so does a later qrt_send. Errors: ESTALE, ETHREAD. The result may be dropped.
 */
QRT_API enum qrt_err qrt_oneshot_close(struct qrt_oneshot **oneshot);

/*
 * Waits for the element and takes it. The element beats a cancel: when it is there, or has been
 * sent before the cancel came, it is taken. Suspends. Errors: ECLOSED (aborted, or taken before),
 * ESTALE, EINVAL (another size), ECANCELED, ETIMEDOUT, ENOSUSPEND, ETHREAD.
 */
#define qrt_oneshot_recv(cx, oneshot, ret_element)                                                 \
	qrt_oneshot_recv_sized((cx), (oneshot), sizeof(*(ret_element)), (ret_element))
QRT_API enum qrt_err qrt_oneshot_recv_sized(struct qrt_cx *cx, struct qrt_oneshot *oneshot,
					    size_t size, void *ret_element) QRT_MUST_USE;
/* The same without waiting; EAGAIN: not yet. */
#define qrt_oneshot_try_recv(oneshot, ret_element)                                                 \
	qrt_oneshot_try_recv_sized((oneshot), sizeof(*(ret_element)), (ret_element))
QRT_API enum qrt_err qrt_oneshot_try_recv_sized(struct qrt_oneshot *oneshot, size_t size,
						void *ret_element) QRT_MUST_USE;
/* For qrt_select. Before the select waits a cancel comes first, as for every case; then not. */
#define qrt_case_oneshot(oneshot, ret_element)                                                     \
	qrt_case_oneshot_sized((oneshot), sizeof(*(ret_element)), (ret_element))
QRT_API struct qrt_case qrt_case_oneshot_sized(struct qrt_oneshot *oneshot, size_t size,
					       void *ret_element);

#ifdef __cplusplus
}
#endif
#endif
