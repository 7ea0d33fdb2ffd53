/*
 * What a region does beyond waiting: first success, supervision, limits, masks, commit sections,
 * budgets, and duties that are given on or never settled.
 */
#include <qrt/ledger.h>
#include <stdio.h>

#include "tests/conformance/conformance.h"

struct office {
	struct qrt_duty duty[2];
	struct conformance_filler filler;
	struct qrt_aggregate all;
	struct qrt_cx *heir; /* of a child that waits */
	int started, finished, cancelled, released, step;
	enum qrt_err err;
};

static void office_clean(struct qrt_cx *cx, void *arg)
{
	struct office *office = arg;
	(void)cx;
	for (size_t i = 0; i < 2; i++) {
		QRT_IGNORE(qrt_settle(&office->duty[i]), "its region may have done so");
	}
	qrt_aggregate_fini(&office->all);
	conformance_empty(&office->filler);
}

static enum qrt_err sleeper(struct qrt_cx *cx, void *arg)
{
	struct office *office = arg;
	office->heir = cx;
	office->started++;
	enum qrt_err err = qrt_sleep(cx, 3600 * QRT_SEC);
	office->cancelled += err == QRT_ECANCELED;
	return err;
}

static enum qrt_err quick(struct qrt_cx *cx, void *arg)
{
	struct office *office = arg;
	TRY(qrt_yield(cx));
	office->finished++;
	return QRT_OK;
}

static enum qrt_err failing(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	return qrt_fail(cx, QRT_EIO, "line %d is dead", 5);
}

static enum qrt_err until_started(struct qrt_cx *cx, const struct office *office, int n)
{
	while (office->started < n) {
		TRY(qrt_yield(cx));
	}
	return QRT_OK;
}

/* --- policies -------------------------------------------------------------------------------- */

static enum qrt_err first_success_scenario(struct qrt_cx *cx, void *arg)
{
	struct office *office = arg;
	struct qrt_region *region;
	TRY(qrt_region_open(cx, QRT_FIRST_SUCCESS, &region));
	TRY(qrt_spawn(region, sleeper, office));
	TRY(until_started(cx, office, 1));
	TRY(qrt_spawn(region, failing, office));
	TRY(qrt_spawn(region, quick, office));
	TRY(qrt_region_close_report(cx, &region, QRT_OK, &office->all));
	EXPECT(office->all.n_ok == 1 && office->all.first_ok == 2 && office->cancelled == 1);
	EXPECT(office->all.n_failures == 1);
	TRY(qrt_region_open(cx, QRT_FIRST_SUCCESS, &region));
	TRY(qrt_spawn(region, failing, office));
	EXPECT_ERR(QRT_EIO, qrt_region_close(cx, &region, QRT_OK));
	return conformance_detail(cx, "line 5 is dead");
}

/* Fails until it has been started three times. */
static enum qrt_err service(struct qrt_cx *cx, void *arg)
{
	struct office *office = arg;
	office->started++;
	char *memory = qrt_alloc(cx, 64);
	if (!memory) {
		office->err = QRT_ENOMEM;
		return QRT_ENOMEM;
	}
	return office->started < 3 ? qrt_fail(cx, QRT_EIO, "start %d", office->started) : QRT_OK;
}

static enum qrt_err supervise_scenario(struct qrt_cx *cx, void *arg)
{
	struct office *office = arg;
	struct qrt_region *region;
	struct qrt_region_options opts = {.policy = QRT_SUPERVISE,
					  .supervision = {.backoff_min_ns = QRT_MS / 10,
							  .backoff_max_ns = QRT_MS / 5,
							  .restarts_max = 5,
							  .period_ns = 3600 * QRT_SEC}};
	TRY(qrt_region_open_with(cx, &opts, &region));
	TRY(qrt_spawn(region, service, office));
	TRY(qrt_region_close_report(cx, &region, QRT_OK, &office->all));
	/* A start that had no memory is one more. */
	EXPECT(office->all.n_restarts >= 2 && office->all.n_ok == 1);
	opts.supervision.restarts_max = 1;
	TRY(qrt_region_open_with(cx, &opts, &region));
	TRY(qrt_spawn(region, sleeper, office));
	TRY(qrt_spawn(region, failing, office));
	EXPECT_ERR(QRT_EIO, qrt_region_close(cx, &region, QRT_OK));
	EXPECT(office->cancelled == 1);
	opts.supervision.restarts_max = 1000000;
	EXPECT_ERR(QRT_EINVAL, qrt_region_open_with(cx, &opts, &region));
	return QRT_OK;
}

static enum qrt_err limits_scenario(struct qrt_cx *cx, void *arg)
{
	struct office *office = arg;
	struct qrt_region *region;
	const struct qrt_region_options opts = {
	    .limits = {.tasks_max = 2, .bytes_max = 1000, .duties_max = 1}};
	const struct qrt_spawn_options large = {.name = "large", .stack_bytes = 1u << 20};
	TRY(qrt_region_open_with(cx, &opts, &region));
	struct qrt_cx *inner = qrt_region_cx(region);
	TRY(qrt_spawn(region, quick, office));
	TRY(qrt_spawn_with(region, &large, quick, office));
	EXPECT_ERR(QRT_ELIMIT, qrt_spawn(region, quick, office));
	if (!qrt_alloc(inner, 900)) {
		return qrt_region_close(cx, &region, QRT_ENOMEM);
	}
	EXPECT(!qrt_alloc(inner, 101));
	if (!qrt_alloc(inner, 100)) { /* what was refused has cost nothing */
		return qrt_region_close(cx, &region, QRT_ENOMEM);
	}
	TRY(qrt_oblige(inner, QRT_DUTY_OTHER, "paper", NULL, NULL, &office->duty[0]));
	EXPECT_ERR(QRT_ELIMIT,
		   qrt_oblige(inner, QRT_DUTY_OTHER, "paper", NULL, NULL, &office->duty[1]));
	TRY(qrt_settle(&office->duty[0]));
	TRY(qrt_region_close(cx, &region, QRT_OK));
	EXPECT(office->finished == 2);
	return QRT_OK;
}

/* --- masks and budgets ----------------------------------------------------------------------- */

static enum qrt_err work_masked(struct qrt_cx *cx, struct office *office)
{
	struct qrt_mask mask, commit;
	struct qrt_region *region;
	TRY(qrt_mask_begin(cx, 0, &mask));
	office->started++;
	while (office->step == 0) {
		TRY(qrt_yield(cx)); /* no cancel reaches us here */
	}
	enum qrt_err err = qrt_region_open(cx, QRT_FAIL_FAST, &region);
	if (!err) {
		err = qrt_spawn(region, quick, office);
		err = qrt_region_close(cx, &region, err);
	}
	qrt_mask_end(cx, &mask);
	TRY(err);
	if (qrt_checkpoint(cx)) {
		office->cancelled++;
		EXPECT(qrt_commit_begin(cx, &commit) == QRT_ECANCELED);
		return QRT_ECANCELED;
	}
	TRY(qrt_commit_begin(cx, &commit)); /* the cancel was not remembered */
	qrt_commit_end(cx, &commit);
	return QRT_OK;
}

static enum qrt_err masked(struct qrt_cx *cx, void *arg)
{
	struct office *office = arg;
	enum qrt_err err = work_masked(cx, office);
	if (err != QRT_ECANCELED) {
		office->err = err;
	}
	return err;
}

static enum qrt_err mask_scenario(struct qrt_cx *cx, void *arg)
{
	struct office *office = arg;
	struct qrt_region *region;
	TRY(qrt_region_open(cx, QRT_COLLECT, &region));
	TRY(qrt_spawn(region, masked, office));
	TRY(until_started(cx, office, 1));
	qrt_region_cancel(region, QRT_CANCEL_USER, "test");
	office->step = 1;
	enum qrt_err err = qrt_region_close(cx, &region, QRT_OK);
	TRY(office->err);
	EXPECT(office->finished == 1); /* within the mask */
	EXPECT(is_structured(cx) ? err == QRT_ECANCELED && office->cancelled == 1 : !err);
	return QRT_OK;
}

static enum qrt_err spender(struct qrt_cx *cx, void *arg)
{
	struct office *office = arg;
	TRY(qrt_charge(cx, 4));
	TRY(qrt_charge(cx, 4));
	office->finished++;
	enum qrt_err err = qrt_charge(cx, 4);
	office->cancelled += err == QRT_ECANCELED;
	return err;
}

static enum qrt_err budget_scenario(struct qrt_cx *cx, void *arg)
{
	struct office *office = arg;
	struct qrt_region *region;
	const struct qrt_region_options opts = {.policy = QRT_COLLECT, .budget = {.cost = 100}};
	const struct qrt_spawn_options poor = {.budget = {.cost = 10}};
	TRY(qrt_region_open_with(cx, &opts, &region));
	TRY(qrt_spawn_with(region, &poor, spender, office));
	EXPECT_ERR(QRT_ECANCELED, qrt_region_close(cx, &region, QRT_OK));
	EXPECT(office->finished == 1 && office->cancelled == 1);
	return QRT_OK;
}

/* --- duties ---------------------------------------------------------------------------------- */

static void released(void *arg)
{
	struct office *office = arg;
	office->released++;
}

static enum qrt_err give_scenario(struct qrt_cx *cx, void *arg)
{
	struct office *office = arg;
	struct qrt_region *region;
	struct qrt_duty copy;
	TRY(conformance_fill(cx, &office->filler));
	TRY(qrt_oblige(cx, QRT_DUTY_LEASE, "key", released, office, &office->duty[0]));
	copy = office->duty[0];
	TRY(qrt_region_open(cx, QRT_COLLECT, &region));
	TRY(qrt_spawn(region, sleeper, office));
	TRY(until_started(cx, office, 1));
	TRY(qrt_duty_give(&office->duty[0], office->heir)); /* who ends with it in its hands */
	qrt_region_cancel(region, QRT_CANCEL_USER, "test");
	EXPECT_ERR(QRT_ECANCELED, qrt_region_close(cx, &region, QRT_OK));
	if (is_structured(cx)) {
		EXPECT(office->released == 1);
		EXPECT_ERR(QRT_ESTALE, qrt_settle(&copy));
	} else {
		EXPECT(office->released == 0); /* it is counted, and the root answers for it */
		TRY(qrt_settle(&copy));
	}
	return QRT_OK;
}

static enum qrt_err leaver(struct qrt_cx *cx, void *arg)
{
	struct office *office = arg;
	struct qrt_duty duty;
	return qrt_oblige(cx, QRT_DUTY_ACK, "answer", released, office, &duty);
}

static enum qrt_err leak_scenario(struct qrt_cx *cx, void *arg)
{
	struct office *office = arg;
	struct qrt_region *region;
	TRY(conformance_fill(cx, &office->filler));
	TRY(qrt_region_open(cx, QRT_FAIL_FAST, &region));
	TRY(qrt_spawn(region, leaver, office));
	TRY(qrt_spawn(region, leaver, office));
	EXPECT_ERR(QRT_ELEAK, qrt_region_close(cx, &region, QRT_OK));
	EXPECT(office->released == 2);
	return QRT_OK;
}

#define OFFICE .state_size = sizeof(struct office), .clean = office_clean

static const struct conformance_scenario scenarios[] = {
    {"the first success is enough", first_success_scenario, OFFICE},
    {"a supervised task starts again, but not for ever", supervise_scenario, OFFICE},
    {"a region keeps to its limits", limits_scenario, OFFICE},
    {"a mask holds a cancel off", mask_scenario, OFFICE},
    {"who has spent its budget is cancelled", budget_scenario, OFFICE,
     .needs = CONFORMANCE_STRUCTURED},
    {"a duty that is given is the other's", give_scenario, OFFICE},
    {"a region releases what nobody has settled", leak_scenario, OFFICE,
     .needs = CONFORMANCE_STRUCTURED},
};
CONFORMANCE_SUITE(policies, scenarios);
