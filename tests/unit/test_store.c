/*
 * Quotey's store on every backend of this build: migrations, seed data, and the operations with
 * every row they write. Never asserts inside a task (cmocka jumps, and a task has a stack of its
 * own): a task says what failed and returns an error.
 */
#include "tests/lib/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <qrt/runtime.h>
#include <qrt/switchboard.h>

#include "quotey/core/text.h"
#include "quotey/db/component.h"
#include "quotey/db/content.h"
#include "quotey/db/dump.h"
#include "quotey/db/figures.h"
#include "quotey/db/migrate.h"
#include "quotey/db/repo.h"
#include "quotey/db/sql.h"
#include "quotey/db/store.h"
#include "tests/lib/backends.h"

static char folder[200];
static char file_path[260];
static char file_url[280];

static enum qrt_err missed(const char *what, int line, enum qrt_err err, const char *detail)
{
	fprintf(stderr, "%s:%d: %s (%s \"%s\")\n", __FILE__, line, what, qrt_err_name(err), detail);
	return QRT_EFAILED;
}

/* In a task: what does not hold ends it. */
#define MUST(cond)                                                                                 \
	do {                                                                                       \
		if (!(cond)) {                                                                     \
			return missed(#cond, __LINE__, QRT_OK, qrt_detail(cx));                    \
		}                                                                                  \
	} while (0)
#define MUST_GIVE(call, want)                                                                      \
	do {                                                                                       \
		enum qrt_err must_got = (call);                                                    \
		if (must_got != (want)) {                                                          \
			return missed(#call, __LINE__, must_got, qrt_detail(cx));                  \
		}                                                                                  \
	} while (0)
#define MUST_BE(call) MUST_GIVE(call, QRT_OK)
#define DETAIL_HAS(text) (strstr(qrt_detail(cx), (text)) != NULL)

/* --- surroundings -------------------------------------------------------------------------- */

static void remove_files(void)
{
	static const char *const ends[] = {"", "-wal", "-shm"};

	for (size_t i = 0; i < 3; i++) {
		char path[300];

		snprintf(path, sizeof(path), "%s%s", file_path, ends[i]);
		unlink(path);
	}
}

static int make_folder(void **state)
{
	const char *tmp = getenv("TMPDIR");

	(void)state;
	snprintf(folder, sizeof(folder), "%s/qy-store-XXXXXX", tmp ? tmp : "/tmp");
	if (!mkdtemp(folder)) {
		return -1;
	}
	snprintf(file_path, sizeof(file_path), "%s/quotey.db", folder);
	snprintf(file_url, sizeof(file_url), "sqlite://%s", file_path);
	return 0;
}

static int remove_folder(void **state)
{
	(void)state;
	remove_files();
	return rmdir(folder);
}

/* What a test does with an open database, and in what state it wants it. */
typedef enum qrt_err body_fn(struct qrt_cx *cx, struct qy_store *store);

enum setting { EMPTY, MIGRATED, SEEDED };

struct scenario {
	body_fn *body;
	enum setting setting;
	const char *url;
};

static enum qrt_err prepare(struct qrt_cx *cx, struct qy_store *store, enum setting setting)
{
	struct qy_migrate_report migrated;
	struct qy_seed_report seeded;

	if (setting >= MIGRATED) {
		MUST_BE(qy_migrate_up(cx, store->db, &qy_migrations, 0, &migrated));
	}
	if (setting >= SEEDED) {
		MUST_BE(qy_store_seed_load(cx, store, &seeded));
		MUST(seeded.passed == QY_SEED_CHECKS);
	}
	return QRT_OK;
}

static enum qrt_err run_scenario(struct qrt_cx *cx, void *arg)
{
	const struct scenario *scenario = arg;
	const struct qrt_db_options opts = {.url = scenario->url, .readers = 2};
	struct qy_store store;
	enum qrt_err err;

	remove_files();
	MUST_BE(qrt_db_open(cx, &opts, &store.db));
	err = prepare(cx, &store, scenario->setting);
	if (!err) {
		err = scenario->body(cx, &store);
	}
	qrt_db_close(cx, &store.db);
	return err;
}

static void check(body_fn *body, enum setting setting)
{
	struct scenario scenario = {.body = body, .setting = setting, .url = ":memory:"};

	on_each_backend(run_scenario, &scenario);
}

static void check_in_file(body_fn *body, enum setting setting)
{
	struct scenario scenario = {.body = body, .setting = setting, .url = file_url};

	on_each_backend(run_scenario, &scenario);
}

/* --- looking at rows ----------------------------------------------------------------------- */

static enum qrt_err exec_job(struct qrt_db_conn *conn, void *arg)
{
	return qrt_db_exec(conn, arg);
}

static enum qrt_err exec_sql(struct qrt_cx *cx, struct qy_store *store, const char *sql)
{
	return qrt_db_write(cx, store->db, exec_job, (void *)(uintptr_t)sql);
}

struct look {
	const char *sql;
	char text[512];
};

static enum qrt_err look_job(struct qrt_db_conn *conn, void *arg)
{
	struct look *look = arg;

	return qy_sql_word(conn, look->sql, NULL, sizeof(look->text), look->text);
}

/* Whether the first column of the first row reads so; says what it reads when not. */
static bool reads(struct qrt_cx *cx, struct qy_store *store, const char *sql, const char *want)
{
	struct look look = {.sql = sql};
	enum qrt_err err = qrt_db_read(cx, store->db, look_job, &look);

	if (err || strcmp(look.text, want) != 0) {
		fprintf(stderr, "%s\n  gives %s \"%s\", not \"%s\"\n", sql, qrt_err_name(err),
			look.text, want);
		return false;
	}
	return true;
}

/* --- quotes to work with ------------------------------------------------------------------- */

static const struct qy_origin origin = {"user:rep.sarah", "cor-test"};

/* A complete draft for Acme, without lines. */
static enum qy_code make_header(struct qy_quote *quote)
{
	enum qy_code code;

	qy_quote_init(quote);
	code = qy_quote_set(quote, QY_FIELD_ACCOUNT_ID, "acct-acme");
	code |= qy_quote_set(quote, QY_FIELD_ACCOUNT_NAME, "Acme Corp");
	code |= qy_quote_set(quote, QY_FIELD_CURRENCY, "USD");
	code |= qy_quote_set(quote, QY_FIELD_BILLING_COUNTRY, "DE");
	code |= qy_quote_set(quote, QY_FIELD_PAYMENT_TERMS, "net_30");
	code |= qy_quote_set_term(quote, 12);
	return code;
}

static enum qy_code add_line(struct qy_quote *quote, const char *product, int64_t quantity,
			     int64_t manual_price)
{
	char id[16];
	const struct qy_line_spec spec = {
	    .id = id,
	    .product_id = product,
	    .quantity = quantity,
	    .unit_price_minor = manual_price,
	    .price_source = manual_price ? QY_PRICE_MANUAL : QY_PRICE_LIST,
	};

	/* The quote has no id yet, so its lines bring provisional ones. */
	snprintf(id, sizeof(id), "new-%zu", quote->line_count + 1);
	return qy_quote_add_line(quote, &spec, NULL);
}

/* Creates a complete quote with one line; @ret_id gets its id. */
static enum qrt_err create_one(struct qrt_cx *cx, struct qy_store *store, const char *product,
			       int64_t quantity, int64_t manual_price, char *ret_id)
{
	struct qy_quote quote;
	struct qy_fault fault;

	MUST(make_header(&quote) == QY_OK);
	MUST(add_line(&quote, product, quantity, manual_price) == QY_OK);
	MUST_BE(qy_store_quote_create(cx, store, &origin, &quote, &fault));
	MUST(fault.kind == QY_FAULT_NONE);
	snprintf(ret_id, QY_QUOTE_ID_SIZE, "%s", quote.id);
	qy_quote_fini(&quote);
	return QRT_OK;
}

static struct qy_price_request request_for(const char *id)
{
	struct qy_price_request request = {.origin = origin};

	qy_text_cut(request.quote_id, sizeof(request.quote_id), id);
	return request;
}

/* --- migrations ---------------------------------------------------------------------------- */

static enum qrt_err up_down_up(struct qrt_cx *cx, struct qy_store *store)
{
	char first[QRT_SHA256_HEX_SIZE];
	char half[QRT_SHA256_HEX_SIZE];
	char again[QRT_SHA256_HEX_SIZE];
	struct qy_migrate_report report;

	MUST_BE(qy_migrate_up(cx, store->db, &qy_migrations, 0, &report));
	MUST(report.from == 0 && report.to == qy_migrations.count);
	MUST_BE(qy_migrate_signature(cx, store->db, first));
	MUST_BE(qy_migrate_verify(cx, store->db, &qy_migrations));
	MUST_BE(qy_migrate_down(cx, store->db, &qy_migrations, 2, &report));
	MUST(report.from == qy_migrations.count && report.to == 2);
	MUST_BE(qy_migrate_signature(cx, store->db, half));
	MUST(strcmp(first, half) != 0);
	MUST_GIVE(qy_migrate_verify(cx, store->db, &qy_migrations), QRT_ESTATE);
	MUST(DETAIL_HAS("0002") && DETAIL_HAS("0006"));
	MUST_BE(qy_migrate_down(cx, store->db, &qy_migrations, 0, &report));
	MUST(reads(cx, store, "SELECT group_concat(name) FROM sqlite_schema", "schema_migration"));
	MUST(reads(cx, store, "SELECT count(*) FROM schema_migration", "0"));
	MUST_BE(qy_migrate_up(cx, store->db, &qy_migrations, 3, &report));
	MUST(report.from == 0 && report.to == 3);
	MUST_BE(qy_migrate_up(cx, store->db, &qy_migrations, 0, &report));
	MUST_BE(qy_migrate_signature(cx, store->db, again));
	MUST(strcmp(first, again) == 0);
	MUST_BE(qy_migrate_up(cx, store->db, &qy_migrations, 0, &report));
	MUST(report.from == report.to);
	MUST_GIVE(qy_migrate_up(cx, store->db, &qy_migrations, 99, &report), QRT_EINVAL);
	return QRT_OK;
}

static void up_down_and_up_give_one_schema_signature(void **state)
{
	(void)state;
	check(up_down_up, EMPTY);
}

static enum qrt_err down_with_rows(struct qrt_cx *cx, struct qy_store *store)
{
	struct qy_migrate_report report;

	MUST_BE(qy_migrate_down(cx, store->db, &qy_migrations, 0, &report));
	MUST(reads(cx, store, "SELECT group_concat(name) FROM sqlite_schema", "schema_migration"));
	return QRT_OK;
}

static void the_way_down_works_with_rows_in_the_tables(void **state)
{
	(void)state;
	check(down_with_rows, SEEDED);
}

static enum qrt_err strange_history(struct qrt_cx *cx, struct qy_store *store)
{
	struct qy_migrate_report report;

	MUST_BE(
	    exec_sql(cx, store, "UPDATE schema_migration SET checksum = 'x' WHERE version = 2"));
	MUST_GIVE(qy_migrate_up(cx, store->db, &qy_migrations, 0, &report), QRT_ECONFLICT);
	MUST(DETAIL_HAS("0002"));
	MUST_GIVE(qy_migrate_verify(cx, store->db, &qy_migrations), QRT_ECONFLICT);
	MUST_BE(exec_sql(cx, store,
			 "DELETE FROM schema_migration WHERE version = 2;"
			 "UPDATE schema_migration SET version = 2 WHERE version = 99"));
	MUST_GIVE(qy_migrate_down(cx, store->db, &qy_migrations, 0, &report), QRT_ECORRUPT);
	MUST(DETAIL_HAS("0002") && DETAIL_HAS("0003"));
	MUST_BE(exec_sql(cx, store, "UPDATE schema_migration SET version = version + 90"));
	MUST_GIVE(qy_migrate_verify(cx, store->db, &qy_migrations), QRT_ENOTSUP);
	MUST(DETAIL_HAS("0091"));
	return QRT_OK;
}

static void a_changed_missing_or_newer_migration_is_named(void **state)
{
	(void)state;
	check(strange_history, MIGRATED);
}

/* The signature of a database whose only table was made by this text. */
static enum qrt_err signature_of(struct qrt_cx *cx, struct qy_store *store, const char *up,
				 char ret_hex[QRT_SHA256_HEX_SIZE])
{
	const struct qy_migration step = {1, "only", up, "DROP TABLE only_one"};
	const struct qy_migration_set set = {&step, 1};
	struct qy_migrate_report report;

	MUST_BE(qy_migrate_up(cx, store->db, &set, 0, &report));
	MUST_BE(qy_migrate_signature(cx, store->db, ret_hex));
	MUST_BE(qy_migrate_down(cx, store->db, &set, 0, &report));
	return QRT_OK;
}

static enum qrt_err spellings(struct qrt_cx *cx, struct qy_store *store)
{
	char plain[QRT_SHA256_HEX_SIZE];
	char spaced[QRT_SHA256_HEX_SIZE];
	char other[QRT_SHA256_HEX_SIZE];

	MUST_BE(signature_of(cx, store, "CREATE TABLE only_one (a INTEGER, b TEXT)", plain));
	MUST_BE(signature_of(cx, store, "CREATE TABLE only_one  (a\n\tINTEGER, b TEXT)", spaced));
	MUST_BE(signature_of(cx, store, "CREATE TABLE only_one (a INTEGER, c TEXT)", other));
	MUST(strcmp(plain, spaced) == 0);
	MUST(strcmp(plain, other) != 0);
	return QRT_OK;
}

static void the_signature_tells_schemas_apart_but_not_their_blanks(void **state)
{
	(void)state;
	check(spellings, EMPTY);
}

static enum qrt_err failing_step(struct qrt_cx *cx, struct qy_store *store)
{
	static const struct qy_migration steps[] = {
	    {1, "good", "CREATE TABLE a (x INTEGER, y INTEGER)", "DROP TABLE a"},
	    {2, "bad", "CREATE TABLE b (x INTEGER, y INTEGER); INSERT INTO nothing VALUES (1)",
	     "DROP TABLE b"},
	};
	const struct qy_migration_set set = {steps, 2};
	struct qy_migrate_report report;
	char before[QRT_SHA256_HEX_SIZE];
	char after[QRT_SHA256_HEX_SIZE];
	enum qrt_err err;

	MUST_BE(qy_migrate_up(cx, store->db, &set, 1, &report));
	MUST_BE(qy_migrate_signature(cx, store->db, before));
	err = qy_migrate_up(cx, store->db, &set, 0, &report);
	MUST(err != QRT_OK && err != QRT_ECOMMITUNKNOWN);
	MUST(DETAIL_HAS("migration 0002 (bad) up: "));
	MUST_BE(qy_migrate_signature(cx, store->db, after));
	MUST(strcmp(before, after) == 0);
	MUST(reads(cx, store, "SELECT group_concat(version) FROM schema_migration", "1"));
	return QRT_OK;
}

static void a_failing_statement_leaves_the_schema_before_its_migration(void **state)
{
	(void)state;
	check(failing_step, EMPTY);
}

static enum qrt_err new_file(struct qrt_cx *cx, struct qy_store *store)
{
	struct qy_counts counts;

	MUST(access(file_path, F_OK) == 0);
	MUST(reads(cx, store, "SELECT journal_mode FROM pragma_journal_mode", "wal"));
	MUST(reads(cx, store, "SELECT foreign_keys FROM pragma_foreign_keys", "1"));
	MUST_BE(qy_store_ping(cx, store, &counts));
	MUST(counts.schema_version == qy_migrations.count);
	MUST(counts.quotes == 0 && counts.products == 0);
	MUST_BE(qy_migrate_verify(cx, store->db, &qy_migrations));
	return QRT_OK;
}

static void a_missing_file_is_created_with_the_newest_schema(void **state)
{
	(void)state;
	check_in_file(new_file, MIGRATED);
}

/* --- seed data ----------------------------------------------------------------------------- */

static enum qrt_err check_counts(struct qrt_cx *cx, struct qy_store *store)
{
	MUST(reads(cx, store, "SELECT count(*) FROM quote", "4"));
	MUST(reads(cx, store, "SELECT count(*) FROM quote_line", "10"));
	MUST(reads(cx, store, "SELECT count(*) FROM flow_state", "3"));
	MUST(reads(cx, store, "SELECT count(*) FROM audit_event", "4"));
	MUST(reads(cx, store, "SELECT count(*) FROM pricing_snapshot", "3"));
	MUST(reads(cx, store, "SELECT count(*) FROM approval_request", "1"));
	MUST(reads(cx, store, "SELECT count(*) FROM product", "10"));
	MUST(reads(cx, store, "SELECT count(*) FROM sales_rep", "7"));
	MUST(reads(cx, store,
		   "SELECT group_concat(t) FROM (SELECT sum(quantity * unit_price_minor)"
		   " AS t FROM quote_line GROUP BY quote_id ORDER BY quote_id)",
		   "60000,250000,185000,730000"));
	MUST(reads(cx, store,
		   "SELECT group_concat(total_minor) FROM (SELECT total_minor FROM"
		   " pricing_snapshot ORDER BY quote_id)",
		   "45000,185000,730000"));
	MUST(reads(cx, store, "SELECT enum_json FROM constraint_rule WHERE kind = 'ATTRIBUTE_ENUM'",
		   "[\"eu\",\"us\"]"));
	return QRT_OK;
}

static enum qrt_err seed_twice(struct qrt_cx *cx, struct qy_store *store)
{
	struct qy_seed_report report;
	char before[QRT_SHA256_HEX_SIZE];
	char after[QRT_SHA256_HEX_SIZE];

	MUST_BE(qy_store_seed_load(cx, store, &report));
	MUST(report.count == 27 && report.passed == 27);
	MUST(report.rows_changed > 40);
	MUST_BE(check_counts(cx, store));
	MUST_BE(qy_store_checksum(cx, store, before));
	MUST_BE(qy_store_seed_load(cx, store, &report));
	MUST(report.rows_changed == 0 && report.passed == 27);
	MUST_BE(qy_store_checksum(cx, store, after));
	MUST(strcmp(before, after) == 0);
	return QRT_OK;
}

static void the_seed_passes_27_checks_and_loads_twice_as_once(void **state)
{
	(void)state;
	check(seed_twice, MIGRATED);
}

static enum qrt_err broken_seed(struct qrt_cx *cx, struct qy_store *store)
{
	struct qy_seed_report report;
	const struct qy_seed_check *failed = NULL;

	MUST_BE(exec_sql(cx, store,
			 "UPDATE quote_line SET quantity = 99"
			 " WHERE quote_id = 'quote-netnew-001' AND position = 1"));
	MUST_BE(qy_store_seed_check(cx, store, &report));
	MUST(report.count == 27 && report.passed == 26);
	for (unsigned i = 0; i < report.count; i++) {
		failed = report.checks[i].passed ? failed : &report.checks[i];
	}
	MUST(failed && strcmp(failed->name, "quote-netnew-001 subtotal") == 0);
	MUST(strcmp(failed->expected, "250000") == 0 && strcmp(failed->found, "248200") == 0);
	return QRT_OK;
}

static void a_changed_sample_fails_its_check(void **state)
{
	(void)state;
	check(broken_seed, SEEDED);
}

static enum qrt_err clean_seed(struct qrt_cx *cx, struct qy_store *store)
{
	struct qy_seed_report report;
	char id[QY_QUOTE_ID_SIZE];

	MUST_BE(qy_store_seed_clean(cx, store, &report));
	MUST(report.rows_changed > 0 && report.count == 0);
	MUST(reads(cx, store,
		   "SELECT (SELECT count(*) FROM quote) + (SELECT count(*) FROM product)"
		   " + (SELECT count(*) FROM sales_rep) + (SELECT count(*) FROM"
		   " audit_event) + (SELECT count(*) FROM constraint_rule)",
		   "0"));
	MUST_BE(qy_store_seed_load(cx, store, &report));
	MUST(report.passed == 27);
	MUST_BE(create_one(cx, store, "prd-growth", 2, 0, id));
	MUST_BE(create_one(cx, store, "prd-enterprise", 5, 0, id));
	MUST_BE(qy_store_seed_clean(cx, store, &report));
	MUST(reads(cx, store, "SELECT count(*) FROM quote", "2"));
	/* What the quote uses stays, with what that uses. */
	MUST(reads(cx, store, "SELECT group_concat(id) FROM (SELECT id FROM product ORDER BY id)",
		   "prd-enterprise,prd-growth,prd-sso,prd-support,prd-team"));
	return QRT_OK;
}

static void removing_the_seed_leaves_what_others_use(void **state)
{
	(void)state;
	check(clean_seed, SEEDED);
}

/* --- creating and reading ------------------------------------------------------------------ */

static enum qrt_err new_ids(struct qrt_cx *cx, struct qy_store *store)
{
	char want[QY_QUOTE_ID_SIZE];
	char id[QY_QUOTE_ID_SIZE];
	int64_t now_ms;
	int year;

	MUST_BE(qrt_wall_ms(cx, &now_ms));
	MUST(qy_year_of(now_ms, &year) == QY_OK);
	for (unsigned n = 1; n <= 3; n++) {
		MUST_BE(create_one(cx, store, "prd-team", n, 0, id));
		snprintf(want, sizeof(want), "Q-%04d-%04u", year, n);
		MUST(strcmp(id, want) == 0);
	}
	MUST_BE(exec_sql(cx, store, "UPDATE id_sequence SET next_value = 10000"));
	MUST_BE(create_one(cx, store, "prd-team", 1, 0, id));
	snprintf(want, sizeof(want), "Q-%04d-10000", year);
	MUST(strcmp(id, want) == 0);
	MUST(reads(cx, store,
		   "SELECT count(*) FROM quote_line WHERE quote_id LIKE 'Q-%'"
		   " AND id = quote_id || '-ql-1'",
		   "4"));
	return QRT_OK;
}

static void new_quotes_count_from_one_within_their_year(void **state)
{
	(void)state;
	check(new_ids, SEEDED);
}

static enum qrt_err created_rows(struct qrt_cx *cx, struct qy_store *store)
{
	char id[QY_QUOTE_ID_SIZE];
	struct qy_quote quote;
	struct qy_fault fault;

	MUST_BE(create_one(cx, store, "prd-team", 250, 0, id));
	MUST_BE(qy_store_quote_get(cx, store, id, &quote, &fault));
	MUST(fault.kind == QY_FAULT_NONE);
	MUST(quote.status == QY_STATUS_DRAFT && quote.version == 1 && quote.state_version == 1);
	MUST(qy_text_equal(quote.created_by, "user:rep.sarah"));
	MUST(quote.valid_until && strlen(quote.valid_until) == QY_DATE_LEN);
	MUST(quote.line_count == 1 && quote.line_seq == 1);
	MUST(quote.lines[0].price_source == QY_PRICE_TIER);
	MUST(quote.lines[0].unit_price_minor == 1650);
	qy_quote_fini(&quote);
	MUST(reads(cx, store,
		   "SELECT event_type || category || outcome || actor_type ||"
		   " actor_id || correlation_id FROM audit_event"
		   " ORDER BY seq DESC LIMIT 1",
		   "quote.createdpersistencesuccessuserrep.sarahcor-test"));
	MUST(reads(cx, store,
		   "SELECT current_step || step_number || missing_fields_json FROM"
		   " flow_state WHERE quote_id LIKE 'Q-%'",
		   "gather_requirements1[]"));
	MUST_BE(qy_store_quote_get(cx, store, "Q-1999-0001", &quote, &fault));
	MUST(fault.kind == QY_FAULT_NOT_FOUND && strcmp(fault.name, "NOT_FOUND") == 0);
	qy_quote_fini(&quote);
	return QRT_OK;
}

static void a_new_quote_has_its_defaults_flow_state_and_audit_row(void **state)
{
	(void)state;
	check(created_rows, SEEDED);
}

/* Tries to create @quote and wants a fault of that code and place; the database stays as it is. */
static enum qrt_err refuse(struct qrt_cx *cx, struct qy_store *store, struct qy_quote *quote,
			   enum qy_code code, const char *field)
{
	char before[QRT_SHA256_HEX_SIZE];
	char after[QRT_SHA256_HEX_SIZE];
	struct qy_fault fault;

	MUST_BE(qy_store_checksum(cx, store, before));
	MUST_BE(qy_store_quote_create(cx, store, &origin, quote, &fault));
	MUST(fault.kind == QY_FAULT_INVALID && fault.code == code);
	MUST(strcmp(fault.field, field) == 0);
	MUST(quote->account_name != NULL);
	MUST_BE(qy_store_checksum(cx, store, after));
	MUST(strcmp(before, after) == 0);
	qy_quote_fini(quote);
	return QRT_OK;
}

static enum qrt_err refused_quotes(struct qrt_cx *cx, struct qy_store *store)
{
	struct qy_quote quote;
	struct qy_fault fault;

	MUST(make_header(&quote) == QY_OK && add_line(&quote, "prd-team", 1, 0) == QY_OK);
	MUST(add_line(&quote, "prd-none", 1, 0) == QY_OK);
	MUST_BE(refuse(cx, store, &quote, QY_UNKNOWN_PRODUCT, "product_id"));
	MUST(make_header(&quote) == QY_OK && add_line(&quote, "prd-none", 1, 500) == QY_OK);
	MUST_BE(refuse(cx, store, &quote, QY_UNKNOWN_PRODUCT, "product_id"));
	MUST(make_header(&quote) == QY_OK && add_line(&quote, "prd-team", 1, 0) == QY_OK);
	MUST(qy_quote_set(&quote, QY_FIELD_CURRENCY, "EUR") == QY_OK);
	MUST_BE(refuse(cx, store, &quote, QY_CURRENCY_MISMATCH, "product_id"));
	MUST(make_header(&quote) == QY_OK);
	MUST(qy_quote_set(&quote, QY_FIELD_PRIOR_QUOTE_ID, "Q-1999-0001") == QY_OK);
	MUST_BE(refuse(cx, store, &quote, QY_INVALID_FIELD, "prior_quote_id"));
	MUST(make_header(&quote) == QY_OK);
	MUST(qy_quote_set(&quote, QY_FIELD_SALES_REP_ID, "rep.nobody") == QY_OK);
	MUST_BE(refuse(cx, store, &quote, QY_INVALID_FIELD, "sales_rep_id"));
	MUST(make_header(&quote) == QY_OK);
	MUST(qy_quote_set(&quote, QY_FIELD_VALID_UNTIL, "2999-01-01") == QY_OK);
	MUST_BE(refuse(cx, store, &quote, QY_INVALID_FIELD, "valid_until"));

	MUST(make_header(&quote) == QY_OK);
	MUST(qy_quote_set(&quote, QY_FIELD_ID, "quote-netnew-001") == QY_OK);
	MUST_BE(qy_store_quote_create(cx, store, &origin, &quote, &fault));
	MUST(fault.kind == QY_FAULT_CONFLICT);
	qy_quote_fini(&quote);

	/* Once the setting allows it, a line outside the catalogue is taken with its own price. */
	MUST_BE(exec_sql(cx, store,
			 "INSERT INTO org_settings (key, value_json, created_at,"
			 " updated_at) VALUES ('allow_custom_line_items', 'true',"
			 " '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z')"));
	MUST(make_header(&quote) == QY_OK && add_line(&quote, "prd-none", 1, 500) == QY_OK);
	MUST_BE(qy_store_quote_create(cx, store, &origin, &quote, &fault));
	MUST(fault.kind == QY_FAULT_NONE && quote.lines[0].unit_price_minor == 500);
	qy_quote_fini(&quote);
	return QRT_OK;
}

static void a_quote_that_is_not_acceptable_leaves_no_row(void **state)
{
	(void)state;
	check(refused_quotes, SEEDED);
}

static const struct {
	enum qy_quote_field field;
	const char *text;
} full_texts[] = {
    {QY_FIELD_ID, "Q-2026-0042"},
    {QY_FIELD_ACCOUNT_ID, "acct-\xc3\xa9"},
    {QY_FIELD_ACCOUNT_NAME, "Acme \"Corp\" <&>"},
    {QY_FIELD_DEAL_ID, "deal-1"},
    {QY_FIELD_CURRENCY, "KWD"},
    {QY_FIELD_START_DATE, "2026-02-01"},
    {QY_FIELD_END_DATE, "2027-01-31"},
    {QY_FIELD_VALID_UNTIL, "2026-03-01"},
    {QY_FIELD_PAYMENT_TERMS, "upfront"},
    {QY_FIELD_BILLING_COUNTRY, "KW"},
    {QY_FIELD_NOTES, "two\nlines"},
    {QY_FIELD_PRIOR_QUOTE_ID, "quote-renewal-000"},
    {QY_FIELD_DISCOUNT_REASON, "because"},
    {QY_FIELD_CREATED_BY, "agent:slack"},
    {QY_FIELD_SALES_REP_ID, "rep.mike"},
    {QY_FIELD_FINGERPRINT, "abc123"},
    {QY_FIELD_FINALIZED_AT, "2026-01-02T03:04:05.001Z"},
    {QY_FIELD_SENT_AT, "2026-01-02T03:04:05.002Z"},
    {QY_FIELD_CUSTOMER_DECIDED_AT, "2026-01-02T03:04:05.003Z"},
    {QY_FIELD_SLACK_CHANNEL, "C0SALES01"},
    {QY_FIELD_SLACK_THREAD_TS, "1767322985.000100"},
    {QY_FIELD_LOCKED_BY, "user:rep.mike"},
    {QY_FIELD_LOCKED_AT, "2026-01-02T03:04:05.004Z"},
    {QY_FIELD_LOCK_EXPIRES_AT, "2026-01-02T03:34:05.004Z"},
    {QY_FIELD_CREATED_AT, "2026-01-02T03:04:05.005Z"},
    {QY_FIELD_UPDATED_AT, "2026-01-02T03:04:05.006Z"},
};

/* Every column holds something that is not its default. */
static enum qrt_err fill_quote(struct qrt_cx *cx, struct qy_quote *quote)
{
	static const struct qy_attribute_spec attributes[] = {
	    {"a \"quoted\" key", "a\\b \xc3\xbc"},
	    {"region", "eu"},
	    {"retention_days", "365"},
	};
	const struct qy_line_spec first = {
	    .position = 3,
	    .product_id = "prd-x",
	    .quantity = 1000000,
	    .unit_price_minor = INT64_MAX,
	    .price_source = QY_PRICE_MANUAL,
	    .discount_bps = 10000,
	    .attributes = attributes,
	    .attribute_count = 3,
	    .notes = "first",
	};
	const struct qy_line_spec second = {
	    .position = 7,
	    .product_id = " ",
	    .quantity = 0,
	    .unit_price_minor = -100,
	    .price_source = QY_PRICE_TIER,
	    .discount_bps = 1,
	};

	_Static_assert(sizeof(full_texts) / sizeof(full_texts[0]) == QY_FIELD_COUNT,
		       "every text field has a value");
	qy_quote_init(quote);
	for (size_t i = 0; i < QY_FIELD_COUNT; i++) {
		MUST(qy_quote_set(quote, full_texts[i].field, full_texts[i].text) == QY_OK);
	}
	quote->flow_type = QY_FLOW_RENEWAL_EXPANSION;
	quote->status = QY_STATUS_SENT;
	quote->customer_decision = QY_DECISION_REJECTED;
	quote->version = 3;
	quote->state_version = 17;
	quote->term_months = 120;
	quote->tax_rate_bps = 1900;
	MUST(qy_quote_add_line(quote, &first, NULL) == QY_OK);
	MUST(qy_quote_add_line(quote, &second, NULL) == QY_OK);
	quote->line_seq = 9;
	return QRT_OK;
}

static enum qrt_err insert_job(struct qrt_db_conn *conn, void *arg)
{
	return qy_repo_quote_insert(conn, arg);
}

static bool same_line(const struct qy_line *a, const struct qy_line *b)
{
	bool same = qy_text_equal(a->id, b->id) && a->position == b->position &&
		    qy_text_equal(a->product_id, b->product_id) && a->quantity == b->quantity &&
		    a->unit_price_minor == b->unit_price_minor &&
		    a->price_source == b->price_source && a->discount_bps == b->discount_bps &&
		    a->attribute_count == b->attribute_count && qy_text_equal(a->notes, b->notes);

	for (size_t i = 0; same && i < a->attribute_count; i++) {
		same = strcmp(a->attributes[i].key, b->attributes[i].key) == 0 &&
		       strcmp(a->attributes[i].value, b->attributes[i].value) == 0;
	}
	return same;
}

static enum qrt_err round_trip(struct qrt_cx *cx, struct qy_store *store)
{
	struct qy_quote saved;
	struct qy_quote loaded;
	struct qy_fault fault;
	char before[QRT_SHA256_HEX_SIZE];
	char after[QRT_SHA256_HEX_SIZE];

	MUST_BE(fill_quote(cx, &saved));
	MUST_BE(qrt_db_write(cx, store->db, insert_job, &saved));
	MUST_BE(qy_store_quote_get(cx, store, "Q-2026-0042", &loaded, &fault));
	MUST(fault.kind == QY_FAULT_NONE);
	for (size_t i = 0; i < QY_FIELD_COUNT; i++) {
		MUST(qy_text_equal(qy_quote_get(&loaded, full_texts[i].field), full_texts[i].text));
	}
	MUST(loaded.flow_type == saved.flow_type && loaded.status == saved.status);
	MUST(loaded.customer_decision == saved.customer_decision);
	MUST(loaded.version == 3 && loaded.state_version == 17 && loaded.line_seq == 9);
	MUST(loaded.term_months == 120 && loaded.tax_rate_bps == 1900);
	MUST(loaded.line_count == 2);
	MUST(same_line(&saved.lines[0], &loaded.lines[0]));
	MUST(same_line(&saved.lines[1], &loaded.lines[1]));
	MUST(qy_content_hash(&saved, before) == QY_OK && qy_content_hash(&loaded, after) == QY_OK);
	MUST(strcmp(before, after) == 0);
	qy_quote_fini(&saved);
	qy_quote_fini(&loaded);
	return QRT_OK;
}

static void every_column_of_a_quote_survives_the_round_trip(void **state)
{
	(void)state;
	check(round_trip, SEEDED);
}

static enum qrt_err lists(struct qrt_cx *cx, struct qy_store *store)
{
	struct qy_quote_filter filter = {.limit = 2};
	struct qy_quote_list list;
	char id[QY_QUOTE_ID_SIZE];

	MUST_BE(qy_store_quote_list(cx, store, &filter, &list));
	MUST(list.total == 4 && list.count == 2);
	MUST(strcmp(list.items[0].id, "quote-renewal-001") == 0 && list.items[0].line_count == 3);
	MUST(strcmp(list.items[1].id, "quote-renewal-000") == 0);
	qy_quote_list_fini(&list);
	filter.offset = 3;
	MUST_BE(qy_store_quote_list(cx, store, &filter, &list));
	MUST(list.total == 4 && list.count == 1);
	MUST(strcmp(list.items[0].id, "quote-discount-001") == 0);
	qy_quote_list_fini(&list);
	filter = (struct qy_quote_filter){.account_id = "acct-globex"};
	MUST_BE(qy_store_quote_list(cx, store, &filter, &list));
	MUST(list.total == 2 && list.count == 2);
	qy_quote_list_fini(&list);
	filter.has_status = true;
	filter.status = QY_STATUS_SENT;
	MUST_BE(qy_store_quote_list(cx, store, &filter, &list));
	MUST(list.total == 1 && strcmp(list.items[0].id, "quote-renewal-000") == 0);
	qy_quote_list_fini(&list);
	filter = (struct qy_quote_filter){.created_by = "user:rep.jenny' OR 1=1"};
	MUST_BE(qy_store_quote_list(cx, store, &filter, &list));
	MUST(list.total == 0 && list.count == 0);
	qy_quote_list_fini(&list);
	MUST_BE(create_one(cx, store, "prd-team", 1, 0, id));
	filter = (struct qy_quote_filter){.limit = QY_LIST_MAX};
	MUST_BE(qy_store_quote_list(cx, store, &filter, &list));
	MUST(list.total == 5 && list.count == 5);
	qy_quote_list_fini(&list);
	filter.limit = QY_LIST_MAX + 1;
	MUST_GIVE(qy_store_quote_list(cx, store, &filter, &list), QRT_EINVAL);
	return QRT_OK;
}

static void lists_filter_page_and_count(void **state)
{
	(void)state;
	check(lists, SEEDED);
}

static enum qrt_err product_lookup(struct qrt_cx *cx, struct qy_store *store)
{
	const struct qy_catalog_entry *entry;
	struct qy_catalog catalog;
	struct qy_fault fault;

	MUST_BE(qy_store_product_get(cx, store, "SEAT-ENT", &catalog, &fault));
	MUST(fault.kind == QY_FAULT_NONE && catalog.entry_count == 1);
	entry = qy_catalog_find_id(&catalog, "prd-enterprise");
	MUST(entry && entry->product.list_price_minor == 4200);
	MUST(entry->product.has_unit_cost && entry->product.unit_cost_minor == 1500);
	MUST(entry->attribute_count == 2 && entry->rule_count == 4);
	MUST(entry->rules[3].value_count == 2 && strcmp(entry->rules[3].values[1], "us") == 0);
	qy_catalog_fini(&catalog);
	MUST_BE(qy_store_product_get(cx, store, "prd-team", &catalog, &fault));
	entry = qy_catalog_find_id(&catalog, "prd-team");
	MUST(entry && entry->tier_count == 2);
	MUST(qy_catalog_tier(entry, 500)->unit_price_minor == 1500);
	qy_catalog_fini(&catalog);
	MUST_BE(qy_store_product_get(cx, store, "prd-growth", &catalog, &fault));
	MUST(qy_catalog_find(&catalog, "BND-GROWTH")->member_count == 2);
	qy_catalog_fini(&catalog);
	MUST_BE(qy_store_product_get(cx, store, "%", &catalog, &fault));
	MUST(fault.kind == QY_FAULT_NOT_FOUND);
	qy_catalog_fini(&catalog);
	return QRT_OK;
}

static void a_product_is_found_by_id_and_by_sku_with_all_its_parts(void **state)
{
	(void)state;
	check(product_lookup, SEEDED);
}

/* --- pricing ------------------------------------------------------------------------------- */

static enum qrt_err price_rows(struct qrt_cx *cx, struct qy_store *store)
{
	MUST(reads(cx, store,
		   "SELECT status || version || state_version FROM quote"
		   " WHERE id LIKE 'Q-%'",
		   "priced12"));
	MUST(reads(cx, store,
		   "SELECT current_step || step_number || missing_fields_json FROM"
		   " flow_state WHERE quote_id LIKE 'Q-%'",
		   "review_pricing3[]"));
	MUST(reads(cx, store,
		   "SELECT group_concat(event_type || ' ' || metadata_json, ';') FROM"
		   " (SELECT * FROM audit_event WHERE quote_id LIKE 'Q-%'"
		   "  AND category = 'flow' ORDER BY seq)",
		   "flow.transition_applied {\"event\":\"RequiredFieldsCollected\",\"from\":"
		   "\"draft\",\"to\":\"validated\"};flow.transition_applied {\"event\":"
		   "\"PricingCalculated\",\"from\":\"validated\",\"to\":\"priced\"}"));
	MUST(reads(cx, store,
		   "SELECT count(*) || metadata_json FROM audit_event WHERE"
		   " event_type = 'cpq.evaluated' AND correlation_id = 'cor-test'",
		   "1{\"currency\":\"USD\",\"discount_minor\":0,\"subtotal_minor\":330000,"
		   "\"total_minor\":330000,\"version\":1}"));
	return QRT_OK;
}

static enum qrt_err price_snapshot(struct qrt_cx *cx, struct qy_store *store,
				   const struct qy_price_result *result)
{
	struct qy_quote stored;
	struct qy_fault fault;
	char hash[QRT_SHA256_HEX_SIZE];

	MUST(reads(cx, store,
		   "SELECT version || ' ' || total_minor || ' ' ||"
		   " json_array_length(trace_json) || ' ' || priced_by FROM"
		   " pricing_snapshot WHERE quote_id LIKE 'Q-%'",
		   "1 330000 5 user:rep.sarah"));
	MUST(reads(cx, store, "SELECT id FROM pricing_snapshot WHERE quote_id LIKE 'Q-%'",
		   result->snapshot_id));
	MUST_BE(qy_store_quote_get(cx, store, result->quote.id, &stored, &fault));
	MUST(qy_content_hash(&stored, hash) == QY_OK);
	MUST(reads(cx, store, "SELECT content_hash FROM pricing_snapshot WHERE quote_id LIKE 'Q-%'",
		   hash));
	MUST(stored.lines[0].price_source == QY_PRICE_TIER);
	MUST(stored.lines[0].unit_price_minor == 1650);
	qy_quote_fini(&stored);
	return QRT_OK;
}

static enum qrt_err price_draft(struct qrt_cx *cx, struct qy_store *store)
{
	char id[QY_QUOTE_ID_SIZE];
	struct qy_price_request request;
	struct qy_price_result result;

	/* The stored price is stale: pricing goes by the catalogue as it is now. */
	MUST_BE(create_one(cx, store, "prd-team", 200, 0, id));
	MUST_BE(exec_sql(cx, store,
			 "UPDATE quote_line SET unit_price_minor = 1,"
			 " price_source = 'list' WHERE quote_id LIKE 'Q-%'"));
	request = request_for(id);
	MUST_BE(qy_store_quote_price(cx, store, &request, &result));
	MUST(result.fault.kind == QY_FAULT_NONE && result.has_pricing);
	MUST(result.missing.count == 0 && result.violations.count == 0);
	MUST(result.pricing.total_minor == 330000 && result.quote.status == QY_STATUS_PRICED);
	MUST(result.quote.state_version == 2);
	MUST_BE(price_rows(cx, store));
	MUST_BE(price_snapshot(cx, store, &result));
	qy_price_result_fini(&result);
	return QRT_OK;
}

static void pricing_a_draft_writes_quote_flow_audit_and_snapshot(void **state)
{
	(void)state;
	check(price_draft, SEEDED);
}

static enum qrt_err snapshot_value(struct qrt_cx *cx, struct qy_store *store)
{
	struct qy_price_request request;
	struct qy_price_result result;
	struct qy_pricing figures;
	char id[QY_QUOTE_ID_SIZE];

	MUST_BE(create_one(cx, store, "prd-team", 4, 2500, id));
	request = request_for(id);
	MUST_BE(qy_store_quote_price(cx, store, &request, &result));
	MUST(result.fault.kind == QY_FAULT_NONE && result.pricing.total_minor == 10000);
	MUST(qy_figures(&result.quote, &figures) == QY_OK && figures.total_minor == 10000);
	qy_pricing_fini(&figures);
	qy_price_result_fini(&result);
	MUST(reads(cx, store, "SELECT total_minor FROM pricing_snapshot WHERE quote_id LIKE 'Q-%'",
		   "10000"));
	MUST(reads(cx, store, "SELECT price_source FROM quote_line WHERE quote_id LIKE 'Q-%'",
		   "manual"));
	return QRT_OK;
}

static void a_manual_price_stays_and_its_snapshot_reads_back(void **state)
{
	(void)state;
	check(snapshot_value, SEEDED);
}

static enum qrt_err missing_fields(struct qrt_cx *cx, struct qy_store *store)
{
	const struct qy_price_request request = request_for("quote-netnew-001");
	struct qy_price_result result;

	MUST_BE(qy_store_quote_price(cx, store, &request, &result));
	MUST(result.fault.kind == QY_FAULT_NONE && !result.has_pricing);
	MUST(result.missing.count == 2);
	MUST(strcmp(result.missing.names[0], "billing_country") == 0);
	MUST(strcmp(result.missing.names[1], "payment_terms") == 0);
	MUST(result.quote.status == QY_STATUS_DRAFT && result.quote.state_version == 1);
	qy_price_result_fini(&result);
	MUST(reads(cx, store,
		   "SELECT status || state_version FROM quote WHERE"
		   " id = 'quote-netnew-001'",
		   "draft1"));
	MUST(reads(cx, store,
		   "SELECT count(*) || event_type || metadata_json FROM audit_event"
		   " WHERE quote_id = 'quote-netnew-001' AND category = 'flow'",
		   "1flow.transition_applied{\"event\":\"RequiredFieldsCollected\",\"from\":"
		   "\"draft\",\"to\":\"draft\"}"));
	MUST(reads(cx, store, "SELECT count(*) FROM pricing_snapshot", "3"));
	return QRT_OK;
}

static void missing_fields_keep_the_status_and_are_named(void **state)
{
	(void)state;
	check(missing_fields, SEEDED);
}

static enum qrt_err illegal_status(struct qrt_cx *cx, struct qy_store *store)
{
	const struct qy_price_request request = request_for("quote-renewal-000");
	struct qy_price_result result;

	MUST_BE(qy_store_quote_price(cx, store, &request, &result));
	MUST(result.fault.kind == QY_FAULT_CONFLICT);
	MUST(strcmp(result.fault.name, "INVALID_TRANSITION") == 0);
	MUST(result.fault.status == QY_STATUS_SENT);
	MUST(strcmp(result.fault.event, "RequiredFieldsCollected") == 0);
	qy_price_result_fini(&result);
	MUST(reads(cx, store,
		   "SELECT status || state_version FROM quote WHERE"
		   " id = 'quote-renewal-000'",
		   "sent1"));
	MUST(reads(cx, store,
		   "SELECT count(*) || outcome || metadata_json FROM audit_event WHERE"
		   " event_type = 'flow.transition_rejected'",
		   "1rejected{\"error\":\"INVALID_TRANSITION(sent, RequiredFieldsCollected)\","
		   "\"event\":\"RequiredFieldsCollected\"}"));
	return QRT_OK;
}

static void a_status_that_does_not_allow_pricing_is_a_conflict(void **state)
{
	(void)state;
	check(illegal_status, SEEDED);
}

/* Prices and wants this fault; the database stays exactly as it is. */
static enum qrt_err price_refused(struct qrt_cx *cx, struct qy_store *store,
				  const struct qy_price_request *request, enum qy_fault_kind kind,
				  struct qy_price_result *ret_result)
{
	char before[QRT_SHA256_HEX_SIZE];
	char after[QRT_SHA256_HEX_SIZE];

	MUST_BE(qy_store_checksum(cx, store, before));
	MUST_BE(qy_store_quote_price(cx, store, request, ret_result));
	MUST(ret_result->fault.kind == kind);
	MUST(!ret_result->has_pricing);
	MUST_BE(qy_store_checksum(cx, store, after));
	MUST(strcmp(before, after) == 0);
	return QRT_OK;
}

static enum qrt_err overflow(struct qrt_cx *cx, struct qy_store *store)
{
	struct qy_price_request request;
	struct qy_price_result result;
	char id[QY_QUOTE_ID_SIZE];

	MUST_BE(create_one(cx, store, "prd-team", 2, INT64_MAX, id));
	request = request_for(id);
	MUST_BE(price_refused(cx, store, &request, QY_FAULT_INVALID, &result));
	MUST(result.fault.code == QY_MONEY_OVERFLOW && result.fault.position == 1);
	MUST(strcmp(result.fault.name, "MONEY_OVERFLOW") == 0);
	MUST(result.quote.status == QY_STATUS_DRAFT);
	qy_price_result_fini(&result);
	return QRT_OK;
}

static void an_overflowing_line_changes_nothing(void **state)
{
	(void)state;
	check(overflow, SEEDED);
}

static enum qrt_err stale_or_absent(struct qrt_cx *cx, struct qy_store *store)
{
	struct qy_price_request request = request_for("quote-netnew-001");
	struct qy_price_result result;

	request.if_state_version = 7;
	MUST_BE(price_refused(cx, store, &request, QY_FAULT_STALE, &result));
	qy_price_result_fini(&result);
	request = request_for("Q-1999-0001");
	MUST_BE(price_refused(cx, store, &request, QY_FAULT_NOT_FOUND, &result));
	qy_price_result_fini(&result);
	return QRT_OK;
}

static void a_stale_or_unknown_quote_is_not_priced(void **state)
{
	(void)state;
	check(stale_or_absent, SEEDED);
}

static bool same_violations(const struct qy_violations *a, const struct qy_violations *b)
{
	bool same = a->count == b->count;

	for (size_t i = 0; same && i < a->count; i++) {
		same = a->items[i].code == b->items[i].code &&
		       a->items[i].position == b->items[i].position &&
		       strcmp(a->items[i].product_id, b->items[i].product_id) == 0 &&
		       strcmp(a->items[i].message, b->items[i].message) == 0 &&
		       strcmp(a->items[i].suggestion, b->items[i].suggestion) == 0;
	}
	return same;
}

/* Checks @quote in memory, stores it, prices it and wants the same list. @quote is consumed. */
static enum qrt_err violations_survive(struct qrt_cx *cx, struct qy_store *store,
				       struct qy_quote *quote, size_t count)
{
	struct qy_violations wanted;
	struct qy_price_request request;
	struct qy_price_result result;
	struct qy_fault fault;

	MUST(qy_check(quote, NULL, &wanted) == QY_OK && wanted.count == count);
	MUST_BE(qy_store_quote_create(cx, store, &origin, quote, &fault));
	MUST(fault.kind == QY_FAULT_NONE);
	request = request_for(quote->id);
	MUST_BE(price_refused(cx, store, &request, QY_FAULT_VIOLATIONS, &result));
	MUST(same_violations(&wanted, &result.violations));
	qy_price_result_fini(&result);
	qy_violations_fini(&wanted);
	qy_quote_fini(quote);
	return QRT_OK;
}

static enum qrt_err violations(struct qrt_cx *cx, struct qy_store *store)
{
	struct qy_quote quote;

	MUST(make_header(&quote) == QY_OK);
	MUST_BE(violations_survive(cx, store, &quote, 1));
	MUST(make_header(&quote) == QY_OK && add_line(&quote, "prd-team", 0, 1800) == QY_OK);
	MUST(add_line(&quote, "prd-sso", 1, 200) == QY_OK);
	MUST(add_line(&quote, "prd-team", 1, 1800) == QY_OK);
	MUST(add_line(&quote, " ", 1, 500) == QY_OK);
	MUST_BE(violations_survive(cx, store, &quote, 3));
	return QRT_OK;
}

static void violations_are_the_same_after_a_round_trip_and_change_nothing(void **state)
{
	(void)state;
	check(violations, SEEDED);
}

static enum qrt_err preview(struct qrt_cx *cx, struct qy_store *store)
{
	char before[QRT_SHA256_HEX_SIZE];
	char after[QRT_SHA256_HEX_SIZE];
	struct qy_price_result result;

	MUST_BE(qy_store_checksum(cx, store, before));
	MUST_BE(qy_store_quote_preview(cx, store, "quote-netnew-001", &result));
	MUST(result.fault.kind == QY_FAULT_NONE && result.has_pricing);
	MUST(result.pricing.subtotal_minor == 250000 && result.missing.count == 2);
	qy_price_result_fini(&result);
	MUST_BE(qy_store_quote_preview(cx, store, "quote-discount-001", &result));
	MUST(result.has_pricing && result.pricing.total_minor == 45000);
	qy_price_result_fini(&result);
	MUST_BE(qy_store_quote_preview(cx, store, "Q-1999-0001", &result));
	MUST(result.fault.kind == QY_FAULT_NOT_FOUND);
	qy_price_result_fini(&result);
	MUST_BE(qy_store_checksum(cx, store, after));
	MUST(strcmp(before, after) == 0);
	/* The checksum is no constant: it tells one bit of one row. */
	MUST_BE(exec_sql(cx, store,
			 "UPDATE quote SET notes = notes || '.' WHERE"
			 " id = 'quote-netnew-001'"));
	MUST_BE(qy_store_checksum(cx, store, after));
	MUST(strcmp(before, after) != 0);
	return QRT_OK;
}

static void a_preview_changes_no_row(void **state)
{
	(void)state;
	check(preview, SEEDED);
}

/* Each makes one write of `price` fail. */
static const char *const price_writes[] = {
    "BEFORE UPDATE ON quote",
    "BEFORE UPDATE ON quote_line",
    "BEFORE UPDATE ON flow_state",
    "BEFORE INSERT ON pricing_snapshot",
    "BEFORE INSERT ON audit_event WHEN new.action = 'RequiredFieldsCollected'",
    "BEFORE INSERT ON audit_event WHEN new.action = 'PricingCalculated'",
    "BEFORE INSERT ON audit_event WHEN new.event_type = 'cpq.evaluated'",
};

static enum qrt_err failing_writes(struct qrt_cx *cx, struct qy_store *store)
{
	struct qy_price_request request;
	struct qy_price_result result;
	char id[QY_QUOTE_ID_SIZE];
	char before[QRT_SHA256_HEX_SIZE];
	char after[QRT_SHA256_HEX_SIZE];
	char sql[256];

	MUST_BE(create_one(cx, store, "prd-team", 200, 0, id));
	MUST_BE(exec_sql(cx, store,
			 "UPDATE quote_line SET unit_price_minor = 1"
			 " WHERE quote_id LIKE 'Q-%'"));
	request = request_for(id);
	MUST_BE(qy_store_checksum(cx, store, before));
	for (size_t i = 0; i < sizeof(price_writes) / sizeof(price_writes[0]); i++) {
		snprintf(sql, sizeof(sql),
			 "CREATE TRIGGER fault %s BEGIN SELECT raise(ABORT, 'on purpose'); END",
			 price_writes[i]);
		MUST_BE(exec_sql(cx, store, sql));
		MUST(qy_store_quote_price(cx, store, &request, &result) != QRT_OK);
		MUST_BE(exec_sql(cx, store, "DROP TRIGGER fault"));
		MUST_BE(qy_store_checksum(cx, store, after));
		MUST(strcmp(before, after) == 0);
	}
	MUST_BE(qy_store_quote_price(cx, store, &request, &result));
	MUST(result.fault.kind == QY_FAULT_NONE && result.has_pricing);
	qy_price_result_fini(&result);
	return QRT_OK;
}

static void whichever_write_of_pricing_fails_every_table_stays(void **state)
{
	(void)state;
	check(failing_writes, SEEDED);
}

static const char *const create_writes[] = {
    "BEFORE UPDATE ON id_sequence",
    "BEFORE INSERT ON quote",
    "BEFORE INSERT ON quote_line WHEN new.position = 2",
    "BEFORE INSERT ON flow_state",
    "BEFORE INSERT ON audit_event",
};

static enum qrt_err failing_creates(struct qrt_cx *cx, struct qy_store *store)
{
	char id[QY_QUOTE_ID_SIZE];
	char before[QRT_SHA256_HEX_SIZE];
	char after[QRT_SHA256_HEX_SIZE];
	char sql[256];
	struct qy_quote quote;
	struct qy_fault fault;

	MUST_BE(create_one(cx, store, "prd-team", 1, 0, id));
	MUST(make_header(&quote) == QY_OK && add_line(&quote, "prd-team", 1, 0) == QY_OK);
	MUST(add_line(&quote, "prd-sso", 1, 0) == QY_OK);
	MUST_BE(qy_store_checksum(cx, store, before));
	for (size_t i = 0; i < sizeof(create_writes) / sizeof(create_writes[0]); i++) {
		snprintf(sql, sizeof(sql),
			 "CREATE TRIGGER fault %s BEGIN SELECT raise(ABORT, 'on purpose'); END",
			 create_writes[i]);
		MUST_BE(exec_sql(cx, store, sql));
		MUST(qy_store_quote_create(cx, store, &origin, &quote, &fault) != QRT_OK);
		MUST(quote.line_count == 2 && !quote.id);
		MUST_BE(exec_sql(cx, store, "DROP TRIGGER fault"));
		MUST_BE(qy_store_checksum(cx, store, after));
		MUST(strcmp(before, after) == 0);
	}
	MUST_BE(qy_store_quote_create(cx, store, &origin, &quote, &fault));
	/* No number was lost to the failures. */
	MUST(fault.kind == QY_FAULT_NONE && strcmp(quote.id + 7, "0002") == 0);
	qy_quote_fini(&quote);
	return QRT_OK;
}

static void whichever_write_of_a_new_quote_fails_no_row_and_no_number_is_lost(void **state)
{
	(void)state;
	check(failing_creates, SEEDED);
}

struct racer {
	struct qy_store *store;
	char id[QY_QUOTE_ID_SIZE];
	unsigned priced, conflicts;
};

static enum qrt_err race_one(struct qrt_cx *cx, void *arg)
{
	struct racer *racer = arg;
	const struct qy_price_request request = request_for(racer->id);
	struct qy_price_result result;

	MUST_BE(qy_store_quote_price(cx, racer->store, &request, &result));
	racer->priced += result.has_pricing;
	racer->conflicts += result.fault.kind == QY_FAULT_CONFLICT;
	qy_price_result_fini(&result);
	return QRT_OK;
}

static enum qrt_err race(struct qrt_cx *cx, struct qy_store *store)
{
	struct racer racer = {.store = store};
	struct qrt_region *region;
	enum qrt_err err;

	MUST_BE(create_one(cx, store, "prd-team", 1, 0, racer.id));
	MUST_BE(qrt_region_open(cx, QRT_FAIL_FAST, &region));
	err = QRT_OK;
	for (int i = 0; i < 20 && !err; i++) {
		err = qrt_spawn(region, race_one, &racer);
	}
	MUST_BE(qrt_region_close(cx, &region, err));
	MUST(racer.priced == 1 && racer.conflicts == 19);
	MUST(reads(cx, store, "SELECT state_version FROM quote WHERE id LIKE 'Q-%'", "2"));
	MUST(reads(cx, store,
		   "SELECT count(*) FROM audit_event WHERE event_type ="
		   " 'cpq.evaluated'",
		   "1"));
	return QRT_OK;
}

static void of_twenty_pricings_at_once_one_wins(void **state)
{
	(void)state;
	check_in_file(race, SEEDED);
}

/* --- keys and journal ---------------------------------------------------------------------- */

static enum qrt_err api_keys(struct qrt_cx *cx, struct qy_store *store)
{
	struct qy_apikey spec = {.name = "demo", .rep_id = "rep.sarah"};
	struct qy_apikey key;
	struct qy_fault fault;
	char text[QY_APIKEY_TEXT_SIZE];
	char id[QY_APIKEY_ID_SIZE];
	char secret[QY_APIKEY_SECRET_SIZE];
	char *dump = NULL;

	MUST(qy_scopes_parse("quotes:read, quotes:write", &spec.scopes) == QY_OK);
	MUST_BE(qy_store_apikey_create(cx, store, &spec, text, &fault));
	MUST(fault.kind == QY_FAULT_NONE && qy_apikey_parse(text, id, secret) == QY_OK);
	MUST_BE(qy_store_apikey_find(cx, store, id, &key, &fault));
	MUST(fault.kind == QY_FAULT_NONE && qy_apikey_matches(&key, secret));
	MUST(key.scopes == (QY_SCOPE_QUOTES_READ | QY_SCOPE_QUOTES_WRITE));
	MUST(qy_apikey_allows(&key, QY_SCOPE_QUOTES_READ));
	MUST(!qy_apikey_allows(&key, QY_SCOPE_ADMIN));
	MUST(key.rate_per_minute == 60 && strcmp(key.rep_id, "rep.sarah") == 0);
	MUST(!key.last_used_at[0] && qy_apikey_live(&key, key.created_at));
	MUST_BE(qy_store_dump(cx, store, &dump));
	MUST(!strstr(dump, secret) && strstr(dump, key.secret_hash));
	free(dump);
	secret[0] = secret[0] == '0' ? '1' : '0';
	MUST(!qy_apikey_matches(&key, secret));
	MUST_BE(qy_store_apikey_touch(cx, store, id));
	MUST_BE(qy_store_apikey_find(cx, store, id, &key, &fault));
	MUST(strlen(key.last_used_at) == QY_TIMESTAMP_LEN);
	MUST_BE(qy_store_apikey_find(cx, store, "00000000", &key, &fault));
	MUST(fault.kind == QY_FAULT_NOT_FOUND);
	snprintf(key.expires_at, sizeof(key.expires_at), "2026-01-01T00:00:00.000Z");
	MUST(qy_apikey_live(&key, "2025-12-31T23:59:59.999Z"));
	MUST(!qy_apikey_live(&key, "2026-01-01T00:00:00.000Z"));
	return QRT_OK;
}

static void an_api_key_is_stored_as_its_hash_only(void **state)
{
	(void)state;
	check(api_keys, SEEDED);
}

static enum qrt_err bad_keys(struct qrt_cx *cx, struct qy_store *store)
{
	struct qy_apikey spec = {.name = " ", .scopes = QY_SCOPE_ADMIN};
	struct qy_fault fault;
	char text[QY_APIKEY_TEXT_SIZE];

	MUST_BE(qy_store_apikey_create(cx, store, &spec, text, &fault));
	MUST(fault.kind == QY_FAULT_INVALID && strcmp(fault.field, "name") == 0);
	spec = (struct qy_apikey){.name = "x"};
	MUST_BE(qy_store_apikey_create(cx, store, &spec, text, &fault));
	MUST(fault.kind == QY_FAULT_INVALID && strcmp(fault.field, "scopes") == 0);
	spec = (struct qy_apikey){.name = "x", .scopes = 1, .expires_at = "tomorrow"};
	MUST_BE(qy_store_apikey_create(cx, store, &spec, text, &fault));
	MUST(fault.kind == QY_FAULT_INVALID && strcmp(fault.field, "expires_at") == 0);
	spec = (struct qy_apikey){.name = "x", .scopes = 1, .rep_id = "rep.nobody"};
	MUST_BE(qy_store_apikey_create(cx, store, &spec, text, &fault));
	MUST(fault.kind == QY_FAULT_INVALID && strcmp(fault.field, "rep_id") == 0);
	MUST(reads(cx, store, "SELECT count(*) FROM api_key", "0"));
	return QRT_OK;
}

static void a_bad_key_specification_names_its_field(void **state)
{
	uint32_t scopes;
	char id[QY_APIKEY_ID_SIZE];
	char secret[QY_APIKEY_SECRET_SIZE];

	(void)state;
	assert_int_equal(qy_scopes_parse("", &scopes), QY_INVALID_FIELD);
	assert_int_equal(qy_scopes_parse("quotes:read,", &scopes), QY_INVALID_FIELD);
	assert_int_equal(qy_scopes_parse("quotes:reads", &scopes), QY_INVALID_FIELD);
	assert_int_equal(qy_apikey_parse("qk_0123456_", id, secret), QY_INVALID_FIELD);
	assert_int_equal(qy_apikey_parse(NULL, id, secret), QY_INVALID_FIELD);
	check(bad_keys, SEEDED);
}

static enum qrt_err journal(struct qrt_cx *cx, struct qy_store *store)
{
	struct qy_journal_entry entry = {
	    .component = "db",
	    .to_backend = "legacy",
	    .percent = 100,
	    .actor = "system:start",
	    .reason = "start",
	    .outcome = "moved",
	};
	struct qy_journal list;

	MUST_BE(qy_store_journal_append(cx, store, &entry));
	entry = (struct qy_journal_entry){
	    .at = "2026-01-02T03:04:05.006Z",
	    .component = "server",
	    .from_backend = "legacy",
	    .to_backend = "region",
	    .percent = 100,
	    .actor = "user:ops",
	    .reason = "try it",
	    .duration_ms = 12,
	    .in_flight = 3,
	    .stragglers = 1,
	    .outcome = "QRT_ETIMEDOUT",
	    .detail = "one is left",
	};
	MUST_BE(qy_store_journal_append(cx, store, &entry));
	MUST_BE(qy_store_journal_list(cx, store, 10, &list));
	MUST(list.count == 2 && list.items[0].seq == 2 && list.items[1].seq == 1);
	MUST(list.items[1].from_backend[0] == '\0' && strlen(list.items[1].at) == 24);
	entry.seq = 2;
	MUST(memcmp(&entry, &list.items[0], sizeof(entry)) == 0);
	qy_journal_fini(&list);
	MUST_BE(qy_store_journal_list(cx, store, 1, &list));
	MUST(list.count == 1);
	qy_journal_fini(&list);
	MUST_GIVE(qy_store_journal_list(cx, store, 0, &list), QRT_EINVAL);
	MUST(reads(cx, store,
		   "SELECT group_concat(actor_id || ' ' || outcome) FROM (SELECT * FROM"
		   " audit_event WHERE event_type = 'runtime.switch' ORDER BY seq)",
		   "start success,ops failed"));
	return QRT_OK;
}

static void moves_are_journalled_and_audited(void **state)
{
	(void)state;
	check(journal, MIGRATED);
}

/* --- the component ------------------------------------------------------------------------- */

static enum qrt_err migrate_file(struct qrt_cx *cx, void *arg)
{
	const struct scenario *scenario = arg;
	const struct qrt_db_options opts = {.url = file_url};
	struct qy_store store;
	enum qrt_err err;

	remove_files();
	MUST_BE(qrt_db_open(cx, &opts, &store.db));
	err = prepare(cx, &store, scenario->setting);
	qrt_db_close(cx, &store.db);
	return err;
}

struct port_test {
	struct qrt_switchboard *sb;
	const char *backend;
	bool must_start;
};

static enum qrt_err ask_quotes(struct qrt_cx *cx, struct qrt_port *db)
{
	struct qy_quote_filter filter = {.account_id = "acct-acme"};
	struct qy_quote_list list;
	struct qy_price_result result;
	struct qy_price_request request;
	struct qy_quote quote;
	struct qy_fault fault;

	MUST(make_header(&quote) == QY_OK && add_line(&quote, "prd-team", 200, 0) == QY_OK);
	MUST_BE(qy_db_quote_create(cx, db, &origin, &quote, &fault));
	MUST(fault.kind == QY_FAULT_NONE && quote.id);
	request = request_for(quote.id);
	qy_quote_fini(&quote);
	MUST_BE(qy_db_quote_preview(cx, db, request.quote_id, &result));
	MUST(result.has_pricing && result.pricing.total_minor == 330000);
	qy_price_result_fini(&result);
	MUST_BE(qy_db_quote_price(cx, db, &request, &result));
	MUST(result.has_pricing && result.quote.status == QY_STATUS_PRICED);
	qy_price_result_fini(&result);
	MUST_BE(qy_db_quote_price(cx, db, &request, &result));
	MUST(result.fault.kind == QY_FAULT_CONFLICT);
	qy_price_result_fini(&result);
	MUST_BE(qy_db_quote_get(cx, db, request.quote_id, &quote, &fault));
	MUST(quote.status == QY_STATUS_PRICED && quote.line_count == 1);
	qy_quote_fini(&quote);
	MUST_BE(qy_db_quote_list(cx, db, &filter, &list));
	MUST(list.total == 2 && list.count == 2);
	qy_quote_list_fini(&list);
	filter.limit = QY_LIST_MAX + 1;
	MUST_GIVE(qy_db_quote_list(cx, db, &filter, &list), QRT_EINVAL);
	MUST(DETAIL_HAS("limit 101"));
	/* A refused quote comes back to its owner. */
	MUST(make_header(&quote) == QY_OK && add_line(&quote, "prd-none", 1, 0) == QY_OK);
	MUST_BE(qy_db_quote_create(cx, db, &origin, &quote, &fault));
	MUST(fault.kind == QY_FAULT_INVALID && qy_text_equal(quote.account_name, "Acme Corp"));
	qy_quote_fini(&quote);
	return QRT_OK;
}

static enum qrt_err ask_others(struct qrt_cx *cx, struct qrt_port *db)
{
	struct qy_apikey spec = {.name = "demo", .scopes = QY_SCOPE_ADMIN};
	struct qy_journal_entry entry = {
	    .component = "db", .to_backend = "region", .actor = "user:ops", .outcome = "moved"};
	struct qy_seed_report report;
	struct qy_journal list;
	struct qy_catalog catalog;
	struct qy_counts counts;
	struct qy_fault fault;
	struct qy_apikey key;
	char text[QY_APIKEY_TEXT_SIZE];
	char id[QY_APIKEY_ID_SIZE];
	char secret[QY_APIKEY_SECRET_SIZE];

	MUST_BE(qy_db_product_get(cx, db, "SEAT-TEAM", &catalog, &fault));
	MUST(catalog.entry_count == 1);
	qy_catalog_fini(&catalog);
	MUST_BE(qy_db_apikey_create(cx, db, &spec, text, &fault));
	MUST(qy_apikey_parse(text, id, secret) == QY_OK);
	MUST_BE(qy_db_apikey_touch(cx, db, id));
	MUST_BE(qy_db_apikey_find(cx, db, id, &key, &fault));
	MUST(qy_apikey_matches(&key, secret) && key.last_used_at[0]);
	MUST_BE(qy_db_journal_append(cx, db, &entry));
	MUST_BE(qy_db_journal_list(cx, db, 5, &list));
	MUST(list.count == 1);
	qy_journal_fini(&list);
	MUST_BE(qy_db_seed_check(cx, db, &report));
	MUST(report.passed == 27);
	MUST_BE(qy_db_seed_load(cx, db, &report));
	MUST(report.rows_changed == 0);
	MUST_BE(qy_db_seed_clean(cx, db, &report));
	MUST_BE(qy_db_ping(cx, db, &counts));
	MUST(counts.quotes == 1 && counts.api_keys == 1 &&
	     counts.schema_version == qy_migrations.count);
	return QRT_OK;
}

static enum qrt_err port_task(struct qrt_cx *cx, void *arg)
{
	const struct port_test *test = arg;
	struct qrt_port *db = qrt_switchboard_port(test->sb, "db");
	struct qrt_move move;
	enum qrt_err err;

	err = qrt_switchboard_move(cx, test->sb, "db", test->backend, "user:test", "test", &move);
	if (!test->must_start) {
		MUST(err == QRT_ESTATE && strstr(move.detail, "needs 0006"));
		return qrt_switchboard_stop(cx, test->sb);
	}
	MUST_BE(err);
	err = ask_quotes(cx, db);
	if (!err) {
		err = ask_others(cx, db);
	}
	MUST_BE(qrt_switchboard_stop(cx, test->sb));
	return err;
}

static void drop_nothing(void *arg)
{
	(void)arg;
}

/* The component on @component_backend, its caller on @host_backend. */
static void run_port_test(const char *host_backend, const char *component_backend, bool must_start)
{
	const struct qrt_runtime_options host_opts = {.backend = host_backend, .name = "host"};
	const struct qrt_runtime_options opts = {.backend = component_backend, .name = "other"};
	const struct qrt_switchboard_options sb_opts = {.journal = NULL};
	struct qy_db_env env = {.options = {.url = file_url, .readers = 2}};
	struct port_test test = {.backend = component_backend, .must_start = must_start};
	struct qrt_runtime *host;
	struct qrt_runtime *rt;

	assert_int_equal(qrt_runtime_open(&host_opts, NULL, &host), QRT_OK);
	assert_int_equal(qrt_runtime_open(&opts, NULL, &rt), QRT_OK);
	assert_int_equal(qrt_runtime_start(host), QRT_OK);
	assert_int_equal(qrt_runtime_start(rt), QRT_OK);
	assert_int_equal(qrt_switchboard_create(&sb_opts, &test.sb), QRT_OK);
	assert_int_equal(qrt_switchboard_add_runtime(test.sb, component_backend, rt), QRT_OK);
	assert_int_equal(qrt_switchboard_add_component(test.sb, &qy_db_component, &env), QRT_OK);
	assert_int_equal(qrt_runtime_call(host, 60 * QRT_SEC, port_task, &test, drop_nothing),
			 QRT_OK);
	assert_int_equal(qrt_shutdown(host, 10 * QRT_SEC), QRT_OK);
	assert_int_equal(qrt_shutdown(rt, 10 * QRT_SEC), QRT_OK);
	qrt_switchboard_destroy(&test.sb);
	qrt_runtime_close(&host);
	qrt_runtime_close(&rt);
}

/* Only backends that run on a thread of their own take part. */
static void every_operation_works_through_the_port(void **state)
{
	struct scenario seeded = {.setting = SEEDED};
	struct scenario empty = {.setting = EMPTY};
	size_t n;
	const char *const *names = real_backends(&n);

	(void)state;
	for (size_t host = 0; host < n; host++) {
		for (size_t other = 0; other < n; other++) {
			assert_int_equal(on_backend(names[other], migrate_file, &seeded), QRT_OK);
			run_port_test(names[host], names[other], true);
			assert_int_equal(on_backend(names[other], migrate_file, &empty), QRT_OK);
			run_port_test(names[host], names[other], false);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(up_down_and_up_give_one_schema_signature),
	    cmocka_unit_test(the_way_down_works_with_rows_in_the_tables),
	    cmocka_unit_test(a_changed_missing_or_newer_migration_is_named),
	    cmocka_unit_test(the_signature_tells_schemas_apart_but_not_their_blanks),
	    cmocka_unit_test(a_failing_statement_leaves_the_schema_before_its_migration),
	    cmocka_unit_test(a_missing_file_is_created_with_the_newest_schema),
	    cmocka_unit_test(the_seed_passes_27_checks_and_loads_twice_as_once),
	    cmocka_unit_test(a_changed_sample_fails_its_check),
	    cmocka_unit_test(removing_the_seed_leaves_what_others_use),
	    cmocka_unit_test(new_quotes_count_from_one_within_their_year),
	    cmocka_unit_test(a_new_quote_has_its_defaults_flow_state_and_audit_row),
	    cmocka_unit_test(a_quote_that_is_not_acceptable_leaves_no_row),
	    cmocka_unit_test(every_column_of_a_quote_survives_the_round_trip),
	    cmocka_unit_test(lists_filter_page_and_count),
	    cmocka_unit_test(a_product_is_found_by_id_and_by_sku_with_all_its_parts),
	    cmocka_unit_test(pricing_a_draft_writes_quote_flow_audit_and_snapshot),
	    cmocka_unit_test(a_manual_price_stays_and_its_snapshot_reads_back),
	    cmocka_unit_test(missing_fields_keep_the_status_and_are_named),
	    cmocka_unit_test(a_status_that_does_not_allow_pricing_is_a_conflict),
	    cmocka_unit_test(an_overflowing_line_changes_nothing),
	    cmocka_unit_test(a_stale_or_unknown_quote_is_not_priced),
	    cmocka_unit_test(violations_are_the_same_after_a_round_trip_and_change_nothing),
	    cmocka_unit_test(a_preview_changes_no_row),
	    cmocka_unit_test(whichever_write_of_pricing_fails_every_table_stays),
	    cmocka_unit_test(whichever_write_of_a_new_quote_fails_no_row_and_no_number_is_lost),
	    cmocka_unit_test(of_twenty_pricings_at_once_one_wins),
	    cmocka_unit_test(an_api_key_is_stored_as_its_hash_only),
	    cmocka_unit_test(a_bad_key_specification_names_its_field),
	    cmocka_unit_test(moves_are_journalled_and_audited),
	    cmocka_unit_test(every_operation_works_through_the_port),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
