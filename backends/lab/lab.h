/*
 * The lab driver from the inside: its state, and what its files offer each
 * other. Nothing here makes a blocking call or asks the system for the time
 * or for randomness: what happens follows from the program and the seed.
 *
 *	driver.c	clock, randomness, poll
 *	deadlock.c	what is said when nothing can happen any more
 *	table.c		descriptors and their readiness
 *	conn.c		connections: two directions of bytes on their way
 *	net.c		what the runtime calls: listen, connect, read, ...
 *	lab.c		what tests call: qrt/lab.h
 */
#ifndef QRT_BACKENDS_LAB_LAB_H
#define QRT_BACKENDS_LAB_LAB_H

#include "backends/backend.h"
#include "backends/lab/random.h"
#include "shim/src/internal.h"

/* Out of reach of any descriptor of the system: the two cannot be mistaken for each other. */
enum { QRT__LAB_FD_FIRST = 1 << 20, QRT__LAB_FDS_MAX = 1 << 16 };

/* The driver's part of a runtime. */
struct qrt__lab {
	struct qrt_runtime *rt;
	uint64_t seed;
	int64_t now_ns;
	struct qrt__lab_random schedule, user, network, lanes;

	/* What the network will do, and when. */
	struct qrt__timers events;
	uint32_t conns_live;
	uint64_t conns;	    /* ever opened; numbers them */
	uint16_t next_port; /* for listeners on port 0 */
	struct qrt__list listeners;
	struct qrt__list signal_sets;

	struct qrt__lab_descriptor **slot; /* index: fd - QRT__LAB_FD_FIRST */
	uint64_t *hot;			   /* a bit per slot: its readiness may have changed */
	size_t n_slots;			   /* a multiple of 64 */
	size_t free_from;		   /* no slot below it is free */

	pthread_mutex_t wake_lock;
	pthread_cond_t wake_cond;
	bool woken;  /* under wake_lock */
	bool hosted; /* has taken work from other threads, or may */
};

extern const struct qrt__driver qrt__driver_lab;
extern const struct qrt__net qrt__net_lab;

static inline struct qrt__lab *qrt__lab_of(const struct qrt_runtime *rt)
{
	return rt->driver_state;
}

/* --- deadlock.c ---------------------------------------------------------------------------- */

/* Prints who waits for what and fails as an assertion does. */
void qrt__lab_deadlock(struct qrt__lab *lab) QRT_NORETURN;

/* --- table.c: files, and the descriptors that stand for them --------------------------------- */

struct qrt__lab_file;

struct qrt__lab_file_kind {
	const char *name;
	/* What can be done now without waiting: enum qrt__io. */
	unsigned (*readiness)(const struct qrt__lab_file *file);
	/* Its last descriptor has been closed: frees it. */
	void (*last_close)(struct qrt__lab_file *file);
};

/* Embedded in what descriptors stand for; may have several (dup) or none yet. */
struct qrt__lab_file {
	const struct qrt__lab_file_kind *kind;
	struct qrt__lab *lab;
	struct qrt__list descriptors;
};

struct qrt__lab_descriptor {
	int fd;
	struct qrt__lab_file *file;
	struct qrt__list in_file;
	struct qrt__socket *socket; /* who adopted it, or NULL */
	unsigned armed;
};

void qrt__lab_file_init(struct qrt__lab_file *file, struct qrt__lab *lab,
			const struct qrt__lab_file_kind *kind);
/* A new descriptor of @file. Errors: ENOMEM, EMFILE; the file is left as it was. */
enum qrt_err qrt__lab_fd_open(struct qrt__lab_file *file, int *ret_fd);
/* NULL when @fd is none of the lab's. */
struct qrt__lab_descriptor *qrt__lab_fd_find(const struct qrt__lab *lab, int fd);
/* The same, of one kind only. */
struct qrt__lab_file *qrt__lab_fd_file(const struct qrt__lab *lab, int fd,
				       const struct qrt__lab_file_kind *kind);
/* With the last descriptor goes the file. */
void qrt__lab_fd_close(struct qrt__lab_descriptor *descriptor);
/* Sets what @descriptor's socket wants to hear of. */
void qrt__lab_fd_arm(struct qrt__lab_descriptor *descriptor, unsigned io);
/* The readiness of @file may have changed. */
void qrt__lab_touch(const struct qrt__lab_file *file);
/* Tells every socket whose interest is met, in the order of fds; whether there was one. */
bool qrt__lab_deliver(struct qrt__lab *lab);
/* Names descriptors that are still open, then frees all; returns how many there were. */
size_t qrt__lab_table_fini(struct qrt__lab *lab);

/* --- conn.c: connections --------------------------------------------------------------------- */

enum { QRT__LAB_PIPE_BYTES = 64 * 1024 };

struct qrt__lab_conn;

/* Something the other side will learn: it has been said, and it has arrived. */
struct qrt__lab_notice {
	bool sent, arrived;
	int64_t at_ns;
};

struct qrt__lab_chunk;

/* One direction: what its reader will get, in the order it was written. */
struct qrt__lab_pipe {
	struct qrt__lab_chunk *first, *under_way, **tail;
	size_t inside;		     /* bytes written and not yet read */
	size_t readable;	     /* bytes of it that have arrived */
	int64_t last_at_ns;	     /* nothing overtakes */
	struct qrt__lab_notice fin;  /* the writer writes no more */
	struct qrt__lab_notice gone; /* the writer does not read any more either */
	bool reset;		     /* ends in ECONNRESET, not in end of stream */
	struct qrt__timer timer;
};

struct qrt__lab_end {
	struct qrt__lab_file file;
	struct qrt__lab_conn *conn;
	struct qrt__lab_end *peer;
	bool open;
	struct qrt__lab_pipe in; /* its peer writes into it */
};

enum qrt__lab_conn_state { QRT__LAB_CONNECTING, QRT__LAB_CONNECTED, QRT__LAB_FAILED };

struct qrt__lab_conn {
	struct qrt__lab *lab;
	uint64_t number;
	enum qrt__lab_conn_state state;
	enum qrt_err err; /* why it failed */
	uint16_t port;	  /* where it goes */
	unsigned attempts;
	struct qrt__timer decide;   /* while connecting */
	struct qrt__list in_queue;  /* connected and not yet accepted */
	struct qrt__lab_end end[2]; /* the connecting one, the accepting one */
};

extern const struct qrt__lab_file_kind qrt__lab_end_kind;

/* How long something takes on the way, this time. */
int64_t qrt__lab_latency(struct qrt__lab *lab);
/* A connection under way, only end 0 open; @decide fires when its fate is due. */
struct qrt__lab_conn *qrt__lab_conn_new(struct qrt__lab *lab, qrt__timer_fn *decide);
/* Both ends are open now. */
void qrt__lab_conn_established(struct qrt__lab_conn *conn);
/* With @reset the peer meets ECONNRESET where end of stream would be. The last one frees both. */
void qrt__lab_end_close(struct qrt__lab_end *end, bool reset);
enum qrt_err qrt__lab_end_read(struct qrt__lab_end *end, void *buf, size_t n, size_t *ret_n);
enum qrt_err qrt__lab_end_write(struct qrt__lab_end *end, const struct iovec *iov, size_t n_iov,
				size_t *ret_n);
enum qrt_err qrt__lab_end_shutdown(struct qrt__lab_end *end);

/* --- net.c, for lab.c ------------------------------------------------------------------------ */

enum qrt_err qrt__lab_pair(struct qrt__lab *lab, int *ret_a, int *ret_b);
/* Errors: ENOENT. */
enum qrt_err qrt__lab_raise(struct qrt__lab *lab, int signo);

#endif
