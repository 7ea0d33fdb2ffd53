/* What a line takes from the task that writes it: time, correlation id, and where it is. */
#include <stdio.h>

#include "shim/src/internal.h"

#include <qrt/log.h>

#define PATH_SIZE 192
#define DEPTH_MAX 16

/* The regions of @cx from the outermost one below the root, then the task. */
static void path_of(const struct qrt_cx *cx, char *buf, size_t n)
{
	const struct qrt__region *chain[DEPTH_MAX];
	size_t depth = 0, used = 0;

	for (const struct qrt__region *r = cx->region; r != NULL && r->parent != NULL;
	     r = r->parent) {
		/* Of a very deep tree the outer part is the same for many: it goes. */
		if (depth < DEPTH_MAX) {
			chain[depth++] = r;
		}
	}
	buf[0] = '\0';
	while (depth-- > 0 && used < n) {
		used += (size_t)snprintf(buf + used, n - used, "%s/", chain[depth]->name);
	}
	if (used < n) {
		snprintf(buf + used, n - used, "%s", cx->task->name);
	}
}

void qrt_log_line_of(struct qrt_log_line *line, const struct qrt_cx *cx, char *buf, size_t n)
{
	struct qrt_runtime *rt;

	if (cx == NULL) {
		return;
	}
	rt = cx->task->rt;
	line->wall_ms = rt->driver->wall_ms(rt);
	for (const struct qrt__region *r = cx->region; r != NULL && line->correlation == NULL;
	     r = r->parent) {
		line->correlation = r->correlation;
	}
	path_of(cx, buf, n);
	line->path = buf;
}

void qrt_log_at(struct qrt_log *log, const struct qrt_cx *cx, enum qrt_log_level level,
		const char *component, const char *message, const struct qrt_log_field *fields)
{
	struct qrt_log_line line = {
	    .level = level, .component = component, .message = message, .fields = fields};
	char path[PATH_SIZE];

	if (qrt_log_wants(log, level, component)) {
		qrt_log_line_of(&line, cx, path, sizeof(path));
		qrt_log_write(log, &line);
	}
}

enum qrt_err qrt_log_correlate(struct qrt_cx *cx, const char *correlation)
{
	size_t n = strlen(correlation) + 1;
	char *copy = qrt_alloc(cx, n);

	if (copy == NULL) {
		return QRT_ENOMEM;
	}
	memcpy(copy, correlation, n);
	cx->region->correlation = copy;
	return QRT_OK;
}
