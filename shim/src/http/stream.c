/*
 * Bodies as streams, as a handler sees them: what may be asked when, and what was promised to the
 * peer is kept. It must never touch a connection; the server's wire does.
 */
#include <stdint.h>
#include <string.h>

#include "shim/src/http/message.h"
#include "shim/src/internal.h"

/* The whole body, read piece by piece all the same. */
static enum qrt_err read_whole(struct qrt_http_request *req, void *buf, size_t n, size_t *ret_n)
{
	size_t left = req->body_len - req->body_read;
	size_t take = n < left ? n : left;

	if (left == 0) {
		return QRT_EEOF;
	}
	memcpy(buf, req->body + req->body_read, take);
	req->body_read += take;
	*ret_n = take;
	return QRT_OK;
}

enum qrt_err qrt__http_fault_err(int status)
{
	switch (status) {
	case 413:
		return QRT_ELIMIT;
	case 408:
		return QRT_ETIMEDOUT;
	default:
		return QRT_EPROTO;
	}
}

enum qrt_err qrt_http_read(struct qrt_cx *cx, struct qrt_http_request *req, void *buf, size_t n,
			   size_t *ret_n)
{
	enum qrt_err err = qrt__suspending(cx);

	if (err) {
		return err;
	}
	if (n == 0) {
		return qrt_fail(cx, QRT_EINVAL, "http read: no room");
	}
	if (req->fault) {
		return qrt_fail(cx, qrt__http_fault_err(req->fault), "http read: %s",
				req->fault_why);
	}
	if (!req->wire) {
		return read_whole(req, buf, n, ret_n);
	}
	return req->wire->read(cx, req, buf, n, ret_n);
}

/* --- responses ----------------------------------------------------------------------------- */

static enum qrt__http_framing framing_of(const struct qrt_http_response *resp, int64_t length)
{
	if (!qrt__http_response_has_body(resp)) {
		return QRT__HTTP_BY_NOTHING;
	}
	if (length != QRT_HTTP_UNKNOWN_LENGTH) {
		return QRT__HTTP_BY_LENGTH;
	}
	return resp->req->minor == 0 ? QRT__HTTP_BY_CLOSE : QRT__HTTP_BY_CHUNKS;
}

enum qrt_err qrt_http_stream_begin(struct qrt_cx *cx, struct qrt_http_response *resp,
				   int64_t length)
{
	enum qrt_err err = qrt__suspending(cx);

	if (err) {
		return err;
	}
	if (qrt__http_response_begun(resp) || !resp->wire) {
		return qrt_fail(cx, QRT_ESTATE, "http stream: it has begun");
	}
	if (length < QRT_HTTP_UNKNOWN_LENGTH) {
		return qrt_fail(cx, QRT_EINVAL, "http stream: a length below 0");
	}
	resp->stream = (struct qrt__http_stream){
	    .framing = framing_of(resp, length),
	    .length = length,
	    .left = length,
	    .busy = true,
	};
	err = resp->wire->begin(cx, resp);
	resp->stream.busy = false;
	resp->stream.broken = err != QRT_OK;
	return err;
}

static enum qrt_err may_write(struct qrt_cx *cx, const struct qrt__http_stream *stream, size_t n)
{
	if (stream->framing == QRT__HTTP_WHOLE) {
		return qrt_fail(cx, QRT_ESTATE, "http write: the stream has not begun");
	}
	if (stream->busy) {
		return qrt_fail(cx, QRT_EBUSY, "http write: another task writes");
	}
	if (stream->broken) {
		return qrt_fail(cx, QRT_ECONNRESET, "http write: the connection is broken");
	}
	if (stream->length != QRT_HTTP_UNKNOWN_LENGTH && n > (uint64_t)stream->left) {
		return qrt_fail(cx, QRT_ELIMIT, "http write: more than the declared %lld bytes",
				(long long)stream->length);
	}
	return QRT_OK;
}

enum qrt_err qrt_http_write(struct qrt_cx *cx, struct qrt_http_response *resp, const void *data,
			    size_t n)
{
	struct qrt__http_stream *stream = &resp->stream;
	enum qrt_err err = qrt__suspending(cx);

	err = err ? err : may_write(cx, stream, n);
	if (err || n == 0) {
		return err;
	}
	if (stream->framing != QRT__HTTP_BY_NOTHING) {
		stream->busy = true;
		err = resp->wire->write(cx, resp, data, n);
		stream->busy = false;
		/* How much has gone out nobody knows. */
		stream->broken = err != QRT_OK;
	}
	if (!err && stream->length != QRT_HTTP_UNKNOWN_LENGTH) {
		stream->left -= (int64_t)n;
	}
	return err;
}

bool qrt__http_stream_complete(const struct qrt__http_stream *stream)
{
	/* One to HEAD need not write what it declares. */
	return !stream->broken && !stream->busy &&
	       (stream->framing != QRT__HTTP_BY_LENGTH || stream->left == 0);
}
