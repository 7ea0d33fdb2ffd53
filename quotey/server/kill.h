/*
 * The kill: an emergency brake. It sends every component to the fallback backend and holds them
 * there, by command or while a file exists, until it is cleared. Clearing moves nothing: who clears
 * it decides what goes back, and a rollback is one flip.
 *
 * Held means that moves to anywhere else are refused, by whatever way they are asked for.
 */
#ifndef QY_SERVER_KILL_H
#define QY_SERVER_KILL_H

#include "quotey/server/control_routes.h"

enum qy_kill_cause {
	QY_KILL_COMMAND = 1u << 0,
	QY_KILL_FILE = 1u << 1,
};

/* The causes that hold now; 0: none. From any thread. */
unsigned qy_killed(const struct qy_control_env *env);

struct qy_kill_report {
	struct qrt_move moves[QRT_COMPONENTS_MAX]; /* also of those that were there */
	size_t count;
	enum qrt_err err; /* the first that failed; the others were tried all the same */
};

/*
 * On the supervisor: adds @cause, then moves every component to the fallback. What fails is in
 * *ret_report; the hold stands in any case. Suspends.
 */
void qy_kill_set(struct qrt_cx *cx, struct qy_control_env *env, enum qy_kill_cause cause,
		 const char *actor, const char *reason, struct qy_kill_report *ret_report);
/* Takes @cause away; returns those that still hold. From any thread. */
unsigned qy_kill_clear(struct qy_control_env *env, enum qy_kill_cause cause);

/* Whether the sign is there. May suspend. An error is as if nothing had been asked. */
typedef enum qrt_err qy_kill_probe_fn(struct qrt_cx *cx, void *arg, bool *ret_there);
/*
 * A task of the supervisor: asks @probe now and every second, sets the cause QY_KILL_FILE and
 * clears it as the answer is, and tries again what could not be moved. Ends when it is cancelled or
 * all is draining.
 */
enum qrt_err qy_kill_watch(struct qrt_cx *cx, struct qy_control_env *env, qy_kill_probe_fn *probe,
			   void *arg) QRT_MUST_USE;

#endif
