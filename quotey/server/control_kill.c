/* POST /runtime/kill: sets the kill, or clears it. */
#include "quotey/server/control_handlers.h"

#include <stdlib.h>

#include "quotey/server/control_reply.h"
#include "quotey/server/control_task.h"
#include "quotey/server/kill.h"
#include "quotey/server/move_json.h"
#include "quotey/server/move_request.h"

#define KILL_MAX_NS (60 * QRT_SEC)

struct killer {
	struct qy_control_task task;
	struct qy_control_env *env;
	struct qy_move_request request;
	struct qy_kill_report report;
};

static enum qrt_err kill_main(struct qrt_cx *cx, void *arg)
{
	struct killer *killer = arg;

	qy_kill_set(cx, killer->env, QY_KILL_COMMAND, killer->request.actor,
		    killer->request.reason[0] != '\0' ? killer->request.reason : "killed",
		    &killer->report);
	return QRT_OK;
}

static void reply_report(struct qrt_control_reply *reply, const struct qy_kill_report *report)
{
	struct qy_json json;
	size_t i;

	qy_json_init(&json);
	qy_json_object_begin(&json);
	qy_json_key(&json, "killed");
	qy_json_boolean(&json, true);
	qy_json_key(&json, "moves");
	qy_json_array_begin(&json);
	for (i = 0; i < report->count; i++) {
		qy_move_write(&json, &report->moves[i]);
	}
	qy_json_array_end(&json);
	qy_json_key(&json, "ok");
	qy_json_boolean(&json, report->err == QRT_OK);
	qy_json_object_end(&json);
	qy_control_reply_json(reply, report->err ? 503 : 200, &json);
}

static void set(struct qy_control_env *env, const struct qy_move_request *request,
		struct qrt_control_reply *reply)
{
	struct killer *killer = calloc(1, sizeof(*killer));
	struct qy_error error;
	enum qrt_err err = killer == NULL ? QRT_ENOMEM : QRT_OK;

	if (!err) {
		killer->env = env;
		killer->request = *request;
		err = qy_control_task_run(env->supervisor, KILL_MAX_NS, kill_main, &killer->task);
	}
	if (err) {
		qy_error_set(&error, 503, "SERVICE_UNAVAILABLE",
			     "The kill was not answered in time: %s; see /runtime.",
			     qrt_err_text(err));
		qy_control_reply_error(reply, &error);
	} else {
		reply_report(reply, &killer->report);
	}
	if (killer != NULL) {
		qy_control_task_drop(killer);
	}
}

static void clear(struct qy_control_env *env, struct qrt_control_reply *reply)
{
	unsigned left = qy_kill_clear(env, QY_KILL_COMMAND);
	struct qy_error error;
	struct qy_json json;

	if (left & QY_KILL_FILE) {
		qy_error_set(&error, 409, "KILL_FILE",
			     "The kill file is there and holds everything: remove it.");
		qy_control_reply_error(reply, &error);
		return;
	}
	qy_json_init(&json);
	qy_json_object_begin(&json);
	qy_json_key(&json, "killed");
	qy_json_boolean(&json, false);
	qy_json_key(&json, "ok");
	qy_json_boolean(&json, true);
	qy_json_object_end(&json);
	qy_control_reply_json(reply, 200, &json);
}

void qy_control_kill(void *app, const struct qrt_control_request *req,
		     struct qrt_control_reply *reply)
{
	struct qy_control_env *env = app;
	struct qy_move_request request;
	struct qy_error error;

	if (!qy_kill_request_read(req->body, req->body_len, &request, &error)) {
		qy_control_reply_error(reply, &error);
	} else if (request.is_clear) {
		clear(env, reply);
	} else if (atomic_load(&env->draining)) {
		qy_error_set(&error, 503, "SERVICE_UNAVAILABLE", "All is being stopped.");
		qy_control_reply_error(reply, &error);
	} else {
		set(env, &request, reply);
	}
}
