/*
 * What a WebSocket is told from outside: URLs, headers, names, texts, limits, codes.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shim/src/internal.h"
#include "tests/lib/test.h"
#include "tests/lib/ws_ends.h"

/* --- what it is told from outside ------------------------------------------------------------ */

struct url_case {
	const char *url, *detail;
};

static const struct url_case urls[] = {
    {"", "byte 1: it does not begin with ws:// or wss://"},
    {"http://h/", "byte 1: it does not begin"},
    {"ws:/h/", "byte 1: it does not begin"},
    {"ws://", "byte 6: no host name or address"},
    {"ws:///x", "byte 6: no host"},
    {"ws://user@h/", "byte 10: neither a port, a path nor a query"},
    {"ws://[::1/", "byte 10: no host"},
    {"ws://h:/", "byte 8: no port from 1 to 65535"},
    {"ws://h:0/", "byte 8: no port"},
    {"ws://h:65536/", "byte 8: no port"},
    {"ws://h:12345678901234567890/", "byte 8: no port"},
    {"ws://h:1x/", "byte 9: neither a port"},
    {"ws://h/a b", "byte 9: a byte that must be percent-encoded"},
    {"ws://h/a\r\nX: y", "byte 9: a byte"},
    {"ws://h/\xc3\xa4", "byte 8: a byte"},
    {"ws://h/#top", "byte 8: a fragment has no meaning here"},
};

static enum qrt_err header_refused(struct qrt_cx *cx, const char *name, const char *value,
				   const char *detail)
{
	const struct qrt_ws_header header = {name, value};
	const struct qrt_ws_connect_options opts = {.headers = &header, .n_headers = 1};
	struct qrt_ws *ws = NULL;
	EXPECT(qrt_ws_connect(cx, "ws://127.0.0.1:1/", &opts, &ws) == QRT_EINVAL && !ws);
	EXPECT(strstr(qrt_detail(cx), detail));
	return QRT_OK;
}

static enum qrt_err options_refused(struct qrt_cx *cx, const struct qrt_ws_connect_options *opts,
				    const char *detail)
{
	struct qrt_ws *ws = NULL;
	EXPECT(qrt_ws_connect(cx, "ws://127.0.0.1:1/", opts, &ws) == QRT_EINVAL && !ws);
	EXPECT(strstr(qrt_detail(cx), detail));
	return QRT_OK;
}

static enum qrt_err play_bad_input(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct qrt_ws *ws = NULL;
	static char long_text[QRT_WS_URL_MAX + 2];
	for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
		EXPECT(qrt_ws_connect(cx, urls[i].url, NULL, &ws) == QRT_EINVAL && !ws);
		if (!strstr(qrt_detail(cx), urls[i].detail)) {
			fprintf(stderr, "%s: %s\n", urls[i].url, qrt_detail(cx));
			return QRT_EFAILED;
		}
	}
	memset(long_text, 'a', sizeof(long_text) - 1);
	memcpy(long_text, "ws://h/", 7);
	EXPECT(qrt_ws_connect(cx, long_text, NULL, &ws) == QRT_EINVAL);
	EXPECT(strcmp(qrt_detail(cx), "websocket url: more than 4096 bytes") == 0);
	EXPECT(!header_refused(cx, "", "v", "header 1: its name"));
	EXPECT(!header_refused(cx, "a b", "v", "header 1: its name"));
	EXPECT(!header_refused(cx, "Host", "v", "header 1: its name"));
	EXPECT(!header_refused(cx, "SEC-websocket-key", "v", "header 1: its name"));
	EXPECT(!header_refused(cx, "a", "b\r\nX: y", "header a: a control character"));
	EXPECT(!header_refused(cx, "a", long_text, "header a: more than 2048 bytes"));
	static const char *const bad_name[] = {"v1", "v 2", NULL};
	static const char *const many[] = {"1", "2", "3", "4", "5", "6", "7", "8", "9", NULL};
	struct qrt_ws_connect_options opts = {.subprotocols = bad_name};
	EXPECT(!options_refused(cx, &opts, "subprotocol 2"));
	opts.subprotocols = many;
	EXPECT(!options_refused(cx, &opts, "subprotocol 9"));
	opts = (struct qrt_ws_connect_options){.n_headers = 17};
	EXPECT(!options_refused(cx, &opts, "17 websocket headers, at most 16"));
	opts = (struct qrt_ws_connect_options){.limits.message_max = QRT_WS_BYTES_MAX + 1};
	EXPECT(!options_refused(cx, &opts, "above 1 GiB"));
	opts = (struct qrt_ws_connect_options){.limits.ping_ns = -2};
	EXPECT(!options_refused(cx, &opts, "below 0"));
	return QRT_OK;
}

static void bad_input_gets_one_error_that_says_what_and_where(void **state)
{
	(void)state;
	everywhere(play_bad_input);
}

static enum qrt_err play_bad_sends(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct ends ends = {.port = 0};
	struct qrt_ws_message message;
	static char reason[QRT_WS_REASON_MAX + 2];
	static const unsigned codes[] = {0, 999, 1004, 1005, 1006, 1015, 2999, 5000, 70000};
	memset(reason, 'r', sizeof(reason) - 1);
	EXPECT(!open_ends(cx, &ends));
	EXPECT(qrt_ws_send_text(cx, ends.client, "\xff") == QRT_EINVAL);
	EXPECT(qrt_ws_send_text(cx, ends.client, "\xed\xa0\x80") == QRT_EINVAL); /* a surrogate */
	EXPECT(qrt_ws_send_text(cx, ends.client, "\xc0\x80") == QRT_EINVAL);	 /* overlong */
	EXPECT(qrt_ws_send_text(cx, ends.client, "\xf4\x90\x80\x80") == QRT_EINVAL);
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		EXPECT(qrt_ws_shutdown(cx, ends.client, codes[i], NULL) == QRT_EINVAL);
	}
	EXPECT(qrt_ws_shutdown(cx, ends.client, 1000, reason) == QRT_EINVAL);
	EXPECT(qrt_ws_shutdown(cx, ends.client, 1000, "\xff") == QRT_EINVAL);
	EXPECT(!qrt_ws_send_text(cx, ends.client, "\xf4\x8f\xbf\xbf")); /* nothing has happened */
	EXPECT(!qrt_ws_recv(cx, ends.server, &message) && message.n == 4);
	struct qrt_ws *stale = ends.client;
	qrt_ws_close(cx, &ends.client);
	EXPECT(qrt_ws_send_text(cx, stale, "x") == QRT_ESTALE);
	EXPECT(qrt_ws_recv(cx, stale, &message) == QRT_ESTALE);
	EXPECT(qrt_ws_shutdown(cx, stale, 1000, NULL) == QRT_ESTALE);
	struct qrt_ws_info info;
	EXPECT(qrt_ws_info(cx, stale, &info) == QRT_ESTALE);
	qrt_ws_close(cx, &stale); /* no harm */
	EXPECT(!stale);
	struct qrt_cx *narrow = qrt_cx_narrow(cx, QRT_CAP_ALL & ~(uint32_t)QRT_CAP_NET);
	EXPECT(qrt_ws_send_text(narrow, ends.server, "x") == QRT_ENOTCAPABLE);
	EXPECT(qrt_ws_recv(narrow, ends.server, &message) == QRT_ENOTCAPABLE);
	EXPECT(qrt_ws_connect(narrow, "ws://h/", NULL, &stale) == QRT_ENOTCAPABLE);
	return close_ends(cx, &ends);
}

static void what_may_not_be_sent_is_refused_and_changes_nothing(void **state)
{
	(void)state;
	everywhere(play_bad_sends);
}

#define TEST(name) cmocka_unit_test(name)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(bad_input_gets_one_error_that_says_what_and_where),
	    TEST(what_may_not_be_sent_is_refused_and_changes_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
