/* The libevent driver, for the legacy backend and its HTTP server. */
#ifndef QRT_BACKENDS_LEGACY_LIBEVENT_H
#define QRT_BACKENDS_LEGACY_LIBEVENT_H

#include "backends/backend.h"

struct event_base;

extern const struct qrt__driver qrt__driver_libevent;

/* The event base of a legacy runtime. */
struct event_base *qrt__libevent_base(struct qrt_runtime *rt);

#endif
