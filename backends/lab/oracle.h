/*
 * The oracles from the inside. Each runtime a lab observes has a model of its
 * own: what the steps have told of tasks, regions, duties, finalizers and
 * operations. It is made of a fixed number of nodes; a runtime that needs more
 * is not judged any further, and says so. What carries messages may be used
 * from several threads: its model is the lab's, behind a lock.
 *
 * The model never asks the runtime what it should be: it reads names, ids,
 * deadlines and mask depths, and nothing that is being judged.
 *
 *	oracle.c		verdicts; who hears of which step
 *	oracle_model.c		nodes, and finding them
 *	oracle_tree.c		tasks and regions: orphans, losers, deadlines, the end
 *	oracle_cancel.c		whom a cancel must reach
 *	oracle_owed.c		duties and finalizers
 *	oracle_wait.c		waits and operations
 *	oracle_message.c	messages
 */
#ifndef QRT_BACKENDS_LAB_ORACLE_H
#define QRT_BACKENDS_LAB_ORACLE_H

#include <qrt/oracle.h>

#include "backends/lab/lab.h"

#define QRT__ORACLES(X)                                                                            \
	X(QRT__ORPHAN, "orphan task")                                                              \
	X(QRT__QUIESCENCE, "quiescence")                                                           \
	X(QRT__LEAKED, "obligation leak")                                                          \
	X(QRT__LOSER, "loser drained")                                                             \
	X(QRT__FINALIZER, "finalizer ran once")                                                    \
	X(QRT__REACHED, "cancel reached")                                                          \
	X(QRT__DEADLINE, "deadline monotone")                                                      \
	X(QRT__MESSAGE, "message once")                                                            \
	X(QRT__TERMINAL, "one terminal event")                                                     \
	X(QRT__DATABASE, "database whole")

enum qrt__oracle_kind {
#define QRT__ORACLE_ENUM(name, text) name,
	QRT__ORACLES(QRT__ORACLE_ENUM)
#undef QRT__ORACLE_ENUM
	    QRT__ORACLE_KINDS
};
_Static_assert((int)QRT__ORACLE_KINDS == (int)QRT_ORACLES, "the public number is the number");

/* --- nodes ----------------------------------------------------------------------------------- */

enum { QRT__NODE_BYTES = 176, QRT__NODES_MAX = 1 << 15, QRT__BUCKETS = 1 << 12 };

enum qrt__node_kind {
	QRT__NODE_FREE,
	QRT__NODE_TASK,
	QRT__NODE_REGION,
	QRT__NODE_DUTY,
	QRT__NODE_DEFER,
	QRT__NODE_OP,
	QRT__NODE_CHAN,
	QRT__NODE_ELEMENT,
};

/* First member of whatever is known. */
struct qrt__node {
	struct qrt__node *next; /* in its bucket, or of the free ones */
	uint64_t key;
	enum qrt__node_kind kind;
};

struct qrt__model {
	struct qrt__node *bucket[QRT__BUCKETS];
	struct qrt__node *free;
	size_t n_used; /* of @node, ever */
	bool blind;    /* something could not be noted: it knows nothing any more */
	_Alignas(16) char node[QRT__NODES_MAX][QRT__NODE_BYTES];
};

/* NULL: no memory. */
struct qrt__model *qrt__model_new(void);
/* A cleared node, not to be found by its key; NULL when there are no more: @model is blind now. */
void *qrt__model_take(struct qrt__model *model, enum qrt__node_kind kind, uint64_t key);
/* The same, to be found. */
void *qrt__model_add(struct qrt__model *model, enum qrt__node_kind kind, uint64_t key);
void *qrt__model_find(const struct qrt__model *model, enum qrt__node_kind kind, uint64_t key);
/* Of one that was added. */
void qrt__model_drop(struct qrt__model *model, void *node);
/* Of one that was only taken. */
void qrt__model_give(struct qrt__model *model, void *node);

/* --- what is known --------------------------------------------------------------------------- */

struct qrt__known_defer {
	struct qrt__node node; /* key: its address */
	struct qrt__known_defer *below;
	struct qrt__known_defer **stack; /* whose first it may be */
};

struct qrt__known_region {
	struct qrt__node node; /* key: its id */
	struct qrt__known_region *parent, *outer;
	struct qrt__known_task *opener; /* NULL: the root's */
	struct qrt__list in_parent, children, tasks, duties;
	struct qrt__known_defer *defers;
	const char *name;
	int64_t deadline_ns;
	unsigned n_tasks, losers;
	bool shielded; /* opened under a mask */
	bool asked, decided;
};

struct qrt__known_task {
	struct qrt__node node; /* key: its id */
	const struct qrt_task *task;
	struct qrt__known_region *home, *top;
	struct qrt__list in_home, in_told, duties;
	struct qrt__known_defer *defers;
	int64_t until_ns; /* of its wait */
	bool parked, asked;
};

struct qrt__known_duty {
	struct qrt__node node; /* key: its address */
	struct qrt__list in_region, in_holder;
	const char *what, *site;
};

/* --- one runtime's oracles ------------------------------------------------------------------- */

struct qrt__oracle {
	struct qrt_lab *lab;
	struct qrt_runtime *rt;
	struct qrt__list in_book;
	bool structured, exact; /* the engine's promise; the clock's */
	struct qrt__model *model;
	struct qrt__list told; /* tasks whose wait must have been cut by the next step */
	_Atomic uint64_t saw[QRT__ORACLE_KINDS];
};

static inline void qrt__saw(struct qrt__oracle *oracle, enum qrt__oracle_kind kind)
{
	QRT__COUNT(oracle->saw[kind], 1);
}

/* Records it, with the time and the runtime; the first of each kind is printed. */
void qrt__violated(struct qrt__oracle *oracle, enum qrt__oracle_kind kind, const char *fmt, ...)
    QRT_PRINTF(3, 4);

/* "task NAME, spawned at SITE, in region NAME", to @ret_text. */
enum { QRT__WHO_SIZE = 192 };
const char *qrt__who(const struct qrt__known_task *task, char *ret_text);

/* --- oracle.c, for the lab ------------------------------------------------------------------- */

/* Errors: ENOMEM. */
enum qrt_err qrt__oracles_new(struct qrt_lab *lab);
/* After its runtimes. NULL-safe as to what is in @lab. */
void qrt__oracles_free(struct qrt_lab *lab);
/* Before the first step of @rt; freed when that closes. Errors: ENOMEM. */
enum qrt_err qrt__oracle_open(struct qrt_lab *lab, struct qrt_runtime *rt,
			      struct qrt__oracle **ret_oracle);
/* With GONE, @oracle is. */
void qrt__oracle_step(struct qrt__oracle *oracle, const struct qrt__step *step);

/* --- who hears of what ----------------------------------------------------------------------- */

static inline struct qrt__known_task *qrt__known_task(struct qrt__oracle *oracle, uint64_t id)
{
	return qrt__model_find(oracle->model, QRT__NODE_TASK, id);
}
static inline struct qrt__known_region *qrt__known_region(struct qrt__oracle *oracle, uint64_t id)
{
	return qrt__model_find(oracle->model, QRT__NODE_REGION, id);
}
/* In which region @task works. */
static inline struct qrt__known_region *qrt__known_scope(const struct qrt__known_task *task)
{
	return task->top ? task->top : task->home;
}

void qrt__tree_root(struct qrt__oracle *oracle);
void qrt__tree_admit(struct qrt__oracle *oracle, const struct qrt_task *task);
void qrt__tree_enter(struct qrt__oracle *oracle, const struct qrt__region *region,
		     int64_t deadline_ns);
void qrt__tree_drained(struct qrt__oracle *oracle, uint64_t region);
void qrt__tree_decided(struct qrt__oracle *oracle, uint64_t region);
void qrt__tree_end(struct qrt__oracle *oracle, uint64_t task);
void qrt__tree_close(struct qrt__oracle *oracle, uint64_t region);
void qrt__tree_idle(struct qrt__oracle *oracle);

void qrt__cancel_asked(struct qrt__oracle *oracle, uint64_t region);
void qrt__cancel_asked_task(struct qrt__oracle *oracle, uint64_t task);
/* Somebody waits, or gives others their turn, though a cancel may have reached it. */
void qrt__cancel_check(struct qrt__oracle *oracle, const struct qrt__known_task *task,
		       const char *does);
/* All that was told until now must have arrived. */
void qrt__cancel_arrived(struct qrt__oracle *oracle);

void qrt__owed_duty(struct qrt__oracle *oracle, const struct qrt__obligation *entry);
void qrt__owed_settled(struct qrt__oracle *oracle, uint64_t duty);
void qrt__owed_leak(struct qrt__oracle *oracle, const struct qrt__step *step);
void qrt__owed_defer(struct qrt__oracle *oracle, uint64_t defer, uint64_t owner);
void qrt__owed_finalize(struct qrt__oracle *oracle, uint64_t defer);
/* Of whoever has ended: nothing may be left. */
void qrt__owed_by_task(struct qrt__oracle *oracle, struct qrt__known_task *task, const char *whose);
void qrt__owed_by_region(struct qrt__oracle *oracle, struct qrt__known_region *region,
			 const char *whose);

void qrt__wait_park(struct qrt__oracle *oracle, const struct qrt__step *step);
void qrt__wait_unpark(struct qrt__oracle *oracle, const struct qrt__step *step);
void qrt__wait_run(struct qrt__oracle *oracle, const struct qrt__step *step);
void qrt__wait_until(struct qrt__oracle *oracle, const struct qrt_task *task, int64_t until_ns);
void qrt__wait_op(struct qrt__oracle *oracle, const struct qrt__step *step);
void qrt__wait_op_end(struct qrt__oracle *oracle, const struct qrt__step *step);
void qrt__wait_idle(struct qrt__oracle *oracle);

/* Any thread; @model is the lab's and locked. */
void qrt__message_step(struct qrt__oracle *oracle, struct qrt__model *model,
		       const struct qrt__step *step);

#endif
