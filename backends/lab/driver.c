/*
 * The lab driver: a clock that moves only when no task can run, a network and
 * lanes that live on it, and every choice drawn from the seed. Same program,
 * same seed: same execution, step by step.
 *
 * A lab runtime that has been started on its own thread takes work from
 * outside (qrt_runtime_call); then, and only then, it waits for real.
 */
#include "backends/lab/lab.h"

#include <stdlib.h>
#include <string.h>

/* 2026-01-01T00:00:00Z, where the wall clock of every lab stands at first. */
#define EPOCH_MS INT64_C(1767225600000)

enum { JOB_MIN_NS = 1000, JOB_MAX_NS = 2 * 1000 * 1000 };

/* The streams differ in where they start; the mixing makes them unrelated. */
static struct qrt__lab_random stream(uint64_t seed, uint64_t which)
{
	return (struct qrt__lab_random){.state = qrt__lab_mix(qrt__lab_mix(seed) + which)};
}

static enum qrt_err driver_open(struct qrt_runtime *rt, uint64_t seed, char *ret_detail)
{
	(void)ret_detail;
	struct qrt__lab *lab = calloc(1, sizeof(*lab));
	if (!lab) {
		return QRT_ENOMEM;
	}
	lab->rt = rt;
	lab->seed = seed;
	lab->schedule = stream(seed, 1);
	lab->user = stream(seed, 2);
	lab->network = stream(seed, 3);
	lab->lanes = stream(seed, 4);
	qrt__timers_init(&lab->events);
	qrt__list_init(&lab->listeners);
	qrt__list_init(&lab->signal_sets);
	pthread_mutex_init(&lab->wake_lock, NULL);
	pthread_cond_init(&lab->wake_cond, NULL);
	rt->driver_state = lab;
	return QRT_OK;
}

static void driver_close(struct qrt_runtime *rt)
{
	struct qrt__lab *lab = qrt__lab_of(rt);
	size_t leaked_descriptors = qrt__lab_table_fini(lab);
	QRT_ASSERT(leaked_descriptors == 0);
	QRT_ASSERT(lab->conns_live == 0);
	qrt__timers_fini(&lab->events);
	pthread_mutex_destroy(&lab->wake_lock);
	pthread_cond_destroy(&lab->wake_cond);
	free(lab);
	rt->driver_state = NULL;
}

static int64_t driver_now(struct qrt_runtime *rt)
{
	return qrt__lab_of(rt)->now_ns;
}

static int64_t driver_wall_ms(struct qrt_runtime *rt)
{
	return EPOCH_MS + qrt__lab_of(rt)->now_ns / QRT_MS;
}

static void driver_random(struct qrt_runtime *rt, void *buf, size_t n)
{
	struct qrt__lab *lab = qrt__lab_of(rt);
	unsigned char *at = buf;
	while (n > 0) {
		/* Byte by byte, lowest first: the same on every machine. */
		uint64_t word = qrt__lab_next(&lab->user);
		for (size_t i = 0; i < sizeof(word) && n > 0; i++, n--) {
			*at++ = (unsigned char)(word >> (8 * i));
		}
	}
}

static size_t driver_pick(struct qrt_runtime *rt, size_t n)
{
	struct qrt__lab *lab = qrt__lab_of(rt);
	if (lab->seed == 0 || n == 1) {
		return 0;
	}
	return (size_t)qrt__lab_below(&lab->schedule, n);
}

static int64_t driver_job_delay(struct qrt_runtime *rt)
{
	return qrt__lab_between(&qrt__lab_of(rt)->lanes, JOB_MIN_NS, JOB_MAX_NS);
}

static void driver_wake(struct qrt_runtime *rt)
{
	struct qrt__lab *lab = qrt__lab_of(rt);
	pthread_mutex_lock(&lab->wake_lock);
	lab->woken = true;
	pthread_cond_signal(&lab->wake_cond);
	pthread_mutex_unlock(&lab->wake_lock);
}

/* Whether somebody has posted since the last poll; with @wait not before somebody has. */
static bool take_wake(struct qrt__lab *lab, bool wait)
{
	pthread_mutex_lock(&lab->wake_lock);
	while (wait && !lab->woken) {
		pthread_cond_wait(&lab->wake_cond, &lab->wake_lock);
	}
	bool woken = lab->woken;
	lab->woken = false;
	pthread_mutex_unlock(&lab->wake_lock);
	return woken;
}

/* Moves the clock to @at_ns and lets the network do what is due by then. */
static void advance(struct qrt__lab *lab, int64_t at_ns)
{
	QRT_ASSERT(at_ns >= lab->now_ns);
	lab->now_ns = at_ns;
	qrt__trace(lab->rt, QRT__TRACE_CLOCK, (uint64_t)at_ns, 0);
	struct qrt__timer *timer;
	while ((timer = qrt__timers_due(&lab->events, at_ns))) {
		timer->fire(timer);
	}
}

static void driver_poll(struct qrt_runtime *rt, int64_t timeout_ns)
{
	struct qrt__lab *lab = qrt__lab_of(rt);
	bool woken = take_wake(lab, false);
	/* Only under qrt_run_main is the end set from the start, and nobody outside to hear. */
	lab->hosted |= !rt->stopping;
	if (qrt__lab_deliver(lab) || woken || timeout_ns == 0) {
		return;
	}
	int64_t next = qrt__timers_next(&lab->events);
	if (timeout_ns > 0 && timeout_ns < next - lab->now_ns) {
		next = lab->now_ns + timeout_ns;
	}
	if (next != QRT_NO_DEADLINE) {
		advance(lab, next);
		qrt__lab_deliver(lab);
	} else if (lab->hosted) {
		take_wake(lab, true);
	} else {
		qrt__lab_deadlock(lab);
	}
}

const struct qrt__driver qrt__driver_lab = {
    .name = "lab",
    .traced = true,
    .open = driver_open,
    .close = driver_close,
    .now = driver_now,
    .wall_ms = driver_wall_ms,
    .random = driver_random,
    .poll = driver_poll,
    .wake = driver_wake,
    .pick = driver_pick,
    .job_delay = driver_job_delay,
    .net = &qrt__net_lab,
};
