/* The table org_settings: values are JSON; a missing row means the default. */
#include "quotey/core/text.h"
#include "quotey/db/repo.h"
#include "quotey/db/sql.h"

enum qrt_err qy_repo_setting_number(struct qrt_db_conn *conn, const char *key, int64_t standard,
				    int64_t *ret_value)
{
	enum qrt_err err = qy_sql_number(conn,
					 "SELECT json_extract(value_json, '$') FROM org_settings"
					 " WHERE key = ?1",
					 QY_ARGS(QY_T(key)), ret_value);

	if (err == QRT_ENOENT) {
		*ret_value = standard;
		err = QRT_OK;
	}
	return err;
}

enum qrt_err qy_repo_setting_text(struct qrt_db_conn *conn, const char *key, const char *standard,
				  char *ret_text, size_t size)
{
	struct qy_arg arg = QY_T(key);
	enum qrt_err err = qy_sql_word(conn,
				       "SELECT json_extract(value_json, '$') FROM org_settings"
				       " WHERE key = ?1",
				       &arg, size, ret_text);

	if (err == QRT_ENOENT) {
		qy_text_cut(ret_text, size, standard);
		err = QRT_OK;
	}
	return err;
}
