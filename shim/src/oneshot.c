/*
 * Oneshots within one runtime. The slot of a closed one is kept while the
 * permit is out or a receiver has been granted and has not run: both still
 * point to it.
 */
#include <qrt/oneshot.h>

#include "shim/src/queue.h"
#include "shim/src/sink.h"

#define ONESHOT_MAGIC 0x71724e12u
#define CLOSED_MAGIC 0x71724e13u
#define SMALL_BYTES 256

enum state { WAITED_FOR, SENT, TAKEN, ABORTED };

struct oneshot {
	struct qrt__sink sink;
	struct qrt_duty duty;	/* to close it */
	struct qrt_duty permit; /* who must act, for the wait-for graph */
	enum state state;
	bool permit_out;
	bool promised; /* a task was woken for the element and has not run yet */
	bool closed;
	struct qrt__line receivers;
	void *element; /* small, or malloc'ed */
	_Alignas(max_align_t) char small[SMALL_BYTES];
};

_Static_assert(sizeof(struct oneshot) <= QRT__SLOT_ALIGN, "a oneshot fits into a slot");

static enum qrt_err find_here(const struct qrt_oneshot *handle, struct oneshot **ret_oneshot)
{
	struct oneshot *oneshot = qrt__handle_object(handle, ONESHOT_MAGIC);
	if (!oneshot) {
		return QRT_ESTALE;
	}
	if (!qrt__on_thread_of(oneshot->sink.rt)) {
		return QRT_ETHREAD;
	}
	*ret_oneshot = oneshot;
	return QRT_OK;
}

static void element_free(struct oneshot *oneshot)
{
	if (oneshot->element != oneshot->small) {
		free(oneshot->element);
	}
	oneshot->element = NULL;
}

static void free_when_unused(struct oneshot *oneshot)
{
	if (oneshot->closed && !oneshot->permit_out && !oneshot->promised) {
		element_free(oneshot);
		qrt__pool_give(&oneshot->sink.rt->objects, oneshot);
	}
}

/* The first in line is told that it is there; all, when it never will be. */
static void serve(struct oneshot *oneshot)
{
	int64_t now = oneshot->sink.rt->turn_ns;
	if (oneshot->state == SENT && !oneshot->promised && !qrt__line_empty(&oneshot->receivers)) {
		oneshot->promised = true;
		qrt__grant(qrt__line_pop(&oneshot->receivers, now), QRT_OK);
	}
	if (oneshot->state == TAKEN || oneshot->state == ABORTED) {
		qrt__line_grant_all(&oneshot->receivers, QRT_ECLOSED, now);
	}
}

static enum qrt_err commit(struct qrt__sink *sink, const void *element)
{
	struct oneshot *oneshot = QRT__CONTAINER(sink, struct oneshot, sink);
	QRT_ASSERT(oneshot->state == WAITED_FOR);
	oneshot->permit_out = false;
	if (oneshot->closed) {
		qrt_drop_fn *drop = sink->drop;
		free_when_unused(oneshot);
		qrt__element_drop(drop, element);
		return QRT_ECLOSED;
	}
	qrt__element_copy(oneshot->element, element, sink->size);
	oneshot->state = SENT;
	serve(oneshot);
	return QRT_OK;
}

static void abort_permit(struct qrt__sink *sink)
{
	struct oneshot *oneshot = QRT__CONTAINER(sink, struct oneshot, sink);
	QRT_ASSERT(oneshot->state == WAITED_FOR);
	oneshot->permit_out = false;
	oneshot->state = ABORTED;
	if (oneshot->closed) {
		free_when_unused(oneshot);
	} else {
		serve(oneshot);
	}
}

static const struct qrt__sink_ops sink_ops = {
    .what = "oneshot",
    .commit = commit,
    .abort = abort_permit,
};

/* --- receiving ------------------------------------------------------------------------------- */

static void take(struct oneshot *oneshot, void *ret_element)
{
	qrt__element_copy(ret_element, oneshot->element, oneshot->sink.size);
	oneshot->state = TAKEN;
	serve(oneshot);
}

static enum qrt_err recv_try(struct qrt_case *arm)
{
	struct oneshot *oneshot;
	enum qrt_err err = find_here(arm->object_, &oneshot);
	if (err) {
		return err;
	}
	if (arm->word_ != oneshot->sink.size) {
		return QRT_EINVAL;
	}
	if (oneshot->state == TAKEN || oneshot->state == ABORTED) {
		return QRT_ECLOSED;
	}
	if (oneshot->state == WAITED_FOR || oneshot->promised) {
		return QRT_EAGAIN;
	}
	take(oneshot, arm->value_);
	return QRT_OK;
}

static void recv_enqueue(struct qrt_case *arm)
{
	struct oneshot *oneshot = qrt__arm_object(arm);
	qrt__line_join(&oneshot->receivers, arm, oneshot->sink.rt->turn_ns);
}

static void recv_withdraw(struct qrt_case *arm)
{
	struct oneshot *oneshot = qrt__arm_object(arm);
	qrt__line_leave(&oneshot->receivers, arm, oneshot->sink.rt->turn_ns);
}

static enum qrt_err recv_finish(struct qrt_case *arm, enum qrt_err granted)
{
	struct oneshot *oneshot = qrt__arm_object(arm);
	if (granted) {
		return granted; /* it may be gone */
	}
	oneshot->promised = false;
	if (oneshot->closed) {
		free_when_unused(oneshot);
		return QRT_ECLOSED;
	}
	take(oneshot, arm->value_);
	return QRT_OK;
}

static struct qrt_task *recv_holder(const struct qrt_case *arm)
{
	const struct oneshot *oneshot = qrt__arm_object(arm);
	const struct qrt__obligation *entry = qrt__duty_find(&oneshot->permit);
	return entry ? entry->holder : NULL;
}

/* Without undo: once sent, the element beats a cancel. */
static const struct qrt__arm_ops recv_ops = {
    .kind = QRT__WAIT_ONESHOT,
    .try_now = recv_try,
    .enqueue = recv_enqueue,
    .withdraw = recv_withdraw,
    .finish = recv_finish,
    .holder = recv_holder,
};

struct qrt_case qrt_case_oneshot_sized(struct qrt_oneshot *oneshot, size_t size, void *ret_element)
{
	return (struct qrt_case){
	    .ops_ = &recv_ops, .object_ = oneshot, .value_ = ret_element, .word_ = size};
}

enum qrt_err qrt_oneshot_try_recv_sized(struct qrt_oneshot *oneshot, size_t size, void *ret_element)
{
	struct qrt_case arm = qrt_case_oneshot_sized(oneshot, size, ret_element);
	return recv_try(&arm);
}

enum qrt_err qrt_oneshot_recv_sized(struct qrt_cx *cx, struct qrt_oneshot *oneshot, size_t size,
				    void *ret_element)
{
	struct qrt_case arm = qrt_case_oneshot_sized(oneshot, size, ret_element);
	enum qrt_err err = qrt__may_suspend(cx);
	if (!err) {
		err = recv_try(&arm);
	}
	return err == QRT_EAGAIN ? qrt__await_one(cx, &arm) : err;
}

/* --- its life -------------------------------------------------------------------------------- */

static void shut(void *arg)
{
	struct oneshot *oneshot = arg;
	bool left = oneshot->state == SENT;
	oneshot->closed = true;
	oneshot->sink.slot.magic = CLOSED_MAGIC;
	qrt__line_grant_all(&oneshot->receivers, QRT_ECLOSED, oneshot->sink.rt->turn_ns);
	if (left) {
		qrt__element_drop(oneshot->sink.drop, oneshot->element);
	}
	free_when_unused(oneshot);
}

static enum qrt_err enter(struct qrt_cx *cx, struct oneshot *oneshot, const char *site,
			  struct qrt_permit *ret_permit)
{
	enum qrt_err err =
	    qrt_oblige_at(cx, QRT_DUTY_OTHER, "oneshot", shut, oneshot, site, &oneshot->duty);
	if (err) {
		return err;
	}
	err = qrt__permit_enter(cx, &oneshot->sink, site, ret_permit);
	if (err) {
		QRT_IGNORE(qrt_settle(&oneshot->duty), "made just now");
		return err;
	}
	qrt__permit_grant(ret_permit, &oneshot->sink);
	return QRT_OK;
}

enum qrt_err qrt_oneshot_open_at(struct qrt_cx *cx, size_t size, qrt_drop_fn *drop,
				 const char *site, struct qrt_oneshot **ret_oneshot,
				 struct qrt_permit *ret_permit)
{
	struct qrt_runtime *rt = cx->task->rt;
	struct qrt_permit permit;
	if (!qrt__on_thread_of(rt)) {
		return QRT_ETHREAD;
	}
	enum qrt_err err = qrt__element_check(cx, size, 1);
	if (err) {
		return err;
	}
	struct oneshot *oneshot = qrt__pool_take(&rt->objects, ONESHOT_MAGIC);
	if (!oneshot) {
		return QRT_ENOMEM;
	}
	oneshot->sink.ops = &sink_ops;
	oneshot->sink.rt = rt;
	oneshot->sink.size = size;
	oneshot->sink.drop = drop;
	qrt__line_init(&oneshot->receivers);
	oneshot->element = size <= SMALL_BYTES ? oneshot->small : malloc(size);
	err = oneshot->element ? enter(cx, oneshot, site, &permit) : QRT_ENOMEM;
	if (err) {
		element_free(oneshot);
		qrt__pool_give(&rt->objects, oneshot);
		return err;
	}
	oneshot->permit_out = true;
	oneshot->permit = permit.duty;
	*ret_oneshot = qrt__handle(oneshot);
	*ret_permit = permit;
	return QRT_OK;
}

enum qrt_err qrt_oneshot_close(struct qrt_oneshot **oneshot)
{
	struct oneshot *found;
	if (!*oneshot) {
		return QRT_OK;
	}
	enum qrt_err err = find_here(*oneshot, &found);
	if (err != QRT_ETHREAD) {
		*oneshot = NULL;
	}
	if (!err) {
		QRT_IGNORE(qrt_settle(&found->duty), "it is being done");
		shut(found);
	}
	return err;
}
