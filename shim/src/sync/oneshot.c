/*
 * Oneshots within one runtime. The slot of a closed one is kept while the
 * permit is out or a receiver has been granted and has not run: both still
 * point to it.
 */
#include <qrt/oneshot.h>

#include "shim/src/sync/queue.h"
#include "shim/src/sync/sink.h"

#define SMALL_BYTES 256

enum state { WAITED_FOR, SENT, TAKEN, ABORTED };

struct oneshot {
	struct qrt__object object;
	struct qrt__sink sink;
	struct qrt_duty permit; /* who must act, for the wait-for graph */
	enum state state;
	bool permit_out;
	bool promised; /* a task was woken for the element and has not run yet */
	struct qrt__line receivers;
	void *element; /* small, or malloc'ed */
	_Alignas(max_align_t) char small[SMALL_BYTES];
};
QRT__OBJECT_FITS(struct oneshot);

static qrt_release_fn shut;

static const struct qrt__object_kind kind = {
    .magic = 0x71724e12u,
    .name = "oneshot",
    .end = shut,
};

static bool is_closed(const struct oneshot *oneshot)
{
	return qrt__object_retired(&oneshot->object);
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
	if (is_closed(oneshot) && !oneshot->permit_out && !oneshot->promised) {
		element_free(oneshot);
		qrt__object_free(&oneshot->object);
	}
}

/* The first in line is told that it is there; all, when it never will be. */
static void serve(struct oneshot *oneshot)
{
	int64_t now = oneshot->object.rt->turn_ns;
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
	if (is_closed(oneshot)) {
		qrt_drop_fn *drop = sink->drop;
		free_when_unused(oneshot);
		qrt__element_drop(drop, element);
		return QRT_ECLOSED;
	}
	if (qrt__is_observed(oneshot->object.rt)) {
		qrt__tell_element(oneshot->object.rt, QRT__TRACE_SENT, oneshot, element,
				  sink->size);
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
	if (is_closed(oneshot)) {
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
	if (qrt__is_observed(oneshot->object.rt)) {
		qrt__tell_element(oneshot->object.rt, QRT__TRACE_TAKEN, oneshot, ret_element,
				  oneshot->sink.size);
	}
	serve(oneshot);
}

static enum qrt_err recv_try(struct qrt_case *arm)
{
	struct oneshot *oneshot;
	enum qrt_err err = qrt__object_find(arm->object_, &kind, &oneshot);
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
	qrt__line_join(&oneshot->receivers, arm, oneshot->object.rt->turn_ns);
}

static void recv_withdraw(struct qrt_case *arm)
{
	struct oneshot *oneshot = qrt__arm_object(arm);
	qrt__line_leave(&oneshot->receivers, arm, oneshot->object.rt->turn_ns);
}

static enum qrt_err recv_finish(struct qrt_case *arm, enum qrt_err granted)
{
	struct oneshot *oneshot = qrt__arm_object(arm);
	if (granted) {
		return granted; /* it may be gone */
	}
	oneshot->promised = false;
	if (is_closed(oneshot)) {
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
	qrt__tell(oneshot->object.rt, QRT__TRACE_CHAN_END, oneshot, left);
	qrt__object_retire(&oneshot->object);
	qrt__line_grant_all(&oneshot->receivers, QRT_ECLOSED, oneshot->object.rt->turn_ns);
	if (left) {
		qrt__element_drop(oneshot->sink.drop, oneshot->element);
	}
	free_when_unused(oneshot);
}

enum qrt_err qrt_oneshot_open_at(struct qrt_cx *cx, size_t size, qrt_drop_fn *drop,
				 const char *site, struct qrt_oneshot **ret_oneshot,
				 struct qrt_permit *ret_permit)
{
	struct oneshot *oneshot;
	struct qrt_permit permit;
	enum qrt_err err = qrt__element_check(cx, size, 1);
	if (!err) {
		err = qrt__object_open(cx, &kind, site, &oneshot);
	}
	if (err) {
		return err;
	}
	oneshot->sink = (struct qrt__sink){.ops = &sink_ops, .size = size, .drop = drop};
	qrt__line_init(&oneshot->receivers);
	oneshot->element = size <= SMALL_BYTES ? oneshot->small : malloc(size);
	err = oneshot->element ? qrt__permit_enter(cx, &oneshot->sink, site, &permit) : QRT_ENOMEM;
	if (err) {
		element_free(oneshot);
		qrt__object_undo(&oneshot->object);
		return err;
	}
	qrt__permit_grant(&permit, &oneshot->sink);
	oneshot->permit_out = true;
	oneshot->permit = permit.duty;
	qrt__tell_named(oneshot->object.rt, QRT__TRACE_CHAN, oneshot, 0, "oneshot", site);
	*ret_oneshot = qrt__handle(oneshot);
	*ret_permit = permit;
	return QRT_OK;
}

enum qrt_err qrt_oneshot_close(struct qrt_oneshot **oneshot)
{
	return qrt__object_close(oneshot, &kind);
}
