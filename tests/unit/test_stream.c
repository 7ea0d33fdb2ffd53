/* Streams, listeners and waits on them, on every backend: real sockets on the real ones. */
#include <qrt/stream.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/backends.h"
#include "tests/lib/test.h"

struct pair {
	struct qrt_listener *listener;
	struct qrt_stream *client, *server;
	uint16_t port;
	enum qrt_err result;
	size_t got;
	char buf[65536];
};

static enum qrt_err pair_open(struct qrt_cx *cx, struct pair *pair)
{
	int fd;
	enum qrt_err err = qrt_socket_listen(cx, "127.0.0.1", 0, &fd, &pair->port);
	if (!err) {
		err = qrt_listener_adopt(cx, fd, &pair->listener);
	}
	if (!err) {
		err = qrt_connect(cx, "127.0.0.1", pair->port, &pair->client);
	}
	if (!err) {
		err = qrt_accept(cx, pair->listener, &pair->server);
	}
	return err;
}

static void pair_close(struct qrt_cx *cx, struct pair *pair)
{
	qrt_stream_close(cx, &pair->client);
	qrt_stream_close(cx, &pair->server);
	qrt_listener_close(cx, &pair->listener);
}

static enum qrt_err reader(struct qrt_cx *cx, void *arg)
{
	struct pair *pair = arg;
	pair->result = qrt_read(cx, pair->server, pair->buf, sizeof(pair->buf), &pair->got);
	return QRT_OK;
}

static enum qrt_err big_writer(struct qrt_cx *cx, void *arg)
{
	struct pair *pair = arg;
	char *bytes = calloc(1, 8 << 20);
	for (size_t i = 0; i < 8 << 20; i++) {
		bytes[i] = (char)(i * 31 >> 7);
	}
	enum qrt_err err = qrt_write(cx, pair->client, bytes, 8 << 20);
	if (!err) {
		err = qrt_stream_shutdown(cx, pair->client);
	}
	free(bytes);
	return err;
}

static enum qrt_err transfer_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct pair *pair = calloc(1, sizeof(*pair));
	struct qrt_region *region;
	size_t total = 0;
	EXPECT(!pair_open(cx, pair));
	EXPECT(strlen(qrt_stream_peer(pair->server)) > 0);
	EXPECT(!qrt_region_open(cx, QRT_FAIL_FAST, &region));
	EXPECT(!qrt_spawn(region, big_writer, pair));
	enum qrt_err err = QRT_OK;
	while (!err) {
		size_t got;
		err = qrt_read(cx, pair->server, pair->buf, sizeof(pair->buf), &got);
		for (size_t i = 0; !err && i < got; i++, total++) {
			EXPECT(pair->buf[i] == (char)(total * 31 >> 7));
		}
	}
	EXPECT(err == QRT_EEOF);
	EXPECT(total == 8 << 20);
	EXPECT(!qrt_region_close(cx, &region, QRT_OK));
	pair_close(cx, pair);
	free(pair);
	return QRT_OK;
}

static void what_is_written_is_read_in_order_up_to_the_end(void **state)
{
	(void)state;
	on_each_backend(transfer_scenario, NULL);
}

static enum qrt_err close_scenario(struct qrt_cx *cx, void *arg)
{
	bool woken = *(bool *)arg;
	struct pair *pair = calloc(1, sizeof(*pair));
	struct qrt_region *region;
	size_t got;
	EXPECT(!pair_open(cx, pair));
	EXPECT(!qrt_region_open(cx, QRT_FAIL_FAST, &region));
	EXPECT(!qrt_spawn(region, reader, pair));
	EXPECT(!qrt_sleep(cx, QRT_MS));
	EXPECT(qrt_read(cx, pair->server, pair->buf, 1, &got) == QRT_EBUSY);
	if (woken) {
		/* Cut its wait short: it is ready with another result, but has not run. */
		qrt_region_cancel(region, QRT_CANCEL_USER, "test");
	}
	qrt_stream_close(cx, &pair->server);
	enum qrt_err err = qrt_region_close(cx, &region, QRT_OK);
	EXPECT(!err);
	EXPECT(pair->result == QRT_ECLOSED);
	pair_close(cx, pair);
	free(pair);
	return QRT_OK;
}

static void closing_under_a_reader_gives_it_eclosed(void **state)
{
	(void)state;
	bool woken = false;
	on_each_backend(close_scenario, &woken);
}

static void closing_under_a_woken_reader_is_no_use_after_free(void **state)
{
	(void)state;
	bool woken = true;
	on_each_backend(close_scenario, &woken);
}

static enum qrt_err cancel_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct pair *pair = calloc(1, sizeof(*pair));
	struct qrt_region *region;
	struct qrt_stream *stream;
	EXPECT(!pair_open(cx, pair));
	EXPECT(!qrt_region_open(cx, QRT_FAIL_FAST, &region));
	EXPECT(!qrt_spawn(region, reader, pair));
	EXPECT(!qrt_sleep(cx, QRT_MS));
	qrt_region_cancel(region, QRT_CANCEL_USER, "test");
	EXPECT(!qrt_region_close(cx, &region, QRT_OK));
	EXPECT(pair->result == QRT_ECANCELED);
	/* The stream is as good as before. */
	EXPECT(!qrt_write(cx, pair->client, "x", 1));
	EXPECT(!qrt_read(cx, pair->server, pair->buf, 1, &pair->got));
	const struct qrt_region_options late = {.budget.deadline_ns = qrt_deadline_in(cx, QRT_MS)};
	EXPECT(!qrt_region_open_with(cx, &late, &region));
	EXPECT(qrt_read(qrt_region_cx(region), pair->server, pair->buf, 1, &pair->got) ==
	       QRT_ETIMEDOUT);
	EXPECT(qrt_accept(qrt_region_cx(region), pair->listener, &stream) == QRT_ETIMEDOUT);
	EXPECT(!qrt_region_close(cx, &region, QRT_OK));
	pair_close(cx, pair);
	free(pair);
	return QRT_OK;
}

static void cancel_and_deadline_end_a_read_and_leave_the_stream_usable(void **state)
{
	(void)state;
	on_each_backend(cancel_scenario, NULL);
}

static enum qrt_err refused_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct qrt_stream *stream;
	int fd, fd2;
	uint16_t port, other;
	EXPECT(!qrt_socket_listen(cx, "127.0.0.1", 0, &fd, &port));
	EXPECT(qrt_socket_listen(cx, "127.0.0.1", port, &fd2, &other) == QRT_EADDRINUSE);
	EXPECT(strstr(qrt_detail(cx), "listen on 127.0.0.1:"));
	qrt_socket_close(cx, fd);
	EXPECT(qrt_connect(cx, "127.0.0.1", port, &stream) == QRT_ECONNREFUSED);
	EXPECT(strstr(qrt_detail(cx), "connect to 127.0.0.1:"));
	EXPECT(qrt_connect(cx, "localhost", port, &stream) == QRT_EINVAL);
	return QRT_OK;
}

static void used_refused_and_misspelt_addresses_are_named(void **state)
{
	(void)state;
	on_each_backend(refused_scenario, NULL);
}

static enum qrt_err no_net_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct qrt_region *region;
	int fd;
	uint16_t port;
	const struct qrt_region_options opts = {.caps = QRT_CAP_SPAWN};
	EXPECT(!qrt_region_open_with(cx, &opts, &region));
	EXPECT(qrt_socket_listen(qrt_region_cx(region), "127.0.0.1", 0, &fd, &port) ==
	       QRT_ENOTCAPABLE);
	EXPECT(!qrt_region_close(cx, &region, QRT_OK));
	return QRT_OK;
}

static void sockets_need_the_net_capability(void **state)
{
	(void)state;
	on_each_backend(no_net_scenario, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_is_written_is_read_in_order_up_to_the_end),
	    cmocka_unit_test(closing_under_a_reader_gives_it_eclosed),
	    cmocka_unit_test(closing_under_a_woken_reader_is_no_use_after_free),
	    cmocka_unit_test(cancel_and_deadline_end_a_read_and_leave_the_stream_usable),
	    cmocka_unit_test(used_refused_and_misspelt_addresses_are_named),
	    cmocka_unit_test(sockets_need_the_net_capability),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
