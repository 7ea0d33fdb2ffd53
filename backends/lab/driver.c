/*
 * The lab as the driver of one of its runtimes.
 *
 * A lab of one runtime that has been started on its own thread takes work
 * from outside (qrt_runtime_call); then, and only then, it waits for real.
 */
#include "backends/lab/disk.h"
#include "backends/lab/lab.h"
#include "backends/process_impl.h"

#include <stdio.h>
#include <stdlib.h>

#define JOB_MIN_NS INT64_C(1000)
#define JOB_MAX_NS (2 * QRT_MS)
enum { JOB_SLOW = 100 };

static enum qrt_err own_lab(const struct qrt_runtime_options *opts, char *ret_detail,
			    struct qrt_lab **ret_lab)
{
	const struct qrt_lab_options lab = {.seed = opts->seed};
	return qrt__lab_new(&lab, ret_detail, ret_lab);
}

static void join(struct qrt_lab *lab, struct qrt__member *member)
{
	struct qrt_runtime *rt = member->rt;
	qrt__list_append(&lab->runtimes, &member->in_lab);
	lab->n_runtimes++;
	rt->lab = lab;
	rt->hash = &lab->hash;
	rt->lab_index = lab->joined++;
	rt->turned = lab->n_runtimes > 1;
	rt->tracing |= QRT__TRACING_HASH;
	if (lab->n_runtimes == 2) {
		QRT__CONTAINER(lab->runtimes.next, struct qrt__member, in_lab)->rt->turned = true;
	}
}

static enum qrt_err driver_open(struct qrt_runtime *rt, const struct qrt_runtime_options *opts,
				char *ret_detail)
{
	struct qrt_lab *lab = opts->lab;
	if (lab && lab->n_runtimes >= QRT__LAB_RUNTIMES_MAX) {
		snprintf(ret_detail, QRT__DETAIL_MAX, "a lab of more than %d runtimes",
			 QRT__LAB_RUNTIMES_MAX);
		return QRT_ELIMIT;
	}
	enum qrt_err err = lab ? QRT_OK : own_lab(opts, ret_detail, &lab);
	struct qrt__member *member = err ? NULL : calloc(1, sizeof(*member));
	if (!err && !member) {
		err = QRT_ENOMEM;
	}
	if (!err && lab->shared) {
		err = qrt__lab_observe(lab, rt);
	}
	if (err) {
		if (lab && !opts->lab) {
			qrt__lab_free(lab);
		}
		free(member);
		return err;
	}
	member->rt = rt;
	member->lab = lab;
	pthread_mutex_init(&member->wake_lock, NULL);
	pthread_cond_init(&member->wake_cond, NULL);
	rt->driver_state = member;
	join(lab, member);
	return QRT_OK;
}

static void driver_close(struct qrt_runtime *rt)
{
	struct qrt__member *member = qrt__member_of(rt);
	struct qrt_lab *lab = member->lab;
	qrt__list_remove(&member->in_lab);
	lab->n_runtimes--;
	if (!lab->shared) {
		qrt__lab_free(lab);
	}
	pthread_mutex_destroy(&member->wake_lock);
	pthread_cond_destroy(&member->wake_cond);
	free(member);
	rt->driver_state = NULL;
}

static int64_t driver_now(struct qrt_runtime *rt)
{
	const struct qrt_lab *lab = qrt__lab_of(rt);
	return lab->now_ns + lab->job_ns; /* in a job time passes by what it does */
}

static int64_t driver_wall_ms(struct qrt_runtime *rt)
{
	return QRT__LAB_EPOCH_MS + qrt__lab_of(rt)->now_ns / QRT_MS;
}

static void driver_random(struct qrt_runtime *rt, void *buf, size_t n)
{
	struct qrt_lab *lab = qrt__lab_of(rt);
	unsigned char *at = buf;
	while (n > 0) {
		/* Byte by byte, lowest first: the same on every machine. */
		uint64_t word = qrt__lab_next(&lab->user);
		for (size_t i = 0; i < sizeof(word) && n > 0; i++, n--) {
			*at++ = (unsigned char)(word >> (8 * i));
		}
	}
}

static struct qrt_task *driver_pick(struct qrt_runtime *rt)
{
	struct qrt_lab *lab = qrt__lab_of(rt);
	lab->steps++;
	if (__builtin_expect(lab->steps > lab->opts.steps_max, 0)) {
		qrt__lab_livelock(lab, "too many steps");
	}
	return qrt__strategy_task(lab, rt);
}

static size_t driver_choose(struct qrt_runtime *rt, size_t n)
{
	struct qrt_lab *lab = qrt__lab_of(rt);
	return lab->opts.seed == 0 ? 0 : qrt__choose(lab, QRT__CHOOSE_SELECT, (uint32_t)n);
}

static int64_t driver_job_delay(struct qrt_runtime *rt)
{
	struct qrt_lab *lab = qrt__lab_of(rt);
	int64_t ns = qrt__choose_ns(lab, QRT__CHOOSE_LANE, JOB_MIN_NS, JOB_MAX_NS);
	return qrt__fault(lab, lab->faults.job_slow) ? ns * JOB_SLOW : ns;
}

static void driver_job_spend(struct qrt_runtime *rt, int64_t ns)
{
	qrt__lab_of(rt)->job_ns += ns;
}

static int64_t driver_job_spent(struct qrt_runtime *rt)
{
	struct qrt_lab *lab = qrt__lab_of(rt);
	int64_t ns = lab->job_ns;
	lab->job_ns = 0;
	return ns;
}

static const char *driver_disk(struct qrt_runtime *rt)
{
	const struct qrt_lab *lab = qrt__lab_of(rt);
	return lab->vfs ? qrt__disk_vfs_name(lab->vfs) : NULL;
}

static void driver_wake(struct qrt_runtime *rt)
{
	struct qrt__member *member = qrt__member_of(rt);
	pthread_mutex_lock(&member->wake_lock);
	member->woken = true;
	pthread_cond_signal(&member->wake_cond);
	pthread_mutex_unlock(&member->wake_lock);
}

/* Not before somebody has posted since the last poll. */
static void wait_for_wake(struct qrt__member *member)
{
	pthread_mutex_lock(&member->wake_lock);
	while (!member->woken) {
		pthread_cond_wait(&member->wake_cond, &member->wake_lock);
	}
	member->woken = false;
	pthread_mutex_unlock(&member->wake_lock);
}

static void driver_poll(struct qrt_runtime *rt, int64_t timeout_ns)
{
	struct qrt__member *member = qrt__member_of(rt);
	(void)timeout_ns; /* the lab sees for itself */
	/* Only here has the host turns like others: its loop goes on when this returns. */
	member->going = true;
	member->ended = false;
	/* Only under qrt_run_main is the end set from the start, and nobody outside to hear. */
	member->hosted |= !rt->stopping && !rt->threadless;
	bool goes_on = qrt__world_go(member->lab, member, QRT_NO_DEADLINE);
	member->going = false;
	if (goes_on) {
		return;
	}
	if (member->hosted && !member->lab->shared) {
		wait_for_wake(member);
	} else {
		qrt__lab_deadlock(member->lab);
	}
}

static bool driver_start(struct qrt_runtime *rt)
{
	struct qrt__member *member = qrt__member_of(rt);
	if (!member->lab->shared) {
		return false;
	}
	member->going = true;
	member->ended = false;
	qrt__loop_enter(rt);
	return true;
}

static bool driver_finish(struct qrt_runtime *rt, int64_t grace_ns)
{
	struct qrt__member *member = qrt__member_of(rt);
	struct qrt_lab *lab = member->lab;
	int64_t left = grace_ns > 0 ? grace_ns : 0;
	int64_t until = left < QRT_NO_DEADLINE - lab->now_ns ? lab->now_ns + left : QRT_NO_DEADLINE;
	while (!member->ended && qrt__world_go(lab, member, until)) {
		if (!member->ended) {
			qrt__world_turn(member);
		}
	}
	return member->ended;
}

const struct qrt__driver qrt__driver_lab = {
    .name = "lab",
    .traced = true,
    .open = driver_open,
    .close = driver_close,
    .now = driver_now,
    .wall_ms = driver_wall_ms,
    .random = driver_random,
    .poll = driver_poll,
    .wake = driver_wake,
    .pick = driver_pick,
    .choose = driver_choose,
    .job_delay = driver_job_delay,
    .job_spent = driver_job_spent,
    .job_spend = driver_job_spend,
    .lookup = qrt__lab_lookup,
    .disk = driver_disk,
    .start = driver_start,
    .finish = driver_finish,
    .net = &qrt__net_lab,
    .process = &qrt__process_lab,
    .ws = &qrt__ws_lab,
};
