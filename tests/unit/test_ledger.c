/*
 * The obligation ledger: who does not settle a duty leaks it, by name and site, and it is released
 * all the same. On a backend that only counts it is released when the runtime ends.
 */
#include <qrt/ledger.h>
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

/* What was released, in order. Outlives the runtime: some are released as late as its end. */
static char released[32];

static void put(char c)
{
	size_t n = strlen(released);
	if (n + 1 < sizeof(released)) {
		released[n] = c;
		released[n + 1] = '\0';
	}
}

static void release(void *arg)
{
	put(*(const char *)arg);
}

/* Each scenario begins with nothing released; afterwards the whole of it must have been. */
static void on_each(qrt_task_fn *scenario, const char *structured, const char *in_the_end)
{
	size_t n;
	const char *const *names = qrt_backend_names(&n);
	for (size_t i = 0; i < n; i++) {
		bool is = strcmp(names[i], "region") == 0 || strcmp(names[i], "lab") == 0;
		memset(released, 0, sizeof(released));
		assert_int_equal(on_backend(names[i], scenario, NULL), QRT_OK);
		assert_string_equal(released, is ? structured : in_the_end);
	}
}

/* Released so far: at once where duties are released, later where they are counted. */
static bool released_now(struct qrt_cx *cx, const char *what)
{
	return strcmp(released, is_structured(cx) ? what : "") == 0;
}

/* --- settling ------------------------------------------------------------------------------ */

static enum qrt_err settle_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct qrt_duty duty, copy, none = {0};
	for (int kind = 0; kind < QRT__DUTY_KINDS; kind++) {
		EXPECT(!qrt_oblige(cx, (enum qrt_duty_kind)kind, "x", release, "x", &duty));
		copy = duty;
		EXPECT(audit_of(cx).duties_live == 1);
		EXPECT(!qrt_settle(&duty));
		EXPECT(qrt_settle(&duty) == QRT_ESTALE && qrt_settle(&copy) == QRT_ESTALE);
		EXPECT(qrt_duty_give(&copy, cx) == QRT_ESTALE);
		EXPECT(strcmp(qrt_detail(cx), "the duty has been settled") == 0);
		EXPECT(audit_of(cx).duties_live == 0);
	}
	EXPECT(qrt_settle(&none) == QRT_ESTALE && qrt_duty_give(&none, cx) == QRT_ESTALE);
	/* The slot of one that was settled is another's now: the old handle does not reach it. */
	EXPECT(!qrt_oblige(cx, QRT_DUTY_ACK, "y", release, "y", &duty));
	EXPECT(duty.entry == copy.entry && qrt_settle(&copy) == QRT_ESTALE);
	EXPECT(audit_of(cx).duties_live == 1);
	EXPECT(!qrt_settle(&duty));
	struct qrt_audit audit = audit_of(cx);
	EXPECT(audit.duties_made == QRT__DUTY_KINDS + 1 && audit.leaks == 0);
	return QRT_OK;
}

static void a_duty_is_settled_once(void **state)
{
	(void)state;
	on_each(settle_scenario, "", "");
}

static void settles(struct qrt_cx *cx, void *arg)
{
	(void)cx;
	if (qrt_settle(arg)) {
		put('?');
	}
}

static enum qrt_err settled_by_finalizer(struct qrt_cx *cx, void *arg)
{
	EXPECT(!qrt_oblige(cx, QRT_DUTY_LEASE, "lock", release, "x", arg));
	EXPECT(!qrt_defer(cx, settles, arg));
	return QRT_OK;
}

static enum qrt_err finalizer_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct qrt_duty child, own;
	struct qrt_region *region;
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &region));
	EXPECT(!qrt_spawn(region, settled_by_finalizer, &child));
	EXPECT(!qrt_oblige(qrt_region_cx(region), QRT_DUTY_ACK, "ack", release, "x", &own));
	EXPECT(!qrt_defer(qrt_region_cx(region), settles, &own));
	EXPECT(!qrt_region_close(cx, &region, QRT_OK));
	EXPECT(audit_of(cx).leaks == 0 && audit_of(cx).duties_live == 0);
	return QRT_OK;
}

static void a_finalizer_is_in_time_to_settle(void **state)
{
	(void)state;
	on_each(finalizer_scenario, "", "");
}

/* --- leaks --------------------------------------------------------------------------------- */

static enum qrt_err forgets(struct qrt_cx *cx, void *arg)
{
	struct qrt_duty *duties = arg;
	EXPECT(!qrt_oblige(cx, QRT_DUTY_PERMIT, "jobs", release, "1", &duties[0]));
	EXPECT(!qrt_oblige(cx, QRT_DUTY_ACK, "order", release, "a", &duties[1]));
	EXPECT(!qrt_oblige(cx, QRT_DUTY_LEASE, "ledger", release, "2", &duties[2]));
	EXPECT(!qrt_oblige(cx, QRT_DUTY_TRANSACTION, "book", release, "3", &duties[3]));
	EXPECT(!qrt_oblige(cx, QRT_DUTY_JOB, "print", NULL, NULL, &duties[4]));
	return QRT_OK;
}

static enum qrt_err task_leak_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct qrt_duty duties[5];
	struct qrt_region *region;
	struct qrt_aggregate all;
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &region));
	EXPECT(!qrt_spawn(region, forgets, duties));
	EXPECT(!qrt_sleep(cx, QRT_MS));
	/* At the end of the task what must go with its holder, the last one first. */
	EXPECT(released_now(cx, "321"));
	EXPECT(audit_of(cx).leaks == 4);
	EXPECT(audit_of(cx).duties_live == (is_structured(cx) ? 1 : 5));
	EXPECT(!is_structured(cx) || qrt_settle(&duties[0]) == QRT_ESTALE);
	/* The ack is the region's: anybody may still answer. */
	EXPECT(!qrt_settle(&duties[1]));
	EXPECT(qrt_region_close_report(cx, &region, QRT_OK, &all) == QRT_ELEAK);
	EXPECT(all.n_kept == 1 && all.kept[0].outcome == QRT_OUTCOME_ERR);
	EXPECT(all.kept[0].err == QRT_ELEAK);
	/* The first one made was released last: its name stands. */
	EXPECT(strstr(all.kept[0].detail, "permit jobs, made at ") == all.kept[0].detail);
	EXPECT(strstr(all.kept[0].detail, "test_ledger.c:"));
	EXPECT(strstr(all.kept[0].detail, " by forgets, was never settled"));
	qrt_aggregate_fini(&all);
	return QRT_OK;
}

static void what_a_task_leaves_is_a_leak_with_name_and_site(void **state)
{
	(void)state;
	on_each(task_leak_scenario, "321", "123");
}

static enum qrt_err region_leak_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct qrt_duty duties[5], own[2];
	struct qrt_region *region;
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &region));
	struct qrt_cx *in = qrt_region_cx(region);
	EXPECT(!qrt_oblige(in, QRT_DUTY_OTHER, "other", release, "x", &own[0]));
	EXPECT(!qrt_oblige(in, QRT_DUTY_STREAM, "socket", release, "y", &own[1]));
	EXPECT(!qrt_sleep(cx, QRT_MS) && audit_of(cx).leaks == 0);
	EXPECT(qrt_region_close(cx, &region, QRT_OK) == QRT_ELEAK);
	EXPECT(!region && released_now(cx, "yx"));
	EXPECT(strstr(qrt_detail(cx), "duty other, made at ") == qrt_detail(cx));
	EXPECT(strstr(qrt_detail(cx), "test_ledger.c:"));
	EXPECT(strstr(qrt_detail(cx), " by main, was never settled"));
	EXPECT(audit_of(cx).leaks == 2);
	EXPECT(!is_structured(cx) || qrt_settle(&own[0]) == QRT_ESTALE);

	/* A failure is told rather than the leak, which is counted. */
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &region));
	EXPECT(!qrt_spawn(region, forgets, duties));
	EXPECT(qrt_region_close(cx, &region, QRT_EIO) == QRT_EIO);
	EXPECT(audit_of(cx).leaks == 7);
	return QRT_OK;
}

static void what_a_region_leaves_is_a_leak_with_name_and_site(void **state)
{
	(void)state;
	on_each(region_leak_scenario, "yx321a", "a123xy");
}

static enum qrt_err leaks_and_fails(struct qrt_cx *cx, void *arg)
{
	EXPECT(!qrt_oblige(cx, QRT_DUTY_LEASE, "lock", release, "1", arg));
	return qrt_fail(cx, QRT_EIO, "the disk is full");
}

static enum qrt_err failure_first_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct qrt_duty duty;
	struct qrt_region *region;
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &region));
	EXPECT(!qrt_spawn(region, leaks_and_fails, &duty));
	EXPECT(qrt_region_close(cx, &region, QRT_OK) == QRT_EIO);
	EXPECT(strcmp(qrt_detail(cx), "the disk is full") == 0); /* the text of that very error */
	EXPECT(audit_of(cx).leaks == 1);
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &region));
	EXPECT(!qrt_oblige(qrt_region_cx(region), QRT_DUTY_ACK, "ack", release, "2", &duty));
	EXPECT(qrt_region_close(cx, &region, qrt_fail(cx, QRT_EIO, "no power")) == QRT_EIO);
	EXPECT(strcmp(qrt_detail(cx), "no power") == 0);
	EXPECT(audit_of(cx).leaks == 2);
	return QRT_OK;
}

static void a_failure_keeps_its_own_text_beside_a_leak(void **state)
{
	(void)state;
	on_each(failure_first_scenario, "12", "21");
}

/* Releasing one may settle another; itself it is settled already. */
static struct qrt_duty chained, chaining;

static void release_both(void *arg)
{
	put(*(const char *)arg);
	if (qrt_settle(&chained)) {
		put('?');
	}
	if (qrt_settle(&chaining) != QRT_ESTALE) {
		put('!');
	}
}

static enum qrt_err chained_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct qrt_duty last;
	struct qrt_region *region;
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &region));
	struct qrt_cx *in = qrt_region_cx(region);
	EXPECT(!qrt_oblige(in, QRT_DUTY_OTHER, "first", release, "1", &last));
	EXPECT(!qrt_oblige(in, QRT_DUTY_OTHER, "second", release, "2", &chained));
	EXPECT(!qrt_oblige(in, QRT_DUTY_OTHER, "third", release_both, "3", &chaining));
	EXPECT(qrt_region_close(cx, &region, QRT_OK) == QRT_ELEAK);
	EXPECT(audit_of(cx).leaks == (is_structured(cx) ? 2 : 3));
	return QRT_OK;
}

static void a_release_may_settle_other_duties(void **state)
{
	(void)state;
	on_each(chained_scenario, "31", "123?");
}

/* --- abandoned holders --------------------------------------------------------------------- */

static enum qrt_err holds_and_panics(struct qrt_cx *cx, void *arg)
{
	struct qrt_duty *duties = arg;
	struct qrt_region *inner;
	EXPECT(!qrt_oblige(cx, QRT_DUTY_LEASE, "lock", release, "1", &duties[0]));
	EXPECT(!qrt_oblige(cx, QRT_DUTY_PERMIT, "jobs", release, "2", &duties[1]));
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &inner));
	EXPECT(!qrt_oblige(qrt_region_cx(inner), QRT_DUTY_ACK, "ack", release, "3", &duties[2]));
	qrt_panic(cx, "while it holds them");
}

static enum qrt_err holds_and_is_deaf(struct qrt_cx *cx, void *arg)
{
	struct qrt_duty *duties = arg;
	struct qrt_region *inner;
	EXPECT(!qrt_oblige(cx, QRT_DUTY_LEASE, "lock", release, "1", &duties[0]));
	EXPECT(!qrt_oblige(cx, QRT_DUTY_PERMIT, "jobs", release, "2", &duties[1]));
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &inner));
	EXPECT(!qrt_oblige(qrt_region_cx(inner), QRT_DUTY_ACK, "ack", release, "3", &duties[2]));
	for (;;) {
		QRT_IGNORE(qrt_sleep(cx, HOUR_S * QRT_SEC), "it never listens");
	}
}

static enum qrt_err abandoned_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct qrt_duty duties[3];
	struct qrt_region *region;
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &region));
	EXPECT(!qrt_spawn(region, holds_and_panics, duties));
	EXPECT(qrt_region_close(cx, &region, QRT_OK) == QRT_EPANIC);
	EXPECT(released_now(cx, "321"));
	EXPECT(audit_of(cx).leaks == 0); /* it had no chance to settle them */
	if (!is_structured(cx)) {
		EXPECT(audit_of(cx).duties_live == 3);
		return QRT_OK;
	}
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &region));
	EXPECT(!qrt_spawn(region, holds_and_is_deaf, duties));
	EXPECT(!qrt_sleep(cx, QRT_MS));
	qrt_region_cancel(region, QRT_CANCEL_USER, "test");
	EXPECT(qrt_region_close(cx, &region, QRT_OK) == QRT_ECANCELED);
	EXPECT(released_now(cx, "321321") && audit_of(cx).forced == 1);
	EXPECT(audit_of(cx).leaks == 0 && audit_of(cx).duties_live == 0);
	return QRT_OK;
}

static void what_an_abandoned_task_held_is_released_and_is_no_leak(void **state)
{
	(void)state;
	on_each(abandoned_scenario, "321321", "123");
}

static enum qrt_err cancelled_holder(struct qrt_cx *cx, void *arg)
{
	EXPECT(!qrt_oblige(cx, QRT_DUTY_LEASE, "lock", release, "1", arg));
	return qrt_sleep(cx, HOUR_S * QRT_SEC); /* had its chance to give it back */
}

static enum qrt_err cancelled_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct qrt_duty duty;
	struct qrt_region *region;
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &region));
	EXPECT(!qrt_spawn(region, cancelled_holder, &duty));
	EXPECT(!qrt_sleep(cx, QRT_MS));
	qrt_region_cancel(region, QRT_CANCEL_USER, "test");
	EXPECT(qrt_region_close(cx, &region, QRT_OK) == QRT_ECANCELED);
	EXPECT(released_now(cx, "1") && audit_of(cx).leaks == 1);
	return QRT_OK;
}

static void who_is_cancelled_and_forgets_has_leaked(void **state)
{
	(void)state;
	on_each(cancelled_scenario, "1", "1");
}

/* --- giving -------------------------------------------------------------------------------- */

struct parcel {
	struct qrt_duty duty;
	bool made, given, maker_ended;
	enum qrt_err settled;
};

static enum qrt_err until(struct qrt_cx *cx, const bool *flag)
{
	enum qrt_err err = QRT_OK;
	while (!*flag && !err) {
		err = qrt_yield(cx);
	}
	return err;
}

static enum qrt_err makes(struct qrt_cx *cx, void *arg)
{
	struct parcel *parcel = arg;
	EXPECT(!qrt_oblige(cx, QRT_DUTY_PERMIT, "parcel", release, "p", &parcel->duty));
	parcel->made = true;
	return until(cx, &parcel->given);
}

static enum qrt_err takes(struct qrt_cx *cx, void *arg)
{
	struct parcel *parcel = arg;
	EXPECT(!until(cx, &parcel->made));
	EXPECT(!qrt_duty_give(&parcel->duty, cx));
	parcel->given = true;
	EXPECT(!until(cx, &parcel->maker_ended));
	parcel->settled = qrt_settle(&parcel->duty);
	return QRT_OK;
}

static enum qrt_err takes_and_forgets(struct qrt_cx *cx, void *arg)
{
	struct parcel *parcel = arg;
	EXPECT(!until(cx, &parcel->made));
	EXPECT(!qrt_duty_give(&parcel->duty, cx));
	parcel->given = true;
	return QRT_OK;
}

static enum qrt_err give_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct parcel parcel = {.settled = QRT_EFAILED};
	struct qrt_region *from, *to;
	struct qrt_aggregate all;
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &to));
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &from));
	EXPECT(!qrt_spawn(from, makes, &parcel));
	EXPECT(!qrt_spawn(to, takes, &parcel));
	EXPECT(!qrt_region_close(cx, &from, QRT_OK)); /* no longer its affair */
	parcel.maker_ended = true;
	EXPECT(!qrt_region_close(cx, &to, QRT_OK));
	EXPECT(!parcel.settled && audit_of(cx).leaks == 0);

	parcel = (struct parcel){.made = false};
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &to));
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &from));
	EXPECT(!qrt_spawn(from, makes, &parcel));
	EXPECT(!qrt_spawn(to, takes_and_forgets, &parcel));
	EXPECT(!qrt_region_close(cx, &from, QRT_OK));
	EXPECT(qrt_region_close_report(cx, &to, QRT_OK, &all) == QRT_ELEAK);
	EXPECT(strcmp(all.kept[0].name, "takes_and_forgets") == 0); /* who held it last */
	EXPECT(strstr(all.kept[0].detail, " by takes_and_forgets, was never settled"));
	EXPECT(audit_of(cx).leaks == 1 && released_now(cx, "p"));
	qrt_aggregate_fini(&all);
	return QRT_OK;
}

static void a_duty_that_was_given_is_its_new_holders(void **state)
{
	(void)state;
	on_each(give_scenario, "p", "p");
}

static enum qrt_err leaves_one(struct qrt_cx *cx, void *arg)
{
	return qrt_oblige(cx, QRT_DUTY_ACK, "abroad", release, "r", arg);
}

static enum qrt_err takes_from_abroad(struct qrt_cx *cx, void *arg)
{
	EXPECT(qrt_duty_give(arg, cx) == QRT_EINVAL);
	EXPECT(strcmp(qrt_detail(cx), "a duty stays in its runtime") == 0);
	EXPECT(audit_of(cx).duties_live == 0);
	return QRT_OK;
}

static void what_is_left_to_a_runtime_is_released_when_it_closes(void **state)
{
	(void)state;
	size_t n;
	const char *const *names = qrt_backend_names(&n);
	for (size_t i = 0; i < n; i++) {
		const struct qrt_runtime_options opts = {.backend = names[i]};
		struct qrt_runtime *rt, *other;
		struct qrt_duty duty;
		struct qrt_audit audit;
		memset(released, 0, sizeof(released));
		assert_int_equal(qrt_runtime_open(&opts, NULL, &rt), QRT_OK);
		assert_int_equal(qrt_runtime_open(&opts, NULL, &other), QRT_OK);
		assert_int_equal(qrt_run_main(rt, leaves_one, &duty), QRT_OK);
		assert_int_equal(qrt_run_main(other, takes_from_abroad, &duty), QRT_OK);
		qrt_runtime_audit(rt, &audit);
		assert_int_equal(audit.duties_live, 1);
		assert_string_equal(released, "");
		qrt_runtime_close(&rt);
		assert_string_equal(released, "r");
		qrt_runtime_close(&other);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_duty_is_settled_once),
	    cmocka_unit_test(a_finalizer_is_in_time_to_settle),
	    cmocka_unit_test(what_a_task_leaves_is_a_leak_with_name_and_site),
	    cmocka_unit_test(what_a_region_leaves_is_a_leak_with_name_and_site),
	    cmocka_unit_test(a_failure_keeps_its_own_text_beside_a_leak),
	    cmocka_unit_test(a_release_may_settle_other_duties),
	    cmocka_unit_test(what_an_abandoned_task_held_is_released_and_is_no_leak),
	    cmocka_unit_test(who_is_cancelled_and_forgets_has_leaked),
	    cmocka_unit_test(a_duty_that_was_given_is_its_new_holders),
	    cmocka_unit_test(what_is_left_to_a_runtime_is_released_when_it_closes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
