/*
 * The control plane's routes: health, metrics, stages, moves, and the tree of live regions. They
 * run on the control listener's own threads and answer while a loop is wedged: what they ask of a
 * runtime is bounded in time.
 */
#ifndef QY_SERVER_CONTROL_ROUTES_H
#define QY_SERVER_CONTROL_ROUTES_H

#include <stdatomic.h>

#include <qrt/control.h>
#include <qrt/switchboard.h>

#include "quotey/server/server.h"
#include "quotey/slack/status.h"

/* The app of the control listener; outlives it. */
struct qy_control_env {
	struct qrt_switchboard *sb;
	struct qrt_runtime *supervisor;	     /* moves and pings run there */
	struct qrt_runtime *const *runtimes; /* all of them, the supervisor too */
	size_t n_runtimes;
	struct qrt_port *db;
	const struct qy_server_counters *counters; /* may be NULL */
	const struct qy_slack_status *slack;	   /* NULL: not switched on */
	_Atomic bool draining;			   /* readiness says so from then on */
	_Atomic bool is_recording;		   /* control_trace.c */
	int64_t stuck_after_ns;			   /* a loop busy for so long is not live; 0: 5 s */
	struct qrt_log *log;			   /* may be NULL */
	const char *fallback;			   /* the backend that a kill sends everything to */
	_Atomic unsigned kill_causes;		   /* kill.c */
	int64_t kill_every_ns;			   /* how often its sign is looked for; 0: 1 s */
};

extern const struct qrt_control_route qy_control_routes[];
extern const size_t qy_control_route_count;

#endif
