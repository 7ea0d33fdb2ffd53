/*
 * Between the schedule (load_run.c) and the connections (load_conn.c): who
 * has a request, and how it ended.
 */
#ifndef TESTS_BENCH_LOAD_RUN_H
#define TESTS_BENCH_LOAD_RUN_H

#include "tests/bench/load.h"

/*
 *	down ──> connecting ──> (upgrading) ──> idle <──> busy
 *
 * Any of them ends in down. A request may be waiting from connecting on.
 */
enum load_conn_state { CONN_DOWN, CONN_CONNECTING, CONN_UPGRADING, CONN_IDLE, CONN_BUSY };

struct load_conn {
	enum load_conn_state state;
	int fd;
	bool opening; /* before the clock starts; nobody waits for an answer */
	bool asked;   /* has a request */
	struct load_line *line;
	uint64_t number;     /* of the request */
	int64_t intended_ns; /* latency counts from here */
	int64_t started_ns;  /* the time limit counts from here */
	int64_t free_ns;     /* without a request since */
	int64_t rest_until_ns;
	const char *out; /* what is being sent */
	size_t out_len, sent;
	char *data; /* what has come: a WebSocket message so far, then bytes not understood yet */
	size_t message_len, len, cap;
	char *frame;		/* of the echo that is under way, masked */
	char *echo;		/* and in clear */
	struct load_conn *next; /* in the free or the resting queue */
};

struct load_queue {
	struct load_conn *head, *tail;
};

struct load_run {
	const struct load_options *options;
	const struct load_target *target;
	struct load_mix *mix;
	struct load_result *result;
	struct load_conn *conns;
	struct load_queue free, resting;
	char *upgrade; /* the request that asks for a WebSocket */
	size_t upgrade_len;
	int epoll, timer;
	int64_t armed_ns; /* when the timer rings; 0: it does not */
	int64_t start_ns, end_ns, last_answer_ns;
	uint64_t in_flight;
	unsigned opening;
};

/* --- of the connections --- */

void load_conn_init(struct load_run *run, struct load_conn *c);
/* Begins to connect, for a request or without one. */
void load_conn_open(struct load_run *run, struct load_conn *c);
/* Sends the request it has been given, now or once it is open. */
void load_conn_ask(struct load_run *run, struct load_conn *c);
void load_conn_event(struct load_run *run, struct load_conn *c);
void load_conn_drop(struct load_conn *c);
/* Says farewell where the protocol has one. */
void load_conn_fini(struct load_run *run, struct load_conn *c);

/* --- of the schedule --- */

/* A connection that was opened without a request is open, or is not to be. */
void load_run_opened(struct load_run *run, struct load_conn *c);
/* The one place where a request ends. */
void load_run_finish(struct load_run *run, struct load_conn *c, enum load_outcome outcome);

#endif
