/*
 * The interface of those who start processes: the system, on drivers that can watch a descriptor,
 * or the lab. The shim (shim/src/io/process.c) has the handles, the waits, deadlines and grace.
 *
 *	start ──> qrt__child_ended, once, from the driver's poll or a timer
 *	   └────> leave: killed, reaped in time, and nothing is told any more
 */
#ifndef QRT_BACKENDS_PROCESS_IMPL_H
#define QRT_BACKENDS_PROCESS_IMPL_H

#include <qrt/process.h>

struct qrt_runtime;
struct qrt__child;

struct qrt__process_impl {
	/*
	 * Starts the program of @opts, which has been checked. *ret_state is its own; ret_fd gets
	 * the parent's ends of pipes, which are the caller's, and -1. Errors: of qrt_child_open;
	 * then nothing runs.
	 */
	enum qrt_err (*start)(struct qrt__child *child, const struct qrt_child_options *opts,
			      void **ret_state, int *ret_pid, int ret_fd[QRT_CHILD_ENDS]);
	/* To one that has not been told to have ended. Errors: EINVAL, EACCES. */
	enum qrt_err (*signal)(void *state, int signo);
	/* Kills it and forgets the child: nothing is told any more. It is still reaped. */
	void (*leave)(void *state);
	/* The runtime is being closed: what was left is reaped now. May block, shortly. */
	void (*reap_all)(struct qrt_runtime *rt);
};

/* It has been reaped; the driver has freed its state. */
void qrt__child_ended(struct qrt__child *child, const struct qrt_child_status *status);
struct qrt_runtime *qrt__child_runtime(const struct qrt__child *child);

extern const struct qrt__process_impl qrt__process_posix;
extern const struct qrt__process_impl qrt__process_lab;

#endif
