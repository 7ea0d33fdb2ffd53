/*
 * A transcript: everything a played scenario was answered and has stored, as lines, with ids, times
 * and secrets masked, so that two of them can be compared. A line that begins with "== " says what
 * was asked; its answer follows.
 */
#ifndef QY_LAB_TRANSCRIPT_H
#define QY_LAB_TRANSCRIPT_H

#include <stdbool.h>
#include <stddef.h>

#include "quotey/db/buffer.h"

#define QY_TRANSCRIPT_MAX ((size_t)64 << 20)
#define QY_TRANSCRIPT_TABLES "== the tables" /* what follows it is sorted */

struct qy_transcript {
	struct qy_buffer text; /* its error sticks */
	bool loose;	       /* numbers given in order of arrival are masked, too */
	bool none;	       /* nobody will read it: nothing is noted */
};

void qy_transcript_init(struct qy_transcript *transcript, bool loose);
/* Cut at 1,000 bytes. */
void qy_transcript_add(struct qy_transcript *transcript, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/*
 * Appends @text masked: times T#, dates D#, years of quote ids, prefixed random ids ID#, and runs
 * of 8 hex digits or more X#.
 */
void qy_transcript_masked(struct qy_transcript *transcript, const char *text);
/* The same with the lines sorted after masking: the order of random keys is no behaviour. */
void qy_transcript_sorted(struct qy_transcript *transcript, const char *text);
/* NULL-safe. */
void qy_transcript_fini(struct qy_transcript *transcript);

/*
 * Writes to @out the lines that differ, with what was being asked, the first 20 of them; returns
 * how many differ. Errors (ENOMEM) stick to @out.
 */
size_t qy_transcript_diff(const struct qy_transcript *a, const char *a_name,
			  const struct qy_transcript *b, const char *b_name, struct qy_buffer *out);

#endif
