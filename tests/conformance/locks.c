/*
 * Mutex, rwlock, semaphore, barrier, notify and once: open, wait, hand-over, cancel, close, and
 * holders that die. Must never end a child with a lease in its hands but on purpose.
 */
#include <qrt/sync.h>
#include <stdio.h>

#include "tests/conformance/conformance.h"

enum { CHILDREN = 3 };

struct room {
	struct qrt_mutex *mutex;
	struct qrt_rwlock *rwlock;
	struct qrt_semaphore *semaphore;
	struct qrt_barrier *barrier;
	struct qrt_notify *notify;
	struct qrt_once *once;
	struct qrt_lease lease;
	struct conformance_filler filler;
	int started, ended, inside, most, runs, leaders, cancelled;
	bool failing;
	enum qrt_err err; /* the first failure of a child that should have had none */
};

#define LET_GO(call) QRT_IGNORE(call, "there may be none, or its region has ended it")

static void room_clean(struct qrt_cx *cx, void *arg)
{
	struct room *room = arg;
	(void)cx;
	LET_GO(qrt_unlock(&room->lease));
	LET_GO(qrt_mutex_close(&room->mutex));
	LET_GO(qrt_rwlock_close(&room->rwlock));
	LET_GO(qrt_semaphore_close(&room->semaphore));
	LET_GO(qrt_barrier_close(&room->barrier));
	LET_GO(qrt_notify_close(&room->notify));
	LET_GO(qrt_once_close(&room->once));
	conformance_empty(&room->filler);
}

/* A cancel is only ever asked for: it is no failure. */
static enum qrt_err told(struct room *room, enum qrt_err err)
{
	room->ended++;
	room->cancelled += err == QRT_ECANCELED;
	if (err != QRT_ECANCELED && !room->err) {
		room->err = err;
	}
	return err;
}

/* Not by a close: where a cancel is not remembered a child may wait for one that has failed. */
static enum qrt_err until(struct qrt_cx *cx, const struct room *room, const int *count, int n)
{
	while (*count < n && !room->err) {
		TRY(qrt_yield(cx));
	}
	return room->err;
}

/* Of tasks that only wait for a lock: whoever failed has passed its turn on, so all of them end. */
static enum qrt_err all_ended(struct qrt_cx *cx, const struct room *room)
{
	while (room->ended < CHILDREN) {
		TRY(qrt_yield(cx));
	}
	return room->err;
}

/* Several of @fn that wait for something by now. */
static enum qrt_err open_with(struct qrt_cx *cx, struct room *room, qrt_task_fn *fn,
			      struct qrt_region **ret_region)
{
	struct qrt_region *region;
	TRY(qrt_region_open(cx, QRT_COLLECT, &region));
	for (int i = 0; i < CHILDREN; i++) {
		TRY(qrt_spawn(region, fn, room));
	}
	while (room->started < CHILDREN) {
		TRY(qrt_yield(cx));
	}
	*ret_region = region;
	return QRT_OK;
}

static enum qrt_err stay_inside(struct qrt_cx *cx, struct room *room)
{
	room->inside++;
	room->most = room->most > room->inside ? room->most : room->inside;
	enum qrt_err err = qrt_yield(cx);
	room->inside--;
	return err;
}

/* --- mutex ----------------------------------------------------------------------------------- */

static enum qrt_err enter_mutex(struct qrt_cx *cx, struct room *room)
{
	struct qrt_lease lease;
	room->started++;
	TRY(qrt_mutex_lock(cx, room->mutex, &lease));
	enum qrt_err err = stay_inside(cx, room);
	TRY(qrt_unlock(&lease));
	return err;
}

static enum qrt_err in_mutex(struct qrt_cx *cx, void *arg)
{
	return told(arg, enter_mutex(cx, arg));
}

static enum qrt_err mutex_scenario(struct qrt_cx *cx, void *arg)
{
	struct room *room = arg;
	struct qrt_region *region;
	TRY(qrt_mutex_open(cx, &room->mutex));
	TRY(qrt_mutex_lock(cx, room->mutex, &room->lease));
	EXPECT_ERR(QRT_EDEADLOCK, qrt_mutex_lock(cx, room->mutex, &room->lease));
	TRY(open_with(cx, room, in_mutex, &region));
	TRY(qrt_unlock(&room->lease));
	EXPECT_ERR(QRT_EAGAIN, qrt_mutex_try_lock(cx, room->mutex, &room->lease));
	TRY(conformance_fill(cx, &room->filler)); /* who is handed the mutex has no entry */
	TRY(all_ended(cx, room));
	TRY(qrt_region_close(cx, &region, QRT_OK));
	EXPECT(room->most == 1);
	TRY(qrt_mutex_try_lock(cx, room->mutex, &room->lease));
	TRY(qrt_mutex_close(&room->mutex));
	TRY(qrt_unlock(&room->lease)); /* of something that is closed */
	return QRT_OK;
}

static enum qrt_err cancel_scenario(struct qrt_cx *cx, void *arg)
{
	struct room *room = arg;
	struct qrt_region *region;
	TRY(qrt_mutex_open(cx, &room->mutex));
	TRY(qrt_mutex_lock(cx, room->mutex, &room->lease));
	TRY(open_with(cx, room, in_mutex, &region));
	TRY(conformance_fill(cx, &room->filler));
	qrt_region_cancel(region, QRT_CANCEL_USER, "test");
	enum qrt_err err = qrt_region_close(cx, &region, QRT_OK);
	TRY(room->err);
	EXPECT_ERR(QRT_ECANCELED, err);
	EXPECT(room->cancelled == CHILDREN && room->most == 0);
	TRY(qrt_unlock(&room->lease));
	TRY(qrt_mutex_lock(cx, room->mutex, &room->lease));
	return QRT_OK;
}

static enum qrt_err die_inside(struct qrt_cx *cx, void *arg)
{
	struct room *room = arg;
	struct qrt_lease lease;
	return qrt_mutex_lock(cx, room->mutex, &lease);
}

static enum qrt_err owner_dead_scenario(struct qrt_cx *cx, void *arg)
{
	struct room *room = arg;
	struct qrt_region *region;
	TRY(qrt_mutex_open(cx, &room->mutex));
	TRY(conformance_fill(cx, &room->filler));
	TRY(qrt_region_open(cx, QRT_COLLECT, &region));
	TRY(qrt_spawn(region, die_inside, room));
	EXPECT_ERR(QRT_ELEAK, qrt_region_close(cx, &region, QRT_OK));
	EXPECT_ERR(QRT_EOWNERDEAD, qrt_mutex_lock(cx, room->mutex, &room->lease));
	TRY(qrt_mutex_consistent(room->mutex));
	TRY(qrt_unlock(&room->lease));
	TRY(qrt_mutex_lock(cx, room->mutex, &room->lease));
	return QRT_OK;
}

/* --- rwlock and semaphore -------------------------------------------------------------------- */

static enum qrt_err read_and_write(struct qrt_cx *cx, struct room *room)
{
	struct qrt_lease lease;
	room->started++;
	TRY(qrt_rwlock_read(cx, room->rwlock, &lease));
	room->most = ++room->inside;
	enum qrt_err err = QRT_OK;
	while (room->most < CHILDREN && !room->err && !err) {
		err = qrt_yield(cx); /* until all read at once, or somebody could not */
	}
	TRY(qrt_unlock(&lease));
	TRY(err);
	TRY(qrt_rwlock_write(cx, room->rwlock, &lease));
	room->runs++;
	err = qrt_yield(cx);
	TRY(qrt_unlock(&lease));
	return err;
}

static enum qrt_err in_rwlock(struct qrt_cx *cx, void *arg)
{
	return told(arg, read_and_write(cx, arg));
}

static enum qrt_err rwlock_scenario(struct qrt_cx *cx, void *arg)
{
	struct room *room = arg;
	struct qrt_region *region;
	TRY(qrt_rwlock_open(cx, &room->rwlock));
	TRY(qrt_rwlock_write(cx, room->rwlock, &room->lease));
	TRY(open_with(cx, room, in_rwlock, &region));
	TRY(conformance_fill(cx, &room->filler));
	TRY(qrt_unlock(&room->lease)); /* all of them read at once, with one entry too few */
	TRY(all_ended(cx, room));
	TRY(qrt_region_close(cx, &region, QRT_OK));
	EXPECT(room->most == CHILDREN && room->runs == CHILDREN);
	TRY(qrt_rwlock_try_read(cx, room->rwlock, &room->lease));
	EXPECT_ERR(QRT_EDEADLOCK, qrt_rwlock_write(cx, room->rwlock, &room->lease));
	return QRT_OK;
}

static enum qrt_err write_alone(struct qrt_cx *cx, struct room *room)
{
	struct qrt_lease lease;
	room->started++;
	TRY(qrt_rwlock_write(cx, room->rwlock, &lease));
	enum qrt_err err = stay_inside(cx, room);
	TRY(qrt_unlock(&lease));
	return err;
}

static enum qrt_err in_writer(struct qrt_cx *cx, void *arg)
{
	return told(arg, write_alone(cx, arg));
}

static enum qrt_err writers_scenario(struct qrt_cx *cx, void *arg)
{
	struct room *room = arg;
	struct qrt_region *region;
	TRY(qrt_rwlock_open(cx, &room->rwlock));
	TRY(qrt_rwlock_read(cx, room->rwlock, &room->lease));
	TRY(open_with(cx, room, in_writer, &region));
	TRY(qrt_unlock(&room->lease));
	TRY(conformance_fill(cx, &room->filler));
	TRY(all_ended(cx, room));
	TRY(qrt_region_close(cx, &region, QRT_OK));
	EXPECT(room->most == 1);
	return QRT_OK;
}

static enum qrt_err use_units(struct qrt_cx *cx, struct room *room)
{
	struct qrt_lease lease;
	size_t n = room->started++ == 0 ? 3 : 1;
	TRY(qrt_acquire(cx, room->semaphore, n, &lease));
	enum qrt_err err = stay_inside(cx, room);
	TRY(qrt_release(&lease));
	return err;
}

static enum qrt_err in_semaphore(struct qrt_cx *cx, void *arg)
{
	return told(arg, use_units(cx, arg));
}

static enum qrt_err semaphore_scenario(struct qrt_cx *cx, void *arg)
{
	struct room *room = arg;
	struct qrt_region *region;
	EXPECT_ERR(QRT_EINVAL, qrt_semaphore_open(cx, 0, &room->semaphore));
	TRY(qrt_semaphore_open(cx, 3, &room->semaphore));
	TRY(qrt_acquire(cx, room->semaphore, 2, &room->lease));
	TRY(open_with(cx, room, in_semaphore, &region));
	EXPECT(room->most == 0); /* nobody overtakes the one that wants all three */
	TRY(conformance_fill(cx, &room->filler));
	TRY(qrt_release(&room->lease));
	TRY(all_ended(cx, room));
	TRY(qrt_region_close(cx, &region, QRT_OK));
	EXPECT(room->most <= 2);
	TRY(qrt_try_acquire(cx, room->semaphore, 3, &room->lease)); /* all are back */
	EXPECT_ERR(QRT_EINVAL, qrt_acquire(cx, room->semaphore, 4, &room->lease));
	return QRT_OK;
}

/* --- barrier, notify, once ------------------------------------------------------------------- */

static enum qrt_err meet_twice(struct qrt_cx *cx, struct room *room)
{
	room->started++;
	for (uint64_t i = 1; i <= 2; i++) {
		struct qrt_barrier_pass pass;
		TRY(qrt_barrier_wait(cx, room->barrier, &pass));
		EXPECT(pass.generation == i);
		room->leaders += pass.leader;
	}
	return QRT_OK;
}

static enum qrt_err at_barrier(struct qrt_cx *cx, void *arg)
{
	return told(arg, meet_twice(cx, arg));
}

static enum qrt_err barrier_scenario(struct qrt_cx *cx, void *arg)
{
	struct room *room = arg;
	struct qrt_region *region;
	TRY(qrt_barrier_open(cx, CHILDREN + 1, &room->barrier));
	TRY(open_with(cx, room, at_barrier, &region));
	TRY(qrt_barrier_wait(cx, room->barrier, NULL));
	EXPECT(room->leaders == 0); /* we were the last */
	TRY(qrt_barrier_wait(cx, room->barrier, NULL));
	TRY(until(cx, room, &room->ended, CHILDREN));
	TRY(qrt_region_close(cx, &region, QRT_OK));
	room->started = 0;
	TRY(open_with(cx, room, at_barrier, &region));
	qrt_region_cancel(region, QRT_CANCEL_USER, "test");
	EXPECT_ERR(QRT_ECANCELED, qrt_region_close(cx, &region, QRT_OK));
	EXPECT(room->cancelled == CHILDREN);
	return QRT_OK;
}

static enum qrt_err at_notify(struct qrt_cx *cx, void *arg)
{
	struct room *room = arg;
	room->started++;
	return told(room, qrt_notify_wait(cx, room->notify));
}

static enum qrt_err notify_scenario(struct qrt_cx *cx, void *arg)
{
	struct room *room = arg;
	struct qrt_region *region;
	TRY(qrt_notify_open(cx, &room->notify));
	TRY(open_with(cx, room, at_notify, &region));
	TRY(qrt_notify_one(room->notify));
	TRY(until(cx, room, &room->ended, 1));
	EXPECT(room->ended == 1);
	TRY(qrt_notify_all(room->notify));
	TRY(until(cx, room, &room->ended, CHILDREN));
	TRY(qrt_region_close(cx, &region, QRT_OK));
	EXPECT_ERR(QRT_EAGAIN, qrt_notify_try_wait(cx, room->notify));
	TRY(qrt_notify_one(room->notify));
	TRY(qrt_notify_wait(cx, room->notify)); /* it was kept */
	return QRT_OK;
}

static enum qrt_err set_up(struct qrt_cx *cx, void *arg)
{
	struct room *room = arg;
	TRY(qrt_yield(cx)); /* the others come, and wait */
	room->runs++;
	if (room->failing) {
		room->failing = false;
		return qrt_fail(cx, QRT_EIO, "not yet");
	}
	return QRT_OK;
}

static enum qrt_err run_once(struct qrt_cx *cx, struct room *room)
{
	room->started++;
	enum qrt_err err = qrt_once_run(cx, room->once, set_up, room);
	return err == QRT_EIO ? QRT_OK : err;
}

static enum qrt_err at_once(struct qrt_cx *cx, void *arg)
{
	return told(arg, run_once(cx, arg));
}

static enum qrt_err once_scenario(struct qrt_cx *cx, void *arg)
{
	struct room *room = arg;
	struct qrt_region *region;
	room->failing = true;
	TRY(qrt_once_open(cx, &room->once));
	TRY(conformance_fill(cx, &room->filler));
	TRY(open_with(cx, room, at_once, &region));
	TRY(all_ended(cx, room));
	TRY(qrt_region_close(cx, &region, QRT_OK));
	EXPECT(room->runs == 2); /* one that failed, one for all */
	TRY(qrt_once_run(cx, room->once, set_up, room));
	EXPECT(room->runs == 2);
	return QRT_OK;
}

#define ROOM .state_size = sizeof(struct room), .clean = room_clean

static const struct conformance_scenario scenarios[] = {
    {"a mutex goes from one to the next", mutex_scenario, ROOM},
    {"who is cancelled in line for a mutex leaves it", cancel_scenario, ROOM},
    {"who dies with a mutex leaves it marked", owner_dead_scenario, ROOM,
     .needs = CONFORMANCE_STRUCTURED},
    {"many read or one writes", rwlock_scenario, ROOM},
    {"writers go one after the other", writers_scenario, ROOM},
    {"units come and go, and a big request is not overtaken", semaphore_scenario, ROOM},
    {"a barrier lets all through at once", barrier_scenario, ROOM},
    {"a notification wakes one or all", notify_scenario, ROOM},
    {"once it has succeeded it does not run again", once_scenario, ROOM},
};
CONFORMANCE_SUITE(locks, scenarios);
