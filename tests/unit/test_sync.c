/*
 * Mutex, rwlock, semaphore, barrier, notify, once: on every backend, and what only a structured
 * one promises (level-triggered cancel, leases taken back) there.
 */
#include <pthread.h>
#include <qrt/select.h>
#include <qrt/sync.h>
#include <stdlib.h>
#include <string.h>

#include "shim/src/sync/arm.h"
#include "tests/lib/backends.h"
#include "tests/lib/test.h"

/* Nothing here waits for time or I/O: so many turns bring every task to its next wait. */
static enum qrt_err let_run(struct qrt_cx *cx)
{
	for (int i = 0; i < 20; i++) {
		EXPECT(!qrt_yield(cx));
	}
	return QRT_OK;
}

/* --- all of them as one, to be held or waited for ------------------------------------------- */

enum what { MUTEX, READ, WRITE, UNITS, BARRIER, NOTIFY, ONCE, WHATS };

static const char *const what_names[WHATS] = {"mutex",	 "read",   "write", "units",
					      "barrier", "notify", "once"};

struct thing {
	enum what what;
	struct qrt_mutex *mutex;
	struct qrt_rwlock *rwlock;
	struct qrt_semaphore *semaphore;
	struct qrt_barrier *barrier;
	struct qrt_notify *notify;
	struct qrt_once *once;
	enum qrt_err once_err; /* what the function of the once returns */
	int once_runs;
	struct qrt_notify *gate; /* of who is to die holding it */
};

static enum qrt_err thing_open(struct qrt_cx *cx, struct thing *thing, enum what what)
{
	*thing = (struct thing){.what = what};
	switch (what) {
	case MUTEX:
		return qrt_mutex_open(cx, &thing->mutex);
	case READ:
	case WRITE:
		return qrt_rwlock_open(cx, &thing->rwlock);
	case UNITS:
		return qrt_semaphore_open(cx, 1, &thing->semaphore);
	case BARRIER:
		return qrt_barrier_open(cx, 2, &thing->barrier);
	case NOTIFY:
		return qrt_notify_open(cx, &thing->notify);
	default:
		return qrt_once_open(cx, &thing->once);
	}
}

static enum qrt_err thing_close(struct thing *thing)
{
	switch (thing->what) {
	case MUTEX:
		return qrt_mutex_close(&thing->mutex);
	case READ:
	case WRITE:
		return qrt_rwlock_close(&thing->rwlock);
	case UNITS:
		return qrt_semaphore_close(&thing->semaphore);
	case BARRIER:
		return qrt_barrier_close(&thing->barrier);
	case NOTIFY:
		return qrt_notify_close(&thing->notify);
	default:
		return qrt_once_close(&thing->once);
	}
}

static enum qrt_err once_body(struct qrt_cx *cx, void *arg)
{
	struct thing *thing = arg;
	thing->once_runs++;
	enum qrt_err err = qrt_yield(cx);
	return err ? err : thing->once_err;
}

static enum qrt_err thing_wait(struct qrt_cx *cx, struct thing *thing, struct qrt_lease *lease)
{
	switch (thing->what) {
	case MUTEX:
		return qrt_mutex_lock(cx, thing->mutex, lease);
	case READ:
		return qrt_rwlock_read(cx, thing->rwlock, lease);
	case WRITE:
		return qrt_rwlock_write(cx, thing->rwlock, lease);
	case UNITS:
		return qrt_acquire(cx, thing->semaphore, 1, lease);
	case BARRIER:
		return qrt_barrier_wait(cx, thing->barrier, NULL);
	case NOTIFY:
		return qrt_notify_wait(cx, thing->notify);
	default:
		return qrt_once_run(cx, thing->once, once_body, thing);
	}
}

/* Makes the next one wait. */
static enum qrt_err thing_hold(struct qrt_cx *cx, struct thing *thing, struct qrt_lease *lease)
{
	if (thing->what == READ) {
		return qrt_rwlock_write(cx, thing->rwlock, lease);
	}
	return thing->what == NOTIFY || thing->what == BARRIER ? QRT_OK
							       : thing_wait(cx, thing, lease);
}

/* Makes it one waiter's turn. */
static enum qrt_err thing_let(struct thing *thing, struct qrt_lease *lease)
{
	return thing->what == NOTIFY ? qrt_notify_one(thing->notify) : qrt_unlock(lease);
}

struct waiter {
	struct thing *thing;
	struct qrt_lease lease;
	enum qrt_err err;
	bool keep; /* and is let go of by a finalizer of nobody */
	bool ended;
	char *order;
	char letter;
};

static void put(struct waiter *waiter)
{
	if (waiter->order) {
		strncat(waiter->order, &waiter->letter, 1);
	}
}

static enum qrt_err waiter_main(struct qrt_cx *cx, void *arg)
{
	struct waiter *waiter = arg;
	waiter->err = thing_wait(cx, waiter->thing, &waiter->lease);
	waiter->ended = true;
	if (waiter->err && waiter->err != QRT_EOWNERDEAD) {
		return QRT_OK;
	}
	put(waiter);
	if (waiter->keep) {
		return QRT_OK;
	}
	bool holds = waiter->thing->what <= UNITS;
	if (holds) {
		QRT_IGNORE(qrt_yield(cx), "held over a switch");
		EXPECT(!qrt_unlock(&waiter->lease));
	}
	return QRT_OK;
}

/* --- in line --------------------------------------------------------------------------------- */

static enum qrt_err order_scenario(struct qrt_cx *cx, void *arg)
{
	enum what *what = arg;
	struct thing thing;
	struct qrt_lease lease;
	struct qrt_region *region;
	char order[8] = "";
	struct waiter waiters[5];
	EXPECT(!thing_open(cx, &thing, *what));
	EXPECT(!thing_hold(cx, &thing, &lease));
	EXPECT(!qrt_region_open(cx, QRT_FAIL_FAST, &region));
	for (int i = 0; i < 5; i++) {
		waiters[i] =
		    (struct waiter){.thing = &thing, .order = order, .letter = (char)('a' + i)};
		EXPECT(!qrt_spawn(region, waiter_main, &waiters[i]));
		EXPECT(!let_run(cx)); /* the lab picks among those that are ready */
	}
	EXPECT(strcmp(order, "") == 0);
	for (int i = 0; i < (*what == NOTIFY ? 5 : 1); i++) {
		EXPECT(!thing_let(&thing, &lease));
	}
	EXPECT(!qrt_region_close(cx, &region, QRT_OK));
	/* What is shared makes several ready at once: then any may run first. */
	EXPECT(strlen(order) == 5);
	EXPECT(*what == NOTIFY || *what == READ || strcmp(order, "abcde") == 0);
	return thing_close(&thing);
}

static void who_waits_first_is_served_first(void **state)
{
	(void)state;
	static const enum what all[] = {MUTEX, READ, WRITE, UNITS, NOTIFY};
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		enum what what = all[i];
		on_each_backend(order_scenario, &what);
	}
}

/* One turn at a time, the first in line is the one. */
static enum qrt_err turns_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct thing thing;
	struct qrt_region *region;
	char order[8] = "";
	struct waiter waiters[3];
	EXPECT(!thing_open(cx, &thing, NOTIFY));
	EXPECT(!qrt_region_open(cx, QRT_FAIL_FAST, &region));
	for (int i = 0; i < 3; i++) {
		waiters[i] =
		    (struct waiter){.thing = &thing, .order = order, .letter = (char)('a' + i)};
		EXPECT(!qrt_spawn(region, waiter_main, &waiters[i]));
		EXPECT(!let_run(cx));
	}
	for (int i = 0; i < 3; i++) {
		EXPECT(!qrt_notify_one(thing.notify));
		EXPECT(!let_run(cx));
		EXPECT(strlen(order) == (size_t)i + 1);
	}
	EXPECT(strcmp(order, "abc") == 0);
	EXPECT(!qrt_region_close(cx, &region, QRT_OK));
	return thing_close(&thing);
}

static void a_notification_wakes_who_has_waited_longest(void **state)
{
	(void)state;
	on_each_backend(turns_scenario, NULL);
}

static enum qrt_err leave_scenario(struct qrt_cx *cx, void *arg)
{
	enum what *what = arg;
	struct thing thing;
	struct qrt_lease lease;
	struct qrt_region *first, *second;
	EXPECT(!thing_open(cx, &thing, *what));
	EXPECT(!thing_hold(cx, &thing, &lease));
	struct waiter leaver = {.thing = &thing};
	struct waiter stayer = {.thing = &thing};
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &second));
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &first));
	EXPECT(!qrt_spawn(first, waiter_main, &leaver));
	EXPECT(!let_run(cx));
	EXPECT(!qrt_spawn(second, waiter_main, &stayer));
	EXPECT(!let_run(cx));
	qrt_region_cancel(first, QRT_CANCEL_USER, "leave the line");
	QRT_IGNORE(qrt_region_close(cx, &first, QRT_OK), "cancelled");
	EXPECT(leaver.err == QRT_ECANCELED);
	EXPECT(!stayer.ended);
	EXPECT(!thing_let(&thing, &lease));
	EXPECT(!qrt_region_close(cx, &second, QRT_OK));
	EXPECT(stayer.ended && !stayer.err);
	return thing_close(&thing);
}

static void who_is_cancelled_leaves_the_line(void **state)
{
	(void)state;
	static const enum what all[] = {MUTEX, READ, WRITE, UNITS, NOTIFY};
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		enum what what = all[i];
		on_each_backend(leave_scenario, &what);
	}
}

/* Its turn comes, and the cancel, before it has run. */
static enum qrt_err pass_scenario(struct qrt_cx *cx, void *arg)
{
	enum what *what = arg;
	struct thing thing;
	struct qrt_lease lease;
	struct qrt_region *first, *second;
	bool structured = is_structured(cx);
	EXPECT(!thing_open(cx, &thing, *what));
	EXPECT(!thing_hold(cx, &thing, &lease));
	struct waiter passer = {.thing = &thing};
	struct waiter heir = {.thing = &thing};
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &second));
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &first));
	EXPECT(!qrt_spawn(first, waiter_main, &passer));
	EXPECT(!let_run(cx));
	EXPECT(!qrt_spawn(second, waiter_main, &heir));
	EXPECT(!let_run(cx));
	EXPECT(!thing_let(&thing, &lease));
	qrt_region_cancel(first, QRT_CANCEL_USER, "too late to have it");
	QRT_IGNORE(qrt_region_close(cx, &first, QRT_OK), "cancelled");
	if (structured) {
		EXPECT(passer.err == QRT_ECANCELED);
	} else {
		EXPECT(!passer.err); /* a grant beats what nobody remembers */
		EXPECT(*what != NOTIFY || !qrt_notify_one(thing.notify));
	}
	EXPECT(!qrt_region_close(cx, &second, QRT_OK));
	EXPECT(heir.ended && !heir.err);
	return thing_close(&thing);
}

static void a_woken_waiter_that_is_cancelled_passes_its_turn_on(void **state)
{
	(void)state;
	static const enum what all[] = {MUTEX, READ, WRITE, UNITS, NOTIFY};
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		enum what what = all[i];
		on_each_backend(pass_scenario, &what);
	}
}

/* The same with nobody behind it: the turn must not get lost. */
static enum qrt_err back_scenario(struct qrt_cx *cx, void *arg)
{
	enum what *what = arg;
	struct thing thing;
	struct qrt_lease lease;
	struct qrt_region *region;
	if (!is_structured(cx)) {
		return QRT_OK;
	}
	EXPECT(!thing_open(cx, &thing, *what));
	EXPECT(!thing_hold(cx, &thing, &lease));
	struct waiter passer = {.thing = &thing};
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &region));
	EXPECT(!qrt_spawn(region, waiter_main, &passer));
	EXPECT(!let_run(cx));
	EXPECT(!thing_let(&thing, &lease));
	qrt_region_cancel(region, QRT_CANCEL_USER, "too late to have it");
	QRT_IGNORE(qrt_region_close(cx, &region, QRT_OK), "cancelled");
	EXPECT(passer.err == QRT_ECANCELED);
	EXPECT(!thing_hold(cx, &thing, &lease));
	EXPECT(*what != NOTIFY || !qrt_notify_try_wait(cx, thing.notify));
	EXPECT(*what == NOTIFY || !qrt_unlock(&lease));
	return thing_close(&thing);
}

static void a_turn_that_nobody_wants_is_not_lost(void **state)
{
	(void)state;
	static const enum what all[] = {MUTEX, READ, WRITE, UNITS, NOTIFY};
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		enum what what = all[i];
		on_each_backend(back_scenario, &what);
	}
}

static enum qrt_err late_scenario(struct qrt_cx *cx, void *arg)
{
	enum what *what = arg;
	struct thing thing;
	struct qrt_lease lease, late;
	EXPECT(!thing_open(cx, &thing, *what));
	struct qrt_region *region;
	const struct qrt_region_options opts = {.budget.deadline_ns =
						    qrt_deadline_in(cx, 2 * QRT_MS)};
	struct waiter holder = {.thing = &thing, .keep = true};
	if (*what <= UNITS) {
		EXPECT(!thing_hold(cx, &thing, &lease));
	}
	EXPECT(!qrt_region_open_with(cx, &opts, &region));
	holder.thing = &thing;
	if (*what <= UNITS) {
		/* Another task waits: who holds would be told of the deadlock. */
		EXPECT(!qrt_spawn(region, waiter_main, &holder));
		QRT_IGNORE(qrt_region_close(cx, &region, QRT_OK), "late");
		EXPECT(holder.err == QRT_ETIMEDOUT);
		EXPECT(!qrt_unlock(&lease));
	} else {
		EXPECT(thing_wait(qrt_region_cx(region), &thing, &late) == QRT_ETIMEDOUT);
		QRT_IGNORE(qrt_region_close(cx, &region, QRT_OK), "late");
	}
	return thing_close(&thing);
}

static void a_wait_ends_at_the_deadline_of_its_cx(void **state)
{
	(void)state;
	static const enum what all[] = {MUTEX, READ, WRITE, UNITS, BARRIER, NOTIFY};
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		enum what what = all[i];
		on_each_backend(late_scenario, &what);
	}
}

/* A region that may have one duty only cannot take a lease: the turn goes on. */
static enum qrt_err limit_scenario(struct qrt_cx *cx, void *arg)
{
	enum what *what = arg;
	struct thing thing;
	struct qrt_lease lease;
	struct qrt_region *narrow, *wide;
	struct qrt_duty full;
	EXPECT(!thing_open(cx, &thing, *what));
	EXPECT(!thing_hold(cx, &thing, &lease));
	const struct qrt_region_options opts = {.policy = QRT_COLLECT, .limits.duties_max = 1};
	struct waiter poor = {.thing = &thing};
	struct waiter heir = {.thing = &thing};
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &wide));
	EXPECT(!qrt_region_open_with(cx, &opts, &narrow));
	EXPECT(!qrt_oblige(qrt_region_cx(narrow), QRT_DUTY_OTHER, "filler", NULL, NULL, &full));
	EXPECT(!qrt_spawn(narrow, waiter_main, &poor));
	EXPECT(!let_run(cx));
	EXPECT(!qrt_spawn(wide, waiter_main, &heir));
	EXPECT(!let_run(cx));
	EXPECT(!qrt_unlock(&lease));
	EXPECT(!let_run(cx));
	EXPECT(poor.err == QRT_ELIMIT && !poor.lease.duty.entry);
	EXPECT(heir.ended && !heir.err);
	EXPECT(!qrt_settle(&full));
	EXPECT(!qrt_region_close(cx, &narrow, QRT_OK));
	EXPECT(!qrt_region_close(cx, &wide, QRT_OK));
	EXPECT(!thing_hold(cx, &thing, &lease)); /* nothing of it is left taken */
	EXPECT(!qrt_unlock(&lease));
	return thing_close(&thing);
}

static void a_lease_that_cannot_be_entered_goes_to_the_next(void **state)
{
	(void)state;
	for (enum what what = MUTEX; what <= UNITS; what++) {
		on_each_backend(limit_scenario, &what);
	}
}

/* --- misuse ---------------------------------------------------------------------------------- */

static enum qrt_err closed_scenario(struct qrt_cx *cx, void *arg)
{
	enum what *what = arg;
	struct thing thing;
	struct qrt_lease lease = {0};
	struct qrt_region *region;
	struct waiter waiters[3];
	EXPECT(!thing_open(cx, &thing, *what));
	size_t n = *what == BARRIER ? 1 : 3;
	struct qrt_lease held = {0};
	bool holds = *what <= UNITS;
	if (holds) {
		EXPECT(!thing_hold(cx, &thing, &held));
	}
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &region));
	for (size_t i = 0; i < n; i++) {
		waiters[i] = (struct waiter){.thing = &thing};
		EXPECT(!qrt_spawn(region, waiter_main, &waiters[i]));
	}
	EXPECT(!let_run(cx));
	struct thing stale = thing;
	EXPECT(!thing_close(&thing));
	EXPECT(!thing_close(&thing)); /* NULL by now */
	EXPECT(thing_close(&stale) == QRT_ESTALE);
	EXPECT(!qrt_region_close(cx, &region, QRT_OK));
	for (size_t i = 0; i < n; i++) {
		EXPECT(waiters[i].ended && waiters[i].err == QRT_ECLOSED);
	}
	EXPECT(thing_wait(cx, &stale, &lease) == QRT_ESTALE);
	EXPECT(strstr(qrt_detail(cx), "is closed"));
	EXPECT(!holds || !qrt_unlock(&held));
	/* The slot serves another one now: the handle is stale all the same. */
	struct thing other;
	EXPECT(!thing_open(cx, &other, *what));
	EXPECT(thing_wait(cx, &stale, &lease) == QRT_ESTALE);
	return thing_close(&other);
}

static void closing_tells_who_waits_and_makes_the_handle_stale(void **state)
{
	(void)state;
	static const enum what all[] = {MUTEX, READ, WRITE, UNITS, BARRIER, NOTIFY};
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		enum what what = all[i];
		print_message("closing: %s\n", what_names[what]);
		on_each_backend(closed_scenario, &what);
	}
}

/* Granted, then closed, then run. */
static enum qrt_err closed_late_scenario(struct qrt_cx *cx, void *arg)
{
	enum what *what = arg;
	struct thing thing;
	struct qrt_lease lease;
	struct qrt_region *region;
	EXPECT(!thing_open(cx, &thing, *what));
	EXPECT(!thing_hold(cx, &thing, &lease));
	struct waiter waiter = {.thing = &thing};
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &region));
	EXPECT(!qrt_spawn(region, waiter_main, &waiter));
	EXPECT(!let_run(cx));
	EXPECT(!thing_let(&thing, &lease));
	EXPECT(!thing_close(&thing));
	EXPECT(!qrt_region_close(cx, &region, QRT_OK));
	EXPECT(waiter.ended && waiter.err == QRT_ECLOSED);
	return QRT_OK;
}

static void what_is_closed_before_its_new_holder_runs_is_closed(void **state)
{
	(void)state;
	for (enum what what = MUTEX; what <= UNITS; what++) {
		on_each_backend(closed_late_scenario, &what);
	}
}

static enum qrt_err lease_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct qrt_mutex *mutex;
	struct qrt_lease lease, none = {0};
	struct qrt_lease other;
	EXPECT(!qrt_mutex_open(cx, &mutex));
	EXPECT(!qrt_mutex_lock(cx, mutex, &lease));
	struct qrt_lease copy = lease;
	EXPECT(qrt_mutex_lock(cx, mutex, &other) == QRT_EDEADLOCK);
	EXPECT(qrt_mutex_try_lock(cx, mutex, &other) == QRT_EDEADLOCK);
	EXPECT(!qrt_unlock(&lease));
	EXPECT(qrt_unlock(&lease) == QRT_ESTALE);
	EXPECT(qrt_unlock(&copy) == QRT_ESTALE);
	EXPECT(qrt_unlock(&none) == QRT_ESTALE);
	EXPECT(!qrt_mutex_lock(cx, mutex, &lease));
	EXPECT(qrt_unlock(&copy) == QRT_ESTALE); /* the same entry, used again */
	EXPECT(!qrt_release(&lease));
	EXPECT(!qrt_oblige(cx, QRT_DUTY_LEASE, "mine", NULL, NULL, &other.duty));
	EXPECT(qrt_unlock(&other) == QRT_EINVAL);
	EXPECT(!qrt_settle(&other.duty));
	return qrt_mutex_close(&mutex);
}

static void a_lease_is_given_back_once(void **state)
{
	(void)state;
	on_each_backend(lease_scenario, NULL);
}

static enum qrt_err again_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct qrt_rwlock *lock;
	struct qrt_lease lease, other;
	EXPECT(!qrt_rwlock_open(cx, &lock));
	EXPECT(!qrt_rwlock_read(cx, lock, &lease));
	EXPECT(qrt_rwlock_read(cx, lock, &other) == QRT_EDEADLOCK);
	EXPECT(qrt_rwlock_write(cx, lock, &other) == QRT_EDEADLOCK);
	EXPECT(!qrt_unlock(&lease));
	EXPECT(!qrt_rwlock_write(cx, lock, &lease));
	EXPECT(qrt_rwlock_read(cx, lock, &other) == QRT_EDEADLOCK);
	EXPECT(qrt_rwlock_write(cx, lock, &other) == QRT_EDEADLOCK);
	EXPECT(!qrt_unlock(&lease));
	return qrt_rwlock_close(&lock);
}

static void a_rwlock_one_holds_is_not_waited_for(void **state)
{
	(void)state;
	on_each_backend(again_scenario, NULL);
}

struct bystander {
	struct qrt_notify *notify;
	struct qrt_mutex *mutex;
	struct qrt_lease *lease;
	struct qrt_cx *cx;
	enum qrt_err errs[5];
};

static void *bystander_main(void *arg)
{
	struct bystander *by = arg;
	struct qrt_mutex *mutex = by->mutex;
	struct qrt_lease lease;
	by->errs[0] = qrt_notify_one(by->notify);
	by->errs[1] = qrt_unlock(by->lease);
	by->errs[2] = qrt_mutex_close(&mutex);
	by->errs[3] = qrt_mutex_try_lock(by->cx, mutex, &lease);
	by->errs[4] = qrt_mutex_open(by->cx, &mutex);
	return NULL;
}

static enum qrt_err thread_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct qrt_notify *notify;
	struct qrt_mutex *mutex;
	struct qrt_lease lease;
	pthread_t thread;
	EXPECT(!qrt_notify_open(cx, &notify));
	EXPECT(!qrt_mutex_open(cx, &mutex));
	EXPECT(!qrt_mutex_lock(cx, mutex, &lease));
	struct bystander by = {.notify = notify, .mutex = mutex, .lease = &lease, .cx = cx};
	EXPECT(pthread_create(&thread, NULL, bystander_main, &by) == 0);
	EXPECT(pthread_join(thread, NULL) == 0);
	for (size_t i = 0; i < 5; i++) {
		EXPECT(by.errs[i] == QRT_ETHREAD);
	}
	EXPECT(qrt_notify_try_wait(cx, notify) == QRT_EAGAIN);
	EXPECT(!qrt_unlock(&lease));
	EXPECT(!qrt_notify_close(&notify));
	return qrt_mutex_close(&mutex);
}

static void another_thread_is_turned_away(void **state)
{
	(void)state;
	on_each_backend(thread_scenario, NULL);
}

static enum qrt_err no_wait_here(struct qrt_cx *cx, struct thing *thing)
{
	struct qrt_lease lease;
	return thing_wait(cx, thing, &lease);
}

static void finalizer(struct qrt_cx *cx, void *arg)
{
	struct waiter *waiter = arg;
	waiter->err = no_wait_here(cx, waiter->thing);
	waiter->ended = true;
}

static enum qrt_err finalizer_scenario(struct qrt_cx *cx, void *arg)
{
	enum what *what = arg;
	struct thing thing;
	struct qrt_region *region;
	EXPECT(!thing_open(cx, &thing, *what));
	struct waiter waiter = {.thing = &thing};
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &region));
	EXPECT(!qrt_defer(qrt_region_cx(region), finalizer, &waiter));
	EXPECT(!qrt_region_close(cx, &region, QRT_OK));
	EXPECT(waiter.ended && waiter.err == QRT_ENOSUSPEND);
	return thing_close(&thing);
}

static void a_finalizer_may_not_wait_for_any_of_them(void **state)
{
	(void)state;
	for (enum what what = MUTEX; what < WHATS; what++) {
		on_each_backend(finalizer_scenario, &what);
	}
}

/* --- who dies with a lease ------------------------------------------------------------------- */

static enum qrt_err die_by_return(struct qrt_cx *cx, void *arg)
{
	struct qrt_lease lease;
	struct thing *thing = arg;
	enum qrt_err err = thing_wait(cx, thing, &lease);
	return err ? err : qrt_notify_wait(cx, thing->gate);
}

static enum qrt_err die_by_panic(struct qrt_cx *cx, void *arg)
{
	enum qrt_err err = die_by_return(cx, arg);
	if (err) {
		return err;
	}
	qrt_panic(cx, "died with it");
}

/* A cleanup that does not end: it is forced. */
static enum qrt_err die_by_force(struct qrt_cx *cx, void *arg)
{
	enum qrt_err err = die_by_return(cx, arg);
	while (!err || err == QRT_ECANCELED) {
		err = qrt_yield(cx);
	}
	return err;
}

struct death {
	enum what what;
	qrt_task_fn *die;
	enum qrt_err closed; /* what the region of the deceased says */
};

static enum qrt_err death_scenario(struct qrt_cx *cx, void *arg)
{
	const struct death *death = arg;
	struct thing thing;
	struct qrt_region *hers, *ours;
	if (!is_structured(cx)) {
		return QRT_OK; /* counted only */
	}
	bool marks = death->what == MUTEX || death->what == WRITE;
	EXPECT(!thing_open(cx, &thing, death->what));
	EXPECT(!qrt_notify_open(cx, &thing.gate));
	struct waiter heirs[2] = {{.thing = &thing}, {.thing = &thing}};
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &ours));
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &hers));
	EXPECT(!qrt_spawn(hers, death->die, &thing));
	EXPECT(!let_run(cx));
	EXPECT(!qrt_spawn(ours, waiter_main, &heirs[0]));
	EXPECT(!qrt_spawn(ours, waiter_main, &heirs[1]));
	EXPECT(!let_run(cx));
	EXPECT(death->what == READ || (!heirs[0].ended && !heirs[1].ended));
	if (death->die == die_by_force) {
		qrt_region_cancel(hers, QRT_CANCEL_USER, "end");
	} else {
		EXPECT(!qrt_notify_one(thing.gate));
	}
	EXPECT(qrt_region_close(cx, &hers, QRT_OK) == death->closed);
	EXPECT(!qrt_region_close(cx, &ours, QRT_OK));
	for (int i = 0; i < 2; i++) {
		EXPECT(heirs[i].ended);
		EXPECT(heirs[i].err == (marks ? QRT_EOWNERDEAD : QRT_OK));
	}
	/* Without waiting too, until it is said to be repaired. */
	struct qrt_lease lease;
	EXPECT(thing_wait(cx, &thing, &lease) == (marks ? QRT_EOWNERDEAD : QRT_OK));
	if (death->what == MUTEX) {
		EXPECT(!qrt_mutex_consistent(thing.mutex));
	} else if (death->what == WRITE) {
		EXPECT(!qrt_rwlock_consistent(thing.rwlock));
	}
	EXPECT(!qrt_unlock(&lease));
	EXPECT(!thing_wait(cx, &thing, &lease));
	EXPECT(!qrt_unlock(&lease));
	EXPECT(!qrt_notify_close(&thing.gate));
	return thing_close(&thing);
}

static void a_lock_whose_holder_died_says_so_until_repaired(void **state)
{
	(void)state;
	for (enum what what = MUTEX; what <= UNITS; what++) {
		struct death deaths[] = {{what, die_by_return, QRT_ELEAK},
					 {what, die_by_panic, QRT_EPANIC},
					 {what, die_by_force, QRT_ECANCELED}};
		for (size_t i = 0; i < 3; i++) {
			print_message("%s, death %zu\n", what_names[what], i);
			on_each_backend(death_scenario, &deaths[i]);
		}
	}
}

static enum qrt_err repair_from_outside(struct qrt_cx *cx, void *arg)
{
	struct thing *thing = arg;
	(void)cx;
	EXPECT(qrt_mutex_consistent(thing->mutex) == QRT_ENOTOWNER);
	EXPECT(qrt_rwlock_consistent(thing->rwlock) == QRT_ENOTOWNER);
	return QRT_OK;
}

static enum qrt_err repair_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct thing thing = {.what = MUTEX};
	struct qrt_lease lease, other;
	struct qrt_region *region;
	EXPECT(!qrt_mutex_open(cx, &thing.mutex));
	EXPECT(!qrt_rwlock_open(cx, &thing.rwlock));
	EXPECT(qrt_mutex_consistent(thing.mutex) == QRT_ENOTOWNER);
	EXPECT(qrt_rwlock_consistent(thing.rwlock) == QRT_ENOTOWNER);
	EXPECT(!qrt_mutex_lock(cx, thing.mutex, &lease));
	EXPECT(!qrt_rwlock_write(cx, thing.rwlock, &other));
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &region));
	EXPECT(!qrt_spawn(region, repair_from_outside, &thing));
	EXPECT(!qrt_region_close(cx, &region, QRT_OK));
	EXPECT(!qrt_mutex_consistent(thing.mutex));
	EXPECT(!qrt_rwlock_consistent(thing.rwlock));
	EXPECT(!qrt_unlock(&lease));
	EXPECT(!qrt_unlock(&other));
	EXPECT(!qrt_mutex_close(&thing.mutex));
	EXPECT(!qrt_rwlock_close(&thing.rwlock));
	EXPECT(qrt_mutex_consistent(thing.mutex) == QRT_ESTALE);
	EXPECT(qrt_rwlock_consistent(thing.rwlock) == QRT_ESTALE);
	return QRT_OK;
}

static void only_the_holder_says_that_it_is_repaired(void **state)
{
	(void)state;
	on_each_backend(repair_scenario, NULL);
}

struct handover {
	struct qrt_mutex *mutex;
	struct qrt_lease lease;
	struct qrt_notify *taken, *seen;
	enum qrt_err again;
};

static enum qrt_err take_over(struct qrt_cx *cx, void *arg)
{
	struct handover *over = arg;
	struct qrt_lease lease;
	EXPECT(!qrt_duty_give(&over->lease.duty, cx));
	over->again = qrt_mutex_try_lock(cx, over->mutex, &lease);
	EXPECT(!qrt_notify_one(over->taken));
	EXPECT(!qrt_notify_wait(cx, over->seen));
	return qrt_unlock(&over->lease);
}

static enum qrt_err handover_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct handover over;
	struct qrt_region *region;
	struct qrt_lease lease;
	EXPECT(!qrt_mutex_open(cx, &over.mutex));
	EXPECT(!qrt_notify_open(cx, &over.taken));
	EXPECT(!qrt_notify_open(cx, &over.seen));
	EXPECT(!qrt_mutex_lock(cx, over.mutex, &over.lease));
	EXPECT(!qrt_region_open(cx, QRT_FAIL_FAST, &region));
	EXPECT(!qrt_spawn(region, take_over, &over));
	EXPECT(!qrt_notify_wait(cx, over.taken));
	EXPECT(over.again == QRT_EDEADLOCK); /* it is the other's now */
	EXPECT(qrt_mutex_try_lock(cx, over.mutex, &lease) == QRT_EAGAIN);
	EXPECT(!qrt_notify_one(over.seen));
	EXPECT(!qrt_mutex_lock(cx, over.mutex, &lease));
	EXPECT(!qrt_unlock(&lease));
	EXPECT(!qrt_region_close(cx, &region, QRT_OK));
	EXPECT(!qrt_notify_close(&over.taken));
	EXPECT(!qrt_notify_close(&over.seen));
	return qrt_mutex_close(&over.mutex);
}

static void a_lease_can_be_handed_to_another_task(void **state)
{
	(void)state;
	on_each_backend(handover_scenario, NULL);
}

/* Nobody closes it: its region does, and says so. */
static enum qrt_err forgotten_scenario(struct qrt_cx *cx, void *arg)
{
	enum what *what = arg;
	struct thing thing;
	struct qrt_region *inner, *outer;
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &outer));
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &inner));
	EXPECT(!thing_open(qrt_region_cx(outer), &thing, *what));
	struct thing copy = thing;
	EXPECT(!qrt_region_close(cx, &inner, QRT_OK));
	EXPECT(qrt_region_close(cx, &outer, QRT_OK) == QRT_ELEAK);
	EXPECT(strstr(qrt_detail(cx), "test_sync.c:"));
	if (is_structured(cx)) {
		EXPECT(thing_close(&copy) == QRT_ESTALE);
	}
	return QRT_OK;
}

static void what_nobody_closes_its_region_closes(void **state)
{
	(void)state;
	for (enum what what = MUTEX; what < WHATS; what++) {
		on_each_backend(forgotten_scenario, &what);
	}
}

/* --- rwlock ---------------------------------------------------------------------------------- */

static enum qrt_err shared_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct thing reads = {.what = READ};
	struct qrt_lease lease;
	struct qrt_region *region;
	char order[8] = "";
	EXPECT(!qrt_rwlock_open(cx, &reads.rwlock));
	struct thing writes = reads;
	writes.what = WRITE;
	struct waiter first = {.thing = &reads, .order = order, .letter = 'r', .keep = true};
	struct waiter writer = {.thing = &writes, .order = order, .letter = 'w', .keep = true};
	struct waiter later = {.thing = &reads, .order = order, .letter = 's'};
	struct waiter last = {.thing = &reads, .order = order, .letter = 's'};
	EXPECT(!qrt_rwlock_read(cx, reads.rwlock, &lease));
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &region));
	first.keep = false;
	writer.keep = false;
	EXPECT(!qrt_spawn(region, waiter_main, &first));
	EXPECT(!let_run(cx));
	EXPECT(strcmp(order, "r") == 0); /* two at a time */
	EXPECT(!qrt_spawn(region, waiter_main, &writer));
	EXPECT(!let_run(cx));
	EXPECT(!qrt_spawn(region, waiter_main, &later));
	EXPECT(!qrt_spawn(region, waiter_main, &last));
	EXPECT(!let_run(cx));
	EXPECT(strcmp(order, "r") == 0); /* the writer in line stops them */
	EXPECT(!qrt_unlock(&lease));
	EXPECT(!qrt_region_close(cx, &region, QRT_OK));
	EXPECT(strcmp(order, "rwss") == 0);
	return qrt_rwlock_close(&reads.rwlock);
}

static void a_waiting_writer_stops_new_readers(void **state)
{
	(void)state;
	on_each_backend(shared_scenario, NULL);
}

struct crowd {
	struct qrt_rwlock *lock;
	int readers, writers, most_readers;
};

static enum qrt_err crowd_member(struct qrt_cx *cx, struct crowd *crowd, bool writes)
{
	struct qrt_lease lease;
	int *mine = writes ? &crowd->writers : &crowd->readers;
	for (int i = 0; i < 20; i++) {
		EXPECT(!(writes ? qrt_rwlock_write(cx, crowd->lock, &lease)
				: qrt_rwlock_read(cx, crowd->lock, &lease)));
		++*mine;
		EXPECT(crowd->writers <= 1);
		EXPECT(crowd->writers == 0 || crowd->readers == 0);
		if (crowd->readers > crowd->most_readers) {
			crowd->most_readers = crowd->readers;
		}
		EXPECT(!qrt_yield(cx));
		--*mine;
		EXPECT(!qrt_unlock(&lease));
		EXPECT(i % 3 || !qrt_yield(cx));
	}
	return QRT_OK;
}

static enum qrt_err crowd_reader(struct qrt_cx *cx, void *arg)
{
	return crowd_member(cx, arg, false);
}

static enum qrt_err crowd_writer(struct qrt_cx *cx, void *arg)
{
	return crowd_member(cx, arg, true);
}

static enum qrt_err crowd_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct crowd crowd = {0};
	struct qrt_region *region;
	EXPECT(!qrt_rwlock_open(cx, &crowd.lock));
	EXPECT(!qrt_region_open(cx, QRT_FAIL_FAST, &region));
	for (int i = 0; i < 6; i++) {
		EXPECT(!qrt_spawn(region, i % 3 ? crowd_reader : crowd_writer, &crowd));
	}
	EXPECT(!qrt_region_close(cx, &region, QRT_OK));
	EXPECT(crowd.most_readers > 1);
	return qrt_rwlock_close(&crowd.lock);
}

static void a_writer_is_alone_and_readers_are_not(void **state)
{
	(void)state;
	on_each_backend(crowd_scenario, NULL);
}

static enum qrt_err cancelled_writer_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct thing reads = {.what = READ};
	struct qrt_lease lease, other;
	struct qrt_region *first, *second;
	EXPECT(!qrt_rwlock_open(cx, &reads.rwlock));
	struct thing writes = reads;
	writes.what = WRITE;
	struct waiter writer = {.thing = &writes};
	struct waiter reader = {.thing = &reads};
	EXPECT(!qrt_rwlock_read(cx, reads.rwlock, &lease));
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &second));
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &first));
	EXPECT(!qrt_spawn(first, waiter_main, &writer));
	EXPECT(!let_run(cx));
	EXPECT(!qrt_spawn(second, waiter_main, &reader));
	EXPECT(!let_run(cx));
	EXPECT(!reader.ended);
	qrt_region_cancel(first, QRT_CANCEL_USER, "no longer");
	QRT_IGNORE(qrt_region_close(cx, &first, QRT_OK), "cancelled");
	EXPECT(writer.err == QRT_ECANCELED);
	EXPECT(!qrt_region_close(cx, &second, QRT_OK)); /* the lock is still held to read */
	EXPECT(reader.ended && !reader.err);
	EXPECT(!qrt_unlock(&lease));
	EXPECT(!qrt_rwlock_try_write(cx, reads.rwlock, &other));
	EXPECT(!qrt_unlock(&other));
	return qrt_rwlock_close(&reads.rwlock);
}

static void a_writer_that_gives_up_lets_the_readers_behind_it_in(void **state)
{
	(void)state;
	on_each_backend(cancelled_writer_scenario, NULL);
}

static enum qrt_err try_in_vain(struct qrt_cx *cx, void *arg)
{
	struct thing *thing = arg;
	struct qrt_lease lease;
	switch (thing->what) {
	case MUTEX:
		return qrt_mutex_try_lock(cx, thing->mutex, &lease);
	case READ:
		return qrt_rwlock_try_read(cx, thing->rwlock, &lease);
	case WRITE:
		return qrt_rwlock_try_write(cx, thing->rwlock, &lease);
	default:
		return qrt_try_acquire(cx, thing->semaphore, 1, &lease);
	}
}

static enum qrt_err try_and_give_back(struct qrt_cx *cx, void *arg)
{
	struct thing *thing = arg;
	struct qrt_lease lease;
	enum qrt_err err = thing->what == MUTEX	 ? qrt_mutex_try_lock(cx, thing->mutex, &lease)
			   : thing->what == READ ? qrt_rwlock_try_read(cx, thing->rwlock, &lease)
			   : thing->what == WRITE
			       ? qrt_rwlock_try_write(cx, thing->rwlock, &lease)
			       : qrt_try_acquire(cx, thing->semaphore, 1, &lease);
	return err ? err : qrt_unlock(&lease);
}

static enum qrt_err ask(struct qrt_cx *cx, qrt_task_fn *fn, void *arg)
{
	struct qrt_region *region;
	enum qrt_err err = qrt_region_open(cx, QRT_COLLECT, &region);
	if (!err) {
		err = qrt_spawn(region, fn, arg);
		err = qrt_region_close(cx, &region, err);
	}
	return err;
}

static enum qrt_err try_scenario(struct qrt_cx *cx, void *arg)
{
	enum what *what = arg;
	struct thing thing;
	struct qrt_lease lease;
	EXPECT(!thing_open(cx, &thing, *what));
	EXPECT(!thing_hold(cx, &thing, &lease));
	EXPECT(ask(cx, try_in_vain, &thing) == QRT_EAGAIN);
	EXPECT(!qrt_unlock(&lease));
	EXPECT(!ask(cx, try_and_give_back, &thing));
	EXPECT(!ask(cx, try_and_give_back, &thing));
	return thing_close(&thing);
}

static void trying_never_waits(void **state)
{
	(void)state;
	for (enum what what = MUTEX; what <= UNITS; what++) {
		on_each_backend(try_scenario, &what);
	}
}

/* Let go of, with somebody in line: it is theirs from then on. */
static enum qrt_err snatch_scenario(struct qrt_cx *cx, void *arg)
{
	enum what *what = arg;
	struct thing thing;
	struct qrt_lease lease;
	struct qrt_region *region;
	EXPECT(!thing_open(cx, &thing, *what));
	EXPECT(!thing_hold(cx, &thing, &lease));
	struct thing snatched = thing;
	snatched.what = *what == READ ? WRITE : *what;
	struct waiter waiter = {.thing = &thing};
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &region));
	EXPECT(!qrt_spawn(region, waiter_main, &waiter));
	EXPECT(!let_run(cx));
	EXPECT(!qrt_unlock(&lease));
	EXPECT(try_in_vain(cx, &snatched) == QRT_EAGAIN);
	EXPECT(!waiter.ended);
	EXPECT(!qrt_region_close(cx, &region, QRT_OK));
	EXPECT(waiter.ended && !waiter.err);
	return thing_close(&thing);
}

static void what_was_handed_over_cannot_be_snatched(void **state)
{
	(void)state;
	for (enum what what = MUTEX; what <= UNITS; what++) {
		on_each_backend(snatch_scenario, &what);
	}
}

static bool is_held_by(struct qrt_case arm, const char *name)
{
	const struct qrt_task *holder = arm.ops_->holder(&arm);
	return name ? holder && strcmp(holder->name, name) == 0 : !holder;
}

/* What the wait-for graph asks. */
static enum qrt_err holder_scenario(struct qrt_cx *cx, void *arg)
{
	enum what *what = arg;
	struct thing thing;
	struct qrt_lease lease;
	struct qrt_region *region;
	EXPECT(!thing_open(cx, &thing, *what));
	struct qrt_case arm = *what == MUTEX ? qrt_case_lock(thing.mutex, &lease)
					     : qrt_case_rdlock(thing.rwlock, &lease);
	EXPECT(is_held_by(arm, NULL));
	EXPECT(!thing_hold(cx, &thing, &lease));
	EXPECT(is_held_by(arm, "main"));
	struct waiter waiter = {.thing = &thing};
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &region));
	EXPECT(!qrt_spawn(region, waiter_main, &waiter));
	EXPECT(!let_run(cx));
	EXPECT(is_held_by(arm, "main"));
	EXPECT(!qrt_unlock(&lease));
	EXPECT(is_held_by(arm, "waiter_main")); /* promised, before it runs */
	while (!waiter.ended) {
		EXPECT(!qrt_yield(cx));
	}
	/* The lab may have let it unlock by now. */
	bool given = !qrt_duty_give(&waiter.lease.duty, cx);
	EXPECT(is_held_by(arm, given ? "main" : NULL));
	EXPECT(!qrt_region_close(cx, &region, QRT_OK));
	EXPECT(is_held_by(arm, NULL));
	EXPECT(!thing_close(&thing));
	EXPECT(is_held_by(arm, NULL));
	return QRT_OK;
}

static void a_lock_knows_who_holds_it(void **state)
{
	(void)state;
	static const enum what all[] = {MUTEX, WRITE};
	for (size_t i = 0; i < 2; i++) {
		enum what what = all[i];
		on_each_backend(holder_scenario, &what);
	}
}

/* --- semaphore ------------------------------------------------------------------------------- */

struct borrower {
	struct qrt_semaphore *semaphore;
	size_t n;
	struct qrt_lease lease;
	enum qrt_err err;
	bool ended;
};

static enum qrt_err borrow(struct qrt_cx *cx, void *arg)
{
	struct borrower *borrower = arg;
	borrower->err = qrt_acquire(cx, borrower->semaphore, borrower->n, &borrower->lease);
	borrower->ended = true;
	if (!borrower->err) {
		QRT_IGNORE(qrt_yield(cx), "held over a switch");
		EXPECT(!qrt_release(&borrower->lease));
	}
	return QRT_OK;
}

static enum qrt_err big_scenario(struct qrt_cx *cx, void *arg)
{
	bool cancel = *(bool *)arg;
	struct qrt_semaphore *semaphore;
	struct qrt_lease lease, other;
	struct qrt_region *first, *second;
	EXPECT(!qrt_semaphore_open(cx, 5, &semaphore));
	struct borrower big = {.semaphore = semaphore, .n = 4};
	struct borrower small = {.semaphore = semaphore, .n = 1};
	EXPECT(!qrt_acquire(cx, semaphore, 2, &lease));
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &second));
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &first));
	EXPECT(!qrt_spawn(first, borrow, &big));
	EXPECT(!let_run(cx));
	EXPECT(!qrt_spawn(second, borrow, &small));
	EXPECT(!let_run(cx));
	EXPECT(!big.ended && !small.ended); /* three are free, and yet */
	EXPECT(qrt_try_acquire(cx, semaphore, 1, &other) == QRT_EAGAIN);
	if (cancel) {
		qrt_region_cancel(first, QRT_CANCEL_USER, "no longer");
	} else {
		EXPECT(!qrt_release(&lease));
	}
	QRT_IGNORE(qrt_region_close(cx, &first, QRT_OK), "cancelled or not");
	EXPECT(!qrt_region_close(cx, &second, QRT_OK));
	EXPECT(big.err == (cancel ? QRT_ECANCELED : QRT_OK));
	EXPECT(small.ended && !small.err);
	EXPECT(!cancel || !qrt_release(&lease));
	EXPECT(!qrt_try_acquire(cx, semaphore, 5, &lease)); /* all are back */
	EXPECT(!qrt_release(&lease));
	return qrt_semaphore_close(&semaphore);
}

static void a_big_request_is_not_overtaken(void **state)
{
	(void)state;
	bool cancel = false;
	on_each_backend(big_scenario, &cancel);
}

static void a_big_request_that_gives_up_lets_the_small_ones_go(void **state)
{
	(void)state;
	bool cancel = true;
	on_each_backend(big_scenario, &cancel);
}

static enum qrt_err units_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct qrt_semaphore *semaphore = NULL;
	struct qrt_lease lease, other;
	EXPECT(qrt_semaphore_open(cx, 0, &semaphore) == QRT_EINVAL && !semaphore);
	EXPECT(!qrt_semaphore_open(cx, 3, &semaphore));
	EXPECT(qrt_acquire(cx, semaphore, 0, &lease) == QRT_EINVAL);
	EXPECT(qrt_acquire(cx, semaphore, 4, &lease) == QRT_EINVAL);
	EXPECT(strcmp(qrt_detail(cx), "4 units of a semaphore that has 3") == 0);
	EXPECT(!qrt_acquire(cx, semaphore, 1, &lease));
	EXPECT(!qrt_acquire(cx, semaphore, 2, &other)); /* one may hold several leases */
	struct qrt_lease copy = other;
	EXPECT(!qrt_release(&other));
	EXPECT(qrt_release(&copy) == QRT_ESTALE);
	EXPECT(!qrt_try_acquire(cx, semaphore, 2, &other));
	EXPECT(!qrt_release(&other));
	EXPECT(!qrt_release(&lease));
	return qrt_semaphore_close(&semaphore);
}

static void a_request_that_can_never_be_met_is_refused(void **state)
{
	(void)state;
	on_each_backend(units_scenario, NULL);
}

/* --- barrier --------------------------------------------------------------------------------- */

struct party {
	struct qrt_barrier *barrier;
	struct qrt_barrier_pass passes[3];
	int n_passed;
	int *arrived;
	enum qrt_err err;
};

static enum qrt_err party_main(struct qrt_cx *cx, void *arg)
{
	struct party *party = arg;
	for (int i = 0; i < 3; i++) {
		++*party->arrived;
		party->err = qrt_barrier_wait(cx, party->barrier, &party->passes[i]);
		if (party->err) {
			return QRT_OK;
		}
		EXPECT(*party->arrived >= 4 * (i + 1)); /* nobody went early */
		party->n_passed++;
	}
	return QRT_OK;
}

static enum qrt_err barrier_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct qrt_barrier *barrier = NULL;
	struct qrt_region *region;
	struct party parties[4];
	int arrived = 0;
	EXPECT(qrt_barrier_open(cx, 0, &barrier) == QRT_EINVAL && !barrier);
	EXPECT(!qrt_barrier_open(cx, 4, &barrier));
	EXPECT(!qrt_region_open(cx, QRT_FAIL_FAST, &region));
	for (int i = 0; i < 4; i++) {
		parties[i] = (struct party){.barrier = barrier, .arrived = &arrived};
		EXPECT(!qrt_spawn(region, party_main, &parties[i]));
		EXPECT(!let_run(cx));
		EXPECT(i == 3 || parties[0].n_passed == 0);
	}
	EXPECT(!qrt_region_close(cx, &region, QRT_OK));
	for (int round = 0; round < 3; round++) {
		int leaders = 0;
		for (int i = 0; i < 4; i++) {
			EXPECT(parties[i].passes[round].generation == (uint64_t)round + 1);
			leaders += parties[i].passes[round].leader;
		}
		EXPECT(leaders == 1);
	}
	EXPECT(parties[3].passes[0].leader); /* the last to come */
	return qrt_barrier_close(&barrier);
}

static void a_barrier_lets_all_go_when_all_are_there(void **state)
{
	(void)state;
	on_each_backend(barrier_scenario, NULL);
}

static enum qrt_err meet_once(struct qrt_cx *cx, void *arg)
{
	struct party *party = arg;
	party->err = qrt_barrier_wait(cx, party->barrier, &party->passes[0]);
	party->n_passed += !party->err;
	return QRT_OK;
}

static enum qrt_err absent_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct qrt_barrier *barrier;
	struct qrt_region *first, *second;
	EXPECT(!qrt_barrier_open(cx, 3, &barrier));
	struct party absent = {.barrier = barrier};
	struct party there[2] = {{.barrier = barrier}, {.barrier = barrier}};
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &second));
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &first));
	EXPECT(!qrt_spawn(first, meet_once, &absent));
	EXPECT(!let_run(cx));
	qrt_region_cancel(first, QRT_CANCEL_USER, "stays at home");
	QRT_IGNORE(qrt_region_close(cx, &first, QRT_OK), "cancelled");
	EXPECT(absent.err == QRT_ECANCELED);
	EXPECT(!qrt_spawn(second, meet_once, &there[0]));
	EXPECT(!qrt_spawn(second, meet_once, &there[1]));
	EXPECT(!let_run(cx));
	EXPECT(there[0].n_passed == 0 && there[1].n_passed == 0); /* it is not counted any more */
	struct qrt_barrier_pass pass;
	EXPECT(!qrt_barrier_wait(cx, barrier, &pass));
	EXPECT(pass.leader && pass.generation == 1);
	EXPECT(!qrt_region_close(cx, &second, QRT_OK));
	EXPECT(there[0].n_passed == 1 && there[1].n_passed == 1);
	EXPECT(!there[0].passes[0].leader && !there[1].passes[0].leader);
	return qrt_barrier_close(&barrier);
}

static void a_cancelled_party_is_not_counted(void **state)
{
	(void)state;
	on_each_backend(absent_scenario, NULL);
}

/* All have met, and one is cancelled before it runs: it is through all the same. */
static enum qrt_err met_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct qrt_barrier *barrier;
	struct qrt_region *region;
	EXPECT(!qrt_barrier_open(cx, 2, &barrier));
	struct party party = {.barrier = barrier};
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &region));
	EXPECT(!qrt_spawn(region, meet_once, &party));
	EXPECT(!let_run(cx));
	EXPECT(!qrt_barrier_wait(cx, barrier, NULL));
	qrt_region_cancel(region, QRT_CANCEL_USER, "too late");
	QRT_IGNORE(qrt_region_close(cx, &region, QRT_OK), "cancelled");
	EXPECT(party.n_passed == 1 && party.passes[0].generation == 1);
	return qrt_barrier_close(&barrier);
}

static void who_has_met_the_others_is_through(void **state)
{
	(void)state;
	on_each_backend(met_scenario, NULL);
}

/* --- notify ---------------------------------------------------------------------------------- */

static enum qrt_err kept_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct qrt_notify *notify;
	EXPECT(!qrt_notify_open(cx, &notify));
	EXPECT(qrt_notify_try_wait(cx, notify) == QRT_EAGAIN);
	for (int i = 0; i < 3; i++) {
		EXPECT(!qrt_notify_one(notify));
	}
	EXPECT(!qrt_notify_wait(cx, notify));
	EXPECT(qrt_notify_try_wait(cx, notify) == QRT_EAGAIN); /* three are one */
	EXPECT(!qrt_notify_all(notify));
	EXPECT(!qrt_notify_try_wait(cx, notify));
	EXPECT(qrt_notify_try_wait(cx, notify) == QRT_EAGAIN);
	struct qrt_notify *stale = notify;
	EXPECT(!qrt_notify_close(&notify));
	EXPECT(qrt_notify_one(stale) == QRT_ESTALE);
	EXPECT(qrt_notify_all(stale) == QRT_ESTALE);
	EXPECT(qrt_notify_try_wait(cx, stale) == QRT_ESTALE);
	return QRT_OK;
}

static void a_notification_that_meets_nobody_is_kept_once(void **state)
{
	(void)state;
	on_each_backend(kept_scenario, NULL);
}

static enum qrt_err all_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct thing thing;
	struct qrt_region *region, *cancelled;
	EXPECT(!thing_open(cx, &thing, NOTIFY));
	struct waiter waiters[4];
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &region));
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &cancelled));
	for (int i = 0; i < 4; i++) {
		waiters[i] = (struct waiter){.thing = &thing};
		EXPECT(!qrt_spawn(i ? region : cancelled, waiter_main, &waiters[i]));
	}
	EXPECT(!let_run(cx));
	EXPECT(!qrt_notify_all(thing.notify));
	qrt_region_cancel(cancelled, QRT_CANCEL_USER, "too late");
	QRT_IGNORE(qrt_region_close(cx, &cancelled, QRT_OK), "cancelled");
	EXPECT(!qrt_region_close(cx, &region, QRT_OK));
	for (int i = 1; i < 4; i++) {
		EXPECT(waiters[i].ended && !waiters[i].err);
	}
	/* All had it: what the cancelled one did not take is not passed on. */
	EXPECT(qrt_notify_try_wait(cx, thing.notify) == QRT_EAGAIN);
	return thing_close(&thing);
}

static void notifying_all_wakes_all_and_keeps_nothing(void **state)
{
	(void)state;
	on_each_backend(all_scenario, NULL);
}

/* --- once ------------------------------------------------------------------------------------ */

static enum qrt_err once_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct thing thing;
	struct qrt_region *region;
	struct waiter waiters[4];
	EXPECT(!thing_open(cx, &thing, ONCE));
	thing.once_err = QRT_EIO;
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &region));
	for (int i = 0; i < 4; i++) {
		waiters[i] = (struct waiter){.thing = &thing};
		EXPECT(!qrt_spawn(region, waiter_main, &waiters[i]));
	}
	EXPECT(!qrt_region_close(cx, &region, QRT_OK));
	EXPECT(thing.once_runs == 4); /* each failed, so each had to try */
	for (int i = 0; i < 4; i++) {
		EXPECT(waiters[i].err == QRT_EIO);
	}
	thing.once_err = QRT_OK;
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &region));
	for (int i = 0; i < 4; i++) {
		waiters[i] = (struct waiter){.thing = &thing};
		EXPECT(!qrt_spawn(region, waiter_main, &waiters[i]));
	}
	EXPECT(!qrt_region_close(cx, &region, QRT_OK));
	EXPECT(thing.once_runs == 5);
	for (int i = 0; i < 4; i++) {
		EXPECT(waiters[i].ended && !waiters[i].err);
	}
	EXPECT(!qrt_once_run(cx, thing.once, once_body, &thing));
	EXPECT(thing.once_runs == 5);
	return thing_close(&thing);
}

static void once_is_run_until_it_succeeds_and_then_never(void **state)
{
	(void)state;
	on_each_backend(once_scenario, NULL);
}

static enum qrt_err stuck_body(struct qrt_cx *cx, void *arg)
{
	struct qrt_notify *never = arg;
	return qrt_notify_wait(cx, never);
}

static enum qrt_err panicking_body(struct qrt_cx *cx, void *arg)
{
	struct qrt_notify *gate = arg;
	EXPECT(!qrt_notify_wait(cx, gate));
	qrt_panic(cx, "in the once");
}

struct runner {
	struct thing *thing;
	qrt_task_fn *body;
	void *arg;
	enum qrt_err err;
};

static enum qrt_err runner_main(struct qrt_cx *cx, void *arg)
{
	struct runner *runner = arg;
	runner->err = qrt_once_run(cx, runner->thing->once, runner->body, runner->arg);
	return QRT_OK;
}

static enum qrt_err once_cancel_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct thing thing;
	struct qrt_notify *never;
	struct qrt_region *first, *second;
	EXPECT(!thing_open(cx, &thing, ONCE));
	EXPECT(!qrt_notify_open(cx, &never));
	struct runner runner = {.thing = &thing, .body = stuck_body, .arg = never};
	struct waiter heir = {.thing = &thing};
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &second));
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &first));
	EXPECT(!qrt_spawn(first, runner_main, &runner));
	EXPECT(!let_run(cx));
	EXPECT(!qrt_spawn(second, waiter_main, &heir));
	EXPECT(!let_run(cx));
	EXPECT(thing.once_runs == 0);
	qrt_region_cancel(first, QRT_CANCEL_USER, "enough");
	QRT_IGNORE(qrt_region_close(cx, &first, QRT_OK), "cancelled");
	EXPECT(runner.err == QRT_ECANCELED);
	EXPECT(!qrt_region_close(cx, &second, QRT_OK));
	EXPECT(heir.ended && !heir.err && thing.once_runs == 1);
	EXPECT(!qrt_notify_close(&never));
	return thing_close(&thing);
}

static void when_the_runner_is_cancelled_the_next_one_runs_it(void **state)
{
	(void)state;
	on_each_backend(once_cancel_scenario, NULL);
}

static enum qrt_err once_panic_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct thing thing;
	struct qrt_region *region;
	struct qrt_notify *gate;
	if (!is_structured(cx)) {
		return QRT_OK;
	}
	EXPECT(!thing_open(cx, &thing, ONCE));
	EXPECT(!qrt_notify_open(cx, &gate));
	struct runner runner = {.thing = &thing, .body = panicking_body, .arg = gate};
	struct waiter heir = {.thing = &thing};
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &region));
	EXPECT(!qrt_spawn(region, runner_main, &runner));
	EXPECT(!let_run(cx));
	EXPECT(!qrt_spawn(region, waiter_main, &heir));
	EXPECT(!let_run(cx));
	EXPECT(!qrt_notify_one(gate));
	EXPECT(qrt_region_close(cx, &region, QRT_OK) == QRT_EPANIC);
	EXPECT(heir.ended && !heir.err && thing.once_runs == 1);
	EXPECT(!qrt_notify_close(&gate));
	return thing_close(&thing);
}

static void when_the_runner_panics_the_next_one_runs_it(void **state)
{
	(void)state;
	on_each_backend(once_panic_scenario, NULL);
}

/* Both come to wait while it runs, and then it fails. */
struct audience {
	struct qrt_region *first, *second;
	struct waiter passer, heir;
};

static enum qrt_err fail_before_them(struct qrt_cx *cx, void *arg)
{
	struct audience *audience = arg;
	EXPECT(!qrt_spawn(audience->first, waiter_main, &audience->passer));
	EXPECT(!let_run(cx));
	EXPECT(!qrt_spawn(audience->second, waiter_main, &audience->heir));
	EXPECT(!let_run(cx));
	EXPECT(!audience->passer.ended && !audience->heir.ended);
	return QRT_EIO;
}

/* Its turn comes, and a cancel with it: the one behind runs. */
static enum qrt_err once_pass_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct thing thing;
	if (!is_structured(cx)) {
		return QRT_OK;
	}
	EXPECT(!thing_open(cx, &thing, ONCE));
	struct audience audience = {.passer.thing = &thing, .heir.thing = &thing};
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &audience.second));
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &audience.first));
	EXPECT(qrt_once_run(cx, thing.once, fail_before_them, &audience) == QRT_EIO);
	qrt_region_cancel(audience.first, QRT_CANCEL_USER, "now");
	QRT_IGNORE(qrt_region_close(cx, &audience.first, QRT_OK), "cancelled");
	EXPECT(!qrt_region_close(cx, &audience.second, QRT_OK));
	EXPECT(audience.passer.err == QRT_ECANCELED);
	EXPECT(audience.heir.ended && !audience.heir.err && thing.once_runs == 1);
	return thing_close(&thing);
}

static void a_turn_to_run_it_is_passed_on_too(void **state)
{
	(void)state;
	on_each_backend(once_pass_scenario, NULL);
}

static enum qrt_err recursive_body(struct qrt_cx *cx, void *arg)
{
	struct thing *thing = arg;
	thing->once_runs++;
	EXPECT(qrt_once_run(cx, thing->once, recursive_body, thing) == QRT_EDEADLOCK);
	return QRT_OK;
}

struct closer {
	struct thing *thing;
	struct qrt_notify *gate;
};

static enum qrt_err closing_body(struct qrt_cx *cx, void *arg)
{
	struct closer *closer = arg;
	EXPECT(!qrt_notify_wait(cx, closer->gate));
	return thing_close(closer->thing);
}

static enum qrt_err once_misuse_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct thing thing;
	struct qrt_region *region;
	EXPECT(!thing_open(cx, &thing, ONCE));
	EXPECT(!qrt_once_run(cx, thing.once, recursive_body, &thing));
	EXPECT(thing.once_runs == 1);
	EXPECT(!thing_close(&thing));
	EXPECT(!thing_open(cx, &thing, ONCE));
	struct qrt_once *stale = thing.once;
	struct closer closer = {.thing = &thing};
	EXPECT(!qrt_notify_open(cx, &closer.gate));
	struct runner runner = {.thing = &thing, .body = closing_body, .arg = &closer};
	struct waiter waiter = {.thing = &thing};
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &region));
	EXPECT(!qrt_spawn(region, runner_main, &runner));
	EXPECT(!let_run(cx));
	EXPECT(!qrt_spawn(region, waiter_main, &waiter));
	EXPECT(!let_run(cx));
	EXPECT(!qrt_notify_one(closer.gate));
	EXPECT(!qrt_region_close(cx, &region, QRT_OK));
	EXPECT(!runner.err);
	EXPECT(waiter.ended && waiter.err == QRT_ECLOSED);
	EXPECT(qrt_once_run(cx, stale, once_body, &thing) == QRT_ESTALE);
	EXPECT(thing.once_runs == 0);
	return qrt_notify_close(&closer.gate);
}

static void once_is_not_run_from_within_itself_and_can_be_closed_there(void **state)
{
	(void)state;
	on_each_backend(once_misuse_scenario, NULL);
}

/* --- select ---------------------------------------------------------------------------------- */

struct chooser {
	struct qrt_mutex *mutex;
	struct qrt_rwlock *rwlock;
	struct qrt_semaphore *semaphore;
	struct qrt_barrier *barrier;
	struct qrt_notify *notify;
	struct qrt_lease lease;
	enum qrt_err err;
	size_t which;
};

static enum qrt_err choose(struct qrt_cx *cx, void *arg)
{
	struct chooser *chooser = arg;
	struct qrt_lease *lease = &chooser->lease;
	struct qrt_case cases[] = {
	    qrt_case_lock(chooser->mutex, lease),
	    qrt_case_rdlock(chooser->rwlock, lease),
	    qrt_case_wrlock(chooser->rwlock, lease),
	    qrt_case_acquire(chooser->semaphore, 2, lease),
	    qrt_case_barrier(chooser->barrier, NULL),
	    qrt_case_notified(chooser->notify),
	};
	chooser->err = qrt_select(cx, QRT_SELECT_ORDERED, cases, 6, &chooser->which);
	if (!chooser->err && chooser->which <= 3) {
		EXPECT(!qrt_unlock(&chooser->lease));
	}
	return QRT_OK;
}

/* Everything is held; one of them is let go, number *arg. */
static enum qrt_err select_scenario(struct qrt_cx *cx, void *arg)
{
	size_t let = *(size_t *)arg;
	struct chooser chooser = {.which = 99};
	struct qrt_lease mutex, rwlock, units, again;
	struct qrt_region *region;
	EXPECT(!qrt_mutex_open(cx, &chooser.mutex));
	EXPECT(!qrt_rwlock_open(cx, &chooser.rwlock));
	EXPECT(!qrt_semaphore_open(cx, 2, &chooser.semaphore));
	EXPECT(!qrt_barrier_open(cx, 2, &chooser.barrier));
	EXPECT(!qrt_notify_open(cx, &chooser.notify));
	EXPECT(!qrt_mutex_lock(cx, chooser.mutex, &mutex));
	EXPECT(!qrt_rwlock_write(cx, chooser.rwlock, &rwlock));
	EXPECT(!qrt_acquire(cx, chooser.semaphore, 1, &units));
	EXPECT(!qrt_region_open(cx, QRT_FAIL_FAST, &region));
	EXPECT(!qrt_spawn(region, choose, &chooser));
	EXPECT(!let_run(cx));
	EXPECT(chooser.which == 99);
	switch (let) {
	case 0:
		EXPECT(!qrt_unlock(&mutex));
		break;
	case 1:
		EXPECT(!qrt_unlock(&rwlock));
		break;
	case 3:
		EXPECT(!qrt_release(&units));
		break;
	case 4:
		EXPECT(!qrt_barrier_wait(cx, chooser.barrier, NULL));
		break;
	default:
		EXPECT(!qrt_notify_one(chooser.notify));
		break;
	}
	EXPECT(!qrt_region_close(cx, &region, QRT_OK));
	EXPECT(!chooser.err && chooser.which == let);
	/* The others have done nothing: nobody stands in line, nothing is taken. */
	QRT_IGNORE(qrt_unlock(&mutex), "or was");
	QRT_IGNORE(qrt_unlock(&rwlock), "or was");
	QRT_IGNORE(qrt_release(&units), "or was");
	EXPECT(!qrt_mutex_try_lock(cx, chooser.mutex, &again) && !qrt_unlock(&again));
	EXPECT(!qrt_rwlock_try_write(cx, chooser.rwlock, &again) && !qrt_unlock(&again));
	EXPECT(!qrt_try_acquire(cx, chooser.semaphore, 2, &again) && !qrt_release(&again));
	EXPECT(qrt_notify_try_wait(cx, chooser.notify) == QRT_EAGAIN);
	EXPECT(!qrt_mutex_close(&chooser.mutex));
	EXPECT(!qrt_rwlock_close(&chooser.rwlock));
	EXPECT(!qrt_semaphore_close(&chooser.semaphore));
	EXPECT(!qrt_barrier_close(&chooser.barrier));
	return qrt_notify_close(&chooser.notify);
}

static void a_select_has_exactly_one_of_them(void **state)
{
	(void)state;
	static const size_t lets[] = {0, 1, 3, 4, 5};
	for (size_t i = 0; i < sizeof(lets) / sizeof(lets[0]); i++) {
		size_t let = lets[i];
		on_each_backend(select_scenario, &let);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(who_waits_first_is_served_first),
	    cmocka_unit_test(a_notification_wakes_who_has_waited_longest),
	    cmocka_unit_test(who_is_cancelled_leaves_the_line),
	    cmocka_unit_test(a_woken_waiter_that_is_cancelled_passes_its_turn_on),
	    cmocka_unit_test(a_turn_that_nobody_wants_is_not_lost),
	    cmocka_unit_test(a_wait_ends_at_the_deadline_of_its_cx),
	    cmocka_unit_test(a_lease_that_cannot_be_entered_goes_to_the_next),
	    cmocka_unit_test(closing_tells_who_waits_and_makes_the_handle_stale),
	    cmocka_unit_test(what_is_closed_before_its_new_holder_runs_is_closed),
	    cmocka_unit_test(a_lease_is_given_back_once),
	    cmocka_unit_test(a_rwlock_one_holds_is_not_waited_for),
	    cmocka_unit_test(another_thread_is_turned_away),
	    cmocka_unit_test(a_finalizer_may_not_wait_for_any_of_them),
	    cmocka_unit_test(a_lock_whose_holder_died_says_so_until_repaired),
	    cmocka_unit_test(only_the_holder_says_that_it_is_repaired),
	    cmocka_unit_test(a_lease_can_be_handed_to_another_task),
	    cmocka_unit_test(what_nobody_closes_its_region_closes),
	    cmocka_unit_test(a_waiting_writer_stops_new_readers),
	    cmocka_unit_test(a_writer_is_alone_and_readers_are_not),
	    cmocka_unit_test(a_writer_that_gives_up_lets_the_readers_behind_it_in),
	    cmocka_unit_test(trying_never_waits),
	    cmocka_unit_test(what_was_handed_over_cannot_be_snatched),
	    cmocka_unit_test(a_lock_knows_who_holds_it),
	    cmocka_unit_test(a_big_request_is_not_overtaken),
	    cmocka_unit_test(a_big_request_that_gives_up_lets_the_small_ones_go),
	    cmocka_unit_test(a_request_that_can_never_be_met_is_refused),
	    cmocka_unit_test(a_barrier_lets_all_go_when_all_are_there),
	    cmocka_unit_test(a_cancelled_party_is_not_counted),
	    cmocka_unit_test(who_has_met_the_others_is_through),
	    cmocka_unit_test(a_notification_that_meets_nobody_is_kept_once),
	    cmocka_unit_test(notifying_all_wakes_all_and_keeps_nothing),
	    cmocka_unit_test(once_is_run_until_it_succeeds_and_then_never),
	    cmocka_unit_test(when_the_runner_is_cancelled_the_next_one_runs_it),
	    cmocka_unit_test(when_the_runner_panics_the_next_one_runs_it),
	    cmocka_unit_test(a_turn_to_run_it_is_passed_on_too),
	    cmocka_unit_test(once_is_not_run_from_within_itself_and_can_be_closed_there),
	    cmocka_unit_test(a_select_has_exactly_one_of_them),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
