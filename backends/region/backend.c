/* The region backend: the region engine on the libuv driver. */
#include "backends/backend.h"
#include "backends/region/libuv.h"

const struct qrt__backend qrt__backend_region = {
    .abi = QRT__BACKEND_ABI,
    .name = "region",
    .engine = &qrt__engine_region,
    .driver = &qrt__driver_libuv,
    .promises = qrt__promises_region,
    .n_promises = QRT__PROMISES,
};
