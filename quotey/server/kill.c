/* Sets, holds and clears the kill. */
#include "quotey/server/kill.h"

#include <stdlib.h>
#include <string.h>

#define WATCH_EVERY_NS QRT_SEC
#define ACTOR_FILE "system:kill-file"

unsigned qy_killed(const struct qy_control_env *env)
{
	return atomic_load(&env->kill_causes);
}

void qy_kill_set(struct qrt_cx *cx, struct qy_control_env *env, enum qy_kill_cause cause,
		 const char *actor, const char *reason, struct qy_kill_report *ret_report)
{
	struct qrt_stage stages[QRT_COMPONENTS_MAX];
	unsigned before = atomic_fetch_or(&env->kill_causes, (unsigned)cause);
	size_t i;

	if (!(before & (unsigned)cause)) {
		qrt_log(env->log, cx, QRT_LOG_WARN, "control", "killed: all goes to the fallback",
			QRT_LOG_TEXT("fallback", env->fallback), QRT_LOG_TEXT("actor", actor),
			QRT_LOG_TEXT("reason", reason));
	}
	/* From here on no other move begins; one under way has its turn before ours. */
	ret_report->err = QRT_OK;
	ret_report->count = qrt_switchboard_stages(env->sb, stages, QRT_COMPONENTS_MAX);
	for (i = 0; i < ret_report->count; i++) {
		struct qrt_move *move = &ret_report->moves[i];
		enum qrt_err err = qrt_switchboard_move(cx, env->sb, stages[i].component,
							env->fallback, actor, reason, move);

		move->err = err;
		ret_report->err = ret_report->err ? ret_report->err : err;
	}
}

unsigned qy_kill_clear(struct qy_control_env *env, enum qy_kill_cause cause)
{
	unsigned before = atomic_fetch_and(&env->kill_causes, ~(unsigned)cause);

	if (before & (unsigned)cause) {
		qrt_log(env->log, NULL, QRT_LOG_WARN, "control",
			"the kill is cleared: nothing moves back by itself",
			QRT_LOG_TEXT("cause", cause == QY_KILL_FILE ? "file" : "command"));
	}
	return before & ~(unsigned)cause;
}

static bool all_are_there(const struct qy_control_env *env)
{
	struct qrt_stage stages[QRT_COMPONENTS_MAX];
	size_t count = qrt_switchboard_stages(env->sb, stages, QRT_COMPONENTS_MAX), i;

	for (i = 0; i < count; i++) {
		if (strcmp(stages[i].backend, env->fallback) != 0) {
			return false;
		}
	}
	return true;
}

static enum qrt_err look(struct qrt_cx *cx, struct qy_control_env *env, qy_kill_probe_fn *probe,
			 void *arg, struct qy_kill_report *report)
{
	bool there = false;
	enum qrt_err err = probe(cx, arg, &there);

	if (err) {
		return err == QRT_ECANCELED ? err : QRT_OK;
	}
	if (!there) {
		if (qy_killed(env) & QY_KILL_FILE) {
			(void)qy_kill_clear(env, QY_KILL_FILE);
		}
		return QRT_OK;
	}
	if (!(qy_killed(env) & QY_KILL_FILE) || !all_are_there(env)) {
		qy_kill_set(cx, env, QY_KILL_FILE, ACTOR_FILE, "the kill file is there", report);
		err = report->err;
	}
	return err == QRT_ECANCELED ? err : QRT_OK;
}

enum qrt_err qy_kill_watch(struct qrt_cx *cx, struct qy_control_env *env, qy_kill_probe_fn *probe,
			   void *arg)
{
	int64_t every_ns = env->kill_every_ns ? env->kill_every_ns : WATCH_EVERY_NS;
	struct qy_kill_report *report = qrt_alloc(cx, sizeof(*report));
	enum qrt_err err = report != NULL ? QRT_OK : QRT_ENOMEM;

	while (!err && !atomic_load(&env->draining)) {
		err = look(cx, env, probe, arg, report);
		if (!err) {
			err = qrt_sleep(cx, every_ns);
		}
	}
	return err;
}
