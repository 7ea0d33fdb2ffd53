/*
 * The work of the rows written by hand, without a runtime: what C costs here
 * when nothing is checked, owned, cancelled or named. Where a row needs a
 * fiber it is the project's own (shim/src/fiber/fiber.h), so that the distance to
 * the runtime's figure is what the runtime adds.
 *
 * Never uses a task, a region or a loop of the runtime.
 */
#include <string.h>
#include <sys/eventfd.h>

#include <pthread.h>

#include "shim/src/fiber/fiber.h"
#include "tests/bench/bench.h"

/* --- fibers, a queue of them in an array, nothing else -----------------------------------------
 */

enum { QUEUE = 1 << 18 }; /* a power of two, more than ever are ready */

struct strand {
	struct qrt__fiber fiber;
	struct qrt__stack *stack;
	size_t turns; /* left to do */
	bool ended;
};

static struct {
	struct qrt__stack_pool *pool;
	struct qrt__fiber loop;
	struct strand *running;
	struct strand *ready[QUEUE];
	size_t head, tail;
	bool cancelled;
} bare;

static void make_ready(struct strand *strand)
{
	bare.ready[bare.tail++ % QUEUE] = strand;
}

/* Gives up the processor to the next ready strand, or to the loop. */
static void switch_away(struct strand *from, bool last)
{
	struct qrt__fiber *to = &bare.loop;
	if (bare.head != bare.tail) {
		struct strand *next = bare.ready[bare.head++ % QUEUE];
		if (next == from) {
			return;
		}
		bare.running = next;
		to = &next->fiber;
	}
	qrt__fiber_switch(&from->fiber, to, last);
}

/* Runs until nothing is ready. */
static void run(void)
{
	while (bare.head != bare.tail) {
		struct strand *next = bare.ready[bare.head++ % QUEUE];
		bare.running = next;
		qrt__fiber_switch(&bare.loop, &next->fiber, false);
	}
}

static bool strand_start(struct strand *strand, qrt__fiber_fn *fn)
{
	if (qrt__stack_get(bare.pool, 0, &strand->stack)) {
		return false;
	}
	if (qrt__fiber_init(&strand->fiber, strand->stack, 0, fn, strand)) {
		qrt__stack_put(bare.pool, strand->stack);
		return false;
	}
	make_ready(strand);
	return true;
}

static void strand_free(struct strand *strand)
{
	qrt__fiber_fini(&strand->fiber);
	qrt__stack_put(bare.pool, strand->stack);
}

static void must(bool ok, const char *what)
{
	if (!ok) {
		fprintf(stderr, "bench_bare: %s\n", what);
		exit(1);
	}
}

static struct strand *strands_new(size_t n)
{
	struct strand *strands = calloc(n, sizeof(*strands));
	must(strands, "out of memory");
	return strands;
}

static void bare_open(void)
{
	must(qrt__stack_pool_create(65536, &bare.pool) == QRT_OK, "no stack pool");
	must(qrt__fiber_open_thread(&bare.loop) == QRT_OK, "no fiber");
	qrt__fiber_enter_thread(&bare.loop);
}

static void bare_close(void)
{
	qrt__fiber_close_thread(&bare.loop);
	qrt__stack_pool_destroy(&bare.pool);
}

/* --- switch: without a function call, saving only what lives -----------------------------------
 */

#if defined(__x86_64__)

static void *this_side, *other_side;

/* Goes on at the address on top of the stack at @to; leaves its own in *@from. */
static inline void hop(void **from, void *to)
{
	__asm__ volatile("leaq -128(%%rsp), %%rsp\n\t" /* past what a leaf keeps below its stack */
			 "pushq %%rbp\n\t"
			 "leaq 1f(%%rip), %%rcx\n\t"
			 "pushq %%rcx\n\t"
			 "movq %%rsp, (%%rdi)\n\t"
			 "movq %%rsi, %%rsp\n\t"
			 "popq %%rcx\n\t"
			 "jmpq *%%rcx\n\t"
			 "1:\n\t"
			 "popq %%rbp\n\t"
			 "leaq 128(%%rsp), %%rsp"
			 : "+D"(from), "+S"(to)
			 :
			 : "rax", "rbx", "rcx", "rdx", "r8", "r9", "r10", "r11", "r12", "r13",
			   "r14", "r15", "memory", "cc");
}

static void hop_back(void)
{
	for (;;) {
		hop(&other_side, this_side);
	}
}

static bool row_switch(struct bench *bench)
{
	enum { STACK = 65536 };
	char *stack = aligned_alloc(64, STACK);
	must(stack, "out of memory");
	void **top = (void **)(void *)(stack + STACK - 64);
	*top = (void *)(uintptr_t)hop_back;
	other_side = top;
	bench_go(bench);
	for (size_t i = 0; i < bench->n; i += 2) {
		hop(&this_side, other_side);
	}
	bench_halt(bench);
	free(stack);
	return true;
}

#else

static bool row_switch(struct bench *bench)
{
	(void)bench;
	return false;
}

#endif

/* --- yield, spawn, region ----------------------------------------------------------------------
 */

static void take_turns(void *arg)
{
	struct strand *strand = arg;
	qrt__fiber_entered(&strand->fiber);
	while (strand->turns-- > 0) {
		make_ready(strand);
		switch_away(strand, false);
	}
	strand->ended = true;
	switch_away(strand, true);
}

static bool row_yield(struct bench *bench)
{
	bare_open();
	struct strand pair[2] = {{.turns = bench->n / 2}, {.turns = bench->n / 2}};
	must(strand_start(&pair[0], take_turns) && strand_start(&pair[1], take_turns), "no stacks");
	bench_go(bench);
	run();
	bench_halt(bench);
	strand_free(&pair[0]);
	strand_free(&pair[1]);
	bare_close();
	return true;
}

static void spawn_and_join(struct strand *strands, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		strands[i].turns = 0;
		must(strand_start(&strands[i], take_turns), "no stacks");
	}
	run();
	for (size_t i = 0; i < n; i++) {
		strand_free(&strands[i]);
	}
}

static bool row_spawn(struct bench *bench)
{
	bare_open();
	struct strand *strands = strands_new(BENCH_FAN);
	spawn_and_join(strands, BENCH_FAN);
	bench_go(bench);
	for (size_t left = bench->n, fan; left > 0; left -= fan) {
		fan = bench_batch(left, BENCH_FAN);
		spawn_and_join(strands, fan);
	}
	bench_halt(bench);
	free(strands);
	bare_close();
	return true;
}

/* A region by hand: memory, and a place in the parent's list. */
struct scope {
	struct qrt__list node, children;
	char rest[256];
};

static void scopes(struct bench *bench, bool with_strand)
{
	struct qrt__list parent;
	struct strand *strand = strands_new(1);
	qrt__list_init(&parent);
	bare_open();
	spawn_and_join(strand, 1);
	bench_go(bench);
	for (size_t i = 0; i < bench->n; i++) {
		struct scope *scope = calloc(1, sizeof(*scope));
		must(scope, "out of memory");
		qrt__list_init(&scope->children);
		qrt__list_append(&parent, &scope->node);
		if (with_strand) {
			spawn_and_join(strand, 1);
		}
		qrt__list_remove(&scope->node);
		BENCH_KEEP(scope);
		free(scope);
	}
	bench_halt(bench);
	bare_close();
	free(strand);
}

static bool row_region(struct bench *bench)
{
	scopes(bench, false);
	return true;
}

static bool row_region_spawn(struct bench *bench)
{
	scopes(bench, true);
	return true;
}

/* --- checkpoint: a function that looks at a flag -----------------------------------------------
 */

static __attribute__((noinline)) bool asked_to_end(const struct strand *strand)
{
	return strand->ended || bare.cancelled;
}

static bool row_checkpoint(struct bench *bench)
{
	struct strand *strand = strands_new(1);
	bench_go(bench);
	for (size_t i = 0; i < bench->n && !asked_to_end(strand); i++) {
		BENCH_KEEP(strand);
	}
	bench_halt(bench);
	free(strand);
	return true;
}

/* --- channels: a ring of words; two fibers and two slots ---------------------------------------
 */

struct ring {
	size_t head, tail;
	uint64_t slot[16];
};

static __attribute__((noinline)) bool ring_put(struct ring *ring, uint64_t value)
{
	if (ring->tail - ring->head == 16) {
		return false;
	}
	ring->slot[ring->tail++ % 16] = value;
	return true;
}

static __attribute__((noinline)) bool ring_take(struct ring *ring, uint64_t *ret_value)
{
	if (ring->tail == ring->head) {
		return false;
	}
	*ret_value = ring->slot[ring->head++ % 16];
	return true;
}

static bool row_channel(struct bench *bench)
{
	struct ring ring = {0};
	uint64_t value = 0;
	bench_go(bench);
	for (size_t i = 0; i < bench->n; i++) {
		must(ring_put(&ring, i), "the ring is full");
		must(ring_take(&ring, &value) && value == i, "another value");
	}
	bench_halt(bench);
	return true;
}

static struct {
	struct strand pair[2];
	struct ring ring[2];
	size_t n;
} game;

/* Side 0 begins. */
static void play(void *arg)
{
	struct strand *strand = arg;
	size_t me = strand == &game.pair[1];
	qrt__fiber_entered(&strand->fiber);
	for (size_t i = 0; i < game.n; i++) {
		uint64_t value = i;
		if (me == 0) {
			must(ring_put(&game.ring[1], value), "the ring is full");
			make_ready(&game.pair[1]);
		}
		while (!ring_take(&game.ring[me], &value)) {
			switch_away(strand, false);
		}
		if (me == 1) {
			must(ring_put(&game.ring[0], value), "the ring is full");
			make_ready(&game.pair[0]);
		}
	}
	switch_away(strand, true);
}

static bool row_ping_pong(struct bench *bench)
{
	bare_open();
	game.n = bench->n;
	must(strand_start(&game.pair[0], play), "no stacks");
	must(strand_start(&game.pair[1], play), "no stacks");
	bench_go(bench);
	run();
	bench_halt(bench);
	strand_free(&game.pair[0]);
	strand_free(&game.pair[1]);
	bare_close();
	return true;
}

/* --- timers: a wheel of four levels with 256 buckets; nothing ever fires -----------------------
 */

struct wheel_timer {
	struct qrt__list node;
	int64_t at_ms;
};

static struct {
	struct qrt__list bucket[4][256];
	struct wheel_timer *timer;
	uint64_t seed;
} wheel;

static void wheel_start(size_t from, size_t n)
{
	for (size_t i = from; i < from + n; i++) {
		struct wheel_timer *timer = &wheel.timer[i];
		qrt__list_remove(&timer->node);
		timer->at_ms = 1000000 + (int64_t)(bench_random(&wheel.seed) % 1000000);
		unsigned level = (63u - (unsigned)__builtin_clzll((uint64_t)timer->at_ms)) / 8;
		unsigned slot = (unsigned)(timer->at_ms >> (8 * level)) % 256;
		qrt__list_append(&wheel.bucket[level][slot], &timer->node);
	}
}

static void wheel_stop(size_t from, size_t n)
{
	for (size_t i = from; i < from + n; i++) {
		qrt__list_remove(&wheel.timer[i].node);
	}
}

static void wheel_open(size_t live)
{
	wheel.seed = 88172645463325252u;
	for (size_t i = 0; i < 4 * 256; i++) {
		qrt__list_init(&wheel.bucket[i / 256][i % 256]);
	}
	wheel.timer = calloc(2 * (size_t)BENCH_TIMERS, sizeof(*wheel.timer));
	must(wheel.timer, "out of memory");
	for (size_t i = 0; i < 2 * (size_t)BENCH_TIMERS; i++) {
		qrt__list_init(&wheel.timer[i].node);
	}
	wheel_start(0, live);
}

static bool row_timer_start(struct bench *bench)
{
	wheel_open(BENCH_TIMERS);
	for (size_t left = bench->n; left > 0;) {
		size_t batch = bench_batch(left, BENCH_TIMERS);
		bench_go(bench);
		wheel_start(BENCH_TIMERS, batch);
		bench_halt(bench);
		left -= batch;
		if (left > 0) {
			wheel_stop(BENCH_TIMERS, batch);
		}
	}
	free(wheel.timer);
	return true;
}

static bool row_timer_restart(struct bench *bench)
{
	wheel_open(BENCH_TIMERS);
	bench_go(bench);
	for (size_t left = bench->n; left > 0;) {
		size_t batch = bench_batch(left, BENCH_TIMERS);
		wheel_start(0, batch);
		left -= batch;
	}
	bench_halt(bench);
	free(wheel.timer);
	return true;
}

static bool row_timer_stop(struct bench *bench)
{
	wheel_open(2 * (size_t)BENCH_TIMERS);
	for (size_t left = bench->n; left > 0;) {
		size_t batch = bench_batch(left, BENCH_TIMERS);
		bench_go(bench);
		wheel_stop(BENCH_TIMERS, batch);
		bench_halt(bench);
		left -= batch;
		if (left > 0) {
			wheel_start(BENCH_TIMERS, batch);
		}
	}
	free(wheel.timer);
	return true;
}

/* --- parked, cancel ----------------------------------------------------------------------------
 */

static void sit(void *arg)
{
	struct strand *strand = arg;
	qrt__fiber_entered(&strand->fiber);
	while (!bare.cancelled) {
		switch_away(strand, false);
	}
	strand->ended = true;
	switch_away(strand, true);
}

static void seat(struct strand *strands, size_t n)
{
	bare.cancelled = false;
	for (size_t i = 0; i < n; i++) {
		must(strand_start(&strands[i], sit), "no stacks");
	}
	run();
}

/* Ends the process with the strands parked, as the runtime's row does. */
static bool row_parked(struct bench *bench)
{
	must(bench->n <= QUEUE, "too many");
	bare_open();
	size_t before = bench_resident();
	struct strand *strands = strands_new(bench->n);
	seat(strands, bench->n);
	bench->bytes = bench_resident() - before;
	bench_print(bench);
	_exit(0);
}

static bool row_cancel(struct bench *bench)
{
	bare_open();
	struct strand *strands = strands_new(BENCH_HERD);
	for (size_t left = bench->n; left > 0;) {
		size_t batch = bench_batch(left, BENCH_HERD);
		seat(strands, batch);
		bench_go(bench);
		bare.cancelled = true;
		for (size_t i = 0; i < batch; i++) {
			make_ready(&strands[i]);
		}
		run();
		for (size_t i = 0; i < batch; i++) {
			strand_free(&strands[i]);
		}
		bench_halt(bench);
		left -= batch;
	}
	free(strands);
	bare_close();
	return true;
}

/* --- port: two threads, an eventfd each way ----------------------------------------------------
 */

static int there_fd, back_fd;
static size_t calls_left;

static void tell(int fd)
{
	uint64_t one = 1;
	must(write(fd, &one, sizeof(one)) == sizeof(one), "eventfd write");
}

static void await(int fd)
{
	uint64_t n;
	must(read(fd, &n, sizeof(n)) == sizeof(n), "eventfd read");
}

static void *answerer(void *arg)
{
	for (size_t left = calls_left; left > 0; left--) {
		await(there_fd);
		tell(back_fd);
	}
	return arg;
}

static void call_across(size_t n)
{
	for (size_t i = 0; i < n; i++) {
		tell(there_fd);
		await(back_fd);
	}
}

static void across(struct bench *bench, bool cores)
{
	pthread_t thread;
	there_fd = eventfd(0, EFD_CLOEXEC);
	back_fd = eventfd(0, EFD_CLOEXEC);
	must(there_fd >= 0 && back_fd >= 0, "no eventfd");
	calls_left = BENCH_WARM + bench->n;
	bench_pin(cores);
	must(pthread_create(&thread, NULL, answerer, NULL) == 0, "no thread");
	bench_pin(false);
	call_across(BENCH_WARM);
	bench_go(bench);
	call_across(bench->n);
	bench_halt(bench);
	pthread_join(thread, NULL);
	close(there_fd);
	close(back_fd);
}

static bool row_port(struct bench *bench)
{
	across(bench, false);
	return true;
}

static bool row_port_cores(struct bench *bench)
{
	across(bench, true);
	return true;
}

/* --- the table ---------------------------------------------------------------------------------
 */

struct bare_row {
	const char *name;
	bool (*fn)(struct bench *bench);
};

static const struct bare_row rows[] = {
    {"switch", row_switch},
    {"yield", row_yield},
    {"spawn", row_spawn},
    {"region", row_region},
    {"region-spawn", row_region_spawn},
    {"checkpoint", row_checkpoint},
    {"channel", row_channel},
    {"ping-pong", row_ping_pong},
    {"timer-start", row_timer_start},
    {"timer-restart", row_timer_restart},
    {"timer-stop", row_timer_stop},
    {"parked", row_parked},
    {"cancel", row_cancel},
    {"port", row_port},
    {"port-cores", row_port_cores},
};

bool bench_bare(const char *row, struct bench *bench)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (strcmp(rows[i].name, row) == 0) {
			return rows[i].fn(bench);
		}
	}
	return false;
}
