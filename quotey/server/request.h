/*
 * What a request says beside its route: body, quote id, numbers and filters of the query, If-Match.
 *
 * Each returns true with the value, or false with exchange->error set.
 */
#ifndef QY_SERVER_REQUEST_H
#define QY_SERVER_REQUEST_H

#include "quotey/server/exchange.h"

/* The body as an object in exchange->body. 415, 400, 422. */
bool qy_request_body(struct qy_exchange *exchange) QRT_MUST_USE;
/* That there is no body, or an object without members. */
bool qy_request_no_body(struct qy_exchange *exchange) QRT_MUST_USE;
/* The path's {id} in its stored form. 400. */
bool qy_request_quote_id(struct qy_exchange *exchange, char ret_id[QY_QUOTE_ID_SIZE]) QRT_MUST_USE;
/* The state version in If-Match; 0 when there is none or it is "*". 400. */
bool qy_request_if_match(struct qy_exchange *exchange, unsigned *ret_version) QRT_MUST_USE;
/* The filters and the page of a list. 400. */
bool qy_request_filter(struct qy_exchange *exchange,
		       struct qy_quote_filter *ret_filter) QRT_MUST_USE;

/* Whether a Content-Type is JSON in UTF-8. Pure; NULL is not. */
bool qy_media_type_is_json(const char *value);
/* The number in an entity tag ("3", W/"3" or 3); 0 for anything else. Pure. */
unsigned qy_entity_tag_version(const char *value);

#endif
