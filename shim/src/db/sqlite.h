/*
 * The SQLite engine, for its own files: the only ones that include sqlite3.h.
 *
 *	db/sqlite.c	  opening, closing, transactions, errors
 *	db/sqlite_stmt.c  statements and columns
 *	db/sqlite_file.c  the log, checks, copies
 */
#ifndef QRT_DB_SQLITE_H
#define QRT_DB_SQLITE_H

#include <sqlite3.h>

#include "shim/src/db/conn.h"

struct qrt__sqlite {
	sqlite3 *db;
	struct qrt_db_conn *conn;
	const char *disk; /* as in its target */
	int busy_ms;
	int64_t busy_since_ns;
	bool own;	    /* one of our statements: may begin and end transactions */
	bool reading;	    /* the transaction is a read */
	bool log_can_tear;  /* a failed write may have left a whole commit in the log */
	unsigned log_pages; /* as the last commit left it */
	sqlite3_stmt *begin_read, *begin_write, *commit, *rollback;
	sqlite3_stmt *part_begin, *part_keep, *part_undo, *see;
};

/* Converts @code of a failed call on @db, with SQLite's text as the detail. */
enum qrt_err qrt__sqlite_failed_on(struct qrt__sqlite *self, sqlite3 *db, int code);
/* The same of the connection's own. */
enum qrt_err qrt__sqlite_failed(struct qrt__sqlite *self, int code);
/* With "./" before it no relative path is one of SQLite's special names. NULL: no memory. */
char *qrt__sqlite_path(const char *path);
bool qrt__sqlite_in_transaction(void *native);
/* Has a transaction look at the file, which fixes what it sees. An SQLite code. */
int qrt__sqlite_see(struct qrt__sqlite *self);

/* Members of the engine; db/engine.h says what they do. */
enum qrt_err qrt__sqlite_exec(void *native, const char *sql);
enum qrt_err qrt__sqlite_prepare(void *native, const char *sql, void **ret_stmt);
void qrt__sqlite_finalize(void *stmt);
void qrt__sqlite_rewind(void *stmt, bool unbind);
enum qrt_err qrt__sqlite_bind_int(void *native, void *stmt, int index, int64_t value);
enum qrt_err qrt__sqlite_bind_double(void *native, void *stmt, int index, double value);
enum qrt_err qrt__sqlite_bind_text(void *native, void *stmt, int index, const char *text);
enum qrt_err qrt__sqlite_bind_blob(void *native, void *stmt, int index, const void *data, size_t n);
enum qrt_err qrt__sqlite_step(void *native, void *stmt, bool *ret_row);
int qrt__sqlite_columns(void *stmt);
const char *qrt__sqlite_column_name(void *stmt, int column);
enum qrt_db_type qrt__sqlite_type(void *stmt, int column);
int64_t qrt__sqlite_get_int(void *stmt, int column);
double qrt__sqlite_get_double(void *stmt, int column);
const char *qrt__sqlite_get_text(void *stmt, int column);
const void *qrt__sqlite_get_blob(void *stmt, int column, size_t *ret_n);
int64_t qrt__sqlite_changes(void *native);
/* From now on commits leave the log alone and say how long it is. */
void qrt__sqlite_watch_log(struct qrt__sqlite *self);
unsigned qrt__sqlite_log_pages(void *native);
enum qrt_err qrt__sqlite_checkpoint(void *native, bool truncate, struct qrt__db_fold *ret_fold);
enum qrt_err qrt__sqlite_settle(void *native);
enum qrt_err qrt__sqlite_check(void *native, bool full, struct qrt__db_findings *findings);
enum qrt_err qrt__sqlite_copy_open(void *native, const struct qrt__db_copy *where, void **ret_copy);
enum qrt_err qrt__sqlite_copy_step(void *copy, unsigned pages, unsigned *ret_left);
enum qrt_err qrt__sqlite_copy_publish(void *copy);
void qrt__sqlite_copy_close(void *copy);

#endif
