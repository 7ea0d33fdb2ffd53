/* Blocking work: results, the queue's bound, cancel of a queued and of a running job, close. */
#include <pthread.h>
#include <qrt/lab.h>
#include <qrt/lane.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "tests/conformance/conformance.h"

enum { JOBS = 4 };

struct work;

struct job {
	struct work *work;
	int number, ran;
	enum qrt_err result;
	char detail[64];
};

/* A gate that jobs wait at, so that one stays running for as long as a scenario wants. */
struct work {
	struct qrt_lane *lane;
	struct job job[JOBS];
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool made, open, inside, interrupted, closing;
	_Atomic int done;
};

static void gate_open(struct work *work, bool interrupted)
{
	pthread_mutex_lock(&work->lock);
	work->open = true;
	work->interrupted |= interrupted;
	pthread_cond_broadcast(&work->changed);
	pthread_mutex_unlock(&work->lock);
}

static void work_init(struct work *work)
{
	pthread_mutex_init(&work->lock, NULL);
	pthread_cond_init(&work->changed, NULL);
	work->made = true;
	for (int i = 0; i < JOBS; i++) {
		work->job[i].work = work;
		work->job[i].number = i;
	}
}

static void work_clean(struct qrt_cx *cx, void *arg)
{
	struct work *work = arg;
	if (!work->made) {
		return;
	}
	gate_open(work, false);
	qrt_lane_close(cx, &work->lane);
	pthread_mutex_destroy(&work->lock);
	pthread_cond_destroy(&work->changed);
}

static enum qrt_err succeed(struct qrt_job *job, void *arg)
{
	struct job *self = arg;
	(void)job;
	self->ran++;
	atomic_fetch_add(&self->work->done, 1);
	return QRT_OK;
}

static enum qrt_err fail(struct qrt_job *job, void *arg)
{
	struct job *self = arg;
	self->ran++;
	return qrt_job_fail(job, QRT_ECORRUPT, "page %d is torn", self->number);
}

static void interrupt(void *arg)
{
	gate_open(arg, true);
}

/* Blocks until the gate is opened, by the scenario or by the interrupt. */
static enum qrt_err wait_at_gate(struct qrt_job *job, void *arg)
{
	struct job *self = arg;
	struct work *work = self->work;
	qrt_job_on_interrupt(job, interrupt, work);
	pthread_mutex_lock(&work->lock);
	work->inside = true;
	while (!work->open) {
		pthread_cond_wait(&work->changed, &work->lock);
	}
	pthread_mutex_unlock(&work->lock);
	qrt_job_on_interrupt(job, NULL, NULL);
	self->ran++;
	enum qrt_err err = qrt_job_checkpoint(job);
	return err ? qrt_job_fail(job, err, "left at the gate") : QRT_OK;
}

static enum qrt_err run_job(struct qrt_cx *cx, struct job *self, qrt_job_fn *fn)
{
	self->result = qrt_blocking(cx, self->work->lane, fn, self);
	snprintf(self->detail, sizeof(self->detail), "%s", qrt_detail(cx));
	return QRT_OK;
}

static enum qrt_err ask(struct qrt_cx *cx, void *arg)
{
	return run_job(cx, arg, succeed);
}

static enum qrt_err ask_gate(struct qrt_cx *cx, void *arg)
{
	return run_job(cx, arg, wait_at_gate);
}

static bool is_inside(struct work *work)
{
	pthread_mutex_lock(&work->lock);
	bool inside = work->inside;
	pthread_mutex_unlock(&work->lock);
	return inside;
}

/* Occupies the lane's one thread. */
static enum qrt_err occupy(struct qrt_cx *cx, struct work *work, struct qrt_region *region)
{
	TRY(qrt_spawn(region, ask_gate, &work->job[0]));
	while (!is_inside(work)) {
		TRY(qrt_yield(cx));
		TRY(work->job[0].result); /* it could not even be queued */
	}
	return QRT_OK;
}

/* Until @depth jobs are queued or run; the order of ready tasks is not ours. */
static enum qrt_err until_depth(struct qrt_cx *cx, struct work *work, size_t depth)
{
	while (qrt_lane_depth(work->lane) < depth) {
		TRY(qrt_yield(cx));
		for (int i = 0; i < JOBS; i++) {
			TRY(work->job[i].result);
		}
	}
	return QRT_OK;
}

static enum qrt_err result_scenario(struct qrt_cx *cx, void *arg)
{
	struct work *work = arg;
	work_init(work);
	TRY(qrt_lane_open(cx, "work", 2, 2, &work->lane));
	TRY(qrt_blocking(cx, work->lane, succeed, &work->job[0]));
	EXPECT(work->job[0].ran == 1);
	work->job[1].number = 7;
	EXPECT_ERR(QRT_ECORRUPT, qrt_blocking(cx, work->lane, fail, &work->job[1]));
	EXPECT(strcmp(qrt_detail(cx), "page 7 is torn") == 0);
	EXPECT(qrt_lane_depth(work->lane) == 0);
	qrt_lane_close(cx, &work->lane);
	EXPECT(!work->lane);
	return QRT_OK;
}

static enum qrt_err side_by_side_scenario(struct qrt_cx *cx, void *arg)
{
	struct work *work = arg;
	struct qrt_region *region;
	work_init(work);
	TRY(qrt_lane_open(cx, "work", 2, JOBS, &work->lane));
	TRY(qrt_region_open(cx, QRT_FAIL_FAST, &region));
	for (int i = 0; i < JOBS; i++) {
		TRY(qrt_spawn(region, ask, &work->job[i]));
	}
	TRY(qrt_region_close(cx, &region, QRT_OK));
	for (int i = 0; i < JOBS; i++) {
		TRY(work->job[i].result);
		EXPECT(work->job[i].ran == 1);
	}
	EXPECT(atomic_load(&work->done) == JOBS);
	return QRT_OK;
}

static enum qrt_err full_scenario(struct qrt_cx *cx, void *arg)
{
	struct work *work = arg;
	struct qrt_region *region;
	work_init(work);
	TRY(qrt_lane_open(cx, "work", 1, 2, &work->lane));
	TRY(qrt_region_open(cx, QRT_COLLECT, &region));
	/* One that runs (in the lab: one that is queued) and as many as the queue takes. */
	size_t queued = 2;
	if (!qrt_in_lab(cx)) {
		TRY(occupy(cx, work, region));
	}
	for (size_t i = 1; i <= queued; i++) {
		TRY(qrt_spawn(region, ask, &work->job[i]));
	}
	TRY(until_depth(cx, work, queued + !qrt_in_lab(cx)));
	EXPECT_ERR(QRT_ELIMIT, qrt_blocking(cx, work->lane, succeed, &work->job[3]));
	EXPECT(strcmp(qrt_detail(cx), "lane work: its queue of 2 is full") == 0);
	EXPECT(work->job[3].ran == 0);
	gate_open(work, false);
	TRY(qrt_region_close(cx, &region, QRT_OK));
	EXPECT(!work->job[0].result && !work->job[1].result && !work->job[2].result);
	EXPECT(work->job[1].ran == 1 && work->job[2].ran == 1);
	return QRT_OK;
}

/* The queued job is taken back; the one that runs is not touched. */
static enum qrt_err queued_cancel_scenario(struct qrt_cx *cx, void *arg)
{
	struct work *work = arg;
	struct qrt_region *outer, *inner;
	work_init(work);
	TRY(qrt_lane_open(cx, "work", 1, 2, &work->lane));
	TRY(qrt_region_open(cx, QRT_COLLECT, &outer));
	if (!qrt_in_lab(cx)) {
		TRY(occupy(cx, work, outer));
	}
	TRY(qrt_region_open(cx, QRT_COLLECT, &inner));
	TRY(qrt_spawn(inner, ask, &work->job[1]));
	TRY(until_depth(cx, work, 1u + !qrt_in_lab(cx)));
	qrt_region_cancel(inner, QRT_CANCEL_USER, "test");
	TRY(qrt_region_close(cx, &inner, QRT_OK));
	EXPECT_ERR(QRT_ECANCELED, work->job[1].result);
	EXPECT(work->job[1].ran == 0);
	EXPECT(strcmp(work->job[1].detail, "lane work: cancelled") == 0);
	gate_open(work, false);
	TRY(qrt_region_close(cx, &outer, QRT_OK));
	TRY(work->job[0].result);
	EXPECT(!work->interrupted);
	return QRT_OK;
}

/* The running job hears of it and ends; its caller gets what it returned. */
static enum qrt_err running_cancel_scenario(struct qrt_cx *cx, void *arg)
{
	struct work *work = arg;
	struct qrt_region *region;
	if (qrt_in_lab(cx)) {
		return QRT_OK; /* a job there takes no time: it cannot be met running */
	}
	work_init(work);
	TRY(qrt_lane_open(cx, "work", 1, 2, &work->lane));
	TRY(qrt_region_open(cx, QRT_COLLECT, &region));
	TRY(occupy(cx, work, region));
	qrt_region_cancel(region, QRT_CANCEL_USER, "test");
	TRY(qrt_region_close(cx, &region, QRT_OK));
	EXPECT(work->interrupted && work->job[0].ran == 1);
	EXPECT_ERR(QRT_ECANCELED, work->job[0].result);
	EXPECT(strcmp(work->job[0].detail, "left at the gate") == 0);
	TRY(qrt_blocking(cx, work->lane, succeed, &work->job[1])); /* the lane is whole */
	return QRT_OK;
}

static enum qrt_err queue_deadline_scenario(struct qrt_cx *cx, void *arg)
{
	struct work *work = arg;
	struct qrt_region *region;
	work_init(work);
	TRY(qrt_lane_open(cx, "work", 1, 2, &work->lane));
	TRY(qrt_region_open(cx, QRT_COLLECT, &region));
	if (!qrt_in_lab(cx)) {
		TRY(occupy(cx, work, region));
	}
	EXPECT_ERR(QRT_EBUSY, qrt_blocking_within(cx, work->lane, qrt_deadline_in(cx, 0), succeed,
						  &work->job[1]));
	EXPECT(work->job[1].ran == 0);
	const struct qrt_region_options late = {.budget.deadline_ns = qrt_deadline_in(cx, 1)};
	struct qrt_region *inner;
	TRY(qrt_region_open_with(cx, &late, &inner));
	EXPECT_ERR(QRT_ETIMEDOUT,
		   qrt_blocking(qrt_region_cx(inner), work->lane, succeed, &work->job[1]));
	TRY(qrt_region_close(cx, &inner, QRT_OK));
	gate_open(work, false);
	TRY(qrt_region_close(cx, &region, QRT_OK));
	TRY(qrt_blocking(cx, work->lane, succeed, &work->job[1]));
	EXPECT(work->job[1].ran == 1);
	return QRT_OK;
}

static enum qrt_err close_lane(struct qrt_cx *cx, void *arg)
{
	struct work *work = arg;
	work->closing = true;
	qrt_lane_close(cx, &work->lane);
	return QRT_OK;
}

static enum qrt_err close_scenario(struct qrt_cx *cx, void *arg)
{
	struct work *work = arg;
	struct qrt_region *region;
	work_init(work);
	TRY(qrt_lane_open(cx, "work", 1, 2, &work->lane));
	TRY(qrt_region_open(cx, QRT_COLLECT, &region));
	if (!qrt_in_lab(cx)) {
		TRY(occupy(cx, work, region));
	}
	TRY(qrt_spawn(region, ask, &work->job[1]));
	TRY(until_depth(cx, work, 1u + !qrt_in_lab(cx)));
	TRY(qrt_spawn(region, close_lane, work));
	while (!work->closing) {
		TRY(qrt_yield(cx));
	}
	EXPECT(work->lane); /* it waits for the jobs inside */
	EXPECT_ERR(QRT_ECLOSED, qrt_blocking(cx, work->lane, succeed, &work->job[2]));
	gate_open(work, false);
	TRY(qrt_region_close(cx, &region, QRT_OK));
	EXPECT(!work->lane);
	TRY(work->job[1].result);
	EXPECT(work->job[1].ran == 1);
	return QRT_OK;
}

static enum qrt_err refused_scenario(struct qrt_cx *cx, void *arg)
{
	struct work *work = arg;
	struct qrt_region *region;
	const struct qrt_region_options none = {.caps = QRT_CAP_SPAWN};
	EXPECT_ERR(QRT_EINVAL, qrt_lane_open(cx, "none", 0, 1, &work->lane));
	EXPECT_ERR(QRT_EINVAL, qrt_lane_open(cx, "many", 65, 1, &work->lane));
	EXPECT_ERR(QRT_EINVAL, qrt_lane_open(cx, "short", 1, 0, &work->lane));
	EXPECT(strcmp(qrt_detail(cx), "lane short: 1 threads, queue of 0") == 0);
	TRY(qrt_region_open_with(cx, &none, &region));
	EXPECT(qrt_lane_open(qrt_region_cx(region), "x", 1, 1, &work->lane) == QRT_ENOTCAPABLE);
	TRY(qrt_region_close(cx, &region, QRT_OK));
	EXPECT(!work->lane);
	return QRT_OK;
}

#define WORK .state_size = sizeof(struct work), .clean = work_clean

static const struct conformance_scenario scenarios[] = {
    {"a job's result and detail are its caller's", result_scenario, WORK},
    {"each of several jobs runs once", side_by_side_scenario, WORK},
    {"a full queue is a limit, and nothing of the job runs", full_scenario, WORK},
    {"a queued job is taken back by a cancel", queued_cancel_scenario, WORK},
    {"a running job is interrupted and waited for", running_cancel_scenario, WORK},
    {"too long in the queue is busy, too late is a deadline", queue_deadline_scenario, WORK},
    {"closing a lane waits for the jobs inside and refuses new ones", close_scenario, WORK},
    {"no threads, no queue and no capability are refused", refused_scenario, WORK},
};
CONFORMANCE_SUITE(lanes, scenarios);
