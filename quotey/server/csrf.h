/*
 * Against requests that somebody else's page makes a browser send. A form carries a value that is
 * bound to the cookie or the link it belongs to, so that only a page of ours can know it; and what
 * comes from a foreign origin is refused in any case. A JSON call with a bearer key needs neither:
 * no page can make a browser add one.
 */
#ifndef QY_SERVER_CSRF_H
#define QY_SERVER_CSRF_H

#include <qrt/digest.h>
#include <qrt/http_chain.h>

#define QY_CSRF_KEY_SIZE QRT_SHA256_SIZE
#define QY_CSRF_SIZE 33
/* A longer Host names nobody. */
#define QY_HOST_HEADER_MAX 255

/* The binding of a form: exactly one is set. The arg of the link. */
struct qy_csrf_rule {
	const char *cookie; /* its name */
	const char *param;  /* of the path: a link's token */
};

/* For who writes a form: what its field "csrf" must hold. @bound: the cookie's or link's value. */
void qy_csrf_value(const uint8_t key[QY_CSRF_KEY_SIZE], const struct qy_csrf_rule *rule,
		   const char *bound, char ret_value[QY_CSRF_SIZE]);

/* The link: lets through, or answers 403. Its app is the struct qy_server. */
qrt_http_link_fn qy_link_csrf;

/* --- its parts; pure --- */
/* Whether a page of @origin is ours: that of @public_url if there is one, else what @host names. */
bool qy_origin_is_own(const char *origin, const char *host, const char *public_url);
/* A field of an application/x-www-form-urlencoded body; the first. False: none, or longer. */
bool qy_form_value(const char *body, size_t n, const char *name, char *ret_value, size_t size);
/* One of the cookies in a Cookie header. False: none, or longer. */
bool qy_cookie_value(const char *header, const char *name, char *ret_value, size_t size);

#endif
