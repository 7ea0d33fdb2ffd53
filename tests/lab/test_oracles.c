/*
 * The oracles: what they see of sound programs, that they say when they saw
 * nothing, and that each knows a lie when it hears one. That each catches a
 * fault of the runtime is shown by tests/lab/mutants.sh.
 */
#include "tests/lib/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <qrt/chan.h>
#include <qrt/oracle.h>
#include <qrt/region.h>

#include "shim/src/internal.h"
#include "tests/lab/scenes.h"

enum { SEEDS = 12 };

static struct qrt_lab *open_lab(const struct qrt_lab_options *opts)
{
	char detail[256] = "";
	struct qrt_lab *lab;
	if (qrt_lab_open(opts, detail, &lab)) {
		fail_msg("open a lab: %s", detail);
	}
	return lab;
}

static struct qrt_verdict verdict_of(struct qrt_lab *lab, const char *name)
{
	struct qrt_verdict verdict[QRT_VERDICTS_MAX];
	size_t n = qrt_lab_verdicts(lab, verdict, QRT_VERDICTS_MAX);
	for (size_t i = 0; i < n; i++) {
		if (strcmp(verdict[i].name, name) == 0) {
			return verdict[i];
		}
	}
	fail_msg("there is no oracle \"%s\"", name);
	return verdict[0];
}

/* --- sound programs -------------------------------------------------------------------------- */

static void play_all(const char *backend, const struct qrt_lab_options *opts)
{
	for (size_t i = 0; i < n_scenes; i++) {
		char detail[256];
		enum qrt_err err = scene_play(&scenes[i], opts, backend, detail);
		if (err) {
			fail_msg("%s on %s, seed %d, strategy %d: %s %s", scenes[i].name, backend,
				 (int)opts->seed, (int)opts->strategy, qrt_err_name(err), detail);
		}
	}
}

static void nothing_is_said_of_sound_programs_in_the_lab(void **state)
{
	static const char *const backends[] = {"lab", "lab-legacy"};
	(void)state;
	for (size_t i = 0; i < 2; i++) {
		for (uint64_t seed = 0; seed < SEEDS; seed++) {
			struct qrt_lab_options opts = {.seed = seed};
			play_all(backends[i], &opts);
			opts.strategy = QRT_LAB_PCT;
			play_all(backends[i], &opts);
			opts.strategy = QRT_LAB_ROUND_ROBIN;
			play_all(backends[i], &opts);
		}
	}
}

static void nothing_is_said_of_them_in_real_time(void **state)
{
	const struct qrt_lab_options opts = {.seed = 1};
	size_t n;
	const char *const *names = qrt_backend_names(&n);
	(void)state;
	for (size_t i = 0; i < n; i++) {
		play_all(names[i], &opts);
	}
}

static void every_oracle_sees_something_of_them_on_every_backend(void **state)
{
	size_t n;
	const char *const *names = qrt_backend_names(&n);
	(void)state;
	for (size_t i = 0; i < n; i++) {
		struct qrt_verdict seen[QRT_ORACLES] = {0};
		for (size_t k = 0; k < n_scenes; k++) {
			const struct qrt_lab_options opts = {.seed = 3, .disk = scenes[k].disk};
			struct qrt_lab *lab = open_lab(&opts);
			const struct stage stage = {lab, names[i], names[i]};
			assert_int_equal(scenes[k].play(&stage), QRT_OK);
			struct qrt_verdict now[QRT_ORACLES];
			assert_int_equal(qrt_lab_verdicts(lab, now, QRT_ORACLES), QRT_ORACLES);
			for (size_t o = 0; o < QRT_ORACLES; o++) {
				assert_int_equal(now[o].violations, 0);
				seen[o].name = now[o].name;
				seen[o].saw += now[o].saw;
			}
			qrt_lab_close(&lab);
		}
		for (size_t o = 0; o < QRT_ORACLES; o++) {
			if (strcmp(qrt_verdict_text(&seen[o]), "ok") != 0) {
				fail_msg("\"%s\" on %s: %s", seen[o].name, names[i],
					 qrt_verdict_text(&seen[o]));
			}
		}
	}
}

/* --- no data --------------------------------------------------------------------------------- */

static enum qrt_err does_nothing(struct qrt_cx *cx, void *arg)
{
	(void)cx;
	(void)arg;
	return QRT_OK;
}

static void who_saw_nothing_says_so(void **state)
{
	const struct qrt_lab_options opts = {0};
	struct qrt_lab *lab = open_lab(&opts);
	struct qrt_verdict verdict[QRT_ORACLES];
	(void)state;
	assert_int_equal(qrt_lab_verdicts(lab, verdict, QRT_ORACLES), QRT_ORACLES);
	for (size_t i = 0; i < QRT_ORACLES; i++) {
		assert_string_equal(qrt_verdict_text(&verdict[i]), "no data");
	}
	assert_int_equal(qrt_lab_main(lab, "lab", does_nothing, NULL), QRT_OK);
	struct qrt_verdict quiet = verdict_of(lab, "quiescence");
	assert_string_equal(qrt_verdict_text(&quiet), "ok");
	struct qrt_verdict message = verdict_of(lab, "message once");
	assert_string_equal(qrt_verdict_text(&message), "no data");
	qrt_lab_close(&lab);
}

static enum qrt_err has_more_than_there_is_room_for(struct qrt_cx *cx, void *arg)
{
	enum { DUTIES = 40000 };
	struct qrt_duty *duty = calloc(DUTIES, sizeof(*duty));
	enum qrt_err err = duty ? QRT_OK : QRT_ENOMEM;
	(void)arg;
	for (size_t i = 0; i < DUTIES && !err; i++) {
		err = qrt_oblige(cx, QRT_DUTY_OTHER, "one of many", NULL, NULL, &duty[i]);
	}
	for (size_t i = 0; i < DUTIES && !err; i++) {
		err = qrt_settle(&duty[i]);
	}
	free(duty);
	return err;
}

static void who_could_not_see_everything_saw_nothing(void **state)
{
	const struct qrt_lab_options opts = {0};
	struct qrt_lab *lab = open_lab(&opts);
	(void)state;
	assert_int_equal(qrt_lab_main(lab, "lab", has_more_than_there_is_room_for, NULL), QRT_OK);
	struct qrt_verdict verdict = verdict_of(lab, "obligation leak");
	assert_string_equal(qrt_verdict_text(&verdict), "no data");
	assert_string_equal(verdict.first, "more than 32768 things at once: not all was seen");
	qrt_lab_close(&lab);
}

/* --- facts ----------------------------------------------------------------------------------- */

static void a_program_has_facts_of_its_own(void **state)
{
	static char names[QRT_VERDICTS_MAX][16];
	const struct qrt_lab_options opts = {0};
	struct qrt_lab *lab = open_lab(&opts);
	(void)state;
	assert_true(qrt_lab_fact(NULL, "nobody asks", true, "."));
	assert_true(qrt_lab_fact(lab, "books balance", true, "."));
	assert_false(qrt_lab_fact(lab, "books balance", false, "%d too much", 5));
	assert_false(qrt_lab_fact(lab, "books balance", false, "%d too much", 6));
	struct qrt_verdict verdict = verdict_of(lab, "books balance");
	assert_string_equal(qrt_verdict_text(&verdict), "violated");
	assert_int_equal(verdict.saw, 3);
	assert_int_equal(verdict.violations, 2);
	assert_string_equal(verdict.first, "5 too much");
	for (size_t i = 0; i < QRT_VERDICTS_MAX; i++) {
		snprintf(names[i], sizeof(names[i]), "fact %zu", i);
		assert_true(qrt_lab_fact(lab, names[i], true, "."));
	}
	struct qrt_verdict all[QRT_VERDICTS_MAX];
	assert_int_equal(qrt_lab_verdicts(lab, all, QRT_VERDICTS_MAX), QRT_VERDICTS_MAX);
	assert_string_equal(all[QRT_VERDICTS_MAX - 1].name, "room for facts");
	assert_string_equal(qrt_verdict_text(&all[QRT_VERDICTS_MAX - 1]), "violated");
	qrt_lab_close(&lab);
}

/* --- lies ------------------------------------------------------------------------------------ */

static enum qrt_err sleeps(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	return qrt_sleep(cx, QRT_MS);
}

/* A region with somebody asleep in it, while something is said of it that is not so. */
static enum qrt_err slander(struct qrt_cx *cx, unsigned what)
{
	struct qrt_region *region;
	MUST(!qrt_region_open(cx, QRT_COLLECT, &region));
	enum qrt_err err = qrt_spawn(region, sleeps, NULL);
	for (unsigned i = 0; i < 4 && !err; i++) {
		err = qrt_yield(cx);
	}
	qrt__tell(cx->task->rt, what, qrt__region_of(region), 0);
	return qrt_region_close(cx, &region, err);
}

static enum qrt_err says_it_is_drained(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	return slander(cx, QRT__TRACE_DRAINED);
}

static enum qrt_err says_it_is_decided(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	return slander(cx, QRT__TRACE_DECIDED);
}

static enum qrt_err says_it_is_cancelled(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	return slander(cx, QRT__TRACE_ASKED);
}

static enum qrt_err says_the_loop_ends(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	qrt__tell(cx->task->rt, QRT__TRACE_IDLE, cx->task->rt, 0);
	return QRT_OK;
}

static enum qrt_err leaks(struct qrt_cx *cx, void *arg)
{
	struct qrt_duty duty;
	(void)arg;
	MUST(!qrt_oblige(cx, QRT_DUTY_PERMIT, "a promise", NULL, NULL, &duty));
	return QRT_OK;
}

static enum qrt_err leaks_in_a_region(struct qrt_cx *cx, void *arg)
{
	struct qrt_region *region;
	(void)arg;
	MUST(!qrt_region_open(cx, QRT_COLLECT, &region));
	enum qrt_err err = qrt_spawn(region, leaks, NULL);
	MUST(qrt_region_close(cx, &region, err) == QRT_ELEAK);
	return QRT_OK;
}

static enum qrt_err says_a_finalizer_runs(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	qrt__tell(cx->task->rt, QRT__TRACE_FINALIZE, cx, 0);
	return QRT_OK;
}

static enum qrt_err has_more_time_than_its_region(struct qrt_cx *cx, void *arg)
{
	const struct qrt_region_options opts = {.budget.deadline_ns = qrt_deadline_in(cx, QRT_SEC)};
	struct qrt_region *region;
	(void)arg;
	MUST(!qrt_region_open_with(cx, &opts, &region));
	qrt__region_of(region)->cx.deadline_ns = qrt_deadline_in(cx, 2 * QRT_SEC);
	enum qrt_err err = qrt_spawn(region, does_nothing, NULL);
	return qrt_region_close(cx, &region, err);
}

static enum qrt_err says_a_message_came(struct qrt_cx *cx, void *arg)
{
	struct qrt_chan *chan;
	(void)arg;
	MUST(!qrt_chan_open(cx, sizeof(int), 1, NULL, &chan));
	void *slot = (void *)((uintptr_t)chan & ~(uintptr_t)(QRT__SLOT_ALIGN - 1));
	qrt__tell_element(cx->task->rt, QRT__TRACE_TAKEN, slot, "ghost", 5);
	MUST(!qrt_chan_close(&chan));
	return QRT_OK;
}

static enum qrt_err says_something_ended(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	qrt__tell_named(cx->task->rt, QRT__TRACE_OP_END, cx, 0, "an operation", NULL);
	return QRT_OK;
}

static enum qrt_err says_the_books_are_wrong(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	qrt_lab_fact(qrt_cx_lab(cx), "database whole", false, "row %d is not there", 7);
	return QRT_OK;
}

static enum qrt_err says_a_duty_is_settled(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	qrt__tell(cx->task->rt, QRT__TRACE_SETTLED, cx, 0);
	return QRT_OK;
}

static enum qrt_err says_something_began(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	qrt__tell_named(cx->task->rt, QRT__TRACE_OP, cx, 0, "an operation", NULL);
	return QRT_OK;
}

static enum qrt_err says_that_it_waits(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	qrt__trace(cx->task->rt, QRT__TRACE_PARK, cx->task->id, QRT__WAIT_SLEEP);
	return qrt_yield(cx);
}

static enum qrt_err says_that_its_wait_ended(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	qrt__trace(cx->task->rt, QRT__TRACE_UNPARK, cx->task->id, QRT_OK);
	return QRT_OK;
}

static enum qrt_err says_its_region_had_less_time(struct qrt_cx *cx, void *arg)
{
	const struct qrt_region_options opts = {.budget.deadline_ns = qrt_deadline_in(cx, QRT_SEC)};
	struct qrt_region *region;
	(void)arg;
	MUST(!qrt_region_open_with(cx, &opts, &region));
	qrt__tell(cx->task->rt, QRT__TRACE_ENTER, qrt__region_of(region), QRT_MS);
	return qrt_region_close(cx, &region, QRT_OK);
}

static enum qrt_err says_it_is_cancelled_itself(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	qrt__tell(cx->task->rt, QRT__TRACE_ASKED_TASK, cx->task, 0);
	return qrt_yield(cx);
}

static enum qrt_err says_the_wrong_finalizer_runs(struct qrt_cx *cx, void *arg)
{
	int first = 0, second = 0;
	(void)arg;
	qrt__tell(cx->task->rt, QRT__TRACE_DEFER, &first, (uintptr_t)cx->task);
	qrt__tell(cx->task->rt, QRT__TRACE_DEFER, &second, (uintptr_t)cx->task);
	qrt__tell(cx->task->rt, QRT__TRACE_FINALIZE, &first, 0);
	return QRT_OK;
}

static enum qrt_err says_a_finalizer_was_set(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	qrt__tell(cx->task->rt, QRT__TRACE_DEFER, cx, (uintptr_t)cx->task);
	return QRT_OK;
}

static void never_cut(struct qrt__wait *wait, enum qrt_err why)
{
	(void)wait;
	(void)why;
}

static enum qrt_err says_it_has_waited_too_long(struct qrt_cx *cx, void *arg)
{
	struct qrt_task *task = cx->task;
	struct qrt__wait wait;
	(void)arg;
	qrt__wait_init(&wait, cx, QRT__WAIT_SLEEP, NULL, never_cut);
	task->wait = &wait;
	qrt__tell(task->rt, QRT__TRACE_WAIT, task, (uint64_t)-1);
	task->wait = NULL;
	qrt__trace(task->rt, QRT__TRACE_PARK, task->id, QRT__WAIT_SLEEP);
	qrt__trace(task->rt, QRT__TRACE_UNPARK, task->id, QRT_OK);
	return QRT_OK;
}

static enum qrt_err says_it_has_a_duty(struct qrt_cx *cx, void *arg)
{
	const struct qrt__obligation duty = {
	    .region = cx->region, .holder = cx->task, .what = "a promise", .site = "nowhere"};
	(void)arg;
	qrt__tell(cx->task->rt, QRT__TRACE_DUTY, &duty, 0);
	return QRT_OK;
}

static enum qrt_err loses_a_message(struct qrt_cx *cx, void *arg)
{
	struct qrt_chan *chan;
	(void)arg;
	MUST(!qrt_chan_open(cx, sizeof(int), 2, NULL, &chan));
	void *slot = (void *)((uintptr_t)chan & ~(uintptr_t)(QRT__SLOT_ALIGN - 1));
	qrt__tell_element(cx->task->rt, QRT__TRACE_SENT, slot, "ghost", 5);
	MUST(!qrt_chan_close(&chan));
	return QRT_OK;
}

static enum qrt_err keeps_a_message_back(struct qrt_cx *cx, void *arg)
{
	struct qrt_chan *chan;
	int value = 5;
	(void)arg;
	MUST(!qrt_chan_open(cx, sizeof(int), 2, NULL, &chan));
	void *slot = (void *)((uintptr_t)chan & ~(uintptr_t)(QRT__SLOT_ALIGN - 1));
	qrt__tell_element(cx->task->rt, QRT__TRACE_SENT, slot, "ghost", 5);
	MUST(!qrt_chan_send(cx, chan, &value));
	MUST(!qrt_chan_recv(cx, chan, &value));
	MUST(!qrt_chan_close(&chan));
	return QRT_OK;
}

struct lie {
	const char *oracle;
	qrt_task_fn *fn;
	const char *text;
};

static void hear(const struct lie *lies, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct qrt_lab_options opts = {.seed = 1};
		struct qrt_lab *lab = open_lab(&opts);
		assert_int_equal(qrt_lab_main(lab, "lab", lies[i].fn, NULL), QRT_OK);
		struct qrt_verdict verdict = verdict_of(lab, lies[i].oracle);
		assert_string_equal(qrt_verdict_text(&verdict), "violated");
		if (!strstr(verdict.first, lies[i].text)) {
			fail_msg("\"%s\" says: %s", verdict.name, verdict.first);
		}
		qrt_lab_close(&lab);
	}
}

static void some_know_other_lies_too(void **state)
{
	static const struct lie lies[] = {
	    {"obligation leak", says_a_duty_is_settled, "a duty was settled once more"},
	    {"one terminal event", says_something_began, "an operation: has not ended"},
	    {"one terminal event", says_that_it_waits, "runs, but nothing has ended its wait"},
	    {"one terminal event", says_that_its_wait_ended, "its wait ends once more"},
	    {"obligation leak", says_it_has_a_duty, "a promise, made at nowhere, is left behind"},
	    {"finalizer ran once", says_the_wrong_finalizer_runs, "before one that was set later"},
	    {"finalizer ran once", says_a_finalizer_was_set, "a finalizer never ran, of task main"},
	    {"cancel reached", says_it_is_cancelled_itself, "yields, though it has been cancelled"},
	    {"deadline monotone", says_its_region_had_less_time, "what opened it until 1000000 ns"},
	    {"deadline monotone", says_it_has_waited_too_long, "waited until 0 ns, beyond -1 ns"},
	    {"message once", loses_a_message, "closes and drops 0 messages, 1 were on their way"},
	    {"message once", keeps_a_message_back, "a message arrives, 1 sent before it did not"},
	};
	(void)state;
	hear(lies, sizeof(lies) / sizeof(lies[0]));
}

static void each_knows_a_lie_when_it_hears_one(void **state)
{
	static const struct lie lies[] = {
	    {"orphan task", says_it_is_drained, "task sleeps, spawned at tests/lab/test_oracles.c"},
	    {"quiescence", says_the_loop_ends, "task main"},
	    {"obligation leak", leaks_in_a_region, "a promise, made at tests/lab/test_oracles.c"},
	    {"loser drained", says_it_is_decided, "1 tasks had lost and were never cancelled"},
	    {"finalizer ran once", says_a_finalizer_runs, "runs once more, in task main"},
	    {"cancel reached", says_it_is_cancelled, "though it has been cancelled"},
	    {"deadline monotone", has_more_time_than_its_region, "its region until"},
	    {"message once", says_a_message_came, "that is not on its way"},
	    {"one terminal event", says_something_ended, "an operation: ends once more"},
	    {"database whole", says_the_books_are_wrong, "row 7 is not there"},
	};
	_Static_assert(sizeof(lies) / sizeof(lies[0]) == QRT_ORACLES, "a lie for each");
	(void)state;
	hear(lies, QRT_ORACLES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(nothing_is_said_of_sound_programs_in_the_lab),
	    cmocka_unit_test(nothing_is_said_of_them_in_real_time),
	    cmocka_unit_test(every_oracle_sees_something_of_them_on_every_backend),
	    cmocka_unit_test(who_saw_nothing_says_so),
	    cmocka_unit_test(who_could_not_see_everything_saw_nothing),
	    cmocka_unit_test(a_program_has_facts_of_its_own),
	    cmocka_unit_test(each_knows_a_lie_when_it_hears_one),
	    cmocka_unit_test(some_know_other_lies_too),
	};
	return cmocka_run_group_tests_name("oracles", tests, NULL, NULL);
}
