/*
 * The libuv driver: readiness of descriptors, one timer for the poll, one
 * eventfd for wake-ups. The only file that names uv.h. Everything above
 * readiness (streams, timers, threads) is the shim's, the same on every driver.
 */
#include "backends/region/libuv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <uv.h>

#include "backends/posix_clock.h"
#include "backends/process_impl.h"
#include "backends/ws_lws.h"
#include "shim/src/internal.h"

struct uv_state {
	uv_loop_t loop;
	int wake_fd;
	uv_poll_t wake;
	uv_timer_t timer;
};

/* Outlives its watch: libuv lets go of a handle only on a later turn. */
struct uv_watch {
	uv_poll_t poll;
	struct qrt__watch *watch; /* NULL once closed */
	int events;		  /* armed */
};

/* The one conversion of libuv's codes, which are negated errno values. */
static enum qrt_err err_from_uv(int code)
{
	return qrt__err_from_errno(-code);
}

/*
 * An eventfd of our own: a thread that receives a uv_async spins until the
 * sender has left uv_async_send, tens of microseconds when both share a core.
 */
static void on_wake(uv_poll_t *poll, int status, int events)
{
	(void)status;
	(void)events;
	struct uv_state *state = QRT__CONTAINER(poll, struct uv_state, wake);
	uint64_t n;
	ssize_t got = read(state->wake_fd, &n, sizeof(n));
	(void)got; /* empty: somebody woke us twice */
}

static int wake_open(struct uv_state *state)
{
	state->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (state->wake_fd < 0) {
		return -errno;
	}
	int code = uv_poll_init(&state->loop, &state->wake, state->wake_fd);
	if (!code) {
		code = uv_poll_start(&state->wake, UV_READABLE, on_wake);
		if (code) {
			uv_close((uv_handle_t *)&state->wake, NULL);
			uv_run(&state->loop, UV_RUN_DEFAULT);
		}
	}
	if (code) {
		close(state->wake_fd);
	}
	return code;
}

/*
 * uv_run fires timers that are due before it polls, and would then poll
 * without a timeout, as none is left: stopping makes that poll return at once.
 */
static void on_timer(uv_timer_t *timer)
{
	uv_stop(timer->loop);
}

/*
 * libuv (1.44) forgets its epoll descriptor when a later step of the init
 * fails. Where it has closed it after all, the number is no descriptor any more.
 */
static void close_left_open(const uv_loop_t *loop)
{
	int fd = uv_backend_fd(loop);
	if (fd > 0 && fcntl(fd, F_GETFD) >= 0) {
		close(fd);
	}
}

static enum qrt_err driver_open(struct qrt_runtime *rt, const struct qrt_runtime_options *opts,
				char *ret_detail)
{
	(void)opts;
	struct uv_state *state = calloc(1, sizeof(*state));
	if (!state) {
		return QRT_ENOMEM;
	}
	int code = uv_loop_init(&state->loop);
	if (code) {
		close_left_open(&state->loop);
	} else {
		code = wake_open(state);
		if (code) {
			uv_loop_close(&state->loop);
		}
	}
	if (code) {
		snprintf(ret_detail, QRT__DETAIL_MAX, "libuv: %s", uv_strerror(code));
		free(state);
		return err_from_uv(code);
	}
	uv_timer_init(&state->loop, &state->timer);
	rt->driver_state = state;
	return QRT_OK;
}

static void driver_close(struct qrt_runtime *rt)
{
	struct uv_state *state = rt->driver_state;
	qrt__lws_close(rt);
	uv_close((uv_handle_t *)&state->wake, NULL);
	uv_close((uv_handle_t *)&state->timer, NULL);
	uv_run(&state->loop, UV_RUN_DEFAULT);
	close(state->wake_fd);
	int code = uv_loop_close(&state->loop);
	QRT_ASSERT(code == 0);
	free(state);
	rt->driver_state = NULL;
}

static void driver_poll(struct qrt_runtime *rt, int64_t timeout_ns)
{
	struct uv_state *state = rt->driver_state;
	if (qrt__lws_write_due(rt, &timeout_ns)) {
		return;
	}
	if (timeout_ns == 0) {
		uv_run(&state->loop, UV_RUN_NOWAIT);
		return;
	}
	if (timeout_ns > 0) {
		/* libuv counts whole milliseconds; early would mean turning in vain. */
		uv_update_time(&state->loop);
		uv_timer_start(&state->timer, on_timer, (uint64_t)((timeout_ns - 1) / QRT_MS + 1),
			       0);
	}
	uv_run(&state->loop, UV_RUN_ONCE);
	uv_timer_stop(&state->timer);
}

static void driver_wake(struct qrt_runtime *rt)
{
	struct uv_state *state = rt->driver_state;
	uint64_t one = 1;
	ssize_t put = write(state->wake_fd, &one, sizeof(one));
	(void)put; /* full: it is readable anyway */
}

static void on_poll(uv_poll_t *poll, int status, int events);

static void watch_start(struct uv_watch *self)
{
	int code = self->events ? uv_poll_start(&self->poll, self->events, on_poll)
				: uv_poll_stop(&self->poll);
	QRT_ASSERT(code == 0);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
	struct uv_watch *self = QRT__CONTAINER(poll, struct uv_watch, poll);
	unsigned io = 0;
	if (status < 0) {
		io = QRT__IO_READ | QRT__IO_WRITE; /* the next try tells what is wrong */
		if (self->watch) {
			/* libuv has stopped the handle, but bytes may have come before the failure:
			 * who reads them waits for it once more. */
			watch_start(self);
		}
	}
	if (events & (UV_READABLE | UV_DISCONNECT)) {
		io |= QRT__IO_READ;
	}
	if (status < 0 || events & UV_DISCONNECT) {
		io |= QRT__IO_HANGUP;
	}
	if (events & UV_WRITABLE) {
		io |= QRT__IO_WRITE;
	}
	if (self->watch) {
		self->watch->ready(self->watch, io);
	}
}

static enum qrt_err watch_open(struct qrt__watch *watch)
{
	struct uv_state *state = watch->rt->driver_state;
	struct uv_watch *self = calloc(1, sizeof(*self));
	if (!self) {
		return QRT_ENOMEM;
	}
	int code = uv_poll_init(&state->loop, &self->poll, watch->fd);
	if (code) {
		free(self);
		return err_from_uv(code);
	}
	self->watch = watch;
	watch->impl = self;
	return QRT_OK;
}

static void watch_arm(struct qrt__watch *watch, unsigned io)
{
	struct uv_watch *self = watch->impl;
	self->events = (io & QRT__IO_READ ? UV_READABLE : 0) |
		       (io & QRT__IO_WRITE ? UV_WRITABLE : 0) |
		       (io & QRT__IO_HANGUP ? UV_DISCONNECT : 0);
	watch_start(self);
}

static void on_closed(uv_handle_t *handle)
{
	free(QRT__CONTAINER(handle, struct uv_watch, poll));
}

static void watch_close(struct qrt__watch *watch)
{
	struct uv_watch *self = watch->impl;
	self->watch = NULL;
	uv_close((uv_handle_t *)&self->poll, on_closed);
}

const struct qrt__driver qrt__driver_libuv = {
    .name = "libuv",
    .open = driver_open,
    .close = driver_close,
    .now = qrt__posix_now,
    .wall_ms = qrt__posix_wall_ms,
    .random = qrt__posix_random,
    .poll = driver_poll,
    .wake = driver_wake,
    .watch_open = watch_open,
    .watch_arm = watch_arm,
    .watch_close = watch_close,
    .net = &qrt__net_posix,
    .process = &qrt__process_posix,
    .ws = &qrt__ws_lws,
};
