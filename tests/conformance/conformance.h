/*
 * The conformance suite as data: what every backend owes a program, as tables
 * of scenarios that other programs run: on each backend (test_conformance),
 * with the n-th allocation failing (tests/fault), and so on.
 *
 * A new file: one table, closed with CONFORMANCE_SUITE, and one line in
 * suites.h. A scenario must never allocate by itself, keep a resource only in
 * a local variable, or take an error for granted: whatever it calls may fail.
 */
#ifndef QRT_TESTS_CONFORMANCE_H
#define QRT_TESTS_CONFORMANCE_H

#include <qrt/ledger.h>
#include <qrt/runtime.h>

#include "tests/lib/backends.h"

/* Where a scenario makes sense; all of them must hold. */
enum conformance_needs {
	CONFORMANCE_ANYWHERE = 0,
	CONFORMANCE_STRUCTURED = 1u << 0, /* the region engine */
	CONFORMANCE_LAB = 1u << 1,	  /* virtual time, simulated world */
};

struct conformance_scenario {
	const char *name; /* a sentence */
	/* Gets state_size zeroed bytes, which outlive the runtime; NULL when that is 0. */
	qrt_task_fn *fn;
	size_t state_size;
	/*
	 * Releases what fn has left in its state, when everything it spawned has ended and the
	 * regions it left open are closed. May be NULL.
	 */
	void (*clean)(struct qrt_cx *cx, void *state);
	unsigned needs; /* enum conformance_needs */
};

struct conformance_suite {
	const char *name;
	const struct conformance_scenario *scenario;
	size_t n;
};

#define CONFORMANCE_SUITE(suite, table)                                                            \
	const struct conformance_suite conformance_##suite = {                                     \
	    .name = #suite, .scenario = (table), .n = sizeof(table) / sizeof((table)[0])}

#define CONFORMANCE_DECLARE(suite) extern const struct conformance_suite conformance_##suite;
#include "tests/conformance/suites.h"
CONFORMANCE_SUITES(CONFORMANCE_DECLARE)
#undef CONFORMANCE_DECLARE

/* All suites, in order; ends with NULL. */
extern const struct conformance_suite *const conformance_suites[];

/* A scenario on a backend it applies to. */
struct conformance_row {
	const struct conformance_scenario *scenario;
	const char *backend;
	char name[256]; /* "lanes: each of several jobs runs once (lab)" */
};
/* All of them for this build, in order; the caller frees *ret_rows. 0: no memory. */
size_t conformance_rows(struct conformance_row **ret_rows);

/* Called between a scenario and its clean-up, which must not fail. */
typedef void conformance_between_fn(void *arg);

/*
 * Runs the scenario once in @rt with @state (state_size bytes, zeroed here) and
 * returns its result: an error of TRY, or QRT_EFAILED where an expectation failed.
 */
enum qrt_err conformance_play(struct qrt_runtime *rt, const struct conformance_scenario *scenario,
			      void *state, conformance_between_fn *between, void *between_arg);

/* Where the last scenario gave up first: "regions.c:12: qrt_x(): QRT_ENOMEM"; "" nowhere. */
const char *conformance_where(void);

/* Sweeps run a scenario hundreds of times: how many of the many, then. */
extern bool conformance_brief;
static inline size_t conformance_scale(size_t full, size_t brief)
{
	return conformance_brief ? brief : full;
}

/* --- for scenarios, beside EXPECT ------------------------------------------------------------ */

/* What a call may answer when the world has run out of something. */
bool conformance_is_shortage(enum qrt_err err);

enum qrt_err conformance_failed(const char *site, const char *call, enum qrt_err err);
enum qrt_err conformance_expected(const char *site, const char *call, enum qrt_err err,
				  enum qrt_err want);

/*
 * Whether the detail of the last error is @want. The text of a child's failure takes memory:
 * without it the error stands alone, which is passed on as ENOMEM.
 */
enum qrt_err conformance_detail(const struct qrt_cx *cx, const char *want);

/*
 * Duties that fill the ledger's memory, so that whoever makes the next one has to ask for more: in
 * the middle of a wait, say. Part of a scenario's state; emptied in its clean.
 */
struct conformance_filler {
	struct qrt_duty duty[64];
	size_t n;
};
enum qrt_err conformance_fill(struct qrt_cx *cx, struct conformance_filler *filler);
void conformance_empty(struct conformance_filler *filler);

/* Passes an error on: the scenario could not be played to its end. */
#define TRY(call)                                                                                  \
	do {                                                                                       \
		enum qrt_err try_err = (call);                                                     \
		if (try_err) {                                                                     \
			return conformance_failed(QRT_SITE, #call, try_err);                       \
		}                                                                                  \
	} while (0)

/* Expects this very error; a shortage instead of it is passed on. */
#define EXPECT_ERR(want, call)                                                                     \
	do {                                                                                       \
		enum qrt_err got_err = (call);                                                     \
		if (got_err != (want)) {                                                           \
			return conformance_expected(QRT_SITE, #call, got_err, want);               \
		}                                                                                  \
	} while (0)

#endif
