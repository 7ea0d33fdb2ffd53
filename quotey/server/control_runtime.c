/* GET /runtime and /runtime/history: where every component runs, and how it came there. */
#include "quotey/server/control_handlers.h"

#include <stdlib.h>

#include "quotey/server/control_reply.h"
#include "quotey/server/kill.h"
#include "quotey/server/move_json.h"

#define HISTORY_MAX 64

static void write_stage(struct qy_json *json, const struct qrt_stage *stage)
{
	qy_json_object_begin(json);
	qy_json_key(json, "backend");
	qy_json_string(json, stage->backend[0] != '\0' ? stage->backend : NULL);
	qy_json_key(json, "component");
	qy_json_string(json, stage->component);
	qy_json_key(json, "in_flight");
	qy_json_integer(json, (int64_t)stage->in_flight);
	qy_json_key(json, "moves");
	qy_json_integer(json, (int64_t)stage->moves);
	qy_json_key(json, "moving");
	qy_json_boolean(json, stage->moving);
	qy_json_key(json, "previous");
	qy_json_string(json, stage->previous[0] != '\0' ? stage->previous : NULL);
	qy_json_object_end(json);
}

static void write_runtimes(struct qy_json *json, const struct qy_control_env *env)
{
	size_t i;

	qy_json_array_begin(json);
	for (i = 0; i < env->n_runtimes; i++) {
		qy_json_object_begin(json);
		qy_json_key(json, "backend");
		qy_json_string(json, qrt_runtime_backend(env->runtimes[i]));
		qy_json_key(json, "name");
		qy_json_string(json, qrt_runtime_name(env->runtimes[i]));
		qy_json_object_end(json);
	}
	qy_json_array_end(json);
}

/* By what; an empty list: by nothing. */
static void write_killed(struct qy_json *json, unsigned causes)
{
	qy_json_array_begin(json);
	if (causes & QY_KILL_COMMAND) {
		qy_json_string(json, "command");
	}
	if (causes & QY_KILL_FILE) {
		qy_json_string(json, "file");
	}
	qy_json_array_end(json);
}

void qy_control_stages(void *app, const struct qrt_control_request *req,
		       struct qrt_control_reply *reply)
{
	const struct qy_control_env *env = app;
	struct qrt_stage stages[QRT_COMPONENTS_MAX];
	size_t count = qrt_switchboard_stages(env->sb, stages, QRT_COMPONENTS_MAX), i;
	struct qy_json json;

	(void)req;
	qy_json_init(&json);
	qy_json_object_begin(&json);
	qy_json_key(&json, "components");
	qy_json_array_begin(&json);
	for (i = 0; i < count; i++) {
		write_stage(&json, &stages[i]);
	}
	qy_json_array_end(&json);
	qy_json_key(&json, "fallback");
	qy_json_string(&json, env->fallback);
	qy_json_key(&json, "killed");
	write_killed(&json, qy_killed(env));
	qy_json_key(&json, "runtimes");
	write_runtimes(&json, env);
	qy_json_object_end(&json);
	qy_control_reply_json(reply, 200, &json);
}

void qy_control_history(void *app, const struct qrt_control_request *req,
			struct qrt_control_reply *reply)
{
	const struct qy_control_env *env = app;
	struct qrt_move *moves = calloc(HISTORY_MAX, sizeof(*moves));
	struct qy_error error;
	struct qy_json json;
	size_t count, i;

	(void)req;
	if (moves == NULL) {
		qy_error_set(&error, 503, "NO_MEMORY", "There is no memory for the answer.");
		qy_control_reply_error(reply, &error);
		return;
	}
	count = qrt_switchboard_history(env->sb, moves, HISTORY_MAX);
	qy_json_init(&json);
	qy_json_object_begin(&json);
	qy_json_key(&json, "moves");
	qy_json_array_begin(&json);
	for (i = 0; i < count; i++) {
		qy_move_write(&json, &moves[i]);
	}
	qy_json_array_end(&json);
	qy_json_object_end(&json);
	free(moves);
	qy_control_reply_json(reply, 200, &json);
}
