/*
 * The control listener: a small HTTP server on its own OS threads, outside
 * every loop, so that it answers when a loop is wedged. Its handlers run on
 * those threads: they may block for a bounded time, and have no cx; they
 * reach a runtime only through qrt_runtime_call and the any-thread calls.
 */
#ifndef QRT_CONTROL_H
#define QRT_CONTROL_H

#include <qrt/err.h>

#ifdef __cplusplus
extern "C" {
#endif

struct qrt_control;

struct qrt_control_request {
	const char *method, *path;
	const char *query; /* undecoded, "" when absent */
	const char *body;  /* NUL-terminated, at most QRT_CONTROL_BODY_MAX */
	size_t body_len;
};
#define QRT_CONTROL_BODY_MAX 65536

struct qrt_control_reply {
	int status;
	const char *content_type; /* static; NULL: application/json */
	char *body;		  /* malloc'd by the handler; freed by the server */
	size_t body_len;
};

typedef void qrt_control_handler_fn(void *app, const struct qrt_control_request *req,
				    struct qrt_control_reply *reply);

enum qrt_control_guard {
	QRT_CONTROL_OPEN,   /* never needs the token: health */
	QRT_CONTROL_READ,   /* needs it on a non-loopback bind */
	QRT_CONTROL_CHANGE, /* always needs it */
};

struct qrt_control_route {
	const char *method, *path; /* exact path */
	enum qrt_control_guard guard;
	qrt_control_handler_fn *handler;
};

struct qrt_control_options {
	const char *address; /* numeric */
	uint16_t port;	     /* 0 picks one */
	unsigned threads;    /* READ and CHANGE handlers at once, 0: 8, at most 64; OPEN has more */
	const char *token;   /* NULL or "": every CHANGE is refused; visible characters; copied */
	const struct qrt_control_route *routes; /* must outlive the server */
	size_t n_routes;
	void *app;
};

/*
 * Errors: EADDRINUSE, EINVAL (address, threads, token; a non-loopback bind
 * without a token), ENOTSUP (IPv6, when civetweb has none), EACCES, EMFILE,
 * ENOMEM, EFAILED. @ret_detail (256 bytes, may be NULL) says more.
 */
QRT_API enum qrt_err qrt_control_open(const struct qrt_control_options *opts, char *ret_detail,
				      struct qrt_control **ret_control) QRT_MUST_USE;
QRT_API uint16_t qrt_control_port(const struct qrt_control *control);
/* Waits for handlers under way and their answers; not to be called by one. NULL-safe. */
QRT_API void qrt_control_close(struct qrt_control **control);

/*
 * The client side, for the command line: one request, blocking at most
 * @timeout_ms. *ret_body is malloc'd, NUL-terminated, the caller's. @token may be NULL.
 * Errors: EINVAL (an argument that fits no request), ECONNREFUSED, ECONNRESET,
 * ETIMEDOUT, EPROTO (also: more than body_max bytes), EMFILE, ENOMEM, EIO.
 */
struct qrt_control_target {
	const char *address;
	uint16_t port;
	const char *token;
	int timeout_ms;
	size_t body_max; /* of the answer; 0: 1 MiB */
};
QRT_API enum qrt_err qrt_control_ask(const struct qrt_control_target *target, const char *method,
				     const char *path, const char *body, int *ret_status,
				     char **ret_body) QRT_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
