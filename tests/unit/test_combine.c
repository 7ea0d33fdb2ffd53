/* Join, race, first-ok, timeout, retry, hedge: on every backend, exact times in virtual ones. */
#include <qrt/combine.h>
#include <qrt/sync.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/backends.h"
#include "tests/lib/test.h"

static bool is_virtual(struct qrt_cx *cx)
{
	return strncmp(qrt_runtime_backend(qrt_cx_runtime(cx)), "lab", 3) == 0;
}

/* What a branch does, and what became of it. */
struct act {
	int yields;		  /* first */
	struct qrt_notify *until; /* then waits for this, if any */
	enum qrt_err err;	  /* then fails so */
	enum qrt_err cleanup;	  /* when cancelled it fails so instead */
	int cleanup_yields;	  /* masked, before that */
	bool panics;
	bool began, ended, cancelled;
	const char *text; /* detail of err */
};

static enum qrt_err clean_up(struct qrt_cx *cx, struct act *act, enum qrt_err err)
{
	struct qrt_mask mask;
	act->cancelled = true;
	EXPECT(!qrt_mask_begin(cx, 0, &mask));
	for (int i = 0; i < act->cleanup_yields; i++) {
		EXPECT(!qrt_yield(cx));
	}
	qrt_mask_end(cx, &mask);
	act->ended = true;
	return act->cleanup ? qrt_fail(cx, act->cleanup, "cleanup failed") : err;
}

static enum qrt_err perform(struct qrt_cx *cx, void *arg)
{
	struct act *act = arg;
	act->began = true;
	enum qrt_err err = QRT_OK;
	for (int i = 0; i < act->yields && !err; i++) {
		err = qrt_yield(cx);
	}
	if (!err && act->until) {
		err = qrt_notify_wait(cx, act->until);
	}
	if (err) {
		return clean_up(cx, act, err);
	}
	act->ended = true;
	if (act->panics) {
		qrt_panic(cx, "no more");
	}
	return act->err ? qrt_fail(cx, act->err, "%s", act->text ? act->text : "as told") : QRT_OK;
}

static size_t live_tasks(struct qrt_cx *cx)
{
	struct qrt_audit audit;
	qrt_runtime_audit(qrt_cx_runtime(cx), &audit);
	return audit.tasks_live;
}

/* --- join ------------------------------------------------------------------------------------ */

static enum qrt_err join_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct qrt_aggregate all;
	struct act acts[3] = {{.yields = 3}, {.yields = 0}, {.yields = 1}};
	struct qrt_branch branches[3] = {
	    {perform, &acts[0], "a"}, {perform, &acts[1], "b"}, {perform, &acts[2], NULL}};
	EXPECT(!qrt_join(cx, branches, 3, NULL));
	EXPECT(acts[0].ended && acts[1].ended && acts[2].ended);
	EXPECT(!qrt_join(cx, branches, 3, &all));
	EXPECT(all.n_ok == 3 && all.n_failures == 0);
	qrt_aggregate_fini(&all);
	EXPECT(!qrt_join(cx, NULL, 0, NULL));
	return QRT_OK;
}

static void join_waits_for_all(void **state)
{
	(void)state;
	on_each_backend(join_scenario, NULL);
}

static enum qrt_err join_fail_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct qrt_aggregate all;
	struct qrt_notify *never;
	EXPECT(!qrt_notify_open(cx, &never));
	struct act acts[3] = {
	    {.until = never, .cleanup = QRT_EIO, .cleanup_yields = 5},
	    {.yields = 40, .err = QRT_ECONFLICT, .text = "seat 7 is taken"},
	    {.until = never},
	};
	struct qrt_branch branches[3] = {
	    {perform, &acts[0], "a"}, {perform, &acts[1], "b"}, {perform, &acts[2], "c"}};
	size_t live = live_tasks(cx);
	EXPECT(qrt_join(cx, branches, 3, &all) == QRT_ECONFLICT);
	EXPECT(strcmp(qrt_detail(cx), "seat 7 is taken") == 0);
	EXPECT(live_tasks(cx) == live);
	EXPECT(acts[0].cancelled && acts[0].ended && acts[2].cancelled && acts[2].ended);
	EXPECT(all.n_failures == 2 && all.kept[0].index == 0 && all.kept[1].index == 1);
	EXPECT(all.kept[0].err == QRT_EIO && strcmp(all.kept[0].detail, "cleanup failed") == 0);
	EXPECT(strcmp(all.kept[1].name, "b") == 0 && strstr(all.kept[1].site, "test_combine.c:"));
	qrt_aggregate_fini(&all);
	return qrt_notify_close(&never);
}

static void join_ends_with_the_first_failure_and_drains_the_rest(void **state)
{
	(void)state;
	on_each_backend(join_fail_scenario, NULL);
}

/* --- race ------------------------------------------------------------------------------------ */

static enum qrt_err race_scenario(struct qrt_cx *cx, void *arg)
{
	enum qrt_err *result = arg;
	struct qrt_aggregate all;
	struct qrt_notify *never;
	size_t winner = 99;
	EXPECT(!qrt_notify_open(cx, &never));
	struct act acts[3] = {
	    {.until = never, .cleanup = QRT_EIO, .cleanup_yields = 5},
	    {.until = never, .cleanup_yields = 5},
	    {.yields = 40, .err = *result, .text = "first of all"},
	};
	struct qrt_branch branches[3] = {
	    {perform, &acts[0], "a"}, {perform, &acts[1], "b"}, {perform, &acts[2], "c"}};
	size_t live = live_tasks(cx);
	EXPECT(qrt_race(cx, branches, 3, &winner, &all) == *result);
	EXPECT(winner == 2);
	EXPECT(live_tasks(cx) == live);
	EXPECT(acts[0].cancelled && acts[0].ended && acts[1].cancelled && acts[1].ended);
	EXPECT(!*result || strcmp(qrt_detail(cx), "first of all") == 0);
	EXPECT(all.n_failures == (*result && *result != QRT_ECANCELED ? 2 : 1));
	EXPECT(all.kept[0].index == 0 && all.kept[0].err == QRT_EIO);
	qrt_aggregate_fini(&all);
	EXPECT(qrt_race(cx, branches, 3, NULL, NULL) == *result);
	return qrt_notify_close(&never);
}

static void a_race_is_the_first_to_finish_whatever_its_result(void **state)
{
	(void)state;
	static const enum qrt_err results[] = {QRT_OK, QRT_ENOENT, QRT_ECANCELED};
	for (size_t i = 0; i < 3; i++) {
		enum qrt_err result = results[i];
		on_each_backend(race_scenario, &result);
	}
}

static enum qrt_err race_panic_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct qrt_notify *never;
	size_t winner = 99;
	EXPECT(!qrt_notify_open(cx, &never));
	struct act acts[2] = {{.until = never, .cleanup = QRT_EIO}, {.yields = 40, .panics = true}};
	struct qrt_branch branches[2] = {{perform, &acts[0], "a"}, {perform, &acts[1], "b"}};
	EXPECT(qrt_race(cx, branches, 2, &winner, NULL) == QRT_EPANIC);
	EXPECT(strcmp(qrt_detail(cx), "panic: no more") == 0);
	EXPECT(winner == 1 && acts[0].cancelled);
	return qrt_notify_close(&never);
}

static void a_branch_that_panics_has_finished(void **state)
{
	(void)state;
	on_each_backend(race_panic_scenario, NULL);
}

static enum qrt_err forget(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct qrt_notify *forgotten;
	return qrt_notify_open(cx, &forgotten);
}

static enum qrt_err leak_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct qrt_branch branches[1] = {{forget, NULL, "forgets"}};
	EXPECT(qrt_race(cx, branches, 1, NULL, NULL) == QRT_ELEAK);
	EXPECT(strstr(qrt_detail(cx), "test_combine.c:"));
	EXPECT(qrt_join(cx, branches, 1, NULL) == QRT_ELEAK);
	return QRT_OK;
}

static void a_winner_that_leaks_is_told_so(void **state)
{
	(void)state;
	on_each_backend(leak_scenario, NULL);
}

/* Who comes too late does not begin, on whatever engine. */
static enum qrt_err not_begun_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct act acts[8] = {{0}};
	struct qrt_branch branches[8];
	size_t winner = 99;
	for (int i = 0; i < 8; i++) {
		branches[i] = (struct qrt_branch){perform, &acts[i], "b"};
	}
	EXPECT(!qrt_race(cx, branches, 8, &winner, NULL));
	for (size_t i = 0; i < 8; i++) {
		EXPECT(acts[i].began == (i == winner));
	}
	EXPECT(qrt_race(cx, branches, 0, NULL, NULL) == QRT_EINVAL);
	EXPECT(qrt_first_ok(cx, branches, 0, NULL, NULL) == QRT_EINVAL);
	struct qrt_aggregate all = {.n_failures = 7};
	EXPECT(qrt_race(cx, branches, QRT_BRANCHES_MAX + 1, NULL, &all) == QRT_EINVAL);
	EXPECT(all.n_failures == 0);
	EXPECT(strcmp(qrt_detail(cx), "race: 65537 branches, at most 65536") == 0);
	return QRT_OK;
}

static void a_branch_that_comes_too_late_does_not_begin(void **state)
{
	(void)state;
	on_each_backend(not_begun_scenario, NULL);
}

/* The caller is cancelled: so are the branches, and the call returns after them. */
struct inner {
	struct act *acts;
	enum qrt_err err;
	bool returned;
};

static enum qrt_err race_inside(struct qrt_cx *cx, void *arg)
{
	struct inner *inner = arg;
	struct qrt_branch branches[2] = {{perform, &inner->acts[0], "a"},
					 {perform, &inner->acts[1], "b"}};
	inner->err = qrt_race(cx, branches, 2, NULL, NULL);
	inner->returned = inner->acts[0].ended && inner->acts[1].ended;
	return inner->err;
}

static enum qrt_err cancel_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct qrt_notify *never;
	struct qrt_region *region;
	if (!is_structured(cx)) {
		return QRT_OK; /* a task that waits for its own region never hears of it there */
	}
	EXPECT(!qrt_notify_open(cx, &never));
	struct act acts[2] = {{.until = never, .cleanup_yields = 3}, {.until = never}};
	struct inner inner = {.acts = acts};
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &region));
	EXPECT(!qrt_spawn(region, race_inside, &inner));
	for (int i = 0; i < 20; i++) {
		EXPECT(!qrt_yield(cx));
	}
	EXPECT(acts[0].began && acts[1].began);
	qrt_region_cancel(region, QRT_CANCEL_USER, "enough");
	EXPECT(qrt_region_close(cx, &region, QRT_OK) == QRT_ECANCELED);
	EXPECT(inner.err == QRT_ECANCELED && inner.returned);
	return qrt_notify_close(&never);
}

static void a_cancelled_caller_takes_its_branches_along(void **state)
{
	(void)state;
	on_each_backend(cancel_scenario, NULL);
}

/* --- first ok -------------------------------------------------------------------------------- */

static enum qrt_err first_ok_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct qrt_aggregate all;
	struct qrt_notify *never;
	size_t winner = 99;
	EXPECT(!qrt_notify_open(cx, &never));
	struct act acts[4] = {
	    {.err = QRT_ECONNREFUSED, .text = "refused"},
	    {.yields = 5, .panics = true},
	    {.until = never, .cleanup_yields = 3},
	    {.yields = 60},
	};
	struct qrt_branch branches[4] = {{perform, &acts[0], "a"},
					 {perform, &acts[1], "b"},
					 {perform, &acts[2], "c"},
					 {perform, &acts[3], "d"}};
	EXPECT(!qrt_first_ok(cx, branches, 4, &winner, &all));
	EXPECT(winner == 3 && acts[2].cancelled && acts[2].ended);
	EXPECT(all.n_failures == 2 && all.kept[0].err == QRT_ECONNREFUSED);
	EXPECT(all.kept[1].outcome == QRT_OUTCOME_PANICKED);
	qrt_aggregate_fini(&all);
	winner = 99;
	struct act bad[2] = {{.yields = 60, .err = QRT_EIO, .text = "late"},
			     {.yields = 2, .err = QRT_ENOENT, .text = "early"}};
	struct qrt_branch worse[2] = {{perform, &bad[0], "a"}, {perform, &bad[1], "b"}};
	EXPECT(qrt_first_ok(cx, worse, 2, &winner, &all) == QRT_ENOENT);
	EXPECT(strcmp(qrt_detail(cx), "early") == 0);
	EXPECT(winner == 99 && all.n_failures == 2 && bad[0].ended && !bad[0].cancelled);
	qrt_aggregate_fini(&all);
	return qrt_notify_close(&never);
}

static void first_ok_passes_failures_over(void **state)
{
	(void)state;
	on_each_backend(first_ok_scenario, NULL);
}

/* --- timeout --------------------------------------------------------------------------------- */

static enum qrt_err timeout_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct qrt_notify *never;
	int64_t before, after;
	EXPECT(!qrt_notify_open(cx, &never));
	struct act stuck = {.until = never, .cleanup_yields = 3};
	size_t live = live_tasks(cx);
	EXPECT(!qrt_now(cx, &before));
	EXPECT(qrt_timeout(cx, 2 * QRT_MS, perform, &stuck) == QRT_ETIMEDOUT);
	EXPECT(!qrt_now(cx, &after));
	EXPECT(stuck.cancelled && stuck.ended && live_tasks(cx) == live);
	EXPECT(after - before >= 2 * QRT_MS);
	EXPECT(!is_virtual(cx) || after - before == 2 * QRT_MS);
	struct act quick = {.yields = 2};
	EXPECT(!qrt_timeout(cx, 3600 * QRT_SEC, perform, &quick));
	struct act failing = {.err = QRT_EIO, .text = "by itself"};
	EXPECT(qrt_timeout(cx, 3600 * QRT_SEC, perform, &failing) == QRT_EIO);
	EXPECT(strcmp(qrt_detail(cx), "by itself") == 0);
	struct act never_begun = {0};
	EXPECT(qrt_timeout(cx, 0, perform, &never_begun) == QRT_ETIMEDOUT);
	EXPECT(qrt_timeout(cx, -1, perform, &never_begun) == QRT_ETIMEDOUT);
	EXPECT(!never_begun.began);
	EXPECT(!qrt_checkpoint(cx)); /* the caller's own time goes on */
	return qrt_notify_close(&never);
}

static void a_timeout_ends_what_takes_too_long(void **state)
{
	(void)state;
	on_each_backend(timeout_scenario, NULL);
}

/* Its success, though late, is a success. */
static enum qrt_err late_ok(struct qrt_cx *cx, void *arg)
{
	struct qrt_notify *never = arg;
	EXPECT(qrt_notify_wait(cx, never) == QRT_ETIMEDOUT);
	return QRT_OK;
}

static enum qrt_err late_ok_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct qrt_notify *never;
	EXPECT(!qrt_notify_open(cx, &never));
	EXPECT(!qrt_timeout(cx, QRT_MS, late_ok, never));
	return qrt_notify_close(&never);
}

static void who_succeeds_all_the_same_is_not_late(void **state)
{
	(void)state;
	on_each_backend(late_ok_scenario, NULL);
}

/* --- retry ----------------------------------------------------------------------------------- */

struct tries {
	enum qrt_err errs[8]; /* by attempt; then OK */
	int n;
	int64_t at_ns[8];
	int asked;
	int finalized;
	bool refuse;
};

static void tried(struct qrt_cx *cx, void *arg)
{
	(void)cx;
	struct tries *tries = arg;
	tries->finalized++;
}

static enum qrt_err attempt(struct qrt_cx *cx, void *arg)
{
	struct tries *tries = arg;
	EXPECT(tries->n < 8);
	EXPECT(tries->finalized == tries->n); /* what the last one left has ended */
	EXPECT(!qrt_defer(cx, tried, tries));
	int at = tries->n++;
	if (qrt_cx_caps(cx) & QRT_CAP_TIME) {
		EXPECT(!qrt_now(cx, &tries->at_ns[at]));
	}
	EXPECT(!qrt_yield(cx));
	enum qrt_err err = tries->errs[at];
	return err ? qrt_fail(cx, err, "attempt %d", at + 1) : QRT_OK;
}

static bool ask_tries(enum qrt_err err, unsigned number, void *arg)
{
	struct tries *tries = arg;
	tries->asked++;
	return (int)number == tries->n && err == tries->errs[number - 1] && !tries->refuse;
}

static enum qrt_err retry_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	const struct qrt_retry plain = {0};
	struct tries twice = {.errs = {QRT_EBUSY, QRT_ECONNRESET}};
	EXPECT(!qrt_retry(cx, &plain, attempt, &twice));
	EXPECT(twice.n == 3);
	struct tries thrice = {.errs = {QRT_EBUSY, QRT_EAGAIN, QRT_EMFILE}};
	EXPECT(qrt_retry(cx, &plain, attempt, &thrice) == QRT_EMFILE);
	EXPECT(thrice.n == 3 && strcmp(qrt_detail(cx), "attempt 3") == 0);
	struct tries fatal = {.errs = {QRT_EINVAL}};
	EXPECT(qrt_retry(cx, &plain, attempt, &fatal) == QRT_EINVAL);
	EXPECT(fatal.n == 1);
	struct tries own = {.errs = {QRT_EINVAL, QRT_EIO, QRT_ECANCELED}};
	const struct qrt_retry asking = {.attempts = 8, .again = ask_tries, .again_arg = &own};
	EXPECT(qrt_retry(cx, &asking, attempt, &own) == QRT_ECANCELED);
	EXPECT(own.n == 3 && own.asked == 2); /* a cancel is not asked about */
	struct tries refused = {.errs = {QRT_EBUSY}, .refuse = true};
	const struct qrt_retry refusing = {.again = ask_tries, .again_arg = &refused};
	EXPECT(qrt_retry(cx, &refusing, attempt, &refused) == QRT_EBUSY);
	EXPECT(refused.n == 1);
	const struct qrt_retry bad = {.jitter_percent = 101};
	EXPECT(qrt_retry(cx, &bad, attempt, &refused) == QRT_EINVAL);
	const struct qrt_retry worse = {.delay_ns = -1};
	EXPECT(qrt_retry(cx, &worse, attempt, &refused) == QRT_EINVAL);
	EXPECT(refused.n == 1);
	return QRT_OK;
}

static void retry_tries_again_what_may_be_tried_again(void **state)
{
	(void)state;
	on_each_backend(retry_scenario, NULL);
}

static enum qrt_err backoff_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	if (!is_virtual(cx)) {
		return QRT_OK;
	}
	static const int64_t pauses[] = {10, 30, 90, 100, 100};
	struct tries tries = {
	    .errs = {QRT_EBUSY, QRT_EBUSY, QRT_EBUSY, QRT_EBUSY, QRT_EBUSY, QRT_EBUSY}};
	struct qrt_retry policy = {.attempts = 6,
				   .delay_ns = 10 * QRT_SEC,
				   .delay_max_ns = 100 * QRT_SEC,
				   .factor = 3,
				   .jitter_percent = 50};
	struct tries jittered = tries, exact = tries, early = tries;
	/* Without the capability there is no jitter. */
	struct qrt_cx *sober = qrt_cx_narrow(cx, QRT_CAP_ALL & ~QRT_CAP_RANDOM);
	EXPECT(sober);
	EXPECT(qrt_retry(sober, &policy, attempt, &exact) == QRT_EBUSY && exact.n == 6);
	EXPECT(qrt_retry(cx, &policy, attempt, &jittered) == QRT_EBUSY && jittered.n == 6);
	int shorter = 0;
	for (int i = 0; i < 5; i++) {
		int64_t full = pauses[i] * QRT_SEC;
		int64_t pause = jittered.at_ns[i + 1] - jittered.at_ns[i];
		EXPECT(exact.at_ns[i + 1] - exact.at_ns[i] == full);
		EXPECT(pause <= full && pause >= full / 2);
		shorter += pause < full;
	}
	EXPECT(shorter >= 4);
	/* A pause that would outlast the deadline is not begun. */
	struct qrt_region *region;
	const struct qrt_region_options opts = {.budget.deadline_ns =
						    qrt_deadline_in(cx, 41 * QRT_SEC)};
	policy.jitter_percent = 0;
	int64_t before, after;
	EXPECT(!qrt_now(cx, &before));
	EXPECT(!qrt_region_open_with(cx, &opts, &region));
	EXPECT(qrt_retry(qrt_region_cx(region), &policy, attempt, &early) == QRT_EBUSY);
	EXPECT(!qrt_region_close(cx, &region, QRT_OK));
	EXPECT(!qrt_now(cx, &after));
	EXPECT(early.n == 3 && after - before == 40 * QRT_SEC);
	/* Pauses need TIME; no pauses do not. */
	struct qrt_cx *timeless = qrt_cx_narrow(cx, QRT_CAP_SPAWN);
	EXPECT(timeless);
	struct tries none = {.errs = {QRT_EBUSY}}, some = none;
	EXPECT(qrt_retry(timeless, &policy, attempt, &none) == QRT_ENOTCAPABLE && none.n == 0);
	policy.delay_ns = 0;
	EXPECT(!qrt_retry(timeless, &policy, attempt, &some) && some.n == 2);
	return QRT_OK;
}

static void the_pauses_grow_up_to_the_cap_less_some_jitter(void **state)
{
	(void)state;
	on_each_backend(backoff_scenario, NULL);
}

static enum qrt_err overflow_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	if (!is_virtual(cx)) {
		return QRT_OK;
	}
	/* The pauses would overflow: they saturate, and nothing waits that long. */
	struct tries tries = {.errs = {QRT_EBUSY, QRT_EBUSY, QRT_EBUSY}};
	const struct qrt_retry policy = {.attempts = 8, .delay_ns = 1, .factor = 4000000000u};
	EXPECT(qrt_retry(cx, &policy, attempt, &tries) == QRT_EBUSY);
	EXPECT(tries.n == 3);
	EXPECT(tries.at_ns[1] - tries.at_ns[0] == 1);
	EXPECT(tries.at_ns[2] - tries.at_ns[1] == 4000000000);
	return QRT_OK;
}

static void a_pause_never_overflows(void **state)
{
	(void)state;
	on_each_backend(overflow_scenario, NULL);
}

static enum qrt_err retry_main(struct qrt_cx *cx, void *arg)
{
	struct tries *tries = arg;
	const struct qrt_retry policy = {.attempts = 8, .delay_ns = 3600 * QRT_SEC};
	enum qrt_err err = qrt_retry(cx, &policy, attempt, tries);
	tries->asked = (int)err;
	return err;
}

static enum qrt_err retry_cancel_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct qrt_region *region;
	struct tries tries = {.errs = {QRT_EBUSY, QRT_EBUSY}};
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &region));
	EXPECT(!qrt_spawn(region, retry_main, &tries));
	for (int i = 0; i < 20; i++) {
		EXPECT(!qrt_yield(cx));
	}
	EXPECT(tries.n == 1); /* it pauses */
	qrt_region_cancel(region, QRT_CANCEL_USER, "enough");
	QRT_IGNORE(qrt_region_close(cx, &region, QRT_OK), "cancelled");
	EXPECT(tries.n == 1 && tries.asked == (int)QRT_ECANCELED);
	return QRT_OK;
}

static void a_cancel_ends_the_pause_and_the_tries(void **state)
{
	(void)state;
	on_each_backend(retry_cancel_scenario, NULL);
}

/* --- hedge ----------------------------------------------------------------------------------- */

static enum qrt_err hedge_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct qrt_notify *never;
	size_t winner = 99;
	int64_t before, after;
	EXPECT(!qrt_notify_open(cx, &never));
	size_t live = live_tasks(cx);

	struct act at_once[2] = {{.yields = 3}, {0}};
	struct qrt_branch first[2] = {{perform, &at_once[0], "a"}, {perform, &at_once[1], "b"}};
	EXPECT(!qrt_hedge(cx, 3600 * QRT_SEC, first, 2, &winner));
	EXPECT(winner == 0 && !at_once[1].began);

	struct act slow[3] = {{.until = never, .cleanup_yields = 3}, {.yields = 3}, {0}};
	struct qrt_branch second[3] = {
	    {perform, &slow[0], "a"}, {perform, &slow[1], "b"}, {perform, &slow[2], "c"}};
	EXPECT(!qrt_now(cx, &before));
	EXPECT(!qrt_hedge(cx, (is_virtual(cx) ? 1000 : 20) * QRT_MS, second, 3, &winner));
	EXPECT(!qrt_now(cx, &after));
	EXPECT(winner == 1 && slow[0].cancelled && slow[0].ended);
	EXPECT(after - before >= 20 * QRT_MS);
	EXPECT(!is_virtual(cx) || (after - before == QRT_SEC && !slow[2].began));

	/* A failure does not wait for its time to be up. */
	struct act failing[3] = {{.yields = 2, .err = QRT_EIO, .text = "one"},
				 {.yields = 1, .panics = true},
				 {.yields = 1}};
	struct qrt_branch third[3] = {
	    {perform, &failing[0], "a"}, {perform, &failing[1], "b"}, {perform, &failing[2], "c"}};
	EXPECT(!qrt_hedge(cx, 3600 * QRT_SEC, third, 3, &winner));
	EXPECT(winner == 2);

	winner = 99;
	failing[2].err = QRT_ENOENT;
	EXPECT(qrt_hedge(cx, 3600 * QRT_SEC, third, 3, &winner) == QRT_EIO);
	EXPECT(strcmp(qrt_detail(cx), "one") == 0 && winner == 99);

	EXPECT(qrt_hedge(cx, -1, third, 3, NULL) == QRT_EINVAL);
	EXPECT(qrt_hedge(cx, 1, third, 0, NULL) == QRT_EINVAL);
	EXPECT(live_tasks(cx) == live);
	return qrt_notify_close(&never);
}

static void a_hedge_starts_the_next_when_one_is_slow_or_fails(void **state)
{
	(void)state;
	on_each_backend(hedge_scenario, NULL);
}

struct hedged {
	struct act *acts;
	enum qrt_err err;
	bool drained;
};

static enum qrt_err hedge_inside(struct qrt_cx *cx, void *arg)
{
	struct hedged *hedged = arg;
	struct qrt_branch branches[2] = {{perform, &hedged->acts[0], "a"},
					 {perform, &hedged->acts[1], "b"}};
	hedged->err = qrt_hedge(cx, 3600 * QRT_SEC, branches, 2, NULL);
	hedged->drained = hedged->acts[0].ended;
	return hedged->err;
}

/* In the pause the caller itself waits: its cancel is heard on every engine. */
static enum qrt_err hedge_cancel_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct qrt_notify *never;
	struct qrt_region *region;
	EXPECT(!qrt_notify_open(cx, &never));
	struct act acts[2] = {{.until = never, .cleanup_yields = 3}, {0}};
	struct hedged hedged = {.acts = acts};
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &region));
	EXPECT(!qrt_spawn(region, hedge_inside, &hedged));
	for (int i = 0; i < 20; i++) {
		EXPECT(!qrt_yield(cx));
	}
	EXPECT(acts[0].began && !acts[1].began);
	qrt_region_cancel(region, QRT_CANCEL_USER, "enough");
	QRT_IGNORE(qrt_region_close(cx, &region, QRT_OK), "cancelled");
	EXPECT(hedged.err == QRT_ECANCELED && hedged.drained);
	EXPECT(!acts[1].began);
	return qrt_notify_close(&never);
}

static void a_cancelled_hedge_starts_nothing_more(void **state)
{
	(void)state;
	on_each_backend(hedge_cancel_scenario, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(join_waits_for_all),
	    cmocka_unit_test(join_ends_with_the_first_failure_and_drains_the_rest),
	    cmocka_unit_test(a_race_is_the_first_to_finish_whatever_its_result),
	    cmocka_unit_test(a_branch_that_panics_has_finished),
	    cmocka_unit_test(a_winner_that_leaks_is_told_so),
	    cmocka_unit_test(a_branch_that_comes_too_late_does_not_begin),
	    cmocka_unit_test(a_cancelled_caller_takes_its_branches_along),
	    cmocka_unit_test(first_ok_passes_failures_over),
	    cmocka_unit_test(a_timeout_ends_what_takes_too_long),
	    cmocka_unit_test(who_succeeds_all_the_same_is_not_late),
	    cmocka_unit_test(retry_tries_again_what_may_be_tried_again),
	    cmocka_unit_test(the_pauses_grow_up_to_the_cap_less_some_jitter),
	    cmocka_unit_test(a_pause_never_overflows),
	    cmocka_unit_test(a_cancel_ends_the_pause_and_the_tries),
	    cmocka_unit_test(a_hedge_starts_the_next_when_one_is_slow_or_fails),
	    cmocka_unit_test(a_cancelled_hedge_starts_nothing_more),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
