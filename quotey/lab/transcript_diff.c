/*
 * Compares two transcripts question by question, so that an answer with a line more does not make
 * all that follows different. Where lines are sorted it looks for the missing one.
 */
#include <stdio.h>
#include <string.h>

#include "quotey/lab/transcript.h"

enum { DIFFS_SHOWN = 20, LINE_SHOWN = 400, TEXT_SIZE = 1200 };

/* One side: where it is, and the line there. */
struct side {
	const char *name;
	const char *at, *end;
	const char *line;
	size_t n; /* of the line */
};

struct diff {
	struct side a, b;
	const char *asked;
	size_t n_asked;
	bool sorted;
	size_t n;
	struct qy_buffer *out;
};

static void side_init(struct side *side, const char *name, const struct qy_transcript *transcript)
{
	side->name = name;
	side->at = transcript->text.data ? transcript->text.data : "";
	side->end = side->at + transcript->text.len;
}

/* Looks at the next line; false at the end. */
static bool look(struct side *side)
{
	const char *end = memchr(side->at, '\n', (size_t)(side->end - side->at));

	side->line = side->at;
	side->n = (size_t)((end ? end : side->end) - side->at);
	return side->at < side->end;
}

static void take(struct side *side)
{
	side->at += side->n + (side->at + side->n < side->end);
}

static bool is_question(const struct side *side)
{
	return side->n >= 3 && memcmp(side->line, "== ", 3) == 0;
}

static int compare(const struct side *a, const struct side *b)
{
	size_t n = a->n < b->n ? a->n : b->n;
	int order = n > 0 ? memcmp(a->line, b->line, n) : 0;

	return order ? order : a->n < b->n ? -1 : a->n > b->n;
}

/* NULL: that side has no such line. */
static void report(struct diff *diff, const struct side *a, const struct side *b)
{
	static const char nothing[] = "(nothing)";
	char text[TEXT_SIZE];

	if (diff->n++ >= DIFFS_SHOWN) {
		return;
	}
	snprintf(text, sizeof(text), "%.*s\n  - %-16s %.*s\n  + %-16s %.*s\n",
		 diff->n_asked < LINE_SHOWN ? (int)diff->n_asked : LINE_SHOWN, diff->asked,
		 diff->a.name, a ? (a->n < LINE_SHOWN ? (int)a->n : LINE_SHOWN) : LINE_SHOWN,
		 a ? a->line : nothing, diff->b.name,
		 b ? (b->n < LINE_SHOWN ? (int)b->n : LINE_SHOWN) : LINE_SHOWN,
		 b ? b->line : nothing);
	qy_buffer_text(diff->out, text);
}

/* Both sides have a line. */
static void step(struct diff *diff)
{
	struct side *a = &diff->a, *b = &diff->b;
	int order = compare(a, b);

	if (order == 0 && is_question(a)) {
		diff->asked = a->line;
		diff->n_asked = a->n;
		diff->sorted = a->n == strlen(QY_TRANSCRIPT_TABLES) &&
			       memcmp(a->line, QY_TRANSCRIPT_TABLES, a->n) == 0;
	}
	if (order == 0 || (is_question(a) == is_question(b) && !diff->sorted)) {
		if (order != 0) {
			report(diff, a, b);
		}
		take(a);
		take(b);
	} else if (diff->sorted ? order < 0 : is_question(b)) {
		report(diff, a, NULL);
		take(a);
	} else {
		report(diff, NULL, b);
		take(b);
	}
}

size_t qy_transcript_diff(const struct qy_transcript *a, const char *a_name,
			  const struct qy_transcript *b, const char *b_name, struct qy_buffer *out)
{
	struct diff diff = {.asked = "", .out = out};
	bool a_more, b_more;
	char text[64];

	side_init(&diff.a, a_name, a);
	side_init(&diff.b, b_name, b);
	while (a_more = look(&diff.a), b_more = look(&diff.b), a_more || b_more) {
		if (a_more && b_more) {
			step(&diff);
		} else if (a_more) {
			report(&diff, &diff.a, NULL);
			take(&diff.a);
		} else {
			report(&diff, NULL, &diff.b);
			take(&diff.b);
		}
	}
	if (diff.n > DIFFS_SHOWN) {
		snprintf(text, sizeof(text), "... and %zu more lines differ\n",
			 diff.n - DIFFS_SHOWN);
		qy_buffer_text(out, text);
	}
	return diff.n;
}
