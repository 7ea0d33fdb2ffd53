/* Every fault of the lab's simulated WebSockets: what is delayed, lost, told twice, broken off. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/test.h"
#include "tests/lib/ws_ends.h"

static const char *const backends[] = {"lab", "lab-legacy"};
enum { BACKENDS = 2 };

enum { TELLERS = 3, TOLD = 12 };

/* A server that tells each client 0, 1, 2, ... and what each has heard of it. */
struct story {
	struct ends ends;
	struct teller {
		struct story *story;
		int told, heard[2 * TOLD], n_heard;
		enum qrt_err tell_err, hear_err;
		unsigned tell_code, hear_code;
		struct qrt_stream *stream;
		int index;
	} teller[TELLERS];
	int order[TELLERS * TOLD * 2], n_order; /* of all that was heard: whose */
	struct qrt_lab_faults faults;
	uint64_t n_faults;
	int64_t end_ns;
};

static enum qrt_err tells(struct qrt_cx *cx, void *arg)
{
	struct teller *teller = arg;
	struct qrt_ws *ws = NULL;
	enum qrt_err err = qrt_ws_accept(cx, &teller->stream, NULL, &ws);
	while (!err && teller->told < TOLD) {
		char text[16];
		snprintf(text, sizeof(text), "%d", teller->told);
		err = qrt_ws_send_text(cx, ws, text);
		teller->told += !err;
	}
	if (!err) {
		err = qrt_ws_shutdown(cx, ws, 1000, NULL);
	}
	teller->tell_err = err;
	teller->tell_code = ws ? info_of(cx, ws).code : 0;
	qrt_ws_close(cx, &ws);
	return QRT_OK;
}

static enum qrt_err hears(struct qrt_cx *cx, void *arg)
{
	struct teller *teller = arg;
	struct story *story = teller->story;
	struct qrt_ws *ws = NULL;
	struct qrt_ws_message message;
	enum qrt_err err = dial(cx, &story->ends, "ws", &ws);
	while (!err) {
		err = qrt_ws_recv(cx, ws, &message);
		if (!err) {
			EXPECT(teller->n_heard < 2 * TOLD);
			teller->heard[teller->n_heard++] = atoi(message.data);
			story->order[story->n_order++] = teller->index;
		}
	}
	teller->hear_err = err;
	teller->hear_code = ws ? info_of(cx, ws).code : QRT_WS_DROPPED;
	qrt_ws_close(cx, &ws);
	return QRT_OK;
}

static enum qrt_err play_story(struct qrt_cx *cx, void *arg)
{
	struct story *story = arg;
	EXPECT(!listen_here(cx, &story->ends));
	EXPECT(!qrt_region_open(cx, QRT_FAIL_FAST, &story->ends.region));
	for (int i = 0; i < TELLERS; i++) {
		struct teller *teller = &story->teller[i];
		*teller = (struct teller){.story = story, .index = i};
		EXPECT(!qrt_spawn(story->ends.region, hears, teller));
		EXPECT(!qrt_accept(cx, story->ends.listener, &teller->stream));
	}
	EXPECT(!qrt_lab_set_faults(qrt_cx_lab(cx), &story->faults));
	for (int i = 0; i < TELLERS; i++) {
		EXPECT(!qrt_spawn(story->ends.region, tells, &story->teller[i]));
	}
	EXPECT(!qrt_region_close(cx, &story->ends.region, QRT_OK));
	EXPECT(!qrt_now(cx, &story->end_ns));
	qrt_listener_close(cx, &story->ends.listener);
	return QRT_OK;
}

/* What was heard is a beginning of what was told, each once; @twice: or twice. */
static void assert_beginning(const struct teller *teller, bool twice)
{
	int next = 0;
	for (int i = 0; i < teller->n_heard; i++) {
		bool again = twice && next > 0 && teller->heard[i] == next - 1;
		assert_true(teller->heard[i] == next || again);
		next += !again;
	}
}

typedef void check_fn(const struct story *story, const struct teller *teller);

/* Returns in how many of the runs anything went wrong. */
static int tell_with(const struct qrt_lab_faults *faults, check_fn *check)
{
	int struck = 0;
	for (size_t i = 0; i < BACKENDS; i++) {
		for (uint64_t seed = 1; seed <= 2 * WS_SEEDS; seed++) {
			struct story story = {.faults = *faults};
			struct outcome outcome =
			    in_lab(backends[i], seed, NULL, play_story, &story);
			assert_int_equal(outcome.err, QRT_OK);
			story.n_faults = outcome.stats.faults;
			struck += story.n_faults > 0;
			for (int k = 0; k < TELLERS; k++) {
				check(&story, &story.teller[k]);
			}
		}
	}
	return struck;
}

static int switches(const struct story *story)
{
	int n = 0;
	for (int i = 1; i < story->n_order; i++) {
		n += story->order[i] != story->order[i - 1];
	}
	return n;
}

static void assert_all_heard(const struct story *story, const struct teller *teller)
{
	(void)story;
	assert_int_equal(teller->n_heard, TOLD);
	assert_int_equal(teller->told, TOLD);
	assert_beginning(teller, false);
	assert_int_equal(teller->hear_err, QRT_EEOF);
	assert_int_equal(teller->tell_err, QRT_OK);
	assert_int_equal(teller->hear_code, QRT_WS_NORMAL);
}

static int quick_switches;
static int64_t slowest_ns;

static void check_delay(const struct story *story, const struct teller *teller)
{
	assert_all_heard(story, teller);
	quick_switches += switches(story);
	slowest_ns = story->end_ns > slowest_ns ? story->end_ns : slowest_ns;
}

static void a_delayed_message_is_overtaken_by_other_connections_only(void **state)
{
	(void)state;
	const struct qrt_lab_faults none = {.cut = 250}, delay = {.ws_delay = 300};
	quick_switches = 0;
	slowest_ns = 0;
	assert_int_equal(tell_with(&none, check_delay), 0);
	int64_t without_ns = slowest_ns;
	slowest_ns = 0;
	assert_int_equal(tell_with(&delay, check_delay), BACKENDS * 2 * WS_SEEDS);
	assert_true(slowest_ns > without_ns + 50 * QRT_MS);
	assert_true(slowest_ns < without_ns + TOLD * 101 * QRT_MS);
}

static int lost_by[3];

static void check_drop(const struct story *story, const struct teller *teller)
{
	(void)story;
	assert_beginning(teller, false);
	if (teller->n_heard == TOLD) {
		assert_true(teller->hear_err == QRT_EEOF || teller->hear_err == QRT_ECONNRESET ||
			    teller->hear_err == QRT_EPEER);
		return;
	}
	/* Lost in between, so the connection is gone: no later message was heard. */
	lost_by[0] += teller->hear_err == QRT_ECONNRESET;
	lost_by[1] += teller->hear_err == QRT_EPEER;
	assert_true(teller->hear_err == QRT_ECONNRESET || teller->hear_err == QRT_EPEER);
	assert_int_equal(teller->hear_code, QRT_WS_DROPPED);
	assert_true(teller->told > teller->n_heard);
	/* Unless it was the last one it sent: a shutdown is content with any end. */
	assert_true(teller->tell_err != QRT_OK || teller->told == TOLD);
}

static void with_a_lost_message_the_connection_is_lost(void **state)
{
	(void)state;
	const struct qrt_lab_faults drop = {.ws_drop = 50};
	lost_by[0] = lost_by[1] = 0;
	assert_true(tell_with(&drop, check_drop) > WS_SEEDS);
	assert_true(lost_by[0] > 5); /* found reset */
	assert_true(lost_by[1] > 5); /* or by its silence */
}

static int told_twice;

static void check_twice(const struct story *story, const struct teller *teller)
{
	(void)story;
	assert_beginning(teller, true);
	assert_int_equal(teller->told, TOLD);
	assert_int_equal(teller->heard[teller->n_heard - 1], TOLD - 1);
	told_twice += teller->n_heard - TOLD;
	assert_int_equal(teller->hear_err, QRT_EEOF);
}

static void a_server_may_deliver_again_but_loses_nothing(void **state)
{
	(void)state;
	const struct qrt_lab_faults twice = {.ws_duplicate = 100};
	told_twice = 0;
	tell_with(&twice, check_twice);
	/* One in ten of them. */
	int told = TOLD * TELLERS * BACKENDS * 2 * WS_SEEDS;
	assert_true(told_twice > told / 20);
	assert_true(told_twice < told / 5);
}

static enum qrt_err play_one_way(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct ends ends = {.port = 0};
	struct qrt_ws_message message;
	EXPECT(!open_ends(cx, &ends));
	for (int i = 0; i < 3; i++) {
		EXPECT(!qrt_ws_send_text(cx, ends.client, "once"));
		EXPECT(!qrt_ws_send_text(cx, ends.server, "twice"));
	}
	EXPECT(!qrt_sleep(cx, QRT_SEC));
	EXPECT(info_of(cx, ends.server).queued == 3 && info_of(cx, ends.client).queued == 6);
	EXPECT(!qrt_ws_recv(cx, ends.client, &message) &&
	       is_message(&message, QRT_WS_TEXT, "twice"));
	return close_ends(cx, &ends);
}

static void only_the_accepting_side_says_a_thing_twice(void **state)
{
	const struct qrt_lab_faults always = {.ws_duplicate = 1000};
	(void)state;
	in_labs(&always, play_one_way);
}

static void check_broken_off(const struct story *story, const struct teller *teller)
{
	(void)story;
	assert_beginning(teller, false);
	assert_int_equal(teller->hear_err, QRT_EEOF);
	if (teller->told < TOLD) {
		assert_int_equal(teller->tell_err, QRT_EEOF);
		assert_int_equal(teller->tell_code, teller->hear_code);
		assert_true(teller->tell_code == 1001 || teller->tell_code == 1012);
		assert_int_equal(teller->n_heard, teller->told);
		lost_by[teller->tell_code == 1012]++;
	} else {
		assert_int_equal(teller->hear_code, QRT_WS_NORMAL);
	}
}

static void both_sides_hear_of_a_close_in_between(void **state)
{
	(void)state;
	const struct qrt_lab_faults closes = {.ws_close = 50};
	lost_by[0] = lost_by[1] = 0;
	assert_true(tell_with(&closes, check_broken_off) > WS_SEEDS);
	assert_true(lost_by[0] > 5 && lost_by[1] > 5);
}

static enum qrt_err play_unanswered(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	const struct qrt_ws_connect_options connect = {
	    .limits = {.ping_ns = QRT_SEC, .pong_ns = QRT_SEC}};
	const struct qrt_ws_accept_options accept = {.limits.ping_ns = QRT_WS_NEVER};
	struct ends ends = {.connect = &connect, .accept = &accept};
	struct qrt_ws_message message;
	int64_t before, after;
	EXPECT(!open_ends(cx, &ends));
	const struct qrt_lab_faults faults = {.ws_pong_loss = 1000};
	EXPECT(!qrt_lab_set_faults(qrt_cx_lab(cx), &faults));
	EXPECT(!qrt_now(cx, &before));
	EXPECT(qrt_ws_recv(cx, ends.client, &message) == QRT_EPEER);
	EXPECT(!qrt_now(cx, &after) && after - before <= 2 * QRT_SEC + QRT_MS);
	EXPECT(info_of(cx, ends.client).pings == 1 && info_of(cx, ends.client).pongs == 0);
	EXPECT(qrt_ws_recv(cx, ends.server, &message) == QRT_ECONNRESET);
	return close_ends(cx, &ends);
}

static void a_ping_without_an_answer_ends_it(void **state)
{
	(void)state;
	in_labs(NULL, play_unanswered);
}

static void the_same_seed_tells_the_same_story(void **state)
{
	(void)state;
	const struct qrt_lab_faults all = {.ws_delay = 100,
					   .ws_drop = 10,
					   .ws_duplicate = 50,
					   .ws_close = 10,
					   .ws_pong_loss = 100,
					   .reset = 2,
					   .vanish = 2};
	for (size_t i = 0; i < BACKENDS; i++) {
		uint64_t last = 0;
		for (uint64_t seed = 1; seed <= WS_SEEDS; seed++) {
			struct story a = {.faults = all}, b = {.faults = all};
			struct outcome first = in_lab(backends[i], seed, NULL, play_story, &a);
			struct outcome second = in_lab(backends[i], seed, NULL, play_story, &b);
			assert_int_equal(first.err, second.err);
			assert_true(first.stats.hash == second.stats.hash);
			assert_int_equal(a.n_order, b.n_order);
			assert_true(first.stats.hash != last);
			last = first.stats.hash;
		}
	}
}

#define TEST(name) cmocka_unit_test(name)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(a_delayed_message_is_overtaken_by_other_connections_only),
	    TEST(with_a_lost_message_the_connection_is_lost),
	    TEST(a_server_may_deliver_again_but_loses_nothing),
	    TEST(only_the_accepting_side_says_a_thing_twice),
	    TEST(both_sides_hear_of_a_close_in_between),
	    TEST(a_ping_without_an_answer_ends_it),
	    TEST(the_same_seed_tells_the_same_story),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
