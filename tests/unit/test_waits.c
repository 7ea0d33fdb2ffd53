/*
 * A cancel reaches every wait: each kind of wait x each moment x each backend, and the stored
 * state afterwards is right. The table is made of QRT__WAIT_KINDS: a kind without a row does not
 * compile.
 */
#include <qrt/broadcast.h>
#include <qrt/chan.h>
#include <qrt/lab.h>
#include <qrt/db.h>
#include <qrt/http_client.h>
#include <qrt/lane.h>
#include <qrt/mailbox.h>
#include <qrt/oneshot.h>
#include <qrt/process.h>
#include <qrt/resolve.h>
#include <qrt/signal.h>
#include <qrt/stream.h>
#include <qrt/sync.h>
#include <qrt/watch.h>
#include <qrt/ws.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "shim/src/internal.h"
#include "tests/lib/backends.h"
#include "tests/lib/test.h"
#include "tests/lib/tls_pair.h"

enum moment { BEFORE, PARKED, DONE_THEN_CANCEL, CANCEL_THEN_DONE, MOMENTS };

static const char *const moment_names[MOMENTS] = {"before it parks", "parked",
						  "done, then cancelled in the same turn",
						  "cancelled, then done in the same turn"};

struct row;

/* One play: a victim that waits, and all there is to wait for. */
struct play {
	const struct row *row;
	struct qrt_region *region, *world; /* the victim's; of those who help */
	struct qrt_task *victim;	   /* while it lives */
	bool ended, was_parked, was_over;  /* the latter two: when the cancel came */
	enum qrt_err result, after;
	bool completed;

	int value, calls, ends, drops;
	int64_t until_ns;
	struct qrt__event go;
	struct qrt_chan *chan, *other;
	struct qrt_oneshot *oneshot;
	struct qrt_permit permit;
	struct qrt_broadcast *broadcast;
	struct qrt_subscription *subscription;
	struct qrt_watch *watch;
	uint64_t seen;
	struct qrt_mailbox *mailbox;
	struct qrt_mutex *mutex;
	struct qrt_rwlock *rwlock;
	struct qrt_semaphore *semaphore;
	struct qrt_lease lease;
	struct qrt_barrier *barrier;
	struct qrt_notify *notify;
	struct qrt_once *once;
	struct qrt_listener *listener;
	uint16_t port;
	struct qrt_stream *a, *b;
	struct qrt_tls *tls;
	struct qrt_ws *client, *server;
	struct qrt_child *child;
	struct qrt_http_client *http;
	struct qrt_http_call *first, *second;
	struct qrt_signals *signals;
	struct qrt_lane *lane;
	struct qrt_db *db;
	_Atomic bool running, release;
};

/* How to get into the wait, how to end it, and what must be true afterwards. */
struct row {
	const char *name;
	enum qrt_err (*prepare)(struct qrt_cx *cx, struct play *play); /* NULL: nothing */
	enum qrt_err (*enter)(struct qrt_cx *cx, struct play *play);   /* the victim's */
	/* Until it may be asked, beside being parked; NULL: at once. */
	enum qrt_err (*ready)(struct qrt_cx *cx, struct play *play);
	enum qrt_err (*complete)(struct qrt_cx *cx, struct play *play);
	enum qrt_err (*check)(struct qrt_cx *cx, struct play *play);
	void (*clean)(struct qrt_cx *cx, struct play *play);
	enum qrt_err
	    done_then_cancel; /* where the engine remembers: the truth, or the turn passes on */
	bool hidden;	      /* from the detached engine */
	bool deaf;	      /* cannot be cut: the truth comes out, whenever it was asked */
	bool by_world;	      /* what ends it takes time, also virtual time */
	bool again;	      /* one completion may not be enough */
	bool real_only, lab_only;
	const struct row *next; /* of the same kind */
};

/* --- helpers of the rows ------------------------------------------------------------------- */

static enum qrt_err go_prepare(struct qrt_cx *cx, struct play *play)
{
	(void)cx;
	qrt__event_init(&play->go);
	return QRT_OK;
}

static enum qrt_err go_complete(struct qrt_cx *cx, struct play *play)
{
	(void)cx;
	qrt__event_set(&play->go);
	return QRT_OK;
}

/* Turns the runner of these tests waits for what must come; a busy machine takes its time. */
enum { PATIENCE = 20000 };

/* Lets others run; later also those on other threads. */
static enum qrt_err pause_a_little(struct qrt_cx *cx, int turn)
{
	return turn < 1000 ? qrt_yield(cx) : qrt_sleep(cx, QRT_MS);
}

static enum qrt_err yield_until(struct qrt_cx *cx, const int *counter, int n)
{
	for (int i = 0; i < PATIENCE && *counter < n; i++) {
		EXPECT(!pause_a_little(cx, i));
	}
	EXPECT(*counter >= n);
	return QRT_OK;
}

static bool in_lab(struct qrt_cx *cx)
{
	return qrt_in_lab(cx);
}

/* --- sleep, event, join -------------------------------------------------------------------- */

static enum qrt_err sleep_prepare(struct qrt_cx *cx, struct play *play)
{
	play->until_ns = qrt_deadline_in(cx, 20 * QRT_MS);
	return QRT_OK;
}

static enum qrt_err sleep_enter(struct qrt_cx *cx, struct play *play)
{
	return qrt_sleep_until(cx, play->until_ns);
}

static enum qrt_err sleep_complete(struct qrt_cx *cx, struct play *play)
{
	return qrt_sleep_until(cx, play->until_ns - 1);
}

static enum qrt_err sleep_check(struct qrt_cx *cx, struct play *play)
{
	bool late = qrt_deadline_in(cx, 0) >= play->until_ns;
	EXPECT(play->result || late);
	return QRT_OK;
}

static const struct row row_QRT__WAIT_SLEEP = {.name = "sleep",
					       .prepare = sleep_prepare,
					       .enter = sleep_enter,
					       .complete = sleep_complete,
					       .check = sleep_check,
					       .by_world = true};

static enum qrt_err event_enter(struct qrt_cx *cx, struct play *play)
{
	return qrt__event_wait(cx, &play->go, QRT_NO_DEADLINE);
}

static enum qrt_err event_check(struct qrt_cx *cx, struct play *play)
{
	(void)cx;
	EXPECT(qrt__list_empty(&play->go.waiters));
	EXPECT(play->go.set == play->completed);
	return QRT_OK;
}

static const struct row row_QRT__WAIT_EVENT = {.name = "event",
					       .prepare = go_prepare,
					       .enter = event_enter,
					       .complete = go_complete,
					       .check = event_check};

static enum qrt_err grandchild(struct qrt_cx *cx, void *arg)
{
	struct play *play = arg;
	play->calls++;
	enum qrt_err err = qrt__event_wait(cx, &play->go, QRT_NO_DEADLINE);
	play->ends++;
	return err;
}

static enum qrt_err join_enter(struct qrt_cx *cx, struct play *play)
{
	struct qrt_region *inner;
	enum qrt_err err = qrt_region_open(cx, QRT_COLLECT, &inner);
	if (err) {
		return err;
	}
	err = qrt_spawn(inner, grandchild, play);
	err = qrt_region_close(cx, &inner, err);
	return play->ends == play->calls ? err : QRT_EFAILED; /* it waited, whatever came */
}

static enum qrt_err join_check(struct qrt_cx *cx, struct play *play)
{
	EXPECT(event_check(cx, play) == QRT_OK);
	EXPECT(play->ends == play->calls && play->calls <= 1);
	return QRT_OK;
}

/* Cannot be cut itself: what it waits for is cancelled, where the engine reaches so far. */
static const struct row row_QRT__WAIT_JOIN = {.name = "region close",
					      .prepare = go_prepare,
					      .enter = join_enter,
					      .complete = go_complete,
					      .check = join_check,
					      .hidden = true};

/* --- channels ------------------------------------------------------------------------------ */

static const int one = 1, two = 2;

static enum qrt_err chan_prepare(struct qrt_cx *cx, struct play *play)
{
	EXPECT(!qrt_chan_open(cx, sizeof(int), 2, NULL, &play->chan));
	return qrt_chan_open(cx, sizeof(int), 1, NULL, &play->other);
}

static void chan_clean(struct qrt_cx *cx, struct play *play)
{
	(void)cx;
	QRT_IGNORE(qrt_chan_close(&play->chan), "both are open");
	QRT_IGNORE(qrt_chan_close(&play->other), "both are open");
}

static enum qrt_err recv_enter(struct qrt_cx *cx, struct play *play)
{
	return qrt_chan_recv(cx, play->chan, &play->value);
}

static enum qrt_err recv_complete(struct qrt_cx *cx, struct play *play)
{
	(void)cx;
	return qrt_chan_try_send(play->chan, &two);
}

/* The element is with exactly one: with whom was told so, or in the channel. */
static enum qrt_err recv_check(struct qrt_cx *cx, struct play *play)
{
	struct qrt_chan_stats stats;
	int value = 0;
	(void)cx;
	EXPECT(!qrt_chan_stats(play->chan, &stats));
	EXPECT(stats.receivers == 0 && stats.reserved == 0);
	EXPECT(play->value == (play->result ? 0 : two));
	bool there = play->completed && play->result;
	EXPECT(stats.queued == there && stats.received == !play->result);
	EXPECT(qrt_chan_try_recv(play->chan, &value) == (there ? QRT_OK : QRT_EAGAIN));
	EXPECT(value == (there ? two : 0));
	EXPECT(qrt_chan_try_recv(play->chan, &value) == QRT_EAGAIN);
	return QRT_OK;
}

static const struct row row_QRT__WAIT_RECV = {.name = "channel receive",
					      .prepare = chan_prepare,
					      .enter = recv_enter,
					      .complete = recv_complete,
					      .check = recv_check,
					      .clean = chan_clean,
					      .done_then_cancel = QRT_ECANCELED};

static enum qrt_err full_prepare(struct qrt_cx *cx, struct play *play)
{
	EXPECT(!chan_prepare(cx, play));
	return qrt_chan_try_send(play->other, &one);
}

static enum qrt_err reserve_enter(struct qrt_cx *cx, struct play *play)
{
	struct qrt_permit permit;
	enum qrt_err err = qrt_reserve(cx, play->other, &permit);
	return err ? err : qrt_send(&permit, &two);
}

static enum qrt_err send_enter(struct qrt_cx *cx, struct play *play)
{
	return qrt_chan_send(cx, play->other, &two);
}

static enum qrt_err reserve_complete(struct qrt_cx *cx, struct play *play)
{
	(void)cx;
	return qrt_chan_try_recv(play->other, &play->value);
}

static enum qrt_err reserve_check(struct qrt_cx *cx, struct play *play)
{
	struct qrt_chan_stats stats;
	int value = 0;
	(void)cx;
	EXPECT(!qrt_chan_stats(play->other, &stats));
	EXPECT(stats.senders == 0 && stats.reserved == 0);
	EXPECT(stats.sent == (play->result ? 1 : 2));
	if (!play->completed) {
		EXPECT(!qrt_chan_try_recv(play->other, &value) && value == one);
	}
	EXPECT(qrt_chan_try_recv(play->other, &value) == (play->result ? QRT_EAGAIN : QRT_OK));
	EXPECT(play->result || value == two);
	EXPECT(!qrt_chan_try_send(play->other, &one)); /* its place is free for others */
	return QRT_OK;
}

static const struct row row_send = {.name = "channel send",
				    .prepare = full_prepare,
				    .enter = send_enter,
				    .complete = reserve_complete,
				    .check = reserve_check,
				    .clean = chan_clean,
				    .done_then_cancel = QRT_ECANCELED};
static const struct row row_QRT__WAIT_RESERVE = {.name = "channel reserve",
						 .prepare = full_prepare,
						 .enter = reserve_enter,
						 .complete = reserve_complete,
						 .check = reserve_check,
						 .clean = chan_clean,
						 .done_then_cancel = QRT_ECANCELED,
						 .next = &row_send};

static enum qrt_err select_enter(struct qrt_cx *cx, struct play *play)
{
	int nothing = 0;
	size_t which = 9;
	struct qrt_case cases[] = {qrt_case_recv(play->other, &nothing),
				   qrt_case_recv(play->chan, &play->value)};
	enum qrt_err err = qrt_select(cx, QRT_SELECT_ORDERED, cases, 2, &which);
	return err || which == 1 ? err : QRT_EFAILED;
}

static enum qrt_err select_check(struct qrt_cx *cx, struct play *play)
{
	struct qrt_chan_stats stats;
	EXPECT(!qrt_chan_stats(play->other, &stats) && stats.receivers == 0);
	return recv_check(cx, play);
}

static const struct row row_QRT__WAIT_SELECT = {.name = "select",
						.prepare = chan_prepare,
						.enter = select_enter,
						.complete = recv_complete,
						.check = select_check,
						.clean = chan_clean,
						.done_then_cancel = QRT_ECANCELED};

static enum qrt_err oneshot_prepare(struct qrt_cx *cx, struct play *play)
{
	return qrt_oneshot_open(cx, sizeof(int), NULL, &play->oneshot, &play->permit);
}

static enum qrt_err oneshot_enter(struct qrt_cx *cx, struct play *play)
{
	return qrt_oneshot_recv(cx, play->oneshot, &play->value);
}

static enum qrt_err oneshot_complete(struct qrt_cx *cx, struct play *play)
{
	(void)cx;
	return qrt_send(&play->permit, &two);
}

static enum qrt_err oneshot_check(struct qrt_cx *cx, struct play *play)
{
	int value = 0;
	if (!play->completed) {
		EXPECT(!oneshot_complete(cx, play));
	}
	EXPECT(play->value == (play->result ? 0 : two));
	EXPECT(qrt_oneshot_try_recv(play->oneshot, &value) ==
	       (play->result ? QRT_OK : QRT_ECLOSED));
	EXPECT(value == (play->result ? two : 0));
	return QRT_OK;
}

static void oneshot_clean(struct qrt_cx *cx, struct play *play)
{
	(void)cx;
	QRT_IGNORE(qrt_oneshot_close(&play->oneshot), "it is open");
}

static const struct row row_QRT__WAIT_ONESHOT = {.name = "oneshot",
						 .prepare = oneshot_prepare,
						 .enter = oneshot_enter,
						 .complete = oneshot_complete,
						 .check = oneshot_check,
						 .clean = oneshot_clean};

static enum qrt_err broadcast_prepare(struct qrt_cx *cx, struct play *play)
{
	EXPECT(!qrt_broadcast_open(cx, sizeof(int), 4, &play->broadcast));
	return qrt_subscribe(cx, play->broadcast, &play->subscription);
}

static enum qrt_err broadcast_enter(struct qrt_cx *cx, struct play *play)
{
	return qrt_broadcast_recv(cx, play->subscription, &play->value);
}

static enum qrt_err broadcast_complete(struct qrt_cx *cx, struct play *play)
{
	(void)cx;
	return qrt_broadcast_send(play->broadcast, &two);
}

static enum qrt_err broadcast_check(struct qrt_cx *cx, struct play *play)
{
	int value = 0;
	bool there = play->completed && play->result;
	(void)cx;
	EXPECT(play->value == (play->result ? 0 : two));
	EXPECT(qrt_broadcast_try_recv(play->subscription, &value) == (there ? QRT_OK : QRT_EAGAIN));
	EXPECT(value == (there ? two : 0));
	EXPECT(qrt_broadcast_try_recv(play->subscription, &value) == QRT_EAGAIN);
	return QRT_OK;
}

static void broadcast_clean(struct qrt_cx *cx, struct play *play)
{
	(void)cx;
	QRT_IGNORE(qrt_unsubscribe(&play->subscription), "it is open");
	QRT_IGNORE(qrt_broadcast_close(&play->broadcast), "it is open");
}

static const struct row row_QRT__WAIT_BROADCAST = {.name = "broadcast",
						   .prepare = broadcast_prepare,
						   .enter = broadcast_enter,
						   .complete = broadcast_complete,
						   .check = broadcast_check,
						   .clean = broadcast_clean,
						   .done_then_cancel = QRT_ECANCELED};

static enum qrt_err watch_prepare(struct qrt_cx *cx, struct play *play)
{
	play->seen = 1;
	return qrt_watch_open(cx, &one, &play->watch);
}

static enum qrt_err watch_enter(struct qrt_cx *cx, struct play *play)
{
	return qrt_watch_changed(cx, play->watch, &play->seen);
}

static enum qrt_err watch_complete(struct qrt_cx *cx, struct play *play)
{
	(void)cx;
	return qrt_watch_set(play->watch, &two);
}

static enum qrt_err watch_check(struct qrt_cx *cx, struct play *play)
{
	struct qrt_watch_stats stats;
	EXPECT(!qrt_watch_stats(play->watch, &stats) && stats.watchers == 0);
	EXPECT(play->seen == (play->result ? 1 : 2)); /* what it has not seen it can still see */
	if (play->completed && play->result) {
		EXPECT(!qrt_watch_changed(cx, play->watch, &play->seen) && play->seen == 2);
	}
	return QRT_OK;
}

static void watch_clean(struct qrt_cx *cx, struct play *play)
{
	(void)cx;
	QRT_IGNORE(qrt_watch_close(&play->watch), "it is open");
}

static const struct row row_QRT__WAIT_WATCH = {.name = "watch",
					       .prepare = watch_prepare,
					       .enter = watch_enter,
					       .complete = watch_complete,
					       .check = watch_check,
					       .clean = watch_clean,
					       .done_then_cancel = QRT_ECANCELED};

static enum qrt_err mailbox_prepare(struct qrt_cx *cx, struct play *play)
{
	return qrt_mailbox_open(cx, sizeof(int), 1, NULL, &play->mailbox);
}

static void mailbox_clean(struct qrt_cx *cx, struct play *play)
{
	(void)cx;
	QRT_IGNORE(qrt_mailbox_close(&play->mailbox), "it is open");
}

static enum qrt_err mailbox_enter(struct qrt_cx *cx, struct play *play)
{
	return qrt_mailbox_recv(cx, play->mailbox, &play->value);
}

static enum qrt_err mailbox_complete(struct qrt_cx *cx, struct play *play)
{
	(void)cx;
	return qrt_mailbox_try_send(play->mailbox, &two);
}

static enum qrt_err mailbox_check(struct qrt_cx *cx, struct play *play)
{
	int value = 0;
	bool there = play->completed && play->result;
	(void)cx;
	EXPECT(play->value == (play->result ? 0 : two));
	EXPECT(qrt_mailbox_try_recv(play->mailbox, &value) == (there ? QRT_OK : QRT_EAGAIN));
	EXPECT(value == (there ? two : 0));
	EXPECT(qrt_mailbox_try_recv(play->mailbox, &value) == QRT_EAGAIN);
	return QRT_OK;
}

static const struct row row_QRT__WAIT_MAILBOX = {.name = "mailbox receive",
						 .prepare = mailbox_prepare,
						 .enter = mailbox_enter,
						 .complete = mailbox_complete,
						 .check = mailbox_check,
						 .clean = mailbox_clean,
						 .done_then_cancel = QRT_ECANCELED};

static enum qrt_err post_prepare(struct qrt_cx *cx, struct play *play)
{
	EXPECT(!mailbox_prepare(cx, play));
	return qrt_mailbox_try_send(play->mailbox, &one);
}

static enum qrt_err post_enter(struct qrt_cx *cx, struct play *play)
{
	struct qrt_permit permit;
	enum qrt_err err = qrt_mailbox_reserve(cx, play->mailbox, &permit);
	return err ? err : qrt_send(&permit, &two);
}

static enum qrt_err post_complete(struct qrt_cx *cx, struct play *play)
{
	(void)cx;
	return qrt_mailbox_try_recv(play->mailbox, &play->value);
}

static enum qrt_err post_check(struct qrt_cx *cx, struct play *play)
{
	struct qrt_mailbox_stats stats;
	int value = 0;
	(void)cx;
	EXPECT(!qrt_mailbox_stats(play->mailbox, &stats));
	EXPECT(stats.reserved == 0 && stats.sent == (play->result ? 1 : 2));
	if (!play->completed) {
		EXPECT(!qrt_mailbox_try_recv(play->mailbox, &value) && value == one);
	}
	EXPECT(qrt_mailbox_try_recv(play->mailbox, &value) == (play->result ? QRT_EAGAIN : QRT_OK));
	EXPECT(play->result || value == two);
	EXPECT(!qrt_mailbox_try_send(play->mailbox, &one));
	return QRT_OK;
}

static const struct row row_QRT__WAIT_POST = {.name = "mailbox reserve",
					      .prepare = post_prepare,
					      .enter = post_enter,
					      .complete = post_complete,
					      .check = post_check,
					      .clean = mailbox_clean,
					      .done_then_cancel = QRT_ECANCELED};

/* --- locks --------------------------------------------------------------------------------- */

static enum qrt_err mutex_prepare(struct qrt_cx *cx, struct play *play)
{
	EXPECT(!qrt_mutex_open(cx, &play->mutex));
	return qrt_mutex_try_lock(cx, play->mutex, &play->lease);
}

static enum qrt_err mutex_enter(struct qrt_cx *cx, struct play *play)
{
	struct qrt_lease lease;
	enum qrt_err err = qrt_mutex_lock(cx, play->mutex, &lease);
	return err ? err : qrt_unlock(&lease);
}

/* What main holds it gives back. */
static enum qrt_err lease_complete(struct qrt_cx *cx, struct play *play)
{
	(void)cx;
	return qrt_unlock(&play->lease);
}

static enum qrt_err lease_back(struct qrt_cx *cx, struct play *play)
{
	return play->completed ? QRT_OK : lease_complete(cx, play);
}

/* Nobody has it, nobody is promised it: a try finds it free, and only once. */
static enum qrt_err mutex_check(struct qrt_cx *cx, struct play *play)
{
	EXPECT(!lease_back(cx, play));
	EXPECT(!qrt_mutex_try_lock(cx, play->mutex, &play->lease));
	return qrt_unlock(&play->lease);
}

static void mutex_clean(struct qrt_cx *cx, struct play *play)
{
	(void)cx;
	QRT_IGNORE(qrt_mutex_close(&play->mutex), "it is open");
}

static const struct row row_QRT__WAIT_MUTEX = {.name = "mutex",
					       .prepare = mutex_prepare,
					       .enter = mutex_enter,
					       .complete = lease_complete,
					       .check = mutex_check,
					       .clean = mutex_clean,
					       .done_then_cancel = QRT_ECANCELED};

static enum qrt_err written_prepare(struct qrt_cx *cx, struct play *play)
{
	EXPECT(!qrt_rwlock_open(cx, &play->rwlock));
	return qrt_rwlock_try_write(cx, play->rwlock, &play->lease);
}

static enum qrt_err read_lock_prepare(struct qrt_cx *cx, struct play *play)
{
	EXPECT(!qrt_rwlock_open(cx, &play->rwlock));
	return qrt_rwlock_try_read(cx, play->rwlock, &play->lease);
}

static enum qrt_err read_lock_enter(struct qrt_cx *cx, struct play *play)
{
	struct qrt_lease lease;
	enum qrt_err err = qrt_rwlock_read(cx, play->rwlock, &lease);
	return err ? err : qrt_unlock(&lease);
}

static enum qrt_err write_lock_enter(struct qrt_cx *cx, struct play *play)
{
	struct qrt_lease lease;
	enum qrt_err err = qrt_rwlock_write(cx, play->rwlock, &lease);
	return err ? err : qrt_unlock(&lease);
}

static enum qrt_err rwlock_check(struct qrt_cx *cx, struct play *play)
{
	EXPECT(!lease_back(cx, play));
	EXPECT(!qrt_rwlock_try_read(cx, play->rwlock, &play->lease));
	EXPECT(!qrt_unlock(&play->lease));
	EXPECT(!qrt_rwlock_try_write(cx, play->rwlock, &play->lease));
	return qrt_unlock(&play->lease);
}

static void rwlock_clean(struct qrt_cx *cx, struct play *play)
{
	(void)cx;
	QRT_IGNORE(qrt_rwlock_close(&play->rwlock), "it is open");
}

static const struct row row_QRT__WAIT_RDLOCK = {.name = "rwlock, to read",
						.prepare = written_prepare,
						.enter = read_lock_enter,
						.complete = lease_complete,
						.check = rwlock_check,
						.clean = rwlock_clean,
						.done_then_cancel = QRT_ECANCELED};
static const struct row row_QRT__WAIT_WRLOCK = {.name = "rwlock, to write",
						.prepare = read_lock_prepare,
						.enter = write_lock_enter,
						.complete = lease_complete,
						.check = rwlock_check,
						.clean = rwlock_clean,
						.done_then_cancel = QRT_ECANCELED};

static enum qrt_err semaphore_prepare(struct qrt_cx *cx, struct play *play)
{
	EXPECT(!qrt_semaphore_open(cx, 3, &play->semaphore));
	return qrt_try_acquire(cx, play->semaphore, 2, &play->lease);
}

static enum qrt_err semaphore_enter(struct qrt_cx *cx, struct play *play)
{
	struct qrt_lease lease;
	enum qrt_err err = qrt_acquire(cx, play->semaphore, 2, &lease);
	return err ? err : qrt_release(&lease);
}

static enum qrt_err semaphore_check(struct qrt_cx *cx, struct play *play)
{
	EXPECT(!lease_back(cx, play));
	EXPECT(!qrt_try_acquire(cx, play->semaphore, 3, &play->lease)); /* every unit is back */
	return qrt_release(&play->lease);
}

static void semaphore_clean(struct qrt_cx *cx, struct play *play)
{
	(void)cx;
	QRT_IGNORE(qrt_semaphore_close(&play->semaphore), "it is open");
}

static const struct row row_QRT__WAIT_SEMAPHORE = {.name = "semaphore",
						   .prepare = semaphore_prepare,
						   .enter = semaphore_enter,
						   .complete = lease_complete,
						   .check = semaphore_check,
						   .clean = semaphore_clean,
						   .done_then_cancel = QRT_ECANCELED};

/* --- meeting points ------------------------------------------------------------------------ */

static enum qrt_err barrier_prepare(struct qrt_cx *cx, struct play *play)
{
	return qrt_barrier_open(cx, 2, &play->barrier);
}

static enum qrt_err barrier_enter(struct qrt_cx *cx, struct play *play)
{
	return qrt_barrier_wait(cx, play->barrier, NULL);
}

static enum qrt_err second_party(struct qrt_cx *cx, void *arg)
{
	struct play *play = arg;
	play->calls++;
	enum qrt_err err = qrt_barrier_wait(cx, play->barrier, NULL);
	play->ends++;
	return err;
}

static enum qrt_err barrier_complete(struct qrt_cx *cx, struct play *play)
{
	EXPECT(!qrt_spawn(play->world, second_party, play));
	return yield_until(cx, &play->calls, 1);
}

/* Who left is not counted: the next two make the meeting. */
static enum qrt_err barrier_check(struct qrt_cx *cx, struct play *play)
{
	struct qrt_barrier_pass pass;
	if (!play->result) {
		return yield_until(cx, &play->ends, 1);
	}
	if (!play->completed) {
		EXPECT(!barrier_complete(cx, play));
	}
	EXPECT(play->ends == 0);
	EXPECT(!qrt_barrier_wait(cx, play->barrier, &pass));
	EXPECT(pass.generation == 1 && pass.leader);
	return yield_until(cx, &play->ends, 1);
}

static void barrier_clean(struct qrt_cx *cx, struct play *play)
{
	(void)cx;
	QRT_IGNORE(qrt_barrier_close(&play->barrier), "it is open");
}

static const struct row row_QRT__WAIT_BARRIER = {.name = "barrier",
						 .prepare = barrier_prepare,
						 .enter = barrier_enter,
						 .complete = barrier_complete,
						 .check = barrier_check,
						 .clean = barrier_clean};

static enum qrt_err notify_prepare(struct qrt_cx *cx, struct play *play)
{
	return qrt_notify_open(cx, &play->notify);
}

static enum qrt_err notify_enter(struct qrt_cx *cx, struct play *play)
{
	return qrt_notify_wait(cx, play->notify);
}

static enum qrt_err notify_complete(struct qrt_cx *cx, struct play *play)
{
	(void)cx;
	return qrt_notify_one(play->notify);
}

static enum qrt_err notify_check(struct qrt_cx *cx, struct play *play)
{
	bool kept = play->completed && play->result;
	EXPECT(qrt_notify_try_wait(cx, play->notify) == (kept ? QRT_OK : QRT_EAGAIN));
	EXPECT(qrt_notify_try_wait(cx, play->notify) == QRT_EAGAIN);
	return QRT_OK;
}

static void notify_clean(struct qrt_cx *cx, struct play *play)
{
	(void)cx;
	QRT_IGNORE(qrt_notify_close(&play->notify), "it is open");
}

static const struct row row_QRT__WAIT_NOTIFY = {.name = "notify",
						.prepare = notify_prepare,
						.enter = notify_enter,
						.complete = notify_complete,
						.check = notify_check,
						.clean = notify_clean,
						.done_then_cancel = QRT_ECANCELED};

static enum qrt_err once_body(struct qrt_cx *cx, void *arg)
{
	struct play *play = arg;
	play->calls++;
	return qrt__event_wait(cx, &play->go, QRT_NO_DEADLINE);
}

static enum qrt_err runs_once(struct qrt_cx *cx, void *arg)
{
	struct play *play = arg;
	enum qrt_err err = qrt_once_run(cx, play->once, once_body, play);
	play->ends++;
	return err;
}

static enum qrt_err once_prepare(struct qrt_cx *cx, struct play *play)
{
	qrt__event_init(&play->go);
	EXPECT(!qrt_once_open(cx, &play->once));
	EXPECT(!qrt_spawn(play->world, runs_once, play));
	return yield_until(cx, &play->calls, 1);
}

static enum qrt_err once_enter(struct qrt_cx *cx, struct play *play)
{
	return qrt_once_run(cx, play->once, once_body, play);
}

static enum qrt_err once_check(struct qrt_cx *cx, struct play *play)
{
	qrt__event_set(&play->go);
	EXPECT(!yield_until(cx, &play->ends, 1));
	EXPECT(!qrt_once_run(cx, play->once, once_body, play));
	EXPECT(play->calls == 1); /* by who began it, whoever left meanwhile */
	return QRT_OK;
}

static void once_clean(struct qrt_cx *cx, struct play *play)
{
	(void)cx;
	QRT_IGNORE(qrt_once_close(&play->once), "it is open");
}

static const struct row row_QRT__WAIT_ONCE = {.name = "once",
					      .prepare = once_prepare,
					      .enter = once_enter,
					      .complete = go_complete,
					      .check = once_check,
					      .clean = once_clean,
					      .done_then_cancel = QRT_ECANCELED};

/* --- streams ------------------------------------------------------------------------------- */

static enum qrt_err listen_prepare(struct qrt_cx *cx, struct play *play)
{
	int fd;
	EXPECT(!qrt_socket_listen(cx, "127.0.0.1", 0, &fd, &play->port));
	return qrt_listener_adopt(cx, fd, &play->listener);
}

static void net_clean(struct qrt_cx *cx, struct play *play)
{
	qrt_stream_close(cx, &play->a);
	qrt_stream_close(cx, &play->b);
	qrt_listener_close(cx, &play->listener);
}

static uint64_t streams_live(struct qrt_cx *cx)
{
	struct qrt_audit audit;
	qrt_runtime_audit(qrt_cx_runtime(cx), &audit);
	return audit.streams_live;
}

static enum qrt_err accept_enter(struct qrt_cx *cx, struct play *play)
{
	enum qrt_err err = qrt_accept(cx, play->listener, &play->b);
	return err ? err : qrt_stream_give(cx, play->b, play->world);
}

static enum qrt_err accept_complete(struct qrt_cx *cx, struct play *play)
{
	return qrt_connect(cx, "127.0.0.1", play->port, &play->a);
}

/* Says something at one end and hears it at the other. */
static enum qrt_err talk(struct qrt_cx *cx, struct play *play)
{
	char c = '?';
	size_t n = 0;
	EXPECT(!qrt_write(cx, play->a, "k", 1));
	EXPECT(!qrt_read(cx, play->b, &c, 1, &n));
	EXPECT(n == 1 && c == 'k');
	return QRT_OK;
}

static enum qrt_err accept_check(struct qrt_cx *cx, struct play *play)
{
	EXPECT(play->result ? !play->b : play->b != NULL);
	if (!play->completed) {
		EXPECT(!accept_complete(cx, play));
	}
	if (!play->b) {
		EXPECT(!qrt_accept(cx, play->listener, &play->b)); /* it was left in the line */
	}
	return talk(cx, play);
}

static const struct row row_QRT__WAIT_ACCEPT = {.name = "accept",
						.prepare = listen_prepare,
						.enter = accept_enter,
						.complete = accept_complete,
						.check = accept_check,
						.clean = net_clean,
						.by_world = true};

static enum qrt_err connect_enter(struct qrt_cx *cx, struct play *play)
{
	enum qrt_err err = qrt_connect(cx, "127.0.0.1", play->port, &play->a);
	return err ? err : qrt_stream_give(cx, play->a, play->world);
}

static enum qrt_err nothing_to_do(struct qrt_cx *cx, struct play *play)
{
	(void)cx;
	(void)play;
	return QRT_OK;
}

/* One that was cut leaves nothing of it open; the next one is as good as ever. */
static enum qrt_err connect_check(struct qrt_cx *cx, struct play *play)
{
	EXPECT(play->result ? !play->a : play->a != NULL);
	EXPECT(streams_live(cx) == (play->result ? 1 : 2));
	qrt_stream_close(cx, &play->a);
	EXPECT(!qrt_connect(cx, "127.0.0.1", play->port, &play->a));
	EXPECT(!qrt_write(cx, play->a, "k", 1));
	char c = '?';
	while (c != 'k') {
		size_t n = 0;
		EXPECT(!qrt_accept(cx, play->listener, &play->b));
		/* The other end of one that was cut has nothing to say. */
		if (qrt_read(cx, play->b, &c, 1, &n)) {
			c = '?';
		}
		qrt_stream_close(cx, &play->b);
	}
	return QRT_OK;
}

static const struct row row_QRT__WAIT_CONNECT = {.name = "connect",
						 .prepare = listen_prepare,
						 .enter = connect_enter,
						 .complete = nothing_to_do,
						 .check = connect_check,
						 .clean = net_clean,
						 .by_world = true};

static enum qrt_err pair_prepare(struct qrt_cx *cx, struct play *play)
{
	int fds[2];
	if (in_lab(cx)) {
		EXPECT(!qrt_lab_pair(cx, &fds[0], &fds[1]));
	} else {
		EXPECT(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds));
	}
	EXPECT(!qrt_stream_adopt(cx, fds[0], &play->a));
	return qrt_stream_adopt(cx, fds[1], &play->b);
}

static enum qrt_err read_enter(struct qrt_cx *cx, struct play *play)
{
	char c;
	size_t n;
	enum qrt_err err = qrt_read(cx, play->b, &c, 1, &n);
	if (!err) {
		play->value = c;
	}
	return err;
}

static enum qrt_err read_complete(struct qrt_cx *cx, struct play *play)
{
	return qrt_write(cx, play->a, "x", 1);
}

static enum qrt_err read_check(struct qrt_cx *cx, struct play *play)
{
	char c = '?';
	size_t n = 0;
	EXPECT(play->value == (play->result ? 0 : 'x'));
	if (play->completed && play->result) {
		EXPECT(!qrt_read(cx, play->b, &c, 1, &n) && c == 'x'); /* not lost */
	}
	return talk(cx, play); /* nor doubled */
}

static const struct row row_QRT__WAIT_READ = {.name = "read",
					      .prepare = pair_prepare,
					      .enter = read_enter,
					      .complete = read_complete,
					      .check = read_check,
					      .clean = net_clean,
					      .by_world = true};

enum { MUCH = 8 * 1024 * 1024 };
static char much[MUCH], some[65536];

static enum qrt_err write_enter(struct qrt_cx *cx, struct play *play)
{
	return qrt_write(cx, play->a, much, sizeof(much));
}

static enum qrt_err write_complete(struct qrt_cx *cx, struct play *play)
{
	size_t n = 0;
	enum qrt_err err = play->ended ? QRT_OK : qrt_read(cx, play->b, some, sizeof(some), &n);
	play->value += (int)n;
	return err;
}

static enum qrt_err writes_mark(struct qrt_cx *cx, void *arg)
{
	struct play *play = arg;
	return qrt_write(cx, play->a, "\1", 1);
}

/* An unknown part was sent, but nothing else, and the stream still works. */
static enum qrt_err write_check(struct qrt_cx *cx, struct play *play)
{
	size_t total = (size_t)play->value, n = 0;
	EXPECT(!qrt_spawn(play->world, writes_mark, play));
	do {
		EXPECT(!qrt_read(cx, play->b, some, sizeof(some), &n));
		for (size_t i = 0; i + 1 < n; i++) {
			EXPECT(some[i] == 0);
		}
		total += n;
	} while (some[n - 1] == 0);
	EXPECT(play->result ? total - 1 < MUCH : total - 1 == MUCH);
	return QRT_OK;
}

static const struct row row_QRT__WAIT_WRITE = {.name = "write",
					       .prepare = pair_prepare,
					       .enter = write_enter,
					       .complete = write_complete,
					       .check = write_check,
					       .clean = net_clean,
					       .done_then_cancel = QRT_ECANCELED,
					       .by_world = true,
					       .again = true};

static enum qrt_err tls_prepare(struct qrt_cx *cx, struct play *play)
{
	play->tls = tls_server();
	return pair_prepare(cx, play);
}

/* What it waits for is the peer's word; that there will be none is the shortest one. */
static enum qrt_err tls_enter(struct qrt_cx *cx, struct play *play)
{
	enum qrt_err err = qrt_tls_accept(cx, play->tls, &play->a);
	return err == QRT_ECONNRESET ? QRT_OK : err;
}

static enum qrt_err tls_complete(struct qrt_cx *cx, struct play *play)
{
	qrt_stream_close(cx, &play->b);
	return QRT_OK;
}

static enum qrt_err tls_check(struct qrt_cx *cx, struct play *play)
{
	(void)cx;
	EXPECT(!play->a); /* closed, however it ended */
	qrt_tls_unref(&play->tls);
	return QRT_OK;
}

static const struct row row_QRT__WAIT_TLS = {.name = "TLS handshake",
					     .prepare = tls_prepare,
					     .enter = tls_enter,
					     .complete = tls_complete,
					     .check = tls_check,
					     .clean = net_clean,
					     .by_world = true};

static enum qrt_err signal_prepare(struct qrt_cx *cx, struct play *play)
{
	const int signo = SIGUSR2;
	return qrt_signal_open(cx, &signo, 1, &play->signals);
}

static enum qrt_err signal_enter(struct qrt_cx *cx, struct play *play)
{
	return qrt_signal_wait(cx, play->signals, &play->value);
}

static enum qrt_err signal_complete(struct qrt_cx *cx, struct play *play)
{
	(void)play;
	if (in_lab(cx)) {
		return qrt_lab_raise(cx, SIGUSR2);
	}
	return raise(SIGUSR2) ? QRT_EFAILED : QRT_OK;
}

static enum qrt_err signal_check(struct qrt_cx *cx, struct play *play)
{
	int signo = 0;
	EXPECT(play->value == (play->result ? 0 : SIGUSR2));
	if (!play->completed || !play->result) {
		EXPECT(!signal_complete(cx, play)); /* else one is pending: it must not be lost */
	}
	EXPECT(!qrt_signal_wait(cx, play->signals, &signo) && signo == SIGUSR2);
	return QRT_OK;
}

static void signal_clean(struct qrt_cx *cx, struct play *play)
{
	qrt_signal_close(cx, &play->signals);
}

static const struct row row_QRT__WAIT_SIGNAL = {.name = "signal",
						.prepare = signal_prepare,
						.enter = signal_enter,
						.complete = signal_complete,
						.check = signal_check,
						.clean = signal_clean,
						.by_world = true};

/* --- lanes --------------------------------------------------------------------------------- */

static enum qrt_err until_released(struct qrt_job *job, void *arg)
{
	struct play *play = arg;
	(void)job;
	atomic_store(&play->running, true);
	while (!atomic_load(&play->release)) {
		sched_yield();
	}
	return QRT_OK;
}

static enum qrt_err blocks_lane(struct qrt_cx *cx, void *arg)
{
	struct play *play = arg;
	enum qrt_err err = qrt_blocking(cx, play->lane, until_released, play);
	play->ends++;
	return err;
}

static enum qrt_err until_running(struct qrt_cx *cx, struct play *play)
{
	while (!atomic_load(&play->running)) {
		EXPECT(!qrt_yield(cx));
	}
	return QRT_OK;
}

/* One thread, and where there are threads it is taken. In the lab a job waits for its moment. */
static enum qrt_err busy_lane_prepare(struct qrt_cx *cx, struct play *play)
{
	/* A queue of one: a job that was taken back and still counted would be seen. */
	EXPECT(!qrt_lane_open(cx, "waits", 1, 1, &play->lane));
	if (in_lab(cx)) {
		play->ends = 1;
		return QRT_OK;
	}
	EXPECT(!qrt_spawn(play->world, blocks_lane, play));
	return until_running(cx, play);
}

static enum qrt_err lane_prepare(struct qrt_cx *cx, struct play *play)
{
	play->ends = 1;
	return qrt_lane_open(cx, "waits", 1, 4, &play->lane);
}

static enum qrt_err counted_job(struct qrt_job *job, void *arg)
{
	(void)job;
	((struct play *)arg)->calls++;
	return QRT_OK;
}

static enum qrt_err queued_enter(struct qrt_cx *cx, struct play *play)
{
	return qrt_blocking(cx, play->lane, counted_job, play);
}

static enum qrt_err lane_complete(struct qrt_cx *cx, struct play *play)
{
	(void)cx;
	atomic_store(&play->release, true);
	return QRT_OK;
}

/* Nothing of it runs any more, and the lane does its work. */
static enum qrt_err lane_check(struct qrt_cx *cx, struct play *play)
{
	atomic_store(&play->release, true);
	EXPECT(!yield_until(cx, &play->ends, 1));
	EXPECT(qrt_lane_depth(play->lane) == 0);
	int before = play->calls;
	EXPECT(!qrt_blocking(cx, play->lane, counted_job, play));
	EXPECT(play->calls == before + 1);
	return QRT_OK;
}

static enum qrt_err queued_check(struct qrt_cx *cx, struct play *play)
{
	EXPECT(play->calls == (play->result ? 0 : 1)); /* what was taken back has never run */
	return lane_check(cx, play);
}

static void lane_clean(struct qrt_cx *cx, struct play *play)
{
	qrt_lane_close(cx, &play->lane);
}

/* Looks from time to time whether it is still wanted. */
static enum qrt_err asking_job(struct qrt_job *job, void *arg)
{
	struct play *play = arg;
	enum qrt_err err = QRT_OK;
	atomic_store(&play->running, true);
	while (!atomic_load(&play->release) && !err) {
		sched_yield();
		err = qrt_job_checkpoint(job);
	}
	/* Whoever was asked before they were let go is refused here, however the threads took
	 * turns. */
	return err ? err : qrt_job_checkpoint(job);
}

static enum qrt_err asking_enter(struct qrt_cx *cx, struct play *play)
{
	return qrt_blocking(cx, play->lane, asking_job, play);
}

static void break_it(void *arg)
{
	atomic_store((_Atomic bool *)arg, true);
}

/* Is in something that only its hook can break. */
static enum qrt_err hooked_job(struct qrt_job *job, void *arg)
{
	struct play *play = arg;
	_Atomic bool broken = false;
	qrt_job_on_interrupt(job, break_it, &broken);
	atomic_store(&play->running, true);
	while (!atomic_load(&play->release) && !atomic_load(&broken)) {
		sched_yield();
	}
	qrt_job_on_interrupt(job, NULL, NULL);
	return atomic_load(&broken) ? qrt_job_fail(job, QRT_ECANCELED, "broken") : QRT_OK;
}

static enum qrt_err hooked_enter(struct qrt_cx *cx, struct play *play)
{
	return qrt_blocking(cx, play->lane, hooked_job, play);
}

static enum qrt_err deaf_enter(struct qrt_cx *cx, struct play *play)
{
	return qrt_blocking(cx, play->lane, until_released, play);
}

/* --- the database: jobs on its lanes, in a transaction ------------------------------------------
 */

static enum qrt_err make_table(struct qrt_db_conn *conn, void *arg)
{
	(void)arg;
	return qrt_db_exec(conn, "CREATE TABLE t (n)");
}

static enum qrt_err db_prepare(struct qrt_cx *cx, struct play *play)
{
	const struct qrt_db_options opts = {.url = "sqlite::memory:"};
	EXPECT(!qrt_db_open(cx, &opts, &play->db));
	return qrt_db_write(cx, play->db, make_table, NULL);
}

/* Statement after statement, until it is let go or interrupted. */
static enum qrt_err until_let_go(struct qrt_db_conn *conn, struct play *play)
{
	enum qrt_err err = QRT_OK;
	while (!err && !atomic_load(&play->release)) {
		err = qrt_db_exec(conn, "SELECT count(*) FROM t");
		atomic_store(&play->running, true);
	}
	/* Whoever was asked before they were let go is refused here, as in asking_job. */
	return err ? err : qrt_db_exec(conn, "SELECT count(*) FROM t");
}

static enum qrt_err long_read(struct qrt_db_conn *conn, void *arg)
{
	return until_let_go(conn, arg);
}

static enum qrt_err long_write(struct qrt_db_conn *conn, void *arg)
{
	enum qrt_err err = qrt_db_exec(conn, "INSERT INTO t VALUES (1)");
	return err ? err : until_let_go(conn, arg);
}

static enum qrt_err db_read_enter(struct qrt_cx *cx, struct play *play)
{
	return qrt_db_read(cx, play->db, long_read, play);
}

static enum qrt_err db_write_enter(struct qrt_cx *cx, struct play *play)
{
	return qrt_db_write(cx, play->db, long_write, play);
}

static enum qrt_err count_rows(struct qrt_db_conn *conn, void *arg)
{
	struct play *play = arg;
	struct qrt_db_stmt *stmt;
	bool row;
	enum qrt_err err = qrt_db_prepare(conn, "SELECT count(*) FROM t", &stmt);
	if (!err) {
		err = qrt_db_step(stmt, &row);
		play->value = err ? -1 : (int)qrt_db_int(stmt, 0);
		qrt_db_finish(&stmt);
	}
	return err;
}

/* The connection works on, and what is stored is what the caller was told. */
static enum qrt_err db_read_check(struct qrt_cx *cx, struct play *play)
{
	EXPECT(!qrt_db_read(cx, play->db, count_rows, play));
	EXPECT(play->value == 0);
	return QRT_OK;
}

static enum qrt_err db_write_check(struct qrt_cx *cx, struct play *play)
{
	EXPECT(!qrt_db_read(cx, play->db, count_rows, play));
	EXPECT(play->value == (play->result ? 0 : 1));
	return QRT_OK;
}

static void db_clean(struct qrt_cx *cx, struct play *play)
{
	qrt_db_close(cx, &play->db);
}

static const struct row row_db_write = {.name = "db write, running",
					.prepare = db_prepare,
					.enter = db_write_enter,
					.ready = until_running,
					.complete = lane_complete,
					.check = db_write_check,
					.clean = db_clean,
					.real_only = true};
static const struct row row_db_read = {.name = "db read, running",
				       .prepare = db_prepare,
				       .enter = db_read_enter,
				       .ready = until_running,
				       .complete = lane_complete,
				       .check = db_read_check,
				       .clean = db_clean,
				       .real_only = true,
				       .next = &row_db_write};
static const struct row row_lane_deaf = {.name = "lane job, running, deaf",
					 .prepare = lane_prepare,
					 .enter = deaf_enter,
					 .ready = until_running,
					 .complete = lane_complete,
					 .check = lane_check,
					 .clean = lane_clean,
					 .deaf = true,
					 .real_only = true,
					 .next = &row_db_read};
static const struct row row_lane_hooked = {.name = "lane job, running, with a hook",
					   .prepare = lane_prepare,
					   .enter = hooked_enter,
					   .ready = until_running,
					   .complete = lane_complete,
					   .check = lane_check,
					   .clean = lane_clean,
					   .real_only = true,
					   .next = &row_lane_deaf};
static const struct row row_lane_asking = {.name = "lane job, running",
					   .prepare = lane_prepare,
					   .enter = asking_enter,
					   .ready = until_running,
					   .complete = lane_complete,
					   .check = lane_check,
					   .clean = lane_clean,
					   .real_only = true,
					   .next = &row_lane_hooked};
static const struct row row_QRT__WAIT_LANE = {.name = "lane job, queued",
					      .prepare = busy_lane_prepare,
					      .enter = queued_enter,
					      .complete = lane_complete,
					      .check = queued_check,
					      .clean = lane_clean,
					      .by_world = true,
					      .next = &row_lane_asking};

/* --- calls --------------------------------------------------------------------------------- */

static enum qrt_err callee(struct qrt_cx *cx, void *arg)
{
	struct play *play = arg;
	play->calls++;
	enum qrt_err err = qrt__event_wait(cx, &play->go, QRT_NO_DEADLINE);
	play->ends++;
	return err;
}

static void call_dropped(void *arg)
{
	((struct play *)arg)->drops++;
}

static enum qrt_err call_enter(struct qrt_cx *cx, struct play *play)
{
	const struct qrt__call_options opts = {.rt = qrt_cx_runtime(cx),
					       .caps = QRT_CAP_ALL,
					       .deadline_ns = QRT_NO_DEADLINE,
					       .name = "callee",
					       .site = QRT_SITE};
	return qrt__call(cx, &opts, callee, play, call_dropped);
}

static enum qrt_err call_ready(struct qrt_cx *cx, struct play *play)
{
	return yield_until(cx, &play->calls, 1);
}

/* The answer is the truth: when it is there nothing of the callee runs any more. */
static enum qrt_err call_check(struct qrt_cx *cx, struct play *play)
{
	(void)cx;
	EXPECT(play->calls == play->ends && play->calls <= 1);
	EXPECT(play->drops == 1);
	EXPECT(play->result || play->calls == 1);
	return QRT_OK;
}

static const struct row row_QRT__WAIT_CALL = {.name = "port call",
					      .prepare = go_prepare,
					      .enter = call_enter,
					      .ready = call_ready,
					      .complete = go_complete,
					      .check = call_check};

/* --- websockets, names --------------------------------------------------------------------- */

static enum qrt_err dial(struct qrt_cx *cx, struct play *play)
{
	char url[64];
	snprintf(url, sizeof(url), "ws://127.0.0.1:%u/", play->port);
	return qrt_ws_connect(cx, url, NULL, &play->client);
}

static enum qrt_err dials(struct qrt_cx *cx, void *arg)
{
	return dial(cx, arg);
}

static enum qrt_err answer(struct qrt_cx *cx, struct play *play)
{
	struct qrt_stream *stream;
	/* Takes little at a time: a sender of much must wait. */
	const struct qrt_ws_accept_options opts = {
	    .limits = {.message_max = MUCH, .queue_bytes = 1}};
	enum qrt_err err = qrt_accept(cx, play->listener, &stream);
	return err ? err : qrt_ws_accept(cx, &stream, &opts, &play->server);
}

static enum qrt_err ws_prepare(struct qrt_cx *cx, struct play *play)
{
	EXPECT(!listen_prepare(cx, play));
	EXPECT(!qrt_spawn(play->world, dials, play));
	EXPECT(!answer(cx, play));
	while (!play->client) {
		EXPECT(!qrt_sleep(cx, QRT_MS));
	}
	return QRT_OK;
}

static void ws_clean(struct qrt_cx *cx, struct play *play)
{
	qrt_ws_close(cx, &play->client);
	qrt_ws_close(cx, &play->server);
	net_clean(cx, play);
}

/* Says something at one end and hears it at the other. */
static enum qrt_err ws_talk(struct qrt_cx *cx, struct play *play)
{
	struct qrt_ws_message message;
	EXPECT(!qrt_ws_send_text(cx, play->client, "k"));
	EXPECT(!qrt_ws_recv(cx, play->server, &message));
	EXPECT(message.n == 1 && message.data[0] == 'k');
	return QRT_OK;
}

static enum qrt_err ws_recv_enter(struct qrt_cx *cx, struct play *play)
{
	struct qrt_ws_message message;
	enum qrt_err err = qrt_ws_recv(cx, play->server, &message);
	play->value = err ? 0 : message.data[0];
	return err;
}

static enum qrt_err ws_recv_complete(struct qrt_cx *cx, struct play *play)
{
	return qrt_ws_send_text(cx, play->client, "x");
}

static enum qrt_err ws_recv_check(struct qrt_cx *cx, struct play *play)
{
	struct qrt_ws_message message;
	EXPECT(play->value == (play->result ? 0 : 'x'));
	if (play->completed && play->result) {
		EXPECT(!qrt_ws_recv(cx, play->server, &message)); /* not lost */
		EXPECT(message.data[0] == 'x');
	}
	return ws_talk(cx, play); /* nor doubled */
}

static enum qrt_err ws_send_enter(struct qrt_cx *cx, struct play *play)
{
	return qrt_ws_send(cx, play->client, QRT_WS_BINARY, much, sizeof(much));
}

static enum qrt_err ws_send_check(struct qrt_cx *cx, struct play *play)
{
	struct qrt_ws_info info;
	EXPECT(!qrt_ws_info(cx, play->client, &info));
	EXPECT(info.sent == !play->result);
	EXPECT(!info.ended); /* nothing was begun by then: it has left no trace */
	if (!play->result) {
		struct qrt_ws_message message;
		EXPECT(!qrt_ws_recv(cx, play->server, &message) && message.n == sizeof(much));
	}
	return ws_talk(cx, play);
}

static enum qrt_err ws_goodbye_enter(struct qrt_cx *cx, struct play *play)
{
	return qrt_ws_shutdown(cx, play->client, QRT_WS_NORMAL, NULL);
}

/* The peer answers by itself: whoever was told of the cancel first has seen less. */
static enum qrt_err ws_goodbye_check(struct qrt_cx *cx, struct play *play)
{
	struct qrt_ws_message message;
	enum qrt_err err = qrt_ws_send_text(cx, play->client, "x");
	EXPECT(err || !play->was_parked);
	if (!err) {
		EXPECT(!qrt_ws_recv(cx, play->server, &message)); /* it was not begun */
	}
	qrt_ws_close(cx, &play->client);
	EXPECT(qrt_ws_recv(cx, play->server, &message) == QRT_EEOF);
	return QRT_OK;
}

static const struct row row_ws_goodbye = {.name = "websocket shutdown",
					  .prepare = ws_prepare,
					  .enter = ws_goodbye_enter,
					  .complete = nothing_to_do,
					  .check = ws_goodbye_check,
					  .clean = ws_clean,
					  .by_world = true,
					  .lab_only = true};
static const struct row row_ws_send = {.name = "websocket send",
				       .prepare = ws_prepare,
				       .enter = ws_send_enter,
				       .complete = nothing_to_do,
				       .check = ws_send_check,
				       .clean = ws_clean,
				       .by_world = true,
				       .lab_only = true,
				       .next = &row_ws_goodbye};
static const struct row row_QRT__WAIT_WS = {.name = "websocket receive",
					    .prepare = ws_prepare,
					    .enter = ws_recv_enter,
					    .complete = ws_recv_complete,
					    .check = ws_recv_check,
					    .clean = ws_clean,
					    .by_world = true,
					    .lab_only = true,
					    .next = &row_ws_send};

static enum qrt_err lookup_enter(struct qrt_cx *cx, struct play *play)
{
	struct qrt_address address[4];
	size_t n = 0;
	enum qrt_err err = qrt_resolve(cx, "localhost", address, 4, &n);
	play->value = (int)n;
	return err;
}

/* Who has left leaves nothing behind that counts; the next one is as good as ever. */
static enum qrt_err lookup_check(struct qrt_cx *cx, struct play *play)
{
	EXPECT(play->result ? play->value == 0 : play->value > 0);
	EXPECT(!lookup_enter(cx, play) && play->value > 0);
	return QRT_OK;
}

static const struct row row_QRT__WAIT_LOOKUP = {.name = "name lookup",
						.enter = lookup_enter,
						.complete = nothing_to_do,
						.check = lookup_check,
						.by_world = true};

/* --- child processes ------------------------------------------------------------------------ */

/* The lab's /bin/cat, as far as it is needed: until its input ends. */
static int cat(struct qrt_cx *cx, const struct qrt_lab_child *self)
{
	char c;
	size_t n;
	enum qrt_err err;
	do {
		err = qrt_read(cx, self->in, &c, 1, &n);
	} while (!err);
	return err == QRT_EEOF ? 0 : -SIGTERM;
}

static enum qrt_err child_prepare(struct qrt_cx *cx, struct play *play)
{
	const struct qrt_child_options opts = {.path = "/bin/cat",
					       .mode[QRT_CHILD_IN] = QRT_CHILD_PIPE};
	if (in_lab(cx)) {
		EXPECT(!qrt_lab_program(qrt_cx_lab(cx), opts.path, cat));
	}
	return qrt_child_open(cx, &opts, &play->child);
}

static enum qrt_err child_enter(struct qrt_cx *cx, struct play *play)
{
	struct qrt_child_status status = {.code = -1};
	enum qrt_err err = qrt_child_wait(cx, play->child, &status);
	play->value = status.signalled ? -1 : status.code;
	return err;
}

static enum qrt_err child_complete(struct qrt_cx *cx, struct play *play)
{
	struct qrt_stream *in = qrt_child_stream(play->child, QRT_CHILD_IN);
	qrt_stream_close(cx, &in);
	return QRT_OK;
}

/* Whoever asks next is told the same. */
static enum qrt_err child_check(struct qrt_cx *cx, struct play *play)
{
	EXPECT(play->value == (play->result ? -1 : 0));
	EXPECT(!child_complete(cx, play));
	EXPECT(!child_enter(cx, play) && play->value == 0);
	return QRT_OK;
}

static void child_clean(struct qrt_cx *cx, struct play *play)
{
	qrt_child_close(cx, &play->child);
}

static const struct row row_QRT__WAIT_CHILD = {.name = "child process",
					       .prepare = child_prepare,
					       .enter = child_enter,
					       .complete = child_complete,
					       .check = child_check,
					       .clean = child_clean,
					       .by_world = true};

/* --- http connections ----------------------------------------------------------------------- */

static enum qrt_err http_begin(struct qrt_cx *cx, struct play *play, struct qrt_http_call **call)
{
	char url[64];
	snprintf(url, sizeof(url), "http://127.0.0.1:%u/", play->port);
	const struct qrt_http_ask ask = {
	    .method = "POST", .url = url, .body_len = 1, .body_written = true};
	return qrt_http_call_begin(cx, play->http, &ask, call);
}

/* One connection at most, which the first call has. */
static enum qrt_err http_prepare(struct qrt_cx *cx, struct play *play)
{
	const struct qrt_http_client_options opts = {.connections_max = 1};
	EXPECT(!listen_prepare(cx, play));
	EXPECT(!qrt_http_client_open(cx, &opts, &play->http));
	return http_begin(cx, play, &play->first);
}

static enum qrt_err http_enter(struct qrt_cx *cx, struct play *play)
{
	enum qrt_err err = http_begin(cx, play, &play->second);
	qrt_http_call_end(cx, &play->second);
	return err;
}

static enum qrt_err http_complete(struct qrt_cx *cx, struct play *play)
{
	qrt_http_call_end(cx, &play->first);
	return QRT_OK;
}

static enum qrt_err http_check(struct qrt_cx *cx, struct play *play)
{
	struct qrt_http_client_stats stats;
	EXPECT(!http_complete(cx, play));
	EXPECT(!qrt_http_client_stats(cx, play->http, &stats));
	EXPECT(stats.waiting == 0 && stats.calls == 0 && stats.connections == 0);
	return http_enter(cx, play);
}

static void http_clean(struct qrt_cx *cx, struct play *play)
{
	qrt_http_client_close(cx, &play->http);
	net_clean(cx, play);
}

static const struct row row_QRT__WAIT_HTTP = {.name = "http connection",
					      .prepare = http_prepare,
					      .enter = http_enter,
					      .complete = http_complete,
					      .check = http_check,
					      .clean = http_clean,
					      .done_then_cancel = QRT_ECANCELED};

/* --- not parked, but not running either ---------------------------------------------------- */

/* There is nothing to cut: the one is ready, the other is back before anybody can ask again. */
static enum qrt_err yield_enter(struct qrt_cx *cx, struct play *play)
{
	play->calls++;
	enum qrt_err err = qrt_yield(cx);
	play->ends += !err;
	return err;
}

static enum qrt_err yield_check(struct qrt_cx *cx, struct play *play)
{
	(void)cx;
	EXPECT(play->calls == 1 && play->ends == !play->result);
	return QRT_OK;
}

static void errand(void *arg)
{
	struct play *play = arg;
	play->ends++;
}

static enum qrt_err loop_enter(struct qrt_cx *cx, struct play *play)
{
	play->calls++;
	qrt__on_loop(cx, errand, play);
	return QRT_OK; /* no checkpoint */
}

static enum qrt_err loop_check(struct qrt_cx *cx, struct play *play)
{
	(void)cx;
	EXPECT(play->calls == 1 && play->ends == 1 && !play->result);
	return QRT_OK;
}

static const struct row row_QRT__WAIT_YIELD = {
    .name = "yield", .enter = yield_enter, .complete = nothing_to_do, .check = yield_check};
static const struct row row_QRT__WAIT_LOOP = {.name = "loop stack",
					      .enter = loop_enter,
					      .complete = nothing_to_do,
					      .check = loop_check,
					      .deaf = true};

/* --- the table ----------------------------------------------------------------------------- */

static const struct row *const table[] = {
#define ROW(name, text, op) [name] = &row_##name,
    QRT__WAIT_KINDS(ROW)
#undef ROW
};
_Static_assert(sizeof(table) / sizeof(table[0]) == QRT__WAIT_COUNT, "a row for each kind of wait");

static enum qrt_err victim(struct qrt_cx *cx, void *arg)
{
	struct play *play = arg;
	play->victim = cx->task;
	play->result = play->row->enter(cx, play);
	play->after = qrt_checkpoint(cx);
	play->ended = true;
	play->victim = NULL;
	return QRT_OK;
}

static bool parked(const struct play *play)
{
	return play->victim && play->victim->wait;
}

static bool parks(enum qrt__wait_kind kind)
{
	return kind != QRT__WAIT_YIELD && kind != QRT__WAIT_LOOP;
}

/* Until the victim stands in its wait; no poll comes in between. */
static enum qrt_err let_park(struct qrt_cx *cx, struct play *play, enum qrt__wait_kind kind)
{
	if (!parks(kind)) {
		return qrt_yield(cx);
	}
	for (int i = 0; i < 100 && !parked(play); i++) {
		EXPECT(!qrt_yield(cx));
	}
	EXPECT(parked(play) && play->victim->wait->kind == kind);
	return play->row->ready ? play->row->ready(cx, play) : QRT_OK;
}

static void ask(struct play *play)
{
	play->was_parked = parked(play);
	play->was_over = play->ended;
	qrt_region_cancel(play->region, QRT_CANCEL_USER, "test");
}

static enum qrt_err complete(struct qrt_cx *cx, struct play *play)
{
	play->completed = true;
	return play->row->complete(cx, play);
}

/* Until what was completed has woken the victim; it has not run yet, if we can help it. */
static enum qrt_err let_wake(struct qrt_cx *cx, struct play *play)
{
	bool time = play->row->by_world && in_lab(cx);
	/* One that has to go on waiting may stand there again before we look. */
	int turns = time ? 100 : play->row->again ? 20 : PATIENCE;
	for (int i = 0; i < turns && parked(play); i++) {
		EXPECT(!(time ? qrt_sleep(cx, QRT_MS) : pause_a_little(cx, i)));
	}
	return QRT_OK;
}

static enum qrt_err let_end(struct qrt_cx *cx, struct play *play)
{
	const struct row *row = play->row;
	for (int i = 0; i < PATIENCE && !play->ended; i++) {
		EXPECT(!qrt_yield(cx));
		bool left = i > 20 && (!play->completed || row->again);
		if (!play->ended && left) {
			/* The cancel has not reached it: it waits for what it came for. */
			EXPECT(!complete(cx, play));
		}
		if (i % 10 == 9) {
			EXPECT(!qrt_sleep(cx, QRT_MS));
		}
	}
	EXPECT(play->ended);
	return QRT_OK;
}

static enum qrt_err wanted(struct qrt_cx *cx, const struct play *play, enum moment moment)
{
	const struct row *row = play->row;
	if (play->was_over) {
		return QRT_OK;
	}
	if (!is_structured(cx)) {
		bool reached = play->was_parked && !row->hidden && !row->deaf;
		return reached ? QRT_ECANCELED : QRT_OK;
	}
	if (row->deaf) {
		/* A job that has not begun is not begun; an errand is no wait at all. */
		return moment == BEFORE && row->real_only ? QRT_ECANCELED : QRT_OK;
	}
	if (row == &row_QRT__WAIT_YIELD) {
		return moment == BEFORE ? QRT_ECANCELED : QRT_OK;
	}
	return moment == DONE_THEN_CANCEL ? row->done_then_cancel : QRT_ECANCELED;
}

static enum qrt_err act(struct qrt_cx *cx, struct play *play, enum qrt__wait_kind kind,
			enum moment moment)
{
	if (moment == BEFORE) {
		ask(play);
		return QRT_OK;
	}
	EXPECT(!let_park(cx, play, kind));
	if (moment == DONE_THEN_CANCEL) {
		EXPECT(!complete(cx, play));
		EXPECT(!let_wake(cx, play));
	}
	ask(play);
	if (moment == CANCEL_THEN_DONE) {
		EXPECT(!complete(cx, play));
	}
	return QRT_OK;
}

static enum qrt_err play_one(struct qrt_cx *cx, const struct row *row, enum qrt__wait_kind kind,
			     enum moment moment)
{
	struct play play = {.row = row, .result = QRT_EFAILED};
	struct qrt_mask mask;
	EXPECT(!qrt_mask_begin(cx, 0, &mask)); /* main itself goes on */
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &play.world));
	EXPECT(!row->prepare || !row->prepare(cx, &play));
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &play.region));
	EXPECT(!qrt_spawn(play.region, victim, &play));
	EXPECT(!act(cx, &play, kind, moment));
	EXPECT(!let_end(cx, &play));
	EXPECT(!qrt_region_close(cx, &play.region, QRT_OK));
	EXPECT(play.result == wanted(cx, &play, moment));
	/* Where it is remembered the next checkpoint says so again, whatever the wait has said. */
	bool remembered = is_structured(cx) && !play.was_over;
	EXPECT(play.after == (remembered ? QRT_ECANCELED : QRT_OK));
	EXPECT(!row->check(cx, &play));
	if (row->clean) {
		row->clean(cx, &play);
	}
	EXPECT(!qrt_region_close(cx, &play.world, QRT_OK));
	qrt_mask_end(cx, &mask);
	return QRT_OK;
}

struct cell {
	const struct row *row;
	enum qrt__wait_kind kind;
	enum moment moment;
};

static enum qrt_err scenario(struct qrt_cx *cx, void *arg)
{
	const struct cell *cell = arg;
	if (cell->row->real_only && in_lab(cx)) {
		return QRT_OK; /* there a job is over in no time */
	}
	if (cell->row->lab_only && !in_lab(cx)) {
		return QRT_OK; /* promise "websocket" */
	}
	return play_one(cx, cell->row, cell->kind, cell->moment);
}

static void play_moment(enum moment moment)
{
	size_t n;
	const char *const *names = qrt_backend_names(&n);
	int failed = 0;
	for (size_t i = 0; i < n; i++) {
		for (int kind = 0; kind < QRT__WAIT_COUNT; kind++) {
			for (const struct row *row = table[kind]; row; row = row->next) {
				struct cell cell = {row, (enum qrt__wait_kind)kind, moment};
				if (on_backend(names[i], scenario, &cell)) {
					print_message("%s: %s, %s\n", names[i], row->name,
						      moment_names[moment]);
					failed++;
				}
			}
		}
	}
	assert_int_equal(failed, 0);
}

static void who_was_cancelled_before_it_waits_does_not_wait(void **state)
{
	(void)state;
	play_moment(BEFORE);
}

static void who_waits_is_reached(void **state)
{
	(void)state;
	play_moment(PARKED);
}

static void what_was_done_before_the_cancel_is_kept_or_passed_on(void **state)
{
	(void)state;
	play_moment(DONE_THEN_CANCEL);
}

static void what_is_done_after_the_cancel_is_there_for_the_next(void **state)
{
	(void)state;
	play_moment(CANCEL_THEN_DONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(who_was_cancelled_before_it_waits_does_not_wait),
	    cmocka_unit_test(who_waits_is_reached),
	    cmocka_unit_test(what_was_done_before_the_cancel_is_kept_or_passed_on),
	    cmocka_unit_test(what_is_done_after_the_cancel_is_there_for_the_next),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
