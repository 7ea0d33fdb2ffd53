/*
 * A connection of our own server: what it holds while nothing is asked on it, and where it stands
 * in the tree. Where libevent's server serves there is no such connection.
 */
#include "tests/lib/test.h"

#include <string.h>

#include "shim/src/http/conn.h"
#include "tests/lib/http_site.h"

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

enum { FEW = 5, MANY = 70 };

static struct qrt__own_server *own(const struct site *site)
{
	return QRT__CONTAINER(site->server, struct qrt__own_server, base);
}

static unsigned lent(const struct site *site)
{
	unsigned n = 0;

	QRT__LIST_EACH(node, &site->server->conns) {
		n += QRT__CONTAINER(node, struct qrt__http_conn, in_server)->desk != NULL;
	}
	return n;
}

/* Until so many connections have a desk. */
static enum qrt_err until_lent(struct qrt_cx *cx, const struct site *site, unsigned n)
{
	enum qrt_err err = QRT_OK;

	while (!err && lent(site) != n) {
		err = qrt_sleep(cx, QRT_MS);
	}
	return err;
}

static enum qrt_err hello(struct qrt_cx *cx, struct qrt_http_request *req,
			  struct qrt_http_response *resp)
{
	(void)cx;
	(void)req;
	return say(resp, "hello");
}

static enum qrt_err held(struct qrt_cx *cx, struct qrt_http_request *req,
			 struct qrt_http_response *resp)
{
	struct site *site = site_of(req);

	site->count++;
	EXPECT(!qrt__event_wait(cx, &site->release, QRT_NO_DEADLINE));
	return say(resp, "held");
}

/* The regions it is in, from the inside. */
static enum qrt_err whereabouts(struct qrt_cx *cx, struct qrt_http_request *req,
				struct qrt_http_response *resp)
{
	static const char *const want[] = {"http request", "http connection", "http server"};
	const struct qrt__region *region = cx->region;

	(void)req;
	for (size_t i = 0; i < ARRAY_LEN(want); i++, region = region->parent) {
		EXPECT(region && strcmp(region->name, want[i]) == 0);
	}
	return say(resp, "as it should be");
}

static const struct site_route routes[] = {
    {"GET", "/", hello, {0}},
    {"GET", "/held", held, {0}},
    {"GET", "/where", whereabouts, {0}},
};

static void run_on_each(site_fn *fn)
{
	const struct site_play play = {
	    .fn = fn, .routes = routes, .n_routes = ARRAY_LEN(routes), .opts.linger_ns = QRT_MS};

	site_on_each(&play);
}

/* --- desks --------------------------------------------------------------------------------- */

static enum qrt_err quiet(struct qrt_cx *cx, struct site *site)
{
	struct client *clients[FEW];
	struct reply reply;

	if (site->evhttp) {
		return QRT_OK;
	}
	for (int i = 0; i < FEW; i++) {
		EXPECT(!client_open(cx, site, &clients[i]));
		EXPECT(!ask(cx, clients[i], GET("/"), &reply));
		client_take(clients[i], &reply);
		EXPECT(!until_lent(cx, site, 0));
	}
	EXPECT(own(site)->desks.n_spare == 1); /* they all had the same one, in turn */
	/* The first byte takes one, the rest of the request and its answer bring it back. */
	EXPECT(!client_send(cx, clients[2], "G"));
	EXPECT(!until_lent(cx, site, 1));
	EXPECT(!ask(cx, clients[2], "ET / HTTP/1.1\r\n" HOST "\r\n", &reply));
	client_take(clients[2], &reply);
	/* What was sent ahead stays on the desk until it is answered. */
	EXPECT(!ask(cx, clients[2], GET("/") GET("/") GET("/"), &reply));
	client_take(clients[2], &reply);
	for (int i = 0; i < 2; i++) {
		EXPECT(!client_reply(cx, clients[2], false, &reply));
		EXPECT(body_is(&reply, "hello"));
		client_take(clients[2], &reply);
	}
	EXPECT(!until_lent(cx, site, 0));
	EXPECT(own(site)->desks.n_spare == 1);
	for (int i = 0; i < FEW; i++) {
		client_close(cx, &clients[i]);
	}
	return QRT_OK;
}

static void a_quiet_connection_has_no_desk(void **state)
{
	(void)state;
	run_on_each(quiet);
}

static enum qrt_err crowd(struct qrt_cx *cx, struct site *site)
{
	struct client *clients[MANY];
	struct reply reply;

	if (site->evhttp) {
		return QRT_OK;
	}
	for (int i = 0; i < MANY; i++) {
		EXPECT(!client_open(cx, site, &clients[i]));
		EXPECT(!client_send(cx, clients[i], GET("/held")));
	}
	EXPECT(!until_lent(cx, site, MANY));
	while (site->count < MANY) {
		EXPECT(!qrt_sleep(cx, QRT_MS));
	}
	EXPECT(own(site)->desks.n_spare == 0);
	qrt__event_set(&site->release);
	for (int i = 0; i < MANY; i++) {
		EXPECT(!client_reply(cx, clients[i], false, &reply));
		EXPECT(body_is(&reply, "held"));
		client_close(cx, &clients[i]);
	}
	EXPECT(!until_lent(cx, site, 0));
	EXPECT(own(site)->desks.n_spare == 64); /* the others have been freed */
	return QRT_OK;
}

static void so_many_spare_desks_are_kept(void **state)
{
	(void)state;
	run_on_each(crowd);
}

/* --- regions ------------------------------------------------------------------------------- */

static enum qrt_err stands(struct qrt_cx *cx, struct site *site)
{
	struct reply reply;

	if (site->evhttp) {
		return QRT_OK;
	}
	EXPECT(!ask_once(cx, site, GET("/where"), &reply));
	EXPECT(reply.status == 200);
	return QRT_OK;
}

static void a_request_is_in_a_region_of_its_connection(void **state)
{
	(void)state;
	run_on_each(stands);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_quiet_connection_has_no_desk),
	    cmocka_unit_test(so_many_spare_desks_are_kept),
	    cmocka_unit_test(a_request_is_in_a_region_of_its_connection),
	};

	return cmocka_run_group_tests_name("http_conn", tests, NULL, NULL);
}
