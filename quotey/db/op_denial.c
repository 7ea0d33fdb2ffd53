/* Audits refusals: one row each, with what is known of who was refused. */
#include <stdlib.h>

#include "quotey/core/json_write.h"
#include "quotey/db/job.h"
#include "quotey/db/repo.h"
#include "quotey/db/sql.h"

struct denial_job {
	const struct qy_denial *denial;
	struct qy_stamp stamp;
};

static enum qy_code metadata_json(const struct qy_denial *denial, char **ret_json)
{
	struct qy_json json;

	qy_json_init(&json);
	qy_json_object_begin(&json);
	qy_json_key(&json, "client");
	qy_json_string(&json, denial->client);
	qy_json_key(&json, "code");
	qy_json_string(&json, denial->code);
	qy_json_key(&json, "method");
	qy_json_string(&json, denial->method);
	qy_json_key(&json, "route");
	qy_json_string(&json, denial->route);
	qy_json_key(&json, "unaudited");
	qy_json_integer(&json, (int64_t)denial->unaudited);
	qy_json_object_end(&json);
	return qy_json_take(&json, ret_json);
}

static enum qrt_err run_denial(struct qrt_db_conn *conn, void *arg)
{
	struct denial_job *job = arg;
	const struct qy_denial *denial = job->denial;
	bool has_key = denial->key_id[0] != '\0';
	struct qy_audit audit = {
	    .event_type = "auth.denied",
	    .category = "ingress",
	    .outcome = "rejected",
	    .entity_type = has_key ? "api_key" : NULL,
	    .entity_id = has_key ? denial->key_id : NULL,
	    .action = "deny",
	};
	char *metadata = NULL;
	enum qrt_err err;

	qy_stamp_rewind(&job->stamp);
	err = qy_sql_code(conn, metadata_json(denial, &metadata), "audit_event", "auth.denied");
	if (!err) {
		audit.metadata_json = metadata;
		err = qy_repo_audit_add(conn, &job->stamp, &audit);
	}
	free(metadata);
	return err;
}

enum qrt_err qy_store_denial_append(struct qrt_cx *cx, struct qy_store *store,
				    const struct qy_origin *origin, const struct qy_denial *denial)
{
	struct denial_job job = {.denial = denial};
	enum qrt_err err = qy_stamp_draw(cx, origin, &job.stamp);

	return err ? err : qy_job_write(cx, store, run_denial, &job, NULL);
}
