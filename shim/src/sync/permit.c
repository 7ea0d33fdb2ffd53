/* Permits: entries of the ledger that lead to a sink. */
#include "shim/src/sync/sink.h"

static void release(void *arg)
{
	struct qrt__sink *sink = arg;
	sink->ops->abort(sink);
}

enum qrt_err qrt__permit_enter(struct qrt_cx *cx, struct qrt__sink *sink, const char *site,
			       struct qrt_permit *ret_permit)
{
	return qrt_oblige_at(cx, QRT_DUTY_PERMIT, sink->ops->what, NULL, NULL, site,
			     &ret_permit->duty);
}

void qrt__permit_grant(struct qrt_permit *permit, struct qrt__sink *sink)
{
	struct qrt__obligation *entry = qrt__duty_find(&permit->duty);
	QRT_PRE(entry);
	entry->release = release;
	entry->arg = sink;
}

void qrt__permit_forget(struct qrt_permit *permit)
{
	QRT_IGNORE(qrt_settle(&permit->duty), "it may have been released already");
	*permit = (struct qrt_permit){0};
}

/* The sink of a valid permit, which is settled with that. */
static enum qrt_err redeem(struct qrt_permit *permit, size_t size, struct qrt__sink **ret_sink)
{
	struct qrt__obligation *entry = qrt__duty_find(&permit->duty);
	if (!entry || entry->release != release) {
		return QRT_ESTALE;
	}
	if (!qrt__on_thread_of(entry->rt)) {
		return QRT_ETHREAD;
	}
	struct qrt__sink *sink = entry->arg;
	if (size && size != sink->size) {
		return QRT_EINVAL;
	}
	*ret_sink = sink;
	return qrt_settle(&permit->duty);
}

enum qrt_err qrt_send_sized(struct qrt_permit *permit, const void *element, size_t size)
{
	struct qrt__sink *sink;
	if (size == 0) {
		return QRT_EINVAL;
	}
	enum qrt_err err = redeem(permit, size, &sink);
	return err ? err : sink->ops->commit(sink, element);
}

enum qrt_err qrt_abort(struct qrt_permit *permit)
{
	struct qrt__sink *sink;
	enum qrt_err err = redeem(permit, 0, &sink);
	if (!err) {
		sink->ops->abort(sink);
	}
	return err;
}

enum qrt_err qrt_permit_give(struct qrt_permit *permit, struct qrt_cx *cx)
{
	struct qrt__obligation *entry = qrt__duty_find(&permit->duty);
	if (!entry || entry->release != release) {
		return qrt_fail(cx, QRT_ESTALE, "the permit has been used or aborted");
	}
	return qrt_duty_give(&permit->duty, cx);
}
