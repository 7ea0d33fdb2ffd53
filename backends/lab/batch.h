/*
 * Many runs in worker processes. A worker takes one item after the other; one
 * that dies, or hangs, has failed with the item it was at, and another worker
 * goes on with the next.
 */
#ifndef QRT_BACKENDS_LAB_BATCH_H
#define QRT_BACKENDS_LAB_BATCH_H

#include <qrt/trial.h>

#include "backends/lab/lab.h"

enum { QRT__BATCH_OUTPUT_MAX = 16384 };

struct qrt__batch {
	uint64_t first, n; /* items */
	unsigned jobs;
	int64_t run_ns; /* real time for one item */
	struct qrt_marks marks;
	/* In the worker: one item. */
	void (*run)(struct qrt__batch *batch, uint64_t item, struct qrt_lab_result *ret_result);
	/* In the caller, in the order of ending; @output: what it has printed. False: stop. */
	bool (*done)(struct qrt__batch *batch, uint64_t item, const struct qrt_lab_result *result,
		     const char *output);
	/* In the caller, now and then; may be NULL. */
	void (*tick)(struct qrt__batch *batch);

	/* Filled while it runs, kept for the end. */
	uint64_t ended;
	size_t n_marks, marks_reached;
	uint64_t n_of[QRT__CHOICE_KINDS]; /* choices of the item that ended last */
};

/*
 * Errors: ENOMEM, EMFILE, EAGAIN. Results so far have been told of. Marks that a run has reached
 * are set in the caller, too.
 */
enum qrt_err qrt__batch_run(struct qrt__batch *batch) QRT_MUST_USE;

/* Where a lab counts its choices, seen by the caller of the batch also when the worker dies. */
uint64_t *qrt__batch_choices(void);

#endif
