/*
 * A hierarchical timing wheel (Varghese and Lauck, "Hashed and hierarchical
 * timing wheels", SOSP 1987) with a heap (timer_heap.c) in front of it. The
 * wheel makes starting and stopping cheap, the heap makes the order exact.
 *
 *	  time, in ticks of 2^9 ns, about half a microsecond
 *	           base
 *	  ... past ──┤├── the same 64 ticks ──┤├── the same 64^2 ──┤├── the same 64^3 ── ...
 *	  the heap:  │  level 0: a slot for   │  level 1: a slot   │  level 2: a slot
 *	  all up to  │  every tick after base │  for 64 ticks      │  for 64^2 ticks
 *	  base       │                        │                    │
 *
 * A timer's level is the highest digit, in base 64, in which its tick differs
 * from base, and its slot is its own digit there. So every timer of the heap
 * comes before every timer of the wheel, lower levels come before higher ones,
 * the slots of a level come in order, and two bit maps find the first slot that
 * has a timer.
 *
 * Base moves only while the heap is empty, and only forward to a moment that no
 * timer comes before. If that lies in the first slot, its timers are placed
 * again: in the heap, or on lower levels (peel). So a timer moves LEVELS times
 * at most, and a jump of the clock costs nothing per tick. Ticks are fine, so
 * that the heap stays small; a slot with few timers is left in one step, so
 * that fine ticks cost sparse timers nothing.
 *
 * A busy loop asks after each turn when to wake, and most of its timers are
 * timeouts of one length that hardly ever fire: peeling their slot for nothing
 * but the exact time would touch them all. So wake() leaves a slot of many that
 * is far away whole and says when it begins: the loop is up early a few times
 * before it is up in time.
 *
 * To ask for the next time may take base ahead of the clock. What is started
 * before base then goes into the heap, where it is as exact but dearer: hence
 * next() does not peel a slot of few timers either, but looks at each.
 */
#include "shim/src/loop/timer.h"

#include <qrt/cx.h>

#include "shim/src/loop/timer_list.h"

/* A slot of level FAR is passed in an eighth of a second. */
enum { TICK_BITS = 9, TIME_BITS = 63, FEW = 4, FAR = 3 };

_Static_assert(TICK_BITS + QRT__TIMER_BITS * QRT__TIMER_LEVELS >= TIME_BITS,
	       "the levels reach every time");
_Static_assert(QRT__TIMER_NEAR < QRT__TIMER_IDLE, "a place is one thing");
_Static_assert(sizeof(struct qrt__timer) <= 64, "every wait has one");

static int64_t tick_of(int64_t at_ns)
{
	return at_ns >> TICK_BITS;
}

void qrt__timers_init(struct qrt__timers *timers)
{
	*timers = (struct qrt__timers){0};
}

void qrt__timers_fini(struct qrt__timers *timers)
{
	QRT_PRE(timers->n == 0);
}

static void place(struct qrt__timers *timers, struct qrt__timer *timer)
{
	int64_t tick = tick_of(timer->at_ns);
	if (tick <= timers->base) {
		timer->place = QRT__TIMER_NEAR;
		qrt__timer_heap_add(&timers->near, timer);
		return;
	}
	unsigned highest = 63 - (unsigned)__builtin_clzll((uint64_t)(tick ^ timers->base));
	unsigned level = highest / QRT__TIMER_BITS;
	unsigned slot = (tick >> (level * QRT__TIMER_BITS)) & (QRT__TIMER_SLOTS - 1);
	timer->place = (uint16_t)(level * QRT__TIMER_SLOTS + slot);
	timers->levels |= 1U << level;
	timers->slots[level] |= UINT64_C(1) << slot;
	qrt__timer_push(&timers->slot[timer->place], timer);
}

static void mark_empty(struct qrt__timers *timers, unsigned index)
{
	unsigned level = index / QRT__TIMER_SLOTS;
	timers->slots[level] &= ~(UINT64_C(1) << (index % QRT__TIMER_SLOTS));
	if (!timers->slots[level]) {
		timers->levels &= ~(1U << level);
	}
}

static void take_out(struct qrt__timers *timers, struct qrt__timer *timer)
{
	unsigned index = timer->place;
	if (index == QRT__TIMER_NEAR) {
		qrt__timer_heap_remove(&timers->near, timer);
		return;
	}
	qrt__timer_unlink(timer);
	if (!timers->slot[index]) {
		mark_empty(timers, index);
	}
}

void qrt__timer_start(struct qrt__timers *timers, struct qrt__timer *timer, int64_t at_ns)
{
	if (qrt__timer_running(timer)) {
		take_out(timers, timer);
	} else {
		timers->n++;
	}
	if (timers->n == 1) {
		/* No other timer depends on base: back to the clock, if next() went ahead. */
		timers->base = timers->clock;
	}
	timer->at_ns = at_ns;
	timer->seq = timers->seq++;
	place(timers, timer);
}

void qrt__timer_stop(struct qrt__timers *timers, struct qrt__timer *timer)
{
	if (!qrt__timer_running(timer)) {
		return;
	}
	take_out(timers, timer);
	timer->place = QRT__TIMER_IDLE;
	timers->n--;
}

/* The first slot that is not empty; some must not be. */
static unsigned first_slot(const struct qrt__timers *timers)
{
	unsigned level = (unsigned)__builtin_ctz(timers->levels);
	return level * QRT__TIMER_SLOTS + (unsigned)__builtin_ctzll(timers->slots[level]);
}

/* The first tick of a slot: base down to the slot's digit, the slot there, zeros below. */
static int64_t first_tick(const struct qrt__timers *timers, unsigned index)
{
	unsigned shift = index / QRT__TIMER_SLOTS * QRT__TIMER_BITS;
	int64_t above = timers->base >> shift >> QRT__TIMER_BITS << QRT__TIMER_BITS;
	return (above | index % QRT__TIMER_SLOTS) << shift;
}

/* The earliest of a slot, if the slot has few; NULL when it has more. */
static struct qrt__timer *earliest_of_few(struct qrt__timer *list)
{
	struct qrt__timer *first = list;
	for (unsigned n = 0; list; list = list->next) {
		if (n++ == FEW) {
			return NULL;
		}
		first = qrt__timer_before(list, first) ? list : first;
	}
	return first;
}

/* Moves base to @base, in the first slot and with no timer before it. */
static void peel(struct qrt__timers *timers, unsigned index, int64_t base)
{
	QRT_PRE(base > timers->base);
	struct qrt__timer *list = timers->slot[index];
	timers->slot[index] = NULL;
	mark_empty(timers, index);
	timers->base = base;
	while (list) {
		struct qrt__timer *timer = list;
		list = list->next;
		place(timers, timer);
	}
}

/* The earliest time; if it is in a slot of many on @level or above, when that slot begins. */
static int64_t earliest(struct qrt__timers *timers, unsigned level)
{
	if (timers->n == 0) {
		return QRT_NO_DEADLINE;
	}
	struct qrt__timer *first;
	while (!(first = qrt__timer_heap_first(&timers->near))) {
		unsigned index = first_slot(timers);
		first = earliest_of_few(timers->slot[index]);
		if (first) {
			break;
		}
		if (index >= level * QRT__TIMER_SLOTS) {
			return first_tick(timers, index) << TICK_BITS;
		}
		peel(timers, index, first_tick(timers, index));
	}
	return first->at_ns;
}

int64_t qrt__timers_next(struct qrt__timers *timers)
{
	return earliest(timers, QRT__TIMER_LEVELS);
}

int64_t qrt__timers_wake(struct qrt__timers *timers)
{
	return earliest(timers, FAR);
}

/* Moves base up to @tick, or until the first timers are in the heap if they come before. */
static void catch_up(struct qrt__timers *timers, int64_t tick)
{
	while (!timers->near.first && timers->levels) {
		unsigned index = first_slot(timers);
		int64_t base = first_tick(timers, index);
		if (base > tick) {
			break;
		}
		struct qrt__timer *first = earliest_of_few(timers->slot[index]);
		if (first) {
			base = tick_of(first->at_ns);
			base = base < tick ? base : tick;
		}
		peel(timers, index, base);
	}
	if (!timers->near.first && tick > timers->base) {
		timers->base = tick;
	}
}

struct qrt__timer *qrt__timers_due(struct qrt__timers *timers, int64_t now_ns)
{
	int64_t tick = tick_of(now_ns);
	timers->clock = tick > timers->clock ? tick : timers->clock;
	catch_up(timers, tick);
	struct qrt__timer *first = qrt__timer_heap_first(&timers->near);
	if (!first || first->at_ns > now_ns) {
		return NULL;
	}
	qrt__timer_stop(timers, first);
	return first;
}
