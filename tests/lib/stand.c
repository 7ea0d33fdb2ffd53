/* Opens and closes stands, asks and compares. */
#include "tests/lib/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <qrt/stream.h>

#include "quotey/db/migrate.h"
#include "tests/lib/stand.h"

/* --- the stand ----------------------------------------------------------------------------- */

static void keep_line(void *arg, const char *line, size_t n)
{
	struct stand *stand = arg;
	size_t used = strlen(stand->text);

	snprintf(stand->text + used, sizeof(stand->text) - used, "%.*s", (int)n, line);
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

enum qrt_err stand_move(struct qrt_cx *cx, struct stand *stand, const char *component)
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
	stand->server_env.log = stand->log;
	stand->server_env.rate = stand->rate;
	EXPECT(!qrt_switchboard_add_component(stand->sb, &qy_server_component, &stand->server_env));
	EXPECT(!stand_move(cx, stand, "server"));
	stand->control.sb = stand->sb;
	stand->control.supervisor = stand->supervisor;
	stand->control.runtimes = stand->runtimes;
	stand->control.n_runtimes = stand->n_runtimes;
	stand->control.db = stand->server_env.db;
	stand->control.counters = &stand->counters;
	stand->control.log = stand->log;
	stand->control.fallback = stand->backend;
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

void stand_run(struct stand *stand, qrt_task_fn *fn)
{
	assert_int_equal(qrt_runtime_call(stand->supervisor, 20 * QRT_SEC, fn, stand, NULL),
			 QRT_OK);
}

static void stand_open(struct stand *stand, const char *backend,
		       const struct qrt_http_group *routes)
{
	const struct qrt_switchboard_options opts = {.drain_max_ns = 5 * QRT_SEC};
	const struct qrt_log_options log_opts = {
	    .levels = "debug", .sink = keep_line, .arg = stand};
	const char *const *names;
	size_t n, i;
	int fd;

	memset(stand, 0, sizeof(*stand));
	assert_int_equal(qrt_log_open(&log_opts, NULL, &stand->log), QRT_OK);
	assert_int_equal(qrt_rate_create(&stand->rate), QRT_OK);
	stand->backend = backend;
	snprintf(stand->path, sizeof(stand->path), "/tmp/quotey-server-XXXXXX");
	fd = mkstemp(stand->path);
	assert_true(fd >= 0);
	close(fd);
	snprintf(stand->url, sizeof(stand->url), "sqlite://%s", stand->path);
	stand->db_env.options = (struct qrt_db_options){.url = stand->url, .readers = 2};
	stand->db_env.log = stand->log;
	stand->server_env.more_routes = routes;
	stand->server_env.linger_ns = 10 * QRT_MS;
	assert_int_equal(qrt_switchboard_create(&opts, &stand->sb), QRT_OK);
	add_runtime(stand, backend, "supervisor");
	stand->supervisor = stand->runtimes[0];
	names = real_backends(&n);
	for (i = 0; i < n; i++) {
		add_runtime(stand, names[i], names[i]);
		assert_int_equal(qrt_switchboard_add_runtime(
				     stand->sb, names[i], stand->runtimes[stand->n_runtimes - 1]),
				 QRT_OK);
	}
	stand_run(stand, begin);
}

static void stand_close(struct stand *stand)
{
	static const char *const ends[] = {"", "-wal", "-shm"};
	char path[80];
	size_t i;

	stand_run(stand, finish);
	for (i = 0; i < stand->n_runtimes; i++) {
		assert_int_equal(qrt_shutdown(stand->runtimes[i], 5 * QRT_SEC), QRT_OK);
	}
	qrt_switchboard_destroy(&stand->sb);
	/* The close proves that no task or region was left behind. */
	for (i = 0; i < stand->n_runtimes; i++) {
		qrt_runtime_close(&stand->runtimes[i]);
	}
	qrt_log_close(&stand->log);
	qrt_rate_destroy(&stand->rate);
	for (i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		snprintf(path, sizeof(path), "%s%s", stand->path, ends[i]);
		unlink(path);
	}
}

void on_each_stand(scenario_fn *scenario)
{
	on_each_stand_with(NULL, scenario);
}

void on_each_stand_with(const struct qrt_http_group *routes, scenario_fn *scenario)
{
	const char *const *names;
	struct stand stand;
	size_t n, i;

	names = real_backends(&n);
	for (i = 0; i < n; i++) {
		stand_open(&stand, names[i], routes);
		scenario(&stand);
		stand_close(&stand);
	}
}

/* --- the web side -------------------------------------------------------------------------- */

/* One request on a connection of its own. */
enum qrt_err stand_ask(struct qrt_cx *cx, struct stand *stand, const struct question *question,
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
enum qrt_err stand_expect(struct qrt_cx *cx, struct stand *stand, const struct question *question,
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

	EXPECT(!stand_ask(cx, stand, question, &answer));
	if (answer.status != status || strstr(answer.body, part) == NULL) {
		fprintf(stderr, "%s %s: %d %s\n", question->method, question->path, answer.status,
			answer.body);
	}
	EXPECT(answer.status == status);
	EXPECT(strstr(answer.body, part) != NULL);
	for (i = 0; i < sizeof(always) / sizeof(always[0]); i++) {
		EXPECT(http_answer_header(&answer, always[i], value, sizeof(value)));
	}
	EXPECT(http_answer_header(&answer, "Retry-After", value, sizeof(value)) ==
	       (status == 503 || status == 429));
	http_answer_fini(&answer);
	return QRT_OK;
}

/* What the control listener does: find the handler by method and path, and call it. */
char *stand_control(struct stand *stand, const char *method, const char *path, const char *body,
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

void stand_control_has(struct stand *stand, const char *method, const char *path, const char *body,
		       int status, const char *part)
{
	char *text = stand_control(stand, method, path, body, status);

	if (strstr(text, part) == NULL) {
		fail_msg("%s: no '%s' in %s", path, part, text);
	}
	free(text);
}

enum qrt_err stand_start_db(struct qrt_cx *cx, void *arg)
{
	return stand_move(cx, arg, "db");
}
