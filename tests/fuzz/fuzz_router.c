/*
 * Fuzz entry of the router: each line of the bytes is a route to add ("+GET /a/{id}") or a request
 * to route ("GET /a/7"). A router that tries one pattern after the other, written here, must come
 * to the same route, the same parameters, and the same refusals. Works with libFuzzer and replay.c.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shim/src/http/message.h"

#define ROUTES_MAX 24
#define REQUESTS_MAX 24
#define LINE_MAX_BYTES 600

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct plain_route {
	char method[LINE_MAX_BYTES + 1], pattern[LINE_MAX_BYTES + 1];
};

struct game {
	struct qrt_http_router *router;
	struct plain_route routes[ROUTES_MAX];
	size_t n_routes, n_requests;
};

static void must(bool holds)
{
	if (!holds) {
		abort();
	}
}

static enum qrt_err handler(struct qrt_cx *cx, struct qrt_http_request *req,
			    struct qrt_http_response *resp)
{
	must(cx == NULL);
	must(req->route[0] == '/');
	qrt_http_set_status(resp, 299);
	return QRT_OK;
}

/* --- the plain way --------------------------------------------------------------------------- */

/* Whether a path fits a pattern; *ret_form has a bit for each segment that is a parameter. */
static bool fits(const char *pattern, const char *path, uint64_t *ret_form)
{
	uint64_t form = 0;

	for (; *pattern == '/' && *path == '/';) {
		size_t want = strcspn(++pattern, "/"), have = strcspn(++path, "/");
		bool is_param = want > 0 && pattern[0] == '{';

		if (is_param ? have == 0 : want != have || memcmp(pattern, path, have) != 0) {
			return false;
		}
		form = form << 1 | is_param;
		pattern += want;
		path += have;
	}
	*ret_form = form;
	return *pattern == '\0' && *path == '\0';
}

/* How well a route's method serves a request's: 2 itself, 1 GET for HEAD, 0 not. */
static int serves(const char *method, const char *asked)
{
	if (strcmp(method, asked) == 0) {
		return 2;
	}
	return strcmp(asked, "HEAD") == 0 && strcmp(method, "GET") == 0;
}

/* The route for it, or NULL; *ret_reached: some route has the path. */
static const struct plain_route *choose(const struct game *game, const struct qrt_http_request *req,
					bool *ret_reached)
{
	const struct plain_route *best = NULL;
	uint64_t best_form = 0, form;
	int best_serves = 0;

	*ret_reached = false;
	for (size_t i = 0; i < game->n_routes; i++) {
		const struct plain_route *route = &game->routes[i];
		int how = serves(route->method, req->method);

		if (!fits(route->pattern, req->path, &form)) {
			continue;
		}
		*ret_reached = true;
		if (how > 0 &&
		    (!best || form < best_form || (form == best_form && how > best_serves))) {
			best = route;
			best_form = form;
			best_serves = how;
		}
	}
	return best;
}

/* The n-th segment of a path. */
static void segment(const char *path, size_t n, const char **ret_at, size_t *ret_len)
{
	for (; n > 0; n--) {
		path += 1 + strcspn(path + 1, "/");
	}
	*ret_at = path + 1;
	*ret_len = strcspn(path + 1, "/");
}

static void check_params(const struct plain_route *route, const struct qrt_http_request *req)
{
	size_t n = 0, params = 0;

	for (const char *at = route->pattern; *at == '/'; at += 1 + strcspn(at + 1, "/"), n++) {
		char name[LINE_MAX_BYTES + 1];
		const char *text, *value;
		size_t len;

		segment(route->pattern, n, &text, &len);
		if (len == 0 || text[0] != '{') {
			continue;
		}
		params++;
		snprintf(name, sizeof(name), "%.*s", (int)len - 2, text + 1);
		value = qrt_http_param(req, name);
		segment(req->path, n, &text, &len);
		must(value != NULL && strlen(value) == len && memcmp(value, text, len) == 0);
	}
	must(params == req->params.n);
}

/* --- a line ---------------------------------------------------------------------------------- */

/* Two patterns that differ in names of parameters only are one to the router. */
static bool same_place(const char *a, const char *b)
{
	for (; *a == '/' && *b == '/';) {
		size_t an = strcspn(++a, "/"), bn = strcspn(++b, "/");
		bool params = an > 0 && bn > 0 && a[0] == '{' && b[0] == '{';

		if (!params && (an != bn || memcmp(a, b, an) != 0)) {
			return false;
		}
		a += an;
		b += bn;
	}
	return *a == *b;
}

static void add_route(struct game *game, const char *method, const char *pattern)
{
	struct plain_route *route = &game->routes[game->n_routes];
	bool there = false;
	enum qrt_err err;

	if (game->n_routes == ROUTES_MAX) {
		return;
	}
	for (size_t i = 0; i < game->n_routes; i++) {
		there = there || (strcmp(game->routes[i].method, method) == 0 &&
				  same_place(game->routes[i].pattern, pattern));
	}
	err = qrt_http_route_add(game->router, method, pattern, handler);
	must(err == QRT_OK || err == QRT_EINVAL || err == QRT_EEXIST);
	must(err != QRT_OK || !there);
	must(err != QRT_EEXIST || there);
	if (!err) {
		must(pattern[0] == '/' && method[0] != '\0');
		snprintf(route->method, sizeof(route->method), "%s", method);
		snprintf(route->pattern, sizeof(route->pattern), "%s", pattern);
		game->n_routes++;
	}
}

static void check_allow(const struct game *game, const struct qrt_http_request *req,
			const struct qrt_http_response *resp)
{
	const char *allow = qrt_http_response_header(resp, "Allow");
	uint64_t form;

	must(allow != NULL && allow[0] != '\0');
	for (size_t i = 0; i < game->n_routes; i++) {
		must(!fits(game->routes[i].pattern, req->path, &form) ||
		     strstr(allow, game->routes[i].method) != NULL);
	}
}

static void route_request(struct game *game, const char *method, const char *target)
{
	struct qrt__http_arena arena;
	struct qrt_http_request req;
	struct qrt_http_response resp;
	const struct plain_route *want;
	bool reached;

	if (game->n_requests++ == REQUESTS_MAX) {
		return;
	}
	qrt__http_arena_init(&arena);
	qrt__http_request_init(&req, &arena);
	req.method = method;
	if (!qrt__http_request_set_target(&req, target)) {
		qrt__http_response_init(&resp, &arena, &req);
		want = choose(game, &req, &reached);
		switch (qrt_http_dispatch(game->router, NULL, &req, &resp)) {
		case QRT_OK:
			must(want != NULL && strcmp(req.route, want->pattern) == 0);
			must(resp.status == 299);
			check_params(want, &req);
			break;
		case QRT_ENOTSUP:
			must(want == NULL && reached);
			check_allow(game, &req, &resp);
			break;
		case QRT_ENOENT:
			must(!reached);
			break;
		default:
			abort();
		}
	}
	qrt__http_arena_fini(&arena);
}

static void play_line(struct game *game, char *line)
{
	bool adds = line[0] == '+';
	char *method = line + adds, *path = strchr(method, ' ');

	if (path == NULL) {
		return;
	}
	*path++ = '\0';
	if (adds) {
		add_route(game, method, path);
	} else {
		route_request(game, method, path);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct game game;
	char line[LINE_MAX_BYTES + 1];
	size_t at = 0;

	memset(&game, 0, sizeof(game));
	must(qrt_http_router_create(&game.router) == QRT_OK);
	while (at < size) {
		const uint8_t *end = memchr(data + at, '\n', size - at);
		size_t len = end ? (size_t)(end - data) - at : size - at;

		if (len <= LINE_MAX_BYTES) {
			memcpy(line, data + at, len);
			line[len] = '\0';
			play_line(&game, line);
		}
		at += len + 1;
	}
	qrt_http_router_destroy(&game.router);
	return 0;
}
