/*
 * The quote: header fields, lines, and what is still missing.
 *
 * A plain value without behaviour over time: no statuses are moved here (that is the flow table),
 * nothing is priced and nothing is stored. Lines hold no derived amount.
 *
 * Use: qy_quote_init, then setters and qy_quote_add_line, then qy_quote_fini. Members may be read
 * directly; texts and lines are written through the functions below only, because these enforce
 * the limits. A text that is absent is NULL, never "".
 */
#ifndef QY_CORE_QUOTE_H
#define QY_CORE_QUOTE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "quotey/core/code.h"

#ifdef __cplusplus
extern "C" {
#endif

#define QY_QUANTITY_MAX 1000000
#define QY_LINES_MAX 500
#define QY_ATTRIBUTES_MAX 32
#define QY_TERM_MONTHS_MAX 120
#define QY_MISSING_MAX 8
#define QY_ID_TEXT_MAX 64
#define QY_NOTES_MAX 4000
#define QY_ATTRIBUTE_KEY_MAX 64
#define QY_ATTRIBUTE_VALUE_MAX 256

/* X(NAME, stored text), in the order of the specification. */
#define QY_STATUS_MAP(X)                                                                           \
	X(DRAFT, "draft")                                                                          \
	X(VALIDATED, "validated")                                                                  \
	X(PRICED, "priced")                                                                        \
	X(APPROVAL, "approval")                                                                    \
	X(APPROVED, "approved")                                                                    \
	X(REJECTED, "rejected")                                                                    \
	X(FINALIZED, "finalized")                                                                  \
	X(SENT, "sent")                                                                            \
	X(EXPIRED, "expired")                                                                      \
	X(CANCELLED, "cancelled")                                                                  \
	X(REVISED, "revised")

#define QY_FLOW_TYPE_MAP(X)                                                                        \
	X(NET_NEW, "net_new")                                                                      \
	X(RENEWAL_EXPANSION, "renewal_expansion")                                                  \
	X(DISCOUNT_EXCEPTION, "discount_exception")

#define QY_PRICE_SOURCE_MAP(X)                                                                     \
	X(LIST, "list")                                                                            \
	X(TIER, "tier")                                                                            \
	X(MANUAL, "manual")

#define QY_DECISION_MAP(X)                                                                         \
	X(NONE, "none")                                                                            \
	X(APPROVED, "approved")                                                                    \
	X(REJECTED, "rejected")

#define QY_QUOTE_ENUM(name, text) QY_STATUS_##name,
enum qy_status { QY_STATUS_MAP(QY_QUOTE_ENUM) QY_STATUS_COUNT };
#undef QY_QUOTE_ENUM
#define QY_QUOTE_ENUM(name, text) QY_FLOW_##name,
enum qy_flow_type { QY_FLOW_TYPE_MAP(QY_QUOTE_ENUM) QY_FLOW_TYPE_COUNT };
#undef QY_QUOTE_ENUM
#define QY_QUOTE_ENUM(name, text) QY_PRICE_##name,
enum qy_price_source { QY_PRICE_SOURCE_MAP(QY_QUOTE_ENUM) QY_PRICE_SOURCE_COUNT };
#undef QY_QUOTE_ENUM
#define QY_QUOTE_ENUM(name, text) QY_DECISION_##name,
enum qy_decision { QY_DECISION_MAP(QY_QUOTE_ENUM) QY_DECISION_COUNT };
#undef QY_QUOTE_ENUM

/* The stored text, or NULL for a value outside the enum; and back: INVALID_FIELD for others. */
const char *qy_status_name(enum qy_status status);
enum qy_code qy_status_parse(const char *text, enum qy_status *ret_status) QY_MUST_USE;
const char *qy_flow_type_name(enum qy_flow_type flow_type);
enum qy_code qy_flow_type_parse(const char *text, enum qy_flow_type *ret_type) QY_MUST_USE;
const char *qy_price_source_name(enum qy_price_source source);
enum qy_code qy_price_source_parse(const char *text, enum qy_price_source *ret_source) QY_MUST_USE;
const char *qy_decision_name(enum qy_decision decision);
enum qy_code qy_decision_parse(const char *text, enum qy_decision *ret_decision) QY_MUST_USE;

/*
 * The header's text fields: X(NAME, member, longest text in bytes, kind). The member's name is also
 * the column's and the JSON member's. Kinds: QUOTE_ID a normalised quote id; LABEL one line of
 * text; PROSE text that may hold tabs and line ends; CURRENCY, TERMS, COUNTRY, DATE, TIME as their
 * names say.
 */
#define QY_QUOTE_FIELD_MAP(X)                                                                      \
	X(ID, id, QY_ID_TEXT_MAX, QUOTE_ID)                                                        \
	X(ACCOUNT_ID, account_id, QY_ID_TEXT_MAX, LABEL)                                           \
	X(ACCOUNT_NAME, account_name, 200, LABEL)                                                  \
	X(DEAL_ID, deal_id, QY_ID_TEXT_MAX, LABEL)                                                 \
	X(CURRENCY, currency, 3, CURRENCY)                                                         \
	X(START_DATE, start_date, 10, DATE)                                                        \
	X(END_DATE, end_date, 10, DATE)                                                            \
	X(VALID_UNTIL, valid_until, 10, DATE)                                                      \
	X(PAYMENT_TERMS, payment_terms, 16, TERMS)                                                 \
	X(BILLING_COUNTRY, billing_country, 2, COUNTRY)                                            \
	X(NOTES, notes, QY_NOTES_MAX, PROSE)                                                       \
	X(PRIOR_QUOTE_ID, prior_quote_id, QY_ID_TEXT_MAX, QUOTE_ID)                                \
	X(DISCOUNT_REASON, discount_reason, 1000, PROSE)                                           \
	X(CREATED_BY, created_by, 128, LABEL)                                                      \
	X(SALES_REP_ID, sales_rep_id, QY_ID_TEXT_MAX, LABEL)                                       \
	X(FINGERPRINT, fingerprint, 64, LABEL)                                                     \
	X(FINALIZED_AT, finalized_at, 24, TIME)                                                    \
	X(SENT_AT, sent_at, 24, TIME)                                                              \
	X(CUSTOMER_DECIDED_AT, customer_decided_at, 24, TIME)                                      \
	X(SLACK_CHANNEL, slack_channel, QY_ID_TEXT_MAX, LABEL)                                     \
	X(SLACK_THREAD_TS, slack_thread_ts, 32, LABEL)                                             \
	X(LOCKED_BY, locked_by, 128, LABEL)                                                        \
	X(LOCKED_AT, locked_at, 24, TIME)                                                          \
	X(LOCK_EXPIRES_AT, lock_expires_at, 24, TIME)                                              \
	X(CREATED_AT, created_at, 24, TIME)                                                        \
	X(UPDATED_AT, updated_at, 24, TIME)

#define QY_QUOTE_ENUM(name, member, max, kind) QY_FIELD_##name,
enum qy_quote_field { QY_QUOTE_FIELD_MAP(QY_QUOTE_ENUM) QY_FIELD_COUNT };
#undef QY_QUOTE_ENUM

struct qy_attribute_value {
	char *key;
	char *value;
};

struct qy_line {
	char *id;
	unsigned position;
	char *product_id;
	int64_t quantity;
	int64_t unit_price_minor;
	enum qy_price_source price_source;
	int discount_bps;
	struct qy_attribute_value *attributes; /* sorted by key */
	size_t attribute_count;
	char *notes;
};

struct qy_quote {
#define QY_QUOTE_MEMBER(name, member, max, kind) char *member;
	QY_QUOTE_FIELD_MAP(QY_QUOTE_MEMBER)
#undef QY_QUOTE_MEMBER
	enum qy_flow_type flow_type;
	enum qy_status status;
	enum qy_decision customer_decision;
	unsigned version;
	unsigned state_version;
	int term_months; /* 0 is absent */
	int tax_rate_bps;
	uint64_t line_seq; /* the largest n ever used in a line id */
	struct qy_line *lines;
	size_t line_count;
	size_t line_capacity;
};

/* What a caller says about one line; nothing of it is kept. */
struct qy_attribute_spec {
	const char *key;
	const char *value;
};

struct qy_line_spec {
	const char *id;		/* NULL: the quote's next line id */
	unsigned position;	/* 0: after the last line; else larger than the last position */
	const char *product_id; /* stored trimmed; NULL or blank is stored as "" */
	int64_t quantity;
	int64_t unit_price_minor;
	enum qy_price_source price_source;
	int discount_bps;
	const struct qy_attribute_spec *attributes;
	size_t attribute_count;
	const char *notes;
};

struct qy_missing {
	unsigned count;
	const char *names[QY_MISSING_MAX]; /* static texts, in the order of the specification */
};

/* A net-new draft, version 1, state version 1, with no texts and no lines. */
void qy_quote_init(struct qy_quote *quote);

/* Frees what the quote holds and leaves it as after init. NULL is fine. */
void qy_quote_fini(struct qy_quote *quote);

/* A deep copy; ret_copy is written as a whole (never fini'd first). Error: NO_MEMORY. */
enum qy_code qy_quote_copy(const struct qy_quote *quote, struct qy_quote *ret_copy) QY_MUST_USE;

/*
 * Replaces one text; NULL or "" clears it. Ids are stored normalised. On failure the old text
 * stays. Errors: TEXT_TOO_LONG, INVALID_ID (QUOTE_ID), UNKNOWN_CURRENCY (CURRENCY), INVALID_FIELD
 * for any other bad value, text that is not UTF-8 or has control characters, NO_MEMORY.
 */
enum qy_code qy_quote_set(struct qy_quote *quote, enum qy_quote_field field,
			  const char *text) QY_MUST_USE;

/* The stored text or NULL, by field. */
const char *qy_quote_get(const struct qy_quote *quote, enum qy_quote_field field);

/* The member's name, or NULL outside the enum; and back: INVALID_FIELD for an unknown name. */
const char *qy_quote_field_name(enum qy_quote_field field);
enum qy_code qy_quote_field_parse(const char *name, enum qy_quote_field *ret_field) QY_MUST_USE;

/* 0 clears the term, else 1..120. Error: INVALID_FIELD. */
enum qy_code qy_quote_set_term(struct qy_quote *quote, int64_t months) QY_MUST_USE;

/* Error: BPS_RANGE. */
enum qy_code qy_quote_set_tax_rate(struct qy_quote *quote, int64_t bps) QY_MUST_USE;

/*
 * Appends a line; on failure the quote is unchanged. A quote without id takes only lines that bring
 * one. ret_line (may be NULL) stays valid until the next line is added. Errors: LINE_LIMIT,
 * QUANTITY_LIMIT, BPS_RANGE, DUPLICATE_ID for a used line id, INVALID_ID, INVALID_FIELD for a bad
 * position, source, attribute (empty or repeated key, more than 32) or text, TEXT_TOO_LONG,
 * NO_MEMORY.
 */
enum qy_code qy_quote_add_line(struct qy_quote *quote, const struct qy_line_spec *spec,
			       struct qy_line **ret_line) QY_MUST_USE;

/* The value of a line's attribute, or NULL. */
const char *qy_line_attribute(const struct qy_line *line, const char *key);

/*
 * The line's attributes as canonical JSON ({"region":"eu"}, "{}" without any), malloc'd, owned by
 * the caller. Error: NO_MEMORY.
 */
enum qy_code qy_line_attributes_json(const struct qy_line *line, char **ret_json) QY_MUST_USE;

/* Which required fields are absent, in the order of the specification. */
void qy_quote_missing_fields(const struct qy_quote *quote, struct qy_missing *ret_missing);

#ifdef __cplusplus
}
#endif

#endif
