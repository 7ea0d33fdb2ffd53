/*
 * What the bench programs share: one run of one row, timed. A program is
 * called `PROGRAM ROW N`, does the row's work once, N operations in all, and
 * prints one line:
 *
 *	WALL CPU	ns per operation, of the wall clock and of this process
 *
 * or, for a row of unit "bytes", resident bytes per operation, twice. What is
 * done before bench_go, after bench_halt and between a halt and the next go
 * does not count. Exit 77: the row has no meaning for this program.
 *
 * Needs _GNU_SOURCE. Never prints anything else on stdout, and never judges a figure.
 */
#ifndef QRT_TESTS_BENCH_H
#define QRT_TESTS_BENCH_H

#include <sched.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { BENCH_SKIP = 77 };

/* Sizes that are part of what a row means; the peers in other languages repeat them. */
enum {
	BENCH_FAN = 1000,      /* spawn: tasks alive at a time */
	BENCH_TIMERS = 100000, /* timer-*: live while the operation is done */
	BENCH_HERD = 10000,    /* cancel: tasks of the region */
	BENCH_WARM = 2000,     /* operations before the clock starts; of no row's business */
};

struct bench {
	size_t n; /* operations to do */
	int64_t wall_ns, cpu_ns;
	size_t bytes; /* resident, of all operations together */
	struct timespec wall_at, cpu_at;
};

static inline int64_t bench_since(clockid_t clock, const struct timespec *at)
{
	struct timespec now;
	clock_gettime(clock, &now);
	return (now.tv_sec - at->tv_sec) * INT64_C(1000000000) + now.tv_nsec - at->tv_nsec;
}

static inline void bench_go(struct bench *bench)
{
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &bench->cpu_at);
	clock_gettime(CLOCK_MONOTONIC, &bench->wall_at);
}

static inline void bench_halt(struct bench *bench)
{
	bench->wall_ns += bench_since(CLOCK_MONOTONIC, &bench->wall_at);
	bench->cpu_ns += bench_since(CLOCK_PROCESS_CPUTIME_ID, &bench->cpu_at);
}

/* Bytes of this process that are in memory now. */
static inline size_t bench_resident(void)
{
	size_t size = 0, resident = 0;
	FILE *file = fopen("/proc/self/statm", "r");
	if (file) {
		if (fscanf(file, "%zu %zu", &size, &resident) != 2) {
			resident = 0;
		}
		fclose(file);
	}
	return resident * (size_t)sysconf(_SC_PAGESIZE);
}

/* Prints the figures of a run that is over. */
static inline void bench_print(const struct bench *bench)
{
	double n = (double)bench->n;
	if (bench->bytes) {
		printf("%.1f %.1f\n", (double)bench->bytes / n, (double)bench->bytes / n);
	} else {
		printf("%.3f %.3f\n", (double)bench->wall_ns / n, (double)bench->cpu_ns / n);
	}
	fflush(stdout);
}

/*
 * Keeps the calling thread, and threads it starts from now on, on the first or
 * the last processor of the machine: rows about two threads say which they want,
 * or the kernel puts both on one and takes them apart as it likes.
 */
static inline void bench_pin(bool last)
{
	cpu_set_t set;
	CPU_ZERO(&set);
	CPU_SET(last ? (size_t)sysconf(_SC_NPROCESSORS_CONF) - 1 : 0, &set);
	if (sched_setaffinity(0, sizeof(set), &set)) {
		perror("bench: sched_setaffinity");
	}
}

/* How many of the operations left to do go into the next batch of at most @most. */
static inline size_t bench_batch(size_t left, size_t most)
{
	return left < most ? left : most;
}

/* A cheap sequence of numbers, the same in every run. */
static inline uint64_t bench_random(uint64_t *state)
{
	uint64_t x = *state;
	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return *state = x;
}

/* The compiler must believe that @value is used. */
#define BENCH_KEEP(value) __asm__ volatile("" : : "g"(value) : "memory")

/* --- rows by hand, without a runtime: bench_bare.c ---------------------------------------------
 */

/* Does @row; false when there is no such row by hand. */
bool bench_bare(const char *row, struct bench *bench);

#endif
