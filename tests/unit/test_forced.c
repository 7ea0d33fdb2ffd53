/* What is told of a task that had to be forced, and of a capability that was missing. */
#include <qrt/lab.h>
#include <qrt/region.h>
#include <qrt/sync.h>
#include <qrt/trace.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/backends.h"
#include "tests/lib/test.h"

struct scene {
	struct qrt_mutex *mutex;
	char trace[64 * 1024];
	size_t used;
};

/* Holds the lock beyond anybody's patience. */
static enum qrt_err keeper(struct qrt_cx *cx, void *arg)
{
	struct scene *scene = arg;
	struct qrt_lease lease;
	enum qrt_err err = qrt_mutex_lock(cx, scene->mutex, &lease);
	if (err) {
		return err;
	}
	err = qrt_sleep(cx, 60 * QRT_SEC);
	enum qrt_err unlocked = qrt_unlock(&lease);
	return err ? err : unlocked;
}

/* Waits for it behind a mask, and would go on for ever. */
static enum qrt_err stubborn(struct qrt_cx *cx, void *arg)
{
	struct scene *scene = arg;
	struct qrt_mask mask;
	struct qrt_lease lease;
	enum qrt_err err = qrt_mask_begin(cx, 0, &mask);
	while (!err) {
		if (!qrt_mutex_lock(cx, scene->mutex, &lease)) {
			err = qrt_unlock(&lease);
		}
	}
	return err;
}

static enum qrt_err write_text(void *arg, const char *text, size_t n)
{
	struct scene *scene = arg;
	if (n >= sizeof(scene->trace) - scene->used) {
		return QRT_ELIMIT;
	}
	memcpy(scene->trace + scene->used, text, n);
	scene->used += n;
	scene->trace[scene->used] = '\0';
	return QRT_OK;
}

/* The stubborn one is cancelled, the keeper is not. */
static enum qrt_err force_the_stubborn(struct qrt_cx *cx, struct scene *scene,
				       struct qrt_aggregate *ret_all)
{
	struct qrt_region *keeping, *region;
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &keeping));
	EXPECT(!qrt_spawn(keeping, keeper, scene));
	EXPECT(!qrt_sleep(cx, QRT_MS));
	const struct qrt_region_options opts = {.policy = QRT_COLLECT, .cleanup_ns = 2 * QRT_SEC};
	EXPECT(!qrt_region_open_with(cx, &opts, &region));
	EXPECT(!qrt_spawn(region, stubborn, scene));
	struct qrt_mask mask;
	EXPECT(!qrt_mask_begin(cx, 0, &mask));
	EXPECT(!qrt_sleep(cx, QRT_SEC));
	qrt_region_cancel(region, QRT_CANCEL_USER, "test");
	EXPECT(qrt_region_close_report(cx, &region, QRT_OK, ret_all) == QRT_ECANCELED);
	qrt_mask_end(cx, &mask);
	return qrt_region_close(cx, &keeping, QRT_OK);
}

static enum qrt_err forced_scenario(struct qrt_cx *cx, void *arg)
{
	struct scene *scene = arg;
	struct qrt_aggregate all;
	struct qrt_trace *trace;
	EXPECT(!qrt_mutex_open(cx, &scene->mutex));
	EXPECT(!qrt_trace_start(cx, 1000));
	EXPECT(!force_the_stubborn(cx, scene, &all));
	EXPECT(!qrt_trace_stop(cx, &trace));
	EXPECT(all.n_forced == 1 && all.n_kept == 1);
	EXPECT(all.kept[0].forced && all.kept[0].outcome == QRT_OUTCOME_CANCELLED);
	EXPECT(strcmp(all.kept[0].name, "stubborn") == 0);
	EXPECT(strcmp(all.kept[0].detail, "forced 2000 ms after a user cancel by main: "
					  "waited 3000 ms for mutex, held by keeper") == 0);
	qrt_aggregate_fini(&all);
	EXPECT(!qrt_trace_export(&trace, 1, write_text, scene));
	qrt_trace_destroy(&trace);
	EXPECT(strstr(scene->trace, "\"waited_for\":\"mutex\",\"held_by\":\"keeper\""));
	EXPECT(strstr(scene->trace, "\"ms\":3000"));
	return qrt_mutex_close(&scene->mutex);
}

static void a_forced_end_names_task_wait_holder_and_age(void **state)
{
	(void)state;
	static struct scene scene;
	assert_int_equal(on_backend("lab", forced_scenario, &scene), QRT_OK);
}

static enum qrt_err denied_scenario(struct qrt_cx *cx, void *arg)
{
	struct scene *scene = arg;
	struct qrt_trace *trace;
	struct qrt_audit before, after;
	qrt_runtime_audit(qrt_cx_runtime(cx), &before);
	EXPECT(!qrt_trace_start(cx, 100));
	struct qrt_cx *narrow = qrt_cx_narrow(cx, QRT_CAP_ALL & ~(uint32_t)QRT_CAP_TIME);
	EXPECT(narrow);
	EXPECT(qrt_sleep(narrow, 1) == QRT_ENOTCAPABLE);
	EXPECT(!qrt_trace_stop(cx, &trace));
	qrt_runtime_audit(qrt_cx_runtime(cx), &after);
	EXPECT(after.not_capable == before.not_capable + 1);
	scene->used = 0;
	EXPECT(!qrt_trace_export(&trace, 1, write_text, scene));
	qrt_trace_destroy(&trace);
	EXPECT(strstr(scene->trace, "\"capability\":\"time\""));
	return QRT_OK;
}

static void a_missing_capability_is_counted_and_traced(void **state)
{
	(void)state;
	static struct scene scene;
	on_each_backend(denied_scenario, &scene);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_forced_end_names_task_wait_holder_and_age),
	    cmocka_unit_test(a_missing_capability_is_counted_and_traced),
	};
	return cmocka_run_group_tests_name("forced", tests, NULL, NULL);
}
