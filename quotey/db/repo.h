/*
 * Rows to values and back, for use inside jobs only: each function runs statements on the
 * connection of the transaction at hand. Nothing here decides; the op_*.c files do.
 *
 * Errors are those of the statements; ECORRUPT when a stored row is no valid value.
 */
#ifndef QY_DB_REPO_H
#define QY_DB_REPO_H

#include <qrt/db.h>

#include "quotey/db/apikey.h"
#include "quotey/db/inbox.h"
#include "quotey/db/journal.h"
#include "quotey/db/stamp.h"
#include "quotey/db/store.h"

/* --- quotes (repo_quote.c, repo_line.c) --- */

/* Inserts header and lines as they are. */
enum qrt_err qy_repo_quote_insert(struct qrt_db_conn *conn,
				  const struct qy_quote *quote) QRT_MUST_USE;
/* Header and lines; *ret_quote is written as a whole. ENOENT: no such quote. */
enum qrt_err qy_repo_quote_load(struct qrt_db_conn *conn, const char *id,
				struct qy_quote *ret_quote) QRT_MUST_USE;
/* Writes status, versions, updated_at; and price and source of each line. */
enum qrt_err qy_repo_quote_update_priced(struct qrt_db_conn *conn,
					 const struct qy_quote *quote) QRT_MUST_USE;
enum qrt_err qy_repo_lines_insert(struct qrt_db_conn *conn,
				  const struct qy_quote *quote) QRT_MUST_USE;
/* Appends the stored lines to a loaded header. */
enum qrt_err qy_repo_lines_load(struct qrt_db_conn *conn, struct qy_quote *quote) QRT_MUST_USE;

/* --- catalogue (repo_product.c) --- */

/* Adds the product with all its parts unless it is there already; an unknown id adds nothing. */
enum qrt_err qy_repo_product_load(struct qrt_db_conn *conn, const char *id,
				  struct qy_catalog *catalog) QRT_MUST_USE;
/* The id of the product with this id or, failing that, this SKU. ENOENT. */
enum qrt_err qy_repo_product_resolve(struct qrt_db_conn *conn, const char *id_or_sku,
				     char ret_id[QY_ID_TEXT_MAX + 1]) QRT_MUST_USE;
/* The products on the lines of a quote. The caller fini's *ret_catalog. */
enum qrt_err qy_repo_catalog_for(struct qrt_db_conn *conn, const struct qy_quote *quote,
				 struct qy_catalog *ret_catalog) QRT_MUST_USE;

/* --- flow state (repo_flow.c) --- */

/* Inserts or updates the row of this quote, as its status and missing fields say. */
enum qrt_err qy_repo_flow_save(struct qrt_db_conn *conn, const struct qy_quote *quote,
			       const char *now) QRT_MUST_USE;

/* --- audit (repo_audit.c) --- */

struct qy_audit {
	const char *id;		   /* NULL: from the stamp */
	const char *quote_id;	   /* may be NULL */
	const char *event_type;	   /* "quote.created" */
	const char *category;	   /* "persistence" */
	const char *outcome;	   /* "success" */
	const char *entity_type;   /* may be NULL */
	const char *entity_id;	   /* may be NULL */
	const char *action;	   /* may be NULL */
	const char *before_json;   /* may be NULL */
	const char *after_json;	   /* may be NULL */
	const char *metadata_json; /* canonical; NULL: {} */
};

enum qrt_err qy_repo_audit_add(struct qrt_db_conn *conn, struct qy_stamp *stamp,
			       const struct qy_audit *audit) QRT_MUST_USE;

/* --- snapshots (repo_snapshot.c) --- */

struct qy_snapshot {
	const char *id;
	const struct qy_quote *quote; /* as it is stored, after pricing */
	const struct qy_pricing *pricing;
	const char *priced_at;
	const char *priced_by;
};

/* Stores the snapshot of the quote's version, in place of an earlier one. */
enum qrt_err qy_repo_snapshot_save(struct qrt_db_conn *conn,
				   const struct qy_snapshot *snapshot) QRT_MUST_USE;

/* --- numbers and settings (repo_sequence.c, repo_setting.c) --- */

/* Takes the next value of a counter, from 1; gone for good once the transaction commits. */
enum qrt_err qy_repo_sequence_next(struct qrt_db_conn *conn, const char *name, const char *now,
				   uint64_t *ret_value) QRT_MUST_USE;
/* A setting, or its default when there is no row. */
enum qrt_err qy_repo_setting_number(struct qrt_db_conn *conn, const char *key, int64_t standard,
				    int64_t *ret_value) QRT_MUST_USE;
enum qrt_err qy_repo_setting_text(struct qrt_db_conn *conn, const char *key, const char *standard,
				  char *ret_text, size_t size) QRT_MUST_USE;

/* --- people and keys (repo_apikey.c) --- */

enum qrt_err qy_repo_rep_exists(struct qrt_db_conn *conn, const char *id,
				bool *ret_exists) QRT_MUST_USE;
enum qrt_err qy_repo_apikey_insert(struct qrt_db_conn *conn,
				   const struct qy_apikey *key) QRT_MUST_USE;
/* ENOENT: no such key. */
enum qrt_err qy_repo_apikey_load(struct qrt_db_conn *conn, const char *id,
				 struct qy_apikey *ret_key) QRT_MUST_USE;
enum qrt_err qy_repo_apikey_touch(struct qrt_db_conn *conn, const char *id,
				  const char *now) QRT_MUST_USE;

/* --- inbox (repo_inbox.c) --- */

/* The row of @item, by any of its three keys, and the envelope it came in. ENOENT. */
enum qrt_err qy_repo_inbox_find(struct qrt_db_conn *conn, const struct qy_inbox_item *item,
				uint64_t *ret_seq,
				char ret_envelope_id[QY_INBOX_ENVELOPE_SIZE]) QRT_MUST_USE;
enum qrt_err qy_repo_inbox_add(struct qrt_db_conn *conn, const struct qy_inbox_item *item,
			       const char *now) QRT_MUST_USE;
/* Unless it was acked before; an unknown number is no error. */
enum qrt_err qy_repo_inbox_acked(struct qrt_db_conn *conn, uint64_t seq,
				 const char *now) QRT_MUST_USE;

/* --- journal (repo_journal.c) --- */

enum qrt_err qy_repo_journal_add(struct qrt_db_conn *conn, const struct qy_journal_entry *entry,
				 const char *now) QRT_MUST_USE;
/* Newest first; *ret_journal is written as a whole. */
enum qrt_err qy_repo_journal_load(struct qrt_db_conn *conn, unsigned limit,
				  struct qy_journal *ret_journal) QRT_MUST_USE;

#endif
