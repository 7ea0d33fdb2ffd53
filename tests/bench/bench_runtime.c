/*
 * The runtime's basic costs, one at a time:
 *
 *	bench_runtime --list           the rows: name, unit, what one operation is
 *	bench_runtime ROW BACKEND N    one run of one row (bench.h says what it prints)
 *
 * BACKEND is one of the build's, or "bare": the row's work written by hand.
 * runtime.sh puts the runs side by side. Never judges a figure.
 */
#include <qrt/chan.h>
#include <qrt/region.h>
#include <qrt/runtime.h>
#include <qrt/switchboard.h>
#include <string.h>

#include "shim/src/fiber/fiber.h"
#include "shim/src/loop/timer.h"
#include "tests/bench/bench_rows.h"

/* --- the switch: has no backend below it -------------------------------------------------------
 */

static struct qrt__fiber loop_fiber, other_fiber;

static void bounce(void *arg)
{
	(void)arg;
	qrt__fiber_entered(&other_fiber);
	for (;;) {
		qrt__fiber_switch(&other_fiber, &loop_fiber, false);
	}
}

static enum qrt_err row_switch(struct qrt_cx *cx, void *arg)
{
	(void)cx;
	struct bench *bench = arg;
	struct qrt__stack_pool *pool;
	struct qrt__stack *stack;
	enum qrt_err err = qrt__stack_pool_create(65536, &pool);
	if (!err) {
		err = qrt__stack_get(pool, 0, &stack);
	}
	if (qrt__fiber_open_thread(&loop_fiber)) {
		return QRT_ENOMEM;
	}
	qrt__fiber_enter_thread(&loop_fiber);
	if (!err) {
		err = qrt__fiber_init(&other_fiber, stack, 0, bounce, NULL);
	}
	if (err) {
		return err;
	}
	for (size_t i = 0; i < BENCH_WARM; i++) {
		qrt__fiber_switch(&loop_fiber, &other_fiber, false);
	}
	bench_go(bench);
	for (size_t i = 0; i < bench->n; i += 2) {
		qrt__fiber_switch(&loop_fiber, &other_fiber, false);
	}
	bench_halt(bench);
	qrt__fiber_fini(&other_fiber);
	qrt__fiber_close_thread(&loop_fiber);
	qrt__stack_put(pool, stack);
	qrt__stack_pool_destroy(&pool);
	return QRT_OK;
}

/* --- tasks and regions -------------------------------------------------------------------------
 */

static enum qrt_err nothing(struct qrt_cx *cx, void *arg)
{
	(void)cx;
	(void)arg;
	return QRT_OK;
}

static enum qrt_err yielder(struct qrt_cx *cx, void *arg)
{
	size_t *n = arg;
	enum qrt_err err = QRT_OK;
	for (size_t i = 0; i < *n && !err; i++) {
		err = qrt_yield(cx);
	}
	return err;
}

static enum qrt_err two_yielders(struct qrt_cx *cx, size_t each)
{
	struct qrt_region *region;
	enum qrt_err err = qrt_region_open(cx, QRT_FAIL_FAST, &region);
	if (err) {
		return err;
	}
	err = qrt_spawn(region, yielder, &each);
	if (!err) {
		err = qrt_spawn(region, yielder, &each);
	}
	return qrt_region_close(cx, &region, err);
}

static enum qrt_err row_yield(struct qrt_cx *cx, void *arg)
{
	struct bench *bench = arg;
	enum qrt_err err = two_yielders(cx, BENCH_WARM);
	if (!err) {
		bench_go(bench);
		err = two_yielders(cx, bench->n / 2);
		bench_halt(bench);
	}
	return err;
}

static enum qrt_err spawns(struct qrt_cx *cx, size_t fan)
{
	struct qrt_region *region;
	enum qrt_err err = qrt_region_open(cx, QRT_FAIL_FAST, &region);
	if (err) {
		return err;
	}
	for (size_t i = 0; i < fan && !err; i++) {
		err = qrt_spawn(region, nothing, NULL);
	}
	return qrt_region_close(cx, &region, err);
}

static enum qrt_err row_spawn(struct qrt_cx *cx, void *arg)
{
	struct bench *bench = arg;
	enum qrt_err err = spawns(cx, BENCH_FAN);
	bench_go(bench);
	for (size_t left = bench->n, fan; left > 0 && !err; left -= fan) {
		fan = bench_batch(left, BENCH_FAN);
		err = spawns(cx, fan);
	}
	bench_halt(bench);
	return err;
}

static enum qrt_err regions(struct qrt_cx *cx, struct bench *bench, size_t fan)
{
	enum qrt_err err = QRT_OK;
	for (size_t i = 0; i < BENCH_WARM && !err; i++) {
		err = spawns(cx, fan);
	}
	bench_go(bench);
	for (size_t i = 0; i < bench->n && !err; i++) {
		err = spawns(cx, fan);
	}
	bench_halt(bench);
	return err;
}

static enum qrt_err row_region(struct qrt_cx *cx, void *arg)
{
	return regions(cx, arg, 0);
}

static enum qrt_err row_region_spawn(struct qrt_cx *cx, void *arg)
{
	return regions(cx, arg, 1);
}

static enum qrt_err row_checkpoint(struct qrt_cx *cx, void *arg)
{
	struct bench *bench = arg;
	enum qrt_err err = QRT_OK;
	bench_go(bench);
	for (size_t i = 0; i < bench->n && !err; i++) {
		err = qrt_checkpoint(cx);
	}
	bench_halt(bench);
	return err;
}

/* --- channels ----------------------------------------------------------------------------------
 */

/* Reserves a place, sends into it. */
static enum qrt_err put(struct qrt_cx *cx, struct qrt_chan *chan, uint64_t value)
{
	struct qrt_permit permit;
	enum qrt_err err = qrt_reserve(cx, chan, &permit);
	return err ? err : qrt_send(&permit, &value);
}

static enum qrt_err take(struct qrt_cx *cx, struct qrt_chan *chan, uint64_t expected)
{
	uint64_t value;
	enum qrt_err err = qrt_chan_recv(cx, chan, &value);
	return !err && value != expected ? QRT_EFAILED : err;
}

static enum qrt_err row_channel(struct qrt_cx *cx, void *arg)
{
	struct bench *bench = arg;
	struct qrt_chan *chan;
	enum qrt_err err = qrt_chan_open(cx, sizeof(uint64_t), 16, NULL, &chan);
	if (err) {
		return err;
	}
	bench_go(bench);
	for (size_t i = 0; i < bench->n && !err; i++) {
		err = put(cx, chan, i);
		if (!err) {
			err = take(cx, chan, i);
		}
	}
	bench_halt(bench);
	QRT_IGNORE(qrt_chan_close(&chan), "it is open");
	return err;
}

struct table_tennis {
	struct qrt_chan *there, *back;
	size_t n; /* round trips */
};

static enum qrt_err far_side(struct qrt_cx *cx, void *arg)
{
	struct table_tennis *game = arg;
	enum qrt_err err = QRT_OK;
	for (size_t i = 0; i < game->n && !err; i++) {
		err = take(cx, game->there, i);
		if (!err) {
			err = put(cx, game->back, i);
		}
	}
	return err;
}

static enum qrt_err near_side(struct qrt_cx *cx, void *arg)
{
	struct table_tennis *game = arg;
	enum qrt_err err = QRT_OK;
	for (size_t i = 0; i < game->n && !err; i++) {
		err = put(cx, game->there, i);
		if (!err) {
			err = take(cx, game->back, i);
		}
	}
	return err;
}

static enum qrt_err round_trips(struct qrt_cx *cx, struct table_tennis *game, size_t n)
{
	struct qrt_region *region;
	enum qrt_err err = qrt_region_open(cx, QRT_FAIL_FAST, &region);
	if (err) {
		return err;
	}
	game->n = n;
	err = qrt_spawn(region, far_side, game);
	if (!err) {
		err = qrt_spawn(region, near_side, game);
	}
	return qrt_region_close(cx, &region, err);
}

static enum qrt_err row_ping_pong(struct qrt_cx *cx, void *arg)
{
	struct bench *bench = arg;
	struct table_tennis game = {0};
	enum qrt_err err = qrt_chan_open(cx, sizeof(uint64_t), 1, NULL, &game.there);
	if (!err) {
		err = qrt_chan_open(cx, sizeof(uint64_t), 1, NULL, &game.back);
	}
	if (!err) {
		err = round_trips(cx, &game, BENCH_WARM);
	}
	if (!err) {
		bench_go(bench);
		err = round_trips(cx, &game, bench->n);
		bench_halt(bench);
	}
	QRT_IGNORE(qrt_chan_close(&game.back), "it is open, or was never");
	QRT_IGNORE(qrt_chan_close(&game.there), "it is open, or was never");
	return err;
}

/* --- timers: those under every deadline and sleep; has no backend below it either
 * --------------------- */

struct timers {
	struct qrt__timers all;
	struct qrt__timer *timer;
	uint64_t seed;
};

static void never(struct qrt__timer *timer)
{
	(void)timer;
}

/* Between a thousand and two thousand seconds. */
static int64_t some_deadline(struct timers *timers)
{
	return 1000 * QRT_SEC + (int64_t)(bench_random(&timers->seed) % (1000 * QRT_SEC));
}

static void timers_start(struct timers *timers, size_t from, size_t n)
{
	for (size_t i = from; i < from + n; i++) {
		qrt__timer_start(&timers->all, &timers->timer[i], some_deadline(timers));
	}
}

static void timers_stop(struct timers *timers, size_t from, size_t n)
{
	for (size_t i = from; i < from + n; i++) {
		qrt__timer_stop(&timers->all, &timers->timer[i]);
	}
}

static enum qrt_err timers_open(struct timers *timers)
{
	const size_t room = 2 * (size_t)BENCH_TIMERS;
	timers->seed = 88172645463325252u;
	qrt__timers_init(&timers->all);
	timers->timer = calloc(room, sizeof(*timers->timer));
	if (!timers->timer) {
		return QRT_ENOMEM;
	}
	for (size_t i = 0; i < room; i++) {
		qrt__timer_init(&timers->timer[i], never);
	}
	timers_start(timers, 0, BENCH_TIMERS);
	return QRT_OK;
}

/*
 * Prints, and ends the process here: to stop the timers that run, or the tasks that are parked,
 * is the work of other rows, and would be among this one's instructions.
 */
static void leave(const struct bench *bench)
{
	bench_print(bench);
	_exit(0);
}

static enum qrt_err row_timer_start(struct qrt_cx *cx, void *arg)
{
	(void)cx;
	struct bench *bench = arg;
	struct timers timers;
	enum qrt_err err = timers_open(&timers);
	for (size_t left = err ? 0 : bench->n; left > 0;) {
		size_t batch = bench_batch(left, BENCH_TIMERS);
		bench_go(bench);
		timers_start(&timers, BENCH_TIMERS, batch);
		bench_halt(bench);
		left -= batch;
		if (left > 0) {
			timers_stop(&timers, BENCH_TIMERS, batch);
		}
	}
	if (!err) {
		leave(bench);
	}
	return err;
}

static enum qrt_err row_timer_restart(struct qrt_cx *cx, void *arg)
{
	(void)cx;
	struct bench *bench = arg;
	struct timers timers;
	enum qrt_err err = timers_open(&timers);
	bench_go(bench);
	for (size_t left = err ? 0 : bench->n; left > 0;) {
		size_t batch = bench_batch(left, BENCH_TIMERS);
		timers_start(&timers, 0, batch);
		left -= batch;
	}
	bench_halt(bench);
	if (!err) {
		leave(bench);
	}
	return err;
}

static enum qrt_err row_timer_stop(struct qrt_cx *cx, void *arg)
{
	(void)cx;
	struct bench *bench = arg;
	struct timers timers;
	enum qrt_err err = timers_open(&timers);
	if (!err) {
		timers_start(&timers, BENCH_TIMERS, BENCH_TIMERS);
	}
	for (size_t left = err ? 0 : bench->n; left > 0;) {
		size_t batch = bench_batch(left, BENCH_TIMERS);
		bench_go(bench);
		timers_stop(&timers, BENCH_TIMERS, batch);
		bench_halt(bench);
		left -= batch;
		if (left > 0) {
			timers_start(&timers, BENCH_TIMERS, batch);
		}
	}
	if (!err) {
		leave(bench);
	}
	return err;
}

/* --- many parked tasks -------------------------------------------------------------------------
 */

static size_t n_parked;

static enum qrt_err sleeper(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	n_parked++;
	return qrt_sleep(cx, 3600 * QRT_SEC);
}

/* Spawns @n sleepers and waits until each of them is parked. */
static enum qrt_err park(struct qrt_cx *cx, struct qrt_region *region, size_t n)
{
	enum qrt_err err = QRT_OK;
	n_parked = 0;
	for (size_t i = 0; i < n && !err; i++) {
		err = qrt_spawn(region, sleeper, NULL);
	}
	while (!err && n_parked < n) {
		err = qrt_yield(cx);
	}
	return err;
}

static enum qrt_err row_parked(struct qrt_cx *cx, void *arg)
{
	struct bench *bench = arg;
	struct qrt_region *region;
	enum qrt_err err = qrt_region_open(cx, QRT_COLLECT, &region);
	if (err) {
		return err;
	}
	size_t before = bench_resident();
	err = park(cx, region, bench->n);
	bench->bytes = bench_resident() - before;
	if (!err) {
		leave(bench);
	}
	qrt_region_cancel(region, QRT_CANCEL_USER, "bench");
	return qrt_region_close(cx, &region, err);
}

static enum qrt_err row_cancel(struct qrt_cx *cx, void *arg)
{
	struct bench *bench = arg;
	enum qrt_err err = QRT_OK;
	for (size_t left = bench->n; left > 0 && !err;) {
		size_t batch = bench_batch(left, BENCH_HERD);
		struct qrt_region *region;
		err = qrt_region_open(cx, QRT_COLLECT, &region);
		if (err) {
			break;
		}
		err = park(cx, region, batch);
		bench_go(bench);
		qrt_region_cancel(region, QRT_CANCEL_USER, "bench");
		enum qrt_err end = qrt_region_close(cx, &region, err);
		bench_halt(bench);
		err = end == QRT_ECANCELED ? QRT_OK : end;
		left -= batch;
	}
	return err;
}

/* --- a call to a component on another runtime --------------------------------------------------
 */

struct echo {
	struct qrt_msg msg;
};

static void echo_keep(struct qrt_msg *msg)
{
	(void)msg; /* it lies on the caller's stack */
}

static enum qrt_err echo_start(struct qrt_cx *cx, struct qrt_region *home, void *env,
			       void **ret_state)
{
	(void)cx;
	(void)home;
	*ret_state = env;
	return QRT_OK;
}

static void echo_stop(struct qrt_cx *cx, void *state)
{
	(void)cx;
	(void)state;
}

static enum qrt_err echo_handle(struct qrt_cx *cx, void *state, struct qrt_msg *msg,
				struct qrt_msg **ret_reply)
{
	(void)cx;
	(void)state;
	*ret_reply = msg;
	return QRT_OK;
}

static const struct qrt_component echo_component = {
    .name = "echo",
    .caps = QRT_CAP_TIME,
    .start = echo_start,
    .stop = echo_stop,
    .handle = echo_handle,
};

static enum qrt_err calls(struct qrt_cx *cx, struct qrt_port *port, size_t n)
{
	enum qrt_err err = QRT_OK;
	for (size_t i = 0; i < n && !err; i++) {
		struct echo echo = {.msg.destroy = echo_keep};
		struct qrt_msg *msg = &echo.msg, *reply;
		err = qrt_call(cx, port, &msg, &reply);
	}
	return err;
}

static enum qrt_err call_echo(struct qrt_cx *cx, struct qrt_switchboard *sb, struct bench *bench)
{
	struct qrt_move move;
	enum qrt_err err = qrt_switchboard_move(cx, sb, "echo", "there", "bench", "start", &move);
	struct qrt_port *port = qrt_switchboard_port(sb, "echo");
	if (!err) {
		err = calls(cx, port, BENCH_WARM);
	}
	if (!err) {
		bench_go(bench);
		err = calls(cx, port, bench->n);
		bench_halt(bench);
	}
	enum qrt_err stop = qrt_switchboard_stop(cx, sb);
	return err ? err : stop;
}

static enum qrt_err with_switchboard(struct qrt_cx *cx, struct qrt_runtime *there,
				     struct bench *bench)
{
	const struct qrt_switchboard_options opts = {0};
	struct qrt_switchboard *sb;
	enum qrt_err err = qrt_switchboard_create(&opts, &sb);
	if (err) {
		return err;
	}
	err = qrt_switchboard_add_runtime(sb, "there", there);
	if (!err) {
		err = qrt_switchboard_add_component(sb, &echo_component, NULL);
	}
	if (!err) {
		err = call_echo(cx, sb, bench);
	}
	qrt_switchboard_destroy(&sb);
	return err;
}

static enum qrt_err across(struct qrt_cx *cx, void *arg, bool cores)
{
	const struct qrt_runtime_options opts = {.backend = qrt_runtime_backend(qrt_cx_runtime(cx)),
						 .name = "there"};
	struct qrt_runtime *there;
	enum qrt_err err = qrt_runtime_open(&opts, NULL, &there);
	if (err) {
		return err;
	}
	bench_pin(cores);
	err = qrt_runtime_start(there);
	bench_pin(false);
	if (!err) {
		err = with_switchboard(cx, there, arg);
		enum qrt_err end = qrt_shutdown(there, 10 * QRT_SEC);
		err = err ? err : end;
	}
	qrt_runtime_close(&there);
	return err;
}

static enum qrt_err row_port(struct qrt_cx *cx, void *arg)
{
	return across(cx, arg, false);
}

static enum qrt_err row_port_cores(struct qrt_cx *cx, void *arg)
{
	return across(cx, arg, true);
}

/* --- the table ---------------------------------------------------------------------------------
 */

static const struct bench_row rows[] = {
    {"switch", "ns", "a fiber switch", row_switch},
    {"yield", "ns", "a yield, two tasks taking turns", row_yield},
    {"spawn", "ns", "spawn and join, 1000 tasks at a time", row_spawn},
    {"region", "ns", "region open and close, empty", row_region},
    {"region-spawn", "ns", "region open, spawn, join, close", row_region_spawn},
    {"checkpoint", "ns", "a checkpoint that says go on", row_checkpoint},
    {"channel", "ns", "channel: reserve, send and receive in one task", row_channel},
    {"ping-pong", "ns", "channel: a round trip of two tasks", row_ping_pong},
    {"timer-start", "ns", "timer start, 100,000 live", row_timer_start},
    {"timer-restart", "ns", "timer restart, 100,000 live", row_timer_restart},
    {"timer-stop", "ns", "timer stop, 100,000 live", row_timer_stop},
    {"parked", "bytes", "a parked task, resident", row_parked},
    {"cancel", "ns", "cancel and close of a region, per parked task of 10,000", row_cancel},
    {"port", "ns", "port call to another runtime and back, both on one core", row_port},
    {"port-cores", "ns", "the same, each on a core of its own", row_port_cores},
};

int main(int argc, char **argv)
{
	const struct bench_rows all = {.program = "bench_runtime",
				       .rows = rows,
				       .n = sizeof(rows) / sizeof(rows[0]),
				       .bare = bench_bare};
	return bench_rows_main(&all, argc, argv);
}
