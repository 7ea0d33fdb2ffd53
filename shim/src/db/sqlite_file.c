/*
 * SQLite's file as a whole: its write-ahead log, looking for damage, copying
 * it. Decides neither when nor how often.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shim/src/db/sqlite.h"

/* --- the log -------------------------------------------------------------------------------- */

static int on_commit(void *arg, sqlite3 *db, const char *name, int pages)
{
	struct qrt__sqlite *self = arg;
	(void)db, (void)name;
	self->log_pages = (unsigned)pages;
	return SQLITE_OK;
}

void qrt__sqlite_watch_log(struct qrt__sqlite *self)
{
	sqlite3_wal_hook(self->db, on_commit, self); /* instead of its own, which checkpoints */
}

unsigned qrt__sqlite_log_pages(void *native)
{
	const struct qrt__sqlite *self = native;
	return self->log_pages;
}

enum qrt_err qrt__sqlite_checkpoint(void *native, bool truncate, struct qrt__db_fold *ret_fold)
{
	struct qrt__sqlite *self = native;
	int pages = 0, moved = 0; /* -1: there is no log */
	int code =
	    sqlite3_wal_checkpoint_v2(self->db, "main", SQLITE_CHECKPOINT_PASSIVE, &pages, &moved);
	if (code == SQLITE_OK && truncate && moved >= pages) {
		int waits = self->busy_ms;
		self->busy_ms = 0; /* whoever still reads the log keeps it */
		code = sqlite3_wal_checkpoint_v2(self->db, "main", SQLITE_CHECKPOINT_TRUNCATE, NULL,
						 NULL);
		self->busy_ms = waits;
	}
	if (code != SQLITE_OK) {
		return qrt__sqlite_failed(self, code);
	}
	ret_fold->pages = pages > 0 ? (unsigned)pages : 0;
	ret_fold->moved = moved > 0 ? (unsigned)moved : 0;
	return QRT_OK;
}

enum qrt_err qrt__sqlite_settle(void *native)
{
	struct qrt__sqlite *self = native;
	sqlite3_file *file = NULL;
	int code = sqlite3_file_control(self->db, "main", SQLITE_FCNTL_FILE_POINTER, &file);
	if (code == SQLITE_OK && file && file->pMethods) {
		code = file->pMethods->xSync(file, SQLITE_SYNC_NORMAL);
	}
	return code == SQLITE_OK ? QRT_OK : qrt__sqlite_failed_on(self, NULL, code);
}

/* --- checks --------------------------------------------------------------------------------- */

static void note(struct qrt__db_findings *findings, const char *text)
{
	size_t room = findings->size - findings->used;
	int n = snprintf(findings->text + findings->used, room, "%s\n", text);
	if (n < 0 || (size_t)n >= room) {
		findings->text[findings->used] = '\0'; /* whole lines only */
	} else {
		findings->used += (size_t)n;
	}
	findings->n++;
}

/* A row of a check of the structure is a finding, or says that there is none. */
static void structure_row(sqlite3_stmt *stmt, struct qrt__db_findings *findings)
{
	const char *text = (const char *)sqlite3_column_text(stmt, 0);
	if (!text || strcmp(text, "ok") != 0) {
		note(findings, text ? text : "?");
	}
}

/* Each row of a check of foreign keys is one: table, row, the table it refers to. */
static void reference_row(sqlite3_stmt *stmt, struct qrt__db_findings *findings)
{
	char text[200];
	const char *table = (const char *)sqlite3_column_text(stmt, 0);
	const char *other = (const char *)sqlite3_column_text(stmt, 2);
	snprintf(text, sizeof(text), "row %lld of %.60s refers to no row of %.60s",
		 (long long)sqlite3_column_int64(stmt, 1), table ? table : "?",
		 other ? other : "?");
	note(findings, text);
}

static enum qrt_err look(struct qrt__sqlite *self, const char *sql,
			 void (*row)(sqlite3_stmt *stmt, struct qrt__db_findings *findings),
			 struct qrt__db_findings *findings)
{
	sqlite3_stmt *stmt = NULL;
	int code = sqlite3_prepare_v2(self->db, sql, -1, &stmt, NULL);
	while (code == SQLITE_OK || code == SQLITE_ROW) {
		code = sqlite3_step(stmt);
		if (code == SQLITE_ROW) {
			row(stmt, findings);
		}
	}
	enum qrt_err err = code == SQLITE_DONE ? QRT_OK : qrt__sqlite_failed(self, code);
	sqlite3_finalize(stmt);
	if (err == QRT_ECORRUPT) { /* so damaged that the look itself ends in it */
		note(findings, sqlite3_errmsg(self->db));
		err = QRT_OK;
	}
	return err;
}

enum qrt_err qrt__sqlite_check(void *native, bool full, struct qrt__db_findings *findings)
{
	enum qrt_err err = look(native, full ? "PRAGMA integrity_check" : "PRAGMA quick_check",
				structure_row, findings);
	if (!err && full) {
		err = look(native, "PRAGMA foreign_key_check", reference_row, findings);
	}
	return err;
}

/* --- copies --------------------------------------------------------------------------------- */

struct copy {
	struct qrt__sqlite *of;
	const struct qrt__db_copy *where;
	char *path; /* of the file, until it is published */
	sqlite3 *db;
	sqlite3_backup *backup;
	bool made;
};

static enum qrt_err sys_failed(const struct copy *copy, int error)
{
	enum qrt_err err = qrt__err_from_errno(error);
	errno = error; /* for %m: strerror is not for threads */
	return qrt_db_fail(copy->of->conn, err, "%m");
}

static bool is_there(const struct copy *copy, const char *tail)
{
	sqlite3_vfs *vfs = sqlite3_vfs_find(copy->of->disk);
	char path[QRT__DB_PATH_MAX];
	int there = 0;
	snprintf(path, sizeof(path), "%s%s", copy->where->to, tail);
	return vfs->xAccess(vfs, path, SQLITE_ACCESS_EXISTS, &there) == SQLITE_OK && there != 0;
}

/* What lies in a log or journal would be taken for the copy's. */
static enum qrt_err may_be_there(const struct copy *copy)
{
	if (!copy->where->replace && is_there(copy, "")) {
		return sys_failed(copy, EEXIST);
	}
	if (is_there(copy, "-wal") || is_there(copy, "-journal")) {
		return qrt_db_fail(copy->of->conn, QRT_EBUSY, "it is a database in use");
	}
	return QRT_OK;
}

static int open_copy(struct copy *copy)
{
	int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
	int code = sqlite3_open_v2(copy->path, &copy->db, flags, copy->of->disk);
	copy->made = code == SQLITE_OK;
	if (code == SQLITE_OK) {
		/* Until it is whole nobody knows its name: nothing needs to be taken back. */
		code = sqlite3_exec(copy->db, "PRAGMA journal_mode=OFF; PRAGMA synchronous=FULL",
				    NULL, NULL, NULL);
	}
	return code;
}

static enum qrt_err begin_copy(struct copy *copy)
{
	enum qrt_err err = may_be_there(copy);
	if (err) {
		return err;
	}
	/* A transaction sees what was committed when it reads for the first time. */
	int code = qrt__sqlite_see(copy->of);
	if (code != SQLITE_OK) {
		return qrt__sqlite_failed(copy->of, code);
	}
	code = open_copy(copy);
	if (code == SQLITE_OK) {
		copy->backup = sqlite3_backup_init(copy->db, "main", copy->of->db, "main");
		code = copy->backup ? SQLITE_OK : sqlite3_errcode(copy->db);
	}
	return code == SQLITE_OK ? QRT_OK : qrt__sqlite_failed_on(copy->of, copy->db, code);
}

enum qrt_err qrt__sqlite_copy_open(void *native, const struct qrt__db_copy *where, void **ret_copy)
{
	struct qrt__sqlite *of = native;
	struct copy *copy = calloc(1, sizeof(*copy));
	if (copy) {
		copy->of = of;
		copy->where = where;
		copy->path = qrt__sqlite_path(where->partial);
	}
	if (!copy || !copy->path) {
		free(copy);
		return qrt_db_fail(of->conn, QRT_ENOMEM, "no memory for a copy");
	}
	enum qrt_err err = begin_copy(copy);
	if (err) {
		qrt__sqlite_copy_close(copy);
		return err;
	}
	*ret_copy = copy;
	return QRT_OK;
}

enum qrt_err qrt__sqlite_copy_step(void *arg, unsigned pages, unsigned *ret_left)
{
	struct copy *copy = arg;
	int code = sqlite3_backup_step(copy->backup, (int)pages);
	if (code == SQLITE_OK) {
		int left = sqlite3_backup_remaining(copy->backup);
		*ret_left = left > 0 ? (unsigned)left : 1; /* it is whole when it says so */
		return QRT_OK;
	}
	if (code == SQLITE_DONE) {
		code = sqlite3_backup_finish(copy->backup);
		copy->backup = NULL;
		*ret_left = 0;
	}
	/* Of either database: neither handle knows. */
	return code == SQLITE_OK ? QRT_OK : qrt__sqlite_failed_on(copy->of, NULL, code);
}

/* Makes the names in the folder of @path lasting. */
static int sync_folder(const char *path)
{
	const char *slash = strrchr(path, '/');
	size_t n = slash > path ? (size_t)(slash - path) : 1;
	char *folder = strndup(slash ? path : ".", n);
	int fd = folder ? open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	int error = fd < 0 || fsync(fd) ? errno : 0;
	if (fd >= 0) {
		close(fd);
	}
	free(folder);
	return error;
}

/* On the system's disk. A link is made only where there is nothing, a rename takes its place. */
static enum qrt_err name_it(struct copy *copy)
{
	const char *to = copy->where->to;
	bool replace = copy->where->replace;
	if (replace ? rename(copy->path, to) : link(copy->path, to)) {
		return sys_failed(copy, errno);
	}
	if (!replace && unlink(copy->path)) {
		return sys_failed(copy, errno);
	}
	copy->made = false;
	int error = sync_folder(to);
	return error ? sys_failed(copy, error) : QRT_OK;
}

enum qrt_err qrt__sqlite_copy_publish(void *arg)
{
	struct copy *copy = arg;
	struct qrt__disk_rename rename = {.to = copy->where->to, .replace = copy->where->replace};
	QRT_PRE(!copy->backup);
	enum qrt_err err = may_be_there(copy); /* it has taken a while */
	if (err) {
		return err;
	}
	int code = sqlite3_file_control(copy->db, "main", QRT__DISK_RENAME, &rename);
	if (code == SQLITE_NOTFOUND) { /* the system's disk: SQLite has no renaming of its own */
		sqlite3_close(copy->db);
		copy->db = NULL;
		return name_it(copy);
	}
	copy->made = rename.err != QRT_OK;
	return rename.err ? qrt_db_fail(copy->of->conn, rename.err, "%s", qrt_err_text(rename.err))
			  : QRT_OK;
}

void qrt__sqlite_copy_close(void *arg)
{
	struct copy *copy = arg;
	sqlite3_backup_finish(copy->backup);
	sqlite3_close(copy->db);
	if (copy->made) {
		sqlite3_vfs *vfs = sqlite3_vfs_find(copy->of->disk);
		vfs->xDelete(vfs, copy->path, 0);
	}
	free(copy->path);
	free(copy);
}
