/*
 * A peer that resets the connection, told to whoever reads: also when bytes
 * came before the reset, and when it came while the reader was already waiting.
 * Real sockets of the system, because libuv and libevent each have a way of
 * their own to tell of one.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <qrt/combine.h>
#include <qrt/stream.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/lib/backends.h"
#include "tests/lib/test.h"

struct link {
	int peer; /* the other end, by hand */
	struct qrt_stream *stream;
	size_t before;	     /* bytes that come ahead of the reset */
	bool waiting;	     /* the reader waits before anything comes */
	enum qrt_err result; /* of the last read */
	size_t got;
};

/* A connection over loopback: only TCP has resets. */
static bool link_make(int *ret_here, int *ret_there)
{
	struct sockaddr_in addr = {.sin_family = AF_INET};
	socklen_t len = sizeof(addr);
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	*ret_there = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool good = !bind(listener, (struct sockaddr *)&addr, len) && !listen(listener, 1) &&
		    !getsockname(listener, (struct sockaddr *)&addr, &len) &&
		    !connect(*ret_there, (struct sockaddr *)&addr, len);
	*ret_here = good ? accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK) : -1;
	close(listener);
	return *ret_here >= 0;
}

static void send_and_reset(struct link *link)
{
	const struct linger now = {.l_onoff = 1};
	if (link->before > 0) {
		QRT_IGNORE(send(link->peer, "hello", link->before, MSG_NOSIGNAL) < 0,
			   "the reader tells what came");
	}
	QRT_IGNORE(setsockopt(link->peer, SOL_SOCKET, SO_LINGER, &now, sizeof(now)),
		   "the reader tells whether it worked");
	close(link->peer);
}

/* Reads to the end, with a buffer that nothing fills. */
static enum qrt_err read_to_the_end(struct qrt_cx *cx, void *arg)
{
	struct link *link = arg;
	char buf[64];
	enum qrt_err err;
	size_t n;
	while (!(err = qrt_read(cx, link->stream, buf, sizeof(buf), &n))) {
		link->got += n;
	}
	link->result = err;
	return QRT_OK;
}

static enum qrt_err read_in_time(struct qrt_cx *cx, void *arg)
{
	QRT_IGNORE(qrt_timeout(cx, 2 * QRT_SEC, read_to_the_end, arg), "the reads have told");
	return QRT_OK;
}

static enum qrt_err reset_scenario(struct qrt_cx *cx, void *arg)
{
	struct link *link = arg;
	struct qrt_region *region;
	int here;
	EXPECT(link_make(&here, &link->peer));
	EXPECT(!qrt_stream_adopt(cx, here, &link->stream));
	if (!link->waiting) {
		send_and_reset(link);
	}
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &region));
	EXPECT(!qrt_spawn(region, read_in_time, link));
	for (int i = 0; i < 8; i++) {
		EXPECT(!qrt_yield(cx)); /* then it waits, if there is nothing to read */
	}
	if (link->waiting) {
		send_and_reset(link);
	}
	EXPECT(!qrt_region_close(cx, &region, QRT_OK));
	EXPECT(link->got == link->before);
	EXPECT(link->result == QRT_ECONNRESET);
	qrt_stream_close(cx, &link->stream);
	return QRT_OK;
}

static void everywhere(size_t before, bool waiting)
{
	size_t n;
	const char *const *backends = real_backends(&n);
	for (size_t i = 0; i < n; i++) {
		struct link link = {.before = before, .waiting = waiting};
		assert_int_equal(on_backend(backends[i], reset_scenario, &link), QRT_OK);
	}
}

static void a_reset_ends_a_read_that_waits(void **state)
{
	(void)state;
	everywhere(0, true);
}

static void what_came_before_a_reset_is_read_first_and_then_the_reset(void **state)
{
	(void)state;
	everywhere(5, false);
	everywhere(5, true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_reset_ends_a_read_that_waits),
	    cmocka_unit_test(what_came_before_a_reset_is_read_first_and_then_the_reset),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
