/*
 * A pairing heap (Fredman, Sedgewick, Sleator, Tarjan, "The pairing heap: a
 * new form of self-adjusting heap", Algorithmica 1, 1986), with the melding of
 * new timers put off until somebody asks for the first one.
 *
 *	first ──> 7 ──> 3 ──> 5          first() melds them to one:    3
 *	                │                                              │
 *	              child                                            5 ──> 7 ──> 4 ──> 9
 *	                │
 *	                4 ──> 9
 *
 * A timer is not after any of its children; a list says nothing about order.
 * Adding costs a push. Removing costs the melding of its children, and asking
 * for the first the melding of the trees: both O(log n) amortised. There is no
 * recursion, whatever the shape.
 */
#include "shim/src/loop/timer_heap.h"

#include "shim/src/base/mutant.h"
#include "shim/src/loop/timer_list.h"

/* The later of two trees becomes a child of the earlier; the result is in no list. */
static struct qrt__timer *meld(struct qrt__timer *a, struct qrt__timer *b)
{
	bool swap = qrt__timer_before(b, a);
	struct qrt__timer *early = swap ? b : a;
	qrt__timer_push(&early->child, swap ? a : b);
	return early;
}

/* One tree of all in the list: in pairs from left to right, then all pairs from right to left. */
static struct qrt__timer *meld_all(struct qrt__timer *list)
{
	struct qrt__timer *pairs = NULL; /* by next alone, the last one first */
	while (list) {
		struct qrt__timer *pair = list;
		list = list->next;
		if (list) {
			struct qrt__timer *other = list;
			list = list->next;
			pair = meld(pair, other);
		}
		pair->next = pairs;
		pairs = pair;
	}
	struct qrt__timer *tree = pairs;
	pairs = tree->next;
	while (pairs) {
		struct qrt__timer *pair = pairs;
		pairs = pairs->next;
		tree = meld(tree, pair);
	}
	return tree;
}

void qrt__timer_heap_add(struct qrt__timer_trees *heap, struct qrt__timer *timer)
{
	timer->child = NULL;
	qrt__timer_push(&heap->first, timer);
}

void qrt__timer_heap_remove(struct qrt__timer_trees *heap, struct qrt__timer *timer)
{
	qrt__timer_unlink(timer);
	if (timer->child && !QRT__MUTANT(TIMERS_LOST)) {
		qrt__timer_push(&heap->first, meld_all(timer->child));
	}
}

struct qrt__timer *qrt__timer_heap_first(struct qrt__timer_trees *heap)
{
	struct qrt__timer *list = heap->first;
	if (list && list->next) {
		heap->first = NULL;
		qrt__timer_push(&heap->first, meld_all(list));
	}
	return heap->first;
}
