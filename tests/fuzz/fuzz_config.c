/*
 * Fuzz entry of the configuration: the bytes are a quotey.conf. Works with libFuzzer and with
 * replay.c. It must never read the real environment or a real file, so that a crash replays.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* memmem */
#endif

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "quotey/cli/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A broken rule ends the program, which is what a fuzzer takes for a finding. */
static void must(bool holds)
{
	if (!holds) {
		abort();
	}
}

static void check_config(const struct qy_config *config)
{
	for (size_t i = 0; i < qy_config_key_count(); i++) {
		const char *key = qy_config_key_name(i);

		must(strlen(qy_config_str(config, key)) <= QY_CONFIG_VALUE_MAX);
		must(qy_config_source(config, key)[0] != '\0');
		must(qy_config_shown(config, key) != NULL);
	}
	must(qy_config_int(config, "web.port") >= 0);
	must(qy_config_int(config, "web.port") <= 65535);
}

static void check_errors(const struct qy_config_errors *errors)
{
	must(errors->n > 0);
	must(errors->n <= QY_CONFIG_ERRORS_MAX);
	for (size_t i = 0; i < errors->n; i++) {
		const struct qy_config_error *error = &errors->list[i];

		must(error->key[0] != '\0' && error->where[0] != '\0');
		must(error->problem[0] != '\0' && error->fix[0] != '\0');
		/* The value of ${FUZZ_SECRET} must not reach any text. */
		must(strstr(error->key, "hunter2hunter2") == NULL);
		must(strstr(error->problem, "hunter2hunter2") == NULL);
		must(strstr(error->fix, "hunter2hunter2") == NULL);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char secret[] = "FUZZ_SECRET=hunter2hunter2";
	static char path[] = "FUZZ_PATH=/data";
	char *environment[] = {secret, path, NULL};
	struct qy_config_sources sources = {
	    .path = "fuzz.conf",
	    .file_bytes = size > 0 ? (const void *)data : "",
	    .n_file_bytes = size,
	    .environ = environment,
	};
	struct qy_config *config = NULL;
	struct qy_config_errors errors;
	/* The one text that may be in an error because the input itself says it. */
	bool quoted = memmem(data != NULL ? (const void *)data : "", size, "hunter2", 7) != NULL;

	if (quoted) {
		return 0;
	}
	if (qy_config_load(&sources, &config, &errors) == 0) {
		must(errors.n == 0);
		check_config(config);
	} else if (!errors.out_of_memory) {
		must(config == NULL);
		check_errors(&errors);
	}
	qy_config_errors_fini(&errors);
	qy_config_destroy(&config);
	return 0;
}
