/*
 * Chains of links: the order in which they run, who may answer, and what they tell each other.
 * White box: requests are made by hand; that a chain runs behind a real server on every backend is
 * test_server's to show.
 */
#include "tests/lib/backends.h"
#include "tests/lib/test.h"

#include <stdlib.h>
#include <string.h>

#include "shim/src/http/message.h"

struct fixture {
	struct qrt__http_arena arena;
	struct qrt_http_request req;
	struct qrt_http_response resp;
	struct qrt_http_router *router;
};

static char seen[256];

static void see(const char *what)
{
	strncat(seen, what, sizeof(seen) - strlen(seen) - 1);
}

static int setup(void **state)
{
	struct fixture *fix = calloc(1, sizeof(*fix));

	assert_non_null(fix);
	qrt__http_arena_init(&fix->arena);
	assert_int_equal(qrt_http_router_create(&fix->router), QRT_OK);
	seen[0] = '\0';
	*state = fix;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fix = *state;

	qrt_http_router_destroy(&fix->router);
	qrt__http_arena_fini(&fix->arena);
	free(fix);
	return 0;
}

static void begin(struct fixture *fix, const char *method, const char *path)
{
	qrt__http_arena_reset(&fix->arena);
	qrt__http_request_init(&fix->req, &fix->arena);
	qrt__http_response_init(&fix->resp, &fix->arena, &fix->req);
	fix->req.method = method;
	fix->req.path = path;
}

/* Says its argument before and after the rest. */
static enum qrt_err around(struct qrt_cx *cx, struct qrt_http_request *req,
			   struct qrt_http_response *resp, struct qrt_http_walk *walk)
{
	const char *name = walk->arg;
	enum qrt_err err;

	see(name);
	err = qrt_http_next(cx, req, resp, walk);
	see(name);
	return err;
}

static enum qrt_err answers(struct qrt_cx *cx, struct qrt_http_request *req,
			    struct qrt_http_response *resp, struct qrt_http_walk *walk)
{
	(void)cx;
	(void)req;
	see("!");
	qrt_http_set_status(resp, walk->route != NULL ? 403 : 401);
	return QRT_OK;
}

static enum qrt_err twice(struct qrt_cx *cx, struct qrt_http_request *req,
			  struct qrt_http_response *resp, struct qrt_http_walk *walk)
{
	enum qrt_err err = qrt_http_next(cx, req, resp, walk);

	return err ? err : qrt_http_next(cx, req, resp, walk);
}

static enum qrt_err handler(struct qrt_cx *cx, struct qrt_http_request *req,
			    struct qrt_http_response *resp)
{
	(void)cx;
	(void)req;
	(void)resp;
	see("h");
	return QRT_OK;
}

static enum qrt_err failing(struct qrt_cx *cx, struct qrt_http_request *req,
			    struct qrt_http_response *resp)
{
	(void)cx;
	(void)req;
	(void)resp;
	see("f");
	return QRT_ECONFLICT;
}

static void links_run_in_order_around_the_handler(void **state)
{
	static const struct qrt_http_link links[] = {
	    {around, "a"}, {around, "b"}, {around, "c"}, {NULL, NULL}};
	static const struct qrt_http_link none[] = {{NULL, NULL}};
	struct fixture *fix = *state;

	begin(fix, "GET", "/");
	assert_int_equal(qrt_http_chain(links, handler, NULL, &fix->req, &fix->resp), QRT_OK);
	assert_string_equal(seen, "abchcba");
	seen[0] = '\0';
	assert_int_equal(qrt_http_chain(none, handler, NULL, &fix->req, &fix->resp), QRT_OK);
	assert_string_equal(seen, "h");
	seen[0] = '\0';
	assert_int_equal(qrt_http_chain(links, failing, NULL, &fix->req, &fix->resp),
			 QRT_ECONFLICT);
	assert_string_equal(seen, "abcfcba");
}

static void a_link_may_answer_instead_of_the_rest(void **state)
{
	static const struct qrt_http_link links[] = {
	    {around, "a"}, {answers, NULL}, {around, "c"}, {NULL, NULL}};
	struct fixture *fix = *state;

	begin(fix, "GET", "/");
	assert_int_equal(qrt_http_chain(links, handler, NULL, &fix->req, &fix->resp), QRT_OK);
	assert_string_equal(seen, "a!a");
	assert_int_equal(fix->resp.status, 401);
}

static void the_handler_is_called_once(void **state)
{
	static const struct qrt_http_link links[] = {{twice, NULL}, {around, "b"}, {NULL, NULL}};
	struct fixture *fix = *state;

	begin(fix, "GET", "/");
	assert_int_equal(qrt_http_chain(links, handler, NULL, &fix->req, &fix->resp), QRT_ESTATE);
	assert_string_equal(seen, "bhb");
}

/* --- groups ---------------------------------------------------------------------------------- */

static enum qrt_err tells_about(struct qrt_cx *cx, struct qrt_http_request *req,
				struct qrt_http_response *resp, struct qrt_http_walk *walk)
{
	see(walk->route->about);
	assert_string_equal(qrt_http_route(req), walk->route->pattern);
	return qrt_http_next(cx, req, resp, walk);
}

static const struct qrt_http_link open_links[] = {{tells_about, NULL}, {NULL, NULL}};
static const struct qrt_http_link shut_links[] = {{tells_about, NULL}, {answers, NULL}, {0}};
static const struct qrt_http_route open_routes[] = {
    {"GET", "/a/{id}", handler, "get", {0}},
    {"POST", "/a/{id}", failing, "post", {0}},
};
static const struct qrt_http_route shut_routes[] = {{"GET", "/b", handler, "shut", {0}}};
static const struct qrt_http_group open_group = {open_links, open_routes, 2};
static const struct qrt_http_group shut_group = {shut_links, shut_routes, 1};

static enum qrt_err ask(struct fixture *fix, const char *method, const char *path)
{
	begin(fix, method, path);
	seen[0] = '\0';
	return qrt_http_dispatch(fix->router, NULL, &fix->req, &fix->resp);
}

static void a_route_is_reached_through_the_links_of_its_group(void **state)
{
	static const struct qrt_http_route bad = {"GET", "no-slash", handler, NULL, {0}};
	static const struct qrt_http_group bad_group = {open_links, &bad, 1};
	struct fixture *fix = *state;

	assert_int_equal(qrt_http_group_add(fix->router, &open_group), QRT_OK);
	assert_int_equal(qrt_http_group_add(fix->router, &shut_group), QRT_OK);
	assert_int_equal(qrt_http_route_add(fix->router, "GET", "/c", handler), QRT_OK);
	assert_int_equal(ask(fix, "GET", "/a/1"), QRT_OK);
	assert_string_equal(seen, "geth");
	assert_string_equal(qrt_http_param(&fix->req, "id"), "1");
	assert_int_equal(ask(fix, "HEAD", "/a/1"), QRT_OK);
	assert_string_equal(seen, "geth");
	assert_int_equal(ask(fix, "POST", "/a/1"), QRT_ECONFLICT);
	assert_string_equal(seen, "postf");
	assert_int_equal(ask(fix, "GET", "/b"), QRT_OK);
	assert_string_equal(seen, "shut!");
	assert_int_equal(fix->resp.status, 403);
	assert_int_equal(ask(fix, "GET", "/c"), QRT_OK);
	assert_string_equal(seen, "h");
	assert_int_equal(ask(fix, "PUT", "/a/1"), QRT_ENOTSUP);
	assert_string_equal(seen, "");
	assert_int_equal(qrt_http_group_add(fix->router, &open_group), QRT_EEXIST);
	assert_int_equal(qrt_http_group_add(fix->router, &bad_group), QRT_EINVAL);
}

/* --- what links hand on ---------------------------------------------------------------------- */

static enum qrt_err sets(struct qrt_cx *cx, struct qrt_http_request *req,
			 struct qrt_http_response *resp, struct qrt_http_walk *walk)
{
	char *local = qrt_http_alloc(req, 100);

	assert_null(qrt_http_local(req));
	assert_non_null(local);
	for (int i = 0; i < 100; i++) {
		assert_int_equal(local[i], 0);
	}
	strcpy(local, "told");
	qrt_http_set_local(req, local);
	return qrt_http_next(cx, req, resp, walk);
}

static enum qrt_err hears(struct qrt_cx *cx, struct qrt_http_request *req,
			  struct qrt_http_response *resp)
{
	(void)cx;
	(void)resp;
	see(qrt_http_local(req));
	return QRT_OK;
}

static void a_link_can_leave_something_for_the_others(void **state)
{
	static const struct qrt_http_link links[] = {{sets, NULL}, {NULL, NULL}};
	struct fixture *fix = *state;

	begin(fix, "GET", "/");
	assert_int_equal(qrt_http_chain(links, hears, NULL, &fix->req, &fix->resp), QRT_OK);
	assert_string_equal(seen, "told");
	/* The next request on the connection does not see it. */
	begin(fix, "GET", "/");
	assert_null(qrt_http_local(&fix->req));
}

static enum qrt_err narrows(struct qrt_cx *cx, struct qrt_http_request *req,
			    struct qrt_http_response *resp, struct qrt_http_walk *walk)
{
	struct qrt_cx *less = qrt_cx_narrow(cx, QRT_CAP_TIME);

	return less != NULL ? qrt_http_next(less, req, resp, walk) : QRT_ENOMEM;
}

static enum qrt_err tries(struct qrt_cx *cx, struct qrt_http_request *req,
			  struct qrt_http_response *resp)
{
	int64_t now_ns;
	uint8_t byte;

	(void)req;
	(void)resp;
	EXPECT(!qrt_now(cx, &now_ns));
	EXPECT(qrt_random(cx, &byte, 1) == QRT_ENOTCAPABLE);
	return QRT_OK;
}

static enum qrt_err narrowed(struct qrt_cx *cx, void *arg)
{
	static const struct qrt_http_link links[] = {{narrows, NULL}, {NULL, NULL}};
	struct fixture *fix = arg;

	begin(fix, "GET", "/");
	return qrt_http_chain(links, tries, cx, &fix->req, &fix->resp);
}

static void a_link_can_take_capabilities_away(void **state)
{
	on_each_backend(narrowed, *state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(links_run_in_order_around_the_handler, setup, teardown),
	    cmocka_unit_test_setup_teardown(a_link_may_answer_instead_of_the_rest, setup, teardown),
	    cmocka_unit_test_setup_teardown(the_handler_is_called_once, setup, teardown),
	    cmocka_unit_test_setup_teardown(a_route_is_reached_through_the_links_of_its_group,
					    setup, teardown),
	    cmocka_unit_test_setup_teardown(a_link_can_leave_something_for_the_others, setup,
					    teardown),
	    cmocka_unit_test_setup_teardown(a_link_can_take_capabilities_away, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
