/* quotey db: copies the database while it is used, and looks for damage in it. */
#include <stdio.h>
#include <string.h>

#include "quotey/cli/database.h"

#define FINDINGS_SIZE 8192

struct backup_args {
	const char *path;
	bool force;
};

static int backup(struct qrt_cx *cx, struct qy_cli *cli, struct qy_store *store, void *arg)
{
	const struct backup_args *args = arg;
	enum qrt_err err = qrt_db_backup(cx, store->db, args->path, args->force);

	if (err == QRT_EEXIST) {
		return qy_cli_fail(cli, QY_CLI_CONFIG, "%s exists; --force replaces it",
				   args->path);
	}
	if (err) {
		return qy_cli_database_fail(cx, cli, QY_CLI_DATABASE, err);
	}
	return qy_cli_done(cli, "copied to %s", args->path);
}

int qy_cmd_db_backup(struct qy_cli *cli)
{
	struct backup_args args = {0};
	const struct qy_cli_option options[] = {{.name = "--force", .flag = &args.force}};
	int code = qy_cli_args(cli, options, 1, 1);

	if (code == 0 && cli->n_words == 0) {
		code = qy_cli_fail(cli, QY_CLI_CONFIG, "db backup takes the FILE to write");
	}
	if (code != 0) {
		return code;
	}
	args.path = cli->words[0];
	return qy_cli_database_run(cli, QY_CLI_SCHEMA_THERE, backup, &args);
}

static int check(struct qrt_cx *cx, struct qy_cli *cli, struct qy_store *store, void *arg)
{
	const bool *full = arg;
	char findings[FINDINGS_SIZE];
	enum qrt_err err = qrt_db_check(cx, store->db, *full, findings, sizeof(findings));

	if (err == QRT_ECORRUPT) {
		fputs(findings, stderr);
		return qy_cli_database_fail(cx, cli, QY_CLI_VERIFY, err);
	}
	if (err) {
		return qy_cli_database_fail(cx, cli, QY_CLI_DATABASE, err);
	}
	return qy_cli_done(cli, "no damage found%s", *full ? "" : "; --full also compares indexes");
}

int qy_cmd_db_check(struct qy_cli *cli)
{
	bool full = false;
	const struct qy_cli_option options[] = {{.name = "--full", .flag = &full}};
	int code = qy_cli_args(cli, options, 1, 0);

	return code != 0 ? code : qy_cli_database_run(cli, QY_CLI_SCHEMA_THERE, check, &full);
}
