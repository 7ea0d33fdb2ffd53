/* The csrf value, where it is looked for, and whose page a request comes from. */
#include "quotey/server/csrf.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "quotey/server/answer.h"
#include "quotey/server/denied.h"
#include "quotey/server/middleware.h"
#include "quotey/server/request.h"

#define BOUND_SIZE 512

/* --- the value ----------------------------------------------------------------------------- */

void qy_csrf_value(const uint8_t key[QY_CSRF_KEY_SIZE], const struct qy_csrf_rule *rule,
		   const char *bound, char ret_value[QY_CSRF_SIZE])
{
	static const char digits[] = "0123456789abcdef";
	uint8_t mac[QRT_SHA256_SIZE];
	char text[BOUND_SIZE + 64];
	size_t i;

	/* The kind is part of it: the value of a link is none for a cookie of the same text. */
	snprintf(text, sizeof(text), "csrf:%s:%s", rule->cookie ? rule->cookie : "link", bound);
	qrt_hmac_sha256(key, QY_CSRF_KEY_SIZE, text, strlen(text), mac);
	for (i = 0; i < (QY_CSRF_SIZE - 1) / 2; i++) {
		ret_value[2 * i] = digits[mac[i] >> 4];
		ret_value[2 * i + 1] = digits[mac[i] & 15];
	}
	ret_value[QY_CSRF_SIZE - 1] = '\0';
}

/* --- where it stands ----------------------------------------------------------------------- */

bool qy_form_value(const char *body, size_t n, const char *name, char *ret_value, size_t size)
{
	const char *end = body + n;
	size_t name_len = strlen(name);

	while (body < end) {
		const char *next = memchr(body, '&', (size_t)(end - body));
		size_t len = (size_t)((next != NULL ? next : end) - body);

		if (len > name_len && memcmp(body, name, name_len) == 0 && body[name_len] == '=') {
			return !qrt_http_decode(body + name_len + 1, len - name_len - 1, true,
						ret_value, size);
		}
		body += len + 1;
	}
	return false;
}

bool qy_cookie_value(const char *header, const char *name, char *ret_value, size_t size)
{
	size_t name_len = strlen(name);

	while (header != NULL && *header != '\0') {
		size_t len;

		header += strspn(header, "; ");
		len = strcspn(header, ";");
		if (len > name_len && memcmp(header, name, name_len) == 0 &&
		    header[name_len] == '=') {
			len -= name_len + 1;
			if (len == 0 || len >= size) {
				return false;
			}
			memcpy(ret_value, header + name_len + 1, len);
			ret_value[len] = '\0';
			return true;
		}
		header += len;
	}
	return false;
}

/* --- whose page ---------------------------------------------------------------------------- */

/* The authority of a URL, and its length without the port that the scheme has anyway. */
static const char *authority_of(const char *url, size_t *ret_len)
{
	const char *start = strstr(url, "://");
	const char *port = NULL;
	size_t n;

	if (start == NULL) {
		return NULL;
	}
	start += 3;
	n = strcspn(start, "/?#");
	if (strncasecmp(url, "http://", 7) == 0 && n > 3) {
		port = strncmp(start + n - 3, ":80", 3) == 0 ? ":80" : NULL;
	} else if (strncasecmp(url, "https://", 8) == 0 && n > 4) {
		port = strncmp(start + n - 4, ":443", 4) == 0 ? ":443" : NULL;
	}
	*ret_len = n - (port != NULL ? strlen(port) : 0);
	return start;
}

static bool same(const char *a, size_t a_len, const char *b, size_t b_len)
{
	return a_len == b_len && a_len > 0 && strncasecmp(a, b, a_len) == 0;
}

bool qy_origin_is_own(const char *origin, const char *host, const char *public_url)
{
	size_t origin_len = 0, own_len = 0, scheme_len;
	const char *authority = authority_of(origin, &origin_len), *own;
	char url[QY_HOST_HEADER_MAX + 16];

	if (authority == NULL) {
		return false; /* "null", or nothing that a browser sends */
	}
	scheme_len = (size_t)(authority - origin);
	if (public_url != NULL && public_url[0] != '\0') {
		own = authority_of(public_url, &own_len);
		return own != NULL &&
		       same(origin, scheme_len, public_url, (size_t)(own - public_url)) &&
		       same(authority, origin_len, own, own_len);
	}
	if (host == NULL || strlen(host) > QY_HOST_HEADER_MAX) {
		return false;
	}
	/* Whether a proxy in front speaks TLS is not known here: the origin's own scheme will do.
	 */
	snprintf(url, sizeof(url), "%.*s%s", scheme_len < 10 ? (int)scheme_len : 0, origin, host);
	own = authority_of(url, &own_len);
	return own != NULL && same(authority, origin_len, own, own_len);
}

/* --- the link ------------------------------------------------------------------------------ */

static bool is_safe(const char *method)
{
	return strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0 ||
	       strcmp(method, "OPTIONS") == 0;
}

static bool is_bearer_json(const struct qrt_http_request *req)
{
	const char *authorization = qrt_http_header(req, "Authorization");

	return authorization != NULL && strncasecmp(authorization, "Bearer ", 7) == 0 &&
	       qy_media_type_is_json(qrt_http_header(req, "Content-Type"));
}

static bool value_is_right(const struct qy_server *server, const struct qrt_http_request *req,
			   const struct qy_csrf_rule *rule)
{
	char bound[BOUND_SIZE], offered[QY_CSRF_SIZE] = "", wanted[QY_CSRF_SIZE];
	const char *param = rule->param != NULL ? qrt_http_param(req, rule->param) : NULL;
	size_t n = 0;
	const char *body = qrt_http_body(req, &n);

	if (rule->cookie != NULL) {
		if (!qy_cookie_value(qrt_http_header(req, "Cookie"), rule->cookie, bound,
				     sizeof(bound))) {
			return false;
		}
	} else if (param == NULL || strlen(param) >= sizeof(bound)) {
		return false;
	} else {
		memcpy(bound, param, strlen(param) + 1);
	}
	if (!qy_form_value(body, n, "csrf", offered, sizeof(offered))) {
		return false;
	}
	qy_csrf_value(server->env->csrf_key, rule, bound, wanted);
	return qrt_equal_ct(offered, wanted, QY_CSRF_SIZE);
}

static enum qrt_err refuse(struct qrt_cx *cx, const struct qrt_http_request *req,
			   struct qrt_http_response *resp, const char *code, const char *text)
{
	struct qy_error error;

	qy_denied(cx, req, code, "");
	qy_error_set(&error, 403, code, "%s", text);
	return qy_answer_write_error(resp, &error);
}

enum qrt_err qy_link_csrf(struct qrt_cx *cx, struct qrt_http_request *req,
			  struct qrt_http_response *resp, struct qrt_http_walk *walk)
{
	const struct qy_csrf_rule *rule = walk->arg;
	const struct qy_server *server = qrt_http_app(req);
	const char *origin = qrt_http_header(req, "Origin");

	if (is_safe(qrt_http_method(req)) || is_bearer_json(req)) {
		return qrt_http_next(cx, req, resp, walk);
	}
	if (origin != NULL &&
	    !qy_origin_is_own(origin, qrt_http_header(req, "Host"), server->env->public_url)) {
		return refuse(cx, req, resp, "FOREIGN_ORIGIN",
			      "The request comes from a foreign page.");
	}
	if (!value_is_right(server, req, rule)) {
		return refuse(cx, req, resp, "CSRF",
			      "The form is out of date; load its page again.");
	}
	return qrt_http_next(cx, req, resp, walk);
}
