/*
 * Bad luck, one piece at a time: every scenario of the conformance suite, on
 * every backend, with the n-th allocation (mapping, thread, descriptor)
 * failing, n = 1, 2, 3, ... until it runs without a failure.
 *
 * Each time: the scenario returns the shortage or the right result; the very
 * same runtime then plays it unharmed; its close finds nothing left; blocks
 * and descriptors are as many as before; nothing crashes, nothing hangs.
 */
#include "tests/conformance/conformance.h"

#include <qrt/mailbox.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/fault/inject.h"
#include "tests/lib/test.h"

enum {
	HANG_SECS = 20, /* one play takes milliseconds */
	N_MAX = 20000,	/* more means that it never ends */
};

struct luck {
	const char *what;
	enum inject_kind kind;
	bool for_good;
	unsigned sparse; /* 1: further and further apart, once the other kind has met every n */
	enum qrt_err shortage; /* the right answer */
};

static const struct luck lucks[] = {
    {"allocation", INJECT_MEMORY, false, 0, QRT_ENOMEM},
    {"allocation and all later ones", INJECT_MEMORY, true, 1, QRT_ENOMEM},
    {"mapping", INJECT_MAPPING, false, 0, QRT_ENOMEM},
    {"thread", INJECT_THREAD, false, 0, QRT_EAGAIN},
    {"descriptor", INJECT_DESCRIPTOR, false, 0, QRT_EMFILE},
    {"descriptor and all later ones", INJECT_LIMIT, true, 0, QRT_EMFILE},
};

/* What is being played, for whoever ends the program: written before, read by handlers. */
static char now_playing[512];

static void say(const char *why)
{
	/* Only what a signal handler may do. */
	char text[768] = "";
	size_t n = 0;
	const char *const parts[] = {"# sweep: ", why, ": ", now_playing, "\n"};
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		size_t len = strlen(parts[i]);
		memcpy(text + n, parts[i], len);
		n += len;
	}
	QRT_IGNORE(write(STDERR_FILENO, text, n), "there is nobody else to tell");
}

static void on_alarm(int signo)
{
	(void)signo;
	say("it hangs");
	_exit(1);
}

static void on_abort(int signo)
{
	say("it aborts");
	signal(signo, SIG_DFL);
	raise(signo);
}

static void on_death(void)
{
	say("the sanitizer ends it");
}

void __sanitizer_set_death_callback(void (*callback)(void)) __attribute__((weak));

static void guard(void)
{
	signal(SIGALRM, on_alarm);
	signal(SIGABRT, on_abort);
	if (__sanitizer_set_death_callback) {
		__sanitizer_set_death_callback(on_death);
	}
}

/* --- one play -------------------------------------------------------------------------------- */

struct play;
/* Plays once with the @n-th call failing; returns whether that was met. */
typedef bool play_fn(const struct play *play, unsigned n);

struct play {
	play_fn *once;
	const char *name;
	const struct conformance_scenario *scenario;
	const struct luck *luck;
	const char *backend;
	void *state;
};

/* What scenarios clean up with must not fail: theirs is the failure, not the cleaning. */
static void hold_back(void *arg)
{
	(void)arg;
	inject_pause();
}

static bool is_right(const struct luck *luck, enum qrt_err err)
{
	return !err || err == luck->shortage;
}

/* On a runtime that has met the failure: it is as good as new. */
static void play_unharmed(const struct play *play, struct qrt_runtime *rt)
{
	enum qrt_err err = conformance_play(rt, play->scenario, play->state, NULL, NULL);
	if (err) {
		fail_msg("%s: afterwards: %s: %s", now_playing, qrt_err_name(err),
			 conformance_where());
	}
}

/* A failed call that nobody noticed would be one too; a limit says nothing of itself. */
static bool was_met(const struct luck *luck, enum qrt_err err)
{
	return inject_failed() > 0 || (luck->kind == INJECT_LIMIT && err);
}

static play_fn play_scenario;

static bool play_scenario(const struct play *play, unsigned n)
{
	const struct qrt_runtime_options opts = {.backend = play->backend, .seed = 1};
	const struct luck *luck = play->luck;
	char detail[256] = "";
	struct qrt_runtime *rt = NULL;
	alarm(HANG_SECS);
	inject_on(luck->kind, n, luck->for_good);
	enum qrt_err err = qrt_runtime_open(&opts, detail, &rt);
	if (!err) {
		err = conformance_play(rt, play->scenario, play->state, hold_back, NULL);
	}
	bool met = was_met(luck, err);
	if (!is_right(luck, err) || (err && !met)) {
		inject_off();
		fail_msg("%s: %s: %s%s", now_playing, qrt_err_name(err), detail,
			 conformance_where());
	}
	if (met) {
		inject_off();
	} else {
		inject_resume(); /* closing may ask for memory too, and must not need it */
	}
	if (rt && met) {
		play_unharmed(play, rt);
	}
	qrt_runtime_close(&rt);
	return inject_off() > 0 || met;
}

/* The same, with the books compared. */
static bool play_and_count(const struct play *play, unsigned n)
{
	snprintf(now_playing, sizeof(now_playing), "%s (%s), %s %u fails", play->name,
		 play->backend, play->luck->what, n);
	size_t blocks = inject_blocks(), numbers = inject_allocations();
	size_t descriptors = inject_descriptors();
	bool met = play->once(play, n);
	if (inject_blocks() != blocks) {
		inject_print_blocks(numbers);
		fail_msg("%s: %zu blocks before, %zu after", now_playing, blocks, inject_blocks());
	}
	if (inject_descriptors() != descriptors) {
		fail_msg("%s: %zu descriptors before, %zu after", now_playing, descriptors,
			 inject_descriptors());
	}
	return met;
}

/* --- the sweep ------------------------------------------------------------------------------- */

static size_t n_met[sizeof(lucks) / sizeof(lucks[0])];

/*
 * Slots of mailboxes are never freed: any thread may look at one. So they are made here, as many
 * as a scenario has at a time; that it takes memory, which is as short as elsewhere, is met here.
 */
static enum qrt_err open_mailbox(struct qrt_cx *cx, void *arg)
{
	struct qrt_mailbox *mailbox;
	(void)arg;
	TRY(qrt_mailbox_open(cx, sizeof(int), 1, NULL, &mailbox));
	return qrt_mailbox_close(&mailbox);
}

static int make_mailbox_slot(const char *backend)
{
	const struct qrt_runtime_options opts = {.backend = backend};
	struct qrt_runtime *rt;
	if (qrt_runtime_open(&opts, NULL, &rt)) {
		return -1;
	}
	enum qrt_err err = QRT_ENOMEM;
	for (unsigned n = 1; err == QRT_ENOMEM && n < N_MAX; n++) {
		inject_on(INJECT_MEMORY, n, false);
		err = qrt_run_main(rt, open_mailbox, NULL);
		inject_off();
	}
	qrt_runtime_close(&rt);
	return err ? -1 : 0;
}

/* What libraries make once and keep for ever is made here, undisturbed. */
static int warm_up(void **state)
{
	(void)state;
	size_t n;
	const char *const *names = qrt_backend_names(&n);
	for (size_t i = 0; i < n; i++) {
		const struct qrt_runtime_options opts = {.backend = names[i]};
		struct qrt_runtime *rt;
		if (qrt_runtime_open(&opts, NULL, &rt)) {
			return -1;
		}
		qrt_runtime_close(&rt);
	}
	return make_mailbox_slot(names[0]);
}

static void sweep_all(struct play *play)
{
	for (size_t i = 0; i < sizeof(lucks) / sizeof(lucks[0]); i++) {
		play->luck = &lucks[i];
		unsigned n = 1;
		while (play_and_count(play, n)) {
			n_met[i]++;
			n += 1 + play->luck->sparse * n / 16;
			assert_true(n < N_MAX);
		}
	}
	alarm(0);
}

static void sweep(void **state)
{
	const struct conformance_row *row = *state;
	struct play play = {.once = play_scenario,
			    .name = row->scenario->name,
			    .scenario = row->scenario,
			    .backend = row->backend};
	play.state = calloc(1, row->scenario->state_size + 1);
	assert_non_null(play.state);
	sweep_all(&play);
	free(play.state);
}

/* --- a runtime on a thread of its own -------------------------------------------------------- */

struct asked {
	_Atomic int ran, dropped;
};

static enum qrt_err child(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	return qrt_yield(cx);
}

static enum qrt_err answer(struct qrt_cx *cx, void *arg)
{
	struct asked *asked = arg;
	struct qrt_region *region;
	asked->ran++;
	TRY(qrt_region_open(cx, QRT_FAIL_FAST, &region));
	enum qrt_err err = qrt_spawn(region, child, NULL);
	return qrt_region_close(cx, &region, err);
}

static void drop(void *arg)
{
	struct asked *asked = arg;
	asked->dropped++;
}

static void expect_right(const struct luck *luck, enum qrt_err err, const char *of)
{
	if (!is_right(luck, err) || (err && !was_met(luck, err))) {
		inject_off();
		fail_msg("%s: %s: %s", now_playing, of, qrt_err_name(err));
	}
}

/* Asks a started runtime and stops it; a stop that had no memory is asked again. */
static enum qrt_err ask_and_stop(const struct luck *luck, struct qrt_runtime *rt)
{
	enum { PATIENCE_SECS = HANG_SECS / 2 };
	struct asked asked = {0};
	enum qrt_err first = qrt_runtime_call(rt, PATIENCE_SECS * QRT_SEC, answer, &asked, drop);
	expect_right(luck, first, "call");
	enum qrt_err err = qrt_shutdown(rt, PATIENCE_SECS * QRT_SEC);
	expect_right(luck, err, "shutdown");
	if (err) {
		inject_pause();
		assert_int_equal(qrt_shutdown(rt, PATIENCE_SECS * QRT_SEC), QRT_OK);
		inject_resume();
	}
	/* Whoever lets go last drops: the loop may have been later than the answer. */
	assert_int_equal(asked.dropped, 1);
	assert_true(first || asked.ran == 1);
	return first ? first : err;
}

static bool play_started(const struct play *play, unsigned n)
{
	const struct qrt_runtime_options opts = {.backend = play->backend, .seed = 1};
	struct qrt_runtime *rt = NULL;
	alarm(HANG_SECS);
	inject_on(play->luck->kind, n, play->luck->for_good);
	enum qrt_err err = qrt_runtime_open(&opts, NULL, &rt);
	expect_right(play->luck, err, "open");
	if (!err) {
		err = qrt_runtime_start(rt);
		expect_right(play->luck, err, "start");
		if (!err) {
			err = ask_and_stop(play->luck, rt);
		}
	}
	bool met = was_met(play->luck, err);
	qrt_runtime_close(&rt);
	return inject_off() > 0 || met;
}

static void a_started_runtime_answers_or_says_what_is_short(void **state)
{
	(void)state;
	size_t n;
	const char *const *names = qrt_backend_names(&n);
	for (size_t i = 0; i < n; i++) {
		struct play play = {
		    .once = play_started, .name = "a started runtime", .backend = names[i]};
		sweep_all(&play);
	}
}

static void every_kind_of_failure_was_met(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(lucks) / sizeof(lucks[0]); i++) {
		print_message("# %zu times: %s fails\n", n_met[i], lucks[i].what);
		assert_true(n_met[i] > 0);
	}
}

int main(void)
{
	inject_hook_libraries();
	guard();
	conformance_brief = true;
	struct conformance_row *row;
	size_t n = conformance_rows(&row);
	struct CMUnitTest *test = calloc(n + 2, sizeof(*test));
	if (n == 0 || !test) {
		return 1;
	}
	for (size_t i = 0; i < n; i++) {
		test[i] = (struct CMUnitTest){
		    .name = row[i].name, .test_func = sweep, .initial_state = &row[i]};
	}
	test[n] =
	    (struct CMUnitTest)cmocka_unit_test(a_started_runtime_answers_or_says_what_is_short);
	test[n + 1] = (struct CMUnitTest)cmocka_unit_test(every_kind_of_failure_was_met);
	/* The function behind cmocka's macro, which counts an array at compile time. */
	int failed = _cmocka_run_group_tests("sweep", test, n + 2, warm_up, NULL);
	free(test);
	free(row);
	return failed;
}
