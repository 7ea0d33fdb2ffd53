/* The table runtime_switch: the journal of moves. Append only. */
#include <stdlib.h>
#include <string.h>

#include "quotey/db/repo.h"
#include "quotey/db/sql.h"

void qy_journal_fini(struct qy_journal *journal)
{
	if (journal) {
		free(journal->items);
		memset(journal, 0, sizeof(*journal));
	}
}

enum qrt_err qy_repo_journal_add(struct qrt_db_conn *conn, const struct qy_journal_entry *entry,
				 const char *now)
{
	return qy_sql_run(conn,
			  "INSERT INTO runtime_switch (at, component, from_backend, to_backend,"
			  " percent, actor, reason, killed, duration_ms, in_flight, stragglers,"
			  " outcome, detail, created_at)"
			  " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
			  QY_ARGS(QY_T(entry->at[0] ? entry->at : now), QY_T(entry->component),
				  QY_TN(entry->from_backend), QY_T(entry->to_backend),
				  QY_N(entry->percent), QY_T(entry->actor), QY_T(entry->reason),
				  QY_N(entry->killed), QY_N(entry->duration_ms),
				  QY_N(entry->in_flight), QY_N(entry->stragglers),
				  QY_T(entry->outcome), QY_TN(entry->detail), QY_T(now)));
}

static void read_entry(const struct qrt_db_stmt *row, struct qy_journal_entry *entry)
{
	entry->seq = (uint64_t)qrt_db_int(row, 0);
	qy_sql_copy(row, 1, entry->at, sizeof(entry->at));
	qy_sql_copy(row, 2, entry->component, sizeof(entry->component));
	qy_sql_copy(row, 3, entry->from_backend, sizeof(entry->from_backend));
	qy_sql_copy(row, 4, entry->to_backend, sizeof(entry->to_backend));
	entry->percent = (unsigned)qrt_db_int(row, 5);
	qy_sql_copy(row, 6, entry->actor, sizeof(entry->actor));
	qy_sql_copy(row, 7, entry->reason, sizeof(entry->reason));
	entry->killed = qrt_db_int(row, 8) != 0;
	entry->duration_ms = qrt_db_int(row, 9);
	entry->in_flight = (uint64_t)qrt_db_int(row, 10);
	entry->stragglers = (uint64_t)qrt_db_int(row, 11);
	qy_sql_copy(row, 12, entry->outcome, sizeof(entry->outcome));
	qy_sql_copy(row, 13, entry->detail, sizeof(entry->detail));
}

enum qrt_err qy_repo_journal_load(struct qrt_db_conn *conn, unsigned limit,
				  struct qy_journal *ret_journal)
{
	QRT_AUTO_STMT rows = NULL;
	struct qy_journal journal = {.items = calloc(limit, sizeof(*journal.items))};
	bool row = false;
	enum qrt_err err;

	if (!journal.items) {
		return QRT_ENOMEM;
	}
	err = qy_sql_open(conn,
			  "SELECT seq, at, component, from_backend, to_backend, percent, actor,"
			  " reason, killed, duration_ms, in_flight, stragglers, outcome, detail"
			  " FROM runtime_switch ORDER BY seq DESC LIMIT ?1",
			  QY_ARGS(QY_N(limit)), &rows);
	while (!err && !(err = qrt_db_step(rows, &row)) && row && journal.count < limit) {
		read_entry(rows, &journal.items[journal.count++]);
	}
	if (err) {
		qy_journal_fini(&journal);
		return err;
	}
	*ret_journal = journal;
	return QRT_OK;
}
