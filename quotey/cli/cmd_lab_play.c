/* quotey lab play: plays one scenario and says what did not come as it expects. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "quotey/cli/lab_stage.h"
#include "quotey/core/json_write.h"

static void put_number(struct qy_json *json, const char *key, uint64_t value)
{
	qy_json_key(json, key);
	qy_json_integer(json, (int64_t)value);
}

static void print_summary_json(const struct qy_scenario *scenario, const char *backend,
			       const struct qy_play_result *result)
{
	struct qy_json json;
	char *text;

	qy_json_init(&json);
	qy_json_object_begin(&json);
	qy_json_key(&json, "backend");
	qy_json_string(&json, backend);
	put_number(&json, "failures", result->failures);
	qy_json_key(&json, "file");
	qy_json_string(&json, scenario->file);
	put_number(&json, "moves", result->moves);
	put_number(&json, "requests", result->requests);
	put_number(&json, "skipped", result->skipped);
	qy_json_key(&json, "title");
	qy_json_string(&json, scenario->title);
	put_number(&json, "unanswered", result->unanswered);
	qy_json_object_end(&json);
	if (qy_json_take(&json, &text) == QY_OK) {
		puts(text);
		free(text);
	}
}

static void print_summary(const struct qy_scenario *scenario, const char *backend,
			  const struct qy_play_result *result)
{
	printf("%s on %s: %" PRIu64 " request%s, %" PRIu64 " unanswered, %" PRIu64 " move%s, ",
	       scenario->file, backend, result->requests, result->requests == 1 ? "" : "s",
	       result->unanswered, result->moves, result->moves == 1 ? "" : "s");
	if (result->skipped > 0) {
		printf("%" PRIu64 " skipped, ", result->skipped);
	}
	if (result->failures == 0) {
		puts("all as expected");
	} else {
		printf("%u not as expected\n", result->failures);
	}
}

static int play(struct qy_cli *cli, const struct qy_scenario *scenario,
		const struct qy_cli_cast *cast, bool transcript)
{
	struct qy_play_result result;
	int code = qy_cli_play(cli, scenario, cast, &result);

	/* What was noted up to a failure is worth reading, too. */
	if (transcript && result.transcript.text.data != NULL) {
		fputs(result.transcript.text.data, stdout);
	}
	if (result.report.data != NULL) {
		fputs(result.report.data, stderr);
	}
	if (code == 0 && cli->json) {
		print_summary_json(scenario, cast->name, &result);
	} else if (code == 0) {
		print_summary(scenario, cast->name, &result);
	}
	if (code == 0 && result.failures > 0) {
		code =
		    qy_cli_fail(cli, QY_CLI_VERIFY, "%s on %s: %u of its expectations did not hold",
				scenario->file, cast->name, result.failures);
	}
	qy_play_result_fini(&result);
	return code;
}

int qy_cmd_lab_play(struct qy_cli *cli)
{
	const char *backend = NULL;
	const char *seed = NULL;
	bool transcript = false;
	const struct qy_cli_option options[] = {
	    {.name = "--backend", .value = &backend},
	    {.name = "--seed", .value = &seed},
	    {.name = "--transcript", .flag = &transcript},
	};
	const struct qy_cli_cast *found;
	struct qy_scenario *scenario;
	struct qy_cli_cast cast;
	unsigned number = 1;
	int code = qy_cli_args(cli, options, sizeof(options) / sizeof(options[0]), 1);

	if (code != 0) {
		return code;
	}
	if (cli->n_words == 0 || backend == NULL) {
		return qy_cli_fail(cli, QY_CLI_CONFIG, "%s is missing; usage: quotey %s %s",
				   backend == NULL ? "--backend" : "the file", cli->command->name,
				   cli->command->arguments);
	}
	found = qy_cli_cast_find(backend);
	if (found == NULL) {
		return qy_cli_fail(cli, QY_CLI_CONFIG, "--backend: \"%s\" is none of %s", backend,
				   qy_cli_cast_list());
	}
	if (seed != NULL) {
		code = found->in_lab
			   ? qy_cli_number(cli, "--seed", seed, 0, 999999999, &number)
			   : qy_cli_fail(cli, QY_CLI_CONFIG, "--seed is for --backend lab only");
	}
	if (code == 0) {
		code = qy_cli_scenario_load(cli, cli->words[0], &scenario);
	}
	if (code != 0) {
		return code;
	}
	cast = *found;
	cast.seed = number;
	code = play(cli, scenario, &cast, transcript);
	qy_scenario_destroy(&scenario);
	return code;
}
