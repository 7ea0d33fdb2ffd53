/* Rows by name, on a runtime or by hand. */
#include "tests/bench/bench_rows.h"

#include <string.h>

#include <qrt/runtime.h>

static const struct bench_row *find(const struct bench_rows *rows, const char *name)
{
	for (size_t i = 0; i < rows->n; i++) {
		if (strcmp(rows->rows[i].name, name) == 0) {
			return &rows->rows[i];
		}
	}
	return NULL;
}

static int on_backend(const struct bench_rows *rows, const struct bench_row *row,
		      const char *backend, struct bench *bench)
{
	const struct qrt_runtime_options opts = {.backend = backend};
	struct qrt_runtime *rt;
	char detail[256] = "";
	enum qrt_err err = qrt_runtime_open(&opts, detail, &rt);
	if (err == QRT_ENOTSUP) {
		return BENCH_SKIP; /* not in this build */
	}
	if (!err) {
		err = qrt_run_main(rt, row->fn, bench);
		qrt_runtime_close(&rt);
	}
	if (err) {
		fprintf(stderr, "%s: %s on %s: %s %s\n", rows->program, row->name, backend,
			qrt_err_text(err), detail);
	}
	return err ? 1 : 0;
}

int bench_rows_main(const struct bench_rows *rows, int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "--list") == 0) {
		for (size_t i = 0; i < rows->n; i++) {
			printf("%s\t%s\t%s\n", rows->rows[i].name, rows->rows[i].unit,
			       rows->rows[i].what);
		}
		return 0;
	}
	const struct bench_row *row = argc == 4 ? find(rows, argv[1]) : NULL;
	struct bench bench = {.n = argc == 4 ? strtoul(argv[3], NULL, 10) : 0};
	if (!row || bench.n == 0) {
		fprintf(stderr, "usage: %s --list | ROW WHO N\n", rows->program);
		return 2;
	}
	int code = strcmp(argv[2], "bare")	   ? on_backend(rows, row, argv[2], &bench)
		   : rows->bare(row->name, &bench) ? 0
						   : BENCH_SKIP;
	if (code == 0) {
		bench_print(&bench);
	}
	return code;
}
