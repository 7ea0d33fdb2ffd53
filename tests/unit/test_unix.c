/* Unix sockets: by path and by name, on each backend; in the lab a name is a place like a port. */
#include <qrt/lab.h>
#include <qrt/stream.h>
#include <qrt/tls.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/lib/backends.h"
#include "tests/lib/test.h"
#include "tests/lib/tls_pair.h"

static char folder[] = "/tmp/qrt-unix-XXXXXX";
static char path[64], address[80], name[80];

static int set_up(void **state)
{
	(void)state;
	if (!mkdtemp(folder)) {
		return -1;
	}
	snprintf(path, sizeof(path), "%s/socket", folder);
	snprintf(address, sizeof(address), "unix:%s", path);
	snprintf(name, sizeof(name), "unix:@%s", folder);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	return rmdir(folder); /* every test leaves it empty */
}

static bool there(void)
{
	struct stat stat;
	return lstat(path, &stat) == 0;
}

/* Whether the file system agrees; a lab has none. */
static bool file_is(struct qrt_cx *cx, bool expected)
{
	return qrt_in_lab(cx) || there() == expected;
}

static enum qrt_err listen_on(struct qrt_cx *cx, const char *where, struct qrt_listener **listener)
{
	uint16_t port = 7;
	int fd;
	enum qrt_err err = qrt_socket_listen(cx, where, 4711, &fd, &port);
	EXPECT(err || port == 0);
	return err ? err : qrt_listener_adopt(cx, fd, listener);
}

/* --- talking -----------------------------------------------------------------------------------
 */

static enum qrt_err play_talk(struct qrt_cx *cx, void *arg)
{
	const char *where = arg;
	struct qrt_listener *listener;
	struct qrt_stream *client, *server;
	char buf[6];
	size_t n;
	EXPECT(!listen_on(cx, where, &listener));
	EXPECT(file_is(cx, where == address));
	EXPECT(!qrt_connect(cx, where, 99, &client));
	EXPECT(!qrt_accept(cx, listener, &server));
	EXPECT(strcmp(qrt_stream_peer(client), where) == 0);
	EXPECT(qrt_in_lab(cx) || strcmp(qrt_stream_peer(server), "unix:") == 0);
	EXPECT(!qrt_write(cx, client, "hello", 6));
	EXPECT(!tls_read_all(cx, server, buf, 6) && strcmp(buf, "hello") == 0);
	EXPECT(!qrt_stream_shutdown(cx, server));
	EXPECT(qrt_read(cx, client, buf, 6, &n) == QRT_EEOF);
	qrt_stream_close(cx, &client);
	qrt_stream_close(cx, &server);
	qrt_listener_close(cx, &listener);
	EXPECT(file_is(cx, false));
	/* It is free again. */
	EXPECT(!listen_on(cx, where, &listener));
	qrt_listener_close(cx, &listener);
	return QRT_OK;
}

static void two_ends_talk_over_a_path(void **state)
{
	(void)state;
	on_each_backend(play_talk, address);
}

static void two_ends_talk_over_a_name(void **state)
{
	(void)state;
	on_each_backend(play_talk, name);
}

static enum qrt_err play_tls(struct qrt_cx *cx, void *arg)
{
	struct tls_pair pair = {.server = tls_server(),
				.client = tls_client(),
				.address = arg,
				.at_server = tls_echo,
				.at_client = tls_talk};
	enum qrt_err err = tls_pair_well(cx, &pair);
	qrt_tls_unref(&pair.server);
	qrt_tls_unref(&pair.client);
	return err;
}

static void tls_runs_over_them(void **state)
{
	(void)state;
	on_each_backend(play_tls, address);
	on_each_backend(play_tls, name);
}

/* --- refusals -------------------------------------------------------------------------------- */

static enum qrt_err play_refusals(struct qrt_cx *cx, void *arg)
{
	char longest[5 + 107 + 1], too_long[5 + 108 + 1], text[200];
	struct qrt_stream *stream;
	uint16_t port;
	int fd;
	(void)arg;
	snprintf(longest, sizeof(longest), "unix:@%0106d", 0);
	EXPECT(!qrt_socket_listen(cx, longest, 0, &fd, &port));
	qrt_socket_close(cx, fd);
	snprintf(too_long, sizeof(too_long), "unix:/%0107d", 0);
	EXPECT(qrt_socket_listen(cx, too_long, 0, &fd, &port) == QRT_EINVAL);
	EXPECT(strstr(qrt_detail(cx), ": a name of 108 bytes, at most 107 are possible"));
	EXPECT(qrt_connect(cx, too_long, 0, &stream) == QRT_EINVAL);
	static const char *const bad[] = {"unix:", "unix:@", "unix:relative", "unix:./x"};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		snprintf(text, sizeof(text), "%s: neither unix:/path nor unix:@name", bad[i]);
		EXPECT(qrt_socket_listen(cx, bad[i], 0, &fd, &port) == QRT_EINVAL);
		EXPECT(strcmp(qrt_detail(cx), text) == 0);
		EXPECT(qrt_connect(cx, bad[i], 0, &stream) == QRT_EINVAL);
	}
	EXPECT(qrt_connect(cx, address, 0, &stream) == QRT_ENOENT);
	snprintf(text, sizeof(text), "connect to %s: not found", address);
	EXPECT(strcmp(qrt_detail(cx), text) == 0);
	EXPECT(qrt_connect(cx, name, 0, &stream) == QRT_ECONNREFUSED);
	return QRT_OK;
}

static void what_is_no_place_is_refused_in_words(void **state)
{
	(void)state;
	on_each_backend(play_refusals, NULL);
}

static enum qrt_err play_taken(struct qrt_cx *cx, void *arg)
{
	const char *where = arg;
	struct qrt_listener *listener;
	struct qrt_stream *client;
	uint16_t port;
	int fd;
	EXPECT(!listen_on(cx, where, &listener));
	EXPECT(qrt_socket_listen(cx, where, 0, &fd, &port) == QRT_EADDRINUSE);
	EXPECT(strstr(qrt_detail(cx), "listen on unix:") == qrt_detail(cx));
	EXPECT(strstr(qrt_detail(cx), "Address already in use"));
	EXPECT(file_is(cx, where == address)); /* and it is still served */
	EXPECT(!qrt_connect(cx, where, 0, &client));
	qrt_stream_close(cx, &client);
	qrt_listener_close(cx, &listener);
	return QRT_OK;
}

static void a_place_that_is_taken_stays_whose_it_is(void **state)
{
	(void)state;
	on_each_backend(play_taken, address);
	on_each_backend(play_taken, name);
}

/* A socket's file, as a process that was killed leaves it. */
static int stale_file(void)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	snprintf(un.sun_path, sizeof(un.sun_path), "%s", path);
	int failed = fd < 0 || bind(fd, (const struct sockaddr *)&un, sizeof(un));
	close(fd);
	return failed;
}

static enum qrt_err play_stale(struct qrt_cx *cx, void *arg)
{
	char nowhere[128];
	struct qrt_stream *stream;
	uint16_t port;
	int fd;
	(void)arg;
	if (qrt_in_lab(cx)) {
		return QRT_OK; /* there are no files */
	}
	EXPECT(!stale_file());
	EXPECT(qrt_socket_listen(cx, address, 0, &fd, &port) == QRT_EADDRINUSE);
	EXPECT(strstr(qrt_detail(cx), "a socket that nobody serves any more has to be removed"));
	EXPECT(there());
	EXPECT(qrt_connect(cx, address, 0, &stream) == QRT_ECONNREFUSED);
	EXPECT(!unlink(path));
	snprintf(nowhere, sizeof(nowhere), "unix:%s/missing/socket", folder);
	EXPECT(qrt_socket_listen(cx, nowhere, 0, &fd, &port) == QRT_ENOENT);
	EXPECT(strstr(qrt_detail(cx), "/missing/socket: No such file or directory"));
	EXPECT(qrt_connect(cx, nowhere, 0, &stream) == QRT_ENOENT);
	return QRT_OK;
}

static void a_file_that_was_left_is_told_and_left_alone(void **state)
{
	(void)state;
	on_each_backend(play_stale, NULL);
}

/* --- whose the file is ----------------------------------------------------------------------- */

static enum qrt_err play_duplicates(struct qrt_cx *cx, void *arg)
{
	struct qrt_listener *listener, *other;
	struct qrt_stream *client, *server;
	uint16_t port;
	int fd, copy;
	(void)arg;
	EXPECT(!qrt_socket_listen(cx, address, 0, &fd, &port));
	EXPECT(!qrt_socket_dup(cx, fd, &copy));
	EXPECT(!qrt_listener_adopt(cx, copy, &other));
	qrt_listener_close(cx, &other);
	EXPECT(file_is(cx, true)); /* a move of a component closes duplicates only */
	EXPECT(!qrt_connect(cx, address, 0, &client));
	EXPECT(!qrt_listener_adopt(cx, fd, &listener));
	EXPECT(!qrt_accept(cx, listener, &server));
	qrt_stream_close(cx, &client);
	qrt_stream_close(cx, &server);
	EXPECT(file_is(cx, true)); /* nor do connections take it along */
	qrt_listener_close(cx, &listener);
	EXPECT(file_is(cx, false));
	/* One that nobody has adopted. */
	EXPECT(!qrt_socket_listen(cx, address, 0, &fd, &port));
	qrt_socket_close(cx, fd);
	EXPECT(file_is(cx, false));
	return QRT_OK;
}

static void the_file_goes_with_the_descriptor_that_made_it(void **state)
{
	(void)state;
	on_each_backend(play_duplicates, NULL);
}

static enum qrt_err play_replaced(struct qrt_cx *cx, void *arg)
{
	struct qrt_listener *listener;
	uint16_t port;
	int fd, reused;
	(void)arg;
	if (qrt_in_lab(cx)) {
		return QRT_OK;
	}
	/* Somebody has put another file there. */
	EXPECT(!listen_on(cx, address, &listener));
	EXPECT(!unlink(path) && !stale_file());
	qrt_listener_close(cx, &listener);
	EXPECT(there() && !unlink(path));
	/* Somebody has closed it behind our back, and its number is another socket's now. */
	EXPECT(!qrt_socket_listen(cx, address, 0, &fd, &port));
	close(fd);
	reused = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	EXPECT(reused == fd);
	qrt_socket_close(cx, reused);
	EXPECT(there() && !unlink(path));
	return QRT_OK;
}

static void the_file_of_somebody_else_is_not_removed(void **state)
{
	(void)state;
	on_each_backend(play_replaced, NULL);
}

/* --- more than it takes ------------------------------------------------------------------------
 */

static enum qrt_err play_full(struct qrt_cx *cx, void *arg)
{
	enum { MANY = 200 };
	struct qrt_stream *clients[MANY] = {0};
	struct qrt_listener *listener;
	uint16_t port;
	enum qrt_err err = QRT_OK;
	int fd, n = 0;
	EXPECT(!qrt_socket_listen(cx, arg, 0, &fd, &port));
	EXPECT(qrt_in_lab(cx) || !listen(fd, 8)); /* a shorter queue */
	EXPECT(!qrt_listener_adopt(cx, fd, &listener));
	while (n < MANY && !err) {
		err = qrt_connect(cx, arg, 0, &clients[n]);
		n += !err;
	}
	EXPECT(err == QRT_EBUSY && n >= 8);
	struct qrt_stream *server;
	EXPECT(!qrt_accept(cx, listener, &server));
	EXPECT(!qrt_connect(cx, arg, 0, &clients[n])); /* there is room again */
	qrt_stream_close(cx, &server);
	for (int i = 0; i <= n; i++) {
		qrt_stream_close(cx, &clients[i]);
	}
	qrt_listener_close(cx, &listener);
	return QRT_OK;
}

static void a_full_queue_is_told_at_once(void **state)
{
	(void)state;
	on_each_backend(play_full, address);
	on_each_backend(play_full, name);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(two_ends_talk_over_a_path),
	    cmocka_unit_test(two_ends_talk_over_a_name),
	    cmocka_unit_test(tls_runs_over_them),
	    cmocka_unit_test(what_is_no_place_is_refused_in_words),
	    cmocka_unit_test(a_place_that_is_taken_stays_whose_it_is),
	    cmocka_unit_test(a_file_that_was_left_is_told_and_left_alone),
	    cmocka_unit_test(the_file_goes_with_the_descriptor_that_made_it),
	    cmocka_unit_test(the_file_of_somebody_else_is_not_removed),
	    cmocka_unit_test(a_full_queue_is_told_at_once),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
