/* The tests' HTTP client; see http_client.h. Answers carry Content-Length, or none. */
#include "tests/lib/http_client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { HEAD_MAX = 16384, BODY_MAX = 4 * 1024 * 1024 };

void http_answer_fini(struct http_answer *answer)
{
	free(answer->head);
	free(answer->body);
	memset(answer, 0, sizeof(*answer));
}

bool http_answer_header(const struct http_answer *answer, const char *name, char *ret, size_t n)
{
	size_t name_len = strlen(name);
	ret[0] = '\0';
	const char *line = answer->head;
	while (line && (line = strstr(line, "\r\n"))) {
		line += 2;
		if (strncasecmp(line, name, name_len) == 0 && line[name_len] == ':') {
			const char *value = line + name_len + 1;
			value += strspn(value, " ");
			snprintf(ret, n, "%.*s", (int)strcspn(value, "\r"), value);
			return true;
		}
	}
	return false;
}

/* One byte at a time: a test has time, and what follows stays in the stream. */
static enum qrt_err read_head(struct qrt_cx *cx, struct qrt_stream *stream, char *head)
{
	size_t used = 0;
	while (used < 4 || memcmp(head + used - 4, "\r\n\r\n", 4) != 0) {
		size_t got;
		if (used + 1 == HEAD_MAX) {
			return qrt_fail(cx, QRT_EPROTO, "answer head of %d bytes", HEAD_MAX);
		}
		enum qrt_err err = qrt_read(cx, stream, head + used, 1, &got);
		if (err) {
			return used ? qrt_prefix(cx, err, "in an answer's head") : err;
		}
		used++;
	}
	head[used - 2] = '\0';
	return QRT_OK;
}

static enum qrt_err read_body(struct qrt_cx *cx, struct qrt_stream *stream,
			      struct http_answer *answer)
{
	answer->body = calloc(1, answer->body_len + 1);
	if (!answer->body) {
		return QRT_ENOMEM;
	}
	size_t used = 0;
	while (used < answer->body_len) {
		size_t got;
		enum qrt_err err =
		    qrt_read(cx, stream, answer->body + used, answer->body_len - used, &got);
		if (err) {
			return qrt_prefix(cx, err, "in an answer's body");
		}
		used += got;
	}
	return QRT_OK;
}

enum qrt_err http_read_answer(struct qrt_cx *cx, struct qrt_stream *stream, bool no_body,
			      struct http_answer *ret_answer)
{
	struct http_answer answer = {.head = calloc(1, HEAD_MAX)};
	char value[64];
	if (!answer.head) {
		return QRT_ENOMEM;
	}
	enum qrt_err err = read_head(cx, stream, answer.head);
	if (!err && sscanf(answer.head, "HTTP/1.1 %d ", &answer.status) != 1) {
		err = qrt_fail(cx, QRT_EPROTO, "answer begins with \"%.40s\"", answer.head);
	}
	if (!err) {
		answer.closes = http_answer_header(&answer, "Connection", value, sizeof(value)) &&
				strcasecmp(value, "close") == 0;
		if (http_answer_header(&answer, "Content-Length", value, sizeof(value)) &&
		    !no_body) {
			answer.body_len = strtoul(value, NULL, 10);
		}
		err = answer.body_len > BODY_MAX
			  ? qrt_fail(cx, QRT_EPROTO, "answer body of %zu", answer.body_len)
			  : read_body(cx, stream, &answer);
	}
	if (err) {
		http_answer_fini(&answer);
		return err;
	}
	*ret_answer = answer;
	return QRT_OK;
}

enum qrt_err http_ask(struct qrt_cx *cx, struct qrt_stream *stream, const char *method,
		      const char *path, const char *headers, const char *body,
		      struct http_answer *ret_answer)
{
	char length[64] = "";
	if (body) {
		snprintf(length, sizeof(length), "Content-Length: %zu\r\n", strlen(body));
	}
	char *head = NULL;
	if (asprintf(&head, "%s %s HTTP/1.1\r\nHost: quotey.test\r\n%s%s\r\n", method, path,
		     headers, length) < 0) {
		return QRT_ENOMEM;
	}
	const struct qrt_slice slices[] = {{head, strlen(head)}, {body, body ? strlen(body) : 0}};
	enum qrt_err err = qrt_writev(cx, stream, slices, body ? 2 : 1);
	free(head);
	if (err) {
		return err;
	}
	return http_read_answer(cx, stream, strcmp(method, "HEAD") == 0, ret_answer);
}
