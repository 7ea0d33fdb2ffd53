/*
 * The bodies of POST /runtime/set, /runtime/rollback and /runtime/kill. Pure.
 */
#ifndef QY_SERVER_MOVE_REQUEST_H
#define QY_SERVER_MOVE_REQUEST_H

#include <qrt/switchboard.h>

#include "quotey/server/error_body.h"

struct qy_move_request {
	char component[32]; /* "": all that moved (rollback only) */
	char backend[16];   /* of set; "" for rollback */
	char actor[64];	    /* "user:operator" when not given */
	char reason[128];
	bool is_clear; /* of a kill */
};

/*
 * Reads {"component", "backend", "reason", "actor"}, the last two optional; for a rollback
 * (@with_backend false) there is no backend, and the component is optional, too. An empty text
 * counts as {} for a rollback. False: *error is 400 or 422 and says why.
 */
bool qy_move_request_read(const char *text, size_t length, bool with_backend,
			  struct qy_move_request *ret_request, struct qy_error *error) QRT_MUST_USE;

/* Reads {"clear", "reason", "actor"} of POST /runtime/kill, all optional; an empty text is {}. */
bool qy_kill_request_read(const char *text, size_t length, struct qy_move_request *ret_request,
			  struct qy_error *error) QRT_MUST_USE;

/*
 * The status that answers a move: 4xx when it could not begin as it was asked for, or had no right
 * to; what failed once it had begun is no fault of the request's: 503.
 */
int qy_move_status(const struct qrt_move *move);

#endif
