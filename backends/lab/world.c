/*
 * Whose turn it is, and the clock. One runtime of the lab is run by its host
 * (qrt_run_main); in its poll all others have their turns, chosen by the
 * seed, until it has something to do itself. The clock moves only when none
 * has. Turns of others are plain calls on the host's stack: a runtime's own
 * context is only where its tasks come back to.
 */
#include "backends/lab/lab.h"

static bool due(struct qrt_lab *lab, struct qrt_runtime *rt)
{
	return qrt__timers_next(&rt->timers) <= lab->now_ns;
}

/* Whether it may have turns; not when a task of it waits for this very call to return. */
static bool has_turns(const struct qrt__member *member)
{
	return member->going && !member->ended && !member->rt->current;
}

/* Whether a turn of it would do anything. */
static bool can_go_on(struct qrt_lab *lab, struct qrt__member *member)
{
	struct qrt_runtime *rt = member->rt;
	return has_turns(member) &&
	       (rt->n_ready > 0 ||
		atomic_load_explicit(&rt->inbox_nonempty, memory_order_relaxed) || due(lab, rt));
}

/* Puts @member among the first @n of @can, who has waited longest first. */
static void insert(struct qrt__member **can, uint32_t n, struct qrt__member *member)
{
	while (n > 0 && can[n - 1]->last_turn > member->last_turn) {
		can[n] = can[n - 1];
		n--;
	}
	can[n] = member;
}

static struct qrt__member *next_member(struct qrt_lab *lab)
{
	struct qrt__member *can[QRT__LAB_RUNTIMES_MAX];
	uint32_t n = 0;
	QRT__LIST_EACH(node, &lab->runtimes) {
		struct qrt__member *member = QRT__CONTAINER(node, struct qrt__member, in_lab);
		if (n < QRT__LAB_RUNTIMES_MAX && can_go_on(lab, member)) {
			insert(can, n++, member);
		}
	}
	if (n == 0) {
		return NULL;
	}
	struct qrt__member *next = qrt__strategy_runtime(lab, can, n);
	next->last_turn = ++lab->turns;
	return next;
}

static int64_t next_event(struct qrt_lab *lab)
{
	int64_t next = qrt__timers_next(&lab->events);
	QRT__LIST_EACH(node, &lab->runtimes) {
		struct qrt__member *member = QRT__CONTAINER(node, struct qrt__member, in_lab);
		int64_t own =
		    has_turns(member) ? qrt__timers_next(&member->rt->timers) : QRT_NO_DEADLINE;
		next = own < next ? own : next;
	}
	return next;
}

/* Whether somebody still has something to do after it has healed. */
static void check_liveness(struct qrt_lab *lab, int64_t at_ns)
{
	if (lab->healed && lab->opts.quiesce_ns > 0 &&
	    at_ns - lab->opts.heal_ns > lab->opts.quiesce_ns) {
		qrt__lab_livelock(lab, "it has not come to an end after all has healed");
	}
}

/* Moves the clock to @at_ns and lets the network do what is due by then. */
static void advance(struct qrt_lab *lab, int64_t at_ns)
{
	QRT_ASSERT(at_ns >= lab->now_ns);
	check_liveness(lab, at_ns);
	lab->now_ns = at_ns;
	struct qrt__member *first = QRT__CONTAINER(lab->runtimes.next, struct qrt__member, in_lab);
	qrt__trace(first->rt, QRT__TRACE_CLOCK, (uint64_t)at_ns, 0);
	struct qrt__timer *timer;
	while ((timer = qrt__timers_due(&lab->events, at_ns))) {
		timer->fire(timer);
	}
}

/* A turn on the stack of whoever asks, which need not be the same each time. */
bool qrt__world_turn(struct qrt__member *member)
{
	qrt__fiber_enter_again(&member->rt->loop);
	member->ended = !qrt__loop_turn(member->rt);
	return member->ended;
}

bool qrt__world_go(struct qrt_lab *lab, struct qrt__member *self, int64_t until_ns)
{
	for (;;) {
		qrt__lab_deliver(lab);
		struct qrt__member *member = next_member(lab);
		if (member == self || self->ended) {
			return true;
		}
		if (member) {
			if (qrt__world_turn(member) && member == self) {
				return true;
			}
			continue;
		}
		int64_t next = next_event(lab);
		bool within = next <= until_ns;
		if (next == QRT_NO_DEADLINE && until_ns == QRT_NO_DEADLINE) {
			return false;
		}
		advance(lab, within ? next : until_ns);
		if (!within) {
			return false;
		}
	}
}
