/*
 * Who is refused, and what is known of it afterwards: the answer, the counters, a line of the log,
 * and an audit row, on each real backend.
 */
#include "tests/lib/test.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "quotey/server/denied.h"
#include "tests/lib/database.h"
#include "tests/lib/stand.h"

/* --- who may not ----------------------------------------------------------------------------- */

static enum qrt_err make_key(struct qrt_cx *cx, struct stand *stand, const char *scopes,
			     bool revoked, char ret_key[QY_APIKEY_TEXT_SIZE])
{
	struct qy_apikey spec = {.name = "t", .rate_per_minute = 1000};
	char id[QY_APIKEY_ID_SIZE], secret[QY_APIKEY_SECRET_SIZE];
	struct qy_store store;
	struct qy_fault fault;
	enum qrt_err err = QRT_OK;

	EXPECT(qy_scopes_parse(scopes, &spec.scopes) == QY_OK);
	EXPECT(!qrt_db_open(cx, &stand->db_env.options, &store.db));
	err = qy_store_apikey_create(cx, &store, &spec, ret_key, &fault);
	if (!err && revoked && qy_apikey_parse(ret_key, id, secret) == QY_OK) {
		err = qy_store_apikey_revoke(cx, &store, id, &fault);
	}
	qrt_db_close(cx, &store.db);
	return err;
}

static const struct {
	const char *method, *path, *scope, *other;
} doors[] = {
    {"GET", QUOTES, "quotes:read", "quotes:write"},
    {"POST", QUOTES, "quotes:write", "quotes:read"},
    {"GET", QUOTES "/quote-netnew-001", "quotes:read", "quotes:write"},
    {"POST", QUOTES "/quote-netnew-001/price", "quotes:write", "quotes:read"},
    {"POST", QUOTES "/quote-netnew-001/preview", "quotes:read", "quotes:write"},
};

static enum qrt_err knock(struct qrt_cx *cx, void *arg)
{
	struct stand *stand = arg;
	char unknown[QY_APIKEY_TEXT_SIZE], wrong[QY_APIKEY_TEXT_SIZE];
	char revoked[QY_APIKEY_TEXT_SIZE], other[QY_APIKEY_TEXT_SIZE], part[80];
	size_t n = 0;

	EXPECT(!stand_move(cx, stand, "db"));
	memcpy(unknown, stand->writer, sizeof(unknown));
	unknown[3] = unknown[3] == '0' ? '1' : '0';
	memcpy(wrong, stand->writer, sizeof(wrong));
	wrong[strlen(wrong) - 1] = wrong[strlen(wrong) - 1] == '0' ? '1' : '0';
	EXPECT(!make_key(cx, stand, "admin", true, revoked));
	for (size_t i = 0; i < sizeof(doors) / sizeof(doors[0]); i++) {
		struct question ask = {doors[i].method, doors[i].path, NULL, NULL, NULL};

		EXPECT(!make_key(cx, stand, doors[i].other, false, other));
		snprintf(part, sizeof(part), "lacks the scope %s.", doors[i].scope);
		const struct {
			const char *key;
			int status;
			const char *part;
		} cases[] = {
		    {NULL, 401, "MISSING_API_KEY"},
		    {unknown, 401, "INVALID_API_KEY"},
		    {wrong, 401, "INVALID_API_KEY"},
		    {revoked, 401, "REVOKED_API_KEY"},
		    {other, 403, part},
		};
		for (size_t j = 0; j < sizeof(cases) / sizeof(cases[0]); j++) {
			ask.key = cases[j].key;
			EXPECT(!stand_expect(cx, stand, &ask, cases[j].status, cases[j].part));
			EXPECT(atomic_load(&stand->counters.denied) == ++n);
		}
	}
	return QRT_OK;
}

static void knocked(struct stand *stand)
{
	stand_run(stand, knock);
	assert_non_null(strstr(stand->text, "denied code=INSUFFICIENT_SCOPE client=127.0.0.1 "));
}

static void no_door_opens_without_a_live_key_of_its_scope(void **state)
{
	(void)state;
	on_each_stand(knocked);
}

static enum qrt_err one_caller_too_many(struct qrt_cx *cx, void *arg)
{
	struct stand *stand = arg;
	struct question ask = {"GET", QUOTES, stand->writer, NULL, NULL};
	struct qrt_rate_verdict verdict;
	char key[32];
	int64_t now_ns;

	EXPECT(!stand_move(cx, stand, "db"));
	EXPECT(!qrt_now(cx, &now_ns));
	for (int i = 0; i < QRT_RATE_KEYS_MAX; i++) {
		snprintf(key, sizeof(key), "caller %d", i);
		EXPECT(!qrt_rate_take(stand->rate, key, 60, now_ns, &verdict));
	}
	EXPECT(!stand_expect(cx, stand, &ask, 503, "too many callers"));
	return QRT_OK;
}

static void too_many_callers(struct stand *stand)
{
	stand_run(stand, one_caller_too_many);
}

static void a_caller_without_a_window_is_told_to_come_back(void **state)
{
	(void)state;
	on_each_stand(too_many_callers);
}

/* --- their rows ------------------------------------------------------------------------------ */

static enum qrt_err audit_rows(struct qrt_cx *cx, struct stand *stand, uint64_t *ret_rows)
{
	struct qy_counts counts;
	enum qrt_err err = qy_db_ping(cx, stand->server_env.db, &counts);

	*ret_rows = err ? 0 : counts.audit_events;
	return err;
}

static enum qrt_err be_refused(struct qrt_cx *cx, void *arg)
{
	struct stand *stand = arg;
	struct question ask = {"GET", QUOTES, "qk_01234567_00", NULL, NULL};
	uint64_t before = 0, after = 0;

	EXPECT(!stand_move(cx, stand, "db"));
	EXPECT(!audit_rows(cx, stand, &before));
	for (int i = 0; i < QY_DENIED_ROWS_PER_MINUTE - 1; i++) {
		EXPECT(!stand_expect(cx, stand, &ask, 401, "INVALID_API_KEY"));
	}
	ask =
	    (struct question){"POST", QUOTES "/quote-netnew-001/price", stand->writer, NULL, NULL};
	EXPECT(!stand_expect(cx, stand, &ask, 200, "{"));
	EXPECT(!audit_rows(cx, stand, &after));
	/* The last of them is the price's own audit; the others are refusals. */
	EXPECT(after - before > QY_DENIED_ROWS_PER_MINUTE - 1);
	before = after;
	ask = (struct question){"GET", QUOTES, NULL, NULL, NULL};
	for (int i = 0; i < 10; i++) {
		EXPECT(!stand_expect(cx, stand, &ask, 401, "MISSING_API_KEY"));
	}
	EXPECT(!audit_rows(cx, stand, &after));
	EXPECT(after - before == 1);
	EXPECT(atomic_load(&stand->counters.denied) == QY_DENIED_ROWS_PER_MINUTE + 9);
	EXPECT(atomic_load(&stand->counters.unaudited) == 9);
	return QRT_OK;
}

static void refused(struct stand *stand)
{
	stand_run(stand, be_refused);
	assert_non_null(strstr(stand->text, " warn server: denied code=INVALID_API_KEY "
					    "client=127.0.0.1 "));
	assert_null(strstr(stand->text, "01234567_00"));
}

static void refusals_are_audited_but_not_without_end(void **state)
{
	(void)state;
	on_each_stand(refused);
}

#define AT_ONCE 8

static enum qrt_err ask_without_a_key(struct qrt_cx *cx, void *arg)
{
	const struct question ask = {"GET", QUOTES, NULL, NULL, NULL};

	return stand_expect(cx, arg, &ask, 401, "MISSING_API_KEY");
}

/* Their rows wait for one writer: each is told of what came before it and has none, and no row. */
static enum qrt_err be_refused_at_once(struct qrt_cx *cx, void *arg)
{
	struct stand *stand = arg;
	struct qrt_region *region = NULL;
	uint64_t before = 0, after = 0;

	EXPECT(!stand_move(cx, stand, "db"));
	EXPECT(!audit_rows(cx, stand, &before));
	EXPECT(!qrt_region_open(cx, QRT_FAIL_FAST, &region));
	for (int i = 0; i < AT_ONCE; i++) {
		EXPECT(!qrt_spawn(region, ask_without_a_key, stand));
	}
	EXPECT(!qrt_region_close(cx, &region, QRT_OK));
	EXPECT(!audit_rows(cx, stand, &after));
	EXPECT(atomic_load(&stand->counters.denied) == AT_ONCE);
	/* A row that comes too late is none, and is counted; more than once nothing is. */
	EXPECT(after - before <= AT_ONCE);
	EXPECT(atomic_load(&stand->counters.unaudited) <= AT_ONCE - (after - before));
	return QRT_OK;
}

static void refused_at_once(struct stand *stand)
{
	stand_run(stand, be_refused_at_once);
}

static void refusals_at_once_are_each_counted_once(void **state)
{
	(void)state;
	on_each_stand(refused_at_once);
}

/* Without the database there is no row: the next one tells how many had none, and of whom it is. */
static enum qrt_err be_refused_without_a_database(struct qrt_cx *cx, void *arg)
{
	static const char row[] =
	    "SELECT actor_type || ':' || actor_id || ' ' || (metadata_json ->> 'unaudited') "
	    "FROM audit_event WHERE event_type = 'auth.denied' ORDER BY seq DESC LIMIT 1";
	struct stand *stand = arg;
	char unknown[QY_APIKEY_TEXT_SIZE], want[64];
	struct question ask = {"GET", QUOTES, NULL, NULL, NULL};
	struct qrt_db *db = NULL;
	bool told, whose;

	for (uint64_t i = 1; i <= 3; i++) {
		EXPECT(!stand_expect(cx, stand, &ask, 401, "MISSING_API_KEY"));
		EXPECT(atomic_load(&stand->counters.unaudited) == i);
	}
	EXPECT(!stand_move(cx, stand, "db"));
	EXPECT(!stand_expect(cx, stand, &ask, 401, "MISSING_API_KEY"));
	EXPECT(atomic_load(&stand->counters.unaudited) == 0);
	EXPECT(!qrt_db_open(cx, &stand->db_env.options, &db));
	told = db_reads(cx, db, row, "system:server 3");
	memcpy(unknown, stand->writer, sizeof(unknown));
	unknown[3] = unknown[3] == '0' ? '1' : '0';
	ask.key = unknown;
	whose = !stand_expect(cx, stand, &ask, 401, "INVALID_API_KEY");
	snprintf(want, sizeof(want), "service:qk_%.8s 0", unknown + 3);
	whose = whose && db_reads(cx, db, row, want);
	qrt_db_close(cx, &db);
	EXPECT(told && whose);
	return QRT_OK;
}

static void refused_without_a_database(struct stand *stand)
{
	stand_run(stand, be_refused_without_a_database);
}

static void a_row_tells_how_many_before_it_have_none(void **state)
{
	(void)state;
	on_each_stand(refused_without_a_database);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(no_door_opens_without_a_live_key_of_its_scope),
	    cmocka_unit_test(a_caller_without_a_window_is_told_to_come_back),
	    cmocka_unit_test(refusals_are_audited_but_not_without_end),
	    cmocka_unit_test(refusals_at_once_are_each_counted_once),
	    cmocka_unit_test(a_row_tells_how_many_before_it_have_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
