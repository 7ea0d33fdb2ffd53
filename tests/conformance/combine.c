/* Several tasks as one call: join, race, first ok, timeout, retry, hedge. */
#include <qrt/combine.h>
#include <qrt/lab.h>
#include <stdio.h>

#include "tests/conformance/conformance.h"

struct field {
	int started, sleeping, finished, cancelled, attempts;
	struct qrt_aggregate all;
};

static void field_clean(struct qrt_cx *cx, void *arg)
{
	struct field *field = arg;
	(void)cx;
	qrt_aggregate_fini(&field->all);
}

static enum qrt_err quick(struct qrt_cx *cx, void *arg)
{
	struct field *field = arg;
	field->started++;
	TRY(qrt_yield(cx));
	field->finished++;
	return QRT_OK;
}

static enum qrt_err sleeper(struct qrt_cx *cx, void *arg)
{
	struct field *field = arg;
	field->sleeping++;
	enum qrt_err err = qrt_sleep(cx, 3600 * QRT_SEC);
	field->cancelled += err == QRT_ECANCELED;
	return err;
}

/* Where the others may all fail to begin: it ends by itself. */
static enum qrt_err napper(struct qrt_cx *cx, void *arg)
{
	struct field *field = arg;
	field->sleeping++;
	enum qrt_err err = qrt_sleep(cx, 20 * QRT_MS);
	field->cancelled += err == QRT_ECANCELED;
	field->finished += !err;
	return err;
}

static enum qrt_err failing(struct qrt_cx *cx, void *arg)
{
	struct field *field = arg;
	field->started++;
	TRY(qrt_yield(cx));
	return qrt_fail(cx, QRT_EIO, "mirror %d is down", 3);
}

static enum qrt_err panicking(struct qrt_cx *cx, void *arg)
{
	struct field *field = arg;
	field->started++;
	TRY(qrt_yield(cx));
	qrt_panic(cx, "on purpose");
}

static enum qrt_err join_calls(struct qrt_cx *cx, void *arg)
{
	struct field *field = arg;
	const struct qrt_branch well[] = {{quick, field, "a"}, {quick, field, "b"}};
	const struct qrt_branch ill[] = {
	    {sleeper, field, "a"}, {sleeper, field, "b"}, {failing, field, "c"}};
	TRY(qrt_join(cx, well, 2, NULL));
	EXPECT(field->finished == 2);
	EXPECT_ERR(QRT_EIO, qrt_join(cx, ill, 3, &field->all));
	TRY(conformance_detail(cx, "mirror 3 is down"));
	EXPECT(field->started == 3 && field->cancelled == field->sleeping);
	EXPECT(field->all.n_failures == 1 && field->all.n_kept <= 1);
	return qrt_join(cx, NULL, 0, NULL);
}

static enum qrt_err race_calls(struct qrt_cx *cx, void *arg)
{
	struct field *field = arg;
	const struct qrt_branch branches[] = {{sleeper, field, "a"}, {quick, field, "b"}};
	const struct qrt_branch ill[] = {{sleeper, field, "a"}, {panicking, field, "b"}};
	size_t winner = 99;
	TRY(qrt_race(cx, branches, 2, &winner, NULL));
	EXPECT(winner == 1 && field->finished == 1);
	winner = 99;
	EXPECT_ERR(QRT_EPANIC, qrt_race(cx, ill, 2, &winner, &field->all));
	EXPECT(winner == 1 && field->cancelled == field->sleeping);
	EXPECT(field->all.worst == QRT_OUTCOME_PANICKED);
	EXPECT_ERR(QRT_EINVAL, qrt_race(cx, NULL, 0, &winner, NULL));
	return QRT_OK;
}

/* More than one slab of stacks: in the middle of starting there may be no memory for the rest. */
static enum qrt_err crowd_calls(struct qrt_cx *cx, void *arg)
{
	enum { CROWD = 70 };
	struct field *field = arg;
	struct qrt_branch branches[CROWD];
	size_t winner = 99;
	for (size_t i = 0; i < CROWD; i++) {
		branches[i] = (struct qrt_branch){i + 1 < CROWD ? sleeper : quick, field, NULL};
	}
	enum qrt_err err = qrt_race(cx, branches, CROWD, &winner, NULL);
	EXPECT(field->cancelled == field->sleeping);
	TRY(err);
	EXPECT(winner == CROWD - 1 && field->finished == 1);
	return QRT_OK;
}

/* A branch that could not begin has lost, as any that failed. */
static bool lacked_memory(const struct qrt_aggregate *all)
{
	bool lacked = all->n_kept < all->n_failures;
	for (size_t i = 0; i < all->n_kept; i++) {
		lacked |= all->kept[i].err == QRT_ENOMEM;
	}
	return lacked;
}

static enum qrt_err first_ok_calls(struct qrt_cx *cx, void *arg)
{
	struct field *field = arg;
	const struct qrt_branch branches[] = {
	    {failing, field, "a"}, {napper, field, "b"}, {quick, field, "c"}};
	const struct qrt_branch ill[] = {{failing, field, "a"}, {failing, field, "b"}};
	size_t winner = 99;
	TRY(qrt_first_ok(cx, branches, 3, &winner, &field->all));
	EXPECT((winner == 1 || winner == 2) && field->finished == 1);
	/* Where time is real the nap may be over first, on a machine that is busy elsewhere. */
	EXPECT(winner == 2 || !qrt_in_lab(cx) || lacked_memory(&field->all));
	qrt_aggregate_fini(&field->all);
	winner = 99;
	EXPECT_ERR(QRT_EIO, qrt_first_ok(cx, ill, 2, &winner, NULL));
	EXPECT(winner == 99);
	return QRT_OK;
}

static enum qrt_err timeout_calls(struct qrt_cx *cx, void *arg)
{
	struct field *field = arg;
	TRY(qrt_timeout(cx, QRT_SEC, quick, field));
	EXPECT(field->finished == 1);
	EXPECT_ERR(QRT_ETIMEDOUT, qrt_timeout(cx, QRT_MS / 2, sleeper, field));
	EXPECT_ERR(QRT_EIO, qrt_timeout(cx, QRT_SEC, failing, field));
	EXPECT_ERR(QRT_ETIMEDOUT, qrt_timeout(cx, 0, quick, field));
	EXPECT(field->finished == 1);
	return QRT_OK;
}

/* Each attempt leaves memory and a finalizer to its region. */
static void attempt_over(struct qrt_cx *cx, void *arg)
{
	struct field *field = arg;
	(void)cx;
	field->finished++;
}

static enum qrt_err third_time(struct qrt_cx *cx, void *arg)
{
	struct field *field = arg;
	EXPECT(field->finished == field->attempts); /* the last one has ended */
	TRY(qrt_defer(cx, attempt_over, field));
	field->attempts++;
	if (!qrt_alloc(cx, 100)) {
		return QRT_ENOMEM;
	}
	return field->attempts < 3 ? qrt_fail(cx, QRT_EBUSY, "in use") : QRT_OK;
}

static enum qrt_err retry_calls(struct qrt_cx *cx, void *arg)
{
	struct field *field = arg;
	const struct qrt_retry patient = {
	    .attempts = 5, .delay_ns = QRT_MS / 10, .jitter_percent = 50};
	const struct qrt_retry hasty = {.attempts = 2};
	TRY(qrt_retry(cx, &patient, third_time, field));
	EXPECT(field->attempts == 3 && field->finished == 3);
	field->attempts = field->finished = 0;
	EXPECT_ERR(QRT_EBUSY, qrt_retry(cx, &hasty, third_time, field));
	EXPECT(field->attempts == 2);
	EXPECT_ERR(QRT_EIO, qrt_retry(cx, &patient, failing, field));
	return QRT_OK;
}

static enum qrt_err hedge_calls(struct qrt_cx *cx, void *arg)
{
	struct field *field = arg;
	const struct qrt_branch slow[] = {
	    {napper, field, "a"}, {quick, field, "b"}, {quick, field, "c"}};
	const struct qrt_branch ill[] = {{failing, field, "a"}, {failing, field, "b"}};
	size_t winner = 99;
	TRY(qrt_hedge(cx, QRT_MS / 2, slow, 3, &winner));
	EXPECT(field->finished >= 1 && winner <= 2); /* the nap wins where nobody else began */
	winner = 99;
	EXPECT_ERR(QRT_EIO, qrt_hedge(cx, QRT_SEC, ill, 2, &winner));
	EXPECT(winner == 99);
	EXPECT_ERR(QRT_EINVAL, qrt_hedge(cx, -1, ill, 2, &winner));
	return QRT_OK;
}

/* Whatever comes of the calls: they leave no region, task or duty behind. */
static enum qrt_err audited(struct qrt_cx *cx, void *arg, qrt_task_fn *calls)
{
	struct qrt_audit before, after;
	qrt_runtime_audit(qrt_cx_runtime(cx), &before);
	enum qrt_err err = calls(cx, arg);
	qrt_runtime_audit(qrt_cx_runtime(cx), &after);
	EXPECT(after.regions_live == before.regions_live);
	EXPECT(after.tasks_live == before.tasks_live);
	EXPECT(after.duties_live == before.duties_live);
	return err;
}

#define AUDITED(name)                                                                              \
	static enum qrt_err name##_scenario(struct qrt_cx *cx, void *arg)                          \
	{                                                                                          \
		return audited(cx, arg, name##_calls);                                             \
	}
AUDITED(join)
AUDITED(race)
AUDITED(crowd)
AUDITED(first_ok)
AUDITED(timeout)
AUDITED(retry)
AUDITED(hedge)

#define FIELD .state_size = sizeof(struct field), .clean = field_clean

static const struct conformance_scenario scenarios[] = {
    {"a join ends with the last or with the first failure", join_scenario, FIELD},
    {"a race is decided by whoever ends first", race_scenario, FIELD},
    {"of a crowd that cannot all begin nobody stays", crowd_scenario, FIELD},
    {"failures do not win where a success is wanted", first_ok_scenario, FIELD},
    {"a timeout ends what takes too long", timeout_scenario, FIELD},
    {"a retry tries again until it succeeds or gives up", retry_scenario, FIELD},
    {"a hedge starts the next when one is slow or fails", hedge_scenario, FIELD},
};
CONFORMANCE_SUITE(combine, scenarios);
