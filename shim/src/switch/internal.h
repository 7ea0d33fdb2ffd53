/* What the switchboard and its ports share. */
#ifndef QRT_SWITCHBOARD_INTERNAL_H
#define QRT_SWITCHBOARD_INTERNAL_H

#include <qrt/switchboard.h>

#include "shim/src/switch/instance.h"

/* The route of messages to a component: one atomic store moves it. */
struct qrt_port {
	const char *name;
	_Atomic(struct qrt__instance *) active;
};

#endif
