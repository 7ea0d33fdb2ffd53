/*
 * Reads one HTTP/1 answer from the bytes collected so far, without state of
 * its own. It must never look past the length it is given.
 */
#include "tests/bench/load_http.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

enum { SIZE_LINE_MAX = 256 };

struct head {
	int status;
	bool close, chunked, has_length;
	size_t length;
	char *end; /* the first byte after the empty line */
};

static bool read_number(const char *p, const char *end, unsigned base, size_t *ret_value)
{
	size_t value = 0, digits = 0;

	for (; p < end && isxdigit((unsigned char)*p); p++, digits++) {
		unsigned c = (unsigned char)*p;
		unsigned digit = c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10;

		if (digit >= base) {
			return false;
		}
		value = value * base + digit;
		if (value > LOAD_BODY_MAX) {
			return false;
		}
	}
	*ret_value = value;
	return digits > 0;
}

/* "HTTP/1.1 200 OK" or "HTTP/1.0 ..", which closes unless it says otherwise. */
static bool read_status_line(const char *line, struct head *head)
{
	const char *p = line + 9;

	if (strncmp(line, "HTTP/1.", 7) != 0 || (line[7] != '0' && line[7] != '1') ||
	    line[8] != ' ') {
		return false;
	}
	if (!isdigit((unsigned char)p[0]) || !isdigit((unsigned char)p[1]) ||
	    !isdigit((unsigned char)p[2]) || (p[3] != ' ' && p[3] != '\r')) {
		return false;
	}
	head->status = (p[0] - '0') * 100 + (p[1] - '0') * 10 + (p[2] - '0');
	head->close = line[7] == '0';
	return head->status >= 100 && head->status <= 599;
}

/* If the line is header @name, the start of its value, else NULL. */
static const char *header_value(const char *line, const char *name)
{
	size_t n = strlen(name);

	if (strncasecmp(line, name, n) != 0 || line[n] != ':') {
		return NULL;
	}
	return line + n + 1 + strspn(line + n + 1, " \t");
}

static bool read_header(const char *line, const char *end, struct head *head)
{
	const char *value;

	value = header_value(line, "Content-Length");
	if (value != NULL) {
		head->has_length = true;
		return read_number(value, end, 10, &head->length);
	}
	value = header_value(line, "Transfer-Encoding");
	if (value != NULL) {
		head->chunked = strncasecmp(value, "chunked", 7) == 0;
		return head->chunked;
	}
	value = header_value(line, "Connection");
	if (value != NULL) {
		if (strncasecmp(value, "close", 5) == 0) {
			head->close = true;
		} else if (strncasecmp(value, "keep-alive", 10) == 0) {
			head->close = false;
		}
	}
	return true;
}

static enum load_read read_head(char *data, size_t len, struct head *ret_head)
{
	struct head head = {0};
	char *end = strstr(data, "\r\n\r\n"), *line, *next;

	if (end == NULL) {
		bool bad = len > LOAD_HEAD_MAX || memchr(data, '\0', len) != NULL;

		return bad ? LOAD_BAD : LOAD_MORE;
	}
	if (!read_status_line(data, &head)) {
		return LOAD_BAD;
	}
	for (line = strstr(data, "\r\n"); line < end; line = next) {
		line += 2;
		next = strstr(line, "\r\n");
		if (!read_header(line, next, &head)) {
			return LOAD_BAD;
		}
	}
	head.end = end + 4;
	*ret_head = head;
	return LOAD_WHOLE;
}

/* Walks the chunks; joins them only when @join, so that a second look is the same. */
static enum load_read walk_chunks(char *body, char *limit, bool join, size_t *ret_len,
				  char **ret_end)
{
	size_t total = 0, size;
	char *p = body, *line_end;

	for (;;) {
		line_end = strstr(p, "\r\n");
		if (line_end == NULL) {
			return limit - p > SIZE_LINE_MAX ? LOAD_BAD : LOAD_MORE;
		}
		if (!read_number(p, line_end, 16, &size) || total + size > LOAD_BODY_MAX) {
			return LOAD_BAD;
		}
		p = line_end + 2;
		if ((size_t)(limit - p) < size + 2) {
			return LOAD_MORE;
		}
		/* After the last chunk: no trailer, or not one of ours. */
		if (memcmp(p + size, "\r\n", 2) != 0) {
			return LOAD_BAD;
		}
		if (join) {
			memmove(body + total, p, size);
		}
		total += size;
		p += size + 2;
		if (size == 0) {
			*ret_len = total;
			*ret_end = p;
			return LOAD_WHOLE;
		}
	}
}

static enum load_read read_chunked(const struct head *head, char *data, size_t len,
				   struct load_answer *answer)
{
	enum load_read got;
	char *end = NULL;

	got = walk_chunks(head->end, data + len, false, &answer->body_len, &end);
	if (got == LOAD_WHOLE) {
		got = walk_chunks(head->end, data + len, true, &answer->body_len, &end);
		answer->used = (size_t)(end - data);
	}
	return got;
}

/* The bytes of interim answers ("100 Continue") before the real one. */
static enum load_read skip_interim(char *data, size_t len, struct head *ret_head)
{
	size_t skipped = 0;
	enum load_read got;

	for (;;) {
		got = read_head(data + skipped, len - skipped, ret_head);
		if (got != LOAD_WHOLE || ret_head->status >= 200) {
			return got;
		}
		skipped = (size_t)(ret_head->end - data);
	}
}

enum load_read load_http_read(char *data, size_t len, bool ended, struct load_answer *ret_answer)
{
	struct load_answer answer = {0};
	struct head head;
	size_t have;
	enum load_read got = skip_interim(data, len, &head);

	if (got == LOAD_WHOLE) {
		have = len - (size_t)(head.end - data);
		answer.status = head.status;
		answer.close = head.close;
		answer.body = head.end;
		if (head.status == 204 || head.status == 304) {
			answer.used = len - have;
		} else if (head.chunked) {
			got = read_chunked(&head, data, len, &answer);
		} else if (head.has_length) {
			answer.body_len = head.length;
			answer.used = len - have + head.length;
			got = have >= head.length ? LOAD_WHOLE : LOAD_MORE;
		} else {
			/* Only the end of the stream ends such a body. */
			answer.body_len = have;
			answer.used = len;
			answer.close = true;
			got = ended ? LOAD_WHOLE : LOAD_MORE;
		}
	}
	if (got == LOAD_MORE && (ended || len >= LOAD_ANSWER_MAX)) {
		return LOAD_BAD;
	}
	if (got == LOAD_WHOLE) {
		*ret_answer = answer;
	}
	return got;
}
