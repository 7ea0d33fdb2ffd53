/*
 * Clients: what is set, opening, draining, closing, figures. Connections and calls are other
 * files' affair.
 */
#include "shim/src/http/client.h"

#include <qrt/tls.h>

enum { LOOKUPS_MAX = 8 }; /* at once, of one client */
#define BYTES_MAX ((size_t)1 << 30)
#define HEAD_BYTES_MAX ((size_t)1 << 20)
#define COUNT_MAX ((size_t)65536)

/* --- options -------------------------------------------------------------------------------- */

static size_t n_or(size_t n, size_t fallback)
{
	return n ? n : fallback;
}

static int64_t ns_or(int64_t ns, int64_t fallback)
{
	return ns ? ns : fallback;
}

static enum qrt_err check(struct qrt_cx *cx, const struct qrt_http_client_options *opts)
{
	if (opts->connections_max > COUNT_MAX || opts->connections_per_origin > COUNT_MAX ||
	    opts->idle_max > COUNT_MAX) {
		return qrt_fail(cx, QRT_EINVAL, "http client: more than 65536 connections");
	}
	if (opts->idle_ns < 0 || opts->connect_ns < 0 || opts->attempt_ns < 0 ||
	    opts->head_ns < 0 || opts->silence_ns < 0 || opts->expect_ns < 0) {
		return qrt_fail(cx, QRT_EINVAL, "http client: a time below 0");
	}
	if (opts->head_max > HEAD_BYTES_MAX || opts->body_max > BYTES_MAX) {
		return qrt_fail(cx, QRT_EINVAL,
				"http client: a head above 1 MiB or a body above 1 GiB");
	}
	return QRT_OK;
}

static struct qrt_http_client_options filled(const struct qrt_http_client_options *opts)
{
	struct qrt_http_client_options full = *opts;
	full.connections_max = n_or(opts->connections_max, 64);
	full.connections_per_origin = n_or(opts->connections_per_origin, 8);
	full.idle_max = n_or(opts->idle_max, 16);
	full.calls_per_connection = (unsigned)n_or(opts->calls_per_connection, 1000);
	full.idle_ns = ns_or(opts->idle_ns, 30 * QRT_SEC);
	full.connect_ns = ns_or(opts->connect_ns, 10 * QRT_SEC);
	full.attempt_ns = ns_or(opts->attempt_ns, 3 * QRT_SEC);
	full.head_ns = ns_or(opts->head_ns, 30 * QRT_SEC);
	full.silence_ns = ns_or(opts->silence_ns, 30 * QRT_SEC);
	full.expect_ns = ns_or(opts->expect_ns, QRT_SEC);
	full.head_max = n_or(opts->head_max, 64 * 1024);
	full.body_max = n_or(opts->body_max, (size_t)2 << 20);
	return full;
}

/* --- life ----------------------------------------------------------------------------------- */

void qrt__http_client_unuse(struct qrt__http_client *client)
{
	QRT_PRE(client->users > 0);
	if (--client->users == 0 && client->closed) {
		QRT_ASSERT(qrt__list_empty(&client->conns));
		QRT_ASSERT(qrt__list_empty(&client->origins));
		qrt_tls_unref(&client->opts.tls);
		qrt__object_free(&client->object);
	}
}

static void client_end(void *arg)
{
	struct qrt__http_client *client = arg;
	client->draining = client->closed = true;
	qrt__object_retire(&client->object);
	qrt__http_pool_end(client);
	qrt__timer_stop(&client->object.rt->timers, &client->expiry);
	QRT_IGNORE(qrt_semaphore_close(&client->lookups), "its region may have closed it");
	qrt__event_set(&client->quiet);
	client->users++;
	qrt__http_client_unuse(client);
}

const struct qrt__object_kind qrt__http_client_kind = {
    .magic = 0x71724e48u,
    .name = "http client",
    .end = client_end,
    .closed = "the http client has been closed",
    .foreign = QRT_EINVAL,
};

enum qrt_err qrt_http_client_open_at(struct qrt_cx *cx, const struct qrt_http_client_options *opts,
				     const char *site, struct qrt_http_client **ret_client)
{
	static const struct qrt_http_client_options defaults;
	struct qrt_semaphore *lookups;
	struct qrt__http_client *client;
	opts = opts ? opts : &defaults;
	enum qrt_err err = check(cx, opts);
	if (!err) {
		err = qrt_semaphore_open_at(cx, LOOKUPS_MAX, site, &lookups);
	}
	if (err) {
		return err;
	}
	err = qrt__object_open(cx, &qrt__http_client_kind, site, &client);
	if (err) {
		QRT_IGNORE(qrt_semaphore_close(&lookups), "it has just been opened");
		return err;
	}
	client->opts = filled(opts);
	client->opts.tls = opts->tls ? qrt_tls_ref(opts->tls) : NULL;
	client->home = qrt__region_handle(cx->region);
	client->lookups = lookups;
	qrt__event_init(&client->quiet);
	qrt__event_set(&client->quiet);
	qrt__list_init(&client->origins);
	qrt__list_init(&client->conns);
	qrt__list_init(&client->idle);
	qrt__list_init(&client->line);
	qrt__timer_init(&client->expiry, qrt__http_pool_expired);
	*ret_client = qrt__handle(client);
	return QRT_OK;
}

enum qrt_err qrt_http_client_drain(struct qrt_cx *cx, struct qrt_http_client *handle)
{
	QRT__ANCHORED(cx);
	struct qrt__http_client *client;
	enum qrt_err err = qrt_cx_require(cx, QRT_CAP_NET);
	if (!err) {
		err = qrt__object_use(cx, handle, &qrt__http_client_kind, &client);
	}
	if (err) {
		return err;
	}
	client->draining = true;
	qrt__http_pool_drain(client);
	client->users++;
	err = qrt__event_wait(cx, &client->quiet, QRT_NO_DEADLINE);
	if (!err && client->closed) {
		err = qrt_fail(cx, QRT_ECLOSED, "the http client was closed meanwhile");
	}
	qrt__http_client_unuse(client);
	return err;
}

void qrt_http_client_close(struct qrt_cx *cx, struct qrt_http_client **client)
{
	(void)cx;
	QRT_IGNORE(qrt__object_close(client, &qrt__http_client_kind), "a stale one is closed");
}

enum qrt_err qrt_http_client_stats(struct qrt_cx *cx, struct qrt_http_client *handle,
				   struct qrt_http_client_stats *ret_stats)
{
	struct qrt__http_client *client;
	enum qrt_err err = qrt__object_use(cx, handle, &qrt__http_client_kind, &client);
	if (!err) {
		*ret_stats = client->stats;
	}
	return err;
}
