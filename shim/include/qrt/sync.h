/*
 * Locks and meeting points for the tasks of one runtime: mutex, rwlock,
 * semaphore, barrier, notify, once. Whoever waits stands in line, first come
 * first served; every wait can be cancelled, and who is cancelled after its
 * turn came, but before it ran, passes the turn on.
 *
 *	struct qrt_lease lease;
 *	enum qrt_err err = qrt_mutex_lock(cx, mutex, &lease);
 *	if (err) {
 *		return err;
 *	}
 *	err = change(cx, book);
 *	QRT_IGNORE(qrt_unlock(&lease), "nobody else has it");
 *	return err;
 *
 * What is held is a lease in the ledger: it names the site that took it, and
 * when its holder ends with it the ledger takes it back (where leaks are only
 * counted it stays taken; see qrt_backend_promises). What is open is a duty
 * of the region it was opened in, which closes it if nobody does.
 *
 * Handles are checked: one that was closed is QRT_ESTALE. All calls belong to
 * the runtime's thread (else ETHREAD); none needs a capability. What takes a
 * deadline takes cx's; with qrt_select_until a case may have another.
 */
#ifndef QRT_SYNC_H
#define QRT_SYNC_H

#include <qrt/ledger.h>
#include <qrt/select.h>

#ifdef __cplusplus
extern "C" {
#endif

/* --- leases --------------------------------------------------------------------------------- */

/* What one holds. To hand it to another task: qrt_duty_give(&lease.duty, its cx). */
struct qrt_lease {
	struct qrt_duty duty;
};

/*
 * Gives back a lease of any kind, also of what has been closed since; the first in line has it
 * at once. The two are one; read "unlock" of locks and "release" of units.
 * Errors: ESTALE (given back before, or taken back), EINVAL (a lease of something else), ETHREAD.
 */
QRT_API enum qrt_err qrt_unlock(struct qrt_lease *lease) QRT_MUST_USE;
QRT_API enum qrt_err qrt_release(struct qrt_lease *lease) QRT_MUST_USE;

/* --- mutex ---------------------------------------------------------------------------------- */

struct qrt_mutex;

/* Errors: ENOMEM, ELIMIT (cx's region). */
#define qrt_mutex_open(cx, ret_mutex) qrt_mutex_open_at((cx), QRT_SITE, (ret_mutex))
QRT_API enum qrt_err qrt_mutex_open_at(struct qrt_cx *cx, const char *site,
				       struct qrt_mutex **ret_mutex) QRT_MUST_USE;
/*
 * Whoever waits gets ECLOSED; who holds it keeps a lease that still has to be given back. Sets
 * *@mutex to NULL; NULL-safe. Errors: ESTALE (closed before), ETHREAD.
 */
QRT_API enum qrt_err qrt_mutex_close(struct qrt_mutex **mutex);

/*
 * Suspends until the mutex is the caller's. EOWNERDEAD: it is the caller's all the same, but
 * somebody ended while holding it and what it guards may be half changed; everybody who locks is
 * told until qrt_mutex_consistent. Errors otherwise, with nothing held: EDEADLOCK (the caller
 * holds it), ECLOSED (while it waited), ECANCELED, ETIMEDOUT, ESTALE, EINVAL (of another
 * runtime), ENOMEM, ELIMIT, ENOSUSPEND, ETHREAD.
 */
#define qrt_mutex_lock(cx, mutex, ret_lease) qrt_mutex_lock_at((cx), (mutex), QRT_SITE, (ret_lease))
QRT_API enum qrt_err qrt_mutex_lock_at(struct qrt_cx *cx, struct qrt_mutex *mutex, const char *site,
				       struct qrt_lease *ret_lease) QRT_MUST_USE;
/* The same without waiting; no checkpoint. Errors also: EAGAIN. */
#define qrt_mutex_try_lock(cx, mutex, ret_lease)                                                   \
	qrt_mutex_try_lock_at((cx), (mutex), QRT_SITE, (ret_lease))
QRT_API enum qrt_err qrt_mutex_try_lock_at(struct qrt_cx *cx, struct qrt_mutex *mutex,
					   const char *site,
					   struct qrt_lease *ret_lease) QRT_MUST_USE;
/* The holder has repaired what the mutex guards. Errors: ENOTOWNER (not the holder), ESTALE. */
QRT_API enum qrt_err qrt_mutex_consistent(struct qrt_mutex *mutex) QRT_MUST_USE;
/* As a case of a select. */
#define qrt_case_lock(mutex, ret_lease) qrt_case_lock_at((mutex), QRT_SITE, (ret_lease))
QRT_API struct qrt_case qrt_case_lock_at(struct qrt_mutex *mutex, const char *site,
					 struct qrt_lease *ret_lease);

/* --- rwlock --------------------------------------------------------------------------------- */

struct qrt_rwlock;

/* As for a mutex. */
#define qrt_rwlock_open(cx, ret_rwlock) qrt_rwlock_open_at((cx), QRT_SITE, (ret_rwlock))
QRT_API enum qrt_err qrt_rwlock_open_at(struct qrt_cx *cx, const char *site,
					struct qrt_rwlock **ret_rwlock) QRT_MUST_USE;
QRT_API enum qrt_err qrt_rwlock_close(struct qrt_rwlock **rwlock);

/*
 * Many read or one writes. Fair: who wants to write stops readers that come later. Results as of
 * qrt_mutex_lock; EDEADLOCK when the caller holds it either way; EOWNERDEAD when a writer died.
 */
#define qrt_rwlock_read(cx, rwlock, ret_lease)                                                     \
	qrt_rwlock_read_at((cx), (rwlock), QRT_SITE, (ret_lease))
#define qrt_rwlock_write(cx, rwlock, ret_lease)                                                    \
	qrt_rwlock_write_at((cx), (rwlock), QRT_SITE, (ret_lease))
#define qrt_rwlock_try_read(cx, rwlock, ret_lease)                                                 \
	qrt_rwlock_try_read_at((cx), (rwlock), QRT_SITE, (ret_lease))
#define qrt_rwlock_try_write(cx, rwlock, ret_lease)                                                \
	qrt_rwlock_try_write_at((cx), (rwlock), QRT_SITE, (ret_lease))
QRT_API enum qrt_err qrt_rwlock_read_at(struct qrt_cx *cx, struct qrt_rwlock *rwlock,
					const char *site, struct qrt_lease *ret_lease) QRT_MUST_USE;
QRT_API enum qrt_err qrt_rwlock_write_at(struct qrt_cx *cx, struct qrt_rwlock *rwlock,
					 const char *site,
					 struct qrt_lease *ret_lease) QRT_MUST_USE;
QRT_API enum qrt_err qrt_rwlock_try_read_at(struct qrt_cx *cx, struct qrt_rwlock *rwlock,
					    const char *site,
					    struct qrt_lease *ret_lease) QRT_MUST_USE;
QRT_API enum qrt_err qrt_rwlock_try_write_at(struct qrt_cx *cx, struct qrt_rwlock *rwlock,
					     const char *site,
					     struct qrt_lease *ret_lease) QRT_MUST_USE;
/* The writer has repaired what the lock guards. Errors: ENOTOWNER (not the writer), ESTALE. */
QRT_API enum qrt_err qrt_rwlock_consistent(struct qrt_rwlock *rwlock) QRT_MUST_USE;
/* As cases of a select. */
#define qrt_case_rdlock(rwlock, ret_lease) qrt_case_rdlock_at((rwlock), QRT_SITE, (ret_lease))
#define qrt_case_wrlock(rwlock, ret_lease) qrt_case_wrlock_at((rwlock), QRT_SITE, (ret_lease))
QRT_API struct qrt_case qrt_case_rdlock_at(struct qrt_rwlock *rwlock, const char *site,
					   struct qrt_lease *ret_lease);
QRT_API struct qrt_case qrt_case_wrlock_at(struct qrt_rwlock *rwlock, const char *site,
					   struct qrt_lease *ret_lease);

/* --- semaphore ------------------------------------------------------------------------------ */

struct qrt_semaphore;

/* @units of something, at least 1. Errors: EINVAL, ENOMEM, ELIMIT. */
#define qrt_semaphore_open(cx, units, ret_semaphore)                                               \
	qrt_semaphore_open_at((cx), (units), QRT_SITE, (ret_semaphore))
QRT_API enum qrt_err qrt_semaphore_open_at(struct qrt_cx *cx, size_t units, const char *site,
					   struct qrt_semaphore **ret_semaphore) QRT_MUST_USE;
/* As for a mutex. */
QRT_API enum qrt_err qrt_semaphore_close(struct qrt_semaphore **semaphore);

/*
 * Suspends until @n units are the caller's. A big request is not overtaken by small ones. Units of
 * who ended with them come back unmarked: a semaphore guards a number, not data. Errors: EINVAL
 * (none, or more than there are at all), else those of qrt_mutex_lock but EDEADLOCK and EOWNERDEAD.
 */
#define qrt_acquire(cx, semaphore, n, ret_lease)                                                   \
	qrt_acquire_at((cx), (semaphore), (n), QRT_SITE, (ret_lease))
QRT_API enum qrt_err qrt_acquire_at(struct qrt_cx *cx, struct qrt_semaphore *semaphore, size_t n,
				    const char *site, struct qrt_lease *ret_lease) QRT_MUST_USE;
/* The same without waiting; no checkpoint. EAGAIN also while somebody waits. */
#define qrt_try_acquire(cx, semaphore, n, ret_lease)                                               \
	qrt_try_acquire_at((cx), (semaphore), (n), QRT_SITE, (ret_lease))
QRT_API enum qrt_err qrt_try_acquire_at(struct qrt_cx *cx, struct qrt_semaphore *semaphore,
					size_t n, const char *site,
					struct qrt_lease *ret_lease) QRT_MUST_USE;
/* As a case of a select. */
#define qrt_case_acquire(semaphore, n, ret_lease)                                                  \
	qrt_case_acquire_at((semaphore), (n), QRT_SITE, (ret_lease))
QRT_API struct qrt_case qrt_case_acquire_at(struct qrt_semaphore *semaphore, size_t n,
					    const char *site, struct qrt_lease *ret_lease);

/* --- barrier -------------------------------------------------------------------------------- */

struct qrt_barrier;

struct qrt_barrier_pass {
	uint64_t generation; /* of the meeting, from 1 */
	bool leader;	     /* exactly one of the parties: the last to come */
};

/* For @parties, at least 1. Errors: EINVAL, ENOMEM, ELIMIT. */
#define qrt_barrier_open(cx, parties, ret_barrier)                                                 \
	qrt_barrier_open_at((cx), (parties), QRT_SITE, (ret_barrier))
QRT_API enum qrt_err qrt_barrier_open_at(struct qrt_cx *cx, size_t parties, const char *site,
					 struct qrt_barrier **ret_barrier) QRT_MUST_USE;
/* As for a mutex. */
QRT_API enum qrt_err qrt_barrier_close(struct qrt_barrier **barrier);

/*
 * Suspends until all parties are there; then the next meeting begins. Who is cancelled or late
 * while it waits is no longer counted; once all have met nobody is turned away any more. @ret_pass
 * may be NULL. Errors: ECLOSED, ECANCELED, ETIMEDOUT, ESTALE, EINVAL, ENOSUSPEND, ETHREAD.
 */
QRT_API enum qrt_err qrt_barrier_wait(struct qrt_cx *cx, struct qrt_barrier *barrier,
				      struct qrt_barrier_pass *ret_pass) QRT_MUST_USE;
/* As a case of a select; at most one of a barrier in each, for every case is a party. */
QRT_API struct qrt_case qrt_case_barrier(struct qrt_barrier *barrier,
					 struct qrt_barrier_pass *ret_pass);

/* --- notify --------------------------------------------------------------------------------- */

struct qrt_notify;

/* As for a mutex. */
#define qrt_notify_open(cx, ret_notify) qrt_notify_open_at((cx), QRT_SITE, (ret_notify))
QRT_API enum qrt_err qrt_notify_open_at(struct qrt_cx *cx, const char *site,
					struct qrt_notify **ret_notify) QRT_MUST_USE;
QRT_API enum qrt_err qrt_notify_close(struct qrt_notify **notify);

/*
 * Wakes who has waited longest, or everybody who waits. With nobody there it is kept for the next
 * one to come, once: many are not more than one. So a wait can end early: look again at what is
 * waited for. Does not suspend. Errors: ESTALE, ETHREAD.
 */
QRT_API enum qrt_err qrt_notify_one(struct qrt_notify *notify);
QRT_API enum qrt_err qrt_notify_all(struct qrt_notify *notify);
/*
 * Suspends until notified. Errors: ECLOSED, ECANCELED, ETIMEDOUT, ESTALE, EINVAL, ENOSUSPEND,
 * ETHREAD.
 */
QRT_API enum qrt_err qrt_notify_wait(struct qrt_cx *cx, struct qrt_notify *notify) QRT_MUST_USE;
/* Takes a notification that was kept. No checkpoint. Errors: EAGAIN, ESTALE, EINVAL, ETHREAD. */
QRT_API enum qrt_err qrt_notify_try_wait(struct qrt_cx *cx, struct qrt_notify *notify) QRT_MUST_USE;
/* As a case of a select. */
QRT_API struct qrt_case qrt_case_notified(struct qrt_notify *notify);

/* --- once ----------------------------------------------------------------------------------- */

struct qrt_once;

/* As for a mutex. */
#define qrt_once_open(cx, ret_once) qrt_once_open_at((cx), QRT_SITE, (ret_once))
QRT_API enum qrt_err qrt_once_open_at(struct qrt_cx *cx, const char *site,
				      struct qrt_once **ret_once) QRT_MUST_USE;
QRT_API enum qrt_err qrt_once_close(struct qrt_once **once);

/*
 * Makes sure that a @fn has succeeded once: runs it, or suspends while somebody else does. When it
 * fails, is cancelled or ends its task, whoever waits next runs its own; the failure is that of
 * who ran it. Errors: fn's, EDEADLOCK (from within fn), ECLOSED, ECANCELED, ETIMEDOUT, ESTALE,
 * EINVAL, ENOMEM, ELIMIT, ENOSUSPEND, ETHREAD.
 */
#define qrt_once_run(cx, once, fn, arg) qrt_once_run_at((cx), (once), (fn), (arg), QRT_SITE)
QRT_API enum qrt_err qrt_once_run_at(struct qrt_cx *cx, struct qrt_once *once, qrt_task_fn *fn,
				     void *arg, const char *site) QRT_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
