/*
 * Several runtimes in one lab: whose turn it is, one clock, calls and moves across, shared
 * descriptors, and what is said when none of them gets anywhere any more.
 */
#include <dirent.h>
#include <qrt/cancel.h>
#include <qrt/oneshot.h>
#include <qrt/switchboard.h>
#include <string.h>

#include "tests/lib/backends.h"
#include "tests/lib/labs.h"
#include "tests/lib/test.h"

enum { SEEDS = 16, ASKERS = 4, MOVES = 6, TEXT = 16384 };

#define HOUR (3600 * QRT_SEC)

/* --- two places and a component that moves between them ------------------------------------- */

struct number {
	struct qrt_msg msg;
	int64_t value, wait_ns;
	char place[16];
};

static void number_destroy(struct qrt_msg *msg)
{
	free(msg);
}

static enum qrt_err doubler_start(struct qrt_cx *cx, struct qrt_region *home, void *env,
				  void **ret_state)
{
	(void)cx, (void)home;
	*ret_state = env;
	return QRT_OK;
}

static void doubler_stop(struct qrt_cx *cx, void *state)
{
	(void)cx, (void)state;
}

static enum qrt_err doubler_handle(struct qrt_cx *cx, void *state, struct qrt_msg *msg,
				   struct qrt_msg **ret_reply)
{
	(void)state;
	struct number *number = (struct number *)(void *)msg;
	enum qrt_err err = number->wait_ns ? qrt_sleep(cx, number->wait_ns) : QRT_OK;
	if (err) {
		msg->destroy(msg);
		return err;
	}
	number->value *= 2;
	snprintf(number->place, sizeof(number->place), "%s", qrt_runtime_name(qrt_cx_runtime(cx)));
	*ret_reply = msg;
	return QRT_OK;
}

static const struct qrt_component doubler = {
    .name = "doubler",
    .caps = QRT_CAP_TIME | QRT_CAP_SPAWN,
    .start = doubler_start,
    .stop = doubler_stop,
    .handle = doubler_handle,
};

struct stand {
	struct qrt_lab *lab;
	struct qrt_runtime *host, *a, *b;
	struct qrt_switchboard *sb;
	struct qrt_port *port;
	bool stop;
	int asked, right, by_a, by_b;
};

static void stand_open(struct stand *stand, const struct qrt_lab_options *opts)
{
	*stand = (struct stand){.lab = lab_open(opts)};
	stand->host = lab_runtime(stand->lab, "lab", "host");
	stand->a = lab_runtime(stand->lab, "lab-legacy", "a");
	stand->b = lab_runtime(stand->lab, "lab", "b");
	CHECK(!qrt_switchboard_create(NULL, &stand->sb));
	CHECK(!qrt_runtime_start(stand->a));
	CHECK(!qrt_runtime_start(stand->b));
	CHECK(!qrt_switchboard_add_runtime(stand->sb, "a", stand->a));
	CHECK(!qrt_switchboard_add_runtime(stand->sb, "b", stand->b));
	CHECK(!qrt_switchboard_add_component(stand->sb, &doubler, stand));
	stand->port = qrt_switchboard_port(stand->sb, "doubler");
}

static uint64_t stand_close(struct stand *stand)
{
	struct qrt_lab_stats stats;
	CHECK(!qrt_shutdown(stand->a, QRT_SEC));
	CHECK(!qrt_shutdown(stand->b, QRT_SEC));
	qrt_switchboard_destroy(&stand->sb);
	qrt_runtime_close(&stand->a);
	qrt_runtime_close(&stand->b);
	qrt_runtime_close(&stand->host);
	qrt_lab_stats(stand->lab, &stats);
	qrt_lab_close(&stand->lab);
	return stats.hash;
}

static enum qrt_err ask(struct qrt_cx *cx, struct stand *stand, int64_t wait_ns)
{
	struct number *number = calloc(1, sizeof(*number));
	struct qrt_msg *msg = &number->msg, *reply = NULL;
	number->msg.destroy = number_destroy;
	number->value = 21;
	number->wait_ns = wait_ns;
	enum qrt_err err = qrt_call(cx, stand->port, &msg, &reply);
	stand->asked++;
	if (!err) {
		const struct number *answer = (const struct number *)(void *)reply;
		stand->right += answer->value == 42;
		stand->by_a += strcmp(answer->place, "a") == 0;
		stand->by_b += strcmp(answer->place, "b") == 0;
		qrt_msg_destroy(&reply);
	}
	return err;
}

static enum qrt_err asker(struct qrt_cx *cx, void *arg)
{
	struct stand *stand = arg;
	while (!stand->stop) {
		EXPECT(!ask(cx, stand, 50000));
	}
	return QRT_OK;
}

static enum qrt_err moves_main(struct qrt_cx *cx, void *arg)
{
	struct stand *stand = arg;
	struct qrt_move move;
	struct qrt_region *region;
	EXPECT(!qrt_switchboard_move(cx, stand->sb, "doubler", "a", "test", "start", &move));
	EXPECT(!qrt_region_open(cx, QRT_FAIL_FAST, &region));
	for (int i = 0; i < ASKERS; i++) {
		EXPECT(!qrt_spawn(region, asker, stand));
	}
	for (int i = 0; i < MOVES; i++) {
		EXPECT(!qrt_sleep(cx, QRT_MS));
		EXPECT(!qrt_switchboard_move(cx, stand->sb, "doubler", i % 2 ? "a" : "b", "test",
					     "x", &move));
		EXPECT(move.stragglers == 0);
	}
	stand->stop = true;
	EXPECT(!qrt_region_close(cx, &region, QRT_OK));
	return qrt_switchboard_stop(cx, stand->sb);
}

static uint64_t play_moves(enum qrt_lab_strategy strategy, uint64_t seed)
{
	const struct qrt_lab_options opts = {.seed = seed, .strategy = strategy};
	struct stand stand;
	stand_open(&stand, &opts);
	assert_int_equal(qrt_run_main(stand.host, moves_main, &stand), QRT_OK);
	assert_int_equal(stand.right, stand.asked);
	assert_true(stand.by_a >= ASKERS);
	assert_true(stand.by_b >= ASKERS);
	assert_int_equal(stand.by_a + stand.by_b, stand.asked);
	return stand_close(&stand);
}

static void a_component_moves_between_runtimes_of_a_lab_under_calls(void **state)
{
	(void)state;
	for (unsigned strategy = 0; strategy <= QRT_LAB_ROUND_ROBIN; strategy++) {
		uint64_t hash[SEEDS];
		size_t same = 0;
		for (uint64_t seed = 0; seed < SEEDS; seed++) {
			hash[seed] = play_moves((enum qrt_lab_strategy)strategy, seed);
			assert_true(hash[seed] ==
				    play_moves((enum qrt_lab_strategy)strategy, seed));
			for (uint64_t k = 0; k < seed; k++) {
				same += hash[k] == hash[seed];
			}
		}
		/* In order of waiting there is nothing to draw: calls take no time. */
		bool drawn = strategy != QRT_LAB_ROUND_ROBIN;
		assert_int_equal(same, drawn ? 0 : SEEDS * (SEEDS - 1) / 2);
	}
}

static enum qrt_err late_main(struct qrt_cx *cx, void *arg)
{
	struct stand *stand = arg;
	struct qrt_move move;
	struct qrt_region *region;
	EXPECT(!qrt_switchboard_move(cx, stand->sb, "doubler", "a", "test", "start", &move));
	int64_t begin = lab_now(cx);
	const struct qrt_region_options opts = {.budget.deadline_ns = begin + QRT_SEC};
	EXPECT(!qrt_region_open_with(cx, &opts, &region));
	EXPECT(ask(qrt_region_cx(region), stand, HOUR) == QRT_ETIMEDOUT);
	EXPECT(lab_now(cx) == begin + QRT_SEC);
	EXPECT(!qrt_region_close(cx, &region, QRT_OK));
	return qrt_switchboard_stop(cx, stand->sb);
}

static void a_deadline_reaches_the_other_runtime_at_its_very_time(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < SEEDS; seed++) {
		const struct qrt_lab_options opts = {.seed = seed};
		struct stand stand;
		stand_open(&stand, &opts);
		assert_int_equal(qrt_run_main(stand.host, late_main, &stand), QRT_OK);
		stand_close(&stand);
	}
}

/* --- turns and the clock ---------------------------------------------------------------------- */

static size_t threads(void)
{
	DIR *dir = opendir("/proc/self/task");
	size_t n = 0;
	assert_non_null(dir);
	while (readdir(dir)) {
		n++;
	}
	closedir(dir);
	return n;
}

struct sleeper {
	int64_t for_ns, woke_ns;
	size_t threads;
};

static enum qrt_err sleeps(struct qrt_cx *cx, void *arg)
{
	struct sleeper *sleeper = arg;
	enum qrt_err err = qrt_sleep(cx, sleeper->for_ns);
	sleeper->woke_ns = lab_now(cx);
	sleeper->threads = threads();
	return err;
}

static void a_started_runtime_is_turned_with_another_and_has_no_thread(void **state)
{
	(void)state;
	const size_t before = threads();
	for (uint64_t seed = 0; seed < 4; seed++) {
		const struct qrt_lab_options opts = {.seed = seed};
		struct sleeper guest = {.for_ns = HOUR}, host = {.for_ns = 2 * HOUR};
		struct qrt_lab_stats stats;
		struct qrt_lab *lab = lab_open(&opts);
		struct qrt_runtime *a = lab_runtime(lab, "lab", "a");
		struct qrt_runtime *b = lab_runtime(lab, "lab-legacy", "b");
		lab_spawn(b, sleeps, &guest);
		assert_int_equal(qrt_runtime_start(b), QRT_OK);
		assert_int_equal(qrt_runtime_start(b), QRT_ESTATE);
		assert_true(guest.woke_ns == 0);
		assert_int_equal(qrt_run_main(a, sleeps, &host), QRT_OK);
		assert_true(guest.woke_ns == HOUR);
		assert_true(host.woke_ns == 2 * HOUR);
		assert_int_equal(guest.threads, before);
		assert_int_equal(qrt_shutdown(b, QRT_SEC), QRT_OK);
		assert_int_equal(qrt_shutdown(b, QRT_SEC), QRT_ESTATE);
		qrt_lab_stats(lab, &stats);
		assert_true(stats.now_ns == 2 * HOUR);
		qrt_runtime_close(&a);
		qrt_runtime_close(&b);
		qrt_lab_close(&lab);
	}
}

struct spinner {
	int rounds, *other_rounds, apart_max;
};

static enum qrt_err spin(struct qrt_cx *cx, void *arg)
{
	struct spinner *spinner = arg;
	for (spinner->rounds = 0; spinner->rounds < 2000; spinner->rounds++) {
		int apart = spinner->rounds - *spinner->other_rounds;
		if (*spinner->other_rounds > 0 && *spinner->other_rounds < 2000 &&
		    apart > spinner->apart_max) {
			spinner->apart_max = apart;
		}
		if (qrt_yield(cx)) {
			break; /* the other one has ended, and now this one shall */
		}
	}
	return QRT_OK;
}

/* How far one of two that spin, each in its own runtime, gets ahead of the other. */
static int apart(enum qrt_lab_strategy strategy, uint64_t seed, const struct qrt_lab_dull *dull)
{
	const struct qrt_lab_options opts = {
	    .seed = seed, .strategy = strategy, .dull = dull, .n_dull = dull ? 2 : 0};
	struct qrt_lab *lab = lab_open(&opts);
	struct qrt_runtime *a = lab_runtime(lab, "lab", "a");
	struct qrt_runtime *b = lab_runtime(lab, "lab", "b");
	struct spinner mine = {0}, its = {.other_rounds = &mine.rounds};
	mine.other_rounds = &its.rounds;
	lab_spawn(b, spin, &its);
	assert_int_equal(qrt_runtime_start(b), QRT_OK);
	assert_int_equal(qrt_run_main(a, spin, &mine), QRT_OK);
	assert_int_equal(qrt_shutdown(b, 0), QRT_OK);
	qrt_runtime_close(&a);
	qrt_runtime_close(&b);
	qrt_lab_close(&lab);
	return mine.apart_max > its.apart_max ? mine.apart_max : its.apart_max;
}

static void no_runtime_starves_another(void **state)
{
	(void)state;
	static const struct qrt_lab_dull dull[] = {{.kind = 0, .to = UINT64_MAX},
						   {.kind = 1, .to = UINT64_MAX}};
	for (uint64_t seed = 0; seed < SEEDS; seed++) {
		int by_chance = apart(QRT_LAB_RANDOM, seed, NULL);
		assert_in_range(by_chance, 1, 400);
		assert_in_range(apart(QRT_LAB_PCT, seed, NULL), 1, 1500);
		assert_in_range(apart(QRT_LAB_ROUND_ROBIN, seed, NULL), 0, 2);
		/* The dullest choice is whose turn it is. */
		assert_in_range(apart(QRT_LAB_RANDOM, seed, dull), 0, 2);
		assert_true(seed == 0 || by_chance > 2);
	}
}

/* --- the end of a runtime ----------------------------------------------------------------------
 */

static enum qrt_err slow_to_end(struct qrt_cx *cx, void *arg)
{
	const int64_t *for_ns = arg;
	struct qrt_mask section;
	EXPECT(!qrt_commit_begin(cx, &section));
	EXPECT(!qrt_sleep(cx, *for_ns));
	qrt_commit_end(cx, &section);
	return QRT_OK;
}

static enum qrt_err nothing(struct qrt_cx *cx, void *arg)
{
	(void)cx, (void)arg;
	return QRT_OK;
}

static int64_t now_of(const struct qrt_lab *lab)
{
	struct qrt_lab_stats stats;
	qrt_lab_stats(lab, &stats);
	return stats.now_ns;
}

static void a_shutdown_waits_in_virtual_time(void **state)
{
	(void)state;
	static const char *const backends[] = {"lab", "lab-legacy"};
	for (size_t i = 0; i < 2; i++) {
		const struct qrt_lab_options opts = {.seed = 3};
		int64_t for_ns = HOUR;
		struct qrt_lab *lab = lab_open(&opts);
		struct qrt_runtime *a = lab_runtime(lab, "lab", "a");
		struct qrt_runtime *b = lab_runtime(lab, backends[i], "b");
		lab_spawn(b, slow_to_end, &for_ns);
		assert_int_equal(qrt_runtime_start(b), QRT_OK);
		struct sleeper sleeper = {.for_ns = QRT_SEC};
		assert_int_equal(qrt_run_main(a, sleeps, &sleeper), QRT_OK);
		int64_t begin = now_of(lab);
		assert_int_equal(qrt_shutdown(b, 2 * QRT_SEC), QRT_ETIMEDOUT);
		assert_true(now_of(lab) == begin + 2 * QRT_SEC);
		assert_int_equal(qrt_shutdown(b, 0), QRT_ETIMEDOUT);
		assert_int_equal(qrt_shutdown(b, -QRT_SEC), QRT_ETIMEDOUT);
		assert_true(now_of(lab) == begin + 2 * QRT_SEC);
		assert_int_equal(qrt_shutdown(b, INT64_MAX), QRT_OK);
		assert_true(now_of(lab) == HOUR);
		qrt_runtime_close(&a);
		qrt_runtime_close(&b);
		qrt_lab_close(&lab);
	}
}

static void a_runtime_that_has_run_can_be_started(void **state)
{
	(void)state;
	const struct qrt_lab_options opts = {.seed = 4};
	struct qrt_lab *lab = lab_open(&opts);
	struct qrt_runtime *a = lab_runtime(lab, "lab", "a"), *b = lab_runtime(lab, "lab", "b");
	struct sleeper host = {.for_ns = QRT_SEC}, guest = {.for_ns = QRT_SEC / 2};
	for (int i = 0; i < 2; i++) {
		assert_int_equal(qrt_run_main(b, nothing, NULL), QRT_OK);
		assert_int_equal(qrt_run_main(a, nothing, NULL), QRT_OK);
	}
	lab_spawn(b, sleeps, &guest);
	assert_int_equal(qrt_runtime_start(b), QRT_OK);
	assert_int_equal(qrt_run_main(a, sleeps, &host), QRT_OK);
	assert_true(host.woke_ns == QRT_SEC);
	assert_true(guest.woke_ns == QRT_SEC / 2);
	/* The request to end reaches it. */
	assert_int_equal(qrt_shutdown(b, QRT_SEC), QRT_OK);
	qrt_runtime_close(&a);
	qrt_runtime_close(&b);
	qrt_lab_close(&lab);
}

struct ender {
	struct qrt_runtime *other;
	enum qrt_err err;
};

static enum qrt_err ends_other(struct qrt_cx *cx, void *arg)
{
	struct ender *ender = arg;
	EXPECT(!qrt_sleep(cx, QRT_SEC));
	ender->err = qrt_shutdown(ender->other, QRT_SEC);
	return qrt_sleep(cx, QRT_SEC);
}

static void a_task_may_shut_another_runtime_down(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < SEEDS; seed++) {
		/* Of host, guest, and who is shut down each has something to do meanwhile. */
		const struct qrt_lab_options opts = {.seed = seed};
		struct qrt_lab *lab = lab_open(&opts);
		struct qrt_runtime *rt[3];
		int64_t for_ns = QRT_SEC + QRT_SEC / 2;
		struct sleeper idler = {.for_ns = 4 * QRT_SEC};
		for (size_t i = 0; i < 3; i++) {
			rt[i] = lab_runtime(lab, i == 1 ? "lab-legacy" : "lab", "x");
		}
		struct ender ender = {.other = rt[2], .err = QRT_EFAILED};
		struct sleeper neighbour = {.for_ns = QRT_SEC + QRT_SEC / 4};
		lab_spawn(rt[1], ends_other, &ender);
		lab_spawn(rt[1], sleeps, &neighbour);
		lab_spawn(rt[2], slow_to_end, &for_ns);
		assert_int_equal(qrt_runtime_start(rt[1]), QRT_OK);
		assert_int_equal(qrt_runtime_start(rt[2]), QRT_OK);
		assert_int_equal(qrt_run_main(rt[0], sleeps, &idler), QRT_OK);
		assert_true(idler.woke_ns == 4 * QRT_SEC);
		assert_int_equal(ender.err, QRT_OK);
		/* Who waits so keeps its own loop to itself, as a thread would. */
		assert_true(neighbour.woke_ns == QRT_SEC + QRT_SEC / 2);
		assert_int_equal(qrt_shutdown(rt[1], QRT_SEC), QRT_OK);
		for (size_t i = 0; i < 3; i++) {
			qrt_runtime_close(&rt[i]);
		}
		qrt_lab_close(&lab);
	}
}

struct runner {
	struct qrt_runtime *other;
	struct sleeper sleeper;
};

static enum qrt_err runs_other(struct qrt_cx *cx, void *arg)
{
	struct runner *runner = arg;
	EXPECT(!qrt_yield(cx));
	return qrt_run_main(runner->other, sleeps, &runner->sleeper);
}

static void a_task_may_run_another_runtime_and_its_host_ends_meanwhile(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < SEEDS; seed++) {
		const struct qrt_lab_options opts = {.seed = seed};
		struct qrt_lab *lab = lab_open(&opts);
		struct qrt_runtime *rt[3];
		for (size_t i = 0; i < 3; i++) {
			rt[i] = lab_runtime(lab, i == 1 ? "lab-legacy" : "lab", "x");
		}
		struct runner runner = {.other = rt[2], .sleeper.for_ns = 2 * QRT_SEC};
		struct sleeper host = {.for_ns = QRT_SEC};
		lab_spawn(rt[1], runs_other, &runner);
		assert_int_equal(qrt_runtime_start(rt[1]), QRT_OK);
		assert_int_equal(qrt_run_main(rt[0], sleeps, &host), QRT_OK);
		assert_true(host.woke_ns == QRT_SEC);
		assert_true(runner.sleeper.woke_ns == 2 * QRT_SEC);
		/* It has ended, and runs again. */
		assert_int_equal(qrt_run_main(rt[0], sleeps, &host), QRT_OK);
		assert_true(host.woke_ns == 3 * QRT_SEC);
		assert_int_equal(qrt_shutdown(rt[1], QRT_SEC), QRT_OK);
		for (size_t i = 0; i < 3; i++) {
			qrt_runtime_close(&rt[i]);
		}
		qrt_lab_close(&lab);
	}
}

/* --- descriptors -------------------------------------------------------------------------------
 */

enum { CONNECTIONS = 20 };

struct door {
	struct qrt_runtime *other;
	int copy;
	uint16_t port;
	struct qrt_listener *open[2];
	int taken[2];
};

struct taker {
	struct door *door;
	unsigned which;
};

static enum qrt_err take(struct qrt_cx *cx, void *arg)
{
	const struct taker *taker = arg;
	struct qrt_stream *stream;
	enum qrt_err err;
	while (!(err = qrt_accept(cx, taker->door->open[taker->which], &stream))) {
		char byte;
		EXPECT(!lab_read(cx, stream, &byte, 1));
		byte++;
		EXPECT(!qrt_write(cx, stream, &byte, 1));
		taker->door->taken[taker->which]++;
		qrt_stream_close(cx, &stream);
	}
	EXPECT(err == QRT_ECANCELED);
	qrt_listener_close(cx, &taker->door->open[taker->which]);
	return QRT_OK;
}

static enum qrt_err other_takes(struct qrt_cx *cx, void *arg)
{
	struct door *door = arg;
	struct taker taker = {door, 1};
	EXPECT(!qrt_listener_adopt(cx, door->copy, &door->open[1]));
	return take(cx, &taker);
}

static enum qrt_err knocks(struct qrt_cx *cx, void *arg)
{
	const struct door *door = arg;
	struct qrt_stream *stream;
	char byte = 'a';
	EXPECT(!qrt_connect(cx, "127.0.0.1", door->port, &stream));
	EXPECT(!qrt_write(cx, stream, &byte, 1));
	EXPECT(!lab_read(cx, stream, &byte, 1));
	EXPECT(byte == 'b');
	qrt_stream_close(cx, &stream);
	return QRT_OK;
}

static enum qrt_err door_main(struct qrt_cx *cx, void *arg)
{
	struct door *door = arg;
	struct taker taker = {door, 0};
	struct qrt_region *takers, *clients;
	int fd;
	EXPECT(!qrt_socket_listen(cx, "127.0.0.1", 0, &fd, &door->port));
	EXPECT(!qrt_socket_dup(cx, fd, &door->copy));
	lab_spawn(door->other, other_takes, door);
	EXPECT(!qrt_runtime_start(door->other));
	EXPECT(!qrt_listener_adopt(cx, fd, &door->open[0]));
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &takers));
	EXPECT(!qrt_spawn(takers, take, &taker));
	EXPECT(!qrt_region_open(cx, QRT_FAIL_FAST, &clients));
	for (int i = 0; i < CONNECTIONS; i++) {
		EXPECT(!qrt_spawn(clients, knocks, door));
	}
	EXPECT(!qrt_region_close(cx, &clients, QRT_OK));
	qrt_region_cancel(takers, QRT_CANCEL_USER, "enough");
	EXPECT(!qrt_region_close(cx, &takers, QRT_OK));
	return QRT_OK;
}

static void a_listening_socket_is_served_by_two_runtimes(void **state)
{
	(void)state;
	int by[2] = {0, 0};
	for (uint64_t seed = 0; seed < SEEDS; seed++) {
		const struct qrt_lab_options opts = {.seed = seed};
		struct door door = {0};
		struct qrt_lab *lab = lab_open(&opts);
		struct qrt_runtime *rt = lab_runtime(lab, "lab", "a");
		door.other = lab_runtime(lab, "lab-legacy", "b");
		assert_int_equal(qrt_run_main(rt, door_main, &door), QRT_OK);
		assert_int_equal(qrt_shutdown(door.other, QRT_SEC), QRT_OK);
		assert_int_equal(door.taken[0] + door.taken[1], CONNECTIONS);
		by[0] += door.taken[0];
		by[1] += door.taken[1];
		qrt_runtime_close(&rt);
		qrt_runtime_close(&door.other);
		qrt_lab_close(&lab);
	}
	assert_true(by[0] > SEEDS);
	assert_true(by[1] > SEEDS);
}

/* --- when nothing happens any more, or too much ------------------------------------------------
 */

static enum qrt_err waits_for_nobody(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct qrt_stream *a, *b;
	char byte;
	EXPECT(!qrt_sleep(cx, QRT_SEC));
	lab_pair(cx, &a, &b);
	return lab_read(cx, a, &byte, 1);
}

static void deadlock(void *arg)
{
	(void)arg;
	const struct qrt_lab_options opts = {.seed = 7};
	struct qrt_lab *lab = lab_open(&opts);
	struct qrt_runtime *a = lab_runtime(lab, "lab", "first");
	struct qrt_runtime *b = lab_runtime(lab, "lab-legacy", "second");
	lab_spawn_named(b, waits_for_nobody, NULL, "guest");
	CHECK(!qrt_runtime_start(b));
	QRT_IGNORE(qrt_run_main(a, waits_for_nobody, NULL), "it does not come back");
}

static void a_deadlock_is_reported_with_both_trees(void **state)
{
	(void)state;
	char text[TEXT];
	assert_true(dies(deadlock, NULL, text, sizeof(text)));
	assert_non_null(strstr(text, "deadlock in the lab, seed 7, at 1.000000000 s"));
	const char *first = strstr(text, "qrt: runtime first\n");
	const char *second = strstr(text, "qrt: runtime second\n");
	assert_non_null(first);
	assert_non_null(second);
	assert_true(first < second);
	const char *main = strstr(first, "task 1 main, spawned at ");
	const char *guest = strstr(second, "task 1 guest, spawned at ");
	assert_true(main && main < second);
	assert_non_null(guest);
	assert_non_null(strstr(main, "waits for read on descriptor 104857"));
	assert_non_null(strstr(guest, "waits for read on descriptor 104857"));
	assert_non_null(strstr(text, "nothing can happen any more"));
	assert_non_null(strstr(text, "qrt: replay token qrt1-7-random-"));
}

static void time_for_others_alone(void *arg)
{
	(void)arg;
	/* A host that waits for ever is no deadlock while another one has a timer. */
	const struct qrt_lab_options opts = {.seed = 7};
	struct sleeper sleeper = {.for_ns = HOUR};
	struct qrt_lab *lab = lab_open(&opts);
	struct qrt_runtime *a = lab_runtime(lab, "lab", "first");
	struct qrt_runtime *b = lab_runtime(lab, "lab", "second");
	lab_spawn(b, sleeps, &sleeper);
	CHECK(!qrt_runtime_start(b));
	QRT_IGNORE(qrt_run_main(a, waits_for_nobody, NULL), "it does not come back");
}

static void a_deadlock_is_one_only_when_no_runtime_has_a_timer(void **state)
{
	(void)state;
	char text[TEXT];
	assert_true(dies(time_for_others_alone, NULL, text, sizeof(text)));
	assert_non_null(strstr(text, "deadlock in the lab, seed 7, at 3600.000000000 s"));
}

static enum qrt_err spins_for_ever(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	enum qrt_err err = QRT_OK;
	while (!err) {
		err = qrt_yield(cx);
	}
	return err;
}

static void livelock(void *arg)
{
	const struct qrt_lab_options opts = {
	    .seed = 7, .steps_max = 1000, .strategy = *(enum qrt_lab_strategy *)arg};
	struct qrt_lab *lab = lab_open(&opts);
	struct qrt_runtime *a = lab_runtime(lab, "lab", "first");
	struct qrt_runtime *b = lab_runtime(lab, "lab", "second");
	lab_spawn(b, spins_for_ever, NULL);
	CHECK(!qrt_runtime_start(b));
	QRT_IGNORE(qrt_run_main(a, spins_for_ever, NULL), "it does not come back");
}

static void who_spins_is_reported_after_so_many_steps(void **state)
{
	(void)state;
	for (unsigned strategy = 0; strategy <= QRT_LAB_ROUND_ROBIN; strategy++) {
		char text[TEXT];
		assert_true(dies(livelock, &strategy, text, sizeof(text)));
		assert_non_null(strstr(text, "livelock in the lab, seed 7, at 0.000000000 s, after "
					     "1001 steps"));
		assert_non_null(strstr(text, "task 1 main"));
		assert_non_null(strstr(text, "task 1 spins_for_ever"));
		assert_non_null(strstr(text, "too many steps"));
		assert_non_null(strstr(text, "qrt: replay token qrt1-7-"));
	}
}

/* --- liveness ------------------------------------------------------------------------------------
 */

struct retries {
	int64_t pause_ns;
	int tries;
	int64_t end_ns;
};

static enum qrt_err takes_one(struct qrt_cx *cx, void *arg)
{
	struct qrt_stream *stream;
	EXPECT(!qrt_accept(cx, arg, &stream));
	qrt_stream_close(cx, &stream);
	return QRT_OK;
}

/* Connects until it works: a program that must come to its end once the network has healed. */
static enum qrt_err retries_main(struct qrt_cx *cx, void *arg)
{
	struct retries *retries = arg;
	struct qrt_listener *listener;
	struct qrt_stream *stream;
	struct qrt_region *region;
	uint16_t port;
	int fd;
	enum qrt_err err = QRT_EFAILED;
	EXPECT(!qrt_socket_listen(cx, "127.0.0.1", 0, &fd, &port));
	EXPECT(!qrt_listener_adopt(cx, fd, &listener));
	EXPECT(!qrt_region_open(cx, QRT_FAIL_FAST, &region));
	EXPECT(!qrt_spawn(region, takes_one, listener));
	while (err) {
		retries->tries++;
		err = qrt_connect(cx, "127.0.0.1", port, &stream);
		EXPECT(!err || err == QRT_ECONNREFUSED);
		EXPECT(!qrt_sleep(cx, retries->pause_ns));
	}
	EXPECT(!qrt_region_close(cx, &region, QRT_OK));
	qrt_stream_close(cx, &stream);
	qrt_listener_close(cx, &listener);
	retries->end_ns = lab_now(cx);
	return QRT_OK;
}

#define HEAL (10 * QRT_SEC)
#define QUIET (5 * QRT_SEC)

static const struct qrt_lab_options mortal = {
    .seed = 5, .heal_ns = HEAL, .quiesce_ns = QUIET, .faults.refuse = 1000};

static void who_retries_ends_once_the_network_has_healed(void **state)
{
	(void)state;
	struct retries retries = {.pause_ns = 100 * QRT_MS};
	struct qrt_lab_stats stats;
	assert_int_equal(lab_play(&mortal, "lab", retries_main, &retries, &stats), QRT_OK);
	assert_true(retries.tries >= 98);
	assert_int_equal(stats.faults, retries.tries - 1);
	assert_true(retries.end_ns > HEAL);
	assert_true(retries.end_ns < HEAL + QRT_SEC);
	/* Without the bound it may take as long as it likes. */
	struct qrt_lab_options opts = mortal;
	opts.quiesce_ns = 0;
	retries.pause_ns = 30 * QRT_SEC;
	assert_int_equal(lab_play(&opts, "lab", retries_main, &retries, &stats), QRT_OK);
	assert_true(retries.end_ns > HEAL + QUIET);
}

static void too_slow(void *arg)
{
	QRT_IGNORE(lab_play(&mortal, "lab", retries_main, arg, NULL), "it does not come back");
}

static enum qrt_err sleeps_for_ever(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	enum qrt_err err = QRT_OK;
	while (!err) {
		err = qrt_sleep(cx, QRT_SEC);
	}
	return err;
}

static void never_ends(void *arg)
{
	QRT_IGNORE(lab_play(&mortal, "lab", sleeps_for_ever, arg, NULL), "it does not come back");
}

static void who_is_not_quiet_in_time_after_healing_is_reported(void **state)
{
	(void)state;
	char text[TEXT];
	struct retries retries = {.pause_ns = 30 * QRT_SEC};
	assert_true(dies(too_slow, &retries, text, sizeof(text)));
	assert_non_null(strstr(text, "it has not come to an end after all has healed"));
	assert_non_null(strstr(text, "task 1 main"));
	assert_true(dies(never_ends, NULL, text, sizeof(text)));
	assert_non_null(strstr(text, "livelock in the lab, seed 5, at 15.000000000 s"));
	assert_non_null(strstr(text, "qrt: replay token qrt1-5-random-"));
}

/* --- misuse --------------------------------------------------------------------------------------
 */

static void a_lab_has_room_for_sixteen_runtimes(void **state)
{
	(void)state;
	const struct qrt_lab_options opts = {.seed = 1};
	struct qrt_lab *lab = lab_open(&opts);
	struct qrt_runtime *rt[16], *more = NULL;
	const struct qrt_runtime_options lab_opts = {.backend = "lab", .lab = lab};
	char detail[256] = "";
	for (size_t i = 0; i < 16; i++) {
		rt[i] = lab_runtime(lab, i % 2 ? "lab" : "lab-legacy", NULL);
	}
	assert_int_equal(qrt_runtime_open(&lab_opts, detail, &more), QRT_ELIMIT);
	assert_string_equal(detail, "a lab of more than 16 runtimes");
	assert_null(more);
	for (size_t i = 0; i < 15; i++) {
		assert_int_equal(qrt_runtime_start(rt[i]), QRT_OK);
	}
	assert_int_equal(qrt_run_main(rt[15], nothing, NULL), QRT_OK);
	for (size_t i = 0; i < 16; i++) {
		if (i < 15) {
			assert_int_equal(qrt_shutdown(rt[i], QRT_SEC), QRT_OK);
		}
		qrt_runtime_close(&rt[i]);
	}
	/* There is room again. */
	assert_int_equal(qrt_runtime_open(&lab_opts, NULL, &more), QRT_OK);
	qrt_runtime_close(&more);
	qrt_lab_close(&lab);
	qrt_lab_close(&lab);
}

static void close_early(void *arg)
{
	(void)arg;
	const struct qrt_lab_options opts = {.seed = 9};
	struct qrt_lab *lab = lab_open(&opts);
	lab_runtime(lab, "lab", NULL);
	qrt_lab_close(&lab);
}

static void a_lab_with_runtimes_cannot_be_closed(void **state)
{
	(void)state;
	char text[TEXT];
	assert_true(dies(close_early, NULL, text, sizeof(text)));
	assert_non_null(strstr(text, "precondition failed"));
	assert_non_null(strstr(text, "n_runtimes == 0"));
	assert_non_null(strstr(text, "qrt: replay token qrt1-9-random-"));
}

static void what_a_lab_cannot_do_is_named(void **state)
{
	(void)state;
	static const struct {
		struct qrt_lab_options opts;
		const char *detail;
	} bad[] = {
	    {{.faults.refuse = 1001}, "faults: refuse: 1001 of 1000"},
	    {{.faults.reset = 1001}, "faults: reset: 1001 of 1000"},
	    {{.faults.vanish = 1001}, "faults: vanish: 1001 of 1000"},
	    {{.faults.cut = 1001}, "faults: cut: 1001 of 1000"},
	    {{.faults.job_slow = 1001}, "faults: job_slow: 1001 of 1000"},
	    {{.faults.disk_error = 1001}, "faults: disk_error: 1001 of 1000"},
	    {{.faults.sync_slow = UINT32_MAX}, "faults: sync_slow: 4294967295 of 1000"},
	    {{.faults = {.latency_min_ns = 2, .latency_max_ns = 1}}, "latency of 2 to 1 ns"},
	    {{.faults = {.latency_min_ns = -2, .latency_max_ns = 1}}, "latency of -2 to 1 ns"},
	    {{.faults.sync_ns = -1}, "faults: a sync of -1 ns"},
	    {{.faults.fds_max = 65537}, "faults: fds_max of 65537, at most 65536"},
	    {{.strategy = (enum qrt_lab_strategy)3}, "strategy 3 of depth 0"},
	    {{.strategy = QRT_LAB_PCT, .depth = 17}, "strategy 1 of depth 17"},
	    {{.heal_ns = -1}, "within 0 ns after everything heals at -1 ns"},
	    {{.quiesce_ns = 7}, "within 7 ns after everything heals at 0 ns"},
	    {{.record = "x", .replay = "x"}, "x is recorded and replayed at once"},
	};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct qrt_lab *lab = NULL;
		char detail[256] = "";
		assert_int_equal(qrt_lab_open(&bad[i].opts, detail, &lab), QRT_EINVAL);
		if (!strstr(detail, bad[i].detail)) {
			fail_msg("\"%s\" is not in \"%s\"", bad[i].detail, detail);
		}
		assert_null(lab);
		assert_int_equal(qrt_lab_open(&bad[i].opts, NULL, &lab), QRT_EINVAL);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_component_moves_between_runtimes_of_a_lab_under_calls),
	    cmocka_unit_test(a_deadline_reaches_the_other_runtime_at_its_very_time),
	    cmocka_unit_test(a_started_runtime_is_turned_with_another_and_has_no_thread),
	    cmocka_unit_test(no_runtime_starves_another),
	    cmocka_unit_test(a_shutdown_waits_in_virtual_time),
	    cmocka_unit_test(a_runtime_that_has_run_can_be_started),
	    cmocka_unit_test(a_task_may_shut_another_runtime_down),
	    cmocka_unit_test(a_task_may_run_another_runtime_and_its_host_ends_meanwhile),
	    cmocka_unit_test(a_listening_socket_is_served_by_two_runtimes),
	    cmocka_unit_test(a_deadlock_is_reported_with_both_trees),
	    cmocka_unit_test(a_deadlock_is_one_only_when_no_runtime_has_a_timer),
	    cmocka_unit_test(who_spins_is_reported_after_so_many_steps),
	    cmocka_unit_test(who_retries_ends_once_the_network_has_healed),
	    cmocka_unit_test(who_is_not_quiet_in_time_after_healing_is_reported),
	    cmocka_unit_test(a_lab_has_room_for_sixteen_runtimes),
	    cmocka_unit_test(a_lab_with_runtimes_cannot_be_closed),
	    cmocka_unit_test(what_a_lab_cannot_do_is_named),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
