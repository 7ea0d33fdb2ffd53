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
	/* So many pages in the log are worth folding into the file, beside the writers; 0: 1000. */
	unsigned checkpoint_pages;
	bool must_exist; /* ENOENT when there is no such file, instead of making it */
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
 * The same for a read that is declared short: a lookup by key, some rows by an index. It runs on
 * the loop's own thread, which costs no hop to a lane, and may use some thousand steps of the
 * engine there. When they are spent, or somebody is in the way, what it did is dropped and @job
 * runs once more, on a reader. So @job begins by forgetting what an earlier run left. Other tasks
 * wait meanwhile: nothing that reads a file or computes for long. Where the backend has no short
 * reads, and in memory, the same as qrt_db_read. May suspend. Errors: as qrt_db_read.
 */
QRT_API enum qrt_err qrt_db_read_short(struct qrt_cx *cx, struct qrt_db *db, qrt_db_job_fn *job,
				       void *arg) QRT_MUST_USE;
/*
 * Runs @job on the writer, whole or not at all: an error result undoes what it did. QRT_OK:
 * committed. ECOMMITUNKNOWN: the commit may be found there after a crash, or not; settle by
 * reading again. Cancel is honoured until @job has ended and ignored from there on.
 *
 * Where the backend groups commits, writes that wait for the writer share one transaction, each a
 * part of its own; no other is failed by one's error or cancel. For that @job may be run twice,
 * the first run being undone: it begins by forgetting what an earlier run left, and does nothing
 * that is not in the database. It leaves no setting of the connection behind. Suspends. Needs DB.
 * Errors also: as qrt_db_read.
 */
QRT_API enum qrt_err qrt_db_write(struct qrt_cx *cx, struct qrt_db *db, qrt_db_job_fn *job,
				  void *arg) QRT_MUST_USE;
/*
 * The same in a transaction of its own: @job runs once at most. Also for what takes long, which
 * would keep the others of its group waiting.
 */
QRT_API enum qrt_err qrt_db_write_alone(struct qrt_cx *cx, struct qrt_db *db, qrt_db_job_fn *job,
					void *arg) QRT_MUST_USE;

/* --- upkeep --- */

/*
 * Looks for damage: quickly at the structure, or with @full also at indexes, constraints and
 * foreign keys. Reads the whole file on a reader; statement_ns does not count, a cancel and the
 * cx's deadline do. ECORRUPT: the detail has the first finding, @ret_text (@n bytes; NULL with 0)
 * one a line, as many as fit. Suspends. Needs DB. Errors: as qrt_db_read.
 */
QRT_API enum qrt_err qrt_db_check(struct qrt_cx *cx, struct qrt_db *db, bool full, char *ret_text,
				  size_t n) QRT_MUST_USE;
/*
 * Copies what is committed now to the file @path, page by page on a reader, while writes go on;
 * the log cannot be folded in meanwhile. A cancel counts between some pages; statement_ns does
 * not. The copy has another name until it is whole and synced: whatever happens, @path is what it
 * was before, or a whole database. Suspends. Needs DB. Errors: EEXIST (not @replace), EBUSY (@path
 * is a database in use), ENOSPC, ENOENT (its folder), EACCES, EINVAL; as qrt_db_read.
 */
QRT_API enum qrt_err qrt_db_backup(struct qrt_cx *cx, struct qrt_db *db, const char *path,
				   bool replace) QRT_MUST_USE;

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
/* A variable whose statement is finished at the end of its block: QRT_AUTO_STMT rows = NULL; */
#define QRT_AUTO_STMT __attribute__((cleanup(qrt_db_finish))) struct qrt_db_stmt *
/* Parameters count from 1. An error of a bind sticks and comes out of the next step. */
QRT_API void qrt_db_bind_int(struct qrt_db_stmt *stmt, int index, int64_t value);
QRT_API void qrt_db_bind_bool(struct qrt_db_stmt *stmt, int index, bool value);
/* NaN binds null. */
QRT_API void qrt_db_bind_double(struct qrt_db_stmt *stmt, int index, double value);
/* Copies @text; NULL binds null. */
QRT_API void qrt_db_bind_text(struct qrt_db_stmt *stmt, int index, const char *text);
/* Copies; @data NULL binds null, @n 0 an empty blob. */
QRT_API void qrt_db_bind_blob(struct qrt_db_stmt *stmt, int index, const void *data, size_t n);
QRT_API void qrt_db_bind_null(struct qrt_db_stmt *stmt, int index);
/* *ret_row: whether there is a row to read. After the last row, or an error, it is rewound. */
QRT_API enum qrt_err qrt_db_step(struct qrt_db_stmt *stmt, bool *ret_row) QRT_MUST_USE;
/*
 * For loops: the next row, or false at the end and at an error, which goes to *@err. Once *@err is
 * set it does nothing, also with a NULL @stmt: so preparing and the loop's body may set it.
 *
 *	enum qrt_err err = qrt_db_prepare(conn, sql, &rows);
 *	while (qrt_db_next(rows, &err)) {
 *		err = use(qrt_db_int(rows, 0));
 *	}
 *	return err;
 */
QRT_API bool qrt_db_next(struct qrt_db_stmt *stmt, enum qrt_err *err);
/* Steps a statement that returns no rows (ESTATE if it does): it can be bound and run again. */
QRT_API enum qrt_err qrt_db_run(struct qrt_db_stmt *stmt) QRT_MUST_USE;
/* Columns count from 0 and are valid until the next step. */
QRT_API int qrt_db_columns(const struct qrt_db_stmt *stmt);
QRT_API const char *qrt_db_column_name(const struct qrt_db_stmt *stmt, int column);
/* What is stored there; out of range null. The readers below convert from any type. */
enum qrt_db_type { QRT_DB_NULL, QRT_DB_INT, QRT_DB_DOUBLE, QRT_DB_TEXT, QRT_DB_BLOB };
QRT_API enum qrt_db_type qrt_db_type(const struct qrt_db_stmt *stmt, int column);
QRT_API bool qrt_db_is_null(const struct qrt_db_stmt *stmt, int column);
QRT_API int64_t qrt_db_int(const struct qrt_db_stmt *stmt, int column);
QRT_API bool qrt_db_bool(const struct qrt_db_stmt *stmt, int column);
QRT_API double qrt_db_double(const struct qrt_db_stmt *stmt, int column);
/* NULL for null. */
QRT_API const char *qrt_db_text(const struct qrt_db_stmt *stmt, int column);
/* NULL for null and for an empty one; *ret_n tells its bytes. */
QRT_API const void *qrt_db_blob(const struct qrt_db_stmt *stmt, int column, size_t *ret_n);
/* Rows changed by the last statement that changed any. */
QRT_API int64_t qrt_db_changes(const struct qrt_db_conn *conn);
/* Sets the detail that goes with the job's error; cut at 255 bytes. Returns @err. */
QRT_API enum qrt_err qrt_db_fail(struct qrt_db_conn *conn, enum qrt_err err, const char *fmt, ...)
    QRT_PRINTF(3, 4);
/* The detail of the last error on this connection; "" when none. */
QRT_API const char *qrt_db_detail(const struct qrt_db_conn *conn);

struct qrt_db_stats {
	uint64_t reads, writes; /* succeeded, on lanes */
	uint64_t shorts;	/* reads that ended on the loop */
	uint64_t fallbacks;	/* short reads that had to go to a lane */
	uint64_t commits;	/* transactions that wrote; fewer than writes: they shared */
	uint64_t again;		/* writes run a second time, as their group was lost */
	uint64_t rollbacks;	/* of writes */
	uint64_t unknown;	/* ECOMMITUNKNOWN */
	uint64_t checkpoints;
	uint64_t checkpoints_pressing; /* tried between writes, as the log had grown too long */
	uint64_t checkpoints_failed;
	uint64_t checkpoint_longest_ns;
	uint64_t log_pages; /* of the log that no checkpoint has moved, as the last write saw it */
	uint64_t queued;    /* now, waiting or running */
};
/* From any thread. */
QRT_API void qrt_db_stats(const struct qrt_db *db, struct qrt_db_stats *ret_stats);

#ifdef __cplusplus
}
#endif
#endif
