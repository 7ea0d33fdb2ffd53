/*
 * A client's request for a WebSocket: the head of an HTTP/1.1 GET, and nothing
 * else. What could be read in two ways is refused. Must never wait or keep
 * anything.
 */
#include <string.h>
#include <strings.h>

#include "shim/src/ws/ws.h"

enum { KEY_LENGTH = 24, BAD_REQUEST = 400, TOO_MANY = 431 };

size_t qrt__ws_head_length(const char *data, size_t n)
{
	const char *end = n > 0 ? memmem(data, n, "\r\n\r\n", 4) : NULL;
	return end ? (size_t)(end - data) + 4 : 0;
}

static int refuse(struct qrt__ws_request *ret, int status, const char *why)
{
	ret->why = why;
	return status;
}

/* --- lines ----------------------------------------------------------------------------------- */

/*
 * Takes the line that begins at *@at, which ends before @end, and ends it with a NUL; NULL: a
 * byte in it that no line may have.
 */
static char *take_line(char **at, char *end)
{
	char *line = *at, *cr = memchr(line, '\r', (size_t)(end - line));
	if (!cr || cr + 1 >= end || cr[1] != '\n') {
		return NULL;
	}
	for (const char *c = line; c < cr; c++) {
		if (((unsigned char)*c < ' ' && *c != '\t') || *c == 0x7f) {
			return NULL;
		}
	}
	*cr = '\0';
	*at = cr + 2;
	return line;
}

static char *trim(char *value)
{
	value += strspn(value, " \t");
	size_t n = strlen(value);
	while (n > 0 && (value[n - 1] == ' ' || value[n - 1] == '\t')) {
		value[--n] = '\0';
	}
	return value;
}

/* Whether the list @value has @token, in any case. */
static bool list_has(const char *value, const char *token)
{
	size_t n = strlen(token);
	while (*value) {
		value += strspn(value, " \t,");
		size_t length = strcspn(value, " \t,");
		if (length == n && strncasecmp(value, token, n) == 0) {
			return true;
		}
		value += length;
	}
	return false;
}

/* --- the request line ------------------------------------------------------------------------ */

static int parse_request_line(char *line, struct qrt__ws_request *ret)
{
	char *path = strchr(line, ' ');
	char *version = path ? strchr(path + 1, ' ') : NULL;
	if (!version) {
		return refuse(ret, BAD_REQUEST, "the request line");
	}
	*path++ = '\0';
	*version++ = '\0';
	if (strcmp(version, "HTTP/1.1") != 0) {
		return refuse(ret, 505, "the version of HTTP");
	}
	if (strcmp(line, "GET") != 0) {
		return refuse(ret, 405, "the method");
	}
	if (*path != '/' || strpbrk(path, "#\t")) {
		return refuse(ret, BAD_REQUEST, "the path");
	}
	if (strlen(path) > QRT_WS_URL_MAX) {
		return refuse(ret, 414, "the length of the path");
	}
	ret->request.path = path;
	return 0;
}

/* --- headers --------------------------------------------------------------------------------- */

/* Those of the handshake itself, each at most once but the subprotocols. */
struct handshake {
	const char *host, *upgrade, *connection, *key, *version;
	size_t n_subprotocols;
};

static int take_once(const char **slot, const char *value, struct qrt__ws_request *ret)
{
	if (*slot) {
		return refuse(ret, BAD_REQUEST, "a header that stands there twice");
	}
	*slot = value;
	return 0;
}

static int take_subprotocols(char *value, struct handshake *shake, struct qrt__ws_request *ret)
{
	char *rest;
	for (char *name = strtok_r(value, ",", &rest); name; name = strtok_r(NULL, ",", &rest)) {
		name = trim(name);
		if (shake->n_subprotocols == QRT_WS_SUBPROTOCOLS_MAX ||
		    !qrt__ws_is_token(name, QRT_WS_SUBPROTOCOL_MAX)) {
			return refuse(ret, BAD_REQUEST, "the subprotocols");
		}
		ret->subprotocols[shake->n_subprotocols++] = name;
	}
	return 0;
}

static int take_own(const char *name, const char *value, struct qrt__ws_request *ret)
{
	if (ret->request.n_headers == QRT_WS_HEADERS_MAX ||
	    strlen(name) + strlen(value) > QRT_WS_HEADER_MAX) {
		return refuse(ret, TOO_MANY, "too many headers, or too long ones");
	}
	ret->headers[ret->request.n_headers++] = (struct qrt_ws_header){name, value};
	return 0;
}

static int take_header(const char *name, char *value, struct handshake *shake,
		       struct qrt__ws_request *ret)
{
	const struct {
		const char *name, **slot;
	} once[] = {
	    {"Host", &shake->host},
	    {"Upgrade", &shake->upgrade},
	    {"Connection", &shake->connection},
	    {"Sec-WebSocket-Key", &shake->key},
	    {"Sec-WebSocket-Version", &shake->version},
	};
	for (size_t i = 0; i < sizeof(once) / sizeof(once[0]); i++) {
		if (strcasecmp(name, once[i].name) == 0) {
			return take_once(once[i].slot, value, ret);
		}
	}
	if (strcasecmp(name, "Sec-WebSocket-Protocol") == 0) {
		return take_subprotocols(value, shake, ret);
	}
	if (strcasecmp(name, "Content-Length") == 0 || strcasecmp(name, "Transfer-Encoding") == 0) {
		return refuse(ret, BAD_REQUEST, "a body");
	}
	/* No extension is known here, and none is answered. */
	return strncasecmp(name, "Sec-WebSocket-", 14) == 0 ? 0 : take_own(name, value, ret);
}

/* --- the handshake --------------------------------------------------------------------------- */

/* 16 bytes in base64. */
static bool is_key(const char *key)
{
	static const char digits[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	return strlen(key) == KEY_LENGTH && strspn(key, digits) == KEY_LENGTH - 2 &&
	       strcmp(key + KEY_LENGTH - 2, "==") == 0;
}

static int check(const struct handshake *shake, struct qrt__ws_request *ret)
{
	if (!shake->host || !*shake->host) {
		return refuse(ret, BAD_REQUEST, "no Host");
	}
	if (!shake->upgrade || !list_has(shake->upgrade, "websocket") || !shake->connection ||
	    !list_has(shake->connection, "upgrade")) {
		return refuse(ret, 426, "no upgrade to a websocket");
	}
	if (!shake->version || strcmp(shake->version, "13") != 0) {
		return refuse(ret, 426, "the version of the websocket");
	}
	if (!shake->key || !is_key(shake->key)) {
		return refuse(ret, BAD_REQUEST, "the key");
	}
	return 0;
}

int qrt__ws_request_parse(char *head, size_t n, struct qrt__ws_request *ret)
{
	struct handshake shake = {.n_subprotocols = 0};
	char *at = head, *end = head + n;
	memset(ret, 0, sizeof(*ret));
	char *line = take_line(&at, end);
	int status =
	    line ? parse_request_line(line, ret) : refuse(ret, BAD_REQUEST, "the request line");
	while (!status) {
		line = take_line(&at, end);
		if (line && !*line) {
			break;
		}
		char *colon = line ? strchr(line, ':') : NULL;
		if (!colon) {
			return refuse(ret, BAD_REQUEST, "a line that is no header");
		}
		*colon = '\0';
		if (!qrt__ws_is_token(line, QRT_WS_HEADER_MAX)) {
			return refuse(ret, BAD_REQUEST, "the name of a header");
		}
		status = take_header(line, trim(colon + 1), &shake, ret);
	}
	status = status ? status : check(&shake, ret);
	ret->request.host = shake.host;
	ret->request.headers = ret->headers;
	ret->request.subprotocols = ret->subprotocols;
	ret->key = shake.key;
	return status;
}
