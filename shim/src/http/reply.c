/*
 * The parser of answers on llhttp, compiled in strict mode. The lines of a head are gathered first,
 * by a scan that enforces the limit to the byte and refuses what llhttp may read leniently; then
 * llhttp reads the head at once. So the answer never depends on how the bytes were cut. Must never
 * switch on a lenient flag.
 */
#include "shim/src/http/reply.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <llhttp.h>

#include "shim/src/http/message.h"

enum { HEAD_FIRST = 512, INTERIM_MAX = 16 };
#define CODING "Transfer-Encoding"
#define TRAILER_COST 4u /* what a trailer counts beyond its own bytes */

enum phase { PHASE_HEAD, PHASE_BODY, PHASE_DONE, PHASE_FAULT };

/* The walk over the lines of a head. */
struct scan {
	size_t lines;	 /* that have ended, the status line too */
	size_t line_len; /* of the current one so far */
	bool cr;	 /* it ends in CR so far */
	bool ended;	 /* the empty line has come */
};

struct qrt__http_reply {
	llhttp_t llhttp;
	size_t head_max;
	struct qrt__http_arena arena;
	bool to_head;
	enum phase phase;
	struct scan scan;
	char *head; /* the arena's; what has come of it */
	size_t head_len, head_cap;
	size_t interim_len; /* bytes of interim answers before it */
	unsigned interims;
	struct qrt_http_header *headers;
	size_t n_headers;
	const char *name, *value; /* of the header llhttp is in; within head */
	size_t name_len, value_len;
	bool has_length, keeps;
	uint64_t length;
	size_t framing_left; /* for chunk extensions and trailers */
	const char *piece;
	size_t piece_len;
	struct qrt__http_reply_fault fault;
};

/* --- faults -------------------------------------------------------------------------------- */

/* The first fault counts. Returns what a callback returns to stop llhttp. */
static int fail(struct qrt__http_reply *reply, enum qrt_err err, const char *why)
{
	if (reply->phase != PHASE_FAULT) {
		reply->phase = PHASE_FAULT;
		reply->fault = (struct qrt__http_reply_fault){err, why};
	}
	return -1;
}

static size_t count(const struct qrt__http_reply *reply, const char *name)
{
	size_t n = 0;
	for (size_t i = 0; i < reply->n_headers; i++) {
		n += strcasecmp(reply->headers[i].name, name) == 0;
	}
	return n;
}

/* Whether llhttp is in the header @name. */
static bool is_named(const struct qrt__http_reply *reply, const char *name)
{
	return reply->name_len == strlen(name) &&
	       strncasecmp(reply->name, name, reply->name_len) == 0;
}

/* What llhttp itself refuses. */
static const char *refusal(const struct qrt__http_reply *reply, llhttp_errno_t error)
{
	switch (error) {
	case HPE_INVALID_VERSION:
	case HPE_PAUSED_H2_UPGRADE:
		return "it is neither HTTP/1.0 nor HTTP/1.1";
	case HPE_INVALID_CONSTANT:
	case HPE_INVALID_STATUS:
		return "a malformed status line";
	case HPE_INVALID_CONTENT_LENGTH:
		return "a malformed Content-Length";
	case HPE_UNEXPECTED_CONTENT_LENGTH:
		return count(reply, CODING) > 0 || is_named(reply, CODING)
			   ? "both a length and chunks"
			   : "two lengths";
	case HPE_INVALID_TRANSFER_ENCODING:
		return "a Transfer-Encoding other than chunked";
	case HPE_INVALID_CHUNK_SIZE:
		return "a malformed chunk size";
	case HPE_INVALID_HEADER_TOKEN:
		return "a malformed header";
	default:
		return reply->phase == PHASE_BODY ? "a malformed chunk" : "a malformed head";
	}
}

/* --- the head, as llhttp reports it -------------------------------------------------------- */

static struct qrt__http_reply *owner(llhttp_t *llhttp)
{
	return llhttp->data;
}

/* Chunk extensions and trailers are read and dropped, but not without end. */
static int on_framing(llhttp_t *llhttp, const char *at, size_t n)
{
	struct qrt__http_reply *reply = owner(llhttp);
	(void)at;
	if (n > reply->framing_left) {
		return fail(reply, QRT_ELIMIT, "the chunk extensions or trailers are too long");
	}
	reply->framing_left -= n;
	return 0;
}

static int on_name(llhttp_t *llhttp, const char *at, size_t n)
{
	struct qrt__http_reply *reply = owner(llhttp);
	if (reply->phase != PHASE_HEAD) {
		return on_framing(llhttp, at, n);
	}
	reply->name = at;
	reply->name_len = n;
	return 0;
}

static int on_value(llhttp_t *llhttp, const char *at, size_t n)
{
	struct qrt__http_reply *reply = owner(llhttp);
	if (reply->phase != PHASE_HEAD) {
		return on_framing(llhttp, at, n);
	}
	reply->value = at;
	reply->value_len = n;
	return 0;
}

static int on_value_complete(llhttp_t *llhttp)
{
	struct qrt__http_reply *reply = owner(llhttp);
	if (reply->phase != PHASE_HEAD) {
		return on_framing(llhttp, NULL, TRAILER_COST);
	}
	if (reply->n_headers == QRT__HTTP_FIELDS_MAX) {
		return fail(reply, QRT_ELIMIT, "too many headers");
	}
	size_t n = reply->value ? reply->value_len : 0;
	while (n > 0 && (reply->value[n - 1] == ' ' || reply->value[n - 1] == '\t')) {
		n--;
	}
	char *name = qrt__http_arena_text(&reply->arena, reply->name, reply->name_len);
	char *value = qrt__http_arena_text(&reply->arena, reply->value, n);
	if (!name || !value) {
		return fail(reply, QRT_ENOMEM, "out of memory");
	}
	if (!qrt__http_name_valid(name)) {
		return fail(reply, QRT_EPROTO, "a malformed header");
	}
	reply->headers[reply->n_headers++] = (struct qrt_http_header){name, value};
	reply->value = NULL;
	return 0;
}

static int on_version(llhttp_t *llhttp)
{
	if (llhttp_get_http_major(llhttp) != 1 || llhttp_get_http_minor(llhttp) > 1) {
		return fail(owner(llhttp), QRT_EPROTO, refusal(owner(llhttp), HPE_INVALID_VERSION));
	}
	return 0;
}

static const char *header_of(const struct qrt__http_reply *reply, const char *name)
{
	const struct qrt_http_answer answer = {.headers = reply->headers,
					       .n_headers = reply->n_headers};
	return qrt_http_answer_header(&answer, name);
}

/* What a head must satisfy beyond its grammar; NULL: it does. */
static const char *head_check(const struct qrt__http_reply *reply, const llhttp_t *llhttp)
{
	size_t lengths = count(reply, "Content-Length");
	size_t codings = count(reply, CODING);
	if (llhttp->status_code == 101) {
		return "it switches protocols unasked";
	}
	if (llhttp->status_code < 100 || llhttp->status_code > 599) {
		return "a status that is none";
	}
	if (lengths > 1) {
		return "two lengths";
	}
	if (lengths && codings) {
		return "both a length and chunks";
	}
	if (codings > 1 || (codings && strcasecmp(header_of(reply, CODING), "chunked") != 0)) {
		return "a Transfer-Encoding other than chunked";
	}
	if (codings && llhttp->http_minor == 0) {
		return "chunks in HTTP/1.0";
	}
	return NULL;
}

static int on_headers_complete(llhttp_t *llhttp)
{
	struct qrt__http_reply *reply = owner(llhttp);
	const char *why = head_check(reply, llhttp);
	if (why) {
		return fail(reply, QRT_EPROTO, why);
	}
	reply->has_length = llhttp->flags & F_CONTENT_LENGTH;
	reply->length = llhttp->content_length;
	if (reply->to_head || !qrt__http_status_has_body(llhttp->status_code)) {
		llhttp->flags |= F_SKIPBODY;
	}
	llhttp->upgrade = 0; /* an offer, of which nobody has asked */
	reply->phase = PHASE_BODY;
	return HPE_PAUSED;
}

/* --- the body ------------------------------------------------------------------------------ */

static int on_body(llhttp_t *llhttp, const char *at, size_t n)
{
	struct qrt__http_reply *reply = owner(llhttp);
	QRT_ASSERT(reply->piece_len == 0);
	reply->piece = at;
	reply->piece_len = n;
	return 0;
}

/* One piece at a time. */
static int on_chunk_complete(llhttp_t *llhttp)
{
	return owner(llhttp)->piece_len > 0 ? HPE_PAUSED : 0;
}

static int on_message_complete(llhttp_t *llhttp)
{
	owner(llhttp)->phase = PHASE_DONE;
	owner(llhttp)->keeps = llhttp_should_keep_alive(llhttp);
	return HPE_PAUSED;
}

static const llhttp_settings_t settings = {
    .on_version_complete = on_version,
    .on_header_field = on_name,
    .on_header_value = on_value,
    .on_header_value_complete = on_value_complete,
    .on_headers_complete = on_headers_complete,
    .on_body = on_body,
    .on_chunk_complete = on_chunk_complete,
    .on_chunk_extension_name = on_framing,
    .on_chunk_extension_value = on_framing,
    .on_message_complete = on_message_complete,
};

/* Gives @n bytes to llhttp; returns how many it took. */
static size_t execute(struct qrt__http_reply *reply, const char *data, size_t n)
{
	llhttp_errno_t error = llhttp_execute(&reply->llhttp, data, n);
	if (error == HPE_OK) {
		return n;
	}
	const char *at = llhttp_get_error_pos(&reply->llhttp);
	if (error == HPE_PAUSED) {
		llhttp_resume(&reply->llhttp);
	} else {
		fail(reply, QRT_EPROTO, refusal(reply, error));
		return n;
	}
	QRT_ASSERT(at >= data);
	QRT_ASSERT(at <= data + n);
	return (size_t)(at - data);
}

/* --- gathering a head ---------------------------------------------------------------------- */

/* One byte of a head; NULL: it may stand there. */
static const char *scan_byte(struct scan *scan, unsigned char c)
{
	if (c == '\n') {
		if (!scan->cr) {
			return "a line that does not end in CR LF";
		}
		if (scan->line_len == 0 && scan->lines == 0) {
			return "an empty line before the answer";
		}
		scan->ended = scan->line_len == 0;
		scan->lines++;
		scan->line_len = 0;
		scan->cr = false;
		return NULL;
	}
	if (scan->cr) {
		return "a bare CR";
	}
	if (c == '\r') {
		scan->cr = true;
		return NULL;
	}
	if (scan->lines > 0 && scan->line_len == 0 && (c == ' ' || c == '\t')) {
		return "a folded header";
	}
	if ((c < ' ' && c != '\t') || c == 0x7f) {
		return "a control character in the head";
	}
	scan->line_len++;
	return NULL;
}

static bool head_keep(struct qrt__http_reply *reply, const char *data, size_t n)
{
	size_t len = reply->head_len + n;
	if (len > reply->head_cap) {
		size_t cap = reply->head_cap ? reply->head_cap : HEAD_FIRST;
		while (cap < len) {
			cap *= 2;
		}
		char *head = qrt__http_arena_grow(&reply->arena, reply->head, reply->head_len, cap);
		if (!head) {
			fail(reply, QRT_ENOMEM, "out of memory");
			return false;
		}
		reply->head = head;
		reply->head_cap = cap;
	}
	memcpy(reply->head + reply->head_len, data, n);
	reply->head_len = len;
	return true;
}

static void head_reset(struct qrt__http_reply *reply)
{
	qrt__http_arena_reset(&reply->arena);
	llhttp_init(&reply->llhttp, HTTP_RESPONSE, &settings);
	reply->llhttp.data = reply;
	reply->phase = PHASE_HEAD;
	reply->scan = (struct scan){0};
	reply->head = NULL;
	reply->head_len = reply->head_cap = 0;
	reply->n_headers = 0;
	reply->name_len = 0;
	reply->value = NULL;
}

/* The lines are there: what they say. */
static enum qrt__http_reply_state head_parse(struct qrt__http_reply *reply)
{
	size_t room = reply->scan.lines; /* one is the status line, one is empty */
	reply->headers = qrt__http_arena_alloc(&reply->arena, room * sizeof(*reply->headers));
	if (!reply->headers) {
		fail(reply, QRT_ENOMEM, "out of memory");
		return QRT__REPLY_FAULT;
	}
	size_t used = execute(reply, reply->head, reply->head_len);
	if (reply->phase == PHASE_HEAD || (reply->phase == PHASE_BODY && used < reply->head_len)) {
		/* Two readers that disagree on where the head ends are one too many. */
		fail(reply, QRT_EPROTO, "a malformed head");
	}
	if (reply->phase == PHASE_FAULT) {
		return QRT__REPLY_FAULT;
	}
	if (reply->llhttp.status_code >= 200) {
		reply->framing_left = reply->head_max;
		return QRT__REPLY_HEAD;
	}
	bool go_on = reply->llhttp.status_code == 100;
	reply->interim_len += reply->head_len;
	head_reset(reply);
	if (++reply->interims > INTERIM_MAX) {
		fail(reply, QRT_ELIMIT, "too many interim answers");
		return QRT__REPLY_FAULT;
	}
	return go_on ? QRT__REPLY_CONTINUE : QRT__REPLY_MORE;
}

static enum qrt__http_reply_state feed_head(struct qrt__http_reply *reply, const char *data,
					    size_t n, size_t *ret_used)
{
	const char *why = NULL;
	size_t at = 0;
	size_t left = reply->head_max - reply->interim_len - reply->head_len;
	while (at < n && at < left && !why && !reply->scan.ended) {
		why = scan_byte(&reply->scan, (unsigned char)data[at]);
		at++;
	}
	*ret_used = at;
	if (why) {
		fail(reply, QRT_EPROTO, why);
	} else if (at < n && at == left && !reply->scan.ended) {
		fail(reply, QRT_ELIMIT, "the head is too long");
	} else if (head_keep(reply, data, at)) {
		return reply->scan.ended ? head_parse(reply) : QRT__REPLY_MORE;
	}
	return QRT__REPLY_FAULT;
}

/* --- feeding ------------------------------------------------------------------------------- */

static enum qrt__http_reply_state state_of(const struct qrt__http_reply *reply)
{
	switch (reply->phase) {
	case PHASE_DONE:
		return QRT__REPLY_DONE;
	case PHASE_FAULT:
		return QRT__REPLY_FAULT;
	default:
		return QRT__REPLY_MORE;
	}
}

static enum qrt__http_reply_state feed_body(struct qrt__http_reply *reply, const char *data,
					    size_t n, size_t *ret_used)
{
	reply->piece_len = 0;
	*ret_used = execute(reply, data, n);
	if (reply->piece_len > 0) {
		return QRT__REPLY_DATA; /* also of what is faulty behind it: next time */
	}
	return state_of(reply);
}

enum qrt__http_reply_state qrt__http_reply_feed(struct qrt__http_reply *reply, const char *data,
						size_t n, size_t *ret_used)
{
	enum qrt__http_reply_state state = state_of(reply);
	size_t at = 0;
	/* An interim answer that is nobody's affair leads on to the next head. */
	while (state == QRT__REPLY_MORE && reply->phase == PHASE_HEAD && at < n) {
		size_t used;
		state = feed_head(reply, data + at, n - at, &used);
		at += used;
	}
	if (state == QRT__REPLY_MORE && reply->phase == PHASE_BODY) {
		state = feed_body(reply, data, n, &at);
	}
	*ret_used = at;
	return state;
}

enum qrt__http_reply_state qrt__http_reply_eof(struct qrt__http_reply *reply)
{
	if (reply->phase == PHASE_BODY && llhttp_finish(&reply->llhttp) != HPE_PAUSED) {
		fail(reply, QRT_ECONNRESET, "it ended before its answer was complete");
	} else if (reply->phase == PHASE_HEAD) {
		fail(reply, QRT_ECONNRESET,
		     qrt__http_reply_started(reply) ? "it ended within the head of its answer"
						    : "it ended without an answer");
	}
	return state_of(reply);
}

/* --- life ---------------------------------------------------------------------------------- */

void qrt__http_reply_reset(struct qrt__http_reply *reply, bool to_head)
{
	head_reset(reply);
	reply->to_head = to_head;
	reply->interim_len = 0;
	reply->interims = 0;
	reply->piece_len = 0;
	reply->keeps = false;
	reply->fault = (struct qrt__http_reply_fault){QRT_OK, ""};
}

enum qrt_err qrt__http_reply_create(size_t head_max, struct qrt__http_reply **ret_reply)
{
	struct qrt__http_reply *reply = calloc(1, sizeof(*reply));
	if (!reply) {
		return QRT_ENOMEM;
	}
	QRT_PRE(head_max < SIZE_MAX / 4);
	reply->head_max = head_max;
	qrt__http_arena_init(&reply->arena);
	qrt__http_reply_reset(reply, false);
	*ret_reply = reply;
	return QRT_OK;
}

void qrt__http_reply_destroy(struct qrt__http_reply **reply)
{
	if (*reply) {
		qrt__http_arena_fini(&(*reply)->arena);
		free(*reply);
		*reply = NULL;
	}
}

/* --- what it has found --------------------------------------------------------------------- */

const char *qrt__http_reply_piece(const struct qrt__http_reply *reply, size_t *ret_n)
{
	*ret_n = reply->piece_len;
	return reply->piece;
}

bool qrt__http_reply_started(const struct qrt__http_reply *reply)
{
	return reply->head_len > 0 || reply->interims > 0;
}

void qrt__http_reply_answer(const struct qrt__http_reply *reply, struct qrt_http_answer *ret_answer)
{
	*ret_answer = (struct qrt_http_answer){.status = reply->llhttp.status_code,
					       .headers = reply->headers,
					       .n_headers = reply->n_headers};
}

bool qrt__http_reply_length(const struct qrt__http_reply *reply, uint64_t *ret_n)
{
	if (reply->has_length) {
		*ret_n = reply->length;
	}
	return reply->has_length;
}

bool qrt__http_reply_keeps(const struct qrt__http_reply *reply)
{
	return reply->phase == PHASE_DONE && reply->keeps;
}

struct qrt__http_reply_fault qrt__http_reply_fault(const struct qrt__http_reply *reply)
{
	return reply->fault;
}
