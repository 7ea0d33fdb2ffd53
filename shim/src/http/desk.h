/*
 * Desks: all that our HTTP server needs to take in a message and to answer it. A connection has one
 * from the first byte of a message until it is quiet again, so that one which is kept open for
 * nothing costs its task, its stream, and no buffer.
 */
#ifndef QRT_HTTP_DESK_H
#define QRT_HTTP_DESK_H

#include "shim/src/http/exchange.h"
#include "shim/src/http/parse.h"
#include "shim/src/internal.h"

#define QRT__HTTP_BUF_BYTES 8192u

struct qrt__http_desk {
	struct qrt__list in_spare;
	struct qrt__http_parser *parser;
	struct qrt_http_response resp;
	struct qrt__http_exchange x;
	bool owes_continue; /* the peer waits for 100 */
	bool reading;	    /* a task reads the body */
	bool close_told;    /* the head of a stream has said that the connection ends */
	size_t from, to;    /* what of buf has not been parsed */
	char buf[QRT__HTTP_BUF_BYTES];
};

/* Of one server. The last one given back is lent first, as it is warm. */
struct qrt__http_desks {
	struct qrt__list spare;
	unsigned n_spare;
	struct qrt__http_limits limits;
};

void qrt__http_desks_init(struct qrt__http_desks *desks, const struct qrt__http_limits *limits);
void qrt__http_desks_fini(struct qrt__http_desks *desks);
/* One without bytes, whose parser has forgotten the last message. Errors: ENOMEM. */
enum qrt_err qrt__http_desk_take(struct qrt__http_desks *desks,
				 struct qrt__http_desk **ret_desk) QRT_MUST_USE;
/* NULL: nothing. */
void qrt__http_desk_give(struct qrt__http_desks *desks, struct qrt__http_desk **desk);

#endif
