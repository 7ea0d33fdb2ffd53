/*
 * Fuzz entry of the scenario language: the bytes are a file. Works with libFuzzer and with
 * replay.c. What parses must be writable, and must read back as the same; what does not must say
 * where.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "quotey/lab/scenario.h"
#include "quotey/lab/scenario_write.h"

#define OUT_MAX ((size_t)64 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A broken rule ends the program, which is what a fuzzer takes for a finding. */
static void must(bool holds)
{
	if (!holds) {
		abort();
	}
}

static void check_error(const struct qy_scenario_error *error, size_t size)
{
	unsigned line = 0, column = 0;
	int used = 0;

	must(error->at.line >= 1 && error->at.line <= size + 1);
	must(error->at.column >= 1 && error->at.column <= size + 1);
	must(sscanf(error->message, "fuzz.scn:%u:%u: %n", &line, &column, &used) == 2);
	must(line == error->at.line && column == error->at.column);
	must(used > 0 && error->message[used] != '\0');
	must(strlen(error->message) < QY_SCENARIO_MESSAGE_SIZE);
}

/* A file of 1 MiB may be longer than that when it is written: then it is only written. */
static void check_scenario(const struct qy_scenario *scenario)
{
	struct qy_scenario *again = NULL;
	struct qy_scenario_error error;
	struct qy_buffer once, twice;
	enum qy_code code;

	qy_buffer_init(&once, OUT_MAX);
	qy_buffer_init(&twice, OUT_MAX);
	qy_scenario_write(scenario, &once);
	must(once.err == QRT_OK);
	if (once.len <= QY_SCENARIO_FILE_MAX) {
		code = qy_scenario_parse("again.scn", once.data, once.len, &again, &error);
		must(code == QY_OK);
		qy_scenario_write(again, &twice);
		must(twice.err == QRT_OK && strcmp(once.data, twice.data) == 0);
	}
	qy_scenario_destroy(&again);
	qy_buffer_fini(&once);
	qy_buffer_fini(&twice);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct qy_scenario *scenario = NULL;
	struct qy_scenario_error error;
	const char *bytes = size > 0 ? (const char *)data : "";
	enum qy_code code = qy_scenario_parse("fuzz.scn", bytes, size, &scenario, &error);

	must(code == QY_OK || code == QY_INVALID_FIELD || code == QY_NO_MEMORY);
	must((code == QY_OK) == (scenario != NULL));
	if (code == QY_OK) {
		check_scenario(scenario);
	} else if (code == QY_INVALID_FIELD) {
		check_error(&error, size);
	}
	qy_scenario_destroy(&scenario);
	return 0;
}
