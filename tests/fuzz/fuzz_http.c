/*
 * Fuzz entry of the HTTP request parser: the bytes are what one connection sends. They are fed
 * whole and byte by byte, and both must tell the same story. Works with libFuzzer and replay.c.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "shim/src/http_parse.h"

#define MESSAGES_MAX 8
#define BODY_MAX 256

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

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

static void mix_fields(uint64_t *digest, const struct qrt__http_fields *fields)
{
	size_t n = 0;

	for (const struct qrt__http_field *field = fields->first; field; field = field->next) {
		mix(digest, field->name, strlen(field->name) + 1);
		mix(digest, field->value, strlen(field->value) + 1);
		n++;
	}
	must(n == fields->n);
	must(n <= QRT__HTTP_FIELDS_MAX);
}

static uint64_t request_digest(const struct qrt_http_request *req)
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
	mix_fields(&digest, &req->headers);
	mix_fields(&digest, &req->query);
	mix(&digest, body, len);
	mix(&digest, &req->keep_alive, 1);
	return digest;
}

/* Notes the end of a message; returns whether another may follow. */
static bool note(struct story *story, struct qrt__http_parser *parser, enum qrt__http_state state)
{
	const char *why = "";
	int fault = qrt__http_parser_fault(parser, &why);

	must((state == QRT__HTTP_FAULT) == (fault != 0));
	must(fault == 0 || (fault >= 400 && fault < 600 && why[0] != '\0'));
	story->messages[story->n].state = state;
	story->messages[story->n].fault = fault;
	if (state == QRT__HTTP_DONE) {
		story->messages[story->n].digest = request_digest(qrt__http_parser_request(parser));
	}
	story->n++;
	qrt__http_parser_reset(parser);
	return state == QRT__HTTP_DONE && story->n < MESSAGES_MAX;
}

static void tell(struct story *story, const uint8_t *data, size_t size, size_t piece)
{
	static const struct qrt__http_limits limits = {128, 512};
	struct qrt__http_parser *parser = NULL;
	size_t at = 0;
	bool more = true;

	memset(story, 0, sizeof(*story));
	if (qrt__http_parser_create(&limits, &parser)) {
		abort();
	}
	while (at < size && more) {
		size_t n = size - at < piece ? size - at : piece;
		size_t used = 0;
		enum qrt__http_state state =
		    qrt__http_parser_feed(parser, (const char *)data + at, n, &used);

		if (state == QRT__HTTP_HEAD) {
			state = qrt__http_parser_body(parser, true, BODY_MAX);
			n = used;
		}
		must(used <= n);
		must(state != QRT__HTTP_MORE || used == n);
		at += used;
		if (state == QRT__HTTP_DONE || state == QRT__HTTP_FAULT) {
			more = note(story, parser, state);
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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct story whole, bytes;

	tell(&whole, data, size, SIZE_MAX);
	tell(&bytes, data, size, 1);
	must(whole.n == bytes.n);
	for (size_t i = 0; i < whole.n; i++) {
		must(whole.messages[i].state == bytes.messages[i].state);
		must(same_fault(whole.messages[i].fault, bytes.messages[i].fault));
		must(whole.messages[i].digest == bytes.messages[i].digest);
	}
	return 0;
}
