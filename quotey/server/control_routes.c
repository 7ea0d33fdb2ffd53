/* The table. Health needs no token; what changes something always does. */
#include "quotey/server/control_routes.h"

#include "quotey/server/control_handlers.h"

const struct qrt_control_route qy_control_routes[] = {
    {"GET", "/health", QRT_CONTROL_OPEN, qy_control_ready},
    {"GET", "/health/live", QRT_CONTROL_OPEN, qy_control_live},
    {"GET", "/health/ready", QRT_CONTROL_OPEN, qy_control_ready},
    {"GET", "/metrics", QRT_CONTROL_READ, qy_control_metrics},
    {"GET", "/regions", QRT_CONTROL_READ, qy_control_regions},
    {"GET", "/runtime", QRT_CONTROL_READ, qy_control_stages},
    {"GET", "/runtime/history", QRT_CONTROL_READ, qy_control_history},
    {"POST", "/runtime/kill", QRT_CONTROL_CHANGE, qy_control_kill},
    {"POST", "/runtime/rollback", QRT_CONTROL_CHANGE, qy_control_rollback},
    {"POST", "/runtime/set", QRT_CONTROL_CHANGE, qy_control_set},
    {"POST", "/trace", QRT_CONTROL_CHANGE, qy_control_trace},
};

const size_t qy_control_route_count = sizeof(qy_control_routes) / sizeof(qy_control_routes[0]);
