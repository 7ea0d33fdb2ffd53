/*
 * The schedule of a run: when each request is due, who gets it, how it ended.
 * Never looks at bytes.
 */
#include "tests/bench/load_run.h"
#include "tests/bench/load_ws.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

enum { EVENTS_MAX = 256 };

/* How long a connection rests after a failure, so that a dead server is not hammered. */
#define REST_NS (10 * LOAD_NS_PER_MS)
/* How often stuck requests are looked for. */
#define SWEEP_NS (50 * LOAD_NS_PER_MS)

static void push(struct load_queue *q, struct load_conn *c)
{
	c->next = NULL;
	if (q->tail != NULL) {
		q->tail->next = c;
	} else {
		q->head = c;
	}
	q->tail = c;
}

static struct load_conn *pop(struct load_queue *q)
{
	struct load_conn *c = q->head;

	q->head = c->next;
	if (q->head == NULL) {
		q->tail = NULL;
	}
	return c;
}

/* --- how it ended -------------------------------------------------------- */

void load_run_finish(struct load_run *run, struct load_conn *c, enum load_outcome outcome)
{
	struct load_result *result = run->result;
	int64_t now = load_now_ns();

	result->outcomes[outcome]++;
	run->in_flight--;
	c->asked = false;
	c->free_ns = now;
	if (outcome == LOAD_OK || outcome == LOAD_BAD_STATUS) {
		if (run->last_answer_ns != 0 && now - run->last_answer_ns > result->gap_max_ns) {
			result->gap_max_ns = now - run->last_answer_ns;
		}
		run->last_answer_ns = now;
		load_hist_add(&result->hist, (uint64_t)(now - c->intended_ns));
		push(&run->free, c);
		return;
	}
	if (outcome == LOAD_TIMED_OUT) {
		load_hist_add(&result->hist, (uint64_t)(now - c->intended_ns));
	}
	load_conn_drop(c);
	c->rest_until_ns = now + REST_NS;
	push(&run->resting, c);
}

/* --- when it is due ------------------------------------------------------ */

static int64_t due_ns(const struct load_run *run, uint64_t k)
{
	return run->start_ns + (int64_t)((double)k * ((double)LOAD_NS_PER_S / run->options->rate));
}

static bool all_issued(const struct load_run *run, int64_t now)
{
	uint64_t issued = run->result->issued;

	if (run->options->requests != 0 && issued >= run->options->requests) {
		return true;
	}
	return (run->options->rate > 0 ? due_ns(run, issued) : now) >= run->end_ns;
}

static void issue(struct load_run *run, struct load_conn *c, int64_t intended, int64_t now)
{
	struct load_result *result = run->result;
	int64_t late = now - (intended > c->free_ns ? intended : c->free_ns);

	if (late > result->late_max_ns) {
		result->late_max_ns = late;
	}
	c->number = result->issued++;
	c->line = run->mix->n > 0 ? &run->mix->lines[c->number % run->mix->n] : NULL;
	c->asked = true;
	c->intended_ns = intended;
	c->started_ns = now;
	run->in_flight++;
	load_conn_ask(run, c);
}

/* Gives out what is due to whoever is free. Returns when the next is due, 0 for no timer. */
static int64_t pump(struct load_run *run)
{
	int64_t now = load_now_ns(), due;

	while (run->resting.head != NULL && run->resting.head->rest_until_ns <= now) {
		struct load_conn *c = pop(&run->resting);

		c->free_ns = now;
		push(&run->free, c);
	}
	while (run->free.head != NULL && !all_issued(run, now)) {
		due = run->options->rate > 0 ? due_ns(run, run->result->issued) : now;
		if (due > now) {
			return due;
		}
		issue(run, pop(&run->free), due, now);
		now = load_now_ns();
	}
	return run->resting.head != NULL && !all_issued(run, now) ? run->resting.head->rest_until_ns
								  : 0;
}

static void sweep(struct load_run *run, int64_t now)
{
	int64_t limit = (int64_t)run->options->timeout_ms * LOAD_NS_PER_MS;
	unsigned i;

	for (i = 0; i < run->options->connections; i++) {
		struct load_conn *c = &run->conns[i];

		if (c->asked && now - c->started_ns > limit) {
			load_run_finish(run, c, LOAD_TIMED_OUT);
		}
	}
}

/*
 * What was due but found no free connection in the run's time, nor in the
 * time limit after it, was never sent: a failure, and not a silent one.
 */
static void count_unsent(struct load_run *run, int64_t now)
{
	while (run->options->rate > 0 && !all_issued(run, now)) {
		int64_t due = due_ns(run, run->result->issued++);

		run->result->outcomes[LOAD_UNSENT]++;
		load_hist_add(&run->result->hist, (uint64_t)(now > due ? now - due : 0));
	}
}

/* --- the loop ------------------------------------------------------------ */

static void arm(struct load_run *run, int64_t at)
{
	struct itimerspec spec = {0};

	if (at == run->armed_ns) {
		return;
	}
	run->armed_ns = at;
	spec.it_value.tv_sec = at / LOAD_NS_PER_S;
	spec.it_value.tv_nsec = at % LOAD_NS_PER_S;
	if (timerfd_settime(run->timer, TFD_TIMER_ABSTIME, &spec, NULL) != 0) {
		load_die("timerfd: %s", strerror(errno));
	}
}

/* Waits for something to happen, until @until at the longest. */
static void turn(struct load_run *run, int64_t until)
{
	struct epoll_event events[EVENTS_MAX];
	uint64_t ticks;
	int i, n;

	if (!run->options->spin) {
		arm(run, until);
	}
	n = epoll_wait(run->epoll, events, EVENTS_MAX, run->options->spin ? 0 : -1);
	for (i = 0; i < n; i++) {
		if (events[i].data.ptr == NULL) {
			(void)!read(run->timer, &ticks, sizeof(ticks));
			run->armed_ns = 0;
		} else {
			load_conn_event(run, events[i].data.ptr);
		}
	}
}

void load_run_opened(struct load_run *run, struct load_conn *c)
{
	c->opening = false;
	run->opening--;
	push(&run->free, c);
}

static void open_all(struct load_run *run)
{
	int64_t give_up = load_now_ns() + (int64_t)run->options->timeout_ms * LOAD_NS_PER_MS;
	unsigned i;

	for (i = 0; i < run->options->connections; i++) {
		struct load_conn *c = &run->conns[i];

		load_conn_init(run, c);
		c->opening = true;
		run->opening++;
		load_conn_open(run, c);
	}
	while (run->opening > 0 && load_now_ns() < give_up) {
		turn(run, give_up);
	}
	for (i = 0; i < run->options->connections && run->opening > 0; i++) {
		if (run->conns[i].opening) {
			load_conn_drop(&run->conns[i]);
			load_run_opened(run, &run->conns[i]);
		}
	}
}

static void ask_all(struct load_run *run)
{
	int64_t next_sweep = 0, now, give_up, next;
	unsigned i;

	run->start_ns = load_now_ns();
	run->end_ns = run->start_ns + (int64_t)(run->options->seconds * (double)LOAD_NS_PER_S);
	give_up = run->end_ns + (int64_t)run->options->timeout_ms * LOAD_NS_PER_MS;
	for (i = 0; i < run->options->connections; i++) {
		run->conns[i].free_ns = run->start_ns;
	}
	for (;;) {
		next = pump(run);
		now = load_now_ns();
		if (now >= next_sweep) {
			sweep(run, now);
			next_sweep = now + SWEEP_NS;
		}
		if ((run->in_flight == 0 && all_issued(run, now)) || now > give_up) {
			break;
		}
		turn(run, next != 0 && next < next_sweep ? next : next_sweep);
	}
	/* At most one sweep is missing for those still under way. */
	for (i = 0; i < run->options->connections; i++) {
		if (run->conns[i].asked) {
			load_run_finish(run, &run->conns[i], LOAD_TIMED_OUT);
		}
	}
	count_unsent(run, now);
	run->result->seconds = (double)(load_now_ns() - run->start_ns) / (double)LOAD_NS_PER_S;
}

/* --- begin and end ------------------------------------------------------- */

static void prepare_upgrade(struct load_run *run)
{
	FILE *f = load_must(open_memstream(&run->upgrade, &run->upgrade_len));
	size_t i;

	fprintf(f,
		"GET %s HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " LOAD_WS_KEY "\r\n",
		run->target->path, run->target->host);
	for (i = 0; i < run->mix->n_headers; i++) {
		fprintf(f, "%s\r\n", run->mix->headers[i]);
	}
	fputs("\r\n", f);
	if (fclose(f) != 0) {
		load_die("out of memory");
	}
}

void load_run(const struct load_options *options, const struct load_target *target,
	      struct load_mix *mix, struct load_result *ret_result)
{
	struct load_run run = {
	    .options = options, .target = target, .mix = mix, .result = ret_result};
	struct epoll_event ev = {.events = EPOLLIN};
	unsigned i;

	memset(ret_result, 0, sizeof(*ret_result));
	run.epoll = epoll_create1(EPOLL_CLOEXEC);
	run.timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	if (run.epoll < 0 || run.timer < 0 ||
	    epoll_ctl(run.epoll, EPOLL_CTL_ADD, run.timer, &ev) != 0) {
		load_die("epoll: %s", strerror(errno));
	}
	run.conns = load_must(calloc(options->connections, sizeof(*run.conns)));
	if (target->ws) {
		prepare_upgrade(&run);
	}
	open_all(&run);
	ask_all(&run);
	for (i = 0; i < options->connections; i++) {
		load_conn_fini(&run, &run.conns[i]);
	}
	free(run.upgrade);
	free(run.conns);
	close(run.timer);
	close(run.epoll);
}
