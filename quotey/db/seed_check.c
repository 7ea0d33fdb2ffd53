/*
 * Compares what is stored with what the seed tables say: per quote existence, status, line count,
 * subtotal, currency and term; over all of them lines, flow states and audit events.
 */
#include "quotey/db/seed_check.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "quotey/core/text.h"
#include "quotey/db/figures.h"
#include "quotey/db/repo.h"
#include "quotey/db/sql.h"

static const char absent[] = "absent";

static void add_text(struct qy_seed_report *report, const char *subject, const char *what,
		     const char *expected, const char *found)
{
	struct qy_seed_check *check;

	QRT_PRE(report->count < QY_SEED_CHECKS);
	check = &report->checks[report->count++];
	snprintf(check->name, sizeof(check->name), "%s %s", subject, what);
	qy_text_cut(check->expected, sizeof(check->expected), expected);
	qy_text_cut(check->found, sizeof(check->found), found);
	check->passed = strcmp(check->expected, check->found) == 0;
	report->passed += check->passed;
}

/* @found may be NULL: there is nothing to compare with. */
static void add_number(struct qy_seed_report *report, const char *subject, const char *what,
		       int64_t expected, const int64_t *found)
{
	char expected_text[24];
	char found_text[24];

	snprintf(expected_text, sizeof(expected_text), "%" PRId64, expected);
	if (found) {
		snprintf(found_text, sizeof(found_text), "%" PRId64, *found);
	}
	add_text(report, subject, what, expected_text, found ? found_text : absent);
}

/* @quote NULL: it is not there, and every check of it fails. */
static enum qy_code check_fields(struct qy_seed_report *report, const struct qy_seed_quote *seed,
				 const struct qy_quote *quote)
{
	struct qy_pricing pricing;
	int64_t lines = quote ? (int64_t)quote->line_count : 0;
	int64_t term = quote ? quote->term_months : 0;
	int64_t subtotal = 0;
	enum qy_code code = QY_OK;

	if (quote) {
		code = qy_figures(quote, &pricing);
		if (code == QY_OK) {
			subtotal = pricing.subtotal_minor;
			qy_pricing_fini(&pricing);
		}
	}
	add_text(report, seed->id, "existence", "present", quote ? "present" : absent);
	add_text(report, seed->id, "status", qy_status_name(seed->status),
		 quote ? qy_status_name(quote->status) : absent);
	add_number(report, seed->id, "line count", (int64_t)seed->line_count,
		   quote ? &lines : NULL);
	add_number(report, seed->id, "subtotal", seed->subtotal_minor,
		   quote && code == QY_OK ? &subtotal : NULL);
	add_text(report, seed->id, "currency", seed->currency, quote ? quote->currency : absent);
	add_number(report, seed->id, "term", seed->term_months, quote ? &term : NULL);
	return code == QY_NO_MEMORY ? code : QY_OK;
}

static enum qrt_err check_quote(struct qrt_db_conn *conn, struct qy_seed_report *report,
				const struct qy_seed_quote *seed)
{
	struct qy_quote quote;
	enum qy_code code;
	enum qrt_err err = qy_repo_quote_load(conn, seed->id, &quote);

	if (err == QRT_ENOENT) {
		return qy_sql_code(conn, check_fields(report, seed, NULL), "seed", seed->id);
	}
	if (err) {
		return err;
	}
	code = check_fields(report, seed, &quote);
	qy_quote_fini(&quote);
	return qy_sql_code(conn, code, "seed", seed->id);
}

/* Counts over the sample quotes only: others are none of the seed's business. */
static enum qrt_err count_rows(struct qrt_db_conn *conn, const char *sql, int64_t *ret_count)
{
	int64_t total = 0;
	enum qrt_err err = QRT_OK;

	for (size_t i = 0; i < qy_seed_quote_count && !err; i++) {
		int64_t count = 0;

		err = qy_sql_number(conn, sql, QY_ARGS(QY_T(qy_seed_quotes[i].id)), &count);
		total += count;
	}
	*ret_count = total;
	return err;
}

static enum qrt_err check_totals(struct qrt_db_conn *conn, struct qy_seed_report *report)
{
	const struct {
		const char *what;
		const char *sql;
		size_t expected;
	} totals[] = {
	    {"lines", "SELECT count(*) FROM quote_line WHERE quote_id = ?1", qy_seed_line_count},
	    {"flow states", "SELECT count(*) FROM flow_state WHERE quote_id = ?1",
	     qy_seed_flow_state_count},
	    {"audit events",
	     "SELECT count(*) FROM audit_event WHERE quote_id = ?1 AND action = 'seed'",
	     qy_seed_quote_count},
	};
	enum qrt_err err = QRT_OK;

	for (size_t i = 0; i < sizeof(totals) / sizeof(totals[0]) && !err; i++) {
		int64_t found = 0;

		err = count_rows(conn, totals[i].sql, &found);
		if (!err) {
			add_number(report, "total", totals[i].what, (int64_t)totals[i].expected,
				   &found);
		}
	}
	return err;
}

enum qrt_err qy_seed_check_run(struct qrt_db_conn *conn, struct qy_seed_report *report)
{
	enum qrt_err err = QRT_OK;

	report->count = 0;
	report->passed = 0;
	for (size_t i = 0; i < qy_seed_quote_count && !err; i++) {
		err = check_quote(conn, report, &qy_seed_quotes[i]);
	}
	return err ? err : check_totals(conn, report);
}
