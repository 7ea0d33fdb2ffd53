/*
 * Reports of bounded size: objects with members, arrays of objects, written as
 * JSON or as lines of text. What does not fit is left out whole; what has been
 * begun can always be ended.
 *
 *	begin ── text, number, flag ──> fits ──> arrays of further objects ──> end
 *	                                  └─ no: gone again, and the report is cut
 */
#ifndef QRT_REPORT_H
#define QRT_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct qrt__report {
	char *buf;
	size_t n, used; /* used may run past n inside an object that will not fit */
	bool as_text;	/* else JSON */
	bool cut;	/* something did not fit: from then on no object is begun */
	bool first;	/* of its object, or its array */
	size_t open;	/* objects and arrays */
	size_t mark;	/* where the last object began, to take it back */
};

/* @buf has at least QRT__REPORT_MIN bytes. */
enum { QRT__REPORT_MIN = 256 };
void qrt__report_init(struct qrt__report *report, char *buf, size_t n, bool as_text);

/* Keys are ours and plain; the first member of an object names what it is. */
void qrt__report_text(struct qrt__report *report, const char *key, const char *value);
void qrt__report_number(struct qrt__report *report, const char *key, int64_t value);
void qrt__report_flag(struct qrt__report *report, const char *key);

/* False: the report is cut, and nothing was begun. */
bool qrt__report_begin(struct qrt__report *report);
/* After the members, before arrays and end. False: it did not fit and was taken back. */
bool qrt__report_fits(struct qrt__report *report);
void qrt__report_end(struct qrt__report *report);
/* An array of objects as a member of the object; its key is not in the text form. */
void qrt__report_array(struct qrt__report *report, const char *key);
void qrt__report_array_end(struct qrt__report *report);
/* The next object is this member; with qrt__report_none there is none. */
void qrt__report_member(struct qrt__report *report, const char *key);
void qrt__report_none(struct qrt__report *report);
/* The last member of the outermost object: that the report is cut, and how much was left out. */
void qrt__report_note_cut(struct qrt__report *report, uint64_t left_out);

#endif
