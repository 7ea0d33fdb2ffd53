/*
 * Checkpoints: when the log is folded into the file, and by whom. They are
 * nobody's job: no caller waits for one to end, and one that fails is counted
 * and tried again later.
 *
 * A connection with a lane of its own makes them, while writers commit and
 * readers read. But the log starts anew only when a writer begins and finds
 * all of it moved, and with commits during each checkpoint there is always
 * something left. So one that has missed a commit is tried again, when no
 * writer is there, and is short: what was moved before is lasting already.
 * When that does not help, and the log is PRESSING times what is worth a
 * checkpoint, the writer's lane makes one between two jobs. That is short
 * too, right after one of the other kind.
 *
 * The loop decides, each time a writer has been told and a checkpoint has
 * ended; each is an errand of its lane, and there is one at a time.
 */
#include "shim/src/db/internal.h"

#define PRESSING 4u
/* So long it need not be little that is left for it. */
#define HOPELESS (2 * PRESSING)
#define TRIES 2u
/* A part of what is worth a checkpoint that the writer may move without being noticed. */
#define FEW(worth) ((worth) / 2u)

/* --- what is known of the log --------------------------------------------------------------- */

static struct qrt__db_log_size size_of(struct qrt_db *db)
{
	pthread_mutex_lock(&db->log.lock);
	struct qrt__db_log_size size = db->log.size;
	pthread_mutex_unlock(&db->log.lock);
	return size;
}

/* What is left is not tried over and over. */
static unsigned to_move(const struct qrt__db_log_size *size)
{
	return size->pages - size->moved - size->kept;
}

/* So many times what is worth a checkpoint the log has become since the writer tried last. */
static unsigned times_worth(const struct qrt_db *db, const struct qrt__db_log_size *size)
{
	return (size->pages - size->tried) / db->log.worth;
}

void qrt__db_log_grew(struct qrt_db *db)
{
	unsigned pages = db->writer.engine->log_pages(db->writer.native);
	struct qrt__db_log_size *size = &db->log.size;
	pthread_mutex_lock(&db->log.lock);
	if (pages < size->pages) { /* it has begun anew: all of the old one was moved */
		*size = (struct qrt__db_log_size){.starts = size->starts + 1};
	}
	size->pages = pages;
	atomic_store(&db->log.unmoved, size->pages - size->moved);
	pthread_mutex_unlock(&db->log.lock);
}

/* A checkpoint has ended that began when the log had started so often. Whether nothing is left. */
static bool note(struct qrt_db *db, uint64_t starts, enum qrt_err err,
		 const struct qrt__db_fold *fold)
{
	struct qrt__db_log_size *size = &db->log.size;
	pthread_mutex_lock(&db->log.lock);
	bool same = size->starts == starts;
	if (same && !err) {
		unsigned seen = fold->pages < size->pages ? fold->pages : size->pages;
		size->moved = fold->moved < seen ? fold->moved : seen;
		size->kept = seen - size->moved;
	} else if (same) {
		size->kept = size->pages - size->moved;
	}
	bool all = !same || size->moved == size->pages;
	atomic_store(&db->log.unmoved, size->pages - size->moved);
	pthread_mutex_unlock(&db->log.lock);
	return all;
}

static void keep_longest(struct qrt__db_log *log, int64_t ns)
{
	uint64_t longest = atomic_load(&log->longest_ns);
	while ((uint64_t)ns > longest &&
	       !atomic_compare_exchange_weak(&log->longest_ns, &longest, (uint64_t)ns)) {
	}
}

/* One checkpoint by @conn. Whether nothing is left. */
static bool fold(struct qrt_db *db, struct qrt_db_conn *conn, struct qrt_job *job)
{
	struct qrt__db_log *log = &db->log;
	struct qrt__db_fold fold = {0};
	uint64_t starts = size_of(db).starts;
	int64_t since_ns = qrt__db_clock_ns(conn);
	enum qrt_err err = conn->engine->checkpoint(conn->native, false, &fold);
	if (qrt_job_checkpoint(job)) {
		return false; /* the database is being closed, which moves the rest */
	}
	bool all = note(db, starts, err, &fold);
	if (!err && !all) {
		err = conn->engine->settle(conn->native);
	}
	keep_longest(log, qrt__db_clock_ns(conn) - since_ns);
	if (err != QRT_EBUSY) { /* another process is at it */
		atomic_fetch_add(err ? &log->n_failed : &log->n_folds, 1);
	}
	return all;
}

/* --- by whom -------------------------------------------------------------------------------- */

static enum qrt_err fold_beside(struct qrt_job *job, void *arg)
{
	struct qrt_db *db = arg;
	qrt_job_on_interrupt(job, qrt__db_conn_interrupt, &db->folder);
	if (!qrt_job_checkpoint(job)) {
		db->log.missed = !fold(db, &db->folder, job);
	}
	return QRT_OK;
}

/* Nobody commits meanwhile. */
static enum qrt_err fold_between(struct qrt_job *job, void *arg)
{
	struct qrt_db *db = arg;
	struct qrt__db_log *log = &db->log;
	if (!db->writer.native || qrt_job_checkpoint(job)) {
		return QRT_OK; /* it is being closed */
	}
	log->missed = !fold(db, &db->writer, job);
	atomic_fetch_add(&log->n_pressing, 1);
	/* Either it starts anew, or a reader is in the way, and will be for a while. */
	pthread_mutex_lock(&log->lock);
	log->size.tried = log->size.pages;
	pthread_mutex_unlock(&log->lock);
	return QRT_OK;
}

static void fold_over(void *arg)
{
	struct qrt_db *db = arg;
	db->log.at_work = false;
	qrt__db_log_look(db);
}

static void begin(struct qrt_db *db, struct qrt_lane *lane, qrt_job_fn *fn)
{
	db->log.at_work = true;
	if (qrt__lane_errand(lane, fn, fold_over, db)) {
		db->log.at_work = false; /* no memory: after the next write */
	}
}

/* Whether it may soon be the writer's turn, and readers leave it something to do. */
static bool may_press(const struct qrt_db *db, const struct qrt__db_log_size *size)
{
	return times_worth(db, size) >= PRESSING && !size->kept;
}

/* It is: little is left for it, or that does not count any more. */
static bool is_pressing(const struct qrt_db *db, const struct qrt__db_log_size *size)
{
	bool now = may_press(db, size) && to_move(size) <= FEW(db->log.worth);
	return size->pages > size->moved && (now || times_worth(db, size) >= HOPELESS);
}

static bool is_due(const struct qrt_db *db, const struct qrt__db_log_size *size)
{
	unsigned pages = to_move(size);
	return pages >= db->log.worth || (may_press(db, size) && pages > FEW(db->log.worth));
}

/* Once more: readers leave nothing, and no writer is there just now. */
static bool again(struct qrt_db *db, const struct qrt__db_log_size *size)
{
	struct qrt__db_log *log = &db->log;
	if (!log->missed || !log->tries || size->kept || qrt_lane_depth(db->writes) > 0) {
		return false;
	}
	log->tries--;
	return true;
}

void qrt__db_log_look(struct qrt_db *db)
{
	struct qrt__db_log *log = &db->log;
	if (!db->folds || db->closing || log->at_work) {
		return;
	}
	struct qrt__db_log_size size = size_of(db);
	if (is_pressing(db, &size)) {
		begin(db, db->writes, fold_between);
	} else if (is_due(db, &size)) {
		log->tries = TRIES;
		begin(db, db->folds, fold_beside);
	} else if (again(db, &size)) {
		begin(db, db->folds, fold_beside);
	}
}
