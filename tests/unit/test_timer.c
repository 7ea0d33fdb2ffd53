/*
 * Timers against a sorted array: what they hold, the next time and what comes
 * due must be the same at every step of many random programs. Then the edges
 * of each level by hand.
 */
#include "tests/lib/test.h"

#include <inttypes.h>
#include <string.h>

#include <qrt/cx.h>

#include "shim/src/loop/timer.h"

enum { TIMERS_MAX = 600, PROGRAMS = 3000, STEPS = 400, TICK_BITS = 9, LEVEL_BITS = 6 };

struct fixture {
	uint64_t seed, random;
	struct qrt__timers timers;
	struct qrt__timer timer[TIMERS_MAX];
	/* The model: numbers of timers, in the order of their times, then of their starts. */
	unsigned order[TIMERS_MAX], n;
	int64_t at_ns[TIMERS_MAX];
	int64_t now_ns;
};

static void never(struct qrt__timer *timer)
{
	(void)timer;
	fail_msg("the timers call nobody");
}

static void fixture_init(struct fixture *f, uint64_t seed)
{
	memset(f, 0xa5, sizeof(*f)); /* nothing may rest on a timer's memory being zero */
	f->seed = f->random = seed;
	f->n = 0;
	f->now_ns = 0;
	qrt__timers_init(&f->timers);
	for (unsigned i = 0; i < TIMERS_MAX; i++) {
		qrt__timer_init(&f->timer[i], never);
	}
}

/* splitmix64 */
static uint64_t draw(struct fixture *f)
{
	uint64_t z = f->random += UINT64_C(0x9e3779b97f4a7c15);
	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

static unsigned below(struct fixture *f, unsigned n)
{
	return (unsigned)(draw(f) % n);
}

/* --- the model ----------------------------------------------------------------------------- */

static void model_stop(struct fixture *f, unsigned which)
{
	for (unsigned i = 0; i < f->n; i++) {
		if (f->order[i] == which) {
			f->n--;
			memmove(&f->order[i], &f->order[i + 1], (f->n - i) * sizeof(f->order[0]));
			return;
		}
	}
}

static void model_start(struct fixture *f, unsigned which, int64_t at_ns)
{
	model_stop(f, which);
	unsigned i = f->n++;
	for (; i > 0 && f->at_ns[f->order[i - 1]] > at_ns; i--) {
		f->order[i] = f->order[i - 1];
	}
	f->order[i] = which;
	f->at_ns[which] = at_ns;
}

/* --- both ---------------------------------------------------------------------------------- */

static void start(struct fixture *f, unsigned which, int64_t at_ns)
{
	qrt__timer_start(&f->timers, &f->timer[which], at_ns);
	model_start(f, which, at_ns);
}

static void stop(struct fixture *f, unsigned which)
{
	qrt__timer_stop(&f->timers, &f->timer[which]);
	model_stop(f, which);
}

static void check_next(struct fixture *f)
{
	int64_t expected = f->n > 0 ? f->at_ns[f->order[0]] : QRT_NO_DEADLINE;
	int64_t next = qrt__timers_next(&f->timers);
	if (next != expected) {
		fail_msg("seed %" PRIu64 ": next is %" PRId64 ", not %" PRId64, f->seed, next,
			 expected);
	}
	assert_int_equal(f->timers.n, f->n);
}

/* Takes out one due timer; false when there was none. */
static bool take_due(struct fixture *f)
{
	bool expected = f->n > 0 && f->at_ns[f->order[0]] <= f->now_ns;
	struct qrt__timer *timer = qrt__timers_due(&f->timers, f->now_ns);
	if (!expected) {
		if (timer) {
			fail_msg("seed %" PRIu64 ": timer %td is not due", f->seed,
				 timer - f->timer);
		}
		return false;
	}
	unsigned which = f->order[0];
	if (timer != &f->timer[which]) {
		fail_msg("seed %" PRIu64 ": timer %td is due, not %u", f->seed,
			 timer ? timer - f->timer : -1, which);
	}
	assert_false(qrt__timer_running(timer));
	model_stop(f, which);
	return true;
}

static void take_all_due(struct fixture *f)
{
	while (take_due(f)) {
	}
}

static void fixture_fini(struct fixture *f)
{
	f->now_ns = INT64_MAX;
	take_all_due(f);
	assert_int_equal(f->n, 0);
	check_next(f);
	for (unsigned i = 0; i < TIMERS_MAX; i++) {
		assert_false(qrt__timer_running(&f->timer[i]));
	}
	qrt__timers_fini(&f->timers);
}

/* --- random programs ----------------------------------------------------------------------- */

static int64_t later(int64_t at_ns, uint64_t by_ns)
{
	return by_ns > (uint64_t)(INT64_MAX - at_ns) ? INT64_MAX : at_ns + (int64_t)by_ns;
}

/* Any number of bits up to @bits is as likely, so that every level is met. */
static uint64_t draw_bits(struct fixture *f, unsigned bits)
{
	return draw(f) >> (63 - below(f, bits)) >> 1;
}

static int64_t draw_time(struct fixture *f, unsigned bits)
{
	int64_t edge;
	switch (below(f, 8)) {
	case 0: /* the very time of another */
		return f->n > 0 ? f->at_ns[f->order[below(f, f->n)]] : f->now_ns;
	case 1: /* past */
		return f->now_ns - (int64_t)(draw(f) % ((uint64_t)f->now_ns + 1));
	case 2: /* about the edge of a slot of some level */
		edge = later(f->now_ns, draw_bits(f, bits));
		edge &= -(INT64_C(1) << (TICK_BITS + LEVEL_BITS * below(f, 9)));
		return below(f, 2) ? edge : edge > 0 ? edge - 1 : 0;
	case 3: /* like many others: a timeout of the program's favourite length */
		return later(f->now_ns, (UINT64_C(1) << bits) - 1);
	default:
		return later(f->now_ns, draw_bits(f, bits));
	}
}

static void advance(struct fixture *f, unsigned bits)
{
	switch (below(f, 4)) {
	case 0: /* as the virtual clock does */
		if (f->n > 0 && f->at_ns[f->order[0]] > f->now_ns) {
			f->now_ns = f->at_ns[f->order[0]];
		}
		break;
	case 1: /* hours at once */
		f->now_ns = later(f->now_ns, draw_bits(f, 62));
		break;
	default:
		f->now_ns = later(f->now_ns, draw_bits(f, bits));
	}
	/* Sometimes a part only: a callback that runs in between starts and stops others. */
	unsigned most = below(f, 3) ? TIMERS_MAX : below(f, 4);
	while (most-- > 0 && take_due(f)) {
	}
}

static void run_program(struct fixture *f, uint64_t seed)
{
	fixture_init(f, seed);
	unsigned timers = 1 + below(f, below(f, 3) ? 24 : TIMERS_MAX);
	unsigned bits = 1 + below(f, 62);
	unsigned patience = 1 + below(f, 40); /* starts per step of the clock */
	bool asks = below(f, 4);	      /* otherwise nothing is peeled ahead of the clock */
	for (unsigned i = 0; i < STEPS; i++) {
		unsigned which = below(f, timers);
		unsigned action = below(f, patience + 3);
		if (action == 0) {
			advance(f, bits);
		} else if (action <= 2) {
			stop(f, which);
		} else {
			start(f, which, draw_time(f, bits));
		}
		assert_int_equal(f->timers.n, f->n);
		if (asks) {
			check_next(f);
		}
	}
	fixture_fini(f);
}

static void random_programs_keep_the_order_of_a_sorted_array(void **state)
{
	(void)state;
	static struct fixture f;
	for (uint64_t seed = 0; seed < PROGRAMS; seed++) {
		run_program(&f, seed);
	}
}

/* A loop's day: many equal timeouts that hardly ever fire, a few short ones, one for the hour. */
static void a_busy_loop_keeps_the_order(void **state)
{
	(void)state;
	static struct fixture f;
	fixture_init(&f, 1);
	start(&f, 0, 3600 * QRT_SEC);
	check_next(&f);
	for (unsigned i = 1; i < 20000; i++) {
		unsigned which = 1 + i % (TIMERS_MAX - 1);
		start(&f, which, f.now_ns + (i % 16 ? 30 * QRT_SEC : 5 * QRT_MS));
		if (i % 5 == 0) {
			stop(&f, 1 + below(&f, TIMERS_MAX - 1));
		}
		check_next(&f);
		f.now_ns += (int64_t)(draw(&f) % (uint64_t)(200 * QRT_MS));
		take_all_due(&f);
	}
	fixture_fini(&f);
}

/*
 * A loop that sleeps until it is to wake, with crowds of timers, some where a slot begins: in time
 * for each, and seldom up for nothing.
 */
static void a_wake_is_never_late_and_seldom_early(void **state)
{
	enum { CROWDS = 32, CROWD = TIMERS_MAX / CROWDS };
	(void)state;
	static struct fixture f;
	unsigned in_vain = 0;
	fixture_init(&f, 2);
	for (unsigned i = 0; i < CROWDS * CROWD; i++) {
		int64_t crowd = (int64_t)(1 + i % CROWDS * 7) << (TICK_BITS + 3 * LEVEL_BITS);
		int64_t later = i % 2 ? 77 * QRT_MS + (int64_t)(draw(&f) % QRT_MS) : 0;
		start(&f, i, crowd + later);
	}
	while (f.n > 0) {
		int64_t first = f.at_ns[f.order[0]];
		int64_t wake = qrt__timers_wake(&f.timers);
		assert_true(wake <= first);
		assert_true(wake > f.now_ns);
		in_vain += wake < first;
		f.now_ns = wake;
		take_all_due(&f);
	}
	assert_in_range(in_vain, 1, CROWDS);
	fixture_fini(&f);
}

/* --- by hand ------------------------------------------------------------------------------- */

static void without_a_timer_there_is_no_next_time(void **state)
{
	(void)state;
	static struct fixture f;
	fixture_init(&f, 0);
	assert_true(qrt__timers_next(&f.timers) == QRT_NO_DEADLINE);
	assert_null(qrt__timers_due(&f.timers, INT64_MAX));
	stop(&f, 0);
	assert_false(qrt__timer_running(&f.timer[0]));
	start(&f, 0, 7);
	assert_true(qrt__timer_running(&f.timer[0]));
	stop(&f, 0);
	stop(&f, 0);
	check_next(&f);
	fixture_fini(&f);
}

static void equal_times_come_in_the_order_of_their_starts(void **state)
{
	(void)state;
	static struct fixture f;
	fixture_init(&f, 0);
	for (unsigned i = 0; i < TIMERS_MAX; i++) {
		start(&f, TIMERS_MAX - 1 - i, QRT_SEC);
	}
	start(&f, 300, QRT_SEC); /* a second start is a later start */
	assert_int_equal(f.order[TIMERS_MAX - 1], 300);
	check_next(&f);
	f.now_ns = QRT_SEC - 1;
	assert_false(take_due(&f));
	f.now_ns = QRT_SEC;
	take_all_due(&f);
	fixture_fini(&f);
}

static void past_times_come_before_all_others(void **state)
{
	(void)state;
	static struct fixture f;
	fixture_init(&f, 0);
	f.now_ns = 5 * QRT_SEC;
	assert_false(take_due(&f));
	start(&f, 0, 5 * QRT_SEC + 1);
	start(&f, 1, 0);
	start(&f, 2, -1);
	start(&f, 3, INT64_MIN);
	start(&f, 4, 5 * QRT_SEC);
	check_next(&f);
	take_all_due(&f);
	assert_int_equal(f.n, 1);
	check_next(&f);
	fixture_fini(&f);
}

/* Times about @edge, far more than next() leaves in place, the later ones first. */
static unsigned start_about(struct fixture *f, unsigned which, int64_t edge)
{
	static const int64_t offset[] = {2, 1, 1, 0, 0, -1, -1, -2};
	for (unsigned i = 0; i < sizeof(offset) / sizeof(*offset); i++) {
		if (offset[i] <= 0 || edge <= INT64_MAX - offset[i]) {
			start(f, which++, edge + offset[i]);
		}
	}
	return which;
}

/* One nanosecond at a time over an edge of every level, from a clock at @since_ns. */
static void cross_edges(int64_t since_ns, unsigned slot)
{
	static struct fixture f;
	for (unsigned bits = TICK_BITS; bits < 63; bits += LEVEL_BITS) {
		int64_t edge = since_ns | (int64_t)((uint64_t)slot << bits & INT64_MAX);
		edge = edge >> bits << bits;
		if (edge <= since_ns + 2) {
			continue;
		}
		fixture_init(&f, bits);
		f.now_ns = since_ns;
		assert_false(take_due(&f));
		unsigned which = start_about(&f, 0, edge);
		which = start_about(&f, which, INT64_MAX);
		stop(&f, 3);
		check_next(&f);
		start(&f, which, edge - 3); /* earlier than what next() has looked at */
		start(&f, which + 1, since_ns + 1);
		check_next(&f);
		for (f.now_ns = edge - 4; f.now_ns < edge + 2; f.now_ns++) {
			take_all_due(&f);
			check_next(&f);
		}
		fixture_fini(&f);
	}
}

static void every_edge_of_every_level_is_exact(void **state)
{
	(void)state;
	for (unsigned slot = 1; slot < 64; slot++) {
		cross_edges(0, slot);
		cross_edges(QRT_MS, slot);
		cross_edges(INT64_C(0x123456789abcdef), slot);
	}
}

static void years_ahead_and_the_end_of_time_are_times_like_others(void **state)
{
	(void)state;
	static struct fixture f;
	const int64_t year = 365 * 24 * 3600 * QRT_SEC;
	fixture_init(&f, 0);
	for (unsigned i = 0; i < 290; i++) {
		start(&f, i, (290 - i) * year);
	}
	start(&f, 290, INT64_MAX);
	start(&f, 291, INT64_MAX - 1);
	start(&f, 292, INT64_MAX);
	while (f.n > 0) {
		check_next(&f);
		f.now_ns = f.at_ns[f.order[0]] - 1;
		assert_false(take_due(&f));
		f.now_ns++;
		assert_true(take_due(&f));
	}
	fixture_fini(&f);
}

/* A wheel that turned tick by tick would be at it for years. */
static void a_jump_of_the_clock_does_not_visit_what_lies_between(void **state)
{
	(void)state;
	static struct fixture f;
	for (unsigned i = 0; i < 1000; i++) {
		fixture_init(&f, i);
		for (unsigned k = 0; k < 8; k++) {
			start(&f, k, INT64_MAX - (int64_t)draw_bits(&f, 62));
		}
		f.now_ns = INT64_MAX / 2;
		take_all_due(&f);
		check_next(&f);
		fixture_fini(&f);
	}
}

/* Exactness is checked above; this is about the cost, and so looks inside. */
static void asking_for_a_far_time_leaves_the_near_ones_to_the_wheel(void **state)
{
	(void)state;
	static struct fixture f;
	fixture_init(&f, 0);
	start(&f, 0, 3600 * QRT_SEC);
	start(&f, 1, 3600 * QRT_SEC);
	check_next(&f);
	start(&f, 2, QRT_SEC);
	assert_int_not_equal(f.timer[2].place, QRT__TIMER_NEAR);
	stop(&f, 2);
	for (unsigned i = 2; i < 10; i++) {
		start(&f, i, 3600 * QRT_SEC);
	}
	check_next(&f);
	start(&f, 10, QRT_SEC);
	assert_int_equal(f.timer[10].place, QRT__TIMER_NEAR);
	for (unsigned i = 0; i < 10; i++) {
		stop(&f, i);
	}
	start(&f, 10, QRT_SEC); /* alone, so nothing of that is left */
	assert_int_not_equal(f.timer[10].place, QRT__TIMER_NEAR);
	fixture_fini(&f);
}

static void the_lowest_levels_follow_the_clock(void **state)
{
	(void)state;
	static struct fixture f;
	fixture_init(&f, 0);
	f.now_ns = 1000 * QRT_SEC;
	assert_false(take_due(&f));
	start(&f, 0, f.now_ns + 4096);
	assert_true(f.timer[0].place < QRT__TIMER_SLOTS);
	stop(&f, 0);

	/* Past nothing. */
	start(&f, 0, 3600 * QRT_SEC);
	f.now_ns = 2000 * QRT_SEC;
	assert_false(take_due(&f));
	start(&f, 1, f.now_ns + 4096);
	assert_true(f.timer[1].place < QRT__TIMER_SLOTS);

	/* Into a slot, up to the clock and not to the timer. */
	stop(&f, 1);
	f.now_ns = 3600 * QRT_SEC - QRT_MS;
	assert_false(take_due(&f));
	start(&f, 1, f.now_ns + 4096);
	assert_true(f.timer[1].place < QRT__TIMER_SLOTS);

	/* Back from what next() went ahead for, once nothing of it is left. */
	for (unsigned i = 0; i < 10; i++) {
		start(&f, i, 9000 * QRT_SEC);
	}
	check_next(&f);
	for (unsigned i = 0; i < 10; i++) {
		stop(&f, i);
	}
	f.now_ns += QRT_SEC;
	assert_false(take_due(&f));
	start(&f, 0, f.now_ns + 4096);
	assert_true(f.timer[0].place < QRT__TIMER_SLOTS);
	fixture_fini(&f);
}

static void a_clock_that_stands_before_zero_does_no_harm(void **state)
{
	(void)state;
	static struct fixture f;
	fixture_init(&f, 0);
	f.now_ns = INT64_MIN;
	assert_false(take_due(&f));
	start(&f, 0, 5);
	start(&f, 1, INT64_MAX);
	start(&f, 2, QRT_SEC);
	assert_false(take_due(&f));
	check_next(&f);
	fixture_fini(&f);
}

static struct qrt__timer *fired[4];
static unsigned n_fired;

static void note(struct qrt__timer *timer)
{
	fired[n_fired++] = timer;
}

static void a_timer_may_be_started_again_when_it_fires(void **state)
{
	(void)state;
	static struct qrt__timers timers;
	struct qrt__timer a, b;
	qrt__timers_init(&timers);
	qrt__timer_init(&a, note);
	qrt__timer_init(&b, note);
	qrt__timer_start(&timers, &a, 10);
	qrt__timer_start(&timers, &b, 20);
	n_fired = 0;
	struct qrt__timer *timer;
	while ((timer = qrt__timers_due(&timers, 20))) {
		assert_false(qrt__timer_running(timer));
		timer->fire(timer);
		if (n_fired == 1) {
			qrt__timer_start(&timers, &a, 20); /* due at once, after b */
		}
	}
	assert_int_equal(n_fired, 3);
	assert_ptr_equal(fired[0], &a);
	assert_ptr_equal(fired[1], &b);
	assert_ptr_equal(fired[2], &a);
	qrt__timers_fini(&timers);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(without_a_timer_there_is_no_next_time),
	    cmocka_unit_test(equal_times_come_in_the_order_of_their_starts),
	    cmocka_unit_test(past_times_come_before_all_others),
	    cmocka_unit_test(every_edge_of_every_level_is_exact),
	    cmocka_unit_test(years_ahead_and_the_end_of_time_are_times_like_others),
	    cmocka_unit_test(a_jump_of_the_clock_does_not_visit_what_lies_between),
	    cmocka_unit_test(asking_for_a_far_time_leaves_the_near_ones_to_the_wheel),
	    cmocka_unit_test(the_lowest_levels_follow_the_clock),
	    cmocka_unit_test(a_clock_that_stands_before_zero_does_no_harm),
	    cmocka_unit_test(a_timer_may_be_started_again_when_it_fires),
	    cmocka_unit_test(a_busy_loop_keeps_the_order),
	    cmocka_unit_test(a_wake_is_never_late_and_seldom_early),
	    cmocka_unit_test(random_programs_keep_the_order_of_a_sorted_array),
	};
	return cmocka_run_group_tests_name("timer", tests, NULL, NULL);
}
