/*
 * What can go wrong in a lab: each fault has its effect, at its rate, and none happens unasked;
 * what has gone wrong is over when it is taken back.
 */
#include <qrt/cancel.h>
#include <qrt/db.h>
#include <qrt/lane.h>
#include <string.h>

#include "tests/lib/backends.h"
#include "tests/lib/labs.h"
#include "tests/lib/test.h"

enum { TRIES = 300, SAMPLES = 300 };

#define HOUR (3600 * QRT_SEC)

static const char *const backends[] = {"lab", "lab-legacy"};
enum { BACKENDS = sizeof(backends) / sizeof(backends[0]) };

/* Plays @fn on both backends with @faults and with a few seeds. */
static void play(const struct qrt_lab_faults *faults, qrt_task_fn *fn)
{
	for (size_t i = 0; i < BACKENDS; i++) {
		for (uint64_t seed = 0; seed < 4; seed++) {
			const struct qrt_lab_options opts = {.seed = seed, .faults = *faults};
			enum qrt_err err = lab_play(&opts, backends[i], fn, NULL, NULL);
			if (err) {
				fail_msg("%s, seed %d: %s", backends[i], (int)seed,
					 qrt_err_name(err));
			}
		}
	}
}

static void set(struct qrt_cx *cx, struct qrt_lab_faults faults)
{
	CHECK(!qrt_lab_set_faults(qrt_cx_lab(cx), &faults));
}

static struct qrt_listener *listen_on(struct qrt_cx *cx, uint16_t *ret_port)
{
	int fd;
	struct qrt_listener *listener = NULL;
	CHECK(!qrt_socket_listen(cx, "127.0.0.1", 0, &fd, ret_port));
	CHECK(!qrt_listener_adopt(cx, fd, &listener));
	return listener;
}

/* A read that gives up after @for_ns. */
static enum qrt_err read_for(struct qrt_cx *cx, struct qrt_stream *stream, int64_t for_ns)
{
	const struct qrt_region_options opts = {.budget.deadline_ns = lab_now(cx) + for_ns};
	struct qrt_region *region;
	char buf[64];
	size_t n;
	CHECK(!qrt_region_open_with(cx, &opts, &region));
	enum qrt_err err = qrt_read(qrt_region_cx(region), stream, buf, sizeof(buf), &n);
	CHECK(!qrt_region_close(cx, &region, QRT_OK));
	return err;
}

/* --- refused, reset, half-open ------------------------------------------------------------------
 */

static enum qrt_err connects_main(struct qrt_cx *cx, void *arg)
{
	int *refused = arg;
	uint16_t port;
	struct qrt_listener *listener = listen_on(cx, &port);
	for (int i = 0; i < TRIES; i++) {
		struct qrt_stream *out, *in;
		enum qrt_err err = qrt_connect(cx, "127.0.0.1", port, &out);
		EXPECT(!err || err == QRT_ECONNREFUSED);
		*refused += err == QRT_ECONNREFUSED;
		if (!err) {
			EXPECT(!qrt_accept(cx, listener, &in));
			EXPECT(!qrt_write(cx, out, "hello", 5));
			char buf[5];
			EXPECT(!lab_read(cx, in, buf, 5));
			qrt_stream_close(cx, &in);
			qrt_stream_close(cx, &out);
		}
	}
	qrt_listener_close(cx, &listener);
	return QRT_OK;
}

static int refused_of(unsigned rate)
{
	const struct qrt_lab_options opts = {.seed = 2, .faults.refuse = rate};
	struct qrt_lab_stats stats;
	int refused = 0;
	assert_int_equal(lab_play(&opts, "lab", connects_main, &refused, &stats), QRT_OK);
	assert_int_equal(stats.faults, refused);
	return refused;
}

static void connects_are_refused_as_often_as_asked_for(void **state)
{
	(void)state;
	assert_int_equal(refused_of(0), 0);
	assert_int_equal(refused_of(1000), TRIES);
	assert_in_range(refused_of(300), TRIES / 5, TRIES * 2 / 5);
	assert_in_range(refused_of(10), 1, TRIES / 20);
}

static enum qrt_err reset_main(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct qrt_stream *a, *b;
	char byte;
	lab_pair(cx, &a, &b);
	EXPECT(!qrt_write(cx, a, "lost", 4));
	EXPECT(!qrt_sleep(cx, QRT_SEC));
	set(cx, (struct qrt_lab_faults){.reset = 1000});
	/* Also what had arrived is lost, and the other side hears of it. */
	EXPECT(lab_read(cx, b, &byte, 1) == QRT_ECONNRESET);
	qrt_lab_heal(qrt_cx_lab(cx));
	EXPECT(lab_read(cx, b, &byte, 1) == QRT_ECONNRESET);
	EXPECT(qrt_write(cx, b, "x", 1) == QRT_ECONNRESET);
	EXPECT(lab_read(cx, a, &byte, 1) == QRT_ECONNRESET);
	EXPECT(qrt_write(cx, a, "x", 1) == QRT_ECONNRESET);
	qrt_stream_close(cx, &a);
	qrt_stream_close(cx, &b);
	return QRT_OK;
}

static enum qrt_err reads_forever(struct qrt_cx *cx, void *arg)
{
	char byte;
	return lab_read(cx, arg, &byte, 1);
}

static enum qrt_err reset_waiting_main(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct qrt_stream *a, *b;
	struct qrt_region *region;
	lab_pair(cx, &a, &b);
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &region));
	EXPECT(!qrt_spawn(region, reads_forever, b));
	EXPECT(!qrt_sleep(cx, QRT_SEC));
	set(cx, (struct qrt_lab_faults){.reset = 1000});
	EXPECT(!qrt_sleep(cx, QRT_SEC));
	EXPECT(qrt_write(cx, a, "x", 1) == QRT_ECONNRESET);
	/* Who waits on the other side is told. */
	EXPECT(qrt_region_close(cx, &region, QRT_OK) == QRT_ECONNRESET);
	qrt_stream_close(cx, &a);
	qrt_stream_close(cx, &b);
	return QRT_OK;
}

static void a_reset_is_met_by_both_sides(void **state)
{
	(void)state;
	play(&(struct qrt_lab_faults){0}, reset_main);
	play(&(struct qrt_lab_faults){0}, reset_waiting_main);
}

static enum qrt_err vanish_main(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct qrt_stream *a, *b;
	char buf[5];
	lab_pair(cx, &a, &b);
	EXPECT(!qrt_write(cx, a, "early", 5));
	EXPECT(!qrt_sleep(cx, QRT_SEC));
	set(cx, (struct qrt_lab_faults){.vanish = 1000});
	/* Nobody is told; what arrived before is there, what is sent now is not heard of. */
	EXPECT(!qrt_write(cx, a, "late", 4));
	qrt_lab_heal(qrt_cx_lab(cx));
	EXPECT(!lab_read(cx, b, buf, 5));
	EXPECT(memcmp(buf, "early", 5) == 0);
	EXPECT(read_for(cx, b, HOUR) == QRT_ETIMEDOUT);
	EXPECT(!qrt_write(cx, b, "back", 4));
	EXPECT(read_for(cx, a, HOUR) == QRT_ETIMEDOUT);
	/* Not even that it has been closed. */
	qrt_stream_close(cx, &a);
	EXPECT(read_for(cx, b, HOUR) == QRT_ETIMEDOUT);
	EXPECT(!qrt_write(cx, b, "x", 1));
	qrt_stream_close(cx, &b);
	return QRT_OK;
}

static void from_a_peer_that_vanished_only_a_deadline_helps(void **state)
{
	(void)state;
	play(&(struct qrt_lab_faults){0}, vanish_main);
}

/* --- cut
 * -------------------------------------------------------------------------------------------
 */

static enum qrt_err cut_main(struct qrt_cx *cx, void *arg)
{
	int *cut = arg;
	struct qrt_stream *a, *b;
	lab_pair(cx, &a, &b);
	for (int i = 0; i < TRIES; i++) {
		char sent[100], got[100];
		size_t n;
		memset(sent, i, sizeof(sent));
		EXPECT(!qrt_write(cx, a, sent, sizeof(sent)));
		EXPECT(!qrt_sleep(cx, QRT_MS)); /* all of it has arrived */
		EXPECT(!qrt_read(cx, b, got, sizeof(got), &n));
		*cut += n < sizeof(got);
		EXPECT(!lab_read(cx, b, got + n, sizeof(got) - n));
		EXPECT(memcmp(sent, got, sizeof(got)) == 0);
	}
	qrt_stream_close(cx, &a);
	qrt_stream_close(cx, &b);
	return QRT_OK;
}

static int cut_of(unsigned rate)
{
	const struct qrt_lab_options opts = {.seed = 3, .faults.cut = rate};
	int cut = 0;
	assert_int_equal(lab_play(&opts, "lab", cut_main, &cut, NULL), QRT_OK);
	return cut;
}

static void transfers_are_cut_short_as_often_as_asked_for(void **state)
{
	(void)state;
	assert_in_range(cut_of(0), TRIES / 5, TRIES * 3 / 10);
	assert_in_range(cut_of(1), 0, TRIES / 50);
	assert_in_range(cut_of(600), TRIES / 2, TRIES * 7 / 10);
	assert_in_range(cut_of(1000), TRIES * 19 / 20, TRIES);
}

/* --- partition
 * --------------------------------------------------------------------------------------
 */

static enum qrt_err partition_main(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct qrt_stream *a, *b, *c, *d;
	char got[64] = "";
	lab_pair(cx, &a, &b);
	lab_pair(cx, &c, &d);
	EXPECT(!qrt_write(cx, a, "under way, ", 11));
	set(cx, (struct qrt_lab_faults){.partition = true});
	EXPECT(!qrt_write(cx, a, "held, ", 6));
	EXPECT(read_for(cx, b, HOUR) == QRT_ETIMEDOUT);
	EXPECT(!qrt_write(cx, a, "and more", 8));
	EXPECT(!qrt_write(cx, c, "other", 5));
	qrt_stream_close(cx, &a);
	EXPECT(read_for(cx, b, HOUR) == QRT_ETIMEDOUT);
	EXPECT(read_for(cx, d, HOUR) == QRT_ETIMEDOUT);
	int64_t healed = lab_now(cx);
	qrt_lab_heal(qrt_cx_lab(cx));
	/* All of it at once, in order, its end after it. */
	EXPECT(!lab_read(cx, b, got, 25));
	EXPECT(strcmp(got, "under way, held, and more") == 0);
	EXPECT(lab_read(cx, b, got, 1) == QRT_EEOF);
	EXPECT(!lab_read(cx, d, got, 5));
	EXPECT(memcmp(got, "other", 5) == 0);
	EXPECT(lab_now(cx) == healed);
	/* And it can be parted again. */
	set(cx, (struct qrt_lab_faults){.partition = true});
	EXPECT(!qrt_write(cx, d, "again", 5));
	EXPECT(read_for(cx, c, HOUR) == QRT_ETIMEDOUT);
	set(cx, (struct qrt_lab_faults){.refuse = 7});
	EXPECT(!lab_read(cx, c, got, 5));
	qrt_stream_close(cx, &b);
	qrt_stream_close(cx, &c);
	qrt_stream_close(cx, &d);
	return QRT_OK;
}

static enum qrt_err parted_close_main(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct qrt_stream *a, *b;
	lab_pair(cx, &a, &b);
	set(cx, (struct qrt_lab_faults){.partition = true});
	EXPECT(!qrt_write(cx, a, "nobody will read this", 21));
	EXPECT(!qrt_sleep(cx, QRT_SEC)); /* it is held back now */
	qrt_stream_close(cx, &b);
	qrt_stream_close(cx, &a);
	qrt_lab_heal(qrt_cx_lab(cx));
	return qrt_sleep(cx, QRT_SEC);
}

static void what_a_partition_holds_back_arrives_in_order_when_it_ends(void **state)
{
	(void)state;
	play(&(struct qrt_lab_faults){0}, partition_main);
	play(&(struct qrt_lab_faults){0}, parted_close_main);
}

static enum qrt_err heal_later(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	EXPECT(!qrt_sleep(cx, 5 * QRT_SEC));
	qrt_lab_heal(qrt_cx_lab(cx));
	return QRT_OK;
}

static enum qrt_err parted_connect_main(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	uint16_t port;
	struct qrt_stream *out, *in;
	struct qrt_region *region;
	struct qrt_listener *listener = listen_on(cx, &port);
	EXPECT(!qrt_region_open(cx, QRT_FAIL_FAST, &region));
	EXPECT(!qrt_spawn(region, heal_later, NULL));
	EXPECT(!qrt_connect(cx, "127.0.0.1", port, &out));
	/* It was tried again after 1, 2 and 4 s: after 7, and each way takes a little. */
	EXPECT(lab_now(cx) >= 7 * QRT_SEC);
	EXPECT(lab_now(cx) <= 7 * QRT_SEC + QRT_MS);
	EXPECT(!qrt_region_close(cx, &region, QRT_OK));
	EXPECT(!qrt_accept(cx, listener, &in));
	qrt_stream_close(cx, &in);
	/* For ever it is not. */
	set(cx, (struct qrt_lab_faults){.partition = true});
	EXPECT(qrt_connect(cx, "127.0.0.1", port, &in) == QRT_ETIMEDOUT);
	qrt_stream_close(cx, &out);
	qrt_listener_close(cx, &listener);
	return QRT_OK;
}

static void connects_wait_for_the_end_of_a_partition(void **state)
{
	(void)state;
	play(&(struct qrt_lab_faults){.partition = true}, parted_connect_main);
}

/* --- times and sizes
 * --------------------------------------------------------------------------------
 */

struct range {
	int64_t min, max;
};

static enum qrt_err latency_main(struct qrt_cx *cx, void *arg)
{
	struct range *range = arg;
	struct qrt_stream *a, *b;
	*range = (struct range){INT64_MAX, 0};
	lab_pair(cx, &a, &b);
	for (int i = 0; i < SAMPLES; i++) {
		char byte;
		int64_t begin = lab_now(cx);
		EXPECT(!qrt_write(cx, i % 2 ? a : b, "x", 1));
		EXPECT(!lab_read(cx, i % 2 ? b : a, &byte, 1));
		int64_t took = lab_now(cx) - begin;
		range->min = took < range->min ? took : range->min;
		range->max = took > range->max ? took : range->max;
	}
	qrt_stream_close(cx, &a);
	qrt_stream_close(cx, &b);
	return QRT_OK;
}

static struct range latency_of(int64_t min_ns, int64_t max_ns)
{
	const struct qrt_lab_options opts = {
	    .seed = 4, .faults = {.latency_min_ns = min_ns, .latency_max_ns = max_ns}};
	struct range range;
	assert_int_equal(lab_play(&opts, "lab", latency_main, &range, NULL), QRT_OK);
	return range;
}

static void latency_keeps_to_its_range_and_fills_it(void **state)
{
	(void)state;
	static const struct range ranges[] = {
	    {10000, 500000}, {3 * QRT_MS, 5 * QRT_MS}, {0, 3}, {7, 7}, {QRT_SEC, HOUR}};
	for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
		int64_t min = ranges[i].min, max = ranges[i].max, slack = (max - min) / 20;
		struct range seen = i == 0 ? latency_of(0, 0) : latency_of(min, max);
		assert_in_range(seen.min, min, min + slack);
		assert_in_range(seen.max, max - slack, max);
	}
}

struct transfer {
	struct qrt_stream *from, *to;
	size_t n;
	int64_t end_ns;
};

static enum qrt_err send_all(struct qrt_cx *cx, void *arg)
{
	static const char much[60000];
	const struct transfer *transfer = arg;
	return qrt_write(cx, transfer->from, much, transfer->n);
}

static enum qrt_err receive_all(struct qrt_cx *cx, void *arg)
{
	char much[8192];
	struct transfer *transfer = arg;
	for (size_t left = transfer->n; left > 0;) {
		size_t n = left < sizeof(much) ? left : sizeof(much);
		EXPECT(!lab_read(cx, transfer->to, much, n));
		left -= n;
	}
	transfer->end_ns = lab_now(cx);
	return QRT_OK;
}

static enum qrt_err bandwidth_main(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct qrt_stream *a, *b;
	struct qrt_region *region;
	lab_pair(cx, &a, &b);
	struct transfer there = {.from = a, .to = b, .n = 50000};
	struct transfer back = {.from = b, .to = a, .n = 20000};
	EXPECT(!qrt_region_open(cx, QRT_FAIL_FAST, &region));
	EXPECT(!qrt_spawn(region, send_all, &there));
	EXPECT(!qrt_spawn(region, send_all, &back));
	EXPECT(!qrt_spawn(region, receive_all, &there));
	EXPECT(!qrt_spawn(region, receive_all, &back));
	EXPECT(!qrt_region_close(cx, &region, QRT_OK));
	/* A byte a microsecond, after the one way; each direction has its own line. */
	EXPECT(there.end_ns == QRT_MS + 50 * QRT_MS);
	EXPECT(back.end_ns == QRT_MS + 20 * QRT_MS);
	/* An idle line has saved nothing up. */
	EXPECT(!qrt_sleep(cx, HOUR));
	int64_t begin = lab_now(cx);
	EXPECT(!send_all(cx, &back));
	EXPECT(!receive_all(cx, &back));
	EXPECT(back.end_ns - begin == 21 * QRT_MS);
	qrt_stream_close(cx, &a);
	qrt_stream_close(cx, &b);
	return QRT_OK;
}

static void bytes_take_the_time_of_the_line(void **state)
{
	(void)state;
	play(&(struct qrt_lab_faults){.latency_min_ns = QRT_MS,
				      .latency_max_ns = QRT_MS,
				      .bytes_per_s = 1000000},
	     bandwidth_main);
}

struct drip {
	struct qrt_stream *to;
	size_t n;
};

static enum qrt_err drips(struct qrt_cx *cx, void *arg)
{
	struct drip *drip = arg;
	enum qrt_err err;
	while (!(err = qrt_write(cx, drip->to, "x", 1))) {
		drip->n++;
	}
	return err == QRT_ECONNRESET ? QRT_OK : err;
}

static enum qrt_err pipe_main(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct qrt_region *region;
	struct qrt_stream *a, *b;
	struct drip drip = {0};
	char buf[100];
	lab_pair(cx, &a, &b);
	drip.to = a;
	EXPECT(!qrt_region_open(cx, QRT_FAIL_FAST, &region));
	EXPECT(!qrt_spawn(region, drips, &drip));
	EXPECT(!qrt_sleep(cx, QRT_SEC));
	EXPECT(drip.n == 100);
	EXPECT(!lab_read(cx, b, buf, 30));
	EXPECT(!qrt_sleep(cx, QRT_SEC));
	EXPECT(drip.n == 130);
	/* Less room than there is in it: nothing more until it has run low. */
	set(cx, (struct qrt_lab_faults){.pipe_bytes = 50});
	EXPECT(!lab_read(cx, b, buf, 40));
	EXPECT(!qrt_sleep(cx, QRT_SEC));
	EXPECT(drip.n == 130);
	EXPECT(!lab_read(cx, b, buf, 20));
	EXPECT(!qrt_sleep(cx, QRT_SEC));
	EXPECT(drip.n == 140);
	/* More room: the writer that waits for it is told. */
	qrt_lab_heal(qrt_cx_lab(cx));
	EXPECT(!qrt_sleep(cx, QRT_SEC));
	EXPECT(drip.n == 90 + 65536);
	qrt_stream_close(cx, &b);
	EXPECT(!qrt_region_close(cx, &region, QRT_OK));
	qrt_stream_close(cx, &a);
	return QRT_OK;
}

static void a_slow_reader_stops_its_writer_at_the_size_of_the_pipe(void **state)
{
	(void)state;
	play(&(struct qrt_lab_faults){.pipe_bytes = 100}, pipe_main);
}

/* --- descriptors
 * -------------------------------------------------------------------------------------
 */

static enum qrt_err fds_main(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	uint16_t port, other;
	int a, b, fd = -1;
	struct qrt_stream *stream = NULL, *in, *out;
	struct qrt_listener *listener = listen_on(cx, &port);
	lab_pair(cx, &in, &out);
	EXPECT(qrt_lab_pair(cx, &a, &b) == QRT_EMFILE); /* there is room for one */
	EXPECT(!qrt_connect(cx, "127.0.0.1", port, &stream));
	EXPECT(qrt_lab_pair(cx, &a, &b) == QRT_EMFILE);
	EXPECT(qrt_connect(cx, "127.0.0.1", port, &stream) == QRT_EMFILE);
	EXPECT(qrt_socket_listen(cx, "127.0.0.1", 0, &fd, &other) == QRT_EMFILE);
	EXPECT(fd == -1);
	/* What is in the queue stays there until it can be taken. */
	EXPECT(qrt_accept(cx, listener, &in) == QRT_EMFILE);
	EXPECT(qrt_accept(cx, listener, &in) == QRT_EMFILE);
	qrt_stream_close(cx, &out);
	EXPECT(!qrt_accept(cx, listener, &out));
	EXPECT(!qrt_write(cx, stream, "x", 1));
	char byte;
	EXPECT(!lab_read(cx, out, &byte, 1));
	EXPECT(qrt_lab_pair(cx, &a, &b) == QRT_EMFILE);
	qrt_lab_heal(qrt_cx_lab(cx));
	EXPECT(!qrt_lab_pair(cx, &a, &b));
	qrt_socket_close(cx, a);
	qrt_socket_close(cx, b);
	qrt_stream_close(cx, &in);
	qrt_stream_close(cx, &out);
	qrt_stream_close(cx, &stream);
	qrt_listener_close(cx, &listener);
	return QRT_OK;
}

static enum qrt_err knocks(struct qrt_cx *cx, void *arg)
{
	const uint16_t *port = arg;
	struct qrt_stream *stream = NULL;
	enum qrt_err err;
	while ((err = qrt_connect(cx, "127.0.0.1", *port, &stream)) == QRT_EMFILE) {
		EXPECT(!qrt_sleep(cx, QRT_MS));
	}
	EXPECT(!err);
	/* Clients that never let go would keep the server from taking any. */
	err = read_for(cx, stream, 20 * QRT_MS);
	EXPECT(err == QRT_EEOF || err == QRT_ETIMEDOUT);
	qrt_stream_close(cx, &stream);
	return QRT_OK;
}

static enum qrt_err holds_a_while(struct qrt_cx *cx, void *arg)
{
	struct qrt_stream *stream = arg;
	EXPECT(!qrt_sleep(cx, QRT_MS));
	qrt_stream_close(cx, &stream);
	return QRT_OK;
}

static enum qrt_err accept_loop_main(struct qrt_cx *cx, void *arg)
{
	enum { CLIENTS = 40 };
	int *refused = arg;
	uint16_t port;
	struct qrt_region *region;
	struct qrt_listener *listener = listen_on(cx, &port);
	EXPECT(!qrt_region_open(cx, QRT_FAIL_FAST, &region));
	for (int i = 0; i < CLIENTS; i++) {
		EXPECT(!qrt_spawn(region, knocks, &port));
	}
	for (int served = 0; served < CLIENTS;) {
		struct qrt_stream *stream;
		enum qrt_err err = qrt_accept(cx, listener, &stream);
		if (err) {
			EXPECT(err == QRT_EMFILE);
			++*refused;
			EXPECT(!qrt_sleep(cx, QRT_MS));
			continue;
		}
		served++;
		EXPECT(!qrt_spawn(region, holds_a_while, stream));
	}
	EXPECT(!qrt_region_close(cx, &region, QRT_OK));
	qrt_listener_close(cx, &listener);
	return QRT_OK;
}

static void who_is_out_of_descriptors_is_told_and_recovers(void **state)
{
	(void)state;
	play(&(struct qrt_lab_faults){.fds_max = 4}, fds_main);
	int refused = 0;
	for (size_t i = 0; i < BACKENDS; i++) {
		for (uint64_t seed = 0; seed < 8; seed++) {
			const struct qrt_lab_options opts = {.seed = seed, .faults.fds_max = 12};
			assert_int_equal(
			    lab_play(&opts, backends[i], accept_loop_main, &refused, NULL), QRT_OK);
		}
	}
	assert_true(refused > 0);
}

/* --- lanes
 * -------------------------------------------------------------------------------------------
 */

static enum qrt_err no_job(struct qrt_job *job, void *arg)
{
	(void)job, (void)arg;
	return QRT_OK;
}

static enum qrt_err jobs_main(struct qrt_cx *cx, void *arg)
{
	int64_t *took_ns = arg;
	struct qrt_lane *lane;
	EXPECT(!qrt_lane_open(cx, "work", 1, 1, &lane));
	for (int i = 0; i < TRIES; i++) {
		int64_t begin = lab_now(cx);
		EXPECT(!qrt_blocking(cx, lane, no_job, NULL));
		took_ns[i] = lab_now(cx) - begin;
	}
	qrt_lane_close(cx, &lane);
	return QRT_OK;
}

static void slow_jobs_take_a_hundred_times_as_long(void **state)
{
	(void)state;
	static const unsigned rates[] = {0, 200, 1000};
	int64_t took_ns[3][TRIES];
	int slow[3] = {0, 0, 0};
	for (size_t i = 0; i < 3; i++) {
		const struct qrt_lab_options opts = {.seed = 6, .faults.job_slow = rates[i]};
		assert_int_equal(lab_play(&opts, "lab", jobs_main, took_ns[i], NULL), QRT_OK);
		for (int k = 0; k < TRIES; k++) {
			/* The fault is drawn apart: otherwise it is the same execution. */
			assert_true(took_ns[i][k] == took_ns[0][k] ||
				    took_ns[i][k] == 100 * took_ns[0][k]);
			slow[i] += took_ns[i][k] != took_ns[0][k];
		}
	}
	assert_in_range(slow[1], TRIES / 10, TRIES * 3 / 10);
	assert_int_equal(slow[2], TRIES);
}

/* --- the disk
 * ----------------------------------------------------------------------------------------
 */

static enum qrt_err create_job(struct qrt_db_conn *conn, void *arg)
{
	(void)arg;
	return qrt_db_exec(conn, "CREATE TABLE t (n INTEGER); INSERT INTO t VALUES (1)");
}

static enum qrt_err insert_job(struct qrt_db_conn *conn, void *arg)
{
	(void)arg;
	return qrt_db_exec(conn, "INSERT INTO t SELECT n + 1 FROM t ORDER BY n DESC LIMIT 1");
}

static enum qrt_err max_job(struct qrt_db_conn *conn, void *arg)
{
	int64_t *max = arg;
	struct qrt_db_stmt *stmt;
	bool row;
	enum qrt_err err = qrt_db_prepare(conn, "SELECT max(n) FROM t", &stmt);
	if (!err) {
		err = qrt_db_step(stmt, &row);
		if (!err) {
			*max = qrt_db_int(stmt, 0);
		}
		qrt_db_finish(&stmt);
	}
	return err;
}

static struct qrt_db *db_open(struct qrt_cx *cx)
{
	const struct qrt_db_options opts = {
	    .url = "sqlite:///books.db", .readers = 1, .synchronous_full = true};
	struct qrt_db *db = NULL;
	CHECK(!qrt_db_open(cx, &opts, &db));
	CHECK(!qrt_db_write(cx, db, create_job, NULL));
	return db;
}

static int64_t max_of(struct qrt_cx *cx, struct qrt_db *db)
{
	int64_t max = -1;
	CHECK(!qrt_db_read(cx, db, max_job, &max));
	return max;
}

static enum qrt_err sync_main(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct qrt_db *db = db_open(cx);
	int64_t begin = lab_now(cx);
	EXPECT(!qrt_db_write(cx, db, insert_job, NULL));
	EXPECT(lab_now(cx) - begin < QRT_SEC);
	set(cx, (struct qrt_lab_faults){.sync_slow = 1000});
	begin = lab_now(cx);
	EXPECT(!qrt_db_write(cx, db, insert_job, NULL));
	EXPECT(lab_now(cx) - begin > QRT_SEC);
	EXPECT(lab_now(cx) - begin < 3 * QRT_SEC);
	set(cx, (struct qrt_lab_faults){.sync_slow = 1000, .sync_ns = 5 * QRT_SEC});
	begin = lab_now(cx);
	EXPECT(!qrt_db_write(cx, db, insert_job, NULL));
	EXPECT(lab_now(cx) - begin > 5 * QRT_SEC);
	/* Reading needs no sync. */
	begin = lab_now(cx);
	EXPECT(max_of(cx, db) == 4);
	EXPECT(lab_now(cx) - begin < QRT_SEC);
	qrt_lab_heal(qrt_cx_lab(cx));
	qrt_db_close(cx, &db);
	return QRT_OK;
}

static enum qrt_err full_main(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct qrt_db *db = db_open(cx);
	set(cx, (struct qrt_lab_faults){.disk_full = true});
	/* It is the commit that writes. */
	EXPECT(qrt_db_write(cx, db, insert_job, NULL) == QRT_ECOMMITUNKNOWN);
	EXPECT(strstr(qrt_detail(cx), "disk is full"));
	EXPECT(max_of(cx, db) == 1);
	qrt_lab_heal(qrt_cx_lab(cx));
	EXPECT(!qrt_db_write(cx, db, insert_job, NULL));
	EXPECT(max_of(cx, db) == 2);
	qrt_db_close(cx, &db);
	return QRT_OK;
}

static enum qrt_err broken_main(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct qrt_db *db = db_open(cx);
	int64_t acked = 1;
	set(cx, (struct qrt_lab_faults){.disk_error = 1000});
	EXPECT(qrt_db_write(cx, db, insert_job, NULL) == QRT_ECOMMITUNKNOWN);
	EXPECT(strstr(qrt_detail(cx), "disk I/O error"));
	qrt_lab_heal(qrt_cx_lab(cx));
	EXPECT(max_of(cx, db) == 1);
	/* Now and then: what is said to be written is, what is said not to be is not. */
	set(cx, (struct qrt_lab_faults){.disk_error = 100});
	int failed = 0;
	for (int i = 0; i < 50; i++) {
		enum qrt_err err = qrt_db_write(cx, db, insert_job, NULL);
		EXPECT(!err || err == QRT_EIO || err == QRT_ECOMMITUNKNOWN);
		acked += !err;
		failed += err != QRT_OK;
		if (err == QRT_ECOMMITUNKNOWN) {
			const struct qrt_lab_faults none = {0};
			set(cx, none);
			acked = max_of(cx, db);
			set(cx, (struct qrt_lab_faults){.disk_error = 100});
		}
	}
	qrt_lab_heal(qrt_cx_lab(cx));
	EXPECT(failed > 0);
	EXPECT(max_of(cx, db) == acked);
	qrt_db_close(cx, &db);
	return QRT_OK;
}

static void play_disk(qrt_task_fn *fn)
{
	for (size_t i = 0; i < BACKENDS; i++) {
		for (uint64_t seed = 0; seed < 4; seed++) {
			const struct qrt_lab_options opts = {.seed = seed, .disk = true};
			assert_int_equal(lab_play(&opts, backends[i], fn, NULL, NULL), QRT_OK);
		}
	}
}

static void a_slow_sync_makes_commits_slow(void **state)
{
	(void)state;
	play_disk(sync_main);
}

static void a_full_disk_takes_no_writes_and_loses_none(void **state)
{
	(void)state;
	play_disk(full_main);
}

static void a_broken_disk_loses_nothing_that_was_acknowledged(void **state)
{
	(void)state;
	play_disk(broken_main);
}

/* --- changes
 * ----------------------------------------------------------------------------------------
 */

static enum qrt_err change_main(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	const struct qrt_lab_faults refuse = {.refuse = 1000}, bad = {.reset = 1001};
	struct qrt_lab *lab = qrt_cx_lab(cx);
	uint16_t port;
	struct qrt_stream *stream = NULL;
	struct qrt_listener *listener = listen_on(cx, &port);
	EXPECT(!qrt_lab_set_faults(lab, &refuse));
	EXPECT(qrt_connect(cx, "127.0.0.1", port, &stream) == QRT_ECONNREFUSED);
	/* What is no set of faults changes nothing. */
	EXPECT(qrt_lab_set_faults(lab, &bad) == QRT_EINVAL);
	EXPECT(qrt_connect(cx, "127.0.0.1", port, &stream) == QRT_ECONNREFUSED);
	EXPECT(lab_now(cx) < QRT_SEC);
	EXPECT(!qrt_sleep_until(cx, QRT_SEC)); /* heal_ns */
	EXPECT(!qrt_connect(cx, "127.0.0.1", port, &stream));
	EXPECT(!qrt_lab_set_faults(lab, &refuse));
	struct qrt_stream *other = NULL;
	EXPECT(qrt_connect(cx, "127.0.0.1", port, &other) == QRT_ECONNREFUSED);
	qrt_stream_close(cx, &stream);
	qrt_listener_close(cx, &listener);
	return QRT_OK;
}

static void faults_change_and_heal_while_a_program_runs(void **state)
{
	(void)state;
	const struct qrt_lab_options opts = {.seed = 8, .heal_ns = QRT_SEC};
	struct qrt_lab_stats stats;
	assert_int_equal(lab_play(&opts, "lab", change_main, NULL, &stats), QRT_OK);
	assert_int_equal(stats.faults, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(connects_are_refused_as_often_as_asked_for),
	    cmocka_unit_test(a_reset_is_met_by_both_sides),
	    cmocka_unit_test(from_a_peer_that_vanished_only_a_deadline_helps),
	    cmocka_unit_test(transfers_are_cut_short_as_often_as_asked_for),
	    cmocka_unit_test(what_a_partition_holds_back_arrives_in_order_when_it_ends),
	    cmocka_unit_test(connects_wait_for_the_end_of_a_partition),
	    cmocka_unit_test(latency_keeps_to_its_range_and_fills_it),
	    cmocka_unit_test(bytes_take_the_time_of_the_line),
	    cmocka_unit_test(a_slow_reader_stops_its_writer_at_the_size_of_the_pipe),
	    cmocka_unit_test(who_is_out_of_descriptors_is_told_and_recovers),
	    cmocka_unit_test(slow_jobs_take_a_hundred_times_as_long),
	    cmocka_unit_test(a_slow_sync_makes_commits_slow),
	    cmocka_unit_test(a_full_disk_takes_no_writes_and_loses_none),
	    cmocka_unit_test(a_broken_disk_loses_nothing_that_was_acknowledged),
	    cmocka_unit_test(faults_change_and_heal_while_a_program_runs),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
