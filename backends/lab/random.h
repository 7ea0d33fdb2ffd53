/*
 * The lab's random numbers: SplitMix64 as published by Steele, Lea and Flood
 * ("Fast splittable pseudorandom number generators", OOPSLA 2014): a counter
 * with an odd step, each value mixed by two multiply-xorshift rounds. One
 * stream per use, so that asking for a random id does not change the schedule.
 * Never for secrets.
 */
#ifndef QRT_BACKENDS_LAB_RANDOM_H
#define QRT_BACKENDS_LAB_RANDOM_H

#include <stdint.h>

struct qrt__lab_random {
	uint64_t state;
};

static inline uint64_t qrt__lab_mix(uint64_t z)
{
	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

static inline uint64_t qrt__lab_next(struct qrt__lab_random *random)
{
	random->state += UINT64_C(0x9e3779b97f4a7c15);
	return qrt__lab_mix(random->state);
}

/* Below @n, which must be 1..2^32; the bias of at most n/2^32 does not matter here. */
static inline uint64_t qrt__lab_below(struct qrt__lab_random *random, uint64_t n)
{
	return ((qrt__lab_next(random) >> 32) * n) >> 32;
}

/* From @low to @high, both included. */
static inline int64_t qrt__lab_between(struct qrt__lab_random *random, int64_t low, int64_t high)
{
	return low + (int64_t)qrt__lab_below(random, (uint64_t)(high - low) + 1);
}

#endif
