/* Lists and revokes API keys, for the command line. */
#include <stdlib.h>
#include <string.h>

#include "quotey/core/text.h"
#include "quotey/db/job.h"
#include "quotey/db/repo.h"
#include "quotey/db/sql.h"

/* --- list ---------------------------------------------------------------------------------- */

struct list_job {
	struct qy_apikey *keys; /* room for QY_APIKEY_LIST_MAX */
	size_t count;
};

static enum qrt_err load_ids(struct qrt_db_conn *conn, struct list_job *job)
{
	struct qrt_db_stmt *stmt = NULL;
	bool row = false;
	enum qrt_err err =
	    qy_sql_open(conn, "SELECT id FROM api_key ORDER BY created_at DESC, id LIMIT ?1",
			QY_ARGS(QY_N(QY_APIKEY_LIST_MAX)), &stmt);

	job->count = 0;
	while (!err && !(err = qrt_db_step(stmt, &row)) && row) {
		qy_sql_copy(stmt, 0, job->keys[job->count].id, QY_APIKEY_ID_SIZE);
		job->count++;
	}
	qrt_db_finish(&stmt);
	return err;
}

static enum qrt_err run_list(struct qrt_db_conn *conn, void *arg)
{
	struct list_job *job = arg;
	enum qrt_err err = load_ids(conn, job);

	for (size_t i = 0; i < job->count && !err; i++) {
		char id[QY_APIKEY_ID_SIZE];

		memcpy(id, job->keys[i].id, sizeof(id));
		err = qy_repo_apikey_load(conn, id, &job->keys[i]);
		explicit_bzero(job->keys[i].secret_hash, sizeof(job->keys[i].secret_hash));
	}
	return err;
}

enum qrt_err qy_store_apikey_list(struct qrt_cx *cx, struct qy_store *store,
				  struct qy_apikey **ret_keys, size_t *ret_count)
{
	struct list_job job = {.keys = calloc(QY_APIKEY_LIST_MAX, sizeof(*job.keys))};
	enum qrt_err err;

	if (job.keys == NULL) {
		return qrt_fail(cx, QRT_ENOMEM, "API keys");
	}
	err = qy_job_read(cx, store, run_list, &job, NULL);
	if (err) {
		free(job.keys);
		return err;
	}
	*ret_keys = job.keys;
	*ret_count = job.count;
	return QRT_OK;
}

/* --- revoke -------------------------------------------------------------------------------- */

struct revoke_job {
	char id[QY_APIKEY_ID_SIZE];
	char now[QY_TIMESTAMP_SIZE];
	struct qy_fault fault;
};

static enum qrt_err run_revoke(struct qrt_db_conn *conn, void *arg)
{
	struct revoke_job *job = arg;
	bool exists = false;
	enum qrt_err err = qy_sql_exists(conn, "SELECT 1 FROM api_key WHERE id = ?1",
					 QY_ARGS(QY_T(job->id)), &exists);

	qy_fault_init(&job->fault);
	if (err) {
		return err;
	}
	if (!exists) {
		return qy_fault_not_found(&job->fault, "API key", job->id);
	}
	return qy_sql_run(conn,
			  "UPDATE api_key SET revoked_at = ?2 WHERE id = ?1 AND revoked_at IS NULL",
			  QY_ARGS(QY_T(job->id), QY_T(job->now)));
}

enum qrt_err qy_store_apikey_revoke(struct qrt_cx *cx, struct qy_store *store, const char *id,
				    struct qy_fault *ret_fault)
{
	struct revoke_job job;
	struct qy_stamp stamp;
	enum qrt_err err = qy_stamp_draw(cx, NULL, &stamp);

	if (err) {
		return err;
	}
	memset(&job, 0, sizeof(job));
	qy_text_cut(job.id, sizeof(job.id), id);
	qy_text_cut(job.now, sizeof(job.now), stamp.now);
	err = qy_job_write(cx, store, run_revoke, &job, &job.fault);
	if (!err) {
		*ret_fault = job.fault;
	}
	return err;
}
