/*
 * Timers in exact order of time, then of start. A timer is its owner's memory
 * and holds its own links: nothing here allocates, so no start can fail.
 * timer.c has the picture; the members are its and timer_heap.c's affair.
 */
#ifndef QRT_TIMER_H
#define QRT_TIMER_H

#include <qrt/err.h>

#include "shim/src/loop/timer_heap.h"

struct qrt__timer;
typedef void qrt__timer_fn(struct qrt__timer *timer);

struct qrt__timer {
	struct qrt__timer *next;  /* in its list: a slot's, or one of the heap's */
	struct qrt__timer **link; /* what points here: the list's first, or a next */
	uint16_t place;		  /* the number of a slot, or NEAR or IDLE */
	int64_t at_ns;
	uint64_t seq;		  /* of its start: the order among equal times */
	struct qrt__timer *child; /* in the heap: a list of timers after this one */
	qrt__timer_fn *fire;	  /* the timer is stopped when this runs */
};

enum { QRT__TIMER_BITS = 6, QRT__TIMER_SLOTS = 1 << QRT__TIMER_BITS, QRT__TIMER_LEVELS = 9 };
enum { QRT__TIMER_NEAR = QRT__TIMER_LEVELS * QRT__TIMER_SLOTS, QRT__TIMER_IDLE = UINT16_MAX };

struct qrt__timers {
	size_t n; /* that run */
	uint64_t seq;
	int64_t base;  /* the tick up to which timers are in the heap */
	int64_t clock; /* the latest tick at which somebody asked what is due */
	struct qrt__timer_trees near;
	unsigned levels;		   /* a bit per level that has a timer */
	uint64_t slots[QRT__TIMER_LEVELS]; /* a bit per slot that has a timer */
	struct qrt__timer *slot[QRT__TIMER_LEVELS * QRT__TIMER_SLOTS];
};

static inline void qrt__timer_init(struct qrt__timer *timer, qrt__timer_fn *fire)
{
	timer->place = QRT__TIMER_IDLE;
	timer->fire = fire;
}

/* Whether it was started and has neither been stopped nor come due. */
static inline bool qrt__timer_running(const struct qrt__timer *timer)
{
	return timer->place != QRT__TIMER_IDLE;
}

void qrt__timers_init(struct qrt__timers *timers);
/* None may be running. */
void qrt__timers_fini(struct qrt__timers *timers);
/* Starts @timer, or moves it. Any time will do, also one long past. */
void qrt__timer_start(struct qrt__timers *timers, struct qrt__timer *timer, int64_t at_ns);
/* Nothing when it is not running. */
void qrt__timer_stop(struct qrt__timers *timers, struct qrt__timer *timer);
/* The earliest time, or QRT_NO_DEADLINE. */
int64_t qrt__timers_next(struct qrt__timers *timers);
/*
 * The same for a loop that asks often: never later, but at times earlier while the earliest ones
 * are many and far away. Once it has come, ask again.
 */
int64_t qrt__timers_wake(struct qrt__timers *timers);
/* Takes out the earliest timer that is due at @now_ns; NULL when none is. */
struct qrt__timer *qrt__timers_due(struct qrt__timers *timers, int64_t now_ns);

#endif
