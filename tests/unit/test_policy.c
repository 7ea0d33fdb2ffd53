/*
 * What a region does when its tasks end: the four policies, QRT_CANCEL_REST, restarts, and the
 * aggregate that tells of it all.
 */
#include <qrt/lab.h>
#include <qrt/region.h>
#include <stdio.h>
#include <string.h>

#include "tests/lib/backends.h"
#include "tests/lib/test.h"

enum { HOUR_S = 3600 };

/* Whether who is ready first runs first: not where a seed chooses. */
static bool in_order(struct qrt_cx *cx)
{
	return !qrt_in_lab(cx);
}

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

/* One task of a race: waits so many turns or for ever, then ends as told. */
struct runner {
	int turns;
	bool for_ever;
	enum qrt_err end;
	bool panics;
	const char *detail;
	bool ended;
	enum qrt_err waited;
	struct qrt_cancel_info info;
};

static enum qrt_err run(struct qrt_cx *cx, void *arg)
{
	struct runner *runner = arg;
	enum qrt_err err = QRT_OK;
	for (int i = 0; i < runner->turns && !err; i++) {
		err = qrt_sleep(cx, QRT_MS);
	}
	if (runner->for_ever && !err) {
		err = qrt_sleep(cx, HOUR_S * QRT_SEC);
	}
	runner->waited = err;
	QRT_IGNORE(qrt_cancel_requested(cx, &runner->info), "looked at later");
	runner->ended = true;
	if (err) {
		return err;
	}
	if (runner->panics) {
		qrt_panic(cx, runner->detail);
	}
	return runner->end ? qrt_fail(cx, runner->end, "%s", runner->detail) : QRT_OK;
}

static enum qrt_err start(struct qrt_region *region, struct runner *runners, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		EXPECT(!qrt_spawn(region, run, &runners[i]));
	}
	return QRT_OK;
}

/* Waits until all of them stand in their long wait: that much the detached engine reaches too. */
static enum qrt_err let_park(struct qrt_cx *cx)
{
	for (int i = 0; i < 20; i++) {
		EXPECT(!qrt_yield(cx));
	}
	return QRT_OK;
}

/* --- fail fast and collect ----------------------------------------------------------------- */

static enum qrt_err fail_fast_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	for (int panics = 0; panics < 2; panics++) {
		struct runner runners[] = {
		    {.for_ever = true},
		    {.turns = 1, .end = QRT_EIO, .panics = panics, .detail = "no disk"},
		    {.for_ever = true}};
		struct qrt_region *region;
		struct qrt_aggregate all;
		EXPECT(!qrt_region_open(cx, QRT_FAIL_FAST, &region));
		EXPECT(!start(region, runners, 3));
		enum qrt_err want = panics ? QRT_EPANIC : QRT_EIO;
		EXPECT(qrt_region_close_report(cx, &region, QRT_OK, &all) == want);
		EXPECT(strcmp(qrt_detail(cx), panics ? "panic: no disk" : "no disk") == 0);
		for (int i = 0; i < 3; i += 2) {
			EXPECT(runners[i].waited == QRT_ECANCELED);
			EXPECT(!is_structured(cx) || runners[i].info.kind == QRT_CANCEL_FAIL_FAST);
		}
		/* Who was cancelled because of it has not failed. */
		EXPECT(all.n_failures == 1 && all.n_ok == 0);
		EXPECT(all.worst == (panics ? QRT_OUTCOME_PANICKED : QRT_OUTCOME_CANCELLED));
		EXPECT(audit_of(cx).cancels_by[QRT_CANCEL_FAIL_FAST] == (uint64_t)panics + 1);
		qrt_aggregate_fini(&all);
	}
	return QRT_OK;
}

static void under_fail_fast_one_failure_ends_all(void **state)
{
	(void)state;
	on_each_backend(fail_fast_scenario, NULL);
}

static enum qrt_err body_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	static const enum qrt_policy policies[] = {QRT_FAIL_FAST, QRT_COLLECT, QRT_FIRST_SUCCESS,
						   QRT_SUPERVISE};
	for (size_t i = 0; i < sizeof(policies) / sizeof(policies[0]); i++) {
		bool eager = policies[i] == QRT_FAIL_FAST || policies[i] == QRT_FIRST_SUCCESS;
		struct runner runner = {.turns = eager ? 0 : 3, .for_ever = eager};
		struct qrt_region *region;
		EXPECT(!qrt_region_open(cx, policies[i], &region));
		EXPECT(!start(region, &runner, 1));
		EXPECT(!let_park(cx));
		EXPECT(qrt_region_close(cx, &region, qrt_fail(cx, QRT_EINVAL, "the body")) ==
		       QRT_EINVAL);
		EXPECT(strcmp(qrt_detail(cx), "the body") == 0);
		EXPECT(runner.ended && runner.waited == (eager ? QRT_ECANCELED : QRT_OK));
	}
	return QRT_OK;
}

static void a_body_that_fails_ends_the_children_where_the_policy_is_eager(void **state)
{
	(void)state;
	on_each_backend(body_scenario, NULL);
}

static enum qrt_err blamed_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct runner runner = {.turns = 1, .end = QRT_EIO, .detail = "the child"};
	struct qrt_region *region;
	if (!is_structured(cx)) {
		return QRT_OK; /* there the body does not hear of it */
	}
	EXPECT(!qrt_region_open(cx, QRT_FAIL_FAST, &region));
	EXPECT(!start(region, &runner, 1));
	enum qrt_err err = qrt_sleep(cx, HOUR_S * QRT_SEC);
	EXPECT(err == QRT_ECANCELED);
	EXPECT(qrt_region_close(cx, &region, err) == QRT_EIO);
	EXPECT(strcmp(qrt_detail(cx), "the child") == 0);
	return QRT_OK;
}

static void a_body_that_was_cancelled_because_of_a_child_reports_the_child(void **state)
{
	(void)state;
	on_each_backend(blamed_scenario, NULL);
}

static enum qrt_err collect_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct runner runners[] = {{.turns = 5, .end = QRT_EIO, .detail = "ends last"},
				   {.turns = 1},
				   {.turns = 1, .panics = true, .detail = "ends first"},
				   {.turns = 3, .end = QRT_ENOENT, .detail = "in between"},
				   {.turns = 2}};
	struct qrt_region *region;
	struct qrt_aggregate all;
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &region));
	EXPECT(!start(region, runners, 5));
	/* The first to fail decides; the list is in order of spawning. */
	EXPECT(qrt_region_close_report(cx, &region, QRT_OK, &all) == QRT_EPANIC);
	EXPECT(strcmp(qrt_detail(cx), "panic: ends first") == 0);
	EXPECT(all.worst == QRT_OUTCOME_PANICKED && all.n_failures == 3 && all.n_kept == 3);
	EXPECT(all.n_ok == 2 && all.first_ok == 1 && all.n_restarts == 0 && all.n_forced == 0);
	static const struct {
		uint64_t index;
		enum qrt_outcome outcome;
		enum qrt_err err;
		const char *detail;
	} want[] = {{0, QRT_OUTCOME_ERR, QRT_EIO, "ends last"},
		    {2, QRT_OUTCOME_PANICKED, QRT_EPANIC, "panic: ends first"},
		    {3, QRT_OUTCOME_ERR, QRT_ENOENT, "in between"}};
	for (size_t i = 0; i < 3; i++) {
		const struct qrt_failure *kept = &all.kept[i];
		EXPECT(kept->index == want[i].index && kept->outcome == want[i].outcome);
		EXPECT(kept->err == want[i].err && strcmp(kept->detail, want[i].detail) == 0);
		EXPECT(strcmp(kept->name, "run") == 0 && !kept->forced);
		EXPECT(strstr(kept->site, "test_policy.c:"));
	}
	qrt_aggregate_fini(&all);
	EXPECT(!all.kept && all.n_failures == 0);
	return QRT_OK;
}

static void the_aggregate_has_every_failure_in_order_with_detail_and_site(void **state)
{
	(void)state;
	on_each_backend(collect_scenario, NULL);
}

static enum qrt_err many_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	enum { N = QRT_AGGREGATE_MAX + 6 };
	struct runner runners[N];
	char long_detail[300];
	memset(long_detail, 'x', sizeof(long_detail) - 1);
	long_detail[sizeof(long_detail) - 1] = '\0';
	for (size_t i = 0; i < N; i++) {
		runners[i] = (struct runner){.end = QRT_EIO, .detail = long_detail};
	}
	struct qrt_region *region;
	struct qrt_aggregate all;
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &region));
	EXPECT(!start(region, runners, N));
	EXPECT(qrt_region_close_report(cx, &region, QRT_OK, &all) == QRT_EIO);
	EXPECT(all.n_failures == N && all.n_kept == QRT_AGGREGATE_MAX);
	for (size_t i = 1; i < all.n_kept; i++) {
		EXPECT(all.kept[i].index > all.kept[i - 1].index);
	}
	EXPECT(strlen(all.kept[0].detail) == sizeof(all.kept[0].detail) - 1);
	qrt_aggregate_fini(&all);
	return QRT_OK;
}

static void failures_beyond_those_kept_are_counted(void **state)
{
	(void)state;
	on_each_backend(many_scenario, NULL);
}

static enum qrt_err cancelled_child_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct runner runner = {.end = QRT_ECANCELED, .detail = "gives up"};
	struct qrt_region *region;
	EXPECT(!qrt_region_open(cx, QRT_FAIL_FAST, &region));
	EXPECT(!start(region, &runner, 1));
	EXPECT(qrt_region_close(cx, &region, QRT_OK) == QRT_ECANCELED);
	EXPECT(audit_of(cx).cancels == 0); /* it is no failure that would cancel others */
	return QRT_OK;
}

static void a_task_that_was_cancelled_makes_a_cancelled_region(void **state)
{
	(void)state;
	on_each_backend(cancelled_child_scenario, NULL);
}

/* --- first success and cancel-rest --------------------------------------------------------- */

static enum qrt_err race_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct runner runners[] = {{.for_ever = true},
				   {.end = QRT_EIO, .detail = "lost"},
				   {.turns = 2},
				   {.for_ever = true}};
	struct qrt_region *region;
	struct qrt_aggregate all;
	EXPECT(!qrt_region_open(cx, QRT_FIRST_SUCCESS, &region));
	EXPECT(!start(region, runners, 4));
	EXPECT(!qrt_region_close_report(cx, &region, QRT_OK, &all));
	EXPECT(all.n_ok == 1 && all.first_ok == 2);
	EXPECT(all.n_failures == 1 && strcmp(all.kept[0].detail, "lost") == 0);
	for (int i = 0; i < 4; i += 3) {
		EXPECT(runners[i].ended && runners[i].waited == QRT_ECANCELED);
		EXPECT(!is_structured(cx) || runners[i].info.kind == QRT_CANCEL_RACE_LOST);
	}
	qrt_aggregate_fini(&all);

	struct runner losers[] = {{.turns = 2, .end = QRT_EIO, .detail = "second"},
				  {.turns = 1, .end = QRT_ENOENT, .detail = "first"}};
	EXPECT(!qrt_region_open(cx, QRT_FIRST_SUCCESS, &region));
	EXPECT(!start(region, losers, 2));
	EXPECT(qrt_region_close(cx, &region, QRT_OK) == QRT_ENOENT);
	EXPECT(strcmp(qrt_detail(cx), "first") == 0);
	return QRT_OK;
}

static void the_first_success_wins_and_the_losers_are_drained(void **state)
{
	(void)state;
	on_each_backend(race_scenario, NULL);
}

static enum qrt_err rest_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct runner waits = {.for_ever = true}, fails = {.end = QRT_EIO, .detail = "real"};
	struct qrt_region *region;
	const struct qrt_region_options opts = {.policy = QRT_COLLECT, .flags = QRT_CANCEL_REST};
	EXPECT(!qrt_region_open_with(cx, &opts, &region));
	EXPECT(!start(region, &waits, 1));
	EXPECT(!let_park(cx));
	EXPECT(!qrt_region_close(cx, &region, QRT_OK)); /* on purpose is no failure */
	EXPECT(waits.waited == QRT_ECANCELED);
	EXPECT(audit_of(cx).cancels_by[QRT_CANCEL_USER] == 1);

	EXPECT(!qrt_region_open_with(cx, &opts, &region));
	EXPECT(!qrt_region_close(cx, &region, QRT_OK));
	EXPECT(audit_of(cx).cancels == 1); /* nobody to ask */

	EXPECT(!qrt_region_open_with(cx, &opts, &region));
	EXPECT(!start(region, &fails, 1));
	EXPECT(!start(region, &waits, 1));
	EXPECT(!let_park(cx));
	EXPECT(qrt_region_close(cx, &region, QRT_OK) == QRT_EIO); /* but a failure is one */
	return QRT_OK;
}

static void cancel_rest_ends_the_children_with_the_body(void **state)
{
	(void)state;
	on_each_backend(rest_scenario, NULL);
}

/* --- supervision --------------------------------------------------------------------------- */

enum { STARTS_MAX = 16 };

struct service {
	int fails; /* so many times, then it is well */
	bool panics, for_ever;
	int64_t runs_ns; /* before it fails */
	int starts;
	int64_t start_ns[STARTS_MAX];
	enum qrt_err waited;
};

static enum qrt_err serve(struct qrt_cx *cx, void *arg)
{
	struct service *service = arg;
	EXPECT(service->starts < STARTS_MAX);
	service->start_ns[service->starts++] = now_of(cx);
	enum qrt_err err = service->runs_ns ? qrt_sleep(cx, service->runs_ns) : QRT_OK;
	if (!err && service->starts > service->fails) {
		err = service->for_ever ? qrt_sleep(cx, HOUR_S * QRT_SEC) : QRT_OK;
		service->waited = err;
		return err;
	}
	if (err) {
		service->waited = err;
		return err;
	}
	if (service->panics) {
		qrt_panic(cx, "again");
	}
	return qrt_fail(cx, QRT_EIO, "failure %d", service->starts);
}

static enum qrt_err backoff_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	static const int64_t pauses_ms[] = {2, 4, 5, 5}; /* doubling up to the longest */
	for (int panics = 0; panics < 2; panics++) {
		struct service service = {.fails = 4, .panics = panics};
		struct runner sibling = {.turns = 3};
		struct qrt_region *region;
		struct qrt_aggregate all;
		const struct qrt_region_options opts = {
		    .policy = QRT_SUPERVISE,
		    .supervision = {.backoff_min_ns = 2 * QRT_MS, .backoff_max_ns = 5 * QRT_MS}};
		EXPECT(!qrt_region_open_with(cx, &opts, &region));
		EXPECT(!start(region, &sibling, 1));
		EXPECT(!qrt_spawn(region, serve, &service));
		EXPECT(!qrt_region_close_report(cx, &region, QRT_OK, &all));
		EXPECT(service.starts == 5 && sibling.ended && !sibling.waited);
		for (int i = 0; i < 4; i++) {
			int64_t pause = service.start_ns[i + 1] - service.start_ns[i];
			EXPECT(pause >= pauses_ms[i] * QRT_MS);
			EXPECT(!qrt_in_lab(cx) || pause == pauses_ms[i] * QRT_MS);
		}
		EXPECT(all.n_restarts == 4 && all.n_ok == 2 && all.n_failures == 0);
		EXPECT(all.worst == QRT_OUTCOME_OK);
		EXPECT(audit_of(cx).restarts == 4 * ((uint64_t)panics + 1));
	}
	return QRT_OK;
}

static void a_supervised_task_starts_again_after_a_growing_pause(void **state)
{
	(void)state;
	on_each_backend(backoff_scenario, NULL);
}

static enum qrt_err intensity_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct service service = {.fails = 100};
	struct runner sibling = {.for_ever = true};
	struct qrt_region *region;
	struct qrt_aggregate all;
	const struct qrt_region_options opts = {
	    .policy = QRT_SUPERVISE,
	    .supervision = {.backoff_min_ns = QRT_MS, .restarts_max = 2, .period_ns = QRT_SEC}};
	EXPECT(!qrt_region_open_with(cx, &opts, &region));
	EXPECT(!start(region, &sibling, 1));
	EXPECT(!qrt_spawn(region, serve, &service));
	EXPECT(qrt_region_close_report(cx, &region, QRT_OK, &all) == QRT_EIO);
	EXPECT(strcmp(qrt_detail(cx), "failure 3") == 0);
	EXPECT(service.starts == 3 && all.n_restarts == 2);
	EXPECT(all.n_failures == 1 && all.kept[0].index == 1); /* the same one all the time */
	EXPECT(sibling.waited == QRT_ECANCELED);
	qrt_aggregate_fini(&all);
	return QRT_OK;
}

static void one_that_fails_too_often_ends_the_region(void **state)
{
	(void)state;
	on_each_backend(intensity_scenario, NULL);
}

static enum qrt_err period_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct service service = {.fails = 4, .runs_ns = 6 * QRT_MS};
	struct qrt_region *region;
	struct qrt_aggregate all;
	const struct qrt_region_options opts = {.policy = QRT_SUPERVISE,
						.supervision = {.backoff_min_ns = QRT_MS,
								.backoff_max_ns = QRT_SEC,
								.restarts_max = 1,
								.period_ns = 5 * QRT_MS}};
	EXPECT(!qrt_region_open_with(cx, &opts, &region));
	EXPECT(!qrt_spawn(region, serve, &service));
	EXPECT(!qrt_region_close_report(cx, &region, QRT_OK, &all));
	EXPECT(service.starts == 5 && all.n_restarts == 4);
	for (int i = 0; i < 4 && qrt_in_lab(cx); i++) {
		/* It ran well for longer than the period: the pause is the shortest again. */
		EXPECT(service.start_ns[i + 1] - service.start_ns[i] == 7 * QRT_MS);
	}
	return QRT_OK;
}

static void only_failures_close_to_each_other_count(void **state)
{
	(void)state;
	on_each_backend(period_scenario, NULL);
}

static enum qrt_err cancel_backoff(struct qrt_cx *cx, bool parked)
{
	struct service service = {.fails = 100}, well = {.for_ever = true};
	struct qrt_region *region;
	struct qrt_aggregate all;
	const struct qrt_region_options opts = {
	    .policy = QRT_SUPERVISE,
	    .supervision = {.backoff_min_ns = HOUR_S * QRT_SEC,
			    .backoff_max_ns = HOUR_S * QRT_SEC}};
	EXPECT(!qrt_region_open_with(cx, &opts, &region));
	EXPECT(!qrt_spawn(region, serve, &service));
	EXPECT(!qrt_spawn(region, serve, &well));
	EXPECT(!(parked ? let_park(cx) : qrt_yield(cx)));
	EXPECT(!parked || service.starts == 1);
	EXPECT(qrt_region_live(region) == 2);
	int64_t asked = now_of(cx);
	qrt_region_cancel(region, QRT_CANCEL_USER, "test");
	EXPECT(qrt_region_close_report(cx, &region, QRT_OK, &all) == QRT_ECANCELED);
	EXPECT(now_of(cx) - asked < 5 * QRT_SEC);	 /* not only when patience ends */
	EXPECT(service.starts == 1 && well.starts == 1); /* neither again */
	EXPECT(well.waited == QRT_ECANCELED && all.n_failures == 0);
	EXPECT(all.worst == QRT_OUTCOME_CANCELLED);
	return QRT_OK;
}

static enum qrt_err cancel_backoff_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	EXPECT(!cancel_backoff(cx, true));
	/* Started again, and asked to end before it came to wait. */
	return in_order(cx) && is_structured(cx) ? cancel_backoff(cx, false) : QRT_OK;
}

/* Fails in its clean-up: there is no point in starting that again. */
static enum qrt_err fails_when_cancelled(struct qrt_cx *cx, void *arg)
{
	++*(int *)arg;
	enum qrt_err err = qrt_sleep(cx, HOUR_S * QRT_SEC);
	return err ? qrt_fail(cx, QRT_EIO, "clean-up") : QRT_OK;
}

static enum qrt_err no_restart_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	int starts = 0;
	struct qrt_region *region;
	struct qrt_aggregate all;
	EXPECT(!qrt_region_open(cx, QRT_SUPERVISE, &region));
	EXPECT(!qrt_spawn(region, fails_when_cancelled, &starts));
	EXPECT(!let_park(cx));
	qrt_region_cancel(region, QRT_CANCEL_USER, "test");
	EXPECT(qrt_region_close_report(cx, &region, QRT_OK, &all) == QRT_EIO);
	EXPECT(starts == 1 && all.n_restarts == 0 && all.n_failures == 1);
	EXPECT(audit_of(cx).restarts == 0);
	qrt_aggregate_fini(&all);
	return QRT_OK;
}

static void nothing_is_started_again_in_a_cancelled_region(void **state)
{
	(void)state;
	on_each_backend(no_restart_scenario, NULL);
}

static void a_cancel_ends_the_pause_before_a_restart(void **state)
{
	(void)state;
	on_each_backend(cancel_backoff_scenario, NULL);
}

static enum qrt_err bad_supervision_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	static const struct qrt_supervision bad[] = {
	    {.backoff_min_ns = -1},
	    {.backoff_min_ns = 2 * QRT_SEC},
	    {.backoff_min_ns = 2, .backoff_max_ns = 1},
	    {.period_ns = -1},
	    {.restarts_max = 1000000},
	};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct qrt_region *region = NULL;
		const struct qrt_region_options opts = {.policy = QRT_SUPERVISE,
							.supervision = bad[i]};
		EXPECT(qrt_region_open_with(cx, &opts, &region) == QRT_EINVAL);
		EXPECT(!region && audit_of(cx).regions_live == 1);
	}
	return QRT_OK;
}

static void bad_supervision_is_refused(void **state)
{
	(void)state;
	on_each_backend(bad_supervision_scenario, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(under_fail_fast_one_failure_ends_all),
	    cmocka_unit_test(a_body_that_fails_ends_the_children_where_the_policy_is_eager),
	    cmocka_unit_test(a_body_that_was_cancelled_because_of_a_child_reports_the_child),
	    cmocka_unit_test(the_aggregate_has_every_failure_in_order_with_detail_and_site),
	    cmocka_unit_test(failures_beyond_those_kept_are_counted),
	    cmocka_unit_test(a_task_that_was_cancelled_makes_a_cancelled_region),
	    cmocka_unit_test(the_first_success_wins_and_the_losers_are_drained),
	    cmocka_unit_test(cancel_rest_ends_the_children_with_the_body),
	    cmocka_unit_test(a_supervised_task_starts_again_after_a_growing_pause),
	    cmocka_unit_test(one_that_fails_too_often_ends_the_region),
	    cmocka_unit_test(only_failures_close_to_each_other_count),
	    cmocka_unit_test(a_cancel_ends_the_pause_before_a_restart),
	    cmocka_unit_test(nothing_is_started_again_in_a_cancelled_region),
	    cmocka_unit_test(bad_supervision_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
