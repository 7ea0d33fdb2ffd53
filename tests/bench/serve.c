/*
 * Our HTTP server as bare as the peers it is measured against (peers/http_*):
 * `serve BACKEND [FILE [CERT KEY]]` listens on a free loopback port, with TLS if
 * there is a certificate, prints its URL, and answers until TERM comes:
 *
 *	GET / or /hello	200, text/plain, "Hello, world!\n"
 *	GET /row/N	200, JSON, row N of table item in FILE
 *	GET /bulk	200, text/plain, 64 MiB, as a stream
 *
 * Date, Content-Type and Content-Length on each; kept alive for ever.
 * `serve --make FILE` makes that database.
 */
#include <limits.h>
#include <qrt/db.h>
#include <qrt/http.h>
#include <qrt/runtime.h>
#include <qrt/signal.h>
#include <qrt/stream.h>
#include <qrt/tls.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 1000, CONNECTIONS_MAX = 20000, BULK_PIECE = 65536, BULK_PIECES = 1024 };

struct app {
	const char *file; /* NULL: no rows */
	struct qrt_tls *tls;
	struct qrt_db *db;
	struct qrt_http_router *router;
	struct qrt_http_server *http;
};

/* --- answering --- */

static enum qrt_err hello(struct qrt_cx *cx, struct qrt_http_request *req,
			  struct qrt_http_response *resp)
{
	static const char text[] = "Hello, world!\n";
	enum qrt_err err = qrt_http_set_header(resp, "Content-Type", "text/plain");
	(void)cx;
	(void)req;
	return err ? err : qrt_http_set_body(resp, text, sizeof(text) - 1);
}

struct row {
	int64_t id;
	char json[256];
	int len;
};

static enum qrt_err read_row(struct qrt_db_conn *conn, void *arg)
{
	struct row *row = arg;
	struct qrt_db_stmt *stmt;
	bool found = false;
	enum qrt_err err =
	    qrt_db_prepare(conn, "SELECT name, price FROM item WHERE id = ?1", &stmt);
	if (err) {
		return err;
	}
	qrt_db_bind_int(stmt, 1, row->id);
	err = qrt_db_step(stmt, &found);
	if (!err && found) {
		row->len = snprintf(
		    row->json, sizeof(row->json), "{\"id\":%lld,\"name\":\"%s\",\"price\":%lld}",
		    (long long)row->id, qrt_db_text(stmt, 0), (long long)qrt_db_int(stmt, 1));
	}
	qrt_db_finish(&stmt);
	return err ? err : found ? QRT_OK : QRT_ENOENT;
}

static enum qrt_err item(struct qrt_cx *cx, struct qrt_http_request *req,
			 struct qrt_http_response *resp)
{
	struct app *app = qrt_http_app(req);
	struct row row = {.id = atoll(qrt_http_param(req, "id"))};
	enum qrt_err err = app->db ? qrt_db_read_short(cx, app->db, read_row, &row) : QRT_ENOENT;
	if (err == QRT_ENOENT) {
		qrt_http_set_status(resp, 404);
		return QRT_OK;
	}
	if (!err) {
		err = qrt_http_set_header(resp, "Content-Type", "application/json");
	}
	return err ? err : qrt_http_set_body(resp, row.json, (size_t)row.len);
}

static enum qrt_err bulk(struct qrt_cx *cx, struct qrt_http_request *req,
			 struct qrt_http_response *resp)
{
	static const char piece[BULK_PIECE];
	enum qrt_err err = qrt_http_set_header(resp, "Content-Type", "text/plain");
	(void)req;
	if (!err) {
		err = qrt_http_stream_begin(cx, resp, (int64_t)BULK_PIECE * BULK_PIECES);
	}
	for (int i = 0; i < BULK_PIECES && !err; i++) {
		err = qrt_http_write(cx, resp, piece, sizeof(piece));
	}
	return err;
}

static enum qrt_err answer(struct qrt_cx *cx, struct qrt_http_request *req,
			   struct qrt_http_response *resp)
{
	struct app *app = qrt_http_app(req);
	enum qrt_err err = qrt_http_dispatch(app->router, cx, req, resp);
	if (err == QRT_ENOENT || err == QRT_ENOTSUP) {
		qrt_http_set_status(resp, 404);
		return QRT_OK;
	}
	return err;
}

/* --- serving --- */

static enum qrt_err open_app(struct qrt_cx *cx, struct app *app)
{
	static const struct {
		const char *pattern;
		qrt_http_handler_fn *handler;
	} routes[] = {{"/", hello}, {"/hello", hello}, {"/row/{id}", item}, {"/bulk", bulk}};
	const struct qrt_db_options options = {.url = app->file};
	enum qrt_err err = qrt_http_router_create(&app->router);
	for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]) && !err; i++) {
		err = qrt_http_route_add(app->router, "GET", routes[i].pattern, routes[i].handler);
	}
	return err || !app->file ? err : qrt_db_open(cx, &options, &app->db);
}

/* Serves in @home until TERM. */
static enum qrt_err serve_until_told(struct qrt_cx *cx, struct qrt_region *home, struct app *app)
{
	const int signos[] = {SIGTERM, SIGINT};
	const struct qrt_http_server_options options = {
	    .handler = answer,
	    .app = app,
	    .tls = app->tls,
	    .connections_max = CONNECTIONS_MAX,
	    .requests_per_connection = UINT_MAX,
	};
	struct qrt_signals *signals;
	uint16_t port;
	int fd, signo;
	enum qrt_err err = qrt_signal_open(cx, signos, 2, &signals);
	if (err) {
		return err;
	}
	err = qrt_socket_listen(cx, "127.0.0.1", 0, &fd, &port);
	if (!err) {
		err = qrt_http_server_open(cx, home, fd, &options, &app->http);
	}
	if (!err) {
		err = qrt_http_server_resume(cx, app->http);
	}
	if (!err) {
		printf("%s://127.0.0.1:%u\n", app->tls ? "https" : "http", port);
		fflush(stdout);
		err = qrt_signal_wait(cx, signals, &signo);
	}
	qrt_http_server_close(cx, &app->http);
	qrt_signal_close(cx, &signals);
	return err;
}

static enum qrt_err serve(struct qrt_cx *cx, void *arg)
{
	struct app *app = arg;
	struct qrt_region *home;
	enum qrt_err err = open_app(cx, app);
	if (!err) {
		err = qrt_region_open(cx, QRT_FAIL_FAST, &home);
	}
	if (!err) {
		err = serve_until_told(cx, home, app);
		err = qrt_region_close(cx, &home, err);
	}
	if (err) {
		fprintf(stderr, "serve: %s: %s\n", qrt_err_text(err), qrt_detail(cx));
	}
	qrt_db_close(cx, &app->db);
	qrt_http_router_destroy(&app->router);
	return err;
}

/* --- the database --- */

static enum qrt_err fill(struct qrt_db_conn *conn, void *arg)
{
	struct qrt_db_stmt *stmt;
	char name[32];
	(void)arg;
	enum qrt_err err = qrt_db_exec(
	    conn, "CREATE TABLE item(id INTEGER PRIMARY KEY, name TEXT NOT NULL, price INTEGER)");
	if (!err) {
		err = qrt_db_prepare(conn, "INSERT INTO item VALUES (?1, ?2, ?3)", &stmt);
	}
	if (err) {
		return err;
	}
	for (int i = 1; i <= ROWS && !err; i++) {
		snprintf(name, sizeof(name), "item number %d", i);
		qrt_db_bind_int(stmt, 1, i);
		qrt_db_bind_text(stmt, 2, name);
		qrt_db_bind_int(stmt, 3, i * 100);
		err = qrt_db_run(stmt);
	}
	qrt_db_finish(&stmt);
	return err;
}

static enum qrt_err make(struct qrt_cx *cx, void *arg)
{
	struct app *app = arg;
	const struct qrt_db_options options = {.url = app->file};
	enum qrt_err err = qrt_db_open(cx, &options, &app->db);
	if (!err) {
		err = qrt_db_write(cx, app->db, fill, NULL);
	}
	if (err) {
		fprintf(stderr, "serve: %s: %s\n", qrt_err_text(err), qrt_detail(cx));
	}
	qrt_db_close(cx, &app->db);
	return err;
}

/* The certificate of @paths, if there is one. Before loops run, for it reads files. */
static bool open_tls(char **paths, struct qrt_tls **ret_tls)
{
	const struct qrt_tls_server_options options = {.cert_file = paths[0], .key_file = paths[1]};
	char detail[QRT_DETAIL] = "";
	enum qrt_err err = qrt_tls_server_create(&options, detail, ret_tls);
	if (err) {
		fprintf(stderr, "serve: %s: %s\n", paths[0], detail);
	}
	return !err;
}

int main(int argc, char **argv)
{
	bool making = argc == 3 && strcmp(argv[1], "--make") == 0;
	struct qrt_runtime_options options = {.backend = argv[1]};
	struct qrt_runtime *rt;
	struct app app = {0};
	char url[4096], detail[QRT_DETAIL] = "";
	size_t n;
	if (argc < 2 || argc > 5 || argc == 4) {
		fputs("usage: serve BACKEND [FILE [CERT KEY]] | serve --make FILE\n", stderr);
		return 2;
	}
	if (argc > 2) {
		snprintf(url, sizeof(url), "sqlite://%s", argv[2]);
		app.file = url;
	}
	if (argc > 3 && !open_tls(argv + 3, &app.tls)) {
		return 1;
	}
	if (making) {
		options.backend = qrt_backend_names(&n)[0];
	}
	enum qrt_err err = qrt_runtime_open(&options, detail, &rt);
	if (err) {
		fprintf(stderr, "serve: %s: %s\n", argv[1], detail);
		return err == QRT_ENOTSUP ? 77 : 1;
	}
	err = qrt_run_main(rt, making ? make : serve, &app);
	qrt_runtime_close(&rt);
	qrt_tls_unref(&app.tls);
	return err != QRT_OK;
}
