/*
 * The server component and the control plane's routes, on every real backend of the build: web
 * requests are asked by a task over a socket, control handlers are called as the control listener
 * does, from a thread that is no runtime's. What the answers to plain requests are is the parity
 * suite's to say.
 */
#include "tests/lib/backends.h"
#include "tests/lib/test.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <qrt/stream.h>

#include "quotey/db/component.h"
#include "quotey/db/dump.h"
#include "quotey/db/migrate.h"
#include "quotey/server/control_routes.h"
#include "tests/lib/http_client.h"

#define PLACES_MAX 4
#define QUOTES "/api/v1/quotes"
#define JSON "Content-Type: application/json\r\n"
#define BODY                                                                                       \
	"{\"currency\":\"USD\",\"lines\":[{\"product_id\":\"prd-team\",\"quantity\":2,"            \
	"\"unit_price\":\"10.00\"}]}"

struct stand {
	const char *backend;
	char path[64], url[80];
	struct qrt_runtime *supervisor;
	struct qrt_runtime *runtimes[PLACES_MAX + 1]; /* the supervisor first */
	size_t n_runtimes;
	struct qrt_switchboard *sb;
	struct qy_db_env db_env;
	struct qy_server_env server_env;
	struct qy_server_counters counters;
	struct qy_control_env control;
	uint16_t port;
	char writer[QY_APIKEY_TEXT_SIZE], boss[QY_APIKEY_TEXT_SIZE];
	char log[4096];
};

/* --- the stand ----------------------------------------------------------------------------- */

static void keep_line(void *arg, const char *line)
{
	struct stand *stand = arg;
	size_t used = strlen(stand->log);

	snprintf(stand->log + used, sizeof(stand->log) - used, "%s\n", line);
}

static enum qrt_err make_key(struct qrt_cx *cx, struct qy_store *store, uint32_t scopes,
			     char ret_text[QY_APIKEY_TEXT_SIZE])
{
	const struct qy_apikey spec = {.name = "t", .scopes = scopes, .rate_per_minute = 1000};
	struct qy_fault fault;
	enum qrt_err err = qy_store_apikey_create(cx, store, &spec, ret_text, &fault);

	return !err && fault.kind != QY_FAULT_NONE ? QRT_EFAILED : err;
}

static enum qrt_err fill_database(struct qrt_cx *cx, struct stand *stand)
{
	struct qy_migrate_report migrated;
	struct qy_seed_report seeded;
	struct qy_store store;
	enum qrt_err err = qrt_db_open(cx, &stand->db_env.options, &store.db);

	if (err) {
		return err;
	}
	err = qy_migrate_up(cx, store.db, &qy_migrations, 0, &migrated);
	err = err ? err : qy_store_seed_load(cx, &store, &seeded);
	err =
	    err ? err
		: make_key(cx, &store, QY_SCOPE_QUOTES_READ | QY_SCOPE_QUOTES_WRITE, stand->writer);
	err = err ? err : make_key(cx, &store, QY_SCOPE_ADMIN, stand->boss);
	qrt_db_close(cx, &store.db);
	return err;
}

static enum qrt_err move(struct qrt_cx *cx, struct stand *stand, const char *component)
{
	struct qrt_move done;

	return qrt_switchboard_move(cx, stand->sb, component, stand->backend, "system:test", "",
				    &done);
}

/* Everything but the db component, which a scenario starts when it wants one. */
static enum qrt_err begin(struct qrt_cx *cx, void *arg)
{
	struct stand *stand = arg;

	EXPECT(!fill_database(cx, stand));
	EXPECT(!qrt_switchboard_add_component(stand->sb, &qy_db_component, &stand->db_env));
	EXPECT(!qrt_socket_listen(cx, "127.0.0.1", 0, &stand->server_env.listen_fd, &stand->port));
	stand->server_env.db = qrt_switchboard_port(stand->sb, "db");
	stand->server_env.counters = &stand->counters;
	stand->server_env.log = keep_line;
	stand->server_env.log_arg = stand;
	EXPECT(!qrt_switchboard_add_component(stand->sb, &qy_server_component, &stand->server_env));
	EXPECT(!move(cx, stand, "server"));
	stand->control.sb = stand->sb;
	stand->control.supervisor = stand->supervisor;
	stand->control.runtimes = stand->runtimes;
	stand->control.n_runtimes = stand->n_runtimes;
	stand->control.db = stand->server_env.db;
	stand->control.counters = &stand->counters;
	return QRT_OK;
}

static enum qrt_err finish(struct qrt_cx *cx, void *arg)
{
	struct stand *stand = arg;
	enum qrt_err err = qrt_switchboard_stop(cx, stand->sb);

	qrt_socket_close(cx, stand->server_env.listen_fd);
	return err;
}

static void add_runtime(struct stand *stand, const char *backend, const char *name)
{
	const struct qrt_runtime_options opts = {.backend = backend, .name = name};
	struct qrt_runtime *rt = NULL;

	assert_int_equal(qrt_runtime_open(&opts, NULL, &rt), QRT_OK);
	assert_int_equal(qrt_runtime_start(rt), QRT_OK);
	stand->runtimes[stand->n_runtimes++] = rt;
}

static void in_task(struct stand *stand, qrt_task_fn *fn)
{
	assert_int_equal(qrt_runtime_call(stand->supervisor, 20 * QRT_SEC, fn, stand, NULL),
			 QRT_OK);
}

static void stand_open(struct stand *stand, const char *backend)
{
	const struct qrt_switchboard_options opts = {.drain_max_ns = 5 * QRT_SEC};
	const char *const *names;
	size_t n, i;
	int fd;

	memset(stand, 0, sizeof(*stand));
	stand->backend = backend;
	snprintf(stand->path, sizeof(stand->path), "/tmp/quotey-server-XXXXXX");
	fd = mkstemp(stand->path);
	assert_true(fd >= 0);
	close(fd);
	snprintf(stand->url, sizeof(stand->url), "sqlite://%s", stand->path);
	stand->db_env.options = (struct qrt_db_options){.url = stand->url, .readers = 2};
	stand->server_env.linger_ns = 10 * QRT_MS;
	assert_int_equal(qrt_switchboard_create(&opts, &stand->sb), QRT_OK);
	add_runtime(stand, backend, "supervisor");
	stand->supervisor = stand->runtimes[0];
	names = qrt_backend_names(&n);
	for (i = 0; i < n; i++) {
		if (strncmp(names[i], "lab", 3) != 0) {
			add_runtime(stand, names[i], names[i]);
			assert_int_equal(
			    qrt_switchboard_add_runtime(stand->sb, names[i],
							stand->runtimes[stand->n_runtimes - 1]),
			    QRT_OK);
		}
	}
	in_task(stand, begin);
}

static void stand_close(struct stand *stand)
{
	static const char *const ends[] = {"", "-wal", "-shm"};
	char path[80];
	size_t i;

	in_task(stand, finish);
	for (i = 0; i < stand->n_runtimes; i++) {
		assert_int_equal(qrt_shutdown(stand->runtimes[i], 5 * QRT_SEC), QRT_OK);
	}
	qrt_switchboard_destroy(&stand->sb);
	/* The close proves that no task or region was left behind. */
	for (i = 0; i < stand->n_runtimes; i++) {
		qrt_runtime_close(&stand->runtimes[i]);
	}
	for (i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		snprintf(path, sizeof(path), "%s%s", stand->path, ends[i]);
		unlink(path);
	}
}

typedef void scenario_fn(struct stand *stand);

static void on_each(scenario_fn *scenario)
{
	const char *const *names;
	struct stand stand;
	size_t n, i;

	names = qrt_backend_names(&n);
	for (i = 0; i < n; i++) {
		if (strncmp(names[i], "lab", 3) != 0) {
			stand_open(&stand, names[i]);
			scenario(&stand);
			stand_close(&stand);
		}
	}
}

/* --- the web side -------------------------------------------------------------------------- */

struct question {
	const char *method, *path, *key, *headers, *body;
};

/* One request on a connection of its own. */
static enum qrt_err ask(struct qrt_cx *cx, struct stand *stand, const struct question *question,
			struct http_answer *ret_answer)
{
	char headers[512] = "Connection: close\r\n";
	struct qrt_stream *stream = NULL;
	enum qrt_err err;

	if (question->key != NULL) {
		snprintf(headers, sizeof(headers),
			 "Connection: close\r\nAuthorization: Bearer %s\r\n", question->key);
	}
	if (question->headers != NULL) {
		strncat(headers, question->headers, sizeof(headers) - strlen(headers) - 1);
	}
	err = qrt_connect(cx, "127.0.0.1", stand->port, &stream);
	if (!err) {
		err = http_ask(cx, stream, question->method, question->path, headers,
			       question->body, ret_answer);
	}
	qrt_stream_close(cx, &stream);
	return err;
}

/* Asks and compares status, a part of the body, and what every answer must have. */
static enum qrt_err expect(struct qrt_cx *cx, struct stand *stand, const struct question *question,
			   int status, const char *part)
{
	static const char *const always[] = {
	    "Content-Security-Policy", "X-Content-Type-Options", "X-Frame-Options",
	    "Referrer-Policy",	       "Permissions-Policy",	 "Cache-Control",
	    "X-Correlation-Id",
	};
	struct http_answer answer = {0};
	char value[512];
	size_t i;

	EXPECT(!ask(cx, stand, question, &answer));
	if (answer.status != status || strstr(answer.body, part) == NULL) {
		fprintf(stderr, "%s %s: %d %s\n", question->method, question->path, answer.status,
			answer.body);
	}
	EXPECT(answer.status == status);
	EXPECT(strstr(answer.body, part) != NULL);
	for (i = 0; i < sizeof(always) / sizeof(always[0]); i++) {
		EXPECT(http_answer_header(&answer, always[i], value, sizeof(value)));
	}
	EXPECT(http_answer_header(&answer, "Retry-After", value, sizeof(value)) == (status == 503));
	http_answer_fini(&answer);
	return QRT_OK;
}

static enum qrt_err prices_of_ones_own(struct qrt_cx *cx, void *arg)
{
	struct stand *stand = arg;
	struct question create = {"POST", QUOTES, stand->writer, JSON, BODY};

	EXPECT(!move(cx, stand, "db"));
	EXPECT(!expect(cx, stand, &create, 403, "INSUFFICIENT_SCOPE"));
	create.key = stand->boss;
	EXPECT(!expect(cx, stand, &create, 201, "\"price_source\":\"manual\""));
	EXPECT(!expect(cx, stand, &(struct question){"GET", QUOTES, stand->boss, NULL, NULL}, 200,
		       "\"total\":5}"));
	return QRT_OK;
}

static void own_prices(struct stand *stand)
{
	in_task(stand, prices_of_ones_own);
}

static void a_manual_price_needs_the_scope_for_it(void **state)
{
	(void)state;
	on_each(own_prices);
}

static enum qrt_err without_database(struct qrt_cx *cx, void *arg)
{
	struct stand *stand = arg;
	const struct question get = {"GET", QUOTES "/quote-netnew-001", stand->writer, NULL, NULL};

	EXPECT(!expect(cx, stand, &get, 503,
		       "\"category\":\"service_unavailable\",\"code\":\"DB_UNAVAILABLE\""));
	EXPECT(!expect(cx, stand, &get, 503, "\"retry_after_seconds\":5"));
	EXPECT(!move(cx, stand, "db"));
	EXPECT(!expect(cx, stand, &get, 200, "\"id\":\"quote-netnew-001\""));
	return QRT_OK;
}

static void no_database(struct stand *stand)
{
	in_task(stand, without_database);
}

static void without_the_db_component_requests_get_503_and_then_work_again(void **state)
{
	(void)state;
	on_each(no_database);
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

	EXPECT(!move(cx, stand, "db"));
	EXPECT(!checksum(cx, stand, before));
	EXPECT(!expect(cx, stand, &(struct question){"POST", path, stand->writer, NULL, NULL}, 200,
		       "\"missing_fields\":[\"billing_country\",\"payment_terms\"]"));
	EXPECT(!expect(cx, stand,
		       &(struct question){"POST", path, stand->writer, JSON, "{\"a\":1}"}, 422,
		       "UNKNOWN_MEMBER"));
	EXPECT(!checksum(cx, stand, after));
	EXPECT(strcmp(before, after) == 0);
	/* Any other call notes that the key was used: the checksum can tell. */
	EXPECT(!expect(cx, stand, &(struct question){"GET", QUOTES, stand->boss, NULL, NULL}, 200,
		       "\"items\":["));
	EXPECT(!checksum(cx, stand, after));
	EXPECT(strcmp(before, after) != 0);
	return QRT_OK;
}

static void preview(struct stand *stand)
{
	in_task(stand, previews);
}

static void a_preview_changes_no_table(void **state)
{
	(void)state;
	on_each(preview);
}

static enum qrt_err secret_paths(struct qrt_cx *cx, void *arg)
{
	struct stand *stand = arg;

	EXPECT(!move(cx, stand, "db"));
	EXPECT(!expect(cx, stand,
		       &(struct question){"GET", QUOTES "/quote-netnew-001", stand->boss,
					  "X-Correlation-Id: abc-1\r\n", NULL},
		       200, "{"));
	EXPECT(!expect(cx, stand, &(struct question){"GET", "/secret%0Atoken", NULL, NULL, NULL},
		       404, "\"category\":\"not_found\""));
	return QRT_OK;
}

static void access_log(struct stand *stand)
{
	in_task(stand, secret_paths);
	assert_memory_equal(stand->log, "GET /api/v1/quotes/{id} 200 ", 28);
	assert_non_null(strstr(stand->log, "us abc-1\nGET - 404 "));
	assert_null(strstr(stand->log, "netnew"));
	assert_null(strstr(stand->log, "secret"));
	assert_null(strstr(stand->log, stand->boss));
	assert_int_equal(atomic_load(&stand->counters.by_class[2]), 1);
	assert_int_equal(atomic_load(&stand->counters.by_class[4]), 1);
}

static void a_log_line_has_the_route_and_never_the_path_or_the_key(void **state)
{
	(void)state;
	on_each(access_log);
}

/* --- the control side ---------------------------------------------------------------------- */

/* What the control listener does: find the handler by method and path, and call it. */
static char *control(struct stand *stand, const char *method, const char *path, const char *body,
		     int status)
{
	struct qrt_control_request req = {.method = method, .path = path, .query = ""};
	struct qrt_control_reply reply = {.status = 0};
	size_t i;

	req.body = body;
	req.body_len = strlen(body);
	for (i = 0; i < qy_control_route_count; i++) {
		const struct qrt_control_route *route = &qy_control_routes[i];

		if (strcmp(route->method, method) == 0 && strcmp(route->path, path) == 0) {
			route->handler(&stand->control, &req, &reply);
			assert_non_null(reply.body);
			if (reply.status != status) {
				fprintf(stderr, "%s %s: %s\n", path, body, reply.body);
			}
			assert_int_equal(reply.status, status);
			assert_int_equal(reply.body_len, strlen(reply.body));
			return reply.body;
		}
	}
	fail_msg("no route %s %s", method, path);
	return NULL;
}

static void assert_control(struct stand *stand, const char *method, const char *path,
			   const char *body, int status, const char *part)
{
	char *text = control(stand, method, path, body, status);

	if (strstr(text, part) == NULL) {
		fail_msg("%s: no '%s' in %s", path, part, text);
	}
	free(text);
}

static enum qrt_err start_db(struct qrt_cx *cx, void *arg)
{
	return move(cx, arg, "db");
}

static void health(struct stand *stand)
{
	assert_control(stand, "GET", "/health/live", "", 200, "{\"status\":\"live\"}");
	assert_control(stand, "GET", "/health/ready", "", 503,
		       "\"database\":\"unavailable\",\"queue\":\"disabled\",\"service\":\"ready\","
		       "\"slack\":\"disabled\",\"status\":\"unavailable\"}");
	in_task(stand, start_db);
	assert_control(stand, "GET", "/health", "", 200, "\"status\":\"ready\"}");
	assert_control(stand, "GET", "/health", "", 200, "{\"checked_at\":\"20");
	atomic_store(&stand->control.draining, true);
	assert_control(stand, "GET", "/health/ready", "", 503,
		       "\"database\":\"ready\",\"queue\":\"disabled\",\"service\":\"draining\"");
	assert_control(stand, "GET", "/health/live", "", 200, "live");
}

static void readiness_follows_the_database_and_the_drain(void **state)
{
	(void)state;
	on_each(health);
}

static void moves(struct stand *stand)
{
	char body[128], part[128];

	in_task(stand, start_db);
	assert_control(stand, "POST", "/runtime/rollback", "{\"component\":\"server\"}", 409,
		       "\"error\":\"QRT_ESTATE\"");
	assert_control(stand, "POST", "/runtime/rollback", "", 409, "NOTHING_MOVED");
	assert_control(stand, "POST", "/runtime/set",
		       "{\"component\":\"sever\",\"backend\":\"region\"}", 404,
		       "\"error\":\"QRT_ENOENT\"");
	assert_control(stand, "POST", "/runtime/set",
		       "{\"component\":\"server\",\"backend\":\"tokio\"}", 400, "\"ok\":false");
	assert_control(stand, "POST", "/runtime/set", "{\"component\":\"server\"}", 422,
		       "MISSING_MEMBER");
	snprintf(body, sizeof(body), "{\"component\":\"server\",\"backend\":\"%s\"}",
		 stand->backend);
	assert_control(stand, "POST", "/runtime/set", body, 200, "\"ok\":true");
	snprintf(part, sizeof(part), "{\"backend\":\"%s\",\"component\":\"server\"",
		 stand->backend);
	assert_control(stand, "GET", "/runtime", "", 200, part);
	assert_control(stand, "GET", "/runtime", "", 200, "\"runtimes\":[{\"backend\":\"");
}

static void a_move_is_answered_with_what_came_of_it(void **state)
{
	(void)state;
	on_each(moves);
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
	in_task(stand, start_db);
	snprintf(body, sizeof(body),
		 "{\"component\":\"server\",\"backend\":\"%s\",\"reason\":\"try\","
		 "\"actor\":\"user:ops\"}",
		 other);
	assert_control(stand, "POST", "/runtime/set", body, 200, "\"ok\":true");
	in_task(stand, prices_of_ones_own);
	snprintf(part, sizeof(part), "{\"backend\":\"%s\",\"component\":\"server\"", other);
	assert_control(stand, "GET", "/runtime", "", 200, part);
	assert_control(stand, "GET", "/runtime/history", "", 200,
		       "{\"actor\":\"user:ops\",\"at\":\"20");
	snprintf(part, sizeof(part), "\"to\":\"%s\"", stand->backend);
	assert_control(stand, "POST", "/runtime/rollback", "{}", 200, part);
	snprintf(part, sizeof(part), "{\"backend\":\"%s\",\"component\":\"server\"",
		 stand->backend);
	assert_control(stand, "GET", "/runtime", "", 200, part);
}

static void the_server_moves_to_the_other_backend_and_back(void **state)
{
	(void)state;
	on_each(there_and_back);
}

static void metrics(struct stand *stand)
{
	static const char *const gauges[] = {
	    "tasks_live",     "regions_live",	     "loop_ready",	 "loop_lag_seconds",
	    "forced_total",   "leaks_total",	     "duties_live",	 "duties_made_total",
	    "restarts_total", "budgets_spent_total", "loop_stalls_total"};
	char part[160];

	in_task(stand, start_db);
	in_task(stand, secret_paths);
	assert_control(stand, "GET", "/metrics", "", 200,
		       "# TYPE quotey_http_requests_total counter\n"
		       "quotey_http_requests_total{class=\"2xx\"} 1\n"
		       "quotey_http_requests_total{class=\"3xx\"} 0\n"
		       "quotey_http_requests_total{class=\"4xx\"} 1\n");
	snprintf(part, sizeof(part),
		 "quotey_component_backend{component=\"server\",backend=\"%s\"} 1\n",
		 stand->backend);
	assert_control(stand, "GET", "/metrics", "", 200, part);
	snprintf(part, sizeof(part), "quotey_regions_live{runtime=\"supervisor\",backend=\"%s\"} ",
		 stand->backend);
	assert_control(stand, "GET", "/metrics", "", 200, part);
	assert_control(stand, "GET", "/metrics", "", 200,
		       "\n# HELP quotey_tasks_live Tasks that have not ended.\n"
		       "# TYPE quotey_tasks_live gauge\n");
	assert_control(stand, "GET", "/metrics", "", 200,
		       "quotey_loop_busy_seconds{runtime=\"supervisor\"");
	snprintf(part, sizeof(part),
		 "\nquotey_cancels_by_kind_total{runtime=\"supervisor\",backend=\"%s\","
		 "kind=\"shutdown\"} 0\n",
		 stand->backend);
	assert_control(stand, "GET", "/metrics", "", 200, part);
	snprintf(part, sizeof(part),
		 "\nquotey_loop_lag_max_seconds{runtime=\"supervisor\",backend=\"%s\"} 0.0",
		 stand->backend);
	assert_control(stand, "GET", "/metrics", "", 200, part);
	for (size_t i = 0; i < sizeof(gauges) / sizeof(gauges[0]); i++) {
		snprintf(part, sizeof(part), "\nquotey_%s{runtime=\"supervisor\"", gauges[i]);
		assert_control(stand, "GET", "/metrics", "", 200, part);
	}
}

static void metrics_are_in_the_text_format(void **state)
{
	(void)state;
	on_each(metrics);
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
	assert_control(stand, "GET", "/regions", "", 200, "server");
	assert_int_equal(qrt_runtime_call(rt, QRT_MS, hold_the_loop, &wedge, wedge_gone),
			 QRT_ETIMEDOUT);
	while (!atomic_load(&wedge.stuck)) {
	}
	snprintf(part, sizeof(part), "\"runtime\":\"%s\",\"spawned_at\":\"", qrt_runtime_name(rt));
	assert_control(stand, "GET", "/regions", "", 200, part);
	assert_control(stand, "GET", "/health/live", "", 200, "live");
	assert_control(stand, "GET", "/metrics", "", 200, "quotey_loop_busy_seconds");
	atomic_store(&wedge.release, true);
	while (!atomic_load(&wedge.gone)) {
	}
}

static void a_wedged_loop_is_named_with_its_task(void **state)
{
	(void)state;
	on_each(wedged);
}

static void recorded(struct stand *stand)
{
	char *text;

	/* Twice: the first one has left nothing running. */
	for (int i = 0; i < 2; i++) {
		text =
		    control(stand, "POST", "/runtime/trace", "{\"secs\":1,\"events\":1000}", 200);
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
	assert_control(stand, "POST", "/runtime/trace", "{\"secs\":0}", 400,
		       "secs: must be from 1 to 20");
	assert_control(stand, "POST", "/runtime/trace", "{\"secs\":21}", 400,
		       "secs: must be from 1 to 20");
	assert_control(stand, "POST", "/runtime/trace", "{\"events\":100001}", 400,
		       "events: must be from 1 to 100000");
	assert_control(stand, "POST", "/runtime/trace", "{\"seconds\":1}", 422, "seconds");
	assert_control(stand, "POST", "/runtime/trace", "[", 400, "");
	atomic_store(&stand->control.is_recording, true);
	assert_control(stand, "POST", "/runtime/trace", "", 409, "Another recording is under way.");
	atomic_store(&stand->control.is_recording, false);
	/* When all stops a recording does not make it wait: it ends without a sleep. */
	atomic_store(&stand->control.draining, true);
	text = control(stand, "POST", "/runtime/trace", "{\"secs\":20}", 200);
	assert_non_null(strstr(text, "\"traceEvents\":["));
	assert_null(strstr(text, "\"name\":\"sleep\""));
	free(text);
	atomic_store(&stand->control.draining, false);
}

static void the_runtimes_are_recorded_one_recording_at_a_time(void **state)
{
	(void)state;
	on_each(recorded);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_manual_price_needs_the_scope_for_it),
	    cmocka_unit_test(without_the_db_component_requests_get_503_and_then_work_again),
	    cmocka_unit_test(a_preview_changes_no_table),
	    cmocka_unit_test(a_log_line_has_the_route_and_never_the_path_or_the_key),
	    cmocka_unit_test(readiness_follows_the_database_and_the_drain),
	    cmocka_unit_test(a_move_is_answered_with_what_came_of_it),
	    cmocka_unit_test(the_server_moves_to_the_other_backend_and_back),
	    cmocka_unit_test(metrics_are_in_the_text_format),
	    cmocka_unit_test(a_wedged_loop_is_named_with_its_task),
	    cmocka_unit_test(the_runtimes_are_recorded_one_recording_at_a_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
