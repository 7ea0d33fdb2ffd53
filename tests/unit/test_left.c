/*
 * Lane jobs that may be left: a forced task does not wait for a job that will not end, the job
 * keeps what it needs, everybody can see it, and its argument is dropped exactly once.
 */
#include <pthread.h>
#include <qrt/lab.h>
#include <qrt/lane.h>
#include <qrt/ledger.h>
#include <qrt/region.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/backends.h"
#include "tests/lib/test.h"

/* What the job uses. Outlives the asker; dropped by the job's side, freed by the scenario. */
struct work {
	_Atomic int refs; /* to prove that the job's share is what is dropped */
	_Atomic int begun, ended, told, drops;
	pthread_t dropped_on;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool open, opens_when_told;
};

struct scene {
	struct qrt_lane *lane;
	struct qrt_region *region;
	struct work *work;
	struct qrt_job_options opts;
	enum qrt_err err;
	int drops; /* by the time the call returned */
	bool returned;
	char detail[128];
};

static struct qrt_audit audit_of(struct qrt_cx *cx)
{
	struct qrt_audit audit;
	qrt_runtime_audit(qrt_cx_runtime(cx), &audit);
	return audit;
}

static void gate_open(struct work *work)
{
	pthread_mutex_lock(&work->lock);
	work->open = true;
	pthread_cond_broadcast(&work->changed);
	pthread_mutex_unlock(&work->lock);
}

static void drop(void *arg)
{
	struct work *work = arg;
	work->dropped_on = pthread_self();
	atomic_fetch_add(&work->drops, 1);
	atomic_fetch_sub(&work->refs, 1);
}

static struct work *work_new(void)
{
	struct work *work = calloc(1, sizeof(*work));
	if (work) {
		atomic_init(&work->refs, 2);
		pthread_mutex_init(&work->lock, NULL);
		pthread_cond_init(&work->changed, NULL);
	}
	return work;
}

static enum qrt_err work_free(struct work *work)
{
	EXPECT(atomic_load(&work->drops) == 1 && atomic_load(&work->refs) == 1);
	EXPECT(pthread_equal(work->dropped_on, pthread_self()));
	pthread_mutex_destroy(&work->lock);
	pthread_cond_destroy(&work->changed);
	free(work);
	return QRT_OK;
}

static void told(void *arg)
{
	struct work *work = arg;
	atomic_fetch_add(&work->told, 1);
	if (work->opens_when_told) {
		gate_open(work);
	}
}

/* Waits for the gate; in the lab a job runs on the loop and cannot wait. */
static enum qrt_err gated(struct qrt_job *job, void *arg)
{
	struct work *work = arg;
	qrt_job_on_interrupt(job, told, work);
	atomic_store(&work->begun, 1);
	pthread_mutex_lock(&work->lock);
	while (!work->open) {
		pthread_cond_wait(&work->changed, &work->lock);
	}
	pthread_mutex_unlock(&work->lock);
	atomic_store(&work->ended, 1);
	return qrt_job_fail(job, QRT_ECORRUPT, "page 7 is torn");
}

static enum qrt_err ask(struct qrt_cx *cx, void *arg)
{
	struct scene *scene = arg;
	scene->err = qrt_blocking_detachable(cx, scene->lane, &scene->opts, gated, scene->work);
	scene->drops = atomic_load(&scene->work->drops);
	scene->returned = true;
	strncpy(scene->detail, qrt_detail(cx), sizeof(scene->detail) - 1);
	return scene->err;
}

static enum qrt_err until_begun(struct qrt_cx *cx, struct work *work)
{
	while (!atomic_load(&work->begun)) {
		EXPECT(!qrt_sleep(cx, 100)); /* the lab's clock must move, but in small steps */
	}
	return QRT_OK;
}

/* A lane, and a task whose job runs on it behind the gate. */
static enum qrt_err begin(struct qrt_cx *cx, int64_t cleanup_ns, int64_t grace_ns,
			  struct scene *scene)
{
	const struct qrt_region_options opts = {.policy = QRT_COLLECT, .cleanup_ns = cleanup_ns};
	*scene = (struct scene){.opts = {.drop = drop, .grace_ns = grace_ns}};
	scene->work = work_new();
	EXPECT(scene->work);
	scene->work->open = qrt_in_lab(cx);
	EXPECT(!qrt_lane_open(cx, "work", 1, 4, &scene->lane));
	EXPECT(!qrt_region_open_with(cx, &opts, &scene->region));
	EXPECT(!qrt_spawn(scene->region, ask, scene));
	return until_begun(cx, scene->work);
}

static enum qrt_err close_lane(struct qrt_cx *cx, struct scene *scene)
{
	gate_open(scene->work);
	qrt_lane_close(cx, &scene->lane);
	struct qrt_audit audit = audit_of(cx);
	EXPECT(audit.jobs_live == 0 && audit.jobs_left == 0);
	EXPECT(audit.duties_live == 0 && audit.leaks == 0);
	EXPECT(atomic_load(&scene->work->ended));
	return work_free(scene->work);
}

/* --- left ---------------------------------------------------------------------------------- */

static enum qrt_err expect_left(struct qrt_cx *cx, const struct scene *scene)
{
	static char text[16 * 1024];
	struct qrt_audit audit = audit_of(cx);
	EXPECT(scene->returned && scene->drops == 0);
	EXPECT(strcmp(scene->detail, "lane work: the job was left, and still runs") == 0);
	EXPECT(audit.jobs_live == 1 && audit.jobs_left == 1 && qrt_lane_depth(scene->lane) == 1);
	EXPECT(audit.duties_live == 1 && audit.leaks == 0);
	EXPECT(atomic_load(&scene->work->drops) == 0);
	EXPECT(atomic_load(&scene->work->told) == (qrt_in_lab(cx) ? 0 : 1));
	EXPECT(qrt_dump_text(cx, text, sizeof(text)) > 0);
	const char *duty = strstr(text, "duty job what=work");
	EXPECT(duty && strstr(duty, "holder=ask left"));
	return QRT_OK;
}

static enum qrt_err forced_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct scene scene;
	if (!is_structured(cx)) {
		return QRT_OK;
	}
	EXPECT(!begin(cx, 1, 0, &scene));
	qrt_region_cancel(scene.region, QRT_CANCEL_USER, "test");
	EXPECT(!scene.returned);
	EXPECT(qrt_region_close(cx, &scene.region, QRT_OK) == QRT_ECANCELED);
	EXPECT(scene.err == QRT_ECANCELED);
	EXPECT(!expect_left(cx, &scene));
	return close_lane(cx, &scene);
}

static void a_forced_task_leaves_its_job_behind(void **state)
{
	(void)state;
	on_each_backend(forced_scenario, NULL);
}

static enum qrt_err grace_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct scene scene;
	EXPECT(!begin(cx, 0, 1, &scene));
	qrt_region_cancel(scene.region, QRT_CANCEL_USER, "test");
	EXPECT(qrt_region_close(cx, &scene.region, QRT_OK) == QRT_ECANCELED);
	EXPECT(scene.err == QRT_ECANCELED && audit_of(cx).forced == 0);
	EXPECT(!expect_left(cx, &scene));
	return close_lane(cx, &scene);
}

static void a_job_is_left_when_its_grace_is_over(void **state)
{
	(void)state;
	on_each_backend(grace_scenario, NULL);
}

/* In the lab, by the seed: done in time, taken back, or left. Whatever it is, it is told so. */
static enum qrt_err late_once(struct qrt_cx *cx, int *ret_done, int *ret_back, int *ret_left)
{
	struct scene scene = {.opts = {.drop = drop, .grace_ns = 1}};
	struct qrt_region *region;
	const struct qrt_spawn_options opts = {
	    .name = "ask", .budget = {.deadline_ns = qrt_deadline_in(cx, QRT_MS)}};
	scene.work = work_new();
	EXPECT(scene.work);
	scene.work->open = true;
	EXPECT(!qrt_lane_open(cx, "work", 1, 4, &scene.lane));
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &region));
	EXPECT(!qrt_spawn_with(region, &opts, ask, &scene));
	EXPECT(qrt_region_close(cx, &region, QRT_OK) == scene.err);
	bool left = audit_of(cx).jobs_left == 1;
	EXPECT(scene.err == QRT_ECORRUPT || scene.err == QRT_ETIMEDOUT);
	if (left) {
		++*ret_left;
		EXPECT(scene.err == QRT_ETIMEDOUT && !expect_left(cx, &scene));
	} else if (scene.err == QRT_ETIMEDOUT) {
		++*ret_back;
		EXPECT(!atomic_load(&scene.work->begun) && scene.drops == 1);
	} else {
		++*ret_done;
		EXPECT(scene.drops == 1 && strcmp(scene.detail, "page 7 is torn") == 0);
	}
	qrt_lane_close(cx, &scene.lane);
	return work_free(scene.work);
}

static enum qrt_err late_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	int done = 0, back = 0, left = 0;
	if (!qrt_in_lab(cx)) {
		return QRT_OK;
	}
	for (int i = 0; i < 100; i++) {
		EXPECT(!late_once(cx, &done, &back, &left));
	}
	EXPECT(done > 5 && back > 5 && left > 5);
	return QRT_OK;
}

static void who_is_late_learns_what_became_of_the_job(void **state)
{
	(void)state;
	on_each_backend(late_scenario, NULL);
}

/* --- not left ------------------------------------------------------------------------------ */

static enum qrt_err truth_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct scene scene;
	EXPECT(!begin(cx, 0, 0, &scene));
	gate_open(scene.work);
	EXPECT(qrt_region_close(cx, &scene.region, QRT_OK) == QRT_ECORRUPT);
	EXPECT(scene.drops == 1 && strcmp(scene.detail, "page 7 is torn") == 0);
	EXPECT(atomic_load(&scene.work->told) == 0);
	return close_lane(cx, &scene);
}

static void a_job_that_nobody_leaves_tells_its_result(void **state)
{
	(void)state;
	on_each_backend(truth_scenario, NULL);
}

/* It ends because it was told: its caller has patience, and hears the truth. */
static enum qrt_err obeys_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct scene scene;
	EXPECT(!begin(cx, 0, 3600 * QRT_SEC, &scene));
	scene.work->opens_when_told = true;
	qrt_region_cancel(scene.region, QRT_CANCEL_USER, "test");
	EXPECT(qrt_region_close(cx, &scene.region, QRT_OK) == QRT_ECORRUPT);
	EXPECT(scene.drops == 1 && audit_of(cx).jobs_left == 0);
	return close_lane(cx, &scene);
}

static void a_job_that_obeys_is_waited_for(void **state)
{
	(void)state;
	on_each_backend(obeys_scenario, NULL);
}

static enum qrt_err again_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct scene scene;
	if (qrt_in_lab(cx)) {
		return QRT_OK; /* no job can be told there: it has run when it is left */
	}
	EXPECT(!begin(cx, 0, 0, &scene));
	struct qrt_mask mask; /* the opener must not be refused on its way */
	EXPECT(!qrt_mask_begin(cx, 0, &mask));
	qrt_region_cancel(scene.region, QRT_CANCEL_USER, "test");
	EXPECT(!qrt_sleep(cx, QRT_MS));
	qrt_region_cancel(scene.region, QRT_CANCEL_RESOURCE, "test");
	qrt_region_cancel(scene.region, QRT_CANCEL_SHUTDOWN, "test");
	EXPECT(!qrt_sleep(cx, QRT_MS));
	EXPECT(!scene.returned && atomic_load(&scene.work->told) == 1);
	qrt_mask_end(cx, &mask);
	gate_open(scene.work);
	EXPECT(qrt_region_close(cx, &scene.region, QRT_OK) == QRT_ECORRUPT);
	EXPECT(atomic_load(&scene.work->told) == 1);
	return close_lane(cx, &scene);
}

static void a_job_is_told_once(void **state)
{
	(void)state;
	on_each_backend(again_scenario, NULL);
}

static enum qrt_err ask_plainly(struct qrt_cx *cx, void *arg)
{
	struct scene *scene = arg;
	scene->err = qrt_blocking(cx, scene->lane, gated, scene->work);
	scene->returned = true;
	return scene->err;
}

static enum qrt_err opener(struct qrt_cx *cx, void *arg)
{
	struct scene *scene = arg;
	EXPECT(!until_begun(cx, scene->work));
	qrt_region_cancel(scene->region, QRT_CANCEL_USER, "test");
	EXPECT(!qrt_sleep(cx, 5 * QRT_MS));
	EXPECT(qrt_in_lab(cx) || !scene->returned);
	gate_open(scene->work);
	return QRT_OK;
}

/* Without a drop the job uses what lies on the caller's stack: the wait has no bound. */
static enum qrt_err plain_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	const struct qrt_region_options opts = {.policy = QRT_COLLECT, .cleanup_ns = 1};
	struct scene scene = {.work = work_new()};
	struct qrt_region *outer;
	EXPECT(scene.work);
	scene.work->open = qrt_in_lab(cx);
	EXPECT(!qrt_lane_open(cx, "work", 1, 4, &scene.lane));
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &outer));
	EXPECT(!qrt_region_open_with(cx, &opts, &scene.region));
	EXPECT(!qrt_spawn(scene.region, ask_plainly, &scene));
	EXPECT(!qrt_spawn(outer, opener, &scene));
	EXPECT(qrt_region_close(cx, &scene.region, QRT_OK) == QRT_ECORRUPT);
	EXPECT(scene.err == QRT_ECORRUPT && atomic_load(&scene.work->drops) == 0);
	EXPECT(!qrt_region_close(cx, &outer, QRT_OK));
	drop(scene.work);
	return close_lane(cx, &scene);
}

static void a_job_without_a_drop_is_waited_for_without_bound(void **state)
{
	(void)state;
	on_each_backend(plain_scenario, NULL);
}

/* --- the drop ------------------------------------------------------------------------------ */

/* Asks with @cx on @lane; the job must not run, its argument must be dropped once. */
static enum qrt_err refused(struct qrt_cx *cx, struct qrt_lane *lane,
			    const struct qrt_job_options *opts, enum qrt_err expected)
{
	struct work *work = work_new();
	EXPECT(work);
	EXPECT(qrt_blocking_detachable(cx, lane, opts, gated, work) == expected);
	EXPECT(!atomic_load(&work->begun));
	return work_free(work);
}

static enum qrt_err refused_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	const struct qrt_job_options opts = {.drop = drop}, none = {0},
				     wrong = {.drop = drop, .grace_ns = -1};
	const struct qrt_region_options poor = {.limits.duties_max = 1};
	struct qrt_lane *lane;
	struct qrt_region *region;
	struct qrt_duty duty;
	int unused;
	EXPECT(!qrt_lane_open(cx, "work", 1, 1, &lane));
	struct qrt_cx *narrow = qrt_cx_narrow(cx, QRT_CAP_ALL & ~(uint32_t)QRT_CAP_BLOCKING);
	EXPECT(narrow && !refused(narrow, lane, &opts, QRT_ENOTCAPABLE));
	EXPECT(!refused(cx, lane, &wrong, QRT_EINVAL));
	EXPECT(strcmp(qrt_detail(cx), "a grace of -1 ns") == 0);
	EXPECT(qrt_blocking_detachable(cx, lane, &none, gated, &unused) == QRT_EINVAL);
	EXPECT(!qrt_region_open_with(cx, &poor, &region));
	EXPECT(!qrt_oblige(qrt_region_cx(region), QRT_DUTY_OTHER, "x", NULL, NULL, &duty));
	EXPECT(!refused(qrt_region_cx(region), lane, &opts, QRT_ELIMIT));
	EXPECT(!qrt_settle(&duty) && !qrt_region_close(cx, &region, QRT_OK));
	qrt_lane_close(cx, &lane);
	return QRT_OK;
}

static void a_job_that_is_refused_is_dropped_all_the_same(void **state)
{
	(void)state;
	on_each_backend(refused_scenario, NULL);
}

/* Queued behind another when the cancel comes. */
static enum qrt_err taken_back_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct scene first, second;
	if (qrt_in_lab(cx)) {
		return QRT_OK; /* who_is_late_learns_what_became_of_the_job has it */
	}
	EXPECT(!begin(cx, 0, 0, &first));
	second = first;
	second.work = work_new();
	EXPECT(second.work);
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &second.region));
	EXPECT(!qrt_spawn(second.region, ask, &second));
	while (qrt_lane_depth(first.lane) < 2) {
		EXPECT(!qrt_yield(cx));
	}
	qrt_region_cancel(second.region, QRT_CANCEL_USER, "test");
	EXPECT(qrt_region_close(cx, &second.region, QRT_OK) == QRT_ECANCELED);
	EXPECT(second.drops == 1 && !atomic_load(&second.work->begun));
	EXPECT(audit_of(cx).jobs_left == 0);
	EXPECT(!work_free(second.work));
	const struct qrt_job_options soon = {.drop = drop,
					     .queue_deadline_ns = qrt_deadline_in(cx, QRT_MS)};
	EXPECT(!refused(cx, first.lane, &soon, QRT_EBUSY));
	gate_open(first.work);
	EXPECT(qrt_region_close(cx, &first.region, QRT_OK) == QRT_ECORRUPT);
	return close_lane(cx, &first);
}

static void a_job_that_is_taken_back_is_dropped(void **state)
{
	(void)state;
	on_each_backend(taken_back_scenario, NULL);
}

/* A task that is forced by the time it calls: it is abandoned, but not inside the call. */
static enum qrt_err calls_too_late(struct qrt_cx *cx, void *arg)
{
	struct qrt_mask mask;
	EXPECT(!qrt_mask_begin(cx, 0, &mask));
	EXPECT(qrt_sleep(cx, 3600 * QRT_SEC) == QRT_ECANCELED);
	return ask(cx, arg);
}

static enum qrt_err too_late_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	const struct qrt_region_options opts = {.policy = QRT_COLLECT, .cleanup_ns = 1};
	struct scene scene = {.opts = {.drop = drop}, .work = work_new()};
	if (!is_structured(cx)) {
		drop(scene.work);
		return work_free(scene.work);
	}
	EXPECT(scene.work && !qrt_lane_open(cx, "work", 1, 4, &scene.lane));
	EXPECT(!qrt_region_open_with(cx, &opts, &scene.region));
	EXPECT(!qrt_spawn(scene.region, calls_too_late, &scene));
	EXPECT(!qrt_sleep(cx, 1));
	qrt_region_cancel(scene.region, QRT_CANCEL_USER, "test");
	EXPECT(qrt_region_close(cx, &scene.region, QRT_OK) == QRT_ECANCELED);
	EXPECT(scene.returned && scene.drops == 1 && scene.err == QRT_ECANCELED);
	qrt_lane_close(cx, &scene.lane);
	return work_free(scene.work);
}

static void a_forced_task_that_asks_is_refused_and_its_argument_dropped(void **state)
{
	(void)state;
	on_each_backend(too_late_scenario, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_forced_task_leaves_its_job_behind),
	    cmocka_unit_test(a_job_is_left_when_its_grace_is_over),
	    cmocka_unit_test(who_is_late_learns_what_became_of_the_job),
	    cmocka_unit_test(a_job_that_nobody_leaves_tells_its_result),
	    cmocka_unit_test(a_job_that_obeys_is_waited_for),
	    cmocka_unit_test(a_job_is_told_once),
	    cmocka_unit_test(a_job_without_a_drop_is_waited_for_without_bound),
	    cmocka_unit_test(a_job_that_is_refused_is_dropped_all_the_same),
	    cmocka_unit_test(a_job_that_is_taken_back_is_dropped),
	    cmocka_unit_test(a_forced_task_that_asks_is_refused_and_its_argument_dropped),
	};
	return cmocka_run_group_tests_name("left", tests, NULL, NULL);
}
