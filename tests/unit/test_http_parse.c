/*
 * Table-driven test of the request parser. Every case is fed whole, byte by byte and in pieces
 * of seven, with the same result. It must never need a connection.
 */
#include "tests/lib/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shim/src/http/parse.h"

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define HOST "Host: h\r\n"

/* Small enough that every limit can be met in a literal. */
static const struct qrt__http_limits small = {
    .request_line_max = 64,
    .header_max = 160,
};
/* What a body may be, by the word of whoever feeds. */
static size_t body_max = 32;

struct expected {
	const char *method, *path, *body;
	const char *header, *value; /* one header to look at */
	bool close;
	const char *rest; /* what stays for the next message */
};

struct good_case {
	const char *name, *bytes;
	struct expected want;
};

static const struct good_case good[] = {
    {"plain get", "GET / HTTP/1.1\r\n" HOST "\r\n", {.method = "GET", .path = "/"}},
    {"query", "GET /a%20b?x=1 HTTP/1.1\r\n" HOST "\r\n", {.method = "GET", .path = "/a b"}},
    {"absolute form", "GET http://h/p HTTP/1.1\r\n" HOST "\r\n", {.method = "GET", .path = "/p"}},
    {"asterisk form", "OPTIONS * HTTP/1.1\r\n" HOST "\r\n", {.method = "OPTIONS", .path = "*"}},
    {"one empty line before", "\r\nGET / HTTP/1.1\r\n" HOST "\r\n", {.method = "GET", .path = "/"}},
    {"http/1.0 closes", "GET / HTTP/1.0\r\n\r\n", {.method = "GET", .path = "/", .close = true}},
    {"http/1.0 keeps when asked",
     "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
     {.method = "GET", .path = "/"}},
    {"close asked",
     "GET / HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n",
     {.method = "GET", .path = "/", .close = true}},
    {"white space around a value",
     "GET / HTTP/1.1\r\n" HOST "A: \t b c \t\r\n\r\n",
     {.method = "GET", .path = "/", .header = "a", .value = "b c"}},
    {"empty value",
     "GET / HTTP/1.1\r\n" HOST "A:\r\n\r\n",
     {.method = "GET", .path = "/", .header = "A", .value = ""}},
    {"blank value",
     "GET / HTTP/1.1\r\n" HOST "A:  \r\n\r\n",
     {.method = "GET", .path = "/", .header = "A", .value = ""}},
    {"value after a blank one",
     "GET / HTTP/1.1\r\nA:  \r\nB: 2\r\n" HOST "\r\n",
     {.method = "GET", .path = "/", .header = "B", .value = "2"}},
    {"body",
     "POST /p HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nhello",
     {.method = "POST", .path = "/p", .body = "hello"}},
    {"empty body",
     "POST /p HTTP/1.1\r\n" HOST "Content-Length: 0\r\n\r\n",
     {.method = "POST", .path = "/p"}},
    {"get with a body",
     "GET /p HTTP/1.1\r\n" HOST "Content-Length: 2\r\n\r\nhi",
     {.method = "GET", .path = "/p", .body = "hi"}},
    {"chunked body",
     "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"
     "5\r\nhello\r\n1;x=y\r\n,\r\nA\r\n0123456789\r\n0\r\nTrailer: t\r\n\r\n",
     {.method = "POST", .path = "/", .body = "hello,0123456789", .header = "Trailer"}},
    {"empty chunked body",
     "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: Chunked\r\n\r\n0\r\n\r\n",
     {.method = "POST", .path = "/"}},
    {"longest body",
     "POST / HTTP/1.1\r\n" HOST "Content-Length: 32\r\n\r\n01234567890123456789012345678901",
     {.method = "POST", .path = "/", .body = "01234567890123456789012345678901"}},
    {"longest chunked body",
     "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"
     "10\r\n0123456789012345\r\n10\r\n6789012345678901\r\n0\r\n\r\n",
     {.method = "POST", .path = "/", .body = "01234567890123456789012345678901"}},
    {"pipelined",
     "GET /1 HTTP/1.1\r\n" HOST "\r\nGET /2 HTTP/1.1\r\n",
     {.method = "GET", .path = "/1", .rest = "GET /2 HTTP/1.1\r\n"}},
    {"pipelined behind a body",
     "POST /1 HTTP/1.1\r\n" HOST "Content-Length: 2\r\n\r\nabGET /2 HTTP/1.1\r\n",
     {.method = "POST", .path = "/1", .body = "ab", .rest = "GET /2 HTTP/1.1\r\n"}},
    {"pipelined behind a chunked body",
     "POST /1 HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\nGET",
     {.method = "POST", .path = "/1", .body = "ab", .rest = "GET"}},
    {"bytes after a closing message",
     "GET / HTTP/1.1\r\n" HOST "Connection: close\r\n\r\nxyz",
     {.method = "GET", .path = "/", .close = true, .rest = "xyz"}},
    {"an offer to upgrade is ignored",
     "GET / HTTP/1.1\r\n" HOST "Connection: Upgrade\r\nUpgrade: h2c\r\n\r\nGET",
     {.method = "GET", .path = "/", .rest = "GET"}},
    {"expectation without a body",
     "GET / HTTP/1.1\r\n" HOST "Expect: 100-continue\r\n\r\n",
     {.method = "GET", .path = "/"}},
};

struct bad_case {
	const char *name, *bytes;
	int status;
	const char *why;
};

static const struct bad_case bad[] = {
    {"garbage", "\x16\x03\x01\x02", 400, "malformed method"},
    {"lower case", "get / HTTP/1.1\r\n", 400, "malformed method"},
    {"unknown method", "BREW / HTTP/1.1\r\n", 501, "unknown method"},
    {"connect", "CONNECT h:80 HTTP/1.1\r\n" HOST "\r\n", 400, "malformed request target"},
    {"http/0.9", "GET /\r\n\r\n", 400, "malformed request line"},
    {"http/2", "GET / HTTP/2.0\r\n", 505, "only HTTP/1.0 and HTTP/1.1 are served"},
    {"http/1.2", "GET / HTTP/1.2\r\n", 505, "only HTTP/1.0 and HTTP/1.1 are served"},
    {"http/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505,
     "only HTTP/1.0 and HTTP/1.1 are served"},
    {"other protocol", "GET / FTP/1.0\r\n", 400, "malformed request"},
    {"relative target", "GET a HTTP/1.1\r\n", 400, "malformed request target"},
    {"bad escape", "GET /%zz HTTP/1.1\r\n", 400, "malformed request target"},
    {"escaped NUL", "GET /%00 HTTP/1.1\r\n", 400, "malformed request target"},
    {"raw byte in the target", "GET /\x01 HTTP/1.1\r\n", 400, "malformed request target"},
    {"bare LF after the request line", "GET / HTTP/1.1\nHost: h\n\n", 400, NULL},
    {"bare LF after a header", "GET / HTTP/1.1\r\nHost: h\n\r\n", 400, NULL},
    {"bare LF at the end", "GET / HTTP/1.1\r\nHost: h\r\n\n", 400,
     "a line that does not end in CR LF"},
    {"bare CR in a value", "GET / HTTP/1.1\r\nA: b\rc\r\n\r\n", 400, NULL},
    {"bare CR before a request", "\rGET / HTTP/1.1\r\n", 400, "a bare CR"},
    {"empty lines without end", "\r\n\r\n\r\n\r\n\r\n", 400,
     "too many empty lines before a request"},
    {"folded header", "GET / HTTP/1.1\r\nA: b\r\n c\r\n" HOST "\r\n", 400, "a folded header"},
    {"white space before the first header", "GET / HTTP/1.1\r\n " HOST "\r\n", 400,
     "a folded header"},
    {"space before the colon", "GET / HTTP/1.1\r\nHost : h\r\n\r\n", 400, "malformed header"},
    {"header without a colon", "GET / HTTP/1.1\r\nHost\r\n\r\n", 400, "malformed header"},
    {"header without a name", "GET / HTTP/1.1\r\n: h\r\n\r\n", 400, NULL},
    {"control byte in a value", "GET / HTTP/1.1\r\nA: \x01\r\n\r\n", 400, "malformed header"},
    {"no host", "GET / HTTP/1.1\r\n\r\n", 400, "no Host"},
    {"two hosts", "GET / HTTP/1.1\r\n" HOST HOST "\r\n", 400, "more than one Host"},
    {"two lengths", "POST / HTTP/1.1\r\n" HOST "Content-Length: 1\r\nContent-Length: 1\r\n\r\n",
     400, "malformed or contradicting Content-Length"},
    {"negative length", "POST / HTTP/1.1\r\n" HOST "Content-Length: -1\r\n\r\n", 400,
     "malformed or contradicting Content-Length"},
    {"length with a sign", "POST / HTTP/1.1\r\n" HOST "Content-Length: +1\r\n\r\n", 400,
     "malformed or contradicting Content-Length"},
    {"list of lengths", "POST / HTTP/1.1\r\n" HOST "Content-Length: 1, 1\r\n\r\n", 400,
     "malformed or contradicting Content-Length"},
    {"length beyond 64 bits",
     "POST / HTTP/1.1\r\n" HOST "Content-Length: 99999999999999999999\r\n\r\n", 400,
     "malformed or contradicting Content-Length"},
    {"length and chunked",
     "POST / HTTP/1.1\r\n" HOST "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400,
     NULL},
    {"chunked and length",
     "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n", 400,
     NULL},
    {"chunked in http/1.0", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400,
     "Transfer-Encoding in HTTP/1.0"},
    {"other coding", "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: gzip\r\n\r\n", 501,
     "a transfer coding other than chunked"},
    {"two codings", "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: gzip, chunked\r\n\r\n", 501,
     "a transfer coding other than chunked"},
    {"other expectation", "POST / HTTP/1.1\r\n" HOST "Expect: more\r\n\r\n", 417,
     "an expectation other than 100-continue"},
    {"declared body too long", "POST / HTTP/1.1\r\n" HOST "Content-Length: 33\r\n\r\n", 413,
     "the declared body is too long"},
    {"declared body too long with an expectation",
     "POST / HTTP/1.1\r\n" HOST "Expect: 100-continue\r\nContent-Length: 33\r\n\r\n", 413,
     "the declared body is too long"},
    {"chunk too long", "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n21\r\n", 413,
     "the body is too long"},
    {"chunks too long together",
     "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"
     "10\r\n0123456789012345\r\n10\r\n0123456789012345\r\n1\r\n",
     413, "the body is too long"},
    {"chunk size that is no number",
     "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\nx\r\n", 400,
     "malformed chunk size"},
    {"chunk size beyond 64 bits",
     "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n11111111111111111\r\n", 400,
     "malformed chunk size"},
    {"chunk without its end",
     "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n1\r\nabc", 400, NULL},
};

struct result {
	enum qrt__http_state state;
	size_t used;
	unsigned continues;
};

/* Feeds @n bytes in pieces of @piece, until something other than MORE is said. */
static struct result feed(struct qrt__http_parser *parser, const char *bytes, size_t n,
			  size_t piece)
{
	struct result result = {QRT__HTTP_MORE, 0, 0};

	while (result.used < n && result.state == QRT__HTTP_MORE) {
		size_t len = n - result.used < piece ? n - result.used : piece;
		/* Memory of exactly this size, so that a sanitizer sees a read behind it. */
		char *copy = malloc(len);
		size_t used = 0;

		assert_non_null(copy);
		memcpy(copy, bytes + result.used, len);
		result.state = qrt__http_parser_feed(parser, copy, len, &used);
		free(copy);
		assert_true(used <= len);
		assert_true(result.state != QRT__HTTP_MORE || used == len);
		result.used += used;
		if (result.state == QRT__HTTP_HEAD) {
			result.continues += qrt__http_parser_request(parser)->expect_continue;
			result.state = qrt__http_parser_body(parser, true, body_max);
		}
	}
	return result;
}

static struct qrt__http_parser *parser_make(const struct qrt__http_limits *limits)
{
	struct qrt__http_parser *parser = NULL;

	assert_int_equal(qrt__http_parser_create(limits, &parser), QRT_OK);
	return parser;
}

static const size_t pieces[] = {SIZE_MAX, 1, 7};

static void check_good(struct qrt__http_parser *parser, const struct good_case *c, size_t piece)
{
	struct result result = feed(parser, c->bytes, strlen(c->bytes), piece);
	const struct qrt_http_request *req = qrt__http_parser_request(parser);
	const char *why;
	size_t len;

	if (result.state != QRT__HTTP_DONE) {
		int status = qrt__http_parser_fault(parser, &why);

		fail_msg("%s: state %d, fault %d (%s)", c->name, (int)result.state, status, why);
	}
	assert_string_equal(qrt_http_method(req), c->want.method);
	assert_string_equal(qrt_http_path(req), c->want.path);
	assert_string_equal(qrt_http_body(req, &len), c->want.body ? c->want.body : "");
	assert_int_equal(len, c->want.body ? strlen(c->want.body) : 0);
	assert_string_equal(c->bytes + result.used, c->want.rest ? c->want.rest : "");
	assert_int_equal(req->keep_alive, !c->want.close);
	if (c->want.value) {
		assert_non_null(qrt_http_header(req, c->want.header));
		assert_string_equal(qrt_http_header(req, c->want.header), c->want.value);
	} else if (c->want.header) {
		assert_null(qrt_http_header(req, c->want.header));
	}
	assert_true(qrt__http_parser_started(parser));
	assert_true(qrt__http_parser_has_head(parser));
}

static void good_messages_are_understood_however_they_are_cut(void **state)
{
	struct qrt__http_parser *parser = parser_make(&small);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		for (size_t j = 0; j < ARRAY_LEN(pieces); j++) {
			check_good(parser, &good[i], pieces[j]);
			qrt__http_parser_reset(parser);
			assert_false(qrt__http_parser_started(parser));
		}
	}
	qrt__http_parser_destroy(&parser);
	assert_null(parser);
	qrt__http_parser_destroy(&parser);
}

static void check_bad(struct qrt__http_parser *parser, const struct bad_case *c, size_t piece)
{
	struct result result = feed(parser, c->bytes, strlen(c->bytes), piece);
	const char *why = "";
	int status = qrt__http_parser_fault(parser, &why);

	if (result.state != QRT__HTTP_FAULT || status != c->status) {
		fail_msg("%s (pieces of %zu): state %d, status %d, %s", c->name, piece,
			 (int)result.state, status, why);
	}
	if (c->why && strcmp(why, c->why) != 0) {
		fail_msg("%s (pieces of %zu): %s, wanted %s", c->name, piece, why, c->why);
	}
	assert_true(why[0] != '\0');
	assert_false(qrt__http_parser_request(parser)->keep_alive);
}

static void bad_messages_are_refused_however_they_are_cut(void **state)
{
	struct qrt__http_parser *parser = parser_make(&small);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		for (size_t j = 0; j < ARRAY_LEN(pieces); j++) {
			check_bad(parser, &bad[i], pieces[j]);
			qrt__http_parser_reset(parser);
		}
	}
	qrt__http_parser_destroy(&parser);
}

static void every_beginning_of_a_good_message_wants_more(void **state)
{
	struct qrt__http_parser *parser = parser_make(&small);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		size_t whole =
		    strlen(good[i].bytes) - (good[i].want.rest ? strlen(good[i].want.rest) : 0);

		for (size_t n = 1; n < whole; n++) {
			struct result result = feed(parser, good[i].bytes, n, SIZE_MAX);

			assert_int_equal(result.state, QRT__HTTP_MORE);
			qrt__http_parser_reset(parser);
		}
	}
	qrt__http_parser_destroy(&parser);
}

/* @status 0: the bytes are a good message. */
static void expect_status(const char *bytes, int status)
{
	struct qrt__http_parser *parser = parser_make(&small);

	for (size_t j = 0; j < ARRAY_LEN(pieces); j++) {
		struct result result = feed(parser, bytes, strlen(bytes), pieces[j]);
		const char *why;

		assert_int_equal(result.state, status ? QRT__HTTP_FAULT : QRT__HTTP_DONE);
		assert_int_equal(qrt__http_parser_fault(parser, &why), status);
		qrt__http_parser_reset(parser);
	}
	qrt__http_parser_destroy(&parser);
}

static void a_request_line_may_be_exactly_as_long_as_the_limit(void **state)
{
	char bytes[512];

	(void)state;
	snprintf(bytes, sizeof(bytes), "GET /%0*d HTTP/1.1\r\n" HOST "\r\n", 64 - 5 - 9, 0);
	expect_status(bytes, 0);
	snprintf(bytes, sizeof(bytes), "GET /%0*d HTTP/1.1\r\n" HOST "\r\n", 64 - 5 - 8, 0);
	expect_status(bytes, 414);
	snprintf(bytes, sizeof(bytes), "GET /%0*d", 64 - 4, 0);
	expect_status(bytes, 414);
}

/* The limit counts the lines with their ends and the empty line. */
static void headers_may_be_exactly_as_long_as_the_limit(void **state)
{
	static const char format[] = "GET / HTTP/1.1\r\n" HOST "A: %0*d\r\n\r\n";
	char bytes[512];

	(void)state;
	snprintf(bytes, sizeof(bytes), format, 160 - 9 - 5 - 2, 0);
	expect_status(bytes, 0);
	snprintf(bytes, sizeof(bytes), format, 160 - 9 - 5 - 1, 0);
	expect_status(bytes, 431);
	snprintf(bytes, sizeof(bytes), "GET / HTTP/1.1\r\n" HOST "A: %0*d", 160, 0);
	expect_status(bytes, 431);
}

static void too_many_headers_reach_the_limit(void **state)
{
	struct qrt__http_limits limits = {8192, 65536};
	struct qrt__http_parser *parser = parser_make(&limits);
	const char *why = "";
	struct result result = feed(parser, "GET / HTTP/1.1\r\n", 16, SIZE_MAX);

	(void)state;
	for (size_t i = 0; i <= QRT__HTTP_FIELDS_MAX; i++) {
		assert_int_equal(result.state, QRT__HTTP_MORE);
		result = feed(parser, "a: b\r\n", 6, SIZE_MAX);
	}
	result = feed(parser, "\r\n", 2, SIZE_MAX);
	assert_int_equal(result.state, QRT__HTTP_FAULT);
	assert_int_equal(qrt__http_parser_fault(parser, &why), 431);
	assert_string_equal(why, "too many fields");
	qrt__http_parser_destroy(&parser);
}

static void trailers_and_chunk_extensions_have_a_limit(void **state)
{
	static const char *const endless[] = {"1;a=bcdefghijk\r\nx\r\n", "Trailer: text\r\n"};
	static const char *const begin[] = {"", "0\r\n"};
	static const char head[] = "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n";

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(endless); i++) {
		struct qrt__http_parser *parser = parser_make(&small);
		struct result result = feed(parser, head, strlen(head), SIZE_MAX);
		const char *why = "";

		result = feed(parser, begin[i], strlen(begin[i]), SIZE_MAX);
		for (unsigned j = 0; j < 31 && result.state == QRT__HTTP_MORE; j++) {
			result = feed(parser, endless[i], strlen(endless[i]), SIZE_MAX);
		}
		assert_int_equal(result.state, QRT__HTTP_FAULT);
		assert_int_equal(qrt__http_parser_fault(parser, &why), 431);
		assert_string_equal(why, "the chunk extensions or trailers are too long");
		qrt__http_parser_destroy(&parser);
	}
}

static void a_body_is_awaited_after_continue_is_told_once(void **state)
{
	static const char bytes[] = "POST / HTTP/1.1\r\n" HOST "Content-Length: 2\r\n"
				    "Expect: 100-continue\r\n\r\nab";
	struct qrt__http_parser *parser = parser_make(&small);

	(void)state;
	for (size_t j = 0; j < ARRAY_LEN(pieces); j++) {
		struct result result = feed(parser, bytes, strlen(bytes), pieces[j]);
		size_t len;

		assert_int_equal(result.state, QRT__HTTP_DONE);
		assert_int_equal(result.continues, 1);
		assert_int_equal(result.used, strlen(bytes));
		assert_string_equal(qrt_http_body(qrt__http_parser_request(parser), &len), "ab");
		qrt__http_parser_reset(parser);
	}
	qrt__http_parser_destroy(&parser);
}

static void one_parser_takes_many_messages_of_one_connection(void **state)
{
	static const char bytes[] =
	    "POST /1 HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\none"
	    "\r\nGET /2 HTTP/1.1\r\n" HOST "\r\n"
	    "POST /3 HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n5\r\nthree\r\n0\r\n\r\n";
	static const char *const paths[] = {"/1", "/2", "/3"};
	static const char *const bodies[] = {"one", "", "three"};
	struct qrt__http_parser *parser = parser_make(&small);

	(void)state;
	for (size_t j = 0; j < ARRAY_LEN(pieces); j++) {
		size_t at = 0;

		for (size_t i = 0; i < 3; i++) {
			struct result result =
			    feed(parser, bytes + at, strlen(bytes) - at, pieces[j]);
			const struct qrt_http_request *req = qrt__http_parser_request(parser);
			size_t len;

			assert_int_equal(result.state, QRT__HTTP_DONE);
			assert_string_equal(qrt_http_path(req), paths[i]);
			assert_string_equal(qrt_http_body(req, &len), bodies[i]);
			at += result.used;
			qrt__http_parser_reset(parser);
		}
		assert_int_equal(at, strlen(bytes));
	}
	qrt__http_parser_destroy(&parser);
}

static void a_large_body_comes_whole(void **state)
{
	struct qrt__http_parser *parser = parser_make(&small);
	size_t outer = body_max;
	char head[] = "POST / HTTP/1.1\r\n" HOST "Content-Length: 300000\r\n\r\n";
	char *body = malloc(300000);
	size_t len;

	(void)state;
	assert_non_null(body);
	body_max = 300000;
	for (size_t i = 0; i < 300000; i++) {
		body[i] = (char)(i * 31 % 256);
	}
	for (size_t round = 0; round < 2; round++) {
		assert_int_equal(feed(parser, head, strlen(head), SIZE_MAX).state, QRT__HTTP_MORE);
		assert_int_equal(feed(parser, body, 300000, 8192).state, QRT__HTTP_DONE);
		assert_memory_equal(qrt_http_body(qrt__http_parser_request(parser), &len), body,
				    300000);
		assert_int_equal(len, 300000);
		qrt__http_parser_reset(parser);
	}
	free(body);
	qrt__http_parser_destroy(&parser);
	body_max = outer;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(good_messages_are_understood_however_they_are_cut),
	    cmocka_unit_test(bad_messages_are_refused_however_they_are_cut),
	    cmocka_unit_test(every_beginning_of_a_good_message_wants_more),
	    cmocka_unit_test(a_request_line_may_be_exactly_as_long_as_the_limit),
	    cmocka_unit_test(headers_may_be_exactly_as_long_as_the_limit),
	    cmocka_unit_test(too_many_headers_reach_the_limit),
	    cmocka_unit_test(trailers_and_chunk_extensions_have_a_limit),
	    cmocka_unit_test(a_body_is_awaited_after_continue_is_told_once),
	    cmocka_unit_test(one_parser_takes_many_messages_of_one_connection),
	    cmocka_unit_test(a_large_body_comes_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
