/*
 * Many WebSockets, many contexts, several threads: nothing is left of any of them, an idle one
 * wakes nobody, a busy one costs no more than its bytes, and who leaves in a hurry still says
 * goodbye.
 */
#include <dirent.h>
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shim/src/internal.h"
#include "tests/lib/test.h"
#include "tests/lib/ws_ends.h"

enum { CONNECTIONS = 1000, WARM_UP = 100, RUNTIMES = 50, THREADS = 4, LEAVERS = 8 };

static int open_descriptors(void)
{
	int n = 0;
	DIR *dir = opendir("/proc/self/fd");
	assert_non_null(dir);
	while (readdir(dir)) {
		n++;
	}
	closedir(dir);
	return n;
}

/* One connection, one question, one answer, a proper end. */
static enum qrt_err ask_once(struct qrt_cx *cx, struct ends *ends)
{
	struct qrt_ws_message message;
	EXPECT(!open_ends(cx, ends));
	EXPECT(!qrt_ws_send_text(cx, ends->client, "question"));
	EXPECT(!qrt_ws_recv(cx, ends->server, &message));
	EXPECT(is_message(&message, QRT_WS_TEXT, "question"));
	EXPECT(!qrt_ws_send_text(cx, ends->server, "answer"));
	EXPECT(!qrt_ws_recv(cx, ends->client, &message));
	EXPECT(!qrt_ws_shutdown(cx, ends->client, 1000, NULL));
	EXPECT(qrt_ws_recv(cx, ends->server, &message) == QRT_EEOF);
	return close_ends(cx, ends);
}

static enum qrt_err play_thousand(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	size_t before = 0;
	int descriptors = 0;
	for (int i = 0; i < CONNECTIONS; i++) {
		struct ends ends = {.port = 0};
		if (i == WARM_UP) {
			EXPECT(!rest(cx));
			before = mallinfo2().uordblks;
			descriptors = open_descriptors();
		}
		EXPECT(!ask_once(cx, &ends));
	}
	EXPECT(!rest(cx));
	EXPECT(open_descriptors() <= descriptors);
	/* A sanitizer's allocator tells nothing here, and finds leaks by itself. */
	EXPECT(mallinfo2().uordblks <= before + (CONNECTIONS - WARM_UP) * 8);
	return QRT_OK;
}

static void of_a_thousand_connections_nothing_is_left(void **state)
{
	(void)state;
	on_each_real_backend(play_thousand, NULL);
}

static enum qrt_err play_refused(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	int descriptors = 0;
	for (int i = 0; i < WARM_UP; i++) {
		struct qrt_ws *ws = NULL;
		EXPECT(qrt_ws_connect(cx, "ws://127.0.0.1:9/", NULL, &ws) == QRT_ECONNREFUSED);
		descriptors = i == 1 ? open_descriptors() : descriptors;
	}
	EXPECT(open_descriptors() <= descriptors);
	return QRT_OK;
}

static void of_attempts_that_were_refused_nothing_is_left(void **state)
{
	(void)state;
	on_each_real_backend(play_refused, NULL);
}

static enum qrt_err play_one(struct qrt_cx *cx, void *arg)
{
	struct ends ends = {.port = 0};
	(void)arg;
	return ask_once(cx, &ends);
}

static void of_fifty_contexts_nothing_is_left(void **state)
{
	(void)state;
	on_each_real_backend(play_one, NULL);
	int descriptors = open_descriptors();
	for (int i = 0; i < RUNTIMES; i++) {
		on_each_real_backend(play_one, NULL);
	}
	assert_int_equal(open_descriptors(), descriptors);
}

/* libuv closes by the bare system call, and TSan takes the next owner of the number for a racer. */
#ifdef __has_feature
#if __has_feature(thread_sanitizer)
#define SEES_NO_CLOSE 1
#endif
#endif
static void *run_on(void *arg)
{
	const char *backend = arg;
	enum qrt_err err = QRT_OK;
	for (int i = 0; i < RUNTIMES / THREADS && !err; i++) {
		err = on_backend(backend, play_one, NULL);
	}
	return err ? arg : NULL;
}

static void several_threads_have_contexts_of_their_own(void **state)
{
	(void)state;
	size_t n;
	const char *const *names = real_backends(&n);
	pthread_t thread[THREADS];
	for (size_t i = 0; i < THREADS; i++) {
#ifdef SEES_NO_CLOSE
		char *name = (char *)(uintptr_t)names[0];
#else
		char *name = (char *)(uintptr_t)names[i % n];
#endif
		assert_int_equal(pthread_create(&thread[i], NULL, run_on, name), 0);
	}
	for (size_t i = 0; i < THREADS; i++) {
		void *failed = "not joined";
		assert_int_equal(pthread_join(thread[i], &failed), 0);
		assert_null(failed);
	}
}

/* --- idle ------------------------------------------------------------------------------------ */

static enum qrt_err play_idle(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct ends ends = {.port = 0};
	struct qrt_audit before, after;
	EXPECT(!open_ends(cx, &ends));
	EXPECT(!qrt_ws_send_text(cx, ends.client, "and then nothing"));
	EXPECT(!rest(cx));
	qrt_runtime_audit(qrt_cx_runtime(cx), &before);
	EXPECT(!qrt_sleep(cx, 300 * QRT_MS));
	qrt_runtime_audit(qrt_cx_runtime(cx), &after);
	/* The one that ends the sleep; libuv may look twice. */
	EXPECT(after.turns - before.turns <= 2);
	return close_ends(cx, &ends);
}

static void an_idle_connection_wakes_nobody(void **state)
{
	(void)state;
	on_each_real_backend(play_idle, NULL);
}

/* --- in a hurry ------------------------------------------------------------------------------ */

struct counter {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	uint16_t port;
	int goodbyes;
	const char *backend;
	enum qrt_err err;
};

static enum qrt_err play_counter(struct qrt_cx *cx, void *arg)
{
	struct counter *counter = arg;
	struct ends ends = {.port = 0};
	EXPECT(!listen_here(cx, &ends));
	pthread_mutex_lock(&counter->lock);
	counter->port = ends.port;
	pthread_cond_signal(&counter->changed);
	pthread_mutex_unlock(&counter->lock);
	for (int i = 0; i < LEAVERS; i++) {
		struct qrt_ws_message message;
		ends.server = NULL;
		EXPECT(!accept_one(cx, &ends) && !ends.accepted);
		EXPECT(!qrt_ws_recv(cx, ends.server, &message));
		EXPECT(qrt_ws_recv(cx, ends.server, &message) == QRT_EEOF);
		counter->goodbyes += info_of(cx, ends.server).code == QRT_WS_GOING_AWAY;
		qrt_ws_close(cx, &ends.server);
	}
	qrt_listener_close(cx, &ends.listener);
	return QRT_OK;
}

static void *run_counter(void *arg)
{
	struct counter *counter = arg;
	counter->err = on_backend(counter->backend, play_counter, counter);
	return NULL;
}

/* The runtime is closed right after it. */
static enum qrt_err play_leaver(struct qrt_cx *cx, void *arg)
{
	struct ends ends = {.port = *(const uint16_t *)arg};
	EXPECT(!dial(cx, &ends, "ws", &ends.client));
	EXPECT(!qrt_ws_send_text(cx, ends.client, "I am off"));
	qrt_ws_close(cx, &ends.client);
	return QRT_OK;
}

static void who_leaves_with_its_runtime_says_goodbye(void **state)
{
	(void)state;
	size_t n;
	const char *const *names = real_backends(&n);
	for (size_t i = 0; i < n; i++) {
		struct counter counter = {.backend = names[i]};
		pthread_t thread;
		pthread_mutex_init(&counter.lock, NULL);
		pthread_cond_init(&counter.changed, NULL);
		assert_int_equal(pthread_create(&thread, NULL, run_counter, &counter), 0);
		pthread_mutex_lock(&counter.lock);
		while (counter.port == 0) {
			pthread_cond_wait(&counter.changed, &counter.lock);
		}
		pthread_mutex_unlock(&counter.lock);
		for (int k = 0; k < LEAVERS; k++) {
			assert_int_equal(on_backend(names[i], play_leaver, &counter.port), QRT_OK);
		}
		assert_int_equal(pthread_join(thread, NULL), 0);
		assert_int_equal(counter.err, QRT_OK);
		assert_int_equal(counter.goodbyes, LEAVERS);
		pthread_mutex_destroy(&counter.lock);
		pthread_cond_destroy(&counter.changed);
	}
}

/* --- a busy one ------------------------------------------------------------------------------ */

enum { ECHOES = 200, SENT = 60, HEARD_MIN = 20 };
_Static_assert(SENT < (int)QRT_WS_QUEUE_MAX, "nobody waits for room in the queue");

/* A driver like the runtime's own, that counts what is watched anew. */
static struct {
	struct qrt__driver driver;
	const struct qrt__driver *real;
	unsigned arms;
} counting;

static void count_arm(struct qrt__watch *watch, unsigned io)
{
	counting.arms++;
	counting.real->watch_arm(watch, io);
}

static enum qrt_err echo_often(struct qrt_cx *cx, const struct ends *ends)
{
	struct qrt_ws_message message;
	for (int i = 0; i < ECHOES; i++) {
		EXPECT(!qrt_ws_send_text(cx, ends->client, "there"));
		EXPECT(!qrt_ws_recv(cx, ends->server, &message));
		EXPECT(!qrt_ws_send(cx, ends->server, message.type, message.data, message.n));
		EXPECT(!qrt_ws_recv(cx, ends->client, &message));
		EXPECT(is_message(&message, QRT_WS_TEXT, "there"));
	}
	return QRT_OK;
}

static enum qrt_err play_echoes(struct qrt_cx *cx, void *arg)
{
	struct qrt_runtime *rt = qrt_cx_runtime(cx);
	struct ends ends = {.port = 0};
	(void)arg;
	EXPECT(!open_ends(cx, &ends) && !rest(cx));
	counting.real = rt->driver;
	counting.driver = *rt->driver;
	counting.driver.watch_arm = count_arm;
	counting.arms = 0;
	rt->driver = &counting.driver;
	enum qrt_err err = echo_often(cx, &ends);
	rt->driver = counting.real;
	EXPECT(!err && counting.arms == 0);
	return close_ends(cx, &ends);
}

static void a_message_changes_nothing_of_what_is_watched(void **state)
{
	(void)state;
	on_each_real_backend(play_echoes, NULL);
}

/* It waits for nothing but its own messages, and those the system takes at once. */
static enum qrt_err play_just_sends(struct qrt_cx *cx, void *arg)
{
	struct ends ends = {.port = 0};
	(void)arg;
	EXPECT(!open_ends(cx, &ends));
	for (int i = 0; i < SENT; i++) {
		EXPECT(!qrt_ws_send_text(cx, ends.client, "and another"));
	}
	EXPECT(info_of(cx, ends.server).received >= HEARD_MIN);
	return close_ends(cx, &ends);
}

static void who_just_sends_keeps_nobody_from_being_heard(void **state)
{
	(void)state;
	on_each_real_backend(play_just_sends, NULL);
}

#define TEST(name) cmocka_unit_test(name)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(of_a_thousand_connections_nothing_is_left),
	    TEST(of_attempts_that_were_refused_nothing_is_left),
	    TEST(of_fifty_contexts_nothing_is_left),
	    TEST(several_threads_have_contexts_of_their_own),
	    TEST(an_idle_connection_wakes_nobody),
	    TEST(a_message_changes_nothing_of_what_is_watched),
	    TEST(who_just_sends_keeps_nobody_from_being_heard),
	    TEST(who_leaves_with_its_runtime_says_goodbye),
	};
	/* Nobody listens there; and who asked for the environment? */
	if (setenv("http_proxy", "http://127.0.0.1:9", 1) != 0) {
		return 1;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
