/*
 * Channels: bounded queues of elements between the tasks of one runtime; any
 * number of senders, any number of receivers (a worker pool shares one).
 *
 * Sending has two phases, see qrt/permit.h: what is queued plus what is
 * reserved never exceeds the capacity. Waiters are served first come first
 * served, also past a try_ call. A receiver that was woken for an element and
 * is cancelled before it runs leaves the element where it is, for the next.
 *
 * A handle is copied freely within its runtime; one whose channel has been
 * closed is QRT_ESTALE. Across runtimes and threads: qrt/mailbox.h.
 */
#ifndef QRT_CHAN_H
#define QRT_CHAN_H

#include <qrt/permit.h>
#include <qrt/select.h>

#ifdef __cplusplus
extern "C" {
#endif

struct qrt_chan;

/*
 * Opens a channel of @capacity elements of @size bytes; @drop (may be NULL) destroys those nobody
 * receives. A duty of cx's region: it must be closed before that ends. Errors: EINVAL (size not
 * 1 to QRT_ELEMENT_BYTES_MAX, capacity not 1 to QRT_CAPACITY_MAX), ENOMEM, ELIMIT, ETHREAD.
 */
#define qrt_chan_open(cx, size, capacity, drop, ret_chan)                                          \
	qrt_chan_open_at((cx), (size), (capacity), (drop), QRT_SITE, (ret_chan))
QRT_API enum qrt_err qrt_chan_open_at(struct qrt_cx *cx, size_t size, size_t capacity,
				      qrt_drop_fn *drop, const char *site,
				      struct qrt_chan **ret_chan) QRT_MUST_USE;
/*
 * Closes *@chan and sets it to NULL; NULL-safe. Drops what is queued; who waits gets ECLOSED, and
 * so does the sending of a permit that is out. Errors: ESTALE (closed before), ETHREAD (nothing
 * has happened). The result may be dropped.
 */
QRT_API enum qrt_err qrt_chan_close(struct qrt_chan **chan);
/*
 * No new reservations. Permits that are out may still be sent; receivers get what there is, then
 * ECLOSED. May be repeated. Errors: ESTALE, ETHREAD.
 */
QRT_API enum qrt_err qrt_chan_finish(struct qrt_chan *chan) QRT_MUST_USE;

/*
 * Waits for a place for one element; *ret_permit is then a duty of cx's task. Suspends. Errors:
 * ECLOSED (finished or closed), ESTALE, ECANCELED, ETIMEDOUT, ENOMEM, ELIMIT, ENOSUSPEND, ETHREAD.
 */
#define qrt_reserve(cx, chan, ret_permit) qrt_reserve_at((cx), (chan), QRT_SITE, (ret_permit))
QRT_API enum qrt_err qrt_reserve_at(struct qrt_cx *cx, struct qrt_chan *chan, const char *site,
				    struct qrt_permit *ret_permit) QRT_MUST_USE;
/* The same without waiting. EAGAIN: it is full, or somebody waits already. */
#define qrt_try_reserve(cx, chan, ret_permit)                                                      \
	qrt_try_reserve_at((cx), (chan), QRT_SITE, (ret_permit))
QRT_API enum qrt_err qrt_try_reserve_at(struct qrt_cx *cx, struct qrt_chan *chan, const char *site,
					struct qrt_permit *ret_permit) QRT_MUST_USE;
/*
 * Reserves and sends *@element at once. On any error the element is still the caller's. Suspends.
 * Errors: as qrt_reserve, and EINVAL (an element of another size).
 */
#define qrt_chan_send(cx, chan, element)                                                           \
	qrt_chan_send_sized((cx), (chan), (element), sizeof(*(element)))
QRT_API enum qrt_err qrt_chan_send_sized(struct qrt_cx *cx, struct qrt_chan *chan,
					 const void *element, size_t size) QRT_MUST_USE;
/* The same without waiting, also on the loop's own stack. EAGAIN as qrt_try_reserve. */
#define qrt_chan_try_send(chan, element)                                                           \
	qrt_chan_try_send_sized((chan), (element), sizeof(*(element)))
QRT_API enum qrt_err qrt_chan_try_send_sized(struct qrt_chan *chan, const void *element,
					     size_t size) QRT_MUST_USE;

/*
 * Waits for an element and takes it; untouched on failure. A cancel comes first, then an element,
 * then ECLOSED: finished, drained, and no permit out. Suspends. Errors also: ESTALE, EINVAL
 * (another size), ECANCELED, ETIMEDOUT, ENOSUSPEND, ETHREAD.
 */
#define qrt_chan_recv(cx, chan, ret_element)                                                       \
	qrt_chan_recv_sized((cx), (chan), sizeof(*(ret_element)), (ret_element))
QRT_API enum qrt_err qrt_chan_recv_sized(struct qrt_cx *cx, struct qrt_chan *chan, size_t size,
					 void *ret_element) QRT_MUST_USE;
/* The same without waiting. EAGAIN: there is none, or those there are have been promised. */
#define qrt_chan_try_recv(chan, ret_element)                                                       \
	qrt_chan_try_recv_sized((chan), sizeof(*(ret_element)), (ret_element))
QRT_API enum qrt_err qrt_chan_try_recv_sized(struct qrt_chan *chan, size_t size,
					     void *ret_element) QRT_MUST_USE;

/* Cases for qrt_select. The permit is all zero unless its case commits OK. */
#define qrt_case_recv(chan, ret_element)                                                           \
	qrt_case_recv_sized((chan), sizeof(*(ret_element)), (ret_element))
QRT_API struct qrt_case qrt_case_recv_sized(struct qrt_chan *chan, size_t size, void *ret_element);
#define qrt_case_reserve(chan, ret_permit) qrt_case_reserve_at((chan), QRT_SITE, (ret_permit))
QRT_API struct qrt_case qrt_case_reserve_at(struct qrt_chan *chan, const char *site,
					    struct qrt_permit *ret_permit);
/* Commits by sending *@element, which must live until the select returns. */
#define qrt_case_send(chan, element) qrt_case_send_sized((chan), (element), sizeof(*(element)))
QRT_API struct qrt_case qrt_case_send_sized(struct qrt_chan *chan, const void *element,
					    size_t size);

struct qrt_chan_stats {
	size_t capacity, queued, peak_queued;
	size_t reserved;	   /* permits that are out */
	size_t senders, receivers; /* tasks that wait now */
	uint64_t sent, received;
	struct qrt_wait_stats reserve, recv;
};
/* Errors: ESTALE, ETHREAD. */
QRT_API enum qrt_err qrt_chan_stats(const struct qrt_chan *chan,
				    struct qrt_chan_stats *ret_stats) QRT_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
