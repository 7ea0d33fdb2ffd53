/*
 * Runs a scenario once per backend of this build, each time on a fresh
 * runtime whose close proves that nothing was left behind.
 */
#ifndef QRT_TESTS_LIB_BACKENDS_H
#define QRT_TESTS_LIB_BACKENDS_H

#include <qrt/runtime.h>
#include <stdio.h>

/* Inside a scenario a failed expectation is its error: no longjmp off a task's stack. */
#define EXPECT(cond)                                                                               \
	do {                                                                                       \
		if (!(cond)) {                                                                     \
			fprintf(stderr, "%s: expected %s\n", QRT_SITE, #cond);                     \
			return QRT_EFAILED;                                                        \
		}                                                                                  \
	} while (0)

/* Fails the test when the scenario returns an error or the runtime cannot be opened. */
void on_each_backend(qrt_task_fn *scenario, void *arg);
/* The same without the lab. */
void on_each_real_backend(qrt_task_fn *scenario, void *arg);
/* The real backends of this build. */
const char *const *real_backends(size_t *ret_n);
/* The same on one backend; returns the scenario's result. */
enum qrt_err on_backend(const char *backend, qrt_task_fn *scenario, void *arg);
/* Whether the backend's engine is structured: cancel reaches the whole subtree. */
bool is_structured(struct qrt_cx *cx);

#endif
