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

struct qrt_runtime_options {
	const char *backend; /* "legacy", "region", "lab", "lab-legacy" */
	const char *name;    /* for dumps and threads; NULL: the backend's */
	uint64_t seed;	     /* lab only */
	size_t stack_bytes;  /* of a task; 0: the default */
	size_t tasks_max;    /* 0: the default, 1,000,000 */
};

/*
 * Errors: ENOTSUP (no such backend in this build), ENOMEM, EMFILE. The detail
 * goes to @ret_detail (256 bytes) when that is not NULL.
 */
QRT_API enum qrt_err qrt_runtime_open(const struct qrt_runtime_options *opts, char *ret_detail,
				      struct qrt_runtime **ret_rt) QRT_MUST_USE;

/*
 * Runs @fn as the first task, in the root region, with all capabilities, on
 * the calling thread; returns its result when everything has ended. May be
 * called again afterwards.
 */
QRT_API enum qrt_err qrt_run_main(struct qrt_runtime *rt, qrt_task_fn *fn, void *arg) QRT_MUST_USE;

/* Starts a thread that runs the loop until qrt_shutdown. Errors: EAGAIN (no thread), ESTATE. */
QRT_API enum qrt_err qrt_runtime_start(struct qrt_runtime *rt) QRT_MUST_USE;

/*
 * Cancels what still lives in a started runtime, waits @grace_ns for it, and
 * joins the thread. ETIMEDOUT: something did not end; the thread is left and
 * the runtime must not be closed (the process is about to exit).
 */
QRT_API enum qrt_err qrt_shutdown(struct qrt_runtime *rt, int64_t grace_ns) QRT_MUST_USE;

/*
 * Runs @fn as a task of @rt's root region and waits for its result, from a
 * thread that is not a runtime's (a control thread). ETIMEDOUT after
 * @timeout_ns: the task is asked to end and goes on being owned by @rt; @arg
 * must therefore be heap memory that @fn or @drop frees: @drop is called
 * exactly once, after the task ended or when it was never started.
 */
QRT_API enum qrt_err qrt_runtime_call(struct qrt_runtime *rt, int64_t timeout_ns, qrt_task_fn *fn,
				      void *arg, void (*drop)(void *arg)) QRT_MUST_USE;

/* What lived and what is left. Counters may be read from any thread. */
struct qrt_audit {
	uint64_t tasks_spawned, tasks_live;
	uint64_t regions_opened, regions_live;
	uint64_t ops_started, ops_live; /* waits parked on I/O, lanes, ports */
	uint64_t streams_live, jobs_live;
	uint64_t cancels, cancels_by[QRT__CANCEL_KINDS];
	uint64_t forced, panics, not_capable;
	uint64_t duties_made, duties_live; /* entries of the ledger */
	uint64_t leaks;			   /* duties that nobody settled */
	uint64_t budgets_spent, restarts;
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

/* The tree of live regions and tasks as JSON, cut at @n. On the loop's thread. */
QRT_API size_t qrt_dump(struct qrt_cx *cx, char *buf, size_t n);
/* The same from another thread: asks the loop, waits @timeout_ns. Errors: ETIMEDOUT (wedged). */
QRT_API enum qrt_err qrt_runtime_dump(struct qrt_runtime *rt, int64_t timeout_ns, char *buf,
				      size_t n) QRT_MUST_USE;

QRT_API const char *qrt_runtime_name(const struct qrt_runtime *rt);
QRT_API const char *qrt_runtime_backend(const struct qrt_runtime *rt);
QRT_API struct qrt_runtime *qrt_cx_runtime(const struct qrt_cx *cx);

/*
 * Frees *@rt and sets it to NULL. NULL-safe. The audit says what was left:
 * with orphans the process aborts, naming them: a program that ends cleanly
 * has proved that it left nothing.
 */
QRT_API void qrt_runtime_close(struct qrt_runtime **rt);

#ifdef __cplusplus
}
#endif
#endif
