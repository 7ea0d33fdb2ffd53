/*
 * Reads that are declared short: on the loop where that is promised, on a
 * lane elsewhere and whenever they are not short after all. On every backend.
 */
#include "tests/lib/test.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include <qrt/lab.h>

#include "shim/src/db/internal.h"
#include "tests/lib/backends.h"
#include "tests/lib/database.h"

#define COUNT "WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < ?1) "

struct count {
	int64_t up_to;
	int64_t found;
	int runs;
	bool swallow; /* answers OK whatever happened */
	bool go_on;   /* on a lane it has no end */
	pthread_t first, last;
	atomic_bool on_lane;
};

static enum qrt_err count_to(struct qrt_db_conn *conn, int64_t up_to, int64_t *ret_found)
{
	QRT_AUTO_STMT rows = NULL;
	enum qrt_err err = qrt_db_prepare(conn, COUNT "SELECT max(i) FROM c", &rows);
	if (!err) {
		qrt_db_bind_int(rows, 1, up_to);
	}
	while (qrt_db_next(rows, &err)) {
		*ret_found = qrt_db_int(rows, 0);
	}
	return err;
}

static enum qrt_err count_job(struct qrt_db_conn *conn, void *arg)
{
	struct count *count = arg;
	count->found = -1;
	count->last = pthread_self();
	if (count->runs++ == 0) {
		count->first = pthread_self();
	}
	atomic_store(&count->on_lane, !conn->on_loop);
	enum qrt_err err = count_to(conn, count->up_to, &count->found);
	while (!err && count->go_on && !conn->on_loop) {
		err = count_to(conn, conn->interruptible ? INT64_MAX : 9, &count->found);
	}
	return count->swallow ? QRT_OK : err;
}

static struct qrt_db_stats stats_of(struct qrt_db *db)
{
	struct qrt_db_stats stats;
	qrt_db_stats(db, &stats);
	return stats;
}

static bool here(pthread_t thread)
{
	return pthread_equal(thread, pthread_self());
}

static enum qrt_err short_ones(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct qrt_db *db = NULL;
	EXPECT(db_open(cx, "short.db", NULL, &db) == QRT_OK);
	for (int i = 0; i < 100; i++) { /* a statement counts its steps through all its runs */
		struct count count = {.up_to = 20};
		EXPECT(qrt_db_read_short(cx, db, count_job, &count) == QRT_OK);
		EXPECT(count.found == 20);
		EXPECT(count.runs == 1);
		EXPECT(!is_structured(cx) || here(count.first));
		EXPECT(qrt_in_lab(cx) || is_structured(cx) == here(count.first));
	}
	struct qrt_db_stats stats = stats_of(db);
	EXPECT(stats.shorts == (is_structured(cx) ? 100 : 0));
	EXPECT(stats.reads == (is_structured(cx) ? 0 : 100));
	EXPECT(stats.fallbacks == 0);
	qrt_db_close(cx, &db);
	return QRT_OK;
}

static void a_short_read_runs_on_the_loop_where_promised(void **state)
{
	(void)state;
	db_on_each_backend(short_ones, NULL);
}

static enum qrt_err long_ones(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct qrt_db *db = NULL;
	EXPECT(db_open(cx, "long.db", NULL, &db) == QRT_OK);
	for (int i = 0; i < 3; i++) {
		struct count count = {.up_to = 5000, .swallow = i == 2};
		EXPECT(qrt_db_read_short(cx, db, count_job, &count) == QRT_OK);
		EXPECT(count.found == 5000);
		EXPECT(count.runs == (is_structured(cx) ? 2 : 1));
		EXPECT(qrt_in_lab(cx) || !here(count.last));
	}
	EXPECT(stats_of(db).fallbacks == (is_structured(cx) ? 3 : 0));
	EXPECT(stats_of(db).reads == 3);
	/* The connection goes on. */
	struct count count = {.up_to = 20};
	EXPECT(qrt_db_read_short(cx, db, count_job, &count) == QRT_OK);
	EXPECT(count.runs == 1);
	qrt_db_close(cx, &db);
	return QRT_OK;
}

static void one_that_is_not_short_is_run_once_more_on_a_lane(void **state)
{
	(void)state;
	db_on_each_backend(long_ones, NULL);
}

/* Each is nothing, and has no time to be asked; all of them are much. */
static enum qrt_err many_job(struct qrt_db_conn *conn, void *arg)
{
	struct count *count = arg;
	enum qrt_err err = QRT_OK;
	count->runs++;
	count->found = 0;
	for (int i = 0; i < 300 && !err; i++) {
		QRT_AUTO_STMT rows = NULL;
		char sql[40];
		snprintf(sql, sizeof(sql), "SELECT %d", i);
		err = qrt_db_prepare(conn, sql, &rows);
		while (qrt_db_next(rows, &err)) {
			count->found++;
		}
	}
	return err;
}

static enum qrt_err many_little_ones(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct qrt_db *db = NULL;
	struct count count = {0};
	EXPECT(db_open(cx, "many.db", NULL, &db) == QRT_OK);
	EXPECT(qrt_db_read_short(cx, db, many_job, &count) == QRT_OK);
	EXPECT(count.found == 300);
	EXPECT(count.runs == (is_structured(cx) ? 2 : 1));
	qrt_db_close(cx, &db);
	return QRT_OK;
}

static void many_short_statements_are_no_short_read(void **state)
{
	(void)state;
	db_on_each_backend(many_little_ones, NULL);
}

static enum qrt_err error_job(struct qrt_db_conn *conn, void *arg)
{
	const char *sql = arg;
	return strcmp(sql, "no") == 0 ? qrt_db_fail(conn, QRT_ENOENT, "there is no %d", 7)
				      : qrt_db_exec(conn, sql);
}

static enum qrt_err forgetful_job(struct qrt_db_conn *conn, void *arg)
{
	(void)arg;
	struct qrt_db_stmt *stmt = NULL;
	return qrt_db_prepare(conn, "SELECT 5", &stmt);
}

static enum qrt_err errors(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct qrt_db *db = NULL;
	struct qrt_region *region;
	EXPECT(db_open(cx, "errors.db", NULL, &db) == QRT_OK);
	EXPECT(db_write(cx, db, DB_TABLES "; INSERT INTO t VALUES (1)") == QRT_OK);
	EXPECT(qrt_db_read_short(cx, db, error_job, "no") == QRT_ENOENT);
	EXPECT(strcmp(qrt_detail(cx), "there is no 7") == 0);
	EXPECT(qrt_db_read_short(cx, db, error_job, "SELECT x FROM t") == QRT_EFAILED);
	EXPECT(strcmp(qrt_detail(cx), "no such column: x in: SELECT x FROM t") == 0);
	EXPECT(qrt_db_read_short(cx, db, error_job, "DELETE FROM t") == QRT_ESTATE);
	EXPECT(qrt_db_read_short(cx, db, error_job, "COMMIT") == QRT_ESTATE);
	EXPECT(qrt_db_read_short(cx, db, forgetful_job, NULL) == QRT_ESTATE);
	EXPECT(strcmp(qrt_detail(cx), "statement not finished: SELECT 5") == 0);
	EXPECT(db_reads(cx, db, "SELECT count(*) FROM t", "1"));
	/* It is a call that may wait: authority, deadline and the end are looked at first. */
	const struct qrt_region_options bare = {.caps = QRT_CAP_TIME};
	EXPECT(qrt_region_open_with(cx, &bare, &region) == QRT_OK);
	struct count count = {.up_to = 2};
	EXPECT(qrt_db_read_short(qrt_region_cx(region), db, count_job, &count) == QRT_ENOTCAPABLE);
	EXPECT(qrt_region_close(cx, &region, QRT_OK) == QRT_OK);
	const struct qrt_region_options late = {.budget.deadline_ns = 1};
	EXPECT(qrt_region_open_with(cx, &late, &region) == QRT_OK);
	EXPECT(qrt_db_read_short(qrt_region_cx(region), db, count_job, &count) == QRT_ETIMEDOUT);
	QRT_IGNORE(qrt_region_close(cx, &region, QRT_OK), "it is late");
	EXPECT(count.runs == 0);
	qrt_db_close(cx, &db);
	return QRT_OK;
}

static void errors_are_the_same_wherever_it_runs(void **state)
{
	(void)state;
	db_on_each_backend(errors, NULL);
}

struct reader {
	struct qrt_db *db;
	struct count count;
	enum qrt_err err;
};

static enum qrt_err reader_task(struct qrt_cx *cx, void *arg)
{
	struct reader *reader = arg;
	reader->err = qrt_db_read_short(cx, reader->db, count_job, &reader->count);
	return QRT_OK;
}

static enum qrt_err cancelled(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct qrt_region *region;
	struct reader reader = {.count = {.up_to = 5000, .go_on = true}};
	if (qrt_in_lab(cx)) {
		return QRT_OK; /* a job is one step there */
	}
	EXPECT(db_open(cx, "cancel.db", NULL, &reader.db) == QRT_OK);
	EXPECT(qrt_region_open(cx, QRT_COLLECT, &region) == QRT_OK);
	enum qrt_err err = qrt_spawn(region, reader_task, &reader);
	while (!err && !atomic_load(&reader.count.on_lane)) {
		err = qrt_yield(cx);
	}
	qrt_region_cancel(region, QRT_CANCEL_USER, "test");
	EXPECT(qrt_region_close(cx, &region, err) == QRT_OK);
	EXPECT(reader.err == QRT_ECANCELED);
	EXPECT(db_reads(cx, reader.db, "SELECT 5", "5"));
	qrt_db_close(cx, &reader.db);
	return QRT_OK;
}

static void once_on_a_lane_it_is_cancelled_like_others(void **state)
{
	(void)state;
	db_on_each_backend(cancelled, NULL);
}

/* Two statements see one snapshot, whoever writes in between. */
static enum qrt_err snapshots(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct qrt_db *db = NULL;
	struct count count = {.up_to = 3};
	const struct qrt_db_options opts = {.readers = 1, .checkpoint_pages = 1};
	EXPECT(db_open(cx, "fresh.db", &opts, &db) == QRT_OK);
	EXPECT(db_write(cx, db, DB_TABLES) == QRT_OK);
	for (int i = 1; i < 20; i++) {
		char sql[100];
		struct qrt_db_stats before = stats_of(db);
		snprintf(sql, sizeof(sql), "INSERT INTO t VALUES (%d)", i);
		EXPECT(db_write(cx, db, sql) == QRT_OK);
		EXPECT(qrt_db_read_short(cx, db, error_job,
					 "SELECT 1 / (count(*) > 0) FROM t; SELECT n FROM t") ==
		       QRT_OK);
		EXPECT(stats_of(db).fallbacks == before.fallbacks);
	}
	/* A new schema is learnt on the way. */
	EXPECT(db_write(cx, db, "ALTER TABLE t ADD COLUMN x") == QRT_OK);
	EXPECT(qrt_db_read_short(cx, db, count_job, &count) == QRT_OK);
	EXPECT(qrt_db_read_short(cx, db, error_job, "SELECT x FROM t") == QRT_OK);
	/* It holds no snapshot: the log can be folded in to its end. */
	EXPECT(db_write(cx, db, "INSERT INTO heap VALUES (1)") == QRT_OK);
	EXPECT(db_rest(cx, db) == QRT_OK);
	EXPECT(stats_of(db).log_pages == 0);
	qrt_db_close(cx, &db);
	return QRT_OK;
}

static void it_sees_what_was_committed_before_and_holds_nothing(void **state)
{
	(void)state;
	db_on_each_backend(snapshots, NULL);
}

/* Statements of one read, and somebody who commits before the last of them. */
struct pair {
	struct qrt_db *db;
	enum { TWICE, THRICE, ON_ROW, LIST_LAST, LIST_FIRST, PAIR_KINDS } how;
	bool meddle;
	bool on_loop; /* at first */
	int64_t first, last;
};

static enum qrt_err meddle(const struct pair *pair, const struct qrt_db_conn *conn)
{
	/* The writer's lane has nothing to do. */
	const struct qrt_db_conn *writer = &pair->db->writer;
	return pair->meddle && conn->on_loop
		   ? writer->engine->exec(writer->native, "INSERT INTO t SELECT count(*) FROM t")
		   : QRT_OK;
}

static enum qrt_err count_rows(struct qrt_db_conn *conn, struct pair *pair, int64_t *ret_n)
{
	QRT_AUTO_STMT rows = NULL;
	bool row = false;
	enum qrt_err err = qrt_db_prepare(conn, "SELECT count(*) FROM t", &rows);
	err = err ? err : qrt_db_step(rows, &row);
	*ret_n = row ? qrt_db_int(rows, 0) : -1;
	if (!err && pair->how == ON_ROW && ret_n == &pair->first) {
		err = meddle(pair, conn);
		err = err ? err : count_rows(conn, pair, &pair->last);
	}
	return err;
}

static enum qrt_err pair_job(struct qrt_db_conn *conn, void *arg)
{
	static const char list[] = "SELECT n FROM t; SELECT n FROM t";
	struct pair *pair = arg;
	pair->on_loop |= conn->on_loop;
	enum qrt_err err = pair->how == LIST_FIRST ? qrt_db_exec(conn, list)
						   : count_rows(conn, pair, &pair->first);
	if (!err && pair->how == THRICE) {
		err = count_rows(conn, pair, &pair->first);
	}
	if (err || pair->how == ON_ROW) {
		return err;
	}
	err = meddle(pair, conn);
	if (!err && pair->how == LIST_LAST) {
		pair->last = pair->first;
		return qrt_db_exec(conn, list);
	}
	err = err ? err : count_rows(conn, pair, &pair->last);
	pair->first = pair->how == LIST_FIRST ? pair->last : pair->first;
	return err;
}

static enum qrt_err pairs(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct qrt_db *db = NULL;
	EXPECT(db_open(cx, "pairs.db", NULL, &db) == QRT_OK);
	EXPECT(db_write(cx, db, DB_TABLES "; INSERT INTO t VALUES (0)") == QRT_OK);
	for (unsigned i = 0; i < 4 * PAIR_KINDS; i++) {
		struct pair pair = {.db = db, .how = i % PAIR_KINDS, .meddle = i / PAIR_KINDS % 2};
		struct qrt_db_stats before = stats_of(db);
		EXPECT(qrt_db_read_short(cx, db, pair_job, &pair) == QRT_OK);
		EXPECT(pair.first > 0);
		EXPECT(pair.first == pair.last);
		/* The others hold what they see by then. */
		bool alone = pair.how == TWICE || pair.how == LIST_LAST;
		bool torn = pair.on_loop && pair.meddle && alone;
		EXPECT(stats_of(db).fallbacks - before.fallbacks == torn);
	}
	qrt_db_close(cx, &db);
	return QRT_OK;
}

static void all_statements_of_one_see_one_state(void **state)
{
	(void)state;
	db_on_each_backend(pairs, NULL);
}

static enum qrt_err types_job(struct qrt_db_conn *conn, void *arg)
{
	static const char blob[] = {0, 1, 0, 2};
	(void)arg;
	size_t n = 0;
	QRT_AUTO_STMT rows = NULL;
	enum qrt_err err = qrt_db_prepare(conn, "SELECT ?1, ?2, ?3, ?4, ?5, ?6", &rows);
	if (err) {
		return err;
	}
	qrt_db_bind_double(rows, 1, -0.5);
	qrt_db_bind_blob(rows, 2, blob, sizeof(blob));
	qrt_db_bind_blob(rows, 3, "", 0);
	qrt_db_bind_blob(rows, 4, NULL, 0);
	qrt_db_bind_bool(rows, 5, true);
	qrt_db_bind_text(rows, 6, "2.5");
	int seen = 0;
	while (qrt_db_next(rows, &err)) {
		const void *data = qrt_db_blob(rows, 1, &n);
		bool right = qrt_db_double(rows, 0) == -0.5 && n == sizeof(blob) &&
			     memcmp(data, blob, n) == 0 && qrt_db_type(rows, 0) == QRT_DB_DOUBLE &&
			     qrt_db_type(rows, 1) == QRT_DB_BLOB &&
			     qrt_db_type(rows, 2) == QRT_DB_BLOB && !qrt_db_is_null(rows, 2) &&
			     qrt_db_type(rows, 3) == QRT_DB_NULL && qrt_db_bool(rows, 4) &&
			     qrt_db_type(rows, 4) == QRT_DB_INT &&
			     qrt_db_type(rows, 5) == QRT_DB_TEXT && qrt_db_double(rows, 5) == 2.5 &&
			     qrt_db_type(rows, 9) == QRT_DB_NULL;
		data = qrt_db_blob(rows, 2, &n);
		seen += right && n == 0 && !data;
	}
	err = seen == 1 ? err : qrt_db_fail(conn, QRT_EFAILED, "types");
	/* An error that stands is kept, and nothing is stepped: the body of a loop may set it. */
	enum qrt_err stands = QRT_ENOENT;
	return qrt_db_next(NULL, &stands) || stands != QRT_ENOENT ? QRT_EFAILED : err;
}

static enum qrt_err types(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct qrt_db *db = NULL;
	EXPECT(db_open(cx, "types.db", NULL, &db) == QRT_OK);
	EXPECT(qrt_db_read_short(cx, db, types_job, NULL) == QRT_OK);
	EXPECT(qrt_db_read(cx, db, types_job, NULL) == QRT_OK);
	qrt_db_close(cx, &db);
	return QRT_OK;
}

static void every_type_comes_back_as_it_went_in(void **state)
{
	(void)state;
	db_on_each_backend(types, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_short_read_runs_on_the_loop_where_promised),
	    cmocka_unit_test(one_that_is_not_short_is_run_once_more_on_a_lane),
	    cmocka_unit_test(many_short_statements_are_no_short_read),
	    cmocka_unit_test(errors_are_the_same_wherever_it_runs),
	    cmocka_unit_test(once_on_a_lane_it_is_cancelled_like_others),
	    cmocka_unit_test(it_sees_what_was_committed_before_and_holds_nothing),
	    cmocka_unit_test(all_statements_of_one_see_one_state),
	    cmocka_unit_test(every_type_comes_back_as_it_went_in),
	};
	return cmocka_run_group_tests_name("db_short", tests, db_make_folder, db_remove_folder);
}
