/*
 * Checkpoints, on every backend and on real files: beside the writers, and in
 * nobody's way, also where they are slow, fail, or are still at work when the
 * database is closed.
 */
#include "tests/lib/test.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <qrt/lab.h>

#include "shim/src/db/internal.h"
#include "tests/lib/backends.h"
#include "tests/lib/database.h"

/* Half as many pages. */
#define FILL(n)                                                                                    \
	"WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < " #n ")"         \
	" INSERT INTO heap SELECT zeroblob(2000) FROM c"

enum { WORTH = 50, PAGE_IN_LOG = 4096 + 24 };

static const struct qrt_db_options with_one_reader = {.readers = 1, .checkpoint_pages = WORTH};

static struct qrt_db_stats stats_of(struct qrt_db *db)
{
	struct qrt_db_stats stats;
	qrt_db_stats(db, &stats);
	return stats;
}

static long size_of(const char *name)
{
	char path[DB_PATH_SIZE];
	struct stat it;
	return stat(db_path(name, path), &it) == 0 ? (long)it.st_size : -1;
}

static enum qrt_err fill(struct qrt_cx *cx, struct qrt_db *db, int times)
{
	enum qrt_err err = QRT_OK;
	for (int i = 0; i < times && !err; i++) {
		err = db_write(cx, db, FILL(50));
		err = err ? err : db_rest(cx, db);
	}
	return err;
}

static enum qrt_err open_with_tables(struct qrt_cx *cx, const char *name, struct qrt_db **ret_db)
{
	enum qrt_err err = db_open(cx, name, &with_one_reader, ret_db);
	return err ? err : db_write(cx, *ret_db, DB_TABLES);
}

/* --- in time -------------------------------------------------------------------------------- */

/* An errand has nobody who could leave it, and its duty ends with it. */
static bool nothing_is_left(struct qrt_cx *cx, uint64_t duties)
{
	struct qrt_audit audit;
	qrt_runtime_audit(qrt_cx_runtime(cx), &audit);
	return audit.jobs_left == 0 && audit.duties_live == duties;
}

static enum qrt_err folded_in(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct qrt_db *db = NULL;
	struct qrt_audit before;
	qrt_runtime_audit(qrt_cx_runtime(cx), &before);
	EXPECT(open_with_tables(cx, "log.db", &db) == QRT_OK);
	EXPECT(stats_of(db).checkpoints == 0);
	EXPECT(stats_of(db).log_pages > 0);
	EXPECT(fill(cx, db, 40) == QRT_OK); /* some 25 pages each */
	struct qrt_db_stats stats = stats_of(db);
	EXPECT(stats.checkpoints >= 10);
	EXPECT(stats.checkpoints <= 21);
	EXPECT(stats.checkpoints_pressing == 0);
	EXPECT(stats.checkpoints_failed == 0);
	EXPECT(stats.log_pages < 2 * WORTH);
	EXPECT(size_of("log.db-wal") < 100 * PAGE_IN_LOG); /* it begins anew, instead of growing */
	EXPECT(size_of("log.db") > 700 * 4096);
	EXPECT(nothing_is_left(cx, before.duties_live));
	qrt_db_close(cx, &db);
	EXPECT(size_of("log.db-wal") == -1);
	return QRT_OK;
}

static void the_log_is_folded_in_and_begins_anew(void **state)
{
	(void)state;
	db_on_each_backend(folded_in, NULL);
}

/* --- in nobody's way ------------------------------------------------------------------------ */

static struct qrt__db_engine other; /* SQLite's, with something else in it */

static struct {
	atomic_uint tries;
	atomic_bool inside, go, interrupted;
} seen;

/* From now on checkpoints are made by @fn; those of the writer's lane by SQLite as before. */
static void fold_by(struct qrt_db *db,
		    enum qrt_err (*fn)(void *native, bool truncate, struct qrt__db_fold *ret_fold))
{
	other = qrt__db_sqlite;
	other.checkpoint = fn;
	atomic_store(&seen.tries, 0);
	atomic_store(&seen.inside, false);
	atomic_store(&seen.go, false);
	atomic_store(&seen.interrupted, false);
	db->folder.engine = &other;
}

/* As if it had moved what was there when it began, and commits had come meanwhile. */
static enum qrt_err slow_once(void *native, bool truncate, struct qrt__db_fold *ret_fold)
{
	if (atomic_fetch_add(&seen.tries, 1) > 0) {
		return qrt__db_sqlite.checkpoint(native, truncate, ret_fold);
	}
	atomic_store(&seen.inside, true);
	while (!atomic_load(&seen.go)) {
		sched_yield(); /* a thread of a lane, not the loop */
	}
	*ret_fold = (struct qrt__db_fold){.pages = 2 * WORTH, .moved = 2 * WORTH};
	return QRT_OK;
}

static bool dump_names_it(struct qrt_cx *cx)
{
	static char text[64 * 1024];
	qrt_dump_text(cx, text, sizeof(text));
	const char *at = strstr(text, "db-checkpoint");
	return at && !strstr(text, "left");
}

static enum qrt_err beside(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct qrt_db *db = NULL;
	if (qrt_in_lab(cx)) {
		return QRT_OK; /* jobs run one after the other there */
	}
	EXPECT(open_with_tables(cx, "beside.db", &db) == QRT_OK);
	fold_by(db, slow_once);
	EXPECT(db_write(cx, db, FILL(200)) == QRT_OK);
	enum qrt_err err = QRT_OK;
	while (!err && !atomic_load(&seen.inside)) {
		err = qrt_yield(cx);
	}
	/* Who writes and reads now waits for nothing. */
	for (int i = 0; i < 3 && !err; i++) {
		err = db_write(cx, db, FILL(20));
	}
	bool reads = !err && db_reads(cx, db, "SELECT count(*) FROM heap", "260");
	bool named = dump_names_it(cx);
	uint64_t meanwhile = stats_of(db).checkpoints;
	atomic_store(&seen.go, true);
	EXPECT(!err && reads && named && meanwhile == 0);
	EXPECT(db_rest(cx, db) == QRT_OK);
	/* It had not the last commits; the second one has, and the log begins anew. */
	EXPECT(stats_of(db).checkpoints == 2);
	EXPECT(stats_of(db).checkpoints_pressing == 0);
	EXPECT(stats_of(db).log_pages == 0);
	EXPECT(db->log.size.pages > 100);
	EXPECT(db_write(cx, db, FILL(2)) == QRT_OK);
	EXPECT(db->log.size.pages < 20);
	qrt_db_close(cx, &db);
	return QRT_OK;
}

static void writers_go_on_while_it_is_folded_in(void **state)
{
	(void)state;
	db_on_each_backend(beside, NULL);
}

struct snapshot {
	struct qrt_db *db;
	atomic_bool inside, go;
};

static enum qrt_err hold_snapshot(struct qrt_db_conn *conn, void *arg)
{
	struct snapshot *snapshot = arg;
	enum qrt_err err = qrt_db_exec(conn, "SELECT count(*) FROM heap");
	atomic_store(&snapshot->inside, true);
	while (!atomic_load(&snapshot->go)) {
		sched_yield(); /* a thread of a lane, not the loop */
	}
	return err;
}

static enum qrt_err snapshot_task(struct qrt_cx *cx, void *arg)
{
	struct snapshot *snapshot = arg;
	return qrt_db_read(cx, snapshot->db, hold_snapshot, snapshot);
}

/* What a reader sees stays in the log; nobody waits for it, nor tries over and over. */
static enum qrt_err pinned(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct snapshot snapshot = {0};
	struct qrt_region *region;
	if (qrt_in_lab(cx)) {
		return QRT_OK; /* a read is over before a write begins */
	}
	EXPECT(open_with_tables(cx, "pinned.db", &snapshot.db) == QRT_OK);
	EXPECT(qrt_region_open(cx, QRT_COLLECT, &region) == QRT_OK);
	enum qrt_err err = qrt_spawn(region, snapshot_task, &snapshot);
	while (!err && !atomic_load(&snapshot.inside)) {
		err = qrt_yield(cx);
	}
	err = err ? err : fill(cx, snapshot.db, 20);
	struct qrt_db_stats stats = stats_of(snapshot.db);
	atomic_store(&snapshot.go, true);
	EXPECT(qrt_region_close(cx, &region, err) == QRT_OK);
	EXPECT(stats.log_pages > 400);
	EXPECT(stats.checkpoints >= 2);
	EXPECT(stats.checkpoints <= 12); /* each 50 pages, not each commit */
	EXPECT(stats.checkpoints_pressing <= 1);
	EXPECT(db_write(cx, snapshot.db, FILL(500)) == QRT_OK);
	EXPECT(db_rest(cx, snapshot.db) == QRT_OK);
	EXPECT(stats_of(snapshot.db).log_pages == 0);
	qrt_db_close(cx, &snapshot.db);
	return QRT_OK;
}

static void a_reader_keeps_the_log_and_stops_nobody(void **state)
{
	(void)state;
	db_on_each_backend(pinned, NULL);
}

/* --- that do not succeed -------------------------------------------------------------------- */

static enum qrt_err says_busy(void *native, bool truncate, struct qrt__db_fold *ret_fold)
{
	(void)native, (void)truncate, (void)ret_fold;
	atomic_fetch_add(&seen.tries, 1);
	return QRT_EBUSY;
}

static enum qrt_err says_broken(void *native, bool truncate, struct qrt__db_fold *ret_fold)
{
	QRT_IGNORE(says_busy(native, truncate, ret_fold), "it has counted");
	return QRT_EIO;
}

static enum qrt_err pressing(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct qrt_db *db = NULL;
	EXPECT(open_with_tables(cx, "pressing.db", &db) == QRT_OK);
	fold_by(db, says_busy);
	EXPECT(fill(cx, db, 60) == QRT_OK); /* 1500 pages */
	struct qrt_db_stats stats = stats_of(db);
	EXPECT(stats.checkpoints_failed == 0); /* another one was at it */
	EXPECT(atomic_load(&seen.tries) >= 6 && atomic_load(&seen.tries) <= 40);
	EXPECT(stats.checkpoints_pressing >= 2 && stats.checkpoints_pressing <= 9);
	EXPECT(stats.checkpoints >= 2); /* the others do nothing */
	EXPECT(size_of("pressing.db-wal") < 11 * WORTH * PAGE_IN_LOG);
	qrt_db_close(cx, &db);
	return QRT_OK;
}

static void a_log_that_grows_too_long_is_folded_in_between_writes(void **state)
{
	(void)state;
	db_on_each_backend(pressing, NULL);
}

static enum qrt_err failing(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct qrt_db *db = NULL;
	EXPECT(open_with_tables(cx, "failing.db", &db) == QRT_OK);
	fold_by(db, says_broken);
	EXPECT(db_write_by(cx, db, &other) == QRT_OK);
	EXPECT(fill(cx, db, 20) == QRT_OK); /* it is nobody's failure */
	struct qrt_db_stats stats = stats_of(db);
	EXPECT(stats.checkpoints == 0);
	EXPECT(stats.checkpoints_failed == atomic_load(&seen.tries));
	EXPECT(stats.checkpoints_failed >= 4 && stats.checkpoints_failed <= 12);
	EXPECT(db_reads(cx, db, "SELECT count(*) FROM heap", "1000"));
	qrt_db_close(cx, &db);
	return QRT_OK;
}

static void one_that_fails_is_counted_and_tried_later(void **state)
{
	(void)state;
	db_on_each_backend(failing, NULL);
}

/* --- and the closing ------------------------------------------------------------------------ */

static void note_interrupt(void *native)
{
	qrt__db_sqlite.interrupt(native);
	atomic_store(&seen.interrupted, true);
}

/* Goes on until it is interrupted, and then does what SQLite does. */
static enum qrt_err endless(void *native, bool truncate, struct qrt__db_fold *ret_fold)
{
	atomic_store(&seen.inside, true);
	while (!atomic_load(&seen.interrupted)) {
		sched_yield();
	}
	return qrt__db_sqlite.checkpoint(native, truncate, ret_fold);
}

enum place { IN_TASK, IN_CANCELLED_TASK, IN_FINALIZER };

struct closing {
	enum place place;
	bool at_once; /* before it has begun */
	struct qrt_db *db;
};

static void close_it(struct qrt_cx *cx, void *arg)
{
	struct closing *closing = arg;
	qrt_db_close(cx, &closing->db);
}

static enum qrt_err closer(struct qrt_cx *cx, void *arg)
{
	struct closing *closing = arg;
	enum qrt_err err = QRT_OK;
	if (closing->place == IN_FINALIZER) {
		return qrt_defer(cx, close_it, closing);
	}
	if (closing->place == IN_CANCELLED_TASK) {
		err = qrt_sleep(cx, QRT_SEC);
		err = err == QRT_ECANCELED ? QRT_OK : QRT_EFAILED;
	}
	close_it(cx, closing);
	return err;
}

static enum qrt_err closed_over_it(struct qrt_cx *cx, void *arg)
{
	struct closing closing = *(const struct closing *)arg;
	struct qrt_region *region;
	enum qrt_err err = open_with_tables(cx, "closed.db", &closing.db);
	EXPECT(!err);
	if (!qrt_in_lab(cx)) {
		fold_by(closing.db, endless);
		other.interrupt = note_interrupt;
	}
	EXPECT(db_write(cx, closing.db, FILL(200)) == QRT_OK);
	EXPECT(closing.db->log.at_work);
	while (!closing.at_once && !qrt_in_lab(cx) && !atomic_load(&seen.inside)) {
		EXPECT(qrt_yield(cx) == QRT_OK);
	}
	EXPECT(qrt_region_open(cx, QRT_COLLECT, &region) == QRT_OK);
	EXPECT(qrt_spawn(region, closer, &closing) == QRT_OK);
	EXPECT(qrt_yield(cx) == QRT_OK);
	if (closing.place == IN_CANCELLED_TASK) {
		qrt_region_cancel(region, QRT_CANCEL_USER, "enough");
	}
	EXPECT(qrt_region_close(cx, &region, QRT_OK) == QRT_OK);
	EXPECT(!closing.db);
	EXPECT(size_of("closed.db-wal") == -1); /* it has been folded in by the closing */
	EXPECT(db_open(cx, "closed.db", &with_one_reader, &closing.db) == QRT_OK);
	EXPECT(db_reads(cx, closing.db, "SELECT count(*) FROM heap", "200"));
	qrt_db_close(cx, &closing.db);
	return QRT_OK;
}

static void a_closing_breaks_it_off_and_waits_for_it(void **state)
{
	(void)state;
	for (int i = 0; i < 6; i++) {
		struct closing closing = {.place = (enum place)(i / 2), .at_once = i % 2};
		db_on_each_backend(closed_over_it, &closing);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_log_is_folded_in_and_begins_anew),
	    cmocka_unit_test(writers_go_on_while_it_is_folded_in),
	    cmocka_unit_test(a_reader_keeps_the_log_and_stops_nobody),
	    cmocka_unit_test(a_log_that_grows_too_long_is_folded_in_between_writes),
	    cmocka_unit_test(one_that_fails_is_counted_and_tried_later),
	    cmocka_unit_test(a_closing_breaks_it_off_and_waits_for_it),
	};
	return cmocka_run_group_tests_name("db_checkpoint", tests, db_make_folder,
					   db_remove_folder);
}
