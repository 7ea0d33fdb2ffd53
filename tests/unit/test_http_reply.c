/* The parser of answers, as a table: each row whole, byte by byte, and cut once at every place. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shim/src/http/reply.h"
#include "tests/lib/test.h"

enum { HEAD_MAX = 256, BODY_ROOM = 256 };

struct row {
	const char *name, *bytes;
	/* What comes of it. err: of the fault; why: its text. */
	enum qrt_err err;
	const char *why;
	int status;
	const char *body;
	const char *rest; /* behind a complete answer */
	unsigned continues;
	bool keeps, to_head;
	bool eof;  /* the connection ends behind the bytes */
	bool more; /* it is neither complete nor faulty */
};

#define OK "HTTP/1.1 200 OK\r\n"
#define LEN(n) OK "Content-Length: " n "\r\n\r\n"
#define CHUNKED OK "Transfer-Encoding: chunked\r\n\r\n"

static const struct row rows[] = {
    /* --- framing --- */
    {"by length", LEN("5") "hello", .status = 200, .body = "hello", .keeps = true},
    {"by length, nothing", LEN("0"), .status = 200, .body = "", .keeps = true},
    {"with more behind", LEN("2") "okHTTP", .status = 200, .body = "ok", .rest = "HTTP",
     .keeps = true},
    {"chunks", CHUNKED "5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n", .status = 200, .body = "hello!",
     .keeps = true},
    {"chunks, extensions and trailers", CHUNKED "2;a=b\r\nok\r\n0\r\nX-Sum: 1\r\n\r\n",
     .status = 200, .body = "ok", .keeps = true},
    {"chunks, sizes in hex", CHUNKED "00A\r\n0123456789\r\n0\r\n\r\nX", .status = 200,
     .body = "0123456789", .rest = "X", .keeps = true},
    {"until the end", OK "\r\nall of it", .status = 200, .body = "all of it", .eof = true},
    {"until the end, nothing", OK "\r\n", .status = 200, .body = "", .eof = true},
    {"until the end, still open", OK "\r\nall", .status = 200, .body = "all", .more = true},
    {"HEAD with a length", LEN("5"), .status = 200, .body = "", .keeps = true, .to_head = true},
    {"HEAD with chunks", CHUNKED, .status = 200, .body = "", .keeps = true, .to_head = true},
    {"HEAD with a body", LEN("2") "ok", .status = 200, .body = "", .rest = "ok", .keeps = true,
     .to_head = true},
    {"HEAD without a length", OK "\r\n", .status = 200, .body = "", .keeps = true, .to_head = true},
    {"204", "HTTP/1.1 204 No Content\r\n\r\n", .status = 204, .body = "", .keeps = true},
    {"204 with a length", "HTTP/1.1 204 No Content\r\nContent-Length: 3\r\n\r\nabc", .status = 204,
     .body = "", .rest = "abc", .keeps = true},
    {"304 with a length", "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", .status = 304,
     .body = "", .keeps = true},
    {"no reason", "HTTP/1.1 404\r\nContent-Length: 0\r\n\r\n", .status = 404, .body = "",
     .keeps = true},
    {"an empty reason", "HTTP/1.1 404 \r\nContent-Length: 0\r\n\r\n", .status = 404, .body = "",
     .keeps = true},
    /* --- interim answers --- */
    {"100 first", "HTTP/1.1 100 Continue\r\n\r\n" LEN("2") "ok", .status = 200, .body = "ok",
     .continues = 1, .keeps = true},
    {"102 and 103 with headers",
     "HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" LEN("2") "ok",
     .status = 200, .body = "ok", .keeps = true},
    {"101", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n", .err = QRT_EPROTO,
     .why = "it switches protocols unasked"},
    {"an offer to upgrade", OK "Upgrade: h2c\r\nConnection: Upgrade\r\nContent-Length: 2\r\n\r\nok",
     .status = 200, .body = "ok", .keeps = true},
    /* --- whether it may be used again --- */
    {"close", OK "Connection: close\r\nContent-Length: 0\r\n\r\n", .status = 200, .body = ""},
    {"close in a list", OK "Connection: x, close\r\nContent-Length: 0\r\n\r\n", .status = 200,
     .body = ""},
    {"1.0", "HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", .status = 200, .body = ""},
    {"1.0, kept", "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n",
     .status = 200, .body = "", .keeps = true},
    /* --- cut off --- */
    {"nothing", "", .err = QRT_ECONNRESET, .why = "it ended without an answer", .eof = true},
    {"within the head", "HTTP/1.1 200 OK\r\nA: b\r\n", .err = QRT_ECONNRESET,
     .why = "it ended within the head of its answer", .eof = true},
    {"within a length", LEN("5") "hell", .err = QRT_ECONNRESET, .status = 200, .body = "hell",
     .why = "it ended before its answer was complete", .eof = true},
    {"within a chunk", CHUNKED "5\r\nhel", .err = QRT_ECONNRESET, .status = 200, .body = "hel",
     .why = "it ended before its answer was complete", .eof = true},
    {"before the last chunk", CHUNKED "2\r\nok\r\n", .err = QRT_ECONNRESET, .status = 200,
     .body = "ok", .why = "it ended before its answer was complete", .eof = true},
    {"after a 100", "HTTP/1.1 100 Continue\r\n\r\n", .err = QRT_ECONNRESET, .continues = 1,
     .why = "it ended within the head of its answer", .eof = true},
    /* --- lengths --- */
    {"two equal lengths", OK "Content-Length: 2\r\nContent-Length: 2\r\n\r\nok", .err = QRT_EPROTO,
     .why = "two lengths"},
    {"two lengths in one", OK "Content-Length: 2, 2\r\n\r\nok", .err = QRT_EPROTO,
     .why = "a malformed Content-Length"},
    {"length, then chunks", OK "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n",
     .err = QRT_EPROTO, .why = "both a length and chunks"},
    {"chunks, then length", OK "Transfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n",
     .err = QRT_EPROTO, .why = "both a length and chunks"},
    {"a negative length", LEN("-1"), .err = QRT_EPROTO, .why = "a malformed Content-Length"},
    {"a signed length", LEN("+1"), .err = QRT_EPROTO, .why = "a malformed Content-Length"},
    {"an empty length", LEN(""), .err = QRT_EPROTO, .why = "a malformed Content-Length"},
    {"an overlong length", LEN("99999999999999999999999"), .err = QRT_EPROTO,
     .why = "a malformed Content-Length"},
    {"a length in hex", LEN("0x10"), .err = QRT_EPROTO, .why = "a malformed Content-Length"},
    {"another coding", OK "Transfer-Encoding: gzip\r\n\r\n", .err = QRT_EPROTO,
     .why = "a Transfer-Encoding other than chunked"},
    {"two codings", OK "Transfer-Encoding: gzip, chunked\r\n\r\n", .err = QRT_EPROTO,
     .why = "a Transfer-Encoding other than chunked"},
    {"chunked twice", OK "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
     .err = QRT_EPROTO, .why = "a Transfer-Encoding other than chunked"},
    {"chunks in 1.0", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", .err = QRT_EPROTO,
     .why = "chunks in HTTP/1.0"},
    /* --- chunks --- */
    {"no chunk size", CHUNKED "\r\n", .err = QRT_EPROTO, .why = "a malformed chunk size",
     .status = 200, .body = ""},
    {"a prefixed chunk size", CHUNKED "0x2\r\nok\r\n", .err = QRT_EPROTO,
     .why = "a malformed chunk size", .status = 200, .body = ""},
    {"a signed chunk size", CHUNKED "-2\r\nok\r\n", .err = QRT_EPROTO,
     .why = "a malformed chunk size", .status = 200, .body = ""},
    {"an overlong chunk size", CHUNKED "fffffffffffffffff\r\n", .err = QRT_EPROTO,
     .why = "a malformed chunk size", .status = 200, .body = ""},
    {"a chunk size with a bare LF", CHUNKED "2\nok\r\n", .err = QRT_EPROTO,
     .why = "a malformed chunk size", .status = 200, .body = ""},
    {"a chunk size with a bare CR", CHUNKED "2\rXok\r\n", .err = QRT_EPROTO,
     .why = "a malformed chunk", .status = 200, .body = ""},
    {"a chunk size with a space behind it", CHUNKED "2 \r\nok\r\n0\r\n\r\n", .err = QRT_EPROTO,
     .why = "a malformed chunk size", .status = 200, .body = ""},
    {"a chunk that is longer than it says", CHUNKED "2\r\nokay\r\n0\r\n\r\n", .err = QRT_EPROTO,
     .why = "a malformed chunk", .status = 200, .body = "ok"},
    {"a chunk that ends in LF", CHUNKED "2\r\nok\n0\r\n\r\n", .err = QRT_EPROTO,
     .why = "a malformed chunk", .status = 200, .body = "ok"},
    {"a trailer without a colon", CHUNKED "0\r\nX\r\n\r\n", .err = QRT_EPROTO,
     .why = "a malformed header", .status = 200, .body = ""},
    /* --- heads --- */
    {"not HTTP", "SSH-2.0-OpenSSH_9\r\n\r\n", .err = QRT_EPROTO, .why = "a malformed status line"},
    {"HTTP/2", "HTTP/2.0 200 OK\r\n\r\n", .err = QRT_EPROTO,
     .why = "it is neither HTTP/1.0 nor HTTP/1.1"},
    {"HTTP/1.2", "HTTP/1.2 200 OK\r\n\r\n", .err = QRT_EPROTO,
     .why = "it is neither HTTP/1.0 nor HTTP/1.1"},
    {"HTTP/0.9", "HTTP/0.9 200 OK\r\n\r\n", .err = QRT_EPROTO,
     .why = "it is neither HTTP/1.0 nor HTTP/1.1"},
    {"a status of two digits", "HTTP/1.1 20 OK\r\n\r\n", .err = QRT_EPROTO,
     .why = "a status that is none"},
    {"a status of four digits", "HTTP/1.1 2000 OK\r\n\r\n", .err = QRT_EPROTO,
     .why = "a malformed status line"},
    {"a status that is none", "HTTP/1.1 099 Odd\r\nContent-Length: 0\r\n\r\n", .err = QRT_EPROTO,
     .why = "a status that is none"},
    {"a status of 600", "HTTP/1.1 600 Odd\r\nContent-Length: 0\r\n\r\n", .err = QRT_EPROTO,
     .why = "a status that is none"},
    {"an empty line first", "\r\n" LEN("0"), .err = QRT_EPROTO,
     .why = "an empty line before the answer"},
    {"a bare LF", "HTTP/1.1 200 OK\nContent-Length: 0\r\n\r\n", .err = QRT_EPROTO,
     .why = "a line that does not end in CR LF"},
    {"a bare CR", OK "A: b\rc\r\n\r\n", .err = QRT_EPROTO, .why = "a bare CR"},
    {"a folded header", OK "A: b\r\n c\r\n\r\n", .err = QRT_EPROTO, .why = "a folded header"},
    {"a folded first header", OK " A: b\r\n\r\n", .err = QRT_EPROTO, .why = "a folded header"},
    {"a control character", OK "A: b\001\r\n\r\n", .err = QRT_EPROTO,
     .why = "a control character in the head"},
    {"a space before the colon", OK "A : b\r\n\r\n", .err = QRT_EPROTO,
     .why = "a malformed header"},
    {"no colon", OK "A\r\n\r\n", .err = QRT_EPROTO, .why = "a malformed header"},
    {"no name", OK ": b\r\n\r\n", .err = QRT_EPROTO, .why = "a malformed header"},
    {"bytes above ASCII in a value", OK "A: \xc3\xa4\r\nContent-Length: 0\r\n\r\n", .status = 200,
     .body = "", .keeps = true},
};

/* What a parser has told. */
struct story {
	enum qrt__http_reply_state end;
	struct qrt__http_reply_fault fault;
	int status;
	char body[BODY_ROOM];
	size_t body_len, left;
	unsigned continues;
	bool keeps;
};

static bool is_end(enum qrt__http_reply_state state)
{
	return state == QRT__REPLY_DONE || state == QRT__REPLY_FAULT;
}

static void hear(struct qrt__http_reply *reply, enum qrt__http_reply_state state,
		 struct story *story)
{
	struct qrt_http_answer answer;
	size_t n = 0;
	const char *piece;
	switch (state) {
	case QRT__REPLY_HEAD:
		qrt__http_reply_answer(reply, &answer);
		assert_int_equal(story->status, 0);
		story->status = answer.status;
		break;
	case QRT__REPLY_DATA:
		piece = qrt__http_reply_piece(reply, &n);
		assert_true(n > 0 && story->body_len + n <= sizeof(story->body));
		memcpy(story->body + story->body_len, piece, n);
		story->body_len += n;
		break;
	case QRT__REPLY_CONTINUE:
		story->continues++;
		break;
	default:
		break;
	}
	story->end = state;
}

/* @n bytes in one piece, as a connection reads them: until nothing more is told. */
static void feed(struct qrt__http_reply *reply, const char *bytes, size_t n, struct story *story)
{
	char *copy = malloc(n ? n : 1); /* a read behind it is seen */
	assert_non_null(copy);
	memcpy(copy, bytes, n);
	size_t at = 0;
	enum qrt__http_reply_state state;
	do {
		size_t used = 0;
		state = qrt__http_reply_feed(reply, copy + at, n - at, &used);
		assert_true(used <= n - at);
		at += used;
		assert_true(state != QRT__REPLY_MORE || at == n);
		hear(reply, state, story);
	} while (!is_end(state) && state != QRT__REPLY_MORE);
	story->left += n - at;
	free(copy);
}

/* Cuts @bytes at each multiple of @step from @first on. */
static struct story tell(struct qrt__http_reply *reply, const struct row *row, size_t first,
			 size_t step)
{
	struct story story = {.end = QRT__REPLY_MORE};
	size_t n = strlen(row->bytes), at = 0;
	qrt__http_reply_reset(reply, row->to_head);
	while (at < n) {
		size_t piece = at == 0 ? first : step;
		piece = piece < n - at ? piece : n - at;
		if (is_end(story.end)) {
			story.left += piece;
		} else {
			feed(reply, row->bytes + at, piece, &story);
		}
		at += piece;
	}
	if (row->eof && !is_end(story.end)) {
		story.end = qrt__http_reply_eof(reply);
	}
	story.fault = qrt__http_reply_fault(reply);
	story.keeps = qrt__http_reply_keeps(reply);
	return story;
}

static bool fits(const struct row *row, const struct story *story)
{
	const char *body = row->body ? row->body : "";
	size_t rest = row->rest ? strlen(row->rest) : 0;
	bool ended = row->more	? story->end == QRT__REPLY_MORE
		     : row->err ? story->end == QRT__REPLY_FAULT
				: story->end == QRT__REPLY_DONE;
	return ended && story->fault.err == row->err &&
	       strcmp(story->fault.why, row->why ? row->why : "") == 0 &&
	       story->status == row->status && story->body_len == strlen(body) &&
	       memcmp(story->body, body, story->body_len) == 0 && story->keeps == row->keeps &&
	       story->continues == row->continues && (row->err || story->left == rest);
}

static unsigned failures;

static void check(const struct row *row, const struct story *story, size_t first, size_t step)
{
	if (!fits(row, story)) {
		failures++;
		print_error(
		    "%s, cut %zu/%zu: end %d, %s \"%s\", status %d, body \"%.*s\", keeps %d, "
		    "left %zu, continues %u\n",
		    row->name, first, step, (int)story->end, qrt_err_name(story->fault.err),
		    story->fault.why, story->status, (int)story->body_len, story->body,
		    story->keeps, story->left, story->continues);
	}
}

static void every_answer_reads_the_same_however_it_is_cut(void **state)
{
	(void)state;
	struct qrt__http_reply *reply;
	assert_int_equal(qrt__http_reply_create(HEAD_MAX, &reply), QRT_OK);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		size_t n = strlen(rows[i].bytes);
		struct story story = tell(reply, &rows[i], 1, 1);
		check(&rows[i], &story, 1, 1);
		for (size_t cut = 1; cut <= n; cut++) {
			story = tell(reply, &rows[i], cut, n);
			check(&rows[i], &story, cut, n);
		}
	}
	qrt__http_reply_destroy(&reply);
	assert_null(reply);
	assert_int_equal(failures, 0);
}

static void headers_come_in_order_and_are_found_in_any_case(void **state)
{
	(void)state;
	struct qrt__http_reply *reply;
	struct qrt_http_answer answer;
	struct story story = {0};
	static const char bytes[] = OK "Retry-After:  7 \r\nSet-Cookie: a\r\nX-Empty:\r\n"
				       "set-cookie: b\r\nContent-Length: 0\r\n\r\n";
	assert_int_equal(qrt__http_reply_create(HEAD_MAX, &reply), QRT_OK);
	feed(reply, bytes, strlen(bytes), &story);
	assert_int_equal(story.end, QRT__REPLY_DONE);
	qrt__http_reply_answer(reply, &answer);
	assert_int_equal(answer.n_headers, 5);
	assert_string_equal(answer.headers[0].name, "Retry-After");
	assert_string_equal(answer.headers[0].value, "7");
	assert_string_equal(answer.headers[3].value, "b");
	assert_string_equal(qrt_http_answer_header(&answer, "SET-COOKIE"), "a");
	assert_string_equal(qrt_http_answer_header(&answer, "x-empty"), "");
	assert_null(qrt_http_answer_header(&answer, "x-none"));
	qrt__http_reply_destroy(&reply);
}

/* OK, or the fault, of an answer whose head has exactly @len bytes. */
static struct qrt__http_reply_fault with_head(size_t len)
{
	struct qrt__http_reply *reply;
	struct story story = {0};
	char bytes[2 * HEAD_MAX];
	int fixed = (int)strlen(OK "Content-Length: 0\r\nX: \r\n\r\n");
	assert_int_equal(qrt__http_reply_create(HEAD_MAX, &reply), QRT_OK);
	snprintf(bytes, sizeof(bytes), OK "Content-Length: 0\r\nX: %0*d\r\n\r\n", (int)len - fixed,
		 0);
	assert_int_equal(strlen(bytes), len);
	feed(reply, bytes, len, &story);
	struct qrt__http_reply_fault fault = qrt__http_reply_fault(reply);
	qrt__http_reply_destroy(&reply);
	return fault;
}

static void a_head_has_a_limit_to_the_byte(void **state)
{
	(void)state;
	assert_int_equal(with_head(HEAD_MAX).err, QRT_OK);
	assert_int_equal(with_head(HEAD_MAX + 1).err, QRT_ELIMIT);
	assert_string_equal(with_head(HEAD_MAX + 1).why, "the head is too long");
}

/* Feeds @once, then @often until something ends; the fault. */
static struct qrt__http_reply_fault flood(const char *once, const char *often, size_t times)
{
	struct qrt__http_reply *reply;
	struct story story = {0};
	assert_int_equal(qrt__http_reply_create(HEAD_MAX, &reply), QRT_OK);
	feed(reply, once, strlen(once), &story);
	for (size_t i = 0; i < times && !is_end(story.end); i++) {
		feed(reply, often, strlen(often), &story);
	}
	struct qrt__http_reply_fault fault = qrt__http_reply_fault(reply);
	qrt__http_reply_destroy(&reply);
	return fault;
}

static void what_a_server_can_repeat_has_a_limit(void **state)
{
	(void)state;
	struct qrt__http_reply_fault fault = flood("", "HTTP/1.1 102 \r\n\r\n", 100);
	assert_int_equal(fault.err, QRT_ELIMIT);
	assert_true(strcmp(fault.why, "the head is too long") == 0 ||
		    strcmp(fault.why, "too many interim answers") == 0);
	fault = flood(CHUNKED "0\r\n", "X: yyyyyyyyyyyyyyyyyyyyyy\r\n", 100);
	assert_int_equal(fault.err, QRT_ELIMIT);
	assert_string_equal(fault.why, "the chunk extensions or trailers are too long");
	fault = flood(CHUNKED "1;", "xxxxxxxxxxxxxxxxxxxx", 100);
	assert_int_equal(fault.err, QRT_ELIMIT);
	assert_string_equal(fault.why, "the chunk extensions or trailers are too long");
	fault = flood(OK, "A:\r\n", 100);
	assert_int_equal(fault.err, QRT_ELIMIT);
	assert_string_equal(fault.why, "the head is too long");
}

static void a_nul_in_the_head_is_refused(void **state)
{
	(void)state;
	struct qrt__http_reply *reply;
	struct story story = {0};
	static const char bytes[] = OK "A: b\0c\r\n\r\n";
	assert_int_equal(qrt__http_reply_create(HEAD_MAX, &reply), QRT_OK);
	feed(reply, bytes, sizeof(bytes) - 1, &story);
	assert_int_equal(story.end, QRT__REPLY_FAULT);
	assert_string_equal(qrt__http_reply_fault(reply).why, "a control character in the head");
	qrt__http_reply_destroy(&reply);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_answer_reads_the_same_however_it_is_cut),
	    cmocka_unit_test(headers_come_in_order_and_are_found_in_any_case),
	    cmocka_unit_test(a_head_has_a_limit_to_the_byte),
	    cmocka_unit_test(what_a_server_can_repeat_has_a_limit),
	    cmocka_unit_test(a_nul_in_the_head_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
