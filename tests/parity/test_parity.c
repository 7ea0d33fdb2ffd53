/*
 * Parity: the behaviours of the catalogue (tests/lab/scenarios/catalogue.scn) on every assignment
 * of backends, compared with the first one: statuses, headers that matter, bodies, and the tables
 * afterwards. Speaks TAP itself, because an assignment that this build lacks is a skip.
 */
#include <qrt/runtime.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "quotey/cli/lab_stage.h"
#include "quotey/cli/place.h"

#define SCENARIO "tests/lab/scenarios/catalogue.scn"
#define PATH_SIZE 4096
#define DIFF_MAX ((size_t)1 << 20)

static const struct qy_cli_cast casts[] = {
    {.name = "legacy", .host = "legacy", .server = "legacy", .db = "legacy"},
    {.name = "region", .host = "region", .server = "region", .db = "region"},
    {.name = "server=region db=legacy", .server = "region", .db = "legacy"},
    {.name = "server=legacy db=region", .server = "legacy", .db = "region"},
    {.name = "moved while it works", .server = "legacy", .db = "legacy", .move_every = 3},
    {.name = "lab", .in_lab = true, .seed = 7, .server = "region", .db = "region"},
    {.name = "lab-legacy", .in_lab = true, .seed = 7, .server = "legacy", .db = "legacy"},
    {.name = "lab, moved",
     .in_lab = true,
     .seed = 7,
     .server = "legacy",
     .db = "legacy",
     .move_every = 3},
};

enum { N = sizeof(casts) / sizeof(casts[0]) };

/* What a cast needs is what it names, and for moves everything. */
static bool in_this_build(const struct qy_cli_cast *cast)
{
	const struct qy_cli_place *places[QY_CLI_PLACES_MAX];

	return qy_cli_place_known(cast->server) && qy_cli_place_known(cast->db) &&
	       (!cast->host || qy_cli_place_known(cast->host)) &&
	       (!cast->move_every || qy_cli_places(places) == QY_CLI_PLACES_MAX);
}

/* Plays it, and says on stderr what went wrong. */
static bool plays_well(struct qy_cli *cli, const struct qy_scenario *scenario,
		       const struct qy_cli_cast *cast, struct qy_play_result *ret_result)
{
	int code = qy_cli_play(cli, scenario, cast, ret_result);

	if (code != 0) {
		fprintf(stderr, "%s\n", cli->message);
	}
	if (ret_result->report.data) {
		fprintf(stderr, "on %s:\n%s", cast->name, ret_result->report.data);
	}
	return code == 0 && ret_result->failures == 0 && ret_result->requests > 0;
}

static bool is_the_same(const struct qy_play_result *first, const char *first_name,
			const struct qy_play_result *result, const char *name)
{
	struct qy_buffer diff;
	size_t n;

	qy_buffer_init(&diff, DIFF_MAX);
	n = qy_transcript_diff(&first->transcript, first_name, &result->transcript, name, &diff);
	fputs(diff.data ? diff.data : "", stderr);
	qy_buffer_fini(&diff);
	return n == 0;
}

static int play_all(struct qy_cli *cli, const struct qy_scenario *scenario)
{
	struct qy_play_result first = {0};
	const char *first_name = NULL;
	int failed = 0;

	printf("1..%d\n", N);
	for (int i = 0; i < N; i++) {
		const struct qy_cli_cast *cast = &casts[i];
		struct qy_play_result result;
		bool right;

		if (!in_this_build(cast)) {
			printf("ok %d - parity on %s # SKIP not in this build\n", i + 1,
			       cast->name);
			continue;
		}
		right = plays_well(cli, scenario, cast, &result);
		if (right && first_name) {
			right = is_the_same(&first, first_name, &result, cast->name);
		}
		printf("%s %d - parity on %s\n", right ? "ok" : "not ok", i + 1, cast->name);
		fflush(stdout);
		failed += !right;
		if (first_name) {
			qy_play_result_fini(&result);
		} else {
			first = result;
			first_name = cast->name;
		}
	}
	qy_play_result_fini(&first);
	return failed ? 1 : 0;
}

int main(void)
{
	static struct qy_cli cli;
	const char *root = getenv("top_srcdir");
	struct qy_scenario *scenario;
	char path[PATH_SIZE];
	int code;

	snprintf(path, sizeof(path), "%s/" SCENARIO, root ? root : ".");
	if (qy_cli_scenario_load(&cli, path, &scenario) != 0) {
		printf("Bail out! %s\n", cli.message);
		return 1;
	}
	code = play_all(&cli, scenario);
	qy_scenario_destroy(&scenario);
	return code;
}
