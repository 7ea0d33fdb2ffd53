/* Replies: the body is malloc'd and handed over to the control listener. */
#include "quotey/server/control_reply.h"

#include <string.h>

static void set(struct qrt_control_reply *reply, int status, const char *type, char *body)
{
	reply->status = status;
	reply->content_type = type;
	reply->body = body;
	reply->body_len = body != NULL ? strlen(body) : 0;
}

void qy_control_reply_error(struct qrt_control_reply *reply, const struct qy_error *error)
{
	char *body = NULL;

	if (qy_error_json(error, /* correlation= */ NULL, &body) != QY_OK) {
		body = NULL;
	}
	set(reply, error->status, NULL, body);
}

void qy_control_reply_json(struct qrt_control_reply *reply, int status, struct qy_json *json)
{
	struct qy_error error;
	char *body = NULL;
	enum qy_code code = qy_json_take(json, &body);

	if (code != QY_OK) {
		qy_error_set(&error, 500, qy_code_name(code), "The answer could not be written.");
		qy_control_reply_error(reply, &error);
		return;
	}
	set(reply, status, NULL, body);
}

void qy_control_reply_buffer(struct qrt_control_reply *reply, int status, const char *type,
			     struct qy_buffer *buffer)
{
	struct qy_error error;

	if (buffer->err || buffer->data == NULL) {
		qy_buffer_fini(buffer);
		qy_error_set(&error, 503, "SERVICE_UNAVAILABLE", "The answer is too large.");
		qy_control_reply_error(reply, &error);
		return;
	}
	set(reply, status, type, buffer->data);
	buffer->data = NULL;
	qy_buffer_fini(buffer);
}
