/* The histogram; see load_hist.h. */
#include "tests/bench/load_hist.h"

#include <inttypes.h>
#include <string.h>

static const char magic[] = "load-hist 1 steps";

static size_t bucket_of(uint64_t value)
{
	unsigned top, shift;

	if (value < LOAD_HIST_STEPS) {
		return (size_t)value;
	}
	top = 63 - (unsigned)__builtin_clzll(value);
	shift = top - LOAD_HIST_STEP_BITS;
	return (size_t)(shift + 1) * LOAD_HIST_STEPS + (size_t)((value >> shift) - LOAD_HIST_STEPS);
}

/* The smallest value that falls into the bucket. */
static uint64_t bucket_bottom(size_t bucket)
{
	if (bucket < LOAD_HIST_STEPS) {
		return bucket;
	}
	return (uint64_t)(bucket % LOAD_HIST_STEPS + LOAD_HIST_STEPS)
	       << (bucket / LOAD_HIST_STEPS - 1);
}

/* And the largest. */
static uint64_t bucket_top(size_t bucket)
{
	return bucket + 1 == LOAD_HIST_SIZE ? UINT64_MAX : bucket_bottom(bucket + 1) - 1;
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

uint64_t load_hist_above(const struct load_hist *hist, uint64_t value)
{
	uint64_t n = 0;
	size_t i;

	for (i = bucket_of(value); i < LOAD_HIST_SIZE; i++) {
		n += bucket_bottom(i) >= value ? hist->buckets[i] : 0;
	}
	return n;
}

void load_hist_merge(struct load_hist *hist, const struct load_hist *from)
{
	size_t i;

	for (i = 0; i < LOAD_HIST_SIZE; i++) {
		hist->buckets[i] += from->buckets[i];
	}
	hist->count += from->count;
	if (from->max > hist->max) {
		hist->max = from->max;
	}
}

void load_hist_write(const struct load_hist *hist, FILE *to)
{
	size_t i;

	fprintf(to, "%s %d count %" PRIu64 " max %" PRIu64 "\n", magic, LOAD_HIST_STEPS,
		hist->count, hist->max);
	for (i = 0; i < LOAD_HIST_SIZE; i++) {
		if (hist->buckets[i] > 0) {
			fprintf(to, "%" PRIu64 " %" PRIu64 "\n", bucket_bottom(i),
				hist->buckets[i]);
		}
	}
	fputs("end\n", to);
}

/* One bucket; each begins where one begins, and comes once. */
static bool read_bucket(const char *line, struct load_hist *hist, uint64_t *total)
{
	uint64_t bottom, n;
	int used = 0;

	if (sscanf(line, "%" SCNu64 " %" SCNu64 "\n%n", &bottom, &n, &used) != 2 ||
	    line[used] != '\0') {
		return false;
	}
	size_t bucket = bucket_of(bottom);
	if (bucket_bottom(bucket) != bottom || hist->buckets[bucket] != 0 || n == 0) {
		return false;
	}
	hist->buckets[bucket] = n;
	*total += n;
	return true;
}

bool load_hist_read(FILE *from, struct load_hist *ret_hist)
{
	uint64_t total = 0;
	char line[128];
	int steps, used = 0;

	memset(ret_hist, 0, sizeof(*ret_hist));
	if (fgets(line, sizeof(line), from) == NULL ||
	    strncmp(line, magic, sizeof(magic) - 1) != 0 ||
	    sscanf(line + sizeof(magic) - 1, " %d count %" SCNu64 " max %" SCNu64 "\n%n", &steps,
		   &ret_hist->count, &ret_hist->max, &used) != 3 ||
	    line[sizeof(magic) - 1 + (size_t)used] != '\0' || steps != LOAD_HIST_STEPS) {
		return false;
	}
	while (fgets(line, sizeof(line), from) != NULL) {
		if (strcmp(line, "end\n") == 0) {
			return total == ret_hist->count;
		}
		if (!read_bucket(line, ret_hist, &total)) {
			return false;
		}
	}
	return false;
}
