/*
 * The server component and the control plane's routes, on every real backend of the build: web
 * requests are asked by a task over a socket, control handlers are called as the control listener
 * does, from a thread that is no runtime's. What the answers to plain requests are is the parity
 * suite's to say.
 */
#include "tests/lib/test.h"

#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "quotey/db/dump.h"
#include "tests/lib/stand.h"

static enum qrt_err prices_of_ones_own(struct qrt_cx *cx, void *arg)
{
	struct stand *stand = arg;
	struct question create = {"POST", QUOTES, stand->writer, JSON, BODY};

	EXPECT(!stand_move(cx, stand, "db"));
	EXPECT(!stand_expect(cx, stand, &create, 403, "INSUFFICIENT_SCOPE"));
	create.key = stand->boss;
	EXPECT(!stand_expect(cx, stand, &create, 201, "\"price_source\":\"manual\""));
	EXPECT(!stand_expect(cx, stand, &(struct question){"GET", QUOTES, stand->boss, NULL, NULL},
			     200, "\"total\":5}"));
	return QRT_OK;
}

static void own_prices(struct stand *stand)
{
	stand_run(stand, prices_of_ones_own);
}

static void a_manual_price_needs_the_scope_for_it(void **state)
{
	(void)state;
	on_each_stand(own_prices);
}

/* Keys of a person act for him, others for themselves. */
static enum qrt_err create_by_two_keys(struct qrt_cx *cx, void *arg)
{
	struct stand *stand = arg;
	struct qy_apikey spec = {
	    .name = "his", .scopes = QY_SCOPE_ADMIN, .rep_id = "rep.sarah", .rate_per_minute = 100};
	char his[QY_APIKEY_TEXT_SIZE], by[64];
	struct question create = {"POST", QUOTES, his, JSON, BODY};
	struct qy_fault fault;

	EXPECT(!stand_move(cx, stand, "db"));
	EXPECT(!qy_db_apikey_create(cx, stand->server_env.db, &spec, his, &fault));
	EXPECT(fault.kind == QY_FAULT_NONE);
	EXPECT(!stand_expect(cx, stand, &create, 201, "\"created_by\":\"user:rep.sarah\""));
	create.key = stand->boss;
	snprintf(by, sizeof(by), "\"created_by\":\"service:qk_%.8s\"", stand->boss + 3);
	return stand_expect(cx, stand, &create, 201, by);
}

static void created(struct stand *stand)
{
	stand_run(stand, create_by_two_keys);
}

static void a_quote_is_by_whom_its_key_acts_for(void **state)
{
	(void)state;
	on_each_stand(created);
}

static enum qrt_err without_database(struct qrt_cx *cx, void *arg)
{
	struct stand *stand = arg;
	const struct question get = {"GET", QUOTES "/quote-netnew-001", stand->writer, NULL, NULL};

	EXPECT(!stand_expect(cx, stand, &get, 503,
			     "\"category\":\"service_unavailable\",\"code\":\"DB_UNAVAILABLE\""));
	EXPECT(!stand_expect(cx, stand, &get, 503, "\"retry_after_seconds\":5"));
	EXPECT(!stand_move(cx, stand, "db"));
	EXPECT(!stand_expect(cx, stand, &get, 200, "\"id\":\"quote-netnew-001\""));
	return QRT_OK;
}

static void no_database(struct stand *stand)
{
	stand_run(stand, without_database);
}

static void without_the_db_component_requests_get_503_and_then_work_again(void **state)
{
	(void)state;
	on_each_stand(no_database);
}

static enum qrt_err checksum(struct qrt_cx *cx, struct stand *stand, char *ret_hex)
{
	struct qy_store store;
	enum qrt_err err = qrt_db_open(cx, &stand->db_env.options, &store.db);

	if (!err) {
		err = qy_store_checksum(cx, &store, ret_hex);
		qrt_db_close(cx, &store.db);
	}
	return err;
}

static enum qrt_err previews(struct qrt_cx *cx, void *arg)
{
	struct stand *stand = arg;
	const char *path = QUOTES "/quote-netnew-001/preview";
	char before[QRT_SHA256_HEX_SIZE], after[QRT_SHA256_HEX_SIZE];

	EXPECT(!stand_move(cx, stand, "db"));
	EXPECT(!checksum(cx, stand, before));
	EXPECT(!stand_expect(cx, stand, &(struct question){"POST", path, stand->writer, NULL, NULL},
			     200, "\"missing_fields\":[\"billing_country\",\"payment_terms\"]"));
	EXPECT(!stand_expect(cx, stand,
			     &(struct question){"POST", path, stand->writer, JSON, "{\"a\":1}"},
			     422, "UNKNOWN_MEMBER"));
	EXPECT(!checksum(cx, stand, after));
	EXPECT(strcmp(before, after) == 0);
	/* Any other call notes that the key was used: the checksum can tell. */
	EXPECT(!stand_expect(cx, stand, &(struct question){"GET", QUOTES, stand->boss, NULL, NULL},
			     200, "\"items\":["));
	EXPECT(!checksum(cx, stand, after));
	EXPECT(strcmp(before, after) != 0);
	return QRT_OK;
}

static void preview(struct stand *stand)
{
	stand_run(stand, previews);
}

static void a_preview_changes_no_table(void **state)
{
	(void)state;
	on_each_stand(preview);
}

static enum qrt_err secret_paths(struct qrt_cx *cx, void *arg)
{
	struct stand *stand = arg;

	EXPECT(!stand_move(cx, stand, "db"));
	EXPECT(!stand_expect(cx, stand,
			     &(struct question){"GET", QUOTES "/quote-netnew-001", stand->boss,
						"X-Correlation-Id: abc-1\r\n", NULL},
			     200, "{"));
	EXPECT(!stand_expect(cx, stand,
			     &(struct question){"GET", "/secret%0Atoken", NULL, NULL, NULL}, 404,
			     "\"category\":\"not_found\""));
	return QRT_OK;
}

static void access_log(struct stand *stand)
{
	char key[32], line[512];
	const char *at;

	stand_run(stand, secret_paths);
	assert_non_null(strstr(stand->text, " debug access: answered method=GET "
					    "route=/api/v1/quotes/{id} status=200 us="));
	assert_non_null(strstr(stand->text, " client=127.0.0.1 correlation=abc-1 path="));
	/* What db did for it says so, and on whose way it was. */
	at = strstr(stand->text, " debug db: done operation=quote_get us=");
	assert_non_null(at);
	snprintf(line, sizeof(line), "%.*s", (int)strcspn(at, "\n"), at);
	assert_non_null(strstr(line, " correlation=abc-1 path=\"server/http server/"));
	assert_string_equal(line + strlen(line) - strlen(" > db/db\""), " > db/db\"");
	assert_non_null(strstr(stand->text, " method=GET route=- status=404 us="));
	assert_non_null(strstr(stand->text, "/http request/http "));
	snprintf(key, sizeof(key), " key=%.8s ", stand->boss + 3);
	assert_non_null(strstr(stand->text, key));
	assert_null(strstr(stand->text, "netnew"));
	assert_null(strstr(stand->text, "secret"));
	assert_null(strstr(stand->text, stand->boss + 12));
	assert_int_equal(atomic_load(&stand->counters.by_class[2]), 1);
	assert_int_equal(atomic_load(&stand->counters.by_class[4]), 1);
}

static void a_log_line_has_the_route_and_never_the_path_or_the_key(void **state)
{
	(void)state;
	on_each_stand(access_log);
}

/* --- the control side ---------------------------------------------------------------------- */

static void only_health_is_open_and_every_change_is_guarded(void **state)
{
	(void)state;
	for (size_t i = 0; i < qy_control_route_count; i++) {
		const struct qrt_control_route *route = &qy_control_routes[i];
		bool health = strncmp(route->path, "/health", 7) == 0;
		bool change = strcmp(route->method, "GET") != 0;

		assert_int_equal(route->guard, health	? QRT_CONTROL_OPEN
					       : change ? QRT_CONTROL_CHANGE
							: QRT_CONTROL_READ);
	}
}

static void health(struct stand *stand)
{
	stand_control_has(stand, "GET", "/health/live", "", 200, "{\"status\":\"live\"}");
	stand_control_has(
	    stand, "GET", "/health/ready", "", 503,
	    "\"database\":\"unavailable\",\"queue\":\"disabled\",\"service\":\"ready\","
	    "\"slack\":\"disabled\",\"status\":\"unavailable\"}");
	stand_run(stand, stand_start_db);
	stand_control_has(stand, "GET", "/health", "", 200, "\"status\":\"ready\"}");
	stand_control_has(stand, "GET", "/health", "", 200, "{\"checked_at\":\"20");
	atomic_store(&stand->control.draining, true);
	stand_control_has(stand, "GET", "/health/ready", "", 503,
			  "\"database\":\"ready\",\"queue\":\"disabled\",\"service\":\"draining\"");
	stand_control_has(stand, "GET", "/health/live", "", 200, "live");
}

static void readiness_follows_the_database_and_the_drain(void **state)
{
	(void)state;
	on_each_stand(health);
}

static void moves(struct stand *stand)
{
	char body[128], part[128];

	stand_run(stand, stand_start_db);
	stand_control_has(stand, "POST", "/runtime/rollback", "{\"component\":\"server\"}", 409,
			  "\"error\":\"QRT_ESTATE\"");
	stand_control_has(stand, "POST", "/runtime/rollback", "", 409, "NOTHING_MOVED");
	stand_control_has(stand, "POST", "/runtime/set",
			  "{\"component\":\"sever\",\"backend\":\"region\"}", 404,
			  "\"error\":\"QRT_ENOENT\"");
	stand_control_has(stand, "POST", "/runtime/set",
			  "{\"component\":\"server\",\"backend\":\"tokio\"}", 400, "\"ok\":false");
	stand_control_has(stand, "POST", "/runtime/set", "{\"component\":\"server\"}", 422,
			  "MISSING_MEMBER");
	snprintf(body, sizeof(body), "{\"component\":\"server\",\"backend\":\"%s\"}",
		 stand->backend);
	stand_control_has(stand, "POST", "/runtime/set", body, 200, "\"ok\":true");
	snprintf(part, sizeof(part), "{\"backend\":\"%s\",\"component\":\"server\"",
		 stand->backend);
	stand_control_has(stand, "GET", "/runtime", "", 200, part);
	stand_control_has(stand, "GET", "/runtime", "", 200, "\"runtimes\":[{\"backend\":\"");
}

static void a_move_is_answered_with_what_came_of_it(void **state)
{
	(void)state;
	on_each_stand(moves);
}

/* From the stand's backend to the other one and back, the answers staying the same. */
static void there_and_back(struct stand *stand)
{
	const char *other = strcmp(stand->backend, "legacy") == 0 ? "region" : "legacy";
	char body[160], part[128];
	size_t n;

	if (qrt_backend_promises(other, &n) == NULL) {
		return;
	}
	stand_run(stand, stand_start_db);
	snprintf(body, sizeof(body),
		 "{\"component\":\"server\",\"backend\":\"%s\",\"reason\":\"try\","
		 "\"actor\":\"user:ops\"}",
		 other);
	stand_control_has(stand, "POST", "/runtime/set", body, 200, "\"ok\":true");
	stand_run(stand, prices_of_ones_own);
	snprintf(part, sizeof(part), "{\"backend\":\"%s\",\"component\":\"server\"", other);
	stand_control_has(stand, "GET", "/runtime", "", 200, part);
	stand_control_has(stand, "GET", "/runtime/history", "", 200,
			  "{\"actor\":\"user:ops\",\"at\":\"20");
	snprintf(part, sizeof(part), "\"to\":\"%s\"", stand->backend);
	stand_control_has(stand, "POST", "/runtime/rollback", "{}", 200, part);
	snprintf(part, sizeof(part), "{\"backend\":\"%s\",\"component\":\"server\"",
		 stand->backend);
	stand_control_has(stand, "GET", "/runtime", "", 200, part);
}

static void the_server_moves_to_the_other_backend_and_back(void **state)
{
	(void)state;
	on_each_stand(there_and_back);
}

/* An answer is out a little before its request is over. */
static void until_nothing_is_in_flight(struct stand *stand)
{
	bool rests = false;

	while (!rests) {
		char *text = stand_control(stand, "GET", "/metrics", "", 200);

		rests = strstr(text, "\nquotey_http_requests_in_flight 0\n") != NULL;
		free(text);
		sched_yield();
	}
}

static void metrics(struct stand *stand)
{
	static const char *const gauges[] = {
	    "tasks_live",     "regions_live",	     "loop_ready",	 "loop_lag_seconds",
	    "forced_total",   "leaks_total",	     "duties_live",	 "duties_made_total",
	    "restarts_total", "budgets_spent_total", "loop_stalls_total"};
	char part[160];

	stand_run(stand, stand_start_db);
	stand_run(stand, secret_paths);
	until_nothing_is_in_flight(stand);
	stand_control_has(stand, "GET", "/metrics", "", 200,
			  "# TYPE quotey_http_requests_total counter\n"
			  "quotey_http_requests_total{class=\"2xx\"} 1\n"
			  "quotey_http_requests_total{class=\"3xx\"} 0\n"
			  "quotey_http_requests_total{class=\"4xx\"} 1\n");
	snprintf(part, sizeof(part),
		 "quotey_component_backend{component=\"server\",backend=\"%s\"} 1\n",
		 stand->backend);
	stand_control_has(stand, "GET", "/metrics", "", 200, part);
	snprintf(part, sizeof(part), "quotey_regions_live{runtime=\"supervisor\",backend=\"%s\"} ",
		 stand->backend);
	stand_control_has(stand, "GET", "/metrics", "", 200, part);
	stand_control_has(stand, "GET", "/metrics", "", 200,
			  "\n# HELP quotey_tasks_live Tasks that have not ended.\n"
			  "# TYPE quotey_tasks_live gauge\n");
	stand_control_has(stand, "GET", "/metrics", "", 200,
			  "quotey_loop_busy_seconds{runtime=\"supervisor\"");
	snprintf(part, sizeof(part),
		 "\nquotey_cancels_by_kind_total{runtime=\"supervisor\",backend=\"%s\","
		 "kind=\"shutdown\"} 0\n",
		 stand->backend);
	stand_control_has(stand, "GET", "/metrics", "", 200, part);
	snprintf(part, sizeof(part),
		 "\nquotey_loop_lag_max_seconds{runtime=\"supervisor\",backend=\"%s\"} ",
		 stand->backend);
	stand_control_has(stand, "GET", "/metrics", "", 200, part);
	stand_control_has(stand, "GET", "/metrics", "", 200,
			  "# TYPE quotey_http_request_seconds histogram\n"
			  "quotey_http_request_seconds_bucket{le=\"0.001\"} ");
	stand_control_has(stand, "GET", "/metrics", "", 200,
			  "\nquotey_http_request_seconds_bucket{le=\"+Inf\"} 2\n"
			  "quotey_http_request_seconds_sum ");
	stand_control_has(stand, "GET", "/metrics", "", 200,
			  "\n# TYPE quotey_http_connections_total counter\n"
			  "quotey_http_connections_total 2\n");
	stand_control_has(stand, "GET", "/metrics", "", 200, "\nquotey_db_unknown_total 0\n");
	stand_control_has(stand, "GET", "/metrics", "", 200, "\nquotey_log_lines_total ");
	stand_control_has(stand, "GET", "/metrics", "", 200, "\nquotey_auth_denied_total 0\n");
	for (size_t i = 0; i < sizeof(gauges) / sizeof(gauges[0]); i++) {
		snprintf(part, sizeof(part), "\nquotey_%s{runtime=\"supervisor\"", gauges[i]);
		stand_control_has(stand, "GET", "/metrics", "", 200, part);
	}
}

static void metrics_are_in_the_text_format(void **state)
{
	(void)state;
	on_each_stand(metrics);
}

struct wedge {
	_Atomic bool stuck, release, gone;
};

static enum qrt_err hold_the_loop(struct qrt_cx *cx, void *arg)
{
	struct wedge *wedge = arg;

	(void)cx;
	atomic_store(&wedge->stuck, true);
	while (!atomic_load(&wedge->release)) {
	}
	return QRT_OK;
}

static void wedge_gone(void *arg)
{
	atomic_store(&((struct wedge *)arg)->gone, true);
}

/* A loop that a task holds on purpose: what control says then comes from other threads. */
static void wedged(struct stand *stand)
{
	static struct wedge wedge;
	struct qrt_runtime *rt = stand->runtimes[1];
	char part[64];

	atomic_store(&wedge.stuck, false);
	atomic_store(&wedge.release, false);
	atomic_store(&wedge.gone, false);
	stand_control_has(stand, "GET", "/regions", "", 200, "server");
	assert_int_equal(qrt_runtime_call(rt, QRT_MS, hold_the_loop, &wedge, wedge_gone),
			 QRT_ETIMEDOUT);
	while (!atomic_load(&wedge.stuck)) {
	}
	snprintf(part, sizeof(part), "\"runtime\":\"%s\",\"spawned_at\":\"", qrt_runtime_name(rt));
	stand_control_has(stand, "GET", "/regions", "", 200, part);
	stand_control_has(stand, "GET", "/health/live", "", 200, "live");
	/* It has been held for longer: above somebody has waited for it. */
	stand->control.stuck_after_ns = QRT_MS;
	snprintf(part, sizeof(part), ",\"stuck_runtime\":\"%s\"}", qrt_runtime_name(rt));
	stand_control_has(stand, "GET", "/health/live", "", 503, part);
	stand->control.stuck_after_ns = 0;
	stand_control_has(stand, "GET", "/metrics", "", 200, "quotey_loop_busy_seconds");
	atomic_store(&wedge.release, true);
	while (!atomic_load(&wedge.gone)) {
	}
}

static void a_wedged_loop_is_named_with_its_task(void **state)
{
	(void)state;
	on_each_stand(wedged);
}

static void recorded(struct stand *stand)
{
	char *text;

	/* Twice: the first one has left nothing running. */
	for (int i = 0; i < 2; i++) {
		text = stand_control(stand, "POST", "/trace", "{\"secs\":1,\"events\":1000}", 200);
		for (size_t j = 0; j < stand->n_runtimes; j++) {
			char part[80];

			snprintf(part, sizeof(part),
				 "\"name\":\"process_name\",\"args\":{\"name\":\"%s (",
				 qrt_runtime_name(stand->runtimes[j]));
			assert_non_null(strstr(text, part));
		}
		assert_non_null(strstr(text, "\"traceEvents\":["));
		assert_non_null(strstr(text, "\"name\":\"sleep\",\"cat\":\"waiting\""));
		free(text);
	}
	stand_control_has(stand, "POST", "/trace", "{\"secs\":0}", 400,
			  "secs: must be from 1 to 20");
	stand_control_has(stand, "POST", "/trace", "{\"secs\":21}", 400,
			  "secs: must be from 1 to 20");
	stand_control_has(stand, "POST", "/trace", "{\"events\":100001}", 400,
			  "events: must be from 1 to 100000");
	stand_control_has(stand, "POST", "/trace", "{\"seconds\":1}", 422, "seconds");
	stand_control_has(stand, "POST", "/trace", "[", 400, "");
	atomic_store(&stand->control.is_recording, true);
	stand_control_has(stand, "POST", "/trace", "", 409, "Another recording is under way.");
	atomic_store(&stand->control.is_recording, false);
	/* When all stops a recording does not make it wait: it ends without a sleep. */
	atomic_store(&stand->control.draining, true);
	text = stand_control(stand, "POST", "/trace", "{\"secs\":20}", 200);
	assert_non_null(strstr(text, "\"traceEvents\":["));
	assert_null(strstr(text, "\"name\":\"sleep\""));
	free(text);
	atomic_store(&stand->control.draining, false);
}

static void the_runtimes_are_recorded_one_recording_at_a_time(void **state)
{
	(void)state;
	on_each_stand(recorded);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_manual_price_needs_the_scope_for_it),
	    cmocka_unit_test(a_quote_is_by_whom_its_key_acts_for),
	    cmocka_unit_test(without_the_db_component_requests_get_503_and_then_work_again),
	    cmocka_unit_test(a_preview_changes_no_table),
	    cmocka_unit_test(a_log_line_has_the_route_and_never_the_path_or_the_key),
	    cmocka_unit_test(only_health_is_open_and_every_change_is_guarded),
	    cmocka_unit_test(readiness_follows_the_database_and_the_drain),
	    cmocka_unit_test(a_move_is_answered_with_what_came_of_it),
	    cmocka_unit_test(the_server_moves_to_the_other_backend_and_back),
	    cmocka_unit_test(metrics_are_in_the_text_format),
	    cmocka_unit_test(a_wedged_loop_is_named_with_its_task),
	    cmocka_unit_test(the_runtimes_are_recorded_one_recording_at_a_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
