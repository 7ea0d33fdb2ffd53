/*
 * Rules between keys, on the values that won. A rule stays silent when one of its keys has been
 * complained about already. It must never change a value.
 */
#include "quotey/cli/config_internal.h"

#include <string.h>

static bool usable(const struct qy_config_load *load, const char *key)
{
	return !load->bad[qy_config__find(key)];
}

static const char *text(const struct qy_config_load *load, const char *key)
{
	return qy_config_str(load->config, key);
}

static bool is_set(const struct qy_config_load *load, const char *key)
{
	return text(load, key)[0] != '\0';
}

static void complain(struct qy_config_load *load, const char *key, const char *problem,
		     const char *fix)
{
	struct qy_config_fault fault;

	qy_config__fault(&fault, problem, "%s", fix);
	qy_config__error(load, key, qy_config_source(load->config, key), &fault);
}

static void check_listeners(struct qy_config_load *load)
{
	int64_t web_port = qy_config_int(load->config, "web.port");

	if (usable(load, "web.port") && usable(load, "control.port") && web_port != 0 &&
	    web_port == qy_config_int(load->config, "control.port")) {
		complain(load, "web.port", "is the same port as control.port",
			 "give the two listeners different ports, or 0 for any free one");
	}
	if (usable(load, "control.bind_address") && usable(load, "control.token") &&
	    !qy_config__address_is_loopback(text(load, "control.bind_address")) &&
	    !is_set(load, "control.token")) {
		complain(load, "control.bind_address",
			 "opens the control listener to other machines without a token",
			 "set control.token, or bind to 127.0.0.1");
	}
}

static void check_tls(struct qy_config_load *load)
{
	const char *alone = NULL;

	if (!usable(load, "web.tls_cert") || !usable(load, "web.tls_key")) {
		return;
	}
	if (is_set(load, "web.tls_cert") && !is_set(load, "web.tls_key")) {
		alone = "web.tls_cert";
	} else if (!is_set(load, "web.tls_cert") && is_set(load, "web.tls_key")) {
		alone = "web.tls_key";
	}
	if (alone != NULL) {
		complain(load, alone, "stands without the other of web.tls_cert and web.tls_key",
			 "give both for TLS on the web listener, or none for plain HTTP");
	}
}

static void check_slack_token(struct qy_config_load *load, const char *key, const char *prefix,
			      const char *other_prefix)
{
	const char *token;

	if (!usable(load, key)) {
		return;
	}
	token = text(load, key);
	if (token[0] == '\0') {
		if (usable(load, "slack.enabled") &&
		    qy_config_bool(load->config, "slack.enabled")) {
			complain(load, key, "is required when slack.enabled is true",
				 "set the token, or set slack.enabled = false");
		}
	} else if (strncmp(token, other_prefix, strlen(other_prefix)) == 0) {
		complain(load, key, "holds the other Slack token",
			 "swap slack.app_token (xapp-) and slack.bot_token (xoxb-)");
	} else if (strncmp(token, prefix, strlen(prefix)) != 0) {
		complain(load, key, "does not begin like a Slack token of its kind",
			 "slack.app_token begins with xapp-, slack.bot_token with xoxb-");
	}
}

static void check_slack(struct qy_config_load *load)
{
	check_slack_token(load, "slack.app_token", "xapp-", "xoxb-");
	check_slack_token(load, "slack.bot_token", "xoxb-", "xapp-");
	if (usable(load, "slack.base_delay_ms") && usable(load, "slack.max_delay_ms") &&
	    qy_config_int(load->config, "slack.base_delay_ms") >
		qy_config_int(load->config, "slack.max_delay_ms")) {
		complain(load, "slack.max_delay_ms", "is less than slack.base_delay_ms",
			 "give the first delay in base_delay_ms and the longest in max_delay_ms");
	}
}

static void check_outside(struct qy_config_load *load)
{
	const char *provider = text(load, "llm.provider");

	if (usable(load, "llm.provider") && usable(load, "llm.api_key") &&
	    (strcmp(provider, "openai") == 0 || strcmp(provider, "anthropic") == 0) &&
	    !is_set(load, "llm.api_key")) {
		complain(load, "llm.api_key", "is required by the chosen llm.provider",
			 "set the key, or use llm.provider = none or ollama");
	}
	if (usable(load, "crm.enabled") && usable(load, "crm.webhook_url") &&
	    qy_config_bool(load->config, "crm.enabled") && !is_set(load, "crm.webhook_url")) {
		complain(load, "crm.webhook_url", "is required when crm.enabled is true",
			 "set the URL, or set crm.enabled = false");
	}
	if (usable(load, "pdf.engine") && usable(load, "pdf.command") &&
	    strcmp(text(load, "pdf.engine"), "command") == 0 && !is_set(load, "pdf.command")) {
		complain(load, "pdf.command", "is required by pdf.engine = command",
			 "set the command, or use pdf.engine = builtin");
	}
}

void qy_config__check(struct qy_config_load *load)
{
	check_listeners(load);
	check_tls(load);
	check_slack(load);
	check_outside(load);
}
