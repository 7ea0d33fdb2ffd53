/*
 * Reading JSON that comes from outside, strictly: what two readers could understand differently
 * is refused. The only file that knows the JSON library is json.c.
 *
 * Refused: anything after the value, members given twice, nesting deeper than 32, more than 50000
 * values, more than 256 members in an object, text that is not UTF-8, NUL in any form, unescaped
 * control characters. Numbers are whole, written with digits only, and at most 2^53 - 1 in size;
 * where others say what a document holds (qy_doc_parse_foreign), they may be any.
 */
#ifndef QY_JSON_JSON_H
#define QY_JSON_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "quotey/core/code.h"

#define QY_DOC_DEPTH_MAX 32
#define QY_DOC_VALUES_MAX 50000
#define QY_DOC_MEMBERS_MAX 256
#define QY_DOC_INTEGER_MAX INT64_C(9007199254740991)
#define QY_DOC_TEXT_SIZE 128

/* A value of a document; the root owns all of them. */
struct qy_doc;

/* Kinds are bits, so that a set of them says what is allowed somewhere. */
enum qy_doc_kind {
	QY_DOC_NULL = 1u << 0,
	QY_DOC_BOOLEAN = 1u << 1,
	QY_DOC_INTEGER = 1u << 2,
	QY_DOC_STRING = 1u << 3,
	QY_DOC_ARRAY = 1u << 4,
	QY_DOC_OBJECT = 1u << 5,
	QY_DOC_FRACTION = 1u << 6, /* foreign only: not whole, or too large to be exact */
};

enum qy_doc_fault {
	QY_DOC_FINE,
	QY_DOC_SYNTAX,	  /* this is not JSON */
	QY_DOC_DUPLICATE, /* a member is there twice */
	QY_DOC_NUMBER,	  /* JSON, but with a number that is not whole or too large */
	QY_DOC_LIMIT,	  /* JSON, but deeper or larger than anything asked for here */
	QY_DOC_NO_MEMORY,
};

struct qy_doc_error {
	enum qy_doc_fault fault;
	char text[QY_DOC_TEXT_SIZE]; /* one sentence part for people, without quoting the input */
};

/*
 * Reads @length bytes, which a NUL must follow. On success the caller destroys *ret_doc and
 * ret_error is untouched; otherwise the reverse.
 */
bool qy_doc_parse(const char *text, size_t length, struct qy_doc **ret_doc,
		  struct qy_doc_error *ret_error) QY_MUST_USE;

/* The same, but with numbers of any form and size. */
bool qy_doc_parse_foreign(const char *text, size_t length, struct qy_doc **ret_doc,
			  struct qy_doc_error *ret_error) QY_MUST_USE;
/*
 * Where the member @name of an object stands in its text: its value as it was written, without
 * blanks around it. @text has been parsed before. False: there is none of that spelling.
 */
bool qy_doc_span(const char *text, const char *name, const char **ret_from,
		 size_t *ret_length) QY_MUST_USE;

/* For the root only. NULL-safe; NULLs the caller's pointer. */
void qy_doc_destroy(struct qy_doc **doc);

enum qy_doc_kind qy_doc_kind(const struct qy_doc *value);
/* "a string", for messages; static. */
const char *qy_doc_kind_name(enum qy_doc_kind kind);

/* Each for a value of that kind only. */
bool qy_doc_boolean(const struct qy_doc *value);
int64_t qy_doc_integer(const struct qy_doc *value);
const char *qy_doc_string(const struct qy_doc *value);

/* The first value inside an array or object, the one after it; NULL at the end. */
const struct qy_doc *qy_doc_first(const struct qy_doc *value);
const struct qy_doc *qy_doc_next(const struct qy_doc *value);
/* The name under which a value stands in its object; "" in an array. */
const char *qy_doc_name(const struct qy_doc *value);
/* A member by its exact name; NULL when the object has none. */
const struct qy_doc *qy_doc_member(const struct qy_doc *object, const char *name);

#endif
