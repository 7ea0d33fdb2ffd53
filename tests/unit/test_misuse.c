/*
 * Misuse is an error with a name and changes nothing: each row does one wrong thing, on every
 * backend; afterwards the runtime works as before and closes clean.
 */
#include <pthread.h>
#include <qrt/broadcast.h>
#include <qrt/chan.h>
#include <qrt/lab.h>
#include <qrt/lane.h>
#include <qrt/mailbox.h>
#include <qrt/oneshot.h>
#include <qrt/signal.h>
#include <qrt/stream.h>
#include <qrt/sync.h>
#include <qrt/watch.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>

#include "shim/src/internal.h"
#include "tests/lib/backends.h"
#include "tests/lib/test.h"

enum { HOUR_S = 3600 };

static enum qrt_err well(struct qrt_cx *cx, void *arg)
{
	++*(int *)arg;
	return qrt_yield(cx);
}

/* Something is left as it was: the same is alive, and regions and tasks work. */
static enum qrt_err goes_on(struct qrt_cx *cx, const struct qrt_audit *before)
{
	struct qrt_audit after;
	struct qrt_region *region;
	int ran = 0;
	qrt_runtime_audit(qrt_cx_runtime(cx), &after);
	EXPECT(after.tasks_live == before->tasks_live);
	EXPECT(after.regions_live == before->regions_live);
	EXPECT(after.duties_live == before->duties_live && after.leaks == before->leaks);
	EXPECT(after.streams_live == before->streams_live && after.jobs_live == before->jobs_live);
	EXPECT(after.panics == 0 && after.forced == 0);
	EXPECT(!qrt_checkpoint(cx));
	EXPECT(!qrt_region_open(cx, QRT_FAIL_FAST, &region));
	EXPECT(!qrt_spawn(region, well, &ran));
	EXPECT(!qrt_region_close(cx, &region, QRT_OK) && ran == 1);
	return QRT_OK;
}

static enum qrt_err guarded(struct qrt_cx *cx, void *arg)
{
	struct qrt_audit before;
	qrt_task_fn *const *scenario = arg;
	qrt_runtime_audit(qrt_cx_runtime(cx), &before);
	enum qrt_err err = (*scenario)(cx, NULL);
	return err ? err : goes_on(cx, &before);
}

static void play(qrt_task_fn *scenario)
{
	on_each_backend(guarded, &scenario);
}

/* --- regions ------------------------------------------------------------------------------- */

static enum qrt_err use_stale(struct qrt_cx *cx, struct qrt_region *stale)
{
	struct qrt_region *copy = stale;
	int ran = 0;
	struct qrt_aggregate all = {.n_ok = 99};
	EXPECT(qrt_spawn(stale, well, &ran) == QRT_ESTALE);
	EXPECT(qrt_spawn_with(stale, &(struct qrt_spawn_options){0}, well, &ran) == QRT_ESTALE);
	EXPECT(qrt_region_close(cx, &copy, QRT_OK) == QRT_ESTALE && copy == stale);
	EXPECT(strcmp(qrt_detail(cx), "the region has been closed") == 0);
	EXPECT(qrt_region_close_report(cx, &copy, QRT_EIO, &all) == QRT_ESTALE);
	EXPECT(all.n_ok == 99); /* untouched */
	EXPECT(qrt_region_live(stale) == 0 && !qrt_region_cx(stale));
	qrt_region_cancel(stale, QRT_CANCEL_USER, "nobody");
	EXPECT(!qrt_yield(cx) && ran == 0);
	return QRT_OK;
}

static enum qrt_err stale_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct qrt_region *region, *stale, *next;
	struct qrt_audit audit;
	int ran = 0;
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &region));
	stale = region;
	EXPECT(!qrt_region_close(cx, &region, QRT_OK) && !region);
	EXPECT(qrt_region_close(cx, &region, QRT_OK) == QRT_ESTALE); /* twice: it is NULL now */
	EXPECT(use_stale(cx, stale) == QRT_OK);
	EXPECT(use_stale(cx, NULL) == QRT_OK);
	for (int i = 0; i < 100; i++) { /* its place is taken again and again */
		EXPECT(!qrt_region_open(cx, QRT_COLLECT, &next));
		EXPECT(next != stale && use_stale(cx, stale) == QRT_OK);
		EXPECT(!qrt_spawn(next, well, &ran));
		EXPECT(use_stale(cx, stale) == QRT_OK);
		EXPECT(!qrt_region_close(cx, &next, QRT_OK) && ran == i + 1);
	}
	qrt_runtime_audit(qrt_cx_runtime(cx), &audit);
	EXPECT(audit.cancels == 0);
	return QRT_OK;
}

static void a_closed_region_is_stale_for_ever(void **state)
{
	(void)state;
	play(stale_scenario);
}

struct meddler {
	struct qrt_region *home, *other;
	enum qrt_err spawned, closed_home, closed_other, closed_root;
	char detail[256];
	int ran;
};

static enum qrt_err meddles(struct qrt_cx *cx, void *arg)
{
	struct meddler *meddler = arg;
	struct qrt_region *region = meddler->home;
	EXPECT(!qrt_yield(cx)); /* until its opener closes it */
	meddler->spawned = qrt_spawn(region, well, &meddler->ran);
	meddler->closed_home = qrt_region_close(cx, &region, QRT_OK);
	EXPECT(region == meddler->home);
	region = meddler->other;
	meddler->closed_other = qrt_region_close(cx, &region, QRT_OK);
	strcpy(meddler->detail, qrt_detail(cx));
	return qrt_yield(cx);
}

static enum qrt_err meddler_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct meddler meddler = {.ran = 0};
	struct qrt_region *outer, *inner;
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &outer));
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &inner));
	meddler.home = inner;
	meddler.other = outer;
	EXPECT(!qrt_spawn(inner, meddles, &meddler));
	EXPECT(qrt_region_close(cx, &outer, QRT_OK) == QRT_ESTATE && outer);
	EXPECT(strcmp(qrt_detail(cx), "region main, opened later, is still open") == 0);
	EXPECT(!qrt_region_close(cx, &inner, QRT_OK));
	EXPECT(meddler.spawned == QRT_ECLOSED && meddler.ran == 0);
	EXPECT(meddler.closed_home == QRT_EDEADLOCK); /* it would wait for itself */
	EXPECT(meddler.closed_other == QRT_EDEADLOCK);
	EXPECT(strcmp(meddler.detail, "task meddles lives in region main") == 0);
	/* One it does not live in is still not its own. */
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &inner));
	struct meddler stranger = {.home = outer, .other = inner};
	EXPECT(!qrt_spawn(outer, meddles, &stranger));
	EXPECT(!qrt_sleep(cx, QRT_MS));
	EXPECT(!stranger.spawned && stranger.closed_home == QRT_EDEADLOCK);
	EXPECT(stranger.closed_other == QRT_ENOTOWNER);
	EXPECT(strcmp(stranger.detail, "region main was opened by main, not by meddles") == 0);
	EXPECT(!qrt_region_close(cx, &inner, QRT_OK));
	EXPECT(!qrt_region_close(cx, &outer, QRT_OK));
	return QRT_OK;
}

static void a_region_is_closed_by_its_opener_in_order_and_takes_no_more_then(void **state)
{
	(void)state;
	play(meddler_scenario);
}

static enum qrt_err options_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	static const struct qrt_region_options bad[] = {
	    {.policy = (enum qrt_policy)(QRT_SUPERVISE + 1)},
	    {.policy = (enum qrt_policy) - 1},
	    {.flags = 1u << 7},
	    {.cleanup_ns = -1},
	    {.budget.polls = -1},
	    {.budget.cost = -1},
	    {.budget.deadline_ns = -1},
	    {.budget.priority = QRT_PRIORITY_MAX + 1},
	};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct qrt_region *region = NULL;
		EXPECT(qrt_region_open_with(cx, &bad[i], &region) == QRT_EINVAL && !region);
		EXPECT(strstr(qrt_detail(cx), "region main: bad ") == qrt_detail(cx));
	}
	struct qrt_lane *lane = NULL;
	struct qrt_chan *chan = NULL;
	struct qrt_semaphore *semaphore = NULL;
	struct qrt_barrier *barrier = NULL;
	struct qrt_signals *signals = NULL;
	EXPECT(qrt_lane_open(cx, "l", 0, 1, &lane) == QRT_EINVAL);
	EXPECT(qrt_lane_open(cx, "l", 65, 1, &lane) == QRT_EINVAL);
	EXPECT(qrt_lane_open(cx, "l", 1, 0, &lane) == QRT_EINVAL && !lane);
	EXPECT(qrt_chan_open(cx, 0, 1, NULL, &chan) == QRT_EINVAL);
	EXPECT(qrt_chan_open(cx, QRT_ELEMENT_BYTES_MAX + 1, 1, NULL, &chan) == QRT_EINVAL);
	EXPECT(qrt_chan_open(cx, 1, 0, NULL, &chan) == QRT_EINVAL);
	EXPECT(qrt_chan_open(cx, 1, (size_t)QRT_CAPACITY_MAX + 1, NULL, &chan) == QRT_EINVAL);
	EXPECT(qrt_semaphore_open(cx, 0, &semaphore) == QRT_EINVAL);
	EXPECT(qrt_barrier_open(cx, 0, &barrier) == QRT_EINVAL);
	EXPECT(qrt_signal_open(cx, (const int[]){SIGUSR1}, 0, &signals) == QRT_EINVAL);
	EXPECT(qrt_select(cx, QRT_SELECT_FAIR, NULL, 0, NULL) == QRT_EINVAL);
	EXPECT(!chan && !semaphore && !barrier && !signals);
	return QRT_OK;
}

static void bad_options_are_refused(void **state)
{
	(void)state;
	play(options_scenario);
}

/* --- everything that suspends, as a list --------------------------------------------------- */

struct things {
	struct qrt_region *region;
	struct qrt_chan *empty, *full;
	struct qrt_oneshot *oneshot;
	struct qrt_permit permit;
	struct qrt_broadcast *broadcast;
	struct qrt_subscription *subscription;
	struct qrt_watch *watch;
	struct qrt_mailbox *mailbox, *full_mailbox;
	struct qrt_mutex *mutex;
	struct qrt_rwlock *rwlock;
	struct qrt_semaphore *semaphore;
	struct qrt_barrier *barrier;
	struct qrt_notify *notify;
	struct qrt_once *once;
	struct qrt_lane *lane;
	struct qrt_listener *listener;
	uint16_t port;
	struct qrt_stream *a, *b;
	struct qrt_signals *signals;
};

static enum qrt_err open_channels(struct qrt_cx *cx, struct things *it)
{
	const int one = 1;
	EXPECT(!qrt_chan_open(cx, sizeof(int), 1, NULL, &it->empty));
	EXPECT(!qrt_chan_open(cx, sizeof(int), 1, NULL, &it->full));
	EXPECT(!qrt_chan_try_send(it->full, &one));
	EXPECT(!qrt_oneshot_open(cx, sizeof(int), NULL, &it->oneshot, &it->permit));
	EXPECT(!qrt_broadcast_open(cx, sizeof(int), 1, &it->broadcast));
	EXPECT(!qrt_subscribe(cx, it->broadcast, &it->subscription));
	EXPECT(!qrt_watch_open(cx, &one, &it->watch));
	EXPECT(!qrt_mailbox_open(cx, sizeof(int), 1, NULL, &it->mailbox));
	EXPECT(!qrt_mailbox_open(cx, sizeof(int), 1, NULL, &it->full_mailbox));
	EXPECT(!qrt_mailbox_try_send(it->full_mailbox, &one));
	return QRT_OK;
}

static enum qrt_err open_rest(struct qrt_cx *cx, struct things *it)
{
	int fds[2], fd;
	const int signo = SIGUSR1;
	EXPECT(!qrt_mutex_open(cx, &it->mutex));
	EXPECT(!qrt_rwlock_open(cx, &it->rwlock));
	EXPECT(!qrt_semaphore_open(cx, 1, &it->semaphore));
	EXPECT(!qrt_barrier_open(cx, 2, &it->barrier));
	EXPECT(!qrt_notify_open(cx, &it->notify));
	EXPECT(!qrt_once_open(cx, &it->once));
	EXPECT(!qrt_lane_open(cx, "misuse", 1, 1, &it->lane));
	EXPECT(!qrt_socket_listen(cx, "127.0.0.1", 0, &fd, &it->port));
	EXPECT(!qrt_listener_adopt(cx, fd, &it->listener));
	if (qrt_in_lab(cx)) {
		EXPECT(!qrt_lab_pair(cx, &fds[0], &fds[1]));
	} else {
		EXPECT(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds));
	}
	EXPECT(!qrt_stream_adopt(cx, fds[0], &it->a));
	EXPECT(!qrt_stream_adopt(cx, fds[1], &it->b));
	EXPECT(!qrt_signal_open(cx, &signo, 1, &it->signals));
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &it->region));
	return QRT_OK;
}

static enum qrt_err close_all(struct qrt_cx *cx, struct things *it)
{
	EXPECT(!qrt_region_close(cx, &it->region, QRT_OK));
	EXPECT(!qrt_chan_close(&it->empty) && !qrt_chan_close(&it->full));
	EXPECT(!qrt_abort(&it->permit) && !qrt_oneshot_close(&it->oneshot));
	EXPECT(!qrt_unsubscribe(&it->subscription) && !qrt_broadcast_close(&it->broadcast));
	EXPECT(!qrt_watch_close(&it->watch));
	EXPECT(!qrt_mailbox_close(&it->mailbox) && !qrt_mailbox_close(&it->full_mailbox));
	EXPECT(!qrt_mutex_close(&it->mutex) && !qrt_rwlock_close(&it->rwlock));
	EXPECT(!qrt_semaphore_close(&it->semaphore) && !qrt_barrier_close(&it->barrier));
	EXPECT(!qrt_notify_close(&it->notify) && !qrt_once_close(&it->once));
	qrt_lane_close(cx, &it->lane);
	qrt_listener_close(cx, &it->listener);
	qrt_stream_close(cx, &it->a);
	qrt_stream_close(cx, &it->b);
	qrt_signal_close(cx, &it->signals);
	return QRT_OK;
}

static enum qrt_err no_job(struct qrt_job *job, void *arg)
{
	(void)job;
	++*(int *)arg;
	return QRT_OK;
}

static int ran; /* what must never have run */

/* Each would wait, or may: name of the call, and the call with cx and `it` at hand. */
#define SUSPENDING(X)                                                                              \
	X(yield, qrt_yield(cx))                                                                    \
	X(sleep, qrt_sleep(cx, 1))                                                                 \
	X(sleep_until, qrt_sleep_until(cx, 1))                                                     \
	X(region_open, qrt_region_open(cx, QRT_COLLECT, &it->region))                              \
	X(region_close, qrt_region_close(cx, &it->region, QRT_OK))                                 \
	X(recv, qrt_chan_recv(cx, it->empty, &value))                                              \
	X(recv_full, qrt_chan_recv(cx, it->full, &value))                                          \
	X(reserve, qrt_reserve(cx, it->full, &permit))                                             \
	X(reserve_empty, qrt_reserve(cx, it->empty, &permit))                                      \
	X(send, qrt_chan_send(cx, it->full, &value))                                               \
	X(send_empty, qrt_chan_send(cx, it->empty, &value))                                        \
	X(oneshot_recv, qrt_oneshot_recv(cx, it->oneshot, &value))                                 \
	X(broadcast_recv, qrt_broadcast_recv(cx, it->subscription, &value))                        \
	X(watch_changed, qrt_watch_changed(cx, it->watch, &seen))                                  \
	X(mailbox_recv, qrt_mailbox_recv(cx, it->mailbox, &value))                                 \
	X(mailbox_reserve, qrt_mailbox_reserve(cx, it->full_mailbox, &permit))                     \
	X(mailbox_send, qrt_mailbox_send(cx, it->full_mailbox, &value))                            \
	X(mutex_lock, qrt_mutex_lock(cx, it->mutex, &lease))                                       \
	X(rwlock_read, qrt_rwlock_read(cx, it->rwlock, &lease))                                    \
	X(rwlock_write, qrt_rwlock_write(cx, it->rwlock, &lease))                                  \
	X(acquire, qrt_acquire(cx, it->semaphore, 1, &lease))                                      \
	X(barrier_wait, qrt_barrier_wait(cx, it->barrier, NULL))                                   \
	X(notify_wait, qrt_notify_wait(cx, it->notify))                                            \
	X(once_run, qrt_once_run(cx, it->once, well, &ran))                                        \
	X(select, qrt_select(cx, QRT_SELECT_ORDERED, cases, 1, &which))                            \
	X(blocking, qrt_blocking(cx, it->lane, no_job, &ran))                                      \
	X(accept, qrt_accept(cx, it->listener, &stream))                                           \
	X(connect, qrt_connect(cx, "127.0.0.1", it->port, &stream))                                \
	X(read, qrt_read(cx, it->a, &byte, 1, &n))                                                 \
	X(signal_wait, qrt_signal_wait(cx, it->signals, &value))                                   \
	X(call, qrt__call(cx, &opts, well, &ran, NULL))

struct answers {
#define ANSWER(name, call) enum qrt_err name;
	SUSPENDING(ANSWER)
#undef ANSWER
};

static const char *const suspending_names[] = {
#define NAME(name, call) #name,
    SUSPENDING(NAME)
#undef NAME
};

static void try_all(struct qrt_cx *cx, struct things *it, struct answers *answers)
{
	int value = 7;
	char byte;
	uint64_t seen = 1;
	size_t which, n;
	struct qrt_permit permit = {{0}};
	struct qrt_lease lease = {{0}};
	struct qrt_stream *stream = NULL;
	struct qrt_case cases[] = {qrt_case_recv(it->empty, &value)};
	const struct qrt__call_options opts = {.rt = qrt_cx_runtime(cx),
					       .caps = QRT_CAP_ALL,
					       .deadline_ns = QRT_NO_DEADLINE,
					       .name = "call",
					       .site = QRT_SITE};
#define TRY_IT(name, call) answers->name = call;
	SUSPENDING(TRY_IT)
#undef TRY_IT
}

/* All of them said @want; and none of it has happened: close_all and goes_on look at that. */
static enum qrt_err all_said(const struct answers *answers, enum qrt_err want)
{
	const enum qrt_err *at = (const enum qrt_err *)answers;
	for (size_t i = 0; i < sizeof(*answers) / sizeof(*at); i++) {
		if (at[i] != want) {
			fprintf(stderr, "%s: %s instead of %s\n", suspending_names[i],
				qrt_err_name(at[i]), qrt_err_name(want));
		}
		EXPECT(at[i] == want);
	}
	EXPECT(ran == 0);
	return QRT_OK;
}

/* --- in a finalizer ------------------------------------------------------------------------ */

struct final {
	struct things it;
	struct answers answers;
	char detail[256];
};

static void tries_all(struct qrt_cx *cx, void *arg)
{
	struct final *final = arg;
	try_all(cx, &final->it, &final->answers);
	QRT_IGNORE(qrt_sleep(cx, 1), "for its detail");
	strcpy(final->detail, qrt_detail(cx));
}

static enum qrt_err with_finalizer(struct qrt_cx *cx, void *arg)
{
	return qrt_defer(cx, tries_all, arg);
}

static enum qrt_err finalizer_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	for (int of_region = 0; of_region < 2; of_region++) {
		struct final final;
		struct qrt_region *region;
		memset(&final, 0, sizeof(final));
		EXPECT(!open_channels(cx, &final.it) && !open_rest(cx, &final.it));
		EXPECT(!qrt_region_open(cx, QRT_COLLECT, &region));
		if (of_region) {
			EXPECT(!qrt_defer(qrt_region_cx(region), tries_all, &final));
		} else {
			EXPECT(!qrt_spawn(region, with_finalizer, &final));
		}
		EXPECT(!qrt_region_close(cx, &region, QRT_OK));
		EXPECT(!all_said(&final.answers, QRT_ENOSUSPEND));
		EXPECT(strcmp(final.detail, of_region
						? "task main is in a finalizer"
						: "task with_finalizer is in a finalizer") == 0);
		EXPECT(!close_all(cx, &final.it));
	}
	return QRT_OK;
}

static void nothing_waits_in_a_finalizer(void **state)
{
	(void)state;
	play(finalizer_scenario);
}

static void does_at_once(struct qrt_cx *cx, void *arg)
{
	struct final *final = arg;
	struct things *it = &final->it;
	int value = 0;
	size_t n = 0;
	char byte = 0;
	QRT_IGNORE(qrt_read(cx, it->a, &byte, 1, &n), "what it read is looked at");
	QRT_IGNORE(qrt_chan_try_recv(it->full, &value), "what it got is looked at");
	qrt_lane_close(cx, &it->lane);
	final->detail[0] = byte;
	final->detail[1] = (char)value;
}

static enum qrt_err defers_little(struct qrt_cx *cx, void *arg)
{
	return qrt_defer(cx, does_at_once, arg);
}

static enum qrt_err at_once_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct final final;
	struct qrt_region *region;
	memset(&final, 0, sizeof(final));
	EXPECT(!open_channels(cx, &final.it) && !open_rest(cx, &final.it));
	EXPECT(!qrt_write(cx, final.it.b, "x", 1));
	EXPECT(!qrt_sleep(cx, 10 * QRT_MS));
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &region));
	EXPECT(!qrt_spawn(region, defers_little, &final));
	EXPECT(!qrt_region_close(cx, &region, QRT_OK));
	EXPECT(final.detail[0] == 'x' && final.detail[1] == 1 && !final.it.lane);
	EXPECT(!close_all(cx, &final.it));
	return QRT_OK;
}

static void what_needs_no_wait_is_done_in_a_finalizer(void **state)
{
	(void)state;
	play(at_once_scenario);
}

/* --- on a foreign thread ------------------------------------------------------------------- */

struct foreign {
	struct qrt_cx *cx;
	struct things it;
	struct answers answers;
	enum qrt_err spawned, try_send, try_recv, closed_chan, unlocked, sent, aborted, opened_chan,
	    opened_mailbox;
	struct qrt_lease lease;
};

static void *foreign_thread(void *arg)
{
	struct foreign *foreign = arg;
	struct things *it = &foreign->it;
	struct qrt_chan *chan = it->empty;
	struct qrt_mailbox *mailbox;
	int value = 1;
	try_all(foreign->cx, it, &foreign->answers);
	foreign->spawned = qrt_spawn(it->region, well, &ran);
	foreign->try_send = qrt_chan_try_send(it->empty, &value);
	foreign->try_recv = qrt_chan_try_recv(it->full, &value);
	foreign->closed_chan = qrt_chan_close(&chan);
	foreign->opened_chan = qrt_chan_open(foreign->cx, sizeof(int), 1, NULL, &chan);
	foreign->opened_mailbox = qrt_mailbox_open(foreign->cx, sizeof(int), 1, NULL, &mailbox);
	foreign->unlocked = qrt_unlock(&foreign->lease);
	foreign->sent = qrt_send(&it->permit, &value);
	foreign->aborted = qrt_abort(&it->permit);
	return NULL;
}

static enum qrt_err foreign_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct foreign foreign;
	pthread_t thread;
	memset(&foreign, 0, sizeof(foreign));
	foreign.cx = cx;
	EXPECT(!open_channels(cx, &foreign.it) && !open_rest(cx, &foreign.it));
	EXPECT(!qrt_acquire(cx, foreign.it.semaphore, 1, &foreign.lease));
	EXPECT(!pthread_create(&thread, NULL, foreign_thread, &foreign));
	EXPECT(!pthread_join(thread, NULL));
	EXPECT(!all_said(&foreign.answers, QRT_ETHREAD));
	EXPECT(foreign.spawned == QRT_ETHREAD && foreign.try_send == QRT_ETHREAD);
	EXPECT(foreign.try_recv == QRT_ETHREAD && foreign.closed_chan == QRT_ETHREAD);
	EXPECT(foreign.opened_chan == QRT_ETHREAD && foreign.opened_mailbox == QRT_ETHREAD);
	EXPECT(foreign.unlocked == QRT_ETHREAD);
	EXPECT(foreign.sent == QRT_ETHREAD && foreign.aborted == QRT_ETHREAD);
	EXPECT(!qrt_release(&foreign.lease));
	EXPECT(!close_all(cx, &foreign.it));
	return QRT_OK;
}

static void a_context_is_of_no_use_on_a_foreign_thread(void **state)
{
	(void)state;
	play(foreign_scenario);
}

/* --- things of another runtime ------------------------------------------------------------- */

struct elsewhere {
	struct qrt_chan *chan;
	struct qrt_mutex *mutex;
	const char *name; /* of their runtime */
	enum qrt_err err;
};

/* A task of its own runtime, which may wait, but for nothing of these. */
static enum qrt_err uses_elsewhere(struct qrt_cx *cx, void *arg)
{
	const struct elsewhere *it = arg;
	char text[128];
	int value = 0;
	struct qrt_lease lease;
	EXPECT(qrt_chan_send(cx, it->chan, &value) == QRT_ETHREAD);
	snprintf(text, sizeof(text), "the channel belongs to runtime %s", it->name);
	EXPECT(strcmp(qrt_detail(cx), text) == 0);
	EXPECT(qrt_mutex_lock(cx, it->mutex, &lease) == QRT_EINVAL);
	snprintf(text, sizeof(text), "the mutex belongs to runtime %s", it->name);
	EXPECT(strcmp(qrt_detail(cx), text) == 0);
	return QRT_OK;
}

static void *other_runtime(void *arg)
{
	struct elsewhere *it = arg;
	size_t n;
	it->err = on_backend(qrt_backend_names(&n)[0], uses_elsewhere, it);
	return NULL;
}

static enum qrt_err elsewhere_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct elsewhere it = {.name = cx->task->rt->name};
	pthread_t thread;
	EXPECT(!qrt_chan_open(cx, sizeof(int), 1, NULL, &it.chan));
	EXPECT(!qrt_mutex_open(cx, &it.mutex));
	EXPECT(!pthread_create(&thread, NULL, other_runtime, &it));
	EXPECT(!pthread_join(thread, NULL));
	EXPECT(!it.err);
	EXPECT(!qrt_chan_close(&it.chan));
	return qrt_mutex_close(&it.mutex);
}

static void what_belongs_to_another_runtime_is_refused(void **state)
{
	(void)state;
	play(elsewhere_scenario);
}

/* --- with the context of another task ------------------------------------------------------ */

static enum qrt_err lends_its_own(struct qrt_cx *cx, void *arg)
{
	*(struct qrt_cx **)arg = cx;
	return qrt_sleep(cx, HOUR_S * QRT_SEC);
}

static enum qrt_err borrowed_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct things it;
	struct answers answers;
	struct qrt_cx *borrowed = NULL;
	struct qrt_region *region;
	const struct qrt_region_options opts = {.flags = QRT_CANCEL_REST};
	memset(&it, 0, sizeof(it));
	EXPECT(!qrt_region_open_with(cx, &opts, &region));
	EXPECT(!qrt_spawn(region, lends_its_own, &borrowed));
	EXPECT(!qrt_sleep(cx, QRT_MS) && borrowed);
	EXPECT(!open_channels(cx, &it) && !open_rest(cx, &it));
	try_all(borrowed, &it, &answers);
	EXPECT(!all_said(&answers, QRT_ESTATE));
	EXPECT(!close_all(cx, &it));
	EXPECT(qrt_region_live(region) == 1); /* it sleeps on */
	EXPECT(!qrt_region_close(cx, &region, QRT_OK));
	return QRT_OK;
}

static void another_tasks_context_is_of_no_use(void **state)
{
	(void)state;
	play(borrowed_scenario);
}

/* --- used twice ---------------------------------------------------------------------------- */

static enum qrt_err twice_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct qrt_chan *chan, *stale;
	struct qrt_chan_stats stats;
	struct qrt_permit permit, copy;
	struct qrt_mutex *mutex;
	struct qrt_lease lease, other;
	struct qrt_duty duty;
	int value = 5;
	EXPECT(!qrt_chan_open(cx, sizeof(int), 2, NULL, &chan));
	EXPECT(!qrt_reserve(cx, chan, &permit));
	copy = permit;
	EXPECT(!qrt_send(&permit, &value));
	EXPECT(qrt_send(&permit, &value) == QRT_ESTALE && qrt_send(&copy, &value) == QRT_ESTALE);
	EXPECT(qrt_abort(&permit) == QRT_ESTALE && qrt_abort(&copy) == QRT_ESTALE);
	EXPECT(qrt_permit_give(&copy, cx) == QRT_ESTALE);
	EXPECT(strcmp(qrt_detail(cx), "the permit has been used or aborted") == 0);
	EXPECT(!qrt_reserve(cx, chan, &permit));
	char narrow = 1;
	EXPECT(qrt_send(&permit, &narrow) == QRT_EINVAL); /* not of that size; still good */
	EXPECT(!qrt_abort(&permit) && qrt_send(&permit, &value) == QRT_ESTALE);
	EXPECT(!qrt_chan_stats(chan, &stats));
	EXPECT(stats.sent == 1 && stats.queued == 1 && stats.reserved == 0);
	stale = chan;
	EXPECT(!qrt_chan_close(&chan) && qrt_chan_close(&stale) == QRT_ESTALE);
	EXPECT(qrt_chan_try_send(stale, &value) == QRT_ESTALE);
	EXPECT(qrt_chan_recv(cx, stale, &value) == QRT_ESTALE);

	EXPECT(!qrt_oblige(cx, QRT_DUTY_ACK, "ack", NULL, NULL, &duty));
	EXPECT(!qrt_settle(&duty) && qrt_settle(&duty) == QRT_ESTALE);

	EXPECT(!qrt_mutex_open(cx, &mutex));
	EXPECT(!qrt_mutex_lock(cx, mutex, &lease));
	other = lease;
	EXPECT(qrt_mutex_lock(cx, mutex, &other) == QRT_EDEADLOCK);
	EXPECT(!qrt_unlock(&lease) && qrt_unlock(&lease) == QRT_ESTALE);
	EXPECT(qrt_unlock(&other) == QRT_ESTALE);
	EXPECT(!qrt_mutex_try_lock(cx, mutex, &lease) && !qrt_unlock(&lease));
	EXPECT(!qrt_mutex_close(&mutex));
	return QRT_OK;
}

static void what_is_used_up_is_stale(void **state)
{
	(void)state;
	play(twice_scenario);
}

/* --- closed while somebody waits ----------------------------------------------------------- */

enum { WAITERS = 11 };

struct closing {
	struct things it;
	enum qrt_err results[WAITERS], again[WAITERS];
	int n;
};

#define WAITER(name, index, call)                                                                  \
	static enum qrt_err name(struct qrt_cx *cx, void *arg)                                     \
	{                                                                                          \
		struct closing *closing = arg;                                                     \
		struct things was = closing->it; /* handles of before the close */                 \
		struct things *it = &was;                                                          \
		closing->results[index] = call;                                                    \
		closing->again[index] = call;                                                      \
		closing->n++;                                                                      \
		return QRT_OK;                                                                     \
	}
WAITER(waits_recv, 0, qrt_chan_recv(cx, it->empty, &(int){0}))
WAITER(waits_send, 1, qrt_chan_send(cx, it->full, &(int){0}))
WAITER(waits_mailbox, 2, qrt_mailbox_recv(cx, it->mailbox, &(int){0}))
WAITER(waits_lock, 3, qrt_mutex_lock(cx, it->mutex, &(struct qrt_lease){{0}}))
WAITER(waits_barrier, 4, qrt_barrier_wait(cx, it->barrier, NULL))
WAITER(waits_read, 5, qrt_read(cx, it->a, &(char){0}, 1, &(size_t){0}))
WAITER(waits_accept, 6, qrt_accept(cx, it->listener, &(struct qrt_stream *){NULL}))
WAITER(waits_signal, 7, qrt_signal_wait(cx, it->signals, &(int){0}))
WAITER(waits_oneshot, 8, qrt_oneshot_recv(cx, it->oneshot, &(int){0}))
WAITER(waits_broadcast, 9, qrt_broadcast_recv(cx, it->subscription, &(int){0}))
WAITER(waits_watch, 10, qrt_watch_changed(cx, it->watch, &(uint64_t){1}))

static enum qrt_err closing_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	qrt_task_fn *const waiters[WAITERS] = {
	    waits_recv,	  waits_send,	waits_mailbox, waits_lock,	waits_barrier, waits_read,
	    waits_accept, waits_signal, waits_oneshot, waits_broadcast, waits_watch};
	struct closing closing;
	struct qrt_region *region;
	struct qrt_lease lease;
	memset(&closing, 0, sizeof(closing));
	struct things *it = &closing.it;
	EXPECT(!open_channels(cx, it) && !open_rest(cx, it));
	EXPECT(!qrt_mutex_lock(cx, it->mutex, &lease));
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &region));
	for (int i = 0; i < WAITERS; i++) {
		EXPECT(!qrt_spawn(region, waiters[i], &closing));
	}
	EXPECT(!qrt_sleep(cx, QRT_MS) && closing.n == 0);
	/* In the middle of their waits: all but the regions, which close inside out. */
	struct qrt_region *first = it->region;
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &it->region));
	EXPECT(!close_all(cx, it));
	EXPECT(!qrt_region_close(cx, &region, QRT_OK) && closing.n == WAITERS);
	for (int i = 0; i < WAITERS; i++) {
		EXPECT(closing.results[i] == QRT_ECLOSED);
		EXPECT(closing.again[i] == QRT_ESTALE);
	}
	EXPECT(!qrt_unlock(&lease)); /* what was held still has to be given back */
	EXPECT(!qrt_region_close(cx, &first, QRT_OK));
	return QRT_OK;
}

static void who_waits_for_what_is_closed_is_told_and_its_handle_is_stale(void **state)
{
	(void)state;
	play(closing_scenario);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_closed_region_is_stale_for_ever),
	    cmocka_unit_test(a_region_is_closed_by_its_opener_in_order_and_takes_no_more_then),
	    cmocka_unit_test(bad_options_are_refused),
	    cmocka_unit_test(nothing_waits_in_a_finalizer),
	    cmocka_unit_test(what_needs_no_wait_is_done_in_a_finalizer),
	    cmocka_unit_test(a_context_is_of_no_use_on_a_foreign_thread),
	    cmocka_unit_test(what_belongs_to_another_runtime_is_refused),
	    cmocka_unit_test(another_tasks_context_is_of_no_use),
	    cmocka_unit_test(what_is_used_up_is_stale),
	    cmocka_unit_test(who_waits_for_what_is_closed_is_told_and_its_handle_is_stale),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
