/* The control listener of its tests: handlers that say, echo, wedge, or say nothing; the gate. */
#include "tests/lib/control_site.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "tests/lib/test.h"

/* Where "wedge" handlers wait until the test lets them go. */
static struct gate {
	pthread_mutex_t lock;
	pthread_cond_t moved;
	unsigned inside;
	bool open;
} gate = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, false};

int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* --- handlers ------------------------------------------------------------------------------ */

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

/* --- the listener, and who asks it --------------------------------------------------------- */

struct qrt_control_options control_options(const char *address, const char *token)
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

struct control_site control_site_open(const char *address, const char *token)
{
	struct qrt_control_options opts = control_options(address, token);
	struct control_site f = {0};
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

void control_ask(const struct control_site *f, const char *request, const char *body,
		 int status_want, const char *body_want)
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

int control_dial(uint16_t port)
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

void gate_wait_inside(unsigned n)
{
	pthread_mutex_lock(&gate.lock);
	while (gate.inside < n) {
		pthread_cond_wait(&gate.moved, &gate.lock);
	}
	pthread_mutex_unlock(&gate.lock);
}

void gate_open(void)
{
	pthread_mutex_lock(&gate.lock);
	gate.open = true;
	pthread_cond_broadcast(&gate.moved);
	pthread_mutex_unlock(&gate.lock);
}
