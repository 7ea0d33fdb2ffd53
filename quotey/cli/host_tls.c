/*
 * The certificate of the web listener. It is read before anything listens, and again on HUP, always
 * on the lane: files can hang. Connections that stand keep what they have.
 */
#include <string.h>

#include "quotey/cli/host.h"

struct read_job {
	struct qrt_tls_server_options options;
	struct qrt_tls *tls; /* NULL: make one */
};

static enum qrt_err read_main(struct qrt_job *job, void *arg)
{
	struct read_job *read = arg;
	char detail[256] = "";
	enum qrt_err err = read->tls != NULL
			       ? qrt_tls_reload(read->tls, detail)
			       : qrt_tls_server_create(&read->options, detail, &read->tls);

	return err ? qrt_job_fail(job, err, "%s", detail) : QRT_OK;
}

static const char *why(struct qrt_cx *cx, enum qrt_err err)
{
	return qrt_detail(cx)[0] != '\0' ? qrt_detail(cx) : qrt_err_text(err);
}

int qy_host_tls_open(struct qrt_cx *cx, struct qy_host *host)
{
	const struct qy_config *config = host->cli->config;
	struct read_job read = {.options = {.cert_file = qy_config_str(config, "web.tls_cert"),
					    .key_file = qy_config_str(config, "web.tls_key"),
					    .alpn = "http/1.1"}};
	enum qrt_err err;

	if (read.options.cert_file[0] == '\0') {
		return 0;
	}
	err = qrt_blocking(cx, host->lane, read_main, &read);
	if (err) {
		return qy_cli_fail(host->cli, QY_CLI_CONFIG, "web.tls_cert (%s): %s",
				   qy_config_source(config, "web.tls_cert"), why(cx, err));
	}
	host->tls = read.tls;
	return 0;
}

static bool is_same(const struct qy_host *host, const struct qy_config *config, const char *key)
{
	return strcmp(qy_config_str(config, key), qy_config_str(host->cli->config, key)) == 0;
}

void qy_host_tls_reload(struct qrt_cx *cx, struct qy_host *host, const struct qy_config *config)
{
	struct read_job read = {.tls = host->tls};
	enum qrt_err err;

	if (!is_same(host, config, "web.tls_cert") || !is_same(host, config, "web.tls_key")) {
		qrt_log(host->log, cx, QRT_LOG_WARN, "host",
			"HUP: other files for TLS need a restart; those of the start are read");
	}
	if (host->tls == NULL) {
		return;
	}
	err = qrt_blocking(cx, host->lane, read_main, &read);
	if (err) {
		qrt_log(host->log, cx, QRT_LOG_ERROR, "host", "HUP: the certificate stays as it is",
			QRT_LOG_TEXT("why", why(cx, err)));
	} else {
		qrt_log(host->log, cx, QRT_LOG_INFO, "host", "HUP: certificate read again");
	}
}
