/* The life of the host: open, wait for signals, let go. */
#include "quotey/cli/host.h"

#include <signal.h>
#include <stdio.h>
#include <unistd.h>

/* The one line that others wait for. Both addresses are numeric: nothing in them needs escaping. */
static void announce(struct qy_host *host)
{
	printf("{\"event\":\"ready\",\"web\":\"%s\",\"control\":\"%s\"}\n", host->web_url,
	       host->control_url);
	fflush(stdout);
	qrt_log(host->log, NULL, QRT_LOG_INFO, "host", "serving",
		QRT_LOG_TEXT("web", host->web_url), QRT_LOG_TEXT("control", host->control_url));
	host->is_ready = true;
}

static void want_reload(struct qy_host *host, struct qrt_region *work)
{
	host->is_reload_wanted = true;
	if (!host->is_reloading) {
		host->is_reloading = true;
		if (qrt_spawn(work, qy_host_reload, host)) {
			host->is_reloading = false;
			qrt_log(host->log, NULL, QRT_LOG_ERROR, "host", "HUP: no memory to reload");
		}
	}
}

static int64_t grace_of(const struct qy_host *host)
{
	return qy_config_int(host->cli->config, "server.graceful_shutdown_secs") * QRT_SEC;
}

/* From now on health says draining, and the clock of the shutdown runs. */
static enum qrt_err begin_stop(struct qrt_cx *cx, struct qy_host *host, struct qrt_region *work,
			       struct qrt_region **ret_until)
{
	struct qrt_region_options options = {.name = "shutdown", .policy = QRT_COLLECT};
	enum qrt_err err;

	qrt_log(host->log, NULL, QRT_LOG_INFO, "host", "stopping");
	atomic_store(&host->control_env.draining, true);
	host->stop_by_ns = qrt_deadline_in(cx, grace_of(host));
	options.budget.deadline_ns = host->stop_by_ns;
	err = qrt_spawn(work, qy_host_stop, host);
	return err ? err : qrt_region_open_with(cx, &options, ret_until);
}

/* Waits for signals until the stop it began has closed them. */
static enum qrt_err serve(struct qrt_cx *cx, struct qy_host *host, struct qrt_region *work)
{
	struct qrt_region *until = NULL; /* open while stopping, for its deadline */
	struct qrt_cx *wait_cx = cx;
	enum qrt_err err = QRT_OK;
	int signo = 0;

	while (!err && !(err = qrt_signal_wait(wait_cx, host->signals, &signo))) {
		if (signo == SIGUSR1) {
			QRT_IGNORE(qrt_spawn(work, qy_host_dump, host), "only a dump is lost");
		} else if (signo == SIGHUP) {
			want_reload(host, work);
		} else if (until != NULL) {
			qrt_log(host->log, NULL, QRT_LOG_ERROR, "host",
				"a second signal: ending at once");
			qy_host_log_flush(host);
			_exit(qy_cli_exit_code(QY_CLI_RUNTIME));
		} else {
			err = begin_stop(cx, host, work, &until);
			wait_cx = until != NULL ? qrt_region_cx(until) : cx;
		}
	}
	if (err == QRT_ETIMEDOUT) {
		qy_host_give_up(host);
	}
	if (until != NULL) {
		QRT_IGNORE(qrt_region_close(cx, &until, QRT_OK), "it held nothing");
	}
	return err == QRT_ECLOSED ? QRT_OK : err;
}

static enum qrt_err work(struct qrt_cx *cx, struct qy_host *host)
{
	struct qrt_region *work;
	enum qrt_err err = qrt_region_open(cx, QRT_COLLECT, &work);

	if (err) {
		return err;
	}
	announce(host);
	err = serve(cx, host, work);
	return qrt_region_close(cx, &work, err);
}

/* Beside the work there is what looks for the kill file; it ends when the work has. */
static enum qrt_err run(struct qrt_cx *cx, struct qy_host *host)
{
	const struct qrt_region_options options = {
	    .name = "watch", .policy = QRT_COLLECT, .flags = QRT_CANCEL_REST};
	struct qrt_region *watch;
	enum qrt_err err;

	if (qy_config_str(host->cli->config, "runtime.kill_file")[0] == '\0') {
		return work(cx, host);
	}
	err = qrt_region_open_with(cx, &options, &watch);
	if (err) {
		return err;
	}
	err = qrt_spawn(watch, qy_host_watch, host);
	if (!err) {
		err = work(cx, host);
	}
	return qrt_region_close(cx, &watch, err);
}

enum qrt_err qy_host_main(struct qrt_cx *cx, void *arg)
{
	struct qy_host *host = arg;
	enum qrt_err err = QRT_OK;

	host->code = qy_host_open(cx, host);
	if (host->code == 0) {
		err = run(cx, host);
	}
	if (err) {
		host->code = qy_cli_fail(host->cli, QY_CLI_RUNTIME, "host: %s: %s",
					 qrt_err_text(err), qrt_detail(cx));
	}
	if (!host->is_stopped) {
		/* It did not come to serving. */
		host->stop_by_ns = qrt_deadline_in(cx, grace_of(host));
		QRT_IGNORE(qy_host_stop(cx, host), "it says by itself what went wrong");
	}
	for (size_t i = 0; i < host->n_runtimes; i++) {
		if (host->stuck[i]) {
			/* Tasks of the supervisor may wait for it: ending here would never end. */
			qy_host_give_up(host);
		}
	}
	return QRT_OK;
}
