/*
 * Every choice of the lab goes through here: drawn from the stream of its
 * kind, or taken from the execution that is being replayed, and recorded.
 */
#include "backends/lab/lab.h"

/* The streams differ in where they start; the mixing makes them unrelated. */
struct qrt__lab_random qrt__lab_stream(uint64_t seed, uint64_t which)
{
	return (struct qrt__lab_random){.state = qrt__lab_mix(qrt__lab_mix(seed) + which)};
}

uint32_t qrt__chosen(struct qrt_lab *lab, enum qrt__choice_kind kind, uint32_t n, uint32_t value)
{
	lab->n_choices++;
	uint64_t index = lab->n_of[kind]++;
	for (size_t i = 0; i < lab->opts.n_dull; i++) {
		const struct qrt_lab_dull *dull = &lab->opts.dull[i];
		if (dull->kind == (unsigned)kind && index >= dull->from && index < dull->to) {
			value = 0;
		}
	}
	if (lab->replay) {
		const struct qrt__choice choice = {.n = n, .value = value, .kind = (uint8_t)kind};
		value = qrt__replay_choice(lab, &choice);
	}
	QRT_POST(value < n);
	return value;
}

uint32_t qrt__choose(struct qrt_lab *lab, enum qrt__choice_kind kind, uint32_t n)
{
	QRT_PRE(n > 0);
	if (n == 1) {
		return 0;
	}
	return qrt__chosen(lab, kind, n, (uint32_t)qrt__lab_below(&lab->stream[kind], n));
}

int64_t qrt__choose_ns(struct qrt_lab *lab, enum qrt__choice_kind kind, int64_t low, int64_t high)
{
	QRT_PRE(low <= high);
	/* In steps of 1/2^16 of the range at the finest, so that any range can be chosen from. */
	int64_t grain = (high - low) / 65536 + 1;
	return low + grain * qrt__choose(lab, kind, (uint32_t)((high - low) / grain) + 1);
}
