/* Streams, listeners and waits on them: real sockets on the real backends. */
#include <qrt/lab.h>
#include <qrt/stream.h>
#include <stdio.h>
#include <string.h>

#include "tests/conformance/conformance.h"

enum { CROWD = 24 };

struct pair {
	struct qrt_listener *listener;
	struct qrt_region *outer;
	struct qrt_stream *client, *server;
	struct qrt_stream *crowd[2 * CROWD];
	uint16_t port;
	enum qrt_err result;
	size_t got, total;
	char buf[65536], out[65536];
};

static void pair_clean(struct qrt_cx *cx, void *arg)
{
	struct pair *pair = arg;
	qrt_stream_close(cx, &pair->client);
	qrt_stream_close(cx, &pair->server);
	for (size_t i = 0; i < 2 * CROWD; i++) {
		qrt_stream_close(cx, &pair->crowd[i]);
	}
	qrt_listener_close(cx, &pair->listener);
}

static enum qrt_err listen_somewhere(struct qrt_cx *cx, struct pair *pair)
{
	int fd;
	TRY(qrt_socket_listen(cx, "127.0.0.1", 0, &fd, &pair->port));
	return qrt_listener_adopt(cx, fd, &pair->listener);
}

static enum qrt_err pair_open(struct qrt_cx *cx, struct pair *pair)
{
	TRY(listen_somewhere(cx, pair));
	TRY(qrt_connect(cx, "127.0.0.1", pair->port, &pair->client));
	return qrt_accept(cx, pair->listener, &pair->server);
}

static enum qrt_err reader(struct qrt_cx *cx, void *arg)
{
	struct pair *pair = arg;
	pair->result = qrt_read(cx, pair->server, pair->buf, sizeof(pair->buf), &pair->got);
	return QRT_OK;
}

static char byte_at(size_t i)
{
	return (char)(i * 31 >> 7);
}

static enum qrt_err big_writer(struct qrt_cx *cx, void *arg)
{
	struct pair *pair = arg;
	enum qrt_err err = QRT_OK;
	for (size_t at = 0; at < pair->total && !err; at += sizeof(pair->out)) {
		for (size_t i = 0; i < sizeof(pair->out); i++) {
			pair->out[i] = byte_at(at + i);
		}
		err = qrt_write(cx, pair->client, pair->out, sizeof(pair->out));
	}
	/* In any case: not every engine takes the reader out of its wait. */
	enum qrt_err shut = qrt_stream_shutdown(cx, pair->client);
	return err ? err : shut;
}

static enum qrt_err transfer_scenario(struct qrt_cx *cx, void *arg)
{
	struct pair *pair = arg;
	struct qrt_region *region;
	size_t total = 0;
	enum qrt_err err = QRT_OK;
	pair->total = conformance_scale(8 << 20, 256 << 10);
	TRY(pair_open(cx, pair));
	EXPECT(strlen(qrt_stream_peer(pair->server)) > 0);
	TRY(qrt_region_open(cx, QRT_FAIL_FAST, &region));
	TRY(qrt_spawn(region, big_writer, pair));
	while (!err) {
		size_t got;
		err = qrt_read(cx, pair->server, pair->buf, sizeof(pair->buf), &got);
		for (size_t i = 0; !err && i < got; i++, total++) {
			EXPECT(pair->buf[i] == byte_at(total));
		}
	}
	if (err != QRT_EEOF) {
		return qrt_region_close(cx, &region, err); /* the writer's failure comes first */
	}
	TRY(qrt_region_close(cx, &region, QRT_OK));
	EXPECT(total == pair->total);
	return QRT_OK;
}

static enum qrt_err pair_scenario(struct qrt_cx *cx, void *arg)
{
	struct pair *pair = arg;
	int a, b;
	TRY(qrt_lab_pair(cx, &a, &b));
	enum qrt_err err = qrt_stream_adopt(cx, a, &pair->client);
	if (err) {
		qrt_socket_close(cx, b);
		return err;
	}
	TRY(qrt_stream_adopt(cx, b, &pair->server));
	const struct qrt_slice slices[] = {{"to", 2}, {"", 0}, {"gether", 6}};
	TRY(qrt_writev(cx, pair->client, slices, 3));
	while (pair->total < 8) {
		TRY(qrt_read(cx, pair->server, pair->buf + pair->total, 8 - pair->total,
			     &pair->got));
		pair->total += pair->got;
	}
	EXPECT(memcmp(pair->buf, "together", 8) == 0);
	return QRT_OK;
}

/* Many at once: the tables of descriptors grow, on both sides of the API. */
static enum qrt_err crowd_scenario(struct qrt_cx *cx, void *arg)
{
	struct pair *pair = arg;
	TRY(listen_somewhere(cx, pair));
	for (size_t i = 0; i < CROWD; i++) {
		TRY(qrt_connect(cx, "127.0.0.1", pair->port, &pair->crowd[2 * i]));
		TRY(qrt_accept(cx, pair->listener, &pair->crowd[2 * i + 1]));
		TRY(qrt_write(cx, pair->crowd[2 * i], "x", 1));
	}
	for (size_t i = 0; i < CROWD; i++) {
		TRY(qrt_read(cx, pair->crowd[2 * i + 1], pair->buf, 1, &pair->got));
		EXPECT(pair->got == 1 && pair->buf[0] == 'x');
	}
	return QRT_OK;
}

static enum qrt_err close_under_reader(struct qrt_cx *cx, struct pair *pair, bool woken)
{
	struct qrt_region *region;
	TRY(pair_open(cx, pair));
	TRY(qrt_region_open(cx, QRT_FAIL_FAST, &region));
	TRY(qrt_spawn(region, reader, pair));
	TRY(qrt_sleep(cx, QRT_MS));
	EXPECT_ERR(QRT_EBUSY, qrt_read(cx, pair->server, pair->buf, 1, &pair->got));
	if (woken) {
		/* Cut its wait short: it is ready with another result, but has not run. */
		qrt_region_cancel(region, QRT_CANCEL_USER, "test");
	}
	qrt_stream_close(cx, &pair->server);
	TRY(qrt_region_close(cx, &region, QRT_OK));
	EXPECT_ERR(QRT_ECLOSED, pair->result);
	return QRT_OK;
}

static enum qrt_err close_scenario(struct qrt_cx *cx, void *arg)
{
	return close_under_reader(cx, arg, false);
}

static enum qrt_err close_woken_scenario(struct qrt_cx *cx, void *arg)
{
	return close_under_reader(cx, arg, true);
}

static enum qrt_err fill(struct qrt_cx *cx, void *arg)
{
	struct pair *pair = arg;
	while (!(pair->result = qrt_write(cx, pair->client, pair->out, sizeof(pair->out)))) {
		pair->total += sizeof(pair->out);
	}
	return QRT_OK;
}

static enum qrt_err close_under_writer_scenario(struct qrt_cx *cx, void *arg)
{
	struct pair *pair = arg;
	struct qrt_region *region;
	size_t before;
	TRY(pair_open(cx, pair));
	TRY(qrt_region_open(cx, QRT_FAIL_FAST, &region));
	TRY(qrt_spawn(region, fill, pair));
	do {
		before = pair->total;
		TRY(qrt_sleep(cx, 2 * QRT_MS));
	} while (pair->total > before);
	TRY(pair->result); /* it ended early */
	EXPECT_ERR(QRT_EBUSY, qrt_write(cx, pair->client, "x", 1));
	qrt_stream_close(cx, &pair->client);
	TRY(qrt_region_close(cx, &region, QRT_OK));
	EXPECT_ERR(QRT_ECLOSED, pair->result);
	return QRT_OK;
}

static enum qrt_err acceptor(struct qrt_cx *cx, void *arg)
{
	struct pair *pair = arg;
	pair->result = qrt_accept(cx, pair->listener, &pair->server);
	return QRT_OK;
}

static enum qrt_err close_under_acceptor_scenario(struct qrt_cx *cx, void *arg)
{
	struct pair *pair = arg;
	struct qrt_region *region;
	TRY(listen_somewhere(cx, pair));
	TRY(qrt_region_open(cx, QRT_FAIL_FAST, &region));
	TRY(qrt_spawn(region, acceptor, pair));
	TRY(qrt_sleep(cx, QRT_MS));
	qrt_listener_close(cx, &pair->listener);
	TRY(qrt_region_close(cx, &region, QRT_OK));
	EXPECT_ERR(QRT_ECLOSED, pair->result);
	return QRT_OK;
}

static enum qrt_err giving_acceptor(struct qrt_cx *cx, void *arg)
{
	struct pair *pair = arg;
	pair->result = qrt_accept(cx, pair->listener, &pair->server);
	if (!pair->result) {
		pair->result = qrt_stream_give(cx, pair->server, pair->outer);
	}
	return QRT_OK;
}

static enum qrt_err waiting_acceptor_scenario(struct qrt_cx *cx, void *arg)
{
	struct pair *pair = arg;
	struct qrt_region *region;
	TRY(listen_somewhere(cx, pair));
	TRY(qrt_region_open(cx, QRT_FAIL_FAST, &pair->outer));
	TRY(qrt_region_open(cx, QRT_FAIL_FAST, &region));
	TRY(qrt_spawn(region, giving_acceptor, pair));
	TRY(qrt_sleep(cx, QRT_MS));
	TRY(qrt_connect(cx, "127.0.0.1", pair->port, &pair->client));
	/* What the task has given away outlives the region that it was accepted in. */
	enum qrt_err err = qrt_region_close(cx, &region, QRT_OK);
	TRY(pair->result);
	TRY(err);
	TRY(qrt_write(cx, pair->client, "x", 1));
	TRY(qrt_read(cx, pair->server, pair->buf, 1, &pair->got));
	qrt_stream_close(cx, &pair->client);
	qrt_stream_close(cx, &pair->server);
	TRY(qrt_region_close(cx, &pair->outer, QRT_OK));
	return QRT_OK;
}

/* The region closes what nobody else did, and says so. */
static enum qrt_err left_open_scenario(struct qrt_cx *cx, void *arg)
{
	struct pair *pair = arg;
	struct qrt_region *region;
	struct qrt_audit before, after;
	TRY(listen_somewhere(cx, pair));
	qrt_runtime_audit(qrt_cx_runtime(cx), &before);
	TRY(qrt_region_open(cx, QRT_FAIL_FAST, &region));
	TRY(qrt_connect(qrt_region_cx(region), "127.0.0.1", pair->port, &pair->client));
	EXPECT_ERR(QRT_ELEAK, qrt_region_close(cx, &region, QRT_OK));
	qrt_runtime_audit(qrt_cx_runtime(cx), &after);
	EXPECT(after.leaks == before.leaks + 1);
	if (is_structured(cx)) { /* elsewhere it is only counted, until the runtime ends */
		EXPECT(after.streams_live == before.streams_live);
		EXPECT(qrt_write(cx, pair->client, "x", 1) == QRT_ESTALE);
	}
	return QRT_OK;
}

static enum qrt_err cancel_scenario(struct qrt_cx *cx, void *arg)
{
	struct pair *pair = arg;
	struct qrt_region *region;
	struct qrt_stream *stream = NULL;
	TRY(pair_open(cx, pair));
	TRY(qrt_region_open(cx, QRT_FAIL_FAST, &region));
	TRY(qrt_spawn(region, reader, pair));
	TRY(qrt_sleep(cx, QRT_MS));
	qrt_region_cancel(region, QRT_CANCEL_USER, "test");
	TRY(qrt_region_close(cx, &region, QRT_OK));
	EXPECT_ERR(QRT_ECANCELED, pair->result);
	/* The stream is as good as before. */
	TRY(qrt_write(cx, pair->client, "x", 1));
	TRY(qrt_read(cx, pair->server, pair->buf, 1, &pair->got));
	const struct qrt_region_options late = {.budget.deadline_ns = qrt_deadline_in(cx, QRT_MS)};
	TRY(qrt_region_open_with(cx, &late, &region));
	EXPECT_ERR(QRT_ETIMEDOUT,
		   qrt_read(qrt_region_cx(region), pair->server, pair->buf, 1, &pair->got));
	EXPECT_ERR(QRT_ETIMEDOUT, qrt_accept(qrt_region_cx(region), pair->listener, &stream));
	EXPECT(!stream);
	TRY(qrt_region_close(cx, &region, QRT_OK));
	return QRT_OK;
}

static enum qrt_err peer_gone_scenario(struct qrt_cx *cx, void *arg)
{
	struct pair *pair = arg;
	TRY(pair_open(cx, pair));
	TRY(qrt_write(cx, pair->client, "last", 4));
	qrt_stream_close(cx, &pair->client);
	enum qrt_err err = QRT_OK;
	while (!err && pair->total < sizeof(pair->buf)) {
		err = qrt_read(cx, pair->server, pair->buf + pair->total,
			       sizeof(pair->buf) - pair->total, &pair->got);
		pair->total += err ? 0 : pair->got;
	}
	EXPECT_ERR(QRT_EEOF, err);
	EXPECT(pair->total == 4 && memcmp(pair->buf, "last", 4) == 0);
	err = QRT_OK;
	while (!err) {
		err = qrt_write(cx, pair->server, pair->out, sizeof(pair->out));
	}
	EXPECT_ERR(QRT_ECONNRESET, err);
	return QRT_OK;
}

static enum qrt_err refused_scenario(struct qrt_cx *cx, void *arg)
{
	struct pair *pair = arg;
	int fd, copy, other_fd;
	uint16_t port, other;
	TRY(qrt_socket_listen(cx, "127.0.0.1", 0, &fd, &port));
	enum qrt_err taken = qrt_socket_listen(cx, "127.0.0.1", port, &other_fd, &other);
	bool named = strstr(qrt_detail(cx), "listen on 127.0.0.1:");
	enum qrt_err dup_err = qrt_socket_dup(cx, fd, &copy);
	if (!dup_err) {
		qrt_socket_close(cx, copy);
	}
	qrt_socket_close(cx, fd);
	TRY(dup_err);
	EXPECT_ERR(QRT_EADDRINUSE, taken);
	EXPECT(named);
	EXPECT_ERR(QRT_ECONNREFUSED, qrt_connect(cx, "127.0.0.1", port, &pair->client));
	EXPECT(strstr(qrt_detail(cx), "connect to 127.0.0.1:"));
	EXPECT_ERR(QRT_EINVAL, qrt_connect(cx, "localhost", port, &pair->client));
	EXPECT(!pair->client);
	return QRT_OK;
}

static enum qrt_err no_descriptor_scenario(struct qrt_cx *cx, void *arg)
{
	struct pair *pair = arg;
	EXPECT_ERR(QRT_EINVAL, qrt_stream_adopt(cx, -1, &pair->client));
	EXPECT_ERR(QRT_EINVAL, qrt_listener_adopt(cx, -1, &pair->listener));
	EXPECT(!pair->client && !pair->listener);
	return QRT_OK;
}

static enum qrt_err no_net_scenario(struct qrt_cx *cx, void *arg)
{
	struct pair *pair = arg;
	struct qrt_region *region;
	int fd;
	const struct qrt_region_options opts = {.caps = QRT_CAP_SPAWN};
	TRY(qrt_region_open_with(cx, &opts, &region));
	EXPECT(qrt_socket_listen(qrt_region_cx(region), "127.0.0.1", 0, &fd, &pair->port) ==
	       QRT_ENOTCAPABLE);
	TRY(qrt_region_close(cx, &region, QRT_OK));
	return QRT_OK;
}

#define PAIR .state_size = sizeof(struct pair), .clean = pair_clean

static const struct conformance_scenario scenarios[] = {
    {"what is written is read in order up to the end", transfer_scenario, PAIR},
    {"a simulated pair carries slices whole", pair_scenario, PAIR, .needs = CONFORMANCE_LAB},
    {"two dozen connections live side by side", crowd_scenario, PAIR},
    {"closing under a reader gives it eclosed", close_scenario, PAIR},
    {"closing under a woken reader is no use after free", close_woken_scenario, PAIR},
    {"closing under a writer gives it eclosed", close_under_writer_scenario, PAIR},
    {"closing under an acceptor gives it eclosed", close_under_acceptor_scenario, PAIR},
    {"who waits in accept gets the next connection", waiting_acceptor_scenario, PAIR},
    {"a stream that its region was left with is closed and named", left_open_scenario, PAIR},
    {"cancel and deadline end a read and leave the stream usable", cancel_scenario, PAIR},
    {"a peer that is gone is an end to read and a reset to write", peer_gone_scenario, PAIR},
    {"used, refused and misspelt addresses are named", refused_scenario, PAIR},
    {"a number that is no descriptor is refused", no_descriptor_scenario, PAIR},
    {"sockets need the net capability", no_net_scenario, PAIR},
};
CONFORMANCE_SUITE(streams, scenarios);
