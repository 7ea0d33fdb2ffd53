/* Signals one waits for: a socket of the driver's net that yields signal numbers. */
#include <qrt/signal.h>

#include "shim/src/internal.h"

enum { SIGNALS_MAX = 8 };

enum qrt_err qrt_signal_open_at(struct qrt_cx *cx, const int *signos, size_t n, const char *site,
				struct qrt_signals **ret_signals)
{
	enum qrt_err err = qrt_cx_require(cx, QRT_CAP_SIGNAL);
	if (err) {
		return err;
	}
	if (n < 1 || n > SIGNALS_MAX) {
		return qrt_fail(cx, QRT_EINVAL, "a set of %zu signals", n);
	}
	int fd;
	struct qrt__socket *socket;
	err = cx->task->rt->driver->net->signals(cx->task->rt, signos, n, &fd);
	if (!err) {
		err = qrt__socket_open(cx, fd, QRT__SIGNALS_MAGIC, site, &socket);
	}
	if (!err) {
		*ret_signals = qrt__handle(socket);
	}
	return err;
}

enum qrt_err qrt_signal_wait(struct qrt_cx *cx, struct qrt_signals *signals, int *ret_signo)
{
	struct qrt__socket *socket;
	enum qrt_err err = qrt_cx_require(cx, QRT_CAP_SIGNAL);
	if (!err) {
		err = qrt__socket_find(cx, signals, QRT__SIGNALS_MAGIC, &socket);
	}
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
	struct qrt__socket *socket = qrt__handle_object(*signals, QRT__SIGNALS_MAGIC);
	if (socket) {
		qrt__socket_close(socket);
	}
	*signals = NULL;
}
