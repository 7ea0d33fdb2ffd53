/*
 * The pure parts of the load client: it is the judge of the demo, so it must
 * itself be right about what an answer is, which are equal, and how long they
 * took.
 */
#include "tests/bench/load_hist.h"
#include "tests/bench/load_http.h"
#include "tests/bench/load_mask.h"
#include "tests/bench/load_ws.h"
#include "tests/lib/test.h"

#include <stdlib.h>
#include <string.h>

static enum load_read read_text(const char *text, bool ended, struct load_answer *answer,
				char *body, size_t body_size)
{
	/* Exactly as long as the text, so that a sanitizer sees one byte too many. */
	size_t len = strlen(text);
	char *data = malloc(len + 1);
	enum load_read got;

	assert_non_null(data);
	memcpy(data, text, len + 1);
	got = load_http_read(data, len, ended, answer);
	if (got == LOAD_WHOLE) {
		assert_true(answer->body_len < body_size);
		memcpy(body, answer->body, answer->body_len);
		body[answer->body_len] = '\0';
	}
	free(data);
	return got;
}

static void an_answer_is_read_as_soon_as_it_is_whole_and_not_before(void **state)
{
	static const struct {
		const char *text, *body;
		bool ended, close;
	} cases[] = {
	    {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", "hi", false, false},
	    {"HTTP/1.1 200\r\ncontent-length:0\r\nConnection: close\r\n\r\n", "", false, true},
	    {"HTTP/1.0 404 No\r\nContent-Length: 2\r\n\r\nhi", "hi", false, true},
	    {"HTTP/1.1 204 No Content\r\n\r\n", "", false, false},
	    {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx", "x",
	     false, false},
	    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
	     "3\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\n",
	     "abc0123456789", false, false},
	    {"HTTP/1.1 200 OK\r\n\r\nto the end", "to the end", true, true},
	};
	struct load_answer answer;
	char body[64], part[256];
	size_t i, n;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(
		    read_text(cases[i].text, cases[i].ended, &answer, body, sizeof(body)),
		    LOAD_WHOLE);
		assert_string_equal(body, cases[i].body);
		assert_int_equal(answer.close, cases[i].close);
		assert_int_equal(answer.used, strlen(cases[i].text));
		for (n = 0; n < strlen(cases[i].text) && !cases[i].ended; n++) {
			memcpy(part, cases[i].text, n);
			part[n] = '\0';
			assert_int_equal(read_text(part, false, &answer, body, sizeof(body)),
					 LOAD_MORE);
			assert_int_equal(read_text(part, true, &answer, body, sizeof(body)),
					 LOAD_BAD);
		}
	}
}

static void what_is_no_answer_is_bad(void **state)
{
	static const char *const texts[] = {
	    "SSH-2.0\r\n\r\n",
	    "HTTP/2 200 OK\r\nContent-Length: 0\r\n\r\n",
	    "HTTP/1.1 2x0 OK\r\nContent-Length: 0\r\n\r\n",
	    "HTTP/1.1 700 OK\r\nContent-Length: 0\r\n\r\n",
	    "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
	    "HTTP/1.1 200 OK\r\nContent-Length: 1048577\r\n\r\n",
	    "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n",
	    "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
	    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
	    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n",
	    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffff\r\n",
	};
	struct load_answer answer;
	char body[8];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		assert_int_equal(read_text(texts[i], false, &answer, body, sizeof(body)), LOAD_BAD);
	}
}

static void ids_times_and_hashes_are_masked_and_nothing_else(void **state)
{
	static const struct {
		const char *from, *to;
	} cases[] = {
	    {"{\"id\":\"Q-2026-0001\"}", "{\"id\":\"Q-#\"}"},
	    {"Q-2026-12345-ql-2", "Q-#-ql-2"},
	    {"Q-2026-001", "Q-2026-001"},
	    {"xQ-2026-0001", "xQ-2026-0001"},
	    {"2026-01-02T03:04:05.678Z", "T#"},
	    {"2026-01-02T03:04:05Z,2026-01-02T03:04:05", "T#,T#"},
	    {"2026-01-02", "2026-01-02"},
	    {"cor-0123456789ab cor-mine APR-0123456789ab", "cor-# cor-mine APR-#"},
	    {"cor-0123456789a", "cor-0123456789a"},
	    {"deadbeefdeadbeef deadbeefdeadbee", "X# deadbeefdeadbee"},
	    {"\"total_minor\":123456789012", "\"total_minor\":123456789012"},
	    {"", ""},
	};
	char masked[128];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		size_t len = load_mask(cases[i].from, strlen(cases[i].from), masked);

		assert_string_equal(masked, cases[i].to);
		assert_int_equal(len, strlen(cases[i].to));
	}
	assert_true(load_hash("a", 1) != load_hash("b", 1));
	assert_true(load_hash("ab", 2) == load_hash("abc", 2));
}

static void percentiles_are_off_by_less_than_one_percent(void **state)
{
	static struct load_hist hist;
	static const double percents[] = {1, 50, 95, 99, 99.9, 100};
	uint64_t n = 100000, scale = 977, i;

	(void)state;
	assert_int_equal(load_hist_at(&hist, 50), 0);
	/* In an order that is not sorted: 7919 has no common divisor with n. */
	for (i = 0; i < n; i++) {
		load_hist_add(&hist, (i * 7919 % n + 1) * scale);
	}
	assert_int_equal(hist.count, n);
	assert_int_equal(hist.max, n * scale);
	for (i = 0; i < sizeof(percents) / sizeof(percents[0]); i++) {
		double exact = (double)(n * scale) * percents[i] / 100;
		double got = (double)load_hist_at(&hist, percents[i]);

		assert_true(got >= exact * 0.999999);
		assert_true(got <= exact * 1.008);
	}
	load_hist_add(&hist, UINT64_MAX);
	assert_true(load_hist_at(&hist, 100) == UINT64_MAX);
}

static void two_halves_merged_are_the_whole_also_after_a_trip_through_text(void **state)
{
	static struct load_hist whole, half[2], read;
	char *text = NULL;
	size_t len = 0, i;
	FILE *f;

	(void)state;
	for (i = 0; i < 1000; i++) {
		uint64_t value = i * i * i * i * i;

		load_hist_add(&whole, value);
		load_hist_add(&half[i % 3 == 0], value);
	}
	load_hist_add(&whole, UINT64_MAX);
	load_hist_add(&half[1], UINT64_MAX);
	f = open_memstream(&text, &len);
	assert_non_null(f);
	load_hist_write(&half[1], f);
	fclose(f);
	f = fmemopen(text, len, "r");
	assert_true(load_hist_read(f, &read));
	fclose(f);
	load_hist_merge(&half[0], &read);
	assert_memory_equal(&half[0], &whole, sizeof(whole));
	assert_int_equal(load_hist_above(&whole, 0), 1001);
	assert_int_equal(load_hist_above(&whole, UINT64_C(1) << 49), 108 + 1);
	for (i = 1; i < len; i += 7) { /* cut off anywhere, it is none */
		f = fmemopen(text, len - i, "r");
		assert_false(load_hist_read(f, &read));
		fclose(f);
	}
	free(text);
}

static void what_is_no_histogram_is_not_read(void **state)
{
	static const char *const texts[] = {
	    "hello\n",
	    "load-hist 1 steps 64 count 0 max 0\nend\n",
	    "load-hist 1 steps 128 count 2 max 5\n5 1\nend\n",
	    "load-hist 1 steps 128 count 2 max 5\n5 1\n5 1\nend\n",
	    "load-hist 1 steps 128 count 1 max 257\n257 1\nend\n",
	    "load-hist 1 steps 128 count 1 max 5\n5 1 1\nend\n",
	    "load-hist 1 steps 128 count 0 max 0\n5 0\nend\n",
	};
	static struct load_hist hist;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		FILE *f = fmemopen((void *)(uintptr_t)texts[i], strlen(texts[i]), "r");

		assert_false(load_hist_read(f, &hist));
		fclose(f);
	}
}

static void frames_are_written_masked_as_the_rfc_shows(void **state)
{
	/* RFC 6455, 5.7: a masked "Hello". */
	static const unsigned char hello[] = {0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d,
					      0x7f, 0x9f, 0x4d, 0x51, 0x58};
	static char data[70000], out[70000 + LOAD_WS_HEAD_MAX];

	(void)state;
	assert_int_equal(load_ws_frame(LOAD_WS_TEXT, 0x37fa213d, "Hello", 5, out), sizeof(hello));
	assert_memory_equal(out, hello, sizeof(hello));
	assert_int_equal(load_ws_frame(LOAD_WS_BINARY, 1, data, 125, out), 2 + 4 + 125);
	assert_int_equal(load_ws_frame(LOAD_WS_BINARY, 1, data, 126, out), 4 + 4 + 126);
	assert_memory_equal(out, "\x82\xfe\x00\x7e", 4);
	assert_int_equal(load_ws_frame(LOAD_WS_BINARY, 1, data, 70000, out), 10 + 4 + 70000);
	assert_memory_equal(out, "\x82\xff\x00\x00\x00\x00\x00\x01\x11\x70", 10);
}

static void frames_of_a_server_are_read_as_soon_as_they_are_whole(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
		unsigned opcode;
		size_t data_len;
		bool last;
	} cases[] = {
	    {"\x81\x02hi", 4, LOAD_WS_TEXT, 2, true},
	    {"\x02\x01h", 3, LOAD_WS_BINARY, 1, false},
	    {"\x80\x00", 2, 0, 0, true},
	    {"\x89\x01!", 3, LOAD_WS_PING, 1, true},
	    {"\x82\x7e\x00\x03"
	     "abc",
	     7, LOAD_WS_BINARY, 3, true},
	    {"\x82\x7f\x00\x00\x00\x00\x00\x00\x00\x03"
	     "abc",
	     13, LOAD_WS_BINARY, 3, true},
	};
	struct load_ws_frame frame;
	char bytes[16];
	size_t i, n;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		memcpy(bytes, cases[i].bytes, cases[i].len);
		for (n = 0; n < cases[i].len; n++) {
			assert_int_equal(load_ws_read(bytes, n, &frame), LOAD_MORE);
		}
		assert_int_equal(load_ws_read(bytes, cases[i].len, &frame), LOAD_WHOLE);
		assert_int_equal(frame.opcode, cases[i].opcode);
		assert_int_equal(frame.len, cases[i].data_len);
		assert_int_equal(frame.used, cases[i].len);
		assert_int_equal(frame.last, cases[i].last);
		assert_ptr_equal(frame.data + frame.len, bytes + cases[i].len);
	}
}

static void what_no_server_may_send_is_a_bad_frame(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
	} cases[] = {
	    {"\x81\x82mask", 6},			      /* masked */
	    {"\xc1\x00", 2},				      /* a reserved bit */
	    {"\x83\x00", 2},				      /* an unknown kind */
	    {"\x8b\x00", 2},				      /* another */
	    {"\x09\x00", 2},				      /* a control frame in pieces */
	    {"\x89\x7e\x00\x7e", 4},			      /* a long one */
	    {"\x82\x7f\x00\x00\x00\x00\x00\x10\x00\x01", 10}, /* over the limit */
	    {"\x82\x7f\xff\xff\xff\xff\xff\xff\xff\xff", 10},
	};
	struct load_ws_frame frame;
	char bytes[16];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		memcpy(bytes, cases[i].bytes, cases[i].len);
		assert_int_equal(load_ws_read(bytes, cases[i].len, &frame), LOAD_BAD);
	}
}

static void an_upgrade_is_taken_only_with_our_nonce(void **state)
{
	static const struct {
		const char *text;
		enum load_read got;
	} cases[] = {
	    {"HTTP/1.1 101 Switching Protocols\r\nsec-websocket-accept: " LOAD_WS_ACCEPT "\r\n\r\n",
	     LOAD_WHOLE},
	    {"HTTP/1.1 101 X\r\nSec-WebSocket-Accept:" LOAD_WS_ACCEPT "\r\nA: b\r\n\r\n\x81",
	     LOAD_WHOLE},
	    {"HTTP/1.1 101 X\r\nSec-WebSocket-Accept: " LOAD_WS_ACCEPT "\r\n", LOAD_MORE},
	    {"HTTP/1.1 101 X\r\nSec-WebSocket-Accept: " LOAD_WS_ACCEPT "x\r\n\r\n", LOAD_BAD},
	    {"HTTP/1.1 101 X\r\nUpgrade: websocket\r\n\r\n", LOAD_BAD},
	    {"HTTP/1.1 200 OK\r\nSec-WebSocket-Accept: " LOAD_WS_ACCEPT "\r\n\r\n", LOAD_BAD},
	};
	char text[256];
	size_t i, used;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		size_t len = strlen(cases[i].text);

		memcpy(text, cases[i].text, len + 1);
		assert_int_equal(load_ws_accept(text, len, &used), cases[i].got);
		if (cases[i].got == LOAD_WHOLE) {
			assert_memory_equal(text + used - 4, "\r\n\r\n", 4);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(an_answer_is_read_as_soon_as_it_is_whole_and_not_before),
	    cmocka_unit_test(what_is_no_answer_is_bad),
	    cmocka_unit_test(ids_times_and_hashes_are_masked_and_nothing_else),
	    cmocka_unit_test(percentiles_are_off_by_less_than_one_percent),
	    cmocka_unit_test(two_halves_merged_are_the_whole_also_after_a_trip_through_text),
	    cmocka_unit_test(what_is_no_histogram_is_not_read),
	    cmocka_unit_test(frames_are_written_masked_as_the_rfc_shows),
	    cmocka_unit_test(frames_of_a_server_are_read_as_soon_as_they_are_whole),
	    cmocka_unit_test(what_no_server_may_send_is_a_bad_frame),
	    cmocka_unit_test(an_upgrade_is_taken_only_with_our_nonce),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
