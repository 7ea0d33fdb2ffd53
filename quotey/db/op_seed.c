/* Loading, checking and removing the seed data; each is one job, everything or nothing. */
#include <string.h>

#include "quotey/core/seed.h"
#include "quotey/db/job.h"
#include "quotey/db/seed_check.h"
#include "quotey/db/seed_rows.h"
#include "quotey/db/sql.h"

struct seed_job {
	struct qy_stamp stamp;
	struct qy_seed_report report;
};

static enum qrt_err changes_so_far(struct qrt_db_conn *conn, int64_t *ret_changes)
{
	return qy_sql_number(conn, "SELECT total_changes()", QY_NO_ARGS, ret_changes);
}

static enum qrt_err run_load(struct qrt_db_conn *conn, void *arg)
{
	struct seed_job *job = arg;
	int64_t before = 0;
	int64_t after = 0;
	enum qrt_err err = changes_so_far(conn, &before);

	qy_stamp_rewind(&job->stamp);
	if (!err) {
		err = qy_seed_rows_catalogue(conn, job->stamp.now);
	}
	if (!err) {
		err = qy_seed_rows_quotes(conn, &job->stamp);
	}
	if (!err) {
		err = changes_so_far(conn, &after);
	}
	job->report.rows_changed = (uint64_t)(after - before);
	return err ? err : qy_seed_check_run(conn, &job->report);
}

static enum qrt_err run_check(struct qrt_db_conn *conn, void *arg)
{
	struct seed_job *job = arg;

	return qy_seed_check_run(conn, &job->report);
}

static enum qrt_err remove_quotes(struct qrt_db_conn *conn)
{
	enum qrt_err err = QRT_OK;

	for (size_t i = 0; i < qy_seed_quote_count && !err; i++) {
		const char *id = qy_seed_quotes[i].id;

		err = qy_sql_run(conn, "DELETE FROM audit_event WHERE quote_id = ?1",
				 QY_ARGS(QY_T(id)));
		if (!err) {
			err =
			    qy_sql_run(conn, "DELETE FROM quote WHERE id = ?1", QY_ARGS(QY_T(id)));
		}
	}
	return err;
}

static enum qrt_err remove_products(struct qrt_db_conn *conn)
{
	enum qrt_err err = QRT_OK;

	for (size_t i = 0; i < qy_seed_product_count && !err; i++) {
		err = qy_sql_run(conn,
				 "DELETE FROM product WHERE id = ?1"
				 " AND NOT EXISTS (SELECT 1 FROM quote_line WHERE product_id = ?1)"
				 " AND NOT EXISTS (SELECT 1 FROM bundle_member"
				 "  WHERE member_id = ?1)"
				 " AND NOT EXISTS (SELECT 1 FROM constraint_rule"
				 "  WHERE other_product_id = ?1 AND product_id <> ?1)",
				 QY_ARGS(QY_T(qy_seed_products[i].id)));
	}
	return err;
}

static enum qrt_err remove_reps(struct qrt_db_conn *conn)
{
	enum qrt_err err = QRT_OK;

	for (size_t i = 0; i < qy_seed_rep_count && !err; i++) {
		err = qy_sql_run(conn,
				 "DELETE FROM sales_rep WHERE id = ?1"
				 " AND NOT EXISTS (SELECT 1 FROM quote WHERE sales_rep_id = ?1)"
				 " AND NOT EXISTS (SELECT 1 FROM api_key WHERE rep_id = ?1)"
				 " AND NOT EXISTS (SELECT 1 FROM approval_request"
				 "  WHERE assigned_to = ?1 OR requested_by_rep_id = ?1)"
				 " AND NOT EXISTS (SELECT 1 FROM sales_rep WHERE reports_to = ?1)",
				 QY_ARGS(QY_T(qy_seed_reps[i].id)));
	}
	return err;
}

/* A row that another one used may be free once that one is gone: again, until nothing changes. */
static enum qrt_err remove_unused(struct qrt_db_conn *conn,
				  enum qrt_err (*remove)(struct qrt_db_conn *))
{
	int64_t before = -1;
	int64_t after = 0;
	enum qrt_err err = changes_so_far(conn, &after);

	while (!err && after != before) {
		before = after;
		err = remove(conn);
		if (!err) {
			err = changes_so_far(conn, &after);
		}
	}
	return err;
}

static enum qrt_err run_clean(struct qrt_db_conn *conn, void *arg)
{
	struct seed_job *job = arg;
	int64_t before = 0;
	int64_t after = 0;
	enum qrt_err err = changes_so_far(conn, &before);

	if (!err) {
		err = remove_quotes(conn);
	}
	if (!err) {
		err = remove_unused(conn, remove_products);
	}
	if (!err) {
		err = remove_unused(conn, remove_reps);
	}
	if (!err) {
		err = changes_so_far(conn, &after);
	}
	job->report.rows_changed = (uint64_t)(after - before);
	return err;
}

enum qrt_err qy_store_seed_load(struct qrt_cx *cx, struct qy_store *store,
				struct qy_seed_report *ret_report)
{
	struct seed_job job;
	struct qy_origin origin;
	enum qrt_err err;

	memset(&job, 0, sizeof(job));
	qy_origin_set(&origin, "system:seed", NULL);
	err = qy_stamp_draw(cx, &origin, &job.stamp);
	if (!err) {
		err = qy_job_write_alone(cx, store, run_load, &job, NULL);
	}
	if (!err) {
		*ret_report = job.report;
	}
	return err;
}

enum qrt_err qy_store_seed_check(struct qrt_cx *cx, struct qy_store *store,
				 struct qy_seed_report *ret_report)
{
	struct seed_job job;
	enum qrt_err err;

	memset(&job, 0, sizeof(job));
	err = qy_job_read(cx, store, run_check, &job, NULL);
	if (!err) {
		*ret_report = job.report;
	}
	return err;
}

enum qrt_err qy_store_seed_clean(struct qrt_cx *cx, struct qy_store *store,
				 struct qy_seed_report *ret_report)
{
	struct seed_job job;
	enum qrt_err err;

	memset(&job, 0, sizeof(job));
	err = qy_job_write_alone(cx, store, run_clean, &job, NULL);
	if (!err) {
		*ret_report = job.report;
	}
	return err;
}
