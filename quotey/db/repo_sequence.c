/* The table id_sequence: counters that are taken in the transaction that uses the number. */
#include "quotey/db/repo.h"
#include "quotey/db/sql.h"

enum qrt_err qy_repo_sequence_next(struct qrt_db_conn *conn, const char *name, const char *now,
				   uint64_t *ret_value)
{
	int64_t value = 0;
	enum qrt_err err;

	err = qy_sql_run(conn,
			 "INSERT INTO id_sequence (name, next_value, created_at, updated_at)"
			 " VALUES (?1, 2, ?2, ?2) ON CONFLICT (name)"
			 " DO UPDATE SET next_value = next_value + 1, updated_at = ?2",
			 QY_ARGS(QY_T(name), QY_T(now)));
	if (!err) {
		err = qy_sql_number(conn, "SELECT next_value - 1 FROM id_sequence WHERE name = ?1",
				    QY_ARGS(QY_T(name)), &value);
	}
	if (!err) {
		*ret_value = (uint64_t)value;
	}
	return err;
}
