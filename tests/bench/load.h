/*
 * The load generator: HTTP/1.1 requests or WebSocket echoes over epoll, for
 * the demo, the tests and the measurements. It is an independent peer: no
 * runtime of ours, one thread, no pipelining, and it never retries, so that
 * every request has exactly one outcome and none is hidden.
 *
 * At a fixed rate (open loop) request k is due at start + k / rate whether or
 * not the server keeps up, and its latency counts from there: a stalled server
 * is charged for everybody who would have waited (no coordinated omission).
 * Without a rate (closed loop) the next request follows the answer.
 */
#ifndef TESTS_BENCH_LOAD_H
#define TESTS_BENCH_LOAD_H

#include "tests/bench/load_hist.h"
#include "tests/bench/load_http.h"

#include <sys/socket.h>

enum {
	LOAD_CONNECTIONS_MAX = 10000,
	LOAD_SECONDS_MAX = 3600,
	LOAD_RATE_MAX = 1000000,
	LOAD_PATH_MAX = 2048,
	LOAD_MIX_MAX = 256,
	LOAD_MESSAGE_MAX = 65536,
	LOAD_TIMEOUT_MAX_MS = 60000,
};

#define LOAD_NS_PER_S 1000000000ll
#define LOAD_NS_PER_MS 1000000ll

/* --- where to --- */

struct load_target {
	struct sockaddr_storage addr;
	socklen_t addr_len;
	char host[64]; /* of the Host header */
	char path[LOAD_PATH_MAX + 1];
	bool ws; /* an echo over WebSocket, not HTTP */
};

/* "http://127.0.0.1:80/path" or "ws://...". Ends the program over one that is none. */
void load_target_parse(const char *url, struct load_target *ret_target);
/* Connects to a UNIX socket in place of the address. */
void load_target_unix(struct load_target *target, const char *path);

/* --- what to ask --- */

struct load_seen; /* the distinct answers to a line: load_seen.c */

struct load_line {
	char *method, *path;
	char *request; /* ready to send */
	size_t request_len;
	struct load_seen *seen; /* NULL: nobody wants them */
};

struct load_mix {
	const char *host;
	const char *const *headers;
	size_t n_headers;
	struct load_line lines[LOAD_MIX_MAX]; /* asked for in turn */
	size_t n;
};

void load_mix_add(struct load_mix *mix, const char *method, const char *path, const char *body,
		  size_t body_len);
/* A line each: METHOD /PATH [BODY]; empty lines and lines with # are left out. */
void load_mix_read(struct load_mix *mix, const char *file);
void load_mix_fini(struct load_mix *mix);

/* Remembers each distinct answer of each line, with what differs between runs masked. */
void load_seen_start(struct load_mix *mix);
void load_seen_add(struct load_line *line, const struct load_answer *answer);
uint64_t load_seen_count(const struct load_mix *mix);
/* Sorted and without counts, so that two runs with equal answers give equal files. */
void load_seen_write(const struct load_mix *mix, const char *file);
void load_seen_destroy(struct load_seen **seen);

/* --- a run --- */

enum load_outcome {
	LOAD_OK,
	LOAD_BAD_STATUS,
	LOAD_REFUSED,
	LOAD_RESET,
	LOAD_TIMED_OUT,
	LOAD_MALFORMED, /* no answer of the protocol, or another echo than what was sent */
	LOAD_UNSENT,	/* due, but never sent: no connection became free in time */
	LOAD_N_OUTCOMES
};

struct load_options {
	unsigned connections;
	double rate;	   /* requests per second; 0: closed loop */
	double seconds;	   /* then no more are due; those under way still count */
	uint64_t requests; /* at most; 0: no limit */
	int timeout_ms;	   /* of one request */
	size_t message;	   /* bytes of an echo */
	bool spin;	   /* never sleeps: for who has a core of its own */
};

/*
 * Latencies are of answers, of those that timed out and of those never sent:
 * those waited at least so long, and leaving them out would flatter the
 * server. What was refused or broken off counts as failed only.
 */
struct load_result {
	uint64_t issued;
	uint64_t outcomes[LOAD_N_OUTCOMES];
	uint64_t connects;
	double seconds;
	int64_t gap_max_ns;    /* the longest time without an answer */
	int64_t late_max_ns;   /* how late the generator itself was, at worst */
	struct load_hist hist; /* of latencies in ns */
};

/*
 * Opens the connections, which is not timed (one that fails is tried again by its first request),
 * then asks until the time or the number is over and all is settled.
 */
void load_run(const struct load_options *options, const struct load_target *target,
	      struct load_mix *mix, struct load_result *ret_result);

void load_report(const struct load_result *result, const struct load_mix *mix, bool json);

/* --- shared by all of it --- */

void load_die(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));
void *load_must(void *p); /* ends the program over NULL: out of memory */
int64_t load_now_ns(void);
bool load_is_visible(const char *s); /* ASCII without blanks and controls */

#endif
