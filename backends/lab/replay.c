/*
 * Executions as files: a header with the token, then a line per choice and per
 * step, in the order they were made. In a replay the choices come from the
 * file, and each step is compared with it; the first that differs is printed
 * as it was and as it is, and the replay ends there.
 *
 *	qrt-lab 1 TOKEN
 *	c KIND N VALUE		of N the lab chose VALUE
 *	s RUNTIME WHAT A B	a step, as in recordings
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backends/lab/lab.h"

struct qrt__replay {
	FILE *to, *from;
	uint64_t line; /* of from */
	char text[128];
	bool over; /* the file has no more */
};

static const char *const choice_names[] = {
#define CHOICE_NAME(name, text) [name] = text,
    QRT__CHOICES(CHOICE_NAME)
#undef CHOICE_NAME
};

const char *qrt__choice_name(unsigned kind)
{
	return kind < QRT__CHOICE_KINDS ? choice_names[kind] : "?";
}

static enum qrt_err fail_file(char *ret_detail, const char *what, const char *path)
{
	snprintf(ret_detail, QRT__DETAIL_MAX, "lab: %s %s: %m", what, path);
	return QRT_EIO;
}

/* The next line, without its end; false: there is none. */
static bool read_line(struct qrt__replay *replay)
{
	if (replay->over || !fgets(replay->text, sizeof(replay->text), replay->from)) {
		replay->over = true;
		return false;
	}
	replay->text[strcspn(replay->text, "\n")] = '\0';
	replay->line++;
	return true;
}

static enum qrt_err begin_replay(struct qrt_lab *lab, char *ret_detail)
{
	static const char intro[] = "qrt-lab 1 ";
	struct qrt__replay *replay = lab->replay;
	replay->from = fopen(lab->opts.replay, "re");
	if (!replay->from) {
		return fail_file(ret_detail, "replay", lab->opts.replay);
	}
	if (!read_line(replay) || strncmp(replay->text, intro, sizeof(intro) - 1) != 0) {
		snprintf(ret_detail, QRT__DETAIL_MAX, "lab: %s is no recorded execution",
			 lab->opts.replay);
		return QRT_EINVAL;
	}
	char token[QRT_LAB_TOKEN_SIZE];
	qrt_lab_token(lab, token);
	if (strcmp(replay->text + sizeof(intro) - 1, token) != 0) {
		fprintf(stderr, "qrt: lab: %s was recorded as %s, this is %s\n", lab->opts.replay,
			replay->text + sizeof(intro) - 1, token);
	}
	return QRT_OK;
}

enum qrt_err qrt__replay_open(struct qrt_lab *lab, char *ret_detail)
{
	if (!lab->opts.record && !lab->opts.replay) {
		return QRT_OK;
	}
	lab->replay = calloc(1, sizeof(*lab->replay));
	if (!lab->replay) {
		return QRT_ENOMEM;
	}
	if (lab->opts.record) {
		lab->replay->to = fopen(lab->opts.record, "we");
		if (!lab->replay->to) {
			return fail_file(ret_detail, "record", lab->opts.record);
		}
		/* By lines: a run that ends in an abort is worth reading, too. */
		setvbuf(lab->replay->to, NULL, _IOLBF, BUFSIZ);
		char token[QRT_LAB_TOKEN_SIZE];
		qrt_lab_token(lab, token);
		fprintf(lab->replay->to, "qrt-lab 1 %s\n", token);
	}
	return lab->opts.replay ? begin_replay(lab, ret_detail) : QRT_OK;
}

void qrt__replay_close(struct qrt_lab *lab)
{
	struct qrt__replay *replay = lab->replay;
	if (!replay) {
		return;
	}
	if (replay->to && (ferror(replay->to) | fclose(replay->to))) {
		fprintf(stderr, "qrt: lab: %s: could not be written in full\n", lab->opts.record);
	}
	if (replay->from) {
		fclose(replay->from);
	}
	free(replay);
	lab->replay = NULL;
}

static void differs(const struct qrt_lab *lab, const char *now) QRT_NORETURN;
static void differs(const struct qrt_lab *lab, const char *now)
{
	const struct qrt__replay *replay = lab->replay;
	fprintf(stderr,
		"qrt: lab: the replay differs from %s at line %" PRIu64 ", step %" PRIu64
		", %" PRId64 " ns\n  recorded: %s\n  now:      %s\n",
		lab->opts.replay, replay->line, lab->steps, lab->now_ns,
		replay->over ? "(its end)" : replay->text, now);
	qrt__assert_failed("replay", "the execution differs from the recorded one", QRT_SITE);
}

void qrt__replay_ended(struct qrt_lab *lab)
{
	struct qrt__replay *replay = lab->replay;
	if (replay && replay->from && read_line(replay)) {
		differs(lab, "(its end)");
	}
}

/* Whatever happens is written down, and in a replay compared. */
static void note(struct qrt_lab *lab, const char *now)
{
	struct qrt__replay *replay = lab->replay;
	if (replay->from && (!read_line(replay) || strcmp(replay->text, now) != 0)) {
		differs(lab, now);
	}
	if (replay->to) {
		fprintf(replay->to, "%s\n", now);
	}
}

uint32_t qrt__replay_choice(struct qrt_lab *lab, const struct qrt__choice *choice)
{
	struct qrt__replay *replay = lab->replay;
	uint32_t value = choice->value;
	char now[96];
	if (replay->from) {
		char kind[16];
		uint32_t n;
		bool choice_next =
		    read_line(replay) &&
		    sscanf(replay->text, "c %15s %" SCNu32 " %" SCNu32, kind, &n, &value) == 3 &&
		    strcmp(kind, choice_names[choice->kind]) == 0 && n == choice->n && value < n;
		if (!choice_next) {
			snprintf(now, sizeof(now), "c %s %" PRIu32, choice_names[choice->kind],
				 choice->n);
			differs(lab, now);
		}
	}
	if (replay->to) {
		fprintf(replay->to, "c %s %" PRIu32 " %" PRIu32 "\n", choice_names[choice->kind],
			choice->n, value);
	}
	return value;
}

void qrt__replay_step(struct qrt_lab *lab, const struct qrt_runtime *rt,
		      const struct qrt__step *step)
{
	char now[96];
	if (!lab->replay || step->what >= QRT__TRACE_UNHASHED) {
		return;
	}
	snprintf(now, sizeof(now), "s %" PRIu64 " %s %" PRIu64 " %" PRIu64, rt->lab_index,
		 qrt__trace_what(step->what), step->a, step->b);
	note(lab, now);
}
