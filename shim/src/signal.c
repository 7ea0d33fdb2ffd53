/* Signals one waits for: a socket of the driver's net that yields signal numbers. */
#include <qrt/signal.h>

#include <stdlib.h>

#include "shim/src/internal.h"

enum { SIGNALS_MAX = 8 };

struct qrt_signals {
	struct qrt__socket socket;
};

enum qrt_err qrt_signal_open(struct qrt_cx *cx, const int *signos, size_t n,
			     struct qrt_signals **ret_signals)
{
	struct qrt_runtime *rt = cx->task->rt;
	enum qrt_err err = qrt_cx_require(cx, QRT_CAP_SIGNAL);
	if (err) {
		return err;
	}
	if (n < 1 || n > SIGNALS_MAX) {
		return qrt_fail(cx, QRT_EINVAL, "a set of %zu signals", n);
	}
	struct qrt_signals *signals = calloc(1, sizeof(*signals));
	if (!signals) {
		return QRT_ENOMEM;
	}
	int fd;
	err = rt->driver->net->signals(rt, signos, n, &fd);
	if (!err) {
		err = qrt__socket_open(&signals->socket, rt, fd);
	}
	if (err) {
		free(signals);
		return err;
	}
	*ret_signals = signals;
	return QRT_OK;
}

enum qrt_err qrt_signal_wait(struct qrt_cx *cx, struct qrt_signals *signals, int *ret_signo)
{
	struct qrt__socket *socket = &signals->socket;
	enum qrt_err err = qrt_cx_require(cx, QRT_CAP_SIGNAL);
	if (!err) {
		err = qrt_checkpoint(cx);
	}
	while (!err) {
		err = socket->rt->driver->net->signal_read(socket, ret_signo);
		if (err != QRT_EAGAIN) {
			return err;
		}
		err = qrt__socket_wait(cx, socket, QRT__IO_READ, QRT__WAIT_SIGNAL);
	}
	return err;
}

void qrt_signal_close(struct qrt_cx *cx, struct qrt_signals **signals)
{
	(void)cx;
	if (*signals) {
		qrt__socket_close(&(*signals)->socket);
		*signals = NULL;
	}
}
