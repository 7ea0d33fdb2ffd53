/* Helpers around statements. */
#include "quotey/db/sql.h"

#include "quotey/core/text.h"

enum qrt_err qy_sql_open(struct qrt_db_conn *conn, const char *sql, const struct qy_arg *args,
			 size_t count, struct qrt_db_stmt **ret_stmt)
{
	enum qrt_err err = qrt_db_prepare(conn, sql, ret_stmt);

	for (size_t i = 0; i < count && !err; i++) {
		if (args[i].is_text) {
			qrt_db_bind_text(*ret_stmt, (int)i + 1, args[i].text);
		} else {
			qrt_db_bind_int(*ret_stmt, (int)i + 1, args[i].number);
		}
	}
	return err;
}

enum qrt_err qy_sql_run(struct qrt_db_conn *conn, const char *sql, const struct qy_arg *args,
			size_t count)
{
	QRT_AUTO_STMT stmt = NULL;
	enum qrt_err err = qy_sql_open(conn, sql, args, count, &stmt);

	return err ? err : qrt_db_run(stmt);
}

enum qrt_err qy_sql_number(struct qrt_db_conn *conn, const char *sql, const struct qy_arg *args,
			   size_t count, int64_t *ret_number)
{
	QRT_AUTO_STMT stmt = NULL;
	bool row = false;
	enum qrt_err err = qy_sql_open(conn, sql, args, count, &stmt);

	if (!err) {
		err = qrt_db_step(stmt, &row);
	}
	if (!err && !row) {
		err = QRT_ENOENT;
	}
	if (!err) {
		*ret_number = qrt_db_int(stmt, 0);
	}
	return err;
}

enum qrt_err qy_sql_word(struct qrt_db_conn *conn, const char *sql, const struct qy_arg *arg,
			 size_t size, char *ret_text)
{
	QRT_AUTO_STMT stmt = NULL;
	bool row = false;
	enum qrt_err err = qy_sql_open(conn, sql, arg, arg ? 1 : 0, &stmt);

	if (!err) {
		err = qrt_db_step(stmt, &row);
	}
	if (!err && !row) {
		err = QRT_ENOENT;
	}
	if (!err) {
		qy_sql_copy(stmt, 0, ret_text, size);
	}
	return err;
}

enum qrt_err qy_sql_exists(struct qrt_db_conn *conn, const char *sql, const struct qy_arg *args,
			   size_t count, bool *ret_exists)
{
	QRT_AUTO_STMT stmt = NULL;
	bool row = false;
	enum qrt_err err = qy_sql_open(conn, sql, args, count, &stmt);

	if (!err) {
		err = qrt_db_step(stmt, &row);
	}
	if (!err) {
		*ret_exists = row;
	}
	return err;
}

void qy_sql_copy(const struct qrt_db_stmt *stmt, int column, char *buf, size_t size)
{
	qy_text_cut(buf, size, qrt_db_text(stmt, column));
}

enum qrt_err qy_sql_code(struct qrt_db_conn *conn, enum qy_code code, const char *table,
			 const char *id)
{
	if (code == QY_OK) {
		return QRT_OK;
	}
	if (code == QY_NO_MEMORY) {
		return qrt_db_fail(conn, QRT_ENOMEM, "%s %s: out of memory", table, id);
	}
	return qrt_db_fail(conn, QRT_ECORRUPT, "%s %s: %s", table, id, qy_code_name(code));
}
