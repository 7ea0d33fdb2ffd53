/*
 * What stands around handlers, behind real servers on each backend: containment, capabilities,
 * deadlines, rates that outlive a move, csrf, and whom a request is
 * taken to come from. The pure parts are asked directly.
 */
#include "tests/lib/test.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "quotey/server/csrf.h"
#include "quotey/server/routes.h"
#include "tests/lib/stand.h"

#define FORM "Content-Type: application/x-www-form-urlencoded\r\n"
#define OWN "Origin: http://quotey.test\r\n"

/* --- routes of the test --------------------------------------------------------------------- */

static enum qrt_err panics(struct qrt_cx *cx, struct qrt_http_request *req,
			   struct qrt_http_response *resp)
{
	(void)req;
	(void)resp;
	qrt_panic(cx, "the handler qk_01234567_secret broke");
}

static enum qrt_err sleeps(struct qrt_cx *cx, struct qrt_http_request *req,
			   struct qrt_http_response *resp)
{
	(void)req;
	(void)resp;
	return qrt_sleep(cx, 20 * QRT_SEC);
}

/* 200 when it can do what its limits say, and nothing else. */
static enum qrt_err tries(struct qrt_cx *cx, struct qrt_http_request *req,
			  struct qrt_http_response *resp)
{
	struct qrt_stream *stream = NULL;
	int64_t now_ns;
	uint8_t byte;

	(void)req;
	if (qrt_now(cx, &now_ns) != QRT_OK || qrt_random(cx, &byte, 1) != QRT_ENOTCAPABLE ||
	    qrt_connect(cx, "127.0.0.1", 1, &stream) != QRT_ENOTCAPABLE) {
		qrt_http_set_status(resp, 418);
	}
	return QRT_OK;
}

static enum qrt_err says_client(struct qrt_cx *cx, struct qrt_http_request *req,
				struct qrt_http_response *resp)
{
	const struct qy_server *server = qrt_http_app(req);
	const char *client = qy_visit_of(req)->client;

	qrt_log(server->env->log, cx, QRT_LOG_INFO, "server", "said");
	return qrt_http_set_body(resp, client, strlen(client));
}

static const struct qy_route_rule free_rule = {.limits = {QRT_CAP_ALL, 0}};
static const struct qy_route_rule less_rule = {.limits = {QRT_CAP_TIME, 0}};
static const struct qy_route_rule late_rule = {.limits = {QRT_CAP_TIME, 30 * QRT_MS}};
static const struct qy_route_rule timed_rule = {.limits = {QRT_CAP_TIME, 10 * QRT_SEC}};
static const struct qrt_http_link links[] = {{qy_link_narrow, NULL}, {NULL, NULL}};
static const struct qrt_http_route routes[] = {
    {"GET", "/panic", panics, &free_rule, {0}},
    {"GET", "/late", sleeps, &late_rule, {0}},
    {"GET", "/tries", tries, &less_rule, {0}},
    {"GET", "/tries-in-time", tries, &timed_rule, {0}},
    {"GET", "/client", says_client, &free_rule, {0}},
};
static const struct qrt_http_group group = {links, routes, sizeof(routes) / sizeof(routes[0])};

static enum qrt_err get(struct qrt_cx *cx, struct stand *stand, const char *path, int status,
			const char *part)
{
	return stand_expect(cx, stand, &(struct question){"GET", path, NULL, NULL, NULL}, status,
			    part);
}

/* --- containment, narrowing, deadline ------------------------------------------------------- */

static enum qrt_err break_and_go_on(struct qrt_cx *cx, void *arg)
{
	struct stand *stand = arg;

	for (int i = 0; i < 3; i++) {
		EXPECT(!get(cx, stand, "/panic", 500,
			    "\"category\":\"internal_error\",\"code\":\"INTERNAL_ERROR\""));
		EXPECT(!get(cx, stand, "/client", 200, "127.0.0.1"));
	}
	return QRT_OK;
}

static void broken(struct stand *stand)
{
	stand_run(stand, break_and_go_on);
	assert_int_equal(atomic_load(&stand->counters.by_class[5]), 3);
	assert_int_equal(atomic_load(&stand->counters.by_class[2]), 3);
	assert_non_null(strstr(stand->text, " warn access: answered method=GET route=/panic "
					    "status=500 "));
	assert_null(strstr(stand->text, "broke"));
}

static void a_panic_is_answered_and_the_service_goes_on(void **state)
{
	(void)state;
	on_each_stand_with(&group, broken);
}

static enum qrt_err narrow_and_late(struct qrt_cx *cx, void *arg)
{
	EXPECT(!get(cx, arg, "/tries", 200, ""));
	EXPECT(!get(cx, arg, "/tries-in-time", 200, ""));
	EXPECT(!get(cx, arg, "/late", 503, "took too long"));
	return QRT_OK;
}

static void narrowed(struct stand *stand)
{
	stand_run(stand, narrow_and_late);
}

static void a_handler_has_the_capabilities_and_the_time_of_its_route(void **state)
{
	(void)state;
	on_each_stand_with(&group, narrowed);
}

/* --- who asks ------------------------------------------------------------------------------- */

static enum qrt_err forward(struct qrt_cx *cx, void *arg)
{
	struct stand *stand = arg;
	struct question ask = {"GET", "/client", NULL, NULL, NULL};
	static const char *const cases[][2] = {
	    {"X-Forwarded-For: 203.0.113.7, 10.0.0.1\r\n", "203.0.113.7"},
	    {"X-Forwarded-For: 2001:db8::1\r\n", "2001:db8::1"},
	    {"X-Real-IP: 203.0.113.8\r\n", "203.0.113.8"},
	    {"X-Forwarded-For: unknown\r\nX-Real-IP: 203.0.113.9\r\n", "203.0.113.9"},
	    {"X-Forwarded-For: <script>\r\n", "127.0.0.1"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		ask.headers = cases[i][0];
		EXPECT(!stand_expect(cx, stand, &ask, 200,
				     stand->server_env.trusted_proxies != NULL ? cases[i][1]
									       : "127.0.0.1"));
	}
	return QRT_OK;
}

static void forwarded(struct stand *stand)
{
	struct qy_networks loopback;

	stand_run(stand, forward);
	assert_true(qy_networks_parse("10.0.0.0/8,127.0.0.0/8", &loopback));
	stand->server_env.trusted_proxies = &loopback;
	stand_run(stand, forward);
	assert_non_null(strstr(stand->text, " client=203.0.113.7 "));
	/* What a handler logs belongs to its request. */
	assert_non_null(strstr(stand->text, " info server: said correlation=cor-"));
}

static void a_proxy_is_believed_when_it_is_trusted(void **state)
{
	(void)state;
	on_each_stand_with(&group, forwarded);
}

/* The id in the answer to one that offers @offered. */
static enum qrt_err correlate(struct qrt_cx *cx, struct stand *stand, const char *offered,
			      char ret_id[80])
{
	struct http_answer answer = {0};
	char header[128];
	bool there;

	snprintf(header, sizeof(header), "X-Correlation-Id: %s\r\n", offered);
	EXPECT(!stand_ask(cx, stand, &(struct question){"GET", "/client", NULL, header, NULL},
			  &answer));
	there = http_answer_header(&answer, "X-Correlation-Id", ret_id, 80);
	http_answer_fini(&answer);
	EXPECT(there);
	return QRT_OK;
}

static enum qrt_err correlations(struct qrt_cx *cx, void *arg)
{
	static const char too_long[] = "0123456789012345678901234567890123456789"
				       "0123456789012345678901234";
	static const char *const bad[] = {"", "a b", "a\"b", "a.b", too_long};
	char id[80], before[80] = "";

	EXPECT(!correlate(cx, arg, "Abc_1-2", id));
	EXPECT(strcmp(id, "Abc_1-2") == 0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		EXPECT(!correlate(cx, arg, bad[i], id));
		EXPECT(strncmp(id, "cor-", 4) == 0);
		EXPECT(strcmp(id, before) != 0);
		memcpy(before, id, sizeof(before));
	}
	return QRT_OK;
}

static void correlated(struct stand *stand)
{
	stand_run(stand, correlations);
}

static void an_id_is_taken_over_when_it_is_one_else_a_new_one_is_made(void **state)
{
	(void)state;
	on_each_stand_with(&group, correlated);
}

static void networks_are_strict_and_match_by_bits(void **state)
{
	static const char *const bad[] = {"10.0.0.1/8", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/8x",
					  "::1/129",	"10.0.0",      "",	    "a,b",
					  "/8",		"1.2.3.4 "};
	static const struct {
		const char *network, *in, *out;
	} good[] = {
	    {"10.0.0.0/8", "10.255.0.1", "11.0.0.1"},
	    {"192.0.2.128/25", "192.0.2.255", "192.0.2.127"},
	    {"192.0.2.7", "192.0.2.7", "192.0.2.6"},
	    {"0.0.0.0/0", "8.8.8.8", "2001:db8::1"},
	    {"::/0", "8.8.8.8", ""},
	    {"2001:db8::/33", "2001:db8:7fff::1", "2001:db8:8000::1"},
	    {"127.0.0.1", "::ffff:127.0.0.1", "127.0.0.2"},
	};
	struct qy_networks networks;
	char address[QY_CLIENT_SIZE], peer[80];

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct qy_network network;

		assert_false(qy_network_parse(bad[i], &network));
	}
	assert_true(qy_networks_parse("", &networks));
	assert_int_equal(networks.n, 0);
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_true(qy_networks_parse(good[i].network, &networks));
		snprintf(peer, sizeof(peer), strchr(good[i].in, ':') ? "[%s]:80" : "%s:80",
			 good[i].in);
		qy_client_address(&networks, peer, "203.0.113.7", NULL, address);
		assert_string_equal(address, "203.0.113.7");
		snprintf(peer, sizeof(peer), strchr(good[i].out, ':') ? "[%s]:80" : "%s:80",
			 good[i].out);
		qy_client_address(&networks, peer, "203.0.113.7", NULL, address);
		assert_string_equal(address, good[i].out);
	}
}

static void what_is_too_long_is_no_address(void **state)
{
	char list[(QY_NETWORKS_MAX + 1) * sizeof("10.0.0.0/8,")] = "10.0.0.0/8";
	char peer[QY_CLIENT_SIZE + 8], address[QY_CLIENT_SIZE];
	struct qy_networks networks;

	(void)state;
	for (size_t i = 1; i < QY_NETWORKS_MAX; i++) {
		strcat(list, ",10.0.0.0/8");
	}
	assert_true(qy_networks_parse(list, &networks));
	assert_int_equal(networks.n, QY_NETWORKS_MAX);
	strcat(list, ",10.0.0.0/8");
	assert_false(qy_networks_parse(list, &networks));
	memset(peer, '1', sizeof(peer));
	memcpy(peer + QY_CLIENT_SIZE - 1, ":80", 4);
	qy_client_address(&networks, peer, NULL, NULL, address);
	assert_int_equal(strlen(address), QY_CLIENT_SIZE - 1);
	memcpy(peer + QY_CLIENT_SIZE - 1, "1:80", 5);
	qy_client_address(&networks, peer, NULL, NULL, address);
	assert_string_equal(address, "");
}

/* --- rates ---------------------------------------------------------------------------------- */

static enum qrt_err make_slow_key(struct qrt_cx *cx, struct stand *stand, char *ret_text)
{
	const struct qy_apikey spec = {
	    .name = "slow", .scopes = QY_SCOPE_QUOTES_READ, .rate_per_minute = 2};
	struct qy_fault fault;

	return qy_db_apikey_create(cx, stand->server_env.db, &spec, ret_text, &fault);
}

static enum qrt_err use_up_and_move(struct qrt_cx *cx, void *arg)
{
	const char *other = strcmp(((struct stand *)arg)->backend, "legacy") ? "legacy" : "region";
	struct stand *stand = arg;
	char key[QY_APIKEY_TEXT_SIZE];
	struct question ask = {"GET", QUOTES, key, NULL, NULL};
	struct qrt_move moved;
	size_t n;

	EXPECT(!stand_move(cx, stand, "db"));
	EXPECT(!make_slow_key(cx, stand, key));
	EXPECT(!stand_expect(cx, stand, &ask, 200, "items"));
	EXPECT(!stand_expect(cx, stand, &ask, 200, "items"));
	EXPECT(!stand_expect(cx, stand, &ask, 429, "RATE_LIMITED"));
	EXPECT(atomic_load(&stand->counters.limited) == 1);
	if (qrt_backend_promises(other, &n) != NULL) {
		EXPECT(!qrt_switchboard_move(cx, stand->sb, "server", other, "system:test", "",
					     &moved));
		EXPECT(!stand_expect(cx, stand, &ask, 429, "RATE_LIMITED"));
	}
	return QRT_OK;
}

static void rated(struct stand *stand)
{
	stand_run(stand, use_up_and_move);
}

static void a_key_has_its_minute_once_wherever_the_server_runs(void **state)
{
	(void)state;
	on_each_stand(rated);
}

/* --- csrf ----------------------------------------------------------------------------------- */

static enum qrt_err accepts(struct qrt_cx *cx, struct qrt_http_request *req,
			    struct qrt_http_response *resp)
{
	(void)cx;
	(void)req;
	return qrt_http_set_body(resp, "taken", 5);
}

static const struct qy_csrf_rule by_cookie = {.cookie = "session"};
static const struct qy_csrf_rule by_link = {.param = "token"};
static const struct qrt_http_link cookie_links[] = {{qy_link_csrf, &by_cookie}, {NULL, NULL}};
static const struct qrt_http_link link_links[] = {{qy_link_csrf, &by_link}, {NULL, NULL}};
static const struct qrt_http_route cookie_routes[] = {{"POST", "/form", accepts, NULL, {0}},
						      {"GET", "/form", accepts, NULL, {0}},
						      {"PUT", "/form", accepts, NULL, {0}}};
static const struct qrt_http_route link_routes[] = {{"POST", "/link/{token}", accepts, NULL, {0}}};
static const struct qrt_http_group cookie_group = {cookie_links, cookie_routes, 3};
static const struct qrt_http_group link_group = {link_links, link_routes, 1};

static enum qrt_err post(struct qrt_cx *cx, struct stand *stand, const char *path,
			 const char *headers, const char *body, int status, const char *part)
{
	return stand_expect(cx, stand, &(struct question){"POST", path, NULL, headers, body},
			    status, part);
}

#define COOKIE "Cookie: a=b; session=s3ss10n; session=other\r\n"

static enum qrt_err forms_by_cookie(struct qrt_cx *cx, void *arg)
{
	struct stand *stand = arg;
	char value[QY_CSRF_SIZE], body[128], other[128];

	qy_csrf_value(stand->server_env.csrf_key, &by_cookie, "s3ss10n", value);
	snprintf(body, sizeof(body), "name=x&csrf=%s&z", value);
	EXPECT(!post(cx, stand, "/form", FORM COOKIE, body, 200, "taken"));
	EXPECT(!post(cx, stand, "/form", FORM COOKIE OWN, body, 200, "taken"));
	EXPECT(!post(cx, stand, "/form", FORM COOKIE "Origin: http://quotey.test:80\r\n", body, 200,
		     "taken"));
	EXPECT(!post(cx, stand, "/form", FORM COOKIE "Origin: http://evil.test\r\n", body, 403,
		     "FOREIGN_ORIGIN"));
	EXPECT(
	    !post(cx, stand, "/form", FORM COOKIE "Origin: null\r\n", body, 403, "FOREIGN_ORIGIN"));
	EXPECT(!post(cx, stand, "/form", FORM, body, 403, "\"CSRF\""));
	EXPECT(
	    !post(cx, stand, "/form", FORM "Cookie: session=another\r\n", body, 403, "\"CSRF\""));
	EXPECT(!post(cx, stand, "/form", FORM COOKIE, "name=x", 403, "\"CSRF\""));
	EXPECT(!post(cx, stand, "/form", FORM COOKIE, "xcsrf=1&csrf=", 403, "\"CSRF\""));
	qy_csrf_value(stand->server_env.csrf_key, &by_link, "s3ss10n", value);
	snprintf(other, sizeof(other), "csrf=%s", value);
	EXPECT(!post(cx, stand, "/form", FORM COOKIE, other, 403, "\"CSRF\""));
	/* What no page can make a browser send. */
	EXPECT(!post(cx, stand, "/form",
		     JSON "Authorization: Bearer x\r\nOrigin: http://evil.test\r\n", "{}", 200,
		     "taken"));
	EXPECT(!post(cx, stand, "/form", JSON COOKIE, "{}", 403, "\"CSRF\""));
	EXPECT(!post(cx, stand, "/form", FORM COOKIE "Authorization: Bearer x\r\n", "a=b", 403,
		     "\"CSRF\""));
	EXPECT(!stand_expect(cx, stand, &(struct question){"PUT", "/form", NULL, COOKIE, ""}, 403,
			     "\"CSRF\""));
	return get(cx, stand, "/form", 200, "taken");
}

/* Behind a public name that is what a page's origin must be, whatever Host says. */
static enum qrt_err forms_of_a_public_name(struct qrt_cx *cx, void *arg)
{
	struct stand *stand = arg;
	char value[QY_CSRF_SIZE], body[128];

	qy_csrf_value(stand->server_env.csrf_key, &by_cookie, "s3ss10n", value);
	snprintf(body, sizeof(body), "csrf=%s", value);
	EXPECT(!post(cx, stand, "/form", FORM COOKIE "Origin: https://quotes.example\r\n", body,
		     200, "taken"));
	EXPECT(!post(cx, stand, "/form", FORM COOKIE OWN, body, 403, "FOREIGN_ORIGIN"));
	return QRT_OK;
}

static void cookie_forms(struct stand *stand)
{
	stand_run(stand, forms_by_cookie);
	assert_true(atomic_load(&stand->counters.denied) >= 8);
	stand->server_env.public_url = "https://quotes.example/base";
	stand_run(stand, forms_of_a_public_name);
}

static void a_form_belongs_to_its_cookie_and_its_origin(void **state)
{
	(void)state;
	on_each_stand_with(&cookie_group, cookie_forms);
}

static enum qrt_err forms_by_link(struct qrt_cx *cx, void *arg)
{
	struct stand *stand = arg;
	char value[QY_CSRF_SIZE], body[128];

	qy_csrf_value(stand->server_env.csrf_key, &by_link, "t0ken", value);
	snprintf(body, sizeof(body), "csrf=%s", value);
	EXPECT(!post(cx, stand, "/link/t0ken", FORM, body, 200, "taken"));
	EXPECT(!post(cx, stand, "/link/t1ken", FORM, body, 403, "\"CSRF\""));
	for (size_t i = strlen("csrf="); body[i] != '\0'; i++) {
		char right = body[i];

		body[i] = right == '0' ? '1' : '0';
		EXPECT(!post(cx, stand, "/link/t0ken", FORM, body, 403, "\"CSRF\""));
		body[i] = right;
	}
	return QRT_OK;
}

/* A token that a path has room for, but a binding has not. */
static enum qrt_err forms_by_long_links(struct qrt_cx *cx, void *arg)
{
	struct stand *stand = arg;
	char path[600] = "/link/", value[QY_CSRF_SIZE], body[128];
	char *token = path + strlen(path);

	memset(token, 't', 511);
	qy_csrf_value(stand->server_env.csrf_key, &by_link, token, value);
	snprintf(body, sizeof(body), "csrf=%s", value);
	EXPECT(!post(cx, stand, path, FORM, body, 200, "taken"));
	token[511] = 't';
	qy_csrf_value(stand->server_env.csrf_key, &by_link, token, value);
	snprintf(body, sizeof(body), "csrf=%s", value);
	EXPECT(!post(cx, stand, path, FORM, body, 403, "\"CSRF\""));
	return QRT_OK;
}

static void link_forms(struct stand *stand)
{
	for (size_t i = 0; i < sizeof(stand->server_env.csrf_key); i++) {
		stand->server_env.csrf_key[i] = (uint8_t)i;
	}
	stand_run(stand, forms_by_link);
	stand_run(stand, forms_by_long_links);
}

static void a_csrf_value_is_made_of_the_whole_key(void **state)
{
	uint8_t key[QY_CSRF_KEY_SIZE] = {0};
	char value[QY_CSRF_SIZE], other[QY_CSRF_SIZE];

	(void)state;
	qy_csrf_value(key, &by_link, "t", value);
	for (size_t i = 0; i < sizeof(key); i++) {
		key[i] = 1;
		qy_csrf_value(key, &by_link, "t", other);
		assert_string_not_equal(value, other);
		key[i] = 0;
	}
}

static void a_form_belongs_to_its_link(void **state)
{
	(void)state;
	on_each_stand_with(&link_group, link_forms);
}

static void an_origin_is_compared_whole(void **state)
{
	static const struct {
		const char *origin, *host, *url;
		bool own;
	} cases[] = {
	    {"http://a.test", "a.test", "", true},
	    {"https://a.test", "a.test", NULL, true},
	    {"https://A.test:443", "a.test", "", true},
	    {"http://a.test:8080", "a.test:8080", "", true},
	    {"http://a.test:8080", "a.test", "", false},
	    {"http://a.test.evil.test", "a.test", "", false},
	    {"http://evil-a.test", "a.test", "", false},
	    {"http://a", "a.test", "", false},
	    {"null", "null", "", false},
	    {"", "a.test", "", false},
	    {"http://", "", "", false},
	    {"http://a.test", NULL, "", false},
	    {"https://a.test", "other", "https://a.test/base", true},
	    {"http://a.test", "a.test", "https://a.test/base", false},
	    {"https://b.test", "b.test", "https://a.test", false},
	    {"https://a.test", "x", "https://a.test?x", true},
	};
	char host[QY_HOST_HEADER_MAX + 64], origin[sizeof(host) + 8];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(qy_origin_is_own(cases[i].origin, cases[i].host, cases[i].url),
				 cases[i].own);
	}
	/* A host of the greatest length; of a longer one no beginning is a name. */
	for (size_t n = QY_HOST_HEADER_MAX; n < sizeof(host); n++) {
		memset(host, 'a', n);
		host[n] = '\0';
		for (size_t of = QY_HOST_HEADER_MAX; of <= n; of++) {
			snprintf(origin, sizeof(origin), "http://%.*s", (int)of, host);
			assert_int_equal(qy_origin_is_own(origin, host, NULL),
					 n == QY_HOST_HEADER_MAX);
		}
	}
}

static void form_fields_and_cookies_are_found_or_refused(void **state)
{
	static const char *const forms[][2] = {
	    {"v=a", "a"},  {"u=1&v=a+b%21&v=2", "a b!"}, {"v=", ""}, {"xv=1&v=2", "2"},
	    {"v=1&", "1"}, {"&&v=%c3%9c", "\xc3\x9c"},
	};
	static const char *const bad[] = {"",	   "v",	    "xv=1", "v=%",	 "v=%4",
					  "v=%zz", "v=%00", "w=1",  "v=12345678"};
	char value[8];

	(void)state;
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		assert_true(
		    qy_form_value(forms[i][0], strlen(forms[i][0]), "v", value, sizeof(value)));
		assert_string_equal(value, forms[i][1]);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_false(qy_form_value(bad[i], strlen(bad[i]), "v", value, sizeof(value)));
	}
	assert_true(qy_cookie_value("a=1; v=2; v=3", "v", value, sizeof(value)));
	assert_string_equal(value, "2");
	assert_false(qy_cookie_value(NULL, "v", value, sizeof(value)));
	assert_false(qy_cookie_value("xv=2; v; v=", "v", value, sizeof(value)));
	assert_false(qy_cookie_value("v=12345678", "v", value, sizeof(value)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_panic_is_answered_and_the_service_goes_on),
	    cmocka_unit_test(a_handler_has_the_capabilities_and_the_time_of_its_route),
	    cmocka_unit_test(a_proxy_is_believed_when_it_is_trusted),
	    cmocka_unit_test(an_id_is_taken_over_when_it_is_one_else_a_new_one_is_made),
	    cmocka_unit_test(networks_are_strict_and_match_by_bits),
	    cmocka_unit_test(what_is_too_long_is_no_address),
	    cmocka_unit_test(a_key_has_its_minute_once_wherever_the_server_runs),
	    cmocka_unit_test(a_form_belongs_to_its_cookie_and_its_origin),
	    cmocka_unit_test(a_form_belongs_to_its_link),
	    cmocka_unit_test(a_csrf_value_is_made_of_the_whole_key),
	    cmocka_unit_test(an_origin_is_compared_whole),
	    cmocka_unit_test(form_fields_and_cookies_are_found_or_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
