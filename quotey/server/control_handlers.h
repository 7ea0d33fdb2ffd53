/*
 * The control plane's handlers, one concept per file; control_routes.c says where each is found.
 */
#ifndef QY_SERVER_CONTROL_HANDLERS_H
#define QY_SERVER_CONTROL_HANDLERS_H

#include "quotey/server/control_routes.h"

/* control_health.c */
qrt_control_handler_fn qy_control_live;
qrt_control_handler_fn qy_control_ready;
/* control_metrics.c */
qrt_control_handler_fn qy_control_metrics;
/* control_runtime.c */
qrt_control_handler_fn qy_control_stages;
qrt_control_handler_fn qy_control_history;
/* control_kill.c */
qrt_control_handler_fn qy_control_kill;
/* control_move.c */
qrt_control_handler_fn qy_control_set;
qrt_control_handler_fn qy_control_rollback;
/* control_regions.c */
qrt_control_handler_fn qy_control_regions;
/* control_trace.c */
qrt_control_handler_fn qy_control_trace;

#endif
