/*
 * Stopping. First the components, the server before its database; then the control listener, which
 * has answered health until then; then the runtimes. Whatever happens, every step is tried.
 */
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "quotey/cli/host.h"

#define RESERVE_MAX (2 * QRT_SEC)
#define SHUTDOWN_MIN (500 * QRT_MS)
#define DUMP_WAIT (100 * QRT_MS)
/* Somebody may ask for a move while everything stops; what it started is stopped again. */
#define STOP_ROUNDS 3

static void complain(struct qrt_cx *cx, const struct qy_host *host, const char *what,
		     enum qrt_err err)
{
	const char *detail = qrt_detail(cx);

	if (err) {
		qrt_log(host->log, cx, QRT_LOG_ERROR, "host", "a step of the stop failed",
			QRT_LOG_TEXT("step", what),
			QRT_LOG_TEXT("detail", detail[0] != '\0' ? detail : qrt_err_text(err)));
	}
}

/* --- components ---------------------------------------------------------------------------- */

/* Components may use the time up to a reserve, which is for ending by force what is then left. */
static int64_t components_by(const struct qrt_cx *cx, const struct qy_host *host)
{
	int64_t now_ns = qrt_deadline_in(cx, 0);
	int64_t reserve_ns = (host->stop_by_ns - now_ns) / 4;

	return host->stop_by_ns - (reserve_ns < RESERVE_MAX ? reserve_ns : RESERVE_MAX);
}

static void stop_components(struct qrt_cx *cx, struct qy_host *host)
{
	const struct qrt_region_options options = {
	    .name = "stop components",
	    .policy = QRT_COLLECT,
	    .budget.deadline_ns = components_by(cx, host),
	};
	struct qrt_region *region;
	enum qrt_err err = qrt_region_open_with(cx, &options, &region);

	if (!err) {
		err = qrt_switchboard_stop(qrt_region_cx(region), host->switchboard);
		host->is_stop_late |= err != QRT_OK;
		complain(cx, host, "stop", err);
		err = qrt_region_close(cx, &region, QRT_OK);
	}
	complain(cx, host, "stop", err);
}

static uint64_t in_flight(struct qy_host *host)
{
	struct qrt_stage stages[QRT_COMPONENTS_MAX];
	size_t n = qrt_switchboard_stages(host->switchboard, stages, QRT_COMPONENTS_MAX);
	uint64_t sum = 0;

	for (size_t i = 0; i < n; i++) {
		/* What db works on, server waits for: once is enough. */
		sum = stages[i].in_flight > sum ? stages[i].in_flight : sum;
	}
	return sum;
}

/* The first round of it, which has something to drain. */
static void drain_components(struct qrt_cx *cx, struct qy_host *host)
{
	int64_t began_ns = qrt_deadline_in(cx, 0);

	host->drain.in_flight = in_flight(host);
	/* From here on these count what this drain does. */
	atomic_store(&host->counters.drain_answered, 0);
	atomic_store(&host->counters.drain_refused, 0);
	atomic_store(&host->counters.drain_idle_closed, 0);
	atomic_store(&host->counters.drain_left, 0);
	stop_components(cx, host);
	host->drain.ms = (qrt_deadline_in(cx, 0) - began_ns) / QRT_MS;
}

static bool any_runs(struct qy_host *host)
{
	struct qrt_stage stages[QRT_COMPONENTS_MAX];
	size_t n = qrt_switchboard_stages(host->switchboard, stages, QRT_COMPONENTS_MAX);

	for (size_t i = 0; i < n; i++) {
		if (stages[i].backend[0] != '\0' || stages[i].moving) {
			return true;
		}
	}
	return false;
}

/* --- control listener and runtimes, on the lane ---------------------------------------------- */

static enum qrt_err control_main(struct qrt_job *job, void *arg)
{
	struct qy_host *host = arg;

	(void)job;
	/* Its handlers wait for the supervisor, so the supervisor must not wait for them here. */
	qrt_control_close(&host->control);
	return QRT_OK;
}

/* Tasks that live although every component was stopped. */
static uint64_t components_live(const struct qy_host *host)
{
	uint64_t live = 0;

	for (size_t i = 1; i < host->n_runtimes; i++) {
		struct qrt_audit audit;

		qrt_runtime_audit(host->runtimes[i], &audit);
		live += audit.tasks_live;
	}
	return live;
}

struct shutdown_job {
	struct qy_host *host;
	int64_t grace_ns;
};

static enum qrt_err shutdown_main(struct qrt_job *job, void *arg)
{
	struct shutdown_job *shutdown = arg;
	struct qy_host *host = shutdown->host;

	(void)job;
	/* A runtime that is told to end answers no more: now or never. */
	if (host->is_stop_late && components_live(host) > 0) {
		qrt_log(host->log, NULL, QRT_LOG_ERROR, "host",
			"these did not stop and are cancelled");
		qy_host_dump_components(host, DUMP_WAIT);
	}
	/* The supervisor, number 0, ends by itself. */
	for (size_t i = 1; i < host->n_runtimes; i++) {
		host->stuck[i] = qrt_shutdown(host->runtimes[i], shutdown->grace_ns) != QRT_OK;
	}
	return QRT_OK;
}

static void shutdown_runtimes(struct qrt_cx *cx, struct qy_host *host)
{
	int64_t left_ns = host->stop_by_ns - qrt_deadline_in(cx, 0);
	size_t n = host->n_runtimes > 1 ? host->n_runtimes - 1 : 1;
	struct shutdown_job job = {.host = host, .grace_ns = left_ns / (int64_t)n};

	if (job.grace_ns < SHUTDOWN_MIN) {
		job.grace_ns = SHUTDOWN_MIN;
	}
	if (host->lane != NULL) {
		complain(cx, host, "end of runtimes",
			 qrt_blocking(cx, host->lane, shutdown_main, &job));
	} else {
		QRT_ASSERT(host->n_runtimes <= 1);
	}
}

enum qrt_err qy_host_stop(struct qrt_cx *cx, void *arg)
{
	struct qy_host *host = arg;

	for (int i = 0; i < STOP_ROUNDS && host->switchboard != NULL; i++) {
		if (i == 0) {
			drain_components(cx, host);
		} else if (any_runs(host)) {
			stop_components(cx, host);
		}
		if (host->control != NULL) {
			complain(cx, host, "control listener",
				 qrt_blocking(cx, host->lane, control_main, host));
		}
	}
	if (host->server_env.listen_fd >= 0) {
		qrt_socket_close(cx, host->server_env.listen_fd);
		host->server_env.listen_fd = -1;
	}
	shutdown_runtimes(cx, host);
	qrt_lane_close(cx, &host->lane);
	qrt_signal_close(cx, &host->signals);
	host->is_stopped = true;
	return QRT_OK;
}

/* --- the end ------------------------------------------------------------------------------- */

static void add_audit(struct qrt_audit *sum, const struct qrt_runtime *rt)
{
	struct qrt_audit audit;

	qrt_runtime_audit(rt, &audit);
	sum->tasks_live += audit.tasks_live;
	sum->regions_live += audit.regions_live - 1; /* but for the root */
	sum->ops_live += audit.ops_live;
	sum->streams_live += audit.streams_live;
	sum->jobs_live += audit.jobs_live;
	sum->detached_live += audit.detached_live;
}

static uint64_t left_over(const struct qrt_audit *audit)
{
	return audit->tasks_live + audit->regions_live + audit->ops_live + audit->streams_live +
	       audit->jobs_live + audit->detached_live;
}

static void print_stopped(struct qy_host *host, const struct qrt_audit *sum)
{
	const struct qy_server_counters *counters = &host->counters;

	printf("{\"event\":\"stopped\",\"tasks_live\":%" PRIu64 ",\"regions_live\":%" PRIu64
	       ",\"ops_live\":%" PRIu64 ",\"streams_live\":%" PRIu64 ",\"jobs_live\":%" PRIu64,
	       sum->tasks_live, sum->regions_live, sum->ops_live, sum->streams_live,
	       sum->jobs_live);
	printf(",\"drain\":{\"in_flight\":%" PRIu64 ",\"answered\":%" PRIu64 ",\"refused\":%" PRIu64
	       ",\"idle_closed\":%" PRIu64 ",\"left\":%" PRIu64 ",\"ms\":%" PRId64 "}}\n",
	       host->drain.in_flight, atomic_load(&counters->drain_answered),
	       atomic_load(&counters->drain_refused), atomic_load(&counters->drain_idle_closed),
	       atomic_load(&counters->drain_left), host->drain.ms);
	fflush(stdout);
}

static void name_straggler(const struct qy_host *host, const struct qrt_runtime *rt,
			   const struct qrt_audit *audit)
{
	const char *task = NULL;
	const char *site = NULL;
	int64_t busy_ns = qrt_runtime_busy(rt, &task, &site);

	qrt_log(host->log, NULL, QRT_LOG_ERROR, "host", "something is left on a runtime",
		QRT_LOG_TEXT("runtime", qrt_runtime_name(rt)),
		QRT_LOG_INT("tasks", audit->tasks_live), QRT_LOG_INT("waits", audit->ops_live),
		QRT_LOG_INT("streams", audit->streams_live), QRT_LOG_TEXT("last_task", task),
		QRT_LOG_TEXT("spawned_at", site), QRT_LOG_INT("busy_ms", busy_ns / QRT_MS));
}

/* Sums up what lives, names what should not. */
static void take_stock(struct qy_host *host, struct qrt_audit *ret_sum)
{
	*ret_sum = (struct qrt_audit){0};
	for (size_t i = 0; i < host->n_runtimes; i++) {
		struct qrt_audit audit = {0};

		add_audit(&audit, host->runtimes[i]);
		if (host->stuck[i] || left_over(&audit) > 0) {
			name_straggler(host, host->runtimes[i], &audit);
			host->stuck[i] = true;
		}
		add_audit(ret_sum, host->runtimes[i]);
	}
}

void qy_host_give_up(struct qy_host *host)
{
	struct qrt_audit sum;

	qrt_log(host->log, NULL, QRT_LOG_ERROR, "host", "the time to stop is over");
	qy_host_dump_components(host, DUMP_WAIT);
	take_stock(host, &sum);
	print_stopped(host, &sum);
	qy_host_log_flush(host);
	_exit(qy_cli_exit_code(QY_CLI_RUNTIME));
}

int qy_host_finish(struct qy_host *host)
{
	struct qrt_audit sum;
	bool clean = true;

	take_stock(host, &sum);
	for (size_t i = host->n_runtimes; i-- > 0;) {
		clean = clean && !host->stuck[i];
	}
	if (host->is_ready) {
		print_stopped(host, &sum);
	}
	if (!clean) {
		/* Threads of it still run: nothing may be freed under them. */
		qy_host_log_flush(host);
		_exit(qy_cli_exit_code(QY_CLI_RUNTIME));
	}
	if (host->switchboard != NULL) {
		qrt_switchboard_destroy(&host->switchboard);
	}
	qrt_rate_destroy(&host->rate);
	qrt_tls_unref(&host->tls);
	for (size_t i = host->n_runtimes; i-- > 0;) {
		qrt_runtime_close(&host->runtimes[i]);
	}
	return host->code;
}
