/* The table inbox: what Slack has sent, each thing once. */
#include "quotey/db/repo.h"
#include "quotey/db/sql.h"

enum qrt_err qy_repo_inbox_find(struct qrt_db_conn *conn, const struct qy_inbox_item *item,
				uint64_t *ret_seq, char ret_envelope_id[QY_INBOX_ENVELOPE_SIZE])
{
	QRT_AUTO_STMT rows = NULL;
	bool row = false;
	enum qrt_err err = qy_sql_open(
	    conn,
	    "SELECT seq, envelope_id FROM inbox"
	    " WHERE envelope_id = ?1 OR event_id = ?2 OR dedupe_key = ?3 ORDER BY seq LIMIT 1",
	    QY_ARGS(QY_T(item->envelope_id), QY_TN(item->event_id), QY_T(item->dedupe_key)), &rows);

	if (!err) {
		err = qrt_db_step(rows, &row);
	}
	if (!err && !row) {
		err = QRT_ENOENT;
	}
	if (!err) {
		*ret_seq = (uint64_t)qrt_db_int(rows, 0);
		qy_sql_copy(rows, 1, ret_envelope_id, QY_INBOX_ENVELOPE_SIZE);
	}
	return err;
}

enum qrt_err qy_repo_inbox_add(struct qrt_db_conn *conn, const struct qy_inbox_item *item,
			       const char *now)
{
	return qy_sql_run(conn,
			  "INSERT INTO inbox (envelope_id, event_id, dedupe_key, kind, thread_key,"
			  " payload_json, received_at, state, attempts, created_at, updated_at)"
			  " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 0, ?7, ?7)",
			  QY_ARGS(QY_T(item->envelope_id), QY_TN(item->event_id),
				  QY_T(item->dedupe_key), QY_T(item->kind), QY_TN(item->thread_key),
				  QY_T(item->payload_json), QY_T(now),
				  QY_T(item->ignored ? "ignored" : "received")));
}

enum qrt_err qy_repo_inbox_acked(struct qrt_db_conn *conn, uint64_t seq, const char *now)
{
	return qy_sql_run(conn,
			  "UPDATE inbox SET acked_at = ?2, updated_at = ?2"
			  " WHERE seq = ?1 AND acked_at IS NULL",
			  QY_ARGS(QY_N(seq), QY_T(now)));
}
