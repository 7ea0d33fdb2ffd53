/*
 * What the kernel tells about another process: for judging a server from
 * outside. Figures of threads that have ended are lost to it.
 */
#ifndef TESTS_BENCH_PROC_H
#define TESTS_BENCH_PROC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct proc_figures {
	size_t fds;
	size_t resident; /* bytes */
	size_t threads;
	int64_t cpu_ns;	  /* of all threads */
	uint64_t wakeups; /* voluntary context switches: each ended in a wake-up */
};

/* False: there is no such process, or it is not ours to see. */
bool proc_look(pid_t pid, struct proc_figures *ret_figures);
/* Only the number of open descriptors; 0: as above. */
size_t proc_fds(pid_t pid);
/* Raises this process' own limit of descriptors; false: not to so many. */
bool proc_allow_fds(size_t n);

#endif
