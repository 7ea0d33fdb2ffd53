/* `slack`: what the local Slack says and does, and what is expected of it and of Quotey. */
#include <stdio.h>
#include <string.h>

#include "quotey/lab/play_internal.h"

/* As for requests: what is expected comes within a minute, or not at all. */
#define PATIENCE (60 * QRT_SEC)
/* But one that has vanished is only noticed after 75 s. */
#define LINK_PATIENCE (120 * QRT_SEC)
#define LOOK_EVERY (10 * QRT_MS)
#define TEXT_MAX_BYTES ((size_t)4 << 20)

enum { SHOWN = 200 };

/* A statement that is played. */
struct say {
	struct qy_player *player;
	const struct qy_scenario_step *step;
	const struct qy_scenario_slack *what;
	struct qy_lab_slack *slack;
	const char *text; /* a frame, an envelope's id; or "" */
	struct qy_lab_slack_link *link;
};

/* --- waiting -------------------------------------------------------------------------------- */

typedef bool holds_fn(struct say *say);

static int64_t patience_of(const struct say *say)
{
	return say->what->ns > 0 ? say->what->ns : PATIENCE;
}

/* *ret_held: whether it came to hold in time. */
static enum qrt_err await(struct qrt_cx *cx, struct say *say, int64_t ns, holds_fn *holds,
			  bool *ret_held)
{
	struct qrt_case cases[] = {qrt_case_notified(say->slack->changed)};
	int64_t until_ns = qrt_deadline_in(cx, ns);
	enum qrt_err err = QRT_OK;
	size_t which;

	while (!(*ret_held = holds(say)) && !err) {
		err = qrt_select_until(cx, QRT_SELECT_ORDERED, cases, 1, until_ns, &which);
	}
	return err == QRT_ETIMEDOUT && qrt_deadline_in(cx, 0) >= until_ns ? QRT_OK : err;
}

/* The same for what nobody tells of: it is looked at now and then. */
static enum qrt_err await_looking(struct qrt_cx *cx, struct say *say, int64_t ns, holds_fn *holds,
				  bool *ret_held)
{
	int64_t until_ns = qrt_deadline_in(cx, ns);
	enum qrt_err err = QRT_OK;

	while (!(*ret_held = holds(say)) && !err && qrt_deadline_in(cx, 0) < until_ns) {
		err = qrt_sleep(cx, LOOK_EVERY);
	}
	return err;
}

static void told(struct say *say, const char *what)
{
	qy_transcript_add(say->player->out, "> %s\n", what);
}

/* --- what it says --------------------------------------------------------------------------- */

static bool somebody_is_strange(struct say *say)
{
	say->link = qy_lab_slack_stranger(say->slack);
	return say->link != NULL;
}

static enum qrt_err say_hello(struct qrt_cx *cx, struct say *say)
{
	bool held = false;
	enum qrt_err err = await(cx, say, LINK_PATIENCE, somebody_is_strange, &held);

	if (err) {
		return err;
	}
	if (!held || qy_lab_slack_greet(cx, say->link)) {
		qy_player_fail(say->player, say->step->at, "%s",
			       held ? "the connection was lost before it had its hello"
				    : "nobody has connected");
		held = false;
	}
	told(say, held ? "said" : "nobody");
	return qrt_checkpoint(cx);
}

static enum qrt_err greet_all(struct qrt_cx *cx, struct say *say)
{
	say->slack->greets = true;
	while (somebody_is_strange(say)) {
		if (qy_lab_slack_greet(cx, say->link)) {
			break; /* it has ended already */
		}
	}
	told(say, "done");
	return qrt_checkpoint(cx);
}

static bool is_there(struct say *say)
{
	say->link = qy_lab_slack_find(say->slack, say->what->connection);
	return say->link != NULL;
}

/* The connection that is meant; NULL: there is none, which has been told. */
static enum qrt_err find_link(struct qrt_cx *cx, struct say *say)
{
	bool held = false;
	enum qrt_err err = await(cx, say, LINK_PATIENCE, is_there, &held);

	if (!err && !held) {
		qy_player_fail(say->player, say->step->at, "there is no such connection");
		told(say, "no connection");
	}
	return err;
}

static enum qrt_err send_frame(struct qrt_cx *cx, struct say *say)
{
	enum qrt_err err = find_link(cx, say);

	if (!err && say->link != NULL) {
		/* One that is lost meanwhile is known by what is never acked. */
		QRT_IGNORE(qy_lab_slack_send(cx, say->link, say->text), "it is sent again");
		told(say, "sent");
	}
	return err ? err : qrt_checkpoint(cx);
}

static enum qrt_err send_disconnect(struct qrt_cx *cx, struct say *say)
{
	char frame[160];
	enum qrt_err err = find_link(cx, say);

	snprintf(frame, sizeof(frame), "{\"type\":\"disconnect\",\"reason\":\"%s\"}",
		 say->what->word);
	if (!err && say->link != NULL) {
		QRT_IGNORE(qrt_ws_send_text(cx, say->link->ws, frame), "then it is gone already");
		told(say, "sent");
	}
	return err ? err : qrt_checkpoint(cx);
}

static enum qrt_err close_link(struct qrt_cx *cx, struct say *say)
{
	enum qrt_err err = find_link(cx, say);

	if (!err && say->link != NULL) {
		QRT_IGNORE(qrt_ws_shutdown(cx, say->link->ws, say->what->number, NULL),
			   "it has ended in any case");
		told(say, "closed");
	}
	return err ? err : qrt_checkpoint(cx);
}

static enum qrt_err drop_link(struct qrt_cx *cx, struct say *say)
{
	enum qrt_err err = find_link(cx, say);

	if (!err && say->link != NULL) {
		qy_lab_slack_break(cx, say->link);
		told(say, "dropped");
	}
	return err;
}

static enum qrt_err pass(struct qrt_cx *cx, struct say *say)
{
	static const enum qy_lab_slack_passage passages[QY_SCENARIO_SLACK_KINDS] = {
	    [QY_SCENARIO_SLACK_DEAF] = QY_LAB_SLACK_DEAF,
	    [QY_SCENARIO_SLACK_SILENT] = QY_LAB_SLACK_SILENT,
	    [QY_SCENARIO_SLACK_AWAKE] = QY_LAB_SLACK_OPEN,
	};
	enum qrt_err err = find_link(cx, say);

	if (!err && say->link != NULL) {
		say->link->passage = passages[say->what->kind];
		qy_lab_slack_changed(say->slack);
		told(say, "done");
	}
	return err;
}

static enum qrt_err set_refusal(struct qrt_cx *cx, struct say *say)
{
	struct qy_lab_slack *slack = say->slack;

	(void)cx;
	snprintf(slack->refusal, sizeof(slack->refusal), "%s",
		 say->what->word != NULL ? say->what->word : "");
	slack->refusals = say->what->number;
	slack->retry_after_secs = (unsigned)((say->what->ns + QRT_SEC - 1) / QRT_SEC);
	told(say, "done");
	return QRT_OK;
}

/* --- what is expected of it ----------------------------------------------------------------- */

static bool is_acked(struct say *say)
{
	unsigned times = say->what->number > 0 ? say->what->number : 1;

	return qy_lab_slack_acks(say->slack, say->text) >= times;
}

static enum qrt_err expect_ack(struct qrt_cx *cx, struct say *say)
{
	bool held = false;
	enum qrt_err err = await(cx, say, patience_of(say), is_acked, &held);

	if (!err && !held) {
		qy_player_fail(say->player, say->step->at, "expected %u acks of %.64s, got %u",
			       say->what->number > 0 ? say->what->number : 1, say->text,
			       qy_lab_slack_acks(say->slack, say->text));
	}
	told(say, held ? "acked" : "no ack");
	return err;
}

static enum qrt_err expect_no_ack(struct qrt_cx *cx, struct say *say)
{
	bool held = false;
	enum qrt_err err = await(cx, say, patience_of(say), is_acked, &held);

	if (!err && held) {
		qy_player_fail(say->player, say->step->at, "expected no ack of %.64s, got one",
			       say->text);
	}
	told(say, held ? "acked" : "no ack");
	return err;
}

static int state_of(const struct say *say)
{
	return atomic_load(&say->player->stage->slack_status.state);
}

static bool has_state(struct say *say)
{
	return strcmp(qy_slack_state_name(state_of(say)), say->what->word) == 0;
}

static enum qrt_err expect_state(struct qrt_cx *cx, struct say *say)
{
	bool held = false;
	enum qrt_err err = await_looking(cx, say, patience_of(say), has_state, &held);

	if (!err && !held) {
		qy_player_fail(say->player, say->step->at, "expected slack to be %s, it is %s",
			       say->what->word, qy_slack_state_name(state_of(say)));
	}
	told(say, held ? say->what->word : "another state");
	return err;
}

static bool has_opens(struct say *say)
{
	return say->slack->opens >= say->what->number;
}

static bool has_connections(struct say *say)
{
	return say->slack->open_now == say->what->number;
}

static void tell_number(struct say *say, const char *what, bool held, unsigned number)
{
	if (!held) {
		qy_player_fail(say->player, say->step->at, "expected %u %s, got %u",
			       say->what->number, what, number);
	}
	told(say, held ? "so many" : "another number");
}

static enum qrt_err expect_opens(struct qrt_cx *cx, struct say *say)
{
	bool held = false;
	enum qrt_err err = await(cx, say, patience_of(say), has_opens, &held);

	if (!err) {
		tell_number(say, "opens", say->slack->opens == say->what->number,
			    say->slack->opens);
	}
	return err;
}

static enum qrt_err expect_connections(struct qrt_cx *cx, struct say *say)
{
	bool held = false;
	enum qrt_err err = await(cx, say, patience_of(say), has_connections, &held);

	if (!err) {
		tell_number(say, "connections", held, say->slack->open_now);
	}
	return err;
}

static enum qrt_err expect_at_most(struct qrt_cx *cx, struct say *say)
{
	unsigned peak = say->slack->open_peak;

	(void)cx;
	if (peak > say->what->number) {
		qy_player_fail(say->player, say->step->at,
			       "expected at most %u connections, there were %u", say->what->number,
			       peak);
	}
	told(say, peak > say->what->number ? "more" : "no more");
	return QRT_OK;
}

static bool has_ended(struct say *say)
{
	unsigned number =
	    say->what->connection > 0 ? say->what->connection : say->slack->last_ended;

	say->link =
	    number > 0 && number <= say->slack->n_links ? say->slack->links[number - 1] : NULL;
	return say->link != NULL && say->link->ended;
}

static enum qrt_err expect_close(struct qrt_cx *cx, struct say *say)
{
	bool held = false;
	enum qrt_err err = await(cx, say, patience_of(say), has_ended, &held);

	if (!err && held) {
		held = say->link->closed_by_quotey && say->link->code == say->what->number;
	}
	if (!err && !held) {
		qy_player_fail(say->player, say->step->at, "expected a close with %u, got %s %u",
			       say->what->number,
			       say->link == NULL || !say->link->ended ? "none"
			       : say->link->closed_by_quotey	      ? "one with"
								      : "an end of another kind",
			       say->link != NULL ? say->link->code : 0);
	}
	told(say, held ? "closed" : "another end");
	return err;
}

/* --- all of them ---------------------------------------------------------------------------- */

typedef enum qrt_err say_fn(struct qrt_cx *cx, struct say *say);

static const struct {
	const char *words;
	say_fn *play;
} kinds[QY_SCENARIO_SLACK_KINDS] = {
    [QY_SCENARIO_SLACK_HELLO] = {"hello", say_hello},
    [QY_SCENARIO_SLACK_GREETS] = {"greets", greet_all},
    [QY_SCENARIO_SLACK_SEND] = {"send", send_frame},
    [QY_SCENARIO_SLACK_DISCONNECT] = {"disconnect", send_disconnect},
    [QY_SCENARIO_SLACK_CLOSE] = {"close", close_link},
    [QY_SCENARIO_SLACK_DROP] = {"drop", drop_link},
    [QY_SCENARIO_SLACK_DEAF] = {"deaf", pass},
    [QY_SCENARIO_SLACK_SILENT] = {"silent", pass},
    [QY_SCENARIO_SLACK_AWAKE] = {"awake", pass},
    [QY_SCENARIO_SLACK_REFUSE] = {"refuse open", set_refusal},
    [QY_SCENARIO_SLACK_ALLOW] = {"allow open", set_refusal},
    [QY_SCENARIO_SLACK_EXPECT_ACK] = {"expect ack", expect_ack},
    [QY_SCENARIO_SLACK_EXPECT_NO_ACK] = {"expect no ack", expect_no_ack},
    [QY_SCENARIO_SLACK_EXPECT_STATE] = {"expect state", expect_state},
    [QY_SCENARIO_SLACK_EXPECT_OPENS] = {"expect opens", expect_opens},
    [QY_SCENARIO_SLACK_EXPECT_CONNECTIONS] = {"expect connections", expect_connections},
    [QY_SCENARIO_SLACK_EXPECT_AT_MOST] = {"expect connections at most", expect_at_most},
    [QY_SCENARIO_SLACK_EXPECT_CLOSE] = {"expect close", expect_close},
};

static void note(const struct say *say)
{
	const struct qy_scenario_slack *what = say->what;
	char number[24] = "";

	if (what->number > 0) {
		snprintf(number, sizeof(number), " %u", what->number);
	}
	qy_player_note(say->player, say->step, "slack %s%s%s%s%s%.*s", kinds[what->kind].words,
		       what->word != NULL ? " " : "", what->word != NULL ? what->word : "", number,
		       say->text[0] != '\0' ? " " : "", SHOWN, say->text);
}

enum qrt_err qy_play_slack(struct qrt_cx *cx, struct qy_player *player,
			   const struct qy_scenario_step *step)
{
	struct say say = {.player = player,
			  .step = step,
			  .what = &step->slack,
			  .slack = &player->stage->slack,
			  .text = ""};
	struct qy_buffer text;
	enum qrt_err err;

	qy_buffer_init(&text, TEXT_MAX_BYTES);
	qy_player_expand(player, &step->text, &text);
	if (text.err) {
		err = qrt_fail(cx, text.err, "line %u: the frame", step->at.line);
	} else {
		say.text = text.data;
		note(&say);
		err = kinds[step->slack.kind].play(cx, &say);
	}
	qy_buffer_fini(&text);
	return err;
}
