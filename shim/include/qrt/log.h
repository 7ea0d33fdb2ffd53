/*
 * Structured log lines: a level, a component, a message, and fields. The library itself never
 * writes one: an application opens a log and says what it wants said, also in the hooks it is
 * called by (qrt_runtime_options.on_stall, a journal).
 *
 *	qrt_log(log, cx, QRT_LOG_WARN, "db", "slow statement", QRT_LOG_INT("ms", ms));
 *
 * A line is made on the caller's thread and written by a thread of the log's own, so that nobody
 * waits for a full pipe or disk: what does not fit into the queue is dropped, counted, and told of.
 * Equal lines within ten seconds are one, and then "... repeated N times". Whatever is in a value,
 * it cannot end a line or begin another field, and secrets are not in it: by the name of the field
 * (token, secret, password, cookie, ...) and by their shape (qk_..., xoxb-..., Bearer ...).
 *
 * All from any thread, and none suspends. A log that is NULL takes every line and writes none.
 */
#ifndef QRT_LOG_H
#define QRT_LOG_H

#include <qrt/cx.h>

#ifdef __cplusplus
extern "C" {
#endif

struct qrt_job; /* qrt/lane.h */
struct qrt_log;

#define QRT_LOG_LEVELS(X)                                                                          \
	X(QRT_LOG_TRACE, "trace")                                                                  \
	X(QRT_LOG_DEBUG, "debug")                                                                  \
	X(QRT_LOG_INFO, "info")                                                                    \
	X(QRT_LOG_WARN, "warn")                                                                    \
	X(QRT_LOG_ERROR, "error")                                                                  \
	X(QRT_LOG_OFF, "off")

enum qrt_log_level {
#define QRT__LOG_ENUM(name, text) name,
	QRT_LOG_LEVELS(QRT__LOG_ENUM)
#undef QRT__LOG_ENUM
	    QRT__LOG_LEVELS
};
QRT_API const char *qrt_log_level_name(enum qrt_log_level level);

enum qrt_log_format {
	QRT_LOG_COMPACT, /* one line, the values bare where they can be */
	QRT_LOG_PRETTY, /* for eyes: columns, and a second line for what there is beside the text */
	QRT_LOG_JSON,	/* one object a line */
};

/* Names of components are at most so long. */
#define QRT_LOG_NAME_MAX 31
/* A line is at most so long, with its end; a value before it is escaped. */
#define QRT_LOG_LINE_MAX 4096
#define QRT_LOG_VALUE_MAX 480
/* Correlation ids are at most so long, and paths with their NUL. */
#define QRT_LOG_CORRELATION_MAX 128
#define QRT_LOG_PATH_SIZE 256

/*
 * Which lines are wanted: "info", or with components of their own "info,db=debug,access=off".
 * False: @ret_problem (128 bytes, may be NULL) says what is wrong.
 */
QRT_API bool qrt_log_levels_check(const char *levels, char *ret_problem);
/* The next name in "info,db=debug", and what comes after it; NULL: no more. To check the names. */
QRT_API const char *qrt_log_levels_next(const char *levels, char ret_name[QRT_LOG_NAME_MAX + 1]);

/* Takes whole lines; on the thread that logs, under the log's lock: it must not log. */
typedef void qrt_log_sink_fn(void *arg, const char *text, size_t n);
/* Milliseconds since 1970-01-01 UTC. */
typedef int64_t qrt_log_clock_fn(void *arg);

struct qrt_log_options {
	enum qrt_log_format format;
	const char *levels; /* NULL: "info" */
	int fd;		    /* stays the caller's, who keeps it open until the log is closed */
	bool colours;	    /* of levels, in the pretty format */
	/* Instead of fd: lines are handed over at once, without a thread. For labs and tests. */
	qrt_log_sink_fn *sink;
	qrt_log_clock_fn *clock; /* for lines without a cx; NULL: the system's */
	void *arg;		 /* of both */
	size_t queue_bytes;	 /* 0: 256 KiB */
	int64_t repeat_ms;	 /* 0: 10 s */
};

/* Errors: EINVAL (levels), ENOMEM, EAGAIN (no thread). @ret_detail: 256 bytes, or NULL. */
QRT_API enum qrt_err qrt_log_open(const struct qrt_log_options *opts, char *ret_detail,
				  struct qrt_log **ret_log) QRT_MUST_USE;
/* Writes what is queued, for at most a second, and frees. Nobody may log any more. NULL-safe. */
QRT_API void qrt_log_close(struct qrt_log **log);
/* Waits at most @wait_ns until what was logged before is written. False: it is not. Blocks. */
QRT_API bool qrt_log_flush(struct qrt_log *log, int64_t wait_ns);

/* Whether such a line would be written: ask before work that only a line needs. */
QRT_API bool qrt_log_wants(const struct qrt_log *log, enum qrt_log_level level,
			   const char *component);

struct qrt_log_field {
	const char *key;  /* static, "duration_us"; NULL ends a list */
	const char *text; /* NULL: the number */
	int64_t number;
};

struct qrt_log_line {
	enum qrt_log_level level;
	const char *component; /* static, "server" */
	const char *message;
	const struct qrt_log_field *fields; /* up to one whose key is NULL; NULL: none */
	const char *correlation;	    /* NULL: none */
	const char *path;		    /* of the task; NULL: none */
	int64_t wall_ms;		    /* 0: now */
	bool each;			    /* it is not taken for a repeat of an equal one */
};

QRT_API void qrt_log_write(struct qrt_log *log, const struct qrt_log_line *line);

/*
 * The same with the time, correlation id and path of @cx's task: the regions it is in, then its
 * name; for a task that answers a call, behind the caller's path: "server/http server/http
 * request/http connection > db/db". A path that is too long loses its outer end. @cx NULL: none of
 * these. Needs no capability.
 */
QRT_API void qrt_log_at(struct qrt_log *log, const struct qrt_cx *cx, enum qrt_log_level level,
			const char *component, const char *message,
			const struct qrt_log_field *fields);
/*
 * Fills in time, correlation id and path of @cx's task; the path goes to @buf of @n bytes, at
 * least 4. The id is valid as long as the task is in the region it has now.
 */
QRT_API void qrt_log_line_of(struct qrt_log_line *line, const struct qrt_cx *cx, char *buf,
			     size_t n);
/* For the job itself, which has no cx: as a line of the task that waits for it, or has left it. */
QRT_API void qrt_log_job_at(struct qrt_log *log, struct qrt_job *job, enum qrt_log_level level,
			    const char *component, const char *message,
			    const struct qrt_log_field *fields);

/*
 * From now on lines of cx's region carry @correlation, which is copied, and cut at
 * QRT_LOG_CORRELATION_MAX bytes: of its tasks, of the regions below it, and of whatever these call
 * through a port, on this or another runtime, with all that it opens and calls in its turn; and of
 * the lane jobs of all these. The innermost region with an id counts. A component's home region is
 * everybody's: a handler that wants an id of its own opens a region for it.
 *
 * A message is no call: who receives it from a channel or a mailbox works on its own behalf, when
 * the sender may be gone. What shall go on under the sender's id carries it, as a member of its
 * own, to a region that is correlated with it. Nor has a call from a thread that is no runtime's
 * an id, or what is spawned into a region outside of the one with the id. Errors: ENOMEM.
 */
QRT_API enum qrt_err qrt_log_correlate(struct qrt_cx *cx, const char *correlation) QRT_MUST_USE;

#ifndef __cplusplus
#define QRT_LOG_TEXT(key, value) ((struct qrt_log_field){(key), qrt__log_text(value), 0})
#define QRT_LOG_INT(key, value) ((struct qrt_log_field){(key), NULL, (int64_t)(value)})
#define qrt_log(log, cx, level, component, ...)                                                    \
	qrt__log_fields(qrt_log_at, (log), (cx), (level), (component), __VA_ARGS__,                \
			((struct qrt_log_field){0}))
#define qrt_log_job(log, job, level, component, ...)                                               \
	qrt__log_fields(qrt_log_job_at, (log), (job), (level), (component), __VA_ARGS__,           \
			((struct qrt_log_field){0}))
#define qrt__log_fields(fn, log, who, level, component, message, ...)                              \
	fn((log), (who), (level), (component), (message),                                          \
	   (const struct qrt_log_field[]){__VA_ARGS__})
#endif
/* NULL is no number. */
static inline const char *qrt__log_text(const char *text)
{
	return text != NULL ? text : "";
}

struct qrt_log_stats {
	uint64_t lines;	       /* written or queued */
	uint64_t repeats;      /* left out: equal to one before */
	uint64_t dropped;      /* left out: the queue was full, or writing failed */
	uint64_t write_errors; /* of the descriptor */
};
QRT_API void qrt_log_stats(const struct qrt_log *log, struct qrt_log_stats *ret_stats);

#ifdef __cplusplus
}
#endif
#endif
