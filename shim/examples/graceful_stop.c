/*
 * Graceful stop: a server is sent SIGTERM while it works on a request and somebody idles on
 * another connection. It takes no more connections, the request gets its whole answer, then who
 * only idled is cut off, and nothing is left.
 */
#include <qrt/qrt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#define GRACE_NS (10 * QRT_SEC)

struct server {
	struct qrt_listener *listener;
	struct qrt_signals *signals;
	struct qrt_region *connections;
	struct qrt_notify *answered;
	size_t in_work;
	uint16_t port;
};

/* One per process: what serves a connection is given its stream alone. */
static struct server server;

static enum qrt_err answer(struct qrt_cx *cx, void *arg)
{
	struct qrt_stream *stream = arg;
	char request[16];
	size_t n;
	enum qrt_err err = qrt_read(cx, stream, request, sizeof(request), &n);
	if (!err) {
		server.in_work++;
		err = qrt_write(cx, stream, "wor", 3);
		if (!err) {
			err = qrt_sleep(cx, 20 * QRT_MS); /* the work */
		}
		if (!err) {
			err = qrt_write(cx, stream, "ked", 3);
		}
		server.in_work--;
		QRT_IGNORE(qrt_notify_one(server.answered), "it is open");
	}
	qrt_stream_close(cx, &stream);
	return err;
}

static enum qrt_err accept_all(struct qrt_cx *cx, void *arg)
{
	struct qrt_stream *stream;
	enum qrt_err err;
	(void)arg;
	while (!(err = qrt_accept(cx, server.listener, &stream))) {
		err = qrt_spawn(server.connections, answer, stream);
		if (err) {
			qrt_stream_close(cx, &stream);
			return err;
		}
	}
	return err == QRT_ECLOSED ? QRT_OK : err;
}

static enum qrt_err until_all_answered(struct qrt_cx *cx, void *arg)
{
	enum qrt_err err = QRT_OK;
	(void)arg;
	while (!err && server.in_work > 0) {
		err = qrt_notify_wait(cx, server.answered);
	}
	return err;
}

static enum qrt_err serve(struct qrt_cx *cx, void *arg)
{
	const struct qrt_region_options options = {
	    .name = "connections", .policy = QRT_COLLECT, .flags = QRT_CANCEL_REST};
	int signo;
	(void)arg;
	enum qrt_err err = qrt_region_open_with(cx, &options, &server.connections);
	if (err) {
		return err;
	}
	err = qrt_spawn(server.connections, accept_all, NULL);
	if (!err) {
		err = qrt_signal_wait(cx, server.signals, &signo);
	}
	qrt_listener_close(cx, &server.listener); /* no more connections */
	if (!err) {
		err = qrt_timeout(cx, GRACE_NS, until_all_answered, NULL);
	}
	return qrt_region_close(cx, &server.connections, err); /* cuts off who is left */
}

/* Asks, has the server stopped half-way, and reads what comes all the same. */
static enum qrt_err client(struct qrt_cx *cx, void *arg)
{
	struct qrt_stream *stream;
	size_t n, got = 0;
	char text[7] = "";
	(void)arg;
	enum qrt_err err = qrt_connect(cx, "127.0.0.1", server.port, &stream);
	if (err) {
		return err;
	}
	err = qrt_write(cx, stream, "work", 4);
	while (!err && got < 6 && !(err = qrt_read(cx, stream, text + got, 6 - got, &n))) {
		if (got == 0) {
			bool sent = qrt_in_lab(cx) ? !qrt_lab_raise(cx, SIGTERM) : !raise(SIGTERM);
			err = sent ? QRT_OK : QRT_EFAILED;
		}
		got += n;
	}
	qrt_stream_close(cx, &stream);
	if (!err && strcmp(text, "worked") == 0) {
		printf("%s, although it was told to stop\n", text);
		return QRT_OK;
	}
	return err ? err : QRT_EFAILED;
}

static enum qrt_err idler(struct qrt_cx *cx, void *arg)
{
	struct qrt_stream *stream;
	size_t n;
	char byte;
	(void)arg;
	enum qrt_err err = qrt_connect(cx, "127.0.0.1", server.port, &stream);
	if (err) {
		return err;
	}
	err = qrt_read(cx, stream, &byte, 1, &n);
	qrt_stream_close(cx, &stream);
	return err == QRT_EEOF || err == QRT_ECONNRESET ? QRT_OK : QRT_EFAILED;
}

static enum qrt_err run(struct qrt_cx *cx, void *arg)
{
	static const struct qrt_branch all[] = {
	    {serve, NULL, "serve"}, {idler, NULL, "idler"}, {client, NULL, "client"}};
	const int signos[] = {SIGTERM};
	int fd;
	(void)arg;
	enum qrt_err err = qrt_signal_open(cx, signos, 1, &server.signals);
	if (!err) {
		err = qrt_notify_open(cx, &server.answered);
	}
	if (!err) {
		err = qrt_socket_listen(cx, "127.0.0.1", 0, &fd, &server.port);
	}
	if (!err) {
		err = qrt_listener_adopt(cx, fd, &server.listener);
	}
	if (!err) {
		err = qrt_join(cx, all, 3, NULL);
	}
	qrt_listener_close(cx, &server.listener);
	QRT_IGNORE(qrt_notify_close(&server.answered), "open, or NULL");
	qrt_signal_close(cx, &server.signals);
	return err;
}

int main(int argc, char **argv)
{
	const struct qrt_runtime_options options = {.backend = argc > 1 ? argv[1] : "region"};
	struct qrt_runtime *rt;
	enum qrt_err err = qrt_runtime_open(&options, NULL, &rt);
	if (!err) {
		err = qrt_run_main(rt, run, NULL);
		qrt_runtime_close(&rt);
	}
	return err ? 1 : 0;
}
