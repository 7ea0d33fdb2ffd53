/*
 * The incremental parser of answers: bytes in, the head and pieces of the body out. It knows the
 * limits and the grammar, never a connection. The parsing library is an affair of http/reply.c.
 */
#ifndef QRT_HTTP_REPLY_H
#define QRT_HTTP_REPLY_H

#include <qrt/http_client.h>

enum qrt__http_reply_state {
	QRT__REPLY_MORE,     /* give more bytes, or say that none will come */
	QRT__REPLY_CONTINUE, /* a 100 has come; what it is the word for is not over */
	QRT__REPLY_HEAD,     /* the head is complete; told once */
	QRT__REPLY_DATA,     /* a piece of the body is among the used bytes */
	QRT__REPLY_DONE,     /* the answer is complete; the rest of the bytes is not its own */
	QRT__REPLY_FAULT,    /* only reset leads out of it */
};

struct qrt__http_reply;

/* @head_max: bytes of a head, interim ones included; of all chunk extensions and trailers. */
enum qrt_err qrt__http_reply_create(size_t head_max,
				    struct qrt__http_reply **ret_reply) QRT_MUST_USE;
/* NULL-safe. */
void qrt__http_reply_destroy(struct qrt__http_reply **reply);
/* Forgets the answer and its arena; ready for one to HEAD, or to any other request. */
void qrt__http_reply_reset(struct qrt__http_reply *reply, bool to_head);

/*
 * Takes *ret_used of the @n bytes, 0 of them too: all unless the answer is other than MORE. After
 * HEAD and DATA something may be told without more bytes.
 */
enum qrt__http_reply_state qrt__http_reply_feed(struct qrt__http_reply *reply, const char *data,
						size_t n, size_t *ret_used);
/* What the last feed that said DATA has found: within its bytes. */
const char *qrt__http_reply_piece(const struct qrt__http_reply *reply, size_t *ret_n);
/* The connection has ended, in good order: DONE if that ends the answer, else FAULT. */
enum qrt__http_reply_state qrt__http_reply_eof(struct qrt__http_reply *reply);

/* Whether a byte of an answer has come, also of an interim one. */
bool qrt__http_reply_started(const struct qrt__http_reply *reply);
/* Its status and headers, which live until reset. Only from HEAD on. */
void qrt__http_reply_answer(const struct qrt__http_reply *reply,
			    struct qrt_http_answer *ret_answer);
/* Whether it says how long its body is; *ret_n: that. Only from HEAD on. */
bool qrt__http_reply_length(const struct qrt__http_reply *reply, uint64_t *ret_n);
/* Whether the connection may be used after it. Only when DONE. */
bool qrt__http_reply_keeps(const struct qrt__http_reply *reply);

struct qrt__http_reply_fault {
	enum qrt_err err; /* QRT_OK: none; EPROTO, ELIMIT, ENOMEM, ECONNRESET (cut off) */
	const char *why;  /* static */
};
struct qrt__http_reply_fault qrt__http_reply_fault(const struct qrt__http_reply *reply);

#endif
