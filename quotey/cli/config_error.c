/*
 * The list of everything wrong with a configuration. It must never be handed a configured value,
 * only names, places and advice.
 */
#include "quotey/cli/config_internal.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

void qy_config__fault(struct qy_config_fault *fault, const char *problem, const char *fix_format,
		      ...)
{
	va_list args;

	snprintf(fault->problem, sizeof(fault->problem), "%s", problem);
	va_start(args, fix_format);
	vsnprintf(fault->fix, sizeof(fault->fix), fix_format, args);
	va_end(args);
}

bool qy_config__errors_full(const struct qy_config_load *load)
{
	return load->errors.n >= QY_CONFIG_ERRORS_MAX;
}

static void error_fini(struct qy_config_error *error)
{
	free(error->key);
	free(error->where);
	free(error->problem);
	free(error->fix);
}

void qy_config__error(struct qy_config_load *load, const char *key, const char *where,
		      const struct qy_config_fault *fault)
{
	struct qy_config_errors *errors = &load->errors;
	struct qy_config_error *error;

	if (qy_config__errors_full(load)) {
		errors->n_dropped++;
		return;
	}
	if (errors->list == NULL) {
		errors->list = calloc(QY_CONFIG_ERRORS_MAX, sizeof(*errors->list));
		if (errors->list == NULL) {
			errors->out_of_memory = true;
			return;
		}
	}
	error = &errors->list[errors->n];
	error->key = strdup(key);
	error->where = strdup(where);
	error->problem = strdup(fault->problem);
	error->fix = strdup(fault->fix);
	if (error->key == NULL || error->where == NULL || error->problem == NULL ||
	    error->fix == NULL) {
		error_fini(error);
		memset(error, 0, sizeof(*error));
		errors->out_of_memory = true;
		return;
	}
	errors->n++;
}

void qy_config_errors_print(const struct qy_config_errors *errors, FILE *to)
{
	for (size_t i = 0; i < errors->n; i++) {
		const struct qy_config_error *error = &errors->list[i];

		fprintf(to, "%s (%s): %s; %s\n", error->key, error->where, error->problem,
			error->fix);
	}
	if (errors->n_dropped > 0) {
		fprintf(to, "and %zu more errors\n", errors->n_dropped);
	}
	if (errors->out_of_memory) {
		fprintf(to, "out of memory while reading the configuration\n");
	}
}

void qy_config_errors_fini(struct qy_config_errors *errors)
{
	if (errors == NULL) {
		return;
	}
	for (size_t i = 0; i < errors->n; i++) {
		error_fini(&errors->list[i]);
	}
	free(errors->list);
	memset(errors, 0, sizeof(*errors));
}

_Noreturn void qy_config__impossible(const char *what, const char *name)
{
	fprintf(stderr, "quotey: configuration: %s: %s\n", what, name);
	abort();
}
