/*
 * The control listener beset: neither silent peers nor wedged handlers keep health from answering,
 * a close waits for whom it has let in.
 */
#include "tests/lib/test.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/lib/control_site.h"

enum { IDLE_MAX = 64 };

/* --- silent peers -------------------------------------------------------------------------- */

/* Every second one says nothing at all, the others stop inside a header. */
static void idle_open(int *fds, size_t n, uint16_t port)
{
	static const char half[] = "GET /health HTTP/1.1\r\nHost:";
	size_t i;

	for (i = 0; i < n; i++) {
		fds[i] = control_dial(port);
		if (i % 2 == 1) {
			assert_int_equal(send(fds[i], half, sizeof(half) - 1, MSG_NOSIGNAL),
					 sizeof(half) - 1);
		}
	}
}

static void idle_close(const int *fds, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		close(fds[i]);
	}
}

static void silent_peers_do_not_starve_health(void **state)
{
	/* How many are silent, and how many rounds of REQUEST_MS that may cost. */
	static const struct {
		size_t n;
		int rounds;
	} cases[] = {{THREADS * 4, 0}, {WORKERS - 1, 0}, {WORKERS * 5 / 2, 2}};
	int fds[IDLE_MAX];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct control_site f = control_site_open("127.0.0.1", NULL);
		int64_t start, took;

		assert_true(cases[i].n <= IDLE_MAX);
		idle_open(fds, cases[i].n, f.target.port);
		start = now_ms();
		control_ask(&f, "GET /health", NULL, 200, NULL);
		took = now_ms() - start;
		print_message("# %zu silent peers, %d workers: health after %lld ms\n", cases[i].n,
			      WORKERS, (long long)took);
		assert_true(took < cases[i].rounds * REQUEST_MS + SLACK_MS);
		idle_close(fds, cases[i].n);
		qrt_control_close(&f.control);
	}
}

/* A peer that keeps a request coming, byte by byte, is cut off all the same. */
static void a_dripping_peer_is_cut_off(void **state)
{
	struct control_site f = control_site_open("127.0.0.1", NULL);
	int64_t start = now_ms();
	struct pollfd p = {.events = POLLIN};

	(void)state;
	p.fd = control_dial(f.target.port);
	assert_int_equal(send(p.fd, "GET /", 5, MSG_NOSIGNAL), 5);
	while (poll(&p, 1, 50) == 0) {
		assert_true(now_ms() - start < 3 * REQUEST_MS);
		assert_int_equal(send(p.fd, "a", 1, MSG_NOSIGNAL), 1);
	}
	assert_true(now_ms() - start < REQUEST_MS + SLACK_MS);
	close(p.fd);
	qrt_control_close(&f.control);
}

/* --- wedged handlers ----------------------------------------------------------------------- */

struct asker {
	const struct control_site *f;
	const char *path;
	pthread_t thread;
	enum qrt_err err;
	int status;
	char *body;
};

static void *asker_main(void *arg)
{
	struct asker *a = arg;

	a->err = qrt_control_ask(&a->f->target, "GET", a->path, NULL, &a->status, &a->body);
	return NULL;
}

static void asker_start(struct asker *a, const struct control_site *f, const char *path)
{
	*a = (struct asker){.f = f, .path = path};
	assert_int_equal(pthread_create(&a->thread, NULL, asker_main, a), 0);
}

static void asker_join(struct asker *a, int status_want)
{
	pthread_join(a->thread, NULL);
	assert_int_equal(a->err, QRT_OK);
	assert_int_equal(a->status, status_want);
	free(a->body);
}

static void handlers_run_at_once_and_wedged_ones_do_not_stop_health(void **state)
{
	struct control_site f = control_site_open("127.0.0.1", NULL);
	struct asker askers[THREADS];
	int64_t start;
	size_t i;

	(void)state;
	for (i = 0; i < THREADS; i++) {
		asker_start(&askers[i], &f, "/wedge");
	}
	/* Returns only when all are inside together. */
	gate_wait_inside(THREADS);
	start = now_ms();
	control_ask(&f, "GET /health", NULL, 200, NULL);
	assert_true(now_ms() - start < SLACK_MS);
	control_ask(&f, "GET /metrics", NULL, 503,
		    "{\"error\":\"every control handler is busy\",\"status\":503}\n");
	assert_true(now_ms() - start < REQUEST_MS + 2 * SLACK_MS);
	gate_open();
	for (i = 0; i < THREADS; i++) {
		asker_join(&askers[i], 200);
	}
	control_ask(&f, "GET /metrics", NULL, 200, NULL);
	qrt_control_close(&f.control);
}

/* --- closing and leaving ------------------------------------------------------------------- */

struct closer {
	struct qrt_control *control;
	pthread_t thread;
	atomic_bool done;
};

static void *closer_main(void *arg)
{
	struct closer *c = arg;

	qrt_control_close(&c->control);
	atomic_store(&c->done, true);
	return NULL;
}

static void close_waits_for_handlers_and_their_answers_arrive(void **state)
{
	struct control_site f = control_site_open("127.0.0.1", NULL);
	struct closer closer = {.control = f.control};
	int64_t start = now_ms();
	struct asker asker;
	int status = 200;
	char *body;

	(void)state;
	asker_start(&asker, &f, "/wedge");
	gate_wait_inside(1);
	assert_int_equal(pthread_create(&closer.thread, NULL, closer_main, &closer), 0);
	/* Close has begun once newcomers are told so. */
	while (status != 503) {
		assert_true(now_ms() - start < PATIENCE_MS);
		assert_int_equal(qrt_control_ask(&f.target, "GET", "/health", NULL, &status, &body),
				 QRT_OK);
		free(body);
	}
	assert_false(atomic_load(&closer.done));
	gate_open();
	asker_join(&asker, 200);
	pthread_join(closer.thread, NULL);
	assert_null(closer.control);
	assert_int_equal(qrt_control_ask(&f.target, "GET", "/health", NULL, &status, &body),
			 QRT_ECONNREFUSED);
}

static void a_peer_that_leaves_early_does_not_kill_the_process(void **state)
{
	struct control_site f = control_site_open("127.0.0.1", NULL);
	struct linger reset = {.l_onoff = 1, .l_linger = 0};
	static const char request[] = "GET /large HTTP/1.1\r\nHost: x\r\n\r\n";
	char byte;
	int i, fd;

	(void)state;
	/* The default action, so that only what the server itself does can save us. */
	signal(SIGPIPE, SIG_DFL);
	for (i = 0; i < 5; i++) {
		fd = control_dial(f.target.port);
		assert_int_equal(send(fd, request, sizeof(request) - 1, MSG_NOSIGNAL),
				 sizeof(request) - 1);
		assert_int_equal(recv(fd, &byte, 1, 0), 1);
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
		close(fd);
	}
	control_ask(&f, "GET /health", NULL, 200, NULL);
	qrt_control_close(&f.control);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(silent_peers_do_not_starve_health),
	    cmocka_unit_test(a_dripping_peer_is_cut_off),
	    cmocka_unit_test(handlers_run_at_once_and_wedged_ones_do_not_stop_health),
	    cmocka_unit_test(close_waits_for_handlers_and_their_answers_arrive),
	    cmocka_unit_test(a_peer_that_leaves_early_does_not_kill_the_process),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
