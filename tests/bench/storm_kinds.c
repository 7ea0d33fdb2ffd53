/*
 * The kinds of bad peers. Each is legal TCP; none needs more than any peer on
 * the net has.
 */
#include "tests/bench/storm.h"

#include <string.h>
#include <sys/socket.h>

/* --- slow-read: asks for much, reads a byte now and then ------------------ */

enum { PIPELINED = 64 };

static enum storm_next ask_for_much(struct storm *storm, struct storm_peer *peer)
{
	for (int i = 0; i < PIPELINED; i++) {
		storm_send(peer, storm->line->request, storm->line->request_len);
	}
	return STORM_STAY;
}

static enum storm_next read_a_byte(struct storm *storm, struct storm_peer *peer)
{
	char byte;
	ssize_t n = recv(peer->fd, &byte, 1, MSG_DONTWAIT);

	if (n == 0) {
		storm->counts.cut++;
	}
	return n == 0 ? STORM_LEAVE : STORM_STAY;
}

/* --- slow-header: a head that never ends, a byte at a time ---------------- */

static enum storm_next begin_a_head(struct storm *storm, struct storm_peer *peer)
{
	static const char head[] = "GET / HTTP/1.1\r\nHost: slow\r\nX-Slow: ";

	(void)storm;
	storm_send(peer, head, sizeof(head) - 1);
	return STORM_STAY;
}

static enum storm_next send_a_byte(struct storm *storm, struct storm_peer *peer)
{
	(void)storm;
	storm_send(peer, "x", 1);
	return STORM_STAY;
}

/* --- flood: more of them than there is room for, and they say nothing ------ */

static enum storm_next stay(struct storm *storm, struct storm_peer *peer)
{
	(void)storm;
	(void)peer;
	return STORM_STAY;
}

/* --- idle: one request, then the connection is kept and rests -------------- */

static enum storm_next ask(struct storm *storm, struct storm_peer *peer)
{
	storm_send(peer, storm->line->request, storm->line->request_len);
	return STORM_STAY;
}

/* --- half-close: asks, and ends its own side ------------------------------- */

static enum storm_next ask_and_end(struct storm *storm, struct storm_peer *peer)
{
	storm_send(peer, storm->line->request, storm->line->request_len);
	shutdown(peer->fd, SHUT_WR);
	return STORM_STAY;
}

/* --- reset: at the beginning, within a request, before or within the answer  */

static enum storm_next ask_and_reset(struct storm *storm, struct storm_peer *peer)
{
	size_t len = storm->line->request_len;

	switch (storm_random(storm) % 4) {
	case 0:
		return STORM_RESET;
	case 1:
		storm_send(peer, storm->line->request, storm_random(storm) % len);
		return STORM_RESET;
	case 2:
		storm_send(peer, storm->line->request, len);
		return STORM_RESET;
	default:
		storm_send(peer, storm->line->request, len);
		return STORM_STAY;
	}
}

static enum storm_next reset(struct storm *storm, struct storm_peer *peer)
{
	(void)storm;
	(void)peer;
	return STORM_RESET;
}

/* --- garbage: bytes that are no request ------------------------------------ */

static enum storm_next send_garbage(struct storm *storm, struct storm_peer *peer)
{
#define TEXT(s)                                                                                    \
	{                                                                                          \
		s, sizeof(s) - 1                                                                   \
	}
	static const struct {
		const char *bytes;
		size_t len;
	} texts[] = {
	    TEXT("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"), /* a TLS hello */
	    TEXT("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
	    TEXT("SSH-2.0-OpenSSH_9.2\r\n"),
	    TEXT("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n"),
	    TEXT("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"),
	    TEXT("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\n"),
	    TEXT("GET /\0 HTTP/1.1\r\n\r\n"),
	    TEXT("\r\n\r\n\r\n\r\n\n\n\n\n \n"),
	};
#undef TEXT
	enum { N_TEXTS = sizeof(texts) / sizeof(texts[0]) };
	uint64_t which = storm_random(storm) % (N_TEXTS * 2), noise[128];

	if (which < N_TEXTS) {
		storm_send(peer, texts[which].bytes, texts[which].len);
		return STORM_STAY;
	}
	for (size_t i = 0; i < 128; i++) {
		noise[i] = storm_random(storm);
	}
	storm_send(peer, noise, storm_random(storm) % sizeof(noise) + 1);
	return STORM_STAY;
}

/* Some garbage could be the beginning of something: nobody waits for that long. */
static enum storm_next leave_in_time(struct storm *storm, struct storm_peer *peer)
{
	(void)storm;
	return ++peer->step > 4 ? STORM_LEAVE : STORM_STAY;
}

/* --- the table ------------------------------------------------------------- */

const struct storm_kind storm_kinds[] = {
    {.name = "slow-read",
     .connected = ask_for_much,
     .tick = read_a_byte,
     .stays = true,
     .slow_reader = true},
    {.name = "slow-header",
     .connected = begin_a_head,
     .readable = stay,
     .tick = send_a_byte,
     .stays = true},
    {.name = "flood", .connected = stay, .readable = stay, .flood = true},
    {.name = "idle", .connected = ask, .readable = stay, .stays = true},
    {.name = "half-close", .connected = ask_and_end, .readable = stay},
    {.name = "reset", .connected = ask_and_reset, .readable = reset},
    {.name = "garbage", .connected = send_garbage, .readable = stay, .tick = leave_in_time},
};
const size_t storm_n_kinds = sizeof(storm_kinds) / sizeof(storm_kinds[0]);
