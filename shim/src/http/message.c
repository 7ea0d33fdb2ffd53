/*
 * HTTP requests and responses: fields, decoding of targets, what a head must satisfy, and the
 * bytes of a response head. It must never read or write a connection.
 */
#include "shim/src/http/message.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "shim/src/base/text.h"

/* --- grammar ------------------------------------------------------------------------------- */

/* A bit per byte: what a token is made of (RFC 9110, 5.6.2). */
static const uint64_t token_bits[4] = {0x03ff6cfa00000000, 0x57ffffffc7fffffe, 0, 0};

static bool is_token_char(unsigned char c)
{
	return token_bits[c / 64] >> c % 64 & 1;
}

/* How many bytes of a token @text begins with. */
static size_t token_span(const char *text)
{
	const char *c = text;

	while (is_token_char((unsigned char)*c)) {
		c++;
	}
	return (size_t)(c - text);
}

/* How many bytes of a header's value @text begins with. */
static size_t value_span(const char *text)
{
	const unsigned char *c = (const unsigned char *)text;

	while ((*c >= 0x20 && *c != 0x7f) || *c == '\t') {
		c++;
	}
	return (size_t)(c - (const unsigned char *)text);
}

bool qrt__http_name_valid(const char *name)
{
	size_t n = token_span(name);

	return n > 0 && name[n] == '\0';
}

bool qrt__http_value_valid(const char *value)
{
	return value[value_span(value)] == '\0';
}

bool qrt__http_list_has(const char *value, const char *token)
{
	size_t n = strlen(token);

	while (*value) {
		size_t len;

		value += strspn(value, " \t,");
		len = strcspn(value, ",");
		while (len > 0 && (value[len - 1] == ' ' || value[len - 1] == '\t')) {
			len--;
		}
		if (len == n && strncasecmp(value, token, n) == 0) {
			return true;
		}
		value += strcspn(value, ",");
	}
	return false;
}

static enum qrt_err decode(char *text, bool plus_is_space)
{
	size_t n = strlen(text);

	return qrt_http_decode(text, n, plus_is_space, text, n + 1);
}

/* --- fields -------------------------------------------------------------------------------- */

static enum qrt_err fields_add(struct qrt__http_arena *arena, struct qrt__http_fields *fields,
			       struct qrt__http_field like)
{
	struct qrt__http_field *field;

	if (fields->n >= QRT__HTTP_FIELDS_MAX) {
		return QRT_ELIMIT;
	}
	field = qrt__http_arena_alloc(arena, sizeof(*field));
	if (!field) {
		return QRT_ENOMEM;
	}
	*field = like;
	field->next = NULL;
	if (fields->last) {
		fields->last->next = field;
	} else {
		fields->first = field;
	}
	fields->last = field;
	fields->n++;
	return QRT_OK;
}

/* Of texts that are the arena's already. */
static struct qrt__http_field field_of(const char *name, const char *value)
{
	return (struct qrt__http_field){
	    .name = name,
	    .value = value,
	    .name_len = strlen(name),
	    .value_len = strlen(value),
	};
}

/* Header names know no case. Few are of the same length. */
static bool is_named(const struct qrt__http_field *field, const char *name, size_t n)
{
	return field->name_len == n && strcasecmp(field->name, name) == 0;
}

/* The first of that name at or after @field. */
static struct qrt__http_field *header_find(struct qrt__http_field *field, const char *name,
					   size_t n)
{
	while (field && !is_named(field, name, n)) {
		field = field->next;
	}
	return field;
}

static const char *exact_find(const struct qrt__http_field *field, const char *name)
{
	while (field && strcmp(field->name, name) != 0) {
		field = field->next;
	}
	return field ? field->value : NULL;
}

/* --- request ------------------------------------------------------------------------------- */

void qrt__http_request_init(struct qrt_http_request *req, struct qrt__http_arena *arena)
{
	*req = (struct qrt_http_request){
	    .arena = arena,
	    .method = "",
	    .path = "",
	    .peer = "",
	    .route = "",
	    .body = "",
	    .minor = 1,
	};
}

/* What every request is judged by is not searched for. */
static void note_known(struct qrt_http_request *req, const struct qrt__http_field *field)
{
	static const struct {
		const char *name;
		enum qrt__http_known known;
	} by_length[] = {
	    [4] = {"Host", QRT__HTTP_HOST},
	    [6] = {"Expect", QRT__HTTP_EXPECT},
	    [10] = {"Connection", QRT__HTTP_CONNECTION},
	    [14] = {"Content-Length", QRT__HTTP_LENGTH},
	    [17] = {"Transfer-Encoding", QRT__HTTP_CODING},
	};
	size_t n = field->name_len;
	if (n < sizeof(by_length) / sizeof(by_length[0]) && by_length[n].name &&
	    is_named(field, by_length[n].name, n)) {
		enum qrt__http_known known = by_length[n].known;

		req->twice[known] = req->known[known] != NULL;
		req->known[known] = field->value;
	}
}

enum qrt_err qrt__http_request_take_header(struct qrt_http_request *req, const char *name,
					   size_t name_len, const char *value, size_t value_len)
{
	const struct qrt__http_field field = {
	    .name = name, .value = value, .name_len = name_len, .value_len = value_len};

	note_known(req, &field);
	return fields_add(req->arena, &req->headers, field);
}

enum qrt_err qrt__http_request_add_header(struct qrt_http_request *req, const char *name,
					  const char *value)
{
	if (!qrt__http_name_valid(name) || !qrt__http_value_valid(value)) {
		return QRT_EINVAL;
	}
	return qrt__http_request_take_header(req, name, strlen(name), value, strlen(value));
}

enum qrt_err qrt__http_request_add_param(struct qrt_http_request *req, const char *name,
					 const char *value)
{
	return fields_add(req->arena, &req->params, field_of(name, value));
}

static enum qrt_err query_split(struct qrt_http_request *req, char *query)
{
	enum qrt_err err = QRT_OK;

	while (*query && !err) {
		size_t len = strcspn(query, "&");
		char *next = query[len] ? query + len + 1 : query + len;
		char *value;

		query[len] = '\0';
		value = strchr(query, '=');
		if (value) {
			*value++ = '\0';
		} else {
			value = query + len;
		}
		if (len > 0) {
			/* The value first: decoding moves the name's end, never the value. */
			err = decode(value, true);
			err = err ? err : decode(query, true);
			err =
			    err ? err : fields_add(req->arena, &req->query, field_of(query, value));
		}
		query = next;
	}
	return err;
}

enum qrt_err qrt__http_request_set_target(struct qrt_http_request *req, const char *target)
{
	char *path, *query;
	enum qrt_err err;

	/* A proxy's form, which a server must accept as well; Host is judged on its own. */
	if (*target != '/' && strncasecmp(target, "http://", 7) == 0) {
		target += 7 + strcspn(target + 7, "/?#");
	} else if (*target != '/' && strcmp(target, "*") != 0) {
		return QRT_EINVAL;
	}
	if (strchr(target, '#')) {
		return QRT_EINVAL;
	}
	path = qrt__http_arena_text(req->arena, target, strlen(target));
	if (!path) {
		return QRT_ENOMEM;
	}
	query = strchr(path, '?');
	if (query) {
		*query++ = '\0';
		err = query_split(req, query);
		if (err) {
			return err;
		}
	}
	err = decode(path, false);
	if (err) {
		return err;
	}
	req->path = *path ? path : "/";
	return QRT_OK;
}

static bool connection_has(const struct qrt_http_request *req, const char *token)
{
	struct qrt__http_field *field = NULL;

	if (req->known[QRT__HTTP_CONNECTION]) {
		field = header_find(req->headers.first, "Connection", 10);
	}
	for (; field; field = header_find(field->next, "Connection", 10)) {
		if (qrt__http_list_has(field->value, token)) {
			return true;
		}
	}
	return false;
}

/* What says where the body ends must say it once and clearly, or two readers will disagree. */
static int framing_check(const struct qrt_http_request *req, const char **ret_why)
{
	const char *coding = req->known[QRT__HTTP_CODING];

	if (req->twice[QRT__HTTP_LENGTH]) {
		*ret_why = "more than one Content-Length";
		return 400;
	}
	if (!coding) {
		return 0;
	}
	if (req->known[QRT__HTTP_LENGTH]) {
		*ret_why = "both Content-Length and Transfer-Encoding";
		return 400;
	}
	if (req->minor == 0) {
		*ret_why = "Transfer-Encoding in HTTP/1.0";
		return 400;
	}
	if (req->twice[QRT__HTTP_CODING] || strcasecmp(coding, "chunked") != 0) {
		*ret_why = "a transfer coding other than chunked";
		return 501;
	}
	return 0;
}

static int expect_check(struct qrt_http_request *req, const char **ret_why)
{
	const char *expect = req->known[QRT__HTTP_EXPECT];

	if (!expect) {
		return 0;
	}
	if (req->twice[QRT__HTTP_EXPECT] || strcasecmp(expect, "100-continue") != 0) {
		*ret_why = "an expectation other than 100-continue";
		return 417;
	}
	req->expect_continue = req->minor > 0;
	return 0;
}

static int host_check(const struct qrt_http_request *req, const char **ret_why)
{
	const char *host = req->known[QRT__HTTP_HOST];

	if (req->twice[QRT__HTTP_HOST]) {
		*ret_why = "more than one Host";
		return 400;
	}
	if (req->minor > 0 && !host) {
		*ret_why = "no Host";
		return 400;
	}
	if (host && host[strcspn(host, " \t/?#@\\")] != '\0') {
		*ret_why = "malformed Host";
		return 400;
	}
	return 0;
}

int qrt__http_request_check(struct qrt_http_request *req, const char **ret_why)
{
	int status = framing_check(req, ret_why);

	if (status) {
		return status;
	}
	status = host_check(req, ret_why);
	if (status) {
		return status;
	}
	req->keep_alive =
	    req->minor > 0 ? !connection_has(req, "close") : connection_has(req, "keep-alive");
	return expect_check(req, ret_why);
}

const char *qrt_http_method(const struct qrt_http_request *req)
{
	return req->method;
}

const char *qrt_http_path(const struct qrt_http_request *req)
{
	return req->path;
}

const char *qrt_http_query(const struct qrt_http_request *req, const char *name)
{
	return exact_find(req->query.first, name);
}

const char *qrt_http_header(const struct qrt_http_request *req, const char *name)
{
	const struct qrt__http_field *field = header_find(req->headers.first, name, strlen(name));

	return field ? field->value : NULL;
}

const char *qrt_http_param(const struct qrt_http_request *req, const char *name)
{
	return exact_find(req->params.first, name);
}

const char *qrt_http_route(const struct qrt_http_request *req)
{
	return req->route;
}

const char *qrt_http_body(const struct qrt_http_request *req, size_t *ret_len)
{
	*ret_len = req->body_len;
	return req->body;
}

const char *qrt_http_peer(const struct qrt_http_request *req)
{
	return req->peer;
}

int64_t qrt_http_body_declared(const struct qrt_http_request *req)
{
	return req->declared;
}

void *qrt_http_app(const struct qrt_http_request *req)
{
	return req->app;
}

/* --- response ------------------------------------------------------------------------------ */

void qrt__http_response_init(struct qrt_http_response *resp, struct qrt__http_arena *arena,
			     const struct qrt_http_request *req)
{
	*resp = (struct qrt_http_response){.arena = arena, .req = req, .status = 200, .body = ""};
}

void qrt_http_set_status(struct qrt_http_response *resp, int status)
{
	QRT_PRE(status >= 200);
	QRT_PRE(status <= 599);
	if (!qrt__http_response_begun(resp)) {
		resp->status = status;
	}
}

int qrt_http_status(const struct qrt_http_response *resp)
{
	return resp->status;
}

/* The server alone says where a body ends. */
static bool frames_message(const struct qrt__http_field *field)
{
	return is_named(field, "Content-Length", 14) || is_named(field, "Transfer-Encoding", 17);
}

enum qrt_err qrt_http_set_header(struct qrt_http_response *resp, const char *name,
				 const char *value)
{
	struct qrt__http_field wish = {
	    .name = name,
	    .value = value,
	    .name_len = token_span(name),
	    .value_len = value_span(value),
	};
	struct qrt__http_field *field;

	if (wish.name_len == 0 || name[wish.name_len] != '\0' || value[wish.value_len] != '\0' ||
	    frames_message(&wish)) {
		return QRT_EINVAL;
	}
	wish.value = qrt__http_arena_text(resp->arena, value, wish.value_len);
	if (!wish.value) {
		return QRT_ENOMEM;
	}
	field = header_find(resp->headers.first, name, wish.name_len);
	if (field) {
		field->value = wish.value;
		field->value_len = wish.value_len;
		return QRT_OK;
	}
	wish.name = qrt__http_arena_text(resp->arena, name, wish.name_len);
	return wish.name ? fields_add(resp->arena, &resp->headers, wish) : QRT_ENOMEM;
}

const char *qrt_http_response_header(const struct qrt_http_response *resp, const char *name)
{
	const struct qrt__http_field *field = header_find(resp->headers.first, name, strlen(name));

	return field ? field->value : NULL;
}

enum qrt_err qrt_http_set_body(struct qrt_http_response *resp, const void *data, size_t n)
{
	const char *copy = qrt__http_arena_text(resp->arena, data, n);

	if (!copy) {
		return QRT_ENOMEM;
	}
	resp->body = copy;
	resp->body_len = n;
	return QRT_OK;
}

const char *qrt_http_response_body(const struct qrt_http_response *resp, size_t *ret_len)
{
	*ret_len = resp->body_len;
	return resp->body;
}

bool qrt__http_status_has_body(int status)
{
	return status >= 200 && status != 204 && status != 304;
}

bool qrt__http_response_has_body(const struct qrt_http_response *resp)
{
	bool head = resp->req && strcmp(resp->req->method, "HEAD") == 0;

	return qrt__http_status_has_body(resp->status) && !head;
}

bool qrt__http_response_closes(const struct qrt_http_response *resp)
{
	const struct qrt__http_field *field = header_find(resp->headers.first, "Connection", 10);

	return field && qrt__http_list_has(field->value, "close");
}

/* --- the head as bytes --------------------------------------------------------------------- */

#define LINE_MAX_BYTES 64 /* status line, Content-Length: what is not a field's own length */

static size_t head_bound(const struct qrt_http_response *resp, size_t reason_len)
{
	size_t n = 4 * LINE_MAX_BYTES + reason_len;
	const struct qrt__http_field *field = resp->headers.first;

	for (; field; field = field->next) {
		n += field->name_len + field->value_len + 4;
	}
	return n;
}

static inline char *put(char *at, const char *text, size_t n)
{
	memcpy(at, text, n);
	return at + n;
}

/* The length of a literal is known where it is put. */
#define PUT(at, literal) put(at, literal, sizeof(literal) - 1)

static char *put_number(char *at, size_t number)
{
	char digits[24];
	size_t n = 0;

	do {
		digits[n++] = (char)('0' + number % 10);
		number /= 10;
	} while (number > 0);
	while (n > 0) {
		*at++ = digits[--n];
	}
	return at;
}

static char *put_status(char *at, int status, const char *reason, size_t reason_len)
{
	at = PUT(at, "HTTP/1.1 ");
	at = put_number(at, (size_t)status);
	at = PUT(at, " ");
	at = put(at, reason, reason_len);
	return PUT(at, "\r\n");
}

static char *put_field(char *at, const struct qrt__http_field *field)
{
	at = put(at, field->name, field->name_len);
	at = PUT(at, ": ");
	at = put(at, field->value, field->value_len);
	return PUT(at, "\r\n");
}

static char *put_date(char *at, const char *date)
{
	at = PUT(at, "Date: ");
	at = put(at, date, strlen(date));
	return PUT(at, "\r\n");
}

/* A response to HEAD says what the one to GET would. */
static char *put_framing(char *at, const struct qrt_http_response *resp)
{
	const struct qrt__http_stream *stream = &resp->stream;
	bool whole = stream->framing == QRT__HTTP_WHOLE;
	bool http10 = resp->req && resp->req->minor == 0;

	if (!qrt__http_status_has_body(resp->status)) {
		return at;
	}
	if (whole || stream->length != QRT_HTTP_UNKNOWN_LENGTH) {
		at = PUT(at, "Content-Length: ");
		at = put_number(at, whole ? resp->body_len : (size_t)stream->length);
		return PUT(at, "\r\n");
	}
	return http10 ? at : PUT(at, "Transfer-Encoding: chunked\r\n");
}

enum qrt_err qrt__http_response_head(const struct qrt_http_response *resp,
				     const struct qrt__http_head *how, const char **ret_text,
				     size_t *ret_len)
{
	const struct qrt__http_field *field = resp->headers.first;
	const char *reason = qrt_http_reason(resp->status);
	size_t reason_len = strlen(reason);
	size_t bound = head_bound(resp, reason_len);
	char *text = qrt__http_arena_grow(resp->arena, NULL, 0, bound);
	char *at = text;

	if (!text) {
		return QRT_ENOMEM;
	}
	at = put_status(at, resp->status, reason, reason_len);
	for (; field; field = field->next) {
		/* The server's word on the connection is the last one. */
		if (!is_named(field, "Connection", 10)) {
			at = put_field(at, field);
		}
	}
	if (how->date && !header_find(resp->headers.first, "Date", 4)) {
		at = put_date(at, how->date);
	}
	at = put_framing(at, resp);
	if (how->close) {
		at = PUT(at, "Connection: close\r\n");
	} else if (how->http10) {
		at = PUT(at, "Connection: keep-alive\r\n");
	}
	at = PUT(at, "\r\n");
	QRT_POST((size_t)(at - text) <= bound);
	*ret_text = text;
	*ret_len = (size_t)(at - text);
	return QRT_OK;
}

void qrt__http_date(int64_t wall_ms, char *buf)
{
	static const char days[] = "SunMonTueWedThuFriSat";
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	struct qrt__utc utc = qrt__utc_of(wall_ms);

	snprintf(buf, QRT__HTTP_DATE_MAX, "%.3s, %02u %.3s %04u %02u:%02u:%02u GMT",
		 days + 3 * (utc.weekday % 7), utc.day, months + 3 * ((utc.month - 1) % 12),
		 utc.year, utc.hour, utc.minute, utc.second);
}

const char *qrt_http_reason(int status)
{
	static const struct {
		int status;
		const char *text;
	} reasons[] = {
	    {200, "OK"},
	    {400, "Bad Request"},
	    {404, "Not Found"},
	    {100, "Continue"},
	    {101, "Switching Protocols"},
	    {201, "Created"},
	    {202, "Accepted"},
	    {203, "Non-Authoritative Information"},
	    {204, "No Content"},
	    {205, "Reset Content"},
	    {206, "Partial Content"},
	    {300, "Multiple Choices"},
	    {301, "Moved Permanently"},
	    {302, "Found"},
	    {303, "See Other"},
	    {304, "Not Modified"},
	    {307, "Temporary Redirect"},
	    {308, "Permanent Redirect"},
	    {401, "Unauthorized"},
	    {402, "Payment Required"},
	    {403, "Forbidden"},
	    {405, "Method Not Allowed"},
	    {406, "Not Acceptable"},
	    {407, "Proxy Authentication Required"},
	    {408, "Request Timeout"},
	    {409, "Conflict"},
	    {410, "Gone"},
	    {411, "Length Required"},
	    {412, "Precondition Failed"},
	    {413, "Content Too Large"},
	    {414, "URI Too Long"},
	    {415, "Unsupported Media Type"},
	    {416, "Range Not Satisfiable"},
	    {417, "Expectation Failed"},
	    {421, "Misdirected Request"},
	    {422, "Unprocessable Content"},
	    {426, "Upgrade Required"},
	    {428, "Precondition Required"},
	    {429, "Too Many Requests"},
	    {431, "Request Header Fields Too Large"},
	    {500, "Internal Server Error"},
	    {501, "Not Implemented"},
	    {502, "Bad Gateway"},
	    {503, "Service Unavailable"},
	    {504, "Gateway Timeout"},
	    {505, "HTTP Version Not Supported"},
	};

	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
		if (reasons[i].status == status) {
			return reasons[i].text;
		}
	}
	return "Unknown";
}
