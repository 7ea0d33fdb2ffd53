/* Transcripts: masking and comparing; see transcript.h. */
#include "tests/parity/transcript.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DIFFS_SHOWN = 20 };

static void append(struct transcript *transcript, const char *text, size_t n)
{
	if (transcript->len + n + 1 > transcript->room) {
		transcript->room = (transcript->len + n + 1) * 2;
		transcript->text = realloc(transcript->text, transcript->room);
		if (!transcript->text) {
			abort();
		}
	}
	memcpy(transcript->text + transcript->len, text, n);
	transcript->len += n;
	transcript->text[transcript->len] = '\0';
}

void transcript_add(struct transcript *transcript, const char *fmt, ...)
{
	char *text;
	va_list args;
	va_start(args, fmt);
	int n = vasprintf(&text, fmt, args);
	va_end(args);
	if (n < 0) {
		abort();
	}
	append(transcript, text, (size_t)n);
	free(text);
}

void transcript_fini(struct transcript *transcript)
{
	free(transcript->text);
	*transcript = (struct transcript){0};
}

/* How many characters of @text match @shape: '9' a digit, 'x' a hex digit, others themselves. */
static size_t match(const char *text, const char *shape)
{
	size_t i = 0;
	for (; shape[i]; i++) {
		unsigned char c = (unsigned char)text[i];
		bool fits = shape[i] == '9'   ? isdigit(c)
			    : shape[i] == 'x' ? isxdigit(c) && !isupper(c)
					      : c == (unsigned char)shape[i];
		if (!fits) {
			return 0;
		}
	}
	return i;
}

static size_t hex_run(const char *text)
{
	size_t n = 0;
	while (isxdigit((unsigned char)text[n]) && !isupper((unsigned char)text[n])) {
		n++;
	}
	return n;
}

/* A prefix of two to four letters and 12 hex digits. */
static size_t prefixed_id(const char *text)
{
	size_t n = 0;
	while (n < 4 && isalpha((unsigned char)text[n])) {
		n++;
	}
	size_t rest = n >= 2 ? match(text + n, "-xxxxxxxxxxxx") : 0;
	return rest ? n + rest : 0;
}

struct mask {
	const char *shape, *as;
};

static const struct mask masks[] = {
    {"9999-99-99T99:99:99.999Z", "T#"},
    {"9999-99-99", "D#"},
    {"Q-9999-", "Q-Y-"},
    {"q-9999-", "q-Y-"},
};

static size_t mask_at(struct transcript *out, const char *text, bool fresh)
{
	for (size_t i = 0; i < sizeof(masks) / sizeof(masks[0]); i++) {
		size_t n = match(text, masks[i].shape);
		if (n) {
			append(out, masks[i].as, strlen(masks[i].as));
			return n;
		}
	}
	size_t n = fresh ? prefixed_id(text) : 0;
	if (n) {
		append(out, "ID#", 3);
		return n;
	}
	n = fresh ? hex_run(text) : 0;
	if (n >= 8) {
		append(out, "X#", 2);
		return n;
	}
	return 0;
}

void transcript_add_masked(struct transcript *transcript, const char *text)
{
	bool fresh = true; /* at the start of a word */
	while (*text) {
		size_t n = mask_at(transcript, text, fresh);
		if (n == 0) {
			fresh = !isalnum((unsigned char)*text);
			append(transcript, text, 1);
			n = 1;
		}
		text += n;
	}
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Splits @text in place; returns the lines, malloc'd. */
static char **split(char *text, size_t *ret_n)
{
	size_t n = 0, room = 1;
	for (const char *c = text; *c; c++) {
		room += *c == '\n';
	}
	char **lines = calloc(room + 1, sizeof(*lines));
	if (!lines) {
		abort();
	}
	for (char *line = text; line && *line;) {
		char *end = strchr(line, '\n');
		lines[n++] = line;
		if (end) {
			*end++ = '\0';
		}
		line = end;
	}
	*ret_n = n;
	return lines;
}

void transcript_add_sorted(struct transcript *transcript, const char *text)
{
	struct transcript masked = {0};
	transcript_add_masked(&masked, text);
	size_t n;
	char **lines = split(masked.text ? masked.text : (char[]){""}, &n);
	qsort(lines, n, sizeof(*lines), by_text);
	for (size_t i = 0; i < n; i++) {
		transcript_add(transcript, "%s\n", lines[i]);
	}
	free(lines);
	transcript_fini(&masked);
}

size_t transcript_diff(const struct transcript *a, const char *a_name, const struct transcript *b,
		       const char *b_name)
{
	char *a_text = strdup(a->text);
	char *b_text = strdup(b->text);
	size_t a_n, b_n, differing = 0;
	char **a_lines = split(a_text, &a_n);
	char **b_lines = split(b_text, &b_n);
	const char *asked = "";
	for (size_t i = 0; i < a_n || i < b_n; i++) {
		const char *a_line = i < a_n ? a_lines[i] : "(nothing)";
		const char *b_line = i < b_n ? b_lines[i] : "(nothing)";
		if (strncmp(a_line, "== ", 3) == 0) {
			asked = a_line;
		}
		if (strcmp(a_line, b_line) != 0 && differing++ < DIFFS_SHOWN) {
			fprintf(stderr, "%s\n  - %-16s %s\n  + %-16s %s\n", asked, a_name, a_line,
				b_name, b_line);
		}
	}
	if (differing > DIFFS_SHOWN) {
		fprintf(stderr, "... and %zu more lines differ\n", differing - DIFFS_SHOWN);
	}
	free(a_lines);
	free(b_lines);
	free(a_text);
	free(b_text);
	return differing;
}
