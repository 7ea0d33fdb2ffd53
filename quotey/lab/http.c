/* Reads an answer: a head up to the empty line, then so many bytes as Content-Length says. */
#include "quotey/lab/http.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { CHUNK = 4096, INTERIM_MAX = 8, LENGTH_DIGITS_MAX = 9 };

#define HEAD_MAX ((size_t)64 << 10)
#define BODY_MAX ((size_t)16 << 20)

void qy_lab_answer_fini(struct qy_lab_answer *answer)
{
	if (answer) {
		qy_buffer_fini(&answer->head);
		qy_buffer_fini(&answer->body);
		*answer = (struct qy_lab_answer){0};
	}
}

const char *qy_lab_answer_header(const struct qy_lab_answer *answer, const char *name,
				 size_t *ret_n)
{
	size_t n_name = strlen(name);
	const char *line = answer->head.data ? strstr(answer->head.data, "\r\n") : NULL;

	while (line && line[2]) {
		const char *end = strstr(line + 2, "\r\n");

		line += 2;
		if (end && strncasecmp(line, name, n_name) == 0 && line[n_name] == ':') {
			line += n_name + 1;
			line += strspn(line, " \t");
			*ret_n = (size_t)(end - line);
			return line;
		}
		line = end;
	}
	return NULL;
}

static enum qrt_err read_some(struct qrt_cx *cx, struct qrt_stream *stream, struct qy_buffer *into)
{
	char chunk[CHUNK];
	size_t n = 0;
	enum qrt_err err = qrt_read(cx, stream, chunk, sizeof(chunk), &n);

	if (err) {
		return err;
	}
	qy_buffer_bytes(into, chunk, n);
	return into->err ? qrt_fail(cx, into->err, "an answer of more than %zu bytes", into->max)
			 : QRT_OK;
}

/* Reads until the head is whole; what came behind it moves to the body. */
static enum qrt_err read_head(struct qrt_cx *cx, struct qrt_stream *stream,
			      struct qy_lab_answer *answer)
{
	struct qy_buffer *head = &answer->head;
	struct qy_buffer whole = answer->body;
	const char *end = NULL;
	enum qrt_err err = QRT_OK;

	qy_buffer_init(&answer->body, BODY_MAX);
	while (!err && !(whole.len >= 4 && (end = memmem(whole.data, whole.len, "\r\n\r\n", 4)))) {
		err = whole.len > HEAD_MAX
			  ? qrt_fail(cx, QRT_ELIMIT, "the head of an answer is too long")
			  : read_some(cx, stream, &whole);
	}
	if (!err) {
		qy_buffer_clear(head);
		qy_buffer_bytes(head, whole.data, (size_t)(end + 2 - whole.data));
		qy_buffer_bytes(&answer->body, end + 4, whole.len - (size_t)(end + 4 - whole.data));
		err = head->err ? head->err : answer->body.err;
	}
	qy_buffer_fini(&whole);
	return err;
}

/* "HTTP/1.1 200 OK" */
static enum qrt_err read_status(struct qrt_cx *cx, struct qy_lab_answer *answer)
{
	const char *line = answer->head.data;
	unsigned status = 0;
	size_t n = 0;

	if (strncmp(line, "HTTP/1.1 ", 9) == 0) {
		for (n = 0; n < 3 && line[9 + n] >= '0' && line[9 + n] <= '9'; n++) {
			status = status * 10 + (unsigned)(line[9 + n] - '0');
		}
	}
	if (n != 3 || status < 100 || memchr(line, '\0', answer->head.len)) {
		return qrt_fail(cx, QRT_EPROTO, "an answer begins with \"%.40s\"", line);
	}
	answer->status = status;
	return QRT_OK;
}

static enum qrt_err body_length(struct qrt_cx *cx, const struct qy_lab_answer *answer,
				size_t *ret_n)
{
	size_t n_value = 0;
	const char *value = qy_lab_answer_header(answer, "Content-Length", &n_value);

	if (qy_lab_answer_header(answer, "Transfer-Encoding", ret_n)) {
		return qrt_fail(cx, QRT_EPROTO, "an answer in chunks");
	}
	*ret_n = 0;
	for (size_t i = 0; value && i < n_value; i++) {
		if (value[i] < '0' || value[i] > '9' || i == LENGTH_DIGITS_MAX) {
			return qrt_fail(cx, QRT_EPROTO, "a Content-Length of \"%.*s\"",
					(int)(n_value < 40 ? n_value : 40), value);
		}
		*ret_n = *ret_n * 10 + (size_t)(value[i] - '0');
	}
	return QRT_OK;
}

static enum qrt_err read_body(struct qrt_cx *cx, struct qrt_stream *stream,
			      struct qy_lab_answer *answer, bool no_body)
{
	size_t n = 0;
	enum qrt_err err = body_length(cx, answer, &n);

	if (no_body || answer->status == 204 || answer->status == 304) {
		n = 0;
	}
	while (!err && answer->body.len < n) {
		err = read_some(cx, stream, &answer->body);
	}
	if (!err && answer->body.len > n) {
		answer->n_behind = answer->body.len - n;
		answer->body.len = n;
		answer->body.data[n] = '\0';
	}
	return err;
}

enum qrt_err qy_lab_answer_read(struct qrt_cx *cx, struct qrt_stream *stream, bool no_body,
				struct qy_lab_answer *ret_answer)
{
	struct qy_lab_answer answer = {0};
	const char *connection;
	size_t n = 0;
	int interim = 0;
	enum qrt_err err;

	qy_buffer_init(&answer.head, HEAD_MAX + CHUNK);
	qy_buffer_init(&answer.body, BODY_MAX);
	do {
		err = interim++ == INTERIM_MAX ? qrt_fail(cx, QRT_EPROTO, "interim answers only")
					       : read_head(cx, stream, &answer);
		if (!err) {
			err = read_status(cx, &answer);
		}
	} while (!err && answer.status < 200);
	if (!err) {
		err = read_body(cx, stream, &answer, no_body);
	}
	if (err) {
		qy_lab_answer_fini(&answer);
		return err;
	}
	connection = qy_lab_answer_header(&answer, "Connection", &n);
	answer.closes = connection && n == 5 && strncasecmp(connection, "close", 5) == 0;
	*ret_answer = answer;
	return QRT_OK;
}
