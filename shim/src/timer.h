/*
 * Timers: a 4-ary heap ordered by time, then by start. The owner's memory;
 * a timer that is not in the heap has index UINT32_MAX.
 */
#ifndef QRT_TIMER_H
#define QRT_TIMER_H

#include <qrt/err.h>

struct qrt__timer;
typedef void qrt__timer_fn(struct qrt__timer *timer);

struct qrt__timer {
	int64_t at_ns;
	uint64_t seq;
	uint32_t index;
	qrt__timer_fn *fire; /* the timer is out of the heap when this runs */
};

struct qrt__timer_heap {
	struct qrt__timer **slot;
	uint32_t n, room;
	uint64_t seq;
};

#define QRT__TIMER_IDLE UINT32_MAX

static inline void qrt__timer_init(struct qrt__timer *timer, qrt__timer_fn *fire)
{
	timer->index = QRT__TIMER_IDLE;
	timer->fire = fire;
}

void qrt__timers_init(struct qrt__timer_heap *heap);
void qrt__timers_fini(struct qrt__timer_heap *heap);
/* Makes room for one more timer beyond @live, so that a later start cannot fail. */
enum qrt_err qrt__timers_reserve(struct qrt__timer_heap *heap, uint32_t live);
/* Starts, or moves, @timer. Room must have been reserved. */
void qrt__timer_start(struct qrt__timer_heap *heap, struct qrt__timer *timer, int64_t at_ns);
void qrt__timer_stop(struct qrt__timer_heap *heap, struct qrt__timer *timer);
/* The earliest time, or QRT_NO_DEADLINE. */
int64_t qrt__timers_next(const struct qrt__timer_heap *heap);
/* Takes out the earliest timer that is due at @now_ns; NULL when none is. */
struct qrt__timer *qrt__timers_due(struct qrt__timer_heap *heap, int64_t now_ns);

#endif
