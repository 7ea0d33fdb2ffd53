/*
 * Calls: one request and its answer, step by step or as a whole. Decides when a request may be sent
 * again, where a redirect leads, and whether a connection is fit to be kept. Never retries what the
 * server may have acted on.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shim/src/http/client.h"

enum { DISCARD_MAX = 16 * 1024, BODY_FIRST = 4096, BODY_AT_ONCE = 64 * 1024 };

/* --- life ----------------------------------------------------------------------------------- */

/* The call needs its client no more. */
static void leave(struct qrt__http_call *call, bool keep)
{
	struct qrt__http_client *client = call->client;
	if (!client) {
		return;
	}
	qrt__http_pool_give(call, keep);
	call->client = NULL;
	if (--client->stats.calls == 0) {
		qrt__event_set(&client->quiet);
	}
	qrt__http_client_unuse(client);
}

static void call_free(struct qrt__http_call *call)
{
	leave(call, false);
	qrt__http_reply_destroy(&call->reply);
	qrt__http_arena_fini(&call->arena);
	free(call->in);
	free(call->body);
	qrt__object_free(&call->object);
}

static void call_end(void *arg)
{
	struct qrt__http_call *call = arg;
	if (!call->inside) {
		call_free(call);
		return;
	}
	/* Its task finds the connection closed, and frees it on its way out. */
	call->ended = true;
	qrt__object_retire(&call->object);
	if (call->conn) {
		qrt__http_place_lose(call->conn);
	}
}

static const struct qrt__object_kind call_kind = {
    .magic = 0x71724e49u,
    .name = "http call",
    .end = call_end,
    .closed = "the http call has been ended",
    .foreign = QRT_EINVAL,
};

void qrt_http_call_end(struct qrt_cx *cx, struct qrt_http_call **call)
{
	(void)cx;
	QRT_IGNORE(qrt__object_close(call, &call_kind), "a stale one has ended");
}

/* The ask, as it is sent first. */
static enum qrt_err call_fill(struct qrt_cx *cx, struct qrt__http_call *call, size_t body_max)
{
	const struct qrt_http_ask *ask = &call->ask;
	call->hop = qrt__http_arena_alloc(&call->arena, sizeof(*call->hop));
	call->in = malloc(QRT__HTTP_IN_BYTES);
	if (!call->hop || !call->in ||
	    qrt__http_reply_create(call->client->opts.head_max, &call->reply)) {
		return qrt_fail(cx, QRT_ENOMEM, "http call: out of memory");
	}
	call->hop->method = ask->method ? ask->method : "GET";
	call->hop->with_body = qrt__http_ask_has_body(ask);
	call->hop->strange = false;
	call->body_max = ask->body_max ? ask->body_max : body_max;
	return qrt_http_url_parse(cx, ask->url, &call->hop->url);
}

/* A call that holds nothing of the network yet. @whole: its body is to be held in memory. */
static enum qrt_err call_open(struct qrt_cx *cx, struct qrt_http_client *handle,
			      const struct qrt_http_ask *ask, bool whole, const char *site,
			      struct qrt__http_call **ret_call)
{
	struct qrt__http_client *client = NULL;
	struct qrt__http_call *call;
	enum qrt_err err = qrt_cx_require(cx, QRT_CAP_NET);
	if (!err) {
		err = qrt__object_use(cx, handle, &qrt__http_client_kind, &client);
	}
	if (!err && client->draining) {
		err = qrt_fail(cx, QRT_ECLOSED, "the http client takes no more calls");
	}
	if (!err) {
		err = qrt__http_ask_check(cx, ask);
	}
	if (!err && whole && ask->body_written) {
		err = qrt_fail(cx, QRT_EINVAL, "http body: a fetch cannot be written to");
	}
	if (!err) {
		err = qrt__object_open(cx, &call_kind, site, &call);
	}
	if (err) {
		return err;
	}
	qrt__http_arena_init(&call->arena);
	call->client = client;
	client->users++;
	client->stats.calls++;
	qrt__event_clear(&client->quiet);
	call->site = site;
	call->ask = *ask;
	call->report = ask->report ? ask->report : &call->own_report;
	*call->report = (struct qrt_http_report){.phase = QRT_HTTP_IN_LINE};
	err = call_fill(cx, call, whole ? client->opts.body_max : SIZE_MAX);
	if (err) {
		struct qrt_http_call *opened = qrt__handle(call);
		qrt_http_call_end(cx, &opened);
		return err;
	}
	*ret_call = call;
	return QRT_OK;
}

/* --- errors --------------------------------------------------------------------------------- */

/* Whether whoever says @err says no more about it. */
static bool is_bare(enum qrt_err err)
{
	return err == QRT_ECANCELED || err == QRT_ETIMEDOUT || err == QRT_ENOMEM ||
	       err == QRT_ECLOSED || err == QRT_EIO;
}

/* The call has failed. The detail says whom it asked, but not for what: that may be secret. */
static enum qrt_err call_failed(struct qrt_cx *cx, struct qrt__http_call *call, enum qrt_err err)
{
	const struct qrt_http_url *url = &call->hop->url;
	const char *scheme = url->secure ? "https" : "http";
	char what[QRT_HTTP_METHOD_MAX + QRT_HTTP_HOST_SIZE + 24];
	call->step = QRT__HTTP_FAILED;
	leave(call, false);
	snprintf(what, sizeof(what), "%s %s://%s:%u", call->hop->method, scheme, url->host,
		 url->port);
	return is_bare(err) ? qrt_fail(cx, err, "%s: %s: %s", what,
				       qrt_http_phase_text(call->report->phase), qrt_err_text(err))
			    : qrt_prefix(cx, err, what);
}

/* --- going in and out ----------------------------------------------------------------------- */

/* How each step begins: *ret_call is the caller's alone until call_out. */
static enum qrt_err call_in(struct qrt_cx *cx, struct qrt_http_call *handle,
			    struct qrt__http_call **ret_call)
{
	struct qrt__http_call *call;
	enum qrt_err err = qrt_cx_require(cx, QRT_CAP_NET);
	if (!err) {
		err = qrt__object_use(cx, handle, &call_kind, &call);
	}
	if (err) {
		return err;
	}
	if (call->inside) {
		return qrt_fail(cx, QRT_EBUSY, "another task uses the http call");
	}
	if (call->step == QRT__HTTP_FAILED) {
		return qrt_fail(cx, QRT_ESTATE, "the http call has failed before");
	}
	err = qrt__suspending(cx);
	if (err) {
		return call_failed(cx, call, err);
	}
	call->inside = true;
	*ret_call = call;
	return QRT_OK;
}

/* How it ends, with @err. */
static enum qrt_err call_out(struct qrt_cx *cx, struct qrt__http_call *call, enum qrt_err err)
{
	call->inside = false;
	if (call->ended) {
		call_free(call);
		return qrt_fail(cx, QRT_ECLOSED, "the http call was ended meanwhile");
	}
	return err && err != QRT_EEOF && err != QRT_ESTATE ? call_failed(cx, call, err) : err;
}

/* The answer is complete: from here on the call needs neither connection nor client. */
static void call_over(struct qrt__http_call *call)
{
	bool clean = !call->cut_short && call->from == call->to;
	call->step = QRT__HTTP_OVER;
	call->report->phase = QRT_HTTP_DONE;
	leave(call, clean && qrt__http_reply_keeps(call->reply));
}

/* --- asking --------------------------------------------------------------------------------- */

/* On the connection the call has, or a new one on its place, or any. */
static enum qrt_err ask(struct qrt_cx *cx, struct qrt__http_call *call)
{
	enum qrt_err err = QRT_OK;
	if (call->hop->url.secure && !call->client->opts.tls) {
		return qrt_fail(cx, QRT_ENOTSUP, "https: the client has no TLS");
	}
	if (!call->conn) {
		call->report->phase = QRT_HTTP_IN_LINE;
		err = qrt__http_pool_take(cx, call);
	}
	if (err) {
		return err;
	}
	call->report->reused = call->conn->stream != NULL;
	if (!call->conn->stream) {
		err = qrt__http_connect(cx, call);
	}
	if (err) {
		return err;
	}
	call->conn->calls++;
	qrt__http_reply_reset(call->reply, strcmp(call->hop->method, "HEAD") == 0);
	call->from = call->to = call->piece_len = 0;
	call->head_heard = call->cut_short = false;
	call->send_err = QRT_OK;
	err = qrt__http_send(cx, call);
	/* A server that has heard enough may have answered before it went. */
	if (err == QRT_EEOF || call->send_err) {
		call->cut_short = true;
		return QRT_OK;
	}
	return err;
}

/* Whether sending the request once more, on a connection of its own, can do no harm. */
static bool may_ask_again(const struct qrt__http_call *call)
{
	return call->report->reused && !qrt__http_reply_started(call->reply) &&
	       qrt__http_ask_repeats(&call->ask) &&
	       (!call->report->sent || qrt__http_method_idempotent(call->hop->method));
}

static enum qrt_err await_head(struct qrt_cx *cx, struct qrt__http_call *call)
{
	enum qrt_err err = qrt__http_receive_head(cx, call);
	if (err != QRT_ECONNRESET || !call->conn->stream || !may_ask_again(call)) {
		return err;
	}
	call->report->resent = true;
	call->client->stats.resent++;
	qrt__http_place_lose(call->conn);
	err = ask(cx, call);
	return err ? err : qrt__http_receive_head(cx, call);
}

/* --- redirects ------------------------------------------------------------------------------ */

/* Where an answer leads. */
struct lead {
	const char *location;
	bool as_get; /* to be asked for with GET, or HEAD if it was, and without a body */
};

/* Whether the answer leads elsewhere, and we may go there. */
static bool leads_on(const struct qrt__http_call *call, const struct qrt_http_answer *answer,
		     struct lead *ret_lead)
{
	int status = answer->status;
	bool moved = status == 301 || status == 302;
	bool redirects = moved || status == 303 || status == 307 || status == 308;
	if (call->ask.redirects_max == 0 || !redirects) {
		return false;
	}
	ret_lead->location = qrt_http_answer_header(answer, "Location");
	ret_lead->as_get = status == 303 || (moved && strcmp(call->hop->method, "POST") == 0);
	bool repeats =
	    ret_lead->as_get || !call->hop->with_body || qrt__http_ask_repeats(&call->ask);
	return ret_lead->location && repeats;
}

static enum qrt_err next_hop(struct qrt_cx *cx, struct qrt__http_call *call,
			     const struct lead *lead)
{
	const struct qrt__http_hop *here = call->hop;
	char *text = qrt__http_url_join(&call->arena, &here->url, lead->location);
	struct qrt__http_hop *next = qrt__http_arena_alloc(&call->arena, sizeof(*next));
	if (!text || !next) {
		return qrt_fail(cx, QRT_ENOMEM, "http call: out of memory");
	}
	if (qrt_http_url_parse(cx, text, &next->url)) {
		return qrt_prefix(cx, QRT_EPROTO, "a redirect");
	}
	if (here->url.secure && !next->url.secure) {
		return qrt_fail(cx, QRT_EPROTO, "a redirect from https to http");
	}
	bool head = strcmp(here->method, "HEAD") == 0;
	next->method = lead->as_get && !head ? "GET" : here->method;
	next->with_body = here->with_body && !lead->as_get;
	next->strange = here->strange || !qrt__http_same_origin(&here->url, &next->url);
	call->hop = next;
	return QRT_OK;
}

/*
 * Reads what is left of a short answer that nobody wants, so that its connection can be kept;
 * *ret_keep: whether it can. Errors: only those of the caller's own end.
 */
static enum qrt_err discard(struct qrt_cx *cx, struct qrt__http_call *call, bool *ret_keep)
{
	char block[512];
	size_t n = 0;
	enum qrt_err err = QRT_OK;
	for (size_t left = DISCARD_MAX; !err && left > 0; left -= n < left ? n : left) {
		err = qrt__http_receive_body(cx, call, block, sizeof(block), &n);
	}
	call->read = 0;
	*ret_keep = err == QRT_EEOF && !call->cut_short && call->from == call->to &&
		    qrt__http_reply_keeps(call->reply);
	return err == QRT_ECANCELED || err == QRT_ETIMEDOUT ? err : QRT_OK;
}

/* Goes where the answer leads, as long as it does. */
static enum qrt_err follow(struct qrt_cx *cx, struct qrt__http_call *call,
			   struct qrt_http_answer *answer)
{
	struct lead lead;
	enum qrt_err err = QRT_OK;
	while (!err && leads_on(call, answer, &lead)) {
		if (call->report->redirects == call->ask.redirects_max) {
			return qrt_fail(cx, QRT_ELIMIT, "more than %u redirects",
					call->ask.redirects_max);
		}
		bool keep = false;
		err = next_hop(cx, call, &lead);
		if (!err) {
			err = discard(cx, call, &keep);
		}
		if (!err) {
			qrt__http_pool_give(call, keep);
			call->report->redirects++;
			err = ask(cx, call);
		}
		if (!err) {
			err = await_head(cx, call);
		}
		if (!err) {
			qrt__http_reply_answer(call->reply, answer);
		}
	}
	return err;
}

/* --- steps ---------------------------------------------------------------------------------- */

static enum qrt_err write_body(struct qrt_cx *cx, struct qrt__http_call *call, const void *data,
			       size_t n)
{
	if (call->step != QRT__HTTP_WRITING) {
		return qrt_fail(cx, QRT_ESTATE, "the body of this http call is not written");
	}
	if (call->cut_short) {
		return QRT_EEOF;
	}
	enum qrt_err err = qrt__http_send_body(cx, call, data, n);
	if (err == QRT_EEOF || call->send_err) {
		call->cut_short = true;
		err = qrt__http_receive_head(cx, call);
		err = err ? err : QRT_EEOF;
	}
	return err;
}

/* The head of the answer, wherever redirects lead. */
static enum qrt_err get_answer(struct qrt_cx *cx, struct qrt__http_call *call,
			       struct qrt_http_answer *answer)
{
	uint64_t length;
	enum qrt_err err = QRT_OK;
	if (call->step != QRT__HTTP_WRITING && call->step != QRT__HTTP_ASKED) {
		return qrt_fail(cx, QRT_ESTATE, "this http call has its answer");
	}
	if (call->step == QRT__HTTP_WRITING && !call->cut_short) {
		err = qrt__http_send_end(cx, call);
		call->cut_short = call->send_err != QRT_OK;
		err = call->send_err ? QRT_OK : err;
	}
	call->step = QRT__HTTP_ASKED;
	if (!err) {
		err = await_head(cx, call);
	}
	if (!err) {
		qrt__http_reply_answer(call->reply, answer);
		err = follow(cx, call, answer);
	}
	if (err) {
		return err;
	}
	call->step = QRT__HTTP_READING;
	call->report->phase = QRT_HTTP_BODY;
	if (qrt__http_advance(cx, call) == QRT_EEOF) {
		call_over(call);
	} else if (qrt__http_reply_length(call->reply, &length) && length > call->body_max) {
		err = qrt_fail(cx, QRT_ELIMIT, "the answer: a body of more than %zu bytes",
			       call->body_max);
	}
	return err;
}

static enum qrt_err read_body(struct qrt_cx *cx, struct qrt__http_call *call, void *buf, size_t n,
			      size_t *ret_n)
{
	if (call->step == QRT__HTTP_OVER) {
		return QRT_EEOF;
	}
	QRT_PRE(n > 0);
	if (call->step != QRT__HTTP_READING) {
		return qrt_fail(cx, QRT_ESTATE, "this http call has no answer yet");
	}
	enum qrt_err err = qrt__http_receive_body(cx, call, buf, n, ret_n);
	/* The last byte ends it at once: its connection is free for others. */
	if (err == QRT_EEOF || (!err && qrt__http_advance(cx, call) == QRT_EEOF)) {
		call_over(call);
	}
	return err;
}

/* Room for the next bytes of a whole body, and a NUL. */
static enum qrt_err body_room(struct qrt_cx *cx, struct qrt__http_call *call, size_t len)
{
	size_t most = call->body_max < SIZE_MAX / 2 ? call->body_max + 2 : SIZE_MAX / 2;
	uint64_t length = 0;
	size_t cap = call->body_cap * 2;
	if (call->body_cap > len + 1) {
		return QRT_OK;
	}
	if (!call->body) {
		QRT_IGNORE(qrt__http_reply_length(call->reply, &length), "0 when it is not known");
		cap = length < BODY_FIRST     ? BODY_FIRST
		      : length < BODY_AT_ONCE ? (size_t)length + 2
					      : BODY_AT_ONCE;
	}
	cap = cap < most ? cap : most;
	char *body = realloc(call->body, cap);
	if (!body) {
		return qrt_fail(cx, QRT_ENOMEM, "http call: out of memory");
	}
	call->body = body;
	call->body_cap = cap;
	return QRT_OK;
}

static enum qrt_err get_body(struct qrt_cx *cx, struct qrt__http_call *call,
			     struct qrt_http_answer *answer)
{
	size_t len = 0;
	enum qrt_err err = QRT_OK;
	while (!err) {
		size_t n = 0;
		err = body_room(cx, call, len);
		if (!err) {
			err = read_body(cx, call, call->body + len, call->body_cap - len - 1, &n);
		}
		len += n;
	}
	if (err != QRT_EEOF) {
		return err;
	}
	call->body[len] = '\0';
	answer->body = call->body;
	answer->body_len = len;
	return QRT_OK;
}

/* --- the calls ------------------------------------------------------------------------------ */

enum qrt_err qrt_http_call_begin_at(struct qrt_cx *cx, struct qrt_http_client *client,
				    const struct qrt_http_ask *what, const char *site,
				    struct qrt_http_call **ret_call)
{
	QRT__ANCHORED(cx);
	struct qrt__http_call *call;
	enum qrt_err err = call_open(cx, client, what, false, site, &call);
	if (err) {
		return err;
	}
	struct qrt_http_call *handle = qrt__handle(call);
	call->inside = true;
	err = ask(cx, call);
	call->step = what->body_written ? QRT__HTTP_WRITING : QRT__HTTP_ASKED;
	err = call_out(cx, call, err);
	if (err) {
		qrt_http_call_end(cx, &handle);
		return err;
	}
	*ret_call = handle;
	return QRT_OK;
}

enum qrt_err qrt_http_call_write(struct qrt_cx *cx, struct qrt_http_call *handle, const void *data,
				 size_t n)
{
	QRT__ANCHORED(cx);
	struct qrt__http_call *call;
	enum qrt_err err = call_in(cx, handle, &call);
	return err ? err : call_out(cx, call, write_body(cx, call, data, n));
}

enum qrt_err qrt_http_call_answer(struct qrt_cx *cx, struct qrt_http_call *handle,
				  struct qrt_http_answer *ret_answer)
{
	QRT__ANCHORED(cx);
	struct qrt__http_call *call;
	struct qrt_http_answer answer;
	enum qrt_err err = call_in(cx, handle, &call);
	if (!err) {
		err = call_out(cx, call, get_answer(cx, call, &answer));
	}
	if (!err) {
		*ret_answer = answer;
	}
	return err;
}

enum qrt_err qrt_http_call_read(struct qrt_cx *cx, struct qrt_http_call *handle, void *buf,
				size_t n, size_t *ret_n)
{
	QRT__ANCHORED(cx);
	struct qrt__http_call *call;
	enum qrt_err err = call_in(cx, handle, &call);
	return err ? err : call_out(cx, call, read_body(cx, call, buf, n, ret_n));
}

enum qrt_err qrt_http_fetch_at(struct qrt_cx *cx, struct qrt_http_client *client,
			       const struct qrt_http_ask *what, const char *site,
			       struct qrt_http_call **ret_call, struct qrt_http_answer *ret_answer)
{
	QRT__ANCHORED(cx);
	struct qrt__http_call *call;
	struct qrt_http_answer answer;
	enum qrt_err err = call_open(cx, client, what, true, site, &call);
	if (err) {
		return err;
	}
	struct qrt_http_call *handle = qrt__handle(call);
	call->inside = true;
	err = ask(cx, call);
	call->step = QRT__HTTP_ASKED;
	if (!err) {
		err = get_answer(cx, call, &answer);
	}
	if (!err) {
		err = get_body(cx, call, &answer);
	}
	err = call_out(cx, call, err);
	if (err) {
		qrt_http_call_end(cx, &handle);
		return err;
	}
	*ret_call = handle;
	*ret_answer = answer;
	return QRT_OK;
}
