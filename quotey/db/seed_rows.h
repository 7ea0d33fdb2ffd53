/* The parts of loading the seed data, for seed_load.c. Inside jobs only. */
#ifndef QY_DB_SEED_ROWS_H
#define QY_DB_SEED_ROWS_H

#include <qrt/db.h>

#include "quotey/db/stamp.h"

/* Products with their parts, and sales reps; rows that are there stay as they are. */
enum qrt_err qy_seed_rows_catalogue(struct qrt_db_conn *conn, const char *now) QRT_MUST_USE;
/* Quotes that are not there, with lines, flow state, snapshot, approval request and audit row. */
enum qrt_err qy_seed_rows_quotes(struct qrt_db_conn *conn, struct qy_stamp *stamp) QRT_MUST_USE;

#endif
