/*
 * The shape of a JSON body: which members an object has, of which kinds, and which of them must be
 * there. Shape is told apart from values: a wrong shape is 422, an unacceptable value 400.
 */
#ifndef QY_SERVER_SHAPE_H
#define QY_SERVER_SHAPE_H

#include "quotey/server/error_body.h"
#include "quotey/json/json.h"

struct qy_member_rule {
	const char *name;
	unsigned kinds; /* of enum qy_doc_kind */
	bool required;
};

/*
 * Reads a body (see qy_doc_parse) that must be an object. False: *error says why, and *ret_doc is
 * untouched.
 */
bool qy_body_parse(const char *text, size_t length, struct qy_doc **ret_doc,
		   struct qy_error *error) QY_MUST_USE;

/*
 * Whether @object has only members of @rules, each of an allowed kind, and all required ones.
 * @path stands before the member's name in the error: "lines[0].", or "".
 */
bool qy_shape_check(const struct qy_doc *object, const struct qy_member_rule *rules, size_t count,
		    const char *path, struct qy_error *error) QY_MUST_USE;

/* Whether @value is of one of @kinds; @path and @name say where it stands. */
bool qy_shape_kind(const struct qy_doc *value, unsigned kinds, const char *path, const char *name,
		   struct qy_error *error) QY_MUST_USE;

#endif
