/*
 * The interface of those who implement a database engine. An engine speaks
 * to one library and hides it whole: no type, code or constant of it leaves
 * its file. It owns no thread, no lane and no policy: when to begin, commit,
 * give up or reuse is decided in db/conn.c, the same for every engine.
 *
 * Every member is called on a lane's thread and may block, except `interrupt`;
 * of a connection for the loop (target.on_loop) begin, rollback and the
 * statements are called on the loop's thread, and wait for nobody. A
 * connection is used by one thread at a time, though not always the same.
 * No member may be NULL. A member that fails says why with
 * qrt_db_fail(conn, ...) and lets qrt__db_conn_inside speak first where the
 * failure may come from a cancel.
 */
#ifndef QRT_DB_ENGINE_H
#define QRT_DB_ENGINE_H

#include <qrt/db.h>

struct qrt__db_target {
	const char *path; /* NULL: in memory */
	const char *disk; /* by the engine's name for it; NULL: the system's */
	bool create;	  /* create if absent, settle the file's lasting modes */
	bool must_exist;  /* with create: ENOENT if absent */
	bool read_only;
	bool on_loop; /* for short reads: EBUSY at once */
	bool synchronous_full;
	int busy_ms; /* longest wait for another process' lock */
};

/* Where a copy goes. */
struct qrt__db_copy {
	const char *partial; /* its file until it is whole; does not exist */
	const char *to;
	bool replace;
};

/* What a check of a database has found. */
struct qrt__db_findings {
	unsigned n;
	size_t used;
	char *text; /* a line each, as many as fit */
	size_t size;
};

/* What a checkpoint has seen and done. */
struct qrt__db_fold {
	unsigned pages; /* in the log, when it began */
	unsigned moved; /* of them, now in the file; the others a reader needs */
};

struct qrt__db_engine {
	const char *name;

	/*
	 * Opens and checks that there is a database. @conn outlives the result
	 * and is asked, through qrt__db_conn_inside, whether to go on: at least
	 * every few milliseconds while a statement runs or a lock is awaited.
	 */
	enum qrt_err (*open)(struct qrt_db_conn *conn, const struct qrt__db_target *target,
			     void **ret_native);
	/* Every statement has been finalized. Cannot fail. */
	void (*close)(void *native);
	/* From another thread, never after close: breaks the statement that runs now, if any. */
	void (*interrupt)(void *native);

	/* A write transaction takes its lock here: EBUSY after busy_ms. */
	enum qrt_err (*begin)(void *native, bool write);
	/*
	 * Waits up to busy_ms. ECOMMITUNKNOWN: it may be found there after a crash, or not. Any
	 * other error: nothing has been committed, whether or not the transaction is still open.
	 */
	enum qrt_err (*commit)(void *native);
	/* Leaves the transaction; no statement is running. */
	enum qrt_err (*rollback)(void *native);
	/*
	 * A part of a write transaction begins; its end keeps it in the transaction, or undoes what
	 * was done since. One at a time; no statement is running.
	 */
	enum qrt_err (*part_begin)(void *native);
	enum qrt_err (*part_end)(void *native, bool keep);
	/* Of the last read: another number once one has seen another state of the database. */
	unsigned (*seen)(void *native);
	/* An engine may have rolled back by itself after an error: this tells. */
	bool (*in_transaction)(void *native);

	/* Statements separated by semicolons; rows are dropped. ESTATE as for step. */
	enum qrt_err (*exec)(void *native, const char *sql);
	/* One statement; EINVAL when there is none or more than one. */
	enum qrt_err (*prepare)(void *native, const char *sql, void **ret_stmt);
	void (*finalize)(void *stmt);
	/* Ready to be stepped from the start; with @unbind all parameters are null again. */
	void (*rewind)(void *stmt, bool unbind);
	enum qrt_err (*bind_int)(void *native, void *stmt, int index, int64_t value);
	enum qrt_err (*bind_double)(void *native, void *stmt, int index, double value);
	/* These copy; NULL binds null. */
	enum qrt_err (*bind_text)(void *native, void *stmt, int index, const char *text);
	enum qrt_err (*bind_blob)(void *native, void *stmt, int index, const void *data, size_t n);
	/* ESTATE: it would write inside a read, or begin or end a transaction. */
	enum qrt_err (*step)(void *native, void *stmt, bool *ret_row);

	/* Columns from 0; out of range reads as null. Valid until the next step or rewind. */
	int (*columns)(void *stmt);
	const char *(*column_name)(void *stmt, int column);
	enum qrt_db_type (*type)(void *stmt, int column);
	int64_t (*get_int)(void *stmt, int column);
	double (*get_double)(void *stmt, int column);
	const char *(*get_text)(void *stmt, int column);
	const void *(*get_blob)(void *stmt, int column, size_t *ret_n);
	int64_t (*changes)(void *native);

	/* --- upkeep; of a connection that may write, outside of transactions --- */

	/* Pages in the log, moved or not, after its last commit. It starts anew once all are. */
	unsigned (*log_pages)(void *native);
	/*
	 * Moves what nobody reads any more from the log into the file, and waits for nobody: other
	 * connections go on reading and committing. @truncate: if that was all, the log becomes
	 * empty. EBUSY: another one is at it. `interrupt` breaks it, or the next.
	 */
	enum qrt_err (*checkpoint)(void *native, bool truncate, struct qrt__db_fold *ret_fold);
	/* Makes lasting what has been moved: it is only when a checkpoint had the last commit. */
	enum qrt_err (*settle)(void *native);

	/* --- in a read --- */

	/* Looks for damage. An error: could not look. */
	enum qrt_err (*check)(void *native, bool full, struct qrt__db_findings *findings);
	/*
	 * A copy of what the transaction sees; @where outlives it. EEXIST (not replace); EBUSY:
	 * what is to be replaced is a database with a log of its own.
	 */
	enum qrt_err (*copy_open)(void *native, const struct qrt__db_copy *where, void **ret_copy);
	/* At most so many pages more. *ret_left: still to do; 0: all is there and lasting. */
	enum qrt_err (*copy_step)(void *copy, unsigned pages, unsigned *ret_left);
	/* Gives a whole copy its name, lasting. Errors as before. */
	enum qrt_err (*copy_publish)(void *copy);
	/* Of one that was not published nothing stays. */
	void (*copy_close)(void *copy);
};

extern const struct qrt__db_engine qrt__db_sqlite;

#endif
