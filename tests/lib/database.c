/* Databases for tests; see database.h. */
#include "tests/lib/database.h"

#include <dirent.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <qrt/lab.h>
#include <qrt/runtime.h>
#include <sqlite3.h>

#include "shim/src/db/internal.h"
#include "tests/lib/backends.h"

static char folder[200];

static void empty_folder(void)
{
	DIR *dir = opendir(folder);
	struct dirent *entry;
	while (dir && (entry = readdir(dir))) {
		char path[500];
		snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
		(void)unlink(path);
	}
	if (dir) {
		closedir(dir);
	}
}

/* --- a function of SQL's that tells where a statement is -------------------------------------- */

/* They go one by one, on the lane that writes. */
static _Atomic(struct db_writer *) at_work;

/* busy(x) is x. A row that asks for it has been reached: the statement runs. */
static void busy(sqlite3_context *call, int n, sqlite3_value **args)
{
	struct db_writer *writer = atomic_load(&at_work);
	(void)n;
	if (writer) {
		atomic_store(&writer->busy, true);
	}
	sqlite3_result_value(call, args[0]);
}

static int give_busy(sqlite3 *db)
{
	return sqlite3_create_function(db, "busy", 1, SQLITE_UTF8, NULL, busy, NULL, NULL);
}

/* --- a folder, and databases in it ------------------------------------------------------------ */

int db_make_folder(void **state)
{
	(void)state;
	const char *tmp = getenv("TMPDIR");
	snprintf(folder, sizeof(folder), "%s/qrt-db-XXXXXX", tmp ? tmp : "/tmp");
	/* SQLite calls it as what give_busy is: its manual wants the cast. */
	return sqlite3_auto_extension((void (*)(void))give_busy) || !mkdtemp(folder) ? -1 : 0;
}

int db_remove_folder(void **state)
{
	(void)state;
	empty_folder();
	return rmdir(folder);
}

const char *db_path(const char *name, char buf[DB_PATH_SIZE])
{
	snprintf(buf, DB_PATH_SIZE, "%s/%s", folder, name);
	return buf;
}

const char *db_url(const char *name, char buf[DB_PATH_SIZE])
{
	snprintf(buf, DB_PATH_SIZE, "sqlite://%s/%s", folder, name);
	return buf;
}

struct cleared {
	qrt_task_fn *scenario;
	void *arg;
};

static enum qrt_err run_cleared(struct qrt_cx *cx, void *arg)
{
	const struct cleared *cleared = arg;
	empty_folder();
	return cleared->scenario(cx, cleared->arg);
}

void db_on_each_backend(qrt_task_fn *scenario, void *arg)
{
	struct cleared cleared = {.scenario = scenario, .arg = arg};
	on_each_backend(run_cleared, &cleared);
}

enum qrt_err db_open(struct qrt_cx *cx, const char *name, const struct qrt_db_options *opts,
		     struct qrt_db **ret_db)
{
	char url[DB_PATH_SIZE];
	struct qrt_db_options own = opts ? *opts : (struct qrt_db_options){.readers = 2};
	own.url = db_url(name, url);
	return qrt_db_open(cx, &own, ret_db);
}

static enum qrt_err exec_job(struct qrt_db_conn *conn, void *arg)
{
	return qrt_db_exec(conn, *(const char **)arg);
}

enum qrt_err db_write(struct qrt_cx *cx, struct qrt_db *db, const char *sql)
{
	return qrt_db_write_alone(cx, db, exec_job, &sql);
}

struct one {
	const char *sql;
	char text[200];
};

static enum qrt_err one_job(struct qrt_db_conn *conn, void *arg)
{
	struct one *one = arg;
	QRT_AUTO_STMT rows = NULL;
	enum qrt_err err = qrt_db_prepare(conn, one->sql, &rows);
	if (qrt_db_next(rows, &err)) {
		const char *text = qrt_db_text(rows, 0);
		snprintf(one->text, sizeof(one->text), "%s", text ? text : "null");
	}
	return err;
}

bool db_reads(struct qrt_cx *cx, struct qrt_db *db, const char *sql, const char *want)
{
	struct one one = {.sql = sql};
	enum qrt_err err = qrt_db_read(cx, db, one_job, &one);
	bool right = !err && strcmp(one.text, want) == 0;
	if (!right) {
		fprintf(stderr, "%s: %s \"%s\", not \"%s\"\n", sql, qrt_err_name(err), one.text,
			want);
	}
	return right;
}

static enum qrt_err swap_job(struct qrt_db_conn *conn, void *arg)
{
	conn->engine = *(const struct qrt__db_engine **)arg;
	return QRT_ECONFLICT; /* nothing is committed, by neither */
}

enum qrt_err db_write_by(struct qrt_cx *cx, struct qrt_db *db, const struct qrt__db_engine *engine)
{
	enum qrt_err err = qrt_db_write_alone(cx, db, swap_job, &engine);
	return err == QRT_ECONFLICT ? QRT_OK : QRT_EFAILED;
}

enum qrt_err db_rest(struct qrt_cx *cx, struct qrt_db *db)
{
	enum qrt_err err = QRT_OK;
	while (!err && db->log.at_work) {
		err = qrt_sleep(cx, 100 * 1000); /* in the lab the time must pass */
	}
	return err;
}

/* --- writers -------------------------------------------------------------------------------- */

/* For good where it can be interrupted; elsewhere one of so many short ones. */
static enum qrt_err go_on(struct qrt_db_conn *conn, struct db_writer *writer, const char *before)
{
	char sql[200];
	snprintf(sql, sizeof(sql),
		 "%s WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c%s) "
		 "SELECT busy(i) FROM c",
		 before, writer->interruptible ? "" : " WHERE i < 99");
	enum qrt_err err = QRT_OK;
	atomic_store(&at_work, writer);
	while (!err) {
		err = qrt_db_exec(conn, sql);
	}
	atomic_store(&at_work, NULL);
	return err;
}

static enum qrt_err play(struct qrt_db_conn *conn, struct db_writer *writer)
{
	char sql[100];
	switch (writer->play) {
	case DB_REFUSE:
		return qrt_db_fail(conn, QRT_ECONFLICT, "number %d says no", writer->number);
	case DB_VIOLATE:
		snprintf(sql, sizeof(sql), "INSERT INTO t VALUES (%d)", writer->number);
		return qrt_db_exec(conn, sql);
	case DB_LOSE:
		snprintf(sql, sizeof(sql), "INSERT OR ROLLBACK INTO t VALUES (%d)", writer->number);
		QRT_IGNORE(qrt_db_exec(conn, sql), "its point");
		return QRT_OK;
	case DB_OWE:
		snprintf(sql, sizeof(sql), "INSERT INTO owes VALUES (%d)", writer->number + 1000);
		return qrt_db_exec(conn, sql);
	case DB_SELECT_ON:
		return go_on(conn, writer, "");
	case DB_INSERT_ON:
		return go_on(conn, writer, "INSERT INTO heap");
	case DB_WAIT:
		while (!writer->in_lab && !atomic_load(&writer->go)) {
			sched_yield();
		}
		return QRT_OK;
	default:
		return QRT_OK;
	}
}

static enum qrt_err writer_job(struct qrt_db_conn *conn, void *arg)
{
	struct db_writer *writer = arg;
	char sql[100];
	snprintf(sql, sizeof(sql), "INSERT INTO t VALUES (%d)", writer->number);
	atomic_fetch_add(&writer->runs, 1);
	enum qrt_err err = qrt_db_exec(conn, sql);
	atomic_store(&writer->inside, true);
	return err ? err : play(conn, writer);
}

enum qrt_err db_writer_task(struct qrt_cx *cx, void *arg)
{
	struct db_writer *writer = arg;
	writer->interruptible = is_structured(cx);
	writer->in_lab = qrt_in_lab(cx);
	writer->err = writer->alone ? qrt_db_write_alone(cx, writer->db, writer_job, writer)
				    : qrt_db_write(cx, writer->db, writer_job, writer);
	snprintf(writer->detail, sizeof(writer->detail), "%s", writer->err ? qrt_detail(cx) : "");
	writer->ended = true;
	return QRT_OK;
}

enum qrt_err db_until_inside(struct qrt_cx *cx, struct db_writer *writer)
{
	enum qrt_err err = QRT_OK;
	while (!err && !qrt_in_lab(cx) && !atomic_load(&writer->inside)) {
		err = qrt_yield(cx);
	}
	return err;
}

enum qrt_err db_until_busy(struct qrt_cx *cx, struct db_writer *writer)
{
	enum qrt_err err = QRT_OK;
	while (!err && !qrt_in_lab(cx) && !atomic_load(&writer->busy)) {
		err = qrt_yield(cx);
	}
	return err;
}

enum qrt_err db_hold(struct qrt_cx *cx, struct qrt_region *region, struct db_writer *gate)
{
	enum qrt_err err = qrt_spawn(region, db_writer_task, gate);
	return err ? err : db_until_inside(cx, gate);
}

enum qrt_err db_queue(struct qrt_cx *cx, struct qrt_region *region, struct db_writer *writer,
		      unsigned before)
{
	enum qrt_err err = qrt_spawn(region, db_writer_task, writer);
	struct qrt_db_stats stats = {0};
	while (!err && !qrt_in_lab(cx) && stats.queued <= before) {
		err = qrt_yield(cx);
		qrt_db_stats(writer->db, &stats);
	}
	return err;
}
