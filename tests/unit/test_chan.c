/*
 * Channels, oneshots, broadcasts and watches, on every backend: both phases of
 * a send, lines, cancel at every point of a wait, ends, misuse.
 */
#include <pthread.h>
#include <qrt/broadcast.h>
#include <qrt/chan.h>
#include <qrt/lab.h>
#include <qrt/oneshot.h>
#include <qrt/watch.h>
#include <stdio.h>
#include <string.h>

#include "tests/lib/backends.h"
#include "tests/lib/test.h"

/* Lets others run until @cond; a test that hangs here has failed. */
#define UNTIL(cx, cond)                                                                            \
	do {                                                                                       \
		for (int tries = 0; !(cond); tries++) {                                            \
			EXPECT(tries < 1000);                                                      \
			EXPECT(!qrt_yield(cx));                                                    \
		}                                                                                  \
	} while (0)

static int dropped, drop_sum;

static void drop_int(void *element)
{
	dropped++;
	drop_sum += *(int *)element;
}

static void forget_drops(void)
{
	dropped = 0;
	drop_sum = 0;
}

/* One call of one task, and what came of it. */
struct call {
	struct qrt_chan *chan;
	struct qrt_oneshot *oneshot;
	struct qrt_subscription *subscription;
	struct qrt_watch *watch;
	uint64_t seen;
	int value;
	enum qrt_err err;
	int done; /* which in order, from 1 */
	int *counter;
};

static enum qrt_err ended(struct call *call, enum qrt_err err)
{
	call->err = err;
	call->done = call->counter ? ++*call->counter : 1;
	return QRT_OK;
}

static enum qrt_err recv_one(struct qrt_cx *cx, void *arg)
{
	struct call *call = arg;
	return ended(call, qrt_chan_recv(cx, call->chan, &call->value));
}

static enum qrt_err send_one(struct qrt_cx *cx, void *arg)
{
	struct call *call = arg;
	return ended(call, qrt_chan_send(cx, call->chan, &call->value));
}

static enum qrt_err reserve_one(struct qrt_cx *cx, void *arg)
{
	struct call *call = arg;
	struct qrt_permit permit;
	enum qrt_err err = qrt_reserve(cx, call->chan, &permit);
	if (!err) {
		err = qrt_send(&permit, &call->value);
	}
	return ended(call, err);
}

static struct qrt_chan_stats stats_of(struct qrt_chan *chan)
{
	struct qrt_chan_stats stats = {0};
	QRT_IGNORE(qrt_chan_stats(chan, &stats), "zeros fail the test");
	return stats;
}

#define SCENARIO(name, scenario)                                                                   \
	static void name(void **state)                                                             \
	{                                                                                          \
		(void)state;                                                                       \
		on_each_backend(scenario, NULL);                                                   \
	}

/* --- order and room -------------------------------------------------------------------------- */

static enum qrt_err order_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct qrt_chan *chan;
	EXPECT(!qrt_chan_open(cx, sizeof(int), 3, NULL, &chan));
	int next_in = 0, next_out = 0, got;
	for (int round = 0; round < 10; round++) {
		for (int i = 0; i < 1 + round % 3; i++, next_in++) {
			EXPECT(!qrt_chan_send(cx, chan, &next_in));
		}
		while (next_out < next_in) {
			EXPECT(!qrt_chan_recv(cx, chan, &got));
			EXPECT(got == next_out++);
		}
	}
	EXPECT(qrt_chan_try_recv(chan, &got) == QRT_EAGAIN);
	EXPECT(!qrt_chan_close(&chan));
	EXPECT(!chan);
	EXPECT(!qrt_chan_close(&chan));
	return QRT_OK;
}
SCENARIO(elements_come_out_in_the_order_they_were_sent, order_scenario)

struct big {
	char bytes[1000];
};

static enum qrt_err big_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct qrt_chan *chan;
	struct big in[2], out;
	memset(&in[0], 'a', sizeof(in[0]));
	memset(&in[1], 'b', sizeof(in[1]));
	EXPECT(!qrt_chan_open(cx, sizeof(struct big), 2, NULL, &chan));
	EXPECT(!qrt_chan_send(cx, chan, &in[0]));
	EXPECT(!qrt_chan_send(cx, chan, &in[1]));
	EXPECT(!qrt_chan_recv(cx, chan, &out));
	EXPECT(memcmp(&out, &in[0], sizeof(out)) == 0);
	EXPECT(!qrt_chan_recv(cx, chan, &out));
	EXPECT(memcmp(&out, &in[1], sizeof(out)) == 0);
	EXPECT(!qrt_chan_close(&chan));
	return QRT_OK;
}
SCENARIO(elements_of_any_size_are_copied_whole, big_scenario)

static enum qrt_err room_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct qrt_chan *chan;
	struct qrt_permit first, second, third;
	int value = 7;
	EXPECT(!qrt_chan_open(cx, sizeof(int), 2, NULL, &chan));
	EXPECT(!qrt_reserve(cx, chan, &first));
	EXPECT(!qrt_try_reserve(cx, chan, &second));
	EXPECT(qrt_try_reserve(cx, chan, &third) == QRT_EAGAIN);
	EXPECT(qrt_chan_try_send(chan, &value) == QRT_EAGAIN);
	EXPECT(stats_of(chan).reserved == 2 && stats_of(chan).queued == 0);
	EXPECT(!qrt_send(&first, &value));
	EXPECT(qrt_try_reserve(cx, chan, &third) == QRT_EAGAIN);
	EXPECT(stats_of(chan).reserved == 1 && stats_of(chan).queued == 1);
	EXPECT(!qrt_abort(&second));
	EXPECT(!qrt_try_reserve(cx, chan, &third));
	EXPECT(!qrt_chan_recv(cx, chan, &value));
	EXPECT(!qrt_abort(&third));
	/* reserve;abort is nothing: all room is there again. */
	EXPECT(!qrt_chan_try_send(chan, &value));
	EXPECT(!qrt_chan_try_send(chan, &value));
	EXPECT(qrt_chan_try_send(chan, &value) == QRT_EAGAIN);
	EXPECT(!qrt_chan_close(&chan));
	return QRT_OK;
}
SCENARIO(queued_and_reserved_share_the_capacity, room_scenario)

/* @n tasks in line to send, in order of @calls. */
static enum qrt_err line_up(struct qrt_cx *cx, struct qrt_region *region, qrt_task_fn *fn,
			    struct call *calls, size_t n)
{
	size_t before = stats_of(calls[0].chan).senders;
	for (size_t i = 0; i < n; i++) {
		EXPECT(!qrt_spawn(region, fn, &calls[i]));
		UNTIL(cx, stats_of(calls[0].chan).senders == before + i + 1);
	}
	return QRT_OK;
}

static enum qrt_err fifo_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct qrt_chan *chan;
	struct qrt_region *region;
	struct qrt_permit permit;
	int value = 0;
	EXPECT(!qrt_chan_open(cx, sizeof(int), 1, NULL, &chan));
	EXPECT(!qrt_chan_send(cx, chan, &value));
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &region));
	struct call calls[4];
	for (int i = 0; i < 4; i++) {
		calls[i] = (struct call){.chan = chan, .value = i + 1};
	}
	EXPECT(!line_up(cx, region, reserve_one, &calls[0], 2));
	EXPECT(!line_up(cx, region, send_one, &calls[2], 2));
	EXPECT(qrt_try_reserve(cx, chan, &permit) == QRT_EAGAIN);
	for (int i = 0; i < 5; i++) {
		EXPECT(!qrt_chan_recv(cx, chan, &value));
		EXPECT(value == i);
		/* The room is the first waiter's, also before it has run. */
		EXPECT(i == 4 || qrt_try_reserve(cx, chan, &permit) == QRT_EAGAIN);
	}
	EXPECT(!qrt_region_close(cx, &region, QRT_OK));
	EXPECT(stats_of(chan).reserve.n == 4);
	EXPECT(!qrt_chan_close(&chan));
	return QRT_OK;
}
SCENARIO(senders_are_served_first_come_first_served, fifo_scenario)

static enum qrt_err pool_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct qrt_chan *chan;
	struct qrt_region *region;
	int counter = 0;
	struct call calls[3];
	EXPECT(!qrt_chan_open(cx, sizeof(int), 3, NULL, &chan));
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &region));
	for (size_t i = 0; i < 3; i++) {
		calls[i] = (struct call){.chan = chan, .counter = &counter};
		EXPECT(!qrt_spawn(region, recv_one, &calls[i]));
		UNTIL(cx, stats_of(chan).receivers == i + 1);
	}
	for (int value = 1; value <= 2; value++) {
		EXPECT(!qrt_chan_try_send(chan, &value));
	}
	EXPECT(stats_of(chan).receivers == 1);
	UNTIL(cx, counter == 2);
	EXPECT(calls[0].done && calls[1].done && !calls[2].done);
	EXPECT(calls[0].value + calls[1].value == 3);
	EXPECT(!qrt_chan_finish(chan));
	EXPECT(!qrt_region_close(cx, &region, QRT_OK));
	EXPECT(calls[2].err == QRT_ECLOSED);
	EXPECT(!qrt_chan_close(&chan));
	return QRT_OK;
}
SCENARIO(a_pool_of_receivers_shares_a_channel, pool_scenario)

/* --- cancel ---------------------------------------------------------------------------------- */

static enum qrt_err middle_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct qrt_chan *chan;
	struct qrt_region *rest, *victim;
	int value = 0;
	EXPECT(!qrt_chan_open(cx, sizeof(int), 1, NULL, &chan));
	EXPECT(!qrt_chan_send(cx, chan, &value));
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &rest));
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &victim));
	struct call calls[3];
	for (int i = 0; i < 3; i++) {
		calls[i] = (struct call){.chan = chan, .value = i + 1};
		EXPECT(!line_up(cx, i == 1 ? victim : rest, reserve_one, &calls[i], 1));
	}
	qrt_region_cancel(victim, QRT_CANCEL_USER, "test");
	EXPECT(stats_of(chan).senders == 2);
	QRT_IGNORE(qrt_region_close(cx, &victim, QRT_OK), "it was cancelled");
	EXPECT(calls[1].err == QRT_ECANCELED);
	for (int i = 0; i < 3; i++) {
		EXPECT(!qrt_chan_recv(cx, chan, &value));
		EXPECT(value == (i == 0 ? 0 : 2 * i - 1));
	}
	EXPECT(!qrt_region_close(cx, &rest, QRT_OK));
	struct qrt_permit permit;
	EXPECT(!qrt_try_reserve(cx, chan, &permit));
	EXPECT(!qrt_abort(&permit));
	EXPECT(!qrt_chan_close(&chan));
	return QRT_OK;
}
SCENARIO(a_cancelled_sender_leaves_the_middle_of_the_line, middle_scenario)

static enum qrt_err receiver_passes_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct qrt_chan *chan;
	struct qrt_region *rest, *victim;
	int value = 5;
	EXPECT(!qrt_chan_open(cx, sizeof(int), 4, NULL, &chan));
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &rest));
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &victim));
	struct call first = {.chan = chan}, second = {.chan = chan};
	EXPECT(!qrt_spawn(victim, recv_one, &first));
	UNTIL(cx, stats_of(chan).receivers == 1);
	EXPECT(!qrt_spawn(rest, recv_one, &second));
	UNTIL(cx, stats_of(chan).receivers == 2);
	EXPECT(!qrt_chan_try_send(chan, &value));
	EXPECT(qrt_chan_try_recv(chan, &value) == QRT_EAGAIN); /* promised */
	EXPECT(!qrt_chan_finish(chan));
	EXPECT(stats_of(chan).receivers == 1); /* not drained: it may come to that one yet */
	qrt_region_cancel(victim, QRT_CANCEL_USER, "test");
	bool structured = is_structured(cx);
	QRT_IGNORE(qrt_region_close(cx, &victim, QRT_OK), "it was cancelled");
	EXPECT(!qrt_region_close(cx, &rest, QRT_OK));
	/* Where a cancel is not remembered, it came too late: the wait was over. */
	EXPECT(first.err == (structured ? QRT_ECANCELED : QRT_OK));
	EXPECT(second.err == (structured ? QRT_OK : QRT_ECLOSED));
	EXPECT((structured ? second : first).value == 5);
	EXPECT(!qrt_chan_close(&chan));
	return QRT_OK;
}
SCENARIO(a_receiver_cancelled_after_it_was_woken_passes_its_turn_on, receiver_passes_scenario)

static enum qrt_err receiver_leaves_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct qrt_chan *chan;
	struct qrt_region *victim;
	int value = 5;
	EXPECT(!qrt_chan_open(cx, sizeof(int), 4, NULL, &chan));
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &victim));
	struct call call = {.chan = chan};
	EXPECT(!qrt_spawn(victim, recv_one, &call));
	UNTIL(cx, stats_of(chan).receivers == 1);
	EXPECT(!qrt_chan_try_send(chan, &value));
	qrt_region_cancel(victim, QRT_CANCEL_USER, "test");
	bool structured = is_structured(cx);
	QRT_IGNORE(qrt_region_close(cx, &victim, QRT_OK), "it was cancelled");
	value = 0;
	EXPECT(qrt_chan_try_recv(chan, &value) == (structured ? QRT_OK : QRT_EAGAIN));
	EXPECT(!structured || value == 5);
	EXPECT(!qrt_chan_close(&chan));
	return QRT_OK;
}
SCENARIO(an_element_nobody_took_stays_for_the_next, receiver_leaves_scenario)

static enum qrt_err room_passes(struct qrt_cx *cx, qrt_task_fn *fn)
{
	struct qrt_chan *chan;
	struct qrt_region *rest, *victim;
	int value = 0;
	EXPECT(!qrt_chan_open(cx, sizeof(int), 1, NULL, &chan));
	EXPECT(!qrt_chan_send(cx, chan, &value));
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &rest));
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &victim));
	struct call first = {.chan = chan, .value = 1}, second = {.chan = chan, .value = 2};
	EXPECT(!line_up(cx, victim, fn, &first, 1));
	EXPECT(!line_up(cx, rest, fn, &second, 1));
	EXPECT(!qrt_chan_try_recv(chan, &value));
	EXPECT(stats_of(chan).reserved == 1); /* granted, not run yet */
	qrt_region_cancel(victim, QRT_CANCEL_USER, "test");
	bool structured = is_structured(cx);
	QRT_IGNORE(qrt_region_close(cx, &victim, QRT_OK), "it was cancelled");
	EXPECT(first.err == (structured ? QRT_ECANCELED : QRT_OK));
	EXPECT(!qrt_chan_recv(cx, chan, &value));
	EXPECT(value == (structured ? 2 : 1));
	EXPECT(!qrt_region_close(cx, &rest, QRT_OK));
	EXPECT(second.err == QRT_OK);
	EXPECT(qrt_chan_try_recv(chan, &value) == (structured ? QRT_EAGAIN : QRT_OK));
	EXPECT(stats_of(chan).reserved == 0);
	EXPECT(!qrt_chan_close(&chan));
	return QRT_OK;
}

static enum qrt_err room_passes_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	enum qrt_err err = room_passes(cx, reserve_one);
	return err ? err : room_passes(cx, send_one);
}
SCENARIO(a_sender_cancelled_after_it_was_granted_passes_the_room_on, room_passes_scenario)

/* --- ends ------------------------------------------------------------------------------------ */

static enum qrt_err finish_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct qrt_chan *chan;
	struct qrt_region *region;
	struct qrt_permit permit, other;
	int value = 1;
	EXPECT(!qrt_chan_open(cx, sizeof(int), 2, NULL, &chan));
	EXPECT(!qrt_chan_send(cx, chan, &value));
	EXPECT(!qrt_reserve(cx, chan, &permit));
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &region));
	struct call sender = {.chan = chan}, receiver = {.chan = chan}, late = {.chan = chan};
	EXPECT(!line_up(cx, region, reserve_one, &sender, 1));
	EXPECT(!qrt_chan_finish(chan));
	UNTIL(cx, sender.done);
	EXPECT(sender.err == QRT_ECLOSED);
	EXPECT(qrt_reserve(cx, chan, &other) == QRT_ECLOSED);
	EXPECT(qrt_chan_send(cx, chan, &value) == QRT_ECLOSED);
	EXPECT(!qrt_chan_recv(cx, chan, &value));
	/* Drained, but for the permit. */
	EXPECT(qrt_chan_try_recv(chan, &value) == QRT_EAGAIN);
	EXPECT(!qrt_spawn(region, recv_one, &receiver));
	UNTIL(cx, stats_of(chan).receivers == 1);
	EXPECT(!qrt_spawn(region, recv_one, &late));
	UNTIL(cx, stats_of(chan).receivers == 2);
	value = 9;
	EXPECT(!qrt_send(&permit, &value));
	UNTIL(cx, receiver.done && late.done);
	EXPECT(receiver.err == QRT_OK && receiver.value == 9);
	EXPECT(late.err == QRT_ECLOSED);
	EXPECT(qrt_chan_recv(cx, chan, &value) == QRT_ECLOSED);
	EXPECT(!qrt_region_close(cx, &region, QRT_OK));
	EXPECT(!qrt_chan_close(&chan));
	return QRT_OK;
}
SCENARIO(a_finished_channel_is_drained_before_it_says_closed, finish_scenario)

static enum qrt_err last_abort_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct qrt_chan *chan;
	struct qrt_region *region;
	struct qrt_permit permit;
	EXPECT(!qrt_chan_open(cx, sizeof(int), 2, NULL, &chan));
	EXPECT(!qrt_reserve(cx, chan, &permit));
	EXPECT(!qrt_chan_finish(chan));
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &region));
	struct call receiver = {.chan = chan};
	EXPECT(!qrt_spawn(region, recv_one, &receiver));
	UNTIL(cx, stats_of(chan).receivers == 1);
	EXPECT(!qrt_abort(&permit));
	EXPECT(!qrt_region_close(cx, &region, QRT_OK));
	EXPECT(receiver.err == QRT_ECLOSED);
	EXPECT(!qrt_chan_close(&chan));
	return QRT_OK;
}
SCENARIO(the_abort_of_the_last_permit_ends_the_waiting, last_abort_scenario)

static enum qrt_err close_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct qrt_chan *chan, *copy;
	struct qrt_region *region;
	struct qrt_permit permit, aborted;
	int value = 1;
	forget_drops();
	EXPECT(!qrt_chan_open(cx, sizeof(int), 4, drop_int, &chan));
	copy = chan;
	EXPECT(!qrt_chan_send(cx, chan, &value));
	value = 2;
	EXPECT(!qrt_chan_send(cx, chan, &value));
	EXPECT(!qrt_reserve(cx, chan, &permit));
	EXPECT(!qrt_reserve(cx, chan, &aborted));
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &region));
	struct call sender = {.chan = chan, .value = 100};
	EXPECT(!line_up(cx, region, send_one, &sender, 1));
	EXPECT(!qrt_chan_close(&chan));
	EXPECT(!chan && dropped == 2 && drop_sum == 3);
	EXPECT(!qrt_region_close(cx, &region, QRT_OK));
	EXPECT(sender.err == QRT_ECLOSED && dropped == 2);
	EXPECT(qrt_chan_try_send(copy, &value) == QRT_ESTALE); /* though permits are out */
	value = 40;
	EXPECT(qrt_send(&permit, &value) == QRT_ECLOSED);
	EXPECT(dropped == 3 && drop_sum == 43);
	EXPECT(qrt_send(&permit, &value) == QRT_ESTALE);
	EXPECT(!qrt_abort(&aborted));
	EXPECT(dropped == 3);
	EXPECT(qrt_chan_close(&copy) == QRT_ESTALE);
	return QRT_OK;
}
SCENARIO(closing_drops_what_is_queued_and_tells_everybody, close_scenario)

static enum qrt_err close_granted_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct qrt_chan *chan;
	struct qrt_region *region;
	int value = 1;
	forget_drops();
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &region));
	struct call calls[3] = {{0}};
	qrt_task_fn *const fns[] = {recv_one, reserve_one, send_one};
	for (size_t i = 0; i < 3; i++) {
		EXPECT(!qrt_chan_open(cx, sizeof(int), 1, drop_int, &chan));
		calls[i].chan = chan;
		EXPECT(i == 0 || !qrt_chan_send(cx, chan, &value));
		EXPECT(!qrt_spawn(region, fns[i], &calls[i]));
		UNTIL(cx, stats_of(chan).receivers + stats_of(chan).senders == 1);
		/* Granted, and closed before it runs. */
		EXPECT(
		    !(i == 0 ? qrt_chan_try_send(chan, &value) : qrt_chan_try_recv(chan, &value)));
		EXPECT(stats_of(chan).receivers + stats_of(chan).senders == 0);
		EXPECT(!qrt_chan_close(&chan));
		/* Its memory must not be another channel's yet. */
		EXPECT(!qrt_chan_open(cx, sizeof(int), 1, drop_int, &chan));
		UNTIL(cx, calls[i].done);
		EXPECT(calls[i].err == QRT_ECLOSED);
		EXPECT(stats_of(chan).reserved == 0 && stats_of(chan).queued == 0);
		EXPECT(!qrt_chan_close(&chan));
	}
	EXPECT(dropped == 1);
	EXPECT(!qrt_region_close(cx, &region, QRT_OK));
	return QRT_OK;
}
SCENARIO(a_grant_is_void_when_the_channel_closes_before_it_is_taken, close_granted_scenario)

/* --- permits and misuse ---------------------------------------------------------------------- */

static enum qrt_err permit_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct qrt_chan *chan;
	struct qrt_permit permit, copy, none = {0};
	int value = 3;
	long other = 3;
	EXPECT(!qrt_chan_open(cx, sizeof(int), 2, NULL, &chan));
	EXPECT(!qrt_reserve(cx, chan, &permit));
	copy = permit;
	EXPECT(qrt_send(&permit, &other) == QRT_EINVAL);
	EXPECT(!qrt_send(&permit, &value));
	EXPECT(qrt_send(&permit, &value) == QRT_ESTALE);
	EXPECT(qrt_send(&copy, &value) == QRT_ESTALE);
	EXPECT(qrt_abort(&copy) == QRT_ESTALE);
	EXPECT(qrt_abort(&none) == QRT_ESTALE);
	EXPECT(qrt_permit_give(&copy, cx) == QRT_ESTALE);
	EXPECT(stats_of(chan).reserved == 0 && stats_of(chan).queued == 1);
	EXPECT(qrt_chan_recv(cx, chan, &other) == QRT_EINVAL);
	EXPECT(strstr(qrt_detail(cx), "8 bytes, not 4"));
	EXPECT(qrt_chan_send(cx, chan, &other) == QRT_EINVAL);
	EXPECT(qrt_chan_try_send(chan, &other) == QRT_EINVAL);
	EXPECT(qrt_chan_try_recv(chan, &other) == QRT_EINVAL);
	EXPECT(!qrt_chan_close(&chan));
	return QRT_OK;
}
SCENARIO(a_permit_is_used_once, permit_scenario)

static enum qrt_err forgetful(struct qrt_cx *cx, void *arg)
{
	struct call *call = arg;
	struct qrt_permit permit;
	return qrt_reserve(cx, call->chan, &permit);
}

static enum qrt_err leak_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct qrt_chan *chan;
	struct qrt_region *region;
	struct qrt_audit audit;
	int value = 0;
	EXPECT(!qrt_chan_open(cx, sizeof(int), 1, NULL, &chan));
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &region));
	struct call call = {.chan = chan};
	EXPECT(!qrt_spawn(region, forgetful, &call));
	EXPECT(qrt_region_close(cx, &region, QRT_OK) == QRT_ELEAK);
	EXPECT(strstr(qrt_detail(cx), "permit channel, made at "));
	EXPECT(strstr(qrt_detail(cx), "test_chan.c:"));
	qrt_runtime_audit(qrt_cx_runtime(cx), &audit);
	EXPECT(audit.leaks == 1);
	EXPECT(qrt_chan_try_send(chan, &value) == (is_structured(cx) ? QRT_OK : QRT_EAGAIN));
	EXPECT(!qrt_chan_close(&chan));
	return QRT_OK;
}
SCENARIO(a_forgotten_permit_is_aborted_and_its_site_named, leak_scenario)

static enum qrt_err left_open_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct qrt_chan *chan;
	struct qrt_oneshot *oneshot;
	struct qrt_permit permit;
	struct qrt_broadcast *broadcast;
	struct qrt_subscription *subscription;
	struct qrt_watch *watch;
	struct qrt_region *region;
	int value = 1;
	forget_drops();
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &region));
	struct qrt_cx *inner = qrt_region_cx(region);
	EXPECT(!qrt_chan_open(inner, sizeof(int), 4, drop_int, &chan));
	EXPECT(!qrt_chan_send(inner, chan, &value));
	EXPECT(!qrt_oneshot_open(inner, sizeof(int), drop_int, &oneshot, &permit));
	EXPECT(!qrt_send(&permit, &value));
	EXPECT(!qrt_broadcast_open(inner, sizeof(int), 4, &broadcast));
	EXPECT(!qrt_subscribe(inner, broadcast, &subscription));
	EXPECT(!qrt_watch_open(inner, &value, &watch));
	EXPECT(qrt_region_close(cx, &region, QRT_OK) == QRT_ELEAK);
	if (!is_structured(cx)) {
		EXPECT(dropped == 0);
		EXPECT(!qrt_chan_close(&chan));
		return QRT_OK; /* counted only; the rest is released with the runtime */
	}
	EXPECT(dropped == 2);
	EXPECT(qrt_chan_send(cx, chan, &value) == QRT_ESTALE);
	EXPECT(qrt_oneshot_close(&oneshot) == QRT_ESTALE);
	EXPECT(qrt_broadcast_send(broadcast, &value) == QRT_ESTALE);
	EXPECT(qrt_unsubscribe(&subscription) == QRT_ESTALE);
	EXPECT(qrt_watch_set(watch, &value) == QRT_ESTALE);
	return QRT_OK;
}
SCENARIO(what_a_region_leaves_open_is_closed_for_it, left_open_scenario)

static enum qrt_err stale_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct qrt_chan *chan, *stale, *other;
	struct qrt_permit permit;
	struct qrt_chan_stats stats;
	int value = 0;
	EXPECT(!qrt_chan_open(cx, sizeof(int), 1, NULL, &chan));
	stale = chan;
	EXPECT(!qrt_chan_close(&chan));
	EXPECT(!qrt_chan_open(cx, sizeof(int), 1, NULL, &other)); /* maybe in the same place */
	EXPECT(qrt_reserve(cx, stale, &permit) == QRT_ESTALE);
	EXPECT(strcmp(qrt_detail(cx), "the channel has been closed") == 0);
	EXPECT(qrt_try_reserve(cx, stale, &permit) == QRT_ESTALE);
	EXPECT(qrt_chan_send(cx, stale, &value) == QRT_ESTALE);
	EXPECT(qrt_chan_recv(cx, stale, &value) == QRT_ESTALE);
	EXPECT(qrt_chan_try_send(stale, &value) == QRT_ESTALE);
	EXPECT(qrt_chan_try_recv(stale, &value) == QRT_ESTALE);
	EXPECT(qrt_chan_finish(stale) == QRT_ESTALE);
	EXPECT(qrt_chan_stats(stale, &stats) == QRT_ESTALE);
	EXPECT(qrt_chan_recv(cx, NULL, &value) == QRT_ESTALE);
	EXPECT(!qrt_chan_close(&other));
	return QRT_OK;
}
SCENARIO(a_stale_handle_is_told_so, stale_scenario)

struct foreign {
	struct qrt_cx *cx;
	struct qrt_chan *chan;
	struct qrt_permit permit;
	bool all;
};

static void *misuse(void *arg)
{
	struct foreign *foreign = arg;
	int value = 0;
	struct qrt_permit permit;
	struct qrt_chan *chan = foreign->chan;
	foreign->all = qrt_chan_try_send(chan, &value) == QRT_ETHREAD &&
		       qrt_chan_try_recv(chan, &value) == QRT_ETHREAD &&
		       qrt_chan_send(foreign->cx, chan, &value) == QRT_ETHREAD &&
		       qrt_chan_recv(foreign->cx, chan, &value) == QRT_ETHREAD &&
		       qrt_reserve(foreign->cx, chan, &permit) == QRT_ETHREAD &&
		       qrt_send(&foreign->permit, &value) == QRT_ETHREAD &&
		       qrt_abort(&foreign->permit) == QRT_ETHREAD &&
		       qrt_chan_finish(chan) == QRT_ETHREAD &&
		       qrt_chan_close(&chan) == QRT_ETHREAD && chan == foreign->chan;
	return NULL;
}

static enum qrt_err thread_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct foreign foreign = {.cx = cx};
	pthread_t thread;
	EXPECT(!qrt_chan_open(cx, sizeof(int), 4, NULL, &foreign.chan));
	EXPECT(!qrt_reserve(cx, foreign.chan, &foreign.permit));
	EXPECT(!pthread_create(&thread, NULL, misuse, &foreign));
	EXPECT(!pthread_join(thread, NULL));
	EXPECT(foreign.all);
	EXPECT(!qrt_abort(&foreign.permit));
	EXPECT(!qrt_chan_close(&foreign.chan));
	return QRT_OK;
}
SCENARIO(a_foreign_thread_is_refused, thread_scenario)

static enum qrt_err limits_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct qrt_chan *chan = NULL;
	struct qrt_watch *watch;
	EXPECT(qrt_chan_open(cx, 0, 1, NULL, &chan) == QRT_EINVAL);
	EXPECT(strcmp(qrt_detail(cx), "elements of 0 bytes, not 1 to 65536") == 0);
	EXPECT(qrt_chan_open(cx, 65537, 1, NULL, &chan) == QRT_EINVAL);
	EXPECT(qrt_chan_open(cx, 1, 0, NULL, &chan) == QRT_EINVAL);
	EXPECT(qrt_chan_open(cx, 1, 1048577, NULL, &chan) == QRT_EINVAL);
	EXPECT(strcmp(qrt_detail(cx), "a capacity of 1048577, not 1 to 1048576") == 0);
	EXPECT(!chan);
	EXPECT(qrt_watch_open_at(cx, &chan, 65537, "here", &watch) == QRT_EINVAL);
	EXPECT(!qrt_chan_open(cx, 65536, 1, NULL, &chan));
	EXPECT(!qrt_chan_close(&chan));
	EXPECT(!qrt_chan_open(cx, 1, 1048576, NULL, &chan));
	EXPECT(!qrt_chan_close(&chan));
	return QRT_OK;
}
SCENARIO(sizes_have_limits_that_are_named, limits_scenario)

static enum qrt_err stats_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct qrt_chan *chan;
	struct qrt_region *region;
	int value = 0;
	EXPECT(!qrt_chan_open(cx, sizeof(int), 3, NULL, &chan));
	EXPECT(!qrt_chan_send(cx, chan, &value));
	EXPECT(!qrt_chan_send(cx, chan, &value));
	EXPECT(!qrt_chan_recv(cx, chan, &value));
	EXPECT(!qrt_chan_recv(cx, chan, &value));
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &region));
	struct call call = {.chan = chan};
	EXPECT(!qrt_spawn(region, recv_one, &call));
	UNTIL(cx, stats_of(chan).receivers == 1);
	EXPECT(!qrt_sleep(cx, 3 * QRT_MS));
	EXPECT(!qrt_chan_send(cx, chan, &value));
	EXPECT(!qrt_region_close(cx, &region, QRT_OK));
	struct qrt_chan_stats stats = stats_of(chan);
	EXPECT(stats.capacity == 3 && stats.queued == 0 && stats.peak_queued == 2);
	EXPECT(stats.sent == 3 && stats.received == 3 && stats.reserve.n == 0);
	EXPECT(stats.recv.n == 1 && stats.recv.total_ns >= 2 * QRT_MS);
	EXPECT(stats.recv.max_ns == stats.recv.total_ns);
	EXPECT(!qrt_chan_close(&chan));
	return QRT_OK;
}
SCENARIO(a_channel_counts_its_depth_and_its_waits, stats_scenario)

/* --- a storm, in the lab, many seeds --------------------------------------------------------- */

enum { STORM_SENDERS = 4, STORM_RECEIVERS = 3, STORM_EACH = 12, STORM_SEEDS = 60 };

struct storm {
	struct qrt_chan *chan;
	bool sent[STORM_SENDERS][STORM_EACH], received[STORM_SENDERS][STORM_EACH];
	bool in_order;
};

struct storm_task {
	struct storm *storm;
	int id;
};

static enum qrt_err storm_sender(struct qrt_cx *cx, void *arg)
{
	struct storm_task *task = arg;
	struct storm *storm = task->storm;
	for (int i = 0; i < STORM_EACH; i++) {
		int value = task->id * STORM_EACH + i;
		struct qrt_permit permit;
		enum qrt_err err = qrt_reserve(cx, storm->chan, &permit);
		if (err) {
			return err;
		}
		if (i % 5 == 4) {
			qrt_abort(&permit);
			continue;
		}
		if (i % 3 == 0) {
			QRT_IGNORE(qrt_yield(cx), "a cancel shows at the next reserve");
		}
		storm->sent[task->id][i] = true;
		err = qrt_send(&permit, &value);
		if (err) {
			return err;
		}
	}
	return QRT_OK;
}

static enum qrt_err storm_receiver(struct qrt_cx *cx, void *arg)
{
	struct storm_task *task = arg;
	struct storm *storm = task->storm;
	int last[STORM_SENDERS] = {-1, -1, -1, -1};
	for (;;) {
		int value;
		enum qrt_err err = qrt_chan_recv(cx, storm->chan, &value);
		if (err) {
			return err == QRT_ECLOSED ? QRT_OK : err;
		}
		int from = value / STORM_EACH, which = value % STORM_EACH;
		storm->in_order &= which > last[from] && !storm->received[from][which];
		last[from] = which;
		storm->received[from][which] = true;
	}
}

/* Everything sent is received once, whoever is cancelled, as one receiver is left. */
static enum qrt_err storm_scenario(struct qrt_cx *cx, void *arg)
{
	struct storm storm = {.in_order = true};
	struct storm_task tasks[STORM_SENDERS + STORM_RECEIVERS];
	struct qrt_region *stay, *senders, *go;
	int *cancel_at = arg;
	EXPECT(!qrt_chan_open(cx, sizeof(int), 2, NULL, &storm.chan));
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &stay));
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &senders));
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &go));
	for (int i = 0; i < STORM_SENDERS + STORM_RECEIVERS; i++) {
		bool sends = i < STORM_SENDERS;
		struct qrt_region *region = i % 2 ? go : sends ? senders : stay;
		tasks[i] = (struct storm_task){.storm = &storm, .id = i};
		EXPECT(!qrt_spawn(region, sends ? storm_sender : storm_receiver, &tasks[i]));
	}
	for (int i = 0; i < *cancel_at; i++) {
		EXPECT(!qrt_yield(cx));
		struct qrt_chan_stats stats = stats_of(storm.chan);
		EXPECT(stats.queued + stats.reserved <= 2);
	}
	qrt_region_cancel(go, QRT_CANCEL_USER, "storm");
	QRT_IGNORE(qrt_region_close(cx, &go, QRT_OK), "it was cancelled");
	EXPECT(!qrt_region_close(cx, &senders, QRT_OK));
	EXPECT(!qrt_chan_finish(storm.chan));
	EXPECT(!qrt_region_close(cx, &stay, QRT_OK));
	EXPECT(storm.in_order);
	EXPECT(memcmp(storm.sent, storm.received, sizeof(storm.sent)) == 0);
	struct qrt_chan_stats stats = stats_of(storm.chan);
	EXPECT(stats.queued == 0 && stats.reserved == 0 && stats.sent == stats.received);
	EXPECT(!qrt_chan_close(&storm.chan));
	return QRT_OK;
}

static void nothing_is_lost_or_doubled_whoever_is_cancelled(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= STORM_SEEDS; seed++) {
		struct qrt_runtime_options opts = {.backend = "lab", .seed = seed};
		struct qrt_runtime *rt;
		int cancel_at = (int)(seed * 7 % 40);
		assert_int_equal(qrt_runtime_open(&opts, NULL, &rt), QRT_OK);
		enum qrt_err err = qrt_run_main(rt, storm_scenario, &cancel_at);
		if (err) {
			print_message("seed %d\n", (int)seed);
		}
		assert_int_equal(err, QRT_OK);
		qrt_runtime_close(&rt);
	}
}

/* --- oneshots -------------------------------------------------------------------------------- */

static enum qrt_err oneshot_recv(struct qrt_cx *cx, void *arg)
{
	struct call *call = arg;
	return ended(call, qrt_oneshot_recv(cx, call->oneshot, &call->value));
}

static enum qrt_err oneshot_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct qrt_oneshot *oneshot;
	struct qrt_region *region;
	struct qrt_permit permit;
	int value = 4;
	forget_drops();
	EXPECT(!qrt_oneshot_open(cx, sizeof(int), drop_int, &oneshot, &permit));
	EXPECT(qrt_oneshot_try_recv(oneshot, &value) == QRT_EAGAIN);
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &region));
	struct call first = {.oneshot = oneshot}, second = {.oneshot = oneshot};
	EXPECT(!qrt_spawn(region, oneshot_recv, &first));
	EXPECT(!qrt_spawn(region, oneshot_recv, &second));
	for (int i = 0; i < 20; i++) {
		EXPECT(!qrt_yield(cx));
	}
	EXPECT(!first.done && !second.done);
	EXPECT(!qrt_send(&permit, &value));
	EXPECT(qrt_send(&permit, &value) == QRT_ESTALE);
	EXPECT(qrt_oneshot_try_recv(oneshot, &value) == QRT_EAGAIN); /* it is promised */
	EXPECT(!qrt_region_close(cx, &region, QRT_OK));
	EXPECT((first.err == QRT_OK && first.value == 4 && second.err == QRT_ECLOSED) ||
	       (second.err == QRT_OK && second.value == 4 && first.err == QRT_ECLOSED));
	EXPECT(qrt_oneshot_recv(cx, oneshot, &value) == QRT_ECLOSED);
	EXPECT(!qrt_oneshot_close(&oneshot));
	EXPECT(!oneshot && dropped == 0);
	return QRT_OK;
}
SCENARIO(a_oneshot_gives_its_element_to_one, oneshot_scenario)

static enum qrt_err oneshot_cancel_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct qrt_oneshot *oneshot, *empty;
	struct qrt_region *region;
	struct qrt_permit permit, unused;
	int value = 4;
	bool structured = is_structured(cx);
	EXPECT(!qrt_oneshot_open(cx, sizeof(int), NULL, &oneshot, &permit));
	EXPECT(!qrt_oneshot_open(cx, sizeof(int), NULL, &empty, &unused));
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &region));
	struct call call = {.oneshot = oneshot}, other = {.oneshot = empty};
	EXPECT(!qrt_spawn(region, oneshot_recv, &call));
	EXPECT(!qrt_spawn(region, oneshot_recv, &other));
	for (int i = 0; i < 20; i++) {
		EXPECT(!qrt_yield(cx));
	}
	/* Sent, then cancelled before the receiver runs. */
	EXPECT(!qrt_send(&permit, &value));
	qrt_region_cancel(region, QRT_CANCEL_USER, "test");
	QRT_IGNORE(qrt_region_close(cx, &region, QRT_OK), "it was cancelled");
	EXPECT(call.err == QRT_OK && call.value == 4);
	EXPECT(other.err == QRT_ECANCELED);
	EXPECT(!qrt_send(&unused, &value));
	/* There before the wait began: cancelled, it is taken all the same. */
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &region));
	other.err = QRT_EFAILED;
	EXPECT(!qrt_spawn(region, oneshot_recv, &other));
	qrt_region_cancel(region, QRT_CANCEL_USER, "test");
	QRT_IGNORE(qrt_region_close(cx, &region, QRT_OK), "it was cancelled");
	EXPECT(other.err == QRT_OK || !structured);
	EXPECT(!qrt_oneshot_close(&oneshot));
	EXPECT(!qrt_oneshot_close(&empty));
	return QRT_OK;
}
SCENARIO(the_element_of_a_oneshot_beats_a_cancel, oneshot_cancel_scenario)

struct sender {
	struct qrt_permit permit;
	bool sends;
};

static enum qrt_err oneshot_send(struct qrt_cx *cx, void *arg)
{
	struct sender *sender = arg;
	struct big big;
	memset(&big, 'x', sizeof(big));
	enum qrt_err err = qrt_permit_give(&sender->permit, cx);
	return err || !sender->sends ? err : qrt_send(&sender->permit, &big);
}

static enum qrt_err oneshot_end_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct qrt_oneshot *oneshot, *copy;
	struct qrt_region *region;
	struct sender sender = {.sends = true};
	struct big big;
	int value = 6;
	/* A child sends; the element is a large one. */
	EXPECT(!qrt_oneshot_open(cx, sizeof(struct big), NULL, &oneshot, &sender.permit));
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &region));
	EXPECT(!qrt_spawn(region, oneshot_send, &sender));
	EXPECT(!qrt_oneshot_recv(cx, oneshot, &big));
	EXPECT(big.bytes[0] == 'x' && big.bytes[sizeof(big) - 1] == 'x');
	EXPECT(!qrt_region_close(cx, &region, QRT_OK));
	EXPECT(!qrt_oneshot_close(&oneshot));
	/* A child ends without having sent. */
	if (is_structured(cx)) {
		sender.sends = false;
		EXPECT(!qrt_oneshot_open(cx, sizeof(big), NULL, &oneshot, &sender.permit));
		EXPECT(!qrt_region_open(cx, QRT_COLLECT, &region));
		EXPECT(!qrt_spawn(region, oneshot_send, &sender));
		EXPECT(qrt_oneshot_recv(cx, oneshot, &big) == QRT_ECLOSED);
		EXPECT(qrt_region_close(cx, &region, QRT_OK) == QRT_ELEAK);
		EXPECT(!qrt_oneshot_close(&oneshot));
	}
	/* Closed while the permit is out; aborted; closed with the element untaken. */
	forget_drops();
	EXPECT(!qrt_oneshot_open(cx, sizeof(int), drop_int, &oneshot, &sender.permit));
	copy = oneshot;
	EXPECT(!qrt_oneshot_close(&oneshot));
	EXPECT(qrt_oneshot_recv(cx, copy, &value) == QRT_ESTALE);
	EXPECT(qrt_send(&sender.permit, &value) == QRT_ECLOSED);
	EXPECT(dropped == 1);
	EXPECT(!qrt_oneshot_open(cx, sizeof(int), drop_int, &oneshot, &sender.permit));
	EXPECT(!qrt_abort(&sender.permit));
	EXPECT(qrt_oneshot_recv(cx, oneshot, &value) == QRT_ECLOSED);
	EXPECT(!qrt_oneshot_close(&oneshot));
	EXPECT(!qrt_oneshot_open(cx, sizeof(int), drop_int, &oneshot, &sender.permit));
	EXPECT(!qrt_send(&sender.permit, &value));
	EXPECT(!qrt_oneshot_close(&oneshot));
	EXPECT(dropped == 2 && drop_sum == 12);
	return QRT_OK;
}
SCENARIO(a_oneshot_ends_in_every_way_it_can, oneshot_end_scenario)

/* --- broadcasts ------------------------------------------------------------------------------ */

static enum qrt_err broadcast_recv(struct qrt_cx *cx, void *arg)
{
	struct call *call = arg;
	return ended(call, qrt_broadcast_recv(cx, call->subscription, &call->value));
}

static enum qrt_err broadcast_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct qrt_broadcast *broadcast;
	struct qrt_subscription *fast, *slow, *late;
	struct qrt_broadcast_stats stats;
	int got;
	EXPECT(!qrt_broadcast_open(cx, sizeof(int), 3, &broadcast));
	EXPECT(!qrt_subscribe(cx, broadcast, &fast));
	EXPECT(!qrt_subscribe(cx, broadcast, &slow));
	for (int value = 0; value < 8; value++) {
		EXPECT(!qrt_broadcast_send(broadcast, &value));
		EXPECT(!qrt_broadcast_recv(cx, fast, &got));
		EXPECT(got == value);
	}
	EXPECT(!qrt_subscribe(cx, broadcast, &late));
	EXPECT(qrt_broadcast_try_recv(late, &got) == QRT_EAGAIN);
	EXPECT(qrt_broadcast_try_recv(fast, &got) == QRT_EAGAIN);
	EXPECT(qrt_broadcast_recv(cx, slow, &got) == QRT_ELIMIT);
	EXPECT(strcmp(qrt_detail(cx), "5 elements were missed") == 0);
	EXPECT(qrt_subscription_missed(slow) == 5);
	EXPECT(!qrt_broadcast_finish(broadcast));
	EXPECT(qrt_broadcast_send(broadcast, &got) == QRT_ECLOSED);
	for (int value = 5; value < 8; value++) {
		EXPECT(!qrt_broadcast_recv(cx, slow, &got));
		EXPECT(got == value);
	}
	EXPECT(qrt_broadcast_recv(cx, slow, &got) == QRT_ECLOSED);
	EXPECT(!qrt_broadcast_stats(broadcast, &stats));
	EXPECT(stats.capacity == 3 && stats.subscribers == 3 && stats.sent == 8);
	EXPECT(stats.missed == 5 && stats.peak_behind == 8 && stats.recv.n == 0);
	EXPECT(!qrt_unsubscribe(&fast));
	EXPECT(!qrt_broadcast_close(&broadcast));
	EXPECT(qrt_broadcast_recv(cx, slow, &got) == QRT_ECLOSED);
	EXPECT(!qrt_unsubscribe(&slow));
	EXPECT(!qrt_unsubscribe(&late));
	return QRT_OK;
}
SCENARIO(every_subscriber_gets_everything_or_hears_what_it_missed, broadcast_scenario)

static enum qrt_err broadcast_wait_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct qrt_broadcast *broadcast;
	struct qrt_subscription *sub;
	struct qrt_broadcast_stats stats;
	struct qrt_region *region;
	int value = 3, got = 0;
	long wrong = 0;
	bool structured = is_structured(cx);
	EXPECT(!qrt_broadcast_open(cx, sizeof(int), 3, &broadcast));
	EXPECT(!qrt_subscribe(cx, broadcast, &sub));
	EXPECT(qrt_broadcast_send(broadcast, &wrong) == QRT_EINVAL);
	EXPECT(qrt_broadcast_try_recv(sub, &wrong) == QRT_EINVAL);
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &region));
	struct call call = {.subscription = sub};
	EXPECT(!qrt_spawn(region, broadcast_recv, &call));
	do {
		EXPECT(!qrt_yield(cx));
		EXPECT(!qrt_broadcast_stats(broadcast, &stats));
	} while (stats.recv.n == 0);
	EXPECT(qrt_broadcast_recv(cx, sub, &got) == QRT_EBUSY);
	EXPECT(!qrt_broadcast_send(broadcast, &value));
	EXPECT(qrt_broadcast_try_recv(sub, &got) == QRT_EBUSY); /* woken, not run yet */
	qrt_region_cancel(region, QRT_CANCEL_USER, "test");
	QRT_IGNORE(qrt_region_close(cx, &region, QRT_OK), "it was cancelled");
	EXPECT(call.err == (structured ? QRT_ECANCELED : QRT_OK));
	EXPECT(qrt_broadcast_try_recv(sub, &got) == (structured ? QRT_OK : QRT_EAGAIN));
	/* Woken, and the subscription or the broadcast is gone before it runs. */
	struct call calls[2] = {{.subscription = sub}, {0}};
	EXPECT(!qrt_subscribe(cx, broadcast, &calls[1].subscription));
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &region));
	EXPECT(!qrt_spawn(region, broadcast_recv, &calls[0]));
	EXPECT(!qrt_spawn(region, broadcast_recv, &calls[1]));
	do {
		EXPECT(!qrt_yield(cx));
		EXPECT(!qrt_broadcast_stats(broadcast, &stats));
	} while (stats.recv.n < 3);
	EXPECT(!qrt_broadcast_send(broadcast, &value));
	EXPECT(!qrt_unsubscribe(&sub));
	struct call parked = {0};
	EXPECT(!qrt_subscribe(cx, broadcast, &parked.subscription));
	EXPECT(!qrt_spawn(region, broadcast_recv, &parked));
	UNTIL(cx, calls[0].done && calls[1].done);
	EXPECT(calls[0].err == QRT_ECLOSED && calls[1].err == QRT_OK);
	calls[1].done = 0;
	EXPECT(!qrt_spawn(region, broadcast_recv, &calls[1]));
	do {
		EXPECT(!qrt_yield(cx));
		EXPECT(!qrt_broadcast_stats(broadcast, &stats));
	} while (stats.recv.n < 5);
	EXPECT(!qrt_broadcast_close(&broadcast));
	EXPECT(!qrt_region_close(cx, &region, QRT_OK));
	EXPECT(parked.err == QRT_ECLOSED && calls[1].err == QRT_ECLOSED);
	EXPECT(!qrt_unsubscribe(&calls[1].subscription));
	EXPECT(!qrt_unsubscribe(&parked.subscription));
	return QRT_OK;
}
SCENARIO(a_subscriber_that_is_cancelled_has_lost_nothing, broadcast_wait_scenario)

/* --- watches --------------------------------------------------------------------------------- */

static enum qrt_err watch_changed(struct qrt_cx *cx, void *arg)
{
	struct call *call = arg;
	enum qrt_err err = qrt_watch_changed(cx, call->watch, &call->seen);
	if (!err) {
		err = qrt_watch_get(call->watch, &call->value, NULL);
	}
	return ended(call, err);
}

static size_t watchers(struct qrt_watch *watch)
{
	struct qrt_watch_stats stats = {0};
	QRT_IGNORE(qrt_watch_stats(watch, &stats), "zeros fail the test");
	return stats.watchers;
}

static enum qrt_err watch_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct qrt_watch *watch, *copy;
	struct qrt_region *region;
	int value = 10;
	long wrong = 0;
	uint64_t seen = 0, version;
	EXPECT(!qrt_watch_open(cx, &value, &watch));
	EXPECT(!qrt_watch_changed(cx, watch, &seen));
	EXPECT(seen == 1);
	EXPECT(qrt_watch_set(watch, &wrong) == QRT_EINVAL);
	EXPECT(qrt_watch_get(watch, &wrong, NULL) == QRT_EINVAL);
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &region));
	struct call calls[3];
	for (size_t i = 0; i < 3; i++) {
		calls[i] = (struct call){.watch = watch, .seen = seen};
		EXPECT(!qrt_spawn(region, watch_changed, &calls[i]));
	}
	UNTIL(cx, watchers(watch) == 3);
	for (value = 11; value < 14; value++) {
		EXPECT(!qrt_watch_set(watch, &value));
	}
	UNTIL(cx, calls[0].done && calls[1].done && calls[2].done);
	for (size_t i = 0; i < 3; i++) { /* the latest, whatever came in between */
		EXPECT(!calls[i].err && calls[i].value == 13 && calls[i].seen == 4);
	}
	struct call last = {.watch = watch, .seen = 4};
	EXPECT(!qrt_spawn(region, watch_changed, &last));
	UNTIL(cx, watchers(watch) == 1);
	EXPECT(!qrt_watch_finish(watch));
	EXPECT(qrt_watch_set(watch, &value) == QRT_ECLOSED);
	EXPECT(!qrt_region_close(cx, &region, QRT_OK));
	EXPECT(last.err == QRT_ECLOSED);
	EXPECT(!qrt_watch_changed(cx, watch, &seen)); /* the last version was not seen here */
	EXPECT(qrt_watch_changed(cx, watch, &seen) == QRT_ECLOSED);
	EXPECT(!qrt_watch_get(watch, &value, &version) && value == 13 && version == 4);
	copy = watch;
	EXPECT(!qrt_watch_close(&watch));
	EXPECT(qrt_watch_get(copy, &value, NULL) == QRT_ESTALE);
	EXPECT(qrt_watch_changed(cx, copy, &seen) == QRT_ESTALE);
	return QRT_OK;
}
SCENARIO(a_watch_tells_of_the_latest_value, watch_scenario)

static enum qrt_err watch_cancel_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct qrt_watch *watch;
	struct qrt_region *region;
	int value = 1;
	bool structured = is_structured(cx);
	EXPECT(!qrt_watch_open(cx, &value, &watch));
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &region));
	struct call call = {.watch = watch, .seen = 1}, parked = call;
	EXPECT(!qrt_spawn(region, watch_changed, &call));
	UNTIL(cx, watchers(watch) == 1);
	EXPECT(!qrt_watch_set(watch, &value));
	parked.seen = 2;
	EXPECT(!qrt_spawn(region, watch_changed, &parked));
	qrt_region_cancel(region, QRT_CANCEL_USER, "test");
	EXPECT(!structured || call.done == 0);
	if (!structured) {
		UNTIL(cx, call.done && watchers(watch) == 1);
		qrt_region_cancel(region, QRT_CANCEL_USER, "test");
	}
	QRT_IGNORE(qrt_region_close(cx, &region, QRT_OK), "it was cancelled");
	EXPECT(call.err == (structured ? QRT_ECANCELED : QRT_OK));
	EXPECT(call.seen == (structured ? 1 : 2));
	EXPECT(parked.err == QRT_ECANCELED && watchers(watch) == 0);
	/* Closed between the change and the run of who was told. */
	struct call late = {.watch = watch, .seen = 2};
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &region));
	EXPECT(!qrt_spawn(region, watch_changed, &late));
	UNTIL(cx, watchers(watch) == 1);
	EXPECT(!qrt_watch_set(watch, &value));
	EXPECT(!qrt_watch_close(&watch));
	EXPECT(!qrt_region_close(cx, &region, QRT_OK));
	EXPECT(late.err == QRT_ECLOSED && late.seen == 2);
	return QRT_OK;
}
SCENARIO(a_watcher_that_is_cancelled_has_seen_nothing, watch_cancel_scenario)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(elements_come_out_in_the_order_they_were_sent),
	    cmocka_unit_test(elements_of_any_size_are_copied_whole),
	    cmocka_unit_test(queued_and_reserved_share_the_capacity),
	    cmocka_unit_test(senders_are_served_first_come_first_served),
	    cmocka_unit_test(a_pool_of_receivers_shares_a_channel),
	    cmocka_unit_test(a_cancelled_sender_leaves_the_middle_of_the_line),
	    cmocka_unit_test(a_receiver_cancelled_after_it_was_woken_passes_its_turn_on),
	    cmocka_unit_test(an_element_nobody_took_stays_for_the_next),
	    cmocka_unit_test(a_sender_cancelled_after_it_was_granted_passes_the_room_on),
	    cmocka_unit_test(a_finished_channel_is_drained_before_it_says_closed),
	    cmocka_unit_test(the_abort_of_the_last_permit_ends_the_waiting),
	    cmocka_unit_test(closing_drops_what_is_queued_and_tells_everybody),
	    cmocka_unit_test(a_grant_is_void_when_the_channel_closes_before_it_is_taken),
	    cmocka_unit_test(a_permit_is_used_once),
	    cmocka_unit_test(a_forgotten_permit_is_aborted_and_its_site_named),
	    cmocka_unit_test(what_a_region_leaves_open_is_closed_for_it),
	    cmocka_unit_test(a_stale_handle_is_told_so),
	    cmocka_unit_test(a_foreign_thread_is_refused),
	    cmocka_unit_test(sizes_have_limits_that_are_named),
	    cmocka_unit_test(a_channel_counts_its_depth_and_its_waits),
	    cmocka_unit_test(nothing_is_lost_or_doubled_whoever_is_cancelled),
	    cmocka_unit_test(a_oneshot_gives_its_element_to_one),
	    cmocka_unit_test(the_element_of_a_oneshot_beats_a_cancel),
	    cmocka_unit_test(a_oneshot_ends_in_every_way_it_can),
	    cmocka_unit_test(every_subscriber_gets_everything_or_hears_what_it_missed),
	    cmocka_unit_test(a_subscriber_that_is_cancelled_has_lost_nothing),
	    cmocka_unit_test(a_watch_tells_of_the_latest_value),
	    cmocka_unit_test(a_watcher_that_is_cancelled_has_seen_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
