/*
 * Kept connections of the HTTP client: when one is used again, and what happens when the server has
 * thought otherwise; on each backend.
 */
#include <stdio.h>
#include <string.h>

#include "tests/lib/backends.h"
#include "tests/lib/stage.h"
#include "tests/lib/test.h"

#define HEAD_END "\r\n\r\n"
#define YES "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nyes"

/* Lets what is on its way arrive, also in the lab. */
static enum qrt_err settle(struct qrt_cx *cx)
{
	return qrt_sleep(cx, 5 * QRT_MS);
}

static enum qrt_err play_reuse(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	enum { CALLS = 6 };
	const struct peer_script script = {{{HEAD_END, YES, PEER_GO_ON},
					    {HEAD_END, YES, PEER_GO_ON},
					    {HEAD_END, YES, PEER_GO_ON},
					    {HEAD_END, YES, PEER_GO_ON},
					    {HEAD_END, YES, PEER_GO_ON},
					    {HEAD_END, YES, PEER_GO_ON}}};
	struct stage stage;
	EXPECT(!stage_open(cx, &script, 1, NULL, &stage));
	for (int i = 0; i < CALLS; i++) {
		EXPECT(!stage_expect(&stage, "yes"));
		EXPECT(stage.report.reused == (i > 0));
	}
	struct qrt_http_client_stats stats = stage_stats(&stage);
	EXPECT(stats.opened == 1 && stats.reused == CALLS - 1 && stats.spoiled == 0);
	EXPECT(stats.connections == 1 && stats.idle == 1);
	return stage_close(cx, &stage);
}

static void one_connection_serves_many_calls(void **state)
{
	(void)state;
	on_each_backend(play_reuse, NULL);
}

/* A region that asks, and ends. */
static enum qrt_err ask_within(struct qrt_cx *cx, struct stage *stage)
{
	struct qrt_region *region;
	struct qrt_http_call *call;
	struct qrt_http_answer answer;
	EXPECT(!qrt_region_open(cx, QRT_FAIL_FAST, &region));
	const struct qrt_http_ask ask = {.url = stage->url, .report = &stage->report};
	EXPECT(!qrt_http_fetch(qrt_region_cx(region), stage->client, &ask, &call, &answer));
	qrt_http_call_end(qrt_region_cx(region), &call);
	return qrt_region_close(cx, &region, QRT_OK); /* it would say what it had to close */
}

static enum qrt_err play_regions(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	const struct peer_script script = {
	    {{HEAD_END, YES, PEER_GO_ON}, {HEAD_END, YES, PEER_GO_ON}}};
	struct stage stage;
	EXPECT(!stage_open(cx, &script, 1, NULL, &stage));
	EXPECT(!ask_within(cx, &stage) && !ask_within(cx, &stage));
	EXPECT(stage.report.reused && stage_stats(&stage).idle == 1);
	return stage_close(cx, &stage);
}

static void a_connection_outlives_the_region_that_asked(void **state)
{
	(void)state;
	on_each_backend(play_regions, NULL);
}

/* --- it has ended, or spoken ------------------------------------------------------------------ */

/* What a server does with a connection that is kept, and what comes of the second call. */
struct spoil_row {
	const char *name;
	struct peer_script first;
	size_t said;	/* steps after which it is asked again */
	size_t spoiled; /* noticed before anything was sent */
};

static const struct spoil_row spoil_rows[] = {
    {"closed", {{{HEAD_END, YES, PEER_LATER}, {NULL, "", PEER_CLOSE}}}, 2, 1},
    {"spoken", {{{HEAD_END, YES, PEER_LATER}, {NULL, YES, PEER_HOLD}}}, 2, 1},
    {"spoken and closed", {{{HEAD_END, YES, PEER_LATER}, {NULL, YES, PEER_CLOSE}}}, 2, 1},
};

static enum qrt_err play_spoiled(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	for (size_t i = 0; i < sizeof(spoil_rows) / sizeof(spoil_rows[0]); i++) {
		const struct spoil_row *row = &spoil_rows[i];
		const struct peer_script scripts[2] = {row->first, {{{HEAD_END, YES, PEER_GO_ON}}}};
		struct stage stage;
		EXPECT(!stage_open(cx, scripts, 2, NULL, &stage));
		EXPECT(!stage_expect(&stage, "yes"));
		EXPECT(stage_stats(&stage).idle == 1);
		EXPECT(!stage_until(cx, &stage.peer.said, row->said) && !settle(cx));
		EXPECT(!stage_expect(&stage, "yes"));
		struct qrt_http_client_stats stats = stage_stats(&stage);
		EXPECT(stats.spoiled == row->spoiled && stats.opened == 2 && stats.resent == 0);
		EXPECT(!stage.report.reused && !stage.report.resent);
		EXPECT(!stage_close(cx, &stage));
	}
	return QRT_OK;
}

static void one_that_has_ended_or_spoken_is_not_used_again(void **state)
{
	(void)state;
	on_each_backend(play_spoiled, NULL);
}

/* --- it ends while it is used again ----------------------------------------------------------- */

struct lost_row {
	const char *name, *method, *say;
	const void *body;
	enum qrt_err err;
	bool resent;
};

static const struct lost_row lost_rows[] = {
    {"GET", "GET", NULL, NULL, QRT_OK, true},
    {"HEAD", "HEAD", NULL, NULL, QRT_OK, true},
    {"PUT", "PUT", NULL, "body", QRT_OK, true},
    {"DELETE", "DELETE", NULL, NULL, QRT_OK, true},
    {"POST", "POST", NULL, "body", QRT_ECONNRESET, false},
    {"PATCH", "PATCH", NULL, "body", QRT_ECONNRESET, false},
    {"GET, half answered", "GET", "HTTP", NULL, QRT_ECONNRESET, false},
};

static enum qrt_err play_lost_row(struct qrt_cx *cx, const struct lost_row *row)
{
	const char *end = row->body ? "body" : HEAD_END;
	const struct peer_script scripts[2] = {
	    {{{HEAD_END, YES, PEER_GO_ON}, {end, row->say, PEER_CLOSE}}},
	    {{{end, "HTTP/1.1 204 No Content" HEAD_END, PEER_GO_ON}}},
	};
	struct stage stage;
	struct qrt_http_call *call = NULL;
	struct qrt_http_answer answer;
	EXPECT(!stage_open(cx, scripts, 2, NULL, &stage));
	EXPECT(!stage_expect(&stage, "yes"));
	const struct qrt_http_ask ask = {.method = row->method,
					 .url = stage.url,
					 .body = row->body,
					 .body_len = row->body ? 4 : 0,
					 .report = &stage.report};
	enum qrt_err err = qrt_http_fetch(stage.cx, stage.client, &ask, &call, &answer);
	struct qrt_http_client_stats stats = stage_stats(&stage);
	if (err != row->err || stage.report.resent != row->resent) {
		fprintf(stderr, "%s: %s %s\n", row->name, qrt_err_name(err), qrt_detail(stage.cx));
		return QRT_EFAILED;
	}
	EXPECT(stage.report.sent && stage.report.reused == !row->resent);
	EXPECT(stats.resent == (row->resent ? 1 : 0) && stats.calls == 0);
	EXPECT(stage.peer.accepted == (row->resent ? 2 : 1));
	EXPECT(stage.report.answered == (!err || row->say));
	if (row->resent) {
		/* The very same bytes. */
		EXPECT(answer.status == 204);
		EXPECT(ends_with(stage.peer.heard[0], stage.peer.heard[1]));
	}
	qrt_http_call_end(stage.cx, &call);
	return stage_close(cx, &stage);
}

static enum qrt_err play_lost(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	enum qrt_err err = QRT_OK;
	for (size_t i = 0; i < sizeof(lost_rows) / sizeof(lost_rows[0]) && !err; i++) {
		err = play_lost_row(cx, &lost_rows[i]);
	}
	return err;
}

static void only_what_can_do_no_harm_is_sent_again_and_once(void **state)
{
	(void)state;
	on_each_backend(play_lost, NULL);
}

/* Twice in a row: the second is told. */
static enum qrt_err play_lost_twice(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	const struct peer_script scripts[3] = {
	    {{{HEAD_END, YES, PEER_GO_ON}, {HEAD_END, NULL, PEER_CLOSE}}},
	    {{{HEAD_END, NULL, PEER_CLOSE}}},
	    {{{HEAD_END, YES, PEER_GO_ON}}},
	};
	struct stage stage;
	struct qrt_http_call *call;
	struct qrt_http_answer answer;
	EXPECT(!stage_open(cx, scripts, 3, NULL, &stage));
	EXPECT(!stage_expect(&stage, "yes"));
	EXPECT(stage_get(&stage, &call, &answer) == QRT_ECONNRESET);
	EXPECT(stage.report.resent && stage.report.sent && !stage.report.answered);
	EXPECT(stage.peer.accepted == 2 && stage_stats(&stage).connections == 0);
	EXPECT(!stage_expect(&stage, "yes"));
	return stage_close(cx, &stage);
}

static void a_loss_on_the_new_connection_is_told(void **state)
{
	(void)state;
	on_each_backend(play_lost_twice, NULL);
}

/* --- how long, how many ------------------------------------------------------------------------
 */

static enum qrt_err play_expiry(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	static const struct qrt_http_client_options opts = {.idle_ns = 30 * QRT_MS};
	const struct peer_script script = {{{HEAD_END, YES, PEER_GO_ON}}};
	struct stage stage;
	EXPECT(!stage_open(cx, &script, 1, &opts, &stage));
	EXPECT(!stage_expect(&stage, "yes"));
	EXPECT(stage_stats(&stage).idle == 1);
	/* The peer sees the end of it, without anybody's doing. */
	EXPECT(!stage_until(cx, &stage.peer.ended, 1));
	struct qrt_http_client_stats stats = stage_stats(&stage);
	EXPECT(stats.expired == 1 && stats.connections == 0 && stats.idle == 0);
	return stage_close(cx, &stage);
}

static void one_that_nobody_uses_is_closed_in_time(void **state)
{
	(void)state;
	on_each_backend(play_expiry, NULL);
}

static enum qrt_err play_limits(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	static const struct qrt_http_client_options twice = {.calls_per_connection = 2};
	static const struct qrt_http_client_options never = {.no_keep_alive = true};
	const struct peer_script script = {
	    {{HEAD_END, YES, PEER_GO_ON}, {HEAD_END, YES, PEER_GO_ON}}};
	const struct peer_script scripts[2] = {script, script};
	struct stage stage;
	EXPECT(!stage_open(cx, scripts, 2, &twice, &stage));
	for (int i = 0; i < 3; i++) {
		EXPECT(!stage_expect(&stage, "yes"));
		EXPECT(stage_stats(&stage).idle == (i == 1 ? 0 : 1));
	}
	EXPECT(stage.peer.accepted == 2);
	EXPECT(!stage_close(cx, &stage));
	EXPECT(!stage_open(cx, scripts, 2, &never, &stage));
	EXPECT(!stage_expect(&stage, "yes") && !stage_expect(&stage, "yes"));
	EXPECT(stage.peer.accepted == 2 && stage_stats(&stage).connections == 0);
	EXPECT(strstr(stage.peer.heard[0], "\r\nConnection: close\r\n"));
	return stage_close(cx, &stage);
}

static void a_connection_serves_as_often_as_it_may(void **state)
{
	(void)state;
	on_each_backend(play_limits, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(one_connection_serves_many_calls),
	    cmocka_unit_test(a_connection_outlives_the_region_that_asked),
	    cmocka_unit_test(one_that_has_ended_or_spoken_is_not_used_again),
	    cmocka_unit_test(only_what_can_do_no_harm_is_sent_again_and_once),
	    cmocka_unit_test(a_loss_on_the_new_connection_is_told),
	    cmocka_unit_test(one_that_nobody_uses_is_closed_in_time),
	    cmocka_unit_test(a_connection_serves_as_often_as_it_may),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
