/*
 * Constraint violations as a JSON array, in the order in which they were found. Pure.
 */
#ifndef QY_SERVER_VIOLATIONS_JSON_H
#define QY_SERVER_VIOLATIONS_JSON_H

#include "quotey/core/constraint.h"
#include "quotey/core/json_write.h"

/* Writes one array value. */
void qy_violations_write(struct qy_json *json, const struct qy_violations *violations);

#endif
