/*
 * Answers: a JSON text, an error, or what a call of the store came to.
 *
 * Each returns what the handler returns: QRT_OK when there is an answer, ENOMEM when there was no
 * memory even for that, ECANCELED when nobody waits for one.
 */
#ifndef QY_SERVER_ANSWER_H
#define QY_SERVER_ANSWER_H

#include "quotey/server/exchange.h"

/* Sets status, type and a copy of the body. */
enum qrt_err qy_answer_text(struct qrt_http_response *resp, int status,
			    const char *text) QRT_MUST_USE;

/* Writes an error's body and its Retry-After and WWW-Authenticate. */
enum qrt_err qy_answer_write_error(struct qrt_http_response *resp,
				   const struct qy_error *error) QRT_MUST_USE;

/* exchange->text, which it frees; @code is of the function that made it. */
enum qrt_err qy_answer_json(struct qy_exchange *exchange, int status,
			    enum qy_code code) QRT_MUST_USE;

/* exchange->error. */
enum qrt_err qy_answer_error(struct qy_exchange *exchange) QRT_MUST_USE;

/*
 * The answer to a call of the store that was no success: @err, or, when that is QRT_OK, @fault.
 * @violations may be NULL.
 */
enum qrt_err qy_answer_failure(struct qy_exchange *exchange, enum qrt_err err,
			       const struct qy_fault *fault,
			       const struct qy_violations *violations) QRT_MUST_USE;

#endif
