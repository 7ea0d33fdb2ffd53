/*
 * The pool of the HTTP client: limits, order, room made for others, the end of a client with calls
 * under way, and misuse; on each backend.
 */
#include <qrt/lab.h>
#include <stdio.h>
#include <string.h>

#include "shim/src/internal.h"
#include "tests/lib/backends.h"
#include "tests/lib/stage.h"
#include "tests/lib/test.h"

#define HEAD_END "\r\n\r\n"
#define YES "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nyes"

/* A call that is held: its connection is not there for others. */
static enum qrt_err hold(struct stage *stage, const char *url, struct qrt_http_call **ret_call)
{
	const struct qrt_http_ask ask = {
	    .method = "POST", .url = url, .body_written = true, .body_len = 1};
	return qrt_http_call_begin(stage->cx, stage->client, &ask, ret_call);
}

/* Tasks that each begin a call, note their turn, and end it. */
struct crowd {
	struct stage *stage;
	const char *url;
	size_t begun, most, now; /* turns; calls under way, at most and now */
	int order[64];
	size_t failed;
};

struct member {
	struct crowd *crowd;
	int i;
	const char *url;
	enum qrt_err err;
	struct qrt_task *task; /* while it waits */
};

static enum qrt_err join(struct qrt_cx *cx, void *arg)
{
	struct member *member = arg;
	struct crowd *crowd = member->crowd;
	struct qrt_http_call *call = NULL;
	const struct qrt_http_ask ask = {.method = "POST",
					 .url = member->url ? member->url : crowd->url,
					 .body_written = true,
					 .body_len = 1};
	member->task = cx->task;
	member->err = qrt_http_call_begin(cx, crowd->stage->client, &ask, &call);
	member->task = NULL;
	if (member->err) {
		crowd->failed++;
		return QRT_OK;
	}
	crowd->order[crowd->begun++] = member->i;
	crowd->now++;
	crowd->most = crowd->most > crowd->now ? crowd->most : crowd->now;
	enum qrt_err err = qrt_yield(cx);
	crowd->now--;
	qrt_http_call_end(cx, &call);
	return err;
}

static enum qrt_err let_wait(struct qrt_cx *cx, struct stage *stage, size_t n)
{
	for (int i = 0; i < 100 && stage_stats(stage).waiting < n; i++) {
		EXPECT(!qrt_yield(cx));
	}
	EXPECT(stage_stats(stage).waiting == n);
	return QRT_OK;
}

/* A peer that holds whatever comes. */
static const struct peer_script holds[PEER_SCRIPTS];

static enum qrt_err play_limit(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	enum { CALLS = 14 };
	static const struct qrt_http_client_options opts = {.connections_per_origin = 3};
	static struct stage stage;
	struct member members[CALLS];
	struct qrt_http_call *held[3];
	struct qrt_region *region;
	EXPECT(!stage_open(cx, holds, PEER_SCRIPTS, &opts, &stage));
	struct crowd crowd = {.stage = &stage, .url = stage.url};
	for (int i = 0; i < 3; i++) {
		EXPECT(!hold(&stage, stage.url, &held[i]));
	}
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &region));
	for (int i = 0; i < CALLS - 3; i++) {
		members[i] = (struct member){.crowd = &crowd, .i = i};
		EXPECT(!qrt_spawn(region, join, &members[i]));
		/* One after the other, so that the line is theirs. */
		EXPECT(!let_wait(cx, &stage, (size_t)i + 1));
	}
	for (int i = 0; i < 3; i++) {
		qrt_http_call_end(stage.cx, &held[i]);
	}
	EXPECT(!qrt_region_close(cx, &region, QRT_OK));
	EXPECT(crowd.begun == CALLS - 3 && crowd.failed == 0 && crowd.most <= 3);
	EXPECT(stage_stats(&stage).connections == 0 && stage_stats(&stage).waiting == 0);
	return stage_close(cx, &stage);
}

static void no_more_connections_than_allowed(void **state)
{
	(void)state;
	on_each_backend(play_limit, NULL);
}

static enum qrt_err play_order(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	enum { CALLS = 8 };
	static const struct qrt_http_client_options opts = {.connections_max = 1};
	static struct stage stage;
	struct member members[CALLS];
	struct qrt_http_call *held;
	struct qrt_region *region, *doomed;
	EXPECT(!stage_open(cx, holds, PEER_SCRIPTS, &opts, &stage));
	struct crowd crowd = {.stage = &stage, .url = stage.url};
	EXPECT(!hold(&stage, stage.url, &held));
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &region));
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &doomed));
	for (int i = 0; i < CALLS; i++) {
		members[i] = (struct member){.crowd = &crowd, .i = i};
		EXPECT(!qrt_spawn(i == 0 || i == 3 ? doomed : region, join, &members[i]));
		EXPECT(!let_wait(cx, &stage, (size_t)i + 1));
	}
	/* Some leave the line; one of them when its turn has come and it has not run yet. */
	qrt_http_call_end(stage.cx, &held);
	qrt_region_cancel(doomed, QRT_CANCEL_USER, "test");
	enum qrt_err err = qrt_region_close(cx, &doomed, QRT_OK);
	EXPECT(!err || err == QRT_ECANCELED);
	EXPECT(!qrt_region_close(cx, &region, QRT_OK));
	EXPECT(members[3].err == QRT_ECANCELED);
	EXPECT(members[0].err == (is_structured(cx) ? QRT_ECANCELED : QRT_OK));
	size_t first = members[0].err ? 0 : 1; /* where the grant stands it had its turn */
	static const int order[] = {1, 2, 4, 5, 6, 7};
	EXPECT(crowd.begun == 6 + first);
	for (size_t i = 0; i < 6; i++) {
		EXPECT(crowd.order[first + i] == order[i]);
	}
	EXPECT(stage_stats(&stage).connections == 0 && stage_stats(&stage).waiting == 0);
	return stage_close(cx, &stage);
}

static void first_come_first_served_and_who_leaves_passes_the_turn_on(void **state)
{
	(void)state;
	on_each_backend(play_order, NULL);
}

/* Of two that are kept the one that came back last: the other can grow old. */
static enum qrt_err play_last_back(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	static const struct peer_script script = {
	    {{HEAD_END "x", YES, PEER_GO_ON}, {HEAD_END, YES, PEER_GO_ON}}};
	const struct peer_script scripts[2] = {script, script};
	static struct stage stage;
	struct qrt_http_call *call[2];
	struct qrt_http_answer answer;
	char buf[4];
	size_t n;
	EXPECT(!stage_open(cx, scripts, 2, NULL, &stage));
	for (int i = 0; i < 2; i++) {
		EXPECT(!hold(&stage, stage.url, &call[i]));
		EXPECT(!stage_until(cx, &stage.peer.accepted, (size_t)i + 1));
	}
	for (int i = 1; i >= 0; i--) {
		EXPECT(!qrt_http_call_write(stage.cx, call[i], "x", 1));
		EXPECT(!qrt_http_call_answer(stage.cx, call[i], &answer));
		while (!qrt_http_call_read(stage.cx, call[i], buf, 4, &n)) {
		}
		qrt_http_call_end(stage.cx, &call[i]);
	}
	EXPECT(stage_stats(&stage).idle == 2);
	EXPECT(!stage_expect(&stage, "yes"));
	EXPECT(strstr(stage.peer.heard[0], "GET ") && !strstr(stage.peer.heard[1], "GET "));
	return stage_close(cx, &stage);
}

static void the_last_one_back_goes_out_first(void **state)
{
	(void)state;
	on_each_backend(play_last_back, NULL);
}

/* --- several origins -------------------------------------------------------------------------- */

static enum qrt_err play_origins(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	static const struct qrt_http_client_options opts = {.connections_max = 2,
							    .connections_per_origin = 1};
	static const struct peer_script script = {{{HEAD_END, YES, PEER_GO_ON},
						   {HEAD_END, YES, PEER_GO_ON},
						   {HEAD_END, YES, PEER_GO_ON}}};
	const struct peer_script scripts[3] = {script, script, script};
	static struct stage stage;
	static struct peer other, third;
	struct qrt_http_call *held;
	struct member blocked, free_one;
	char url[3][64];
	struct qrt_region *region;
	EXPECT(!stage_open(cx, scripts, 3, &opts, &stage));
	EXPECT(!peer_open(cx, stage.region, scripts, 3, &other));
	EXPECT(!peer_open(cx, stage.region, scripts, 3, &third));
	snprintf(url[0], 64, "%s", stage.url);
	snprintf(url[1], 64, "http://127.0.0.1:%u/", other.port);
	snprintf(url[2], 64, "http://127.0.0.1:%u/", third.port);
	/* Two kept ones fill it; the one idle for longest makes room for a third origin. */
	EXPECT(!stage_expect(&stage, "yes"));
	snprintf(stage.url, sizeof(stage.url), "%s", url[1]);
	EXPECT(!stage_expect(&stage, "yes"));
	EXPECT(stage_stats(&stage).idle == 2 && stage_stats(&stage).evicted == 0);
	snprintf(stage.url, sizeof(stage.url), "%s", url[2]);
	EXPECT(!stage_expect(&stage, "yes"));
	EXPECT(stage_stats(&stage).idle == 2 && stage_stats(&stage).evicted == 1);
	EXPECT(!stage_until(cx, &stage.peer.ended, 1) && other.ended == 0);
	/* Who waits for a busy origin does not stop others. */
	EXPECT(!hold(&stage, url[1], &held));
	struct crowd crowd = {.stage = &stage};
	blocked = (struct member){.crowd = &crowd, .i = 0, .url = url[1]};
	free_one = (struct member){.crowd = &crowd, .i = 1, .url = url[2]};
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &region));
	EXPECT(!qrt_spawn(region, join, &blocked));
	EXPECT(!let_wait(cx, &stage, 1));
	EXPECT(!qrt_spawn(region, join, &free_one));
	EXPECT(!stage_until(cx, &crowd.begun, 1) && crowd.order[0] == 1);
	EXPECT(stage_stats(&stage).waiting == 1);
	qrt_http_call_end(stage.cx, &held);
	EXPECT(!qrt_region_close(cx, &region, QRT_OK));
	EXPECT(crowd.begun == 2 && !blocked.err && !free_one.err);
	peer_close(cx, &other);
	peer_close(cx, &third);
	return stage_close(cx, &stage);
}

static void origins_share_the_room_and_do_not_wait_for_each_other(void **state)
{
	(void)state;
	on_each_backend(play_origins, NULL);
}

/* --- the end of a client -----------------------------------------------------------------------
 */

static enum qrt_err close_it(struct qrt_cx *cx, void *arg)
{
	struct stage *stage = arg;
	qrt_http_client_close(cx, &stage->client);
	return QRT_OK;
}

static enum qrt_err play_closed(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	static const struct qrt_http_client_options opts = {.connections_max = 1};
	static const struct peer_script script = {
	    {{HEAD_END, "HTTP/1.1 200 OK\r\n\r\nhalf", PEER_HOLD}}};
	static struct stage stage;
	struct qrt_http_call *call;
	struct qrt_http_answer answer;
	struct qrt_region *region;
	char buf[8];
	size_t n;
	EXPECT(!stage_open(cx, &script, 1, &opts, &stage));
	struct qrt_http_client *stale = stage.client;
	struct crowd crowd = {.stage = &stage, .url = stage.url};
	struct member waiting = {.crowd = &crowd};
	const struct qrt_http_ask ask = {.url = stage.url, .report = &stage.report};
	EXPECT(!qrt_http_call_begin(stage.cx, stage.client, &ask, &call));
	EXPECT(!qrt_http_call_answer(stage.cx, call, &answer));
	EXPECT(!qrt_http_call_read(stage.cx, call, buf, sizeof(buf), &n) && n == 4);
	EXPECT(!qrt_region_open(stage.cx, QRT_COLLECT, &region));
	EXPECT(!qrt_spawn(region, join, &waiting) && !let_wait(cx, &stage, 1));
	EXPECT(!qrt_spawn(region, close_it, &stage));
	/* Closed under it: who reads, who waits, who comes later. */
	EXPECT(qrt_http_call_read(stage.cx, call, buf, sizeof(buf), &n) == QRT_ECLOSED);
	EXPECT(!qrt_region_close(stage.cx, &region, QRT_OK) && waiting.err == QRT_ECLOSED);
	EXPECT(answer.status == 200); /* what was read stays until the call is ended */
	EXPECT(qrt_http_call_read(stage.cx, call, buf, sizeof(buf), &n) == QRT_ESTATE);
	struct qrt_http_call *stale_call = call;
	qrt_http_call_end(stage.cx, &call);
	EXPECT(qrt_http_call_read(stage.cx, stale_call, buf, sizeof(buf), &n) == QRT_ESTALE);
	qrt_http_call_end(stage.cx, &stale_call);
	EXPECT(qrt_http_call_begin(stage.cx, stale, &ask, &call) == QRT_ESTALE);
	EXPECT(qrt_http_client_drain(stage.cx, stale) == QRT_ESTALE);
	qrt_http_client_close(stage.cx, &stale);
	return stage_close(cx, &stage);
}

static void a_client_that_is_closed_ends_its_calls(void **state)
{
	(void)state;
	on_each_backend(play_closed, NULL);
}

/* While somebody connects, too: nobody answers in a partitioned network. */
static enum qrt_err play_closed_early(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	static const struct qrt_lab_faults silence = {.partition = true}, none;
	static struct stage stage;
	struct qrt_http_call *call;
	struct qrt_http_answer answer;
	if (!qrt_in_lab(cx)) {
		return QRT_OK;
	}
	EXPECT(!stage_open(cx, holds, 1, NULL, &stage));
	EXPECT(!qrt_lab_set_faults(qrt_cx_lab(cx), &silence));
	EXPECT(!qrt_spawn(stage.region, close_it, &stage));
	int64_t begun = qrt_deadline_in(cx, 0);
	EXPECT(stage_get(&stage, &call, &answer) == QRT_ECLOSED);
	EXPECT(qrt_deadline_in(cx, 0) - begun < QRT_SEC && !stage.report.sent);
	EXPECT(!qrt_lab_set_faults(qrt_cx_lab(cx), &none));
	return stage_close(cx, &stage);
}

static void it_does_not_wait_for_who_is_connecting(void **state)
{
	(void)state;
	on_each_backend(play_closed_early, NULL);
}

static enum qrt_err play_drain(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	static const struct qrt_http_client_options opts = {.connections_max = 1};
	static struct stage stage;
	struct qrt_http_call *held, *call;
	struct qrt_region *region;
	EXPECT(!stage_open(cx, holds, PEER_SCRIPTS, &opts, &stage));
	struct crowd crowd = {.stage = &stage, .url = stage.url};
	struct member waiting = {.crowd = &crowd};
	EXPECT(!hold(&stage, stage.url, &held));
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &region));
	EXPECT(!qrt_spawn(region, join, &waiting) && !let_wait(cx, &stage, 1));
	/* It is in time for what was begun, also what waits; nothing new is begun. */
	const struct qrt_region_options soon = {
	    .budget = {.deadline_ns = qrt_deadline_in(cx, 20 * QRT_MS)}};
	struct qrt_region *patience;
	EXPECT(!qrt_region_open_with(cx, &soon, &patience));
	EXPECT(qrt_http_client_drain(qrt_region_cx(patience), stage.client) == QRT_ETIMEDOUT);
	QRT_IGNORE(qrt_region_close(cx, &patience, QRT_OK), "its deadline has passed");
	EXPECT(hold(&stage, stage.url, &call) == QRT_ECLOSED);
	qrt_http_call_end(stage.cx, &held);
	EXPECT(!qrt_http_client_drain(cx, stage.client));
	EXPECT(crowd.begun == 1 && stage_stats(&stage).calls == 0);
	EXPECT(stage_stats(&stage).connections == 0);
	EXPECT(!qrt_region_close(cx, &region, QRT_OK));
	return stage_close(cx, &stage);
}

static void a_drain_waits_for_what_was_begun(void **state)
{
	(void)state;
	on_each_backend(play_drain, NULL);
}

/* A client and a call that nobody ends: their regions do, and say so. */
static enum qrt_err play_forgotten(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	static struct stage stage;
	struct qrt_region *region;
	struct qrt_http_client *client;
	struct qrt_http_call *call;
	EXPECT(!stage_open(cx, holds, PEER_SCRIPTS, NULL, &stage));
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &region));
	EXPECT(!qrt_http_client_open(qrt_region_cx(region), NULL, &client));
	const struct qrt_http_ask ask = {.method = "POST", .url = stage.url, .body_written = true};
	EXPECT(!qrt_http_call_begin(qrt_region_cx(region), client, &ask, &call));
	enum qrt_err err = qrt_region_close(cx, &region, QRT_OK);
	EXPECT(err == QRT_ELEAK);
	if (is_structured(cx)) {
		EXPECT(!stage_until(cx, &stage.peer.ended, 1)); /* the connection is closed */
	} else {
		qrt_http_call_end(cx, &call);
		qrt_http_client_close(cx, &client);
	}
	return stage_close(cx, &stage);
}

static void what_nobody_ends_its_region_does(void **state)
{
	(void)state;
	on_each_backend(play_forgotten, NULL);
}

/* --- misuse ----------------------------------------------------------------------------------- */

struct pair {
	struct stage *stage;
	struct qrt_http_call *call;
	enum qrt_err err;
};

static enum qrt_err intrude(struct qrt_cx *cx, void *arg)
{
	struct pair *pair = arg;
	char c;
	size_t n;
	pair->err = qrt_http_call_read(cx, pair->call, &c, 1, &n);
	qrt_http_call_end(cx, &pair->call); /* under the other's feet */
	return QRT_OK;
}

static enum qrt_err play_two(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	static struct stage stage;
	struct qrt_http_answer answer;
	struct pair pair = {.stage = &stage};
	EXPECT(!stage_open(cx, holds, 1, NULL, &stage));
	const struct qrt_http_ask ask = {.url = stage.url};
	EXPECT(!qrt_http_call_begin(stage.cx, stage.client, &ask, &pair.call));
	EXPECT(!qrt_spawn(stage.region, intrude, &pair));
	EXPECT(qrt_http_call_answer(stage.cx, pair.call, &answer) == QRT_ECLOSED);
	EXPECT(pair.err == QRT_EBUSY && !pair.call);
	EXPECT(stage_stats(&stage).connections == 0);
	return stage_close(cx, &stage);
}

static void two_tasks_do_not_use_one_call(void **state)
{
	(void)state;
	on_each_backend(play_two, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(no_more_connections_than_allowed),
	    cmocka_unit_test(first_come_first_served_and_who_leaves_passes_the_turn_on),
	    cmocka_unit_test(the_last_one_back_goes_out_first),
	    cmocka_unit_test(origins_share_the_room_and_do_not_wait_for_each_other),
	    cmocka_unit_test(a_client_that_is_closed_ends_its_calls),
	    cmocka_unit_test(it_does_not_wait_for_who_is_connecting),
	    cmocka_unit_test(a_drain_waits_for_what_was_begun),
	    cmocka_unit_test(what_nobody_ends_its_region_does),
	    cmocka_unit_test(two_tasks_do_not_use_one_call),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
