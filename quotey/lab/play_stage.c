/* The stage: a database, a listening socket, and the two components behind a switchboard. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "quotey/db/dump.h"
#include "quotey/db/migrate.h"
#include "quotey/db/migrations.h"
#include "quotey/lab/play_internal.h"

/* Who is asked on an old connection still answers for so long. */
#define LINGER QRT_SEC
#define READERS 2

static const char address[] = "127.0.0.1";
static const char actor[] = "user:scenario";

/* --- the database --------------------------------------------------------------------------- */

static enum qrt_err load_seed(struct qrt_cx *cx, struct qy_store *store)
{
	struct qy_seed_report report;
	enum qrt_err err = qy_store_seed_load(cx, store, &report);

	if (!err && report.passed != report.count) {
		err = qrt_fail(cx, QRT_EFAILED, "seed: %zu of %zu checks passed",
			       (size_t)report.passed, (size_t)report.count);
	}
	return err;
}

static enum qrt_err make_key(struct qrt_cx *cx, struct qy_player *player, struct qy_store *store,
			     const struct qy_scenario_step *step)
{
	const char *name = player->stage->scenario->names[step->name].text;
	struct qy_apikey spec = {.scopes = step->scopes, .rate_per_minute = step->rate};
	char text[QY_APIKEY_TEXT_SIZE];
	struct qy_fault fault;
	enum qrt_err err;

	snprintf(spec.name, sizeof(spec.name), "%s", name);
	err = qy_store_apikey_create(cx, store, &spec, text, &fault);
	if (!err && fault.kind != QY_FAULT_NONE) {
		err = qrt_fail(cx, QRT_EFAILED, "key %s: %s", name, fault.text);
	}
	return err ? err : qy_player_set(player, step->name, text, strlen(text));
}

static enum qrt_err fill(struct qrt_cx *cx, struct qy_player *player, struct qy_store *store)
{
	struct qy_migrate_report migrated;
	const struct qy_scenario_step *step = player->stage->scenario->first;
	enum qrt_err err = qy_migrate_up(cx, store->db, &qy_migrations, 0, &migrated);

	for (; step && !err; step = step->next) {
		if (step->kind == QY_SCENARIO_SEED) {
			err = load_seed(cx, store);
		} else if (step->kind == QY_SCENARIO_MAKE_KEY) {
			err = make_key(cx, player, store, step);
		} else {
			break;
		}
	}
	return err;
}

enum qrt_err qy_stage_fill(struct qrt_cx *cx, struct qy_player *player)
{
	struct qy_stage *stage = player->stage;
	struct qy_store store;
	enum qrt_err err;

	stage->db_env.options =
	    (struct qrt_db_options){.url = stage->setup->database_url,
				    .readers = READERS,
				    .synchronous_full = stage->setup->synchronous_full};
	err = qrt_db_open(cx, &stage->db_env.options, &store.db);
	if (err) {
		return err;
	}
	err = fill(cx, player, &store);
	qrt_db_close(cx, &store.db);
	return err;
}

enum qrt_err qy_stage_dump(struct qrt_cx *cx, struct qy_stage *stage, struct qy_transcript *out)
{
	struct qy_store store;
	char *text;
	enum qrt_err err = qrt_db_open(cx, &stage->db_env.options, &store.db);

	if (err) {
		return err;
	}
	err = qy_store_dump(cx, &store, &text);
	if (!err) {
		qy_transcript_add(out, QY_TRANSCRIPT_TABLES "\n");
		qy_transcript_sorted(out, text);
		free(text);
		err = out->text.err ? qrt_fail(cx, out->text.err, "the transcript") : QRT_OK;
	}
	qrt_db_close(cx, &store.db);
	return err;
}

/* --- the components ------------------------------------------------------------------------- */

static enum qrt_err add_places(struct qy_stage *stage)
{
	enum qrt_err err = QRT_OK;

	for (size_t i = 0; i < stage->setup->n_places && !err; i++) {
		err = qrt_switchboard_add_runtime(stage->sb, stage->setup->places[i].name,
						  stage->setup->places[i].rt);
	}
	return err;
}

static enum qrt_err add_server(struct qrt_cx *cx, struct qy_stage *stage)
{
	int fd = -1;
	/* After a crash on the port of before. */
	enum qrt_err err = qrt_socket_listen(cx, address, stage->port, &fd, &stage->port);

	if (err) {
		return err;
	}
	stage->server_env.listen_fd = fd;
	stage->server_env.linger_ns = LINGER;
	stage->server_env.db = qrt_switchboard_port(stage->sb, "db");
	return qrt_switchboard_add_component(stage->sb, &qy_server_component, &stage->server_env);
}

static enum qrt_err add_slack(struct qy_stage *stage)
{
	enum qrt_err err;

	if (!stage->scenario->has_slack) {
		return QRT_OK;
	}
	snprintf(stage->slack_api, sizeof(stage->slack_api), "http://%s:%u/api", address,
		 stage->slack.api_port);
	stage->slack_env = (struct qy_slack_env){
	    .db = qrt_switchboard_port(stage->sb, "db"),
	    .api_base_url = stage->slack_api,
	    .app_token = QY_LAB_SLACK_TOKEN,
	    .figures = {.base_delay_ms = 250, .max_delay_ms = 5000, .max_retries = 5},
	    .status = &stage->slack_status,
	};
	err = qrt_switchboard_add_component(stage->sb, &qy_slack_component, &stage->slack_env);
	stage->slack_env.self = qrt_switchboard_port(stage->sb, "slack");
	return err;
}

static enum qrt_err add_components(struct qrt_cx *cx, struct qy_stage *stage)
{
	enum qrt_err err = add_places(stage);

	if (!err) {
		err = qrt_switchboard_add_component(stage->sb, &qy_db_component, &stage->db_env);
	}
	if (!err) {
		err = add_server(cx, stage);
	}
	return err ? err : add_slack(stage);
}

enum qrt_err qy_stage_open(struct qrt_cx *cx, struct qy_stage *stage,
			   const struct qy_stage_places *places)
{
	const struct qrt_switchboard_options opts = {0};
	const struct {
		const char *component, *place;
	} starts[] = {{"db", places->db}, {"server", places->server}, {"slack", places->slack}};
	size_t n = stage->scenario->has_slack ? 3 : 2;
	struct qrt_move move;
	enum qrt_err err = qrt_switchboard_create(&opts, &stage->sb);

	if (!err) {
		err = add_components(cx, stage);
	}
	for (size_t i = 0; i < n && !err; i++) {
		err = qrt_switchboard_move(cx, stage->sb, starts[i].component, starts[i].place,
					   actor, "start", &move);
	}
	return err ? qrt_prefix(cx, err, "open Quotey") : QRT_OK;
}

enum qrt_err qy_stage_close(struct qrt_cx *cx, struct qy_stage *stage)
{
	enum qrt_err err = stage->sb ? qrt_switchboard_stop(cx, stage->sb) : QRT_OK;

	if (stage->server_env.listen_fd >= 0) {
		qrt_socket_close(cx, stage->server_env.listen_fd);
		stage->server_env.listen_fd = -1;
	}
	qrt_switchboard_destroy(&stage->sb);
	return err;
}

/* --- what is outside of it ------------------------------------------------------------------ */

enum qrt_err qy_stage_open_outside(struct qrt_cx *cx, struct qy_stage *stage)
{
	const struct qrt_region_options opts = {.name = "outside", .policy = QRT_COLLECT};
	enum qrt_err err;

	if (!stage->scenario->has_slack) {
		return QRT_OK;
	}
	err = qrt_region_open_with(cx, &opts, &stage->outside);
	if (!err) {
		err =
		    qy_lab_slack_open(qrt_region_cx(stage->outside), stage->outside, &stage->slack);
		stage->slack.acked = stage->setup->acked;
		stage->slack.acked_arg = stage->setup->arg;
	}
	return err;
}

enum qrt_err qy_stage_close_outside(struct qrt_cx *cx, struct qy_stage *stage, enum qrt_err err)
{
	if (stage->outside == NULL) {
		return err;
	}
	qy_lab_slack_close(qrt_region_cx(stage->outside), &stage->slack);
	err = qrt_region_close(cx, &stage->outside, err);
	qy_lab_slack_forget(&stage->slack);
	return err;
}

/* --- moves ---------------------------------------------------------------------------------- */

static enum qrt_err move_now(struct qrt_cx *cx, struct qy_stage *stage, const char *component,
			     const char *place, struct qrt_move *ret_move)
{
	/* Nobody asks again on a connection to where the server is about to leave. */
	if (strcmp(component, "server") == 0) {
		stage->epoch++;
	}
	stage->result->moves++;
	return place ? qrt_switchboard_move(cx, stage->sb, component, place, actor, "scenario",
					    ret_move)
		     : qrt_switchboard_rollback(cx, stage->sb, component, actor, "scenario",
						ret_move);
}

enum qrt_err qy_play_move(struct qrt_cx *cx, struct qy_player *player,
			  const struct qy_scenario_step *step)
{
	struct qy_stage *stage = player->stage;
	struct qrt_move move = {0};
	struct qrt_lease lease;
	enum qrt_err err, moved;

	qrt_stream_close(cx, &player->stream);
	err = qrt_mutex_lock(cx, stage->whole, &lease);
	if (err) {
		return err;
	}
	moved = move_now(cx, stage, step->word, step->place, &move);
	QRT_IGNORE(qrt_unlock(&lease), "it is held");
	if (moved == QRT_ECANCELED) {
		return moved;
	}
	qy_player_note(player, step, "%s %s%s%s", step->place ? "move" : "rollback", step->word,
		       step->place ? " " : "", step->place ? step->place : "");
	qy_transcript_add(player->out, "> %s\n", moved ? qrt_err_name(moved) : "moved");
	if (moved) {
		qy_player_fail(player, step->at, "%s did not move: %s", step->word,
			       qrt_detail(cx)[0] ? qrt_detail(cx) : qrt_err_text(moved));
	} else if (move.stragglers > 0) {
		qy_player_fail(player, step->at, "%s left work behind: %s", step->word,
			       move.detail);
	}
	return QRT_OK;
}

enum qrt_err qy_play_move_by_turns(struct qrt_cx *cx, struct qy_player *player)
{
	struct qy_stage *stage = player->stage;
	uint64_t every = stage->setup->move_every;
	uint64_t n = stage->asked++;
	struct qrt_move move = {0};
	enum qrt_err err;

	if (every == 0 || n % every != 0) {
		return QRT_OK;
	}
	n /= every;
	qrt_stream_close(cx, &player->stream);
	err = move_now(cx, stage, n % 2 ? "server" : "db", stage->setup->places[n / 2 % 2].name,
		       &move);
	if (!err && move.stragglers > 0) {
		err = qrt_fail(cx, QRT_EFAILED, "%s", move.detail);
	}
	return err ? qrt_prefix(cx, err, "move by turns") : QRT_OK;
}
