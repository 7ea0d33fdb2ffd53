/*
 * A stage for tests of the HTTP server: a server in a region of the scenario's runtime, and a
 * client that is a task there and speaks through a stream, byte for byte. The same on every
 * backend.
 */
#ifndef QRT_TESTS_LIB_HTTP_SITE_H
#define QRT_TESTS_LIB_HTTP_SITE_H

#include <qrt/http.h>
#include <qrt/stream.h>

#include "shim/src/internal.h"
#include "tests/lib/backends.h"

#define HOST "Host: h\r\n"
#define GET(path) "GET " path " HTTP/1.1\r\n" HOST "\r\n"

/* A server under test and what its handlers share with the scenario. */
struct site {
	struct qrt_region *home;
	struct qrt_http_server *server;
	struct qrt_http_router *router;
	uint16_t port;
	struct qrt_tls *client_tls; /* of its clients; NULL: plain */
	bool evhttp;		    /* libevent's serves */
	struct qrt__event entered;  /* a handler runs */
	struct qrt__event release;  /* it may answer */
	enum qrt_err wait_result;   /* of its wait */
	unsigned waits;
	char last_detail[128]; /* of on_error, which says it as the body */
	int last_status;
	size_t count; /* the test's own */
};

typedef enum qrt_err site_fn(struct qrt_cx *cx, struct site *site);

struct site_route {
	const char *method, *pattern;
	qrt_http_handler_fn *handler;
	struct qrt_http_plan plan;
};

struct site_play {
	site_fn *fn;
	struct qrt_http_server_options opts; /* handler, plan, on_error and app are the site's */
	const struct site_route *routes;
	size_t n_routes;
	struct qrt_tls *client_tls; /* with opts.tls */
};

/* On each backend; no scenario may hang: its cx has a deadline. */
void site_on_each(const struct site_play *play);
/* With GET / that says hello and GET /wait that waits; @opts may be NULL. */
void site_plain_on_each(site_fn *fn, const struct qrt_http_server_options *opts);
/* The scenario as a task of a runtime: @arg is a struct site_play. */
enum qrt_err site_run(struct qrt_cx *cx, void *arg);

struct site *site_of(const struct qrt_http_request *req);
enum qrt_err say(struct qrt_http_response *resp, const char *text);
/* A handler: says hello. */
enum qrt_err say_hello(struct qrt_cx *cx, struct qrt_http_request *req,
		       struct qrt_http_response *resp);
/* A handler: says that it is entered and waits to be released, then says so. */
enum qrt_err wait_released(struct qrt_cx *cx, struct qrt_http_request *req,
			   struct qrt_http_response *resp);

/* --- the client --- */

#define CLIENT_BYTES (300u * 1024)

struct client {
	struct qrt_stream *stream;
	size_t n; /* bytes that were read and not taken */
	char buf[CLIENT_BYTES];
};

struct reply {
	int status;
	char head[4096];
	char *body; /* in the client's buffer, until the next reply */
	size_t body_len;
	bool close; /* the head says so */
};

enum qrt_err client_open(struct qrt_cx *cx, struct site *site, struct client **ret_client);
void client_close(struct qrt_cx *cx, struct client **client);
enum qrt_err client_send(struct qrt_cx *cx, struct client *client, const char *text);
/* Reads more into the buffer. */
enum qrt_err client_fill(struct qrt_cx *cx, struct client *client);
/* Reads up to the end of a head and takes it from the buffer. */
enum qrt_err client_head(struct qrt_cx *cx, struct client *client, struct reply *ret_reply);
/* Reads one response; a body of the announced length unless @bodiless. */
enum qrt_err client_reply(struct qrt_cx *cx, struct client *client, bool bodiless,
			  struct reply *ret_reply);
/* Forgets the body of the last reply. */
void client_take(struct client *client, const struct reply *reply);
/* The value of a header in @head, up to the line's end; NULL when absent. */
const char *head_value(const char *head, const char *name);
bool head_has(const struct reply *reply, const char *name, const char *value);
bool body_is(const struct reply *reply, const char *text);
/* Sends @text and reads one response. */
enum qrt_err ask(struct qrt_cx *cx, struct client *client, const char *text,
		 struct reply *ret_reply);
/* On a connection of its own. EPROTO: the reply said close, and something else followed. */
enum qrt_err ask_once(struct qrt_cx *cx, struct site *site, const char *text,
		      struct reply *ret_reply);

#endif
