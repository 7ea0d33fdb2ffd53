/*
 * The database for the commands that work on it directly: opens it on a runtime of the command's
 * own, brings the schema to where it must be, and runs the command on it.
 */
#ifndef QY_CLI_DATABASE_H
#define QY_CLI_DATABASE_H

#include "quotey/cli/command.h"
#include "quotey/db/store.h"

/* What must be true of the schema before the command runs. */
enum qy_cli_schema {
	QY_CLI_SCHEMA_ANY,
	QY_CLI_SCHEMA_THERE,   /* any, but there must be such a file */
	QY_CLI_SCHEMA_NEWEST,  /* else it fails and says how to migrate */
	QY_CLI_SCHEMA_MIGRATE, /* it is looked at for damage (database.check) and brought there */
};

/* Runs as a task. Returns the exit code, having failed through qy_cli_fail when it is not 0. */
typedef int qy_cli_database_fn(struct qrt_cx *cx, struct qy_cli *cli, struct qy_store *store,
			       void *arg);

/* Opens, runs, closes. Returns the exit code. */
int qy_cli_database_run(struct qy_cli *cli, enum qy_cli_schema schema, qy_cli_database_fn *fn,
			void *arg);

/* How the configuration says the database is to be opened. Texts belong to @config. */
void qy_cli_database_options(const struct qy_config *config, struct qrt_db_options *ret_options);

/*
 * The same inside a task that the caller has: opens and brings the schema there. On failure nothing
 * is open and the exit code is returned.
 */
int qy_cli_database_open(struct qrt_cx *cx, struct qy_cli *cli, enum qy_cli_schema schema,
			 struct qy_store *ret_store);

/* Fails with the detail of @cx. Of the errors of a step: a database out of reach is no bad step. */
int qy_cli_database_fail(struct qrt_cx *cx, struct qy_cli *cli, enum qy_cli_class class,
			 enum qrt_err err);

#endif
