/*
 * Whether a database is whole: what SQLite can tell of the file, and what the product promises of
 * its rows, whatever has failed in between. Reads only.
 */
#ifndef QY_LAB_INVARIANTS_H
#define QY_LAB_INVARIANTS_H

#include "quotey/db/buffer.h"
#include "quotey/db/store.h"

/*
 * Appends a line per broken promise to @out ("audit events are numbered without a gap: 17"), at
 * most 20 for each; *ret_broken of them. In one read transaction. Suspends. Errors: those of
 * qrt_db_read; ECORRUPT when a row cannot even be read.
 */
enum qrt_err qy_lab_invariants(struct qrt_cx *cx, struct qy_store *store, struct qy_buffer *out,
			       unsigned *ret_broken) QRT_MUST_USE;

/* Whether what Slack has sent as @envelope_id is stored, or what it is the same as. */
enum qrt_err qy_lab_has_envelope(struct qrt_cx *cx, struct qy_store *store, const char *envelope_id,
				 bool *ret_found) QRT_MUST_USE;

#endif
