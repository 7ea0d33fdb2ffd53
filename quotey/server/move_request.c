/* Reads requests for moves, and says with which status their end is answered. */
#include "quotey/server/move_request.h"

#include <string.h>

#include "quotey/core/text.h"
#include "quotey/server/shape.h"

static const struct qy_member_rule set_rules[] = {
    {"component", QY_DOC_STRING, true},
    {"backend", QY_DOC_STRING, true},
    {"reason", QY_DOC_STRING, false},
    {"actor", QY_DOC_STRING, false},
};

static const struct qy_member_rule rollback_rules[] = {
    {"component", QY_DOC_STRING, false},
    {"reason", QY_DOC_STRING, false},
    {"actor", QY_DOC_STRING, false},
};

/* Copies a member if it is there. What is journalled must be one line of text. */
static bool take(const struct qy_doc *body, const char *name, char *buffer, size_t size,
		 struct qy_error *error)
{
	const struct qy_doc *member = qy_doc_member(body, name);
	const char *text = member != NULL ? qy_doc_string(member) : NULL;
	size_t length, i;

	if (text == NULL) {
		return true;
	}
	length = strlen(text);
	for (i = 0; i < length; i++) {
		if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f) {
			break;
		}
	}
	if (length >= size || i < length) {
		qy_error_set(error, 400, "INVALID_FIELD",
			     "%s: must be one line of at most %zu bytes", name, size - 1);
		qy_text_cut(error->member, sizeof(error->member), name);
		return false;
	}
	memcpy(buffer, text, length + 1);
	return true;
}

static bool is_actor(const char *text)
{
	static const char *const types[] = {"agent",   "user",	  "system",
					    "service", "webhook", "customer"};
	size_t i;

	for (i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		size_t length = strlen(types[i]);

		if (strncmp(text, types[i], length) == 0 && text[length] == ':' &&
		    text[length + 1] != '\0') {
			return true;
		}
	}
	return false;
}

static bool check_values(const struct qy_move_request *request, struct qy_error *error)
{
	if (!is_actor(request->actor)) {
		qy_error_set(error, 400, "INVALID_FIELD",
			     "actor: must be <type>:<id>, for example user:operator");
		qy_text_cut(error->member, sizeof(error->member), "actor");
		return false;
	}
	return true;
}

static const struct qy_member_rule kill_rules[] = {
    {"clear", QY_DOC_BOOLEAN, false},
    {"reason", QY_DOC_STRING, false},
    {"actor", QY_DOC_STRING, false},
};

bool qy_kill_request_read(const char *text, size_t length, struct qy_move_request *ret_request,
			  struct qy_error *error)
{
	struct qy_move_request request = {.actor = "user:operator"};
	const struct qy_doc *member;
	struct qy_doc *body = NULL;
	bool good;

	if (length == 0) {
		*ret_request = request;
		return true;
	}
	if (!qy_body_parse(text, length, &body, error)) {
		return false;
	}
	good = qy_shape_check(body, kill_rules, sizeof(kill_rules) / sizeof(kill_rules[0]), "",
			      error) &&
	       take(body, "reason", request.reason, sizeof(request.reason), error) &&
	       take(body, "actor", request.actor, sizeof(request.actor), error) &&
	       check_values(&request, error);
	member = good ? qy_doc_member(body, "clear") : NULL;
	request.is_clear = member != NULL && qy_doc_boolean(member);
	qy_doc_destroy(&body);
	if (good) {
		*ret_request = request;
	}
	return good;
}

bool qy_move_request_read(const char *text, size_t length, bool with_backend,
			  struct qy_move_request *ret_request, struct qy_error *error)
{
	const struct qy_member_rule *rules = with_backend ? set_rules : rollback_rules;
	size_t count = with_backend ? sizeof(set_rules) / sizeof(set_rules[0])
				    : sizeof(rollback_rules) / sizeof(rollback_rules[0]);
	struct qy_move_request request = {.actor = "user:operator"};
	struct qy_doc *body = NULL;
	bool good;

	if (length == 0 && !with_backend) {
		*ret_request = request;
		return true;
	}
	if (!qy_body_parse(text, length, &body, error)) {
		return false;
	}
	good = qy_shape_check(body, rules, count, "", error) &&
	       take(body, "component", request.component, sizeof(request.component), error) &&
	       take(body, "backend", request.backend, sizeof(request.backend), error) &&
	       take(body, "reason", request.reason, sizeof(request.reason), error) &&
	       take(body, "actor", request.actor, sizeof(request.actor), error) &&
	       check_values(&request, error);
	qy_doc_destroy(&body);
	if (good) {
		*ret_request = request;
	}
	return good;
}

int qy_move_status(const struct qrt_move *move)
{
	bool begun = move->from[0] != '\0';

	switch (move->err) {
	case QRT_OK:
		return 200;
	case QRT_ENOENT:
		return begun ? 503 : 404;
	case QRT_ENOTSUP:
	case QRT_EINVAL:
		return begun ? 503 : 400;
	case QRT_ESTATE:
	case QRT_EEXIST:
	case QRT_EBUSY:
	case QRT_ECONFLICT:
		return 409;
	default:
		return 503;
	}
}
