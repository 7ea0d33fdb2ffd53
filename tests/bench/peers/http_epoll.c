/*
 * The floor under every HTTP server here: an epoll loop and the parser we use,
 * and nothing else. No time limits, no limit of anything but a request's size,
 * no other protocol errors than the parser's: it closes.
 */
#include <llhttp.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "tests/bench/peers/http_work.h"

enum { EVENTS_MAX = 256, IN_MAX = 8192, PATH_MAX_BYTES = 1024, OUT_FIRST = 1024 };

struct conn {
	int fd;
	llhttp_t parser;
	char path[PATH_MAX_BYTES];
	size_t path_len;
	bool ending;
	char *out;
	size_t out_len, out_cap;
};

static llhttp_settings_t settings;
static volatile sig_atomic_t told;

static void on_term(int signo)
{
	told = signo;
}

/* The date of this second. */
static const char *date(void)
{
	static char text[64];
	static time_t made;
	time_t now = time(NULL);

	if (now != made) {
		struct tm tm;

		made = now;
		strftime(text, sizeof(text), "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&now, &tm));
	}
	return text;
}

static int on_url(llhttp_t *parser, const char *at, size_t len)
{
	struct conn *conn = parser->data;

	if (conn->path_len + len >= PATH_MAX_BYTES) {
		return -1;
	}
	memcpy(conn->path + conn->path_len, at, len);
	conn->path_len += len;
	conn->path[conn->path_len] = '\0';
	return 0;
}

static int on_complete(llhttp_t *parser)
{
	struct conn *conn = parser->data;
	struct work_answer answer;

	work_answer(conn->path, conn->path_len, &answer);
	conn->path_len = 0;
	if (conn->out_cap - conn->out_len < OUT_FIRST) {
		conn->out_cap += OUT_FIRST;
		conn->out = realloc(conn->out, conn->out_cap);
		if (conn->out == NULL) {
			work_die("memory");
		}
	}
	conn->ending = !llhttp_should_keep_alive(parser);
	conn->out_len += (size_t)snprintf(
	    conn->out + conn->out_len, conn->out_cap - conn->out_len,
	    "HTTP/1.1 %s\r\nContent-Type: %s\r\nDate: %s\r\n"
	    "Content-Length: %zu\r\n%s\r\n%.*s",
	    answer.status == 200 ? "200 OK" : "404 Not Found", answer.type, date(), answer.len,
	    conn->ending ? "Connection: close\r\n" : "", (int)answer.len, answer.body);
	return 0;
}

static void conn_free(struct conn *conn)
{
	close(conn->fd);
	free(conn->out);
	free(conn);
}

/* False: it is over. Whoever asks without reading until the kernel takes no more is cut off. */
static bool flush(struct conn *conn)
{
	ssize_t n = send(conn->fd, conn->out, conn->out_len, MSG_NOSIGNAL);
	bool whole = n == (ssize_t)conn->out_len;

	conn->out_len = 0;
	return whole && !conn->ending;
}

/* One read a turn: what is left rings again. */
static bool turn(struct conn *conn)
{
	char in[IN_MAX];
	ssize_t n = recv(conn->fd, in, sizeof(in), 0);

	return n > 0 && llhttp_execute(&conn->parser, in, (size_t)n) == HPE_OK &&
	       (conn->out_len == 0 || flush(conn));
}

static void take_in(int epoll, int listener)
{
	int fd, one = 1;

	while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
		struct conn *conn = calloc(1, sizeof(*conn));
		struct epoll_event ev = {.events = EPOLLIN, .data.ptr = conn};

		if (conn == NULL) {
			work_die("memory");
		}
		conn->fd = fd;
		(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		llhttp_init(&conn->parser, HTTP_REQUEST, &settings);
		conn->parser.data = conn;
		if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &ev) != 0) {
			work_die("epoll_ctl");
		}
	}
}

static void serve(int epoll, int listener)
{
	struct epoll_event events[EVENTS_MAX];

	while (!told) {
		int n = epoll_wait(epoll, events, EVENTS_MAX, -1);

		for (int i = 0; i < n; i++) {
			struct conn *conn = events[i].data.ptr;

			if (conn == NULL) {
				take_in(epoll, listener);
			} else if (!turn(conn)) {
				conn_free(conn);
			}
		}
	}
}

int main(int argc, char **argv)
{
	struct sigaction action = {.sa_handler = on_term};
	struct epoll_event ev = {.events = EPOLLIN};
	uint16_t port;
	int listener = work_listen(&port), epoll = epoll_create1(EPOLL_CLOEXEC);

	work_open(argc > 1 ? argv[1] : NULL);
	llhttp_settings_init(&settings);
	settings.on_url = on_url;
	settings.on_message_complete = on_complete;
	if (epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &ev) != 0) {
		work_die("epoll");
	}
	sigaction(SIGTERM, &action, NULL);
	printf("http://127.0.0.1:%u\n", port);
	fflush(stdout);
	serve(epoll, listener);
	work_close();
	close(listener);
	close(epoll);
	return 0;
}
