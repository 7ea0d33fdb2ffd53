/*
 * The `server` component: Quotey's JSON API over HTTP. Its instance is a listener on the socket
 * that its host opened; all it knows about quotes it asks through the port of `db`.
 */
#ifndef QY_SERVER_SERVER_H
#define QY_SERVER_SERVER_H

#include <stdatomic.h>

#include <qrt/component.h>
#include <qrt/port.h>

#ifdef __cplusplus
#error "quotey/server is C: it uses _Atomic"
#endif

/* Answers so far, of all instances; index n counts n00 to n99. */
struct qy_server_counters {
	_Atomic uint64_t by_class[6];
};

/* One line per answered request, without a line end. Called on the instance's thread. */
typedef void qy_server_log_fn(void *arg, const char *line);

/* What the host gives; it outlives every instance, and the component changes only the counters. */
struct qy_server_env {
	int listen_fd;	     /* stays the host's; each instance adopts a duplicate */
	struct qrt_port *db; /* of the component `db` */
	struct qy_server_counters *counters; /* may be NULL */
	qy_server_log_fn *log;		     /* NULL: silent */
	void *log_arg;
	/* Limits; 0 is the HTTP server's default (qrt/http.h). */
	size_t body_max;
	size_t header_max;
	size_t connections_max;
	int64_t header_timeout_ns;
	int64_t idle_timeout_ns;
	int64_t request_deadline_ns;
	int64_t linger_ns;
};

/* Name "server"; env is a struct qy_server_env. */
extern const struct qrt_component qy_server_component;

#endif
