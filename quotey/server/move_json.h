/*
 * A move of the switchboard as a JSON object. Pure.
 */
#ifndef QY_SERVER_MOVE_JSON_H
#define QY_SERVER_MOVE_JSON_H

#include <qrt/switchboard.h>

#include "quotey/core/json_write.h"

/* Writes one object value: what moved where, who asked, what came of it and what it took. */
void qy_move_write(struct qy_json *json, const struct qrt_move *move);

#endif
