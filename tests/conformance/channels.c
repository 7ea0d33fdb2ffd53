/*
 * Channels, oneshots, broadcasts, watches and mailboxes within one runtime, and the select over
 * them: open, wait, grant, cancel, finish, close.
 */
#include <qrt/broadcast.h>
#include <qrt/chan.h>
#include <qrt/mailbox.h>
#include <qrt/oneshot.h>
#include <qrt/watch.h>
#include <stdio.h>

#include "tests/conformance/conformance.h"

/* An element that says when nobody took it. */
struct item {
	int *dropped;
	int value;
};

/* Too large to lie in a oneshot itself. */
struct large {
	struct item item;
	char rest[1000];
};

struct desk {
	struct qrt_chan *chan, *full;
	struct qrt_oneshot *oneshot[2];
	struct qrt_permit permit[2];
	struct qrt_broadcast *broadcast;
	struct qrt_watch *watch;
	struct qrt_mailbox *mailbox;
	struct conformance_filler filler;
	struct item item;
	int started, ended, sum, received, dropped;
	enum qrt_err err;	/* the first failure of a child that should have had none */
	enum qrt_err result[2]; /* of children that are expected to fail */
};

#define LET_GO(call) QRT_IGNORE(call, "there may be none, or its region has ended it")

static void item_drop(void *element)
{
	const struct item *item = element;
	++*item->dropped;
}

static void desk_clean(struct qrt_cx *cx, void *arg)
{
	struct desk *desk = arg;
	(void)cx;
	for (size_t i = 0; i < 2; i++) {
		LET_GO(qrt_abort(&desk->permit[i]));
		LET_GO(qrt_oneshot_close(&desk->oneshot[i]));
	}
	LET_GO(qrt_chan_close(&desk->chan));
	LET_GO(qrt_chan_close(&desk->full));
	LET_GO(qrt_broadcast_close(&desk->broadcast));
	LET_GO(qrt_watch_close(&desk->watch));
	LET_GO(qrt_mailbox_close(&desk->mailbox));
	conformance_empty(&desk->filler);
}

static enum qrt_err told(struct desk *desk, enum qrt_err err)
{
	desk->ended++;
	desk->err = desk->err ? desk->err : err;
	return err;
}

/* Not by a close: where a cancel is not remembered a child may wait for one that has failed. */
static enum qrt_err until(struct qrt_cx *cx, const struct desk *desk, const int *count, int n)
{
	while (*count < n && !desk->err) {
		TRY(qrt_yield(cx));
	}
	return desk->err;
}

/* --- channels -------------------------------------------------------------------------------- */

enum { ITEMS = 8 };

static enum qrt_err produce_items(struct qrt_cx *cx, struct desk *desk)
{
	for (int i = 0; i < ITEMS; i++) {
		struct item item = {.dropped = &desk->dropped, .value = i};
		if (i % 2) {
			TRY(qrt_chan_send(cx, desk->chan, &item));
			continue;
		}
		struct qrt_permit permit;
		TRY(qrt_reserve(cx, desk->chan, &permit));
		TRY(qrt_send(&permit, &item));
	}
	return qrt_chan_finish(desk->chan);
}

static enum qrt_err produce(struct qrt_cx *cx, void *arg)
{
	return told(arg, produce_items(cx, arg));
}

static enum qrt_err consume(struct qrt_cx *cx, void *arg)
{
	struct desk *desk = arg;
	struct item item;
	enum qrt_err err;
	while (!(err = qrt_chan_recv(cx, desk->chan, &item))) {
		desk->received++;
		desk->sum += item.value;
	}
	return told(desk, err == QRT_ECLOSED ? QRT_OK : err);
}

static enum qrt_err chan_scenario(struct qrt_cx *cx, void *arg)
{
	struct desk *desk = arg;
	struct qrt_region *region;
	struct qrt_permit permit;
	TRY(qrt_chan_open(cx, sizeof(struct item), 2, item_drop, &desk->chan));
	TRY(conformance_fill(cx, &desk->filler));
	TRY(qrt_region_open(cx, QRT_FAIL_FAST, &region));
	TRY(qrt_spawn(region, consume, desk));
	TRY(qrt_spawn(region, consume, desk));
	TRY(qrt_spawn(region, produce, desk));
	TRY(until(cx, desk, &desk->ended, 3));
	TRY(qrt_region_close(cx, &region, QRT_OK));
	EXPECT(desk->received == ITEMS && desk->sum == ITEMS * (ITEMS - 1) / 2);
	EXPECT_ERR(QRT_ECLOSED, qrt_reserve(cx, desk->chan, &permit));
	struct qrt_chan *copy = desk->chan;
	TRY(qrt_chan_close(&desk->chan));
	EXPECT_ERR(QRT_ESTALE, qrt_chan_recv(cx, copy, &desk->item));
	EXPECT(desk->dropped == 0);
	return QRT_OK;
}

static enum qrt_err wait_for_room(struct qrt_cx *cx, void *arg)
{
	struct desk *desk = arg;
	struct qrt_permit permit;
	desk->started++;
	desk->result[0] = qrt_reserve(cx, desk->full, &permit);
	if (!desk->result[0]) {
		TRY(qrt_abort(
		    &permit)); /* the cancel came too late for an engine that forgets it */
	}
	bool expected = desk->result[0] == QRT_ECANCELED;
	return told(desk, expected ? QRT_OK : desk->result[0]);
}

static enum qrt_err wait_for_item(struct qrt_cx *cx, void *arg)
{
	struct desk *desk = arg;
	desk->started++;
	desk->result[1] = qrt_chan_recv(cx, desk->chan, &desk->item);
	bool expected = desk->result[1] == QRT_ECANCELED;
	return told(desk, expected ? QRT_OK : desk->result[1]);
}

static enum qrt_err cancel_scenario(struct qrt_cx *cx, void *arg)
{
	struct desk *desk = arg;
	struct qrt_region *region;
	const struct item item = {.dropped = &desk->dropped, .value = 7};
	TRY(qrt_chan_open(cx, sizeof(item), 1, item_drop, &desk->chan));
	TRY(qrt_chan_open(cx, sizeof(item), 1, item_drop, &desk->full));
	TRY(qrt_chan_try_send(desk->full, &item));
	TRY(qrt_region_open(cx, QRT_COLLECT, &region));
	TRY(conformance_fill(cx, &desk->filler));
	TRY(qrt_spawn(region, wait_for_room, desk));
	TRY(qrt_spawn(region, wait_for_item, desk));
	TRY(until(cx, desk, &desk->started, 2));
	TRY(desk->err);
	/* Both are granted, and cancelled before they run: they give back what they have. */
	TRY(qrt_chan_try_send(desk->chan, &item));
	TRY(qrt_chan_try_recv(desk->full, &desk->item));
	qrt_region_cancel(region, QRT_CANCEL_USER, "test");
	enum qrt_err err = qrt_region_close(cx, &region, QRT_OK);
	TRY(desk->err);
	TRY(err);
	if (desk->result[0]) {
		EXPECT_ERR(QRT_ECANCELED, desk->result[0]);
		TRY(qrt_reserve(cx, desk->full, &desk->permit[0]));
		TRY(qrt_abort(&desk->permit[0]));
	}
	if (desk->result[1]) {
		EXPECT_ERR(QRT_ECANCELED, desk->result[1]);
		TRY(qrt_chan_recv(cx, desk->chan, &desk->item));
	}
	EXPECT(desk->item.value == 7 && desk->dropped == 0);
	return QRT_OK;
}

static enum qrt_err chan_close_scenario(struct qrt_cx *cx, void *arg)
{
	struct desk *desk = arg;
	const struct item item = {.dropped = &desk->dropped, .value = 1};
	TRY(qrt_chan_open(cx, sizeof(item), 3, item_drop, &desk->chan));
	TRY(qrt_reserve(cx, desk->chan, &desk->permit[0]));
	TRY(qrt_try_reserve(cx, desk->chan, &desk->permit[1]));
	TRY(qrt_chan_send(cx, desk->chan, &item));
	EXPECT_ERR(QRT_EAGAIN, qrt_chan_try_send(desk->chan, &item));
	TRY(qrt_chan_close(&desk->chan));
	EXPECT(desk->dropped == 1);
	EXPECT_ERR(QRT_ECLOSED, qrt_send(&desk->permit[0], &item));
	EXPECT(desk->dropped == 2);
	TRY(qrt_abort(&desk->permit[1]));
	EXPECT_ERR(QRT_ESTALE, qrt_send(&desk->permit[1], &item));
	EXPECT_ERR(QRT_EINVAL, qrt_chan_open(cx, 0, 1, NULL, &desk->chan));
	return QRT_OK;
}

/* --- oneshots -------------------------------------------------------------------------------- */

static enum qrt_err answer_one(struct qrt_cx *cx, struct desk *desk)
{
	struct large large = {.item = {.dropped = &desk->dropped, .value = 42}};
	TRY(qrt_permit_give(&desk->permit[0], cx));
	TRY(qrt_yield(cx));
	return qrt_send(&desk->permit[0], &large);
}

static enum qrt_err answer(struct qrt_cx *cx, void *arg)
{
	struct desk *desk = arg;
	enum qrt_err err = answer_one(cx, desk);
	if (err) {
		QRT_IGNORE(qrt_abort(&desk->permit[0]), "who waits is told");
	}
	return told(desk, err);
}

static enum qrt_err oneshot_scenario(struct qrt_cx *cx, void *arg)
{
	struct desk *desk = arg;
	struct qrt_region *region;
	struct large large;
	const struct item item = {.dropped = &desk->dropped, .value = 1};
	TRY(qrt_oneshot_open(cx, sizeof(item), item_drop, &desk->oneshot[1], &desk->permit[1]));
	TRY(conformance_fill(cx, &desk->filler));
	/* One place is left: for the oneshot, not for its permit. */
	TRY(qrt_settle(&desk->filler.duty[--desk->filler.n]));
	TRY(qrt_oneshot_open(cx, sizeof(large), item_drop, &desk->oneshot[0], &desk->permit[0]));
	EXPECT_ERR(QRT_EAGAIN, qrt_oneshot_try_recv(desk->oneshot[0], &large));
	TRY(qrt_region_open(cx, QRT_FAIL_FAST, &region));
	TRY(qrt_spawn(region, answer, desk));
	enum qrt_err err = qrt_oneshot_recv(cx, desk->oneshot[0], &large);
	TRY(desk->err);
	TRY(err);
	TRY(qrt_region_close(cx, &region, QRT_OK));
	EXPECT(large.item.value == 42);
	EXPECT_ERR(QRT_ECLOSED, qrt_oneshot_recv(cx, desk->oneshot[0], &large));
	TRY(qrt_send(&desk->permit[1], &item));
	TRY(qrt_oneshot_close(&desk->oneshot[1]));
	EXPECT(desk->dropped == 1);
	TRY(qrt_oneshot_close(&desk->oneshot[0]));
	TRY(qrt_oneshot_open(cx, sizeof(large), item_drop, &desk->oneshot[0], &desk->permit[0]));
	TRY(qrt_abort(&desk->permit[0]));
	EXPECT_ERR(QRT_ECLOSED, qrt_oneshot_recv(cx, desk->oneshot[0], &large));
	return QRT_OK;
}

/* --- broadcasts and watches ------------------------------------------------------------------ */

static enum qrt_err listen_to(struct qrt_cx *cx, struct desk *desk,
			      struct qrt_subscription *subscription)
{
	int value, last = -1;
	enum qrt_err err;
	desk->started++;
	while (!(err = qrt_broadcast_recv(cx, subscription, &value)) || err == QRT_ELIMIT) {
		if (err) {
			desk->received += (int)qrt_subscription_missed(subscription);
			continue;
		}
		EXPECT(value > last);
		last = value;
		desk->received++;
	}
	return err == QRT_ECLOSED ? QRT_OK : err;
}

static enum qrt_err listener(struct qrt_cx *cx, void *arg)
{
	struct desk *desk = arg;
	struct qrt_subscription *subscription;
	enum qrt_err err = qrt_subscribe(cx, desk->broadcast, &subscription);
	if (!err) {
		err = listen_to(cx, desk, subscription);
		QRT_IGNORE(qrt_unsubscribe(&subscription), "it is ours");
	}
	return told(desk, err);
}

static enum qrt_err broadcast_scenario(struct qrt_cx *cx, void *arg)
{
	enum { SENT = 10, KEPT = 4 };
	struct desk *desk = arg;
	struct qrt_region *region;
	TRY(qrt_broadcast_open(cx, sizeof(int), KEPT, &desk->broadcast));
	TRY(conformance_fill(cx, &desk->filler));
	TRY(qrt_region_open(cx, QRT_FAIL_FAST, &region));
	TRY(qrt_spawn(region, listener, desk));
	TRY(qrt_spawn(region, listener, desk));
	TRY(until(cx, desk, &desk->started, 2));
	for (int i = 0; i < SENT; i++) {
		TRY(qrt_broadcast_send(desk->broadcast, &i));
	}
	TRY(qrt_broadcast_finish(desk->broadcast));
	TRY(until(cx, desk, &desk->ended, 2));
	TRY(qrt_region_close(cx, &region, QRT_OK));
	EXPECT(desk->received == 2 * SENT);
	const int more = SENT;
	EXPECT_ERR(QRT_ECLOSED, qrt_broadcast_send(desk->broadcast, &more));
	return QRT_OK;
}

static enum qrt_err watcher(struct qrt_cx *cx, void *arg)
{
	struct desk *desk = arg;
	uint64_t seen = 0;
	enum qrt_err err;
	desk->started++;
	while (!(err = qrt_watch_changed(cx, desk->watch, &seen))) {
		err = qrt_watch_get(desk->watch, &desk->sum, NULL);
		if (err) {
			break;
		}
		desk->received++;
	}
	return told(desk, err == QRT_ECLOSED ? QRT_OK : err);
}

static enum qrt_err watch_scenario(struct qrt_cx *cx, void *arg)
{
	struct desk *desk = arg;
	struct qrt_region *region;
	int value = 1;
	TRY(qrt_watch_open(cx, &value, &desk->watch));
	TRY(qrt_region_open(cx, QRT_FAIL_FAST, &region));
	TRY(qrt_spawn(region, watcher, desk));
	TRY(until(cx, desk, &desk->received, 1));
	EXPECT(desk->sum == 1);
	for (value = 2; value < 6; value++) {
		TRY(qrt_watch_set(desk->watch, &value));
	}
	TRY(until(cx, desk, &desk->received, 2));
	EXPECT(desk->sum == 5);
	TRY(qrt_watch_finish(desk->watch));
	TRY(until(cx, desk, &desk->ended, 1));
	return qrt_region_close(cx, &region, QRT_OK);
}

/* --- mailboxes ------------------------------------------------------------------------------- */

static enum qrt_err post_items(struct qrt_cx *cx, struct desk *desk)
{
	desk->started++;
	for (int i = 0; i < ITEMS; i++) {
		const struct item item = {.dropped = &desk->dropped, .value = i};
		TRY(qrt_mailbox_send(cx, desk->mailbox, &item));
	}
	return QRT_OK;
}

static enum qrt_err poster(struct qrt_cx *cx, void *arg)
{
	return told(arg, post_items(cx, arg));
}

static enum qrt_err reader(struct qrt_cx *cx, void *arg)
{
	struct desk *desk = arg;
	struct item item;
	enum qrt_err err;
	while (!(err = qrt_mailbox_recv(cx, desk->mailbox, &item))) {
		desk->received++;
		desk->sum += item.value;
	}
	desk->result[0] = err;
	return err == QRT_ECLOSED ? QRT_OK : told(desk, err);
}

static enum qrt_err mailbox_scenario(struct qrt_cx *cx, void *arg)
{
	struct desk *desk = arg;
	struct qrt_region *region;
	const struct item item = {.dropped = &desk->dropped, .value = 100};
	TRY(qrt_mailbox_open(cx, sizeof(item), 2, item_drop, &desk->mailbox));
	TRY(conformance_fill(cx, &desk->filler));
	TRY(qrt_region_open(cx, QRT_FAIL_FAST, &region));
	TRY(qrt_spawn(region, poster, desk));
	TRY(qrt_spawn(region, poster, desk));
	TRY(until(cx, desk, &desk->started, 2)); /* both wait for room */
	TRY(qrt_spawn(region, reader, desk));
	TRY(until(cx, desk, &desk->ended, 2));
	TRY(qrt_mailbox_finish(desk->mailbox));
	while (!desk->result[0] && !desk->err) {
		TRY(qrt_yield(cx));
	}
	TRY(desk->err);
	TRY(qrt_region_close(cx, &region, QRT_OK));
	EXPECT(desk->received == 2 * ITEMS && desk->sum == ITEMS * (ITEMS - 1));
	EXPECT_ERR(QRT_ECLOSED, qrt_mailbox_try_send(desk->mailbox, &item));
	return QRT_OK;
}

static enum qrt_err mailbox_close_scenario(struct qrt_cx *cx, void *arg)
{
	struct desk *desk = arg;
	const struct item item = {.dropped = &desk->dropped, .value = 100};
	struct qrt_region *region;
	TRY(qrt_mailbox_open(cx, sizeof(item), 2, item_drop, &desk->mailbox));
	TRY(qrt_mailbox_send(cx, desk->mailbox, &item));
	TRY(qrt_mailbox_reserve(cx, desk->mailbox, &desk->permit[0]));
	const struct qrt_region_options soon = {.budget.deadline_ns =
						    qrt_deadline_in(cx, QRT_MS / 2)};
	TRY(qrt_region_open_with(cx, &soon, &region));
	EXPECT_ERR(QRT_ETIMEDOUT,
		   qrt_mailbox_reserve(qrt_region_cx(region), desk->mailbox, &desk->permit[1]));
	TRY(qrt_region_close(cx, &region, QRT_OK));
	TRY(qrt_mailbox_close(&desk->mailbox));
	EXPECT(desk->dropped == 1);
	EXPECT_ERR(QRT_ECLOSED, qrt_send(&desk->permit[0], &item));
	EXPECT(desk->dropped == 2);
	return QRT_OK;
}

/* --- select ---------------------------------------------------------------------------------- */

static enum qrt_err select_of_all(struct qrt_cx *cx, struct desk *desk, int64_t deadline_ns,
				  size_t *ret_which)
{
	uint64_t seen = 1;
	struct qrt_case cases[] = {
	    qrt_case_recv(desk->chan, &desk->item),
	    qrt_case_reserve(desk->full, &desk->permit[0]),
	    qrt_case_post(desk->mailbox, &desk->permit[1]),
	    qrt_case_watch(desk->watch, &seen),
	};
	const size_t n = sizeof(cases) / sizeof(cases[0]);
	enum qrt_err err = qrt_select_until(cx, QRT_SELECT_FAIR, cases, n, deadline_ns, ret_which);
	EXPECT(!err || (!desk->permit[0].duty.entry && !desk->permit[1].duty.entry));
	return err;
}

static enum qrt_err give_room(struct qrt_cx *cx, void *arg)
{
	struct desk *desk = arg;
	struct item item;
	(void)cx;
	return told(desk, qrt_mailbox_try_recv(desk->mailbox, &item));
}

static enum qrt_err select_scenario(struct qrt_cx *cx, void *arg)
{
	struct desk *desk = arg;
	struct qrt_region *region;
	const struct item item = {.dropped = &desk->dropped, .value = 3};
	size_t which = 99;
	TRY(qrt_chan_open(cx, sizeof(item), 1, item_drop, &desk->chan));
	TRY(qrt_chan_open(cx, sizeof(item), 1, item_drop, &desk->full));
	TRY(qrt_chan_try_send(desk->full, &item));
	TRY(qrt_watch_open(cx, &item.value, &desk->watch));
	TRY(qrt_mailbox_open(cx, sizeof(item), 1, item_drop, &desk->mailbox));
	TRY(qrt_mailbox_try_send(desk->mailbox, &item));
	TRY(conformance_fill(cx, &desk->filler));
	/* One place is left: the second permit of the select is one too many. */
	TRY(qrt_settle(&desk->filler.duty[--desk->filler.n]));
	const int64_t soon = qrt_deadline_in(cx, QRT_MS / 2);
	EXPECT_ERR(QRT_ETIMEDOUT, select_of_all(cx, desk, soon, &which));
	EXPECT(which == 99 && !desk->permit[0].duty.entry && !desk->permit[1].duty.entry);
	TRY(qrt_region_open(cx, QRT_FAIL_FAST, &region));
	TRY(qrt_spawn(region, give_room, desk));
	enum qrt_err err = select_of_all(cx, desk, QRT_NO_DEADLINE, &which);
	TRY(desk->err);
	TRY(err);
	EXPECT(which == 2 && !desk->permit[0].duty.entry);
	TRY(qrt_send(&desk->permit[1], &item));
	TRY(qrt_region_close(cx, &region, QRT_OK));
	TRY(qrt_chan_try_send(desk->chan, &item));
	TRY(select_of_all(cx, desk, QRT_NO_DEADLINE, &which));
	EXPECT(which == 0 && desk->item.value == 3);
	TRY(qrt_chan_finish(desk->full));
	EXPECT_ERR(QRT_ECLOSED, select_of_all(cx, desk, QRT_NO_DEADLINE, &which));
	EXPECT(which == 1);
	return QRT_OK;
}

#define DESK .state_size = sizeof(struct desk), .clean = desk_clean

static const struct conformance_scenario scenarios[] = {
    {"a channel carries every element once", chan_scenario, DESK},
    {"who is cancelled at a channel has taken nothing", cancel_scenario, DESK},
    {"a closed channel drops what nobody receives", chan_close_scenario, DESK},
    {"a oneshot brings its element or says that none comes", oneshot_scenario, DESK},
    {"a broadcast reaches each subscriber or tells what it missed", broadcast_scenario, DESK},
    {"a watch shows the latest value", watch_scenario, DESK},
    {"a mailbox carries every element once", mailbox_scenario, DESK},
    {"a closed mailbox drops what nobody receives", mailbox_close_scenario, DESK},
    {"exactly one case of a select commits", select_scenario, DESK},
};
CONFORMANCE_SUITE(channels, scenarios);
