/*
 * What the files that play a scenario share: the stage (a whole Quotey and what is counted), and a
 * player (one line of statements with a connection of its own: the file's, or a branch's).
 */
#ifndef QY_LAB_PLAY_INTERNAL_H
#define QY_LAB_PLAY_INTERNAL_H

#include <qrt/stream.h>
#include <qrt/switchboard.h>
#include <qrt/sync.h>

#include "quotey/db/component.h"
#include "quotey/db/store.h"
#include "quotey/lab/http.h"
#include "quotey/lab/play.h"
#include "quotey/lab/slack.h"
#include "quotey/server/server.h"
#include "quotey/slack/slack.h"

struct qy_stage {
	const struct qy_scenario *scenario;
	const struct qy_play_setup *setup;
	struct qy_play_result *result;
	struct qrt_switchboard *sb; /* NULL while Quotey is down */
	struct qy_db_env db_env;
	struct qy_server_env server_env;
	struct qy_slack_env slack_env;
	struct qy_slack_status slack_status;
	char slack_api[64];
	struct qrt_region *outside; /* what is not Quotey: the local Slack */
	struct qy_lab_slack slack;
	uint16_t port;
	struct qrt_mutex *whole; /* whoever moves, crashes or looks into the database */
	uint64_t epoch;		 /* connections of an earlier one are not used again */
	uint64_t asked;
	uint64_t *counters; /* by name */
	bool faulty;	    /* something may still go wrong */
};

struct qy_player {
	struct qy_stage *stage;
	struct qy_transcript *out;
	char **values;		 /* by name; NULL: none */
	struct qrt_region *home; /* answers for the connection */
	struct qrt_stream *stream;
	uint64_t epoch; /* of the connection */
};

/* --- the stage (play_stage.c) --- */

/* Creates and fills the database; the keys go to player->values. */
enum qrt_err qy_stage_fill(struct qrt_cx *cx, struct qy_player *player) QRT_MUST_USE;
/* Where components are. */
struct qy_stage_places {
	char server[16], db[16], slack[16];
};
/* Starts the components there. */
enum qrt_err qy_stage_open(struct qrt_cx *cx, struct qy_stage *stage,
			   const struct qy_stage_places *places) QRT_MUST_USE;
/* Opens what is outside of Quotey, and ends it again; nothing when the scenario needs nothing. */
enum qrt_err qy_stage_open_outside(struct qrt_cx *cx, struct qy_stage *stage) QRT_MUST_USE;
enum qrt_err qy_stage_close_outside(struct qrt_cx *cx, struct qy_stage *stage,
				    enum qrt_err err) QRT_MUST_USE;
/* Ends them and forgets the socket; NULL-safe in all parts. */
enum qrt_err qy_stage_close(struct qrt_cx *cx, struct qy_stage *stage) QRT_MUST_USE;
/* Appends all tables to @out. */
enum qrt_err qy_stage_dump(struct qrt_cx *cx, struct qy_stage *stage,
			   struct qy_transcript *out) QRT_MUST_USE;

/* --- players (play.c) --- */

/* Copies @values, which may be NULL. Opens a region: end with qy_player_close, in any case. */
enum qrt_err qy_player_open(struct qrt_cx *cx, struct qy_player *player,
			    char *const *values) QRT_MUST_USE;
enum qrt_err qy_player_close(struct qrt_cx *cx, struct qy_player *player,
			     enum qrt_err err) QRT_MUST_USE;
/* Plays @step and those that follow it. */
enum qrt_err qy_player_run(struct qrt_cx *cx, struct qy_player *player,
			   const struct qy_scenario_step *step) QRT_MUST_USE;
/* Replaces the value of a name. */
enum qrt_err qy_player_set(struct qy_player *player, size_t name, const char *value,
			   size_t n) QRT_MUST_USE;
/* Appends @text with its values; the error sticks to @out. */
void qy_player_expand(const struct qy_player *player, const struct qy_scenario_text *text,
		      struct qy_buffer *out);
/* Notes that the expectation at @at did not hold. */
void qy_player_fail(struct qy_player *player, struct qy_scenario_at at, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* "== 12 move server region" and a line end. */
void qy_player_note(struct qy_player *player, const struct qy_scenario_step *step,
		    const char *format, ...) __attribute__((format(printf, 3, 4)));

/* --- statements --- */

/* play_ask.c: `METHOD`, `raw` */
enum qrt_err qy_play_ask(struct qrt_cx *cx, struct qy_player *player,
			 const struct qy_scenario_step *step) QRT_MUST_USE;
/* play_judge.c: what the clauses say of an answer; NULL: there was none, because of @why. */
enum qrt_err qy_play_judge(struct qy_player *player, const struct qy_scenario_step *step,
			   const struct qy_lab_answer *answer, const char *why) QRT_MUST_USE;
/* play_stage.c */
enum qrt_err qy_play_move(struct qrt_cx *cx, struct qy_player *player,
			  const struct qy_scenario_step *step) QRT_MUST_USE;
enum qrt_err qy_play_move_by_turns(struct qrt_cx *cx, struct qy_player *player) QRT_MUST_USE;
/* play_lab.c: `fault`, `heal`, `crash` */
enum qrt_err qy_play_in_lab(struct qrt_cx *cx, struct qy_player *player,
			    const struct qy_scenario_step *step) QRT_MUST_USE;
/* play_slack.c: `slack` */
enum qrt_err qy_play_slack(struct qrt_cx *cx, struct qy_player *player,
			   const struct qy_scenario_step *step) QRT_MUST_USE;
/* play_sql.c: `sql`, `check database` */
enum qrt_err qy_play_query(struct qrt_cx *cx, struct qy_player *player,
			   const struct qy_scenario_step *step) QRT_MUST_USE;
enum qrt_err qy_play_check(struct qrt_cx *cx, struct qy_player *player,
			   const struct qy_scenario_step *step) QRT_MUST_USE;

#endif
