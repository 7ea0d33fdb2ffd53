/*
 * A piece of work that a control thread has done on a runtime, with a result that both may look
 * at: the thread can give up waiting while the task goes on, so the memory belongs to both.
 */
#ifndef QY_SERVER_CONTROL_TASK_H
#define QY_SERVER_CONTROL_TASK_H

#include <stdatomic.h>

#include <qrt/runtime.h>

/* First member of a calloc'd struct. */
struct qy_control_task {
	_Atomic int holders;
	void (*fini)(struct qy_control_task *task); /* may be NULL; frees what the struct holds */
};

/*
 * Runs @fn with @task on @rt and waits at most @timeout_ns. QRT_OK: it ended, and its results are
 * the caller's to read. Any other: it may still run; nothing of it may be read. Either way the
 * caller ends with qy_control_task_drop. @fn returns QRT_OK: its own result goes into the struct.
 */
enum qrt_err qy_control_task_run(struct qrt_runtime *rt, int64_t timeout_ns, qrt_task_fn *fn,
				 struct qy_control_task *task) QRT_MUST_USE;

/* Gives up one hold; the last one frees. */
void qy_control_task_drop(void *task);

#endif
