/*
 * For gdb.sh: a program with tasks parked in various ways, which then aborts.
 * One runtime runs on the main thread, where it aborts, one on its own, idle.
 */
#include <pthread.h>
#include <qrt/runtime.h>
#include <qrt/sync.h>
#include <sched.h>
#include <stdlib.h>

static struct qrt_mutex *mutex;

static enum qrt_err holder(struct qrt_cx *cx, void *arg)
{
	struct qrt_lease lease;
	(void)arg;
	enum qrt_err err = qrt_mutex_lock(cx, mutex, &lease);
	return err ? err : qrt_sleep(cx, 3600 * QRT_SEC);
}

/* Not inlined: its name is looked for in the backtrace. */
static __attribute__((noinline)) enum qrt_err wants_the_lock(struct qrt_cx *cx)
{
	struct qrt_lease lease;
	enum qrt_err err = qrt_mutex_lock(cx, mutex, &lease);
	return err ? err : qrt_unlock(&lease);
}

static enum qrt_err waiter(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	enum qrt_err err = wants_the_lock(cx);
	return err;
}

/* Alone it runs, in the end, and lets nobody else. */
static enum qrt_err ender(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	for (int i = 0; i < 3; i++) {
		enum qrt_err err = qrt_yield(cx);
		if (err) {
			return err;
		}
	}
	abort();
}

static enum qrt_err fill(struct qrt_cx *cx, void *arg)
{
	const struct qrt_region_options options = {.name = "waiting room", .policy = QRT_COLLECT};
	struct qrt_region *region;
	enum qrt_err err = qrt_mutex_open(cx, &mutex);
	if (!err) {
		err = qrt_region_open_with(cx, &options, &region);
	}
	if (err) {
		return err;
	}
	err = qrt_spawn(region, holder, arg);
	err = err ? err : qrt_yield(cx);
	err = err ? err : qrt_spawn(region, waiter, arg);
	err = err ? err : qrt_spawn(region, ender, arg);
	return qrt_region_close(cx, &region, err);
}

/* Two sleeps, so that the first one is no jump out of here. */
static enum qrt_err idle(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	enum qrt_err err = qrt_sleep(cx, 3600 * QRT_SEC);
	return err ? err : qrt_sleep(cx, 3600 * QRT_SEC);
}

static void *asks_for_idle(void *rt)
{
	QRT_IGNORE(qrt_runtime_call(rt, 3600 * QRT_SEC, idle, NULL, NULL), "the process is gone");
	return NULL;
}

int main(void)
{
	size_t n;
	const char *backend = qrt_backend_names(&n)[0];
	const struct qrt_runtime_options first = {.backend = backend, .name = "first"};
	const struct qrt_runtime_options second = {.backend = backend, .name = "second"};
	struct qrt_runtime *one, *two;
	if (qrt_runtime_open(&first, NULL, &one) || qrt_runtime_open(&second, NULL, &two) ||
	    qrt_runtime_start(two)) {
		return 1;
	}
	/* What it is asked to do it never ends, and neither does the thread that asks. */
	pthread_t thread;
	if (pthread_create(&thread, NULL, asks_for_idle, two)) {
		return 1;
	}
	struct qrt_audit audit = {0};
	while (audit.tasks_live == 0 || qrt_runtime_busy(two, NULL, NULL) > 0) {
		sched_yield();
		qrt_runtime_audit(two, &audit);
	}
	return qrt_run_main(one, fill, NULL) ? 1 : 2;
}
