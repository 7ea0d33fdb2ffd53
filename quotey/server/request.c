/* Reads what requests say; the size of everything is bounded by the HTTP server. */
#include "quotey/server/request.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "quotey/core/text.h"
#include "quotey/server/shape.h"

#define LIST_DEFAULT 20
#define OFFSET_MAX 1000000000

/* --- body ---------------------------------------------------------------------------------- */

bool qy_media_type_is_json(const char *value)
{
	static const char type[] = "application/json", charset[] = "charset=";
	size_t length;

	if (value == NULL || strncasecmp(value, type, strlen(type)) != 0) {
		return false;
	}
	value += strlen(type);
	value += strspn(value, " \t");
	if (*value == '\0') {
		return true;
	}
	if (*value++ != ';') {
		return false;
	}
	value += strspn(value, " \t");
	if (strncasecmp(value, charset, strlen(charset)) != 0) {
		return *value == '\0';
	}
	value += strlen(charset);
	value += *value == '"';
	length = strcspn(value, "\"; \t");
	return length == 5 && strncasecmp(value, "utf-8", 5) == 0;
}

bool qy_request_body(struct qy_exchange *exchange)
{
	size_t length = 0;
	const char *text = qrt_http_body(exchange->req, &length);

	if (!qy_media_type_is_json(qrt_http_header(exchange->req, "Content-Type"))) {
		qy_error_set(&exchange->error, 415, "UNSUPPORTED_MEDIA_TYPE",
			     "The body must be JSON, with Content-Type: application/json.");
		return false;
	}
	return qy_body_parse(text, length, &exchange->body, &exchange->error);
}

bool qy_request_no_body(struct qy_exchange *exchange)
{
	size_t length = 0;

	(void)qrt_http_body(exchange->req, &length);
	if (length == 0) {
		return true;
	}
	return qy_request_body(exchange) &&
	       qy_shape_check(exchange->body, NULL, 0, "", &exchange->error);
}

/* --- path and headers ---------------------------------------------------------------------- */

bool qy_request_quote_id(struct qy_exchange *exchange, char ret_id[QY_QUOTE_ID_SIZE])
{
	const char *text = qrt_http_param(exchange->req, "id");

	if (qy_quote_id_normalize(text, ret_id) != QY_OK) {
		qy_error_set(&exchange->error, 400, "INVALID_ID",
			     "A quote id is 3 to 64 letters, digits, '_' or '-', "
			     "and starts with a letter or digit.");
		return false;
	}
	return true;
}

/* A number without sign or blanks, at most @max; -1 for any other text. */
static int64_t number_of(const char *text, size_t length, int64_t max)
{
	int64_t value = 0;
	size_t i;

	if (length == 0 || length > 10) {
		return -1;
	}
	for (i = 0; i < length; i++) {
		if (text[i] < '0' || text[i] > '9') {
			return -1;
		}
		value = value * 10 + (text[i] - '0');
	}
	return value <= max ? value : -1;
}

unsigned qy_entity_tag_version(const char *value)
{
	size_t length;
	int64_t version;

	if (strncmp(value, "W/", 2) == 0) {
		value += 2;
	}
	length = strlen(value);
	if (length >= 2 && value[0] == '"' && value[length - 1] == '"') {
		value++;
		length -= 2;
	}
	version = number_of(value, length, INT32_MAX);
	return version > 0 ? (unsigned)version : 0;
}

bool qy_request_if_match(struct qy_exchange *exchange, unsigned *ret_version)
{
	const char *value = qrt_http_header(exchange->req, "If-Match");

	if (value == NULL || strcmp(value, "*") == 0) {
		*ret_version = 0;
		return true;
	}
	*ret_version = qy_entity_tag_version(value);
	if (*ret_version == 0) {
		qy_error_set(&exchange->error, 400, "INVALID_IF_MATCH",
			     "If-Match takes one ETag of this quote, or *.");
		return false;
	}
	return true;
}

/* --- query --------------------------------------------------------------------------------- */

static bool refuse(struct qy_exchange *exchange, const char *name, const char *what)
{
	qy_error_set(&exchange->error, 400, "INVALID_FIELD", "%s: %s", name, what);
	qy_text_cut(exchange->error.member, sizeof(exchange->error.member), name);
	return false;
}

static bool take_number(struct qy_exchange *exchange, const char *name, int64_t min, int64_t max,
			unsigned *number)
{
	const char *text = qrt_http_query(exchange->req, name);
	char what[64];
	int64_t value;

	if (text == NULL) {
		return true;
	}
	value = number_of(text, strlen(text), max);
	if (value < min) {
		snprintf(what, sizeof(what), "must be a number from %d to %d", (int)min, (int)max);
		return refuse(exchange, name, what);
	}
	*number = (unsigned)value;
	return true;
}

static bool take_text(struct qy_exchange *exchange, const char *name, char *buffer, size_t size)
{
	const char *text = qrt_http_query(exchange->req, name);
	size_t length;

	if (text == NULL) {
		return true;
	}
	length = strlen(text);
	if (length == 0 || length >= size || !qy_utf8_valid(text, length)) {
		return refuse(exchange, name, "is empty, too long or not UTF-8");
	}
	memcpy(buffer, text, length + 1);
	return true;
}

bool qy_request_filter(struct qy_exchange *exchange, struct qy_quote_filter *ret_filter)
{
	struct qy_quote_filter filter = {.limit = LIST_DEFAULT};
	const char *status = qrt_http_query(exchange->req, "status");

	if (status != NULL) {
		if (qy_status_parse(status, &filter.status) != QY_OK) {
			return refuse(exchange, "status", "is no status of a quote");
		}
		filter.has_status = true;
	}
	if (!take_text(exchange, "account_id", filter.account_id, sizeof(filter.account_id)) ||
	    !take_text(exchange, "created_by", filter.created_by, sizeof(filter.created_by)) ||
	    !take_number(exchange, "limit", 1, QY_LIST_MAX, &filter.limit) ||
	    !take_number(exchange, "offset", 0, OFFSET_MAX, &filter.offset)) {
		return false;
	}
	*ret_filter = filter;
	return true;
}
