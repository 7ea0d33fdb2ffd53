/* Makes faults: one place for their literal names and sentences. */
#include "quotey/db/fault.h"

#include <stdio.h>
#include <string.h>

void qy_fault_init(struct qy_fault *fault)
{
	memset(fault, 0, sizeof(*fault));
	fault->name = "";
	fault->field = "";
	fault->event = "";
}

static void set_kind(struct qy_fault *fault, enum qy_fault_kind kind, const char *name)
{
	qy_fault_init(fault);
	fault->kind = kind;
	fault->name = name;
}

enum qrt_err qy_fault_not_found(struct qy_fault *fault, const char *what, const char *id)
{
	set_kind(fault, QY_FAULT_NOT_FOUND, "NOT_FOUND");
	snprintf(fault->text, sizeof(fault->text), "%s %s does not exist", what, id);
	return QRT_ESTATE;
}

enum qrt_err qy_fault_exists(struct qy_fault *fault, const char *what, const char *id)
{
	set_kind(fault, QY_FAULT_CONFLICT, "CONFLICT");
	snprintf(fault->text, sizeof(fault->text), "%s %s exists already", what, id);
	return QRT_ESTATE;
}

enum qrt_err qy_fault_transition(struct qy_fault *fault, enum qy_status status, const char *event)
{
	set_kind(fault, QY_FAULT_CONFLICT, "INVALID_TRANSITION");
	fault->status = status;
	fault->event = event;
	snprintf(fault->text, sizeof(fault->text), "INVALID_TRANSITION(%s, %s)",
		 qy_status_name(status), event);
	return QRT_ESTATE;
}

enum qrt_err qy_fault_stale(struct qy_fault *fault, unsigned wanted, unsigned found)
{
	set_kind(fault, QY_FAULT_STALE, "STATE_VERSION_MISMATCH");
	snprintf(fault->text, sizeof(fault->text),
		 "the quote is at state version %u, not at %u any more", found, wanted);
	return QRT_ESTATE;
}

enum qrt_err qy_fault_violations(struct qy_fault *fault, size_t count)
{
	set_kind(fault, QY_FAULT_VIOLATIONS, "CONSTRAINT_VIOLATIONS");
	snprintf(fault->text, sizeof(fault->text), "the quote violates %zu constraint%s", count,
		 count == 1 ? "" : "s");
	return QRT_ESTATE;
}

enum qrt_err qy_fault_invalid(struct qy_fault *fault, enum qy_code code, const char *field,
			      unsigned position, const char *text)
{
	if (code == QY_NO_MEMORY) {
		return QRT_ENOMEM;
	}
	set_kind(fault, QY_FAULT_INVALID, qy_code_name(code));
	fault->code = code;
	fault->field = field;
	fault->position = position;
	if (!text) {
		text = qy_code_text(code);
	}
	if (position) {
		snprintf(fault->text, sizeof(fault->text), "line %u: %s", position, text);
	} else if (field[0]) {
		snprintf(fault->text, sizeof(fault->text), "%s: %s", field, text);
	} else {
		snprintf(fault->text, sizeof(fault->text), "%s", text);
	}
	return QRT_ESTATE;
}
