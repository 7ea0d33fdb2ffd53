/* Reads from the journal which backend a component was last moved to on purpose. */
#include "quotey/db/assigned.h"

#include <string.h>

#include "quotey/db/job.h"
#include "quotey/db/sql.h"

struct assigned_job {
	const char *component;
	struct qy_assigned assigned;
};

static enum qrt_err run_assigned(struct qrt_db_conn *conn, void *arg)
{
	struct assigned_job *job = arg;
	struct qy_assigned *assigned = &job->assigned;
	QRT_AUTO_STMT row = NULL;
	enum qrt_err err;

	memset(assigned, 0, sizeof(*assigned));
	err = qy_sql_open(conn,
			  "SELECT to_backend, actor, at FROM runtime_switch"
			  " WHERE component = ?1 AND outcome = 'moved' AND actor <> ?2"
			  " ORDER BY seq DESC LIMIT 1",
			  QY_ARGS(QY_T(job->component), QY_T(QY_ACTOR_START)), &row);
	if (!err) {
		err = qrt_db_step(row, &assigned->found);
	}
	if (!err && assigned->found) {
		qy_sql_copy(row, 0, assigned->backend, sizeof(assigned->backend));
		qy_sql_copy(row, 1, assigned->actor, sizeof(assigned->actor));
		qy_sql_copy(row, 2, assigned->at, sizeof(assigned->at));
	}
	return err;
}

enum qrt_err qy_store_assigned(struct qrt_cx *cx, struct qy_store *store, const char *component,
			       struct qy_assigned *ret_assigned)
{
	struct assigned_job job = {.component = component};
	enum qrt_err err = qy_job_read(cx, store, run_assigned, &job, NULL);

	if (!err) {
		*ret_assigned = job.assigned;
	}
	return err;
}
