/*
 * The watchdog: it names who keeps the loop, leaves the others in peace, and
 * sleeps while there is nothing to watch.
 */
#include "shim/src/loop/watchdog.h"

#include <qrt/runtime.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "shim/src/internal.h"
#include "tests/lib/backends.h"
#include "tests/lib/test.h"

struct seen {
	_Atomic unsigned reports, firsts;
	_Atomic(const char *) task, site;
	_Atomic int64_t held_ns;
	_Atomic(const char *) runtime;
};

static void on_stall(void *arg, const struct qrt_stall *stall)
{
	struct seen *seen = arg;
	atomic_store(&seen->runtime, stall->runtime);
	atomic_store(&seen->task, stall->task);
	atomic_store(&seen->site, stall->site);
	atomic_store(&seen->held_ns, stall->held_ns);
	atomic_fetch_add(&seen->firsts, stall->reports == 1);
	atomic_fetch_add(&seen->reports, 1);
}

static struct qrt_runtime *open_watched(const char *backend, int64_t stall_ns, struct seen *seen)
{
	const struct qrt_runtime_options options = {.backend = backend,
						    .name = "watched",
						    .on_stall = on_stall,
						    .stall_arg = seen,
						    .stall_ns = stall_ns};
	struct qrt_runtime *rt;
	*seen = (struct seen){0};
	assert_int_equal(qrt_runtime_open(&options, NULL, &rt), QRT_OK);
	return rt;
}

static uint64_t stalls(const struct qrt_runtime *rt)
{
	struct qrt_audit audit;
	qrt_runtime_audit(rt, &audit);
	return audit.stalls;
}

/* Runs @test once per backend that has a real clock. */
static void on_each_real(void (*test)(const char *backend))
{
	size_t n;
	const char *const *names = real_backends(&n);
	assert_true(n > 0);
	for (size_t i = 0; i < n; i++) {
		test(names[i]);
	}
}

/* --- a task that keeps the loop ----------------------------------------------------------------
 */

struct hog {
	struct seen *seen;
	unsigned until; /* so many reports */
};

static enum qrt_err hog_main(struct qrt_cx *cx, void *arg)
{
	const struct hog *hog = arg;
	(void)cx;
	while (atomic_load(&hog->seen->reports) < hog->until) {
		sched_yield();
	}
	return QRT_OK;
}

static enum qrt_err one_hog(struct qrt_cx *cx, void *arg)
{
	struct qrt_region *region;
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &region));
	EXPECT(!qrt_spawn(region, hog_main, arg));
	return qrt_region_close(cx, &region, QRT_OK);
}

static void is_named(const char *backend)
{
	struct seen seen;
	struct qrt_runtime *rt = open_watched(backend, 20 * QRT_MS, &seen);
	struct hog hog = {.seen = &seen, .until = 3};
	assert_int_equal(qrt_run_main(rt, one_hog, &hog), QRT_OK);
	assert_string_equal(atomic_load(&seen.runtime), "watched");
	assert_string_equal(atomic_load(&seen.task), "hog_main");
	assert_non_null(strstr(atomic_load(&seen.site), "test_watchdog.c:"));
	/* Told at 20 ms, at twice that, and at twice that again. */
	assert_true(atomic_load(&seen.held_ns) >= 80 * QRT_MS);
	assert_int_equal(atomic_load(&seen.firsts), 1);
	assert_int_equal(stalls(rt), 1);
	/* Another one is another stall. */
	hog.until = 4;
	assert_int_equal(qrt_run_main(rt, one_hog, &hog), QRT_OK);
	assert_int_equal(atomic_load(&seen.firsts), 2);
	assert_int_equal(stalls(rt), 2);
	assert_true(atomic_load(&seen.held_ns) >= 20 * QRT_MS);
	qrt_runtime_close(&rt);
}

static void a_task_that_keeps_the_loop_is_named_and_counted_once(void **state)
{
	(void)state;
	on_each_real(is_named);
}

/* --- work of the loop itself -------------------------------------------------------------------
 */

struct slow_post {
	struct qrt__post post;
	struct seen *seen;
};

static void slow_post(struct qrt_runtime *rt, struct qrt__post *post)
{
	struct slow_post *slow = QRT__CONTAINER(post, struct slow_post, post);
	(void)rt;
	while (atomic_load(&slow->seen->reports) < 1) {
		sched_yield();
	}
}

static enum qrt_err posts(struct qrt_cx *cx, void *arg)
{
	struct slow_post *slow = arg;
	EXPECT(qrt__post(cx->task->rt, &slow->post, slow_post));
	return qrt_sleep(cx, 1);
}

static void is_the_loops(const char *backend)
{
	struct seen seen;
	struct qrt_runtime *rt = open_watched(backend, 20 * QRT_MS, &seen);
	struct slow_post slow = {.seen = &seen};
	atomic_store(&seen.task, "nobody has said");
	assert_int_equal(qrt_run_main(rt, posts, &slow), QRT_OK);
	assert_null(atomic_load(&seen.task));
	assert_null(atomic_load(&seen.site));
	assert_int_equal(stalls(rt), 1);
	qrt_runtime_close(&rt);
}

static void no_task_is_blamed_for_the_loops_own_work(void **state)
{
	(void)state;
	on_each_real(is_the_loops);
}

/* --- many tasks that take turns ----------------------------------------------------------------
 */

enum { FAIR = 16 };

/* Each runs until it has been looked at, together far longer than a stall. */
static enum qrt_err looked_at(struct qrt_cx *cx, void *arg)
{
	const struct qrt__watchdog *dog = cx->task->rt->watchdog;
	uint64_t before = atomic_load(&dog->looks);
	(void)arg;
	while (atomic_load(&dog->looks) == before) {
		sched_yield();
	}
	return QRT_OK;
}

static enum qrt_err take_turns(struct qrt_cx *cx, void *arg)
{
	struct qrt_region *region;
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &region));
	for (int i = 0; i < FAIR; i++) {
		EXPECT(!qrt_spawn(region, looked_at, arg));
	}
	EXPECT(!qrt_region_close(cx, &region, QRT_OK));
	return qrt_sleep(cx, 1); /* beyond the end of that turn */
}

static void is_in_peace(const char *backend)
{
	struct seen seen;
	struct qrt_runtime *rt = open_watched(backend, 200 * QRT_MS, &seen);
	assert_int_equal(qrt_run_main(rt, take_turns, NULL), QRT_OK);
	struct qrt_audit audit;
	qrt_runtime_audit(rt, &audit);
	/* One turn of the loop, longer than a stall, and yet nobody kept it. */
	assert_true(audit.lag_max_ns > 400 * (uint64_t)QRT_MS);
	assert_int_equal(atomic_load(&seen.reports), 0);
	assert_int_equal(audit.stalls, 0);
	qrt_runtime_close(&rt);
}

static void tasks_that_take_turns_are_left_in_peace(void **state)
{
	(void)state;
	on_each_real(is_in_peace);
}

/* --- sleep -------------------------------------------------------------------------------------
 */

static void wait_until_asleep(const struct qrt_runtime *rt)
{
	while (atomic_load(&rt->watchdog->state) != QRT__DOG_SLEEPS) {
		sched_yield();
	}
}

/* While the watchdog of a busy runtime looks again and again, that of @idle does not. */
static void sleeps_on(const char *backend, const struct qrt_runtime *idle)
{
	struct seen seen;
	struct qrt_runtime *busy = open_watched(backend, idle->stall_ns, &seen);
	struct hog hog = {.seen = &seen, .until = 4};
	uint64_t looks = atomic_load(&idle->watchdog->looks);
	assert_int_equal(qrt_run_main(busy, one_hog, &hog), QRT_OK);
	assert_true(atomic_load(&busy->watchdog->looks) >= 8);
	assert_true(atomic_load(&idle->watchdog->looks) == looks);
	qrt_runtime_close(&busy);
}

static enum qrt_err nothing(struct qrt_cx *cx, void *arg)
{
	(void)cx;
	(void)arg;
	return QRT_OK;
}

static void sleeps_and_wakes(const char *backend)
{
	struct seen seen;
	struct qrt_runtime *rt = open_watched(backend, 20 * QRT_MS, &seen);
	struct hog hog = {.seen = &seen, .until = 1};
	assert_int_equal(qrt_runtime_start(rt), QRT_OK);
	for (unsigned i = 1; i <= 3; i++) {
		wait_until_asleep(rt);
		/* It sleeps without a time limit: only the loop can make it look again. */
		uint64_t looks = atomic_load(&rt->watchdog->looks);
		assert_true(atomic_load(&rt->watchdog->wants_poke));
		assert_int_equal(qrt_runtime_call(rt, 60 * QRT_SEC, nothing, NULL, NULL), QRT_OK);
		while (atomic_load(&rt->watchdog->looks) == looks) {
			sched_yield();
		}
		/* Asleep again, and it still notices. */
		wait_until_asleep(rt);
		hog.until = i;
		assert_int_equal(qrt_runtime_call(rt, 60 * QRT_SEC, hog_main, &hog, NULL), QRT_OK);
		assert_int_equal(atomic_load(&seen.reports), i);
		assert_string_equal(atomic_load(&seen.task), "control call");
	}
	wait_until_asleep(rt);
	sleeps_on(backend, rt);
	assert_int_equal(qrt_shutdown(rt, 60 * QRT_SEC), QRT_OK);
	qrt_runtime_close(&rt);
}

static void it_sleeps_while_the_loop_does_and_wakes_with_it(void **state)
{
	(void)state;
	on_each_real(sleeps_and_wakes);
}

/* --- whether there is one ----------------------------------------------------------------------
 */

static void only_those_who_ask_are_watched(void **state)
{
	struct qrt_runtime_options options = {.backend = "lab", .on_stall = on_stall};
	struct qrt_runtime *rt;
	size_t n;
	(void)state;
	assert_int_equal(qrt_runtime_open(&options, NULL, &rt), QRT_OK);
	assert_null(rt->watchdog);
	qrt_runtime_close(&rt);
	options = (struct qrt_runtime_options){.backend = qrt_backend_names(&n)[0]};
	assert_int_equal(qrt_runtime_open(&options, NULL, &rt), QRT_OK);
	assert_null(rt->watchdog);
	assert_true(rt->stall_ns == QRT_SEC);
	qrt_runtime_close(&rt);
}

static void a_time_below_zero_is_refused(void **state)
{
	const struct qrt_runtime_options options = {.backend = "lab", .stall_ns = -5};
	struct qrt_runtime *rt = NULL;
	char detail[256];
	(void)state;
	assert_int_equal(qrt_runtime_open(&options, detail, &rt), QRT_EINVAL);
	assert_string_equal(detail, "a stall of -5 ns");
	assert_null(rt);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_task_that_keeps_the_loop_is_named_and_counted_once),
	    cmocka_unit_test(no_task_is_blamed_for_the_loops_own_work),
	    cmocka_unit_test(tasks_that_take_turns_are_left_in_peace),
	    cmocka_unit_test(it_sleeps_while_the_loop_does_and_wakes_with_it),
	    cmocka_unit_test(only_those_who_ask_are_watched),
	    cmocka_unit_test(a_time_below_zero_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
