/* The barrier: parties wait for each other, again and again. Who has been let through is through:
 * a cancel after that does not call the others back. */
#include "shim/src/sync/sync.h"

struct barrier {
	struct qrt__sync sync;
	size_t parties, waiting;
	uint64_t generation; /* of the last meeting */
};
QRT__OBJECT_FITS(struct barrier);

static const struct qrt__object_kind kind = QRT__SYNC_KIND(0x71724e24u, "barrier");

static struct barrier *live(const void *handle)
{
	return qrt__handle_object(handle, kind.magic);
}

static void tell(const struct qrt_case *arm, uint64_t generation, bool leader)
{
	struct qrt_barrier_pass *ret_pass = arm->value_;
	if (ret_pass) {
		*ret_pass = (struct qrt_barrier_pass){.generation = generation, .leader = leader};
	}
}

static enum qrt_err arm_try(struct qrt_case *arm)
{
	struct barrier *barrier;
	enum qrt_err err = qrt__object_use(arm->cx_, arm->object_, &kind, &barrier);
	if (err) {
		return err;
	}
	if (barrier->waiting + 1 < barrier->parties) {
		return QRT_EAGAIN;
	}
	uint64_t generation = ++barrier->generation;
	while (barrier->waiting > 0) {
		struct qrt_case *other = qrt__sync_first(&barrier->sync);
		QRT_ASSERT(other);
		barrier->waiting--;
		other->word_ = generation;
		qrt__grant(other, QRT_OK);
	}
	tell(arm, generation, true);
	return QRT_OK;
}

static void arm_enqueue(struct qrt_case *arm)
{
	live(arm->object_)->waiting++;
	qrt__sync_enqueue(arm);
}

static void arm_withdraw(struct qrt_case *arm)
{
	qrt__list_remove(&arm->node_);
	struct barrier *barrier = live(arm->object_);
	if (barrier) {
		barrier->waiting--;
	}
}

static enum qrt_err arm_finish(struct qrt_case *arm, enum qrt_err granted)
{
	if (!granted) {
		tell(arm, arm->word_, false);
	}
	return granted;
}

static const struct qrt__arm_ops wait_ops = {
    .kind = QRT__WAIT_BARRIER,
    .try_now = arm_try,
    .enqueue = arm_enqueue,
    .withdraw = arm_withdraw,
    .finish = arm_finish,
};

struct qrt_case qrt_case_barrier(struct qrt_barrier *barrier, struct qrt_barrier_pass *ret_pass)
{
	return (struct qrt_case){.ops_ = &wait_ops, .object_ = barrier, .value_ = ret_pass};
}

enum qrt_err qrt_barrier_wait(struct qrt_cx *cx, struct qrt_barrier *barrier,
			      struct qrt_barrier_pass *ret_pass)
{
	struct qrt_case arm = qrt_case_barrier(barrier, ret_pass);
	return qrt__await_one(cx, &arm);
}

enum qrt_err qrt_barrier_open_at(struct qrt_cx *cx, size_t parties, const char *site,
				 struct qrt_barrier **ret_barrier)
{
	if (parties == 0) {
		return qrt_fail(cx, QRT_EINVAL, "a barrier for 0 parties");
	}
	enum qrt_err err = qrt__sync_open(cx, &kind, site, ret_barrier);
	if (!err) {
		live(*ret_barrier)->parties = parties;
	}
	return err;
}

enum qrt_err qrt_barrier_close(struct qrt_barrier **barrier)
{
	return qrt__object_close(barrier, &kind);
}
