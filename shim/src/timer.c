/* A 4-ary min-heap of timers; ties go to the earlier start, so runs repeat. */
#include "shim/src/timer.h"

#include <stdlib.h>

#include <qrt/cx.h>

void qrt__timers_init(struct qrt__timer_heap *heap)
{
	*heap = (struct qrt__timer_heap){0};
}

void qrt__timers_fini(struct qrt__timer_heap *heap)
{
	free(heap->slot);
	*heap = (struct qrt__timer_heap){0};
}

enum qrt_err qrt__timers_reserve(struct qrt__timer_heap *heap, uint32_t live)
{
	if (live < heap->room) {
		return QRT_OK;
	}
	uint32_t room = heap->room ? heap->room * 2 : 64;
	while (room <= live) {
		room *= 2;
	}
	struct qrt__timer **slot = realloc(heap->slot, room * sizeof(*slot));
	if (!slot) {
		return QRT_ENOMEM;
	}
	heap->slot = slot;
	heap->room = room;
	return QRT_OK;
}

static bool earlier(const struct qrt__timer *a, const struct qrt__timer *b)
{
	return a->at_ns != b->at_ns ? a->at_ns < b->at_ns : a->seq < b->seq;
}

static void place(struct qrt__timer_heap *heap, uint32_t index, struct qrt__timer *timer)
{
	heap->slot[index] = timer;
	timer->index = index;
}

static void sift_up(struct qrt__timer_heap *heap, uint32_t index, struct qrt__timer *timer)
{
	while (index > 0) {
		uint32_t parent = (index - 1) / 4;
		if (!earlier(timer, heap->slot[parent])) {
			break;
		}
		place(heap, index, heap->slot[parent]);
		index = parent;
	}
	place(heap, index, timer);
}

static void sift_down(struct qrt__timer_heap *heap, uint32_t index, struct qrt__timer *timer)
{
	for (;;) {
		uint32_t first = index * 4 + 1;
		uint32_t end = first + 4 < heap->n ? first + 4 : heap->n;
		if (first >= heap->n) {
			break;
		}
		uint32_t best = first;
		for (uint32_t child = first + 1; child < end; child++) {
			if (earlier(heap->slot[child], heap->slot[best])) {
				best = child;
			}
		}
		if (!earlier(heap->slot[best], timer)) {
			break;
		}
		place(heap, index, heap->slot[best]);
		index = best;
	}
	place(heap, index, timer);
}

void qrt__timer_start(struct qrt__timer_heap *heap, struct qrt__timer *timer, int64_t at_ns)
{
	qrt__timer_stop(heap, timer);
	QRT_ASSERT(heap->n < heap->room);
	timer->at_ns = at_ns;
	timer->seq = heap->seq++;
	sift_up(heap, heap->n++, timer);
}

void qrt__timer_stop(struct qrt__timer_heap *heap, struct qrt__timer *timer)
{
	uint32_t index = timer->index;
	if (index == QRT__TIMER_IDLE) {
		return;
	}
	QRT_ASSERT(heap->slot[index] == timer);
	timer->index = QRT__TIMER_IDLE;
	struct qrt__timer *last = heap->slot[--heap->n];
	if (last == timer) {
		return;
	}
	if (index > 0 && earlier(last, heap->slot[(index - 1) / 4])) {
		sift_up(heap, index, last);
	} else {
		sift_down(heap, index, last);
	}
}

int64_t qrt__timers_next(const struct qrt__timer_heap *heap)
{
	return heap->n > 0 ? heap->slot[0]->at_ns : QRT_NO_DEADLINE;
}

struct qrt__timer *qrt__timers_due(struct qrt__timer_heap *heap, int64_t now_ns)
{
	if (heap->n == 0 || heap->slot[0]->at_ns > now_ns) {
		return NULL;
	}
	struct qrt__timer *timer = heap->slot[0];
	qrt__timer_stop(heap, timer);
	return timer;
}
