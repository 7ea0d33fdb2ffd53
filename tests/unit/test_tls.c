/* TLS between two ends of ours, on each backend: what is said arrives, and how it ends is told. */
#include <qrt/tls.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/backends.h"
#include "tests/lib/test.h"
#include "tests/lib/tls_pair.h"

struct fixture {
	struct qrt_tls *server, *client;
};

static int set_up(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));
	fixture->server = tls_server();
	fixture->client = tls_client();
	*state = fixture;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *fixture = *state;
	qrt_tls_unref(&fixture->server);
	qrt_tls_unref(&fixture->client);
	free(fixture);
	return 0;
}

static enum qrt_err play_talk(struct qrt_cx *cx, void *arg)
{
	const struct fixture *fixture = arg;
	struct tls_pair pair = {.server = fixture->server,
				.client = fixture->client,
				.at_server = tls_echo,
				.at_client = tls_talk};
	enum qrt_err err = tls_pair_well(cx, &pair);
	EXPECT(err || strcmp(pair.client_info.version, "TLSv1.3") == 0);
	EXPECT(err || strcmp(pair.client_info.cipher, pair.server_info.cipher) == 0);
	EXPECT(err || strcmp(pair.client_alpn, "") == 0);
	return err;
}

static void what_is_said_is_heard_and_so_is_the_end(void **state)
{
	on_each_backend(play_talk, *state);
}

/* --- sizes ----------------------------------------------------------------------------------- */

enum { SLICES = 8, LONG = 40000 };

static const size_t slice_sizes[SLICES] = {1, 0, 7, 300, LONG, 2, 0, 5000};

static enum qrt_err write_slices(struct qrt_cx *cx, struct tls_pair *pair,
				 struct qrt_stream *stream)
{
	static char text[LONG];
	struct qrt_slice slices[SLICES];
	(void)pair;
	for (size_t i = 0; i < LONG; i++) {
		text[i] = (char)('a' + i % 23);
	}
	for (size_t i = 0; i < SLICES; i++) {
		slices[i] = (struct qrt_slice){.data = text + i, .len = slice_sizes[i]};
		slices[i].len -= i < slices[i].len && slices[i].len == LONG ? i : 0;
	}
	EXPECT(!qrt_writev(cx, stream, slices, SLICES));
	EXPECT(!qrt_writev(cx, stream, slices, 0)); /* nothing is nothing */
	EXPECT(qrt_writev(cx, stream, slices, SLICES + 1) == QRT_EINVAL);
	EXPECT(!qrt_stream_shutdown(cx, stream));
	EXPECT(!qrt_stream_shutdown(cx, stream)); /* any number of times */
	EXPECT(qrt_write(cx, stream, "x", 1) == QRT_ECONNRESET);
	return tls_to_the_end(cx, pair, stream);
}

static enum qrt_err read_slices(struct qrt_cx *cx, struct tls_pair *pair, struct qrt_stream *stream)
{
	static char got[LONG];
	for (size_t i = 0; i < SLICES; i++) {
		size_t n = slice_sizes[i] == LONG ? LONG - i : slice_sizes[i];
		EXPECT(!tls_read_all(cx, stream, got, n));
		for (size_t k = 0; k < n; k++) {
			EXPECT(got[k] == (char)('a' + (i + k) % 23));
		}
	}
	char more;
	size_t n;
	EXPECT(qrt_read(cx, stream, &more, 1, &n) == QRT_EEOF);
	EXPECT(qrt_read(cx, stream, &more, 1, &n) == QRT_EEOF); /* it stays */
	/* Its end is ours no more than ours is its: this direction goes on. */
	EXPECT(!qrt_write(cx, stream, "after", 5));
	EXPECT(!qrt_stream_shutdown(cx, stream));
	(void)pair;
	return QRT_OK;
}

static enum qrt_err play_slices(struct qrt_cx *cx, void *arg)
{
	const struct fixture *fixture = arg;
	struct tls_pair pair = {.server = fixture->server,
				.client = fixture->client,
				.at_server = read_slices,
				.at_client = write_slices};
	return tls_pair_well(cx, &pair);
}

static void slices_arrive_in_order_whatever_their_sizes(void **state)
{
	on_each_backend(play_slices, *state);
}

/* --- both directions at once ----------------------------------------------------------------- */

enum { MUCH = 1 << 20 };

static char byte_at(size_t i, char salt)
{
	return (char)((i * 31 >> 7) ^ (size_t)salt);
}

struct flood {
	struct qrt_stream *stream;
	char salt;
};

static enum qrt_err pour(struct qrt_cx *cx, void *arg)
{
	const struct flood *flood = arg;
	char buf[30011];
	enum qrt_err err = QRT_OK;
	for (size_t at = 0; at < MUCH && !err; at += sizeof(buf)) {
		size_t n = MUCH - at < sizeof(buf) ? MUCH - at : sizeof(buf);
		for (size_t i = 0; i < n; i++) {
			buf[i] = byte_at(at + i, flood->salt);
		}
		err = qrt_write(cx, flood->stream, buf, n);
	}
	return err ? err : qrt_stream_shutdown(cx, flood->stream);
}

static enum qrt_err flood_both_ways(struct qrt_cx *cx, struct qrt_stream *stream, char ours,
				    char theirs)
{
	struct flood flood = {.stream = stream, .salt = ours};
	struct qrt_region *region;
	char buf[20000];
	size_t total = 0, n;
	EXPECT(!qrt_region_open(cx, QRT_FAIL_FAST, &region));
	enum qrt_err err = qrt_spawn(region, pour, &flood);
	while (!err) {
		err = qrt_read(cx, stream, buf, sizeof(buf), &n);
		for (size_t i = 0; !err && i < n; i++, total++) {
			if (buf[i] != byte_at(total, theirs)) {
				err = QRT_ECORRUPT;
			}
		}
	}
	err = qrt_region_close(cx, &region, err == QRT_EEOF ? QRT_OK : err);
	EXPECT(err || total == MUCH);
	return err;
}

static enum qrt_err flood_server(struct qrt_cx *cx, struct tls_pair *pair,
				 struct qrt_stream *stream)
{
	(void)pair;
	return flood_both_ways(cx, stream, 's', 'c');
}

static enum qrt_err flood_client(struct qrt_cx *cx, struct tls_pair *pair,
				 struct qrt_stream *stream)
{
	(void)pair;
	return flood_both_ways(cx, stream, 'c', 's');
}

static enum qrt_err play_flood(struct qrt_cx *cx, void *arg)
{
	const struct fixture *fixture = arg;
	struct tls_pair pair = {.server = fixture->server,
				.client = fixture->client,
				.at_server = flood_server,
				.at_client = flood_client};
	return tls_pair_well(cx, &pair);
}

static void a_megabyte_goes_both_ways_at_once(void **state)
{
	on_each_backend(play_flood, *state);
}

/* --- handles --------------------------------------------------------------------------------- */

struct closing {
	struct qrt_stream *stream;
	int waiting;	  /* tasks that have begun: whenever others run, they wait */
	bool met, closed; /* the server's handshake is done, too; the client has closed */
};

static enum qrt_err reads_until_closed(struct qrt_cx *cx, void *arg)
{
	struct closing *closing = arg;
	char c;
	size_t n;
	/* With this all that the handshake has left has been read: nothing more wakes us. */
	EXPECT(!qrt_read(cx, closing->stream, &c, 1, &n));
	closing->waiting++;
	enum qrt_err err = qrt_read(cx, closing->stream, &c, 1, &n);
	return err == QRT_ECLOSED ? QRT_OK : QRT_EFAILED;
}

static enum qrt_err writes_until_closed(struct qrt_cx *cx, void *arg)
{
	static const char block[65536];
	struct closing *closing = arg;
	enum qrt_err err = QRT_OK;
	closing->waiting++;
	while (!err) {
		err = qrt_write(cx, closing->stream, block, sizeof(block));
	}
	return err == QRT_ECLOSED ? QRT_OK : QRT_EFAILED;
}

/* The peer reads nothing: its writer waits, its reader waits, and then it is closed. */
static enum qrt_err close_on_waiters(struct qrt_cx *cx, struct tls_pair *pair,
				     struct qrt_stream *stream)
{
	struct qrt_stream *handle = stream;
	struct closing *closing = pair->arg;
	struct qrt_region *region;
	char c;
	size_t n;
	closing->stream = stream;
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &region));
	EXPECT(!qrt_spawn(region, reads_until_closed, closing));
	EXPECT(!qrt_spawn(region, writes_until_closed, closing));
	while (closing->waiting < 2 || !closing->met) {
		EXPECT(!qrt_sleep(cx, QRT_MS));
	}
	EXPECT(qrt_read(cx, stream, &c, 1, &n) == QRT_EBUSY);
	EXPECT(qrt_write(cx, stream, "x", 1) == QRT_EBUSY);
	EXPECT(strcmp(qrt_detail(cx), "another task writes to this stream") == 0);
	EXPECT(qrt_stream_shutdown(cx, stream) == QRT_EBUSY);
	qrt_stream_close(cx, &handle);
	closing->closed = true;
	EXPECT(!handle);
	EXPECT(!qrt_region_close(cx, &region, QRT_OK));
	EXPECT(qrt_read(cx, stream, &c, 1, &n) == QRT_ESTALE);
	EXPECT(qrt_write(cx, stream, "x", 1) == QRT_ESTALE);
	EXPECT(qrt_stream_shutdown(cx, stream) == QRT_ESTALE);
	struct qrt_tls_info info;
	EXPECT(qrt_tls_info(stream, &info) == QRT_ESTALE);
	EXPECT(strcmp(qrt_stream_peer(stream), "") == 0);
	return QRT_OK;
}

/* What was in the middle of a write is cut, not ended. */
static enum qrt_err expect_cut(struct qrt_cx *cx, struct tls_pair *pair, struct qrt_stream *stream)
{
	struct closing *closing = pair->arg;
	closing->met = true;
	EXPECT(!qrt_write(cx, stream, "x", 1));
	while (!closing->closed) {
		EXPECT(!qrt_sleep(cx, QRT_MS));
	}
	EXPECT(tls_to_the_end(cx, pair, stream) == QRT_ECONNRESET);
	return QRT_OK;
}

static enum qrt_err play_close(struct qrt_cx *cx, void *arg)
{
	struct closing closing = {0};
	const struct fixture *fixture = arg;
	struct tls_pair pair = {.server = fixture->server,
				.client = fixture->client,
				.at_server = expect_cut,
				.at_client = close_on_waiters,
				.arg = &closing};
	return tls_pair_well(cx, &pair);
}

static void who_waits_is_told_of_a_close(void **state)
{
	on_each_backend(play_close, *state);
}

struct wrapping {
	struct qrt_tls *tls;
	struct qrt_stream *plain, *stream;
};

static enum qrt_err accept_tls(struct qrt_cx *cx, void *arg)
{
	struct wrapping *wrapping = arg;
	return qrt_tls_accept(cx, wrapping->tls, &wrapping->stream);
}

/* Connected, and wrapped on both sides; the server's by a task of its own. */
static enum qrt_err open_pair(struct qrt_cx *cx, const struct fixture *fixture,
			      struct wrapping *server, struct wrapping *client)
{
	struct qrt_listener *listener;
	struct qrt_region *region;
	uint16_t port;
	int fd;
	EXPECT(!qrt_socket_listen(cx, "127.0.0.1", 0, &fd, &port));
	EXPECT(!qrt_listener_adopt(cx, fd, &listener));
	EXPECT(!qrt_connect(cx, "127.0.0.1", port, &client->stream));
	EXPECT(!qrt_accept(cx, listener, &server->stream));
	qrt_listener_close(cx, &listener);
	client->plain = client->stream;
	server->plain = server->stream;
	server->tls = fixture->server;
	EXPECT(!qrt_region_open(cx, QRT_FAIL_FAST, &region));
	EXPECT(!qrt_spawn(region, accept_tls, server));
	enum qrt_err err =
	    qrt_tls_connect(qrt_region_cx(region), fixture->client, "server.test", &client->stream);
	return qrt_region_close(cx, &region, err);
}

static enum qrt_err play_handles(struct qrt_cx *cx, void *arg)
{
	struct wrapping server = {0}, client = {0};
	struct qrt_audit before, after;
	struct qrt_region *region;
	struct qrt_tls_info info;
	char c;
	size_t n;
	qrt_runtime_audit(qrt_cx_runtime(cx), &before);
	EXPECT(!open_pair(cx, arg, &server, &client));
	qrt_runtime_audit(qrt_cx_runtime(cx), &after);
	/* An encrypted stream is one stream and one duty. */
	EXPECT(after.streams_live == before.streams_live + 2);
	EXPECT(after.duties_live == before.duties_live + 2);
	/* Nobody gets past the encryption by an older handle. */
	EXPECT(qrt_read(cx, client.plain, &c, 1, &n) == QRT_ESTALE);
	EXPECT(qrt_write(cx, server.plain, "x", 1) == QRT_ESTALE);
	EXPECT(qrt_tls_info(client.plain, &info) == QRT_ESTALE);
	EXPECT(strstr(qrt_stream_peer(client.stream), "127.0.0.1:") ||
	       strstr(qrt_stream_peer(client.stream), "lab"));
	/* It is given like others, and its region then closes it. */
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &region));
	EXPECT(!qrt_stream_give(cx, client.stream, region));
	enum qrt_err closed = qrt_region_close(cx, &region, QRT_OK);
	if (is_structured(cx)) {
		EXPECT(closed == QRT_ELEAK);
		EXPECT(strstr(qrt_detail(cx), "TLS stream"));
		EXPECT(qrt_read(cx, client.stream, &c, 1, &n) == QRT_ESTALE);
	} else {
		qrt_stream_close(cx, &client.stream);
	}
	EXPECT(qrt_read(cx, server.stream, &c, 1, &n) == QRT_EEOF);
	qrt_stream_close(cx, &server.stream);
	return QRT_OK;
}

static void a_handle_stands_for_the_encrypted_stream_alone(void **state)
{
	on_each_backend(play_handles, *state);
}

static enum qrt_err play_misuse(struct qrt_cx *cx, void *arg)
{
	const struct fixture *fixture = arg;
	struct qrt_stream *stream, *copy;
	struct qrt_tls_info info;
	uint16_t port;
	int fd;
	EXPECT(!qrt_socket_listen(cx, "127.0.0.1", 0, &fd, &port));
	EXPECT(!qrt_connect(cx, "127.0.0.1", port, &stream));
	EXPECT(qrt_tls_info(stream, &info) == QRT_EINVAL);
	copy = stream;
	EXPECT(qrt_tls_connect(cx, fixture->server, "server.test", &stream) == QRT_EINVAL);
	EXPECT(strcmp(qrt_detail(cx), "TLS: these are the options of a server") == 0);
	EXPECT(!stream);
	EXPECT(qrt_tls_connect(cx, fixture->client, "server.test", &copy) == QRT_ESTALE);
	EXPECT(!qrt_connect(cx, "127.0.0.1", port, &stream));
	EXPECT(qrt_tls_connect(cx, fixture->client, NULL, &stream) == QRT_EINVAL);
	EXPECT(strcmp(qrt_detail(cx), "TLS: a host name of 0 bytes") == 0);
	EXPECT(!qrt_connect(cx, "127.0.0.1", port, &stream));
	struct qrt_cx *narrow = qrt_cx_narrow(cx, QRT_CAP_ALL & ~(uint32_t)QRT_CAP_NET);
	EXPECT(qrt_tls_connect(narrow, fixture->client, "server.test", &stream) == QRT_ENOTCAPABLE);
	EXPECT(!stream);
	qrt_socket_close(cx, fd);
	return QRT_OK;
}

static void misuse_is_told_and_closes_the_connection(void **state)
{
	on_each_backend(play_misuse, *state);
}

/* --- over itself ----------------------------------------------------------------------------- */

static enum qrt_err inner_server(struct qrt_cx *cx, struct tls_pair *pair,
				 struct qrt_stream *stream)
{
	struct fixture *fixture = pair->arg;
	enum qrt_err err = qrt_tls_accept(cx, fixture->server, &stream);
	err = err ? err : flood_both_ways(cx, stream, 's', 'c');
	qrt_stream_close(cx, &stream);
	return err;
}

static enum qrt_err inner_client(struct qrt_cx *cx, struct tls_pair *pair,
				 struct qrt_stream *stream)
{
	struct fixture *fixture = pair->arg;
	enum qrt_err err = qrt_tls_connect(cx, fixture->client, "server.test", &stream);
	err = err ? err : flood_both_ways(cx, stream, 'c', 's');
	qrt_stream_close(cx, &stream);
	return err;
}

static enum qrt_err play_inner(struct qrt_cx *cx, void *arg)
{
	const struct fixture *fixture = arg;
	struct tls_pair pair = {.server = fixture->server,
				.client = fixture->client,
				.at_server = inner_server,
				.at_client = inner_client,
				.arg = arg};
	return tls_pair_well(cx, &pair);
}

static void it_runs_over_itself(void **state)
{
	on_each_backend(play_inner, *state);
}

/* --- what it is made of ---------------------------------------------------------------------- */

struct server_case {
	const char *cert, *key, *alpn;
	int64_t handshake_ns;
	enum qrt_err err;
	const char *detail; /* in it */
};

/* A certificate that is good, and behind it one that is none. */
static void write_broken_chain(const char *path)
{
	char text[8192];
	FILE *from = fopen(certs()->cert, "re"), *to = fopen(path, "we");
	assert_non_null(from);
	assert_non_null(to);
	size_t n = fread(text, 1, sizeof(text), from);
	assert_int_equal(fwrite(text, 1, n, to), n);
	fputs("-----BEGIN CERTIFICATE-----\nbm90aGluZw==\n-----END CERTIFICATE-----\n", to);
	fclose(from);
	fclose(to);
}

static void a_server_that_cannot_be_is_refused_in_words(void **state)
{
	const struct certs *files = certs();
	char missing[128], broken[128], long_name[257], long_list[1100] = "";
	(void)state;
	certs_path("missing.pem", missing);
	certs_path("broken-chain.pem", broken);
	write_broken_chain(broken);
	memset(long_name, 'a', sizeof(long_name) - 1);
	long_name[sizeof(long_name) - 1] = '\0';
	for (size_t i = 0; i < 1025; i++) {
		long_list[i] = i % 2 ? ',' : 'a';
	}
	const struct server_case cases[] = {
	    {NULL, files->key, NULL, 0, QRT_EINVAL, "a server needs cert_file and key_file"},
	    {files->cert, NULL, NULL, 0, QRT_EINVAL, "a server needs cert_file and key_file"},
	    {missing, files->key, NULL, 0, QRT_ENOENT, "missing.pem: No such file or directory"},
	    {files->cert, missing, NULL, 0, QRT_ENOENT, "key_file "},
	    {"/", files->key, NULL, 0, QRT_EIO, "cert_file /: Is a directory"},
	    {files->empty, files->key, NULL, 0, QRT_EINVAL, "cert_file, its certificate: "},
	    {files->garbage, files->key, NULL, 0, QRT_EINVAL, "cert_file, its certificate: "},
	    {files->cert, files->empty, NULL, 0, QRT_EINVAL, "key_file: "},
	    {files->cert, files->encrypted_key, NULL, 0, QRT_EINVAL, "key_file: "},
	    {files->cert, files->other_key, NULL, 0, QRT_EINVAL, "key_file: key values mismatch"},
	    {files->cert, files->key, "", 0, QRT_EINVAL, "alpn: a name of 0 bytes"},
	    {files->cert, files->key, "h2,,http/1.1", 0, QRT_EINVAL, "alpn: a name of 0 bytes"},
	    {files->cert, files->key, long_name, 0, QRT_EINVAL, "alpn: a name of 256 bytes"},
	    {files->cert, files->key, long_list, 0, QRT_EINVAL, "alpn: more than 1024 bytes"},
	    {broken, files->key, NULL, 0, QRT_EINVAL, "cert_file, its chain: "},
	    {files->cert, files->key, NULL, -1, QRT_EINVAL, "a handshake of -1 ns"},
	    {"/dev/zero", files->key, NULL, 0, QRT_ELIMIT, "cert_file /dev/zero: limit reached"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct server_case *one = &cases[i];
		const struct qrt_tls_server_options opts = {.cert_file = one->cert,
							    .key_file = one->key,
							    .alpn = one->alpn,
							    .handshake_ns = one->handshake_ns};
		char detail[QRT_DETAIL] = "";
		struct qrt_tls *tls = NULL;
		enum qrt_err err = qrt_tls_server_create(&opts, detail, &tls);
		if (err != one->err || !strstr(detail, one->detail)) {
			print_message("case %zu: %s: %s\n", i, qrt_err_name(err), detail);
		}
		assert_int_equal(err, one->err);
		assert_non_null(strstr(detail, one->detail));
		assert_null(tls);
		assert_int_equal(qrt_tls_server_create(&opts, NULL, &tls), one->err);
	}
}

static void a_client_that_cannot_be_is_refused_in_words(void **state)
{
	struct qrt_tls_client_options opts = {.ca_file = certs()->empty};
	char detail[QRT_DETAIL];
	struct qrt_tls *tls = NULL;
	(void)state;
	assert_int_equal(qrt_tls_client_create(&opts, detail, &tls), QRT_EINVAL);
	assert_string_equal(detail, "ca_file: no certificate is in it");
	opts.ca_file = certs()->garbage;
	assert_int_equal(qrt_tls_client_create(&opts, detail, &tls), QRT_EINVAL);
	assert_non_null(strstr(detail, "ca_file: "));
	assert_null(tls);
	opts.ca_file = NULL; /* the system's */
	assert_int_equal(qrt_tls_client_create(&opts, detail, &tls), QRT_OK);
	struct qrt_tls *more = qrt_tls_ref(tls);
	qrt_tls_unref(&more);
	qrt_tls_unref(&tls);
	qrt_tls_unref(&tls);
	assert_null(tls);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_is_said_is_heard_and_so_is_the_end),
	    cmocka_unit_test(slices_arrive_in_order_whatever_their_sizes),
	    cmocka_unit_test(a_megabyte_goes_both_ways_at_once),
	    cmocka_unit_test(who_waits_is_told_of_a_close),
	    cmocka_unit_test(a_handle_stands_for_the_encrypted_stream_alone),
	    cmocka_unit_test(misuse_is_told_and_closes_the_connection),
	    cmocka_unit_test(it_runs_over_itself),
	    cmocka_unit_test(a_server_that_cannot_be_is_refused_in_words),
	    cmocka_unit_test(a_client_that_cannot_be_is_refused_in_words),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
