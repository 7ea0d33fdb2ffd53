/*
 * Lanes: blocking work on named, bounded threads. The job lies on the stack
 * of the task that waits for it, or on the heap when that task may leave; the
 * lane's lock guards its state, so that taking it back, interrupting it and
 * ending it cannot cross. Never touches a caller that has left.
 *
 *	queued ──> running ──────────> done
 *	   │           └── left ────────┤   its caller has gone, it ends by itself
 *	   └── taken back ──────────────┘
 *
 * An errand is a job that never had a caller: the lane's own, ended by its closing.
 *
 * With a driver that has no threads (the lab) the job runs on the loop's own
 * stack, at a moment of the driver's choice.
 */
#include <qrt/lane.h>

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shim/src/internal.h"
#include "shim/src/loop/lane.h"

enum { THREADS_MAX = 64 };

enum job_state { JOB_QUEUED, JOB_RUNNING, JOB_DONE };

struct qrt_job {
	struct qrt_lane *lane;
	enum job_state state;
	qrt_job_fn *fn;
	void *arg;
	enum qrt_err result;
	bool ran;
	_Atomic int unwanted; /* enum qrt_err: why the caller no longer wants it */
	qrt_interrupt_fn *interrupt;
	void *interrupt_arg;
	int64_t deadline_ns;
	int64_t queue_ns; /* until when it waits for a thread */
	struct qrt_duty duty;
	void (*drop)(void *arg);    /* NULL: it cannot be left */
	int64_t grace_ns, leave_ns; /* of a wait for what is unwanted; when it ends */
	struct caller *caller;	    /* loop thread; NULL: left, or an errand: it frees itself */
	char *correlation;	    /* once it was left, of who did, or NULL; the lane's lock */
	bool over;		    /* an errand that was ended before its post came */
	struct qrt__post done;
	struct qrt__timer start; /* the lab's moment */
	struct qrt__list node;	 /* in the queue; in the lab then in joined */
	char detail[QRT__DETAIL_MAX];
};

/* Who waits for a job; on its stack. */
struct caller {
	struct qrt__wait wait;
	const struct qrt_cx *cx;
	struct qrt_job *job;
	bool left; /* the job is no longer its own, and may be gone */
};

struct qrt_lane {
	struct qrt_runtime *rt;
	const char *name;
	pthread_mutex_t lock;
	pthread_cond_t work;
	struct qrt__list queue;
	struct qrt__list joined; /* the lab's: what the job that runs has done for others */
	size_t queued, queue_max;
	struct qrt_job *errand; /* loop thread; NULL: none */
	_Atomic size_t depth;	/* queued and running */
	bool closing;
	struct qrt__event idle; /* set while depth is 0; loop thread */
	unsigned n_threads;
	pthread_t thread[THREADS_MAX];
};

static bool simulated(const struct qrt_lane *lane)
{
	return lane->rt->driver->job_delay;
}

/* The caller goes on without it; from here on the root answers for its duty. */
static void leave(struct qrt_job *job)
{
	struct caller *caller = job->caller;
	const char *id = qrt__correlation_of(caller->cx);
	pthread_mutex_lock(&job->lane->lock); /* it may be writing a line */
	job->correlation = id ? strdup(id) : NULL;
	job->caller = NULL;
	pthread_mutex_unlock(&job->lane->lock);
	caller->left = true;
	caller->wait.aborted = true;
	QRT__COUNT(job->lane->rt->jobs_left, 1);
	qrt__duty_leave(&job->duty);
	qrt__unpark(&caller->wait, (enum qrt_err)atomic_load(&job->unwanted));
}

/* One that was left has ended at last, or an errand. */
static void bury(struct qrt_job *job)
{
	struct qrt_lane *lane = job->lane;
	if (lane->errand == job) {
		lane->errand = NULL;
	} else {
		QRT__COUNT(lane->rt->jobs_left, -1);
	}
	QRT_IGNORE(qrt_settle(&job->duty), "a runtime that was closed over it has settled it");
	job->drop(job->arg);
	free(job->correlation);
	job->correlation = NULL;
	if (!job->over) {
		free(job);
	}
}

/* On the loop's thread: the caller may go on. */
static void job_over(struct qrt_job *job, enum qrt_err result)
{
	struct qrt_lane *lane = job->lane;
	job->state = JOB_DONE;
	qrt__tell_named(lane->rt, QRT__TRACE_OP_END, job, 0, lane->name, NULL);
	QRT__COUNT(lane->rt->jobs_live, -1);
	if (atomic_fetch_sub(&lane->depth, 1) == 1) {
		qrt__event_set(&lane->idle);
	}
	if (job->caller) {
		qrt__unpark(&job->caller->wait, result);
	} else {
		bury(job);
	}
}

static void job_done(struct qrt_runtime *rt, struct qrt__post *post)
{
	(void)rt;
	struct qrt_job *job = QRT__CONTAINER(post, struct qrt_job, done);
	if (job->over) { /* and its lane is gone */
		free(job);
		return;
	}
	job_over(job, job->result);
}

/* The job leaves the queue. Under the lane's lock. */
static void begin(struct qrt_job *job)
{
	qrt__list_remove(&job->node);
	job->lane->queued--;
	job->state = JOB_RUNNING;
	job->ran = true;
}

static struct qrt_job *first_of(struct qrt__list *queue)
{
	return qrt__list_empty(queue) ? NULL : QRT__CONTAINER(queue->next, struct qrt_job, node);
}

static struct qrt_job *next_job(struct qrt_lane *lane)
{
	pthread_mutex_lock(&lane->lock);
	while (qrt__list_empty(&lane->queue) && !lane->closing) {
		pthread_cond_wait(&lane->work, &lane->lock);
	}
	struct qrt_job *job = first_of(&lane->queue);
	if (job) {
		begin(job);
	}
	pthread_mutex_unlock(&lane->lock);
	return job;
}

static void end_real(struct qrt_job *job, enum qrt_err result)
{
	job->result = result;
	qrt_job_on_interrupt(job, NULL, NULL);
	if (!qrt__post(job->lane->rt, &job->done, job_done)) {
		QRT_IMPOSSIBLE("the loop ended over a job: nobody closed the lane");
	}
}

static void *lane_thread(void *arg)
{
	struct qrt_lane *lane = arg;
	struct qrt_job *job;
	while ((job = next_job(lane))) {
		end_real(job, job->fn(job, job->arg));
	}
	return NULL;
}

/* The lab's way: it has taken its time. */
static void end_simulated(struct qrt__timer *timer)
{
	struct qrt_job *job = QRT__CONTAINER(timer, struct qrt_job, start);
	job_over(job, job->result);
}

/* Ends @job once @spent_ns have passed. */
static void end_later(struct qrt_job *job, int64_t spent_ns)
{
	struct qrt_runtime *rt = job->lane->rt;
	if (job->drop) {
		spent_ns += rt->driver->job_delay(rt); /* time enough to be left in */
	}
	if (spent_ns > 0) {
		qrt__timer_init(&job->start, end_simulated);
		qrt__timer_start(&rt->timers, &job->start, qrt__now(rt) + spent_ns);
	} else {
		job_over(job, job->result);
	}
}

static void begin_simulated(struct qrt_job *job)
{
	begin(job);
	uint64_t id = job->caller ? job->caller->wait.task->id : 0;
	qrt__trace(job->lane->rt, QRT__TRACE_IO, id, 0);
}

/* The moment has come. */
static void run_simulated(struct qrt__timer *timer)
{
	struct qrt_job *job = QRT__CONTAINER(timer, struct qrt_job, start);
	struct qrt_lane *lane = job->lane;
	struct qrt_runtime *rt = lane->rt;
	begin_simulated(job);
	job->result = job->fn(job, job->arg);
	job->interrupt = NULL;
	int64_t spent_ns = rt->driver->job_spent(rt);
	while (!qrt__list_empty(&lane->joined)) {
		end_later(QRT__CONTAINER(qrt__list_pop(&lane->joined), struct qrt_job, node),
			  spent_ns);
	}
	end_later(job, spent_ns);
}

struct qrt_job *qrt__job_join(struct qrt_job *leader)
{
	struct qrt_lane *lane = leader->lane;
	pthread_mutex_lock(&lane->lock);
	struct qrt_job *job = first_of(&lane->queue);
	job = job && job->fn == leader->fn ? job : NULL;
	/* In the lab nobody waits because of others: the seed says who is met in the queue. */
	if (job && simulated(lane) && !lane->rt->driver->choose(lane->rt, 2)) {
		job = NULL;
	}
	if (job && simulated(lane)) {
		qrt__timer_stop(&lane->rt->timers, &job->start);
		begin_simulated(job);
	} else if (job) {
		begin(job);
	}
	pthread_mutex_unlock(&lane->lock);
	return job;
}

void *qrt__job_arg(const struct qrt_job *job)
{
	return job->arg;
}

void qrt__job_end(struct qrt_job *job, enum qrt_err result)
{
	if (simulated(job->lane)) {
		job->result = result;
		job->interrupt = NULL;
		qrt__list_append(&job->lane->joined, &job->node);
	} else {
		end_real(job, result);
	}
}

static void stop_threads(struct qrt_lane *lane)
{
	pthread_mutex_lock(&lane->lock);
	lane->closing = true;
	pthread_cond_broadcast(&lane->work);
	pthread_mutex_unlock(&lane->lock);
	while (lane->n_threads > 0) {
		pthread_join(lane->thread[--lane->n_threads], NULL);
	}
}

static void lane_free(struct qrt_lane *lane)
{
	pthread_mutex_destroy(&lane->lock);
	pthread_cond_destroy(&lane->work);
	free(lane);
}

enum qrt_err qrt_lane_open(struct qrt_cx *cx, const char *name, unsigned threads, size_t queue_max,
			   struct qrt_lane **ret_lane)
{
	enum qrt_err err = qrt_cx_require(cx, QRT_CAP_BLOCKING);
	if (err) {
		return err;
	}
	if (threads < 1 || threads > THREADS_MAX || queue_max < 1) {
		return qrt_fail(cx, QRT_EINVAL, "lane %s: %u threads, queue of %zu", name, threads,
				queue_max);
	}
	struct qrt_lane *lane = calloc(1, sizeof(*lane));
	if (!lane) {
		return QRT_ENOMEM;
	}
	lane->rt = cx->task->rt;
	lane->name = name;
	lane->queue_max = queue_max;
	pthread_mutex_init(&lane->lock, NULL);
	pthread_cond_init(&lane->work, NULL);
	qrt__list_init(&lane->queue);
	qrt__list_init(&lane->joined);
	qrt__event_init(&lane->idle);
	qrt__event_set(&lane->idle);
	while (!err && !simulated(lane) && lane->n_threads < threads) {
		err = qrt__thread_start(&lane->thread[lane->n_threads], lane_thread, lane, name);
		lane->n_threads += !err;
	}
	if (err) {
		stop_threads(lane);
		lane_free(lane);
		return qrt_fail(cx, err, "lane %s: a thread could not be started", name);
	}
	*ret_lane = lane;
	return QRT_OK;
}

static bool take_back(struct qrt_job *job)
{
	if (job->state != JOB_QUEUED) {
		return false;
	}
	if (!QRT__MUTANT(JOB_ENDED_TWICE)) {
		qrt__list_remove(&job->node);
		qrt__timer_stop(&job->lane->rt->timers, &job->start);
	}
	job->lane->queued--;
	return true;
}

/* A running job is no longer wanted: told once. Under the lane's lock. */
static void tell(struct qrt_job *job, enum qrt_err why, int64_t now)
{
	if (atomic_load(&job->unwanted)) {
		return;
	}
	atomic_store(&job->unwanted, why);
	if (job->grace_ns && job->grace_ns < QRT_NO_DEADLINE - now) {
		job->leave_ns = now + job->grace_ns;
	}
	if (job->interrupt) {
		job->interrupt(job->interrupt_arg);
		job->interrupt = NULL;
	}
}

/* Nobody wants it any more. */
static void end_errand(struct qrt_lane *lane)
{
	struct qrt_job *job = lane->errand;
	pthread_mutex_lock(&lane->lock);
	bool taken_back = take_back(job);
	if (!taken_back) {
		tell(job, QRT_ECANCELED, qrt__now(lane->rt));
	}
	pthread_mutex_unlock(&lane->lock);
	if (taken_back) {
		job_over(job, QRT_ECANCELED);
	}
}

/* In a finalizer, where nothing can be waited for: the loop stands until it has ended. */
static void sit_out_errand(struct qrt_lane *lane)
{
	struct qrt_job *job = lane->errand;
	stop_threads(lane);
	if (simulated(lane)) {
		qrt__timer_stop(&lane->rt->timers, &job->start);
	} else {
		job->over = true; /* its post is still to come */
	}
	job_over(job, QRT_ECANCELED);
}

void qrt_lane_close(struct qrt_cx *cx, struct qrt_lane **lane_ptr)
{
	struct qrt_lane *lane = *lane_ptr;
	if (!lane) {
		return;
	}
	QRT_PRE(lane->rt == cx->task->rt);
	pthread_mutex_lock(&lane->lock);
	lane->closing = true;
	pthread_mutex_unlock(&lane->lock);
	if (lane->errand) {
		end_errand(lane);
	}
	if (lane->errand && cx->task->finalizing) {
		sit_out_errand(lane);
	}
	qrt__event_wait_masked(cx, &lane->idle);
	stop_threads(lane);
	lane_free(lane);
	*lane_ptr = NULL;
}

/* Of a job that may be left: now, or when its grace is over, or when the task is forced. */
static void leave_or_wait(struct qrt_job *job, int64_t now)
{
	struct qrt__wait *wait = &job->caller->wait;
	if (wait->task->forced || now >= job->leave_ns) {
		leave(job);
		return;
	}
	wait->aborted = false; /* we want to hear of either */
	if (job->leave_ns != QRT_NO_DEADLINE) {
		qrt__timer_start(&job->lane->rt->timers, &wait->timer, job->leave_ns);
	}
}

/* Cancelled or late: take the job back, or tell it and wait for its end. */
static void job_abort(struct qrt__wait *wait, enum qrt_err why)
{
	struct qrt_job *job = QRT__CONTAINER(wait, struct caller, wait)->job;
	struct qrt_lane *lane = job->lane;
	int64_t now = qrt__now(lane->rt);
	pthread_mutex_lock(&lane->lock);
	bool taken_back = take_back(job);
	bool told = atomic_load(&job->unwanted);
	/* A region's deadline answers ETIMEDOUT, too, but it asks, as a cancel does. */
	bool only_queue_time = why == QRT_ETIMEDOUT && now >= job->queue_ns &&
			       now < job->deadline_ns && !told && !qrt__cancel_reaches(wait->task);
	if (!taken_back && only_queue_time) {
		/* It got its thread in time; what counts now is the job's own deadline. */
		wait->aborted = false;
		if (job->deadline_ns != QRT_NO_DEADLINE) {
			qrt__timer_start(&lane->rt->timers, &wait->timer, job->deadline_ns);
		}
	} else if (!taken_back) {
		tell(job, why, now);
	}
	pthread_mutex_unlock(&lane->lock);
	if (taken_back) {
		job_over(job, only_queue_time ? QRT_EBUSY : why);
	} else if (job->drop && !only_queue_time) {
		leave_or_wait(job, now);
	}
}

/* ECLOSED, or ELIMIT: its queue is full. */
static enum qrt_err enqueue(struct qrt_lane *lane, struct qrt_job *job)
{
	pthread_mutex_lock(&lane->lock);
	enum qrt_err err = QRT_OK;
	if (lane->closing) {
		err = QRT_ECLOSED;
	} else if (lane->queued >= lane->queue_max) {
		err = QRT_ELIMIT;
	} else {
		lane->queued++;
		atomic_fetch_add(&lane->depth, 1);
		qrt__list_append(&lane->queue, &job->node);
		if (!simulated(lane)) {
			pthread_cond_signal(&lane->work);
		}
	}
	pthread_mutex_unlock(&lane->lock);
	return err;
}

static enum qrt_err refused(struct qrt_cx *cx, const struct qrt_lane *lane, enum qrt_err err)
{
	return err == QRT_ECLOSED ? qrt_fail(cx, err, "lane %s is closed", lane->name)
				  : qrt_fail(cx, err, "lane %s: its queue of %zu is full",
					     lane->name, lane->queue_max);
}

/* It stands in the queue. */
static void count_in(struct qrt_job *job, const char *site)
{
	struct qrt_lane *lane = job->lane;
	struct qrt_runtime *rt = lane->rt;
	qrt__event_clear(&lane->idle);
	qrt__tell_named(rt, QRT__TRACE_OP, job, 0, lane->name, site);
	QRT__COUNT(rt->jobs_live, 1);
	if (simulated(lane)) {
		qrt__timer_start(&rt->timers, &job->start,
				 qrt__now(rt) + rt->driver->job_delay(rt));
	}
}

static enum qrt_err may_block(struct qrt_cx *cx, const struct qrt_lane *lane)
{
	enum qrt_err err = qrt_cx_require(cx, QRT_CAP_BLOCKING);
	if (!err) {
		err = qrt__suspending(cx);
	}
	if (!err && lane->rt != cx->task->rt) {
		err = qrt_fail(cx, QRT_EINVAL, "lane %s is one of runtime %s", lane->name,
			       lane->rt->name);
	}
	return err;
}

/* Puts the job in line and waits for it. */
static enum qrt_err run_job(struct qrt_cx *cx, struct caller *caller, int64_t queue_deadline_ns)
{
	struct qrt_job *job = caller->job;
	struct qrt_lane *lane = job->lane;
	enum qrt_err err =
	    qrt_oblige_at(cx, QRT_DUTY_JOB, lane->name, NULL, NULL, cx->task->site, &job->duty);
	if (err) {
		return err;
	}
	caller->cx = cx;
	job->caller = caller;
	job->deadline_ns = cx->deadline_ns;
	job->queue_ns = queue_deadline_ns;
	job->leave_ns = QRT_NO_DEADLINE;
	qrt__wait_init(&caller->wait, cx, QRT__WAIT_LANE, lane->name, job_abort);
	qrt__timer_init(&job->start, run_simulated);
	qrt__list_init(&job->node);
	err = enqueue(lane, job);
	if (err) {
		QRT_IGNORE(qrt_settle(&job->duty), "there is no job");
		return refused(cx, lane, err);
	}
	count_in(job, cx->task->site);
	const char *name = lane->name; /* afterwards the lane may be closed already */
	err = qrt__park(cx, &caller->wait, queue_deadline_ns);
	if (caller->left) {
		return qrt_fail(cx, err, "lane %s: the job was left, and still runs", name);
	}
	QRT_IGNORE(qrt_settle(&job->duty), "the job has ended");
	if (!err) {
		return QRT_OK;
	}
	return job->ran ? qrt_fail(cx, err, "%s", job->detail)
			: qrt_fail(cx, err, "lane %s: %s", name, qrt_err_text(err));
}

enum qrt_err qrt_blocking_within(struct qrt_cx *cx, struct qrt_lane *lane,
				 int64_t queue_deadline_ns, qrt_job_fn *fn, void *arg)
{
	enum qrt_err err = may_block(cx, lane);
	if (err) {
		return err;
	}
	struct qrt_job job = {.lane = lane, .fn = fn, .arg = arg};
	struct caller caller = {.job = &job};
	return run_job(cx, &caller, queue_deadline_ns);
}

enum qrt_err qrt_blocking(struct qrt_cx *cx, struct qrt_lane *lane, qrt_job_fn *fn, void *arg)
{
	return qrt_blocking_within(cx, lane, QRT_NO_DEADLINE, fn, arg);
}

static struct qrt_job *job_new(struct qrt_lane *lane, void (*drop)(void *arg), qrt_job_fn *fn,
			       void *arg)
{
	struct qrt_job *job = calloc(1, sizeof(*job));
	if (job) {
		job->lane = lane;
		job->fn = fn;
		job->arg = arg;
		job->drop = drop;
	}
	return job;
}

enum qrt_err qrt__lane_errand(struct qrt_lane *lane, qrt_job_fn *fn, void (*over)(void *arg),
			      void *arg)
{
	QRT_PRE(!lane->errand);
	struct qrt_job *job = job_new(lane, over, fn, arg);
	if (!job) {
		return QRT_ENOMEM;
	}
	job->leave_ns = QRT_NO_DEADLINE;
	qrt__timer_init(&job->start, run_simulated);
	qrt__list_init(&job->node);
	enum qrt_err err = qrt__oblige_root(lane->rt, lane->name, QRT_SITE, &job->duty);
	if (!err) {
		err = enqueue(lane, job);
	}
	if (err) {
		QRT_IGNORE(qrt_settle(&job->duty), "there is no job");
		free(job);
		return err;
	}
	lane->errand = job;
	count_in(job, QRT_SITE);
	return QRT_OK;
}

enum qrt_err qrt_blocking_detachable(struct qrt_cx *cx, struct qrt_lane *lane,
				     const struct qrt_job_options *opts, qrt_job_fn *fn, void *arg)
{
	QRT__ANCHORED(cx); /* whatever becomes of the task: @arg is dropped */
	if (!opts->drop) {
		return qrt_fail(cx, QRT_EINVAL, "lane %s: a job that may be left has a drop",
				lane->name);
	}
	enum qrt_err err = may_block(cx, lane);
	if (!err && opts->grace_ns < 0) {
		err = qrt_fail(cx, QRT_EINVAL, "a grace of %lld ns", (long long)opts->grace_ns);
	}
	struct qrt_job *job = err ? NULL : job_new(lane, opts->drop, fn, arg);
	if (!job) {
		opts->drop(arg);
		return err ? err : QRT_ENOMEM;
	}
	job->grace_ns = opts->grace_ns;
	struct caller caller = {.job = job};
	err = run_job(cx, &caller,
		      opts->queue_deadline_ns ? opts->queue_deadline_ns : QRT_NO_DEADLINE);
	if (!caller.left) {
		opts->drop(arg);
		free(job);
	}
	return err;
}

enum qrt_err qrt_job_checkpoint(struct qrt_job *job)
{
	return (enum qrt_err)atomic_load_explicit(&job->unwanted, memory_order_relaxed);
}

void qrt_job_on_interrupt(struct qrt_job *job, qrt_interrupt_fn *fn, void *arg)
{
	pthread_mutex_lock(&job->lane->lock);
	job->interrupt = fn;
	job->interrupt_arg = arg;
	pthread_mutex_unlock(&job->lane->lock);
}

enum qrt_err qrt_job_fail(struct qrt_job *job, enum qrt_err err, const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	vsnprintf(job->detail, sizeof(job->detail), fmt, args);
	va_end(args);
	return err;
}

void qrt__job_origin(struct qrt_job *job, struct qrt__job_origin *ret_origin)
{
	struct qrt_lane *lane = job->lane;
	char outer[sizeof(ret_origin->path) - QRT__JOB_LANE_MAX] = "";
	pthread_mutex_lock(&lane->lock);
	const char *id = job->correlation;
	if (job->caller) {
		id = qrt__correlation_of(job->caller->cx);
		qrt__path_of(job->caller->cx, outer, sizeof(outer));
	}
	snprintf(ret_origin->correlation, sizeof(ret_origin->correlation), "%s", id ? id : "");
	pthread_mutex_unlock(&lane->lock);
	snprintf(ret_origin->path, sizeof(ret_origin->path), "%s%s%.*s", outer,
		 outer[0] ? " > " : "", QRT__JOB_LANE_MAX - 4, lane->name);
	ret_origin->wall_ms = lane->rt->driver->wall_ms(lane->rt);
}

size_t qrt_lane_depth(const struct qrt_lane *lane)
{
	return atomic_load_explicit(&lane->depth, memory_order_relaxed);
}
