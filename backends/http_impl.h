/*
 * The interface of those who serve HTTP: the shim's own server over streams, or a loop's. Both
 * fill the same request, run the same exchange (shim/src/http/exchange.h) and keep the same
 * counters; what differs is who reads and writes the bytes.
 *
 * Every member is called on the loop's thread, by a task, and must not be NULL.
 */
#ifndef QRT_BACKENDS_HTTP_IMPL_H
#define QRT_BACKENDS_HTTP_IMPL_H

#include <qrt/http.h>

struct qrt__http_impl {
	const char *name;

	/*
	 * Takes over the listening @fd, also when it fails, and prepares to serve with tasks of
	 * @home. @opts has its defaults filled in and a handler. The result begins with a
	 * struct qrt_http_server whose impl is this table, and has a task that ends everything
	 * when `closing` is set and `wake` tells, or its home ends: then it sets `closing`, at last
	 * `ended` and `changed`. Must not suspend. ENOMEM, or what the listener says.
	 */
	enum qrt_err (*open)(struct qrt_cx *cx, struct qrt_region *home, int fd,
			     const struct qrt_http_server_options *opts,
			     struct qrt_http_server **ret_server);
	/* Accepts from now on, or not any more; not called once it is closing. Must not suspend. */
	void (*accept)(struct qrt_cx *cx, struct qrt_http_server *server, bool on);
	/* Whether nothing is left of what had been accepted, nor of what accepts. */
	bool (*rests)(const struct qrt_http_server *server);
	/* Ends the connections that wait for a request. Must not suspend. */
	void (*stop_idle)(struct qrt_cx *cx, struct qrt_http_server *server);
	/* It has ended. */
	void (*free)(struct qrt_http_server *server);
};

/* The shim's own. */
extern const struct qrt__http_impl qrt__http_own;

#endif
