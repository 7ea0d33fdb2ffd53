/*
 * A histogram of unsigned values (latencies in ns): log-linear, 128 steps for
 * each power of two, so that what it tells is at most 0.8 % too large, at any
 * size. It never allocates or loses a value; two of them add up to the
 * histogram of both, and as text they outlive the run.
 */
#ifndef TESTS_BENCH_LOAD_HIST_H
#define TESTS_BENCH_LOAD_HIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum { LOAD_HIST_STEP_BITS = 7, LOAD_HIST_STEPS = 1 << LOAD_HIST_STEP_BITS };
/* One step for each small value, then the steps of every power of two that a value may have. */
enum { LOAD_HIST_SIZE = LOAD_HIST_STEPS * (64 - LOAD_HIST_STEP_BITS + 1) };

struct load_hist {
	uint64_t count, max;
	uint64_t buckets[LOAD_HIST_SIZE];
};

void load_hist_add(struct load_hist *hist, uint64_t value);
/* The value that @percent of all values do not exceed (upper edge); 0 when empty. */
uint64_t load_hist_at(const struct load_hist *hist, double percent);
/* How many values are in buckets that begin at @value or above it. */
uint64_t load_hist_above(const struct load_hist *hist, uint64_t value);
/* Adds @from to @hist. */
void load_hist_merge(struct load_hist *hist, const struct load_hist *from);

/* As text: a line for each bucket that is not empty, with its smallest value and its count. */
void load_hist_write(const struct load_hist *hist, FILE *to);
/* False: it is no such text, whole. Then *ret_hist holds nothing of use. */
bool load_hist_read(FILE *from, struct load_hist *ret_hist);

#endif
