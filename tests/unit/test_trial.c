/*
 * Campaigns and sweeps over a program of one's own: a small bank whose clerks
 * move money in the lab, and on the real backends; sound, or with one fault.
 */
#include "tests/lib/test.h"

#include <qrt/qrt.h>
#include <qrt/trial.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ACCOUNTS = 2, CLERKS = 3, SUM = 200, SEEDS = 60 };

enum fault {
	SOUND,
	NO_LOCK,    /* between reading and writing an account somebody else may come */
	NO_CHECK,   /* of what malloc returns */
	NO_RELEASE, /* a clerk that is cancelled keeps what it took */
};

struct bank {
	enum fault fault;
	const char *backend;
	int more; /* clerks */
	struct qrt_mutex *lock;
	int account[ACCOUNTS];
	int in_hand; /* taken from one account, not yet put into the other */
	int met;     /* clerks that have been at work at the same time */
};

static enum qrt_err move_money(struct qrt_cx *cx, struct bank *bank)
{
	int left = bank->account[0];
	enum qrt_err err = qrt_yield(cx);
	if (err && bank->fault != NO_RELEASE) {
		return err;
	}
	bank->account[0] = left - 10;
	bank->in_hand += 10;
	err = qrt_sleep(cx, 1000);
	if (err && bank->fault == NO_RELEASE) {
		return err;
	}
	bank->in_hand -= 10;
	bank->account[1] += 10;
	return err;
}

static enum qrt_err clerk(struct qrt_cx *cx, void *arg)
{
	struct bank *bank = arg;
	char *slip = malloc(16);
	if (!slip && bank->fault != NO_CHECK) {
		return qrt_fail(cx, QRT_ENOMEM, "no paper");
	}
	*(volatile char *)slip = 'A'; /* or the compiler does without */
	free(slip);
	if (++bank->met == CLERKS) {
		QRT_SOMETIMES("all clerks have come");
	}
	struct qrt_lease lease;
	enum qrt_err err = QRT_OK;
	if (bank->fault != NO_LOCK) {
		err = qrt_mutex_lock(cx, bank->lock, &lease);
	}
	if (!err) {
		err = move_money(cx, bank);
		if (bank->fault != NO_LOCK) {
			QRT_IGNORE(qrt_unlock(&lease), "nobody else has it");
		}
	}
	return err;
}

static enum qrt_err work(struct qrt_cx *cx, struct bank *bank)
{
	struct qrt_region *region;
	enum qrt_err err = qrt_region_open(cx, QRT_FAIL_FAST, &region);
	if (err) {
		return err;
	}
	err = qrt_lab_expose(region, QRT_EXPOSE_ALL);
	for (int i = 0; i < CLERKS + bank->more && !err; i++) {
		err = qrt_spawn(region, clerk, bank);
	}
	return qrt_region_close(cx, &region, err);
}

static enum qrt_err main_of_bank(struct qrt_cx *cx, void *arg)
{
	struct bank *bank = arg;
	enum qrt_err err = qrt_mutex_open(cx, &bank->lock);
	if (err) {
		return err;
	}
	err = work(cx, bank);
	enum qrt_err closed = qrt_mutex_close(&bank->lock);
	int sum = bank->account[0] + bank->account[1];
	if (sum != SUM || bank->in_hand != 0) {
		return qrt_fail(cx, QRT_EFAILED, "there were %d, now there are %d and %d in hand",
				SUM, sum, bank->in_hand);
	}
	return err ? err : closed;
}

static enum qrt_err run_bank(struct qrt_lab *lab, void *arg)
{
	struct bank *bank = arg;
	bank->account[0] = SUM / 2;
	bank->account[1] = SUM / 2;
	bank->in_hand = 0;
	bank->met = 0;
	return qrt_lab_main(lab, bank->backend, main_of_bank, bank);
}

static struct qrt_lab_program program_of(struct bank *bank)
{
	return (struct qrt_lab_program){.name = "bank", .run = run_bank, .arg = bank};
}

/* --- campaigns ---------------------------------------------------------------------------------
 */

struct printed {
	char *text;
	size_t n;
	FILE *file;
};

static void open_printed(struct printed *printed)
{
	printed->file = open_memstream(&printed->text, &printed->n);
	assert_non_null(printed->file);
}

static void close_printed(struct printed *printed)
{
	fclose(printed->file);
	free(printed->text);
}

static void a_sound_program_passes_for_every_seed_and_twice_the_same(void **state)
{
	(void)state;
	struct bank bank = {.backend = "lab"};
	struct qrt_lab_program program = program_of(&bank);
	struct printed printed;
	open_printed(&printed);
	const struct qrt_lab_options opts = {.seed = 1};
	const struct qrt_lab_trials trials = {
	    .jobs = 2, .twice = 1, .out = printed.file, .marks = QRT_MARKS};
	struct qrt_lab_report report;
	assert_int_equal(qrt_lab_campaign(&opts, &program, SEEDS, &trials, &report), QRT_OK);
	assert_int_equal(report.runs, SEEDS);
	assert_int_equal(report.failures, 0);
	assert_true(report.virtual_ns > 0);
	assert_int_equal(report.marks, 1);
	assert_int_equal(report.marks_reached, 1);
	fflush(printed.file);
	assert_non_null(strstr(printed.text, "bank: 60 runs, 0 failures"));
	close_printed(&printed);
}

static void a_race_is_found_and_its_token_shows_it_again(void **state)
{
	(void)state;
	struct bank bank = {.backend = "lab", .fault = NO_LOCK};
	struct qrt_lab_program program = program_of(&bank);
	struct qrt_lab_options opts = {.seed = 1};
	const struct qrt_lab_trials trials = {.keep_going = true};
	struct qrt_lab_report report;
	assert_int_equal(qrt_lab_campaign(&opts, &program, SEEDS, &trials, &report), QRT_EFAILED);
	assert_true(report.failures > 0);
	assert_int_equal(report.runs, SEEDS);
	assert_non_null(strstr(report.first.detail, "there were 200, now there are"));
	struct qrt_lab_options again = {0};
	assert_int_equal(qrt_lab_token_read(report.first.token, false, &again, NULL), QRT_OK);
	assert_int_equal(again.seed, report.first_failure);
	struct qrt_lab_result result;
	assert_int_equal(qrt_lab_try(&again, &program, &result), QRT_EFAILED);
	assert_int_equal(result.stats.hash, report.first.stats.hash);
}

static void the_first_failure_ends_a_campaign_that_does_not_go_on(void **state)
{
	(void)state;
	struct bank bank = {.backend = "lab", .fault = NO_LOCK};
	struct qrt_lab_program program = program_of(&bank);
	const struct qrt_lab_options opts = {.seed = 1};
	const struct qrt_lab_trials trials = {0};
	struct qrt_lab_report report;
	assert_int_equal(qrt_lab_campaign(&opts, &program, 100000, &trials, &report), QRT_EFAILED);
	assert_int_equal(report.failures, 1);
	assert_true(report.runs < 1000);
}

static enum qrt_err dies_on_seven(struct qrt_lab *lab, void *arg)
{
	struct bank *bank = arg;
	if (strncmp(bank->backend, "lab", 3) == 0) {
		char token[QRT_LAB_TOKEN_SIZE];
		qrt_lab_token(lab, token);
		if (strncmp(token, "qrt1-7-", 7) == 0) {
			fprintf(stderr, "this is the end\n");
			abort();
		}
	}
	return run_bank(lab, arg);
}

static void a_run_that_dies_is_a_failure_and_the_others_go_on(void **state)
{
	(void)state;
	struct bank bank = {.backend = "lab"};
	struct qrt_lab_program program = program_of(&bank);
	program.run = dies_on_seven;
	struct printed printed;
	open_printed(&printed);
	const struct qrt_lab_options opts = {.seed = 1};
	const struct qrt_lab_trials trials = {.keep_going = true, .jobs = 2, .out = printed.file};
	struct qrt_lab_report report;
	assert_int_equal(qrt_lab_campaign(&opts, &program, SEEDS, &trials, &report), QRT_EFAILED);
	assert_int_equal(report.runs, SEEDS);
	assert_int_equal(report.failures, 1);
	assert_int_equal(report.first_failure, 7);
	assert_int_equal(report.first.err, QRT_EPANIC);
	assert_int_equal(strncmp(report.first.token, "qrt1-7-", 7), 0);
	fflush(printed.file);
	assert_non_null(strstr(printed.text, "this is the end"));
	assert_non_null(strstr(printed.text, "signal 6"));
	close_printed(&printed);
}

static enum qrt_err never_ends(struct qrt_lab *lab, void *arg)
{
	(void)lab, (void)arg;
	for (volatile bool on = true; on;) {
	}
	return QRT_OK;
}

static void a_run_that_hangs_is_killed(void **state)
{
	(void)state;
	struct bank bank = {.backend = "lab"};
	struct qrt_lab_program program = program_of(&bank);
	program.run = never_ends;
	const struct qrt_lab_options opts = {.seed = 1};
	const struct qrt_lab_trials trials = {.run_ns = 50 * QRT_MS};
	struct qrt_lab_report report;
	assert_int_equal(qrt_lab_campaign(&opts, &program, 5, &trials, &report), QRT_EFAILED);
	assert_non_null(strstr(report.first.detail, "hung"));
}

static enum qrt_err remembers(struct qrt_lab *lab, void *arg)
{
	struct bank *bank = arg;
	bank->more++;
	return run_bank(lab, arg);
}

static void what_depends_on_more_than_the_seed_is_found_out(void **state)
{
	(void)state;
	struct bank bank = {.backend = "lab"};
	struct qrt_lab_program program = program_of(&bank);
	program.run = remembers;
	struct printed printed;
	open_printed(&printed);
	const struct qrt_lab_options opts = {.seed = 1};
	const struct qrt_lab_trials trials = {.twice = 1, .out = printed.file};
	struct qrt_lab_report report;
	assert_int_equal(qrt_lab_campaign(&opts, &program, 5, &trials, &report), QRT_EFAILED);
	fflush(printed.file);
	assert_non_null(strstr(printed.text, "the replay differs from"));
	close_printed(&printed);
}

/* --- shrinking ---------------------------------------------------------------------------------
 */

static void a_failure_is_shrunk_and_its_recording_shows_it_again(void **state)
{
	(void)state;
	struct bank bank = {.backend = "lab", .fault = NO_LOCK};
	struct qrt_lab_program program = program_of(&bank);
	char path[] = "/tmp/qrt-shrunk-XXXXXX";
	int fd = mkstemp(path);
	assert_true(fd >= 0);
	close(fd);
	struct printed printed;
	open_printed(&printed);
	struct qrt_lab_options opts = {.seed = 1};
	const struct qrt_lab_trials trials = {.out = printed.file, .shrunk = path};
	struct qrt_lab_report report;
	assert_int_equal(qrt_lab_campaign(&opts, &program, SEEDS, &trials, &report), QRT_EFAILED);
	fflush(printed.file);
	assert_non_null(strstr(printed.text, "shrunk in "));
	opts.seed = report.first_failure;
	opts.replay = path;
	struct qrt_lab_result result;
	assert_int_equal(qrt_lab_try(&opts, &program, &result), QRT_EFAILED);
	assert_string_equal(result.detail, report.first.detail);
	close_printed(&printed);
	unlink(path);
}

/* --- sweeps ------------------------------------------------------------------------------------
 */

static void sweep(struct bank *bank, enum qrt_sweep_kind kind, struct qrt_lab_report *ret_report,
		  enum qrt_err expected)
{
	struct qrt_lab_program program = program_of(bank);
	const struct qrt_lab_options opts = {.seed = 3};
	const struct qrt_lab_trials trials = {.jobs = 2, .keep_going = true, .out = stderr};
	assert_int_equal(qrt_lab_sweep(&opts, &program, kind, &trials, ret_report), expected);
}

static void a_sound_program_may_be_cancelled_at_every_checkpoint(void **state)
{
	(void)state;
	static const enum qrt_sweep_kind kinds[] = {QRT_SWEEP_CANCEL, QRT_SWEEP_CANCEL_TASK,
						    QRT_SWEEP_DEADLINE};
	static const char *const backends[] = {"lab", "region"};
	size_t n;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		for (size_t k = 0; k < 2; k++) {
			if (!qrt_backend_promises(backends[k], &n)) {
				continue;
			}
			struct bank bank = {.backend = backends[k]};
			struct qrt_lab_report report;
			sweep(&bank, kinds[i], &report, QRT_OK);
			/* Each clerk comes to a lock, a yield and a sleep; the main task closes. */
			assert_true(report.points >= 3 * CLERKS);
			assert_int_equal(report.runs, report.points);
		}
	}
}

static void the_sweep_finds_the_checkpoint_that_is_not_cancelled_well(void **state)
{
	(void)state;
	struct bank bank = {.backend = "lab", .fault = NO_RELEASE};
	struct qrt_lab_report report;
	sweep(&bank, QRT_SWEEP_CANCEL, &report, QRT_EFAILED);
	assert_true(report.failures > 0 && report.failures < report.points);
	assert_non_null(strstr(report.first.point, "task clerk, spawned at"));
	assert_non_null(strstr(report.first.point, "before "));
	assert_non_null(strstr(report.first.token, "-cancel."));
}

static void every_allocation_may_fail_and_who_does_not_look_is_found(void **state)
{
	(void)state;
	static const char *const backends[] = {"lab", "lab-legacy", "region", "legacy"};
	size_t n;
	for (size_t k = 0; k < sizeof(backends) / sizeof(backends[0]); k++) {
		if (!qrt_backend_promises(backends[k], &n)) {
			continue;
		}
		struct bank sound = {.backend = backends[k]};
		struct qrt_lab_report report;
		sweep(&sound, QRT_SWEEP_ALLOC, &report, QRT_OK);
		assert_true(report.points >= CLERKS); /* a slip each */
		struct bank careless = {.backend = backends[k], .fault = NO_CHECK};
		sweep(&careless, QRT_SWEEP_ALLOC, &report, QRT_EFAILED);
		assert_int_equal(report.failures, CLERKS);
		assert_int_equal(report.first.err, QRT_EPANIC); /* it died */
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_sound_program_passes_for_every_seed_and_twice_the_same),
	    cmocka_unit_test(a_race_is_found_and_its_token_shows_it_again),
	    cmocka_unit_test(the_first_failure_ends_a_campaign_that_does_not_go_on),
	    cmocka_unit_test(a_run_that_dies_is_a_failure_and_the_others_go_on),
	    cmocka_unit_test(a_run_that_hangs_is_killed),
	    cmocka_unit_test(what_depends_on_more_than_the_seed_is_found_out),
	    cmocka_unit_test(a_failure_is_shrunk_and_its_recording_shows_it_again),
	    cmocka_unit_test(a_sound_program_may_be_cancelled_at_every_checkpoint),
	    cmocka_unit_test(the_sweep_finds_the_checkpoint_that_is_not_cancelled_well),
	    cmocka_unit_test(every_allocation_may_fail_and_who_does_not_look_is_found),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
