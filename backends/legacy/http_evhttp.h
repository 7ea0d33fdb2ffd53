/*
 * libevent's HTTP server behind the interface of backends/http_impl.h: evhttp reads and writes,
 * each request becomes a task that runs the common exchange. evhttp is touched on the loop's own
 * stack only.
 *
 *	http_evhttp.c		the server: open, resume, drain, close; the listener
 *	http_evhttp_conn.c	a connection's life: attached to evhttp's, deadlines, closed
 *	http_evhttp_guard.c	our parser in front of evhttp, which says what a request is
 *	http_evhttp_exchange.c	from evhttp's callback to the end of the task that answers
 *	http_evhttp_reply.c	what is given to evhttp to send: whole answers, and streams
 *	http_evhttp_end.c	ends that evhttp has no words for: faults, timeouts, broken answers
 *
 * evhttp tells nobody when a connection comes or rests. A bufferevent of our making carries a
 * record per connection: it sees the bytes come in, holds the deadlines evhttp does not have, and
 * learns of the end through the connection's close callback.
 *
 * evhttp is lax: it takes bare line feeds, folded headers, lengths that contradict each other. So
 * the guard reads every byte before evhttp does, and the head that it has understood is the
 * request's; the body is taken from evhttp. What the guard refuses evhttp never sees. Where the two
 * disagree on the end of a message the connection ends.
 *
 * What evhttp cannot do: it reads a request's body whole before it tells of it, takes none with GET
 * and the like, and no chunk extensions (it says 413).
 */
#ifndef QRT_BACKENDS_LEGACY_HTTP_EVHTTP_H
#define QRT_BACKENDS_LEGACY_HTTP_EVHTTP_H

#include "shim/src/http/exchange.h"
#include "shim/src/http/parse.h"
#include "shim/src/internal.h"

struct bufferevent;
struct event;
struct event_base;
struct evhttp;
struct evhttp_connection;
struct evhttp_request;

struct qrt__ev_server {
	struct qrt_http_server base;
	struct qrt__ev_server *next; /* of this thread's */
	struct event_base *events;
	struct evhttp *http;
	struct evconnlistener *listener;
	struct event *accept_again;  /* ends the pause after EMFILE */
	struct qrt_region *region;   /* of the exchanges; NULL before and after */
	struct qrt__ev_conn **by_fd; /* evhttp's callbacks name its connection, not ours */
	size_t n_by_fd;
	size_t refused;
};

/*
 *	new ──> quiet ──> head ──> body ──> busy ──> quiet
 *	                   └────────┴──> faulty
 *	                   └────────┴───────┴──┴──> lingers
 *	                 any of them ──> closed
 *
 * new      evhttp has not finished accepting it
 * quiet    no byte of a request has come; idle from the second request on
 * busy     from the complete request to the last byte of its reply
 * faulty   the guard has refused: evhttp is told nothing more
 * lingers  the last answer went out past evhttp; what the peer still sends is read and dropped
 * closed   evhttp's connection is gone; the record stays until its exchange has ended
 */
enum qrt__ev_phase {
	QRT__EV_NEW,
	QRT__EV_QUIET,
	QRT__EV_HEAD,
	QRT__EV_BODY,
	QRT__EV_BUSY,
	QRT__EV_FAULTY,
	QRT__EV_LINGERS,
	QRT__EV_CLOSED,
};

/* A connection, and the request on it. */
struct qrt__ev_conn {
	struct qrt__list in_server;
	struct qrt__ev_server *server;
	enum qrt__ev_phase phase;
	bool refused; /* one too many */
	unsigned requests;
	int fd;			 /* -1 while it is new */
	struct bufferevent *bev; /* a reference of our own */
	struct evhttp_connection *evcon;
	struct event *timer;   /* of the phase; attaches a new one */
	struct event *dropper; /* reads while it lingers, else NULL */
	struct qrt__http_parser *guard;
	struct qrt__http_exchange x; /* from its head on; req is the guard's */
	struct qrt_http_response resp;
	struct evhttp_request *ev; /* awaits the answer; NULL: nobody does, or not any more */
	bool running;		   /* its task; the record must stay */
	bool done;		   /* its handler has returned, and so: */
	enum qrt__http_ending ending;
	const char *date;	   /* for its head; NULL: none */
	struct qrt__event drained; /* what a stream has written is with the system, or never will */
};

extern const struct qrt__http_impl qrt__http_evhttp;

/* All that follows is called on the loop's stack, unless it takes a cx. */

/* --- http_evhttp_conn.c --- */
/* evhttp asks for a bufferevent: a connection has come. NULL: it makes one, unknown to us. */
struct bufferevent *qrt__ev_on_accept(struct event_base *events, void *server);
/* NULL: it is unknown. */
struct qrt__ev_conn *qrt__ev_conn_of(const struct qrt__ev_server *server,
				     struct evhttp_connection *evcon);
/* Sets the deadline of the phase, too. */
void qrt__ev_phase_enter(struct qrt__ev_conn *conn, enum qrt__ev_phase phase);
/* evhttp knows nothing of it, or not any more. Frees it, unless its exchange runs. */
void qrt__ev_conn_close(struct qrt__ev_conn *conn);
/* Its exchange is over: frees it when it is closed. */
void qrt__ev_conn_release(struct qrt__ev_conn *conn);
void qrt__ev_timer_set(struct event *timer, int64_t ns);

/* --- http_evhttp_guard.c --- */
/* Ready for the next request, whose exchange begins. */
void qrt__ev_guard_begin(struct qrt__ev_conn *conn);
/* Watches what comes in. False: no memory. */
bool qrt__ev_guard_watch(struct qrt__ev_conn *conn);
void qrt__ev_guard_unwatch(struct qrt__ev_conn *conn);
/* Reads what came in while the last request was answered. */
void qrt__ev_guard_catch_up(struct qrt__ev_conn *conn);

/* --- http_evhttp_exchange.c --- */
/* evhttp has read a whole request. */
void qrt__ev_on_request(struct evhttp_request *ev, void *server);
void qrt__ev_peer_set(struct qrt_http_request *req, struct evhttp_connection *evcon);

/* --- http_evhttp_reply.c --- */
extern const struct qrt__http_wire qrt__ev_wire;
/* Gives what has come of the exchange to who awaits it; nobody does any more. */
void qrt__ev_reply(struct qrt__ev_conn *conn);

/* --- http_evhttp_end.c: not from within evhttp's own callbacks --- */
/* In good order. evhttp tells that it is closed. */
void qrt__ev_conn_kill(struct qrt__ev_conn *conn);
/* By a reset: the peer must not take what it has for all there is. */
void qrt__ev_conn_break(struct qrt__ev_conn *conn);
/* With an answer, past evhttp: */
void qrt__ev_answer_fault(struct qrt__ev_conn *conn);	/* what the guard has found */
void qrt__ev_answer_timeout(struct qrt__ev_conn *conn); /* the request did not come */
void qrt__ev_answer_overdue(struct qrt__ev_conn *conn); /* nor the handler to its end */

#endif
