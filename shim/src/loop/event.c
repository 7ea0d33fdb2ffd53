/* Events: a flag that tasks of one runtime wait for. */
#include "shim/src/internal.h"

void qrt__event_init(struct qrt__event *event)
{
	event->set = false;
	qrt__list_init(&event->waiters);
}

void qrt__event_set(struct qrt__event *event)
{
	event->set = true;
	while (!qrt__list_empty(&event->waiters)) {
		struct qrt__list *node = qrt__list_pop(&event->waiters);
		qrt__unpark(QRT__CONTAINER(node, struct qrt__wait, node), QRT_OK);
		if (QRT__MUTANT(EVENT_ONE)) {
			return;
		}
	}
}

void qrt__event_clear(struct qrt__event *event)
{
	event->set = false;
}

static void event_abort(struct qrt__wait *wait, enum qrt_err why)
{
	qrt__list_remove(&wait->node);
	qrt__unpark(wait, why);
}

enum qrt_err qrt__event_wait(struct qrt_cx *cx, struct qrt__event *event, int64_t deadline_ns)
{
	enum qrt_err err = qrt__suspending(cx);
	if (err || event->set) {
		return err;
	}
	struct qrt__wait wait;
	qrt__wait_init(&wait, cx, QRT__WAIT_EVENT, event, event_abort);
	qrt__list_append(&event->waiters, &wait.node);
	return qrt__park(cx, &wait, deadline_ns);
}

void qrt__event_wait_masked(struct qrt_cx *cx, struct qrt__event *event)
{
	if (event->set) {
		return; /* also in a finalizer, where nothing can be waited for */
	}
	qrt__shield(cx);
	enum qrt_err err = qrt__event_wait(cx, event, QRT_NO_DEADLINE);
	qrt__unshield(cx);
	QRT_POST(err == QRT_OK);
}
