/*
 * The cancel protocol: requests and how they add up, whom they reach, masks, commit sections, and
 * the end of patience. On every backend what it promises; where time is exact, in the lab, to the
 * nanosecond.
 */
#include <qrt/lab.h>
#include <qrt/region.h>
#include <stdio.h>
#include <string.h>

#include "shim/src/internal.h"
#include "tests/lib/backends.h"
#include "tests/lib/test.h"

enum { HOUR_S = 3600 };

static struct qrt_audit audit_of(struct qrt_cx *cx)
{
	struct qrt_audit audit;
	qrt_runtime_audit(qrt_cx_runtime(cx), &audit);
	return audit;
}

static int64_t now_of(struct qrt_cx *cx)
{
	return qrt_deadline_in(cx, 0);
}

static void structured_backends(qrt_task_fn *scenario)
{
	size_t n;
	const char *const *names = qrt_backend_names(&n);
	size_t played = 0;
	for (size_t i = 0; i < n; i++) {
		if (strcmp(names[i], "region") == 0 || strcmp(names[i], "lab") == 0) {
			assert_int_equal(on_backend(names[i], scenario, NULL), QRT_OK);
			played++;
		}
	}
	assert_true(played > 0);
}

/* Lets everybody run who can: nothing these tests wait for takes more turns. */
static enum qrt_err let_run(struct qrt_cx *cx)
{
	for (int i = 0; i < 20; i++) {
		enum qrt_err err = qrt_yield(cx);
		if (err) {
			return err;
		}
	}
	return QRT_OK;
}

/* What a task saw of a cancel. */
struct seen {
	int started;
	enum qrt_err waited, checked; /* what the wait and the next checkpoint said */
	bool requested;
	struct qrt_cancel_info info;
	int64_t at_ns;
};

static enum qrt_err look(struct qrt_cx *cx, void *arg)
{
	struct seen *seen = arg;
	seen->started++;
	seen->waited = qrt_sleep(cx, HOUR_S * QRT_SEC);
	seen->at_ns = now_of(cx);
	seen->requested = qrt_cancel_requested(cx, &seen->info);
	seen->checked = qrt_checkpoint(cx);
	return seen->waited;
}

/* --- kinds and the merge ------------------------------------------------------------------- */

static void kinds_have_their_severity_and_name(void **state)
{
	(void)state;
	static const struct {
		enum qrt_cancel_kind kind;
		const char *name;
		int severity;
	} want[] = {
	    {QRT_CANCEL_USER, "user", 0},	    {QRT_CANCEL_DEADLINE, "deadline", 1},
	    {QRT_CANCEL_BUDGET, "budget", 2},	    {QRT_CANCEL_FAIL_FAST, "fail-fast", 3},
	    {QRT_CANCEL_RACE_LOST, "race-lost", 3}, {QRT_CANCEL_PARENT, "parent", 4},
	    {QRT_CANCEL_RESOURCE, "resource", 4},   {QRT_CANCEL_SHUTDOWN, "shutdown", 5},
	};
	assert_int_equal(sizeof(want) / sizeof(want[0]), QRT__CANCEL_KINDS);
	for (size_t i = 0; i < QRT__CANCEL_KINDS; i++) {
		assert_string_equal(qrt_cancel_name(want[i].kind), want[i].name);
		assert_int_equal(qrt_cancel_severity(want[i].kind), want[i].severity);
	}
}

enum { TIMES = 3, ENDS = 2, INFOS = QRT__CANCEL_KINDS * TIMES * ENDS };

static struct qrt_cancel_info info_number(int i)
{
	static const char *const reasons[QRT__CANCEL_KINDS][TIMES] = {
	    {"0", "1", "2"},	{"3", "4", "5"},    {"6", "7", "8"},	{"9", "10", "11"},
	    {"12", "13", "14"}, {"15", "16", "17"}, {"18", "19", "20"}, {"21", "22", "23"},
	};
	int kind = i / (TIMES * ENDS);
	int at = i / ENDS % TIMES;
	return (struct qrt_cancel_info){.kind = (enum qrt_cancel_kind)kind,
					.cause = (enum qrt_cancel_kind)kind,
					.reason = reasons[kind][at],
					.origin = "test",
					.at_ns = 100 + at,
					.cleanup_until_ns = 1000 + i % ENDS};
}

static bool same(struct qrt_cancel_info a, struct qrt_cancel_info b)
{
	return a.kind == b.kind && a.cause == b.cause && a.reason == b.reason &&
	       a.origin == b.origin && a.at_ns == b.at_ns &&
	       a.cleanup_until_ns == b.cleanup_until_ns;
}

static void two_requests_are_the_stronger_in_whatever_order_they_come(void **state)
{
	(void)state;
	for (int i = 0; i < INFOS; i++) {
		struct qrt_cancel_info a = info_number(i);
		assert_true(same(qrt_cancel_merge(a, a), a));
		for (int k = 0; k < INFOS; k++) {
			struct qrt_cancel_info b = info_number(k);
			struct qrt_cancel_info both = qrt_cancel_merge(a, b);
			int severity = qrt_cancel_severity(both.kind);
			assert_true(same(both, qrt_cancel_merge(b, a)));
			assert_true(severity >= qrt_cancel_severity(a.kind));
			assert_true(severity >= qrt_cancel_severity(b.kind));
			assert_true(both.cleanup_until_ns <= a.cleanup_until_ns);
			assert_true(both.cleanup_until_ns <= b.cleanup_until_ns);
			for (int m = 0; m < INFOS; m++) {
				struct qrt_cancel_info c = info_number(m);
				struct qrt_cancel_info left = qrt_cancel_merge(both, c);
				struct qrt_cancel_info right =
				    qrt_cancel_merge(a, qrt_cancel_merge(b, c));
				assert_true(same(left, right));
			}
		}
	}
}

/* --- requests ------------------------------------------------------------------------------ */

/* Time passes also for one who has been cancelled: in a mask. */
static enum qrt_err pass_time(struct qrt_cx *cx, int64_t ns)
{
	struct qrt_mask mask;
	EXPECT(!qrt_mask_begin(cx, 0, &mask));
	enum qrt_err err = qrt_sleep(cx, ns);
	qrt_mask_end(cx, &mask);
	return err;
}

static enum qrt_err strengthen_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct qrt_region *region;
	struct qrt_cancel_info info, then;
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &region));
	EXPECT(!qrt_cancel_requested(cx, &info));
	int64_t before = now_of(cx);
	qrt_region_cancel(region, QRT_CANCEL_DEADLINE, "first");
	int64_t after = now_of(cx);
	EXPECT(qrt_cancel_requested(cx, &info));
	EXPECT(info.kind == QRT_CANCEL_DEADLINE && info.cause == QRT_CANCEL_DEADLINE);
	EXPECT(strcmp(info.reason, "first") == 0 && strcmp(info.origin, "main") == 0);
	EXPECT(info.at_ns >= before && info.at_ns <= after);
	EXPECT(info.cleanup_until_ns == info.at_ns + 10000 * QRT_MS);

	EXPECT(!pass_time(cx, QRT_MS));
	qrt_region_cancel(region, QRT_CANCEL_USER, "weaker");
	qrt_region_cancel(region, QRT_CANCEL_DEADLINE, "as strong, but later");
	EXPECT(qrt_cancel_requested(cx, &then));
	EXPECT(same(info, then));
	EXPECT(audit_of(cx).cancels == 1);

	qrt_region_cancel(region, QRT_CANCEL_BUDGET, "stronger");
	EXPECT(qrt_cancel_requested(cx, &then));
	EXPECT(then.kind == QRT_CANCEL_BUDGET && strcmp(then.reason, "stronger") == 0);
	EXPECT(then.at_ns >= info.at_ns + QRT_MS);
	EXPECT(then.cleanup_until_ns == then.at_ns + 5000 * QRT_MS); /* earlier than before */

	EXPECT(!pass_time(cx, QRT_MS));
	qrt_region_cancel(region, QRT_CANCEL_SHUTDOWN, "strongest");
	info = then;
	EXPECT(qrt_cancel_requested(cx, &then));
	EXPECT(then.kind == QRT_CANCEL_SHUTDOWN);
	EXPECT(then.cleanup_until_ns == info.cleanup_until_ns); /* it never moves back */

	struct qrt_audit audit = audit_of(cx);
	EXPECT(audit.cancels == 3 && audit.cancels_by[QRT_CANCEL_DEADLINE] == 1);
	EXPECT(audit.cancels_by[QRT_CANCEL_USER] == 0);
	EXPECT(!qrt_region_close(cx, &region, QRT_OK));
	EXPECT(!qrt_cancel_requested(cx, NULL));
	return QRT_OK;
}

static void only_a_stronger_request_changes_what_stands(void **state)
{
	(void)state;
	structured_backends(strengthen_scenario);
}

/* Main opens regions and tasks open more: a tree three regions deep. */
struct tree {
	struct seen child, grandchild;
	struct qrt_cancel_info middle; /* as the task that opened the inner region sees it */
	int64_t ended_ns;
};

static enum qrt_err middle(struct qrt_cx *cx, void *arg)
{
	struct tree *tree = arg;
	struct qrt_region *inner;
	enum qrt_err err = qrt_region_open(cx, QRT_COLLECT, &inner);
	if (!err) {
		err = qrt_spawn(inner, look, &tree->grandchild);
	}
	if (!err) {
		err = qrt_sleep(cx, HOUR_S * QRT_SEC);
	}
	QRT_IGNORE(qrt_cancel_requested(cx, &tree->middle), "what it says is looked at later");
	err = qrt_region_close(cx, &inner, err);
	tree->ended_ns = now_of(cx);
	return err;
}

static enum qrt_err plant(struct qrt_cx *cx, struct tree *tree, struct qrt_region **ret_region)
{
	*tree = (struct tree){.ended_ns = 0};
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, ret_region));
	EXPECT(!qrt_spawn(*ret_region, look, &tree->child));
	EXPECT(!qrt_spawn(*ret_region, middle, tree));
	EXPECT(!let_run(cx));
	EXPECT(tree->child.started == 1 && tree->grandchild.started == 1);
	return QRT_OK;
}

static enum qrt_err reach_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct tree tree;
	struct qrt_region *region;
	EXPECT(!plant(cx, &tree, &region));
	qrt_region_cancel(region, QRT_CANCEL_USER, "enough");
	/* Nothing of theirs runs on the stack of who asks. */
	EXPECT(!tree.child.requested && !tree.grandchild.requested);
	/* Who opened it works in it, and is told. */
	EXPECT(qrt_yield(cx) == QRT_ECANCELED && qrt_checkpoint(cx) == QRT_ECANCELED);
	EXPECT(qrt_spawn(region, look, &tree.child) == QRT_ECLOSED);
	struct qrt_region *more = NULL;
	EXPECT(qrt_region_open(cx, QRT_COLLECT, &more) == QRT_ECANCELED && !more);
	EXPECT(qrt_region_close(cx, &region, QRT_OK) == QRT_ECANCELED);
	EXPECT(!qrt_checkpoint(cx) && !qrt_yield(cx)); /* to the close, and no longer */

	EXPECT(tree.child.waited == QRT_ECANCELED && tree.child.checked == QRT_ECANCELED);
	EXPECT(tree.child.info.kind == QRT_CANCEL_USER);
	EXPECT(strcmp(tree.child.info.reason, "enough") == 0);
	EXPECT(tree.grandchild.waited == QRT_ECANCELED);
	EXPECT(tree.grandchild.info.kind == QRT_CANCEL_PARENT);
	EXPECT(tree.grandchild.info.cause == QRT_CANCEL_USER);
	EXPECT(strcmp(tree.grandchild.info.reason, "enough") == 0);
	EXPECT(strcmp(tree.grandchild.info.origin, "main") == 0);
	EXPECT(tree.grandchild.info.at_ns == tree.child.info.at_ns);
	EXPECT(tree.middle.kind == QRT_CANCEL_PARENT); /* it worked in the inner one */
	return QRT_OK;
}

static void a_cancel_reaches_the_subtree_and_its_opener_until_the_close(void **state)
{
	(void)state;
	structured_backends(reach_scenario);
}

static enum qrt_err shutdown_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct tree tree;
	struct qrt_region *region;
	EXPECT(!plant(cx, &tree, &region));
	qrt_region_cancel(region, QRT_CANCEL_SHUTDOWN, "the end");
	EXPECT(qrt_region_close(cx, &region, QRT_OK) == QRT_ECANCELED);
	EXPECT(tree.grandchild.info.kind == QRT_CANCEL_SHUTDOWN); /* not weakened to "parent" */
	return QRT_OK;
}

static void what_is_severer_than_parent_stays_so_below(void **state)
{
	(void)state;
	structured_backends(shutdown_scenario);
}

static enum qrt_err inner_only_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct seen outside = {0}, inside = {0};
	struct qrt_region *outer, *inner;
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &outer));
	EXPECT(!qrt_spawn(outer, look, &outside));
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &inner));
	EXPECT(!qrt_spawn(inner, look, &inside));
	EXPECT(!let_run(cx));
	qrt_region_cancel(inner, QRT_CANCEL_USER, "inner only");
	EXPECT(qrt_checkpoint(cx) == QRT_ECANCELED);
	EXPECT(qrt_region_close(cx, &inner, QRT_OK) == QRT_ECANCELED);
	EXPECT(inside.waited == QRT_ECANCELED && !outside.requested);
	EXPECT(!let_run(cx)); /* neither upwards nor sideways */
	EXPECT(!outside.requested && qrt_region_live(outer) == 1);

	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &inner));
	qrt_region_cancel(outer, QRT_CANCEL_USER, "outer");
	struct qrt_cancel_info info;
	EXPECT(qrt_cancel_requested(cx, &info) && info.kind == QRT_CANCEL_PARENT);
	EXPECT(!qrt_region_close(cx, &inner, QRT_OK));
	EXPECT(qrt_cancel_requested(cx, &info) && info.kind == QRT_CANCEL_USER);
	EXPECT(qrt_checkpoint(cx) == QRT_ECANCELED);
	EXPECT(qrt_region_close(cx, &outer, QRT_OK) == QRT_ECANCELED);
	EXPECT(!qrt_checkpoint(cx));
	return QRT_OK;
}

static void a_cancel_goes_down_the_tree_and_no_other_way(void **state)
{
	(void)state;
	structured_backends(inner_only_scenario);
}

static enum qrt_err asks_its_own(struct qrt_cx *cx, void *arg)
{
	struct qrt_region **region = arg;
	qrt_region_cancel(*region, QRT_CANCEL_USER, "asked from within");
	return qrt_yield(cx);
}

static enum qrt_err origin_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct seen seen = {0};
	struct qrt_region *region;
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &region));
	EXPECT(!qrt_spawn(region, look, &seen));
	EXPECT(!qrt_spawn(region, asks_its_own, &region));
	EXPECT(let_run(cx) == QRT_ECANCELED);
	EXPECT(qrt_region_close(cx, &region, QRT_OK) == QRT_ECANCELED);
	EXPECT(strcmp(seen.info.origin, "asks_its_own") == 0);

	const struct qrt_region_options opts = {
	    .policy = QRT_COLLECT, .budget.deadline_ns = qrt_deadline_in(cx, 50 * QRT_MS)};
	EXPECT(!qrt_region_open_with(cx, &opts, &region));
	EXPECT(!qrt_spawn(region, look, &seen));
	EXPECT(qrt_region_close(cx, &region, QRT_OK) == QRT_ETIMEDOUT);
	EXPECT(strcmp(seen.info.origin, "outside") == 0); /* nobody's doing: a clock's */
	return QRT_OK;
}

static void a_request_names_who_asked(void **state)
{
	(void)state;
	structured_backends(origin_scenario);
}

static enum qrt_err deadline_cause_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct tree tree;
	struct qrt_region *region;
	EXPECT(!plant(cx, &tree, &region));
	qrt_region_cancel(region, QRT_CANCEL_DEADLINE, "too late");
	EXPECT(qrt_checkpoint(cx) == QRT_ETIMEDOUT);
	EXPECT(qrt_region_close(cx, &region, QRT_OK) == QRT_ETIMEDOUT);
	EXPECT(tree.child.waited == QRT_ETIMEDOUT && tree.child.checked == QRT_ETIMEDOUT);
	EXPECT(tree.grandchild.waited == QRT_ETIMEDOUT);
	EXPECT(tree.grandchild.info.kind == QRT_CANCEL_PARENT);
	EXPECT(tree.grandchild.info.cause == QRT_CANCEL_DEADLINE);
	return QRT_OK;
}

static void who_is_cancelled_because_of_a_deadline_is_late_not_cancelled(void **state)
{
	(void)state;
	structured_backends(deadline_cause_scenario);
}

static enum qrt_err own_deadline_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct seen seen = {0};
	struct qrt_region *region;
	int64_t at = qrt_deadline_in(cx, 2 * QRT_MS);
	const struct qrt_region_options opts = {.policy = QRT_COLLECT, .budget.deadline_ns = at};
	EXPECT(!qrt_region_open_with(cx, &opts, &region));
	EXPECT(!qrt_spawn(region, look, &seen));
	EXPECT(qrt_sleep(cx, HOUR_S * QRT_SEC) == QRT_ETIMEDOUT); /* cx, not the region's own */
	EXPECT(now_of(cx) >= at && (!qrt_in_lab(cx) || now_of(cx) == at));
	EXPECT(qrt_region_close(cx, &region, QRT_OK) == QRT_ETIMEDOUT);
	/* Outside the lab a child that comes late may meet the deadline before its region does. */
	EXPECT(seen.requested || !qrt_in_lab(cx));
	EXPECT(!seen.requested || seen.info.kind == QRT_CANCEL_DEADLINE);
	EXPECT(audit_of(cx).cancels_by[QRT_CANCEL_DEADLINE] == 1);
	EXPECT(!qrt_checkpoint(cx));
	/* One that closes in time leaves no clock behind. */
	const struct qrt_region_options later = {.budget.deadline_ns = qrt_deadline_in(cx, QRT_MS)};
	EXPECT(!qrt_region_open_with(cx, &later, &region));
	EXPECT(!qrt_region_close(cx, &region, QRT_OK));
	EXPECT(!qrt_sleep(cx, 2 * QRT_MS));
	EXPECT(audit_of(cx).cancels == 1);
	return QRT_OK;
}

static void a_regions_own_deadline_is_a_request(void **state)
{
	(void)state;
	structured_backends(own_deadline_scenario);
}

static enum qrt_err early_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct seen seen = {0};
	struct qrt_region *region;
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &region));
	EXPECT(!qrt_spawn(region, look, &seen));
	qrt_region_cancel(region, QRT_CANCEL_USER, "before it ran");
	EXPECT(qrt_region_close(cx, &region, QRT_OK) == QRT_ECANCELED);
	EXPECT(seen.started == 1 && seen.waited == QRT_ECANCELED && seen.checked == QRT_ECANCELED);
	return QRT_OK;
}

static void a_task_cancelled_before_it_ran_is_told_at_its_first_checkpoint(void **state)
{
	(void)state;
	structured_backends(early_scenario);
}

/* The tree is cancelled twice; both the kind below and the end of its patience must follow. */
static enum qrt_err stubborn(struct qrt_cx *cx, void *arg)
{
	struct seen *seen = arg;
	struct qrt_mask mask;
	seen->started++;
	EXPECT(!qrt_mask_begin(cx, 0, &mask));
	seen->waited = qrt_sleep(cx, HOUR_S * QRT_SEC);
	seen->at_ns = now_of(cx);
	seen->requested = qrt_cancel_requested(cx, &seen->info);
	qrt_mask_end(cx, &mask);
	return qrt_checkpoint(cx);
}

static enum qrt_err stubborn_below(struct qrt_cx *cx, void *arg)
{
	struct qrt_region *inner;
	enum qrt_err err = qrt_region_open(cx, QRT_COLLECT, &inner);
	if (!err) {
		err = qrt_spawn(inner, stubborn, arg);
	}
	return err ? err : qrt_region_close(cx, &inner, QRT_OK);
}

static enum qrt_err strengthen_below_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct seen seen = {0};
	struct qrt_region *region;
	if (!qrt_in_lab(cx)) {
		return QRT_OK; /* ten seconds are nothing where time is virtual */
	}
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &region));
	EXPECT(!qrt_spawn(region, stubborn_below, &seen));
	EXPECT(!let_run(cx));
	int64_t asked = now_of(cx);
	qrt_region_cancel(region, QRT_CANCEL_USER, "ten seconds to clean up");
	EXPECT(!pass_time(cx, QRT_SEC));
	qrt_region_cancel(region, QRT_CANCEL_BUDGET, "five from now");
	EXPECT(qrt_region_close(cx, &region, QRT_OK) == QRT_ECANCELED);
	EXPECT(seen.started == 1 && seen.waited == QRT_ECANCELED);
	EXPECT(seen.at_ns == asked + 6 * QRT_SEC);
	return QRT_OK;
}

static void the_end_of_patience_comes_earlier_in_the_whole_subtree(void **state)
{
	(void)state;
	structured_backends(strengthen_below_scenario);
}

/* --- what the detached engine does --------------------------------------------------------- */

static enum qrt_err twice(struct qrt_cx *cx, void *arg)
{
	enum qrt_err *waits = arg;
	waits[0] = qrt_sleep(cx, HOUR_S * QRT_SEC);
	waits[1] = qrt_sleep(cx, QRT_MS);
	waits[2] = qrt_cancel_requested(cx, NULL) ? QRT_ESTATE : qrt_checkpoint(cx);
	return QRT_OK;
}

static enum qrt_err runs_on(struct qrt_cx *cx, void *arg)
{
	enum qrt_err *waits = arg;
	waits[0] = qrt_yield(cx); /* is asked while it is ready, not parked */
	waits[1] = qrt_sleep(cx, QRT_MS);
	return QRT_OK;
}

static enum qrt_err detached_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	enum qrt_err parked[3] = {QRT_EFAILED, QRT_EFAILED, QRT_EFAILED};
	enum qrt_err ready[2] = {QRT_EFAILED, QRT_EFAILED};
	struct qrt_region *region;
	if (is_structured(cx)) {
		return QRT_OK;
	}
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &region));
	EXPECT(!qrt_spawn(region, twice, parked));
	EXPECT(!let_run(cx));
	EXPECT(!qrt_spawn(region, runs_on, ready));
	qrt_region_cancel(region, QRT_CANCEL_USER, "once");
	EXPECT(!qrt_checkpoint(cx)); /* its opener hears nothing, and it still takes tasks */
	EXPECT(!qrt_spawn(region, runs_on, ready));
	EXPECT(!qrt_region_close(cx, &region, QRT_OK));
	EXPECT(parked[0] == QRT_ECANCELED && !parked[1] && !parked[2]);
	EXPECT(!ready[0] && !ready[1]);
	EXPECT(audit_of(cx).cancels == 1);
	return QRT_OK;
}

static void on_the_detached_engine_the_current_wait_fails_once(void **state)
{
	(void)state;
	on_each_backend(detached_scenario, NULL);
}

/* --- masks --------------------------------------------------------------------------------- */

struct masked {
	int64_t budget_ns, inner_budget_ns;
	struct qrt__event go; /* ends the wait */
	bool outer_holds;     /* when the inner one is spent */
	int stage;
	enum qrt_err waited, checked, inner_checked, after;
	bool requested;
	int64_t cut_ns;
};

/* A wait and a checkpoint in a mask, then a checkpoint outside. */
static enum qrt_err masked(struct qrt_cx *cx, void *arg)
{
	struct masked *test = arg;
	struct qrt_mask mask;
	EXPECT(!qrt_mask_begin(cx, test->budget_ns, &mask));
	test->stage++;
	test->waited = qrt__event_wait(cx, &test->go, QRT_NO_DEADLINE);
	test->cut_ns = now_of(cx);
	test->requested = qrt_cancel_requested(cx, NULL);
	test->checked = qrt_checkpoint(cx);
	qrt_mask_end(cx, &mask);
	test->stage++;
	test->after = qrt_checkpoint(cx);
	return test->after;
}

/* Under a mask: a body that was cancelled itself lets the others run. */
static enum qrt_err let_run_masked(struct qrt_cx *cx)
{
	struct qrt_mask mask;
	EXPECT(!qrt_mask_begin(cx, 0, &mask));
	enum qrt_err err = let_run(cx);
	qrt_mask_end(cx, &mask);
	return err;
}

static enum qrt_err mask_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct masked tests[2] = {{.stage = 0}, {.stage = 0}};
	struct qrt_region *region;
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &region));
	for (size_t i = 0; i < 2; i++) {
		qrt__event_init(&tests[i].go);
		EXPECT(!qrt_spawn(region, masked, &tests[i]));
		if (i == 0) {
			EXPECT(!let_run(cx)); /* the other one is asked before its mask begins */
		}
	}
	qrt_region_cancel(region, QRT_CANCEL_USER, "test");
	EXPECT(!let_run_masked(cx));
	for (size_t i = 0; i < 2; i++) {
		EXPECT(tests[i].stage == 1); /* it still waits */
		qrt__event_set(&tests[i].go);
	}
	EXPECT(qrt_region_close(cx, &region, QRT_OK) == QRT_ECANCELED);
	for (size_t i = 0; i < 2; i++) {
		EXPECT(tests[i].stage == 2 && tests[i].requested); /* hidden from nobody who asks */
		EXPECT(!tests[i].waited && !tests[i].checked);	   /* delayed ... */
		EXPECT(tests[i].after == QRT_ECANCELED);	   /* ... and not lost */
	}
	return QRT_OK;
}

static void a_mask_delays_a_cancel_and_never_loses_it(void **state)
{
	(void)state;
	structured_backends(mask_scenario);
}

static enum qrt_err detached_mask_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct masked test = {.stage = 0};
	struct qrt_region *region;
	if (is_structured(cx)) {
		return QRT_OK;
	}
	qrt__event_init(&test.go);
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &region));
	EXPECT(!qrt_spawn(region, masked, &test));
	EXPECT(!let_run(cx));
	qrt_region_cancel(region, QRT_CANCEL_USER, "test");
	EXPECT(!let_run(cx) && test.stage == 1);
	qrt__event_set(&test.go);
	EXPECT(!qrt_region_close(cx, &region, QRT_OK));
	EXPECT(test.stage == 2 && !test.waited && !test.checked && !test.after);
	return QRT_OK;
}

static void on_the_detached_engine_a_masked_wait_is_not_failed(void **state)
{
	(void)state;
	on_each_backend(detached_mask_scenario, NULL);
}

static enum qrt_err nested_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct qrt_region *region;
	struct qrt_mask outer, inner;
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &region));
	EXPECT(!qrt_mask_begin(cx, 0, &outer));
	EXPECT(!qrt_mask_begin(cx, 0, &inner));
	qrt_region_cancel(region, QRT_CANCEL_USER, "test");
	EXPECT(!qrt_checkpoint(cx));
	qrt_mask_end(cx, &inner);
	EXPECT(!qrt_checkpoint(cx) && !qrt_sleep(cx, QRT_MS)); /* the outer one still holds */
	qrt_mask_end(cx, &outer);
	EXPECT(qrt_checkpoint(cx) == QRT_ECANCELED);
	EXPECT(!qrt_region_close(cx, &region, QRT_OK));
	return QRT_OK;
}

static void masks_nest(void **state)
{
	(void)state;
	structured_backends(nested_scenario);
}

static enum qrt_err depth_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct qrt_mask masks[QRT_MASK_DEPTH_MAX], more;
	struct qrt_region *region;
	for (int round = 0; round < 2; round++) {
		for (size_t i = 0; i < QRT_MASK_DEPTH_MAX; i++) {
			EXPECT(!qrt_mask_begin(cx, 0, &masks[i]));
		}
		EXPECT(qrt_mask_begin(cx, 0, &more) == QRT_ELIMIT);
		EXPECT(strcmp(qrt_detail(cx), "16 masks within each other") == 0);
		EXPECT(qrt_commit_begin(cx, &more) == QRT_ELIMIT);
		for (size_t i = QRT_MASK_DEPTH_MAX; i-- > 0;) {
			qrt_mask_end(cx, &masks[i]);
		}
	}
	EXPECT(qrt_mask_begin(cx, -1, &more) == QRT_EINVAL);
	EXPECT(strcmp(qrt_detail(cx), "a mask of -1 ns") == 0);
	/* None of the refused ones is in force. */
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &region));
	qrt_region_cancel(region, QRT_CANCEL_USER, "test");
	EXPECT(!is_structured(cx) || qrt_checkpoint(cx) == QRT_ECANCELED);
	EXPECT(!qrt_region_close(cx, &region, QRT_OK));
	return QRT_OK;
}

static void masks_have_a_depth_and_a_refused_one_changes_nothing(void **state)
{
	(void)state;
	on_each_backend(depth_scenario, NULL);
}

static enum qrt_err masked_deadline_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct qrt_mask mask;
	struct qrt_region *region;
	const struct qrt_region_options opts = {.budget.deadline_ns = qrt_deadline_in(cx, QRT_MS)};
	EXPECT(!qrt_region_open_with(cx, &opts, &region));
	struct qrt_cx *inner = qrt_region_cx(region);
	EXPECT(!qrt_mask_begin(inner, 0, &mask));
	EXPECT(!qrt_sleep(inner, 3 * QRT_MS));
	EXPECT(!qrt_checkpoint(inner));
	EXPECT(qrt_sleep_until(inner, now_of(cx) - 1) == QRT_OK); /* a time of one's own counts */
	qrt_mask_end(inner, &mask);
	EXPECT(qrt_checkpoint(inner) == QRT_ETIMEDOUT);
	EXPECT(qrt_sleep(inner, QRT_MS) == QRT_ETIMEDOUT);
	EXPECT(!qrt_region_close(cx, &region, QRT_OK));
	return QRT_OK;
}

static void a_mask_covers_the_deadline_too(void **state)
{
	(void)state;
	on_each_backend(masked_deadline_scenario, NULL);
}

/* Asked @asked_after_ns after the mask has begun; when is its wait cut? */
static enum qrt_err pierce(struct qrt_cx *cx, int64_t asked_after_ns, int64_t budget_ns)
{
	struct masked test = {.budget_ns = budget_ns};
	struct qrt_region *region;
	qrt__event_init(&test.go);
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &region));
	EXPECT(!qrt_spawn(region, masked, &test));
	EXPECT(!let_run(cx));
	EXPECT(!qrt_sleep(cx, asked_after_ns));
	int64_t asked = now_of(cx);
	qrt_region_cancel(region, QRT_CANCEL_USER, "test");
	EXPECT(!pass_time(cx, QRT_MS));
	qrt_region_cancel(region, QRT_CANCEL_BUDGET, "a stronger one gives the mask no more time");
	EXPECT(qrt_region_close(cx, &region, QRT_OK) == QRT_ECANCELED);
	EXPECT(test.waited == QRT_ECANCELED && test.checked == QRT_ECANCELED);
	EXPECT(test.cut_ns >= asked + budget_ns);
	EXPECT(!qrt_in_lab(cx) || test.cut_ns == asked + budget_ns);
	return QRT_OK;
}

static enum qrt_err pierce_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	EXPECT(!pierce(cx, 0, 2 * QRT_MS));
	/* Counted from the request: a mask that is older than its budget still delays. */
	EXPECT(!pierce(cx, 5 * QRT_MS, 2 * QRT_MS));
	EXPECT(audit_of(cx).forced == 0);
	return QRT_OK;
}

static void a_mask_whose_budget_is_spent_no_longer_delays(void **state)
{
	(void)state;
	structured_backends(pierce_scenario);
}

/* Several masks one after the other, by one who was asked to end before. */
static enum qrt_err later_masks(struct qrt_cx *cx, void *arg)
{
	struct masked *test = arg;
	struct qrt_mask first, mask;
	EXPECT(!qrt_mask_begin(cx, 0, &first));
	EXPECT(!qrt__event_wait(cx, &test->go, QRT_NO_DEADLINE));
	EXPECT(!qrt_sleep(cx, 5 * QRT_MS)); /* longer ago than the budgets to come */
	qrt_mask_end(cx, &first);
	EXPECT(!qrt_mask_begin(cx, 2 * QRT_MS, &mask));
	qrt_mask_end(cx, &mask); /* before its time: that of the next one does not depend on it */
	EXPECT(!qrt_mask_begin(cx, 0, &mask));
	EXPECT(!qrt_sleep(cx, 5 * QRT_MS));
	qrt_mask_end(cx, &mask);
	int64_t begun = now_of(cx);
	EXPECT(!qrt_mask_begin(cx, 2 * QRT_MS, &mask));
	test->waited = qrt_sleep(cx, HOUR_S * QRT_SEC);
	test->cut_ns = now_of(cx) - begun;
	qrt_mask_end(cx, &mask);
	test->after = qrt_checkpoint(cx);
	return test->after;
}

static enum qrt_err later_masks_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct masked test = {.stage = 0};
	struct qrt_region *region;
	qrt__event_init(&test.go);
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &region));
	EXPECT(!qrt_spawn(region, later_masks, &test));
	EXPECT(!let_run(cx));
	qrt_region_cancel(region, QRT_CANCEL_USER, "test");
	qrt__event_set(&test.go);
	EXPECT(qrt_region_close(cx, &region, QRT_OK) == QRT_ECANCELED);
	EXPECT(test.waited == QRT_ECANCELED && test.after == QRT_ECANCELED);
	EXPECT(test.cut_ns >= 2 * QRT_MS);
	EXPECT(!qrt_in_lab(cx) || test.cut_ns == 2 * QRT_MS);
	return QRT_OK;
}

static void a_mask_begun_after_the_request_has_its_whole_budget(void **state)
{
	(void)state;
	structured_backends(later_masks_scenario);
}

/* In its own region, which is asked to end from within. */
static enum qrt_err masked_opener_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct qrt_region *region;
	struct qrt_mask mask;
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &region));
	EXPECT(!qrt_spawn(region, asks_its_own, &region));
	int64_t begun = now_of(cx);
	EXPECT(!qrt_mask_begin(cx, 2 * QRT_MS, &mask));
	EXPECT(qrt_sleep(cx, HOUR_S * QRT_SEC) == QRT_ECANCELED);
	EXPECT(now_of(cx) >= begun + 2 * QRT_MS);
	EXPECT(!qrt_in_lab(cx) || now_of(cx) == begun + 2 * QRT_MS);
	qrt_mask_end(cx, &mask);
	EXPECT(qrt_region_close(cx, &region, QRT_OK) == QRT_ECANCELED);

	/* Also while it works in one that it has opened under the mask. */
	struct qrt_region *inner;
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &region));
	EXPECT(!qrt_spawn(region, asks_its_own, &region));
	begun = now_of(cx);
	EXPECT(!qrt_mask_begin(cx, 2 * QRT_MS, &mask));
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &inner));
	EXPECT(qrt_sleep(cx, 5 * QRT_SEC) == QRT_ECANCELED);
	EXPECT(now_of(cx) >= begun + 2 * QRT_MS);
	EXPECT(!qrt_in_lab(cx) || now_of(cx) == begun + 2 * QRT_MS);
	EXPECT(!qrt_region_close(cx, &inner, QRT_OK));
	qrt_mask_end(cx, &mask);
	EXPECT(qrt_region_close(cx, &region, QRT_OK) == QRT_ECANCELED);
	return QRT_OK;
}

static void the_mask_of_an_opener_has_its_budget_too(void **state)
{
	(void)state;
	structured_backends(masked_opener_scenario);
}

static enum qrt_err nothing_left_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct qrt_region *region;
	struct qrt_mask mask;
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &region));
	qrt_region_cancel(region, QRT_CANCEL_USER, "test");
	EXPECT(!qrt_mask_begin(cx, 2 * QRT_MS, &mask));
	qrt_mask_end(cx, &mask);
	EXPECT(!qrt_region_close(cx, &region, QRT_OK));
	EXPECT(!qrt_sleep(cx, 5 * QRT_MS)); /* when its time comes it is long over */
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &region));
	EXPECT(!qrt_mask_begin(cx, 0, &mask));
	qrt_region_cancel(region, QRT_CANCEL_USER, "test");
	EXPECT(!qrt_sleep(cx, QRT_MS));
	qrt_mask_end(cx, &mask);
	EXPECT(!qrt_region_close(cx, &region, QRT_OK));
	return QRT_OK;
}

static void a_mask_that_has_ended_leaves_no_clock_behind(void **state)
{
	(void)state;
	structured_backends(nothing_left_scenario);
}

/* Two masks within each other: the wait in the inner one is cut by the tighter of the two. */
static enum qrt_err two_masks(struct qrt_cx *cx, void *arg)
{
	struct masked *test = arg;
	struct qrt_mask outer, inner;
	EXPECT(!qrt_mask_begin(cx, test->budget_ns, &outer));
	EXPECT(!qrt_mask_begin(cx, test->inner_budget_ns, &inner));
	test->stage++;
	test->waited = qrt_sleep(cx, HOUR_S * QRT_SEC);
	test->cut_ns = now_of(cx);
	test->inner_checked = qrt_checkpoint(cx);
	qrt_mask_end(cx, &inner);
	test->checked = test->outer_holds ? qrt_sleep(cx, QRT_MS) : QRT_OK;
	qrt_mask_end(cx, &outer);
	test->after = qrt_checkpoint(cx);
	return test->after;
}

static enum qrt_err tighter_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	const int64_t tight = 2 * QRT_MS;
	const int64_t budgets[][2] = {/* outer, inner */
				      {0, tight},
				      {QRT_SEC, tight},
				      {tight, 0},
				      {tight, QRT_SEC}};
	for (size_t i = 0; i < sizeof(budgets) / sizeof(budgets[0]); i++) {
		struct masked test = {.budget_ns = budgets[i][0],
				      .inner_budget_ns = budgets[i][1],
				      .outer_holds = budgets[i][1] == tight};
		struct qrt_region *region;
		EXPECT(!qrt_region_open(cx, QRT_COLLECT, &region));
		EXPECT(!qrt_spawn(region, two_masks, &test));
		EXPECT(!let_run(cx));
		int64_t asked = now_of(cx);
		qrt_region_cancel(region, QRT_CANCEL_USER, "test");
		EXPECT(qrt_region_close(cx, &region, QRT_OK) == QRT_ECANCELED);
		EXPECT(test.stage == 1 && test.waited == QRT_ECANCELED);
		EXPECT(test.inner_checked == QRT_ECANCELED && test.after == QRT_ECANCELED);
		EXPECT(test.cut_ns >= asked + tight);
		EXPECT(!qrt_in_lab(cx) || test.cut_ns == asked + tight);
		EXPECT(!test.checked); /* a spent inner one leaves a longer outer one whole */
	}
	return QRT_OK;
}

static void of_two_masks_the_tighter_holds(void **state)
{
	(void)state;
	structured_backends(tighter_scenario);
}

/* --- regions opened under a mask ----------------------------------------------------------- */

struct shielded {
	struct seen short_one, long_one;
	struct qrt__event go;
	bool close_in_mask;
	struct qrt_cancel_info inner; /* after the mask, in the region opened under it */
	enum qrt_err closed;
};

static enum qrt_err short_one(struct qrt_cx *cx, void *arg)
{
	struct shielded *test = arg;
	struct seen *seen = &test->short_one;
	seen->started++;
	seen->waited = qrt__event_wait(cx, &test->go, QRT_NO_DEADLINE);
	seen->checked = qrt_checkpoint(cx);
	seen->requested = qrt_cancel_requested(cx, &seen->info);
	return seen->waited;
}

static enum qrt_err opens_under_mask(struct qrt_cx *cx, void *arg)
{
	struct shielded *test = arg;
	struct qrt_mask mask;
	struct qrt_region *inner;
	EXPECT(!qrt_mask_begin(cx, 0, &mask));
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &inner));
	EXPECT(!qrt_spawn(inner, short_one, test));
	if (test->close_in_mask) {
		test->closed = qrt_region_close(cx, &inner, QRT_OK);
		qrt_mask_end(cx, &mask);
		return qrt_checkpoint(cx);
	}
	EXPECT(!qrt_spawn(inner, look, &test->long_one));
	EXPECT(!qrt__event_wait(cx, &test->go, QRT_NO_DEADLINE));
	EXPECT(!let_run(cx));
	EXPECT(!test->long_one.requested);
	qrt_mask_end(cx, &mask);
	EXPECT(qrt_cancel_requested(cx, &test->inner));
	EXPECT(qrt_checkpoint(cx) == QRT_ECANCELED);
	test->closed = qrt_region_close(cx, &inner, QRT_OK);
	return qrt_checkpoint(cx);
}

static enum qrt_err shield_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	for (int in_mask = 0; in_mask < 2; in_mask++) {
		struct shielded test = {.close_in_mask = in_mask};
		struct qrt_region *region;
		qrt__event_init(&test.go);
		EXPECT(!qrt_region_open(cx, QRT_COLLECT, &region));
		EXPECT(!qrt_spawn(region, opens_under_mask, &test));
		EXPECT(!let_run(cx));
		qrt_region_cancel(region, QRT_CANCEL_USER, "test");
		EXPECT(!let_run_masked(cx));
		qrt__event_set(&test.go);
		EXPECT(qrt_region_close(cx, &region, QRT_OK) == QRT_ECANCELED);
		EXPECT(test.short_one.started == 1 && !test.short_one.waited);
		EXPECT(!test.short_one.checked && !test.short_one.requested);
		if (in_mask) {
			EXPECT(!test.closed);
			continue;
		}
		/* What the mask kept from it comes with the mask's end. */
		EXPECT(test.closed == QRT_ECANCELED && test.inner.kind == QRT_CANCEL_PARENT);
		EXPECT(test.long_one.waited == QRT_ECANCELED);
		EXPECT(test.long_one.info.kind == QRT_CANCEL_PARENT);
		EXPECT(test.long_one.info.cause == QRT_CANCEL_USER);
	}
	return QRT_OK;
}

static void a_region_opened_under_a_mask_is_covered_by_it(void **state)
{
	(void)state;
	structured_backends(shield_scenario);
}

/* The budget of the mask counts there too. */
static enum qrt_err hides_below(struct qrt_cx *cx, void *arg)
{
	struct masked *test = arg;
	struct qrt_mask mask;
	struct qrt_region *outer, *inner;
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &outer));
	EXPECT(!qrt_mask_begin(cx, test->budget_ns, &mask));
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &inner));
	test->stage++;
	test->waited = qrt_sleep(cx, HOUR_S * QRT_SEC);
	test->cut_ns = now_of(cx);
	test->after = qrt_region_close(cx, &inner, QRT_OK);
	qrt_mask_end(cx, &mask);
	test->checked = qrt_checkpoint(cx);
	EXPECT(!qrt_region_close(cx, &outer, QRT_OK));
	return test->checked;
}

static enum qrt_err hides_below_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct masked test = {.budget_ns = 2 * QRT_MS};
	struct qrt_region *region;
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &region));
	EXPECT(!qrt_spawn(region, hides_below, &test));
	EXPECT(!let_run(cx));
	EXPECT(!qrt_sleep(cx, 4 * QRT_MS));
	int64_t asked = now_of(cx);
	qrt_region_cancel(region, QRT_CANCEL_USER, "test");
	EXPECT(!pass_time(cx, QRT_MS));
	qrt_region_cancel(region, QRT_CANCEL_BUDGET, "a stronger one gives the mask no more time");
	EXPECT(qrt_region_close(cx, &region, QRT_OK) == QRT_ECANCELED);
	EXPECT(test.stage == 1 && test.waited == QRT_ECANCELED && test.checked == QRT_ECANCELED);
	EXPECT(test.cut_ns >= asked + test.budget_ns && audit_of(cx).forced == 0);
	EXPECT(!qrt_in_lab(cx) || test.cut_ns == asked + test.budget_ns);
	return QRT_OK;
}

static void a_region_opened_under_a_mask_is_no_place_to_hide_for_longer(void **state)
{
	(void)state;
	structured_backends(hides_below_scenario);
}

struct overtaken {
	struct qrt_region *inner;
	struct qrt__event go;
	struct qrt_cancel_info info;
};

static enum qrt_err cancels_its_own_under_mask(struct qrt_cx *cx, void *arg)
{
	struct overtaken *test = arg;
	struct qrt_mask mask;
	EXPECT(!qrt_mask_begin(cx, 0, &mask));
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &test->inner));
	qrt_region_cancel(test->inner, QRT_CANCEL_USER, "one's own");
	EXPECT(!qrt__event_wait(cx, &test->go, QRT_NO_DEADLINE)); /* all is shut down meanwhile */
	qrt_mask_end(cx, &mask);
	EXPECT(qrt_cancel_requested(cx, &test->info));
	EXPECT(!qrt_region_close(cx, &test->inner, QRT_OK));
	return qrt_checkpoint(cx);
}

static enum qrt_err overtaken_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct overtaken test;
	struct qrt_region *region;
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &region));
	qrt__event_init(&test.go);
	EXPECT(!qrt_spawn(region, cancels_its_own_under_mask, &test));
	EXPECT(!let_run(cx));
	qrt_region_cancel(region, QRT_CANCEL_SHUTDOWN, "test");
	qrt__event_set(&test.go);
	EXPECT(qrt_region_close(cx, &region, QRT_OK) == QRT_ECANCELED);
	EXPECT(test.info.kind == QRT_CANCEL_SHUTDOWN);
	return QRT_OK;
}

static void a_mask_does_not_lose_a_stronger_request_for_a_region_already_cancelled(void **state)
{
	(void)state;
	structured_backends(overtaken_scenario);
}

/* --- commit sections ----------------------------------------------------------------------- */

struct commit {
	int begun, done;
	enum qrt_err verdict, waited, after;
	bool finalized;
	bool refused_still; /* after a refused one, waits are */
	bool outlasts;	    /* all patience */
	enum qrt_err own_err;
	struct qrt__event go;
};

/* What a section does: until @home has been asked to end, or even longer. */
static enum qrt_err section_under(struct qrt_cx *cx, const struct qrt__region *home,
				  const struct commit *test)
{
	enum qrt_err err = QRT_OK;
	while (!err && !home->cancel.requested) {
		err = qrt_yield(cx);
	}
	int64_t until = home->cancel.info.cleanup_until_ns + QRT_MS;
	while (!err && test->outlasts && now_of(cx) <= until) {
		err = qrt_sleep(cx, QRT_MS);
	}
	return err ? err : let_run(cx);
}

static enum qrt_err section(struct qrt_cx *cx, const struct commit *test)
{
	return section_under(cx, cx->task->home, test);
}

static enum qrt_err sleeps_on(struct qrt_cx *cx, void *arg)
{
	struct commit *test = arg;
	test->begun++;
	enum qrt_err err = qrt__event_wait(cx, &test->go, QRT_NO_DEADLINE);
	test->done++;
	return err;
}

static void commit_finalizer(struct qrt_cx *cx, void *arg)
{
	(void)cx;
	((struct commit *)arg)->finalized = true;
}

static enum qrt_err commits(struct qrt_cx *cx, void *arg)
{
	struct commit *test = arg;
	struct qrt_mask mask;
	EXPECT(!qrt_defer(cx, commit_finalizer, test));
	test->verdict = qrt_commit_begin(cx, &mask);
	if (test->verdict) {
		test->refused_still = qrt_yield(cx) == test->verdict;
		return test->verdict;
	}
	test->begun++;
	test->waited = section(cx, test);
	test->done++;
	qrt_commit_end(cx, &mask);
	test->after = QRT_EFAILED; /* stands when the checkpoint does not return */
	test->after = qrt_checkpoint(cx);
	return test->after;
}

static enum qrt_err verdict_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct commit yours = {0}, cancelled = {0};
	struct qrt_region *region;
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &region));
	EXPECT(!qrt_spawn(region, commits, &yours));
	EXPECT(!let_run(cx));
	EXPECT(!qrt_spawn(region, commits, &cancelled));
	qrt_region_cancel(region, QRT_CANCEL_USER, "test");
	EXPECT(qrt_region_close(cx, &region, QRT_OK) == QRT_ECANCELED);
	EXPECT(!yours.verdict && !yours.waited && yours.done == 1);
	EXPECT(yours.after == QRT_ECANCELED);
	EXPECT(cancelled.verdict == QRT_ECANCELED && !cancelled.begun && cancelled.refused_still);

	const struct qrt_region_options opts = {.policy = QRT_COLLECT,
						.budget.deadline_ns = qrt_deadline_in(cx, QRT_MS)};
	EXPECT(!qrt_region_open_with(cx, &opts, &region));
	EXPECT(qrt_sleep(cx, QRT_SEC) == QRT_ETIMEDOUT);
	struct qrt_mask mask;
	EXPECT(qrt_commit_begin(cx, &mask) == QRT_ETIMEDOUT);
	EXPECT(qrt_commit_begin(qrt_region_cx(region), &mask) == QRT_ETIMEDOUT);
	EXPECT(!qrt_region_close(cx, &region, QRT_OK));
	EXPECT(audit_of(cx).forced == 0);
	return QRT_OK;
}

static void a_commit_section_is_refused_or_ones_own(void **state)
{
	(void)state;
	structured_backends(verdict_scenario);
}

static enum qrt_err spent_commit_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct commit test = {.outlasts = true};
	struct qrt_region *region;
	struct qrt_aggregate all;
	const struct qrt_region_options opts = {.policy = QRT_COLLECT, .cleanup_ns = QRT_MS};
	EXPECT(!qrt_region_open_with(cx, &opts, &region));
	EXPECT(!qrt_spawn(region, commits, &test));
	EXPECT(!let_run(cx));
	qrt_region_cancel(region, QRT_CANCEL_SHUTDOWN, "at once");
	EXPECT(qrt_region_close_report(cx, &region, QRT_OK, &all) == QRT_ECANCELED);
	EXPECT(!test.waited && test.done == 1); /* whole, although patience was long over */
	EXPECT(test.after == QRT_EFAILED && test.finalized);
	EXPECT(all.n_forced == 1 && all.kept[0].forced);
	EXPECT(audit_of(cx).forced == 1);
	qrt_aggregate_fini(&all);
	return QRT_OK;
}

static void a_commit_section_is_finished_even_when_patience_is_over(void **state)
{
	(void)state;
	structured_backends(spent_commit_scenario);
}

/* A section that has tasks of its own, beyond all patience. */
static enum qrt_err commits_with_others(struct qrt_cx *cx, void *arg)
{
	struct commit *test = arg;
	struct qrt_mask mask, within;
	struct qrt_region *inner;
	test->verdict = qrt_commit_begin(cx, &mask);
	EXPECT(!test->verdict);
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &inner));
	EXPECT(!qrt_spawn(inner, sleeps_on, test));
	test->waited = section_under(cx, cx->task->home, test);
	EXPECT(!qrt_mask_begin(cx, 0, &within));
	qrt_mask_end(cx, &within); /* a mask in it does not let anything in */
	EXPECT(!let_run(cx));
	EXPECT(test->begun == 1 && !test->done);
	qrt__event_set(&test->go);
	test->after = qrt_region_close(cx, &inner, QRT_OK);
	qrt_commit_end(cx, &mask);
	return QRT_OK;
}

static enum qrt_err shared_commit_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct commit test = {.outlasts = true};
	struct qrt_region *region;
	const struct qrt_region_options opts = {.policy = QRT_COLLECT, .cleanup_ns = QRT_MS};
	qrt__event_init(&test.go);
	EXPECT(!qrt_region_open_with(cx, &opts, &region));
	EXPECT(!qrt_spawn(region, commits_with_others, &test));
	EXPECT(!let_run(cx));
	qrt_region_cancel(region, QRT_CANCEL_USER, "test");
	EXPECT(!qrt_region_close(cx, &region, QRT_OK));
	EXPECT(!test.waited && !test.after && test.done == 1);
	return QRT_OK;
}

static void what_a_commit_section_has_opened_is_part_of_it(void **state)
{
	(void)state;
	structured_backends(shared_commit_scenario);
}

static enum qrt_err commits_and_returns(struct qrt_cx *cx, void *arg)
{
	struct commit *test = arg;
	struct qrt_mask mask;
	test->verdict = qrt_commit_begin(cx, &mask);
	if (!test->verdict) {
		test->waited = section(cx, test);
		test->done++;
		qrt_commit_end(cx, &mask);
	}
	return test->own_err;
}

static enum qrt_err done_in_time_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct commit test = {.outlasts = true};
	struct qrt_region *region;
	struct qrt_aggregate all;
	const struct qrt_region_options opts = {.policy = QRT_COLLECT, .cleanup_ns = QRT_MS};
	EXPECT(!qrt_region_open_with(cx, &opts, &region));
	EXPECT(!qrt_spawn(region, commits_and_returns, &test));
	EXPECT(!let_run(cx));
	qrt_region_cancel(region, QRT_CANCEL_USER, "test");
	EXPECT(!qrt_region_close_report(cx, &region, QRT_OK, &all));
	EXPECT(test.done == 1 && !test.waited);
	EXPECT(all.worst == QRT_OUTCOME_OK && all.n_ok == 1);
	EXPECT(all.n_failures == 0 && all.n_forced == 0 && audit_of(cx).forced == 0);
	qrt_aggregate_fini(&all);

	test = (struct commit){.outlasts = true, .own_err = QRT_EIO};
	EXPECT(!qrt_region_open_with(cx, &opts, &region));
	EXPECT(!qrt_spawn(region, commits_and_returns, &test));
	EXPECT(!let_run(cx));
	qrt_region_cancel(region, QRT_CANCEL_USER, "test");
	EXPECT(qrt_region_close_report(cx, &region, QRT_OK, &all) == QRT_EIO);
	EXPECT(test.done == 1 && all.n_failures == 1 && all.n_forced == 0 && !all.kept[0].forced);
	qrt_aggregate_fini(&all);
	return QRT_OK;
}

static void who_ends_well_by_itself_has_not_been_forced(void **state)
{
	(void)state;
	structured_backends(done_in_time_scenario);
}

/* --- the end of patience ------------------------------------------------------------------- */

struct deaf {
	int refusals;
	int finalized;
	enum qrt_err in_finalizer;
	int64_t cut_ns;
	enum qrt_err waited;
};

static void deaf_finalizer(struct qrt_cx *cx, void *arg)
{
	struct deaf *deaf = arg;
	deaf->finalized++;
	deaf->in_finalizer = qrt_checkpoint(cx);
}

/* Does not care what its waits say. */
static enum qrt_err spins(struct qrt_cx *cx, void *arg)
{
	struct deaf *deaf = arg;
	EXPECT(!qrt_defer(cx, deaf_finalizer, deaf));
	for (;;) {
		if (qrt_sleep(cx, HOUR_S * QRT_SEC)) {
			deaf->refusals++;
		}
	}
}

static enum qrt_err recovers_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	for (int round = 0; round < 3; round++) {
		struct qrt_region *region;
		EXPECT(!qrt_region_open(cx, QRT_COLLECT, &region));
		qrt_region_cancel(region, QRT_CANCEL_USER, "test");
		for (int i = 0; i < QRT_CLEANUP_POLLS; i++) {
			EXPECT(qrt_yield(cx) == QRT_ECANCELED);
		}
		EXPECT(!qrt_region_close(cx, &region, QRT_OK));
		EXPECT(!qrt_checkpoint(cx));
	}
	EXPECT(audit_of(cx).forced == 0);
	return QRT_OK;
}

static void refusals_count_for_one_cancel(void **state)
{
	(void)state;
	structured_backends(recovers_scenario);
}

/* A sibling that cleans up as it should, over a few turns. */
static enum qrt_err polite(struct qrt_cx *cx, void *arg)
{
	int *cleaned = arg;
	enum qrt_err err = qrt_sleep(cx, HOUR_S * QRT_SEC);
	struct qrt_mask mask;
	EXPECT(!qrt_mask_begin(cx, 0, &mask));
	EXPECT(!let_run(cx) && !qrt_sleep(cx, QRT_MS));
	qrt_mask_end(cx, &mask);
	++*cleaned;
	return err;
}

static enum qrt_err spins_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct deaf deaf = {0};
	int cleaned = 0;
	struct qrt_region *region;
	struct qrt_aggregate all;
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &region));
	EXPECT(!qrt_spawn(region, polite, &cleaned));
	EXPECT(!qrt_spawn(region, spins, &deaf));
	EXPECT(!qrt_spawn(region, polite, &cleaned));
	EXPECT(!let_run(cx));
	struct qrt_audit before = audit_of(cx);
	qrt_region_cancel(region, QRT_CANCEL_USER, "test");
	EXPECT(qrt_region_close_report(cx, &region, QRT_OK, &all) == QRT_ECANCELED);
	struct qrt_audit after = audit_of(cx);
	EXPECT(deaf.refusals == QRT_CLEANUP_POLLS + 1); /* the wait that was cut, and those */
	EXPECT(deaf.finalized == 1 && !deaf.in_finalizer);
	EXPECT(cleaned == 2);
	EXPECT(after.forced == 1 && after.turns - before.turns < 100);
	EXPECT(all.worst == QRT_OUTCOME_CANCELLED && all.n_forced == 1 && all.n_kept == 1);
	EXPECT(all.kept[0].forced && all.kept[0].outcome == QRT_OUTCOME_CANCELLED);
	EXPECT(all.kept[0].err == QRT_ECANCELED && all.kept[0].index == 1);
	EXPECT(strcmp(all.kept[0].name, "spins") == 0);
	qrt_aggregate_fini(&all);
	return QRT_OK;
}

static void who_ignores_refusals_is_abandoned_and_does_not_spin(void **state)
{
	(void)state;
	structured_backends(spins_scenario);
}

/* Cleans up in a mask, and never comes to an end. */
static enum qrt_err lingers(struct qrt_cx *cx, void *arg)
{
	struct deaf *deaf = arg;
	struct qrt_mask mask;
	EXPECT(!qrt_defer(cx, deaf_finalizer, deaf));
	EXPECT(!qrt_mask_begin(cx, 0, &mask));
	deaf->waited = qrt_sleep(cx, HOUR_S * QRT_SEC);
	deaf->cut_ns = now_of(cx);
	for (;;) {
		if (qrt_sleep(cx, HOUR_S * QRT_SEC)) {
			deaf->refusals++;
		}
	}
}

static enum qrt_err lingers_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct deaf deaf = {0};
	int cleaned = 0;
	struct qrt_region *region;
	struct qrt_aggregate all;
	const struct qrt_region_options opts = {.policy = QRT_COLLECT, .cleanup_ns = 200 * QRT_MS};
	EXPECT(!qrt_region_open_with(cx, &opts, &region));
	EXPECT(!qrt_spawn(region, lingers, &deaf));
	EXPECT(!qrt_spawn(region, polite, &cleaned));
	EXPECT(!let_run(cx));
	int64_t asked = now_of(cx);
	struct qrt_audit before = audit_of(cx);
	qrt_region_cancel(region, QRT_CANCEL_USER, "test");
	EXPECT(qrt_region_close_report(cx, &region, QRT_OK, &all) == QRT_ECANCELED);
	EXPECT(deaf.waited == QRT_ECANCELED);
	EXPECT(deaf.cut_ns >= asked + 200 * QRT_MS);
	EXPECT(!qrt_in_lab(cx) || deaf.cut_ns == asked + 200 * QRT_MS);
	EXPECT(deaf.refusals == 0 && deaf.finalized == 1); /* the next checkpoint was its last */
	EXPECT(cleaned == 1 && all.n_forced == 1 && all.kept[0].forced);
	EXPECT(audit_of(cx).forced == 1 && audit_of(cx).turns - before.turns < 100);
	qrt_aggregate_fini(&all);
	return QRT_OK;
}

static void who_hides_in_a_mask_is_abandoned_when_patience_ends(void **state)
{
	(void)state;
	structured_backends(lingers_scenario);
}

static enum qrt_err kinds_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	static const int64_t want_ms[] = {
#define CLEANUP(name, text, severity, cleanup_ms) [name] = (cleanup_ms),
	    QRT_CANCEL_KINDS(CLEANUP)
#undef CLEANUP
	};
	if (!qrt_in_lab(cx)) {
		return QRT_OK; /* seconds of virtual time */
	}
	for (int kind = 0; kind < QRT__CANCEL_KINDS; kind++) {
		struct deaf deaf = {0};
		struct qrt_region *region;
		bool late = kind == QRT_CANCEL_DEADLINE;
		EXPECT(!qrt_region_open(cx, QRT_COLLECT, &region));
		EXPECT(!qrt_spawn(region, lingers, &deaf));
		EXPECT(!let_run(cx));
		int64_t asked = now_of(cx);
		qrt_region_cancel(region, (enum qrt_cancel_kind)kind, "test");
		EXPECT(qrt_region_close(cx, &region, QRT_OK) == QRT_ECANCELED);
		EXPECT(deaf.waited == (late ? QRT_ETIMEDOUT : QRT_ECANCELED));
		EXPECT(deaf.cut_ns == asked + want_ms[kind] * QRT_MS);
	}
	return QRT_OK;
}

static void each_kind_has_its_own_patience(void **state)
{
	(void)state;
	structured_backends(kinds_scenario);
}

/* Forced with everything it can have: regions, masks, a shielded child of its own. */
static enum qrt_err forced_opener(struct qrt_cx *cx, void *arg)
{
	struct deaf *deaf = arg; /* its own, its child's */
	struct qrt_mask mask;
	struct qrt_region *inner;
	EXPECT(!qrt_defer(cx, deaf_finalizer, &deaf[0]));
	EXPECT(!qrt_mask_begin(cx, 0, &mask));
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &inner));
	EXPECT(!qrt_defer(qrt_region_cx(inner), deaf_finalizer, &deaf[2]));
	EXPECT(!qrt_spawn(inner, spins, &deaf[1]));
	deaf[0].waited = qrt_sleep(cx, HOUR_S * QRT_SEC);
	QRT_IGNORE(qrt_checkpoint(cx), "it does not come back");
	return QRT_EFAILED;
}

static enum qrt_err forced_opener_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct deaf deaf[3] = {{0}, {0}, {0}};
	struct qrt_region *region;
	const struct qrt_region_options opts = {.policy = QRT_COLLECT, .cleanup_ns = QRT_MS};
	EXPECT(!qrt_region_open_with(cx, &opts, &region));
	EXPECT(!qrt_spawn(region, forced_opener, deaf));
	EXPECT(!let_run(cx));
	qrt_region_cancel(region, QRT_CANCEL_USER, "test");
	EXPECT(qrt_region_close(cx, &region, QRT_OK) == QRT_ECANCELED);
	EXPECT(deaf[0].waited == QRT_ECANCELED);
	EXPECT(deaf[0].finalized == 1 && deaf[1].finalized == 1 && deaf[2].finalized == 1);
	EXPECT(audit_of(cx).forced == 2 && audit_of(cx).regions_live == 1);
	return QRT_OK;
}

static void who_is_forced_takes_what_it_opened_along(void **state)
{
	(void)state;
	structured_backends(forced_opener_scenario);
}

/* Closing waits for others: that their patience ends is not the closer's fault. */
static enum qrt_err patient_closer(struct qrt_cx *cx, void *arg)
{
	struct deaf *deaf = arg;
	struct qrt_region *region;
	const struct qrt_region_options opts = {.policy = QRT_COLLECT, .cleanup_ns = QRT_MS};
	EXPECT(!qrt_region_open_with(cx, &opts, &region));
	EXPECT(!qrt_spawn(region, lingers, deaf));
	EXPECT(!let_run(cx));
	qrt_region_cancel(region, QRT_CANCEL_USER, "test");
	EXPECT(qrt_region_close(cx, &region, QRT_OK) == QRT_ECANCELED);
	EXPECT(deaf->finalized == 1);
	EXPECT(!qrt_checkpoint(cx) && !qrt_sleep(cx, QRT_MS));
	return QRT_OK;
}

static enum qrt_err closer_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct deaf deaf = {0};
	struct qrt_region *region;
	struct qrt_aggregate all;
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &region));
	EXPECT(!qrt_spawn(region, patient_closer, &deaf));
	EXPECT(!qrt_region_close_report(cx, &region, QRT_OK, &all));
	EXPECT(all.n_ok == 1 && all.n_forced == 0);
	EXPECT(audit_of(cx).forced == 1); /* the child, not the one that waited for it */
	return QRT_OK;
}

static void who_waits_for_a_forced_child_is_not_forced(void **state)
{
	(void)state;
	structured_backends(closer_scenario);
}

/* --- finalizers ---------------------------------------------------------------------------- */

struct order {
	char text[32];
	bool in_finalizer; /* something it checks there went wrong */
};

static void put(struct order *order, char c)
{
	size_t n = strlen(order->text);
	if (n + 1 < sizeof(order->text)) {
		order->text[n] = c;
		order->text[n + 1] = '\0';
	}
}

static void put_a(struct qrt_cx *cx, void *arg)
{
	(void)cx;
	put(arg, 'a');
}

static void put_b(struct qrt_cx *cx, void *arg)
{
	(void)cx;
	put(arg, 'b');
}

static void put_and_panic(struct qrt_cx *cx, void *arg)
{
	put(arg, '!');
	qrt_panic(cx, "in a finalizer");
}

static enum qrt_err child_puts(struct qrt_cx *cx, void *arg)
{
	enum qrt_err err = qrt_yield(cx);
	put(arg, 'c');
	return err;
}

static enum qrt_err panics_in_finalizers(struct qrt_cx *cx, void *arg)
{
	EXPECT(!qrt_defer(cx, put_a, arg));
	EXPECT(!qrt_defer(cx, put_and_panic, arg));
	EXPECT(!qrt_defer(cx, put_b, arg));
	EXPECT(!qrt_defer(cx, put_and_panic, arg));
	return QRT_OK;
}

static enum qrt_err panics_in_a_regions(struct qrt_cx *cx, void *arg)
{
	struct order *order = arg;
	struct qrt_region *inner;
	EXPECT(!qrt_defer(cx, put_a, order));
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &inner));
	EXPECT(!qrt_defer(qrt_region_cx(inner), put_b, order));
	EXPECT(!qrt_defer(qrt_region_cx(inner), put_and_panic, order));
	EXPECT(!qrt_spawn(inner, child_puts, order));
	QRT_IGNORE(qrt_region_close(cx, &inner, QRT_OK), "it does not come back");
	put(order, '?');
	return QRT_OK;
}

static enum qrt_err panics_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	qrt_task_fn *const fns[] = {panics_in_finalizers, panics_in_a_regions};
	const char *const want[] = {"!b!a", "c!ba"};
	for (size_t i = 0; i < 2; i++) {
		struct order order = {.text = ""};
		struct qrt_region *region;
		struct qrt_aggregate all;
		EXPECT(!qrt_region_open(cx, QRT_COLLECT, &region));
		EXPECT(!qrt_spawn(region, fns[i], &order));
		EXPECT(qrt_region_close_report(cx, &region, QRT_OK, &all) == QRT_EPANIC);
		EXPECT(strcmp(order.text, want[i]) == 0);
		EXPECT(all.n_kept == 1 && all.kept[0].outcome == QRT_OUTCOME_PANICKED);
		EXPECT(strcmp(all.kept[0].detail, "panic: in a finalizer") == 0);
		qrt_aggregate_fini(&all);
	}
	EXPECT(audit_of(cx).panics == 3);
	return QRT_OK;
}

static void a_finalizer_that_panics_does_not_keep_the_others_from_running(void **state)
{
	(void)state;
	on_each_backend(panics_scenario, NULL);
}

static enum qrt_err forgets_a_region(struct qrt_cx *cx, void *arg)
{
	struct order *order = arg;
	struct qrt_region *outer, *inner;
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &outer));
	EXPECT(!qrt_defer(qrt_region_cx(outer), put_a, order));
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &inner));
	EXPECT(!qrt_defer(qrt_region_cx(inner), put_b, order));
	EXPECT(!qrt_spawn(inner, child_puts, order));
	return QRT_OK;
}

static enum qrt_err forgets_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct order order = {.text = ""};
	struct qrt_region *region;
	struct qrt_aggregate all;
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &region));
	EXPECT(!qrt_spawn(region, forgets_a_region, &order));
	EXPECT(qrt_region_close_report(cx, &region, QRT_OK, &all) == QRT_EPANIC);
	EXPECT(strcmp(order.text, "cba") == 0); /* the child, then inside out */
	EXPECT(all.worst == QRT_OUTCOME_PANICKED);
	EXPECT(strcmp(all.kept[0].detail, "panic: returned with a region open") == 0);
	EXPECT(audit_of(cx).regions_live == 1);
	qrt_aggregate_fini(&all);
	return QRT_OK;
}

static void a_task_that_forgets_its_regions_has_panicked_and_they_are_closed(void **state)
{
	(void)state;
	on_each_backend(forgets_scenario, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(kinds_have_their_severity_and_name),
	    cmocka_unit_test(two_requests_are_the_stronger_in_whatever_order_they_come),
	    cmocka_unit_test(only_a_stronger_request_changes_what_stands),
	    cmocka_unit_test(a_cancel_reaches_the_subtree_and_its_opener_until_the_close),
	    cmocka_unit_test(what_is_severer_than_parent_stays_so_below),
	    cmocka_unit_test(a_cancel_goes_down_the_tree_and_no_other_way),
	    cmocka_unit_test(a_request_names_who_asked),
	    cmocka_unit_test(who_is_cancelled_because_of_a_deadline_is_late_not_cancelled),
	    cmocka_unit_test(a_regions_own_deadline_is_a_request),
	    cmocka_unit_test(a_task_cancelled_before_it_ran_is_told_at_its_first_checkpoint),
	    cmocka_unit_test(the_end_of_patience_comes_earlier_in_the_whole_subtree),
	    cmocka_unit_test(on_the_detached_engine_the_current_wait_fails_once),
	    cmocka_unit_test(a_mask_delays_a_cancel_and_never_loses_it),
	    cmocka_unit_test(on_the_detached_engine_a_masked_wait_is_not_failed),
	    cmocka_unit_test(masks_nest),
	    cmocka_unit_test(masks_have_a_depth_and_a_refused_one_changes_nothing),
	    cmocka_unit_test(a_mask_covers_the_deadline_too),
	    cmocka_unit_test(a_mask_whose_budget_is_spent_no_longer_delays),
	    cmocka_unit_test(a_mask_begun_after_the_request_has_its_whole_budget),
	    cmocka_unit_test(the_mask_of_an_opener_has_its_budget_too),
	    cmocka_unit_test(a_mask_that_has_ended_leaves_no_clock_behind),
	    cmocka_unit_test(of_two_masks_the_tighter_holds),
	    cmocka_unit_test(a_region_opened_under_a_mask_is_covered_by_it),
	    cmocka_unit_test(a_region_opened_under_a_mask_is_no_place_to_hide_for_longer),
	    cmocka_unit_test(
		a_mask_does_not_lose_a_stronger_request_for_a_region_already_cancelled),
	    cmocka_unit_test(a_commit_section_is_refused_or_ones_own),
	    cmocka_unit_test(a_commit_section_is_finished_even_when_patience_is_over),
	    cmocka_unit_test(what_a_commit_section_has_opened_is_part_of_it),
	    cmocka_unit_test(who_ends_well_by_itself_has_not_been_forced),
	    cmocka_unit_test(who_ignores_refusals_is_abandoned_and_does_not_spin),
	    cmocka_unit_test(refusals_count_for_one_cancel),
	    cmocka_unit_test(who_hides_in_a_mask_is_abandoned_when_patience_ends),
	    cmocka_unit_test(each_kind_has_its_own_patience),
	    cmocka_unit_test(who_is_forced_takes_what_it_opened_along),
	    cmocka_unit_test(who_waits_for_a_forced_child_is_not_forced),
	    cmocka_unit_test(a_finalizer_that_panics_does_not_keep_the_others_from_running),
	    cmocka_unit_test(a_task_that_forgets_its_regions_has_panicked_and_they_are_closed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
