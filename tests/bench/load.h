/*
 * The pure parts of the load client: reading an answer, masking what differs
 * from run to run, and a histogram. They never touch a socket or a clock, and
 * share nothing with the project's own HTTP code: the peer is independent.
 */
#ifndef TESTS_BENCH_LOAD_H
#define TESTS_BENCH_LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	LOAD_HEAD_MAX = 16384,
	LOAD_BODY_MAX = 1 << 20,
	LOAD_ANSWER_MAX = LOAD_HEAD_MAX + LOAD_BODY_MAX,
};

enum load_read {
	LOAD_MORE, /* not whole yet */
	LOAD_WHOLE,
	LOAD_BAD, /* no HTTP/1 answer, or over a limit */
};

struct load_answer {
	int status;
	bool close; /* the peer will not take another request here */
	char *body; /* into the bytes read */
	size_t body_len;
	size_t used; /* bytes of the whole answer */
};

/*
 * Reads an answer from all bytes so far; @data[@len] must be 0. @ended: no
 * more will come. A chunked body is joined in place once it is whole.
 */
enum load_read load_read(char *data, size_t len, bool ended, struct load_answer *ret_answer);

/*
 * Writes @body to @masked (room for @len + 1 bytes: a mask is never longer
 * than what it hides) with ids, times and hashes masked, and returns the
 * length. "Q-2026-0001" becomes "Q-#", "2026-01-02T03:04:05.678Z" "T#",
 * "cor-0123456789ab" "cor-#", 16 and more hex digits "X#".
 */
size_t load_mask(const char *body, size_t len, char *masked);

/* FNV-1a, 64 bits: tells answers apart, not enemies. */
uint64_t load_hash(const char *data, size_t len);

/* Log-linear: 64 steps for each power of two, so at most 1.6 % off. */
enum { LOAD_HIST_STEPS = 64, LOAD_HIST_SIZE = LOAD_HIST_STEPS * 60 };

struct load_hist {
	uint64_t count, max;
	uint64_t buckets[LOAD_HIST_SIZE];
};

void load_hist_add(struct load_hist *hist, uint64_t value);
/* The value that @percent of all values do not exceed (upper edge); 0 when empty. */
uint64_t load_hist_at(const struct load_hist *hist, double percent);

#endif
