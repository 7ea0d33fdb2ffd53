/* The 27 checks of the seed data. Inside jobs only. */
#ifndef QY_DB_SEED_CHECK_H
#define QY_DB_SEED_CHECK_H

#include <qrt/db.h>

#include "quotey/db/seed_report.h"

/* Fills checks, passed and count of *report; a failed check is no error. */
enum qrt_err qy_seed_check_run(struct qrt_db_conn *conn,
			       struct qy_seed_report *report) QRT_MUST_USE;

#endif
