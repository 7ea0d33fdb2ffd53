/*
 * A small HTTP/1.1 client over qrt streams, for tests: one request, one
 * answer, on a connection of the caller's. It trusts nothing: an answer it
 * cannot read is an error.
 */
#ifndef QRT_TESTS_LIB_HTTP_CLIENT_H
#define QRT_TESTS_LIB_HTTP_CLIENT_H

#include <qrt/stream.h>

struct http_answer {
	int status;
	char *head; /* status line and headers, NUL-terminated */
	char *body; /* NUL-terminated */
	size_t body_len;
	bool closes; /* the server said `Connection: close` */
};

/*
 * @headers: complete lines ending in CRLF, or "". @body NULL: none, and no
 * Content-Length. Errors: the stream's; EPROTO. *ret_answer: end with http_answer_fini.
 */
enum qrt_err http_ask(struct qrt_cx *cx, struct qrt_stream *stream, const char *method,
		      const char *path, const char *headers, const char *body,
		      struct http_answer *ret_answer);
/* Reads the next answer on @stream; @no_body for what answers a HEAD. */
enum qrt_err http_read_answer(struct qrt_cx *cx, struct qrt_stream *stream, bool no_body,
			      struct http_answer *ret_answer);
void http_answer_fini(struct http_answer *answer);
/* A header's value, copied to @ret (cut at @n); false and "" when absent. */
bool http_answer_header(const struct http_answer *answer, const char *name, char *ret, size_t n);

#endif
