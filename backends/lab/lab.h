/*
 * The lab from the inside: its state, and what its files offer each other.
 * Nothing here makes a blocking call or asks the system for the time or for
 * randomness: what happens follows from the program and the seed.
 *
 *	lab.c		opening, closing, what tests call: qrt/lab.h
 *	world.c		whose turn it is, and the clock
 *	driver.c	the lab as a driver of one of its runtimes
 *	choice.c	every choice: drawn, recorded, replayed
 *	strategy.c	who runs next
 *	fault.c		what goes wrong
 *	replay.c	executions as files; the first step that differs
 *	token.c		executions as a line of text
 *	deadlock.c	what is said when nothing can happen any more
 *	table.c		descriptors and their readiness
 *	conn.c		connections: two directions of bytes on their way
 *	net.c		what the runtime calls: listen, connect, read, ...
 *	ws.c		WebSockets: messages over a connection
 *	names.c		what names are looked up as
 *	process.c	child processes
 *	sweep.c		points at which something is done, and which is the one
 *	observe.c	what is heard of each step
 *	oracle*.c	what must hold, told from that: qrt/oracle.h
 *	trial.c		one run of a program, and what came of it
 *	batch.c		many, in worker processes
 *	campaign.c	for many seeds, or for each point of a sweep
 *	shrink.c	the same failure with fewer choices
 *	lab_disk.c	what goes wrong with the disk
 *	disk.h		the disk itself, in disk*.c
 */
#ifndef QRT_BACKENDS_LAB_LAB_H
#define QRT_BACKENDS_LAB_LAB_H

#include <qrt/lab.h>

#include "backends/backend.h"
#include "backends/lab/random.h"
#include "shim/src/internal.h"
#include "shim/src/io/unix_name.h"

/* 2026-01-01T00:00:00Z, where the wall clock of every lab stands at first. */
#define QRT__LAB_EPOCH_MS INT64_C(1767225600000)

/* Out of reach of any descriptor of the system: the two cannot be mistaken for each other. */
enum { QRT__LAB_FD_FIRST = 1 << 20, QRT__LAB_FDS_MAX = 1 << 16 };

/*
 * What is chosen. Each kind has a stream of random numbers of its own, so that more choices of
 * one kind do not change those of another. Of each choice 0 is the dullest: the task whose turn
 * it is, the shortest time, no fault.
 */
#define QRT__CHOICES(X)                                                                            \
	X(QRT__CHOOSE_TASK, "task")                                                                \
	X(QRT__CHOOSE_RUNTIME, "runtime")                                                          \
	X(QRT__CHOOSE_SELECT, "select")                                                            \
	X(QRT__CHOOSE_NETWORK, "network")                                                          \
	X(QRT__CHOOSE_LANE, "lane")                                                                \
	X(QRT__CHOOSE_FAULT, "fault")                                                              \
	X(QRT__CHOOSE_DISK, "disk")
enum qrt__choice_kind {
#define QRT__CHOICE_ENUM(name, text) name,
	QRT__CHOICES(QRT__CHOICE_ENUM)
#undef QRT__CHOICE_ENUM
	    QRT__CHOICE_KINDS
};

/* A choice as it was made: @value below @n. */
struct qrt__choice {
	uint32_t n, value;
	uint8_t kind;
};

struct qrt__replay;
struct qrt__disk;
struct qrt__oracle_book;

enum { QRT__PCT_DEPTH_MAX = 16, QRT__LAB_RUNTIMES_MAX = 16 };

/* Who runs next: strategy.c. */
struct qrt__strategy {
	uint64_t change_at[QRT__PCT_DEPTH_MAX]; /* steps at which the first one goes to the end */
	unsigned n_changes;
	uint64_t lowest; /* rank; whoever spins gets one below it */
	uint64_t last;	 /* rank of whoever runs, and runs */
	unsigned streak; /* how often, nearly in a row */
};

/* The points of a sweep: sweep.c. */
struct qrt__sweep {
	struct qrt__region *_Atomic failing; /* while it is open, failures count; NULL: none */
	struct qrt_runtime *rt;		     /* its own */
	_Atomic uint64_t points;	     /* so far */
	_Atomic bool fired;
	uint64_t looking_at; /* the task whose next wait is of interest; 0: nobody's */
	char point[256];
};

struct qrt_lab {
	struct qrt_lab_options opts;
	struct qrt_lab_faults faults; /* from now on */
	struct qrt__list runtimes;    /* qrt__member.in_lab, in the order they joined */
	unsigned n_runtimes;
	uint64_t joined; /* ever */
	bool shared;	 /* opened by qrt_lab_open: its runtimes have no threads */
	int64_t now_ns;
	uint64_t hash, steps, n_choices, n_faults;
	uint64_t turns; /* given to one of its runtimes */
	uint64_t *n_of; /* choices of each kind: own_n_of, or where a batch sees them */
	uint64_t own_n_of[QRT__CHOICE_KINDS];
	char detail[QRT__DETAIL_MAX]; /* of the run's failure */
	struct qrt__lab_random stream[QRT__CHOICE_KINDS];
	struct qrt__lab_random user; /* what programs ask for; no choice */
	struct qrt__strategy strategy;
	struct qrt__replay *replay; /* recording or replaying, or NULL */
	struct qrt__disk *disk;	    /* NULL: the system's */
	bool powerless;		    /* each operation on the disk fails */
	struct qrt__disk *crashed;  /* what a crash has left */
	struct qrt__disk_vfs *vfs;
	struct qrt__lab_random disk_random;
	struct qrt__sweep sweep;
	struct qrt__oracle_book *oracles; /* NULL: nobody asks for verdicts */
	int64_t job_ns;			  /* what the lane job that runs has spent */
	bool healed;

	/* What the network will do, and when. */
	struct qrt__timers events;
	struct qrt__timer heal;
	uint32_t conns_live;
	uint64_t conns;	       /* ever opened; numbers them */
	struct qrt__list held; /* pipes that a partition keeps from arriving */
	uint16_t next_port;    /* for listeners on port 0 */
	struct qrt__list listeners;
	struct qrt__list signal_sets;
	struct qrt__list names; /* names.c */
	size_t n_names;
	struct qrt__list programs; /* process.c */
	size_t n_programs;
	int last_pid;

	struct qrt__lab_descriptor **slot; /* index: fd - QRT__LAB_FD_FIRST */
	uint64_t *hot;			   /* a bit per slot: its readiness may have changed */
	size_t n_slots;			   /* a multiple of 64 */
	size_t n_fds;			   /* open */
	size_t free_from;		   /* no slot below it is free */
	bool told_again; /* a descriptor's own reader or writer has done something */
};

/* The driver's part of a runtime. */
struct qrt__member {
	struct qrt_runtime *rt;
	struct qrt_lab *lab;
	struct qrt__list in_lab;
	bool going;	    /* its loop is being turned, by itself or with others */
	bool ended;	    /* its loop has ended, of one that is turned with others */
	uint64_t last_turn; /* which of the lab's turns it had last */

	pthread_mutex_t wake_lock;
	pthread_cond_t wake_cond;
	bool woken;  /* under wake_lock */
	bool hosted; /* has taken work from other threads, or may */
};

extern const struct qrt__driver qrt__driver_lab;
extern const struct qrt__net qrt__net_lab;

static inline struct qrt__member *qrt__member_of(const struct qrt_runtime *rt)
{
	return rt->driver_state;
}
static inline struct qrt_lab *qrt__lab_of(const struct qrt_runtime *rt)
{
	return qrt__member_of(rt)->lab;
}

/* --- lab.c ----------------------------------------------------------------------------------- */

enum qrt_err qrt__lab_new(const struct qrt_lab_options *opts, char *ret_detail,
			  struct qrt_lab **ret_lab);
void qrt__lab_free(struct qrt_lab *lab);
/* A failed assertion on this thread ends with @lab's token; NULL: no more. */
void qrt__lab_speaks_last(struct qrt_lab *lab);

/* --- world.c: turns and the clock --------------------------------------------------------------
 */

/*
 * Lets the lab go on until @self has something to do or its loop has ended (true), or until
 * nothing can happen up to @until_ns (false); then the clock stands there.
 */
bool qrt__world_go(struct qrt_lab *lab, struct qrt__member *self, int64_t until_ns);

/* One turn of a runtime that is turned with others: whether its loop has ended. */
bool qrt__world_turn(struct qrt__member *member);

/* --- choice.c ----------------------------------------------------------------------------------
 */

/* Below @n, which is at least 1: drawn, or as it was in the execution that is replayed. */
uint32_t qrt__choose(struct qrt_lab *lab, enum qrt__choice_kind kind, uint32_t n);
/* The same of a choice somebody else has drawn: @value stands unless a replay says otherwise. */
uint32_t qrt__chosen(struct qrt_lab *lab, enum qrt__choice_kind kind, uint32_t n, uint32_t value);
/* From @low to @high, both included. */
int64_t qrt__choose_ns(struct qrt_lab *lab, enum qrt__choice_kind kind, int64_t low, int64_t high);
/* The start of the stream number @which of @seed. */
struct qrt__lab_random qrt__lab_stream(uint64_t seed, uint64_t which);

/* --- strategy.c --------------------------------------------------------------------------------
 */

void qrt__strategy_init(struct qrt_lab *lab);
/* A ready task of @rt; NULL: the one whose turn it is. */
struct qrt_task *qrt__strategy_task(struct qrt_lab *lab, struct qrt_runtime *rt);
/* One of the @n runtimes that can go on; who has waited longest is the first. */
struct qrt__member *qrt__strategy_runtime(struct qrt_lab *lab, struct qrt__member *const *can,
					  uint32_t n);

/* --- fault.c -----------------------------------------------------------------------------------
 */

/* Whether something goes wrong that does so in @rate of 1,000 times. */
bool qrt__fault(struct qrt_lab *lab, unsigned rate);
enum qrt_err qrt__faults_check(const struct qrt_lab_faults *faults, char *ret_detail);

/* --- sweep.c -----------------------------------------------------------------------------------
 */

bool qrt__sweep_wants_checkpoints(const struct qrt_lab *lab);
void qrt__sweep_checkpoint(struct qrt_lab *lab, struct qrt_cx *cx);
/* Of whoever has come to a point of interest: what it does next. */
void qrt__sweep_step(struct qrt_lab *lab, const struct qrt__step *step);
/* An operation that a sweep may choose to fail: whether it is the one. */
bool qrt__io_point(struct qrt_lab *lab);
/* A disk operation: whether the power goes before it. */
bool qrt__crash_point(struct qrt_lab *lab);
void qrt__sweep_fini(struct qrt_lab *lab);

/* --- replay.c ----------------------------------------------------------------------------------
 */

enum qrt_err qrt__replay_open(struct qrt_lab *lab, char *ret_detail);
void qrt__replay_close(struct qrt_lab *lab);
/* The program has ended: so must have the one that was recorded. */
void qrt__replay_ended(struct qrt_lab *lab);
/* @choice has been drawn; returns what it is to be. */
uint32_t qrt__replay_choice(struct qrt_lab *lab, const struct qrt__choice *choice);
void qrt__replay_step(struct qrt_lab *lab, const struct qrt_runtime *rt,
		      const struct qrt__step *step);
const char *qrt__choice_name(unsigned kind);

/* --- lab_disk.c
 * -------------------------------------------------------------------------------------- */

enum qrt_err qrt__lab_disk_open(struct qrt_lab *lab);
void qrt__lab_disk_close(struct qrt_lab *lab);

/* --- deadlock.c ---------------------------------------------------------------------------- */

/* Prints who waits for what and fails as an assertion does. */
void qrt__lab_deadlock(struct qrt_lab *lab) QRT_NORETURN;
/* The same of an execution that goes on and on. */
void qrt__lab_livelock(struct qrt_lab *lab, const char *why) QRT_NORETURN;

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
	struct qrt_lab *lab;
	struct qrt__list descriptors;
};

struct qrt__lab_descriptor {
	int fd;
	struct qrt__lab_file *file;
	struct qrt__list in_file;
	struct qrt__socket *socket; /* who adopted it, or NULL */
	/* Or who is told instead: whether it has done anything with that. */
	bool (*ready)(void *arg, unsigned io);
	void *ready_arg;
	unsigned armed;
};

void qrt__lab_file_init(struct qrt__lab_file *file, struct qrt_lab *lab,
			const struct qrt__lab_file_kind *kind);
/* A new descriptor of @file. Errors: ENOMEM, EMFILE; the file is left as it was. */
enum qrt_err qrt__lab_fd_open(struct qrt__lab_file *file, int *ret_fd);
/* NULL when @fd is none of the lab's. */
struct qrt__lab_descriptor *qrt__lab_fd_find(const struct qrt_lab *lab, int fd);
/* The same, of one kind only. */
struct qrt__lab_file *qrt__lab_fd_file(const struct qrt_lab *lab, int fd,
				       const struct qrt__lab_file_kind *kind);
/* With the last descriptor goes the file. */
void qrt__lab_fd_close(struct qrt__lab_descriptor *descriptor);
/* Sets what @descriptor's socket wants to hear of. */
void qrt__lab_fd_arm(struct qrt__lab_descriptor *descriptor, unsigned io);
/* The readiness of @file may have changed. */
void qrt__lab_touch(const struct qrt__lab_file *file);
/* That of any file. */
void qrt__lab_touch_all(struct qrt_lab *lab);
/* Tells every socket whose interest is met, in the order of fds; whether there was one. */
bool qrt__lab_deliver(struct qrt_lab *lab);
/* Names descriptors that are still open, then frees all; returns how many there were. */
size_t qrt__lab_table_fini(struct qrt_lab *lab);

/* --- conn.c: connections --------------------------------------------------------------------- */

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
	struct qrt__list in_held; /* what should have arrived waits for the end of a partition */
};

struct qrt__lab_end {
	struct qrt__lab_file file;
	struct qrt__lab_conn *conn;
	struct qrt__lab_end *peer;
	bool open;
	struct qrt__lab_pipe in; /* its peer writes into it */
};

enum qrt__lab_conn_state { QRT__LAB_CONNECTING, QRT__LAB_CONNECTED, QRT__LAB_FAILED };

/* Where a listener is: a port, or the name of a Unix socket. */
struct qrt__lab_place {
	uint16_t port;
	struct qrt__unix_name name;
};

struct qrt__lab_conn {
	struct qrt_lab *lab;
	uint64_t number;
	enum qrt__lab_conn_state state;
	enum qrt_err err;	     /* why it failed */
	bool vanished;		     /* nothing arrives any more, in either direction */
	struct qrt__lab_place place; /* where it goes */
	unsigned attempts;
	struct qrt__timer decide;   /* while connecting */
	struct qrt__list in_queue;  /* connected and not yet accepted */
	struct qrt__lab_end end[2]; /* the connecting one, the accepting one */
};

extern const struct qrt__lab_file_kind qrt__lab_end_kind;

/* How long something takes on the way, this time. */
int64_t qrt__lab_latency(struct qrt_lab *lab);
/* A connection under way, only end 0 open; @decide fires when its fate is due. */
struct qrt__lab_conn *qrt__lab_conn_new(struct qrt_lab *lab, qrt__timer_fn *decide);
/* Both ends are open now. */
void qrt__lab_conn_established(struct qrt__lab_conn *conn);
/* With @reset the peer meets ECONNRESET where end of stream would be. The last one frees both. */
void qrt__lab_end_close(struct qrt__lab_end *end, bool reset);
enum qrt_err qrt__lab_end_read(struct qrt__lab_end *end, void *buf, size_t n, size_t *ret_n);
enum qrt_err qrt__lab_end_write(struct qrt__lab_end *end, const struct iovec *iov, size_t n_iov,
				size_t *ret_n);
enum qrt_err qrt__lab_end_shutdown(struct qrt__lab_end *end);
/* What has arrived is lost, too; both sides meet ECONNRESET. */
void qrt__lab_conn_reset(struct qrt__lab_conn *conn);
/* The partition is over: what it has held back arrives now. */
void qrt__lab_release_held(struct qrt_lab *lab);

/* --- names.c --------------------------------------------------------------------------------- */

void qrt__lab_lookup(struct qrt_runtime *rt, const char *host, struct qrt__lookup *ret_lookup);
void qrt__lab_names_fini(struct qrt_lab *lab);

/* --- process.c ------------------------------------------------------------------------------- */

void qrt__lab_programs_fini(struct qrt_lab *lab);

/* --- ws.c ------------------------------------------------------------------------------------ */

extern const struct qrt__ws_impl qrt__ws_lab;

/* --- net.c, for lab.c ------------------------------------------------------------------------ */

enum qrt_err qrt__lab_pair(struct qrt_lab *lab, int *ret_a, int *ret_b);
/* Errors: ENOENT. */
enum qrt_err qrt__lab_raise(struct qrt_lab *lab, int signo);

#endif
