/* The table pricing_snapshot: what a version of a quote cost when it was priced. */
#include <stdlib.h>

#include "quotey/db/content.h"
#include "quotey/db/repo.h"
#include "quotey/db/sql.h"

static enum qrt_err save(struct qrt_db_conn *conn, const struct qy_snapshot *snapshot,
			 const char *content_hash, const char *trace_json)
{
	const struct qy_pricing *pricing = snapshot->pricing;
	const struct qy_quote *quote = snapshot->quote;

	return qy_sql_run(conn,
			  "INSERT INTO pricing_snapshot (id, quote_id, version, content_hash,"
			  " currency, subtotal_minor, discount_minor, tax_minor, total_minor,"
			  " tax_rate_bps, trace_json, priced_at, priced_by, created_at)"
			  " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?12)"
			  " ON CONFLICT (quote_id, version) DO UPDATE SET id = excluded.id,"
			  " content_hash = excluded.content_hash, currency = excluded.currency,"
			  " subtotal_minor = excluded.subtotal_minor,"
			  " discount_minor = excluded.discount_minor,"
			  " tax_minor = excluded.tax_minor, total_minor = excluded.total_minor,"
			  " tax_rate_bps = excluded.tax_rate_bps,"
			  " trace_json = excluded.trace_json, priced_at = excluded.priced_at,"
			  " priced_by = excluded.priced_by",
			  QY_ARGS(QY_T(snapshot->id), QY_T(quote->id), QY_N(quote->version),
				  QY_T(content_hash), QY_T(pricing->currency),
				  QY_N(pricing->subtotal_minor), QY_N(pricing->discount_minor),
				  QY_N(pricing->tax_minor), QY_N(pricing->total_minor),
				  QY_N(pricing->tax_rate_bps), QY_T(trace_json),
				  QY_T(snapshot->priced_at), QY_T(snapshot->priced_by)));
}

enum qrt_err qy_repo_snapshot_save(struct qrt_db_conn *conn, const struct qy_snapshot *snapshot)
{
	char hash[QRT_SHA256_HEX_SIZE];
	char *trace = NULL;
	enum qy_code code = qy_content_hash(snapshot->quote, hash);
	enum qrt_err err;

	if (code == QY_OK) {
		code = qy_pricing_trace_json(snapshot->pricing, &trace);
	}
	err = qy_sql_code(conn, code, "pricing_snapshot", snapshot->quote->id);
	if (!err) {
		err = save(conn, snapshot, hash, trace);
	}
	free(trace);
	return err;
}
