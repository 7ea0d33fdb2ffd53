/*
 * Fuzz entry of the HTTP request parser: the bytes are what one connection sends. They are fed
 * whole and byte by byte, with bodies kept and as streams, and all must tell the same story: once
 * under limits that are soon reached, once under ones that let more fields in than a head may
 * have. Works with libFuzzer and replay.c.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "shim/src/http/parse.h"

#define MESSAGES_MAX 8
#define BODY_MAX 256

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A body that is read as a stream. */
struct body {
	bool streams;
	size_t n;
	char bytes[BODY_MAX];
};

/* What came out of the bytes. */
struct story {
	size_t n;
	struct {
		enum qrt__http_state state;
		int fault;
		uint64_t digest;
	} messages[MESSAGES_MAX];
};

static void must(bool holds)
{
	if (!holds) {
		abort();
	}
}

static void mix(uint64_t *digest, const void *data, size_t n)
{
	const unsigned char *bytes = data;

	for (size_t i = 0; i < n; i++) {
		*digest = (*digest ^ bytes[i]) * UINT64_C(0x100000001b3);
	}
}

static void mix_fields(uint64_t *digest, const struct qrt__http_fields *fields, bool headers)
{
	size_t n = 0;

	for (const struct qrt__http_field *field = fields->first; field; field = field->next) {
		must(field->name[0] != '\0' || !headers);
		must(!headers || qrt__http_name_valid(field->name));
		must(!headers || qrt__http_value_valid(field->value));
		mix(digest, field->name, strlen(field->name) + 1);
		mix(digest, field->value, strlen(field->value) + 1);
		n++;
	}
	must(n == fields->n);
	must(n <= QRT__HTTP_FIELDS_MAX);
}

static uint64_t request_digest(const struct qrt_http_request *req, const struct body *streamed)
{
	uint64_t digest = UINT64_C(0xcbf29ce484222325);
	size_t len;
	const char *body = qrt_http_body(req, &len);

	must(len <= BODY_MAX);
	must(body[len] == '\0');
	must(req->path[0] == '/' || strcmp(req->path, "*") == 0);
	must(req->method[0] != '\0');
	must(req->minor == 0 || qrt_http_header(req, "Host") != NULL);
	mix(&digest, req->method, strlen(req->method));
	mix(&digest, req->path, strlen(req->path) + 1);
	mix_fields(&digest, &req->headers, true);
	mix_fields(&digest, &req->query, false);
	if (streamed) {
		must(len == 0);
		body = streamed->bytes;
		len = streamed->n;
	}
	mix(&digest, body, len);
	mix(&digest, &req->keep_alive, 1);
	return digest;
}

/* Notes the end of a message; returns whether another may follow. */
static bool note(struct story *story, struct qrt__http_parser *parser, enum qrt__http_state state,
		 const struct body *body)
{
	const char *why = "";
	int fault = qrt__http_parser_fault(parser, &why);

	must((state == QRT__HTTP_FAULT) == (fault != 0));
	must(fault == 0 || (fault >= 400 && fault < 600 && why[0] != '\0'));
	story->messages[story->n].state = state;
	story->messages[story->n].fault = fault;
	if (state == QRT__HTTP_DONE) {
		story->messages[story->n].digest =
		    request_digest(qrt__http_parser_request(parser), body);
	}
	story->n++;
	qrt__http_parser_reset(parser);
	return state == QRT__HTTP_DONE && story->n < MESSAGES_MAX;
}

/* The body as a stream, into @buf; returns the state, moves *ret_used. */
static enum qrt__http_state stream(struct qrt__http_parser *parser, const uint8_t *data, size_t n,
				   struct body *body, size_t *ret_used)
{
	char buf[BODY_MAX];
	size_t got = 0;
	enum qrt__http_state state = qrt__http_parser_feed_into(
	    parser, (const char *)data, n < sizeof(buf) ? n : sizeof(buf), buf, ret_used, &got);

	must(got <= *ret_used);
	must(body->n + got <= BODY_MAX);
	memcpy(body->bytes + body->n, buf, got);
	body->n += got;
	return state;
}

/* One message more or less; returns its state. Bodies are kept, or streamed into @body. */
static enum qrt__http_state step(struct qrt__http_parser *parser, const uint8_t *data, size_t n,
				 struct body *body, size_t *ret_used)
{
	enum qrt__http_state state;

	if (body && body->streams) {
		return stream(parser, data, n, body, ret_used);
	}
	state = qrt__http_parser_feed(parser, (const char *)data, n, ret_used);
	must(state != QRT__HTTP_MORE || *ret_used == n);
	if (state == QRT__HTTP_HEAD) {
		state = qrt__http_parser_body(parser, !body, BODY_MAX);
		if (body) {
			body->streams = true;
			body->n = 0;
		}
	}
	return state;
}

struct input {
	const uint8_t *data;
	size_t size;
	struct qrt__http_limits limits;
};

/* @streamed: bodies do not stay with the parser. */
static void tell(struct story *story, const struct input *input, size_t piece, bool streamed)
{
	const uint8_t *data = input->data;
	struct body body = {0};
	struct qrt__http_parser *parser = NULL;
	size_t at = 0;
	bool more = true;

	memset(story, 0, sizeof(*story));
	if (qrt__http_parser_create(&input->limits, &parser)) {
		abort();
	}
	while (at < input->size && more) {
		size_t n = input->size - at < piece ? input->size - at : piece;
		size_t used = 0;
		enum qrt__http_state state =
		    step(parser, data + at, n, streamed ? &body : NULL, &used);

		must(used <= n);
		at += used;
		if (state == QRT__HTTP_DONE || state == QRT__HTTP_FAULT) {
			more = note(story, parser, state, streamed ? &body : NULL);
			body.streams = false;
			body.n = 0;
		}
	}
	qrt__http_parser_destroy(&parser);
}

/*
 * Behind the head a text is counted when its piece ends: a trailer both too long and malformed
 * is refused for the one or the other.
 */
static bool same_fault(int a, int b)
{
	return a == b || (a == 431 && b == 400) || (a == 400 && b == 431);
}

static void must_agree(const struct story *a, const struct story *b)
{
	must(a->n == b->n);
	for (size_t i = 0; i < a->n; i++) {
		must(a->messages[i].state == b->messages[i].state);
		must(same_fault(a->messages[i].fault, b->messages[i].fault));
		must(a->messages[i].digest == b->messages[i].digest);
	}
}

static void must_agree_however_cut(const struct input *input)
{
	struct story whole, other;

	tell(&whole, input, SIZE_MAX, false);
	tell(&other, input, 1, false);
	must_agree(&whole, &other);
	tell(&other, input, SIZE_MAX, true);
	must_agree(&whole, &other);
	tell(&other, input, 7, true);
	must_agree(&whole, &other);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct input tight = {data, size, {128, 512}};
	const struct input wide = {data, size, {2048, 4096}};

	must_agree_however_cut(&tight);
	if (size > tight.limits.request_line_max) {
		must_agree_however_cut(&wide);
	}
	return 0;
}
