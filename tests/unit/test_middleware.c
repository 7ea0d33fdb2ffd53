/*
 * What stands around handlers, behind real servers on each backend: containment, capabilities,
 * deadlines, refusals with their audit rows, rates that outlive a move, csrf, and whom a request is
 * taken to come from. The pure parts are asked directly.
 */
#include "tests/lib/test.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "quotey/server/csrf.h"
#include "quotey/server/denied.h"
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
static const struct qrt_http_link links[] = {{qy_link_narrow, NULL}, {NULL, NULL}};
static const struct qrt_http_route routes[] = {
    {"GET", "/panic", panics, &free_rule, {0}},
    {"GET", "/late", sleeps, &late_rule, {0}},
    {"GET", "/tries", tries, &less_rule, {0}},
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

/* --- refusals ------------------------------------------------------------------------------- */

static enum qrt_err audit_rows(struct qrt_cx *cx, struct stand *stand, uint64_t *ret_rows)
{
	struct qy_counts counts;
	enum qrt_err err = qy_db_ping(cx, stand->server_env.db, &counts);

	*ret_rows = err ? 0 : counts.audit_events;
	return err;
}

static enum qrt_err be_refused(struct qrt_cx *cx, void *arg)
{
	struct stand *stand = arg;
	struct question ask = {"GET", QUOTES, "qk_01234567_00", NULL, NULL};
	uint64_t before = 0, after = 0;

	EXPECT(!stand_move(cx, stand, "db"));
	EXPECT(!audit_rows(cx, stand, &before));
	for (int i = 0; i < QY_DENIED_ROWS_PER_MINUTE - 1; i++) {
		EXPECT(!stand_expect(cx, stand, &ask, 401, "INVALID_API_KEY"));
	}
	ask =
	    (struct question){"POST", QUOTES "/quote-netnew-001/price", stand->writer, NULL, NULL};
	EXPECT(!stand_expect(cx, stand, &ask, 200, "{"));
	EXPECT(!audit_rows(cx, stand, &after));
	/* The last of them is the price's own audit; the others are refusals. */
	EXPECT(after - before > QY_DENIED_ROWS_PER_MINUTE - 1);
	before = after;
	ask = (struct question){"GET", QUOTES, NULL, NULL, NULL};
	for (int i = 0; i < 10; i++) {
		EXPECT(!stand_expect(cx, stand, &ask, 401, "MISSING_API_KEY"));
	}
	EXPECT(!audit_rows(cx, stand, &after));
	EXPECT(after - before == 1);
	EXPECT(atomic_load(&stand->counters.denied) == QY_DENIED_ROWS_PER_MINUTE + 9);
	EXPECT(atomic_load(&stand->counters.unaudited) == 9);
	return QRT_OK;
}

static void refused(struct stand *stand)
{
	stand_run(stand, be_refused);
	assert_non_null(strstr(stand->text, " warn server: denied code=INVALID_API_KEY "
					    "client=127.0.0.1 "));
	assert_null(strstr(stand->text, "01234567_00"));
}

static void refusals_are_audited_but_not_without_end(void **state)
{
	(void)state;
	on_each_stand(refused);
}

#define AT_ONCE 8

static enum qrt_err ask_without_a_key(struct qrt_cx *cx, void *arg)
{
	const struct question ask = {"GET", QUOTES, NULL, NULL, NULL};

	return stand_expect(cx, arg, &ask, 401, "MISSING_API_KEY");
}

/* Their rows wait for one writer: each is told of what came before it and has none, and no row. */
static enum qrt_err be_refused_at_once(struct qrt_cx *cx, void *arg)
{
	struct stand *stand = arg;
	struct qrt_region *region = NULL;
	uint64_t before = 0, after = 0;

	EXPECT(!stand_move(cx, stand, "db"));
	EXPECT(!audit_rows(cx, stand, &before));
	EXPECT(!qrt_region_open(cx, QRT_FAIL_FAST, &region));
	for (int i = 0; i < AT_ONCE; i++) {
		EXPECT(!qrt_spawn(region, ask_without_a_key, stand));
	}
	EXPECT(!qrt_region_close(cx, &region, QRT_OK));
	EXPECT(!audit_rows(cx, stand, &after));
	EXPECT(atomic_load(&stand->counters.denied) == AT_ONCE);
	/* A row that comes too late is none, and is counted; more than once nothing is. */
	EXPECT(after - before <= AT_ONCE);
	EXPECT(atomic_load(&stand->counters.unaudited) <= AT_ONCE - (after - before));
	return QRT_OK;
}

static void refused_at_once(struct stand *stand)
{
	stand_run(stand, be_refused_at_once);
}

static void refusals_at_once_are_each_counted_once(void **state)
{
	(void)state;
	on_each_stand(refused_at_once);
}

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
						      {"GET", "/form", accepts, NULL, {0}}};
static const struct qrt_http_route link_routes[] = {{"POST", "/link/{token}", accepts, NULL, {0}}};
static const struct qrt_http_group cookie_group = {cookie_links, cookie_routes, 2};
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
	return get(cx, stand, "/form", 200, "taken");
}

static void cookie_forms(struct stand *stand)
{
	stand_run(stand, forms_by_cookie);
	assert_true(atomic_load(&stand->counters.denied) >= 8);
	stand->server_env.public_url = "https://quotes.example/base";
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
	body[5] = body[5] == '0' ? '1' : '0';
	EXPECT(!post(cx, stand, "/link/t0ken", FORM, body, 403, "\"CSRF\""));
	return QRT_OK;
}

static void link_forms(struct stand *stand)
{
	for (size_t i = 0; i < sizeof(stand->server_env.csrf_key); i++) {
		stand->server_env.csrf_key[i] = (uint8_t)i;
	}
	stand_run(stand, forms_by_link);
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
	    {"null", "null", "", false},
	    {"", "a.test", "", false},
	    {"http://", "", "", false},
	    {"http://a.test", NULL, "", false},
	    {"https://a.test", "other", "https://a.test/base", true},
	    {"http://a.test", "a.test", "https://a.test/base", false},
	    {"https://b.test", "b.test", "https://a.test", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(qy_origin_is_own(cases[i].origin, cases[i].host, cases[i].url),
				 cases[i].own);
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
	    cmocka_unit_test(networks_are_strict_and_match_by_bits),
	    cmocka_unit_test(refusals_are_audited_but_not_without_end),
	    cmocka_unit_test(refusals_at_once_are_each_counted_once),
	    cmocka_unit_test(a_key_has_its_minute_once_wherever_the_server_runs),
	    cmocka_unit_test(a_form_belongs_to_its_cookie_and_its_origin),
	    cmocka_unit_test(a_form_belongs_to_its_link),
	    cmocka_unit_test(an_origin_is_compared_whole),
	    cmocka_unit_test(form_fields_and_cookies_are_found_or_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
