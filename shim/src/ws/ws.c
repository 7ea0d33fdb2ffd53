/*
 * The life of a WebSocket: opened by connect or accept, alive while something
 * is heard, ended once, by whoever comes first. How messages pass is in
 * ws/io.c; who makes frames of them is behind backends/ws_impl.h.
 */
#include "shim/src/ws/ws.h"

#include <stdio.h>
#include <stdlib.h>

#include <qrt/resolve.h>

_Static_assert(sizeof(struct qrt__ws) <= QRT__SLOT_ALIGN, "a websocket fits a slot");

#define CLOSED_MAGIC 0x71724e31u

struct qrt_runtime *qrt__ws_runtime(const struct qrt__ws *ws)
{
	return ws->rt;
}

void **qrt__ws_link(struct qrt__ws *ws)
{
	return &ws->link;
}

/* --- waits ---------------------------------------------------------------------------------- */

static void ws_free(struct qrt__ws *ws)
{
	qrt__ws_free_messages(ws);
	free(ws->account);
	qrt__pool_give(&ws->rt->objects, ws);
}

static void wake(struct qrt__wait **waiter, enum qrt_err result)
{
	struct qrt__wait *wait = *waiter;
	if (wait) {
		*waiter = NULL;
		qrt__unpark(wait, result);
	}
}

enum qrt_err qrt__ws_wait(struct qrt_cx *cx, struct qrt__ws *ws, struct qrt__wait *wait,
			  int64_t deadline_ns)
{
	ws->users++;
	enum qrt_err err = qrt__park(cx, wait, deadline_ns);
	ws->users--;
	if (!ws->closed) {
		return err;
	}
	if (ws->users == 0) {
		ws_free(ws);
	}
	return QRT_ECLOSED;
}

enum qrt_err qrt__ws_find(struct qrt_cx *cx, const struct qrt_ws *handle, struct qrt__ws **ret_ws)
{
	enum qrt_err err = qrt__is_running(cx);
	if (err) {
		return err;
	}
	struct qrt__ws *ws = qrt__handle_object(handle, QRT__WS_MAGIC);
	if (!ws) {
		return qrt_fail(cx, QRT_ESTALE, "the websocket has been closed");
	}
	if (ws->rt != cx->task->rt) {
		return qrt_fail(cx, QRT_EINVAL, "the websocket is one of runtime %s", ws->rt->name);
	}
	*ret_ws = ws;
	return QRT_OK;
}

enum qrt_err qrt__ws_why(struct qrt_cx *cx, const struct qrt__ws *ws)
{
	if (ws->state == QRT__WS_CLOSING) {
		return qrt_fail(cx, QRT_ECLOSED, "the websocket has been shut down");
	}
	QRT_PRE(ws->state == QRT__WS_ENDED);
	const struct qrt__ws_account *account = ws->account;
	return qrt_fail(cx, account->info.ended, "%s", account->detail);
}

/* --- the end -------------------------------------------------------------------------------- */

static void move(struct qrt__ws *ws, enum qrt__ws_state to)
{
	QRT_ASSERT(to > ws->state);
	QRT_ASSERT(to != QRT__WS_CLOSING || ws->state == QRT__WS_OPEN);
	qrt__trace(ws->rt, QRT__TRACE_IO, QRT__WS_MAGIC, to);
	ws->state = to;
}

void qrt__ws_let_go(struct qrt__ws *ws, unsigned code)
{
	if (ws->linked) {
		ws->linked = false;
		ws->impl->end(ws, code);
		ws->link = NULL;
	}
}

void qrt__ws_over(struct qrt__ws *ws, enum qrt_err err, unsigned code)
{
	struct qrt_ws_info *info = &ws->account->info;
	bool shut_down = ws->state == QRT__WS_CLOSING;
	move(ws, QRT__WS_ENDED);
	qrt__timer_stop(&ws->rt->timers, &ws->liveness);
	info->ended = shut_down ? QRT_ECLOSED : err;
	info->by_peer = err == QRT_EEOF && !shut_down;
	info->code = shut_down ? ws->close_code : code;
	wake(&ws->opener, err);
	wake(&ws->receiver, info->ended);
	wake(&ws->closer, QRT_OK);
	qrt__ws_fail_senders(ws, info->ended);
}

void qrt__ws_ended(struct qrt__ws *ws, enum qrt_err err, unsigned code, const char *reason,
		   const char *detail)
{
	struct qrt__ws_account *account = ws->account;
	QRT_PRE(ws->linked);
	ws->linked = false;
	ws->link = NULL;
	err = err == QRT_ETIMEDOUT ? QRT_EPEER : err;
	snprintf(account->info.reason, sizeof(account->info.reason), "%s", reason ? reason : "");
	if (detail) {
		snprintf(account->detail, sizeof(account->detail), "%s", detail);
	} else if (err == QRT_EEOF) {
		snprintf(account->detail, sizeof(account->detail),
			 "the peer has closed the websocket: %u %s", code, account->info.reason);
	} else {
		snprintf(account->detail, sizeof(account->detail), "websocket: %s",
			 qrt_err_text(err));
	}
	qrt__ws_over(ws, err, code);
}

/* --- liveness ------------------------------------------------------------------------------- */

static void listen_until(struct qrt__ws *ws, int64_t at_ns)
{
	if (ws->limits.ping_ns != QRT_WS_NEVER) {
		qrt__timer_start(&ws->rt->timers, &ws->liveness, at_ns);
	}
}

void qrt__ws_heard(struct qrt__ws *ws)
{
	ws->heard_ns = qrt__now(ws->rt);
	ws->ping_at = 0;
}

/* The timer is not moved each time something is heard: it looks when it fires. */
static void liveness_due(struct qrt__timer *timer)
{
	struct qrt__ws *ws = QRT__CONTAINER(timer, struct qrt__ws, liveness);
	int64_t now = qrt__now(ws->rt);
	if (!ws->flowing) {
		/* Nobody listens, so that nothing is heard; but the peer may. */
		ws->ping_due = true;
		ws->impl->wake(ws);
		listen_until(ws, now + ws->limits.ping_ns);
	} else if (ws->ping_at > 0) {
		snprintf(ws->account->detail, sizeof(ws->account->detail),
			 "nothing was heard of the websocket's peer");
		qrt__ws_let_go(ws, 0);
		qrt__ws_over(ws, QRT_EPEER, QRT_WS_DROPPED);
	} else if (now - ws->heard_ns >= ws->limits.ping_ns) {
		ws->ping_at = now;
		ws->ping_due = true;
		ws->impl->wake(ws);
		listen_until(ws, now + ws->limits.pong_ns);
	} else {
		listen_until(ws, ws->heard_ns + ws->limits.ping_ns);
	}
}

void qrt__ws_pong(struct qrt__ws *ws)
{
	struct qrt_ws_info *info = &ws->account->info;
	info->pongs++;
	if (ws->ping_at > 0) {
		info->rtt_ns = qrt__now(ws->rt) - ws->ping_at;
	}
	qrt__ws_heard(ws);
}

void qrt__ws_look_at_flow(struct qrt__ws *ws)
{
	/* After our close nothing is kept: the peer's own must not be stopped by what it sent. */
	bool wanted = ws->state == QRT__WS_CLOSING ||
		      (ws->queued < QRT_WS_QUEUE_MAX && ws->queued_bytes < ws->limits.queue_bytes);
	if (ws->linked && wanted != ws->flowing) {
		ws->flowing = wanted;
		qrt__ws_heard(ws);
		ws->impl->flow(ws, wanted);
	}
}

/* --- the beginning -------------------------------------------------------------------------- */

static void shut(void *arg)
{
	struct qrt__ws *ws = arg;
	ws->closed = true;
	ws->slot.magic = CLOSED_MAGIC;
	bool may_speak = ws->state == QRT__WS_OPEN || ws->state == QRT__WS_CLOSING;
	unsigned code = ws->state == QRT__WS_CLOSING ? ws->close_code : QRT_WS_GOING_AWAY;
	qrt__ws_let_go(ws, may_speak && !ws->sending ? code : 0);
	qrt__timer_stop(&ws->rt->timers, &ws->liveness);
	wake(&ws->opener, QRT_ECLOSED);
	wake(&ws->receiver, QRT_ECLOSED);
	wake(&ws->closer, QRT_ECLOSED);
	qrt__ws_fail_senders(ws, QRT_ECLOSED);
	QRT__COUNT(ws->rt->streams_live, -1);
	if (ws->users == 0) {
		ws_free(ws);
	}
}

static enum qrt_err ws_new(struct qrt_cx *cx, const struct qrt_ws_limits *limits, const char *site,
			   struct qrt__ws **ret_ws)
{
	struct qrt_runtime *rt = cx->task->rt;
	struct qrt_ws_limits filled;
	const struct qrt__ws_impl *impl = rt->driver->ws;
	if (!impl) {
		return qrt_fail(cx, QRT_ENOTSUP, "backend %s has no websockets", rt->backend->name);
	}
	enum qrt_err err = qrt__ws_limits_fill(cx, limits, &filled);
	if (err) {
		return err;
	}
	struct qrt__ws_account *account = calloc(1, sizeof(*account));
	struct qrt__ws *ws = account ? qrt__pool_take(&rt->objects, QRT__WS_MAGIC) : NULL;
	err = ws ? qrt_oblige_at(cx, QRT_DUTY_STREAM, "websocket", shut, ws, site, &ws->duty)
		 : QRT_ENOMEM;
	if (err) {
		free(account);
		if (ws) {
			qrt__pool_give(&rt->objects, ws);
		}
		return err;
	}
	ws->rt = rt;
	ws->impl = impl;
	ws->limits = filled;
	ws->account = account;
	qrt__list_init(&ws->senders);
	qrt__list_init(&ws->queue);
	qrt__timer_init(&ws->liveness, liveness_due);
	QRT__COUNT(rt->streams_live, 1);
	*ret_ws = ws;
	return QRT_OK;
}

static void destroy(struct qrt__ws *ws)
{
	QRT_IGNORE(qrt_settle(&ws->duty), "the ledger itself may be closing it");
	shut(ws);
}

void qrt__ws_opened(struct qrt__ws *ws, const char *subprotocol)
{
	struct qrt_ws_info *info = &ws->account->info;
	move(ws, QRT__WS_OPEN);
	snprintf(info->subprotocol, sizeof(info->subprotocol), "%s",
		 subprotocol ? subprotocol : "");
	ws->flowing = true; /* a link begins so */
	qrt__ws_heard(ws);
	listen_until(ws, ws->heard_ns + ws->limits.ping_ns);
	wake(&ws->opener, QRT_OK);
}

struct opening {
	struct qrt__wait wait;
	struct qrt__ws *ws;
};

static void opening_abort(struct qrt__wait *wait, enum qrt_err why)
{
	struct opening *opening = QRT__CONTAINER(wait, struct opening, wait);
	opening->ws->opener = NULL;
	qrt__ws_let_go(opening->ws, 0);
	qrt__unpark(wait, why);
}

/* Until the handshake is over. */
static enum qrt_err await_opening(struct qrt_cx *cx, struct qrt__ws *ws, const char *site)
{
	int64_t until = qrt_deadline_in(cx, ws->limits.handshake_ns);
	struct opening opening = {.ws = ws};
	qrt__wait_init(&opening.wait, cx, QRT__WAIT_WS, "open", opening_abort);
	opening.wait.site = site;
	ws->opener = &opening.wait;
	ws->linked = true;
	enum qrt_err err = qrt__ws_wait(cx, ws, &opening.wait, until);
	if (err == QRT_ETIMEDOUT && until < qrt_cx_deadline(cx)) {
		return qrt_fail(cx, QRT_EPEER, "no answer to the handshake");
	}
	if (err && err != QRT_ECLOSED && ws->state == QRT__WS_ENDED) {
		return qrt__ws_why(cx, ws);
	}
	return err;
}

struct beginning {
	struct qrt__ws *ws;
	const struct qrt__ws_target *target;
	enum qrt_err err;
};

static void begin(void *arg)
{
	struct beginning *beginning = arg;
	struct qrt__ws *ws = beginning->ws;
	beginning->err = ws->impl->connect(ws, beginning->target);
}

/* One attempt at one address. */
static enum qrt_err attempt(struct qrt_cx *cx, const struct qrt__ws_target *target,
			    const char *site, struct qrt__ws **ret_ws)
{
	struct qrt__ws *ws;
	enum qrt_err err = ws_new(cx, &target->opts->limits, site, &ws);
	if (err) {
		return err;
	}
	struct beginning beginning = {.ws = ws, .target = target};
	target->detail[0] = '\0';
	qrt__on_loop(cx, begin, &beginning);
	err = beginning.err;
	if (err) {
		const char *detail = target->detail;
		err = qrt_fail(cx, err, "%s", detail[0] ? detail : qrt_err_text(err));
	} else {
		err = await_opening(cx, ws, site);
	}
	if (!err) {
		*ret_ws = ws;
	} else if (err != QRT_ECLOSED) {
		destroy(ws);
	}
	return err;
}

enum { ADDRESSES_MAX = 8 };

enum qrt_err qrt_ws_connect_at(struct qrt_cx *cx, const char *url,
			       const struct qrt_ws_connect_options *opts, const char *site,
			       struct qrt_ws **ret_ws)
{
	static const struct qrt_ws_connect_options defaults;
	struct qrt__ws_url parsed;
	opts = opts ? opts : &defaults;
	enum qrt_err err = qrt_cx_require(cx, QRT_CAP_NET);
	err = err ? err : qrt__ws_url_parse(cx, url, &parsed);
	err = err ? err : qrt__ws_connect_check(cx, opts);
	if (!err) {
		err = qrt__suspending(cx);
	}
	if (err) {
		return err;
	}
	struct qrt_address address[ADDRESSES_MAX];
	size_t n;
	err = qrt_resolve(cx, parsed.host, address, ADDRESSES_MAX, &n);
	if (err) {
		return err;
	}
	struct qrt__ws *ws = NULL;
	char detail[QRT__DETAIL_MAX];
	for (size_t i = 0; i < n; i++) {
		const struct qrt__ws_target target = {.address = address[i].text,
						      .port = parsed.port,
						      .secure = parsed.secure,
						      .host = parsed.host,
						      .authority = parsed.authority,
						      .path = parsed.path,
						      .opts = opts,
						      .detail = detail};
		err = attempt(cx, &target, site, &ws);
		/* Only another address may help against these. */
		if (err != QRT_ECONNREFUSED && err != QRT_ECONNRESET && err != QRT_EPEER &&
		    err != QRT_EIO) {
			break;
		}
	}
	if (err) {
		return qrt_prefix(cx, err, parsed.authority);
	}
	*ret_ws = qrt__handle(ws);
	return QRT_OK;
}

enum qrt_err qrt_ws_accept_at(struct qrt_cx *cx, struct qrt_stream **stream,
			      const struct qrt_ws_accept_options *opts, const char *site,
			      struct qrt_ws **ret_ws)
{
	static const struct qrt_ws_accept_options defaults;
	struct qrt__ws *ws = NULL;
	int fd;
	opts = opts ? opts : &defaults;
	enum qrt_err err = qrt_cx_require(cx, QRT_CAP_NET);
	if (!err) {
		err = qrt__suspending(cx);
	}
	if (!err) {
		err = ws_new(cx, &opts->limits, site, &ws);
	}
	if (!err) {
		err = qrt__stream_release(cx, *stream, &fd);
	}
	qrt_stream_close(cx, stream);
	if (!err) {
		err = ws->impl->accept(ws, fd, opts);
		err = err ? qrt_fail(cx, err, "websocket: %s", qrt_err_text(err))
			  : await_opening(cx, ws, site);
	}
	if (!err) {
		*ret_ws = qrt__handle(ws);
	} else if (ws && err != QRT_ECLOSED) {
		destroy(ws);
	}
	return err;
}

/* --- closing -------------------------------------------------------------------------------- */

struct closing {
	struct qrt__wait wait;
	struct qrt__ws *ws;
};

static void closing_abort(struct qrt__wait *wait, enum qrt_err why)
{
	QRT__CONTAINER(wait, struct closing, wait)->ws->closer = NULL;
	qrt__unpark(wait, why);
}

static void begin_shutdown(struct qrt__ws *ws, unsigned code, const char *reason)
{
	struct qrt__ws_account *account = ws->account;
	move(ws, QRT__WS_CLOSING);
	snprintf(account->close_reason, sizeof(account->close_reason), "%s", reason ? reason : "");
	snprintf(account->detail, sizeof(account->detail), "the websocket has been shut down");
	ws->close_code = code;
	ws->close_due = true;
	qrt__timer_stop(&ws->rt->timers, &ws->liveness);
	wake(&ws->receiver, QRT_ECLOSED);
	qrt__ws_look_at_flow(ws);
	ws->impl->wake(ws);
}

enum qrt_err qrt_ws_shutdown(struct qrt_cx *cx, struct qrt_ws *handle, unsigned code,
			     const char *reason)
{
	struct qrt__ws *ws;
	enum qrt_err err = qrt_cx_require(cx, QRT_CAP_NET);
	err = err ? err : qrt__ws_find(cx, handle, &ws);
	err = err ? err : qrt__ws_close_check(cx, code, reason);
	if (!err) {
		err = qrt__suspending(cx);
	}
	if (err) {
		return err;
	}
	if (ws->closer) {
		return qrt_fail(cx, QRT_EBUSY, "another task shuts this websocket down");
	}
	if (ws->state == QRT__WS_OPEN) {
		begin_shutdown(ws, code, reason);
	}
	if (ws->state == QRT__WS_ENDED) {
		return QRT_OK;
	}
	int64_t until = qrt_deadline_in(cx, ws->limits.close_ns);
	struct closing closing = {.ws = ws};
	qrt__wait_init(&closing.wait, cx, QRT__WAIT_WS, "shutdown", closing_abort);
	ws->closer = &closing.wait;
	err = qrt__ws_wait(cx, ws, &closing.wait, until);
	if (err == QRT_ECLOSED && closing.wait.result == QRT_OK) {
		return QRT_OK; /* first it had ended, then it was closed */
	}
	if (err == QRT_ETIMEDOUT && until < qrt_cx_deadline(cx)) {
		if (ws->state != QRT__WS_ENDED) {
			qrt__ws_let_go(ws, 0);
			qrt__ws_over(ws, QRT_EPEER, ws->close_code);
		}
		return qrt_fail(cx, QRT_EPEER, "no answer to the close");
	}
	return err;
}

void qrt_ws_close(struct qrt_cx *cx, struct qrt_ws **handle)
{
	struct qrt__ws *ws = qrt__handle_object(*handle, QRT__WS_MAGIC);
	(void)cx;
	if (ws) {
		destroy(ws);
	}
	*handle = NULL;
}

enum qrt_err qrt_ws_info(struct qrt_cx *cx, struct qrt_ws *handle, struct qrt_ws_info *ret_info)
{
	struct qrt__ws *ws;
	enum qrt_err err = qrt__ws_find(cx, handle, &ws);
	if (!err) {
		*ret_info = ws->account->info;
		ret_info->queued = ws->queued;
	}
	return err;
}
