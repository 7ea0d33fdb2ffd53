/*
 * The libevent driver: readiness of descriptors, one timer for the poll, an
 * eventfd for wake-ups. Its HTTP server is libevent's own (http_evhttp.h).
 */
#include "backends/legacy/libevent.h"

#include <errno.h>
#include <event2/event.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "backends/legacy/http_evhttp.h"
#include "backends/posix_clock.h"
#include "backends/process_impl.h"
#include "backends/ws_lws.h"
#include "shim/src/internal.h"

#define HANGUP_LOOK_NS (20 * QRT_MS)

struct ev_state {
	struct event_base *base;
	struct event *wake, *timer;
	int wake_fd;
};

struct ev_watch {
	struct event *read, *write, *hangup;
};

struct event_base *qrt__libevent_base(struct qrt_runtime *rt)
{
	struct ev_state *state = rt->driver_state;
	return state->base;
}

static void on_wake(evutil_socket_t fd, short what, void *arg)
{
	(void)what;
	(void)arg;
	uint64_t count;
	QRT_IGNORE(read(fd, &count, sizeof(count)), "only the wake-up itself counts");
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
}

static void state_free(struct ev_state *state)
{
	if (state->wake) {
		event_free(state->wake);
	}
	if (state->timer) {
		event_free(state->timer);
	}
	if (state->base) {
		event_base_free(state->base);
	}
	if (state->wake_fd >= 0) {
		close(state->wake_fd);
	}
	free(state);
}

/* libevent ends the process when a new base finds no descriptors: look for room before. */
static enum qrt_err room_for_base(void)
{
	enum { NEEDED = 3 }; /* epoll, and a pair for signals */
	int fd[NEEDED];
	int n = 0;
	enum qrt_err err = QRT_OK;
	while (n < NEEDED && !err) {
		fd[n] = eventfd(0, EFD_CLOEXEC);
		if (fd[n] < 0) {
			err = qrt__err_from_errno(errno);
		} else {
			n++;
		}
	}
	while (n > 0) {
		close(fd[--n]);
	}
	return err;
}

/* libevent does not say why it failed: it is short of descriptors only where it opens one. */
static enum qrt_err fill(struct ev_state *state)
{
	state->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (state->wake_fd < 0) {
		return qrt__err_from_errno(errno);
	}
	enum qrt_err err = room_for_base();
	if (err) {
		return err;
	}
	errno = 0;
	state->base = event_base_new();
	if (!state->base) {
		return errno == EMFILE || errno == ENFILE ? QRT_EMFILE : QRT_ENOMEM;
	}
	state->wake = event_new(state->base, state->wake_fd, EV_READ | EV_PERSIST, on_wake, NULL);
	state->timer = evtimer_new(state->base, on_timer, NULL);
	if (!state->wake || !state->timer || event_add(state->wake, NULL)) {
		return QRT_ENOMEM;
	}
	return QRT_OK;
}

static enum qrt_err driver_open(struct qrt_runtime *rt, const struct qrt_runtime_options *opts,
				char *ret_detail)
{
	(void)opts;
	struct ev_state *state = calloc(1, sizeof(*state));
	if (!state) {
		return QRT_ENOMEM;
	}
	enum qrt_err err = fill(state);
	if (err) {
		snprintf(ret_detail, QRT__DETAIL_MAX, "libevent: no event base: %s",
			 qrt_err_text(err));
		state_free(state);
		return err;
	}
	rt->driver_state = state;
	return QRT_OK;
}

static void driver_close(struct qrt_runtime *rt)
{
	qrt__lws_close(rt);
	state_free(rt->driver_state);
	rt->driver_state = NULL;
}

static void driver_poll(struct qrt_runtime *rt, int64_t timeout_ns)
{
	struct ev_state *state = rt->driver_state;
	if (qrt__lws_write_due(rt, &timeout_ns)) {
		return;
	}
	if (timeout_ns == 0) {
		event_base_loop(state->base, EVLOOP_NONBLOCK);
		return;
	}
	if (timeout_ns > 0) {
		/* Rounded up to a whole microsecond: early would mean turning in vain. */
		int64_t us = (timeout_ns - 1) / 1000 + 1;
		struct timeval tv = {.tv_sec = us / 1000000, .tv_usec = us % 1000000};
		if (evtimer_add(state->timer, &tv)) {
			/* No memory for it: rather turn in vain than sleep for ever. */
			event_base_loop(state->base, EVLOOP_NONBLOCK);
			return;
		}
	}
	event_base_loop(state->base, EVLOOP_ONCE);
	evtimer_del(state->timer);
}

static void driver_wake(struct qrt_runtime *rt)
{
	struct ev_state *state = rt->driver_state;
	const uint64_t one = 1;
	QRT_IGNORE(write(state->wake_fd, &one, sizeof(one)), "a full counter wakes as well");
}

static void on_event(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	struct qrt__watch *watch = arg;
	watch->ready(watch,
		     (what & EV_READ ? QRT__IO_READ : 0u) | (what & EV_WRITE ? QRT__IO_WRITE : 0u));
}

static void hangup_look_in(struct event *event, int64_t ns)
{
	const struct timeval tv = {.tv_usec = ns / 1000};
	QRT_IGNORE(evtimer_add(event, &tv), "without memory for it the next write will tell");
}

/*
 * What is readable and not read cannot be watched: bytes would be told again and again, and
 * libevent tells of a reset to who reads or writes only. So it is looked at now and then.
 */
static void on_hangup(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	struct qrt__watch *watch = arg;
	const struct ev_watch *self = watch->impl;
	struct pollfd look = {.fd = watch->fd, .events = POLLRDHUP};
	if (poll(&look, 1, 0) == 1) {
		watch->ready(watch, QRT__IO_HANGUP);
	} else {
		hangup_look_in(self->hangup, HANGUP_LOOK_NS);
	}
}

static void set_event(struct event *event, bool on)
{
	int code = on ? event_add(event, NULL) : event_del(event);
	QRT_ASSERT(code == 0);
}

static void watch_free(struct ev_watch *self)
{
	if (self->read) {
		event_free(self->read);
	}
	if (self->write) {
		event_free(self->write);
	}
	if (self->hangup) {
		event_free(self->hangup);
	}
	free(self);
}

static enum qrt_err watch_open(struct qrt__watch *watch)
{
	struct ev_state *state = watch->rt->driver_state;
	struct ev_watch *self = calloc(1, sizeof(*self));
	if (!self) {
		return QRT_ENOMEM;
	}
	self->read = event_new(state->base, watch->fd, EV_READ | EV_PERSIST, on_event, watch);
	self->write = event_new(state->base, watch->fd, EV_WRITE | EV_PERSIST, on_event, watch);
	/*
	 * Adding is where libevent makes room for the descriptor, and keeps it. Done
	 * once here, where a shortage is an error of the open, arming cannot run into one.
	 */
	self->hangup = evtimer_new(state->base, on_hangup, watch);
	if (!self->read || !self->write || !self->hangup || event_add(self->read, NULL)) {
		watch_free(self);
		return QRT_ENOMEM;
	}
	set_event(self->read, false);
	watch->impl = self;
	return QRT_OK;
}

static void watch_arm(struct qrt__watch *watch, unsigned io)
{
	struct ev_watch *self = watch->impl;
	set_event(self->read, io & QRT__IO_READ);
	set_event(self->write, io & QRT__IO_WRITE);
	/* With READ the end of stream is told as readiness. */
	if ((io & (QRT__IO_HANGUP | QRT__IO_READ)) != QRT__IO_HANGUP) {
		set_event(self->hangup, false);
	} else if (!evtimer_pending(self->hangup, NULL)) {
		hangup_look_in(self->hangup, 0);
	}
}

static void watch_close(struct qrt__watch *watch)
{
	watch_free(watch->impl);
	watch->impl = NULL;
}

const struct qrt__driver qrt__driver_libevent = {
    .name = "libevent",
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
    .http = &qrt__http_evhttp,
    .ws = &qrt__ws_lws,
};
