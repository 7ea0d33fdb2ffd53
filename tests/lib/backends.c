/* Scenarios on every backend; see backends.h. */
#include "tests/lib/backends.h"

#include <string.h>

#include "tests/lib/test.h"

enum qrt_err on_backend(const char *backend, qrt_task_fn *scenario, void *arg)
{
	const struct qrt_runtime_options opts = {.backend = backend, .seed = 1};
	struct qrt_runtime *rt;
	char detail[256] = "";
	enum qrt_err err = qrt_runtime_open(&opts, detail, &rt);
	if (err) {
		print_message("open %s: %s %s\n", backend, qrt_err_name(err), detail);
		return err;
	}
	err = qrt_run_main(rt, scenario, arg);
	if (err) {
		print_message("on %s: %s\n", backend, qrt_err_name(err));
	}
	qrt_runtime_close(&rt);
	return err;
}

static void on_all(const char *const *names, size_t n, qrt_task_fn *scenario, void *arg)
{
	assert_true(n >= 1);
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(on_backend(names[i], scenario, arg), QRT_OK);
	}
}

void on_each_backend(qrt_task_fn *scenario, void *arg)
{
	size_t n;
	const char *const *names = qrt_backend_names(&n);
	on_all(names, n, scenario, arg);
}

const char *const *real_backends(size_t *ret_n)
{
	size_t n, n_real = 0;
	const char *const *names = qrt_backend_names(&n); /* the labs come last */
	while (n_real < n && strncmp(names[n_real], "lab", 3) != 0) {
		n_real++;
	}
	*ret_n = n_real;
	return names;
}

void on_each_real_backend(qrt_task_fn *scenario, void *arg)
{
	size_t n;
	const char *const *names = real_backends(&n);
	on_all(names, n, scenario, arg);
}

bool is_structured(struct qrt_cx *cx)
{
	const char *name = qrt_runtime_backend(qrt_cx_runtime(cx));
	return strcmp(name, "region") == 0 || strcmp(name, "lab") == 0;
}
