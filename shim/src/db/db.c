/*
 * Databases: options, opening and closing. Names no engine but the one of
 * each URL form; never runs a statement, an open or a close on the loop.
 */
#include <qrt/db.h>

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shim/src/db/internal.h"

#define READERS_DEFAULT 4u
#define LANE_WAIT_NS (30 * QRT_SEC)
#define STATEMENT_NS (10 * QRT_SEC)
#define BUSY_MS 5000
#define GROUP_NS (5 * QRT_MS)
#define CHECKPOINT_PAGES 1000u
#define FILE_SCHEME "sqlite://"

/* --- options -------------------------------------------------------------------------------- */

/* The path in @url, NULL for a database in memory. */
static enum qrt_err parse_url(struct qrt_cx *cx, const char *url, const char **ret_path)
{
	if (!url) {
		return qrt_fail(cx, QRT_EINVAL, "database url: missing");
	}
	if (strcmp(url, ":memory:") == 0 || strcmp(url, "sqlite::memory:") == 0) {
		*ret_path = NULL;
		return QRT_OK;
	}
	if (strncmp(url, FILE_SCHEME, strlen(FILE_SCHEME)) != 0) {
		return qrt_fail(cx, QRT_EINVAL,
				"database url \"%.100s\": not sqlite://<path>, sqlite::memory: or "
				":memory:",
				url);
	}
	const char *path = url + strlen(FILE_SCHEME);
	if (*path == '\0' || *path == ':') {
		return qrt_fail(cx, QRT_EINVAL, "database url \"%.100s\": no path after sqlite://",
				url);
	}
	if (strpbrk(path, "?#")) {
		return qrt_fail(cx, QRT_EINVAL,
				"database url \"%.100s\": ? and # are not supported", url);
	}
	if (strlen(path) >= PATH_MAX) {
		return qrt_fail(cx, QRT_EINVAL, "database url: path of %zu bytes, at most %d",
				strlen(path), PATH_MAX - 1);
	}
	*ret_path = path;
	return QRT_OK;
}

static enum qrt_err check_options(struct qrt_cx *cx, const struct qrt_db_options *opts)
{
	if (opts->readers > QRT__DB_READERS_MAX) {
		return qrt_fail(cx, QRT_EINVAL, "database readers: %u, at most %u", opts->readers,
				QRT__DB_READERS_MAX);
	}
	if (opts->lane_wait_ns < 0 || opts->statement_ns < 0 || opts->busy_ms < 0) {
		return qrt_fail(cx, QRT_EINVAL, "database times: one is negative");
	}
	return QRT_OK;
}

static struct qrt_db *create(const struct qrt_db_options *opts, const char *path)
{
	struct qrt_db *db = calloc(1, sizeof(*db));
	if (!db) {
		return NULL;
	}
	db->magic = QRT__DB_MAGIC;
	pthread_mutex_init(&db->lock, NULL);
	pthread_mutex_init(&db->log.lock, NULL);
	qrt__event_init(&db->idle);
	qrt__event_set(&db->idle);
	db->n_readers = !path ? 0 : opts->readers ? opts->readers : READERS_DEFAULT;
	db->path = path ? strdup(path) : NULL;
	db->readers = db->n_readers ? calloc(db->n_readers, sizeof(*db->readers)) : NULL;
	db->lane_wait_ns = opts->lane_wait_ns ? opts->lane_wait_ns : LANE_WAIT_NS;
	db->group_ns = GROUP_NS;
	db->target = (struct qrt__db_target){
	    .path = db->path,
	    .must_exist = opts->must_exist,
	    .synchronous_full = opts->synchronous_full,
	    .busy_ms = opts->busy_ms ? opts->busy_ms : BUSY_MS,
	};
	db->log.worth = opts->checkpoint_pages ? opts->checkpoint_pages : CHECKPOINT_PAGES;
	return db;
}

static void destroy(struct qrt_db **db_p)
{
	struct qrt_db *db = *db_p;
	*db_p = NULL;
	QRT_PRE(!db->writes);
	QRT_PRE(!db->reads);
	QRT_PRE(!db->writer.native);
	pthread_mutex_destroy(&db->lock);
	pthread_mutex_destroy(&db->log.lock);
	free(db->readers);
	free(db->path);
	db->magic = 0;
	free(db);
}

/* --- open and close ------------------------------------------------------------------------- */

/*
 * The cx under which a database uses its own lanes. Whoever has the database
 * has the lanes in it, so BLOCKING is not asked for again.
 */
static struct qrt_cx lane_cx(const struct qrt_cx *cx)
{
	struct qrt_cx own = *cx;
	own.caps |= QRT_CAP_BLOCKING;
	return own;
}

/* The writer first: it makes the file and its modes what the readers expect. */
static enum qrt_err open_all(struct qrt_job *job, void *arg)
{
	struct qrt_db *db = arg;
	struct qrt__db_target target = db->target;
	target.create = true;
	enum qrt_err err = qrt__db_conn_open(&db->writer, &qrt__db_sqlite, &target, job);
	target.create = false;
	target.read_only = true;
	for (unsigned i = 0; i < db->n_readers && !err; i++) {
		err = qrt__db_conn_open(&db->readers[i], &qrt__db_sqlite, &target, job);
		if (!err) {
			db->free_readers[db->n_free++] = &db->readers[i];
		}
	}
	target.read_only = false;
	if (!err && db->path) {
		err = qrt__db_conn_open(&db->folder, &qrt__db_sqlite, &target, job);
	}
	target.read_only = true;
	if (!err && db->path && db->structured) {
		target.on_loop = true;
		err = qrt__db_conn_open(&db->own, &qrt__db_sqlite, &target, job);
	}
	return err;
}

/* The writer last: the last one out folds the log into the file. */
static enum qrt_err close_all(struct qrt_job *job, void *arg)
{
	struct qrt_db *db = arg;
	(void)job;
	db->n_free = 0;
	qrt__db_conn_close(&db->own);
	qrt__db_conn_close(&db->folder);
	for (unsigned i = 0; i < db->n_readers; i++) {
		qrt__db_conn_close(&db->readers[i]);
	}
	if (db->writer.native && db->path) {
		struct qrt__db_fold fold;
		QRT_IGNORE(db->writer.engine->checkpoint(db->writer.native, true, &fold),
			   "what is not folded in now is by who opens it next");
	}
	qrt__db_conn_close(&db->writer);
	return QRT_OK;
}

void qrt_db_close(struct qrt_cx *cx, struct qrt_db **db_p)
{
	struct qrt_db *db = db_p ? *db_p : NULL;
	if (!db) {
		return;
	}
	QRT_PRE(db->magic == QRT__DB_MAGIC);
	*db_p = NULL;
	db->closing = true;
	/* What was opened on the lane is closed there, whatever becomes of the caller. */
	struct qrt_cx own = lane_cx(cx);
	own.deadline_ns = QRT_NO_DEADLINE;
	qrt__event_wait_masked(&own, &db->idle);
	qrt_lane_close(cx, &db->folds);
	qrt__shield(&own);
	enum qrt_err err = db->writes ? qrt_blocking(&own, db->writes, close_all, db) : QRT_OK;
	qrt__unshield(&own);
	qrt_lane_close(cx, &db->reads);
	qrt_lane_close(cx, &db->writes);
	if (err) { /* no memory for the job, or a finalizer: better on the loop than never */
		QRT_IGNORE(close_all(NULL, db), "it cannot fail");
	}
	destroy(&db);
}

/* Opens lanes and connections; what is open stays in @db also on failure. */
static enum qrt_err open_inside(struct qrt_cx *cx, struct qrt_db *db)
{
	if (db->n_readers && !db->readers) {
		return QRT_ENOMEM;
	}
	enum qrt_err err = qrt_lane_open(cx, "db-writer", 1, QRT__DB_QUEUE_MAX, &db->writes);
	if (!err && db->n_readers) {
		err = qrt_lane_open(cx, "db-reader", db->n_readers, QRT__DB_QUEUE_MAX, &db->reads);
	}
	if (!err && db->path) {
		err = qrt_lane_open(cx, "db-checkpoint", 1, 1, &db->folds);
	}
	return err ? err : qrt_blocking(cx, db->writes, open_all, db);
}

static void conn_of(struct qrt_db_conn *conn, const struct qrt_db *db, struct qrt_runtime *rt,
		    int64_t statement_ns)
{
	conn->rt = rt;
	conn->interruptible = db->structured;
	conn->statement_ns = statement_ns ? statement_ns : STATEMENT_NS;
}

static void of_runtime(struct qrt_db *db, struct qrt_runtime *rt, int64_t statement_ns)
{
	db->structured = rt->engine->structured;
	db->target.disk = rt->driver->disk ? rt->driver->disk(rt) : NULL;
	conn_of(&db->writer, db, rt, statement_ns);
	conn_of(&db->own, db, rt, statement_ns);
	conn_of(&db->folder, db, rt, statement_ns);
	for (unsigned i = 0; db->readers && i < db->n_readers; i++) {
		conn_of(&db->readers[i], db, rt, statement_ns);
	}
}

enum qrt_err qrt_db_open(struct qrt_cx *cx, const struct qrt_db_options *opts,
			 struct qrt_db **ret_db)
{
	QRT__ANCHORED(cx);
	const char *path = NULL;
	enum qrt_err err = qrt_cx_require(cx, QRT_CAP_DB | QRT_CAP_BLOCKING);
	if (!err) {
		err = parse_url(cx, opts->url, &path);
	}
	if (!err) {
		err = check_options(cx, opts);
	}
	if (err) {
		return err;
	}
	struct qrt_db *db = create(opts, path);
	if (!db || (path && !db->path)) {
		if (db) {
			destroy(&db);
		}
		return qrt_fail(cx, QRT_ENOMEM, "no memory for a database");
	}
	of_runtime(db, cx->task->rt, opts->statement_ns);
	err = open_inside(cx, db);
	if (!err) {
		*ret_db = db;
		return QRT_OK;
	}
	char why[QRT__DETAIL_MAX];
	snprintf(why, sizeof(why), "%s", qrt_detail(cx));
	qrt_db_close(cx, &db);
	return qrt_fail(cx, err, "%s", why); /* the closing may have set another detail */
}

void qrt_db_stats(const struct qrt_db *db, struct qrt_db_stats *ret_stats)
{
	*ret_stats = (struct qrt_db_stats){
	    .reads = atomic_load(&db->n_reads),
	    .shorts = atomic_load(&db->n_shorts),
	    .fallbacks = atomic_load(&db->n_fallbacks),
	    .writes = atomic_load(&db->n_writes),
	    .commits = atomic_load(&db->n_commits),
	    .again = atomic_load(&db->n_again),
	    .rollbacks = atomic_load(&db->n_rollbacks),
	    .unknown = atomic_load(&db->n_unknown),
	    .checkpoints = atomic_load(&db->log.n_folds),
	    .checkpoints_pressing = atomic_load(&db->log.n_pressing),
	    .checkpoints_failed = atomic_load(&db->log.n_failed),
	    .checkpoint_longest_ns = atomic_load(&db->log.longest_ns),
	    .log_pages = atomic_load(&db->log.unmoved),
	    .queued = qrt_lane_depth(db->writes) + (db->reads ? qrt_lane_depth(db->reads) : 0),
	};
}
