/* Runs jobs for the operations. */
#include "quotey/db/job.h"

#include <qrt/sometimes.h>

/* Keeps what the job itself returned: the database has its own reasons for ESTATE. */
struct observed {
	qrt_db_job_fn *job;
	void *arg;
	enum qrt_err returned;
};

static enum qrt_err run_observed(struct qrt_db_conn *conn, void *arg)
{
	struct observed *observed = arg;

	observed->returned = observed->job(conn, observed->arg);
	return observed->returned;
}

/* The job rolled back on purpose and says why. */
static bool is_answer(enum qrt_err err, const struct observed *observed,
		      const struct qy_fault *fault)
{
	return err == QRT_ESTATE && observed->returned == QRT_ESTATE && fault &&
	       fault->kind != QY_FAULT_NONE;
}

static void mark(enum qrt_err err)
{
	switch (err) {
	case QRT_ECANCELED:
		QRT_SOMETIMES("a write was cancelled before it was committed");
		return;
	case QRT_ETIMEDOUT:
		QRT_SOMETIMES("a write was too late to be committed");
		return;
	case QRT_ECOMMITUNKNOWN:
		QRT_SOMETIMES("nobody knows whether a write was committed");
		return;
	case QRT_EIO:
	case QRT_ENOSPC:
		QRT_SOMETIMES("the disk has failed a write");
		return;
	case QRT_EBUSY:
		QRT_SOMETIMES("a write found the database busy");
		return;
	default:
		return;
	}
}

typedef enum qrt_err call_fn(struct qrt_cx *cx, struct qrt_db *db, qrt_db_job_fn *job, void *arg);

static enum qrt_err run(struct qrt_cx *cx, call_fn *call, const struct qy_store *store,
			struct observed *observed, const struct qy_fault *fault)
{
	enum qrt_err err = call(cx, store->db, run_observed, observed);

	if (call == qrt_db_write || call == qrt_db_write_alone) {
		mark(err);
	}
	return is_answer(err, observed, fault) ? QRT_OK : err;
}

enum qrt_err qy_job_read(struct qrt_cx *cx, struct qy_store *store, qrt_db_job_fn *job, void *arg,
			 const struct qy_fault *fault)
{
	struct observed observed = {.job = job, .arg = arg};

	return run(cx, qrt_db_read, store, &observed, fault);
}

enum qrt_err qy_job_read_short(struct qrt_cx *cx, struct qy_store *store, qrt_db_job_fn *job,
			       void *arg, const struct qy_fault *fault)
{
	struct observed observed = {.job = job, .arg = arg};

	return run(cx, qrt_db_read_short, store, &observed, fault);
}

enum qrt_err qy_job_write(struct qrt_cx *cx, struct qy_store *store, qrt_db_job_fn *job, void *arg,
			  const struct qy_fault *fault)
{
	struct observed observed = {.job = job, .arg = arg};

	return run(cx, qrt_db_write, store, &observed, fault);
}

enum qrt_err qy_job_write_alone(struct qrt_cx *cx, struct qy_store *store, qrt_db_job_fn *job,
				void *arg, const struct qy_fault *fault)
{
	struct observed observed = {.job = job, .arg = arg};

	return run(cx, qrt_db_write_alone, store, &observed, fault);
}
