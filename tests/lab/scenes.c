/* The list of scenes, and how one is played. */
#include "tests/lab/scenes.h"

#include <stdio.h>
#include <string.h>

#include <qrt/oracle.h>
#include <qrt/region.h>

#include "backends/lab/lab.h"

const struct scene scenes[] = {
    {"regions", scene_regions, false}, {"masks", scene_masks, false},
    {"races", scene_races, false},     {"messages", scene_messages, false},
    {"grants", scene_grants, false},   {"slots", scene_slots, false},
    {"locks", scene_locks, false},     {"calls", scene_calls, false},
    {"jobs", scene_jobs, false},       {"database", scene_database, true},
};
const size_t n_scenes = sizeof(scenes) / sizeof(scenes[0]);

enum qrt_err scene_pause(struct qrt_cx *cx, unsigned most_us)
{
	uint32_t dice = 0;
	enum qrt_err err = qrt_random(cx, &dice, sizeof(dice));
	return err ? err : qrt_sleep(cx, (int64_t)(dice % (most_us + 1)) * 1000);
}

static enum qrt_err judge(struct qrt_lab *lab, char *ret_detail)
{
	struct qrt_verdict verdict[QRT_VERDICTS_MAX];
	size_t n = qrt_lab_verdicts(lab, verdict, QRT_VERDICTS_MAX);
	for (size_t i = 0; i < n; i++) {
		if (verdict[i].violations) {
			snprintf(ret_detail, 256, "oracle \"%.40s\": %.200s", verdict[i].name,
				 verdict[i].first);
			return QRT_EFAILED;
		}
	}
	return QRT_OK;
}

static const char *other_than(const char *backend)
{
	static const char *const pairs[][2] = {{"lab", "lab-legacy"}, {"region", "legacy"}};
	size_t n;
	const char *const *names = qrt_backend_names(&n);
	for (size_t i = 0; i < 2; i++) {
		for (size_t side = 0; side < 2; side++) {
			const char *other = pairs[i][1 - side];
			for (size_t k = 0; k < n && strcmp(backend, pairs[i][side]) == 0; k++) {
				if (strcmp(names[k], other) == 0) {
					return other;
				}
			}
		}
	}
	return backend;
}

enum qrt_err scene_play(const struct scene *scene, const struct qrt_lab_options *opts,
			const char *backend, char *ret_detail)
{
	struct qrt_lab_options with = *opts;
	struct qrt_lab *lab;
	ret_detail[0] = '\0';
	with.disk = scene->disk;
	enum qrt_err err = qrt_lab_open(&with, ret_detail, &lab);
	if (err) {
		return err;
	}
	const struct stage stage = {lab, backend, other_than(backend)};
	err = scene->play(&stage);
	if (err) {
		snprintf(ret_detail, 256, "%.250s", lab->detail);
	}
	enum qrt_err judged = judge(lab, ret_detail);
	qrt_lab_close(&lab);
	return judged ? judged : err;
}
