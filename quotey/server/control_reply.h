/*
 * Replies of control handlers, from JSON writers, buffers and errors.
 */
#ifndef QY_SERVER_CONTROL_REPLY_H
#define QY_SERVER_CONTROL_REPLY_H

#include <qrt/control.h>

#include "quotey/core/json_write.h"
#include "quotey/db/buffer.h"
#include "quotey/server/error_body.h"

/* Takes the finished text of @json; a failure of it becomes a 500. */
void qy_control_reply_json(struct qrt_control_reply *reply, int status, struct qy_json *json);

/* Takes the text of @buffer; a failure of it becomes a 503. @type is static; NULL: JSON. */
void qy_control_reply_buffer(struct qrt_control_reply *reply, int status, const char *type,
			     struct qy_buffer *buffer);

/* The error's body; without memory for it, an empty body. */
void qy_control_reply_error(struct qrt_control_reply *reply, const struct qy_error *error);

#endif
