/* The capability context: authority, deadline, clock, randomness, error detail. */
#include "shim/src/internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *const cap_names[] = {"spawn", "time",   "net",     "db",    "blocking", "random",
					"trace", "signal", "process", "admin", "call"};

uint32_t qrt_cx_caps(const struct qrt_cx *cx)
{
	return cx->caps;
}

int64_t qrt_cx_deadline(const struct qrt_cx *cx)
{
	return cx->deadline_ns;
}

struct qrt_runtime *qrt_cx_runtime(const struct qrt_cx *cx)
{
	return cx->task->rt;
}

int64_t qrt_deadline_in(const struct qrt_cx *cx, int64_t ns)
{
	int64_t now = qrt__now(cx->task->rt);
	return ns >= QRT_NO_DEADLINE - now ? QRT_NO_DEADLINE : now + ns;
}

enum qrt_err qrt_cx_require(struct qrt_cx *cx, uint32_t caps)
{
	uint32_t missing = caps & ~cx->caps;
	if (__builtin_expect(!missing, 1)) {
		return QRT_OK;
	}
	QRT__COUNT(cx->task->rt->not_capable, 1);
	qrt__trace_named(cx->task->rt, QRT__TRACE_DENIED, cx->task->id, missing,
			 cap_names[__builtin_ctz(missing)], cx->task->site);
	return qrt_fail(cx, QRT_ENOTCAPABLE, "task %s lacks capability %s", cx->task->name,
			cap_names[__builtin_ctz(missing)]);
}

enum qrt_err qrt_checkpoint(struct qrt_cx *cx)
{
	struct qrt_task *task = cx->task;
	if (__builtin_expect(--cx->meter->polls < 0, 0)) {
		qrt__budget_spent(cx);
	}
	if (__builtin_expect(task->watched, 0)) {
		task->rt->observer.checkpoint(task->rt->observer.arg, cx);
	}
	if (__builtin_expect(task->asked && !QRT__MUTANT(CHECKPOINT_DEAF), 0)) {
		enum qrt_err err = qrt__cancel_refuse(task);
		if (err) {
			return err;
		}
	}
	if (cx->deadline_ns != QRT_NO_DEADLINE && !task->masks &&
	    cx->deadline_ns <= qrt__now(task->rt)) {
		return QRT_ETIMEDOUT;
	}
	return QRT_OK;
}

enum qrt_err qrt__is_running(const struct qrt_cx *cx)
{
	struct qrt_runtime *rt = cx->task->rt;
	/* No detail from a foreign thread: the task's memory is not ours there. */
	if (!qrt__on_thread_of(rt)) {
		return QRT_ETHREAD;
	}
	return rt->current == cx->task ? QRT_OK : QRT_ESTATE;
}

enum qrt_err qrt__may_suspend(struct qrt_cx *cx)
{
	enum qrt_err err = qrt__is_running(cx);
	if (!err && cx->task->finalizing) {
		err = qrt_fail(cx, QRT_ENOSUSPEND, "task %s is in a finalizer", cx->task->name);
	}
	return err;
}

enum qrt_err qrt__suspending_slowly(struct qrt_cx *cx)
{
	enum qrt_err err = qrt__may_suspend(cx);
	return err ? err : qrt_checkpoint(cx);
}

enum qrt_err qrt_yield(struct qrt_cx *cx)
{
	enum qrt_err err = qrt__suspending(cx);
	if (err) {
		return err;
	}
	struct qrt_task *task = cx->task;
	qrt__trace(task->rt, QRT__TRACE_YIELD, task->id, 0);
	qrt__make_ready(task, QRT__LANE_READY + QRT_PRIORITY_MAX - task->priority);
	qrt__switch_away(task->rt, task, false);
	return QRT_OK;
}

static void sleep_abort(struct qrt__wait *wait, enum qrt_err why)
{
	qrt__unpark(wait, why);
}

enum qrt_err qrt_sleep_until(struct qrt_cx *cx, int64_t until_ns)
{
	enum qrt_err err = qrt_cx_require(cx, QRT_CAP_TIME);
	if (!err) {
		err = qrt__suspending(cx);
	}
	if (err) {
		return err;
	}
	struct qrt__wait wait;
	qrt__wait_init(&wait, cx, QRT__WAIT_SLEEP, NULL, sleep_abort);
	err = qrt__park(cx, &wait, until_ns);
	/* The end of the sleep, a passed deadline and a cancel for one look the same to park. */
	bool slept = until_ns <= cx->deadline_ns || cx->task->masks;
	bool cancelled = until_ns > qrt__now(cx->task->rt);
	return err == QRT_ETIMEDOUT && slept && !cancelled ? QRT_OK : err;
}

enum qrt_err qrt_sleep(struct qrt_cx *cx, int64_t ns)
{
	return qrt_sleep_until(cx, qrt_deadline_in(cx, ns));
}

enum qrt_err qrt_now(struct qrt_cx *cx, int64_t *ret_ns)
{
	enum qrt_err err = qrt_cx_require(cx, QRT_CAP_TIME);
	if (!err) {
		*ret_ns = qrt__now(cx->task->rt);
	}
	return err;
}

enum qrt_err qrt_wall_ms(struct qrt_cx *cx, int64_t *ret_ms)
{
	enum qrt_err err = qrt_cx_require(cx, QRT_CAP_TIME);
	if (!err) {
		*ret_ms = cx->task->rt->driver->wall_ms(cx->task->rt);
	}
	return err;
}

enum qrt_err qrt_random(struct qrt_cx *cx, void *buf, size_t n)
{
	enum qrt_err err = qrt_cx_require(cx, QRT_CAP_RANDOM);
	if (!err) {
		cx->task->rt->driver->random(cx->task->rt, buf, n);
	}
	return err;
}

struct qrt_cx *qrt_cx_narrow(struct qrt_cx *cx, uint32_t caps)
{
	struct qrt_cx *narrow = qrt__region_alloc(cx->region, sizeof(*narrow));
	if (narrow) {
		*narrow = *cx;
		narrow->caps &= caps;
	}
	return narrow;
}

enum qrt_err qrt_fail(struct qrt_cx *cx, enum qrt_err err, const char *fmt, ...)
{
	/* By way of a copy: the old detail may be among the arguments. */
	char text[QRT__DETAIL_MAX];
	va_list args;
	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	memcpy(cx->task->detail, text, sizeof(text));
	return err;
}

enum qrt_err qrt_prefix(struct qrt_cx *cx, enum qrt_err err, const char *what)
{
	const char *detail = cx->task->detail[0] ? cx->task->detail : qrt_err_text(err);
	return qrt_fail(cx, err, "%s: %s", what, detail);
}

const char *qrt_detail(const struct qrt_cx *cx)
{
	return cx->task->detail;
}
