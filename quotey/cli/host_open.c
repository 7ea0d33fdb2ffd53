/*
 * Opening, in this order: signals, lane, database, certificate, web socket, runtimes, switchboard,
 * components, control listener. What was opened stays open when a later step fails: qy_host_stop
 * lets go of it.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "quotey/cli/database.h"
#include "quotey/cli/host.h"

#define LANE_THREADS 3
#define LANE_QUEUE 16

/* An address as it stands in a URL. */
static void make_url(bool tls, const char *address, unsigned port, char ret_url[QY_HOST_URL_SIZE])
{
	bool v6 = strchr(address, ':') != NULL;

	snprintf(ret_url, QY_HOST_URL_SIZE, "%s://%s%s%s:%u", tls ? "https" : "http", v6 ? "[" : "",
		 address, v6 ? "]" : "", port);
}

static const char *why(struct qrt_cx *cx, enum qrt_err err)
{
	const char *detail = qrt_detail(cx);

	return detail[0] != '\0' ? detail : qrt_err_text(err);
}

/* Signals come first: threads inherit what is blocked, and must not take them away. */
static int open_signals(struct qrt_cx *cx, struct qy_host *host)
{
	static const int signos[] = {SIGTERM, SIGINT, SIGHUP, SIGUSR1};
	enum qrt_err err =
	    qrt_signal_open(cx, signos, sizeof(signos) / sizeof(signos[0]), &host->signals);

	if (!err) {
		err = qrt_lane_open(cx, "host", LANE_THREADS, LANE_QUEUE, &host->lane);
	}
	return err ? qy_cli_fail(host->cli, QY_CLI_RUNTIME, "signals: %s", why(cx, err)) : 0;
}

/* Migrates, and asks the journal where the components were. */
static int open_database(struct qrt_cx *cx, struct qy_host *host)
{
	const struct qy_config *config = host->cli->config;
	struct qy_store store;
	enum qrt_err err = QRT_OK;
	int code = qy_cli_database_open(cx, host->cli, QY_CLI_SCHEMA_MIGRATE, &store);

	if (code != 0) {
		return code;
	}
	memcpy(host->assigned, host->configured, sizeof(host->assigned));
	for (size_t i = 0; i < QY_CLI_COMPONENTS_MAX && !err; i++) {
		struct qy_assigned assigned;

		err = qy_store_assigned(cx, &store, qy_cli_components[i], &assigned);
		if (!err) {
			qy_assign_by_journal(host->log, config, qy_cli_components[i], &assigned,
					     &host->assigned[i]);
		}
	}
	if (err) {
		code = qy_cli_database_fail(cx, host->cli, QY_CLI_DATABASE, err);
	}
	qrt_db_close(cx, &store.db);
	if (code == 0 && qy_assign_killed(config)) {
		qy_assign_by_kill_file(host->log, config, host->assigned);
	}
	qy_cli_database_options(config, &host->db_env.options);
	host->db_env.log = host->log;
	return code;
}

static int open_socket(struct qrt_cx *cx, struct qy_host *host)
{
	const struct qy_config *config = host->cli->config;
	const char *address = qy_config_str(config, "web.bind_address");
	uint16_t port = (uint16_t)qy_config_int(config, "web.port");
	enum qrt_err err = qrt_socket_listen(cx, address, port, &host->server_env.listen_fd, &port);

	if (err) {
		host->server_env.listen_fd = -1;
		make_url(host->tls != NULL, address, port, host->web_url);
		return qy_cli_fail(host->cli, QY_CLI_RUNTIME, "web listener %s: %s", host->web_url,
				   qrt_err_text(err));
	}
	make_url(host->tls != NULL, address, port, host->web_url);
	return 0;
}

static int open_runtimes(struct qy_host *host)
{
	const struct qy_cli_place *places[QY_CLI_PLACES_MAX];
	size_t n = qy_cli_places(places);

	for (size_t i = 0; i < n; i++) {
		const struct qrt_runtime_options options = {.backend = places[i]->backend,
							    .name = places[i]->loop,
							    .on_stall = qy_host_stalled,
							    .stall_arg = host};
		struct qrt_runtime **rt = &host->runtimes[host->n_runtimes];
		char detail[256] = "";
		enum qrt_err err = qrt_runtime_open(&options, detail, rt);

		if (!err) {
			err = qrt_runtime_start(*rt);
			if (err) {
				qrt_runtime_close(rt);
			} else {
				host->n_runtimes++;
			}
		}
		if (err) {
			return qy_cli_fail(host->cli, QY_CLI_RUNTIME, "runtime %s: %s",
					   options.name,
					   detail[0] != '\0' ? detail : qrt_err_text(err));
		}
	}
	return 0;
}

static void fill_server_env(struct qy_host *host)
{
	const struct qy_config *config = host->cli->config;
	struct qy_server_env *env = &host->server_env;
	int64_t linger_ms = qy_config_int(config, "server.drain_linger_ms");
	int64_t grace_ms = qy_config_int(config, "server.cancel_grace_ms");

	env->db = qrt_switchboard_port(host->switchboard, "db");
	env->counters = &host->counters;
	env->log = host->log;
	env->rate = host->rate;
	env->trusted_proxies = &host->trusted_proxies;
	env->public_url = qy_config_str(config, "web.public_url");
	env->tls = host->tls;
	env->body_max = (size_t)qy_config_int(config, "server.body_limit");
	env->header_max = (size_t)qy_config_int(config, "server.header_limit");
	env->connections_max = (size_t)qy_config_int(config, "server.max_connections");
	env->request_deadline_ns = qy_config_int(config, "server.request_deadline_secs") * QRT_SEC;
	/* 0 would be the defaults instead of none at all. */
	env->cancel_grace_ns = grace_ms > 0 ? grace_ms * QRT_MS : -1;
	env->linger_ns = linger_ms > 0 ? linger_ms * QRT_MS : 1;
	/* Of a key of its own, so that neither tells anything about the other. */
	qrt_hmac_sha256(host->keys.portal_key, QY_KEY_LEN, "csrf", 4, env->csrf_key);
}

static int open_switchboard(struct qy_host *host)
{
	const struct qrt_switchboard_options options = {
	    .drain_max_ns = qy_config_int(host->cli->config, "server.drain_secs") * QRT_SEC,
	    .journal = qy_host_journal,
	    .journal_arg = host,
	};
	enum qrt_err err = qrt_switchboard_create(&options, &host->switchboard);

	for (size_t i = 1; i < host->n_runtimes && !err; i++) {
		err = qrt_switchboard_add_runtime(
		    host->switchboard, qrt_runtime_backend(host->runtimes[i]), host->runtimes[i]);
	}
	if (!err) {
		err = qrt_switchboard_add_component(host->switchboard, &qy_db_component,
						    &host->db_env);
	}
	if (!err) {
		err = qrt_rate_create(&host->rate);
	}
	if (!err && !qy_networks_parse(qy_config_str(host->cli->config, "server.trusted_proxies"),
				       &host->trusted_proxies)) {
		err = QRT_EINVAL; /* the configuration has checked it */
	}
	if (!err) {
		fill_server_env(host);
		err = qrt_switchboard_add_component(host->switchboard, &qy_server_component,
						    &host->server_env);
	}
	if (!err) {
		err = qy_host_add_slack(host);
	}
	return err ? qy_cli_fail(host->cli, QY_CLI_RUNTIME, "switchboard: %s", qrt_err_text(err))
		   : 0;
}

struct control_job {
	struct qy_host *host;
	struct qrt_control_options options;
};

static enum qrt_err control_job_main(struct qrt_job *job, void *arg)
{
	struct control_job *open = arg;
	char detail[256] = "";
	enum qrt_err err = qrt_control_open(&open->options, detail, &open->host->control);

	return err ? qrt_job_fail(job, err, "%s", detail) : QRT_OK;
}

static int open_control(struct qrt_cx *cx, struct qy_host *host)
{
	const struct qy_config *config = host->cli->config;
	const char *token = qy_config_str(config, "control.token");
	struct qy_control_env *env = &host->control_env;
	struct control_job job = {
	    .host = host,
	    .options = {.address = qy_config_str(config, "control.bind_address"),
			.port = (uint16_t)qy_config_int(config, "control.port"),
			.threads = (unsigned)qy_config_int(config, "control.threads"),
			.token = token[0] != '\0' ? token : host->keys.control_token,
			.routes = qy_control_routes,
			.n_routes = qy_control_route_count,
			.app = env},
	};
	enum qrt_err err;

	env->log = host->log;
	env->fallback = qy_assign_fallback(config);
	env->sb = host->switchboard;
	env->supervisor = host->supervisor;
	env->runtimes = host->runtimes;
	env->n_runtimes = host->n_runtimes;
	env->db = host->server_env.db;
	env->counters = &host->counters;
	/* Off the loop: it starts threads and may wait for the kernel. */
	err = qrt_blocking(cx, host->lane, control_job_main, &job);
	if (err) {
		return qy_cli_fail(host->cli, QY_CLI_RUNTIME, "%s", why(cx, err));
	}
	make_url(false, job.options.address, qrt_control_port(host->control), host->control_url);
	return 0;
}

int qy_host_open(struct qrt_cx *cx, struct qy_host *host)
{
	int code = open_signals(cx, host);

	if (code == 0) {
		code = open_database(cx, host);
	}
	if (code == 0) {
		code = qy_host_tls_open(cx, host);
	}
	if (code == 0) {
		code = open_socket(cx, host);
	}
	if (code == 0) {
		code = open_runtimes(host);
	}
	if (code == 0) {
		code = open_switchboard(host);
	}
	if (code == 0) {
		code = qy_host_assign(cx, host);
	}
	if (code == 0) {
		code = open_control(cx, host);
	}
	return code;
}
