/*
 * A database connection and the one way a job runs on it: begin, job, commit
 * or roll back. Decides when a cancel counts and what an error means for the
 * transaction; knows no engine and never leaves a connection dirty.
 */
#include "shim/src/db/conn.h"

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

/* What a statement of a short read costs beside its steps: they are counted when many have run. */
#define CALL_STEPS 10

static enum qrt_err stop(struct qrt_db_conn *conn, enum qrt_err why)
{
	conn->stopped = why;
	return qrt_db_fail(conn, why, "database job stopped: %s",
			   why == QRT_ETIMEDOUT ? "out of time"
			   : why == QRT_EAGAIN	? "no short read"
						: "cancelled");
}

static enum qrt_err spend_steps(struct qrt_db_conn *conn, int steps)
{
	if (conn->stopped) {
		return conn->stopped;
	}
	conn->steps_left -= steps;
	return conn->steps_left > 0 ? QRT_OK : stop(conn, QRT_EAGAIN);
}

static enum qrt_err check(struct qrt_db_conn *conn, bool hears_cancel)
{
	if (!conn->job || conn->stopped) {
		return conn->job ? conn->stopped : QRT_OK;
	}
	enum qrt_err why = hears_cancel ? qrt_job_checkpoint(conn->job) : QRT_OK;
	if (!why && qrt__db_clock_ns(conn) >= conn->deadline_ns) {
		why = QRT_ETIMEDOUT;
	}
	return why ? stop(conn, why) : QRT_OK;
}

enum qrt_err qrt__db_conn_check(struct qrt_db_conn *conn)
{
	return conn->on_loop ? spend_steps(conn, CALL_STEPS) : check(conn, true);
}

enum qrt_err qrt__db_conn_inside(struct qrt_db_conn *conn, int steps)
{
	return conn->on_loop ? spend_steps(conn, steps) : check(conn, conn->interruptible);
}

/* Called on another thread; a connection cannot close before the hook is cleared. */
void qrt__db_conn_interrupt(void *arg)
{
	struct qrt_db_conn *conn = arg;
	conn->engine->interrupt(conn->native);
}

static void forget(struct qrt_db_conn *conn)
{
	conn->stopped = QRT_OK;
	conn->stop_told = false;
	conn->runs = 0;
	conn->detail_err = QRT_OK;
	conn->detail[0] = '\0';
}

static int64_t earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* From here on @job can stop what runs on @conn; at @deadline_ns it stops by itself. */
static void attach(struct qrt_db_conn *conn, struct qrt_job *job, int64_t deadline_ns)
{
	forget(conn);
	conn->job = job;
	conn->deadline_ns = deadline_ns;
	if (conn->native && conn->interruptible) {
		qrt_job_on_interrupt(job, qrt__db_conn_interrupt, conn);
	}
}

static void attach_work(struct qrt_db_conn *conn, struct qrt_job *job,
			const struct qrt__db_work *work)
{
	int64_t now = qrt__db_clock_ns(conn);
	bool bounded = !work->patient && conn->statement_ns < INT64_MAX - now;
	int64_t until = bounded ? now + conn->statement_ns : INT64_MAX;
	attach(conn, job, earlier(until, work->deadline_ns));
}

/* From here on nothing can: the clearing waits for a call of the hook that is under way. */
static void detach(struct qrt_db_conn *conn)
{
	if (conn->job && conn->native && conn->interruptible) {
		qrt_job_on_interrupt(conn->job, NULL, NULL);
	}
	conn->job = NULL;
}

/* Whether one who hears of @err wants to know which file it is about. */
static bool names_file(enum qrt_err err)
{
	return err == QRT_EBUSY || err == QRT_ECORRUPT || err == QRT_EIO || err == QRT_ENOSPC ||
	       err == QRT_EACCES || err == QRT_ECOMMITUNKNOWN;
}

const char *qrt__db_conn_detail(const struct qrt_db_conn *conn, enum qrt_err err,
				char ret_text[QRT__DETAIL_MAX])
{
	/* The detail goes with @err only if it was set for it, not for one the job has dealt with.
	 */
	const char *detail = conn->detail_err == err ? conn->detail : "";
	if (detail[0] == '\0' || !names_file(err)) {
		snprintf(ret_text, QRT__DETAIL_MAX, "%s", detail);
	} else {
		snprintf(ret_text, QRT__DETAIL_MAX, "%.100s: %.150s",
			 conn->path ? conn->path : ":memory:", detail);
	}
	return ret_text;
}

enum qrt_err qrt__db_conn_report(const struct qrt_db_conn *conn, struct qrt_job *job,
				 enum qrt_err err)
{
	char text[QRT__DETAIL_MAX];
	return err ? qrt_job_fail(job, err, "%s", qrt__db_conn_detail(conn, err, text)) : QRT_OK;
}

enum qrt_err qrt__db_conn_open(struct qrt_db_conn *conn, const struct qrt__db_engine *engine,
			       const struct qrt__db_target *target, struct qrt_job *job)
{
	QRT_PRE(!conn->native);
	conn->engine = engine;
	conn->path = target->path;
	qrt__db_stmts_init(&conn->stmts);
	int64_t now = qrt__db_clock_ns(conn);
	attach(conn, job,
	       conn->statement_ns < INT64_MAX - now ? now + conn->statement_ns : INT64_MAX);
	void *native = NULL;
	enum qrt_err err = engine->open(conn, target, &native);
	conn->job = NULL; /* the hook was never set: there was nothing to interrupt */
	if (!err) {
		conn->native = native;
		return QRT_OK;
	}
	return qrt_job_fail(job, err, "open database %.120s: %.120s",
			    target->path ? target->path : ":memory:", conn->detail);
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

/* Before anything runs on it. */
static enum qrt_err make_clean(struct qrt_db_conn *conn)
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
	return QRT_OK;
}

static enum qrt_err begin_now(struct qrt_db_conn *conn, bool write)
{
	enum qrt_err err = conn->engine->begin(conn->native, write);
	conn->in_transaction = !err;
	return err;
}

static enum qrt_err begin(struct qrt_db_conn *conn, bool write)
{
	enum qrt_err err = make_clean(conn);
	return err ? err : begin_now(conn, write);
}

enum qrt_err qrt__db_conn_enter(struct qrt_db_conn *conn, bool several)
{
	if (!conn->on_loop) {
		return QRT_OK;
	}
	bool alone = conn->runs++ == 0 && !several;
	return alone || conn->in_transaction ? QRT_OK : begin_now(conn, false);
}

enum qrt_err qrt__db_conn_entered(struct qrt_db_conn *conn)
{
	if (!conn->on_loop || conn->runs > 2) {
		return QRT_OK;
	}
	unsigned seen = conn->engine->seen(conn->native);
	if (conn->runs == 2 && seen != conn->seen) {
		return stop(conn, QRT_EAGAIN);
	}
	conn->seen = seen;
	return QRT_OK;
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
enum qrt_err qrt__db_conn_commit(struct qrt_db_conn *conn, enum qrt__db_fate *ret_fate)
{
	QRT_PRE(!conn->job);
	enum qrt_err err =
	    QRT__MUTANT(COMMIT_SKIPPED) ? QRT_OK : conn->engine->commit(conn->native);
	*ret_fate = QRT__DB_ROLLED_BACK;
	if (!err) {
		*ret_fate = QRT__DB_DONE;
	} else if (err == QRT_ECOMMITUNKNOWN) {
		*ret_fate = QRT__DB_UNKNOWN;
		err = qrt_db_fail(conn, err, "commit: %s", conn->detail);
	}
	QRT_IGNORE(rollback(conn), "what is left is rolled back before the next job");
	return err;
}

bool qrt__db_conn_holds(const struct qrt_db_conn *conn)
{
	return conn->in_transaction && conn->engine->in_transaction(conn->native);
}

static enum qrt_err begin_part(struct qrt_db_conn *conn, bool first)
{
	return first ? begin(conn, true) : conn->engine->part_begin(conn->native);
}

/* The job has said @err. The verdict, with what it did kept for the commit or undone. */
static enum qrt_err end_part(struct qrt_db_conn *conn, bool first, enum qrt_err err)
{
	bool undone = false;
	if (!first && qrt__db_conn_holds(conn)) {
		char kept[QRT__DETAIL_MAX];
		memcpy(kept, conn->detail, sizeof(kept));
		enum qrt_err ended = conn->engine->part_end(conn->native, !err);
		undone = err && !ended;
		if (err) { /* what comes first is the job's own error */
			memcpy(conn->detail, kept, sizeof(kept));
			conn->detail_err = err;
		} else {
			err = ended;
		}
	}
	if (err && !undone) {
		QRT_IGNORE(rollback(conn), "what is left is rolled back before the next job");
	}
	return err;
}

enum qrt_err qrt__db_conn_part(struct qrt_db_conn *conn, struct qrt_job *job,
			       const struct qrt__db_work *work, bool first,
			       enum qrt__db_fate *ret_fate)
{
	enum qrt__db_fate fate = QRT__DB_NOT_BEGUN;
	attach_work(conn, job, work);
	enum qrt_err err = begin_part(conn, first);
	if (!err) {
		fate = QRT__DB_ROLLED_BACK;
		err = settle(conn, true, work->fn(conn, work->arg));
		detach(conn);
		err = end_part(conn, first, err);
	}
	detach(conn);
	*ret_fate = fate;
	return qrt__db_conn_report(conn, job, err);
}

enum qrt_err qrt__db_conn_run(struct qrt_db_conn *conn, struct qrt_job *job,
			      const struct qrt__db_work *work, enum qrt__db_fate *ret_fate)
{
	if (work->write) {
		enum qrt_err err = qrt__db_conn_part(conn, job, work, true, ret_fate);
		if (!err) {
			err = qrt__db_conn_commit(conn, ret_fate);
			err = qrt__db_conn_report(conn, job, err);
		}
		return err;
	}
	attach_work(conn, job, work);
	enum qrt_err err = begin(conn, false);
	*ret_fate = QRT__DB_NOT_BEGUN;
	if (!err) {
		err = settle(conn, false, work->fn(conn, work->arg));
		*ret_fate = err ? QRT__DB_ROLLED_BACK : QRT__DB_DONE;
	}
	detach(conn);
	/* Only lets go of its snapshot. */
	QRT_IGNORE(rollback(conn), "what is left is rolled back before the next job");
	return qrt__db_conn_report(conn, job, err);
}

bool qrt__db_conn_short(struct qrt_db_conn *conn, const struct qrt__db_work *work, int steps,
			enum qrt_err *ret_err)
{
	forget(conn);
	conn->on_loop = true;
	conn->steps_left = steps;
	enum qrt_err err = make_clean(conn);
	if (!err) {
		err = settle(conn, false, work->fn(conn, work->arg));
	}
	conn->on_loop = false;
	QRT_IGNORE(rollback(conn), "what is left is rolled back before the next job");
	*ret_err = err;
	return !conn->stopped && err != QRT_EBUSY;
}
