/*
 * Retry: a service is not up yet. Its port refuses the first connections; each is followed by a
 * longer pause, until one is taken. What no time will cure is not tried twice.
 */
#include <qrt/qrt.h>
#include <stdio.h>

enum { UP_AFTER = 3 };

struct service {
	uint16_t port;
	struct qrt_notify *start;
	unsigned attempts;
	bool answered;
};

/* Comes up when it is told to, and takes one connection. */
static enum qrt_err serve(struct qrt_cx *cx, void *arg)
{
	struct service *service = arg;
	struct qrt_listener *listener;
	struct qrt_stream *stream;
	int fd;
	uint16_t port;
	enum qrt_err err = qrt_notify_wait(cx, service->start);
	if (!err) {
		err = qrt_socket_listen(cx, "127.0.0.1", service->port, &fd, &port);
	}
	if (!err) {
		err = qrt_listener_adopt(cx, fd, &listener);
	}
	if (err) {
		return err;
	}
	err = qrt_accept(cx, listener, &stream);
	if (!err) {
		qrt_stream_close(cx, &stream);
	}
	qrt_listener_close(cx, &listener);
	return err;
}

static enum qrt_err connect_once(struct qrt_cx *cx, void *arg)
{
	struct service *service = arg;
	struct qrt_stream *stream;
	if (++service->attempts == UP_AFTER) {
		QRT_IGNORE(qrt_notify_one(service->start), "it is open");
	}
	enum qrt_err err = qrt_connect(cx, "127.0.0.1", service->port, &stream);
	if (!err) {
		service->answered = true;
		qrt_stream_close(cx, &stream);
	}
	return err;
}

static enum qrt_err be_refused(struct qrt_cx *cx, void *arg)
{
	++*(unsigned *)arg;
	return qrt_fail(cx, QRT_EACCES, "a wrong key");
}

static enum qrt_err connect_to(struct qrt_cx *cx, struct service *service)
{
	const struct qrt_retry policy = {.attempts = 1000,
					 .delay_ns = QRT_MS,
					 .delay_max_ns = 20 * QRT_MS,
					 .jitter_percent = 50};
	struct qrt_region *region;
	enum qrt_err err = qrt_region_open(cx, QRT_FAIL_FAST, &region);
	if (err) {
		return err;
	}
	err = qrt_spawn(region, serve, service);
	if (!err) {
		err = qrt_retry(qrt_region_cx(region), &policy, connect_once, service);
	}
	return qrt_region_close(cx, &region, err);
}

static enum qrt_err run(struct qrt_cx *cx, void *arg)
{
	struct service *service = arg;
	const struct qrt_retry thrice = {.attempts = 3};
	unsigned refusals = 0;
	int fd;
	/* A port that was free a moment ago, so that the first connections are refused. */
	enum qrt_err err = qrt_socket_listen(cx, "127.0.0.1", 0, &fd, &service->port);
	if (!err) {
		qrt_socket_close(cx, fd);
		err = qrt_notify_open(cx, &service->start);
	}
	if (err) {
		return err;
	}
	err = connect_to(cx, service);
	QRT_IGNORE(qrt_notify_close(&service->start), "it is open");
	if (err || !service->answered || service->attempts < UP_AFTER) {
		return err ? err : QRT_EFAILED;
	}
	printf("connected, after being refused at least %d times\n", UP_AFTER - 1);
	err = qrt_retry(cx, &thrice, be_refused, &refusals);
	if (err != QRT_EACCES || refusals != 1) {
		return QRT_EFAILED;
	}
	printf("%s: not tried again\n", qrt_detail(cx));
	return QRT_OK;
}

int main(int argc, char **argv)
{
	const struct qrt_runtime_options options = {.backend = argc > 1 ? argv[1] : "region"};
	struct qrt_runtime *rt;
	struct service service = {0};
	enum qrt_err err = qrt_runtime_open(&options, NULL, &rt);
	if (!err) {
		err = qrt_run_main(rt, run, &service);
		qrt_runtime_close(&rt);
	}
	return err ? 1 : 0;
}
