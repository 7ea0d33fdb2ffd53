/*
 * The interface of those who implement a database engine. An engine speaks
 * to one library and hides it whole: no type, code or constant of it leaves
 * its file. It owns no thread, no lane and no policy: when to begin, commit,
 * give up or reuse is decided in db_conn.c, the same for every engine.
 *
 * Every member is called on a lane's thread and may block, except `interrupt`.
 * A connection is used by one thread at a time, though not always the same.
 * No member may be NULL. A member that fails says why with
 * qrt_db_fail(conn, ...) and lets qrt__db_conn_check speak first where the
 * failure may come from a cancel.
 */
#ifndef QRT_DB_ENGINE_H
#define QRT_DB_ENGINE_H

#include <qrt/db.h>

struct qrt__db_target {
	const char *path; /* NULL: in memory */
	const char *disk; /* by the engine's name for it; NULL: the system's */
	bool create;	  /* create if absent, settle the file's lasting modes */
	bool read_only;
	bool synchronous_full;
	int busy_ms; /* longest wait for another process' lock */
};

struct qrt__db_engine {
	const char *name;

	/*
	 * Opens and checks that there is a database. @conn outlives the result
	 * and is asked, through qrt__db_conn_check, whether to go on: at least
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
	/* Waits up to busy_ms. Failed and no longer in a transaction: the outcome is not known. */
	enum qrt_err (*commit)(void *native);
	/* Leaves the transaction; no statement is running. */
	enum qrt_err (*rollback)(void *native);
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
	/* Copies @text; NULL binds null. */
	enum qrt_err (*bind_text)(void *native, void *stmt, int index, const char *text);
	/* ESTATE: it would write inside a read, or begin or end a transaction. */
	enum qrt_err (*step)(void *native, void *stmt, bool *ret_row);

	/* Columns from 0; out of range reads as null. Valid until the next step or rewind. */
	int (*columns)(void *stmt);
	const char *(*column_name)(void *stmt, int column);
	bool (*is_null)(void *stmt, int column);
	int64_t (*get_int)(void *stmt, int column);
	const char *(*get_text)(void *stmt, int column);
	int64_t (*changes)(void *native);
};

extern const struct qrt__db_engine qrt__db_sqlite;

#endif
