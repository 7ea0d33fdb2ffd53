/*
 * The HTTP client as seen by its own files: clients, origins, connections and calls.
 *
 *	http/client.c		opening, draining, closing, figures
 *	http/client_url.c	URLs and what a Location leads to
 *	http/client_ask.c	requests checked and written; headers of answers read
 *	http/client_pool.c	who gets which connection, and what becomes of one
 *	http/client_connect.c	a connection made: lookup, addresses in order, TLS
 *	http/client_wire.c	bytes of one call, out and in, under the client's own times
 *	http/client_call.c	calls: steps, sending again, redirects, whole bodies
 *
 * Everything belongs to one loop thread. A client's memory outlives its close until the last call
 * has let go of it.
 */
#ifndef QRT_HTTP_CLIENT_INTERNAL_H
#define QRT_HTTP_CLIENT_INTERNAL_H

#include <qrt/http_client.h>
#include <qrt/sync.h>

#include "shim/src/sync/arm.h"
#include "shim/src/http/arena.h"
#include "shim/src/http/reply.h"
#include "shim/src/sync/object.h"

struct qrt__http_client {
	struct qrt__object object;
	struct qrt_http_client_options opts; /* no zeros */
	struct qrt_region *home;	     /* its connections are duties of this one */
	struct qrt_semaphore *lookups;	     /* how many at once: others want to look up, too */
	bool draining, closed;
	size_t users;		  /* calls and drains that refer to it */
	struct qrt__event quiet;  /* set while there is no call, and once it is closed */
	struct qrt__list origins; /* that anybody uses */
	struct qrt__list conns;	  /* all but the idle ones */
	struct qrt__list idle;	  /* who has been idle longest first */
	struct qrt__list line;	  /* arms that wait for a connection */
	struct qrt__timer expiry; /* of the first idle one */
	struct qrt_http_client_stats stats;
};
QRT__OBJECT_FITS(struct qrt__http_client);

/* Where connections lead. Lives while a connection or somebody in line needs it. */
struct qrt__http_origin {
	struct qrt__list in_client;
	size_t users, connections;
	struct qrt__list idle; /* connections; who has been idle longest first */
	bool secure;
	uint16_t port;
	char host[QRT_HTTP_HOST_SIZE];
};

/*
 * A place among connections_max, with a connection or without.
 *
 *	spare ──> taken ──> connected ──> idle ──> freed
 *	             ^          ^           │
 *	             └── lost ──┘───────────┘
 */
struct qrt__http_place {
	struct qrt__list in_client; /* conns or idle; empty: spare */
	struct qrt__list in_origin; /* idle */
	struct qrt__http_client *client;
	struct qrt__http_origin *origin;
	struct qrt_stream *stream;   /* NULL: none yet, or lost */
	struct qrt_task *connecting; /* who makes it, meanwhile */
	unsigned calls;		     /* that used it */
	int64_t idle_ns;	     /* since when */
};

enum { QRT__HTTP_IN_BYTES = 16 * 1024, QRT__HTTP_OUT_BYTES = 64 * 1024 };

/* Where a request goes and what it is: of the ask, or after redirects. The call's arena. */
struct qrt__http_hop {
	struct qrt_http_url url;
	const char *method;
	bool with_body;
	bool strange; /* another origin than was asked: it does not get our credentials */
};

/*
 *	writing ──> asked ──> reading ──> over
 *	   └──────────┴──────────┴──> failed
 */
enum qrt__http_step {
	QRT__HTTP_WRITING, /* the body is */
	QRT__HTTP_ASKED,   /* the request is out, as far as it will be */
	QRT__HTTP_READING, /* the head has come */
	QRT__HTTP_OVER,	   /* the answer is complete */
	QRT__HTTP_FAILED,
};

struct qrt__http_call {
	struct qrt__object object;
	enum qrt__http_step step;
	bool inside, ended;    /* a task is in one of its functions; it has been ended meanwhile */
	bool head_heard;       /* the head of the answer is in the parser */
	bool cut_short;	       /* not all of the request was sent: the connection is spoiled */
	bool go_on;	       /* a 100 has come */
	enum qrt_err send_err; /* sending failed with this; there may be an answer all the same */
	const char *site;
	struct qrt__http_client *client; /* NULL: it needs none any more */
	struct qrt__http_place *conn;	 /* NULL: likewise */
	struct qrt_http_ask ask;
	struct qrt_http_report *report; /* the caller's, or own_report */
	struct qrt_http_report own_report;
	struct qrt__http_hop *hop;
	struct qrt__http_arena arena; /* of the request */
	struct qrt__http_reply *reply;
	uint64_t written;      /* of the request's body */
	size_t read, body_max; /* of the answer's; SIZE_MAX: any */
	char *in;	       /* what has been read and not been understood: from .. to */
	size_t from, to;
	const char *piece; /* of the body, understood and not taken; within in */
	size_t piece_len;
	char *body; /* fetched */
	size_t body_cap;
};
QRT__OBJECT_FITS(struct qrt__http_call);

/* --- http/client_url.c --- */
bool qrt__http_same_origin(const struct qrt_http_url *a, const struct qrt_http_url *b);
/* The URL, without its fragment, that @location means in an answer from @base; NULL: no memory. */
char *qrt__http_url_join(struct qrt__http_arena *arena, const struct qrt_http_url *base,
			 const char *location);

/* --- http/client_ask.c --- */
/* EINVAL with detail; the URL is not looked at. */
enum qrt_err qrt__http_ask_check(struct qrt_cx *cx, const struct qrt_http_ask *ask) QRT_MUST_USE;
bool qrt__http_ask_has_body(const struct qrt_http_ask *ask);
/* Whether the body can be sent again, or there is none. */
bool qrt__http_ask_repeats(const struct qrt_http_ask *ask);
bool qrt__http_method_idempotent(const char *method);
/* Request line and headers; @close: no other call on this connection. NULL: no memory. */
char *qrt__http_ask_head(struct qrt__http_arena *arena, const struct qrt_http_ask *ask,
			 const struct qrt__http_hop *hop, bool close, size_t *ret_len);

/* --- http/client_pool.c --- */
/*
 * A connection to the call's origin, in line: a kept one that still stands, or the place for a new
 * one. Suspends. Errors: ECLOSED, ENOMEM, those of a wait.
 */
enum qrt_err qrt__http_pool_take(struct qrt_cx *cx, struct qrt__http_call *call) QRT_MUST_USE;
/* The call's connection goes back: @keep it for others, or close it. None: nothing. */
void qrt__http_pool_give(struct qrt__http_call *call, bool keep);
/* Closes the connection of a place that is kept. */
void qrt__http_place_lose(struct qrt__http_place *conn);
/* Closes the idle ones. */
void qrt__http_pool_drain(struct qrt__http_client *client);
/* Closes everything; who is in line gets ECLOSED. */
void qrt__http_pool_end(struct qrt__http_client *client);
void qrt__http_pool_expired(struct qrt__timer *timer);

/* --- http/client_connect.c --- */
/* Makes the connection for the place that the call has. Suspends. */
enum qrt_err qrt__http_connect(struct qrt_cx *cx, struct qrt__http_call *call) QRT_MUST_USE;

/* --- http/client_wire.c --- */
/* @err of a wait under qrt__cx_until with a time of the client: EPEER instead of ETIMEDOUT when it
 * was not cx's own that passed. */
enum qrt_err qrt__http_timed(struct qrt_cx *cx, const struct qrt__http_call *call,
			     enum qrt_err err) QRT_MUST_USE;
/* Sends head and body, as far as they are there: all of it, or until an answer has come. */
enum qrt_err qrt__http_send(struct qrt_cx *cx, struct qrt__http_call *call) QRT_MUST_USE;
/* Sends @n bytes of a body, framed. */
enum qrt_err qrt__http_send_body(struct qrt_cx *cx, struct qrt__http_call *call, const void *data,
				 size_t n) QRT_MUST_USE;
/* Ends the body. */
enum qrt_err qrt__http_send_end(struct qrt_cx *cx, struct qrt__http_call *call) QRT_MUST_USE;
/* Reads until the head is there. */
enum qrt_err qrt__http_receive_head(struct qrt_cx *cx, struct qrt__http_call *call) QRT_MUST_USE;
/* What has been read is understood, up to a piece of the body. EEOF: the answer is complete. */
enum qrt_err qrt__http_advance(struct qrt_cx *cx, struct qrt__http_call *call) QRT_MUST_USE;
/* The next bytes of the body to @buf; EEOF: it is complete. */
enum qrt_err qrt__http_receive_body(struct qrt_cx *cx, struct qrt__http_call *call, void *buf,
				    size_t n, size_t *ret_n) QRT_MUST_USE;

/* --- http/client.c --- */
extern const struct qrt__object_kind qrt__http_client_kind;
/* @client loses a user; frees it when it is closed and was the last. */
void qrt__http_client_unuse(struct qrt__http_client *client);

#endif
