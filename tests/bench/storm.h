/*
 * Peers that behave badly, each in one way: what they do when they are
 * connected, when something has come, and as time passes. The crowd
 * (storm_crowd.c) does the rest; who is served meanwhile is storm.c's affair.
 */
#ifndef TESTS_BENCH_STORM_H
#define TESTS_BENCH_STORM_H

#include "tests/bench/load.h"

enum { STORM_BYTES = 16384 };

struct storm;

/* One bad peer; it comes back as often as it goes. */
struct storm_peer {
	int fd; /* -1: not there */
	bool connected;
	unsigned step; /* of what it does, from 0 when it has connected */
	int64_t since_ns;
	size_t len;
	char bytes[STORM_BYTES]; /* what has come; the rest of a longer answer is dropped */
};

/* What becomes of the peer after it did something. */
enum storm_next {
	STORM_STAY,
	STORM_LEAVE, /* closes, and connects anew */
	STORM_RESET, /* closes with a reset, and connects anew */
};

struct storm_kind {
	const char *name;
	enum storm_next (*connected)(struct storm *storm, struct storm_peer *peer);
	/* Something has come. NULL: it never reads, and ticks only. */
	enum storm_next (*readable)(struct storm *storm, struct storm_peer *peer);
	/* NULL: time does not matter to it. */
	enum storm_next (*tick)(struct storm *storm, struct storm_peer *peer);
	bool stays;	  /* it comes to stay, all the time of the storm */
	bool slow_reader; /* with a small buffer of its own */
	bool flood;	  /* comes in a larger crowd than the server takes */
};

extern const struct storm_kind storm_kinds[];
extern const size_t storm_n_kinds;

/* What has happened so far. */
struct storm_counts {
	uint64_t opened;   /* connections */
	uint64_t cut;	   /* ended by the server */
	uint64_t answered; /* answers of 2xx, of whatever peer */
	uint64_t refused;  /* of 503 */
	uint64_t faulted;  /* of another 4xx or 5xx */
};

struct storm {
	const struct storm_kind *kind;
	const struct load_target *target;
	const struct load_line *line; /* a good request, for those who begin well */
	unsigned crowd;		      /* peers at once */
	uint64_t opened_max;
	int64_t tick_ns;
	uint64_t seed;
	struct storm_counts counts;
	/* the crowd's own */
	struct storm_peer *peers;
	int epoll;
	int64_t now_ns;
};

/* Rages until @until_ns; returns with every peer there still is, connected. */
void storm_rage(struct storm *storm, int64_t until_ns);
/* All go at once. */
void storm_end(struct storm *storm);

/* --- for the kinds --- */

/* As much as the kernel takes at once; the peer does not insist. */
void storm_send(struct storm_peer *peer, const void *data, size_t len);
uint64_t storm_random(struct storm *storm);

#endif
