/* quotey parity: plays scenarios on both real backends and compares what was answered and stored.
 */
#include <stdio.h>
#include <string.h>

#include "quotey/cli/lab_stage.h"
#include "quotey/cli/place.h"

#define CASTS_MAX 4
#define DIFF_MAX ((size_t)1 << 20)

/* What is compared with the first. The last two only where the scenario does not place itself. */
static const struct qy_cli_cast casts[CASTS_MAX] = {
    {.name = "legacy", .server = "legacy", .db = "legacy"},
    {.name = "region", .exchanged = true, .server = "legacy", .db = "legacy"},
    {.name = "server=region db=legacy", .server = "region", .db = "legacy"},
    {.name = "server=legacy db=region", .server = "legacy", .db = "region"},
};

struct tally {
	size_t differing; /* lines, of all files */
	unsigned failures;
};

static void print_lines(const char *file, size_t n_casts, const struct qy_play_result *result)
{
	size_t lines = 0;

	for (size_t i = 0; i < result->transcript.text.len; i++) {
		lines += result->transcript.text.data[i] == '\n';
	}
	printf("%s: %zu lines, the same on", file, lines);
	for (size_t i = 0; i < n_casts; i++) {
		printf("%s %s", i > 0 ? "," : "", casts[i].name);
	}
	putchar('\n');
}

static int compare(struct qy_cli *cli, const char *file, size_t which,
		   const struct qy_play_result *first, const struct qy_play_result *other,
		   size_t *ret_differing)
{
	struct qy_buffer diff;
	size_t n;
	int code = 0;

	qy_buffer_init(&diff, DIFF_MAX);
	n = qy_transcript_diff(&first->transcript, casts[0].name, &other->transcript,
			       casts[which].name, &diff);
	if (n > 0) {
		printf("%s: %zu lines differ\n%s", file, n, diff.data != NULL ? diff.data : "");
	}
	if (diff.err) {
		code = qy_cli_fail(cli, QY_CLI_RUNTIME, "%s: %s", file, qrt_err_text(diff.err));
	}
	qy_buffer_fini(&diff);
	*ret_differing = n;
	return code;
}

static int play_on_each(struct qy_cli *cli, const struct qy_scenario *scenario, size_t n_casts,
			struct tally *tally)
{
	struct qy_play_result results[CASTS_MAX] = {0};
	size_t before = tally->differing;
	int code = 0;

	for (size_t i = 0; i < n_casts && code == 0; i++) {
		size_t differing = 0;

		code = qy_cli_play(cli, scenario, &casts[i], &results[i]);
		if (results[i].report.data != NULL) {
			fprintf(stderr, "on %s:\n%s", casts[i].name, results[i].report.data);
		}
		if (code == 0 && i > 0) {
			code =
			    compare(cli, scenario->file, i, &results[0], &results[i], &differing);
		}
		tally->failures += results[i].failures;
		tally->differing += differing;
	}
	if (code == 0 && tally->differing == before) {
		print_lines(scenario->file, n_casts, &results[0]);
	}
	for (size_t i = 0; i < n_casts; i++) {
		qy_play_result_fini(&results[i]);
	}
	return code;
}

static int play_file(struct qy_cli *cli, const char *path, struct tally *tally)
{
	struct qy_scenario *scenario;
	int code = qy_cli_scenario_load(cli, path, &scenario);

	if (code == 0 && scenario->only_lab) {
		printf("%s: for the lab only, not compared\n", path);
		qy_scenario_destroy(&scenario);
	} else if (code == 0) {
		code = play_on_each(cli, scenario, scenario->server != NULL ? 2 : CASTS_MAX, tally);
		qy_scenario_destroy(&scenario);
	}
	return code;
}

int qy_cmd_parity(struct qy_cli *cli)
{
	const struct qy_cli_place *places[QY_CLI_PLACES_MAX];
	struct tally tally = {0};
	int code = qy_cli_args(cli, NULL, 0, QY_CLI_ARGS_MAX);

	if (code == 0 && cli->n_words == 0) {
		code = qy_cli_fail(cli, QY_CLI_CONFIG, "no file given; usage: quotey parity %s",
				   cli->command->arguments);
	}
	if (code == 0 && qy_cli_places(places) < QY_CLI_PLACES_MAX) {
		code =
		    qy_cli_fail(cli, QY_CLI_RUNTIME,
				"this build has one backend to serve on, and nothing to compare");
	}
	for (size_t i = 0; i < cli->n_words && code == 0; i++) {
		code = play_file(cli, cli->words[i], &tally);
	}
	if (code == 0 && tally.differing > 0) {
		code = qy_cli_fail(cli, QY_CLI_DIFFERENCE, "%zu lines differ between backends",
				   tally.differing);
	} else if (code == 0 && tally.failures > 0) {
		code =
		    qy_cli_fail(cli, QY_CLI_VERIFY, "%u expectations did not hold", tally.failures);
	}
	return code;
}
