/*
 * Which backend a component starts on. Order, later wins: default < file < journal < environment
 * and --set < kill file.
 */
#ifndef QY_CLI_ASSIGN_H
#define QY_CLI_ASSIGN_H

#include <qrt/log.h>

#include "quotey/cli/config.h"
#include "quotey/db/assigned.h"

/* The components of this program, in the order in which they start. */
#define QY_CLI_COMPONENTS_MAX 3
extern const char *const qy_cli_components[QY_CLI_COMPONENTS_MAX];

#define QY_ASSIGN_REASON_SIZE 128
#define QY_ASSIGN_PROBLEM_SIZE 512

struct qy_assignment {
	char backend[16];
	char reason[QY_ASSIGN_REASON_SIZE]; /* "quotey.conf:12", "journal of 2026-..." */
};

/*
 * What @config says about every component, in their order. False: ret_problem
 * (QY_ASSIGN_PROBLEM_SIZE bytes) names a backend that is not in this build.
 */
bool qy_assign_by_config(const struct qy_config *config,
			 struct qy_assignment ret_assignments[QY_CLI_COMPONENTS_MAX],
			 char *ret_problem) __attribute__((warn_unused_result));

/* Puts the journal's word over the configuration's, where it has one that outranks it. */
void qy_assign_by_journal(struct qrt_log *log, const struct qy_config *config,
			  const char *component, const struct qy_assigned *assigned,
			  struct qy_assignment *assignment);

/* The backend that everything goes to when it is killed: one that this build has. */
const char *qy_assign_fallback(const struct qy_config *config);
/* Whether the kill file is there. */
bool qy_assign_killed(const struct qy_config *config);
/* Everything to the fallback. */
void qy_assign_by_kill_file(struct qrt_log *log, const struct qy_config *config,
			    struct qy_assignment assignments[QY_CLI_COMPONENTS_MAX]);

#endif
