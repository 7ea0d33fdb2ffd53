/*
 * The incremental parser of requests: bytes in, one struct qrt_http_request out. It knows the
 * limits and the grammar, never a connection. The parsing library is an affair of http/parse.c.
 */
#ifndef QRT_HTTP_PARSE_H
#define QRT_HTTP_PARSE_H

#include "shim/src/http/message.h"

struct qrt__http_limits {
	size_t request_line_max, header_max;
};

enum qrt__http_state {
	QRT__HTTP_MORE,	 /* give more bytes */
	QRT__HTTP_HEAD,	 /* a body follows: say how to take it, then give more bytes; told once */
	QRT__HTTP_DONE,	 /* the request is complete; the rest of the bytes is the next one's */
	QRT__HTTP_FAULT, /* answer fault_status and close; only reset leads out of it */
};

struct qrt__http_parser;

enum qrt_err qrt__http_parser_create(const struct qrt__http_limits *limits,
				     struct qrt__http_parser **ret_parser) QRT_MUST_USE;
void qrt__http_parser_destroy(struct qrt__http_parser **parser);
/* Forgets the message and its arena; ready for the next one. */
void qrt__http_parser_reset(struct qrt__http_parser *parser);

/* Takes *ret_used of the @n bytes: all of them unless the answer is HEAD, DONE or FAULT. */
enum qrt__http_state qrt__http_parser_feed(struct qrt__http_parser *parser, const char *data,
					   size_t n, size_t *ret_used);
/*
 * After HEAD: the body may be @max bytes long, and is kept for the request (@keep), or dropped
 * unless it is fed by feed_into. MORE, or FAULT: it is declared longer.
 */
enum qrt__http_state qrt__http_parser_body(struct qrt__http_parser *parser, bool keep, size_t max);
/*
 * As feed, for a body that is not kept: what @data holds of it, at most @n bytes, goes to @buf, and
 * *ret_got tells how much. @buf may be @data.
 */
enum qrt__http_state qrt__http_parser_feed_into(struct qrt__http_parser *parser, const char *data,
						size_t n, char *buf, size_t *ret_used,
						size_t *ret_got);

/* Whether a byte of a message has come (empty lines before it do not count). */
bool qrt__http_parser_started(const struct qrt__http_parser *parser);
/* Whether the head is complete, and the whole message. */
bool qrt__http_parser_has_head(const struct qrt__http_parser *parser);
bool qrt__http_parser_is_done(const struct qrt__http_parser *parser);
/* Never NULL; before DONE it holds what has been understood so far. */
struct qrt_http_request *qrt__http_parser_request(struct qrt__http_parser *parser);
/* 0 unless FAULT. */
int qrt__http_parser_fault(const struct qrt__http_parser *parser, const char **ret_why);

#endif
