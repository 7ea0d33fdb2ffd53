/* Opening the database for the command line. Holds no SQL. */
#include "quotey/cli/database.h"

#include <string.h>

#include <qrt/runtime.h>

#include "quotey/cli/place.h"
#include "quotey/db/migrate.h"

void qy_cli_database_options(const struct qy_config *config, struct qrt_db_options *ret_options)
{
	*ret_options = (struct qrt_db_options){
	    .url = qy_config_str(config, "database.url"),
	    .readers = (unsigned)qy_config_int(config, "database.max_connections") - 1,
	    .synchronous_full = strcmp(qy_config_str(config, "database.synchronous"), "full") == 0,
	    .lane_wait_ns = qy_config_int(config, "database.timeout_secs") * QRT_SEC,
	};
}

/* Whether the database could not be reached or used, whatever was to be done with it. */
static bool is_out_of_reach(enum qrt_err err)
{
	switch (err) {
	case QRT_EACCES:
	case QRT_EBUSY:
	case QRT_EIO:
	case QRT_ENOSPC:
	case QRT_EMFILE:
	case QRT_ENOENT:
	case QRT_ENOMEM:
	case QRT_ETIMEDOUT:
	case QRT_ELIMIT:
		return true;
	default:
		return false;
	}
}

int qy_cli_database_fail(struct qrt_cx *cx, struct qy_cli *cli, enum qy_cli_class class,
			 enum qrt_err err)
{
	const char *detail = qrt_detail(cx);

	return qy_cli_fail(cli, is_out_of_reach(err) ? QY_CLI_DATABASE : class, "database %s: %s",
			   qy_config_str(cli->config, "database.url"),
			   detail[0] != '\0' ? detail : qrt_err_text(err));
}

/* Before anything is changed in it. */
static enum qrt_err look_for_damage(struct qrt_cx *cx, const struct qy_config *config,
				    struct qrt_db *db)
{
	const char *how = qy_config_str(config, "database.check");

	if (strcmp(how, "off") == 0) {
		return QRT_OK;
	}
	return qrt_db_check(cx, db, strcmp(how, "full") == 0, NULL, 0);
}

static int bring_schema(struct qrt_cx *cx, struct qy_cli *cli, enum qy_cli_schema schema,
			struct qy_store *store)
{
	struct qy_migrate_report report;
	enum qrt_err err = QRT_OK;

	if (schema == QY_CLI_SCHEMA_MIGRATE) {
		err = look_for_damage(cx, cli->config, store->db);
	}
	if (err) {
		return qy_cli_database_fail(cx, cli, QY_CLI_DATABASE, err);
	}
	if (schema == QY_CLI_SCHEMA_MIGRATE) {
		err = qy_migrate_up(cx, store->db, &qy_migrations, 0, &report);
	} else if (schema == QY_CLI_SCHEMA_NEWEST) {
		err = qy_migrate_verify(cx, store->db, &qy_migrations);
	}
	if (err == QRT_ESTATE) {
		return qy_cli_fail(cli, QY_CLI_MIGRATION,
				   "database %s: %s; run quotey migrate first",
				   qy_config_str(cli->config, "database.url"), qrt_detail(cx));
	}
	return err ? qy_cli_database_fail(cx, cli, QY_CLI_MIGRATION, err) : 0;
}

int qy_cli_database_open(struct qrt_cx *cx, struct qy_cli *cli, enum qy_cli_schema schema,
			 struct qy_store *ret_store)
{
	struct qrt_db_options options;
	struct qy_store store = {0};
	enum qrt_err err;
	int code;

	qy_cli_database_options(cli->config, &options);
	options.must_exist = schema == QY_CLI_SCHEMA_THERE;
	err = qrt_db_open(cx, &options, &store.db);
	if (err) {
		return qy_cli_database_fail(cx, cli, QY_CLI_DATABASE, err);
	}
	code = bring_schema(cx, cli, schema, &store);
	if (code != 0) {
		qrt_db_close(cx, &store.db);
		return code;
	}
	*ret_store = store;
	return 0;
}

struct run_job {
	struct qy_cli *cli;
	enum qy_cli_schema schema;
	qy_cli_database_fn *fn;
	void *arg;
	int code;
};

static enum qrt_err run_task(struct qrt_cx *cx, void *arg)
{
	struct run_job *job = arg;
	struct qy_store store;

	job->code = qy_cli_database_open(cx, job->cli, job->schema, &store);
	if (job->code == 0) {
		job->code = job->fn(cx, job->cli, &store, job->arg);
		qrt_db_close(cx, &store.db);
	}
	return QRT_OK;
}

int qy_cli_database_run(struct qy_cli *cli, enum qy_cli_schema schema, qy_cli_database_fn *fn,
			void *arg)
{
	const struct qrt_runtime_options options = {.backend = qy_cli_place_own(), .name = "cli"};
	struct run_job job = {.cli = cli, .schema = schema, .fn = fn, .arg = arg};
	char detail[256] = "";
	struct qrt_runtime *rt;
	enum qrt_err err = qrt_runtime_open(&options, detail, &rt);

	if (err) {
		return qy_cli_fail(cli, QY_CLI_RUNTIME, "runtime %s: %s", options.backend,
				   detail[0] != '\0' ? detail : qrt_err_text(err));
	}
	err = qrt_run_main(rt, run_task, &job);
	qrt_runtime_close(&rt);
	return err ? qy_cli_fail(cli, QY_CLI_RUNTIME, "runtime %s: %s", options.backend,
				 qrt_err_text(err))
		   : job.code;
}
