/*
 * The whole database as text, one row per line: for comparing two databases, or one with itself.
 */
#ifndef QY_DB_DUMP_H
#define QY_DB_DUMP_H

#include "quotey/db/store.h"

/*
 * "table|column=value|...\n" for every row of every table, by table name, then by the first two
 * columns, which hold the key. Null is \N; backslash, bar and line end read \\, \p and \n.
 * *ret_text is malloc'd, the caller's. Suspends. Errors: ELIMIT above 64 MiB.
 */
enum qrt_err qy_store_dump(struct qrt_cx *cx, struct qy_store *store, char **ret_text) QRT_MUST_USE;
/* SHA-256 of that text. */
enum qrt_err qy_store_checksum(struct qrt_cx *cx, struct qy_store *store,
			       char ret_hex[QRT_SHA256_HEX_SIZE]) QRT_MUST_USE;

#endif
