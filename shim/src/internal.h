/*
 * The runtime core as seen by its own files, the engines and the drivers:
 * task, region and runtime structs, and the one suspend primitive, park.
 * Everything here belongs to one loop thread unless marked "any thread".
 */
#ifndef QRT_INTERNAL_H
#define QRT_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>
#include <sys/uio.h>

#include <qrt/cx.h>
#include <qrt/region.h>
#include <qrt/runtime.h>
#include <qrt/stream.h>

#include "backends/backend.h"
#include "shim/src/fiber.h"
#include "shim/src/list.h"
#include "shim/src/timer.h"

#define QRT__DETAIL_MAX 256
#define QRT__RUNTIME_MAGIC 0x71724e01u
#define QRT__TASK_MAGIC 0x71724e02u
#define QRT__REGION_MAGIC 0x71724e03u

/* --- cx ------------------------------------------------------------------------------------ */

struct qrt_cx {
	struct qrt_task *task;
	struct qrt_region *region;
	uint32_t caps;
	int64_t deadline_ns;
};

/* --- waits --------------------------------------------------------------------------------- */

/* What a task can wait for: name, text, whether it counts as an operation. */
#define QRT__WAIT_KINDS(X)                                                                         \
	X(QRT__WAIT_YIELD, "yield", false)                                                         \
	X(QRT__WAIT_SLEEP, "sleep", false)                                                         \
	X(QRT__WAIT_JOIN, "region close", false)                                                   \
	X(QRT__WAIT_EVENT, "event", false)                                                         \
	X(QRT__WAIT_LOOP, "loop stack", false)                                                     \
	X(QRT__WAIT_ACCEPT, "accept", true)                                                        \
	X(QRT__WAIT_CONNECT, "connect", true)                                                      \
	X(QRT__WAIT_READ, "read", true)                                                            \
	X(QRT__WAIT_WRITE, "write", true)                                                          \
	X(QRT__WAIT_SIGNAL, "signal", true)                                                        \
	X(QRT__WAIT_LANE, "lane job", true)                                                        \
	X(QRT__WAIT_CALL, "port call", true)

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
	int64_t since_ns;
	qrt__abort_fn *abort; /* NULL: cannot be cut short */
	bool aborted;
	bool done; /* unparked, maybe before it parked */
	enum qrt_err result;
	struct qrt__timer timer;
	struct qrt__list node; /* in the object's queue, the object's affair */
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
	enum qrt_cancel_kind kind;
	const char *reason;
	int64_t at_ns;
};

/*
 *	queued ──> ready ──> running ──> ended
 *	             ^          │
 *	             └─ parked <┘
 */
enum qrt__task_state { QRT__TASK_READY, QRT__TASK_RUNNING, QRT__TASK_PARKED, QRT__TASK_ENDED };

/* Lives at the top of its own stack. */
struct qrt_task {
	unsigned magic;
	enum qrt__task_state state;
	struct qrt__fiber fiber;
	struct qrt__stack *stack;
	struct qrt_runtime *rt;
	struct qrt_region *home; /* owns it */
	struct qrt_region *top;	 /* the innermost region it has opened, or NULL */
	struct qrt_cx cx;
	qrt_task_fn *fn;
	void *arg;
	const char *name, *site; /* static */
	uint64_t id;		 /* in its runtime, from 1 */
	uint64_t index;		 /* in its region, from 0 */
	int64_t spawned_ns;
	struct qrt__wait *wait; /* while parked */
	struct qrt__list in_home, in_ready;
	struct qrt__defer *defers;
	unsigned masks; /* cancel does not reach it while > 0 */
	struct qrt__cancel cancel;
	enum qrt_outcome outcome;
	char detail[QRT__DETAIL_MAX];
};

/* The region whose cancel concerns what @task does now. */
static inline struct qrt_region *qrt__task_scope(const struct qrt_task *task)
{
	return task->top ? task->top : task->home;
}

enum qrt_err qrt__task_spawn(struct qrt_region *region, qrt_task_fn *fn, void *arg,
			     const char *name, const char *site, struct qrt_task **ret_task);
/* Runs and frees them, last one first, undisturbed by cancel and deadline. */
void qrt__run_finalizers(const struct qrt_cx *of, struct qrt__defer **defers);
/* Severity of a kind; the higher wins. */
int qrt__cancel_severity(enum qrt_cancel_kind kind);
const char *qrt__cancel_name(enum qrt_cancel_kind kind);
/* Records a request; a weaker one changes nothing. Returns whether it changed anything. */
bool qrt__cancel_strengthen(struct qrt__cancel *cancel, enum qrt_cancel_kind kind,
			    const char *reason, int64_t now_ns);

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

struct qrt_region {
	unsigned magic;
	enum qrt__region_state state;
	enum qrt_policy policy;
	struct qrt_runtime *rt;
	struct qrt_region *parent; /* NULL: the root */
	struct qrt_task *opener;   /* NULL: the root */
	struct qrt_region *outer;  /* what was opener->top before */
	const char *name;
	int64_t opened_ns;
	struct qrt_cx cx;
	struct qrt__list tasks;	   /* live ones, in order of spawning */
	struct qrt__list children; /* live child regions */
	struct qrt__list in_parent;
	uint64_t next_index;
	struct qrt__wait *closer; /* who waits in close, or NULL */
	struct qrt__cancel cancel;
	struct qrt_aggregate failures;
	enum qrt_err first_err; /* of the failure that caused the end */
	struct qrt_failure first;
	struct qrt__defer *defers;
	struct qrt__chunk *heap;
};

enum qrt_err qrt__region_open_root(struct qrt_runtime *rt);
void qrt__region_close_root(struct qrt_runtime *rt);
/* A task of @region has ended: records the outcome, wakes the closer. */
void qrt__region_task_ended(struct qrt_region *region, struct qrt_task *task, enum qrt_err err);
const char *qrt__region_state_name(enum qrt__region_state state);

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
	struct qrt_task *current; /* NULL while the loop runs */
	struct qrt_task *ended;	  /* its stack waits to be given back */
	struct qrt__list ready;
	size_t n_ready;
	unsigned batch_left; /* tasks that may still run before the next poll */
	int64_t turn_ns;     /* when this turn began: time enough for "since when" */
	struct qrt__timer_heap timers;
	struct qrt_region *root;
	uint64_t next_task_id;
	void (*loop_fn)(void *arg); /* qrt__on_loop's errand */
	void *loop_arg;
	struct qrt_task *errand; /* whose errand it is */
	bool stopping;		 /* the loop ends when the root is empty */

	pthread_mutex_t inbox_lock;
	struct qrt__post *inbox_head, **inbox_tail;
	_Atomic bool inbox_nonempty;
	bool inbox_open; /* under inbox_lock */

	pthread_t thread;
	bool started;
	pthread_mutex_t state_lock; /* of what follows */
	pthread_cond_t state_changed;
	bool loop_ended;

	/* Any thread may read these. */
	_Atomic int64_t busy_since_ns; /* 0: in poll */
	_Atomic(const char *) busy_task;
	_Atomic(const char *) busy_site;
	_Atomic uint64_t tasks_spawned, tasks_live, regions_opened, regions_live;
	_Atomic uint64_t ops_started, ops_live, streams_live, jobs_live;
	_Atomic uint64_t cancels, forced, panics, not_capable, turns, detached_live;
	_Atomic uint64_t trace_hash;
};

/* Counters have one writer, the loop's thread: a plain add is enough. */
#define QRT__COUNT(counter, by)                                                                    \
	atomic_store_explicit(                                                                     \
	    &(counter), atomic_load_explicit(&(counter), memory_order_relaxed) + (uint64_t)(by),   \
	    memory_order_relaxed)

/* Starts a thread with all signals blocked. Errors: EAGAIN. */
enum qrt_err qrt__thread_start(pthread_t *ret_thread, void *(*fn)(void *), void *arg,
			       const char *name);

static inline int64_t qrt__now(struct qrt_runtime *rt)
{
	return rt->driver->now(rt);
}

/* Runs the loop until the root region has no task left and rt->stopping. */
void qrt__loop_run(struct qrt_runtime *rt);
/* Gives up the processor of the current task; comes back when it is resumed. */
void qrt__switch_away(struct qrt_runtime *rt, struct qrt_task *from, bool last);
void qrt__make_ready(struct qrt_task *task);
/* The first moment of a new task: what every other resumption does in switch_away. */
void qrt__task_begin(struct qrt_task *task);
/* Reports an overflowing task stack of @rt by task name; for the calling loop thread. */
void qrt__overflow_watch(struct qrt_runtime *rt);
void qrt__overflow_unwatch(void);
/* Runs fn(arg) on the loop's own, deep stack; the task waits. Not a checkpoint. */
void qrt__on_loop(struct qrt_cx *cx, void (*fn)(void *arg), void *arg);
enum qrt__trace_step {
	QRT__TRACE_RUN = 1,
	QRT__TRACE_PARK,
	QRT__TRACE_UNPARK,
	QRT__TRACE_SPAWN,
	QRT__TRACE_END,
	QRT__TRACE_OPEN,
	QRT__TRACE_CLOSE,
	QRT__TRACE_CANCEL,
	QRT__TRACE_CLOCK,
	QRT__TRACE_IO,
};
void qrt__trace_mix(struct qrt_runtime *rt, unsigned what, uint64_t a, uint64_t b);
/* One step of the execution, for the lab's hash. Never a pointer or a real time. */
static inline void qrt__trace(struct qrt_runtime *rt, unsigned what, uint64_t a, uint64_t b)
{
	if (__builtin_expect(rt->driver->traced, 0)) {
		qrt__trace_mix(rt, what, a, b);
	}
}

/* --- sockets: streams, listeners and signal sets over a driver's net ------------------------- */

/* First member of qrt_stream, qrt_listener and qrt_signals: freed with free(socket). */
struct qrt__socket {
	struct qrt_runtime *rt;
	int fd;
	unsigned armed;		  /* enum qrt__io the driver watches */
	bool dry;		  /* the last read was short: wait before trying again */
	bool closed;		  /* freed when its last user is gone */
	unsigned users;		  /* tasks inside a wait for it, resumed or not */
	struct qrt__wait *reader; /* who waits to read (or accept), or NULL */
	struct qrt__wait *writer;
	void *net; /* the net implementation's */
};

/* Takes over @fd (closes it on failure). */
enum qrt_err qrt__socket_open(struct qrt__socket *socket, struct qrt_runtime *rt, int fd);
/*
 * Parks until @io can be tried again. EBUSY: somebody waits for it already. After ECLOSED the
 * socket may be gone.
 */
enum qrt_err qrt__socket_wait(struct qrt_cx *cx, struct qrt__socket *socket, enum qrt__io io,
			      enum qrt__wait_kind kind);
/* Who waits, or was woken and has not run yet, gets ECLOSED. Frees the socket, now or then. */
void qrt__socket_close(struct qrt__socket *socket);
/* From the driver's poll: @io can be done now. */
void qrt__socket_ready(struct qrt__socket *socket, unsigned io);

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
 * its region. @drop(arg) then comes later, but always exactly once. Suspends.
 */
struct qrt__call_options {
	struct qrt_runtime *rt;
	struct qrt_region *region; /* NULL: the root of rt */
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

/* The one conversion of errno values. */
enum qrt_err qrt__err_from_errno(int error);

#endif
