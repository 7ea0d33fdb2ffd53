/*
 * Databases: which lane a job goes to, which connection it gets, what opening
 * and closing means. Names no engine but the one of each URL form; never runs
 * a statement, an open or a close on the loop.
 */
#include <qrt/db.h>

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shim/src/db_conn.h"

#define DB_MAGIC 0x71726462u
#define READERS_DEFAULT 4u
#define READERS_MAX 63u
#define QUEUE_MAX 1024u /* jobs that wait for a lane; more are refused */
#define LANE_WAIT_NS (30 * QRT_SEC)
#define STATEMENT_NS (10 * QRT_SEC)
#define BUSY_MS 5000
#define FILE_SCHEME "sqlite://"

struct qrt_db {
	unsigned magic;
	bool closing;
	size_t inside;		/* calls of read and write under way; the loop's */
	struct qrt__event idle; /* set while there is none */
	char *path;		/* NULL: in memory, one connection for everything */
	struct qrt__db_target target;
	int64_t lane_wait_ns;
	struct qrt_lane *writes, *reads; /* reads: NULL in memory */
	struct qrt_db_conn writer;
	unsigned n_readers;
	struct qrt_db_conn *readers;
	pthread_mutex_t lock; /* of the free readers; the last one back goes out first */
	unsigned n_free;
	struct qrt_db_conn *free_readers[READERS_MAX];
	_Atomic uint64_t n_reads, n_writes, n_rollbacks, n_unknown;
};

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
	if (opts->readers > READERS_MAX) {
		return qrt_fail(cx, QRT_EINVAL, "database readers: %u, at most %u", opts->readers,
				READERS_MAX);
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
	db->magic = DB_MAGIC;
	pthread_mutex_init(&db->lock, NULL);
	qrt__event_init(&db->idle);
	qrt__event_set(&db->idle);
	db->n_readers = !path ? 0 : opts->readers ? opts->readers : READERS_DEFAULT;
	db->path = path ? strdup(path) : NULL;
	db->readers = db->n_readers ? calloc(db->n_readers, sizeof(*db->readers)) : NULL;
	db->lane_wait_ns = opts->lane_wait_ns ? opts->lane_wait_ns : LANE_WAIT_NS;
	db->target = (struct qrt__db_target){
	    .path = db->path,
	    .synchronous_full = opts->synchronous_full,
	    .busy_ms = opts->busy_ms ? opts->busy_ms : BUSY_MS,
	};
	int64_t statement_ns = opts->statement_ns ? opts->statement_ns : STATEMENT_NS;
	db->writer.statement_ns = statement_ns;
	for (unsigned i = 0; db->readers && i < db->n_readers; i++) {
		db->readers[i].statement_ns = statement_ns;
	}
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
	return err;
}

/* The writer last: the last one out folds the log into the file. */
static enum qrt_err close_all(struct qrt_job *job, void *arg)
{
	struct qrt_db *db = arg;
	(void)job;
	db->n_free = 0;
	for (unsigned i = 0; i < db->n_readers; i++) {
		qrt__db_conn_close(&db->readers[i]);
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
	QRT_PRE(db->magic == DB_MAGIC);
	*db_p = NULL;
	db->closing = true;
	/* What was opened on the lane is closed there, whatever becomes of the caller. */
	struct qrt_cx own = lane_cx(cx);
	own.deadline_ns = QRT_NO_DEADLINE;
	qrt__event_wait_masked(&own, &db->idle);
	qrt__shield(&own);
	enum qrt_err err = db->writes ? qrt_blocking(&own, db->writes, close_all, db) : QRT_OK;
	if (err) { /* the lane had no memory for the job: better on the loop than never */
		QRT_IGNORE(close_all(NULL, db), "it cannot fail");
	}
	qrt__unshield(&own);
	qrt_lane_close(cx, &db->reads);
	qrt_lane_close(cx, &db->writes);
	destroy(&db);
}

/* Opens lanes and connections; what is open stays in @db also on failure. */
static enum qrt_err open_inside(struct qrt_cx *cx, struct qrt_db *db)
{
	if (db->n_readers && !db->readers) {
		return QRT_ENOMEM;
	}
	enum qrt_err err = qrt_lane_open(cx, "db-writer", 1, QUEUE_MAX, &db->writes);
	if (!err && db->n_readers) {
		err = qrt_lane_open(cx, "db-reader", db->n_readers, QUEUE_MAX, &db->reads);
	}
	return err ? err : qrt_blocking(cx, db->writes, open_all, db);
}

static void of_runtime(struct qrt_db *db, struct qrt_runtime *rt)
{
	db->target.disk = rt->driver->disk ? rt->driver->disk(rt) : NULL;
	db->writer.rt = rt;
	for (unsigned i = 0; db->readers && i < db->n_readers; i++) {
		db->readers[i].rt = rt;
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
	of_runtime(db, cx->task->rt);
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

/* --- jobs ----------------------------------------------------------------------------------- */

/* One call of read or write; on the caller's stack. */
struct flow {
	struct qrt_db *db;
	struct qrt__db_work work;
	bool ran;
};

/* There is one reader per thread of the lane, so one is free. */
static struct qrt_db_conn *take_reader(struct qrt_db *db)
{
	pthread_mutex_lock(&db->lock);
	QRT_ASSERT(db->n_free > 0);
	struct qrt_db_conn *conn = db->free_readers[--db->n_free];
	pthread_mutex_unlock(&db->lock);
	return conn;
}

static void give_reader(struct qrt_db *db, struct qrt_db_conn *conn)
{
	pthread_mutex_lock(&db->lock);
	QRT_ASSERT(db->n_free < db->n_readers);
	db->free_readers[db->n_free++] = conn;
	pthread_mutex_unlock(&db->lock);
}

static void count(struct qrt_db *db, bool write, enum qrt__db_fate fate)
{
	if (fate == QRT__DB_UNKNOWN) {
		atomic_fetch_add(&db->n_unknown, 1);
	} else if (fate == QRT__DB_DONE) {
		atomic_fetch_add(write ? &db->n_writes : &db->n_reads, 1);
	} else if (fate == QRT__DB_ROLLED_BACK && write) {
		atomic_fetch_add(&db->n_rollbacks, 1);
	}
}

static enum qrt_err run_flow(struct qrt_job *job, void *arg)
{
	struct flow *flow = arg;
	struct qrt_db *db = flow->db;
	flow->ran = true;
	bool on_reader = !flow->work.write && db->reads;
	struct qrt_db_conn *conn = on_reader ? take_reader(db) : &db->writer;
	enum qrt__db_fate fate;
	enum qrt_err err = qrt__db_conn_run(conn, job, &flow->work, &fate);
	if (fate == QRT__DB_UNKNOWN && QRT__MUTANT(COMMIT_RETRIED)) {
		err = qrt__db_conn_run(conn, job, &flow->work, &fate);
	}
	count(db, flow->work.write, fate);
	if (on_reader) {
		give_reader(db, conn);
	}
	return err;
}

static enum qrt_err submit(struct qrt_cx *cx, struct qrt_db *db, struct flow *flow)
{
	QRT__ANCHORED(cx);
	QRT_PRE(db->magic == DB_MAGIC);
	enum qrt_err err = qrt_cx_require(cx, QRT_CAP_DB);
	if (err) {
		return err;
	}
	if (db->closing) {
		return qrt_fail(cx, QRT_ECLOSED, "database is closed");
	}
	const char *kind = flow->work.write ? "write" : "read";
	struct qrt_duty transaction;
	err =
	    qrt_oblige_at(cx, QRT_DUTY_TRANSACTION, kind, NULL, NULL, cx->task->site, &transaction);
	if (err) {
		return err;
	}
	struct qrt_lane *lane = !flow->work.write && db->reads ? db->reads : db->writes;
	struct qrt_cx own = lane_cx(cx);
	db->inside++;
	qrt__event_clear(&db->idle);
	err =
	    qrt_blocking_within(&own, lane, qrt_deadline_in(cx, db->lane_wait_ns), run_flow, flow);
	QRT_IGNORE(qrt_settle(&transaction),
		   "it has been committed or rolled back, or never began");
	if (err == QRT_ELIMIT && !flow->ran) {
		err = qrt_fail(cx, QRT_EBUSY, "database busy: %u jobs before this %s", QUEUE_MAX,
			       kind);
	} else if (err == QRT_EBUSY && !flow->ran) {
		err = qrt_fail(cx, QRT_EBUSY, "database busy: no lane for this %s within %lld ms",
			       kind, (long long)(db->lane_wait_ns / QRT_MS));
	}
	db->inside--;
	if (db->inside == 0) {
		qrt__event_set(&db->idle);
	}
	return err;
}

enum qrt_err qrt_db_read(struct qrt_cx *cx, struct qrt_db *db, qrt_db_job_fn *job, void *arg)
{
	struct flow flow = {.db = db, .work = {.fn = job, .arg = arg}};
	return submit(cx, db, &flow);
}

enum qrt_err qrt_db_write(struct qrt_cx *cx, struct qrt_db *db, qrt_db_job_fn *job, void *arg)
{
	struct flow flow = {.db = db, .work = {.fn = job, .arg = arg, .write = true}};
	return submit(cx, db, &flow);
}

void qrt_db_stats(const struct qrt_db *db, struct qrt_db_stats *ret_stats)
{
	*ret_stats = (struct qrt_db_stats){
	    .reads = atomic_load(&db->n_reads),
	    .writes = atomic_load(&db->n_writes),
	    .rollbacks = atomic_load(&db->n_rollbacks),
	    .unknown = atomic_load(&db->n_unknown),
	    .queued = qrt_lane_depth(db->writes) + (db->reads ? qrt_lane_depth(db->reads) : 0),
	};
}
