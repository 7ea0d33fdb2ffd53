/*
 * The log: a bounded queue of finished lines, and one thread that writes them. Who logs holds the
 * lock for a copy, never for a write; only the writer waits for the descriptor, and even it waits
 * in pieces, so that a close can end it. It must never end the process, whatever a write says.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "shim/src/internal.h"

#include "shim/src/log/internal.h"

#define QUEUE_BYTES ((size_t)256 * 1024)
#define REPEAT_MS 10000
/* What a pipe takes whole once it says that it takes anything. */
#define PIECE 4096
#define WAIT_MS 100
#define CLOSE_NS QRT_SEC
#define LOG_MAGIC 0x71724e10u

struct qrt_log {
	unsigned magic;
	struct qrt__log_levels levels;
	enum qrt_log_format format;
	bool colours;
	int fd;
	qrt_log_sink_fn *sink; /* not NULL: no queue, no thread */
	qrt_log_clock_fn *clock;
	void *arg;
	int64_t repeat_ms;
	size_t queue_bytes;
	pthread_t writer;

	pthread_mutex_t lock;
	pthread_cond_t more;	/* for the writer: lines, or the end */
	pthread_cond_t written; /* for who flushes */
	/* Under lock. */
	char *filling, *spare; /* spare: with the writer while it writes */
	size_t filled;
	uint64_t added,
	    done; /* batches by byte: all that was put in, all that is out or given up */
	struct qrt__log_repeats repeats;
	uint64_t untold; /* dropped, and nobody was told */
	bool closing;
	int64_t give_up_ns; /* once closing */

	_Atomic uint64_t lines, repeated, dropped, write_errors;
};

static int64_t monotonic_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * QRT_SEC + ts.tv_nsec;
}

static int64_t wall_ms(const struct qrt_log *log)
{
	struct timespec ts;

	if (log->clock != NULL) {
		return log->clock(log->arg);
	}
	clock_gettime(CLOCK_REALTIME, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void count(_Atomic uint64_t *counter, uint64_t n)
{
	atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}

/* --- writing: the writer's thread ----------------------------------------------------------- */

static uint64_t lines_in(const char *text, size_t n)
{
	uint64_t lines = 0;

	for (size_t i = 0; i < n; i++) {
		lines += text[i] == '\n';
	}
	return lines;
}

static bool out_of_time(struct qrt_log *log)
{
	bool over;

	pthread_mutex_lock(&log->lock);
	over = log->closing && monotonic_ns() >= log->give_up_ns;
	pthread_mutex_unlock(&log->lock);
	return over;
}

/* How much of it went out before the descriptor failed or the time was over. */
static size_t write_out(struct qrt_log *log, const char *text, size_t n)
{
	struct pollfd ready = {.fd = log->fd, .events = POLLOUT};
	size_t at = 0;

	while (at < n) {
		ssize_t put;

		if (poll(&ready, 1, WAIT_MS) == 0) {
			if (out_of_time(log)) {
				return at;
			}
			continue;
		}
		put = write(log->fd, text + at, n - at < PIECE ? n - at : PIECE);
		if (put >= 0) {
			at += (size_t)put;
		} else if (errno != EINTR && errno != EAGAIN) {
			count(&log->write_errors, 1);
			return at;
		}
	}
	return at;
}

static void tell_repeats(struct qrt_log *log, int64_t until_ms, int64_t now_ms);

/* Until there is something to write, or nothing will come. Wakes for what waits to be told. */
static void wait_for_lines(struct qrt_log *log)
{
	while (log->filled == 0 && !log->closing) {
		struct timespec until;

		if (log->repeats.waiting == 0) {
			pthread_cond_wait(&log->more, &log->lock);
			continue;
		}
		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_sec++;
		if (pthread_cond_timedwait(&log->more, &log->lock, &until) != 0) {
			int64_t now_ms = wall_ms(log);

			tell_repeats(log, now_ms, now_ms);
		}
	}
}

static void *writer_main(void *arg)
{
	struct qrt_log *log = arg;

	pthread_mutex_lock(&log->lock);
	for (;;) {
		char *batch;
		size_t n, put;

		wait_for_lines(log);
		if (log->filled == 0) {
			break;
		}
		batch = log->filling;
		n = log->filled;
		log->filling = log->spare;
		log->spare = NULL;
		log->filled = 0;
		pthread_mutex_unlock(&log->lock);
		put = write_out(log, batch, n);
		pthread_mutex_lock(&log->lock);
		log->spare = batch;
		log->done += n;
		if (put < n) {
			uint64_t lost = lines_in(batch + put, n - put);

			count(&log->dropped, lost);
			log->untold += lost;
		}
		pthread_cond_broadcast(&log->written);
	}
	pthread_mutex_unlock(&log->lock);
	return NULL;
}

/* --- queueing: whoever logs, under the lock -------------------------------------------------- */

static void enqueue(struct qrt_log *log, const char *text, size_t n)
{
	if (log->sink != NULL) {
		log->sink(log->arg, text, n);
		count(&log->lines, 1);
		return;
	}
	if (n > log->queue_bytes - log->filled) {
		count(&log->dropped, 1);
		log->untold++;
		return;
	}
	memcpy(log->filling + log->filled, text, n);
	if (log->filled == 0) {
		pthread_cond_signal(&log->more);
	}
	log->filled += n;
	log->added += n;
	count(&log->lines, 1);
}

static void add_line(struct qrt_log *log, const struct qrt_log_line *line)
{
	char text[QRT_LOG_LINE_MAX];

	enqueue(log, text, qrt__log_render(log->format, log->colours, line, text));
}

/* Of those whose time is over by @until_ms. */
static void tell_repeats(struct qrt_log *log, int64_t until_ms, int64_t now_ms)
{
	struct qrt__log_repeat told;

	while (qrt__log_repeats_take(&log->repeats, until_ms, &told)) {
		struct qrt_log_line line;
		char message[160];

		qrt__log_repeat_line(&told, now_ms, message, &line);
		add_line(log, &line);
	}
}

/* Once there is room again, and there is less to write than to keep. */
static void tell_dropped(struct qrt_log *log, int64_t now_ms)
{
	const struct qrt_log_field fields[] = {{"lines", NULL, (int64_t)log->untold}, {0}};
	const struct qrt_log_line line = {
	    .level = QRT_LOG_WARN,
	    .component = "log",
	    .message = "lines were dropped: they came faster than they could be written",
	    .fields = fields,
	    .wall_ms = now_ms,
	};

	if (log->untold > 0 && log->filled < log->queue_bytes / 2) {
		log->untold = 0;
		add_line(log, &line);
	}
}

bool qrt_log_wants(const struct qrt_log *log, enum qrt_log_level level, const char *component)
{
	return log != NULL && qrt__log_levels_want(&log->levels, level, component);
}

/* True: it is one more of what has been written. */
static bool is_repeat(struct qrt_log *log, const struct qrt_log_line *line)
{
	struct qrt__log_repeat told = {.count = 0};
	struct qrt_log_line telling;
	char message[160];
	bool again =
	    qrt__log_repeats_note(&log->repeats, line, qrt__log_hash(line), log->repeat_ms, &told);

	if (told.count > 0) {
		qrt__log_repeat_line(&told, line->wall_ms, message, &telling);
		add_line(log, &telling);
	}
	if (again) {
		count(&log->repeated, 1);
	}
	return again;
}

void qrt_log_write(struct qrt_log *log, const struct qrt_log_line *given)
{
	struct qrt_log_line line = *given;
	char text[QRT_LOG_LINE_MAX];
	size_t n;

	if (!qrt_log_wants(log, line.level, line.component)) {
		return;
	}
	QRT_PRE(log->magic == LOG_MAGIC);
	if (line.wall_ms == 0) {
		line.wall_ms = wall_ms(log);
	}
	n = qrt__log_render(log->format, log->colours, &line, text);
	pthread_mutex_lock(&log->lock);
	tell_dropped(log, line.wall_ms);
	if (log->repeats.waiting > 0) {
		tell_repeats(log, line.wall_ms, line.wall_ms);
	}
	if (line.each || !is_repeat(log, &line)) {
		enqueue(log, text, n);
	}
	pthread_mutex_unlock(&log->lock);
}

/* --- open, flush, close ---------------------------------------------------------------------- */

static void log_free(struct qrt_log *log)
{
	pthread_cond_destroy(&log->written);
	pthread_cond_destroy(&log->more);
	pthread_mutex_destroy(&log->lock);
	free(log->filling);
	free(log->spare);
	log->magic = 0;
	free(log);
}

static struct qrt_log *log_new(const struct qrt_log_options *opts)
{
	struct qrt_log *log = calloc(1, sizeof(*log));

	if (log == NULL) {
		return NULL;
	}
	log->magic = LOG_MAGIC;
	log->format = opts->format;
	log->colours = opts->colours;
	log->fd = opts->fd;
	log->sink = opts->sink;
	log->clock = opts->clock;
	log->arg = opts->arg;
	log->repeat_ms = opts->repeat_ms != 0 ? opts->repeat_ms : REPEAT_MS;
	log->queue_bytes = opts->queue_bytes != 0 ? opts->queue_bytes : QUEUE_BYTES;
	pthread_mutex_init(&log->lock, NULL);
	pthread_cond_init(&log->more, NULL);
	pthread_cond_init(&log->written, NULL);
	if (log->sink == NULL) {
		log->filling = malloc(log->queue_bytes);
		log->spare = malloc(log->queue_bytes);
		if (log->filling == NULL || log->spare == NULL) {
			log_free(log);
			return NULL;
		}
	}
	return log;
}

enum qrt_err qrt_log_open(const struct qrt_log_options *opts, char *ret_detail,
			  struct qrt_log **ret_log)
{
	struct qrt__log_levels levels;
	char problem[128] = "", ignored[QRT__DETAIL_MAX];
	struct qrt_log *log;
	enum qrt_err err = QRT_OK;

	ret_detail = ret_detail != NULL ? ret_detail : ignored;
	if (!qrt__log_levels_parse(opts->levels != NULL ? opts->levels : "info", &levels,
				   problem)) {
		snprintf(ret_detail, QRT__DETAIL_MAX, "log: levels: %s", problem);
		return QRT_EINVAL;
	}
	log = log_new(opts);
	if (log == NULL) {
		snprintf(ret_detail, QRT__DETAIL_MAX, "log: out of memory");
		return QRT_ENOMEM;
	}
	log->levels = levels;
	if (log->sink == NULL) {
		err = qrt__thread_start(&log->writer, writer_main, log, "qrt-log");
	}
	if (err) {
		snprintf(ret_detail, QRT__DETAIL_MAX, "log: no thread");
		log_free(log);
		return err;
	}
	*ret_log = log;
	return QRT_OK;
}

bool qrt_log_flush(struct qrt_log *log, int64_t wait_ns)
{
	struct timespec until;
	uint64_t target;
	bool out;

	if (log == NULL || log->sink != NULL) {
		return true;
	}
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += wait_ns / QRT_SEC;
	until.tv_nsec += wait_ns % QRT_SEC;
	until.tv_sec += until.tv_nsec / QRT_SEC;
	until.tv_nsec %= QRT_SEC;
	pthread_mutex_lock(&log->lock);
	target = log->added;
	while (log->done < target &&
	       pthread_cond_timedwait(&log->written, &log->lock, &until) == 0) {
	}
	out = log->done >= target;
	pthread_mutex_unlock(&log->lock);
	return out;
}

void qrt_log_close(struct qrt_log **log)
{
	struct qrt_log *l;

	QRT_PRE(log != NULL);
	l = *log;
	if (l == NULL) {
		return;
	}
	QRT_PRE(l->magic == LOG_MAGIC);
	*log = NULL;
	pthread_mutex_lock(&l->lock);
	tell_repeats(l, INT64_MAX, wall_ms(l));
	tell_dropped(l, wall_ms(l));
	l->closing = true;
	l->give_up_ns = monotonic_ns() + CLOSE_NS;
	pthread_cond_signal(&l->more);
	pthread_mutex_unlock(&l->lock);
	if (l->sink == NULL) {
		pthread_join(l->writer, NULL);
	}
	log_free(l);
}

void qrt_log_stats(const struct qrt_log *log, struct qrt_log_stats *ret_stats)
{
	*ret_stats = (struct qrt_log_stats){0};
	if (log != NULL) {
		ret_stats->lines = atomic_load_explicit(&log->lines, memory_order_relaxed);
		ret_stats->repeats = atomic_load_explicit(&log->repeated, memory_order_relaxed);
		ret_stats->dropped = atomic_load_explicit(&log->dropped, memory_order_relaxed);
		ret_stats->write_errors =
		    atomic_load_explicit(&log->write_errors, memory_order_relaxed);
	}
}
