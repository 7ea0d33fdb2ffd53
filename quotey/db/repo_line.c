/* The table quote_line. Attributes are canonical JSON, taken apart again by the database. */
#include <stdlib.h>
#include <string.h>

#include "quotey/db/repo.h"
#include "quotey/db/sql.h"

/* Texts of the attributes of one line while it is put together. */
struct attributes {
	struct qy_attribute_spec specs[QY_ATTRIBUTES_MAX];
	char keys[QY_ATTRIBUTES_MAX][QY_ATTRIBUTE_KEY_MAX + 1];
	char values[QY_ATTRIBUTES_MAX][QY_ATTRIBUTE_VALUE_MAX + 1];
	size_t count;
};

static enum qrt_err insert_line(struct qrt_db_conn *conn, struct qrt_db_stmt *stmt,
				const struct qy_quote *quote, const struct qy_line *line)
{
	char *json = NULL;
	enum qrt_err err =
	    qy_sql_code(conn, qy_line_attributes_json(line, &json), "quote_line", line->id);

	if (err) {
		return err;
	}
	qrt_db_bind_text(stmt, 1, line->id);
	qrt_db_bind_text(stmt, 2, quote->id);
	qrt_db_bind_int(stmt, 3, line->position);
	qrt_db_bind_text(stmt, 4, line->product_id ? line->product_id : "");
	qrt_db_bind_int(stmt, 5, line->quantity);
	qrt_db_bind_int(stmt, 6, line->unit_price_minor);
	qrt_db_bind_text(stmt, 7, qy_price_source_name(line->price_source));
	qrt_db_bind_int(stmt, 8, line->discount_bps);
	qrt_db_bind_text(stmt, 9, json);
	qrt_db_bind_text(stmt, 10, line->notes);
	qrt_db_bind_text(stmt, 11, quote->updated_at);
	err = qrt_db_run(stmt);
	free(json);
	return err;
}

enum qrt_err qy_repo_lines_insert(struct qrt_db_conn *conn, const struct qy_quote *quote)
{
	QRT_AUTO_STMT stmt = NULL;
	enum qrt_err err;

	err = qrt_db_prepare(conn,
			     "INSERT INTO quote_line (id, quote_id, position, product_id,"
			     " quantity, unit_price_minor, price_source, discount_bps,"
			     " attributes_json, notes, created_at, updated_at)"
			     " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?11)",
			     &stmt);
	for (size_t i = 0; i < quote->line_count && !err; i++) {
		err = insert_line(conn, stmt, quote, &quote->lines[i]);
	}
	return err;
}

static enum qrt_err load_attributes(struct qrt_db_conn *conn, const char *json,
				    struct attributes *ret)
{
	QRT_AUTO_STMT rows = NULL;
	bool row = false;
	enum qrt_err err;

	ret->count = 0;
	if (strcmp(json, "{}") == 0) {
		return QRT_OK;
	}
	err = qy_sql_open(conn, "SELECT key, value FROM json_each(?1) ORDER BY key",
			  QY_ARGS(QY_T(json)), &rows);
	while (!err && !(err = qrt_db_step(rows, &row)) && row) {
		if (ret->count == QY_ATTRIBUTES_MAX) {
			return qrt_db_fail(conn, QRT_ECORRUPT, "a line has more than %d attributes",
					   QY_ATTRIBUTES_MAX);
		}
		qy_sql_copy(rows, 0, ret->keys[ret->count], sizeof(ret->keys[0]));
		qy_sql_copy(rows, 1, ret->values[ret->count], sizeof(ret->values[0]));
		ret->specs[ret->count].key = ret->keys[ret->count];
		ret->specs[ret->count].value = ret->values[ret->count];
		ret->count++;
	}
	return err;
}

static enum qrt_err load_line(struct qrt_db_conn *conn, const struct qrt_db_stmt *row,
			      struct attributes *attributes, struct qy_quote *quote)
{
	struct qy_line_spec spec = {
	    .id = qrt_db_text(row, 0),
	    .position = (unsigned)qrt_db_int(row, 1),
	    .product_id = qrt_db_text(row, 2),
	    .quantity = qrt_db_int(row, 3),
	    .unit_price_minor = qrt_db_int(row, 4),
	    .discount_bps = (int)qrt_db_int(row, 6),
	    .attributes = attributes->specs,
	    .notes = qrt_db_text(row, 8),
	};
	enum qy_code code = qy_price_source_parse(qrt_db_text(row, 5), &spec.price_source);
	enum qrt_err err = load_attributes(conn, qrt_db_text(row, 7), attributes);

	if (err) {
		return err;
	}
	spec.attribute_count = attributes->count;
	if (code == QY_OK) {
		code = qy_quote_add_line(quote, &spec, NULL);
	}
	return qy_sql_code(conn, code, "quote_line", spec.id);
}

static enum qrt_err load_rows(struct qrt_db_conn *conn, struct attributes *attributes,
			      struct qy_quote *quote)
{
	QRT_AUTO_STMT rows = NULL;
	bool row = false;
	enum qrt_err err;

	err = qy_sql_open(conn,
			  "SELECT id, position, product_id, quantity, unit_price_minor,"
			  " price_source, discount_bps, attributes_json, notes FROM quote_line"
			  " WHERE quote_id = ?1 ORDER BY position, id",
			  QY_ARGS(QY_T(quote->id)), &rows);
	while (!err && !(err = qrt_db_step(rows, &row)) && row) {
		err = load_line(conn, rows, attributes, quote);
	}
	return err;
}

enum qrt_err qy_repo_lines_load(struct qrt_db_conn *conn, struct qy_quote *quote)
{
	uint64_t line_seq = quote->line_seq;
	struct attributes *attributes = malloc(sizeof(*attributes));
	enum qrt_err err;

	if (!attributes) {
		return QRT_ENOMEM;
	}
	err = load_rows(conn, attributes, quote);
	free(attributes);
	/* The stored number knows of removed lines too, the loaded lines do not. */
	if (line_seq > quote->line_seq) {
		quote->line_seq = line_seq;
	}
	return err;
}
