/*
 * TLS in the lab: an execution follows from its seed although OpenSSL draws
 * random numbers; everything that can be cancelled, late, cut short or out of
 * memory is, at every point, also on the real backends.
 */
#include <qrt/trial.h>
#include <qrt/tls.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/backends.h"
#include "tests/lib/labs.h"
#include "tests/lib/test.h"
#include "tests/lib/tls_pair.h"

static const int64_t day_ns = 24 * 3600 * QRT_SEC;

struct fixture {
	struct qrt_tls *server, *client;
	const char *backend; /* of a sweep */
	int rounds;
	bool faults; /* connections may break */
};

static struct fixture all;

static int set_up(void **state)
{
	(void)state;
	all.server = tls_server();
	all.client = tls_client();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	qrt_tls_unref(&all.server);
	qrt_tls_unref(&all.client);
	return 0;
}

/* --- a program ---------------------------------------------------------------------------------
 */

/* What is wrong with the program comes first, then what was done to it, then what follows. */
static enum qrt_err worse(enum qrt_err a, enum qrt_err b)
{
	static const enum qrt_err order[] = {QRT_EFAILED,   QRT_EPROTO,	   QRT_ECORRUPT,
					     QRT_ECANCELED, QRT_ETIMEDOUT, QRT_ENOMEM};
	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
		if (a == order[i] || b == order[i]) {
			return order[i];
		}
	}
	/* The listener's close only passes on that the client had no connection. */
	bool follows = a == QRT_ECLOSED || a == QRT_ESTALE;
	return a && !(follows && b) ? a : b;
}

static enum qrt_err converse(struct qrt_cx *cx, void *arg)
{
	const struct fixture *fixture = arg;
	struct tls_pair pair = {.server = fixture->server,
				.client = fixture->client,
				.at_server = tls_echo,
				.at_client = tls_talk};
	/* A peer that has vanished says nothing more, not even that. */
	const struct qrt_region_options opts = {
	    .policy = QRT_FAIL_FAST,
	    .budget = {.deadline_ns = fixture->faults ? qrt_deadline_in(cx, 60 * QRT_SEC) : 0}};
	struct qrt_region *region;
	enum qrt_err err = qrt_region_open_with(cx, &opts, &region);
	if (err) {
		return err;
	}
	err = qrt_lab_expose(region, QRT_EXPOSE_ALL);
	for (int i = 0; i < fixture->rounds && !err; i++) {
		pair.server_err = pair.client_err = QRT_OK;
		err = tls_pair_play(qrt_region_cx(region), &pair);
		err = err ? err : worse(pair.server_err, pair.client_err);
		/* Outside a lab sessions are those of the process, also from earlier runs. */
		EXPECT(err || !qrt_in_lab(cx) || pair.client_info.resumed == (i > 0));
	}
	return qrt_region_close(cx, &region, err);
}

static enum qrt_err run(struct qrt_lab *lab, void *arg)
{
	const struct fixture *fixture = arg;
	enum qrt_err err = qrt_lab_main(lab, fixture->backend, converse, arg);
	/* Where connections break it is enough that nothing false was read. */
	bool broken = err == QRT_ECONNRESET || err == QRT_ECONNREFUSED || err == QRT_ETIMEDOUT;
	return fixture->faults && broken ? QRT_OK : err;
}

/* --- seeds ----------------------------------------------------------------------------------- */

static void the_same_seed_is_the_same_execution(void **state)
{
	const struct qrt_lab_faults none = {0}, cuts = {.cut = 1000};
	(void)state;
	all.rounds = 3; /* with sessions that are resumed */
	uint64_t first = lab_hash(1, &none, converse, &all);
	for (uint64_t seed = 1; seed <= 6; seed++) {
		uint64_t hash = lab_hash(seed, &none, converse, &all);
		assert_true(hash == lab_hash(seed, &none, converse, &all));
		assert_true(seed == 1 ? hash == first : hash != first);
		hash = lab_hash(seed, &cuts, converse, &all);
		assert_true(hash == lab_hash(seed, &cuts, converse, &all));
	}
}

static void connections_break_and_nothing_false_is_read(void **state)
{
	static const char *const backends[] = {"lab", "lab-legacy"};
	const char *size = getenv("QRT_LAB_SEEDS");
	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct fixture fixture = {.server = all.server,
					  .client = all.client,
					  .backend = backends[i],
					  .rounds = 2,
					  .faults = true};
		const struct qrt_lab_program program = {.name = "tls", .run = run, .arg = &fixture};
		const struct qrt_lab_options opts = {.seed = 1,
						     .faults = {.refuse = 20,
								.reset = 30,
								.vanish = 20,
								.cut = 700,
								.latency_min_ns = QRT_MS,
								.latency_max_ns = QRT_SEC}};
		const struct qrt_lab_trials trials = {.jobs = 2, .twice = 10, .out = stderr};
		struct qrt_lab_report report;
		assert_int_equal(qrt_lab_campaign(&opts, &program,
						  size ? strtoul(size, NULL, 10) : 40, &trials,
						  &report),
				 QRT_OK);
		assert_true(report.faults > 0);
	}
}

/* --- sweeps ---------------------------------------------------------------------------------- */

static void sweep(const char *backend, enum qrt_sweep_kind kind, uint64_t at_least)
{
	struct fixture fixture = {
	    .server = all.server, .client = all.client, .backend = backend, .rounds = 1};
	const struct qrt_lab_program program = {.name = "tls", .run = run, .arg = &fixture};
	const struct qrt_lab_options opts = {.seed = 3};
	const struct qrt_lab_trials trials = {.jobs = 2, .keep_going = true, .out = stderr};
	struct qrt_lab_report report;
	assert_int_equal(qrt_lab_sweep(&opts, &program, kind, &trials, &report), QRT_OK);
	if (report.points < at_least) {
		print_message("%s, %s: %llu points\n", backend, qrt_sweep_name(kind),
			      (unsigned long long)report.points);
	}
	assert_true(report.points >= at_least);
}

static void sweep_everywhere(enum qrt_sweep_kind kind, uint64_t at_least)
{
	size_t n;
	const char *const *names = qrt_backend_names(&n);
	for (size_t i = 0; i < n; i++) {
		sweep(names[i], kind, at_least);
	}
}

static void it_is_cancelled_at_every_checkpoint(void **state)
{
	(void)state;
	sweep_everywhere(QRT_SWEEP_CANCEL, 8);
	sweep_everywhere(QRT_SWEEP_CANCEL_TASK, 8);
}

static void it_is_late_at_every_checkpoint(void **state)
{
	(void)state;
	sweep_everywhere(QRT_SWEEP_DEADLINE, 8);
}

static void every_transfer_fails(void **state)
{
	(void)state;
	sweep("lab", QRT_SWEEP_IO, 20);
	sweep("lab-legacy", QRT_SWEEP_IO, 20);
}

static void every_allocation_fails(void **state)
{
	(void)state;
	sweep_everywhere(QRT_SWEEP_ALLOC, 10);
}

/* --- the last word waits --------------------------------------------------------------------- */

struct ending {
	struct qrt_stream *server, *client;
	const struct fixture *fixture;
	int64_t ended_ns;
};

static enum qrt_err wrap_server(struct qrt_cx *cx, void *arg)
{
	struct ending *ending = arg;
	return qrt_tls_accept(cx, ending->fixture->server, &ending->server);
}

static enum qrt_err end_client(struct qrt_cx *cx, void *arg)
{
	struct ending *ending = arg;
	CHECK(!qrt_stream_shutdown(cx, ending->client));
	ending->ended_ns = lab_now(cx);
	return QRT_OK;
}

/* The pipe holds 65,536 bytes; four records of 16,384 with what TLS 1.3 adds fill it. */
static enum qrt_err play_last_word(struct qrt_cx *cx, void *arg)
{
	enum { PIECE = 16384 - 22, PIECES = 4 };
	static char text[PIECE];
	struct ending ending = {.fixture = arg};
	struct qrt_region *region;
	char c;
	lab_pair(cx, &ending.server, &ending.client);
	CHECK(!qrt_region_open(cx, QRT_FAIL_FAST, &region));
	CHECK(!qrt_spawn(region, wrap_server, &ending));
	CHECK(!qrt_tls_connect(qrt_region_cx(region), ending.fixture->client, "server.test",
			       &ending.client));
	CHECK(!qrt_region_close(cx, &region, QRT_OK));
	/* What the handshake has left in the pipes is read. */
	CHECK(!qrt_write(cx, ending.client, "x", 1) && !lab_read(cx, ending.server, &c, 1));
	for (int i = 0; i < PIECES; i++) {
		CHECK(!qrt_write(cx, ending.client, text, sizeof(text)));
	}
	CHECK(!qrt_region_open(cx, QRT_FAIL_FAST, &region));
	CHECK(!qrt_spawn(region, end_client, &ending));
	CHECK(!qrt_sleep(cx, QRT_SEC));
	CHECK(!ending.ended_ns); /* there is no room for it */
	struct tls_pair unused;
	CHECK(!tls_to_the_end(cx, &unused, ending.server));
	CHECK(!qrt_region_close(cx, &region, QRT_OK));
	CHECK(ending.ended_ns >= QRT_SEC);
	qrt_stream_close(cx, &ending.client);
	qrt_stream_close(cx, &ending.server);
	return QRT_OK;
}

static void a_shutdown_waits_until_its_word_is_sent(void **state)
{
	const struct qrt_lab_faults none = {0};
	(void)state;
	lab_hash(1, &none, play_last_word, &all);
	lab_hash(2, &none, play_last_word, &all);
}

/* --- the lab's clock ------------------------------------------------------------------------- */

static enum qrt_err play_years(struct qrt_cx *cx, void *arg)
{
	const struct fixture *fixture = arg;
	struct tls_pair pair = {.server = fixture->server, .client = tls_client()};
	EXPECT(!tls_pair_well(cx, &pair));
	EXPECT(!qrt_sleep(cx, 25 * 365 * day_ns)); /* from 2026 to after 2049 */
	qrt_tls_unref(&pair.client);
	pair.client = tls_client();
	EXPECT(!tls_pair_play(cx, &pair));
	qrt_tls_unref(&pair.client);
	EXPECT(pair.client_err == QRT_EPROTO);
	EXPECT(strstr(pair.client_detail, "certificate has expired"));
	return QRT_OK;
}

static void certificates_are_judged_by_the_labs_clock(void **state)
{
	const struct qrt_lab_faults none = {0};
	(void)state;
	lab_hash(1, &none, play_years, &all);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_same_seed_is_the_same_execution),
	    cmocka_unit_test(connections_break_and_nothing_false_is_read),
	    cmocka_unit_test(it_is_cancelled_at_every_checkpoint),
	    cmocka_unit_test(it_is_late_at_every_checkpoint),
	    cmocka_unit_test(every_transfer_fails),
	    cmocka_unit_test(every_allocation_fails),
	    cmocka_unit_test(a_shutdown_waits_until_its_word_is_sent),
	    cmocka_unit_test(certificates_are_judged_by_the_labs_clock),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
