/*
 * Scenes: small programs that use what the oracles judge, each written so that
 * a fault in one place of the runtime shows. They run in the lab and on the
 * backends of real time, and are right in every order that is allowed.
 */
#ifndef QRT_TESTS_LAB_SCENES_H
#define QRT_TESTS_LAB_SCENES_H

#include <qrt/trial.h>

struct stage {
	struct qrt_lab *lab;
	const char *backend;
	const char *other; /* the backend of a second runtime */
};

struct scene {
	const char *name;
	enum qrt_err (*play)(const struct stage *stage);
	bool disk;
};

extern const struct scene scenes[];
extern const size_t n_scenes;

/* One in a lab of its own; what the oracles say goes to the lab's detail, too. Errors: the scene's,
 * EFAILED (a violation). */
enum qrt_err scene_play(const struct scene *scene, const struct qrt_lab_options *opts,
			const char *backend, char *ret_detail);

/* --- for those who write scenes --------------------------------------------------------------- */

/* In a task: what must hold, or the scene has failed. A task's stack is no place for longjmp. */
#define MUST(cond)                                                                                 \
	do {                                                                                       \
		if (!(cond)) {                                                                     \
			return qrt_fail(cx, QRT_EFAILED, "%s: not so: %s", QRT_SITE, #cond);       \
		}                                                                                  \
	} while (0)

/* Sleeps for some time up to @most_us microseconds. */
enum qrt_err scene_pause(struct qrt_cx *cx, unsigned most_us);

enum qrt_err scene_regions(const struct stage *stage);
enum qrt_err scene_masks(const struct stage *stage);
enum qrt_err scene_races(const struct stage *stage);
enum qrt_err scene_messages(const struct stage *stage);
enum qrt_err scene_grants(const struct stage *stage);
enum qrt_err scene_slots(const struct stage *stage);
enum qrt_err scene_locks(const struct stage *stage);
enum qrt_err scene_calls(const struct stage *stage);
enum qrt_err scene_jobs(const struct stage *stage);
enum qrt_err scene_database(const struct stage *stage);

#endif
