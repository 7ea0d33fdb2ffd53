/* Calls through a port: to the active instance, counted so that a drain can wait for them. */
#include <qrt/port.h>

#include <qrt/ledger.h>

#include "shim/src/switch/internal.h"

void qrt_msg_destroy(struct qrt_msg **msg)
{
	if (*msg) {
		(*msg)->destroy(*msg);
		*msg = NULL;
	}
}

/*
 * Enters the active instance. It may be replaced between the look and the
 * count: then the drain of the old one might have missed us, so we look again.
 */
static struct qrt__instance *enter_active(struct qrt_port *port)
{
	for (;;) {
		struct qrt__instance *instance = atomic_load(&port->active);
		if (!instance) {
			return NULL;
		}
		qrt__instance_enter(instance);
		if (atomic_load(&port->active) == instance) {
			return instance;
		}
		qrt__instance_leave(instance);
	}
}

struct delivery {
	struct qrt__instance *instance;
	struct qrt_msg *msg, *reply;
};

static enum qrt_err deliver(struct qrt_cx *cx, void *arg)
{
	struct delivery *delivery = arg;
	struct qrt_msg *msg = delivery->msg;
	struct qrt__instance *instance = delivery->instance;
	struct qrt_duty ack;
	enum qrt_err err = qrt_oblige_at(cx, QRT_DUTY_ACK, instance->component->name, NULL, NULL,
					 cx->task->site, &ack);
	if (err) {
		return err;
	}
	delivery->msg = NULL;
	err = instance->component->handle(cx, instance->state, msg, &delivery->reply);
	QRT_IGNORE(qrt_settle(&ack), "the caller gets its answer");
	return err;
}

enum qrt_err qrt_call(struct qrt_cx *cx, struct qrt_port *port, struct qrt_msg **msg,
		      struct qrt_msg **ret_reply)
{
	QRT__ANCHORED(cx);
	struct delivery delivery = {.msg = *msg};
	*msg = NULL;
	enum qrt_err err = qrt_cx_require(cx, QRT_CAP_CALL);
	if (!err) {
		delivery.instance = enter_active(port);
		if (!delivery.instance) {
			err = qrt_fail(cx, QRT_ECLOSED, "component %s is not running", port->name);
		}
	}
	if (!err) {
		struct qrt__instance *instance = delivery.instance;
		QRT_ASSERT(instance->component->handle);
		const struct qrt__call_options opts = {.rt = instance->rt,
						       .region = instance->home,
						       .caps = instance->component->caps,
						       .deadline_ns = cx->deadline_ns,
						       .name = instance->component->name,
						       .site = QRT_SITE};
		err = qrt__call(cx, &opts, deliver, &delivery, NULL);
		qrt__instance_leave(instance);
	}
	qrt_msg_destroy(&delivery.msg);
	if (err) {
		qrt_msg_destroy(&delivery.reply);
	} else {
		*ret_reply = delivery.reply;
	}
	return err;
}
