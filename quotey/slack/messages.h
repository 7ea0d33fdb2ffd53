/* The messages of the `slack` component. */
#ifndef QY_SLACK_MESSAGES_H
#define QY_SLACK_MESSAGES_H

#include <qrt/port.h>

enum qy_slack_op {
	/*
	 * Answered when the instance is connected. Errors: ESTATE (it does not mean to be, or is
	 * the one that asks).
	 */
	QY_SLACK_OP_AWAIT_UP,
	QY_SLACK_OP_COUNT
};

struct qy_slack_msg_await_up {
	struct qrt_msg msg;
	const void *from; /* the instance that asks; only compared */
};

#endif
