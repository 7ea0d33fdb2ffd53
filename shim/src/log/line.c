/*
 * One line as text, in each of the formats. Whatever a value holds, it stays inside its quotes and
 * on its line; what does not fit is left out whole, and the line says how many fields. Pure.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "shim/src/log/internal.h"
#include "shim/src/base/text.h"

/* For what closes a line: the count of what was left out, a brace, a reset of colours, the end. */
#define RESERVE 48
#define TIME_SIZE 32

struct builder {
	char *at;
	size_t len, cap;
	bool full;
};

static void put(struct builder *b, const char *text, size_t n)
{
	if (n > b->cap - b->len) {
		b->full = true;
		return;
	}
	memcpy(b->at + b->len, text, n);
	b->len += n;
}

static void put_text(struct builder *b, const char *text)
{
	put(b, text, strlen(text));
}

/* --- text ----------------------------------------------------------------------------------- */

/* Decodes one code point of a text with an end; 0: it is none. */
static size_t decode(const char *text, uint32_t *ret_point)
{
	size_t n = qrt__utf8_length(text, strnlen(text, 4));
	unsigned char first = (unsigned char)text[0];
	uint32_t point = n == 1 ? first : first & (0xffu >> (n + 1));

	for (size_t i = 1; i < n; i++) {
		point = point << 6 | ((unsigned char)text[i] & 0x3f);
	}
	*ret_point = point;
	return n;
}

/* What moves the cursor, ends a line, or turns the direction of writing in somebody's terminal. */
static bool is_control(uint32_t point)
{
	return point < 0x20 || (point >= 0x7f && point < 0xa0) || point == 0x2028 ||
	       point == 0x2029 || (point >= 0x200b && point <= 0x200f) ||
	       (point >= 0x202a && point <= 0x202e) || (point >= 0x2060 && point <= 0x206f) ||
	       point == 0xfeff;
}

static void put_point(struct builder *b, uint32_t point)
{
	char escape[8];

	switch (point) {
	case '\n':
		put(b, "\\n", 2);
		return;
	case '\r':
		put(b, "\\r", 2);
		return;
	case '\t':
		put(b, "\\t", 2);
		return;
	default:
		snprintf(escape, sizeof(escape), "\\u%04x", (unsigned)point & 0xffff);
		put(b, escape, 6);
	}
}

static void put_escaped(struct builder *b, const char *text)
{
	while (*text != '\0') {
		uint32_t point = 0;
		size_t n = decode(text, &point);

		if (n == 0) {
			put(b, "\\ufffd", 6);
			n = 1;
		} else if (is_control(point)) {
			put_point(b, point);
		} else if (point == '\\' || point == '"') {
			put(b, "\\", 1);
			put(b, text, 1);
		} else {
			put(b, text, n);
		}
		text += n;
	}
}

static void put_safe(struct builder *b, const char *text)
{
	char safe[QRT__LOG_VALUE_SIZE];

	qrt__log_redact(text, safe);
	put_escaped(b, safe);
}

/* Names of components are ours, and short; a long one is cut. */
static void put_component(struct builder *b, const char *name)
{
	char cut[QRT_LOG_NAME_MAX + 1];

	snprintf(cut, sizeof(cut), "%s", name);
	put_escaped(b, cut);
}

static bool is_bare(const char *text)
{
	return *text != '\0' && text[strspn(text, "abcdefghijklmnopqrstuvwxyz"
						  "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
						  "_-./:+@%*{}[]()?&,;~$#!<>|^")] == '\0';
}

/* "2026-01-31T23:59:59.999Z"; never before 1970. */
static void format_time(int64_t wall_ms, char ret_text[TIME_SIZE])
{
	struct qrt__utc utc = qrt__utc_of(wall_ms > 0 ? wall_ms : 0);

	snprintf(ret_text, TIME_SIZE, "%04u-%02u-%02uT%02u:%02u:%02u.%03uZ", utc.year, utc.month,
		 utc.day, utc.hour, utc.minute, utc.second, utc.ms);
}

/* --- fields --------------------------------------------------------------------------------- */

static void put_number(struct builder *b, int64_t number)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRId64, number);
	put_text(b, text);
}

static void put_value(struct builder *b, bool json, const struct qrt_log_field *field)
{
	const char *text = field->text;
	char safe[QRT__LOG_VALUE_SIZE];

	if (text == NULL && !qrt__log_key_secret(field->key)) {
		put_number(b, field->number);
		return;
	}
	if (text != NULL && qrt__log_key_secret(field->key)) {
		text = "***";
	}
	qrt__log_redact(text != NULL ? text : "***", safe);
	if (!json && is_bare(safe)) {
		put_text(b, safe);
		return;
	}
	put(b, "\"", 1);
	put_escaped(b, safe);
	put(b, "\"", 1);
}

/* All or nothing of each. Returns how many had no room. */
static int64_t put_fields(struct builder *b, bool json, const struct qrt_log_field *field)
{
	int64_t left_out = 0;

	for (; field != NULL && field->key != NULL; field++) {
		size_t before = b->len;

		put(b, json ? ",\"" : " ", json ? 2 : 1);
		put_escaped(b, field->key);
		put(b, json ? "\":" : "=", json ? 2 : 1);
		put_value(b, json, field);
		if (b->full) {
			b->len = before;
			b->full = false;
			left_out++;
		}
	}
	return left_out;
}

static void put_named(struct builder *b, bool json, const char *key, const char *text)
{
	const struct qrt_log_field field[] = {{key, text, 0}, {0}};

	if (text != NULL && text[0] != '\0') {
		put_fields(b, json, field);
	}
}

static void put_left_out(struct builder *b, bool json, int64_t left_out)
{
	const struct qrt_log_field field[] = {{"fields_left_out", NULL, left_out}, {0}};

	b->cap += RESERVE - 16;
	if (left_out > 0) {
		put_fields(b, json, field);
	}
}

/* --- formats -------------------------------------------------------------------------------- */

static void render_json(struct builder *b, const struct qrt_log_line *line, const char *time)
{
	int64_t left_out;

	put_text(b, "{\"time\":\"");
	put_text(b, time);
	put_text(b, "\",\"level\":\"");
	put_text(b, qrt_log_level_name(line->level));
	put_text(b, "\",\"component\":\"");
	put_component(b, line->component);
	put_text(b, "\",\"message\":\"");
	put_safe(b, line->message);
	put_text(b, "\"");
	put_named(b, true, "correlation", line->correlation);
	put_named(b, true, "path", line->path);
	left_out = put_fields(b, true, line->fields);
	put_left_out(b, true, left_out);
	put_text(b, "}");
}

static void render_compact(struct builder *b, const struct qrt_log_line *line, const char *time)
{
	int64_t left_out;

	put_text(b, time);
	put_text(b, " ");
	put_text(b, qrt_log_level_name(line->level));
	put_text(b, " ");
	put_component(b, line->component);
	put_text(b, ": ");
	put_safe(b, line->message);
	left_out = put_fields(b, false, line->fields);
	put_named(b, false, "correlation", line->correlation);
	put_named(b, false, "path", line->path);
	put_left_out(b, false, left_out);
}

static void render_pretty(struct builder *b, bool colours, const struct qrt_log_line *line,
			  const char *time)
{
	static const char *const colour_of[QRT__LOG_LEVELS] = {"\033[2m",  "\033[36m", "\033[32m",
							       "\033[33m", "\033[31m", ""};
	char level[16];
	int64_t left_out;

	snprintf(level, sizeof(level), "%-5s", qrt_log_level_name(line->level));
	put(b, time + 11, 12); /* the time of day is enough for who looks on */
	put_text(b, "  ");
	put_text(b, colours ? colour_of[line->level] : "");
	put_text(b, level);
	put_text(b, colours ? "\033[0m" : "");
	put_text(b, "  ");
	snprintf(level, sizeof(level), "%-8.12s  ", line->component);
	put_escaped(b, level);
	put_safe(b, line->message);
	if ((line->fields != NULL && line->fields[0].key != NULL) || line->correlation != NULL ||
	    line->path != NULL) {
		put_text(b, "\n             ");
		left_out = put_fields(b, false, line->fields);
		put_named(b, false, "correlation", line->correlation);
		put_named(b, false, "path", line->path);
		put_left_out(b, false, left_out);
	}
}

size_t qrt__log_render(enum qrt_log_format format, bool colours, const struct qrt_log_line *line,
		       char *buf)
{
	struct builder b = {.at = buf, .cap = QRT_LOG_LINE_MAX - RESERVE};
	char time[TIME_SIZE];

	format_time(line->wall_ms, time);
	switch (format) {
	case QRT_LOG_JSON:
		render_json(&b, line, time);
		break;
	case QRT_LOG_PRETTY:
		render_pretty(&b, colours, line, time);
		break;
	case QRT_LOG_COMPACT:
		render_compact(&b, line, time);
		break;
	}
	b.cap = QRT_LOG_LINE_MAX;
	put(&b, "\n", 1);
	QRT_POST(!b.full);
	return b.len;
}
