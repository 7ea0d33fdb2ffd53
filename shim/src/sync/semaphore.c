/* The semaphore: units that are lent. Only the head of the line is looked at, however small those
 * behind it are, so that a big request comes to its turn. */
#include "shim/src/sync/sync.h"

#include <stdlib.h>

struct semaphore {
	struct qrt__sync sync;
	size_t units, available; /* what is promised is no longer available */
};
QRT__OBJECT_FITS(struct semaphore);

/* What a lease of units is of; of the heap, as the ledger keeps one pointer only. */
struct loan {
	struct qrt_semaphore *handle;
	size_t n;
};

static const struct qrt__object_kind kind = QRT__SYNC_KIND(0x71724e23u, "semaphore");

static struct semaphore *live(const void *handle)
{
	return qrt__handle_object(handle, kind.magic);
}

/* Each grant may change the line, so look again each time. */
static void admit(struct semaphore *semaphore)
{
	struct qrt_case *arm;
	while ((arm = qrt__sync_first(&semaphore->sync)) && arm->word_ <= semaphore->available) {
		semaphore->available -= (size_t)arm->word_;
		qrt__grant(arm, QRT_OK);
	}
}

static void units_back(const void *handle, size_t n)
{
	struct semaphore *semaphore = live(handle);
	if (semaphore) {
		semaphore->available += n;
		QRT_ASSERT(semaphore->available <= semaphore->units);
		admit(semaphore);
	}
}

static void loan_back(void *arg)
{
	struct loan loan = *(struct loan *)arg;
	free(arg);
	units_back(loan.handle, loan.n);
}

static void borrower_died(void *arg)
{
	loan_back(arg);
}

const struct qrt__lease_kind qrt__lease_units = {"semaphore", loan_back, borrower_died};

/* The units have left the semaphore and are @arm's. */
static enum qrt_err take(struct qrt_case *arm)
{
	struct qrt_duty duty;
	struct loan *loan = malloc(sizeof(*loan));
	enum qrt_err err = QRT_ENOMEM;
	if (loan) {
		*loan = (struct loan){.handle = arm->object_, .n = (size_t)arm->word_};
		err = qrt__lease_take(arm, &qrt__lease_units, loan, &duty);
	}
	if (err) {
		free(loan);
		units_back(arm->object_, (size_t)arm->word_);
		return err;
	}
	struct qrt_lease *ret_lease = arm->value_;
	ret_lease->duty = duty;
	return QRT_OK;
}

static enum qrt_err arm_try(struct qrt_case *arm)
{
	struct semaphore *semaphore;
	enum qrt_err err = qrt__object_use(arm->cx_, arm->object_, &kind, &semaphore);
	if (err) {
		return err;
	}
	if (arm->word_ == 0 || arm->word_ > semaphore->units) {
		return qrt_fail(arm->cx_, QRT_EINVAL, "%zu units of a semaphore that has %zu",
				(size_t)arm->word_, semaphore->units);
	}
	if (qrt__sync_first(&semaphore->sync) || arm->word_ > semaphore->available) {
		return QRT_EAGAIN;
	}
	semaphore->available -= (size_t)arm->word_;
	return take(arm);
}

/* A big request that leaves the line may have been all that stopped those behind it. */
static void arm_left(struct qrt_case *arm)
{
	struct semaphore *semaphore = live(arm->object_);
	if (semaphore) {
		admit(semaphore);
	}
}

static enum qrt_err arm_finish(struct qrt_case *arm, enum qrt_err granted)
{
	if (granted || !live(arm->object_)) {
		return QRT_ECLOSED;
	}
	return take(arm);
}

static void arm_undo(struct qrt_case *arm)
{
	units_back(arm->object_, (size_t)arm->word_);
}

static const struct qrt__arm_ops acquire_ops = {
    .kind = QRT__WAIT_SEMAPHORE,
    .try_now = arm_try,
    .enqueue = qrt__sync_enqueue,
    .left = arm_left,
    .finish = arm_finish,
    .undo = arm_undo,
};

struct qrt_case qrt_case_acquire_at(struct qrt_semaphore *semaphore, size_t n, const char *site,
				    struct qrt_lease *ret_lease)
{
	return (struct qrt_case){.ops_ = &acquire_ops,
				 .object_ = semaphore,
				 .value_ = ret_lease,
				 .word_ = n,
				 .site_ = site};
}

enum qrt_err qrt_acquire_at(struct qrt_cx *cx, struct qrt_semaphore *semaphore, size_t n,
			    const char *site, struct qrt_lease *ret_lease)
{
	struct qrt_case arm = qrt_case_acquire_at(semaphore, n, site, ret_lease);
	return qrt__await_one(cx, &arm);
}

enum qrt_err qrt_try_acquire_at(struct qrt_cx *cx, struct qrt_semaphore *semaphore, size_t n,
				const char *site, struct qrt_lease *ret_lease)
{
	struct qrt_case arm = qrt_case_acquire_at(semaphore, n, site, ret_lease);
	arm.cx_ = cx;
	return arm_try(&arm);
}

enum qrt_err qrt_semaphore_open_at(struct qrt_cx *cx, size_t units, const char *site,
				   struct qrt_semaphore **ret_semaphore)
{
	if (units == 0) {
		return qrt_fail(cx, QRT_EINVAL, "a semaphore of 0 units");
	}
	enum qrt_err err = qrt__sync_open(cx, &kind, site, ret_semaphore);
	if (!err) {
		struct semaphore *semaphore = live(*ret_semaphore);
		semaphore->units = units;
		semaphore->available = units;
	}
	return err;
}

enum qrt_err qrt_semaphore_close(struct qrt_semaphore **semaphore)
{
	return qrt__object_close(semaphore, &kind);
}
