/*
 * What the HTTP client is told, checked: URLs, requests, options; where redirects lead; how long
 * Retry-After asks to wait. Tables.
 */
#include <stdio.h>
#include <string.h>

#include "shim/src/http/client.h"
#include "tests/lib/backends.h"
#include "tests/lib/stage.h"
#include "tests/lib/test.h"

#define HEAD_END "\r\n\r\n"

/* --- URLs ----------------------------------------------------------------------------------- */

struct url_row {
	const char *text;
	const char *bad; /* the detail; else what is below */
	bool secure, literal;
	uint16_t port;
	const char *host, *target;
};

#define GOOD(...) NULL, __VA_ARGS__
#define BAD(why) why, false, false, 0, NULL, NULL
static const struct url_row url_rows[] = {
    {"http://example.com", GOOD(false, false, 80, "example.com", "/")},
    {"HTTPS://Slack.COM/api/x.y?a=b%20c&d",
     GOOD(true, false, 443, "slack.com", "/api/x.y?a=b%20c&d")},
    {"http://a-b.c_d.e:8080?q", GOOD(false, false, 8080, "a-b.c_d.e", "/?q")},
    {"http://127.0.0.1:1/", GOOD(false, true, 1, "127.0.0.1", "/")},
    {"https://[2001:DB8::1]:65535/x", GOOD(true, true, 65535, "2001:DB8::1", "/x")},
    {"http://1.example/", GOOD(false, false, 80, "1.example", "/")},
    {"http://a/~'()*,;=:@!$&+", GOOD(false, false, 80, "a", "/~'()*,;=:@!$&+")},
    {"ftp://a/", BAD("http url, byte 1: it does not begin with http:// or https://")},
    {"", BAD("http url, byte 1: it does not begin with http:// or https://")},
    {"http:///x", BAD("http url, byte 8: no host name or address")},
    {"http://u:p@h/", BAD("http url, byte 10: no port from 1 to 65535")},
    {"http://u@h/", BAD("http url, byte 9: a user has no place here")},
    {"http://a..b/", BAD("http url, byte 10: an empty part of a host name")},
    {"http://a./", BAD("http url, byte 10: an empty part of a host name")},
    {"http://127.1/", BAD("http url, byte 8: a number that is no IPv4 address")},
    {"http://2130706433/", BAD("http url, byte 8: a number that is no IPv4 address")},
    {"http://0x7f.0.0.1/", BAD("http url, byte 8: a number that is no IPv4 address")},
    {"http://a.0x7F/", BAD("http url, byte 8: a number that is no IPv4 address")},
    {"http://127.0.0.256/", BAD("http url, byte 8: a number that is no IPv4 address")},
    {"http://[::1/", BAD("http url, byte 9: no IPv6 address")},
    {"http://[127.0.0.1]/", BAD("http url, byte 9: no IPv6 address")},
    {"http://[]/", BAD("http url, byte 9: no IPv6 address")},
    {"http://[::1%25lo]/", BAD("http url, byte 9: no IPv6 address")},
    {"http://a:/", BAD("http url, byte 10: no port from 1 to 65535")},
    {"http://a:0/", BAD("http url, byte 10: no port from 1 to 65535")},
    {"http://a:65536/", BAD("http url, byte 10: no port from 1 to 65535")},
    {"http://a:0000080/", BAD("http url, byte 10: no port from 1 to 65535")},
    {"http://a\\b/", BAD("http url, byte 9: neither a port, a path nor a query")},
    {"http://a/b c", BAD("http url, byte 11: a byte that must be percent-encoded")},
    {"http://a/\r\nX: y", BAD("http url, byte 10: a byte that must be percent-encoded")},
    {"http://a/\xc3\xa4", BAD("http url, byte 10: a byte that must be percent-encoded")},
    {"http://a/\x7f", BAD("http url, byte 10: a byte that must be percent-encoded")},
    {"http://a/%4", BAD("http url, byte 10: a percent sign without two hex digits")},
    {"http://a/%zz", BAD("http url, byte 10: a percent sign without two hex digits")},
    {"http://a/#top", BAD("http url, byte 10: a fragment has no place here")},
    {"http://a#top", BAD("http url, byte 9: a fragment has no place here")},
};

static enum qrt_err play_urls(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	static struct qrt_http_url url;
	for (size_t i = 0; i < sizeof(url_rows) / sizeof(url_rows[0]); i++) {
		const struct url_row *row = &url_rows[i];
		enum qrt_err err = qrt_http_url_parse(cx, row->text, &url);
		bool fits = row->bad ? err == QRT_EINVAL && strcmp(qrt_detail(cx), row->bad) == 0
				     : !err && url.secure == row->secure &&
					   url.literal == row->literal && url.port == row->port &&
					   strcmp(url.host, row->host) == 0 &&
					   strcmp(url.target, row->target) == 0;
		if (!fits) {
			fprintf(stderr, "%s: %s %s\n", row->text, qrt_err_name(err),
				err ? qrt_detail(cx) : url.target);
			return QRT_EFAILED;
		}
	}
	return QRT_OK;
}

static void urls_are_read_strictly_and_say_where_they_are_wrong(void **state)
{
	(void)state;
	assert_int_equal(on_backend("lab", play_urls, NULL), QRT_OK);
}

static enum qrt_err play_long_urls(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	static struct qrt_http_url url;
	static char text[QRT_HTTP_URL_MAX + 2];
	memset(text, 'a', sizeof(text) - 1);
	memcpy(text, "http://h/", 9);
	EXPECT(qrt_http_url_parse(cx, text, &url) == QRT_EINVAL);
	EXPECT(strcmp(qrt_detail(cx), "http url: more than 4096 bytes") == 0);
	text[QRT_HTTP_URL_MAX] = '\0';
	EXPECT(!qrt_http_url_parse(cx, text, &url));
	EXPECT(strlen(url.target) == QRT_HTTP_URL_MAX - strlen("http://h"));
	memset(text, 'a', 7 + 254);
	memcpy(text, "http://", 7);
	text[7 + 254] = '\0';
	EXPECT(qrt_http_url_parse(cx, text, &url) == QRT_EINVAL);
	EXPECT(strcmp(qrt_detail(cx), "http url, byte 261: a host name of more than 253 bytes") ==
	       0);
	text[7 + 253] = '\0';
	EXPECT(!qrt_http_url_parse(cx, text, &url) && strlen(url.host) == 253);
	return QRT_OK;
}

static void urls_and_hosts_have_limits_to_the_byte(void **state)
{
	(void)state;
	assert_int_equal(on_backend("lab", play_long_urls, NULL), QRT_OK);
}

/* --- where a Location leads ------------------------------------------------------------------ */

static const char *const joins[][2] = {
    {"http://x/y", "http://x/y"},
    {"HTTP://x", "HTTP://x"},
    {"//x/y", "http://x/y"},
    {"/y?z", "http://h:8080/y?z"},
    {"y", "http://h:8080/a/b/y"},
    {"./y", "http://h:8080/a/b/y"},
    {"../y", "http://h:8080/a/y"},
    {"../../../y", "http://h:8080/y"},
    {"..", "http://h:8080/a/"},
    {".", "http://h:8080/a/b/"},
    {"../..", "http://h:8080/"},
    {"/a/./b/../c/..?q=..", "http://h:8080/a/?q=.."},
    {"/.../..y/.z", "http://h:8080/.../..y/.z"},
    {"?z", "http://h:8080/a/b/c?z"},
    {"", "http://h:8080/a/b/c?d"},
    {"#top", "http://h:8080/a/b/c?d"},
    {"y#top", "http://h:8080/a/b/y"},
    {"mailto:x", "mailto:x"},
};

static void a_location_leads_where_rfc_3986_says(void **state)
{
	(void)state;
	static const struct qrt_http_url base = {.port = 8080, .host = "h", .target = "/a/b/c?d"};
	struct qrt__http_arena arena;
	qrt__http_arena_init(&arena);
	for (size_t i = 0; i < sizeof(joins) / sizeof(joins[0]); i++) {
		assert_string_equal(qrt__http_url_join(&arena, &base, joins[i][0]), joins[i][1]);
	}
	static const struct qrt_http_url six = {
	    .secure = true, .port = 1, .host = "::1", .target = "/"};
	assert_string_equal(qrt__http_url_join(&arena, &six, "x"), "https://[::1]:1/x");
	qrt__http_arena_fini(&arena);
}

/* --- requests ------------------------------------------------------------------------------- */

static char long_value[QRT_HTTP_ASK_HEAD_MAX + 2];
static const struct qrt_http_header split[] = {{"A", "b\r\nX: y"}};
static const struct qrt_http_header no_name[] = {{"A", "b"}, {"", "b"}};
static const struct qrt_http_header bad_name[] = {{"A b", "c"}};
static const struct qrt_http_header colon[] = {{"A:", "c"}};
static const struct qrt_http_header no_value[] = {{"A", NULL}};
static const struct qrt_http_header host[] = {{"hOST", "x"}};
static const struct qrt_http_header length[] = {{"Content-Length", "1"}};
static const struct qrt_http_header coding[] = {{"Transfer-Encoding", "chunked"}};
static const struct qrt_http_header connection[] = {{"Connection", "close"}};
static const struct qrt_http_header expect[] = {{"Expect", "100-continue"}};
static const struct qrt_http_header much[] = {{"A", long_value}};

static enum qrt_err gives(struct qrt_cx *cx, void *arg, void *buf, size_t n, size_t *ret_n)
{
	(void)cx;
	(void)arg;
	(void)buf;
	(void)n;
	*ret_n = 0;
	return QRT_EEOF;
}

struct ask_row {
	struct qrt_http_ask ask;
	const char *detail;
};

#define HEADERS(list) .headers = (list), .n_headers = sizeof(list) / sizeof((list)[0])
#define URL .url = "http://127.0.0.1:1/"
static const struct ask_row ask_rows[] = {
    {{.url = NULL}, "http url: missing"},
    {{.url = "x"}, "http url, byte 1: it does not begin with http:// or https://"},
    {{URL, .method = ""}, "http method: no name of at most 32 bytes"},
    {{URL, .method = "GET /x HTTP/1.1\r\n"}, "http method: no name of at most 32 bytes"},
    {{URL, .method = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"},
     "http method: no name of at most 32 bytes"},
    {{URL, .method = "CONNECT"}, "http method: CONNECT is for proxies"},
    {{URL, HEADERS(split)}, "http header A: a control character"},
    {{URL, HEADERS(no_name)}, "http header 2: its name"},
    {{URL, HEADERS(bad_name)}, "http header 1: its name"},
    {{URL, HEADERS(colon)}, "http header 1: its name"},
    {{URL, HEADERS(no_value)}, "http header A: no value"},
    {{URL, HEADERS(host)}, "http header hOST: it is set by the client"},
    {{URL, HEADERS(length)}, "http header Content-Length: it is set by the client"},
    {{URL, HEADERS(coding)}, "http header Transfer-Encoding: it is set by the client"},
    {{URL, HEADERS(connection)}, "http header Connection: it is set by the client"},
    {{URL, HEADERS(expect)}, "http header Expect: it is set by the client"},
    {{URL, HEADERS(much)}, "http headers: more than 65536 bytes"},
    {{URL, .headers = split, .n_headers = 65}, "65 http headers, at most 64"},
    {{URL, .body_len = 3}, "http body: a length, but no body"},
    {{URL, .body = "x", .body_len = QRT_HTTP_CHUNKED}, "http body: more than 1 GiB in memory"},
    {{URL, .body = "x", .body_len = 1, .body_fn = gives}, "http body: from more than one source"},
    {{URL, .body_fn = gives, .body_written = true}, "http body: from more than one source"},
    {{URL, .redirects_max = 21}, "http redirects: 21, at most 20"},
    {{URL, .body_written = true}, "http body: a fetch cannot be written to"},
};

static enum qrt_err play_asks(struct qrt_cx *cx, void *arg)
{
	struct qrt_http_client *client;
	struct qrt_http_call *call = NULL;
	struct qrt_http_answer answer;
	struct qrt_audit before, after;
	(void)arg;
	memset(long_value, 'a', sizeof(long_value) - 1);
	EXPECT(!qrt_http_client_open(cx, NULL, &client));
	qrt_runtime_audit(qrt_cx_runtime(cx), &before);
	for (size_t i = 0; i < sizeof(ask_rows) / sizeof(ask_rows[0]); i++) {
		enum qrt_err err = qrt_http_fetch(cx, client, &ask_rows[i].ask, &call, &answer);
		if (err != QRT_EINVAL || strcmp(qrt_detail(cx), ask_rows[i].detail) != 0) {
			fprintf(stderr, "%s: %s %s\n", ask_rows[i].detail, qrt_err_name(err),
				qrt_detail(cx));
			return QRT_EFAILED;
		}
	}
	qrt_runtime_audit(qrt_cx_runtime(cx), &after);
	EXPECT(!call && before.ops_started == after.ops_started); /* nothing was waited for */
	EXPECT(before.duties_live == after.duties_live);
	struct qrt_cx *narrow = qrt_cx_narrow(cx, QRT_CAP_ALL & ~(uint32_t)QRT_CAP_NET);
	const struct qrt_http_ask ask = {URL};
	EXPECT(qrt_http_fetch(narrow, client, &ask, &call, &answer) == QRT_ENOTCAPABLE);
	const struct qrt_http_ask secure = {.url = "https://127.0.0.1:1/"};
	EXPECT(qrt_http_fetch(cx, client, &secure, &call, &answer) == QRT_ENOTSUP);
	EXPECT(ends_with(qrt_detail(cx), "https: the client has no TLS"));
	qrt_http_client_close(cx, &client);
	return QRT_OK;
}

static void what_could_split_a_request_is_refused_before_anything_is_sent(void **state)
{
	(void)state;
	on_each_backend(play_asks, NULL);
}

static enum qrt_err play_options(struct qrt_cx *cx, void *arg)
{
	struct qrt_http_client *client = NULL;
	(void)arg;
	static const struct qrt_http_client_options bad[] = {{.connections_max = 65537},
							     {.connections_per_origin = 65537},
							     {.idle_max = 65537},
							     {.idle_ns = -1},
							     {.connect_ns = -1},
							     {.attempt_ns = -1},
							     {.head_ns = -1},
							     {.silence_ns = -1},
							     {.expect_ns = -1},
							     {.head_max = SIZE_MAX},
							     {.body_max = SIZE_MAX}};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		EXPECT(qrt_http_client_open(cx, &bad[i], &client) == QRT_EINVAL && !client);
	}
	EXPECT(strcmp(qrt_detail(cx), "http client: a head above 1 MiB or a body above 1 GiB") ==
	       0);
	return QRT_OK;
}

static void options_out_of_range_are_refused(void **state)
{
	(void)state;
	assert_int_equal(on_backend("lab", play_options, NULL), QRT_OK);
}

/* --- Retry-After ----------------------------------------------------------------------------- */

struct retry_row {
	const char *value;
	enum qrt_err err;
	int64_t secs;
};

static const struct retry_row retry_rows[] = {
    {NULL, QRT_ENOENT, 0},
    {"0", QRT_OK, 0},
    {"7", QRT_OK, 7},
    {"999999999", QRT_OK, 999999999},
    {"1000000000", QRT_EPROTO, 0},
    {"-1", QRT_EPROTO, 0},
    {"+1", QRT_EPROTO, 0},
    {"1.5", QRT_EPROTO, 0},
    {"1s", QRT_EPROTO, 0},
    {"", QRT_EPROTO, 0},
    {"soon", QRT_EPROTO, 0},
    {"Sun, 06 Nov 1994 08:49:37 GMT", QRT_OK, 37}, /* the clock says 08:49:00 */
    {"Sun, 06 Nov 1994 08:48:37 GMT", QRT_OK, 0},
    {"Mon, 07 Nov 1994 08:49:00 GMT", QRT_OK, 86400},
    {"Thu, 29 Feb 1996 00:00:00 GMT", QRT_OK, 41440260},
    {"Sun, 06 Nov 1994 08:49:37", QRT_EPROTO, 0},
    {"Sun, 06 Xov 1994 08:49:37 GMT", QRT_EPROTO, 0},
    {"Sun, 06 anF 1994 08:49:37 GMT", QRT_EPROTO, 0},
    {"Sun, 36 Nov 1994 08:49:37 GMT", QRT_EPROTO, 0},
    {"Sun, 06 Nov 1994 28:49:37 GMT", QRT_EPROTO, 0},
};

static void retry_after_is_read_in_both_of_its_forms(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(retry_rows) / sizeof(retry_rows[0]); i++) {
		const struct retry_row *row = &retry_rows[i];
		const struct qrt_http_header header = {"retry-after", row->value};
		const struct qrt_http_answer answer = {.headers = &header,
						       .n_headers = row->value ? 1 : 0};
		int64_t secs = 0;
		enum qrt_err err = qrt_http_retry_after(&answer, INT64_C(784111740000), &secs);
		if (err != row->err || secs != row->secs) {
			fail_msg("%s: %s %lld", row->value ? row->value : "none", qrt_err_name(err),
				 (long long)secs);
		}
	}
}

static void every_phase_has_a_text(void **state)
{
	(void)state;
	assert_string_equal(qrt_http_phase_text(QRT_HTTP_IN_LINE), "waiting for a connection");
	assert_string_equal(qrt_http_phase_text(QRT_HTTP_DONE), "done");
	assert_string_equal(qrt_http_phase_text(QRT__HTTP_PHASES), "?");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(urls_are_read_strictly_and_say_where_they_are_wrong),
	    cmocka_unit_test(urls_and_hosts_have_limits_to_the_byte),
	    cmocka_unit_test(a_location_leads_where_rfc_3986_says),
	    cmocka_unit_test(what_could_split_a_request_is_refused_before_anything_is_sent),
	    cmocka_unit_test(options_out_of_range_are_refused),
	    cmocka_unit_test(retry_after_is_read_in_both_of_its_forms),
	    cmocka_unit_test(every_phase_has_a_text),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
