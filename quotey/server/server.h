/*
 * The `server` component: Quotey's JSON API over HTTP. Its instance is a listener on the socket
 * that its host opened; all it knows about quotes it asks through the port of `db`.
 */
#ifndef QY_SERVER_SERVER_H
#define QY_SERVER_SERVER_H

#include <stdatomic.h>

#include <qrt/component.h>
#include <qrt/http_chain.h>
#include <qrt/log.h>
#include <qrt/port.h>
#include <qrt/rate.h>

#ifdef __cplusplus
#error "quotey/server is C: it uses _Atomic"
#endif

/* Upper ends of the classes of durations, and one class for what took longer. */
#define QY_TOOK_BOUNDS 8
extern const int64_t qy_took_bounds_us[QY_TOOK_BOUNDS];

/* Since the start, of all instances. */
struct qy_server_counters {
	_Atomic uint64_t by_class[6]; /* answers; index n counts n00 to n99 */
	_Atomic uint64_t took[QY_TOOK_BOUNDS + 1], took_us;
	_Atomic uint64_t bytes;	    /* of bodies */
	_Atomic uint64_t denied;    /* answers 401 and 403 to keys and forms */
	_Atomic uint64_t limited;   /* answers 429 */
	_Atomic uint64_t unaudited; /* denials without an audit row, since the last row */
	/* Of all drains: struct qrt_http_drain. */
	_Atomic uint64_t drain_answered, drain_refused, drain_idle_closed, drain_left;
};

struct qy_networks;

/* What the host gives; it outlives every instance, and the component changes only the counters. */
struct qy_server_env {
	int listen_fd;	     /* stays the host's; each instance adopts a duplicate */
	struct qrt_port *db; /* of the component `db` */
	struct qy_server_counters *counters; /* may be NULL */
	struct qrt_log *log;		     /* NULL: silent */
	struct qrt_rate *rate; /* so that a key's minute outlives a move; NULL: one per instance */
	const struct qy_networks *trusted_proxies; /* NULL: none */
	const char *public_url;			   /* of pages and links; NULL or "": not known */
	uint8_t csrf_key[32];
	const struct qrt_http_group *more_routes; /* beside the API's; NULL: none */
	struct qrt_tls *tls;			  /* the host's; NULL: plain */
	/* Limits; 0 is the HTTP server's default (qrt/http.h). */
	size_t body_max;
	size_t header_max;
	size_t connections_max;
	int64_t header_timeout_ns;
	int64_t idle_timeout_ns;
	int64_t request_deadline_ns;
	int64_t cancel_grace_ns;
	int64_t linger_ns;
};

/* Name "server"; env is a struct qy_server_env. */
extern const struct qrt_component qy_server_component;

#endif
