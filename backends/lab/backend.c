/*
 * The lab backends: either engine on the lab driver. What an engine promises
 * holds here too; what depends on the driver is the lab's own: one HTTP server
 * over streams, and an execution that follows from the seed.
 */
#include "backends/lab/lab.h"

const struct qrt__backend qrt__backend_lab = {
    .abi = QRT__BACKEND_ABI,
    .name = "lab",
    .engine = &qrt__engine_region,
    .driver = &qrt__driver_lab,
    .promises = qrt__promises_lab,
    .n_promises = QRT__PROMISES,
};

const struct qrt__backend qrt__backend_lab_legacy = {
    .abi = QRT__BACKEND_ABI,
    .name = "lab-legacy",
    .engine = &qrt__engine_detached,
    .driver = &qrt__driver_lab,
    .promises = qrt__promises_lab_legacy,
    .n_promises = QRT__PROMISES,
};
