/*
 * Watches: one value that changes, of which only the latest counts. Who
 * watches waits for a version it has not seen. Setting never waits, so there
 * is nothing to reserve. The value is plain data: readers get copies.
 *
 *	uint64_t seen = 0;
 *	while (!(err = qrt_watch_changed(cx, config, &seen))) {
 *		err = qrt_watch_get(config, &value, NULL);
 *		...
 *	}
 */
#ifndef QRT_WATCH_H
#define QRT_WATCH_H

#include <qrt/permit.h>
#include <qrt/select.h>

#ifdef __cplusplus
extern "C" {
#endif

struct qrt_watch;

/*
 * Opens a watch of a value like *@initial, which is its version 1. A duty of cx's region. Errors:
 * EINVAL (a size over QRT_ELEMENT_BYTES_MAX), ENOMEM, ELIMIT, ETHREAD.
 */
#define qrt_watch_open(cx, initial, ret_watch)                                                     \
	qrt_watch_open_at((cx), (initial), sizeof(*(initial)), QRT_SITE, (ret_watch))
QRT_API enum qrt_err qrt_watch_open_at(struct qrt_cx *cx, const void *initial, size_t size,
				       const char *site, struct qrt_watch **ret_watch) QRT_MUST_USE;
/* Sets it to NULL; NULL-safe. Who waits gets ECLOSED. Errors: ESTALE, ETHREAD. */
QRT_API enum qrt_err qrt_watch_close(struct qrt_watch **watch);
/* The value is final: who has seen it gets ECLOSED instead of waiting. Errors: ESTALE, ETHREAD. */
QRT_API enum qrt_err qrt_watch_finish(struct qrt_watch *watch) QRT_MUST_USE;

/* Does not suspend. Errors: ECLOSED (finished), ESTALE, EINVAL (another size), ETHREAD. */
#define qrt_watch_set(watch, value) qrt_watch_set_sized((watch), (value), sizeof(*(value)))
QRT_API enum qrt_err qrt_watch_set_sized(struct qrt_watch *watch, const void *value,
					 size_t size) QRT_MUST_USE;
/* The value and its version (each may be NULL). Errors: ESTALE, EINVAL (another size), ETHREAD. */
#define qrt_watch_get(watch, ret_value, ret_version)                                               \
	qrt_watch_get_sized((watch), sizeof(*(ret_value)), (ret_value), (ret_version))
QRT_API enum qrt_err qrt_watch_get_sized(struct qrt_watch *watch, size_t size, void *ret_value,
					 uint64_t *ret_version) QRT_MUST_USE;

/*
 * Waits until the version is another than *@seen (0: none seen yet) and sets *@seen to it.
 * Changes in between are not counted. Suspends. Errors: ECLOSED, ESTALE, ECANCELED, ETIMEDOUT,
 * ENOSUSPEND, ETHREAD.
 */
QRT_API enum qrt_err qrt_watch_changed(struct qrt_cx *cx, struct qrt_watch *watch,
				       uint64_t *seen) QRT_MUST_USE;
QRT_API struct qrt_case qrt_case_watch(struct qrt_watch *watch, uint64_t *seen);

struct qrt_watch_stats {
	uint64_t version;
	size_t watchers; /* tasks that wait now */
	struct qrt_wait_stats changed;
};
/* Errors: ESTALE, ETHREAD. */
QRT_API enum qrt_err qrt_watch_stats(const struct qrt_watch *watch,
				     struct qrt_watch_stats *ret_stats) QRT_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
