/* What campaign.c, shrink.c and trial.c offer each other. */
#ifndef QRT_BACKENDS_LAB_CAMPAIGN_H
#define QRT_BACKENDS_LAB_CAMPAIGN_H

#include <qrt/trial.h>

/* qrt_lab_try in a process of its own; one that dies has failed. @run_ns 0: 60 s of real time. */
void qrt__try_apart(const struct qrt_lab_options *opts, const struct qrt_lab_program *program,
		    int64_t run_ns, struct qrt_lab_result *ret_result);
/* The token of an execution with @opts. */
void qrt__token_of(const struct qrt_lab_options *opts, char *ret_text);
/*
 * Looks for choices that can be made the dullest way while @program fails as it did with
 * @failure; prints how many are left and writes the execution to trials->shrunk.
 */
void qrt__shrink(const struct qrt_lab_options *opts, const struct qrt_lab_program *program,
		 const struct qrt_lab_trials *trials, const struct qrt_lab_result *failure);

#endif
