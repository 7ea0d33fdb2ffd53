/*
 * White-box test of HTTP messages and their arena: fields, decoding, what a head must satisfy,
 * and the bytes of a response head. It must never need a runtime.
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
};

static int setup(void **state)
{
	struct fixture *fix = malloc(sizeof(*fix));

	assert_non_null(fix);
	qrt__http_arena_init(&fix->arena);
	qrt__http_request_init(&fix->req, &fix->arena);
	qrt__http_response_init(&fix->resp, &fix->arena, NULL);
	*state = fix;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fix = *state;

	qrt__http_arena_fini(&fix->arena);
	free(fix);
	return 0;
}

static void arena_memory_is_whole_and_separate(void **state)
{
	struct fixture *fix = *state;
	unsigned char *parts[300];

	for (int round = 0; round < 3; round++) {
		for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
			parts[i] = qrt__http_arena_alloc(&fix->arena, i * 7 % 900 + 1);
			assert_non_null(parts[i]);
			assert_int_equal((uintptr_t)parts[i] % 16, 0);
			memset(parts[i], (int)(i % 251), i * 7 % 900 + 1);
		}
		for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
			for (size_t j = 0; j < i * 7 % 900 + 1; j++) {
				assert_int_equal(parts[i][j], i % 251);
			}
		}
		qrt__http_arena_reset(&fix->arena);
	}
}

static void arena_text_grows_byte_by_byte_and_keeps_its_bytes(void **state)
{
	struct fixture *fix = *state;
	char *text = NULL;
	const char *other = qrt__http_arena_text(&fix->arena, "other", 5);

	for (size_t n = 0; n < 20000; n++) {
		text = qrt__http_arena_grow(&fix->arena, text, n, n + 1);
		assert_non_null(text);
		text[n] = (char)('a' + n % 26);
	}
	for (size_t n = 0; n < 20000; n++) {
		assert_int_equal(text[n], 'a' + n % 26);
	}
	assert_string_equal(other, "other");
}

static void arena_keeps_one_chunk_for_the_next_exchange(void **state)
{
	struct fixture *fix = *state;
	char *first = qrt__http_arena_alloc(&fix->arena, 10);

	assert_non_null(qrt__http_arena_alloc(&fix->arena, 100000));
	qrt__http_arena_reset(&fix->arena);
	assert_ptr_equal(qrt__http_arena_alloc(&fix->arena, 10), first);
	assert_null(qrt__http_arena_alloc(&fix->arena, SIZE_MAX - 4));
}

static void names_are_tokens(void **state)
{
	static const char *const bad[] = {"", "a b", "a:", "a\r", "\xc3\xa9", "a(", "a\x7f"};

	(void)state;
	assert_true(qrt__http_name_valid("X-Correlation-Id"));
	assert_true(qrt__http_name_valid("!#$%&'*+-.^_`|~09azAZ"));
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		assert_false(qrt__http_name_valid(bad[i]));
	}
}

static void lists_are_searched_token_by_token(void **state)
{
	(void)state;
	assert_true(qrt__http_list_has("close", "close"));
	assert_true(qrt__http_list_has(" Keep-Alive ,\tCLOSE\t, x", "close"));
	assert_true(qrt__http_list_has(",,close", "close"));
	assert_false(qrt__http_list_has("closed", "close"));
	assert_false(qrt__http_list_has("not close", "close"));
	assert_false(qrt__http_list_has("", "close"));
	assert_false(qrt__http_list_has(" , ", "close"));
}

static void a_fresh_request_has_no_null_where_none_is_promised(void **state)
{
	struct fixture *fix = *state;
	size_t len = 7;

	assert_string_equal(qrt_http_method(&fix->req), "");
	assert_string_equal(qrt_http_path(&fix->req), "");
	assert_string_equal(qrt_http_route(&fix->req), "");
	assert_string_equal(qrt_http_peer(&fix->req), "");
	assert_string_equal(qrt_http_body(&fix->req, &len), "");
	assert_int_equal(len, 0);
	assert_null(qrt_http_query(&fix->req, "a"));
	assert_null(qrt_http_header(&fix->req, "a"));
	assert_null(qrt_http_param(&fix->req, "a"));
	assert_null(qrt_http_app(&fix->req));
}

static void targets_are_split_and_decoded(void **state)
{
	static const struct {
		const char *target, *path;
	} good[] = {
	    {"/", "/"},		  {"*", "*"},
	    {"/a/b", "/a/b"},	  {"/a%20b", "/a b"},
	    {"/a+b", "/a+b"},	  {"/%e2%82%AC", "/\xe2\x82\xac"},
	    {"/?", "/"},	  {"http://host.example:80/x?y=1", "/x"},
	    {"HTTP://host", "/"}, {"http://host?y=1", "/"},
	    {"/a//b", "/a//b"},	  {"/end%41", "/endA"},
	};
	static const char *const bad[] = {
	    "",	      "a",	  "/%",	  "/%4",      "/%4g",	 "/%g4",     "/%00",
	    "/a?b=%", "/a?%zz=1", "/a#b", "ftp://h/", "host:80", "/a?b=%00",
	};
	struct fixture *fix = *state;

	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		qrt__http_request_init(&fix->req, &fix->arena);
		assert_int_equal(qrt__http_request_set_target(&fix->req, good[i].target), QRT_OK);
		assert_string_equal(qrt_http_path(&fix->req), good[i].path);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		qrt__http_request_init(&fix->req, &fix->arena);
		assert_int_equal(qrt__http_request_set_target(&fix->req, bad[i]), QRT_EINVAL);
		assert_string_equal(qrt_http_path(&fix->req), "");
	}
}

static void query_parameters_are_decoded_and_the_first_counts(void **state)
{
	struct fixture *fix = *state;
	const char *target = "/q?a=1&b=x+y%26z&a=2&empty=&bare&&%6eame=v%3D%3d&e=%41=";

	assert_int_equal(qrt__http_request_set_target(&fix->req, target), QRT_OK);
	assert_string_equal(qrt_http_query(&fix->req, "a"), "1");
	assert_string_equal(qrt_http_query(&fix->req, "b"), "x y&z");
	assert_string_equal(qrt_http_query(&fix->req, "empty"), "");
	assert_string_equal(qrt_http_query(&fix->req, "bare"), "");
	assert_string_equal(qrt_http_query(&fix->req, "name"), "v==");
	assert_string_equal(qrt_http_query(&fix->req, "e"), "A=");
	assert_null(qrt_http_query(&fix->req, "A"));
	assert_null(qrt_http_query(&fix->req, ""));
}

static void too_many_query_parameters_reach_the_limit(void **state)
{
	struct fixture *fix = *state;
	char target[2 * (QRT__HTTP_FIELDS_MAX + 1) + 3] = "/?";

	for (size_t i = 0; i <= QRT__HTTP_FIELDS_MAX; i++) {
		memcpy(target + 2 + 2 * i, "a&", 2);
	}
	target[sizeof(target) - 1] = '\0';
	assert_int_equal(qrt__http_request_set_target(&fix->req, target), QRT_ELIMIT);
}

static void request_headers_are_found_in_any_case(void **state)
{
	struct fixture *fix = *state;

	assert_int_equal(qrt__http_request_add_header(&fix->req, "Accept", "a"), QRT_OK);
	assert_int_equal(qrt__http_request_add_header(&fix->req, "ACCEPT", "b"), QRT_OK);
	assert_string_equal(qrt_http_header(&fix->req, "accept"), "a");
	assert_null(qrt_http_header(&fix->req, "accep"));
	assert_int_equal(qrt__http_request_add_header(&fix->req, "a b", "x"), QRT_EINVAL);
	assert_int_equal(qrt__http_request_add_header(&fix->req, "a", "x\ny"), QRT_EINVAL);
}

struct check_case {
	const char *headers[3][2];
	int minor, status;
	bool keep_alive, expect;
	const char *why;
};

static void a_head_is_judged_as_a_whole(void **state)
{
	static const struct check_case cases[] = {
	    {{{"Host", "h"}}, 1, 0, true, false, ""},
	    {{{"Host", "h"}, {"Connection", "x, Close"}}, 1, 0, false, false, ""},
	    {{{"Connection", "close"}}, 1, 400, false, false, "no Host"},
	    {{{NULL}}, 0, 0, false, false, ""},
	    {{{"Connection", "Keep-Alive"}}, 0, 0, true, false, ""},
	    {{{"Host", "a"}, {"host", "a"}}, 1, 400, false, false, "more than one Host"},
	    {{{"Host", "a"}, {"host", "a"}}, 0, 400, false, false, "more than one Host"},
	    {{{"Host", "h"}, {"Content-Length", "1"}, {"content-length", "1"}},
	     1,
	     400,
	     false,
	     false,
	     "more than one Content-Length"},
	    {{{"Host", "h"}, {"Content-Length", "1"}, {"Transfer-Encoding", "chunked"}},
	     1,
	     400,
	     false,
	     false,
	     "both Content-Length and Transfer-Encoding"},
	    {{{"Transfer-Encoding", "chunked"}},
	     0,
	     400,
	     false,
	     false,
	     "Transfer-Encoding in HTTP/1.0"},
	    {{{"Host", "h"}, {"Transfer-Encoding", "Chunked"}}, 1, 0, true, false, ""},
	    {{{"Host", "h"}, {"Transfer-Encoding", "gzip, chunked"}},
	     1,
	     501,
	     false,
	     false,
	     "a transfer coding other than chunked"},
	    {{{"Host", "h"}, {"Expect", "100-Continue"}}, 1, 0, true, true, ""},
	    {{{"Expect", "100-continue"}}, 0, 0, false, false, ""},
	    {{{"Host", "h"}, {"Expect", "200-ok"}},
	     1,
	     417,
	     true,
	     false,
	     "an expectation other than 100-continue"},
	};
	struct fixture *fix = *state;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct check_case *c = &cases[i];
		const char *why = "";

		qrt__http_request_init(&fix->req, &fix->arena);
		fix->req.minor = c->minor;
		for (size_t j = 0; j < 3 && c->headers[j][0]; j++) {
			assert_int_equal(qrt__http_request_add_header(&fix->req, c->headers[j][0],
								      c->headers[j][1]),
					 QRT_OK);
		}
		assert_int_equal(qrt__http_request_check(&fix->req, &why), c->status);
		assert_string_equal(why, c->why);
		assert_int_equal(fix->req.keep_alive, c->keep_alive);
		assert_int_equal(fix->req.expect_continue, c->expect);
	}
}

static void a_response_header_is_replaced_whatever_its_case(void **state)
{
	struct fixture *fix = *state;

	assert_int_equal(qrt_http_set_header(&fix->resp, "ETag", "1"), QRT_OK);
	assert_int_equal(qrt_http_set_header(&fix->resp, "etag", "2"), QRT_OK);
	assert_string_equal(qrt_http_response_header(&fix->resp, "ETAG"), "2");
	assert_int_equal(fix->resp.headers.n, 1);
	assert_null(qrt_http_response_header(&fix->resp, "X"));
}

static void a_response_header_cannot_split_or_frame_the_message(void **state)
{
	struct fixture *fix = *state;

	assert_int_equal(qrt_http_set_header(&fix->resp, "X", "a\r\nSet-Cookie: b"), QRT_EINVAL);
	assert_int_equal(qrt_http_set_header(&fix->resp, "X", "a\nb"), QRT_EINVAL);
	assert_int_equal(qrt_http_set_header(&fix->resp, "X: y", "a"), QRT_EINVAL);
	assert_int_equal(qrt_http_set_header(&fix->resp, "", "a"), QRT_EINVAL);
	assert_int_equal(qrt_http_set_header(&fix->resp, "content-length", "1"), QRT_EINVAL);
	assert_int_equal(qrt_http_set_header(&fix->resp, "Transfer-Encoding", "x"), QRT_EINVAL);
	assert_int_equal(fix->resp.headers.n, 0);
}

static void a_body_is_copied_and_replaced(void **state)
{
	struct fixture *fix = *state;
	char data[] = "one\0two";
	size_t len;

	assert_int_equal(qrt_http_set_body(&fix->resp, "x", 1), QRT_OK);
	assert_int_equal(qrt_http_set_body(&fix->resp, data, sizeof(data) - 1), QRT_OK);
	memset(data, '-', sizeof(data));
	assert_memory_equal(qrt_http_response_body(&fix->resp, &len), "one\0two", 7);
	assert_int_equal(len, 7);
	assert_int_equal(qrt_http_set_body(&fix->resp, NULL, 0), QRT_OK);
	assert_string_equal(qrt_http_response_body(&fix->resp, &len), "");
	assert_int_equal(len, 0);
}

static void expect_head(const struct fixture *fix, const struct qrt__http_head *how,
			const char *expected)
{
	const char *text = NULL;
	size_t len = 0;

	assert_int_equal(qrt__http_response_head(&fix->resp, how, &text, &len), QRT_OK);
	assert_int_equal(len, strlen(expected));
	assert_memory_equal(text, expected, len);
}

static void a_head_has_exactly_the_promised_bytes(void **state)
{
	struct fixture *fix = *state;
	struct qrt__http_head how = {.date = "D"};

	assert_int_equal(qrt_http_set_header(&fix->resp, "A", "b"), QRT_OK);
	assert_int_equal(qrt_http_set_body(&fix->resp, "12345678901", 11), QRT_OK);
	expect_head(fix, &how, "HTTP/1.1 200 OK\r\nA: b\r\nDate: D\r\nContent-Length: 11\r\n\r\n");
	how.http10 = true;
	how.date = NULL;
	expect_head(fix, &how,
		    "HTTP/1.1 200 OK\r\nA: b\r\nContent-Length: 11\r\n"
		    "Connection: keep-alive\r\n\r\n");
	how.close = true;
	assert_int_equal(qrt_http_set_header(&fix->resp, "Connection", "keep-alive"), QRT_OK);
	expect_head(fix, &how,
		    "HTTP/1.1 200 OK\r\nA: b\r\nContent-Length: 11\r\nConnection: close\r\n\r\n");
	qrt_http_set_status(&fix->resp, 204);
	how.close = false;
	how.http10 = false;
	how.date = "D";
	assert_int_equal(qrt_http_set_header(&fix->resp, "Date", "own"), QRT_OK);
	expect_head(fix, &how, "HTTP/1.1 204 No Content\r\nA: b\r\nDate: own\r\n\r\n");
}

static void a_handler_may_ask_for_the_connection_to_close(void **state)
{
	struct fixture *fix = *state;

	assert_false(qrt__http_response_closes(&fix->resp));
	assert_int_equal(qrt_http_set_header(&fix->resp, "connection", "Close"), QRT_OK);
	assert_true(qrt__http_response_closes(&fix->resp));
}

static void dates_are_those_of_the_calendar(void **state)
{
	char buf[QRT__HTTP_DATE_MAX];

	(void)state;
	qrt__http_date(0, buf);
	assert_string_equal(buf, "Thu, 01 Jan 1970 00:00:00 GMT");
	qrt__http_date(784111777000 + 999, buf);
	assert_string_equal(buf, "Sun, 06 Nov 1994 08:49:37 GMT");
	qrt__http_date(951782400000, buf);
	assert_string_equal(buf, "Tue, 29 Feb 2000 00:00:00 GMT");
	qrt__http_date(1735689599000, buf);
	assert_string_equal(buf, "Tue, 31 Dec 2024 23:59:59 GMT");
	qrt__http_date(1772323200000, buf);
	assert_string_equal(buf, "Sun, 01 Mar 2026 00:00:00 GMT");
}

static void reasons_are_known_or_unknown(void **state)
{
	(void)state;
	assert_string_equal(qrt_http_reason(404), "Not Found");
	assert_string_equal(qrt_http_reason(431), "Request Header Fields Too Large");
	assert_string_equal(qrt_http_reason(299), "Unknown");
	assert_string_equal(qrt_http_reason(-1), "Unknown");
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

static void what_is_escaped_is_decoded_or_refused(void **state)
{
	static const struct {
		const char *text;
		size_t n, size;
		bool plus;
		enum qrt_err err;
		const char *want;
	} cases[] = {
	    {"", 0, 1, true, QRT_OK, ""},
	    {"a+b%20c", 7, 16, true, QRT_OK, "a b c"},
	    {"a+b%20c", 7, 16, false, QRT_OK, "a+b c"},
	    {"%2B%2b%25", 9, 16, true, QRT_OK, "++%"},
	    {"%e4", 3, 16, true, QRT_OK, "\xe4"},
	    {"%41", 3, 2, true, QRT_OK, "A"},
	    {"%4", 2, 16, true, QRT_EINVAL, NULL},
	    {"%41", 2, 16, true, QRT_EINVAL, NULL},
	    {"%", 1, 16, true, QRT_EINVAL, NULL},
	    {"%g1", 3, 16, true, QRT_EINVAL, NULL},
	    {"%1g", 3, 16, true, QRT_EINVAL, NULL},
	    {"a%00b", 5, 16, true, QRT_EINVAL, NULL},
	    {"a\0b", 3, 16, true, QRT_EINVAL, NULL},
	    {"abc", 3, 4, true, QRT_OK, "abc"},
	    {"abc", 3, 3, true, QRT_ELIMIT, NULL},
	    {"%41%42", 6, 2, true, QRT_ELIMIT, NULL},
	    {"", 0, 0, true, QRT_ELIMIT, NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		/* Memory of exactly this size, so that a sanitizer sees a write behind it. */
		char *block = malloc(cases[i].size + 1);
		char *got = block + 1;
		char same[16];

		assert_non_null(block);
		assert_int_equal(
		    qrt_http_decode(cases[i].text, cases[i].n, cases[i].plus, got, cases[i].size),
		    cases[i].err);
		memcpy(same, cases[i].text, cases[i].n);
		if (!cases[i].err) {
			assert_string_equal(got, cases[i].want);
			assert_int_equal(
			    qrt_http_decode(same, cases[i].n, cases[i].plus, same, cases[i].n + 1),
			    QRT_OK);
			assert_string_equal(same, cases[i].want);
		}
		free(block);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(arena_memory_is_whole_and_separate),
	    TEST(arena_text_grows_byte_by_byte_and_keeps_its_bytes),
	    TEST(arena_keeps_one_chunk_for_the_next_exchange),
	    TEST(names_are_tokens),
	    TEST(lists_are_searched_token_by_token),
	    TEST(a_fresh_request_has_no_null_where_none_is_promised),
	    TEST(what_is_escaped_is_decoded_or_refused),
	    TEST(targets_are_split_and_decoded),
	    TEST(query_parameters_are_decoded_and_the_first_counts),
	    TEST(too_many_query_parameters_reach_the_limit),
	    TEST(request_headers_are_found_in_any_case),
	    TEST(a_head_is_judged_as_a_whole),
	    TEST(a_response_header_is_replaced_whatever_its_case),
	    TEST(a_response_header_cannot_split_or_frame_the_message),
	    TEST(a_body_is_copied_and_replaced),
	    TEST(a_head_has_exactly_the_promised_bytes),
	    TEST(a_handler_may_ask_for_the_connection_to_close),
	    TEST(dates_are_those_of_the_calendar),
	    TEST(reasons_are_known_or_unknown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
