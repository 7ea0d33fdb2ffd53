/* What a line takes from the task that writes it: time, correlation id, and where it is. */
#include "shim/src/internal.h"

#include <qrt/log.h>

#include "shim/src/loop/lane.h"

void qrt_log_line_of(struct qrt_log_line *line, const struct qrt_cx *cx, char *buf, size_t n)
{
	struct qrt_runtime *rt;

	if (cx == NULL) {
		return;
	}
	rt = cx->task->rt;
	line->wall_ms = rt->driver->wall_ms(rt);
	line->correlation = qrt__correlation_of(cx);
	qrt__path_of(cx, buf, n);
	line->path = buf;
}

void qrt_log_at(struct qrt_log *log, const struct qrt_cx *cx, enum qrt_log_level level,
		const char *component, const char *message, const struct qrt_log_field *fields)
{
	struct qrt_log_line line = {
	    .level = level, .component = component, .message = message, .fields = fields};
	char path[QRT_LOG_PATH_SIZE];

	if (qrt_log_wants(log, level, component)) {
		qrt_log_line_of(&line, cx, path, sizeof(path));
		qrt_log_write(log, &line);
	}
}

void qrt_log_job_at(struct qrt_log *log, struct qrt_job *job, enum qrt_log_level level,
		    const char *component, const char *message, const struct qrt_log_field *fields)
{
	struct qrt__job_origin origin;

	if (qrt_log_wants(log, level, component)) {
		qrt__job_origin(job, &origin);
		qrt_log_write(log, &(struct qrt_log_line){.level = level,
							  .component = component,
							  .message = message,
							  .fields = fields,
							  .correlation = origin.correlation,
							  .path = origin.path,
							  .wall_ms = origin.wall_ms});
	}
}

enum qrt_err qrt_log_correlate(struct qrt_cx *cx, const char *correlation)
{
	size_t n = strnlen(correlation, QRT_LOG_CORRELATION_MAX + 1);
	char *copy;

	if (n > QRT_LOG_CORRELATION_MAX) {
		/* Not in the middle of a code point. */
		do {
			n--;
		} while (n > 0 && ((unsigned char)correlation[n] & 0xc0) == 0x80);
	}
	copy = qrt_alloc(cx, n + 1); /* zeroed */
	if (copy == NULL) {
		return QRT_ENOMEM;
	}
	memcpy(copy, correlation, n);
	atomic_store_explicit(&cx->region->correlation, copy, memory_order_release);
	return QRT_OK;
}
