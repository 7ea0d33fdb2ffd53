/* Decides where components start. Reads no file but asks whether the kill file exists. */
#include "quotey/cli/assign.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "quotey/cli/place.h"
#include "quotey/core/text.h"

const char *const qy_cli_components[QY_CLI_COMPONENTS_MAX] = {"db", "server", "slack"};

static void key_of(const char *component, char ret_key[64])
{
	snprintf(ret_key, 64, "runtime.%s", component);
}

/* A component without a key of its own has the common one's value, and so its source. */
static const char *source_of(const struct qy_config *config, const char *component)
{
	char key[64];
	const char *source;

	key_of(component, key);
	source = qy_config_source(config, key);
	return strcmp(source, "runtime.backend") == 0 ? qy_config_source(config, source) : source;
}

/* Whether a source is the variable of @key. A file's sources end in a line number and are none. */
static bool is_variable(const char *source, const char *key)
{
	char name[80] = "QUOTEY_";
	size_t n = strlen(name);

	for (; *key != '\0' && n < sizeof(name) - 1; key++) {
		name[n++] = *key == '.' ? '_' : (char)toupper((unsigned char)*key);
	}
	name[n] = '\0';
	return strcmp(source, name) == 0;
}

static bool outranks_journal(const struct qy_config *config, const char *component)
{
	const char *source = source_of(config, component);
	char key[64];

	key_of(component, key);
	return strcmp(source, "--set") == 0 || is_variable(source, key) ||
	       is_variable(source, "runtime.backend");
}

static bool by_config(const struct qy_config *config, const char *component,
		      struct qy_assignment *ret_assignment, char *ret_problem)
{
	const char *source = source_of(config, component);
	char key[64], places[QY_CLI_PLACE_LIST_SIZE];
	const char *backend;

	key_of(component, key);
	backend = qy_config_str(config, key);
	if (!qy_cli_place_known(backend)) {
		/* The default names a backend that not every build has. */
		if (strcmp(source, "default") != 0) {
			qy_cli_place_list(places);
			snprintf(ret_problem, QY_ASSIGN_PROBLEM_SIZE,
				 "%s (%.300s): backend \"%s\" is not in this build; there is %s",
				 key, source, backend, places);
			return false;
		}
		backend = qy_cli_place_own();
	}
	qy_text_cut(ret_assignment->backend, sizeof(ret_assignment->backend), backend);
	qy_text_cut(ret_assignment->reason, sizeof(ret_assignment->reason), source);
	return true;
}

bool qy_assign_by_config(const struct qy_config *config,
			 struct qy_assignment ret_assignments[QY_CLI_COMPONENTS_MAX],
			 char *ret_problem)
{
	bool good = true;

	for (size_t i = 0; i < QY_CLI_COMPONENTS_MAX && good; i++) {
		good = by_config(config, qy_cli_components[i], &ret_assignments[i], ret_problem);
	}
	return good;
}

void qy_assign_by_journal(struct qrt_log *log, const struct qy_config *config,
			  const char *component, const struct qy_assigned *assigned,
			  struct qy_assignment *assignment)
{
	/* When the file had the last word, the file still has it, whatever it says by now. */
	if (!assigned->found || strcmp(assigned->actor, QY_ACTOR_RELOAD) == 0 ||
	    outranks_journal(config, component)) {
		return;
	}
	if (!qy_cli_place_known(assigned->backend)) {
		qrt_log(log, NULL, QRT_LOG_WARN, "host",
			"was moved to a backend that is not in this build",
			QRT_LOG_TEXT("what", component), QRT_LOG_TEXT("to", assigned->backend),
			QRT_LOG_TEXT("at", assigned->at),
			QRT_LOG_TEXT("starts_on", assignment->backend));
		return;
	}
	qy_text_cut(assignment->backend, sizeof(assignment->backend), assigned->backend);
	snprintf(assignment->reason, sizeof(assignment->reason), "moved there at %s by %.60s",
		 assigned->at, assigned->actor);
}

const char *qy_assign_fallback(const struct qy_config *config)
{
	const char *fallback = qy_config_str(config, "runtime.fallback");

	return qy_cli_place_known(fallback) ? fallback : qy_cli_place_own();
}

bool qy_assign_killed(const struct qy_config *config)
{
	const char *path = qy_config_str(config, "runtime.kill_file");

	return path[0] != '\0' && access(path, F_OK) == 0;
}

void qy_assign_by_kill_file(struct qrt_log *log, const struct qy_config *config,
			    struct qy_assignment assignments[QY_CLI_COMPONENTS_MAX])
{
	const char *path = qy_config_str(config, "runtime.kill_file");
	const char *fallback = qy_assign_fallback(config);

	qrt_log(log, NULL, QRT_LOG_WARN, "host", "the kill file is there: all runs on the fallback",
		QRT_LOG_TEXT("file", path), QRT_LOG_TEXT("fallback", fallback));
	for (size_t i = 0; i < QY_CLI_COMPONENTS_MAX; i++) {
		char reason[QY_CONFIG_VALUE_MAX + 16];

		qy_text_cut(assignments[i].backend, sizeof(assignments[i].backend), fallback);
		snprintf(reason, sizeof(reason), "kill file %s", path);
		qy_text_cut(assignments[i].reason, sizeof(assignments[i].reason), reason);
	}
}
