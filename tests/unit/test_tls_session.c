/* What outlives a connection: sessions, ALPN's names, certificates that change. */
#include <pthread.h>
#include <qrt/tls.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shim/src/tls/tls.h"
#include "tests/lib/backends.h"
#include "tests/lib/test.h"
#include "tests/lib/tls_pair.h"

static enum qrt_err talk_once(struct qrt_cx *cx, struct tls_pair *pair)
{
	pair->at_server = tls_echo;
	pair->at_client = tls_talk;
	return tls_pair_well(cx, pair);
}

/* --- sessions -------------------------------------------------------------------------------- */

static enum qrt_err play_resume(struct qrt_cx *cx, void *arg)
{
	struct tls_pair pair = {.server = tls_server(), .client = tls_client()};
	struct qrt_tls *stranger = tls_client(), *first = pair.client;
	(void)arg;
	EXPECT(!talk_once(cx, &pair) && !pair.client_info.resumed && !pair.server_info.resumed);
	for (int i = 0; i < 5; i++) {
		EXPECT(!talk_once(cx, &pair));
		EXPECT(pair.client_info.resumed && pair.server_info.resumed);
	}
	pair.host = "127.0.0.1"; /* the same server by another name */
	EXPECT(!talk_once(cx, &pair) && !pair.client_info.resumed);
	pair.host = NULL;
	pair.client = stranger; /* who has not been there */
	EXPECT(!talk_once(cx, &pair) && !pair.client_info.resumed);
	pair.client = first;
	EXPECT(!talk_once(cx, &pair) && pair.client_info.resumed);
	/* Neither side resumes what was before a reload of its own. */
	EXPECT(!qrt_tls_reload(pair.server, NULL));
	EXPECT(!talk_once(cx, &pair) && !pair.client_info.resumed);
	EXPECT(!talk_once(cx, &pair) && pair.client_info.resumed);
	EXPECT(!qrt_tls_reload(pair.client, NULL));
	EXPECT(!talk_once(cx, &pair) && !pair.client_info.resumed);
	qrt_tls_unref(&pair.server);
	qrt_tls_unref(&pair.client);
	qrt_tls_unref(&stranger);
	return QRT_OK;
}

static void a_session_is_resumed_with_its_host_alone(void **state)
{
	(void)state;
	on_each_backend(play_resume, NULL);
}

static int dropped;

static void drop(void *session)
{
	dropped++;
	free(session);
}

static char *session_of(const char *name, int i)
{
	char *text = malloc(32);
	snprintf(text, 32, "%s %d", name, i);
	return text;
}

static void take(struct qrt__tls_sessions *sessions, const char *key, const char *expected)
{
	char *got = qrt__tls_sessions_take(sessions, key);
	if (expected) {
		assert_non_null(got);
		assert_string_equal(got, expected);
	} else {
		assert_null(got);
	}
	free(got);
}

static void what_is_kept_of_sessions_is_bounded(void **state)
{
	struct qrt__tls_sessions *sessions = qrt__tls_sessions_create(drop);
	char key[32];
	(void)state;
	dropped = 0;
	assert_non_null(sessions);
	take(sessions, "a", NULL);
	for (int i = 0; i < 6; i++) {
		qrt__tls_sessions_put(sessions, "a", session_of("a", i));
	}
	assert_int_equal(dropped, 2); /* the oldest of four */
	qrt__tls_sessions_put(sessions, "b", session_of("b", 0));
	take(sessions, "a", "a 5"); /* the newest first */
	take(sessions, "a", "a 4");
	take(sessions, "b", "b 0");
	take(sessions, "b", NULL);
	for (int i = 0; i < QRT__TLS_SESSIONS_MAX; i++) {
		snprintf(key, sizeof(key), "host %d", i);
		qrt__tls_sessions_put(sessions, key, session_of("s", i));
	}
	assert_int_equal(dropped, 4); /* those two of "a" were the oldest */
	take(sessions, "a", NULL);
	take(sessions, "host 0", "s 0");
	take(sessions, "host 255", "s 255");
	qrt__tls_sessions_destroy(&sessions);
	assert_null(sessions);
	assert_int_equal(dropped, 4 + QRT__TLS_SESSIONS_MAX - 2);
}

/* --- ALPN ------------------------------------------------------------------------------------ */

struct names {
	const char *server, *client, *agreed; /* NULL: refused */
};

static enum qrt_err play_names(struct qrt_cx *cx, void *arg)
{
	const struct names *names = arg;
	const struct qrt_tls_server_options server = {
	    .cert_file = certs()->cert, .key_file = certs()->key, .alpn = names->server};
	const struct qrt_tls_client_options client = {.ca_file = certs()->ca,
						      .alpn = names->client};
	struct tls_pair pair = {.server = tls_server_with(&server),
				.client = tls_client_with(&client)};
	enum qrt_err err = names->agreed ? talk_once(cx, &pair) : tls_pair_play(cx, &pair);
	/* Resumed or not, it is agreed on anew. */
	err = err || !names->agreed ? err : talk_once(cx, &pair);
	qrt_tls_unref(&pair.server);
	qrt_tls_unref(&pair.client);
	EXPECT(!err);
	if (names->agreed) {
		EXPECT(strcmp(pair.client_alpn, names->agreed) == 0);
		EXPECT(strcmp(pair.server_alpn, names->agreed) == 0);
	} else {
		EXPECT(pair.client_err == QRT_EPROTO && pair.server_err == QRT_EPROTO);
		EXPECT(strstr(pair.client_detail, "the peer says: "));
		EXPECT(strstr(pair.client_detail, "no application protocol"));
	}
	return QRT_OK;
}

static void both_speak_what_the_server_prefers_of_what_both_know(void **state)
{
	(void)state;
	struct names all[] = {{"http/1.1", "http/1.1", "http/1.1"},
			      {"h2,http/1.1", "http/1.1,h2", "h2"},
			      {"h2,http/1.1", "spdy/1,http/1.1", "http/1.1"},
			      {"http/1.1", NULL, ""},
			      {NULL, "http/1.1", ""},
			      {"http/1.1", "h2", NULL}};
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		on_each_backend(play_names, &all[i]);
	}
}

/* --- reload ---------------------------------------------------------------------------------- */

struct changing {
	char cert[128], key[128];
	struct qrt_tls *server, *before, *after; /* clients that believe the one or the other */
};

static void use_files(const struct changing *changing, const char *cert, const char *key)
{
	certs_copy(cert, changing->cert);
	certs_copy(key, changing->key);
}

/* In the middle of a connection the certificate changes; it goes on. */
static enum qrt_err reload_and_talk(struct qrt_cx *cx, struct tls_pair *pair,
				    struct qrt_stream *stream)
{
	const struct changing *changing = pair->arg;
	char detail[QRT_DETAIL];
	struct tls_pair next = {.server = changing->server, .client = changing->after};
	/* A reload that cannot be changes nothing. */
	use_files(changing, certs()->cert, certs()->other_key);
	EXPECT(qrt_tls_reload(changing->server, detail) == QRT_EINVAL);
	EXPECT(strcmp(detail, "key_file: key values mismatch") == 0);
	EXPECT(qrt_tls_reload(changing->server, NULL) == QRT_EINVAL);
	next.client = changing->before;
	EXPECT(!talk_once(cx, &next));
	use_files(changing, certs()->other_cert, certs()->other_key);
	EXPECT(!talk_once(cx, &next)); /* the files alone change nothing either */
	EXPECT(!qrt_tls_reload(changing->server, detail));
	next.client = changing->after;
	EXPECT(!talk_once(cx, &next));
	next.client = changing->before;
	EXPECT(!tls_pair_play(cx, &next) && next.client_err == QRT_EPROTO);
	return tls_talk(cx, pair, stream);
}

static enum qrt_err play_reload(struct qrt_cx *cx, void *arg)
{
	struct changing changing;
	struct qrt_tls_client_options client = {.ca_file = certs()->ca};
	(void)arg;
	certs();
	certs_path("changing-cert.pem", changing.cert);
	certs_path("changing-key.pem", changing.key);
	use_files(&changing, certs()->cert, certs()->key);
	const struct qrt_tls_server_options server = {.cert_file = changing.cert,
						      .key_file = changing.key};
	changing.server = tls_server_with(&server);
	changing.before = tls_client_with(&client);
	client.ca_file = certs()->other_ca;
	changing.after = tls_client_with(&client);
	struct tls_pair pair = {.server = changing.server,
				.client = changing.before,
				.at_server = tls_echo,
				.at_client = reload_and_talk,
				.arg = &changing};
	enum qrt_err err = tls_pair_well(cx, &pair);
	qrt_tls_unref(&changing.server);
	qrt_tls_unref(&changing.before);
	qrt_tls_unref(&changing.after);
	return err;
}

static void new_handshakes_use_what_was_reloaded_and_old_connections_go_on(void **state)
{
	(void)state;
	on_each_backend(play_reload, NULL);
}

/* --- threads --------------------------------------------------------------------------------- */

enum { ROUNDS = 12 };

struct shared {
	struct qrt_tls *server, *client;
	const char *backend;
	enum qrt_err err;
	_Atomic int *left;
};

static enum qrt_err play_rounds(struct qrt_cx *cx, void *arg)
{
	struct shared *shared = arg;
	struct tls_pair pair = {.server = shared->server, .client = shared->client};
	enum qrt_err err = QRT_OK;
	for (int i = 0; i < ROUNDS && !err; i++) {
		err = talk_once(cx, &pair);
	}
	return err;
}

static void *run_rounds(void *arg)
{
	struct shared *shared = arg;
	shared->err = on_backend(shared->backend, play_rounds, shared);
	(*shared->left)--;
	return NULL;
}

static void runtimes_share_one_while_it_is_reloaded(void **state)
{
	size_t n;
	const char *const *names = qrt_backend_names(&n);
	struct shared shared[8];
	pthread_t threads[8];
	_Atomic int left = (int)n;
	struct qrt_tls *server = tls_server(), *client = tls_client();
	(void)state;
	assert_true(n <= 8);
	for (size_t i = 0; i < n; i++) {
		shared[i] = (struct shared){.backend = names[i], .left = &left};
		shared[i].server = qrt_tls_ref(server);
		shared[i].client = qrt_tls_ref(client);
		assert_int_equal(pthread_create(&threads[i], NULL, run_rounds, &shared[i]), 0);
	}
	while (left > 0) {
		assert_int_equal(qrt_tls_reload(server, NULL), QRT_OK);
		assert_int_equal(qrt_tls_reload(client, NULL), QRT_OK);
	}
	qrt_tls_unref(&server);
	qrt_tls_unref(&client);
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(pthread_join(threads[i], NULL), 0);
		assert_int_equal(shared[i].err, QRT_OK);
		qrt_tls_unref(&shared[i].server);
		qrt_tls_unref(&shared[i].client);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_session_is_resumed_with_its_host_alone),
	    cmocka_unit_test(what_is_kept_of_sessions_is_bounded),
	    cmocka_unit_test(both_speak_what_the_server_prefers_of_what_both_know),
	    cmocka_unit_test(new_handshakes_use_what_was_reloaded_and_old_connections_go_on),
	    cmocka_unit_test(runtimes_share_one_while_it_is_reloaded),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
