/* Checks members against rules and words what is wrong. */
#include "quotey/server/shape.h"

#include <stdio.h>
#include <string.h>

#include "quotey/core/text.h"

/* Sets an error about one member; its name may be the client's and as long as it likes. */
static bool fail(struct qy_error *error, const char *code, const char *path, const char *name,
		 const char *what)
{
	char member[QY_ERROR_MEMBER_SIZE], short_name[QY_ERROR_MEMBER_SIZE / 2];

	qy_text_cut(short_name, sizeof(short_name), name);
	snprintf(member, sizeof(member), "%.48s%s", path, short_name);
	qy_error_set(error, 422, code, "%s: %s", member, what);
	qy_text_cut(error->member, sizeof(error->member), member);
	return false;
}

static bool parse_failed(const struct qy_doc_error *why, struct qy_error *error)
{
	switch (why->fault) {
	case QY_DOC_NUMBER:
		qy_error_set(error, 422, "INVALID_NUMBER",
			     "%s: numbers are whole here, and amounts are strings", why->text);
		break;
	case QY_DOC_DUPLICATE:
		qy_error_set(error, 400, "DUPLICATE_MEMBER", "The body is ambiguous: %s.",
			     why->text);
		break;
	case QY_DOC_LIMIT:
		qy_error_set(error, 400, "JSON_LIMIT", "The body is too complex: %s.", why->text);
		break;
	case QY_DOC_NO_MEMORY:
		qy_error_set(error, 503, "NO_MEMORY", "There is no memory for the body.");
		break;
	case QY_DOC_FINE:
	case QY_DOC_SYNTAX:
		qy_error_set(error, 400, "INVALID_JSON", "The body is not JSON: %s.", why->text);
		break;
	}
	return false;
}

bool qy_body_parse(const char *text, size_t length, struct qy_doc **ret_doc, struct qy_error *error)
{
	struct qy_doc_error why = {.fault = QY_DOC_FINE};
	struct qy_doc *doc = NULL;

	if (!qy_doc_parse(text, length, &doc, &why)) {
		return parse_failed(&why, error);
	}
	if (qy_doc_kind(doc) != QY_DOC_OBJECT) {
		qy_error_set(error, 422, "WRONG_TYPE", "The body must be an object, not %s.",
			     qy_doc_kind_name(qy_doc_kind(doc)));
		qy_doc_destroy(&doc);
		return false;
	}
	*ret_doc = doc;
	return true;
}

bool qy_shape_kind(const struct qy_doc *value, unsigned kinds, const char *path, const char *name,
		   struct qy_error *error)
{
	enum qy_doc_kind kind = qy_doc_kind(value);
	char wanted[96] = "must be ";
	bool first = true;
	unsigned bit;

	if ((kinds & (unsigned)kind) != 0) {
		return true;
	}
	for (bit = QY_DOC_BOOLEAN; bit <= QY_DOC_OBJECT; bit <<= 1) {
		if ((kinds & bit) != 0) {
			size_t used = strlen(wanted);

			snprintf(wanted + used, sizeof(wanted) - used, "%s%s", first ? "" : " or ",
				 qy_doc_kind_name((enum qy_doc_kind)bit));
			first = false;
		}
	}
	return fail(error, "WRONG_TYPE", path, name, wanted);
}

static const struct qy_member_rule *find_rule(const struct qy_member_rule *rules, size_t count,
					      const char *name)
{
	size_t i;

	for (i = 0; i < count; i++) {
		if (strcmp(rules[i].name, name) == 0) {
			return &rules[i];
		}
	}
	return NULL;
}

bool qy_shape_check(const struct qy_doc *object, const struct qy_member_rule *rules, size_t count,
		    const char *path, struct qy_error *error)
{
	const struct qy_doc *member;
	size_t i;

	for (member = qy_doc_first(object); member != NULL; member = qy_doc_next(member)) {
		const char *name = qy_doc_name(member);
		const struct qy_member_rule *rule = find_rule(rules, count, name);

		if (rule == NULL) {
			return fail(error, "UNKNOWN_MEMBER", path, name, "is not known here");
		}
		if (!qy_shape_kind(member, rule->kinds, path, name, error)) {
			return false;
		}
	}
	for (i = 0; i < count; i++) {
		if (rules[i].required && qy_doc_member(object, rules[i].name) == NULL) {
			return fail(error, "MISSING_MEMBER", path, rules[i].name, "is missing");
		}
	}
	return true;
}
