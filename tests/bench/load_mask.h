/*
 * Masks what may differ between two runs of the same request, and hashes the
 * rest, so that answers can be compared.
 */
#ifndef TESTS_BENCH_LOAD_MASK_H
#define TESTS_BENCH_LOAD_MASK_H

#include <stddef.h>
#include <stdint.h>

/*
 * Writes @body to @masked (room for @len + 1 bytes: a mask is never longer
 * than what it hides) with ids, times and hashes masked, and returns the
 * length. "Q-2026-0001" becomes "Q-#", "2026-01-02T03:04:05.678Z" "T#",
 * "cor-0123456789ab" "cor-#", 16 and more hex digits "X#".
 */
size_t load_mask(const char *body, size_t len, char *masked);

/* FNV-1a, 64 bits: tells answers apart, not enemies. */
uint64_t load_hash(const char *data, size_t len);

#endif
