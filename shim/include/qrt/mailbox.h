/*
 * Mailboxes: channels across runtimes. Tasks of one runtime receive; tasks of
 * any runtime send, in two phases (qrt/permit.h), and so does any plain
 * thread, with the try_ call. Elements of one sender arrive in its order;
 * senders that wait are served first come first served, whatever their
 * runtime.
 *
 * A handle may be copied to any thread. It can be checked for as long as the
 * process lives: one whose mailbox has been closed is QRT_ESTALE.
 */
#ifndef QRT_MAILBOX_H
#define QRT_MAILBOX_H

#include <qrt/permit.h>
#include <qrt/select.h>

#ifdef __cplusplus
extern "C" {
#endif

struct qrt_mailbox;

/*
 * Opens a mailbox for the tasks of cx's runtime to receive from; a duty of cx's region. @drop (may
 * be NULL) runs on whatever thread finds that nobody will receive. Errors: as qrt_chan_open.
 */
#define qrt_mailbox_open(cx, size, capacity, drop, ret_mailbox)                                    \
	qrt_mailbox_open_at((cx), (size), (capacity), (drop), QRT_SITE, (ret_mailbox))
QRT_API enum qrt_err qrt_mailbox_open_at(struct qrt_cx *cx, size_t size, size_t capacity,
					 qrt_drop_fn *drop, const char *site,
					 struct qrt_mailbox **ret_mailbox) QRT_MUST_USE;
/*
 * On the receiving runtime. Sets it to NULL; NULL-safe. Drops what is queued; who waits gets
 * ECLOSED, and so does the sending of a permit that is out. Errors: ESTALE, ETHREAD (nothing has
 * happened). The result may be dropped.
 */
QRT_API enum qrt_err qrt_mailbox_close(struct qrt_mailbox **mailbox);
/* No new reservations; receivers get what there is, then ECLOSED. Any thread. Errors: ESTALE. */
QRT_API enum qrt_err qrt_mailbox_finish(struct qrt_mailbox *mailbox) QRT_MUST_USE;

/*
 * Waits for a place for one element; *ret_permit is a duty of cx's task, in its own runtime.
 * Suspends. Errors: as qrt_reserve.
 */
#define qrt_mailbox_reserve(cx, mailbox, ret_permit)                                               \
	qrt_mailbox_reserve_at((cx), (mailbox), QRT_SITE, (ret_permit))
QRT_API enum qrt_err qrt_mailbox_reserve_at(struct qrt_cx *cx, struct qrt_mailbox *mailbox,
					    const char *site,
					    struct qrt_permit *ret_permit) QRT_MUST_USE;
/* Reserves and sends. On any error but ECLOSED the element is still the caller's. Suspends. */
#define qrt_mailbox_send(cx, mailbox, element)                                                     \
	qrt_mailbox_send_sized((cx), (mailbox), (element), sizeof(*(element)))
QRT_API enum qrt_err qrt_mailbox_send_sized(struct qrt_cx *cx, struct qrt_mailbox *mailbox,
					    const void *element, size_t size) QRT_MUST_USE;
/*
 * Any thread, never waits. On any error the element is still the caller's. Errors: EAGAIN (full,
 * or somebody waits), ECLOSED (finished), ESTALE, EINVAL (another size).
 */
#define qrt_mailbox_try_send(mailbox, element)                                                     \
	qrt_mailbox_try_send_sized((mailbox), (element), sizeof(*(element)))
QRT_API enum qrt_err qrt_mailbox_try_send_sized(struct qrt_mailbox *mailbox, const void *element,
						size_t size) QRT_MUST_USE;

/* As qrt_chan_recv, for tasks of the runtime that opened it. Suspends. Errors also: ETHREAD. */
#define qrt_mailbox_recv(cx, mailbox, ret_element)                                                 \
	qrt_mailbox_recv_sized((cx), (mailbox), sizeof(*(ret_element)), (ret_element))
QRT_API enum qrt_err qrt_mailbox_recv_sized(struct qrt_cx *cx, struct qrt_mailbox *mailbox,
					    size_t size, void *ret_element) QRT_MUST_USE;
#define qrt_mailbox_try_recv(mailbox, ret_element)                                                 \
	qrt_mailbox_try_recv_sized((mailbox), sizeof(*(ret_element)), (ret_element))
QRT_API enum qrt_err qrt_mailbox_try_recv_sized(struct qrt_mailbox *mailbox, size_t size,
						void *ret_element) QRT_MUST_USE;

/* Cases for qrt_select: to receive (on the receiving runtime), and to reserve. */
#define qrt_case_mailbox(mailbox, ret_element)                                                     \
	qrt_case_mailbox_sized((mailbox), sizeof(*(ret_element)), (ret_element))
QRT_API struct qrt_case qrt_case_mailbox_sized(struct qrt_mailbox *mailbox, size_t size,
					       void *ret_element);
#define qrt_case_post(mailbox, ret_permit) qrt_case_post_at((mailbox), QRT_SITE, (ret_permit))
QRT_API struct qrt_case qrt_case_post_at(struct qrt_mailbox *mailbox, const char *site,
					 struct qrt_permit *ret_permit);

struct qrt_mailbox_stats {
	size_t capacity, queued, peak_queued;
	size_t reserved;
	uint64_t sent, received;
	struct qrt_wait_stats reserve, recv;
};
/* Any thread. Errors: ESTALE. */
QRT_API enum qrt_err qrt_mailbox_stats(struct qrt_mailbox *mailbox,
				       struct qrt_mailbox_stats *ret_stats) QRT_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
