/*
 * What writers are told, held against what is stored: in the lab, on its disk,
 * with the power gone or an error at every disk operation, or the disk full
 * for a while. Who was told OK is there whole, who was told no is not there,
 * who was told "not known", or nothing in time, is there whole or not at all.
 */
#include "tests/lib/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <qrt/db.h>
#include <qrt/qrt.h>
#include <qrt/trial.h>

enum { WRITERS = 7, ROWS = 3, ROW_BYTES = 1500 };

enum told { NOTHING, OK, NO, UNKNOWN };

struct play;

struct author {
	struct play *play;
	int number;
	enum told told;
};

struct play {
	const char *backend;
	bool full;   /* the disk is, for a while */
	bool normal; /* commits are not synced: with a power loss they may go */
	bool dark;   /* one writer, and then the power goes: nobody covers up what it has left */
	struct qrt_lab *lab;
	struct qrt_db *db;
	struct author author[WRITERS];
	enum told copied;
	uint64_t commits, writes;
};

/* --- writing -------------------------------------------------------------------------------- */

static enum qrt_err write_rows(struct qrt_db_conn *conn, void *arg)
{
	const struct author *author = arg;
	static const char data[ROW_BYTES];
	QRT_AUTO_STMT row = NULL;
	enum qrt_err err = qrt_db_prepare(conn, "INSERT INTO t VALUES (?1, ?2, ?3)", &row);
	for (int i = 0; i < ROWS && !err; i++) {
		qrt_db_bind_int(row, 1, author->number);
		qrt_db_bind_int(row, 2, i);
		qrt_db_bind_blob(row, 3, data, sizeof(data));
		err = qrt_db_run(row);
		if (!err && author->number == 3 && i == 1) {
			err = qrt_db_fail(conn, QRT_ECONFLICT, "number 3 thinks better of it");
		}
	}
	return err;
}

static enum told told_as(const struct play *play, enum qrt_err err)
{
	if (qrt_lab_crashed(play->lab)) {
		return NOTHING; /* nobody has heard of it */
	}
	return !err ? OK : err == QRT_ECOMMITUNKNOWN ? UNKNOWN : NO;
}

static enum qrt_err author_task(struct qrt_cx *cx, void *arg)
{
	struct author *author = arg;
	enum qrt_err err = author->number == 5
			       ? qrt_db_write_alone(cx, author->play->db, write_rows, author)
			       : qrt_db_write(cx, author->play->db, write_rows, author);
	if (err == QRT_ENOSPC && !strstr(qrt_detail(cx), "plays.db: ")) {
		return qrt_fail(cx, QRT_EFAILED, "which disk is full? %s", qrt_detail(cx));
	}
	author->told = told_as(author->play, err);
	if (err == QRT_ECOMMITUNKNOWN) {
		QRT_SOMETIMES("a commit was not known");
	} else if (err == QRT_ENOSPC) {
		QRT_SOMETIMES("a write found the disk full");
	}
	return QRT_OK;
}

/* --- judging -------------------------------------------------------------------------------- */

struct verdict {
	const struct play *play;
	char why[120];
};

static enum qrt_err count(struct qrt_db_conn *conn, const char *sql, int number, int64_t *ret_n)
{
	QRT_AUTO_STMT rows = NULL;
	enum qrt_err err = qrt_db_prepare(conn, sql, &rows);
	if (!err && number) {
		qrt_db_bind_int(rows, 1, number);
	}
	while (qrt_db_next(rows, &err)) {
		*ret_n = qrt_db_int(rows, 0);
	}
	return err;
}

static enum qrt_err judge(struct qrt_db_conn *conn, void *arg)
{
	struct verdict *verdict = arg;
	int64_t table = 0;
	enum qrt_err err =
	    count(conn, "SELECT count(*) FROM sqlite_schema WHERE name = 't'", 0, &table);
	verdict->why[0] = '\0';
	for (int i = 0; i < WRITERS && !err; i++) {
		const struct author *author = &verdict->play->author[i];
		int64_t n = 0;
		if (table) {
			err = count(conn, "SELECT count(*) FROM t WHERE author = ?1",
				    author->number, &n);
		}
		bool right = (n == ROWS && author->told != NO) || (n == 0 && author->told != OK);
		if (!err && !right) {
			snprintf(verdict->why, sizeof(verdict->why),
				 "number %d was told %d and has %lld rows", author->number,
				 author->told, (long long)n);
		}
	}
	return err;
}

/* EFAILED: what is stored is not what was told. */
static enum qrt_err judge_all(struct qrt_cx *cx, const struct play *play)
{
	struct qrt_db *db = NULL;
	struct verdict verdict = {.play = play};
	const struct qrt_db_options opts = {.url = "sqlite://plays.db", .readers = 1};
	enum qrt_err err = qrt_db_open(cx, &opts, &db);
	if (!err) {
		err = qrt_db_check(cx, db, true, NULL, 0);
	}
	if (!err) {
		err = qrt_db_read(cx, db, judge, &verdict);
	}
	qrt_db_close(cx, &db);
	if (!err && verdict.why[0]) {
		err = qrt_fail(cx, QRT_EFAILED, "%s", verdict.why);
	}
	return err;
}

/* A copy is there whole, or not at all. */
static enum qrt_err judge_copy(struct qrt_cx *cx, const struct play *play)
{
	struct qrt_db *db = NULL;
	const struct qrt_db_options opts = {
	    .url = "sqlite://copy.db", .readers = 1, .must_exist = true};
	enum qrt_err err = qrt_db_open(cx, &opts, &db);
	if (err == QRT_ENOENT && play->copied != OK) {
		return QRT_OK;
	}
	if (!err) {
		err = qrt_db_check(cx, db, true, NULL, 0);
	}
	qrt_db_close(cx, &db);
	return err;
}

/* --- a run ---------------------------------------------------------------------------------- */

static enum qrt_err make_table(struct qrt_db_conn *conn, void *arg)
{
	(void)arg;
	return qrt_db_exec(conn, "CREATE TABLE IF NOT EXISTS t (author, i, data)");
}

static enum qrt_err short_look(struct qrt_db_conn *conn, void *arg)
{
	return count(conn, "SELECT count(*) FROM t WHERE author = 1", 0, arg);
}

static enum qrt_err fill_disk(struct qrt_cx *cx, void *arg)
{
	const struct play *play = arg;
	struct qrt_lab_faults faults = {.disk_full = true};
	enum qrt_err err = qrt_sleep(cx, 200 * 1000);
	QRT_IGNORE(qrt_lab_set_faults(play->lab, &faults), "it is as it was made");
	err = err ? err : qrt_sleep(cx, 200 * 1000);
	faults.disk_full = false;
	QRT_IGNORE(qrt_lab_set_faults(play->lab, &faults), "it is as it was made");
	return err;
}

static enum qrt_err write_all(struct qrt_cx *cx, struct play *play)
{
	struct qrt_region *region;
	int64_t seen = 0;
	enum qrt_err err = qrt_region_open(cx, QRT_COLLECT, &region);
	if (err) {
		return err;
	}
	err = qrt_lab_expose(region, QRT_EXPOSE_ALL);
	for (int i = 0; i < (play->dark ? 1 : WRITERS) && !err; i++) {
		err = qrt_spawn(region, author_task, &play->author[i]);
	}
	if (play->dark) {
		return qrt_region_close(cx, &region, err);
	}
	if (!err && play->full) {
		err = qrt_spawn(region, fill_disk, play);
	}
	if (!err) {
		err = qrt_db_read_short(cx, play->db, short_look, &seen);
	}
	if (!err) {
		err = qrt_db_backup(cx, play->db, "copy.db", true);
		play->copied = told_as(play, err);
	}
	return qrt_region_close(cx, &region, err);
}

static enum qrt_err main_of_play(struct qrt_cx *cx, void *arg)
{
	struct play *play = arg;
	const struct qrt_db_options opts = {.url = "sqlite://plays.db",
					    .readers = 1,
					    .synchronous_full = !play->normal,
					    .checkpoint_pages = 4};
	enum qrt_err err = qrt_db_open(cx, &opts, &play->db);
	if (!err) {
		err = qrt_db_write(cx, play->db, make_table, NULL);
	}
	if (!err) {
		err = write_all(cx, play);
	}
	if (play->dark && play->db) {
		err = err ? err : qrt_lab_power(play->lab, false);
		qrt_db_close(cx, &play->db);
		err = err ? err : qrt_lab_power(play->lab, true);
	}
	if (play->db) {
		struct qrt_db_stats stats;
		qrt_db_stats(play->db, &stats);
		if (stats.commits < stats.writes) {
			QRT_SOMETIMES("writers shared a commit");
		}
		if (stats.again) {
			QRT_SOMETIMES("a writer was made to write again");
		}
		if (stats.checkpoints) {
			QRT_SOMETIMES("the log was folded in");
		}
	}
	qrt_db_close(cx, &play->db);
	enum qrt_err judged = judge_all(cx, play);
	if (!judged) {
		judged = judge_copy(cx, play);
	}
	return judged ? judged : err;
}

static enum qrt_err run_play(struct qrt_lab *lab, void *arg)
{
	struct play *play = arg;
	play->lab = lab;
	play->copied = NOTHING;
	for (int i = 0; i < WRITERS; i++) {
		play->author[i] = (struct author){.play = play, .number = i + 1};
	}
	enum qrt_err err = qrt_lab_main(lab, play->backend, main_of_play, play);
	/* What the disk does to the whole is no failure of the program. */
	return err == QRT_ENOSPC && play->full ? QRT_OK : err;
}

static enum qrt_err main_of_recovery(struct qrt_cx *cx, void *arg)
{
	enum qrt_err err = judge_all(cx, arg);
	return err ? err : judge_copy(cx, arg);
}

static enum qrt_err recover_play(struct qrt_lab *lab, void *arg)
{
	const struct play *play = arg;
	return qrt_lab_main(lab, play->backend, main_of_recovery, arg);
}

/* --- the tests ------------------------------------------------------------------------------ */

static const char *const places[] = {"lab", "lab-legacy"};

static uint64_t seeds(uint64_t few)
{
	const char *text = getenv("QRT_LAB_SEEDS");
	uint64_t n = text ? strtoull(text, NULL, 10) : 0;
	return n ? n : few;
}

static struct qrt_lab_program program_of(struct play *play)
{
	return (struct qrt_lab_program){
	    .name = "play", .run = run_play, .recover = recover_play, .arg = play};
}

static void sweep(enum qrt_sweep_kind kind, bool dark, uint64_t n_seeds, uint64_t least)
{
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		struct play play = {.backend = places[i], .dark = dark};
		const struct qrt_lab_program program = program_of(&play);
		const struct qrt_lab_trials trials = {.out = stderr};
		for (uint64_t seed = 1; seed <= n_seeds; seed++) {
			const struct qrt_lab_options opts = {.seed = seed, .disk = true};
			struct qrt_lab_report report = {0};
			assert_int_equal(qrt_lab_sweep(&opts, &program, kind, &trials, &report),
					 QRT_OK);
			assert_true(report.points >= least);
		}
	}
}

static void after_a_power_loss_at_any_operation_it_is_as_was_told(void **state)
{
	(void)state;
	sweep(QRT_SWEEP_CRASH, false, seeds(2), 50);
}

static void an_error_and_then_a_power_loss_leave_it_as_was_told(void **state)
{
	(void)state;
	sweep(QRT_SWEEP_IO, true, seeds(8), 8);
}

static void a_cancel_at_any_checkpoint_concerns_who_is_told_so(void **state)
{
	(void)state;
	sweep(QRT_SWEEP_CANCEL, false, seeds(2), 8);
	sweep(QRT_SWEEP_CANCEL_TASK, false, seeds(2), 8);
	sweep(QRT_SWEEP_DEADLINE, false, seeds(2), 8);
}

static void with_any_operation_failing_it_is_as_was_told(void **state)
{
	(void)state;
	sweep(QRT_SWEEP_IO, false, seeds(1), 50);
}

/* Returns how many marks nobody has come to. */
static size_t campaign(const struct qrt_lab_options *opts, struct play *play, uint64_t n)
{
	const struct qrt_lab_program program = program_of(play);
	const struct qrt_lab_trials trials = {.out = stderr, .twice = 16, .marks = QRT_MARKS};
	struct qrt_lab_report report = {0};
	assert_int_equal(qrt_lab_campaign(opts, &program, n, &trials, &report), QRT_OK);
	assert_int_equal(report.failures, 0);
	return report.marks - report.marks_reached;
}

static void while_the_disk_is_full_it_is_as_was_told(void **state)
{
	(void)state;
	for (size_t i = 0; i < 2 * sizeof(places) / sizeof(places[0]); i++) {
		struct play play = {.backend = places[i / 2], .full = true, .normal = i % 2};
		const struct qrt_lab_options opts = {.seed = 1, .disk = true};
		uint64_t n = seeds(40);
		size_t missed = campaign(&opts, &play, n);
		/* All but a commit that is not known: no sync, no doubt. Few seeds meet less. */
		assert_true(i != 1 || n < 20 || missed <= 1);
	}
}

static void whoever_meets_in_line_it_is_as_was_told(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		struct play play = {.backend = places[i]};
		const struct qrt_lab_options opts = {.seed = 1, .disk = true};
		campaign(&opts, &play, seeds(40));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(whoever_meets_in_line_it_is_as_was_told),
	    cmocka_unit_test(while_the_disk_is_full_it_is_as_was_told),
	    cmocka_unit_test(after_a_power_loss_at_any_operation_it_is_as_was_told),
	    cmocka_unit_test(with_any_operation_failing_it_is_as_was_told),
	    cmocka_unit_test(an_error_and_then_a_power_loss_leave_it_as_was_told),
	    cmocka_unit_test(a_cancel_at_any_checkpoint_concerns_who_is_told_so),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
