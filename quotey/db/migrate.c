/* Applies and reverts migrations. Never leaves a step half done: each is one transaction. */
#include "quotey/db/migrate.h"

#include <string.h>

#include <qrt/cancel.h>

#include "quotey/core/civil.h"
#include "quotey/db/buffer.h"
#include "quotey/db/sql.h"

static const char create_history[] = "CREATE TABLE IF NOT EXISTS schema_migration (\n"
				     "	version INTEGER PRIMARY KEY NOT NULL,\n"
				     "	name TEXT NOT NULL,\n"
				     "	checksum TEXT NOT NULL,\n"
				     "	applied_at TEXT NOT NULL\n"
				     ")";

#define STEP_MAX ((size_t)1 << 20)

struct migrate_job {
	const struct qy_migration_set *set;
	const struct qy_migration *step;
	bool is_down;
	unsigned version; /* found, by read_history */
	char now[QY_TIMESTAMP_SIZE];
};

/* Over both directions, so that a changed way back is noticed too. */
static enum qrt_err step_checksum(const struct qy_migration *step,
				  char ret_hex[QRT_SHA256_HEX_SIZE])
{
	struct qy_buffer text;
	enum qrt_err err;

	qy_buffer_init(&text, STEP_MAX);
	qy_buffer_text(&text, step->up);
	qy_buffer_bytes(&text, "", 1);
	qy_buffer_text(&text, step->down);
	err = text.err;
	if (!err) {
		qrt_sha256_hex(text.data, text.len, ret_hex);
	}
	qy_buffer_fini(&text);
	return err;
}

/* Checks one row of the history, which must be that of step number @expected. */
static enum qrt_err check_row(struct qrt_db_conn *conn, const struct qy_migration_set *set,
			      unsigned expected, const struct qrt_db_stmt *row)
{
	int64_t version = qrt_db_int(row, 0);
	const char *checksum = qrt_db_text(row, 1);
	char wanted[QRT_SHA256_HEX_SIZE];
	enum qrt_err err;

	if (version > (int64_t)set->count) {
		return qrt_db_fail(conn, QRT_ENOTSUP,
				   "migration %04lld is newer than this program, which knows %04u",
				   (long long)version, set->count);
	}
	if (version != (int64_t)expected) {
		return qrt_db_fail(conn, QRT_ECORRUPT,
				   "migration %04u is missing, but %04lld is applied", expected,
				   (long long)version);
	}
	err = step_checksum(&set->steps[expected - 1], wanted);
	if (err) {
		return err;
	}
	if (!checksum || strcmp(checksum, wanted) != 0) {
		return qrt_db_fail(conn, QRT_ECONFLICT,
				   "migration %04u (%s): its checksum has changed", expected,
				   set->steps[expected - 1].name);
	}
	return QRT_OK;
}

/* Checks the whole history and finds how far it goes; a database without one is at 0. */
static enum qrt_err read_history(struct qrt_db_conn *conn, void *arg)
{
	struct migrate_job *job = arg;
	QRT_AUTO_STMT rows = NULL;
	bool exists = false;
	bool row = false;
	enum qrt_err err;

	job->version = 0;
	err = qy_sql_exists(conn,
			    "SELECT 1 FROM sqlite_schema WHERE type = 'table'"
			    " AND name = 'schema_migration'",
			    QY_NO_ARGS, &exists);
	if (err || !exists) {
		return err;
	}
	err = qy_sql_open(conn, "SELECT version, checksum FROM schema_migration ORDER BY version",
			  QY_NO_ARGS, &rows);
	if (err) {
		return err;
	}
	while (!(err = qrt_db_step(rows, &row)) && row) {
		err = check_row(conn, job->set, job->version + 1, rows);
		if (err) {
			return err;
		}
		job->version++;
	}
	return err;
}

static enum qrt_err record_step(struct qrt_db_conn *conn, const struct migrate_job *job)
{
	char checksum[QRT_SHA256_HEX_SIZE];
	enum qrt_err err;

	if (job->is_down) {
		return qy_sql_run(conn, "DELETE FROM schema_migration WHERE version = ?1",
				  QY_ARGS(QY_N(job->step->number)));
	}
	err = step_checksum(job->step, checksum);
	if (err) {
		return err;
	}
	return qy_sql_run(conn,
			  "INSERT INTO schema_migration (version, name, checksum, applied_at)"
			  " VALUES (?1, ?2, ?3, ?4)",
			  QY_ARGS(QY_N(job->step->number), QY_T(job->step->name), QY_T(checksum),
				  QY_T(job->now)));
}

/* One step, in the job's transaction. Looks again: another process may have been faster. */
static enum qrt_err run_step(struct qrt_db_conn *conn, void *arg)
{
	struct migrate_job *job = arg;
	unsigned number = job->step->number;
	enum qrt_err err = qrt_db_exec(conn, create_history);

	if (!err) {
		err = read_history(conn, job);
	}
	if (err) {
		return err;
	}
	if (job->version != (job->is_down ? number : number - 1)) {
		return qrt_db_fail(conn, QRT_ECONFLICT,
				   "migration %04u: the schema was moved to %04u meanwhile", number,
				   job->version);
	}
	err = qrt_db_exec(conn, job->is_down ? job->step->down : job->step->up);
	return err ? err : record_step(conn, job);
}

static enum qrt_err stamp_job(struct qrt_cx *cx, struct migrate_job *job)
{
	int64_t now_ms;
	enum qrt_err err = qrt_wall_ms(cx, &now_ms);

	if (!err && qy_timestamp_format(now_ms, job->now) != QY_OK) {
		err = qrt_fail(cx, QRT_EINVAL, "the clock shows no year between 1 and 9999");
	}
	return err;
}

/* A cancel that comes too late for this step is heard before the next one. */
static enum qrt_err run_whole(struct qrt_cx *cx, struct qrt_db *db, struct migrate_job *job)
{
	struct qrt_mask mask;
	enum qrt_err err = qrt_commit_begin(cx, &mask);

	if (!err) {
		err = qrt_db_write_alone(cx, db, run_step, job);
		qrt_commit_end(cx, &mask);
	}
	return err;
}

/* Runs the step and, when it fails, says which it was. */
static enum qrt_err write_step(struct qrt_cx *cx, struct qrt_db *db, struct migrate_job *job,
			       unsigned index)
{
	char detail[256];
	enum qrt_err err = stamp_job(cx, job);

	if (err) {
		return err;
	}
	job->step = &job->set->steps[index];
	err = run_whole(cx, db, job);
	if (err) {
		strncpy(detail, qrt_detail(cx), sizeof(detail) - 1);
		detail[sizeof(detail) - 1] = '\0';
		return qrt_fail(cx, err, "migration %04u (%s) %s: %s", job->step->number,
				job->step->name, job->is_down ? "down" : "up",
				detail[0] ? detail : qrt_err_text(err));
	}
	return QRT_OK;
}

/* The steps of the program itself; a slip here would shift every number after it. */
static enum qrt_err check_set(struct qrt_cx *cx, const struct qy_migration_set *set)
{
	for (unsigned i = 0; i < set->count; i++) {
		if (set->steps[i].number != i + 1) {
			return qrt_fail(
			    cx, QRT_EINVAL,
			    "migration %04u is missing in this program: %04u (%s) stands there",
			    i + 1, set->steps[i].number, set->steps[i].name);
		}
	}
	return QRT_OK;
}

/* How far @db has come with the steps of job->set. */
static enum qrt_err find_version(struct qrt_cx *cx, struct qrt_db *db, struct migrate_job *job)
{
	enum qrt_err err = check_set(cx, job->set);

	return err ? err : qrt_db_read(cx, db, read_history, job);
}

enum qrt_err qy_migrate_up(struct qrt_cx *cx, struct qrt_db *db, const struct qy_migration_set *set,
			   unsigned to, struct qy_migrate_report *ret_report)
{
	struct migrate_job job = {.set = set, .is_down = false};
	struct qy_migrate_report report;
	enum qrt_err err;

	if (to > set->count) {
		return qrt_fail(cx, QRT_EINVAL, "migration %04u does not exist; the newest is %04u",
				to, set->count);
	}
	err = find_version(cx, db, &job);
	if (err) {
		return err;
	}
	report.from = job.version;
	report.to = job.version;
	while (report.to < (to ? to : set->count)) {
		err = write_step(cx, db, &job, report.to);
		if (err) {
			return err;
		}
		report.to++;
	}
	*ret_report = report;
	return QRT_OK;
}

enum qrt_err qy_migrate_down(struct qrt_cx *cx, struct qrt_db *db,
			     const struct qy_migration_set *set, unsigned to,
			     struct qy_migrate_report *ret_report)
{
	struct migrate_job job = {.set = set, .is_down = true};
	struct qy_migrate_report report;
	enum qrt_err err;

	err = find_version(cx, db, &job);
	if (err) {
		return err;
	}
	report.from = job.version;
	report.to = job.version;
	while (report.to > to) {
		err = write_step(cx, db, &job, report.to - 1);
		if (err) {
			return err;
		}
		report.to--;
	}
	*ret_report = report;
	return QRT_OK;
}

enum qrt_err qy_migrate_verify(struct qrt_cx *cx, struct qrt_db *db,
			       const struct qy_migration_set *set)
{
	struct migrate_job job = {.set = set};
	enum qrt_err err = find_version(cx, db, &job);

	if (!err && job.version < set->count) {
		err = qrt_fail(cx, QRT_ESTATE,
			       "the schema is at migration %04u, this program needs %04u",
			       job.version, set->count);
	}
	return err;
}
