/*
 * Our HTTP server as its two halves see it: http/server.c lets connections in and out,
 * http/conn.c serves one.
 */
#ifndef QRT_HTTP_CONN_H
#define QRT_HTTP_CONN_H

#include "shim/src/http/desk.h"

struct qrt__own_server {
	struct qrt_http_server base;
	struct qrt_listener *listener;
	struct qrt_region *region; /* of the acceptor and the connections; NULL before and after */
	struct qrt__http_desks desks;
	size_t refused;
	struct qrt_task *acceptor; /* NULL until it runs */
	bool acceptor_live;
	bool accepting;
	struct qrt__event pause; /* ends the acceptor's pause */
};

/*
 *	greet ──> quiet ──> head ──> body ──> exchange ──> reply ──> quiet, or the end
 *
 * greet     the handshake of TLS
 * quiet     no byte of a request has come; idle from the second request on
 * exchange  the handler runs; the body may still be coming, and an answer be going out
 */
enum qrt__http_phase {
	QRT__HTTP_GREET,
	QRT__HTTP_QUIET,
	QRT__HTTP_IN_HEAD,
	QRT__HTTP_IN_BODY,
	QRT__HTTP_EXCHANGE,
	QRT__HTTP_REPLY,
};

struct qrt__http_conn {
	struct qrt__list in_server;
	struct qrt__own_server *server;
	struct qrt_task *task; /* NULL until it runs */
	struct qrt_stream *stream;
	struct qrt__http_desk *desk; /* NULL while it is quiet */
	enum qrt__http_phase phase;
	int64_t deadline_ns; /* of the phase */
	unsigned requests;
	bool refused;
	bool hung_up; /* the peer has ended its side */
};

/* Without a stream. */
enum qrt_err qrt__http_conn_create(struct qrt__own_server *server,
				   struct qrt__http_conn **ret_conn) QRT_MUST_USE;
/* Also closes its stream. */
void qrt__http_conn_free(struct qrt_cx *cx, struct qrt__http_conn *conn);
/* Its task: serves it to its end, and frees it. */
enum qrt_err qrt__http_conn_main(struct qrt_cx *cx, void *arg);

#endif
