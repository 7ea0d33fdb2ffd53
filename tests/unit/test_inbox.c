/*
 * The inbox on every backend: what is stored, what is known by which of its keys, what is audited,
 * and that nothing of what is refused stays. Never asserts inside a task: a task returns an error.
 */
#include "tests/lib/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "quotey/db/migrate.h"
#include "quotey/db/migrations.h"
#include "quotey/db/sql.h"
#include "quotey/db/store.h"
#include "tests/lib/backends.h"

typedef enum qrt_err body_fn(struct qrt_cx *cx, struct qy_store *store);

static enum qrt_err on_fresh_database(struct qrt_cx *cx, void *arg)
{
	const struct qrt_db_options opts = {.url = ":memory:", .readers = 1};
	body_fn *const *body = arg;
	struct qy_migrate_report migrated;
	struct qy_store store;
	enum qrt_err err = qrt_db_open(cx, &opts, &store.db);

	if (err) {
		return err;
	}
	err = qy_migrate_up(cx, store.db, &qy_migrations, 0, &migrated);
	if (!err) {
		err = (*body)(cx, &store);
	}
	qrt_db_close(cx, &store.db);
	return err;
}

static void check(body_fn *body)
{
	on_each_backend(on_fresh_database, &body);
}

struct look {
	const char *sql;
	int64_t number;
};

static enum qrt_err look_job(struct qrt_db_conn *conn, void *arg)
{
	struct look *look = arg;

	return qy_sql_number(conn, look->sql, QY_NO_ARGS, &look->number);
}

static int64_t number(struct qrt_cx *cx, struct qy_store *store, const char *sql)
{
	struct look look = {.sql = sql};

	return qrt_db_read(cx, store->db, look_job, &look) ? -1 : look.number;
}

static enum qrt_err receive(struct qrt_cx *cx, struct qy_store *store, const char *envelope,
			    const char *event, const char *dedupe, struct qy_inbox_receipt *receipt)
{
	struct qy_inbox_item item = {.kind = "events_api", .payload_json = "{\"a\":1}"};

	snprintf(item.envelope_id, sizeof(item.envelope_id), "%s", envelope);
	snprintf(item.event_id, sizeof(item.event_id), "%s", event);
	snprintf(item.dedupe_key, sizeof(item.dedupe_key), "%s", dedupe);
	return qy_store_inbox_receive(cx, store, &item, receipt);
}

/* --- what is stored ------------------------------------------------------------------------- */

static enum qrt_err store_two(struct qrt_cx *cx, struct qy_store *store)
{
	struct qy_inbox_item item = {.envelope_id = "E2",
				     .kind = "news",
				     .dedupe_key = "env:E2",
				     .thread_key = "C1:1.2",
				     .ignored = true,
				     .payload_json = "[1.5]"};
	struct qy_inbox_receipt receipt;

	EXPECT(receive(cx, store, "E1", "Ev1", "msg:C1:1.1", &receipt) == QRT_OK);
	EXPECT(receipt.seq == 1 && !receipt.duplicate);
	EXPECT(qy_store_inbox_receive(cx, store, &item, &receipt) == QRT_OK);
	EXPECT(receipt.seq == 2 && !receipt.duplicate);
	EXPECT(
	    number(cx, store,
		   "SELECT count(*) FROM inbox WHERE seq = 1 AND envelope_id = 'E1'"
		   " AND event_id = 'Ev1' AND dedupe_key = 'msg:C1:1.1' AND kind = 'events_api'"
		   " AND thread_key IS NULL AND payload_json = '{\"a\":1}' AND state = 'received'"
		   " AND attempts = 0 AND acked_at IS NULL AND claimed_by IS NULL"
		   " AND received_at = created_at AND updated_at = created_at") == 1);
	EXPECT(number(cx, store,
		      "SELECT count(*) FROM inbox WHERE seq = 2 AND event_id IS NULL"
		      " AND thread_key = 'C1:1.2' AND payload_json = '[1.5]'"
		      " AND state = 'ignored'") == 1);
	EXPECT(number(cx, store,
		      "SELECT count(*) FROM audit_event WHERE event_type = 'slack.received'"
		      " AND category = 'ingress' AND outcome = 'success' AND entity_type = 'inbox'"
		      " AND entity_id = correlation_id AND actor_type = 'service'"
		      " AND actor_id = 'slack'") == 2);
	return QRT_OK;
}

static void an_envelope_is_stored_as_it_came(void **state)
{
	(void)state;
	check(store_two);
}

/* --- what is known -------------------------------------------------------------------------- */

static enum qrt_err send_again(struct qrt_cx *cx, struct qy_store *store)
{
	static const struct {
		const char *envelope, *event, *dedupe;
		bool duplicate;
	} again[] = {
	    {"E1", "Ev1", "k1", true},	{"E1", "", "k9", true},	   {"E2", "Ev1", "k9", true},
	    {"E2", "Ev9", "k1", true},	{"E2", "", "k1", true},	   {"E2", "", "k2", false},
	    {"E3", "", "k3", false}, /* no event id is like another */
	    {"E4", "Ev4", "k4", false}, {"E4", "Ev1", "k3", true},
	};
	struct qy_inbox_receipt receipt;

	EXPECT(receive(cx, store, "E1", "Ev1", "k1", &receipt) == QRT_OK);
	for (size_t i = 0; i < sizeof(again) / sizeof(again[0]); i++) {
		EXPECT(receive(cx, store, again[i].envelope, again[i].event, again[i].dedupe,
			       &receipt) == QRT_OK);
		EXPECT(receipt.duplicate == again[i].duplicate);
	}
	/* Known by three rows: the oldest is the one that is told. */
	EXPECT(receipt.seq == 1);
	EXPECT(number(cx, store, "SELECT count(*) FROM inbox") == 4);
	EXPECT(number(cx, store,
		      "SELECT count(*) FROM audit_event WHERE event_type = 'slack.duplicate'"
		      " AND outcome = 'rejected' AND entity_id = 'E1'") == 6);
	EXPECT(number(cx, store,
		      "SELECT count(*) FROM audit_event WHERE event_type = 'slack.duplicate'"
		      " AND correlation_id = 'E2' AND entity_id = 'E1'") == 3);
	return QRT_OK;
}

static void a_duplicate_is_known_by_any_of_its_keys(void **state)
{
	(void)state;
	check(send_again);
}

/* --- what is refused ------------------------------------------------------------------------ */

static enum qrt_err send_rubbish(struct qrt_cx *cx, struct qy_store *store)
{
	struct qy_inbox_item item = {.envelope_id = "E1",
				     .kind = "events_api",
				     .dedupe_key = "k1",
				     .payload_json = "{\"a\":"};
	struct qy_inbox_receipt receipt = {.seq = 7};

	EXPECT(qy_store_inbox_receive(cx, store, &item, &receipt) != QRT_OK);
	EXPECT(receipt.seq == 7);
	EXPECT(number(cx, store, "SELECT count(*) FROM inbox") == 0);
	EXPECT(number(cx, store, "SELECT count(*) FROM audit_event") == 0);
	return QRT_OK;
}

static void what_is_no_json_leaves_nothing(void **state)
{
	(void)state;
	check(send_rubbish);
}

/* --- acks ----------------------------------------------------------------------------------- */

static const char acked_ms[] =
    "SELECT CAST(substr(acked_at, 18, 2) || substr(acked_at, 21, 3) AS INTEGER) FROM inbox"
    " WHERE seq = 2";

static enum qrt_err ack_twice(struct qrt_cx *cx, struct qy_store *store)
{
	struct qy_inbox_receipt receipt;
	int64_t first;

	EXPECT(receive(cx, store, "E1", "", "k1", &receipt) == QRT_OK);
	EXPECT(receive(cx, store, "E2", "", "k2", &receipt) == QRT_OK);
	EXPECT(qy_store_inbox_acked(cx, store, 2) == QRT_OK);
	EXPECT(number(cx, store, "SELECT count(*) FROM inbox WHERE acked_at IS NULL") == 1);
	first = number(cx, store, acked_ms);
	EXPECT(first >= 0);
	EXPECT(qrt_sleep(cx, 5 * QRT_MS) == QRT_OK);
	EXPECT(qy_store_inbox_acked(cx, store, 2) == QRT_OK);
	EXPECT(number(cx, store, acked_ms) == first);
	EXPECT(qy_store_inbox_acked(cx, store, 99) == QRT_OK);
	return QRT_OK;
}

static void the_first_ack_is_noted(void **state)
{
	(void)state;
	check(ack_twice);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(an_envelope_is_stored_as_it_came),
	    cmocka_unit_test(a_duplicate_is_known_by_any_of_its_keys),
	    cmocka_unit_test(what_is_no_json_leaves_nothing),
	    cmocka_unit_test(the_first_ack_is_noted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
