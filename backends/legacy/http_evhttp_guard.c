/*
 * The guard: our strict parser reads what comes in before evhttp does, and keeps none of a body. It
 * must never read on behind the end of a message: what is next comes after the answer.
 */
#include "backends/legacy/http_evhttp.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>

void qrt__ev_guard_begin(struct qrt__ev_conn *conn)
{
	struct qrt_http_server *server = &conn->server->base;
	struct qrt_http_request *req;

	qrt__http_parser_reset(conn->guard);
	req = qrt__http_parser_request(conn->guard);
	req->app = server->opts.app;
	conn->x = (struct qrt__http_exchange){.server = server, .req = req, .resp = &conn->resp};
}

/* The head is there and a body follows. evhttp keeps it whole, so a stream is bounded, too. */
static enum qrt__http_state body_begin(struct qrt__ev_conn *conn)
{
	const struct qrt_http_plan *plan = &conn->x.plan;
	size_t max;

	qrt__http_exchange_plan(&conn->x);
	max = plan->body_max <= QRT__HTTP_WHOLE_MAX ? plan->body_max
						    : conn->server->base.opts.body_max;
	return qrt__http_parser_body(conn->guard, false, max);
}

/* The guard reads @n bytes, as far as they belong to the message. */
static void feed(struct qrt__ev_conn *conn, const char *data, size_t n)
{
	enum qrt__http_state state = QRT__HTTP_MORE;

	while (n > 0 && state == QRT__HTTP_MORE) {
		size_t used = 0;

		state = qrt__http_parser_feed(conn->guard, data, n, &used);
		if (state == QRT__HTTP_HEAD) {
			state = body_begin(conn);
		}
		data += used;
		n -= used;
	}
	if (state == QRT__HTTP_FAULT) {
		qrt__ev_phase_enter(conn, QRT__EV_FAULTY);
		return;
	}
	if (conn->phase == QRT__EV_QUIET && qrt__http_parser_started(conn->guard)) {
		qrt__ev_phase_enter(conn, QRT__EV_HEAD);
	}
	if (conn->phase == QRT__EV_HEAD && qrt__http_parser_has_head(conn->guard)) {
		qrt__ev_phase_enter(conn, QRT__EV_BODY);
	}
}

/* The guard reads @n bytes of @input, from @from on. */
static void feed_from(struct qrt__ev_conn *conn, struct evbuffer *input, size_t from, size_t n)
{
	while (n > 0 && conn->phase != QRT__EV_FAULTY && !qrt__http_parser_is_done(conn->guard)) {
		char part[2048];
		size_t len = n < sizeof(part) ? n : sizeof(part);
		struct evbuffer_ptr at;

		if (evbuffer_ptr_set(input, &at, from, EVBUFFER_PTR_SET) ||
		    evbuffer_copyout_from(input, &at, part, len) != (ev_ssize_t)len) {
			return;
		}
		feed(conn, part, len);
		from += len;
		n -= len;
	}
}

static bool is_receiving(const struct qrt__ev_conn *conn)
{
	return conn->phase == QRT__EV_QUIET || conn->phase == QRT__EV_HEAD ||
	       conn->phase == QRT__EV_BODY;
}

/* Bytes have come in; evhttp sees them afterwards, unless they are refused. */
static void on_input(struct evbuffer *input, const struct evbuffer_cb_info *info, void *arg)
{
	struct qrt__ev_conn *conn = arg;

	if (info->n_added > 0 && is_receiving(conn)) {
		feed_from(conn, input, info->orig_size - info->n_deleted, info->n_added);
	}
	if (conn->phase == QRT__EV_FAULTY) {
		/* So many never come: its read callback is not called any more. */
		bufferevent_setwatermark(conn->bev, EV_READ, EV_SSIZE_MAX, 0);
	}
}

void qrt__ev_guard_catch_up(struct qrt__ev_conn *conn)
{
	struct evbuffer *input = bufferevent_get_input(conn->bev);
	size_t ahead = evbuffer_get_length(input);

	feed_from(conn, input, 0, ahead);
	if (conn->phase == QRT__EV_FAULTY) {
		/* evhttp reads what is there without being asked. */
		evbuffer_drain(input, ahead);
	}
}

bool qrt__ev_guard_watch(struct qrt__ev_conn *conn)
{
	return evbuffer_add_cb(bufferevent_get_input(conn->bev), on_input, conn) != NULL;
}

void qrt__ev_guard_unwatch(struct qrt__ev_conn *conn)
{
	evbuffer_remove_cb(bufferevent_get_input(conn->bev), on_input, conn);
}
