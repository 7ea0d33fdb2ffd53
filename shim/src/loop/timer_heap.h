/*
 * A heap of timers that puts its work off: adding one is a push on a list, and
 * only the question for the first sorts what has come. timer_heap.c has the
 * picture. Never allocates.
 */
#ifndef QRT_TIMER_HEAP_H
#define QRT_TIMER_HEAP_H

struct qrt__timer;

struct qrt__timer_trees {
	struct qrt__timer *first;
};

/* @timer must be in no list. */
void qrt__timer_heap_add(struct qrt__timer_trees *heap, struct qrt__timer *timer);
/* @timer must be in @heap. */
void qrt__timer_heap_remove(struct qrt__timer_trees *heap, struct qrt__timer *timer);
/* The earliest, which stays in; NULL when there is none. */
struct qrt__timer *qrt__timer_heap_first(struct qrt__timer_trees *heap);

#endif
