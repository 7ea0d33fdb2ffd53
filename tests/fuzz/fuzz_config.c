/*
 * Fuzz entry of the configuration: the bytes are a quotey.conf; what follows a line "%%" are lines
 * of the environment ("QUOTEY_WEB_PORT=0") and arguments ("--set web.port=0"). Works with libFuzzer
 * and with replay.c. It must never read the real environment or a real file, so that a crash
 * replays.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* memmem */
#endif

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "quotey/cli/config.h"

#define LINES_MAX 64
#define MARK "\n%%\n"
#define SET "--set "

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What stands beside the file. */
struct beside {
	char *text; /* its lines, each ended; owned */
	char *environment[LINES_MAX + 3];
	const char *sets[LINES_MAX];
	size_t n_environment, n_sets;
};

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

static void beside_line(struct beside *beside, char *line)
{
	if (strncmp(line, SET, strlen(SET)) == 0) {
		beside->sets[beside->n_sets++] = line + strlen(SET);
	} else {
		beside->environment[beside->n_environment++] = line;
	}
}

/* Not strndup: what it copies need not end in NUL, which a strict interceptor asks for. */
static char *text_of(const char *bytes, size_t n)
{
	char *text = malloc(n + 1);

	must(text != NULL);
	memcpy(text, bytes, n);
	text[n] = '\0';
	return text;
}

/* Returns the length of the file. */
static size_t beside_init(struct beside *beside, const char *bytes, size_t size)
{
	static char secret[] = "FUZZ_SECRET=hunter2hunter2";
	static char path[] = "FUZZ_PATH=/data";
	const char *mark = memmem(bytes, size, MARK, strlen(MARK));
	size_t n_file = mark != NULL ? (size_t)(mark - bytes) + 1 : size;
	size_t from = mark != NULL ? n_file + strlen(MARK) - 1 : size;
	char *line, *next;

	*beside = (struct beside){.environment = {secret, path}, .n_environment = 2};
	beside->text = text_of(bytes + from, size - from);
	next = beside->text;
	for (int i = 0; i < LINES_MAX && (line = strsep(&next, "\n")) != NULL; i++) {
		beside_line(beside, line);
	}
	return n_file;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *bytes = size > 0 ? (const char *)data : "";
	struct beside beside;
	struct qy_config_sources sources = {.path = "fuzz.conf", .file_bytes = bytes};
	struct qy_config *config = NULL;
	struct qy_config_errors errors;

	/* The one text that may be in an error because the input itself says it. */
	if (memmem(bytes, size, "hunter2", 7) != NULL) {
		return 0;
	}
	sources.n_file_bytes = beside_init(&beside, bytes, size);
	sources.environ = beside.environment;
	sources.sets = beside.sets;
	sources.n_sets = beside.n_sets;
	if (qy_config_load(&sources, &config, &errors) == 0) {
		must(errors.n == 0);
		check_config(config);
	} else if (!errors.out_of_memory) {
		must(config == NULL);
		check_errors(&errors);
	}
	qy_config_errors_fini(&errors);
	qy_config_destroy(&config);
	free(beside.text);
	return 0;
}
