/*
 * Unit test of what plays scenarios: masks and comparison of transcripts, the HTTP client, the
 * promises of a database, and that an expectation that does not hold is told, with its place. The
 * plays are in the lab, so that they take no time.
 */
#include "tests/lib/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "quotey/cli/lab_stage.h"
#include "quotey/cli/place.h"
#include "quotey/db/migrate.h"
#include "quotey/db/migrations.h"
#include "quotey/lab/http.h"
#include "quotey/lab/invariants.h"
#include "quotey/lab/transcript.h"

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

/* --- transcripts ---------------------------------------------------------------------------- */

static void what_changes_by_itself_is_masked(void **state)
{
	static const struct {
		const char *text, *strict, *loose;
	} masks[] = {
	    {"at 2026-01-31T10:20:30.123Z on 2026-01-31", "at T# on D#", "at T# on D#"},
	    {"/Q-2026-0012/q-2026-9", "/Q-Y-0012/q-Y-9", "/Q-Y-#/q-Y-#"},
	    {"|seq=12|next_value=7|", "|seq=12|next_value=7|", "|seq=#|next_value=#|"},
	    {"AUD-0123456789ab cor-0123456789ab.", "ID# ID#.", "ID# ID#."},
	    {"qk_01234567_0123456789abcdef", "qk_X#_X#", "qk_X#_X#"},
	    {"0123456 x01234567 Aabbccdd", "0123456 x01234567 Aabbccdd",
	     "0123456 x01234567 Aabbccdd"},
	    {"4711", "4711", "4711"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(masks); i++) {
		struct qy_transcript strict, loose;

		qy_transcript_init(&strict, false);
		qy_transcript_init(&loose, true);
		qy_transcript_masked(&strict, masks[i].text);
		qy_transcript_masked(&loose, masks[i].text);
		assert_string_equal(strict.text.data, masks[i].strict);
		assert_string_equal(loose.text.data, masks[i].loose);
		qy_transcript_fini(&strict);
		qy_transcript_fini(&loose);
	}
}

static void lines_are_sorted_after_they_are_masked(void **state)
{
	struct qy_transcript transcript;

	(void)state;
	qy_transcript_init(&transcript, false);
	qy_transcript_sorted(&transcript, "00000000 b\nffffffff a\nc");
	qy_transcript_sorted(&transcript, "");
	assert_string_equal(transcript.text.data, "X# a\nX# b\nc\n");
	qy_transcript_fini(&transcript);
}

static void expect_diff(const char *a, const char *b, size_t n, const char *wanted)
{
	struct qy_transcript left, right;
	struct qy_buffer out;

	qy_transcript_init(&left, false);
	qy_transcript_init(&right, false);
	qy_buffer_init(&out, 1 << 20);
	qy_buffer_text(&left.text, a);
	qy_buffer_text(&right.text, b);
	qy_buffer_text(&out, "");
	assert_int_equal(qy_transcript_diff(&left, "one", &right, "two", &out), n);
	assert_string_equal(out.data, wanted);
	qy_transcript_fini(&left);
	qy_transcript_fini(&right);
	qy_buffer_fini(&out);
}

static void a_difference_is_shown_with_its_question(void **state)
{
	(void)state;
	expect_diff("", "", 0, "");
	expect_diff("== a\n< 1\n", "== a\n< 1\n", 0, "");
	expect_diff("== a\n< 1\n== b\n< 2\n", "== a\n< 1\n== b\n< 3\n", 1,
		    "== b\n  - one              < 2\n  + two              < 3\n");
	/* A line more does not make what follows different. */
	expect_diff("== a\n< 1\nmore\n== b\n< 2\n", "== a\n< 1\n== b\n< 2\n", 1,
		    "== a\n  - one              more\n  + two              (nothing)\n");
	expect_diff("== a\n< 1\n== b\n< 2", "== a\n< 1\nmore\n== b\n< 2", 1,
		    "== a\n  - one              (nothing)\n  + two              more\n");
	expect_diff("== the tables\na\nc\nd\n", "== the tables\na\nb\nd\n", 2,
		    "== the tables\n  - one              (nothing)\n  + two              b\n"
		    "== the tables\n  - one              c\n  + two              (nothing)\n");
	expect_diff("== a\n", "", 1,
		    "\n  - one              == a\n  + two              (nothing)\n");
}

/* --- the client ----------------------------------------------------------------------------- */

struct reading {
	const char *bytes;
	bool no_body;
	enum qrt_err err; /* to come */
	unsigned status;
	const char *body;
	size_t n_behind;
	bool closes;
};

static const struct reading readings[] = {
    {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", false, QRT_OK, 200, "hi", 0, false},
    {"HTTP/1.1 204 No\r\nConnection: Close\r\n\r\n", false, QRT_OK, 204, "", 0, true},
    {"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", true, QRT_OK, 200, "", 0, false},
    {"HTTP/1.1 100 Go\r\n\r\nHTTP/1.1 201 OK\r\nContent-Length: 1\r\n\r\nx", false, QRT_OK, 201,
     "x", 0, false},
    /* Twice the same answer: the second is behind the first. */
    {"HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", false, QRT_OK, 200, "", 19, false},
    {"HTTP/1.0 200 OK\r\n\r\n", false, QRT_EPROTO, 0, "", 0, false},
    {"HTTP/1.1 20 OK\r\n\r\n", false, QRT_EPROTO, 0, "", 0, false},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", false, QRT_EPROTO, 0, "", 0,
     false},
    {"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", false, QRT_EPROTO, 0, "", 0, false},
    {"HTTP/1.1 200 OK\r\nContent-Length: 9999999999\r\n\r\n", false, QRT_EPROTO, 0, "", 0, false},
    {"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nhi", false, QRT_EEOF, 0, "", 0, false},
    {"HTTP/1.1 200 OK\r\n", false, QRT_EEOF, 0, "", 0, false},
    {"", false, QRT_EEOF, 0, "", 0, false},
};

static enum qrt_err write_all(struct qrt_cx *cx, struct qrt_stream *stream, const char *bytes,
			      size_t n)
{
	enum qrt_err err = n > 0 ? qrt_write(cx, stream, bytes, n) : QRT_OK;

	return err ? err : qrt_stream_shutdown(cx, stream);
}

/* Over a pair of real sockets: what is written at once arrives at once. */
static enum qrt_err read_one(struct qrt_cx *cx, const char *bytes, size_t n, bool no_body,
			     struct qy_lab_answer *ret_answer)
{
	struct qrt_stream *peer = NULL, *stream = NULL;
	int fds[2];
	enum qrt_err err;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) != 0) {
		return QRT_EMFILE;
	}
	err = qrt_stream_adopt(cx, fds[0], &peer);
	if (!err) {
		err = qrt_stream_adopt(cx, fds[1], &stream);
	}
	if (!err) {
		err = write_all(cx, peer, bytes, n);
	}
	if (!err) {
		err = qy_lab_answer_read(cx, stream, no_body, ret_answer);
	}
	qrt_stream_close(cx, &stream);
	qrt_stream_close(cx, &peer);
	return err;
}

static enum qrt_err read_each(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	for (size_t i = 0; i < ARRAY_LEN(readings); i++) {
		const struct reading *r = &readings[i];
		struct qy_lab_answer answer = {0};
		enum qrt_err err = read_one(cx, r->bytes, strlen(r->bytes), r->no_body, &answer);
		bool right = err == r->err;

		if (right && !err) {
			right = answer.status == r->status && answer.closes == r->closes &&
				answer.n_behind == r->n_behind &&
				strcmp(answer.body.data ? answer.body.data : "", r->body) == 0;
		}
		qy_lab_answer_fini(&answer);
		if (!right) {
			fprintf(stderr, "%s: %s: %s\n", r->bytes, qrt_err_name(err),
				qrt_detail(cx));
			return QRT_EFAILED;
		}
	}
	return QRT_OK;
}

/* A head that never ends is given up at its limit. */
static enum qrt_err read_endless(struct qrt_cx *cx, void *arg)
{
	enum { SIZE = 80 << 10 };
	static char head[SIZE];
	struct qy_lab_answer answer = {0};
	enum qrt_err err;

	(void)arg;
	memset(head, 'a', SIZE);
	memcpy(head, "HTTP/1.1 200 OK\r\nX: ", 20);
	err = read_one(cx, head, SIZE, false, &answer);
	if (err != QRT_ELIMIT) {
		fprintf(stderr, "an endless head: %s\n", qrt_err_name(err));
		return QRT_EFAILED;
	}
	return QRT_OK;
}

static void run_on(const char *backend, qrt_task_fn *fn)
{
	const struct qrt_runtime_options options = {.backend = backend, .seed = 3};
	struct qrt_runtime *rt;

	assert_int_equal(qrt_runtime_open(&options, NULL, &rt), QRT_OK);
	assert_int_equal(qrt_run_main(rt, fn, NULL), QRT_OK);
	qrt_runtime_close(&rt);
}

static void an_answer_is_read_or_refused(void **state)
{
	(void)state;
	run_on(qy_cli_place_own(), read_each);
	run_on(qy_cli_place_own(), read_endless);
}

/* --- promises of a database ----------------------------------------------------------------- */

/* What breaks a promise, and the line that must say so. */
static const struct {
	const char *sql, *line;
} breaks[] = {
    {"UPDATE quote_line SET position = position + 5 WHERE id ="
     " (SELECT min(id) FROM quote_line WHERE quote_id = 'quote-netnew-001')",
     "the lines of a quote are numbered without a gap: quote-netnew-001"},
    {"UPDATE quote SET line_seq = 0 WHERE id = 'quote-netnew-001'",
     "a quote has handed out a number for each of its lines: quote-netnew-001"},
    {"DELETE FROM audit_event WHERE quote_id = 'Q-2026-0001' AND event_type = 'quote.created'",
     "a quote was created once: Q-2026-0001"},
    {"DELETE FROM flow_state WHERE quote_id = 'Q-2026-0001'",
     "a quote has a flow state: Q-2026-0001"},
    {"UPDATE flow_state SET step_number = 2 WHERE quote_id = 'Q-2026-0001'",
     "the flow state is that of the quote's status: Q-2026-0001"},
    {"UPDATE quote SET state_version = 9 WHERE id = 'Q-2026-0001'",
     "every change of a status has its audit event: Q-2026-0001"},
    {"UPDATE audit_event SET event_type = 'other' WHERE event_type = 'cpq.evaluated'",
     "every price has its audit event: Q-2026-0001"},
    {"UPDATE quote SET status = 'draft' WHERE id = 'Q-2026-0001'",
     "a priced quote has a price, a draft has none: Q-2026-0001"},
    {"UPDATE pricing_snapshot SET tax_minor = tax_minor + 1 WHERE quote_id = 'Q-2026-0001'",
     "a total is subtotal less discount plus tax: Q-2026-0001"},
    {"UPDATE pricing_snapshot SET subtotal_minor = subtotal_minor + 1,"
     " total_minor = total_minor + 1 WHERE quote_id = 'Q-2026-0001'",
     "a price is the sum of the quote's lines: Q-2026-0001"},
    {"UPDATE audit_event SET seq = seq + 1000 WHERE quote_id = 'Q-2026-0001'",
     "audit events are numbered without a gap: 100"},
    {"UPDATE id_sequence SET next_value = next_value + 1",
     "numbers of quotes are handed out without a gap: quote-2026"},
};

static enum qrt_err run_sql(struct qrt_db_conn *conn, void *arg)
{
	return qrt_db_exec(conn, arg);
}

static enum qy_code make_quote(struct qy_quote *quote)
{
	static const struct {
		enum qy_quote_field field;
		const char *text;
	} fields[] = {
	    {QY_FIELD_CURRENCY, "USD"},
	    {QY_FIELD_ACCOUNT_NAME, "Acme"},
	    {QY_FIELD_BILLING_COUNTRY, "DE"},
	    {QY_FIELD_PAYMENT_TERMS, "net_30"},
	};
	const struct qy_line_spec line = {.id = "l-1", .product_id = "prd-team", .quantity = 3};
	enum qy_code code = QY_OK;

	qy_quote_init(quote);
	quote->term_months = 12;
	for (size_t i = 0; i < ARRAY_LEN(fields) && code == QY_OK; i++) {
		code = qy_quote_set(quote, fields[i].field, fields[i].text);
	}
	return code == QY_OK ? qy_quote_add_line(quote, &line, NULL) : code;
}

/* A seeded database with one quote that was drafted and priced. */
static enum qrt_err fill(struct qrt_cx *cx, struct qy_store *store)
{
	struct qy_price_request request = {.quote_id = "Q-2026-0001"};
	struct qy_price_result result;
	struct qy_migrate_report migrated;
	struct qy_seed_report seeded;
	struct qy_quote quote;
	struct qy_fault fault;
	enum qy_code code;
	enum qrt_err err = qy_migrate_up(cx, store->db, &qy_migrations, 0, &migrated);

	if (!err) {
		err = qy_store_seed_load(cx, store, &seeded);
	}
	if (err) {
		return err;
	}
	qy_origin_set(&request.origin, "user:test", "");
	code = make_quote(&quote);
	err = code == QY_OK ? qy_store_quote_create(cx, store, &request.origin, &quote, &fault)
			    : qrt_fail(cx, QRT_EFAILED, "quote: %s", qy_code_name(code));
	qy_quote_fini(&quote);
	if (!err) {
		err = qy_store_quote_price(cx, store, &request, &result);
	}
	if (!err) {
		err = result.has_pricing ? QRT_OK : qrt_fail(cx, QRT_EFAILED, "not priced");
		qy_price_result_fini(&result);
	}
	return err;
}

/* Opens one, breaks it with @sql, and asks. */
static enum qrt_err break_one(struct qrt_cx *cx, const char *sql, struct qy_buffer *out,
			      unsigned *ret_broken)
{
	const struct qrt_db_options options = {.url = ":memory:", .readers = 1};
	struct qy_store store;
	enum qrt_err err = qrt_db_open(cx, &options, &store.db);

	if (err) {
		return err;
	}
	err = fill(cx, &store);
	if (!err && sql) {
		err = qrt_db_write(cx, store.db, run_sql, (void *)(uintptr_t)sql);
	}
	if (!err) {
		err = qy_lab_invariants(cx, &store, out, ret_broken);
	}
	if (err) {
		fprintf(stderr, "%s: %s: %s\n", sql ? sql : "a good one", qrt_err_name(err),
			qrt_detail(cx));
	}
	qrt_db_close(cx, &store.db);
	return err;
}

static enum qrt_err check_breaks(struct qrt_cx *cx, void *arg)
{
	struct qy_buffer out;
	unsigned broken = 7;
	enum qrt_err err;

	(void)arg;
	qy_buffer_init(&out, 1 << 20);
	err = break_one(cx, NULL, &out, &broken);
	if (!err && (broken != 0 || out.len > 0)) {
		fprintf(stderr, "a good one: %s\n", out.data);
		err = QRT_EFAILED;
	}
	for (size_t i = 0; i < ARRAY_LEN(breaks) && !err; i++) {
		qy_buffer_clear(&out);
		err = break_one(cx, breaks[i].sql, &out, &broken);
		if (!err && (broken == 0 || !strstr(out.data, breaks[i].line))) {
			fprintf(stderr, "%s: %s\n", breaks[i].line, out.data ? out.data : "-");
			err = QRT_EFAILED;
		}
	}
	qy_buffer_fini(&out);
	return err;
}

static void each_promise_of_a_database_is_looked_at(void **state)
{
	(void)state;
	run_on("lab", check_breaks);
}

/* --- plays ---------------------------------------------------------------------------------- */

#define HEAD                                                                                       \
	"place server=legacy db=region\nseed demo\n"                                               \
	"key w scopes quotes:read,quotes:write\n"
#define DRAFT                                                                                      \
	"POST /api/v1/quotes as w\n"                                                               \
	"  header Content-Type: application/json\n"                                                \
	"  body {\"currency\":\"USD\",\"lines\":[]}\n"

/* Plays in the lab; the caller fini's *ret_result. Returns the exit code. */
static int play_on(const char *cast_name, const char *text, struct qy_play_result *ret_result)
{
	static struct qy_cli cli;
	const struct qy_cli_cast *cast = qy_cli_cast_find(cast_name);
	struct qy_scenario *scenario = NULL;
	struct qy_scenario_error error = {{0, 0}, ""};
	int code;

	memset(&cli, 0, sizeof(cli));
	assert_non_null(cast);
	if (qy_scenario_parse("t.scn", text, strlen(text), &scenario, &error) != QY_OK) {
		fail_msg("%s", error.message);
	}
	code = qy_cli_play(&cli, scenario, cast, ret_result);
	if (code != 0) {
		printf("# %s\n", cli.message);
	}
	qy_scenario_destroy(&scenario);
	return code;
}

static void expect_report(const char *text, unsigned failures, const char *report)
{
	struct qy_play_result result;

	assert_int_equal(play_on("lab", text, &result), 0);
	assert_string_equal(result.report.data ? result.report.data : "", report);
	assert_int_equal(result.failures, failures);
	qy_play_result_fini(&result);
}

static void what_holds_is_not_reported(void **state)
{
	(void)state;
	expect_report(HEAD DRAFT
		      "  expect 200 or 201\n"
		      "  expect header Location has /Q-\n"
		      "  expect header X-None absent\n"
		      "  expect body lacks priced\n"
		      "  keep id from header Location after quotes/\n"
		      "  keep state from body after \"\\\"status\\\":\\\"\" before \"\\\"\"\n"
		      "  count made when 201\n"
		      "GET /api/v1/quotes/${id} as w\n"
		      "  expect body has \"\\\"status\\\":\\\"${state}\\\"\"\n"
		      "  count made when 201\n"
		      "sql \"SELECT id FROM quote WHERE id LIKE 'Q-%'\" is ${id}\n"
		      "sql \"SELECT ${made}\" is 1\n"
		      "sql \"SELECT 3\" at least 3\nsql \"SELECT 3\" at most 3\n"
		      "sql \"SELECT NULL\" is nothing\n"
		      "sql \"SELECT 1 WHERE 0\" is nothing\n"
		      "raw \"GET / HTTP/1.1\\r\\n\" \"Host: a\\r\\n\\r\\n\"\n"
		      "  expect 404\n"
		      "check database\n",
		      0, "");
}

static void each_kind_of_failure_names_what_came(void **state)
{
	static const struct {
		const char *text, *wanted;
	} rows[] = {
	    {"GET /no as w\n  expect 200 or nothing\n",
	     "t.scn:5:3: expected 200 or nothing, got 404: {"},
	    {"GET /no as w\n  expect header Allow is GET\n",
	     "t.scn:5:3: expected Allow to be there, got none"},
	    {"GET /no as w\n  expect header content-type absent\n",
	     "t.scn:5:3: expected content-type to be absent, got application/json"},
	    {"GET /no as w\n  expect header Content-Type is application\n",
	     "t.scn:5:3: expected Content-Type to be \"application\", got application/json"},
	    {"GET /no as w\n  expect body has wonder\n",
	     "t.scn:5:3: expected the body to have \"wonder\", got {"},
	    {"GET /no as w\n  expect body lacks not_found\n",
	     "t.scn:5:3: expected the body to lack \"not_found\", got {"},
	    {"GET /no as w\n  keep x from header Location\n",
	     "t.scn:5:3: nothing to keep as x in answer 404: {"},
	    {"GET /no as w\n  keep x from body before wonder\n",
	     "t.scn:5:3: nothing to keep as x in answer 404: {"},
	    {"raw \"GET / HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n\"\n  expect 200\n",
	     "t.scn:5:3: expected 200, got 404"},
	    {"sql \"SELECT 4\" is 5\n", "t.scn:4:1: expected 5, got 4"},
	    {"sql \"SELECT 4\" at least 5\n", "t.scn:4:1: expected at least 5, got 4"},
	    {"sql \"SELECT 4\" at most 3\n", "t.scn:4:1: expected at most 3, got 4"},
	    {"sql \"SELECT 'x'\" at most 3\n", "t.scn:4:1: expected at most 3, got x"},
	    {"sql \"SELECT NULL\" is 3\n", "t.scn:4:1: expected 3, got nothing"},
	    {"sql \"SELECT 4\" is nothing\n", "t.scn:4:1: expected nothing, got 4"},
	    {"sql \"SELEC 4\" is 4\n", "t.scn:4:1: no result: "},
	    {"sql \"DELETE FROM quote RETURNING 1\" is 1\n", "t.scn:4:1: no result: "},
	    {"rollback db\n", "t.scn:4:1: db did not move: "},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct qy_play_result result;
		char text[1024];

		snprintf(text, sizeof(text), HEAD "%s", rows[i].text);
		assert_int_equal(play_on("lab", text, &result), 0);
		assert_non_null(result.report.data);
		if (strncmp(result.report.data, rows[i].wanted, strlen(rows[i].wanted)) != 0) {
			fail_msg("%s: %s", rows[i].wanted, result.report.data);
		}
		assert_int_equal(result.failures, 1);
		qy_play_result_fini(&result);
	}
}

/* Nobody answers where nothing can arrive: a minute of virtual time each. */
static void silence_is_an_answer_only_where_it_is_expected(void **state)
{
	struct qy_play_result result;

	(void)state;
	assert_int_equal(play_on("lab",
				 HEAD "fault partition\nGET /a as w\n  expect 404 or nothing\n"
				      "GET /a as w\n  expect 404\nheal\nGET /a as w\n"
				      "  expect 404\n",
				 &result),
			 0);
	assert_int_equal(result.unanswered, 2);
	assert_int_equal(result.failures, 1);
	assert_memory_equal(result.report.data, "t.scn:8:3: expected 404, got no answer: ", 40);
	qy_play_result_fini(&result);
}

static void branches_have_values_of_their_own_and_common_counters(void **state)
{
	(void)state;
	expect_report(HEAD "for x in 1..1\n" DRAFT "    keep id from header Location\n"
			   "  together\n"
			   "    branch 5\n" DRAFT "      keep id from header Location\n"
			   "      count n when 201\n"
			   "      GET ${id} as w\n"
			   "        expect 200\n"
			   "        expect body has \"\\\"id\\\":\"\n"
			   "    branch\n"
			   "      move server region\n"
			   "      rollback server\n"
			   "  end\n"
			   "end\n"
			   "GET ${id} as w\n"
			   "  expect 200\n"
			   "sql \"SELECT '${id}'\" is /api/v1/quotes/Q-2026-0001\n"
			   "sql \"SELECT ${n}\" is 5\n",
		      0, "");
}

/* The same file, the same seed: the same transcript; branches stand in the order of the file. */
static void a_play_in_the_lab_repeats_itself(void **state)
{
	static const char text[] =
	    HEAD "fault reset 5%\nfault latency 1ms..40ms\ntogether\n"
		 "branch 4\nfor n in 1..5\nGET /api/v1/quotes?limit=${n} as w\n"
		 "expect 200 or nothing\nend\nbranch\nwait 20ms\n"
		 "move server region\nend\n";
	struct qy_play_result first, second;
	const char *at;

	(void)state;
	assert_int_equal(play_on("lab", text, &first), 0);
	assert_int_equal(play_on("lab", text, &second), 0);
	assert_string_equal(first.transcript.text.data, second.transcript.text.data);
	assert_int_equal(first.requests, 20);
	assert_int_equal(first.failures, 0);
	at = strstr(first.transcript.text.data, "limit=5");
	assert_non_null(at);
	assert_non_null(strstr(at, "limit=1"));
	assert_non_null(strstr(at, "move server region"));
	qy_play_result_fini(&first);
	qy_play_result_fini(&second);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_changes_by_itself_is_masked),
	    cmocka_unit_test(lines_are_sorted_after_they_are_masked),
	    cmocka_unit_test(a_difference_is_shown_with_its_question),
	    cmocka_unit_test(an_answer_is_read_or_refused),
	    cmocka_unit_test(each_promise_of_a_database_is_looked_at),
	    cmocka_unit_test(what_holds_is_not_reported),
	    cmocka_unit_test(each_kind_of_failure_names_what_came),
	    cmocka_unit_test(silence_is_an_answer_only_where_it_is_expected),
	    cmocka_unit_test(branches_have_values_of_their_own_and_common_counters),
	    cmocka_unit_test(a_play_in_the_lab_repeats_itself),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
