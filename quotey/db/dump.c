/* Writes every row of every table as text. Reads only. */
#include "quotey/db/dump.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "quotey/db/buffer.h"
#include "quotey/db/sql.h"

#define DUMP_MAX ((size_t)64 << 20)

static void append_value(struct qy_buffer *buffer, const char *text)
{
	if (!text) {
		qy_buffer_text(buffer, "\\N");
		return;
	}
	for (;;) {
		size_t len = strcspn(text, "\\|\n");

		qy_buffer_bytes(buffer, text, len);
		text += len;
		if (!*text) {
			return;
		}
		qy_buffer_text(buffer, *text == '\\' ? "\\\\" : *text == '|' ? "\\p" : "\\n");
		text++;
	}
}

static void append_row(struct qy_buffer *buffer, const char *table, const struct qrt_db_stmt *row)
{
	qy_buffer_text(buffer, table);
	for (int i = 0; i < qrt_db_columns(row); i++) {
		qy_buffer_text(buffer, "|");
		qy_buffer_text(buffer, qrt_db_column_name(row, i));
		qy_buffer_text(buffer, "=");
		append_value(buffer, qrt_db_text(row, i));
	}
	qy_buffer_text(buffer, "\n");
}

static enum qrt_err dump_table(struct qrt_db_conn *conn, const char *table,
			       struct qy_buffer *buffer)
{
	QRT_AUTO_STMT rows = NULL;
	char sql[256];
	bool row = false;
	enum qrt_err err;

	/* Table names come from our own migrations; quoted all the same. */
	snprintf(sql, sizeof(sql), "SELECT * FROM \"%s\" ORDER BY 1, 2", table);
	err = qy_sql_open(conn, sql, QY_NO_ARGS, &rows);
	while (!err && !(err = qrt_db_step(rows, &row)) && row) {
		append_row(buffer, table, rows);
	}
	return err;
}

static enum qrt_err run_dump(struct qrt_db_conn *conn, void *arg)
{
	struct qy_buffer *buffer = arg;
	QRT_AUTO_STMT tables = NULL;
	bool row = false;
	enum qrt_err err;

	qy_buffer_clear(buffer);
	err = qy_sql_open(conn,
			  "SELECT name FROM sqlite_schema WHERE type = 'table'"
			  " AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name",
			  QY_NO_ARGS, &tables);
	while (!err && !(err = qrt_db_step(tables, &row)) && row) {
		err = dump_table(conn, qrt_db_text(tables, 0), buffer);
	}
	return err ? err : buffer->err;
}

enum qrt_err qy_store_dump(struct qrt_cx *cx, struct qy_store *store, char **ret_text)
{
	struct qy_buffer buffer;
	enum qrt_err err;

	qy_buffer_init(&buffer, DUMP_MAX);
	/* Even of an empty database there is a text. */
	qy_buffer_text(&buffer, "");
	err = qrt_db_read(cx, store->db, run_dump, &buffer);
	if (err) {
		qy_buffer_fini(&buffer);
		return err;
	}
	*ret_text = buffer.data;
	return QRT_OK;
}

enum qrt_err qy_store_checksum(struct qrt_cx *cx, struct qy_store *store,
			       char ret_hex[QRT_SHA256_HEX_SIZE])
{
	char *text = NULL;
	enum qrt_err err = qy_store_dump(cx, store, &text);

	if (!err) {
		qrt_sha256_hex(text, strlen(text), ret_hex);
		free(text);
	}
	return err;
}
