/*
 * The SQLite engine, and the only file that includes sqlite3.h. Turns every
 * SQLite code into enum qrt_err in one function; never decides when to begin,
 * commit, give up or reuse (db_conn.c does), and keeps no global state.
 *
 * How a cancel gets in: sqlite3_interrupt breaks the running statement but is
 * lost when none runs, so a progress handler asks the sticky flag as well.
 */
#include "shim/src/db_conn.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sqlite3.h>

#define CHECK_EVERY_OPS 1000 /* measured: costs 0.01 % of the instructions */
/* What so many take where time is simulated: as on a slow machine. */
#define CHECK_EVERY_NS (100 * INT64_C(1000))
#define BUSY_STEP_MAX_MS 20 /* how late a wait for a lock hears of a cancel */

struct sqlite_conn {
	sqlite3 *db;
	struct qrt_db_conn *conn;
	int busy_ms;
	int64_t busy_since_ns;
	bool own;	     /* one of our statements: may begin and end transactions */
	bool reading;	     /* the transaction is a read */
	bool simulated_disk; /* whose locks no time of ours frees */
	sqlite3_stmt *begin_read, *begin_write, *commit, *rollback;
};

/* The one conversion of SQLite's codes. @sys: the errno that goes with a CANTOPEN. */
static enum qrt_err err_from_sqlite(int code, int sys)
{
	if (code == SQLITE_BUSY_SNAPSHOT) {
		return QRT_ECONFLICT;
	}
	switch (code & 0xff) {
	case SQLITE_OK:
	case SQLITE_ROW:
	case SQLITE_DONE:
		return QRT_OK;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
	case SQLITE_PROTOCOL:
		return QRT_EBUSY;
	case SQLITE_CONSTRAINT:
		return QRT_ECONFLICT;
	case SQLITE_NOMEM:
		return QRT_ENOMEM;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return QRT_ECORRUPT;
	case SQLITE_CANTOPEN: {
		enum qrt_err err = qrt__err_from_errno(sys);
		bool told = err == QRT_ENOENT || err == QRT_EMFILE || err == QRT_ENOMEM;
		return told || sys == EIO ? err : QRT_EACCES;
	}
	case SQLITE_PERM:
	case SQLITE_READONLY:
		return QRT_EACCES;
	case SQLITE_IOERR:
	case SQLITE_FULL:
		return QRT_EIO;
	case SQLITE_TOOBIG:
		return QRT_ELIMIT;
	case SQLITE_RANGE:
	case SQLITE_MISMATCH:
		return QRT_EINVAL;
	case SQLITE_MISUSE:
	case SQLITE_AUTH:
		return QRT_ESTATE;
	default:
		return QRT_EFAILED;
	}
}

/* Converts @code of a failed call, with SQLite's text as the detail. */
static enum qrt_err failed(struct sqlite_conn *self, int code)
{
	int sys = self->db ? sqlite3_system_errno(self->db) : 0;
	const char *text = self->db ? sqlite3_errmsg(self->db) : sqlite3_errstr(code);
	int primary = code & 0xff;
	if (primary == SQLITE_INTERRUPT || primary == SQLITE_BUSY) {
		enum qrt_err stopped = qrt__db_conn_check(self->conn);
		if (stopped) {
			return stopped;
		}
	}
	enum qrt_err err = err_from_sqlite(code, sys);
	if (primary == SQLITE_BUSY) {
		return qrt_db_fail(self->conn, err, "%s by another process for over %d ms", text,
				   self->busy_ms);
	}
	if (primary == SQLITE_AUTH) {
		return qrt_db_fail(self->conn, err, "a job cannot begin or end transactions");
	}
	if (sys != 0 && primary == SQLITE_CANTOPEN) {
		errno = sys; /* for %m: strerror is not for threads */
		return qrt_db_fail(self->conn, err, "%s: %m", text);
	}
	if (primary == SQLITE_IOERR) { /* the code says which call; the errno is not kept */
		return qrt_db_fail(self->conn, err, "%s (SQLite code %d)", text, code);
	}
	return qrt_db_fail(self->conn, err, "%s", text);
}

static int on_progress(void *arg)
{
	const struct sqlite_conn *self = arg;
	qrt__db_conn_worked(self->conn, CHECK_EVERY_NS);
	return qrt__db_conn_check(self->conn) ? 1 : 0;
}

static bool wait_a_little(struct sqlite_conn *self, int round)
{
	int64_t now = qrt__db_clock_ns(self->conn);
	if (round == 0) {
		self->busy_since_ns = now;
	}
	int64_t left_ms = self->busy_ms - (now - self->busy_since_ns) / QRT_MS;
	if (left_ms <= 0 || qrt__db_conn_check(self->conn)) {
		return false;
	}
	int step = round < BUSY_STEP_MAX_MS ? round + 1 : BUSY_STEP_MAX_MS;
	step = left_ms < step ? (int)left_ms : step;
	qrt__db_conn_worked(self->conn, step * QRT_MS);
	if (!self->simulated_disk) {
		sqlite3_sleep(step);
	}
	return true;
}

static int on_busy(void *arg, int round)
{
	return wait_a_little(arg, round) ? 1 : 0;
}

/* Transactions are db_conn.c's: a job that ended one would commit half of itself. */
static int authorize(void *arg, int action, const char *a, const char *b, const char *c,
		     const char *d)
{
	const struct sqlite_conn *self = arg;
	(void)a, (void)b, (void)c, (void)d;
	return action == SQLITE_TRANSACTION && !self->own ? SQLITE_DENY : SQLITE_OK;
}

static int run_own(struct sqlite_conn *self, sqlite3_stmt *stmt)
{
	self->own = true; /* also for a preparing anew after a change of the schema */
	int code = sqlite3_step(stmt);
	self->own = false;
	sqlite3_reset(stmt); /* leaves the text of the error */
	return code == SQLITE_DONE ? SQLITE_OK : code;
}

static enum qrt_err may_step(struct sqlite_conn *self, sqlite3_stmt *stmt)
{
	if (self->reading && !sqlite3_stmt_readonly(stmt)) {
		return qrt_db_fail(self->conn, QRT_ESTATE, "a read cannot write");
	}
	return QRT_OK;
}

/* --- open and close ------------------------------------------------------------------------- */

static void sqlite_close(void *native)
{
	struct sqlite_conn *self = native;
	sqlite3_finalize(self->begin_read);
	sqlite3_finalize(self->begin_write);
	sqlite3_finalize(self->commit);
	sqlite3_finalize(self->rollback);
	int code = sqlite3_close(self->db);
	QRT_ASSERT(code == SQLITE_OK);
	free(self);
}

static int open_file(struct sqlite_conn *self, const struct qrt__db_target *target)
{
	int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX;
	if (target->create) {
		flags |= SQLITE_OPEN_CREATE;
	}
	if (!target->path) {
		return sqlite3_open_v2(":memory:", &self->db, flags, NULL);
	}
	/* With "./" before it no relative path is one of SQLite's special names. */
	size_t n = strlen(target->path) + 3;
	char *path = malloc(n);
	if (!path) {
		return SQLITE_NOMEM;
	}
	snprintf(path, n, "%s%s", target->path[0] == '/' ? "" : "./", target->path);
	self->simulated_disk = target->disk != NULL;
	int code = sqlite3_open_v2(path, &self->db, flags, target->disk);
	free(path);
	return code;
}

static int set_rules(struct sqlite_conn *self)
{
	static const struct {
		int op, value;
	} rules[] = {
	    {SQLITE_DBCONFIG_ENABLE_FKEY, 1},
	    {SQLITE_DBCONFIG_DEFENSIVE, 1},
	    {SQLITE_DBCONFIG_DQS_DML, 0}, /* "x" is a name, never a string */
	    {SQLITE_DBCONFIG_DQS_DDL, 0},
	};
	sqlite3_extended_result_codes(self->db, 1);
	int code = sqlite3_busy_handler(self->db, on_busy, self);
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]) && code == SQLITE_OK; i++) {
		int now = -1;
		code = sqlite3_db_config(self->db, rules[i].op, rules[i].value, &now);
		if (code == SQLITE_OK && now != rules[i].value) {
			code = SQLITE_ERROR;
		}
	}
	if (code == SQLITE_OK) {
		code = sqlite3_set_authorizer(self->db, authorize, self);
	}
	sqlite3_progress_handler(self->db, CHECK_EVERY_OPS, on_progress, self);
	return code;
}

/* WAL stays in the file; a file system without shared memory refuses it. */
static enum qrt_err set_wal(struct sqlite_conn *self)
{
	sqlite3_stmt *stmt = NULL;
	int code = sqlite3_prepare_v2(self->db, "PRAGMA journal_mode=WAL", -1, &stmt, NULL);
	if (code == SQLITE_OK) {
		code = sqlite3_step(stmt);
	}
	const char *mode = code == SQLITE_ROW ? (const char *)sqlite3_column_text(stmt, 0) : NULL;
	enum qrt_err err = QRT_OK;
	if (!mode) {
		err = failed(self, code == SQLITE_ROW ? SQLITE_NOMEM : code);
	} else if (strcmp(mode, "wal") != 0) {
		err = qrt_db_fail(self->conn, QRT_EIO, "the file system has no write-ahead log");
	}
	/* The change is committed after its row: only now it is known. */
	code = sqlite3_finalize(stmt);
	return err || code == SQLITE_OK ? err : failed(self, code);
}

static enum qrt_err set_file(struct sqlite_conn *self, const struct qrt__db_target *target)
{
	if (sqlite3_db_readonly(self->db, "main") == 1) {
		return qrt_db_fail(self->conn, QRT_EACCES, "not writable");
	}
	enum qrt_err err = target->path && target->create ? set_wal(self) : QRT_OK;
	if (err) {
		return err;
	}
	const char *sync =
	    target->synchronous_full ? "PRAGMA synchronous=FULL" : "PRAGMA synchronous=NORMAL";
	int code = sqlite3_exec(self->db, sync, NULL, NULL, NULL);
	if (code == SQLITE_OK && target->read_only) {
		code = sqlite3_exec(self->db, "PRAGMA query_only=ON", NULL, NULL, NULL);
	}
	if (code == SQLITE_OK) { /* reads the header and every table's definition */
		code =
		    sqlite3_exec(self->db, "SELECT 1 FROM sqlite_schema LIMIT 1", NULL, NULL, NULL);
	}
	return code == SQLITE_OK ? QRT_OK : failed(self, code);
}

static int prepare_own(struct sqlite_conn *self)
{
	const struct {
		const char *sql;
		sqlite3_stmt **stmt;
	} all[] = {
	    {"BEGIN", &self->begin_read},
	    {"BEGIN IMMEDIATE", &self->begin_write},
	    {"COMMIT", &self->commit},
	    {"ROLLBACK", &self->rollback},
	};
	int code = SQLITE_OK;
	self->own = true;
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]) && code == SQLITE_OK; i++) {
		code = sqlite3_prepare_v3(self->db, all[i].sql, -1, SQLITE_PREPARE_PERSISTENT,
					  all[i].stmt, NULL);
	}
	self->own = false;
	return code;
}

static enum qrt_err sqlite_open(struct qrt_db_conn *conn, const struct qrt__db_target *target,
				void **ret_native)
{
	struct sqlite_conn *self = calloc(1, sizeof(*self));
	if (!self) {
		return qrt_db_fail(conn, QRT_ENOMEM, "no memory for a connection");
	}
	self->conn = conn;
	self->busy_ms = target->busy_ms;
	enum qrt_err err = QRT_OK;
	int code = open_file(self, target);
	if (code == SQLITE_OK) {
		code = set_rules(self);
	}
	if (code == SQLITE_OK) {
		err = set_file(self, target);
	}
	if (code == SQLITE_OK && !err) {
		code = prepare_own(self);
	}
	if (code != SQLITE_OK) {
		err = failed(self, code);
	}
	if (err) {
		sqlite_close(self);
		return err;
	}
	*ret_native = self;
	return QRT_OK;
}

static void sqlite_interrupt(void *native)
{
	const struct sqlite_conn *self = native;
	sqlite3_interrupt(self->db);
}

/* --- transactions --------------------------------------------------------------------------- */

static enum qrt_err sqlite_begin(void *native, bool write)
{
	struct sqlite_conn *self = native;
	int code = run_own(self, write ? self->begin_write : self->begin_read);
	self->reading = !write;
	return code == SQLITE_OK ? QRT_OK : failed(self, code);
}

static bool sqlite_in_transaction(void *native)
{
	const struct sqlite_conn *self = native;
	return sqlite3_get_autocommit(self->db) == 0;
}

static enum qrt_err sqlite_commit(void *native)
{
	struct sqlite_conn *self = native;
	int code = run_own(self, self->commit);
	/* SQLite does not call the busy handler in every case of a busy commit. */
	for (int round = 0; (code & 0xff) == SQLITE_BUSY && wait_a_little(self, round); round++) {
		code = run_own(self, self->commit);
	}
	return code == SQLITE_OK ? QRT_OK : failed(self, code);
}

static enum qrt_err sqlite_rollback(void *native)
{
	struct sqlite_conn *self = native;
	/* Without a detail: that is the job's, whose error comes first. */
	return err_from_sqlite(run_own(self, self->rollback), 0);
}

/* --- statements ----------------------------------------------------------------------------- */

static enum qrt_err exec_one(struct sqlite_conn *self, sqlite3_stmt *stmt)
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
		err = failed(self, code);
	}
	return err;
}

static enum qrt_err sqlite_exec(void *native, const char *sql)
{
	struct sqlite_conn *self = native;
	bool began_inside = sqlite_in_transaction(self);
	enum qrt_err err = QRT_OK;
	while (!err && *sql != '\0') {
		sqlite3_stmt *stmt = NULL;
		int code = sqlite3_prepare_v2(self->db, sql, -1, &stmt, &sql);
		if (code != SQLITE_OK) {
			err = failed(self, code);
		} else if (stmt) { /* none: a comment or blanks */
			err = exec_one(self, stmt);
		}
		sqlite3_finalize(stmt);
		if (!err && began_inside && !sqlite_in_transaction(self)) {
			err = qrt_db_fail(self->conn, QRT_ESTATE, "a statement has rolled back");
		}
	}
	return err;
}

static enum qrt_err sqlite_prepare(void *native, const char *sql, void **ret_stmt)
{
	struct sqlite_conn *self = native;
	sqlite3_stmt *stmt = NULL;
	const char *tail = NULL;
	int code = sqlite3_prepare_v3(self->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &stmt, &tail);
	if (code != SQLITE_OK) {
		return failed(self, code);
	}
	if (!stmt || tail[strspn(tail, " \t\r\n;")] != '\0') {
		sqlite3_finalize(stmt);
		return qrt_db_fail(self->conn, QRT_EINVAL, "not exactly one statement");
	}
	*ret_stmt = stmt;
	return QRT_OK;
}

static void sqlite_finalize(void *stmt)
{
	sqlite3_finalize(stmt);
}

static void sqlite_rewind(void *stmt, bool unbind)
{
	sqlite3_reset(stmt); /* repeats the error of the last step, which has been told */
	if (unbind) {
		sqlite3_clear_bindings(stmt);
	}
}

static enum qrt_err sqlite_bind_int(void *native, void *stmt, int index, int64_t value)
{
	int code = sqlite3_bind_int64(stmt, index, value);
	return code == SQLITE_OK ? QRT_OK : failed(native, code);
}

static enum qrt_err sqlite_bind_text(void *native, void *stmt, int index, const char *text)
{
	int code = text ? sqlite3_bind_text64(stmt, index, text, strlen(text), SQLITE_TRANSIENT,
					      SQLITE_UTF8)
			: sqlite3_bind_null(stmt, index);
	return code == SQLITE_OK ? QRT_OK : failed(native, code);
}

static enum qrt_err sqlite_step(void *native, void *stmt, bool *ret_row)
{
	enum qrt_err err = may_step(native, stmt);
	if (err) {
		return err;
	}
	int code = sqlite3_step(stmt);
	if (code != SQLITE_ROW && code != SQLITE_DONE) {
		return failed(native, code);
	}
	*ret_row = code == SQLITE_ROW;
	return QRT_OK;
}

/* --- columns -------------------------------------------------------------------------------- */

static int sqlite_columns(void *stmt)
{
	return sqlite3_column_count(stmt);
}

static const char *sqlite_column_name(void *stmt, int column)
{
	const char *name = sqlite3_column_name(stmt, column);
	return name ? name : "";
}

static bool sqlite_is_null(void *stmt, int column)
{
	return sqlite3_column_type(stmt, column) == SQLITE_NULL;
}

static int64_t sqlite_get_int(void *stmt, int column)
{
	return sqlite3_column_int64(stmt, column);
}

static const char *sqlite_get_text(void *stmt, int column)
{
	return (const char *)sqlite3_column_text(stmt, column);
}

static int64_t sqlite_changes(void *native)
{
	const struct sqlite_conn *self = native;
	return sqlite3_changes64(self->db);
}

const struct qrt__db_engine qrt__db_sqlite = {
    .name = "sqlite",
    .open = sqlite_open,
    .close = sqlite_close,
    .interrupt = sqlite_interrupt,
    .begin = sqlite_begin,
    .commit = sqlite_commit,
    .rollback = sqlite_rollback,
    .in_transaction = sqlite_in_transaction,
    .exec = sqlite_exec,
    .prepare = sqlite_prepare,
    .finalize = sqlite_finalize,
    .rewind = sqlite_rewind,
    .bind_int = sqlite_bind_int,
    .bind_text = sqlite_bind_text,
    .step = sqlite_step,
    .columns = sqlite_columns,
    .column_name = sqlite_column_name,
    .is_null = sqlite_is_null,
    .get_int = sqlite_get_int,
    .get_text = sqlite_get_text,
    .changes = sqlite_changes,
};
