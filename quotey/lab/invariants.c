/*
 * The promises, each a query that finds who breaks it. They hold after every committed transaction
 * of Quotey, so they hold after a crash.
 */
#include "quotey/lab/invariants.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "quotey/core/text.h"
#include "quotey/db/figures.h"
#include "quotey/db/repo.h"
#include "quotey/db/sql.h"

enum { SHOWN_MAX = 20, LINE_SIZE = 300 };

/* Seed quotes have come another way: only some have a flow state, and none was priced. */
#define CREATED                                                                                    \
	"EXISTS (SELECT 1 FROM audit_event a WHERE a.quote_id = q.id"                              \
	" AND a.event_type = 'quote.created' AND a.action = 'create')"

static const struct {
	const char *promise;
	const char *sql; /* each row names one who breaks it */
} promises[] = {
    {"the file is sound", "PRAGMA integrity_check"},
    {"every reference leads somewhere", "PRAGMA foreign_key_check"},
    {"the lines of a quote are numbered without a gap",
     "SELECT quote_id FROM quote_line GROUP BY quote_id HAVING count(*) <> max(position)"},
    {"a quote has handed out a number for each of its lines",
     "SELECT q.id FROM quote q WHERE q.line_seq <"
     " (SELECT count(*) FROM quote_line l WHERE l.quote_id = q.id)"},
    {"a quote was created once",
     "SELECT q.id FROM quote q WHERE (SELECT count(*) FROM audit_event a"
     " WHERE a.quote_id = q.id AND a.event_type = 'quote.created') <> 1"},
    {"a quote has a flow state",
     "SELECT q.id FROM quote q WHERE " CREATED
     " AND NOT EXISTS (SELECT 1 FROM flow_state f WHERE f.quote_id = q.id)"},
    {"the flow state is that of the quote's status",
     "SELECT q.id FROM quote q JOIN flow_state f ON f.quote_id = q.id WHERE " CREATED
     " AND f.step_number <> CASE q.status WHEN 'draft' THEN 1 WHEN 'priced' THEN 3"
     " ELSE f.step_number END"},
    {"every change of a status has its audit event",
     "SELECT q.id FROM quote q WHERE " CREATED " AND q.state_version <> 1 +"
     " (SELECT count(*) FROM audit_event a WHERE a.quote_id = q.id"
     " AND a.event_type = 'flow.transition_applied' AND a.action = 'PricingCalculated')"},
    {"every price has its audit event",
     "SELECT q.id FROM quote q WHERE " CREATED " AND"
     " (SELECT count(*) FROM audit_event a WHERE a.quote_id = q.id"
     " AND a.event_type = 'cpq.evaluated') <>"
     " (SELECT count(*) FROM pricing_snapshot s WHERE s.quote_id = q.id)"},
    {"a priced quote has a price, a draft has none",
     "SELECT q.id FROM quote q WHERE q.status IN ('priced', 'draft') AND (q.status = 'draft') ="
     " EXISTS (SELECT 1 FROM pricing_snapshot s"
     " WHERE s.quote_id = q.id AND s.version = q.version)"},
    {"a total is subtotal less discount plus tax",
     "SELECT quote_id FROM pricing_snapshot"
     " WHERE total_minor <> subtotal_minor - discount_minor + tax_minor"},
    {"every envelope was received once",
     "SELECT i.envelope_id FROM inbox i WHERE (SELECT count(*) FROM audit_event a"
     " WHERE a.event_type = 'slack.received' AND a.entity_id = i.envelope_id"
     " AND a.correlation_id = i.envelope_id) <> 1"},
    {"what Slack has sent is in the inbox, or was there already",
     "SELECT a.correlation_id FROM audit_event a WHERE a.event_type IN"
     " ('slack.received', 'slack.duplicate') AND NOT EXISTS"
     " (SELECT 1 FROM inbox i WHERE i.envelope_id = a.entity_id)"},
    {"nothing is acked before it is received",
     "SELECT envelope_id FROM inbox WHERE acked_at < received_at"},
    {"audit events are numbered without a gap",
     "SELECT max(seq) FROM audit_event HAVING count(*) <> coalesce(max(seq), 0)"},
    {"numbers of quotes are handed out without a gap",
     "SELECT s.name FROM id_sequence s WHERE s.name LIKE 'quote-%' AND s.next_value - 1 <>"
     " (SELECT count(*) FROM quote q WHERE q.id LIKE 'Q-' || substr(s.name, 7) || '-%')"},
};

struct check_job {
	struct qy_buffer *out;
	unsigned broken;
	unsigned shown; /* of the promise at hand */
};

static void report(struct check_job *job, const char *promise, const char *who)
{
	char line[LINE_SIZE];

	job->broken++;
	if (job->shown++ < SHOWN_MAX) {
		snprintf(line, sizeof(line), "%s: %.100s\n", promise, who ? who : "null");
		qy_buffer_text(job->out, line);
	}
}

static enum qrt_err check_promise(struct qrt_db_conn *conn, struct check_job *job,
				  const char *promise, const char *sql)
{
	QRT_AUTO_STMT rows = NULL;
	bool row = false;
	enum qrt_err err = qy_sql_open(conn, sql, QY_NO_ARGS, &rows);

	job->shown = 0;
	while (!err && !(err = qrt_db_step(rows, &row)) && row) {
		const char *who = qrt_db_text(rows, 0);

		/* The one word of a check that has found nothing. */
		if (!who || strcmp(who, "ok") != 0) {
			report(job, promise, who);
		}
	}
	return err;
}

/* The figures of a snapshot against those of the quote's lines, by the product's own arithmetic. */
static enum qrt_err check_figures(struct qrt_db_conn *conn, struct check_job *job,
				  const struct qrt_db_stmt *row)
{
	const int64_t stored[] = {qrt_db_int(row, 1), qrt_db_int(row, 2), qrt_db_int(row, 3),
				  qrt_db_int(row, 4)};
	char id[QY_QUOTE_ID_SIZE];
	struct qy_quote quote;
	struct qy_pricing pricing;
	enum qy_code code;
	enum qrt_err err;

	qy_sql_copy(row, 0, id, sizeof(id));
	err = qy_repo_quote_load(conn, id, &quote);
	if (err) {
		return err;
	}
	code = qy_figures(&quote, &pricing);
	qy_quote_fini(&quote);
	if (code != QY_OK) {
		return qy_sql_code(conn, code, "quote", id);
	}
	if (pricing.subtotal_minor != stored[0] || pricing.discount_minor != stored[1] ||
	    pricing.tax_minor != stored[2] || pricing.total_minor != stored[3]) {
		report(job, "a price is the sum of the quote's lines", id);
	}
	qy_pricing_fini(&pricing);
	return QRT_OK;
}

static enum qrt_err run_check(struct qrt_db_conn *conn, void *arg)
{
	struct check_job *job = arg;
	QRT_AUTO_STMT rows = NULL;
	bool row = false;
	enum qrt_err err = QRT_OK;

	job->broken = 0;
	for (size_t i = 0; i < sizeof(promises) / sizeof(promises[0]) && !err; i++) {
		err = check_promise(conn, job, promises[i].promise, promises[i].sql);
	}
	if (err) {
		return err;
	}
	job->shown = 0;
	err = qy_sql_open(conn,
			  "SELECT s.quote_id, s.subtotal_minor, s.discount_minor, s.tax_minor,"
			  " s.total_minor FROM pricing_snapshot s JOIN quote q"
			  " ON q.id = s.quote_id AND q.version = s.version",
			  QY_NO_ARGS, &rows);
	while (!err && !(err = qrt_db_step(rows, &row)) && row) {
		err = check_figures(conn, job, rows);
	}
	return err ? err : job->out->err;
}

enum qrt_err qy_lab_invariants(struct qrt_cx *cx, struct qy_store *store, struct qy_buffer *out,
			       unsigned *ret_broken)
{
	struct check_job job = {.out = out};
	enum qrt_err err = qrt_db_read(cx, store->db, run_check, &job);

	if (!err) {
		*ret_broken = job.broken;
	}
	return err;
}

struct envelope_job {
	const char *envelope_id;
	bool found;
};

static enum qrt_err find_envelope(struct qrt_db_conn *conn, void *arg)
{
	struct envelope_job *job = arg;

	return qy_sql_exists(conn,
			     "SELECT 1 FROM audit_event a JOIN inbox i"
			     " ON i.envelope_id = a.entity_id WHERE a.correlation_id = ?1"
			     " AND a.event_type IN ('slack.received', 'slack.duplicate')",
			     QY_ARGS(QY_T(job->envelope_id)), &job->found);
}

enum qrt_err qy_lab_has_envelope(struct qrt_cx *cx, struct qy_store *store, const char *envelope_id,
				 bool *ret_found)
{
	struct envelope_job job = {.envelope_id = envelope_id};
	enum qrt_err err = qrt_db_read(cx, store->db, find_envelope, &job);

	if (!err) {
		*ret_found = job.found;
	}
	return err;
}
