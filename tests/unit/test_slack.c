/*
 * Unit test of what the connection to Slack decides: its machine with all delays, where Slack may
 * send us, and what its frames mean. Pure: time is a number here.
 */
#include "tests/lib/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <qrt/cx.h>

#include "quotey/slack/frame.h"
#include "quotey/slack/machine.h"
#include "quotey/slack/url.h"

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

static const struct qy_slack_figures standard = {
    .base_delay_ms = 250, .max_delay_ms = 5000, .max_retries = 5};

/* A machine, the time, and what it wanted last. */
struct sim {
	struct qy_slack_machine machine;
	struct qy_slack_todo todo;
	int64_t now_ns;
};

static void feed_end(struct sim *sim, enum qy_slack_event event, unsigned line,
		     enum qy_slack_end end, int64_t retry_after_ns)
{
	const struct qy_slack_input input = {
	    .event = event, .line = line, .end = end, .retry_after_ns = retry_after_ns};

	qy_slack_machine_step(&sim->machine, &input, sim->now_ns, &sim->todo);
}

static void feed(struct sim *sim, enum qy_slack_event event, unsigned line)
{
	feed_end(sim, event, line, QY_SLACK_LOST, 0);
}

static void begin(struct sim *sim, const struct qy_slack_figures *figures)
{
	*sim = (struct sim){.now_ns = QRT_SEC};
	qy_slack_machine_init(&sim->machine, figures);
	feed(sim, QY_SLACK_START, 0);
	assert_int_equal(sim->todo.open, 0);
	assert_int_equal(sim->machine.state, QY_SLACK_CONNECTING);
}

/* A line in slot 0 that has had its hello. */
static void begin_up(struct sim *sim)
{
	begin(sim, &standard);
	feed(sim, QY_SLACK_HELLO, 0);
	assert_int_equal(sim->machine.state, QY_SLACK_CONNECTED);
	assert_int_equal(sim->todo.open, -1);
}

/* The attempt fails; the next one begins @delay_ms later, not before. */
static void fail_and_wait(struct sim *sim, int64_t delay_ms, enum qy_slack_state state)
{
	feed(sim, QY_SLACK_ENDED, 0);
	assert_int_equal(sim->todo.open, -1);
	assert_int_equal(sim->machine.state, state);
	assert_int_equal(sim->todo.wake_ns, sim->now_ns + delay_ms * QRT_MS);
	sim->now_ns = sim->todo.wake_ns - 1;
	feed(sim, QY_SLACK_TIMER, 0);
	assert_int_equal(sim->todo.open, -1);
	sim->now_ns++;
	feed(sim, QY_SLACK_TIMER, 0);
	assert_int_equal(sim->todo.open, 0);
}

/* --- delays --------------------------------------------------------------------------------- */

static void delays_are_as_they_are_written_down(void **state)
{
	static const struct {
		struct qy_slack_figures figures;
		unsigned failures;
		int64_t ms;
	} delays[] = {
	    {{250, 5000, 5}, 1, 250},
	    {{250, 5000, 5}, 2, 500},
	    {{250, 5000, 5}, 5, 4000},
	    {{250, 5000, 5}, 6, 5000},
	    {{20, 5000, 5}, 1, 50},
	    {{20, 5000, 5}, 2, 100},
	    {{8000, 5000, 5}, 1, 8000},
	    {{8000, 5000, 5}, 4, 8000},
	    {{1, 1, 5}, 1, 50},
	    {{1, 1, 5}, 9, 50},
	    {{50, 600000, 5}, 14, 409600},
	    {{50, 4000000, 5}, 17, 3276800},
	    {{50, 4000000, 5}, 18, 3276800},
	    {{600000, 4294967295, 5}, 1000, 4294967295},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(delays); i++) {
		assert_int_equal(qy_slack_delay_ns(&delays[i].figures, delays[i].failures),
				 delays[i].ms * QRT_MS);
	}
}

static void an_attempt_that_fails_once_is_made_again_after_the_first_delay(void **state)
{
	struct sim sim;

	(void)state;
	begin(&sim, &standard);
	fail_and_wait(&sim, 250, QY_SLACK_BACKOFF);
	assert_int_equal(sim.machine.state, QY_SLACK_CONNECTING);
	feed(&sim, QY_SLACK_HELLO, 0);
	assert_int_equal(sim.machine.state, QY_SLACK_CONNECTED);
}

static void after_all_delays_it_is_degraded_and_goes_on_at_the_cap(void **state)
{
	static const int64_t delays_ms[] = {250, 500, 1000, 2000, 4000};
	struct sim sim;
	int64_t begun;

	(void)state;
	begin(&sim, &standard);
	begun = sim.now_ns;
	for (size_t i = 0; i < ARRAY_LEN(delays_ms); i++) {
		fail_and_wait(&sim, delays_ms[i], QY_SLACK_BACKOFF);
	}
	assert_int_equal(sim.now_ns - begun, 7750 * QRT_MS);
	for (int i = 0; i < 3; i++) {
		fail_and_wait(&sim, 5000, QY_SLACK_DEGRADED);
		assert_int_equal(sim.machine.state, QY_SLACK_DEGRADED);
	}
	feed(&sim, QY_SLACK_HELLO, 0);
	assert_int_equal(sim.machine.state, QY_SLACK_CONNECTED);
	/* No envelope came: what was before still counts. */
	fail_and_wait(&sim, 5000, QY_SLACK_DEGRADED);
	feed(&sim, QY_SLACK_HELLO, 0);
	feed(&sim, QY_SLACK_ENVELOPE, 0);
	fail_and_wait(&sim, 250, QY_SLACK_BACKOFF);
}

static void what_went_well_makes_up_for_failures(void **state)
{
	static const struct {
		int64_t lived_ns;
		bool enveloped;
		int64_t delay_ms;
	} cases[] = {
	    {0, true, 250},
	    {60 * QRT_SEC, false, 250},
	    {59 * QRT_SEC, false, 1000},
	    {0, false, 1000},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct sim sim;

		begin(&sim, &standard);
		fail_and_wait(&sim, 250, QY_SLACK_BACKOFF);
		fail_and_wait(&sim, 500, QY_SLACK_BACKOFF);
		feed(&sim, QY_SLACK_HELLO, 0);
		if (cases[i].enveloped) {
			feed(&sim, QY_SLACK_ENVELOPE, 0);
		}
		sim.now_ns += cases[i].lived_ns;
		fail_and_wait(&sim, cases[i].delay_ms, QY_SLACK_BACKOFF);
	}
}

static void a_refusal_degrades_at_once(void **state)
{
	static const enum qy_slack_end ends[] = {QY_SLACK_REFUSED, QY_SLACK_LINK_DISABLED};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
		struct sim sim;

		begin(&sim, &standard);
		feed_end(&sim, QY_SLACK_ENDED, 0, ends[i], 0);
		assert_int_equal(sim.machine.state, QY_SLACK_DEGRADED);
		assert_int_equal(sim.todo.wake_ns, sim.now_ns + 5 * QRT_SEC);
		sim.now_ns = sim.todo.wake_ns;
		feed(&sim, QY_SLACK_TIMER, 0);
		assert_int_equal(sim.todo.open, 0);
		fail_and_wait(&sim, 5000, QY_SLACK_DEGRADED);
	}
}

static void a_longer_wait_that_slack_asks_for_wins(void **state)
{
	struct sim sim;

	(void)state;
	begin(&sim, &standard);
	feed_end(&sim, QY_SLACK_ENDED, 0, QY_SLACK_LOST, 9 * QRT_SEC);
	assert_int_equal(sim.todo.wake_ns, sim.now_ns + 9 * QRT_SEC);
	assert_int_equal(sim.machine.state, QY_SLACK_BACKOFF);
	begin(&sim, &standard);
	feed_end(&sim, QY_SLACK_ENDED, 0, QY_SLACK_LOST, 100 * QRT_MS);
	assert_int_equal(sim.todo.wake_ns, sim.now_ns + 250 * QRT_MS);
	begin(&sim, &standard);
	feed_end(&sim, QY_SLACK_ENDED, 0, QY_SLACK_REFUSED, 30 * QRT_SEC);
	assert_int_equal(sim.todo.wake_ns, sim.now_ns + 30 * QRT_SEC);
}

/* --- two lines ------------------------------------------------------------------------------ */

static void a_refresh_opens_a_second_line_at_once_and_the_first_is_ended_later(void **state)
{
	struct sim sim;

	(void)state;
	begin_up(&sim);
	feed(&sim, QY_SLACK_REFRESH, 0);
	assert_int_equal(sim.todo.open, 1);
	assert_int_equal(sim.machine.state, QY_SLACK_REFRESHING);
	/* While the new one is not up, the old one stays, however long that is. */
	assert_int_equal(sim.todo.wake_ns, QY_SLACK_NEVER);
	sim.now_ns += 3600 * QRT_SEC;
	feed(&sim, QY_SLACK_HELLO, 1);
	assert_int_equal(sim.machine.state, QY_SLACK_REFRESHING);
	assert_int_equal(sim.todo.wake_ns, sim.now_ns + 10 * QRT_SEC);
	assert_false(sim.todo.close[0]);
	sim.now_ns = sim.todo.wake_ns;
	feed(&sim, QY_SLACK_TIMER, 0);
	assert_true(sim.todo.close[0]);
	assert_false(sim.todo.close[1]);
	assert_int_equal(sim.todo.open, -1);
	assert_int_equal(sim.machine.state, QY_SLACK_CONNECTED);
	feed(&sim, QY_SLACK_ENDED, 0);
	assert_int_equal(sim.todo.open, -1);
	assert_int_equal(qy_slack_machine_lines(&sim.machine), 1);
}

static void an_old_line_that_ends_is_no_failure(void **state)
{
	struct sim sim;

	(void)state;
	begin_up(&sim);
	feed(&sim, QY_SLACK_REFRESH, 0);
	feed(&sim, QY_SLACK_ENDED, 0);
	assert_int_equal(sim.machine.state, QY_SLACK_CONNECTING);
	assert_int_equal(sim.todo.wake_ns, QY_SLACK_NEVER);
	feed(&sim, QY_SLACK_HELLO, 1);
	assert_int_equal(sim.machine.state, QY_SLACK_CONNECTED);
	assert_int_equal(sim.machine.failures, 0);
}

static void a_second_refresh_waits_for_the_first_line_to_go(void **state)
{
	struct sim sim;

	(void)state;
	begin_up(&sim);
	feed(&sim, QY_SLACK_REFRESH, 0);
	feed(&sim, QY_SLACK_REFRESH, 0);
	assert_int_equal(sim.todo.open, -1);
	feed(&sim, QY_SLACK_HELLO, 1);
	feed(&sim, QY_SLACK_REFRESH, 1);
	assert_int_equal(sim.todo.open, -1);
	assert_int_equal(qy_slack_machine_lines(&sim.machine), 2);
	sim.now_ns += 10 * QRT_SEC;
	feed(&sim, QY_SLACK_TIMER, 0);
	assert_true(sim.todo.close[0]);
	assert_int_equal(sim.todo.open, -1);
	feed(&sim, QY_SLACK_ENDED, 0);
	assert_int_equal(sim.todo.open, 0);
	assert_int_equal(sim.machine.state, QY_SLACK_REFRESHING);
}

static void an_old_line_is_kept_when_its_replacement_is_lost(void **state)
{
	struct sim sim;

	(void)state;
	begin_up(&sim);
	feed(&sim, QY_SLACK_REFRESH, 0);
	feed(&sim, QY_SLACK_ENDED, 1);
	assert_int_equal(sim.machine.state, QY_SLACK_REFRESHING);
	assert_int_equal(sim.todo.wake_ns, sim.now_ns + 250 * QRT_MS);
	sim.now_ns = sim.todo.wake_ns;
	feed(&sim, QY_SLACK_TIMER, 0);
	assert_int_equal(sim.todo.open, 1);
	feed(&sim, QY_SLACK_HELLO, 1);
	feed(&sim, QY_SLACK_ENDED, 1);
	assert_int_equal(sim.todo.wake_ns, sim.now_ns + 500 * QRT_MS);
	sim.now_ns += 10 * QRT_SEC;
	feed(&sim, QY_SLACK_TIMER, 0);
	assert_false(sim.todo.close[0]);
	assert_int_equal(sim.todo.open, 1);
	/* The old one goes while the new one is being opened, which then fails. */
	feed(&sim, QY_SLACK_ENDED, 0);
	assert_int_equal(sim.machine.state, QY_SLACK_CONNECTING);
	feed(&sim, QY_SLACK_ENDED, 1);
	assert_int_equal(sim.machine.state, QY_SLACK_BACKOFF);
}

static void a_disabled_link_ends_both_lines(void **state)
{
	struct sim sim;

	(void)state;
	begin_up(&sim);
	feed(&sim, QY_SLACK_REFRESH, 0);
	feed(&sim, QY_SLACK_HELLO, 1);
	feed_end(&sim, QY_SLACK_ENDED, 1, QY_SLACK_LINK_DISABLED, 0);
	assert_true(sim.todo.close[0]);
	assert_int_equal(sim.machine.state, QY_SLACK_DEGRADED);
	assert_int_equal(sim.todo.wake_ns, sim.now_ns + 5 * QRT_SEC);
	feed(&sim, QY_SLACK_ENDED, 0);
	assert_int_equal(sim.todo.wake_ns, sim.now_ns + 5 * QRT_SEC);
}

static void who_hands_over_keeps_one_line_and_opens_none(void **state)
{
	struct sim sim;

	(void)state;
	begin_up(&sim);
	feed(&sim, QY_SLACK_REFRESH, 0);
	feed(&sim, QY_SLACK_HAND_OVER, 0);
	assert_true(sim.todo.close[1]);
	assert_false(sim.todo.close[0]);
	feed(&sim, QY_SLACK_ENDED, 1);
	assert_int_equal(sim.todo.open, -1);
	begin_up(&sim);
	feed(&sim, QY_SLACK_REFRESH, 0);
	feed(&sim, QY_SLACK_HELLO, 1);
	feed(&sim, QY_SLACK_HAND_OVER, 0);
	assert_true(sim.todo.close[0]);
	assert_false(sim.todo.close[1]);
	feed(&sim, QY_SLACK_ENDED, 1);
	assert_int_equal(sim.todo.open, -1);
	assert_int_equal(sim.todo.wake_ns, QY_SLACK_NEVER);
}

static void a_stop_ends_everything_and_a_start_begins_anew(void **state)
{
	struct sim sim;

	(void)state;
	begin_up(&sim);
	feed(&sim, QY_SLACK_REFRESH, 0);
	feed(&sim, QY_SLACK_STOP, 0);
	assert_true(sim.todo.close[0]);
	assert_true(sim.todo.close[1]);
	assert_int_equal(sim.machine.state, QY_SLACK_STOPPED);
	/* Started again before both have gone: not a third one. */
	feed(&sim, QY_SLACK_START, 0);
	assert_int_equal(sim.todo.open, -1);
	feed(&sim, QY_SLACK_ENDED, 1);
	assert_int_equal(sim.todo.open, 1);
	feed(&sim, QY_SLACK_HELLO, 1);
	assert_int_equal(sim.machine.state, QY_SLACK_CONNECTED);
}

/* Whatever comes in whatever order: every move is in the table, which the machine asserts. */
static void no_order_of_events_breaks_the_machine(void **state)
{
	uint32_t random = 4711;
	struct sim sim;

	(void)state;
	begin(&sim, &standard);
	for (int i = 0; i < 300000; i++) {
		enum qy_slack_event event;
		unsigned line;
		bool wants, idle;

		random = random * 1664525u + 1013904223u;
		event = (enum qy_slack_event)(random >> 8) % (QY_SLACK_ENDED + 1);
		line = random >> 24 & 1;
		sim.now_ns += (random >> 12 & 7) == 0 ? 20 * QRT_SEC : QRT_MS;
		if (event >= QY_SLACK_HELLO && sim.machine.line[line].phase == QY_SLACK_NO_LINE) {
			continue;
		}
		if (event == QY_SLACK_START && sim.machine.wanted) {
			continue;
		}
		feed_end(&sim, event, line, (enum qy_slack_end)(random >> 28) % 3, 0);
		assert_true(qy_slack_machine_lines(&sim.machine) <= QY_SLACK_LINES);
		wants = sim.machine.wanted && !sim.machine.handing_over;
		idle = qy_slack_machine_lines(&sim.machine) == 0;
		assert_true(!wants || !idle || sim.todo.wake_ns != QY_SLACK_NEVER);
		assert_true(wants || sim.todo.open < 0);
	}
}

/* --- where to ------------------------------------------------------------------------------- */

static void only_slack_and_this_machine_are_connected_to(void **state)
{
	static const char *const good[] = {
	    "wss://wss-primary.slack.com/link/?ticket=a1&app_id=b2",
	    "wss://a.b.slack.com:443/x",
	    "wss://cerberus-xxxx.lb.slack.com?x",
	    "wss://w.slack.com",
	    "ws://127.0.0.1:4711/link?ticket=1",
	    "ws://127.1.2.3/",
	    "ws://localhost:1/",
	    "ws://[::1]:1/x",
	};
	static const char *const bad[] = {
	    "",
	    "wss://",
	    "http://a.slack.com/",
	    "wss:/a.slack.com/",
	    "WSS://a.slack.com/",
	    "ws://a.slack.com/",
	    "wss://slack.com/",
	    "wss://.slack.com/",
	    "wss://evilslack.com/",
	    "wss://a.slack.com.evil.com/",
	    "wss://evil.com/.slack.com",
	    "wss://evil.com?.slack.com",
	    "wss://a.slack.com@evil.com/",
	    "wss://evil.com#.slack.com",
	    "wss://evil.com\\.slack.com/",
	    "wss://user@a.slack.com/",
	    "wss://a.slack.com:/",
	    "wss://a.slack.com:123456/",
	    "wss://a.slack.com:x/",
	    "wss://a.slack.com /",
	    "wss://a.slack.com/\n",
	    "wss://A.slack.com/",
	    "wss://127.0.0.1/",
	    "ws://128.0.0.1/",
	    "ws://127.0.0.1.evil.com/",
	    "ws://127.0.0/",
	    "ws://127.0.0.1234/",
	    "ws://localhost.evil.com/",
	    "ws://[::2]/",
	    "ws://[::1",
	    "ws://0.0.0.0/",
	    "ws://127.0.0.1:80@evil.com/",
	};
	char *longest = calloc(1, 4000);
	const char *why;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		assert_true(qy_slack_url_allowed(good[i], &why));
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		why = NULL;
		if (qy_slack_url_allowed(bad[i], &why)) {
			fail_msg("allowed: %s", bad[i]);
		}
		assert_non_null(why);
	}
	assert_non_null(longest);
	memset(longest, 'a', 3000);
	memcpy(longest, "wss://a.slack.com/", 18);
	assert_false(qy_slack_url_allowed(longest, &why));
	longest[QY_SLACK_URL_SIZE - 1] = '\0';
	assert_true(qy_slack_url_allowed(longest, &why));
	free(longest);
}

/* --- frames --------------------------------------------------------------------------------- */

#define EVENT(event) "{\"envelope_id\":\"E1\",\"type\":\"events_api\",\"payload\":" event "}"

static void frames_are_told_apart(void **state)
{
	static const struct {
		const char *text;
		enum qy_slack_frame frame;
	} frames[] = {
	    {"{\"type\":\"hello\",\"num_connections\":1.5}", QY_SLACK_FRAME_HELLO},
	    {"{\"type\":\"disconnect\",\"reason\":\"warning\"}", QY_SLACK_FRAME_REFRESH},
	    {"{\"type\":\"disconnect\",\"reason\":\"refresh_requested\"}", QY_SLACK_FRAME_REFRESH},
	    {"{\"type\":\"disconnect\",\"reason\":\"link_disabled\"}", QY_SLACK_FRAME_DISABLED},
	    {"{\"type\":\"disconnect\",\"reason\":\"too_many_websockets\"}", QY_SLACK_FRAME_LOSS},
	    {"{\"type\":\"disconnect\"}", QY_SLACK_FRAME_LOSS},
	    {"", QY_SLACK_FRAME_BAD},
	    {"hello", QY_SLACK_FRAME_BAD},
	    {"[]", QY_SLACK_FRAME_BAD},
	    {"{}", QY_SLACK_FRAME_BAD},
	    {"{\"type\":1}", QY_SLACK_FRAME_BAD},
	    {"{\"type\":\"events_api\"}", QY_SLACK_FRAME_BAD},
	    {"{\"type\":\"hello\",\"type\":\"disconnect\"}", QY_SLACK_FRAME_BAD},
	    {"{\"envelope_id\":\"E1\"}", QY_SLACK_FRAME_BAD},
	    {"{\"envelope_id\":1,\"type\":\"events_api\",\"payload\":{}}", QY_SLACK_FRAME_BAD},
	    {"{\"envelope_id\":\"\",\"type\":\"events_api\",\"payload\":{}}", QY_SLACK_FRAME_BAD},
	    {"{\"envelope_id\":\"a b\",\"type\":\"events_api\",\"payload\":{}}",
	     QY_SLACK_FRAME_BAD},
	    {"{\"envelope_id\":\"\\\"\",\"type\":\"events_api\",\"payload\":{}}",
	     QY_SLACK_FRAME_BAD},
	    {"{\"envelope_id\":\"E1\",\"type\":\"events_api\"}", QY_SLACK_FRAME_BAD},
	    {"{\"envelope_id\":\"E1\",\"type\":\"events_api\",\"payload\":[]}", QY_SLACK_FRAME_BAD},
	    {"{\"envelope_id\":\"E1\",\"type\":\"events_api\",\"\\u0070ayload\":{}}",
	     QY_SLACK_FRAME_BAD},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(frames); i++) {
		struct qy_slack_envelope envelope;

		if (qy_slack_frame_read(frames[i].text, strlen(frames[i].text), &envelope) !=
		    frames[i].frame) {
			fail_msg("%s", frames[i].text);
		}
	}
}

static void an_envelope_is_known_by_what_slack_calls_it(void **state)
{
	static const struct {
		const char *text, *kind, *event_id, *dedupe, *thread, *payload;
		bool ignored;
	} envelopes[] = {
	    {EVENT("{\"event_id\":\"Ev1\",\"event\":{\"type\":\"message\",\"channel\":\"C1\","
		   "\"ts\":\"1.2\"}}"),
	     "events_api", "Ev1", "msg:C1:1.2", "C1:1.2",
	     "{\"event_id\":\"Ev1\",\"event\":{\"type\":\"message\",\"channel\":\"C1\","
	     "\"ts\":\"1.2\"}}",
	     false},
	    {EVENT("{\"event_id\":\"Ev2\",\"event\":{\"type\":\"app_mention\",\"channel\":\"C1\","
		   "\"ts\":\"1.2\",\"thread_ts\":\"1.1\"}}"),
	     "events_api", "Ev2", "msg:C1:1.2", "C1:1.1", NULL, false},
	    {EVENT("{\"event_id\":\"Ev3\",\"event\":{\"type\":\"message\",\"channel\":\"C1\"}}"),
	     "events_api", "Ev3", "ev:Ev3", "", NULL, false},
	    {EVENT(
		 "{\"event_id\":\"Ev4\",\"event\":{\"type\":\"reaction_added\",\"channel\":\"C1\","
		 "\"ts\":\"1.2\"}}"),
	     "events_api", "Ev4", "ev:Ev4", "C1:1.2", NULL, false},
	    {EVENT("{\"event\":7}"), "events_api", "", "env:E1", "", "{\"event\":7}", false},
	    {EVENT("{ \"event_id\" : \"\" }"), "events_api", "", "env:E1", "",
	     "{ \"event_id\" : \"\" }", false},
	    {"{\"payload\":{\"trigger_id\":\"T1\",\"n\":1.25e2},\"type\":\"slash_commands\","
	     "\"envelope_id\":\"0a-B_9\"}",
	     "slash_commands", "", "cmd:T1", "", "{\"trigger_id\":\"T1\",\"n\":1.25e2}", false},
	    {"{\"envelope_id\":\"E1\",\"type\":\"interactive\",\"payload\":{\"trigger_id\":\"T2\","
	     "\"container\":{\"channel_id\":\"C2\",\"message_ts\":\"2.2\"}}}",
	     "interactive", "", "act:T2", "C2:2.2", NULL, false},
	    {"{\"envelope_id\":\"E1\",\"type\":\"interactive\",\"payload\":{\"trigger_id\":\"T2\","
	     "\"container\":{\"channel_id\":\"C2\",\"message_ts\":\"2.2\",\"thread_ts\":\"2.1\"}}}",
	     "interactive", "", "act:T2", "C2:2.1", NULL, false},
	    {"{\"envelope_id\":\"E1\",\"type\":\"news\"}", "news", "", "env:E1", "", "{}", true},
	    {"{\"envelope_id\":\"E1\",\"type\":\"hello\",\"payload\":[1]}", "hello", "", "env:E1",
	     "", "[1]", true},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(envelopes); i++) {
		struct qy_slack_envelope envelope;

		assert_int_equal(
		    qy_slack_frame_read(envelopes[i].text, strlen(envelopes[i].text), &envelope),
		    QY_SLACK_FRAME_ENVELOPE);
		assert_string_equal(envelope.item.kind, envelopes[i].kind);
		assert_string_equal(envelope.item.event_id, envelopes[i].event_id);
		assert_string_equal(envelope.item.dedupe_key, envelopes[i].dedupe);
		assert_string_equal(envelope.item.thread_key, envelopes[i].thread);
		assert_int_equal(envelope.item.ignored, envelopes[i].ignored);
		if (envelopes[i].payload) {
			assert_string_equal(envelope.item.payload_json, envelopes[i].payload);
		}
		qy_slack_envelope_fini(&envelope);
	}
}

/* Names of 128 bytes are kept, longer ones are not used: no two things get one key by being cut. */
static void what_is_too_long_is_not_used(void **state)
{
	char text[1024], name[200];
	struct qy_slack_envelope envelope;

	(void)state;
	for (int n = 128; n <= 129; n++) {
		memset(name, 'x', sizeof(name));
		name[n] = '\0';
		snprintf(text, sizeof(text), EVENT("{\"event_id\":\"%s\"}"), name);
		assert_int_equal(qy_slack_frame_read(text, strlen(text), &envelope),
				 QY_SLACK_FRAME_ENVELOPE);
		assert_int_equal(strlen(envelope.item.dedupe_key),
				 n == 128 ? 131 : strlen("env:E1"));
		qy_slack_envelope_fini(&envelope);
	}
	for (int n = 64; n <= 65; n++) {
		memset(name, 'x', sizeof(name));
		name[n] = '\0';
		snprintf(text, sizeof(text),
			 "{\"envelope_id\":\"%s\",\"type\":\"events_api\",\"payload\":{}}", name);
		assert_int_equal(qy_slack_frame_read(text, strlen(text), &envelope),
				 n == 64 ? QY_SLACK_FRAME_ENVELOPE : QY_SLACK_FRAME_BAD);
		if (n == 64) {
			qy_slack_envelope_fini(&envelope);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(delays_are_as_they_are_written_down),
	    cmocka_unit_test(an_attempt_that_fails_once_is_made_again_after_the_first_delay),
	    cmocka_unit_test(after_all_delays_it_is_degraded_and_goes_on_at_the_cap),
	    cmocka_unit_test(what_went_well_makes_up_for_failures),
	    cmocka_unit_test(a_refusal_degrades_at_once),
	    cmocka_unit_test(a_longer_wait_that_slack_asks_for_wins),
	    cmocka_unit_test(a_refresh_opens_a_second_line_at_once_and_the_first_is_ended_later),
	    cmocka_unit_test(an_old_line_that_ends_is_no_failure),
	    cmocka_unit_test(a_second_refresh_waits_for_the_first_line_to_go),
	    cmocka_unit_test(an_old_line_is_kept_when_its_replacement_is_lost),
	    cmocka_unit_test(a_disabled_link_ends_both_lines),
	    cmocka_unit_test(who_hands_over_keeps_one_line_and_opens_none),
	    cmocka_unit_test(a_stop_ends_everything_and_a_start_begins_anew),
	    cmocka_unit_test(no_order_of_events_breaks_the_machine),
	    cmocka_unit_test(only_slack_and_this_machine_are_connected_to),
	    cmocka_unit_test(frames_are_told_apart),
	    cmocka_unit_test(an_envelope_is_known_by_what_slack_calls_it),
	    cmocka_unit_test(what_is_too_long_is_not_used),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
