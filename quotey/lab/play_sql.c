/* Looking into the database, on a connection of its own that cannot write. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "quotey/db/sql.h"
#include "quotey/lab/invariants.h"
#include "quotey/lab/play_internal.h"

#define VALUE_MAX ((size_t)8 << 20)

enum { SHOWN = 200 };

struct query_job {
	const char *sql;
	struct qy_buffer *value;
	bool is_nothing; /* no row, or null */
};

/* The first column of the first row. */
static enum qrt_err run_query(struct qrt_db_conn *conn, void *arg)
{
	struct query_job *job = arg;
	QRT_AUTO_STMT rows = NULL;
	bool row = false;
	enum qrt_err err = qy_sql_open(conn, job->sql, QY_NO_ARGS, &rows);

	qy_buffer_clear(job->value);
	qy_buffer_text(job->value, "");
	job->is_nothing = true;
	if (!err) {
		err = qrt_db_step(rows, &row);
	}
	if (!err && row && qrt_db_columns(rows) > 0 && !qrt_db_is_null(rows, 0)) {
		job->is_nothing = false;
		qy_buffer_text(job->value, qrt_db_text(rows, 0));
	}
	return err ? err : job->value->err;
}

/* A whole number, the whole of @text. */
static bool number_of(const char *text, int64_t *ret_number)
{
	char *end;
	long long number = strtoll(text, &end, 10);

	*ret_number = number;
	return end != text && *end == '\0';
}

static void judge(struct qy_player *player, const struct qy_scenario_step *step,
		  const struct query_job *job, const char *wanted)
{
	static const char *const words[] = {[QY_SCENARIO_IS] = "",
					    [QY_SCENARIO_AT_LEAST] = "at least ",
					    [QY_SCENARIO_AT_MOST] = "at most "};
	int64_t found = 0, bound = 0;
	bool holds;

	if (step->is_nothing || job->is_nothing) {
		holds = step->is_nothing && job->is_nothing;
	} else if (step->how == QY_SCENARIO_IS) {
		holds = strcmp(job->value->data, wanted) == 0;
	} else {
		holds = number_of(job->value->data, &found) && number_of(wanted, &bound) &&
			(step->how == QY_SCENARIO_AT_LEAST ? found >= bound : found <= bound);
	}
	if (!holds) {
		qy_player_fail(player, step->at, "expected %s%.*s, got %.*s", words[step->how],
			       SHOWN, step->is_nothing ? "nothing" : wanted, SHOWN,
			       job->is_nothing ? "nothing" : job->value->data);
	}
}

/* Everything about @store happens while nobody moves or crashes. */
typedef enum qrt_err look_fn(struct qrt_cx *cx, struct qy_store *store, void *arg);

/* *ret_looked: what @look or the opening said, which the scenario may survive. */
static enum qrt_err look(struct qrt_cx *cx, struct qy_stage *stage, look_fn *fn, void *arg,
			 enum qrt_err *ret_looked)
{
	struct qy_store store;
	struct qrt_lease lease;
	enum qrt_err err = qrt_mutex_lock(cx, stage->whole, &lease);

	if (err) {
		return err;
	}
	*ret_looked = qrt_db_open(cx, &stage->db_env.options, &store.db);
	if (!*ret_looked) {
		*ret_looked = fn(cx, &store, arg);
		qrt_db_close(cx, &store.db);
	}
	QRT_IGNORE(qrt_unlock(&lease), "it is held");
	return *ret_looked == QRT_ECANCELED ? QRT_ECANCELED : QRT_OK;
}

static enum qrt_err ask(struct qrt_cx *cx, struct qy_store *store, void *arg)
{
	return qrt_db_read(cx, store->db, run_query, arg);
}

static enum qrt_err query(struct qrt_cx *cx, struct qy_player *player,
			  const struct qy_scenario_step *step, struct query_job *job,
			  const char *wanted)
{
	enum qrt_err looked = QRT_OK;
	enum qrt_err err = look(cx, player->stage, ask, job, &looked);

	if (err) {
		return err;
	}
	qy_player_note(player, step, "sql %.400s", job->sql);
	if (looked) {
		qy_transcript_add(player->out, "> %s\n", qrt_err_name(looked));
		qy_player_fail(player, step->at, "no result: %s", qrt_detail(cx));
		return QRT_OK;
	}
	qy_transcript_masked(player->out, job->is_nothing ? "> nothing" : "> ");
	qy_transcript_masked(player->out, job->value->data);
	qy_transcript_add(player->out, "\n");
	judge(player, step, job, wanted);
	return QRT_OK;
}

enum qrt_err qy_play_query(struct qrt_cx *cx, struct qy_player *player,
			   const struct qy_scenario_step *step)
{
	struct qy_buffer sql, wanted, value;
	struct query_job job = {.value = &value};
	enum qrt_err err;

	qy_buffer_init(&sql, VALUE_MAX);
	qy_buffer_init(&wanted, VALUE_MAX);
	qy_buffer_init(&value, VALUE_MAX);
	qy_player_expand(player, &step->text, &sql);
	qy_player_expand(player, &step->value, &wanted);
	err = sql.err ? sql.err : wanted.err;
	if (err) {
		err = qrt_fail(cx, err, "line %u: the query", step->at.line);
	} else {
		job.sql = sql.data;
		err = query(cx, player, step, &job, wanted.data);
	}
	qy_buffer_fini(&sql);
	qy_buffer_fini(&wanted);
	qy_buffer_fini(&value);
	return err;
}

struct check_job {
	struct qy_buffer found;
	unsigned broken;
};

static enum qrt_err check(struct qrt_cx *cx, struct qy_store *store, void *arg)
{
	struct check_job *job = arg;

	return qy_lab_invariants(cx, store, &job->found, &job->broken);
}

enum qrt_err qy_play_check(struct qrt_cx *cx, struct qy_player *player,
			   const struct qy_scenario_step *step)
{
	struct check_job job = {.broken = 0};
	enum qrt_err looked = QRT_OK;
	enum qrt_err err;

	qy_buffer_init(&job.found, QY_PLAY_REPORT_MAX);
	err = look(cx, player->stage, check, &job, &looked);
	if (!err) {
		qy_player_note(player, step, "check database");
		qy_transcript_add(player->out, "> %s\n",
				  looked       ? qrt_err_name(looked)
				  : job.broken ? "broken"
					       : "whole");
	}
	if (!err && looked) {
		qy_player_fail(player, step->at, "the database cannot be checked: %s",
			       qrt_detail(cx));
	} else if (!err && job.broken > 0) {
		qy_player_fail(player, step->at, "%u promises of the database are broken:\n%.700s",
			       job.broken, job.found.data);
	}
	qy_buffer_fini(&job.found);
	return err;
}
