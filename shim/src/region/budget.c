/* Budgets: the meet, and the countdowns that enforce it. Deadlines are the waits' own affair. */
#include <qrt/budget.h>

#include "shim/src/internal.h"

/* Of two bounds, where 0 is none. */
static int64_t tighter(int64_t a, int64_t b)
{
	if (a == 0 || b == 0) {
		return a + b;
	}
	return a < b ? a : b;
}

struct qrt_budget qrt_budget_meet(struct qrt_budget a, struct qrt_budget b)
{
	return (struct qrt_budget){
	    .deadline_ns = tighter(a.deadline_ns, b.deadline_ns),
	    .polls = tighter(a.polls, b.polls),
	    .cost = tighter(a.cost, b.cost),
	    .priority = a.priority > b.priority ? a.priority : b.priority,
	};
}

bool qrt__budget_valid(const struct qrt_budget *budget)
{
	return budget->priority <= QRT_PRIORITY_MAX && budget->deadline_ns >= 0 &&
	       budget->polls >= 0 && budget->cost >= 0;
}

#define UNBOUNDED INT64_MAX

/* Checkpoints are counted down without asking whether there is a bound. */
static int64_t left_of(int64_t left, int64_t given)
{
	if (given == UNBOUNDED) {
		return UNBOUNDED;
	}
	return left > 0 ? left : 0; /* nobody is given less than nothing, to be returned later */
}

static int64_t least(int64_t left, int64_t own)
{
	return own && own < left ? own : left;
}

void qrt__meter_init(struct qrt__meter *meter, struct qrt__meter *payer,
		     const struct qrt_budget *budget)
{
	int64_t polls = payer ? left_of(payer->polls, payer->polls_given) : UNBOUNDED;
	int64_t cost = payer ? left_of(payer->cost, payer->cost_given) : UNBOUNDED;
	meter->payer = payer;
	meter->spent = payer && payer->spent;
	meter->polls = meter->polls_given = least(polls, budget->polls);
	meter->cost = meter->cost_given = least(cost, budget->cost);
}

static int64_t minus(int64_t left, int64_t used)
{
	return used < left ? left - used : 0;
}

void qrt__meter_fini(struct qrt__meter *meter)
{
	struct qrt__meter *payer = meter->payer;
	if (payer && payer->polls_given != UNBOUNDED) {
		payer->polls = minus(payer->polls, meter->polls_given - meter->polls);
	}
	if (payer && payer->cost_given != UNBOUNDED) {
		payer->cost = minus(payer->cost, meter->cost_given - meter->cost);
	}
}

void qrt__budget_spent(struct qrt_cx *cx)
{
	struct qrt_task *task = cx->task;
	struct qrt_runtime *rt = task->rt;
	if (!rt->engine->structured || cx->meter->spent) {
		return;
	}
	cx->meter->spent = true;
	QRT__COUNT(rt->budgets_spent, 1);
	if (cx->meter == &task->meter) {
		qrt__cancel_task(task, QRT_CANCEL_BUDGET, "the task's budget is spent");
	} else {
		qrt__cancel_region(cx->region, QRT_CANCEL_BUDGET, "the region's budget is spent");
	}
}

static int64_t shown(int64_t left, int64_t given)
{
	return given == UNBOUNDED ? 0 : left > 0 ? left : 1;
}

struct qrt_budget qrt_cx_budget(const struct qrt_cx *cx)
{
	return (struct qrt_budget){
	    .deadline_ns = cx->deadline_ns == QRT_NO_DEADLINE ? 0 : cx->deadline_ns,
	    .polls = shown(cx->meter->polls, cx->meter->polls_given),
	    .cost = shown(cx->meter->cost, cx->meter->cost_given),
	    .priority = cx->task->priority,
	};
}

enum qrt_err qrt_charge(struct qrt_cx *cx, int64_t units)
{
	if (units < 0) {
		return qrt_fail(cx, QRT_EINVAL, "a charge of %lld units", (long long)units);
	}
	struct qrt__meter *meter = cx->meter;
	if (meter->cost_given != UNBOUNDED && cx->task->rt->engine->structured) {
		bool too_much = units > meter->cost;
		meter->cost = minus(meter->cost, units);
		if (too_much) {
			qrt__budget_spent(cx);
		}
	}
	return qrt_checkpoint(cx);
}
