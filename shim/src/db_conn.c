/*
 * A database connection and the one way a job runs on it: begin, job, commit
 * or roll back. Decides when a cancel counts and what an error means for the
 * transaction; knows no engine and never leaves a connection dirty.
 */
#include "shim/src/db_conn.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

int64_t qrt__db_clock_ns(const struct qrt_db_conn *conn)
{
	return qrt__now(conn->rt); /* of any thread: a driver's clock is no more than that */
}

void qrt__db_conn_worked(const struct qrt_db_conn *conn, int64_t ns)
{
	if (conn->rt->driver->job_spend) {
		conn->rt->driver->job_spend(conn->rt, ns);
	}
}

/* Drops the front part of a character that the cut has left at the end. */
static void trim_utf8(char *text)
{
	size_t n = strlen(text);
	size_t tail = 0;
	while (tail < 3 && tail < n && ((unsigned char)text[n - 1 - tail] & 0xC0u) == 0x80u) {
		tail++;
	}
	if (tail == n) {
		return;
	}
	unsigned char lead = (unsigned char)text[n - 1 - tail];
	size_t wants = lead >= 0xF0u ? 3 : lead >= 0xE0u ? 2 : lead >= 0xC0u ? 1 : 0;
	if (tail < wants) {
		text[n - 1 - tail] = '\0';
	}
}

enum qrt_err qrt_db_fail(struct qrt_db_conn *conn, enum qrt_err err, const char *fmt, ...)
{
	char text[QRT__DETAIL_MAX]; /* the arguments may point into the old detail */
	va_list args;
	va_start(args, fmt);
	int n = vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	if (n < 0) {
		text[0] = '\0';
	} else if ((size_t)n >= sizeof(text)) {
		trim_utf8(text);
	}
	memcpy(conn->detail, text, sizeof(text));
	conn->detail_err = err;
	return err;
}

const char *qrt_db_detail(const struct qrt_db_conn *conn)
{
	return conn->detail;
}

enum qrt_err qrt__db_conn_check(struct qrt_db_conn *conn)
{
	if (!conn->job || conn->stopped) {
		return conn->job ? conn->stopped : QRT_OK;
	}
	conn->stopped = qrt_job_checkpoint(conn->job);
	if (!conn->stopped && qrt__db_clock_ns(conn) >= conn->deadline_ns) {
		conn->stopped = QRT_ETIMEDOUT;
	}
	if (!conn->stopped) {
		return QRT_OK;
	}
	return qrt_db_fail(conn, conn->stopped, "database job stopped: %s",
			   conn->stopped == QRT_ETIMEDOUT ? "out of time" : "cancelled");
}

/* Called on another thread; a connection cannot close before the hook is cleared. */
static void interrupt(void *arg)
{
	struct qrt_db_conn *conn = arg;
	conn->engine->interrupt(conn->native);
}

/* From here on @job can stop what runs on @conn. */
static void attach(struct qrt_db_conn *conn, struct qrt_job *job)
{
	conn->job = job;
	conn->stopped = QRT_OK;
	conn->stop_told = false;
	conn->detail_err = QRT_OK;
	conn->detail[0] = '\0';
	int64_t now = qrt__db_clock_ns(conn);
	conn->deadline_ns =
	    conn->statement_ns < INT64_MAX - now ? now + conn->statement_ns : INT64_MAX;
	if (conn->native) {
		qrt_job_on_interrupt(job, interrupt, conn);
	}
}

/* From here on nothing can: the clearing waits for a call of the hook that is under way. */
static void detach(struct qrt_db_conn *conn)
{
	if (conn->job && conn->native) {
		qrt_job_on_interrupt(conn->job, NULL, NULL);
	}
	conn->job = NULL;
}

/* The detail goes with @err only if it was set for it, not for one the job has dealt with. */
static enum qrt_err report(struct qrt_db_conn *conn, struct qrt_job *job, enum qrt_err err)
{
	if (!err) {
		return QRT_OK;
	}
	return qrt_job_fail(job, err, "%s", conn->detail_err == err ? conn->detail : "");
}

enum qrt_err qrt__db_conn_open(struct qrt_db_conn *conn, const struct qrt__db_engine *engine,
			       const struct qrt__db_target *target, struct qrt_job *job)
{
	QRT_PRE(!conn->native);
	conn->engine = engine;
	qrt__db_stmts_init(&conn->stmts);
	attach(conn, job);
	void *native = NULL;
	enum qrt_err err = engine->open(conn, target, &native);
	conn->job = NULL; /* the hook was never set: there was nothing to interrupt */
	if (!err) {
		conn->native = native;
		return QRT_OK;
	}
	char why[QRT__DETAIL_MAX];
	memcpy(why, conn->detail, sizeof(why));
	return report(conn, job,
		      qrt_db_fail(conn, err, "open database %.120s: %s",
				  target->path ? target->path : ":memory:", why));
}

void qrt__db_conn_close(struct qrt_db_conn *conn)
{
	if (!conn->native) {
		return;
	}
	QRT_PRE(!conn->job);
	qrt__db_stmts_drop(conn);
	conn->engine->close(conn->native);
	conn->native = NULL;
}

static enum qrt_err rollback(struct qrt_db_conn *conn)
{
	enum qrt_err err = QRT_OK;
	if (conn->engine->in_transaction(conn->native)) {
		err = conn->engine->rollback(conn->native);
	}
	conn->in_transaction = false;
	return err;
}

static enum qrt_err begin(struct qrt_db_conn *conn, bool write)
{
	enum qrt_err err = qrt__db_conn_check(conn);
	if (err) {
		return err;
	}
	/* A rollback that failed (no memory, no disk) is tried again before anything else runs. */
	err = rollback(conn);
	if (conn->engine->in_transaction(conn->native)) {
		err = err ? err : QRT_EIO;
		return qrt_db_fail(conn, err, "cannot roll back the transaction before: %s",
				   qrt_err_text(err));
	}
	err = conn->engine->begin(conn->native, write);
	conn->in_transaction = !err;
	return err;
}

/* Finishes the job's statements and finds reasons why an OK of it must not stand. */
static enum qrt_err settle(struct qrt_db_conn *conn, bool write, enum qrt_err err)
{
	char sql[96];
	bool forgotten = qrt__db_stmts_finish(conn, sql, sizeof(sql));
	if (err) {
		return err;
	}
	if (forgotten) {
		return qrt_db_fail(conn, QRT_ESTATE, "statement not finished: %s", sql);
	}
	if (!write) {
		return QRT_OK; /* it has all it read: too late to be cancelled */
	}
	err = qrt__db_conn_check(conn);
	if (!err && !conn->engine->in_transaction(conn->native)) {
		err = qrt_db_fail(conn, QRT_ESTATE, "an error has ended the transaction");
	}
	return err;
}

/* No cancel reaches this: once begun, the truth about the commit is all there is to say. */
static enum qrt_err commit(struct qrt_db_conn *conn, enum qrt__db_fate *ret_fate)
{
	enum qrt_err err =
	    QRT__MUTANT(COMMIT_SKIPPED) ? QRT_OK : conn->engine->commit(conn->native);
	if (!err) {
		*ret_fate = QRT__DB_DONE;
	} else if (!conn->engine->in_transaction(conn->native)) {
		*ret_fate = QRT__DB_UNKNOWN;
		err = qrt_db_fail(conn, QRT_ECOMMITUNKNOWN, "commit: %s", conn->detail);
	}
	return err;
}

enum qrt_err qrt__db_conn_run(struct qrt_db_conn *conn, struct qrt_job *job,
			      const struct qrt__db_work *work, enum qrt__db_fate *ret_fate)
{
	enum qrt__db_fate fate = QRT__DB_NOT_BEGUN;
	attach(conn, job);
	enum qrt_err err = begin(conn, work->write);
	if (!err) {
		fate = QRT__DB_ROLLED_BACK;
		err = settle(conn, work->write, work->fn(conn, work->arg));
	}
	detach(conn);
	if (!err && work->write) {
		err = commit(conn, &fate);
	} else if (!err) {
		fate = QRT__DB_DONE;
	}
	/* Of a read: only lets go of its snapshot. */
	QRT_IGNORE(rollback(conn), "what is left is rolled back before the next job");
	*ret_fate = fate;
	return report(conn, job, err);
}
