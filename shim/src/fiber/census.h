/* The census of stack use: how deep the tasks of each spawn site have gone. */
#ifndef QRT_CENSUS_H
#define QRT_CENSUS_H

#include <stddef.h>
#include <stdint.h>

struct qrt__census;
struct qrt__stack;
struct qrt_task;

/* What the tasks of one name and site have used. */
struct qrt__census_row {
	const char *name, *site;
	uint64_t tasks; /* that have ended */
	size_t used_max;
	size_t stack_size; /* of the one that used so much */
};

enum { QRT__CENSUS_ROWS = 256 };

/* NULL when there is no memory. */
struct qrt__census *qrt__census_create(void);
/* NULL-safe. */
void qrt__census_destroy(struct qrt__census **census);
/* @stack has just been taken and nothing lies on it yet. */
void qrt__census_prepare(struct qrt__stack *stack);
/* @task has ended and its stack is not the running one: counted, and then gone. */
void qrt__census_take(struct qrt__census *census, struct qrt_task *task);
/* The rows, those with the deepest stacks first, as long as nothing is taken; returns how many. */
size_t qrt__census_rows(struct qrt__census *census, const struct qrt__census_row **ret_rows);
/* Tasks that had no row, because all were others'. */
uint64_t qrt__census_left_out(const struct qrt__census *census);

#endif
