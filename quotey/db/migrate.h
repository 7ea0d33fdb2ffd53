/*
 * Moves the schema of a database up and down the migrations, one write transaction per step, and
 * refuses to touch one whose history it does not know. A cancel is heard between steps; a step that
 * has begun is done whole, or fails by itself and leaves the schema of the step before.
 *
 * Errors with a detail that names the number: ECONFLICT (a checksum changed), ECORRUPT (a gap),
 * ENOTSUP (newer than this program knows), EINVAL (a gap in the program's own steps), and those of
 * the step itself. All suspend; they need
 * DB and TIME.
 */
#ifndef QY_DB_MIGRATE_H
#define QY_DB_MIGRATE_H

#include <qrt/db.h>
#include <qrt/digest.h>

#include "quotey/db/migrations.h"

struct qy_migrate_report {
	unsigned from, to; /* the number of the last applied step, before and after; 0: none */
};

/* Applies steps up to number @to (0: all); nothing when it is there. EINVAL: no such step. */
enum qrt_err qy_migrate_up(struct qrt_cx *cx, struct qrt_db *db, const struct qy_migration_set *set,
			   unsigned to, struct qy_migrate_report *ret_report) QRT_MUST_USE;

/* Reverts the steps above number @to, newest first; at it or below already: nothing. */
enum qrt_err qy_migrate_down(struct qrt_cx *cx, struct qrt_db *db,
			     const struct qy_migration_set *set, unsigned to,
			     struct qy_migrate_report *ret_report) QRT_MUST_USE;

/* QRT_OK only when exactly all steps are applied; ESTATE: some are missing (run `migrate`). */
enum qrt_err qy_migrate_verify(struct qrt_cx *cx, struct qrt_db *db,
			       const struct qy_migration_set *set) QRT_MUST_USE;

/* SHA-256 of the sorted, whitespace-normalised schema texts. */
enum qrt_err qy_migrate_signature(struct qrt_cx *cx, struct qrt_db *db,
				  char ret_hex[QRT_SHA256_HEX_SIZE]) QRT_MUST_USE;

#endif
