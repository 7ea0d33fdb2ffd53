/*
 * SQLite's statements: running, binding, columns. Never begins or ends a
 * transaction.
 */
#include <string.h>

#include "shim/src/db/sqlite.h"

static enum qrt_err may_step(struct qrt__sqlite *self, sqlite3_stmt *stmt)
{
	if (self->reading && !sqlite3_stmt_readonly(stmt)) {
		return qrt_db_fail(self->conn, QRT_ESTATE, "a read cannot write");
	}
	return QRT_OK;
}

/*
 * Prepares the first statement of @sql. What SQLite cannot find it looks for once more if the
 * schema has changed; but when it cannot see whether it has (the disk, a lock), it says that there
 * is no such table. So before that is believed the transaction takes its look at the file.
 */
static int prepare(struct qrt__sqlite *self, const char *sql, unsigned flags,
		   sqlite3_stmt **ret_stmt, const char **ret_tail)
{
	int code = sqlite3_prepare_v3(self->db, sql, -1, flags, ret_stmt, ret_tail);
	if (code == SQLITE_ERROR && sqlite3_txn_state(self->db, "main") == SQLITE_TXN_NONE) {
		code = qrt__sqlite_see(self);
		if (code == SQLITE_OK) {
			code = sqlite3_prepare_v3(self->db, sql, -1, flags, ret_stmt, ret_tail);
		}
	}
	return code;
}

/* --- statements ----------------------------------------------------------------------------- */

static enum qrt_err exec_one(struct qrt__sqlite *self, sqlite3_stmt *stmt)
{
	enum qrt_err err = qrt__db_conn_check(self->conn);
	if (!err) {
		err = may_step(self, stmt);
	}
	int code = SQLITE_ROW;
	while (!err && code == SQLITE_ROW) {
		code = sqlite3_step(stmt);
	}
	if (!err && code != SQLITE_DONE) {
		err = qrt__sqlite_failed(self, code);
	}
	return err;
}

enum qrt_err qrt__sqlite_exec(void *native, const char *sql)
{
	struct qrt__sqlite *self = native;
	bool began_inside = qrt__sqlite_in_transaction(self);
	enum qrt_err err = QRT_OK;
	while (!err && *sql != '\0') {
		sqlite3_stmt *stmt = NULL;
		int code = prepare(self, sql, 0, &stmt, &sql);
		if (code != SQLITE_OK) {
			err = qrt__sqlite_failed(self, code);
		} else if (stmt) { /* none: a comment or blanks */
			err = exec_one(self, stmt);
		}
		sqlite3_finalize(stmt);
		if (!err && began_inside && !qrt__sqlite_in_transaction(self)) {
			err = qrt_db_fail(self->conn, QRT_ESTATE, "a statement has rolled back");
		}
	}
	return err;
}

enum qrt_err qrt__sqlite_prepare(void *native, const char *sql, void **ret_stmt)
{
	struct qrt__sqlite *self = native;
	sqlite3_stmt *stmt = NULL;
	const char *tail = NULL;
	int code = prepare(self, sql, SQLITE_PREPARE_PERSISTENT, &stmt, &tail);
	if (code != SQLITE_OK) {
		return qrt__sqlite_failed(self, code);
	}
	if (!stmt || tail[strspn(tail, " \t\r\n;")] != '\0') {
		sqlite3_finalize(stmt);
		return qrt_db_fail(self->conn, QRT_EINVAL, "not exactly one statement");
	}
	*ret_stmt = stmt;
	return QRT_OK;
}

void qrt__sqlite_finalize(void *stmt)
{
	sqlite3_finalize(stmt);
}

void qrt__sqlite_rewind(void *stmt, bool unbind)
{
	sqlite3_reset(stmt); /* repeats the error of the last step, which has been told */
	if (unbind) {
		sqlite3_clear_bindings(stmt);
	}
}

enum qrt_err qrt__sqlite_bind_int(void *native, void *stmt, int index, int64_t value)
{
	int code = sqlite3_bind_int64(stmt, index, value);
	return code == SQLITE_OK ? QRT_OK : qrt__sqlite_failed(native, code);
}

enum qrt_err qrt__sqlite_bind_text(void *native, void *stmt, int index, const char *text)
{
	int code = text ? sqlite3_bind_text64(stmt, index, text, strlen(text), SQLITE_TRANSIENT,
					      SQLITE_UTF8)
			: sqlite3_bind_null(stmt, index);
	return code == SQLITE_OK ? QRT_OK : qrt__sqlite_failed(native, code);
}

enum qrt_err qrt__sqlite_bind_double(void *native, void *stmt, int index, double value)
{
	int code = sqlite3_bind_double(stmt, index, value);
	return code == SQLITE_OK ? QRT_OK : qrt__sqlite_failed(native, code);
}

enum qrt_err qrt__sqlite_bind_blob(void *native, void *stmt, int index, const void *data, size_t n)
{
	/* Of no bytes SQLite would take any address for null. */
	int code = !data    ? sqlite3_bind_null(stmt, index)
		   : n == 0 ? sqlite3_bind_zeroblob(stmt, index, 0)
			    : sqlite3_bind_blob64(stmt, index, data, n, SQLITE_TRANSIENT);
	return code == SQLITE_OK ? QRT_OK : qrt__sqlite_failed(native, code);
}

enum qrt_err qrt__sqlite_step(void *native, void *stmt, bool *ret_row)
{
	enum qrt_err err = may_step(native, stmt);
	if (err) {
		return err;
	}
	int code = sqlite3_step(stmt);
	if (code != SQLITE_ROW && code != SQLITE_DONE) {
		return qrt__sqlite_failed(native, code);
	}
	*ret_row = code == SQLITE_ROW;
	return QRT_OK;
}

/* --- columns -------------------------------------------------------------------------------- */

int qrt__sqlite_columns(void *stmt)
{
	return sqlite3_column_count(stmt);
}

const char *qrt__sqlite_column_name(void *stmt, int column)
{
	const char *name = sqlite3_column_name(stmt, column);
	return name ? name : "";
}

enum qrt_db_type qrt__sqlite_type(void *stmt, int column)
{
	switch (sqlite3_column_type(stmt, column)) {
	case SQLITE_INTEGER:
		return QRT_DB_INT;
	case SQLITE_FLOAT:
		return QRT_DB_DOUBLE;
	case SQLITE_TEXT:
		return QRT_DB_TEXT;
	case SQLITE_BLOB:
		return QRT_DB_BLOB;
	default:
		return QRT_DB_NULL;
	}
}

double qrt__sqlite_get_double(void *stmt, int column)
{
	return sqlite3_column_double(stmt, column);
}

const void *qrt__sqlite_get_blob(void *stmt, int column, size_t *ret_n)
{
	const void *data = sqlite3_column_blob(stmt, column); /* before its size: it converts */
	*ret_n = (size_t)sqlite3_column_bytes(stmt, column);
	return data;
}

int64_t qrt__sqlite_get_int(void *stmt, int column)
{
	return sqlite3_column_int64(stmt, column);
}

const char *qrt__sqlite_get_text(void *stmt, int column)
{
	return (const char *)sqlite3_column_text(stmt, column);
}

int64_t qrt__sqlite_changes(void *native)
{
	const struct qrt__sqlite *self = native;
	return sqlite3_changes64(self->db);
}
