/*
 * A small HTTP/1.1 client over qrt streams: reads one answer from a connection of the caller's. It
 * trusts nothing: an answer it cannot read is an error.
 */
#ifndef QY_LAB_HTTP_H
#define QY_LAB_HTTP_H

#include <qrt/stream.h>

#include "quotey/db/buffer.h"

struct qy_lab_answer {
	unsigned status;
	struct qy_buffer head; /* status line and headers, each with its CR LF */
	struct qy_buffer body;
	size_t n_behind; /* bytes that came with it and are not of it */
	bool closes;	 /* the server said `Connection: close` */
};

/*
 * Reads the next answer; an interim one (1xx) is skipped. @no_body: it answers a HEAD. Suspends.
 * Errors: the stream's; EPROTO; ELIMIT (64 KiB of head, 16 MiB of body); ENOMEM. The caller fini's
 * *ret_answer.
 */
enum qrt_err qy_lab_answer_read(struct qrt_cx *cx, struct qrt_stream *stream, bool no_body,
				struct qy_lab_answer *ret_answer) QRT_MUST_USE;
/* NULL-safe; also one that is all zero. */
void qy_lab_answer_fini(struct qy_lab_answer *answer);
/* A header's value and its length, in the answer's memory; NULL when absent. */
const char *qy_lab_answer_header(const struct qy_lab_answer *answer, const char *name,
				 size_t *ret_n);

#endif
