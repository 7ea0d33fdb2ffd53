/*
 * Jobs of a database: which lane one goes to, and what its caller is told. A
 * short read is tried on the loop first. Never decides about a transaction.
 */
#include <qrt/db.h>

#include "shim/src/db/internal.h"

/*
 * What a short read may cost the loop, in steps of the engine: about a tenth of a millisecond. A
 * statement counts its steps through all its runs and is asked after every 1,000, so that up to
 * so many are not noticed.
 */
#define SHORT_STEPS 4000

/* There is one reader per thread of the lane, so one is free. */
static struct qrt_db_conn *take_reader(struct qrt_db *db)
{
	pthread_mutex_lock(&db->lock);
	QRT_ASSERT(db->n_free > 0);
	struct qrt_db_conn *conn = db->free_readers[--db->n_free];
	pthread_mutex_unlock(&db->lock);
	return conn;
}

static void give_reader(struct qrt_db *db, struct qrt_db_conn *conn)
{
	pthread_mutex_lock(&db->lock);
	QRT_ASSERT(db->n_free < db->n_readers);
	db->free_readers[db->n_free++] = conn;
	pthread_mutex_unlock(&db->lock);
}

void qrt__db_count(struct qrt_db *db, bool write, enum qrt__db_fate fate)
{
	if (fate == QRT__DB_UNKNOWN) {
		atomic_fetch_add(&db->n_unknown, 1);
	} else if (fate == QRT__DB_DONE) {
		atomic_fetch_add(write ? &db->n_writes : &db->n_reads, 1);
		if (write) {
			qrt__db_log_grew(db);
		}
	} else if (fate == QRT__DB_ROLLED_BACK && write) {
		atomic_fetch_add(&db->n_rollbacks, 1);
	}
}

/* A job with a transaction of its own. */
static enum qrt_err run_alone(struct qrt_job *job, void *arg)
{
	struct qrt__db_flow *flow = arg;
	struct qrt_db *db = flow->db;
	flow->ran = true;
	bool on_reader = !flow->work.write && db->reads;
	struct qrt_db_conn *conn = on_reader ? take_reader(db) : &db->writer;
	enum qrt__db_fate fate;
	enum qrt_err err = qrt__db_conn_run(conn, job, &flow->work, &fate);
	if (fate == QRT__DB_UNKNOWN && QRT__MUTANT(COMMIT_RETRIED)) {
		err = qrt__db_conn_run(conn, job, &flow->work, &fate);
	}
	qrt__db_count(db, flow->work.write, fate);
	if (flow->work.write && fate == QRT__DB_DONE) {
		atomic_fetch_add(&db->n_commits, 1);
	}
	if (on_reader) {
		give_reader(db, conn);
	}
	return err;
}

/* What a refusal of the lane means here. */
static enum qrt_err name_refusal(struct qrt_cx *cx, const struct qrt__db_flow *flow,
				 enum qrt_err err)
{
	const struct qrt_db *db = flow->db;
	const char *kind = flow->work.write ? "write" : "read";
	if (flow->ran) {
		return err;
	}
	if (err == QRT_ELIMIT) {
		return qrt_fail(cx, QRT_EBUSY, "database busy: %u jobs before this %s",
				QRT__DB_QUEUE_MAX, kind);
	}
	if (err == QRT_EBUSY) {
		return qrt_fail(cx, QRT_EBUSY, "database busy: no lane for this %s within %lld ms",
				kind, (long long)(db->lane_wait_ns / QRT_MS));
	}
	return err;
}

/* Runs the job of @flow, whose caller may use the database. */
static enum qrt_err on_lane(struct qrt_cx *cx, struct qrt__db_flow *flow)
{
	struct qrt_db *db = flow->db;
	const char *kind = flow->work.write ? "write" : "read";
	struct qrt_duty transaction;
	enum qrt_err err =
	    qrt_oblige_at(cx, QRT_DUTY_TRANSACTION, kind, NULL, NULL, cx->task->site, &transaction);
	if (err) {
		return err;
	}
	struct qrt_lane *lane = !flow->work.write && db->reads ? db->reads : db->writes;
	bool shared = flow->shared && db->structured;
	struct qrt_cx own = *cx;
	own.caps |= QRT_CAP_BLOCKING; /* whoever has the database has the lanes in it */
	flow->work.deadline_ns = cx->deadline_ns;
	db->inside++;
	qrt__event_clear(&db->idle);
	err = qrt_blocking_within(&own, lane, qrt_deadline_in(cx, db->lane_wait_ns),
				  shared ? qrt__db_group : run_alone, flow);
	QRT_IGNORE(qrt_settle(&transaction),
		   "it has been committed or rolled back, or never began");
	err = name_refusal(cx, flow, err);
	if (flow->work.write) {
		qrt__db_log_look(db);
	}
	db->inside--;
	if (db->inside == 0) {
		qrt__event_set(&db->idle);
	}
	return err;
}

static enum qrt_err may_use(struct qrt_cx *cx, const struct qrt_db *db)
{
	QRT_PRE(db->magic == QRT__DB_MAGIC);
	enum qrt_err err = qrt_cx_require(cx, QRT_CAP_DB);
	if (!err && db->closing) {
		err = qrt_fail(cx, QRT_ECLOSED, "database is closed");
	}
	return err;
}

enum qrt_err qrt__db_submit(struct qrt_cx *cx, struct qrt__db_flow *flow)
{
	QRT__ANCHORED(cx);
	enum qrt_err err = may_use(cx, flow->db);
	return err ? err : on_lane(cx, flow);
}

enum qrt_err qrt_db_read(struct qrt_cx *cx, struct qrt_db *db, qrt_db_job_fn *job, void *arg)
{
	struct qrt__db_flow flow = {.db = db, .work = {.fn = job, .arg = arg}};
	return qrt__db_submit(cx, &flow);
}

enum qrt_err qrt_db_write(struct qrt_cx *cx, struct qrt_db *db, qrt_db_job_fn *job, void *arg)
{
	struct qrt__db_flow flow = {
	    .db = db, .work = {.fn = job, .arg = arg, .write = true}, .shared = true};
	return qrt__db_submit(cx, &flow);
}

enum qrt_err qrt_db_write_alone(struct qrt_cx *cx, struct qrt_db *db, qrt_db_job_fn *job, void *arg)
{
	struct qrt__db_flow flow = {.db = db, .work = {.fn = job, .arg = arg, .write = true}};
	return qrt__db_submit(cx, &flow);
}

/* --- short reads ---------------------------------------------------------------------------- */

struct errand {
	struct qrt_db *db;
	struct qrt__db_work work;
	enum qrt_err err;
	bool done;
};

/* On the loop's own stack: SQLite wants more than a task has. */
static void run_short(void *arg)
{
	struct errand *errand = arg;
	struct qrt_db_conn *conn = &errand->db->own;
	errand->done = qrt__db_conn_short(conn, &errand->work, SHORT_STEPS, &errand->err);
	if (conn->rt->driver->job_spent) {
		QRT_IGNORE(conn->rt->driver->job_spent(conn->rt),
			   "it was no job: the next one has not worked so long");
	}
}

enum qrt_err qrt_db_read_short(struct qrt_cx *cx, struct qrt_db *db, qrt_db_job_fn *job, void *arg)
{
	if (!db->own.native) {
		return qrt_db_read(cx, db, job, arg);
	}
	enum qrt_err err = may_use(cx, db);
	if (!err) {
		err = qrt__suspending(cx);
	}
	if (err) {
		return err;
	}
	struct errand errand = {.db = db, .work = {.fn = job, .arg = arg}};
	qrt__on_loop(cx, run_short, &errand);
	if (!errand.done) {
		atomic_fetch_add(&db->n_fallbacks, 1);
		return qrt_db_read(cx, db, job, arg);
	}
	if (errand.err) {
		char text[QRT__DETAIL_MAX];
		return qrt_fail(cx, errand.err, "%s",
				qrt__db_conn_detail(&db->own, errand.err, text));
	}
	QRT__COUNT(db->n_shorts, 1);
	return QRT_OK;
}
