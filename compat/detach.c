/* Fire and forget, kept owned and counted. */
#include "compat/detach.h"

#include <stdlib.h>

#include "shim/src/internal.h"

struct detached {
	qrt_task_fn *fn;
	void *arg;
};

static void count_down(struct qrt_cx *cx, void *arg)
{
	QRT__COUNT(cx->task->rt->detached_live, -1);
	free(arg);
}

static enum qrt_err detached_task(struct qrt_cx *cx, void *arg)
{
	struct detached *self = arg;
	enum qrt_err err = qrt_defer(cx, count_down, self);
	if (err) {
		count_down(cx, self);
		return err;
	}
	/* Nobody waits for its result: a failure is told in the audit, not to a policy. */
	QRT_IGNORE(self->fn(cx, self->arg), "fire and forget");
	return QRT_OK;
}

enum qrt_err qrt_detach_at(struct qrt_region *handle, qrt_task_fn *fn, void *arg, const char *name,
			   const char *site)
{
	struct qrt__region *home = qrt__region_of(handle);
	if (!home) {
		return QRT_ESTALE;
	}
	struct qrt_runtime *rt = home->rt;
	struct detached *self = malloc(sizeof(*self));
	if (!self) {
		return QRT_ENOMEM;
	}
	*self = (struct detached){.fn = fn, .arg = arg};
	struct qrt_task *task;
	enum qrt_err err =
	    qrt__task_spawn(rt->engine->detach_to(home), detached_task, self, name, site, &task);
	if (err) {
		free(self);
		return err;
	}
	task->cx.caps = home->cx.caps; /* wherever it lives, it may do no more than its component */
	QRT__COUNT(rt->detached_live, 1);
	return QRT_OK;
}
