/* A database in memory: a transaction is whole or not at all, whatever runs out. */
#include <qrt/db.h>
#include <stdio.h>
#include <string.h>

#include "tests/conformance/conformance.h"

struct ledger {
	struct qrt_db *db;
	int64_t sum, rows;
	char text[32];
};

static void ledger_clean(struct qrt_cx *cx, void *arg)
{
	struct ledger *ledger = arg;
	qrt_db_close(cx, &ledger->db);
}

static enum qrt_err make(struct qrt_db_conn *conn, void *arg)
{
	(void)arg;
	return qrt_db_exec(conn, "CREATE TABLE entry (id INTEGER PRIMARY KEY, n INTEGER NOT NULL, "
				 "t TEXT); CREATE INDEX by_n ON entry (n);");
}

static enum qrt_err add(struct qrt_db_conn *conn, int64_t n, const char *text)
{
	struct qrt_db_stmt *stmt;
	enum qrt_err err = qrt_db_prepare(conn, "INSERT INTO entry (n, t) VALUES (?, ?)", &stmt);
	if (err) {
		return err;
	}
	qrt_db_bind_int(stmt, 1, n);
	qrt_db_bind_text(stmt, 2, text);
	err = qrt_db_run(stmt);
	qrt_db_finish(&stmt);
	return err;
}

static enum qrt_err add_two(struct qrt_db_conn *conn, void *arg)
{
	(void)arg;
	enum qrt_err err = add(conn, 40, "forty");
	return err ? err : add(conn, 2, "two");
}

static enum qrt_err add_one_and_refuse(struct qrt_db_conn *conn, void *arg)
{
	(void)arg;
	enum qrt_err err = add(conn, 1000, "never");
	return err ? err : qrt_db_fail(conn, QRT_ECONFLICT, "on second thought");
}

static enum qrt_err count(struct qrt_db_conn *conn, void *arg)
{
	struct ledger *ledger = arg;
	struct qrt_db_stmt *stmt;
	bool row = false;
	enum qrt_err err =
	    qrt_db_prepare(conn, "SELECT count(*), sum(n), max(t) FROM entry", &stmt);
	if (err) {
		return err;
	}
	err = qrt_db_step(stmt, &row);
	if (!err && row) {
		const char *text = qrt_db_text(stmt, 2);
		ledger->rows = qrt_db_int(stmt, 0);
		ledger->sum = qrt_db_int(stmt, 1);
		snprintf(ledger->text, sizeof(ledger->text), "%s", text ? text : "?");
	}
	qrt_db_finish(&stmt);
	return err;
}

static enum qrt_err whole_scenario(struct qrt_cx *cx, void *arg)
{
	struct ledger *ledger = arg;
	const struct qrt_db_options opts = {.url = ":memory:", .readers = 1};
	TRY(qrt_db_open(cx, &opts, &ledger->db));
	TRY(qrt_db_write(cx, ledger->db, make, NULL));
	enum qrt_err wrote = qrt_db_write(cx, ledger->db, add_two, NULL);
	EXPECT_ERR(QRT_ECONFLICT, qrt_db_write(cx, ledger->db, add_one_and_refuse, NULL));
	EXPECT(strcmp(qrt_detail(cx), "on second thought") == 0);
	TRY(qrt_db_read(cx, ledger->db, count, ledger));
	EXPECT(ledger->rows == (wrote ? 0 : 2)); /* both or none */
	TRY(wrote);
	EXPECT(ledger->sum == 42);
	EXPECT(strcmp(ledger->text, "two") == 0);
	return QRT_OK;
}

static const struct conformance_scenario scenarios[] = {
    {"a transaction is whole or not at all", whole_scenario, .state_size = sizeof(struct ledger),
     .clean = ledger_clean},
};
CONFORMANCE_SUITE(db, scenarios);
