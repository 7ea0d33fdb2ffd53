/*
 * Bodies that are streams, both ways, on every backend: what comes is what was sent, memory stays
 * bounded, and the peer can tell an answer that broke off from one that ended.
 */
#include "tests/lib/test.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/http_site.h"

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define MIB ((size_t)1 << 20)
#define UP_BYTES (3 * MIB)

/* The byte at @at of any body here. */
static char pattern(size_t at)
{
	return (char)(at * 131 >> 3);
}

static void fill_pattern(char *buf, size_t from, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		buf[i] = pattern(from + i);
	}
}

/* --- handlers ------------------------------------------------------------------------------ */

/* Reads it all, in odd pieces, and says how much matched. */
static enum qrt_err up(struct qrt_cx *cx, struct qrt_http_request *req,
		       struct qrt_http_response *resp)
{
	char buf[1013], want[1013], text[32];
	size_t at = 0, n = 0;
	enum qrt_err err;

	while (!(err = qrt_http_read(cx, req, buf, sizeof(buf), &n))) {
		fill_pattern(want, at, n);
		EXPECT(memcmp(buf, want, n) == 0);
		at += n;
	}
	EXPECT(qrt_http_read(cx, req, buf, sizeof(buf), &n) == err);
	if (err != QRT_EEOF) {
		site_of(req)->wait_result = err;
		return err;
	}
	snprintf(text, sizeof(text), "%zu", at);
	return say(resp, text);
}

/* Waits before it reads. */
static enum qrt_err up_later(struct qrt_cx *cx, struct qrt_http_request *req,
			     struct qrt_http_response *resp)
{
	enum qrt_err err = wait_released(cx, req, resp);

	return err ? err : up(cx, req, resp);
}

static enum qrt_err ignore(struct qrt_cx *cx, struct qrt_http_request *req,
			   struct qrt_http_response *resp)
{
	size_t n;

	(void)cx;
	EXPECT(qrt_http_body(req, &n)[0] == '\0' && n == 0);
	return say(resp, "ignored");
}

/* ?n= bytes in pieces of ?piece=; ?declare= a length, ?fail=1 at the end, ?panic=1. */
static enum qrt_err down(struct qrt_cx *cx, struct qrt_http_request *req,
			 struct qrt_http_response *resp)
{
	const char *declare = qrt_http_query(req, "declare");
	size_t n = strtoul(qrt_http_query(req, "n"), NULL, 10);
	size_t piece = strtoul(qrt_http_query(req, "piece"), NULL, 10);
	size_t at = 0;
	char *buf = malloc(piece);
	enum qrt_err err;

	EXPECT(buf);
	err = qrt_http_set_header(resp, "X-Stream", "yes");
	err = err ? err
		  : qrt_http_stream_begin(cx, resp,
					  declare ? atoll(declare) : QRT_HTTP_UNKNOWN_LENGTH);
	while (at < n && !err) {
		size_t len = n - at < piece ? n - at : piece;

		fill_pattern(buf, at, len);
		err = qrt_http_write(cx, resp, buf, len);
		at += len;
	}
	free(buf);
	site_of(req)->wait_result = err;
	qrt_http_set_status(resp, 500); /* too late: ignored */
	if (!err && qrt_http_query(req, "panic")) {
		qrt_panic(cx, "told to");
	}
	return !err && qrt_http_query(req, "fail") ? qrt_fail(cx, QRT_EIO, "told to") : err;
}

/* Misuse, each with its error; the answer is good all the same. */
static enum qrt_err misuse(struct qrt_cx *cx, struct qrt_http_request *req,
			   struct qrt_http_response *resp)
{
	size_t n = 0;
	char c;

	EXPECT(qrt_http_body_declared(req) == 0);
	EXPECT(qrt_http_read(cx, req, &c, 0, &n) == QRT_EINVAL);
	EXPECT(qrt_http_read(cx, req, &c, 1, &n) == QRT_EEOF);
	EXPECT(qrt_http_write(cx, resp, "x", 1) == QRT_ESTATE);
	EXPECT(qrt_http_stream_begin(cx, resp, -2) == QRT_EINVAL);
	EXPECT(!qrt_http_stream_begin(cx, resp, 3));
	EXPECT(qrt_http_stream_begin(cx, resp, 3) == QRT_ESTATE);
	EXPECT(!qrt_http_write(cx, resp, "", 0));
	EXPECT(!qrt_http_write(cx, resp, "a", 1));
	EXPECT(qrt_http_write(cx, resp, "xyz", 3) == QRT_ELIMIT);
	EXPECT(strcmp(qrt_detail(cx), "http write: more than the declared 3 bytes") == 0);
	return qrt_http_write(cx, resp, "bc", 2);
}

/* Endless on purpose: only the peer's patience or a cancel ends it. */
static enum qrt_err flood(struct qrt_cx *cx, struct qrt_http_request *req,
			  struct qrt_http_response *resp)
{
	static const char buf[64 * 1024];
	struct site *site = site_of(req);
	enum qrt_err err = qrt_http_stream_begin(cx, resp, QRT_HTTP_UNKNOWN_LENGTH);

	while (!err) {
		err = qrt_http_write(cx, resp, buf, sizeof(buf));
		qrt__event_set(&site->entered);
	}
	site->wait_result = err;
	qrt__event_set(&site->release);
	return err;
}

static const struct site_route routes[] = {
    {"POST", "/up", up, {.stream_body = true, .body_max = 8 * MIB}},
    {"POST", "/up-some", up, {.stream_body = true, .body_max = 100}},
    {"POST", "/up-whole", up, {.body_max = 8 * MIB}},
    {"POST", "/up-later", up_later, {.stream_body = true}},
    {"POST", "/ignore", ignore, {.stream_body = true, .body_max = 8 * MIB}},
    {"GET", "/down", down, {0}},
    {"GET", "/misuse", misuse, {0}},
    {"GET", "/flood", flood, {0}},
};

static void run_on_each(site_fn *fn, const struct qrt_http_server_options *opts)
{
	struct site_play play = {.fn = fn, .routes = routes, .n_routes = ARRAY_LEN(routes)};

	if (opts) {
		play.opts = *opts;
	}
	site_on_each(&play);
}

/* --- up ------------------------------------------------------------------------------------ */

/* @n bytes of the pattern, in pieces of @piece, as chunks or plain. */
static enum qrt_err send_body(struct qrt_cx *cx, struct client *client, size_t n, size_t piece,
			      bool chunks)
{
	char *buf = malloc(piece + 32);
	enum qrt_err err = buf ? QRT_OK : QRT_ENOMEM;

	for (size_t at = 0; at < n && !err; at += piece) {
		size_t len = n - at < piece ? n - at : piece;
		int head = chunks ? snprintf(buf, 24, "%zx\r\n", len) : 0;

		fill_pattern(buf + head, at, len);
		memcpy(buf + head + len, "\r\n", 2);
		err = qrt_write(cx, client->stream, buf, (size_t)head + len + (chunks ? 2 : 0));
	}
	free(buf);
	return err || !chunks ? err : client_send(cx, client, "0\r\nT: x\r\n\r\n");
}

static enum qrt_err upload(struct qrt_cx *cx, struct client *client, const char *path, size_t n,
			   bool chunks)
{
	char head[256];

	if (chunks) {
		snprintf(head, sizeof(head),
			 "POST %s HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n", path);
	} else {
		snprintf(head, sizeof(head),
			 "POST %s HTTP/1.1\r\n" HOST "Content-Length: %zu\r\n\r\n", path, n);
	}
	EXPECT(!client_send(cx, client, head));
	return send_body(cx, client, n, 30011, chunks);
}

static enum qrt_err uploads(struct qrt_cx *cx, struct site *site)
{
	static const char *const paths[] = {"/up", "/up-whole"};
	struct client *client;
	struct reply reply;

	EXPECT(!client_open(cx, site, &client));
	for (size_t i = 0; i < 4; i++) {
		EXPECT(!upload(cx, client, paths[i % 2], UP_BYTES, i >= 2));
		EXPECT(!client_reply(cx, client, false, &reply));
		EXPECT(reply.status == 200);
		EXPECT(body_is(&reply, "3145728"));
		EXPECT(!reply.close);
		client_take(client, &reply);
	}
	client_close(cx, &client);
	return QRT_OK;
}

static void a_body_is_read_piece_by_piece_as_it_was_sent(void **state)
{
	(void)state;
	run_on_each(uploads, NULL);
}

static enum qrt_err too_long(struct qrt_cx *cx, struct site *site)
{
	struct client *client;
	struct reply reply;

	/* Declared: refused before it is read, and before the handler. */
	EXPECT(!client_open(cx, site, &client));
	EXPECT(!ask(cx, client, "POST /up-some HTTP/1.1\r\n" HOST "Content-Length: 101\r\n\r\n",
		    &reply));
	EXPECT(reply.status == 413);
	EXPECT(reply.close);
	client_close(cx, &client);
	/* Not declared: when it becomes so. */
	EXPECT(!client_open(cx, site, &client));
	EXPECT(!upload(cx, client, "/up-some", 5000, true));
	EXPECT(!client_reply(cx, client, false, &reply));
	EXPECT(reply.status == 413);
	EXPECT(reply.close);
	EXPECT(site->evhttp || site->wait_result == QRT_ELIMIT);
	client_close(cx, &client);
	return QRT_OK;
}

static void a_stream_beyond_its_limit_is_413(void **state)
{
	(void)state;
	run_on_each(too_long, NULL);
}

static enum qrt_err malformed(struct qrt_cx *cx, struct site *site)
{
	static const char no_end[] =
	    "POST /up HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n1\r\n\0xx";
	struct client *client;
	struct reply reply;

	EXPECT(!client_open(cx, site, &client));
	EXPECT(!qrt_write(cx, client->stream, no_end, sizeof(no_end) - 1));
	EXPECT(!client_reply(cx, client, false, &reply));
	EXPECT(reply.status == 400);
	EXPECT(reply.close);
	client_close(cx, &client);
	EXPECT(!client_open(cx, site, &client));
	EXPECT(!ask(cx, client,
		    "POST /up HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\nx\r\n",
		    &reply));
	EXPECT(reply.status == 400);
	EXPECT(strcmp(site->last_detail, "malformed chunk size") == 0);
	client_close(cx, &client);
	return QRT_OK;
}

static void a_malformed_stream_is_400_whatever_the_handler_makes_of_it(void **state)
{
	(void)state;
	run_on_each(malformed, NULL);
}

static enum qrt_err stalls(struct qrt_cx *cx, struct site *site)
{
	struct client *client;
	struct reply reply;

	EXPECT(!client_open(cx, site, &client));
	EXPECT(!ask(cx, client, "POST /up HTTP/1.1\r\n" HOST "Content-Length: 10\r\n\r\n", &reply));
	EXPECT(reply.status == 408);
	EXPECT(reply.close);
	client_close(cx, &client);
	return QRT_OK;
}

static void a_stream_that_does_not_come_is_408(void **state)
{
	/* evhttp's body is awaited by the request's deadline. */
	const struct qrt_http_server_options opts = {.idle_timeout_ns = 30 * QRT_MS,
						     .request_deadline_ns = 300 * QRT_MS};

	(void)state;
	run_on_each(stalls, &opts);
}

#define EXPECTING(path, length)                                                                    \
	"POST " path " HTTP/1.1\r\n" HOST "Expect: 100-continue\r\nContent-Length: " length        \
	"\r\n\r\n"

static enum qrt_err continues(struct qrt_cx *cx, struct site *site)
{
	struct client *client;
	struct reply reply;

	EXPECT(!client_open(cx, site, &client));
	EXPECT(!client_send(cx, client, EXPECTING("/up-later", "2")));
	if (!site->evhttp) {
		/* Not before the first read. */
		EXPECT(!qrt__event_wait(cx, &site->entered, QRT_NO_DEADLINE));
		qrt__event_set(&site->release);
	}
	EXPECT(!client_head(cx, client, &reply));
	EXPECT(reply.status == 100);
	EXPECT(site->evhttp || site->wait_result == QRT_OK);
	qrt__event_set(&site->release);
	EXPECT(!send_body(cx, client, 2, 2, false));
	EXPECT(!client_reply(cx, client, false, &reply));
	EXPECT(reply.status == 200);
	EXPECT(body_is(&reply, "2"));
	EXPECT(!reply.close);
	client_close(cx, &client);
	return QRT_OK;
}

static void the_first_read_tells_who_waits_for_100(void **state)
{
	(void)state;
	run_on_each(continues, NULL);
}

static enum qrt_err ignored(struct qrt_cx *cx, struct site *site)
{
	struct client *client;
	struct reply reply;

	if (site->evhttp) {
		return QRT_OK; /* the whole body is there before the handler */
	}
	/* A little is read away, and the next request found behind it. */
	EXPECT(!client_open(cx, site, &client));
	for (int i = 0; i < 2; i++) {
		EXPECT(!upload(cx, client, "/ignore", 40000, i == 1));
		EXPECT(!client_reply(cx, client, false, &reply));
		EXPECT(reply.status == 200 && !reply.close);
		EXPECT(body_is(&reply, "ignored"));
		client_take(client, &reply);
	}
	client_close(cx, &client);
	/* More than that ends the connection, but not before the answer is out. */
	EXPECT(!client_open(cx, site, &client));
	EXPECT(!upload(cx, client, "/ignore", 100000, false));
	EXPECT(!client_reply(cx, client, false, &reply));
	EXPECT(reply.status == 200 && reply.close);
	client_close(cx, &client);
	/* Who was never told to go on may or may not send it: the connection ends. */
	EXPECT(!client_open(cx, site, &client));
	EXPECT(!ask(cx, client, EXPECTING("/ignore", "2"), &reply));
	EXPECT(reply.status == 200 && reply.close);
	client_close(cx, &client);
	return QRT_OK;
}

static void what_nobody_reads_is_dropped_up_to_a_limit(void **state)
{
	(void)state;
	run_on_each(ignored, NULL);
}

/* --- down ---------------------------------------------------------------------------------- */

/* Reads one byte; -1: the end, -2: a reset, -3: nothing comes. */
static int next_byte(struct qrt_cx *cx, struct client *client, size_t *at)
{
	while (*at == client->n) {
		enum qrt_err err;

		client->n = 0;
		*at = 0;
		err = client_fill(cx, client);
		if (err) {
			return err == QRT_EEOF ? -1 : err == QRT_ECONNRESET ? -2 : -3;
		}
	}
	return (unsigned char)client->buf[(*at)++];
}

/* Reads chunks of the pattern. *ret_n: how many bytes; OK: the last chunk came. */
static enum qrt_err read_chunks(struct qrt_cx *cx, struct client *client, size_t *ret_n)
{
	size_t at = 0;

	*ret_n = 0;
	for (;;) {
		char line[32];
		size_t len = 0, size;
		int c;

		while ((c = next_byte(cx, client, &at)) != '\n') {
			if (c < 0) {
				return QRT_ECONNRESET;
			}
			EXPECT(len < sizeof(line) - 1);
			line[len++] = (char)c;
		}
		line[len] = '\0';
		size = strtoul(line, NULL, 16);
		for (size_t i = 0; i < size; i++, (*ret_n)++) {
			c = next_byte(cx, client, &at);
			if (c < 0) {
				return QRT_ECONNRESET;
			}
			EXPECT((char)c == pattern(*ret_n));
		}
		if (next_byte(cx, client, &at) < 0 || next_byte(cx, client, &at) < 0) {
			return QRT_ECONNRESET;
		}
		if (size == 0) {
			client->n -= at;
			memmove(client->buf, client->buf + at, client->n + 1);
			return QRT_OK;
		}
	}
}

static enum qrt_err downloads(struct qrt_cx *cx, struct site *site)
{
	struct client *client;
	struct reply reply;
	size_t n = 0;

	EXPECT(!client_open(cx, site, &client));
	EXPECT(!client_send(cx, client,
			    GET("/down?n=300000&piece=7001") GET("/down?n=0&piece=1")
				GET("/down?n=9&piece=4&declare=9") GET("/misuse")
				    GET("/down?n=5&piece=5")));
	for (int i = 0; i < 2; i++) {
		EXPECT(!client_head(cx, client, &reply));
		EXPECT(reply.status == 200);
		EXPECT(head_has(&reply, "Transfer-Encoding", "chunked"));
		EXPECT(head_has(&reply, "X-Stream", "yes"));
		EXPECT(!head_value(reply.head, "Content-Length"));
		EXPECT(!read_chunks(cx, client, &n));
		EXPECT(n == (i == 0 ? 300000 : 0));
	}
	EXPECT(!client_reply(cx, client, false, &reply));
	EXPECT(head_has(&reply, "Content-Length", "9"));
	EXPECT(reply.body_len == 9 && reply.body[8] == pattern(8));
	client_take(client, &reply);
	EXPECT(!client_reply(cx, client, false, &reply));
	EXPECT(body_is(&reply, "abc"));
	client_take(client, &reply);
	EXPECT(!client_head(cx, client, &reply));
	EXPECT(!read_chunks(cx, client, &n));
	EXPECT(n == 5);
	client_close(cx, &client);
	return QRT_OK;
}

static void a_stream_goes_out_in_chunks_or_by_its_length(void **state)
{
	(void)state;
	run_on_each(downloads, NULL);
}

static enum qrt_err old_and_head(struct qrt_cx *cx, struct site *site)
{
	struct client *client;
	struct reply reply;
	size_t at = 0;

	/* HEAD first: it says what GET would, and nothing follows. */
	EXPECT(!client_open(cx, site, &client));
	EXPECT(!client_send(cx, client,
			    "HEAD /down?n=9&piece=4 HTTP/1.1\r\n" HOST "\r\n"
			    "HEAD /down?n=9&piece=4&declare=9 HTTP/1.1\r\n" HOST "\r\n"));
	EXPECT(!client_head(cx, client, &reply));
	EXPECT(reply.status == 200);
	EXPECT(head_has(&reply, "Transfer-Encoding", "chunked"));
	EXPECT(!client_head(cx, client, &reply));
	EXPECT(reply.status == 200);
	EXPECT(head_has(&reply, "Content-Length", "9"));
	/* HTTP/1.0 knows no chunks: the end of the connection is the end, also for who would stay.
	 */
	EXPECT(!client_send(cx, client,
			    "GET /down?n=9&piece=4 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"));
	EXPECT(!client_head(cx, client, &reply));
	EXPECT(reply.status == 200 && reply.close);
	EXPECT(!head_value(reply.head, "Transfer-Encoding"));
	EXPECT(!head_value(reply.head, "Content-Length"));
	for (size_t i = 0; i < 9; i++) {
		EXPECT(next_byte(cx, client, &at) == (unsigned char)pattern(i));
	}
	EXPECT(next_byte(cx, client, &at) == -1);
	client_close(cx, &client);
	return QRT_OK;
}

static void to_head_no_body_is_sent_and_to_http_1_0_no_chunks(void **state)
{
	(void)state;
	run_on_each(old_and_head, NULL);
}

static enum qrt_err breaks_off(struct qrt_cx *cx, struct site *site)
{
	static const char *const requests[] = {
	    GET("/down?n=9&piece=9&fail=1"),
	    GET("/down?n=9&piece=9&panic=1"),
	    GET("/down?n=9&piece=9&declare=10"),
	    "GET /down?n=9&piece=9&fail=1 HTTP/1.0\r\n\r\n",
	};
	struct qrt_http_stats stats;
	struct client *client;
	struct reply reply;

	for (size_t i = 0; i < ARRAY_LEN(requests); i++) {
		enum qrt_err err;
		size_t at = 0;
		int c = 0;

		EXPECT(!client_open(cx, site, &client));
		EXPECT(!client_send(cx, client, requests[i]));
		/* A reset may overtake what was sent before it. */
		err = client_head(cx, client, &reply);
		EXPECT(!err || err == QRT_ECONNRESET);
		for (size_t n = 0; !err && c >= 0; n++) {
			EXPECT(n < 40);
			c = next_byte(cx, client, &at);
		}
		EXPECT(c != -3);
		EXPECT(err || c == -2 || i < 3);
		/* No last chunk, no tenth byte. */
		EXPECT(err || i == 3 || !strstr(client->buf, "0\r\n\r\n"));
		client_close(cx, &client);
	}
	qrt_http_server_stats(site->server, &stats);
	EXPECT(stats.requests == ARRAY_LEN(requests));
	EXPECT(stats.status[2] == 0 && stats.status[5] == 0);
	EXPECT(stats.in_flight == 0);
	return QRT_OK;
}

static void an_answer_that_fails_midway_breaks_the_connection(void **state)
{
	(void)state;
	run_on_each(breaks_off, NULL);
}

/* --- memory -------------------------------------------------------------------------------- */

/* What malloc has handed out and not got back, large blocks included. */
static size_t in_use(void)
{
	struct mallinfo2 info = mallinfo2();

	return info.uordblks + info.hblkhd;
}

/* 48 MiB; QRT_HTTP_STREAM_MIB says another size. */
static size_t flood_bytes(void)
{
	const char *mib = getenv("QRT_HTTP_STREAM_MIB");

	return (mib ? strtoul(mib, NULL, 10) : 48) * MIB;
}

/* A reader that stops now and then while the writer never does. */
static enum qrt_err slow_reader(struct qrt_cx *cx, struct site *site)
{
	size_t wanted = flood_bytes(), got = 0, most = 0, before;
	struct client *client;
	struct reply reply;

	EXPECT(!client_open(cx, site, &client));
	EXPECT(!client_send(cx, client, GET("/flood")));
	EXPECT(!client_head(cx, client, &reply));
	before = in_use();
	while (got < wanted) {
		size_t used;

		client->n = 0;
		EXPECT(!client_fill(cx, client));
		got += client->n;
		/* As often as the writer gets ahead of the reader, it must wait. */
		for (int i = 0; i < 3; i++) {
			EXPECT(!qrt_yield(cx));
		}
		used = in_use();
		most = used > most ? used : most;
	}
	EXPECT(most < before + MIB / 2);
	client_close(cx, &client);
	/* And it is told that nobody reads any more. */
	EXPECT(!qrt__event_wait(cx, &site->release, QRT_NO_DEADLINE));
	EXPECT(site->wait_result == QRT_ECONNRESET || site->wait_result == QRT_ECANCELED);
	return QRT_OK;
}

static void a_slow_reader_costs_no_memory_however_long_the_answer_is(void **state)
{
	(void)state;
	run_on_each(slow_reader, NULL);
}

static enum qrt_err deaf(struct qrt_cx *cx, struct site *site)
{
	struct client *client;

	EXPECT(!client_open(cx, site, &client));
	EXPECT(!client_send(cx, client, GET("/flood")));
	EXPECT(!qrt__event_wait(cx, &site->release, QRT_NO_DEADLINE));
	EXPECT(site->wait_result == QRT_ETIMEDOUT);
	client_close(cx, &client);
	return QRT_OK;
}

static void who_reads_nothing_is_cut_off_after_the_idle_timeout(void **state)
{
	const struct qrt_http_server_options opts = {.idle_timeout_ns = 50 * QRT_MS};

	(void)state;
	run_on_each(deaf, &opts);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_body_is_read_piece_by_piece_as_it_was_sent),
	    cmocka_unit_test(a_stream_beyond_its_limit_is_413),
	    cmocka_unit_test(a_malformed_stream_is_400_whatever_the_handler_makes_of_it),
	    cmocka_unit_test(a_stream_that_does_not_come_is_408),
	    cmocka_unit_test(the_first_read_tells_who_waits_for_100),
	    cmocka_unit_test(what_nobody_reads_is_dropped_up_to_a_limit),
	    cmocka_unit_test(a_stream_goes_out_in_chunks_or_by_its_length),
	    cmocka_unit_test(to_head_no_body_is_sent_and_to_http_1_0_no_chunks),
	    cmocka_unit_test(an_answer_that_fails_midway_breaks_the_connection),
	    cmocka_unit_test(a_slow_reader_costs_no_memory_however_long_the_answer_is),
	    cmocka_unit_test(who_reads_nothing_is_cut_off_after_the_idle_timeout),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
