/*
 * The one error of a parse: where it is, what is wrong, and what would be right. The file may hold
 * anything, so what is quoted from it is cut and made printable.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "quotey/core/text.h"
#include "quotey/lab/scenario_internal.h"

enum { QUOTED_MAX = 40, LIST_SIZE = 256 };

bool qy_scenario__fail(struct qy_scenario_reader *reader, struct qy_scenario_at at,
		       const char *format, ...)
{
	char text[QY_SCENARIO_MESSAGE_SIZE];
	va_list args;
	int used;

	if (reader->code != QY_OK) {
		return false;
	}
	reader->code = QY_INVALID_FIELD;
	reader->error->at = at;
	used = snprintf(text, sizeof(text), "%.200s:%u:%u: ", reader->scenario->file, at.line,
			at.column);
	va_start(args, format);
	vsnprintf(text + used, sizeof(text) - (size_t)used, format, args);
	va_end(args);
	for (unsigned char *c = (unsigned char *)text; *c; c++) {
		*c = *c < ' ' || *c == 0x7f ? ' ' : *c;
	}
	qy_text_cut(reader->error->message, sizeof(reader->error->message), text);
	return false;
}

/* The name that is a slip of the pen away, or NULL; of two, the one that begins the same. */
static const char *nearest(const char *text, const char *const known[], size_t n_known)
{
	const char *best = NULL;
	size_t least = 2 * (strlen(text) / 3 + 1) + 1;

	for (size_t i = 0; i < n_known; i++) {
		size_t distance = 2 * qy_text_distance(text, known[i]);

		distance += known[i][0] != text[0];
		if (distance <= least && (!best || distance < least)) {
			best = known[i];
			least = distance;
		}
	}
	return best;
}

static void make_list(const char *const known[], size_t n_known, char ret_list[LIST_SIZE])
{
	size_t used = 0;

	ret_list[0] = '\0';
	for (size_t i = 0; i < n_known && used < LIST_SIZE; i++) {
		used += (size_t)snprintf(ret_list + used, LIST_SIZE - used, "%s%s",
					 i == 0		    ? ""
					 : i + 1 == n_known ? " or "
							    : ", ",
					 known[i]);
	}
}

bool qy_scenario__unknown(struct qy_scenario_reader *reader, const struct qy_scenario_word *word,
			  const char *what, const char *const known[], size_t n_known)
{
	char text[QUOTED_MAX + 1];
	char list[LIST_SIZE];
	const char *meant;

	snprintf(text, sizeof(text), "%.*s", (int)word->n, word->text);
	meant = nearest(text, known, n_known);
	if (meant) {
		return qy_scenario__fail(reader, word->at, "\"%s\" is no %s; did you mean %s?",
					 text, what, meant);
	}
	make_list(known, n_known, list);
	return qy_scenario__fail(reader, word->at, "\"%s\" is no %s; write %s", text, what, list);
}
