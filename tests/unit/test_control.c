/*
 * The control listener over real sockets: routes, guards, limits, and that
 * neither silent peers nor wedged handlers keep health from answering.
 */
#include "tests/lib/test.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <qrt/control.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
	THREADS = 2,
	/* What control.c promises: workers per handler place, and the time to send a request. */
	WORKERS = THREADS * 8,
	REQUEST_MS = 1000,
	/* For a loaded machine; far below one more round of REQUEST_MS where it matters. */
	SLACK_MS = 800,
	PATIENCE_MS = 20000,
	IDLE_MAX = 64,
};

/* Where "wedge" handlers wait until the test lets them go. */
static struct gate {
	pthread_mutex_t lock;
	pthread_cond_t moved;
	unsigned inside;
	bool open;
} gate = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, false};

struct fixture {
	struct qrt_control *control;
	struct qrt_control_target target;
};

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* ---- handlers ----------------------------------------------------------- */

static void say(struct qrt_control_reply *reply, int status, const char *text)
{
	reply->status = status;
	reply->body = strdup(text);
	reply->body_len = strlen(text);
}

static void health(void *app, const struct qrt_control_request *req,
		   struct qrt_control_reply *reply)
{
	assert_string_equal(app, "app");
	assert_string_equal(req->method, "GET");
	say(reply, 200, req->query[0] != '\0' ? req->query : "{\"live\":true}");
}

static void metrics(void *app, const struct qrt_control_request *req,
		    struct qrt_control_reply *reply)
{
	(void)app;
	(void)req;
	say(reply, 200, "up 1\n");
	reply->content_type = "text/plain; version=0.0.4";
}

/* Says the body back, bytes and all. */
static void echo(void *app, const struct qrt_control_request *req, struct qrt_control_reply *reply)
{
	(void)app;
	assert_int_equal(req->body[req->body_len], '\0');
	reply->status = 201;
	reply->body = malloc(req->body_len + 1);
	memcpy(reply->body, req->body, req->body_len);
	reply->body_len = req->body_len;
}

static void wedge(void *app, const struct qrt_control_request *req, struct qrt_control_reply *reply)
{
	(void)app;
	(void)req;
	pthread_mutex_lock(&gate.lock);
	gate.inside++;
	pthread_cond_broadcast(&gate.moved);
	while (!gate.open) {
		pthread_cond_wait(&gate.moved, &gate.lock);
	}
	gate.inside--;
	pthread_mutex_unlock(&gate.lock);
	say(reply, 200, "{\"wedged\":false}");
}

static void large(void *app, const struct qrt_control_request *req, struct qrt_control_reply *reply)
{
	(void)app;
	(void)req;
	reply->status = 200;
	reply->body_len = 8 << 20;
	reply->body = calloc(1, reply->body_len);
}

static void nothing(void *app, const struct qrt_control_request *req,
		    struct qrt_control_reply *reply)
{
	(void)app;
	(void)req;
	(void)reply;
}

static const struct qrt_control_route routes[] = {
    {"GET", "/health", QRT_CONTROL_OPEN, health},
    {"GET", "/metrics", QRT_CONTROL_READ, metrics},
    {"POST", "/runtime/set", QRT_CONTROL_CHANGE, echo},
    {"PUT", "/runtime/set", QRT_CONTROL_CHANGE, echo},
    {"GET", "/wedge", QRT_CONTROL_READ, wedge},
    {"GET", "/large", QRT_CONTROL_OPEN, large},
    {"GET", "/nothing", QRT_CONTROL_READ, nothing},
};

/* ---- helpers ------------------------------------------------------------ */

static struct qrt_control_options options(const char *address, const char *token)
{
	return (struct qrt_control_options){
	    .address = address,
	    .threads = THREADS,
	    .token = token,
	    .routes = routes,
	    .n_routes = sizeof(routes) / sizeof(routes[0]),
	    .app = "app",
	};
}

static struct fixture open_with(const char *address, const char *token)
{
	struct qrt_control_options opts = options(address, token);
	struct fixture f = {0};
	char detail[256] = "";

	gate.open = false;
	if (qrt_control_open(&opts, detail, &f.control) != QRT_OK) {
		fail_msg("open: %s", detail);
	}
	f.target.address = strcmp(address, "0.0.0.0") == 0 ? "127.0.0.1" : address;
	f.target.port = qrt_control_port(f.control);
	f.target.timeout_ms = PATIENCE_MS;
	assert_int_not_equal(f.target.port, 0);
	return f;
}

/* Asks and compares; @body_want may be NULL. */
static void ask(const struct fixture *f, const char *request, const char *body, int status_want,
		const char *body_want)
{
	char method[16], path[256];
	char *got = NULL;
	int status = 0;

	assert_int_equal(sscanf(request, "%15s %255s", method, path), 2);
	assert_int_equal(qrt_control_ask(&f->target, method, path, body, &status, &got), QRT_OK);
	assert_int_equal(status, status_want);
	if (body_want != NULL) {
		assert_string_equal(got, body_want);
	}
	free(got);
}

static int dial(uint16_t port)
{
	struct sockaddr_in addr = {.sin_family = AF_INET, .sin_port = htons(port)};
	struct timeval patience = {.tv_sec = PATIENCE_MS / 1000};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	assert_int_equal(connect(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	return fd;
}

/* Sends these bytes and returns all that comes back until the server closes. */
static const char *raw(uint16_t port, const char *text)
{
	static char answer[8192];
	size_t len = 0;
	int fd = dial(port);
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

/* ---- asking from another thread ----------------------------------------- */

struct asker {
	const struct fixture *f;
	const char *path;
	pthread_t thread;
	enum qrt_err err;
	int status;
	char *body;
};

static void *asker_main(void *arg)
{
	struct asker *a = arg;

	a->err = qrt_control_ask(&a->f->target, "GET", a->path, NULL, &a->status, &a->body);
	return NULL;
}

static void asker_start(struct asker *a, const struct fixture *f, const char *path)
{
	*a = (struct asker){.f = f, .path = path};
	assert_int_equal(pthread_create(&a->thread, NULL, asker_main, a), 0);
}

static void asker_join(struct asker *a, int status_want)
{
	pthread_join(a->thread, NULL);
	assert_int_equal(a->err, QRT_OK);
	assert_int_equal(a->status, status_want);
	free(a->body);
}

static void gate_wait_inside(unsigned n)
{
	pthread_mutex_lock(&gate.lock);
	while (gate.inside < n) {
		pthread_cond_wait(&gate.moved, &gate.lock);
	}
	pthread_mutex_unlock(&gate.lock);
}

static void gate_open(void)
{
	pthread_mutex_lock(&gate.lock);
	gate.open = true;
	pthread_cond_broadcast(&gate.moved);
	pthread_mutex_unlock(&gate.lock);
}

/* ---- routes and guards -------------------------------------------------- */

static void a_route_answers_with_its_handlers_words(void **state)
{
	struct fixture f = open_with("127.0.0.1", NULL);
	const char *answer;

	(void)state;
	ask(&f, "GET /health", NULL, 200, "{\"live\":true}");
	ask(&f, "GET /health?a=%20b", NULL, 200, "a=%20b");
	ask(&f, "GET /metrics", NULL, 200, "up 1\n");
	ask(&f, "GET /nothing", NULL, 500,
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
	struct fixture f = open_with("127.0.0.1", NULL);
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
		ask(&f, requests[i], NULL, 404, "{\"error\":\"no such path\",\"status\":404}\n");
	}
	qrt_control_close(&f.control);
}

static void a_wrong_method_is_405_and_names_the_right_ones(void **state)
{
	struct fixture f = open_with("127.0.0.1", "s3cret");

	(void)state;
	assert_has(raw(f.target.port, "GET /runtime/set HTTP/1.1\r\nHost: x\r\n\r\n"),
		   "\r\nAllow: POST, PUT\r\n");
	assert_has(raw(f.target.port, "OPTIONS /health HTTP/1.1\r\nHost: x\r\nOrigin: http://e\r\n"
				      "Access-Control-Request-Method: POST\r\n\r\n"),
		   "\r\nAllow: GET\r\n");
	ask(&f, "DELETE /health", NULL, 405,
	    "{\"error\":\"this path does not take this method\",\"status\":405}\n");
	qrt_control_close(&f.control);
}

static void a_change_needs_the_right_token(void **state)
{
	static const char *const wrong[] = {"s3cre", "s3crett", "S3cret", "x", "s3cre\x7e"};
	struct fixture f = open_with("127.0.0.1", "s3cret");
	size_t i;

	(void)state;
	ask(&f, "POST /runtime/set", "{}", 401,
	    "{\"error\":\"the admin token is missing\",\"status\":401}\n");
	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		f.target.token = wrong[i];
		ask(&f, "POST /runtime/set", "{}", 401,
		    "{\"error\":\"the admin token is wrong\",\"status\":401}\n");
	}
	f.target.token = "s3cret";
	ask(&f, "POST /runtime/set", "{\"server\":\"region\"}", 201, "{\"server\":\"region\"}");
	ask(&f, "PUT /runtime/set", "", 201, "");
	assert_has(raw(f.target.port, "POST /runtime/set HTTP/1.1\r\n"
				      "Authorization: bearer s3cret\r\n"
				      "Content-Length: 2\r\n\r\n{}"),
		   "HTTP/1.1 201 Created\r\n");
	assert_has(raw(f.target.port, "POST /runtime/set HTTP/1.1\r\n"
				      "Authorization: Basic s3cret\r\n"
				      "Content-Length: 2\r\n\r\n{}"),
		   "\r\nWWW-Authenticate: Bearer error=\"invalid_token\"\r\n");
	qrt_control_close(&f.control);
}

static void without_a_token_every_change_is_refused(void **state)
{
	static const char *const configured[] = {NULL, ""};
	size_t i;

	(void)state;
	for (i = 0; i < 2; i++) {
		struct fixture f = open_with("127.0.0.1", configured[i]);

		ask(&f, "POST /runtime/set", "{}", 403,
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
	struct fixture f = open_with("0.0.0.0", "s3cret");

	(void)state;
	ask(&f, "GET /health", NULL, 200, NULL);
	ask(&f, "GET /metrics", NULL, 401, NULL);
	f.target.token = "s3cret";
	ask(&f, "GET /metrics", NULL, 200, "up 1\n");
	qrt_control_close(&f.control);
	f = open_with("127.1.2.3", NULL);
	ask(&f, "GET /metrics", NULL, 200, "up 1\n");
	qrt_control_close(&f.control);
}

/* ---- bad requests ------------------------------------------------------- */

static void a_body_over_the_limit_is_413_and_one_at_the_limit_is_taken(void **state)
{
	struct fixture f = open_with("127.0.0.1", "s3cret");
	char *body = malloc(QRT_CONTROL_BODY_MAX + 2);

	(void)state;
	assert_non_null(body);
	f.target.token = "s3cret";
	memset(body, 'a', QRT_CONTROL_BODY_MAX + 1);
	body[QRT_CONTROL_BODY_MAX + 1] = '\0';
	ask(&f, "POST /runtime/set", body, 413,
	    "{\"error\":\"the body is larger than 65536 bytes\",\"status\":413}\n");
	body[QRT_CONTROL_BODY_MAX] = '\0';
	ask(&f, "POST /runtime/set", body, 201, body);
	free(body);
	qrt_control_close(&f.control);
}

static void a_body_needs_a_length_and_must_arrive(void **state)
{
#define HEAD "POST /runtime/set HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer s3cret\r\n"
	struct fixture f = open_with("127.0.0.1", "s3cret");
	int64_t start;

	(void)state;
	assert_has(raw(f.target.port, HEAD "\r\n"), "\"a Content-Length is required\"");
	assert_has(raw(f.target.port, HEAD "Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n"),
		   "HTTP/1.1 411 ");
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
	struct fixture f = open_with("127.0.0.1", NULL);
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
	ask(&f, "GET /health", NULL, 200, NULL);
	free(text);
	qrt_control_close(&f.control);
}

/* ---- opening ------------------------------------------------------------ */

static void a_used_port_is_refused_and_named(void **state)
{
	struct fixture f = open_with("127.0.0.1", NULL);
	struct qrt_control_options opts = options("127.0.0.1", NULL);
	struct qrt_control *second = NULL;
	char detail[256] = "", want[64];

	(void)state;
	opts.port = f.target.port;
	snprintf(want, sizeof(want), "127.0.0.1:%u: Address already in use", opts.port);
	assert_int_equal(qrt_control_open(&opts, detail, &second), QRT_EADDRINUSE);
	assert_has(detail, want);
	assert_null(second);
	assert_int_equal(qrt_control_open(&opts, NULL, &second), QRT_EADDRINUSE);
	ask(&f, "GET /health", NULL, 200, NULL);
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
	    {"192.0.2.1", "token", 1, "cannot listen on 192.0.2.1:0: Cannot assign"},
	    {"127.0.0.1", NULL, 65, "65 threads asked for, at most 64"},
	    {"127.0.0.1", "two words", 1, "without spaces"},
	    {"127.0.0.1", "line\nend", 1, "without spaces"},
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct qrt_control_options opts = options(cases[i].address, cases[i].token);
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
	struct qrt_control_options opts = options("::1", NULL);
	struct fixture f = {.target = {.address = "::1", .timeout_ms = PATIENCE_MS}};
	char detail[256] = "";
	enum qrt_err err;

	(void)state;
	if (fd >= 0) {
		close(fd);
	}
	err = qrt_control_open(&opts, detail, &f.control);
	if (err == QRT_OK) {
		f.target.port = qrt_control_port(f.control);
		ask(&f, "GET /metrics", NULL, 200, "up 1\n");
		qrt_control_close(&f.control);
	} else if (err == QRT_ENOTSUP) {
		assert_has(detail, "cannot listen on [::1]:0: civetweb is built without IPv6");
	} else {
		assert_false(has);
		assert_int_equal(err, QRT_EINVAL);
	}
}

/* ---- starvation and concurrency ----------------------------------------- */

/* Every second one says nothing at all, the others stop inside a header. */
static void idle_open(int *fds, size_t n, uint16_t port)
{
	static const char half[] = "GET /health HTTP/1.1\r\nHost:";
	size_t i;

	for (i = 0; i < n; i++) {
		fds[i] = dial(port);
		if (i % 2 == 1) {
			assert_int_equal(send(fds[i], half, sizeof(half) - 1, MSG_NOSIGNAL),
					 sizeof(half) - 1);
		}
	}
}

static void idle_close(const int *fds, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		close(fds[i]);
	}
}

static void silent_peers_do_not_starve_health(void **state)
{
	/* How many are silent, and how many rounds of REQUEST_MS that may cost. */
	static const struct {
		size_t n;
		int rounds;
	} cases[] = {{THREADS * 4, 0}, {WORKERS - 1, 0}, {WORKERS * 5 / 2, 2}};
	int fds[IDLE_MAX];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct fixture f = open_with("127.0.0.1", NULL);
		int64_t start, took;

		assert_true(cases[i].n <= IDLE_MAX);
		idle_open(fds, cases[i].n, f.target.port);
		start = now_ms();
		ask(&f, "GET /health", NULL, 200, NULL);
		took = now_ms() - start;
		print_message("# %zu silent peers, %d workers: health after %lld ms\n", cases[i].n,
			      WORKERS, (long long)took);
		assert_true(took < cases[i].rounds * REQUEST_MS + SLACK_MS);
		idle_close(fds, cases[i].n);
		qrt_control_close(&f.control);
	}
}

/* A peer that keeps a request coming, byte by byte, is cut off all the same. */
static void a_dripping_peer_is_cut_off(void **state)
{
	struct fixture f = open_with("127.0.0.1", NULL);
	int64_t start = now_ms();
	struct pollfd p = {.events = POLLIN};

	(void)state;
	p.fd = dial(f.target.port);
	assert_int_equal(send(p.fd, "GET /", 5, MSG_NOSIGNAL), 5);
	while (poll(&p, 1, 50) == 0) {
		assert_true(now_ms() - start < 3 * REQUEST_MS);
		assert_int_equal(send(p.fd, "a", 1, MSG_NOSIGNAL), 1);
	}
	assert_true(now_ms() - start < REQUEST_MS + SLACK_MS);
	close(p.fd);
	qrt_control_close(&f.control);
}

static void handlers_run_at_once_and_wedged_ones_do_not_stop_health(void **state)
{
	struct fixture f = open_with("127.0.0.1", NULL);
	struct asker askers[THREADS];
	int64_t start;
	size_t i;

	(void)state;
	for (i = 0; i < THREADS; i++) {
		asker_start(&askers[i], &f, "/wedge");
	}
	/* Returns only when all are inside together. */
	gate_wait_inside(THREADS);
	start = now_ms();
	ask(&f, "GET /health", NULL, 200, NULL);
	assert_true(now_ms() - start < SLACK_MS);
	ask(&f, "GET /metrics", NULL, 503,
	    "{\"error\":\"every control handler is busy\",\"status\":503}\n");
	assert_true(now_ms() - start < REQUEST_MS + 2 * SLACK_MS);
	gate_open();
	for (i = 0; i < THREADS; i++) {
		asker_join(&askers[i], 200);
	}
	ask(&f, "GET /metrics", NULL, 200, NULL);
	qrt_control_close(&f.control);
}

struct closer {
	struct qrt_control *control;
	pthread_t thread;
	atomic_bool done;
};

static void *closer_main(void *arg)
{
	struct closer *c = arg;

	qrt_control_close(&c->control);
	atomic_store(&c->done, true);
	return NULL;
}

static void close_waits_for_handlers_and_their_answers_arrive(void **state)
{
	struct fixture f = open_with("127.0.0.1", NULL);
	struct closer closer = {.control = f.control};
	int64_t start = now_ms();
	struct asker asker;
	int status = 200;
	char *body;

	(void)state;
	asker_start(&asker, &f, "/wedge");
	gate_wait_inside(1);
	assert_int_equal(pthread_create(&closer.thread, NULL, closer_main, &closer), 0);
	/* Close has begun once newcomers are told so. */
	while (status != 503) {
		assert_true(now_ms() - start < PATIENCE_MS);
		assert_int_equal(qrt_control_ask(&f.target, "GET", "/health", NULL, &status, &body),
				 QRT_OK);
		free(body);
	}
	assert_false(atomic_load(&closer.done));
	gate_open();
	asker_join(&asker, 200);
	pthread_join(closer.thread, NULL);
	assert_null(closer.control);
	assert_int_equal(qrt_control_ask(&f.target, "GET", "/health", NULL, &status, &body),
			 QRT_ECONNREFUSED);
}

static void a_peer_that_leaves_early_does_not_kill_the_process(void **state)
{
	struct fixture f = open_with("127.0.0.1", NULL);
	struct linger reset = {.l_onoff = 1, .l_linger = 0};
	static const char request[] = "GET /large HTTP/1.1\r\nHost: x\r\n\r\n";
	char byte;
	int i, fd;

	(void)state;
	/* The default action, so that only what the server itself does can save us. */
	signal(SIGPIPE, SIG_DFL);
	for (i = 0; i < 5; i++) {
		fd = dial(f.target.port);
		assert_int_equal(send(fd, request, sizeof(request) - 1, MSG_NOSIGNAL),
				 sizeof(request) - 1);
		assert_int_equal(recv(fd, &byte, 1, 0), 1);
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
		close(fd);
	}
	ask(&f, "GET /health", NULL, 200, NULL);
	qrt_control_close(&f.control);
}

/* ---- the client --------------------------------------------------------- */

struct peer {
	int listener;
	uint16_t port;
	const char *answer; /* NULL: says nothing until the client leaves */
	pthread_t thread;
};

/* Takes one connection, reads once, says its piece, and waits for the end. */
static void *peer_main(void *arg)
{
	struct peer *peer = arg;
	char bin[4096];
	int fd = accept(peer->listener, NULL, NULL);

	if (recv(fd, bin, sizeof(bin), 0) > 0 && peer->answer != NULL) {
		(void)!send(fd, peer->answer, strlen(peer->answer), MSG_NOSIGNAL);
		shutdown(fd, SHUT_WR);
	}
	while (recv(fd, bin, sizeof(bin), 0) > 0) {
	}
	close(fd);
	return NULL;
}

static void peer_start(struct peer *peer, const char *answer)
{
	struct sockaddr_in addr = {.sin_family = AF_INET};
	socklen_t len = sizeof(addr);

	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	peer->answer = answer;
	peer->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(peer->listener, (struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(listen(peer->listener, 1), 0);
	assert_int_equal(getsockname(peer->listener, (struct sockaddr *)&addr, &len), 0);
	peer->port = ntohs(addr.sin_port);
	assert_int_equal(pthread_create(&peer->thread, NULL, peer_main, peer), 0);
}

static void the_client_takes_no_answer_that_is_not_strictly_one(void **state)
{
	static const struct {
		const char *answer;
		enum qrt_err err;
	} cases[] = {
	    {"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi", QRT_OK},
	    {"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nhi", QRT_EPROTO},
	    {"HTTP/1.1 200 OK\r\n\r\nhi", QRT_EPROTO},
	    {"HTTP/1.1 200 OK\r\n\r\n\r\nContent-Length: 2\r\n", QRT_EPROTO},
	    {"HTTP/1.1 200 OK\r\nContent-Length: 2000000\r\n\r\nhi", QRT_EPROTO},
	    {"HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\nhi", QRT_EPROTO},
	    {"HTTP/1.1 2x0 OK\r\nContent-Length: 2\r\n\r\nhi", QRT_EPROTO},
	    {"HTTP/1.1 2000 OK\r\nContent-Length: 2\r\n\r\nhi", QRT_EPROTO},
	    {"HTTP/1.1 999 OK\r\nContent-Length: 2\r\n\r\nhi", QRT_EPROTO},
	    {"HTTP/2 200 OK\r\nContent-Length: 2\r\n\r\nhi", QRT_EPROTO},
	    {"SSH-2.0-OpenSSH\r\n", QRT_EPROTO},
	    {"", QRT_EPROTO},
	    {NULL, QRT_ETIMEDOUT},
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct qrt_control_target target = {.address = "127.0.0.1"};
		struct peer peer;
		char *body = NULL;
		int status = -1;

		peer_start(&peer, cases[i].answer);
		target.port = peer.port;
		target.timeout_ms = cases[i].answer != NULL ? PATIENCE_MS : 100;
		assert_int_equal(qrt_control_ask(&target, "GET", "/", NULL, &status, &body),
				 cases[i].err);
		if (cases[i].err == QRT_OK) {
			assert_int_equal(status, 200);
			assert_string_equal(body, "hi");
			free(body);
		} else {
			assert_int_equal(status, -1);
			assert_null(body);
		}
		pthread_join(peer.thread, NULL);
		close(peer.listener);
	}
}

static void the_client_takes_no_more_than_it_was_told_to(void **state)
{
	struct fixture f = open_with("127.0.0.1", NULL);
	char *body = NULL;
	int status = 0;

	(void)state;
	assert_int_equal(qrt_control_ask(&f.target, "GET", "/large", NULL, &status, &body),
			 QRT_EPROTO);
	f.target.body_max = (8 << 20) - 1;
	assert_int_equal(qrt_control_ask(&f.target, "GET", "/large", NULL, &status, &body),
			 QRT_EPROTO);
	assert_null(body);
	f.target.body_max = 8 << 20;
	assert_int_equal(qrt_control_ask(&f.target, "GET", "/large", NULL, &status, &body), QRT_OK);
	assert_int_equal(status, 200);
	free(body);
	qrt_control_close(&f.control);
}

static void the_client_sends_no_request_that_could_be_two(void **state)
{
	struct qrt_control_target target = {.address = "127.0.0.1", .port = 1, .timeout_ms = 100};
	char *body = NULL;
	int status;

	(void)state;
	assert_int_equal(qrt_control_ask(&target, "GET", "/a b", NULL, &status, &body), QRT_EINVAL);
	assert_int_equal(qrt_control_ask(&target, "GET", "/\r\nX: y", NULL, &status, &body),
			 QRT_EINVAL);
	assert_int_equal(qrt_control_ask(&target, "GET", "x", NULL, &status, &body), QRT_EINVAL);
	assert_int_equal(qrt_control_ask(&target, "", "/", NULL, &status, &body), QRT_EINVAL);
	target.token = "a\r\nX: y";
	assert_int_equal(qrt_control_ask(&target, "GET", "/", NULL, &status, &body), QRT_EINVAL);
	target.token = NULL;
	target.timeout_ms = 0;
	assert_int_equal(qrt_control_ask(&target, "GET", "/", NULL, &status, &body), QRT_EINVAL);
	target.timeout_ms = 100;
	target.address = "localhost";
	assert_int_equal(qrt_control_ask(&target, "GET", "/", NULL, &status, &body), QRT_EINVAL);
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
	    cmocka_unit_test(a_body_needs_a_length_and_must_arrive),
	    cmocka_unit_test(a_malformed_request_gets_a_json_error_that_quotes_nothing),
	    cmocka_unit_test(a_used_port_is_refused_and_named),
	    cmocka_unit_test(what_cannot_work_is_refused_at_open),
	    cmocka_unit_test(the_ipv6_loopback_works_or_is_refused_with_the_reason),
	    cmocka_unit_test(silent_peers_do_not_starve_health),
	    cmocka_unit_test(a_dripping_peer_is_cut_off),
	    cmocka_unit_test(handlers_run_at_once_and_wedged_ones_do_not_stop_health),
	    cmocka_unit_test(close_waits_for_handlers_and_their_answers_arrive),
	    cmocka_unit_test(a_peer_that_leaves_early_does_not_kill_the_process),
	    cmocka_unit_test(the_client_takes_no_answer_that_is_not_strictly_one),
	    cmocka_unit_test(the_client_takes_no_more_than_it_was_told_to),
	    cmocka_unit_test(the_client_sends_no_request_that_could_be_two),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
