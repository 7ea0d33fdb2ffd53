/*
 * A database as its own files see it: lanes, connections, and one call of
 * read or write. Who may touch what is said at each member.
 *
 *	db.c		options, opening, closing
 *	db/run.c	which lane a job goes to; short reads
 *	db/group.c	writes that share a commit
 *	db/upkeep.c	checkpoints, checks, copies
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
	struct qrt_lane *writes, *reads; /* reads: NULL in memory */
	struct qrt_db_conn writer;
	struct qrt_db_conn own; /* the loop's, for short reads; not open: they go to a lane */
	unsigned n_readers;
	struct qrt_db_conn *readers;
	pthread_mutex_t lock; /* of the free readers; the last one back goes out first */
	unsigned n_free;
	struct qrt_db_conn *free_readers[QRT__DB_READERS_MAX];
	unsigned checkpoint_pages; /* so many in the log are worth a checkpoint */
	unsigned log_kept;	   /* by the last one; the writer lane's thread */
	_Atomic uint64_t n_reads, n_shorts, n_fallbacks, n_writes, n_rollbacks, n_unknown;
	_Atomic uint64_t n_commits, n_again, n_checkpoints, n_checkpoints_failed, log_pages;
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
/* After each job of the writer lane; arg: the database. */
qrt__tend_fn qrt__db_tend;

#endif
