/*
 * Child processes: handles, waits, the way from SIGTERM to SIGKILL. Who runs
 * them is behind backends/process_impl.h. A child that was started is waited
 * for until it is gone, by its user or by the driver.
 *
 *	running ──> asked (SIGTERM) ──> killed (SIGKILL) ──> ended
 *	   └──────────┴──────────────────────────────────────^
 */
#include <qrt/process.h>

#include <signal.h>

#include "backends/process_impl.h"
#include "shim/src/internal.h"

#define CHILD_MAGIC 0x71724e32u
#define CLOSED_MAGIC 0x71724e33u

enum state { RUNNING, ASKED, KILLED, ENDED };

struct qrt__child {
	struct qrt__slot slot;
	struct qrt_duty duty;
	struct qrt_runtime *rt;
	const struct qrt__process_impl *impl;
	void *impl_state; /* until it has ended */
	enum state state;
	bool closed;	/* freed when its last user is gone */
	unsigned users; /* tasks inside a wait for it, resumed or not */
	int pid;
	struct qrt__wait *waiter;
	struct qrt_child_status status;
	struct qrt_stream *stream[QRT_CHILD_ENDS];
	struct qrt__timer timer; /* of the next step on the way to its end */
	int64_t grace_ns;
};
_Static_assert(sizeof(struct qrt__child) <= QRT__SLOT_ALIGN, "a child fits a slot");

struct qrt_runtime *qrt__child_runtime(const struct qrt__child *child)
{
	return child->rt;
}

static void child_free(struct qrt__child *child)
{
	qrt__pool_give(&child->rt->objects, child);
}

static void move(struct qrt__child *child, enum state to)
{
	QRT_ASSERT(to > child->state);
	qrt__trace(child->rt, QRT__TRACE_IO, CHILD_MAGIC, to);
	child->state = to;
}

static void wake(struct qrt__child *child, enum qrt_err result)
{
	struct qrt__wait *wait = child->waiter;
	if (wait) {
		child->waiter = NULL;
		qrt__unpark(wait, result);
	}
}

/* --- its end --------------------------------------------------------------------------------- */

void qrt__child_ended(struct qrt__child *child, const struct qrt_child_status *status)
{
	move(child, ENDED);
	child->status = *status;
	child->impl_state = NULL;
	qrt__timer_stop(&child->rt->timers, &child->timer);
	wake(child, QRT_OK);
}

static void send_signal(struct qrt__child *child, int signo)
{
	QRT_IGNORE(child->impl->signal(child->impl_state, signo),
		   "one that may not be signalled any more can only be waited for");
}

/* SIGTERM now, SIGKILL when the grace is over. */
static void ask(struct qrt__child *child)
{
	move(child, ASKED);
	send_signal(child, SIGTERM);
	qrt__timer_start(&child->rt->timers, &child->timer, qrt__now(child->rt) + child->grace_ns);
}

static void step_due(struct qrt__timer *timer)
{
	struct qrt__child *child = QRT__CONTAINER(timer, struct qrt__child, timer);
	if (child->state == RUNNING) {
		ask(child);
	} else if (child->state == ASKED) {
		move(child, KILLED);
		send_signal(child, SIGKILL);
	}
}

static void shut(void *arg)
{
	struct qrt__child *child = arg;
	child->closed = true;
	child->slot.magic = CLOSED_MAGIC;
	qrt__timer_stop(&child->rt->timers, &child->timer);
	if (child->impl_state) {
		child->impl->leave(child->impl_state);
	}
	for (int i = 0; i < QRT_CHILD_ENDS; i++) {
		qrt_stream_close(NULL, &child->stream[i]);
	}
	wake(child, QRT_ECLOSED);
	if (child->users == 0) {
		child_free(child);
	}
}

static void destroy(struct qrt__child *child)
{
	QRT_IGNORE(qrt_settle(&child->duty), "the ledger itself may be closing it");
	shut(child);
}

/* --- its beginning --------------------------------------------------------------------------- */

/* Whether @strings up to NULL are within what is left of @bytes. */
static bool strings_fit(const char *const *strings, size_t *bytes)
{
	for (size_t i = 0; strings && strings[i]; i++) {
		size_t n = strnlen(strings[i], *bytes) + 1;
		if (i == QRT_CHILD_STRINGS_MAX || n > *bytes) {
			return false;
		}
		*bytes -= n;
	}
	return true;
}

static enum qrt_err options_check(struct qrt_cx *cx, const struct qrt_child_options *opts)
{
	size_t bytes = QRT_CHILD_BYTES_MAX;
	if (!opts->path || !*opts->path || (opts->argv && !opts->argv[0])) {
		return qrt_fail(cx, QRT_EINVAL, "child process: no program, or no argv[0]");
	}
	if (!strings_fit(opts->argv, &bytes) || !strings_fit(opts->env, &bytes)) {
		return qrt_fail(cx, QRT_EINVAL,
				"child process %s: more than %d strings or %zu bytes", opts->path,
				QRT_CHILD_STRINGS_MAX, QRT_CHILD_BYTES_MAX);
	}
	for (size_t i = 0; opts->env && opts->env[i]; i++) {
		if (!strchr(opts->env[i], '=') || opts->env[i][0] == '=') {
			return qrt_fail(cx, QRT_EINVAL,
					"child process %s: env string %zu is not NAME=value",
					opts->path, i + 1);
		}
	}
	for (int i = 0; i < QRT_CHILD_ENDS; i++) {
		if ((unsigned)opts->mode[i] > QRT_CHILD_INHERIT) {
			return qrt_fail(cx, QRT_EINVAL, "child process %s: mode %d", opts->path, i);
		}
	}
	if (opts->grace_ns < 0 || opts->deadline_ns < 0) {
		return qrt_fail(cx, QRT_EINVAL, "child process %s: a time below 0", opts->path);
	}
	return QRT_OK;
}

/* The parent's ends become streams; those that cannot are closed. */
static enum qrt_err adopt_ends(struct qrt_cx *cx, struct qrt__child *child,
			       const int fd[QRT_CHILD_ENDS], const char *site)
{
	enum qrt_err err = QRT_OK;
	for (int i = 0; i < QRT_CHILD_ENDS; i++) {
		if (fd[i] >= 0 && err) {
			child->rt->driver->net->close_fd(child->rt, fd[i]);
		} else if (fd[i] >= 0) {
			err = qrt_stream_adopt_at(cx, fd[i], site, &child->stream[i]);
		}
	}
	return err;
}

static enum qrt_err child_new(struct qrt_cx *cx, const struct qrt_child_options *opts,
			      struct qrt__child **ret_child)
{
	struct qrt_runtime *rt = cx->task->rt;
	struct qrt__child *child = qrt__pool_take(&rt->objects, CHILD_MAGIC);
	if (!child) {
		return QRT_ENOMEM;
	}
	child->rt = rt;
	child->impl = rt->driver->process;
	child->grace_ns = opts->grace_ns ? opts->grace_ns : 5 * QRT_SEC;
	qrt__timer_init(&child->timer, step_due);
	*ret_child = child;
	return QRT_OK;
}

enum qrt_err qrt_child_open_at(struct qrt_cx *cx, const struct qrt_child_options *opts,
			       const char *site, struct qrt_child **ret_child)
{
	bool pipes = opts->mode[QRT_CHILD_IN] == QRT_CHILD_PIPE ||
		     opts->mode[QRT_CHILD_OUT] == QRT_CHILD_PIPE ||
		     opts->mode[QRT_CHILD_ERR] == QRT_CHILD_PIPE;
	struct qrt__child *child = NULL;
	int fd[QRT_CHILD_ENDS] = {-1, -1, -1};
	enum qrt_err err = qrt_cx_require(cx, QRT_CAP_PROCESS | (pipes ? QRT_CAP_NET : 0u));
	err = err ? err : options_check(cx, opts);
	if (!err) {
		err = qrt_checkpoint(cx);
	}
	if (!err) {
		err = child_new(cx, opts, &child);
	}
	if (!err) {
		err = child->impl->start(child, opts, &child->impl_state, &child->pid, fd);
		if (err) {
			child_free(child);
			return qrt_fail(cx, err, "child process %s: %s", opts->path,
					qrt_err_text(err));
		}
	}
	if (err) {
		return err;
	}
	err = adopt_ends(cx, child, fd, site);
	if (!err) {
		/* After those of its streams, so that it is released before them. */
		err = qrt_oblige_at(cx, QRT_DUTY_OTHER, "child process", shut, child, site,
				    &child->duty);
	}
	if (err) {
		shut(child);
		return err;
	}
	if (opts->deadline_ns > 0 && child->state == RUNNING) {
		qrt__timer_start(&child->rt->timers, &child->timer, opts->deadline_ns);
	}
	*ret_child = qrt__handle(child);
	return QRT_OK;
}

/* --- what is done with it -------------------------------------------------------------------- */

static enum qrt_err child_find(struct qrt_cx *cx, const struct qrt_child *handle,
			       struct qrt__child **ret_child)
{
	enum qrt_err err = qrt_cx_require(cx, QRT_CAP_PROCESS);
	err = err ? err : qrt__is_running(cx);
	if (err) {
		return err;
	}
	struct qrt__child *child = qrt__handle_object(handle, CHILD_MAGIC);
	if (!child) {
		return qrt_fail(cx, QRT_ESTALE, "the child process has been closed");
	}
	if (child->rt != cx->task->rt) {
		return qrt_fail(cx, QRT_EINVAL, "the child process is one of runtime %s",
				child->rt->name);
	}
	*ret_child = child;
	return QRT_OK;
}

struct waiter {
	struct qrt__wait wait;
	struct qrt__child *child;
};

static void waiter_abort(struct qrt__wait *wait, enum qrt_err why)
{
	QRT__CONTAINER(wait, struct waiter, wait)->child->waiter = NULL;
	qrt__unpark(wait, why);
}

static enum qrt_err await_end(struct qrt_cx *cx, struct qrt__child *child,
			      struct qrt_child_status *ret_status)
{
	enum qrt_err err = QRT_OK;
	if (child->state != ENDED) {
		struct waiter waiter = {.child = child};
		if (child->waiter) {
			return qrt_fail(cx, QRT_EBUSY, "another task waits for this child process");
		}
		err = qrt__may_suspend(cx);
		if (err) {
			return err;
		}
		qrt__wait_init(&waiter.wait, cx, QRT__WAIT_CHILD, NULL, waiter_abort);
		child->waiter = &waiter.wait;
		child->users++;
		err = qrt__park(cx, &waiter.wait, QRT_NO_DEADLINE);
		child->users--;
	}
	if (child->closed) {
		if (child->users == 0) {
			child_free(child);
		}
		return QRT_ECLOSED;
	}
	if (!err) {
		*ret_status = child->status;
	}
	return err;
}

struct qrt_stream *qrt_child_stream(const struct qrt_child *handle, enum qrt_child_end end)
{
	const struct qrt__child *child = qrt__handle_object(handle, CHILD_MAGIC);
	return child && (unsigned)end < QRT_CHILD_ENDS ? child->stream[end] : NULL;
}

int qrt_child_pid(const struct qrt_child *handle)
{
	const struct qrt__child *child = qrt__handle_object(handle, CHILD_MAGIC);
	return child ? child->pid : 0;
}

enum qrt_err qrt_child_wait(struct qrt_cx *cx, struct qrt_child *handle,
			    struct qrt_child_status *ret_status)
{
	struct qrt__child *child;
	enum qrt_err err = child_find(cx, handle, &child);
	err = err ? err : qrt_checkpoint(cx);
	return err ? err : await_end(cx, child, ret_status);
}

enum qrt_err qrt_child_signal(struct qrt_cx *cx, struct qrt_child *handle, int signo)
{
	struct qrt__child *child;
	enum qrt_err err = child_find(cx, handle, &child);
	if (err) {
		return err;
	}
	if (signo < 1 || signo > SIGRTMAX) {
		return qrt_fail(cx, QRT_EINVAL, "signal %d", signo);
	}
	return child->impl_state ? child->impl->signal(child->impl_state, signo) : QRT_OK;
}

enum qrt_err qrt_child_stop(struct qrt_cx *cx, struct qrt_child *handle,
			    struct qrt_child_status *ret_status)
{
	struct qrt__child *child;
	enum qrt_err err = child_find(cx, handle, &child);
	if (!err && child->state != ENDED) {
		err = qrt__may_suspend(cx);
	}
	if (err) {
		return err;
	}
	if (child->state == RUNNING) {
		ask(child);
	}
	/* It dies of SIGKILL at the latest. */
	qrt__shield(cx);
	err = await_end(cx, child, ret_status);
	qrt__unshield(cx);
	return err;
}

void qrt_child_close(struct qrt_cx *cx, struct qrt_child **handle)
{
	(void)cx;
	struct qrt__child *child = qrt__handle_object(*handle, CHILD_MAGIC);
	if (child) {
		destroy(child);
	}
	*handle = NULL;
}
