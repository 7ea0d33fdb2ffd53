/* libevent's HTTP server behind the interface of backends/http_impl.h. */
#ifndef QRT_BACKENDS_LEGACY_HTTP_EVHTTP_H
#define QRT_BACKENDS_LEGACY_HTTP_EVHTTP_H

#include "backends/http_impl.h"

extern const struct qrt__http_impl qrt__http_evhttp;

#endif
