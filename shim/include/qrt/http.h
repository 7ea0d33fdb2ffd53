/*
 * HTTP/1.1 server: one router and one handler signature, whatever serves the
 * bytes (our own server over streams, or libevent's on the legacy backend).
 * A request and its response belong to the exchange and die with it; what
 * they hand out lives as long.
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
/* The whole body; *ret_len bytes, also NUL-terminated. */
QRT_API const char *qrt_http_body(const struct qrt_http_request *req, size_t *ret_len);
/* "127.0.0.1:4711", or "" */
QRT_API const char *qrt_http_peer(const struct qrt_http_request *req);
/* What the application attached to the exchange (qrt_http_server_options.app). */
QRT_API void *qrt_http_app(const struct qrt_http_request *req);

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

struct qrt_http_server_options {
	qrt_http_handler_fn *handler; /* gets every well-formed request (usually dispatches) */
	qrt_http_error_fn *on_error;  /* NULL: an empty body */
	void *app;
	size_t body_max;		  /* 413 beyond; 0: 2 MiB */
	size_t header_max;		  /* 431 beyond; 0: 64 KiB */
	size_t request_line_max;	  /* 414 beyond; 0: 8 KiB */
	size_t connections_max;		  /* 503 beyond; 0: 1024 */
	unsigned requests_per_connection; /* 0: 1000 */
	int64_t header_timeout_ns;	  /* 408 beyond; 0: 10 s */
	int64_t idle_timeout_ns;	  /* between requests; 0: 60 s */
	int64_t request_deadline_ns;	  /* of a handler; 0: 30 s */
	int64_t linger_ns;		  /* drain: idle connections may still ask; 0: 1 s */
};

struct qrt_http_stats {
	uint64_t connections, connections_live;
	uint64_t requests, in_flight;
	uint64_t status[6]; /* by hundreds */
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
 * is left. ETIMEDOUT at cx's deadline: some are. The listening socket stays open.
 */
QRT_API enum qrt_err qrt_http_server_drain(struct qrt_cx *cx,
					   struct qrt_http_server *server) QRT_MUST_USE;
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
