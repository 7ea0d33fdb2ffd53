/*
 * The store: everything Quotey keeps, as typed operations.
 *
 * Each operation exists twice: qy_db_x sends one message through the port of the `db` component,
 * qy_store_x runs it on an open database (the component's own handlers and the command line do).
 * All suspend. Time, ids and randomness are drawn where the database is, from the cx at hand.
 *
 * Results: QRT_OK with ret_fault->kind NONE is success; QRT_OK with another kind is the domain's
 * no, and nothing but the fault (and what the operation says) is filled in; any other enum qrt_err
 * means that there is no answer, and results are untouched.
 */
#ifndef QY_DB_STORE_H
#define QY_DB_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <qrt/cx.h>
#include <qrt/db.h>
#include <qrt/digest.h>
#include <qrt/port.h>

#include "quotey/core/catalog.h"
#include "quotey/core/constraint.h"
#include "quotey/core/ident.h"
#include "quotey/core/pricing.h"
#include "quotey/core/quote.h"
#include "quotey/db/apikey.h"
#include "quotey/db/fault.h"
#include "quotey/db/inbox.h"
#include "quotey/db/journal.h"
#include "quotey/db/seed_report.h"

#define QY_ACTOR_SIZE 129
#define QY_CORRELATION_SIZE (QY_CORRELATION_MAX + 1)
#define QY_LIST_MAX 100

/* An open database whose schema is the newest. */
struct qy_store {
	struct qrt_db *db;
};

/* Who caused it: stored with every audit row. */
struct qy_origin {
	char actor[QY_ACTOR_SIZE];	       /* "<type>:<id>", for example "user:rep.sarah" */
	char correlation[QY_CORRELATION_SIZE]; /* "": a new cor- id is made */
};

/* Cuts both texts to size; NULL is "" (for actor: "system:quotey"). */
void qy_origin_set(struct qy_origin *origin, const char *actor, const char *correlation);

/*
 * Stores a new quote. Without id it gets the next Q-YYYY-NNNN, and its lines (whatever ids they
 * bring) get line ids of it. created_by defaults to the actor, valid_until to 30 days from now,
 * the currency to the setting `default_currency`. Lines that are not manual get price and source
 * from the catalogue; a line without product is stored as it is. Status, versions and what only
 * later operations may set (sent_at, locks, ...) are those of a new draft, whatever *quote says.
 * On success *quote is the stored one; otherwise it is as it was, except through a port after an
 * error that is no fault: then it is empty. Faults: CONFLICT (id in use); INVALID with code
 * UNKNOWN_PRODUCT or CURRENCY_MISMATCH and position, or INVALID_FIELD and field (prior_quote_id,
 * sales_rep_id, created_by, currency, valid_until).
 */
enum qrt_err qy_db_quote_create(struct qrt_cx *cx, struct qrt_port *db,
				const struct qy_origin *origin, struct qy_quote *quote,
				struct qy_fault *ret_fault) QRT_MUST_USE;
enum qrt_err qy_store_quote_create(struct qrt_cx *cx, struct qy_store *store,
				   const struct qy_origin *origin, struct qy_quote *quote,
				   struct qy_fault *ret_fault) QRT_MUST_USE;

/* Reads one quote; *ret_quote is written as a whole and the caller's to fini. Fault: NOT_FOUND. */
enum qrt_err qy_db_quote_get(struct qrt_cx *cx, struct qrt_port *db, const char *id,
			     struct qy_quote *ret_quote, struct qy_fault *ret_fault) QRT_MUST_USE;
enum qrt_err qy_store_quote_get(struct qrt_cx *cx, struct qy_store *store, const char *id,
				struct qy_quote *ret_quote,
				struct qy_fault *ret_fault) QRT_MUST_USE;

struct qy_quote_filter {
	bool has_status;
	enum qy_status status;
	char account_id[QY_ID_TEXT_MAX + 1]; /* "": any */
	char created_by[QY_ACTOR_SIZE];	     /* "": any */
	unsigned limit;			     /* 1..QY_LIST_MAX; 0: 20 */
	unsigned offset;
};

struct qy_quote_list {
	struct qy_quote *items; /* with their lines; newest first, then by id, downwards */
	size_t count;
	uint64_t total; /* that match, not only those of this page */
};

/* Frees the list and leaves an empty one; NULL and zeroed structs are fine. */
void qy_quote_list_fini(struct qy_quote_list *list);

enum qrt_err qy_db_quote_list(struct qrt_cx *cx, struct qrt_port *db,
			      const struct qy_quote_filter *filter,
			      struct qy_quote_list *ret_list) QRT_MUST_USE;
enum qrt_err qy_store_quote_list(struct qrt_cx *cx, struct qy_store *store,
				 const struct qy_quote_filter *filter,
				 struct qy_quote_list *ret_list) QRT_MUST_USE;

struct qy_price_result {
	struct qy_fault fault;
	struct qy_quote quote; /* as it is stored now; empty after NOT_FOUND */
	/* When there is no fault and, for price, nothing missing: */
	struct qy_pricing pricing;
	struct qy_violations violations; /* with fault VIOLATIONS (price), or found (preview) */
	/* price, when any: the quote kept its status (PromptForMissingFields). preview: to tell. */
	struct qy_missing missing;
	bool has_pricing;		 /* pricing is filled in */
	char snapshot_id[QY_IDENT_SIZE]; /* of price; "" otherwise */
};

void qy_price_result_fini(struct qy_price_result *result);

struct qy_price_request {
	struct qy_origin origin;
	char quote_id[QY_QUOTE_ID_SIZE];
	unsigned if_state_version; /* 0: whatever it is */
};

/*
 * The operation `price`, in one transaction: constraints, then RequiredFieldsCollected, then
 * PricingCalculated, with snapshot, flow state and audit. *ret_result is written as a whole and the
 * caller's to fini, also with a fault. Faults: NOT_FOUND, STALE, CONFLICT (status, event: one
 * rejected event is audited), VIOLATIONS, INVALID (MONEY_OVERFLOW and the like: nothing changed).
 */
enum qrt_err qy_db_quote_price(struct qrt_cx *cx, struct qrt_port *db,
			       const struct qy_price_request *request,
			       struct qy_price_result *ret_result) QRT_MUST_USE;
enum qrt_err qy_store_quote_price(struct qrt_cx *cx, struct qy_store *store,
				  const struct qy_price_request *request,
				  struct qy_price_result *ret_result) QRT_MUST_USE;

/*
 * Constraints, missing fields and price of a quote in any status; changes nothing at all.
 * Violations are no fault here; a quote is priced only without any. Faults: NOT_FOUND, INVALID.
 */
enum qrt_err qy_db_quote_preview(struct qrt_cx *cx, struct qrt_port *db, const char *id,
				 struct qy_price_result *ret_result) QRT_MUST_USE;
enum qrt_err qy_store_quote_preview(struct qrt_cx *cx, struct qy_store *store, const char *id,
				    struct qy_price_result *ret_result) QRT_MUST_USE;

/*
 * One product by id or SKU, as a catalogue of that product alone (with tiers, attributes, members
 * and rules); written as a whole, the caller's to fini. Fault: NOT_FOUND.
 */
enum qrt_err qy_db_product_get(struct qrt_cx *cx, struct qrt_port *db, const char *id_or_sku,
			       struct qy_catalog *ret_catalog,
			       struct qy_fault *ret_fault) QRT_MUST_USE;
enum qrt_err qy_store_product_get(struct qrt_cx *cx, struct qy_store *store, const char *id_or_sku,
				  struct qy_catalog *ret_catalog,
				  struct qy_fault *ret_fault) QRT_MUST_USE;

/*
 * Makes a key; its secret exists only in @ret_text. @spec: name, scopes, and optionally rep_id,
 * rate_per_minute (0: 60), expires_at. Fault: INVALID (name, scopes, rep_id, expires_at).
 */
enum qrt_err qy_db_apikey_create(struct qrt_cx *cx, struct qrt_port *db,
				 const struct qy_apikey *spec, char ret_text[QY_APIKEY_TEXT_SIZE],
				 struct qy_fault *ret_fault) QRT_MUST_USE;
enum qrt_err qy_store_apikey_create(struct qrt_cx *cx, struct qy_store *store,
				    const struct qy_apikey *spec,
				    char ret_text[QY_APIKEY_TEXT_SIZE],
				    struct qy_fault *ret_fault) QRT_MUST_USE;
/* By its 8 hex digits; expired and revoked ones too. Fault: NOT_FOUND. */
enum qrt_err qy_db_apikey_find(struct qrt_cx *cx, struct qrt_port *db, const char *id,
			       struct qy_apikey *ret_key, struct qy_fault *ret_fault) QRT_MUST_USE;
enum qrt_err qy_store_apikey_find(struct qrt_cx *cx, struct qy_store *store, const char *id,
				  struct qy_apikey *ret_key,
				  struct qy_fault *ret_fault) QRT_MUST_USE;
/* Stamps last_used_at with now; an unknown id is no error. A write: not for each request. */
enum qrt_err qy_db_apikey_touch(struct qrt_cx *cx, struct qrt_port *db,
				const char *id) QRT_MUST_USE;
enum qrt_err qy_store_apikey_touch(struct qrt_cx *cx, struct qy_store *store,
				   const char *id) QRT_MUST_USE;

/*
 * Every key, newest first, at most QY_APIKEY_LIST_MAX: without their hashes. The caller frees
 * *ret_keys.
 */
#define QY_APIKEY_LIST_MAX 1000
enum qrt_err qy_store_apikey_list(struct qrt_cx *cx, struct qy_store *store,
				  struct qy_apikey **ret_keys, size_t *ret_count) QRT_MUST_USE;
/* From now on the key opens nothing; one that is revoked stays as it was. Fault: NOT_FOUND. */
enum qrt_err qy_store_apikey_revoke(struct qrt_cx *cx, struct qy_store *store, const char *id,
				    struct qy_fault *ret_fault) QRT_MUST_USE;

/* Somebody was refused: becomes the audit row `auth.denied`. Texts that are "" are not there. */
struct qy_denial {
	char code[32];	 /* "INVALID_API_KEY" */
	char client[46]; /* its address */
	char key_id[QY_APIKEY_ID_SIZE];
	char method[17];
	char route[128];    /* the pattern */
	uint64_t unaudited; /* refusals since the last row that have none */
};
enum qrt_err qy_db_denial_append(struct qrt_cx *cx, struct qrt_port *db,
				 const struct qy_origin *origin,
				 const struct qy_denial *denial) QRT_MUST_USE;
enum qrt_err qy_store_denial_append(struct qrt_cx *cx, struct qy_store *store,
				    const struct qy_origin *origin,
				    const struct qy_denial *denial) QRT_MUST_USE;

/* Appends one row to the journal of moves, and its audit row. @entry->seq is ignored. */
enum qrt_err qy_db_journal_append(struct qrt_cx *cx, struct qrt_port *db,
				  const struct qy_journal_entry *entry) QRT_MUST_USE;
enum qrt_err qy_store_journal_append(struct qrt_cx *cx, struct qy_store *store,
				     const struct qy_journal_entry *entry) QRT_MUST_USE;
/* The newest entries first, at most @limit (1..QY_LIST_MAX). The caller fini's the list. */
enum qrt_err qy_db_journal_list(struct qrt_cx *cx, struct qrt_port *db, unsigned limit,
				struct qy_journal *ret_journal) QRT_MUST_USE;
enum qrt_err qy_store_journal_list(struct qrt_cx *cx, struct qy_store *store, unsigned limit,
				   struct qy_journal *ret_journal) QRT_MUST_USE;

/*
 * Takes in one envelope from Slack, unless its envelope id, event id or dedupe key is known; audits
 * it either way. What @item says must be as quotey/db/inbox.h has it, its payload JSON. With QRT_OK
 * it is committed; after any error it may not be: Slack sends what nobody has acked again.
 */
enum qrt_err qy_db_inbox_receive(struct qrt_cx *cx, struct qrt_port *db,
				 const struct qy_inbox_item *item,
				 struct qy_inbox_receipt *ret_receipt) QRT_MUST_USE;
enum qrt_err qy_store_inbox_receive(struct qrt_cx *cx, struct qy_store *store,
				    const struct qy_inbox_item *item,
				    struct qy_inbox_receipt *ret_receipt) QRT_MUST_USE;
/* Stamps a row with now, unless it has been before: Slack was told that we have it. */
enum qrt_err qy_db_inbox_acked(struct qrt_cx *cx, struct qrt_port *db, uint64_t seq) QRT_MUST_USE;
enum qrt_err qy_store_inbox_acked(struct qrt_cx *cx, struct qy_store *store,
				  uint64_t seq) QRT_MUST_USE;

/*
 * Loads the seed rows that are not there (everything or nothing) and makes the 27 checks. Failed
 * checks are no error of the call: look at ret_report->passed.
 */
enum qrt_err qy_db_seed_load(struct qrt_cx *cx, struct qrt_port *db,
			     struct qy_seed_report *ret_report) QRT_MUST_USE;
enum qrt_err qy_store_seed_load(struct qrt_cx *cx, struct qy_store *store,
				struct qy_seed_report *ret_report) QRT_MUST_USE;
/* The checks alone. */
enum qrt_err qy_db_seed_check(struct qrt_cx *cx, struct qrt_port *db,
			      struct qy_seed_report *ret_report) QRT_MUST_USE;
enum qrt_err qy_store_seed_check(struct qrt_cx *cx, struct qy_store *store,
				 struct qy_seed_report *ret_report) QRT_MUST_USE;
/* Removes the seed quotes with what hangs on them, and seed products and reps that nobody uses. */
enum qrt_err qy_db_seed_clean(struct qrt_cx *cx, struct qrt_port *db,
			      struct qy_seed_report *ret_report) QRT_MUST_USE;
enum qrt_err qy_store_seed_clean(struct qrt_cx *cx, struct qy_store *store,
				 struct qy_seed_report *ret_report) QRT_MUST_USE;

struct qy_counts {
	unsigned schema_version;
	uint64_t products, quotes, quote_lines, audit_events, snapshots, api_keys;
};

/* Whether the database answers, and how much is in it. */
enum qrt_err qy_db_ping(struct qrt_cx *cx, struct qrt_port *db,
			struct qy_counts *ret_counts) QRT_MUST_USE;
enum qrt_err qy_store_ping(struct qrt_cx *cx, struct qy_store *store,
			   struct qy_counts *ret_counts) QRT_MUST_USE;

#endif
