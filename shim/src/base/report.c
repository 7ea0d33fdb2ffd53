/* The two ways of writing a report. */
#include "shim/src/base/report.h"

#include <inttypes.h>
#include <qrt/base.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "shim/src/base/text.h"

/* Kept free for what ends a report: keys of arrays that are still to come, and the note of a cut.
 */
enum { RESERVE = 160 };

void qrt__report_init(struct qrt__report *report, char *buf, size_t n, bool as_text)
{
	QRT_PRE(n >= QRT__REPORT_MIN);
	*report = (struct qrt__report){.buf = buf, .n = n, .as_text = as_text, .first = true};
	buf[0] = '\0';
}

static void put(struct qrt__report *report, const char *fmt, ...) QRT_PRINTF(2, 3);

static void put(struct qrt__report *report, const char *fmt, ...)
{
	va_list args;
	size_t room = report->used < report->n ? report->n - report->used : 0;
	va_start(args, fmt);
	int n = vsnprintf(room ? report->buf + report->used : NULL, room, fmt, args);
	va_end(args);
	report->used += n > 0 ? (size_t)n : 0;
}

/* In the text form only what would break the line apart is quoted. */
static void put_string(struct qrt__report *report, const char *text)
{
	bool plain = report->as_text && text[0] && !strpbrk(text, " \"\\=\t\r\n");
	if (!plain) {
		put(report, "\"");
	}
	for (; *text; text++) {
		char escape[QRT__JSON_ESCAPE_MAX];
		qrt__json_escape(*text, escape);
		put(report, "%s", escape);
	}
	if (!plain) {
		put(report, "\"");
	}
}

static void put_key(struct qrt__report *report, const char *key)
{
	if (!report->as_text) {
		put(report, "%s\"%s\":", report->first ? "" : ",", key);
	} else {
		put(report, report->first ? "%s " : " %s=", key);
	}
	report->first = false;
}

void qrt__report_text(struct qrt__report *report, const char *key, const char *value)
{
	put_key(report, key);
	put_string(report, value ? value : "?");
}

void qrt__report_number(struct qrt__report *report, const char *key, int64_t value)
{
	put_key(report, key);
	put(report, "%" PRId64, value);
}

void qrt__report_flag(struct qrt__report *report, const char *key)
{
	if (report->as_text) {
		put(report, "%s%s", report->first ? "" : " ", key);
		report->first = false;
	} else {
		put_key(report, key);
		put(report, "true");
	}
}

bool qrt__report_begin(struct qrt__report *report)
{
	if (report->cut) {
		return false;
	}
	report->mark = report->used;
	if (report->as_text) {
		/* An object and its array are one level. */
		put(report, "%s%*s", report->used > 0 ? "\n" : "", (int)report->open, "");
	} else {
		put(report, "%s{", report->first ? "" : ",");
	}
	report->first = true;
	report->open++;
	return true;
}

bool qrt__report_fits(struct qrt__report *report)
{
	if (report->used + report->open + RESERVE <= report->n) {
		return true;
	}
	report->cut = true;
	report->used = report->mark;
	report->buf[report->used] = '\0';
	report->open--;
	return false;
}

static void end(struct qrt__report *report, const char *brace)
{
	QRT_ASSERT(report->open > 0);
	report->open--;
	report->first = false;
	if (!report->as_text) {
		put(report, "%s", brace);
	}
}

void qrt__report_end(struct qrt__report *report)
{
	end(report, "}");
}

void qrt__report_array(struct qrt__report *report, const char *key)
{
	if (!report->as_text) {
		put_key(report, key);
		put(report, "[");
	}
	report->first = true;
	report->open++;
}

void qrt__report_array_end(struct qrt__report *report)
{
	end(report, "]");
}

void qrt__report_member(struct qrt__report *report, const char *key)
{
	if (!report->as_text) {
		put_key(report, key);
	}
	report->first = true;
}

void qrt__report_none(struct qrt__report *report)
{
	report->first = false;
	if (!report->as_text) {
		put(report, "null");
	}
}

void qrt__report_note_cut(struct qrt__report *report, uint64_t left_out)
{
	const char *form =
	    report->as_text ? "\ncut tasks_left_out=%" : ",\"cut\":true,\"tasks_left_out\":%";
	put(report, "%.*s%" PRIu64, (int)strlen(form) - 1, form, left_out);
}
