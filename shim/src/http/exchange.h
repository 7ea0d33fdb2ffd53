/*
 * What every HTTP server does between a request and its response: run the handler in a region of
 * its own and turn what went wrong into an answer. It must never touch a connection.
 */
#ifndef QRT_HTTP_EXCHANGE_H
#define QRT_HTTP_EXCHANGE_H

#include <stdatomic.h>

#include "backends/http_impl.h"
#include "shim/src/http/message.h"
#include "shim/src/internal.h"

/* Written by the loop's thread, read by any. */
struct qrt__http_counters {
	_Atomic uint64_t connections, connections_live, refused;
	_Atomic uint64_t requests, in_flight;
	_Atomic uint64_t status[6];
	_Atomic uint64_t peers_gone, overdue, accept_pauses;
	_Atomic uint64_t answered, refusals, idle_closed; /* for a drain's report */
};

/* First member of every server. */
struct qrt_http_server {
	const struct qrt__http_impl *impl;
	struct qrt_http_server_options opts; /* defaults filled in */
	struct qrt__http_counters counters;
	struct qrt__list conns; /* that are served, in the server's own way */
	bool draining;
	bool linger_over; /* of the drain: idle connections are no longer waited for */
	bool closing;
	bool ended;
	struct qrt__event wake;	   /* its task has something to do */
	struct qrt__event changed; /* a connection has ended, or what accepts, or its task */
	int64_t date_until_ns;	   /* then @date is of the past */
	char date[QRT__HTTP_DATE_MAX];
};

void qrt__http_server_init(struct qrt_http_server *server, const struct qrt__http_impl *impl,
			   const struct qrt_http_server_options *opts);

/* One request that is being answered; the server's memory, from its head to its end. */
struct qrt__http_exchange {
	struct qrt_http_server *server;
	struct qrt_http_request *req;
	struct qrt_http_response *resp;
	struct qrt_http_plan plan;
	bool planned;
	bool peer_gone;
	/* While the handler runs: */
	struct qrt_region *region;
	int64_t deadline_ns, grace_end_ns;
};

/* What is to be done for the peer after an exchange. */
enum qrt__http_ending {
	QRT__HTTP_SEND,	  /* the response is there, whole */
	QRT__HTTP_FINISH, /* it was a stream, which is complete but for its end mark */
	QRT__HTTP_BREAK,  /* nothing more may be sent, and the peer must see that */
};

/* The head is known: asks the application for its plan, once, and fills in the server's limits. */
void qrt__http_exchange_plan(struct qrt__http_exchange *x);
/*
 * Runs the handler and returns when nothing of the request runs any more. A panic of the handler,
 * or its forced end, ends the calling task: its finalizer then asks qrt__http_exchange_cut. Clears
 * req->keep_alive when the connection must not go on. Suspends as the handler does.
 */
enum qrt__http_ending qrt__http_exchange(struct qrt_cx *cx, struct qrt__http_exchange *x);
enum qrt__http_ending qrt__http_exchange_cut(struct qrt_cx *cx, struct qrt__http_exchange *x);
/* The peer has hung up: cancels what runs. Any number of times; on the loop's stack, too. */
void qrt__http_exchange_peer_gone(struct qrt__http_exchange *x);
/* qrt_deadline_in, counted from the turn's beginning, which costs no look at the clock. */
int64_t qrt__http_soon(const struct qrt_cx *cx, int64_t ns);
/* An answer that is no handler's. */
void qrt__http_answer(const struct qrt_http_server *server, struct qrt_http_request *req,
		      struct qrt_http_response *resp, int status, const char *detail);
/* Whether the connection ends with this answer, the @requests-th on it. */
bool qrt__http_must_close(const struct qrt_http_server *server, const struct qrt_http_request *req,
			  const struct qrt_http_response *resp, unsigned requests);
/* An exchange has begun; it ends with the status that was sent, 0 when none was. */
void qrt__http_count_begin(struct qrt_http_server *server);
void qrt__http_count_end(struct qrt_http_server *server, int status);
/* A response went out for what never became an exchange. */
void qrt__http_count_refusal(struct qrt_http_server *server, int status);
/* What has happened since, or until: fill with the counters, then subtract. */
void qrt__http_drain_begin(const struct qrt_http_server *server, struct qrt_http_drain *ret_report);
void qrt__http_drain_end(const struct qrt_http_server *server, uint64_t left,
			 struct qrt_http_drain *report);
/* Value of Date, valid until the next call; NULL without TIME. */
const char *qrt__http_server_date(struct qrt_cx *cx, struct qrt_http_server *server);

#endif
