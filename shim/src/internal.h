/*
 * The runtime core as seen by its own files, the engines and the drivers:
 * task, region and runtime structs, and the one suspend primitive, park.
 * Everything here belongs to one loop thread unless marked "any thread".
 */
#ifndef QRT_INTERNAL_H
#define QRT_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/uio.h>

#include <qrt/cx.h>
#include <qrt/ledger.h>
#include <qrt/region.h>
#include <qrt/runtime.h>
#include <qrt/stream.h>

#include "backends/backend.h"
#include "shim/src/fiber/fiber.h"
#include "shim/src/base/list.h"
#include "shim/src/base/mutant.h"
#include "shim/src/base/pool.h"
#include "shim/src/loop/timer.h"
#include "shim/src/trace/trace.h"

/*
 * Clears @n bytes by the C library. gcc's own code for a size it knows is `rep stos`,
 * which takes ten nanoseconds to begin on the machines seen: so it must not know.
 */
static inline void qrt__clear(void *at, size_t n)
{
	__asm__("" : "+r"(n));
	memset(at, 0, n);
}

/* Tells threads apart by its address, without a call. Holds nothing. */
extern _Thread_local char qrt__thread_mark __attribute__((tls_model("initial-exec")));

#define QRT__DETAIL_MAX QRT_DETAIL
#define QRT__RUNTIME_MAGIC 0x71724e01u
#define QRT__TASK_MAGIC 0x71724e02u
#define QRT__REGION_MAGIC 0x71724e03u
#define QRT__DUTY_MAGIC 0x71724e04u
#define QRT__STREAM_MAGIC 0x71724e05u
#define QRT__LISTENER_MAGIC 0x71724e06u
#define QRT__SIGNALS_MAGIC 0x71724e07u

/* --- cx ------------------------------------------------------------------------------------ */

/* What is left of a budget; the countdowns of whoever uses the cx. */
struct qrt__meter {
	int64_t polls, cost;		 /* left; INT64_MAX: any number */
	int64_t polls_given, cost_given; /* at first */
	struct qrt__meter *payer;	 /* loses what is used here, at the end */
	bool spent;			 /* somebody has been told */
};

struct qrt_cx {
	struct qrt_task *task;
	struct qrt__region *region;
	struct qrt__meter *meter; /* the task's, or that of the region whose own cx this is */
	uint32_t caps;
	int64_t deadline_ns;
};

/* cx with an earlier deadline, for one wait: a region for each would cost as much as it. */
static inline struct qrt_cx qrt__cx_until(const struct qrt_cx *cx, int64_t deadline_ns)
{
	struct qrt_cx timed = *cx;
	if (deadline_ns < timed.deadline_ns) {
		timed.deadline_ns = deadline_ns;
	}
	return timed;
}

/* --- waits --------------------------------------------------------------------------------- */

/* What a task can wait for: name, text, whether it counts as an operation. */
#define QRT__WAIT_KINDS(X)                                                                         \
	X(QRT__WAIT_YIELD, "yield", false)                                                         \
	X(QRT__WAIT_SLEEP, "sleep", false)                                                         \
	X(QRT__WAIT_JOIN, "region close", false)                                                   \
	X(QRT__WAIT_EVENT, "event", false)                                                         \
	X(QRT__WAIT_RECV, "channel receive", false)                                                \
	X(QRT__WAIT_RESERVE, "channel reserve", false)                                             \
	X(QRT__WAIT_ONESHOT, "oneshot receive", false)                                             \
	X(QRT__WAIT_BROADCAST, "broadcast receive", false)                                         \
	X(QRT__WAIT_WATCH, "watch change", false)                                                  \
	X(QRT__WAIT_MAILBOX, "mailbox receive", false)                                             \
	X(QRT__WAIT_POST, "mailbox reserve", false)                                                \
	X(QRT__WAIT_MUTEX, "mutex", false)                                                         \
	X(QRT__WAIT_RDLOCK, "rwlock, to read", false)                                              \
	X(QRT__WAIT_WRLOCK, "rwlock, to write", false)                                             \
	X(QRT__WAIT_SEMAPHORE, "semaphore", false)                                                 \
	X(QRT__WAIT_BARRIER, "barrier", false)                                                     \
	X(QRT__WAIT_NOTIFY, "notify", false)                                                       \
	X(QRT__WAIT_ONCE, "once", false)                                                           \
	X(QRT__WAIT_SELECT, "select", false)                                                       \
	X(QRT__WAIT_LOOP, "loop stack", false)                                                     \
	X(QRT__WAIT_ACCEPT, "accept", true)                                                        \
	X(QRT__WAIT_CONNECT, "connect", true)                                                      \
	X(QRT__WAIT_READ, "read", true)                                                            \
	X(QRT__WAIT_WRITE, "write", true)                                                          \
	X(QRT__WAIT_TLS, "TLS handshake", true)                                                    \
	X(QRT__WAIT_SIGNAL, "signal", true)                                                        \
	X(QRT__WAIT_LANE, "lane job", true)                                                        \
	X(QRT__WAIT_CALL, "port call", true)                                                       \
	X(QRT__WAIT_WS, "websocket", true)                                                         \
	X(QRT__WAIT_LOOKUP, "name lookup", true)                                                   \
	X(QRT__WAIT_CHILD, "child process", true)                                                  \
	X(QRT__WAIT_HTTP, "http connection", false)

enum qrt__wait_kind {
#define QRT__WAIT_ENUM(name, text, op) name,
	QRT__WAIT_KINDS(QRT__WAIT_ENUM)
#undef QRT__WAIT_ENUM
	    QRT__WAIT_COUNT
};

struct qrt__wait;
/*
 * Cuts a wait short because of @why (cancelled or late). Must lead to exactly
 * one qrt__unpark, now or later, with @why or with the truth. Called at most
 * once per wait.
 */
typedef void qrt__abort_fn(struct qrt__wait *wait, enum qrt_err why);

/* On the stack of the task that waits, from prepare until park returns. */
struct qrt__wait {
	struct qrt_task *task;
	enum qrt__wait_kind kind;
	const void *object; /* for dumps */
	const char *site;   /* of the call, static; NULL: not known */
	int64_t since_ns;
	qrt__abort_fn *abort; /* NULL: cannot be cut short */
	bool aborted;
	bool done; /* unparked, maybe before it parked */
	enum qrt_err result;
	struct qrt__timer timer;
	struct qrt__list node; /* in the object's queue, the object's affair */
	/* Who would have to act for it to end, for the wait-for graph; NULL: not known. */
	struct qrt_task *(*holder)(const struct qrt__wait *wait);
};

void qrt__wait_init(struct qrt__wait *wait, struct qrt_cx *cx, enum qrt__wait_kind kind,
		    const void *object, qrt__abort_fn *abort);
/*
 * The one suspend primitive. Waits until unparked, or aborts at the earlier
 * of @deadline_ns and cx's deadline, or on cancel. Checks both before it
 * parks: then abort is called at once (the wait must be registered by then).
 */
enum qrt_err qrt__park(struct qrt_cx *cx, struct qrt__wait *wait, int64_t deadline_ns);
/* Ends @wait with @result; its task becomes ready. Exactly once per wait. */
void qrt__unpark(struct qrt__wait *wait, enum qrt_err result);
/* Calls the abort hook, once; nothing when it has none or is done. */
void qrt__wait_abort(struct qrt__wait *wait, enum qrt_err why);
const char *qrt__wait_name(enum qrt__wait_kind kind);

/* --- tasks --------------------------------------------------------------------------------- */

struct qrt__defer;

struct qrt__cancel {
	bool requested;
	bool expired; /* the cleanup budget is spent */
	struct qrt_cancel_info info;
};

/*
 *	           ┌───────── yield, woken ────────┐
 *	           v                               │
 *	(spawn) ready ──> running ──> parked ──────┘
 *	                     │
 *	                     └──> ended
 */
enum qrt__task_state { QRT__TASK_READY, QRT__TASK_RUNNING, QRT__TASK_PARKED, QRT__TASK_ENDED };

/* Who runs first: see sched.c. Priorities 3, 2, 1 and 0 lie between timed and the end. */
enum qrt__lane_kind {
	QRT__LANE_CANCEL, /* woken to be told of a cancel */
	QRT__LANE_TIMED,  /* woken by a timer */
	QRT__LANE_READY,  /* plus QRT_PRIORITY_MAX - priority */
	QRT__LANES = QRT__LANE_READY + QRT_PRIORITY_MAX + 1,
};

/* Lives at the top of its own stack. */
struct qrt_task {
	unsigned magic;
	enum qrt__task_state state;
	uint8_t lane; /* while ready */
	struct qrt__fiber fiber;
	struct qrt__stack *stack;
	struct qrt_runtime *rt;
	struct qrt__region *home; /* owns it */
	struct qrt__region *top;  /* the innermost region it has opened, or NULL */
	struct qrt__wait *wait;	  /* while parked */
	struct qrt__list in_home, in_ready;
	const char *name, *site; /* static */
	struct qrt_cx cx;
	struct qrt__meter meter;
	unsigned priority;

	/* What a checkpoint looks at; all of it at once, for who has nothing to look at. */
	union {
		struct {
			bool asked;	 /* it or its scope has been asked to end, and the engine
					    remembers */
			bool finalizing; /* it runs a finalizer: it may not wait */
			bool watched;	 /* its checkpoints are the observer's affair */
			bool unused;
		};
		uint32_t attention;
	};
	bool forced;	  /* its cleanup budget is spent: it is abandoned at the next checkpoint */
	bool abandoned;	  /* it was: it did not come to its end by itself */
	bool mask_spent;  /* the mask it is in no longer delays a cancel */
	unsigned masks;	  /* depth; cancel and the cx's deadline do not reach it while > 0 */
	unsigned commits; /* of these masks, how many must hold whatever happens */
	const char *stuck_in,
	    *stuck_holder; /* what it waited for when it was forced, and on whom */
	int64_t stuck_ns;  /* for how long by then */
	unsigned anchors;  /* frames that must be unwound: it is not abandoned in them */
	unsigned refused;  /* checkpoints that refused it since it was asked */
	int64_t mask_ns,
	    mask_begun_ns; /* how long the mask may delay a cancel, counted from when */
	struct qrt__timer mask_timer;
	struct qrt__cancel cancel;  /* of this very task; its regions have their own */
	struct qrt__timer patience; /* of the cleanup after it */

	qrt_task_fn *fn;
	void *arg;
	/* Whose call it answers, who waits until it has ended, on any runtime; or NULL. */
	const struct qrt_cx *called_by;
	uint64_t id;	/* in its runtime, from 1 */
	uint64_t index; /* in its region, from 0 */
	int64_t spawned_ns;
	struct qrt__defer *defers;
	struct qrt__list duties;      /* it holds these: qrt__obligation.in_holder */
	struct qrt__lineage *lineage; /* under QRT_SUPERVISE, or NULL: supervise.c */
	uint64_t rank;		      /* the lab's: who goes first */
	struct qrt_task *look_from;   /* the search's: waitfor.c */
	uint64_t look;
	enum qrt_outcome outcome;
	char detail[QRT__DETAIL_MAX]; /* last: spawn clears what lies before it */
};

/* The region whose cancel concerns what @task does now. */
static inline struct qrt__region *qrt__task_scope(const struct qrt_task *task)
{
	return task->top ? task->top : task->home;
}

struct qrt__spawn {
	qrt_task_fn *fn;
	void *arg;
	const char *name, *site;
	uint32_t caps; /* 0: the region's */
	struct qrt_budget budget;
	size_t stack_bytes;
	struct qrt__lineage *lineage;
};
/* Errors: ECLOSED, ELIMIT, ENOMEM. */
enum qrt_err qrt__task_start(struct qrt__region *region, const struct qrt__spawn *spawn,
			     struct qrt_task **ret_task);
/* Of the runtime's own: everything the region has. */
enum qrt_err qrt__task_spawn(struct qrt__region *region, qrt_task_fn *fn, void *arg,
			     const char *name, const char *site, struct qrt_task **ret_task);
/* Ends the running task here, without unwinding it: its finalizers run, what it holds is settled.
 */
void qrt__task_abandon(struct qrt_task *task, enum qrt_err err,
		       enum qrt_outcome outcome) QRT_NORETURN;
/* Runs and frees them, last one first, undisturbed by cancel and deadline. */
void qrt__run_finalizers(const struct qrt_cx *of, struct qrt__defer **defers);
/* Whether the task of @cx is what runs here: QRT_OK, ETHREAD (not its loop's thread), ESTATE. */
enum qrt_err qrt__is_running(const struct qrt_cx *cx);
/* The same, and it may wait or change regions: ENOSUSPEND in a finalizer. */
enum qrt_err qrt__may_suspend(struct qrt_cx *cx);
/* How every call that suspends begins: that, then the checkpoint. */
enum qrt_err qrt__suspending_slowly(struct qrt_cx *cx);
static inline enum qrt_err qrt__suspending(struct qrt_cx *cx);

/* --- cancel -------------------------------------------------------------------------------- */

/* Merges a request into @cancel. Returns whether it changed anything. */
bool qrt__cancel_request(struct qrt__cancel *cancel, const struct qrt_cancel_info *request);
/* A request made now by whoever runs, with @cleanup_ns (0: the kind's) for the cleanup. */
struct qrt_cancel_info qrt__cancel_info(struct qrt_runtime *rt, enum qrt_cancel_kind kind,
					const char *reason, int64_t cleanup_ns);
/* The same, made at @at_ns by @origin, static. */
struct qrt_cancel_info qrt__cancel_info_at(enum qrt_cancel_kind kind, const char *reason,
					   const char *origin, int64_t at_ns, int64_t cleanup_ns);
/* Asks @region to end, on behalf of whoever runs. */
void qrt__cancel_region(struct qrt__region *region, enum qrt_cancel_kind kind, const char *reason);
/* The same for all that runs inside it: its opener's wait, too, where that is not the region's. */
void qrt__cancel_scope(struct qrt__region *region, enum qrt_cancel_kind kind, const char *reason);
void qrt__cancel_task(struct qrt_task *task, enum qrt_cancel_kind kind, const char *reason);
/* What becomes of @above's request in what lies below it. */
struct qrt_cancel_info qrt__cancel_below(const struct qrt_cancel_info *above);
/* Whether a cancel from above reaches @region now, or waits for its opener's mask. */
bool qrt__cancel_enters(const struct qrt__region *region);
/* What task does now has changed (a request, another scope): recomputes task->asked. */
void qrt__cancel_look(struct qrt_task *task);
/* The same, and cuts short what it waits for, if a cancel may. */
void qrt__cancel_deliver(struct qrt_task *task);
/* What a checkpoint of a task that has been asked says; may not return (qrt__task_abandon). */
enum qrt_err qrt__cancel_refuse(struct qrt_task *task);
/* Whether a cancel reaches @task now: it has been asked and no mask holds. */
static inline bool qrt__cancel_reaches(const struct qrt_task *task)
{
	return task->asked && !task->commits && (!task->masks || task->mask_spent || task->forced);
}
/* ECANCELED, or ETIMEDOUT when what asked was a deadline. */
enum qrt_err qrt__cancel_err(const struct qrt_task *task);
/* Times the cleanup: at its end whoever is left is forced. */
void qrt__cancel_watch_region(struct qrt__region *region);
void qrt__cancel_watch_task(struct qrt_task *task);
void qrt__cancel_init_task(struct qrt_task *task);
void qrt__cancel_fini_task(struct qrt_task *task);
void qrt__cancel_init_region(struct qrt__region *region);
void qrt__cancel_fini_region(struct qrt__region *region);
/* Cancels @region with QRT_CANCEL_DEADLINE at its own deadline. */
void qrt__cancel_at_deadline(struct qrt__region *region);
/* Masks for the runtime's own steps that must not be cut or abandoned half-way. */
static inline void qrt__shield(struct qrt_cx *cx)
{
	cx->task->masks++;
	cx->task->commits++;
}
static inline void qrt__unshield(struct qrt_cx *cx)
{
	cx->task->commits--;
	cx->task->masks--;
}

/*
 * Frames of the runtime's own that hold something across a wait: they are cancelled like
 * others, but return instead of being abandoned. To the end of the block.
 */
static inline struct qrt_task *qrt__anchor(const struct qrt_cx *cx)
{
	cx->task->anchors++;
	return cx->task;
}
static inline void qrt__unanchor(struct qrt_task **task)
{
	(*task)->anchors--;
}
#define QRT__ANCHORED(cx)                                                                          \
	__attribute__((cleanup(qrt__unanchor), unused)) struct qrt_task *qrt__anchored =           \
	    qrt__anchor(cx)

/* --- supervision ----------------------------------------------------------------------------- */

/* A supervised task's memory of its earlier starts: region heap. */
struct qrt__lineage {
	struct qrt__spawn spawn;
	uint64_t index;
	unsigned starts;    /* so far */
	int64_t backoff_ns; /* before the next start */
	int64_t started_ns;
};

enum qrt_err qrt__supervise_open(struct qrt__region *region, const struct qrt_supervision *how);
/* Gives @spawn a lineage. Errors: ENOMEM. */
enum qrt_err qrt__supervise_adopt(struct qrt__region *region, struct qrt__spawn *spawn);
/* In a new start: waits out the backoff. */
enum qrt_err qrt__supervise_delay(struct qrt_task *task);
/*
 * @task failed with *@err: whether it was started again. When it could not be, for want of
 * memory, *@err says so.
 */
bool qrt__supervise_restart(struct qrt__region *region, struct qrt_task *task, enum qrt_err *err);

/* --- budgets -------------------------------------------------------------------------------- */

/* @budget met with what is left to @payer (NULL: nobody pays, nothing is bounded). */
void qrt__meter_init(struct qrt__meter *meter, struct qrt__meter *payer,
		     const struct qrt_budget *budget);
/* What was used is gone from the payer's. */
void qrt__meter_fini(struct qrt__meter *meter);
bool qrt__budget_valid(const struct qrt_budget *budget);
/* The countdown of @cx has run out: asks for a cancel, once. */
void qrt__budget_spent(struct qrt_cx *cx);

/* --- ledger --------------------------------------------------------------------------------- */

struct qrt__obligation {
	struct qrt__slot slot;
	enum qrt_duty_kind kind;
	struct qrt_runtime *rt;
	struct qrt__region *region;
	struct qrt_task *holder; /* NULL: the region itself */
	const char *holder_name; /* static; outlives the holder */
	struct qrt__list in_region, in_holder;
	const char *what, *site; /* static */
	int64_t since_ns;
	qrt_release_fn *release;
	void *arg;
};

/* A duty of nobody's request, for which the root answers from the start. Errors: ENOMEM. */
enum qrt_err qrt__oblige_root(struct qrt_runtime *rt, const char *what, const char *site,
			      struct qrt_duty *ret_duty) QRT_MUST_USE;
/* NULL when settled already. */
struct qrt__obligation *qrt__duty_find(const struct qrt_duty *duty);
/* Its holder goes on without settling it: until then the root answers for it. */
void qrt__duty_leave(const struct qrt_duty *duty);
/* Whether its holder has gone. */
bool qrt__duty_is_left(const struct qrt__obligation *entry);
/* How a holder ends: one that was abandoned had no chance to settle anything. */
enum qrt__end { QRT__END_WELL, QRT__END_FAILED, QRT__END_ABANDONED };
static inline enum qrt__end qrt__end_of(enum qrt_err err)
{
	return err ? QRT__END_FAILED : QRT__END_WELL;
}
/*
 * @task ends: what it still had to settle is settled for it, and counted as leaked unless it was
 * abandoned. Returns how many leaked; the detail names the last when there is no failure to tell.
 */
size_t qrt__ledger_task_ended(struct qrt_task *task, enum qrt__end how);
const char *qrt__duty_name(enum qrt_duty_kind kind);
/* Releases what an unstructured engine has left to the root. */
void qrt__ledger_runtime_ended(struct qrt_runtime *rt);
/* The same for a region whose children have all ended. */
size_t qrt__ledger_region_ended(struct qrt__region *region, enum qrt__end how);

/* --- regions ------------------------------------------------------------------------------- */

/* The drawing and the table of moves are in region.c. */
enum qrt__region_state {
	QRT__REGION_OPEN,
	QRT__REGION_CLOSING,
	QRT__REGION_DRAINING,
	QRT__REGION_FINALIZING,
	QRT__REGION_CLOSED,
};

struct qrt__chunk;

struct qrt__region {
	struct qrt__slot slot;
	enum qrt__region_state state;
	enum qrt_policy policy;
	unsigned flags;
	struct qrt_runtime *rt;
	struct qrt__region *parent; /* NULL: the root */
	struct qrt_task *opener;    /* NULL: the root */
	struct qrt__region *outer;  /* what was opener->top before */
	const char *name;
	uint64_t id; /* in its runtime; the root's is 1 */
	int64_t opened_ns;
	struct qrt_cx cx;
	struct qrt__meter meter;
	unsigned priority;
	struct qrt__list tasks;	   /* live ones, in order of spawning */
	struct qrt__list children; /* live child regions */
	struct qrt__list in_parent;
	struct qrt__list duties;
	size_t n_tasks, n_bytes, n_duties;
	struct qrt_region_limits limits;
	uint64_t next_index;
	struct qrt__wait *closer; /* who waits in close, or NULL */
	struct qrt__cancel cancel;
	int64_t cleanup_ns;	    /* 0: the kind's */
	struct qrt__timer patience; /* of the cleanup */
	struct qrt__timer deadline; /* of its own budget */
	struct qrt_aggregate failures;
	enum qrt_err first_err; /* of the failure that decided */
	bool decided; /* a success, or the rest is cancelled on purpose: that is no failure */
	unsigned char exposed; /* to a sweep: enum qrt_exposure of qrt/trial.h */
	bool shielded;	       /* opened under a mask: a cancel from above waits for the mask */
	size_t leaks;
	struct qrt__supervisor *supervisor; /* under QRT_SUPERVISE */
	struct qrt__binding *binding;	    /* to a cancel token, or NULL: token.h */
	struct qrt__defer *defers;
	struct qrt__chunk *heap;
	/* Of log lines, in the heap; NULL: that of who is outside of it. Callees read it, too. */
	_Atomic(const char *) correlation;
	char first_detail[sizeof(((struct qrt_failure *)NULL)->detail)]; /* goes with first_err */
};

static inline struct qrt_region *qrt__region_handle(const struct qrt__region *region)
{
	return qrt__handle(region);
}
/* NULL when @handle is stale. */
static inline struct qrt__region *qrt__region_of(const struct qrt_region *handle)
{
	return qrt__handle_object(handle, QRT__REGION_MAGIC);
}

enum qrt_err qrt__region_open_root(struct qrt_runtime *rt);
void qrt__region_close_root(struct qrt_runtime *rt);
/* A task of @region has ended: records the outcome, wakes the closer. */
void qrt__region_task_ended(struct qrt__region *region, struct qrt_task *task, enum qrt_err err);
/* Closes @region whatever state it is in, for its opener; goes on where an abandoned close was. */
void qrt__region_finish(struct qrt__region *region);
const char *qrt__region_state_name(enum qrt__region_state state);
/* Whoever is in it now, but for the caller, has lost: for observers. */
void qrt__region_decided(const struct qrt_region *region);
/* n zeroed bytes of the region's heap, past any limit. */
void *qrt__region_alloc(struct qrt__region *region, size_t n);

/* --- origins: on whose behalf a task runs --------------------------------------------------- */

/*
 * The correlation id of what is done with @cx, or NULL. On the thread of @cx's task, or of who is
 * waited for by it; valid until that task closes the region.
 */
const char *qrt__correlation_of(const struct qrt_cx *cx);
/*
 * "server/http server/http request/http connection > db/db": regions and task, for a callee behind
 * its caller's. To @buf of @n bytes, at least 4; the outer end is cut.
 */
void qrt__path_of(const struct qrt_cx *cx, char *buf, size_t n);

/* --- posts: work from other threads --------------------------------------------------------- */

struct qrt__post;
/* Runs on the loop's own stack; must not suspend. */
typedef void qrt__post_fn(struct qrt_runtime *rt, struct qrt__post *post);

/* The sender's memory until fn has run. */
struct qrt__post {
	struct qrt__post *next;
	qrt__post_fn *fn;
};

/* Any thread. Posts of one thread run in order. False: the loop has ended, fn will not run. */
bool qrt__post(struct qrt_runtime *rt, struct qrt__post *post, qrt__post_fn *fn) QRT_MUST_USE;

/* --- events: same-thread flags one can wait for --------------------------------------------- */

struct qrt__event {
	bool set;
	struct qrt__list waiters;
};

void qrt__event_init(struct qrt__event *event);
/* Wakes all waiters; stays set until cleared. */
void qrt__event_set(struct qrt__event *event);
void qrt__event_clear(struct qrt__event *event);
/* Returns at once when set. Suspends. */
enum qrt_err qrt__event_wait(struct qrt_cx *cx, struct qrt__event *event, int64_t deadline_ns);
/* The same for what must be waited for: neither cancel nor a deadline cuts it short. */
void qrt__event_wait_masked(struct qrt_cx *cx, struct qrt__event *event);

/* --- runtimes ------------------------------------------------------------------------------ */

/*
 * Somebody who is told of each step of a runtime, on its loop's thread; of messages also on others.
 * May not run tasks.
 */
struct qrt__observer {
	void (*step)(void *arg, struct qrt_runtime *rt, const struct qrt__step *step);
	/* Before each checkpoint of a task, with nothing decided yet; may cancel. NULL: not. */
	void (*checkpoint)(void *arg, struct qrt_cx *cx);
	void *arg;
};

struct qrt_runtime {
	unsigned magic;
	const struct qrt__backend *backend;
	const struct qrt__engine *engine;
	const struct qrt__driver *driver;
	void *driver_state;
	char name[32];
	size_t tasks_max;

	struct qrt__fiber loop; /* the loop's own context */
	struct qrt__stack_pool *stacks;
	struct qrt__census *census; /* of stack use; NULL: nobody asked for one */
	struct qrt_task *current;   /* NULL while the loop runs */
	struct qrt_task *ended;	    /* its stack waits to be given back */
	struct qrt__list ready[QRT__LANES];
	unsigned ready_lanes; /* bit per lane that is not empty */
	unsigned favoured;    /* picks in a row while a later lane waited */
	unsigned last_later;  /* which of the later ones had the last turn */
	size_t n_ready;
	struct qrt__pool regions, obligations, objects;
	struct qrt__list in_lookup;	/* name lookups, also those that were left */
	unsigned lookups;		/* how many */
	void *ws_state;			/* the driver's, of its WebSockets */
	struct qrt__list processes;	/* the driver's, of children that have not been reaped */
	uint64_t select_state;		/* of the fair selects; 0 before the first */
	unsigned batch_left;		/* tasks that may still run before the next poll */
	int64_t turn_ns;		/* when this turn began: time enough for "since when" */
	unsigned tracing;		/* enum qrt__tracing: who wants to hear of each step */
	struct qrt_trace *trace;	/* what is being recorded, or NULL */
	struct qrt_lab *lab;		/* it has joined, also one that only observes; or NULL */
	struct qrt__observer observer;	/* hears of each step while tracing says so */
	uint64_t *hash;			/* the lab's, of every step */
	uint64_t lab_index;		/* which of its lab's runtimes; mixed into the hash */
	int64_t stall_ns;		/* a turn of so long is a stall */
	struct qrt__watchdog *watchdog; /* NULL: nobody watches */
	struct qrt__timers timers;
	struct qrt__tls_lab *tls; /* contexts of its own, in a lab; NULL: none yet */
	struct qrt__region *root;
	uint64_t next_task_id;
	void (*loop_fn)(void *arg); /* qrt__on_loop's errand */
	void *loop_arg;
	struct qrt_task *errand; /* whose errand it is */
	bool stopping;		 /* the loop ends when the root is empty */

	pthread_mutex_t inbox_lock;
	struct qrt__post *inbox_head, **inbox_tail;
	_Atomic bool inbox_nonempty;
	bool inbox_open; /* under inbox_lock */

	pthread_t thread;	 /* to join */
	const char *loop_thread; /* who runs the loop: qrt__thread_mark of that thread */
	bool started;
	bool threadless; /* started, and turned with others of its lab */
	bool turned;	 /* one task a turn, as others of its lab have their turns in between */
	pthread_mutex_t state_lock; /* of what follows */
	pthread_cond_t state_changed;
	bool loop_ended;

	/* Any thread may read these. */
	_Atomic int64_t busy_since_ns; /* 0: in poll */
	_Atomic(const char *) busy_task;
	_Atomic(const char *) busy_site;
	_Atomic uint64_t tasks_spawned, tasks_live, regions_opened, regions_live;
	_Atomic uint64_t ops_started, ops_live, streams_live, jobs_live, jobs_left;
	_Atomic uint64_t cancels, cancels_by[QRT__CANCEL_KINDS];
	_Atomic uint64_t forced, panics, not_capable, turns, detached_live;
	_Atomic uint64_t duties_made, duties_live, leaks, budgets_spent, restarts;
	_Atomic uint64_t runs;		     /* tasks that were switched to, for the watchdog */
	_Atomic uint64_t ready_seen;	     /* tasks ready when the last turn came to them */
	_Atomic uint64_t lag_ns, lag_max_ns; /* how long turns took: the last, the longest */
	_Atomic uint64_t stalls;	     /* its writer is the watchdog's thread */
	_Atomic uint64_t trace_hash;	     /* of its lab, when it has joined one */
};

/* Counters have one writer, the loop's thread: a plain add is enough. */
#define QRT__COUNT(counter, by)                                                                    \
	atomic_store_explicit(                                                                     \
	    &(counter), atomic_load_explicit(&(counter), memory_order_relaxed) + (uint64_t)(by),   \
	    memory_order_relaxed)

/* Starts a thread with all signals blocked. Errors: EAGAIN. */
enum qrt_err qrt__thread_start(pthread_t *ret_thread, void *(*fn)(void *), void *arg,
			       const char *name);

/* Whether the caller runs on the loop's thread of @rt. */
static inline bool qrt__on_thread_of(const struct qrt_runtime *rt)
{
	return &qrt__thread_mark == rt->loop_thread;
}

static inline enum qrt_err qrt__suspending(struct qrt_cx *cx)
{
	const struct qrt_task *task = cx->task;
	/* The common case without a call: it runs here, nobody has asked, nothing bounds it. */
	bool plain = qrt__on_thread_of(task->rt) && task->rt->current == task && !task->attention &&
		     cx->deadline_ns == QRT_NO_DEADLINE && cx->meter->polls > 0;
	if (__builtin_expect(!plain, 0)) {
		return qrt__suspending_slowly(cx);
	}
	cx->meter->polls--;
	return QRT_OK;
}

static inline int64_t qrt__now(struct qrt_runtime *rt)
{
	return rt->driver->now(rt);
}

/* Runs the loop until the root region has no task left and rt->stopping. */
void qrt__loop_run(struct qrt_runtime *rt);
/* Makes the calling thread the one that turns @rt. */
void qrt__loop_enter(struct qrt_runtime *rt);
/* One turn of the loop, without a poll; false: the loop has ended. */
bool qrt__loop_turn(struct qrt_runtime *rt);
/* Gives up the processor of the current task; comes back when it is resumed. */
void qrt__switch_away(struct qrt_runtime *rt, struct qrt_task *from, bool last);
void qrt__make_ready(struct qrt_task *task, unsigned lane);
/* The first moment of a new task: what every other resumption does in switch_away. */
void qrt__task_begin(struct qrt_task *task);
/*
 * Reports an overflowing task stack of @rt by task name; for the calling loop thread. Loops in a
 * lab nest: it returns the one that was watched before, for the end.
 */
struct qrt_runtime *qrt__overflow_watch(struct qrt_runtime *rt);
void qrt__overflow_unwatch(struct qrt_runtime *outer);
/* Runs fn(arg) on the loop's own, deep stack; the task waits. Not a checkpoint. */
void qrt__on_loop(struct qrt_cx *cx, void (*fn)(void *arg), void *arg);
#define QRT__TRACE_STEPS(X)                                                                        \
	X(RUN)                                                                                     \
	X(PARK)                                                                                    \
	X(UNPARK)                                                                                  \
	X(SPAWN)                                                                                   \
	X(END)                                                                                     \
	X(OPEN)                                                                                    \
	X(CLOSE)                                                                                   \
	X(CANCEL)                                                                                  \
	X(CLOCK)                                                                                   \
	X(IO)                                                                                      \
	X(FORCE)                                                                                   \
	X(LEAK)                                                                                    \
	X(GRANT)                                                                                   \
	X(CANCEL_TASK)                                                                             \
	X(UNHASHED) /* from here on: for recordings and observers only */                          \
	X(STARTED)                                                                                 \
	X(YIELD)                                                                                   \
	X(STALL)                                                                                   \
	X(STUCK)      /* its cleanup ended in a wait: which, and who holds it */                   \
	X(DENIED)     /* a capability is missing */                                                \
	X(UNRECORDED) /* from here on: for observers only, a and b may be addresses */             \
	X(ADMIT)      /* a task, at its place in its region */                                     \
	X(ENTER)      /* a region, at its place; the deadline of the cx it was opened with */      \
	X(WAIT)	      /* a task is about to park; until when */                                    \
	X(DRAINED)    /* a region: nobody is left in it, its close says */                         \
	X(DECIDED)    /* a region whose other tasks have lost */                                   \
	X(ASKED)      /* a region is told to end */                                                \
	X(ASKED_TASK) /* a task is */                                                              \
	X(DEFER)      /* a finalizer; its task, or its region with bit 0 set */                    \
	X(FINALIZE)   /* a finalizer begins */                                                     \
	X(DUTY)	      /* a duty is made, or has another holder */                                  \
	X(SETTLED)    /* a duty is */                                                              \
	X(OP)	      /* an operation has been submitted */                                        \
	X(OP_END)     /* it has its result */                                                      \
	X(CHAN)	      /* something that carries messages opens */                                  \
	X(SENT)	      /* it has taken one; a digest of it */                                       \
	X(TAKEN)      /* somebody has got one; a digest of it */                                   \
	X(CHAN_END)   /* it closes; how many it drops */                                           \
	X(IDLE)	      /* the loop ends */                                                          \
	X(GONE)	      /* the runtime closes */
enum qrt__trace_step {
	QRT__TRACE_NOTHING,
#define QRT__TRACE_ENUM(name) QRT__TRACE_##name,
	QRT__TRACE_STEPS(QRT__TRACE_ENUM)
#undef QRT__TRACE_ENUM
};
/* Who hears of steps; 0: nobody, as ever but in the lab and while a recording runs. */
enum qrt__tracing { QRT__TRACING_HASH = 1, QRT__TRACING_RING = 2, QRT__TRACING_OBSERVER = 4 };
void qrt__trace_step(struct qrt_runtime *rt, unsigned what, uint64_t a, uint64_t b,
		     const char *name, const char *site);
/*
 * One step of the execution. @a and @b go into the lab's hash, so neither is ever a pointer or a
 * real time; @name and @site, static or NULL, are for those who read a recording.
 */
static inline void qrt__trace_named(struct qrt_runtime *rt, unsigned what, uint64_t a, uint64_t b,
				    const char *name, const char *site)
{
	if (__builtin_expect(rt->tracing, 0)) {
		qrt__trace_step(rt, what, a, b, name, site);
	}
}
static inline void qrt__trace(struct qrt_runtime *rt, unsigned what, uint64_t a, uint64_t b)
{
	qrt__trace_named(rt, what, a, b, NULL, NULL);
}
/* The name of a step, as in "RUN". */
const char *qrt__trace_what(unsigned what);
/*
 * What only observers hear of (from UNRECORDED on). On the loop's thread; but of what messages
 * travel through in whatever thread has it locked.
 */
void qrt__tell_observer(struct qrt_runtime *rt, unsigned what, uint64_t a, uint64_t b,
			const char *name, const char *site);
static inline bool qrt__is_observed(const struct qrt_runtime *rt)
{
	return __builtin_expect(rt->tracing & QRT__TRACING_OBSERVER, 0);
}
static inline void qrt__tell_named(struct qrt_runtime *rt, unsigned what, const void *a, uint64_t b,
				   const char *name, const char *site)
{
	if (qrt__is_observed(rt)) {
		qrt__tell_observer(rt, what, (uintptr_t)a, b, name, site);
	}
}
static inline void qrt__tell(struct qrt_runtime *rt, unsigned what, const void *a, uint64_t b)
{
	qrt__tell_named(rt, what, a, b, NULL, NULL);
}
/* SENT or TAKEN, of @element of @size bytes. */
void qrt__tell_element(struct qrt_runtime *rt, unsigned what, const void *a, const void *element,
		       size_t size);
/* Throws away what is being recorded. */
void qrt__trace_ended(struct qrt_runtime *rt);

/* --- dumps ----------------------------------------------------------------------------------- */

/* What waits in a circle in @rt, as lines of text, cut at @n; returns how many circles there are.
 */
size_t qrt__dump_deadlocks(struct qrt_runtime *rt, char *buf, size_t n);
/* What @wait waits for by name ("descriptor 7"), to @ret_text; "" where the kind says it all. */
void qrt__wait_object(const struct qrt__wait *wait, char *ret_text, size_t n);
enum { QRT__WAIT_OBJECT_SIZE = 96 };

/* --- the wait-for graph: waitfor.c ----------------------------------------------------------- */

/*
 * Hears of one deadlock: @tasks wait for each other, each for the next and the last for the first.
 * Of a cycle of more than QRT__CYCLE_SHOWN only so many are in @tasks.
 */
typedef void qrt__cycle_fn(struct qrt_task *const *tasks, size_t n_shown, size_t n, void *arg);
enum { QRT__CYCLE_SHOWN = 32 };
/* Finds what waits in a circle; returns how many there are. Allocates nothing. */
size_t qrt__find_cycles(struct qrt_runtime *rt, qrt__cycle_fn *found, void *arg);
/* A task that others wait for and that waits for no task itself. */
struct qrt__hog {
	struct qrt_task *task;
	size_t waiters; /* straight or through each other */
};
/* Those with the most waiters, at most @n of them, the worst first; returns how many. */
size_t qrt__find_hogs(struct qrt_runtime *rt, struct qrt__hog *ret_hogs, size_t n);
/* Who would have to act for the wait of @task to end, if that is one task; NULL: not known. */
struct qrt_task *qrt__task_holder(const struct qrt_task *task);
/* The task after @task in all of @rt, in the order of a dump; NULL begins and ends. */
struct qrt_task *qrt__next_task(const struct qrt_runtime *rt, const struct qrt_task *task);
/* The same of regions, which begin with the root: parents before children. */
struct qrt__region *qrt__next_region(const struct qrt__region *region);

/* --- sockets: streams, listeners and signal sets over a driver's net ------------------------- */

/*
 * First member of a stream, a listener and a set of signals, which live in
 * rt->objects and are known outside by handles. An entry of the ledger: the
 * region in which it was opened closes it if nobody else does.
 */
struct qrt__socket {
	struct qrt__slot slot;
	struct qrt_duty duty;
	struct qrt_runtime *rt;
	int fd;
	unsigned armed;		  /* enum qrt__io the driver watches */
	bool dry;		  /* the last read was short: wait before trying again */
	bool closed;		  /* freed when its last user is gone */
	unsigned users;		  /* tasks inside a wait for it, resumed or not */
	struct qrt__wait *reader; /* who waits to read (or accept), or NULL */
	struct qrt__wait *writer;
	void (*on_hangup)(void *arg); /* NULL: nobody asks */
	void *hangup_arg;
	bool hung_up; /* and somebody has been told */
	void *net;    /* the net implementation's */
};

/* A socket of kind @magic and its owner's shape over @fd, which it takes over (closes on failure).
 */
enum qrt_err qrt__socket_open(struct qrt_cx *cx, int fd, uint32_t magic, const char *site,
			      struct qrt__socket **ret_socket);
/*
 * What @handle stands for, for a task that may use it. Errors: ESTALE, EINVAL (of another
 * runtime), ETHREAD, ESTATE.
 */
enum qrt_err qrt__socket_find(struct qrt_cx *cx, const void *handle, uint32_t magic,
			      struct qrt__socket **ret_socket);
/*
 * Parks until @io can be tried again, or until @deadline_ns. EBUSY: somebody waits for it already.
 * After ECLOSED the socket may be gone.
 */
enum qrt_err qrt__socket_wait_until(struct qrt_cx *cx, struct qrt__socket *socket, enum qrt__io io,
				    enum qrt__wait_kind kind, int64_t deadline_ns);
static inline enum qrt_err qrt__socket_wait(struct qrt_cx *cx, struct qrt__socket *socket,
					    enum qrt__io io, enum qrt__wait_kind kind)
{
	return qrt__socket_wait_until(cx, socket, io, kind, QRT_NO_DEADLINE);
}
/*
 * Whoever owns @stream wants to hear, once, that the peer has ended its side or is gone, whether
 * anybody reads or not and whatever is still to be read: @fn runs on the loop's stack, as a post
 * does. NULL: no longer.
 */
void qrt__stream_on_hangup(struct qrt_stream *stream, void (*fn)(void *arg), void *arg);
/* The next close breaks the connection off (a reset), instead of ending it in good order. */
void qrt__stream_break(struct qrt_stream *stream);
/* A descriptor of what @stream is one of, for somebody else; the stream is still to be closed. */
enum qrt_err qrt__stream_release(struct qrt_cx *cx, struct qrt_stream *stream, int *ret_fd);
/* Whether a read would wait for sure; of a layer that is not known. */
bool qrt__stream_is_dry(const struct qrt_stream *stream);
/* As qrt_read; EAGAIN instead of waiting, also where the last read has emptied @stream. */
enum qrt_err qrt__read_try(struct qrt_cx *cx, struct qrt_stream *stream, void *buf, size_t n,
			   size_t *ret_n);
/* What can be read without waiting; EAGAIN: nothing. No checkpoint, does not suspend. */
enum qrt_err qrt__read_now(struct qrt_cx *cx, struct qrt_stream *stream, void *buf, size_t n,
			   size_t *ret_n);
/* Who waits, or was woken and has not run yet, gets ECLOSED. Frees the socket, now or then. */
void qrt__socket_close(struct qrt__socket *socket);
/* From the driver's poll: @io can be done now. */
void qrt__socket_ready(struct qrt__socket *socket, unsigned io);

/* --- name lookup ----------------------------------------------------------------------------- */

/* Those that run still are nobody's from now on: @rt is being closed. */
void qrt__lookups_left(struct qrt_runtime *rt);

/* --- TLS ------------------------------------------------------------------------------------- */

/* Frees what it has of its own in a lab. */
void qrt__tls_runtime_ended(struct qrt_runtime *rt);

/* --- watches: readiness of a real descriptor ------------------------------------------------- */

struct qrt__watch {
	struct qrt_runtime *rt;
	int fd;
	void (*ready)(struct qrt__watch *watch, unsigned io);
	void *impl; /* the driver's */
};

/* --- calls: a task on another runtime, waited for -------------------------------------------- */

struct qrt__call;
/* Frees what the call carries; runs exactly once, when the last side lets go. */
typedef void qrt__call_drop_fn(void *arg);

/*
 * Runs fn(cx, arg) as a task of @region (of any runtime) and waits for its
 * result. The caller's deadline and capabilities do not travel unless the
 * call says so: @caps is what the task gets. A cancel is passed on; with
 * @abandon the caller leaves at its deadline and the task goes on, owned by
 * its region. @drop(arg) then comes later, but always exactly once. Unless the
 * caller may leave, the task's lines are on its behalf: origin.c. Suspends.
 */
struct qrt__call_options {
	struct qrt_runtime *rt;
	struct qrt_region *region; /* a handle; NULL: the root of rt */
	uint32_t caps;
	bool abandon;
	int64_t deadline_ns; /* the task's; with leave_ns 0 the caller's too */
	int64_t leave_ns;    /* with abandon: when the caller leaves; 0: at deadline_ns */
	const char *name;    /* static */
	const char *site;    /* static */
};
enum qrt_err qrt__call(struct qrt_cx *cx, const struct qrt__call_options *opts, qrt_task_fn *fn,
		       void *arg, qrt__call_drop_fn *drop);

/* --- errors -------------------------------------------------------------------------------- */

/* @say(@arg) comes after the text of a failed assertion on this thread; NULL: no more. */
void qrt__last_words(void (*say)(void *arg), void *arg);
/* Whether @text is a numeric address, of IPv4 or IPv6. */
bool qrt__is_address(const char *text);
/* The one conversion of errno values. */
enum qrt_err qrt__err_from_errno(int error);

#endif
