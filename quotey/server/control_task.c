/* Work of a control thread on a runtime. */
#include "quotey/server/control_task.h"

#include <stdlib.h>

enum qrt_err qy_control_task_run(struct qrt_runtime *rt, int64_t timeout_ns, qrt_task_fn *fn,
				 struct qy_control_task *task)
{
	/* One for the caller, one for the task. */
	atomic_store(&task->holders, 2);
	return qrt_runtime_call(rt, timeout_ns, fn, task, qy_control_task_drop);
}

void qy_control_task_drop(void *arg)
{
	struct qy_control_task *task = arg;

	if (atomic_fetch_sub(&task->holders, 1) > 1) {
		return;
	}
	if (task->fini != NULL) {
		task->fini(task);
	}
	free(task);
}
