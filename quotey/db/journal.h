/*
 * The journal of moves: which component went from which backend to which, who asked, and what it
 * cost. Plain data; the rows are table runtime_switch. Append only.
 */
#ifndef QY_DB_JOURNAL_H
#define QY_DB_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "quotey/core/civil.h"

struct qy_journal_entry {
	uint64_t seq;		    /* given by the database */
	char at[QY_TIMESTAMP_SIZE]; /* "": now */
	char component[32];
	char from_backend[16]; /* "": first start */
	char to_backend[16];
	unsigned percent; /* 0..100 of new work that goes to to_backend */
	char actor[129];
	char reason[256];
	bool killed;
	int64_t duration_ms;
	uint64_t in_flight;
	uint64_t stragglers;
	char outcome[32]; /* "moved", or the name of an error */
	char detail[256];
};

struct qy_journal {
	struct qy_journal_entry *items;
	size_t count;
};

/* Frees the list and leaves an empty one; NULL and zeroed structs are fine. */
void qy_journal_fini(struct qy_journal *journal);

#endif
