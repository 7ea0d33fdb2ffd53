/*
 * Small helpers around statements, for use inside jobs: run with arguments, read one value, copy a
 * column. Never holds SQL of its own.
 */
#ifndef QY_DB_SQL_H
#define QY_DB_SQL_H

#include <qrt/db.h>

#include "quotey/core/code.h"

/* One argument of a statement. */
struct qy_arg {
	bool is_text;
	const char *text; /* NULL binds null */
	int64_t number;
};

#define QY_T(value) ((struct qy_arg){.is_text = true, .text = (value)})
#define QY_N(value) ((struct qy_arg){.number = (int64_t)(value)})
/* An empty text stands for null. */
#define QY_TN(value) ((struct qy_arg){.is_text = true, .text = (value)[0] ? (value) : NULL})
#define QY_ARGS(...)                                                                               \
	((const struct qy_arg[]){__VA_ARGS__}),                                                    \
	    sizeof((const struct qy_arg[]){__VA_ARGS__}) / sizeof(struct qy_arg)
#define QY_NO_ARGS NULL, 0

/* Prepares and binds. The caller finishes *ret_stmt. */
enum qrt_err qy_sql_open(struct qrt_db_conn *conn, const char *sql, const struct qy_arg *args,
			 size_t count, struct qrt_db_stmt **ret_stmt) QRT_MUST_USE;
/* Runs a statement that returns no rows. */
enum qrt_err qy_sql_run(struct qrt_db_conn *conn, const char *sql, const struct qy_arg *args,
			size_t count) QRT_MUST_USE;
/* The number in the first column of the first row. ENOENT when there is no row. */
enum qrt_err qy_sql_number(struct qrt_db_conn *conn, const char *sql, const struct qy_arg *args,
			   size_t count, int64_t *ret_number) QRT_MUST_USE;
/* The same for a text of at most @size - 1 bytes; null is "". */
enum qrt_err qy_sql_word(struct qrt_db_conn *conn, const char *sql, const struct qy_arg *arg,
			 size_t size, char *ret_text) QRT_MUST_USE;
/* Whether there is any row. */
enum qrt_err qy_sql_exists(struct qrt_db_conn *conn, const char *sql, const struct qy_arg *args,
			   size_t count, bool *ret_exists) QRT_MUST_USE;

/* Copies a column, cut to size; null is "". */
void qy_sql_copy(const struct qrt_db_stmt *stmt, int column, char *buf, size_t size);
/* A code met while stored rows become values: ENOMEM, or ECORRUPT with what and code as detail. */
enum qrt_err qy_sql_code(struct qrt_db_conn *conn, enum qy_code code, const char *table,
			 const char *id) QRT_MUST_USE;

#endif
