/*
 * Broadcasts within one runtime. Elements are numbered from 0; number i lies
 * in the ring at i modulo capacity until number i + capacity overwrites it. A
 * subscription is the number it reads next.
 *
 * A closed broadcast lets go of its subscriptions, which then say ECLOSED. The
 * slot of a closed subscription is kept while a task was woken for it and has
 * not run.
 */
#include <qrt/broadcast.h>

#include "shim/src/sync/queue.h"

struct broadcast {
	struct qrt__object object;
	char *ring;
	size_t size, capacity, n_subscribers;
	uint64_t next; /* to be sent */
	bool finished;
	struct qrt__list subscribers;
	uint64_t peak_behind, missed;
	struct qrt_wait_stats waits; /* of subscriptions that are gone */
};

struct subscription {
	struct qrt__audience audience; /* one task, maybe with several arms */
	struct broadcast *of;	       /* NULL: closed */
	struct qrt__list node;
	size_t size;
	uint64_t next; /* to be read */
	uint64_t missed;
};
QRT__OBJECT_FITS(struct broadcast);
QRT__OBJECT_FITS(struct subscription);

static qrt_release_fn shut, subscription_shut;

static const struct qrt__object_kind broadcast_kind = {
    .magic = 0x71724e14u,
    .name = "broadcast",
    .end = shut,
};

static const struct qrt__object_kind subscription_kind = {
    .magic = 0x71724e15u,
    .name = "subscription",
    .end = subscription_shut,
};

static char *place(const struct broadcast *broadcast, uint64_t number)
{
	return broadcast->ring + number % broadcast->capacity * broadcast->size;
}

/* --- sending --------------------------------------------------------------------------------- */

/* There is something to tell: of its task one arm is granted, the others leave the line. */
static void wake(struct subscription *sub)
{
	if (!qrt__line_empty(&sub->audience.line)) {
		qrt__audience_wake(&sub->audience);
	}
}

static void wake_all(struct broadcast *broadcast)
{
	QRT__LIST_EACH(node, &broadcast->subscribers) {
		wake(QRT__CONTAINER(node, struct subscription, node));
	}
}

enum qrt_err qrt_broadcast_send_sized(struct qrt_broadcast *broadcast, const void *element,
				      size_t size)
{
	struct broadcast *found;
	enum qrt_err err = qrt__object_find(broadcast, &broadcast_kind, &found);
	if (err) {
		return err;
	}
	if (found->finished) {
		return QRT_ECLOSED;
	}
	if (size != found->size) {
		return QRT_EINVAL;
	}
	qrt__element_copy(place(found, found->next), element, size);
	found->next++;
	QRT__LIST_EACH(node, &found->subscribers) {
		struct subscription *sub = QRT__CONTAINER(node, struct subscription, node);
		uint64_t behind = found->next - sub->next;
		found->peak_behind = found->peak_behind > behind ? found->peak_behind : behind;
		wake(sub);
	}
	return QRT_OK;
}

enum qrt_err qrt_broadcast_finish(struct qrt_broadcast *broadcast)
{
	struct broadcast *found;
	enum qrt_err err = qrt__object_find(broadcast, &broadcast_kind, &found);
	if (!err) {
		found->finished = true;
		wake_all(found);
	}
	return err;
}

/* --- receiving ------------------------------------------------------------------------------- */

static enum qrt_err take(struct subscription *sub, void *ret_element)
{
	struct broadcast *of = sub->of;
	if (!of) {
		return QRT_ECLOSED;
	}
	uint64_t oldest = of->next > of->capacity ? of->next - of->capacity : 0;
	if (sub->next < oldest) {
		sub->missed = oldest - sub->next;
		of->missed += sub->missed;
		sub->next = oldest;
		return QRT_ELIMIT;
	}
	if (sub->next == of->next) {
		return of->finished ? QRT_ECLOSED : QRT_EAGAIN;
	}
	qrt__element_copy(ret_element, place(of, sub->next), sub->size);
	sub->next++;
	return QRT_OK;
}

static enum qrt_err recv_try(struct qrt_case *arm)
{
	struct subscription *sub;
	enum qrt_err err = qrt__object_find(arm->object_, &subscription_kind, &sub);
	if (err) {
		return err;
	}
	if (arm->word_ != sub->size) {
		return QRT_EINVAL;
	}
	if (sub->audience.promised || !qrt__line_empty(&sub->audience.line)) {
		return QRT_EBUSY;
	}
	return take(sub, arm->value_);
}

static enum qrt_err recv_finish(struct qrt_case *arm, enum qrt_err granted)
{
	struct subscription *sub = qrt__arm_object(arm);
	if (granted) {
		return granted; /* it may be gone */
	}
	return qrt__audience_let_go(&sub->audience) ? take(sub, arm->value_) : QRT_ECLOSED;
}

/* What it was woken for is still there: nobody else can read it. */
static void recv_undo(struct qrt_case *arm)
{
	qrt__audience_let_go(qrt__arm_object(arm));
}

static const struct qrt__arm_ops recv_ops = {
    .kind = QRT__WAIT_BROADCAST,
    .try_now = recv_try,
    .enqueue = qrt__audience_enqueue,
    .withdraw = qrt__audience_withdraw,
    .finish = recv_finish,
    .undo = recv_undo,
};

struct qrt_case qrt_case_broadcast_sized(struct qrt_subscription *subscription, size_t size,
					 void *ret_element)
{
	return (struct qrt_case){
	    .ops_ = &recv_ops, .object_ = subscription, .value_ = ret_element, .word_ = size};
}

enum qrt_err qrt_broadcast_try_recv_sized(struct qrt_subscription *subscription, size_t size,
					  void *ret_element)
{
	struct qrt_case arm = qrt_case_broadcast_sized(subscription, size, ret_element);
	return recv_try(&arm);
}

enum qrt_err qrt_broadcast_recv_sized(struct qrt_cx *cx, struct qrt_subscription *subscription,
				      size_t size, void *ret_element)
{
	struct qrt_case arm = qrt_case_broadcast_sized(subscription, size, ret_element);
	enum qrt_err err = qrt__await_one(cx, &arm);
	if (err == QRT_ELIMIT) {
		return qrt_fail(cx, err, "%llu elements were missed",
				(unsigned long long)qrt_subscription_missed(subscription));
	}
	return err;
}

uint64_t qrt_subscription_missed(const struct qrt_subscription *subscription)
{
	struct subscription *sub;
	return qrt__object_find(subscription, &subscription_kind, &sub) ? 0 : sub->missed;
}

/* --- subscriptions' life --------------------------------------------------------------------- */

static void leave(struct subscription *sub)
{
	struct broadcast *of = sub->of;
	const struct qrt_wait_stats *waits = &sub->audience.line.stats;
	qrt__list_remove(&sub->node);
	if (of) {
		of->n_subscribers--;
		of->waits.n += waits->n;
		of->waits.total_ns += waits->total_ns;
		of->waits.max_ns =
		    of->waits.max_ns > waits->max_ns ? of->waits.max_ns : waits->max_ns;
	}
	sub->of = NULL;
}

static void subscription_shut(void *arg)
{
	struct subscription *sub = arg;
	qrt__audience_retire(&sub->audience);
	leave(sub);
	qrt__audience_free_unpromised(&sub->audience);
}

enum qrt_err qrt_subscribe_at(struct qrt_cx *cx, struct qrt_broadcast *broadcast, const char *site,
			      struct qrt_subscription **ret_subscription)
{
	struct broadcast *of;
	enum qrt_err err = qrt__object_find(broadcast, &broadcast_kind, &of);
	if (err) {
		return err;
	}
	if (of->finished) {
		return QRT_ECLOSED;
	}
	struct subscription *sub;
	err = qrt__object_open(cx, &subscription_kind, site, &sub);
	if (err) {
		return err;
	}
	sub->of = of;
	sub->size = of->size;
	sub->next = of->next;
	qrt__line_init(&sub->audience.line);
	qrt__list_append(&of->subscribers, &sub->node);
	of->n_subscribers++;
	*ret_subscription = qrt__handle(sub);
	return QRT_OK;
}

enum qrt_err qrt_unsubscribe(struct qrt_subscription **subscription)
{
	return qrt__object_close(subscription, &subscription_kind);
}

/* --- broadcasts' life ------------------------------------------------------------------------ */

static void shut(void *arg)
{
	struct broadcast *broadcast = arg;
	while (!qrt__list_empty(&broadcast->subscribers)) {
		struct subscription *sub =
		    QRT__CONTAINER(broadcast->subscribers.next, struct subscription, node);
		leave(sub);
		wake(sub);
	}
	free(broadcast->ring);
	qrt__object_free(&broadcast->object);
}

enum qrt_err qrt_broadcast_open_at(struct qrt_cx *cx, size_t size, size_t capacity,
				   const char *site, struct qrt_broadcast **ret_broadcast)
{
	struct broadcast *broadcast;
	enum qrt_err err = qrt__element_check(cx, size, capacity);
	if (!err) {
		err = qrt__object_open(cx, &broadcast_kind, site, &broadcast);
	}
	if (err) {
		return err;
	}
	broadcast->ring = malloc(size * capacity);
	if (!broadcast->ring) {
		qrt__object_undo(&broadcast->object);
		return QRT_ENOMEM;
	}
	broadcast->size = size;
	broadcast->capacity = capacity;
	qrt__list_init(&broadcast->subscribers);
	*ret_broadcast = qrt__handle(broadcast);
	return QRT_OK;
}

enum qrt_err qrt_broadcast_close(struct qrt_broadcast **broadcast)
{
	return qrt__object_close(broadcast, &broadcast_kind);
}

enum qrt_err qrt_broadcast_stats(const struct qrt_broadcast *broadcast,
				 struct qrt_broadcast_stats *ret_stats)
{
	struct broadcast *found;
	enum qrt_err err = qrt__object_find(broadcast, &broadcast_kind, &found);
	if (err) {
		return err;
	}
	struct qrt_wait_stats waits = found->waits;
	QRT__LIST_EACH(node, &found->subscribers) {
		const struct subscription *sub = QRT__CONTAINER(node, struct subscription, node);
		waits.n += sub->audience.line.stats.n;
		waits.total_ns += sub->audience.line.stats.total_ns;
		waits.max_ns = waits.max_ns > sub->audience.line.stats.max_ns
				   ? waits.max_ns
				   : sub->audience.line.stats.max_ns;
	}
	*ret_stats = (struct qrt_broadcast_stats){
	    .capacity = found->capacity,
	    .subscribers = found->n_subscribers,
	    .sent = found->next,
	    .peak_behind = found->peak_behind,
	    .missed = found->missed,
	    .recv = waits,
	};
	return QRT_OK;
}
