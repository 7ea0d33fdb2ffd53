/*
 * The main of a program of rows that run on a runtime, beside the same work by hand: picks the row,
 * runs it once, and prints what bench.h says. Never judges a figure.
 */
#ifndef QRT_TESTS_BENCH_ROWS_H
#define QRT_TESTS_BENCH_ROWS_H

#include <qrt/region.h>

#include "tests/bench/bench.h"

struct bench_row {
	const char *name, *unit, *what;
	qrt_task_fn *fn; /* as a runtime's first task; @arg is the struct bench */
};

struct bench_rows {
	const char *program; /* for messages */
	const struct bench_row *rows;
	size_t n;
	/* Does the row by hand; false when there is none by hand. */
	bool (*bare)(const char *row, struct bench *bench);
};

/* PROGRAM --list, or ROW WHO N; WHO is a backend or "bare". Returns the exit code. */
int bench_rows_main(const struct bench_rows *rows, int argc, char **argv);

#endif
