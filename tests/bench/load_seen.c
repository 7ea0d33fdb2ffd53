/*
 * The distinct answers to each request of the mix. A run that gives another
 * answer than the run before shows here, whatever its status.
 */
#include "tests/bench/load.h"
#include "tests/bench/load_mask.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
	SEEN_MAX = 64,	  /* kept per line */
	SAMPLE_MAX = 400, /* bytes of each that are shown */
};

struct one {
	uint64_t hash;
	int status;
	char sample[SAMPLE_MAX + 1];
};

struct load_seen {
	struct one list[SEEN_MAX];
	size_t n;
	bool overflow; /* there were more */
};

void load_seen_start(struct load_mix *mix)
{
	size_t i;

	for (i = 0; i < mix->n; i++) {
		mix->lines[i].seen = load_must(calloc(1, sizeof(*mix->lines[i].seen)));
	}
}

void load_seen_destroy(struct load_seen **seen)
{
	free(*seen);
	*seen = NULL;
}

/* Tabs and line ends would break the table of answers. */
static void copy_sample(char *to, const char *from, size_t len)
{
	size_t i;

	len = len < SAMPLE_MAX ? len : SAMPLE_MAX;
	for (i = 0; i < len; i++) {
		to[i] = (unsigned char)from[i] < ' ' ? ' ' : from[i];
	}
	to[len] = '\0';
}

void load_seen_add(struct load_line *line, const struct load_answer *answer)
{
	struct load_seen *seen = line->seen;
	char *masked = load_must(malloc(answer->body_len + 1));
	size_t len = load_mask(answer->body, answer->body_len, masked), i;
	uint64_t hash = load_hash(masked, len);
	bool known = false;

	for (i = 0; i < seen->n && !known; i++) {
		known = seen->list[i].hash == hash && seen->list[i].status == answer->status;
	}
	if (!known && seen->n == SEEN_MAX) {
		seen->overflow = true;
	} else if (!known) {
		seen->list[seen->n].hash = hash;
		seen->list[seen->n].status = answer->status;
		copy_sample(seen->list[seen->n].sample, masked, len);
		seen->n++;
	}
	free(masked);
}

uint64_t load_seen_count(const struct load_mix *mix)
{
	uint64_t n = 0;
	size_t i;

	for (i = 0; i < mix->n; i++) {
		n += mix->lines[i].seen != NULL ? mix->lines[i].seen->n : 0;
	}
	return n;
}

static int compare(const void *a, const void *b)
{
	const struct one *x = a, *y = b;

	if (x->status != y->status) {
		return x->status < y->status ? -1 : 1;
	}
	return x->hash < y->hash ? -1 : x->hash > y->hash;
}

static void write_line(FILE *f, size_t number, const struct load_line *line)
{
	struct load_seen *seen = line->seen;
	size_t i;

	qsort(seen->list, seen->n, sizeof(seen->list[0]), compare);
	for (i = 0; i < seen->n; i++) {
		fprintf(f, "%zu\t%s %s\t%d\t%016" PRIx64 "\t%s\n", number, line->method, line->path,
			seen->list[i].status, seen->list[i].hash, seen->list[i].sample);
	}
	if (seen->overflow) {
		fprintf(f, "%zu\t%s %s\tmore than %d distinct answers\n", number, line->method,
			line->path, SEEN_MAX);
	}
}

void load_seen_write(const struct load_mix *mix, const char *file)
{
	FILE *f = fopen(file, "w");
	size_t i;

	if (f == NULL) {
		load_die("%s: %s", file, strerror(errno));
	}
	for (i = 0; i < mix->n; i++) {
		write_line(f, i + 1, &mix->lines[i]);
	}
	if (fclose(f) != 0) {
		load_die("%s: %s", file, strerror(errno));
	}
}
