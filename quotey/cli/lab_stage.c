/*
 * The runtimes of a cast. On real backends each place has a runtime on a thread of its own, and the
 * client one more; in the lab everything is on the one thread of the simulated world.
 */
#include "quotey/cli/lab_stage.h"

#include <qrt/trial.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "quotey/cli/place.h"
#include "quotey/lab/world.h"

#define SHUTDOWN_GRACE (5 * QRT_SEC)
#define PATH_SIZE 256

/* How the scenario says it, and what stands for it in the lab: the same engine. */
static const struct {
	const char *name, *in_lab;
} known[QY_CLI_PLACES_MAX] = {{"legacy", "lab-legacy"}, {"region", "lab"}};

static const char host_name[] = "scenario";

static const struct qy_cli_cast casts[] = {
    {.name = "legacy", .server = "legacy", .db = "legacy"},
    {.name = "region", .exchanged = true, .server = "legacy", .db = "legacy"},
    {.name = "lab", .in_lab = true, .seed = 1, .server = "region", .db = "region"},
};

const struct qy_cli_cast *qy_cli_cast_find(const char *name)
{
	for (size_t i = 0; i < sizeof(casts) / sizeof(casts[0]); i++) {
		if (strcmp(casts[i].name, name) == 0) {
			return &casts[i];
		}
	}
	return NULL;
}

const char *qy_cli_cast_list(void)
{
	return "legacy, region, lab";
}

/* --- files ---------------------------------------------------------------------------------- */

static int read_file(struct qy_cli *cli, const char *path, struct qy_buffer *into)
{
	FILE *file = fopen(path, "rb");
	char chunk[16384];
	size_t n;

	if (file == NULL) {
		return qy_cli_fail(cli, QY_CLI_CONFIG, "%s: %s", path, strerror(errno));
	}
	/* One byte more than is allowed comes in, so that the parser is who refuses it. */
	while (into->len <= QY_SCENARIO_FILE_MAX &&
	       (n = fread(chunk, 1, sizeof(chunk), file)) > 0) {
		qy_buffer_bytes(into, chunk, n);
	}
	n = (size_t)ferror(file);
	fclose(file);
	if (n != 0) {
		return qy_cli_fail(cli, QY_CLI_CONFIG, "%s: cannot be read", path);
	}
	return into->err ? qy_cli_fail(cli, QY_CLI_RUNTIME, "%s: %s", path, qrt_err_text(into->err))
			 : 0;
}

int qy_cli_scenario_load(struct qy_cli *cli, const char *path, struct qy_scenario **ret_scenario)
{
	struct qy_scenario_error error;
	struct qy_buffer bytes;
	enum qy_code code;
	int exit_code;

	qy_buffer_init(&bytes, QY_SCENARIO_FILE_MAX * 2);
	exit_code = read_file(cli, path, &bytes);
	if (exit_code == 0) {
		code = qy_scenario_parse(path, bytes.data != NULL ? bytes.data : "", bytes.len,
					 ret_scenario, &error);
		if (code == QY_INVALID_FIELD) {
			exit_code = qy_cli_fail(cli, QY_CLI_CONFIG, "%s", error.message);
		} else if (code != QY_OK) {
			exit_code =
			    qy_cli_fail(cli, QY_CLI_RUNTIME, "%s: %s", path, qy_code_text(code));
		}
	}
	qy_buffer_fini(&bytes);
	return exit_code;
}

/* --- the stage ------------------------------------------------------------------------------ */

struct stage {
	struct qy_cli *cli;
	const struct qy_scenario *scenario;
	const struct qy_cli_cast *cast;
	struct qy_play_result *result;
	const struct qy_cli_trial_hooks *hooks; /* NULL: no trial */
	struct qrt_lab *lab;			/* NULL: the world is real, and nobody watches */
	enum qrt_err err;			/* the play's */
	struct qy_lab_world world;
	struct qrt_runtime *host;
	struct qrt_runtime *runtimes[QY_CLI_PLACES_MAX];
	size_t n_runtimes;
	struct qy_play_place places[QY_CLI_PLACES_MAX];
	char folder[PATH_SIZE]; /* of a real database */
	char url[PATH_SIZE + 32];
};

static int open_runtime(struct stage *stage, const char *backend, const char *name,
			struct qrt_runtime **ret_rt)
{
	const struct qrt_runtime_options options = {
	    .backend = backend, .name = name, .lab = stage->lab};
	char detail[256] = "";
	enum qrt_err err = qrt_runtime_open(&options, detail, ret_rt);

	return err ? qy_cli_fail(stage->cli, QY_CLI_RUNTIME, "runtime %s: %s", backend,
				 detail[0] != '\0' ? detail : qrt_err_text(err))
		   : 0;
}

/* The backend stands for the place of its name, or for the other one. */
static int open_place(struct stage *stage, size_t which)
{
	const char *backend = stage->cast->in_lab ? known[which].in_lab : known[which].name;
	size_t stands_for = stage->cast->exchanged ? QY_CLI_PLACES_MAX - 1 - which : which;
	struct qrt_runtime **rt = &stage->runtimes[stage->n_runtimes];
	int code = open_runtime(stage, backend, backend, rt);
	enum qrt_err err;

	if (code != 0) {
		return code;
	}
	err = qrt_runtime_start(*rt);
	if (err) {
		qrt_runtime_close(rt);
		return qy_cli_fail(stage->cli, QY_CLI_RUNTIME, "runtime %s: %s", backend,
				   qrt_err_text(err));
	}
	stage->places[stage->n_runtimes++] =
	    (struct qy_play_place){.name = known[stands_for].name, .rt = *rt};
	return 0;
}

const char qy_cli_lab_url[] = "sqlite:///quotey.db";

static int open_lab(struct stage *stage)
{
	const struct qrt_lab_options options = {.seed = stage->cast->seed, .disk = true};
	char detail[256] = "";
	enum qrt_err err = QRT_OK;

	if (stage->lab == NULL) {
		err = qrt_lab_open(&options, detail, &stage->lab);
	}
	if (err) {
		return qy_cli_fail(stage->cli, QY_CLI_RUNTIME, "lab: %s",
				   detail[0] != '\0' ? detail : qrt_err_text(err));
	}
	qy_lab_world_init(&stage->world, stage->lab);
	snprintf(stage->url, sizeof(stage->url), "%s", qy_cli_lab_url);
	return 0;
}

/* The client behaves the same everywhere, so it runs on the best there is. */
static int open_all(struct stage *stage)
{
	bool in_lab = stage->cast->in_lab;
	const char *host = stage->cast->host;
	int code = in_lab ? open_lab(stage) : 0;

	if (host == NULL) {
		host = in_lab ? "lab" : qy_cli_place_own();
	}
	if (code == 0) {
		code = open_runtime(stage, host, host_name, &stage->host);
	}
	for (size_t i = 0; i < QY_CLI_PLACES_MAX && code == 0; i++) {
		/* Both engines are in every build: a lab has both places. */
		if (in_lab || qy_cli_place_known(known[i].name)) {
			code = open_place(stage, i);
		}
	}
	return code;
}

/* A runtime that does not end is left alone: the program is about to say so and exit. */
static int close_all(struct stage *stage)
{
	bool ended = true;

	for (size_t i = 0; i < stage->n_runtimes; i++) {
		enum qrt_err err = qrt_shutdown(stage->runtimes[i], SHUTDOWN_GRACE);

		if (err) {
			ended = false;
			qy_cli_fail(stage->cli, QY_CLI_RUNTIME, "runtime %s did not end: %s",
				    qrt_runtime_name(stage->runtimes[i]), qrt_err_text(err));
		}
	}
	for (size_t i = 0; i < stage->n_runtimes && ended; i++) {
		qrt_runtime_close(&stage->runtimes[i]);
	}
	if (ended) {
		qrt_runtime_close(&stage->host);
		if (stage->cast->lab == NULL) {
			qrt_lab_close(&stage->lab);
		}
	}
	return qy_cli_exit_code(stage->cli->class);
}

static int make_folder(struct stage *stage)
{
	const char *parent = getenv("TMPDIR");

	parent = parent != NULL && parent[0] == '/' ? parent : "/tmp";
	if (snprintf(stage->folder, sizeof(stage->folder), "%s/quotey-scenario.XXXXXX", parent) >=
		(int)sizeof(stage->folder) ||
	    mkdtemp(stage->folder) == NULL) {
		stage->folder[0] = '\0';
		return qy_cli_fail(stage->cli, QY_CLI_DATABASE,
				   "no folder for a database in %s: %s", parent, strerror(errno));
	}
	snprintf(stage->url, sizeof(stage->url), "sqlite://%s/db", stage->folder);
	return 0;
}

static void remove_folder(struct stage *stage)
{
	static const char *const files[] = {"db", "db-wal", "db-shm", "db-journal"};
	char path[PATH_SIZE + 16];

	for (size_t i = 0; stage->folder[0] && i < sizeof(files) / sizeof(files[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", stage->folder, files[i]);
		unlink(path);
	}
	if (stage->folder[0] != '\0') {
		rmdir(stage->folder);
	}
}

static enum qrt_err play_here(struct qrt_cx *cx, struct stage *stage)
{
	const struct qy_cli_trial_hooks *hooks = stage->hooks;
	const struct qy_play_setup setup = {
	    .places = stage->places,
	    .n_places = stage->n_runtimes,
	    .server = stage->cast->server,
	    .db = stage->cast->db,
	    .database_url = stage->url,
	    .lab = stage->cast->in_lab ? &stage->world.play : NULL,
	    .synchronous_full = true,
	    .no_transcript = hooks != NULL,
	    .made = hooks != NULL ? hooks->made : NULL,
	    .acked = hooks != NULL ? hooks->acked : NULL,
	    .arg = hooks != NULL ? hooks->arg : NULL,
	};

	return qy_play(cx, stage->scenario, &setup, stage->result);
}

/* In a region of its own, so that a sweep knows when things may fail. */
static enum qrt_err play_trial(struct qrt_cx *cx, struct stage *stage)
{
	struct qrt_region *region;
	enum qrt_err err = qrt_region_open(cx, QRT_COLLECT, &region);

	if (err) {
		return err;
	}
	QRT_IGNORE(qrt_lab_expose(region, QRT_EXPOSE_FAILURES), "it is open");
	err = play_here(qrt_region_cx(region), stage);
	return qrt_region_close(cx, &region, err);
}

static enum qrt_err stage_main(struct qrt_cx *cx, void *arg)
{
	struct stage *stage = arg;
	enum qrt_err after = QRT_OK;

	stage->err = stage->hooks != NULL ? play_trial(cx, stage) : play_here(cx, stage);
	if (stage->err) {
		qy_cli_fail(stage->cli, QY_CLI_RUNTIME, "%s on %s: %s", stage->scenario->file,
			    stage->cast->name,
			    qrt_detail(cx)[0] != '\0' ? qrt_detail(cx) : qrt_err_text(stage->err));
	}
	if (stage->hooks != NULL && stage->hooks->after != NULL) {
		after = stage->hooks->after(cx, stage->hooks->arg, stage->url);
	}
	if (after) {
		qy_cli_fail(stage->cli, QY_CLI_VERIFY, "%s", qrt_detail(cx));
		stage->err = after;
	}
	return stage->err;
}

static int run_stage(struct stage *stage)
{
	int code = stage->cast->in_lab ? 0 : make_folder(stage);
	enum qrt_err err;

	if (code == 0) {
		code = open_all(stage);
	}
	if (code == 0) {
		err = qrt_run_main(stage->host, stage_main, stage);
		if (err) {
			stage->err = err;
			qy_cli_fail(stage->cli, QY_CLI_RUNTIME, "%s on %s: %s",
				    stage->scenario->file, stage->cast->name, qrt_err_text(err));
		}
	}
	/* The first failure stands, of whichever step. */
	code = close_all(stage);
	remove_folder(stage);
	return code;
}

int qy_cli_play(struct qy_cli *cli, const struct qy_scenario *scenario,
		const struct qy_cli_cast *cast, struct qy_play_result *ret_result)
{
	struct stage stage = {
	    .cli = cli, .scenario = scenario, .cast = cast, .result = ret_result, .lab = cast->lab};

	*ret_result = (struct qy_play_result){0};
	return run_stage(&stage);
}

enum qrt_err qy_cli_play_in(struct qy_cli *cli, const struct qy_scenario *scenario,
			    const struct qy_cli_cast *cast, const struct qy_cli_trial_hooks *hooks,
			    struct qy_play_result *ret_result)
{
	struct stage stage = {.cli = cli,
			      .scenario = scenario,
			      .cast = cast,
			      .result = ret_result,
			      .hooks = hooks,
			      .lab = cast->lab};

	*ret_result = (struct qy_play_result){0};
	if (run_stage(&stage) != 0 && stage.err == QRT_OK) {
		return QRT_EFAILED;
	}
	return stage.err;
}
