/* The libuv driver, for the region backend. */
#ifndef QRT_BACKENDS_REGION_LIBUV_H
#define QRT_BACKENDS_REGION_LIBUV_H

#include "backends/backend.h"

extern const struct qrt__driver qrt__driver_libuv;

#endif
