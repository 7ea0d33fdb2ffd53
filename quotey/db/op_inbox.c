/* Taking in what Slack sends. Each envelope is audited, also one that is known. */
#include <stdlib.h>

#include "quotey/core/json_write.h"
#include "quotey/db/job.h"
#include "quotey/db/repo.h"
#include "quotey/db/sql.h"

struct receive_job {
	const struct qy_inbox_item *item;
	struct qy_inbox_receipt receipt;
	char first[QY_INBOX_ENVELOPE_SIZE]; /* the envelope that was stored: this one, or one before
					     */
	struct qy_stamp stamp;
};

static enum qy_code metadata_json(const struct qy_inbox_item *item, char **ret_json)
{
	struct qy_json json;

	qy_json_init(&json);
	qy_json_object_begin(&json);
	qy_json_key(&json, "dedupe_key");
	qy_json_string(&json, item->dedupe_key);
	qy_json_key(&json, "kind");
	qy_json_string(&json, item->kind);
	qy_json_object_end(&json);
	return qy_json_take(&json, ret_json);
}

static enum qrt_err audit(struct qrt_db_conn *conn, struct receive_job *job)
{
	bool duplicate = job->receipt.duplicate;
	struct qy_audit audit = {
	    .event_type = duplicate ? "slack.duplicate" : "slack.received",
	    .category = "ingress",
	    .outcome = duplicate ? "rejected" : "success",
	    .entity_type = "inbox",
	    .action = "receive",
	};
	char *metadata = NULL;
	enum qrt_err err =
	    qy_sql_code(conn, metadata_json(job->item, &metadata), "inbox", job->item->envelope_id);

	if (!err) {
		audit.entity_id = job->first;
		audit.metadata_json = metadata;
		err = qy_repo_audit_add(conn, &job->stamp, &audit);
	}
	free(metadata);
	return err;
}

static enum qrt_err run_receive(struct qrt_db_conn *conn, void *arg)
{
	struct receive_job *job = arg;
	enum qrt_err err;

	qy_stamp_rewind(&job->stamp);
	job->receipt = (struct qy_inbox_receipt){.duplicate = true};
	err = qy_repo_inbox_find(conn, job->item, &job->receipt.seq, job->first);
	if (err == QRT_ENOENT) {
		job->receipt.duplicate = false;
		err = qy_repo_inbox_add(conn, job->item, job->stamp.now);
		if (!err) {
			err = qy_repo_inbox_find(conn, job->item, &job->receipt.seq, job->first);
		}
	}
	return err ? err : audit(conn, job);
}

enum qrt_err qy_store_inbox_receive(struct qrt_cx *cx, struct qy_store *store,
				    const struct qy_inbox_item *item,
				    struct qy_inbox_receipt *ret_receipt)
{
	struct receive_job job = {.item = item};
	struct qy_origin origin;
	enum qrt_err err;

	qy_origin_set(&origin, "service:slack", item->envelope_id);
	err = qy_stamp_draw(cx, &origin, &job.stamp);
	if (!err) {
		err = qy_job_write(cx, store, run_receive, &job, NULL);
	}
	if (!err) {
		*ret_receipt = job.receipt;
	}
	return err;
}

struct acked_job {
	uint64_t seq;
	struct qy_stamp stamp;
};

static enum qrt_err run_acked(struct qrt_db_conn *conn, void *arg)
{
	const struct acked_job *job = arg;

	return qy_repo_inbox_acked(conn, job->seq, job->stamp.now);
}

enum qrt_err qy_store_inbox_acked(struct qrt_cx *cx, struct qy_store *store, uint64_t seq)
{
	struct acked_job job = {.seq = seq};
	enum qrt_err err = qy_stamp_draw(cx, NULL, &job.stamp);

	return err ? err : qy_job_write(cx, store, run_acked, &job, NULL);
}
