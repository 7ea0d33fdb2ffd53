/*
 * The lists of timers that the wheel and the heap share, and the order of two.
 * A node knows what points to it, so it leaves any list without knowing which.
 * For timer.c and timer_heap.c; everybody else starts and stops timers.
 */
#ifndef QRT_TIMER_LIST_H
#define QRT_TIMER_LIST_H

#include "shim/src/loop/timer.h"

static inline void qrt__timer_push(struct qrt__timer **first, struct qrt__timer *timer)
{
	timer->next = *first;
	timer->link = first;
	if (*first) {
		(*first)->link = &timer->next;
	}
	*first = timer;
}

static inline void qrt__timer_unlink(struct qrt__timer *timer)
{
	QRT_ASSERT(*timer->link == timer);
	*timer->link = timer->next;
	if (timer->next) {
		timer->next->link = timer->link;
	}
}

/* Ties go to the earlier start, so runs repeat. */
static inline bool qrt__timer_before(const struct qrt__timer *a, const struct qrt__timer *b)
{
	return a->at_ns != b->at_ns ? a->at_ns < b->at_ns : a->seq < b->seq;
}

#endif
