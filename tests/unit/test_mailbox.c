/* Mailboxes: within one runtime on every backend, and between runtimes and threads for real. */
#include <pthread.h>
#include <qrt/mailbox.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shim/src/sync/arm.h"
#include "tests/lib/backends.h"
#include "tests/lib/test.h"

#define UNTIL(cx, cond)                                                                            \
	do {                                                                                       \
		for (int tries = 0; !(cond); tries++) {                                            \
			EXPECT(tries < 1000);                                                      \
			EXPECT(!qrt_yield(cx));                                                    \
		}                                                                                  \
	} while (0)

#define SCENARIO(name, scenario)                                                                   \
	static void name(void **state)                                                             \
	{                                                                                          \
		(void)state;                                                                       \
		on_each_backend(scenario, NULL);                                                   \
	}

static _Atomic int dropped;

static void drop_int(void *element)
{
	(void)element;
	dropped++;
}

static struct qrt_mailbox_stats stats_of(struct qrt_mailbox *mailbox)
{
	struct qrt_mailbox_stats stats = {0};
	QRT_IGNORE(qrt_mailbox_stats(mailbox, &stats), "zeros fail the test");
	return stats;
}

struct call {
	struct qrt_mailbox *mailbox;
	int value;
	enum qrt_err err;
	bool done;
};

static enum qrt_err recv_one(struct qrt_cx *cx, void *arg)
{
	struct call *call = arg;
	call->err = qrt_mailbox_recv(cx, call->mailbox, &call->value);
	call->done = true;
	return QRT_OK;
}

static enum qrt_err send_one(struct qrt_cx *cx, void *arg)
{
	struct call *call = arg;
	struct qrt_permit permit;
	call->err = qrt_mailbox_reserve(cx, call->mailbox, &permit);
	if (!call->err) {
		call->err = qrt_send(&permit, &call->value);
	}
	call->done = true;
	return QRT_OK;
}

/* --- within one runtime ---------------------------------------------------------------------- */

static enum qrt_err room_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct qrt_mailbox *mailbox;
	struct qrt_region *region;
	struct qrt_permit permit;
	int value = 0;
	long wrong = 0;
	EXPECT(qrt_mailbox_open(cx, 0, 1, NULL, &mailbox) == QRT_EINVAL);
	EXPECT(!qrt_mailbox_open(cx, sizeof(int), 2, NULL, &mailbox));
	EXPECT(!qrt_mailbox_reserve(cx, mailbox, &permit));
	EXPECT(!qrt_mailbox_send(cx, mailbox, &value));
	EXPECT(qrt_mailbox_try_send(mailbox, &value) == QRT_EAGAIN);
	EXPECT(stats_of(mailbox).queued == 1 && stats_of(mailbox).reserved == 1);
	EXPECT(qrt_mailbox_try_send(mailbox, &wrong) == QRT_EINVAL);
	EXPECT(qrt_mailbox_send(cx, mailbox, &wrong) == QRT_EINVAL);
	EXPECT(qrt_mailbox_try_recv(mailbox, &wrong) == QRT_EINVAL);
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &region));
	struct call calls[3];
	for (size_t i = 0; i < 3; i++) {
		calls[i] = (struct call){.mailbox = mailbox, .value = (int)i + 1};
		EXPECT(!qrt_spawn(region, send_one, &calls[i]));
		UNTIL(cx, stats_of(mailbox).reserve.n == i + 1);
	}
	EXPECT(!qrt_abort(&permit));
	EXPECT(qrt_mailbox_try_send(mailbox, &value) == QRT_EAGAIN); /* the room is the first's */
	for (int i = 0; i < 4; i++) {
		EXPECT(!qrt_mailbox_recv(cx, mailbox, &value));
		EXPECT(value == i);
		EXPECT(stats_of(mailbox).queued + stats_of(mailbox).reserved <= 2);
	}
	EXPECT(!qrt_region_close(cx, &region, QRT_OK));
	EXPECT(stats_of(mailbox).sent == 4 && stats_of(mailbox).received == 4);
	EXPECT(stats_of(mailbox).peak_queued >= 1 && stats_of(mailbox).peak_queued <= 2);
	EXPECT(!qrt_mailbox_close(&mailbox));
	return QRT_OK;
}
SCENARIO(queued_and_reserved_share_the_capacity, room_scenario)

static enum qrt_err cancel_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct qrt_mailbox *mailbox;
	struct qrt_region *rest, *victim;
	int value = 5;
	bool structured = is_structured(cx);
	EXPECT(!qrt_mailbox_open(cx, sizeof(int), 1, NULL, &mailbox));
	/* A receiver that was woken, and cancelled before it ran. */
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &rest));
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &victim));
	struct call first = {.mailbox = mailbox}, second = {.mailbox = mailbox};
	EXPECT(!qrt_spawn(victim, recv_one, &first));
	UNTIL(cx, stats_of(mailbox).recv.n == 1);
	EXPECT(!qrt_spawn(rest, recv_one, &second));
	UNTIL(cx, stats_of(mailbox).recv.n == 2);
	EXPECT(!qrt_mailbox_try_send(mailbox, &value));
	EXPECT(qrt_mailbox_try_recv(mailbox, &value) == QRT_EAGAIN);
	qrt_region_cancel(victim, QRT_CANCEL_USER, "test");
	QRT_IGNORE(qrt_region_close(cx, &victim, QRT_OK), "it was cancelled");
	if (structured) {
		UNTIL(cx, second.done);
	}
	EXPECT(!qrt_mailbox_finish(mailbox));
	EXPECT(!qrt_region_close(cx, &rest, QRT_OK));
	EXPECT(first.err == (structured ? QRT_ECANCELED : QRT_OK));
	EXPECT(second.err == (structured ? QRT_OK : QRT_ECLOSED));
	EXPECT(!qrt_mailbox_close(&mailbox));
	/* A sender in line, a sender whose turn is under way. */
	EXPECT(!qrt_mailbox_open(cx, sizeof(int), 1, NULL, &mailbox));
	for (int granted = 0; granted < 2; granted++) {
		EXPECT(!qrt_mailbox_try_send(mailbox, &value));
		uint64_t before = stats_of(mailbox).reserve.n;
		EXPECT(!qrt_region_open(cx, QRT_COLLECT, &rest));
		EXPECT(!qrt_region_open(cx, QRT_COLLECT, &victim));
		first = (struct call){.mailbox = mailbox, .value = 1};
		second = (struct call){.mailbox = mailbox, .value = 2};
		EXPECT(!qrt_spawn(victim, send_one, &first));
		UNTIL(cx, stats_of(mailbox).reserve.n == before + 1);
		EXPECT(!qrt_spawn(rest, send_one, &second));
		UNTIL(cx, stats_of(mailbox).reserve.n == before + 2);
		EXPECT(!granted || !qrt_mailbox_try_recv(mailbox, &value));
		EXPECT(stats_of(mailbox).reserved == (size_t)granted);
		qrt_region_cancel(victim, QRT_CANCEL_USER, "test");
		QRT_IGNORE(qrt_region_close(cx, &victim, QRT_OK), "it was cancelled");
		EXPECT(first.err == QRT_ECANCELED);
		EXPECT(granted || !qrt_mailbox_recv(cx, mailbox, &value));
		EXPECT(!qrt_mailbox_recv(cx, mailbox, &value));
		EXPECT(value == 2);
		EXPECT(!qrt_region_close(cx, &rest, QRT_OK));
		EXPECT(second.err == QRT_OK && stats_of(mailbox).reserved == 0);
	}
	EXPECT(!qrt_mailbox_close(&mailbox));
	return QRT_OK;
}
SCENARIO(who_is_cancelled_passes_the_turn_on, cancel_scenario)

static enum qrt_err close_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct qrt_mailbox *mailbox, *stale;
	struct qrt_region *region;
	struct qrt_permit permit;
	int value = 5;
	dropped = 0;
	EXPECT(!qrt_mailbox_open(cx, sizeof(int), 2, drop_int, &mailbox));
	stale = mailbox;
	EXPECT(!qrt_mailbox_reserve(cx, mailbox, &permit));
	EXPECT(!qrt_mailbox_try_send(mailbox, &value));
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &region));
	struct call sender = {.mailbox = mailbox}, receiver = {0};
	EXPECT(!qrt_spawn(region, send_one, &sender));
	UNTIL(cx, stats_of(mailbox).reserve.n == 1);
	EXPECT(!qrt_mailbox_close(&mailbox));
	EXPECT(!mailbox && dropped == 1);
	EXPECT(!qrt_mailbox_open(cx, sizeof(int), 1, NULL, &mailbox));
	EXPECT(qrt_mailbox_try_send(stale, &value) == QRT_ESTALE);
	EXPECT(qrt_mailbox_send(cx, stale, &value) == QRT_ESTALE);
	EXPECT(qrt_mailbox_recv(cx, stale, &value) == QRT_ESTALE);
	EXPECT(qrt_mailbox_finish(stale) == QRT_ESTALE);
	EXPECT(qrt_mailbox_close(&stale) == QRT_ESTALE);
	EXPECT(qrt_mailbox_try_send(NULL, &value) == QRT_ESTALE);
	EXPECT(qrt_send(&permit, &value) == QRT_ECLOSED);
	EXPECT(dropped == 2);
	receiver.mailbox = mailbox;
	EXPECT(!qrt_spawn(region, recv_one, &receiver));
	UNTIL(cx, stats_of(mailbox).recv.n == 1);
	EXPECT(!qrt_mailbox_close(&mailbox));
	EXPECT(!qrt_region_close(cx, &region, QRT_OK));
	EXPECT(sender.err == QRT_ECLOSED && receiver.err == QRT_ECLOSED);
	return QRT_OK;
}
SCENARIO(closing_tells_everybody, close_scenario)

/* --- between the try and the line: what another thread may do there, done by an arm ---------- */

struct meddler {
	struct qrt_mailbox *mailbox;
	enum { SENDS, RECEIVES, CLOSES } how;
	struct qrt_permit permit;
	int value;
	size_t which;
	enum qrt_err err;
	bool done;
};

static enum qrt_err meddle(struct qrt_case *arm)
{
	struct meddler *meddler = arm->value_;
	int value = 9;
	enum qrt_err err = QRT_OK;
	switch (meddler->how) {
	case SENDS:
		err = qrt_mailbox_try_send(meddler->mailbox, &value);
		break;
	case RECEIVES:
		err = qrt_mailbox_try_recv(meddler->mailbox, &value);
		break;
	case CLOSES:
		err = qrt_mailbox_close(&meddler->mailbox);
		break;
	}
	return err ? err : QRT_EAGAIN;
}

static void stand_nowhere(struct qrt_case *arm)
{
	(void)arm;
}

static enum qrt_err meddling(struct qrt_cx *cx, void *arg)
{
	static const struct qrt__arm_ops ops = {
	    .kind = QRT__WAIT_SELECT, .try_now = meddle, .enqueue = stand_nowhere};
	struct meddler *meddler = arg;
	struct qrt_case cases[2] = {{0}, {.ops_ = &ops, .value_ = meddler}};
	cases[0] = meddler->how == SENDS ? qrt_case_mailbox(meddler->mailbox, &meddler->value)
					 : qrt_case_post(meddler->mailbox, &meddler->permit);
	meddler->which = 99;
	meddler->err = qrt_select(cx, QRT_SELECT_ORDERED, cases, 2, &meddler->which);
	meddler->done = true;
	return meddler->permit.duty.entry ? qrt_abort(&meddler->permit) : QRT_OK;
}

static enum qrt_err meddler_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct qrt_region *region;
	struct qrt_mailbox *mailbox, *next;
	int value = 1;
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &region));
	for (int how = SENDS; how <= CLOSES; how++) {
		EXPECT(!qrt_mailbox_open(cx, sizeof(int), 1, NULL, &mailbox));
		EXPECT(how == SENDS || !qrt_mailbox_try_send(mailbox, &value));
		struct meddler meddler = {.mailbox = mailbox, .how = (unsigned)how};
		EXPECT(!qrt_spawn(region, meddling, &meddler));
		UNTIL(cx, meddler.done);
		EXPECT(meddler.which == 0);
		EXPECT(meddler.err == (how == CLOSES ? QRT_ECLOSED : QRT_OK));
		EXPECT(how != SENDS || meddler.value == 9);
		EXPECT(qrt_mailbox_close(&mailbox) == (how == CLOSES ? QRT_ESTALE : QRT_OK));
	}
	/* Closed while the news is under way to the receiver: the memory is not yet another's. */
	EXPECT(!qrt_mailbox_open(cx, sizeof(int), 1, NULL, &mailbox));
	struct meddler meddler = {.mailbox = mailbox, .how = SENDS};
	EXPECT(!qrt_spawn(region, meddling, &meddler));
	EXPECT(!qrt_yield(cx));
	EXPECT(!meddler.done && stats_of(mailbox).recv.n == 1);
	EXPECT(!qrt_mailbox_close(&mailbox));
	EXPECT(!qrt_mailbox_open(cx, sizeof(int), 1, NULL, &next));
	uintptr_t apart = (uintptr_t)meddler.mailbox ^ (uintptr_t)next;
	EXPECT(apart >= QRT__SLOT_ALIGN);
	EXPECT(!qrt_region_close(cx, &region, QRT_OK));
	EXPECT(meddler.err == QRT_ECLOSED);
	EXPECT(!qrt_mailbox_close(&next));
	return QRT_OK;
}
SCENARIO(what_comes_between_the_try_and_the_line_is_noticed, meddler_scenario)

/* --- between runtimes ------------------------------------------------------------------------ */

enum { SENDERS = 3, EACH = 400, THREADS = 2 };

/* What the receiving runtime and the others share. */
struct traffic {
	struct qrt_mailbox *_Atomic mailbox;
	struct qrt_runtime *others[2];
	_Atomic int over; /* sides that have ended */
	_Atomic int bad;
	int last[8];
	int received;
};

struct side {
	struct traffic *traffic;
	int id;
	enum qrt_err result;
};

static enum qrt_err produce(struct qrt_cx *cx, void *arg)
{
	struct side *side = arg;
	struct qrt_mailbox *mailbox = side->traffic->mailbox;
	for (int i = 0; i < EACH; i++) {
		int value = side->id * EACH + i;
		struct qrt_permit permit;
		enum qrt_err err = qrt_mailbox_reserve(cx, mailbox, &permit);
		if (!err && i % 7 == 6) {
			err = qrt_abort(&permit);
			if (!err) {
				err = qrt_mailbox_send(cx, mailbox, &value);
			}
		} else if (!err) {
			err = qrt_send(&permit, &value);
		}
		if (err) {
			return err;
		}
	}
	return qrt_mailbox_recv(cx, mailbox, &side->id) == QRT_ETHREAD ? QRT_OK : QRT_EFAILED;
}

/* A task of another runtime with several tasks of its own. */
static enum qrt_err produce_all(struct qrt_cx *cx, void *arg)
{
	struct side *side = arg;
	struct qrt_region *region;
	struct side sides[SENDERS];
	EXPECT(!qrt_region_open(cx, QRT_FAIL_FAST, &region));
	for (int i = 0; i < SENDERS; i++) {
		sides[i] = (struct side){.traffic = side->traffic, .id = side->id + i};
		EXPECT(!qrt_spawn(region, produce, &sides[i]));
	}
	return qrt_region_close(cx, &region, QRT_OK);
}

static void keep(void *arg)
{
	(void)arg;
}

static void *other_runtime(void *arg)
{
	struct side *side = arg;
	struct qrt_runtime *rt = side->traffic->others[side->id / SENDERS];
	side->result = qrt_runtime_call(rt, 60 * QRT_SEC, produce_all, side, keep);
	side->traffic->over++;
	return NULL;
}

static void *plain_thread(void *arg)
{
	struct side *side = arg;
	for (int i = 0; i < EACH && !side->result; i++) {
		int value = side->id * EACH + i;
		while ((side->result = qrt_mailbox_try_send(side->traffic->mailbox, &value)) ==
		       QRT_EAGAIN) {
			sched_yield();
		}
	}
	int value;
	if (qrt_mailbox_try_recv(side->traffic->mailbox, &value) != QRT_ETHREAD) {
		side->result = QRT_EFAILED;
	}
	side->traffic->over++;
	return NULL;
}

static enum qrt_err consume(struct qrt_cx *cx, void *arg)
{
	struct traffic *traffic = arg;
	for (;;) {
		int value;
		enum qrt_err err = qrt_mailbox_recv(cx, traffic->mailbox, &value);
		if (err) {
			return err == QRT_ECLOSED ? QRT_OK : err;
		}
		int from = value / EACH, which = value % EACH;
		EXPECT(which == traffic->last[from]++);
		traffic->received++;
		if (traffic->received == (2 * SENDERS + THREADS) * EACH) {
			EXPECT(!qrt_mailbox_finish(traffic->mailbox));
		}
	}
}

static enum qrt_err traffic_main(struct qrt_cx *cx, void *arg)
{
	struct traffic *traffic = arg;
	struct qrt_mailbox *mailbox;
	struct side sides[2 + THREADS];
	pthread_t threads[2 + THREADS];
	EXPECT(!qrt_mailbox_open(cx, sizeof(int), 4, NULL, &mailbox));
	traffic->mailbox = mailbox;
	for (int i = 0; i < 2 + THREADS; i++) {
		int id = i < 2 ? i * SENDERS : 2 * SENDERS + i - 2;
		sides[i] = (struct side){.traffic = traffic, .id = id};
		EXPECT(!pthread_create(&threads[i], NULL, i < 2 ? other_runtime : plain_thread,
				       &sides[i]));
	}
	enum qrt_err err = consume(cx, traffic);
	for (int i = 0; i < 2 + THREADS; i++) {
		pthread_join(threads[i], NULL);
		EXPECT(sides[i].result == QRT_OK);
	}
	EXPECT(stats_of(mailbox).peak_queued <= 4 && stats_of(mailbox).reserved == 0);
	EXPECT(!qrt_mailbox_close(&mailbox));
	return err;
}

static void with_others(const char *backend, qrt_task_fn *scenario, struct traffic *traffic)
{
	size_t n;
	const char *const *names = qrt_backend_names(&n);
	struct qrt_runtime_options opts = {.backend = backend, .seed = 1};
	struct qrt_runtime *rt;
	assert_int_equal(qrt_runtime_open(&opts, NULL, &rt), QRT_OK);
	for (size_t i = 0; i < 2; i++) { /* whatever real backends there are */
		struct qrt_runtime_options other = {.backend = names[i % n]};
		if (strncmp(other.backend, "lab", 3) == 0) {
			other.backend = backend;
		}
		assert_int_equal(qrt_runtime_open(&other, NULL, &traffic->others[i]), QRT_OK);
		assert_int_equal(qrt_runtime_start(traffic->others[i]), QRT_OK);
	}
	assert_int_equal(qrt_run_main(rt, scenario, traffic), QRT_OK);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(qrt_shutdown(traffic->others[i], 10 * QRT_SEC), QRT_OK);
		qrt_runtime_close(&traffic->others[i]);
	}
	qrt_runtime_close(&rt);
}

static void with_others_on_each(qrt_task_fn *scenario)
{
	size_t n;
	const char *const *names = real_backends(&n);
	assert_true(n > 0);
	for (size_t i = 0; i < n; i++) {
		struct traffic traffic;
		memset(&traffic, 0, sizeof(traffic));
		with_others(names[i], scenario, &traffic);
	}
}

static void all_that_is_sent_arrives_once_and_in_order(void **state)
{
	(void)state;
	with_others_on_each(traffic_main);
}

/* Senders on another loop, in line for a mailbox that nobody empties. */
static enum qrt_err stuck(struct qrt_cx *cx, void *arg)
{
	struct side *side = arg;
	struct qrt_region *region;
	struct call calls[4];
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &region));
	for (size_t i = 0; i < 4; i++) {
		calls[i] = (struct call){.mailbox = side->traffic->mailbox};
		EXPECT(!qrt_spawn(region, send_one, &calls[i]));
	}
	while (stats_of(side->traffic->mailbox).reserve.n < 4) {
		EXPECT(!qrt_yield(cx));
	}
	side->traffic->over++;
	EXPECT(!qrt_region_close(cx, &region, QRT_OK));
	for (size_t i = 0; i < 4; i++) {
		EXPECT(calls[i].err == QRT_ECLOSED || calls[i].err == QRT_OK);
		side->traffic->bad += calls[i].err == QRT_OK;
	}
	return QRT_OK;
}

static void *stuck_thread(void *arg)
{
	struct side *side = arg;
	side->result = qrt_runtime_call(side->traffic->others[0], 60 * QRT_SEC, stuck, side, keep);
	return NULL;
}

/* The close comes while turns are under way: two were granted, and may or may not be taken. */
static enum qrt_err close_main(struct qrt_cx *cx, void *arg)
{
	struct traffic *traffic = arg;
	for (int round = 0; round < 20; round++) {
		struct qrt_mailbox *mailbox;
		struct side side = {.traffic = traffic};
		pthread_t thread;
		int value = 0;
		traffic->over = 0;
		traffic->bad = 0;
		dropped = 0;
		EXPECT(!qrt_mailbox_open(cx, sizeof(int), 2, drop_int, &mailbox));
		EXPECT(!qrt_mailbox_try_send(mailbox, &value));
		EXPECT(!qrt_mailbox_try_send(mailbox, &value));
		traffic->mailbox = mailbox;
		EXPECT(!pthread_create(&thread, NULL, stuck_thread, &side));
		while (!traffic->over) {
			EXPECT(!qrt_yield(cx));
		}
		EXPECT(!qrt_mailbox_try_recv(mailbox, &value));
		EXPECT(!qrt_mailbox_try_recv(mailbox, &value));
		EXPECT(!qrt_mailbox_close(&mailbox));
		pthread_join(thread, NULL);
		EXPECT(side.result == QRT_OK);
		EXPECT(traffic->bad <= 2 && dropped >= traffic->bad && dropped <= 2);
	}
	return QRT_OK;
}

static void closing_reaches_those_who_wait_on_another_loop(void **state)
{
	(void)state;
	with_others_on_each(close_main);
}

static void *foreign_close(void *arg)
{
	struct qrt_mailbox **mailbox = arg;
	struct qrt_mailbox *copy = *mailbox;
	return qrt_mailbox_close(&copy) == QRT_ETHREAD && copy == *mailbox ? mailbox : NULL;
}

static enum qrt_err foreign_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct qrt_mailbox *mailbox;
	pthread_t thread;
	void *refused = NULL;
	EXPECT(!qrt_mailbox_open(cx, sizeof(int), 1, NULL, &mailbox));
	EXPECT(!pthread_create(&thread, NULL, foreign_close, &mailbox));
	EXPECT(!pthread_join(thread, &refused));
	EXPECT(refused);
	EXPECT(!qrt_mailbox_close(&mailbox));
	return QRT_OK;
}
SCENARIO(only_the_receiving_loop_may_close, foreign_scenario)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(queued_and_reserved_share_the_capacity),
	    cmocka_unit_test(who_is_cancelled_passes_the_turn_on),
	    cmocka_unit_test(closing_tells_everybody),
	    cmocka_unit_test(what_comes_between_the_try_and_the_line_is_noticed),
	    cmocka_unit_test(only_the_receiving_loop_may_close),
	    cmocka_unit_test(all_that_is_sent_arrives_once_and_in_order),
	    cmocka_unit_test(closing_reaches_those_who_wait_on_another_loop),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
