/*
 * Fuzz entry of a client's request for a WebSocket: the bytes are what one connection sends. What
 * is taken is what it says it is, all of it lies in the head, and what is refused has a status and
 * a reason. Works with libFuzzer and replay.c.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "backends/ws_impl.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
	if (!holds) {
		abort();
	}
}

/* A text of the head, which ends there, without a byte that would end a line. */
static void must_be_text(const char *text, const char *head, size_t n)
{
	must(text >= head && text < head + n);
	size_t length = strnlen(text, (size_t)(head + n - text));
	must(text + length < head + n);
	must(!memchr(text, '\r', length) && !memchr(text, '\n', length));
}

static void check_taken(const struct qrt__ws_request *it, const char *head, size_t n)
{
	const struct qrt_ws_request *request = &it->request;
	size_t names = 0;
	must_be_text(request->path, head, n);
	must_be_text(request->host, head, n);
	must_be_text(it->key, head, n);
	must(request->path[0] == '/' && strlen(request->path) <= QRT_WS_URL_MAX);
	must(request->host[0] && strlen(it->key) == 24);
	must(request->n_headers <= QRT_WS_HEADERS_MAX);
	for (size_t i = 0; i < request->n_headers; i++) {
		must_be_text(request->headers[i].name, head, n);
		must_be_text(request->headers[i].value, head, n);
		must(request->headers[i].name[0]);
	}
	for (; request->subprotocols[names]; names++) {
		must(names < QRT_WS_SUBPROTOCOLS_MAX);
		must_be_text(request->subprotocols[names], head, n);
		must(strlen(request->subprotocols[names]) <= QRT_WS_SUBPROTOCOL_MAX);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct qrt__ws_request request;
	size_t n = qrt__ws_head_length((const char *)data, size);
	if (n == 0 || n > QRT__WS_HEAD_MAX) {
		return 0;
	}
	must(n <= size && memcmp(data + n - 4, "\r\n\r\n", 4) == 0);
	char *head = malloc(n);
	if (!head) {
		return 0;
	}
	memcpy(head, data, n);
	int status = qrt__ws_request_parse(head, n, &request);
	if (status) {
		must(status >= 400 && status <= 599 && request.why);
	} else {
		check_taken(&request, head, n);
	}
	free(head);
	return 0;
}
