/*
 * Leases: holding a lock or units as an entry of the ledger. What the entry
 * releases when its holder dies also tells which kind of lease it is.
 */
#include "shim/src/sync/sync.h"

static const struct qrt__lease_kind *const kinds[] = {&qrt__lease_mutex, &qrt__lease_read,
						      &qrt__lease_write, &qrt__lease_units};

static const struct qrt__lease_kind *kind_of(const struct qrt__obligation *entry)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (entry->kind == QRT_DUTY_LEASE && entry->release == kinds[i]->died) {
			return kinds[i];
		}
	}
	return NULL;
}

enum qrt_err qrt_unlock(struct qrt_lease *lease)
{
	const struct qrt__obligation *entry = qrt__duty_find(&lease->duty);
	if (!entry) {
		return QRT_ESTALE;
	}
	if (!qrt__on_thread_of(entry->rt)) {
		return QRT_ETHREAD;
	}
	const struct qrt__lease_kind *kind = kind_of(entry);
	if (!kind) {
		return QRT_EINVAL;
	}
	void *arg = entry->arg;
	enum qrt_err err = qrt_settle(&lease->duty);
	QRT_ASSERT(!err);
	kind->back(arg);
	return QRT_OK;
}

enum qrt_err qrt_release(struct qrt_lease *lease)
{
	return qrt_unlock(lease);
}

enum qrt_err qrt__lease_take(const struct qrt_case *arm, const struct qrt__lease_kind *kind,
			     void *arg, struct qrt_duty *ret_duty)
{
	return qrt_oblige_at(arm->cx_, QRT_DUTY_LEASE, kind->what, kind->died, arg, arm->site_,
			     ret_duty);
}

bool qrt__lease_held(const struct qrt_task *task, const struct qrt__lease_kind *kind,
		     const void *arg)
{
	QRT__LIST_EACH(node, &task->duties) {
		const struct qrt__obligation *entry =
		    QRT__CONTAINER(node, struct qrt__obligation, in_holder);
		if (entry->release == kind->died && entry->arg == arg) {
			return true;
		}
	}
	return false;
}

struct qrt_task *qrt__lease_holder(const struct qrt_duty *duty)
{
	const struct qrt__obligation *entry = qrt__duty_find(duty);
	return entry ? entry->holder : NULL;
}

struct qrt_task *qrt__owner_task(const struct qrt__owner *owner)
{
	return owner->promised ? owner->promised->cx_->task : qrt__lease_holder(&owner->lease);
}

enum qrt_err qrt__owner_consistent(const struct qrt__owner *owner, const struct qrt_runtime *rt,
				   bool *damaged)
{
	const struct qrt_task *holder = qrt__lease_holder(&owner->lease);
	if (!holder || holder != rt->current) {
		return QRT_ENOTOWNER;
	}
	*damaged = false;
	return QRT_OK;
}
