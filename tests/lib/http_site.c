/* The stage of the HTTP server's tests; see http_site.h. */
#include "tests/lib/http_site.h"

#include <stdlib.h>
#include <string.h>

#include <qrt/tls.h>

enum qrt_err say(struct qrt_http_response *resp, const char *text)
{
	return qrt_http_set_body(resp, text, strlen(text));
}

struct site *site_of(const struct qrt_http_request *req)
{
	return qrt_http_app(req);
}

enum qrt_err say_hello(struct qrt_cx *cx, struct qrt_http_request *req,
		       struct qrt_http_response *resp)
{
	(void)cx;
	(void)req;
	return say(resp, "hello");
}

enum qrt_err wait_released(struct qrt_cx *cx, struct qrt_http_request *req,
			   struct qrt_http_response *resp)
{
	struct site *site = site_of(req);

	site->waits++;
	qrt__event_set(&site->entered);
	site->wait_result = qrt__event_wait(cx, &site->release, QRT_NO_DEADLINE);
	return site->wait_result ? site->wait_result : say(resp, "released");
}

static enum qrt_err route(struct qrt_cx *cx, struct qrt_http_request *req,
			  struct qrt_http_response *resp)
{
	return qrt_http_dispatch(site_of(req)->router, cx, req, resp);
}

static void on_error(void *app, struct qrt_http_request *req, struct qrt_http_response *resp,
		     int status, const char *detail)
{
	struct site *site = app;

	(void)qrt_http_path(req);
	site->last_status = status;
	snprintf(site->last_detail, sizeof(site->last_detail), "%s", detail);
	if (say(resp, detail) || qrt_http_set_header(resp, "X-Error", "yes")) {
		site->last_status = 0;
	}
}

/* --- the stage ----------------------------------------------------------------------------- */

static void plan(void *app, const struct qrt_http_request *req, struct qrt_http_plan *ret_plan)
{
	const struct site *site = app;

	qrt_http_router_plan(site->router, req, ret_plan);
}

static enum qrt_err with_server(struct qrt_cx *cx, const struct site_play *play, struct site *site)
{
	struct qrt_http_server_options opts = play->opts;
	struct qrt_region *home;
	enum qrt_err err;
	int fd;

	opts.handler = route;
	opts.plan = plan;
	opts.on_error = on_error;
	opts.app = site;
	site->client_tls = play->client_tls;
	site->evhttp = !opts.tls && strcmp(qrt_runtime_backend(qrt_cx_runtime(cx)), "legacy") == 0;
	qrt__event_init(&site->entered);
	qrt__event_init(&site->release);
	for (size_t i = 0; i < play->n_routes; i++) {
		const struct site_route *r = &play->routes[i];

		EXPECT(!qrt_http_route_add_planned(site->router, r->method, r->pattern, r->handler,
						   &r->plan));
	}
	EXPECT(!qrt_region_open(cx, QRT_FAIL_FAST, &home));
	site->home = home;
	err = qrt_socket_listen(cx, "127.0.0.1", 0, &fd, &site->port);
	err = err ? err : qrt_http_server_open(cx, home, fd, &opts, &site->server);
	err = err ? err : qrt_http_server_resume(cx, site->server);
	err = err ? err : play->fn(cx, site);
	qrt__event_set(&site->release);
	qrt_http_server_close(cx, &site->server);
	return qrt_region_close(cx, &home, err);
}

enum qrt_err site_run(struct qrt_cx *cx, void *arg)
{
	const struct qrt_region_options opts = {
	    .policy = QRT_FAIL_FAST, .budget.deadline_ns = qrt_deadline_in(cx, 20 * QRT_SEC)};
	struct site *site = calloc(1, sizeof(*site));
	struct qrt_region *region;
	enum qrt_err err;

	EXPECT(site);
	EXPECT(!qrt_http_router_create(&site->router));
	EXPECT(!qrt_region_open_with(cx, &opts, &region));
	err = with_server(qrt_region_cx(region), arg, site);
	err = qrt_region_close(cx, &region, err);
	qrt_http_router_destroy(&site->router);
	free(site);
	return err;
}

void site_on_each(const struct site_play *play)
{
	on_each_backend(site_run, (void *)(uintptr_t)play);
}

void site_plain_on_each(site_fn *fn, const struct qrt_http_server_options *opts)
{
	static const struct site_route routes[] = {
	    {"GET", "/", say_hello, {0}},
	    {"GET", "/wait", wait_released, {0}},
	};
	struct site_play play = {.fn = fn, .routes = routes, .n_routes = 2};

	if (opts) {
		play.opts = *opts;
	}
	site_on_each(&play);
}

/* --- the client ---------------------------------------------------------------------------- */

enum qrt_err client_open(struct qrt_cx *cx, struct site *site, struct client **ret_client)
{
	struct client *client = malloc(sizeof(*client));
	enum qrt_err err;

	if (!client) {
		return QRT_ENOMEM;
	}
	client->n = 0;
	client->stream = NULL;
	err = qrt_connect(cx, "127.0.0.1", site->port, &client->stream);
	if (!err && site->client_tls) {
		err = qrt_tls_connect(cx, site->client_tls, "server.test", &client->stream);
	}
	if (err) {
		free(client);
		return err;
	}
	*ret_client = client;
	return QRT_OK;
}

void client_close(struct qrt_cx *cx, struct client **client)
{
	if (*client) {
		qrt_stream_close(cx, &(*client)->stream);
		free(*client);
		*client = NULL;
	}
}

enum qrt_err client_send(struct qrt_cx *cx, struct client *client, const char *text)
{
	return qrt_write(cx, client->stream, text, strlen(text));
}

enum qrt_err client_fill(struct qrt_cx *cx, struct client *client)
{
	size_t n = 0;
	enum qrt_err err;

	if (client->n == sizeof(client->buf) - 1) {
		return QRT_ELIMIT;
	}
	err = qrt_read(cx, client->stream, client->buf + client->n,
		       sizeof(client->buf) - 1 - client->n, &n);
	client->n += n;
	client->buf[client->n] = '\0';
	return err;
}

/* The value of a header in @head, up to the line's end; NULL when absent. */
const char *head_value(const char *head, const char *name)
{
	char needle[64];
	const char *found;

	snprintf(needle, sizeof(needle), "\r\n%s: ", name);
	found = strstr(head, needle);
	return found ? found + strlen(needle) : NULL;
}

bool head_has(const struct reply *reply, const char *name, const char *value)
{
	const char *found = head_value(reply->head, name);

	return found && strncmp(found, value, strlen(value)) == 0 && found[strlen(value)] == '\r';
}

enum qrt_err client_head(struct qrt_cx *cx, struct client *client, struct reply *ret_reply)
{
	struct reply *reply = ret_reply;
	char *end = NULL;
	enum qrt_err err = QRT_OK;

	client->buf[client->n] = '\0';
	while (!err && !(end = strstr(client->buf, "\r\n\r\n"))) {
		err = client_fill(cx, client);
	}
	if (err) {
		return err;
	}
	EXPECT((size_t)(end - client->buf) + 4 < sizeof(reply->head));
	snprintf(reply->head, sizeof(reply->head), "%.*s", (int)(end + 4 - client->buf),
		 client->buf);
	/* evhttp answers HTTP/1.0 in kind. */
	EXPECT(sscanf(reply->head, "HTTP/1.%*1[01] %d ", &reply->status) == 1);
	reply->close = head_value(reply->head, "Connection") &&
		       strncmp(head_value(reply->head, "Connection"), "close", 5) == 0;
	client->n -= (size_t)(end + 4 - client->buf);
	memmove(client->buf, end + 4, client->n + 1);
	reply->body = client->buf;
	reply->body_len = 0;
	return QRT_OK;
}

enum qrt_err client_reply(struct qrt_cx *cx, struct client *client, bool bodiless,
			  struct reply *ret_reply)
{
	enum qrt_err err = client_head(cx, client, ret_reply);
	const char *length = err ? NULL : head_value(ret_reply->head, "Content-Length");

	if (length && !bodiless) {
		ret_reply->body_len = strtoul(length, NULL, 10);
	}
	while (!err && client->n < ret_reply->body_len) {
		err = client_fill(cx, client);
	}
	return err;
}

/* Forgets the body of the last reply. */
void client_take(struct client *client, const struct reply *reply)
{
	client->n -= reply->body_len;
	memmove(client->buf, client->buf + reply->body_len, client->n + 1);
}

bool body_is(const struct reply *reply, const char *text)
{
	return reply->body_len == strlen(text) && memcmp(reply->body, text, strlen(text)) == 0;
}

/* Sends @text and reads one response. */
enum qrt_err ask(struct qrt_cx *cx, struct client *client, const char *text,
		 struct reply *ret_reply)
{
	enum qrt_err err = client_send(cx, client, text);

	return err ? err : client_reply(cx, client, false, ret_reply);
}

/* The same on a connection of its own. Whether the server then closed goes to *ret_closed. */
enum qrt_err ask_once(struct qrt_cx *cx, struct site *site, const char *text,
		      struct reply *ret_reply)
{
	struct client *client = NULL;
	enum qrt_err err = client_open(cx, site, &client);

	err = err ? err : ask(cx, client, text, ret_reply);
	if (!err) {
		ret_reply->body = NULL;
	}
	if (!err && ret_reply->close) {
		enum qrt_err end;

		client_take(client, ret_reply);
		end = client_fill(cx, client);
		err = end == QRT_EEOF && client->n == 0 ? QRT_OK : QRT_EPROTO;
	}
	client_close(cx, &client);
	return err;
}
