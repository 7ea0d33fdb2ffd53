/*
 * A transcript: everything one assignment answered and stored, as lines, with
 * ids, times and secrets masked, so that two of them can be compared.
 */
#ifndef QRT_TESTS_PARITY_TRANSCRIPT_H
#define QRT_TESTS_PARITY_TRANSCRIPT_H

#include <stddef.h>

struct transcript {
	char *text;
	size_t len, room;
};

void transcript_add(struct transcript *transcript, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/*
 * Appends @text masked: times T#, dates D#, years of quote ids, prefixed
 * random ids, and hex runs of 8 digits or more.
 */
void transcript_add_masked(struct transcript *transcript, const char *text);
/* The same with the lines sorted after masking: the order of random keys is no behaviour. */
void transcript_add_sorted(struct transcript *transcript, const char *text);
void transcript_fini(struct transcript *transcript);

/* Prints the lines that differ, with what was being asked; returns how many differ. */
size_t transcript_diff(const struct transcript *a, const char *a_name, const struct transcript *b,
		       const char *b_name);

#endif
