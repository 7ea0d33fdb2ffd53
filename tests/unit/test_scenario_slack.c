/*
 * Unit test of what a scenario says of Slack, and of the faults of WebSockets, lookups and child
 * processes: what a line becomes, that it is written as it is read, and its mistakes.
 */
#include "tests/lib/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "quotey/lab/scenario.h"
#include "quotey/lab/scenario_write.h"

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define PLACE "place server=legacy db=region slack=region\n"

static struct qy_scenario *parse(const char *text)
{
	struct qy_scenario *scenario = NULL;
	struct qy_scenario_error error = {{0, 0}, ""};
	enum qy_code code = qy_scenario_parse("t.scn", text, strlen(text), &scenario, &error);

	if (code != QY_OK) {
		fail_msg("%s: %s\n%s", qy_code_name(code), error.message, text);
	}
	return scenario;
}

/* As it is written. */
static const char whole[] = "only lab\n" PLACE "slack hello\n"
			    "slack greets\n"
			    "slack send on 2 \"{\\\"a\\\":1} $${b}\"\n"
			    "slack send \"x\"\n"
			    "slack disconnect refresh_requested on 1\n"
			    "slack disconnect warning\n"
			    "slack close 1012\n"
			    "slack close 1000 on 3\n"
			    "slack drop\n"
			    "slack deaf on 4\n"
			    "slack silent\n"
			    "slack awake\n"
			    "slack refuse open ratelimited after 9s 2 times\n"
			    "slack refuse open invalid_auth\n"
			    "slack refuse open internal_error 3 times\n"
			    "slack allow open\n"
			    "slack expect ack \"E1\" 2 times within 3s\n"
			    "slack expect ack \"E2\"\n"
			    "slack expect no ack \"E3\" within 500ms\n"
			    "slack expect state degraded within 1min\n"
			    "slack expect opens 0\n"
			    "slack expect opens 6 within 8s\n"
			    "slack expect connections 2\n"
			    "slack expect connections at most 0\n"
			    "slack expect close 1001 on 1 within 8s\n"
			    "move slack legacy\n"
			    "rollback slack\n"
			    "fault lookup 5%\n"
			    "fault websocket delay 1%\n"
			    "fault websocket pong-loss 100%\n"
			    "fault child no-start 0.1%\n"
			    "fault child stuck 2%\n";

static const struct qy_scenario_step *nth(const struct qy_scenario_step *step, size_t n)
{
	while (n-- > 0) {
		step = step->next;
	}
	return step;
}

static void a_line_becomes_what_it_says(void **state)
{
	struct qy_scenario *s = parse(whole);
	const struct qy_scenario_step *first = s->first;

	(void)state;
	assert_true(s->has_slack && s->moves && s->needs_lab && s->only_lab);
	assert_string_equal(s->slack, "region");
	assert_string_equal(s->server, "legacy");
	assert_int_equal(first->kind, QY_SCENARIO_SLACK);
	assert_int_equal(first->slack.kind, QY_SCENARIO_SLACK_HELLO);
	assert_int_equal(nth(first, 2)->slack.kind, QY_SCENARIO_SLACK_SEND);
	assert_int_equal(nth(first, 2)->slack.connection, 2);
	assert_memory_equal(nth(first, 2)->text.first->bytes, "{\"a\":1} ${b}", 12);
	assert_string_equal(nth(first, 4)->slack.word, "refresh_requested");
	assert_int_equal(nth(first, 4)->slack.connection, 1);
	assert_int_equal(nth(first, 6)->slack.number, 1012);
	assert_int_equal(nth(first, 12)->slack.ns, INT64_C(9000000000));
	assert_int_equal(nth(first, 12)->slack.number, 2);
	assert_int_equal(nth(first, 16)->slack.number, 2);
	assert_int_equal(nth(first, 16)->slack.ns, INT64_C(3000000000));
	assert_int_equal(nth(first, 18)->slack.kind, QY_SCENARIO_SLACK_EXPECT_NO_ACK);
	assert_string_equal(nth(first, 19)->slack.word, "degraded");
	assert_int_equal(nth(first, 23)->slack.kind, QY_SCENARIO_SLACK_EXPECT_AT_MOST);
	assert_string_equal(nth(first, 25)->word, "slack");
	assert_int_equal(nth(first, 27)->fault.kind, QY_SCENARIO_FAULT_LOOKUP);
	assert_int_equal(nth(first, 28)->fault.kind, QY_SCENARIO_FAULT_WS_DELAY);
	assert_int_equal(nth(first, 29)->fault.kind, QY_SCENARIO_FAULT_WS_PONG_LOSS);
	assert_int_equal(nth(first, 29)->fault.per_thousand, 1000);
	assert_int_equal(nth(first, 30)->fault.kind, QY_SCENARIO_FAULT_CHILD_NO_START);
	assert_int_equal(nth(first, 31)->fault.kind, QY_SCENARIO_FAULT_CHILD_STUCK);
	qy_scenario_destroy(&s);
}

static void a_frame_is_a_text_of_any_kind(void **state)
{
	static const char *const texts[] = {
	    "slack send {\"a\": \"b\"} # no comment\n",
	    "slack send \"{\\\"a\\\": \" \"\\\"b\\\"} # no comment\"\n",
	    "slack send <<END\n  {\"a\": \"b\"} # no comment\n  END\n",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct qy_scenario *s = parse(texts[i]);
		const struct qy_scenario_piece *piece = s->first->text.first;
		char text[100] = "";

		assert_false(s->moves || s->needs_lab);
		assert_null(s->slack);
		for (; piece; piece = piece->next) {
			strncat(text, piece->bytes, piece->n_bytes);
		}
		assert_string_equal(text, "{\"a\": \"b\"} # no comment");
		qy_scenario_destroy(&s);
	}
}

static void what_is_written_says_what_was_read(void **state)
{
	struct qy_scenario *s = parse(whole);
	struct qy_buffer out;

	(void)state;
	qy_buffer_init(&out, 1 << 20);
	qy_scenario_write(s, &out);
	assert_string_equal(out.data, whole);
	qy_scenario_destroy(&s);
	qy_buffer_fini(&out);
}

static const struct {
	const char *text, *message;
} mistakes[] = {
    {"slack\n", "1:6: the line ends too early; here belongs word of slack"},
    {"slack helo\n", "1:7: \"helo\" is no word of slack; did you mean hello?"},
    {"slack hello now\n", "1:13: the statement has ended before \"now\"; what follows needs a line "
			  "of its own, a comment a #"},
    {"slack send\n", "1:11: here belongs a frame: {\"envelope_id\": \"E1\", ...}"},
    {"slack send on 0 x\n",
     "1:15: \"0\" is no number of a connection; it is a whole number from 1 to 256"},
    {"slack send ${n}\n", "1:12: \"n\" has no value here; keep, count or for give one"},
    {"slack disconnect\n",
     "1:17: the line ends too early; here belongs a reason: refresh_requested"},
    {"slack disconnect Warning\n",
     "1:18: \"Warning\" is no name of Slack's; one has at most 64 of a to z and _"},
    {"slack close 999\n",
     "1:13: \"999\" is no code of a close; it is a whole number from 1000 to 4999"},
    {"slack refuse invalid_auth\n",
     "1:14: here belongs open: what is refused is apps.connections.open"},
    {"slack refuse open\n", "1:18: the line ends too early; here belongs an error: invalid_auth"},
    {"slack refuse open ratelimited 30\n",
     "1:33: the line ends too early; here belongs times, after their number"},
    {"slack refuse open ratelimited after 30\n",
     "1:37: \"30\" is no time; write a whole number and us, ms, s or min, at most 1440min"},
    {"slack expect akc E1\n", "1:14: \"akc\" is no expectation of slack; did you mean ack?"},
    {"slack expect ack\n", "1:17: the line ends too early; here belongs the id of an envelope"},
    {"slack expect ack E1 2\n",
     "1:22: the line ends too early; here belongs times, after their number"},
    {"slack expect no acks E1\n", "1:17: here belongs ack"},
    {"slack expect no ack E1\n", "1:23: here belongs how long none may come: within 5s"},
    {"slack expect state up\n", "1:20: \"up\" is no state of slack; write connecting, connected, "
				"refreshing, backoff, degraded or stopped"},
    {"slack expect opens many\n",
     "1:20: \"many\" is no number of opens; it is a whole number from 0 to 100000"},
    {"slack expect connections at 2\n", "1:29: here belongs at most N"},
    {"place server=legacy db=legacy\nslack hello\n",
     "2:1: place must say where slack starts, too: slack=legacy"},
    {"place server=legacy db=legacy\nmove slack region\n",
     "2:1: slack has no place to move from; write slack=legacy behind place above"},
    {"place server=legacy slack=legacy\n",
     "1:1: place says where server and db start; slack=PLACE may follow"},
    {"place server=legacy db=legacy slack=moon\n",
     "1:37: \"moon\" is no place; write legacy or region"},
    {"fault websocket dleay 5%\n",
     "1:17: \"dleay\" is no fault of websockets; did you mean delay?"},
    {"fault websocket\n", "1:16: the line ends too early; here belongs fault of websockets"},
    {"fault child\n", "1:12: the line ends too early; here belongs fault of children"},
    {"only lab\nonly lab\n", "2:1: only lab stands once, before all but the title"},
    {"heal\nonly lab\n", "2:1: only lab stands once, before all but the title"},
    {"only region\n",
     "1:6: here belongs lab: in real time it would take too long, or nothing would go "
     "wrong"},
    {"fault lookup 5\n", "1:14: \"5\" is no share; write 0% to 100%, with at most one decimal"},
};

static void every_mistake_is_named_with_its_place(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(mistakes); i++) {
		struct qy_scenario *scenario = NULL;
		struct qy_scenario_error error = {{0, 0}, ""};

		assert_int_equal(qy_scenario_parse("t.scn", mistakes[i].text,
						   strlen(mistakes[i].text), &scenario, &error),
				 QY_INVALID_FIELD);
		assert_string_equal(error.message + 6, mistakes[i].message);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_line_becomes_what_it_says),
	    cmocka_unit_test(a_frame_is_a_text_of_any_kind),
	    cmocka_unit_test(what_is_written_says_what_was_read),
	    cmocka_unit_test(every_mistake_is_named_with_its_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
