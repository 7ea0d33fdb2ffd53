/*
 * POST /runtime/set and /runtime/rollback: a move runs as a task of the supervisor runtime, while
 * the control thread waits for it, within a bound.
 */
#include "quotey/server/control_handlers.h"

#include <stdlib.h>
#include <string.h>

#include "quotey/server/control_reply.h"
#include "quotey/server/control_task.h"
#include "quotey/server/kill.h"
#include "quotey/server/move_json.h"
#include "quotey/server/move_request.h"

#define MOVE_MAX_NS (30 * QRT_SEC)

struct mover {
	struct qy_control_task task;
	struct qy_control_env *env;
	struct qy_move_request request;
	bool is_held; /* by a kill: nothing was moved */
	struct qrt_move moves[QRT_COMPONENTS_MAX];
	size_t count;
};

/*
 * Asked on the supervisor right before the move: a kill that comes now has its turn after it, and
 * so the last word.
 */
static bool held(struct mover *mover, const char *backend)
{
	const struct qy_control_env *env = mover->env;

	mover->is_held = qy_killed(env) && (backend == NULL || strcmp(backend, env->fallback) != 0);
	return mover->is_held;
}

static enum qrt_err move_main(struct qrt_cx *cx, void *arg)
{
	struct mover *mover = arg;
	const struct qy_move_request *request = &mover->request;
	struct qrt_move *move = &mover->moves[0];

	if (held(mover, request->backend)) {
		return QRT_OK;
	}
	move->err = qrt_switchboard_move(cx, mover->env->sb, request->component, request->backend,
					 request->actor, request->reason, move);
	mover->count = 1;
	return QRT_OK;
}

static void rollback_one(struct qrt_cx *cx, struct mover *mover, const char *component)
{
	struct qrt_move *move = &mover->moves[mover->count++];

	move->err = qrt_switchboard_rollback(cx, mover->env->sb, component, mover->request.actor,
					     mover->request.reason, move);
}

static enum qrt_err rollback_main(struct qrt_cx *cx, void *arg)
{
	struct mover *mover = arg;
	struct qrt_stage stages[QRT_COMPONENTS_MAX];
	size_t count, i;

	if (held(mover, NULL)) {
		return QRT_OK;
	}
	if (mover->request.component[0] != '\0') {
		rollback_one(cx, mover, mover->request.component);
		return QRT_OK;
	}
	count = qrt_switchboard_stages(mover->env->sb, stages, QRT_COMPONENTS_MAX);
	/* A kill that comes meanwhile need not wait for what it would only undo. */
	for (i = 0; i < count && !qy_killed(mover->env); i++) {
		if (stages[i].previous[0] != '\0') {
			rollback_one(cx, mover, stages[i].component);
		}
	}
	return QRT_OK;
}

/* Several moves are one answer: the first failure gives the status. */
static void reply_all(struct qrt_control_reply *reply, const struct mover *mover)
{
	struct qy_error error;
	struct qy_json json;
	int status = 200;
	size_t i;

	if (mover->count == 0) {
		qy_error_set(&error, 409, "NOTHING_MOVED", "No component has been moved.");
		qy_control_reply_error(reply, &error);
		return;
	}
	qy_json_init(&json);
	qy_json_object_begin(&json);
	qy_json_key(&json, "moves");
	qy_json_array_begin(&json);
	for (i = 0; i < mover->count; i++) {
		qy_move_write(&json, &mover->moves[i]);
		if (status == 200) {
			status = qy_move_status(&mover->moves[i]);
		}
	}
	qy_json_array_end(&json);
	qy_json_key(&json, "ok");
	qy_json_boolean(&json, status == 200);
	qy_json_object_end(&json);
	qy_control_reply_json(reply, status, &json);
}

static void reply_one(struct qrt_control_reply *reply, const struct qrt_move *move)
{
	struct qy_json json;

	qy_json_init(&json);
	qy_move_write(&json, move);
	qy_control_reply_json(reply, qy_move_status(move), &json);
}

static void no_answer(struct qrt_control_reply *reply, enum qrt_err err)
{
	struct qy_error error;

	if (err == QRT_ETIMEDOUT) {
		qy_error_set(&error, 503, "MOVE_TIMEOUT",
			     "The move took too long and was asked to end; see /runtime/history.");
	} else {
		qy_error_set(&error, 503, "SERVICE_UNAVAILABLE", "The move could not be run: %s.",
			     qrt_err_text(err));
	}
	qy_control_reply_error(reply, &error);
}

static void reply_held(struct qrt_control_reply *reply, const struct qy_control_env *env)
{
	struct qy_error error;

	qy_error_set(&error, 409, "KILLED", "Everything is held on %s until the kill is cleared.",
		     env->fallback);
	qy_control_reply_error(reply, &error);
}

static void serve(struct qy_control_env *env, const struct qrt_control_request *req, bool is_set,
		  struct qrt_control_reply *reply)
{
	struct mover *mover = calloc(1, sizeof(*mover));
	struct qy_error error;
	enum qrt_err err;

	if (mover == NULL) {
		no_answer(reply, QRT_ENOMEM);
		return;
	}
	if (atomic_load(&env->draining)) {
		/* What a move starts now would only have to be stopped again. */
		free(mover);
		no_answer(reply, QRT_ECLOSED);
		return;
	}
	if (!qy_move_request_read(req->body, req->body_len, is_set, &mover->request, &error)) {
		free(mover);
		qy_control_reply_error(reply, &error);
		return;
	}
	mover->env = env;
	err = qy_control_task_run(env->supervisor, MOVE_MAX_NS, is_set ? move_main : rollback_main,
				  &mover->task);
	if (err) {
		no_answer(reply, err);
	} else if (mover->is_held) {
		reply_held(reply, env);
	} else if (is_set || mover->request.component[0] != '\0') {
		reply_one(reply, &mover->moves[0]);
	} else {
		reply_all(reply, mover);
	}
	qy_control_task_drop(mover);
}

void qy_control_set(void *app, const struct qrt_control_request *req,
		    struct qrt_control_reply *reply)
{
	serve(app, req, /* is_set= */ true, reply);
}

void qy_control_rollback(void *app, const struct qrt_control_request *req,
			 struct qrt_control_reply *reply)
{
	serve(app, req, /* is_set= */ false, reply);
}
