/* Answers. The one place where errors of the shim and of the store become statuses of HTTP. */
#include "quotey/server/answer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "quotey/core/text.h"
#include "quotey/server/headers.h"

enum qrt_err qy_answer_text(struct qrt_http_response *resp, int status, const char *text)
{
	enum qrt_err err = qrt_http_set_header(resp, "Content-Type", "application/json");

	if (!err) {
		err = qrt_http_set_body(resp, text, strlen(text));
	}
	if (!err) {
		qrt_http_set_status(resp, status);
	}
	return err;
}

enum qrt_err qy_answer_write_error(struct qrt_http_response *resp, const struct qy_error *error)
{
	const char *correlation = qrt_http_response_header(resp, QY_HEADER_CORRELATION);
	unsigned retry_after = qy_error_retry_after(error);
	char seconds[16], *text = NULL;
	enum qy_code code = qy_error_json(error, correlation, &text);
	enum qrt_err err = QRT_OK;

	if (code != QY_OK) {
		return code == QY_NO_MEMORY ? QRT_ENOMEM : QRT_EFAILED;
	}
	if (retry_after > 0) {
		snprintf(seconds, sizeof(seconds), "%u", retry_after);
		err = qrt_http_set_header(resp, "Retry-After", seconds);
	}
	if (!err && error->status == 401) {
		err = qrt_http_set_header(resp, "WWW-Authenticate", "Bearer");
	}
	if (!err) {
		err = qy_answer_text(resp, error->status, text);
	}
	free(text);
	return err;
}

enum qrt_err qy_answer_json(struct qy_exchange *exchange, int status, enum qy_code code)
{
	enum qrt_err err;

	if (code == QY_NO_MEMORY) {
		return QRT_ENOMEM;
	}
	if (code != QY_OK) {
		qy_error_set(&exchange->error, 500, qy_code_name(code),
			     "The answer could not be written.");
		return qy_answer_error(exchange);
	}
	err = qy_answer_text(exchange->resp, status, exchange->text);
	free(exchange->text);
	exchange->text = NULL;
	return err;
}

enum qrt_err qy_answer_error(struct qy_exchange *exchange)
{
	return qy_answer_write_error(exchange->resp, &exchange->error);
}

/* The store gave no answer. Details of it may hold paths and SQL: they are not for clients. */
static void error_of_err(struct qy_error *error, enum qrt_err err)
{
	switch (err) {
	case QRT_ECLOSED:
	case QRT_EBUSY:
	case QRT_EAGAIN:
	case QRT_ETIMEDOUT:
	case QRT_ELIMIT:
	case QRT_ENOMEM:
	case QRT_EMFILE:
	case QRT_EIO:
	case QRT_ENOSPC:
		qy_error_set(error, 503, err == QRT_EBUSY ? "DB_BUSY" : "DB_UNAVAILABLE",
			     "The database does not answer now.");
		return;
	case QRT_ECOMMITUNKNOWN:
		qy_error_set(error, 500, "COMMIT_UNKNOWN",
			     "It is not known whether the change was stored; read it again.");
		return;
	default:
		qy_error_set(error, 500, "INTERNAL_ERROR", "The request failed inside.");
		return;
	}
}

static int status_of_fault(enum qy_fault_kind kind)
{
	switch (kind) {
	case QY_FAULT_NOT_FOUND:
		return 404;
	case QY_FAULT_CONFLICT:
		return 409;
	case QY_FAULT_STALE:
		return 412;
	case QY_FAULT_INVALID:
		return 400;
	case QY_FAULT_VIOLATIONS:
		return 422;
	case QY_FAULT_NONE:
	case QY_FAULT_COUNT:
		break;
	}
	QRT_IMPOSSIBLE("a fault of no kind");
}

static void error_of_fault(struct qy_error *error, const struct qy_fault *fault,
			   const struct qy_violations *violations)
{
	qy_error_set(error, status_of_fault(fault->kind), fault->name, "%s", fault->text);
	error->position = fault->position;
	qy_text_cut(error->member, sizeof(error->member), fault->field);
	if (fault->event[0] != '\0') {
		error->event = fault->event;
		error->quote_status = qy_status_name(fault->status);
	}
	if (fault->kind == QY_FAULT_VIOLATIONS) {
		error->violations = violations;
	}
}

enum qrt_err qy_answer_failure(struct qy_exchange *exchange, enum qrt_err err,
			       const struct qy_fault *fault, const struct qy_violations *violations)
{
	if (err == QRT_ECANCELED) {
		return err;
	}
	if (err) {
		error_of_err(&exchange->error, err);
	} else {
		error_of_fault(&exchange->error, fault, violations);
	}
	return qy_answer_error(exchange);
}
