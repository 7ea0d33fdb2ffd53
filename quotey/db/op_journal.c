/* Writing and reading the journal of moves; each entry is audited too. */
#include <stdlib.h>
#include <string.h>

#include "quotey/core/json_write.h"
#include "quotey/db/job.h"
#include "quotey/db/repo.h"
#include "quotey/db/sql.h"

struct append_job {
	const struct qy_journal_entry *entry;
	struct qy_stamp stamp;
};

static enum qy_code entry_json(const struct qy_journal_entry *entry, char **ret_json)
{
	struct qy_json json;

	qy_json_init(&json);
	qy_json_object_begin(&json);
	qy_json_key(&json, "component");
	qy_json_string(&json, entry->component);
	qy_json_key(&json, "from");
	qy_json_string(&json, entry->from_backend);
	qy_json_key(&json, "outcome");
	qy_json_string(&json, entry->outcome);
	qy_json_key(&json, "percent");
	qy_json_integer(&json, entry->percent);
	qy_json_key(&json, "reason");
	qy_json_string(&json, entry->reason);
	qy_json_key(&json, "to");
	qy_json_string(&json, entry->to_backend);
	qy_json_object_end(&json);
	return qy_json_take(&json, ret_json);
}

static enum qrt_err run_append(struct qrt_db_conn *conn, void *arg)
{
	struct append_job *job = arg;
	bool moved = strcmp(job->entry->outcome, "moved") == 0;
	struct qy_audit audit = {
	    .event_type = "runtime.switch",
	    .category = "system",
	    .outcome = moved ? "success" : "failed",
	    .entity_type = "component",
	    .entity_id = job->entry->component,
	    .action = "switch",
	};
	char *metadata = NULL;
	enum qrt_err err;

	qy_stamp_rewind(&job->stamp);
	err = qy_repo_journal_add(conn, job->entry, job->stamp.now);

	if (!err) {
		err = qy_sql_code(conn, entry_json(job->entry, &metadata), "runtime_switch",
				  job->entry->component);
	}
	if (!err) {
		audit.metadata_json = metadata;
		err = qy_repo_audit_add(conn, &job->stamp, &audit);
	}
	free(metadata);
	return err;
}

enum qrt_err qy_store_journal_append(struct qrt_cx *cx, struct qy_store *store,
				     const struct qy_journal_entry *entry)
{
	struct append_job job = {.entry = entry};
	struct qy_origin origin;
	enum qrt_err err;

	qy_origin_set(&origin, entry->actor, NULL);
	err = qy_stamp_draw(cx, &origin, &job.stamp);
	return err ? err : qy_job_write(cx, store, run_append, &job, NULL);
}

struct list_job {
	unsigned limit;
	struct qy_journal journal;
};

static enum qrt_err run_list(struct qrt_db_conn *conn, void *arg)
{
	struct list_job *job = arg;

	qy_journal_fini(&job->journal);
	return qy_repo_journal_load(conn, job->limit, &job->journal);
}

enum qrt_err qy_store_journal_list(struct qrt_cx *cx, struct qy_store *store, unsigned limit,
				   struct qy_journal *ret_journal)
{
	struct list_job job = {.limit = limit};
	enum qrt_err err;

	if (limit < 1 || limit > QY_LIST_MAX) {
		return qrt_fail(cx, QRT_EINVAL, "limit %u is outside 1..%d", limit, QY_LIST_MAX);
	}
	err = qy_job_read(cx, store, run_list, &job, NULL);
	if (err) {
		qy_journal_fini(&job.journal);
		return err;
	}
	*ret_journal = job.journal;
	return QRT_OK;
}
