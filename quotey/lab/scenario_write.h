/*
 * A scenario as text. Pure.
 */
#ifndef QY_LAB_SCENARIO_WRITE_H
#define QY_LAB_SCENARIO_WRITE_H

#include "quotey/db/buffer.h"
#include "quotey/lab/scenario.h"

/* Appends a file that parses to the same tree; the error, if any, sticks to @out. */
void qy_scenario_write(const struct qy_scenario *scenario, struct qy_buffer *out);

#endif
