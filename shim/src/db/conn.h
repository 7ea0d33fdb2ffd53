/*
 * One connection of a database: the engine's handle, the job that uses it
 * now, and its statements. Belongs to the thread that runs the job; never
 * touched by the loop while a job is inside.
 */
#ifndef QRT_DB_CONN_H
#define QRT_DB_CONN_H

#include <qrt/lane.h>

#include "shim/src/db/engine.h"
#include "shim/src/internal.h"

#define QRT__DB_PATH_MAX 4352u /* PATH_MAX and what is put behind a name */
#define QRT__DB_BUCKETS 64u    /* a power of two */
#define QRT__DB_IDLE_MAX 128u  /* prepared statements kept for later */

/* Statements in use, and idle ones by text and by age. */
struct qrt__db_stmts {
	struct qrt__list open;
	struct qrt__list idle; /* the one longest idle first */
	struct qrt__list bucket[QRT__DB_BUCKETS];
	unsigned n_idle;
};

struct qrt_db_conn {
	struct qrt_runtime *rt; /* whose clock counts */
	const struct qrt__db_engine *engine;
	const char *path;    /* NULL: in memory */
	void *native;	     /* the engine's; NULL: not open */
	struct qrt_job *job; /* NULL: nothing may stop what runs now */
	bool interruptible;  /* a cancel breaks the statement that runs, not only the next */
	bool on_loop;	     /* a short read runs: what counts is steps_left */
	int steps_left;
	unsigned runs; /* of statements, so far in a short read */
	unsigned seen; /* by the first of them, as the engine says */
	int64_t statement_ns, deadline_ns;
	enum qrt_err stopped; /* why the job must end; sticky */
	bool stop_told;	      /* the detail names the statement that was stopped: keep it */
	bool in_transaction;  /* as far as the job has been told */
	enum qrt_err detail_err;
	char detail[QRT__DETAIL_MAX];
	struct qrt__db_stmts stmts;
};

/* What a job did, for the counters. */
enum qrt__db_fate { QRT__DB_NOT_BEGUN, QRT__DB_DONE, QRT__DB_ROLLED_BACK, QRT__DB_UNKNOWN };

/* Under @job, which may be cancelled. On failure the detail names the database. */
enum qrt_err qrt__db_conn_open(struct qrt_db_conn *conn, const struct qrt__db_engine *engine,
			       const struct qrt__db_target *target, struct qrt_job *job);
/* Nothing when it is not open. */
void qrt__db_conn_close(struct qrt_db_conn *conn);

struct qrt__db_work {
	qrt_db_job_fn *fn;
	void *arg;
	bool write;
	bool patient;	     /* as long as it takes: statement_ns does not count */
	int64_t deadline_ns; /* its caller's */
};

/*
 * Runs @work for @job as one transaction. Whatever happens, @conn comes out
 * with no statement in use and no transaction. @job gets the detail.
 */
enum qrt_err qrt__db_conn_run(struct qrt_db_conn *conn, struct qrt_job *job,
			      const struct qrt__db_work *work, enum qrt__db_fate *ret_fate);

/*
 * The same in steps, for writes that share a transaction. The first part begins it, the others are
 * undone each by itself. OK: to be told by the commit. An error is final for this part alone, and
 * *ret_fate says which; was the transaction lost over it, so are the parts before.
 */
enum qrt_err qrt__db_conn_part(struct qrt_db_conn *conn, struct qrt_job *job,
			       const struct qrt__db_work *work, bool first,
			       enum qrt__db_fate *ret_fate);
/* Whether parts before are still in an open transaction. */
bool qrt__db_conn_holds(const struct qrt_db_conn *conn);
/* What it says and *ret_fate go for every part. */
enum qrt_err qrt__db_conn_commit(struct qrt_db_conn *conn, enum qrt__db_fate *ret_fate);
/* The same error for one more @job, with the detail of the connection. */
enum qrt_err qrt__db_conn_report(const struct qrt_db_conn *conn, struct qrt_job *job,
				 enum qrt_err err);

/*
 * Runs a read here and now, on the loop's thread, for at most @steps steps of the engine. false:
 * they did not suffice, or somebody was in the way; it has to be done on a lane. The detail is
 * left in @conn.
 */
bool qrt__db_conn_short(struct qrt_db_conn *conn, const struct qrt__db_work *work, int steps,
			enum qrt_err *ret_err);

/*
 * Between statements: QRT_OK, or why the job must stop: cancelled, late, out of steps. Sticky. And
 * inside of one, which asks after each @steps: a cancel counts there if the connection can be
 * interrupted. For engines too.
 */
enum qrt_err qrt__db_conn_check(struct qrt_db_conn *conn);
/* For qrt_job_on_interrupt; @arg: a connection that is open. Breaks what runs on it. */
void qrt__db_conn_interrupt(void *arg);
enum qrt_err qrt__db_conn_inside(struct qrt_db_conn *conn, int steps);

/*
 * Around the first step of each run of a statement, or around @several. One sees one state of the
 * database by itself, so a short read is no transaction until it runs a second one; if that has
 * seen another state than the first, it is not short.
 */
enum qrt_err qrt__db_conn_enter(struct qrt_db_conn *conn, bool several);
enum qrt_err qrt__db_conn_entered(struct qrt_db_conn *conn);

/* The detail that goes with @err, to @ret_text: with the path where it is about the file. */
const char *qrt__db_conn_detail(const struct qrt_db_conn *conn, enum qrt_err err,
				char ret_text[QRT__DETAIL_MAX]);

void qrt__db_stmts_init(struct qrt__db_stmts *stmts);
/* Finishes what is in use; returns whether there was any and puts one text into @ret_sql. */
bool qrt__db_stmts_finish(struct qrt_db_conn *conn, char *ret_sql, size_t n);
/* Frees the idle ones; none is in use. */
void qrt__db_stmts_drop(struct qrt_db_conn *conn);

/* Monotonic, of the connection's runtime. */
int64_t qrt__db_clock_ns(const struct qrt_db_conn *conn);
/* Where time is simulated: @ns of it have passed in the job that runs. */
void qrt__db_conn_worked(const struct qrt_db_conn *conn, int64_t ns);

#endif
