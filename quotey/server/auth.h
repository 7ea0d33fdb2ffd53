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
 * Links of a group whose requests have an exchange. qy_link_key fills exchange->key and ->origin or
 * answers 401, qy_link_rate answers 429 or 503, qy_link_scope 403; it also notes the time of use
 * where the rule says so, at most once a minute. All suspend.
 */
qrt_http_link_fn qy_link_key;
qrt_http_link_fn qy_link_rate;
qrt_http_link_fn qy_link_scope;

#endif
