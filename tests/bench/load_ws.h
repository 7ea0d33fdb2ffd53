/*
 * The client's side of WebSocket framing (RFC 6455), as much of it as an echo
 * needs. Pure: never touches a socket. It exists in the bench only, so that
 * the generator shares nothing with what it measures.
 */
#ifndef TESTS_BENCH_LOAD_WS_H
#define TESTS_BENCH_LOAD_WS_H

#include "tests/bench/load_http.h"

#include <stdint.h>

enum {
	LOAD_WS_TEXT = 1,
	LOAD_WS_BINARY = 2,
	LOAD_WS_CLOSE = 8,
	LOAD_WS_PING = 9,
	LOAD_WS_PONG = 10,
};

enum { LOAD_WS_HEAD_MAX = 14, LOAD_WS_CONTROL_MAX = 125 };

/* The nonce and its answer are the RFC's own example: an echo needs no better. */
#define LOAD_WS_KEY "dGhlIHNhbXBsZSBub25jZQ=="
#define LOAD_WS_ACCEPT "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

/*
 * Writes one whole, masked frame to @out, which has room for @len +
 * LOAD_WS_HEAD_MAX bytes, and returns its length.
 */
size_t load_ws_frame(unsigned opcode, uint32_t mask, const char *data, size_t len, char *out);

/* What a server has sent, at the beginning of the bytes so far. */
struct load_ws_frame {
	bool last;	 /* of its message */
	unsigned opcode; /* 0: goes on with the message before */
	char *data;	 /* into the bytes read */
	size_t len;
	size_t used;
};

/* LOAD_BAD: masked, of an unknown kind, too long, or a control frame that is in pieces. */
enum load_read load_ws_read(char *data, size_t len, struct load_ws_frame *ret_frame);

/* The answer to the upgrade: LOAD_WHOLE when it is 101 and accepts our nonce. */
enum load_read load_ws_accept(char *data, size_t len, size_t *ret_used);

#endif
