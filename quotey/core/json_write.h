/*
 * A writer of canonical JSON: no blanks, integers only, UTF-8 unescaped except quote, backslash and
 * control characters, keys in byte order.
 *
 * It checks that keys arrive sorted and the nesting is right, and never sorts by itself. The first
 * error sticks: later calls do nothing and qy_json_take returns it, so callers check once.
 */
#ifndef QY_CORE_JSON_WRITE_H
#define QY_CORE_JSON_WRITE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "quotey/core/code.h"

#ifdef __cplusplus
extern "C" {
#endif

#define QY_JSON_DEPTH_MAX 8
#define QY_JSON_SIZE_MAX (4u * 1024u * 1024u)

struct qy_json_level {
	bool is_object;
	bool has_member;
	bool after_key;
	const char *last_key;
};

struct qy_json {
	char *text;
	size_t length;
	size_t capacity;
	enum qy_code code;
	unsigned depth;
	bool complete;
	struct qy_json_level levels[QY_JSON_DEPTH_MAX];
};

void qy_json_init(struct qy_json *json);

/* Frees an unfinished text. NULL is fine. */
void qy_json_fini(struct qy_json *json);

void qy_json_object_begin(struct qy_json *json);
void qy_json_object_end(struct qy_json *json);
void qy_json_array_begin(struct qy_json *json);
void qy_json_array_end(struct qy_json *json);

/* The key must outlive the next key of the same object, since the order is checked against it. */
void qy_json_key(struct qy_json *json, const char *key);

/* A NULL text is written as null. */
void qy_json_string(struct qy_json *json, const char *text);
void qy_json_integer(struct qy_json *json, int64_t value);
void qy_json_boolean(struct qy_json *json, bool value);
void qy_json_null(struct qy_json *json);

/*
 * Hands over the finished, malloc'd text and empties the writer; the caller frees it. Errors:
 * JSON_MISUSE for keys out of order, values without key, or an unfinished text; INVALID_FIELD for
 * text that is not UTF-8; TEXT_TOO_LONG above 4 MiB; NO_MEMORY. The writer is emptied either way.
 */
enum qy_code qy_json_take(struct qy_json *json, char **ret_text) QY_MUST_USE;

#ifdef __cplusplus
}
#endif

#endif
