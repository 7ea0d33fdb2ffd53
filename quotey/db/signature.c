/*
 * The schema signature: equal exactly when two databases have the same schema, whatever the
 * spelling of its blanks.
 */
#include "quotey/db/migrate.h"

#include <string.h>

#include "quotey/db/buffer.h"
#include "quotey/db/sql.h"

#define SCHEMA_MAX ((size_t)4 << 20)

/* Runs of blanks become one blank; none at either end. */
static void append_normalised(struct qy_buffer *buffer, const char *text)
{
	static const char blanks[] = " \t\r\n";

	text += strspn(text, blanks);
	while (*text) {
		size_t len = strcspn(text, blanks);

		qy_buffer_bytes(buffer, text, len);
		text += len;
		text += strspn(text, blanks);
		if (*text) {
			qy_buffer_bytes(buffer, " ", 1);
		}
	}
	qy_buffer_bytes(buffer, "\n", 1);
}

static enum qrt_err read_schema(struct qrt_db_conn *conn, void *arg)
{
	struct qy_buffer *buffer = arg;
	QRT_AUTO_STMT rows = NULL;
	bool row = false;
	enum qrt_err err;

	/* A job may run twice; it starts from nothing each time. */
	qy_buffer_clear(buffer);
	err = qy_sql_open(conn,
			  "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL"
			  " AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY sql",
			  QY_NO_ARGS, &rows);
	if (err) {
		return err;
	}
	while (!(err = qrt_db_step(rows, &row)) && row) {
		append_normalised(buffer, qrt_db_text(rows, 0));
	}
	return err ? err : buffer->err;
}

enum qrt_err qy_migrate_signature(struct qrt_cx *cx, struct qrt_db *db,
				  char ret_hex[QRT_SHA256_HEX_SIZE])
{
	struct qy_buffer buffer;
	enum qrt_err err;

	qy_buffer_init(&buffer, SCHEMA_MAX);
	err = qrt_db_read(cx, db, read_schema, &buffer);
	if (!err) {
		qrt_sha256_hex(buffer.data, buffer.len, ret_hex);
	}
	qy_buffer_fini(&buffer);
	return err;
}
