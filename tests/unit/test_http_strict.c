/*
 * What is proper HTTP and what is refused, as one table. The parser meets each row whole, byte by
 * byte and cut in two at every place, and must come to the same verdict; each backend's server
 * meets it over a connection. A request that two readers could understand in two ways is refused,
 * with the connection: that is what request smuggling lives on.
 */
#include "tests/lib/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shim/src/http/parse.h"
#include "tests/lib/http_site.h"

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define POST "POST / HTTP/1.1\r\n" HOST
#define CHUNKED POST "Transfer-Encoding: chunked\r\n\r\n"
#define LENGTH(value) POST "Content-Length: " value "\r\n\r\n"
#define WITH(line) "GET / HTTP/1.1\r\n" HOST line "\r\n\r\n"
#define X8 "xxxxxxxx"
#define X64 X8 X8 X8 X8 X8 X8 X8 X8
#define X256 X64 X64 X64 X64

enum { LINE_MAX_BYTES = 200, HEADER_MAX = 1000, BODY_MAX = 64 };

/* evhttp: what the server of the legacy backend says instead; 0: the same. */
struct row {
	const char *name, *bytes;
	size_t n;
	int status, evhttp;
};

#define ROW(name, bytes, status)                                                                   \
	{                                                                                          \
		name, bytes, sizeof(bytes) - 1, status, 0                                          \
	}
#define ROW_BUT(name, bytes, status, evhttp)                                                       \
	{                                                                                          \
		name, bytes, sizeof(bytes) - 1, status, evhttp                                     \
	}

static const struct row rows[] = {
    /* --- request lines --- */
    ROW("plain", WITH("A: b"), 200),
    ROW("HTTP/1.0", "GET / HTTP/1.0\r\n\r\n", 200),
    ROW("HTTP/1.2", "GET / HTTP/1.2\r\n" HOST "\r\n", 505),
    ROW("HTTP/2.0", "GET / HTTP/2.0\r\n" HOST "\r\n", 505),
    ROW("HTTP/0.9", "GET /\r\n\r\n", 400),
    ROW("HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    ROW("version with more digits", "GET / HTTP/1.10\r\n" HOST "\r\n", 505),
    ROW("version with a leading zero", "GET / HTTP/01.1\r\n" HOST "\r\n", 505),
    ROW("version without a minor", "GET / HTTP/1\r\n" HOST "\r\n", 505),
    ROW("version in lower case", "GET / http/1.1\r\n" HOST "\r\n", 400),
    ROW("text behind the version", "GET / HTTP/1.1 x\r\n" HOST "\r\n", 505),
    ROW("space behind the version", "GET / HTTP/1.1 \r\n" HOST "\r\n", 505),
    ROW("other protocol", "GET / RTSP/1.0\r\n" HOST "\r\n", 400),
    ROW("ICE", "SOURCE / ICE/1.0\r\n" HOST "\r\n", 400),
    ROW("TLS hello", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
    ROW("method in lower case", "get / HTTP/1.1\r\n" HOST "\r\n", 400),
    ROW("method in mixed case", "Get / HTTP/1.1\r\n" HOST "\r\n", 400),
    ROW("unknown method", "BREW / HTTP/1.1\r\n" HOST "\r\n", 501),
    ROW("overlong method", X64 X64 X64 X64 " / HTTP/1.1\r\n" HOST "\r\n", 400),
    ROW("overlong known letters", "GETGETGETGETGETGETGETGETGET / HTTP/1.1\r\n" HOST "\r\n", 501),
    ROW("method with a control byte", "GE\x01T / HTTP/1.1\r\n" HOST "\r\n", 400),
    ROW("NUL in the method", "GE\0T / HTTP/1.1\r\n" HOST "\r\n", 400),
    ROW("no method", " / HTTP/1.1\r\n" HOST "\r\n", 400),
    ROW("tab behind the method", "GET\t/ HTTP/1.1\r\n" HOST "\r\n", 400),
    ROW("two spaces behind the method", "GET  / HTTP/1.1\r\n" HOST "\r\n", 400),
    ROW("two spaces before the version", "GET /  HTTP/1.1\r\n" HOST "\r\n", 400),
    ROW("overlong request line", "GET /" X256 " HTTP/1.1\r\n" HOST "\r\n", 414),
    ROW("request line without an end", "GET /" X256, 414),
    /* --- targets --- */
    ROW("absolute form", "GET http://h/ HTTP/1.1\r\n" HOST "\r\n", 200),
    ROW("absolute form without a path", "GET http://h HTTP/1.1\r\n" HOST "\r\n", 200),
    ROW("absolute form of another scheme", "GET ftp://h/ HTTP/1.1\r\n" HOST "\r\n", 400),
    ROW("authority form", "GET h:80 HTTP/1.1\r\n" HOST "\r\n", 400),
    ROW("CONNECT", "CONNECT h:80 HTTP/1.1\r\n" HOST "\r\n", 400),
    ROW("CONNECT with a path", "CONNECT / HTTP/1.1\r\n" HOST "\r\n", 501),
    ROW("asterisk form", "OPTIONS * HTTP/1.1\r\n" HOST "\r\n", 404),
    ROW("asterisk and more", "OPTIONS *x HTTP/1.1\r\n" HOST "\r\n", 400),
    ROW("relative target", "GET a HTTP/1.1\r\n" HOST "\r\n", 400),
    ROW("empty target", "GET  HTTP/1.1\r\n" HOST "\r\n", 400),
    ROW("fragment", "GET /#x HTTP/1.1\r\n" HOST "\r\n", 400),
    ROW("bad escape", "GET /%zz HTTP/1.1\r\n" HOST "\r\n", 400),
    ROW("escape cut short", "GET /%4 HTTP/1.1\r\n" HOST "\r\n", 400),
    ROW("escaped NUL", "GET /%00 HTTP/1.1\r\n" HOST "\r\n", 400),
    ROW("NUL in the target", "GET /\0 HTTP/1.1\r\n" HOST "\r\n", 400),
    ROW("control byte in the target", "GET /\x01 HTTP/1.1\r\n" HOST "\r\n", 400),
    ROW("byte above ASCII in the target", "GET /\xe4 HTTP/1.1\r\n" HOST "\r\n", 400),
    ROW("bare CR in the target", "GET /\rx HTTP/1.1\r\n" HOST "\r\n", 400),
    /* --- line ends --- */
    ROW("bare LF after the request line", "GET / HTTP/1.1\n" HOST "\r\n", 400),
    ROW("bare LF after a header", "GET / HTTP/1.1\r\nHost: h\n\r\n", 400),
    ROW("bare LF at the end", "GET / HTTP/1.1\r\n" HOST "\n", 400),
    ROW("only LFs", "GET / HTTP/1.1\nHost: h\n\n", 400),
    ROW("bare CR after the request line", "GET / HTTP/1.1\rHost: h\r\n\r\n", 400),
    ROW("bare CR after a header", "GET / HTTP/1.1\r\nHost: h\rA: b\r\n\r\n", 400),
    ROW("bare CR in a value", WITH("A: b\rc"), 400),
    ROW("CR CR LF", "GET / HTTP/1.1\r\nHost: h\r\r\n\r\n", 400),
    ROW("bare CR in a name", WITH("A\rb: c"), 400),
    ROW("bare CR at the end", "GET / HTTP/1.1\r\n" HOST "\rx", 400),
    ROW_BUT("an empty line before", "\r\nGET / HTTP/1.1\r\n" HOST "\r\n", 200, 400),
    ROW("a bare LF before", "\nGET / HTTP/1.1\r\n" HOST "\r\n", 400),
    ROW("a bare CR before", "\rGET / HTTP/1.1\r\n" HOST "\r\n", 400),
    ROW("empty lines without end", "\r\n\r\n\r\n\r\n\r\nGET / HTTP/1.1\r\n" HOST "\r\n", 400),
    ROW("white space before", " \r\nGET / HTTP/1.1\r\n" HOST "\r\n", 400),
    /* --- headers --- */
    ROW("folded header", WITH("A: b\r\n c"), 400),
    ROW("header folded by a tab", WITH("A: b\r\n\tc"), 400),
    ROW("folded first header", "GET / HTTP/1.1\r\n " HOST "\r\n", 400),
    ROW("folded length", POST "Content-Length:\r\n 1\r\n\r\nx", 400),
    ROW("space before the colon", WITH("A : b"), 400),
    ROW("tab before the colon", WITH("A\t: b"), 400),
    ROW("space before the colon of a length", POST "Content-Length : 1\r\n\r\nx", 400),
    ROW("space before the colon of a coding", POST "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
	400),
    ROW("no colon", WITH("A b"), 400),
    ROW("no name", WITH(": b"), 400),
    ROW("space in a name", WITH("A b: c"), 400),
    ROW("control byte in a name", WITH("A\x01: b"), 400),
    ROW("byte above ASCII in a name", WITH("A\xe4: b"), 400),
    ROW("NUL in a name", WITH("A\0b: c"), 400),
    ROW("NUL in a value", WITH("A: b\0c"), 400),
    ROW("control byte in a value", WITH("A: \x01"), 400),
    ROW("DEL in a value", WITH("A: \x7f"), 400),
    ROW("tab in a value", WITH("A: b\tc"), 200),
    ROW("empty value", WITH("A:"), 200),
    ROW("headers too long", WITH("A: " X256 X256 X256 X256), 431),
    ROW("header without an end", "GET / HTTP/1.1\r\nA: " X256 X256 X256 X256, 431),
    ROW("no Host", "GET / HTTP/1.1\r\nA: b\r\n\r\n", 400),
    ROW("no Host in 1.0", "GET / HTTP/1.0\r\nA: b\r\n\r\n", 200),
    ROW("two Hosts", WITH("Host: h"), 400),
    ROW("two Hosts in 1.0", "GET / HTTP/1.0\r\n" HOST HOST "\r\n", 400),
    ROW("Host with a space", "GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400),
    ROW("Host with a path", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400),
    ROW("Host that is a list", "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", 400),
    ROW("empty Host", "GET / HTTP/1.1\r\nHost:\r\n\r\n", 200),
    ROW("Host with a port", "GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", 200),
    ROW("other expectation", POST "Expect: more\r\nContent-Length: 1\r\n\r\nx", 417),
    ROW("two expectations", WITH("Expect: 100-continue, more"), 417),
    /* --- lengths --- */
    ROW("length", LENGTH("5") "hello", 200),
    ROW("length 0", LENGTH("0"), 200),
    ROW("leading zeros", LENGTH("0005") "hello", 200),
    ROW("empty length", LENGTH("") "hello", 400),
    ROW("signed length", LENGTH("+5") "hello", 400),
    ROW("negative length", LENGTH("-5") "hello", 400),
    ROW("length in hex", LENGTH("0x5") "hello", 400),
    ROW("length with a point", LENGTH("5.0") "hello", 400),
    ROW("length in words", LENGTH("five") "hello", 400),
    ROW("length with text behind", LENGTH("5 x") "hello", 400),
    ROW("length with white space around", LENGTH(" 5 ") "hello", 200),
    ROW("length with a space inside", LENGTH("1 1") "hello", 400),
    ROW("list of equal lengths", LENGTH("5, 5") "hello", 400),
    ROW("list of lengths", LENGTH("5, 6") "hello", 400),
    ROW("length of 2^64", LENGTH("18446744073709551616"), 400),
    ROW("length of 2^64 + 5", LENGTH("18446744073709551621") "hello", 400),
    ROW("length of 2^63", LENGTH("9223372036854775808"), 413),
    ROW("overlong length", LENGTH("99999999999999999999999999999999"), 400),
    ROW("two equal lengths", POST "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello", 400),
    ROW("two lengths", POST "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello", 400),
    ROW("NUL in a length", LENGTH("5\0") "hello", 400),
    ROW("length beyond the limit", LENGTH("65"), 413),
    ROW("length beyond the limit with Expect",
	POST "Expect: 100-continue\r\nContent-Length: 65\r\n\r\n", 413),
    ROW_BUT("body with GET", "GET / HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nhello", 200, 400),
    /* --- codings --- */
    ROW("both length and chunked",
	POST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    ROW("both chunked and length",
	POST "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n", 400),
    ROW("length and an unknown coding",
	POST "Content-Length: 5\r\nTransfer-Encoding: xchunked\r\n\r\nhello", 400),
    ROW("chunked", CHUNKED "5\r\nhello\r\n0\r\n\r\n", 200),
    ROW("chunked in upper case", POST "Transfer-Encoding: CHUNKED\r\n\r\n0\r\n\r\n", 200),
    ROW("identity", POST "Transfer-Encoding: identity\r\n\r\n", 501),
    ROW("gzip", POST "Transfer-Encoding: gzip\r\n\r\n", 501),
    ROW("gzip, chunked", POST "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501),
    ROW("chunked, gzip", POST "Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n", 400),
    ROW("chunked, chunked", POST "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", 400),
    ROW("xchunked", POST "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 501),
    ROW("chunked behind a control byte",
	POST "Transfer-Encoding: \x0b"
	     "chunked\r\n\r\n",
	400),
    ROW("quoted", POST "Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n", 501),
    ROW("empty coding", POST "Transfer-Encoding:\r\n\r\n", 501),
    ROW("two codings",
	POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    ROW("identity and chunked",
	POST "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 501),
    ROW("chunked in 1.0", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    ROW_BUT("chunked with GET",
	    "GET / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 200, 400),
    /* --- chunks --- */
    ROW("size in hex", CHUNKED "a\r\n0123456789\r\n0\r\n\r\n", 200),
    ROW("size with leading zeros", CHUNKED "0005\r\nhello\r\n0\r\n\r\n", 200),
    ROW("size with 0x", CHUNKED "0x5\r\nhello\r\n0\r\n\r\n", 400),
    ROW("signed size", CHUNKED "+5\r\nhello\r\n0\r\n\r\n", 400),
    ROW("negative size", CHUNKED "-5\r\nhello\r\n0\r\n\r\n", 400),
    ROW("size behind a space", CHUNKED " 5\r\nhello\r\n0\r\n\r\n", 400),
    ROW("size before a space", CHUNKED "5 \r\nhello\r\n0\r\n\r\n", 400),
    ROW("empty size", CHUNKED "\r\nhello\r\n0\r\n\r\n", 400),
    ROW("size that is no number", CHUNKED "g\r\nhello\r\n0\r\n\r\n", 400),
    ROW("size of 2^64", CHUNKED "10000000000000000\r\n", 400),
    ROW("size of 2^64 + 5", CHUNKED "10000000000000005\r\nhello\r\n0\r\n\r\n", 400),
    ROW("size of 2^64 - 1", CHUNKED "ffffffffffffffff\r\n", 413),
    ROW("size of 2^63", CHUNKED "8000000000000000\r\n", 413),
    ROW("size with many zeros", CHUNKED "00000000000000000000000000000005\r\nhello\r\n0\r\n\r\n",
	200),
    ROW("size beyond the limit", CHUNKED "41\r\n", 413),
    ROW("sizes beyond the limit together", CHUNKED "20\r\n" X8 X8 X8 X8 "\r\n21\r\n", 413),
    ROW("bare LF after a size", CHUNKED "5\nhello\r\n0\r\n\r\n", 400),
    ROW("bare CR after a size", CHUNKED "5\rhello\r\n0\r\n\r\n", 400),
    ROW("no CR LF after a chunk", CHUNKED "5\r\nhello0\r\n\r\n", 400),
    ROW("bare LF after a chunk", CHUNKED "5\r\nhello\n0\r\n\r\n", 400),
    ROW("bare CR after a chunk", CHUNKED "5\r\nhello\r0\r\n\r\n", 400),
    ROW("chunk longer than its size", CHUNKED "4\r\nhello\r\n0\r\n\r\n", 400),
    ROW("bare LF after the last size", CHUNKED "0\n\r\n", 400),
    ROW("bare LF at the end of chunks", CHUNKED "0\r\n\n", 400),
    ROW("bare CR at the end of chunks", CHUNKED "0\r\n\rx", 400),
    ROW("NUL in a size", CHUNKED "5\0\r\nhello\r\n0\r\n\r\n", 400),
    ROW_BUT("extension", CHUNKED "5;a=b\r\nhello\r\n0\r\n\r\n", 200, 413),
    ROW_BUT("quoted extension", CHUNKED "5;a=\"b\"\r\nhello\r\n0\r\n\r\n", 200, 413),
    ROW("bare CR in an extension", CHUNKED "5;a\rb\r\nhello\r\n0\r\n\r\n", 400),
    ROW("bare LF in an extension", CHUNKED "5;a\nhello\r\n0\r\n\r\n", 400),
    ROW("NUL in an extension", CHUNKED "5;a\0b\r\nhello\r\n0\r\n\r\n", 400),
    ROW("overlong extension", CHUNKED "5;a=" X256 X256 X256 X256 "\r\nhello\r\n0\r\n\r\n", 431),
    ROW("trailer", CHUNKED "0\r\nA: b\r\n\r\n", 200),
    ROW("trailer that frames", CHUNKED "0\r\nContent-Length: 5\r\n\r\n", 200),
    ROW("folded trailer", CHUNKED "0\r\nA: b\r\n c\r\n\r\n", 400),
    ROW("trailer with a bare LF", CHUNKED "0\r\nA: b\n\r\n", 400),
    ROW("trailer with a bare CR", CHUNKED "0\r\nA: b\rC: d\r\n\r\n", 400),
    ROW("trailer with a space before the colon", CHUNKED "0\r\nA : b\r\n\r\n", 400),
    ROW("NUL in a trailer", CHUNKED "0\r\nA: b\0\r\n\r\n", 400),
    ROW("overlong trailers", CHUNKED "0\r\nA: " X256 X256 X256 X256 "\r\n\r\n", 431),
};

/* --- the parser ---------------------------------------------------------------------------- */

/* 200: a whole request; 0: it waits for more. */
static int verdict(struct qrt__http_parser *parser, const char *bytes, size_t n, size_t cut)
{
	enum qrt__http_state state = QRT__HTTP_MORE;
	const char *why = "";
	size_t at = 0;

	qrt__http_parser_reset(parser);
	while (at < n && state == QRT__HTTP_MORE) {
		/* At the cut, or byte by byte. */
		size_t end = cut == 0 ? at + 1 : at < cut ? cut : n;
		/* Memory of exactly this size, so that a sanitizer sees a read behind it. */
		char *copy = malloc(end - at);
		size_t used = 0;

		assert_non_null(copy);
		memcpy(copy, bytes + at, end - at);
		state = qrt__http_parser_feed(parser, copy, end - at, &used);
		free(copy);
		if (state == QRT__HTTP_HEAD) {
			state = qrt__http_parser_body(parser, true, BODY_MAX);
		}
		at += used;
	}
	if (state == QRT__HTTP_DONE) {
		return 200;
	}
	return qrt__http_parser_fault(parser, &why);
}

/* A 404 is the router's word. */
static int wanted(const struct row *row)
{
	return row->status == 404 ? 200 : row->status;
}

static void every_row_has_one_verdict_however_it_is_cut(void **state)
{
	const struct qrt__http_limits limits = {LINE_MAX_BYTES, HEADER_MAX};
	struct qrt__http_parser *parser = NULL;
	unsigned wrong = 0;

	(void)state;
	assert_int_equal(qrt__http_parser_create(&limits, &parser), QRT_OK);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		for (size_t cut = 0; cut <= rows[i].n; cut++) {
			int got = verdict(parser, rows[i].bytes, rows[i].n, cut);

			if (got != wanted(&rows[i])) {
				fprintf(stderr, "%s, cut at %zu: %d, wanted %d\n", rows[i].name,
					cut, got, wanted(&rows[i]));
				wrong++;
				break;
			}
		}
	}
	qrt__http_parser_destroy(&parser);
	assert_int_equal(wrong, 0);
}

/* --- the servers --------------------------------------------------------------------------- */

static enum qrt_err hello(struct qrt_cx *cx, struct qrt_http_request *req,
			  struct qrt_http_response *resp)
{
	(void)cx;
	site_of(req)->count++;
	return say(resp, "hello");
}

static enum qrt_err send_row(struct qrt_cx *cx, struct client *client, const struct row *row,
			     size_t piece)
{
	enum qrt_err err = QRT_OK;

	/* Who has been refused already need not listen. */
	for (size_t at = 0; at < row->n && !err; at += piece) {
		size_t n = row->n - at < piece ? row->n - at : piece;

		err = qrt_write(cx, client->stream, row->bytes + at, n);
		err = err ? err : qrt_yield(cx);
	}
	return err == QRT_ECONNRESET ? QRT_OK : err;
}

static enum qrt_err meet(struct qrt_cx *cx, struct site *site, const struct row *row, size_t piece)
{
	int want = site->evhttp && row->evhttp ? row->evhttp : row->status;
	struct client *client = NULL;
	struct reply reply = {0};
	size_t handled = site->count;
	enum qrt_err err = client_open(cx, site, &client);

	err = err ? err : send_row(cx, client, row, piece);
	err = err ? err : client_reply(cx, client, false, &reply);
	if (!err && want != 200 && want != 404) {
		/* Refused: nothing else is said, no handler has run. */
		bool last = reply.close && site->count == handled;

		client_take(client, &reply);
		err = last && client_fill(cx, client) != QRT_OK && client->n == 0 ? QRT_OK
										  : QRT_EPROTO;
	}
	client_close(cx, &client);
	if (err || reply.status != want) {
		fprintf(stderr, "%s, pieces of %zu: %s, status %d, wanted %d\n", row->name, piece,
			qrt_err_name(err), reply.status, want);
		return QRT_EFAILED;
	}
	return QRT_OK;
}

static enum qrt_err meet_all(struct qrt_cx *cx, struct site *site)
{
	static const size_t pieces[] = {SIZE_MAX, 1, 17};
	unsigned wrong = 0;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		for (size_t j = 0; j < ARRAY_LEN(pieces); j++) {
			wrong += meet(cx, site, &rows[i], pieces[j]) != QRT_OK;
		}
	}
	EXPECT(wrong == 0);
	return QRT_OK;
}

static void every_backend_gives_the_same_verdicts(void **state)
{
	static const struct site_route routes[] = {
	    {"GET", "/", hello, {0}},
	    {"POST", "/", hello, {0}},
	};
	const struct site_play play = {
	    .fn = meet_all,
	    .routes = routes,
	    .n_routes = ARRAY_LEN(routes),
	    .opts = {.request_line_max = LINE_MAX_BYTES,
		     .header_max = HEADER_MAX,
		     .body_max = BODY_MAX},
	};

	(void)state;
	site_on_each(&play);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_row_has_one_verdict_however_it_is_cut),
	    cmocka_unit_test(every_backend_gives_the_same_verdicts),
	};

	_Static_assert(ARRAY_LEN(rows) >= 80, "the table has become poor");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
