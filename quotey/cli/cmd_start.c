/* quotey start: what must be right before anything is opened, then the host. */
#include <stdlib.h>
#include <string.h>

#include <qrt/tls.h>

#include "quotey/cli/host.h"

/* Every instance of the database component opens it anew, and moves make several. */
static int check_database(struct qy_cli *cli)
{
	const char *url = qy_config_str(cli->config, "database.url");

	if (strcmp(url, ":memory:") == 0 || strcmp(url, "sqlite::memory:") == 0) {
		return qy_cli_fail(cli, QY_CLI_CONFIG,
				   "database.url (%s): a server needs a database in a file; give"
				   " sqlite://PATH",
				   qy_config_source(cli->config, "database.url"));
	}
	return 0;
}

static int take_keys(struct qy_cli *cli, struct qy_keys *ret_keys)
{
	const char *path = qy_config_str(cli->config, "security.key_file");
	const char *ledger = qy_config_str(cli->config, "security.ledger_key");
	const char *portal = qy_config_str(cli->config, "security.portal_key");
	char problem[QY_KEYFILE_PROBLEM_SIZE];

	if (!qy_keyfile_read(path, /* create= */ true, ret_keys, problem)) {
		return qy_cli_fail(cli, QY_CLI_CONFIG, "%s", problem);
	}
	/* Both have exactly as many digits as a key, or none. */
	if (ledger[0] != '\0') {
		memcpy(ret_keys->ledger_key, ledger, QY_KEY_SIZE);
	}
	if (portal[0] != '\0') {
		memcpy(ret_keys->portal_key, portal, QY_KEY_SIZE);
	}
	return 0;
}

static int run_host(struct qy_host *host)
{
	const struct qrt_runtime_options options = {
	    .backend = qy_cli_place_own(),
	    .name = "supervisor",
	    .on_stall = qy_host_stalled,
	    .stall_arg = host,
	};
	char detail[256] = "";
	enum qrt_err err = qrt_runtime_open(&options, detail, &host->supervisor);

	if (err) {
		return qy_cli_fail(host->cli, QY_CLI_RUNTIME, "runtime %s: %s", options.name,
				   detail[0] != '\0' ? detail : qrt_err_text(err));
	}
	host->runtimes[host->n_runtimes++] = host->supervisor;
	err = qrt_run_main(host->supervisor, qy_host_main, host);
	if (err) {
		host->code = qy_cli_fail(host->cli, QY_CLI_RUNTIME, "runtime %s: %s", options.name,
					 qrt_err_text(err));
	}
	return qy_host_finish(host);
}

int qy_cmd_start(struct qy_cli *cli)
{
	struct qy_host *host;
	char problem[QY_ASSIGN_PROBLEM_SIZE];
	int code = qy_cli_args(cli, NULL, 0, 0);

	if (code == 0) {
		code = check_database(cli);
	}
	if (code != 0) {
		return code;
	}
	host = calloc(1, sizeof(*host));
	if (host == NULL) {
		return qy_cli_fail(cli, QY_CLI_RUNTIME, "out of memory");
	}
	host->cli = cli;
	host->server_env.listen_fd = -1;
	if (!qy_assign_by_config(cli->config, host->configured, problem)) {
		code = qy_cli_fail(cli, QY_CLI_CONFIG, "%s", problem);
	}
	if (code == 0) {
		code = take_keys(cli, &host->keys);
	}
	if (code == 0) {
		code = qy_host_log_open(host);
	}
	if (code == 0) {
		code = qy_host_prepare_slack(host);
	}
	if (code == 0) {
		code = run_host(host);
	}
	qrt_tls_unref(&host->slack_tls);
	qrt_log_close(&host->log);
	qy_keys_fini(&host->keys);
	free(host);
	return code;
}
