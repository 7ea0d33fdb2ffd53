/*
 * The SQLite engine: connections and transactions. Turns every SQLite code
 * into enum qrt_err in one function; never decides when to begin, commit,
 * give up or reuse (db/conn.c does), and keeps no global state.
 *
 * How a cancel gets in: sqlite3_interrupt breaks the running statement but is
 * lost when none runs, so a progress handler asks the sticky flag as well.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shim/src/db/sqlite.h"

#define CHECK_EVERY_OPS 1000 /* measured: costs 0.01 % of the instructions */
/* What so many take where time is simulated: as on a slow machine. */
#define CHECK_EVERY_NS (100 * INT64_C(1000))
#define PART "qrt_part"	    /* the savepoint that is ours */
#define BUSY_STEP_MAX_MS 20 /* how late a wait for a lock hears of a cancel */

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
		return QRT_EIO;
	case SQLITE_FULL:
		return QRT_ENOSPC;
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

enum qrt_err qrt__sqlite_failed_on(struct qrt__sqlite *self, sqlite3 *db, int code)
{
	int sys = db ? sqlite3_system_errno(db) : 0;
	const char *text = db ? sqlite3_errmsg(db) : sqlite3_errstr(code);
	int primary = code & 0xff;
	if (primary == SQLITE_INTERRUPT || primary == SQLITE_BUSY) {
		enum qrt_err stopped = qrt__db_conn_inside(self->conn, 0);
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

enum qrt_err qrt__sqlite_failed(struct qrt__sqlite *self, int code)
{
	return qrt__sqlite_failed_on(self, self->db, code);
}

static int on_progress(void *arg)
{
	const struct qrt__sqlite *self = arg;
	qrt__db_conn_worked(self->conn, CHECK_EVERY_NS);
	return qrt__db_conn_inside(self->conn, CHECK_EVERY_OPS) ? 1 : 0;
}

static bool wait_a_little(struct qrt__sqlite *self, int round)
{
	int64_t now = qrt__db_clock_ns(self->conn);
	if (round == 0) {
		self->busy_since_ns = now;
	}
	int64_t left_ms = self->busy_ms - (now - self->busy_since_ns) / QRT_MS;
	if (left_ms <= 0 || qrt__db_conn_inside(self->conn, 0)) {
		return false;
	}
	int step = round < BUSY_STEP_MAX_MS ? round + 1 : BUSY_STEP_MAX_MS;
	step = left_ms < step ? (int)left_ms : step;
	qrt__db_conn_worked(self->conn, step * QRT_MS);
	if (!self->disk) { /* no time of ours frees the locks of a simulated one */
		sqlite3_sleep(step);
	}
	return true;
}

static int on_busy(void *arg, int round)
{
	return wait_a_little(arg, round) ? 1 : 0;
}

/* Transactions are db/conn.c's: a job that ended one would commit half of itself. */
static int authorize(void *arg, int action, const char *a, const char *b, const char *c,
		     const char *d)
{
	const struct qrt__sqlite *self = arg;
	(void)a, (void)c, (void)d;
	bool ours = action == SQLITE_TRANSACTION ||
		    (action == SQLITE_SAVEPOINT && b && sqlite3_stricmp(b, PART) == 0);
	return ours && !self->own ? SQLITE_DENY : SQLITE_OK;
}

static int run_own(struct qrt__sqlite *self, sqlite3_stmt *stmt)
{
	self->own = true; /* also for a preparing anew after a change of the schema */
	int code = sqlite3_step(stmt);
	self->own = false;
	sqlite3_reset(stmt); /* leaves the text of the error */
	return code == SQLITE_DONE ? SQLITE_OK : code;
}

int qrt__sqlite_see(struct qrt__sqlite *self)
{
	int code = run_own(self, self->see);
	return code == SQLITE_ROW ? SQLITE_OK : code;
}

/* --- open and close ------------------------------------------------------------------------- */

static void sqlite_close(void *native)
{
	struct qrt__sqlite *self = native;
	sqlite3_finalize(self->begin_read);
	sqlite3_finalize(self->begin_write);
	sqlite3_finalize(self->commit);
	sqlite3_finalize(self->rollback);
	sqlite3_finalize(self->part_begin);
	sqlite3_finalize(self->part_keep);
	sqlite3_finalize(self->part_undo);
	sqlite3_finalize(self->see);
	int code = sqlite3_close(self->db);
	QRT_ASSERT(code == SQLITE_OK);
	free(self);
}

char *qrt__sqlite_path(const char *path)
{
	size_t n = strlen(path) + 3;
	char *own = malloc(n);
	if (own) {
		snprintf(own, n, "%s%s", path[0] == '/' ? "" : "./", path);
	}
	return own;
}

static int open_file(struct qrt__sqlite *self, const struct qrt__db_target *target)
{
	int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX;
	if (target->create && !target->must_exist) {
		flags |= SQLITE_OPEN_CREATE;
	}
	if (!target->path) {
		return sqlite3_open_v2(":memory:", &self->db, flags, NULL);
	}
	char *path = qrt__sqlite_path(target->path);
	if (!path) {
		return SQLITE_NOMEM;
	}
	int code = sqlite3_open_v2(path, &self->db, flags, target->disk);
	free(path);
	return code;
}

static int set_rules(struct qrt__sqlite *self)
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
static enum qrt_err set_wal(struct qrt__sqlite *self)
{
	sqlite3_stmt *stmt = NULL;
	int code = sqlite3_prepare_v2(self->db, "PRAGMA journal_mode=WAL", -1, &stmt, NULL);
	if (code == SQLITE_OK) {
		code = sqlite3_step(stmt);
	}
	const char *mode = code == SQLITE_ROW ? (const char *)sqlite3_column_text(stmt, 0) : NULL;
	enum qrt_err err = QRT_OK;
	if (!mode) {
		err = qrt__sqlite_failed(self, code == SQLITE_ROW ? SQLITE_NOMEM : code);
	} else if (strcmp(mode, "wal") != 0) {
		err = qrt_db_fail(self->conn, QRT_EIO, "the file system has no write-ahead log");
	}
	/* The change is committed after its row: only now it is known. */
	code = sqlite3_finalize(stmt);
	return err || code == SQLITE_OK ? err : qrt__sqlite_failed(self, code);
}

/* Whether a commit that is synced fills the log up to the end of a sector, with itself once more.
 */
static bool pads_log(const struct qrt__sqlite *self)
{
	sqlite3_file *file = NULL;
	int code = sqlite3_file_control(self->db, "main", SQLITE_FCNTL_FILE_POINTER, &file);
	return code != SQLITE_OK || !file || !file->pMethods ||
	       !(file->pMethods->xDeviceCharacteristics(file) & SQLITE_IOCAP_POWERSAFE_OVERWRITE);
}

static enum qrt_err set_file(struct qrt__sqlite *self, const struct qrt__db_target *target)
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
	if (code == SQLITE_OK && target->path) {
		qrt__sqlite_watch_log(self);
		self->log_can_tear = target->synchronous_full && pads_log(self);
	}
	if (code == SQLITE_OK && target->read_only) {
		code = sqlite3_exec(self->db, "PRAGMA query_only=ON", NULL, NULL, NULL);
	}
	if (code == SQLITE_OK) { /* reads the header and every table's definition */
		code =
		    sqlite3_exec(self->db, "SELECT 1 FROM sqlite_schema LIMIT 1", NULL, NULL, NULL);
	}
	return code == SQLITE_OK ? QRT_OK : qrt__sqlite_failed(self, code);
}

static int prepare_own(struct qrt__sqlite *self)
{
	const struct {
		const char *sql;
		sqlite3_stmt **stmt;
	} all[] = {
	    {"BEGIN", &self->begin_read},
	    {"BEGIN IMMEDIATE", &self->begin_write},
	    {"COMMIT", &self->commit},
	    {"ROLLBACK", &self->rollback},
	    {"SAVEPOINT " PART, &self->part_begin},
	    {"RELEASE " PART, &self->part_keep},
	    {"ROLLBACK TO " PART, &self->part_undo},
	    {"SELECT 1 FROM sqlite_schema LIMIT 1", &self->see},
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
	struct qrt__sqlite *self = calloc(1, sizeof(*self));
	if (!self) {
		return qrt_db_fail(conn, QRT_ENOMEM, "no memory for a connection");
	}
	self->conn = conn;
	self->disk = target->disk;
	self->busy_ms = target->on_loop ? 0 : target->busy_ms;
	self->reading = target->read_only;
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
		err = qrt__sqlite_failed(self, code);
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
	const struct qrt__sqlite *self = native;
	sqlite3_interrupt(self->db);
}

/* --- transactions --------------------------------------------------------------------------- */

static enum qrt_err sqlite_begin(void *native, bool write)
{
	struct qrt__sqlite *self = native;
	int code = run_own(self, write ? self->begin_write : self->begin_read);
	self->reading = !write;
	return code == SQLITE_OK ? QRT_OK : qrt__sqlite_failed(self, code);
}

/* It changes when a read finds that somebody has committed since the one before. */
static unsigned sqlite_seen(void *native)
{
	const struct qrt__sqlite *self = native;
	unsigned version = 0;
	sqlite3_file_control(self->db, "main", SQLITE_FCNTL_DATA_VERSION, &version);
	return version;
}

bool qrt__sqlite_in_transaction(void *native)
{
	const struct qrt__sqlite *self = native;
	return sqlite3_get_autocommit(self->db) == 0;
}

/*
 * Whether a commit that failed with @code, and was rolled back, is gone for good. SQLite rolls back
 * what it sees; but once the mark that ends a transaction is in the log, who recovers after a crash
 * finds it whole. A write that fails comes before that mark; a sync, or the log's index, after it.
 */
static bool is_gone(const struct qrt__sqlite *self, int code)
{
	bool cut = (code & 0xff) == SQLITE_FULL || code == SQLITE_IOERR_WRITE;
	return !self->conn->path || (cut && !self->log_can_tear);
}

static enum qrt_err sqlite_commit(void *native)
{
	struct qrt__sqlite *self = native;
	int code = run_own(self, self->commit);
	/* SQLite does not call the busy handler in every case of a busy commit. */
	for (int round = 0; (code & 0xff) == SQLITE_BUSY && wait_a_little(self, round); round++) {
		code = run_own(self, self->commit);
	}
	if (code == SQLITE_OK) {
		return QRT_OK;
	}
	enum qrt_err err = qrt__sqlite_failed(self, code);
	bool open = qrt__sqlite_in_transaction(self);
	return open || is_gone(self, code) ? err : QRT_ECOMMITUNKNOWN;
}

static enum qrt_err sqlite_rollback(void *native)
{
	struct qrt__sqlite *self = native;
	/* Without a detail: that is the job's, whose error comes first. */
	return err_from_sqlite(run_own(self, self->rollback), 0);
}

static enum qrt_err sqlite_part_begin(void *native)
{
	struct qrt__sqlite *self = native;
	int code = run_own(self, self->part_begin);
	return code == SQLITE_OK ? QRT_OK : qrt__sqlite_failed(self, code);
}

static enum qrt_err sqlite_part_end(void *native, bool keep)
{
	struct qrt__sqlite *self = native;
	int code = keep ? SQLITE_OK : run_own(self, self->part_undo);
	if (code == SQLITE_OK) { /* a savepoint that is rolled back to stays */
		code = run_own(self, self->part_keep);
	}
	return code == SQLITE_OK ? QRT_OK : qrt__sqlite_failed(self, code);
}

const struct qrt__db_engine qrt__db_sqlite = {
    .name = "sqlite",
    .open = sqlite_open,
    .close = sqlite_close,
    .interrupt = sqlite_interrupt,
    .begin = sqlite_begin,
    .commit = sqlite_commit,
    .rollback = sqlite_rollback,
    .part_begin = sqlite_part_begin,
    .part_end = sqlite_part_end,
    .seen = sqlite_seen,
    .in_transaction = qrt__sqlite_in_transaction,
    .exec = qrt__sqlite_exec,
    .prepare = qrt__sqlite_prepare,
    .finalize = qrt__sqlite_finalize,
    .rewind = qrt__sqlite_rewind,
    .bind_int = qrt__sqlite_bind_int,
    .bind_double = qrt__sqlite_bind_double,
    .bind_text = qrt__sqlite_bind_text,
    .bind_blob = qrt__sqlite_bind_blob,
    .step = qrt__sqlite_step,
    .columns = qrt__sqlite_columns,
    .column_name = qrt__sqlite_column_name,
    .type = qrt__sqlite_type,
    .get_int = qrt__sqlite_get_int,
    .get_double = qrt__sqlite_get_double,
    .get_text = qrt__sqlite_get_text,
    .get_blob = qrt__sqlite_get_blob,
    .changes = qrt__sqlite_changes,
    .log_pages = qrt__sqlite_log_pages,
    .checkpoint = qrt__sqlite_checkpoint,
    .settle = qrt__sqlite_settle,
    .check = qrt__sqlite_check,
    .copy_open = qrt__sqlite_copy_open,
    .copy_step = qrt__sqlite_copy_step,
    .copy_publish = qrt__sqlite_copy_publish,
    .copy_close = qrt__sqlite_copy_close,
};
