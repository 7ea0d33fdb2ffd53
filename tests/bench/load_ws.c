/* WebSocket framing of a client; see load_ws.h. */
#include "tests/bench/load_ws.h"

#include <string.h>
#include <strings.h>

size_t load_ws_frame(unsigned opcode, uint32_t mask, const char *data, size_t len, char *out)
{
	unsigned char *to = (unsigned char *)out, key[4];
	size_t at = 2, i;

	to[0] = (unsigned char)(0x80 | opcode);
	if (len < 126) {
		to[1] = (unsigned char)(0x80 | len);
	} else if (len < 65536) {
		to[1] = 0x80 | 126;
		to[at++] = (unsigned char)(len >> 8);
		to[at++] = (unsigned char)len;
	} else {
		to[1] = 0x80 | 127;
		for (i = 0; i < 8; i++) {
			to[at++] = (unsigned char)((uint64_t)len >> (56 - 8 * i));
		}
	}
	for (i = 0; i < 4; i++) {
		to[at++] = key[i] = (unsigned char)(mask >> (24 - 8 * i));
	}
	for (i = 0; i < len; i++) {
		to[at + i] = (unsigned char)data[i] ^ key[i % 4];
	}
	return at + len;
}

/* Bytes of the length after the first two. */
static size_t length_bytes(unsigned short_len)
{
	return short_len < 126 ? 0 : short_len == 126 ? 2 : 8;
}

enum load_read load_ws_read(char *data, size_t len, struct load_ws_frame *ret_frame)
{
	const unsigned char *from = (const unsigned char *)data;
	uint64_t size;
	size_t extra, i;
	unsigned opcode;

	if (len < 2) {
		return LOAD_MORE;
	}
	opcode = from[0] & 0x0f;
	size = from[1];
	extra = length_bytes(from[1]);
	if ((from[0] & 0x70) != 0 || size >= 128 || (opcode > 2 && opcode < 8) || opcode > 10 ||
	    (opcode >= 8 && (size > LOAD_WS_CONTROL_MAX || from[0] < 0x80))) {
		return LOAD_BAD;
	}
	if (len < 2 + extra) {
		return LOAD_MORE;
	}
	for (i = 0; i < extra; i++) {
		size = (i == 0 ? 0 : size << 8) | from[2 + i];
	}
	if (size > LOAD_BODY_MAX) {
		return LOAD_BAD;
	}
	if (len - 2 - extra < size) {
		return LOAD_MORE;
	}
	*ret_frame = (struct load_ws_frame){
	    .last = from[0] >= 0x80,
	    .opcode = opcode,
	    .data = data + 2 + extra,
	    .len = (size_t)size,
	    .used = 2 + extra + (size_t)size,
	};
	return LOAD_WHOLE;
}

enum load_read load_ws_accept(char *data, size_t len, size_t *ret_used)
{
	static const char name[] = "\r\nSec-WebSocket-Accept:";
	char *end = strstr(data, "\r\n\r\n"), *line;

	if (end == NULL) {
		return len > LOAD_HEAD_MAX || memchr(data, '\0', len) != NULL ? LOAD_BAD
									      : LOAD_MORE;
	}
	if (strncmp(data, "HTTP/1.1 101", 12) != 0) {
		return LOAD_BAD;
	}
	for (line = data; line < end; line++) {
		if (strncasecmp(line, name, sizeof(name) - 1) == 0) {
			line += sizeof(name) - 1;
			line += strspn(line, " \t");
			*ret_used = (size_t)(end - data) + 4;
			return strncmp(line, LOAD_WS_ACCEPT "\r\n", sizeof(LOAD_WS_ACCEPT) + 1) == 0
				   ? LOAD_WHOLE
				   : LOAD_BAD;
		}
	}
	return LOAD_BAD;
}
