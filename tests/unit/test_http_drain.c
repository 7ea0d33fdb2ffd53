/*
 * How connections of the HTTP server end, on every backend of the build: the peer leaves, the
 * server is drained and goes on, or is closed under work.
 */
#include "tests/lib/test.h"

#include <stdlib.h>
#include <string.h>

#include "tests/lib/http_site.h"

#define MUCH (8u * 1024 * 1024) /* more than the system takes for who does not read */

/* --- peers --------------------------------------------------------------------------------- */

static enum qrt_err peer_leaves(struct qrt_cx *cx, struct site *site)
{
	struct qrt_http_stats stats;
	struct client *client;
	struct reply reply;

	/* In the middle of a head, of a body, and while the handler works. */
	EXPECT(!client_open(cx, site, &client));
	EXPECT(!client_send(cx, client, "GET / HT"));
	client_close(cx, &client);
	EXPECT(!client_open(cx, site, &client));
	EXPECT(!client_send(cx, client, "POST / HTTP/1.1\r\n" HOST "Content-Length: 9\r\n\r\nab"));
	client_close(cx, &client);
	EXPECT(!client_open(cx, site, &client));
	EXPECT(!client_send(cx, client, GET("/wait")));
	EXPECT(!qrt__event_wait(cx, &site->entered, QRT_NO_DEADLINE));
	client_close(cx, &client);
	EXPECT(!ask_once(cx, site, GET("/"), &reply));
	qrt__event_set(&site->release);
	EXPECT(!ask_once(cx, site, GET("/"), &reply));
	EXPECT(reply.status == 200);
	EXPECT(!qrt_http_server_drain(cx, site->server));
	qrt_http_server_stats(site->server, &stats);
	EXPECT(stats.connections == 5);
	EXPECT(stats.connections_live == 0);
	EXPECT(stats.in_flight == 0);
	EXPECT(stats.requests == 3);
	return QRT_OK;
}

static void a_peer_may_leave_at_any_time(void **state)
{
	const struct qrt_http_server_options opts = {.linger_ns = QRT_MS};

	(void)state;
	site_plain_on_each(peer_leaves, &opts);
}

/* A mask holds off the cancel; that nobody listens is told all the same. */
static enum qrt_err write_masked(struct qrt_cx *cx, struct qrt_http_request *req,
				 struct qrt_http_response *resp)
{
	struct site *site = site_of(req);
	char *data = calloc(1, MUCH);
	struct qrt_mask mask;
	enum qrt_err err;

	EXPECT(data);
	EXPECT(!qrt_mask_begin(cx, 5 * QRT_SEC, &mask));
	err = qrt_http_stream_begin(cx, resp, MUCH);
	site->wait_result = err ? err : qrt_http_write(cx, resp, data, MUCH);
	qrt_mask_end(cx, &mask);
	free(data);
	qrt__event_set(&site->entered);
	return site->wait_result;
}

static enum qrt_err leaves_the_writer(struct qrt_cx *cx, struct site *site)
{
	struct client *client;
	struct reply reply;

	EXPECT(!client_open(cx, site, &client));
	EXPECT(!client_send(cx, client, GET("/much")));
	EXPECT(!client_head(cx, client, &reply));
	client_close(cx, &client);
	EXPECT(!qrt__event_wait(cx, &site->entered, QRT_NO_DEADLINE));
	EXPECT(site->wait_result == QRT_ECONNRESET);
	return QRT_OK;
}

static void who_writes_under_a_mask_hears_that_nobody_listens(void **state)
{
	static const struct site_route route = {"GET", "/much", write_masked, {0}};
	const struct site_play play = {.fn = leaves_the_writer, .routes = &route, .n_routes = 1};

	(void)state;
	site_on_each(&play);
}

/* --- draining ------------------------------------------------------------------------------ */

struct drainer {
	struct site *site;
	enum qrt_err result;
	struct qrt__event begun;
	bool done;
};

static enum qrt_err drain_task(struct qrt_cx *cx, void *arg)
{
	struct drainer *drainer = arg;

	qrt__event_set(&drainer->begun);
	drainer->result = qrt_http_server_drain(cx, drainer->site->server);
	drainer->done = true;
	return QRT_OK;
}

/* The body of the next scenario, while a drain is under way in @region. */
static enum qrt_err during_drain(struct qrt_cx *cx, struct site *site, struct client **clients,
				 struct drainer *drainer)
{
	struct reply reply;

	EXPECT(!qrt__event_wait(cx, &drainer->begun, QRT_NO_DEADLINE));
	EXPECT(!drainer->done);
	/* The idle one may ask once more. */
	EXPECT(!ask(cx, clients[0], GET("/"), &reply));
	EXPECT(reply.status == 200);
	EXPECT(reply.close);
	client_take(clients[0], &reply);
	EXPECT(client_fill(cx, clients[0]) == QRT_EEOF);
	/* The one in flight is answered. */
	EXPECT(!drainer->done);
	qrt__event_set(&site->release);
	EXPECT(!client_reply(cx, clients[1], false, &reply));
	EXPECT(reply.status == 200);
	EXPECT(body_is(&reply, "released"));
	EXPECT(reply.close);
	/* The one that stays silent is closed after the linger. */
	EXPECT(client_fill(cx, clients[2]) == QRT_EEOF);
	EXPECT(clients[2]->n == 0);
	client_close(cx, &clients[1]);
	return QRT_OK;
}

static enum qrt_err drains(struct qrt_cx *cx, struct site *site)
{
	struct drainer drainer = {.site = site, .result = QRT_EFAILED};
	struct client *clients[4];
	struct qrt_region *region;
	struct qrt_http_stats stats;
	struct reply reply;
	enum qrt_err err;

	qrt__event_init(&drainer.begun);
	for (size_t i = 0; i < 3; i++) {
		EXPECT(!client_open(cx, site, &clients[i]));
		EXPECT(!ask(cx, clients[i], GET("/"), &reply));
		client_take(clients[i], &reply);
	}
	EXPECT(!client_send(cx, clients[1], GET("/wait")));
	EXPECT(!qrt__event_wait(cx, &site->entered, QRT_NO_DEADLINE));
	EXPECT(!qrt_region_open(cx, QRT_FAIL_FAST, &region));
	err = qrt_spawn(region, drain_task, &drainer);
	err = err ? err : during_drain(cx, site, clients, &drainer);
	qrt__event_set(&site->release);
	EXPECT(!qrt_region_close(cx, &region, err));
	EXPECT(drainer.result == QRT_OK);
	qrt_http_server_stats(site->server, &stats);
	EXPECT(stats.connections_live == 0);
	EXPECT(stats.in_flight == 0);
	EXPECT(stats.requests == 5);
	EXPECT(stats.status[2] == 5);
	/* The socket stayed open: who comes now waits, and is served after the resume. */
	EXPECT(!client_open(cx, site, &clients[3]));
	EXPECT(!client_send(cx, clients[3], GET("/")));
	EXPECT(!qrt_http_server_resume(cx, site->server));
	EXPECT(!client_reply(cx, clients[3], false, &reply));
	EXPECT(reply.status == 200);
	EXPECT(!reply.close);
	client_close(cx, &clients[3]);
	client_close(cx, &clients[0]);
	client_close(cx, &clients[2]);
	return QRT_OK;
}

static void a_drain_answers_what_it_has_taken_and_loses_nobody(void **state)
{
	const struct qrt_http_server_options opts = {.linger_ns = 200 * QRT_MS};

	(void)state;
	site_plain_on_each(drains, &opts);
}

/* A stream whose head has promised that the connection goes on. */
static enum qrt_err stream_on(struct qrt_cx *cx, struct qrt_http_request *req,
			      struct qrt_http_response *resp)
{
	struct site *site = site_of(req);
	enum qrt_err err = qrt_http_stream_begin(cx, resp, 3);

	qrt__event_set(&site->entered);
	err = err ? err : qrt__event_wait(cx, &site->release, QRT_NO_DEADLINE);
	return err ? err : qrt_http_write(cx, resp, "end", 3);
}

static enum qrt_err drains_a_stream(struct qrt_cx *cx, struct site *site)
{
	struct drainer drainer = {.site = site, .result = QRT_EFAILED};
	struct qrt_region *region;
	struct client *client;
	struct reply reply;
	enum qrt_err err;

	qrt__event_init(&drainer.begun);
	EXPECT(!client_open(cx, site, &client));
	EXPECT(!client_send(cx, client, GET("/stream")));
	EXPECT(!qrt__event_wait(cx, &site->entered, QRT_NO_DEADLINE));
	EXPECT(!qrt_region_open(cx, QRT_FAIL_FAST, &region));
	err = qrt_spawn(region, drain_task, &drainer);
	err = err ? err : qrt_sleep(cx, 20 * QRT_MS); /* the linger is over */
	EXPECT(!drainer.done);
	qrt__event_set(&site->release);
	EXPECT(!client_reply(cx, client, false, &reply));
	EXPECT(body_is(&reply, "end"));
	client_take(client, &reply);
	EXPECT(client_fill(cx, client) == QRT_EEOF);
	EXPECT(!qrt_region_close(cx, &region, err));
	EXPECT(drainer.result == QRT_OK);
	client_close(cx, &client);
	return QRT_OK;
}

static void a_connection_that_was_to_go_on_is_closed_by_a_drain(void **state)
{
	static const struct site_route route = {"GET", "/stream", stream_on, {0}};
	const struct site_play play = {
	    .fn = drains_a_stream, .opts = {.linger_ns = QRT_MS}, .routes = &route, .n_routes = 1};

	(void)state;
	site_on_each(&play);
}

static enum qrt_err drain_in_vain(struct qrt_cx *cx, struct site *site)
{
	const struct qrt_region_options opts = {.budget.deadline_ns =
						    qrt_deadline_in(cx, 30 * QRT_MS)};
	struct qrt_region *region;
	struct client *client;
	struct reply reply;
	enum qrt_err err;

	EXPECT(!client_open(cx, site, &client));
	EXPECT(!client_send(cx, client, GET("/wait")));
	EXPECT(!qrt__event_wait(cx, &site->entered, QRT_NO_DEADLINE));
	EXPECT(!qrt_region_open_with(cx, &opts, &region));
	err = qrt_http_server_drain(qrt_region_cx(region), site->server);
	QRT_IGNORE(qrt_region_close(cx, &region, QRT_OK), "nothing runs in it");
	EXPECT(err == QRT_ETIMEDOUT);
	EXPECT(strcmp(qrt_detail(cx), "http server: connections are left") == 0);
	qrt__event_set(&site->release);
	EXPECT(!client_reply(cx, client, false, &reply));
	EXPECT(reply.status == 200);
	EXPECT(reply.close);
	client_close(cx, &client);
	EXPECT(!qrt_http_server_drain(cx, site->server));
	return QRT_OK;
}

static enum qrt_err resumes_meanwhile(struct qrt_cx *cx, struct site *site)
{
	struct qrt_region *region;
	struct drainer drainer = {.site = site, .result = QRT_EFAILED};
	struct client *client;
	struct reply reply;

	qrt__event_init(&drainer.begun);
	EXPECT(!client_open(cx, site, &client));
	EXPECT(!client_send(cx, client, GET("/wait")));
	EXPECT(!qrt__event_wait(cx, &site->entered, QRT_NO_DEADLINE));
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &region));
	EXPECT(!qrt_spawn(region, drain_task, &drainer));
	EXPECT(!qrt__event_wait(cx, &drainer.begun, QRT_NO_DEADLINE)); /* it waits by now */
	EXPECT(!qrt_http_server_resume(cx, site->server));
	/* It ends though the request it waited for does not. */
	EXPECT(!qrt_region_close(cx, &region, QRT_OK));
	EXPECT(drainer.result == QRT_ESTATE);
	qrt__event_set(&site->release);
	EXPECT(!client_reply(cx, client, false, &reply));
	EXPECT(reply.status == 200 && !reply.close);
	client_close(cx, &client);
	return ask_once(cx, site, GET("/"), &reply);
}

static void a_drain_that_is_overtaken_by_a_resume_says_so(void **state)
{
	(void)state;
	site_plain_on_each(resumes_meanwhile, NULL);
}

static void a_drain_past_its_deadline_says_so_and_cuts_nobody_off(void **state)
{
	const struct qrt_http_server_options opts = {.linger_ns = QRT_MS};

	(void)state;
	site_plain_on_each(drain_in_vain, &opts);
}

/* --- closing ------------------------------------------------------------------------------- */

static enum qrt_err closes_under_work(struct qrt_cx *cx, struct site *site)
{
	struct client *idle, *fresh, *waiting;
	struct reply reply;

	EXPECT(!client_open(cx, site, &idle));
	EXPECT(!ask(cx, idle, GET("/"), &reply));
	client_take(idle, &reply);
	EXPECT(!client_open(cx, site, &fresh));
	EXPECT(!client_open(cx, site, &waiting));
	EXPECT(!client_send(cx, waiting, GET("/wait")));
	EXPECT(!qrt__event_wait(cx, &site->entered, QRT_NO_DEADLINE));
	qrt_http_server_close(cx, &site->server);
	EXPECT(!site->server);
	EXPECT(site->wait_result == QRT_ECANCELED);
	EXPECT(client_fill(cx, idle) != QRT_OK);
	EXPECT(client_fill(cx, fresh) != QRT_OK);
	client_close(cx, &idle);
	client_close(cx, &fresh);
	client_close(cx, &waiting);
	EXPECT(client_open(cx, site, &fresh) == QRT_ECONNREFUSED);
	return QRT_OK;
}

static void close_cancels_the_handlers_and_waits_for_them(void **state)
{
	(void)state;
	site_plain_on_each(closes_under_work, NULL);
}

/* What comes after the cancel may itself be cancelled: it only cleans up. */
static enum qrt_err cancelled_home(struct qrt_cx *cx, struct site *site)
{
	struct client *idle, *waiting;
	struct reply reply;

	EXPECT(!client_open(cx, site, &idle));
	EXPECT(!ask(cx, idle, GET("/"), &reply));
	EXPECT(!client_open(cx, site, &waiting));
	EXPECT(!client_send(cx, waiting, GET("/wait")));
	EXPECT(!qrt__event_wait(cx, &site->entered, QRT_NO_DEADLINE));
	client_take(idle, &reply);
	qrt_region_cancel(site->home, QRT_CANCEL_USER, "test");
	if (!is_structured(cx)) {
		/* Where the cancel does not reach this task, too. */
		EXPECT(client_fill(cx, idle) == QRT_EEOF);
		EXPECT(qrt_http_server_resume(cx, site->server) == QRT_ECLOSED);
	}
	qrt_http_server_close(cx, &site->server);
	EXPECT(site->wait_result == QRT_ECANCELED);
	client_close(cx, &idle);
	client_close(cx, &waiting);
	return QRT_OK;
}

static void a_cancelled_home_ends_the_server(void **state)
{
	(void)state;
	site_plain_on_each(cancelled_home, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_peer_may_leave_at_any_time),
	    cmocka_unit_test(who_writes_under_a_mask_hears_that_nobody_listens),
	    cmocka_unit_test(a_drain_answers_what_it_has_taken_and_loses_nobody),
	    cmocka_unit_test(a_connection_that_was_to_go_on_is_closed_by_a_drain),
	    cmocka_unit_test(a_drain_past_its_deadline_says_so_and_cuts_nobody_off),
	    cmocka_unit_test(a_drain_that_is_overtaken_by_a_resume_says_so),
	    cmocka_unit_test(close_cancels_the_handlers_and_waits_for_them),
	    cmocka_unit_test(a_cancelled_home_ends_the_server),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
