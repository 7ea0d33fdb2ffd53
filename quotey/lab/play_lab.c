/* What only a lab can do. On a real backend such a statement is skipped, and says so. */
#include <stdio.h>
#include <string.h>

#include "quotey/db/migrate.h"
#include "quotey/db/migrations.h"
#include "quotey/lab/play_internal.h"

#define START_PAUSE (100 * QRT_MS)

enum { STARTS_MAX = 50 };

static const char *words_of(const struct qy_scenario_step *step)
{
	return step->kind == QY_SCENARIO_FAULT	? step->fault.words
	       : step->kind == QY_SCENARIO_HEAL ? "heal"
						: "crash";
}

static enum qrt_err lacks(struct qrt_cx *cx)
{
	return qrt_fail(cx, QRT_ENOTSUP, "this lab cannot do it");
}

/* As `quotey start` would: brings the schema there, which is also what finds damage. */
static enum qrt_err start_again(struct qrt_cx *cx, struct qy_stage *stage,
				const struct qy_stage_places *places)
{
	struct qy_migrate_report migrated;
	struct qrt_db *database;
	enum qrt_err err = qrt_db_open(cx, &stage->db_env.options, &database);

	if (!err) {
		err = qy_migrate_up(cx, database, &qy_migrations, 0, &migrated);
		qrt_db_close(cx, &database);
	}
	if (!err) {
		err = qy_stage_open(cx, stage, places);
		if (err) {
			char detail[256];

			snprintf(detail, sizeof(detail), "%s", qrt_detail(cx));
			QRT_IGNORE(qy_stage_close(cx, stage), "it did not open");
			err = qrt_fail(cx, err, "%s", detail);
		}
	}
	return err;
}

/* Whether another try may go better: nothing is damaged, and nobody wants it to end. */
static bool may_pass(enum qrt_err err)
{
	return err == QRT_EIO || err == QRT_ENOSPC || err == QRT_EBUSY || err == QRT_ENOENT ||
	       err == QRT_EACCES || err == QRT_EMFILE || err == QRT_EADDRINUSE;
}

/* The disk may still be a bad one; who keeps services running tries more than once. */
static enum qrt_err keep_starting(struct qrt_cx *cx, struct qy_stage *stage,
				  const struct qy_stage_places *places)
{
	enum qrt_err err = start_again(cx, stage, places);

	for (int i = 1; i < STARTS_MAX && may_pass(err); i++) {
		enum qrt_err slept = qrt_sleep(cx, START_PAUSE);

		if (slept) {
			return slept;
		}
		err = start_again(cx, stage, places);
	}
	return err;
}

/* Where the components are now; the switchboard that knows is about to go. */
static void where(struct qy_stage *stage, struct qy_stage_places *ret_places)
{
	const struct {
		const char *component;
		char *place;
	} into[] = {
	    {"server", ret_places->server}, {"db", ret_places->db}, {"slack", ret_places->slack}};
	struct qrt_stage stages[3];
	size_t n = qrt_switchboard_stages(stage->sb, stages, 3);

	for (size_t i = 0; i < n; i++) {
		for (size_t k = 0; k < sizeof(into) / sizeof(into[0]); k++) {
			if (strcmp(stages[i].component, into[k].component) == 0) {
				snprintf(into[k].place, 16, "%s", stages[i].backend);
			}
		}
	}
}

static enum qrt_err crash(struct qrt_cx *cx, struct qy_stage *stage)
{
	const struct qy_play_lab *lab = stage->setup->lab;
	struct qy_stage_places places = {"", "", ""};
	enum qrt_err err;

	if (!lab->power_off || !lab->power_on) {
		return lacks(cx);
	}
	if (!stage->sb) {
		return qrt_fail(cx, QRT_ESTATE, "Quotey is down since an earlier crash");
	}
	where(stage, &places);
	stage->epoch++;
	err = lab->power_off(cx, lab->arg);
	if (err) {
		return err;
	}
	QRT_IGNORE(qy_stage_close(cx, stage), "its power is off: nothing of it can succeed");
	err = lab->power_on(cx, lab->arg);
	return err ? err : keep_starting(cx, stage, &places);
}

static enum qrt_err do_it(struct qrt_cx *cx, struct qy_stage *stage,
			  const struct qy_scenario_step *step)
{
	const struct qy_play_lab *lab = stage->setup->lab;

	if (step->kind == QY_SCENARIO_CRASH) {
		return crash(cx, stage);
	}
	stage->faulty = true;
	if (step->kind == QY_SCENARIO_HEAL) {
		stage->faulty = false;
		return lab->heal ? lab->heal(cx, lab->arg) : lacks(cx);
	}
	return lab->fault ? lab->fault(cx, lab->arg, &step->fault) : lacks(cx);
}

enum qrt_err qy_play_in_lab(struct qrt_cx *cx, struct qy_player *player,
			    const struct qy_scenario_step *step)
{
	struct qy_stage *stage = player->stage;
	struct qrt_lease lease;
	enum qrt_err err, done;

	qy_player_note(player, step, "%s%s", step->kind == QY_SCENARIO_FAULT ? "fault " : "",
		       words_of(step));
	if (!stage->setup->lab) {
		stage->result->skipped++;
		qy_transcript_add(player->out, "> skipped: only in a lab\n");
		return QRT_OK;
	}
	qrt_stream_close(cx, &player->stream);
	err = qrt_mutex_lock(cx, stage->whole, &lease);
	if (err) {
		return err;
	}
	done = do_it(cx, stage, step);
	QRT_IGNORE(qrt_unlock(&lease), "it is held");
	if (done) {
		return qrt_prefix(cx, done, words_of(step));
	}
	qy_transcript_add(player->out, "> done\n");
	return QRT_OK;
}
