/*
 * What arrives on a simulated WebSocket's wire. The other end need not be one
 * of these: whoever adopts the connection as a stream can write anything.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backends/lab/ws_wire.h"

enum { CONTROL_MAX = 128 * 1024, HELLO_STRINGS_MAX = 64 };

/* --- the handshake -------------------------------------------------------------------------- */

/* Appends @text with its NUL, at @n of @to; NULL: only its room is wanted. Returns the new n. */
static size_t put(char *to, size_t n, const char *text)
{
	size_t len = strlen(text) + 1;
	if (to) {
		memcpy(to + n, text, len);
	}
	return n + len;
}

/*
 * Strings, each with its NUL: ws or wss, path, authority, number of subprotocols, these, then name
 * and value of each header. Returns the bytes of all.
 */
static size_t put_hello(char *to, const struct qrt__ws_target *target)
{
	const struct qrt_ws_connect_options *opts = target->opts;
	size_t subprotocols = 0;
	char number[24];
	while (opts->subprotocols && opts->subprotocols[subprotocols]) {
		subprotocols++;
	}
	snprintf(number, sizeof(number), "%zu", subprotocols);
	size_t n = put(to, 0, target->secure ? "wss" : "ws");
	n = put(to, n, target->path);
	n = put(to, n, target->authority);
	n = put(to, n, number);
	for (size_t i = 0; i < subprotocols; i++) {
		n = put(to, n, opts->subprotocols[i]);
	}
	for (size_t i = 0; i < opts->n_headers; i++) {
		n = put(to, n, opts->headers[i].name);
		n = put(to, n, opts->headers[i].value);
	}
	return n;
}

enum qrt_err qrt__wire_hello(const struct qrt__ws_target *target, char **ret_hello, size_t *ret_n)
{
	size_t n = put_hello(NULL, target);
	char *text = malloc(n);
	if (!text) {
		return QRT_ENOMEM;
	}
	put_hello(text, target);
	*ret_hello = text;
	*ret_n = n;
	return QRT_OK;
}

/* Splits the payload, which ends with a NUL, into strings; 0: it is not made of any. */
static size_t split(const char *payload, size_t n, const char **ret_strings)
{
	size_t found = 0;
	if (n == 0 || payload[n - 1] != '\0') {
		return 0;
	}
	for (size_t at = 0; at < n; at += strlen(payload + at) + 1) {
		if (found == HELLO_STRINGS_MAX) {
			return 0;
		}
		ret_strings[found++] = payload + at;
	}
	return found;
}

struct hello {
	struct qrt_ws_request request;
	bool secure;
	const char *subprotocols[QRT_WS_SUBPROTOCOLS_MAX + 1];
	struct qrt_ws_header headers[QRT_WS_HEADERS_MAX];
};

static bool parse_hello(const char *payload, size_t n, struct hello *ret)
{
	const char *string[HELLO_STRINGS_MAX];
	size_t found = split(payload, n, string);
	unsigned long subprotocols = found >= 4 ? strtoul(string[3], NULL, 10) : 0;
	if (found < 4 || subprotocols > QRT_WS_SUBPROTOCOLS_MAX || found < 4 + subprotocols ||
	    (found - 4 - subprotocols) % 2 != 0 ||
	    (found - 4 - subprotocols) / 2 > QRT_WS_HEADERS_MAX) {
		return false;
	}
	*ret = (struct hello){.secure = strcmp(string[0], "wss") == 0,
			      .request = {.path = string[1],
					  .host = string[2],
					  .headers = ret->headers,
					  .n_headers = (found - 4 - subprotocols) / 2,
					  .subprotocols = ret->subprotocols}};
	for (size_t i = 0; i < subprotocols; i++) {
		ret->subprotocols[i] = string[4 + i];
	}
	for (size_t i = 0; i < ret->request.n_headers; i++) {
		const char *const *header = string + 4 + subprotocols + 2 * i;
		ret->headers[i] = (struct qrt_ws_header){header[0], header[1]};
	}
	return true;
}

/* The server's side of it; false: the wire is gone. */
static bool on_hello(struct qrt__wire *wire, const char *payload, size_t n)
{
	const struct qrt_ws_accept_options *opts = wire->accept;
	struct hello hello;
	const char *subprotocol = NULL;
	if (!parse_hello(payload, n, &hello) || hello.secure != (opts->cert_file != NULL)) {
		qrt__wire_over(wire, QRT_EPROTO, QRT_WS_DROPPED, NULL, "not a handshake of ours");
		return false;
	}
	int status = opts->admit ? opts->admit(opts->arg, &hello.request, &subprotocol) : 0;
	if (status) {
		char detail[64];
		const char text[2] = {(char)(status >> 8), (char)status};
		snprintf(detail, sizeof(detail), "refused with HTTP status %d", status);
		QRT_IGNORE(qrt__wire_say_last(wire, QRT__WIRE_REFUSED, text, sizeof(text)),
			   "a client that is not told finds the connection closed");
		qrt__wire_over(wire, QRT_ECONNREFUSED, QRT_WS_DROPPED, NULL, detail);
		return false;
	}
	size_t length = subprotocol ? strlen(subprotocol) : 0;
	if (!qrt__wire_put(wire, QRT__WIRE_WELCOME, subprotocol, length)) {
		qrt__wire_over(wire, QRT_ECONNRESET, QRT_WS_DROPPED, NULL, "no memory");
		return false;
	}
	wire->state = QRT__WIRE_OPEN;
	qrt__ws_opened(wire->ws, subprotocol);
	return true;
}

/* The client's side. */
static bool on_answer(struct qrt__wire *wire, enum qrt__wire_kind kind, const char *payload,
		      size_t n)
{
	if (kind == QRT__WIRE_REFUSED && n == 2) {
		char detail[64];
		snprintf(detail, sizeof(detail), "the server answered with HTTP status %u",
			 (unsigned)(unsigned char)payload[0] << 8 | (unsigned char)payload[1]);
		qrt__wire_over(wire, QRT_ECONNREFUSED, QRT_WS_DROPPED, NULL, detail);
		return false;
	}
	wire->state = QRT__WIRE_OPEN;
	qrt__ws_opened(wire->ws, n > 0 ? payload : NULL);
	return true;
}

/* --- frames --------------------------------------------------------------------------------- */

static bool broken(struct qrt__wire *wire)
{
	qrt__wire_over(wire, QRT_EPROTO, QRT_WS_PROTOCOL, NULL, "the peer broke the protocol");
	return false;
}

static bool on_close(struct qrt__wire *wire, const char *payload, size_t n)
{
	unsigned code = QRT_WS_NO_CODE;
	const char *reason = "";
	if (n == 1 || n > 2 + QRT_WS_REASON_MAX) {
		return broken(wire);
	}
	if (n >= 2) {
		code = (unsigned)(unsigned char)payload[0] << 8 | (unsigned char)payload[1];
		reason = payload + 2;
	}
	QRT_IGNORE(qrt__wire_say_close(wire, code), "the peer has gone already, or will not hear");
	qrt__wire_over(wire, QRT_EEOF, code, reason, NULL);
	return false;
}

static bool on_ping(struct qrt__wire *wire)
{
	struct qrt_lab *lab = wire->lab;
	qrt__ws_heard(wire->ws);
	if (wire->closing || qrt__fault(lab, lab->faults.ws_pong_loss)) {
		return true;
	}
	if (!qrt__wire_put(wire, QRT__WIRE_PONG, NULL, 0)) {
		qrt__wire_over(wire, QRT_ECONNRESET, QRT_WS_DROPPED, NULL, "no memory");
		return false;
	}
	return true;
}

/* A whole frame that is no message. Its payload ends with a NUL beyond @n. */
static bool on_control(struct qrt__wire *wire, enum qrt__wire_kind kind, const char *payload,
		       size_t n)
{
	bool asked = wire->state == QRT__WIRE_ASKED;
	switch (kind) {
	case QRT__WIRE_HELLO:
		return asked && wire->server ? on_hello(wire, payload, n) : broken(wire);
	case QRT__WIRE_WELCOME:
	case QRT__WIRE_REFUSED:
		return asked && !wire->server ? on_answer(wire, kind, payload, n) : broken(wire);
	case QRT__WIRE_PING:
		return asked ? broken(wire) : on_ping(wire);
	case QRT__WIRE_PONG:
		if (asked) {
			return broken(wire);
		}
		qrt__ws_pong(wire->ws);
		return true;
	case QRT__WIRE_CLOSE:
		return asked ? broken(wire) : on_close(wire, payload, n);
	default:
		return broken(wire);
	}
}

static bool is_message(enum qrt__wire_kind kind)
{
	return kind == QRT__WIRE_TEXT || kind == QRT__WIRE_BINARY;
}

/* The head is there: makes room for what follows. */
static bool begin_frame(struct qrt__wire *wire)
{
	enum qrt__wire_kind kind = (enum qrt__wire_kind)wire->head[0];
	wire->left = 0;
	for (unsigned i = 0; i < 4; i++) {
		wire->left |= (size_t)wire->head[1 + i] << (8 * i);
	}
	if (is_message(kind)) {
		return wire->state == QRT__WIRE_OPEN || broken(wire);
	}
	if (wire->left > CONTROL_MAX) {
		return broken(wire);
	}
	wire->control_n = 0;
	wire->control = malloc(wire->left + 1);
	if (!wire->control) {
		qrt__wire_over(wire, QRT_ECONNRESET, QRT_WS_DROPPED, NULL, "no memory");
		return false;
	}
	return true;
}

static bool end_frame(struct qrt__wire *wire, enum qrt__wire_kind kind)
{
	char *payload = wire->control;
	payload[wire->control_n] = '\0';
	wire->control = NULL;
	bool alive = on_control(wire, kind, payload, wire->control_n);
	free(payload);
	return alive;
}

/* Up to @n bytes of the frame that is arriving, also none. */
static bool take_payload(struct qrt__wire *wire, const char *data, size_t n)
{
	enum qrt__wire_kind kind = (enum qrt__wire_kind)wire->head[0];
	wire->left -= n;
	bool final = wire->left == 0;
	if (final) {
		wire->head_n = 0;
	}
	if (is_message(kind)) {
		unsigned code = qrt__ws_fragment(
		    wire->ws, kind == QRT__WIRE_TEXT ? QRT_WS_TEXT : QRT_WS_BINARY, data, n, final);
		if (code) {
			qrt__wire_refuse(wire, code);
		}
		return code == 0;
	}
	memcpy(wire->control + wire->control_n, data, n);
	wire->control_n += n;
	return final ? end_frame(wire, kind) : true;
}

bool qrt__wire_consume(struct qrt__wire *wire, const char *data, size_t n)
{
	while (n > 0) {
		if (wire->head_n < QRT__WIRE_HEAD) {
			wire->head[wire->head_n++] = (unsigned char)*data++;
			n--;
			if (wire->head_n < QRT__WIRE_HEAD) {
				continue;
			}
			if (!begin_frame(wire)) {
				return false;
			}
			if (wire->left > 0) {
				continue;
			}
		}
		size_t take = n < wire->left ? n : wire->left;
		if (!take_payload(wire, data, take)) {
			return false;
		}
		data += take;
		n -= take;
	}
	return true;
}
