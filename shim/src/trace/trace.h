/*
 * A recording: a ring of steps, filled on the loop's thread, read when it has
 * ended. Names in it are static text, never memory of a task.
 */
#ifndef QRT_TRACE_INTERNAL_H
#define QRT_TRACE_INTERNAL_H

#include <qrt/trace.h>

struct qrt__step {
	int64_t at_ns;
	uint64_t a, b;
	const char *name, *site;
	unsigned what; /* enum qrt__trace_step */
};

struct qrt_trace {
	char runtime[32];
	const char *backend; /* static */
	size_t size;
	uint64_t n; /* steps so far; the last @size of them are kept */
	struct qrt__step step[];
};

/* The steps kept, the oldest first. */
static inline const struct qrt__step *qrt__trace_at(const struct qrt_trace *trace, size_t i)
{
	uint64_t first = trace->n > trace->size ? trace->n - trace->size : 0;
	return &trace->step[(first + i) % trace->size];
}

#endif
