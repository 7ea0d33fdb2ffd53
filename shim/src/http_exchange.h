/*
 * What every HTTP server does between a request and its response: run the handler in a region of
 * its own and turn what went wrong into an answer. It must never touch a connection.
 */
#ifndef QRT_HTTP_EXCHANGE_H
#define QRT_HTTP_EXCHANGE_H

#include <stdatomic.h>

#include "backends/http_impl.h"
#include "shim/src/http_message.h"

/* Written by the loop's thread, read by any. */
struct qrt__http_counters {
	_Atomic uint64_t connections, connections_live;
	_Atomic uint64_t requests, in_flight;
	_Atomic uint64_t status[6];
};

/* First member of every server. */
struct qrt_http_server {
	const struct qrt__http_impl *impl;
	struct qrt_http_server_options opts; /* defaults filled in */
	struct qrt__http_counters counters;
	int64_t date_s; /* the second @date tells */
	char date[QRT__HTTP_DATE_MAX];
};

void qrt__http_server_init(struct qrt_http_server *server, const struct qrt__http_impl *impl,
			   const struct qrt_http_server_options *opts);

/*
 * Runs the handler and leaves the answer in @resp, whatever happens, except that a panic of the
 * handler ends the calling task: its finalizer then gives qrt__http_answer's 500. Clears
 * req->keep_alive when the connection must not go on. Suspends as the handler does.
 */
void qrt__http_exchange(struct qrt_cx *cx, struct qrt_http_server *server,
			struct qrt_http_request *req, struct qrt_http_response *resp);
/* An answer that is no handler's. */
void qrt__http_answer(const struct qrt_http_server *server, struct qrt_http_request *req,
		      struct qrt_http_response *resp, int status, const char *detail);
/* An exchange has begun; it ends with the status that was sent, 0 when none was. */
void qrt__http_count_begin(struct qrt_http_server *server);
void qrt__http_count_end(struct qrt_http_server *server, int status);
/* A response went out for what never became an exchange. */
void qrt__http_count_status(struct qrt_http_server *server, int status);
/* Value of Date, valid until the next call; NULL without TIME. */
const char *qrt__http_server_date(struct qrt_cx *cx, struct qrt_http_server *server);

#endif
