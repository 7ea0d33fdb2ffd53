/* The tables api_key and, as far as keys and quotes refer to it, sales_rep. */
#include <stdlib.h>
#include <string.h>

#include "quotey/core/json_write.h"
#include "quotey/db/repo.h"
#include "quotey/db/sql.h"

enum qrt_err qy_repo_rep_exists(struct qrt_db_conn *conn, const char *id, bool *ret_exists)
{
	return qy_sql_exists(conn, "SELECT 1 FROM sales_rep WHERE id = ?1", QY_ARGS(QY_T(id)),
			     ret_exists);
}

static enum qy_code scopes_json(uint32_t scopes, char **ret_json)
{
	struct qy_json json;

	qy_json_init(&json);
	qy_json_array_begin(&json);
	for (unsigned i = 0; i < QY_SCOPE_INDEX_COUNT; i++) {
		if (scopes & 1u << i) {
			qy_json_string(&json, qy_scope_name((enum qy_scope)(1u << i)));
		}
	}
	qy_json_array_end(&json);
	return qy_json_take(&json, ret_json);
}

enum qrt_err qy_repo_apikey_insert(struct qrt_db_conn *conn, const struct qy_apikey *key)
{
	char *scopes = NULL;
	enum qrt_err err = qy_sql_code(conn, scopes_json(key->scopes, &scopes), "api_key", key->id);

	if (err) {
		return err;
	}
	err = qy_sql_run(conn,
			 "INSERT INTO api_key (id, name, secret_hash, scopes_json, rep_id,"
			 " rate_per_minute, expires_at, created_at)"
			 " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
			 QY_ARGS(QY_T(key->id), QY_T(key->name), QY_T(key->secret_hash),
				 QY_T(scopes), QY_TN(key->rep_id), QY_N(key->rate_per_minute),
				 QY_TN(key->expires_at), QY_T(key->created_at)));
	free(scopes);
	return err;
}

static enum qrt_err load_scopes(struct qrt_db_conn *conn, struct qy_apikey *key)
{
	QRT_AUTO_STMT rows = NULL;
	bool row = false;
	enum qrt_err err = qy_sql_open(conn,
				       "SELECT s.value FROM api_key AS k,"
				       " json_each(k.scopes_json) AS s WHERE k.id = ?1",
				       QY_ARGS(QY_T(key->id)), &rows);

	while (!err && !(err = qrt_db_step(rows, &row)) && row) {
		enum qy_scope scope;
		const char *text = qrt_db_text(rows, 0);
		enum qy_code code = qy_scope_parse(text ? text : "", &scope);

		err = qy_sql_code(conn, code, "api_key", key->id);
		if (!err) {
			key->scopes |= (uint32_t)scope;
		}
	}
	return err;
}

enum qrt_err qy_repo_apikey_load(struct qrt_db_conn *conn, const char *id,
				 struct qy_apikey *ret_key)
{
	QRT_AUTO_STMT stmt = NULL;
	struct qy_apikey key;
	bool row = false;
	enum qrt_err err;

	err = qy_sql_open(conn,
			  "SELECT id, name, secret_hash, rep_id, rate_per_minute, expires_at,"
			  " revoked_at, last_used_at, created_at FROM api_key WHERE id = ?1",
			  QY_ARGS(QY_T(id)), &stmt);
	if (!err) {
		err = qrt_db_step(stmt, &row);
	}
	if (!err && !row) {
		err = QRT_ENOENT;
	}
	if (err) {
		return err;
	}
	memset(&key, 0, sizeof(key));
	qy_sql_copy(stmt, 0, key.id, sizeof(key.id));
	qy_sql_copy(stmt, 1, key.name, sizeof(key.name));
	qy_sql_copy(stmt, 2, key.secret_hash, sizeof(key.secret_hash));
	qy_sql_copy(stmt, 3, key.rep_id, sizeof(key.rep_id));
	key.rate_per_minute = (unsigned)qrt_db_int(stmt, 4);
	qy_sql_copy(stmt, 5, key.expires_at, sizeof(key.expires_at));
	qy_sql_copy(stmt, 6, key.revoked_at, sizeof(key.revoked_at));
	qy_sql_copy(stmt, 7, key.last_used_at, sizeof(key.last_used_at));
	qy_sql_copy(stmt, 8, key.created_at, sizeof(key.created_at));
	err = load_scopes(conn, &key);
	if (!err) {
		*ret_key = key;
	}
	return err;
}

enum qrt_err qy_repo_apikey_touch(struct qrt_db_conn *conn, const char *id, const char *now)
{
	return qy_sql_run(conn, "UPDATE api_key SET last_used_at = ?2 WHERE id = ?1",
			  QY_ARGS(QY_T(id), QY_T(now)));
}
