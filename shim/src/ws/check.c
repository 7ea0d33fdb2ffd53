/*
 * What a WebSocket is told from outside, checked: URLs, headers, names, texts, limits, close
 * codes. One clear error each that says what and where. Must never wait or keep anything.
 */
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "shim/src/ws/ws.h"

/* --- URLs ----------------------------------------------------------------------------------- */

static bool is_host_char(char c, bool in_brackets)
{
	bool alnum = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
	return alnum || c == '.' || (in_brackets ? c == ':' : c == '-' || c == '_');
}

static enum qrt_err bad_url(struct qrt_cx *cx, const char *url, const char *at, const char *why)
{
	return qrt_fail(cx, QRT_EINVAL, "websocket url, byte %zu: %s", (size_t)(at - url) + 1, why);
}

/* The port after a host; returns where it ends, NULL: it is none. */
static const char *parse_port(const char *at, uint16_t *ret_port)
{
	unsigned long port = 0;
	const char *start = at;
	while (*at >= '0' && *at <= '9' && at - start < 6) {
		port = port * 10 + (unsigned long)(*at++ - '0');
	}
	if (at == start || port < 1 || port > 65535) {
		return NULL;
	}
	*ret_port = (uint16_t)port;
	return at;
}

/* Path and query, which may be missing. */
static enum qrt_err parse_path(struct qrt_cx *cx, const char *url, const char *at, char *ret_path)
{
	for (const char *c = at; *c; c++) {
		if (*c == '#') {
			return bad_url(cx, url, c, "a fragment has no meaning here");
		}
		if ((unsigned char)*c <= ' ' || (unsigned char)*c >= 0x7f) {
			return bad_url(cx, url, c, "a byte that must be percent-encoded");
		}
	}
	snprintf(ret_path, QRT_WS_URL_MAX + 2, "%s%s", *at == '/' ? "" : "/", at);
	return QRT_OK;
}

enum qrt_err qrt__ws_url_parse(struct qrt_cx *cx, const char *url, struct qrt__ws_url *ret_url)
{
	if (strnlen(url, QRT_WS_URL_MAX + 1) > QRT_WS_URL_MAX) {
		return qrt_fail(cx, QRT_EINVAL, "websocket url: more than %d bytes",
				QRT_WS_URL_MAX);
	}
	ret_url->secure = strncasecmp(url, "wss://", 6) == 0;
	if (!ret_url->secure && strncasecmp(url, "ws://", 5) != 0) {
		return bad_url(cx, url, url, "it does not begin with ws:// or wss://");
	}
	const char *start = url + (ret_url->secure ? 6 : 5);
	bool brackets = *start == '[';
	const char *host = start + brackets, *at = host;
	while (is_host_char(*at, brackets)) {
		at++;
	}
	if (at == host || at - host > 253 || (brackets && *at != ']')) {
		return bad_url(cx, url, at, "no host name or address");
	}
	snprintf(ret_url->host, sizeof(ret_url->host), "%.*s", (int)(at - host), host);
	at += brackets;
	ret_url->port = ret_url->secure ? 443 : 80;
	if (*at == ':') {
		const char *port = at + 1;
		at = parse_port(port, &ret_url->port);
		if (!at) {
			return bad_url(cx, url, port, "no port from 1 to 65535");
		}
	}
	if (*at && *at != '/' && *at != '?') {
		return bad_url(cx, url, at, "neither a port, a path nor a query");
	}
	snprintf(ret_url->authority, sizeof(ret_url->authority), "%.*s", (int)(at - start), start);
	return parse_path(cx, url, at, ret_url->path);
}

/* --- headers and names ---------------------------------------------------------------------- */

bool qrt__ws_is_token(const char *text, size_t max)
{
	size_t n = strnlen(text, max + 1);
	if (n < 1 || n > max) {
		return false;
	}
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;
		if (c <= ' ' || c >= 0x7f || strchr("\"(),/:;<=>?@[\\]{}", c)) {
			return false;
		}
	}
	return true;
}

/* The handshake's own, and what would make another request of it. */
static bool is_reserved(const char *name)
{
	static const char *const names[] = {"host", "connection", "upgrade", "content-length",
					    "transfer-encoding"};
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcasecmp(name, names[i]) == 0) {
			return true;
		}
	}
	return strncasecmp(name, "sec-websocket-", 14) == 0;
}

static bool is_header_value(const char *value)
{
	for (; *value; value++) {
		if (((unsigned char)*value < ' ' && *value != '\t') || *value == 0x7f) {
			return false;
		}
	}
	return true;
}

static enum qrt_err header_check(struct qrt_cx *cx, size_t i, const struct qrt_ws_header *header)
{
	if (!qrt__ws_is_token(header->name, QRT_WS_HEADER_MAX) || is_reserved(header->name)) {
		return qrt_fail(cx, QRT_EINVAL, "websocket header %zu: its name", i + 1);
	}
	size_t left = QRT_WS_HEADER_MAX - strlen(header->name);
	if (strnlen(header->value, left + 1) > left) {
		return qrt_fail(cx, QRT_EINVAL, "websocket header %s: more than %d bytes",
				header->name, QRT_WS_HEADER_MAX);
	}
	if (!is_header_value(header->value)) {
		return qrt_fail(cx, QRT_EINVAL, "websocket header %s: a control character",
				header->name);
	}
	return QRT_OK;
}

enum qrt_err qrt__ws_connect_check(struct qrt_cx *cx, const struct qrt_ws_connect_options *opts)
{
	if (opts->n_headers > QRT_WS_HEADERS_MAX) {
		return qrt_fail(cx, QRT_EINVAL, "%zu websocket headers, at most %d",
				opts->n_headers, QRT_WS_HEADERS_MAX);
	}
	for (size_t i = 0; i < opts->n_headers; i++) {
		enum qrt_err err = header_check(cx, i, &opts->headers[i]);
		if (err) {
			return err;
		}
	}
	size_t n = 0;
	for (; opts->subprotocols && opts->subprotocols[n]; n++) {
		if (n == QRT_WS_SUBPROTOCOLS_MAX ||
		    !qrt__ws_is_token(opts->subprotocols[n], QRT_WS_SUBPROTOCOL_MAX)) {
			return qrt_fail(cx, QRT_EINVAL, "websocket subprotocol %zu", n + 1);
		}
	}
	return QRT_OK;
}

/* --- limits and closes ---------------------------------------------------------------------- */

static int64_t ns_or(int64_t ns, int64_t fallback)
{
	return ns ? ns : fallback;
}

enum qrt_err qrt__ws_limits_fill(struct qrt_cx *cx, const struct qrt_ws_limits *limits,
				 struct qrt_ws_limits *ret_limits)
{
	if (limits->message_max > QRT_WS_BYTES_MAX || limits->queue_bytes > QRT_WS_BYTES_MAX) {
		return qrt_fail(cx, QRT_EINVAL, "websocket: a limit above 1 GiB");
	}
	if (limits->handshake_ns < 0 || limits->pong_ns < 0 || limits->close_ns < 0 ||
	    limits->ping_ns < QRT_WS_NEVER) {
		return qrt_fail(cx, QRT_EINVAL, "websocket: a time below 0");
	}
	*ret_limits = (struct qrt_ws_limits){
	    .message_max = limits->message_max ? limits->message_max : (size_t)1 << 20,
	    .queue_bytes = limits->queue_bytes ? limits->queue_bytes : (size_t)256 << 10,
	    .handshake_ns = ns_or(limits->handshake_ns, 10 * QRT_SEC),
	    .ping_ns = ns_or(limits->ping_ns, 30 * QRT_SEC),
	    .pong_ns = ns_or(limits->pong_ns, 10 * QRT_SEC),
	    .close_ns = ns_or(limits->close_ns, 5 * QRT_SEC),
	};
	return QRT_OK;
}

enum qrt_err qrt__ws_close_check(struct qrt_cx *cx, unsigned code, const char *reason)
{
	bool standard = (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014);
	if (!standard && (code < 3000 || code > 4999)) {
		return qrt_fail(cx, QRT_EINVAL, "websocket: %u is no code to close with", code);
	}
	size_t n = reason ? strnlen(reason, QRT_WS_REASON_MAX + 1) : 0;
	if (n > QRT_WS_REASON_MAX || !qrt__utf8_valid(reason, n)) {
		return qrt_fail(cx, QRT_EINVAL,
				"websocket: a reason of more than %d bytes of UTF-8",
				QRT_WS_REASON_MAX);
	}
	return QRT_OK;
}
