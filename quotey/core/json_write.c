/*
 * Canonical JSON, written member by member.
 *
 * Must never produce a text that is not canonical: a misuse is an error, not a guess.
 */
#include "quotey/core/json_write.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "quotey/core/text.h"

void qy_json_init(struct qy_json *json)
{
	memset(json, 0, sizeof(*json));
}

void qy_json_fini(struct qy_json *json)
{
	if (json == NULL) {
		return;
	}
	free(json->text);
	qy_json_init(json);
}

static void fail(struct qy_json *json, enum qy_code code)
{
	if (json->code == QY_OK) {
		json->code = code;
	}
}

static void append(struct qy_json *json, const char *bytes, size_t count)
{
	size_t capacity;
	char *grown;

	if (json->code != QY_OK) {
		return;
	}
	if (count >= QY_JSON_SIZE_MAX - json->length) {
		fail(json, QY_TEXT_TOO_LONG);
		return;
	}
	/* One byte is always left for the NUL. */
	if (json->length + count + 1 > json->capacity) {
		capacity = (json->length + count + 1) * 2;
		grown = realloc(json->text, capacity);
		if (grown == NULL) {
			fail(json, QY_NO_MEMORY);
			return;
		}
		json->text = grown;
		json->capacity = capacity;
	}
	memcpy(json->text + json->length, bytes, count);
	json->length += count;
	json->text[json->length] = '\0';
}

static struct qy_json_level *top(struct qy_json *json)
{
	return json->depth == 0 ? NULL : &json->levels[json->depth - 1];
}

/* Everything that precedes a value: its place is checked and the comma written. */
static void before_value(struct qy_json *json)
{
	struct qy_json_level *level = top(json);

	if (level == NULL) {
		if (json->complete) {
			fail(json, QY_JSON_MISUSE);
		}
		json->complete = true;
		return;
	}
	if (level->is_object) {
		if (!level->after_key) {
			fail(json, QY_JSON_MISUSE);
		}
		level->after_key = false;
		return;
	}
	if (level->has_member) {
		append(json, ",", 1);
	}
	level->has_member = true;
}

static void begin(struct qy_json *json, bool is_object)
{
	before_value(json);
	if (json->depth == QY_JSON_DEPTH_MAX) {
		fail(json, QY_JSON_MISUSE);
		return;
	}
	json->levels[json->depth++] = (struct qy_json_level){.is_object = is_object};
	append(json, is_object ? "{" : "[", 1);
}

static void end(struct qy_json *json, bool is_object)
{
	struct qy_json_level *level = top(json);

	if (level == NULL || level->is_object != is_object || level->after_key) {
		fail(json, QY_JSON_MISUSE);
		return;
	}
	json->depth--;
	append(json, is_object ? "}" : "]", 1);
}

void qy_json_object_begin(struct qy_json *json)
{
	begin(json, true);
}

void qy_json_object_end(struct qy_json *json)
{
	end(json, true);
}

void qy_json_array_begin(struct qy_json *json)
{
	begin(json, false);
}

void qy_json_array_end(struct qy_json *json)
{
	end(json, false);
}

/* Control characters take the short form where JSON has one, as everybody's writer does. */
static void append_control(struct qy_json *json, char control)
{
	static const char long_of[] = "\b\t\n\f\r", short_of[] = "btnfr";
	const char *found = control == '\0' ? NULL : strchr(long_of, control);
	char escape[8];

	if (found != NULL) {
		snprintf(escape, sizeof(escape), "\\%c", short_of[found - long_of]);
	} else {
		snprintf(escape, sizeof(escape), "\\u%04x", (unsigned char)control);
	}
	append(json, escape, strlen(escape));
}

static void append_quoted(struct qy_json *json, const char *text)
{
	size_t length = strlen(text), i;

	if (!qy_utf8_valid(text, length)) {
		fail(json, QY_INVALID_FIELD);
		return;
	}
	append(json, "\"", 1);
	for (i = 0; i < length; i++) {
		if (text[i] == '"' || text[i] == '\\') {
			append(json, "\\", 1);
			append(json, text + i, 1);
		} else if ((unsigned char)text[i] < 0x20) {
			append_control(json, text[i]);
		} else {
			append(json, text + i, 1);
		}
	}
	append(json, "\"", 1);
}

void qy_json_key(struct qy_json *json, const char *key)
{
	struct qy_json_level *level = top(json);

	if (level == NULL || !level->is_object || level->after_key ||
	    (level->last_key != NULL && strcmp(level->last_key, key) >= 0)) {
		fail(json, QY_JSON_MISUSE);
		return;
	}
	if (level->has_member) {
		append(json, ",", 1);
	}
	level->has_member = true;
	level->after_key = true;
	level->last_key = key;
	append_quoted(json, key);
	append(json, ":", 1);
}

void qy_json_string(struct qy_json *json, const char *text)
{
	if (text == NULL) {
		qy_json_null(json);
		return;
	}
	before_value(json);
	append_quoted(json, text);
}

void qy_json_integer(struct qy_json *json, int64_t value)
{
	char digits[24];

	before_value(json);
	snprintf(digits, sizeof(digits), "%" PRId64, value);
	append(json, digits, strlen(digits));
}

void qy_json_boolean(struct qy_json *json, bool value)
{
	before_value(json);
	append(json, value ? "true" : "false", value ? 4 : 5);
}

void qy_json_null(struct qy_json *json)
{
	before_value(json);
	append(json, "null", 4);
}

enum qy_code qy_json_take(struct qy_json *json, char **ret_text)
{
	enum qy_code code = json->code;

	if (code == QY_OK && (json->depth > 0 || !json->complete)) {
		code = QY_JSON_MISUSE;
	}
	if (code == QY_OK) {
		*ret_text = json->text;
		json->text = NULL;
	}
	qy_json_fini(json);
	return code;
}
