/* What the lines below a request say of its answer: expect, keep, count. */
#include <stdio.h>
#include <string.h>

#include "quotey/lab/play_internal.h"

enum { SHOWN = 200, STATUSES_SIZE = 128 };

#define VALUE_MAX ((size_t)8 << 20)

/* Some bytes of the answer; NULL: it has none. */
struct part {
	const char *bytes;
	size_t n;
};

static struct part part_of(const struct qy_lab_answer *answer, const char *header)
{
	struct part part = {.bytes = answer->body.data ? answer->body.data : "",
			    .n = answer->body.len};

	if (header) {
		part.n = 0;
		part.bytes = qy_lab_answer_header(answer, header, &part.n);
	}
	return part;
}

static int shown(size_t n)
{
	return n < SHOWN ? (int)n : SHOWN;
}

/* --- statuses ------------------------------------------------------------------------------- */

static bool has_status(const struct qy_scenario_clause *clause, unsigned status)
{
	for (size_t i = 0; i < clause->n_status; i++) {
		if (clause->status[i] == status) {
			return true;
		}
	}
	return false;
}

static void list_statuses(const struct qy_scenario_clause *clause, char ret_list[STATUSES_SIZE])
{
	size_t used = 0;

	ret_list[0] = '\0';
	for (size_t i = 0; i < clause->n_status; i++) {
		used += (size_t)snprintf(ret_list + used, STATUSES_SIZE - used, "%s%u",
					 i > 0 ? " or " : "", clause->status[i]);
	}
	if (clause->or_nothing) {
		snprintf(ret_list + used, STATUSES_SIZE - used, "%snothing",
			 clause->n_status ? " or " : "");
	}
}

static void judge_status(struct qy_player *player, const struct qy_scenario_clause *clause,
			 const struct qy_lab_answer *answer)
{
	char list[STATUSES_SIZE];

	if (!has_status(clause, answer->status)) {
		list_statuses(clause, list);
		qy_player_fail(player, clause->at, "expected %s, got %u: %.*s", list,
			       answer->status, shown(answer->body.len),
			       answer->body.data ? answer->body.data : "");
	}
}

/* --- texts ---------------------------------------------------------------------------------- */

static bool holds(enum qy_scenario_how how, const struct part *part, const struct qy_buffer *text)
{
	bool has = memmem(part->bytes, part->n, text->data, text->len) != NULL;

	return how == QY_SCENARIO_IS	? has && part->n == text->len
	       : how == QY_SCENARIO_HAS ? has
					: !has;
}

static enum qrt_err judge_text(struct qy_player *player, const struct qy_scenario_clause *clause,
			       const struct qy_lab_answer *answer)
{
	static const char *const words[] = {"to be", "to have", "to lack", "to be absent"};
	struct part part = part_of(answer, clause->header);
	const char *name = clause->header ? clause->header : "the body";
	struct qy_buffer text;
	enum qrt_err err;

	if (clause->how == QY_SCENARIO_ABSENT || !part.bytes) {
		bool wants = clause->how == QY_SCENARIO_IS || clause->how == QY_SCENARIO_HAS;

		if (part.bytes || wants) {
			qy_player_fail(player, clause->at, "expected %s %s, got %.*s", name,
				       part.bytes ? "to be absent" : "to be there",
				       part.bytes ? shown(part.n) : SHOWN,
				       part.bytes ? part.bytes : "none");
		}
		return QRT_OK;
	}
	qy_buffer_init(&text, VALUE_MAX);
	qy_player_expand(player, &clause->text, &text);
	err = text.err;
	if (!err && !holds(clause->how, &part, &text)) {
		qy_player_fail(player, clause->at, "expected %s %s \"%.*s\", got %.*s", name,
			       words[clause->how], shown(text.len), text.data, shown(part.n),
			       part.bytes);
	}
	qy_buffer_fini(&text);
	return err;
}

/* --- keep ----------------------------------------------------------------------------------- */

/* Moves @part behind the text, or ends it before. False: the text is not in it. */
static enum qrt_err cut(struct qy_player *player, const struct qy_scenario_text *text, bool behind,
			struct part *part)
{
	struct qy_buffer mark;
	const char *found = NULL;
	enum qrt_err err;

	qy_buffer_init(&mark, VALUE_MAX);
	qy_player_expand(player, text, &mark);
	err = mark.err;
	if (!err && part->bytes) {
		found = memmem(part->bytes, part->n, mark.data, mark.len);
	}
	if (found && behind) {
		part->n -= (size_t)(found + mark.len - part->bytes);
		part->bytes = found + mark.len;
	} else if (found) {
		part->n = (size_t)(found - part->bytes);
	} else {
		part->bytes = NULL;
	}
	qy_buffer_fini(&mark);
	return err;
}

static enum qrt_err keep(struct qy_player *player, const struct qy_scenario_clause *clause,
			 const struct qy_lab_answer *answer)
{
	const struct qy_scenario_name *name = &player->stage->scenario->names[clause->name];
	struct part part = part_of(answer, clause->header);
	enum qrt_err err = QRT_OK;

	if (clause->has_after) {
		err = cut(player, &clause->text, /* behind= */ true, &part);
	}
	if (!err && clause->has_before) {
		err = cut(player, &clause->before, /* behind= */ false, &part);
	}
	if (!err && !part.bytes) {
		qy_player_fail(player, clause->at, "nothing to keep as %s in answer %u: %.*s",
			       name->text, answer->status, shown(answer->body.len),
			       answer->body.data ? answer->body.data : "");
		return QRT_OK;
	}
	return err ? err : qy_player_set(player, clause->name, part.bytes, part.n);
}

/* --- all of them ---------------------------------------------------------------------------- */

static enum qrt_err judge_answer(struct qy_player *player, const struct qy_scenario_clause *clause,
				 const struct qy_lab_answer *answer)
{
	switch (clause->kind) {
	case QY_SCENARIO_EXPECT_STATUS:
		judge_status(player, clause, answer);
		return QRT_OK;
	case QY_SCENARIO_EXPECT_HEADER:
	case QY_SCENARIO_EXPECT_BODY:
		return judge_text(player, clause, answer);
	case QY_SCENARIO_KEEP:
		return keep(player, clause, answer);
	case QY_SCENARIO_COUNT:
		player->stage->counters[clause->name] += has_status(clause, answer->status);
		return QRT_OK;
	default:
		return QRT_OK;
	}
}

/* Without `or nothing` there must be an answer, also where no status is expected. */
static void judge_silence(struct qy_player *player, const struct qy_scenario_step *step,
			  const char *why)
{
	const struct qy_scenario_clause *clause = step->clauses;
	char list[STATUSES_SIZE];

	while (clause && clause->kind != QY_SCENARIO_EXPECT_STATUS) {
		clause = clause->next;
	}
	if (clause && clause->or_nothing) {
		return;
	}
	if (clause) {
		list_statuses(clause, list);
	}
	qy_player_fail(player, clause ? clause->at : step->at, "expected %s, got no answer: %s",
		       clause ? list : "an answer", why);
}

enum qrt_err qy_play_judge(struct qy_player *player, const struct qy_scenario_step *step,
			   const struct qy_lab_answer *answer, const char *why)
{
	enum qrt_err err = QRT_OK;

	if (!answer) {
		judge_silence(player, step, why);
		return QRT_OK;
	}
	for (const struct qy_scenario_clause *c = step->clauses; c && !err; c = c->next) {
		err = judge_answer(player, c, answer);
	}
	return err;
}
