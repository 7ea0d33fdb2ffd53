/*
 * Stores the sample quotes. A quote that is there already is left alone with everything that hangs
 * on it. Ids are fixed, so that removing and loading again gives the same rows.
 */
#include <string.h>

#include "quotey/core/seed.h"
#include "quotey/db/repo.h"
#include "quotey/db/seed_rows.h"
#include "quotey/db/sql.h"

/* "AUD-5eed00000001": the id of the n-th (from 1) seed row of a kind. */
static void seed_id(const char *prefix, size_t number, char ret_id[QY_IDENT_SIZE])
{
	const uint8_t bytes[QY_IDENT_RANDOM] = {0x5e, 0xed, 0, 0, 0, (uint8_t)number};
	enum qy_code code;

	QRT_PRE(number <= UINT8_MAX);
	code = qy_ident_format(prefix, bytes, ret_id);
	QRT_POST(code == QY_OK);
}

static enum qy_code stamp_quote(struct qy_quote *quote, const struct qy_stamp *stamp)
{
	char until[QY_DATE_SIZE];
	enum qy_code code = qy_valid_until(stamp->now_ms, until);

	if (code == QY_OK) {
		code = qy_quote_set(quote, QY_FIELD_VALID_UNTIL, until);
	}
	if (code == QY_OK) {
		code = qy_quote_set(quote, QY_FIELD_CREATED_AT, stamp->now);
	}
	if (code == QY_OK) {
		code = qy_quote_set(quote, QY_FIELD_UPDATED_AT, stamp->now);
	}
	if (code == QY_OK && quote->status == QY_STATUS_SENT) {
		code = qy_quote_set(quote, QY_FIELD_FINALIZED_AT, stamp->now);
	}
	if (code == QY_OK && quote->status == QY_STATUS_SENT) {
		code = qy_quote_set(quote, QY_FIELD_SENT_AT, stamp->now);
	}
	return code;
}

static enum qrt_err add_flow_state(struct qrt_db_conn *conn, const struct qy_quote *quote,
				   const char *now)
{
	enum qrt_err err = QRT_OK;

	for (size_t i = 0; i < qy_seed_flow_state_count && !err; i++) {
		const struct qy_seed_flow_state *state = &qy_seed_flow_states[i];

		if (strcmp(state->quote_id, quote->id) != 0) {
			continue;
		}
		err = qy_sql_run(conn,
				 "INSERT INTO flow_state (id, quote_id, flow_type, current_step,"
				 " step_number, required_fields_json, missing_fields_json,"
				 " last_prompt, created_at, updated_at)"
				 " VALUES (?1 || '-fs', ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?8)",
				 QY_ARGS(QY_T(quote->id), QY_T(qy_flow_type_name(quote->flow_type)),
					 QY_T(state->current_step), QY_N(state->step_number),
					 QY_T(state->required_fields_json),
					 QY_T(state->missing_fields_json), QY_T(state->last_prompt),
					 QY_T(now)));
	}
	return err;
}

static enum qrt_err add_snapshot(struct qrt_db_conn *conn, const struct qy_quote *quote,
				 size_t number, const struct qy_stamp *stamp)
{
	struct qy_catalog catalog;
	struct qy_pricing pricing;
	char id[QY_IDENT_SIZE];
	struct qy_snapshot snapshot = {
	    .id = id,
	    .quote = quote,
	    .pricing = &pricing,
	    .priced_at = stamp->now,
	    .priced_by = quote->created_by,
	};
	enum qrt_err err;

	if (quote->status == QY_STATUS_DRAFT) {
		return QRT_OK;
	}
	err = qy_sql_code(conn, qy_seed_catalog(&catalog), "seed", quote->id);
	if (err) {
		return err;
	}
	err = qy_sql_code(conn, qy_price(quote, &catalog, &pricing, NULL), "seed", quote->id);
	qy_catalog_fini(&catalog);
	if (err) {
		return err;
	}
	seed_id(QY_ID_SNAPSHOT, number, id);
	err = qy_repo_snapshot_save(conn, &snapshot);
	qy_pricing_fini(&pricing);
	return err;
}

static enum qrt_err add_approvals(struct qrt_db_conn *conn, const struct qy_quote *quote,
				  const char *now)
{
	enum qrt_err err = QRT_OK;

	for (size_t i = 0; i < qy_seed_approval_count && !err; i++) {
		const struct qy_seed_approval *a = &qy_seed_approvals[i];
		char id[QY_IDENT_SIZE];

		if (strcmp(a->quote_id, quote->id) != 0) {
			continue;
		}
		seed_id(QY_ID_APPROVAL, i + 1, id);
		err = qy_sql_run(
		    conn,
		    "INSERT INTO approval_request (id, quote_id, quote_version,"
		    " approver_role, approval_type, reason, justification,"
		    " requested_discount_bps, status, assigned_to, requested_by,"
		    " requested_by_rep_id, created_at, updated_at)"
		    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13,"
		    " ?13)",
		    QY_ARGS(QY_T(id), QY_T(quote->id), QY_N(quote->version), QY_T(a->approver_role),
			    QY_T(a->approval_type), QY_T(a->reason), QY_T(a->justification),
			    QY_N(a->requested_discount_bps), QY_T(a->status), QY_T(a->assigned_to),
			    QY_T(a->requested_by), QY_T(a->requested_by_rep_id), QY_T(now)));
	}
	return err;
}

static enum qrt_err add_audit(struct qrt_db_conn *conn, const struct qy_quote *quote, size_t number,
			      struct qy_stamp *stamp)
{
	char id[QY_IDENT_SIZE];
	struct qy_audit audit = {
	    .id = id,
	    .quote_id = quote->id,
	    .event_type = "quote.created",
	    .category = "persistence",
	    .outcome = "success",
	    .entity_type = "quote",
	    .entity_id = quote->id,
	    .action = "seed",
	};

	seed_id(QY_ID_AUDIT, number, id);
	return qy_repo_audit_add(conn, stamp, &audit);
}

static enum qrt_err add_children(struct qrt_db_conn *conn, const struct qy_quote *quote,
				 size_t number, struct qy_stamp *stamp)
{
	enum qrt_err err = add_flow_state(conn, quote, stamp->now);

	if (!err) {
		err = add_snapshot(conn, quote, number, stamp);
	}
	if (!err) {
		err = add_approvals(conn, quote, stamp->now);
	}
	return err ? err : add_audit(conn, quote, number, stamp);
}

static enum qrt_err add_quote(struct qrt_db_conn *conn, const struct qy_seed_quote *seed,
			      size_t number, struct qy_stamp *stamp)
{
	struct qy_quote quote;
	bool exists = false;
	enum qrt_err err = qy_sql_exists(conn, "SELECT 1 FROM quote WHERE id = ?1",
					 QY_ARGS(QY_T(seed->id)), &exists);

	if (err || exists) {
		return err;
	}
	err = qy_sql_code(conn, qy_seed_quote_make(seed, &quote), "seed", seed->id);
	if (err) {
		return err;
	}
	err = qy_sql_code(conn, stamp_quote(&quote, stamp), "seed", seed->id);
	if (!err) {
		err = qy_repo_quote_insert(conn, &quote);
	}
	if (!err) {
		err = add_children(conn, &quote, number, stamp);
	}
	qy_quote_fini(&quote);
	return err;
}

enum qrt_err qy_seed_rows_quotes(struct qrt_db_conn *conn, struct qy_stamp *stamp)
{
	enum qrt_err err = QRT_OK;

	for (size_t i = 0; i < qy_seed_quote_count && !err; i++) {
		err = add_quote(conn, &qy_seed_quotes[i], i + 1, stamp);
	}
	return err;
}
