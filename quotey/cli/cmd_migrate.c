/* quotey migrate: the schema up or down, and its signature. */
#include "quotey/cli/database.h"
#include "quotey/db/migrate.h"

#define STEP_MAX 9999

struct migrate_args {
	bool is_down;
	unsigned to;
};

static int migrate(struct qrt_cx *cx, struct qy_cli *cli, struct qy_store *store, void *arg)
{
	const struct migrate_args *args = arg;
	struct qy_migrate_report report;
	char signature[QRT_SHA256_HEX_SIZE];
	enum qrt_err err;

	if (args->is_down) {
		err = qy_migrate_down(cx, store->db, &qy_migrations, args->to, &report);
	} else {
		err = qy_migrate_up(cx, store->db, &qy_migrations, args->to, &report);
	}
	if (err == QRT_EINVAL) {
		return qy_cli_fail(cli, QY_CLI_CONFIG, "--to: %s", qrt_detail(cx));
	}
	if (!err) {
		err = qy_migrate_signature(cx, store->db, signature);
	}
	if (err) {
		return qy_cli_database_fail(cx, cli, QY_CLI_MIGRATION, err);
	}
	return qy_cli_done(cli, "schema at %04u (was %04u), signature %s", report.to, report.from,
			   signature);
}

int qy_cmd_migrate(struct qy_cli *cli)
{
	const char *to = NULL;
	const char *down = NULL;
	const struct qy_cli_option options[] = {
	    {.name = "--to", .value = &to},
	    {.name = "--down", .value = &down},
	};
	struct migrate_args args = {0};
	int code = qy_cli_args(cli, options, sizeof(options) / sizeof(options[0]), 0);

	if (code == 0 && to != NULL && down != NULL) {
		code = qy_cli_fail(cli, QY_CLI_CONFIG, "--to and --down exclude each other");
	}
	if (code == 0 && to != NULL) {
		code = qy_cli_number(cli, "--to", to, 1, STEP_MAX, &args.to);
	}
	if (code == 0 && down != NULL) {
		args.is_down = true;
		code = qy_cli_number(cli, "--down", down, 0, STEP_MAX, &args.to);
	}
	return code != 0 ? code : qy_cli_database_run(cli, QY_CLI_SCHEMA_ANY, migrate, &args);
}
