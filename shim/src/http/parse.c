/*
 * The parser on llhttp, compiled in strict mode. A scan of its own walks the lines of the head, and
 * of trailers, before llhttp sees them: it enforces the length limits to the byte and refuses what
 * llhttp lets pass: bare line feeds and carriage returns, folded lines, other protocols than HTTP,
 * a second space in the request line. So the answer never depends on how the bytes were cut. It
 * must never switch on a lenient flag.
 */
#include "shim/src/http/parse.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <llhttp.h>

#define BODY_KEPT (16u * 1024) /* a body buffer up to this stays with the parser */
#define BODY_FIRST (4u * 1024)
#define EMPTY_LINES_MAX 4u /* before a request */

enum phase { PHASE_HEAD, PHASE_BODY, PHASE_TRAILER, PHASE_DONE, PHASE_FAULT };

/* A text that comes in pieces. */
struct piece {
	char *text;
	size_t len;
};

enum { TAIL = sizeof("HTTP/1.1\r") - 1 };

/* The walk over the lines of a head, or of trailers. */
struct scan {
	unsigned line;	   /* 0: the request line */
	unsigned empty;	   /* lines before it */
	bool ended;	   /* the empty line has come */
	size_t line_len;   /* of the current line so far, with the CR, without the LF */
	bool last_cr;	   /* that line ends in CR so far */
	size_t header_len; /* of all header lines before it, with CR LF */
	size_t first_len;  /* of the request line, with its CR */
	char tail[TAIL];   /* the last bytes of the request line */
};

struct qrt__http_parser {
	llhttp_t llhttp;
	struct qrt__http_limits limits;
	struct qrt__http_arena arena;
	struct qrt_http_request req;
	enum phase phase;
	struct scan scan;
	struct piece target, name, value;
	char *body;
	size_t body_cap;
	size_t body_max, body_len; /* may be, has been */
	bool keep;		   /* the body, in @body */
	char *into;		   /* else its bytes go here; NULL: nowhere */
	size_t into_len;
	size_t framing_left; /* for chunk extensions and trailers */
	bool head_untold;
	int fault;
	const char *why;
};

/* Empty lines before a request do not begin it. */
static bool scan_started(const struct scan *scan)
{
	return scan->line > 0 || scan->line_len > (scan->last_cr ? 1u : 0u);
}

/* --- faults -------------------------------------------------------------------------------- */

/* The first fault counts. Returns what a callback returns to stop llhttp. */
static int fault(struct qrt__http_parser *parser, int status, const char *why)
{
	if (parser->phase != PHASE_FAULT) {
		parser->phase = PHASE_FAULT;
		parser->fault = status;
		parser->why = why;
		parser->req.keep_alive = false;
	}
	return -1;
}

static int fault_err(struct qrt__http_parser *parser, enum qrt_err err, const char *what)
{
	switch (err) {
	case QRT_ENOMEM:
		return fault(parser, 503, "out of memory");
	case QRT_ELIMIT:
		return fault(parser, 431, "too many fields");
	default:
		return fault(parser, 400, what);
	}
}

/* What llhttp itself refuses. An unknown method is well formed; no letter begins anything else. */
static void fault_llhttp(struct qrt__http_parser *parser, llhttp_errno_t error, char at)
{
	switch (error) {
	case HPE_INVALID_VERSION:
	case HPE_PAUSED_H2_UPGRADE:
		fault(parser, 505, "only HTTP/1.0 and HTTP/1.1 are served");
		break;
	case HPE_INVALID_METHOD:
		if (at >= 'A' && at <= 'Z') {
			fault(parser, 501, "unknown method");
		} else {
			fault(parser, 400, "malformed method");
		}
		break;
	case HPE_INVALID_URL:
		fault(parser, 400, "malformed request target");
		break;
	case HPE_INVALID_CONTENT_LENGTH:
	case HPE_UNEXPECTED_CONTENT_LENGTH:
		fault(parser, 400, "malformed or contradicting Content-Length");
		break;
	case HPE_INVALID_TRANSFER_ENCODING:
		fault(parser, 400, "malformed or contradicting Transfer-Encoding");
		break;
	case HPE_INVALID_CHUNK_SIZE:
		fault(parser, 400, "malformed chunk size");
		break;
	case HPE_INVALID_HEADER_TOKEN:
		fault(parser, 400, "malformed header");
		break;
	default:
		fault(parser, 400, "malformed request");
		break;
	}
}

/* --- what llhttp reports ------------------------------------------------------------------- */

static struct qrt__http_parser *owner(llhttp_t *llhttp)
{
	return llhttp->data;
}

static int piece_add(struct qrt__http_parser *parser, struct piece *piece, const char *at, size_t n)
{
	size_t held = piece->text ? piece->len + 1 : 0;
	char *text = qrt__http_arena_grow(&parser->arena, piece->text, held, piece->len + n + 1);

	if (!text) {
		return fault_err(parser, QRT_ENOMEM, "");
	}
	memcpy(text + piece->len, at, n);
	text[piece->len + n] = '\0';
	piece->text = text;
	piece->len += n;
	return 0;
}

static int on_url(llhttp_t *llhttp, const char *at, size_t n)
{
	return piece_add(owner(llhttp), &owner(llhttp)->target, at, n);
}

static int on_url_complete(llhttp_t *llhttp)
{
	struct qrt__http_parser *parser = owner(llhttp);
	const char *target = parser->target.text ? parser->target.text : "";
	enum qrt_err err;

	parser->req.method = llhttp_method_name((llhttp_method_t)llhttp_get_method(llhttp));
	err = qrt__http_request_set_target(&parser->req, target);
	return err ? fault_err(parser, err, "malformed request target") : 0;
}

/* A request line without a version reaches the end of the head only. */
static int on_version_complete(llhttp_t *llhttp)
{
	if (llhttp_get_http_major(llhttp) != 1 || llhttp_get_http_minor(llhttp) > 1) {
		return fault(owner(llhttp), 505, "only HTTP/1.0 and HTTP/1.1 are served");
	}
	owner(llhttp)->req.minor = llhttp_get_http_minor(llhttp);
	return 0;
}

/* Chunk extensions are read and dropped, but not without end. */
static int on_framing(llhttp_t *llhttp, const char *at, size_t n)
{
	struct qrt__http_parser *parser = owner(llhttp);

	(void)at;
	if (n > parser->framing_left) {
		return fault(parser, 431, "the chunk extensions or trailers are too long");
	}
	parser->framing_left -= n;
	return 0;
}

static int on_header_field(llhttp_t *llhttp, const char *at, size_t n)
{
	struct qrt__http_parser *parser = owner(llhttp);

	/* Trailers are dropped; the scan has their limit. */
	return parser->phase == PHASE_HEAD ? piece_add(parser, &parser->name, at, n) : 0;
}

static int on_header_value(llhttp_t *llhttp, const char *at, size_t n)
{
	struct qrt__http_parser *parser = owner(llhttp);

	return parser->phase == PHASE_HEAD ? piece_add(parser, &parser->value, at, n) : 0;
}

static int on_header_value_complete(llhttp_t *llhttp)
{
	struct qrt__http_parser *parser = owner(llhttp);
	struct piece *value = &parser->value;
	enum qrt_err err;

	if (parser->phase != PHASE_HEAD) {
		return 0;
	}
	if (!value->text && piece_add(parser, value, "", 0)) {
		return -1;
	}
	while (value->len > 0 &&
	       (value->text[value->len - 1] == ' ' || value->text[value->len - 1] == '\t')) {
		value->text[--value->len] = '\0';
	}
	if (parser->name.len == 0) {
		return fault(parser, 400, "a header without a name");
	}
	/* In strict mode llhttp takes no byte that does not belong into a name or a value. */
	err = qrt__http_request_take_header(&parser->req, parser->name.text, parser->name.len,
					    value->text, value->len);
	parser->name = (struct piece){NULL, 0};
	parser->value = (struct piece){NULL, 0};
	return err ? fault_err(parser, err, "malformed header") : 0;
}

/* One space each, and nothing else: llhttp skips more of them. */
static bool request_line_is_plain(const struct qrt__http_parser *parser)
{
	return parser->scan.first_len == strlen(parser->req.method) + parser->target.len + 2 + TAIL;
}

static int on_headers_complete(llhttp_t *llhttp)
{
	struct qrt__http_parser *parser = owner(llhttp);
	const char *why = "";
	int status = 0;

	if (on_version_complete(llhttp)) {
		return -1;
	}
	status = qrt__http_request_check(&parser->req, &why);
	if (!status && !request_line_is_plain(parser)) {
		status = 400;
		why = "malformed request line";
	}
	if (!status && llhttp_get_method(llhttp) == HTTP_CONNECT) {
		status = 501;
		why = "CONNECT is not served";
	}
	if (status) {
		return fault(parser, status, why);
	}
	if (llhttp->flags & F_CHUNKED) {
		parser->req.declared = QRT_HTTP_UNKNOWN_LENGTH;
	} else if (llhttp->content_length > INT64_MAX) {
		return fault(parser, 413, "the declared body is too long");
	} else {
		parser->req.declared = (int64_t)llhttp->content_length;
	}
	/* An offer to upgrade may be ignored; then the message is an ordinary one. */
	llhttp->upgrade = 0;
	parser->phase = PHASE_BODY;
	parser->framing_left = parser->limits.header_max;
	parser->head_untold = parser->req.declared != 0;
	return parser->head_untold ? HPE_PAUSED : 0;
}

/* Room for @n bytes and a NUL; doubled, but never beyond what the limit or the length allow. */
static bool body_room(struct qrt__http_parser *parser, size_t n)
{
	size_t cap = parser->body_cap > 0 ? parser->body_cap : BODY_FIRST;
	char *body;

	if (n < parser->body_cap) {
		return true;
	}
	while (cap <= n) {
		cap *= 2;
	}
	if (cap > parser->body_max + 1 && n < parser->body_max + 1) {
		cap = parser->body_max + 1;
	}
	body = realloc(parser->body, cap);
	if (!body) {
		return false;
	}
	parser->body = body;
	parser->body_cap = cap;
	return true;
}

static int on_body(llhttp_t *llhttp, const char *at, size_t n)
{
	struct qrt__http_parser *parser = owner(llhttp);

	if (n > parser->body_max - parser->body_len) {
		return fault(parser, 413, "the body is too long");
	}
	if (parser->keep) {
		if (!body_room(parser, parser->body_len + n)) {
			return fault_err(parser, QRT_ENOMEM, "");
		}
		memcpy(parser->body + parser->body_len, at, n);
	} else if (parser->into) {
		/* The framing in between only ever moves it forward. */
		memmove(parser->into + parser->into_len, at, n);
		parser->into_len += n;
	}
	parser->body_len += n;
	return 0;
}

/* The size of the chunk is known before its bytes come: refused before it is read. */
static int on_chunk_header(llhttp_t *llhttp)
{
	struct qrt__http_parser *parser = owner(llhttp);

	if (llhttp->content_length > parser->body_max - parser->body_len) {
		return fault(parser, 413, "the body is too long");
	}
	if (llhttp->content_length == 0) {
		parser->phase = PHASE_TRAILER;
		parser->scan = (struct scan){.line = 1};
		return HPE_PAUSED;
	}
	return 0;
}

static int on_message_complete(llhttp_t *llhttp)
{
	struct qrt__http_parser *parser = owner(llhttp);

	if (parser->keep && parser->body_len > 0) {
		parser->body[parser->body_len] = '\0';
		parser->req.body = parser->body;
		parser->req.body_len = parser->body_len;
	}
	parser->phase = PHASE_DONE;
	return HPE_PAUSED;
}

static const llhttp_settings_t settings = {
    .on_url = on_url,
    .on_url_complete = on_url_complete,
    .on_version_complete = on_version_complete,
    .on_header_field = on_header_field,
    .on_header_value = on_header_value,
    .on_header_value_complete = on_header_value_complete,
    .on_headers_complete = on_headers_complete,
    .on_body = on_body,
    .on_chunk_header = on_chunk_header,
    .on_chunk_extension_name = on_framing,
    .on_chunk_extension_value = on_framing,
    .on_message_complete = on_message_complete,
};

/* --- the scan ------------------------------------------------------------------------------ */

/* A fault the scan has found. It counts unless llhttp finds one in the bytes before it. */
struct finding {
	int status;
	const char *why;
};

/* The current line has ended. */
static struct finding line_end(const struct qrt__http_limits *limits, struct scan *scan)
{
	struct finding found = {0, ""};

	if (scan->line == 0) {
		scan->first_len = scan->line_len;
	}
	if (!scan->last_cr) {
		found = (struct finding){400, "a line that does not end in CR LF"};
	} else if (scan->line > 0 || scan->line_len > 1) {
		scan->header_len += scan->line > 0 ? scan->line_len + 1 : 0;
		scan->ended = scan->line_len == 1;
		scan->line++;
		if (scan->line == 1 && scan->first_len > 0 && memcmp(scan->tail, "HTTP/", 5) != 0) {
			found = (struct finding){400, "malformed request line"};
		}
	} else if (++scan->empty > EMPTY_LINES_MAX) {
		found = (struct finding){400, "too many empty lines before a request"};
	}
	if (scan->header_len > limits->header_max) {
		found = (struct finding){431, "the headers are too long"};
	}
	scan->line_len = 0;
	scan->last_cr = false;
	return found;
}

/* How long the current line may become, without its CR. */
static size_t line_max(const struct qrt__http_limits *limits, const struct scan *scan)
{
	if (scan->line == 0) {
		return limits->request_line_max;
	}
	return limits->header_max - scan->header_len;
}

static void tail_add(struct scan *scan, const char *data, size_t n)
{
	/* Of none the tail stays as it is. */
	size_t keep = n < TAIL ? TAIL - n : 0;

	memmove(scan->tail, scan->tail + TAIL - keep, keep);
	memcpy(scan->tail + keep, data + n - (TAIL - keep), TAIL - keep);
}

/*
 * How many of @n > 0 bytes come before it is seen that a CR ends no line: that one is among them,
 * for who gets the bytes one by one has taken it before.
 */
static size_t before_bare_cr(const struct scan *scan, const char *data, size_t n)
{
	const char *cr;

	if (scan->last_cr) {
		return 0;
	}
	cr = memchr(data, '\r', n - 1);
	return cr ? (size_t)(cr + 1 - data) : n;
}

/* @n > 0 bytes of the current line without its LF. Returns how many come before a fault. */
static size_t line_part(const struct qrt__http_limits *limits, struct scan *scan, const char *data,
			size_t n, struct finding *ret_found)
{
	size_t max = line_max(limits, scan);
	size_t before = scan->line_len;
	size_t plain;

	if (scan->line > 0 && before == 0 && (data[0] == ' ' || data[0] == '\t')) {
		*ret_found = (struct finding){400, "a folded header"};
		return 0;
	}
	plain = before_bare_cr(scan, data, n);
	if (scan->line == 0) {
		tail_add(scan, data, plain);
	}
	scan->line_len += plain;
	scan->last_cr = plain > 0 ? data[plain - 1] == '\r' : scan->last_cr;
	/* What comes first counts: too long before the CR, or the CR. */
	if (scan->line_len - (scan->last_cr ? 1 : 0) > max) {
		*ret_found = scan->line == 0 ? (struct finding){414, "the request line is too long"}
					     : (struct finding){431, "the headers are too long"};
		return before < max ? max - before : 0;
	}
	if (plain < n) {
		*ret_found = (struct finding){400, "a bare CR"};
	}
	return plain;
}

/*
 * Walks over what the @n bytes hold of the head. Returns how many of them come before a fault,
 * or belong to the head; *ret_skip of those are empty lines before the request.
 */
static size_t head_scan(const struct qrt__http_limits *limits, struct scan *scan, const char *data,
			size_t n, size_t *ret_skip, struct finding *ret_found)
{
	size_t at = 0;
	size_t skip = 0;

	while (at < n && !ret_found->status && !scan->ended) {
		const char *lf = memchr(data + at, '\n', n - at);
		size_t len = lf ? (size_t)(lf - data) - at : n - at;

		if (len > 0) {
			at += line_part(limits, scan, data + at, len, ret_found);
		}
		if (lf && !ret_found->status) {
			*ret_found = line_end(limits, scan);
			at += ret_found->status ? 0 : 1;
		}
		if (!ret_found->status && !scan_started(scan)) {
			skip = at;
		}
	}
	*ret_skip = skip;
	return at;
}

/* --- feeding ------------------------------------------------------------------------------- */

/* Gives @n bytes to llhttp; returns how many it took. */
static size_t execute(struct qrt__http_parser *parser, const char *data, size_t n)
{
	llhttp_errno_t error = llhttp_execute(&parser->llhttp, data, n);
	const char *at;

	if (error == HPE_OK) {
		return n;
	}
	at = llhttp_get_error_pos(&parser->llhttp);
	QRT_ASSERT(at >= data);
	QRT_ASSERT(at <= data + n);
	if (error == HPE_PAUSED) {
		llhttp_resume(&parser->llhttp);
	} else if (parser->phase != PHASE_FAULT) {
		fault_llhttp(parser, error, at < data + n ? *at : '\0');
	}
	return (size_t)(at - data);
}

static size_t feed_head(struct qrt__http_parser *parser, const char *data, size_t n)
{
	struct finding found = {0, ""};
	size_t skip;
	size_t len = head_scan(&parser->limits, &parser->scan, data, n, &skip, &found);

	if (len > skip) {
		size_t used = execute(parser, data + skip, len - skip);

		QRT_ASSERT(parser->phase == PHASE_FAULT || used == len - skip);
	}
	if (found.status) {
		fault(parser, found.status, found.why);
	} else if (parser->scan.ended && parser->phase == PHASE_HEAD) {
		/* Two readers that disagree on where the head ends are one too many. */
		fault(parser, 400, "malformed request");
	}
	return len;
}

/* Trailers are scanned as headers are, and as long as what extensions have left. */
static size_t feed_trailer(struct qrt__http_parser *parser, const char *data, size_t n)
{
	const struct qrt__http_limits limits = {.header_max = parser->framing_left};
	struct finding found = {0, ""};
	size_t skip;
	size_t len = head_scan(&limits, &parser->scan, data, n, &skip, &found);
	size_t used = len > 0 ? execute(parser, data, len) : 0;

	if (found.status == 431) {
		found.why = "the chunk extensions or trailers are too long";
	}
	if (found.status) {
		fault(parser, found.status, found.why);
	} else if (parser->scan.ended != (parser->phase == PHASE_DONE)) {
		fault(parser, 400, "malformed trailer");
	}
	return used;
}

enum qrt__http_state qrt__http_parser_feed(struct qrt__http_parser *parser, const char *data,
					   size_t n, size_t *ret_used)
{
	size_t used = 0;

	QRT_PRE(parser->phase != PHASE_DONE);
	if (parser->phase == PHASE_HEAD) {
		used = feed_head(parser, data, n);
	}
	if (parser->phase == PHASE_BODY && parser->head_untold) {
		parser->head_untold = false;
		*ret_used = used;
		return QRT__HTTP_HEAD;
	}
	if (parser->phase == PHASE_BODY && used < n) {
		used += execute(parser, data + used, n - used);
	}
	if (parser->phase == PHASE_TRAILER && used < n) {
		used += feed_trailer(parser, data + used, n - used);
	}
	*ret_used = used;
	if (parser->phase == PHASE_FAULT) {
		return QRT__HTTP_FAULT;
	}
	return parser->phase == PHASE_DONE ? QRT__HTTP_DONE : QRT__HTTP_MORE;
}

enum qrt__http_state qrt__http_parser_body(struct qrt__http_parser *parser, bool keep, size_t max)
{
	QRT_PRE(parser->phase == PHASE_BODY);
	QRT_PRE(parser->body_len == 0);
	QRT_PRE(!keep || max < SIZE_MAX / 4);
	parser->keep = keep;
	parser->body_max = max;
	if (parser->req.declared > 0 && (uint64_t)parser->req.declared > max) {
		fault(parser, 413, "the declared body is too long");
		return QRT__HTTP_FAULT;
	}
	return QRT__HTTP_MORE;
}

enum qrt__http_state qrt__http_parser_feed_into(struct qrt__http_parser *parser, const char *data,
						size_t n, char *buf, size_t *ret_used,
						size_t *ret_got)
{
	enum qrt__http_state state;

	QRT_PRE(parser->phase == PHASE_BODY || parser->phase == PHASE_TRAILER);
	QRT_PRE(!parser->keep);
	parser->into = buf;
	parser->into_len = 0;
	state = qrt__http_parser_feed(parser, data, n, ret_used);
	parser->into = NULL;
	QRT_POST(parser->into_len <= n);
	*ret_got = parser->into_len;
	return state;
}

/* --- life ---------------------------------------------------------------------------------- */

void qrt__http_parser_reset(struct qrt__http_parser *parser)
{
	qrt__http_arena_reset(&parser->arena);
	qrt__http_request_init(&parser->req, &parser->arena);
	llhttp_init(&parser->llhttp, HTTP_REQUEST, &settings);
	parser->llhttp.data = parser;
	parser->phase = PHASE_HEAD;
	parser->scan = (struct scan){0};
	parser->target = (struct piece){NULL, 0};
	parser->name = (struct piece){NULL, 0};
	parser->value = (struct piece){NULL, 0};
	if (parser->body_cap > BODY_KEPT) {
		free(parser->body);
		parser->body = NULL;
		parser->body_cap = 0;
	}
	parser->body_max = 0;
	parser->body_len = 0;
	parser->keep = true;
	parser->into = NULL;
	parser->head_untold = false;
	parser->fault = 0;
	parser->why = "";
}

enum qrt_err qrt__http_parser_create(const struct qrt__http_limits *limits,
				     struct qrt__http_parser **ret_parser)
{
	struct qrt__http_parser *parser = calloc(1, sizeof(*parser));

	if (!parser) {
		return QRT_ENOMEM;
	}
	parser->limits = *limits;
	qrt__http_arena_init(&parser->arena);
	qrt__http_parser_reset(parser);
	*ret_parser = parser;
	return QRT_OK;
}

void qrt__http_parser_destroy(struct qrt__http_parser **parser)
{
	if (!parser || !*parser) {
		return;
	}
	qrt__http_arena_fini(&(*parser)->arena);
	free((*parser)->body);
	free(*parser);
	*parser = NULL;
}

bool qrt__http_parser_started(const struct qrt__http_parser *parser)
{
	return scan_started(&parser->scan);
}

bool qrt__http_parser_has_head(const struct qrt__http_parser *parser)
{
	return parser->phase == PHASE_BODY || parser->phase == PHASE_TRAILER ||
	       parser->phase == PHASE_DONE;
}

bool qrt__http_parser_is_done(const struct qrt__http_parser *parser)
{
	return parser->phase == PHASE_DONE;
}

struct qrt_http_request *qrt__http_parser_request(struct qrt__http_parser *parser)
{
	return &parser->req;
}

int qrt__http_parser_fault(const struct qrt__http_parser *parser, const char **ret_why)
{
	*ret_why = parser->why;
	return parser->fault;
}
