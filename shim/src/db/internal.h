/*
 * A database as its own files see it: lanes, connections, and one call of
 * read or write. Who may touch what is said at each member.
 *
 *	db.c		options, opening, closing
 *	db/run.c	which lane a job goes to; short reads
 *	db/group.c	writes that share a commit
 *	db/checkpoint.c	when the log is folded into the file, and by whom
 *	db/upkeep.c	checks, copies
 *	db/conn.c	one job on one connection
 *	db/stmt.c	statements and their cache
 *	db/engine.h	what an engine does; db/sqlite*.c is one
 */
#ifndef QRT_DB_INTERNAL_H
#define QRT_DB_INTERNAL_H

#include "shim/src/db/conn.h"
#include "shim/src/loop/lane.h"

#define QRT__DB_MAGIC 0x71726462u
#define QRT__DB_READERS_MAX 63u
#define QRT__DB_QUEUE_MAX 1024u /* jobs that wait for a lane; more are refused */

/* How much is in the log. */
struct qrt__db_log_size {
	unsigned pages;	 /* after the last commit, moved or not */
	unsigned moved;	 /* of them, by the last checkpoint */
	unsigned kept;	 /* of the others: left by it, or it has failed over them */
	unsigned tried;	 /* pages when the writer's lane made the last one */
	uint64_t starts; /* how often it has begun anew */
};

/* The log as its writer and its checkpoints know it; db/checkpoint.c's. */
struct qrt__db_log {
	unsigned worth; /* so many pages to be moved are worth a checkpoint */
	pthread_mutex_t lock;
	struct qrt__db_log_size size; /* under the lock */
	bool at_work;		      /* one is being made, or about to; the loop's */
	bool missed;		      /* commits came while the last one was made */
	unsigned tries;		      /* to have them, too; the loop's */
	_Atomic unsigned unmoved;     /* for the statistics */
	_Atomic uint64_t n_folds, n_pressing, n_failed, longest_ns;
};

struct qrt_db {
	unsigned magic;
	bool closing;
	bool structured; /* grouped commits, short reads, interrupts: the engine keeps them */
	size_t inside;	 /* calls under way; the loop's */
	struct qrt__event idle; /* set while there is none */
	char *path;		/* NULL: in memory, one connection for everything */
	struct qrt__db_target target;
	int64_t lane_wait_ns;
	int64_t group_ns; /* when a group takes nobody more: those inside wait for the last */
	struct qrt_lane *writes, *reads, *folds; /* these two: NULL in memory */
	struct qrt_db_conn writer;
	struct qrt_db_conn folder; /* makes the checkpoints */
	struct qrt_db_conn own;	   /* the loop's, for short reads; not open: they go to a lane */
	unsigned n_readers;
	struct qrt_db_conn *readers;
	pthread_mutex_t lock; /* of the free readers; the last one back goes out first */
	unsigned n_free;
	struct qrt_db_conn *free_readers[QRT__DB_READERS_MAX];
	struct qrt__db_log log;
	_Atomic uint64_t n_reads, n_shorts, n_fallbacks, n_writes, n_rollbacks, n_unknown;
	_Atomic uint64_t n_commits, n_again;
};

/* One call of read or write; on the caller's stack. */
struct qrt__db_flow {
	struct qrt_db *db;
	struct qrt__db_work work;
	bool shared; /* a write that others may be committed with */
	bool ran;
	struct qrt_job *job;   /* once it is part of a group */
	struct qrt__list node; /* in the group */
};

/* Has @flow done on its lane and waits for it. */
enum qrt_err qrt__db_submit(struct qrt_cx *cx, struct qrt__db_flow *flow);
/* The function of a job of the writer lane that shares its commit; arg: a flow. */
qrt_job_fn qrt__db_group;
void qrt__db_count(struct qrt_db *db, bool write, enum qrt__db_fate fate);
/* After a commit, on the writer's lane, before its callers are told. */
void qrt__db_log_grew(struct qrt_db *db);
/* On the loop, once they have been: begins a checkpoint if it is time for one. */
void qrt__db_log_look(struct qrt_db *db);

#endif
