/* The lab for those who test in it: qrt/lab.h. */
#include "backends/lab/batch.h"
#include "backends/lab/lab.h"
#include "backends/lab/oracle.h"

#include <stdio.h>
#include <stdlib.h>

#define STEPS_MAX UINT64_C(100000000)

static void heal_now(struct qrt__timer *timer)
{
	struct qrt_lab *lab = QRT__CONTAINER(timer, struct qrt_lab, heal);
	lab->healed = true;
	qrt_lab_heal(lab);
}

static void init(struct qrt_lab *lab, const struct qrt_lab_options *opts)
{
	lab->opts = *opts;
	if (lab->opts.steps_max == 0) {
		lab->opts.steps_max = STEPS_MAX;
	}
	lab->faults = opts->faults;
	lab->n_of = qrt__batch_choices() ? qrt__batch_choices() : lab->own_n_of;
	qrt__list_init(&lab->runtimes);
	qrt__list_init(&lab->held);
	qrt__list_init(&lab->listeners);
	qrt__list_init(&lab->signal_sets);
	qrt__list_init(&lab->names);
	qrt__list_init(&lab->programs);
	qrt__timers_init(&lab->events);
	for (unsigned kind = 0; kind < QRT__CHOICE_KINDS; kind++) {
		lab->stream[kind] = qrt__lab_stream(opts->seed, 1 + kind);
	}
	lab->user = qrt__lab_stream(opts->seed, 32);
	qrt__strategy_init(lab);
	qrt__timer_init(&lab->heal, heal_now);
	if (opts->heal_ns > 0) {
		qrt__timer_start(&lab->events, &lab->heal, opts->heal_ns);
	}
}

/* It is taken over whatever happens. */
static void drop_image(const struct qrt_lab_options *opts)
{
	struct qrt_lab_disk *image = opts->disk_image;
	qrt_lab_disk_free(&image);
}

enum qrt_err qrt__lab_new(const struct qrt_lab_options *opts, char *ret_detail,
			  struct qrt_lab **ret_lab)
{
	struct qrt_lab *lab = calloc(1, sizeof(*lab));
	if (!lab) {
		drop_image(opts);
		return QRT_ENOMEM;
	}
	init(lab, opts);
	enum qrt_err err = qrt__replay_open(lab, ret_detail);
	if (!err && opts->disk) {
		err = qrt__lab_disk_open(lab);
	}
	if (err) {
		qrt__lab_free(lab);
		return err;
	}
	*ret_lab = lab;
	return QRT_OK;
}

void qrt__lab_free(struct qrt_lab *lab)
{
	size_t leaked_descriptors = qrt__lab_table_fini(lab);
	QRT_ASSERT(leaked_descriptors == 0);
	QRT_ASSERT(lab->conns_live == 0);
	qrt__timer_stop(&lab->events, &lab->heal);
	qrt__timers_fini(&lab->events);
	qrt__sweep_fini(lab);
	qrt__oracles_free(lab);
	qrt__lab_names_fini(lab);
	qrt__lab_programs_fini(lab);
	qrt__lab_disk_close(lab);
	qrt_lab_disk_free(&lab->opts.disk_image); /* of one that did not come to its disk */
	qrt__replay_close(lab);
	free(lab);
}

static void say_token(void *arg)
{
	char token[QRT_LAB_TOKEN_SIZE];
	qrt_lab_token(arg, token);
	fprintf(stderr, "qrt: replay token %s\n", token);
}

void qrt__lab_speaks_last(struct qrt_lab *lab)
{
	qrt__last_words(lab ? say_token : NULL, lab);
}

static enum qrt_err check(const struct qrt_lab_options *opts, char *ret_detail)
{
	if ((unsigned)opts->strategy > QRT_LAB_ROUND_ROBIN || opts->depth > QRT__PCT_DEPTH_MAX) {
		snprintf(ret_detail, QRT__DETAIL_MAX, "lab: strategy %u of depth %u",
			 (unsigned)opts->strategy, opts->depth);
		return QRT_EINVAL;
	}
	bool no_bound = opts->quiesce_ns > 0 && opts->heal_ns == 0;
	if (opts->heal_ns < 0 || opts->quiesce_ns < 0 || no_bound) {
		snprintf(ret_detail, QRT__DETAIL_MAX,
			 "lab: quiet within %lld ns after everything heals at %lld ns",
			 (long long)opts->quiesce_ns, (long long)opts->heal_ns);
		return QRT_EINVAL;
	}
	if (opts->record && opts->replay && strcmp(opts->record, opts->replay) == 0) {
		snprintf(ret_detail, QRT__DETAIL_MAX, "lab: %s is recorded and replayed at once",
			 opts->record);
		return QRT_EINVAL;
	}
	return QRT_OK;
}

enum qrt_err qrt_lab_open(const struct qrt_lab_options *opts, char *ret_detail,
			  struct qrt_lab **ret_lab)
{
	char unread[QRT__DETAIL_MAX];
	char *detail = ret_detail ? ret_detail : unread;
	enum qrt_err err = qrt__faults_check(&opts->faults, detail);
	if (!err) {
		err = check(opts, detail);
	}
	if (err) {
		drop_image(opts);
		return err;
	}
	struct qrt_lab *lab = NULL;
	err = qrt__lab_new(opts, detail, &lab);
	if (!err) {
		err = qrt__oracles_new(lab);
	}
	if (err) {
		if (lab) {
			qrt__lab_free(lab);
		}
		return err;
	}
	lab->shared = true;
	qrt__lab_speaks_last(lab);
	*ret_lab = lab;
	return QRT_OK;
}

void qrt_lab_close(struct qrt_lab **lab_ptr)
{
	struct qrt_lab *lab = *lab_ptr;
	if (!lab) {
		return;
	}
	QRT_PRE(lab->n_runtimes == 0);
	qrt__replay_ended(lab);
	qrt__lab_free(lab); /* says so when something was left */
	qrt__lab_speaks_last(NULL);
	*lab_ptr = NULL;
}

void qrt_lab_stats(const struct qrt_lab *lab, struct qrt_lab_stats *ret_stats)
{
	*ret_stats = (struct qrt_lab_stats){.hash = lab->hash,
					    .steps = lab->steps,
					    .choices = lab->n_choices,
					    .faults = lab->n_faults,
					    .now_ns = lab->now_ns};
}

bool qrt_in_lab(const struct qrt_cx *cx)
{
	return cx->task->rt->driver == &qrt__driver_lab;
}

struct qrt_lab *qrt_cx_lab(const struct qrt_cx *cx)
{
	return cx->task->rt->lab;
}

static enum qrt_err enter(struct qrt_cx *cx, uint32_t caps)
{
	enum qrt_err err = qrt_cx_require(cx, caps);
	if (!err && !qrt_in_lab(cx)) {
		err = qrt_fail(cx, QRT_ENOTSUP, "runtime %s is not a lab", cx->task->rt->name);
	}
	return err;
}

enum qrt_err qrt_lab_pair(struct qrt_cx *cx, int *ret_a, int *ret_b)
{
	enum qrt_err err = enter(cx, QRT_CAP_NET);
	return err ? err : qrt__lab_pair(qrt__lab_of(cx->task->rt), ret_a, ret_b);
}

enum qrt_err qrt_lab_raise(struct qrt_cx *cx, int signo)
{
	enum qrt_err err = enter(cx, QRT_CAP_SIGNAL);
	if (!err) {
		err = qrt__lab_raise(qrt__lab_of(cx->task->rt), signo);
	}
	if (err == QRT_ENOENT) {
		return qrt_fail(cx, err, "nobody has opened signal %d", signo);
	}
	return err;
}
