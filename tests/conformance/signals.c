/* Signals as something one waits for: raised in the lab, real ones of this thread elsewhere. */
#include <qrt/lab.h>
#include <qrt/signal.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>

#include "tests/conformance/conformance.h"

struct sets {
	struct qrt_signals *first, *second;
	int signo, raises;
	enum qrt_err result;
};

static void sets_clean(struct qrt_cx *cx, void *arg)
{
	struct sets *sets = arg;
	qrt_signal_close(cx, &sets->first);
	qrt_signal_close(cx, &sets->second);
	/* Real ones that nobody read would reach the next scenario. */
	sigset_t set;
	const struct timespec now = {0};
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGUSR2);
	while (!qrt_in_lab(cx) && sets->raises > 0 && sigtimedwait(&set, NULL, &now) > 0) {
	}
}

static enum qrt_err send_signal(struct qrt_cx *cx, struct sets *sets, int signo)
{
	sets->raises++;
	if (qrt_in_lab(cx)) {
		return qrt_lab_raise(cx, signo);
	}
	return raise(signo) ? QRT_EFAILED : QRT_OK;
}

static enum qrt_err listener(struct qrt_cx *cx, void *arg)
{
	struct sets *sets = arg;
	sets->result = qrt_signal_wait(cx, sets->first, &sets->signo);
	return QRT_OK;
}

static enum qrt_err open_one(struct qrt_cx *cx, struct qrt_signals **ret_set)
{
	const int both[] = {SIGUSR1, SIGUSR2};
	return qrt_signal_open(cx, both, 2, ret_set);
}

static enum qrt_err arrives_scenario(struct qrt_cx *cx, void *arg)
{
	struct sets *sets = arg;
	struct qrt_region *region;
	TRY(open_one(cx, &sets->first));
	TRY(qrt_region_open(cx, QRT_FAIL_FAST, &region));
	TRY(qrt_spawn(region, listener, sets));
	TRY(qrt_yield(cx));
	TRY(send_signal(cx, sets, SIGUSR2));
	TRY(qrt_region_close(cx, &region, QRT_OK));
	EXPECT(!sets->result && sets->signo == SIGUSR2);
	TRY(send_signal(cx, sets, SIGUSR1));
	TRY(qrt_signal_wait(cx, sets->first, &sets->signo)); /* pending already */
	EXPECT(sets->signo == SIGUSR1);
	return QRT_OK;
}

static enum qrt_err every_set_scenario(struct qrt_cx *cx, void *arg)
{
	struct sets *sets = arg;
	TRY(open_one(cx, &sets->first));
	TRY(open_one(cx, &sets->second));
	TRY(send_signal(cx, sets, SIGUSR1));
	TRY(qrt_signal_wait(cx, sets->first, &sets->signo));
	EXPECT(sets->signo == SIGUSR1);
	TRY(qrt_signal_wait(cx, sets->second, &sets->signo));
	EXPECT(sets->signo == SIGUSR1);
	return QRT_OK;
}

static enum qrt_err own_signals_scenario(struct qrt_cx *cx, void *arg)
{
	struct sets *sets = arg;
	const int one[] = {SIGUSR2};
	TRY(open_one(cx, &sets->first));
	TRY(qrt_signal_open(cx, one, 1, &sets->second));
	TRY(send_signal(cx, sets, SIGUSR1));
	TRY(send_signal(cx, sets, SIGUSR2));
	TRY(qrt_signal_wait(cx, sets->second, &sets->signo));
	EXPECT(sets->signo == SIGUSR2);
	TRY(qrt_signal_wait(cx, sets->first, &sets->signo));
	EXPECT(sets->signo == SIGUSR1);
	return QRT_OK;
}

static enum qrt_err cancel_scenario(struct qrt_cx *cx, void *arg)
{
	struct sets *sets = arg;
	struct qrt_region *region;
	TRY(open_one(cx, &sets->first));
	TRY(qrt_region_open(cx, QRT_FAIL_FAST, &region));
	TRY(qrt_spawn(region, listener, sets));
	TRY(qrt_sleep(cx, QRT_MS));
	qrt_region_cancel(region, QRT_CANCEL_USER, "test");
	TRY(qrt_region_close(cx, &region, QRT_OK));
	EXPECT_ERR(QRT_ECANCELED, sets->result);
	/* The set is as good as before. */
	const struct qrt_region_options late = {.budget.deadline_ns = qrt_deadline_in(cx, QRT_MS)};
	TRY(qrt_region_open_with(cx, &late, &region));
	EXPECT_ERR(QRT_ETIMEDOUT,
		   qrt_signal_wait(qrt_region_cx(region), sets->first, &sets->signo));
	TRY(qrt_region_close(cx, &region, QRT_OK));
	TRY(send_signal(cx, sets, SIGUSR1));
	TRY(qrt_signal_wait(cx, sets->first, &sets->signo));
	EXPECT(sets->signo == SIGUSR1);
	return QRT_OK;
}

static enum qrt_err close_scenario(struct qrt_cx *cx, void *arg)
{
	struct sets *sets = arg;
	struct qrt_region *region;
	TRY(open_one(cx, &sets->first));
	TRY(qrt_region_open(cx, QRT_FAIL_FAST, &region));
	TRY(qrt_spawn(region, listener, sets));
	TRY(qrt_sleep(cx, QRT_MS));
	qrt_signal_close(cx, &sets->first);
	TRY(qrt_region_close(cx, &region, QRT_OK));
	EXPECT_ERR(QRT_ECLOSED, sets->result);
	return QRT_OK;
}

static enum qrt_err refused_scenario(struct qrt_cx *cx, void *arg)
{
	struct sets *sets = arg;
	struct qrt_region *region;
	const struct qrt_region_options none = {.caps = QRT_CAP_SPAWN};
	const int bad[] = {12345};
	EXPECT_ERR(QRT_EINVAL, qrt_signal_open(cx, bad, 1, &sets->first));
	EXPECT_ERR(QRT_EINVAL, qrt_signal_open(cx, bad, 0, &sets->first));
	TRY(qrt_region_open_with(cx, &none, &region));
	EXPECT(open_one(qrt_region_cx(region), &sets->first) == QRT_ENOTCAPABLE);
	TRY(qrt_region_close(cx, &region, QRT_OK));
	EXPECT(!sets->first);
	return QRT_OK;
}

#define SETS .state_size = sizeof(struct sets), .clean = sets_clean

static const struct conformance_scenario scenarios[] = {
    {"a signal reaches who waits for it, or who comes later", arrives_scenario, SETS},
    {"a raised signal reaches every set that has it", every_set_scenario, SETS,
     .needs = CONFORMANCE_LAB},
    {"a set hears of its own signals only", own_signals_scenario, SETS},
    {"cancel and deadline end the wait and leave the set usable", cancel_scenario, SETS},
    {"closing the set under a waiter gives it eclosed", close_scenario, SETS},
    {"no such signal, no signals and no capability are refused", refused_scenario, SETS},
};
CONFORMANCE_SUITE(signals, scenarios);
