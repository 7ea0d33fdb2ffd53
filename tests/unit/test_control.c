/* The control listener over real sockets: routes, guards, limits, and what it opens on. */
#include "tests/lib/test.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/lib/control_site.h"

/* --- routes and guards --------------------------------------------------------------------- */

/* Sends these bytes and returns all that comes back until the server closes. */
static const char *raw(uint16_t port, const char *text)
{
	static char answer[8192];
	size_t len = 0;
	int fd = control_dial(port);
	ssize_t n;

	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
	while ((n = recv(fd, answer + len, sizeof(answer) - 1 - len, 0)) > 0) {
		len += (size_t)n;
	}
	/* A reset is an end too: civetweb leaves the rest of an overlong header unread. */
	assert_true(n == 0 || errno == ECONNRESET);
	answer[len] = '\0';
	close(fd);
	return answer;
}

static void assert_has(const char *text, const char *part)
{
	if (strstr(text, part) == NULL) {
		fail_msg("'%s' is not in '%s'", part, text);
	}
}

static void a_route_answers_with_its_handlers_words(void **state)
{
	struct control_site f = control_site_open("127.0.0.1", NULL);
	const char *answer;

	(void)state;
	control_ask(&f, "GET /health", NULL, 200, "{\"live\":true}");
	control_ask(&f, "GET /health?a=%20b", NULL, 200, "a=%20b");
	control_ask(&f, "GET /metrics", NULL, 200, "up 1\n");
	control_ask(&f, "GET /nothing", NULL, 500,
		    "{\"error\":\"the handler gave no valid status\",\"status\":500}\n");
	answer = raw(f.target.port, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
	assert_has(answer, "HTTP/1.1 200 OK\r\n");
	assert_has(answer, "\r\nContent-Type: text/plain; version=0.0.4\r\n");
	assert_has(answer, "\r\nX-Content-Type-Options: nosniff\r\n");
	assert_has(answer, "\r\nCache-Control: no-store\r\n");
	assert_has(answer, "\r\nConnection: close\r\n");
	assert_null(strstr(answer, "Access-Control"));
	qrt_control_close(&f.control);
	assert_null(f.control);
	qrt_control_close(&f.control);
}

static void an_unknown_path_is_404_and_never_a_file(void **state)
{
	static const char *const requests[] = {
	    "GET /",
	    "GET /nope",
	    "GET /health/",
	    "GET /etc/passwd",
	    "GET /x/../health",
	    "GET /%68ealth",
	    "GET /control.c",
	    "DELETE /etc/passwd",
	    "POST /nope",
	    "OPTIONS /nope",
	    "GET /../../etc/passwd",
	};
	struct control_site f = control_site_open("127.0.0.1", NULL);
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
		control_ask(&f, requests[i], NULL, 404,
			    "{\"error\":\"no such path\",\"status\":404}\n");
	}
	qrt_control_close(&f.control);
}

static void a_wrong_method_is_405_and_names_the_right_ones(void **state)
{
	struct control_site f = control_site_open("127.0.0.1", "s3cret");

	(void)state;
	assert_has(raw(f.target.port, "GET /runtime/set HTTP/1.1\r\nHost: x\r\n\r\n"),
		   "\r\nAllow: POST, PUT\r\n");
	assert_has(raw(f.target.port, "OPTIONS /health HTTP/1.1\r\nHost: x\r\nOrigin: http://e\r\n"
				      "Access-Control-Request-Method: POST\r\n\r\n"),
		   "\r\nAllow: GET\r\n");
	control_ask(&f, "DELETE /health", NULL, 405,
		    "{\"error\":\"this path does not take this method\",\"status\":405}\n");
	qrt_control_close(&f.control);
}

static void a_change_needs_the_right_token(void **state)
{
	static const char *const wrong[] = {"s3cre", "s3crett", "S3cret", "x", "s3cre\x7e"};
	struct control_site f = control_site_open("127.0.0.1", "s3cret");
	size_t i;

	(void)state;
	control_ask(&f, "POST /runtime/set", "{}", 401,
		    "{\"error\":\"the admin token is missing\",\"status\":401}\n");
	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		f.target.token = wrong[i];
		control_ask(&f, "POST /runtime/set", "{}", 401,
			    "{\"error\":\"the admin token is wrong\",\"status\":401}\n");
	}
	f.target.token = "s3cret";
	control_ask(&f, "POST /runtime/set", "{\"server\":\"region\"}", 201,
		    "{\"server\":\"region\"}");
	control_ask(&f, "PUT /runtime/set", "", 201, "");
	assert_has(raw(f.target.port, "POST /runtime/set HTTP/1.1\r\n"
				      "Authorization: bearer s3cret\r\n"
				      "Content-Length: 2\r\n\r\n{}"),
		   "HTTP/1.1 201 Created\r\n");
	assert_has(raw(f.target.port, "POST /runtime/set HTTP/1.1\r\n"
				      "Authorization: Basic s3cret\r\n"
				      "Content-Length: 2\r\n\r\n{}"),
		   "\r\nWWW-Authenticate: Bearer error=\"invalid_token\"\r\n");
	/* A scheme of the same length. */
	assert_has(raw(f.target.port, "POST /runtime/set HTTP/1.1\r\n"
				      "Authorization: Digest s3cret\r\n"
				      "Content-Length: 2\r\n\r\n{}"),
		   "HTTP/1.1 401 ");
	qrt_control_close(&f.control);
}

static void without_a_token_every_change_is_refused(void **state)
{
	static const char *const configured[] = {NULL, ""};
	size_t i;

	(void)state;
	for (i = 0; i < 2; i++) {
		struct control_site f = control_site_open("127.0.0.1", configured[i]);

		control_ask(&f, "POST /runtime/set", "{}", 403,
			    "{\"error\":\"no admin token is configured: changes are refused\","
			    "\"status\":403}\n");
		assert_has(raw(f.target.port, "POST /runtime/set HTTP/1.1\r\nAuthorization: Bearer "
					      "\r\nContent-Length: 2\r\n\r\n{}"),
			   "HTTP/1.1 403 Forbidden\r\n");
		qrt_control_close(&f.control);
	}
}

static void reading_needs_the_token_only_off_loopback(void **state)
{
	struct control_site f = control_site_open("0.0.0.0", "s3cret");

	(void)state;
	control_ask(&f, "GET /health", NULL, 200, NULL);
	control_ask(&f, "GET /metrics", NULL, 401, NULL);
	f.target.token = "s3cret";
	control_ask(&f, "GET /metrics", NULL, 200, "up 1\n");
	qrt_control_close(&f.control);
	f = control_site_open("127.1.2.3", NULL);
	control_ask(&f, "GET /metrics", NULL, 200, "up 1\n");
	qrt_control_close(&f.control);
}

/* --- bad requests -------------------------------------------------------------------------- */

static void a_body_over_the_limit_is_413_and_one_at_the_limit_is_taken(void **state)
{
	struct control_site f = control_site_open("127.0.0.1", "s3cret");
	char *body = malloc(QRT_CONTROL_BODY_MAX + 2);

	(void)state;
	assert_non_null(body);
	f.target.token = "s3cret";
	memset(body, 'a', QRT_CONTROL_BODY_MAX + 1);
	body[QRT_CONTROL_BODY_MAX + 1] = '\0';
	control_ask(&f, "POST /runtime/set", body, 413,
		    "{\"error\":\"the body is larger than 65536 bytes\",\"status\":413}\n");
	body[QRT_CONTROL_BODY_MAX] = '\0';
	control_ask(&f, "POST /runtime/set", body, 201, body);
	free(body);
	qrt_control_close(&f.control);
}

/* Sends @n bytes of body through a buffer that holds little; then the answer has @part. */
static void send_long(uint16_t port, const char *head, size_t n, const char *part)
{
	static char piece[4096];
	char text[256];
	int fd = control_dial(port), small = sizeof(piece);

	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small)), 0);
	snprintf(text, sizeof(text), "%s\r\nContent-Length: %zu\r\n\r\n", head, n);
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
	while (n > 0) {
		ssize_t put = send(fd, piece, n < sizeof(piece) ? n : sizeof(piece), MSG_NOSIGNAL);

		assert_true(put > 0);
		n -= (size_t)put;
	}
	assert_true(recv(fd, text, sizeof(text) - 1, 0) > 0);
	text[sizeof(text) - 1] = '\0';
	assert_has(text, part);
	close(fd);
}

/* Who is refused still gets to send what it had begun to send, and so to read why. */
static void a_refusal_arrives_also_before_a_long_body(void **state)
{
	struct control_site f = control_site_open("127.0.0.1", "s3cret");
	size_t n = (size_t)900 * 1024;

	(void)state;
	send_long(f.target.port, "POST /nope HTTP/1.1", n, "HTTP/1.1 404 ");
	send_long(f.target.port, "POST /health HTTP/1.1", n, "HTTP/1.1 405 ");
	send_long(f.target.port, "POST /runtime/set HTTP/1.1", n, "HTTP/1.1 401 ");
	send_long(f.target.port, "POST /runtime/set HTTP/1.1\r\nAuthorization: Bearer s3cret", n,
		  "HTTP/1.1 413 ");
	qrt_control_close(&f.control);
}

static void a_body_needs_a_length_and_must_arrive(void **state)
{
#define HEAD "POST /runtime/set HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer s3cret\r\n"
	struct control_site f = control_site_open("127.0.0.1", "s3cret");
	int64_t start;

	(void)state;
	assert_has(raw(f.target.port, HEAD "\r\n"), "\"a Content-Length is required\"");
	assert_has(raw(f.target.port,
		       "GET /health HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
		   "HTTP/1.1 411 ");
	assert_has(raw(f.target.port, HEAD "Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n"),
		   "HTTP/1.1 411 ");
	assert_has(
	    raw(f.target.port, HEAD "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}"),
	    "HTTP/1.1 4");
	assert_has(raw(f.target.port, HEAD "Content-Length: -5\r\n\r\n"), "HTTP/1.1 4");
	assert_has(raw(f.target.port, HEAD "Content-Length: 5x\r\n\r\n"), "HTTP/1.1 4");
	assert_has(raw(f.target.port, HEAD "Expect: 100-continue\r\nContent-Length: 2\r\n\r\n{}"),
		   "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\n");
	start = now_ms();
	assert_has(raw(f.target.port, HEAD "Content-Length: 5\r\n\r\nabc"), "HTTP/1.1 408 ");
	assert_true(now_ms() - start < 2 * REQUEST_MS + SLACK_MS);
	qrt_control_close(&f.control);
}

static void a_malformed_request_gets_a_json_error_that_quotes_nothing(void **state)
{
	struct control_site f = control_site_open("127.0.0.1", NULL);
	char *text = malloc(20000);

	(void)state;
	assert_non_null(text);
	assert_has(raw(f.target.port, "g<rb>ge\r\n\r\n"),
		   "{\"error\":\"Bad Request\",\"status\":400}\n");
	assert_has(raw(f.target.port, "G<x>T /health HTTP/1.1\r\n\r\n"),
		   "{\"error\":\"Bad Request\",\"status\":400}\n");
	/* A little more than the limit of 8 KiB. */
	snprintf(text, 20000, "GET /health HTTP/1.1\r\nX: %08500d\r\n\r\n", 1);
	assert_has(raw(f.target.port, text), "{\"error\":\"Bad Request\",\"status\":400}\n");
	control_ask(&f, "GET /health", NULL, 200, NULL);
	free(text);
	qrt_control_close(&f.control);
}

/* --- opening ------------------------------------------------------------------------------- */

static void a_used_port_is_refused_and_named(void **state)
{
	struct control_site f = control_site_open("127.0.0.1", NULL);
	struct qrt_control_options opts = control_options("127.0.0.1", NULL);
	struct qrt_control *second = NULL;
	char detail[256] = "", want[64];

	(void)state;
	opts.port = f.target.port;
	snprintf(want, sizeof(want), "127.0.0.1:%u: Address already in use", opts.port);
	assert_int_equal(qrt_control_open(&opts, detail, &second), QRT_EADDRINUSE);
	assert_has(detail, want);
	assert_null(second);
	assert_int_equal(qrt_control_open(&opts, NULL, &second), QRT_EADDRINUSE);
	control_ask(&f, "GET /health", NULL, 200, NULL);
	qrt_control_close(&f.control);
	/* The port is free again, although connections to it are in TIME_WAIT. */
	assert_int_equal(qrt_control_open(&opts, detail, &second), QRT_OK);
	assert_int_equal(qrt_control_port(second), opts.port);
	qrt_control_close(&second);
}

static void what_cannot_work_is_refused_at_open(void **state)
{
	static const struct {
		const char *address, *token;
		unsigned threads;
		const char *detail;
	} cases[] = {
	    {"localhost", NULL, 1, "'localhost' is not a numeric address"},
	    {"", NULL, 1, "'' is not a numeric address"},
	    {NULL, NULL, 1, "is not a numeric address"},
	    {"127.0.0.1:80", NULL, 1, "is not a numeric address"},
	    {"0.0.0.0", NULL, 1, "0.0.0.0:0 is not a loopback address"},
	    {"0.0.0.0", "", 1, "an admin token is required"},
	    {"192.0.2.1", NULL, 1, "192.0.2.1:0 is not a loopback address"},
	    {"::", NULL, 1, "[::]:0 is not a loopback address"},
	    {"::ffff:127.0.0.1", NULL, 1, "is not a loopback address"},
	    {"128.0.0.1", NULL, 1, "is not a loopback address"},
	    {"126.255.255.255", NULL, 1, "is not a loopback address"},
	    {"192.0.2.1", "token", 1, "cannot listen on 192.0.2.1:0: Cannot assign"},
	    {"127.0.0.1", NULL, 65, "65 threads asked for, at most 64"},
	    {"127.0.0.1", "two words", 1, "without spaces"},
	    {"127.0.0.1", "line\nend", 1, "without spaces"},
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct qrt_control_options opts = control_options(cases[i].address, cases[i].token);
		struct qrt_control *control = NULL;
		char detail[256] = "";

		opts.threads = cases[i].threads;
		assert_int_equal(qrt_control_open(&opts, detail, &control), QRT_EINVAL);
		assert_has(detail, cases[i].detail);
		assert_null(control);
	}
}

/* Debian builds civetweb without IPv6: that must be said, not shown as a broken address. */
static void the_ipv6_loopback_works_or_is_refused_with_the_reason(void **state)
{
	struct sockaddr_in6 addr = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool has = fd >= 0 && bind(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0;
	struct qrt_control_options opts = control_options("::1", NULL);
	struct control_site f = {.target = {.address = "::1", .timeout_ms = PATIENCE_MS}};
	char detail[256] = "";
	enum qrt_err err;

	(void)state;
	if (fd >= 0) {
		close(fd);
	}
	err = qrt_control_open(&opts, detail, &f.control);
	if (err == QRT_OK) {
		f.target.port = qrt_control_port(f.control);
		control_ask(&f, "GET /metrics", NULL, 200, "up 1\n");
		qrt_control_close(&f.control);
	} else if (err == QRT_ENOTSUP) {
		assert_has(detail, "cannot listen on [::1]:0: civetweb is built without IPv6");
	} else {
		assert_false(has);
		assert_int_equal(err, QRT_EINVAL);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_route_answers_with_its_handlers_words),
	    cmocka_unit_test(an_unknown_path_is_404_and_never_a_file),
	    cmocka_unit_test(a_wrong_method_is_405_and_names_the_right_ones),
	    cmocka_unit_test(a_change_needs_the_right_token),
	    cmocka_unit_test(without_a_token_every_change_is_refused),
	    cmocka_unit_test(reading_needs_the_token_only_off_loopback),
	    cmocka_unit_test(a_body_over_the_limit_is_413_and_one_at_the_limit_is_taken),
	    cmocka_unit_test(a_refusal_arrives_also_before_a_long_body),
	    cmocka_unit_test(a_body_needs_a_length_and_must_arrive),
	    cmocka_unit_test(a_malformed_request_gets_a_json_error_that_quotes_nothing),
	    cmocka_unit_test(a_used_port_is_refused_and_named),
	    cmocka_unit_test(what_cannot_work_is_refused_at_open),
	    cmocka_unit_test(the_ipv6_loopback_works_or_is_refused_with_the_reason),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
