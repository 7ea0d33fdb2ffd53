/*
 * The lab driver under both engines: virtual time, the simulated network and
 * signals, and that a seed fixes everything that happens.
 */
#include "tests/lib/test.h"

#include <qrt/lab.h>
#include <qrt/lane.h>
#include <qrt/signal.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "backends/backend.h"
#include "tests/lib/labs.h"

enum { CLIENTS = 100, ECHO_BYTES = 300, SEEDS = 20, PIPE_BYTES = 64 * 1024 };

#define HOUR (3600 * QRT_SEC)

static const char *const backends[] = {"lab", "lab-legacy"};
enum { BACKENDS = sizeof(backends) / sizeof(backends[0]) };

struct outcome {
	enum qrt_err err;
	uint64_t hash;
};

static struct outcome run(const char *backend, uint64_t seed, qrt_task_fn *fn, void *arg)
{
	const struct qrt_runtime_options opts = {.backend = backend, .seed = seed};
	char detail[256] = "";
	struct qrt_runtime *rt;
	enum qrt_err err = qrt_runtime_open(&opts, detail, &rt);
	if (err) {
		fail_msg("open %s: %s %s", backend, qrt_err_name(err), detail);
	}
	struct outcome outcome = {.err = qrt_run_main(rt, fn, arg)};
	struct qrt_audit audit;
	qrt_runtime_audit(rt, &audit);
	outcome.hash = audit.trace_hash;
	qrt_runtime_close(&rt); /* asserts that nothing was left */
	return outcome;
}

/* Runs @fn on both backends, with FIFO order and with a few seeds. */
static void run_everywhere(qrt_task_fn *fn)
{
	for (size_t i = 0; i < BACKENDS; i++) {
		for (uint64_t seed = 0; seed < 4; seed++) {
			struct outcome outcome = run(backends[i], seed, fn, NULL);
			if (outcome.err) {
				fail_msg("%s, seed %d: %s", backends[i], (int)seed,
					 qrt_err_name(outcome.err));
			}
		}
	}
}

static int64_t real_ns(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * QRT_SEC + ts.tv_nsec;
}

static struct qrt_stream *adopt(struct qrt_cx *cx, int fd)
{
	struct qrt_stream *stream = NULL;
	CHECK(!qrt_stream_adopt(cx, fd, &stream));
	return stream;
}

static void pair(struct qrt_cx *cx, struct qrt_stream **ret_a, struct qrt_stream **ret_b)
{
	int a, b;
	CHECK(!qrt_lab_pair(cx, &a, &b));
	*ret_a = adopt(cx, a);
	*ret_b = adopt(cx, b);
}

static struct qrt_listener *listen_on(struct qrt_cx *cx, uint16_t port, uint16_t *ret_port)
{
	int fd;
	struct qrt_listener *listener = NULL;
	CHECK(!qrt_socket_listen(cx, "127.0.0.1", port, &fd, ret_port));
	CHECK(!qrt_listener_adopt(cx, fd, &listener));
	return listener;
}

static enum qrt_err read_exactly(struct qrt_cx *cx, struct qrt_stream *stream, char *buf, size_t n)
{
	enum qrt_err err = QRT_OK;
	for (size_t got = 0, done = 0; done < n && !err; done += got) {
		got = 0;
		err = qrt_read(cx, stream, buf + done, n - done, &got);
	}
	return err;
}

/* --- echo -------------------------------------------------------------------------------- */

struct echo {
	struct qrt_listener *listener;
	uint16_t port;
	unsigned served, answered;
	uint64_t order; /* of the answers */
	int64_t end_ns;
};

struct client {
	struct echo *echo;
	unsigned number;
};

static enum qrt_err serve_one(struct qrt_cx *cx, void *arg)
{
	struct qrt_stream *stream = arg;
	char buf[64];
	size_t n;
	enum qrt_err err;
	CHECK(strncmp(qrt_stream_peer(stream), "127.0.0.1:", 10) == 0);
	while (!(err = qrt_read(cx, stream, buf, sizeof(buf), &n))) {
		CHECK(n > 0);
		CHECK(n <= sizeof(buf));
		CHECK(!qrt_write(cx, stream, buf, n));
	}
	CHECK(err == QRT_EEOF);
	qrt_stream_close(cx, &stream);
	return QRT_OK;
}

static enum qrt_err serve(struct qrt_cx *cx, void *arg)
{
	struct echo *echo = arg;
	struct qrt_region *region;
	CHECK(!qrt_region_open(cx, QRT_FAIL_FAST, &region));
	while (echo->served < CLIENTS) {
		struct qrt_stream *stream;
		CHECK(!qrt_accept(cx, echo->listener, &stream));
		echo->served++;
		CHECK(!qrt_spawn(region, serve_one, stream));
	}
	qrt_listener_close(cx, &echo->listener);
	return qrt_region_close(cx, &region, QRT_OK);
}

static enum qrt_err ask(struct qrt_cx *cx, void *arg)
{
	struct client *client = arg;
	struct qrt_stream *stream;
	char sent[ECHO_BYTES], got[ECHO_BYTES];
	memset(sent, (int)client->number, sizeof(sent));
	CHECK(!qrt_connect(cx, "127.0.0.1", client->echo->port, &stream));
	CHECK(!qrt_write(cx, stream, sent, sizeof(sent)));
	CHECK(!read_exactly(cx, stream, got, sizeof(got)));
	CHECK(memcmp(sent, got, sizeof(sent)) == 0);
	qrt_stream_close(cx, &stream);
	client->echo->answered++;
	client->echo->order = client->echo->order * 31 + client->number;
	return QRT_OK;
}

static enum qrt_err echo_main(struct qrt_cx *cx, void *arg)
{
	struct echo *echo = arg;
	struct client client[CLIENTS];
	struct qrt_region *region;
	echo->listener = listen_on(cx, 0, &echo->port);
	CHECK(!qrt_region_open(cx, QRT_FAIL_FAST, &region));
	CHECK(!qrt_spawn(region, serve, echo));
	for (unsigned i = 0; i < CLIENTS; i++) {
		client[i] = (struct client){.echo = echo, .number = i};
		CHECK(!qrt_spawn(region, ask, &client[i]));
	}
	enum qrt_err err = qrt_region_close(cx, &region, QRT_OK);
	echo->end_ns = lab_now(cx);
	return err;
}

static struct outcome run_echo(const char *backend, uint64_t seed, struct echo *ret_echo)
{
	*ret_echo = (struct echo){0};
	struct outcome outcome = run(backend, seed, echo_main, ret_echo);
	assert_int_equal(outcome.err, QRT_OK);
	assert_int_equal(ret_echo->answered, CLIENTS);
	return outcome;
}

static void a_hundred_clients_get_their_echo(void **state)
{
	(void)state;
	for (size_t i = 0; i < BACKENDS; i++) {
		struct echo echo;
		run_echo(backends[i], 1, &echo);
		assert_int_equal(echo.port, 40000);
		assert_true(echo.end_ns > 0);
		assert_true(echo.end_ns < QRT_SEC);
	}
}

static void the_same_seed_gives_the_same_execution(void **state)
{
	(void)state;
	for (size_t i = 0; i < BACKENDS; i++) {
		for (uint64_t seed = 0; seed < SEEDS; seed++) {
			struct echo first, second;
			struct outcome a = run_echo(backends[i], seed, &first);
			struct outcome b = run_echo(backends[i], seed, &second);
			assert_true(a.hash != 0);
			assert_true(a.hash == b.hash);
			assert_true(first.end_ns == second.end_ns);
			assert_true(first.order == second.order);
		}
	}
}

static void different_seeds_give_different_executions(void **state)
{
	(void)state;
	for (size_t i = 0; i < BACKENDS; i++) {
		uint64_t hash[SEEDS], order[SEEDS];
		size_t same_hash = 0, same_order = 0;
		for (uint64_t seed = 0; seed < SEEDS; seed++) {
			struct echo echo;
			hash[seed] = run_echo(backends[i], seed, &echo).hash;
			order[seed] = echo.order;
			for (uint64_t k = 0; k < seed; k++) {
				same_hash += hash[k] == hash[seed];
				same_order += order[k] == order[seed];
			}
		}
		assert_int_equal(same_hash, 0);
		assert_int_equal(same_order, 0);
	}
}

/* --- order among ready tasks ------------------------------------------------------------- */

struct letters {
	char text[27];
	size_t n;
};

struct letter {
	struct letters *letters;
	char c;
};

static enum qrt_err write_letter(struct qrt_cx *cx, void *arg)
{
	struct letter *letter = arg;
	(void)cx;
	letter->letters->text[letter->letters->n++] = letter->c;
	return QRT_OK;
}

static enum qrt_err letters_main(struct qrt_cx *cx, void *arg)
{
	struct letter letter[26];
	struct qrt_region *region;
	CHECK(!qrt_region_open(cx, QRT_FAIL_FAST, &region));
	for (int i = 0; i < 26; i++) {
		letter[i] = (struct letter){.letters = arg, .c = (char)('a' + i)};
		CHECK(!qrt_spawn(region, write_letter, &letter[i]));
	}
	return qrt_region_close(cx, &region, QRT_OK);
}

static void seed_zero_runs_ready_tasks_in_order(void **state)
{
	(void)state;
	struct letters letters = {.n = 0};
	run("lab", 0, letters_main, &letters);
	assert_string_equal(letters.text, "abcdefghijklmnopqrstuvwxyz");
}

static void another_seed_shuffles_ready_tasks_but_loses_none(void **state)
{
	(void)state;
	struct letters letters = {.n = 0};
	run("lab", 5, letters_main, &letters);
	assert_int_equal(letters.n, 26);
	assert_string_not_equal(letters.text, "abcdefghijklmnopqrstuvwxyz");
	for (char c = 'a'; c <= 'z'; c++) {
		assert_non_null(strchr(letters.text, c));
	}
}

/* --- time -------------------------------------------------------------------------------- */

static enum qrt_err sleep_main(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	int64_t wall_before, wall_after;
	CHECK(lab_now(cx) == 0);
	CHECK(!qrt_wall_ms(cx, &wall_before));
	CHECK(wall_before == INT64_C(1767225600000));
	CHECK(!qrt_sleep(cx, HOUR));
	CHECK(lab_now(cx) == HOUR);
	CHECK(!qrt_wall_ms(cx, &wall_after));
	CHECK(wall_after - wall_before == HOUR / QRT_MS);
	return QRT_OK;
}

static void an_hour_of_sleep_takes_no_real_time(void **state)
{
	(void)state;
	int64_t before = real_ns();
	run_everywhere(sleep_main);
	assert_true(real_ns() - before < HOUR / 60);
}

static enum qrt_err deadline_main(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct qrt_stream *a, *b;
	struct qrt_region *region;
	char buf[8];
	size_t n;
	pair(cx, &a, &b);
	CHECK(!qrt_sleep(cx, 123));
	const struct qrt_region_options opts = {.budget.deadline_ns = 7 * QRT_SEC + 1};
	CHECK(!qrt_region_open_with(cx, &opts, &region));
	CHECK(qrt_read(qrt_region_cx(region), a, buf, sizeof(buf), &n) == QRT_ETIMEDOUT);
	CHECK(lab_now(cx) == 7 * QRT_SEC + 1);
	CHECK(!qrt_region_close(cx, &region, QRT_OK));
	/* The stream is none the worse for it. */
	CHECK(!qrt_write(cx, b, "late", 4));
	CHECK(!read_exactly(cx, a, buf, 4));
	CHECK(memcmp(buf, "late", 4) == 0);
	qrt_stream_close(cx, &a);
	qrt_stream_close(cx, &b);
	return QRT_OK;
}

static void a_deadline_on_read_is_exact_in_virtual_time(void **state)
{
	(void)state;
	run_everywhere(deadline_main);
}

/* --- the network ------------------------------------------------------------------------- */

static enum qrt_err refused_main(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct qrt_stream *stream = NULL;
	CHECK(qrt_connect(cx, "127.0.0.1", 81, &stream) == QRT_ECONNREFUSED);
	CHECK(!stream);
	CHECK(strstr(qrt_detail(cx), "127.0.0.1:81"));
	CHECK(lab_now(cx) >= 10 * 1000);
	CHECK(lab_now(cx) <= 500 * 1000);
	CHECK(qrt_connect(cx, "localhost", 81, &stream) == QRT_EINVAL);
	return QRT_OK;
}

static void a_port_without_listener_refuses(void **state)
{
	(void)state;
	run_everywhere(refused_main);
}

static enum qrt_err in_use_main(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	int fd = -1;
	uint16_t port, other;
	struct qrt_listener *first = listen_on(cx, 8080, &port);
	CHECK(port == 8080);
	CHECK(qrt_socket_listen(cx, "0.0.0.0", 8080, &fd, &other) == QRT_EADDRINUSE);
	CHECK(strstr(qrt_detail(cx), "8080"));
	CHECK(qrt_socket_listen(cx, "here", 0, &fd, &other) == QRT_EINVAL);
	CHECK(fd == -1);
	struct qrt_listener *second = listen_on(cx, 0, &port);
	struct qrt_listener *third = listen_on(cx, 0, &other);
	CHECK(port >= 40000);
	CHECK(other >= 40000);
	CHECK(port != other);
	qrt_listener_close(cx, &first);
	qrt_listener_close(cx, &second);
	qrt_listener_close(cx, &third);
	/* A closed listener's port is free again. */
	first = listen_on(cx, 8080, &port);
	qrt_listener_close(cx, &first);
	return QRT_OK;
}

static void a_used_port_cannot_be_taken_twice(void **state)
{
	(void)state;
	run_everywhere(in_use_main);
}

static enum qrt_err half_close_main(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct qrt_stream *a, *b;
	char buf[16];
	size_t n;
	pair(cx, &a, &b);
	CHECK(!qrt_write(cx, a, "question", 8));
	CHECK(!qrt_stream_shutdown(cx, a));
	CHECK(!qrt_stream_shutdown(cx, a));
	CHECK(qrt_write(cx, a, "more", 4) == QRT_ECONNRESET);
	/* Every byte comes before the end of stream, and the end stays. */
	CHECK(!read_exactly(cx, b, buf, 8));
	CHECK(memcmp(buf, "question", 8) == 0);
	CHECK(qrt_read(cx, b, buf, sizeof(buf), &n) == QRT_EEOF);
	CHECK(qrt_read(cx, b, buf, sizeof(buf), &n) == QRT_EEOF);
	/* The other direction lives on. */
	CHECK(!qrt_write(cx, b, "answer", 6));
	qrt_stream_close(cx, &b);
	CHECK(!read_exactly(cx, a, buf, 6));
	CHECK(memcmp(buf, "answer", 6) == 0);
	CHECK(qrt_read(cx, a, buf, sizeof(buf), &n) == QRT_EEOF);
	qrt_stream_close(cx, &a);
	return QRT_OK;
}

static void a_half_closed_stream_still_answers(void **state)
{
	(void)state;
	run_everywhere(half_close_main);
}

static enum qrt_err reset_main(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct qrt_stream *a, *b;
	pair(cx, &a, &b);
	qrt_stream_close(cx, &b);
	/* Not yet known here: the bytes are lost without a word. */
	CHECK(!qrt_write(cx, a, "hello", 5));
	CHECK(!qrt_sleep(cx, QRT_SEC));
	CHECK(qrt_write(cx, a, "hello", 5) == QRT_ECONNRESET);
	qrt_stream_close(cx, &a);
	return QRT_OK;
}

static void writing_to_a_closed_peer_is_reset(void **state)
{
	(void)state;
	run_everywhere(reset_main);
}

static enum qrt_err fill(struct qrt_cx *cx, void *arg)
{
	static const char much[3 * PIPE_BYTES];
	return qrt_write(cx, arg, much, sizeof(much));
}

static enum qrt_err full_main(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct qrt_stream *a, *b;
	struct qrt_region *region;
	pair(cx, &a, &b);
	CHECK(!qrt_region_open(cx, QRT_COLLECT, &region));
	CHECK(!qrt_spawn(region, fill, a));
	CHECK(!qrt_sleep(cx, QRT_SEC));
	CHECK(qrt_region_live(region) == 1); /* the pipe is full, nobody reads */
	size_t total = 0;
	while (total < (size_t)3 * PIPE_BYTES) {
		char buf[5000];
		size_t n;
		CHECK(!qrt_read(cx, b, buf, sizeof(buf), &n));
		total += n;
	}
	CHECK(!qrt_region_close(cx, &region, QRT_OK));
	/* A writer that waits for room learns that the reader has gone. */
	CHECK(!qrt_region_open(cx, QRT_COLLECT, &region));
	CHECK(!qrt_spawn(region, fill, a));
	CHECK(!qrt_sleep(cx, QRT_SEC));
	qrt_stream_close(cx, &b);
	CHECK(qrt_region_close(cx, &region, QRT_OK) == QRT_ECONNRESET);
	qrt_stream_close(cx, &a);
	return QRT_OK;
}

static void a_slow_reader_stops_its_writer(void **state)
{
	(void)state;
	run_everywhere(full_main);
}

static enum qrt_err knock(struct qrt_cx *cx, void *arg)
{
	uint16_t *port = arg;
	struct qrt_stream *stream;
	enum qrt_err err = qrt_connect(cx, "::1", *port, &stream);
	if (!err) {
		qrt_stream_close(cx, &stream);
	}
	return err;
}

static enum qrt_err take_one(struct qrt_cx *cx, void *arg)
{
	struct qrt_stream *stream;
	enum qrt_err err = qrt_accept(cx, arg, &stream);
	if (!err) {
		qrt_stream_close(cx, &stream);
	}
	return err;
}

static enum qrt_err dup_main(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	int fd, copy;
	uint16_t port;
	struct qrt_listener *one, *two;
	struct qrt_region *region;
	CHECK(!qrt_socket_listen(cx, "127.0.0.1", 0, &fd, &port));
	CHECK(fd >= 1 << 20);
	CHECK(!qrt_socket_dup(cx, fd, &copy));
	CHECK(copy != fd);
	CHECK(!qrt_listener_adopt(cx, fd, &one));
	CHECK(!qrt_listener_adopt(cx, copy, &two));
	/* Two connections, one accept on each copy: each gets one. */
	CHECK(!qrt_region_open(cx, QRT_FAIL_FAST, &region));
	CHECK(!qrt_spawn(region, take_one, one));
	CHECK(!qrt_spawn(region, take_one, two));
	CHECK(!qrt_spawn(region, knock, &port));
	CHECK(!qrt_spawn(region, knock, &port));
	CHECK(!qrt_region_close(cx, &region, QRT_OK));
	/* What arrived before one copy closed is served through the other. */
	CHECK(!knock(cx, &port));
	qrt_listener_close(cx, &one);
	CHECK(!take_one(cx, two));
	CHECK(!knock(cx, &port));
	qrt_listener_close(cx, &two);
	CHECK(knock(cx, &port) == QRT_ECONNREFUSED);
	return QRT_OK;
}

static void a_listener_lives_until_its_last_copy_is_closed(void **state)
{
	(void)state;
	run_everywhere(dup_main);
}

static enum qrt_err unserved_main(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	uint16_t port;
	char byte;
	size_t n;
	struct qrt_stream *stream;
	struct qrt_listener *listener = listen_on(cx, 0, &port);
	CHECK(!qrt_connect(cx, "127.0.0.1", port, &stream));
	qrt_listener_close(cx, &listener);
	CHECK(qrt_read(cx, stream, &byte, 1, &n) == QRT_ECONNRESET);
	qrt_stream_close(cx, &stream);
	return QRT_OK;
}

static void a_connection_nobody_accepted_is_reset(void **state)
{
	(void)state;
	run_everywhere(unserved_main);
}

static enum qrt_err backlog_main(struct qrt_cx *cx, void *arg)
{
	enum { MANY = 200, QUEUE = 128 };
	(void)arg;
	uint16_t port;
	struct qrt_region *region;
	struct qrt_listener *listener = listen_on(cx, 0, &port);
	CHECK(!qrt_region_open(cx, QRT_FAIL_FAST, &region));
	for (int i = 0; i < MANY; i++) {
		CHECK(!qrt_spawn(region, knock, &port));
	}
	CHECK(!qrt_sleep(cx, 500 * QRT_MS));
	CHECK(qrt_region_live(region) == MANY - QUEUE);
	for (int i = 0; i < MANY; i++) {
		CHECK(!take_one(cx, listener));
	}
	CHECK(!qrt_region_close(cx, &region, QRT_OK));
	CHECK(lab_now(cx) >= QRT_SEC); /* those beyond the queue had to try again */
	qrt_listener_close(cx, &listener);
	return QRT_OK;
}

static void a_full_accept_queue_makes_clients_try_again(void **state)
{
	(void)state;
	run_everywhere(backlog_main);
}

static enum qrt_err hang_up(struct qrt_cx *cx, void *arg)
{
	struct qrt_stream **stream = arg;
	CHECK(!qrt_sleep(cx, QRT_MS));
	qrt_stream_close(cx, stream);
	return QRT_OK;
}

static enum qrt_err closed_main(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct qrt_stream *a, *b;
	struct qrt_region *region;
	char byte;
	size_t n;
	pair(cx, &a, &b);
	CHECK(!qrt_region_open(cx, QRT_FAIL_FAST, &region));
	CHECK(!qrt_spawn(region, hang_up, &a));
	CHECK(qrt_read(cx, a, &byte, 1, &n) == QRT_ECLOSED);
	CHECK(!qrt_region_close(cx, &region, QRT_OK));
	CHECK(!a);
	qrt_stream_close(cx, &b);
	return QRT_OK;
}

static void closing_a_stream_ends_the_wait_on_it(void **state)
{
	(void)state;
	run_everywhere(closed_main);
}

static enum qrt_err cuts_main(struct qrt_cx *cx, void *arg)
{
	size_t *short_reads = arg;
	struct qrt_stream *a, *b;
	char buf[100];
	pair(cx, &a, &b);
	for (int i = 0; i < 200; i++) {
		size_t n;
		memset(buf, i, sizeof(buf));
		CHECK(!qrt_write(cx, a, buf, sizeof(buf)));
		CHECK(!qrt_sleep(cx, QRT_MS)); /* all of it has arrived */
		CHECK(!qrt_read(cx, b, buf, sizeof(buf), &n));
		*short_reads += n < sizeof(buf);
		CHECK(!read_exactly(cx, b, buf + n, sizeof(buf) - n));
		for (size_t k = 0; k < sizeof(buf); k++) {
			CHECK(buf[k] == (char)i);
		}
	}
	qrt_stream_close(cx, &a);
	qrt_stream_close(cx, &b);
	return QRT_OK;
}

static void some_transfers_are_cut_short_but_nothing_is_lost(void **state)
{
	(void)state;
	size_t short_reads = 0;
	assert_int_equal(run("lab", 3, cuts_main, &short_reads).err, QRT_OK);
	assert_in_range(short_reads, 20, 120);
}

/* --- lanes ------------------------------------------------------------------------------- */

struct job {
	struct letters *letters;
	struct qrt_lane *lane;
	char c;
};

static enum qrt_err job_fn(struct qrt_job *job, void *arg)
{
	struct job *self = arg;
	(void)job;
	self->letters->text[self->letters->n++] = self->c;
	return QRT_OK;
}

static enum qrt_err job_task(struct qrt_cx *cx, void *arg)
{
	struct job *self = arg;
	return qrt_blocking(cx, self->lane, job_fn, self);
}

static enum qrt_err lane_main(struct qrt_cx *cx, void *arg)
{
	struct letters *letters = arg;
	struct job job[26];
	struct qrt_lane *lane;
	/* Each job's task waits for its deadline and for its job: two timers each. */
	const struct qrt_region_options opts = {.budget.deadline_ns = QRT_SEC};
	struct qrt_region *region;
	CHECK(!qrt_lane_open(cx, "work", 2, 26, &lane));
	CHECK(!qrt_region_open_with(cx, &opts, &region));
	for (int i = 0; i < 26; i++) {
		job[i] = (struct job){.letters = letters, .lane = lane, .c = (char)('a' + i)};
		CHECK(!qrt_spawn(region, job_task, &job[i]));
	}
	CHECK(letters->n == 0);
	CHECK(!qrt_region_close(cx, &region, QRT_OK));
	CHECK(letters->n == 26);
	CHECK(lab_now(cx) > 0);
	CHECK(lab_now(cx) <= 2 * QRT_MS);
	qrt_lane_close(cx, &lane);
	return QRT_OK;
}

static void lane_jobs_interleave_as_the_seed_says(void **state)
{
	(void)state;
	for (size_t i = 0; i < BACKENDS; i++) {
		struct letters first = {.n = 0}, again = {.n = 0}, other = {.n = 0};
		assert_int_equal(run(backends[i], 11, lane_main, &first).err, QRT_OK);
		assert_int_equal(run(backends[i], 11, lane_main, &again).err, QRT_OK);
		assert_int_equal(run(backends[i], 12, lane_main, &other).err, QRT_OK);
		assert_string_equal(first.text, again.text);
		assert_string_not_equal(first.text, other.text);
		assert_string_not_equal(first.text, "abcdefghijklmnopqrstuvwxyz");
	}
}

static enum qrt_err one_job_main(struct qrt_cx *cx, void *arg)
{
	int64_t *ret_end_ns = arg;
	struct letters letters = {.n = 0};
	struct job job = {.letters = &letters, .c = 'x'};
	CHECK(!qrt_lane_open(cx, "work", 1, 1, &job.lane));
	CHECK(!job_task(cx, &job));
	qrt_lane_close(cx, &job.lane);
	*ret_end_ns = lab_now(cx);
	return QRT_OK;
}

static void a_job_takes_as_long_as_the_seed_says(void **state)
{
	(void)state;
	int64_t end_ns[SEEDS];
	for (uint64_t seed = 0; seed < SEEDS; seed++) {
		assert_int_equal(run("lab", seed, one_job_main, &end_ns[seed]).err, QRT_OK);
		assert_in_range(end_ns[seed], 1000, 2 * QRT_MS);
		assert_true(seed == 0 || end_ns[seed] != end_ns[seed - 1]);
	}
}

static enum qrt_err doze(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	return qrt_sleep(cx, QRT_SEC);
}

static enum qrt_err timers_main(struct qrt_cx *cx, void *arg)
{
	/* Jobs first, then sleepers: together more timers than tasks, across a doubling of room. */
	enum { JOBS = 20, SLEEPERS = 41 };
	struct letters *letters = arg;
	struct job job[JOBS];
	struct qrt_lane *lane;
	struct qrt_region *region;
	const struct qrt_region_options opts = {.budget.deadline_ns = HOUR};
	CHECK(!qrt_lane_open(cx, "work", 1, JOBS, &lane));
	CHECK(!qrt_region_open_with(cx, &opts, &region));
	for (int i = 0; i < JOBS; i++) {
		job[i] = (struct job){.letters = letters, .lane = lane, .c = 'x'};
		CHECK(!qrt_spawn(region, job_task, &job[i]));
	}
	CHECK(!qrt_yield(cx)); /* every job waits for its moment now */
	for (int i = 0; i < SLEEPERS; i++) {
		CHECK(!qrt_spawn(region, doze, NULL));
	}
	CHECK(!qrt_region_close(cx, &region, QRT_OK));
	qrt_lane_close(cx, &lane);
	return QRT_OK;
}

static void jobs_and_sleepers_together_have_room_for_their_timers(void **state)
{
	(void)state;
	struct letters letters = {.n = 0};
	assert_int_equal(run("lab", 0, timers_main, &letters).err, QRT_OK);
	assert_int_equal(letters.n, 20);
}

/* --- randomness -------------------------------------------------------------------------- */

struct drawn {
	bool with_traffic;
	unsigned char bytes[37];
};

static enum qrt_err random_main(struct qrt_cx *cx, void *arg)
{
	struct drawn *drawn = arg;
	if (drawn->with_traffic) {
		struct echo echo = {0};
		CHECK(!echo_main(cx, &echo));
	}
	return qrt_random(cx, drawn->bytes, sizeof(drawn->bytes));
}

static void random_bytes_repeat_with_the_seed_whatever_else_goes_on(void **state)
{
	(void)state;
	for (size_t i = 0; i < BACKENDS; i++) {
		struct drawn first = {0}, busy = {.with_traffic = true}, other = {0};
		run(backends[i], 21, random_main, &first);
		run(backends[i], 21, random_main, &busy);
		run(backends[i], 22, random_main, &other);
		assert_memory_equal(first.bytes, busy.bytes, sizeof(first.bytes));
		assert_memory_not_equal(first.bytes, other.bytes, sizeof(first.bytes));
	}
}

/* --- signals ----------------------------------------------------------------------------- */

static enum qrt_err raise_two(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	CHECK(!qrt_sleep(cx, QRT_SEC));
	CHECK(!qrt_lab_raise(cx, SIGTERM));
	CHECK(!qrt_lab_raise(cx, SIGHUP));
	CHECK(!qrt_lab_raise(cx, SIGTERM)); /* pending already */
	return QRT_OK;
}

static enum qrt_err signal_main(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	const int both[] = {SIGHUP, SIGTERM}, one[] = {SIGTERM}, none[] = {0};
	struct qrt_signals *first, *second, *bad;
	struct qrt_region *region;
	int signo = 0;
	CHECK(qrt_lab_raise(cx, SIGHUP) == QRT_ENOENT);
	CHECK(qrt_signal_open(cx, none, 1, &bad) == QRT_EINVAL);
	CHECK(!qrt_signal_open(cx, both, 2, &first));
	CHECK(!qrt_signal_open(cx, one, 1, &second));
	CHECK(qrt_lab_raise(cx, SIGUSR1) == QRT_ENOENT);
	CHECK(!qrt_region_open(cx, QRT_FAIL_FAST, &region));
	CHECK(!qrt_spawn(region, raise_two, NULL));
	CHECK(!qrt_signal_wait(cx, first, &signo));
	CHECK(signo == SIGTERM);
	CHECK(lab_now(cx) == QRT_SEC);
	CHECK(!qrt_signal_wait(cx, first, &signo));
	CHECK(signo == SIGHUP);
	CHECK(!qrt_signal_wait(cx, second, &signo));
	CHECK(signo == SIGTERM);
	CHECK(!qrt_region_close(cx, &region, QRT_OK));
	const struct qrt_region_options opts = {.budget.deadline_ns = 2 * QRT_SEC};
	CHECK(!qrt_region_open_with(cx, &opts, &region));
	CHECK(qrt_signal_wait(qrt_region_cx(region), first, &signo) == QRT_ETIMEDOUT);
	CHECK(!qrt_region_close(cx, &region, QRT_OK));
	qrt_signal_close(cx, &first);
	qrt_signal_close(cx, &second);
	return QRT_OK;
}

static void a_raised_signal_reaches_every_set_that_has_it(void **state)
{
	(void)state;
	run_everywhere(signal_main);
}

/* --- a runtime on its own thread --------------------------------------------------------- */

static enum qrt_err in_lab(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	CHECK(qrt_in_lab(cx));
	return qrt_sleep(cx, HOUR);
}

static void a_started_lab_waits_for_work_from_outside(void **state)
{
	(void)state;
	for (size_t i = 0; i < BACKENDS; i++) {
		const struct qrt_runtime_options opts = {.backend = backends[i], .seed = 9};
		struct qrt_runtime *rt;
		assert_int_equal(qrt_runtime_open(&opts, NULL, &rt), QRT_OK);
		assert_int_equal(qrt_runtime_start(rt), QRT_OK);
		for (int k = 0; k < 10; k++) {
			assert_int_equal(qrt_runtime_call(rt, 60 * QRT_SEC, in_lab, NULL, NULL),
					 QRT_OK);
		}
		assert_int_equal(qrt_shutdown(rt, 60 * QRT_SEC), QRT_OK);
		qrt_runtime_close(&rt);
	}
}

/* --- promises ---------------------------------------------------------------------------- */

/* What the lab answers for itself with either engine; else it is word for word the engine's. */
static const char *own_answer(const char *key, size_t engine)
{
	static const struct {
		const char *key, *answers[2]; /* NULL: the engine's */
	} own[] = {
	    {"http-server", {"qrt over streams (llhttp)", "qrt over streams (llhttp)"}},
	    {"http-refusals", {"yes", "yes"}},
	    {"http-request-stream", {"yes", "yes"}},
	    {"http-grace", {NULL, "nothing: 503 is sent when it ends"}},
	    {"protocol-fault-body", {"the application's", "the application's"}},
	    {"websocket", {"the lab's own wire", "the lab's own wire"}},
	    {"tls",
	     {"the seed's, the lab's but for the age of sessions",
	      "the seed's, the lab's but for the age of sessions"}},
	    {"deterministic", {"yes", "yes"}},
	};
	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++) {
		if (strcmp(own[i].key, key) == 0) {
			return own[i].answers[engine];
		}
	}
	return NULL;
}

static void the_lab_promises_what_its_engine_does_and_determinism(void **state)
{
	(void)state;
	const struct qrt_promise *const engines[] = {qrt__promises_region, qrt__promises_legacy};
	for (size_t i = 0; i < BACKENDS; i++) {
		size_t n;
		const struct qrt_promise *promise = qrt_backend_promises(backends[i], &n);
		assert_int_equal(n, QRT__PROMISES);
		for (size_t k = 0; k < n; k++) {
			const char *own = own_answer(promise[k].key, i);
			assert_string_equal(promise[k].key, engines[i][k].key);
			assert_string_equal(promise[k].text, engines[i][k].text);
			assert_string_equal(promise[k].answer, own ? own : engines[i][k].answer);
		}
	}
}

/* --- what must abort --------------------------------------------------------------------- */

static enum qrt_err never(struct qrt_cx *cx, void *arg)
{
	char byte;
	size_t n;
	return qrt_read(cx, arg, &byte, 1, &n);
}

static enum qrt_err deadlock_main(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct qrt_stream *a, *b;
	struct qrt_region *region;
	pair(cx, &a, &b);
	CHECK(!qrt_sleep(cx, 1500 * QRT_MS));
	CHECK(!qrt_region_open(cx, QRT_FAIL_FAST, &region));
	CHECK(!qrt_spawn(region, never, a));
	return qrt_region_close(cx, &region, QRT_OK);
}

static enum qrt_err leak_main(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	int fd;
	uint16_t port;
	return qrt_socket_listen(cx, "127.0.0.1", 0, &fd, &port);
}

struct doomed {
	const char *backend;
	qrt_task_fn *fn;
};

static void run_doomed(void *arg)
{
	const struct doomed *doomed = arg;
	run(doomed->backend, 7, doomed->fn, NULL);
}

/* Runs @fn in a child process, which must abort; what it said goes to @ret_text. */
static void run_until_abort(const char *backend, qrt_task_fn *fn, char *ret_text, size_t n)
{
	struct doomed doomed = {backend, fn};
	assert_true(dies(run_doomed, &doomed, ret_text, n));
}

static void a_deadlock_is_reported_with_every_waiting_task(void **state)
{
	(void)state;
	for (size_t i = 0; i < BACKENDS; i++) {
		char text[4096];
		run_until_abort(backends[i], deadlock_main, text, sizeof(text));
		assert_non_null(strstr(text, "seed 7, at 1.500000000 s"));
		assert_non_null(strstr(text, "task 1 main, spawned at "));
		assert_non_null(strstr(text, "waits for region close of main since 1.500000000 s"));
		assert_non_null(strstr(text, "task 2 never, spawned at tests/unit/test_lab.c:"));
		assert_non_null(strstr(text, "waits for read on descriptor 1048576 since"));
		assert_non_null(strstr(text, "deadlock in the lab: nothing can happen"));
	}
}

static void a_descriptor_left_open_is_named(void **state)
{
	(void)state;
	char text[4096];
	run_until_abort("lab", leak_main, text, sizeof(text));
	assert_non_null(strstr(text, "descriptor 1048576 (listener) was never closed"));
	assert_non_null(strstr(text, "leaked_descriptors == 0"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_hundred_clients_get_their_echo),
	    cmocka_unit_test(the_same_seed_gives_the_same_execution),
	    cmocka_unit_test(different_seeds_give_different_executions),
	    cmocka_unit_test(seed_zero_runs_ready_tasks_in_order),
	    cmocka_unit_test(another_seed_shuffles_ready_tasks_but_loses_none),
	    cmocka_unit_test(an_hour_of_sleep_takes_no_real_time),
	    cmocka_unit_test(a_deadline_on_read_is_exact_in_virtual_time),
	    cmocka_unit_test(a_port_without_listener_refuses),
	    cmocka_unit_test(a_used_port_cannot_be_taken_twice),
	    cmocka_unit_test(a_half_closed_stream_still_answers),
	    cmocka_unit_test(writing_to_a_closed_peer_is_reset),
	    cmocka_unit_test(a_slow_reader_stops_its_writer),
	    cmocka_unit_test(a_listener_lives_until_its_last_copy_is_closed),
	    cmocka_unit_test(a_connection_nobody_accepted_is_reset),
	    cmocka_unit_test(a_full_accept_queue_makes_clients_try_again),
	    cmocka_unit_test(closing_a_stream_ends_the_wait_on_it),
	    cmocka_unit_test(some_transfers_are_cut_short_but_nothing_is_lost),
	    cmocka_unit_test(lane_jobs_interleave_as_the_seed_says),
	    cmocka_unit_test(a_job_takes_as_long_as_the_seed_says),
	    cmocka_unit_test(jobs_and_sleepers_together_have_room_for_their_timers),
	    cmocka_unit_test(random_bytes_repeat_with_the_seed_whatever_else_goes_on),
	    cmocka_unit_test(a_raised_signal_reaches_every_set_that_has_it),
	    cmocka_unit_test(a_started_lab_waits_for_work_from_outside),
	    cmocka_unit_test(the_lab_promises_what_its_engine_does_and_determinism),
	    cmocka_unit_test(a_deadlock_is_reported_with_every_waiting_task),
	    cmocka_unit_test(a_descriptor_left_open_is_named),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
