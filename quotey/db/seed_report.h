/*
 * What loading, checking or removing the seed data found. Plain data.
 */
#ifndef QY_DB_SEED_REPORT_H
#define QY_DB_SEED_REPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "quotey/core/seed.h"

struct qy_seed_check {
	char name[64]; /* "quote-netnew-001 subtotal" */
	char expected[32];
	char found[32];
	bool passed;
};

struct qy_seed_report {
	uint64_t rows_changed; /* by load or clean; 0: everything was as wanted already */
	unsigned passed;
	unsigned count; /* QY_SEED_CHECKS, or 0 after clean */
	struct qy_seed_check checks[QY_SEED_CHECKS];
};

#endif
