/* Error bodies: one table says what a status means, one function writes it. */
#include "quotey/server/error_body.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "quotey/core/json_write.h"
#include "quotey/core/text.h"
#include "quotey/server/violations_json.h"

struct meaning {
	int status;
	const char *code;
	const char *category;
	const char *hint;
};

static const char validation[] = "validation_error", permission[] = "permission_denied",
		  conflict[] = "conflict", unavailable[] = "service_unavailable",
		  internal[] = "internal_error";

static const struct meaning meanings[] = {
    {400, "BAD_REQUEST", validation, "Correct the request and send it again."},
    {401, "UNAUTHENTICATED", permission, "Send a valid API key as 'Authorization: Bearer'."},
    {403, "FORBIDDEN", permission, "Use an API key that has the scope for this."},
    {404, "NOT_FOUND", "not_found", "Check the path and the identifiers in it."},
    {405, "METHOD_NOT_ALLOWED", validation, "Use one of the methods named in Allow."},
    {408, "REQUEST_TIMEOUT", validation, "Send the whole request without pauses."},
    {409, "CONFLICT", conflict, "Read the current state and decide again."},
    {410, "GONE", "not_found", "Ask for a new link."},
    {411, "LENGTH_REQUIRED", validation, "Send the body with its length."},
    {412, "PRECONDITION_FAILED", conflict, "Read the current state and decide again."},
    {413, "BODY_TOO_LARGE", validation, "Send a smaller body."},
    {414, "URI_TOO_LONG", validation, "Send a shorter request line."},
    {415, "UNSUPPORTED_MEDIA_TYPE", validation, "Send JSON as application/json."},
    {417, "EXPECTATION_FAILED", validation, "Expect nothing but 100-continue."},
    {422, "UNPROCESSABLE", validation, "Correct the body and send it again."},
    {429, "RATE_LIMITED", "rate_limited", "Wait as long as Retry-After says."},
    {431, "HEADERS_TOO_LARGE", validation, "Send fewer or shorter headers."},
    {500, "INTERNAL_ERROR", internal, "Report this with its correlation id."},
    {501, "NOT_IMPLEMENTED", internal, "Use plain HTTP/1.1 without extensions."},
    {503, "SERVICE_UNAVAILABLE", unavailable, "Try again after the time in Retry-After."},
    {505, "HTTP_VERSION", internal, "Use HTTP/1.1."},
};

static const struct meaning *meaning_of(int status)
{
	static const struct meaning client = {0, "BAD_REQUEST", validation,
					      "Correct the request and send it again."};
	static const struct meaning server = {0, "INTERNAL_ERROR", internal,
					      "Report this with its correlation id."};
	size_t i;

	for (i = 0; i < sizeof(meanings) / sizeof(meanings[0]); i++) {
		if (meanings[i].status == status) {
			return &meanings[i];
		}
	}
	return status < 500 ? &client : &server;
}

void qy_error_set(struct qy_error *error, int status, const char *code, const char *format, ...)
{
	/* Twice the room: what is too long is cut below, between characters and not bytes. */
	char text[2 * QY_ERROR_TEXT_SIZE];
	va_list args;

	memset(error, 0, sizeof(*error));
	error->status = status;
	error->code = code;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	qy_text_cut(error->text, sizeof(error->text), text);
}

const char *qy_error_category(int status)
{
	return meaning_of(status)->category;
}

const char *qy_error_status_code(int status)
{
	return meaning_of(status)->code;
}

unsigned qy_error_retry_after(const struct qy_error *error)
{
	if (error->retry_after_seconds > 0) {
		return error->retry_after_seconds;
	}
	return error->status == 503 ? QY_ERROR_RETRY_SECONDS : 0;
}

/* Only what is there, keys in byte order. */
static void write_details(struct qy_json *json, const struct qy_error *error)
{
	qy_json_object_begin(json);
	if (error->event != NULL) {
		qy_json_key(json, "event");
		qy_json_string(json, error->event);
	}
	if (error->member[0] != '\0') {
		qy_json_key(json, "member");
		qy_json_string(json, error->member);
	}
	if (error->position > 0) {
		qy_json_key(json, "position");
		qy_json_integer(json, error->position);
	}
	if (error->quote_status != NULL) {
		qy_json_key(json, "status");
		qy_json_string(json, error->quote_status);
	}
	if (error->violations != NULL) {
		qy_json_key(json, "violations");
		qy_violations_write(json, error->violations);
	}
	qy_json_object_end(json);
}

enum qy_code qy_error_json(const struct qy_error *error, const char *correlation, char **ret_json)
{
	const struct meaning *meaning = meaning_of(error->status);
	unsigned retry_after = qy_error_retry_after(error);
	struct qy_json json;

	qy_json_init(&json);
	qy_json_object_begin(&json);
	qy_json_key(&json, "category");
	qy_json_string(&json, meaning->category);
	qy_json_key(&json, "code");
	qy_json_string(&json, error->code);
	qy_json_key(&json, "correlation_id");
	qy_json_string(&json, correlation);
	qy_json_key(&json, "details");
	write_details(&json, error);
	qy_json_key(&json, "error");
	qy_json_string(&json, error->text);
	qy_json_key(&json, "recovery_hint");
	qy_json_string(&json, meaning->hint);
	qy_json_key(&json, "retry_after_seconds");
	if (retry_after > 0) {
		qy_json_integer(&json, retry_after);
	} else {
		qy_json_null(&json);
	}
	qy_json_object_end(&json);
	return qy_json_take(&json, ret_json);
}
