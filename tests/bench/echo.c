/*
 * A WebSocket echo over qrt/ws.h, for measuring: `echo BACKEND` listens on a
 * free loopback port, prints its URL, sends back every message until TERM
 * comes. A task per connection.
 */
#include <qrt/region.h>
#include <qrt/runtime.h>
#include <qrt/signal.h>
#include <qrt/stream.h>
#include <qrt/ws.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

static enum qrt_err converse(struct qrt_cx *cx, void *arg)
{
	struct qrt_stream *stream = arg;
	struct qrt_ws_message message;
	struct qrt_ws *ws;
	enum qrt_err err = qrt_ws_accept(cx, &stream, NULL, &ws);
	if (err) {
		return QRT_OK; /* the peer's affair */
	}
	while (!err && !(err = qrt_ws_recv(cx, ws, &message))) {
		err = qrt_ws_send(cx, ws, message.type, message.data, message.n);
	}
	qrt_ws_close(cx, &ws);
	return QRT_OK;
}

struct door {
	struct qrt_listener *listener;
	struct qrt_region *region;
};

static enum qrt_err take_in(struct qrt_cx *cx, void *arg)
{
	struct door *door = arg;
	struct qrt_stream *stream;
	enum qrt_err err;
	while (!(err = qrt_accept(cx, door->listener, &stream))) {
		err = qrt_stream_give(cx, stream, door->region);
		if (!err) {
			err = qrt_spawn(door->region, converse, stream);
		}
		if (err) {
			qrt_stream_close(cx, &stream);
			break;
		}
	}
	return err == QRT_ECLOSED || err == QRT_ECANCELED ? QRT_OK : err;
}

static enum qrt_err serve(struct qrt_cx *cx, void *arg)
{
	const int signos[] = {SIGTERM, SIGINT};
	const struct qrt_region_options options = {
	    .name = "echo", .policy = QRT_COLLECT, .flags = QRT_CANCEL_REST};
	struct door door = {0};
	struct qrt_signals *signals;
	uint16_t port;
	int fd, signo;
	(void)arg;
	enum qrt_err err = qrt_signal_open(cx, signos, 2, &signals);
	if (err) {
		return err;
	}
	err = qrt_socket_listen(cx, "127.0.0.1", 0, &fd, &port);
	if (!err) {
		err = qrt_listener_adopt(cx, fd, &door.listener);
	}
	if (!err) {
		err = qrt_region_open_with(cx, &options, &door.region);
	}
	if (!err) {
		err = qrt_spawn(door.region, take_in, &door);
		printf("ws://127.0.0.1:%u/\n", port);
		fflush(stdout);
		if (!err) {
			err = qrt_signal_wait(cx, signals, &signo);
		}
		qrt_listener_close(cx, &door.listener);
		qrt_region_cancel(door.region, QRT_CANCEL_SHUTDOWN, "told to end");
		QRT_IGNORE(qrt_region_close(cx, &door.region, QRT_OK), "peers end as they like");
	}
	qrt_listener_close(cx, &door.listener);
	qrt_signal_close(cx, &signals);
	return err;
}

int main(int argc, char **argv)
{
	struct qrt_runtime_options options = {.backend = argv[1]};
	struct qrt_runtime *rt;
	char detail[256] = "";
	if (argc != 2) {
		fputs("usage: echo BACKEND\n", stderr);
		return 2;
	}
	enum qrt_err err = qrt_runtime_open(&options, detail, &rt);
	if (err) {
		fprintf(stderr, "echo: %s: %s\n", argv[1], detail);
		return err == QRT_ENOTSUP ? 77 : 1;
	}
	err = qrt_run_main(rt, serve, NULL);
	if (err) {
		fprintf(stderr, "echo: %s\n", qrt_err_text(err));
	}
	qrt_runtime_close(&rt);
	return err != QRT_OK;
}
