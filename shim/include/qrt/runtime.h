/*
 * A runtime: one backend on one loop thread. Several may live side by side,
 * also of one kind. These calls are for the thread that owns the runtime
 * object (the host), unless they say otherwise.
 */
#ifndef QRT_RUNTIME_H
#define QRT_RUNTIME_H

#include <qrt/region.h>

#ifdef __cplusplus
extern "C" {
#endif

struct qrt_runtime;
struct qrt_lab;

/* What a backend promises, as data: the table is the contract. */
struct qrt_promise {
	const char *key;    /* "cancel-subtree" */
	const char *text;   /* one sentence */
	const char *answer; /* "yes", "no", or how far */
};

/* The names of the backends in this build, in order; *ret_n of them. Static. */
QRT_API const char *const *qrt_backend_names(size_t *ret_n);
/* The promises of @backend; NULL and 0 when it is not in this build. Static. */
QRT_API const struct qrt_promise *qrt_backend_promises(const char *backend, size_t *ret_n);

/* One task has kept the loop to itself. Names are static. */
struct qrt_stall {
	const char *runtime;	 /* lives as long as the runtime */
	const char *task, *site; /* the task, where it was spawned; NULL: the loop's own work */
	int64_t held_ns;	 /* for at least so long by now */
	unsigned reports;	 /* of this stall so far: 1 is the first */
};

struct qrt_runtime_options {
	const char *backend; /* "legacy", "region", "lab", "lab-legacy" */
	const char *name;    /* for dumps and threads; NULL: the backend's */
	uint64_t seed;	     /* lab only; not with a lab, which has its own */
	struct qrt_lab *lab; /* qrt/lab.h: it joins that one; NULL: a lab runtime has its own */
	size_t stack_bytes;  /* of a task; 0: the default */
	size_t tasks_max;    /* 0: the default, 1,000,000 */
	/*
	 * For development: how much of its stack each task has used by its end, to the byte and
	 * with what the runtime keeps there, stands in the dumps as the most per spawn site. Up to
	 * 256 sites. A stack is written to its end on its first use, so that each takes its whole
	 * memory. Sanitizers make frames larger: for stack_bytes measure without.
	 */
	bool stack_census;
	/*
	 * Called on a thread of its own when one task has run for stall_ns (0: 1 s) without
	 * coming back, and again each time that has doubled. It must not block for long, and
	 * calls of this runtime only what is for any thread. NULL: nobody watches. The thread
	 * sleeps while the loop is idle; a lab has none, whatever is asked.
	 */
	void (*on_stall)(void *arg, const struct qrt_stall *stall);
	void *stall_arg;
	int64_t stall_ns;
};

/*
 * Errors: ENOTSUP (no such backend in this build), ENOMEM, EMFILE, EAGAIN (no thread for on_stall),
 * EINVAL (stall_ns below 0). The detail
 * goes to @ret_detail (256 bytes) when that is not NULL.
 */
QRT_API enum qrt_err qrt_runtime_open(const struct qrt_runtime_options *opts, char *ret_detail,
				      struct qrt_runtime **ret_rt) QRT_MUST_USE;

/*
 * Runs @fn as the first task, in the root region, with all capabilities, on
 * the calling thread; returns its result when everything has ended. May be
 * called again afterwards. Its detail ends with the task: report it there.
 * Errors: fn's, EPANIC (it panicked, or was forced), ENOMEM, ESTATE (it runs, or was started).
 */
QRT_API enum qrt_err qrt_run_main(struct qrt_runtime *rt, qrt_task_fn *fn, void *arg) QRT_MUST_USE;

/* Starts a thread that runs the loop until qrt_shutdown. Errors: EAGAIN (no thread), ESTATE. */
QRT_API enum qrt_err qrt_runtime_start(struct qrt_runtime *rt) QRT_MUST_USE;

/*
 * Cancels what still lives in a started runtime, waits @grace_ns for it, and
 * joins the thread. ETIMEDOUT: something did not end; the thread is left and
 * the runtime must not be closed (the process is about to exit). Errors also:
 * ESTATE (not started), ENOMEM (nothing has happened).
 */
QRT_API enum qrt_err qrt_shutdown(struct qrt_runtime *rt, int64_t grace_ns) QRT_MUST_USE;

/*
 * Runs @fn as a task of @rt's root region and waits for its result, from a
 * thread that is not a runtime's (a control thread). ETIMEDOUT after
 * @timeout_ns: the task is asked to end and goes on being owned by @rt; @arg
 * must therefore be heap memory that @fn or @drop frees: @drop (may be NULL) is called
 * exactly once, after the task ended or when it was never started, maybe after this returned.
 * Errors also: fn's, ECLOSED (its loop has ended), ESTATE (it is in a lab, without a thread),
 * ENOMEM.
 */
QRT_API enum qrt_err qrt_runtime_call(struct qrt_runtime *rt, int64_t timeout_ns, qrt_task_fn *fn,
				      void *arg, void (*drop)(void *arg)) QRT_MUST_USE;

/* What lived and what is left. Counters may be read from any thread. */
struct qrt_audit {
	uint64_t tasks_spawned, tasks_live;
	uint64_t regions_opened, regions_live;
	uint64_t ops_started, ops_live; /* waits parked on I/O, lanes, ports */
	uint64_t streams_live, jobs_live;
	uint64_t jobs_left; /* of jobs_live: their callers have left, they still run */
	uint64_t cancels, cancels_by[QRT__CANCEL_KINDS];
	uint64_t forced, panics, not_capable;
	uint64_t duties_made, duties_live; /* entries of the ledger */
	uint64_t leaks;			   /* duties that nobody settled */
	uint64_t budgets_spent, restarts;
	uint64_t stalls;	     /* what on_stall was told of first; 0 without it */
	uint64_t ready;		     /* tasks ready when the last turn came to them */
	uint64_t lag_ns, lag_max_ns; /* how long turns took: the last one, the longest */
	uint64_t turns;
	uint64_t detached_live; /* legacy's detached tasks */
	uint64_t trace_hash;	/* lab: of every step so far */
};
QRT_API void qrt_runtime_audit(const struct qrt_runtime *rt, struct qrt_audit *ret_audit);

/*
 * For how long the loop has not been back to its poll, in ns; 0 when it waits.
 * @ret_task and @ret_site (may be NULL) get the task that ran last, or NULL; static.
 * From any thread.
 */
QRT_API int64_t qrt_runtime_busy(const struct qrt_runtime *rt, const char **ret_task,
				 const char **ret_site);

/*
 * What lives in a runtime: deadlocks (tasks that wait for each other in a circle), hogs (tasks
 * that most others wait for), then the tree of regions and tasks with what each waits for, where
 * it was spawned, what is left of its budget, how it was cancelled, and its open duties; with
 * stack_census then the stacks of tasks that have ended, the deepest first. To @buf, at most @n
 * bytes with the NUL; returns the length. What does not fit is left out whole, and the document
 * says "cut"; it is valid JSON all the same. Needs QRT_CAP_TRACE. On the loop's thread.
 */
QRT_API size_t qrt_dump(struct qrt_cx *cx, char *buf, size_t n);
/* The same for people: a line per region, task and duty. */
QRT_API size_t qrt_dump_text(struct qrt_cx *cx, char *buf, size_t n);
/*
 * Both from another thread: asks the loop, waits @timeout_ns. Errors: ETIMEDOUT (wedged),
 * ELIMIT (it was cut: @buf has what fits), ECLOSED, ENOMEM.
 */
QRT_API enum qrt_err qrt_runtime_dump(struct qrt_runtime *rt, int64_t timeout_ns, char *buf,
				      size_t n) QRT_MUST_USE;
QRT_API enum qrt_err qrt_runtime_dump_text(struct qrt_runtime *rt, int64_t timeout_ns, char *buf,
					   size_t n) QRT_MUST_USE;
/*
 * Only the deadlocks, as text; "" when there is none. Returns how many there are. A circle that a
 * deadline will break is one too; its tasks then say "gives_up_ms". Needs QRT_CAP_TRACE.
 */
QRT_API size_t qrt_find_deadlock(struct qrt_cx *cx, char *buf, size_t n);

/* Its name and its backend's; valid as long as @rt, from any thread. */
QRT_API const char *qrt_runtime_name(const struct qrt_runtime *rt);
QRT_API const char *qrt_runtime_backend(const struct qrt_runtime *rt);
QRT_API struct qrt_runtime *qrt_cx_runtime(const struct qrt_cx *cx);

/*
 * Frees *@rt, which must not run, and sets it to NULL. NULL-safe. The audit says what was left:
 * with orphans the process aborts, naming them: a program that ends cleanly
 * has proved that it left nothing.
 */
QRT_API void qrt_runtime_close(struct qrt_runtime **rt);

#ifdef __cplusplus
}
#endif
#endif
