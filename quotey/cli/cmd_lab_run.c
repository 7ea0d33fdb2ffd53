/* quotey lab run, sweep, replay: scenarios played over and over. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "quotey/cli/lab_trial.h"

#define SEEDS_DEFAULT 1000
#define SEEDS_MAX 999999999
#define JOBS_MAX 64
#define TWICE_DEFAULT 16

/* What the three commands take. */
struct request {
	const char *seeds, *seed, *jobs, *strategy, *depth, *twice, *shrink, *backend, *trace,
	    *record;
	bool keep_going, force, sweeps[QRT_SWEEPS];

	struct qrt_lab_options options;
	struct qrt_lab_trials trials;
	unsigned n_seeds;
	const struct qy_cli_cast *cast;
};

static int take_numbers(struct qy_cli *cli, struct request *request)
{
	unsigned seed = 1, jobs = 1, depth = 0, twice = TWICE_DEFAULT;
	const struct {
		const char *name, *text;
		unsigned min, max, *into;
	} numbers[] = {
	    {"--seeds", request->seeds, 1, SEEDS_MAX, &request->n_seeds},
	    {"--seed", request->seed, 1, SEEDS_MAX, &seed},
	    {"--jobs", request->jobs, 1, JOBS_MAX, &jobs},
	    {"--depth", request->depth, 1, 16, &depth},
	    {"--twice", request->twice, 0, SEEDS_MAX, &twice},
	};
	int code = 0;

	request->n_seeds = SEEDS_DEFAULT;
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]) && code == 0; i++) {
		if (numbers[i].text != NULL) {
			code = qy_cli_number(cli, numbers[i].name, numbers[i].text, numbers[i].min,
					     numbers[i].max, numbers[i].into);
		}
	}
	request->options.seed = seed;
	request->options.depth = depth;
	request->trials.jobs = jobs;
	request->trials.twice = twice;
	return code;
}

static int take_strategy(struct qy_cli *cli, struct request *request)
{
	static const char *const names[] = {
	    [QRT_LAB_RANDOM] = "random", [QRT_LAB_PCT] = "pct", [QRT_LAB_ROUND_ROBIN] = "round"};

	if (request->strategy == NULL) {
		return 0;
	}
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(names[i], request->strategy) == 0) {
			request->options.strategy = (enum qrt_lab_strategy)i;
			return 0;
		}
	}
	return qy_cli_fail(cli, QY_CLI_CONFIG, "--strategy: \"%s\" is none of random, pct, round",
			   request->strategy);
}

static int take_backend(struct qy_cli *cli, struct request *request)
{
	const char *name = request->backend != NULL ? request->backend : "lab";

	request->cast = qy_cli_cast_find(name);
	if (request->cast == NULL) {
		return qy_cli_fail(cli, QY_CLI_CONFIG, "--backend: \"%s\" is none of %s", name,
				   qy_cli_cast_list());
	}
	request->options.disk = request->cast->in_lab;
	if (!request->cast->in_lab) {
		request->trials.twice = 0; /* in real time no two runs are the same */
	}
	return 0;
}

/* The arguments of all three; the file is the last word of @n_words. */
static int take_request(struct qy_cli *cli, struct request *request, size_t n_words)
{
	const struct qy_cli_option options[] = {
	    {.name = "--seeds", .value = &request->seeds},
	    {.name = "--seed", .value = &request->seed},
	    {.name = "--jobs", .value = &request->jobs},
	    {.name = "--strategy", .value = &request->strategy},
	    {.name = "--depth", .value = &request->depth},
	    {.name = "--twice", .value = &request->twice},
	    {.name = "--shrink", .value = &request->shrink},
	    {.name = "--backend", .value = &request->backend},
	    {.name = "--trace", .value = &request->trace},
	    {.name = "--record", .value = &request->record},
	    {.name = "--keep-going", .flag = &request->keep_going},
	    {.name = "--force", .flag = &request->force},
	    {.name = "--cancel", .flag = &request->sweeps[QRT_SWEEP_CANCEL]},
	    {.name = "--cancel-task", .flag = &request->sweeps[QRT_SWEEP_CANCEL_TASK]},
	    {.name = "--deadline", .flag = &request->sweeps[QRT_SWEEP_DEADLINE]},
	    {.name = "--alloc", .flag = &request->sweeps[QRT_SWEEP_ALLOC]},
	    {.name = "--io", .flag = &request->sweeps[QRT_SWEEP_IO]},
	    {.name = "--crash", .flag = &request->sweeps[QRT_SWEEP_CRASH]},
	};
	int code = qy_cli_args(cli, options, sizeof(options) / sizeof(options[0]), n_words);

	if (code == 0 && cli->n_words != n_words) {
		code = qy_cli_fail(cli, QY_CLI_CONFIG, "%s is missing; usage: quotey %s %s",
				   cli->n_words + 1 == n_words ? "the file" : "an argument",
				   cli->command->name, cli->command->arguments);
	}
	if (code == 0) {
		code = take_numbers(cli, request);
	}
	if (code == 0) {
		code = take_strategy(cli, request);
	}
	if (code == 0) {
		code = take_backend(cli, request);
	}
	request->trials.out = stdout;
	request->trials.keep_going = request->keep_going;
	request->trials.shrunk = request->shrink;
	return code;
}

/* Loads the file, plays it as @play says, and gives the outcome. */
static int with_program(struct qy_cli *cli, struct request *request, bool swept,
			enum qrt_err (*play)(struct request *request,
					     const struct qrt_lab_program *program,
					     struct qrt_lab_report *report))
{
	const char *path = cli->words[cli->n_words - 1];
	struct qrt_lab_program program;
	struct qrt_lab_report report = {0};
	struct qy_scenario *scenario;
	struct qy_cli_trial trial;
	int code = qy_cli_scenario_load(cli, path, &scenario);
	enum qrt_err err;

	if (code != 0) {
		return code;
	}
	request->options.config_hash = scenario->hash;
	err = qy_cli_trial_init(&trial, cli, scenario, request->cast, swept);
	if (!err) {
		program = qy_cli_trial_program(&trial);
		err = play(request, &program, &report);
	}
	qy_cli_trial_fini(&trial);
	qy_scenario_destroy(&scenario);
	if (err == QRT_EFAILED) {
		return qy_cli_fail(cli, QY_CLI_VERIFY, "%s: %llu of %llu runs failed", path,
				   (unsigned long long)report.failures,
				   (unsigned long long)report.runs);
	}
	return err ? qy_cli_fail(cli, QY_CLI_RUNTIME, "%s: %s", path, qrt_err_text(err)) : 0;
}

/* --- run ---------------------------------------------------------------------------------------
 */

static enum qrt_err play_campaign(struct request *request, const struct qrt_lab_program *program,
				  struct qrt_lab_report *report)
{
	return qrt_lab_campaign(&request->options, program, request->n_seeds, &request->trials,
				report);
}

int qy_cmd_lab_run(struct qy_cli *cli)
{
	struct request request = {.trials.marks = QRT_MARKS};
	int code = take_request(cli, &request, 1);

	return code != 0 ? code : with_program(cli, &request, false, play_campaign);
}

/* --- sweep -------------------------------------------------------------------------------------
 */

static enum qrt_err play_sweeps(struct request *request, const struct qrt_lab_program *program,
				struct qrt_lab_report *report)
{
	enum qrt_err result = QRT_OK;

	for (unsigned kind = 1; kind < QRT_SWEEPS; kind++) {
		struct qrt_lab_report one = {0};
		enum qrt_err err;

		if (!request->sweeps[kind]) {
			continue;
		}
		err = qrt_lab_sweep(&request->options, program, (enum qrt_sweep_kind)kind,
				    &request->trials, &one);
		report->runs += one.runs;
		report->failures += one.failures;
		result = result ? result : err;
	}
	return result;
}

int qy_cmd_lab_sweep(struct qy_cli *cli)
{
	struct request request = {0};
	unsigned kinds = 0;
	int code = take_request(cli, &request, 1);

	for (unsigned kind = 1; kind < QRT_SWEEPS; kind++) {
		kinds += request.sweeps[kind];
	}
	if (code == 0 && kinds == 0) {
		code = qy_cli_fail(cli, QY_CLI_CONFIG,
				   "what is swept? --cancel, --cancel-task, --deadline, --alloc, "
				   "--io, --crash; usage: quotey %s %s",
				   cli->command->name, cli->command->arguments);
	}
	if (code == 0 && !request.cast->in_lab &&
	    (request.sweeps[QRT_SWEEP_IO] || request.sweeps[QRT_SWEEP_CRASH])) {
		code = qy_cli_fail(cli, QY_CLI_CONFIG, "--io and --crash are for --backend lab");
	}
	return code != 0 ? code : with_program(cli, &request, true, play_sweeps);
}

/* --- replay ------------------------------------------------------------------------------------
 */

static enum qrt_err play_once(struct request *request, const struct qrt_lab_program *program,
			      struct qrt_lab_report *report)
{
	struct qrt_lab_trials trials = {.jobs = 1, .out = request->trials.out};

	return qrt_lab_campaign(&request->options, program, 1, &trials, report);
}

/* The scenario is part of what a token stands for: it is read first. */
static int read_token(struct qy_cli *cli, struct request *request)
{
	struct qy_scenario *scenario;
	char detail[256] = "";
	int code = qy_cli_scenario_load(cli, cli->words[1], &scenario);
	enum qrt_err err;

	if (code != 0) {
		return code;
	}
	request->options.config_hash = scenario->hash;
	qy_scenario_destroy(&scenario);
	err = qrt_lab_token_read(cli->words[0], request->force, &request->options, detail);
	return err ? qy_cli_fail(cli, QY_CLI_CONFIG, "%s%s", detail,
				 err == QRT_ECONFLICT ? "; --force tries all the same" : "")
		   : 0;
}

int qy_cmd_lab_replay(struct qy_cli *cli)
{
	struct request request = {0};
	int code = take_request(cli, &request, 2);

	if (code == 0) {
		code = read_token(cli, &request);
	}
	request.options.replay = request.trace;
	request.options.record = request.record;
	return code != 0 ? code
			 : with_program(cli, &request, request.options.sweep.at > 0, play_once);
}
