/*
 * Health. Live asks the loops' clocks only, so it says the truth about a wedged loop; ready asks
 * the database, within a bound.
 */
#include "quotey/server/control_handlers.h"

#include <stdlib.h>

#include "quotey/core/civil.h"
#include "quotey/db/store.h"
#include "quotey/server/control_reply.h"
#include "quotey/server/control_task.h"

#define STUCK_AFTER_NS (5 * QRT_SEC)
#define READY_MAX_NS (500 * QRT_MS)
/* The ping ends earlier, so that its answer is there before the wait for it is given up. */
#define PING_MAX_NS (400 * QRT_MS)

void qy_control_live(void *app, const struct qrt_control_request *req,
		     struct qrt_control_reply *reply)
{
	const struct qy_control_env *env = app;
	const char *stuck = NULL, *task = NULL, *site = NULL;
	int64_t limit_ns = env->stuck_after_ns ? env->stuck_after_ns : STUCK_AFTER_NS;
	int64_t worst_ns = 0;
	struct qy_json json;
	size_t i;

	(void)req;
	for (i = 0; i < env->n_runtimes; i++) {
		int64_t busy_ns = qrt_runtime_busy(env->runtimes[i], &task, &site);

		if (busy_ns >= limit_ns && busy_ns > worst_ns) {
			worst_ns = busy_ns;
			stuck = qrt_runtime_name(env->runtimes[i]);
		}
	}
	qy_json_init(&json);
	qy_json_object_begin(&json);
	qy_json_key(&json, "status");
	qy_json_string(&json, stuck == NULL ? "live" : "stuck");
	if (stuck != NULL) {
		qy_json_key(&json, "stuck_for_ms");
		qy_json_integer(&json, worst_ns / QRT_MS);
		qy_json_key(&json, "stuck_runtime");
		qy_json_string(&json, stuck);
	}
	qy_json_object_end(&json);
	qy_control_reply_json(reply, stuck == NULL ? 200 : 503, &json);
}

struct probe {
	struct qy_control_task task;
	struct qrt_port *db;
	char checked_at[QY_TIMESTAMP_SIZE];
	enum qrt_err err; /* of the ping */
};

static enum qrt_err ping(struct qrt_cx *cx, struct probe *probe)
{
	const struct qrt_region_options opts = {
	    .name = "health probe",
	    .policy = QRT_COLLECT,
	    .budget.deadline_ns = qrt_deadline_in(cx, PING_MAX_NS),
	};
	struct qrt_region *region = NULL;
	struct qy_counts counts;
	enum qrt_err err = qrt_region_open_with(cx, &opts, &region);

	if (err) {
		return err;
	}
	err = qy_db_ping(qrt_region_cx(region), probe->db, &counts);
	return qrt_region_close(cx, &region, err);
}

static enum qrt_err probe_main(struct qrt_cx *cx, void *arg)
{
	struct probe *probe = arg;
	int64_t wall_ms = 0;

	if (qrt_wall_ms(cx, &wall_ms) != QRT_OK ||
	    qy_timestamp_format(wall_ms, probe->checked_at) != QY_OK) {
		probe->checked_at[0] = '\0';
	}
	probe->err = ping(cx, probe);
	return QRT_OK;
}

/* Slack alone makes nothing unready: what comes in by HTTP is served without it. */
static void reply_ready(struct qrt_control_reply *reply, const struct qy_control_env *env,
			bool database, const char *checked_at)
{
	bool draining = atomic_load(&env->draining);
	bool ready = database && !draining;
	int slack = env->slack != NULL ? atomic_load(&env->slack->state) : QY_SLACK_DISABLED;
	struct qy_json json;

	qy_json_init(&json);
	qy_json_object_begin(&json);
	qy_json_key(&json, "checked_at");
	qy_json_string(&json, checked_at[0] != '\0' ? checked_at : NULL);
	qy_json_key(&json, "database");
	qy_json_string(&json, database ? "ready" : "unavailable");
	qy_json_key(&json, "queue");
	qy_json_string(&json, "disabled");
	qy_json_key(&json, "service");
	qy_json_string(&json, draining ? "draining" : "ready");
	qy_json_key(&json, "slack");
	qy_json_string(&json, qy_slack_state_name(slack));
	qy_json_key(&json, "status");
	qy_json_string(&json, !ready			   ? "unavailable"
			      : slack == QY_SLACK_DEGRADED ? "degraded"
							   : "ready");
	qy_json_object_end(&json);
	qy_control_reply_json(reply, ready ? 200 : 503, &json);
}

void qy_control_ready(void *app, const struct qrt_control_request *req,
		      struct qrt_control_reply *reply)
{
	struct qy_control_env *env = app;
	struct probe *probe = calloc(1, sizeof(*probe));
	enum qrt_err err;

	(void)req;
	if (probe == NULL) {
		reply_ready(reply, env, /* database= */ false, "");
		return;
	}
	probe->db = env->db;
	err = qy_control_task_run(env->supervisor, READY_MAX_NS, probe_main, &probe->task);
	if (err) {
		reply_ready(reply, env, /* database= */ false, "");
	} else {
		reply_ready(reply, env, probe->err == QRT_OK, probe->checked_at);
	}
	qy_control_task_drop(probe);
}
