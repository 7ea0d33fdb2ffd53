/*
 * The one table of every configuration key: its type, default, limits and whether it is secret.
 * Parsing, checking, the environment's names, nearest-name hints and `quotey config` all come from
 * it. It must never hold anything but data and look-ups in it.
 *
 * Keys of portal, branding, llm, queue, crm, webhook and pdf have no effect yet, nor have those of
 * slack that are for handling what came in: their components do not exist. They are here so that a
 * file written for the whole product loads.
 */
#include "quotey/cli/config_internal.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "quotey/slack/slack.h"

#define LEN_MAX QY_CONFIG_VALUE_MAX
#define PORT_MAX 65535
#define DAY_SECS 86400

/* X(section, key, type, default, min, max, choices, secret) */
#define DATABASE_KEYS(X)                                                                           \
	X(database, url, DB_URL, "sqlite://quotey.db", 0, LEN_MAX, "", false)                      \
	X(database, max_connections, INT, "5", 2, 64, "", false)                                   \
	X(database, timeout_secs, INT, "30", 1, 300, "", false)                                    \
	X(database, synchronous, ENUM, "full", 0, 0, "full|normal", false)                         \
	X(database, check, ENUM, "quick", 0, 0, "quick|full|off", false)

/*
 * slack.enabled: the product's default is true, but then both tokens are required. While nothing
 * answers what Slack sends that would keep everybody from starting, so it is false for now.
 */
#define SLACK_KEYS(X)                                                                              \
	X(slack, enabled, BOOL, "false", 0, 0, "", false)                                          \
	X(slack, app_token, TOKEN, "", 0, QY_SLACK_TOKEN_MAX, "", true)                            \
	X(slack, bot_token, TOKEN, "", 0, LEN_MAX, "", true)                                       \
	X(slack, api_base_url, TLS_URL, "https://slack.com/api", 0, QY_SLACK_BASE_URL_MAX, "",     \
	  false)                                                                                   \
	X(slack, base_delay_ms, INT, "250", 1, 600000, "", false)                                  \
	X(slack, max_delay_ms, INT, "5000", 1, 600000, "", false)                                  \
	X(slack, max_retries, INT, "5", 0, 100, "", false)                                         \
	X(slack, max_inflight, INT, "16", 1, 1024, "", false)                                      \
	X(slack, approvals_channel, STRING, "", 0, 256, "", false)                                 \
	X(slack, notify_channel, STRING, "", 0, 256, "", false)

#define SERVER_KEYS(X)                                                                             \
	X(server, request_deadline_secs, INT, "30", 1, 3600, "", false)                            \
	X(server, cancel_grace_ms, INT, "500", 0, 60000, "", false)                                \
	X(server, graceful_shutdown_secs, INT, "15", 1, 3600, "", false)                           \
	X(server, drain_secs, INT, "10", 1, 300, "", false)                                        \
	X(server, drain_linger_ms, INT, "1000", 0, 60000, "", false)                               \
	X(server, max_connections, INT, "1024", 1, 65536, "", false)                               \
	X(server, body_limit, INT, "2097152", 1024, 67108864, "", false)                           \
	X(server, header_limit, INT, "65536", 1024, 1048576, "", false)                            \
	X(server, trusted_proxies, ADDRESS_LIST, "127.0.0.1,::1", 0, LEN_MAX, "", false)

#define LISTENER_KEYS(X)                                                                           \
	X(control, bind_address, ADDRESS, "127.0.0.1", 0, 0, "", false)                            \
	X(control, port, INT, "8080", 0, PORT_MAX, "", false)                                      \
	X(control, threads, INT, "8", 2, 64, "", false)                                            \
	X(control, token, TOKEN, "", 16, LEN_MAX, "", true)                                        \
	X(web, bind_address, ADDRESS, "127.0.0.1", 0, 0, "", false)                                \
	X(web, port, INT, "3847", 0, PORT_MAX, "", false)                                          \
	X(web, public_url, WEB_URL, "", 0, LEN_MAX, "", false)                                     \
	X(web, tls_cert, STRING, "", 0, LEN_MAX, "", false)                                        \
	X(web, tls_key, STRING, "", 0, LEN_MAX, "", false)

#define SECURITY_KEYS(X)                                                                           \
	X(security, key_file, STRING, "quotey.key", 1, LEN_MAX, "", false)                         \
	X(security, ledger_key, HEX, "", 0, 64, "", true)                                          \
	X(security, portal_key, HEX, "", 0, 64, "", true)                                          \
	X(security, key_id, STRING, "k1", 1, 64, "", false)                                        \
	X(security, old_keys, STRING, "", 0, LEN_MAX, "", true)

#define PORTAL_KEYS(X)                                                                             \
	X(portal, approval_password, STRING, "", 0, LEN_MAX, "", true)                             \
	X(branding, name, STRING, "", 0, 256, "", false)                                           \
	X(branding, color, COLOR, "#2563eb", 0, 0, "", false)                                      \
	X(branding, support_email, STRING, "", 0, 256, "", false)                                  \
	X(branding, terms_footer, STRING, "", 0, LEN_MAX, "", false)

#define WORKER_KEYS(X)                                                                             \
	X(llm, provider, ENUM, "none", 0, 0, "none|ollama|openai|anthropic", false)                \
	X(llm, api_key, TOKEN, "", 0, LEN_MAX, "", true)                                           \
	X(llm, base_url, WEB_URL, "http://localhost:11434", 0, LEN_MAX, "", false)                 \
	X(llm, model, STRING, "llama3.1", 1, 256, "", false)                                       \
	X(llm, timeout_secs, INT, "30", 1, 300, "", false)                                         \
	X(llm, max_retries, INT, "2", 0, 100, "", false)                                           \
	X(queue, poll_ms, INT, "1000", 1, 600000, "", false)                                       \
	X(queue, batch, INT, "10", 1, 1000, "", false)                                             \
	X(queue, workers, INT, "4", 1, 256, "", false)                                             \
	X(queue, claim_timeout_secs, INT, "300", 1, DAY_SECS, "", false)                           \
	X(queue, actions_enabled, BOOL, "true", 0, 0, "", false)

#define OUTSIDE_KEYS(X)                                                                            \
	X(crm, enabled, BOOL, "false", 0, 0, "", false)                                            \
	X(crm, webhook_url, TLS_URL, "", 0, LEN_MAX, "", false)                                    \
	X(crm, webhook_secret, STRING, "", 0, LEN_MAX, "", true)                                   \
	X(webhook, url, TLS_URL, "", 0, LEN_MAX, "", false)                                        \
	X(webhook, secret, STRING, "", 0, LEN_MAX, "", true)                                       \
	X(pdf, engine, ENUM, "builtin", 0, 0, "builtin|command", false)                            \
	X(pdf, command, STRING, "", 0, LEN_MAX, "", false)                                         \
	X(pdf, timeout_secs, INT, "30", 1, 3600, "", false)                                        \
	X(logging, level, LEVELS, "info", 0, 256,                                                  \
	  "access|control|db|dump|host|log|runtime|server", false)                                 \
	X(logging, format, ENUM, "compact", 0, 0, "compact|pretty|json", false)

/* The product runs on legacy today; the cut-over to region is a line in the file. */
#define RUNTIME_KEYS(X)                                                                            \
	X(runtime, backend, BACKEND, "legacy", 0, 0, "legacy|region", false)                       \
	X(runtime, db, BACKEND, "", 0, 0, "legacy|region", false)                                  \
	X(runtime, slack, BACKEND, "", 0, 0, "legacy|region", false)                               \
	X(runtime, agent, BACKEND, "", 0, 0, "legacy|region", false)                               \
	X(runtime, queue, BACKEND, "", 0, 0, "legacy|region", false)                               \
	X(runtime, server, BACKEND, "", 0, 0, "legacy|region", false)                              \
	X(runtime, fallback, ENUM, "legacy", 0, 0, "legacy|region", false)                         \
	X(runtime, kill_file, STRING, "", 0, LEN_MAX, "", false)

#define ROW(section, key, type, initial, min, max, choices, secret)                                \
	{#section "." #key, QY_CONFIG_##type, initial, min, max, choices, secret},

static const struct qy_config_key schema[] = {
    DATABASE_KEYS(ROW) SLACK_KEYS(ROW) SERVER_KEYS(ROW) LISTENER_KEYS(ROW) SECURITY_KEYS(ROW)
	PORTAL_KEYS(ROW) WORKER_KEYS(ROW) OUTSIDE_KEYS(ROW) RUNTIME_KEYS(ROW)};

#define N_KEYS (sizeof(schema) / sizeof(schema[0]))
_Static_assert(N_KEYS <= QY_CONFIG_KEYS_MAX, "struct qy_config has a value for every key");

size_t qy_config_key_count(void)
{
	return N_KEYS;
}

const char *qy_config_key_name(size_t index)
{
	return qy_config__key(index)->name;
}

const struct qy_config_key *qy_config__key(size_t index)
{
	if (index >= N_KEYS) {
		qy_config__impossible("key index out of range", "");
	}
	return &schema[index];
}

size_t qy_config__section_len(const char *name)
{
	return strcspn(name, ".");
}

bool qy_config__section_known(const char *section)
{
	size_t len = strlen(section);

	for (size_t i = 0; i < N_KEYS; i++) {
		if (qy_config__section_len(schema[i].name) == len &&
		    strncmp(schema[i].name, section, len) == 0) {
			return true;
		}
	}
	return false;
}

int qy_config__find(const char *name)
{
	for (size_t i = 0; i < N_KEYS; i++) {
		if (strcmp(schema[i].name, name) == 0) {
			return (int)i;
		}
	}
	return -1;
}

int qy_config__find_variable(const char *variable)
{
	char name[QY_CONFIG_NAME_MAX + 1];

	for (size_t i = 0; i < N_KEYS; i++) {
		qy_config__variable_name(i, name);
		if (strcmp(name, variable) == 0) {
			return (int)i;
		}
	}
	return -1;
}

void qy_config__variable_name(size_t index, char *ret_name)
{
	const char *from = qy_config__key(index)->name;
	size_t n = 0;

	for (const char *p = "QUOTEY_"; *p != '\0'; p++) {
		ret_name[n++] = *p;
	}
	for (; *from != '\0'; from++) {
		if (n >= QY_CONFIG_NAME_MAX) {
			qy_config__impossible("name too long for its variable", schema[index].name);
		}
		ret_name[n++] = *from == '.' ? '_' : (char)toupper((unsigned char)*from);
	}
	ret_name[n] = '\0';
}
