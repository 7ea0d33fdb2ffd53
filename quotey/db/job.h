/*
 * How operations run their jobs: the rule that turns a rolled-back "no" of the domain into success
 * with a fault.
 */
#ifndef QY_DB_JOB_H
#define QY_DB_JOB_H

#include "quotey/db/store.h"

/*
 * As the calls of qrt/db.h, but a job that filled @fault and returned ESTATE has answered: its
 * transaction is rolled back and the result is QRT_OK. A job may run more than once, so it starts
 * by forgetting what an earlier run left.
 */
enum qrt_err qy_job_read(struct qrt_cx *cx, struct qy_store *store, qrt_db_job_fn *job, void *arg,
			 const struct qy_fault *fault) QRT_MUST_USE;
/* For what looks up some rows by their keys. */
enum qrt_err qy_job_read_short(struct qrt_cx *cx, struct qy_store *store, qrt_db_job_fn *job,
			       void *arg, const struct qy_fault *fault) QRT_MUST_USE;
enum qrt_err qy_job_write(struct qrt_cx *cx, struct qy_store *store, qrt_db_job_fn *job, void *arg,
			  const struct qy_fault *fault) QRT_MUST_USE;
/* For what takes long: nobody else waits for its commit. */
enum qrt_err qy_job_write_alone(struct qrt_cx *cx, struct qy_store *store, qrt_db_job_fn *job,
				void *arg, const struct qy_fault *fault) QRT_MUST_USE;

#endif
