/*
 * Laws: what must hold for every program and every schedule. A law is a
 * function that draws its program from one seed while the lab draws the
 * schedule from another; it runs twice per pair of seeds, and both runs must
 * be the same to the last step. A broken law prints the line that replays it
 * and aborts: after that nothing in the process is worth believing.
 *
 *	QRT_LAWS_SEED=<law>[:<backend>:<program>:<schedule>]	only this one
 *	QRT_LAWS_RUNS=<n>					n times as many programs
 *
 * Must never decide anything by the wall clock or by an address.
 */
#ifndef QRT_TESTS_LAWS_H
#define QRT_TESTS_LAWS_H

#include <qrt/region.h>

#include "backends/lab/random.h"

/* One run of a law. */
struct law_run {
	const char *law, *backend;
	bool structured; /* the engine keeps the promises of the region engine */
	bool told;	 /* it is replayed: steps are printed */
	bool varied;	 /* the law's second variant, where it compares two */
	uint64_t program, schedule;
	struct qrt__lab_random draw; /* of the program; the same in each run of it */
	uint64_t log;		     /* of what the program saw; must not depend on the run */
};

/* In a task for laws of the runtime; with cx NULL for laws of plain functions. */
typedef void law_fn(struct qrt_cx *cx, struct law_run *run);

enum law_ground {
	ON_NOTHING, /* no runtime is needed */
	ON_LAB,	    /* a promise of the region engine only */
	ON_BOTH,    /* also one of the detached engine: on lab-legacy too */
};

struct law {
	const char *name;
	law_fn *fn;
	enum law_ground ground;
	unsigned programs, schedules; /* how many of each, before QRT_LAWS_RUNS */
	bool compares;		      /* runs once varied and once not: the logs must be equal */
};

/* Reads the two variables; false when one makes no sense, which has been printed. */
bool laws_begin(void);
/* Whether QRT_LAWS_SEED asks for the law of that @name, or for none in particular. */
bool laws_want(const char *name);
/* In a cmocka test: runs @law as often as it is to be run. */
void law_holds(const struct law *law);

#define LAW(cond)                                                                                  \
	do {                                                                                       \
		if (!(cond)) {                                                                     \
			law_broken(QRT_SITE, #cond);                                               \
		}                                                                                  \
	} while (0)
void law_broken(const char *site, const char *what) QRT_NORETURN;

/* Tells a step of a run that is replayed. */
void law_tell(const struct law_run *run, const char *fmt, ...) QRT_PRINTF(2, 3);

/* Below @n, at least 1. */
static inline uint64_t draw_below(struct qrt__lab_random *draw, uint64_t n)
{
	return qrt__lab_below(draw, n);
}

static inline bool draw_chance(struct qrt__lab_random *draw, unsigned percent)
{
	return qrt__lab_below(draw, 100) < percent;
}

/* A stream of its own for a part of the program: what one part draws changes no other. */
static inline struct qrt__lab_random draw_branch(struct qrt__lab_random *draw)
{
	return (struct qrt__lab_random){.state = qrt__lab_next(draw)};
}

static inline void law_log(struct law_run *run, uint64_t word)
{
	run->log = qrt__lab_mix(run->log ^ word) + UINT64_C(0x9e3779b97f4a7c15);
}

/* Until nothing can run any more at this moment: the lab's clock moves only then. */
enum qrt_err law_settle(struct qrt_cx *cx);
/* A random kind of cancel. */
enum qrt_cancel_kind draw_kind(struct qrt__lab_random *draw);

/* The laws, by what they are about. */
extern const struct law laws_algebra[], laws_regions[], laws_waiting[], laws_programs[];
extern const size_t n_laws_algebra, n_laws_regions, n_laws_waiting, n_laws_programs;

#endif
