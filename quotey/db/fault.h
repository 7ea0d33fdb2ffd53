/*
 * A fault: the answer "no, because" of the domain, as data.
 *
 * A store function returns QRT_OK with a fault when the question was understood and answered, and
 * another enum qrt_err when it could not be answered at all. Never holds text of SQL or of files.
 */
#ifndef QY_DB_FAULT_H
#define QY_DB_FAULT_H

#include <stdbool.h>

#include <qrt/err.h>

#include "quotey/core/code.h"
#include "quotey/core/quote.h"

/* X(NAME): what went wrong, neutral of how it is answered. In HTTP: 404, 409, 412, 400, 422. */
#define QY_FAULT_MAP(X)                                                                            \
	X(NONE)                                                                                    \
	X(NOT_FOUND)  /* what was named does not exist */                                          \
	X(CONFLICT)   /* the state of what exists does not allow it */                             \
	X(STALE)      /* the caller decided on an older state_version */                           \
	X(INVALID)    /* a value is not acceptable: code, and field or position */                 \
	X(VIOLATIONS) /* constraints are violated: the list is in the result */

#define QY_FAULT_ENUM(name) QY_FAULT_##name,
enum qy_fault_kind { QY_FAULT_MAP(QY_FAULT_ENUM) QY_FAULT_COUNT };
#undef QY_FAULT_ENUM

#define QY_FAULT_TEXT_SIZE 200

struct qy_fault {
	enum qy_fault_kind kind;
	enum qy_code code;     /* INVALID: which; else QY_OK */
	const char *name;      /* literal on every wire: "NOT_FOUND", "MONEY_OVERFLOW"; static */
	unsigned position;     /* of the line at fault, or 0 */
	const char *field;     /* the member at fault, or ""; static */
	const char *event;     /* an event the status does not allow, or ""; static */
	enum qy_status status; /* of the quote, where event is set */
	char text[QY_FAULT_TEXT_SIZE]; /* one sentence for people */
};

/* No fault. */
void qy_fault_init(struct qy_fault *fault);

/* Each fills the fault as its name says and returns QRT_ESTATE, which makes a job roll back. */
enum qrt_err qy_fault_not_found(struct qy_fault *fault, const char *what,
				const char *id) QRT_MUST_USE;
enum qrt_err qy_fault_exists(struct qy_fault *fault, const char *what, const char *id) QRT_MUST_USE;
enum qrt_err qy_fault_transition(struct qy_fault *fault, enum qy_status status,
				 const char *event) QRT_MUST_USE;
enum qrt_err qy_fault_stale(struct qy_fault *fault, unsigned wanted, unsigned found) QRT_MUST_USE;
enum qrt_err qy_fault_violations(struct qy_fault *fault, size_t count) QRT_MUST_USE;
/* @field is static; @text NULL: the code's own. NO_MEMORY is no fault: returns QRT_ENOMEM. */
enum qrt_err qy_fault_invalid(struct qy_fault *fault, enum qy_code code, const char *field,
			      unsigned position, const char *text) QRT_MUST_USE;

#endif
