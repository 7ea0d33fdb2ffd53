/*
 * Calls of the HTTP client in steps: bodies that are written or come from a function, the word to
 * go on, early answers, bodies read piece by piece; on each backend.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/backends.h"
#include "tests/lib/stage.h"
#include "tests/lib/test.h"

#define HEAD_END "\r\n\r\n"
#define YES "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nyes"

static enum qrt_err begin(struct stage *stage, struct qrt_http_ask ask, struct qrt_http_call **call)
{
	ask.method = ask.method ? ask.method : "POST";
	ask.url = stage->url;
	ask.report = &stage->report;
	return qrt_http_call_begin(stage->cx, stage->client, &ask, call);
}

/* What was heard behind the head. */
static const char *body_heard(const struct stage *stage, size_t i)
{
	const char *end = strstr(stage->peer.heard[i], HEAD_END);
	return end ? end + 4 : "";
}

/* --- writing -------------------------------------------------------------------------------- */

static enum qrt_err play_written(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	const struct peer_script scripts[2] = {{{{"world", YES, PEER_GO_ON}}},
					       {{{"0" HEAD_END, YES, PEER_GO_ON}}}};
	struct stage stage;
	struct qrt_http_call *call;
	struct qrt_http_answer answer;
	char buf[8];
	size_t n;
	EXPECT(!stage_open(cx, scripts, 2, NULL, &stage));
	/* By length. */
	EXPECT(!begin(&stage, (struct qrt_http_ask){.body_written = true, .body_len = 11}, &call));
	EXPECT(qrt_http_call_read(stage.cx, call, buf, 8, &n) == QRT_ESTATE); /* not yet */
	EXPECT(!qrt_http_call_write(stage.cx, call, "hello ", 6));
	EXPECT(!qrt_http_call_write(stage.cx, call, "", 0));
	EXPECT(!qrt_http_call_write(stage.cx, call, "world", 5));
	EXPECT(!qrt_http_call_answer(stage.cx, call, &answer));
	EXPECT(answer.status == 200 && !answer.body);
	EXPECT(qrt_http_call_write(stage.cx, call, "x", 1) == QRT_ESTATE);
	EXPECT(qrt_http_call_answer(stage.cx, call, &answer) == QRT_ESTATE);
	EXPECT(!qrt_http_call_read(stage.cx, call, buf, 8, &n) && n == 3);
	EXPECT(qrt_http_call_read(stage.cx, call, buf, 8, &n) == QRT_EEOF);
	EXPECT(qrt_http_call_read(stage.cx, call, buf, 8, &n) == QRT_EEOF);
	qrt_http_call_end(stage.cx, &call);
	EXPECT(!call && strcmp(body_heard(&stage, 0), "hello world") == 0);
	/* In chunks. */
	stage_close(cx, &stage);
	EXPECT(!stage_open(cx, scripts + 1, 1, NULL, &stage));
	const struct qrt_http_ask chunked = {.body_written = true, .body_len = QRT_HTTP_CHUNKED};
	EXPECT(!begin(&stage, chunked, &call));
	EXPECT(!qrt_http_call_write(stage.cx, call, "hello ", 6));
	EXPECT(!qrt_http_call_write(stage.cx, call, "0123456789abcdefg", 17));
	EXPECT(!qrt_http_call_answer(stage.cx, call, &answer));
	qrt_http_call_end(stage.cx, &call);
	EXPECT(strcmp(body_heard(&stage, 0),
		      "6\r\nhello \r\n11\r\n0123456789abcdefg\r\n0\r\n\r\n") == 0);
	EXPECT(strstr(stage.peer.heard[0], "\r\nTransfer-Encoding: chunked\r\n"));
	return stage_close(cx, &stage);
}

static void a_body_is_written_by_length_or_in_chunks(void **state)
{
	(void)state;
	on_each_backend(play_written, NULL);
}

static enum qrt_err play_wrong_length(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	static const struct peer_script scripts[2];
	struct stage stage;
	struct qrt_http_call *call;
	struct qrt_http_answer answer;
	EXPECT(!stage_open(cx, scripts, 2, NULL, &stage));
	EXPECT(!begin(&stage, (struct qrt_http_ask){.body_written = true, .body_len = 3}, &call));
	EXPECT(qrt_http_call_write(stage.cx, call, "four", 4) == QRT_EINVAL);
	EXPECT(ends_with(qrt_detail(stage.cx), "longer than the 3 bytes announced"));
	/* It has failed: its connection is closed, and nothing else goes. */
	EXPECT(stage_stats(&stage).connections == 0 && stage_stats(&stage).calls == 0);
	EXPECT(qrt_http_call_answer(stage.cx, call, &answer) == QRT_ESTATE);
	qrt_http_call_end(stage.cx, &call);
	EXPECT(!begin(&stage, (struct qrt_http_ask){.body_written = true, .body_len = 3}, &call));
	EXPECT(!qrt_http_call_write(stage.cx, call, "on", 2));
	EXPECT(qrt_http_call_answer(stage.cx, call, &answer) == QRT_EINVAL);
	EXPECT(ends_with(qrt_detail(stage.cx), "shorter than the 3 bytes announced"));
	qrt_http_call_end(stage.cx, &call);
	return stage_close(cx, &stage);
}

static void a_body_of_another_length_than_announced_ends_the_call(void **state)
{
	(void)state;
	on_each_backend(play_wrong_length, NULL);
}

/* Gives its text, three bytes at a time; then @err. */
struct source {
	const char *at;
	enum qrt_err err;
};

static enum qrt_err give(struct qrt_cx *cx, void *arg, void *buf, size_t n, size_t *ret_n)
{
	struct source *source = arg;
	enum qrt_err err = qrt_yield(cx); /* it may wait */
	if (err || !*source->at) {
		return err ? err : qrt_fail(cx, source->err, "the source is dry");
	}
	EXPECT(n >= 3);
	*ret_n = strnlen(source->at, 3);
	memcpy(buf, source->at, *ret_n);
	source->at += *ret_n;
	return QRT_OK;
}

static enum qrt_err play_source(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	const struct peer_script scripts[2] = {{{{"0" HEAD_END, YES, PEER_GO_ON}}}};
	struct stage stage;
	struct qrt_http_call *call;
	struct qrt_http_answer answer;
	struct source source = {"seven b", QRT_EEOF};
	EXPECT(!stage_open(cx, scripts, 2, NULL, &stage));
	struct qrt_http_ask ask = {.method = "PUT",
				   .url = stage.url,
				   .body_fn = give,
				   .body_arg = &source,
				   .body_len = QRT_HTTP_CHUNKED,
				   .report = &stage.report};
	EXPECT(!qrt_http_fetch(stage.cx, stage.client, &ask, &call, &answer));
	EXPECT(strcmp(body_heard(&stage, 0), "3\r\nsev\r\n3\r\nen \r\n1\r\nb\r\n0\r\n\r\n") == 0);
	qrt_http_call_end(stage.cx, &call);
	/* Its failure is the call's, and what is half sent is not kept. */
	source = (struct source){"x", QRT_EIO};
	EXPECT(qrt_http_fetch(stage.cx, stage.client, &ask, &call, &answer) == QRT_EIO);
	EXPECT(stage.report.sent && stage_stats(&stage).connections == 0);
	return stage_close(cx, &stage);
}

static void a_body_comes_from_a_function(void **state)
{
	(void)state;
	on_each_backend(play_source, NULL);
}

/* --- the word to go on ----------------------------------------------------------------------- */

struct expect_row {
	const char *name, *first; /* what the server says to the head */
	int status;
	bool body, kept;
};

static const struct expect_row expect_rows[] = {
    {"go on", "HTTP/1.1 100 Continue" HEAD_END, 200, true, true},
    {"no", "HTTP/1.1 417 Expectation Failed\r\nContent-Length: 0" HEAD_END, 417, false, false},
    {"nothing", NULL, 200, true, true},
    {"hints", "HTTP/1.1 103 Early Hints" HEAD_END, 200, true, true},
};

static enum qrt_err play_expect(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	static const struct qrt_http_client_options opts = {.expect_ns = 20 * QRT_MS};
	for (size_t i = 0; i < sizeof(expect_rows) / sizeof(expect_rows[0]); i++) {
		const struct expect_row *row = &expect_rows[i];
		const struct peer_script script = {
		    {{HEAD_END, row->first, PEER_GO_ON}, {"body", YES, PEER_GO_ON}}};
		struct stage stage;
		struct qrt_http_call *call;
		struct qrt_http_answer answer;
		EXPECT(!stage_open(cx, &script, 1, &opts, &stage));
		const struct qrt_http_ask ask = {.method = "POST",
						 .url = stage.url,
						 .body = "body",
						 .body_len = 4,
						 .expect_continue = true,
						 .report = &stage.report};
		EXPECT(!qrt_http_fetch(stage.cx, stage.client, &ask, &call, &answer));
		EXPECT(answer.status == row->status);
		EXPECT(strcmp(body_heard(&stage, 0), row->body ? "body" : "") == 0);
		EXPECT(strstr(stage.peer.heard[0], "\r\nExpect: 100-continue\r\n"));
		EXPECT(stage_stats(&stage).idle == (row->kept ? 1 : 0));
		qrt_http_call_end(stage.cx, &call);
		EXPECT(!stage_close(cx, &stage));
	}
	return QRT_OK;
}

static void a_body_waits_for_the_word_but_not_for_ever(void **state)
{
	(void)state;
	on_each_backend(play_expect, NULL);
}

/* --- answers before the end of the request ---------------------------------------------------- */

enum { LARGE = 32 * 1024 * 1024 };
#define TOO_LARGE "HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\n\r\nno!"

static enum qrt_err play_early(struct qrt_cx *cx, void *arg)
{
	const enum peer_act *act = arg;
	const struct peer_script script = {{{HEAD_END, TOO_LARGE, *act}}};
	static const struct qrt_http_client_options opts = {.silence_ns = 50 * QRT_MS};
	struct stage stage;
	struct qrt_http_call *call;
	struct qrt_http_answer answer;
	char *body = calloc(1, LARGE);
	EXPECT(body && !stage_open(cx, &script, 1, &opts, &stage));
	const struct qrt_http_ask ask = {.method = "PUT",
					 .url = stage.url,
					 .body = body,
					 .body_len = LARGE,
					 .report = &stage.report};
	enum qrt_err err = qrt_http_fetch(stage.cx, stage.client, &ask, &call, &answer);
	free(body);
	if (err) {
		fprintf(stderr, "act %d: %s %s\n", (int)*act, qrt_err_name(err), qrt_detail(cx));
	}
	EXPECT(!err && answer.status == 413 && strcmp(answer.body, "no!") == 0);
	/* What was cut short cannot be used again. */
	EXPECT(stage_stats(&stage).connections == 0 && !stage.report.resent);
	qrt_http_call_end(stage.cx, &call);
	return stage_close(cx, &stage);
}

static void an_answer_that_comes_early_ends_the_request(void **state)
{
	(void)state;
	/* The server reads on, or goes, or reads no more. */
	enum peer_act acts[] = {PEER_HOLD, PEER_CLOSE, PEER_DEAF};
	for (size_t i = 0; i < 3; i++) {
		on_each_backend(play_early, &acts[i]);
	}
}

static enum qrt_err play_early_write(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	const struct peer_script script = {{{HEAD_END, TOO_LARGE, PEER_HOLD}}};
	struct stage stage;
	struct qrt_http_call *call;
	struct qrt_http_answer answer;
	EXPECT(!stage_open(cx, &script, 1, NULL, &stage));
	EXPECT(!begin(&stage, (struct qrt_http_ask){.body_written = true, .body_len = 100}, &call));
	EXPECT(!stage_until(cx, &stage.peer.said, 1) && !qrt_sleep(cx, 5 * QRT_MS));
	EXPECT(qrt_http_call_write(stage.cx, call, "0123456789", 10) == QRT_EEOF);
	EXPECT(qrt_http_call_write(stage.cx, call, "0123456789", 10) == QRT_EEOF);
	EXPECT(!qrt_http_call_answer(stage.cx, call, &answer) && answer.status == 413);
	qrt_http_call_end(stage.cx, &call);
	EXPECT(stage_stats(&stage).connections == 0 && strcmp(body_heard(&stage, 0), "") == 0);
	return stage_close(cx, &stage);
}

static void who_writes_is_told_that_the_answer_is_there(void **state)
{
	(void)state;
	on_each_backend(play_early_write, NULL);
}

/* --- reading -------------------------------------------------------------------------------- */

static enum qrt_err play_pieces(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	const struct peer_script scripts[2] = {
	    {{{HEAD_END, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",
	       PEER_LATER},
	      {NULL, "lo\r\n6\r\n world\r\n0\r\n\r\n", PEER_GO_ON},
	      {HEAD_END, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n123", PEER_GO_ON}}}};
	struct stage stage;
	struct qrt_http_call *call;
	struct qrt_http_answer answer;
	char text[16] = "", all[32] = "";
	size_t n;
	EXPECT(!stage_open(cx, scripts, 2, NULL, &stage));
	EXPECT(!begin(&stage, (struct qrt_http_ask){.method = "GET"}, &call));
	EXPECT(!qrt_http_call_answer(stage.cx, call, &answer));
	while (strlen(all) < 11) {
		EXPECT(!qrt_http_call_read(stage.cx, call, text, 2, &n) && n >= 1 && n <= 2);
		strncat(all, text, n);
	}
	EXPECT(strcmp(all, "hello world") == 0);
	/* The end of the chunks may still be on its way; when it has come the connection is free.
	 */
	EXPECT(qrt_http_call_read(stage.cx, call, text, 2, &n) == QRT_EEOF);
	EXPECT(stage_stats(&stage).idle == 1 && stage_stats(&stage).calls == 0);
	qrt_http_call_end(stage.cx, &call);
	/* Ended half-way: closed. */
	EXPECT(!begin(&stage, (struct qrt_http_ask){.method = "GET"}, &call));
	EXPECT(stage.report.reused && !qrt_http_call_answer(stage.cx, call, &answer));
	EXPECT(!qrt_http_call_read(stage.cx, call, text, sizeof(text), &n));
	EXPECT(stage_stats(&stage).calls == 1);
	qrt_http_call_end(stage.cx, &call);
	EXPECT(stage_stats(&stage).connections == 0 && stage_stats(&stage).calls == 0);
	EXPECT(!stage_until(cx, &stage.peer.ended, 1));
	return stage_close(cx, &stage);
}

static void a_body_is_read_piece_by_piece_and_can_be_left(void **state)
{
	(void)state;
	on_each_backend(play_pieces, NULL);
}

/* The last byte frees the connection, without another read. */
static enum qrt_err play_last_byte(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	const struct peer_script script = {
	    {{HEAD_END, YES, PEER_GO_ON}, {HEAD_END, "HTTP/1.1 204 No" HEAD_END, PEER_GO_ON}}};
	struct stage stage;
	struct qrt_http_call *call;
	struct qrt_http_answer answer;
	char text[8];
	size_t n, all = 0;
	EXPECT(!stage_open(cx, &script, 1, NULL, &stage));
	EXPECT(!begin(&stage, (struct qrt_http_ask){.method = "GET"}, &call));
	EXPECT(!qrt_http_call_answer(stage.cx, call, &answer));
	while (all < 3) {
		EXPECT(!qrt_http_call_read(stage.cx, call, text, 3 - all, &n));
		all += n;
	}
	EXPECT(stage_stats(&stage).idle == 1 && stage_stats(&stage).calls == 0);
	struct qrt_http_call *second;
	EXPECT(!begin(&stage, (struct qrt_http_ask){.method = "GET"}, &second));
	EXPECT(!qrt_http_call_answer(stage.cx, second, &answer) && answer.status == 204);
	EXPECT(stage_stats(&stage).idle == 1 && stage.report.reused);
	qrt_http_call_end(stage.cx, &second);
	qrt_http_call_end(stage.cx, &call);
	return stage_close(cx, &stage);
}

static void the_last_byte_frees_the_connection(void **state)
{
	(void)state;
	on_each_backend(play_last_byte, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_body_is_written_by_length_or_in_chunks),
	    cmocka_unit_test(a_body_of_another_length_than_announced_ends_the_call),
	    cmocka_unit_test(a_body_comes_from_a_function),
	    cmocka_unit_test(a_body_waits_for_the_word_but_not_for_ever),
	    cmocka_unit_test(an_answer_that_comes_early_ends_the_request),
	    cmocka_unit_test(who_writes_is_told_that_the_answer_is_there),
	    cmocka_unit_test(a_body_is_read_piece_by_piece_and_can_be_left),
	    cmocka_unit_test(the_last_byte_frees_the_connection),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
