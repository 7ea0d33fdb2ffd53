/*
 * White-box test of the router: which pattern a path reaches, what it captures, and what a wrong
 * method is told. The handlers never suspend, so no runtime is needed.
 */
#include "tests/lib/test.h"

#include <stdlib.h>
#include <string.h>

#include "shim/src/http/message.h"

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

struct fixture {
	struct qrt__http_arena arena;
	struct qrt_http_request req;
	struct qrt_http_response resp;
	struct qrt_http_router *router;
};

static int setup(void **state)
{
	struct fixture *fix = calloc(1, sizeof(*fix));

	assert_non_null(fix);
	qrt__http_arena_init(&fix->arena);
	assert_int_equal(qrt_http_router_create(&fix->router), QRT_OK);
	*state = fix;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fix = *state;

	qrt_http_router_destroy(&fix->router);
	assert_null(fix->router);
	qrt_http_router_destroy(&fix->router);
	qrt__http_arena_fini(&fix->arena);
	free(fix);
	return 0;
}

static enum qrt_err say_route(struct qrt_cx *cx, struct qrt_http_request *req,
			      struct qrt_http_response *resp)
{
	(void)cx;
	return qrt_http_set_body(resp, req->route, strlen(req->route));
}

static enum qrt_err refuse(struct qrt_cx *cx, struct qrt_http_request *req,
			   struct qrt_http_response *resp)
{
	(void)cx;
	(void)req;
	qrt_http_set_status(resp, 418);
	return QRT_ECONFLICT;
}

static enum qrt_err ask(struct fixture *fix, const char *method, const char *path)
{
	qrt__http_arena_reset(&fix->arena);
	qrt__http_request_init(&fix->req, &fix->arena);
	qrt__http_response_init(&fix->resp, &fix->arena, NULL);
	fix->req.method = method;
	fix->req.path = path;
	return qrt_http_dispatch(fix->router, NULL, &fix->req, &fix->resp);
}

static void add(struct fixture *fix, const char *method, const char *pattern)
{
	assert_int_equal(qrt_http_route_add(fix->router, method, pattern, say_route), QRT_OK);
}

static void reaches(struct fixture *fix, const char *method, const char *path, const char *pattern)
{
	assert_int_equal(ask(fix, method, path), QRT_OK);
	assert_string_equal(qrt_http_route(&fix->req), pattern);
	assert_string_equal(fix->resp.body, pattern);
}

static void a_path_reaches_its_pattern_and_fills_its_parameters(void **state)
{
	struct fixture *fix = *state;

	add(fix, "GET", "/");
	add(fix, "GET", "/api/v1/quotes");
	add(fix, "POST", "/api/v1/quotes/{id}/price");
	add(fix, "GET", "/api/v1/quotes/{quote}/lines/{line_2}");
	reaches(fix, "GET", "/", "/");
	reaches(fix, "GET", "/api/v1/quotes", "/api/v1/quotes");
	reaches(fix, "POST", "/api/v1/quotes/Q-1/price", "/api/v1/quotes/{id}/price");
	assert_string_equal(qrt_http_param(&fix->req, "id"), "Q-1");
	assert_null(qrt_http_param(&fix->req, "quote"));
	reaches(fix, "GET", "/api/v1/quotes/Q 2/lines/7", "/api/v1/quotes/{quote}/lines/{line_2}");
	assert_string_equal(qrt_http_param(&fix->req, "quote"), "Q 2");
	assert_string_equal(qrt_http_param(&fix->req, "line_2"), "7");
}

static void an_unknown_path_is_not_found(void **state)
{
	static const char *const paths[] = {
	    "/", "", "*", "/a", "/a/", "/a//b", "/a/x/b/", "/A/x/b", "/a/x/c", "/ax/b", "/a/x/bb",
	};
	struct fixture *fix = *state;

	add(fix, "GET", "/a/{id}/b");
	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		assert_int_equal(ask(fix, "GET", paths[i]), QRT_ENOENT);
		assert_string_equal(qrt_http_route(&fix->req), "");
		assert_null(qrt_http_response_header(&fix->resp, "Allow"));
	}
}

static void a_parameter_is_never_empty(void **state)
{
	struct fixture *fix = *state;

	add(fix, "GET", "/a/{id}");
	assert_int_equal(ask(fix, "GET", "/a/"), QRT_ENOENT);
	add(fix, "GET", "/a/");
	reaches(fix, "GET", "/a/", "/a/");
	reaches(fix, "GET", "/a/b", "/a/{id}");
}

static void a_literal_goes_before_a_parameter(void **state)
{
	struct fixture *fix = *state;

	add(fix, "GET", "/q/{id}");
	add(fix, "GET", "/q/new");
	add(fix, "GET", "/{any}/old");
	reaches(fix, "GET", "/q/new", "/q/new");
	reaches(fix, "GET", "/q/news", "/q/{id}");
	reaches(fix, "GET", "/q/old", "/q/{id}");
	reaches(fix, "GET", "/p/old", "/{any}/old");
	assert_string_equal(qrt_http_param(&fix->req, "any"), "p");
}

static void the_walk_comes_back_from_a_dead_end(void **state)
{
	struct fixture *fix = *state;

	add(fix, "GET", "/q/new/x");
	add(fix, "GET", "/{a}/{b}/{c}");
	add(fix, "GET", "/{a}/new/y");
	reaches(fix, "GET", "/q/new/z", "/{a}/{b}/{c}");
	assert_string_equal(qrt_http_param(&fix->req, "a"), "q");
	assert_string_equal(qrt_http_param(&fix->req, "b"), "new");
	assert_string_equal(qrt_http_param(&fix->req, "c"), "z");
	reaches(fix, "GET", "/q/new/y", "/{a}/new/y");
	assert_int_equal(fix->req.params.n, 1);
}

static void a_wrong_method_is_told_the_right_ones(void **state)
{
	struct fixture *fix = *state;

	add(fix, "GET", "/q/{id}");
	add(fix, "DELETE", "/q/{id}");
	add(fix, "POST", "/q/new");
	assert_int_equal(ask(fix, "PUT", "/q/1"), QRT_ENOTSUP);
	assert_string_equal(qrt_http_response_header(&fix->resp, "Allow"), "GET, HEAD, DELETE");
	assert_string_equal(qrt_http_route(&fix->req), "");
	assert_int_equal(ask(fix, "PUT", "/q/new"), QRT_ENOTSUP);
	assert_string_equal(qrt_http_response_header(&fix->resp, "Allow"),
			    "POST, GET, HEAD, DELETE");
	reaches(fix, "GET", "/q/new", "/q/{id}");
	assert_int_equal(ask(fix, "get", "/q/1"), QRT_ENOTSUP);
}

static void head_goes_to_get_unless_it_has_its_own(void **state)
{
	struct fixture *fix = *state;

	add(fix, "GET", "/a");
	add(fix, "POST", "/b");
	reaches(fix, "HEAD", "/a", "/a");
	assert_int_equal(ask(fix, "HEAD", "/b"), QRT_ENOTSUP);
	assert_string_equal(qrt_http_response_header(&fix->resp, "Allow"), "POST");
	assert_int_equal(qrt_http_route_add(fix->router, "HEAD", "/a", refuse), QRT_OK);
	assert_int_equal(ask(fix, "HEAD", "/a"), QRT_ECONFLICT);
	assert_int_equal(ask(fix, "PUT", "/a"), QRT_ENOTSUP);
	assert_string_equal(qrt_http_response_header(&fix->resp, "Allow"), "GET, HEAD");
}

static void a_handlers_error_comes_through(void **state)
{
	struct fixture *fix = *state;

	assert_int_equal(qrt_http_route_add(fix->router, "GET", "/x", refuse), QRT_OK);
	assert_int_equal(ask(fix, "GET", "/x"), QRT_ECONFLICT);
	assert_int_equal(qrt_http_status(&fix->resp), 418);
	assert_string_equal(qrt_http_route(&fix->req), "/x");
}

static void bad_patterns_are_refused(void **state)
{
	static const char *const bad[] = {
	    "",	     "a",     "a/b",	"//",	    "/a//b",   "/{}", "/{a",  "/a}",
	    "/x{a}", "/{a}x", "/{a b}", "/{a}/{a}", "/{a}/{b", "/?q", "/a#b", "/%41",
	};
	struct fixture *fix = *state;
	char deep[2 * 40 + 1] = "";

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		assert_int_equal(qrt_http_route_add(fix->router, "GET", bad[i], say_route),
				 QRT_EINVAL);
	}
	for (size_t i = 0; i < 40; i++) {
		memcpy(deep + 2 * i, "/a", 2);
	}
	assert_int_equal(qrt_http_route_add(fix->router, "GET", deep, say_route), QRT_EINVAL);
	assert_int_equal(qrt_http_route_add(fix->router, "G T", "/a", say_route), QRT_EINVAL);
	assert_int_equal(qrt_http_route_add(fix->router, "", "/a", say_route), QRT_EINVAL);
	assert_int_equal(qrt_http_route_add(fix->router, "GET", "/a", NULL), QRT_EINVAL);
	assert_int_equal(qrt_http_route_add(fix->router, NULL, "/a", say_route), QRT_EINVAL);
	assert_int_equal(ask(fix, "GET", deep), QRT_ENOENT);
	assert_int_equal(ask(fix, "GET", "/a"), QRT_ENOENT);
}

static void one_pattern_and_method_has_one_handler(void **state)
{
	struct fixture *fix = *state;

	add(fix, "GET", "/a/{id}");
	assert_int_equal(qrt_http_route_add(fix->router, "GET", "/a/{id}", refuse), QRT_EEXIST);
	assert_int_equal(qrt_http_route_add(fix->router, "GET", "/a/{other}", refuse), QRT_EEXIST);
	reaches(fix, "GET", "/a/1", "/a/{id}");
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(a_path_reaches_its_pattern_and_fills_its_parameters),
	    TEST(an_unknown_path_is_not_found),
	    TEST(a_parameter_is_never_empty),
	    TEST(a_literal_goes_before_a_parameter),
	    TEST(the_walk_comes_back_from_a_dead_end),
	    TEST(a_wrong_method_is_told_the_right_ones),
	    TEST(head_goes_to_get_unless_it_has_its_own),
	    TEST(a_handlers_error_comes_through),
	    TEST(bad_patterns_are_refused),
	    TEST(one_pattern_and_method_has_one_handler),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
