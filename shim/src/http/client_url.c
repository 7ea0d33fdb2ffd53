/*
 * URLs of the client: read strictly, with one clear error that says where; and what a Location
 * leads to. Must never wait, nor ask what a host is.
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "shim/src/http/client.h"

/* --- reading -------------------------------------------------------------------------------- */

/* A URL under way. */
struct reader {
	struct qrt_cx *cx;
	const char *text, *at;
	struct qrt_http_url *url;
};

static enum qrt_err bad(const struct reader *reader, const char *why)
{
	return qrt_fail(reader->cx, QRT_EINVAL, "http url, byte %zu: %s",
			(size_t)(reader->at - reader->text) + 1, why);
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_hex(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool is_name_char(char c)
{
	return is_digit(c) || (lower(c) >= 'a' && lower(c) <= 'z') || c == '-' || c == '_';
}

static enum qrt_err read_scheme(struct reader *reader)
{
	reader->url->secure = strncasecmp(reader->at, "https://", 8) == 0;
	if (!reader->url->secure && strncasecmp(reader->at, "http://", 7) != 0) {
		return bad(reader, "it does not begin with http:// or https://");
	}
	reader->at += reader->url->secure ? 8 : 7;
	return QRT_OK;
}

/* An IPv6 address in brackets. */
static enum qrt_err read_brackets(struct reader *reader)
{
	const char *start = ++reader->at;
	size_t n = strspn(start, "0123456789abcdefABCDEF:.");
	char *host = reader->url->host;
	snprintf(host, QRT_HTTP_HOST_SIZE, "%.*s", n < QRT_HTTP_HOST_SIZE ? (int)n : 0, start);
	if (start[n] != ']' || !strchr(host, ':') || !qrt__is_address(host)) {
		return bad(reader, "no IPv6 address");
	}
	reader->url->literal = true;
	reader->at = start + n + 1;
	return QRT_OK;
}

/* Names of labels; one that the system's resolver could take for a number must be an address. */
static enum qrt_err read_name(struct reader *reader)
{
	const char *start = reader->at, *label = start;
	char *host = reader->url->host;
	size_t n = 0;
	while (is_name_char(*reader->at) || *reader->at == '.') {
		if (*reader->at == '.') {
			if (reader->at == label) {
				return bad(reader, "an empty part of a host name");
			}
			label = reader->at + 1;
		}
		if (n == QRT_HTTP_HOST_SIZE - 1) {
			return bad(reader, "a host name of more than 253 bytes");
		}
		host[n++] = lower(*reader->at++);
	}
	host[n] = '\0';
	if (reader->at == label) {
		return bad(reader,
			   n == 0 ? "no host name or address" : "an empty part of a host name");
	}
	reader->url->literal = qrt__is_address(host);
	if (is_digit(*label) && !reader->url->literal &&
	    (strspn(label, "0123456789") == (size_t)(reader->at - label) ||
	     strncasecmp(label, "0x", 2) == 0)) {
		reader->at = start;
		return bad(reader, "a number that is no IPv4 address");
	}
	return QRT_OK;
}

static enum qrt_err read_port(struct reader *reader)
{
	reader->url->port = reader->url->secure ? 443 : 80;
	if (*reader->at != ':') {
		return QRT_OK;
	}
	const char *start = ++reader->at;
	unsigned long port = 0;
	while (is_digit(*reader->at) && reader->at - start < 6) {
		port = port * 10 + (unsigned long)(*reader->at++ - '0');
	}
	if (reader->at == start || is_digit(*reader->at) || port < 1 || port > 65535) {
		reader->at = start;
		return bad(reader, "no port from 1 to 65535");
	}
	reader->url->port = (uint16_t)port;
	return QRT_OK;
}

/* Path and query, which may be missing. */
static enum qrt_err read_target(struct reader *reader)
{
	const char *start = reader->at;
	if (*start == '@') {
		return bad(reader, "a user has no place here");
	}
	if (*start && *start != '/' && *start != '?' && *start != '#') {
		return bad(reader, "neither a port, a path nor a query");
	}
	for (; *reader->at; reader->at++) {
		char c = *reader->at;
		if (c == '#') {
			return bad(reader, "a fragment has no place here");
		}
		if (c <= ' ' || c >= 0x7f || strchr("\"<>\\^`{|}", c)) {
			return bad(reader, "a byte that must be percent-encoded");
		}
		if (c == '%' && (!is_hex(reader->at[1]) || !is_hex(reader->at[2]))) {
			return bad(reader, "a percent sign without two hex digits");
		}
	}
	snprintf(reader->url->target, sizeof(reader->url->target), "%s%s", *start == '/' ? "" : "/",
		 start);
	return QRT_OK;
}

enum qrt_err qrt_http_url_parse(struct qrt_cx *cx, const char *text, struct qrt_http_url *ret_url)
{
	struct qrt_http_url url;
	struct reader reader = {.cx = cx, .text = text, .at = text, .url = &url};
	if (strnlen(text, QRT_HTTP_URL_MAX + 1) > QRT_HTTP_URL_MAX) {
		return qrt_fail(cx, QRT_EINVAL, "http url: more than %d bytes", QRT_HTTP_URL_MAX);
	}
	enum qrt_err err = read_scheme(&reader);
	if (!err) {
		err = *reader.at == '[' ? read_brackets(&reader) : read_name(&reader);
	}
	if (!err) {
		err = read_port(&reader);
	}
	if (!err) {
		err = read_target(&reader);
	}
	if (!err) {
		*ret_url = url;
	}
	return err;
}

bool qrt__http_same_origin(const struct qrt_http_url *a, const struct qrt_http_url *b)
{
	return a->secure == b->secure && a->port == b->port && strcmp(a->host, b->host) == 0;
}

/* --- where a Location leads (RFC 3986, 5.2) -------------------------------------------------- */

static bool has_scheme(const char *text)
{
	size_t n = strcspn(text, ":/?#");
	return n > 0 && text[n] == ':';
}

/* Takes "." and ".." out of the path that begins @target, in place. */
static void remove_dots(char *target)
{
	size_t path = strcspn(target, "?");
	size_t from = 0, to = 0;
	while (from < path) {
		size_t n = 1; /* a segment with the slash before it */
		while (from + n < path && target[from + n] != '/') {
			n++;
		}
		bool last = from + n == path;
		if (n == 2 && target[from + 1] == '.') {
			n = 0;
			from += 2;
		} else if (n == 3 && target[from + 1] == '.' && target[from + 2] == '.') {
			while (to > 0 && target[--to] != '/') {
			}
			n = 0;
			from += 3;
		} else {
			last = false;
		}
		memmove(target + to, target + from, n);
		to += n;
		from += n;
		if (last || (from == path && to == 0)) {
			target[to++] = '/';
		}
	}
	memmove(target + to, target + path, strlen(target + path) + 1);
}

char *qrt__http_url_join(struct qrt__http_arena *arena, const struct qrt_http_url *base,
			 const char *location)
{
	size_t n = strcspn(location, "#");
	size_t size = n + strlen(base->target) + QRT_HTTP_HOST_SIZE + 32;
	char *text = qrt__http_arena_alloc(arena, size);
	if (!text) {
		return NULL;
	}
	const char *scheme = base->secure ? "https" : "http";
	if (has_scheme(location)) {
		snprintf(text, size, "%.*s", (int)n, location);
		return text;
	}
	if (strncmp(location, "//", 2) == 0) {
		snprintf(text, size, "%s:%.*s", scheme, (int)n, location);
		return text;
	}
	bool brackets = strchr(base->host, ':') != NULL;
	int at = snprintf(text, size, "%s://%s%s%s:%u", scheme, brackets ? "[" : "", base->host,
			  brackets ? "]" : "", base->port);
	char *target = text + at;
	/* What of the base stands before it: nothing, the path, or the path up to its last slash.
	 */
	size_t kept = strcspn(base->target, "?");
	if (n == 0) {
		kept = strlen(base->target);
	} else if (*location == '/') {
		kept = 0;
	} else if (*location != '?') {
		while (base->target[kept - 1] != '/') {
			kept--;
		}
	}
	snprintf(target, size - (size_t)at, "%.*s%.*s", (int)kept, base->target, (int)n, location);
	remove_dots(target);
	return text;
}
