/*
 * HTTP/1.1 server: one router and one handler signature, whatever serves the
 * bytes (our own server over streams, or libevent's on the legacy backend).
 * A request and its response belong to the exchange and die with it; what
 * they hand out lives as long.
 *
 * A body is whole by default: the handler finds it read, and leaves one to be
 * sent. Either way it may be a stream instead, of any length in bounded memory:
 * qrt_http_read for the request's (the plan asks for it), qrt_http_stream_begin
 * and qrt_http_write for the response's. Whoever is slow is waited for.
 *
 * A peer that hangs up while its request is in work cancels it at once (kind
 * user, reason "the peer is gone"); nothing is answered. The end of the peer's
 * stream is its hang-up: nobody can tell a close from a half-close in time, so
 * who shuts down its sending side before it has the answer gives the answer up.
 * Bytes of further requests are no hang-up; they wait, a bounded number of them.
 */
#ifndef QRT_HTTP_H
#define QRT_HTTP_H

#include <qrt/region.h>

#ifdef __cplusplus
extern "C" {
#endif

struct qrt_http_request;
struct qrt_http_response;
struct qrt_http_router;
struct qrt_http_server;
struct qrt_tls; /* qrt/tls.h */

/*
 * Answers one request, as a task in a region of the request's own. May
 * suspend. An error result becomes the server's on_error answer (deadline: 503).
 */
typedef enum qrt_err qrt_http_handler_fn(struct qrt_cx *cx, struct qrt_http_request *req,
					 struct qrt_http_response *resp);

/* --- request: never NULL unless it says so --- */
QRT_API const char *qrt_http_method(const struct qrt_http_request *req);
/* The path without the query, percent-decoded: "/api/v1/quotes". */
QRT_API const char *qrt_http_path(const struct qrt_http_request *req);
/* A query parameter, decoded; the first of that name; NULL when absent. */
QRT_API const char *qrt_http_query(const struct qrt_http_request *req, const char *name);
/* A header by name, any case; the first; NULL when absent. */
QRT_API const char *qrt_http_header(const struct qrt_http_request *req, const char *name);
/* A path parameter of the matched route; NULL when the pattern has none of that name. */
QRT_API const char *qrt_http_param(const struct qrt_http_request *req, const char *name);
/* The matched pattern, "" before routing. */
QRT_API const char *qrt_http_route(const struct qrt_http_request *req);
/* The whole body; *ret_len bytes, also NUL-terminated. Empty when it is a stream. */
QRT_API const char *qrt_http_body(const struct qrt_http_request *req, size_t *ret_len);
/*
 * The next bytes of the body, at least one and at most @n, when the plan has made it a stream; of
 * a whole one it reads what is there. From the handler's task or one below it, one at a time.
 * Who expects 100-continue is told to go on by the first read. What nobody reads is read and
 * dropped after the answer, up to 64 KiB; beyond, the connection ends. Suspends. Errors: EEOF (its
 * end), ELIMIT (longer than planned), EPROTO (malformed), ECONNRESET (the peer is gone), EBUSY.
 */
QRT_API enum qrt_err qrt_http_read(struct qrt_cx *cx, struct qrt_http_request *req, void *buf,
				   size_t n, size_t *ret_n) QRT_MUST_USE;
/* The length its head declares; -1: chunked, it is known at the end. 0 without a body. */
QRT_API int64_t qrt_http_body_declared(const struct qrt_http_request *req);
/* "127.0.0.1:4711", or "" */
QRT_API const char *qrt_http_peer(const struct qrt_http_request *req);
/* What the application attached to the exchange (qrt_http_server_options.app). */
QRT_API void *qrt_http_app(const struct qrt_http_request *req);

/*
 * Undoes what URLs and forms escape: %41, and + for a space (@plus_is_space: in queries and forms,
 * not in paths). @n bytes of @text become a NUL-terminated text of less than @size bytes, never
 * longer than they were; @ret_text may be @text, and has no meaning after an error. Does not
 * suspend, any thread. Errors: EINVAL (a % without two hex digits; a NUL, escaped or not), ELIMIT
 * (it does not fit).
 */
QRT_API enum qrt_err qrt_http_decode(const char *text, size_t n, bool plus_is_space, char *ret_text,
				     size_t size) QRT_MUST_USE;

/* --- response: 200 with an empty body unless told otherwise --- */
QRT_API void qrt_http_set_status(struct qrt_http_response *resp, int status);
QRT_API int qrt_http_status(const struct qrt_http_response *resp);
/* Replaces a header. ENOMEM; EINVAL: a byte that would split it, or it frames the message. */
QRT_API enum qrt_err qrt_http_set_header(struct qrt_http_response *resp, const char *name,
					 const char *value) QRT_MUST_USE;
/* A header set so far; NULL when absent. */
QRT_API const char *qrt_http_response_header(const struct qrt_http_response *resp,
					     const char *name);
/* Copies the body; replaces an earlier one. */
QRT_API enum qrt_err qrt_http_set_body(struct qrt_http_response *resp, const void *data,
				       size_t n) QRT_MUST_USE;
QRT_API const char *qrt_http_response_body(const struct qrt_http_response *resp, size_t *ret_len);

#define QRT_HTTP_UNKNOWN_LENGTH (-1)

/*
 * Sends the head as set so far; from here on the body is a stream, and status and headers are
 * final (later changes are ignored). @length: exactly so many bytes will be written, or
 * QRT_HTTP_UNKNOWN_LENGTH: chunked, for HTTP/1.0 up to the connection's end. The response ends when
 * the handler has returned OK and the request's region is closed. A handler that fails or panics,
 * or has written less than @length, breaks the connection off, so that the peer can tell. Suspends.
 * Errors: ESTATE (begun already), EINVAL (@length), ECONNRESET (the peer is gone), ETIMEDOUT,
 * ENOMEM.
 */
QRT_API enum qrt_err qrt_http_stream_begin(struct qrt_cx *cx, struct qrt_http_response *resp,
					   int64_t length) QRT_MUST_USE;
/*
 * Sends @n bytes of the body, all of them or an error; nothing is kept. A response to HEAD, or with
 * a status that has no body, takes and drops them. Suspends while the peer is slow: one that takes
 * nothing for the server's idle timeout is ETIMEDOUT. From one task at a time. Errors: ESTATE (not
 * begun), ELIMIT (more than declared; nothing was sent), ECONNRESET (the peer is gone), EBUSY.
 */
QRT_API enum qrt_err qrt_http_write(struct qrt_cx *cx, struct qrt_http_response *resp,
				    const void *data, size_t n) QRT_MUST_USE;

/* --- router --- */
QRT_API enum qrt_err qrt_http_router_create(struct qrt_http_router **ret_router) QRT_MUST_USE;
QRT_API void qrt_http_router_destroy(struct qrt_http_router **router);
/*
 * @pattern: "/api/v1/quotes/{id}/price"; a parameter fills one segment and is
 * not empty. HEAD goes to GET's handler. Errors: EINVAL, EEXIST, ENOMEM.
 */
QRT_API enum qrt_err qrt_http_route_add(struct qrt_http_router *router, const char *method,
					const char *pattern,
					qrt_http_handler_fn *handler) QRT_MUST_USE;
/* How a request is to be served. Zeros: as the server's options say. */
struct qrt_http_plan {
	bool stream_body;    /* the handler reads the body itself, by qrt_http_read */
	size_t body_max;     /* of a stream 0 means: any length */
	int64_t deadline_ns; /* of the handler, counted from its start */
};
/* The same with a plan, which is copied; qrt_http_router_plan finds it. */
QRT_API enum qrt_err qrt_http_route_add_planned(struct qrt_http_router *router, const char *method,
						const char *pattern, qrt_http_handler_fn *handler,
						const struct qrt_http_plan *plan) QRT_MUST_USE;
/* Fills @ret_plan with that of the route @req will get; untouched when none has it. */
QRT_API void qrt_http_router_plan(const struct qrt_http_router *router,
				  const struct qrt_http_request *req,
				  struct qrt_http_plan *ret_plan);
/*
 * Finds and runs the handler. ENOENT: no such path. ENOTSUP: the path exists,
 * the method does not, and `Allow` is set on @resp. Suspends as the handler does.
 */
QRT_API enum qrt_err qrt_http_dispatch(struct qrt_http_router *router, struct qrt_cx *cx,
				       struct qrt_http_request *req,
				       struct qrt_http_response *resp) QRT_MUST_USE;

/* --- server --- */
/*
 * Writes the answer for what did not come to a handler's own answer: a
 * protocol fault (@req may then lack everything), a limit, 503. @detail is for the client's eyes.
 */
typedef void qrt_http_error_fn(void *app, struct qrt_http_request *req,
			       struct qrt_http_response *resp, int status, const char *detail);

/* Asked when a head is complete and before its body is read. Must not suspend, or keep @req. */
typedef void qrt_http_plan_fn(void *app, const struct qrt_http_request *req,
			      struct qrt_http_plan *ret_plan);

struct qrt_http_server_options {
	qrt_http_handler_fn *handler; /* gets every well-formed request (usually dispatches) */
	qrt_http_plan_fn *plan;	      /* NULL: every body is whole, every deadline the server's */
	qrt_http_error_fn *on_error;  /* NULL: an empty body */
	void *app;
	struct qrt_tls *tls;		  /* a reference is taken; NULL: plain */
	size_t body_max;		  /* 413 beyond; 0: 2 MiB */
	size_t header_max;		  /* 431 beyond; 0: 64 KiB */
	size_t request_line_max;	  /* 414 beyond; 0: 8 KiB */
	size_t connections_max;		  /* 503 beyond; 0: 1024 */
	unsigned requests_per_connection; /* 0: 1000 */
	int64_t header_timeout_ns;	  /* 408 beyond; also for the handshake; 0: 10 s */
	int64_t idle_timeout_ns;	  /* between requests, and of a peer that reads; 0: 60 s */
	int64_t request_deadline_ns;	  /* of a handler, and to send a whole body; 0: 30 s */
	/*
	 * At its deadline a request is cancelled. What the handler answers within so long is sent,
	 * else 503, and the connection ends. Negative: no grace; 0: 500 ms.
	 */
	int64_t cancel_grace_ns;
	int64_t linger_ns; /* drain: idle connections may still ask; 0: 1 s */
};

struct qrt_http_stats {
	uint64_t connections, connections_live;
	uint64_t refused; /* connections above connections_max */
	uint64_t requests, in_flight;
	uint64_t status[6];	/* by hundreds */
	uint64_t peers_gone;	/* requests that were cancelled because the peer hung up */
	uint64_t overdue;	/* requests that were cancelled at their deadline */
	uint64_t accept_pauses; /* no descriptors or no memory for another connection */
};

/* What a drain has done, from its call to its return. */
struct qrt_http_drain {
	uint64_t answered;    /* requests that a handler has answered */
	uint64_t refused;     /* requests that the server has refused by itself */
	uint64_t idle_closed; /* connections that rested and were closed */
	uint64_t left; /* connections that were there when it gave up: a close cuts them off */
};

/*
 * Adopts the listening @fd (also closes it on failure) and prepares to serve
 * in @home; nothing is accepted before resume. @opts is copied. Needs NET and SPAWN.
 */
QRT_API enum qrt_err qrt_http_server_open(struct qrt_cx *cx, struct qrt_region *home, int fd,
					  const struct qrt_http_server_options *opts,
					  struct qrt_http_server **ret_server) QRT_MUST_USE;
/* Accepts from now on. */
QRT_API enum qrt_err qrt_http_server_resume(struct qrt_cx *cx,
					    struct qrt_http_server *server) QRT_MUST_USE;
/*
 * Accepts no more, answers what was taken with `Connection: close`, lets idle
 * connections ask once more for linger_ns, then closes them. Suspends until no connection
 * is left. ETIMEDOUT at cx's deadline: some are. ESTATE: it was resumed meanwhile. The listening
 * socket stays open.
 */
QRT_API enum qrt_err qrt_http_server_drain(struct qrt_cx *cx,
					   struct qrt_http_server *server) QRT_MUST_USE;
/* The same; *ret_report is filled also on ETIMEDOUT. */
QRT_API enum qrt_err qrt_http_server_drain_report(struct qrt_cx *cx, struct qrt_http_server *server,
						  struct qrt_http_drain *ret_report) QRT_MUST_USE;
/* Closes the listener and what connections are left, waits for their tasks. Suspends. NULL-safe. */
QRT_API void qrt_http_server_close(struct qrt_cx *cx, struct qrt_http_server **server);
/* From any thread. */
QRT_API void qrt_http_server_stats(const struct qrt_http_server *server,
				   struct qrt_http_stats *ret_stats);

/* The reason phrase: "Not Found"; "Unknown" for others. Static. */
QRT_API const char *qrt_http_reason(int status);

#ifdef __cplusplus
}
#endif
#endif
