/* Select, on every backend: which case commits, that only one does, and what the others keep. */
#include <qrt/broadcast.h>
#include <qrt/chan.h>
#include <qrt/lab.h>
#include <qrt/mailbox.h>
#include <qrt/oneshot.h>
#include <qrt/watch.h>
#include <stdio.h>
#include <string.h>

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

static struct qrt_chan_stats stats_of(struct qrt_chan *chan)
{
	struct qrt_chan_stats stats = {0};
	QRT_IGNORE(qrt_chan_stats(chan, &stats), "zeros fail the test");
	return stats;
}

static uint64_t duties(struct qrt_cx *cx)
{
	struct qrt_audit audit;
	qrt_runtime_audit(qrt_cx_runtime(cx), &audit);
	return audit.duties_live;
}

/* One select of one task over what is not NULL, in this order. */
struct call {
	struct qrt_chan *recv, *reserve, *send;
	struct qrt_oneshot *oneshot;
	struct qrt_subscription *subscription;
	struct qrt_watch *watch;
	struct qrt_mailbox *mailbox, *post;
	struct qrt_permit permit, posted;
	uint64_t seen;
	int value, out;
	size_t which;
	int64_t deadline_ns;
	enum qrt_err err;
	bool done;
};

static size_t cases_of(struct call *call, struct qrt_case *cases)
{
	size_t n = 0;
	if (call->recv) {
		cases[n++] = qrt_case_recv(call->recv, &call->value);
	}
	if (call->reserve) {
		cases[n++] = qrt_case_reserve(call->reserve, &call->permit);
	}
	if (call->send) {
		cases[n++] = qrt_case_send(call->send, &call->out);
	}
	if (call->subscription) {
		cases[n++] = qrt_case_broadcast(call->subscription, &call->value);
	}
	if (call->watch) {
		cases[n++] = qrt_case_watch(call->watch, &call->seen);
	}
	if (call->mailbox) {
		cases[n++] = qrt_case_mailbox(call->mailbox, &call->value);
	}
	if (call->post) {
		cases[n++] = qrt_case_post(call->post, &call->posted);
	}
	if (call->oneshot) {
		cases[n++] = qrt_case_oneshot(call->oneshot, &call->value);
	}
	return n;
}

static enum qrt_err selecting(struct qrt_cx *cx, void *arg)
{
	struct call *call = arg;
	struct qrt_case cases[8];
	size_t n = cases_of(call, cases);
	int64_t deadline = call->deadline_ns ? call->deadline_ns : QRT_NO_DEADLINE;
	call->which = 99;
	call->err = qrt_select_until(cx, QRT_SELECT_ORDERED, cases, n, deadline, &call->which);
	call->done = true;
	enum qrt_err err = QRT_OK;
	if (call->permit.duty.entry) {
		err = qrt_abort(&call->permit);
	}
	if (call->posted.duty.entry) {
		err = qrt_abort(&call->posted);
	}
	return err;
}

static enum qrt_err ordered_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct qrt_chan *a, *b;
	int value = 1, got = 0;
	size_t which = 9;
	EXPECT(!qrt_chan_open(cx, sizeof(int), 4, NULL, &a));
	EXPECT(!qrt_chan_open(cx, sizeof(int), 4, NULL, &b));
	struct qrt_case cases[] = {qrt_case_recv(a, &got), qrt_case_recv(b, &got)};
	EXPECT(!qrt_chan_send(cx, b, &value));
	EXPECT(!qrt_select(cx, QRT_SELECT_ORDERED, cases, 2, &which));
	EXPECT(which == 1 && got == 1);
	for (int i = 0; i < 10; i++) { /* the same array again and again */
		value = 10 + i;
		EXPECT(!qrt_chan_send(cx, b, &i));
		EXPECT(!qrt_chan_send(cx, a, &value));
		EXPECT(!qrt_select(cx, QRT_SELECT_ORDERED, cases, 2, &which));
		EXPECT(which == 0 && got == 10 + i);
		EXPECT(stats_of(b).queued == 1); /* untouched */
		EXPECT(!qrt_chan_recv(cx, b, &got));
	}
	EXPECT(!qrt_chan_close(&a));
	EXPECT(!qrt_chan_close(&b));
	return QRT_OK;
}
SCENARIO(the_first_listed_of_those_ready_commits, ordered_scenario)

static enum qrt_err fair_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct qrt_chan *chans[3];
	struct qrt_case cases[3];
	int counts[3] = {0}, value = 1, got;
	for (size_t i = 0; i < 3; i++) {
		EXPECT(!qrt_chan_open(cx, sizeof(int), 1, NULL, &chans[i]));
		EXPECT(!qrt_chan_send(cx, chans[i], &value));
		cases[i] = qrt_case_recv(chans[i], &got);
	}
	for (int i = 0; i < 300; i++) {
		size_t which;
		EXPECT(!qrt_select(cx, QRT_SELECT_FAIR, cases, 3, &which));
		counts[which]++;
		EXPECT(!qrt_chan_send(cx, chans[which], &value));
	}
	EXPECT(counts[0] > 50 && counts[1] > 50 && counts[2] > 50);
	for (size_t i = 0; i < 3; i++) {
		EXPECT(!qrt_chan_close(&chans[i]));
	}
	return QRT_OK;
}
SCENARIO(a_fair_select_starves_nobody, fair_scenario)

static enum qrt_err seeded_scenario(struct qrt_cx *cx, void *arg)
{
	char *choices = arg;
	struct qrt_watch *watches[2];
	struct qrt_case cases[2];
	uint64_t seen;
	int value = 0;
	for (size_t i = 0; i < 2; i++) {
		EXPECT(!qrt_watch_open(cx, &value, &watches[i]));
		cases[i] = qrt_case_watch(watches[i], &seen);
	}
	for (int i = 0; i < 40; i++) {
		size_t which;
		seen = 0;
		EXPECT(!qrt_select(cx, QRT_SELECT_FAIR, cases, 2, &which));
		choices[i] = (char)('0' + which);
	}
	for (size_t i = 0; i < 2; i++) {
		EXPECT(!qrt_watch_close(&watches[i]));
	}
	return QRT_OK;
}

static void in_the_lab_the_seed_chooses(void **state)
{
	(void)state;
	char choices[3][41] = {"", "", ""};
	for (size_t i = 0; i < 3; i++) {
		struct qrt_runtime_options opts = {.backend = "lab", .seed = i < 2 ? 5 : 6};
		struct qrt_runtime *rt;
		assert_int_equal(qrt_runtime_open(&opts, NULL, &rt), QRT_OK);
		assert_int_equal(qrt_run_main(rt, seeded_scenario, choices[i]), QRT_OK);
		qrt_runtime_close(&rt);
	}
	assert_string_equal(choices[0], choices[1]);
	assert_string_not_equal(choices[0], choices[2]);
}

/* --- exactly one ----------------------------------------------------------------------------- */

static enum qrt_err one_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct qrt_chan *a, *b;
	struct qrt_region *region;
	struct qrt_watch *watch;
	int value = 1, got = 0;
	EXPECT(!qrt_chan_open(cx, sizeof(int), 4, NULL, &a));
	EXPECT(!qrt_chan_open(cx, sizeof(int), 1, NULL, &b));
	EXPECT(!qrt_watch_open(cx, &value, &watch));
	EXPECT(!qrt_chan_send(cx, b, &value));
	uint64_t before = duties(cx);
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &region));
	struct call call = {.recv = a, .reserve = b, .send = b, .watch = watch, .seen = 1};
	EXPECT(!qrt_spawn(region, selecting, &call));
	UNTIL(cx, stats_of(b).senders == 2);
	EXPECT(stats_of(a).receivers == 1);
	/* All become ready in the same turn: the first to be granted wins, the others leave. */
	value = 2;
	EXPECT(!qrt_watch_set(watch, &value));
	EXPECT(stats_of(a).receivers == 0 && stats_of(b).senders == 0);
	EXPECT(!qrt_chan_try_send(a, &value));
	EXPECT(!qrt_chan_try_recv(b, &got));
	EXPECT(!qrt_region_close(cx, &region, QRT_OK));
	EXPECT(call.err == QRT_OK && call.which == 3 && call.seen == 2);
	EXPECT(!call.permit.duty.entry && duties(cx) == before);
	EXPECT(stats_of(a).queued == 1 && stats_of(b).reserved == 0 && stats_of(b).queued == 0);
	/* And each of the others in its turn. */
	struct call again = {.reserve = b, .oneshot = NULL, .watch = watch, .seen = 2};
	EXPECT(!qrt_chan_send(cx, b, &value));
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &region));
	EXPECT(!qrt_spawn(region, selecting, &again));
	UNTIL(cx, stats_of(b).senders == 1);
	EXPECT(!qrt_chan_recv(cx, b, &got));
	EXPECT(stats_of(b).reserved == 1);
	EXPECT(!qrt_watch_set(watch, &value));
	EXPECT(!qrt_region_close(cx, &region, QRT_OK));
	EXPECT(again.err == QRT_OK && again.which == 0 && again.seen == 2);
	EXPECT(duties(cx) == before && stats_of(b).reserved == 0);
	EXPECT(!qrt_chan_close(&a));
	EXPECT(!qrt_chan_close(&b));
	EXPECT(!qrt_watch_close(&watch));
	return QRT_OK;
}
SCENARIO(exactly_one_commits_and_the_others_leave_no_trace, one_scenario)

static enum qrt_err same_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct qrt_chan *chan;
	struct qrt_region *region;
	struct qrt_case cases[2];
	int value = 1, first = 0, second = 0;
	size_t which;
	EXPECT(!qrt_chan_open(cx, sizeof(int), 1, NULL, &chan));
	cases[0] = qrt_case_recv(chan, &first);
	cases[1] = qrt_case_recv(chan, &second);
	EXPECT(!qrt_chan_send(cx, chan, &value));
	EXPECT(!qrt_select(cx, QRT_SELECT_ORDERED, cases, 2, &which));
	EXPECT(which == 0 && first == 1 && second == 0);
	/* Both ends of one channel: empty, so the send commits; full, so the receive does. */
	struct call call = {.recv = chan, .send = chan, .out = 5};
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &region));
	EXPECT(!selecting(cx, &call));
	EXPECT(call.err == QRT_OK && call.which == 1 && stats_of(chan).queued == 1);
	EXPECT(!selecting(cx, &call));
	EXPECT(call.err == QRT_OK && call.which == 0 && call.value == 5);
	/* Two arms of one task in one line. */
	call = (struct call){.recv = chan};
	EXPECT(!qrt_spawn(region, selecting, &call));
	UNTIL(cx, stats_of(chan).receivers == 1);
	EXPECT(!qrt_chan_close(&chan));
	EXPECT(!qrt_region_close(cx, &region, QRT_OK));
	EXPECT(call.err == QRT_ECLOSED && call.which == 0);
	return QRT_OK;
}
SCENARIO(the_same_channel_may_be_in_several_cases, same_scenario)

/* Makes case @which of @call ready, and no other. */
static enum qrt_err make_ready(struct call *call, size_t which, struct qrt_broadcast *broadcast,
			       struct qrt_permit *permit)
{
	int value = 7, got;
	switch (which) {
	case 0:
		return qrt_chan_try_send(call->recv, &value);
	case 1:
		return qrt_chan_try_recv(call->reserve, &got);
	case 2:
		return qrt_chan_try_recv(call->send, &got);
	case 3:
		return qrt_broadcast_send(broadcast, &value);
	case 4:
		return qrt_watch_set(call->watch, &value);
	case 5:
		return qrt_mailbox_try_send(call->mailbox, &value);
	case 6:
		return qrt_mailbox_try_recv(call->post, &got);
	default:
		return qrt_send(permit, &value);
	}
}

static enum qrt_err kinds_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct call call = {.seen = 1, .out = 3};
	struct qrt_permit permit;
	struct qrt_broadcast *broadcast;
	struct qrt_region *region;
	int value = 7;
	EXPECT(!qrt_chan_open(cx, sizeof(int), 1, NULL, &call.recv));
	EXPECT(!qrt_chan_open(cx, sizeof(int), 1, NULL, &call.reserve));
	EXPECT(!qrt_chan_send(cx, call.reserve, &value));
	EXPECT(!qrt_chan_open(cx, sizeof(int), 1, NULL, &call.send));
	EXPECT(!qrt_chan_send(cx, call.send, &value));
	EXPECT(!qrt_oneshot_open(cx, sizeof(int), NULL, &call.oneshot, &permit));
	EXPECT(!qrt_broadcast_open(cx, sizeof(int), 1, &broadcast));
	EXPECT(!qrt_subscribe(cx, broadcast, &call.subscription));
	EXPECT(!qrt_watch_open(cx, &value, &call.watch));
	EXPECT(!qrt_mailbox_open(cx, sizeof(int), 1, NULL, &call.mailbox));
	EXPECT(!qrt_mailbox_open(cx, sizeof(int), 1, NULL, &call.post));
	EXPECT(!qrt_mailbox_try_send(call.post, &value));
	uint64_t before = duties(cx);
	for (size_t which = 0; which < 8; which++) {
		EXPECT(!qrt_region_open(cx, QRT_COLLECT, &region));
		EXPECT(!qrt_spawn(region, selecting, &call));
		UNTIL(cx, stats_of(call.send).senders == 1);
		EXPECT(!make_ready(&call, which, broadcast, &permit));
		EXPECT(!qrt_region_close(cx, &region, QRT_OK));
		EXPECT(call.err == QRT_OK && call.which == which);
		/* Of the permits of the losers nothing is left; the oneshot's has been used. */
		EXPECT(duties(cx) == before - (which == 7));
		if (which == 1) {
			EXPECT(!qrt_chan_try_send(call.reserve, &value));
		} else if (which == 6) {
			EXPECT(!qrt_mailbox_try_send(call.post, &value));
		}
	}
	EXPECT(stats_of(call.send).queued == 1 && call.seen == 2 && call.value == 7);
	EXPECT(!qrt_chan_close(&call.recv));
	EXPECT(!qrt_chan_close(&call.reserve));
	EXPECT(!qrt_chan_close(&call.send));
	EXPECT(!qrt_oneshot_close(&call.oneshot));
	EXPECT(!qrt_unsubscribe(&call.subscription));
	EXPECT(!qrt_broadcast_close(&broadcast));
	EXPECT(!qrt_watch_close(&call.watch));
	EXPECT(!qrt_mailbox_close(&call.mailbox));
	EXPECT(!qrt_mailbox_close(&call.post));
	return QRT_OK;
}
SCENARIO(every_kind_of_case_can_win, kinds_scenario)

/* --- cancel, deadline, misuse ---------------------------------------------------------------- */

static enum qrt_err cancel_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct qrt_chan *chan, *full;
	struct qrt_region *region;
	int value = 5, got = 0;
	bool structured = is_structured(cx);
	EXPECT(!qrt_chan_open(cx, sizeof(int), 2, NULL, &chan));
	EXPECT(!qrt_chan_open(cx, sizeof(int), 1, NULL, &full));
	EXPECT(!qrt_chan_send(cx, full, &value));
	uint64_t before = duties(cx);
	/* Parked. */
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &region));
	struct call call = {.recv = chan, .reserve = full};
	EXPECT(!qrt_spawn(region, selecting, &call));
	UNTIL(cx, stats_of(full).senders == 1);
	qrt_region_cancel(region, QRT_CANCEL_USER, "test");
	EXPECT(stats_of(full).senders == 0 && stats_of(chan).receivers == 0);
	QRT_IGNORE(qrt_region_close(cx, &region, QRT_OK), "it was cancelled");
	EXPECT(call.err == QRT_ECANCELED && duties(cx) == before);
	/* Granted, not run yet: by the receive, then by the reserve. */
	for (int i = 0; i < 2; i++) {
		EXPECT(!qrt_region_open(cx, QRT_COLLECT, &region));
		EXPECT(!qrt_spawn(region, selecting, &call));
		UNTIL(cx, stats_of(full).senders == 1);
		EXPECT(!(i == 0 ? qrt_chan_try_send(chan, &value) : qrt_chan_try_recv(full, &got)));
		EXPECT(stats_of(full).senders == 0);
		qrt_region_cancel(region, QRT_CANCEL_USER, "test");
		QRT_IGNORE(qrt_region_close(cx, &region, QRT_OK), "it was cancelled");
		EXPECT(call.err == (structured ? QRT_ECANCELED : QRT_OK));
		EXPECT(duties(cx) == before);
		if (i == 0) {
			EXPECT(qrt_chan_try_recv(chan, &got) == (structured ? QRT_OK : QRT_EAGAIN));
		}
	}
	EXPECT(stats_of(full).reserved == 0 && !qrt_chan_try_send(full, &value));
	/* Before it parks. */
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &region));
	EXPECT(!qrt_spawn(region, selecting, &call));
	qrt_region_cancel(region, QRT_CANCEL_USER, "test");
	if (!structured) {
		EXPECT(!qrt_chan_try_send(chan, &value));
	}
	QRT_IGNORE(qrt_region_close(cx, &region, QRT_OK), "it was cancelled");
	EXPECT(call.err == (structured ? QRT_ECANCELED : QRT_OK) && duties(cx) == before);
	EXPECT(!qrt_chan_close(&chan));
	EXPECT(!qrt_chan_close(&full));
	return QRT_OK;
}
SCENARIO(a_cancelled_select_has_done_nothing, cancel_scenario)

static enum qrt_err deadline_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct call call = {.value = 1, .deadline_ns = qrt_deadline_in(cx, QRT_MS)};
	EXPECT(!qrt_chan_open(cx, sizeof(int), 1, NULL, &call.recv));
	EXPECT(!selecting(cx, &call));
	EXPECT(call.err == QRT_ETIMEDOUT && call.which == 99 && call.value == 1);
	EXPECT(stats_of(call.recv).receivers == 0);
	EXPECT(!qrt_chan_close(&call.recv));
	return QRT_OK;
}
SCENARIO(a_select_ends_at_its_deadline, deadline_scenario)

static enum qrt_err misuse_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct qrt_chan *chan, *stale;
	struct qrt_permit permit = {0};
	struct qrt_case cases[QRT_SELECT_MAX + 1];
	int value;
	size_t which = 99;
	EXPECT(!qrt_chan_open(cx, sizeof(int), 1, NULL, &chan));
	for (size_t i = 0; i < QRT_SELECT_MAX + 1; i++) {
		cases[i] = qrt_case_recv(chan, &value);
	}
	EXPECT(qrt_select(cx, QRT_SELECT_FAIR, cases, 0, &which) == QRT_EINVAL);
	EXPECT(strcmp(qrt_detail(cx), "a select of 0 cases, not 1 to 64") == 0);
	EXPECT(qrt_select(cx, QRT_SELECT_FAIR, cases, 65, &which) == QRT_EINVAL);
	cases[1] = (struct qrt_case){0};
	EXPECT(qrt_select(cx, QRT_SELECT_FAIR, cases, 2, &which) == QRT_EINVAL);
	EXPECT(strcmp(qrt_detail(cx), "case 1 of the select is empty") == 0);
	EXPECT(which == 99);
	stale = chan;
	EXPECT(!qrt_chan_close(&chan));
	uint64_t before = duties(cx);
	EXPECT(!qrt_chan_open(cx, sizeof(int), 1, NULL, &chan));
	cases[0] = qrt_case_reserve(chan, &permit);
	cases[1] = qrt_case_reserve(stale, &permit);
	EXPECT(qrt_select(cx, QRT_SELECT_ORDERED, cases, 2, &which) == QRT_ESTALE);
	EXPECT(!permit.duty.entry && duties(cx) == before + 1);
	cases[0] = qrt_case_recv(stale, &value);
	EXPECT(qrt_select(cx, QRT_SELECT_ORDERED, cases, 1, &which) == QRT_ESTALE);
	EXPECT(which == 0);
	EXPECT(!qrt_chan_close(&chan));
	return QRT_OK;
}
SCENARIO(a_bad_select_is_refused_by_name, misuse_scenario)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_first_listed_of_those_ready_commits),
	    cmocka_unit_test(a_fair_select_starves_nobody),
	    cmocka_unit_test(in_the_lab_the_seed_chooses),
	    cmocka_unit_test(exactly_one_commits_and_the_others_leave_no_trace),
	    cmocka_unit_test(the_same_channel_may_be_in_several_cases),
	    cmocka_unit_test(every_kind_of_case_can_win),
	    cmocka_unit_test(a_cancelled_select_has_done_nothing),
	    cmocka_unit_test(a_select_ends_at_its_deadline),
	    cmocka_unit_test(a_bad_select_is_refused_by_name),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
