/*
 * The bytes of one call: the request out, the answer in, each wait under a time of the client's
 * own. While a body goes out it is listened for an answer that comes before the end. Decides
 * nothing about retries, and never gives a connection back.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shim/src/http/client.h"

/* --- times ---------------------------------------------------------------------------------- */

enum qrt_err qrt__http_timed(struct qrt_cx *cx, const struct qrt__http_call *call, enum qrt_err err)
{
	bool ours = err == QRT_ETIMEDOUT && qrt_deadline_in(cx, 0) < cx->deadline_ns &&
		    !qrt__cancel_reaches(cx->task);
	return ours ? qrt_fail(cx, QRT_EPEER, "%s took too long",
			       qrt_http_phase_text(call->report->phase))
		    : err;
}

/* --- in ------------------------------------------------------------------------------------- */

static enum qrt_err fault(struct qrt_cx *cx, const struct qrt__http_call *call)
{
	struct qrt__http_reply_fault found = qrt__http_reply_fault(call->reply);
	return qrt_fail(cx, found.err, "the answer: %s", found.why);
}

/* More bytes of the answer. EAGAIN: @now, and none are there. */
static enum qrt_err read_more(struct qrt_cx *cx, struct qrt__http_call *call, int64_t deadline_ns,
			      bool now)
{
	struct qrt_cx timed = qrt__cx_until(cx, deadline_ns);
	struct qrt_stream *stream = call->conn->stream;
	size_t n = 0;
	QRT_PRE(call->from == call->to);
	if (!stream) {
		return qrt_fail(cx, QRT_ECLOSED, "the http client is closed");
	}
	enum qrt_err err = now ? qrt__read_now(&timed, stream, call->in, QRT__HTTP_IN_BYTES, &n)
			       : qrt_read(&timed, stream, call->in, QRT__HTTP_IN_BYTES, &n);
	if (!err) {
		call->report->answered = true;
		call->from = 0;
		call->to = n;
		return QRT_OK;
	}
	if (err == QRT_ECONNRESET) {
		return qrt_fail(cx, err, "the connection was reset");
	}
	return qrt__http_timed(cx, call, err);
}

static enum qrt__http_reply_state understand(struct qrt__http_call *call)
{
	size_t used;
	enum qrt__http_reply_state state =
	    qrt__http_reply_feed(call->reply, call->in + call->from, call->to - call->from, &used);
	call->from += used;
	return state;
}

/* As far as the bytes go that are there: OK, or the answer's fault. */
static enum qrt_err hear(struct qrt_cx *cx, struct qrt__http_call *call)
{
	enum qrt__http_reply_state state;
	do {
		state = understand(call);
		call->go_on = call->go_on || state == QRT__REPLY_CONTINUE;
		call->head_heard = call->head_heard || state == QRT__REPLY_HEAD;
	} while (state == QRT__REPLY_CONTINUE);
	return state == QRT__REPLY_FAULT ? fault(cx, call) : QRT_OK;
}

/* The connection has ended: with that the answer, or too early. */
static enum qrt_err heard_end(struct qrt_cx *cx, struct qrt__http_call *call)
{
	return qrt__http_reply_eof(call->reply) == QRT__REPLY_DONE ? QRT_EEOF : fault(cx, call);
}

enum qrt_err qrt__http_receive_head(struct qrt_cx *cx, struct qrt__http_call *call)
{
	int64_t deadline_ns = qrt_deadline_in(cx, call->client->opts.head_ns);
	enum qrt_err err = QRT_OK;
	call->report->phase = QRT_HTTP_HEAD;
	if (!call->head_heard) {
		err = hear(cx, call); /* what came while the request was sent */
	}
	while (!err && !call->head_heard) {
		err = read_more(cx, call, deadline_ns, false);
		err = err == QRT_EEOF ? heard_end(cx, call) : err ? err : hear(cx, call);
	}
	return err;
}

enum qrt_err qrt__http_advance(struct qrt_cx *cx, struct qrt__http_call *call)
{
	if (call->piece_len > 0) {
		return QRT_OK;
	}
	switch (understand(call)) {
	case QRT__REPLY_DATA:
		call->piece = qrt__http_reply_piece(call->reply, &call->piece_len);
		return QRT_OK;
	case QRT__REPLY_DONE:
		return QRT_EEOF;
	case QRT__REPLY_FAULT:
		return fault(cx, call);
	default:
		return QRT_OK;
	}
}

enum qrt_err qrt__http_receive_body(struct qrt_cx *cx, struct qrt__http_call *call, void *buf,
				    size_t n, size_t *ret_n)
{
	enum qrt_err err = qrt__http_advance(cx, call);
	call->report->phase = QRT_HTTP_BODY;
	while (!err && call->piece_len == 0) {
		err =
		    read_more(cx, call, qrt_deadline_in(cx, call->client->opts.silence_ns), false);
		err = err == QRT_EEOF ? heard_end(cx, call)
		      : err	      ? err
				      : qrt__http_advance(cx, call);
	}
	if (err) {
		return err;
	}
	n = n < call->piece_len ? n : call->piece_len;
	if (n > call->body_max - call->read) {
		return qrt_fail(cx, QRT_ELIMIT, "the answer: a body of more than %zu bytes",
				call->body_max);
	}
	memcpy(buf, call->piece, n);
	call->piece += n;
	call->piece_len -= n;
	call->read += n;
	*ret_n = n;
	return QRT_OK;
}

/* Whether the answer has begun that ends the request; what goes wrong shows when it is read. */
static bool answered_early(struct qrt_cx *cx, struct qrt__http_call *call)
{
	while (!call->head_heard && !read_more(cx, call, QRT_NO_DEADLINE, true)) {
		if (hear(cx, call)) {
			return true;
		}
	}
	return call->head_heard;
}

/* Until the word to go on, an answer, or expect_ns. */
static enum qrt_err await_word(struct qrt_cx *cx, struct qrt__http_call *call)
{
	int64_t deadline_ns = qrt_deadline_in(cx, call->client->opts.expect_ns);
	enum qrt_err err = QRT_OK;
	call->report->phase = QRT_HTTP_HEAD;
	while (!err && !call->head_heard && !call->go_on) {
		err = read_more(cx, call, deadline_ns, false);
		err = err == QRT_EEOF ? heard_end(cx, call) : err ? err : hear(cx, call);
	}
	call->report->phase = QRT_HTTP_SEND;
	return err == QRT_EPEER ? QRT_OK : err;
}

/* --- out ------------------------------------------------------------------------------------ */

/* One block, which must move within silence_ns. */
static enum qrt_err put(struct qrt_cx *cx, struct qrt__http_call *call,
			const struct qrt_slice *slices, size_t n)
{
	int64_t deadline_ns = qrt_deadline_in(cx, call->client->opts.silence_ns);
	struct qrt_cx timed = qrt__cx_until(cx, deadline_ns);
	if (!call->conn->stream) {
		return qrt_fail(cx, QRT_ECLOSED, "the http client is closed");
	}
	enum qrt_err err = qrt_checkpoint(cx);
	if (err) {
		return err; /* nothing of it was sent */
	}
	call->report->sent = true;
	err = qrt_writev(&timed, call->conn->stream, slices, n);
	if (err == QRT_ECONNRESET) {
		call->send_err = err;
		return qrt_fail(cx, err, "the connection was reset");
	}
	return qrt__http_timed(cx, call, err);
}

/* @n bytes of a body behind @head, in blocks; EEOF: an answer has come before the end. */
static enum qrt_err put_blocks(struct qrt_cx *cx, struct qrt__http_call *call,
			       struct qrt_slice head, const char *data, size_t n)
{
	bool chunked = call->ask.body_len == QRT_HTTP_CHUNKED;
	enum qrt_err err = QRT_OK;
	do {
		size_t part = n < QRT__HTTP_OUT_BYTES ? n : QRT__HTTP_OUT_BYTES;
		char size[24] = "";
		struct qrt_slice slices[4];
		size_t used = 0;
		if (head.len > 0) {
			slices[used++] = head;
		}
		if (part > 0 && chunked) {
			snprintf(size, sizeof(size), "%zx\r\n", part);
			slices[used++] = (struct qrt_slice){size, strlen(size)};
		}
		if (part > 0) {
			slices[used++] = (struct qrt_slice){data, part};
		}
		if (part > 0 && chunked) {
			slices[used++] = (struct qrt_slice){"\r\n", 2};
		}
		err = put(cx, call, slices, used);
		call->written += err ? 0 : part;
		if (err == QRT_EPEER && answered_early(cx, call)) {
			return QRT_EEOF; /* so that is why it reads no more */
		}
		head.len = 0;
		data += part;
		n -= part;
		if (!err && n > 0 && answered_early(cx, call)) {
			err = QRT_EEOF;
		}
	} while (!err && n > 0);
	return err;
}

enum qrt_err qrt__http_send_body(struct qrt_cx *cx, struct qrt__http_call *call, const void *data,
				 size_t n)
{
	size_t left = call->ask.body_len - (size_t)call->written;
	if (call->ask.body_len != QRT_HTTP_CHUNKED && n > left) {
		return qrt_fail(cx, QRT_EINVAL, "http body: longer than the %zu bytes announced",
				call->ask.body_len);
	}
	if (n == 0) {
		return QRT_OK;
	}
	if (answered_early(cx, call)) {
		return QRT_EEOF;
	}
	return put_blocks(cx, call, (struct qrt_slice){NULL, 0}, data, n);
}

enum qrt_err qrt__http_send_end(struct qrt_cx *cx, struct qrt__http_call *call)
{
	static const struct qrt_slice last = {"0\r\n\r\n", 5};
	if (call->ask.body_len == QRT_HTTP_CHUNKED) {
		return put(cx, call, &last, 1);
	}
	if (call->written < call->ask.body_len) {
		return qrt_fail(cx, QRT_EINVAL, "http body: shorter than the %zu bytes announced",
				call->ask.body_len);
	}
	return QRT_OK;
}

/* A body that comes from a function, to its end. */
static enum qrt_err send_from(struct qrt_cx *cx, struct qrt__http_call *call)
{
	char *block = malloc(QRT__HTTP_IN_BYTES);
	enum qrt_err err = block ? QRT_OK : QRT_ENOMEM;
	while (!err) {
		size_t n = 0;
		err = call->ask.body_fn(cx, call->ask.body_arg, block, QRT__HTTP_IN_BYTES, &n);
		if (err == QRT_EEOF) {
			err = qrt__http_send_end(cx, call);
			break;
		}
		if (!err && (n == 0 || n > QRT__HTTP_IN_BYTES)) {
			err = qrt_fail(cx, QRT_EINVAL, "http body: a function that gave %zu bytes",
				       n);
		}
		if (!err) {
			err = qrt__http_send_body(cx, call, block, n);
		}
	}
	free(block);
	return err;
}

enum qrt_err qrt__http_send(struct qrt_cx *cx, struct qrt__http_call *call)
{
	const struct qrt_http_ask *ask = &call->ask;
	bool body = call->hop->with_body;
	bool memory = body && ask->body;
	struct qrt_slice head = {NULL, 0};
	head.data = qrt__http_ask_head(&call->arena, ask, call->hop,
				       call->client->opts.no_keep_alive, &head.len);
	if (!head.data) {
		return QRT_ENOMEM;
	}
	call->report->phase = QRT_HTTP_SEND;
	call->written = 0;
	call->go_on = false;
	if (!body || !ask->expect_continue) {
		enum qrt_err err =
		    put_blocks(cx, call, head, memory ? ask->body : "", memory ? ask->body_len : 0);
		return !err && body && ask->body_fn ? send_from(cx, call) : err;
	}
	enum qrt_err err = put(cx, call, &head, 1);
	if (!err) {
		err = await_word(cx, call);
	}
	if (!err && call->head_heard) {
		err = QRT_EEOF;
	}
	if (!err && memory) {
		err = put_blocks(cx, call, (struct qrt_slice){NULL, 0}, ask->body, ask->body_len);
	}
	return !err && ask->body_fn ? send_from(cx, call) : err;
}
