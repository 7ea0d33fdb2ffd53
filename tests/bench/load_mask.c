/*
 * Masks what may differ between two runs of the same request, and hashes the
 * rest. It must never hide a number, a status or a date that means something:
 * only ids the server makes, times of day, and hashes.
 */
#include "tests/bench/load_mask.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

enum { HEX_RUN_MIN = 16, ID_HEX_MIN = 12, ID_PREFIX_MAX = 5 };

/* Whether @p (with @len bytes left) begins with @shape: '0' any digit, else itself. */
static size_t match_shape(const char *p, size_t len, const char *shape)
{
	size_t i;

	for (i = 0; shape[i] != '\0'; i++) {
		if (i == len) {
			return 0;
		}
		if (shape[i] == '0' ? !isdigit((unsigned char)p[i]) : p[i] != shape[i]) {
			return 0;
		}
	}
	return i;
}

static size_t count_while(const char *p, size_t len, int (*is)(int))
{
	size_t n = 0;

	while (n < len && is((unsigned char)p[n])) {
		n++;
	}
	return n;
}

static size_t match_quote_id(const char *p, size_t len)
{
	size_t n = match_shape(p, len, "Q-0000-0000");

	return n == 0 ? 0 : n + count_while(p + n, len - n, isdigit);
}

static size_t match_time(const char *p, size_t len)
{
	size_t n = match_shape(p, len, "0000-00-00T00:00:00"), digits;

	if (n == 0) {
		return 0;
	}
	if (n < len && p[n] == '.') {
		digits = count_while(p + n + 1, len - n - 1, isdigit);
		n += digits == 0 ? 0 : digits + 1;
	}
	return n < len && p[n] == 'Z' ? n + 1 : n;
}

/* "APR-" and twelve hex digits. *ret_prefix is the length of what stays readable. */
static size_t match_prefixed_id(const char *p, size_t len, size_t *ret_prefix)
{
	size_t prefix = count_while(p, len, isalpha), hex;

	if (prefix == 0 || prefix > ID_PREFIX_MAX || prefix == len || p[prefix] != '-') {
		return 0;
	}
	prefix++;
	hex = count_while(p + prefix, len - prefix, isxdigit);
	if (hex < ID_HEX_MIN) {
		return 0;
	}
	*ret_prefix = prefix;
	return prefix + hex;
}

static size_t match_hex(const char *p, size_t len)
{
	size_t n = count_while(p, len, isxdigit);

	return n >= HEX_RUN_MIN ? n : 0;
}

/* Returns the bytes taken from @p, 0 for none; the mask goes to *@out, which moves. */
static size_t mask_one(const char *p, size_t len, char **out)
{
	size_t n, keep = 0;
	const char *mask = "";

	if ((n = match_quote_id(p, len)) > 0) {
		mask = "Q-#";
	} else if ((n = match_time(p, len)) > 0) {
		mask = "T#";
	} else if ((n = match_prefixed_id(p, len, &keep)) > 0) {
		mask = "#";
	} else if ((n = match_hex(p, len)) > 0) {
		mask = "X#";
	}
	if (n > 0) {
		memcpy(*out, p, keep);
		memcpy(*out + keep, mask, strlen(mask));
		*out += keep + strlen(mask);
	}
	return n;
}

size_t load_mask(const char *body, size_t len, char *masked)
{
	char *out = masked;
	bool in_word = false;
	size_t i = 0, n;

	while (i < len) {
		/* Ids begin where a word begins, or "abcQ-2026-0001" would be one. */
		n = in_word ? 0 : mask_one(body + i, len - i, &out);
		if (n == 0) {
			in_word = isalnum((unsigned char)body[i]) != 0;
			*out++ = body[i++];
		} else {
			in_word = true;
			i += n;
		}
	}
	*out = '\0';
	return (size_t)(out - masked);
}

uint64_t load_hash(const char *data, size_t len)
{
	uint64_t hash = 0xcbf29ce484222325u;
	size_t i;

	for (i = 0; i < len; i++) {
		hash = (hash ^ (unsigned char)data[i]) * 0x100000001b3u;
	}
	return hash;
}
