/*
 * Who runs next. Round robin leaves it to the lanes, which are in order of
 * waiting; random takes anybody of the first so many; PCT takes who has the
 * highest rank. A rank is drawn when a task is first seen; at a few steps,
 * drawn at the beginning, whoever runs goes behind all that have not yet.
 */
#include "backends/lab/lab.h"

/* Of a herd only so many are looked at, each time: a choice has a bounded cost. */
enum { LOOKED_AT = 64 };
/* Whoever runs so often in a row waits for others by spinning: it goes to the end. */
enum { STREAK_MAX = 128, STREAK_BREAK = 32 };
/* Where nobody has said how long a run is, PCT's moments lie before step 2^6 to 2^16. */
enum { STEPS_LOG_MIN = 6, STEPS_LOG_MAX = 16 };
#define RANK_MIDDLE (UINT64_C(1) << 62)

void qrt__strategy_init(struct qrt_lab *lab)
{
	struct qrt__strategy *strategy = &lab->strategy;
	struct qrt__lab_random draw = qrt__lab_stream(lab->opts.seed, 64);
	unsigned depth = lab->opts.depth ? lab->opts.depth : 3;
	strategy->n_changes = lab->opts.strategy == QRT_LAB_PCT ? depth - 1 : 0;
	uint64_t steps = lab->opts.length;
	if (steps == 0) {
		steps = UINT64_C(1) << qrt__lab_between(&draw, STEPS_LOG_MIN, STEPS_LOG_MAX);
	}
	for (unsigned i = 0; i < strategy->n_changes; i++) {
		strategy->change_at[i] = 1 + qrt__lab_below(&draw, steps);
	}
	strategy->lowest = RANK_MIDDLE - QRT__PCT_DEPTH_MAX;
}

static bool by_rank(const struct qrt_lab *lab)
{
	return lab->opts.strategy == QRT_LAB_PCT && lab->opts.seed != 0;
}

/* One step in so many is anybody's: two that spin for each other must not starve a third. */
static bool at_random(struct qrt_lab *lab)
{
	return qrt__lab_below(&lab->stream[QRT__CHOOSE_TASK], 64) == 0;
}

static uint64_t rank_of(struct qrt_lab *lab, struct qrt_task *task)
{
	if (task->rank == 0) {
		task->rank = RANK_MIDDLE + 1 + (qrt__lab_next(&lab->stream[QRT__CHOOSE_TASK]) >> 2);
	}
	return task->rank;
}

/* The @index-th ready task, in the order of lanes. */
static struct qrt_task *nth_ready(const struct qrt_runtime *rt, uint32_t index)
{
	for (unsigned lane = 0; lane < QRT__LANES; lane++) {
		QRT__LIST_EACH(node, &rt->ready[lane]) {
			if (index-- == 0) {
				return QRT__CONTAINER(node, struct qrt_task, in_ready);
			}
		}
	}
	QRT_IMPOSSIBLE("fewer ready tasks than counted");
}

/* The first by rank, of those that are looked at: its index, its rank. */
static uint32_t highest(struct qrt_lab *lab, const struct qrt_runtime *rt, uint32_t n,
			uint64_t *ret_rank)
{
	uint32_t best = 0, at = 0;
	*ret_rank = 0;
	for (unsigned lane = 0; lane < QRT__LANES; lane++) {
		QRT__LIST_EACH(node, &rt->ready[lane]) {
			uint64_t rank =
			    rank_of(lab, QRT__CONTAINER(node, struct qrt_task, in_ready));
			if (rank > *ret_rank) {
				*ret_rank = rank;
				best = at;
			}
			if (++at == n) {
				return best;
			}
		}
	}
	return best;
}

/* The one that runs now goes to its place among the last at a change; to the end when it spins. */
static void maybe_demote(struct qrt_lab *lab, struct qrt_task *task)
{
	struct qrt__strategy *strategy = &lab->strategy;
	if (task->rank == strategy->last) {
		strategy->streak++;
	} else if (strategy->streak > STREAK_BREAK) {
		strategy->streak -= STREAK_BREAK; /* one step of somebody else does not end it */
	} else {
		strategy->streak = 0;
		strategy->last = task->rank;
	}
	if (strategy->streak >= STREAK_MAX) {
		task->rank = --strategy->lowest;
		strategy->streak = 0;
	}
	/* Which change has which place among the last is as random as when it comes. */
	for (unsigned i = 0; i < strategy->n_changes; i++) {
		if (strategy->change_at[i] == lab->steps) {
			task->rank = RANK_MIDDLE - 1 - i;
		}
	}
}

struct qrt_task *qrt__strategy_task(struct qrt_lab *lab, struct qrt_runtime *rt)
{
	uint32_t n = rt->n_ready < LOOKED_AT ? (uint32_t)rt->n_ready : LOOKED_AT;
	bool in_order = lab->opts.seed == 0 || lab->opts.strategy == QRT_LAB_ROUND_ROBIN;
	if (n == 1 && !by_rank(lab)) {
		return NULL;
	}
	if (in_order && !lab->replay) {
		return NULL;
	}
	uint32_t value = 0;
	if (by_rank(lab) && !at_random(lab)) {
		uint64_t rank;
		value = highest(lab, rt, n, &rank);
	} else if (!in_order) {
		value = (uint32_t)qrt__lab_below(&lab->stream[QRT__CHOOSE_TASK], n);
	}
	if (n > 1) {
		value = qrt__chosen(lab, QRT__CHOOSE_TASK, n, value);
	}
	if (value == 0 && !by_rank(lab)) {
		return NULL; /* the lanes, which let none starve */
	}
	struct qrt_task *task = nth_ready(rt, value);
	if (by_rank(lab)) {
		maybe_demote(lab, task);
	}
	return task;
}

struct qrt__member *qrt__strategy_runtime(struct qrt_lab *lab, struct qrt__member *const *can,
					  uint32_t n)
{
	if (n == 1) {
		return can[0];
	}
	if (!by_rank(lab) || at_random(lab)) {
		if (lab->opts.seed == 0 || lab->opts.strategy == QRT_LAB_ROUND_ROBIN) {
			return can[qrt__chosen(lab, QRT__CHOOSE_RUNTIME, n, 0)];
		}
		return can[qrt__choose(lab, QRT__CHOOSE_RUNTIME, n)];
	}
	/* Where the first one by rank is; posts and timers go before tasks. */
	uint32_t best = 0;
	uint64_t best_rank = 0;
	for (uint32_t i = 0; i < n; i++) {
		uint64_t rank = UINT64_MAX;
		const struct qrt_runtime *rt = can[i]->rt;
		if (rt->n_ready > 0) {
			uint32_t looked =
			    rt->n_ready < LOOKED_AT ? (uint32_t)rt->n_ready : LOOKED_AT;
			highest(lab, rt, looked, &rank);
		}
		if (rank > best_rank) {
			best_rank = rank;
			best = i;
		}
	}
	return can[qrt__chosen(lab, QRT__CHOOSE_RUNTIME, n, best)];
}
