/*
 * The strict reader: a scan of our own over the bytes, then cJSON for the structure.
 *
 * cJSON alone would take control characters in strings, numbers such as 01, NUL by escape and
 * members given twice; and it keeps numbers as doubles. So the scan settles everything lexical,
 * and a walk over the tree settles the members. cJSON's error position in a global variable is
 * never read: several threads parse at once.
 */
#include "quotey/json/json.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <qrt/base.h>

#include "quotey/core/text.h"

#define DIGITS "0123456789"

struct scan {
	const char *text;
	size_t length, at;
	unsigned depth;
	size_t values;
	size_t bad_number; /* where the first one is, plus 1; 0: none */
	struct qy_doc_error *error;
};

static bool fail(struct qy_doc_error *error, enum qy_doc_fault fault, const char *format, ...)
    QRT_PRINTF(3, 4);

static bool fail(struct qy_doc_error *error, enum qy_doc_fault fault, const char *format, ...)
{
	va_list args;

	error->fault = fault;
	va_start(args, format);
	vsnprintf(error->text, sizeof(error->text), format, args);
	va_end(args);
	return false;
}

static bool scan_fail(struct scan *scan, const char *what)
{
	return fail(scan->error, QY_DOC_SYNTAX, "%s at byte %zu", what, scan->at + 1);
}

/* --- the lexical scan ---------------------------------------------------------------------- */

static bool scan_escape(struct scan *scan)
{
	const char *next = scan->text + scan->at + 1;

	if (*next == 'u') {
		if (strspn(next + 1, DIGITS "abcdefABCDEF") < 4) {
			return scan_fail(scan, "a bad escape");
		}
		if (strncmp(next + 1, "0000", 4) == 0) {
			return scan_fail(scan, "a NUL in a string");
		}
		scan->at += 6;
		return true;
	}
	if (*next == '\0' || strchr("\"\\/bfnrt", *next) == NULL) {
		return scan_fail(scan, "a bad escape");
	}
	scan->at += 2;
	return true;
}

static bool scan_string(struct scan *scan)
{
	scan->at++;
	while (scan->at < scan->length) {
		unsigned char byte = (unsigned char)scan->text[scan->at];

		if (byte == '"') {
			scan->at++;
			return true;
		}
		if (byte < 0x20) {
			return scan_fail(scan, "a control character in a string");
		}
		if (byte == '\\') {
			if (!scan_escape(scan)) {
				return false;
			}
		} else {
			scan->at++;
		}
	}
	return scan_fail(scan, "a string without end");
}

/* The length of what follows the whole part: a fraction, an exponent, both or nothing. */
static bool scan_fraction(const char *text, size_t *ret_length)
{
	size_t length = 0, digits;

	if (text[length] == '.') {
		digits = strspn(text + 1, DIGITS);
		if (digits == 0) {
			return false;
		}
		length = digits + 1;
	}
	if (text[length] == 'e' || text[length] == 'E') {
		length++;
		length += text[length] == '+' || text[length] == '-';
		digits = strspn(text + length, DIGITS);
		if (digits == 0) {
			return false;
		}
		length += digits;
	}
	*ret_length = length;
	return true;
}

/* Whether the digits say at most 2^53 - 1, so that the double behind them is exact. */
static bool is_exact(const char *digits, size_t count)
{
	int64_t value = 0;
	size_t i;

	for (i = 0; i < count; i++) {
		value = value * 10 + (digits[i] - '0');
		if (value > QY_DOC_INTEGER_MAX) {
			return false;
		}
	}
	return true;
}

static bool scan_number(struct scan *scan)
{
	const char *digits = scan->text + scan->at;
	size_t start = scan->at, count, rest;

	digits += *digits == '-';
	count = strspn(digits, DIGITS);
	if (count == 0 || (count > 1 && *digits == '0') || !scan_fraction(digits + count, &rest)) {
		return scan_fail(scan, "a malformed number");
	}
	/* Reported only when the rest is JSON at all. */
	if (scan->bad_number == 0 && (rest > 0 || !is_exact(digits, count))) {
		scan->bad_number = start + 1;
	}
	scan->at = (size_t)(digits - scan->text) + count + rest;
	return true;
}

static bool scan_word(struct scan *scan)
{
	static const char *const words[] = {"true", "false", "null"};
	size_t i;

	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strncmp(scan->text + scan->at, words[i], strlen(words[i])) == 0) {
			scan->at += strlen(words[i]);
			return true;
		}
	}
	return scan_fail(scan, "an unexpected character");
}

static bool scan_bracket(struct scan *scan, char c)
{
	scan->at++;
	if (c == '{' || c == '[') {
		if (++scan->depth > QY_DOC_DEPTH_MAX) {
			return fail(scan->error, QY_DOC_LIMIT, "nested deeper than %d",
				    QY_DOC_DEPTH_MAX);
		}
	} else if (scan->depth == 0) {
		scan->at--;
		return scan_fail(scan, "a closing bracket too many");
	} else {
		scan->depth--;
	}
	return true;
}

static bool scan_token(struct scan *scan)
{
	char c = scan->text[scan->at];

	if (c == ',' || c == ':') {
		scan->at++;
		return true;
	}
	if (c == ']' || c == '}') {
		return scan_bracket(scan, c);
	}
	if (++scan->values > QY_DOC_VALUES_MAX) {
		return fail(scan->error, QY_DOC_LIMIT, "more than %d values", QY_DOC_VALUES_MAX);
	}
	if (c == '[' || c == '{') {
		return scan_bracket(scan, c);
	}
	if (c == '"') {
		return scan_string(scan);
	}
	return c == '-' || (c >= '0' && c <= '9') ? scan_number(scan) : scan_word(scan);
}

static bool scan_all(struct scan *scan)
{
	/* A NUL ends every strspn above, so one in the middle has to be found first. */
	if (memchr(scan->text, '\0', scan->length) != NULL) {
		return fail(scan->error, QY_DOC_SYNTAX, "it holds a NUL byte");
	}
	if (!qy_utf8_valid(scan->text, scan->length)) {
		return fail(scan->error, QY_DOC_SYNTAX, "it is not UTF-8");
	}
	for (;;) {
		scan->at += strspn(scan->text + scan->at, " \t\r\n");
		if (scan->at >= scan->length) {
			return true;
		}
		if (!scan_token(scan)) {
			return false;
		}
	}
}

/* --- the tree ------------------------------------------------------------------------------ */

static bool check_members(const cJSON *object, struct qy_doc_error *error)
{
	const cJSON *member, *other;
	size_t count = 0;

	for (member = object->child; member != NULL; member = member->next) {
		if (++count > QY_DOC_MEMBERS_MAX) {
			return fail(error, QY_DOC_LIMIT, "an object with more than %d members",
				    QY_DOC_MEMBERS_MAX);
		}
		for (other = object->child; other != member; other = other->next) {
			if (strcmp(other->string, member->string) == 0) {
				return fail(error, QY_DOC_DUPLICATE, "a member is given twice");
			}
		}
	}
	return true;
}

/* Depth is bounded by the scan. */
static bool check_tree(const cJSON *value, struct qy_doc_error *error)
{
	const cJSON *child;

	if (cJSON_IsObject(value) && !check_members(value, error)) {
		return false;
	}
	for (child = value->child; child != NULL; child = child->next) {
		if (!check_tree(child, error)) {
			return false;
		}
	}
	return true;
}

static bool parse(const char *text, size_t length, bool any_number, struct qy_doc **ret_doc,
		  struct qy_doc_error *ret_error)
{
	struct scan scan = {.text = text, .length = length, .error = ret_error};
	const char *end = NULL;
	cJSON *root;

	QRT_PRE(text[length] == '\0');
	if (!scan_all(&scan)) {
		return false;
	}
	if (scan.values == 0) {
		return fail(ret_error, QY_DOC_SYNTAX, "it is empty");
	}
	/* cJSON does not tell why it gave up; malloc does. */
	errno = 0;
	root = cJSON_ParseWithLengthOpts(text, length + 1, &end, 1);
	if (root == NULL && errno == ENOMEM) {
		return fail(ret_error, QY_DOC_NO_MEMORY, "out of memory");
	}
	if (root == NULL) {
		return fail(ret_error, QY_DOC_SYNTAX, "malformed near byte %zu",
			    end != NULL ? (size_t)(end - text) + 1 : 1);
	}
	if (!check_tree(root, ret_error)) {
		cJSON_Delete(root);
		return false;
	}
	if (scan.bad_number > 0 && !any_number) {
		cJSON_Delete(root);
		return fail(ret_error, QY_DOC_NUMBER,
			    "the number at byte %zu is not whole or too large", scan.bad_number);
	}
	*ret_doc = (struct qy_doc *)root;
	return true;
}

bool qy_doc_parse(const char *text, size_t length, struct qy_doc **ret_doc,
		  struct qy_doc_error *ret_error)
{
	return parse(text, length, /* any_number= */ false, ret_doc, ret_error);
}

bool qy_doc_parse_foreign(const char *text, size_t length, struct qy_doc **ret_doc,
			  struct qy_doc_error *ret_error)
{
	return parse(text, length, /* any_number= */ true, ret_doc, ret_error);
}

void qy_doc_destroy(struct qy_doc **doc)
{
	if (doc != NULL && *doc != NULL) {
		cJSON_Delete((cJSON *)*doc);
		*doc = NULL;
	}
}

/* --- reading ------------------------------------------------------------------------------- */

static const cJSON *node(const struct qy_doc *value)
{
	return (const cJSON *)value;
}

/* And exact; so is every number of a document that was read strictly. */
static bool is_whole(double number)
{
	double rest;

	if (!(number >= (double)-QY_DOC_INTEGER_MAX && number <= (double)QY_DOC_INTEGER_MAX)) {
		return false;
	}
	rest = number - (double)(int64_t)number;
	return !(rest > 0) && !(rest < 0);
}

enum qy_doc_kind qy_doc_kind(const struct qy_doc *value)
{
	const cJSON *item = node(value);

	if (cJSON_IsObject(item)) {
		return QY_DOC_OBJECT;
	}
	if (cJSON_IsArray(item)) {
		return QY_DOC_ARRAY;
	}
	if (cJSON_IsString(item)) {
		return QY_DOC_STRING;
	}
	if (cJSON_IsNumber(item)) {
		return is_whole(item->valuedouble) ? QY_DOC_INTEGER : QY_DOC_FRACTION;
	}
	return cJSON_IsBool(item) ? QY_DOC_BOOLEAN : QY_DOC_NULL;
}

const char *qy_doc_kind_name(enum qy_doc_kind kind)
{
	switch (kind) {
	case QY_DOC_OBJECT:
		return "an object";
	case QY_DOC_ARRAY:
		return "an array";
	case QY_DOC_STRING:
		return "a string";
	case QY_DOC_INTEGER:
	case QY_DOC_FRACTION:
		return "a number";
	case QY_DOC_BOOLEAN:
		return "true or false";
	case QY_DOC_NULL:
		break;
	}
	return "null";
}

bool qy_doc_boolean(const struct qy_doc *value)
{
	QRT_PRE(cJSON_IsBool(node(value)));
	return cJSON_IsTrue(node(value));
}

int64_t qy_doc_integer(const struct qy_doc *value)
{
	QRT_PRE(qy_doc_kind(value) == QY_DOC_INTEGER);
	return (int64_t)node(value)->valuedouble;
}

const char *qy_doc_string(const struct qy_doc *value)
{
	QRT_PRE(cJSON_IsString(node(value)));
	return node(value)->valuestring;
}

const struct qy_doc *qy_doc_first(const struct qy_doc *value)
{
	return (const struct qy_doc *)node(value)->child;
}

const struct qy_doc *qy_doc_next(const struct qy_doc *value)
{
	return (const struct qy_doc *)node(value)->next;
}

const char *qy_doc_name(const struct qy_doc *value)
{
	return node(value)->string != NULL ? node(value)->string : "";
}

const struct qy_doc *qy_doc_member(const struct qy_doc *object, const char *name)
{
	return (const struct qy_doc *)cJSON_GetObjectItemCaseSensitive(node(object), name);
}

/* --- the text ------------------------------------------------------------------------------- */

/* Behind the string at @at. */
static const char *skip_string(const char *at)
{
	for (at++; *at != '"'; at++) {
		at += *at == '\\';
	}
	return at + 1;
}

/* Behind the value at @at, which is well-formed. */
static const char *skip_value(const char *at)
{
	unsigned depth = 0;

	do {
		if (*at == '"') {
			at = skip_string(at);
			continue;
		}
		depth += *at == '{' || *at == '[';
		depth -= *at == '}' || *at == ']';
		at++;
	} while (depth > 0 || strchr(",}] \t\r\n", *at) == NULL);
	return at;
}

static const char *skip_blanks(const char *at)
{
	return at + strspn(at, " \t\r\n");
}

bool qy_doc_span(const char *text, const char *name, const char **ret_from, size_t *ret_length)
{
	const char *at = skip_blanks(text);
	size_t n_name = strlen(name);

	if (*at != '{') {
		return false;
	}
	at = skip_blanks(at + 1);
	while (*at == '"') {
		const char *key = at + 1;
		const char *behind = skip_string(at);
		bool found = (size_t)(behind - key) == n_name + 1 && memcmp(key, name, n_name) == 0;

		at = skip_blanks(skip_blanks(behind) + 1);
		behind = skip_value(at);
		if (found) {
			*ret_from = at;
			*ret_length = (size_t)(behind - at);
			return true;
		}
		at = skip_blanks(behind);
		at = skip_blanks(at + (*at == ','));
	}
	return false;
}
