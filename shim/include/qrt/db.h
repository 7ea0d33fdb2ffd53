/*
 * Databases behind a seam that names no engine. One writer lane and some
 * reader lanes; a job is a plain function that runs statements and may not
 * suspend. A write job is one transaction: committed whole or not at all.
 */
#ifndef QRT_DB_H
#define QRT_DB_H

#include <qrt/cx.h>

#ifdef __cplusplus
extern "C" {
#endif

struct qrt_db;
struct qrt_db_conn;
struct qrt_db_stmt;

struct qrt_db_options {
	const char *url;       /* "sqlite://path", "sqlite::memory:" or ":memory:" */
	unsigned readers;      /* 1..63; 0: 4. An in-memory database reads on the writer. */
	bool synchronous_full; /* a commit survives a power failure */
	int64_t lane_wait_ns;  /* longest wait for a lane: EBUSY beyond; 0: 30 s */
	int64_t statement_ns;  /* longest job: ETIMEDOUT beyond; 0: 10 s */
	int busy_ms;	       /* wait for another process' lock; 0: 5000 */
};

/*
 * Opens (creates if absent) and checks that it is a database. Suspends. Needs
 * DB and BLOCKING. Errors: EINVAL (options), ENOENT (its folder), EACCES, EIO,
 * ECORRUPT, EBUSY; all but EINVAL name the path.
 */
QRT_API enum qrt_err qrt_db_open(struct qrt_cx *cx, const struct qrt_db_options *opts,
				 struct qrt_db **ret_db) QRT_MUST_USE;
/*
 * Waits for the jobs inside, then closes, cancelled or not, and sets *@db to NULL. Suspends;
 * NULL-safe. In a finalizer only once no job is inside.
 */
QRT_API void qrt_db_close(struct qrt_cx *cx, struct qrt_db **db);

typedef enum qrt_err qrt_db_job_fn(struct qrt_db_conn *conn, void *arg);

/*
 * Runs @job on a reader inside one read transaction (one snapshot). Suspends.
 * Cancelled or late: the statement is interrupted, the connection reusable.
 * @arg is the caller's, in use until the call returns.
 * Needs DB. Errors: the job's, EBUSY, ETIMEDOUT, ECANCELED, ECORRUPT, EIO, ECLOSED, ENOMEM.
 */
QRT_API enum qrt_err qrt_db_read(struct qrt_cx *cx, struct qrt_db *db, qrt_db_job_fn *job,
				 void *arg) QRT_MUST_USE;
/*
 * Runs @job on the writer inside one transaction; an error result rolls it
 * back. QRT_OK: committed. Cancel is honoured up to the commit and ignored
 * from there on. ECOMMITUNKNOWN: settle by reading again. Suspends. Needs DB. Errors also: as
 * qrt_db_read.
 */
QRT_API enum qrt_err qrt_db_write(struct qrt_cx *cx, struct qrt_db *db, qrt_db_job_fn *job,
				  void *arg) QRT_MUST_USE;

/* --- inside a job only --- */

/* Runs statements separated by semicolons; rows are dropped. */
QRT_API enum qrt_err qrt_db_exec(struct qrt_db_conn *conn, const char *sql) QRT_MUST_USE;
/*
 * A statement from the connection's cache, with nothing bound. Every
 * statement must be finished: one that is still in use at the end is finished
 * for the job, and turns its QRT_OK into ESTATE.
 */
QRT_API enum qrt_err qrt_db_prepare(struct qrt_db_conn *conn, const char *sql,
				    struct qrt_db_stmt **ret_stmt) QRT_MUST_USE;
/* Back to the cache; NULL-safe, sets *@stmt to NULL. Also a cleanup handler. */
QRT_API void qrt_db_finish(struct qrt_db_stmt **stmt);
/* Parameters count from 1. An error of a bind sticks and comes out of the next step. */
QRT_API void qrt_db_bind_int(struct qrt_db_stmt *stmt, int index, int64_t value);
/* Copies @text; NULL binds null. */
QRT_API void qrt_db_bind_text(struct qrt_db_stmt *stmt, int index, const char *text);
QRT_API void qrt_db_bind_null(struct qrt_db_stmt *stmt, int index);
/* *ret_row: whether there is a row to read. After the last row, or an error, it is rewound. */
QRT_API enum qrt_err qrt_db_step(struct qrt_db_stmt *stmt, bool *ret_row) QRT_MUST_USE;
/* Steps a statement that returns no rows (ESTATE if it does): it can be bound and run again. */
QRT_API enum qrt_err qrt_db_run(struct qrt_db_stmt *stmt) QRT_MUST_USE;
/* Columns count from 0 and are valid until the next step. */
QRT_API int qrt_db_columns(const struct qrt_db_stmt *stmt);
QRT_API const char *qrt_db_column_name(const struct qrt_db_stmt *stmt, int column);
QRT_API bool qrt_db_is_null(const struct qrt_db_stmt *stmt, int column);
QRT_API int64_t qrt_db_int(const struct qrt_db_stmt *stmt, int column);
/* NULL for null. */
QRT_API const char *qrt_db_text(const struct qrt_db_stmt *stmt, int column);
/* Rows changed by the last statement that changed any. */
QRT_API int64_t qrt_db_changes(const struct qrt_db_conn *conn);
/* Sets the detail that goes with the job's error; cut at 255 bytes. Returns @err. */
QRT_API enum qrt_err qrt_db_fail(struct qrt_db_conn *conn, enum qrt_err err, const char *fmt, ...)
    QRT_PRINTF(3, 4);
/* The detail of the last error on this connection; "" when none. */
QRT_API const char *qrt_db_detail(const struct qrt_db_conn *conn);

struct qrt_db_stats {
	uint64_t reads, writes; /* succeeded */
	uint64_t rollbacks;	/* of writes */
	uint64_t unknown;	/* ECOMMITUNKNOWN */
	uint64_t queued;	/* now, waiting or running */
};
/* From any thread. */
QRT_API void qrt_db_stats(const struct qrt_db *db, struct qrt_db_stats *ret_stats);

#ifdef __cplusplus
}
#endif
#endif
