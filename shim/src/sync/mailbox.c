/*
 * Mailboxes: channels whose senders may be on other loops or on no loop. One
 * lock per mailbox guards all of it; nothing that calls back (grants, drops)
 * happens under the lock.
 *
 * Memory: a mailbox's slot, lock included, is never freed, only used again. So
 * any thread can lock the slot of any handle and see whether it is stale. The
 * slot is used again when the mailbox is closed and nothing points to it: no
 * permit, no receiver that was granted, no post under way.
 *
 * Receivers stand in line on the receiving loop and are granted there: by the
 * sender itself if it runs there, else by a post, at most one at a time.
 * Senders stand in one line whatever their loop. Each has a turn of its own on
 * the heap, which carries the post that tells its loop:
 *
 *	idle ──> in line ──> granted ──> told on its loop
 *	             │          └──> its task has left: passed on
 *	             └──> its task has left
 */
#include <qrt/mailbox.h>

#include "shim/src/sync/queue.h"
#include "shim/src/sync/sink.h"

#define MAILBOX_MAGIC 0x71724e19u
#define CLOSED_MAGIC 0x71724e1au

struct mailbox {
	struct qrt__slot slot;
	struct qrt_runtime *rt; /* the receiving one */
	struct qrt_duty duty;	/* to close it */
	struct qrt__sink sink;
	pthread_mutex_t lock;
	struct qrt__ring ring;
	size_t reserved, promised, peak; /* as in chan.c */
	uint64_t sent, received;
	bool finished, closed;
	bool waking; /* the post is under way */
	struct qrt__post wake;
	struct qrt__list turns; /* senders in line */
	struct qrt_wait_stats turn_stats;
	struct qrt__line receivers;
};

_Static_assert(sizeof(struct mailbox) <= QRT__SLOT_ALIGN, "a mailbox fits into a slot");

enum turn_state { IDLE, IN_LINE, GRANTED };

struct turn {
	struct qrt__post post;
	struct mailbox *mailbox;
	struct qrt_runtime *rt; /* the sender's */
	struct qrt_case *arm;	/* NULL: its task has left; of the sender's loop */
	struct qrt__list node;
	enum turn_state state; /* this and what follows: under the mailbox's lock */
	enum qrt_err result;
	int64_t since_ns;
};

/* --- slots ----------------------------------------------------------------------------------- */

static pthread_mutex_t slots_lock = PTHREAD_MUTEX_INITIALIZER;
static struct qrt__slot *free_slots;

static struct mailbox *slot_new(void)
{
	struct mailbox *mailbox = aligned_alloc(QRT__SLOT_ALIGN, QRT__SLOT_ALIGN);
	if (mailbox) {
		memset(mailbox, 0, QRT__SLOT_ALIGN);
		pthread_mutex_init(&mailbox->lock, NULL);
	}
	return mailbox;
}

static struct mailbox *slot_take(void)
{
	pthread_mutex_lock(&slots_lock);
	struct mailbox *mailbox = NULL;
	if (free_slots) {
		mailbox = QRT__CONTAINER(free_slots, struct mailbox, slot);
		free_slots = free_slots->next_free;
	}
	pthread_mutex_unlock(&slots_lock);
	return mailbox ? mailbox : slot_new();
}

static void slot_give(struct mailbox *mailbox)
{
	pthread_mutex_lock(&slots_lock);
	mailbox->slot.next_free = free_slots;
	free_slots = &mailbox->slot;
	pthread_mutex_unlock(&slots_lock);
}

/* Locked when OK. */
static enum qrt_err lock(const struct qrt_mailbox *handle, struct mailbox **ret_mailbox)
{
	uintptr_t bits = (uintptr_t)handle & ~(uintptr_t)(QRT__SLOT_ALIGN - 1);
	struct mailbox *mailbox = (struct mailbox *)bits;
	if (!mailbox) {
		return QRT_ESTALE;
	}
	pthread_mutex_lock(&mailbox->lock);
	if (!qrt__handle_object(handle, MAILBOX_MAGIC)) {
		pthread_mutex_unlock(&mailbox->lock);
		return QRT_ESTALE;
	}
	*ret_mailbox = mailbox;
	return QRT_OK;
}

/* The same on the receiving loop only. */
static enum qrt_err lock_here(const struct qrt_mailbox *handle, struct mailbox **ret_mailbox)
{
	struct mailbox *mailbox;
	enum qrt_err err = lock(handle, &mailbox);
	if (err) {
		return err;
	}
	if (!qrt__on_thread_of(mailbox->rt)) {
		pthread_mutex_unlock(&mailbox->lock);
		return QRT_ETHREAD;
	}
	*ret_mailbox = mailbox;
	return QRT_OK;
}

/* Lets go of the lock, and of the slot when nothing points to it any more. */
static void unlock(struct mailbox *mailbox)
{
	bool unused = mailbox->closed && mailbox->slot.magic && mailbox->reserved == 0 &&
		      mailbox->promised == 0 && !mailbox->waking;
	if (unused) {
		mailbox->slot.magic = 0;
		mailbox->slot.generation++;
		slot_give(mailbox);
	}
	pthread_mutex_unlock(&mailbox->lock);
}

/* --- serving: under the lock ----------------------------------------------------------------- */

static void check(const struct mailbox *mailbox)
{
	QRT_ASSERT(mailbox->closed ||
		   mailbox->ring.n + mailbox->reserved <= mailbox->ring.capacity);
	QRT_ASSERT(mailbox->closed || mailbox->promised <= mailbox->ring.n);
}

static bool has_room(const struct mailbox *mailbox)
{
	return mailbox->ring.n + mailbox->reserved < mailbox->ring.capacity;
}

static bool is_drained(const struct mailbox *mailbox)
{
	return mailbox->finished && mailbox->ring.n == 0 && mailbox->reserved == 0;
}

/* Whether a receiver in line has something to be told. */
static bool is_due(const struct mailbox *mailbox)
{
	return !qrt__line_empty(&mailbox->receivers) &&
	       (mailbox->promised < mailbox->ring.n || is_drained(mailbox));
}

/* On the receiving loop: grants who is due, the lock let go for each. */
static void serve_receivers(struct mailbox *mailbox)
{
	while (is_due(mailbox)) {
		bool item = mailbox->promised < mailbox->ring.n;
		struct qrt_case *arm = qrt__line_pop(&mailbox->receivers, mailbox->rt->turn_ns);
		mailbox->promised += item;
		pthread_mutex_unlock(&mailbox->lock);
		qrt__grant(arm, item ? QRT_OK : QRT_ECLOSED);
		pthread_mutex_lock(&mailbox->lock);
	}
}

static void on_wake(struct qrt_runtime *rt, struct qrt__post *post)
{
	struct mailbox *mailbox = QRT__CONTAINER(post, struct mailbox, wake);
	(void)rt;
	pthread_mutex_lock(&mailbox->lock);
	serve_receivers(mailbox);
	mailbox->waking = false;
	unlock(mailbox);
}

/* Receivers in line hear of it, now or by a post. */
static void wake_later(struct mailbox *mailbox)
{
	if (is_due(mailbox) && !mailbox->waking) {
		/* False: the loop has ended, and with it whoever stood in line. */
		mailbox->waking = qrt__post(mailbox->rt, &mailbox->wake, on_wake);
	}
}

/* Not in a withdraw: what is granted here may be an arm of the very set that leaves its lines. */
static void wake_receivers(struct mailbox *mailbox)
{
	if (qrt__on_thread_of(mailbox->rt)) {
		serve_receivers(mailbox);
	} else {
		wake_later(mailbox);
	}
}

static void on_turn(struct qrt_runtime *rt, struct qrt__post *post);

static void turn_grant(struct turn *turn, enum qrt_err result)
{
	qrt__list_remove(&turn->node);
	turn->state = GRANTED;
	turn->result = result;
	/* Its task waits on that loop, so the loop lives. */
	bool posted = qrt__post(turn->rt, &turn->post, on_turn);
	QRT_ASSERT(posted);
}

static void serve_senders(struct mailbox *mailbox)
{
	while (!qrt__list_empty(&mailbox->turns) && (mailbox->finished || has_room(mailbox))) {
		struct turn *turn = QRT__CONTAINER(mailbox->turns.next, struct turn, node);
		mailbox->reserved += !mailbox->finished;
		turn_grant(turn, mailbox->finished ? QRT_ECLOSED : QRT_OK);
	}
}

static void push(struct mailbox *mailbox, const void *element)
{
	qrt__tell_element(mailbox->rt, QRT__TRACE_SENT, mailbox, element, mailbox->ring.size);
	qrt__ring_push(&mailbox->ring, element);
	mailbox->sent++;
	mailbox->peak = mailbox->peak > mailbox->ring.n ? mailbox->peak : mailbox->ring.n;
	check(mailbox);
	wake_receivers(mailbox);
}

static void unreserve(struct mailbox *mailbox)
{
	QRT_ASSERT(mailbox->reserved > 0);
	mailbox->reserved--;
	if (!mailbox->closed) {
		check(mailbox);
		serve_senders(mailbox);
		wake_receivers(mailbox);
	}
}

static void take(struct mailbox *mailbox, void *ret_element)
{
	qrt__element_copy(ret_element, qrt__ring_shift(&mailbox->ring), mailbox->ring.size);
	qrt__tell_element(mailbox->rt, QRT__TRACE_TAKEN, mailbox, ret_element, mailbox->ring.size);
	if (QRT__MUTANT(MESSAGE_SWAPPED) && mailbox->ring.n > 0) {
		memcpy(mailbox->ring.at + mailbox->ring.head * mailbox->ring.size, ret_element,
		       mailbox->ring.size);
	}
	mailbox->received++;
	check(mailbox);
	serve_senders(mailbox);
	wake_receivers(mailbox);
}

/* --- permits --------------------------------------------------------------------------------- */

static enum qrt_err commit(struct qrt__sink *sink, const void *element)
{
	struct mailbox *mailbox = QRT__CONTAINER(sink, struct mailbox, sink);
	qrt_drop_fn *drop = sink->drop;
	pthread_mutex_lock(&mailbox->lock);
	bool closed = mailbox->closed;
	QRT_ASSERT(mailbox->reserved > 0);
	mailbox->reserved--;
	if (!closed) {
		push(mailbox, element);
	}
	unlock(mailbox);
	if (closed) {
		qrt__element_drop(drop, element);
	}
	return closed ? QRT_ECLOSED : QRT_OK;
}

static void abort_permit(struct qrt__sink *sink)
{
	struct mailbox *mailbox = QRT__CONTAINER(sink, struct mailbox, sink);
	pthread_mutex_lock(&mailbox->lock);
	unreserve(mailbox);
	unlock(mailbox);
}

static const struct qrt__sink_ops sink_ops = {
    .what = "mailbox",
    .commit = commit,
    .abort = abort_permit,
};

static enum qrt_err may_reserve(const struct mailbox *mailbox)
{
	if (mailbox->finished) {
		return QRT_ECLOSED;
	}
	return has_room(mailbox) && qrt__list_empty(&mailbox->turns) ? QRT_OK : QRT_EAGAIN;
}

/* --- senders: arms --------------------------------------------------------------------------- */

static struct turn *turn_of(const struct qrt_case *arm)
{
	return (struct turn *)(uintptr_t)arm->word_;
}

/* The permit of @arm is valid; its turn has been had. */
static void permit_valid(struct qrt_case *arm, struct mailbox *mailbox)
{
	qrt__permit_grant(arm->value_, &mailbox->sink);
	free(turn_of(arm));
	arm->word_ = 0;
}

static enum qrt_err reserve_try(struct qrt_case *arm)
{
	struct mailbox *mailbox;
	enum qrt_err err = lock(arm->object_, &mailbox);
	if (err) {
		return err;
	}
	err = may_reserve(mailbox);
	mailbox->reserved += !err;
	unlock(mailbox);
	if (!err) {
		permit_valid(arm, mailbox);
	}
	return err;
}

static void reserve_enqueue(struct qrt_case *arm)
{
	struct turn *turn = turn_of(arm);
	struct mailbox *mailbox = turn->mailbox;
	turn->arm = arm;
	turn->since_ns = turn->rt->turn_ns;
	pthread_mutex_lock(&mailbox->lock);
	turn->state = IN_LINE;
	if (!qrt__handle_object(arm->object_, MAILBOX_MAGIC)) {
		turn_grant(turn, QRT_ECLOSED); /* closed since the try */
	} else {
		mailbox->turn_stats.n++;
		qrt__list_append(&mailbox->turns, &turn->node);
		serve_senders(mailbox); /* there may be room since the try */
	}
	pthread_mutex_unlock(&mailbox->lock);
}

static void count_turn(struct turn *turn)
{
	qrt__waited(&turn->mailbox->turn_stats, turn->rt->turn_ns - turn->since_ns);
}

static void reserve_withdraw(struct qrt_case *arm)
{
	struct turn *turn = turn_of(arm);
	struct mailbox *mailbox = turn->mailbox;
	pthread_mutex_lock(&mailbox->lock);
	if (turn->state == GRANTED) {
		/* The post is under way and frees the turn; what it would have brought goes on. */
		turn->arm = NULL;
		arm->word_ = 0;
		if (turn->result == QRT_OK) {
			count_turn(turn);
			mailbox->reserved--;
			if (!mailbox->closed) {
				serve_senders(mailbox);
				wake_later(mailbox);
			}
		}
	} else {
		count_turn(turn);
		qrt__list_remove(&turn->node);
		turn->state = IDLE;
	}
	unlock(mailbox);
}

static void on_turn(struct qrt_runtime *rt, struct qrt__post *post)
{
	struct turn *turn = QRT__CONTAINER(post, struct turn, post);
	(void)rt;
	if (turn->arm) {
		qrt__grant(turn->arm, turn->result);
	} else {
		free(turn);
	}
}

static enum qrt_err reserve_finish(struct qrt_case *arm, enum qrt_err granted)
{
	struct turn *turn = turn_of(arm);
	struct mailbox *mailbox = turn->mailbox;
	if (granted) {
		return granted;
	}
	pthread_mutex_lock(&mailbox->lock);
	count_turn(turn);
	bool closed = mailbox->closed;
	if (closed) {
		unreserve(mailbox);
	}
	unlock(mailbox);
	if (closed) {
		return QRT_ECLOSED;
	}
	permit_valid(arm, mailbox);
	return QRT_OK;
}

static void reserve_undo(struct qrt_case *arm)
{
	struct turn *turn = turn_of(arm);
	pthread_mutex_lock(&turn->mailbox->lock);
	count_turn(turn);
	unreserve(turn->mailbox);
	unlock(turn->mailbox);
}

/* The turn hangs on the permit's entry, so that it goes also with a task that is abandoned. */
static enum qrt_err reserve_prepare(struct qrt_cx *cx, struct qrt_case *arm)
{
	struct mailbox *mailbox;
	struct qrt_permit *permit = arm->value_;
	enum qrt_err err = lock(arm->object_, &mailbox);
	if (err) {
		return qrt_fail(cx, err, "the mailbox has been closed");
	}
	pthread_mutex_unlock(&mailbox->lock);
	struct turn *turn = calloc(1, sizeof(*turn));
	if (!turn) {
		return QRT_ENOMEM;
	}
	turn->mailbox = mailbox;
	turn->rt = cx->task->rt;
	qrt__list_init(&turn->node);
	err = qrt_oblige_at(cx, QRT_DUTY_PERMIT, sink_ops.what, free, turn, arm->site_,
			    &permit->duty);
	if (err) {
		free(turn);
		return err;
	}
	arm->word_ = (uintptr_t)turn;
	return QRT_OK;
}

static void reserve_unprepare(struct qrt_case *arm)
{
	qrt__permit_forget(arm->value_);
	free(turn_of(arm));
	arm->word_ = 0;
}

static const struct qrt__arm_ops reserve_ops = {
    .kind = QRT__WAIT_POST,
    .try_now = reserve_try,
    .enqueue = reserve_enqueue,
    .withdraw = reserve_withdraw,
    .finish = reserve_finish,
    .undo = reserve_undo,
    .prepare = reserve_prepare,
    .unprepare = reserve_unprepare,
};

/* --- receivers: arms ------------------------------------------------------------------------- */

static enum qrt_err recv_try(struct qrt_case *arm)
{
	struct mailbox *mailbox;
	enum qrt_err err = lock_here(arm->object_, &mailbox);
	if (err) {
		return err;
	}
	if (arm->word_ != mailbox->ring.size) {
		err = QRT_EINVAL;
	} else if (mailbox->promised < mailbox->ring.n) {
		take(mailbox, arm->value_);
	} else {
		err = is_drained(mailbox) ? QRT_ECLOSED : QRT_EAGAIN;
	}
	unlock(mailbox);
	return err;
}

static void recv_enqueue(struct qrt_case *arm)
{
	struct mailbox *mailbox = qrt__arm_object(arm);
	pthread_mutex_lock(&mailbox->lock);
	qrt__line_join(&mailbox->receivers, arm, mailbox->rt->turn_ns);
	wake_later(mailbox); /* something may have come since the try */
	unlock(mailbox);
}

static void recv_withdraw(struct qrt_case *arm)
{
	struct mailbox *mailbox = qrt__arm_object(arm);
	pthread_mutex_lock(&mailbox->lock);
	qrt__line_leave(&mailbox->receivers, arm, mailbox->rt->turn_ns);
	unlock(mailbox);
}

static enum qrt_err recv_finish(struct qrt_case *arm, enum qrt_err granted)
{
	struct mailbox *mailbox = qrt__arm_object(arm);
	if (granted) {
		return granted; /* it may be another one by now */
	}
	pthread_mutex_lock(&mailbox->lock);
	mailbox->promised--;
	bool closed = mailbox->closed;
	if (!closed) {
		take(mailbox, arm->value_);
	}
	unlock(mailbox);
	return closed ? QRT_ECLOSED : QRT_OK;
}

static void recv_undo(struct qrt_case *arm)
{
	struct mailbox *mailbox = qrt__arm_object(arm);
	pthread_mutex_lock(&mailbox->lock);
	mailbox->promised--;
	if (!mailbox->closed) {
		serve_receivers(mailbox);
	}
	unlock(mailbox);
}

static const struct qrt__arm_ops recv_ops = {
    .kind = QRT__WAIT_MAILBOX,
    .try_now = recv_try,
    .enqueue = recv_enqueue,
    .withdraw = recv_withdraw,
    .finish = recv_finish,
    .undo = recv_undo,
};

struct qrt_case qrt_case_mailbox_sized(struct qrt_mailbox *mailbox, size_t size, void *ret_element)
{
	return (struct qrt_case){
	    .ops_ = &recv_ops, .object_ = mailbox, .value_ = ret_element, .word_ = size};
}

struct qrt_case qrt_case_post_at(struct qrt_mailbox *mailbox, const char *site,
				 struct qrt_permit *ret_permit)
{
	*ret_permit = (struct qrt_permit){0};
	return (struct qrt_case){
	    .ops_ = &reserve_ops, .object_ = mailbox, .value_ = ret_permit, .site_ = site};
}

/* --- its life -------------------------------------------------------------------------------- */

/* Locked, on the receiving loop; unlocks. */
static void shut_locked(struct mailbox *mailbox)
{
	struct qrt__ring ring = mailbox->ring;
	qrt_drop_fn *drop = mailbox->sink.drop;
	qrt__tell_observer(mailbox->rt, QRT__TRACE_CHAN_END, (uintptr_t)mailbox, ring.n, NULL,
			   NULL);
	mailbox->finished = true;
	mailbox->closed = true;
	mailbox->ring.n = 0;
	mailbox->ring.at = NULL;
	mailbox->slot.magic = CLOSED_MAGIC;
	serve_senders(mailbox);
	while (!qrt__line_empty(&mailbox->receivers)) {
		struct qrt_case *arm = qrt__line_pop(&mailbox->receivers, mailbox->rt->turn_ns);
		mailbox->promised++; /* keeps the slot meanwhile */
		pthread_mutex_unlock(&mailbox->lock);
		qrt__grant(arm, QRT_ECLOSED);
		pthread_mutex_lock(&mailbox->lock);
		mailbox->promised--;
	}
	unlock(mailbox);
	qrt__ring_destroy(&ring, drop);
}

static void shut(void *arg)
{
	struct mailbox *mailbox = arg;
	pthread_mutex_lock(&mailbox->lock);
	shut_locked(mailbox);
}

/* What a slot that was used before has to forget. */
static void init(struct mailbox *mailbox, struct qrt_runtime *rt, size_t size, qrt_drop_fn *drop)
{
	mailbox->slot.generation++;
	mailbox->slot.magic = MAILBOX_MAGIC;
	mailbox->sink.ops = &sink_ops;
	mailbox->rt = rt;
	mailbox->sink.size = size;
	mailbox->sink.drop = drop;
	mailbox->reserved = 0;
	mailbox->promised = 0;
	mailbox->peak = 0;
	mailbox->sent = 0;
	mailbox->received = 0;
	mailbox->finished = false;
	mailbox->closed = false;
	mailbox->waking = false;
	mailbox->turn_stats = (struct qrt_wait_stats){0};
	qrt__list_init(&mailbox->turns);
	qrt__line_init(&mailbox->receivers);
}

enum qrt_err qrt_mailbox_open_at(struct qrt_cx *cx, size_t size, size_t capacity, qrt_drop_fn *drop,
				 const char *site, struct qrt_mailbox **ret_mailbox)
{
	struct qrt__ring ring;
	struct qrt_duty duty;
	enum qrt_err err = qrt__element_check(cx, size, capacity);
	if (err) {
		return err;
	}
	struct mailbox *mailbox = slot_take();
	if (!mailbox) {
		return QRT_ENOMEM;
	}
	err = qrt__ring_init(&ring, size, capacity) ? QRT_OK : QRT_ENOMEM;
	if (!err) {
		err = qrt_oblige_at(cx, QRT_DUTY_OTHER, "mailbox", shut, mailbox, site, &duty);
	}
	if (err) {
		qrt__ring_destroy(&ring, NULL);
		slot_give(mailbox);
		return err;
	}
	pthread_mutex_lock(&mailbox->lock);
	init(mailbox, cx->task->rt, size, drop);
	mailbox->ring = ring;
	mailbox->duty = duty;
	qrt__tell_observer(mailbox->rt, QRT__TRACE_CHAN, (uintptr_t)mailbox, 0, "mailbox", site);
	*ret_mailbox = qrt__handle(mailbox);
	pthread_mutex_unlock(&mailbox->lock);
	return QRT_OK;
}

enum qrt_err qrt_mailbox_close(struct qrt_mailbox **mailbox)
{
	struct mailbox *found;
	if (!*mailbox) {
		return QRT_OK;
	}
	enum qrt_err err = lock_here(*mailbox, &found);
	if (err != QRT_ETHREAD) {
		*mailbox = NULL;
	}
	if (!err) {
		QRT_IGNORE(qrt_settle(&found->duty), "it is being done");
		shut_locked(found);
	}
	return err;
}

enum qrt_err qrt_mailbox_finish(struct qrt_mailbox *mailbox)
{
	struct mailbox *found;
	enum qrt_err err = lock(mailbox, &found);
	if (!err) {
		found->finished = true;
		serve_senders(found);
		wake_receivers(found);
		unlock(found);
	}
	return err;
}

/* --- calls ----------------------------------------------------------------------------------- */

enum qrt_err qrt_mailbox_reserve_at(struct qrt_cx *cx, struct qrt_mailbox *mailbox,
				    const char *site, struct qrt_permit *ret_permit)
{
	struct qrt_permit permit;
	struct qrt_case arm = qrt_case_post_at(mailbox, site, &permit);
	enum qrt_err err = qrt__may_suspend(cx);
	if (!err) {
		err = reserve_prepare(cx, &arm);
	}
	if (err) {
		return err;
	}
	err = qrt__await_one(cx, &arm);
	if (err) {
		reserve_unprepare(&arm);
		return err;
	}
	*ret_permit = permit;
	return QRT_OK;
}

enum qrt_err qrt_mailbox_send_sized(struct qrt_cx *cx, struct qrt_mailbox *mailbox,
				    const void *element, size_t size)
{
	struct mailbox *found;
	struct qrt_permit permit;
	enum qrt_err err = lock(mailbox, &found);
	if (err) {
		return qrt_fail(cx, err, "the mailbox has been closed");
	}
	err = qrt__size_check(cx, size, found->sink.size);
	unlock(found);
	if (!err) {
		err = qrt_mailbox_reserve(cx, mailbox, &permit);
	}
	return err ? err : qrt_send_sized(&permit, element, size);
}

enum qrt_err qrt_mailbox_try_send_sized(struct qrt_mailbox *mailbox, const void *element,
					size_t size)
{
	struct mailbox *found;
	enum qrt_err err = lock(mailbox, &found);
	if (err) {
		return err;
	}
	err = size == found->sink.size ? may_reserve(found) : QRT_EINVAL;
	if (!err) {
		push(found, element);
	}
	unlock(found);
	return err;
}

enum qrt_err qrt_mailbox_recv_sized(struct qrt_cx *cx, struct qrt_mailbox *mailbox, size_t size,
				    void *ret_element)
{
	struct qrt_case arm = qrt_case_mailbox_sized(mailbox, size, ret_element);
	return qrt__await_one(cx, &arm);
}

enum qrt_err qrt_mailbox_try_recv_sized(struct qrt_mailbox *mailbox, size_t size, void *ret_element)
{
	struct qrt_case arm = qrt_case_mailbox_sized(mailbox, size, ret_element);
	return recv_try(&arm);
}

enum qrt_err qrt_mailbox_stats(struct qrt_mailbox *mailbox, struct qrt_mailbox_stats *ret_stats)
{
	struct mailbox *found;
	enum qrt_err err = lock(mailbox, &found);
	if (!err) {
		*ret_stats = (struct qrt_mailbox_stats){
		    .capacity = found->ring.capacity,
		    .queued = found->ring.n,
		    .peak_queued = found->peak,
		    .reserved = found->reserved,
		    .sent = found->sent,
		    .received = found->received,
		    .reserve = found->turn_stats,
		    .recv = found->receivers.stats,
		};
		unlock(found);
	}
	return err;
}
