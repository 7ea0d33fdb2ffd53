/*
 * Statements of a database connection and the cache they come from. Only
 * idle statements are in the cache, so that a text may be in use twice at
 * once (nested): both go back. Bounded; the one longest idle goes first.
 */
#include "shim/src/db/conn.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

struct qrt_db_stmt {
	struct qrt_db_conn *conn;
	void *native;
	enum qrt_err bind_err; /* the first; comes out of the next step */
	bool on_row;	       /* the next step goes on, it does not begin */
	uint64_t hash;
	struct qrt__list in_list; /* stmts.open or stmts.idle */
	struct qrt__list in_bucket;
	char sql[];
};

static uint64_t mix(uint64_t hash, uint64_t word)
{
	hash = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
	return hash ^ hash >> 32;
}

/* By words: texts of statements are long, and looked up each time they run. */
static uint64_t hash_of(const char *text)
{
	size_t left = strlen(text);
	uint64_t hash = left;
	uint64_t word = 0;
	for (; left >= sizeof(word); left -= sizeof(word)) {
		memcpy(&word, text, sizeof(word));
		hash = mix(hash, word);
		text += sizeof(word);
	}
	word = 0;
	memcpy(&word, text, left);
	return mix(hash, word);
}

static struct qrt__list *bucket_of(struct qrt__db_stmts *stmts, uint64_t hash)
{
	return &stmts->bucket[hash & (QRT__DB_BUCKETS - 1)];
}

/* As much of @sql as fits, on one line. */
static void one_line(const char *sql, char *buf, size_t n)
{
	size_t used = 0;
	for (; *sql != '\0' && used + 1 < n; sql++) {
		bool blank = isspace((unsigned char)*sql);
		if (!blank) {
			buf[used++] = *sql;
		} else if (used > 0 && buf[used - 1] != ' ') {
			buf[used++] = ' ';
		}
	}
	buf[used] = '\0';
}

/* Adds the statement to the engine's detail: texts have no values in them. */
static enum qrt_err blame(struct qrt_db_conn *conn, enum qrt_err err, const char *sql)
{
	char line[96];
	if (err == conn->stopped && conn->stop_told) {
		return err;
	}
	conn->stop_told = err == conn->stopped;
	one_line(sql, line, sizeof(line));
	if (conn->detail_err != err || conn->detail[0] == '\0') {
		return qrt_db_fail(conn, err, "in: %s", line);
	}
	return qrt_db_fail(conn, err, "%.150s in: %s", conn->detail, line);
}

/* Whether the job may run one more statement. */
static enum qrt_err may_run(struct qrt_db_conn *conn)
{
	QRT_PRE(conn->native);
	enum qrt_err err = qrt__db_conn_check(conn);
	if (!err && conn->in_transaction && !conn->engine->in_transaction(conn->native)) {
		/* It would be committed by itself, apart from the rest of the job. */
		err = qrt_db_fail(conn, QRT_ESTATE, "an error has ended the transaction");
	}
	return err;
}

void qrt__db_stmts_init(struct qrt__db_stmts *stmts)
{
	qrt__list_init(&stmts->open);
	qrt__list_init(&stmts->idle);
	for (size_t i = 0; i < QRT__DB_BUCKETS; i++) {
		qrt__list_init(&stmts->bucket[i]);
	}
	stmts->n_idle = 0;
}

static void rewind_to_start(struct qrt_db_stmt *stmt, bool unbind)
{
	stmt->conn->engine->rewind(stmt->native, unbind);
	stmt->on_row = false;
}

static void destroy(struct qrt_db_stmt *stmt)
{
	qrt__list_remove(&stmt->in_list);
	qrt__list_remove(&stmt->in_bucket);
	stmt->conn->engine->finalize(stmt->native);
	free(stmt);
}

static struct qrt_db_stmt *oldest_of(struct qrt__list *list)
{
	return QRT__CONTAINER(list->next, struct qrt_db_stmt, in_list);
}

void qrt__db_stmts_drop(struct qrt_db_conn *conn)
{
	QRT_PRE(qrt__list_empty(&conn->stmts.open));
	while (!qrt__list_empty(&conn->stmts.idle)) {
		destroy(oldest_of(&conn->stmts.idle));
	}
	conn->stmts.n_idle = 0;
}

bool qrt__db_stmts_finish(struct qrt_db_conn *conn, char *ret_sql, size_t n)
{
	bool any = !qrt__list_empty(&conn->stmts.open);
	while (!qrt__list_empty(&conn->stmts.open)) {
		struct qrt_db_stmt *stmt = oldest_of(&conn->stmts.open);
		one_line(stmt->sql, ret_sql, n);
		qrt_db_finish(&stmt);
	}
	return any;
}

static struct qrt_db_stmt *find_idle(struct qrt__db_stmts *stmts, const char *sql, uint64_t hash)
{
	QRT__LIST_EACH(node, bucket_of(stmts, hash)) {
		struct qrt_db_stmt *stmt = QRT__CONTAINER(node, struct qrt_db_stmt, in_bucket);
		if (stmt->hash == hash && strcmp(stmt->sql, sql) == 0) {
			return stmt;
		}
	}
	return NULL;
}

static enum qrt_err create(struct qrt_db_conn *conn, const char *sql, uint64_t hash,
			   struct qrt_db_stmt **ret_stmt)
{
	size_t n = strlen(sql) + 1;
	struct qrt_db_stmt *stmt = calloc(1, sizeof(*stmt) + n);
	if (!stmt) {
		return qrt_db_fail(conn, QRT_ENOMEM, "no memory for a statement");
	}
	memcpy(stmt->sql, sql, n);
	stmt->conn = conn;
	stmt->hash = hash;
	enum qrt_err err = conn->engine->prepare(conn->native, sql, &stmt->native);
	if (err) {
		free(stmt);
		return blame(conn, err, sql);
	}
	qrt__list_init(&stmt->in_bucket);
	qrt__list_append(&conn->stmts.open, &stmt->in_list);
	*ret_stmt = stmt;
	return QRT_OK;
}

enum qrt_err qrt_db_exec(struct qrt_db_conn *conn, const char *sql)
{
	enum qrt_err err = may_run(conn);
	err = err ? err : qrt__db_conn_enter(conn, true);
	err = err ? err : conn->engine->exec(conn->native, sql);
	err = err ? err : qrt__db_conn_entered(conn);
	return err ? blame(conn, err, sql) : QRT_OK;
}

enum qrt_err qrt_db_prepare(struct qrt_db_conn *conn, const char *sql,
			    struct qrt_db_stmt **ret_stmt)
{
	QRT_PRE(conn->native);
	uint64_t hash = hash_of(sql);
	struct qrt_db_stmt *stmt = find_idle(&conn->stmts, sql, hash);
	if (!stmt) {
		return create(conn, sql, hash, ret_stmt);
	}
	qrt__list_remove(&stmt->in_bucket);
	qrt__list_remove(&stmt->in_list);
	qrt__list_append(&conn->stmts.open, &stmt->in_list);
	conn->stmts.n_idle--;
	*ret_stmt = stmt;
	return QRT_OK;
}

void qrt_db_finish(struct qrt_db_stmt **stmt_p)
{
	struct qrt_db_stmt *stmt = stmt_p ? *stmt_p : NULL;
	if (!stmt) {
		return;
	}
	*stmt_p = NULL;
	struct qrt__db_stmts *stmts = &stmt->conn->stmts;
	rewind_to_start(stmt, true);
	stmt->bind_err = QRT_OK;
	qrt__list_remove(&stmt->in_list);
	qrt__list_append(&stmts->idle, &stmt->in_list);
	qrt__list_append(bucket_of(stmts, stmt->hash), &stmt->in_bucket);
	stmts->n_idle++;
	if (stmts->n_idle > QRT__DB_IDLE_MAX) {
		destroy(oldest_of(&stmts->idle));
		stmts->n_idle--;
	}
}

static void keep_bind_err(struct qrt_db_stmt *stmt, enum qrt_err err)
{
	if (err && !stmt->bind_err) {
		stmt->bind_err = err;
	}
}

void qrt_db_bind_int(struct qrt_db_stmt *stmt, int index, int64_t value)
{
	struct qrt_db_conn *conn = stmt->conn;
	keep_bind_err(stmt, conn->engine->bind_int(conn->native, stmt->native, index, value));
}

void qrt_db_bind_bool(struct qrt_db_stmt *stmt, int index, bool value)
{
	qrt_db_bind_int(stmt, index, value ? 1 : 0);
}

void qrt_db_bind_double(struct qrt_db_stmt *stmt, int index, double value)
{
	struct qrt_db_conn *conn = stmt->conn;
	keep_bind_err(stmt, conn->engine->bind_double(conn->native, stmt->native, index, value));
}

void qrt_db_bind_blob(struct qrt_db_stmt *stmt, int index, const void *data, size_t n)
{
	struct qrt_db_conn *conn = stmt->conn;
	keep_bind_err(stmt, conn->engine->bind_blob(conn->native, stmt->native, index, data, n));
}

void qrt_db_bind_text(struct qrt_db_stmt *stmt, int index, const char *text)
{
	struct qrt_db_conn *conn = stmt->conn;
	keep_bind_err(stmt, conn->engine->bind_text(conn->native, stmt->native, index, text));
}

void qrt_db_bind_null(struct qrt_db_stmt *stmt, int index)
{
	qrt_db_bind_text(stmt, index, NULL);
}

static enum qrt_err step(struct qrt_db_stmt *stmt, bool *ret_row)
{
	struct qrt_db_conn *conn = stmt->conn;
	if (stmt->on_row) {
		return conn->engine->step(conn->native, stmt->native, ret_row);
	}
	enum qrt_err err = qrt__db_conn_enter(conn, false);
	err = err ? err : conn->engine->step(conn->native, stmt->native, ret_row);
	return err ? err : qrt__db_conn_entered(conn);
}

enum qrt_err qrt_db_step(struct qrt_db_stmt *stmt, bool *ret_row)
{
	struct qrt_db_conn *conn = stmt->conn;
	bool row = false;
	enum qrt_err err = may_run(conn);
	if (!err) {
		err = stmt->bind_err;
	}
	if (!err) {
		err = step(stmt, &row);
	}
	if (err) {
		stmt->bind_err = QRT_OK;
		err = blame(conn, err, stmt->sql);
	}
	stmt->on_row = true;
	if (err || !row) {
		rewind_to_start(stmt, false);
	}
	if (!err) {
		*ret_row = row;
	}
	return err;
}

bool qrt_db_next(struct qrt_db_stmt *stmt, enum qrt_err *err)
{
	bool row = false;
	if (!*err) {
		*err = qrt_db_step(stmt, &row);
	}
	return !*err && row;
}

enum qrt_err qrt_db_run(struct qrt_db_stmt *stmt)
{
	bool row = false;
	enum qrt_err err = qrt_db_step(stmt, &row);
	if (err || !row) {
		return err;
	}
	rewind_to_start(stmt, false);
	return blame(stmt->conn,
		     qrt_db_fail(stmt->conn, QRT_ESTATE, "a row where none was expected"),
		     stmt->sql);
}

int qrt_db_columns(const struct qrt_db_stmt *stmt)
{
	return stmt->conn->engine->columns(stmt->native);
}

const char *qrt_db_column_name(const struct qrt_db_stmt *stmt, int column)
{
	return stmt->conn->engine->column_name(stmt->native, column);
}

enum qrt_db_type qrt_db_type(const struct qrt_db_stmt *stmt, int column)
{
	return stmt->conn->engine->type(stmt->native, column);
}

bool qrt_db_is_null(const struct qrt_db_stmt *stmt, int column)
{
	return qrt_db_type(stmt, column) == QRT_DB_NULL;
}

int64_t qrt_db_int(const struct qrt_db_stmt *stmt, int column)
{
	return stmt->conn->engine->get_int(stmt->native, column);
}

bool qrt_db_bool(const struct qrt_db_stmt *stmt, int column)
{
	return qrt_db_int(stmt, column) != 0;
}

double qrt_db_double(const struct qrt_db_stmt *stmt, int column)
{
	return stmt->conn->engine->get_double(stmt->native, column);
}

const void *qrt_db_blob(const struct qrt_db_stmt *stmt, int column, size_t *ret_n)
{
	return stmt->conn->engine->get_blob(stmt->native, column, ret_n);
}

const char *qrt_db_text(const struct qrt_db_stmt *stmt, int column)
{
	return stmt->conn->engine->get_text(stmt->native, column);
}

int64_t qrt_db_changes(const struct qrt_db_conn *conn)
{
	return conn->engine->changes(conn->native);
}
