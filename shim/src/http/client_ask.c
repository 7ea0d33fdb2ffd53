/*
 * Requests of the client: checked, so that nothing in them can split or reframe what is sent, and
 * written as bytes; and what is read out of the headers of answers. Must never wait.
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "shim/src/http/client.h"
#include "shim/src/http/message.h"

/* --- checks --------------------------------------------------------------------------------- */

/* What frames the message or rules the connection is ours. */
static bool is_reserved(const char *name)
{
	static const char *const names[] = {
	    "Host", "Connection", "Content-Length", "Transfer-Encoding", "Expect",
	    "TE",   "Trailer",	  "Upgrade",	    "Keep-Alive",	 "Proxy-Connection",
	};
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcasecmp(name, names[i]) == 0) {
			return true;
		}
	}
	return false;
}

/* Takes its bytes from *@left. */
static enum qrt_err check_header(struct qrt_cx *cx, size_t i, const struct qrt_http_header *header,
				 size_t *left)
{
	size_t n = header->name ? strnlen(header->name, *left + 1) : 0;
	size_t n_value = header->value && n <= *left ? strnlen(header->value, *left - n + 1) : 0;
	if (n + n_value > *left) {
		return qrt_fail(cx, QRT_EINVAL, "http headers: more than %d bytes",
				QRT_HTTP_ASK_HEAD_MAX);
	}
	*left -= n + n_value;
	if (n == 0 || !qrt__http_name_valid(header->name)) {
		return qrt_fail(cx, QRT_EINVAL, "http header %zu: its name", i + 1);
	}
	if (is_reserved(header->name)) {
		return qrt_fail(cx, QRT_EINVAL, "http header %s: it is set by the client",
				header->name);
	}
	if (!header->value || !qrt__http_value_valid(header->value)) {
		return qrt_fail(cx, QRT_EINVAL, "http header %s: %s", header->name,
				header->value ? "a control character" : "no value");
	}
	return QRT_OK;
}

static enum qrt_err check_headers(struct qrt_cx *cx, const struct qrt_http_ask *ask)
{
	size_t left = QRT_HTTP_ASK_HEAD_MAX;
	if (ask->n_headers > QRT_HTTP_ASK_HEADERS_MAX) {
		return qrt_fail(cx, QRT_EINVAL, "%zu http headers, at most %d", ask->n_headers,
				QRT_HTTP_ASK_HEADERS_MAX);
	}
	enum qrt_err err = QRT_OK;
	for (size_t i = 0; i < ask->n_headers && !err; i++) {
		err = check_header(cx, i, &ask->headers[i], &left);
	}
	return err;
}

static enum qrt_err check_method(struct qrt_cx *cx, const char *method)
{
	size_t n = strnlen(method, QRT_HTTP_METHOD_MAX + 1);
	if (n > QRT_HTTP_METHOD_MAX || !qrt__http_name_valid(method)) {
		return qrt_fail(cx, QRT_EINVAL, "http method: no name of at most %d bytes",
				QRT_HTTP_METHOD_MAX);
	}
	if (strcasecmp(method, "CONNECT") == 0) {
		return qrt_fail(cx, QRT_EINVAL, "http method: CONNECT is for proxies");
	}
	return QRT_OK;
}

static enum qrt_err check_body(struct qrt_cx *cx, const struct qrt_http_ask *ask)
{
	if ((ask->body ? 1 : 0) + (ask->body_fn ? 1 : 0) + (ask->body_written ? 1 : 0) > 1) {
		return qrt_fail(cx, QRT_EINVAL, "http body: from more than one source");
	}
	if (ask->body_len > 0 && !qrt__http_ask_has_body(ask)) {
		return qrt_fail(cx, QRT_EINVAL, "http body: a length, but no body");
	}
	if (ask->body && ask->body_len > QRT_HTTP_BODY_MAX) {
		return qrt_fail(cx, QRT_EINVAL, "http body: more than 1 GiB in memory");
	}
	return QRT_OK;
}

enum qrt_err qrt__http_ask_check(struct qrt_cx *cx, const struct qrt_http_ask *ask)
{
	enum qrt_err err = ask->url ? QRT_OK : qrt_fail(cx, QRT_EINVAL, "http url: missing");
	if (!err && ask->method) {
		err = check_method(cx, ask->method);
	}
	if (!err) {
		err = check_headers(cx, ask);
	}
	if (!err) {
		err = check_body(cx, ask);
	}
	if (!err && ask->redirects_max > QRT_HTTP_REDIRECTS_MAX) {
		err = qrt_fail(cx, QRT_EINVAL, "http redirects: %u, at most %d", ask->redirects_max,
			       QRT_HTTP_REDIRECTS_MAX);
	}
	return err;
}

bool qrt__http_ask_has_body(const struct qrt_http_ask *ask)
{
	return ask->body || ask->body_fn || ask->body_written;
}

bool qrt__http_ask_repeats(const struct qrt_http_ask *ask)
{
	return !ask->body_fn && !ask->body_written;
}

bool qrt__http_method_idempotent(const char *method)
{
	static const char *const names[] = {"GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE"};
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(method, names[i]) == 0) {
			return true;
		}
	}
	return false;
}

/* --- bytes ---------------------------------------------------------------------------------- */

/* What another origin than the one that was asked does not get. */
static bool is_credential(const char *name)
{
	return strcasecmp(name, "Authorization") == 0 || strcasecmp(name, "Cookie") == 0 ||
	       strcasecmp(name, "Proxy-Authorization") == 0;
}

/* A text that is measured first and written then, by the same calls. */
struct text {
	char *to; /* NULL: it is being measured */
	size_t len;
};

static void put(struct text *text, const char *piece)
{
	size_t n = strlen(piece);
	if (text->to) {
		memcpy(text->to + text->len, piece, n);
	}
	text->len += n;
}

static void put_number(struct text *text, size_t number)
{
	char digits[24];
	snprintf(digits, sizeof(digits), "%zu", number);
	put(text, digits);
}

static void put_header(struct text *text, const char *name, const char *value)
{
	put(text, name);
	put(text, ": ");
	put(text, value);
	put(text, "\r\n");
}

static void put_host(struct text *text, const struct qrt_http_url *url)
{
	bool brackets = strchr(url->host, ':') != NULL;
	put(text, "Host: ");
	put(text, brackets ? "[" : "");
	put(text, url->host);
	put(text, brackets ? "]" : "");
	if (url->port != (url->secure ? 443 : 80)) {
		put(text, ":");
		put_number(text, url->port);
	}
	put(text, "\r\n");
}

/* Methods that are about a body say so when there is none (RFC 9110, 8.6). */
static bool expects_body(const char *method)
{
	return strcmp(method, "POST") == 0 || strcmp(method, "PUT") == 0 ||
	       strcmp(method, "PATCH") == 0;
}

static void put_framing(struct text *text, const struct qrt_http_ask *ask,
			const struct qrt__http_hop *hop)
{
	if (hop->with_body && ask->body_len == QRT_HTTP_CHUNKED) {
		put_header(text, "Transfer-Encoding", "chunked");
	} else if (hop->with_body || expects_body(hop->method)) {
		put(text, "Content-Length: ");
		put_number(text, hop->with_body ? ask->body_len : 0);
		put(text, "\r\n");
	}
	if (hop->with_body && ask->expect_continue) {
		put_header(text, "Expect", "100-continue");
	}
}

/* Of a body that is no longer sent, nothing is told. */
static bool is_of_body(const char *name)
{
	return strncasecmp(name, "Content-", 8) == 0;
}

static void put_head(struct text *text, const struct qrt_http_ask *ask,
		     const struct qrt__http_hop *hop, bool close)
{
	bool encoding = false;
	bool dropped = qrt__http_ask_has_body(ask) && !hop->with_body;
	put(text, hop->method);
	put(text, " ");
	put(text, hop->url.target);
	put(text, " HTTP/1.1\r\n");
	put_host(text, &hop->url);
	for (size_t i = 0; i < ask->n_headers; i++) {
		const struct qrt_http_header *header = &ask->headers[i];
		if ((hop->strange && is_credential(header->name)) ||
		    (dropped && is_of_body(header->name))) {
			continue;
		}
		encoding = encoding || strcasecmp(header->name, "Accept-Encoding") == 0;
		put_header(text, header->name, header->value);
	}
	if (!encoding) {
		put_header(text, "Accept-Encoding", "identity");
	}
	put_framing(text, ask, hop);
	if (close) {
		put_header(text, "Connection", "close");
	}
	put(text, "\r\n");
}

char *qrt__http_ask_head(struct qrt__http_arena *arena, const struct qrt_http_ask *ask,
			 const struct qrt__http_hop *hop, bool close, size_t *ret_len)
{
	struct text text = {NULL, 0};
	put_head(&text, ask, hop, close);
	size_t n = text.len;
	text = (struct text){qrt__http_arena_alloc(arena, n), 0};
	if (text.to) {
		put_head(&text, ask, hop, close);
		QRT_POST(text.len == n);
		*ret_len = n;
	}
	return text.to;
}

/* --- answers -------------------------------------------------------------------------------- */

const char *qrt_http_answer_header(const struct qrt_http_answer *answer, const char *name)
{
	for (size_t i = 0; i < answer->n_headers; i++) {
		if (strcasecmp(answer->headers[i].name, name) == 0) {
			return answer->headers[i].value;
		}
	}
	return NULL;
}

/* Days from 1970-01-01 to a day of the Gregorian calendar. */
static int64_t days(int year, int month, int day)
{
	/* Counted from March, so that the leap day is the last of its year. */
	int64_t y = month <= 2 ? year - 1 : year;
	int64_t m = (month + 9) % 12;
	return 365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1 - 719468;
}

/* "Sun, 06 Nov 1994 08:49:37 GMT" as seconds since 1970. */
static bool parse_date(const char *text, int64_t *ret_secs)
{
	static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	char month[4] = "";
	int day, year, hour, minute, second, used = 0;
	if (strlen(text) != 29 || sscanf(text, "%*3[A-Za-z], %2d %3[A-Za-z] %4d %2d:%2d:%2d GMT%n",
					 &day, month, &year, &hour, &minute, &second, &used) != 6) {
		return false;
	}
	const char *at = strlen(month) == 3 ? strstr(names, month) : NULL;
	if (used != 29 || !at || (at - names) % 3 != 0 || day < 1 || day > 31 || year < 1970 ||
	    hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 60) {
		return false;
	}
	*ret_secs =
	    days(year, (int)(at - names) / 3 + 1, day) * 86400 + hour * 3600 + minute * 60 + second;
	return true;
}

enum qrt_err qrt_http_retry_after(const struct qrt_http_answer *answer, int64_t wall_ms,
				  int64_t *ret_secs)
{
	const char *value = qrt_http_answer_header(answer, "Retry-After");
	int64_t secs = 0;
	if (!value) {
		return QRT_ENOENT;
	}
	size_t digits = strspn(value, "0123456789");
	if (digits > 0 && digits <= 9 && !value[digits]) {
		for (; *value; value++) {
			secs = secs * 10 + (*value - '0');
		}
	} else if (parse_date(value, &secs)) {
		int64_t now = (wall_ms + 999) / 1000;
		secs = secs > now ? secs - now : 0;
	} else {
		return QRT_EPROTO;
	}
	*ret_secs = secs;
	return QRT_OK;
}

const char *qrt_http_phase_text(enum qrt_http_phase phase)
{
	static const char *const texts[] = {
#define PHASE_TEXT(name, text) [name] = (text),
	    QRT_HTTP_PHASES(PHASE_TEXT)
#undef PHASE_TEXT
	};
	return (unsigned)phase < QRT__HTTP_PHASES ? texts[phase] : "?";
}
