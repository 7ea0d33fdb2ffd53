/*
 * The HTTP client in the lab: cancelled and late at every checkpoint, every transfer and every
 * allocation failing; over networks that break; names and addresses; how much is held of what
 * comes.
 */
#include <qrt/tls.h>
#include <qrt/trial.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/backends.h"
#include "tests/lib/labs.h"
#include "tests/lib/stage.h"
#include "tests/lib/test.h"
#include "tests/lib/tls_pair.h"

#define HEAD_END "\r\n\r\n"
#define YES "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nyes"
#define THERE "HTTP/1.1 302 Found\r\nLocation: /there\r\nContent-Length: 4\r\n\r\nmove"
#define CHUNKS "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nyes\r\n0\r\n\r\n"

/* --- a program ------------------------------------------------------------------------------ */

static struct qrt_tls *server_tls, *client_tls;

struct fixture {
	const char *backend;
	bool secure;
	bool faults; /* connections may break */
};

/* Whatever is asked, and however often it is tried. */
static const struct peer_step answers[] = {{HEAD_END, YES, PEER_GO_ON},
					   {HEAD_END, THERE, PEER_GO_ON},
					   {HEAD_END, CHUNKS, PEER_GO_ON},
					   {HEAD_END, YES, PEER_CLOSE}};

static enum qrt_err ask_written(struct qrt_cx *cx, struct qrt_http_client *client, const char *url)
{
	const struct qrt_http_ask ask = {
	    .method = "POST", .url = url, .body_written = true, .body_len = QRT_HTTP_CHUNKED};
	struct qrt_http_call *call = NULL;
	struct qrt_http_answer answer;
	char text[2];
	size_t n;
	enum qrt_err err = qrt_http_call_begin(cx, client, &ask, &call);
	if (!err) {
		err = qrt_http_call_write(cx, call, "body", 4);
	}
	if (!err || err == QRT_EEOF) {
		err = qrt_http_call_answer(cx, call, &answer);
	}
	while (!err) {
		err = qrt_http_call_read(cx, call, text, sizeof(text), &n);
	}
	qrt_http_call_end(cx, &call);
	return err == QRT_EEOF ? QRT_OK : err;
}

static enum qrt_err ask_whole(struct qrt_cx *cx, struct qrt_http_client *client, const char *url)
{
	const struct qrt_http_ask ask = {.url = url, .redirects_max = 3};
	struct qrt_http_call *call;
	struct qrt_http_answer answer;
	enum qrt_err err = qrt_http_fetch(cx, client, &ask, &call, &answer);
	if (!err) {
		EXPECT(answer.status == 200 && strcmp(answer.body, "yes") == 0);
		qrt_http_call_end(cx, &call);
	}
	return err;
}

/* All that a client does, in the region that is swept. */
static enum qrt_err use_client(struct qrt_cx *cx, const struct fixture *fixture, uint16_t port)
{
	const struct qrt_http_client_options opts = {.tls = client_tls};
	struct qrt_http_client *client;
	struct qrt_http_client_stats stats;
	char url[64];
	/* The certificate is for this address; a name is looked up. */
	snprintf(url, sizeof(url), "%s://%s:%u/", fixture->secure ? "https" : "http",
		 fixture->secure ? "127.0.0.1" : "localhost", port);
	enum qrt_err err = qrt_http_client_open(cx, &opts, &client);
	if (err) {
		return err;
	}
	for (int i = 0; i < 3 && !err; i++) {
		err = ask_whole(cx, client, url);
	}
	if (!err) {
		err = ask_written(cx, client, url);
	}
	EXPECT(!qrt_http_client_stats(cx, client, &stats));
	EXPECT(stats.calls == 0 && stats.waiting == 0 && stats.connections == stats.idle);
	if (!err) {
		err = qrt_http_client_drain(cx, client);
	}
	qrt_http_client_close(cx, &client);
	return err;
}

static enum qrt_err converse(struct qrt_cx *cx, void *arg)
{
	const struct fixture *fixture = arg;
	struct peer_script scripts[PEER_SCRIPTS];
	static struct peer peer;
	struct qrt_region *world, *region;
	memset(scripts, 0, sizeof(scripts));
	for (int i = 0; i < PEER_SCRIPTS; i++) {
		memcpy(scripts[i].steps, answers, sizeof(answers));
	}
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &world));
	enum qrt_err err = peer_open(cx, world, scripts, PEER_SCRIPTS, &peer);
	peer.tls = fixture->secure ? server_tls : NULL;
	if (!err) {
		err = qrt_region_open(cx, QRT_COLLECT, &region);
	}
	if (!err) {
		err = qrt_lab_expose(region, QRT_EXPOSE_ALL);
		err = err ? err : use_client(qrt_region_cx(region), fixture, peer.port);
		err = qrt_region_close(cx, &region, err);
	}
	peer_close(cx, &peer);
	qrt_region_cancel(world, QRT_CANCEL_USER, "the client has ended");
	enum qrt_err ended = qrt_region_close(cx, &world, err);
	return err || ended == QRT_ECANCELED ? err : ended;
}

static enum qrt_err run(struct qrt_lab *lab, void *arg)
{
	const struct fixture *fixture = arg;
	enum qrt_err err = qrt_lab_main(lab, fixture->backend, converse, arg);
	bool broken = err == QRT_ECONNRESET || err == QRT_ECONNREFUSED || err == QRT_EPEER ||
		      err == QRT_ENOENT || err == QRT_EAGAIN;
	return fixture->faults && broken ? QRT_OK : err;
}

/* --- every point ----------------------------------------------------------------------------- */

static void sweep(struct fixture fixture, enum qrt_sweep_kind kind, uint64_t at_least)
{
	const struct qrt_lab_program program = {.name = "http client", .run = run, .arg = &fixture};
	const struct qrt_lab_options opts = {.seed = 3};
	const struct qrt_lab_trials trials = {.jobs = 2, .keep_going = true, .out = stderr};
	struct qrt_lab_report report;
	assert_int_equal(qrt_lab_sweep(&opts, &program, kind, &trials, &report), QRT_OK);
	if (report.points < at_least) {
		fail_msg("%s, %s: %llu points", fixture.backend, qrt_sweep_name(kind),
			 (unsigned long long)report.points);
	}
}

static void sweep_both(enum qrt_sweep_kind kind, uint64_t at_least)
{
	sweep((struct fixture){.backend = "lab"}, kind, at_least);
	sweep((struct fixture){.backend = "lab-legacy"}, kind, at_least);
	sweep((struct fixture){.backend = "lab", .secure = true}, kind, at_least);
}

static void it_is_cancelled_at_every_checkpoint(void **state)
{
	(void)state;
	sweep_both(QRT_SWEEP_CANCEL, 30);
}

static void it_is_late_at_every_checkpoint(void **state)
{
	(void)state;
	sweep_both(QRT_SWEEP_DEADLINE, 30);
}

static void every_transfer_fails(void **state)
{
	(void)state;
	/* A lost transfer may cost the call, or show as silence. */
	sweep((struct fixture){.backend = "lab", .faults = true}, QRT_SWEEP_IO, 20);
	sweep((struct fixture){.backend = "lab-legacy", .faults = true}, QRT_SWEEP_IO, 20);
}

static void every_allocation_fails(void **state)
{
	(void)state;
	/* Also those of the server, which then says less than it should. */
	sweep((struct fixture){.backend = "lab", .faults = true}, QRT_SWEEP_ALLOC, 20);
	sweep((struct fixture){.backend = "lab-legacy", .faults = true}, QRT_SWEEP_ALLOC, 20);
}

static void networks_break_and_nothing_false_is_read(void **state)
{
	(void)state;
	static const char *const backends[] = {"lab", "lab-legacy"};
	const char *size = getenv("QRT_LAB_SEEDS");
	for (size_t i = 0; i < 2; i++) {
		struct fixture fixture = {.backend = backends[i], .faults = true};
		const struct qrt_lab_program program = {
		    .name = "http client", .run = run, .arg = &fixture};
		const struct qrt_lab_options opts = {.seed = 1,
						     .faults = {.refuse = 100,
								.reset = 2,
								.vanish = 1,
								.cut = 700,
								.lookup_fail = 50,
								.latency_min_ns = QRT_MS,
								.latency_max_ns = QRT_SEC}};
		const struct qrt_lab_trials trials = {.jobs = 2, .twice = 10, .out = stderr};
		struct qrt_lab_report report;
		assert_int_equal(qrt_lab_campaign(&opts, &program,
						  size ? strtoul(size, NULL, 10) : 60, &trials,
						  &report),
				 QRT_OK);
		assert_true(report.faults > 0);
	}
}

/* --- names and addresses --------------------------------------------------------------------- */

static enum qrt_err fetch_from(struct qrt_cx *cx, struct stage *stage, const char *host)
{
	(void)cx;
	snprintf(stage->url, sizeof(stage->url), "http://%s:%u/", host, stage->peer.port);
	return stage_expect(stage, "yes");
}

/* Every other connect is refused: the next address has it. */
static enum qrt_err play_refused(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	enum { CALLS = 10 };
	static const char *const here = "127.0.0.1";
	const char *const eight[] = {here, here, here, here, here, here, here, here, NULL};
	static const struct qrt_lab_faults some = {.refuse = 500}, all = {.refuse = 1000};
	static const struct qrt_http_client_options opts = {.no_keep_alive = true};
	static const struct peer_script script = {{{HEAD_END, YES, PEER_GO_ON}}};
	struct peer_script scripts[CALLS];
	static struct stage stage;
	struct qrt_lab *lab = qrt_cx_lab(cx);
	struct qrt_lab_stats stats;
	for (int i = 0; i < CALLS; i++) {
		scripts[i] = script;
	}
	EXPECT(!stage_open(cx, scripts, CALLS, &opts, &stage));
	EXPECT(!qrt_lab_name(lab, "eight.test", eight) && !qrt_lab_set_faults(lab, &some));
	for (int i = 0; i < CALLS; i++) {
		EXPECT(!fetch_from(cx, &stage, "eight.test"));
	}
	qrt_lab_stats(lab, &stats);
	EXPECT(stats.faults >= CALLS / 2);
	EXPECT(!qrt_lab_set_faults(lab, &all));
	EXPECT(fetch_from(cx, &stage, "eight.test") == QRT_ECONNREFUSED);
	EXPECT(stage.report.phase == QRT_HTTP_CONNECT && !stage.report.sent);
	EXPECT(fetch_from(cx, &stage, "nobody.test") == QRT_ENOENT);
	EXPECT(stage.report.phase == QRT_HTTP_LOOKUP && !stage.report.sent);
	return stage_close(cx, &stage);
}

static enum qrt_err heal_in_4_s(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	enum qrt_err err = qrt_sleep(cx, 4 * QRT_SEC);
	qrt_lab_heal(qrt_cx_lab(cx));
	return err;
}

/*
 * A network on which nothing arrives: each address has its time, and all of them theirs. Only
 * "localhost" can be looked up there.
 */
static enum qrt_err play_silence(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	static const char *const many[] = {"127.0.0.2", "127.0.0.3", "127.0.0.4", "127.0.0.5",
					   NULL};
	static const struct peer_script script = {{{HEAD_END, YES, PEER_GO_ON}}};
	static const struct qrt_http_client_options opts = {.attempt_ns = 3 * QRT_SEC,
							    .connect_ns = 10 * QRT_SEC};
	static struct stage stage;
	struct qrt_lab *lab = qrt_cx_lab(cx);
	EXPECT(!stage_open(cx, &script, 1, &opts, &stage));
	EXPECT(!qrt_lab_name(lab, "localhost", many));
	const struct qrt_lab_faults silence = {.partition = true};
	EXPECT(!qrt_lab_set_faults(lab, &silence));
	int64_t begun = lab_now(cx);
	EXPECT(fetch_from(cx, &stage, "127.0.0.2") == QRT_EPEER);
	int64_t one = lab_now(cx);
	EXPECT(fetch_from(cx, &stage, "localhost") == QRT_EPEER);
	int64_t all = lab_now(cx);
	EXPECT(stage.report.phase == QRT_HTTP_CONNECT && !stage.report.sent);
	EXPECT(ends_with(qrt_detail(stage.cx), "connecting took too long"));
	EXPECT(one - begun >= 3 * QRT_SEC && one - begun < 4 * QRT_SEC);
	EXPECT(all - one >= 10 * QRT_SEC && all - one < 11 * QRT_SEC);
	/* The second address answers when the first has had its time. */
	EXPECT(!qrt_spawn(stage.region, heal_in_4_s, NULL));
	EXPECT(!fetch_from(cx, &stage, "localhost"));
	EXPECT(lab_now(cx) - all >= 4 * QRT_SEC && lab_now(cx) - all < 5 * QRT_SEC);
	return stage_close(cx, &stage);
}

static enum qrt_err ask_name(struct qrt_cx *cx, void *arg)
{
	struct qrt_http_client *client = arg;
	struct qrt_http_call *call = NULL;
	struct qrt_http_answer answer;
	const struct qrt_http_ask ask = {.url = "http://slow.test:1/"};
	return qrt_http_fetch(cx, client, &ask, &call, &answer) == QRT_ECONNREFUSED ? QRT_OK
										    : QRT_EFAILED;
}

/* More calls than there may be lookups in a runtime: they wait for each other. */
static enum qrt_err play_lookups(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	static const char *const here[] = {"127.0.0.1", NULL};
	static const struct qrt_http_client_options opts = {.connections_per_origin = 64};
	struct qrt_http_client *client;
	struct qrt_region *region;
	EXPECT(!qrt_lab_name(qrt_cx_lab(cx), "slow.test", here));
	EXPECT(!qrt_http_client_open(cx, &opts, &client));
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &region));
	for (int i = 0; i < 40; i++) {
		EXPECT(!qrt_spawn(region, ask_name, client));
	}
	EXPECT(!qrt_region_close(cx, &region, QRT_OK));
	qrt_http_client_close(cx, &client);
	return QRT_OK;
}

static void addresses_are_tried_in_order_and_for_a_while(void **state)
{
	(void)state;
	const struct qrt_lab_options opts = {.seed = 1};
	static const char *const backends[] = {"lab", "lab-legacy"};
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(lab_play(&opts, backends[i], play_refused, NULL, NULL), QRT_OK);
		assert_int_equal(lab_play(&opts, backends[i], play_silence, NULL, NULL), QRT_OK);
		assert_int_equal(lab_play(&opts, backends[i], play_lookups, NULL, NULL), QRT_OK);
	}
}

/* --- how much is held ------------------------------------------------------------------------ */

/* Says 1 GiB without end; @sent: what the network has taken. */
struct torrent {
	struct qrt_listener *listener;
	uint64_t sent;
};

static enum qrt_err pour(struct qrt_cx *cx, void *arg)
{
	struct torrent *torrent = arg;
	static const char head[] = "HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n";
	static char block[4096];
	struct qrt_stream *stream;
	enum qrt_err err = qrt_accept(cx, torrent->listener, &stream);
	if (!err) {
		err = qrt_write(cx, stream, head, strlen(head));
	}
	while (!err) {
		err = qrt_write(cx, stream, block, sizeof(block));
		torrent->sent += err ? 0 : sizeof(block);
	}
	qrt_stream_close(cx, &stream);
	return QRT_OK;
}

static enum qrt_err play_torrent(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	enum { PIPE = 65536, HELD = 16 * 1024 };
	struct torrent torrent = {.sent = 0};
	struct qrt_http_client *client;
	struct qrt_http_call *call;
	struct qrt_http_answer answer;
	struct qrt_region *region;
	static char buf[1000];
	char url[64];
	uint16_t port;
	int fd;
	size_t n;
	EXPECT(!qrt_socket_listen(cx, "127.0.0.1", 0, &fd, &port));
	EXPECT(!qrt_listener_adopt(cx, fd, &torrent.listener));
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &region));
	EXPECT(!qrt_spawn(region, pour, &torrent));
	EXPECT(!qrt_http_client_open(cx, NULL, &client));
	snprintf(url, sizeof(url), "http://127.0.0.1:%u/", port);
	const struct qrt_http_ask ask = {.url = url};
	EXPECT(!qrt_http_call_begin(cx, client, &ask, &call));
	EXPECT(!qrt_http_call_answer(cx, call, &answer));
	/* However long we wait: no more than the network holds, and one buffer. */
	uint64_t read = 0;
	for (int i = 0; i < 2000; i++) {
		EXPECT(!qrt_http_call_read(cx, call, buf, sizeof(buf), &n));
		read += n;
		if (i % 200 == 0) {
			EXPECT(!qrt_sleep(cx, 10 * QRT_SEC));
			EXPECT(torrent.sent >= read && torrent.sent - read <= PIPE + HELD + 4096);
		}
	}
	qrt_http_call_end(cx, &call);
	qrt_http_client_close(cx, &client);
	EXPECT(!qrt_region_close(cx, &region, QRT_OK)); /* it is told that nobody reads */
	qrt_listener_close(cx, &torrent.listener);
	return QRT_OK;
}

static void a_slow_reader_stops_the_server(void **state)
{
	(void)state;
	const struct qrt_lab_options opts = {.seed = 1};
	assert_int_equal(lab_play(&opts, "lab", play_torrent, NULL, NULL), QRT_OK);
	assert_int_equal(lab_play(&opts, "lab-legacy", play_torrent, NULL, NULL), QRT_OK);
}

int main(void)
{
	server_tls = tls_server();
	client_tls = tls_client();
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(it_is_cancelled_at_every_checkpoint),
	    cmocka_unit_test(it_is_late_at_every_checkpoint),
	    cmocka_unit_test(every_transfer_fails),
	    cmocka_unit_test(every_allocation_fails),
	    cmocka_unit_test(networks_break_and_nothing_false_is_read),
	    cmocka_unit_test(addresses_are_tried_in_order_and_for_a_while),
	    cmocka_unit_test(a_slow_reader_stops_the_server),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	qrt_tls_unref(&server_tls);
	qrt_tls_unref(&client_tls);
	return failed;
}
