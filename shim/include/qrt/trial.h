/*
 * Trials: a program of yours, run in labs over and over. A campaign runs it
 * for many seeds; a sweep runs it once to count the points of one kind
 * (checkpoints, allocations, transfers, disk operations), then once per
 * point, with the cancel, the failure or the crash there. What fails is
 * shrunk, and printed with the token that shows it again.
 *
 * Runs are made in worker processes: one that aborts, or ends in a deadlock,
 * is a failure like others. Call these from a program with one thread.
 */
#ifndef QRT_TRIAL_H
#define QRT_TRIAL_H

#include <stdio.h>

#include <qrt/lab.h>
#include <qrt/sometimes.h>

#ifdef __cplusplus
extern "C" {
#endif

/* One run in @lab: opens its runtimes, plays, closes them. An error is a failure. */
typedef enum qrt_err qrt_lab_run_fn(struct qrt_lab *lab, void *arg);

struct qrt_lab_program {
	const char *name;
	qrt_lab_run_fn *run;
	/*
	 * After a crash: in a new lab, on the disk as the crash has left it. Whether what must
	 * have survived has. NULL: cannot be swept with crashes.
	 */
	qrt_lab_run_fn *recover;
	void *arg;
	/* Oracles that must have seen something (qrt/oracle.h), up to NULL; NULL: none must. */
	const char *const *relies_on;
};

/*
 * Says why a run has failed: the text goes into its result; the first one stands. Returns @err,
 * so that one can write: return qrt_lab_fail(lab, err, ...).
 */
QRT_API enum qrt_err qrt_lab_fail(struct qrt_lab *lab, enum qrt_err err, const char *fmt, ...)
    QRT_PRINTF(3, 4);

/* The usual run: @fn as the main task of one runtime of @backend. Errors: fn's, of opening. */
QRT_API enum qrt_err qrt_lab_main(struct qrt_lab *lab, const char *backend, qrt_task_fn *fn,
				  void *arg) QRT_MUST_USE;

/*
 * What is swept. With QRT_EXPOSE_CANCEL: the checkpoints of the tasks that work in @region or
 * below, its opener's too; a cancel or deadline goes to this very region. Any number of regions
 * can be exposed so; what serves requests exposes each. With QRT_EXPOSE_FAILURES: what fails or
 * crashes while @region is open, in all of the lab; the last one exposed so counts. Outside a
 * sweep it means nothing. Errors: ESTALE.
 */
enum qrt_exposure { QRT_EXPOSE_CANCEL = 1, QRT_EXPOSE_FAILURES = 2, QRT_EXPOSE_ALL = 3 };
QRT_API enum qrt_err qrt_lab_expose(struct qrt_region *region, unsigned to) QRT_MUST_USE;

/* Whether the point of a crash has come in this run: what ends later, nobody has been told. */
QRT_API bool qrt_lab_crashed(const struct qrt_lab *lab);

/*
 * For programs that are linked so that malloc and its kin ask first (tests/README.md): whether
 * this allocation is the one that fails. Any thread.
 */
QRT_API bool qrt_lab_alloc_fails(void);

struct qrt_lab_result {
	enum qrt_err err;
	char detail[256]; /* of the first failure */
	struct qrt_lab_stats stats;
	uint64_t points; /* of the sweep's kind that it came to */
	bool fired;	 /* the chosen one was among them */
	char point[256]; /* where that was: the task, where it was spawned, its wait */
	char token[QRT_LAB_TOKEN_SIZE];
};
/*
 * One run in this process. Returns and keeps in @ret_result what came of it; an assertion that
 * fails ends the process.
 */
QRT_API enum qrt_err qrt_lab_try(const struct qrt_lab_options *opts,
				 const struct qrt_lab_program *program,
				 struct qrt_lab_result *ret_result) QRT_MUST_USE;

struct qrt_lab_trials {
	unsigned jobs;	 /* worker processes; 0: 1 */
	bool keep_going; /* after a failure */
	uint64_t
	    twice; /* of so many runs one is made twice, and must have the same hash; 0: none */
	FILE *out; /* progress, failures, the summary; NULL: nothing is printed */
	struct qrt_marks marks; /* QRT_MARKS: those never reached are printed; 0: nobody asks */
	/* A file for the shrunk execution of the first failure, for .replay; NULL: not shrunk. */
	const char *shrunk;
	int64_t run_ns; /* real time a run may take; 0: 60 s. Then it counts as hung */
};

struct qrt_lab_report {
	uint64_t runs, failures;
	uint64_t points;	/* of a sweep */
	uint64_t first_failure; /* its seed or point; 0: none */
	uint64_t steps, faults;
	int64_t virtual_ns, real_ns;
	size_t marks, marks_reached;
	struct qrt_lab_result first; /* of the first failure */
};

/*
 * What runs print goes to @out only when they fail. Runs of a swept program may end well, or with
 * the error that the point brings (ECANCELED, ETIMEDOUT, ENOMEM, one of transfer or disk); all
 * else is a failure, as is an oracle's violation, or one that was relied on and saw nothing.
 *
 * Runs @program for @n seeds from opts->seed. Errors: EFAILED (some failed: the report says),
 * those of the workers: EAGAIN, ENOMEM, EMFILE.
 */
QRT_API enum qrt_err qrt_lab_campaign(const struct qrt_lab_options *opts,
				      const struct qrt_lab_program *program, uint64_t n,
				      const struct qrt_lab_trials *trials,
				      struct qrt_lab_report *ret_report) QRT_MUST_USE;
/*
 * Runs @program once to count its points of @kind, and then once for each. Errors as above; also
 * EINVAL (no recover for crashes), ENOTSUP (allocations do not ask first).
 */
QRT_API enum qrt_err qrt_lab_sweep(const struct qrt_lab_options *opts,
				   const struct qrt_lab_program *program, enum qrt_sweep_kind kind,
				   const struct qrt_lab_trials *trials,
				   struct qrt_lab_report *ret_report) QRT_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
