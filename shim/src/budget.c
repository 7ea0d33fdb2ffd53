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

static int64_t least(int64_t left, int64_t own)
{
	return own && own < left ? own : left;
}

void qrt__meter_init(struct qrt__meter *meter, struct qrt__meter *payer,
		     const struct qrt_budget *budget)
{
	meter->payer = payer;
	meter->spent = payer && payer->spent;
	meter->polls = meter->polls_given = least(payer ? payer->polls : INT64_MAX, budget->polls);
	meter->cost = meter->cost_given = least(payer ? payer->cost : INT64_MAX, budget->cost);
}

static int64_t minus(int64_t left, int64_t used)
{
	if (left == INT64_MAX) {
		return left;
	}
	return used < left ? left - used : 0;
}

void qrt__meter_fini(struct qrt__meter *meter)
{
	if (meter->payer) {
		meter->payer->polls = minus(meter->payer->polls, meter->polls_given - meter->polls);
		meter->payer->cost = minus(meter->payer->cost, meter->cost_given - meter->cost);
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

static int64_t shown(int64_t left)
{
	return left == INT64_MAX ? 0 : left > 0 ? left : 1;
}

struct qrt_budget qrt_cx_budget(const struct qrt_cx *cx)
{
	return (struct qrt_budget){
	    .deadline_ns = cx->deadline_ns == QRT_NO_DEADLINE ? 0 : cx->deadline_ns,
	    .polls = shown(cx->meter->polls),
	    .cost = shown(cx->meter->cost),
	    .priority = cx->task->priority,
	};
}

enum qrt_err qrt_charge(struct qrt_cx *cx, int64_t units)
{
	if (units < 0) {
		return qrt_fail(cx, QRT_EINVAL, "a charge of %lld units", (long long)units);
	}
	struct qrt__meter *meter = cx->meter;
	if (meter->cost != INT64_MAX && cx->task->rt->engine->structured) {
		bool too_much = units > meter->cost;
		meter->cost = minus(meter->cost, units);
		if (too_much) {
			qrt__budget_spent(cx);
		}
	}
	return qrt_checkpoint(cx);
}
