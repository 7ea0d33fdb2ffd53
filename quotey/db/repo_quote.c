/*
 * The table quote. Its text columns are spelled out by QY_QUOTE_FIELD_MAP, whose member names are
 * the column names, so that a field cannot be forgotten here.
 */
#include <string.h>

#include "quotey/core/text.h"
#include "quotey/db/repo.h"
#include "quotey/db/sql.h"

#define COLUMN(name, member, max, kind) #member ", "
#define MARK(name, member, max, kind) "?, "

/* After the text fields; in the order of bind_scalars and read_scalars. */
#define SCALAR_COLUMNS                                                                             \
	"flow_type, status, customer_decision, version, state_version, term_months,"               \
	" tax_rate_bps, line_seq"

static const char insert_sql[] = "INSERT INTO quote (" QY_QUOTE_FIELD_MAP(COLUMN) SCALAR_COLUMNS
    ") VALUES (" QY_QUOTE_FIELD_MAP(MARK) "?, ?, ?, ?, ?, ?, ?, ?)";

static const char select_sql[] =
    "SELECT " QY_QUOTE_FIELD_MAP(COLUMN) SCALAR_COLUMNS " FROM quote WHERE id = ?1";

static void bind_scalars(struct qrt_db_stmt *stmt, const struct qy_quote *quote)
{
	int index = QY_FIELD_COUNT + 1;

	qrt_db_bind_text(stmt, index++, qy_flow_type_name(quote->flow_type));
	qrt_db_bind_text(stmt, index++, qy_status_name(quote->status));
	qrt_db_bind_text(stmt, index++, qy_decision_name(quote->customer_decision));
	qrt_db_bind_int(stmt, index++, quote->version);
	qrt_db_bind_int(stmt, index++, quote->state_version);
	if (quote->term_months) {
		qrt_db_bind_int(stmt, index++, quote->term_months);
	} else {
		qrt_db_bind_null(stmt, index++);
	}
	qrt_db_bind_int(stmt, index++, quote->tax_rate_bps);
	qrt_db_bind_int(stmt, index, (int64_t)quote->line_seq);
}

enum qrt_err qy_repo_quote_insert(struct qrt_db_conn *conn, const struct qy_quote *quote)
{
	QRT_AUTO_STMT stmt = NULL;
	enum qrt_err err = qrt_db_prepare(conn, insert_sql, &stmt);

	if (err) {
		return err;
	}
	for (int field = 0; field < QY_FIELD_COUNT; field++) {
		qrt_db_bind_text(stmt, field + 1, qy_quote_get(quote, (enum qy_quote_field)field));
	}
	bind_scalars(stmt, quote);
	err = qrt_db_run(stmt);
	return err ? err : qy_repo_lines_insert(conn, quote);
}

static enum qy_code read_texts(const struct qrt_db_stmt *row, struct qy_quote *quote)
{
	for (int field = 0; field < QY_FIELD_COUNT; field++) {
		enum qy_code code =
		    qy_quote_set(quote, (enum qy_quote_field)field, qrt_db_text(row, field));

		if (code != QY_OK) {
			return code;
		}
	}
	return QY_OK;
}

/* Texts and lines go through the quote's own functions; plain numbers have no other way in. */
static enum qy_code read_scalars(const struct qrt_db_stmt *row, struct qy_quote *quote)
{
	int column = QY_FIELD_COUNT;
	enum qy_code code;

	code = qy_flow_type_parse(qrt_db_text(row, column), &quote->flow_type);
	if (code == QY_OK) {
		code = qy_status_parse(qrt_db_text(row, column + 1), &quote->status);
	}
	if (code == QY_OK) {
		code = qy_decision_parse(qrt_db_text(row, column + 2), &quote->customer_decision);
	}
	if (code == QY_OK) {
		code = qy_quote_set_term(quote, qrt_db_int(row, column + 5));
	}
	if (code == QY_OK) {
		code = qy_quote_set_tax_rate(quote, qrt_db_int(row, column + 6));
	}
	if (code == QY_OK) {
		quote->version = (unsigned)qrt_db_int(row, column + 3);
		quote->state_version = (unsigned)qrt_db_int(row, column + 4);
		quote->line_seq = (uint64_t)qrt_db_int(row, column + 7);
	}
	return code;
}

static enum qrt_err load_header(struct qrt_db_conn *conn, const char *id, struct qy_quote *quote)
{
	QRT_AUTO_STMT stmt = NULL;
	bool row = false;
	enum qy_code code;
	enum qrt_err err = qy_sql_open(conn, select_sql, QY_ARGS(QY_T(id)), &stmt);

	if (!err) {
		err = qrt_db_step(stmt, &row);
	}
	if (!err && !row) {
		err = QRT_ENOENT;
	}
	if (err) {
		return err;
	}
	code = read_texts(stmt, quote);
	if (code == QY_OK) {
		code = read_scalars(stmt, quote);
	}
	return qy_sql_code(conn, code, "quote", id);
}

enum qrt_err qy_repo_quote_load(struct qrt_db_conn *conn, const char *id,
				struct qy_quote *ret_quote)
{
	struct qy_quote quote;
	enum qrt_err err;

	qy_quote_init(&quote);
	err = load_header(conn, id, &quote);
	if (!err) {
		err = qy_repo_lines_load(conn, &quote);
	}
	if (err) {
		qy_quote_fini(&quote);
		return err;
	}
	*ret_quote = quote;
	return QRT_OK;
}

enum qrt_err qy_repo_quote_update_priced(struct qrt_db_conn *conn, const struct qy_quote *quote)
{
	QRT_AUTO_STMT stmt = NULL;
	enum qrt_err err = qy_sql_run(conn,
				      "UPDATE quote SET status = ?1, version = ?2,"
				      " state_version = ?3, updated_at = ?4 WHERE id = ?5",
				      QY_ARGS(QY_T(qy_status_name(quote->status)),
					      QY_N(quote->version), QY_N(quote->state_version),
					      QY_T(quote->updated_at), QY_T(quote->id)));

	if (!err) {
		err = qrt_db_prepare(conn,
				     "UPDATE quote_line SET unit_price_minor = ?1,"
				     " price_source = ?2, updated_at = ?3 WHERE id = ?4"
				     " AND (unit_price_minor <> ?1 OR price_source <> ?2)",
				     &stmt);
	}
	for (size_t i = 0; i < quote->line_count && !err; i++) {
		const struct qy_line *line = &quote->lines[i];

		qrt_db_bind_int(stmt, 1, line->unit_price_minor);
		qrt_db_bind_text(stmt, 2, qy_price_source_name(line->price_source));
		qrt_db_bind_text(stmt, 3, quote->updated_at);
		qrt_db_bind_text(stmt, 4, line->id);
		err = qrt_db_run(stmt);
	}
	return err;
}
