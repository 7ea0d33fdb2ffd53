/*
 * Reads one HTTP/1 answer from the bytes collected so far. Pure: never
 * touches a socket or a clock, and shares nothing with the project's own HTTP
 * code, because the load client is an independent peer.
 */
#ifndef TESTS_BENCH_LOAD_HTTP_H
#define TESTS_BENCH_LOAD_HTTP_H

#include <stdbool.h>
#include <stddef.h>

enum {
	LOAD_HEAD_MAX = 16384,
	LOAD_BODY_MAX = 1 << 20,
	LOAD_ANSWER_MAX = LOAD_HEAD_MAX + LOAD_BODY_MAX,
};

enum load_read {
	LOAD_MORE, /* not whole yet */
	LOAD_WHOLE,
	LOAD_BAD, /* not the protocol, or over a limit */
};

struct load_answer {
	int status;
	bool close; /* the peer will not take another request here */
	char *body; /* into the bytes read */
	size_t body_len;
	size_t used; /* bytes of the whole answer */
};

/*
 * Reads an answer from all bytes so far; @data[@len] must be 0. @ended: no
 * more will come. A chunked body is joined in place once it is whole.
 */
enum load_read load_http_read(char *data, size_t len, bool ended, struct load_answer *ret_answer);

#endif
