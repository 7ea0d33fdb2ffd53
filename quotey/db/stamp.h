/*
 * A stamp: the time, the new ids and the author of one operation, drawn from cx before its job
 * starts, because a job has no cx. Repeating a job with the same stamp gives the same rows.
 */
#ifndef QY_DB_STAMP_H
#define QY_DB_STAMP_H

#include <qrt/cx.h>

#include "quotey/core/civil.h"
#include "quotey/core/ident.h"
#include "quotey/db/store.h"

/* New ids one operation can need; more is a bug. */
#define QY_STAMP_IDS 12

struct qy_stamp {
	int64_t now_ms;
	char now[QY_TIMESTAMP_SIZE];
	struct qy_origin origin; /* with a correlation id in any case */
	uint8_t random[QY_STAMP_IDS][QY_IDENT_RANDOM];
	size_t used;
	size_t spent; /* of used: by the draw itself */
};

/* @origin NULL: the system. Needs TIME and RANDOM; does not suspend. */
enum qrt_err qy_stamp_draw(struct qrt_cx *cx, const struct qy_origin *origin,
			   struct qy_stamp *ret_stamp) QRT_MUST_USE;

/* The next new id with this prefix (QY_ID_*). */
void qy_stamp_id(struct qy_stamp *stamp, const char *prefix, char ret_id[QY_IDENT_SIZE]);

/* Gives the ids out again from the first one: for a job that runs a second time. */
void qy_stamp_rewind(struct qy_stamp *stamp);

#endif
