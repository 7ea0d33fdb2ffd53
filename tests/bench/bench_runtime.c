/*
 * The runtime's basic costs, in ns, per backend: what a switch, a yield, a
 * spawn with join, a region and a checkpoint cost. Best of several rounds, as
 * the machine is noisy and noise only adds.
 */
#include <qrt/region.h>
#include <qrt/runtime.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "shim/src/fiber.h"

enum { ROUNDS = 9, N = 200000, FAN = 1000 };

static int64_t now_ns(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * QRT_SEC + ts.tv_nsec;
}

static double best;

static void keep(int64_t begun, int64_t n)
{
	double each = (double)(now_ns() - begun) / (double)n;
	if (best == 0 || each < best) {
		best = each;
	}
}

static void print(const char *backend, const char *what)
{
	printf("%-12s %-44s %8.1f ns\n", backend, what, best);
	best = 0;
}

/* --- bare fibers ----------------------------------------------------------------------------- */

static struct qrt__fiber loop_fiber, other_fiber;

static void bounce(void *arg)
{
	(void)arg;
	qrt__fiber_entered(&other_fiber);
	for (;;) {
		qrt__fiber_switch(&other_fiber, &loop_fiber, false);
	}
}

static void bench_switch(void)
{
	struct qrt__stack_pool *pool;
	struct qrt__stack *stack;
	if (qrt__stack_pool_create(65536, &pool) || qrt__stack_get(pool, &stack)) {
		return;
	}
	qrt__fiber_init_thread(&loop_fiber);
	if (qrt__fiber_init(&other_fiber, stack, 0, bounce, NULL)) {
		return;
	}
	for (int round = 0; round < ROUNDS; round++) {
		int64_t begun = now_ns();
		for (int i = 0; i < N; i++) {
			qrt__fiber_switch(&loop_fiber, &other_fiber, false);
		}
		keep(begun, 2 * N);
	}
	print("-", "fiber switch");
	qrt__fiber_fini(&other_fiber);
	qrt__fiber_fini_thread(&loop_fiber);
	qrt__stack_put(pool, stack);
	qrt__stack_pool_destroy(&pool);
}

/* --- through the scheduler ---------------------------------------------------------------------
 */

static enum qrt_err nothing(struct qrt_cx *cx, void *arg)
{
	(void)cx;
	(void)arg;
	return QRT_OK;
}

static enum qrt_err yielder(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	enum qrt_err err = QRT_OK;
	for (int i = 0; i < N && !err; i++) {
		err = qrt_yield(cx);
	}
	return err;
}

static enum qrt_err yields(struct qrt_cx *cx)
{
	struct qrt_region *region;
	enum qrt_err err = qrt_region_open(cx, QRT_FAIL_FAST, &region);
	if (err) {
		return err;
	}
	err = qrt_spawn(region, yielder, NULL);
	if (!err) {
		err = qrt_spawn(region, yielder, NULL);
	}
	return qrt_region_close(cx, &region, err);
}

static enum qrt_err spawns(struct qrt_cx *cx, int fan)
{
	struct qrt_region *region;
	enum qrt_err err = qrt_region_open(cx, QRT_FAIL_FAST, &region);
	if (err) {
		return err;
	}
	for (int i = 0; i < fan && !err; i++) {
		err = qrt_spawn(region, nothing, NULL);
	}
	return qrt_region_close(cx, &region, err);
}

static enum qrt_err bench_tasks(struct qrt_cx *cx, void *arg)
{
	const char *backend = arg;
	enum qrt_err err = QRT_OK;
	for (int round = 0; round < ROUNDS && !err; round++) {
		int64_t begun = now_ns();
		err = yields(cx);
		keep(begun, 2 * N);
	}
	print(backend, "yield through the scheduler");
	for (int round = 0; round < ROUNDS && !err; round++) {
		int64_t begun = now_ns();
		for (int i = 0; i < N / FAN && !err; i++) {
			err = spawns(cx, FAN);
		}
		keep(begun, N);
	}
	print(backend, "spawn + join, 1000 at a time");
	for (int round = 0; round < ROUNDS && !err; round++) {
		int64_t begun = now_ns();
		for (int i = 0; i < N && !err; i++) {
			err = spawns(cx, 1);
		}
		keep(begun, N);
	}
	print(backend, "region open + spawn + join + close");
	for (int round = 0; round < ROUNDS && !err; round++) {
		int64_t begun = now_ns();
		for (int i = 0; i < N && !err; i++) {
			err = spawns(cx, 0);
		}
		keep(begun, N);
	}
	print(backend, "region open + close, empty");
	for (int round = 0; round < ROUNDS && !err; round++) {
		int64_t begun = now_ns();
		for (int i = 0; i < N && !err; i++) {
			err = qrt_checkpoint(cx);
		}
		keep(begun, N);
	}
	print(backend, "checkpoint");
	return err;
}

int main(void)
{
	bench_switch();
	size_t n;
	const char *const *names = qrt_backend_names(&n);
	for (size_t i = 0; i < n; i++) {
		const struct qrt_runtime_options opts = {.backend = names[i]};
		struct qrt_runtime *rt;
		if (strncmp(names[i], "lab", 3) == 0) {
			continue; /* it measures virtual time */
		}
		if (qrt_runtime_open(&opts, NULL, &rt)) {
			return 1;
		}
		enum qrt_err err = qrt_run_main(rt, bench_tasks, (void *)(uintptr_t)names[i]);
		qrt_runtime_close(&rt);
		if (err) {
			return 1;
		}
	}
	return 0;
}
