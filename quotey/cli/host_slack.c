/* The component `slack`, for those who have switched it on. */
#include <string.h>

#include <qrt/tls.h>

#include "quotey/cli/host.h"

bool qy_host_has(const struct qy_host *host, const char *component)
{
	return strcmp(component, "slack") != 0 ||
	       qy_config_bool(host->cli->config, "slack.enabled");
}

int qy_host_prepare_slack(struct qy_host *host)
{
	const struct qrt_tls_client_options options = {.alpn = NULL};
	const char *url = qy_config_str(host->cli->config, "slack.api_base_url");
	char detail[QRT_DETAIL] = "";
	enum qrt_err err;

	if (!qy_host_has(host, "slack") || strncmp(url, "https:", 6) != 0) {
		return 0;
	}
	err = qrt_tls_client_create(&options, detail, &host->slack_tls);
	return err ? qy_cli_fail(host->cli, QY_CLI_CONFIG, "slack.api_base_url: TLS: %s",
				 detail[0] != '\0' ? detail : qrt_err_text(err))
		   : 0;
}

enum qrt_err qy_host_add_slack(struct qy_host *host)
{
	const struct qy_config *config = host->cli->config;
	struct qy_slack_env *env = &host->slack_env;
	enum qrt_err err;

	if (!qy_host_has(host, "slack")) {
		return QRT_OK;
	}
	env->db = qrt_switchboard_port(host->switchboard, "db");
	env->api_base_url = qy_config_str(config, "slack.api_base_url");
	env->app_token = qy_config_str(config, "slack.app_token");
	env->figures.base_delay_ms = (unsigned)qy_config_int(config, "slack.base_delay_ms");
	env->figures.max_delay_ms = (unsigned)qy_config_int(config, "slack.max_delay_ms");
	env->figures.max_retries = (unsigned)qy_config_int(config, "slack.max_retries");
	env->tls = host->slack_tls;
	env->status = &host->slack_status;
	env->log = host->log;
	err = qrt_switchboard_add_component(host->switchboard, &qy_slack_component, env);
	env->self = qrt_switchboard_port(host->switchboard, "slack");
	host->control_env.slack = &host->slack_status;
	return err;
}
