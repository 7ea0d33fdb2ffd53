/*
 * Calls: a task run for somebody else, on this or another runtime, or for a
 * thread that is no runtime's. The call object is shared by two sides and
 * freed by the last one that lets go.
 *
 *	caller                                   callee's loop
 *	call ── go ────────────────────────────> spawn the task
 *	abort ─ stop ──────────────────────────> cancel it
 *	unpark <──────────────────────── back ── the task ended
 */
#include "shim/src/internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/*
 * Who ends the wait: the callee, with its result, or the caller, by leaving. The first one does;
 * so that nothing is posted to a caller that has left, whose loop may have ended since.
 */
enum fate { OPEN, ANSWERED, LEFT };

struct qrt__call {
	_Atomic int refs;
	_Atomic int fate; /* enum fate */
	struct qrt__call_options opts;
	qrt_task_fn *fn;
	void *arg;
	qrt__call_drop_fn *drop;
	enum qrt_err result;
	char detail[QRT__DETAIL_MAX];

	struct qrt__post go, stop, back;
	struct qrt_task *task; /* callee's thread: while it lives */
	bool stop_early;       /* callee's thread: asked to end before it began */

	const struct qrt_cx *on_behalf; /* of who waits to the end; NULL: they may leave */
	struct qrt_runtime *from;	/* NULL: a thread waits */
	struct qrt__wait *wait;		/* caller's thread: NULL once it left */
	struct thread_wait *thread;
};

/* For a caller that is no runtime's. */
struct thread_wait {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool done;
};

static void call_unref(struct qrt__call *call)
{
	if (atomic_fetch_sub(&call->refs, 1) > 1) {
		return;
	}
	if (call->drop) {
		call->drop(call->arg);
	}
	if (call->thread) {
		pthread_mutex_destroy(&call->thread->lock);
		pthread_cond_destroy(&call->thread->changed);
		free(call->thread);
	}
	free(call);
}

/* Whether it was open until now. */
static bool decide(struct qrt__call *call, enum fate fate)
{
	int open = OPEN;
	return atomic_compare_exchange_strong(&call->fate, &open, (int)fate);
}

static void come_back(struct qrt_runtime *rt, struct qrt__post *post)
{
	(void)rt;
	struct qrt__call *call = QRT__CONTAINER(post, struct qrt__call, back);
	if (call->wait) {
		struct qrt__wait *wait = call->wait;
		call->wait = NULL;
		qrt__tell_named(call->from, QRT__TRACE_OP_END, call, 0, call->opts.name, NULL);
		qrt__unpark(wait, call->result);
	}
	call_unref(call);
}

/* The callee's side is over; hands its reference back with the result. */
static void call_finish(struct qrt__call *call, enum qrt_err result)
{
	call->result = result;
	if (call->task) {
		call->task->called_by = NULL; /* they may be gone before the last of it */
		call->task = NULL;
	}
	qrt__tell_named(call->opts.rt, QRT__TRACE_OP_END, &call->go, 0, call->opts.name, NULL);
	if (!decide(call, ANSWERED)) {
		call_unref(call);
	} else if (call->from == call->opts.rt) {
		come_back(call->from, &call->back);
	} else if (call->from) {
		if (!qrt__post(call->from, &call->back, come_back)) {
			QRT_IMPOSSIBLE("the caller's loop ended while a task of it waited");
		}
	} else {
		pthread_mutex_lock(&call->thread->lock);
		call->thread->done = true;
		pthread_cond_signal(&call->thread->changed);
		pthread_mutex_unlock(&call->thread->lock);
		call_unref(call);
	}
}

static void call_ended(struct qrt_cx *cx, void *arg)
{
	struct qrt__call *call = arg;
	memcpy(call->detail, cx->task->detail, sizeof(call->detail));
	call_finish(call, call->result);
}

static enum qrt_err call_task(struct qrt_cx *cx, void *arg)
{
	struct qrt__call *call = arg;
	call->result = QRT_EPANIC; /* stands when the function does not return */
	enum qrt_err err = qrt_defer(cx, call_ended, call);
	if (err) {
		call_finish(call, err);
		return err;
	}
	cx->caps = call->opts.caps;
	if (call->opts.deadline_ns < cx->deadline_ns) {
		cx->deadline_ns = call->opts.deadline_ns;
	}
	call->result = call->fn(cx, call->arg);
	/* A call's failure is its caller's affair, not its region's. */
	return QRT_OK;
}

static void begin(struct qrt__call *call)
{
	struct qrt_runtime *rt = call->opts.rt;
	struct qrt__region *region =
	    call->opts.region ? qrt__region_of(call->opts.region) : rt->root;
	enum qrt_err err = QRT_ECLOSED;
	qrt__tell_named(rt, QRT__TRACE_OP, &call->go, 0, call->opts.name, call->opts.site);
	/* qrt_run_main stops as soon as it has nothing left, and takes calls until then. */
	if (!region) {
		; /* closed meanwhile */
	} else if (!rt->stopping || rt->current || !rt->started) {
		err = qrt__task_spawn(region, call_task, call, call->opts.name, call->opts.site,
				      &call->task);
	}
	if (err) {
		snprintf(call->detail, sizeof(call->detail), "runtime %s: %s", rt->name,
			 qrt_err_text(err));
		call_finish(call, err);
		return;
	}
	call->task->called_by = call->on_behalf;
	if (call->stop_early) {
		qrt__cancel_task(call->task, QRT_CANCEL_USER, "the caller left");
	}
}

static void go(struct qrt_runtime *rt, struct qrt__post *post)
{
	(void)rt;
	begin(QRT__CONTAINER(post, struct qrt__call, go));
}

static void stop_task(struct qrt__call *call)
{
	if (call->task) {
		qrt__cancel_task(call->task, QRT_CANCEL_USER, "the caller left");
	} else {
		call->stop_early = true;
	}
}

static void stop(struct qrt_runtime *rt, struct qrt__post *post)
{
	(void)rt;
	struct qrt__call *call = QRT__CONTAINER(post, struct qrt__call, stop);
	stop_task(call);
	call_unref(call);
}

/* Asks the callee to end; from the caller's side, at most once. */
static void ask_to_stop(struct qrt__call *call)
{
	if (call->from == call->opts.rt) {
		stop_task(call);
		return;
	}
	atomic_fetch_add(&call->refs, 1);
	if (!qrt__post(call->opts.rt, &call->stop, stop)) {
		call_unref(call);
	}
}

struct caller {
	struct qrt__wait wait;
	struct qrt__call *call;
	enum qrt_err left_because;
};

static void caller_abort(struct qrt__wait *wait, enum qrt_err why)
{
	struct caller *caller = QRT__CONTAINER(wait, struct caller, wait);
	struct qrt__call *call = caller->call;
	caller->left_because = why;
	if (call->opts.abandon && (QRT__MUTANT(DOUBLE_COMPLETION) || decide(call, LEFT))) {
		qrt__tell_named(call->from, QRT__TRACE_OP_END, call, 0, call->opts.name, NULL);
		qrt__unpark(wait, why);
	}
	ask_to_stop(call);
}

/* On another runtime it is nobody we may look at. */
static struct qrt_task *callee_of(const struct qrt__wait *wait)
{
	const struct qrt__call *call = QRT__CONTAINER(wait, struct caller, wait)->call;
	return call->from == call->opts.rt ? call->task : NULL;
}

static struct qrt__call *call_new(const struct qrt__call_options *opts, qrt_task_fn *fn, void *arg,
				  qrt__call_drop_fn *drop)
{
	struct qrt__call *call = calloc(1, sizeof(*call));
	if (call) {
		atomic_init(&call->refs, 2);
		atomic_init(&call->fate, OPEN);
		call->opts = *opts;
		call->fn = fn;
		call->arg = arg;
		call->drop = drop;
	}
	return call;
}

enum qrt_err qrt__call(struct qrt_cx *cx, const struct qrt__call_options *opts, qrt_task_fn *fn,
		       void *arg, qrt__call_drop_fn *drop)
{
	QRT__ANCHORED(cx); /* or a forced task would leave without the drop */
	struct qrt_runtime *rt = cx->task->rt;
	enum qrt_err err = qrt__suspending(cx);
	struct qrt__call *call = err ? NULL : call_new(opts, fn, arg, drop);
	if (!call) {
		if (drop) {
			drop(arg);
		}
		return err ? err : QRT_ENOMEM;
	}
	struct caller caller = {.call = call};
	qrt__wait_init(&caller.wait, cx, QRT__WAIT_CALL, opts->name, caller_abort);
	caller.wait.holder = callee_of;
	caller.wait.site = opts->site;
	call->on_behalf = opts->abandon ? NULL : cx;
	call->from = rt;
	call->wait = &caller.wait;
	qrt__tell_named(rt, QRT__TRACE_OP, call, 0, opts->name, opts->site);
	if (rt == opts->rt) {
		begin(call);
	} else if (!qrt__post(opts->rt, &call->go, go)) {
		qrt__tell_named(rt, QRT__TRACE_OP_END, call, 0, opts->name, NULL);
		call_unref(call);
		call_unref(call);
		return qrt_fail(cx, QRT_ECLOSED, "runtime %s has ended", opts->rt->name);
	}
	err = qrt__park(cx, &caller.wait, opts->leave_ns ? opts->leave_ns : opts->deadline_ns);
	if (err && !(opts->abandon && caller.wait.aborted)) {
		memcpy(cx->task->detail, call->detail, sizeof(call->detail));
	}
	call_unref(call);
	/* The callee was cancelled because we were late: to the caller that is being late. */
	return err == QRT_ECANCELED && caller.left_because ? caller.left_because : err;
}

static struct thread_wait *thread_wait_new(void)
{
	struct thread_wait *wait = calloc(1, sizeof(*wait));
	if (!wait) {
		return NULL;
	}
	pthread_condattr_t attr;
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_mutex_init(&wait->lock, NULL);
	pthread_cond_init(&wait->changed, &attr);
	pthread_condattr_destroy(&attr);
	return wait;
}

static bool thread_wait(struct thread_wait *wait, int64_t timeout_ns)
{
	struct timespec until;
	clock_gettime(CLOCK_MONOTONIC, &until);
	int64_t at = until.tv_sec * QRT_SEC + until.tv_nsec + timeout_ns;
	until = (struct timespec){.tv_sec = at / QRT_SEC, .tv_nsec = at % QRT_SEC};
	pthread_mutex_lock(&wait->lock);
	int error = 0;
	while (!wait->done && error != ETIMEDOUT) {
		error = pthread_cond_timedwait(&wait->changed, &wait->lock, &until);
	}
	bool done = wait->done;
	pthread_mutex_unlock(&wait->lock);
	return done;
}

enum qrt_err qrt_runtime_call(struct qrt_runtime *rt, int64_t timeout_ns, qrt_task_fn *fn,
			      void *arg, void (*drop)(void *arg))
{
	const struct qrt__call_options opts = {.rt = rt,
					       .caps = QRT_CAP_ALL,
					       .deadline_ns = QRT_NO_DEADLINE,
					       .name = "control call",
					       .site = QRT_SITE};
	if (rt->threadless) { /* nobody would turn it while this thread waits */
		if (drop) {
			drop(arg);
		}
		return QRT_ESTATE;
	}
	struct qrt__call *call = call_new(&opts, fn, arg, drop);
	struct thread_wait *wait = call ? thread_wait_new() : NULL;
	if (!wait) {
		free(call);
		if (drop) {
			drop(arg);
		}
		return QRT_ENOMEM;
	}
	call->thread = wait;
	if (!qrt__post(rt, &call->go, go)) {
		call_unref(call);
		call_unref(call);
		return QRT_ECLOSED;
	}
	enum qrt_err err = QRT_ETIMEDOUT;
	if (thread_wait(wait, timeout_ns)) {
		err = call->result;
	} else {
		ask_to_stop(call);
	}
	call_unref(call);
	return err;
}
