/*
 * A log-linear histogram of unsigned values: the first 64 buckets hold one
 * value each, then every power of two is cut into 64 steps. It must never
 * allocate or lose a value.
 */
#include "tests/bench/load.h"

enum { STEP_BITS = 6 };

_Static_assert(1 << STEP_BITS == LOAD_HIST_STEPS, "the bits count the steps");

static size_t bucket_of(uint64_t value)
{
	unsigned top, shift;

	if (value < LOAD_HIST_STEPS) {
		return (size_t)value;
	}
	top = 63 - (unsigned)__builtin_clzll(value);
	shift = top - STEP_BITS;
	return (size_t)(shift + 1) * LOAD_HIST_STEPS + (size_t)((value >> shift) - LOAD_HIST_STEPS);
}

/* The largest value that falls into the bucket. */
static uint64_t bucket_top(size_t bucket)
{
	size_t shift;

	if (bucket < LOAD_HIST_STEPS) {
		return bucket;
	}
	shift = bucket / LOAD_HIST_STEPS - 1;
	return ((uint64_t)(bucket % LOAD_HIST_STEPS + LOAD_HIST_STEPS + 1) << shift) - 1;
}

void load_hist_add(struct load_hist *hist, uint64_t value)
{
	hist->buckets[bucket_of(value)]++;
	hist->count++;
	if (value > hist->max) {
		hist->max = value;
	}
}

uint64_t load_hist_at(const struct load_hist *hist, double percent)
{
	double exact = (double)hist->count * percent / 100;
	uint64_t rank = (uint64_t)exact, seen = 0;
	size_t i;

	if (hist->count == 0) {
		return 0;
	}
	rank += (double)rank < exact;
	if (rank == 0) {
		rank = 1;
	}
	for (i = 0; i < LOAD_HIST_SIZE; i++) {
		seen += hist->buckets[i];
		if (seen >= rank) {
			uint64_t top = bucket_top(i);

			return top < hist->max ? top : hist->max;
		}
	}
	return hist->max;
}
