/* The operation `create`: a new draft with its lines, flow state and audit row. */
#include <stdio.h>
#include <string.h>

#include "quotey/core/text.h"
#include "quotey/db/job.h"
#include "quotey/db/repo.h"
#include "quotey/db/sql.h"

#define QUOTE_AGE_MAX_DAYS 90

struct create_job {
	const struct qy_quote *input;
	struct qy_stamp stamp;
	struct qy_fault fault;
	struct qy_quote quote; /* the result */
};

/* Fields that only later operations may fill. */
static const enum qy_quote_field later_fields[] = {
    QY_FIELD_FINGERPRINT,	  QY_FIELD_FINALIZED_AT, QY_FIELD_SENT_AT,
    QY_FIELD_CUSTOMER_DECIDED_AT, QY_FIELD_LOCKED_BY,	 QY_FIELD_LOCKED_AT,
    QY_FIELD_LOCK_EXPIRES_AT,
};

static enum qrt_err next_id(struct qrt_db_conn *conn, const struct qy_stamp *stamp,
			    char ret_id[QY_QUOTE_ID_SIZE])
{
	char name[32];
	uint64_t number = 0;
	int year = 0;
	enum qy_code code = qy_year_of(stamp->now_ms, &year);
	enum qrt_err err = qy_sql_code(conn, code, "id_sequence", "quote");

	if (err) {
		return err;
	}
	snprintf(name, sizeof(name), "quote-%04d", year);
	err = qy_repo_sequence_next(conn, name, stamp->now, &number);
	if (err) {
		return err;
	}
	return qy_sql_code(conn, qy_quote_id_format(year, number, ret_id), "id_sequence", name);
}

static enum qy_code copy_line(struct qy_quote *quote, const struct qy_line *line)
{
	struct qy_attribute_spec attributes[QY_ATTRIBUTES_MAX];
	struct qy_line_spec spec = {
	    .position = line->position,
	    .product_id = line->product_id,
	    .quantity = line->quantity,
	    .unit_price_minor = line->unit_price_minor,
	    .price_source = line->price_source,
	    .discount_bps = line->discount_bps,
	    .attributes = attributes,
	    .attribute_count = line->attribute_count,
	    .notes = line->notes,
	};

	QRT_PRE(line->attribute_count <= QY_ATTRIBUTES_MAX);
	for (size_t i = 0; i < line->attribute_count; i++) {
		attributes[i].key = line->attributes[i].key;
		attributes[i].value = line->attributes[i].value;
	}
	return qy_quote_add_line(quote, &spec, NULL);
}

/* A copy under a new id: line ids contain the quote's, so the lines are added afresh. */
static enum qy_code copy_as(const struct qy_quote *input, const char *id, struct qy_quote *quote)
{
	enum qy_code code = qy_quote_set(quote, QY_FIELD_ID, id);

	for (int field = 0; field < QY_FIELD_COUNT && code == QY_OK; field++) {
		if (field != QY_FIELD_ID) {
			code = qy_quote_set(quote, (enum qy_quote_field)field,
					    qy_quote_get(input, (enum qy_quote_field)field));
		}
	}
	quote->flow_type = input->flow_type;
	quote->term_months = input->term_months;
	quote->tax_rate_bps = input->tax_rate_bps;
	for (size_t i = 0; i < input->line_count && code == QY_OK; i++) {
		code = copy_line(quote, &input->lines[i]);
	}
	return code;
}

static enum qrt_err take_input(struct qrt_db_conn *conn, struct create_job *job)
{
	const struct qy_quote *input = job->input;
	char id[QY_QUOTE_ID_SIZE];
	bool exists = false;
	enum qy_code code;
	enum qrt_err err;

	if (!input->id) {
		err = next_id(conn, &job->stamp, id);
		if (err) {
			return err;
		}
		code = copy_as(input, id, &job->quote);
		return code == QY_OK ? QRT_OK
				     : qy_fault_invalid(&job->fault, code, "lines", 0, NULL);
	}
	err = qy_sql_exists(conn, "SELECT 1 FROM quote WHERE id = ?1", QY_ARGS(QY_T(input->id)),
			    &exists);
	if (err) {
		return err;
	}
	if (exists) {
		return qy_fault_exists(&job->fault, "quote", input->id);
	}
	return qy_quote_copy(input, &job->quote) == QY_OK ? QRT_OK : QRT_ENOMEM;
}

/* Sets one text that the caller left out. */
static enum qrt_err set_default(struct create_job *job, enum qy_quote_field field, const char *text)
{
	enum qy_code code;

	if (qy_quote_get(&job->quote, field)) {
		return QRT_OK;
	}
	code = qy_quote_set(&job->quote, field, text);
	return code == QY_OK
		   ? QRT_OK
		   : qy_fault_invalid(&job->fault, code, qy_quote_field_name(field), 0, NULL);
}

static enum qrt_err set_defaults(struct qrt_db_conn *conn, struct create_job *job)
{
	char currency[4];
	char until[QY_DATE_SIZE];
	enum qrt_err err;

	err = qy_repo_setting_text(conn, "default_currency", "USD", currency, sizeof(currency));
	if (!err) {
		err = set_default(job, QY_FIELD_CURRENCY, currency);
	}
	if (!err) {
		err = set_default(job, QY_FIELD_CREATED_BY, job->stamp.origin.actor);
	}
	if (!err) {
		err = qy_sql_code(conn, qy_valid_until(job->stamp.now_ms, until), "quote", "new");
	}
	return err ? err : set_default(job, QY_FIELD_VALID_UNTIL, until);
}

/* What every new quote has in common, whatever the caller says. */
static enum qrt_err make_draft(struct create_job *job)
{
	struct qy_quote *quote = &job->quote;
	enum qy_code code = QY_OK;

	quote->status = QY_STATUS_DRAFT;
	quote->customer_decision = QY_DECISION_NONE;
	quote->version = 1;
	quote->state_version = 1;
	for (size_t i = 0; i < sizeof(later_fields) / sizeof(later_fields[0]); i++) {
		if (code == QY_OK) {
			code = qy_quote_set(quote, later_fields[i], NULL);
		}
	}
	if (code == QY_OK) {
		code = qy_quote_set(quote, QY_FIELD_CREATED_AT, job->stamp.now);
	}
	if (code == QY_OK) {
		code = qy_quote_set(quote, QY_FIELD_UPDATED_AT, job->stamp.now);
	}
	return code == QY_OK ? QRT_OK : QRT_ENOMEM;
}

static enum qrt_err check_valid_until(struct qrt_db_conn *conn, struct create_job *job)
{
	char latest[QY_DATE_SIZE];
	int64_t days = 0;
	enum qrt_err err;

	err = qy_repo_setting_number(conn, "max_quote_age_days", QUOTE_AGE_MAX_DAYS, &days);
	if (!err) {
		err = qy_sql_code(conn, qy_date_after(job->stamp.now_ms, (int)days, latest),
				  "org_settings", "max_quote_age_days");
	}
	if (!err && strcmp(job->quote.valid_until, latest) > 0) {
		err = qy_fault_invalid(&job->fault, QY_INVALID_FIELD, "valid_until", 0,
				       "lies too far ahead");
	}
	return err;
}

static enum qrt_err check_references(struct qrt_db_conn *conn, struct create_job *job)
{
	const struct qy_quote *quote = &job->quote;
	bool exists = true;
	enum qrt_err err = QRT_OK;

	if (quote->prior_quote_id) {
		err = qy_sql_exists(conn, "SELECT 1 FROM quote WHERE id = ?1",
				    QY_ARGS(QY_T(quote->prior_quote_id)), &exists);
	}
	if (!err && !exists) {
		return qy_fault_invalid(&job->fault, QY_INVALID_FIELD, "prior_quote_id", 0,
					"no such quote");
	}
	if (!err && quote->sales_rep_id) {
		err = qy_repo_rep_exists(conn, quote->sales_rep_id, &exists);
	}
	if (!err && !exists) {
		return qy_fault_invalid(&job->fault, QY_INVALID_FIELD, "sales_rep_id", 0,
					"no such sales rep");
	}
	return err;
}

/* Gives a line its catalogue price, or says why it cannot have one. */
static enum qrt_err price_line(struct create_job *job, const struct qy_catalog *catalog,
			       bool allow_custom, struct qy_line *line)
{
	const struct qy_catalog_entry *entry;
	const struct qy_price_tier *tier;

	if (qy_text_blank(line->product_id)) {
		return QRT_OK;
	}
	entry = qy_catalog_find_id(catalog, line->product_id);
	if (line->price_source == QY_PRICE_MANUAL) {
		return entry || allow_custom ? QRT_OK
					     : qy_fault_invalid(&job->fault, QY_UNKNOWN_PRODUCT,
								"product_id", line->position, NULL);
	}
	if (!entry) {
		return qy_fault_invalid(&job->fault, QY_UNKNOWN_PRODUCT, "product_id",
					line->position, NULL);
	}
	if (strcmp(entry->product.currency, job->quote.currency) != 0) {
		return qy_fault_invalid(&job->fault, QY_CURRENCY_MISMATCH, "product_id",
					line->position, NULL);
	}
	tier = qy_catalog_tier(entry, line->quantity);
	line->price_source = tier ? QY_PRICE_TIER : QY_PRICE_LIST;
	line->unit_price_minor = tier ? tier->unit_price_minor : entry->product.list_price_minor;
	return QRT_OK;
}

static enum qrt_err price_lines(struct qrt_db_conn *conn, struct create_job *job)
{
	struct qy_catalog catalog;
	int64_t allow_custom = 0;
	enum qrt_err err;

	err = qy_repo_setting_number(conn, "allow_custom_line_items", 0, &allow_custom);
	if (!err) {
		err = qy_repo_catalog_for(conn, &job->quote, &catalog);
	}
	if (err) {
		return err;
	}
	for (size_t i = 0; i < job->quote.line_count && !err; i++) {
		err = price_line(job, &catalog, allow_custom != 0, &job->quote.lines[i]);
	}
	qy_catalog_fini(&catalog);
	return err;
}

static enum qrt_err write_rows(struct qrt_db_conn *conn, struct create_job *job)
{
	char after[64];
	struct qy_audit audit = {
	    .quote_id = job->quote.id,
	    .event_type = "quote.created",
	    .category = "persistence",
	    .outcome = "success",
	    .entity_type = "quote",
	    .entity_id = job->quote.id,
	    .action = "create",
	    .after_json = after,
	};
	enum qrt_err err;

	snprintf(after, sizeof(after), "{\"lines\":%zu,\"status\":\"draft\"}",
		 job->quote.line_count);
	err = qy_repo_quote_insert(conn, &job->quote);
	if (!err) {
		err = qy_repo_flow_save(conn, &job->quote, job->stamp.now);
	}
	return err ? err : qy_repo_audit_add(conn, &job->stamp, &audit);
}

static enum qrt_err run_create(struct qrt_db_conn *conn, void *arg)
{
	static enum qrt_err (*const checks[])(struct qrt_db_conn *, struct create_job *) = {
	    take_input, set_defaults, check_valid_until, check_references, price_lines,
	};
	struct create_job *job = arg;
	enum qrt_err err = QRT_OK;

	qy_fault_init(&job->fault);
	qy_quote_fini(&job->quote);
	qy_stamp_rewind(&job->stamp);
	for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]) && !err; i++) {
		err = checks[i](conn, job);
	}
	if (!err) {
		err = make_draft(job);
	}
	return err ? err : write_rows(conn, job);
}

enum qrt_err qy_store_quote_create(struct qrt_cx *cx, struct qy_store *store,
				   const struct qy_origin *origin, struct qy_quote *quote,
				   struct qy_fault *ret_fault)
{
	struct create_job job = {.input = quote};
	enum qrt_err err = qy_stamp_draw(cx, origin, &job.stamp);

	if (err) {
		return err;
	}
	qy_quote_init(&job.quote);
	err = qy_job_write(cx, store, run_create, &job, &job.fault);
	if (!err) {
		*ret_fault = job.fault;
	}
	if (!err && job.fault.kind == QY_FAULT_NONE) {
		qy_quote_fini(quote);
		*quote = job.quote;
		return QRT_OK;
	}
	qy_quote_fini(&job.quote);
	return err;
}
