/*
 * Scenarios as programs of trials (qrt/trial.h): played over and over, for many seeds or for each
 * point of a sweep, and their databases looked at, also after a crash.
 */
#ifndef QY_CLI_LAB_TRIAL_H
#define QY_CLI_LAB_TRIAL_H

#include <qrt/trial.h>

#include "quotey/cli/lab_stage.h"

#define QY_CLI_TRIAL_QUOTES_MAX 20000
#define QY_CLI_TRIAL_ID_SIZE 32
#define QY_CLI_TRIAL_ACKS_MAX 4096
#define QY_CLI_TRIAL_ENVELOPE_SIZE 65

struct qy_cli_trial {
	struct qy_cli *cli;
	const struct qy_scenario *scenario;
	const struct qy_cli_cast *cast;
	bool swept; /* expectations may fail; what was answered and what is stored may not differ */

	/* Of the run that is under way. */
	struct qrt_lab *lab;
	char (*made)[QY_CLI_TRIAL_ID_SIZE]; /* quotes that an answer said were made, the first so
					       many */
	size_t n_made;
	char (*acked)[QY_CLI_TRIAL_ENVELOPE_SIZE]; /* envelopes that Slack was told we have */
	size_t n_acked;
};

/* Errors: ENOMEM. */
enum qrt_err qy_cli_trial_init(struct qy_cli_trial *trial, struct qy_cli *cli,
			       const struct qy_scenario *scenario, const struct qy_cli_cast *cast,
			       bool swept) QRT_MUST_USE;
void qy_cli_trial_fini(struct qy_cli_trial *trial);
/* The program; valid as long as @trial. */
struct qrt_lab_program qy_cli_trial_program(struct qy_cli_trial *trial);

#endif
