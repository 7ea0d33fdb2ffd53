/*
 * The pool: who gets which connection, in what order, and what becomes of one that is given back.
 * A place is counted from the moment it is taken until its connection is closed, so that the
 * limits hold for those being made, too. Never reads or writes more than it takes to see that a
 * kept connection still stands.
 */
#include <stdlib.h>
#include <string.h>

#include "shim/src/http/client.h"

/* Who waits in line; on its stack. */
struct want {
	struct qrt_case arm;
	struct qrt__http_client *client;
	struct qrt__http_origin *origin;
	struct qrt__http_place *spare; /* becomes the place, unless there is a kept one */
	struct qrt__http_place *conn;  /* what was granted */
};

static struct want *want_of(struct qrt_case *arm)
{
	return QRT__CONTAINER(arm, struct want, arm);
}

static struct qrt__http_place *first_idle(struct qrt__list *idle)
{
	return QRT__CONTAINER(idle->next, struct qrt__http_place, in_client);
}

/* --- origins -------------------------------------------------------------------------------- */

static bool leads_to(const struct qrt__http_origin *origin, const struct qrt_http_url *url)
{
	return origin->secure == url->secure && origin->port == url->port &&
	       strcmp(origin->host, url->host) == 0;
}

/* The origin of @url, one user more; NULL: no memory. */
static struct qrt__http_origin *origin_use(struct qrt__http_client *client,
					   const struct qrt_http_url *url)
{
	struct qrt__list *node = client->origins.next;
	for (; node != &client->origins; node = node->next) {
		struct qrt__http_origin *origin =
		    QRT__CONTAINER(node, struct qrt__http_origin, in_client);
		if (leads_to(origin, url)) {
			origin->users++;
			return origin;
		}
	}
	struct qrt__http_origin *origin = calloc(1, sizeof(*origin));
	if (!origin) {
		return NULL;
	}
	origin->users = 1;
	origin->secure = url->secure;
	origin->port = url->port;
	memcpy(origin->host, url->host, sizeof(origin->host));
	qrt__list_init(&origin->idle);
	qrt__list_append(&client->origins, &origin->in_client);
	return origin;
}

static void origin_unuse(struct qrt__http_origin *origin)
{
	QRT_PRE(origin->users > 0);
	if (--origin->users == 0) {
		QRT_ASSERT(origin->connections == 0);
		qrt__list_remove(&origin->in_client);
		free(origin);
	}
}

/* --- places --------------------------------------------------------------------------------- */

static void serve(struct qrt__http_client *client);

static void watch_expiry(struct qrt__http_client *client)
{
	struct qrt__timers *timers = &client->object.rt->timers;
	if (qrt__list_empty(&client->idle)) {
		qrt__timer_stop(timers, &client->expiry);
	} else {
		int64_t since = first_idle(&client->idle)->idle_ns;
		qrt__timer_start(timers, &client->expiry, since + client->opts.idle_ns);
	}
}

void qrt__http_place_lose(struct qrt__http_place *conn)
{
	qrt_stream_close(NULL, &conn->stream);
	conn->calls = 0;
}

/* @spare becomes a place. */
static struct qrt__http_place *place_open(struct qrt__http_client *client,
					  struct qrt__http_origin *origin,
					  struct qrt__http_place *spare)
{
	spare->client = client;
	spare->origin = origin;
	origin->users++;
	origin->connections++;
	client->stats.connections++;
	qrt__list_append(&client->conns, &spare->in_client);
	qrt__list_init(&spare->in_origin);
	return spare;
}

/* Its connection is closed, and the place is nobody's. Lets nobody in yet: serve does. */
static void place_close(struct qrt__http_place *conn)
{
	struct qrt__http_client *client = conn->client;
	struct qrt__http_origin *origin = conn->origin;
	qrt__http_place_lose(conn);
	qrt__list_remove(&conn->in_client);
	free(conn);
	origin->connections--;
	client->stats.connections--;
	origin_unuse(origin);
}

static void idle_leave(struct qrt__http_place *conn)
{
	qrt__list_remove(&conn->in_client);
	qrt__list_remove(&conn->in_origin);
	qrt__list_append(&conn->client->conns, &conn->in_client);
	conn->client->stats.idle--;
	watch_expiry(conn->client);
}

static void idle_enter(struct qrt__http_place *conn)
{
	struct qrt__http_client *client = conn->client;
	qrt__list_remove(&conn->in_client);
	qrt__list_append(&client->idle, &conn->in_client);
	qrt__list_append(&conn->origin->idle, &conn->in_origin);
	conn->idle_ns = qrt__now(client->object.rt);
	client->stats.idle++;
	watch_expiry(client);
}

/* The one that has been idle longest is closed. False: none is idle. */
static bool evict(struct qrt__http_client *client)
{
	if (qrt__list_empty(&client->idle)) {
		return false;
	}
	struct qrt__http_place *conn = first_idle(&client->idle);
	idle_leave(conn);
	place_close(conn);
	client->stats.evicted++;
	return true;
}

void qrt__http_pool_expired(struct qrt__timer *timer)
{
	struct qrt__http_client *client = QRT__CONTAINER(timer, struct qrt__http_client, expiry);
	int64_t now = qrt__now(client->object.rt);
	while (!qrt__list_empty(&client->idle)) {
		struct qrt__http_place *conn = first_idle(&client->idle);
		if (conn->idle_ns + client->opts.idle_ns > now) {
			break;
		}
		idle_leave(conn);
		place_close(conn);
		client->stats.expired++;
	}
	watch_expiry(client);
}

/* --- the line ------------------------------------------------------------------------------- */

/* Kept connections first, the last one back before others: the rest can grow old. */
static bool grab(struct want *want)
{
	struct qrt__http_client *client = want->client;
	struct qrt__http_origin *origin = want->origin;
	if (!qrt__list_empty(&origin->idle)) {
		want->conn = QRT__CONTAINER(origin->idle.prev, struct qrt__http_place, in_origin);
		idle_leave(want->conn);
		return true;
	}
	if (origin->connections >= client->opts.connections_per_origin ||
	    (client->stats.connections >= client->opts.connections_max && !evict(client))) {
		return false;
	}
	want->conn = place_open(client, origin, want->spare);
	want->spare = NULL;
	return true;
}

/*
 * First come first served, but nobody waits behind somebody whose origin is busy. So whoever
 * stands in line could not be served, and a newcomer that can be overtakes nobody.
 */
static void serve(struct qrt__http_client *client)
{
	struct qrt__list *node = client->line.next;
	while (node != &client->line) {
		struct qrt_case *arm = qrt__arm_of(node);
		node = node->next;
		if (grab(want_of(arm))) {
			client->stats.waiting--;
			qrt__grant(arm, QRT_OK);
		}
	}
}

static void place_back(struct qrt__http_place *conn)
{
	struct qrt__http_client *client = conn->client;
	if (conn->stream) {
		QRT_ASSERT(!client->closed); /* its end has taken every connection */
		idle_enter(conn);
	} else {
		place_close(conn);
	}
	serve(client);
}

static enum qrt_err want_try(struct qrt_case *arm)
{
	struct want *want = want_of(arm);
	if (want->client->closed) {
		return QRT_ECLOSED;
	}
	return grab(want) ? QRT_OK : QRT_EAGAIN;
}

static void want_enqueue(struct qrt_case *arm)
{
	struct qrt__http_client *client = want_of(arm)->client;
	qrt__list_append(&client->line, &arm->node_);
	client->stats.waiting++;
}

static void want_withdraw(struct qrt_case *arm)
{
	qrt__list_remove(&arm->node_);
	want_of(arm)->client->stats.waiting--;
}

static enum qrt_err want_finish(struct qrt_case *arm, enum qrt_err granted)
{
	struct want *want = want_of(arm);
	if (!granted && want->client->closed) {
		place_back(want->conn);
		return QRT_ECLOSED;
	}
	return granted;
}

static void want_undo(struct qrt_case *arm)
{
	place_back(want_of(arm)->conn);
}

static const struct qrt__arm_ops want_ops = {
    .kind = QRT__WAIT_HTTP,
    .try_now = want_try,
    .enqueue = want_enqueue,
    .withdraw = want_withdraw,
    .finish = want_finish,
    .undo = want_undo,
};

/* --- taking and giving ---------------------------------------------------------------------- */

/* Whether nothing has come on a connection on which nothing was asked, nor its end. */
static bool stands(struct qrt_cx *cx, struct qrt__http_place *conn)
{
	char byte;
	size_t n;
	return qrt__read_now(cx, conn->stream, &byte, 1, &n) == QRT_EAGAIN;
}

/* The place of @conn gets the connection of a kept one, whose place goes. */
static bool adopt_idle(struct qrt__http_place *conn)
{
	struct qrt__list *idle = &conn->origin->idle;
	if (qrt__list_empty(idle)) {
		return false;
	}
	struct qrt__http_place *other =
	    QRT__CONTAINER(idle->prev, struct qrt__http_place, in_origin);
	idle_leave(other);
	conn->stream = other->stream;
	conn->calls = other->calls;
	other->stream = NULL;
	place_close(other);
	return true;
}

/* Until it is one that stands, or a place without. */
static void check_kept(struct qrt_cx *cx, struct qrt__http_place *conn)
{
	struct qrt__http_client *client = conn->client;
	bool freed = false;
	while (conn->stream && !stands(cx, conn)) {
		client->stats.spoiled++;
		qrt__http_place_lose(conn);
		freed = adopt_idle(conn) || freed;
	}
	if (freed) {
		serve(client);
	}
}

enum qrt_err qrt__http_pool_take(struct qrt_cx *cx, struct qrt__http_call *call)
{
	struct qrt__http_client *client = call->client;
	QRT_PRE(!call->conn);
	struct want want = {
	    .arm = {.ops_ = &want_ops, .object_ = qrt__handle(client), .site_ = call->site},
	    .client = client,
	    .origin = origin_use(client, &call->hop->url),
	    .spare = calloc(1, sizeof(*want.spare))};
	enum qrt_err err = want.origin && want.spare ? qrt__await_one(cx, &want.arm) : QRT_ENOMEM;
	free(want.spare);
	if (want.origin) {
		origin_unuse(want.origin);
	}
	if (err == QRT_ECLOSED) {
		return qrt_fail(cx, err, "the http client is closed");
	}
	if (!err) {
		call->conn = want.conn;
		check_kept(cx, want.conn);
		client->stats.reused += want.conn->stream != NULL;
	}
	return err;
}

void qrt__http_pool_give(struct qrt__http_call *call, bool keep)
{
	struct qrt__http_place *conn = call->conn;
	if (!conn) {
		return;
	}
	struct qrt__http_client *client = conn->client;
	const struct qrt_http_client_options *opts = &client->opts;
	call->conn = NULL;
	if (!keep || opts->no_keep_alive || conn->calls >= opts->calls_per_connection) {
		qrt__http_place_lose(conn);
	}
	place_back(conn);
	if (client->draining || client->stats.idle > opts->idle_max) {
		evict(client);
	}
}

void qrt__http_pool_drain(struct qrt__http_client *client)
{
	while (evict(client)) {
	}
}

void qrt__http_pool_end(struct qrt__http_client *client)
{
	while (!qrt__list_empty(&client->line)) {
		client->stats.waiting--;
		qrt__grant(qrt__arm_of(client->line.next), QRT_ECLOSED);
	}
	while (!qrt__list_empty(&client->idle)) {
		struct qrt__http_place *conn = first_idle(&client->idle);
		idle_leave(conn);
		place_close(conn);
	}
	/* Those in use are their calls' to give back; they only find them closed. */
	struct qrt__list *node = client->conns.next;
	for (; node != &client->conns; node = node->next) {
		struct qrt__http_place *conn =
		    QRT__CONTAINER(node, struct qrt__http_place, in_client);
		qrt__http_place_lose(conn);
		if (conn->connecting && conn->connecting->wait) {
			qrt__wait_abort(conn->connecting->wait, QRT_ECLOSED);
		}
	}
}
