/*
 * Who waits costs nothing: a runtime with 10,000 parked tasks does not wake by
 * itself, and a cancelled task that refuses to end does not make the loop turn.
 *
 * No clock is asked and nothing sleeps: epoll is watched. Once all tasks are
 * parked each poll must be a long one; it is then ended by a wake of ours, so
 * the turns of the loop can be counted against the wakes.
 */
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "shim/src/internal.h"
#include "tests/lib/backends.h"
#include "tests/lib/test.h"

/* Before the first long poll a loop may look once more for what is ready, but not for ever. */
enum { TASKS = 10000, WAKES = 8, IN_VAIN_MAX = 1000, HANG_SECS = 60 };

/* A scenario's world, also seen by the watch: one loop, one thread. */
static struct {
	struct qrt_runtime *rt;
	struct qrt_region *region;
	struct qrt__event go;
	struct qrt__post end;
	unsigned arrived, expected; /* tasks that are about to park */
	int at_least_ms;	    /* what counts as a long poll */
	unsigned polls, in_vain;    /* long ones; short ones although all are parked */
	int shortest_ms;
	uint64_t turns_before, turns_after;
	bool ended;
} world;

static uint64_t turns(void)
{
	struct qrt_audit audit;
	qrt_runtime_audit(world.rt, &audit);
	return audit.turns;
}

static void end_it(struct qrt_runtime *rt, struct qrt__post *post)
{
	(void)rt;
	(void)post;
	qrt__event_set(&world.go);
	if (world.region) {
		qrt_region_cancel(world.region, QRT_CANCEL_USER, "the test is over");
	}
}

/* Called on the loop's thread, when it is about to wait for @timeout_ms. */
static void watch_poll(int timeout_ms)
{
	if (!world.rt || world.ended || world.arrived < world.expected) {
		return;
	}
	bool is_long = timeout_ms < 0 || timeout_ms >= world.at_least_ms;
	if (is_long) {
		world.turns_before = world.polls == 0 ? turns() : world.turns_before;
		world.polls++;
	} else if (timeout_ms > 0 || world.polls > 0 || ++world.in_vain > IN_VAIN_MAX) {
		world.in_vain = IN_VAIN_MAX + 1;
		world.shortest_ms = timeout_ms;
		world.polls = WAKES + 1;
	}
	if (world.polls > WAKES) {
		world.turns_after = turns();
		world.ended = true; /* and the post ends this poll too */
		if (!qrt__post(world.rt, &world.end, end_it)) {
			QRT_IMPOSSIBLE("the loop ended while tasks waited");
		}
	} else if (is_long) {
		world.rt->driver->wake(world.rt);
	}
}

static int real_epoll(int fd, struct epoll_event *events, int max, int timeout_ms,
		      const sigset_t *mask)
{
	return (int)syscall(SYS_epoll_pwait, fd, events, max, timeout_ms, mask, 8);
}

/* In place of libc's for the libraries of the drivers. */
QRT_API int epoll_wait(int fd, struct epoll_event *events, int max, int timeout_ms)
{
	watch_poll(timeout_ms);
	return real_epoll(fd, events, max, timeout_ms, NULL);
}

QRT_API int epoll_pwait(int fd, struct epoll_event *events, int max, int timeout_ms,
			const sigset_t *mask)
{
	watch_poll(timeout_ms);
	return real_epoll(fd, events, max, timeout_ms, mask);
}

static void world_init(unsigned expected, int at_least_ms)
{
	memset(&world, 0, sizeof(world));
	qrt__event_init(&world.go);
	world.expected = expected;
	world.at_least_ms = at_least_ms;
}

static void check(const char *backend)
{
	if (world.in_vain > IN_VAIN_MAX) {
		fail_msg("%s: polled for %d ms although nothing was to be done", backend,
			 world.shortest_ms);
	}
	/* Nobody polled through epoll: then nothing has been seen. */
	assert_true(world.ended);
	assert_int_equal(world.polls, WAKES + 1);
	/* One turn per wake of ours, and none besides. */
	assert_int_equal(world.turns_after - world.turns_before, WAKES);
}

/* Runs @scenario on each backend that waits for real. */
static void on_real_backends(qrt_task_fn *scenario, unsigned expected, int at_least_ms)
{
	size_t n, seen = 0;
	const char *const *names = qrt_backend_names(&n);
	for (size_t i = 0; i < n; i++) {
		if (strncmp(names[i], "lab", 3) == 0) {
			continue;
		}
		world_init(expected, at_least_ms);
		assert_int_equal(on_backend(names[i], scenario, NULL), QRT_OK);
		check(names[i]);
		seen++;
	}
	assert_true(seen > 0);
}

static enum qrt_err sleeper(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	world.arrived++;
	return qrt_sleep(cx, 3600 * QRT_SEC);
}

static enum qrt_err waiter(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	world.arrived++;
	return qrt__event_wait(cx, &world.go, QRT_NO_DEADLINE);
}

static enum qrt_err idle_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct qrt_region *region;
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &region));
	for (int i = 0; i < TASKS; i++) {
		EXPECT(!qrt_spawn(region, i % 2 ? sleeper : waiter, NULL));
	}
	world.region = region;
	world.rt = qrt_cx_runtime(cx);
	enum qrt_err err = qrt_region_close(cx, &region, QRT_OK);
	world.rt = NULL;
	EXPECT(err == QRT_ECANCELED); /* the sleepers were */
	return QRT_OK;
}

static void ten_thousand_parked_tasks_do_not_wake_the_loop(void **state)
{
	(void)state;
	/* libevent never polls for longer than 35 minutes. */
	on_real_backends(idle_scenario, TASKS, 30 * 60 * 1000);
}

static enum qrt_err stubborn(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	world.arrived++;
	qrt__event_wait_masked(cx, &world.go); /* no cancel reaches it here */
	return QRT_OK;
}

static enum qrt_err stubborn_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct qrt_region *region;
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &region));
	EXPECT(!qrt_spawn(region, stubborn, NULL));
	EXPECT(!qrt_yield(cx));
	EXPECT(world.arrived == 1);
	qrt_region_cancel(region, QRT_CANCEL_USER, "test");
	world.rt = qrt_cx_runtime(cx);
	enum qrt_err err = qrt_region_close(cx, &region, QRT_OK);
	world.rt = NULL;
	EXPECT(!err || err == QRT_ECANCELED);
	return QRT_OK;
}

static void a_cancelled_task_that_does_not_end_does_not_turn_the_loop(void **state)
{
	(void)state;
	/* Until its cleanup budget is spent there may be one timer, of seconds. */
	on_real_backends(stubborn_scenario, 1, 1000);
}

int main(void)
{
	alarm(HANG_SECS); /* rather killed than waiting for the sleepers */
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(ten_thousand_parked_tasks_do_not_wake_the_loop),
	    cmocka_unit_test(a_cancelled_task_that_does_not_end_does_not_turn_the_loop),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
