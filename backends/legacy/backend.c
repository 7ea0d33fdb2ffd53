/* The legacy backend: the detached engine on the libevent driver. */
#include "backends/backend.h"
#include "backends/legacy/libevent.h"

const struct qrt__backend qrt__backend_legacy = {
    .abi = QRT__BACKEND_ABI,
    .name = "legacy",
    .engine = &qrt__engine_detached,
    .driver = &qrt__driver_libevent,
    .promises = qrt__promises_legacy,
    .n_promises = QRT__PROMISES,
};
