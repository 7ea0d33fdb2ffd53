/*
 * What the objects of qrt/sync.h have in common: a slot of the runtime's
 * pool, a duty of the region they were opened in, and a line of waiting arms.
 *
 * An object may be closed while an arm that it granted has not run yet: every
 * arm keeps the handle and looks it up again, and never keeps the object.
 */
#ifndef QRT_SYNC_INTERNAL_H
#define QRT_SYNC_INTERNAL_H

#include <qrt/sync.h>

#include "shim/src/arm.h"

/* First member of each of them. */
struct qrt__sync {
	struct qrt__slot slot;
	struct qrt_runtime *rt;
	struct qrt_duty duty;	  /* of its region, to close it */
	struct qrt__list waiters; /* arms, first come first */
};

struct qrt__sync_kind {
	uint32_t magic;
	const char *name; /* static text for reports */
};

#define QRT__MUTEX_MAGIC 0x71724e21u
#define QRT__RWLOCK_MAGIC 0x71724e22u
#define QRT__SEMAPHORE_MAGIC 0x71724e23u
#define QRT__BARRIER_MAGIC 0x71724e24u
#define QRT__NOTIFY_MAGIC 0x71724e25u
#define QRT__ONCE_MAGIC 0x71724e26u

/* Whatever is opened fits a slot; the object is zeroed but for its head. */
#define QRT__SYNC_FITS(type)                                                                       \
	_Static_assert(sizeof(type) <= QRT__SLOT_ALIGN, "it lives in a slot of the pool")

/* Errors: ENOMEM, ELIMIT. */
enum qrt_err qrt__sync_open(struct qrt_cx *cx, const struct qrt__sync_kind *kind, const char *site,
			    struct qrt__sync **ret_sync);
/* Settles the duty; whoever waits gets ECLOSED. NULL: nothing. Errors: ESTALE, ETHREAD. */
enum qrt_err qrt__sync_close(const void *handle, const struct qrt__sync_kind *kind);
/* The object of @handle for a call of cx's task. Errors, with detail: ESTALE, EINVAL, ETHREAD. */
enum qrt_err qrt__sync_use(struct qrt_cx *cx, const void *handle, const struct qrt__sync_kind *kind,
			   struct qrt__sync **ret_sync);
/* The same without a cx. Errors: ESTALE, ETHREAD. */
enum qrt_err qrt__sync_poke(const void *handle, const struct qrt__sync_kind *kind,
			    struct qrt__sync **ret_sync);

/* First in line; NULL: nobody. */
static inline struct qrt_case *qrt__sync_first(struct qrt__sync *sync)
{
	return qrt__list_empty(&sync->waiters) ? NULL : qrt__arm_of(sync->waiters.next);
}

static inline void qrt__sync_enqueue(struct qrt__sync *sync, struct qrt_case *arm)
{
	qrt__list_append(&sync->waiters, &arm->node_);
}

/* --- leases --------------------------------------------------------------------------------- */

/* Both get what the lease was taken with, and must cope with an object that is gone. */
struct qrt__lease_kind {
	const char *what;     /* static text for reports */
	qrt_release_fn *back; /* its holder gives it back */
	qrt_release_fn *died; /* its holder ended with it */
};

extern const struct qrt__lease_kind qrt__lease_mutex;
extern const struct qrt__lease_kind qrt__lease_read;
extern const struct qrt__lease_kind qrt__lease_write;
extern const struct qrt__lease_kind qrt__lease_units;

/* Enters the lease @arm won, at its site, for its task. Errors: ENOMEM, ELIMIT. */
enum qrt_err qrt__lease_take(const struct qrt_case *arm, const struct qrt__lease_kind *kind,
			     void *arg, struct qrt_duty *ret_duty);
/* Whether @task holds such a lease. */
bool qrt__lease_held(const struct qrt_task *task, const struct qrt__lease_kind *kind,
		     const void *arg);
/* Who holds @duty; NULL: nobody, or not known. */
struct qrt_task *qrt__lease_holder(const struct qrt_duty *duty);

#endif
