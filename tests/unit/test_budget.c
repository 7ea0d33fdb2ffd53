/*
 * What a region and its tasks may: budgets of checkpoints and cost, priorities and fairness, the
 * options of a spawn, admission limits, narrowed contexts.
 */
#include <qrt/lab.h>
#include <qrt/ledger.h>
#include <qrt/region.h>
#include <stdio.h>
#include <string.h>

#include "tests/lib/backends.h"
#include "tests/lib/test.h"

enum { HOUR_S = 3600 };

static struct qrt_audit audit_of(struct qrt_cx *cx)
{
	struct qrt_audit audit;
	qrt_runtime_audit(qrt_cx_runtime(cx), &audit);
	return audit;
}

/* --- the meet ------------------------------------------------------------------------------ */

enum { LEVELS = 3, BUDGETS = LEVELS * LEVELS * LEVELS * LEVELS };

static struct qrt_budget budget_number(int i)
{
	return (struct qrt_budget){.deadline_ns = i % LEVELS * 100,
				   .polls = i / LEVELS % LEVELS * 10,
				   .cost = i / LEVELS / LEVELS % LEVELS,
				   .priority = (unsigned)(i / LEVELS / LEVELS / LEVELS)};
}

static bool same(struct qrt_budget a, struct qrt_budget b)
{
	return a.deadline_ns == b.deadline_ns && a.polls == b.polls && a.cost == b.cost &&
	       a.priority == b.priority;
}

/* Whether bound @a allows no more than @b; 0 is none. */
static bool within(int64_t a, int64_t b)
{
	return b == 0 || (a != 0 && a <= b);
}

static void the_meet_of_budgets_is_the_tighter_of_each_bound(void **state)
{
	(void)state;
	const struct qrt_budget none = {0};
	for (int i = 0; i < BUDGETS; i++) {
		struct qrt_budget a = budget_number(i);
		assert_true(same(qrt_budget_meet(a, none), a));
		assert_true(same(qrt_budget_meet(a, a), a));
		for (int k = 0; k < BUDGETS; k++) {
			struct qrt_budget b = budget_number(k);
			struct qrt_budget both = qrt_budget_meet(a, b);
			assert_true(same(both, qrt_budget_meet(b, a)));
			assert_true(within(both.deadline_ns, a.deadline_ns));
			assert_true(within(both.polls, a.polls));
			assert_true(within(both.cost, a.cost));
			assert_true(both.priority >= a.priority);
			assert_true(both.polls == a.polls || both.polls == b.polls);
			for (int m = 0; m < BUDGETS; m++) {
				struct qrt_budget c = budget_number(m);
				assert_true(same(qrt_budget_meet(both, c),
						 qrt_budget_meet(a, qrt_budget_meet(b, c))));
			}
		}
	}
}

/* --- checkpoints and cost ------------------------------------------------------------------ */

struct spender {
	int polls; /* at most so many */
	int64_t units;
	int passed;
	enum qrt_err end;
	struct qrt_budget left; /* at the start */
	struct qrt_cancel_info info;
};

static enum qrt_err spend(struct qrt_cx *cx, void *arg)
{
	struct spender *spender = arg;
	spender->left = qrt_cx_budget(cx);
	enum qrt_err err = QRT_OK;
	for (int i = 0; i < spender->polls && !err; i++) {
		err = spender->units ? qrt_charge(cx, spender->units) : qrt_checkpoint(cx);
		spender->passed += !err;
	}
	spender->end = err;
	QRT_IGNORE(qrt_cancel_requested(cx, &spender->info), "looked at later");
	return err;
}

static enum qrt_err polls_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct spender spender = {.polls = 100}, sibling = {.polls = 100};
	struct qrt_region *region;
	const struct qrt_spawn_options opts = {.budget.polls = 5};
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &region));
	EXPECT(!qrt_spawn_with(region, &opts, spend, &spender));
	EXPECT(!qrt_spawn(region, spend, &sibling));
	enum qrt_err closed = qrt_region_close(cx, &region, QRT_OK);
	EXPECT(sibling.passed == 100 && !sibling.end);
	if (!is_structured(cx)) {
		EXPECT(!closed && spender.passed == 100); /* not promised here */
		return QRT_OK;
	}
	EXPECT(closed == QRT_ECANCELED && spender.passed == 5 && spender.end == QRT_ECANCELED);
	EXPECT(spender.left.polls == 5 && spender.left.cost == 0);
	EXPECT(spender.info.kind == QRT_CANCEL_BUDGET);
	EXPECT(strcmp(spender.info.reason, "the task's budget is spent") == 0);
	EXPECT(audit_of(cx).budgets_spent == 1);
	return QRT_OK;
}

static void who_has_spent_its_checkpoints_is_cancelled(void **state)
{
	(void)state;
	on_each_backend(polls_scenario, NULL);
}

static enum qrt_err cost_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct spender exact = {.polls = 5, .units = 2}, over = {.polls = 4, .units = 3};
	struct qrt_region *region;
	const struct qrt_spawn_options opts = {.budget.cost = 10};
	if (!is_structured(cx)) {
		return QRT_OK;
	}
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &region));
	EXPECT(!qrt_spawn_with(region, &opts, spend, &exact));
	EXPECT(!qrt_spawn_with(region, &opts, spend, &over));
	EXPECT(qrt_region_close(cx, &region, QRT_OK) == QRT_ECANCELED);
	EXPECT(!exact.end && exact.passed == 5);
	EXPECT(over.end == QRT_ECANCELED && over.passed == 3);
	EXPECT(over.info.kind == QRT_CANCEL_BUDGET);
	EXPECT(qrt_charge(cx, -1) == QRT_EINVAL);
	EXPECT(strcmp(qrt_detail(cx), "a charge of -1 units") == 0);
	EXPECT(!qrt_charge(cx, INT64_MAX) && !qrt_charge(cx, INT64_MAX)); /* no bound, no end */
	return QRT_OK;
}

static void who_has_spent_more_than_its_cost_is_cancelled(void **state)
{
	(void)state;
	on_each_backend(cost_scenario, NULL);
}

static enum qrt_err unbounded_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct spender child = {.polls = 7};
	struct qrt_region *region;
	const struct qrt_budget none = {0};
	EXPECT(same(qrt_cx_budget(cx), none));
	EXPECT(!qrt_checkpoint(cx) && !qrt_yield(cx) && !qrt_charge(cx, 3));
	EXPECT(same(qrt_cx_budget(cx), none));
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &region));
	EXPECT(!qrt_spawn(region, spend, &child));
	EXPECT(!qrt_yield(qrt_region_cx(region)));
	EXPECT(same(qrt_cx_budget(qrt_region_cx(region)), none));
	EXPECT(!qrt_region_close(cx, &region, QRT_OK));
	EXPECT(same(child.left, none) && same(qrt_cx_budget(cx), none));
	return QRT_OK;
}

static void no_bound_stays_no_bound(void **state)
{
	(void)state;
	on_each_backend(unbounded_scenario, NULL);
}

static enum qrt_err waits_long(struct qrt_cx *cx, void *arg)
{
	struct spender *spender = arg;
	spender->end = qrt_sleep(cx, HOUR_S * QRT_SEC);
	spender->passed = qrt_cancel_requested(cx, &spender->info);
	return spender->end;
}

/* Spends its budget under a mask, where it has opened a region. */
static enum qrt_err spends_masked(struct qrt_cx *cx, void *arg)
{
	struct spender *child = arg;
	struct qrt_region *inner;
	struct qrt_mask mask;
	EXPECT(!qrt_mask_begin(cx, 0, &mask));
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &inner));
	EXPECT(!qrt_spawn(inner, waits_long, child));
	for (int i = 0; i < 20; i++) {
		EXPECT(!qrt_yield(cx)); /* more than it may, but not now */
	}
	EXPECT(!child->passed);
	qrt_mask_end(cx, &mask);
	EXPECT(qrt_checkpoint(cx) == QRT_ECANCELED);
	return qrt_region_close(cx, &inner, QRT_OK);
}

static enum qrt_err spends_masked_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct spender child = {.polls = 0};
	struct qrt_region *region;
	const struct qrt_spawn_options opts = {.budget.polls = 10};
	if (!is_structured(cx)) {
		return QRT_OK;
	}
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &region));
	EXPECT(!qrt_spawn_with(region, &opts, spends_masked, &child));
	EXPECT(qrt_region_close(cx, &region, QRT_OK) == QRT_ECANCELED);
	EXPECT(child.end == QRT_ECANCELED && child.info.cause == QRT_CANCEL_BUDGET);
	EXPECT(audit_of(cx).budgets_spent == 1); /* once is enough */
	return QRT_OK;
}

static void a_budget_spent_under_a_mask_reaches_what_was_opened_there(void **state)
{
	(void)state;
	on_each_backend(spends_masked_scenario, NULL);
}

/* Has spent its budget and does not end. */
static enum qrt_err spent_and_lingers(struct qrt_cx *cx, void *arg)
{
	int64_t *cut_after_ns = arg;
	struct qrt_mask mask;
	EXPECT(!qrt_checkpoint(cx));
	EXPECT(!qrt_mask_begin(cx, 0, &mask));
	EXPECT(!qrt_checkpoint(cx)); /* one too many, but under a mask */
	int64_t asked = qrt_deadline_in(cx, 0);
	EXPECT(qrt_sleep(cx, HOUR_S * QRT_SEC) == QRT_ECANCELED);
	*cut_after_ns = qrt_deadline_in(cx, 0) - asked;
	QRT_IGNORE(qrt_checkpoint(cx), "it does not come back");
	return QRT_OK;
}

static enum qrt_err lingers_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	int64_t cut_after_ns = 0;
	struct qrt_region *region;
	const struct qrt_spawn_options opts = {.budget.polls = 1};
	if (!is_structured(cx) || !qrt_in_lab(cx)) {
		return QRT_OK; /* five seconds are nothing where time is virtual */
	}
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &region));
	EXPECT(!qrt_spawn_with(region, &opts, spent_and_lingers, &cut_after_ns));
	EXPECT(qrt_region_close(cx, &region, QRT_OK) == QRT_ECANCELED);
	EXPECT(cut_after_ns == 5 * QRT_SEC && audit_of(cx).forced == 1);
	return QRT_OK;
}

static void who_has_spent_its_budget_has_the_patience_of_that_kind(void **state)
{
	(void)state;
	on_each_backend(lingers_scenario, NULL);
}

static enum qrt_err inherit_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct spender greedy = {.polls = 4}, modest = {.polls = 100};
	struct qrt_region *region, *inner;
	if (!is_structured(cx)) {
		return QRT_OK;
	}
	const struct qrt_region_options opts = {.policy = QRT_COLLECT,
						.budget = {.polls = 10, .cost = 20}};
	EXPECT(!qrt_region_open_with(cx, &opts, &region));
	struct qrt_cx *in = qrt_region_cx(region);
	const struct qrt_spawn_options all = {.budget = {.polls = 1000, .cost = 5}};
	EXPECT(!qrt_spawn_with(region, &all, spend, &greedy));
	EXPECT(!qrt_sleep(cx, QRT_MS));
	EXPECT(greedy.left.polls == 10 && greedy.left.cost == 5); /* not more than its parent's */
	EXPECT(qrt_cx_budget(in).polls == 6);			  /* what it has used is gone */

	const struct qrt_region_options looser = {.budget = {.polls = 50}};
	EXPECT(!qrt_region_open_with(in, &looser, &inner));
	EXPECT(qrt_cx_budget(qrt_region_cx(inner)).polls == 6);
	EXPECT(qrt_cx_budget(qrt_region_cx(inner)).cost == 20);
	EXPECT(!qrt_charge(qrt_region_cx(inner), 8));
	EXPECT(!qrt_region_close(cx, &inner, QRT_OK));
	EXPECT(qrt_cx_budget(in).polls == 5 && qrt_cx_budget(in).cost == 12);

	EXPECT(!qrt_spawn(region, spend, &modest));
	EXPECT(!qrt_sleep(cx, QRT_MS));
	EXPECT(modest.left.polls == 5 && modest.passed == 5 && modest.end == QRT_ECANCELED);
	EXPECT(qrt_cx_budget(in).polls == 1); /* spent, and never read as "any number" */
	EXPECT(!qrt_checkpoint(cx));	      /* not main's budget */
	EXPECT(qrt_checkpoint(in) == QRT_ECANCELED && qrt_checkpoint(cx) == QRT_ECANCELED);
	struct qrt_cancel_info info;
	EXPECT(qrt_cancel_requested(cx, &info) && info.kind == QRT_CANCEL_BUDGET);
	EXPECT(strcmp(info.reason, "the region's budget is spent") == 0);
	EXPECT(qrt_region_close(cx, &region, QRT_OK) == QRT_ECANCELED);
	EXPECT(!qrt_checkpoint(cx));
	return QRT_OK;
}

static void a_childs_budget_is_within_its_parents_and_its_use_is_gone_from_it(void **state)
{
	(void)state;
	on_each_backend(inherit_scenario, NULL);
}

static enum qrt_err naps(struct qrt_cx *cx, void *arg)
{
	*(enum qrt_err *)arg = qrt_sleep(cx, HOUR_S * QRT_SEC);
	return QRT_OK;
}

static enum qrt_err task_deadline_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	enum qrt_err own = QRT_EFAILED, regions = QRT_EFAILED;
	struct qrt_region *region;
	const struct qrt_region_options opts = {
	    .policy = QRT_COLLECT, .budget.deadline_ns = qrt_deadline_in(cx, 200 * QRT_MS)};
	const struct qrt_spawn_options early = {.budget.deadline_ns = qrt_deadline_in(cx, QRT_MS)};
	const struct qrt_spawn_options late = {.budget.deadline_ns = qrt_deadline_in(cx, QRT_SEC)};
	EXPECT(!qrt_region_open_with(cx, &opts, &region));
	EXPECT(!qrt_spawn_with(region, &early, naps, &own));
	EXPECT(!qrt_spawn_with(region, &late, naps, &regions));
	EXPECT(!qrt_sleep(cx, 2 * QRT_MS));
	EXPECT(own == QRT_ETIMEDOUT && regions == QRT_EFAILED); /* only the one that was late */
	EXPECT(!qrt_region_close(cx, &region, QRT_OK));
	EXPECT(regions == QRT_ETIMEDOUT);
	return QRT_OK;
}

static enum qrt_err tells_deadline(struct qrt_cx *cx, void *arg)
{
	*(int64_t *)arg = qrt_cx_deadline(cx);
	return QRT_OK;
}

static enum qrt_err region_deadline_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	int64_t at = qrt_deadline_in(cx, 60 * QRT_SEC);
	const struct qrt_region_options opts = {.budget.deadline_ns = at},
					later = {.budget.deadline_ns = at + 1},
					earlier = {.budget.deadline_ns = at - 1};
	const struct qrt_region_options *const inner[] = {&(struct qrt_region_options){0}, &later,
							  &earlier};
	struct qrt_region *region, *below;
	EXPECT(!qrt_region_open_with(cx, &opts, &region));
	for (size_t i = 0; i < 3; i++) {
		EXPECT(!qrt_region_open_with(qrt_region_cx(region), inner[i], &below));
		struct qrt_cx *in = qrt_region_cx(below);
		EXPECT(qrt_cx_deadline(in) == (inner[i] == &earlier ? at - 1 : at));
		EXPECT(qrt_cx_budget(in).deadline_ns == qrt_cx_deadline(in));
		EXPECT(!qrt_region_close(cx, &below, QRT_OK));
	}
	int64_t told[3];
	for (size_t i = 0; i < 3; i++) {
		const struct qrt_spawn_options spawn = {.budget = inner[i]->budget};
		EXPECT(!qrt_spawn_with(region, &spawn, tells_deadline, &told[i]));
	}
	EXPECT(!qrt_region_close(cx, &region, QRT_OK));
	EXPECT(told[0] == at && told[1] == at && told[2] == at - 1);
	EXPECT(qrt_cx_deadline(cx) == QRT_NO_DEADLINE);
	return QRT_OK;
}

static void a_region_may_have_an_earlier_deadline_but_no_later_one(void **state)
{
	(void)state;
	on_each_backend(region_deadline_scenario, NULL);
}

static void a_task_may_have_an_earlier_deadline_but_no_later_one(void **state)
{
	(void)state;
	on_each_backend(task_deadline_scenario, NULL);
}

/* --- priorities ---------------------------------------------------------------------------- */

struct order {
	char text[16];
	unsigned priority;
};

static void put(char *text, char c)
{
	size_t n = strlen(text);
	text[n] = c;
	text[n + 1] = '\0';
}

#define PUTS(name, letter)                                                                         \
	static enum qrt_err name(struct qrt_cx *cx, void *arg)                                     \
	{                                                                                          \
		struct order *order = arg;                                                         \
		(void)cx;                                                                          \
		put(order->text, letter);                                                          \
		return QRT_OK;                                                                     \
	}
PUTS(puts_a, 'a')
PUTS(puts_b, 'b')
PUTS(puts_c, 'c')
PUTS(puts_d, 'd')

static enum qrt_err tells_priority(struct qrt_cx *cx, void *arg)
{
	((struct order *)arg)->priority = qrt_cx_budget(cx).priority;
	return QRT_OK;
}

static enum qrt_err priority_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct order order = {.text = ""};
	struct qrt_region *region;
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &region));
	const struct qrt_spawn_options low = {.budget.priority = 0}, high = {.budget.priority = 3},
				       middle = {.budget.priority = 1};
	EXPECT(!qrt_spawn_with(region, &low, puts_a, &order));
	EXPECT(!qrt_spawn_with(region, &middle, puts_b, &order));
	EXPECT(!qrt_spawn_with(region, &high, puts_c, &order));
	EXPECT(!qrt_spawn_with(region, &middle, puts_d, &order));
	EXPECT(!qrt_region_close(cx, &region, QRT_OK));
	EXPECT(strcmp(order.text, "cbda") == 0);

	/* A region's counts for what is in it. */
	const struct qrt_region_options opts = {.budget.priority = 2};
	EXPECT(!qrt_region_open_with(cx, &opts, &region));
	EXPECT(!qrt_spawn_with(region, &middle, tells_priority, &order));
	EXPECT(!qrt_region_close(cx, &region, QRT_OK) && order.priority == 2);
	EXPECT(!qrt_region_open_with(cx, &opts, &region));
	EXPECT(!qrt_spawn_with(region, &high, tells_priority, &order));
	EXPECT(!qrt_region_close(cx, &region, QRT_OK) && order.priority == 3);
	return QRT_OK;
}

/* Where the order of the ready is the runtime's own: not where a seed chooses among them. */
static void where_the_order_is_ours(qrt_task_fn *scenario)
{
	on_each_real_backend(scenario, NULL);
	const struct qrt_runtime_options opts = {.backend = "lab", .seed = 0};
	struct qrt_runtime *rt;
	assert_int_equal(qrt_runtime_open(&opts, NULL, &rt), QRT_OK);
	assert_int_equal(qrt_run_main(rt, scenario, NULL), QRT_OK);
	qrt_runtime_close(&rt);
}

static void the_higher_priority_runs_first(void **state)
{
	(void)state;
	where_the_order_is_ours(priority_scenario);
}

struct crowd {
	int high, low;
	bool stop;
	int high_when_low[4];
};

static enum qrt_err pushes(struct qrt_cx *cx, void *arg)
{
	struct crowd *crowd = arg;
	while (!crowd->stop && crowd->high < 10000) {
		crowd->high++;
		enum qrt_err err = qrt_yield(cx);
		if (err) {
			return err;
		}
	}
	return QRT_OK;
}

static enum qrt_err waits_its_turn(struct qrt_cx *cx, void *arg)
{
	struct crowd *crowd = arg;
	while (crowd->low < 4) {
		crowd->high_when_low[crowd->low++] = crowd->high;
		enum qrt_err err = qrt_yield(cx);
		if (err) {
			return err;
		}
	}
	crowd->stop = true;
	return QRT_OK;
}

static enum qrt_err fairness_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct crowd crowd = {0};
	struct qrt_region *region;
	const struct qrt_spawn_options high = {.budget.priority = 3};
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &region));
	EXPECT(!qrt_spawn_with(region, &high, pushes, &crowd));
	EXPECT(!qrt_spawn_with(region, &high, pushes, &crowd));
	EXPECT(!qrt_spawn(region, waits_its_turn, &crowd));
	EXPECT(!qrt_region_close(cx, &region, QRT_OK));
	EXPECT(crowd.low == 4);
	int before = 0;
	for (int i = 0; i < 4; i++) {
		int between = crowd.high_when_low[i] - before;
		EXPECT(between > 4 && between <= 16); /* favoured, but not without bound */
		before = crowd.high_when_low[i];
	}
	return QRT_OK;
}

static void who_has_the_lowest_priority_still_runs(void **state)
{
	(void)state;
	on_each_real_backend(fairness_scenario, NULL);
}

/* --- spawning with options ----------------------------------------------------------------- */

/* Needs a few hundred KiB; the compiler may neither flatten nor forget it. */
static __attribute__((noinline)) int dig(volatile char *above, int depth)
{
	volatile char room[1024];
	room[0] = above[0];
	room[1023] = (char)depth;
	return depth == 0 ? room[0] : dig(room, depth - 1) + (room[1023] == (char)depth);
}

static enum qrt_err digs(struct qrt_cx *cx, void *arg)
{
	volatile char start = 0;
	*(int *)arg = dig(&start, 1000);
	return qrt_yield(cx);
}

static enum qrt_err needs_time(struct qrt_cx *cx, void *arg)
{
	*(enum qrt_err *)arg = qrt_sleep(cx, 1);
	return QRT_OK;
}

static enum qrt_err fails(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	return qrt_fail(cx, QRT_EIO, "no");
}

static enum qrt_err spawn_with_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	int depth = 0;
	enum qrt_err timeless = QRT_OK;
	struct qrt_region *region;
	struct qrt_aggregate all;
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &region));
	const struct qrt_spawn_options deep = {.stack_bytes = 4 * 1024 * 1024};
	const struct qrt_spawn_options no_time = {.caps = QRT_CAP_ALL & ~QRT_CAP_TIME};
	const struct qrt_spawn_options bad[] = {{.stack_bytes = QRT_STACK_BYTES_MAX + 1},
						{.budget.priority = QRT_PRIORITY_MAX + 1},
						{.budget.polls = -1},
						{.budget.cost = -1},
						{.budget.deadline_ns = -1}};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		EXPECT(qrt_spawn_with(region, &bad[i], fails, NULL) == QRT_EINVAL);
	}
	EXPECT(qrt_region_live(region) == 0);
	EXPECT(!qrt_spawn_with(region, &deep, digs, &depth));
	EXPECT(!qrt_spawn_with(region, &no_time, needs_time, &timeless));
	EXPECT(!qrt_spawn_with(region, &(struct qrt_spawn_options){0}, fails, NULL));
	EXPECT(qrt_region_close_report(cx, &region, QRT_OK, &all) == QRT_EIO);
	EXPECT(depth == 1000 && timeless == QRT_ENOTCAPABLE);
	EXPECT(all.kept[0].index == 2 && strcmp(all.kept[0].name, "task") == 0);
	EXPECT(strcmp(all.kept[0].site, "?") == 0);
	qrt_aggregate_fini(&all);
	return QRT_OK;
}

static void a_spawn_can_have_a_stack_capabilities_and_a_name(void **state)
{
	(void)state;
	on_each_backend(spawn_with_scenario, NULL);
}

static enum qrt_err wider_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	enum qrt_err timeless = QRT_OK;
	struct qrt_region *region;
	const struct qrt_region_options opts = {.policy = QRT_COLLECT, .caps = QRT_CAP_SPAWN};
	const struct qrt_spawn_options wide = {.caps = QRT_CAP_ALL};
	EXPECT(!qrt_region_open_with(cx, &opts, &region));
	EXPECT(!qrt_spawn_with(region, &wide, needs_time, &timeless));
	EXPECT(!qrt_region_close(cx, &region, QRT_OK) && timeless == QRT_ENOTCAPABLE);

	const struct qrt_region_options none = {.caps = QRT_CAP_TIME};
	EXPECT(!qrt_region_open_with(cx, &none, &region));
	EXPECT(qrt_spawn(region, needs_time, &timeless) == QRT_ENOTCAPABLE);
	struct qrt_region *inner = NULL;
	EXPECT(qrt_region_open(qrt_region_cx(region), QRT_COLLECT, &inner) == QRT_ENOTCAPABLE);
	EXPECT(!qrt_region_close(cx, &region, QRT_OK) && !inner);
	EXPECT(audit_of(cx).not_capable == 3);
	return QRT_OK;
}

static void a_spawn_gives_no_more_than_its_region_has(void **state)
{
	(void)state;
	on_each_backend(wider_scenario, NULL);
}

/* --- limits -------------------------------------------------------------------------------- */

static enum qrt_err ends(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	return qrt_yield(cx);
}

static enum qrt_err limits_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct qrt_region *region, *inner;
	const struct qrt_region_options opts = {
	    .policy = QRT_COLLECT, .limits = {.tasks_max = 2, .bytes_max = 1000, .duties_max = 2}};
	EXPECT(!qrt_region_open_with(cx, &opts, &region));
	struct qrt_cx *in = qrt_region_cx(region);
	EXPECT(!qrt_spawn(region, ends, NULL) && !qrt_spawn(region, ends, NULL));
	EXPECT(qrt_spawn(region, ends, NULL) == QRT_ELIMIT && qrt_region_live(region) == 2);
	EXPECT(!qrt_sleep(cx, QRT_MS) && qrt_region_live(region) == 0);
	EXPECT(!qrt_spawn(region, ends, NULL)); /* a place is free again */

	EXPECT(qrt_alloc(in, 600) && !qrt_alloc(in, 401) && qrt_alloc(in, 400));
	EXPECT(!qrt_alloc(in, 1) && !qrt_alloc(in, SIZE_MAX));

	struct qrt_duty a, b, c = {0};
	EXPECT(!qrt_oblige(in, QRT_DUTY_ACK, "a", NULL, NULL, &a));
	EXPECT(!qrt_oblige(in, QRT_DUTY_ACK, "b", NULL, NULL, &b));
	EXPECT(qrt_oblige(in, QRT_DUTY_ACK, "c", NULL, NULL, &c) == QRT_ELIMIT && !c.entry);
	EXPECT(strcmp(qrt_detail(cx), "region main may have 2 duties") == 0);

	/* Of the region itself, not of those below it. */
	EXPECT(!qrt_region_open(in, QRT_COLLECT, &inner));
	for (int i = 0; i < 5; i++) {
		EXPECT(!qrt_spawn(inner, ends, NULL));
	}
	EXPECT(qrt_alloc(qrt_region_cx(inner), 5000));
	EXPECT(!qrt_oblige(qrt_region_cx(inner), QRT_DUTY_ACK, "c", NULL, NULL, &c));
	EXPECT(qrt_duty_give(&c, in) == QRT_ELIMIT);
	EXPECT(!qrt_settle(&a));
	EXPECT(!qrt_duty_give(&c, in));
	EXPECT(!qrt_region_close(cx, &inner, QRT_OK));
	EXPECT(!qrt_settle(&b) && !qrt_settle(&c));
	EXPECT(!qrt_region_close(cx, &region, QRT_OK));
	return QRT_OK;
}

static void a_region_keeps_to_its_limits(void **state)
{
	(void)state;
	on_each_backend(limits_scenario, NULL);
}

static enum qrt_err alone_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct qrt_region *region;
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &region));
	EXPECT(!qrt_spawn(region, ends, NULL));
	EXPECT(qrt_spawn(region, ends, NULL) == QRT_ELIMIT);
	EXPECT(!qrt_region_close(cx, &region, QRT_OK));
	return QRT_OK;
}

static void the_runtime_keeps_to_its_limit_of_tasks(void **state)
{
	(void)state;
	size_t n;
	const char *const *names = qrt_backend_names(&n);
	for (size_t i = 0; i < n; i++) {
		const struct qrt_runtime_options opts = {.backend = names[i], .tasks_max = 2};
		struct qrt_runtime *rt;
		assert_int_equal(qrt_runtime_open(&opts, NULL, &rt), QRT_OK);
		assert_int_equal(qrt_run_main(rt, alone_scenario, NULL), QRT_OK);
		qrt_runtime_close(&rt);
	}
}

/* --- narrowing ----------------------------------------------------------------------------- */

static enum qrt_err narrow_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct qrt_region *region, *inner;
	int64_t now;
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &region));
	struct qrt_cx *narrow = qrt_cx_narrow(qrt_region_cx(region), QRT_CAP_SPAWN);
	EXPECT(narrow && qrt_cx_caps(narrow) == QRT_CAP_SPAWN);
	EXPECT(qrt_now(narrow, &now) == QRT_ENOTCAPABLE && qrt_sleep(narrow, 1) == QRT_ENOTCAPABLE);
	EXPECT(strcmp(qrt_detail(cx), "task main lacks capability time") == 0);
	EXPECT(!qrt_yield(narrow) && !qrt_now(cx, &now)); /* the wide one is as wide as before */
	struct qrt_cx *again = qrt_cx_narrow(narrow, QRT_CAP_ALL);
	EXPECT(again && qrt_cx_caps(again) == QRT_CAP_SPAWN); /* no way back */
	const struct qrt_region_options all = {.caps = QRT_CAP_ALL};
	EXPECT(!qrt_region_open_with(narrow, &all, &inner));
	EXPECT(qrt_cx_caps(qrt_region_cx(inner)) == QRT_CAP_SPAWN);
	EXPECT(!qrt_region_close(narrow, &inner, QRT_OK));
	EXPECT(!qrt_region_close(cx, &region, QRT_OK));
	return QRT_OK;
}

static void a_narrowed_context_can_do_less_and_never_more(void **state)
{
	(void)state;
	on_each_backend(narrow_scenario, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_meet_of_budgets_is_the_tighter_of_each_bound),
	    cmocka_unit_test(who_has_spent_its_checkpoints_is_cancelled),
	    cmocka_unit_test(who_has_spent_more_than_its_cost_is_cancelled),
	    cmocka_unit_test(a_budget_spent_under_a_mask_reaches_what_was_opened_there),
	    cmocka_unit_test(who_has_spent_its_budget_has_the_patience_of_that_kind),
	    cmocka_unit_test(no_bound_stays_no_bound),
	    cmocka_unit_test(a_childs_budget_is_within_its_parents_and_its_use_is_gone_from_it),
	    cmocka_unit_test(a_region_may_have_an_earlier_deadline_but_no_later_one),
	    cmocka_unit_test(a_task_may_have_an_earlier_deadline_but_no_later_one),
	    cmocka_unit_test(the_higher_priority_runs_first),
	    cmocka_unit_test(who_has_the_lowest_priority_still_runs),
	    cmocka_unit_test(a_spawn_can_have_a_stack_capabilities_and_a_name),
	    cmocka_unit_test(a_spawn_gives_no_more_than_its_region_has),
	    cmocka_unit_test(a_region_keeps_to_its_limits),
	    cmocka_unit_test(the_runtime_keeps_to_its_limit_of_tasks),
	    cmocka_unit_test(a_narrowed_context_can_do_less_and_never_more),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
