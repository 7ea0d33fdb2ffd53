/*
 * HTTP/1.1 client: a pool of kept connections, and calls, each one request
 * and its answer. Over streams, so the same on every backend.
 *
 *	const struct qrt_http_ask ask = {.method = "POST", .url = url, .body = text, .body_len = n};
 *	struct qrt_http_call *call;
 *	struct qrt_http_answer answer;
 *	enum qrt_err err = qrt_http_fetch(cx, client, &ask, &call, &answer);
 *	if (!err) {
 *		err = answer.status == 200 ? take(answer.body, answer.body_len) : QRT_EFAILED;
 *		qrt_http_call_end(cx, &call);
 *	}
 *
 * A client and its connections are duties (qrt/ledger.h) of the region in which it was opened, a
 * call is one of its caller's: either region ends them if nobody else does, and names the site.
 * Handles are checked: one that was closed is ESTALE, one of another runtime EINVAL. Clients may
 * be used by any task of their runtime, a call by one at a time. What suspends needs NET.
 *
 * How a call fails, beside what each function names:
 *
 *	EINVAL		the request; the detail says which part of it and where
 *	ENOTSUP		https with a client that has no TLS
 *	ECLOSED		the client is closed, or was meanwhile
 *	ENOENT, EAGAIN	there is no such host; its name server does not answer right now
 *	ECONNREFUSED	nobody listens there
 *	EPEER		it let one of the client's own times pass; the report says in what phase
 *	ECONNRESET	the connection was lost, or ended before the answer was complete
 *	EPROTO		the answer is no proper HTTP, a redirect leads nowhere, TLS or the
 *			certificate is refused; the detail says why
 *	ELIMIT		the answer is longer than was allowed; too many redirects
 *	EBUSY		too many name lookups; EIO, EMFILE, ENOMEM
 *	ECANCELED	the caller's own cancel; ETIMEDOUT: its own deadline
 *
 * Retries are the caller's: the report says whether anything of the request was sent. One case is
 * not told: a kept connection that the server has closed meanwhile. When that shows before
 * anything of the request was sent, or the request is idempotent and nothing was answered, the
 * request is sent again, once, on a connection of its own.
 *
 * A cancelled or failed call closes its connection: one is kept for others only if the answer was
 * read to its end, neither side has asked to close it, and nothing came behind the answer. It is
 * looked at before it is used again: one that has ended, or on which the server has spoken
 * unasked, is closed. No cookies, no proxies, no compression.
 */
#ifndef QRT_HTTP_CLIENT_H
#define QRT_HTTP_CLIENT_H

#include <qrt/region.h>

#ifdef __cplusplus
extern "C" {
#endif

struct qrt_http_client;
struct qrt_http_call;
struct qrt_tls;

enum {
	QRT_HTTP_URL_MAX = 4096,	   /* bytes of a URL */
	QRT_HTTP_METHOD_MAX = 32,	   /* bytes of a method */
	QRT_HTTP_ASK_HEADERS_MAX = 64,	   /* headers of the application's own */
	QRT_HTTP_ASK_HEAD_MAX = 64 * 1024, /* bytes of all of them */
	QRT_HTTP_REDIRECTS_MAX = 20,
	QRT_HTTP_HOST_SIZE = 254, /* of a host name, with its NUL */
};
/* The length of a body that is not known before it ends: it is sent in chunks. */
#define QRT_HTTP_CHUNKED SIZE_MAX
/* No limit of a body that is held in memory may be higher. */
#define QRT_HTTP_BODY_MAX ((size_t)1 << 30)

struct qrt_http_header {
	const char *name, *value;
};

/* --- URLs ----------------------------------------------------------------------------------- */

/* Where a URL leads; for callers who check hosts before they ask. */
struct qrt_http_url {
	bool secure;		       /* https */
	bool literal;		       /* host is a numeric address */
	uint16_t port;		       /* 80 or 443 when the URL has none */
	char host[QRT_HTTP_HOST_SIZE]; /* a name in lower case, or an address without brackets */
	char target[QRT_HTTP_URL_MAX + 2]; /* path and query; begins with '/' */
};
/*
 * Reads @text: http or https, a host, maybe a port, a path, a query; no user, no fragment, nothing
 * that would have to be percent-encoded. A host that ends in a number must be an IPv4 address in
 * its usual form, for the system's resolver takes others. Does not suspend. Errors: EINVAL (the
 * detail says at which byte).
 */
QRT_API enum qrt_err qrt_http_url_parse(struct qrt_cx *cx, const char *text,
					struct qrt_http_url *ret_url) QRT_MUST_USE;

/* --- clients -------------------------------------------------------------------------------- */

/* Zeros are defaults. */
struct qrt_http_client_options {
	size_t connections_max;	       /* in total, also those being made; 0: 64 */
	size_t connections_per_origin; /* scheme, host and port; 0: 8 */
	size_t idle_max;	       /* kept while nobody uses them; 0: 16 */
	bool no_keep_alive;	       /* a connection per call */
	unsigned calls_per_connection; /* then it is closed; 0: 1000 */
	int64_t idle_ns;	       /* so long is one kept; 0: 30 s */
	/* Times given to the server, beside cx's deadline. Passed ones are EPEER. */
	int64_t connect_ns; /* look up, connect and shake hands, in all; 0: 10 s */
	int64_t attempt_ns; /* one address of several, then the next is tried; 0: 3 s */
	int64_t head_ns; /* from the request's last byte to the end of the answer's head; 0: 30 s */
	int64_t silence_ns;  /* in which nothing of a body moves, either way; 0: 30 s */
	int64_t expect_ns;   /* for the word to go on (expect_continue); then it goes on; 0: 1 s */
	size_t head_max;     /* bytes of an answer's head, trailers and the like; 0: 64 KiB */
	size_t body_max;     /* bytes of a body fetched whole; 0: 2 MiB */
	struct qrt_tls *tls; /* of qrt_tls_client_create, for https; counted. NULL: http only */
};

/*
 * Opens a client; nothing is connected yet. @opts is copied; NULL: all defaults. Does not suspend.
 * Errors: EINVAL (a limit or time out of range), ENOMEM, ELIMIT (cx's region), ETHREAD.
 */
#define qrt_http_client_open(cx, opts, ret_client)                                                 \
	qrt_http_client_open_at((cx), (opts), QRT_SITE, (ret_client))
QRT_API enum qrt_err qrt_http_client_open_at(struct qrt_cx *cx,
					     const struct qrt_http_client_options *opts,
					     const char *site,
					     struct qrt_http_client **ret_client) QRT_MUST_USE;
/*
 * From now on nothing new is begun (ECLOSED); what was begun goes on, also what waits for a
 * connection. Suspends until all of it has ended. ETIMEDOUT at cx's deadline: some has not.
 * Errors: ESTALE, EINVAL, ECLOSED (closed meanwhile).
 */
QRT_API enum qrt_err qrt_http_client_drain(struct qrt_cx *cx,
					   struct qrt_http_client *client) QRT_MUST_USE;
/*
 * Closes every connection; calls under way get ECLOSED. After a drain there are none. Sets *@client
 * to NULL; NULL-safe, also for a stale one. Does not suspend.
 */
QRT_API void qrt_http_client_close(struct qrt_cx *cx, struct qrt_http_client **client);

struct qrt_http_client_stats {
	size_t connections, idle;  /* now; the first has those being made too */
	size_t calls, waiting;	   /* under way now; of those, for a connection */
	uint64_t opened, reused;   /* connections that were made; calls on one that was kept */
	uint64_t spoiled;	   /* kept ones found ended, or to have spoken unasked */
	uint64_t resent;	   /* requests sent again on a connection of their own */
	uint64_t expired, evicted; /* kept ones closed: after idle_ns, to make room */
};
/* Does not suspend. Errors: ESTALE, EINVAL. */
QRT_API enum qrt_err qrt_http_client_stats(struct qrt_cx *cx, struct qrt_http_client *client,
					   struct qrt_http_client_stats *ret_stats) QRT_MUST_USE;

/* --- what is asked and answered ------------------------------------------------------------- */

/* How far a call has come. */
#define QRT_HTTP_PHASES(X)                                                                         \
	X(QRT_HTTP_IN_LINE, "waiting for a connection")                                            \
	X(QRT_HTTP_LOOKUP, "looking up the host")                                                  \
	X(QRT_HTTP_CONNECT, "connecting")                                                          \
	X(QRT_HTTP_HANDSHAKE, "shaking hands")                                                     \
	X(QRT_HTTP_SEND, "sending the request")                                                    \
	X(QRT_HTTP_HEAD, "waiting for the answer")                                                 \
	X(QRT_HTTP_BODY, "reading the answer")                                                     \
	X(QRT_HTTP_DONE, "done")

enum qrt_http_phase {
#define QRT__HTTP_PHASE_ENUM(name, text) name,
	QRT_HTTP_PHASES(QRT__HTTP_PHASE_ENUM)
#undef QRT__HTTP_PHASE_ENUM
	    QRT__HTTP_PHASES
};
/* "connecting". Never NULL, static. */
QRT_API const char *qrt_http_phase_text(enum qrt_http_phase phase);

/* What became of a call, also of one that failed. */
struct qrt_http_report {
	enum qrt_http_phase phase;
	bool sent;	    /* false: the server has got nothing of it, asking again is safe.
			       true: the server may have acted on it */
	bool answered;	    /* a byte of an answer has come */
	bool reused;	    /* it went over a kept connection */
	bool resent;	    /* a kept connection had ended: it was sent again on a new one */
	unsigned redirects; /* followed */
};

/*
 * Fills @buf with the next 1 to @n bytes of a body; EEOF after the last, any other error ends the
 * call with it. May suspend.
 */
typedef enum qrt_err qrt_http_body_fn(struct qrt_cx *cx, void *arg, void *buf, size_t n,
				      size_t *ret_n);

/*
 * A request. What it points to stays the caller's and is in use until the answer has come. Host,
 * the framing of the body, Connection, and `Accept-Encoding: identity` if there is none, are added;
 * headers of the application's own must not be among Host, Connection, Content-Length,
 * Transfer-Encoding, Expect, TE, Trailer, Upgrade, Keep-Alive, Proxy-Connection, nor hold a
 * control character.
 */
struct qrt_http_ask {
	const char *method; /* NULL: GET */
	const char *url;
	const struct qrt_http_header *headers;
	size_t n_headers;
	/* The body: in memory, from a function, or by qrt_http_call_write. At most one of the
	 * three. */
	const void *body;
	size_t body_len; /* of all three; QRT_HTTP_CHUNKED: not known, for the latter two */
	qrt_http_body_fn *body_fn;
	void *body_arg;
	bool body_written;    /* by qrt_http_call_write; not with qrt_http_fetch */
	bool expect_continue; /* the body is sent when the server says so, or after expect_ns */
	/*
	 * 0: an answer that redirects is one like others. Else so many are followed, with GET after
	 * 303, and after 301 and 302 for POST; to another origin without Authorization, Cookie and
	 * Proxy-Authorization; from https to http never (EPROTO). After 307 and 308 a body is sent
	 * again only if it is in memory, otherwise the redirect is the answer.
	 */
	unsigned redirects_max;
	size_t body_max; /* of the answer; 0: the client's, or any for a streamed one */
	struct qrt_http_report *report; /* kept up to date until the call has ended; or NULL */
};

/* The head of an answer, and of one that was fetched its body. Valid until the call is ended. */
struct qrt_http_answer {
	int status;			       /* 200 to 599 */
	const struct qrt_http_header *headers; /* in order of arrival */
	size_t n_headers;
	const char *body; /* fetched: never NULL, @body_len bytes and a NUL; streamed: NULL */
	size_t body_len;
};
/* The first of that name, any case; NULL when absent. */
QRT_API const char *qrt_http_answer_header(const struct qrt_http_answer *answer, const char *name);
/*
 * How long its Retry-After asks to wait, from @wall_ms (qrt_wall_ms) on, in seconds: in either of
 * its forms, 0 for a time that has passed. Errors: ENOENT (it has none), EPROTO (it is malformed).
 */
QRT_API enum qrt_err qrt_http_retry_after(const struct qrt_http_answer *answer, int64_t wall_ms,
					  int64_t *ret_secs) QRT_MUST_USE;

/* --- calls ---------------------------------------------------------------------------------- */

/*
 * Sends @ask and reads the whole answer. The call only holds the answer then, no connection; it is
 * the caller's, until qrt_http_call_end. Suspends. Errors: those of the head of this file, ESTALE,
 * body_fn's.
 */
#define qrt_http_fetch(cx, client, ask, ret_call, ret_answer)                                      \
	qrt_http_fetch_at((cx), (client), (ask), QRT_SITE, (ret_call), (ret_answer))
QRT_API enum qrt_err qrt_http_fetch_at(struct qrt_cx *cx, struct qrt_http_client *client,
				       const struct qrt_http_ask *ask, const char *site,
				       struct qrt_http_call **ret_call,
				       struct qrt_http_answer *ret_answer) QRT_MUST_USE;

/*
 * The same in steps: begin, write the body if it is written, wait for the answer, read its body up
 * to EEOF, end. A step that failed has ended the call but for its end: the others then say ESTATE.
 *
 * Begin waits for a connection, in line, and sends the head, and a body that is in memory or comes
 * from a function.
 */
#define qrt_http_call_begin(cx, client, ask, ret_call)                                             \
	qrt_http_call_begin_at((cx), (client), (ask), QRT_SITE, (ret_call))
QRT_API enum qrt_err qrt_http_call_begin_at(struct qrt_cx *cx, struct qrt_http_client *client,
					    const struct qrt_http_ask *ask, const char *site,
					    struct qrt_http_call **ret_call) QRT_MUST_USE;
/*
 * Sends @n more bytes of the body. A slow server stops its caller: nothing is queued. When the
 * server has answered before the end, the rest is not sent: EEOF, and qrt_http_call_answer has the
 * answer. Suspends. Errors also: EINVAL (more than body_len), ESTATE (it is not written, or the
 * answer has been asked for).
 */
QRT_API enum qrt_err qrt_http_call_write(struct qrt_cx *cx, struct qrt_http_call *call,
					 const void *data, size_t n) QRT_MUST_USE;
/*
 * Ends the body and waits for the head of the answer. Suspends. Errors also: EINVAL (less than
 * body_len was written), ESTATE (it has been asked for).
 */
QRT_API enum qrt_err qrt_http_call_answer(struct qrt_cx *cx, struct qrt_http_call *call,
					  struct qrt_http_answer *ret_answer) QRT_MUST_USE;
/*
 * The next 1 to @n bytes of the answer's body. EEOF: it is complete; only then. What is not read
 * is not fetched: of a body on its way no more than 16 KiB is held here. Suspends. Errors also:
 * ESTATE (there is no answer yet), ELIMIT (beyond body_max).
 */
QRT_API enum qrt_err qrt_http_call_read(struct qrt_cx *cx, struct qrt_http_call *call, void *buf,
					size_t n, size_t *ret_n) QRT_MUST_USE;
/*
 * Frees the answer; closes the connection if the answer was not read to its end. Sets *@call to
 * NULL; NULL-safe, also for a stale one. Does not suspend.
 */
QRT_API void qrt_http_call_end(struct qrt_cx *cx, struct qrt_http_call **call);

#ifdef __cplusplus
}
#endif
#endif
