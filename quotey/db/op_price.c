/*
 * The operation `price`, and its harmless sister `preview`. Each is one job: what it decides and
 * what it writes belong to one state of the database.
 */
#include <qrt/sometimes.h>
#include <stdlib.h>
#include <string.h>

#include "quotey/core/json_write.h"
#include "quotey/core/text.h"
#include "quotey/db/job.h"
#include "quotey/db/repo.h"
#include "quotey/db/sql.h"

static const char collected[] = "RequiredFieldsCollected";
static const char calculated[] = "PricingCalculated";

struct price_job {
	const struct qy_price_request *request;
	struct qy_stamp stamp;
	struct qy_price_result result;
};

static void result_init(struct qy_price_result *result)
{
	memset(result, 0, sizeof(*result));
	qy_fault_init(&result->fault);
	qy_quote_init(&result->quote);
}

void qy_price_result_fini(struct qy_price_result *result)
{
	if (result) {
		qy_quote_fini(&result->quote);
		qy_pricing_fini(&result->pricing);
		qy_violations_fini(&result->violations);
		result_init(result);
	}
}

static enum qrt_err load_quote(struct qrt_db_conn *conn, const char *id,
			       struct qy_price_result *result)
{
	enum qrt_err err = qy_repo_quote_load(conn, id, &result->quote);

	if (err == QRT_ENOENT) {
		return qy_fault_not_found(&result->fault, "quote", id);
	}
	if (!err) {
		qy_quote_missing_fields(&result->quote, &result->missing);
	}
	return err;
}

/* Constraints, and, when none is violated, the price. */
static enum qrt_err evaluate(struct qrt_db_conn *conn, struct qy_price_result *result, bool price)
{
	struct qy_catalog catalog;
	unsigned position = 0;
	enum qy_code code;
	enum qrt_err err = qy_repo_catalog_for(conn, &result->quote, &catalog);

	if (err) {
		return err;
	}
	code = qy_check(&result->quote, &catalog, &result->violations);
	if (code == QY_OK && result->violations.count == 0 && price) {
		code = qy_price(&result->quote, &catalog, &result->pricing, &position);
		result->has_pricing = code == QY_OK;
	}
	qy_catalog_fini(&catalog);
	return code == QY_OK ? QRT_OK : qy_fault_invalid(&result->fault, code, "", position, NULL);
}

/* One row per event: what it moved, or why it was refused. Keys are sorted. */
static enum qrt_err audit_event(struct qrt_db_conn *conn, struct price_job *job, const char *event,
				const char *from, const char *to)
{
	const char *quote_id = job->result.quote.id;
	struct qy_audit audit = {
	    .quote_id = quote_id,
	    .event_type = to ? "flow.transition_applied" : "flow.transition_rejected",
	    .category = "flow",
	    .outcome = to ? "success" : "rejected",
	    .entity_type = "quote",
	    .entity_id = quote_id,
	    .action = event,
	};
	struct qy_json json;
	char *metadata = NULL;
	enum qrt_err err;

	qy_json_init(&json);
	qy_json_object_begin(&json);
	if (!to) {
		qy_json_key(&json, "error");
		qy_json_string(&json, job->result.fault.text);
	}
	qy_json_key(&json, "event");
	qy_json_string(&json, event);
	if (to) {
		qy_json_key(&json, "from");
		qy_json_string(&json, from);
		qy_json_key(&json, "to");
		qy_json_string(&json, to);
	}
	qy_json_object_end(&json);
	err = qy_sql_code(conn, qy_json_take(&json, &metadata), "audit_event", event);
	if (!err) {
		audit.metadata_json = metadata;
		err = qy_repo_audit_add(conn, &job->stamp, &audit);
	}
	free(metadata);
	return err;
}

static enum qrt_err audit_evaluated(struct qrt_db_conn *conn, struct price_job *job)
{
	const struct qy_price_result *result = &job->result;
	struct qy_audit audit = {
	    .quote_id = result->quote.id,
	    .event_type = "cpq.evaluated",
	    .category = "pricing",
	    .outcome = "success",
	    .entity_type = "pricing_snapshot",
	    .entity_id = result->snapshot_id,
	    .action = "price",
	};
	struct qy_json json;
	char *metadata = NULL;
	enum qrt_err err;

	qy_json_init(&json);
	qy_json_object_begin(&json);
	qy_json_key(&json, "currency");
	qy_json_string(&json, result->pricing.currency);
	qy_json_key(&json, "discount_minor");
	qy_json_integer(&json, result->pricing.discount_minor);
	qy_json_key(&json, "subtotal_minor");
	qy_json_integer(&json, result->pricing.subtotal_minor);
	qy_json_key(&json, "total_minor");
	qy_json_integer(&json, result->pricing.total_minor);
	qy_json_key(&json, "version");
	qy_json_integer(&json, result->quote.version);
	qy_json_object_end(&json);
	err = qy_sql_code(conn, qy_json_take(&json, &metadata), "audit_event", "cpq.evaluated");
	if (!err) {
		audit.metadata_json = metadata;
		err = qy_repo_audit_add(conn, &job->stamp, &audit);
	}
	free(metadata);
	return err;
}

/* Some fields are missing: the event is applied, the status stays, nothing is priced. */
static enum qrt_err prompt_for_missing(struct qrt_db_conn *conn, struct price_job *job)
{
	const char *status = qy_status_name(job->result.quote.status);
	enum qrt_err err = qy_repo_flow_save(conn, &job->result.quote, job->stamp.now);

	return err ? err : audit_event(conn, job, collected, status, status);
}

/* Takes the refreshed prices and the new status into the quote. */
static enum qy_code apply_pricing(struct qy_price_result *result, const char *now)
{
	struct qy_quote *quote = &result->quote;

	QRT_PRE(result->pricing.line_count == quote->line_count);
	for (size_t i = 0; i < quote->line_count; i++) {
		quote->lines[i].unit_price_minor = result->pricing.lines[i].unit_price_minor;
		quote->lines[i].price_source = result->pricing.lines[i].price_source;
	}
	quote->status = QY_STATUS_PRICED;
	quote->state_version++;
	return qy_quote_set(quote, QY_FIELD_UPDATED_AT, now);
}

static enum qrt_err write_priced(struct qrt_db_conn *conn, struct price_job *job)
{
	struct qy_price_result *result = &job->result;
	const char *from = qy_status_name(result->quote.status);
	const char *between = qy_status_name(QY_STATUS_VALIDATED);
	struct qy_snapshot snapshot = {
	    .id = result->snapshot_id,
	    .quote = &result->quote,
	    .pricing = &result->pricing,
	    .priced_at = job->stamp.now,
	    .priced_by = job->stamp.origin.actor,
	};
	enum qrt_err err;

	qy_stamp_id(&job->stamp, QY_ID_SNAPSHOT, result->snapshot_id);
	err = qy_sql_code(conn, apply_pricing(result, job->stamp.now), "quote", result->quote.id);
	if (!err) {
		err = qy_repo_quote_update_priced(conn, &result->quote);
	}
	if (!err) {
		err = qy_repo_flow_save(conn, &result->quote, job->stamp.now);
	}
	if (!err) {
		err = qy_repo_snapshot_save(conn, &snapshot);
	}
	if (!err) {
		err = audit_event(conn, job, collected, from, between);
	}
	if (!err) {
		err = audit_event(conn, job, calculated, between, qy_status_name(QY_STATUS_PRICED));
	}
	return err ? err : audit_evaluated(conn, job);
}

static enum qrt_err decide_price(struct qrt_db_conn *conn, struct price_job *job)
{
	const struct qy_price_request *request = job->request;
	struct qy_price_result *result = &job->result;
	const struct qy_quote *quote = &result->quote;
	bool complete;
	enum qrt_err err = load_quote(conn, request->quote_id, result);

	if (err) {
		return err;
	}
	if (request->if_state_version && request->if_state_version != quote->state_version) {
		QRT_SOMETIMES("a price was asked for a quote that has changed since");
		return qy_fault_stale(&result->fault, request->if_state_version,
				      quote->state_version);
	}
	if (quote->status != QY_STATUS_DRAFT && quote->status != QY_STATUS_REVISED) {
		QRT_SOMETIMES("a quote was priced that is no draft");
		/* The refusal is an answer and its audit row is committed. */
		QRT_IGNORE(qy_fault_transition(&result->fault, quote->status, collected),
			   "the job must commit");
		return audit_event(conn, job, collected, NULL, NULL);
	}
	complete = result->missing.count == 0;
	err = evaluate(conn, result, complete);
	if (err) {
		return err;
	}
	if (result->violations.count > 0) {
		return qy_fault_violations(&result->fault, result->violations.count);
	}
	return complete ? write_priced(conn, job) : prompt_for_missing(conn, job);
}

static enum qrt_err run_price(struct qrt_db_conn *conn, void *arg)
{
	struct price_job *job = arg;

	qy_price_result_fini(&job->result);
	qy_stamp_rewind(&job->stamp);
	return decide_price(conn, job);
}

enum qrt_err qy_store_quote_price(struct qrt_cx *cx, struct qy_store *store,
				  const struct qy_price_request *request,
				  struct qy_price_result *ret_result)
{
	struct price_job job = {.request = request};
	enum qrt_err err = qy_stamp_draw(cx, &request->origin, &job.stamp);

	if (err) {
		return err;
	}
	result_init(&job.result);
	err = qy_job_write(cx, store, run_price, &job, &job.result.fault);
	if (err) {
		qy_price_result_fini(&job.result);
		return err;
	}
	*ret_result = job.result;
	return QRT_OK;
}

struct preview_job {
	const char *id;
	struct qy_price_result result;
};

static enum qrt_err run_preview(struct qrt_db_conn *conn, void *arg)
{
	struct preview_job *job = arg;
	enum qrt_err err;

	qy_price_result_fini(&job->result);
	err = load_quote(conn, job->id, &job->result);
	return err ? err : evaluate(conn, &job->result, /* price= */ true);
}

enum qrt_err qy_store_quote_preview(struct qrt_cx *cx, struct qy_store *store, const char *id,
				    struct qy_price_result *ret_result)
{
	struct preview_job job = {.id = id};
	enum qrt_err err;

	result_init(&job.result);
	err = qy_job_read(cx, store, run_preview, &job, &job.result.fault);
	if (err) {
		qy_price_result_fini(&job.result);
		return err;
	}
	*ret_result = job.result;
	return QRT_OK;
}
