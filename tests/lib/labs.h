/*
 * What tests of labs share: a lab with its runtimes, programs that play in
 * it, and programs that must end in an abort, in a process of their own.
 */
#ifndef QRT_TESTS_LIB_LABS_H
#define QRT_TESTS_LIB_LABS_H

#include <qrt/lab.h>
#include <qrt/runtime.h>
#include <stdio.h>
#include <stdlib.h>

/* In a task: what must hold. A task's stack is no place for cmocka's longjmp. */
#define CHECK(cond)                                                                                \
	do {                                                                                       \
		if (!(cond)) {                                                                     \
			fprintf(stderr, "%s: %s\n", QRT_SITE, #cond);                              \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

/* Aborts when it cannot. */
struct qrt_lab *lab_open(const struct qrt_lab_options *opts);
struct qrt_runtime *lab_runtime(struct qrt_lab *lab, const char *backend, const char *name);
/* Spawns @fn into the root of @rt, which is not running: it begins with the runtime. */
#define lab_spawn(rt, fn, arg) lab_spawn_named((rt), (fn), (arg), #fn)
void lab_spawn_named(struct qrt_runtime *rt, qrt_task_fn *fn, void *arg, const char *name);

/* One runtime of @backend in a lab of its own: runs @fn, returns its result. */
enum qrt_err lab_play(const struct qrt_lab_options *opts, const char *backend, qrt_task_fn *fn,
		      void *arg, struct qrt_lab_stats *ret_stats);

/* The same with @seed and @faults, on lab or lab-legacy by the seed; the hash of what happened. */
uint64_t lab_hash(uint64_t seed, const struct qrt_lab_faults *faults, qrt_task_fn *fn, void *arg);

int64_t lab_now(struct qrt_cx *cx);
/* Two connected streams. */
void lab_pair(struct qrt_cx *cx, struct qrt_stream **ret_a, struct qrt_stream **ret_b);
/* Until @n bytes are there, or an error. */
enum qrt_err lab_read(struct qrt_cx *cx, struct qrt_stream *stream, void *buf, size_t n);

/* Runs @fn(arg) in a child process; what it says goes to @ret_text. Whether it ended by abort. */
bool dies(void (*fn)(void *arg), void *arg, char *ret_text, size_t n);

#endif
