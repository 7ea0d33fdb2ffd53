/*
 * What a database costs through qrt, beside the same statements on SQLite by
 * hand:
 *
 *	bench_db --list           the rows: name, unit, what one operation is
 *	bench_db ROW WHO N        one run of one row (bench.h says what it prints)
 *
 * WHO is a backend of the build, or "bare". The file is made in the folder
 * BENCH_DIR, the current one unless told otherwise: what is synced should be a
 * real disk. runtime.sh puts the runs side by side. Never judges a figure.
 */
#include <string.h>
#include <sys/stat.h>

#include <sqlite3.h>

#include <qrt/db.h>
#include <qrt/region.h>

#include "tests/bench/bench_rows.h"

enum { WRITERS = 64, KEYS = 1000 };

#define FILL                                                                                       \
	"CREATE TABLE t (k INTEGER PRIMARY KEY, v TEXT NOT NULL);"                                 \
	"WITH RECURSIVE c(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM c WHERE i < 999)"            \
	" INSERT INTO t SELECT i, printf('%0200d', i) FROM c"
#define LOOK "SELECT v FROM t WHERE k = ?1"
#define ADD "INSERT INTO t (v) VALUES (?1)"

static const char text[] = "two hundred bytes, as a row of a small table has them; padded, padded,"
			   " padded, padded, padded, padded, padded, padded, padded, padded, padded"
			   ", padded, padded, padded, padded, padded, padded, padded, pad";

static char folder[200], path[240];

/* --- through qrt ---------------------------------------------------------------------------- */

struct job {
	struct qrt_db *db;
	int64_t key;
	size_t n; /* of a writer: how many rows */
};

static enum qrt_err fill(struct qrt_db_conn *conn, void *arg)
{
	(void)arg;
	return qrt_db_exec(conn, FILL);
}

static enum qrt_err look(struct qrt_db_conn *conn, void *arg)
{
	struct job *job = arg;
	QRT_AUTO_STMT rows = NULL;
	enum qrt_err err = qrt_db_prepare(conn, LOOK, &rows);
	if (!err) {
		qrt_db_bind_int(rows, 1, job->key);
	}
	while (qrt_db_next(rows, &err)) {
		BENCH_KEEP(qrt_db_text(rows, 0));
	}
	return err;
}

static enum qrt_err add(struct qrt_db_conn *conn, void *arg)
{
	(void)arg;
	QRT_AUTO_STMT row = NULL;
	enum qrt_err err = qrt_db_prepare(conn, ADD, &row);
	if (!err) {
		qrt_db_bind_text(row, 1, text);
		err = qrt_db_run(row);
	}
	return err;
}

static enum qrt_err open_db(struct qrt_cx *cx, struct qrt_db **ret_db)
{
	char url[300];
	snprintf(url, sizeof(url), "sqlite://%s", path);
	const struct qrt_db_options opts = {.url = url, .synchronous_full = true};
	enum qrt_err err = qrt_db_open(cx, &opts, ret_db);
	return err ? err : qrt_db_write(cx, *ret_db, fill, NULL);
}

typedef enum qrt_err read_fn(struct qrt_cx *cx, struct qrt_db *db, qrt_db_job_fn *job, void *arg);

static enum qrt_err reads(struct qrt_cx *cx, struct bench *bench, read_fn *read)
{
	struct job job = {0};
	enum qrt_err err = open_db(cx, &job.db);
	for (size_t i = 0; i < BENCH_WARM && !err; i++) {
		err = read(cx, job.db, look, &job);
	}
	bench_go(bench);
	for (size_t i = 0; i < bench->n && !err; i++) {
		job.key = (int64_t)(i % KEYS);
		err = read(cx, job.db, look, &job);
	}
	bench_halt(bench);
	qrt_db_close(cx, &job.db);
	return err;
}

static enum qrt_err row_short(struct qrt_cx *cx, void *arg)
{
	return reads(cx, arg, qrt_db_read_short);
}

static enum qrt_err row_lane(struct qrt_cx *cx, void *arg)
{
	return reads(cx, arg, qrt_db_read);
}

static enum qrt_err writer(struct qrt_cx *cx, void *arg)
{
	const struct job *job = arg;
	enum qrt_err err = QRT_OK;
	for (size_t i = 0; i < job->n && !err; i++) {
		err = qrt_db_write(cx, job->db, add, NULL);
	}
	return err;
}

static enum qrt_err writes(struct qrt_cx *cx, struct bench *bench, size_t n_writers)
{
	struct job job = {.n = (bench->n + n_writers - 1) / n_writers};
	struct qrt_region *region;
	enum qrt_err err = open_db(cx, &job.db);
	if (!err) {
		err = qrt_region_open(cx, QRT_FAIL_FAST, &region);
	}
	if (err) {
		qrt_db_close(cx, &job.db);
		return err;
	}
	bench->n = job.n * n_writers;
	bench_go(bench);
	for (size_t i = 0; i < n_writers && !err; i++) {
		err = qrt_spawn(region, writer, &job);
	}
	err = qrt_region_close(cx, &region, err);
	bench_halt(bench);
	qrt_db_close(cx, &job.db);
	return err;
}

static enum qrt_err row_write(struct qrt_cx *cx, void *arg)
{
	return writes(cx, arg, 1);
}

static enum qrt_err row_group(struct qrt_cx *cx, void *arg)
{
	return writes(cx, arg, WRITERS);
}

/* --- by hand -------------------------------------------------------------------------------- */

static sqlite3_stmt *bare_open(sqlite3 **ret_db, const char *sql)
{
	sqlite3_stmt *stmt = NULL;
	if (sqlite3_open_v2(path, ret_db,
			    SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
			    NULL) ||
	    sqlite3_exec(*ret_db, "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;" FILL, NULL,
			 NULL, NULL) ||
	    sqlite3_prepare_v3(*ret_db, sql, -1, SQLITE_PREPARE_PERSISTENT, &stmt, NULL)) {
		fprintf(stderr, "bench_db: %s: %s\n", path, sqlite3_errmsg(*ret_db));
		exit(1);
	}
	return stmt;
}

/* Each a transaction of its own. */
static void bare_reads(struct bench *bench)
{
	sqlite3 *db;
	sqlite3_stmt *stmt = bare_open(&db, LOOK);
	for (size_t i = 0; i < BENCH_WARM + bench->n; i++) {
		if (i == BENCH_WARM) {
			bench_go(bench);
		}
		sqlite3_bind_int64(stmt, 1, (int64_t)(i % KEYS));
		while (sqlite3_step(stmt) == SQLITE_ROW) {
			BENCH_KEEP(sqlite3_column_text(stmt, 0));
		}
		sqlite3_reset(stmt);
	}
	bench_halt(bench);
	sqlite3_finalize(stmt);
	sqlite3_close(db);
}

static void bare_writes(struct bench *bench)
{
	sqlite3 *db;
	sqlite3_stmt *stmt = bare_open(&db, ADD);
	bench_go(bench);
	for (size_t i = 0; i < bench->n; i++) {
		sqlite3_bind_text(stmt, 1, text, -1, SQLITE_TRANSIENT);
		if (sqlite3_step(stmt) != SQLITE_DONE) {
			fprintf(stderr, "bench_db: %s\n", sqlite3_errmsg(db));
			exit(1);
		}
		sqlite3_reset(stmt);
	}
	bench_halt(bench);
	sqlite3_finalize(stmt);
	sqlite3_close(db);
}

/* --- rows ----------------------------------------------------------------------------------- */

static const struct bench_row rows[] = {
    {"db-short", "ns", "a row by its key, declared short", row_short},
    {"db-lane", "ns", "a row by its key, on a lane", row_lane},
    {"db-write", "ns", "a row written and synced, one writer", row_write},
    {"db-write-64", "ns", "a row written and synced, 64 writers", row_group},
};

static bool bare(const char *row, struct bench *bench)
{
	if (strncmp(row, "db-write", 8) == 0) {
		bare_writes(bench);
	} else {
		bare_reads(bench);
	}
	return true;
}

int main(int argc, char **argv)
{
	const struct bench_rows all = {
	    .program = "bench_db", .rows = rows, .n = sizeof(rows) / sizeof(rows[0]), .bare = bare};
	const char *at = getenv("BENCH_DIR");
	if (argc != 4) {
		return bench_rows_main(&all, argc, argv); /* runs nothing, so it needs no folder */
	}
	snprintf(folder, sizeof(folder), "%.150s/bench-db-XXXXXX", at ? at : ".");
	if (!mkdtemp(folder)) {
		perror("bench_db: mkdtemp");
		return 1;
	}
	snprintf(path, sizeof(path), "%s/b.db", folder);
	int code = bench_rows_main(&all, argc, argv);
	unlink(path);
	rmdir(folder);
	return code;
}
