/*
 * Timeout: a service is asked over a real connection. When it stays silent the question is given
 * up after a while, with everything it held, and the last known answer stands.
 */
#include <qrt/qrt.h>
#include <stdio.h>
#include <string.h>

struct service {
	struct qrt_listener *listener;
	uint16_t port;
	char rate[16]; /* what was answered */
};

/* Leaves the first question unanswered, and answers the second. */
static enum qrt_err serve(struct qrt_cx *cx, void *arg)
{
	struct service *service = arg;
	struct qrt_stream *first = NULL, *second = NULL;
	enum qrt_err err = qrt_accept(cx, service->listener, &first);
	if (!err) {
		err = qrt_accept(cx, service->listener, &second);
	}
	if (!err) {
		err = qrt_write(cx, second, "1.0842", 6);
	}
	qrt_stream_close(cx, &second);
	qrt_stream_close(cx, &first);
	return err;
}

static enum qrt_err ask_rate(struct qrt_cx *cx, void *arg)
{
	struct service *service = arg;
	struct qrt_stream *stream;
	size_t n;
	enum qrt_err err = qrt_connect(cx, "127.0.0.1", service->port, &stream);
	if (err) {
		return err;
	}
	err = qrt_read(cx, stream, service->rate, sizeof(service->rate) - 1, &n);
	qrt_stream_close(cx, &stream);
	return err;
}

static enum qrt_err update(struct qrt_cx *cx, struct service *service, int64_t patience_ns,
			   char *rate)
{
	enum qrt_err err = qrt_timeout(cx, patience_ns, ask_rate, service);
	if (err == QRT_ETIMEDOUT) {
		return QRT_OK; /* the last known rate stands */
	}
	if (!err) {
		memcpy(rate, service->rate, sizeof(service->rate));
	}
	return err;
}

static enum qrt_err ask_twice(struct qrt_cx *cx, void *arg)
{
	char rate[16] = "1.0800";
	enum qrt_err err = update(cx, arg, 30 * QRT_MS, rate);
	if (err || strcmp(rate, "1.0800") != 0) {
		return err ? err : QRT_EFAILED;
	}
	printf("no answer in 30 ms: the rate is still %s\n", rate);
	err = update(cx, arg, 60 * QRT_SEC, rate);
	if (err || strcmp(rate, "1.0842") != 0) {
		return err ? err : QRT_EFAILED;
	}
	printf("answered: the rate is now %s\n", rate);
	return QRT_OK;
}

static enum qrt_err run(struct qrt_cx *cx, void *arg)
{
	struct service *service = arg;
	const struct qrt_branch both[] = {{serve, service, "serve"}, {ask_twice, service, "ask"}};
	int fd;
	enum qrt_err err = qrt_socket_listen(cx, "127.0.0.1", 0, &fd, &service->port);
	if (!err) {
		err = qrt_listener_adopt(cx, fd, &service->listener);
	}
	if (!err) {
		err = qrt_join(cx, both, 2, NULL);
	}
	qrt_listener_close(cx, &service->listener);
	return err;
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
