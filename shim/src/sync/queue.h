/*
 * What channels are made of: a ring of elements, and lines of tasks that wait
 * with an arm. Both belong to one object and are guarded as it is: by its
 * loop's thread, or by its lock.
 */
#ifndef QRT_QUEUE_H
#define QRT_QUEUE_H

#include <qrt/permit.h>
#include <stdlib.h>
#include <string.h>

#include "shim/src/sync/arm.h"
#include "shim/src/sync/object.h"

/* --- elements ------------------------------------------------------------------------------- */

static inline void qrt__element_copy(void *to, const void *from, size_t size)
{
	if (size == sizeof(void *)) {
		memcpy(to, from, sizeof(void *)); /* the usual one, without a call */
	} else {
		memcpy(to, from, size);
	}
}

/* Nobody will take *@element: what it owns is destroyed. */
static inline void qrt__element_drop(qrt_drop_fn *drop, const void *element)
{
	if (drop) {
		drop((void *)(uintptr_t)element);
	}
}

/* How every open of something for elements begins. Errors: EINVAL, ETHREAD. */
static inline enum qrt_err qrt__element_check(struct qrt_cx *cx, size_t size, size_t capacity)
{
	if (!qrt__on_thread_of(cx->task->rt)) {
		return QRT_ETHREAD;
	}
	if (size == 0 || size > QRT_ELEMENT_BYTES_MAX) {
		return qrt_fail(cx, QRT_EINVAL, "elements of %zu bytes, not 1 to %u", size,
				QRT_ELEMENT_BYTES_MAX);
	}
	if (capacity == 0 || capacity > QRT_CAPACITY_MAX) {
		return qrt_fail(cx, QRT_EINVAL, "a capacity of %zu, not 1 to %u", capacity,
				QRT_CAPACITY_MAX);
	}
	return QRT_OK;
}

/* Whether the caller's idea of an element is the object's. */
static inline enum qrt_err qrt__size_check(struct qrt_cx *cx, size_t size, size_t expected)
{
	if (__builtin_expect(size != expected, 0)) {
		return qrt_fail(cx, QRT_EINVAL, "an element of %zu bytes, not %zu", size, expected);
	}
	return QRT_OK;
}

/* --- rings ---------------------------------------------------------------------------------- */

struct qrt__ring {
	char *at;
	size_t size, capacity;
	size_t head, n;
};

_Static_assert(SIZE_MAX / QRT_ELEMENT_BYTES_MAX >= QRT_CAPACITY_MAX, "a ring fits into memory");

static inline bool qrt__ring_init(struct qrt__ring *ring, size_t size, size_t capacity)
{
	*ring =
	    (struct qrt__ring){.at = malloc(size * capacity), .size = size, .capacity = capacity};
	return ring->at;
}

static inline void qrt__ring_push(struct qrt__ring *ring, const void *element)
{
	size_t at = ring->head + ring->n;
	QRT_ASSERT(ring->n < ring->capacity);
	at = at < ring->capacity ? at : at - ring->capacity;
	qrt__element_copy(ring->at + at * ring->size, element, ring->size);
	ring->n++;
}

/* The first one, in place until the next push. */
static inline void *qrt__ring_shift(struct qrt__ring *ring)
{
	QRT_ASSERT(ring->n > 0);
	void *element = ring->at + ring->head * ring->size;
	ring->head = ring->head + 1 < ring->capacity ? ring->head + 1 : 0;
	ring->n--;
	return element;
}

/* Drops what is left and frees it. Runs code of the application's: not under a lock. */
static inline void qrt__ring_destroy(struct qrt__ring *ring, qrt_drop_fn *drop)
{
	while (ring->n > 0) {
		qrt__element_drop(drop, qrt__ring_shift(ring));
	}
	free(ring->at);
	ring->at = NULL;
}

/* --- lines ---------------------------------------------------------------------------------- */

static inline void qrt__waited(struct qrt_wait_stats *stats, int64_t ns)
{
	stats->total_ns += ns;
	stats->max_ns = stats->max_ns > ns ? stats->max_ns : ns;
}

struct qrt__line {
	struct qrt__list arms;
	size_t n;
	struct qrt_wait_stats stats;
};

static inline void qrt__line_init(struct qrt__line *line)
{
	*line = (struct qrt__line){0};
	qrt__list_init(&line->arms);
}

static inline void qrt__line_join(struct qrt__line *line, struct qrt_case *arm, int64_t now_ns)
{
	arm->since_ns_ = now_ns;
	line->stats.n++;
	line->n++;
	qrt__list_append(&line->arms, &arm->node_);
}

/* Also for one that stands in no line. */
static inline void qrt__line_leave(struct qrt__line *line, struct qrt_case *arm, int64_t now_ns)
{
	if (!qrt__list_empty(&arm->node_)) {
		qrt__list_remove(&arm->node_);
		line->n--;
		qrt__waited(&line->stats, now_ns - arm->since_ns_);
	}
}

static inline bool qrt__line_empty(const struct qrt__line *line)
{
	return qrt__list_empty(&line->arms);
}

static inline struct qrt_case *qrt__line_pop(struct qrt__line *line, int64_t now_ns)
{
	struct qrt_case *arm = qrt__arm_of(line->arms.next);
	qrt__line_leave(line, arm, now_ns);
	return arm;
}

/* Tells everybody in it, first come first. */
static inline void qrt__line_grant_all(struct qrt__line *line, enum qrt_err result, int64_t now_ns)
{
	while (!qrt__line_empty(line)) {
		qrt__grant(qrt__line_pop(line, now_ns), result);
	}
}

/* --- audiences ------------------------------------------------------------------------------ */

/*
 * First member of an object that tells tasks of something and owes them nothing more. The slot of
 * a closed one is kept until nobody is promised.
 */
struct qrt__audience {
	struct qrt__object object;
	size_t promised; /* tasks that were woken and have not run yet */
	struct qrt__line line;
};

/* As the enqueue and the withdraw of an arm. */
static inline void qrt__audience_enqueue(struct qrt_case *arm)
{
	struct qrt__audience *audience = qrt__arm_object(arm);
	qrt__line_join(&audience->line, arm, audience->object.rt->turn_ns);
}

static inline void qrt__audience_withdraw(struct qrt_case *arm)
{
	struct qrt__audience *audience = qrt__arm_object(arm);
	qrt__line_leave(&audience->line, arm, audience->object.rt->turn_ns);
}

/* There is something to tell: one arm of the first in line is granted. */
static inline void qrt__audience_wake(struct qrt__audience *audience)
{
	audience->promised++;
	qrt__grant(qrt__line_pop(&audience->line, audience->object.rt->turn_ns), QRT_OK);
}

/* It is closed: whoever waits gets ECLOSED. */
static inline void qrt__audience_retire(struct qrt__audience *audience)
{
	qrt__object_retire(&audience->object);
	qrt__line_grant_all(&audience->line, QRT_ECLOSED, audience->object.rt->turn_ns);
}

static inline void qrt__audience_free_unpromised(struct qrt__audience *audience)
{
	if (audience->promised == 0) {
		qrt__object_free(&audience->object);
	}
}

/* Who was promised runs. Whether it is still open; it is freed when this was all that kept it. */
static inline bool qrt__audience_let_go(struct qrt__audience *audience)
{
	QRT_ASSERT(audience->promised > 0);
	audience->promised--;
	if (!qrt__object_retired(&audience->object)) {
		return true;
	}
	qrt__audience_free_unpromised(audience);
	return false;
}

#endif
