/*
 * The loop: posts from other threads, due timers, ready tasks, then one poll
 * of the driver. A task that gives up the processor goes straight to the next
 * ready one; the loop's own stack comes in between only to poll, or to run an
 * errand that wants a deep stack.
 */
#include "shim/src/fiber/census.h"
#include "shim/src/internal.h"
#include "shim/src/loop/watchdog.h"

/* Tasks that may run before the loop polls again: bounds how long I/O waits. */
enum { BATCH = 256, BATCHES = 16, QUICK_NS = 20000 };
/* One in so many picks goes past the favoured lanes: none starves. */
enum { FAIRNESS = 16 };

_Thread_local char qrt__thread_mark;

void qrt__make_ready(struct qrt_task *task, unsigned lane)
{
	struct qrt_runtime *rt = task->rt;
	task->state = QRT__TASK_READY;
	task->lane = (uint8_t)lane;
	qrt__list_append(&rt->ready[lane], &task->in_ready);
	rt->ready_lanes |= 1u << lane;
	rt->n_ready++;
}

/* The first lane that has somebody; but one pick in FAIRNESS goes to a later one. */
static unsigned next_lane(struct qrt_runtime *rt)
{
	unsigned first = (unsigned)__builtin_ctz(rt->ready_lanes);
	unsigned later = rt->ready_lanes & (rt->ready_lanes - 1);
	if (__builtin_expect(!later, 1)) {
		return first;
	}
	if (++rt->favoured < FAIRNESS) {
		return first;
	}
	rt->favoured = 0;
	/* The later ones in turn: the next after the one that came last. */
	unsigned beyond = later & ~((2u << rt->last_later) - 1);
	rt->last_later = (unsigned)__builtin_ctz(beyond ? beyond : later);
	return rt->last_later;
}

static struct qrt_task *take_ready(struct qrt_runtime *rt)
{
	struct qrt_task *task = rt->driver->pick ? rt->driver->pick(rt) : NULL;
	if (!task) {
		task = QRT__CONTAINER(rt->ready[next_lane(rt)].next, struct qrt_task, in_ready);
	}
	qrt__list_remove(&task->in_ready);
	if (qrt__list_empty(&rt->ready[task->lane])) {
		rt->ready_lanes &= ~(1u << task->lane);
	}
	rt->n_ready--;
	return task;
}

static void enter(struct qrt_runtime *rt, struct qrt_task *task)
{
	rt->current = task;
	task->state = QRT__TASK_RUNNING;
	atomic_store_explicit(&rt->busy_task, task->name, memory_order_relaxed);
	atomic_store_explicit(&rt->busy_site, task->site, memory_order_relaxed);
	QRT__COUNT(rt->runs, 1);
	qrt__trace_named(rt, QRT__TRACE_RUN, task->id, 0, task->name, task->site);
}

/* Gives back the stack of a task that ended; on any other stack. */
static void reap(struct qrt_runtime *rt)
{
	struct qrt_task *task = rt->ended;
	if (!task) {
		return;
	}
	rt->ended = NULL;
	struct qrt__stack *stack = task->stack;
	qrt__fiber_fini(&task->fiber);
	task->magic = 0;
	if (rt->census) {
		qrt__census_take(rt->census, task);
	}
	qrt__stack_put(rt->stacks, stack);
}

void qrt__switch_away(struct qrt_runtime *rt, struct qrt_task *from, bool last)
{
	struct qrt__fiber *to = &rt->loop;
	rt->current = NULL;
	if (rt->batch_left > 0 && rt->n_ready > 0 && !rt->loop_fn) {
		rt->batch_left--;
		struct qrt_task *next = take_ready(rt);
		enter(rt, next);
		if (next == from) {
			return;
		}
		to = &next->fiber;
	}
	qrt__fiber_switch(&from->fiber, to, last);
	reap(rt);
}

void qrt__task_begin(struct qrt_task *task)
{
	qrt__fiber_entered(&task->fiber);
	reap(task->rt);
}

void qrt__on_loop(struct qrt_cx *cx, void (*fn)(void *arg), void *arg)
{
	struct qrt_runtime *rt = cx->task->rt;
	QRT_PRE(rt->current == cx->task);
	rt->loop_fn = fn;
	rt->loop_arg = arg;
	rt->errand = cx->task;
	qrt__switch_away(rt, cx->task, false);
}

static void run_one(struct qrt_runtime *rt, struct qrt_task *task)
{
	enter(rt, task);
	qrt__fiber_switch(&rt->loop, &task->fiber, false);
	reap(rt);
}

static void run_tasks(struct qrt_runtime *rt)
{
	rt->batch_left = rt->turned ? 1 : BATCH;
	while (rt->n_ready > 0 && rt->batch_left > 0) {
		rt->batch_left--;
		struct qrt_task *task = take_ready(rt);
		run_one(rt, task);
		while (rt->loop_fn) {
			struct qrt_task *client = rt->errand;
			void (*fn)(void *) = rt->loop_fn;
			rt->loop_fn = NULL;
			fn(rt->loop_arg);
			run_one(rt, client);
		}
	}
}

/*
 * Runs ready tasks until the batch is spent; errands in between, for their own task. A poll costs
 * as much as thirty switches: when the tasks were quick, the next batch goes before it.
 */
static void run_batch(struct qrt_runtime *rt)
{
	unsigned batches = 0;
	do {
		run_tasks(rt);
		if (rt->n_ready == 0 || ++batches == BATCHES || rt->turned ||
		    atomic_load_explicit(&rt->inbox_nonempty, memory_order_relaxed)) {
			break;
		}
	} while (qrt__now(rt) - rt->turn_ns < QUICK_NS);
}

static void run_posts(struct qrt_runtime *rt)
{
	if (!atomic_load_explicit(&rt->inbox_nonempty, memory_order_acquire)) {
		return;
	}
	pthread_mutex_lock(&rt->inbox_lock);
	struct qrt__post *post = rt->inbox_head;
	rt->inbox_head = NULL;
	rt->inbox_tail = &rt->inbox_head;
	atomic_store_explicit(&rt->inbox_nonempty, false, memory_order_relaxed);
	pthread_mutex_unlock(&rt->inbox_lock);
	while (post) {
		struct qrt__post *next = post->next;
		post->fn(rt, post);
		post = next;
	}
}

bool qrt__post(struct qrt_runtime *rt, struct qrt__post *post, qrt__post_fn *fn)
{
	post->next = NULL;
	post->fn = fn;
	pthread_mutex_lock(&rt->inbox_lock);
	if (!rt->inbox_open) {
		pthread_mutex_unlock(&rt->inbox_lock);
		return false;
	}
	bool first = !rt->inbox_head;
	*rt->inbox_tail = post;
	rt->inbox_tail = &post->next;
	atomic_store_explicit(&rt->inbox_nonempty, true, memory_order_release);
	if (first) {
		/* Under the lock: the runtime cannot go away between the two. */
		rt->driver->wake(rt);
	}
	pthread_mutex_unlock(&rt->inbox_lock);
	return true;
}

/* The loop may end: nothing is left to do, and no post can slip in any more. */
static bool may_end(struct qrt_runtime *rt)
{
	bool busy = !qrt__list_empty(&rt->root->tasks) && !QRT__MUTANT(EARLY_END);
	if (!rt->stopping || rt->n_ready > 0 || busy) {
		return false;
	}
	pthread_mutex_lock(&rt->inbox_lock);
	bool empty = !rt->inbox_head;
	if (empty) {
		rt->inbox_open = false;
	}
	pthread_mutex_unlock(&rt->inbox_lock);
	return empty;
}

static void fire_timers(struct qrt_runtime *rt)
{
	if (rt->timers.n == 0) {
		return;
	}
	struct qrt__timer *timer;
	while ((timer = qrt__timers_due(&rt->timers, rt->turn_ns))) {
		timer->fire(timer);
	}
}

static int64_t poll_timeout(struct qrt_runtime *rt, int64_t now)
{
	if (rt->n_ready > 0) {
		return 0;
	}
	int64_t next = qrt__timers_wake(&rt->timers);
	if (next == QRT_NO_DEADLINE) {
		return -1;
	}
	return next > now ? next - now : 0;
}

static void begin_turn(struct qrt_runtime *rt)
{
	rt->turn_ns = qrt__now(rt);
	atomic_store_explicit(&rt->busy_task, NULL, memory_order_relaxed);
	atomic_store_explicit(&rt->busy_since_ns, rt->turn_ns, memory_order_relaxed);
	qrt__watchdog_poke(rt->watchdog);
}

/* Back from the tasks at @now. */
static void end_turn(struct qrt_runtime *rt, int64_t now)
{
	uint64_t lag = (uint64_t)(now - rt->turn_ns);
	atomic_store_explicit(&rt->lag_ns, lag, memory_order_relaxed);
	if (lag > atomic_load_explicit(&rt->lag_max_ns, memory_order_relaxed)) {
		atomic_store_explicit(&rt->lag_max_ns, lag, memory_order_relaxed);
	}
	if (__builtin_expect(lag >= (uint64_t)rt->stall_ns, 0)) {
		qrt__trace_named(rt, QRT__TRACE_STALL, lag, 0, rt->busy_task, rt->busy_site);
	}
	atomic_store_explicit(&rt->busy_since_ns, 0, memory_order_relaxed);
}

bool qrt__loop_turn(struct qrt_runtime *rt)
{
	begin_turn(rt);
	run_posts(rt);
	fire_timers(rt);
	atomic_store_explicit(&rt->ready_seen, rt->n_ready, memory_order_relaxed);
	run_batch(rt);
	QRT__COUNT(rt->turns, 1);
	if (may_end(rt)) {
		qrt__tell(rt, QRT__TRACE_IDLE, rt, 0);
		atomic_store_explicit(&rt->busy_since_ns, 0, memory_order_relaxed);
		return false;
	}
	end_turn(rt, qrt__now(rt));
	return true;
}

void qrt__loop_enter(struct qrt_runtime *rt)
{
	rt->loop_thread = &qrt__thread_mark;
	qrt__fiber_enter_thread(&rt->loop);
}

void qrt__loop_run(struct qrt_runtime *rt)
{
	qrt__loop_enter(rt);
	struct qrt_runtime *outer = qrt__overflow_watch(rt);
	while (qrt__loop_turn(rt)) {
		rt->driver->poll(rt, poll_timeout(rt, qrt__now(rt)));
	}
	qrt__overflow_unwatch(outer);
}
