/* Draws stamps. The only place of quotey/db that reads a clock or randomness for rows. */
#include "quotey/db/stamp.h"

#include <string.h>

#include "quotey/core/text.h"

void qy_origin_set(struct qy_origin *origin, const char *actor, const char *correlation)
{
	qy_text_cut(origin->actor, sizeof(origin->actor), actor ? actor : "system:quotey");
	qy_text_cut(origin->correlation, sizeof(origin->correlation), correlation);
}

enum qrt_err qy_stamp_draw(struct qrt_cx *cx, const struct qy_origin *origin,
			   struct qy_stamp *ret_stamp)
{
	struct qy_stamp stamp;
	enum qrt_err err;

	memset(&stamp, 0, sizeof(stamp));
	err = qrt_wall_ms(cx, &stamp.now_ms);
	if (err) {
		return err;
	}
	if (qy_timestamp_format(stamp.now_ms, stamp.now) != QY_OK) {
		return qrt_fail(cx, QRT_EINVAL, "the clock shows no year between 1 and 9999");
	}
	err = qrt_random(cx, stamp.random, sizeof(stamp.random));
	if (err) {
		return err;
	}
	if (origin) {
		stamp.origin = *origin;
	}
	if (!stamp.origin.actor[0]) {
		qy_origin_set(&stamp.origin, NULL, stamp.origin.correlation);
	}
	if (!stamp.origin.correlation[0]) {
		char id[QY_IDENT_SIZE];

		qy_stamp_id(&stamp, QY_ID_CORRELATION, id);
		qy_text_cut(stamp.origin.correlation, sizeof(stamp.origin.correlation), id);
	}
	stamp.spent = stamp.used;
	*ret_stamp = stamp;
	return QRT_OK;
}

void qy_stamp_id(struct qy_stamp *stamp, const char *prefix, char ret_id[QY_IDENT_SIZE])
{
	enum qy_code code;

	QRT_PRE(stamp->used < QY_STAMP_IDS);
	code = qy_ident_format(prefix, stamp->random[stamp->used++], ret_id);
	QRT_POST(code == QY_OK);
}

void qy_stamp_rewind(struct qy_stamp *stamp)
{
	stamp->used = stamp->spent;
}
