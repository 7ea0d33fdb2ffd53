/* What follows the word `slack`: what the local Slack says and does, and what is expected of it. */
#include <string.h>

#include "quotey/lab/scenario_internal.h"

enum { LINKS_MAX = 256, NUMBER_MAX = 100000, CODE_MIN = 1000, CODE_MAX = 4999 };

typedef bool read_fn(struct qy_scenario_reader *reader, struct qy_scenario_step *step);

/* A name of the protocol: a reason, an error. */
static bool read_name(struct qy_scenario_reader *reader, const char *what, const char **ret_name)
{
	struct qy_scenario_word word;

	if (!qy_scenario__word(reader, what, &word)) {
		return false;
	}
	for (size_t i = 0; i < word.n; i++) {
		if (!strchr("abcdefghijklmnopqrstuvwxyz_", word.text[i]) || word.n > 64) {
			return qy_scenario__fail(reader, word.at,
						 "\"%.*s\" is no name of Slack's; one has at most "
						 "64 of a to z and _",
						 word.n < 40 ? (int)word.n : 40, word.text);
		}
	}
	*ret_name = qy_scenario__copy(reader, word.text, word.n);
	return *ret_name != NULL;
}

static bool read_number(struct qy_scenario_reader *reader, const char *what, unsigned min,
			unsigned max, unsigned *ret_number)
{
	struct qy_scenario_word word;

	return qy_scenario__word(reader, what, &word) &&
	       qy_scenario__number(reader, &word, what, min, max, ret_number);
}

/* [on N] */
static bool read_on(struct qy_scenario_reader *reader, struct qy_scenario_step *step)
{
	return !qy_scenario__take(reader, "on") ||
	       read_number(reader, "number of a connection", 1, LINKS_MAX, &step->slack.connection);
}

/* [within TIME] */
static bool read_within(struct qy_scenario_reader *reader, struct qy_scenario_step *step)
{
	int64_t max = 0;

	return !qy_scenario__take(reader, "within") ||
	       qy_scenario__duration(reader, /* range= */ false, &step->slack.ns, &max);
}

/* [N times] */
static bool read_times(struct qy_scenario_reader *reader, struct qy_scenario_step *step)
{
	if (!qy_scenario__more(reader) || strchr("0123456789", *reader->at) == NULL) {
		return true;
	}
	return read_number(reader, "number of times", 1, NUMBER_MAX, &step->slack.number) &&
	       qy_scenario__must(reader, "times", "times, after their number");
}

/* --- what it does --------------------------------------------------------------------------- */

/* send [on N] REST-OF-LINE | "TEXT" | <<END */
static bool read_send(struct qy_scenario_reader *reader, struct qy_scenario_step *step)
{
	bool plain;

	if (!read_on(reader, step)) {
		return false;
	}
	if (!qy_scenario__more(reader)) {
		return qy_scenario__fail(reader, qy_scenario__at(reader, reader->at),
					 "here belongs a frame: {\"envelope_id\": \"E1\", ...}");
	}
	plain = *reader->at != '"' &&
		(reader->line_end - reader->at < 2 || memcmp(reader->at, "<<", 2) != 0);
	return plain ? qy_scenario__rest_text(reader, &step->text)
		     : qy_scenario__long_text(reader, "a frame", "\n", /* ends_last= */ false,
					      &step->text);
}

/* disconnect REASON [on N] */
static bool read_disconnect(struct qy_scenario_reader *reader, struct qy_scenario_step *step)
{
	return read_name(reader, "a reason: refresh_requested", &step->slack.word) &&
	       read_on(reader, step);
}

/* close CODE [on N] */
static bool read_close(struct qy_scenario_reader *reader, struct qy_scenario_step *step)
{
	return read_number(reader, "code of a close", CODE_MIN, CODE_MAX, &step->slack.number) &&
	       read_on(reader, step);
}

/* refuse open ERROR [after TIME] [N times] */
static bool read_refuse(struct qy_scenario_reader *reader, struct qy_scenario_step *step)
{
	int64_t max = 0;

	if (!qy_scenario__must(reader, "open", "open: what is refused is apps.connections.open") ||
	    !read_name(reader, "an error: invalid_auth", &step->slack.word)) {
		return false;
	}
	if (qy_scenario__take(reader, "after") &&
	    !qy_scenario__duration(reader, /* range= */ false, &step->slack.ns, &max)) {
		return false;
	}
	return read_times(reader, step);
}

/* allow open */
static bool read_allow(struct qy_scenario_reader *reader, struct qy_scenario_step *step)
{
	(void)step;
	return qy_scenario__must(reader, "open", "open");
}

/* --- what is expected ----------------------------------------------------------------------- */

/* ack ENVELOPE [N times] [within TIME] */
static bool expect_ack(struct qy_scenario_reader *reader, struct qy_scenario_step *step)
{
	step->slack.kind = QY_SCENARIO_SLACK_EXPECT_ACK;
	return qy_scenario__text(reader, "the id of an envelope", &step->text) &&
	       read_times(reader, step) && read_within(reader, step);
}

/* no ack ENVELOPE within TIME */
static bool expect_no(struct qy_scenario_reader *reader, struct qy_scenario_step *step)
{
	step->slack.kind = QY_SCENARIO_SLACK_EXPECT_NO_ACK;
	if (!qy_scenario__must(reader, "ack", "ack") ||
	    !qy_scenario__text(reader, "the id of an envelope", &step->text)) {
		return false;
	}
	if (!qy_scenario__more(reader)) {
		return qy_scenario__fail(reader, qy_scenario__at(reader, reader->at),
					 "here belongs how long none may come: within 5s");
	}
	return read_within(reader, step);
}

/* state STATE [within TIME] */
static bool expect_state(struct qy_scenario_reader *reader, struct qy_scenario_step *step)
{
	static const char *const states[] = {"connecting", "connected", "refreshing",
					     "backoff",	   "degraded",	"stopped"};
	size_t state = 0;

	step->slack.kind = QY_SCENARIO_SLACK_EXPECT_STATE;
	if (!qy_scenario__choice(reader, "state of slack", states,
				 sizeof(states) / sizeof(states[0]), &state)) {
		return false;
	}
	step->slack.word = states[state];
	return read_within(reader, step);
}

/* opens N [within TIME] */
static bool expect_opens(struct qy_scenario_reader *reader, struct qy_scenario_step *step)
{
	step->slack.kind = QY_SCENARIO_SLACK_EXPECT_OPENS;
	return read_number(reader, "number of opens", 0, NUMBER_MAX, &step->slack.number) &&
	       read_within(reader, step);
}

/* connections N [within TIME] | connections at most N */
static bool expect_connections(struct qy_scenario_reader *reader, struct qy_scenario_step *step)
{
	bool bound = qy_scenario__take(reader, "at");

	step->slack.kind =
	    bound ? QY_SCENARIO_SLACK_EXPECT_AT_MOST : QY_SCENARIO_SLACK_EXPECT_CONNECTIONS;
	if ((bound && !qy_scenario__must(reader, "most", "at most N")) ||
	    !read_number(reader, "number of connections", 0, LINKS_MAX, &step->slack.number)) {
		return false;
	}
	return bound || read_within(reader, step);
}

/* close CODE [on N] [within TIME] */
static bool expect_close(struct qy_scenario_reader *reader, struct qy_scenario_step *step)
{
	step->slack.kind = QY_SCENARIO_SLACK_EXPECT_CLOSE;
	return read_close(reader, step) && read_within(reader, step);
}

static bool read_expect(struct qy_scenario_reader *reader, struct qy_scenario_step *step)
{
	static const char *const words[] = {"ack", "no", "state", "opens", "connections", "close"};
	static read_fn *const readers[] = {expect_ack,	 expect_no,	     expect_state,
					   expect_opens, expect_connections, expect_close};
	size_t which = 0;

	return qy_scenario__choice(reader, "expectation of slack", words,
				   sizeof(words) / sizeof(words[0]), &which) &&
	       readers[which](reader, step);
}

/* --- all of them ---------------------------------------------------------------------------- */

static const char *const words[] = {"hello", "greets", "send",	"disconnect", "close", "drop",
				    "deaf",  "silent", "awake", "refuse",     "allow", "expect"};
/* In the order of the words, which is that of their kinds. */
static read_fn *const readers[] = {NULL,       NULL,	    read_send,	read_disconnect,
				   read_close, read_on,	    read_on,	read_on,
				   read_on,    read_refuse, read_allow, read_expect};

bool qy_scenario__slack(struct qy_scenario_reader *reader, struct qy_scenario_at at)
{
	struct qy_scenario_step *step = qy_scenario__add(reader, QY_SCENARIO_SLACK, at);
	size_t which = 0;

	reader->scenario->has_slack = true;
	if (!step || !qy_scenario__choice(reader, "word of slack", words,
					  sizeof(words) / sizeof(words[0]), &which)) {
		return false;
	}
	step->slack.kind = (enum qy_scenario_slack_kind)which;
	if (reader->scenario->server && !reader->scenario->slack) {
		return qy_scenario__fail(reader, at,
					 "place must say where slack starts, too: slack=legacy");
	}
	return (!readers[which] || readers[which](reader, step)) && qy_scenario__end(reader);
}
