/*
 * The rows that have a meaning for libuv alone, without our runtime on top:
 * callbacks, one handle per thing that waits. `libuv ROW N`; see bench.h.
 *
 * Never includes anything of the runtime.
 */
#include <pthread.h>
#include <string.h>
#include <uv.h>

#include "tests/bench/bench.h"

static void must(int code, const char *what)
{
	if (code) {
		fprintf(stderr, "libuv: %s: %s\n", what, uv_strerror(code));
		exit(1);
	}
}

/* --- yield: two idle handles, each called once per turn of the loop ----------------------------
 */

static size_t turns_left;

static void on_idle(uv_idle_t *idle)
{
	if (turns_left == 0) {
		uv_idle_stop(idle);
	} else {
		turns_left--;
	}
}

static void take_turns(uv_loop_t *loop, size_t n)
{
	uv_idle_t pair[2];
	turns_left = n;
	for (size_t i = 0; i < 2; i++) {
		must(uv_idle_init(loop, &pair[i]), "idle");
		must(uv_idle_start(&pair[i], on_idle), "idle");
	}
	uv_run(loop, UV_RUN_DEFAULT);
	for (size_t i = 0; i < 2; i++) {
		uv_close((uv_handle_t *)&pair[i], NULL);
	}
	uv_run(loop, UV_RUN_DEFAULT);
}

static void row_yield(uv_loop_t *loop, struct bench *bench)
{
	take_turns(loop, BENCH_WARM);
	bench_go(bench);
	take_turns(loop, bench->n);
	bench_halt(bench);
}

/* --- timers: a handle each ---------------------------------------------------------------------
 */

static uv_timer_t *timers;
static uint64_t seed = 88172645463325252u;

static void on_timer(uv_timer_t *timer)
{
	(void)timer;
}

static void timers_start(size_t from, size_t n)
{
	for (size_t i = from; i < from + n; i++) {
		uv_timer_start(&timers[i], on_timer, 1000000 + bench_random(&seed) % 1000000, 0);
	}
}

static void timers_stop(size_t from, size_t n)
{
	for (size_t i = from; i < from + n; i++) {
		uv_timer_stop(&timers[i]);
	}
}

static void timers_open(uv_loop_t *loop, size_t live)
{
	timers = calloc(2 * (size_t)BENCH_TIMERS, sizeof(*timers));
	must(timers ? 0 : UV_ENOMEM, "timers");
	for (size_t i = 0; i < 2 * (size_t)BENCH_TIMERS; i++) {
		must(uv_timer_init(loop, &timers[i]), "timer");
	}
	timers_start(0, live);
}

static void timers_close(uv_loop_t *loop)
{
	for (size_t i = 0; i < 2 * (size_t)BENCH_TIMERS; i++) {
		uv_close((uv_handle_t *)&timers[i], NULL);
	}
	uv_run(loop, UV_RUN_DEFAULT);
	free(timers);
}

static void row_timer_start(uv_loop_t *loop, struct bench *bench)
{
	timers_open(loop, BENCH_TIMERS);
	for (size_t left = bench->n; left > 0;) {
		size_t batch = bench_batch(left, BENCH_TIMERS);
		bench_go(bench);
		timers_start(BENCH_TIMERS, batch);
		bench_halt(bench);
		left -= batch;
		if (left > 0) {
			timers_stop(BENCH_TIMERS, batch);
		}
	}
	bench_print(bench);
	_exit(0); /* stopping them is another row */
}

static void row_timer_restart(uv_loop_t *loop, struct bench *bench)
{
	timers_open(loop, BENCH_TIMERS);
	bench_go(bench);
	for (size_t left = bench->n; left > 0;) {
		size_t batch = bench_batch(left, BENCH_TIMERS);
		timers_start(0, batch);
		left -= batch;
	}
	bench_halt(bench);
	timers_close(loop);
}

static void row_timer_stop(uv_loop_t *loop, struct bench *bench)
{
	timers_open(loop, 2 * (size_t)BENCH_TIMERS);
	for (size_t left = bench->n; left > 0;) {
		size_t batch = bench_batch(left, BENCH_TIMERS);
		bench_go(bench);
		timers_stop(BENCH_TIMERS, batch);
		bench_halt(bench);
		left -= batch;
		if (left > 0) {
			timers_start(BENCH_TIMERS, batch);
		}
	}
	bench_print(bench);
	_exit(0); /* so that the instructions are those of the stops */
}

/* --- cancel: a herd of waiting handles is closed, each close is called back --------------------
 */

static size_t n_closed;

static void on_closed(uv_handle_t *handle)
{
	(void)handle;
	n_closed++;
}

static uv_timer_t *herd_new(uv_loop_t *loop, size_t n)
{
	uv_timer_t *herd = calloc(n, sizeof(*herd));
	must(herd ? 0 : UV_ENOMEM, "herd");
	for (size_t i = 0; i < n; i++) {
		must(uv_timer_init(loop, &herd[i]), "timer");
		must(uv_timer_start(&herd[i], on_timer, 3600000, 0), "timer");
	}
	uv_run(loop, UV_RUN_NOWAIT);
	return herd;
}

static void row_cancel(uv_loop_t *loop, struct bench *bench)
{
	for (size_t left = bench->n; left > 0;) {
		size_t batch = bench_batch(left, BENCH_HERD);
		uv_timer_t *herd = herd_new(loop, batch);
		n_closed = 0;
		bench_go(bench);
		for (size_t i = 0; i < batch; i++) {
			uv_close((uv_handle_t *)&herd[i], on_closed);
		}
		while (n_closed < batch) {
			uv_run(loop, UV_RUN_ONCE);
		}
		bench_halt(bench);
		free(herd);
		left -= batch;
	}
}

static void row_parked(uv_loop_t *loop, struct bench *bench)
{
	size_t before = bench_resident();
	uv_timer_t *herd = herd_new(loop, bench->n);
	bench->bytes = bench_resident() - before;
	bench_print(bench);
	(void)herd;
	_exit(0);
}

/* --- port: two loops on two threads, a locked slot and an async handle each way ----------------
 */

struct side {
	uv_loop_t loop;
	uv_async_t async;
	pthread_mutex_t lock;
	size_t message; /* 0: none */
	struct side *other;
	size_t left;
};

static void tell(struct side *to, size_t message)
{
	pthread_mutex_lock(&to->lock);
	to->message = message;
	pthread_mutex_unlock(&to->lock);
	uv_async_send(&to->async);
}

static void on_message(uv_async_t *async)
{
	struct side *self = async->data;
	pthread_mutex_lock(&self->lock);
	size_t message = self->message;
	self->message = 0;
	pthread_mutex_unlock(&self->lock);
	if (message == 0) {
		return;
	}
	self->left--;
	bool answers = self->other->left > 0;
	if (answers) {
		tell(self->other, message);
	}
	if (self->left == 0) {
		uv_stop(&self->loop);
	}
}

static void side_open(struct side *side, struct side *other)
{
	memset(side, 0, sizeof(*side));
	side->other = other;
	must(uv_loop_init(&side->loop), "loop");
	must(uv_async_init(&side->loop, &side->async, on_message), "async");
	side->async.data = side;
	pthread_mutex_init(&side->lock, NULL);
}

static void side_close(struct side *side)
{
	uv_close((uv_handle_t *)&side->async, NULL);
	uv_run(&side->loop, UV_RUN_DEFAULT);
	must(uv_loop_close(&side->loop), "loop close");
	pthread_mutex_destroy(&side->lock);
}

static void *run_there(void *arg)
{
	struct side *side = arg;
	uv_run(&side->loop, UV_RUN_DEFAULT);
	return NULL;
}

/* @n round trips from @here; the other thread is started for them, and ends with them. */
static void round_trips(struct side *here, struct side *there, size_t n, bool cores)
{
	pthread_t thread;
	here->left = n;
	there->left = n;
	bench_pin(cores);
	must(pthread_create(&thread, NULL, run_there, there) ? UV_EAGAIN : 0, "thread");
	bench_pin(false);
	tell(there, 1);
	uv_run(&here->loop, UV_RUN_DEFAULT);
	pthread_join(thread, NULL);
}

static void across(struct bench *bench, bool cores)
{
	struct side here, there;
	side_open(&here, &there);
	side_open(&there, &here);
	round_trips(&here, &there, BENCH_WARM, cores);
	bench_go(bench);
	round_trips(&here, &there, bench->n, cores);
	bench_halt(bench);
	side_close(&here);
	side_close(&there);
}

static void row_port(uv_loop_t *loop, struct bench *bench)
{
	(void)loop;
	across(bench, false);
}

static void row_port_cores(uv_loop_t *loop, struct bench *bench)
{
	(void)loop;
	across(bench, true);
}

/* --- the table ---------------------------------------------------------------------------------
 */

struct row {
	const char *name;
	void (*fn)(uv_loop_t *loop, struct bench *bench);
};

static const struct row rows[] = {
    {"yield", row_yield},
    {"timer-start", row_timer_start},
    {"timer-restart", row_timer_restart},
    {"timer-stop", row_timer_stop},
    {"parked", row_parked},
    {"cancel", row_cancel},
    {"port", row_port},
    {"port-cores", row_port_cores},
};

int main(int argc, char **argv)
{
	struct bench bench = {.n = argc == 3 ? strtoul(argv[2], NULL, 10) : 0};
	if (bench.n == 0) {
		fprintf(stderr, "usage: libuv ROW N\n");
		return 2;
	}
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (strcmp(rows[i].name, argv[1]) == 0) {
			uv_loop_t loop;
			must(uv_loop_init(&loop), "loop");
			rows[i].fn(&loop, &bench);
			must(uv_loop_close(&loop), "loop close");
			bench_print(&bench);
			return 0;
		}
	}
	return BENCH_SKIP;
}
