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

#include "shim/src/sync/arm.h"
#include "shim/src/sync/object.h"

/* First member of each of them. */
struct qrt__sync {
	struct qrt__object object;
	struct qrt__list waiters; /* arms, first come first */
};

/* Whoever waits gets ECLOSED. */
void qrt__sync_end(void *sync);

#define QRT__SYNC_KIND(magic_, name_)                                                              \
	{                                                                                          \
		.magic = (magic_), .name = (name_), .end = qrt__sync_end,                          \
		.closed = "the " name_ " is closed", .foreign = QRT_EINVAL,                        \
	}

/* @ret_handle: the address of a handle. Errors: ENOMEM, ELIMIT, ETHREAD. */
enum qrt_err qrt__sync_open(struct qrt_cx *cx, const struct qrt__object_kind *kind,
			    const char *site, void *ret_handle);
/* As the enqueue of an arm. */
void qrt__sync_enqueue(struct qrt_case *arm);

/* First in line; NULL: nobody. */
static inline struct qrt_case *qrt__sync_first(struct qrt__sync *sync)
{
	return qrt__list_empty(&sync->waiters) ? NULL : qrt__arm_of(sync->waiters.next);
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

/* Whose it is, of what one task has at a time. */
struct qrt__owner {
	struct qrt_duty lease;		 /* stale once it is given back */
	const struct qrt_case *promised; /* it has been granted, and has not run yet */
};

/* The task; NULL: nobody, or not known. */
struct qrt_task *qrt__owner_task(const struct qrt__owner *owner);
/* Says that what @owner's lease is of has been repaired. Errors: ENOTOWNER: not by who has it. */
enum qrt_err qrt__owner_consistent(const struct qrt__owner *owner, const struct qrt_runtime *rt,
				   bool *damaged);

#endif
