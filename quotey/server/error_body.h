/*
 * An error as a client sees it: status, code, sentence and details, and the JSON body made of them.
 *
 * Pure. Never holds a secret, SQL, a path or the text of a stored document.
 */
#ifndef QY_SERVER_ERROR_BODY_H
#define QY_SERVER_ERROR_BODY_H

#include <qrt/base.h>

#include "quotey/core/code.h"
#include "quotey/core/constraint.h"

#define QY_ERROR_TEXT_SIZE 256
#define QY_ERROR_MEMBER_SIZE 128
/* Seconds after which a client may try again when a service is unavailable. */
#define QY_ERROR_RETRY_SECONDS 5

struct qy_error {
	int status;			   /* of HTTP */
	const char *code;		   /* "INVALID_JSON"; static */
	char text[QY_ERROR_TEXT_SIZE];	   /* one sentence for people */
	char member[QY_ERROR_MEMBER_SIZE]; /* "lines[0].quantity", or "" */
	unsigned position;		   /* of the line at fault, from 1, or 0 */
	const char *quote_status;	   /* with event: what does not go together; else NULL */
	const char *event;
	const struct qy_violations *violations; /* borrowed; NULL: none */
	unsigned retry_after_seconds;		/* 0: as the status has it */
};

/* Sets status, code and text and forgets the rest; the text is cut between code points. */
void qy_error_set(struct qy_error *error, int status, const char *code, const char *format, ...)
    QRT_PRINTF(4, 5);

/* "validation_error" and so on; never NULL. */
const char *qy_error_category(int status);

/* The code of an error that has no better one than its status: "NOT_FOUND"; never NULL. */
const char *qy_error_status_code(int status);

/* What Retry-After has to say; 0: nothing. */
unsigned qy_error_retry_after(const struct qy_error *error);

/*
 * The body, canonical JSON, malloc'd, the caller's. @correlation NULL: null. Errors: NO_MEMORY,
 * INVALID_FIELD for a text that is not UTF-8.
 */
enum qy_code qy_error_json(const struct qy_error *error, const char *correlation,
			   char **ret_json) QY_MUST_USE;

#endif
