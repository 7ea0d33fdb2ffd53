/*
 * Who asks, and whether he may: bearer API keys, their rate, their scopes. In this order, because
 * a key that is not known has neither. Must never log or answer a key or a part of its secret.
 */
#ifndef QY_SERVER_AUTH_H
#define QY_SERVER_AUTH_H

#include "quotey/server/exchange.h"

/*
 * The key in an Authorization header ("Bearer qk_<8 hex>_<64 hex>"; the scheme in any case). Pure.
 * Error: INVALID_FIELD, also for NULL.
 */
enum qy_code qy_auth_bearer(const char *header, char ret_id[QY_APIKEY_ID_SIZE],
			    char ret_secret[QY_APIKEY_SECRET_SIZE]) QY_MUST_USE;

/*
 * Whether @secret opens the stored @key at @now: false sets a 401 that says why. Pure. @key NULL:
 * there is no such key; takes as long as a wrong secret.
 */
bool qy_auth_judge(const struct qy_apikey *key, const char secret[QY_APIKEY_SECRET_SIZE],
		   const char *now, struct qy_error *error) QY_MUST_USE;

/*
 * Fills exchange->key and ->origin, or answers 401, 403, 429 or 503. *ret_allowed tells which;
 * the result is what the handler returns when it is false. @touch: note the time of use, at most
 * once a minute. Suspends.
 */
enum qrt_err qy_auth(struct qy_exchange *exchange, enum qy_scope scope, bool touch,
		     bool *ret_allowed) QRT_MUST_USE;

#endif
