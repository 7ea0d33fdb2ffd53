/* Reading quotes and products, and looking whether the database is there. */
#include <stdlib.h>
#include <string.h>

#include "quotey/core/text.h"
#include "quotey/db/job.h"
#include "quotey/db/migrations.h"
#include "quotey/db/repo.h"
#include "quotey/db/sql.h"

#define LIST_DEFAULT 20

struct get_job {
	const char *id;
	struct qy_fault fault;
	struct qy_quote quote;
};

static enum qrt_err run_get(struct qrt_db_conn *conn, void *arg)
{
	struct get_job *job = arg;
	enum qrt_err err;

	qy_fault_init(&job->fault);
	qy_quote_fini(&job->quote);
	err = qy_repo_quote_load(conn, job->id, &job->quote);
	return err == QRT_ENOENT ? qy_fault_not_found(&job->fault, "quote", job->id) : err;
}

enum qrt_err qy_store_quote_get(struct qrt_cx *cx, struct qy_store *store, const char *id,
				struct qy_quote *ret_quote, struct qy_fault *ret_fault)
{
	struct get_job job = {.id = id};
	enum qrt_err err;

	qy_quote_init(&job.quote);
	err = qy_job_read_short(cx, store, run_get, &job, &job.fault);
	if (err) {
		qy_quote_fini(&job.quote);
		return err;
	}
	*ret_fault = job.fault;
	*ret_quote = job.quote;
	return QRT_OK;
}

void qy_quote_list_fini(struct qy_quote_list *list)
{
	if (!list) {
		return;
	}
	for (size_t i = 0; i < list->count; i++) {
		qy_quote_fini(&list->items[i]);
	}
	free(list->items);
	memset(list, 0, sizeof(*list));
}

struct list_job {
	const struct qy_quote_filter *filter;
	unsigned limit;
	struct qy_quote_list list;
};

#define FILTERED                                                                                   \
	" FROM quote WHERE (?1 IS NULL OR status = ?1) AND (?2 IS NULL OR account_id = ?2)"        \
	" AND (?3 IS NULL OR created_by = ?3)"

static enum qrt_err run_list(struct qrt_db_conn *conn, void *arg)
{
	struct list_job *job = arg;
	const struct qy_quote_filter *filter = job->filter;
	struct qy_arg status = QY_T(filter->has_status ? qy_status_name(filter->status) : NULL);
	QRT_AUTO_STMT rows = NULL;
	int64_t total = 0;
	bool row = false;
	enum qrt_err err;

	qy_quote_list_fini(&job->list);
	job->list.items = calloc(job->limit, sizeof(*job->list.items));
	if (!job->list.items) {
		return QRT_ENOMEM;
	}
	err = qy_sql_number(conn, "SELECT count(*)" FILTERED,
			    QY_ARGS(status, QY_TN(filter->account_id), QY_TN(filter->created_by)),
			    &total);
	job->list.total = (uint64_t)total;
	if (!err) {
		err = qy_sql_open(
		    conn,
		    "SELECT id" FILTERED " ORDER BY created_at DESC, id DESC LIMIT ?4 OFFSET ?5",
		    QY_ARGS(status, QY_TN(filter->account_id), QY_TN(filter->created_by),
			    QY_N(job->limit), QY_N(filter->offset)),
		    &rows);
	}
	while (!err && !(err = qrt_db_step(rows, &row)) && row && job->list.count < job->limit) {
		err = qy_repo_quote_load(conn, qrt_db_text(rows, 0),
					 &job->list.items[job->list.count]);
		job->list.count += !err;
	}
	return err;
}

enum qrt_err qy_store_quote_list(struct qrt_cx *cx, struct qy_store *store,
				 const struct qy_quote_filter *filter,
				 struct qy_quote_list *ret_list)
{
	struct list_job job = {.filter = filter};
	enum qrt_err err;

	job.limit = filter->limit ? filter->limit : LIST_DEFAULT;
	if (job.limit > QY_LIST_MAX) {
		return qrt_fail(cx, QRT_EINVAL, "limit %u is above %d", job.limit, QY_LIST_MAX);
	}
	err = qy_job_read(cx, store, run_list, &job, NULL);
	if (err) {
		qy_quote_list_fini(&job.list);
		return err;
	}
	*ret_list = job.list;
	return QRT_OK;
}

struct product_job {
	const char *id_or_sku;
	struct qy_fault fault;
	struct qy_catalog catalog;
};

static enum qrt_err run_product(struct qrt_db_conn *conn, void *arg)
{
	struct product_job *job = arg;
	char id[QY_ID_TEXT_MAX + 1];
	enum qrt_err err;

	qy_fault_init(&job->fault);
	qy_catalog_fini(&job->catalog);
	err = qy_repo_product_resolve(conn, job->id_or_sku, id);
	if (err == QRT_ENOENT) {
		return qy_fault_not_found(&job->fault, "product", job->id_or_sku);
	}
	return err ? err : qy_repo_product_load(conn, id, &job->catalog);
}

enum qrt_err qy_store_product_get(struct qrt_cx *cx, struct qy_store *store, const char *id_or_sku,
				  struct qy_catalog *ret_catalog, struct qy_fault *ret_fault)
{
	struct product_job job = {.id_or_sku = id_or_sku};
	enum qrt_err err;

	qy_catalog_init(&job.catalog);
	err = qy_job_read_short(cx, store, run_product, &job, &job.fault);
	if (err) {
		qy_catalog_fini(&job.catalog);
		return err;
	}
	*ret_fault = job.fault;
	*ret_catalog = job.catalog;
	return QRT_OK;
}

static enum qrt_err run_ping(struct qrt_db_conn *conn, void *arg)
{
	struct qy_counts *counts = arg;
	QRT_AUTO_STMT stmt = NULL;
	bool row = false;
	enum qrt_err err = qy_sql_open(conn,
				       "SELECT (SELECT coalesce(max(version), 0)"
				       " FROM schema_migration),"
				       " (SELECT count(*) FROM product),"
				       " (SELECT count(*) FROM quote),"
				       " (SELECT count(*) FROM quote_line),"
				       " (SELECT count(*) FROM audit_event),"
				       " (SELECT count(*) FROM pricing_snapshot),"
				       " (SELECT count(*) FROM api_key)",
				       QY_NO_ARGS, &stmt);

	if (!err) {
		err = qrt_db_step(stmt, &row);
	}
	if (!err && row) {
		counts->schema_version = (unsigned)qrt_db_int(stmt, 0);
		counts->products = (uint64_t)qrt_db_int(stmt, 1);
		counts->quotes = (uint64_t)qrt_db_int(stmt, 2);
		counts->quote_lines = (uint64_t)qrt_db_int(stmt, 3);
		counts->audit_events = (uint64_t)qrt_db_int(stmt, 4);
		counts->snapshots = (uint64_t)qrt_db_int(stmt, 5);
		counts->api_keys = (uint64_t)qrt_db_int(stmt, 6);
	}
	return err;
}

enum qrt_err qy_store_ping(struct qrt_cx *cx, struct qy_store *store, struct qy_counts *ret_counts)
{
	struct qy_counts counts;
	enum qrt_err err;

	memset(&counts, 0, sizeof(counts));
	err = qy_job_read(cx, store, run_ping, &counts, NULL);
	if (!err) {
		*ret_counts = counts;
	}
	return err;
}
