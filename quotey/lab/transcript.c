/* Masking: what changes from one play to the next without being different. */
#include "quotey/lab/transcript.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINE_MAX_BYTES = 1000, HEX_MIN = 8 };

void qy_transcript_init(struct qy_transcript *transcript, bool loose)
{
	qy_buffer_init(&transcript->text, QY_TRANSCRIPT_MAX);
	transcript->loose = loose;
	transcript->none = false;
}

void qy_transcript_fini(struct qy_transcript *transcript)
{
	if (transcript) {
		qy_buffer_fini(&transcript->text);
	}
}

void qy_transcript_add(struct qy_transcript *transcript, const char *format, ...)
{
	char text[LINE_MAX_BYTES];
	va_list args;

	if (transcript->none) {
		return;
	}
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	qy_buffer_text(&transcript->text, text);
}

/* Of ASCII, whatever the locale. */
static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_hex(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'f');
}

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* How many characters of @text match @shape: '9' a digit, '*' a hex digit, others themselves. */
static size_t match(const char *text, const char *shape)
{
	size_t i = 0;

	for (; shape[i]; i++) {
		bool fits = shape[i] == '9'   ? is_digit(text[i])
			    : shape[i] == '*' ? is_hex(text[i])
					      : text[i] == shape[i];

		if (!fits) {
			return 0;
		}
	}
	return i;
}

static size_t hex_run(const char *text)
{
	size_t n = 0;

	while (is_hex(text[n])) {
		n++;
	}
	return n;
}

/* A prefix of two to four letters and 12 hex digits. */
static size_t prefixed_id(const char *text)
{
	size_t n = 0;
	size_t rest;

	while (n < 4 && is_letter(text[n])) {
		n++;
	}
	rest = n >= 2 ? match(text + n, "-************") : 0;
	return rest ? n + rest : 0;
}

struct mask {
	const char *shape, *as;
	bool numbered; /* by order of arrival: in a loose transcript the digits behind go, too */
};

static const struct mask masks[] = {
    {"9999-99-99T99:99:99.999Z", "T#", false},
    {"9999-99-99", "D#", false},
    {"Q-9999-", "Q-Y-", true},
    {"q-9999-", "q-Y-", true},
    {"|seq=", "|seq=", true},
    {"|next_value=", "|next_value=", true},
};

/* Takes what is to be masked at the start of @text; returns its length, 0 for nothing. */
static size_t mask_at(struct qy_transcript *out, const char *text, bool fresh)
{
	size_t n;

	for (size_t i = 0; i < sizeof(masks) / sizeof(masks[0]); i++) {
		n = match(text, masks[i].shape);
		if (n) {
			qy_buffer_text(&out->text, masks[i].as);
			if (out->loose && masks[i].numbered) {
				n += strspn(text + n, "0123456789");
				qy_buffer_text(&out->text, "#");
			}
			return n;
		}
	}
	n = fresh ? prefixed_id(text) : 0;
	if (n) {
		qy_buffer_text(&out->text, "ID#");
		return n;
	}
	n = fresh ? hex_run(text) : 0;
	if (n >= HEX_MIN) {
		qy_buffer_text(&out->text, "X#");
		return n;
	}
	return 0;
}

void qy_transcript_masked(struct qy_transcript *transcript, const char *text)
{
	bool fresh = true; /* at the start of a word */

	while (*text && !transcript->text.err && !transcript->none) {
		size_t n = mask_at(transcript, text, fresh);

		if (n == 0) {
			fresh = !is_letter(*text) && !is_digit(*text);
			qy_buffer_bytes(&transcript->text, text, 1);
			n = 1;
		}
		text += n;
	}
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Splits @text in place; returns the lines, the caller's, or NULL. */
static char **split(char *text, size_t *ret_n)
{
	size_t n = 0, room = 2;
	char **lines;

	for (const char *c = text; *c; c++) {
		room += *c == '\n';
	}
	lines = calloc(room, sizeof(*lines));
	for (char *line = text; lines && *line;) {
		char *end = strchr(line, '\n');

		lines[n++] = line;
		if (!end) {
			break;
		}
		*end = '\0';
		line = end + 1;
	}
	*ret_n = n;
	return lines;
}

void qy_transcript_sorted(struct qy_transcript *transcript, const char *text)
{
	struct qy_transcript masked;
	char **lines = NULL;
	size_t n = 0;

	qy_transcript_init(&masked, transcript->loose);
	qy_transcript_masked(&masked, text);
	if (masked.text.data && !masked.text.err) {
		lines = split(masked.text.data, &n);
		masked.text.err = lines ? QRT_OK : QRT_ENOMEM;
	}
	if (n > 0) {
		qsort(lines, n, sizeof(*lines), by_text);
	}
	for (size_t i = 0; i < n; i++) {
		qy_buffer_text(&transcript->text, lines[i]);
		qy_buffer_text(&transcript->text, "\n");
	}
	if (masked.text.err && !transcript->text.err) {
		transcript->text.err = masked.text.err;
	}
	free(lines);
	qy_transcript_fini(&masked);
}
