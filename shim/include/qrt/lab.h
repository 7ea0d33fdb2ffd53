/*
 * The lab: programs of one or more runtimes on simulated time, network, lanes
 * and disks, where every choice follows from a seed. Same program, same seed:
 * same execution, step by step, on every machine and compiler.
 *
 * A lab belongs to the thread that opened it. Runtimes join it by
 * qrt_runtime_options.lab; one that is started (qrt_runtime_start) has no
 * thread there: whoever runs another runtime of the lab, or shuts this one
 * down, lets it go on, one task at a time, interleaved by the seed. A lab
 * runtime without a lab gets one of its own.
 *
 * On the backends legacy and region a lab simulates nothing; it observes
 * (qrt/oracle.h) and makes its sweeps (qrt/trial.h) possible there, too.
 */
#ifndef QRT_LAB_H
#define QRT_LAB_H

#include <qrt/stream.h>
#include <qrt/runtime.h>

#ifdef __cplusplus
extern "C" {
#endif

struct qrt_lab;
/* What a crash has left on a simulated disk. */
struct qrt_lab_disk;

/* Who runs next, of those that can. */
enum qrt_lab_strategy {
	QRT_LAB_RANDOM, /* each time anybody */
	/*
	 * By priorities drawn once per task, lowered at a few random moments: finds a fault that
	 * needs so many steps in one certain order with a known probability. Burckhardt, Kothari,
	 * Musuvathi, Nagarakatte: "A randomized scheduler with probabilistic guarantees of finding
	 * bugs", ASPLOS 2010.
	 */
	QRT_LAB_PCT,
	QRT_LAB_ROUND_ROBIN, /* who has waited longest; also with seed 0 */
};

/*
 * What goes wrong, and how often: in 1,000 of those times when it could. All zero: nothing
 * does, and the network and the lanes take times of their own all the same.
 */
struct qrt_lab_faults {
	unsigned refuse;   /* connects that are refused */
	unsigned reset;	   /* transfers that find the connection reset */
	unsigned vanish;   /* transfers after which the peer is not heard of any more: half-open */
	unsigned cut;	   /* transfers that are cut short; 0: 250, 1000: each */
	unsigned job_slow; /* jobs that take a hundred times as long */
	unsigned disk_error;  /* disk operations that fail */
	unsigned sync_slow;   /* syncs that take sync_ns */
	unsigned lookup_fail; /* name lookups that fail: for now, for good, or after long */
	/*
	 * Of WebSocket messages (qrt/ws.h). Within a connection nothing is reordered, lost or
	 * doubled by the network: TCP sees to that. So a lost message means a lost connection, and
	 * only a server that delivers again what it is not sure of says anything twice.
	 */
	unsigned ws_delay;     /* held for 1 to 100 ms: those of other connections overtake them */
	unsigned ws_drop;      /* lost, and their connection with them: reset, or half-open */
	unsigned ws_duplicate; /* of those an accepting side sends: sent twice */
	unsigned ws_close;     /* not sent: both sides hear a close with 1001 or 1012 instead */
	unsigned ws_pong_loss; /* pings that are not answered */
	unsigned spawn_fail;   /* child processes that cannot be started */
	unsigned child_crash;  /* child processes that die of SIGSEGV at some moment */
	unsigned child_stuck;  /* child processes that never end, nor hear of SIGTERM */
	bool partition;	       /* nothing arrives until it is healed */
	bool disk_full;	       /* writes that need room fail */
	int64_t latency_min_ns, latency_max_ns; /* of the network; 0: 10 us to 500 us */
	int64_t sync_ns;			/* 0: 1 s */
	uint64_t bytes_per_s; /* of each direction of a connection; 0: any number */
	uint32_t pipe_bytes;  /* under way in a direction before its writer waits; 0: 65,536 */
	uint32_t fds_max;     /* descriptors open at once; 0: 65,536 */
};

/* What a sweep does at one of its points: qrt/trial.h. */
enum qrt_sweep_kind {
	QRT_SWEEP_NONE,
	QRT_SWEEP_CANCEL,      /* at a checkpoint: the exposed region is cancelled */
	QRT_SWEEP_CANCEL_TASK, /* the task that came to the checkpoint */
	QRT_SWEEP_DEADLINE,    /* the exposed region's deadline has passed there */
	QRT_SWEEP_ALLOC,       /* an allocation fails */
	QRT_SWEEP_IO,	       /* a connect, transfer, new descriptor or disk operation fails */
	QRT_SWEEP_CRASH,       /* at a disk operation: the power goes */
	QRT_SWEEPS
};
struct qrt_sweep_point {
	enum qrt_sweep_kind kind;
	uint64_t at; /* the first is 1; 0: they are only counted */
	bool look;   /* nothing is done there: it is found out where that is */
};
QRT_API const char *qrt_sweep_name(enum qrt_sweep_kind kind);

/* Choices that are not to be drawn, but made the dullest way: for shrinking. */
struct qrt_lab_dull {
	unsigned kind;	   /* as in a recording's order of kinds */
	uint64_t from, to; /* which of that kind, from 0; @to is not in it */
};

struct qrt_lab_options {
	uint64_t seed;
	enum qrt_lab_strategy strategy;
	unsigned depth; /* of PCT: how many moments; 0: 3, at most 16 */
	/*
	 * Of PCT: the steps a run takes, among which its moments are drawn; 0: not known, drawn
	 * from 2^6 to 2^16. A campaign finds out by a run of its own.
	 */
	uint32_t length;
	uint64_t steps_max; /* tasks switched to before it says livelock; 0: 100 million */
	struct qrt_lab_faults faults; /* from the start */
	int64_t heal_ns;    /* when everything heals; 0: never. Liveness: then quiesce_ns counts */
	int64_t quiesce_ns; /* after heal_ns: all must have ended within; 0: any time */
	bool disk;	    /* databases live on a simulated disk */
	uint64_t config_hash; /* of whatever else decides what the program does; for the token */
	struct qrt_sweep_point sweep;
	struct qrt_lab_disk
	    *disk_image;    /* what the disk begins with; taken over, also on an error */
	const char *record; /* a file to write the execution to, or NULL */
	const char *replay; /* a file so written that gives the choices and is compared, or NULL */
	const struct qrt_lab_dull *dull; /* NULL: none */
	size_t n_dull;
};

/*
 * Errors: ENOMEM, EINVAL (a rate over 1,000, a range upside down, a bound that never begins, one
 * file for both; what is to be replayed is no execution), EIO (a file). The detail goes to
 * @ret_detail (256 bytes) when that is not NULL.
 */
QRT_API enum qrt_err qrt_lab_open(const struct qrt_lab_options *opts, char *ret_detail,
				  struct qrt_lab **ret_lab) QRT_MUST_USE;
/* After its runtimes. NULL-safe. */
QRT_API void qrt_lab_close(struct qrt_lab **lab);

/* Changes what goes wrong from now on. Errors: EINVAL, nothing is changed. */
QRT_API enum qrt_err qrt_lab_set_faults(struct qrt_lab *lab,
					const struct qrt_lab_faults *faults) QRT_MUST_USE;
/* From now on nothing goes wrong; what a partition has held back arrives. */
QRT_API void qrt_lab_heal(struct qrt_lab *lab);

/*
 * The power of the simulated disk goes, or comes back. Off: what was not synced is kept, lost or
 * torn as the seed has it, files that are open are dead, and every operation fails. Errors:
 * ENOTSUP (no simulated disk), ENOMEM.
 */
QRT_API enum qrt_err qrt_lab_power(struct qrt_lab *lab, bool on) QRT_MUST_USE;

/* What has happened so far. */
struct qrt_lab_stats {
	uint64_t hash;	  /* of every step of all its runtimes */
	uint64_t steps;	  /* tasks switched to */
	uint64_t choices; /* made by the seed */
	uint64_t faults;  /* that happened */
	int64_t now_ns;	  /* its clock, from 0 */
};
QRT_API void qrt_lab_stats(const struct qrt_lab *lab, struct qrt_lab_stats *ret_stats);

/*
 * What to say to see this execution again: seed, strategy, build, configuration. To @ret_text
 * (QRT_LAB_TOKEN_SIZE). Failures in a lab print it.
 */
#define QRT_LAB_TOKEN_SIZE 128
QRT_API void qrt_lab_token(const struct qrt_lab *lab, char *ret_text);
/*
 * Reads a token back into seed, strategy, depth, length and sweep of @opts; the rest must be as it
 * was. Errors: EINVAL (no token), ECONFLICT (of another build; with @force it is taken all the
 * same). The detail says what.
 */
QRT_API enum qrt_err qrt_lab_token_read(const char *text, bool force, struct qrt_lab_options *opts,
					char *ret_detail) QRT_MUST_USE;

/* What the crash of this run's sweep has left, the caller's now; NULL: there was none. */
QRT_API struct qrt_lab_disk *qrt_lab_take_disk(struct qrt_lab *lab);
QRT_API void qrt_lab_disk_free(struct qrt_lab_disk **disk);

/* --- in tasks of a lab's runtimes ------------------------------------------------------------ */

/* Whether cx belongs to a lab runtime. */
QRT_API bool qrt_in_lab(const struct qrt_cx *cx);
/* The lab cx's runtime has joined, also one that only observes; NULL: none. */
QRT_API struct qrt_lab *qrt_cx_lab(const struct qrt_cx *cx);

/*
 * Two connected streams, as fds for qrt_stream_adopt. Needs NET. Errors: ENOTSUP outside the
 * lab, ENOMEM, EMFILE.
 */
QRT_API enum qrt_err qrt_lab_pair(struct qrt_cx *cx, int *ret_a, int *ret_b) QRT_MUST_USE;

/*
 * From now on @host is looked up as @addresses (qrt/resolve.h): numeric, up to NULL, at most 8.
 * NULL: there is no such name again. "localhost" is there from the start. Errors: EINVAL (no
 * numeric address, too many), ENOMEM, ELIMIT (more than 1,024 names).
 */
QRT_API enum qrt_err qrt_lab_name(struct qrt_lab *lab, const char *host,
				  const char *const *addresses) QRT_MUST_USE;

/* What a simulated program sees of itself: its parent's strings, and the other ends of its pipes.
 */
struct qrt_lab_child {
	const char *const *argv, *const *env; /* up to NULL */
	const char *cwd;		      /* or NULL */
	struct qrt_stream *in, *out, *err;    /* NULL: no pipe */
};
/*
 * A program: runs as a task of the runtime that has started it, with all capabilities. Returns
 * its exit status, 0 to 255, or minus the signal it dies of. SIGTERM, SIGINT and SIGHUP cancel
 * the task, with all the time it wants to end; others it does not hear of. SIGKILL ends the child
 * at once for its parent; the task is forced to end where that can be, and must in any case when
 * its streams fail.
 */
typedef int qrt_lab_program_fn(struct qrt_cx *cx, const struct qrt_lab_child *child);
/*
 * From now on @path can be started as a child process (qrt/process.h); NULL: no longer. Errors:
 * ENOMEM, EINVAL (no path), ELIMIT (more than 256).
 */
QRT_API enum qrt_err qrt_lab_program(struct qrt_lab *lab, const char *path,
				     qrt_lab_program_fn *fn) QRT_MUST_USE;

/*
 * Raises @signo for every set in this lab that has it; one that is pending there already is not
 * queued twice. Needs SIGNAL. Errors: ENOTSUP, ENOENT (nobody opened it).
 */
QRT_API enum qrt_err qrt_lab_raise(struct qrt_cx *cx, int signo) QRT_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
