/* The lab for those who test in it: qrt/lab.h. */
#include <qrt/lab.h>

#include "backends/lab/lab.h"

bool qrt_in_lab(const struct qrt_cx *cx)
{
	return cx->task->rt->driver == &qrt__driver_lab;
}

static enum qrt_err enter(struct qrt_cx *cx, uint32_t caps)
{
	enum qrt_err err = qrt_cx_require(cx, caps);
	if (!err && !qrt_in_lab(cx)) {
		err = qrt_fail(cx, QRT_ENOTSUP, "runtime %s is not a lab", cx->task->rt->name);
	}
	return err;
}

enum qrt_err qrt_lab_pair(struct qrt_cx *cx, int *ret_a, int *ret_b)
{
	enum qrt_err err = enter(cx, QRT_CAP_NET);
	return err ? err : qrt__lab_pair(qrt__lab_of(cx->task->rt), ret_a, ret_b);
}

enum qrt_err qrt_lab_raise(struct qrt_cx *cx, int signo)
{
	enum qrt_err err = enter(cx, QRT_CAP_SIGNAL);
	if (!err) {
		err = qrt__lab_raise(qrt__lab_of(cx->task->rt), signo);
	}
	if (err == QRT_ENOENT) {
		return qrt_fail(cx, err, "nobody has opened signal %d", signo);
	}
	return err;
}
