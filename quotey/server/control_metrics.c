/*
 * GET /metrics: the Prometheus text format, version 0.0.4. Names and their meaning are one table;
 * every number is read from any thread, without asking a loop.
 */
#include "quotey/server/control_handlers.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "quotey/server/control_reply.h"
#include "quotey/server/kill.h"

#define METRICS_MAX (1024 * 1024)

struct runtime_metric {
	const char *name, *type, *help;
	size_t offset; /* of a uint64_t in struct qrt_audit */
	bool is_ns;    /* there; told in seconds */
};

#define AUDIT(member) offsetof(struct qrt_audit, member), false
#define AUDIT_NS(member) offsetof(struct qrt_audit, member), true

static const struct runtime_metric runtime_metrics[] = {
    {"quotey_regions_live", "gauge", "Regions that are open now.", AUDIT(regions_live)},
    {"quotey_regions_opened_total", "counter", "Regions opened.", AUDIT(regions_opened)},
    {"quotey_tasks_live", "gauge", "Tasks that have not ended.", AUDIT(tasks_live)},
    {"quotey_tasks_spawned_total", "counter", "Tasks spawned.", AUDIT(tasks_spawned)},
    {"quotey_tasks_detached_live", "gauge", "Detached tasks that have not ended.",
     AUDIT(detached_live)},
    {"quotey_ops_live", "gauge", "Waits parked on I/O, lanes and ports.", AUDIT(ops_live)},
    {"quotey_ops_started_total", "counter", "Waits begun on I/O, lanes and ports.",
     AUDIT(ops_started)},
    {"quotey_streams_live", "gauge", "Streams and listeners that are open.", AUDIT(streams_live)},
    {"quotey_jobs_live", "gauge", "Jobs on lanes, queued or running.", AUDIT(jobs_live)},
    {"quotey_jobs_left", "gauge", "Jobs whose callers have left and that still run.",
     AUDIT(jobs_left)},
    {"quotey_cancels_total", "counter", "Tasks asked to end.", AUDIT(cancels)},
    {"quotey_forced_total", "counter", "Tasks abandoned after their cleanup budget.",
     AUDIT(forced)},
    {"quotey_panics_total", "counter", "Tasks that panicked.", AUDIT(panics)},
    {"quotey_not_capable_total", "counter", "Calls refused for a missing capability.",
     AUDIT(not_capable)},
    {"quotey_duties_live", "gauge", "Permits, leases and the like that are not settled.",
     AUDIT(duties_live)},
    {"quotey_duties_made_total", "counter", "Permits, leases and the like made.",
     AUDIT(duties_made)},
    {"quotey_leaks_total", "counter", "Duties that nobody settled.", AUDIT(leaks)},
    {"quotey_budgets_spent_total", "counter", "Tasks and regions that ran out of budget.",
     AUDIT(budgets_spent)},
    {"quotey_restarts_total", "counter", "Supervised tasks started again.", AUDIT(restarts)},
    {"quotey_loop_turns_total", "counter", "Turns of the loop.", AUDIT(turns)},
    {"quotey_loop_ready", "gauge", "Tasks that were ready in the last turn of the loop.",
     AUDIT(ready)},
    {"quotey_loop_lag_seconds", "gauge", "How long the last turn of the loop took.",
     AUDIT_NS(lag_ns)},
    {"quotey_loop_lag_max_seconds", "gauge", "How long the longest turn of the loop took.",
     AUDIT_NS(lag_max_ns)},
    {"quotey_loop_stalls_total", "counter", "Times that a task kept the loop to itself.",
     AUDIT(stalls)},
};

static void describe(struct qy_buffer *out, const char *name, const char *type, const char *help)
{
	qy_buffer_text(out, "# HELP ");
	qy_buffer_text(out, name);
	qy_buffer_text(out, " ");
	qy_buffer_text(out, help);
	qy_buffer_text(out, "\n# TYPE ");
	qy_buffer_text(out, name);
	qy_buffer_text(out, " ");
	qy_buffer_text(out, type);
	qy_buffer_text(out, "\n");
}

/* The text of a label's value; backslash, quote and line end are escaped. */
static void put_escaped(struct qy_buffer *out, const char *text)
{
	for (; *text != '\0'; text++) {
		if (*text == '\n') {
			qy_buffer_text(out, "\\n");
			continue;
		}
		if (*text == '\\' || *text == '"') {
			qy_buffer_text(out, "\\");
		}
		qy_buffer_bytes(out, text, 1);
	}
}

#define LABELS_MAX 3

struct label {
	const char *name, *value; /* name NULL: no more of them */
};

static void sample_start(struct qy_buffer *out, const char *name,
			 const struct label labels[LABELS_MAX])
{
	size_t i;

	qy_buffer_text(out, name);
	for (i = 0; i < LABELS_MAX && labels[i].name != NULL; i++) {
		qy_buffer_text(out, i == 0 ? "{" : ",");
		qy_buffer_text(out, labels[i].name);
		qy_buffer_text(out, "=\"");
		put_escaped(out, labels[i].value);
		qy_buffer_text(out, "\"");
	}
	qy_buffer_text(out, i > 0 ? "} " : " ");
}

static void sample(struct qy_buffer *out, const char *name, const struct label labels[LABELS_MAX],
		   uint64_t value)
{
	char number[32];

	sample_start(out, name, labels);
	snprintf(number, sizeof(number), "%" PRIu64 "\n", value);
	qy_buffer_text(out, number);
}

static void sample_ns(struct qy_buffer *out, const char *name,
		      const struct label labels[LABELS_MAX], uint64_t ns)
{
	char number[48];
	uint64_t us = ns / 1000;

	sample_start(out, name, labels);
	snprintf(number, sizeof(number), "%" PRIu64 ".%06" PRIu64 "\n", us / 1000000, us % 1000000);
	qy_buffer_text(out, number);
}

/* The labels of everything that a runtime has. */
#define OF_RUNTIME(rt)                                                                             \
	{"runtime", qrt_runtime_name(rt)},                                                         \
	{                                                                                          \
		"backend", qrt_runtime_backend(rt)                                                 \
	}

static const struct label no_labels[LABELS_MAX] = {{NULL, NULL}};

static uint64_t load(const _Atomic uint64_t *counter)
{
	return atomic_load_explicit(counter, memory_order_relaxed);
}

/* One number that has no labels. */
static void put_single(struct qy_buffer *out, const char *name, const char *type, const char *help,
		       uint64_t value)
{
	describe(out, name, type, help);
	sample(out, name, no_labels, value);
}

/* Classes are cumulative in this format: each holds those below it. */
static void put_durations(struct qy_buffer *out, const struct qy_server_counters *counters)
{
	static const char name[] = "quotey_http_request_seconds";
	uint64_t so_far = 0;
	char bound[32];
	size_t i;

	describe(out, name, "histogram", "From a request's first link to its answer.");
	for (i = 0; i <= QY_TOOK_BOUNDS; i++) {
		const struct label labels[LABELS_MAX] = {{"le", bound}};

		snprintf(bound, sizeof(bound), "+Inf");
		if (i < QY_TOOK_BOUNDS) {
			snprintf(bound, sizeof(bound), "%" PRId64 ".%03" PRId64,
				 qy_took_bounds_us[i] / 1000000,
				 qy_took_bounds_us[i] / 1000 % 1000);
		}
		so_far += load(&counters->took[i]);
		sample(out, "quotey_http_request_seconds_bucket", labels, so_far);
	}
	sample_ns(out, "quotey_http_request_seconds_sum", no_labels,
		  load(&counters->took_us) * 1000);
	sample(out, "quotey_http_request_seconds_count", no_labels, so_far);
}

static void put_requests(struct qy_buffer *out, const struct qy_server_counters *counters)
{
	static const char *const classes[] = {"2xx", "3xx", "4xx", "5xx"};
	static const char name[] = "quotey_http_requests_total";
	size_t i;

	describe(out, name, "counter", "API requests answered, by class of status.");
	for (i = 0; i < sizeof(classes) / sizeof(classes[0]); i++) {
		const struct label labels[LABELS_MAX] = {{"class", classes[i]}};

		sample(out, name, labels, load(&counters->by_class[i + 2]));
	}
	put_durations(out, counters);
	put_single(out, "quotey_http_response_bytes_total", "counter", "Bytes of answers' bodies.",
		   load(&counters->bytes));
	put_single(out, "quotey_auth_denied_total", "counter",
		   "Requests refused for their key, its scopes or their form.",
		   load(&counters->denied));
	put_single(out, "quotey_auth_denied_unaudited", "gauge",
		   "Refusals since the last audit row, which have none: too many came.",
		   load(&counters->unaudited));
	put_single(out, "quotey_rate_limited_total", "counter",
		   "Requests refused because their key had used up its minute.",
		   load(&counters->limited));
}

/* What the components tell of themselves. */
static void put_figures(struct qy_buffer *out, const struct qy_control_env *env,
			const char *component)
{
	struct qrt_figure figures[QRT_FIGURES_MAX];
	size_t n = qrt_switchboard_figures(env->sb, component, figures, QRT_FIGURES_MAX), i;
	char name[80];

	for (i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "quotey_%s", figures[i].name);
		put_single(out, name, figures[i].is_gauge ? "gauge" : "counter", figures[i].help,
			   figures[i].value);
	}
}

static void put_log(struct qy_buffer *out, const struct qrt_log *log)
{
	struct qrt_log_stats stats;

	qrt_log_stats(log, &stats);
	put_single(out, "quotey_log_lines_total", "counter", "Log lines written or queued.",
		   stats.lines);
	put_single(out, "quotey_log_repeats_total", "counter",
		   "Log lines left out: equal to one shortly before.", stats.repeats);
	put_single(out, "quotey_log_dropped_total", "counter",
		   "Log lines lost: they came faster than they could be written.", stats.dropped);
	put_single(out, "quotey_log_write_errors_total", "counter", "Failed writes of the log.",
		   stats.write_errors);
}

static uint64_t audit_value(const struct qrt_audit *audit, size_t offset)
{
	return *(const uint64_t *)(const void *)((const char *)audit + offset);
}

static void put_runtimes(struct qy_buffer *out, const struct qy_control_env *env)
{
	struct qrt_audit audit;
	size_t i, j;

	for (i = 0; i < sizeof(runtime_metrics) / sizeof(runtime_metrics[0]); i++) {
		const struct runtime_metric *metric = &runtime_metrics[i];

		describe(out, metric->name, metric->type, metric->help);
		for (j = 0; j < env->n_runtimes; j++) {
			const struct label labels[LABELS_MAX] = {OF_RUNTIME(env->runtimes[j])};
			uint64_t value;

			qrt_runtime_audit(env->runtimes[j], &audit);
			value = audit_value(&audit, metric->offset);
			if (metric->is_ns) {
				sample_ns(out, metric->name, labels, value);
			} else {
				sample(out, metric->name, labels, value);
			}
		}
	}
}

static void put_cancels(struct qy_buffer *out, const struct qy_control_env *env)
{
	static const char name[] = "quotey_cancels_by_kind_total";
	struct qrt_audit audit;
	size_t i, kind;

	describe(out, name, "counter", "Tasks and regions asked to end, by kind of cancel.");
	for (i = 0; i < env->n_runtimes; i++) {
		const struct qrt_runtime *rt = env->runtimes[i];

		qrt_runtime_audit(rt, &audit);
		for (kind = 0; kind < sizeof(audit.cancels_by) / sizeof(audit.cancels_by[0]);
		     kind++) {
			const struct label labels[LABELS_MAX] = {
			    OF_RUNTIME(rt), {"kind", qrt_cancel_name((enum qrt_cancel_kind)kind)}};

			sample(out, name, labels, audit.cancels_by[kind]);
		}
	}
}

static void put_busy(struct qy_buffer *out, const struct qy_control_env *env)
{
	static const char name[] = "quotey_loop_busy_seconds";
	size_t i;

	describe(out, name, "gauge", "For how long the loop has not been back to its poll.");
	for (i = 0; i < env->n_runtimes; i++) {
		const struct qrt_runtime *rt = env->runtimes[i];
		const struct label labels[LABELS_MAX] = {OF_RUNTIME(rt)};

		sample_ns(out, name, labels, (uint64_t)qrt_runtime_busy(rt, NULL, NULL));
	}
}

static void put_components(struct qy_buffer *out, const struct qrt_stage *stages, size_t count)
{
	size_t i;

	describe(out, "quotey_component_backend", "gauge", "1 for the backend of the component.");
	for (i = 0; i < count; i++) {
		const struct label labels[LABELS_MAX] = {{"component", stages[i].component},
							 {"backend", stages[i].backend}};

		sample(out, "quotey_component_backend", labels, 1);
	}
	describe(out, "quotey_component_in_flight", "gauge", "Work under way in the component.");
	for (i = 0; i < count; i++) {
		const struct label labels[LABELS_MAX] = {{"component", stages[i].component}};

		sample(out, "quotey_component_in_flight", labels, stages[i].in_flight);
	}
	describe(out, "quotey_component_moves_total", "counter", "Moves of the component.");
	for (i = 0; i < count; i++) {
		const struct label labels[LABELS_MAX] = {{"component", stages[i].component}};

		sample(out, "quotey_component_moves_total", labels, stages[i].moves);
	}
}

static void put_slack(struct qy_buffer *out, const struct qy_slack_status *status)
{
	const struct {
		const char *name, *help;
		uint64_t value;
	} counters[] = {
#define SLACK_COUNTER(member, help)                                                                \
	{"quotey_slack_" #member "_total", help, atomic_load(&status->member)},
	    QY_SLACK_COUNTERS(SLACK_COUNTER)
#undef SLACK_COUNTER
	};
	const struct label state[LABELS_MAX] = {
	    {"state", qy_slack_state_name(atomic_load(&status->state))}};
	const struct label none[LABELS_MAX] = {{NULL, NULL}};

	describe(out, "quotey_slack_state", "gauge", "The state of the connection to Slack.");
	sample(out, "quotey_slack_state", state, 1);
	for (size_t i = 0; i < sizeof(counters) / sizeof(counters[0]); i++) {
		describe(out, counters[i].name, "counter", counters[i].help);
		sample(out, counters[i].name, none, counters[i].value);
	}
}

void qy_control_metrics(void *app, const struct qrt_control_request *req,
			struct qrt_control_reply *reply)
{
	const struct qy_control_env *env = app;
	struct qrt_stage stages[QRT_COMPONENTS_MAX];
	size_t count = qrt_switchboard_stages(env->sb, stages, QRT_COMPONENTS_MAX);
	struct qy_buffer out;

	(void)req;
	qy_buffer_init(&out, METRICS_MAX);
	if (env->counters != NULL) {
		put_requests(&out, env->counters);
	}
	put_single(&out, "quotey_killed", "gauge", "1 while the kill holds all on the fallback.",
		   qy_killed(env) != 0);
	put_log(&out, env->log);
	put_components(&out, stages, count);
	if (env->slack != NULL) {
		put_slack(&out, env->slack);
	}
	for (size_t i = 0; i < count; i++) {
		put_figures(&out, env, stages[i].component);
	}
	put_runtimes(&out, env);
	put_cancels(&out, env);
	put_busy(&out, env);
	qy_control_reply_buffer(reply, 200, "text/plain; version=0.0.4; charset=utf-8", &out);
}
