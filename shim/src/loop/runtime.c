/* The life of a runtime: open, run on this thread or its own, shut down, audit, close. */
#include "shim/src/fiber/census.h"
#include "backends/process_impl.h"
#include "shim/src/internal.h"
#include "shim/src/loop/watchdog.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* AddressSanitizer puts room around every variable: stacks must be larger there. */
#if defined(__SANITIZE_ADDRESS__)
#define STACK_DEFAULT (256 * 1024)
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define STACK_DEFAULT (256 * 1024)
#endif
#endif
#ifndef STACK_DEFAULT
#define STACK_DEFAULT (64 * 1024)
#endif

#define TASKS_DEFAULT 1000000
#define STALL_DEFAULT QRT_SEC

static struct qrt_runtime *runtime_new(const struct qrt_runtime_options *opts,
				       const struct qrt__backend *backend)
{
	struct qrt_runtime *rt = calloc(1, sizeof(*rt));
	if (!rt) {
		return NULL;
	}
	rt->magic = QRT__RUNTIME_MAGIC;
	rt->backend = backend;
	rt->engine = backend->engine;
	rt->driver = backend->driver;
	rt->lab = opts->lab;
	rt->stall_ns = opts->stall_ns ? opts->stall_ns : STALL_DEFAULT;
	snprintf(rt->name, sizeof(rt->name), "%s", opts->name ? opts->name : backend->name);
	rt->tasks_max = opts->tasks_max ? opts->tasks_max : TASKS_DEFAULT;
	for (unsigned lane = 0; lane < QRT__LANES; lane++) {
		qrt__list_init(&rt->ready[lane]);
	}
	qrt__pool_init(&rt->regions, sizeof(struct qrt__region),
		       offsetof(struct qrt__region, first_detail), QRT__SLOT_ALIGN);
	qrt__pool_init(&rt->obligations, sizeof(struct qrt__obligation),
		       sizeof(struct qrt__obligation), 64);
	qrt__pool_init(&rt->objects, QRT__SLOT_ALIGN, QRT__SLOT_ALIGN, QRT__SLOT_ALIGN);
	qrt__timers_init(&rt->timers);
	qrt__list_init(&rt->in_lookup);
	qrt__list_init(&rt->processes);
	rt->inbox_tail = &rt->inbox_head;
	rt->inbox_open = true;
	pthread_mutex_init(&rt->inbox_lock, NULL);
	pthread_mutex_init(&rt->state_lock, NULL);
	pthread_condattr_t attr;
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&rt->state_changed, &attr);
	pthread_condattr_destroy(&attr);
	return rt;
}

static void runtime_free(struct qrt_runtime *rt)
{
	qrt__fiber_close_thread(&rt->loop);
	qrt__stack_pool_destroy(&rt->stacks);
	qrt__census_destroy(&rt->census);
	qrt__pool_fini(&rt->regions);
	qrt__pool_fini(&rt->obligations);
	qrt__pool_fini(&rt->objects);
	qrt__timers_fini(&rt->timers);
	pthread_mutex_destroy(&rt->inbox_lock);
	pthread_mutex_destroy(&rt->state_lock);
	pthread_cond_destroy(&rt->state_changed);
	rt->magic = 0;
	free(rt);
}

/* What stands on an open driver. */
static enum qrt_err open_rest(struct qrt_runtime *rt, const struct qrt_runtime_options *opts)
{
	rt->turn_ns = qrt__now(rt);
	enum qrt_err err = QRT_OK;
	if (opts->lab && !rt->driver->traced) {
		err = qrt__lab_observe(opts->lab, rt);
	}
	if (!err) {
		err = qrt__region_open_root(rt);
	}
	/* The lab's clock is not for other threads, and stands still while a task runs. */
	if (!err && opts->on_stall && !rt->driver->traced) {
		err = qrt__watchdog_start(rt, opts);
		if (err) {
			qrt__region_close_root(rt);
		}
	}
	return err;
}

enum qrt_err qrt_runtime_open(const struct qrt_runtime_options *opts, char *ret_detail,
			      struct qrt_runtime **ret_rt)
{
	char detail[QRT__DETAIL_MAX] = "";
	const struct qrt__backend *backend = qrt__backend_find(opts->backend);
	struct qrt_runtime *rt = NULL;
	enum qrt_err err = QRT_OK;
	if (!backend) {
		snprintf(detail, sizeof(detail), "backend \"%s\" is not in this build",
			 opts->backend);
		err = QRT_ENOTSUP;
	} else if (opts->stall_ns < 0) {
		snprintf(detail, sizeof(detail), "a stall of %lld ns", (long long)opts->stall_ns);
		err = QRT_EINVAL;
	} else if (!(rt = runtime_new(opts, backend))) {
		err = QRT_ENOMEM;
	}
	size_t stack = opts->stack_bytes ? opts->stack_bytes : STACK_DEFAULT;
	if (!err) {
		err = qrt__stack_pool_create(stack, &rt->stacks);
	}
	if (!err && opts->stack_census) {
		rt->census = qrt__census_create();
		err = rt->census ? QRT_OK : QRT_ENOMEM;
	}
	if (!err) {
		err = qrt__fiber_open_thread(&rt->loop);
	}
	if (!err) {
		err = rt->driver->open(rt, opts, detail);
	}
	if (!err) {
		err = open_rest(rt, opts);
		if (err) {
			qrt__tell(rt, QRT__TRACE_GONE, rt, 0);
			rt->driver->close(rt);
		}
	}
	if (err) {
		if (rt) {
			runtime_free(rt);
		}
		if (ret_detail) {
			memcpy(ret_detail, detail, sizeof(detail));
		}
		return err;
	}
	*ret_rt = rt;
	return QRT_OK;
}

struct main_call {
	qrt_task_fn *fn;
	void *arg;
	enum qrt_err err;
};

static enum qrt_err main_task(struct qrt_cx *cx, void *arg)
{
	struct main_call *call = arg;
	call->err = QRT_EPANIC; /* stands when the function does not return */
	call->err = call->fn(cx, call->arg);
	return call->err;
}

enum qrt_err qrt_run_main(struct qrt_runtime *rt, qrt_task_fn *fn, void *arg)
{
	QRT_PRE(rt->magic == QRT__RUNTIME_MAGIC);
	if (rt->started || rt->current) {
		return QRT_ESTATE;
	}
	struct main_call call = {.fn = fn, .arg = arg};
	rt->thread = pthread_self();
	rt->stopping = true; /* as soon as everything has ended */
	rt->turn_ns = qrt__now(rt);
	pthread_mutex_lock(&rt->inbox_lock);
	rt->inbox_open = true;
	pthread_mutex_unlock(&rt->inbox_lock);
	enum qrt_err err = qrt__task_spawn(rt->root, main_task, &call, "main", QRT_SITE, NULL);
	if (err) {
		return err;
	}
	qrt__loop_run(rt);
	return call.err;
}

static void *thread_main(void *arg)
{
	struct qrt_runtime *rt = arg;
	qrt__loop_run(rt);
	pthread_mutex_lock(&rt->state_lock);
	rt->loop_ended = true;
	pthread_cond_broadcast(&rt->state_changed);
	pthread_mutex_unlock(&rt->state_lock);
	return NULL;
}

enum qrt_err qrt__thread_start(pthread_t *ret_thread, void *(*fn)(void *), void *arg,
			       const char *name)
{
	/* Signals are somebody's to wait for: no thread of ours takes them away. */
	sigset_t all, before;
	sigfillset(&all);
	sigdelset(&all, SIGSEGV);
	sigdelset(&all, SIGBUS);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int error = pthread_create(ret_thread, NULL, fn, arg);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (error) {
		return QRT_EAGAIN;
	}
	char text[16];
	snprintf(text, sizeof(text), "%.15s", name);
	pthread_setname_np(*ret_thread, text);
	return QRT_OK;
}

enum qrt_err qrt_runtime_start(struct qrt_runtime *rt)
{
	QRT_PRE(rt->magic == QRT__RUNTIME_MAGIC);
	if (rt->started) {
		return QRT_ESTATE;
	}
	rt->stopping = false;
	pthread_mutex_lock(&rt->inbox_lock);
	rt->inbox_open = true; /* it may have run, and ended, before */
	pthread_mutex_unlock(&rt->inbox_lock);
	if (rt->driver->start && rt->driver->start(rt)) {
		rt->started = true;
		rt->threadless = true;
		return QRT_OK;
	}
	enum qrt_err err = qrt__thread_start(&rt->thread, thread_main, rt, rt->name);
	if (!err) {
		rt->started = true;
	}
	return err;
}

static void stop_loop(struct qrt_runtime *rt, struct qrt__post *post)
{
	free(post);
	rt->stopping = true;
	qrt__cancel_region(rt->root, QRT_CANCEL_SHUTDOWN, "shutdown");
}

/* Whether its thread has ended within @grace_ns, and been joined. */
static bool join_thread(struct qrt_runtime *rt, int64_t grace_ns)
{
	struct timespec until;
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += grace_ns / QRT_SEC;
	until.tv_nsec += grace_ns % QRT_SEC;
	if (until.tv_nsec >= QRT_SEC) {
		until.tv_sec++;
		until.tv_nsec -= QRT_SEC;
	}
	pthread_mutex_lock(&rt->state_lock);
	int error = 0;
	while (!rt->loop_ended && error != ETIMEDOUT) {
		error = pthread_cond_timedwait(&rt->state_changed, &rt->state_lock, &until);
	}
	bool ended = rt->loop_ended;
	pthread_mutex_unlock(&rt->state_lock);
	if (ended) {
		pthread_join(rt->thread, NULL);
	}
	return ended;
}

enum qrt_err qrt_shutdown(struct qrt_runtime *rt, int64_t grace_ns)
{
	if (!rt->started) {
		return QRT_ESTATE;
	}
	struct qrt__post *stop = calloc(1, sizeof(*stop));
	if (!stop) {
		return QRT_ENOMEM;
	}
	if (!qrt__post(rt, stop, stop_loop)) {
		free(stop);
	}
	bool ended = rt->threadless ? rt->driver->finish(rt, grace_ns) : join_thread(rt, grace_ns);
	if (!ended) {
		return QRT_ETIMEDOUT;
	}
	rt->started = false;
	if (rt->threadless) { /* with a thread others may be reading it, for a call or a dump */
		rt->threadless = false;
	}
	rt->loop_ended = false;
	return QRT_OK;
}

void qrt_runtime_audit(const struct qrt_runtime *rt, struct qrt_audit *ret_audit)
{
#define READ(field) atomic_load_explicit(&rt->field, memory_order_relaxed)
	*ret_audit = (struct qrt_audit){.tasks_spawned = READ(tasks_spawned),
					.tasks_live = READ(tasks_live),
					.regions_opened = READ(regions_opened),
					.regions_live = READ(regions_live),
					.ops_started = READ(ops_started),
					.ops_live = READ(ops_live),
					.streams_live = READ(streams_live),
					.jobs_live = READ(jobs_live),
					.jobs_left = READ(jobs_left),
					.cancels = READ(cancels),
					.forced = READ(forced),
					.panics = READ(panics),
					.not_capable = READ(not_capable),
					.duties_made = READ(duties_made),
					.duties_live = READ(duties_live),
					.leaks = READ(leaks),
					.budgets_spent = READ(budgets_spent),
					.restarts = READ(restarts),
					.stalls = READ(stalls),
					.ready = READ(ready_seen),
					.lag_ns = READ(lag_ns),
					.lag_max_ns = READ(lag_max_ns),
					.turns = READ(turns),
					.detached_live = READ(detached_live),
					.trace_hash = READ(trace_hash)};
	for (size_t i = 0; i < QRT__CANCEL_KINDS; i++) {
		ret_audit->cancels_by[i] = READ(cancels_by[i]);
	}
#undef READ
}

int64_t qrt_runtime_busy(const struct qrt_runtime *rt, const char **ret_task, const char **ret_site)
{
	int64_t since = atomic_load_explicit(&rt->busy_since_ns, memory_order_relaxed);
	if (ret_task) {
		*ret_task = atomic_load_explicit(&rt->busy_task, memory_order_relaxed);
	}
	if (ret_site) {
		*ret_site = atomic_load_explicit(&rt->busy_site, memory_order_relaxed);
	}
	if (since == 0 || rt->driver->traced) {
		return 0; /* the lab's clock is not for other threads */
	}
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	int64_t now = ts.tv_sec * QRT_SEC + ts.tv_nsec;
	return now > since ? now - since : 0;
}

const char *qrt_runtime_name(const struct qrt_runtime *rt)
{
	return rt->name;
}

const char *qrt_runtime_backend(const struct qrt_runtime *rt)
{
	return rt->backend->name;
}

/* A program that ends cleanly has proved that it left nothing behind. */
static void assert_nothing_left(const struct qrt_runtime *rt)
{
	struct qrt_audit audit;
	qrt_runtime_audit(rt, &audit);
	QRT_ASSERT(audit.tasks_live == 0);
	QRT_ASSERT(audit.regions_live == 1); /* the root */
	QRT_ASSERT(audit.ops_live == 0);
	QRT_ASSERT(audit.streams_live == 0);
	QRT_ASSERT(audit.jobs_live == 0);
	QRT_ASSERT(audit.duties_live == 0);
	QRT_ASSERT(!rt->inbox_head);
}

void qrt_runtime_close(struct qrt_runtime **rt_ptr)
{
	struct qrt_runtime *rt = *rt_ptr;
	if (!rt) {
		return;
	}
	QRT_PRE(rt->magic == QRT__RUNTIME_MAGIC);
	QRT_PRE(!rt->started);
	qrt__watchdog_stop(&rt->watchdog);
	qrt__trace_ended(rt);
	qrt__ledger_runtime_ended(rt);
	qrt__lookups_left(rt);
	rt->driver->process->reap_all(rt);
	qrt__tell(rt, QRT__TRACE_GONE, rt, 0);
	assert_nothing_left(rt);
	qrt__region_close_root(rt);
	qrt__tls_runtime_ended(rt);
	rt->driver->close(rt);
	runtime_free(rt);
	*rt_ptr = NULL;
}
