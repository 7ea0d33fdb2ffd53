/*
 * Small random programs: regions, tasks, sleeps, masks, cancels, channels,
 * locks, selects, played as tasks in the lab while a model looks on. What a
 * task does next is drawn from a stream of its own, so the program is the same
 * whatever the schedule. program_things.c has what tasks share, and its model;
 * program.c the tasks and regions, and what is true of them.
 *
 * The model must never ask the runtime what it expects.
 */
#ifndef QRT_TESTS_PROGRAM_H
#define QRT_TESTS_PROGRAM_H

#include <qrt/chan.h>
#include <qrt/region.h>
#include <qrt/sync.h>

#include "tests/lab/laws.h"

enum {
	CHANS = 2,
	MUTEXES = 2,
	SEMAPHORES = 2,
	UNITS = 3,
	ITEMS_MAX = 2000,
	PEOPLE_MAX = 40,   /* tasks of one program */
	PLACES_MAX = 40,   /* regions of one program */
	CHILDREN_MAX = 12, /* tasks of one region */
	MASKS_MAX = 6,
	DUTIES_MAX = 60,
};

struct person;

/* --- what tasks share: program_things.c ------------------------------------------------------ */

enum item_state { ITEM_NEW, ITEM_QUEUED, ITEM_TAKEN, ITEM_DROPPED };

struct queue {
	struct qrt_chan *chan;
	size_t capacity, permits; /* out, of tasks that live */
	bool closed;
	uint64_t first, last; /* of the items in it, in line[]; first == last: none */
	uint32_t line[ITEMS_MAX];
	uint64_t sent, received;
};

struct lock {
	struct qrt_mutex *mutex;
	const struct person *holder;
};

struct bowl {
	struct qrt_semaphore *semaphore;
	size_t used;
};

struct things {
	struct law_run *run;
	struct queue queues[CHANS];
	struct lock locks[MUTEXES];
	struct bowl bowls[SEMAPHORES];
	enum item_state items[ITEMS_MAX];
	uint32_t n_items;
	bool leaked; /* somebody kept something where nobody takes it back */
};

/* What crosses a channel. */
struct item {
	struct things *things;
	uint32_t queue, number;
};

void things_open(struct qrt_cx *cx, struct things *things);
/* Nobody uses them any more: all is where it was at first; closes them. */
void things_close(struct qrt_cx *cx, struct things *things);
/* What must hold between any two steps. */
void things_check(const struct things *things);
/* Takes and gives back at once what can be had; by the law it makes no difference. */
void things_touch(struct qrt_cx *cx, struct things *things, struct qrt__lab_random *draw);

/* Steps, each one call of a channel or a lock and what the model has to say about it. */
enum qrt_err step_send(struct qrt_cx *cx, struct person *person);
enum qrt_err step_try_send(struct qrt_cx *cx, struct person *person);
enum qrt_err step_recv(struct qrt_cx *cx, struct person *person);
enum qrt_err step_try_recv(struct qrt_cx *cx, struct person *person);
enum qrt_err step_shut(struct qrt_cx *cx, struct person *person);
/* These hold something while the person goes on with its life, then give it back. */
enum qrt_err step_reserve(struct qrt_cx *cx, struct person *person);
enum qrt_err step_lock(struct qrt_cx *cx, struct person *person);
enum qrt_err step_acquire(struct qrt_cx *cx, struct person *person);
enum qrt_err step_select(struct qrt_cx *cx, struct person *person);

/* What is held through one cx, for the model: it goes back at the latest when that ends. */
struct holdings {
	size_t permits[CHANS], units[SEMAPHORES];
	bool locks[MUTEXES];
};
/* That end has come: what is still held goes back in the model, too. */
void things_forget(struct things *things, struct holdings *holdings);
/* What @person holds through @cx, its own or that of a region it has opened. */
struct holdings *holdings_of(const struct qrt_cx *cx, struct person *person);

/* --- tasks and regions: program.c ------------------------------------------------------------- */

struct program;

/* One after the other, last one first, each once. */
struct finalizer {
	unsigned *depth;
	unsigned at;
};

struct place {
	struct program *program;
	struct place *parent;
	struct person *opener;
	struct qrt_region *region;
	enum qrt_policy policy;
	bool covered; /* opened under a mask of its opener */
	bool closed;  /* its last finalizer has run */
	bool failed, succeeded;
	enum qrt_err first_err; /* of the first child that failed */
	unsigned owed;		/* duties nobody has settled */
	unsigned finalizers;
	struct holdings holdings;
	size_t n_children;
	struct person *children[CHILDREN_MAX];
};

struct hold {
	int64_t begun_ns, budget_ns;
	bool commits;
};

struct person {
	struct program *program;
	struct things *things;
	struct law_run *run;
	struct place *home, *scope; /* the innermost region it has opened, or its home */
	struct qrt__lab_random draw;
	unsigned number, depth;
	bool deaf; /* goes on after a refusal */
	bool started, returned, panicked, ended;
	enum qrt_err err;
	unsigned owed; /* what it holds and will not give back */
	unsigned finalizers;
	size_t n_masks;
	struct hold masks[MASKS_MAX];
	struct holdings holdings;
};

/* A few steps of @person's life, as deep again; stops at a refusal, unless it is deaf. */
enum qrt_err live(struct qrt_cx *cx, struct person *person, uint64_t steps);
/* Whether nothing that may last for ever may be waited for here. */
bool is_hurried(const struct person *person);
static inline bool is_refusal(enum qrt_err err)
{
	return err == QRT_ECANCELED || err == QRT_ETIMEDOUT;
}

#endif
