/*
 * API keys: qk_<8 hex>_<64 hex>. Only the SHA-256 of the secret part is ever stored.
 *
 * Pure functions on the text and on the stored row. Never compares a secret in a time that tells
 * how far it was right.
 */
#ifndef QY_DB_APIKEY_H
#define QY_DB_APIKEY_H

#include <stdbool.h>
#include <stdint.h>

#include <qrt/digest.h>

#include "quotey/core/civil.h"
#include "quotey/core/code.h"
#include "quotey/core/quote.h"

#define QY_APIKEY_ID_LEN 8
#define QY_APIKEY_ID_SIZE (QY_APIKEY_ID_LEN + 1)
#define QY_APIKEY_SECRET_LEN 64
#define QY_APIKEY_SECRET_SIZE (QY_APIKEY_SECRET_LEN + 1)
/* "qk_", id, "_", secret and the NUL. */
#define QY_APIKEY_TEXT_SIZE (3 + QY_APIKEY_ID_LEN + 1 + QY_APIKEY_SECRET_LEN + 1)
#define QY_APIKEY_NAME_SIZE 101
#define QY_APIKEY_RATE_DEFAULT 60
#define QY_APIKEY_RATE_MAX 1000000

#define QY_SCOPE_MAP(X)                                                                            \
	X(QUOTES_READ, "quotes:read")                                                              \
	X(QUOTES_WRITE, "quotes:write")                                                            \
	X(QUOTES_OVERRIDE, "quotes:override")                                                      \
	X(QUOTES_APPROVE, "quotes:approve")                                                        \
	X(QUOTES_SEND, "quotes:send")                                                              \
	X(CATALOG_READ, "catalog:read")                                                            \
	X(PORTAL_MANAGE, "portal:manage")                                                          \
	X(AUDIT_READ, "audit:read")                                                                \
	X(ADMIN, "admin")

#define QY_SCOPE_ENUM(name, text) QY_SCOPE_INDEX_##name,
enum qy_scope_index { QY_SCOPE_MAP(QY_SCOPE_ENUM) QY_SCOPE_INDEX_COUNT };
#undef QY_SCOPE_ENUM
#define QY_SCOPE_ENUM(name, text) QY_SCOPE_##name = 1u << QY_SCOPE_INDEX_##name,
enum qy_scope { QY_SCOPE_MAP(QY_SCOPE_ENUM) };
#undef QY_SCOPE_ENUM

struct qy_apikey {
	char id[QY_APIKEY_ID_SIZE];
	char name[QY_APIKEY_NAME_SIZE];
	char secret_hash[QRT_SHA256_HEX_SIZE];
	uint32_t scopes;		 /* of enum qy_scope */
	char rep_id[QY_ID_TEXT_MAX + 1]; /* "": none */
	unsigned rate_per_minute;
	char expires_at[QY_TIMESTAMP_SIZE];   /* "": never */
	char revoked_at[QY_TIMESTAMP_SIZE];   /* "": not */
	char last_used_at[QY_TIMESTAMP_SIZE]; /* "": never */
	char created_at[QY_TIMESTAMP_SIZE];
};

/* The literal name of one scope, or NULL; and back: INVALID_FIELD. */
const char *qy_scope_name(enum qy_scope scope);
enum qy_code qy_scope_parse(const char *text, enum qy_scope *ret_scope) QY_MUST_USE;
/* A comma-separated list, blanks around commas allowed; at least one. Error: INVALID_FIELD. */
enum qy_code qy_scopes_parse(const char *text, uint32_t *ret_scopes) QY_MUST_USE;
/* Whether the key may do it; admin may do everything. */
bool qy_apikey_allows(const struct qy_apikey *key, enum qy_scope scope);

/* Splits "qk_<8 hex>_<64 hex>" (lower case only). Error: INVALID_FIELD. */
enum qy_code qy_apikey_parse(const char *text, char ret_id[QY_APIKEY_ID_SIZE],
			     char ret_secret[QY_APIKEY_SECRET_SIZE]) QY_MUST_USE;
/* Whether this is the key's secret; in constant time. */
bool qy_apikey_matches(const struct qy_apikey *key, const char secret[QY_APIKEY_SECRET_SIZE]);
/* Whether it is neither revoked nor expired at @now ("YYYY-MM-DDTHH:MM:SS.mmmZ"). */
bool qy_apikey_live(const struct qy_apikey *key, const char *now);

#endif
