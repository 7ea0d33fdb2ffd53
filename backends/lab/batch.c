/*
 * Worker processes. What caller and workers share lies in one mapping: the
 * next item, what each worker is at, which marks were reached. Results come
 * over a pipe per worker, so that its end tells of its death; what a worker
 * prints goes to a file without a name.
 *
 * The one place of the lab that waits for real.
 */
#include "backends/lab/batch.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "backends/posix_clock.h"

enum { JOBS_MAX = 64, MARKS_MAX = 4096, TICK_MS = 1000 };

struct slot {
	_Atomic uint64_t item;	  /* plus one; 0: none */
	_Atomic int64_t begun_ns; /* real */
	uint64_t n_of[QRT__CHOICE_KINDS];
};

struct shared {
	_Atomic uint64_t next; /* of the items, from 0 */
	struct slot slot[JOBS_MAX];
	_Atomic bool mark[MARKS_MAX];
};

struct record {
	uint64_t item;
	struct qrt_lab_result result;
};

struct worker {
	pid_t pid;
	int pipe, output;
};

struct pool {
	struct qrt__batch *batch;
	struct shared *shared;
	struct worker worker[JOBS_MAX];
	unsigned n_running;
	bool stop;
};

/* Of this process, when it is a worker. */
static struct slot *own_slot;

uint64_t *qrt__batch_choices(void)
{
	return own_slot ? own_slot->n_of : NULL;
}

static size_t mark_count(const struct qrt__batch *batch)
{
	size_t n = batch->marks.first ? (size_t)(batch->marks.end - batch->marks.first) : 0;
	return n < MARKS_MAX ? n : MARKS_MAX;
}

static void note_marks(struct pool *pool)
{
	const struct qrt_marks *marks = &pool->batch->marks;
	for (size_t i = 0; i < mark_count(pool->batch); i++) {
		if (__atomic_load_n(&marks->first[i]->reached, __ATOMIC_RELAXED)) {
			atomic_store_explicit(&pool->shared->mark[i], true, memory_order_relaxed);
		}
	}
}

static bool write_all(int fd, const void *buf, size_t n)
{
	const char *at = buf;
	while (n > 0) {
		ssize_t put = write(fd, at, n);
		if (put < 0 && errno != EINTR) {
			return false;
		}
		if (put > 0) {
			at += put;
			n -= (size_t)put;
		}
	}
	return true;
}

/* A fault ends this process, whatever a test framework of the caller's has made of it. */
static void die_of_faults(void)
{
	static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGSYS};
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		signal(faults[i], SIG_DFL);
	}
}

/* Never returns. */
static void work(struct pool *pool, unsigned index, int pipe_fd, int output_fd)
{
	struct qrt__batch *batch = pool->batch;
	own_slot = &pool->shared->slot[index];
	die_of_faults();
	qrt__stack_pool_keep_one();
	dup2(output_fd, STDOUT_FILENO);
	dup2(output_fd, STDERR_FILENO);
	for (;;) {
		uint64_t item = atomic_fetch_add(&pool->shared->next, 1);
		if (item >= batch->n) {
			break;
		}
		QRT_IGNORE(ftruncate(output_fd, 0), "then it shows what came before, too");
		lseek(output_fd, 0, SEEK_SET);
		memset(own_slot->n_of, 0, sizeof(own_slot->n_of));
		struct record record = {.item = batch->first + item};
		atomic_store(&own_slot->begun_ns, qrt__posix_now(NULL));
		atomic_store(&own_slot->item, item + 1);
		batch->run(batch, record.item, &record.result);
		note_marks(pool);
		fflush(NULL);
		bool failed = record.result.err;
		bool told = write_all(pipe_fd, &record, sizeof(record));
		atomic_store(&own_slot->item, 0);
		if (!told || failed) {
			break; /* what it has printed must stay: another worker goes on */
		}
	}
	_exit(0);
}

static enum qrt_err start_worker(struct pool *pool, unsigned index)
{
	struct worker *worker = &pool->worker[index];
	int ends[2];
	char name[32];
	snprintf(name, sizeof(name), "lab-worker-%u", index);
	if (pipe2(ends, O_CLOEXEC)) {
		return qrt__err_from_errno(errno);
	}
	int output = memfd_create(name, MFD_CLOEXEC);
	fflush(NULL);
	pid_t pid = output < 0 ? -1 : fork();
	if (pid == 0) {
		close(ends[0]);
		work(pool, index, ends[1], output);
	}
	int error = errno;
	close(ends[1]);
	if (pid < 0) {
		close(ends[0]);
		if (output >= 0) {
			close(output);
		}
		return qrt__err_from_errno(error);
	}
	*worker = (struct worker){.pid = pid, .pipe = ends[0], .output = output};
	pool->n_running++;
	return QRT_OK;
}

/* What the worker has printed since it began its item; the end of it when it is much. */
static void read_output(const struct worker *worker, char *ret_text)
{
	off_t size = lseek(worker->output, 0, SEEK_END);
	off_t from = size > QRT__BATCH_OUTPUT_MAX - 1 ? size - (QRT__BATCH_OUTPUT_MAX - 1) : 0;
	ssize_t n = size > 0 ? pread(worker->output, ret_text, QRT__BATCH_OUTPUT_MAX - 1, from) : 0;
	ret_text[n > 0 ? n : 0] = '\0';
}

static void tell(struct pool *pool, unsigned index, const struct record *record)
{
	static char output[QRT__BATCH_OUTPUT_MAX];
	struct qrt__batch *batch = pool->batch;
	output[0] = '\0';
	if (record->result.err) {
		read_output(&pool->worker[index], output);
	}
	memcpy(batch->n_of, pool->shared->slot[index].n_of, sizeof(batch->n_of));
	batch->ended++;
	if (!pool->stop && !batch->done(batch, record->item, &record->result, output)) {
		pool->stop = true;
		atomic_store(&pool->shared->next, batch->n);
	}
}

/* It is gone: with the item it was at, if it was at one. */
static enum qrt_err bury(struct pool *pool, unsigned index)
{
	struct worker *worker = &pool->worker[index];
	struct slot *slot = &pool->shared->slot[index];
	int status = 0;
	while (waitpid(worker->pid, &status, 0) < 0 && errno == EINTR) {
	}
	uint64_t item = atomic_exchange(&slot->item, 0);
	if (item > 0) {
		struct record record = {.item = pool->batch->first + item - 1};
		record.result.err = QRT_EPANIC;
		if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) {
			snprintf(record.result.detail, sizeof(record.result.detail),
				 "hung: it did not end in time, and was killed");
		} else if (WIFSIGNALED(status)) {
			snprintf(record.result.detail, sizeof(record.result.detail),
				 "ended by signal %d (%s)", WTERMSIG(status),
				 strsignal(WTERMSIG(status)));
		} else {
			snprintf(record.result.detail, sizeof(record.result.detail),
				 "ended by itself with status %d", WEXITSTATUS(status));
		}
		tell(pool, index, &record);
	}
	close(worker->pipe);
	close(worker->output);
	worker->pid = 0;
	pool->n_running--;
	bool more = !pool->stop && atomic_load(&pool->shared->next) < pool->batch->n;
	return more ? start_worker(pool, index) : QRT_OK;
}

static enum qrt_err hear(struct pool *pool, unsigned index)
{
	struct record record;
	size_t got = 0;
	while (got < sizeof(record)) {
		ssize_t n =
		    read(pool->worker[index].pipe, (char *)&record + got, sizeof(record) - got);
		if (n == 0 || (n < 0 && errno != EINTR)) {
			return bury(pool, index);
		}
		got += n > 0 ? (size_t)n : 0;
	}
	tell(pool, index, &record);
	return QRT_OK;
}

static void kill_hung(struct pool *pool)
{
	int64_t now = qrt__posix_now(NULL);
	for (unsigned i = 0; i < pool->batch->jobs; i++) {
		const struct slot *slot = &pool->shared->slot[i];
		bool late = now - atomic_load(&slot->begun_ns) > pool->batch->run_ns;
		if (pool->worker[i].pid && atomic_load(&slot->item) && (late || pool->stop)) {
			kill(pool->worker[i].pid, SIGKILL);
		}
	}
}

static enum qrt_err listen_to_workers(struct pool *pool)
{
	enum qrt_err err = QRT_OK;
	int64_t ticked_ns = qrt__posix_now(NULL);
	while (pool->n_running > 0) {
		struct pollfd fds[JOBS_MAX];
		for (unsigned i = 0; i < pool->batch->jobs; i++) {
			fds[i] =
			    (struct pollfd){.fd = pool->worker[i].pid ? pool->worker[i].pipe : -1,
					    .events = POLLIN};
		}
		if (poll(fds, pool->batch->jobs, TICK_MS) < 0 && errno != EINTR) {
			return qrt__err_from_errno(errno);
		}
		for (unsigned i = 0; i < pool->batch->jobs; i++) {
			if (fds[i].fd >= 0 && fds[i].revents) {
				enum qrt_err now = hear(pool, i);
				err = err ? err : now;
			}
		}
		kill_hung(pool);
		int64_t now = qrt__posix_now(NULL);
		if (pool->batch->tick && now - ticked_ns >= TICK_MS * QRT_MS) {
			ticked_ns = now;
			pool->batch->tick(pool->batch);
		}
	}
	return err;
}

enum qrt_err qrt__batch_run(struct qrt__batch *batch)
{
	struct pool pool = {.batch = batch};
	batch->jobs = batch->jobs < 1 ? 1 : batch->jobs > JOBS_MAX ? JOBS_MAX : batch->jobs;
	batch->ended = 0;
	pool.shared = mmap(NULL, sizeof(*pool.shared), PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (pool.shared == MAP_FAILED) {
		return QRT_ENOMEM;
	}
	enum qrt_err err = QRT_OK;
	for (unsigned i = 0; i < batch->jobs && i < batch->n && !err; i++) {
		err = start_worker(&pool, i);
	}
	if (err) {
		pool.stop = true;
		atomic_store(&pool.shared->next, batch->n);
	}
	enum qrt_err heard = listen_to_workers(&pool);
	batch->n_marks = mark_count(batch);
	batch->marks_reached = 0;
	for (size_t i = 0; i < batch->n_marks; i++) {
		/* What one run has reached counts for all: kept where the caller can see it. */
		if (atomic_load(&pool.shared->mark[i])) {
			batch->marks.first[i]->reached = true;
			batch->marks_reached++;
		}
	}
	munmap(pool.shared, sizeof(*pool.shared));
	return err ? err : heard;
}
