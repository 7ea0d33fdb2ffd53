/*
 * What becomes of an encrypted stream when the connection below it is cut,
 * bent or slow, or when its own task gives up. A relay between the two ends
 * does the worst. On each backend.
 */
#include <qrt/combine.h>
#include <qrt/tls.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/backends.h"
#include "tests/lib/test.h"
#include "tests/lib/tls_pair.h"

enum { NEVER = 1 << 30 };

/* One way through the relay, and what it does on the way. */
struct way {
	struct qrt_stream *from, *to;
	size_t passed;
	size_t cut_at;	/* after so many bytes it ends, politely; 0: NEVER */
	size_t bend_at; /* this byte arrives as another one; 0: NEVER */
	size_t stop_at; /* after so many bytes it takes no more; 0: NEVER */
	/* Records that have begun to pass. */
	size_t records, to_next, head_n;
	unsigned char head[5];
};

struct relay {
	struct qrt_tls *server_tls, *client_tls;
	struct qrt_stream *server, *client; /* the two ends */
	struct way up, down;		    /* to the server, to the client */
	enum qrt_err server_err, write_err;
	/* What happens once they have shaken hands. */
	enum qrt_err (*script)(struct qrt_cx *cx, struct relay *relay);
};

static void count_records(struct way *way, const unsigned char *at, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (way->to_next > 0) {
			way->to_next--;
			continue;
		}
		way->head[way->head_n++] = at[i];
		if (way->head_n == sizeof(way->head)) {
			way->records++;
			way->head_n = 0;
			way->to_next = (size_t)way->head[3] << 8 | way->head[4];
		}
	}
}

static size_t room_left(const struct way *way, size_t limit)
{
	return (limit ? limit : NEVER) - way->passed;
}

static enum qrt_err pass(struct qrt_cx *cx, void *arg)
{
	struct way *way = arg;
	unsigned char buf[5000];
	enum qrt_err err = QRT_OK;
	while (!err && room_left(way, way->cut_at) > 0) {
		size_t n = 0, room = room_left(way, way->cut_at);
		if (room_left(way, way->stop_at) < room) {
			room = room_left(way, way->stop_at);
		}
		if (room == 0) {
			err = qrt_sleep(cx, QRT_MS); /* it may be let go on */
			continue;
		}
		err = qrt_read(cx, way->from, buf, room < sizeof(buf) ? room : sizeof(buf), &n);
		if (way->bend_at > way->passed && way->bend_at <= way->passed + n) {
			buf[way->bend_at - 1 - way->passed] ^= 1;
		}
		if (!err) {
			count_records(way, buf, n);
			way->passed += n;
			err = qrt_write(cx, way->to, buf, n);
		}
	}
	QRT_IGNORE(qrt_stream_shutdown(cx, way->to), "it may be closed already");
	return QRT_OK;
}

/* Client, relay, server: connected, and nothing has been said. */
static enum qrt_err relay_connect(struct qrt_cx *cx, struct relay *relay)
{
	struct qrt_listener *front, *back;
	uint16_t front_port, back_port;
	int fd;
	EXPECT(!qrt_socket_listen(cx, "127.0.0.1", 0, &fd, &front_port));
	EXPECT(!qrt_listener_adopt(cx, fd, &front));
	EXPECT(!qrt_socket_listen(cx, "127.0.0.1", 0, &fd, &back_port));
	EXPECT(!qrt_listener_adopt(cx, fd, &back));
	EXPECT(!qrt_connect(cx, "127.0.0.1", front_port, &relay->client));
	EXPECT(!qrt_accept(cx, front, &relay->up.from));
	EXPECT(!qrt_connect(cx, "127.0.0.1", back_port, &relay->up.to));
	EXPECT(!qrt_accept(cx, back, &relay->server));
	relay->down.from = relay->up.to;
	relay->down.to = relay->up.from;
	qrt_listener_close(cx, &front);
	qrt_listener_close(cx, &back);
	return QRT_OK;
}

static enum qrt_err wrap_server(struct qrt_cx *cx, void *arg)
{
	struct relay *relay = arg;
	relay->server_err = qrt_tls_accept(cx, relay->server_tls, &relay->server);
	return QRT_OK;
}

static enum qrt_err shake_hands(struct qrt_cx *cx, struct relay *relay)
{
	struct qrt_region *region;
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &region));
	EXPECT(!qrt_spawn(region, wrap_server, relay));
	enum qrt_err err = qrt_tls_connect(qrt_region_cx(region), relay->client_tls, "server.test",
					   &relay->client);
	EXPECT(!qrt_region_close(cx, &region, QRT_OK));
	return err ? err : relay->server_err;
}

static enum qrt_err play_relay(struct qrt_cx *cx, void *arg)
{
	struct relay relay = *(const struct relay *)arg; /* as it was, on each backend */
	const struct qrt_region_options opts = {.policy = QRT_COLLECT, .flags = QRT_CANCEL_REST};
	struct qrt_region *ways;
	EXPECT(!relay_connect(cx, &relay));
	EXPECT(!qrt_region_open_with(cx, &opts, &ways));
	EXPECT(!qrt_spawn(ways, pass, &relay.up));
	EXPECT(!qrt_spawn(ways, pass, &relay.down));
	enum qrt_err err = shake_hands(cx, &relay);
	err = err ? err : relay.script(cx, &relay);
	qrt_stream_close(cx, &relay.client);
	qrt_stream_close(cx, &relay.server);
	QRT_IGNORE(qrt_region_close(cx, &ways, QRT_OK), "it is cancelled");
	qrt_stream_close(cx, &relay.up.from);
	qrt_stream_close(cx, &relay.up.to);
	return err;
}

static void on_each_relay(struct relay *relay)
{
	relay->server_tls = tls_server();
	relay->client_tls = tls_client();
	on_each_backend(play_relay, relay);
	qrt_tls_unref(&relay->server_tls);
	qrt_tls_unref(&relay->client_tls);
}

/* --- cut and bent ---------------------------------------------------------------------------- */

/* More than any handshake of ours has in one direction, so this is in the text. */
enum { IN_THE_TEXT = 6000, TEXT = 30000 };

static enum qrt_err write_text(struct qrt_cx *cx, struct qrt_stream *stream)
{
	static const char text[TEXT];
	return qrt_write(cx, stream, text, sizeof(text));
}

static enum qrt_err read_cut(struct qrt_cx *cx, struct relay *relay)
{
	char c;
	size_t n;
	EXPECT(!write_text(cx, relay->client));
	EXPECT(tls_to_the_end(cx, NULL, relay->server) == QRT_ECONNRESET);
	EXPECT(strcmp(qrt_detail(cx), "the connection ended without a close") == 0);
	EXPECT(qrt_read(cx, relay->server, &c, 1, &n) == QRT_ECONNRESET); /* it stays */
	EXPECT(qrt_write(cx, relay->server, "x", 1) == QRT_ECONNRESET);
	return QRT_OK;
}

static void an_end_without_a_word_is_a_reset(void **state)
{
	(void)state;
	struct relay relay = {.script = read_cut, .up.cut_at = IN_THE_TEXT};
	on_each_relay(&relay);
}

static enum qrt_err read_bent(struct qrt_cx *cx, struct relay *relay)
{
	char c;
	size_t n;
	EXPECT(!write_text(cx, relay->client));
	EXPECT(tls_to_the_end(cx, NULL, relay->server) == QRT_EPROTO);
	EXPECT(strstr(qrt_detail(cx), "bad record mac"));
	EXPECT(qrt_read(cx, relay->server, &c, 1, &n) == QRT_EPROTO);
	EXPECT(qrt_write(cx, relay->server, "x", 1) == QRT_EPROTO);
	/* The other end is told why. */
	EXPECT(tls_to_the_end(cx, NULL, relay->client) == QRT_EPROTO);
	EXPECT(strcmp(qrt_detail(cx), "the peer says: sslv3 alert bad record mac") == 0);
	return QRT_OK;
}

static void a_single_bit_is_noticed(void **state)
{
	(void)state;
	struct relay relay = {.script = read_bent, .up.bend_at = IN_THE_TEXT};
	on_each_relay(&relay);
}

/* --- records --------------------------------------------------------------------------------- */

static enum qrt_err write_small(struct qrt_cx *cx, struct relay *relay)
{
	enum { N = 8, SIZE = 100, BIG = 3000 };
	static const char text[BIG];
	char got[N * BIG];
	struct qrt_slice slices[N];
	for (size_t i = 0; i < N; i++) {
		slices[i] = (struct qrt_slice){.data = text, .len = SIZE};
	}
	/* One round, so that what the handshake leaves behind has passed. */
	EXPECT(!qrt_write(cx, relay->client, "x", 1));
	EXPECT(!tls_read_all(cx, relay->server, got, 1));
	size_t before = relay->up.records;
	EXPECT(!qrt_writev(cx, relay->client, slices, N));
	EXPECT(!tls_read_all(cx, relay->server, got, (size_t)N * SIZE));
	EXPECT(relay->up.records == before + 1);
	for (size_t i = 0; i < N; i++) {
		slices[i].len = BIG;
	}
	/* 24,000 bytes: a full record, and the rest. */
	EXPECT(!qrt_writev(cx, relay->client, slices, N));
	EXPECT(!tls_read_all(cx, relay->server, got, sizeof(got)));
	EXPECT(relay->up.records == before + 3);
	return QRT_OK;
}

static void small_slices_share_a_record(void **state)
{
	(void)state;
	struct relay relay = {.script = write_small};
	on_each_relay(&relay);
}

/* --- given up -------------------------------------------------------------------------------- */

/* More than all buffers on the way hold. */
static enum qrt_err write_much(struct qrt_cx *cx, void *arg)
{
	static const char text[1 << 20];
	struct relay *relay = arg;
	enum qrt_err err = QRT_OK;
	for (int i = 0; i < 32 && !err; i++) {
		err = qrt_write(cx, relay->client, text, sizeof(text));
	}
	relay->write_err = err;
	return err;
}

static enum qrt_err read_one(struct qrt_cx *cx, void *arg)
{
	struct relay *relay = arg;
	char c;
	size_t n;
	return qrt_read(cx, relay->client, &c, 1, &n);
}

/*
 * A write that waits for the relay, which takes no more, is cancelled. Whenever another task runs,
 * the writer waits in a write; the relay has stopped for good when nothing passes for a while.
 */
static enum qrt_err give_up_writing(struct qrt_cx *cx, struct relay *relay)
{
	struct qrt_region *region;
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &region));
	EXPECT(!qrt_spawn(region, write_much, relay));
	while (relay->up.passed < relay->up.stop_at) {
		EXPECT(!qrt_sleep(cx, QRT_MS));
	}
	EXPECT(qrt_region_live(region) == 1);
	qrt_region_cancel(region, QRT_CANCEL_USER, "enough");
	EXPECT(qrt_region_close(cx, &region, QRT_OK) == QRT_OK || relay->write_err);
	EXPECT(relay->write_err == QRT_ECANCELED);
	return QRT_OK;
}

/* What a connection keeps does not grow with what is to be sent. */
static enum qrt_err write_given_up(struct qrt_cx *cx, struct relay *relay)
{
	struct qrt_audit audit;
	EXPECT(!give_up_writing(cx, relay));
	EXPECT(qrt_write(cx, relay->client, "x", 1) == QRT_ESTATE);
	EXPECT(strcmp(qrt_detail(cx), "a write was given up half-way") == 0);
	EXPECT(qrt_stream_shutdown(cx, relay->client) == QRT_ESTATE);
	/* Reading goes on. */
	EXPECT(!qrt_write(cx, relay->server, "y", 1));
	EXPECT(!read_one(cx, relay));
	qrt_runtime_audit(qrt_cx_runtime(cx), &audit);
	EXPECT(audit.ops_live <= 2); /* the relay's */
	return QRT_OK;
}

static void a_write_that_is_given_up_spoils_the_stream(void **state)
{
	(void)state;
	struct relay relay = {.script = write_given_up, .up.stop_at = 50000};
	on_each_relay(&relay);
}

/* The peer does not take what it has for the whole. */
static enum qrt_err spoiled_and_closed(struct qrt_cx *cx, struct relay *relay)
{
	EXPECT(!give_up_writing(cx, relay));
	qrt_stream_close(cx, &relay->client);
	relay->up.stop_at = 0;
	EXPECT(tls_to_the_end(cx, NULL, relay->server) == QRT_ECONNRESET);
	return QRT_OK;
}

static void its_end_is_no_clean_one(void **state)
{
	(void)state;
	struct relay relay = {.script = spoiled_and_closed, .up.stop_at = 50000};
	on_each_relay(&relay);
}

/* One that has not begun spoils nothing. */
static enum qrt_err refused_before(struct qrt_cx *cx, struct relay *relay)
{
	char c = '?';
	EXPECT(qrt_timeout(cx, 0, write_much, relay) == QRT_ETIMEDOUT);
	/* A read that is given up has taken nothing. */
	EXPECT(qrt_timeout(cx, 5 * QRT_MS, read_one, relay) == QRT_ETIMEDOUT);
	EXPECT(!qrt_write(cx, relay->server, "z", 1));
	EXPECT(!tls_read_all(cx, relay->client, &c, 1) && c == 'z');
	EXPECT(!qrt_write(cx, relay->client, "z", 1));
	EXPECT(!tls_read_all(cx, relay->server, &c, 1) && c == 'z');
	return QRT_OK;
}

static void what_was_not_begun_spoils_nothing(void **state)
{
	(void)state;
	struct relay relay = {.script = refused_before};
	on_each_relay(&relay);
}

/* Half a record has arrived when the read is given up; the other half comes later. */
static enum qrt_err read_given_up_half_way(struct qrt_cx *cx, struct relay *relay)
{
	static char got[TEXT];
	EXPECT(!write_text(cx, relay->server));
	/* The relay has let through less than a record, as the records are full ones. */
	EXPECT(qrt_timeout(cx, 10 * QRT_MS, read_one, relay) == QRT_ETIMEDOUT);
	EXPECT(relay->down.passed == IN_THE_TEXT);
	relay->down.stop_at = 0;
	EXPECT(!tls_read_all(cx, relay->client, got, sizeof(got)));
	return QRT_OK;
}

static void a_read_that_is_given_up_has_taken_nothing(void **state)
{
	(void)state;
	struct relay relay = {.script = read_given_up_half_way, .down.stop_at = IN_THE_TEXT};
	on_each_relay(&relay);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(an_end_without_a_word_is_a_reset),
	    cmocka_unit_test(a_single_bit_is_noticed),
	    cmocka_unit_test(small_slices_share_a_record),
	    cmocka_unit_test(a_write_that_is_given_up_spoils_the_stream),
	    cmocka_unit_test(its_end_is_no_clean_one),
	    cmocka_unit_test(what_was_not_begun_spoils_nothing),
	    cmocka_unit_test(a_read_that_is_given_up_has_taken_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
