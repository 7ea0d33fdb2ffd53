/* Instances: start, resume, drain and stop of a component, on its own runtime's loop. */
#include "shim/src/switch/instance.h"

#include <stdio.h>
#include <string.h>

/* What a command may take beyond its deadline before the caller leaves a wedged loop alone. */
#define COMMAND_GRACE (500 * QRT_MS)
#define MEMORY_PAUSE (10 * QRT_MS)

void qrt__instance_init(struct qrt__instance *instance, const struct qrt_component *component,
			void *env, const char *backend, struct qrt_runtime *rt)
{
	memset(instance, 0, sizeof(*instance));
	instance->component = component;
	instance->env = env;
	instance->backend = backend;
	instance->rt = rt;
	qrt__event_init(&instance->decided);
	qrt__event_init(&instance->stop);
	qrt__event_init(&instance->stopped);
	qrt__event_init(&instance->idle);
}

static void decide(struct qrt_cx *cx, struct qrt__instance *instance, enum qrt_err err)
{
	instance->start_err = err;
	snprintf(instance->start_detail, sizeof(instance->start_detail), "%s", qrt_detail(cx));
	if (!err) {
		atomic_store(&instance->phase, QRT__WARM);
	}
	qrt__event_set(&instance->decided);
}

/* However the resident ends, also in a panic of start or stop: nobody waits for it in vain. */
static void resident_end(struct qrt_cx *cx, void *arg)
{
	struct qrt__instance *instance = arg;
	if (!instance->decided.set) {
		decide(cx, instance, QRT_EPANIC);
	}
	atomic_store(&instance->phase, QRT__COLD);
	qrt__event_set(&instance->stopped);
}

/* The resident: holds the home region from start to stop. */
static enum qrt_err resident(struct qrt_cx *cx, void *arg)
{
	struct qrt__instance *instance = arg;
	const struct qrt_component *component = instance->component;
	const struct qrt_region_options opts = {
	    .name = component->name, .policy = QRT_COLLECT, .caps = component->caps};
	struct qrt_region *home;
	enum qrt_err err = qrt_defer(cx, resident_end, instance);
	if (err) {
		decide(cx, instance, err);
		resident_end(cx, instance);
		return QRT_OK;
	}
	err = qrt_region_open_with(cx, &opts, &home);
	if (err) {
		decide(cx, instance, err);
		return QRT_OK;
	}
	instance->home = home;
	err = component->start(qrt_region_cx(home), home, instance->env, &instance->state);
	if (err) {
		qrt_region_cancel(home, QRT_CANCEL_USER, "the start failed");
		QRT_IGNORE(qrt_region_close(cx, &home, QRT_OK), "the start's error counts");
		decide(cx, instance, err);
		return QRT_OK;
	}
	decide(cx, instance, QRT_OK);
	/* Cancelled instead: shutdown came before stop. The same ending, but nobody drained. */
	QRT_IGNORE(qrt__event_wait(cx, &instance->stop, QRT_NO_DEADLINE), "either way it ends");
	qrt__shield(cx);
	component->stop(qrt_region_cx(home), instance->state);
	qrt__unshield(cx);
	QRT_IGNORE(qrt_region_close(cx, &home, QRT_OK), "handlers answered for themselves");
	return QRT_OK;
}

static enum qrt_err start_task(struct qrt_cx *cx, void *arg)
{
	struct qrt__instance *instance = arg;
	struct qrt_runtime *rt = instance->rt;
	qrt__event_clear(&instance->decided);
	qrt__event_clear(&instance->stop);
	qrt__event_clear(&instance->stopped);
	enum qrt_err err = qrt__task_spawn(rt->root, resident, instance, instance->component->name,
					   QRT_SITE, &instance->resident);
	if (err) {
		atomic_store(&instance->phase, QRT__COLD);
		return err;
	}
	err = qrt__event_wait(cx, &instance->decided, QRT_NO_DEADLINE);
	if (err) {
		/* Too late: whatever comes of it is undone. */
		qrt__cancel_task(instance->resident, QRT_CANCEL_DEADLINE, "prepare was late");
		qrt__event_wait_masked(cx, &instance->decided);
		qrt__event_set(&instance->stop);
		return err;
	}
	return instance->start_err ? qrt_fail(cx, instance->start_err, "%s", instance->start_detail)
				   : QRT_OK;
}

static qrt_task_fn stop_task;

static enum qrt_err command(struct qrt_cx *cx, struct qrt__instance *instance, qrt_task_fn *fn,
			    int64_t deadline_ns, const char *name)
{
	/* In the home region, so that the instance owns it; start and stop make and end that. */
	bool at_home = fn != start_task && fn != stop_task;
	int64_t leave_ns = deadline_ns < QRT_NO_DEADLINE - COMMAND_GRACE
			       ? deadline_ns + COMMAND_GRACE
			       : QRT_NO_DEADLINE;
	const struct qrt__call_options opts = {.rt = instance->rt,
					       .region = at_home ? instance->home : NULL,
					       .caps = QRT_CAP_ALL,
					       .abandon = true,
					       .deadline_ns = deadline_ns,
					       .leave_ns = leave_ns,
					       .name = name,
					       .site = QRT_SITE};
	enum qrt_err err = qrt__call(cx, &opts, fn, instance, NULL);
	/* Who must stop does not go on because there was no memory for a moment. */
	while (err == QRT_ENOMEM && fn == stop_task && qrt__now(cx->task->rt) < deadline_ns) {
		err = qrt_sleep(cx, MEMORY_PAUSE);
		err = err ? err : qrt__call(cx, &opts, fn, instance, NULL);
	}
	if (err == QRT_ETIMEDOUT && qrt__now(cx->task->rt) >= leave_ns) {
		return qrt_fail(cx, err, "%s: loop %s does not answer", name, instance->rt->name);
	}
	return err;
}

enum qrt_err qrt__instance_start(struct qrt_cx *cx, struct qrt__instance *instance,
				 int64_t deadline_ns)
{
	int cold = QRT__COLD;
	if (!atomic_compare_exchange_strong(&instance->phase, &cold, QRT__STARTING)) {
		return cold == QRT__STARTING
			   ? qrt_fail(cx, QRT_EBUSY, "an earlier start has not ended yet")
			   : QRT_OK;
	}
	return command(cx, instance, start_task, deadline_ns, "component start");
}

static enum qrt_err resume_task(struct qrt_cx *cx, void *arg)
{
	struct qrt__instance *instance = arg;
	atomic_store(&instance->draining, false);
	cx->caps = instance->component->caps;
	enum qrt_err err = QRT_OK;
	if (instance->component->resume) {
		err = instance->component->resume(cx, instance->state);
	}
	if (!err) {
		atomic_store(&instance->phase, QRT__ACTIVE);
	}
	return err;
}

enum qrt_err qrt__instance_resume(struct qrt_cx *cx, struct qrt__instance *instance,
				  int64_t deadline_ns)
{
	return command(cx, instance, resume_task, deadline_ns, "component resume");
}

static enum qrt_err wait_for_messages(struct qrt_cx *cx, struct qrt__instance *instance)
{
	enum qrt_err err = QRT_OK;
	while (!err) {
		qrt__event_clear(&instance->idle);
		if (atomic_load(&instance->messages) == 0) {
			break;
		}
		err = qrt__event_wait(cx, &instance->idle, QRT_NO_DEADLINE);
	}
	return err;
}

static enum qrt_err drain_task(struct qrt_cx *cx, void *arg)
{
	struct qrt__instance *instance = arg;
	atomic_store(&instance->draining, true);
	cx->caps = instance->component->caps;
	enum qrt_err err = QRT_OK;
	if (instance->component->drain) {
		err = instance->component->drain(cx, instance->state);
	}
	if (!err) {
		err = wait_for_messages(cx, instance);
	}
	if (atomic_load(&instance->phase) == QRT__ACTIVE) {
		atomic_store(&instance->phase, QRT__WARM);
	}
	return err;
}

enum qrt_err qrt__instance_drain(struct qrt_cx *cx, struct qrt__instance *instance,
				 int64_t deadline_ns)
{
	return command(cx, instance, drain_task, deadline_ns, "component drain");
}

static enum qrt_err stop_task(struct qrt_cx *cx, void *arg)
{
	struct qrt__instance *instance = arg;
	qrt__event_set(&instance->stop);
	return qrt__event_wait(cx, &instance->stopped, QRT_NO_DEADLINE);
}

enum qrt_err qrt__instance_stop(struct qrt_cx *cx, struct qrt__instance *instance,
				int64_t deadline_ns)
{
	if (atomic_load(&instance->phase) < QRT__WARM) {
		return QRT_OK;
	}
	return command(cx, instance, stop_task, deadline_ns, "component stop");
}

size_t qrt__instance_in_flight(struct qrt__instance *instance)
{
	size_t n = atomic_load(&instance->messages);
	if (instance->component->in_flight && atomic_load(&instance->phase) >= QRT__WARM) {
		n += instance->component->in_flight(instance->state);
	}
	return n;
}

size_t qrt__instance_figures(struct qrt__instance *instance, struct qrt_figure *figures,
			     size_t n_max)
{
	if (!instance->component->figures || atomic_load(&instance->phase) < QRT__WARM) {
		return 0;
	}
	return instance->component->figures(instance->state, figures, n_max);
}

void qrt__instance_enter(struct qrt__instance *instance)
{
	atomic_fetch_add(&instance->messages, 1);
}

static void on_idle(struct qrt_runtime *rt, struct qrt__post *post)
{
	(void)rt;
	struct qrt__instance *instance = QRT__CONTAINER(post, struct qrt__instance, idle_post);
	atomic_store(&instance->idle_posted, false);
	qrt__event_set(&instance->idle);
}

void qrt__instance_leave(struct qrt__instance *instance)
{
	bool last = atomic_fetch_sub(&instance->messages, 1) == 1;
	if (last && atomic_load(&instance->draining) &&
	    !atomic_exchange(&instance->idle_posted, true)) {
		QRT_IGNORE(qrt__post(instance->rt, &instance->idle_post, on_idle),
			   "a loop that has ended waits for nothing");
	}
}
