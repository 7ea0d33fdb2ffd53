/* quotey seed: loads the seed data and checks it, or removes it. */
#include <inttypes.h>
#include <stdio.h>

#include "quotey/cli/database.h"

/* Every failed check on stderr; the first one also in the outcome. */
static int report_failed(struct qy_cli *cli, const struct qy_seed_report *report)
{
	const struct qy_seed_check *first = NULL;

	for (unsigned i = 0; i < report->count; i++) {
		const struct qy_seed_check *check = &report->checks[i];

		if (!check->passed) {
			first = first != NULL ? first : check;
			fprintf(stderr, "%s: expected %s, found %s\n", check->name, check->expected,
				check->found);
		}
	}
	return qy_cli_fail(
	    cli, QY_CLI_SEED_CHECK, "%u of %u checks passed; %s: expected %s, found %s",
	    report->passed, report->count, first != NULL ? first->name : "?",
	    first != NULL ? first->expected : "?", first != NULL ? first->found : "?");
}

static int seed(struct qrt_cx *cx, struct qy_cli *cli, struct qy_store *store, void *arg)
{
	const bool *clean = arg;
	struct qy_seed_report report;
	enum qrt_err err = *clean ? qy_store_seed_clean(cx, store, &report)
				  : qy_store_seed_load(cx, store, &report);

	if (err) {
		return qy_cli_database_fail(cx, cli, QY_CLI_SEED, err);
	}
	if (*clean) {
		return qy_cli_done(cli, "%" PRIu64 " rows removed", report.rows_changed);
	}
	if (report.passed != report.count) {
		return report_failed(cli, &report);
	}
	return qy_cli_done(cli, "%u of %u checks passed; %" PRIu64 " rows written", report.passed,
			   report.count, report.rows_changed);
}

int qy_cmd_seed(struct qy_cli *cli)
{
	bool clean = false;
	const struct qy_cli_option options[] = {{.name = "--clean", .flag = &clean}};
	int code = qy_cli_args(cli, options, 1, 0);

	return code != 0 ? code : qy_cli_database_run(cli, QY_CLI_SCHEMA_MIGRATE, seed, &clean);
}
