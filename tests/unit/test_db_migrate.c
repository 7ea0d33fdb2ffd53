/*
 * Migrations: B105 to B107 of the product, on every backend, and a step that
 * is cut off: by a cancel, by the power.
 */
#include "tests/lib/test.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <qrt/lab.h>
#include <qrt/trial.h>

#include "quotey/db/migrate.h"
#include "shim/src/db/internal.h"
#include "tests/lib/backends.h"
#include "tests/lib/database.h"

/* Steps of our own. */
static const struct qy_migration steps[] = {
    {1, "first", "CREATE TABLE a (x INTEGER, y TEXT)", "DROP TABLE a"},
    {2, "second",
     "CREATE TABLE b (x INTEGER);"
     "WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 300)"
     " INSERT INTO b SELECT i FROM c;"
     "CREATE INDEX b_by_x ON b (x)",
     "DROP TABLE b"},
    {3, "third", "ALTER TABLE a ADD COLUMN z TEXT; INSERT INTO a VALUES (1, 'y', 'z')",
     "ALTER TABLE a DROP COLUMN z"},
};
static const struct qy_migration_set all = {steps, 3};

static enum qrt_err signature_at(struct qrt_cx *cx, struct qrt_db *db,
				 const struct qy_migration_set *set, unsigned to, char *ret_hex)
{
	struct qy_migrate_report report;
	EXPECT(qy_migrate_down(cx, db, set, to, &report) == QRT_OK);
	EXPECT(qy_migrate_up(cx, db, set, to, &report) == QRT_OK || to == 0);
	EXPECT(report.to == to);
	return qy_migrate_signature(cx, db, ret_hex);
}

static enum qrt_err b105(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct qrt_db *db = NULL;
	struct qy_migrate_report report;
	char first[QRT_SHA256_HEX_SIZE], again[QRT_SHA256_HEX_SIZE];
	EXPECT(db_open(cx, "b105.db", NULL, &db) == QRT_OK);
	/* The real ones, each way back and forth by itself. */
	for (unsigned to = 1; to <= qy_migrations.count; to++) {
		EXPECT(qy_migrate_up(cx, db, &qy_migrations, to, &report) == QRT_OK);
		EXPECT(qy_migrate_signature(cx, db, first) == QRT_OK);
		EXPECT(qy_migrate_down(cx, db, &qy_migrations, to - 1, &report) == QRT_OK);
		EXPECT(qy_migrate_up(cx, db, &qy_migrations, to, &report) == QRT_OK);
		EXPECT(qy_migrate_signature(cx, db, again) == QRT_OK);
		EXPECT(strcmp(first, again) == 0);
	}
	EXPECT(qy_migrate_down(cx, db, &qy_migrations, 0, &report) == QRT_OK);
	EXPECT(
	    db_reads(cx, db, "SELECT group_concat(name) FROM sqlite_schema", "schema_migration"));
	EXPECT(qy_migrate_up(cx, db, &qy_migrations, 0, &report) == QRT_OK);
	EXPECT(qy_migrate_signature(cx, db, again) == QRT_OK);
	EXPECT(strcmp(first, again) == 0);
	/* Up, down and verify name the one that changed. */
	EXPECT(db_write(cx, db, "UPDATE schema_migration SET checksum = 'x' WHERE version = 3") ==
	       QRT_OK);
	EXPECT(qy_migrate_up(cx, db, &qy_migrations, 0, &report) == QRT_ECONFLICT);
	EXPECT(strstr(qrt_detail(cx), "migration 0003"));
	EXPECT(strstr(qrt_detail(cx), "checksum has changed"));
	EXPECT(qy_migrate_down(cx, db, &qy_migrations, 0, &report) == QRT_ECONFLICT);
	EXPECT(strstr(qrt_detail(cx), "migration 0003"));
	EXPECT(qy_migrate_verify(cx, db, &qy_migrations) == QRT_ECONFLICT);
	qrt_db_close(cx, &db);
	return QRT_OK;
}

static void b105_up_down_up_and_a_changed_checksum_is_named(void **state)
{
	(void)state;
	db_on_each_backend(b105, NULL);
}

static enum qrt_err gaps(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct qrt_db *db = NULL;
	struct qy_migrate_report report;
	const struct qy_migration torn[] = {steps[0], steps[2]};
	const struct qy_migration_set without = {torn, 2};
	EXPECT(db_open(cx, "gaps.db", NULL, &db) == QRT_OK);
	/* In the program. */
	EXPECT(qy_migrate_up(cx, db, &without, 0, &report) == QRT_EINVAL);
	EXPECT(strstr(qrt_detail(cx), "migration 0002 is missing in this program: 0003 (third)"));
	EXPECT(qy_migrate_down(cx, db, &without, 0, &report) == QRT_EINVAL);
	EXPECT(qy_migrate_verify(cx, db, &without) == QRT_EINVAL);
	EXPECT(db_reads(cx, db, "SELECT count(*) FROM sqlite_schema", "0"));
	/* In the database. */
	EXPECT(qy_migrate_up(cx, db, &all, 0, &report) == QRT_OK);
	EXPECT(db_write(cx, db, "DELETE FROM schema_migration WHERE version = 2") == QRT_OK);
	EXPECT(qy_migrate_up(cx, db, &all, 0, &report) == QRT_ECORRUPT);
	EXPECT(strstr(qrt_detail(cx), "migration 0002 is missing, but 0003 is applied"));
	qrt_db_close(cx, &db);
	return QRT_OK;
}

static void a_gap_is_named_on_either_side(void **state)
{
	(void)state;
	db_on_each_backend(gaps, NULL);
}

static enum qrt_err b106(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct qrt_db *db = NULL;
	struct qy_migrate_report report;
	EXPECT(db_open(cx, "b106.db", NULL, &db) == QRT_OK);
	EXPECT(qy_migrate_up(cx, db, &qy_migrations, 0, &report) == QRT_OK);
	EXPECT(db_reads(cx, db, "SELECT journal_mode FROM pragma_journal_mode", "wal"));
	EXPECT(db_reads(cx, db, "SELECT foreign_keys FROM pragma_foreign_keys", "1"));
	EXPECT(qy_migrate_verify(cx, db, &qy_migrations) == QRT_OK);
	qrt_db_close(cx, &db);
	return QRT_OK;
}

static void b106_a_missing_file_is_made_with_wal_foreign_keys_and_the_schema(void **state)
{
	(void)state;
	db_on_each_backend(b106, NULL);
}

/* Each statement of step 2 fails in its turn; what is before it is not there either. */
static enum qrt_err b107(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	static const char *const broken[] = {
	    "INSERT INTO nothing VALUES (1); CREATE TABLE b (x INTEGER)",
	    "CREATE TABLE b (x INTEGER); INSERT INTO nothing VALUES (1)",
	    "CREATE TABLE b (x INTEGER UNIQUE); INSERT INTO b VALUES (1); INSERT INTO b VALUES (1)",
	    "DROP TABLE a; CREATE TABLE b (x INTEGER); NONSENSE",
	    "CREATE TABLE b (x INTEGER); COMMIT",
	};
	struct qrt_db *db = NULL;
	struct qy_migrate_report report;
	char before[QRT_SHA256_HEX_SIZE], after[QRT_SHA256_HEX_SIZE];
	EXPECT(db_open(cx, "b107.db", NULL, &db) == QRT_OK);
	for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
		const struct qy_migration two[] = {steps[0], {2, "bad", broken[i], "SELECT 1"}};
		const struct qy_migration_set set = {two, 2};
		EXPECT(signature_at(cx, db, &set, 1, before) == QRT_OK);
		EXPECT(qy_migrate_up(cx, db, &set, 0, &report) != QRT_OK);
		EXPECT(strstr(qrt_detail(cx), "migration 0002 (bad) up: "));
		EXPECT(qy_migrate_signature(cx, db, after) == QRT_OK);
		EXPECT(strcmp(before, after) == 0);
		EXPECT(db_reads(cx, db, "SELECT group_concat(version) FROM schema_migration", "1"));
	}
	qrt_db_close(cx, &db);
	return QRT_OK;
}

static void b107_a_failing_statement_leaves_the_schema_before(void **state)
{
	(void)state;
	db_on_each_backend(b107, NULL);
}

/* --- cut off -------------------------------------------------------------------------------- */

struct migration {
	struct qrt_db *db;
	enum qrt_err err;
	struct qy_migrate_report report;
};

static enum qrt_err migrate_task(struct qrt_cx *cx, void *arg)
{
	struct migration *migration = arg;
	migration->err = qy_migrate_up(cx, migration->db, &all, 0, &migration->report);
	return QRT_OK;
}

static struct qrt__db_engine slow; /* SQLite's, but the second step waits in the middle */
static atomic_bool begun, may_go_on;

static enum qrt_err exec_slowly(void *native, const char *sql)
{
	while (strstr(sql, "CREATE TABLE b") && !atomic_load(&may_go_on)) {
		atomic_store(&begun, true);
		sched_yield();
	}
	return qrt__db_sqlite.exec(native, sql);
}

static enum qrt_err cancelled(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct migration migration = {0};
	struct qrt_region *region;
	struct qy_migrate_report report;
	if (qrt_in_lab(cx)) {
		return QRT_OK; /* a job is one step there; see below */
	}
	EXPECT(db_open(cx, "cancel.db", NULL, &migration.db) == QRT_OK);
	slow = qrt__db_sqlite;
	slow.exec = exec_slowly;
	EXPECT(db_write_by(cx, migration.db, &slow) == QRT_OK);
	atomic_store(&begun, false);
	atomic_store(&may_go_on, false);
	EXPECT(qrt_region_open(cx, QRT_COLLECT, &region) == QRT_OK);
	enum qrt_err err = qrt_spawn(region, migrate_task, &migration);
	while (!err && !atomic_load(&begun)) {
		err = qrt_yield(cx);
	}
	qrt_region_cancel(region, QRT_CANCEL_USER, "test");
	atomic_store(&may_go_on, true);
	EXPECT(qrt_region_close(cx, &region, err) == QRT_OK);
	/* Where a cancel is not remembered, what a step holds off is forgotten. */
	EXPECT(migration.err == (is_structured(cx) ? QRT_ECANCELED : QRT_OK));
	EXPECT(db_reads(cx, migration.db, "SELECT group_concat(version) FROM schema_migration",
			is_structured(cx) ? "1,2" : "1,2,3"));
	EXPECT(db_reads(cx, migration.db, "SELECT count(*) FROM b", "300"));
	EXPECT(qy_migrate_up(cx, migration.db, &all, 0, &report) == QRT_OK);
	EXPECT(qy_migrate_verify(cx, migration.db, &all) == QRT_OK);
	qrt_db_close(cx, &migration.db);
	return QRT_OK;
}

static void a_step_is_not_cancelled_midway(void **state)
{
	(void)state;
	db_on_each_backend(cancelled, NULL);
}

static char whole[QRT_SHA256_HEX_SIZE]; /* the signature of all steps */

/* In the lab: all steps, in a region that is swept. */
static enum qrt_err up_in_region(struct qrt_cx *cx, struct qrt_db *db)
{
	struct qrt_region *region;
	struct qy_migrate_report report;
	enum qrt_err err = qrt_region_open(cx, QRT_COLLECT, &region);
	if (err) {
		return err;
	}
	err = qrt_lab_expose(region, QRT_EXPOSE_ALL);
	if (!err) {
		err = qy_migrate_up(cx, db, &all, 0, &report);
	}
	return qrt_region_close(cx, &region, err);
}

static enum qrt_err main_of_cut(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	const struct qrt_db_options opts = {
	    .url = "sqlite://cut.db", .readers = 1, .synchronous_full = true};
	struct qrt_db *db = NULL;
	struct qy_migrate_report report;
	char now[QRT_SHA256_HEX_SIZE];
	enum qrt_err err = qrt_db_open(cx, &opts, &db);
	if (err) {
		return err;
	}
	err = up_in_region(cx, db);
	EXPECT(err == QRT_OK || err == QRT_ECANCELED);
	/* It goes on from whichever step was done. */
	EXPECT(qy_migrate_up(cx, db, &all, 0, &report) == QRT_OK);
	EXPECT(qrt_db_check(cx, db, true, NULL, 0) == QRT_OK);
	EXPECT(
	    db_reads(cx, db, "SELECT (SELECT count(*) FROM a) || ' ' || count(*) FROM b", "1 300"));
	EXPECT(qy_migrate_signature(cx, db, now) == QRT_OK);
	if (!whole[0]) {
		memcpy(whole, now, sizeof(whole));
	}
	EXPECT(strcmp(whole, now) == 0);
	qrt_db_close(cx, &db);
	return QRT_OK;
}

static enum qrt_err run_cut(struct qrt_lab *lab, void *arg)
{
	return qrt_lab_main(lab, "lab", main_of_cut, arg);
}

static void after_any_cut_it_goes_on_from_a_whole_step(void **state)
{
	(void)state;
	static const enum qrt_sweep_kind kinds[] = {QRT_SWEEP_CANCEL, QRT_SWEEP_CRASH};
	const struct qrt_lab_program program = {
	    .name = "migrate", .run = run_cut, .recover = run_cut};
	const struct qrt_lab_trials trials = {.out = stderr};
	const struct qrt_lab_options opts = {.seed = 1, .disk = true};
	whole[0] = '\0';
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		struct qrt_lab_report report = {0};
		assert_int_equal(qrt_lab_sweep(&opts, &program, kinds[i], &trials, &report),
				 QRT_OK);
		assert_true(report.points >= 4);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(b105_up_down_up_and_a_changed_checksum_is_named),
	    cmocka_unit_test(a_gap_is_named_on_either_side),
	    cmocka_unit_test(b106_a_missing_file_is_made_with_wal_foreign_keys_and_the_schema),
	    cmocka_unit_test(b107_a_failing_statement_leaves_the_schema_before),
	    cmocka_unit_test(a_step_is_not_cancelled_midway),
	    cmocka_unit_test(after_any_cut_it_goes_on_from_a_whole_step),
	};
	return cmocka_run_group_tests_name("db_migrate", tests, db_make_folder, db_remove_folder);
}
