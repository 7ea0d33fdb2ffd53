/*
 * Who runs next: every strategy plays the conformance suite to its end, none starves anybody, and
 * faults that need a certain order of steps are found as often as is promised, or not at all.
 *
 * QRT_LAB_SEEDS: each fault is sought with a hundred times as many, usually 2,000. Their counts
 * are printed.
 */
#include <qrt/oneshot.h>
#include <qrt/permit.h>
#include <qrt/sync.h>
#include <string.h>

#include "tests/conformance/conformance.h"
#include "tests/lib/labs.h"
#include "tests/lib/test.h"

enum { STRATEGIES = QRT_LAB_ROUND_ROBIN + 1, SEEDS_DEFAULT = 2000 };

static const char *const strategy_names[] = {"random", "pct", "round robin"};

/* --- the conformance suite
 * ------------------------------------------------------------------------
 */

static void play_row(const struct conformance_row *row, const struct qrt_lab_options *opts,
		     void *memory)
{
	struct qrt_lab *lab = lab_open(opts);
	struct qrt_runtime *rt = lab_runtime(lab, row->backend, NULL);
	enum qrt_err err = conformance_play(rt, row->scenario, memory, NULL, NULL);
	qrt_runtime_close(&rt);
	qrt_lab_close(&lab);
	if (err) {
		fail_msg("%s: %s, seed %d: %s %s", row->name, strategy_names[opts->strategy],
			 (int)opts->seed, qrt_err_name(err), conformance_where());
	}
}

static void every_strategy_plays_the_conformance_suite(void **state)
{
	(void)state;
	struct conformance_row *row;
	size_t n = conformance_rows(&row), played = 0;
	assert_true(n > 0);
	conformance_brief = true;
	for (size_t i = 0; i < n; i++) {
		if (strncmp(row[i].backend, "lab", 3) != 0) {
			continue;
		}
		void *memory = calloc(1, row[i].scenario->state_size + 1);
		for (unsigned s = 0; s < STRATEGIES; s++) {
			for (uint64_t seed = 1; seed <= 3; seed++) {
				const struct qrt_lab_options opts = {
				    .seed = seed, .strategy = (enum qrt_lab_strategy)s};
				play_row(&row[i], &opts, memory);
			}
		}
		played++;
		free(memory);
	}
	free(row);
	assert_true(played > 150);
}

/* --- nobody starves
 * ------------------------------------------------------------------------------- */

struct crowd {
	bool done;
	struct qrt_notify *ping, *pong;
	unsigned steps;
};

static enum qrt_err spins(struct qrt_cx *cx, void *arg)
{
	const struct crowd *crowd = arg;
	while (!crowd->done) {
		EXPECT(!qrt_yield(cx));
	}
	return QRT_OK;
}

static enum qrt_err works(struct qrt_cx *cx, void *arg)
{
	struct crowd *crowd = arg;
	for (unsigned i = 0; i < crowd->steps; i++) {
		EXPECT(!qrt_yield(cx));
	}
	crowd->done = true;
	return QRT_OK;
}

static enum qrt_err two_spin_main(struct qrt_cx *cx, void *arg)
{
	struct qrt_region *region;
	EXPECT(!qrt_region_open(cx, QRT_FAIL_FAST, &region));
	EXPECT(!qrt_spawn(region, spins, arg));
	EXPECT(!qrt_spawn(region, works, arg));
	EXPECT(!qrt_spawn(region, spins, arg));
	return qrt_region_close(cx, &region, QRT_OK);
}

static enum qrt_err pings(struct qrt_cx *cx, void *arg)
{
	const struct crowd *crowd = arg;
	while (!crowd->done) {
		EXPECT(!qrt_notify_one(crowd->pong));
		EXPECT(!qrt_notify_wait(cx, crowd->ping));
	}
	EXPECT(!qrt_notify_one(crowd->pong));
	return QRT_OK;
}

static enum qrt_err pongs(struct qrt_cx *cx, void *arg)
{
	const struct crowd *crowd = arg;
	while (!crowd->done) {
		EXPECT(!qrt_notify_wait(cx, crowd->pong));
		EXPECT(!qrt_notify_one(crowd->ping));
	}
	EXPECT(!qrt_notify_one(crowd->ping));
	return QRT_OK;
}

static enum qrt_err two_wake_each_other_main(struct qrt_cx *cx, void *arg)
{
	struct crowd *crowd = arg;
	struct qrt_region *region;
	EXPECT(!qrt_notify_open(cx, &crowd->ping));
	EXPECT(!qrt_notify_open(cx, &crowd->pong));
	EXPECT(!qrt_region_open(cx, QRT_FAIL_FAST, &region));
	EXPECT(!qrt_spawn(region, pings, arg));
	EXPECT(!qrt_spawn(region, works, arg));
	EXPECT(!qrt_spawn(region, pongs, arg));
	EXPECT(!qrt_region_close(cx, &region, QRT_OK));
	EXPECT(!qrt_notify_close(&crowd->ping));
	EXPECT(!qrt_notify_close(&crowd->pong));
	return QRT_OK;
}

static void nobody_starves(void **state)
{
	(void)state;
	static const struct {
		qrt_task_fn *fn;
		unsigned steps;
		uint64_t most;
	} crowds[] = {{two_spin_main, 200, 3000}, {two_wake_each_other_main, 20, 8000}};
	for (size_t i = 0; i < 2; i++) {
		for (unsigned s = 0; s < STRATEGIES; s++) {
			for (uint64_t seed = 1; seed <= 50; seed++) {
				const struct qrt_lab_options opts = {
				    .seed = seed,
				    .strategy = (enum qrt_lab_strategy)s,
				    .depth = 1 + (unsigned)seed % 3,
				    .steps_max = 100000};
				struct crowd crowd = {.steps = crowds[i].steps};
				struct qrt_lab_stats stats;
				assert_int_equal(
				    lab_play(&opts, "lab", crowds[i].fn, &crowd, &stats), QRT_OK);
				assert_in_range(stats.steps, crowds[i].steps, crowds[i].most);
			}
		}
	}
}

/* --- faults that need an order
 * --------------------------------------------------------------------
 *
 * Each step of a task is a yield. A program of @tasks tasks and a fault of depth d is found by PCT
 * with at least 1 in tasks x steps^(d-1), where the steps it reckons with are 2^6 to 2^16, each
 * as likely as the others.
 */

struct ordered {
	int x, y, z;
	bool found;
};

static enum qrt_err steps(struct qrt_cx *cx, int n)
{
	enum qrt_err err = QRT_OK;
	for (int i = 0; i < n && !err; i++) {
		err = qrt_yield(cx);
	}
	return err;
}

/* Depth 2: what has been looked at is taken away before it is used. */
static enum qrt_err takes_away(struct qrt_cx *cx, void *arg)
{
	struct ordered *ordered = arg;
	EXPECT(!steps(cx, 3));
	ordered->x = 1;
	return steps(cx, 3);
}

static enum qrt_err looks_and_uses(struct qrt_cx *cx, void *arg)
{
	struct ordered *ordered = arg;
	EXPECT(!steps(cx, 12));
	if (ordered->x == 0) {
		EXPECT(!steps(cx, 10));
		ordered->found = ordered->x == 1;
	}
	return QRT_OK;
}

/* Depth 3: a change that is taken back is seen half by one who looks twice. */
static enum qrt_err changes_and_takes_back(struct qrt_cx *cx, void *arg)
{
	struct ordered *ordered = arg;
	EXPECT(!steps(cx, 3));
	ordered->x = 1;
	EXPECT(!steps(cx, 10));
	ordered->x = 0;
	return steps(cx, 3);
}

static enum qrt_err looks_twice(struct qrt_cx *cx, void *arg)
{
	struct ordered *ordered = arg;
	EXPECT(!steps(cx, 20));
	if (ordered->x == 1) {
		EXPECT(!steps(cx, 10));
		ordered->found = ordered->x == 0;
	}
	return QRT_OK;
}

/*
 * Depth 3, of three tasks, where the one that was stopped first must go on last: whoever goes
 * behind all others must not always be the one that went there last.
 */
static enum qrt_err first_and_last(struct qrt_cx *cx, void *arg)
{
	struct ordered *ordered = arg;
	EXPECT(!steps(cx, 3));
	bool before = ordered->x == 0;
	EXPECT(!steps(cx, 20));
	ordered->found = before && ordered->z == 1 && ordered->y == 1;
	return QRT_OK;
}

static enum qrt_err half_way(struct qrt_cx *cx, void *arg)
{
	struct ordered *ordered = arg;
	EXPECT(!steps(cx, 3));
	ordered->x = 1;
	EXPECT(!steps(cx, 20));
	ordered->y = 1;
	return QRT_OK;
}

static enum qrt_err in_between(struct qrt_cx *cx, void *arg)
{
	struct ordered *ordered = arg;
	(void)cx;
	ordered->z = ordered->x == 1 && ordered->y == 0;
	return QRT_OK;
}

struct fault {
	const char *name;
	qrt_task_fn *task[3];
	unsigned depth;
};

static const struct fault faults[] = {
    {"look, then use", {looks_and_uses, takes_away}, 2},
    {"change, and take back", {changes_and_takes_back, looks_twice}, 3},
    {"first and last", {first_and_last, half_way, in_between}, 3},
};
enum { FAULTS = sizeof(faults) / sizeof(faults[0]) };

struct sought {
	const struct fault *fault;
	struct ordered ordered;
};

static enum qrt_err fault_main(struct qrt_cx *cx, void *arg)
{
	struct sought *sought = arg;
	struct qrt_region *region;
	EXPECT(!qrt_region_open(cx, QRT_FAIL_FAST, &region));
	for (size_t i = 0; i < 3 && sought->fault->task[i]; i++) {
		EXPECT(!qrt_spawn(region, sought->fault->task[i], &sought->ordered));
	}
	return qrt_region_close(cx, &region, QRT_OK);
}

static uint64_t seeds_wanted(void)
{
	const char *text = getenv("QRT_LAB_SEEDS");
	uint64_t n = text ? strtoull(text, NULL, 10) : 0;
	return n ? n * 100 : SEEDS_DEFAULT;
}

static uint64_t times_found(const struct fault *fault, enum qrt_lab_strategy strategy, uint64_t n)
{
	uint64_t found = 0;
	for (uint64_t seed = 1; seed <= n; seed++) {
		const struct qrt_lab_options opts = {
		    .seed = seed, .strategy = strategy, .depth = fault->depth};
		struct sought sought = {.fault = fault};
		assert_int_equal(lab_play(&opts, "lab", fault_main, &sought, NULL), QRT_OK);
		found += sought.ordered.found;
	}
	return found;
}

/* How often PCT promises to find it, of @n. */
static double promised(const struct fault *fault, uint64_t n)
{
	double sum = 0;
	unsigned tasks = fault->task[2] ? 3 : 2;
	for (int log = 6; log <= 16; log++) {
		double one = 1.0 / tasks;
		for (unsigned i = 1; i < fault->depth; i++) {
			one /= (double)(1 << log);
		}
		sum += one / 11;
	}
	return sum * (double)n;
}

static void an_order_is_found_as_often_as_promised(void **state)
{
	(void)state;
	const uint64_t n = seeds_wanted();
	for (size_t i = 0; i < FAULTS; i++) {
		uint64_t found[STRATEGIES];
		for (unsigned s = 0; s < STRATEGIES; s++) {
			/* In order there is nothing to draw: a few will do. */
			found[s] = times_found(&faults[i], (enum qrt_lab_strategy)s,
					       s == QRT_LAB_ROUND_ROBIN ? 10 : n);
		}
		double least = promised(&faults[i], n);
		printf("# %s, depth %u: of %d seeds pct finds it in %d (promised %.1f), "
		       "random in %d, round robin in %d\n",
		       faults[i].name, faults[i].depth, (int)n, (int)found[QRT_LAB_PCT], least,
		       (int)found[QRT_LAB_RANDOM], (int)found[QRT_LAB_ROUND_ROBIN]);
		if (n >= SEEDS_DEFAULT) { /* of fewer there may be none */
			assert_true((double)found[QRT_LAB_PCT] > least);
			assert_true(found[QRT_LAB_PCT] >= 1 + n / 2000);
			assert_true(found[QRT_LAB_RANDOM] >= 1);
		}
		assert_int_equal(found[QRT_LAB_ROUND_ROBIN], 0);
	}
}

static void without_changes_pct_finds_only_what_chance_does(void **state)
{
	(void)state;
	/* Of depth 1 each task runs to its end, but for the few steps that are anybody's. */
	struct fault fault = faults[0];
	uint64_t found[3];
	for (fault.depth = 1; fault.depth <= 2; fault.depth++) {
		found[fault.depth] = times_found(&fault, QRT_LAB_PCT, seeds_wanted());
	}
	printf("# of %d seeds pct of depth 1 finds it in %d, of depth 2 in %d\n",
	       (int)seeds_wanted(), (int)found[1], (int)found[2]);
	if (seeds_wanted() >= SEEDS_DEFAULT) {
		assert_true(found[1] * 3 < found[2] * 2);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_strategy_plays_the_conformance_suite),
	    cmocka_unit_test(nobody_starves),
	    cmocka_unit_test(an_order_is_found_as_often_as_promised),
	    cmocka_unit_test(without_changes_pct_finds_only_what_chance_does),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
