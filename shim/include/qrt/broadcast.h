/*
 * Broadcasts: every subscriber gets every element sent after it subscribed,
 * in order, at its own pace. The ring is bounded and a send never waits: it
 * overwrites the oldest element, and a subscriber that had not read it yet is
 * told how many it has missed. As there is always room there is nothing to
 * reserve; receiving is atomic: what a cancelled receiver did not get is still
 * there.
 *
 * Elements are plain data: each subscriber gets a copy, none owns anything.
 */
#ifndef QRT_BROADCAST_H
#define QRT_BROADCAST_H

#include <qrt/permit.h>
#include <qrt/select.h>

#ifdef __cplusplus
extern "C" {
#endif

struct qrt_broadcast;
struct qrt_subscription;

/*
 * Opens a broadcast that keeps the last @capacity elements of @size bytes. A duty of cx's region.
 * Errors: EINVAL (size, capacity: limits as qrt_chan_open), ENOMEM, ELIMIT, ETHREAD.
 */
#define qrt_broadcast_open(cx, size, capacity, ret_broadcast)                                      \
	qrt_broadcast_open_at((cx), (size), (capacity), QRT_SITE, (ret_broadcast))
QRT_API enum qrt_err qrt_broadcast_open_at(struct qrt_cx *cx, size_t size, size_t capacity,
					   const char *site,
					   struct qrt_broadcast **ret_broadcast) QRT_MUST_USE;
/*
 * Closes *@broadcast and sets it to NULL; NULL-safe. Subscribers get ECLOSED, also those that have
 * not read everything. Errors: ESTALE, ETHREAD. The result may be dropped.
 */
QRT_API enum qrt_err qrt_broadcast_close(struct qrt_broadcast **broadcast);
/* No more elements: subscribers read what is left, then get ECLOSED. Errors: ESTALE, ETHREAD. */
QRT_API enum qrt_err qrt_broadcast_finish(struct qrt_broadcast *broadcast) QRT_MUST_USE;

/* Does not suspend. Errors: ECLOSED (finished), ESTALE, EINVAL (another size), ETHREAD. */
#define qrt_broadcast_send(broadcast, element)                                                     \
	qrt_broadcast_send_sized((broadcast), (element), sizeof(*(element)))
QRT_API enum qrt_err qrt_broadcast_send_sized(struct qrt_broadcast *broadcast, const void *element,
					      size_t size) QRT_MUST_USE;

/*
 * From here on, in order. A duty of cx's region; for one task at a time. Errors: ECLOSED
 * (finished), ESTALE, ENOMEM, ELIMIT, ETHREAD.
 */
#define qrt_subscribe(cx, broadcast, ret_subscription)                                             \
	qrt_subscribe_at((cx), (broadcast), QRT_SITE, (ret_subscription))
QRT_API enum qrt_err qrt_subscribe_at(struct qrt_cx *cx, struct qrt_broadcast *broadcast,
				      const char *site,
				      struct qrt_subscription **ret_subscription) QRT_MUST_USE;
/* Sets it to NULL; NULL-safe. Who waits on it gets ECLOSED. Errors: ESTALE, ETHREAD. */
QRT_API enum qrt_err qrt_unsubscribe(struct qrt_subscription **subscription);

/*
 * Waits for the next element. Suspends. ELIMIT: elements were overwritten before they were read;
 * qrt_subscription_missed says how many, and the next call gets the oldest there is. Errors also:
 * ECLOSED, ESTALE, EINVAL (another size), EBUSY (another task waits on it), ECANCELED, ETIMEDOUT,
 * ENOSUSPEND, ETHREAD.
 */
#define qrt_broadcast_recv(cx, subscription, ret_element)                                          \
	qrt_broadcast_recv_sized((cx), (subscription), sizeof(*(ret_element)), (ret_element))
QRT_API enum qrt_err qrt_broadcast_recv_sized(struct qrt_cx *cx,
					      struct qrt_subscription *subscription, size_t size,
					      void *ret_element) QRT_MUST_USE;
/* The same without waiting; EAGAIN: none yet. */
#define qrt_broadcast_try_recv(subscription, ret_element)                                          \
	qrt_broadcast_try_recv_sized((subscription), sizeof(*(ret_element)), (ret_element))
QRT_API enum qrt_err qrt_broadcast_try_recv_sized(struct qrt_subscription *subscription,
						  size_t size, void *ret_element) QRT_MUST_USE;
/* How many elements the last ELIMIT of @subscription stood for; 0 when it is stale. */
QRT_API uint64_t qrt_subscription_missed(const struct qrt_subscription *subscription);
#define qrt_case_broadcast(subscription, ret_element)                                              \
	qrt_case_broadcast_sized((subscription), sizeof(*(ret_element)), (ret_element))
QRT_API struct qrt_case qrt_case_broadcast_sized(struct qrt_subscription *subscription, size_t size,
						 void *ret_element);

struct qrt_broadcast_stats {
	size_t capacity, subscribers;
	uint64_t sent;
	uint64_t peak_behind; /* the most any subscriber had not read yet */
	uint64_t missed;      /* of all subscribers */
	struct qrt_wait_stats recv;
};
/* Errors: ESTALE, ETHREAD. */
QRT_API enum qrt_err qrt_broadcast_stats(const struct qrt_broadcast *broadcast,
					 struct qrt_broadcast_stats *ret_stats) QRT_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
