/*
 * The database seam on every backend of this build: real files, real lanes.
 * Never waits by sleeping, never asserts inside a task (cmocka jumps, and a
 * task has a stack of its own): a task says what failed and returns an error.
 */
#include "tests/lib/test.h"

#include <dirent.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <qrt/db.h>
#include <qrt/lab.h>
#include <qrt/region.h>
#include <qrt/runtime.h>

#include "shim/src/db/conn.h"
#include "tests/lib/backends.h"

#define URL_MAX 300

static char folder[200];

static enum qrt_err missed(const char *what, int line, enum qrt_err err, const char *detail)
{
	fprintf(stderr, "%s:%d: %s (%s \"%s\")\n", __FILE__, line, what, qrt_err_name(err), detail);
	return QRT_EFAILED;
}

/* In a task: what does not hold ends it. */
#define MUST(cond)                                                                                 \
	do {                                                                                       \
		if (!(cond)) {                                                                     \
			return missed(#cond, __LINE__, QRT_OK, qrt_detail(cx));                    \
		}                                                                                  \
	} while (0)
#define MUST_GIVE(call, want)                                                                      \
	do {                                                                                       \
		enum qrt_err got = (call);                                                         \
		if (got != (want)) {                                                               \
			return missed(#call, __LINE__, got, qrt_detail(cx));                       \
		}                                                                                  \
	} while (0)
#define DETAIL_HAS(text) (strstr(qrt_detail(cx), (text)) != NULL)

/* --- surroundings --------------------------------------------------------------------------- */

static void empty_folder(void)
{
	DIR *dir = opendir(folder);
	assert_non_null(dir);
	struct dirent *entry;
	while ((entry = readdir(dir))) {
		char path[500];
		snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
		if (unlink(path) != 0) {
			(void)rmdir(path);
		}
	}
	closedir(dir);
}

static int make_folder(void **state)
{
	(void)state;
	const char *tmp = getenv("TMPDIR");
	snprintf(folder, sizeof(folder), "%s/qrt-db-XXXXXX", tmp ? tmp : "/tmp");
	return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
	(void)state;
	empty_folder();
	return rmdir(folder);
}

static size_t open_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	assert_non_null(dir);
	size_t n = 0;
	while (readdir(dir)) {
		n++;
	}
	closedir(dir);
	return n;
}

static const char *path_of(const char *name, char *buf)
{
	snprintf(buf, URL_MAX, "%s/%s", folder, name);
	return buf;
}

static const char *url_of(const char *name, char *buf)
{
	snprintf(buf, URL_MAX, "sqlite://%s/%s", folder, name);
	return buf;
}

static void on_every_backend(qrt_task_fn *fn)
{
	size_t n;
	const char *const *names = qrt_backend_names(&n);
	assert_true(n > 0);
	for (size_t i = 0; i < n; i++) {
		char detail[256] = "";
		struct qrt_runtime *rt = NULL;
		struct qrt_runtime_options opts = {.backend = names[i], .seed = 7};
		assert_int_equal(qrt_runtime_open(&opts, detail, &rt), QRT_OK);
		size_t fds = open_fds();
		enum qrt_err err = qrt_run_main(rt, fn, NULL);
		if (err) {
			print_error("on backend %s: %s\n", names[i], qrt_err_name(err));
		}
		assert_int_equal(err, QRT_OK);
		assert_int_equal(open_fds(), fds);
		qrt_runtime_close(&rt);
		empty_folder();
	}
}

static enum qrt_err open_db(struct qrt_cx *cx, const char *name, struct qrt_db **ret_db)
{
	char url[URL_MAX];
	struct qrt_db_options opts = {.url = url_of(name, url), .readers = 2};
	return qrt_db_open(cx, &opts, ret_db);
}

/* Runs the statements in @arg. */
static enum qrt_err exec_job(struct qrt_db_conn *conn, void *arg)
{
	return qrt_db_exec(conn, arg);
}

static enum qrt_err write_sql(struct qrt_cx *cx, struct qrt_db *db, char *sql)
{
	return qrt_db_write(cx, db, exec_job, sql);
}

struct one {
	const char *sql;
	char text[100];
};

/* The first column of the first row, as text. */
static enum qrt_err one_job(struct qrt_db_conn *conn, void *arg)
{
	struct one *one = arg;
	struct qrt_db_stmt *stmt __attribute__((cleanup(qrt_db_finish))) = NULL;
	enum qrt_err err = qrt_db_prepare(conn, one->sql, &stmt);
	bool row = false;
	if (!err) {
		err = qrt_db_step(stmt, &row);
	}
	if (!err && row) {
		const char *text = qrt_db_text(stmt, 0);
		snprintf(one->text, sizeof(one->text), "%s", text ? text : "null");
	}
	return err;
}

static bool reads_as(struct qrt_cx *cx, struct qrt_db *db, const char *sql, const char *want)
{
	struct one one = {.sql = sql};
	enum qrt_err err = qrt_db_read(cx, db, one_job, &one);
	if (err || strcmp(one.text, want) != 0) {
		fprintf(stderr, "%s: %s \"%s\"\n", sql, qrt_err_name(err), one.text);
		return false;
	}
	return true;
}

/* --- opening -------------------------------------------------------------------------------- */

static enum qrt_err fresh_file(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct qrt_db *db = NULL;
	char path[URL_MAX];
	MUST_GIVE(open_db(cx, "fresh.db", &db), QRT_OK);
	MUST(access(path_of("fresh.db", path), F_OK) == 0);
	/* Only a write may ask: the same pragma could also change it. */
	struct one mode = {.sql = "PRAGMA journal_mode"};
	MUST_GIVE(qrt_db_write(cx, db, one_job, &mode), QRT_OK);
	MUST(strcmp(mode.text, "wal") == 0);
	MUST(reads_as(cx, db, "PRAGMA foreign_keys", "1"));
	MUST(reads_as(cx, db, "PRAGMA synchronous", "1"));
	struct one writer = {.sql = "PRAGMA foreign_keys"};
	MUST_GIVE(qrt_db_write(cx, db, one_job, &writer), QRT_OK);
	MUST(strcmp(writer.text, "1") == 0);
	MUST_GIVE(write_sql(cx, db, "CREATE TABLE t (n INTEGER); INSERT INTO t VALUES (42)"),
		  QRT_OK);
	qrt_db_close(cx, &db);
	MUST(db == NULL);
	/* The last connection has folded the log into the file. */
	MUST(access(path_of("fresh.db-wal", path), F_OK) != 0);
	MUST_GIVE(open_db(cx, "fresh.db", &db), QRT_OK);
	MUST(reads_as(cx, db, "SELECT n FROM t", "42"));
	qrt_db_close(cx, &db);
	qrt_db_close(cx, &db);
	return QRT_OK;
}

static void an_absent_file_is_created_with_wal_and_foreign_keys(void **state)
{
	(void)state;
	on_every_backend(fresh_file);
}

static enum qrt_err durable_file(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct qrt_db *db = NULL;
	char url[URL_MAX];
	struct qrt_db_options opts = {.url = url_of("full.db", url), .synchronous_full = true};
	MUST_GIVE(qrt_db_open(cx, &opts, &db), QRT_OK);
	MUST(reads_as(cx, db, "PRAGMA synchronous", "2"));
	qrt_db_close(cx, &db);
	return QRT_OK;
}

static void synchronous_full_is_an_option(void **state)
{
	(void)state;
	on_every_backend(durable_file);
}

static enum qrt_err bad_urls(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	static const struct {
		const char *url, *says;
	} bad[] = {
	    {NULL, "database url: missing"},
	    {"", "database url \"\": not sqlite://<path>"},
	    {"quotey.db", "database url \"quotey.db\": not sqlite://<path>"},
	    {"postgres://h/d", "\"postgres://h/d\": not sqlite://<path>"},
	    {"sqlite://", "no path after sqlite://"},
	    {"sqlite://:memory:", "no path after sqlite://"},
	    {"sqlite://a.db?mode=ro", "? and # are not supported"},
	};
	struct qrt_db *db = NULL;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct qrt_db_options opts = {.url = bad[i].url};
		MUST_GIVE(qrt_db_open(cx, &opts, &db), QRT_EINVAL);
		MUST(DETAIL_HAS(bad[i].says));
	}
	struct qrt_db_options many = {.url = ":memory:", .readers = 64};
	MUST_GIVE(qrt_db_open(cx, &many, &db), QRT_EINVAL);
	MUST(DETAIL_HAS("database readers: 64, at most 63"));
	MUST(db == NULL);
	return QRT_OK;
}

static void a_bad_url_is_named(void **state)
{
	(void)state;
	on_every_backend(bad_urls);
}

static enum qrt_err bad_files(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	char path[URL_MAX];
	struct qrt_db *db = NULL;
	FILE *file = fopen(path_of("text.db", path), "w");
	MUST(file);
	for (int i = 0; i < 1000; i++) {
		fputs("this is no database\n", file);
	}
	fclose(file);
	MUST_GIVE(open_db(cx, "text.db", &db), QRT_ECORRUPT);
	MUST(DETAIL_HAS(path));
	MUST(DETAIL_HAS("not a database"));
	MUST(mkdir(path_of("a.db", path), 0700) == 0);
	MUST_GIVE(open_db(cx, "a.db", &db), QRT_EACCES);
	MUST(DETAIL_HAS(path));
	MUST_GIVE(open_db(cx, "none/a.db", &db), QRT_ENOENT);
	MUST(DETAIL_HAS("none/a.db"));
	MUST(DETAIL_HAS("No such file or directory"));
	MUST(db == NULL);
	return QRT_OK;
}

static void a_file_that_cannot_be_used_is_named(void **state)
{
	(void)state;
	on_every_backend(bad_files);
}

/* Opens as nobody: for root everything is writable. */
static enum qrt_err open_as_nobody(struct qrt_cx *cx, struct qrt_db **ret_db)
{
	bool root = geteuid() == 0;
	MUST(!root || seteuid(65534) == 0);
	enum qrt_err err = open_db(cx, "mine.db", ret_db);
	MUST(!root || seteuid(0) == 0);
	return err;
}

static enum qrt_err not_mine(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	char path[URL_MAX];
	struct qrt_db *db = NULL;
	MUST_GIVE(open_db(cx, "mine.db", &db), QRT_OK);
	qrt_db_close(cx, &db);
	MUST(chmod(path_of("mine.db", path), 0444) == 0);
	MUST(chmod(folder, 0755) == 0);
	MUST_GIVE(open_as_nobody(cx, &db), QRT_EACCES);
	MUST(DETAIL_HAS(path));
	MUST(DETAIL_HAS("not writable"));
	MUST(chmod(path, 0) == 0);
	MUST_GIVE(open_as_nobody(cx, &db), QRT_EACCES);
	MUST(DETAIL_HAS(path));
	MUST(DETAIL_HAS("Permission denied"));
	MUST(db == NULL);
	return QRT_OK;
}

static void a_file_of_somebody_else_is_named(void **state)
{
	(void)state;
	on_every_backend(not_mine);
}

static enum qrt_err damaged_file(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct qrt_db *db = NULL;
	char path[URL_MAX];
	MUST_GIVE(open_db(cx, "damaged.db", &db), QRT_OK);
	MUST_GIVE(write_sql(cx, db,
			    "CREATE TABLE t (x); WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL "
			    "SELECT n + 1 FROM c WHERE n < 5000) INSERT INTO t SELECT "
			    "printf('row %d', n) FROM c"),
		  QRT_OK);
	qrt_db_close(cx, &db);
	FILE *file = fopen(path_of("damaged.db", path), "r+");
	MUST(file);
	fseek(file, 4096, SEEK_SET);
	for (int i = 0; i < 20000; i++) {
		fputc(0xa5, file);
	}
	fclose(file);
	MUST_GIVE(open_db(cx, "damaged.db", &db), QRT_OK);
	struct one one = {.sql = "SELECT max(x) FROM t"};
	MUST_GIVE(qrt_db_read(cx, db, one_job, &one), QRT_ECORRUPT);
	MUST(DETAIL_HAS("malformed in: SELECT max(x) FROM t"));
	qrt_db_close(cx, &db);
	return QRT_OK;
}

static void damage_inside_a_file_is_reported(void **state)
{
	(void)state;
	on_every_backend(damaged_file);
}

static enum qrt_err in_memory(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	static const char *const urls[] = {":memory:", "sqlite::memory:"};
	for (size_t i = 0; i < 2; i++) {
		struct qrt_db *db = NULL;
		struct qrt_db_options opts = {.url = urls[i]};
		MUST_GIVE(qrt_db_open(cx, &opts, &db), QRT_OK);
		MUST_GIVE(write_sql(cx, db, "CREATE TABLE t (n); INSERT INTO t VALUES (7)"),
			  QRT_OK);
		MUST(reads_as(cx, db, "SELECT n FROM t", "7"));
		MUST(reads_as(cx, db, "PRAGMA foreign_keys", "1"));
		qrt_db_close(cx, &db);
	}
	return QRT_OK;
}

static void a_database_in_memory_reads_what_was_written(void **state)
{
	(void)state;
	on_every_backend(in_memory);
}

/* --- transactions --------------------------------------------------------------------------- */

static enum qrt_err change_mind_job(struct qrt_db_conn *conn, void *arg)
{
	(void)arg;
	enum qrt_err err = qrt_db_exec(conn, "INSERT INTO t VALUES (1); INSERT INTO t VALUES (2)");
	return err ? err : qrt_db_fail(conn, QRT_ECONFLICT, "changed my mind about %d rows", 2);
}

static enum qrt_err plain_error_job(struct qrt_db_conn *conn, void *arg)
{
	(void)arg;
	/* An error that the job deals with must not lend its text to another. */
	enum qrt_err err = qrt_db_exec(conn, "SELECT nonsense FROM t");
	return err == QRT_EFAILED ? QRT_ENOENT : QRT_OK;
}

static enum qrt_err rolled_back(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct qrt_db *db = NULL;
	struct qrt_db_stats stats;
	MUST_GIVE(open_db(cx, "rollback.db", &db), QRT_OK);
	MUST_GIVE(write_sql(cx, db, "CREATE TABLE t (n)"), QRT_OK);
	MUST_GIVE(qrt_db_write(cx, db, change_mind_job, NULL), QRT_ECONFLICT);
	MUST(strcmp(qrt_detail(cx), "changed my mind about 2 rows") == 0);
	MUST(reads_as(cx, db, "SELECT count(*) FROM t", "0"));
	MUST_GIVE(write_sql(cx, db, "INSERT INTO t VALUES (1); INSERT INTO missing VALUES (1)"),
		  QRT_EFAILED);
	MUST(DETAIL_HAS("no such table: missing in: INSERT INTO t"));
	MUST(reads_as(cx, db, "SELECT count(*) FROM t", "0"));
	MUST_GIVE(qrt_db_write(cx, db, plain_error_job, NULL), QRT_ENOENT);
	MUST(!DETAIL_HAS("nonsense"));
	qrt_db_stats(db, &stats);
	MUST(stats.writes == 1);
	MUST(stats.rollbacks == 3);
	MUST(stats.reads == 2);
	MUST(stats.unknown == 0);
	MUST(stats.queued == 0);
	qrt_db_close(cx, &db);
	return QRT_OK;
}

static void an_error_of_a_job_rolls_everything_back(void **state)
{
	(void)state;
	on_every_backend(rolled_back);
}

static enum qrt_err swallow_job(struct qrt_db_conn *conn, void *arg)
{
	(void)arg;
	QRT_IGNORE(qrt_db_exec(conn, "INSERT OR ROLLBACK INTO t VALUES (1)"), "its point");
	QRT_IGNORE(qrt_db_exec(conn, "INSERT INTO t VALUES (2)"), "its point");
	return QRT_OK;
}

static enum qrt_err own_boundaries(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct qrt_db *db = NULL;
	MUST_GIVE(open_db(cx, "bounds.db", &db), QRT_OK);
	MUST_GIVE(write_sql(cx, db, "CREATE TABLE t (n UNIQUE); INSERT INTO t VALUES (1)"), QRT_OK);
	MUST_GIVE(write_sql(cx, db, "INSERT INTO t VALUES (5); COMMIT; BEGIN"), QRT_ESTATE);
	MUST(DETAIL_HAS("a job cannot begin or end transactions"));
	MUST_GIVE(qrt_db_write(cx, db, swallow_job, NULL), QRT_ESTATE);
	MUST(DETAIL_HAS("an error has ended the transaction"));
	MUST_GIVE(qrt_db_read(cx, db, exec_job, "DELETE FROM t"), QRT_ESTATE);
	MUST(DETAIL_HAS("a read cannot write in: DELETE FROM t"));
	MUST(reads_as(cx, db, "SELECT group_concat(n) FROM t", "1"));
	qrt_db_close(cx, &db);
	struct qrt_db_options opts = {.url = ":memory:"};
	MUST_GIVE(qrt_db_open(cx, &opts, &db), QRT_OK);
	MUST_GIVE(qrt_db_read(cx, db, exec_job, "CREATE TABLE t (n)"), QRT_ESTATE);
	MUST_GIVE(write_sql(cx, db, "CREATE TABLE t (n)"), QRT_OK);
	qrt_db_close(cx, &db);
	return QRT_OK;
}

static void a_job_cannot_leave_its_transaction(void **state)
{
	(void)state;
	on_every_backend(own_boundaries);
}

static enum qrt_err violations(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	static const struct {
		char *sql;
		const char *says;
	} bad[] = {
	    {"INSERT INTO a VALUES (1, 1)", "UNIQUE constraint failed: a.id"},
	    {"INSERT INTO a VALUES (2, 99)", "CHECK constraint failed: small_n"},
	    {"INSERT INTO a VALUES (3, NULL)", "NOT NULL constraint failed: a.n"},
	    {"INSERT INTO b VALUES (77)", "FOREIGN KEY constraint failed in: INSERT INTO b"},
	    /* Found only by the commit: known to have failed. */
	    {"INSERT INTO c VALUES (77)", "FOREIGN KEY constraint failed"},
	};
	struct qrt_db *db = NULL;
	struct qrt_db_stats stats;
	MUST_GIVE(open_db(cx, "violations.db", &db), QRT_OK);
	MUST_GIVE(write_sql(cx, db,
			    "CREATE TABLE a (id INTEGER PRIMARY KEY, n INTEGER NOT NULL, "
			    "CONSTRAINT small_n CHECK (n < 10)); INSERT INTO a VALUES (1, 1); "
			    "CREATE TABLE b (a_id INTEGER REFERENCES a(id)); CREATE TABLE c (a_id "
			    "INTEGER REFERENCES a(id) DEFERRABLE INITIALLY DEFERRED)"),
		  QRT_OK);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		MUST_GIVE(write_sql(cx, db, bad[i].sql), QRT_ECONFLICT);
		MUST(DETAIL_HAS(bad[i].says));
	}
	MUST(reads_as(cx, db, "SELECT (SELECT count(*) FROM b) + (SELECT count(*) FROM c)", "0"));
	qrt_db_stats(db, &stats);
	MUST(stats.unknown == 0);
	MUST(stats.rollbacks == 5);
	qrt_db_close(cx, &db);
	return QRT_OK;
}

static void a_violation_is_a_conflict_that_names_the_constraint(void **state)
{
	(void)state;
	on_every_backend(violations);
}

/* The disk ends in the middle of a commit. */
static enum qrt_err full_disk(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct qrt_db *db = NULL;
	struct qrt_db_stats stats;
	struct rlimit old, small;
	MUST_GIVE(open_db(cx, "full.db", &db), QRT_OK);
	MUST_GIVE(write_sql(cx, db, "CREATE TABLE t (n)"), QRT_OK);
	MUST(getrlimit(RLIMIT_FSIZE, &old) == 0);
	small = (struct rlimit){.rlim_cur = 100000, .rlim_max = old.rlim_max};
	MUST(setrlimit(RLIMIT_FSIZE, &small) == 0);
	enum qrt_err err = write_sql(cx, db, "INSERT INTO t VALUES (zeroblob(500000))");
	MUST(setrlimit(RLIMIT_FSIZE, &old) == 0);
	/* The log ends before the mark that would make it count: it is known to be gone. */
	MUST_GIVE(err, QRT_EIO);
	MUST(DETAIL_HAS("full.db: disk I/O error (SQLite code 778)"));
	qrt_db_stats(db, &stats);
	MUST(stats.unknown == 0);
	MUST(stats.rollbacks == 1);
	MUST(reads_as(cx, db, "SELECT count(*) FROM t", "0"));
	MUST_GIVE(write_sql(cx, db, "INSERT INTO t VALUES (1)"), QRT_OK);
	MUST(reads_as(cx, db, "SELECT count(*) FROM t", "1"));
	qrt_db_close(cx, &db);
	return QRT_OK;
}

static void a_commit_that_cannot_be_written_is_rolled_back(void **state)
{
	(void)state;
	signal(SIGXFSZ, SIG_IGN);
	on_every_backend(full_disk);
}

/* --- statements ----------------------------------------------------------------------------- */

static enum qrt_err sum_nested_job(struct qrt_db_conn *conn, void *arg)
{
	static const char sql[] = "SELECT n, NULL AS empty FROM t WHERE n > ?1 ORDER BY n";
	int64_t *sum = arg;
	struct qrt_db_stmt *outer __attribute__((cleanup(qrt_db_finish))) = NULL;
	struct qrt_db_stmt *inner __attribute__((cleanup(qrt_db_finish))) = NULL;
	enum qrt_err err = qrt_db_prepare(conn, sql, &outer);
	if (!err) {
		err = qrt_db_prepare(conn, sql, &inner);
	}
	if (err) {
		return err;
	}
	bool row = false;
	qrt_db_bind_int(outer, 1, 0);
	while (!(err = qrt_db_step(outer, &row)) && row) {
		bool more = false;
		qrt_db_bind_int(inner, 1, qrt_db_int(outer, 0));
		while (!(err = qrt_db_step(inner, &more)) && more) {
			*sum += qrt_db_int(inner, 0);
		}
		if (err) {
			return err;
		}
	}
	if (qrt_db_columns(outer) != 2 || strcmp(qrt_db_column_name(outer, 1), "empty") != 0) {
		return qrt_db_fail(conn, QRT_EFAILED, "columns");
	}
	return err;
}

/* The idle statements a connection keeps. */
static enum qrt_err count_idle_job(struct qrt_db_conn *conn, void *arg)
{
	unsigned *n = arg;
	QRT__LIST_EACH(node, &conn->stmts.idle) {
		++*n;
	}
	return QRT_OK;
}

/* 300 texts: more than are kept. The last one is forgotten when @arg says so. */
static enum qrt_err many_texts_job(struct qrt_db_conn *conn, void *arg)
{
	const bool *forget = arg;
	for (int i = 0; i < 300; i++) {
		char sql[64];
		struct qrt_db_stmt *stmt = NULL;
		bool row = false;
		snprintf(sql, sizeof(sql), "SELECT %d, ?1", i);
		enum qrt_err err = qrt_db_prepare(conn, sql, &stmt);
		if (err) {
			return err;
		}
		err = qrt_db_step(stmt, &row);
		if (err || !row || qrt_db_int(stmt, 0) != i || !qrt_db_is_null(stmt, 1)) {
			return qrt_db_fail(conn, QRT_EFAILED, "text %d", i);
		}
		if (!*forget || i < 299) {
			qrt_db_finish(&stmt);
		}
	}
	return QRT_OK;
}

/* What was bound before is not there when the text is used again. */
static enum qrt_err unbound_job(struct qrt_db_conn *conn, void *arg)
{
	static const char sql[] = "SELECT ?1 || 'x', ?2";
	(void)arg;
	for (int round = 0; round < 2; round++) {
		struct qrt_db_stmt *stmt __attribute__((cleanup(qrt_db_finish))) = NULL;
		enum qrt_err err = qrt_db_prepare(conn, sql, &stmt);
		bool row = false;
		if (!err && round == 0) {
			char text[] = "gr\303\274n";
			qrt_db_bind_text(stmt, 1, text);
			qrt_db_bind_null(stmt, 2);
			memset(text, '!', 5); /* the text has been copied */
		}
		if (!err) {
			err = qrt_db_step(stmt, &row);
		}
		if (err) {
			return err;
		}
		const char *text = qrt_db_text(stmt, 0);
		bool right = round == 0 ? text && strcmp(text, "gr\303\274nx") == 0 : text == NULL;
		if (!row || !right || qrt_db_text(stmt, 1) != NULL) {
			return qrt_db_fail(conn, QRT_EFAILED, "round %d", round);
		}
	}
	return QRT_OK;
}

static enum qrt_err bad_bind_job(struct qrt_db_conn *conn, void *arg)
{
	(void)arg;
	struct qrt_db_stmt *stmt __attribute__((cleanup(qrt_db_finish))) = NULL;
	enum qrt_err err = qrt_db_prepare(conn, "SELECT ?1", &stmt);
	bool row;
	if (err) {
		return err;
	}
	qrt_db_bind_int(stmt, 2, 5);
	qrt_db_bind_int(stmt, 1, 5);
	return qrt_db_step(stmt, &row);
}

static enum qrt_err run_job(struct qrt_db_conn *conn, void *arg)
{
	int64_t *changes = arg;
	struct qrt_db_stmt *stmt __attribute__((cleanup(qrt_db_finish))) = NULL;
	enum qrt_err err = qrt_db_prepare(conn, "UPDATE t SET n = n + ?1", &stmt);
	for (int i = 0; i < 3 && !err; i++) {
		qrt_db_bind_int(stmt, 1, 10);
		err = qrt_db_run(stmt);
		*changes += qrt_db_changes(conn);
	}
	struct qrt_db_stmt *rows __attribute__((cleanup(qrt_db_finish))) = NULL;
	if (!err) {
		err = qrt_db_prepare(conn, "SELECT * FROM t", &rows);
	}
	if (!err && qrt_db_run(rows) != QRT_ESTATE) {
		err = qrt_db_fail(conn, QRT_EFAILED, "a row went unnoticed");
	}
	return err;
}

static enum qrt_err statements(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct qrt_db *db = NULL;
	int64_t sum = 0, changes = 0;
	bool forget = false;
	MUST_GIVE(open_db(cx, "stmt.db", &db), QRT_OK);
	MUST_GIVE(write_sql(cx, db, "CREATE TABLE t (n); INSERT INTO t VALUES (1), (2), (3)"),
		  QRT_OK);
	MUST_GIVE(qrt_db_read(cx, db, sum_nested_job, &sum), QRT_OK);
	MUST(sum == (2 + 3) + 3);
	MUST_GIVE(qrt_db_read(cx, db, many_texts_job, &forget), QRT_OK);
	MUST_GIVE(qrt_db_write(cx, db, many_texts_job, &forget), QRT_OK);
	unsigned n_idle = 0;
	MUST_GIVE(qrt_db_write(cx, db, count_idle_job, &n_idle), QRT_OK);
	MUST(n_idle == QRT__DB_IDLE_MAX);
	forget = true;
	MUST_GIVE(qrt_db_read(cx, db, many_texts_job, &forget), QRT_ESTATE);
	MUST(strcmp(qrt_detail(cx), "statement not finished: SELECT 299, ?1") == 0);
	MUST_GIVE(qrt_db_write(cx, db, many_texts_job, &forget), QRT_ESTATE);
	MUST_GIVE(qrt_db_read(cx, db, unbound_job, NULL), QRT_OK);
	MUST_GIVE(qrt_db_read(cx, db, bad_bind_job, NULL), QRT_EINVAL);
	MUST(DETAIL_HAS("in: SELECT ?1"));
	MUST_GIVE(qrt_db_write(cx, db, run_job, &changes), QRT_OK);
	MUST(changes == 9);
	MUST(reads_as(cx, db, "SELECT group_concat(n) FROM t", "31,32,33"));
	/* The statements in the cache learn of a new schema. */
	MUST_GIVE(write_sql(cx, db, "ALTER TABLE t ADD COLUMN m"), QRT_OK);
	MUST(reads_as(cx, db, "SELECT group_concat(n) FROM t", "31,32,33"));
	MUST_GIVE(qrt_db_read(cx, db, exec_job, "SELEC 1"), QRT_EFAILED);
	MUST(DETAIL_HAS("syntax error"));
	qrt_db_close(cx, &db);
	return QRT_OK;
}

static void statements_come_back_clean_from_the_cache(void **state)
{
	(void)state;
	on_every_backend(statements);
}

static enum qrt_err two_statements_job(struct qrt_db_conn *conn, void *arg)
{
	struct qrt_db_stmt *stmt = NULL;
	enum qrt_err err = qrt_db_prepare(conn, arg, &stmt);
	qrt_db_finish(&stmt);
	return err;
}

static enum qrt_err not_one(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct qrt_db *db = NULL;
	struct qrt_db_options opts = {.url = ":memory:"};
	MUST_GIVE(qrt_db_open(cx, &opts, &db), QRT_OK);
	MUST_GIVE(qrt_db_read(cx, db, two_statements_job, "SELECT 1; SELECT 2"), QRT_EINVAL);
	MUST(DETAIL_HAS("not exactly one statement in: SELECT 1; SELECT 2"));
	MUST_GIVE(qrt_db_read(cx, db, two_statements_job, "  "), QRT_EINVAL);
	MUST_GIVE(qrt_db_read(cx, db, two_statements_job, "SELECT 1 ;\n"), QRT_OK);
	qrt_db_close(cx, &db);
	return QRT_OK;
}

static void prepare_takes_exactly_one_statement(void **state)
{
	(void)state;
	on_every_backend(not_one);
}

/* --- stopping ------------------------------------------------------------------------------- */

#define ENDLESS                                                                                    \
	"WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT max(n) FROM c"
/* Where nothing interrupts a statement: one that is short, over and over. */
#define SHORT                                                                                      \
	"WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 99) SELECT "     \
	"max(n) FROM c"

struct endless {
	struct qrt_db *db;
	bool write;
	bool one_statement, in_steps;
	atomic_bool inside;
	enum qrt_err err;
	char detail[256];
};

static enum qrt_err endless_job(struct qrt_db_conn *conn, void *arg)
{
	struct endless *endless = arg;
	enum qrt_err err = QRT_OK;
	if (endless->write) {
		err = qrt_db_exec(conn, "INSERT INTO t VALUES (1)");
	}
	atomic_store(&endless->inside, true);
	while (!err && endless->in_steps) {
		err = qrt_db_exec(conn, SHORT);
	}
	if (!err) {
		err = qrt_db_exec(conn, ENDLESS);
	}
	/* A job that goes on after the news gets it again. */
	return err == qrt_db_exec(conn, "SELECT 1") ? err : QRT_EFAILED;
}

static enum qrt_err endless_task(struct qrt_cx *cx, void *arg)
{
	struct endless *endless = arg;
	endless->in_steps = !endless->one_statement && !is_structured(cx);
	endless->err = endless->write ? qrt_db_write(cx, endless->db, endless_job, endless)
				      : qrt_db_read(cx, endless->db, endless_job, endless);
	snprintf(endless->detail, sizeof(endless->detail), "%s", qrt_detail(cx));
	return endless->err;
}

static enum qrt_err cancel_one(struct qrt_cx *cx, struct qrt_db *db, bool write)
{
	struct qrt_region *region = NULL;
	struct endless endless = {.db = db, .write = write};
	MUST_GIVE(qrt_region_open(cx, QRT_FAIL_FAST, &region), QRT_OK);
	enum qrt_err err = qrt_spawn(region, endless_task, &endless);
	while (!err && !atomic_load(&endless.inside)) {
		err = qrt_yield(cx);
	}
	qrt_region_cancel(region, QRT_CANCEL_USER, "test");
	QRT_IGNORE(qrt_region_close(cx, &region, err), "what counts is in endless.err");
	MUST(!err);
	MUST(endless.err == QRT_ECANCELED);
	MUST(strstr(endless.detail, "database job stopped: cancelled in: WITH RECURSIVE"));
	return QRT_OK;
}

static enum qrt_err cancelled(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	if (qrt_in_lab(cx)) {
		return QRT_OK; /* a job is one step there: nobody else can run and cancel it */
	}
	struct qrt_db *db = NULL;
	MUST_GIVE(open_db(cx, "cancel.db", &db), QRT_OK);
	MUST_GIVE(write_sql(cx, db, "CREATE TABLE t (n)"), QRT_OK);
	for (int i = 0; i < 5; i++) {
		MUST_GIVE(cancel_one(cx, db, false), QRT_OK);
		MUST(reads_as(cx, db, "SELECT count(*) FROM t", "0"));
		MUST_GIVE(cancel_one(cx, db, true), QRT_OK);
		MUST(reads_as(cx, db, "SELECT count(*) FROM t", "0"));
	}
	MUST_GIVE(write_sql(cx, db, "INSERT INTO t VALUES (1)"), QRT_OK);
	MUST(reads_as(cx, db, "SELECT count(*) FROM t", "1"));
	qrt_db_close(cx, &db);
	return QRT_OK;
}

static void b110_a_cancel_interrupts_and_the_connection_goes_on(void **state)
{
	(void)state;
	on_every_backend(cancelled);
}

/* The statement goes on; what was asked is heard at its end, and so is how late it is. */
static enum qrt_err deaf(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	if (qrt_in_lab(cx)) {
		return QRT_OK; /* a job is one step there */
	}
	struct qrt_db *db = NULL;
	char url[URL_MAX];
	struct qrt_region *region = NULL;
	struct qrt_db_options opts = {.url = url_of("deaf.db", url), .readers = 1};
	opts.statement_ns = is_structured(cx) ? 0 : 300 * QRT_MS;
	MUST_GIVE(qrt_db_open(cx, &opts, &db), QRT_OK);
	struct endless endless = {.db = db, .one_statement = true};
	MUST_GIVE(qrt_region_open(cx, QRT_COLLECT, &region), QRT_OK);
	enum qrt_err err = qrt_spawn(region, endless_task, &endless);
	int64_t until = qrt_deadline_in(cx, 50 * QRT_MS);
	/* Until the statement itself runs. */
	for (int64_t now = 0; !err && (now < until || !atomic_load(&endless.inside));) {
		err = qrt_yield(cx);
		err = err ? err : qrt_now(cx, &now);
	}
	qrt_region_cancel(region, QRT_CANCEL_USER, "test");
	QRT_IGNORE(qrt_region_close(cx, &region, err), "what counts is in endless.err");
	MUST(endless.err == (is_structured(cx) ? QRT_ECANCELED : QRT_ETIMEDOUT));
	qrt_db_close(cx, &db);
	return QRT_OK;
}

static void only_where_it_is_promised_a_cancel_breaks_a_statement(void **state)
{
	(void)state;
	on_every_backend(deaf);
}

static enum qrt_err too_long(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct qrt_db *db = NULL;
	char url[URL_MAX];
	struct qrt_db_options opts = {
	    .url = url_of("late.db", url), .readers = 1, .statement_ns = 20 * QRT_MS};
	MUST_GIVE(qrt_db_open(cx, &opts, &db), QRT_OK);
	MUST_GIVE(write_sql(cx, db, "CREATE TABLE t (n)"), QRT_OK);
	struct endless endless = {.db = db, .one_statement = true};
	MUST_GIVE(endless_task(cx, &endless), QRT_ETIMEDOUT);
	MUST(DETAIL_HAS("database job stopped: out of time in: WITH RECURSIVE"));
	MUST(!DETAIL_HAS("in: SELECT 1")); /* the statement that came after */
	endless.write = true;
	MUST_GIVE(endless_task(cx, &endless), QRT_ETIMEDOUT);
	MUST(reads_as(cx, db, "SELECT count(*) FROM t", "0"));
	qrt_db_close(cx, &db);
	return QRT_OK;
}

static void a_job_that_takes_too_long_is_stopped(void **state)
{
	(void)state;
	on_every_backend(too_long);
}

static enum qrt_err late_caller(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	if (qrt_in_lab(cx)) {
		return QRT_OK; /* virtual time stands still while a job runs */
	}
	struct qrt_db *db = NULL;
	struct qrt_region *region = NULL;
	MUST_GIVE(open_db(cx, "deadline.db", &db), QRT_OK);
	struct qrt_region_options opts = {.budget.deadline_ns = qrt_deadline_in(cx, 20 * QRT_MS)};
	int64_t patience_ns = qrt_deadline_in(cx, 5 * QRT_SEC), now_ns = 0;
	MUST_GIVE(qrt_region_open_with(cx, &opts, &region), QRT_OK);
	struct endless endless = {.db = db, .one_statement = true};
	enum qrt_err err = endless_task(qrt_region_cx(region), &endless);
	QRT_IGNORE(qrt_region_close(cx, &region, QRT_OK), "there was no task in it");
	MUST(err == QRT_ETIMEDOUT);
	MUST(strstr(endless.detail, "out of time"));
	MUST_GIVE(qrt_now(cx, &now_ns), QRT_OK);
	MUST(now_ns < patience_ns); /* its own deadline, not the ten seconds of any statement */
	MUST(reads_as(cx, db, "SELECT 5", "5"));
	qrt_db_close(cx, &db);
	return QRT_OK;
}

static void the_deadline_of_the_caller_stops_a_job(void **state)
{
	(void)state;
	on_every_backend(late_caller);
}

/* The writer is held; the second job's patience is at an end before it gets there. */
static enum qrt_err impatient(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	if (qrt_in_lab(cx)) {
		return QRT_OK; /* no job is ever in the way of another there */
	}
	struct qrt_db *db = NULL;
	char url[URL_MAX];
	struct qrt_region *region = NULL;
	struct qrt_db_options opts = {.url = url_of("wait.db", url), .lane_wait_ns = 100 * QRT_MS};
	MUST_GIVE(qrt_db_open(cx, &opts, &db), QRT_OK);
	MUST_GIVE(write_sql(cx, db, "CREATE TABLE t (n)"), QRT_OK);
	struct endless endless = {.db = db, .write = true};
	MUST_GIVE(qrt_region_open(cx, QRT_COLLECT, &region), QRT_OK);
	enum qrt_err err = qrt_spawn(region, endless_task, &endless);
	while (!err && !atomic_load(&endless.inside)) {
		err = qrt_yield(cx);
	}
	enum qrt_err second = write_sql(cx, db, "INSERT INTO t VALUES (1)");
	bool says = DETAIL_HAS("database busy: no lane for this write within 100 ms");
	qrt_region_cancel(region, QRT_CANCEL_USER, "test");
	QRT_IGNORE(qrt_region_close(cx, &region, err), "what counts is in second");
	MUST(second == QRT_EBUSY);
	MUST(says);
	MUST(reads_as(cx, db, "SELECT count(*) FROM t", "0"));
	qrt_db_close(cx, &db);
	return QRT_OK;
}

static void waiting_too_long_for_a_lane_is_busy(void **state)
{
	(void)state;
	on_every_backend(impatient);
}

/* The writer is held by an endless job; 1,026 more come. The queue takes 1,024. */
struct crowd {
	struct qrt_db *db;
	unsigned refused, taken_back, other;
	bool says;
};

static enum qrt_err crowd_task(struct qrt_cx *cx, void *arg)
{
	struct crowd *crowd = arg;
	enum qrt_err err = write_sql(cx, crowd->db, "INSERT INTO t VALUES (1)");
	if (err == QRT_EBUSY) {
		crowd->refused++;
		crowd->says = DETAIL_HAS("database busy: 1024 jobs before this write");
	} else if (err == QRT_ECANCELED) {
		crowd->taken_back++;
	} else {
		crowd->other++;
	}
	return QRT_OK;
}

static enum qrt_err crowded(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	if (qrt_in_lab(cx)) {
		return QRT_OK; /* no job is ever in the way of another there */
	}
	struct crowd crowd = {0};
	struct qrt_region *region = NULL, *queue = NULL;
	MUST_GIVE(open_db(cx, "crowd.db", &crowd.db), QRT_OK);
	MUST_GIVE(write_sql(cx, crowd.db, "CREATE TABLE t (n)"), QRT_OK);
	struct endless endless = {.db = crowd.db, .write = true};
	MUST_GIVE(qrt_region_open(cx, QRT_COLLECT, &region), QRT_OK);
	enum qrt_err err = qrt_spawn(region, endless_task, &endless);
	while (!err && !atomic_load(&endless.inside)) {
		err = qrt_yield(cx);
	}
	MUST_GIVE(qrt_region_open(cx, QRT_COLLECT, &queue), QRT_OK);
	for (int i = 0; i < 1026 && !err; i++) {
		err = qrt_spawn(queue, crowd_task, &crowd);
	}
	while (!err && crowd.refused + crowd.other < 2) {
		err = qrt_yield(cx);
	}
	struct qrt_db_stats stats;
	qrt_db_stats(crowd.db, &stats);
	/* The queue first: none of it may get the writer that the endless job leaves. */
	qrt_region_cancel(queue, QRT_CANCEL_USER, "test");
	QRT_IGNORE(qrt_region_close(cx, &queue, err), "what counts is in crowd");
	qrt_region_cancel(region, QRT_CANCEL_USER, "test");
	QRT_IGNORE(qrt_region_close(cx, &region, err), "what counts is in crowd");
	MUST(!err);
	MUST(stats.queued == 1025);
	MUST(crowd.refused == 2);
	MUST(crowd.says);
	MUST(crowd.taken_back == 1024);
	MUST(crowd.other == 0);
	MUST(reads_as(cx, crowd.db, "SELECT count(*) FROM t", "0"));
	qrt_db_close(cx, &crowd.db);
	return QRT_OK;
}

static void a_full_queue_is_busy_and_a_queued_job_is_taken_back(void **state)
{
	(void)state;
	on_every_backend(crowded);
}

/* --- many at once --------------------------------------------------------------------------- */

static enum qrt_err add_one_job(struct qrt_db_conn *conn, void *arg)
{
	(void)arg;
	struct qrt_db_stmt *get __attribute__((cleanup(qrt_db_finish))) = NULL;
	struct qrt_db_stmt *set __attribute__((cleanup(qrt_db_finish))) = NULL;
	bool row = false;
	enum qrt_err err = qrt_db_prepare(conn, "SELECT n FROM t", &get);
	if (!err) {
		err = qrt_db_step(get, &row);
	}
	if (!err) {
		err = qrt_db_prepare(conn, "UPDATE t SET n = ?1", &set);
	}
	if (!err) {
		qrt_db_bind_int(set, 1, qrt_db_int(get, 0) + 1);
		err = qrt_db_run(set);
	}
	return err;
}

static enum qrt_err add_one_task(struct qrt_cx *cx, void *arg)
{
	struct qrt_db *db = arg;
	enum qrt_err err = qrt_db_write(cx, db, add_one_job, NULL);
	struct one one = {.sql = "SELECT n FROM t"};
	return err ? err : qrt_db_read(cx, db, one_job, &one);
}

static enum qrt_err fifty(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct qrt_db *db = NULL;
	struct qrt_region *region = NULL;
	struct qrt_db_stats stats;
	MUST_GIVE(open_db(cx, "fifty.db", &db), QRT_OK);
	MUST_GIVE(write_sql(cx, db, "CREATE TABLE t (n); INSERT INTO t VALUES (0)"), QRT_OK);
	MUST_GIVE(qrt_region_open(cx, QRT_COLLECT, &region), QRT_OK);
	enum qrt_err err = QRT_OK;
	for (int i = 0; i < 50 && !err; i++) {
		err = qrt_spawn(region, add_one_task, db);
	}
	MUST_GIVE(qrt_region_close(cx, &region, err), QRT_OK);
	MUST(reads_as(cx, db, "SELECT n FROM t", "50"));
	qrt_db_stats(db, &stats);
	MUST(stats.writes == 51);
	MUST(stats.reads == 51);
	qrt_db_close(cx, &db);
	return QRT_OK;
}

static void b111_fifty_writers_take_turns_and_none_is_busy(void **state)
{
	(void)state;
	on_every_backend(fifty);
}

static enum qrt_err lock_held(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct qrt_db *holder = NULL, *db = NULL;
	char url[URL_MAX];
	if (qrt_in_lab(cx)) {
		return QRT_OK; /* a job that holds the lock is over before another can start */
	}
	struct qrt_db_options opts = {.url = url_of("locked.db", url), .readers = 1, .busy_ms = 30};
	MUST_GIVE(qrt_db_open(cx, &opts, &holder), QRT_OK);
	MUST_GIVE(write_sql(cx, holder, "CREATE TABLE t (n)"), QRT_OK);
	MUST_GIVE(qrt_db_open(cx, &opts, &db), QRT_OK);
	struct qrt_region *region = NULL;
	struct endless endless = {.db = holder, .write = true};
	MUST_GIVE(qrt_region_open(cx, QRT_COLLECT, &region), QRT_OK);
	enum qrt_err err = qrt_spawn(region, endless_task, &endless);
	while (!err && !atomic_load(&endless.inside)) {
		err = qrt_yield(cx);
	}
	enum qrt_err second = write_sql(cx, db, "INSERT INTO t VALUES (2)");
	bool says = DETAIL_HAS("locked.db: database is locked by another process for over 30 ms");
	bool readable = reads_as(cx, db, "SELECT count(*) FROM t", "0");
	qrt_region_cancel(region, QRT_CANCEL_USER, "test");
	QRT_IGNORE(qrt_region_close(cx, &region, err), "what counts is in second");
	MUST(second == QRT_EBUSY);
	MUST(says);
	MUST(readable);
	MUST_GIVE(write_sql(cx, db, "INSERT INTO t VALUES (2)"), QRT_OK);
	MUST(reads_as(cx, holder, "SELECT count(*) FROM t", "1"));
	qrt_db_close(cx, &db);
	qrt_db_close(cx, &holder);
	return QRT_OK;
}

static void the_lock_of_another_connection_is_busy_after_a_while(void **state)
{
	(void)state;
	on_every_backend(lock_held);
}

static enum qrt_err count_up_task(struct qrt_cx *cx, void *arg)
{
	struct qrt_db *db = *(struct qrt_db **)arg;
	return qrt_db_write(cx, db, add_one_job, NULL);
}

static enum qrt_err closed_under(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct qrt_db *db = NULL;
	struct qrt_region *region = NULL;
	MUST_GIVE(open_db(cx, "closing.db", &db), QRT_OK);
	MUST_GIVE(write_sql(cx, db, "CREATE TABLE t (n); INSERT INTO t VALUES (0)"), QRT_OK);
	struct qrt_db *same = db;
	MUST_GIVE(qrt_region_open(cx, QRT_COLLECT, &region), QRT_OK);
	enum qrt_err err = QRT_OK;
	for (int i = 0; i < 20 && !err; i++) {
		err = qrt_spawn(region, count_up_task, &same);
	}
	struct qrt_db_stats stats = {0};
	while (!err && stats.queued + stats.writes < 21) {
		err = qrt_yield(cx); /* until they are all inside */
		qrt_db_stats(db, &stats);
	}
	qrt_db_close(cx, &db);
	MUST_GIVE(qrt_region_close(cx, &region, err), QRT_OK);
	MUST_GIVE(open_db(cx, "closing.db", &db), QRT_OK);
	MUST(reads_as(cx, db, "SELECT n FROM t", "20"));
	qrt_db_close(cx, &db);
	return QRT_OK;
}

static void closing_waits_for_the_jobs_inside(void **state)
{
	(void)state;
	on_every_backend(closed_under);
}

/* --- authority and end ---------------------------------------------------------------------- */

static enum qrt_err no_authority(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct qrt_db *db = NULL;
	struct qrt_region *region = NULL;
	MUST_GIVE(open_db(cx, "caps.db", &db), QRT_OK);
	struct qrt_region_options opts = {.caps = QRT_CAP_SPAWN | QRT_CAP_TIME};
	MUST_GIVE(qrt_region_open_with(cx, &opts, &region), QRT_OK);
	enum qrt_err err = write_sql(qrt_region_cx(region), db, "CREATE TABLE t (n)");
	QRT_IGNORE(qrt_region_close(cx, &region, QRT_OK), "there was no task in it");
	MUST(err == QRT_ENOTCAPABLE);
	/* The database is authority enough over the lanes inside it. */
	opts.caps = QRT_CAP_DB;
	MUST_GIVE(qrt_region_open_with(cx, &opts, &region), QRT_OK);
	err = write_sql(qrt_region_cx(region), db, "CREATE TABLE t (n)");
	QRT_IGNORE(qrt_region_close(cx, &region, QRT_OK), "there was no task in it");
	MUST(err == QRT_OK);
	qrt_db_close(cx, &db);
	return QRT_OK;
}

static void a_cx_without_db_reaches_nothing(void **state)
{
	(void)state;
	on_every_backend(no_authority);
}

static enum qrt_err late_close(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct qrt_db *db = NULL;
	struct qrt_region *region = NULL;
	char path[URL_MAX];
	MUST_GIVE(open_db(cx, "late-close.db", &db), QRT_OK);
	struct qrt_region_options opts = {.budget.deadline_ns = 1};
	MUST_GIVE(qrt_region_open_with(cx, &opts, &region), QRT_OK);
	struct one one = {.sql = "SELECT 1"};
	enum qrt_err err = qrt_db_read(qrt_region_cx(region), db, one_job, &one);
	qrt_db_close(qrt_region_cx(region), &db);
	QRT_IGNORE(qrt_region_close(cx, &region, QRT_OK), "there was no task in it");
	MUST(err == QRT_ETIMEDOUT);
	MUST(one.text[0] == '\0');
	MUST(access(path_of("late-close.db-wal", path), F_OK) != 0);
	return QRT_OK;
}

static void a_late_caller_runs_nothing_but_can_close(void **state)
{
	(void)state;
	on_every_backend(late_close);
}

static enum qrt_err writes(struct qrt_cx *cx, void *arg)
{
	return write_sql(cx, arg, "CREATE TABLE t (n)");
}

/* How many transactions the ledger has open. */
static int transactions(struct qrt_cx *cx)
{
	static char text[64 * 1024];
	int n = 0;
	qrt_dump(cx, text, sizeof(text));
	for (const char *at = text; (at = strstr(at, "\"transaction\"")); at++) {
		n++;
	}
	return n;
}

static enum qrt_err entered(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct qrt_db *db = NULL;
	struct qrt_region *region;
	MUST_GIVE(open_db(cx, "entry.db", &db), QRT_OK);
	MUST_GIVE(qrt_region_open(cx, QRT_COLLECT, &region), QRT_OK);
	MUST_GIVE(qrt_spawn(region, writes, db), QRT_OK);
	MUST(transactions(cx) == 0);
	MUST_GIVE(qrt_yield(cx), QRT_OK); /* it waits for its lane now */
	MUST(transactions(cx) == 1);
	MUST_GIVE(qrt_region_close(cx, &region, QRT_OK), QRT_OK);
	MUST(transactions(cx) == 0);
	qrt_db_close(cx, &db);
	return QRT_OK;
}

static void a_transaction_is_an_entry_of_the_ledger(void **state)
{
	(void)state;
	on_every_backend(entered);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_transaction_is_an_entry_of_the_ledger),
	    cmocka_unit_test(an_absent_file_is_created_with_wal_and_foreign_keys),
	    cmocka_unit_test(synchronous_full_is_an_option),
	    cmocka_unit_test(a_bad_url_is_named),
	    cmocka_unit_test(a_file_that_cannot_be_used_is_named),
	    cmocka_unit_test(a_file_of_somebody_else_is_named),
	    cmocka_unit_test(damage_inside_a_file_is_reported),
	    cmocka_unit_test(a_database_in_memory_reads_what_was_written),
	    cmocka_unit_test(an_error_of_a_job_rolls_everything_back),
	    cmocka_unit_test(a_job_cannot_leave_its_transaction),
	    cmocka_unit_test(a_violation_is_a_conflict_that_names_the_constraint),
	    cmocka_unit_test(a_commit_that_cannot_be_written_is_rolled_back),
	    cmocka_unit_test(statements_come_back_clean_from_the_cache),
	    cmocka_unit_test(prepare_takes_exactly_one_statement),
	    cmocka_unit_test(b110_a_cancel_interrupts_and_the_connection_goes_on),
	    cmocka_unit_test(only_where_it_is_promised_a_cancel_breaks_a_statement),
	    cmocka_unit_test(a_job_that_takes_too_long_is_stopped),
	    cmocka_unit_test(the_deadline_of_the_caller_stops_a_job),
	    cmocka_unit_test(waiting_too_long_for_a_lane_is_busy),
	    cmocka_unit_test(a_full_queue_is_busy_and_a_queued_job_is_taken_back),
	    cmocka_unit_test(b111_fifty_writers_take_turns_and_none_is_busy),
	    cmocka_unit_test(the_lock_of_another_connection_is_busy_after_a_while),
	    cmocka_unit_test(closing_waits_for_the_jobs_inside),
	    cmocka_unit_test(a_cx_without_db_reaches_nothing),
	    cmocka_unit_test(a_late_caller_runs_nothing_but_can_close),
	};
	return cmocka_run_group_tests_name("db", tests, make_folder, remove_folder);
}
