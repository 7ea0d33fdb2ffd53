/*
 * The pure parts of the load client: it is the judge of the demo, so it must
 * itself be right about what an answer is, which are equal, and how long they
 * took.
 */
#include "tests/bench/load.h"
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
	got = load_read(data, len, ended, answer);
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

static void percentiles_are_off_by_less_than_two_percent(void **state)
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
		assert_true(got <= exact * 1.02);
	}
	load_hist_add(&hist, UINT64_MAX);
	assert_true(load_hist_at(&hist, 100) == UINT64_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(an_answer_is_read_as_soon_as_it_is_whole_and_not_before),
	    cmocka_unit_test(what_is_no_answer_is_bad),
	    cmocka_unit_test(ids_times_and_hashes_are_masked_and_nothing_else),
	    cmocka_unit_test(percentiles_are_off_by_less_than_two_percent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
