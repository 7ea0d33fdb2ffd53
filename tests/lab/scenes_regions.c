/* Scenes of regions: cancels, deadlines, finalizers, duties, masks, races, events. */
#include <string.h>

#include <qrt/combine.h>
#include <qrt/ledger.h>

#include "shim/src/internal.h"
#include "tests/lab/scenes.h"

/* --- regions --------------------------------------------------------------------------------- */

struct regions {
	unsigned finalized;
};

static void finalizer(struct qrt_cx *cx, void *arg)
{
	struct regions *regions = arg;
	(void)cx;
	regions->finalized++;
}

/* With a finalizer and a duty, until it is cancelled. */
static enum qrt_err sleeper(struct qrt_cx *cx, void *arg)
{
	struct qrt_duty duty;
	enum qrt_err err = qrt_defer(cx, finalizer, arg);
	if (!err) {
		err = qrt_oblige(cx, QRT_DUTY_PERMIT, "a promise", NULL, NULL, &duty);
	}
	if (err) {
		return err;
	}
	err = qrt_sleep(cx, 60 * QRT_SEC);
	QRT_IGNORE(qrt_settle(&duty), "it was made above");
	return err;
}

/*
 * Heeds nothing, until it is abandoned, with a region open and duties in it and of its own. On an
 * engine that lets it have its way it ends in order.
 */
static enum qrt_err stubborn(struct qrt_cx *cx, void *arg)
{
	struct qrt_region *region;
	struct qrt_duty own = {0}, regions = {0};
	enum qrt_err err = qrt_defer(cx, finalizer, arg);
	if (!err) {
		err = qrt_region_open(cx, QRT_COLLECT, &region);
	}
	if (err) {
		return err;
	}
	err = qrt_oblige(cx, QRT_DUTY_PERMIT, "a promise", NULL, NULL, &own);
	if (!err) {
		err = qrt_oblige(qrt_region_cx(region), QRT_DUTY_OTHER, "a thing of the region's",
				 NULL, NULL, &regions);
	}
	QRT_IGNORE(qrt_sleep(cx, 60 * QRT_SEC), "it is stubborn");
	for (unsigned i = 0; i < 2 * QRT_CLEANUP_POLLS; i++) {
		QRT_IGNORE(qrt_yield(cx), "it is stubborn");
	}
	QRT_IGNORE(qrt_settle(&own), "made above, or never");
	QRT_IGNORE(qrt_settle(&regions), "made above, or never");
	return qrt_region_close(cx, &region, err);
}

/* A region below, with more time than the one above and a duty of its own. */
static enum qrt_err nested(struct qrt_cx *cx, void *arg)
{
	const struct qrt_region_options opts = {
	    .name = "below",
	    .policy = QRT_COLLECT,
	    .budget.deadline_ns = qrt_deadline_in(cx, 50 * QRT_SEC),
	};
	struct qrt_region *region;
	struct qrt_duty duty = {0};
	enum qrt_err err = qrt_region_open_with(cx, &opts, &region);
	if (err) {
		return err;
	}
	struct qrt_cx *own = qrt_region_cx(region);
	err = qrt_defer(own, finalizer, arg);
	if (!err) {
		err = qrt_oblige(own, QRT_DUTY_OTHER, "a thing of the region's", NULL, NULL, &duty);
	}
	for (unsigned i = 0; i < 2 && !err; i++) {
		const struct qrt_spawn_options more = {
		    .name = "sleeper",
		    .site = QRT_SITE,
		    .budget.deadline_ns = qrt_deadline_in(cx, 90 * QRT_SEC),
		};
		err = qrt_spawn_with(region, &more, sleeper, arg);
	}
	if (!err) {
		err = qrt_yield(cx);
	}
	/* Where nobody remembers a cancel it is asked for until all have heard of it. */
	while (!cx->task->rt->engine->structured && qrt_region_live(region) > 0) {
		QRT_IGNORE(scene_pause(cx, 100), "whatever it was, they end now");
		qrt_region_cancel(region, QRT_CANCEL_USER, "this engine forgets");
	}
	QRT_IGNORE(qrt_settle(&duty), "made above, or never");
	return qrt_region_close(cx, &region, err);
}

static enum qrt_err regions_main(struct qrt_cx *cx, void *arg)
{
	struct regions *regions = arg;
	const struct qrt_region_options opts = {
	    .name = "above",
	    .policy = QRT_COLLECT,
	    .budget.deadline_ns = qrt_deadline_in(cx, 20 * QRT_SEC),
	};
	struct qrt_region *region;
	MUST(!qrt_sleep(cx, 0));
	MUST(!qrt_region_open_with(cx, &opts, &region));
	enum qrt_err err = qrt_defer(qrt_region_cx(region), finalizer, regions);
	if (!err) {
		err = qrt_defer(qrt_region_cx(region), finalizer, regions);
	}
	if (!err) {
		err = qrt_spawn(region, nested, regions);
	}
	if (!err) {
		err = qrt_spawn(region, sleeper, regions);
	}
	if (!err) {
		err = qrt_spawn(region, stubborn, regions);
	}
	QRT_IGNORE(scene_pause(cx, 200), "nobody cancels this task");
	for (unsigned i = 0; i < 4; i++) {
		QRT_IGNORE(qrt_yield(cx), "nobody cancels this task");
	}
	qrt_region_cancel(region, QRT_CANCEL_USER, "the scene is over");
	while (!cx->task->rt->engine->structured && qrt_region_live(region) > 0) {
		QRT_IGNORE(scene_pause(cx, 100), "nobody cancels this task");
		qrt_region_cancel(region, QRT_CANCEL_USER, "this engine forgets");
	}
	QRT_IGNORE(qrt_region_close(cx, &region, err), "it was cancelled");
	return err;
}

enum qrt_err scene_regions(const struct stage *stage)
{
	struct regions regions = {0};
	return qrt_lab_main(stage->lab, stage->backend, regions_main, &regions);
}

/* --- masks ----------------------------------------------------------------------------------- */

struct masks {
	unsigned cleaned;
};

/* Waits again and again: a cancel must reach one of the waits. */
static enum qrt_err waiter(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	enum qrt_err err = QRT_OK;
	for (unsigned i = 0; i < 20 && !err; i++) {
		err = qrt_sleep(cx, QRT_MS / 10);
	}
	return err;
}

/* Opens a region under a mask, and ends the mask before it. */
static enum qrt_err masked(struct qrt_cx *cx, void *arg)
{
	struct masks *masks = arg;
	struct qrt_region *region;
	struct qrt_mask mask;
	enum qrt_err err = qrt_mask_begin(cx, 0, &mask);
	if (err) {
		return err;
	}
	err = qrt_region_open(cx, QRT_COLLECT, &region);
	if (err) {
		qrt_mask_end(cx, &mask);
		return err;
	}
	err = qrt_spawn(region, waiter, NULL);
	QRT_IGNORE(qrt_sleep(cx, QRT_MS / 2), "masked: it is slept");
	masks->cleaned++;
	qrt_mask_end(cx, &mask);
	return qrt_region_close(cx, &region, err);
}

static enum qrt_err masks_main(struct qrt_cx *cx, void *arg)
{
	struct qrt_region *region;
	MUST(!qrt_region_open(cx, QRT_COLLECT, &region));
	enum qrt_err err = qrt_spawn(region, masked, arg);
	QRT_IGNORE(qrt_sleep(cx, QRT_MS / 4), "nobody cancels this task");
	qrt_region_cancel(region, QRT_CANCEL_USER, "in the middle of the mask");
	QRT_IGNORE(qrt_region_close(cx, &region, err), "it was cancelled");
	return err;
}

enum qrt_err scene_masks(const struct stage *stage)
{
	struct masks masks = {0};
	return qrt_lab_main(stage->lab, stage->backend, masks_main, &masks);
}

/* --- races ----------------------------------------------------------------------------------- */

/* In microseconds; a loser takes its time to clean up. */
static enum qrt_err branch(struct qrt_cx *cx, void *arg)
{
	const unsigned *us = arg;
	enum qrt_err err = qrt_sleep(cx, (int64_t)*us * 1000);
	if (err) {
		struct qrt_mask mask;
		if (!qrt_mask_begin(cx, 0, &mask)) {
			QRT_IGNORE(qrt_sleep(cx, QRT_MS / 10), "masked");
			qrt_mask_end(cx, &mask);
		}
	}
	return err;
}

static enum qrt_err fails(struct qrt_cx *cx, void *arg)
{
	enum qrt_err err = branch(cx, arg);
	return err ? err : QRT_EIO;
}

static enum qrt_err races_main(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	unsigned us[] = {100, 900, 20000};
	const struct qrt_branch three[] = {
	    {branch, &us[1], "slow"}, {branch, &us[0], "quick"}, {branch, &us[2], "slower"}};
	const struct qrt_branch mixed[] = {
	    {fails, &us[0], "fails"}, {branch, &us[1], "slow"}, {branch, &us[2], "slower"}};
	size_t winner = 9;
	MUST(!qrt_race(cx, three, 3, &winner, NULL));
	MUST(winner < 2); /* the last one is far behind, on every machine */
	MUST(!qrt_first_ok(cx, mixed, 3, &winner, NULL));
	MUST(winner == 1);
	MUST(qrt_join(cx, mixed, 3, NULL) == QRT_EIO);
	MUST(qrt_timeout(cx, 200 * 1000, branch, &us[2]) == QRT_ETIMEDOUT);
	struct qrt_region *region;
	MUST(!qrt_region_open(cx, QRT_FIRST_SUCCESS, &region));
	enum qrt_err err = qrt_spawn(region, branch, &us[0]);
	if (!err) {
		err = qrt_spawn(region, branch, &us[2]);
	}
	/* Until it is decided: then the loser still cleans up when the region is closed. */
	QRT_IGNORE(qrt_sleep(cx, QRT_MS), "the winner's end may cancel it");
	return qrt_region_close(cx, &region, err);
}

enum qrt_err scene_races(const struct stage *stage)
{
	return qrt_lab_main(stage->lab, stage->backend, races_main, NULL);
}

/* --- locks and events ------------------------------------------------------------------------ */

struct locks {
	struct qrt__event begin;
	unsigned woken;
};

static enum qrt_err runner(struct qrt_cx *cx, void *arg)
{
	struct locks *locks = arg;
	enum qrt_err err = qrt__event_wait(cx, &locks->begin, qrt_deadline_in(cx, QRT_SEC));
	if (!err) {
		locks->woken++;
		err = qrt_sleep(cx, 10 * 1000 * (int64_t)locks->woken);
	}
	return err;
}

/* Wakes several at once while they have timers, so that those are stopped in the same turn. */
static enum qrt_err locks_main(struct qrt_cx *cx, void *arg)
{
	struct locks *locks = arg;
	struct qrt_region *region;
	qrt__event_init(&locks->begin);
	MUST(!qrt_region_open(cx, QRT_FAIL_FAST, &region));
	enum qrt_err err = QRT_OK;
	for (unsigned i = 0; i < 6 && !err; i++) {
		err = qrt_spawn(region, runner, locks);
	}
	QRT_IGNORE(qrt_sleep(cx, 50 * 1000), "nobody cancels this task");
	qrt__event_set(&locks->begin);
	err = qrt_region_close(cx, &region, err);
	return err ? err : locks->woken == 6 ? QRT_OK : QRT_EFAILED;
}

enum qrt_err scene_locks(const struct stage *stage)
{
	struct locks locks = {0};
	return qrt_lab_main(stage->lab, stage->backend, locks_main, &locks);
}
