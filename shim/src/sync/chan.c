/*
 * Channels within one runtime. What must always hold:
 *
 *	queued + reserved <= capacity	reserved: permits that are out, and tasks that were
 *					granted room and have not run yet
 *	promised <= queued		promised: tasks that were woken for an element and have
 *					not run yet; it stays in the ring for them
 *	senders wait only while there is no room, receivers only while all is promised
 *
 * A closed channel's slot is kept until reserved and promised are 0: those it
 * counts still point to it. Handles are stale from the close on.
 */
#include <qrt/chan.h>

#include "shim/src/sync/queue.h"
#include "shim/src/sync/sink.h"

struct chan {
	struct qrt__object object;
	struct qrt__sink sink;
	struct qrt__ring ring;
	size_t reserved, promised, peak;
	uint64_t sent, received;
	bool finished; /* no new reservations */
	struct qrt__line senders, receivers;
};
QRT__OBJECT_FITS(struct chan);

static qrt_release_fn shut;

static const struct qrt__object_kind kind = {
    .magic = 0x71724e10u,
    .name = "channel",
    .end = shut,
    .closed = "the channel has been closed",
    .foreign = QRT_ETHREAD,
};

/* --- serving --------------------------------------------------------------------------------- */

static void check(const struct chan *chan)
{
	QRT_ASSERT(chan->ring.n + chan->reserved <= chan->ring.capacity);
	QRT_ASSERT(chan->promised <= chan->ring.n);
}

static bool is_closed(const struct chan *chan)
{
	return qrt__object_retired(&chan->object);
}

static bool has_room(const struct chan *chan)
{
	return chan->ring.n + chan->reserved < chan->ring.capacity;
}

static bool is_drained(const struct chan *chan)
{
	return chan->finished && chan->ring.n == 0 && chan->reserved == 0;
}

static void serve_receivers(struct chan *chan)
{
	int64_t now = chan->object.rt->turn_ns;
	while (!qrt__line_empty(&chan->receivers) && chan->promised < chan->ring.n) {
		chan->promised++;
		qrt__grant(qrt__line_pop(&chan->receivers, now), QRT_OK);
	}
	if (is_drained(chan)) {
		qrt__line_grant_all(&chan->receivers, QRT_ECLOSED, now);
	}
}

static void serve_senders(struct chan *chan)
{
	while (!qrt__line_empty(&chan->senders) && has_room(chan)) {
		chan->reserved++;
		qrt__grant(qrt__line_pop(&chan->senders, chan->object.rt->turn_ns), QRT_OK);
	}
}

static void free_when_unused(struct chan *chan)
{
	if (is_closed(chan) && chan->reserved == 0 && chan->promised == 0) {
		qrt__object_free(&chan->object);
	}
}

static void push(struct chan *chan, const void *element)
{
	if (qrt__is_observed(chan->object.rt)) {
		qrt__tell_element(chan->object.rt, QRT__TRACE_SENT, chan, element, chan->ring.size);
	}
	qrt__ring_push(&chan->ring, element);
	chan->sent++;
	chan->peak = chan->peak > chan->ring.n ? chan->peak : chan->ring.n;
	check(chan);
	serve_receivers(chan);
}

static void take(struct chan *chan, void *ret_element)
{
	qrt__element_copy(ret_element, qrt__ring_shift(&chan->ring), chan->ring.size);
	if (qrt__is_observed(chan->object.rt)) {
		qrt__tell_element(chan->object.rt, QRT__TRACE_TAKEN, chan, ret_element,
				  chan->ring.size);
	}
	chan->received++;
	check(chan);
	serve_senders(chan);
	serve_receivers(chan);
}

/* Room that was reserved is not used. */
static void unreserve(struct chan *chan)
{
	QRT_ASSERT(chan->reserved > 0);
	chan->reserved--;
	if (is_closed(chan)) {
		free_when_unused(chan);
		return;
	}
	check(chan);
	serve_senders(chan);
	serve_receivers(chan);
}

static enum qrt_err commit(struct qrt__sink *sink, const void *element)
{
	struct chan *chan = QRT__CONTAINER(sink, struct chan, sink);
	if (is_closed(chan)) {
		qrt_drop_fn *drop = sink->drop;
		unreserve(chan);
		qrt__element_drop(drop, element);
		return QRT_ECLOSED;
	}
	QRT_ASSERT(chan->reserved > 0);
	chan->reserved--;
	push(chan, element);
	if (QRT__MUTANT(MESSAGE_DOUBLED) && has_room(chan)) {
		qrt__ring_push(&chan->ring, element);
	}
	return QRT_OK;
}

static void abort_permit(struct qrt__sink *sink)
{
	unreserve(QRT__CONTAINER(sink, struct chan, sink));
}

static const struct qrt__sink_ops sink_ops = {
    .what = "channel",
    .commit = commit,
    .abort = abort_permit,
};

static enum qrt_err may_reserve(const struct chan *chan)
{
	if (chan->finished) {
		return QRT_ECLOSED;
	}
	return has_room(chan) && qrt__line_empty(&chan->senders) ? QRT_OK : QRT_EAGAIN;
}

static enum qrt_err may_recv(const struct chan *chan)
{
	if (chan->promised < chan->ring.n) {
		return QRT_OK;
	}
	return is_drained(chan) ? QRT_ECLOSED : QRT_EAGAIN;
}

static enum qrt_err recv_now(struct chan *chan, void *ret_element)
{
	enum qrt_err err = may_recv(chan);
	if (!err) {
		take(chan, ret_element);
	}
	return err;
}

static enum qrt_err try_recv(const struct qrt_chan *handle, size_t size, void *ret_element)
{
	struct chan *chan;
	enum qrt_err err = qrt__object_find(handle, &kind, &chan);
	if (!err) {
		err = size == chan->ring.size ? recv_now(chan, ret_element) : QRT_EINVAL;
	}
	return err;
}

static enum qrt_err send_now(struct chan *chan, const void *element)
{
	enum qrt_err err = may_reserve(chan);
	if (!err) {
		push(chan, element);
	}
	return err;
}

static enum qrt_err try_send(const struct qrt_chan *handle, const void *element, size_t size)
{
	struct chan *chan;
	enum qrt_err err = qrt__object_find(handle, &kind, &chan);
	if (!err) {
		err = size == chan->ring.size ? send_now(chan, element) : QRT_EINVAL;
	}
	return err;
}

/* --- arms ------------------------------------------------------------------------------------ */

static enum qrt_err recv_try(struct qrt_case *arm)
{
	return try_recv(arm->object_, (size_t)arm->word_, arm->value_);
}

static void recv_enqueue(struct qrt_case *arm)
{
	struct chan *chan = qrt__arm_object(arm);
	qrt__line_join(&chan->receivers, arm, chan->object.rt->turn_ns);
}

static void recv_withdraw(struct qrt_case *arm)
{
	struct chan *chan = qrt__arm_object(arm);
	qrt__line_leave(&chan->receivers, arm, chan->object.rt->turn_ns);
}

static enum qrt_err recv_finish(struct qrt_case *arm, enum qrt_err granted)
{
	struct chan *chan = qrt__arm_object(arm);
	if (granted) {
		return granted; /* closed: it may be gone */
	}
	chan->promised--;
	if (is_closed(chan)) {
		free_when_unused(chan);
		return QRT_ECLOSED;
	}
	take(chan, arm->value_);
	return QRT_OK;
}

static void recv_undo(struct qrt_case *arm)
{
	struct chan *chan = qrt__arm_object(arm);
	chan->promised--;
	if (QRT__MUTANT(MESSAGE_LOST) && !is_closed(chan)) {
		qrt__ring_shift(&chan->ring);
	}
	if (is_closed(chan)) {
		free_when_unused(chan);
	} else if (!QRT__MUTANT(WAKEUP_LOST)) {
		serve_receivers(chan);
	}
}

static enum qrt_err reserve_try(struct qrt_case *arm)
{
	struct chan *chan;
	enum qrt_err err = qrt__object_find(arm->object_, &kind, &chan);
	if (!err) {
		err = may_reserve(chan);
	}
	if (!err) {
		chan->reserved++;
		qrt__permit_grant(arm->value_, &chan->sink);
	}
	return err;
}

static void sender_enqueue(struct qrt_case *arm)
{
	struct chan *chan = qrt__arm_object(arm);
	qrt__line_join(&chan->senders, arm, chan->object.rt->turn_ns);
}

static void sender_withdraw(struct qrt_case *arm)
{
	struct chan *chan = qrt__arm_object(arm);
	qrt__line_leave(&chan->senders, arm, chan->object.rt->turn_ns);
}

/* Room was granted: still there, unless the channel has been closed since. */
static enum qrt_err sender_finish(struct chan *chan, enum qrt_err granted)
{
	if (!granted && is_closed(chan)) {
		unreserve(chan);
		return QRT_ECLOSED;
	}
	return granted;
}

static enum qrt_err reserve_finish(struct qrt_case *arm, enum qrt_err granted)
{
	struct chan *chan = qrt__arm_object(arm);
	enum qrt_err err = sender_finish(chan, granted);
	if (!err) {
		qrt__permit_grant(arm->value_, &chan->sink);
	}
	return err;
}

static void sender_undo(struct qrt_case *arm)
{
	if (!QRT__MUTANT(SLOT_KEPT)) {
		unreserve(qrt__arm_object(arm));
	}
}

static enum qrt_err reserve_prepare(struct qrt_cx *cx, struct qrt_case *arm)
{
	struct chan *chan;
	enum qrt_err err = qrt__object_use(cx, arm->object_, &kind, &chan);
	return err ? err : qrt__permit_enter(cx, &chan->sink, arm->site_, arm->value_);
}

static void reserve_unprepare(struct qrt_case *arm)
{
	qrt__permit_forget(arm->value_);
}

static enum qrt_err send_try(struct qrt_case *arm)
{
	return try_send(arm->object_, arm->value_, (size_t)arm->word_);
}

static enum qrt_err send_finish(struct qrt_case *arm, enum qrt_err granted)
{
	struct chan *chan = qrt__arm_object(arm);
	enum qrt_err err = sender_finish(chan, granted);
	if (!err) {
		chan->reserved--;
		push(chan, arm->value_);
	}
	return err;
}

static const struct qrt__arm_ops recv_ops = {
    .kind = QRT__WAIT_RECV,
    .try_now = recv_try,
    .enqueue = recv_enqueue,
    .withdraw = recv_withdraw,
    .finish = recv_finish,
    .undo = recv_undo,
};

static const struct qrt__arm_ops reserve_ops = {
    .kind = QRT__WAIT_RESERVE,
    .try_now = reserve_try,
    .enqueue = sender_enqueue,
    .withdraw = sender_withdraw,
    .finish = reserve_finish,
    .undo = sender_undo,
    .prepare = reserve_prepare,
    .unprepare = reserve_unprepare,
};

static const struct qrt__arm_ops send_ops = {
    .kind = QRT__WAIT_RESERVE,
    .try_now = send_try,
    .enqueue = sender_enqueue,
    .withdraw = sender_withdraw,
    .finish = send_finish,
    .undo = sender_undo,
};

struct qrt_case qrt_case_recv_sized(struct qrt_chan *chan, size_t size, void *ret_element)
{
	return (struct qrt_case){
	    .ops_ = &recv_ops, .object_ = chan, .value_ = ret_element, .word_ = size};
}

struct qrt_case qrt_case_reserve_at(struct qrt_chan *chan, const char *site,
				    struct qrt_permit *ret_permit)
{
	*ret_permit = (struct qrt_permit){0};
	return (struct qrt_case){
	    .ops_ = &reserve_ops, .object_ = chan, .value_ = ret_permit, .site_ = site};
}

struct qrt_case qrt_case_send_sized(struct qrt_chan *chan, const void *element, size_t size)
{
	return (struct qrt_case){.ops_ = &send_ops,
				 .object_ = chan,
				 .value_ = (void *)(uintptr_t)element,
				 .word_ = size};
}

/* --- its life -------------------------------------------------------------------------------- */

static void shut(void *arg)
{
	struct chan *chan = arg;
	int64_t now = chan->object.rt->turn_ns;
	struct qrt__ring ring = chan->ring;
	qrt_drop_fn *drop = chan->sink.drop;
	qrt__tell(chan->object.rt, QRT__TRACE_CHAN_END, chan, ring.n);
	chan->finished = true;
	chan->ring.n = 0;
	chan->ring.at = NULL;
	qrt__object_retire(&chan->object);
	qrt__line_grant_all(&chan->senders, QRT_ECLOSED, now);
	qrt__line_grant_all(&chan->receivers, QRT_ECLOSED, now);
	free_when_unused(chan);
	qrt__ring_destroy(&ring, drop);
}

enum qrt_err qrt_chan_open_at(struct qrt_cx *cx, size_t size, size_t capacity, qrt_drop_fn *drop,
			      const char *site, struct qrt_chan **ret_chan)
{
	struct chan *chan;
	enum qrt_err err = qrt__element_check(cx, size, capacity);
	if (!err) {
		err = qrt__object_open(cx, &kind, site, &chan);
	}
	if (err) {
		return err;
	}
	if (!qrt__ring_init(&chan->ring, size, capacity)) {
		qrt__object_undo(&chan->object);
		return QRT_ENOMEM;
	}
	chan->sink = (struct qrt__sink){.ops = &sink_ops, .size = size, .drop = drop};
	qrt__line_init(&chan->senders);
	qrt__line_init(&chan->receivers);
	qrt__tell_named(chan->object.rt, QRT__TRACE_CHAN, chan, 0, "channel", site);
	*ret_chan = qrt__handle(chan);
	return QRT_OK;
}

enum qrt_err qrt_chan_close(struct qrt_chan **chan)
{
	return qrt__object_close(chan, &kind);
}

enum qrt_err qrt_chan_finish(struct qrt_chan *chan)
{
	struct chan *found;
	enum qrt_err err = qrt__object_find(chan, &kind, &found);
	if (!err) {
		found->finished = true;
		qrt__line_grant_all(&found->senders, QRT_ECLOSED, found->object.rt->turn_ns);
		serve_receivers(found);
	}
	return err;
}

/* --- sending --------------------------------------------------------------------------------- */

static enum qrt_err reserve_now(struct qrt_cx *cx, struct chan *chan, const char *site,
				struct qrt_permit *ret_permit)
{
	enum qrt_err err = may_reserve(chan);
	if (!err) {
		err = qrt__permit_enter(cx, &chan->sink, site, ret_permit);
	}
	if (!err) {
		chan->reserved++;
		qrt__permit_grant(ret_permit, &chan->sink);
	}
	return err;
}

enum qrt_err qrt_reserve_at(struct qrt_cx *cx, struct qrt_chan *chan, const char *site,
			    struct qrt_permit *ret_permit)
{
	struct chan *found;
	enum qrt_err err = qrt__suspending(cx);
	if (!err) {
		err = qrt__object_use(cx, chan, &kind, &found);
	}
	if (!err) {
		err = reserve_now(cx, found, site, ret_permit);
	}
	if (err != QRT_EAGAIN) {
		return err;
	}
	struct qrt_permit permit;
	struct qrt_case arm = qrt_case_reserve_at(chan, site, &permit);
	err = reserve_prepare(cx, &arm);
	if (err) {
		return err;
	}
	err = qrt__await_turn(cx, &arm, 1, QRT_NO_DEADLINE, NULL);
	if (err) {
		qrt__permit_forget(&permit);
		return err;
	}
	*ret_permit = permit;
	return QRT_OK;
}

enum qrt_err qrt_try_reserve_at(struct qrt_cx *cx, struct qrt_chan *chan, const char *site,
				struct qrt_permit *ret_permit)
{
	struct chan *found;
	enum qrt_err err = qrt__object_find(chan, &kind, &found);
	return err ? err : reserve_now(cx, found, site, ret_permit);
}

enum qrt_err qrt_chan_try_send_sized(struct qrt_chan *chan, const void *element, size_t size)
{
	return try_send(chan, element, size);
}

/* How a call that may wait with an element begins. */
static enum qrt_err enter(struct qrt_cx *cx, const struct qrt_chan *handle, size_t size,
			  struct chan **ret_chan)
{
	enum qrt_err err = qrt__suspending(cx);
	if (!err) {
		err = qrt__object_use(cx, handle, &kind, ret_chan);
	}
	return err ? err : qrt__size_check(cx, size, (*ret_chan)->ring.size);
}

enum qrt_err qrt_chan_send_sized(struct qrt_cx *cx, struct qrt_chan *chan, const void *element,
				 size_t size)
{
	struct chan *found;
	enum qrt_err err = enter(cx, chan, size, &found);
	if (!err) {
		err = send_now(found, element);
	}
	if (err != QRT_EAGAIN) {
		return err;
	}
	struct qrt_case arm = qrt_case_send_sized(chan, element, size);
	return qrt__await_turn(cx, &arm, 1, QRT_NO_DEADLINE, NULL);
}

/* --- receiving ------------------------------------------------------------------------------- */

enum qrt_err qrt_chan_try_recv_sized(struct qrt_chan *chan, size_t size, void *ret_element)
{
	return try_recv(chan, size, ret_element);
}

enum qrt_err qrt_chan_recv_sized(struct qrt_cx *cx, struct qrt_chan *chan, size_t size,
				 void *ret_element)
{
	struct chan *found;
	enum qrt_err err = enter(cx, chan, size, &found);
	if (!err) {
		err = recv_now(found, ret_element);
	}
	if (err != QRT_EAGAIN) {
		return err;
	}
	struct qrt_case arm = qrt_case_recv_sized(chan, size, ret_element);
	return qrt__await_turn(cx, &arm, 1, QRT_NO_DEADLINE, NULL);
}

enum qrt_err qrt_chan_stats(const struct qrt_chan *chan, struct qrt_chan_stats *ret_stats)
{
	struct chan *found;
	enum qrt_err err = qrt__object_find(chan, &kind, &found);
	if (!err) {
		*ret_stats = (struct qrt_chan_stats){
		    .capacity = found->ring.capacity,
		    .queued = found->ring.n,
		    .peak_queued = found->peak,
		    .reserved = found->reserved,
		    .senders = found->senders.n,
		    .receivers = found->receivers.n,
		    .sent = found->sent,
		    .received = found->received,
		    .reserve = found->senders.stats,
		    .recv = found->receivers.stats,
		};
	}
	return err;
}
