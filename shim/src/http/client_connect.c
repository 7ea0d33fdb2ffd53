/*
 * How a connection is made: the host is looked up, its addresses are tried in order, each for a
 * while, and TLS shakes hands over the first that answers. All of it within the client's one time
 * for that. Knows nothing of HTTP.
 */
#include <stdio.h>
#include <string.h>

#include <qrt/resolve.h>
#include <qrt/tls.h>

#include "shim/src/http/client.h"

enum { ADDRESSES_MAX = 8 };

/* The host's addresses. As many lookups at once as the client may have: the rest wait here. */
static enum qrt_err look_up(struct qrt_cx *cx, struct qrt__http_call *call,
			    struct qrt_address *ret_addresses, size_t *ret_n)
{
	const char *host = call->hop->url.host;
	struct qrt_lease lease;
	if (call->hop->url.literal) {
		return qrt_resolve(cx, host, ret_addresses, ADDRESSES_MAX, ret_n);
	}
	enum qrt_err err = qrt_acquire(cx, call->client->lookups, 1, &lease);
	if (err) {
		return err;
	}
	err = qrt_resolve(cx, host, ret_addresses, ADDRESSES_MAX, ret_n);
	QRT_IGNORE(qrt_release(&lease), "the client may have been closed meanwhile");
	return err;
}

/* Whether another address may do better: not when it is we who lack something, or must end. */
static bool next_may_do(enum qrt_err err)
{
	return err == QRT_ECONNREFUSED || err == QRT_ECONNRESET || err == QRT_EPEER ||
	       err == QRT_EIO || err == QRT_EINVAL || err == QRT_EACCES;
}

static enum qrt_err attempt(struct qrt_cx *cx, struct qrt__http_call *call, const char *address,
			    int64_t until_ns)
{
	int64_t attempt_ns = qrt_deadline_in(cx, call->client->opts.attempt_ns);
	int64_t deadline_ns = attempt_ns < until_ns ? attempt_ns : until_ns;
	struct qrt_cx timed = qrt__cx_until(cx, deadline_ns);
	enum qrt_err err =
	    qrt_connect_at(&timed, address, call->hop->url.port, call->site, &call->conn->stream);
	return qrt__http_timed(cx, call, err);
}

/* The addresses in order. The last failure counts. */
static enum qrt_err connect_any(struct qrt_cx *cx, struct qrt__http_call *call,
				const struct qrt_address *addresses, size_t n, int64_t until_ns)
{
	enum qrt_err err = QRT_ENOENT;
	for (size_t i = 0; i < n; i++) {
		err = attempt(cx, call, addresses[i].text, until_ns);
		if (!err || !next_may_do(err) || qrt_deadline_in(cx, 0) >= until_ns) {
			break;
		}
	}
	return err;
}

/* The connection is the client's region's, as long as the client keeps it. */
static enum qrt_err settle(struct qrt_cx *cx, struct qrt__http_call *call)
{
	struct qrt__http_client *client = call->client;
	if (client->closed) {
		return QRT_ECLOSED;
	}
	enum qrt_err err = qrt_stream_give(cx, call->conn->stream, client->home);
	client->stats.opened += !err;
	return err == QRT_ESTALE ? QRT_ECLOSED : err;
}

/* The certificate must be for the host as it stands in the URL. */
static enum qrt_err shake_hands(struct qrt_cx *cx, struct qrt__http_call *call)
{
	QRT_PRE(call->client->opts.tls);
	call->report->phase = QRT_HTTP_HANDSHAKE;
	return qrt_tls_connect(cx, call->client->opts.tls, call->hop->url.host,
			       &call->conn->stream);
}

static enum qrt_err make(struct qrt_cx *cx, struct qrt__http_call *call)
{
	struct qrt_address addresses[ADDRESSES_MAX];
	size_t n = 0;
	int64_t until_ns = qrt_deadline_in(cx, call->client->opts.connect_ns);
	struct qrt_cx timed = qrt__cx_until(cx, until_ns);
	call->report->phase = QRT_HTTP_LOOKUP;
	enum qrt_err err = look_up(&timed, call, addresses, &n);
	err = qrt__http_timed(cx, call, err);
	if (!err) {
		call->report->phase = QRT_HTTP_CONNECT;
		err = connect_any(cx, call, addresses, n, until_ns);
	}
	if (!err && call->hop->url.secure) {
		err = qrt__http_timed(cx, call, shake_hands(&timed, call));
	}
	return err ? err : settle(cx, call);
}

enum qrt_err qrt__http_connect(struct qrt_cx *cx, struct qrt__http_call *call)
{
	QRT_PRE(!call->conn->stream);
	call->conn->connecting = cx->task;
	enum qrt_err err = make(cx, call);
	call->conn->connecting = NULL;
	if (err) {
		qrt__http_place_lose(call->conn);
	}
	return err;
}
