/*
 * The readers-writer lock: one line for both, so that neither starves. The
 * head of the line decides: a writer there stops the readers behind it, and a
 * run of readers there goes in together.
 */
#include "shim/src/sync/sync.h"

struct rwlock {
	struct qrt__sync sync;
	size_t readers; /* in, or promised */
	bool writing;	/* the same of the writer */
	bool damaged;	/* a writer died, and nobody has said that it was repaired */
	struct qrt__owner writer;
};
QRT__OBJECT_FITS(struct rwlock);

static const struct qrt__object_kind kind = QRT__SYNC_KIND(0x71724e22u, "rwlock");
static const struct qrt__arm_ops read_ops, write_ops;

static struct rwlock *live(const void *handle)
{
	return qrt__handle_object(handle, kind.magic);
}

/* Lets in who may; each grant may change the line, so look again each time. */
static void admit(struct rwlock *lock)
{
	struct qrt_case *arm;
	while ((arm = qrt__sync_first(&lock->sync)) && !lock->writing) {
		if (arm->ops_ == &read_ops) {
			lock->readers++;
		} else if (lock->readers == 0) {
			lock->writing = true;
			lock->writer.promised = arm;
		} else {
			return;
		}
		qrt__grant(arm, QRT_OK);
	}
}

static void reader_left(struct rwlock *lock)
{
	QRT_ASSERT(lock->readers > 0);
	lock->readers--;
	admit(lock);
}

static void writer_left(struct rwlock *lock)
{
	QRT_ASSERT(lock->writing);
	lock->writing = false;
	lock->writer.promised = NULL;
	admit(lock);
}

/* Readers change nothing: one that died leaves no more than one that unlocked. */
static void read_given_back(void *handle)
{
	struct rwlock *lock = live(handle);
	if (lock) {
		reader_left(lock);
	}
}

static void reader_died(void *handle)
{
	read_given_back(handle);
}

static void write_given_back(void *handle)
{
	struct rwlock *lock = live(handle);
	if (lock) {
		writer_left(lock);
	}
}

static void writer_died(void *handle)
{
	struct rwlock *lock = live(handle);
	if (lock) {
		lock->damaged = true;
		writer_left(lock);
	}
}

const struct qrt__lease_kind qrt__lease_read = {"rwlock, to read", read_given_back, reader_died};
const struct qrt__lease_kind qrt__lease_write = {"rwlock, to write", write_given_back, writer_died};

/* The lock is @arm's now, and counted as such. */
static enum qrt_err take(struct qrt_case *arm, struct rwlock *lock)
{
	bool reads = arm->ops_ == &read_ops;
	struct qrt_duty duty;
	enum qrt_err err =
	    qrt__lease_take(arm, reads ? &qrt__lease_read : &qrt__lease_write, arm->object_, &duty);
	if (err) {
		if (reads) {
			reader_left(lock);
		} else {
			writer_left(lock);
		}
		return err;
	}
	if (!reads) {
		lock->writer.promised = NULL;
		lock->writer.lease = duty;
	}
	struct qrt_lease *ret_lease = arm->value_;
	ret_lease->duty = duty;
	return lock->damaged ? QRT_EOWNERDEAD : QRT_OK;
}

static enum qrt_err arm_try(struct qrt_case *arm)
{
	struct rwlock *lock;
	struct qrt_cx *cx = arm->cx_;
	enum qrt_err err = qrt__object_use(cx, arm->object_, &kind, &lock);
	if (err) {
		return err;
	}
	/* Also to read twice: with a writer in line between the two nobody would ever go on. */
	if (qrt__lease_held(cx->task, &qrt__lease_read, arm->object_) ||
	    qrt__lease_held(cx->task, &qrt__lease_write, arm->object_)) {
		return qrt_fail(cx, QRT_EDEADLOCK, "task %s holds the rwlock", cx->task->name);
	}
	if (lock->writing || qrt__sync_first(&lock->sync)) {
		return QRT_EAGAIN;
	}
	if (arm->ops_ == &read_ops) {
		lock->readers++;
	} else if (lock->readers == 0) {
		lock->writing = true;
	} else {
		return QRT_EAGAIN;
	}
	return take(arm, lock);
}

/* A writer that leaves the line may have been all that stopped the readers behind it. */
static void arm_left(struct qrt_case *arm)
{
	struct rwlock *lock = live(arm->object_);
	if (lock) {
		admit(lock);
	}
}

static enum qrt_err arm_finish(struct qrt_case *arm, enum qrt_err granted)
{
	struct rwlock *lock = live(arm->object_);
	if (granted || !lock) {
		return QRT_ECLOSED;
	}
	return take(arm, lock);
}

static void read_undo(struct qrt_case *arm)
{
	read_given_back(arm->object_);
}

static void write_undo(struct qrt_case *arm)
{
	write_given_back(arm->object_);
}

/* Of several readers nobody in particular is to blame. */
static struct qrt_task *arm_holder(const struct qrt_case *arm)
{
	const struct rwlock *lock = live(arm->object_);
	return lock ? qrt__owner_task(&lock->writer) : NULL;
}

static const struct qrt__arm_ops read_ops = {
    .kind = QRT__WAIT_RDLOCK,
    .try_now = arm_try,
    .enqueue = qrt__sync_enqueue,
    .left = arm_left,
    .finish = arm_finish,
    .undo = read_undo,
    .holder = arm_holder,
};

static const struct qrt__arm_ops write_ops = {
    .kind = QRT__WAIT_WRLOCK,
    .try_now = arm_try,
    .enqueue = qrt__sync_enqueue,
    .left = arm_left,
    .finish = arm_finish,
    .undo = write_undo,
    .holder = arm_holder,
};

struct qrt_case qrt_case_rdlock_at(struct qrt_rwlock *rwlock, const char *site,
				   struct qrt_lease *ret_lease)
{
	return (struct qrt_case){
	    .ops_ = &read_ops, .object_ = rwlock, .value_ = ret_lease, .site_ = site};
}

struct qrt_case qrt_case_wrlock_at(struct qrt_rwlock *rwlock, const char *site,
				   struct qrt_lease *ret_lease)
{
	return (struct qrt_case){
	    .ops_ = &write_ops, .object_ = rwlock, .value_ = ret_lease, .site_ = site};
}

enum qrt_err qrt_rwlock_read_at(struct qrt_cx *cx, struct qrt_rwlock *rwlock, const char *site,
				struct qrt_lease *ret_lease)
{
	struct qrt_case arm = qrt_case_rdlock_at(rwlock, site, ret_lease);
	return qrt__await_one(cx, &arm);
}

enum qrt_err qrt_rwlock_write_at(struct qrt_cx *cx, struct qrt_rwlock *rwlock, const char *site,
				 struct qrt_lease *ret_lease)
{
	struct qrt_case arm = qrt_case_wrlock_at(rwlock, site, ret_lease);
	return qrt__await_one(cx, &arm);
}

enum qrt_err qrt_rwlock_try_read_at(struct qrt_cx *cx, struct qrt_rwlock *rwlock, const char *site,
				    struct qrt_lease *ret_lease)
{
	struct qrt_case arm = qrt_case_rdlock_at(rwlock, site, ret_lease);
	arm.cx_ = cx;
	return arm_try(&arm);
}

enum qrt_err qrt_rwlock_try_write_at(struct qrt_cx *cx, struct qrt_rwlock *rwlock, const char *site,
				     struct qrt_lease *ret_lease)
{
	struct qrt_case arm = qrt_case_wrlock_at(rwlock, site, ret_lease);
	arm.cx_ = cx;
	return arm_try(&arm);
}

enum qrt_err qrt_rwlock_consistent(struct qrt_rwlock *handle)
{
	struct rwlock *lock;
	enum qrt_err err = qrt__object_find(handle, &kind, &lock);
	return err ? err
		   : qrt__owner_consistent(&lock->writer, lock->sync.object.rt, &lock->damaged);
}

enum qrt_err qrt_rwlock_open_at(struct qrt_cx *cx, const char *site, struct qrt_rwlock **ret_rwlock)
{
	return qrt__sync_open(cx, &kind, site, ret_rwlock);
}

enum qrt_err qrt_rwlock_close(struct qrt_rwlock **rwlock)
{
	return qrt__object_close(rwlock, &kind);
}
