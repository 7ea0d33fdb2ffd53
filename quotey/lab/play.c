/* The statements in their order, blocks and branches, and the names with their values. */
#include "quotey/lab/play.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "quotey/lab/play_internal.h"

enum { FAILURE_SIZE = 1024 };

void qy_play_result_fini(struct qy_play_result *result)
{
	if (result) {
		qy_transcript_fini(&result->transcript);
		qy_buffer_fini(&result->report);
	}
}

/* --- notes ---------------------------------------------------------------------------------- */

void qy_player_fail(struct qy_player *player, struct qy_scenario_at at, const char *format, ...)
{
	struct qy_play_result *result = player->stage->result;
	char text[FAILURE_SIZE];
	va_list args;
	int used;

	if (result->failures++ >= QY_PLAY_FAILURES_KEPT) {
		return;
	}
	used = snprintf(text, sizeof(text), "%.200s:%u:%u: ", player->stage->scenario->file,
			at.line, at.column);
	va_start(args, format);
	vsnprintf(text + used, sizeof(text) - (size_t)used, format, args);
	va_end(args);
	qy_buffer_text(&result->report, text);
	qy_buffer_text(&result->report, "\n");
}

void qy_player_note(struct qy_player *player, const struct qy_scenario_step *step,
		    const char *format, ...)
{
	char text[FAILURE_SIZE];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	qy_transcript_add(player->out, "== %u ", step->at.line);
	qy_transcript_masked(player->out, text);
	qy_transcript_add(player->out, "\n");
}

/* --- values --------------------------------------------------------------------------------- */

enum qrt_err qy_player_set(struct qy_player *player, size_t name, const char *value, size_t n)
{
	char *copy = malloc(n + 1);

	if (!copy) {
		return QRT_ENOMEM;
	}
	memcpy(copy, value, n);
	copy[n] = '\0';
	free(player->values[name]);
	player->values[name] = copy;
	return QRT_OK;
}

static void append_value(const struct qy_player *player, size_t name, struct qy_buffer *out)
{
	char number[24];

	if (player->stage->scenario->names[name].kind == QY_SCENARIO_COUNTER) {
		snprintf(number, sizeof(number), "%" PRIu64, player->stage->counters[name]);
		qy_buffer_text(out, number);
	} else if (player->values[name]) {
		qy_buffer_text(out, player->values[name]);
	}
}

void qy_player_expand(const struct qy_player *player, const struct qy_scenario_text *text,
		      struct qy_buffer *out)
{
	qy_buffer_text(out, "");
	for (const struct qy_scenario_piece *piece = text->first; piece; piece = piece->next) {
		if (!piece->bytes) {
			append_value(player, piece->name, out);
		}
		for (unsigned i = 0; piece->bytes && i < piece->times && !out->err; i++) {
			qy_buffer_bytes(out, piece->bytes, piece->n_bytes);
		}
	}
}

enum qrt_err qy_player_open(struct qrt_cx *cx, struct qy_player *player, char *const *values)
{
	size_t n = player->stage->scenario->n_names;

	player->values = calloc(n + 1, sizeof(*player->values));
	if (!player->values) {
		return QRT_ENOMEM;
	}
	for (size_t i = 0; values && i < n; i++) {
		if (values[i] && qy_player_set(player, i, values[i], strlen(values[i]))) {
			return QRT_ENOMEM;
		}
	}
	return qrt_region_open(cx, QRT_FAIL_FAST, &player->home);
}

enum qrt_err qy_player_close(struct qrt_cx *cx, struct qy_player *player, enum qrt_err err)
{
	if (player->home) {
		qrt_stream_close(cx, &player->stream);
		err = qrt_region_close(cx, &player->home, err);
	}
	for (size_t i = 0; player->values && i < player->stage->scenario->n_names; i++) {
		free(player->values[i]);
	}
	free(player->values);
	player->values = NULL;
	return err;
}

/* --- blocks --------------------------------------------------------------------------------- */

static enum qrt_err play_loop(struct qrt_cx *cx, struct qy_player *player,
			      const struct qy_scenario_step *step)
{
	enum qrt_err err = QRT_OK;

	for (unsigned i = step->from; i <= step->to && !err; i++) {
		if (step->kind == QY_SCENARIO_FOR) {
			char number[16];
			int n = snprintf(number, sizeof(number), "%u", i);

			err = qy_player_set(player, step->name, number, (size_t)n);
		}
		if (!err) {
			err = qy_player_run(cx, player, step->first);
		}
	}
	return err;
}

struct branch {
	struct qy_player player;
	struct qy_transcript out;
	char *const *values; /* of who divides */
	const struct qy_scenario_step *first;
};

static enum qrt_err play_branch(struct qrt_cx *cx, void *arg)
{
	struct branch *branch = arg;
	enum qrt_err err = qy_player_open(cx, &branch->player, branch->values);

	if (!err) {
		err = qy_player_run(cx, &branch->player, branch->first);
	}
	return qy_player_close(cx, &branch->player, err);
}

static size_t count_branches(const struct qy_scenario_step *step)
{
	size_t n = 0;

	for (const struct qy_scenario_step *branch = step->first; branch; branch = branch->next) {
		n += branch->to;
	}
	return n;
}

static enum qrt_err spawn_branches(struct qrt_region *region, struct qy_player *player,
				   const struct qy_scenario_step *step, struct branch *branches)
{
	enum qrt_err err = QRT_OK;
	size_t n = 0;

	for (const struct qy_scenario_step *part = step->first; part; part = part->next) {
		for (unsigned i = 0; i < part->to && !err; i++) {
			struct branch *branch = &branches[n++];

			branch->player.stage = player->stage;
			branch->player.out = &branch->out;
			branch->values = player->values;
			branch->first = part->first;
			qy_transcript_init(&branch->out, player->out->loose);
			branch->out.none = player->out->none;
			err = qrt_spawn(region, play_branch, branch);
		}
	}
	return err;
}

/* What branches note follows in the order in which they are written, whoever was first. */
static enum qrt_err play_together(struct qrt_cx *cx, struct qy_player *player,
				  const struct qy_scenario_step *step)
{
	size_t n = count_branches(step);
	struct branch *branches = calloc(n, sizeof(*branches));
	struct qrt_region *region;
	enum qrt_err err;

	if (!branches) {
		return qrt_fail(cx, QRT_ENOMEM, "%zu branches", n);
	}
	err = qrt_region_open(cx, QRT_FAIL_FAST, &region);
	if (!err) {
		err = spawn_branches(region, player, step, branches);
		err = qrt_region_close(cx, &region, err);
	}
	for (size_t i = 0; i < n; i++) {
		if (!err && branches[i].out.text.err) {
			err = qrt_fail(cx, branches[i].out.text.err, "the transcript of a branch");
		}
		if (!err && branches[i].out.text.len > 0) {
			qy_buffer_bytes(&player->out->text, branches[i].out.text.data,
					branches[i].out.text.len);
		}
		qy_transcript_fini(&branches[i].out);
	}
	free(branches);
	return err;
}

/* --- statements ----------------------------------------------------------------------------- */

static enum qrt_err play_wait(struct qrt_cx *cx, struct qy_player *player,
			      const struct qy_scenario_step *step)
{
	/* A server may close a connection that is idle for long: nobody counts on it. */
	qrt_stream_close(cx, &player->stream);
	return qrt_sleep(cx, step->ns);
}

typedef enum qrt_err play_fn(struct qrt_cx *cx, struct qy_player *player,
			     const struct qy_scenario_step *step);

static play_fn *const players[QY_SCENARIO_KINDS] = {
    [QY_SCENARIO_REQUEST] = qy_play_ask,    [QY_SCENARIO_RAW] = qy_play_ask,
    [QY_SCENARIO_MOVE] = qy_play_move,	    [QY_SCENARIO_ROLLBACK] = qy_play_move,
    [QY_SCENARIO_WAIT] = play_wait,	    [QY_SCENARIO_FAULT] = qy_play_in_lab,
    [QY_SCENARIO_HEAL] = qy_play_in_lab,    [QY_SCENARIO_CRASH] = qy_play_in_lab,
    [QY_SCENARIO_REPEAT] = play_loop,	    [QY_SCENARIO_FOR] = play_loop,
    [QY_SCENARIO_TOGETHER] = play_together, [QY_SCENARIO_SQL] = qy_play_query,
    [QY_SCENARIO_CHECK] = qy_play_check,    [QY_SCENARIO_SLACK] = qy_play_slack,
};

enum qrt_err qy_player_run(struct qrt_cx *cx, struct qy_player *player,
			   const struct qy_scenario_step *step)
{
	enum qrt_err err = QRT_OK;

	for (; step && !err; step = step->next) {
		/* Seeds and keys were there before Quotey was. */
		if (players[step->kind]) {
			err = players[step->kind](cx, player, step);
		}
		if (!err && player->out->text.err) {
			err = qrt_fail(cx, player->out->text.err, "the transcript");
		}
	}
	return err;
}

/* --- the whole ------------------------------------------------------------------------------ */

static void choose_places(const struct qy_stage *stage, struct qy_stage_places *ret_places)
{
	const struct qy_scenario *scenario = stage->scenario;
	const struct qy_play_setup *setup = stage->setup;
	const char *slack = setup->slack ? setup->slack : setup->server;

	snprintf(ret_places->server, sizeof(ret_places->server), "%s",
		 scenario->server ? scenario->server : setup->server);
	snprintf(ret_places->db, sizeof(ret_places->db), "%s",
		 scenario->db ? scenario->db : setup->db);
	snprintf(ret_places->slack, sizeof(ret_places->slack), "%s",
		 scenario->slack ? scenario->slack : slack);
}

static enum qrt_err check_places(struct qrt_cx *cx, const struct qy_stage *stage,
				 const struct qy_stage_places *places)
{
	const char *const needed[] = {places->server, places->db, places->slack};

	for (size_t i = 0; i < (stage->scenario->has_slack ? 3 : 2); i++) {
		size_t place = 0;

		while (place < stage->setup->n_places &&
		       strcmp(stage->setup->places[place].name, needed[i]) != 0) {
			place++;
		}
		if (place == stage->setup->n_places) {
			return qrt_fail(cx, QRT_ENOTSUP, "there is no %s to start on here",
					needed[i]);
		}
	}
	return QRT_OK;
}

static enum qrt_err play_all(struct qrt_cx *cx, struct qy_player *player)
{
	struct qy_stage *stage = player->stage;
	struct qy_stage_places places;
	enum qrt_err err;

	if (stage->scenario->only_lab && !stage->setup->lab) {
		return qrt_fail(cx, QRT_ENOTSUP, "the scenario is for a lab only");
	}
	choose_places(stage, &places);
	err = check_places(cx, stage, &places);
	if (!err) {
		err = qy_stage_fill(cx, player);
	}
	if (!err) {
		err = qy_stage_open(cx, stage, &places);
	}
	return err ? err : qy_player_run(cx, player, stage->scenario->first);
}

/* Ends what was begun, whatever has become of it; the first error is the one to tell. */
static enum qrt_err end_stage(struct qrt_cx *cx, struct qy_stage *stage, enum qrt_err err)
{
	char detail[256];
	enum qrt_err end = QRT_OK;

	snprintf(detail, sizeof(detail), "%s", err ? qrt_detail(cx) : "");
	if (stage->faulty && stage->setup->lab->heal) {
		end = stage->setup->lab->heal(cx, stage->setup->lab->arg);
	}
	if (!end) {
		end = qy_stage_close(cx, stage);
	} else {
		QRT_IGNORE(qy_stage_close(cx, stage), "the heal has failed already");
	}
	if (!err && !end && !stage->setup->no_transcript) {
		end = qy_stage_dump(cx, stage, &stage->result->transcript);
	}
	return err ? qrt_fail(cx, err, "%s", detail) : end;
}

/* First what Quotey connects to, then Quotey; the other way round at the end. */
static enum qrt_err play_outside_in(struct qrt_cx *cx, struct qy_player *player)
{
	struct qy_stage *stage = player->stage;
	enum qrt_err err = qy_stage_open_outside(cx, stage);

	if (!err) {
		err = qy_player_open(cx, player, NULL);
		if (!err) {
			err = play_all(cx, player);
		}
		err = qy_player_close(cx, player, err);
		err = end_stage(cx, stage, err);
	}
	return qy_stage_close_outside(cx, stage, err);
}

enum qrt_err qy_play(struct qrt_cx *cx, const struct qy_scenario *scenario,
		     const struct qy_play_setup *setup, struct qy_play_result *ret_result)
{
	struct qy_stage stage = {.scenario = scenario, .setup = setup, .result = ret_result};
	struct qy_player player = {.stage = &stage, .out = &ret_result->transcript};
	enum qrt_err err;

	*ret_result = (struct qy_play_result){0};
	qy_transcript_init(&ret_result->transcript, scenario->together);
	ret_result->transcript.none = setup->no_transcript;
	qy_buffer_init(&ret_result->report, QY_PLAY_REPORT_MAX);
	stage.server_env.listen_fd = -1;
	stage.counters = calloc(scenario->n_names + 1, sizeof(*stage.counters));
	err = stage.counters ? qrt_mutex_open(cx, &stage.whole)
			     : qrt_fail(cx, QRT_ENOMEM, "counters");
	if (!err) {
		err = play_outside_in(cx, &player);
		QRT_IGNORE(qrt_mutex_close(&stage.whole), "every player has ended");
	}
	free(stage.counters);
	if (!err && ret_result->report.err) {
		err = qrt_fail(cx, ret_result->report.err, "the report");
	}
	return err;
}
