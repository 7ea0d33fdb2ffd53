/*
 * Requests and responses as the servers and the router build them. Everything a message hands
 * out lives in the arena of its exchange. It must never know where the bytes come from.
 */
#ifndef QRT_HTTP_MESSAGE_H
#define QRT_HTTP_MESSAGE_H

#include <qrt/http.h>
#include <qrt/http_chain.h>

#include "shim/src/http/arena.h"

#define QRT__HTTP_FIELDS_MAX 256
#define QRT__HTTP_DATE_MAX 48
#define QRT__HTTP_WHOLE_MAX ((size_t)1 << 30) /* what is held in memory at most */

/* A name and a value: header, query parameter or path parameter. In order of arrival. */
struct qrt__http_field {
	struct qrt__http_field *next;
	const char *name, *value;
	size_t name_len, value_len;
};

struct qrt__http_fields {
	struct qrt__http_field *first, *last;
	size_t n;
};

/*
 * How a server moves the bytes of bodies that are streams; http/stream.c has checked what is asked.
 * Called by the handler's task or one below it; suspends.
 */
struct qrt__http_wire {
	/* As qrt_http_read. On ELIMIT and EPROTO the request's fault is set. */
	enum qrt_err (*read)(struct qrt_cx *cx, struct qrt_http_request *req, void *buf, size_t n,
			     size_t *ret_n);
	/* Sends the head of @resp, whose stream is set up. */
	enum qrt_err (*begin)(struct qrt_cx *cx, struct qrt_http_response *resp);
	/* Sends @n > 0 bytes, framed as the stream says. EBUSY: nothing was sent. */
	enum qrt_err (*write)(struct qrt_cx *cx, struct qrt_http_response *resp, const void *data,
			      size_t n);
};

/* Headers that say how a message is to be read. */
enum qrt__http_known {
	QRT__HTTP_HOST,
	QRT__HTTP_EXPECT,
	QRT__HTTP_CONNECTION,
	QRT__HTTP_LENGTH,
	QRT__HTTP_CODING,
	QRT__HTTP_KNOWN,
};

struct qrt_http_request {
	struct qrt__http_arena *arena;
	const struct qrt__http_wire *wire;	  /* NULL: the body is whole */
	void *conn;				  /* the wire's */
	const char *method, *path, *peer, *route; /* never NULL */
	struct qrt__http_fields headers, query, params;
	const char *known[QRT__HTTP_KNOWN]; /* the last value of each, or NULL */
	bool twice[QRT__HTTP_KNOWN];
	const char *body; /* never NULL, NUL-terminated */
	size_t body_len, body_read;
	int64_t declared; /* as qrt_http_body_declared */
	int fault;	  /* of a body that is a stream: the status it earns, or 0 */
	const char *fault_why;
	void *app, *local;
	int minor;	      /* HTTP/1.x */
	bool keep_alive;      /* the peer wants to go on */
	bool expect_continue; /* the peer waits for 100 before it sends the body */
};

/* Where the body of a response ends. */
enum qrt__http_framing {
	QRT__HTTP_WHOLE,      /* it is not a stream */
	QRT__HTTP_BY_LENGTH,  /* after so many bytes */
	QRT__HTTP_BY_CHUNKS,  /* with the last chunk */
	QRT__HTTP_BY_CLOSE,   /* with the connection */
	QRT__HTTP_BY_NOTHING, /* it has none: what is written is dropped */
};

struct qrt__http_stream {
	enum qrt__http_framing framing;
	int64_t length, left; /* declared, not yet written; length QRT_HTTP_UNKNOWN_LENGTH: none */
	bool broken;	      /* a part of something was sent, or nothing can be */
	bool busy;	      /* a task is in a write */
};

struct qrt_http_response {
	struct qrt__http_arena *arena;
	const struct qrt__http_wire *wire;
	void *conn;			    /* the wire's */
	const struct qrt_http_request *req; /* NULL: none was understood */
	struct qrt__http_stream stream;
	int status;
	struct qrt__http_fields headers;
	const char *body; /* never NULL */
	size_t body_len;
};

/* How a response head is to be written; what frames the body is the response's affair. */
struct qrt__http_head {
	bool close;	  /* the connection ends after this response */
	bool http10;	  /* the request was HTTP/1.0 */
	const char *date; /* value of Date; NULL: none */
};

/* --- request --- */
void qrt__http_request_init(struct qrt_http_request *req, struct qrt__http_arena *arena);
/* The same for texts of so many bytes that have been looked at, byte by byte. */
enum qrt_err qrt__http_request_take_header(struct qrt_http_request *req, const char *name,
					   size_t name_len, const char *value,
					   size_t value_len) QRT_MUST_USE;
/* EINVAL: not a header name or value. ELIMIT: too many. ENOMEM. Both texts are the arena's. */
enum qrt_err qrt__http_request_add_header(struct qrt_http_request *req, const char *name,
					  const char *value) QRT_MUST_USE;
/* Splits and decodes the target of the request line. EINVAL: malformed. ELIMIT, ENOMEM. */
enum qrt_err qrt__http_request_set_target(struct qrt_http_request *req,
					  const char *target) QRT_MUST_USE;
/*
 * What the whole head must satisfy beyond its grammar; also sets keep_alive and
 * expect_continue. Returns 0, or the status to answer and why in *ret_why (static).
 */
int qrt__http_request_check(struct qrt_http_request *req, const char **ret_why);
enum qrt_err qrt__http_request_add_param(struct qrt_http_request *req, const char *name,
					 const char *value) QRT_MUST_USE;

/* --- response --- */
/* @req: what it answers; NULL only in tests. */
void qrt__http_response_init(struct qrt_http_response *resp, struct qrt__http_arena *arena,
			     const struct qrt_http_request *req);
/* Whether a response with this status may have a body at all. */
bool qrt__http_status_has_body(int status);
/* Whether bytes of a body follow the head: not to HEAD either. */
bool qrt__http_response_has_body(const struct qrt_http_response *resp);
/* Whether the head has been sent, by qrt_http_stream_begin. */
static inline bool qrt__http_response_begun(const struct qrt_http_response *resp)
{
	return resp->stream.framing != QRT__HTTP_WHOLE;
}
/* What a read of a body with this fault says. */
enum qrt_err qrt__http_fault_err(int status);
/* Whether a stream has come to its end as it was framed. */
bool qrt__http_stream_complete(const struct qrt__http_stream *stream);
/* Whether the handler asked for `Connection: close`. */
bool qrt__http_response_closes(const struct qrt_http_response *resp);
/* The status line and headers as bytes of the arena. ENOMEM. */
enum qrt_err qrt__http_response_head(const struct qrt_http_response *resp,
				     const struct qrt__http_head *how, const char **ret_text,
				     size_t *ret_len) QRT_MUST_USE;
/* "Sun, 06 Nov 1994 08:49:37 GMT" into @buf of QRT__HTTP_DATE_MAX bytes. */
void qrt__http_date(int64_t wall_ms, char *buf);

/* --- routes behind a chain: http/router.c, http/chain.c --- */
/* As qrt_http_route_add; what the route reaches is the chain of @group. */
enum qrt_err qrt__http_route_add_in(struct qrt_http_router *router,
				    const struct qrt_http_group *group,
				    const struct qrt_http_route *route) QRT_MUST_USE;
enum qrt_err qrt__http_group_run(const struct qrt_http_group *group,
				 const struct qrt_http_route *route, struct qrt_cx *cx,
				 struct qrt_http_request *req,
				 struct qrt_http_response *resp) QRT_MUST_USE;

/* --- grammar --- */
bool qrt__http_name_valid(const char *name);
bool qrt__http_value_valid(const char *value);
/* Whether the comma separated list @value holds @token, any case. */
bool qrt__http_list_has(const char *value, const char *token);

#endif
