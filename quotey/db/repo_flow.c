/* The table flow_state: where a quote is in its flow, for people and for dialogues. */
#include <stdlib.h>
#include <stdio.h>

#include "quotey/core/json_write.h"
#include "quotey/db/repo.h"
#include "quotey/db/sql.h"

struct step {
	int number;
	const char *name;
};

static const struct step steps[QY_STATUS_COUNT] = {
    [QY_STATUS_DRAFT] = {1, "gather_requirements"},
    [QY_STATUS_REVISED] = {1, "gather_requirements"},
    [QY_STATUS_VALIDATED] = {2, "price_quote"},
    [QY_STATUS_PRICED] = {3, "review_pricing"},
    [QY_STATUS_APPROVAL] = {4, "awaiting_approval"},
    [QY_STATUS_APPROVED] = {5, "deliver"},
    [QY_STATUS_FINALIZED] = {5, "deliver"},
    [QY_STATUS_SENT] = {6, "follow_up"},
    [QY_STATUS_REJECTED] = {7, "closed"},
    [QY_STATUS_EXPIRED] = {7, "closed"},
    [QY_STATUS_CANCELLED] = {7, "closed"},
};

static const char *step_name(const struct qy_quote *quote)
{
	if (quote->status == QY_STATUS_PRICED && quote->flow_type == QY_FLOW_RENEWAL_EXPANSION) {
		return "validate_expansion";
	}
	return steps[quote->status].name;
}

static enum qy_code names_json(const struct qy_missing *missing, char **ret_json)
{
	struct qy_json json;

	qy_json_init(&json);
	qy_json_array_begin(&json);
	for (unsigned i = 0; i < missing->count; i++) {
		qy_json_string(&json, missing->names[i]);
	}
	qy_json_array_end(&json);
	return qy_json_take(&json, ret_json);
}

/* What a quote of this flow needs at all: what an empty one lacks. */
static void required_fields(enum qy_flow_type flow_type, struct qy_missing *ret_required)
{
	struct qy_quote empty;

	qy_quote_init(&empty);
	empty.flow_type = flow_type;
	qy_quote_missing_fields(&empty, ret_required);
	qy_quote_fini(&empty);
}

static enum qrt_err save(struct qrt_db_conn *conn, const struct qy_quote *quote,
			 const char *required_json, const char *missing_json, const char *now)
{
	char id[QY_QUOTE_ID_SIZE + 4];

	snprintf(id, sizeof(id), "%s-fs", quote->id);
	return qy_sql_run(conn,
			  "INSERT INTO flow_state (id, quote_id, flow_type, current_step,"
			  " step_number, required_fields_json, missing_fields_json, created_at,"
			  " updated_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?8)"
			  " ON CONFLICT (quote_id) DO UPDATE SET flow_type = excluded.flow_type,"
			  " current_step = excluded.current_step,"
			  " step_number = excluded.step_number,"
			  " required_fields_json = excluded.required_fields_json,"
			  " missing_fields_json = excluded.missing_fields_json,"
			  " updated_at = excluded.updated_at",
			  QY_ARGS(QY_T(id), QY_T(quote->id),
				  QY_T(qy_flow_type_name(quote->flow_type)), QY_T(step_name(quote)),
				  QY_N(steps[quote->status].number), QY_T(required_json),
				  QY_T(missing_json), QY_T(now)));
}

enum qrt_err qy_repo_flow_save(struct qrt_db_conn *conn, const struct qy_quote *quote,
			       const char *now)
{
	struct qy_missing required;
	struct qy_missing missing;
	char *required_json = NULL;
	char *missing_json = NULL;
	enum qrt_err err;

	required_fields(quote->flow_type, &required);
	qy_quote_missing_fields(quote, &missing);
	err = qy_sql_code(conn, names_json(&required, &required_json), "flow_state", quote->id);
	if (!err) {
		err =
		    qy_sql_code(conn, names_json(&missing, &missing_json), "flow_state", quote->id);
	}
	if (!err) {
		err = save(conn, quote, required_json, missing_json, now);
	}
	free(required_json);
	free(missing_json);
	return err;
}
